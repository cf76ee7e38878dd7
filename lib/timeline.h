/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_TIMELINE_H
#define KT_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

/*
 * The timeline: the steps of the lanes in a window of time, kept so that a
 * renderer can ask "what was this lane doing between a and b" for each column
 * of a picture.
 *
 *	kt_timeline_new(&opts, &tl);
 *	model_opts.sink = kt_timeline_sink(tl);	... feed the model ...
 *	for each row of kt_timeline_rows(): kt_timeline_sample(row, from, to, &s)
 *
 * Memory grows with the number of steps inside the window, up to max_steps;
 * past that the window is cut short, which kt_timeline_status tells.
 */
struct kt_timeline;

struct kt_timeline_opts {
	uint64_t from_ns, to_ns;	/* host monotonic; to_ns 0 = to the end */
	uint32_t vm;			/* VM number, 0 = all */
	uint64_t vcpu_mask;		/* bit per vcpu_id 0..63; 0 = all */
	bool one_vcpu;			/* only the vCPU of this kt_model_vcpu index */
	uint32_t vcpu;
	uint8_t timer_mask;		/* bit per enum kt_timer; 0 = all that have steps */
	size_t max_steps;		/* 0 = 4 million */
};

int kt_timeline_new(const struct kt_timeline_opts *opts, struct kt_timeline **out);
void kt_timeline_free(struct kt_timeline *t);
const struct kt_model_sink *kt_timeline_sink(struct kt_timeline *t);
/* The vm and vcpu filters look identities up here; set before feeding. */
void kt_timeline_bind(struct kt_timeline *t, const struct kt_model *m);

/* One row of the picture: a lane of a timer of a vCPU that has at least one step. */
struct kt_row {
	uint32_t vcpu;		/* kt_model_vcpu index */
	uint8_t timer;		/* KT_TIMER_NONE for the vCPU's own lanes */
	uint8_t lane;
	size_t nr_changes;
};

size_t kt_timeline_nr_rows(const struct kt_timeline *t);
/* Rows are sorted: VM, vCPU, own lanes first, then timer, then lane. */
const struct kt_row *kt_timeline_row(const struct kt_timeline *t, size_t i);
/* All steps of a row in time order, the state before the window first. */
const struct kt_change *kt_timeline_changes(const struct kt_timeline *t, size_t row, size_t *n);

enum { KT_EDGE_NONE, KT_EDGE_RISING, KT_EDGE_FALLING };

/* What a column of width [from, to) shows. */
struct kt_sample {
	uint8_t value;		/* at the end of the column */
	uint8_t certainty;	/* the least certain in the column */
	uint32_t steps;		/* changes of value inside the column */
	uint32_t values;	/* bit per value seen inside the column */
	uint8_t edge;		/* an edge whose [lo, hi] covers part of the column: KT_EDGE_* */
};

void kt_timeline_sample(const struct kt_timeline *t, size_t row, uint64_t from_ns, uint64_t to_ns,
			struct kt_sample *out);

/* Marks: single events a picture points at (exits, host interrupts, publications…). */
size_t kt_timeline_nr_events(const struct kt_timeline *t);
const struct kt_event *kt_timeline_event(const struct kt_timeline *t, size_t i, uint32_t *vcpu);

struct kt_timeline_status {
	uint64_t first_ns, last_ns;	/* window really covered */
	int cut_short;			/* there were more steps, or more events, than are kept */
	uint64_t lost_in_window;
};

void kt_timeline_status(const struct kt_timeline *t, struct kt_timeline_status *out);

#endif
