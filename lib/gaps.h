/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_GAPS_H
#define KT_GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Gaps that are open: spans of time in which events of a stream may be missing.
 *
 * A gap says that events went missing somewhere in [from_ns, until_ns], both ends
 * included, and not where in it.  What is learnt inside may be wrong again before
 * the end, so whoever keeps state of a vCPU forgets it at the start and at the end
 * and concludes nothing between.
 *
 * Whose events a stream may lack: those of vCPUs that were loaded on its CPU, and of
 * those that were loaded nowhere and may have come to it.  A vCPU that stays loaded on
 * another CPU lacks nothing, but for soft timers of emulated timers, which fire where
 * the host likes (nohz_full moves them).  The side stream lacks events of any vCPU.
 */
struct kt_gap_span {
	uint64_t until_ns;
	uint32_t stream;	/* CPU, or KT_STREAM_SIDE */
};

struct kt_gaps {
	struct kt_gap_span *span;	/* at most one of each stream */
	size_t n, max;
	uint64_t until_ns;		/* the latest end: later nothing is open */
};

/* What decides whether a vCPU may lack events of a stream. */
struct kt_gap_place {
	bool loaded;		/* its timers are in the hardware of pcpu */
	bool emulates;		/* it has a timer whose soft timer may fire on any CPU */
	uint16_t pcpu;
};

/* Opens a gap of stream, or makes the open one longer.  0 or -ENOMEM. */
int kt_gaps_open(struct kt_gaps *g, uint32_t stream, uint64_t until_ns);

/* May a vCPU there lack events that stream lost? */
bool kt_gap_touches(uint32_t stream, struct kt_gap_place place);

/* The latest end of the gaps open at ts_ns that a vCPU there may be touched by; 0: of none. */
uint64_t kt_gaps_until_ns(const struct kt_gaps *g, uint64_t ts_ns, struct kt_gap_place place);

/* Is any gap open at ts_ns?  What is asked for each event. */
static inline bool kt_gaps_at(const struct kt_gaps *g, uint64_t ts_ns)
{
	return ts_ns <= g->until_ns;
}

/* Has the last open gap ended before ts_ns?  Then whoever kept state over it forgets, and closes them. */
static inline bool kt_gaps_over(const struct kt_gaps *g, uint64_t ts_ns)
{
	return g->n && !kt_gaps_at(g, ts_ns);
}

void kt_gaps_close(struct kt_gaps *g);
void kt_gaps_fini(struct kt_gaps *g);

#endif
