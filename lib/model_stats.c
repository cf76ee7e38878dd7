/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Figures: counts, times, exits by cause, and the hops of an interrupt.
 *
 * Times.  A vCPU's life is cut at entry and exit.  Between an exit and the next
 * entry the host works for it (host_ns), except while it is away: put by the
 * scheduler (preempted), asleep or polling in a halt (blocked), or its VMM has
 * the thread (user).  kvm_exit is traced after the list registers are folded
 * and after the window in which host interrupts are taken, so host_ns
 * understates by that much; guest_ns overstates by the same.
 */
#include <stdlib.h>

#include "model_private.h"

static void hist_add(struct kt_model *m, struct kt_hist **h, uint64_t value_ns)
{
	if (!*h) {
		*h = malloc(sizeof(**h));
		if (!*h) {
			m->oom = true;
			return;
		}
		kt_hist_init(*h);
	}
	kt_hist_add(*h, value_ns);
}

/* Clock conversion may be a little off: an interrupt is never before its deadline. */
static void hop(struct kt_model *m, unsigned int timer, enum kt_hop h, uint64_t from_ns,
		uint64_t to_ns)
{
	hist_add(m, &m->hop[timer][h], to_ns > from_ns ? to_ns - from_ns : 0);
}

static void sleep_hop(struct kt_model *m, enum kt_hop h, uint64_t from_ns, uint64_t to_ns)
{
	/* A halt has no one timer: the vtimer's column holds them, as it is what guests sleep on. */
	hop(m, KT_VTIMER, h, from_ns, to_ns);
}

/* ---- away and back ---- */

static void add_away(struct vcpu *v, uint64_t *sum, uint64_t ns)
{
	*sum += ns;
	v->away_ns += ns;
}

static void come_back(struct vcpu *v, uint64_t now_ns)
{
	uint64_t ns = v->put_ns && now_ns > v->put_ns ? now_ns - v->put_ns : 0;

	switch (v->away) {
	case AWAY_USER:
		add_away(v, &v->user_ns, ns);
		break;
	case AWAY_BLOCKED:
		add_away(v, &v->blocked_ns, ns);
		v->blocked_now_ns += ns;
		break;
	case AWAY_PREEMPTED:
		add_away(v, &v->preempted_ns, ns);
		break;
	}
	v->away = AWAY_NO;
	v->put_ns = 0;
}

static void on_save_away(struct vcpu *v, const struct kt_event *ev)
{
	v->loaded = false;
	if (v->away != AWAY_NO)
		return;		/* the second timer of the same put */
	v->put_ns = ev->ts_ns;
	if (ev->regs.flags & KT_SAVE_PREEMPTED)
		v->away = AWAY_PREEMPTED;
	else if (ev->regs.flags & KT_SAVE_BLOCKING)
		v->away = AWAY_BLOCKED;
	else
		v->away = AWAY_HOST;	/* until a user_exit says it is the VMM */
}

/* ---- registers ---- */

/* A direct timer's fall is not published: a later sample finds it low. */
static void fell_unseen(struct timer_stats *t)
{
	if (t->line != 1)
		return;
	t->line = 0;
	t->raised_ns = 0;
}

static void on_regs(struct kt_model *m, struct vcpu *v, struct timer_stats *t,
		    const struct kt_event *ev)
{
	t->ctl = ev->regs.ctl;
	t->cval_ticks = ev->regs.cval_ticks;
	t->cval_fresh = true;
	if (ev->kind == KT_EV_SAVE) {
		/* CTL is the hardware's: ISTATUS is the truth. */
		if ((t->ctl & (KT_CTL_ENABLE | KT_CTL_IMASK | KT_CTL_ISTATUS)) != (KT_CTL_ENABLE | KT_CTL_ISTATUS))
			fell_unseen(t);
		v->saves++;
		on_save_away(v, ev);
		return;
	}
	v->restores++;
	v->loaded = true;
	v->pcpu = ev->pcpu;
	come_back(v, ev->ts_ns);
	if (v->sleep_stage == KT_HOP_LOAD) {
		sleep_hop(m, KT_HOP_LOAD, v->sleep_ns, ev->ts_ns);
		v->sleep_ns = ev->ts_ns;
		v->sleep_stage = KT_HOP_RESUME;
	}
}

static uint64_t exact_deadline(const struct kt_model *m, const struct timer_stats *t)
{
	if (!t->cval_fresh || !t->offset_known || (t->ctl & 3) != KT_CTL_ENABLE)
		return 0;
	return kt_model_ticks_to_ns(m, t->cval_ticks + t->offset_ticks);
}

/* ---- the line ---- */

static void fired(struct kt_model *m, struct timer_stats *t, unsigned int timer, uint64_t now_ns,
		  uint64_t deadline_ns)
{
	t->host_irqs++;
	t->fired_ns = now_ns;
	t->deadline_ns = deadline_ns && deadline_ns <= now_ns ? deadline_ns : 0;
	if (t->deadline_ns)
		hop(m, timer, KT_HOP_EXPIRY, deadline_ns, now_ns);
}

static void on_update(struct kt_model *m, struct vcpu *v, struct timer_stats *t,
		      const struct kt_event *ev)
{
	unsigned int timer = KT_SUB_TIMER(ev->sub);

	t->published++;
	if (KT_SUB_AT(ev->sub) == KT_AT_HOST_IRQ && v->irq_ns) {
		fired(m, t, timer, v->irq_ns, exact_deadline(m, t));
		v->irq_ns = 0;
	}
	if (ev->level.level) {
		if (t->line == 0) {
			t->rises++;
			t->raised_ns = ev->ts_ns;
		} else if (t->line == LINE_UNKNOWN || (t->lr == KT_LR_EMPTY && !t->raised_ns)) {
			/* A direct timer's fall is not published: high again after a retired LR. */
			t->raised_ns = ev->ts_ns;
			t->rises += t->line != LINE_UNKNOWN && t->fired_ns;
		}
		if (t->fired_ns)
			hop(m, timer, KT_HOP_RAISE, t->fired_ns, ev->ts_ns);
	} else {
		if (t->line == 1 && t->lr != KT_LR_EMPTY)
			t->low_ns = ev->ts_ns;
		t->raised_ns = t->in_lr_ns = t->deadline_ns = 0;
	}
	t->fired_ns = 0;
	t->line = ev->level.level != 0;
}

/* ---- list registers ---- */

static unsigned int lr_value(const struct kt_event *ev)
{
	bool v2 = ev->lr.state & KT_LR_V2;

	if (!(ev->lr.state & KT_LR_PRESENT))
		return KT_LR_EMPTY;
	return v2 ? ev->lr.lr >> 28 & 3 : ev->lr.lr >> 62 & 3;
}

static void on_lr(struct kt_model *m, struct timer_stats *t, const struct kt_event *ev)
{
	unsigned int timer = KT_SUB_TIMER(ev->sub), value = lr_value(ev);

	switch (KT_SUB_AT(ev->sub)) {
	case KT_AT_FLUSH:
		if (value & KT_LR_PENDING && !(t->lr & KT_LR_PENDING)) {
			t->injections++;
			if (t->raised_ns)
				hop(m, timer, KT_HOP_LR, t->raised_ns, ev->ts_ns);
			t->raised_ns = 0;
			t->in_lr_ns = ev->ts_ns;
		}
		break;
	case KT_AT_FOLD_OUT:
		/* Populate lowered it for a mapped interrupt; only here it is the line again. */
		if (!(ev->lr.state & KT_LR_LINE))
			fell_unseen(t);
		return;
	}
	if (value == KT_LR_EMPTY && t->lr != KT_LR_EMPTY && t->low_ns) {
		hop(m, timer, KT_HOP_RETIRE, t->low_ns, ev->ts_ns);
		t->low_ns = 0;
	}
	t->lr = value;
}

/* ---- entry and exit ---- */

static void close_exit(struct kt_model *m, struct vcpu *v, uint64_t now_ns)
{
	uint64_t host_ns;

	if (!v->exit_ns)
		return;
	host_ns = now_ns - v->exit_ns;
	host_ns -= v->away_ns < host_ns ? v->away_ns : host_ns;
	v->host_ns += host_ns;
	hist_add(m, &m->exit_hist[v->cause], host_ns);
	if (v->vm) {
		m->vm[v->vm - 1].info.exits[v->cause]++;
		m->vm[v->vm - 1].info.host_ns[v->cause] += host_ns;
	}
	v->exit_ns = 0;
}

static void entered_with(struct kt_model *m, struct timer_stats *t, unsigned int timer,
			 uint64_t now_ns)
{
	t->cval_fresh = false;
	if (!t->in_lr_ns)
		return;
	hop(m, timer, KT_HOP_ENTER, t->in_lr_ns, now_ns);
	if (t->deadline_ns)
		hop(m, timer, KT_HOP_TOTAL, t->deadline_ns, now_ns);
	t->in_lr_ns = t->deadline_ns = 0;
}

static void on_guest_entry(struct kt_model *m, struct vcpu *v, const struct kt_event *ev)
{
	if (v->away != AWAY_NO)
		come_back(v, ev->ts_ns);
	close_exit(m, v, ev->ts_ns);
	v->entries++;
	if (v->entry_ns && v->pcpu != ev->pcpu)
		v->migrations++;
	v->pcpu = ev->pcpu;
	v->entry_ns = ev->ts_ns;
	v->in_guest = true;
	v->loaded = true;
	v->timer_irq = false;
	v->away_ns = v->blocked_now_ns = 0;
	entered_with(m, &v->timer[KT_PTIMER], KT_PTIMER, ev->ts_ns);
	entered_with(m, &v->timer[KT_VTIMER], KT_VTIMER, ev->ts_ns);
	if (v->sleep_stage) {
		if (v->sleep_stage == KT_HOP_RESUME)
			sleep_hop(m, KT_HOP_RESUME, v->sleep_ns, ev->ts_ns);
		v->sleep_stage = 0;
	}
}

static void on_guest_exit(struct vcpu *v, const struct kt_event *ev)
{
	v->exits++;
	if (v->in_guest)
		v->guest_ns += ev->ts_ns - v->entry_ns;
	v->in_guest = false;
	v->exit_ns = ev->ts_ns;
	v->cause = kt_exit_cause(ev);
	/* The handler runs after the fold and before this tracepoint. */
	if (ev->run.code == KT_EXIT_IRQ && v->timer_irq)
		v->cause = KT_CAUSE_IRQ_TIMER;
}

/* Halt-polling has no put around it; of a longer halt only the sleep has. */
static void on_wakeup(struct vcpu *v, const struct kt_event *ev)
{
	uint64_t wait_ns = ev->wakeup.wait_ns, most = v->exit_ns ? ev->ts_ns - v->exit_ns : 0;

	if (wait_ns > most)
		wait_ns = most;
	if (wait_ns > v->blocked_now_ns) {
		add_away(v, &v->blocked_ns, wait_ns - v->blocked_now_ns);
		v->blocked_now_ns = wait_ns;
	}
}

static void on_map(struct kt_model *m, struct vcpu *v, const struct kt_event *ev)
{
	if (KT_SUB_AT(ev->sub) == KT_AT_HOST_IRQ) {
		v->timer_irq = true;
		v->irq_ns = ev->ts_ns;
		return;
	}
	if (v->sleep_stage == KT_HOP_RUNQ) {
		sleep_hop(m, KT_HOP_RUNQ, v->sleep_ns, ev->ts_ns);
		v->sleep_ns = ev->ts_ns;
		v->sleep_stage = KT_HOP_LOAD;
	}
}

static void on_bg_expire(struct kt_model *m, struct vcpu *v, const struct kt_event *ev)
{
	if (v->away != AWAY_BLOCKED)
		return;
	if (ev->hrtimer.expires_ns)
		sleep_hop(m, KT_HOP_WAKE, ev->hrtimer.expires_ns, ev->ts_ns);
	v->sleep_ns = ev->ts_ns;
	v->sleep_stage = KT_HOP_RUNQ;
}

void kt_stats_feed(struct kt_model *m, struct vcpu *v, const struct kt_event *ev)
{
	struct timer_stats *t = timer_stats(v, KT_SUB_TIMER(ev->sub));

	if (!v->events++)
		v->first_ns = ev->ts_ns;
	v->last_ns = ev->ts_ns;
	switch (ev->kind) {
	case KT_EV_ENTRY:
		on_guest_entry(m, v, ev);
		return;
	case KT_EV_EXIT:
		on_guest_exit(v, ev);
		return;
	case KT_EV_MAP:
		on_map(m, v, ev);
		return;
	case KT_EV_WAKEUP:
		on_wakeup(v, ev);
		return;
	case KT_EV_BG_EXPIRE:
		on_bg_expire(m, v, ev);
		return;
	case KT_EV_USER_EXIT:
		if (v->away == AWAY_HOST)
			v->away = AWAY_USER;
		if (v->vm)
			m->vm[v->vm - 1].info.user_exits++;
		return;
	case KT_EV_VCPU_GONE:
		v->gone = true;
		return;
	}
	if (!t)
		return;
	switch (ev->kind) {
	case KT_EV_UPDATE_IRQ:
		on_update(m, v, t, ev);
		break;
	case KT_EV_SAVE:
	case KT_EV_RESTORE:
		on_regs(m, v, t, ev);
		break;
	case KT_EV_OFFSET:
		t->offset_ticks = ev->offset.offset_ticks;
		t->offset_known = true;
		break;
	case KT_EV_LR:
		on_lr(m, t, ev);
		break;
	case KT_EV_HRTIMER_EXPIRE:
		/* Traced before the kernel checks whether the deadline has really passed. */
		if (ev->ts_ns >= ev->hrtimer.expires_ns)
			fired(m, t, KT_SUB_TIMER(ev->sub), ev->ts_ns, ev->hrtimer.expires_ns);
		break;
	}
}

/* What was in flight is no longer known to belong together. */
void kt_stats_gap(struct vcpu *v)
{
	v->entry_ns = v->exit_ns = v->put_ns = v->irq_ns = 0;
	v->away_ns = v->blocked_now_ns = 0;
	v->away = AWAY_NO;
	v->sleep_stage = 0;
	v->in_guest = v->timer_irq = v->loaded = false;
	for (unsigned int i = 0; i < KT_TIMER_NR; i++) {
		struct timer_stats *t = timer_stats(v, i);

		if (!t)
			continue;
		t->fired_ns = t->deadline_ns = t->raised_ns = t->in_lr_ns = t->low_ns = 0;
		t->line = LINE_UNKNOWN;
		t->lr = KT_LR_EMPTY;
		t->cval_fresh = false;
	}
}

void kt_stats_finish(struct kt_model *m, struct vcpu *v)
{
	uint64_t end_ns = m->totals.last_ns;

	if (v->gone)
		return;
	if (v->in_guest && v->entry_ns)
		v->guest_ns += end_ns - v->entry_ns;
	else if (v->away != AWAY_NO)
		come_back(v, end_ns);
}
