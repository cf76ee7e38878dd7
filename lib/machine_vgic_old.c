/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vgic before 4.7: bitmaps, and list registers that keep their contents
 * from one entry to the next.  Only the vtimer is mapped to hardware here.
 *
 *   4.3		the PPI is edge-triggered: once queued, it stays
 *   4b4b4512da2a	the PPI is level-triggered, and sync looks at the line, but only once
 *			the physical interrupt is no longer active
 */
#include "machine_private.h"

#define T KT_VTIMER

static bool is_edge(const struct kt_ctx *c)
{
	return c->m->semantics == KT_SEM_EDGE;
}

/* A level interrupt that is in a list register is not looked at again. */
static bool can_sample_irq(const struct kt_ctx *c)
{
	return is_edge(c) || !c->v->irq[T].queued;
}

/* vgic_update_irq_pending, behind vgic_validate_injection. */
void kt_old_vgic_inject(const struct kt_ctx *c, unsigned int t, bool level)
{
	struct kt_mirq *irq = &c->v->irq[t];

	if (is_edge(c)) {
		if (level)
			irq->pending = 1;	/* a falling line takes nothing back */
		return;
	}
	irq->line_level = level;
	irq->pending = level;
}

static bool queue_irq(const struct kt_ctx *c)
{
	struct kt_mirq *irq = &c->v->irq[T];
	struct kt_mlr *lr = &c->v->lr[0];

	if (!irq->pending || !can_sample_irq(c))
		return false;
	lr->timer = T;
	lr->hw = 1;
	lr->state |= KT_MLR_PENDING;
	irq->queued = 1;
	if (is_edge(c))
		irq->pending = 0;
	return true;
}

void kt_old_vgic_flush_hwstate(const struct kt_ctx *c)
{
	bool queued = queue_irq(c);
	bool signalled = c->m->active_when_queued ? queued : c->v->lr[0].state != 0;

	/*
	 * The first version of the rework: what is presented to the guest,
	 * pending or active, is made active in the physical distributor here.
	 */
	if (c->m->semantics == KT_SEM_LEVEL_SYNC_CLEAR && signalled &&
	    c->m->fault != KT_FAULT_PROGRESS) {
		c->cpu->active[T] = 1;
		kt_emit_phys_active(c, T, true);
	}
	c->v->used_lrs = c->v->lr[0].state != 0;
	kt_emit_lrs(c, KT_AT_FLUSH);
}

/* process_level_irq (9103617df202): done with it; is the line up again, or still? */
static void process_level_irq(const struct kt_ctx *c)
{
	struct kt_mirq *irq = &c->v->irq[T];

	irq->queued = 0;
	irq->pending = irq->line_level;
	c->v->lr[0] = (struct kt_mlr){ 0 };
}

/*
 * vgic_sync_hwirq: the physical active bit decides whether the guest is done.
 * It returns before looking at the level while the bit is set, so an exit that
 * finds the line fallen still leaves the list register pending: that is the
 * entry too many of 4b4b4512da2a, and in its first version, where flush sets
 * the bit again, every entry.
 */
static void sync_hwirq(const struct kt_ctx *c)
{
	bool phys_active = c->cpu->active[T];

	if (!c->v->lr[0].hw)
		return;
	if (is_edge(c))
		c->v->timer[T].map_active = phys_active;
	if (phys_active) {
		if (c->m->semantics == KT_SEM_LEVEL_SYNC_CLEAR) {
			c->cpu->active[T] = 0;	/* other VMs share the line */
			kt_emit_phys_active(c, T, false);
		}
		return;
	}
	if (is_edge(c)) {
		c->v->irq[T].queued = 0;
		c->v->lr[0] = (struct kt_mlr){ 0 };
	} else {
		process_level_irq(c);
	}
}

void kt_old_vgic_sync_hwstate(const struct kt_ctx *c)
{
	if (c->v->used_lrs) {
		kt_emit_lrs(c, KT_AT_FOLD_IN);
		sync_hwirq(c);
		kt_emit_lrs(c, KT_AT_FOLD_OUT);
		c->v->used_lrs = 0;
	}
}

/* irq_pending_on_cpu: also set while any list register is in use. */
bool kt_old_vgic_pending_irq(const struct kt_ctx *c)
{
	return c->v->lr[0].state || (c->v->irq[T].pending && can_sample_irq(c));
}
