/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps about list registers and the physical active state: detail "lr". */
#include "rules_private.h"

/* ---- what the guest gets: flush ---- */

/*
 * Pending in a list register means that the line is up, or that the guest set
 * the pending latch itself.  Two witnesses of a low line: the last publication,
 * and the sample at fold.
 */
static bool pends(const struct at *a)
{
	return lr_value(a->ev) & KT_LR_PENDING && !(a->ev->lr.state & KT_LR_LATCH);
}

void kt_step_no_pending_low(struct at *a)
{
	struct rule_timer *t = a->t;
	/*
	 * Up to 4.15 timers are saved at each exit, which is a witness too, and the
	 * list register may stay pending for the one entry after the line fell
	 * (4b4b4512da2a: sync looks at the line once the physical state is inactive).
	 */
	bool saved_low = !a->r->maps_seen && t->saved_known && !fires(t->saved_ctl) &&
			 t->saved_ns > t->published_ns;
	unsigned int allowed = a->r->maps_seen ? 0 : 1;

	if (context(a->ev) != KT_AT_FLUSH || t->line == NO_LEVEL || t->wire == 0)
		return;
	if (!pends(a) || (t->line == 1 && !saved_low)) {
		t->low_flushes = 0;
		if (t->line == 0 || pends(a))
			held(a);
		return;
	}
	judge(a, t->low_flushes++ < allowed, saved_low ? t->saved_ns : t->published_ns,
	      "pending in a list register although the line is low");
}

void kt_step_low_retires(struct at *a)
{
	if (context(a->ev) != KT_AT_FLUSH || a->t->wire != 0)
		return;
	judge(a, !pends(a), a->t->wire_ns,
	      "pending in a list register although the output was low at the last fold");
}

/* The physical side would deliver it twice. */
void kt_step_no_pending_active(struct at *a)
{
	unsigned int value = lr_value(a->ev);

	if (context(a->ev) != KT_AT_FLUSH || !value || !kt_lr_hw(a->ev->lr.lr, lr_is_v2(a->ev)))
		return;
	judge(a, value != KT_LR_PENDING_ACTIVE, a->ev->ts_ns,
	      "a hardware list register is pending and active");
}

void kt_step_unique_lr(struct at *a)
{
	if (context(a->ev) != KT_AT_FLUSH || !a->ev->lr.named)
		return;
	judge(a, a->ev->lr.named == 1, a->ev->ts_ns, "two list registers name the same interrupt");
}

/* Every implementation has at least four list registers when used to the brim. */
#define FEW_LRS 4

void kt_step_delivery(struct at *a)
{
	const struct kt_lr *lr = &a->ev->lr;
	bool wanted = lr->state & KT_LR_ENABLED && lr->state & (KT_LR_LINE | KT_LR_LATCH);

	if (context(a->ev) != KT_AT_FLUSH)
		return;
	if (lr_value(a->ev)) {
		if (a->t->line == 1 || lr->state & KT_LR_LATCH)
			held(a);
		return;
	}
	/* A soft timer on another CPU may raise the line after the registers were filled. */
	if (!wanted || lr->state & (KT_LR_DIST_OFF | KT_LR_ACTIVE) || lr->used >= FEW_LRS ||
	    a->t->from_soft)
		return;
	kt_broke(a, a->t->published_ns ? a->t->published_ns : a->ev->ts_ns,
		 "the line is up and the interrupt enabled, but no list register has it");
}

void kt_step_flush_mirror(struct at *a)
{
	const struct kt_lr *lr = &a->ev->lr;
	unsigned int value = lr_value(a->ev);

	if (!a->r->maps_seen)
		return;
	if (context(a->ev) != KT_AT_FLUSH || !value)
		return;
	judge(a, !(value & KT_LR_ACTIVE_) == !(lr->state & KT_LR_ACTIVE), a->ev->ts_ns,
	      "active in the list register and not in the vgic, or the other way round");
	judge(a, !(value & KT_LR_PENDING) || lr->state & KT_LR_ENABLED, a->ev->ts_ns,
	      "pending in a list register although the guest has disabled the interrupt");
	judge(a, !kt_lr_hw(lr->lr, lr_is_v2(a->ev)) || lr->state & KT_LR_HW, a->ev->ts_ns,
	      "a hardware list register for an interrupt that is not mapped");
	/* Hosts without hardware deactivation use the other of the two. */
	judge(a, !(lr->state & KT_LR_HW) || kt_lr_hw(lr->lr, lr_is_v2(a->ev)) ||
	      kt_lr_eoi(lr->lr, lr_is_v2(a->ev)), a->ev->ts_ns,
	      "a mapped interrupt, and the guest's end of it would neither deactivate the physical one nor exit");
}

/* 16e604a437c8: the guest may have changed the timer while the distributor did not listen. */
void kt_step_enable_resample(struct at *a)
{
	if (context(a->ev) != KT_AT_FLUSH || !pends(a) || a->t->off == OFF_NO || !a->r->wires_seen)
		return;
	judge(a, a->t->off == OFF_SAMPLED, a->t->off_ns,
	      "pending by a level from when the interrupt was disabled, not sampled since");
}

/* ---- what it left: fold ---- */

/* What a guest can make of a list register: acknowledge, end, or leave it. */
void kt_step_lr_transition(struct at *a)
{
	const struct rule_timer *t = a->t;
	unsigned int value = lr_value(a->ev);
	bool good;

	if (context(a->ev) != KT_AT_FOLD_IN)
		return;
	if (!t->flushed) {
		/* Only what was sampled at flush is sampled at fold. */
		if (a->v->in_guest == 1 && a->v->exit_ns)
			kt_broke(a, a->v->entry_ns, "a list register came back that was never given to the guest");
		return;
	}
	if (t->flush_lr == KT_LR_EMPTY)
		good = value == KT_LR_EMPTY;
	else if (t->flush_lr == KT_LR_ACTIVE_)
		good = !(value & KT_LR_PENDING);
	else
		good = t->flush_lr == KT_LR_PENDING_ACTIVE || value != KT_LR_PENDING_ACTIVE;
	judge(a, good, t->flush_ns, "the list register came back in a state that no guest can make");
	if (value)
		judge(a, kt_lr_vintid(a->ev->lr.lr, lr_is_v2(a->ev)) ==
		      kt_lr_vintid(t->flush_word, lr_is_v2(a->ev)) &&
		      kt_lr_hw(a->ev->lr.lr, lr_is_v2(a->ev)) == t->flush_hw, t->flush_ns,
		      "the list register came back with another interrupt");
}

/* After the registers are filled nothing comes but the entry, or a fold that gives up. */
static void flushed_then(struct at *a, const char *seen)
{
	for (unsigned int i = 0; i < nr_timers(a->v); i++) {
		const struct rule_timer *t = timer_of(a->v, i);

		/* With all registers empty an entry that is given up needs no fold. */
		if (t->flushed && t->flush_lr) {
			a->timer = i;
			kt_broke(a, t->flush_ns, seen);
		}
	}
}

/* Flush, entry, fold in, fold out, exit: for each interrupt that is in a list register. */
void kt_step_fold_pairs(struct at *a)
{
	const struct rule_timer *t = a->t;

	if (!a->r->maps_seen)
		return;
	if (!a->t && !a->v->lr_busy)
		return;
	switch (a->ev->kind) {
	case KT_EV_EXIT:
		flushed_then(a, "left the guest without a fold");
		return;
	case KT_EV_UPDATE_IRQ:
	case KT_EV_MAP:
		if (context(a->ev) != KT_AT_TASK || a->v->in_guest)
			return;
		/* fall through */
	case KT_EV_SAVE:
	case KT_EV_RESTORE:
	case KT_EV_EMULATE:
	case KT_EV_WFX:
	case KT_EV_WAKEUP:
	case KT_EV_USER_EXIT:
		flushed_then(a, "KVM did something else between flush and entry");
		return;
	case KT_EV_ENTRY:
		for (unsigned int i = 0; i < nr_timers(a->v); i++) {
			t = timer_of(a->v, i);
			a->timer = i;
			if (t->folding)
				kt_broke(a, t->fold_ns, "entered in the middle of a fold");
			else if (t->open)
				judge(a, t->flush_fresh, t->flush_ns, "entered without a flush of an interrupt that was in a list register");
		}
		return;
	}
	if (!t)
		return;
	switch (context(a->ev)) {
	case KT_AT_FLUSH:
		if (t->flushed && t->flush_lr)
			kt_broke(a, t->flush_ns, "flushed twice without a fold");
		return;
	case KT_AT_FOLD_IN:
		if (t->folding)
			kt_broke(a, t->fold_ns, "folded again before the fold ended");
		else if (t->flushed && a->v->in_guest != NO_LEVEL)
			judge(a, a->v->in_guest == 1 || t->flush_fresh, t->flush_ns, "folded after the exit");
		return;
	case KT_AT_FOLD_OUT:
		if (t->flushed && t->flush_lr)
			judge(a, t->folding, t->flush_ns, "folded without having looked at the list register");
		return;
	}
}

void kt_step_fold_active(struct at *a)
{
	if (!a->r->maps_seen)
		return;
	if (context(a->ev) != KT_AT_FOLD_OUT || !a->t->folding || !a->t->flushed)
		return;
	judge(a, a->t->fold_active == ((a->ev->lr.state & KT_LR_ACTIVE) != 0), a->t->fold_ns,
	      "the vgic's active state is not the list register's");
}

/* Only a sample at fold, or a soft timer while the guest ran, moves the line between flush and fold. */
void kt_step_line_kept(struct at *a)
{
	const struct rule_timer *t = a->t;

	if (!a->r->maps_seen)
		return;
	if (context(a->ev) != KT_AT_FOLD_OUT || !t->folding || !t->flushed || t->fold_wire != NO_LEVEL ||
	    t->published_ns > t->flush_ns || t->fold_pending || t->line_at_flush == NO_LEVEL)
		return;
	judge(a, ((a->ev->lr.state & KT_LR_LINE) != 0) == t->line_at_flush, t->flush_ns,
	      "the vgic's line moved between flush and fold without a sample");
}

static void resampled(struct at *a)
{
	const struct rule_timer *t = a->t;

	if (t->fold_wire == NO_LEVEL) {
		kt_broke(a, t->fold_ns, "folded without sampling the timer's output");
		return;
	}
	judge(a, ((a->ev->lr.state & KT_LR_LINE) != 0) == t->fold_wire, t->fold_ns,
	      t->fold_wire ? "the output was high at fold, and the vgic's line stayed low" :
	      "the output was low at fold, and the vgic's line stayed high");
	if (t->fold_wire == 0 && a->r->irqchips_seen)
		judge(a, t->phys == 0 && t->phys_ns >= t->fold_wire_ns, t->fold_ns,
		      "the output was low at fold, and the physical interrupt was left active");
}

void kt_step_fold_resample(struct at *a)
{
	if (!a->r->maps_seen)
		return;
	if (context(a->ev) == KT_AT_FOLD_OUT && a->t->folding && a->t->fold_pending && a->r->wires_seen)
		resampled(a);
}

/* 5.15 and later (3134cc8beb69): it may have fallen while the interrupt was active. */
void kt_step_deactivate_resample(struct at *a)
{
	if (!a->r->maps_seen)
		return;
	if (context(a->ev) == KT_AT_FOLD_OUT && a->t->folding && a->t->fold_dropped &&
	    a->t->line_at_flush == 1 && a->r->wires_seen && a->r->resamples)
		resampled(a);
}

/* ---- the physical interrupt ---- */

/* A hardware list register needs its physical interrupt active, else it fires again underneath. */
void kt_step_active_mirror(struct at *a)
{
	if (!a->r->maps_seen)
		return;
	for (unsigned int i = 0; i < nr_timers(a->v); i++) {
		const struct rule_timer *t = timer_of(a->v, i);

		if (!t->flush_fresh || !t->flush_lr || !t->flush_hw || t->phys == NO_LEVEL)
			continue;
		a->timer = i;
		judge(a, t->phys == 1, t->phys_ns,
		      "a hardware list register is in use, and the physical interrupt was last written inactive");
	}
}

/* kvm_timer_vcpu_load_gic: level or virtual active => physical active. */
void kt_step_phys_at_load(struct at *a)
{
	const struct rule_timer *t = a->t;

	if (!a->r->irqchips_seen || t->load_level == NO_LEVEL || !t->map_since)
		return;
	/* Both timers are published and written before the registers of either move. */
	for (unsigned int i = 0; i < 2; i++) {
		const struct rule_timer *other = timer_of(a->v, i);

		if (other == t || a->v->map[0] == -2 || !direct_by_map(a->v, i) || other->regs != REGS_SAVED)
			continue;
		judge(a, other->load_level != NO_LEVEL && other->phys_ns >= a->v->map_ns, a->v->map_ns,
		      "one timer was restored before the other's level was published and its active state written");
	}
	if (t->phys_ns < a->v->map_ns || t->phys_ns < t->published_ns)
		kt_broke(a, a->v->map_ns, "loaded without writing the physical active state after the level");
	else
		judge(a, t->phys == 1 || !t->load_level, t->published_ns,
		      "loaded with the line high, and the physical interrupt inactive");
}

/* Active with nothing in flight: this timer would never interrupt the host again. */
void kt_step_phys_idle(struct at *a)
{
	if (!a->r->irqchips_seen || (!a->r->lrs_seen && !user_irqchip(a->v)) ||
	    (a->ev->kind == KT_EV_EXIT && !user_irqchip(a->v)))
		return;
	for (unsigned int i = 0; i < nr_timers(a->v); i++) {
		const struct rule_timer *t = timer_of(a->v, i);

		if (t->phys == NO_LEVEL || t->line == NO_LEVEL)
			continue;
		a->timer = i;
		/* Without a vgic nothing but the level decides. */
		if (user_irqchip(a->v)) {
			if (t->role == ROLE_DIRECT)
				judge(a, t->phys == t->line, t->phys_ns, "the physical active state is not the line's level");
			continue;
		}
		if (!t->phys)
			continue;
		judge(a, t->line == 1 || (t->flush_fresh && t->flush_lr), t->phys_ns,
		      "the physical interrupt is active, the line low and no list register in use");
	}
}
