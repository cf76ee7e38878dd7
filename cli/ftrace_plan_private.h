/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_FTRACE_PLAN_PRIVATE_H
#define KT_FTRACE_PLAN_PRIVATE_H

/*
 * While a plan is made: ftrace_plan.c takes tracepoints and probes, ftrace_probes.c
 * lists the probes, ftrace_args.c writes what they fetch, ftrace_calls.c sets up the
 * function tracer.
 */
#include "ftrace_plan.h"

struct btf;
struct tep_handle;
struct tep_event;

/*
 * One argument: the value it becomes and where it is in struct kvm_vcpu, by name;
 * the first path that this kernel has.  A path that begins with "=" is taken as it
 * stands, after register names have been put in: "=R0:u64" is the first argument.
 * One that begins with "?" is found by code of its own in ftrace_args.c.
 */
struct kt_fetch_arg {
	uint8_t value;
	uint8_t nr;		/* array elements; 0 = one */
	const char *path[2];
};

/*
 * Our probes.  Those of one group stand for the same thing, best first: the first
 * that the kernel takes is used.  A return probe sees its arguments since 6.9
 * only (25f00e40ce79); before it, the next function that the run loop enters with
 * the same vCPU takes its place, which an aborted entry does not reach.
 */
struct kt_fetch_probe {
	uint8_t id;
	bool ret, btf;		/* btf: of no use without it */
	uint8_t detail, group, kind;
	const char *name, *function, *filter;
	const struct kt_fetch_arg *args;
	const char *lost;
};

enum kt_fetch_group {
	GROUP_LOAD = 1, GROUP_RESET, GROUP_ENABLE, GROUP_PUT, GROUP_HRTIMER, GROUP_BG, GROUP_VCPU,
	GROUP_VM, GROUP_FLUSH, GROUP_FOLD_IN, GROUP_FOLD_OUT, GROUP_WIRE, GROUP_WIRE_IRQ,
	GROUP_IRQCHIP, GROUP_NR
};

extern const struct kt_fetch_probe kt_fetch_probes[];
extern const unsigned int kt_nr_fetch_probes;
/* Where the fold needs no stand-in, the exit's registers still want a probe. */
extern const struct kt_fetch_probe kt_regs_probe;

struct kt_plan_build {
	struct kt_tracefs *t;
	struct kt_plan *plan;
	struct kt_facts *facts;
	const struct kt_capture_opts *opts;
	struct tep_handle *tep;
	struct btf *btf;
	int vcpu;			/* struct kvm_vcpu in btf */
	unsigned int taken;		/* bit per group of probes */
	char args[3000];
	size_t n;
};

/* What p fetches, as text for kprobe_events, into b->args; may fill the layout's flags. */
void kt_plan_args(struct kt_plan_build *b, const struct kt_fetch_probe *p);

/* ftrace_plan.c: for the function tracer */
struct tep_event *kt_plan_read_format(struct kt_plan_build *b, const char *system,
				      const char *event);
/* system stays the caller's, as long as the plan lives. */
struct kt_plan_event *kt_plan_new_event(struct kt_plan_build *b, const char *system,
					const char *name, struct tep_event *format, uint8_t id);
bool kt_plan_add_field(struct kt_plan_event *e, struct tep_event *format, const char *name,
		       unsigned int value);

/* ftrace_calls.c */
int kt_plan_take_functions(struct kt_plan_build *b);
uint8_t kt_plan_call_at(const struct kt_plan *p, uint64_t ip);

#endif
