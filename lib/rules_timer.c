/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps about the timer: what KVM publishes, and the registers it moves. */
#include "rules_private.h"

/* ---- what is published ---- */

/*
 * Emulated timers compare with the cached level before they publish (until the
 * cache went in 7.2).  Resets write 0 to all and come without an evaluation.
 * Before 5.2 (no timer maps) every timer is held to it: kvm_timer_update_state.
 */
void kt_step_change_only(struct at *a)
{
	bool emulated = a->t->role == ROLE_EMULATED && a->t->just_evaluated && a->r->level_cache;
	/* No timer map is a kernel before 5.2, or a capture without its tracepoint. */
	bool by_state = a->r->no_maps && !a->r->maps_seen && !a->r->foreign && a->v->ran && !a->v->reset_ns;

	if (context(a->ev) != KT_AT_TASK)
		return;
	/* A trapped access evaluates with preemption enabled: what it then publishes is of before. */
	if (a->t->cut_short)
		return;
	if (a->t->role == ROLE_EMULATED && !a->t->just_evaluated && a->t->evaluated != NO_LEVEL &&
	    !a->v->reset_ns && a->r->maps_seen) {
		kt_broke(a, a->t->evaluated_ns, "the level of an emulated timer was published without an evaluation");
		return;
	}
	if (a->t->line == NO_LEVEL || !(emulated || by_state))
		return;
	judge(a, a->t->line != a->ev->level.level, a->t->published_ns,
	      "the level was published again without a change");
}

static void close_one(struct at *a, struct pending_pair *p)
{
	if (!p->open)
		return;
	p->open = false;
	if (a->r->vgic_updates_seen && a->v->ran)
		kt_broke(a, p->ns, "a level was published and the vgic was not told");
}

static void close_pair(struct at *a, unsigned int at)
{
	close_one(a, &a->v->pair[at]);
}

static bool is_told(const struct pending_pair *p, const struct kt_event *ev)
{
	return p->irq == ev->level.irq && p->level == ev->level.level;
}

/*
 * kvm_timer_update_irq injects at once, in the same context.  Ticks may fall between the
 * two, and where a trapped access is preempted there a put and a load.
 */
void kt_step_pairing(struct at *a)
{
	unsigned int at = context(a->ev);

	if (user_irqchip(a->v)) {
		if (a->ev->kind == KT_EV_VGIC_UPDATE)
			kt_broke(a, a->ev->ts_ns, "a vgic was told although the VM has none");
		else if (a->ev->kind == KT_EV_UPDATE_IRQ)
			held(a);
		return;
	}
	if (!kernel_vgic(a->v))
		return;
	switch (a->ev->kind) {
	case KT_EV_UPDATE_IRQ:
		close_pair(a, at);
		return;
	case KT_EV_VGIC_UPDATE: {
		const struct pending_pair *p = &a->v->pair[at];

		if (p->open)
			judge(a, is_told(p, a->ev), p->ns,
			      "the vgic was told another interrupt or level than was published");
		else if (at == KT_AT_TASK && a->v->cut.open && is_told(&a->v->cut, a->ev))
			held(a);
		else if (a->v->ran && a->v->in_guest != NO_LEVEL)
			kt_broke(a, a->ev->ts_ns, "the vgic was told a level that nobody published");
		return;
	}
	case KT_EV_MAP:
		/* A handler's map ends what an earlier handler began, not what it interrupts. */
		if (at != KT_AT_TASK)
			close_pair(a, at);
		return;
	case KT_EV_SAVE:
		if (!puts_by_preemption(a))
			close_pair(a, KT_AT_TASK);
		return;
	case KT_EV_EXIT:
		close_pair(a, KT_AT_HOST_IRQ);
		return;
	case KT_EV_ENTRY:
		close_pair(a, KT_AT_HOST_IRQ);
		close_one(a, &a->v->cut);
		break;
	}
	close_pair(a, KT_AT_TASK);
}

/* The vgic's number is an index since 6.7 and the vcpu_id, used as an index, before (9a0a75d3ccee). */
void kt_step_target(struct at *a)
{
	const struct kt_ident *id = &a->v->id;
	bool vgic = a->ev->kind == KT_EV_VGIC_UPDATE;

	if (!id->who)
		return;
	if (vgic && id->vcpu_idx != UINT32_MAX)
		judge(a, a->ev->level.traced_vcpu == id->vcpu_idx, a->ev->ts_ns,
		      "the vgic was told about another vCPU than the timer's");
	else if (!vgic && id->vcpu_id != UINT32_MAX)
		judge(a, a->ev->level.traced_vcpu == id->vcpu_id, a->ev->ts_ns,
		      "published for another vCPU than the timer's");
	if (a->timer < KT_TIMER_NR && id->irq[a->timer])
		judge(a, a->ev->level.irq == id->irq[a->timer], a->ev->ts_ns,
		      "another interrupt than the timer's");
}

/* ---- registers ---- */

/* A publication of this load, and the registers that then enter the hardware. */
void kt_step_load_coherence(struct at *a)
{
	const struct kt_regs *r = &a->ev->regs;
	const struct rule_timer *t = a->t;

	if (!t->map_since || t->regs != REGS_SAVED)
		return;
	if (t->load_level == NO_LEVEL) {
		kt_broke(a, a->v->map_ns, "loaded without publishing a level");
		return;
	}
	if (t->load_level) {
		judge(a, can_fire(r->ctl), t->published_ns,
		      "published high, but the timer is off or masked");
		return;
	}
	judge(a, !(fires(r->ctl) && t->saved_known && r->ctl == t->saved_ctl &&
		   r->cval_ticks == t->saved_cval_ticks && r->offset_gen == t->saved_offset_gen),
	      t->saved_ns, "published low, but the timer had fired before it was saved and nothing changed it");
}

void kt_step_rise_before_leave(struct at *a)
{
	struct rule_timer *t = a->t;

	switch (a->ev->kind) {
	case KT_EV_SAVE:
		if (fires(a->ev->regs.ctl) && t->line == 1)
			held(a);
		return;
	case KT_EV_UPDATE_IRQ:
		/* It rose after the last window in which its interrupt could be taken. */
		if (t->owe_rise && a->ev->level.level)
			legal(a);
		return;
	}
	for (unsigned int i = 0; i < nr_timers(a->v); i++) {
		t = timer_of(a->v, i);
		if (!t->owe_rise || t->regs != REGS_LOADED)
			continue;
		t->owe_rise = false;
		a->timer = i;
		kt_broke(a, t->owe_ns, "the timer had fired when it was saved, and the guest was entered with the line low");
	}
}

void kt_step_late_fall(struct at *a)
{
	struct rule_timer *t = a->t;

	switch (a->ev->kind) {
	case KT_EV_UPDATE_IRQ:
		if (t->owe_fall && !a->ev->level.level)
			held(a);
		return;
	case KT_EV_RESTORE:
		if (!t->owe_fall || !t->map_since || t->load_level != 1)
			return;
		/* Published high again: right only if it fired meanwhile. */
		t->owe_fall = false;
		if (t->deadline_ns && can_fire(t->saved_ctl) && a->ev->regs.cval_ticks == t->saved_cval_ticks &&
		    a->ev->regs.offset_gen == t->saved_offset_gen)
			judge(a, t->deadline_ns < t->published_ns + CLOCK_SLACK_NS, t->owe_ns,
			      "published high again before the deadline");
		return;
	}
	for (unsigned int i = 0; i < nr_timers(a->v); i++) {
		t = timer_of(a->v, i);
		if (!t->owe_fall || t->regs != REGS_LOADED || !a->r->maps_seen)
			continue;
		t->owe_fall = false;
		a->timer = i;
		kt_broke(a, t->owe_ns, "the output had fallen when it was saved, and the guest was entered with the line high");
	}
}

void kt_step_masked_low(struct at *a)
{
	const struct rule_timer *t = a->t;

	if (!t->map_since || !t->saved_known || can_fire(t->saved_ctl) || t->load_level == NO_LEVEL ||
	    a->ev->regs.ctl != t->saved_ctl)
		return;
	judge(a, t->load_level == 0, t->saved_ns,
	      "saved switched off or masked, and the next load published high");
}

/* The counter is read after the timer map and before what tells the level; a host may be stopped between. */
static bool deadline_agrees(const struct at *a, bool level, uint64_t told_ns, uint64_t deadline_ns)
{
	if (level)
		return deadline_ns < told_ns + CLOCK_SLACK_NS;
	return deadline_ns + CLOCK_SLACK_NS > (a->r->no_maps && !a->r->maps_seen ? told_ns : a->v->map_ns);
}

static uint64_t restore_deadline(const struct at *a)
{
	const struct rule_timer *t = a->t;

	if (!t->offset_known || !can_fire(a->ev->regs.ctl))
		return 0;
	return kt_model_deadline_ns(a->r->opts.model, a->vcpu, a->ev->regs.cval_ticks,
				    t->offset_ticks);
}

/* Registers that changed while they were in memory: trapped write, KVM_SET_ONE_REG. */
void kt_step_new_registers(struct at *a)
{
	const struct rule_timer *t = a->t;
	uint64_t deadline_ns = restore_deadline(a);

	if (!t->map_since || !t->saved_known || t->load_level == NO_LEVEL ||
	    (a->ev->regs.ctl == t->saved_ctl && a->ev->regs.cval_ticks == t->saved_cval_ticks))
		return;
	if (!can_fire(a->ev->regs.ctl))
		judge(a, t->load_level == 0, t->saved_ns,
		      "switched off or masked while it was saved, and published high");
	else if (deadline_ns)
		judge(a, deadline_agrees(a, t->load_level, t->published_ns, deadline_ns), t->saved_ns,
		      "the published level is that of the registers before they were changed");
}

/* The definition of the level: counter >= CVAL, at the moment of publication. */
void kt_step_level_by_deadline(struct at *a)
{
	const struct rule_timer *t = a->t;
	uint64_t deadline_ns = restore_deadline(a);

	if (!deadline_ns || !t->map_since || t->load_level == NO_LEVEL)
		return;
	judge(a, deadline_agrees(a, t->load_level, t->published_ns, deadline_ns), t->published_ns,
	      t->load_level ? "published high before the deadline" :
	      "published low although the deadline had passed");
}

void kt_step_save_restore_alternate(struct at *a)
{
	enum regs_where where = a->t->regs;

	if (where == REGS_UNKNOWN || !captured(a, KT_EV_SAVE) || !captured(a, KT_EV_RESTORE))
		return;
	if (a->ev->kind == KT_EV_SAVE)
		judge(a, where == REGS_LOADED, a->t->saved_ns, "saved twice without a restore");
	else
		judge(a, where == REGS_SAVED, a->t->saved_ns, "restored twice without a save");
}

/* Each load and each put starts with a timer map; a trapped write shares one. */
void kt_step_map_first(struct at *a)
{
	if (!direct_by_map(a->v, a->timer) && !a->v->nested) {
		kt_broke(a, a->v->map_ns, "registers of an emulated timer were moved");
		return;
	}
	if (!a->r->maps_seen || a->t->regs == REGS_UNKNOWN)
		return;
	/* D6 breaks: a map of its own would look like the world switch's. */
	if (a->v->in_guest == 1)
		return;
	/* Restored under the map that it was saved under: a trapped register access. */
	if (a->ev->kind == KT_EV_RESTORE && a->v->map_ns && a->v->map_ns > a->v->exit_ns &&
	    a->v->exit_code == KT_EXIT_TRAP && a->t->saved_ns >= a->v->map_ns)
		return;
	judge(a, a->t->map_since, a->t->saved_ns, a->ev->kind == KT_EV_SAVE ?
	      "saved without a timer map" : "restored without a timer map");
	if (a->timer == KT_PTIMER && a->v->map[1] == KT_PTIMER && a->v->map[0] == KT_VTIMER &&
	    !(a->v->exit_code == KT_EXIT_TRAP && a->v->exit_ec == EC_SYSREG))
		judge(a, a->v->timer[KT_VTIMER].regs == (a->ev->kind == KT_EV_SAVE ? REGS_SAVED : REGS_LOADED),
		      a->v->map_ns, "the physical timer was moved before the virtual one");
}

void kt_step_map_stable(struct at *a)
{
	const struct kt_map *m = &a->ev->map;
	const int8_t *was = a->v->map;

	if (context(a->ev) != KT_AT_TASK || was[0] == -2 || a->v->nested ||
	    m->direct_vtimer >= KT_HVTIMER)
		return;
	judge(a, was[0] == m->direct_vtimer && was[1] == m->direct_ptimer &&
	      was[2] == m->emul_vtimer && was[3] == m->emul_ptimer, a->v->map_ns,
	      "a VM without nesting changed which timers are direct");
}

/* ---- host interrupts ---- */

void kt_step_host_irq(struct at *a)
{
	if (a->ev->kind == KT_EV_UPDATE_IRQ) {
		if (context(a->ev) != KT_AT_HOST_IRQ || a->v->in_guest == NO_LEVEL || !a->r->maps_seen)
			return;
		if (!direct_by_map(a->v, a->timer)) {
			kt_broke(a, a->v->handler_ns, "the host's interrupt of a timer that is emulated");
			return;
		}
		judge(a, a->ev->level.level && a->v->handler_open, a->v->handler_ns,
		      a->ev->level.level ? "published from a host interrupt whose handler was not seen" :
		      "the host's timer interrupt lowered the line");
		return;
	}
	/* The guest was quicker and switched its timer off ... */
	if (a->v->handler_open) {
		a->v->handler_open = false;
		a->v->quiet_ns = a->v->handler_ns;
		legal(a);
	}
	/* ... or it did not: the registers still hold an expiry from before the interrupt. */
	if (a->ev->kind == KT_EV_SAVE && a->v->quiet_ns && a->t->line == 0 && a->t->offset_known &&
	    fires(a->ev->regs.ctl)) {
		uint64_t due_ns = kt_model_deadline_ns(a->r->opts.model, a->vcpu, a->ev->regs.cval_ticks,
						       a->t->offset_ticks);

		if (due_ns && due_ns <= a->v->quiet_ns)
			kt_broke(a, a->v->quiet_ns,
				 "the host took the interrupt of a timer that had fired, and the line stayed low");
	}
}

/* After its handler the interrupt stays active: it cannot come again before the guest has run. */
void kt_step_no_storm(struct at *a)
{
	if (context(a->ev) != KT_AT_HOST_IRQ || !a->ev->level.level || user_irqchip(a->v))
		return;
	judge(a, !a->t->handled, a->t->handled_ns,
	      "the host took the timer's interrupt twice, and the guest did not run between");
}

#define STORM 16

static bool took_nothing(const struct rule_vcpu *v, const struct rule_timer *t)
{
	return t->fold_ns < v->entry_ns || t->fold_same;
}

/*
 * Interrupts masked, the same instruction before and after, no list register
 * touched, and the timer fires again and again.  A guest that ends interrupt
 * after interrupt of a line that stays high is always found at the same
 * instruction too, but its list register moves.
 */
void kt_step_progress(struct at *a)
{
	const struct rule_timer *vt = &a->v->timer[KT_VTIMER], *pt = &a->v->timer[KT_PTIMER];
	bool stuck = a->r->lrs_seen && a->v->in_guest == 1 && a->ev->run.code == KT_EXIT_IRQ &&
		     a->ev->run.pc == a->v->entry_pc && a->ev->run.flags & KT_RUN_DAIF &&
		     a->ev->run.daif & KT_PSTATE_I &&
		     ((vt->handled && took_nothing(a->v, vt)) || (pt->handled && took_nothing(a->v, pt)));

	if (!stuck) {
		if (a->v->storm)
			held(a);
		a->v->storm = 0;
	} else if (++a->v->storm == STORM) {
		kt_broke(a, a->v->entry_ns, "host timer interrupts, and the guest executes nothing");
	}
}

/* Nothing changes registers that wait in memory while the thread sleeps or is preempted. */
void kt_step_registers_kept(struct at *a)
{
	const struct kt_regs *r = &a->ev->regs;
	const struct rule_timer *t = a->t;

	if (!t->saved_known || t->regs != REGS_SAVED || !t->map_since)
		return;
	/* User space may have written them: ISTATUS goes then, and never comes. */
	if (a->v->user_ns > t->saved_ns)
		judge(a, !(r->ctl & KT_CTL_ISTATUS) || t->saved_ctl & KT_CTL_ISTATUS, t->saved_ns,
		      "restored as fired, saved as not");
	else if (a->v->exit_code != KT_EXIT_TRAP || a->v->exit_ec != EC_SYSREG)
		judge(a, r->ctl == t->saved_ctl && r->cval_ticks == t->saved_cval_ticks, t->saved_ns,
		      "restored with other values than were saved, and nobody could change them");
}

/* ---- emulated timers ---- */

void kt_step_soft_expiry(struct at *a)
{
	struct rule_timer *t = a->t;

	switch (a->ev->kind) {
	case KT_EV_HRTIMER_EXPIRE:
		/* It came early and was armed again. */
		if (t->soft_owed)
			legal(a);
		return;
	case KT_EV_UPDATE_IRQ:
		if (context(a->ev) == KT_AT_SOFT_TIMER && a->v->in_guest != NO_LEVEL &&
		    captured(a, KT_EV_HRTIMER_EXPIRE))
			judge(a, a->ev->level.level && t->soft_owed, t->soft_ns,
			      a->ev->level.level ? "the line was raised by a soft timer that did not fire" :
			      "a soft timer lowered the line");
		return;
	case KT_EV_EMULATE:
		if (t->soft_owed && a->ev->emulate.should_fire && t->line != 1)
			kt_broke(a, t->soft_ns, "the soft timer fired and the line was not raised");
		return;
	}
	for (unsigned int i = 0; a->v->soft_waits && i < nr_timers(a->v); i++) {
		t = timer_of(a->v, i);
		if (!t->soft_owed || !is_missing(a, t->soft_ns))
			continue;
		t->soft_owed = false;
		a->timer = i;
		kt_broke_late(a, t->soft_ns, "the soft timer fired and the line was not raised",
			      a->ev->ts_ns - t->soft_ns);
	}
}

void kt_step_soft_arm(struct at *a)
{
	struct rule_timer *t = a->t;

	if (a->ev->kind == KT_EV_HRTIMER_EXPIRE) {
		if (!t->soft_due_ns)
			return;
		if (a->ev->ts_ns > t->soft_due_ns + LATE_NS)
			late(a);
		else
			held(a);
		return;
	}
	for (unsigned int i = 0; captured(a, KT_EV_HRTIMER_EXPIRE) && a->v->soft_waits && i < nr_timers(a->v); i++) {
		t = timer_of(a->v, i);
		if (!t->soft_due_ns || !is_missing(a, t->soft_due_ns))
			continue;
		/* A host that stood still: this exit may be the soft timer's own, its handler is next. */
		if (t->overdue_ns != t->soft_due_ns) {
			t->overdue_ns = t->soft_due_ns;
			continue;
		}
		a->timer = i;
		kt_broke_late(a, t->soft_due_ns, "the deadline passed while the vCPU was loaded, and no soft timer fired",
			      a->ev->ts_ns - t->soft_due_ns);
		t->soft_due_ns = 0;
	}
}

void kt_step_evaluation(struct at *a)
{
	const struct kt_emulate *e = &a->ev->emulate;
	uint64_t deadline_ns;

	if (!(e->flags & KT_EMULATE_REGS))
		return;
	/* Each load evaluates once.  What comes then was evaluated before the put, by a preempted access. */
	if (a->v->preempted && a->t->evaluated_ns >= a->v->load_ns)
		return;
	if (!can_fire(e->ctl)) {
		judge(a, !e->should_fire, a->ev->ts_ns, "evaluated as firing, but it is off or masked");
		return;
	}
	deadline_ns = a->t->offset_known ?
		kt_model_deadline_ns(a->r->opts.model, a->vcpu, e->cval_ticks, a->t->offset_ticks) : 0;
	if (!deadline_ns)
		return;
	judge(a, deadline_agrees(a, e->should_fire, a->ev->ts_ns, deadline_ns), a->ev->ts_ns,
	      e->should_fire ? "evaluated as firing before the deadline" :
	      "evaluated as not firing although the deadline had passed");
}

/* kvm_timer_vcpu_load evaluates them last, when the direct ones are in the hardware. */
void kt_step_evaluated_at_load(struct at *a)
{
	if (a->ev->kind == KT_EV_EMULATE) {
		judge(a, a->v->nested || a->v->map[0] == -2 || !direct_by_map(a->v, a->timer),
		      a->v->map_ns, "a direct timer was evaluated as if it were emulated");
		return;
	}
	for (unsigned int i = 0; captured(a, KT_EV_EMULATE) && a->v->load_ns && !a->v->nested && i < 2; i++) {
		if (a->v->map[2] != (int)i && a->v->map[3] != (int)i)
			continue;
		a->timer = i;
		judge(a, timer_of(a->v, i)->evaluated_ns >= a->v->load_ns, a->v->load_ns,
		      "loaded without evaluating an emulated timer");
	}
}

/* At entry the line of an emulated timer is what the last evaluation found, or a soft timer since. */
void kt_step_evaluated_level(struct at *a)
{
	for (unsigned int i = 0; i < nr_timers(a->v); i++) {
		const struct rule_timer *t = timer_of(a->v, i);

		if (t->role != ROLE_EMULATED || t->evaluated == NO_LEVEL || t->line == NO_LEVEL || t->cut_short)
			continue;
		a->timer = i;
		judge(a, t->line == t->evaluated || (t->line == 1 && t->from_soft), t->published_ns,
		      t->line ? "evaluated as not firing, and the guest was entered with the line high" :
		      "evaluated as firing, and the guest was entered with the line low");
	}
}
