/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Detail lr: list registers, the vgic's state of a timer's interrupt, and the wire. */
#include "ftrace_live_private.h"

#include <kvmtimer/lr.h>

#define IRQCHIP_STATE_ACTIVE 1

static struct life *sampled(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct life *v = kt_live_bound(l, rec);

	if (!v || v->ptr != rec->v[KT_LV_VCPU])
		return NULL;
	kt_live_open_lrs(&l->cpu[rec->cpu], v);
	return v;
}

static uint16_t irq_state(const struct kt_live *l, const struct kt_live_rec *rec, uint32_t timer)
{
	static const uint16_t bit[6] = { KT_LR_LINE, KT_LR_LATCH, KT_LR_ACTIVE, KT_LR_ENABLED,
					 KT_LR_HW, KT_LR_GROUP1 };
	const uint64_t *window = &rec->v[KT_LV_STATE + timer * KT_LIVE_WINDOWS];
	uint16_t state = 0;

	for (unsigned int i = 0; i < 6; i++) {
		const struct kt_live_bit *b = &l->opts.layout.flag[i];
		uint64_t mask = b->bits < 64 ? (1ull << b->bits) - 1 : ~0ull;

		if (b->bits && window[b->window] >> b->shift & mask)
			state |= bit[i];
	}
	return state;
}

static int find_lr(const struct kt_live *l, const struct kt_live_rec *rec, uint32_t used,
		   uint32_t irq)
{
	int v2 = l->opts.knobs.gic == 2;

	for (uint32_t i = 0; i < used && i < KT_LIVE_LRS; i++)
		if (kt_lr_vintid(rec->v[KT_LV_LR + i], v2) == irq &&
		    kt_lr_state(rec->v[KT_LV_LR + i], v2))
			return i;
	return -1;
}

static int emit_lr(struct kt_live *l, const struct kt_live_rec *rec, struct life *v,
		   uint32_t timer, uint32_t at, uint32_t used)
{
	struct kt_event ev = { .kind = KT_EV_LR, .sub = KT_SUB(timer, at) };
	struct cpu *c = &l->cpu[rec->cpu];
	int i = find_lr(l, rec, used, v->irq[timer]);

	if (!v->irq[timer] || !kt_live_timer_wanted(l, timer))
		return 0;
	if (i < 0 && !(c->lr_open & 1u << timer))
		return 0;
	/* It may be in a register beyond those fetched, or not be the interrupt that was. */
	if ((i < 0 && used > KT_LIVE_LRS) ||
	    v->irq[timer] != (timer == KT_VTIMER ? KT_LIVE_PPI_V : KT_LIVE_PPI_P)) {
		l->untold++;
		return 0;
	}
	if (at != KT_AT_FOLD_IN)
		ev.lr.state = irq_state(l, rec, timer);
	if (l->opts.knobs.gic == 2)
		ev.lr.state |= KT_LR_V2;
	ev.lr.used = used;
	if (i >= 0) {
		ev.lr.state |= KT_LR_PRESENT;
		ev.lr.lr = rec->v[KT_LV_LR + i];
		ev.lr.lr_idx = i;
		c->lr_open |= 1u << timer;
	} else if (at == KT_AT_FLUSH) {
		c->lr_open &= ~(1u << timer);
	}
	return kt_live_emit(l, rec, v->who, &ev);
}

int kt_live_lr(struct kt_live *l, const struct kt_live_rec *rec, uint32_t at)
{
	struct life *v = sampled(l, rec);
	struct cpu *c = &l->cpu[rec->cpu];
	/* Folding has emptied them. */
	uint32_t used = at == KT_AT_FOLD_OUT ? 0 : kt_live_value(rec, KT_LV_USED, 0) & 0xff;
	int err;

	c->folded = at == KT_AT_FOLD_IN;
	if (!v || !v->who || (!used && !(c->lr_open & 3)))
		return 0;
	err = emit_lr(l, rec, v, KT_VTIMER, at, used);
	return err ? err : emit_lr(l, rec, v, KT_PTIMER, at, used);
}

/* ---- kernels with a tracepoint per list register: as the BPF source reads them ---- */

static uint16_t traced_state(const struct kt_live *l, const struct kt_live_rec *rec, uint32_t at)
{
	uint16_t state = KT_LR_PHYS_KNOWN;

	/* Before the fold vgic_irq still says what flush left there. */
	for (unsigned int i = 0; at != KT_AT_FOLD_IN && i <= KT_LV_LR_HW - KT_LV_LR_LINE; i++)
		if (rec->v[KT_LV_LR_LINE + i] & 1)
			state |= KT_LR_LINE << i;
	if (rec->v[KT_LV_LR_PHYS] & 1)
		state |= KT_LR_PHYS;
	if (l->opts.knobs.gic == 2)
		state |= KT_LR_V2;
	return state;
}

int kt_live_lr_tracepoint(struct kt_live *l, const struct kt_live_rec *rec, uint32_t at)
{
	struct kt_event ev = { .kind = KT_EV_LR };
	struct life *v = kt_live_bound(l, rec);
	struct cpu *c = &l->cpu[rec->cpu];
	uint32_t timer;

	if (!v || !v->who || (v->id_known && v->vcpu_id != rec->v[KT_LV_LR_VCPU]))
		return 0;
	timer = kt_live_timer_of_irq(v->irq, rec->v[KT_LV_LR_IRQ]);
	if (timer > KT_VTIMER || !kt_live_timer_wanted(l, timer))
		return 0;
	kt_live_open_lrs(c, v);
	ev.sub = KT_SUB(timer, at);
	ev.lr.state = traced_state(l, rec, at);
	kt_lr_traced(&ev.lr, at, rec->v[KT_LV_LR_IDX], rec->v[KT_LV_LR_VAL], l->opts.knobs.gic == 2);
	if (at == KT_AT_FLUSH && ev.lr.state & KT_LR_PRESENT) {
		ev.lr.named = ++c->lr_named[timer];
		c->lr_flushed |= 1u << timer;
		c->lr_open |= 1u << timer;
	} else if (at == KT_AT_FOLD_OUT) {
		c->lr_named[timer] = 0;
		c->lr_flushed &= ~(1u << timer);
	}
	return kt_live_emit(l, rec, v->who, &ev);
}

/* No tracepoint says "no list register": its absence is noticed at the entry that follows. */
int kt_live_lr_absent(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct life *v = kt_live_bound(l, rec);
	struct cpu *c = &l->cpu[rec->cpu];
	int err = 0;

	if (!v || !v->who || c->cached != v)
		return 0;
	for (int t = KT_VTIMER; t >= KT_PTIMER && !err; t--) {
		struct kt_event ev = { .kind = KT_EV_LR, .sub = KT_SUB(t, KT_AT_FLUSH),
				       .lr.state = KT_LR_UNREAD };

		if (!(c->lr_open & ~c->lr_flushed & 1u << t))
			continue;
		c->lr_open &= ~(1u << t);
		if (!v->irq[t] || !kt_live_timer_wanted(l, t))
			continue;
		if (l->opts.knobs.gic == 2)
			ev.lr.state |= KT_LR_V2;
		err = kt_live_emit(l, rec, v->who, &ev);
	}
	return err;
}

/* On every exit: the syndrome and PSTATE of the kvm_exit that comes. */
int kt_live_guest_regs(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct cpu *c = &l->cpu[rec->cpu];

	if (kt_live_has(rec, KT_LV_ESR) && kt_live_has(rec, KT_LV_PSTATE)) {
		c->regs_tid = rec->tid;
		c->regs_esr = rec->v[KT_LV_ESR];
		c->regs_pstate = rec->v[KT_LV_PSTATE];
	}
	if (l->opts.fold_out_in_regs && c->folded)
		return kt_live_lr(l, rec, KT_AT_FOLD_OUT);
	return 0;
}

int kt_live_wire(struct kt_live *l, const struct kt_live_rec *rec, uint32_t irq, uint8_t level)
{
	struct kt_event ev = { .kind = KT_EV_WIRE, .level.irq = irq, .level.level = level & 1 };
	struct life *v = kt_live_bound(l, rec);
	uint32_t timer;

	if (!v || !v->who)
		return 0;
	timer = kt_live_timer_of_irq(v->irq, irq);
	if (!kt_live_timer_wanted(l, timer))
		return 0;
	ev.sub = KT_SUB(timer, KT_AT_INPUT_LEVEL);
	return kt_live_emit(l, rec, v->who, &ev);
}

int kt_live_wire_return(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct cpu *c = &l->cpu[rec->cpu];

	if (c->wire_tid != rec->tid)
		return 0;
	return kt_live_wire(l, rec, c->wire_irq, rec->v[KT_LV_WIRE_LEVEL]);
}

int kt_live_irqchip(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_IRQCHIP };
	struct life *v = kt_live_bound(l, rec);
	uint32_t timer;

	ev.irqchip.host_irq = rec->v[KT_LV_CHIP_IRQ];
	ev.irqchip.which = rec->v[KT_LV_CHIP_WHICH];
	ev.irqchip.val = rec->v[KT_LV_CHIP_VAL] & 1;
	if (!v || !v->who || ev.irqchip.which != IRQCHIP_STATE_ACTIVE)
		return 0;
	timer = kt_live_timer_of_irq(v->host_irq, ev.irqchip.host_irq);
	if (timer == KT_TIMER_NONE || !kt_live_timer_wanted(l, timer))
		return 0;
	ev.sub = KT_SUB(timer, 0);
	return kt_live_emit(l, rec, v->who, &ev);
}
