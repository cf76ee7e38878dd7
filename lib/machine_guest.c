/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's half of the reference machine: its timer registers, its CPU
 * interface (list registers, or the VMM's GIC), and what makes it exit.
 */
#include <errno.h>

#include "machine_private.h"

/* ESR_EL2 of the exits that a guest makes here */
#define ESR_HVC		0x58000000
#define ESR_WFI		0x07e00000
#define ESR_READ	0x93820005
#define ESR_WRITE	0x93800045

#define KVM_EXIT_MMIO	6

/* The VMM's GIC: level-sensitive, its lines are what KVM_RUN last reported. */
__u8 kt_vmm_pending(const struct kt_mvcpu *v)
{
	__u8 pending = 0;

	for_each_timer(t)
		if (v->device_irq_level >> (t == KT_PTIMER) & 1 && v->irq[t].enabled)
			pending |= 1 << t;
	return pending & ~v->vmm_active;
}

/*
 * The virtual CPU interface signals an interrupt.  All have one priority, so
 * none while one is in service.
 */
bool kt_virq(const struct kt_machine *m, const struct kt_mvcpu *v)
{
	if (v->in_service)
		return false;
	if (!kt_in_kernel(m))
		return kt_vmm_pending(v) != 0;
	for (unsigned int i = 0; i < KT_MACHINE_TIMERS; i++)
		if (v->lr[i].state & KT_MLR_PENDING)
			return true;
	return false;
}

/* ---- the guest at its interrupt controller ---- */

/* An access to the VMM's GIC: an exit to user space, which answers and comes back. */
static void vmm_ack(const struct kt_ctx *c)
{
	__u8 pending;
	unsigned int t;

	kt_guest_exit(c, KT_EXIT_TRAP, ESR_READ);
	kt_to_vmm(c, KVM_EXIT_MMIO, 0);
	pending = c->v->in_service ? 0 : kt_vmm_pending(c->v);
	t = pending >> KT_VTIMER & 1 ? KT_VTIMER : pending ? KT_PTIMER : KT_TIMER_NONE;
	if (t != KT_TIMER_NONE) {
		c->v->vmm_active |= 1 << t;
		c->v->in_service |= 1 << t;
	}
	kt_watch_ack(c, t);
}

static int ack(const struct kt_ctx *c)
{
	if (!c->v->vectored && !kt_virq(c->m, c->v))
		return -EPERM;
	c->v->vectored = 0;
	if (!kt_in_kernel(c->m)) {
		vmm_ack(c);
		return 0;
	}
	for (unsigned int i = 0; i < KT_MACHINE_TIMERS && kt_virq(c->m, c->v); i++) {
		struct kt_mlr *lr = &c->v->lr[i];

		if (!(lr->state & KT_MLR_PENDING))
			continue;
		lr->state = KT_MLR_ACTIVE;
		c->v->in_service |= 1 << lr->timer;
		kt_watch_ack(c, lr->timer);
		return 0;
	}
	kt_watch_ack(c, KT_TIMER_NONE);
	return 0;
}

/*
 * Priority drop and deactivation in one (EOImode 0).  With the HW bit the
 * physical interrupt is deactivated too, and its timer may fire again; an
 * emulated level asks for a maintenance interrupt instead.
 */
static int eoi(const struct kt_ctx *c, unsigned int t)
{
	struct kt_mlr *lr = kt_vgic_find_lr(c->v, t);

	if (!(c->v->in_service >> t & 1))
		return -EPERM;
	c->v->in_service &= ~(1 << t);
	if (!kt_in_kernel(c->m)) {
		c->v->vmm_active &= ~(1 << t);
		kt_guest_exit(c, KT_EXIT_TRAP, ESR_WRITE);
		kt_to_vmm(c, KVM_EXIT_MMIO, 0);
		return 0;
	}
	if (!lr || !(lr->state & KT_MLR_ACTIVE))
		return 0;
	lr->state &= ~KT_MLR_ACTIVE;
	if (lr->hw)
		c->cpu->active[t] = 0;
	else
		kt_guest_exit(c, KT_EXIT_IRQ, 0);
	return 0;
}

static int distributor(const struct kt_ctx *c, struct kt_step s)
{
	int err = 0;

	/* Before 4.7 a disabled interrupt is moved back from its LR: not modelled. */
	if (kt_per_entry(c->m))
		return -EPERM;
	if (s.op == KT_OP_SET_PENDING && c->m->semantics != KT_SEM_MAPPED)
		return -EPERM;
	kt_guest_exit(c, KT_EXIT_TRAP, ESR_WRITE);
	if (!kt_in_kernel(c->m)) {
		kt_to_vmm(c, KVM_EXIT_MMIO, 0);
		c->v->irq[s.timer].enabled = s.op == KT_OP_IRQ_ENABLE;
		return 0;
	}
	if (s.op == KT_OP_SET_PENDING)
		err = kt_vgic_set_pending(c, s.timer);
	else
		err = kt_vgic_enable(c, s.timer, s.op == KT_OP_IRQ_ENABLE);
	return err;
}

/* ---- acts ---- */

static void wfi(const struct kt_ctx *c)
{
	kt_guest_exit(c, KT_EXIT_TRAP, ESR_WFI);
	kt_emit_wfx(c);
	c->v->where = KT_IN_BLOCK;
	kt_timer_blocking(c);
}

static void write_timer(const struct kt_ctx *c, struct kt_step s)
{
	bool soft = kt_emulated(c->m, s.timer);
	__u8 ctl = soft ? c->v->timer[s.timer].ctl : c->cpu->ctl[s.timer];
	__u8 cval = soft ? c->v->timer[s.timer].cval : c->cpu->cval[s.timer];

	switch (s.op) {
	case KT_OP_PROGRAM:
		cval = s.arg;
		kt_emit_programmed(c, s.timer, cval);
		break;
	case KT_OP_ENABLE:
		ctl |= KT_CTL_ENABLE;
		break;
	case KT_OP_DISABLE:
		ctl &= ~KT_CTL_ENABLE;
		break;
	case KT_OP_IMASK:
		ctl |= KT_CTL_IMASK;
		break;
	case KT_OP_UNIMASK:
		ctl &= ~KT_CTL_IMASK;
		break;
	}
	kt_timer_guest_write(c, s.timer, ctl, cval);
}

int kt_guest_step(const struct kt_ctx *c, struct kt_step s)
{
	if (c->v->where != KT_IN_GUEST)
		return -EPERM;
	switch (s.op) {
	case KT_OP_PROGRAM:
	case KT_OP_ENABLE:
	case KT_OP_DISABLE:
	case KT_OP_IMASK:
	case KT_OP_UNIMASK:
		write_timer(c, s);
		break;
	case KT_OP_MASK:
		c->v->masked = 1;
		break;
	case KT_OP_UNMASK:
		/* The handler reads IAR before it returns. */
		if (c->v->vectored)
			return -EPERM;
		c->v->masked = 0;
		break;
	case KT_OP_ACK:
		return ack(c);
	case KT_OP_EOI:
		return eoi(c, s.timer);
	case KT_OP_HVC:
		kt_guest_exit(c, KT_EXIT_TRAP, ESR_HVC);
		break;
	case KT_OP_MMIO:
		kt_guest_exit(c, KT_EXIT_TRAP, ESR_WRITE);
		kt_to_vmm(c, KVM_EXIT_MMIO, 0);
		break;
	case KT_OP_WFI:
		wfi(c);
		break;
	case KT_OP_TICK:
		kt_guest_exit(c, KT_EXIT_IRQ, 0);
		break;
	default:
		return distributor(c, s);
	}
	return 0;
}
