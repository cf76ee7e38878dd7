/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vgic since 4.7: interrupts that want a list register sit on the vCPU's
 * ap_list; flush populates list registers from it, sync folds them back and
 * prunes it.  The order of the list matters only when it is longer than the
 * list registers, which two timers are not: they sit in a fixed order.
 */
#include <errno.h>
#include <string.h>

#include "machine_private.h"

static bool is_pending(const struct kt_mirq *irq)
{
	return irq->pending_latch || irq->line_level;
}

/* vgic_target_oracle: does it belong into a list register? */
static bool wants_lr(const struct kt_mirq *irq)
{
	return irq->active || (irq->enabled && is_pending(irq));
}

/* A level interrupt whose line is a physical one: it is asked, not told, when it falls. */
static bool mapped_level(const struct kt_ctx *c, unsigned int t)
{
	return c->m->semantics == KT_SEM_MAPPED && !kt_emulated(c->m, t);
}

struct kt_mlr *kt_vgic_find_lr(struct kt_mvcpu *v, unsigned int t)
{
	for (unsigned int i = 0; i < KT_MACHINE_TIMERS; i++)
		if (v->lr[i].state && v->lr[i].timer == t)
			return &v->lr[i];
	return NULL;
}

/* vgic_queue_irq_unlock: a 0 never takes off the list, sync prunes. */
static void queue_irq(struct kt_mirq *irq)
{
	if (wants_lr(irq))
		irq->on_ap_list = 1;
}

/* kvm_vgic_inject_irq, with what vgic_validate_injection lets through: a change of a level. */
void kt_vgic_inject(const struct kt_ctx *c, unsigned int t, bool level)
{
	struct kt_mirq *irq = &c->v->irq[t];

	if (irq->line_level == level)
		return;
	irq->line_level = level;
	queue_irq(irq);
}

static bool get_input_level(const struct kt_ctx *c, unsigned int t)
{
	bool level = kt_timer_should_fire(c, t);

	kt_emit_level(c, KT_EV_WIRE, t, KT_AT_INPUT_LEVEL, level);
	return level;
}

static void deactivate_phys(const struct kt_ctx *c, unsigned int t)
{
	if (c->m->fault == KT_FAULT_LOST)
		return;
	c->cpu->active[t] = 0;
	kt_emit_phys_active(c, t, false);
}

/* ---- flush ---- */

static void populate_lr(const struct kt_ctx *c, unsigned int t, struct kt_mlr *lr)
{
	struct kt_mirq *irq = &c->v->irq[t];

	lr->timer = t;
	lr->hw = !kt_emulated(c->m, t);
	/* Never both: of a mapped interrupt the distributor keeps the pending half. */
	if (irq->active)
		lr->state = KT_MLR_ACTIVE;
	else if (is_pending(irq))
		lr->state = KT_MLR_PENDING;
	/*
	 * e40cc57bac79: only rising edges of a mapped level are seen, so the line
	 * is lowered here for the next one to count.
	 */
	if (mapped_level(c, t) && lr->state & KT_MLR_PENDING)
		irq->line_level = 0;
}

void kt_vgic_flush_hwstate(const struct kt_ctx *c)
{
	c->v->used_lrs = 0;
	for_each_timer(t)
		if (c->v->irq[t].on_ap_list && wants_lr(&c->v->irq[t]))
			populate_lr(c, t, &c->v->lr[c->v->used_lrs++]);
	kt_emit_lrs(c, KT_AT_FLUSH);
}

/* ---- sync ---- */

/*
 * vgic_irq_handle_resampling.  The three cases of e40cc57bac79: acknowledged,
 * nothing to ask; never acknowledged and still asserted, the line keeps it
 * pending; never acknowledged and fallen, the physical interrupt is
 * deactivated too, or its next assertion would go unnoticed.  3134cc8beb69
 * added the deactivation with a line left up by a load.
 */
static void resample(const struct kt_ctx *c, unsigned int t, bool deactivated, bool lr_pending)
{
	struct kt_mirq *irq = &c->v->irq[t];

	if (!mapped_level(c, t) || (!lr_pending && !(deactivated && irq->line_level)))
		return;
	irq->line_level = get_input_level(c, t) || c->m->fault == KT_FAULT_LATE;
	if (!irq->line_level)
		deactivate_phys(c, t);
}

static void fold_lr(const struct kt_ctx *c, const struct kt_mlr *lr)
{
	struct kt_mirq *irq = &c->v->irq[lr->timer];
	bool was_active = irq->active;

	irq->active = (lr->state & KT_MLR_ACTIVE) != 0;
	if (!lr->state)
		irq->pending_latch = 0;		/* acknowledged: what software pended is served */
	resample(c, lr->timer, was_active && !irq->active, lr->state & KT_MLR_PENDING);
}

static void prune_ap_list(struct kt_mvcpu *v)
{
	for_each_timer(t)
		if (!wants_lr(&v->irq[t]))
			v->irq[t].on_ap_list = 0;
}

void kt_vgic_sync_hwstate(const struct kt_ctx *c)
{
	if (c->v->used_lrs) {
		kt_emit_lrs(c, KT_AT_FOLD_IN);
		for (unsigned int i = 0; i < c->v->used_lrs; i++)
			fold_lr(c, &c->v->lr[i]);
		memset(c->v->lr, 0, sizeof(c->v->lr));
		c->v->used_lrs = 0;
		kt_emit_lrs(c, KT_AT_FOLD_OUT);
	}
	prune_ap_list(c->v);
}

bool kt_vgic_pending_irq(const struct kt_ctx *c)
{
	for_each_timer(t) {
		const struct kt_mirq *irq = &c->v->irq[t];

		if (irq->enabled && is_pending(irq) && !irq->active)
			return true;
	}
	return false;
}

/* ---- the guest at the distributor ---- */

/* vgic_mmio_write_senable: 16e604a437c8 asks a mapped level again, it may have changed meanwhile. */
int kt_vgic_enable(const struct kt_ctx *c, unsigned int t, bool enable)
{
	struct kt_mirq *irq = &c->v->irq[t];
	bool was_high = irq->line_level;

	if (!enable) {
		irq->enabled = 0;
		return 0;
	}
	if (mapped_level(c, t)) {
		irq->line_level = get_input_level(c, t);
		if (!irq->active && was_high && !irq->line_level)
			deactivate_phys(c, t);
	}
	irq->enabled = 1;
	queue_irq(irq);
	return 0;
}

/* vgic_hw_irq_spending: the guest will deactivate it, so it must be active physically. */
int kt_vgic_set_pending(const struct kt_ctx *c, unsigned int t)
{
	if (c->m->semantics != KT_SEM_MAPPED)
		return -EPERM;
	c->v->irq[t].pending_latch = 1;
	if (mapped_level(c, t)) {
		c->cpu->active[t] = 1;
		kt_emit_phys_active(c, t, true);
	}
	queue_irq(&c->v->irq[t]);
	return 0;
}
