/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ftrace_live_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "esr.h"

#define BATCH 1024		/* events of one CPU in one block */

/* ---- output ---- */

static int push_out(struct kt_live *l, uint32_t cpu, size_t n)
{
	struct cpu *c = &l->cpu[cpu];
	int err;

	if (!n)
		return 0;
	err = l->sink.events(l->sink.arg, cpu, c->ev, n);
	if (err)
		return err;
	c->n -= n;
	memmove(c->ev, c->ev + n, c->n * sizeof(*c->ev));
	if (c->held >= 0)
		c->held -= n;
	if (c->held < 0)
		c->held = -1;
	return 0;
}

int kt_live_emit(struct kt_live *l, const struct kt_live_rec *rec, uint32_t who,
		struct kt_event *ev)
{
	struct cpu *c = &l->cpu[rec->cpu];
	int err;

	if (c->n == BATCH) {
		err = push_out(l, rec->cpu, c->held > 0 ? (size_t)c->held : c->n);
		if (err)
			return err;
	}
	/* Strictly increasing, so that order within a CPU survives a coarse clock. */
	ev->ts_ns = rec->ts_ns > c->last_ns ? rec->ts_ns : c->last_ns + 1;
	c->last_ns = ev->ts_ns;
	ev->who = who;
	ev->pcpu = rec->cpu;
	c->ev[c->n++] = *ev;
	l->events++;
	return 0;
}

int kt_live_flush(struct kt_live *l, bool all)
{
	int err = 0;

	for (uint32_t i = 0; i < l->opts.nr_cpus && !err; i++) {
		struct cpu *c = &l->cpu[i];

		if (c->held >= 0 && !c->held_old && !all) {
			err = push_out(l, i, c->held);
			c->held_old = true;
			continue;
		}
		c->held = -1;
		err = push_out(l, i, c->n);
	}
	return err;
}

/* ---- the timer's tracepoints ---- */

static int on_map(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_MAP };
	bool hard = rec->ctx == KT_FC_HARDIRQ;
	struct cpu *c = &l->cpu[rec->cpu];
	struct life *v = kt_live_bound(l, rec);
	uint32_t who;
	int err = 0;

	c->soft = NULL;
	c->soft_unknown = false;
	if (!v)
		v = kt_live_at_work(l, rec, rec->v[KT_FV_MAP_VCPU]);
	/* Without BTF the vcpu_id is first told here. */
	if (v && !v->id_known) {
		v->id_known = true;
		v->vcpu_id = v->vcpu_idx = rec->v[KT_FV_MAP_VCPU];
		err = kt_live_introduce(l, v, rec->ts_ns);
	}
	who = kt_live_who_of(l, rec, v);
	if (err || !who)
		return err;
	ev.sub = KT_SUB(KT_TIMER_NONE, hard ? KT_AT_HOST_IRQ : KT_AT_TASK);
	ev.map.vcpu_id = rec->v[KT_FV_MAP_VCPU];
	ev.map.direct_vtimer = ev.map.direct_ptimer = -1;
	ev.map.emul_vtimer = ev.map.emul_ptimer = -1;
	/* Roles were told by the load; the handler's map only says that it runs. */
	if (!hard) {
		ev.map.direct_vtimer = rec->v[KT_FV_MAP_DV];
		ev.map.direct_ptimer = rec->v[KT_FV_MAP_DP];
		if (kt_live_has(rec, KT_FV_MAP_EV))
			ev.map.emul_vtimer = rec->v[KT_FV_MAP_EV];
		ev.map.emul_ptimer = rec->v[KT_FV_MAP_EP];
	}
	return kt_live_emit(l, rec, who, &ev);
}

static bool is_ppi(uint32_t irq)
{
	/* GICv5 has its type in the top bits: 1 is a PPI. */
	return irq < 32 || (irq >= 0x20000000 && (irq & 0x1fffffff) < 1024);
}

static int on_level(struct kt_live *l, const struct kt_live_rec *rec, uint8_t kind)
{
	struct kt_event ev = { .kind = kind };
	struct cpu *c = &l->cpu[rec->cpu];
	bool hard = rec->ctx == KT_FC_HARDIRQ;
	uint32_t who, timer, at = hard ? KT_AT_HOST_IRQ : KT_AT_TASK;
	struct life *v;

	ev.level.irq = rec->v[KT_FV_LEVEL_IRQ];
	ev.level.traced_vcpu = rec->v[KT_FV_LEVEL_VCPU];
	ev.level.level = rec->v[KT_FV_LEVEL_LEVEL] & 1;
	if (kind == KT_EV_VGIC_UPDATE && !is_ppi(ev.level.irq))
		return 0;
	if (!hard) {
		c->soft = NULL;
		c->soft_unknown = false;
	}
	if (c->soft || c->soft_unknown) {
		/* Maybe on top of another VM's vCPU, so who runs here means nothing. */
		v = c->soft;
		who = v ? v->who : kt_live_thread_who(l, 0);
		at = KT_AT_SOFT_TIMER;
	} else {
		v = kt_live_bound(l, rec);
		if (!v)
			v = kt_live_at_work(l, rec, ev.level.traced_vcpu);
		who = kt_live_who_of(l, rec, v);
	}
	timer = v ? kt_live_timer_of_irq(v->irq, ev.level.irq) : KT_TIMER_NONE;
	/* An interrupt that is no timer's: the PMU's, or one the VMM wires. */
	if (!who || (v && timer == KT_TIMER_NONE) || !kt_live_timer_wanted(l, timer))
		return 0;
	ev.sub = KT_SUB(timer, at);
	return kt_live_emit(l, rec, who, &ev);
}

/* Guest counter = host counter - offset: told when first seen or changed. */
static int tell_offset(struct kt_live *l, const struct kt_live_rec *rec, struct life *v,
		       uint32_t timer)
{
	struct kt_event ev = { .kind = KT_EV_OFFSET, .sub = KT_SUB(timer, 0) };

	if (timer > KT_VTIMER || !(v->offset_known >> timer & 1))
		return 0;
	if (v->offset_told >> timer & 1 && v->told_offset[timer] == v->offset[timer])
		return 0;
	v->offset_told |= 1u << timer;
	v->told_offset[timer] = v->offset[timer];
	ev.offset.offset_ticks = v->offset[timer];
	ev.offset.offset_gen = ++v->offset_gen;
	return kt_live_emit(l, rec, v->who, &ev);
}

static int on_regs(struct kt_live *l, const struct kt_live_rec *rec, uint8_t kind)
{
	struct kt_event ev = { .kind = kind };
	struct cpu *c = &l->cpu[rec->cpu];
	uint32_t timer = rec->v[KT_FV_REGS_TIMER] & 7, who;
	struct life *v = kt_live_bound(l, rec);
	int err = 0;

	who = kt_live_who_of(l, rec, v);
	if (!who || timer >= KT_TIMER_NR || !kt_live_timer_wanted(l, timer))
		return 0;
	if (v)
		err = tell_offset(l, rec, v, timer);
	if (err)
		return err;
	ev.sub = KT_SUB(timer, 0);
	ev.regs.cval_ticks = rec->v[KT_FV_REGS_CVAL];
	ev.regs.ctl = rec->v[KT_FV_REGS_CTL];
	ev.regs.offset_gen = v ? v->offset_gen : 0;
	if (kind == KT_EV_SAVE && v && c->phase == PUTTING)
		ev.regs.flags = c->save_flags;
	return kt_live_emit(l, rec, who, &ev);
}

static int on_emulate(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_EMULATE };
	uint32_t timer = rec->v[KT_FV_EMULATE_TIMER] & 7;
	uint32_t who = kt_live_who_of(l, rec, kt_live_bound(l, rec));

	if (!who || timer >= KT_TIMER_NR || !kt_live_timer_wanted(l, timer))
		return 0;
	ev.sub = KT_SUB(timer, 0);
	ev.emulate.should_fire = rec->v[KT_FV_EMULATE_FIRE] & 1;
	return kt_live_emit(l, rec, who, &ev);
}

/* ---- soft timers: they fire on any CPU, on top of whatever runs there ---- */

static int on_hrtimer_probe(struct kt_live *l, const struct kt_live_rec *rec)
{
	const struct kt_live_layout *lay = &l->opts.layout;
	struct cpu *c = &l->cpu[rec->cpu];
	uint64_t first = rec->v[KT_LV_HRT_PTR] - lay->timer_hrtimer - lay->timers;

	c->soft = NULL;
	c->soft_unknown = false;
	c->soft_ptr = rec->v[KT_LV_HRT_PTR];
	c->soft_expires_ns = kt_live_value(rec, KT_LV_HRT_EXPIRES, 0);
	/* Which of the vCPU's timers it is decides where the vCPU begins: one of them is known. */
	for (unsigned int t = 0; lay->timer_size && t < KT_TIMER_NR && !c->soft; t++)
		c->soft = kt_live_find(l, first - (uint64_t)t * lay->timer_size);
	return 0;
}

static int on_hrtimer_expire(struct kt_live *l, const struct kt_live_rec *rec)
{
	uint32_t timer = rec->v[KT_FV_EXPIRE_TIMER] & 7, who;
	struct kt_event ev = { .kind = KT_EV_HRTIMER_EXPIRE };
	struct cpu *c = &l->cpu[rec->cpu];

	c->soft_unknown = !c->soft;
	who = c->soft ? c->soft->who : kt_live_thread_who(l, 0);
	if (!who || timer >= KT_TIMER_NR || !kt_live_timer_wanted(l, timer))
		return 0;
	ev.sub = KT_SUB(timer, KT_AT_SOFT_TIMER);
	ev.hrtimer.ptr = c->soft_ptr;
	ev.hrtimer.expires_ns = c->soft_expires_ns;
	return kt_live_emit(l, rec, who, &ev);
}

static int on_bg_expire(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_BG_EXPIRE,
			       .sub = KT_SUB(KT_TIMER_NONE, KT_AT_SOFT_TIMER) };
	struct life *v = NULL;
	uint32_t who;

	if (l->opts.layout.bg_timer)
		v = kt_live_find(l, rec->v[KT_LV_HRT_PTR] - l->opts.layout.bg_timer);
	/* The thread below is not even related: no id at all. */
	who = v ? v->who : kt_live_thread_who(l, 0);
	if (!who)
		return 0;
	ev.hrtimer.ptr = rec->v[KT_LV_HRT_PTR];
	ev.hrtimer.expires_ns = kt_live_value(rec, KT_LV_HRT_EXPIRES, 0);
	return kt_live_emit(l, rec, who, &ev);
}

/* ---- the vCPU ---- */

static int emit_bound(struct kt_live *l, const struct kt_live_rec *rec, struct kt_event *ev)
{
	uint32_t who = kt_live_who_of(l, rec, kt_live_bound(l, rec));

	ev->sub = KT_SUB(KT_TIMER_NONE, 0);
	return who ? kt_live_emit(l, rec, who, ev) : 0;
}

static int on_guest_entry(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_ENTRY, .run.pc = rec->v[KT_FV_ENTRY_PC] };
	int err = l->opts.lr_tracepoints ? kt_live_lr_absent(l, rec) : 0;

	l->cpu[rec->cpu].held = -1;
	return err ? err : emit_bound(l, rec, &ev);
}

/* Detail lr: a probe behind the world switch has fetched them just before. */
static void complete_exit(const struct cpu *c, struct kt_event *ev)
{
	uint32_t ec = ev->run.esr >> ESR_EC_SHIFT;

	if (ev->run.code == KT_EXIT_TRAP && ec != EC_HVC64 && ec != EC_HVC32 &&
	    c->regs_esr >> ESR_EC_SHIFT == ec) {
		ev->run.esr = c->regs_esr;
		ev->run.flags |= KT_RUN_ESR;
	}
	ev->run.daif = c->regs_pstate >> 6 & 0xf;	/* DAIF are PSTATE bits 9:6 */
	ev->run.flags |= KT_RUN_DAIF;
}

/* The tracepoint has the exception class only; what comes later may complete it. */
static int on_guest_exit(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_EXIT, .run = kt_ftrace_exit(rec->v, rec->has) };
	struct cpu *c = &l->cpu[rec->cpu];
	size_t before;
	int err;

	c->held = -1;
	if (c->regs_tid && c->regs_tid == rec->tid)
		complete_exit(c, &ev);
	c->regs_tid = 0;
	before = c->n;
	err = emit_bound(l, rec, &ev);
	if (!err && c->n != before && ev.run.code == KT_EXIT_TRAP && !(ev.run.flags & KT_RUN_ESR)) {
		c->held = c->n - 1;
		c->held_tid = rec->tid;
		c->held_old = false;
	}
	return err;
}

static struct kt_event *held_exit(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct cpu *c = &l->cpu[rec->cpu];

	return c->held >= 0 && c->held_tid == rec->tid ? &c->ev[c->held] : NULL;
}

static int on_sysreg(struct kt_live *l, const struct kt_live_rec *rec)
{
	uint32_t esr = rec->v[KT_LV_SYSREG_ESR];
	struct kt_event *exit = held_exit(l, rec);

	if (exit && exit->run.esr >> ESR_EC_SHIFT == esr >> ESR_EC_SHIFT) {
		exit->run.esr = esr;
		exit->run.flags |= KT_RUN_ESR;
	}
	l->cpu[rec->cpu].held = -1;
	return 0;
}

static int on_wfx(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_WFX, .wfx.pc = rec->v[KT_FV_WFX_PC],
			       .wfx.is_wfe = rec->v[KT_FV_WFX_WFE] & 1 };
	struct kt_event *exit = held_exit(l, rec);

	/* ISS.TI tells WFE from WFI. */
	if (exit && exit->run.esr >> ESR_EC_SHIFT == EC_WFX)
		exit->run.esr |= ev.wfx.is_wfe;
	l->cpu[rec->cpu].held = -1;
	return emit_bound(l, rec, &ev);
}

static int on_wakeup(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_WAKEUP, .wakeup.wait_ns = rec->v[KT_FV_WAKEUP_NS],
			       .wakeup.waited = rec->v[KT_FV_WAKEUP_WAITED] & 1,
			       .wakeup.valid = rec->v[KT_FV_WAKEUP_VALID] & 1 };

	return emit_bound(l, rec, &ev);
}

/* After the put: the thread is all that connects this to its vCPU. */
static int on_user_exit(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_USER_EXIT, .sub = KT_SUB(KT_TIMER_NONE, 0) };
	struct life *v = kt_live_of_thread(l, rec->tid);
	uint32_t who = kt_live_who_of(l, rec, v);

	ev.user_exit.reason = rec->v[KT_FV_USER_REASON];
	ev.user_exit.err = rec->v[KT_FV_USER_ERRNO];
	if (v && v->vgic == 0) {
		ev.user_exit.device_irq_level = v->device_level;
		ev.user_exit.flags = KT_USER_EXIT_LEVEL;
	}
	return who ? kt_live_emit(l, rec, who, &ev) : 0;
}

/* A vCPU's first is part of its making: an event is one of a vCPU that has been seen. */
static int on_reset(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_RESET };
	const struct life *v = kt_live_find(l, rec->v[KT_LV_VCPU]);
	uint32_t who = v ? v->who : 0;
	int err = kt_live_load(l, rec);

	if (err || !who || l->cpu[rec->cpu].bound->who != who)
		return err;
	return emit_bound(l, rec, &ev);
}

static int on_call(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_CALL, .call.fn = rec->v[KT_LV_CALL],
			       .sub = KT_SUB(KT_TIMER_NONE, rec->ctx == KT_FC_HARDIRQ ?
						KT_AT_HOST_IRQ : KT_AT_TASK) };
	uint32_t who = kt_live_who_of(l, rec, kt_live_bound(l, rec));

	return who ? kt_live_emit(l, rec, who, &ev) : 0;
}

/* ---- records ---- */

int kt_live_feed(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct cpu *c;

	if (rec->cpu >= l->opts.nr_cpus)
		return 0;
	c = &l->cpu[rec->cpu];
	switch (rec->id) {
	case KT_FT_UPDATE_IRQ:	return on_level(l, rec, KT_EV_UPDATE_IRQ);
	case KT_FT_VGIC_UPDATE:	return on_level(l, rec, KT_EV_VGIC_UPDATE);
	case KT_FT_MAP:		return on_map(l, rec);
	case KT_FT_SAVE:	return on_regs(l, rec, KT_EV_SAVE);
	case KT_FT_RESTORE:	return on_regs(l, rec, KT_EV_RESTORE);
	case KT_FT_EMULATE:	return on_emulate(l, rec);
	case KT_FT_HRTIMER_EXPIRE: return on_hrtimer_expire(l, rec);
	case KT_FT_ENTRY:	return on_guest_entry(l, rec);
	case KT_FT_EXIT:	return on_guest_exit(l, rec);
	case KT_FT_WFX:		return on_wfx(l, rec);
	case KT_FT_WAKEUP:	return on_wakeup(l, rec);
	case KT_FT_USER_EXIT:	return on_user_exit(l, rec);
	case KT_LP_LOAD:
	case KT_LP_ENABLE:	return kt_live_load(l, rec);
	case KT_LP_RESET:	return on_reset(l, rec);
	case KT_LP_PUT:		return kt_live_put(l, rec);
	case KT_LP_HRTIMER:	return on_hrtimer_probe(l, rec);
	case KT_LP_BG:		return on_bg_expire(l, rec);
	case KT_LP_VCPU_GONE:	return kt_live_vcpu_gone(l, rec);
	case KT_LP_VM_GONE:	kt_live_vm_gone(l, rec->v[0]); return 0;
	case KT_LP_SYSREG:	return on_sysreg(l, rec);
	case KT_LP_FLUSH:	return kt_live_lr(l, rec, KT_AT_FLUSH);
	case KT_LP_FOLD_IN:	return kt_live_lr(l, rec, KT_AT_FOLD_IN);
	case KT_LP_FOLD_OUT:	return kt_live_lr(l, rec, KT_AT_FOLD_OUT);
	case KT_LP_LR_FLUSH:	return kt_live_lr_tracepoint(l, rec, KT_AT_FLUSH);
	case KT_LP_LR_FOLD:	return kt_live_lr_tracepoint(l, rec, KT_AT_FOLD_IN);
	case KT_LP_LR_RESAMPLE:	return kt_live_lr_tracepoint(l, rec, KT_AT_FOLD_OUT);
	case KT_LP_REGS:	return kt_live_guest_regs(l, rec);
	case KT_LP_WIRE:
		return kt_live_wire(l, rec, rec->v[KT_LV_WIRE_IRQ], rec->v[KT_LV_WIRE_LEVEL]);
	case KT_LP_WIRE_IRQ:
		c->wire_irq = rec->v[KT_LV_WIRE_IRQ];
		c->wire_tid = rec->tid;
		return 0;
	case KT_LP_WIRE_RET:	return kt_live_wire_return(l, rec);
	case KT_LP_IRQCHIP:	return kt_live_irqchip(l, rec);
	case KT_LP_CALL:	return on_call(l, rec);
	}
	return 0;
}

void kt_live_gap(struct kt_live *l, uint32_t cpu)
{
	struct cpu *c;

	if (cpu >= l->opts.nr_cpus)
		return;
	c = &l->cpu[cpu];
	l->gaps++;
	c->bound = c->soft = c->cached = NULL;
	c->phase = LOOSE;
	c->held = -1;
	c->regs_tid = c->wire_tid = 0;
}

/* ---- life of the converter ---- */

int kt_live_new(const struct kt_live_opts *opts, const struct kt_live_sink *sink,
		struct kt_live **out)
{
	struct kt_live *l = calloc(1, sizeof(*l));

	if (!l || !opts->nr_cpus)
		goto no_memory;
	l->opts = *opts;
	l->sink = *sink;
	l->cpu = calloc(opts->nr_cpus, sizeof(*l->cpu));
	if (!l->cpu)
		goto no_memory;
	for (uint32_t i = 0; i < opts->nr_cpus; i++) {
		l->cpu[i].held = -1;
		l->cpu[i].ev = malloc(BATCH * sizeof(struct kt_event));
		if (!l->cpu[i].ev)
			goto no_memory;
	}
	*out = l;
	return 0;
no_memory:
	kt_live_free(l);
	return -ENOMEM;
}

void kt_live_free(struct kt_live *l)
{
	if (!l)
		return;
	kt_live_forget_all(l);
	for (uint32_t i = 0; l->cpu && i < l->opts.nr_cpus; i++)
		free(l->cpu[i].ev);
	free(l->cpu);
	free(l);
}

uint64_t kt_live_events(const struct kt_live *l)
{
	return l->events;
}

uint64_t kt_live_take_untold(struct kt_live *l)
{
	uint64_t n = l->untold;

	l->untold = 0;
	return n;
}
