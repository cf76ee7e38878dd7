/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this tool would have recorded of a kernel of the era, event by event in
 * the order seen in the lab (VHE unless the ptimer is emulated).  Where an old
 * kernel has no tracepoint (4.3 has none, save and restore are traced since
 * 5.2), the event that the same function would give stands in for it.
 */
#include <string.h>

#include "machine_private.h"

#define EVENT_NS 200		/* between two events */
#define DUE_NS 10000000		/* CVAL in the future, when nobody says how far */
#define FAR_NS 3600000000000ull
#define KVM_KEY 0xa0
#define IRQ_ACTIVE 1		/* IRQCHIP_STATE_ACTIVE */

/* Guest PPI and the host's Linux interrupt behind it, by enum kt_timer */
static const __u32 ppi[KT_TIMER_NR] = { 30, 27, 28, 26 };
static const __u32 host_irq[KT_TIMER_NR] = { 11, 12, 12, 11 };

void kt_machine_out_init(struct kt_machine_out *out)
{
	memset(out, 0, sizeof(*out));
	out->ts_ns = 1000000;
}

void kt_machine_ident(const struct kt_machine *m, unsigned int vcpu, struct kt_ident *id)
{
	memset(id, 0, sizeof(*id));
	id->kvm = KVM_KEY;
	id->vcpu = 0xc0 + 0x10 * vcpu;
	id->who = 1 + vcpu;
	id->vm_gen = 1;
	id->tgid = 100;
	id->tid = 101 + vcpu;
	id->vcpu_id = id->vcpu_idx = vcpu;
	memcpy(id->irq, ppi, sizeof(id->irq));
	memcpy(id->host_irq, host_irq, sizeof(id->host_irq));
	if (m->emulated)
		id->host_irq[KT_PTIMER] = 0;
	memcpy(id->comm, "machine/0", 10);
	id->comm[8] = (char)('0' + vcpu);
	id->vgic = !kt_in_kernel(m) ? 0 : kt_per_entry(m) ? 2 : 3;
}

/* NULL when nobody listens. */
static struct kt_event *start(const struct kt_ctx *c, struct kt_event *ev, __u8 kind, __u8 sub)
{
	if (!c->out)
		return NULL;
	memset(ev, 0, sizeof(*ev));
	c->out->ts_ns += EVENT_NS;
	ev->ts_ns = c->out->ts_ns;
	ev->who = 1 + c->vcpu;
	ev->kind = kind;
	ev->sub = sub;
	ev->pcpu = c->v->cpu;
	return ev;
}

static void emit(const struct kt_ctx *c, const struct kt_event *ev)
{
	if (c->out->event)
		c->out->event(c->out->arg, ev);
}

void kt_emit_level(const struct kt_ctx *c, __u8 kind, unsigned int t, __u8 at, bool level)
{
	struct kt_event ev;

	if (!start(c, &ev, kind, KT_SUB(t, at)))
		return;
	ev.level.irq = ppi[t];
	ev.level.traced_vcpu = kind == KT_EV_WIRE ? 0 : c->vcpu;
	ev.level.level = level;
	emit(c, &ev);
}

void kt_emit_map(const struct kt_ctx *c, __u8 at)
{
	struct kt_event ev;

	if (!start(c, &ev, KT_EV_MAP, KT_SUB(KT_TIMER_NONE, at)))
		return;
	ev.map.vcpu_id = c->vcpu;
	ev.map.direct_vtimer = ev.map.direct_ptimer = -1;
	ev.map.emul_vtimer = ev.map.emul_ptimer = -1;
	if (at == KT_AT_TASK) {
		ev.map.direct_vtimer = KT_VTIMER;
		if (kt_emulated(c->m, KT_PTIMER))
			ev.map.emul_ptimer = KT_PTIMER;
		else
			ev.map.direct_ptimer = KT_PTIMER;
	}
	emit(c, &ev);
}

static __u32 tell_offset(const struct kt_ctx *c, unsigned int t)
{
	__u8 *told = &c->out->told_offset[c->vcpu];
	struct kt_event ev;

	if (!(*told >> t & 1)) {
		*told |= 1 << t;
		start(c, &ev, KT_EV_OFFSET, KT_SUB(t, 0));
		ev.offset.offset_gen = 1 + (t == KT_PTIMER);
		emit(c, &ev);
	}
	return 1 + (*told >> KT_PTIMER & 1);
}

void kt_emit_regs(const struct kt_ctx *c, __u8 kind, unsigned int t, __u8 ctl, __u8 cval, __u8 flags)
{
	struct kt_event ev;
	__u32 gen;

	(void)cval;
	if (!c->out)
		return;
	gen = tell_offset(c, t);
	start(c, &ev, kind, KT_SUB(t, 0));
	ev.regs.cval_ticks = c->out->cval_ticks[c->vcpu][t];
	ev.regs.ctl = ctl;
	ev.regs.flags = flags;
	ev.regs.offset_gen = gen;
	emit(c, &ev);
	if (t == KT_VTIMER && kind == KT_EV_SAVE)
		c->out->saw[c->vcpu].saves++;
	else if (t == KT_VTIMER)
		c->out->saw[c->vcpu].restores++;
}

/* The guest's write is not traced; its time is needed for CVAL. */
void kt_emit_programmed(const struct kt_ctx *c, unsigned int t, __u8 cval)
{
	uint64_t *ticks;

	if (!c->out)
		return;
	ticks = &c->out->cval_ticks[c->vcpu][t];
	if (cval == KT_CVAL_PAST)
		*ticks = c->out->ts_ns - EVENT_NS;
	else if (cval == KT_CVAL_FAR)
		*ticks = c->out->ts_ns + FAR_NS;
	else
		*ticks = c->out->ts_ns + (c->out->due_ns ? c->out->due_ns : DUE_NS);
}

void kt_emit_time(const struct kt_ctx *c, unsigned int t)
{
	if (c->out && c->out->ts_ns < c->out->cval_ticks[c->vcpu][t])
		c->out->ts_ns = c->out->cval_ticks[c->vcpu][t];
}

unsigned int kt_machine_next_due(const struct kt_machine *m, const struct kt_machine_out *out,
				 unsigned int *vcpu)
{
	unsigned int found = KT_TIMER_NONE;
	uint64_t first = UINT64_MAX;

	for (unsigned int i = 0; i < m->nr_vcpus; i++) {
		const struct kt_mvcpu *v = &m->vcpu[i];

		for_each_timer(t) {
			const struct kt_mtimer *x = &v->timer[t];
			__u8 cval = x->loaded ? m->cpu[v->cpu].cval[t] : x->cval;

			if (cval != KT_CVAL_SOON || out->cval_ticks[i][t] >= first)
				continue;
			first = out->cval_ticks[i][t];
			*vcpu = i;
			found = t;
		}
	}
	return found;
}

static __u64 lr_word(const struct kt_ctx *c, const struct kt_mlr *lr)
{
	__u64 irq = ppi[lr->timer], word;

	if (kt_per_entry(c->m))	/* GICv2, priority 0xa0 */
		return 0x8a000000 | irq << 10 | irq | (__u64)lr->state << 28;
	word = (__u64)lr->state << 62 | 1ull << 60 | irq;
	if (lr->hw)
		return word | 1ull << 61 | irq << 32;
	return word | 1ull << 41;	/* EOI maintenance */
}

static __u16 irq_state(const struct kt_ctx *c, unsigned int t)
{
	const struct kt_mirq *irq = &c->v->irq[t];
	__u16 state = 0;

	if (irq->line_level)
		state |= KT_LR_LINE;
	if (irq->pending_latch || (c->m->semantics == KT_SEM_EDGE && irq->pending))
		state |= KT_LR_LATCH;
	if (irq->active)
		state |= KT_LR_ACTIVE;
	if (irq->enabled)
		state |= KT_LR_ENABLED;
	if (!kt_emulated(c->m, t))
		state |= KT_LR_HW;
	return kt_per_entry(c->m) ? state : state | KT_LR_GROUP1;
}

static void emit_lr(const struct kt_ctx *c, unsigned int t, __u8 at, unsigned int used)
{
	__u8 *open = &c->out->lr_open[c->vcpu];
	struct kt_mlr *lr = kt_vgic_find_lr(c->v, t);
	struct kt_event ev;

	/* As the recorder does: empty again and again is not worth an event. */
	if (!lr && !(*open >> t & 1))
		return;
	start(c, &ev, KT_EV_LR, KT_SUB(t, at));
	if (at != KT_AT_FOLD_IN)
		ev.lr.state = irq_state(c, t);
	if (kt_per_entry(c->m))
		ev.lr.state |= KT_LR_V2;
	ev.lr.used = used;
	if (lr) {
		ev.lr.state |= KT_LR_PRESENT;
		ev.lr.lr = lr_word(c, lr);
		ev.lr.lr_idx = lr - c->v->lr;
		*open |= 1 << t;
	} else if (at == KT_AT_FLUSH) {
		*open &= ~(1 << t);
	}
	emit(c, &ev);
}

void kt_emit_lrs(const struct kt_ctx *c, __u8 at)
{
	if (!c->out || (!c->v->used_lrs && !c->out->lr_open[c->vcpu]))
		return;
	for_each_timer(t)
		if (kt_exists(c->m, t))
			emit_lr(c, t, at, at == KT_AT_FOLD_OUT ? 0 : c->v->used_lrs);
}

void kt_emit_run(const struct kt_ctx *c, __u8 kind, __u8 code, __u32 esr)
{
	struct kt_event ev;

	if (!start(c, &ev, kind, KT_SUB(KT_TIMER_NONE, 0)))
		return;
	ev.run.pc = 0x80000000;
	if (kind == KT_EV_EXIT) {
		ev.run.code = code;
		ev.run.esr = esr;
		ev.run.flags = KT_RUN_DAIF;
		if (esr && esr >> 26 != 0x16)
			ev.run.flags |= KT_RUN_ESR;
		ev.run.daif = c->v->masked ? 0xf : 0xd;
	}
	emit(c, &ev);
}

void kt_emit_phys_active(const struct kt_ctx *c, unsigned int t, bool active)
{
	struct kt_event ev;

	if (!start(c, &ev, KT_EV_IRQCHIP, KT_SUB(t, 0)))
		return;
	ev.irqchip.host_irq = host_irq[t];
	ev.irqchip.which = IRQ_ACTIVE;
	ev.irqchip.val = active;
	emit(c, &ev);
}

void kt_emit_soft(const struct kt_ctx *c, __u8 kind, unsigned int t)
{
	struct kt_event ev;

	if (!start(c, &ev, kind, KT_SUB(t, KT_AT_SOFT_TIMER)))
		return;
	ev.hrtimer.ptr = 0xd0 + 0x10 * c->vcpu + (kind == KT_EV_BG_EXPIRE);
	ev.hrtimer.expires_ns = ev.ts_ns - EVENT_NS;
	emit(c, &ev);
}

void kt_emit_emulate(const struct kt_ctx *c, unsigned int t, bool should_fire)
{
	struct kt_event ev;

	if (!start(c, &ev, KT_EV_EMULATE, KT_SUB(t, 0)))
		return;
	ev.emulate.should_fire = should_fire;
	emit(c, &ev);
}

void kt_emit_wfx(const struct kt_ctx *c)
{
	struct kt_event ev;

	if (!start(c, &ev, KT_EV_WFX, KT_SUB(KT_TIMER_NONE, 0)))
		return;
	ev.wfx.pc = 0x80000000;
	emit(c, &ev);
	c->out->block_ns[c->vcpu] = ev.ts_ns;
}

void kt_emit_wakeup(const struct kt_ctx *c, bool waited)
{
	struct kt_event ev;

	if (!start(c, &ev, KT_EV_WAKEUP, KT_SUB(KT_TIMER_NONE, 0)))
		return;
	ev.wakeup.wait_ns = ev.ts_ns - c->out->block_ns[c->vcpu];
	ev.wakeup.waited = waited;
	ev.wakeup.valid = 1;
	emit(c, &ev);
}

void kt_emit_user_exit(const struct kt_ctx *c, __u32 reason, __s32 err)
{
	struct kt_event ev;

	if (!start(c, &ev, KT_EV_USER_EXIT, KT_SUB(KT_TIMER_NONE, 0)))
		return;
	ev.user_exit.reason = reason;
	ev.user_exit.err = err;
	if (!kt_in_kernel(c->m)) {
		ev.user_exit.device_irq_level = c->v->device_irq_level;
		ev.user_exit.flags = KT_USER_EXIT_LEVEL;
	}
	emit(c, &ev);
}
