/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_RING_H
#define KT_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <kvmtimer/ring.h>

#include "store.h"

/*
 * The reading end of the per-CPU rings of include/kvmtimer/ring.h.  Works on
 * plain memory, so it is tested without a kernel.
 *
 * A pass takes each CPU's records up to the head that the pass before saw;
 * only kt_rings_drain(final), called once the programs are detached, takes all.
 */
struct kt_rings;

struct kt_rings_sink {
	void *arg;
	/* n records of one CPU, in time order; the memory is the ring itself */
	int (*events)(void *arg, uint32_t cpu, const struct kt_event *ev, size_t n);
	int (*loss)(void *arg, const struct kt_loss *loss);
	/* The clock of events, now.  Asked after the counters of a loss: a pass may be stopped in its middle. */
	uint64_t (*clock_ns)(void *arg);
};

/* Both areas stay the caller's.  slots is a power of two. */
int kt_rings_new(struct kt_cpu *cpus, uint32_t nr_cpus, const struct kt_event *ring,
		 uint32_t slots, struct kt_rings **out);
void kt_rings_free(struct kt_rings *r);

/*
 * One pass.  Stops at the first error of the sink and returns it; what was
 * not taken stays in the ring.
 */
int kt_rings_drain(struct kt_rings *r, uint64_t now_ns, bool final,
		   const struct kt_rings_sink *sink);

/* All events older than this have been given out.  0 in the first passes. */
uint64_t kt_rings_watermark_ns(const struct kt_rings *r);

/* From now on what is lost is not ours: the recording has ended, and programs come off one by one. */
void kt_rings_end(struct kt_rings *r);

uint64_t kt_rings_taken(const struct kt_rings *r);
uint64_t kt_rings_lost(const struct kt_rings *r);
/* Fullest ring at the start of the last pass, in 1/1000: how urgent the next pass is. */
unsigned int kt_rings_fill_permille(const struct kt_rings *r);

#endif
