/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_FTRACE_BLOCKS_H
#define KT_FTRACE_BLOCKS_H

#include "ftrace_feed.h"
#include "store.h"

/*
 * Decoded trace records in, blocks as of a recording out: so what reads a
 * recording reads any trace.  Give records in the order of the file until blocks
 * are ready, take these, go on; end when there are no more.
 *
 * Records need not be in perfect order: each CPU is a stream, and kt_order sorts
 * what is not further apart than some ten thousand events (one CPU's whole trace
 * after another's: 8 MB of events).  Memory does not grow with the file.
 */
struct kt_ftrace_blocks;

int kt_ftrace_blocks_new(const struct kt_ftrace_opts *opts, struct kt_ftrace_blocks **out);
void kt_ftrace_blocks_free(struct kt_ftrace_blocks *b);

/* All return 0 or -ENOMEM. */
int kt_ftrace_blocks_rec(struct kt_ftrace_blocks *b, const struct kt_ftrace_rec *rec);
/* n events (0 = unknown, some) are missing on cpu, or on each seen so far (KT_FTRACE_ALL_CPUS), between its last record and its next. */
int kt_ftrace_blocks_lost(struct kt_ftrace_blocks *b, uint16_t cpu, uint64_t n);
int kt_ftrace_blocks_end(struct kt_ftrace_blocks *b);

bool kt_ftrace_blocks_ready(const struct kt_ftrace_blocks *b);
/* 1 and *out, or 0.  As kt_reader_next: events until released, the rest until the next call. */
int kt_ftrace_blocks_next(struct kt_ftrace_blocks *b, struct kt_block *out);
void kt_ftrace_blocks_release(struct kt_ftrace_blocks *b, const struct kt_block *block);

/* For statistics. */
struct kt_ftrace *kt_ftrace_blocks_ftrace(struct kt_ftrace_blocks *b);
uint64_t kt_ftrace_blocks_events(const struct kt_ftrace_blocks *b);

#endif
