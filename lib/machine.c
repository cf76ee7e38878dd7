/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reference machine: the physical interrupts and KVM's run loop, which calls
 * the hooks of machine_timer.c and machine_vgic.c in the order of each era.
 * What the guest does is in machine_guest.c; machine.h has the words.
 */
#include "machine.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "machine_private.h"

#define KVM_EXIT_INTR	10

/* ---- names ---- */

static const char *const semantics_names[] = {
#define X(id, name, what) name,
	KT_SEMANTICS(X)
#undef X
};

static const char *const semantics_whats[] = {
#define X(id, name, what) what,
	KT_SEMANTICS(X)
#undef X
};

static const char *const op_names[] = {
#define X(id, name, needs, what) name,
	KT_MACHINE_OPS(X)
#undef X
};

static const char *const op_needs[] = {
#define X(id, name, needs, what) needs,
	KT_MACHINE_OPS(X)
#undef X
};

const char *kt_semantics_name(unsigned int semantics)
{
	return semantics < KT_SEM_NR ? semantics_names[semantics] : "?";
}

const char *kt_semantics_what(unsigned int semantics)
{
	return semantics < KT_SEM_NR ? semantics_whats[semantics] : "?";
}

int kt_semantics_parse(const char *name)
{
	for (int i = 0; i < KT_SEM_NR; i++)
		if (!strcmp(semantics_names[i], name))
			return i;
	return -EINVAL;
}

const char *kt_op_name(unsigned int op)
{
	return op < KT_OP_NR ? op_names[op] : "?";
}

const char *kt_op_needs(unsigned int op)
{
	return op < KT_OP_NR ? op_needs[op] : "";
}

/* ---- looking ---- */

static struct kt_ctx ctx_of(struct kt_machine *m, struct kt_machine_out *out, unsigned int vcpu)
{
	struct kt_mvcpu *v = &m->vcpu[vcpu];

	return (struct kt_ctx){ .m = m, .out = out, .v = v, .cpu = &m->cpu[v->cpu], .vcpu = vcpu };
}

static bool is_loaded(const struct kt_mvcpu *v)
{
	return v->where == KT_IN_HOST || v->where == KT_IN_GUEST || v->where == KT_IN_BLOCK;
}

bool kt_machine_wire(const struct kt_machine *m, unsigned int vcpu, unsigned int timer)
{
	const struct kt_mvcpu *v = &m->vcpu[vcpu];
	const struct kt_mtimer *x = &v->timer[timer];
	__u8 ctl = x->loaded ? m->cpu[v->cpu].ctl[timer] : x->ctl;
	__u8 cval = x->loaded ? m->cpu[v->cpu].cval[timer] : x->cval;

	return (ctl & (KT_CTL_ENABLE | KT_CTL_IMASK)) == KT_CTL_ENABLE && cval == KT_CVAL_PAST;
}

/* The line of the physical PPI: what the CPU's own timer drives. */
static bool phys_line(const struct kt_mcpu *cpu, unsigned int t)
{
	return (cpu->ctl[t] & (KT_CTL_ENABLE | KT_CTL_IMASK)) == KT_CTL_ENABLE &&
	       cpu->cval[t] == KT_CVAL_PAST;
}

static bool runnable(const struct kt_ctx *c)
{
	bool pending;

	if (!kt_in_kernel(c->m))
		pending = kt_vmm_pending(c->v) != 0;
	else if (kt_per_entry(c->m))
		pending = kt_old_vgic_pending_irq(c);
	else
		pending = kt_vgic_pending_irq(c);
	return pending || kt_timer_is_pending(c);
}

bool kt_machine_runnable(const struct kt_machine *m, unsigned int vcpu)
{
	struct kt_machine copy = *m;	/* only read, but the context is not const */
	struct kt_ctx c = ctx_of(&copy, NULL, vcpu);

	return runnable(&c);
}

unsigned int kt_machine_bound(enum kt_semantics semantics)
{
	switch (semantics) {
	case KT_SEM_EDGE:
	case KT_SEM_LEVEL_SYNC_CLEAR:
		return KT_UNBOUNDED;
	case KT_SEM_LEVEL:
		return 1;
	default:
		return 0;
	}
}

int kt_machine_init(struct kt_machine *m, const struct kt_machine_opts *opts)
{
	unsigned int timers = opts->timers ? opts->timers : 1u << KT_VTIMER;

	if (opts->semantics >= KT_SEM_NR || opts->nr_vcpus > KT_MACHINE_VCPUS ||
	    opts->nr_cpus > KT_MACHINE_CPUS || timers >> KT_MACHINE_TIMERS)
		return -EINVAL;
	if (timers >> KT_PTIMER & 1 && opts->semantics < KT_SEM_MAPPED)
		return -EINVAL;
	if (opts->nvhe && opts->semantics != KT_SEM_MAPPED)
		return -EINVAL;
	if (opts->active_when_queued && opts->semantics != KT_SEM_LEVEL_SYNC_CLEAR)
		return -EINVAL;
	memset(m, 0, sizeof(*m));
	m->semantics = opts->semantics;
	m->fault = opts->fault;
	m->nr_vcpus = opts->nr_vcpus ? opts->nr_vcpus : 1;
	m->nr_cpus = opts->nr_cpus ? opts->nr_cpus : 1;
	m->timers = timers;
	m->active_when_queued = opts->active_when_queued;
	m->emulated = opts->nvhe ? 1u << KT_PTIMER : 0;
	m->bound = opts->set_bound ? opts->bound : kt_machine_bound(opts->semantics);
	for_each_timer(t)
		for (unsigned int i = 0; i < m->nr_vcpus; i++)
			m->vcpu[i].irq[t].enabled = 1;
	kt_watch_init(m);
	return 0;
}

/* ---- interrupts that the host takes ---- */

static bool soft_timer_due(const struct kt_ctx *c, unsigned int t)
{
	return c->v->hrtimer_armed && kt_emulated(c->m, t) &&
	       c->v->timer[t].cval == KT_CVAL_PAST;
}

static bool irq_due(const struct kt_ctx *c, unsigned int t)
{
	return (phys_line(c->cpu, t) && !c->cpu->active[t]) || soft_timer_due(c, t);
}

/* Where the host has interrupts on.  One that does not fall silent is counted by the watch. */
static void irq_window(const struct kt_ctx *c)
{
	for_each_timer(t) {
		while (irq_due(c, t) && c->m->property == KT_PROP_OK) {
			kt_watch_exit(c, true);
			if (soft_timer_due(c, t))
				kt_timer_hrtimer_expire(c, t);
			else
				kt_timer_handler(c, t);
		}
	}
}

/* ---- the run loop ---- */

/*
 * What follows the world switch.  Up to 4.14 the switch has turned the timer
 * off.  4.3 syncs the vgic before the timer; the rework turned that round, as
 * the vgic samples the line; 4.15 turned it back, as the timer wants to know
 * what is active.  From 4.16 a vgic needs no sync of the timer at all.
 */
void kt_guest_exit(const struct kt_ctx *c, __u8 code, __u32 esr)
{
	c->v->where = KT_IN_HOST;
	kt_watch_exit(c, false);
	if (kt_per_entry(c->m)) {
		kt_timer_world_switch(c, false);
		kt_emit_run(c, KT_EV_EXIT, code, esr);
		if (c->m->semantics == KT_SEM_EDGE)
			kt_old_vgic_sync_hwstate(c);
		kt_timer_sync_hwstate(c);
		if (c->m->semantics != KT_SEM_EDGE)
			kt_old_vgic_sync_hwstate(c);
		return;
	}
	if (kt_in_kernel(c->m))
		kt_vgic_sync_hwstate(c);
	kt_timer_sync_hwstate(c);
	irq_window(c);
	kt_emit_run(c, KT_EV_EXIT, code, esr);
}

static void put(const struct kt_ctx *c, __u8 flags, enum kt_where where)
{
	kt_timer_vcpu_put(c, flags);
	c->cpu->running = 0;
	c->v->where = where;
}

void kt_to_vmm(const struct kt_ctx *c, __u32 reason, __s32 err)
{
	if (!kt_in_kernel(c->m))
		kt_timer_update_run(c);
	put(c, 0, KT_IN_VMM);
	kt_emit_user_exit(c, reason, err);
}

static int enter(const struct kt_ctx *c)
{
	if (c->v->where != KT_IN_HOST)
		return -EPERM;
	if (kt_per_entry(c->m)) {
		kt_timer_flush_hwstate(c);
		kt_old_vgic_flush_hwstate(c);
		kt_timer_world_switch(c, true);
	} else if (kt_in_kernel(c->m)) {
		kt_vgic_flush_hwstate(c);
	}
	if (kt_timer_should_notify_user(c)) {
		if (c->out)
			c->out->saw[c->vcpu].notified++;
		kt_to_vmm(c, KVM_EXIT_INTR, -EINTR);
		return 0;
	}
	kt_emit_run(c, KT_EV_ENTRY, 0, 0);
	c->v->where = KT_IN_GUEST;
	kt_watch_entry(c);
	return 0;
}

static int load(struct kt_ctx *c, unsigned int cpu)
{
	enum kt_where where = c->v->where;

	if (where != KT_IN_VMM && where != KT_IN_QUEUE && !(where == KT_IN_SLEEP && c->v->kicked))
		return -EPERM;
	if (c->m->cpu[cpu].running)
		return -EPERM;
	c->v->cpu = cpu;
	c->cpu = &c->m->cpu[cpu];
	c->cpu->running = 1 + c->vcpu;
	c->v->where = where == KT_IN_SLEEP ? KT_IN_BLOCK : KT_IN_HOST;
	kt_timer_vcpu_load(c);
	return 0;
}

static int preempt(const struct kt_ctx *c)
{
	if (c->v->where != KT_IN_GUEST && c->v->where != KT_IN_HOST)
		return -EPERM;
	if (c->v->where == KT_IN_GUEST)
		kt_guest_exit(c, KT_EXIT_IRQ, 0);
	put(c, KT_SAVE_PREEMPTED, KT_IN_QUEUE);
	return 0;
}

/* ---- blocking: kvm_vcpu_block ---- */

static int sleep_now(const struct kt_ctx *c)
{
	if (c->v->where != KT_IN_BLOCK || c->v->kicked || runnable(c))
		return -EPERM;
	put(c, KT_SAVE_BLOCKING, KT_IN_SLEEP);
	return 0;
}

static int wake(const struct kt_ctx *c)
{
	if (c->v->where != KT_IN_BLOCK || (!c->v->kicked && !runnable(c)))
		return -EPERM;
	kt_timer_unblocking(c);
	kt_emit_wakeup(c, c->v->kicked);
	c->v->kicked = 0;
	c->v->where = KT_IN_HOST;
	return 0;
}

static int kick(const struct kt_ctx *c)
{
	if ((c->v->where != KT_IN_BLOCK && c->v->where != KT_IN_SLEEP) || c->v->kicked)
		return -EPERM;
	c->v->kicked = 1;
	return 0;
}

/* ---- steps ---- */

/* Time passes until the timer's CVAL is reached, wherever its registers are. */
static int expire(const struct kt_ctx *c, unsigned int t)
{
	struct kt_mtimer *x = &c->v->timer[t];
	__u8 *cval = x->loaded ? &c->cpu->cval[t] : &x->cval;

	if (*cval != KT_CVAL_SOON)
		return -EPERM;
	*cval = KT_CVAL_PAST;
	kt_emit_time(c, t);
	kt_watch_wire(c, t, false);
	/* The background timer stands for a timer that could fire. */
	if (c->v->bg_armed && kt_machine_wire(c->m, c->vcpu, t)) {
		c->v->bg_armed = 0;
		c->v->kicked = 1;
		kt_emit_soft(c, KT_EV_BG_EXPIRE, KT_TIMER_NONE);
	}
	return 0;
}

static int act(struct kt_ctx *c, struct kt_step s)
{
	switch (s.op) {
	case KT_OP_ENTER:
		return enter(c);
	case KT_OP_PREEMPT:
		return preempt(c);
	case KT_OP_LOAD:
		return load(c, s.arg);
	case KT_OP_SLEEP:
		return sleep_now(c);
	case KT_OP_WAKE:
		return wake(c);
	case KT_OP_KICK:
		return kick(c);
	case KT_OP_EXPIRE:
		return expire(c, s.timer);
	default:
		return kt_guest_step(c, s);
	}
}

/*
 * What happens by itself before anyone can act again: physical interrupts are
 * taken where the host or the guest runs, and an unmasked guest takes its
 * virtual one.
 */
static void settle(struct kt_machine *m, struct kt_machine_out *out)
{
	for (unsigned int i = 0; i < m->nr_vcpus; i++) {
		struct kt_ctx c = ctx_of(m, out, i);
		bool due = false;

		if (!is_loaded(c.v))
			continue;
		for_each_timer(t)
			due |= irq_due(&c, t);
		if (due && c.v->where == KT_IN_GUEST) {
			if (kt_per_entry(m))
				kt_watch_exit(&c, true);
			kt_guest_exit(&c, KT_EXIT_IRQ, 0);
		} else if (due) {
			irq_window(&c);
		}
		if (c.v->where == KT_IN_GUEST && !c.v->masked && kt_virq(m, c.v))
			c.v->vectored = c.v->masked = 1;
	}
}

static bool step_valid(const struct kt_machine *m, struct kt_step s)
{
	const char *needs = kt_op_needs(s.op);

	if (s.op >= KT_OP_NR || s.vcpu >= m->nr_vcpus)
		return false;
	if (strchr(needs, 't') && (s.timer >= KT_MACHINE_TIMERS || !(m->timers >> s.timer & 1)))
		return false;
	if (strchr(needs, 'v') && s.arg > KT_CVAL_PAST)
		return false;
	return !strchr(needs, 'c') || s.arg < m->nr_cpus;
}

int kt_machine_step(struct kt_machine *m, struct kt_step step, struct kt_machine_out *out)
{
	struct kt_ctx c;
	bool ran;
	int err;

	if (!step_valid(m, step))
		return -EINVAL;
	c = ctx_of(m, out, step.vcpu);
	ran = c.v->where == KT_IN_GUEST;
	err = act(&c, step);
	if (err)
		return err;
	if (ran)
		c.v->storm = 0;
	settle(m, out);
	kt_watch_settled(m, out);
	return 0;
}
