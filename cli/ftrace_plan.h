/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_FTRACE_PLAN_H
#define KT_FTRACE_PLAN_H

#include "capture.h"
#include "facts.h"
#include "ftrace_live.h"
#include "ftrace_instance.h"

/*
 * Which trace events a recording takes, and where their fields lie.
 *
 * Tracepoints are those of the BPF source (cli/probes.c).  Beside them stand
 * kprobe events of our own that say who is on which CPU, and at detail lr what
 * the list registers hold; what they fetch is found through the kernel's BTF.
 * Without BTF only pointers are fetched.  Formats are read from the kernel's own
 * files once; after that a record is decoded by offsets.
 */
struct kt_plan_field {
	uint16_t offset;
	uint8_t drop;				/* bits of the eight bytes there that are not its */
	uint8_t is_signed, value;		/* value: index into kt_live_rec.v */
};

struct kt_plan_event {
	uint16_t type;				/* common_type of its records */
	uint8_t id;				/* kt_live_rec.id */
	uint8_t kind;				/* what is lost when the kernel skips the probe */
	uint8_t nr_fields;
	int16_t comm;				/* offset of a __data_loc, -1 without */
	uint64_t has;
	struct kt_plan_field field[KT_LIVE_VALUES];
	const char *system;
	char name[48];
	bool is_probe;
	bool flood;				/* many, and only on the vCPU's own thread */
	uint64_t skipped;			/* of it, so far */
};

#define KT_PLAN_EVENTS 40
#define KT_PLAN_FUNCTIONS 24

struct kt_plan {
	struct kt_plan_event event[KT_PLAN_EVENTS];
	unsigned int nr;
	uint8_t index[65536];			/* event[] + 1 of a type */
	struct kt_live_layout layout;
	bool fold_out_in_regs, lr_tracepoints;	/* as in struct kt_live_opts */
	/* function tracer: where the functions begin, and what each is */
	struct {
		uint64_t address;
		uint8_t fn;			/* enum kt_call_fn */
	} function[KT_PLAN_FUNCTIONS];
	unsigned int nr_functions;
};

/*
 * Makes probes, sets filters, reads formats and enables everything; tracing is still off.  facts gains capture.probe.*.  Errors have been said.
 */
int kt_plan_new(struct kt_tracefs *t, const struct kt_capture_opts *opts,
		struct kt_facts *facts, struct kt_plan **out);
/*
 * From now on the kernel leaves out the floods of these threads; the rest, which tells
 * who is who, stays.  0 or -errno without a word.
 */
#define KT_PLAN_EXCLUDED 128
int kt_plan_exclude(struct kt_plan *p, struct kt_tracefs *t, const uint32_t *tid, unsigned int n);

void kt_plan_free(struct kt_plan *p);

/* Fills rec from the bytes of a record, with seven readable behind it; false when it is none of ours. */
bool kt_plan_decode(const struct kt_plan *p, const void *data, size_t size,
		    struct kt_live_rec *rec);

#endif
