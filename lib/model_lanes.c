/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps of the lanes.  Each event is a sample of one or more lanes; what lies
 * between two samples is bounded, never guessed to a point.  Three rules give
 * all certainties:
 *
 *   a sample is certain at its own time;
 *   while the guest runs, what it can change itself (wire of a direct timer,
 *   list register, physical active state, PSTATE.I) is only inferred;
 *   across a gap everything is unknown.
 *
 * docs/timer-model.md says for each lane which event is a sample of what.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model_private.h"

struct lane_now {
	uint8_t value, certainty;
	uint64_t known_ns;	/* last time it was sampled with this value */
};

struct timer_lanes {
	struct lane_now lane[KT_LANE_NR];
	uint64_t deadline_ns;	/* when an armed wire will rise, 0 = not known or not armed */
	uint64_t offset_ticks;
	uint8_t lr_idx;
	bool direct, lr_hw, offset_known;
};

struct lanes {
	struct timer_lanes timer[KT_TIMER_NR];
	struct lane_now own[2];	/* vCPU state, PSTATE.I */
	uint64_t entry_ns, exit_ns, put_ns;
};

int kt_lanes_grow(struct kt_model *m, uint32_t from, uint32_t to)
{
	struct lanes *bigger = realloc(m->lanes, to * sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	memset(bigger + from, 0, (to - from) * sizeof(*bigger));
	m->lanes = bigger;
	return 0;
}

/* One step being made: where, and because of which event. */
struct step {
	struct kt_model *m;
	struct lanes *l;
	const struct kt_event *ev;
	uint32_t vcpu;
	uint8_t timer, lane;
};

static struct lane_now *now_of(const struct step *s)
{
	if (s->lane >= KT_LANE_NR)
		return &s->l->own[s->lane - KT_LANE_NR];
	return &s->l->timer[s->timer].lane[s->lane];
}

static void put(const struct step *s, uint8_t value, uint8_t certainty, uint64_t lo_ns,
		uint64_t hi_ns)
{
	struct lane_now *now = now_of(s);
	struct kt_change c = {
		.lo_ns = lo_ns < hi_ns ? lo_ns : hi_ns, .hi_ns = hi_ns, .vcpu = s->vcpu,
		.timer = s->timer, .lane = s->lane, .value = value, .certainty = certainty,
		.cause = s->ev->kind,
		.lr_idx = s->lane == KT_LANE_LR ? s->l->timer[s->timer].lr_idx : 0,
	};
	bool same = now->certainty == certainty &&
		    (now->value == value || certainty == KT_UNKNOWN);

	now->value = value;
	now->certainty = certainty;
	if (certainty != KT_UNKNOWN)
		now->known_ns = hi_ns;
	if (!same)
		s->m->opts.sink->change(s->m->opts.sink->arg, &c);
}

/*
 * A sample at the event's time.  A value that differs from the one before
 * changed somewhere since it was last known, but not before since_ns.
 */
static void sample(const struct step *s, uint8_t value, uint64_t since_ns)
{
	struct lane_now *now = now_of(s);
	uint64_t lo_ns = s->ev->ts_ns;

	if (now->certainty != KT_UNKNOWN && now->value != value && now->known_ns)
		lo_ns = now->known_ns > since_ns ? now->known_ns : since_ns;
	put(s, value, KT_CERTAIN, lo_ns, s->ev->ts_ns);
}

/* An event that is itself the change. */
static void point(const struct step *s, uint8_t value)
{
	put(s, value, KT_CERTAIN, s->ev->ts_ns, s->ev->ts_ns);
}

static void blur(const struct step *s)
{
	struct lane_now *now = now_of(s);

	if (now->certainty == KT_CERTAIN) {
		uint64_t known_ns = now->known_ns;

		put(s, now->value, KT_INFERRED, s->ev->ts_ns, s->ev->ts_ns);
		/* It was certain until now, and that is the earliest it can change. */
		now->known_ns = known_ns > s->ev->ts_ns ? known_ns : s->ev->ts_ns;
	}
}

static struct step on(const struct step *s, uint8_t timer, uint8_t lane)
{
	struct step other = *s;

	other.timer = timer;
	other.lane = lane;
	return other;
}

/* ---- the wire ---- */

/* An armed timer whose deadline has passed since the last event is taken to have risen then. */
static void rise_at_deadline(const struct step *s, unsigned int timer)
{
	struct timer_lanes *t = &s->l->timer[timer];
	struct step wire = on(s, timer, KT_LANE_WIRE);
	struct lane_now *now = &t->lane[KT_LANE_WIRE];

	if (!t->deadline_ns || t->deadline_ns >= s->ev->ts_ns)
		return;
	if (now->certainty != KT_UNKNOWN && now->value == 0)
		put(&wire, 1, KT_INFERRED, t->deadline_ns, t->deadline_ns);
	t->deadline_ns = 0;
}

static void wire_sample(const struct step *s, unsigned int timer, bool high)
{
	struct step wire = on(s, timer, KT_LANE_WIRE);

	sample(&wire, high, 0);
	if (high)
		s->l->timer[timer].deadline_ns = 0;
}

static void on_registers(const struct step *s)
{
	struct timer_lanes *t = &s->l->timer[s->timer];
	const struct kt_regs *r = &s->ev->regs;
	bool armed = (r->ctl & (KT_CTL_ENABLE | KT_CTL_IMASK)) == KT_CTL_ENABLE;
	struct step line = on(s, s->timer, KT_LANE_LINE);
	uint64_t deadline_ns = 0;
	bool high;

	t->direct = true;
	if (armed && t->offset_known)
		deadline_ns = kt_model_ticks_to_ns(s->m, r->cval_ticks + t->offset_ticks);
	if (s->ev->kind == KT_EV_SAVE) {
		/* CTL was read from the hardware: ISTATUS is the truth. */
		high = armed && r->ctl & KT_CTL_ISTATUS;
		wire_sample(s, s->timer, high);
		/* A direct timer's fall is published only at the next load. */
		if (!high && t->lane[KT_LANE_LINE].value && t->lane[KT_LANE_LINE].certainty)
			put(&line, 0, KT_INFERRED, t->lane[KT_LANE_LINE].known_ns, s->ev->ts_ns);
	} else {
		/* CTL comes from memory: its ISTATUS is as old as the save. */
		high = armed && (r->ctl & KT_CTL_ISTATUS ||
				 (deadline_ns && deadline_ns <= s->ev->ts_ns) ||
				 t->lane[KT_LANE_LINE].value);
		wire_sample(s, s->timer, high);
	}
	t->deadline_ns = high || !armed ? 0 : deadline_ns;
}

/* An emulated timer's registers are in memory, and stay as they are until the next evaluation. */
static void on_evaluation(const struct step *s)
{
	const struct kt_emulate *e = &s->ev->emulate;
	struct timer_lanes *t = &s->l->timer[s->timer];
	bool armed = e->flags & KT_EMULATE_REGS && t->offset_known &&
		     (e->ctl & (KT_CTL_ENABLE | KT_CTL_IMASK)) == KT_CTL_ENABLE;

	t->direct = false;
	wire_sample(s, s->timer, e->should_fire);
	t->deadline_ns = armed && !e->should_fire ?
		kt_model_ticks_to_ns(s->m, e->cval_ticks + t->offset_ticks) : 0;
}

/* ---- the line ---- */

static void on_update(const struct step *s)
{
	struct timer_lanes *t = &s->l->timer[s->timer];
	struct step line = on(s, s->timer, KT_LANE_LINE);
	struct step phys = on(s, s->timer, KT_LANE_PHYS);
	bool high = s->ev->level.level;

	/* The level was computed from the timer just now. */
	wire_sample(s, s->timer, high);
	if (!high && t->direct)
		sample(&line, 0, 0);
	else
		point(&line, high);
	/* The handler drops the priority only: the interrupt stays active (EOImode 1). */
	if (high && KT_SUB_AT(s->ev->sub) == KT_AT_HOST_IRQ)
		point(&phys, 1);
}

/* ---- list registers ---- */

static unsigned int lr_value(const struct kt_lr *lr)
{
	if (!(lr->state & KT_LR_PRESENT))
		return KT_LR_EMPTY;
	return lr->state & KT_LR_V2 ? lr->lr >> 28 & 3 : lr->lr >> 62 & 3;
}

static void on_lr(const struct step *s)
{
	struct timer_lanes *t = &s->l->timer[s->timer];
	struct step lr = on(s, s->timer, KT_LANE_LR), line = on(s, s->timer, KT_LANE_LINE);
	struct step phys = on(s, s->timer, KT_LANE_PHYS);
	unsigned int value = lr_value(&s->ev->lr), was = t->lane[KT_LANE_LR].value;
	bool gic_says = s->ev->lr.state & KT_LR_PHYS_KNOWN;

	t->lr_idx = s->ev->lr.lr_idx;
	switch (KT_SUB_AT(s->ev->sub)) {
	case KT_AT_FLUSH:
		point(&lr, value);
		if (!(s->ev->lr.state & KT_LR_UNREAD))
			t->lr_hw = s->ev->lr.state & KT_LR_HW;
		break;
	case KT_AT_FOLD_IN:
		sample(&lr, value, s->l->entry_ns);
		/* The guest's EOI of a HW list register deactivates the interrupt without a write. */
		if (was != KT_LR_EMPTY && value == KT_LR_EMPTY && t->lr_hw && !gic_says &&
		    t->lane[KT_LANE_PHYS].certainty && t->lane[KT_LANE_PHYS].value)
			put(&phys, 0, KT_INFERRED, s->l->entry_ns, s->ev->ts_ns);
		break;
	case KT_AT_FOLD_OUT:
		/* Populate lowered it for a mapped interrupt; only here it is the line again. */
		sample(&line, (s->ev->lr.state & KT_LR_LINE) != 0, s->l->entry_ns);
		break;
	}
	if (gic_says && t->lr_hw)
		sample(&phys, (s->ev->lr.state & KT_LR_PHYS) != 0, s->l->entry_ns);
}

/* ---- the vCPU ---- */

static void vcpu_state(const struct step *s, uint8_t value, uint64_t lo_ns)
{
	struct step own = on(s, KT_TIMER_NONE, KT_LANE_VCPU);

	put(&own, value, KT_CERTAIN, lo_ns, s->ev->ts_ns);
}

static void on_entered(const struct step *s)
{
	struct step masked = on(s, KT_TIMER_NONE, KT_LANE_PSTATE_I);

	s->l->entry_ns = s->ev->ts_ns;
	vcpu_state(s, KT_VCPU_GUEST, s->ev->ts_ns);
	blur(&masked);
	for (unsigned int i = 0; i < KT_TIMER_NR; i++) {
		struct step wire = on(s, i, KT_LANE_WIRE), lr = on(s, i, KT_LANE_LR);
		struct step phys = on(s, i, KT_LANE_PHYS);

		if (s->l->timer[i].direct) {
			blur(&wire);
			blur(&phys);
		}
		blur(&lr);
	}
}

static void on_exited(const struct step *s)
{
	struct step masked = on(s, KT_TIMER_NONE, KT_LANE_PSTATE_I);

	s->l->exit_ns = s->ev->ts_ns;
	vcpu_state(s, KT_VCPU_HOST, s->ev->ts_ns);
	if (s->ev->run.flags & KT_RUN_DAIF)
		sample(&masked, (s->ev->run.daif & KT_PSTATE_I) != 0, s->l->entry_ns);
}

static void on_put(const struct step *s)
{
	s->l->put_ns = s->ev->ts_ns;
	if (s->ev->regs.flags & KT_SAVE_PREEMPTED)
		vcpu_state(s, KT_VCPU_PREEMPTED, s->ev->ts_ns);
	else if (s->ev->regs.flags & KT_SAVE_BLOCKING)
		vcpu_state(s, KT_VCPU_BLOCKED, s->ev->ts_ns);
}

static void on_wakeup(const struct step *s)
{
	struct step own = on(s, KT_TIMER_NONE, KT_LANE_VCPU);
	uint64_t from_ns = s->ev->ts_ns - s->ev->wakeup.wait_ns;

	if (s->ev->wakeup.wait_ns > s->ev->ts_ns || from_ns < s->l->exit_ns)
		from_ns = s->l->exit_ns;
	/* A halt that polled has no put to show it. */
	if (!s->ev->wakeup.waited && from_ns)
		put(&own, KT_VCPU_BLOCKED, KT_CERTAIN, from_ns, from_ns);
	vcpu_state(s, KT_VCPU_HOST, s->ev->ts_ns);
}

static void on_user(const struct step *s)
{
	static const struct { uint8_t timer, bit; } bits[] = { { KT_VTIMER, 1 }, { KT_PTIMER, 2 } };

	vcpu_state(s, KT_VCPU_USER, s->l->put_ns);
	if (!(s->ev->user_exit.flags & KT_USER_EXIT_LEVEL))
		return;
	for (unsigned int i = 0; i < 2; i++) {
		struct step user = on(s, bits[i].timer, KT_LANE_USER);

		sample(&user, (s->ev->user_exit.device_irq_level & bits[i].bit) != 0, s->l->exit_ns);
	}
}

static void forget_all(const struct step *s)
{
	for (unsigned int t = 0; t < KT_TIMER_NR; t++) {
		for (unsigned int lane = 0; lane < KT_LANE_NR; lane++) {
			struct step one = on(s, t, lane);

			put(&one, 0, KT_UNKNOWN, s->ev->ts_ns, s->ev->ts_ns);
		}
		s->l->timer[t].deadline_ns = 0;
	}
	for (unsigned int lane = KT_LANE_NR; lane < KT_LANE_ALL; lane++) {
		struct step one = on(s, KT_TIMER_NONE, lane);

		put(&one, 0, KT_UNKNOWN, s->ev->ts_ns, s->ev->ts_ns);
	}
	s->l->entry_ns = s->l->exit_ns = s->l->put_ns = 0;
}

void kt_lanes_gap(struct kt_model *m, uint32_t index, const struct kt_event *ev)
{
	struct step s = { .m = m, .l = &m->lanes[index], .ev = ev, .vcpu = index,
			  .timer = KT_TIMER_NONE };

	forget_all(&s);
}

static void on_timer_event(const struct step *s)
{
	struct step phys = on(s, s->timer, KT_LANE_PHYS);
	struct timer_lanes *t = &s->l->timer[s->timer];

	switch (s->ev->kind) {
	case KT_EV_UPDATE_IRQ:
		on_update(s);
		break;
	case KT_EV_WIRE:
		wire_sample(s, s->timer, s->ev->level.level);
		break;
	case KT_EV_SAVE:
		on_put(s);
		on_registers(s);
		break;
	case KT_EV_RESTORE:
		vcpu_state(s, KT_VCPU_HOST, s->ev->ts_ns);
		on_registers(s);
		break;
	case KT_EV_EMULATE:
		on_evaluation(s);
		break;
	case KT_EV_OFFSET:
		t->offset_ticks = s->ev->offset.offset_ticks;
		t->offset_known = true;
		break;
	case KT_EV_LR:
		on_lr(s);
		break;
	case KT_EV_IRQCHIP:
		if (s->ev->irqchip.which == 1)
			point(&phys, s->ev->irqchip.val != 0);
		break;
	}
}

void kt_lanes_feed(struct kt_model *m, uint32_t index, const struct kt_event *ev)
{
	struct step s = { .m = m, .l = &m->lanes[index], .ev = ev, .vcpu = index,
			  .timer = KT_SUB_TIMER(ev->sub) };

	for (unsigned int i = 0; i < KT_TIMER_NR; i++)
		rise_at_deadline(&s, i);
	switch (ev->kind) {
	case KT_EV_ENTRY:
		on_entered(&s);
		return;
	case KT_EV_EXIT:
		on_exited(&s);
		return;
	case KT_EV_WAKEUP:
		on_wakeup(&s);
		return;
	case KT_EV_USER_EXIT:
		on_user(&s);
		return;
	case KT_EV_VCPU_GONE:
		forget_all(&s);
		vcpu_state(&s, KT_VCPU_GONE, ev->ts_ns);
		return;
	}
	if (s.timer < KT_TIMER_NR)
		on_timer_event(&s);
}
