/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Acting a scenario: the host does what brings a vCPU back into its guest, the
 * guest's handler does what it must, and the scenario's own steps in between.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "event.h"
#include "scenario.h"

#define PATIENCE 32	/* steps of the host until the guest runs; it takes a handful */

struct run {
	const struct kt_scenario *s;
	struct kt_machine *m;
	struct kt_machine_out *out;
	struct kt_scenario_error *err;
	uint32_t line;
};

__attribute__((format(printf, 2, 3)))
static int cannot(const struct run *r, const char *fmt, ...)
{
	va_list ap;

	r->err->line = r->line;
	va_start(ap, fmt);
	vsnprintf(r->err->reason, sizeof(r->err->reason), fmt, ap);
	va_end(ap);
	return -EPERM;
}

static const char *where_name(unsigned int where)
{
	static const char *const names[] = { "in the VMM", "in the host", "in the guest",
					     "about to block", "asleep", "preempted" };

	return names[where];
}

static int step(const struct run *r, unsigned int op, unsigned int vcpu, unsigned int timer,
		unsigned int arg)
{
	struct kt_step s = { .op = op, .vcpu = vcpu, .timer = timer, .arg = arg };
	int err = kt_machine_step(r->m, s, r->out);

	if (err)
		return cannot(r, "\"%s\" is not possible for vCPU %u, which is %s", kt_op_name(op), vcpu,
			      where_name(r->m->vcpu[vcpu].where));
	return 0;
}

/* What the host does next with a vCPU that is not in the guest. */
static int host_goes_on(const struct run *r, unsigned int vcpu)
{
	const struct kt_mvcpu *v = &r->m->vcpu[vcpu];

	switch (v->where) {
	case KT_IN_HOST:
		return step(r, KT_OP_ENTER, vcpu, KT_VTIMER, 0);
	case KT_IN_BLOCK:
		if (!v->kicked && !kt_machine_runnable(r->m, vcpu))
			break;
		return step(r, KT_OP_WAKE, vcpu, KT_VTIMER, 0);
	case KT_IN_SLEEP:
		if (!v->kicked)
			break;
		/* fall through */
	default:
		if (r->m->cpu[v->cpu].running)
			return cannot(r, "CPU %u is taken by vCPU %u", v->cpu,
				      r->m->cpu[v->cpu].running - 1u);
		return step(r, KT_OP_LOAD, vcpu, KT_VTIMER, v->cpu);
	}
	return cannot(r, "vCPU %u has executed WFI and nothing has woken it", vcpu);
}

static int handle(const struct run *r, unsigned int vcpu);

static int to_guest(const struct run *r, unsigned int vcpu)
{
	struct kt_mvcpu *v = &r->m->vcpu[vcpu];
	int err = 0;

	for (unsigned int i = 0; v->where != KT_IN_GUEST && !err; i++) {
		if (i == PATIENCE)
			return cannot(r, "vCPU %u is entered again and again and never runs", vcpu);
		err = host_goes_on(r, vcpu);
	}
	return err;
}

/* An act of the guest's handler, which must first be let run. */
static int act(const struct run *r, unsigned int op, unsigned int vcpu, unsigned int timer)
{
	int err = to_guest(r, vcpu);

	return err ? err : step(r, op, vcpu, timer, KT_CVAL_SOON);
}

/* The guest's handler: IAR, the timer, EOIR, ERET.  An IAR of 1023 leads straight back. */
static int handle(const struct run *r, unsigned int vcpu)
{
	struct kt_mvcpu *v = &r->m->vcpu[vcpu];
	unsigned int served = v->in_service, t;
	int err = act(r, KT_OP_ACK, vcpu, KT_VTIMER);

	served ^= v->in_service;
	if (!err && served) {
		t = served >> KT_VTIMER & 1 ? KT_VTIMER : KT_PTIMER;
		r->out->due_ns = r->s->rearm_ns;
		if (r->s->handler == KT_HANDLER_REARM)
			err = act(r, KT_OP_PROGRAM, vcpu, t);
		else if (r->s->handler == KT_HANDLER_DISABLE)
			err = act(r, KT_OP_DISABLE, vcpu, t);
		if (!err)
			err = act(r, KT_OP_EOI, vcpu, t);
	}
	return err ? err : act(r, KT_OP_UNMASK, vcpu, KT_VTIMER);
}

static int interrupts(const struct run *r)
{
	int err = 0;

	if (r->s->handler == KT_HANDLER_MANUAL)
		return 0;
	for (unsigned int i = 0; i < r->m->nr_vcpus && !err; i++)
		for (unsigned int n = 0; r->m->vcpu[i].vectored && !err; n++)
			err = n < PATIENCE ? handle(r, i) :
			      cannot(r, "vCPU %u takes one interrupt after the other", i);
	return err;
}

static int run_to_guest(const struct run *r, unsigned int vcpu)
{
	int err;

	/* The handler may end in the host again: user space irqchip, or emulated timers. */
	do {
		err = to_guest(r, vcpu);
		if (!err)
			err = interrupts(r);
	} while (!err && r->m->vcpu[vcpu].where != KT_IN_GUEST);
	return err;
}

/* Time goes forward only: what is due first must expire first. */
static int check_due(const struct run *r, const struct kt_scenario_step *st)
{
	const struct kt_step *s = &st->step;
	unsigned int vcpu = 0, timer = kt_machine_next_due(r->m, r->out, &vcpu);

	if (timer == KT_TIMER_NONE ||
	    r->out->cval_ticks[vcpu][timer] == r->out->cval_ticks[s->vcpu][s->timer])
		return 0;
	if (timer != s->timer || vcpu != s->vcpu)
		return cannot(r, "the %s of vCPU %u is due first", kt_timer_name(timer), vcpu);
	return 0;
}

static int act_step(const struct run *r, const struct kt_scenario_step *st)
{
	const struct kt_step *s = &st->step;
	unsigned int arg = s->arg;
	int err = 0;

	if (s->op == KT_OP_RUN || strchr(kt_op_needs(s->op), 'g'))
		err = run_to_guest(r, s->vcpu);
	if (err || s->op == KT_OP_RUN)
		return err;
	if (s->op == KT_OP_EXPIRE)
		err = check_due(r, st);
	if (s->op == KT_OP_LOAD && arg == KT_MACHINE_CPUS)
		arg = r->m->vcpu[s->vcpu].cpu;
	r->out->due_ns = st->due_ns;
	if (!err)
		err = step(r, s->op, s->vcpu, s->timer, arg);
	return err ? err : interrupts(r);
}

int kt_scenario_run(const struct kt_scenario *s, enum kt_semantics semantics, struct kt_machine *m,
		    struct kt_machine_out *out, struct kt_scenario_error *err)
{
	struct run r = { .s = s, .m = m, .out = out, .err = err };
	struct kt_machine_opts opts = s->opts;
	int got = 0;

	memset(err, 0, sizeof(*err));
	opts.semantics = semantics;
	if (!(s->semantics >> semantics & 1) || kt_machine_init(m, &opts)) {
		snprintf(err->reason, sizeof(err->reason), "not for the semantics \"%s\"",
			 kt_semantics_name(semantics));
		return -ENOTSUP;
	}
	for (size_t i = 0; i < s->nr_steps && !got; i++) {
		r.line = s->step[i].line;
		for (uint32_t n = 0; n < s->step[i].count && !got; n++)
			got = act_step(&r, &s->step[i]);
	}
	return got;
}

int kt_scenario_verify(const struct kt_scenario *s, enum kt_semantics semantics,
		       const struct kt_machine_out *out, struct kt_scenario_error *err)
{
	for (size_t i = 0; i < s->nr_expects; i++) {
		const struct kt_expect *e = &s->expect[i];
		uint32_t got = kt_saw_total(out, e->field);

		if (!(e->semantics >> semantics & 1) || got == e->value)
			continue;
		err->line = e->line;
		snprintf(err->reason, sizeof(err->reason), "%s: expected %s=%u, got %u",
			 kt_semantics_name(semantics), kt_saw_field(e->field), e->value, got);
		return -ERANGE;
	}
	return 0;
}
