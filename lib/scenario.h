/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_SCENARIO_H
#define KT_SCENARIO_H

#include <stddef.h>
#include <stdint.h>

#include "machine.h"

/*
 * Scenarios: what a guest, its host and time do, as text, acted by the
 * reference machine under any semantics.  One line, one thing:
 *
 *	# a comment; those before the first step are the story
 *	machine vcpus=2 cpus=2 timers=v,p nvhe	   default: one of each, the vtimer, VHE
 *	machine active-when-queued		   level-sync-clear in its other reading
 *	only lazy,mapped			   other semantics do not apply
 *	handler disable | rearm [2ms] | eoi | manual	what the guest does when interrupted
 *	vcpu 1					   the lines that follow are vCPU 1's
 *	program 5ms | far | past [vtimer | ptimer] CVAL, counted from now
 *	enable | disable | imask | unimask [ptimer]	the timer; the vtimer when none is named
 *	mask | unmask				   PSTATE.I
 *	hvc [3] | mmio [N] | tick [N]		   exits: KVM's, the VMM's, the host's own
 *	wfi | ack | eoi [ptimer]		   irq-disable, irq-enable, set-pending likewise
 *	expire [ptimer]				   time passes until its CVAL
 *	preempt | sleep | wake | kick | enter | load [cpu1]	the host
 *	run					   the vCPU goes on until it is in the guest
 *	expect edge,level taken=1 spurious=1	   what must have come out at the end
 *
 * A step of the guest brings its vCPU into the guest first, as `run` does.
 * Whenever an interrupt is taken the guest's handler runs at once: acknowledge,
 * what `handler` says, EOI, return; `manual` leaves all that to the steps.
 */

enum kt_handler { KT_HANDLER_DISABLE, KT_HANDLER_REARM, KT_HANDLER_EOI, KT_HANDLER_MANUAL };

#define KT_OP_RUN KT_OP_NR	/* beside the machine's own steps */

struct kt_scenario_step {
	struct kt_step step;
	uint32_t line, count;
	uint64_t due_ns;	/* of a program: 0 when not said */
};

#define KT_SAW_FIELDS(X) \
	X(taken) X(spurious) X(late) X(later) X(nothing) X(missed) X(entries) X(exits) X(saves) X(restores) X(notified)

struct kt_expect {
	uint32_t line, semantics;	/* mask */
	uint32_t field, value;		/* index in KT_SAW_FIELDS */
};

struct kt_scenario {
	struct kt_machine_opts opts;	/* but for the semantics */
	uint32_t semantics;		/* mask of those it applies to */
	enum kt_handler handler;
	uint64_t rearm_ns;
	struct kt_scenario_step *step;
	struct kt_expect *expect;
	size_t nr_steps, nr_expects;
};

/* What is wrong where; line 0: not with a line. */
struct kt_scenario_error {
	uint32_t line;
	char reason[160];
};

/* 0; -EINVAL with *err filled; -ENOMEM.  Free in every case but failure. */
int kt_scenario_parse(const char *text, size_t len, struct kt_scenario *s,
		      struct kt_scenario_error *err);
void kt_scenario_free(struct kt_scenario *s);

/*
 * Acts s under a semantics, from a fresh m, events and figures going to out.
 * -EPERM with *err: a step was not possible there.  -ENOTSUP: `only` leaves
 * this semantics out, or it has not what the scenario needs.
 */
int kt_scenario_run(const struct kt_scenario *s, enum kt_semantics semantics, struct kt_machine *m,
		    struct kt_machine_out *out, struct kt_scenario_error *err);

/* Compares with the `expect` lines: 0, or -ERANGE with *err. */
int kt_scenario_verify(const struct kt_scenario *s, enum kt_semantics semantics,
		       const struct kt_machine_out *out, struct kt_scenario_error *err);

/* Figures of all vCPUs together, by name and index; NULL past the end. */
const char *kt_saw_field(unsigned int field);
uint32_t kt_saw_total(const struct kt_machine_out *out, unsigned int field);

/* One step as a scenario line, without newline. */
int kt_scenario_format(struct kt_step step, char *buf, size_t size);

#endif
