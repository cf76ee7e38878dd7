/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rules know of a vCPU: moved on by each event, after the rules have
 * looked at it.  Nothing here judges.
 */
#include <string.h>

#include "rules_private.h"

/* Nothing is known of it; the rest of it is 0. */
void kt_rules_unknown(struct rule_timer *t)
{
	t->line = t->load_level = t->phys = t->user = t->evaluated = NO_LEVEL;
	t->wire = t->fold_wire = t->line_at_flush = NO_LEVEL;
}

/* An offset is told once, so it is kept; whether it is still in force the next registers say. */
static void forget_timer(struct rule_timer *t)
{
	uint64_t offset_ticks = t->offset_ticks;
	bool told = t->offset_told;

	memset(t, 0, sizeof(*t));
	kt_rules_unknown(t);
	t->offset_ticks = offset_ticks;
	t->offset_told = told;
}

void kt_rules_forget(struct rule_vcpu *v)
{
	struct rule_timer keep[2] = { v->timer[0], v->timer[1] }, *more = v->more;
	struct kt_ident id = v->id;
	bool ran = v->ran, nested = v->nested;
	uint32_t offset_gen = v->offset_gen;

	memset(v, 0, sizeof(*v));
	v->id = id;
	v->more = more;
	v->ran = ran;
	v->nested = nested;
	v->offset_gen = offset_gen;
	v->in_guest = NO_LEVEL;
	memset(v->map, -2, sizeof(v->map));
	memcpy(v->timer, keep, sizeof(keep));
	for (unsigned int i = 0; i < nr_timers(v); i++)
		forget_timer(timer_of(v, i));
}

/*
 * It was seen before, or may have been, and something is missing: a put by preemption, too,
 * perhaps.  Until the next entry what it tells may be of before that put.
 */
void kt_rules_interrupt(struct rule_vcpu *v)
{
	kt_rules_forget(v);
	v->preempted = true;
	for (unsigned int i = 0; i < nr_timers(v); i++)
		timer_of(v, i)->cut_short = true;
}

/* After a gap registers say whether the newest offset told is the one in force, or another went by. */
static void check_offset(const struct rule_vcpu *v, struct rule_timer *t, uint32_t offset_gen)
{
	t->offset_known |= t->offset_told && offset_gen == v->offset_gen;
}

static uint64_t deadline(const struct at *a, const struct rule_timer *t)
{
	if (!t->regs_known || !t->offset_known || !can_fire(t->ctl))
		return 0;
	return kt_model_deadline_ns(a->r->opts.model, a->vcpu, t->cval_ticks, t->offset_ticks);
}

static void on_map(struct at *a)
{
	const struct kt_map *m = &a->ev->map;
	struct rule_vcpu *v = a->v;

	if (context(a->ev) == KT_AT_HOST_IRQ) {
		v->handler_open = true;
		v->handler_ns = a->ev->ts_ns;
		return;
	}
	a->r->maps_seen = true;
	v->map[0] = m->direct_vtimer;
	v->map[1] = m->direct_ptimer;
	v->map[2] = m->emul_vtimer;
	v->map[3] = m->emul_ptimer;
	v->map_ns = a->ev->ts_ns;
	if (v->reset_ns && v->reset_maps < 2)
		v->reset_maps++;
	for (unsigned int i = 0; i < nr_timers(v); i++) {
		struct rule_timer *t = timer_of(v, i);

		t->map_since = true;
		t->load_level = NO_LEVEL;
		if ((int)i == m->direct_vtimer || (int)i == m->direct_ptimer)
			t->role = ROLE_DIRECT;
		else if ((int)i == m->emul_vtimer || (int)i == m->emul_ptimer)
			t->role = ROLE_EMULATED;
	}
	if (m->direct_vtimer >= KT_HVTIMER || m->emul_vtimer >= 0)
		v->nested = true;
}

static void on_update(struct at *a)
{
	struct pending_pair *p = &a->v->pair[context(a->ev)];
	struct rule_timer *t = a->t;
	bool level = a->ev->level.level;

	*p = (struct pending_pair){ a->ev->ts_ns, a->ev->level.irq, level, a->timer, true };
	if (context(a->ev) == KT_AT_HOST_IRQ) {
		a->v->handler_open = false;
		t->handled++;
		t->handled_ns = a->ev->ts_ns;
		if (level) {
			t->phys = 1;
			t->phys_ns = a->ev->ts_ns;
		}
	}
	if (context(a->ev) == KT_AT_SOFT_TIMER)
		t->soft_owed = false;
	if (context(a->ev) == KT_AT_TASK) {
		t->load_level = level;
		t->off = OFF_NO;
	}
	t->line = level;
	t->from_soft = context(a->ev) == KT_AT_SOFT_TIMER;
	t->from_irq = context(a->ev) != KT_AT_TASK;
	t->published_ns = a->ev->ts_ns;
	t->just_evaluated = false;
	if (level) {
		t->owe_rise = false;
		t->wire = NO_LEVEL;
	} else {
		t->owe_fall = false;
		t->reset = false;
	}
}

/* Two moves of one timer with no map between them: this kernel has none (before 5.2), or nobody watched. */
static void miss_map(struct at *a, enum regs_where from)
{
	a->r->no_maps |= a->t->regs == from && !a->t->map_since;
}

static void on_save(struct at *a)
{
	const struct kt_regs *r = &a->ev->regs;
	struct rule_vcpu *v = a->v;
	struct rule_timer *t = a->t;

	miss_map(a, REGS_LOADED);
	check_offset(v, t, r->offset_gen);
	t->saved_ctl = t->ctl = r->ctl;
	t->saved_cval_ticks = t->cval_ticks = r->cval_ticks;
	t->saved_offset_gen = r->offset_gen;
	t->saved_known = t->regs_known = true;
	t->saved_ns = a->ev->ts_ns;
	t->regs = REGS_SAVED;
	t->role = ROLE_DIRECT;
	t->map_since = false;
	t->handled = 0;
	t->owe_rise = fires(r->ctl) && t->line == 0;
	t->owe_fall = !fires(r->ctl) && t->line == 1;
	t->owe_ns = a->ev->ts_ns;
	t->deadline_ns = deadline(a, t);
	v->loaded = false;
	v->soft_waits = false;
	v->put_since_exit = true;
	if (r->flags & (KT_SAVE_BLOCKING | KT_SAVE_SLEEPING) || puts_by_preemption(a))
		v->excused = true;
	else if (r->flags & KT_SAVE_KNOWN && !v->excused && v->in_guest == 0)
		v->owe_user = true;
	/* A put cancels soft timers of emulated timers. */
	for (unsigned int i = 0; i < nr_timers(v); i++) {
		struct rule_timer *each = timer_of(v, i);

		each->soft_due_ns = 0;
		each->cut_short |= each->just_evaluated && each->evaluated_ns > v->exit_ns &&
				   puts_by_preemption(a);
	}
	if (puts_by_preemption(a)) {
		v->preempted = true;
		if (v->pair[KT_AT_TASK].open)
			v->cut = v->pair[KT_AT_TASK];
	}
	v->pair[KT_AT_TASK].open = false;
	/* Preempted on the way into its sleep it is asleep, too: KVM looks at the wait, which is set before. */
	v->asleep = r->flags != KT_SAVE_KNOWN;
	if (r->flags & KT_SAVE_BLOCKING) {
		v->slept_since_exit = true;
		/* Preempted it waits for a CPU, however long, and not for its timer. */
		v->blocked_ns = r->flags & KT_SAVE_PREEMPTED ? 0 : a->ev->ts_ns;
		v->bg_ns = 0;
	}
}

static void on_restore(struct at *a)
{
	const struct kt_regs *r = &a->ev->regs;
	struct rule_timer *t = a->t;

	miss_map(a, REGS_SAVED);
	check_offset(a->v, t, r->offset_gen);
	t->same_regs = t->saved_known && r->ctl == t->saved_ctl &&
		       r->cval_ticks == t->saved_cval_ticks && r->offset_gen == t->saved_offset_gen;
	/* A trapped write goes through the hardware without publishing (fc6ee952cf00). */
	if (!t->map_since || !t->same_regs)
		t->owe_rise = t->owe_fall = false;
	if (t->map_since)
		a->v->load_ns = a->ev->ts_ns;
	t->open = false;
	t->ctl = r->ctl;
	t->cval_ticks = r->cval_ticks;
	t->regs_known = true;
	t->regs = REGS_LOADED;
	t->role = ROLE_DIRECT;
	t->map_since = false;
	t->handled = 0;
	t->deadline_ns = deadline(a, t);
	a->v->loaded = true;
	a->v->load_since_exit = true;
	a->v->blocked_ns = 0;
	a->v->asleep = false;
	a->v->quiet_ns = 0;
}

static void on_evaluation(struct at *a)
{
	const struct kt_emulate *e = &a->ev->emulate;
	struct rule_timer *t = a->t;

	t->role = ROLE_EMULATED;
	t->evaluated_ns = a->ev->ts_ns;
	t->evaluated = e->should_fire;
	t->just_evaluated = true;
	t->soft_owed = false;
	t->soft_due_ns = 0;
	if (!(e->flags & KT_EMULATE_REGS)) {
		t->regs_known = false;
		return;
	}
	check_offset(a->v, t, e->offset_gen);
	t->ctl = e->ctl;
	t->cval_ticks = e->cval_ticks;
	t->regs_known = true;
	t->deadline_ns = deadline(a, t);
	if (!e->should_fire)
		t->soft_due_ns = t->deadline_ns;
	a->v->soft_waits = true;
}

static void on_flush(struct at *a)
{
	struct rule_timer *t = a->t;

	t->flushed = t->flush_fresh = true;
	t->flush_lr = lr_value(a->ev);
	t->flush_hw = t->flush_lr && kt_lr_hw(a->ev->lr.lr, lr_is_v2(a->ev));
	t->flush_word = a->ev->lr.lr;
	t->flush_ns = a->ev->ts_ns;
	t->line_at_flush = a->ev->lr.state & KT_LR_UNREAD ? NO_LEVEL : (a->ev->lr.state & KT_LR_LINE) != 0;
	if (t->flush_lr) {
		t->off = OFF_NO;
	} else if ((a->ev->lr.state & (KT_LR_HW | KT_LR_LINE | KT_LR_ENABLED)) == (KT_LR_HW | KT_LR_LINE)) {
		t->off = OFF_ROSE;
		t->off_ns = a->ev->ts_ns;
	}
	t->folding = false;
	t->open = t->flush_lr != KT_LR_EMPTY;
	a->v->lr_busy = true;
}

static void on_fold(struct at *a)
{
	unsigned int value = lr_value(a->ev);
	struct rule_timer *t = a->t;

	a->v->lr_busy = true;
	if (context(a->ev) == KT_AT_FOLD_IN) {
		t->folding = true;
		t->fold_ns = a->ev->ts_ns;
		t->fold_wire = NO_LEVEL;
		t->fold_active = value & KT_LR_ACTIVE_;
		t->fold_same = t->flushed && value == t->flush_lr;
		t->fold_pending = t->flushed && t->flush_hw && value & KT_LR_PENDING;
		t->fold_dropped = t->flushed && t->flush_hw && t->flush_lr & KT_LR_ACTIVE_ && !value;
		/* The guest's EOI of a HW list register deactivates without a write. */
		if (t->flushed && t->flush_hw && !value)
			t->phys = NO_LEVEL;
		return;
	}
	if (t->folding && (t->fold_pending || t->fold_dropped) && t->fold_wire == 0) {
		t->wire = 0;
		t->wire_ns = a->ev->ts_ns;
	}
	t->folding = t->flushed = t->flush_fresh = false;
}

static void on_irqchip(struct at *a)
{
	if (a->ev->irqchip.which != 1)
		return;
	a->r->irqchips_seen = true;
	a->t->phys = a->ev->irqchip.val;
	a->t->phys_ns = a->ev->ts_ns;
	if (!a->ev->irqchip.val)
		a->t->handled = 0;
}

static void on_entry(struct at *a)
{
	struct rule_vcpu *v = a->v;

	v->in_guest = captured(a, KT_EV_EXIT) ? 1 : NO_LEVEL;
	v->entered = true;
	v->timer_synced = false;
	v->ran = true;
	v->entry_ns = a->ev->ts_ns;
	v->entry_pc = a->ev->run.pc;
	if (v->handler_open)
		v->quiet_ns = v->handler_ns;
	v->handler_open = false;
	v->put_since_exit = v->load_since_exit = v->excused = v->preempted = false;
	v->owe_user = v->owe_wfx = v->owe_wakeup = v->woke = false;
	v->load_ns = 0;
	v->blocked_ns = 0;
	v->reset_ns = 0;
	v->cut.open = false;
	if (!(a->asked & ~(1u << KT_EV_ENTRY)))
		return;
	v->lr_busy = false;
	for (unsigned int i = 0; i < nr_timers(v); i++) {
		struct rule_timer *t = timer_of(v, i);

		t->handled = 0;
		t->flush_fresh = false;
		t->cut_short = false;
		t->reset = false;
		v->lr_busy |= t->open || t->flushed;
	}
}

static void on_exit(struct at *a)
{
	const struct kt_run *r = &a->ev->run;
	struct rule_vcpu *v = a->v;

	v->in_guest = captured(a, KT_EV_ENTRY) ? 0 : NO_LEVEL;
	v->exit_ns = a->ev->ts_ns;
	v->exit_code = r->code;
	v->exit_ec = r->esr >> 26;
	v->put_since_exit = v->load_since_exit = v->excused = v->preempted = false;
	v->owe_user = v->owe_wakeup = v->woke = v->slept_since_exit = false;
	v->exit_timed = r->esr & 2;
	v->exit_pc = r->pc;
	v->owe_wfx = r->code == KT_EXIT_TRAP && v->exit_ec == EC_WFX;
	/* A map of the run before the first exit was seen may be the world switch's: no later move is under it. */
	for (unsigned int i = 0; a->asked & 1u << KT_EV_MAP && i < nr_timers(v); i++)
		timer_of(v, i)->map_since = false;
	for (unsigned int i = 0; v->lr_busy && i < nr_timers(v); i++)
		timer_of(v, i)->flushed = timer_of(v, i)->flush_fresh = false;
}

static void on_user_exit(struct at *a)
{
	static const struct { uint8_t timer, bit; } bits[] = { { KT_VTIMER, 1 }, { KT_PTIMER, 2 } };
	struct rule_vcpu *v = a->v;

	v->user_ns = a->ev->ts_ns;
	v->user_reason = a->ev->user_exit.reason;
	v->excused = true;
	v->owe_user = false;
	if (!(a->ev->user_exit.flags & KT_USER_EXIT_LEVEL))
		return;
	for (unsigned int i = 0; i < 2; i++) {
		v->timer[bits[i].timer].user =
			(a->ev->user_exit.device_irq_level & bits[i].bit) != 0;
		v->timer[bits[i].timer].user_ns = a->ev->ts_ns;
	}
}

static void on_reset(struct at *a)
{
	struct rule_vcpu *v = a->v;

	v->reset_ns = a->ev->ts_ns;
	v->reset_maps = 0;
	v->excused = true;
	v->owe_user = false;
	for (unsigned int i = 0; i < nr_timers(v); i++) {
		struct rule_timer *t = timer_of(v, i);

		t->reset = v->ran && t->line != NO_LEVEL && t->role != ROLE_UNKNOWN;
		t->evaluated = t->phys = t->wire = NO_LEVEL;
		t->saved_known = t->regs_known = t->owe_rise = t->owe_fall = t->soft_owed = false;
		t->soft_due_ns = t->deadline_ns = 0;
	}
}

static void on_call(struct at *a)
{
	struct rule_vcpu *v = a->v;

	switch (a->ev->call.fn) {
	case KT_CALL_TIMER_FLUSH:
		a->r->flush_called = true;
		break;
	case KT_CALL_TIMER_LOAD:
		a->r->load_called = true;
		break;
	case KT_CALL_TIMER_SYNC:
		v->timer_synced = true;
		break;
	case KT_CALL_VGIC_SYNC:
		v->entered = v->timer_synced = false;
		break;
	}
}

/* The number counts a vCPU's offsets, of whatever timer: one that went by unseen may have been any timer's. */
static void miss_offsets(struct at *a)
{
	for (unsigned int i = 0; a->ev->offset.offset_gen > a->v->offset_gen + 1 && i < nr_timers(a->v); i++)
		timer_of(a->v, i)->offset_told = timer_of(a->v, i)->offset_known = false;
}

static void on_timer_event(struct at *a)
{
	struct rule_timer *t = a->t;

	switch (a->ev->kind) {
	case KT_EV_UPDATE_IRQ:
		on_update(a);
		break;
	case KT_EV_VGIC_UPDATE:
		a->r->vgic_updates_seen = true;
		if (context(a->ev) == KT_AT_TASK && !a->v->pair[KT_AT_TASK].open)
			a->v->cut.open = false;
		a->v->pair[context(a->ev)].open = false;
		break;
	case KT_EV_WIRE:
		a->r->wires_seen = true;
		if (t->off == OFF_ROSE)
			t->off = OFF_SAMPLED;
		if (t->folding) {
			t->fold_wire = a->ev->level.level;
			t->fold_wire_ns = a->ev->ts_ns;
		}
		break;
	case KT_EV_SAVE:
		on_save(a);
		break;
	case KT_EV_RESTORE:
		on_restore(a);
		break;
	case KT_EV_OFFSET:
		miss_offsets(a);
		t->offset_ticks = a->ev->offset.offset_ticks;
		a->v->offset_gen = a->ev->offset.offset_gen;
		t->offset_told = t->offset_known = true;
		t->deadline_ns = 0;
		break;
	case KT_EV_LR:
		/* Without a vgic the functions return at once, and their samples mean nothing. */
		if (user_irqchip(a->v))
			break;
		a->r->lrs_seen = true;
		if (context(a->ev) == KT_AT_FLUSH)
			on_flush(a);
		else
			on_fold(a);
		break;
	case KT_EV_IRQCHIP:
		on_irqchip(a);
		break;
	case KT_EV_HRTIMER_EXPIRE:
		t->soft_owed = true;
		a->v->soft_waits = true;
		t->soft_ns = a->ev->ts_ns;
		t->soft_due_ns = 0;
		break;
	case KT_EV_EMULATE:
		on_evaluation(a);
		break;
	}
}

void kt_rules_advance(struct at *a)
{
	switch (a->ev->kind) {
	case KT_EV_MAP:
		on_map(a);
		return;
	case KT_EV_ENTRY:
		on_entry(a);
		return;
	case KT_EV_EXIT:
		on_exit(a);
		return;
	case KT_EV_USER_EXIT:
		on_user_exit(a);
		return;
	case KT_EV_BG_EXPIRE:
		a->v->bg_ns = a->ev->ts_ns;
		return;
	case KT_EV_WFX:
		a->v->owe_wfx = false;
		a->v->owe_wakeup = !a->ev->wfx.is_wfe && !a->v->exit_timed;
		return;
	case KT_EV_WAKEUP:
		a->v->woke = true;
		a->v->owe_wakeup = false;
		return;
	case KT_EV_RESET:
		on_reset(a);
		return;
	case KT_EV_CALL:
		on_call(a);
		return;
	case KT_EV_VCPU_GONE:
		kt_rules_forget(a->v);
		a->v->gone = true;
		return;
	}
	if (a->t)
		on_timer_event(a);
}
