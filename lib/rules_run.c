/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps about the vCPU: running, sleeping, and telling user space. */
#include "rules_private.h"

void kt_step_alternate(struct at *a)
{
	if (a->v->in_guest == NO_LEVEL)
		return;
	if (a->ev->kind == KT_EV_ENTRY)
		judge(a, !a->v->in_guest, a->v->entry_ns, "entered twice without an exit");
	else
		judge(a, a->v->in_guest, a->v->exit_ns, "left twice without an entry");
}

void kt_step_load_before_entry(struct at *a)
{
	for (unsigned int i = 0; i < KT_TIMER_NR; i++) {
		const struct rule_timer *t = &a->v->timer[i];

		if (t->role != ROLE_DIRECT || t->regs == REGS_UNKNOWN)
			continue;
		a->timer = i;
		judge(a, t->regs == REGS_LOADED, t->saved_ns,
		      "the guest was entered while a direct timer's registers were in memory");
	}
}

/*
 * Since 4.15 a timer stays in the hardware between load and put.  One put for
 * no reason may be an ioctl of another thread; an unbroken row of them is a
 * KVM that saves and restores at every exit.
 */
#define EAGER_ROW 16

void kt_step_lazy(struct at *a)
{
	struct rule_vcpu *v = a->v;

	if (!a->r->maps_seen || v->in_guest)
		return;
	if (!(v->put_since_exit && v->load_since_exit) || v->excused ||
	    (v->exit_code == KT_EXIT_TRAP && v->exit_ec == 0x18)) {
		v->eager = 0;
		if (!v->put_since_exit)
			held(a);
	} else if (++v->eager == EAGER_ROW) {
		v->eager = 0;
		kt_broke(a, v->exit_ns, "timers are saved and restored at every exit");
	}
}

/* ---- sleep ---- */

static uint64_t asleep_since(const struct rule_vcpu *v, const struct rule_timer *t)
{
	return t->deadline_ns > v->blocked_ns ? t->deadline_ns : v->blocked_ns;
}

/* Called when a blocked vCPU is awake again: RESTORE, WAKEUP or ENTRY. */
static void judge_sleep(struct at *a, bool expired)
{
	struct rule_vcpu *v = a->v;

	if (!v->blocked_ns)
		return;
	for (unsigned int i = 0; i < KT_TIMER_NR; i++) {
		const struct rule_timer *t = &v->timer[i];
		bool over = fires(t->ctl) || (t->deadline_ns && t->deadline_ns < v->blocked_ns);
		uint64_t due_ns;

		if (t->role == ROLE_UNKNOWN || !t->regs_known || !can_fire(t->ctl) || over != expired ||
		    (!over && !t->deadline_ns))
			continue;
		due_ns = over ? v->blocked_ns : asleep_since(v, t);
		a->timer = i;
		if (v->bg_ns >= due_ns && v->bg_ns) {
			if (v->bg_ns > due_ns + LATE_NS)
				late(a);
			else
				held(a);
		} else if (a->ev->ts_ns > due_ns + MISSING_NS) {
			kt_broke_late(a, v->blocked_ns,
				      "the vCPU slept past its timer's deadline: no background timer fired",
				      a->ev->ts_ns - due_ns);
		}
	}
}

void kt_step_wakeup(struct at *a)
{
	judge_sleep(a, false);
}

void kt_step_expired_sleep(struct at *a)
{
	judge_sleep(a, true);
}

/* ---- user space as the interrupt controller ---- */

static const uint8_t user_timers[] = { KT_VTIMER, KT_PTIMER };

void kt_step_notify(struct at *a)
{
	if (!user_irqchip(a->v))
		return;
	for (unsigned int i = 0; i < 2; i++) {
		const struct rule_timer *t = &a->v->timer[user_timers[i]];

		if (t->line == NO_LEVEL || t->user == NO_LEVEL)
			continue;
		a->timer = user_timers[i];
		/* Without the cache KVM compares the live output, which may have moved since it was published. */
		if (a->r->no_level_cache && t->line != t->user && t->role == ROLE_DIRECT &&
		    t->published_ns < a->v->user_ns) {
			legal(a);
			continue;
		}
		judge(a, t->line == t->user, t->published_ns,
		      "the level changed, and the guest was entered before user space was told");
	}
}

void kt_step_user_bit(struct at *a)
{
	static const uint8_t bit[] = { 1, 2 };

	if (!(a->ev->user_exit.flags & KT_USER_EXIT_LEVEL) || !user_irqchip(a->v))
		return;
	for (unsigned int i = 0; i < 2; i++) {
		const struct rule_timer *t = &a->v->timer[user_timers[i]];
		bool told = a->ev->user_exit.device_irq_level & bit[i];

		if (t->line == NO_LEVEL)
			continue;
		a->timer = user_timers[i];
		if (told != t->line && a->r->no_level_cache) {
			/* 0d27b4b35149: the page is written before the entry, from the live output. */
			legal(a);
			continue;
		}
		judge(a, told == t->line, t->published_ns,
		      "user space was shown another level than was published");
	}
}

/* ---- reset ---- */

void kt_step_reset_low(struct at *a)
{
	if (!a->v->reset_ns)
		return;
	for (unsigned int i = 0; i < KT_TIMER_NR; i++) {
		const struct rule_timer *t = &a->v->timer[i];

		if (!t->line && t->published_ns > a->v->reset_ns) {
			a->timer = i;
			held(a);
		} else if (t->reset) {
			a->timer = i;
			kt_broke(a, a->v->reset_ns, "the vCPU was reset, and the level was not published low");
		}
	}
}
