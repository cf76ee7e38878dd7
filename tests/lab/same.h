/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_SAME_H
#define KT_SAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.h"
#include "model.h"
#include "rules.h"
#include "session.h"

/*
 * Do two recordings of one run tell the same?  same_take.c reads them, same_order.c
 * compares the events of a vCPU, same.c the rest; same_table.c lists what may differ.
 */

/* ---- what may differ ---- */

/* Who told: bits, as a pair may be two of these at once. */
#define SAME_FTRACE	1	/* one of them is of the BPF source, one of the ftrace source */
#define SAME_FOREIGN	2	/* one of them is ours, one another tool's capture */
#define SAME_HOOKS	4	/* one took list registers from tracepoints, one from functions */
#define SAME_ANY	7

#define SAME_LINE	1	/* not both recorded list registers */
#define SAME_LR		2

#define SAME_RELEASE(major, minor) ((major) * 1000 + (minor))

enum same_what {
	SAME_FIELD,		/* a field of an event */
	SAME_EVENT,		/* whether an event was told at all */
	SAME_ORDER,		/* on which side of others an event was told */
	SAME_STEPS,		/* steps of a lane */
	SAME_VERDICT,		/* the verdict of a rule */
	SAME_WHAT_NR
};

struct same_chain;

struct same_row {
	enum same_what what;
	uint32_t kinds;		/* bit per enum kt_kind, or 0 where it is of no event */
	const char *name;	/* field or lane, or ids of rules */
	uint64_t bits;		/* of the field; 0 = all of it */
	unsigned int pairs, details;
	unsigned int since, before;	/* SAME_RELEASE of the host's kernel, 0 = no limit */
	bool (*when)(const struct same_chain *c, size_t i);	/* of SAME_EVENT; NULL = always */
	bool (*of)(const struct kt_event *ev);			/* of SAME_FIELD; NULL = each */
	bool until_run;		/* of SAME_STEPS: those before the vCPU first ran */
	const char *why;
};

extern const struct same_row same_rows[];
extern const size_t same_nr_rows;

/* Which row is meant where the code of an order looks for its own. */
#define SAME_INTERRUPT	"an interrupt"
#define SAME_OTHER_CPU	"an interrupt on another CPU"
#define SAME_PREEMPTED	"a put and the load after it"

void same_list(void);

/* ---- one recording ---- */

struct same_event {
	struct kt_event ev;
	uint32_t vcpu;		/* index into the recording's vCPUs */
	struct same_event *mate;
};

struct same_vcpu {
	uint64_t kvm_vcpu;	/* the kernel's pointer; 0 = not known */
	uint32_t who, tid, vcpu_id, nth, mate;
	bool has_mate;
	char name[48];
};

struct same_step {
	uint32_t vcpu;
	uint8_t timer, lane, value, certainty;
	size_t place;
};

/* What model and rules make of the events. */
struct same_answers {
	struct same_step *step;
	size_t nr_steps, max_steps;
	enum kt_verdict *verdict;
	struct kt_vcpu_info *vcpu;
	struct kt_vm_info *vm;
	uint32_t nr_vms;
};

struct same_recording {
	const char *path;
	struct kt_session session;
	struct same_event *ev;
	struct kt_ident *ident;
	struct kt_clock_pair *clock;
	struct same_vcpu *vcpu;
	size_t nr_events, max_events, nr_idents, max_idents, nr_clocks, max_clocks;
	uint32_t nr_vcpus, nr_model_vcpus;
	struct same_answers answers;

	/* while it is read */
	struct kt_model *model;
	struct kt_rules *rules;
	bool started;
};

/* 0 or -errno, said. */
int same_take(const char *path, struct same_recording *r);
/* The same events at the times of their mates, as `r` makes of them; 0 or -errno. */
int same_retell(const struct same_recording *r, struct same_answers *out);
void same_answers_free(struct same_answers *a);
void same_recording_free(struct same_recording *r);
void *same_grow(void *array, size_t n, size_t *max, size_t size);

/* ---- comparing ---- */

/* Events of one vCPU that one thread of control told, so that they have one order. */
struct same_link {
	struct same_event *e;
	size_t before;		/* events of the thread before this one */
	size_t mate;
	bool has_mate, crossed;
};

struct same_chain {
	struct same_link *link;
	size_t n;
};

struct same_pair {
	struct same_recording rec[2];
	unsigned int pairs, detail, release;
	uint32_t kinds;		/* compared: bit per kind */
	uint32_t lanes;
	uint64_t least;		/* events in common */
	uint64_t used[64][KT_KIND_MAX];	/* by row and kind */
	uint64_t events, left_out, steps, verdicts, counts, explained;
	uint64_t differences;
	bool silent;		/* pair events only */
};

/* Says a difference, up to as many as a person reads. */
__attribute__((format(printf, 2, 3)))
void same_say(struct same_pair *p, const char *fmt, ...);

bool same_row_applies(const struct same_pair *p, const struct same_row *row, unsigned int kind);
/* The row that allows it between these two, NULL = none. */
const struct same_row *same_row_find(const struct same_pair *p, enum same_what what, unsigned int kind,
				     const char *name);
void same_use(struct same_pair *p, const struct same_row *row, unsigned int kind);
void same_print_used(const struct same_pair *p);

void same_compare_events(struct same_pair *p);

#endif
