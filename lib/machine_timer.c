/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timer's half of KVM: virt/kvm/arm/arch_timer.c up to 5.x, then
 * arch/arm64/kvm/arch_timer.c.  Three generations live side by side here:
 *
 *   per entry (4.3, 4.4)	flush and sync around every world switch
 *   lazy (4.15)		load and put, schedule and unschedule
 *   today (from 5.2)		load and put with a timer map; the fold asks for the level
 */
#include "machine_private.h"

#define CTL_ON(ctl) (((ctl) & (KT_CTL_ENABLE | KT_CTL_IMASK)) == KT_CTL_ENABLE)

static bool fault(const struct kt_ctx *c, enum kt_fault f)
{
	return c->m->fault == f;
}

static bool direct(const struct kt_ctx *c, unsigned int t)
{
	return kt_exists(c->m, t) && !kt_emulated(c->m, t);
}

/* kvm_timer_irq_can_fire; in 4.3 an interrupt already signalled cannot be signalled again. */
static bool can_fire(const struct kt_ctx *c, unsigned int t)
{
	const struct kt_mtimer *x = &c->v->timer[t];

	if (c->m->semantics == KT_SEM_EDGE && x->map_active)
		return false;
	return CTL_ON(x->loaded ? c->cpu->ctl[t] : x->ctl) &&
	       (x->loaded ? c->cpu->cval[t] : x->cval) != KT_CVAL_FAR;
}

bool kt_timer_should_fire(const struct kt_ctx *c, unsigned int t)
{
	const struct kt_mtimer *x = &c->v->timer[t];

	return can_fire(c, t) && (x->loaded ? c->cpu->cval[t] : x->cval) == KT_CVAL_PAST;
}

/* The level becomes known to whoever is the guest's interrupt controller. */
static void kvm_timer_update_irq(const struct kt_ctx *c, unsigned int t, bool level, __u8 at)
{
	c->v->timer[t].level = level;
	kt_emit_level(c, KT_EV_UPDATE_IRQ, t, at, level);
	if (!kt_in_kernel(c->m))
		return;
	kt_emit_level(c, KT_EV_VGIC_UPDATE, t, at, level);
	if (kt_per_entry(c->m))
		kt_old_vgic_inject(c, t, level);
	else
		kt_vgic_inject(c, t, level);
}

static void set_phys_active(const struct kt_ctx *c, unsigned int t, bool active)
{
	if (!active && fault(c, KT_FAULT_LOST))
		active = c->cpu->active[t];
	if (fault(c, KT_FAULT_PROGRESS))
		active = false;
	c->cpu->active[t] = active;
	kt_emit_phys_active(c, t, active);
}

/* ---- registers in and out of the hardware ---- */

static void timer_restore_state(const struct kt_ctx *c, unsigned int t)
{
	struct kt_mtimer *x = &c->v->timer[t];

	if (x->loaded)
		return;
	/* ISTATUS is read-only; the copy has it as it was at the save, and that is traced. */
	c->cpu->ctl[t] = x->ctl & ~KT_CTL_ISTATUS;
	c->cpu->cval[t] = x->cval;
	x->loaded = 1;
	kt_emit_regs(c, KT_EV_RESTORE, t, x->ctl, x->cval, 0);
	x->ctl = x->cval = 0;
}

static void timer_save_state(const struct kt_ctx *c, unsigned int t, __u8 flags)
{
	struct kt_mtimer *x = &c->v->timer[t];
	if (!x->loaded)
		return;
	x->ctl = c->cpu->ctl[t];
	x->cval = c->cpu->cval[t];
	x->loaded = 0;
	c->cpu->ctl[t] = c->cpu->cval[t] = 0;	/* the disabled timer drives its line low */
	if (x->ctl & KT_CTL_ENABLE && x->cval == KT_CVAL_PAST)
		x->ctl |= KT_CTL_ISTATUS;
	kt_emit_regs(c, KT_EV_SAVE, t, x->ctl, x->cval, flags);
}

/* Up to 4.14 the hypervisor's world switch does this at every entry and exit. */
void kt_timer_world_switch(const struct kt_ctx *c, bool to_guest)
{
	if (to_guest)
		timer_restore_state(c, KT_VTIMER);
	else
		timer_save_state(c, KT_VTIMER, 0);
}

/* ---- 4.3 and 4.4: around every entry ---- */

/* 4.3: expiry is an edge.  map->active remembers it until the guest's EOI. */
static void kvm_timer_inject_irq(const struct kt_ctx *c)
{
	c->v->timer[KT_VTIMER].map_active = 1;
	kvm_timer_update_irq(c, KT_VTIMER, true, KT_AT_TASK);
}

/* 4b4b4512da2a: the output is remembered, and only a change is told. */
static void kvm_timer_update_state(const struct kt_ctx *c)
{
	bool should_fire = kt_timer_should_fire(c, KT_VTIMER);
	bool level = c->v->timer[KT_VTIMER].level;

	if (c->m->semantics == KT_SEM_EDGE) {
		if (should_fire)
			kvm_timer_inject_irq(c);
		return;
	}
	kt_emit_level(c, KT_EV_WIRE, KT_VTIMER, KT_AT_PENDING, should_fire);
	if (!should_fire && fault(c, KT_FAULT_LATE))
		return;
	if (should_fire != level)
		kvm_timer_update_irq(c, KT_VTIMER, !level, KT_AT_TASK);
}

void kt_timer_flush_hwstate(const struct kt_ctx *c)
{
	const struct kt_mtimer *x = &c->v->timer[KT_VTIMER];

	kvm_timer_update_state(c);
	/*
	 * cff9211eb1a1: as long as the guest has been signalled the hardware need
	 * not; 4b4b4512da2a: as long as the line is up.  Its first version left
	 * this to the vgic.
	 */
	if (c->m->semantics == KT_SEM_EDGE)
		set_phys_active(c, KT_VTIMER, x->map_active);
	else if (c->m->semantics == KT_SEM_LEVEL)
		set_phys_active(c, KT_VTIMER, x->level);
}

/* ---- 4.15 ---- */

/* b103cc3f10c0: lower the line if the guest has turned its timer off since it was raised. */
static void sync_lazy(const struct kt_ctx *c)
{
	if (!c->v->timer[KT_VTIMER].level)
		return;
	kt_emit_level(c, KT_EV_WIRE, KT_VTIMER, KT_AT_PENDING, kt_timer_should_fire(c, KT_VTIMER));
	if (kt_timer_should_fire(c, KT_VTIMER) || fault(c, KT_FAULT_LATE))
		return;
	kvm_timer_update_irq(c, KT_VTIMER, false, KT_AT_TASK);
	/* Disabled without an acknowledge: nobody else will deactivate it (unmask_vtimer_irq). */
	if (!c->v->irq[KT_VTIMER].active)
		set_phys_active(c, KT_VTIMER, false);
}

/* ---- user space irqchip: kvm_timer_sync_user, at every exit, the vtimer only ---- */

static void sync_user(const struct kt_ctx *c)
{
	if (kt_timer_should_fire(c, KT_VTIMER))
		return;
	kvm_timer_update_irq(c, KT_VTIMER, false, KT_AT_TASK);
	set_phys_active(c, KT_VTIMER, false);
}

void kt_timer_sync_hwstate(const struct kt_ctx *c)
{
	switch (c->m->semantics) {
	case KT_SEM_EDGE:
	case KT_SEM_LEVEL:
	case KT_SEM_LEVEL_SYNC_CLEAR:
		kvm_timer_update_state(c);
		break;
	case KT_SEM_LAZY:
		sync_lazy(c);
		break;
	case KT_SEM_USERSPACE:
		sync_user(c);
		break;
	}
}

static bool user_bit(const struct kt_ctx *c, unsigned int t)
{
	return c->v->device_irq_level >> (t == KT_PTIMER) & 1;
}

/* What user space is told is the timer's output at that moment, not the level last published. */
static bool user_level(const struct kt_ctx *c, unsigned int t)
{
	return kt_timer_should_fire(c, t) || (user_bit(c, t) && fault(c, KT_FAULT_LATE));
}

/* d9e1397783765: a level that user space does not know of stops the entry. */
bool kt_timer_should_notify_user(const struct kt_ctx *c)
{
	if (kt_in_kernel(c->m) || fault(c, KT_FAULT_NOTIFY))
		return false;
	for_each_timer(t)
		if (user_level(c, t) != user_bit(c, t))
			return true;
	return false;
}

/* Always after the run loop, so that any exit carries the levels. */
void kt_timer_update_run(const struct kt_ctx *c)
{
	c->v->device_irq_level = user_level(c, KT_VTIMER) | user_level(c, KT_PTIMER) << 1;
}

/* ---- load and put ---- */

/*
 * From 5.2 (bee038a67487) each load publishes the level of every direct timer,
 * changed or not, and makes the physical active state what the guest needs.
 */
static void kvm_timer_vcpu_load_gic(const struct kt_ctx *c, unsigned int t)
{
	kvm_timer_update_irq(c, t, kt_timer_should_fire(c, t), KT_AT_TASK);
	set_phys_active(c, t, c->v->timer[t].level || (kt_in_kernel(c->m) && c->v->irq[t].active));
}

/* Publishes only a change; a soft timer stands for the hardware that is not there. */
static void timer_emulate(const struct kt_ctx *c, unsigned int t)
{
	bool should_fire = kt_timer_should_fire(c, t);

	kt_emit_emulate(c, t, should_fire);
	if (should_fire != c->v->timer[t].level)
		kvm_timer_update_irq(c, t, should_fire, KT_AT_TASK);
	c->v->hrtimer_armed = !should_fire && can_fire(c, t);
}

void kt_timer_vcpu_load(const struct kt_ctx *c)
{
	const struct kt_machine *m = c->m;

	if (kt_per_entry(m))
		return;
	if (m->semantics == KT_SEM_LAZY) {
		/* kvm_timer_vcpu_load_vgic: the level is as old as the last sync. */
		set_phys_active(c, KT_VTIMER, c->v->timer[KT_VTIMER].level ||
				c->v->irq[KT_VTIMER].active);
		timer_restore_state(c, KT_VTIMER);
		return;
	}
	kt_emit_map(c, KT_AT_TASK);
	for_each_timer(t)
		if (direct(c, t))
			kvm_timer_vcpu_load_gic(c, t);
	c->v->bg_armed = 0;
	for_each_timer(t)
		if (direct(c, t))
			timer_restore_state(c, t);
	for_each_timer(t)
		if (kt_emulated(m, t))
			timer_emulate(c, t);
}

static void start_bg_timer(const struct kt_ctx *c)
{
	for_each_timer(t)
		if (can_fire(c, t) && !fault(c, KT_FAULT_WAKE))
			c->v->bg_armed = 1;
}

void kt_timer_vcpu_put(const struct kt_ctx *c, __u8 flags)
{
	if (kt_per_entry(c->m))
		return;
	if (c->m->semantics != KT_SEM_LAZY)
		kt_emit_map(c, KT_AT_TASK);
	for_each_timer(t)
		timer_save_state(c, t, flags);
	c->v->hrtimer_armed = 0;
	if (c->m->semantics == KT_SEM_LAZY || !(flags & KT_SAVE_BLOCKING))
		return;
	kt_emit_map(c, KT_AT_TASK);	/* kvm_timer_blocking looks again */
	start_bg_timer(c);
}

/*
 * kvm_timer_schedule and _unschedule, up to 5.1: called around kvm_vcpu_block
 * whether or not it comes to schedule(); `loaded` makes each save and restore
 * happen once, whichever of the two pairs gets there first (b103cc3f10c0).
 * Later kernels do this in put, for a vCPU that blocks.
 */
void kt_timer_blocking(const struct kt_ctx *c)
{
	if (c->m->semantics > KT_SEM_LAZY)
		return;
	if (c->m->semantics == KT_SEM_LAZY)
		timer_save_state(c, KT_VTIMER, KT_SAVE_BLOCKING);
	if (!kt_timer_should_fire(c, KT_VTIMER))
		start_bg_timer(c);
}

void kt_timer_unblocking(const struct kt_ctx *c)
{
	if (c->m->semantics > KT_SEM_LAZY)
		return;
	if (c->m->semantics == KT_SEM_LAZY)
		timer_restore_state(c, KT_VTIMER);
	c->v->bg_armed = 0;
}

/* A timer that should fire keeps its vCPU from sleeping: kvm_cpu_has_pending_timer. */
bool kt_timer_is_pending(const struct kt_ctx *c)
{
	for_each_timer(t)
		if (kt_timer_should_fire(c, t) ||
		    (c->m->semantics == KT_SEM_LAZY && c->v->timer[t].level))
			return true;
	return false;
}

/* ---- interrupts of the host ---- */

/*
 * kvm_arch_timer_handler.  The GIC driver only drops the priority of an
 * interrupt forwarded to a vCPU (EOImode 1), so it stays active and silent
 * until the guest deactivates it.  Up to 4.14 this never runs: the world
 * switch has turned the timer off before interrupts are taken.
 */
void kt_timer_handler(const struct kt_ctx *c, unsigned int t)
{
	c->cpu->active[t] = !fault(c, KT_FAULT_PROGRESS);
	if (c->m->semantics == KT_SEM_LAZY) {
		/* 36e5cfd410ad: a late interrupt of a timer that is off says nothing. */
		if (!c->v->timer[t].level && kt_timer_should_fire(c, t))
			kvm_timer_update_irq(c, t, true, KT_AT_HOST_IRQ);
		return;
	}
	kt_emit_map(c, KT_AT_HOST_IRQ);
	if (kt_timer_should_fire(c, t))
		kvm_timer_update_irq(c, t, true, KT_AT_HOST_IRQ);
}

/* kvm_hrtimer_expire: the emulated timer's own soft timer. */
void kt_timer_hrtimer_expire(const struct kt_ctx *c, unsigned int t)
{
	c->v->hrtimer_armed = 0;
	kt_emit_soft(c, KT_EV_HRTIMER_EXPIRE, t);
	kvm_timer_update_irq(c, t, true, KT_AT_SOFT_TIMER);
}

/* ---- the guest ---- */

void kt_timer_guest_write(const struct kt_ctx *c, unsigned int t, __u8 ctl, __u8 cval)
{
	struct kt_mtimer *x = &c->v->timer[t];
	bool was = kt_machine_wire(c->m, c->vcpu, t);

	if (!kt_emulated(c->m, t)) {
		c->cpu->ctl[t] = ctl;
		c->cpu->cval[t] = cval;
		kt_watch_wire(c, t, was);
		return;
	}
	/* Trapped: fc6ee952cf00 looks at this timer only. */
	kt_guest_exit(c, KT_EXIT_TRAP, 0x6232f805);
	c->v->hrtimer_armed = 0;
	x->ctl = ctl;
	x->cval = cval;
	kt_watch_wire(c, t, was);
	kt_emit_map(c, KT_AT_TASK);
	timer_emulate(c, t);
}
