/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ftrace_feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "esr.h"
#include "ftrace_private.h"

#define SOFT_TIMERS_MAX 65536
#define SWITCH_MAPS 2		/* that the world switch of a host with CNTPOFF works out in each run */
#define JITTER_NS 1000000	/* how far a merged trace may be out of order: a writer was interrupted */

/* ---- conversion: one function per event ---- */

struct feed {
	struct kt_ftrace *f;
	const struct kt_ftrace_rec *rec;
	struct kt_event *ev;
	struct cpu *c;
	struct thread *t;
	bool hard;
	int err;
};

static int emit(struct feed *d, unsigned int kind, uint32_t who, uint8_t sub)
{
	d->ev->ts_ns = d->rec->ts_ns;
	d->ev->pcpu = d->rec->cpu;
	d->ev->who = who;
	d->ev->kind = kind;
	d->ev->sub = sub;
	return 1;
}

/* KVM has this thread's vCPU in the guest: only where exits are recorded, too, does that end. */
static bool in_guest(const struct feed *d)
{
	return d->t->in_guest && d->f->stats.by_id[KT_FT_EXIT];
}

static int on_map(struct feed *d)
{
	const struct kt_ftrace_rec *r = d->rec;
	struct kt_map *map = &d->ev->map;
	struct thread *t = d->t;

	*map = (struct kt_map){ -1, -1, -1, -1, r->v[KT_FV_MAP_VCPU], 0 };
	/* Both contexts work on the vCPU that the current thread has loaded; idle has none. */
	if (t->tid)
		kt_ft_name_vcpu(d->f, t, r->v[KT_FV_MAP_VCPU], r->ts_ns, &d->err);
	if (d->hard) {
		/* Roles were told by the load; the handler's map only says that it runs. */
		d->c->map_in_irq = true;
		d->c->soft = false;
	} else {
		map->direct_vtimer = r->v[KT_FV_MAP_DV];
		map->direct_ptimer = r->v[KT_FV_MAP_DP];
		if (r->has & 1u << KT_FV_MAP_EV)
			map->emul_vtimer = r->v[KT_FV_MAP_EV];
		map->emul_ptimer = r->v[KT_FV_MAP_EP];
		d->f->stats.emulated_maps += map->emul_vtimer >= 0 || map->emul_ptimer >= 0;
	}
	/* The world switch of hosts with CNTPOFF works out a map as well: no load. */
	if (!d->hard && !in_guest(d)) {
		t->load_timer[0] = map->direct_vtimer;
		t->load_timer[1] = map->direct_ptimer;
		t->nr_load_irqs = 0;
	}
	return emit(d, KT_EV_MAP, kt_ft_bound_who(d->f, t),
		    KT_SUB(KT_TIMER_NONE, d->hard ? KT_AT_HOST_IRQ : KT_AT_TASK));
}

/* In the hard interrupt of a soft timer: the timer's vCPU, if that is known and fits. */
static uint32_t soft_publisher(struct feed *d, unsigned int *timer)
{
	struct vcpu *v = kt_ft_vcpu_at(d->f, d->c->soft_vcpu);

	*timer = d->c->soft_timer;
	if (!v || v->id.vcpu_id != d->rec->v[KT_FV_LEVEL_VCPU])
		return KT_WHO_NONE;
	kt_ft_learn_irq(d->f, d->c->soft_vcpu, *timer, d->rec->v[KT_FV_LEVEL_IRQ]);
	return v->id.who;
}

/*
 * In another hard interrupt: the host timer's, which its timer map announced.
 * Without a map it may be a soft timer's of anybody, but for the vtimer, which
 * is never emulated outside nested guests.
 */
static uint32_t irq_publisher(struct feed *d, unsigned int *timer)
{
	struct vcpu *v = kt_ft_vcpu_at(d->f, d->t->bound);

	*timer = kt_ft_timer_of_irq(v, d->rec->v[KT_FV_LEVEL_IRQ]);
	if (v && v->id.vcpu_id == d->rec->v[KT_FV_LEVEL_VCPU] &&
	    (d->c->map_in_irq || *timer == KT_VTIMER))
		return v->id.who;
	return d->c->map_in_irq ? kt_ft_thread_who(d->t->tid) : KT_WHO_NONE;
}

static uint32_t task_publisher(struct feed *d, unsigned int *timer)
{
	const uint64_t *v = d->rec->v;
	struct thread *t = d->t;

	kt_ft_name_vcpu(d->f, t, v[KT_FV_LEVEL_VCPU], d->rec->ts_ns, &d->err);
	if (t->last_id == KT_FT_EMULATE && t->evaluated_high == (v[KT_FV_LEVEL_LEVEL] != 0))
		kt_ft_learn_irq(d->f, t->bound, t->evaluated, v[KT_FV_LEVEL_IRQ]);
	if (t->nr_load_irqs < 2)
		t->load_irq[t->nr_load_irqs] = v[KT_FV_LEVEL_IRQ];
	if (t->nr_load_irqs < 3)
		t->nr_load_irqs++;
	*timer = kt_ft_timer_of_irq(kt_ft_vcpu_at(d->f, t->bound), v[KT_FV_LEVEL_IRQ]);
	return kt_ft_bound_who(d->f, t);
}

static int on_update(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	struct published *p = d->hard ? &d->c->published : &d->t->published;
	unsigned int timer, at = KT_AT_TASK;
	uint32_t who;

	d->ev->level = (struct kt_level){ .irq = v[KT_FV_LEVEL_IRQ],
		.traced_vcpu = v[KT_FV_LEVEL_VCPU], .level = v[KT_FV_LEVEL_LEVEL] != 0 };
	if (d->hard && d->c->soft) {
		at = KT_AT_SOFT_TIMER;
		who = soft_publisher(d, &timer);
	} else if (d->hard) {
		at = KT_AT_HOST_IRQ;
		who = irq_publisher(d, &timer);
	} else {
		who = task_publisher(d, &timer);
	}
	*p = (struct published){ v[KT_FV_LEVEL_IRQ], who, KT_SUB(timer, at), true };
	return emit(d, KT_EV_UPDATE_IRQ, who, KT_SUB(timer, at));
}

/*
 * Belongs to the publication just before, in the same thread and context: a host
 * tick may lie between them.  Its vcpu number is an index on 6.7+, and 0 for an SPI.
 */
static int on_vgic_update(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	struct published *p = d->hard ? &d->c->published : &d->t->published;
	struct vcpu *vcpu = kt_ft_vcpu_at(d->f, d->t->own);
	unsigned int timer;

	d->ev->level = (struct kt_level){ .irq = v[KT_FV_LEVEL_IRQ],
		.traced_vcpu = v[KT_FV_LEVEL_VCPU], .level = v[KT_FV_LEVEL_LEVEL] != 0 };
	if (p->waiting && p->irq == v[KT_FV_LEVEL_IRQ]) {
		p->waiting = false;
		return emit(d, KT_EV_VGIC_UPDATE, p->who, p->sub);
	}
	timer = kt_ft_timer_of_irq(vcpu, v[KT_FV_LEVEL_IRQ]);
	if (d->f->stats.by_id[KT_FT_UPDATE_IRQ] || !vcpu || timer == KT_TIMER_NONE || d->hard) {
		d->f->stats.other_irq++;
		return 0;
	}
	return emit(d, KT_EV_VGIC_UPDATE, vcpu->id.who, KT_SUB(timer, KT_AT_TASK));
}

static int on_regs(struct feed *d, bool save)
{
	const uint64_t *v = d->rec->v;
	unsigned int timer = kt_ft_timer_index(v[KT_FV_REGS_TIMER]);
	struct thread *t = d->t;
	uint32_t who;

	if (save) {
		who = kt_ft_vcpu_who(d->f, t->bound, t->tid);
		t->put = true;
		kt_ft_set_waiting(d->f, t->bound, 0);
	} else {
		who = kt_ft_bound_who(d->f, t);
		for (unsigned int i = 0; i < 2 && i < t->nr_load_irqs; i++)
			if (t->load_timer[i] == (int)timer)
				kt_ft_learn_irq(d->f, t->bound, timer, t->load_irq[i]);
		t->save_flags = 0;
	}
	d->ev->regs = (struct kt_regs){ .cval_ticks = v[KT_FV_REGS_CVAL], .ctl = v[KT_FV_REGS_CTL],
					.flags = save ? t->save_flags : 0 };
	return emit(d, save ? KT_EV_SAVE : KT_EV_RESTORE, who, KT_SUB(timer, 0));
}

static int on_emulate(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	unsigned int timer = kt_ft_timer_index(v[KT_FV_EMULATE_TIMER]);
	bool high = v[KT_FV_EMULATE_FIRE] & 0xff;
	uint32_t who = kt_ft_bound_who(d->f, d->t);
	struct vcpu *vcpu = kt_ft_vcpu_at(d->f, d->t->bound);

	if (vcpu && timer < KT_TIMER_NR)
		kt_ft_set_waiting(d->f, d->t->bound, high ? kt_ft_waiting(d->f, vcpu) & ~(1u << timer) :
						      kt_ft_waiting(d->f, vcpu) | 1u << timer);
	d->t->evaluated = timer;
	d->t->evaluated_high = high;
	d->ev->emulate = (struct kt_emulate){ .should_fire = high };
	return emit(d, KT_EV_EMULATE, who, KT_SUB(timer, 0));
}

static struct soft_timer *find_soft(struct kt_ftrace *f, uint64_t ptr)
{
	const struct slot *s = ptr ? kt_ft_table_find(&f->by_ptr, ptr) : NULL;

	return s && s->index ? &f->soft[s->index - 1] : NULL;
}

/* Other CPUs, with vCPUs that are loaded now, may still be unread. */
static bool others_unread(const struct kt_ftrace *f)
{
	return f->unordered || !(f->merged || f->opts.merged);
}

/*
 * Whose emulated timer fires?  The hrtimer's, when its start was seen.  Else the
 * current thread's vCPU, if it may have armed one and no other loaded vCPU may.
 */
static uint32_t soft_vcpu(struct feed *d, unsigned int timer)
{
	const struct soft_timer *soft = find_soft(d->f, d->c->fires);
	const struct vcpu *v = kt_ft_vcpu_at(d->f, d->t->bound);

	if (soft)
		return soft->vcpu;
	if (v && !d->t->put && (d->f->opts.soft_timers_stay ||
	    (timer < KT_TIMER_NR && kt_ft_waiting(d->f, v) >> timer & 1 && d->f->nr_waiting[timer] == 1 &&
	     !others_unread(d->f))))
		return d->t->bound;
	d->f->stats.ambiguous_soft++;
	return NONE;
}

static int on_hrtimer_expire(struct feed *d)
{
	unsigned int timer = kt_ft_timer_index(d->rec->v[KT_FV_EXPIRE_TIMER]);
	const struct soft_timer *soft = find_soft(d->f, d->c->fires);
	uint32_t index = soft_vcpu(d, timer);

	d->c->soft = true;
	d->c->map_in_irq = false;
	d->c->soft_vcpu = index;
	d->c->soft_timer = timer;
	d->ev->hrtimer = (struct kt_hrtimer){ d->c->fires, soft ? soft->expires_ns : 0 };
	return emit(d, KT_EV_HRTIMER_EXPIRE, index ? d->f->vcpu[index - 1].id.who : KT_WHO_NONE,
		    KT_SUB(timer, KT_AT_SOFT_TIMER));
}

static int on_hrt_start(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	uint64_t function = v[KT_FV_HRT_FUNCTION];
	struct soft_timer *soft;
	struct thread *t;

	if ((function != KT_FN_EMULATED && function != KT_FN_BACKGROUND) || !v[KT_FV_HRT_PTR] ||
	    d->rec->ctx == KT_FC_HARDIRQ)
		return 0;
	t = kt_ft_find_thread(d->f, d->rec->tid);
	soft = find_soft(d->f, v[KT_FV_HRT_PTR]);
	if (!soft) {
		if (!t || !t->bound || d->f->nr_soft >= SOFT_TIMERS_MAX)
			return 0;
		d->err = kt_ft_more((void **)&d->f->soft, d->f->nr_soft, &d->f->max_soft, sizeof(*soft));
		if (d->err)
			return 0;
		soft = &d->f->soft[d->f->nr_soft++];
		soft->ptr = v[KT_FV_HRT_PTR];
		d->err = kt_ft_table_add(&d->f->by_ptr, soft->ptr, d->f->nr_soft);
	}
	/* The put's save does not end this: it is the put that arms a sleeper's timer. */
	soft->vcpu = t && t->losses == d->f->losses ? t->bound : NONE;
	soft->expires_ns = v[KT_FV_HRT_EXPIRES];
	return 0;
}

static int emit_bg(struct feed *d, uint32_t who, uint64_t at_ns, uint64_t expires_ns)
{
	d->ev->hrtimer = (struct kt_hrtimer){ d->c->fires, expires_ns };
	emit(d, KT_EV_BG_EXPIRE, who, KT_SUB(KT_TIMER_NONE, KT_AT_SOFT_TIMER));
	/* Nothing else of this CPU was said since. */
	d->ev->ts_ns = at_ns;
	d->c->bg_ns = 0;
	return 1;
}

/* A timer whose start was not seen waits for the wake-up that it makes. */
static int on_hrt_fire(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	const struct soft_timer *soft;

	d->c->fires = v[KT_FV_HRT_PTR];
	d->c->bg_ns = 0;
	d->f->stats.emulated_fired += v[KT_FV_HRT_FUNCTION] == KT_FN_EMULATED;
	if (v[KT_FV_HRT_FUNCTION] != KT_FN_BACKGROUND)
		return 0;
	soft = find_soft(d->f, d->c->fires);
	if (soft && soft->vcpu)
		return emit_bg(d, d->f->vcpu[soft->vcpu - 1].id.who, d->rec->ts_ns, soft->expires_ns);
	d->c->bg_ns = d->rec->ts_ns;
	return 0;
}

static int on_waking(struct feed *d)
{
	const struct thread *t = d->c->bg_ns ? kt_ft_find_thread(d->f, d->rec->v[KT_FV_WAKING_PID]) : NULL;

	if (!t || !t->own)
		return 0;
	return emit_bg(d, d->f->vcpu[t->own - 1].id.who, d->c->bg_ns, 0);
}

/* The vCPU may live on, but not under this handle: its thread is all that it was known by. */
static int on_thread_end(struct feed *d)
{
	struct thread *t = kt_ft_find_thread(d->f, d->rec->v[KT_FV_PROC_PID]);
	uint32_t own = t ? t->own : NONE;

	if (!t)
		return 0;
	kt_ft_forget_thread(t);
	t->tgid = t->comm_len = 0;
	t->renewed++;
	if (!own)
		return 0;
	d->ev->gone = (struct kt_gone){ { 0, 0 } };
	return emit(d, KT_EV_VCPU_GONE, d->f->vcpu[own - 1].id.who, KT_SUB(KT_TIMER_NONE, 0));
}

#define CLONE_THREAD 0x10000

/* A thread of its maker's process, or the first of a new one. */
static int on_newtask(struct feed *d)
{
	uint32_t pid = d->rec->v[KT_FV_NEWTASK_PID], index, tgid = pid;
	struct thread *t = kt_ft_find_thread(d->f, d->rec->tid);

	if (d->rec->v[KT_FV_NEWTASK_FLAGS] & CLONE_THREAD)
		tgid = d->rec->tgid ? d->rec->tgid : t ? t->tgid : 0;
	t = kt_ft_find_thread(d->f, pid);
	if (!t) {
		d->err = kt_ft_add_thread(d->f, pid, &index);
		if (d->err || !index)
			return 0;
		t = &d->f->thread[index - 1];
	}
	kt_ft_forget_thread(t);
	t->comm_len = 0;
	t->tgid = tgid;
	t->made = NONE;	/* by another thread of this id */
	return 0;
}

static int on_switch(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	struct thread *prev = kt_ft_find_thread(d->f, v[KT_FV_SWITCH_PREV]);

	/* The put follows in the same switch, still as this thread. */
	if (prev)
		prev->save_flags = !(v[KT_FV_SWITCH_STATE] & 0x7f) ? KT_SAVE_PREEMPTED :
				   v[KT_FV_SWITCH_STATE] & 1 ? KT_SAVE_BLOCKING : 0;
	return 0;
}

static int on_guest_entry(struct feed *d)
{
	struct thread *t = d->t;

	d->f->stats.double_entry += t->in_guest;
	if (t->put)
		(void)kt_ft_bound_who(d->f, t);
	if (!t->own || t->own != t->bound)
		kt_ft_own_vcpu(d->f, t, d->rec->ts_ns, &d->err);
	t->in_guest = t->ran = true;
	t->guest_maps = 0;
	t->nr_load_irqs = 3;	/* what is published now is no load's */
	d->ev->run = (struct kt_run){ .pc = d->rec->v[KT_FV_ENTRY_PC] };
	return emit(d, KT_EV_ENTRY, kt_ft_vcpu_who(d->f, t->bound, t->tid), KT_SUB(KT_TIMER_NONE, 0));
}

static int on_guest_exit(struct feed *d)
{
	struct kt_run *run = &d->ev->run;
	struct thread *t = d->t;

	d->f->stats.double_exit += t->ran && !t->in_guest;
	if (!t->own)
		kt_ft_own_vcpu(d->f, t, d->rec->ts_ns, &d->err);
	if (t->in_guest)
		d->f->switch_maps = t->guest_maps >= SWITCH_MAPS;
	t->in_guest = false;
	t->ran = true;
	*run = kt_ftrace_exit(d->rec->v, d->rec->has);
	d->f->stats.wfx_exits += run->esr == EC_WFX << ESR_EC_SHIFT;
	return emit(d, KT_EV_EXIT, kt_ft_bound_who(d->f, t), KT_SUB(KT_TIMER_NONE, 0));
}

/* Events of the thread that runs the vCPU. */
static int on_own(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	unsigned int kind;

	switch (d->rec->id) {
	case KT_FT_WFX:
		kind = KT_EV_WFX;
		d->ev->wfx = (struct kt_wfx){ .pc = v[KT_FV_WFX_PC], .is_wfe = v[KT_FV_WFX_WFE] & 0xff };
		break;
	case KT_FT_WAKEUP:
		kind = KT_EV_WAKEUP;
		d->ev->wakeup = (struct kt_wakeup){ .wait_ns = v[KT_FV_WAKEUP_NS],
			.waited = v[KT_FV_WAKEUP_WAITED] & 0xff, .valid = v[KT_FV_WAKEUP_VALID] & 0xff };
		break;
	default:
		kind = KT_EV_USER_EXIT;
		d->ev->user_exit = (struct kt_user_exit){ .reason = v[KT_FV_USER_REASON],
							  .err = v[KT_FV_USER_ERRNO] };
		break;
	}
	return emit(d, kind, kt_ft_vcpu_who(d->f, d->t->own ? d->t->own : d->t->bound, d->t->tid),
		    KT_SUB(KT_TIMER_NONE, 0));
}

/* ---- feeding ---- */

static int cpu_of(struct kt_ftrace *f, uint16_t cpu, struct cpu **out)
{
	if (cpu >= f->nr_cpus) {
		uint32_t n = cpu + 1u + cpu / 2;
		struct cpu *grown;

		if (n > KT_FTRACE_CPUS_MAX)
			n = KT_FTRACE_CPUS_MAX;
		grown = realloc(f->cpu, n * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		memset(grown + f->nr_cpus, 0, (n - f->nr_cpus) * sizeof(*grown));
		f->cpu = grown;
		f->nr_cpus = n;
	}
	*out = &f->cpu[cpu];
	return 0;
}

/*
 * perf writes a record twice when two sessions' events overlap.  On a clock in
 * microseconds two equal publications may be two; an entry cannot.
 */
static bool is_duplicate(const struct cpu *c, const struct kt_ftrace_rec *rec)
{
	const struct kt_ftrace_rec *last = &c->last;
	bool fine = rec->ts_ns % 1000;

	if (!c->seen || last->ts_ns != rec->ts_ns || last->id != rec->id || last->tid != rec->tid)
		return false;
	for (unsigned int i = 0; i < KT_FTRACE_VALUES; i++)
		if (rec->has >> i & 1 && rec->v[i] != last->v[i])
			return false;
	return fine || rec->id == KT_FT_ENTRY || rec->id == KT_FT_EXIT || rec->id == KT_FT_SAVE ||
	       rec->id == KT_FT_RESTORE || rec->id == KT_FT_WFX || rec->id == KT_FT_USER_EXIT;
}

/*
 * Without flags the maps of a world switch look like those of the host interrupt's handler.
 * But they come in each run of the host, and first: known from the run before.
 */
static bool is_switch_map(struct feed *d)
{
	if (d->rec->id != KT_FT_MAP || !d->t->in_guest)
		return false;
	if (d->t->guest_maps < UINT8_MAX)
		d->t->guest_maps++;
	return d->f->switch_maps && d->t->guest_maps <= SWITCH_MAPS;
}

/* Without flags: KVM cannot work for the vCPU between entry and exit but in an interrupt. */
static bool in_interrupt(struct feed *d)
{
	const struct kt_ftrace_rec *r = d->rec;

	switch (r->ctx) {
	case KT_FC_HARDIRQ:
	case KT_FC_NMI:
		return true;
	case KT_FC_TASK:
	case KT_FC_SOFTIRQ:
		return false;
	}
	if (r->id == KT_FT_UPDATE_IRQ || r->id == KT_FT_MAP || r->id == KT_FT_VGIC_UPDATE)
		d->f->stats.no_context++;
	if (r->id == KT_FT_HRTIMER_EXPIRE)
		return true;
	if (is_switch_map(d))
		return false;
	if (d->c->soft && (d->c->last.id == KT_FT_HRTIMER_EXPIRE ||
			   (r->id == KT_FT_VGIC_UPDATE && d->c->published.waiting)))
		return true;
	return (r->id == KT_FT_UPDATE_IRQ || r->id == KT_FT_MAP || r->id == KT_FT_VGIC_UPDATE) &&
	       d->t->in_guest;
}

static int convert(struct feed *d)
{
	switch (d->rec->id) {
	case KT_FT_UPDATE_IRQ:
		return on_update(d);
	case KT_FT_MAP:
		return on_map(d);
	case KT_FT_SAVE:
		return on_regs(d, true);
	case KT_FT_RESTORE:
		return on_regs(d, false);
	case KT_FT_EMULATE:
		return on_emulate(d);
	case KT_FT_HRTIMER_EXPIRE:
		return on_hrtimer_expire(d);
	case KT_FT_VGIC_UPDATE:
		return on_vgic_update(d);
	case KT_FT_ENTRY:
		return on_guest_entry(d);
	case KT_FT_EXIT:
		return on_guest_exit(d);
	case KT_FT_HALT_POLL:
		if (d->t->own)
			kt_ft_name_vcpu(d->f, d->t, d->rec->v[KT_FV_POLL_VCPU], d->rec->ts_ns, &d->err);
		return 0;
	}
	return on_own(d);
}

static int convert_foreign(struct feed *d)
{
	switch (d->rec->id) {
	case KT_FT_IRQ_ENTRY:
	case KT_FT_IRQ_EXIT:
		d->c->map_in_irq = d->c->soft = false;
		/* Its end was not recorded. */
		return d->c->bg_ns ? emit_bg(d, KT_WHO_NONE, d->c->bg_ns, 0) : 0;
	case KT_FT_HRT_START:
		return on_hrt_start(d);
	case KT_FT_HRT_FIRE:
		return on_hrt_fire(d);
	case KT_FT_HRT_DONE:
		d->c->soft = false;
		if (d->c->bg_ns)
			return emit_bg(d, KT_WHO_NONE, d->c->bg_ns, 0);
		d->c->fires = 0;
		return 0;
	case KT_FT_WAKING:
		return on_waking(d);
	case KT_FT_NEWTASK:
		return on_newtask(d);
	case KT_FT_SCHED_SWITCH:
		return on_switch(d);
	case KT_FT_PROC_EXIT:
		return on_thread_end(d);
	}
	return 0;
}

/*
 * Files of one CPU after another never come back to a CPU that they have left; a
 * merged trace does all the time.
 */
static void note_order(struct kt_ftrace *f, const struct cpu *c, const struct kt_ftrace_rec *rec)
{
	if ((c->seen && rec->ts_ns < c->last.ts_ns) ||
	    (rec->ts_ns < f->newest_ns && f->newest_ns - rec->ts_ns > JITTER_NS)) {
		f->stats.back_in_time++;
		f->unordered = true;
	}
	if (c->seen && rec->cpu != f->last_cpu)
		f->merged = true;
	if (rec->ts_ns > f->newest_ns)
		f->newest_ns = rec->ts_ns;
	f->last_cpu = rec->cpu;
}

int kt_ftrace_feed(struct kt_ftrace *f, const struct kt_ftrace_rec *rec, struct kt_event *ev)
{
	struct feed d = { .f = f, .rec = rec, .ev = ev };
	int made;

	if (!rec->id || rec->id >= KT_FT_NR || rec->cpu >= KT_FTRACE_CPUS_MAX)
		return 0;
	if (cpu_of(f, rec->cpu, &d.c))
		return -ENOMEM;
	if (is_duplicate(d.c, rec)) {
		f->stats.duplicates++;
		return 0;
	}
	f->stats.by_id[rec->id]++;
	note_order(f, d.c, rec);
	if (!kt_ftrace_of_thread(rec->id)) {
		made = convert_foreign(&d);
	} else {
		if (kt_ft_thread_of(f, d.c, rec, &d.t))
			return -ENOMEM;
		if (!d.t)
			return 0;
		d.hard = in_interrupt(&d);
		if (!d.hard)
			d.c->map_in_irq = d.c->soft = false;
		made = convert(&d);
		d.t->last_id = d.hard ? d.t->last_id : rec->id;
	}
	d.c->last = *rec;
	d.c->last.comm = NULL;
	d.c->seen = true;
	return d.err ? d.err : made;
}

void kt_ftrace_lost(struct kt_ftrace *f, uint16_t cpu)
{
	struct cpu *c;

	f->losses++;
	if (cpu < KT_FTRACE_CPUS_MAX && !cpu_of(f, cpu, &c))
		memset(c, 0, sizeof(*c));
	for (unsigned int t = 0; t < KT_TIMER_NR; t++)
		f->nr_waiting[t] = 0;
}

size_t kt_ftrace_idents(struct kt_ftrace *f, const struct kt_ident **rows)
{
	size_t n = f->nr_dirty;

	for (size_t i = 0; i < n; i++) {
		struct vcpu *v = kt_ft_vcpu_at(f, f->dirty[i]);

		v->dirty = false;
		f->rows[i] = v->id;
	}
	f->nr_dirty = 0;
	*rows = f->rows;
	return n;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

const struct kt_ftrace_stats *kt_ftrace_stats(struct kt_ftrace *f)
{
	struct kt_ftrace_stats *s = &f->stats;
	uint32_t *ids = malloc((f->nr_vcpus + 1) * sizeof(*ids)), n = 0;

	s->vcpus = f->nr_vcpus;
	s->entered = s->without_tgid = s->without_id = s->same_id_unknown_vm = 0;
	for (uint32_t i = 0; i < f->nr_vcpus; i++) {
		const struct kt_ident *id = &f->vcpu[i].id;

		if (!f->vcpu[i].entered)
			continue;
		s->entered++;
		s->without_tgid += !id->tgid;
		s->without_id += id->vcpu_id == KT_VCPU_ID_UNKNOWN;
		if (ids && !id->tgid && id->vcpu_id != KT_VCPU_ID_UNKNOWN)
			ids[n++] = id->vcpu_id;
	}
	if (n)
		qsort(ids, n, sizeof(*ids), by_number);
	for (uint32_t i = 0; i < n; i++)
		s->same_id_unknown_vm += (i && ids[i] == ids[i - 1]) || (i + 1 < n && ids[i] == ids[i + 1]);
	free(ids);
	return s;
}
