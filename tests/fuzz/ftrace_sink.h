/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FTRACE_SINK_H
#define FTRACE_SINK_H

/*
 * Where decoded records go in both fuzzers: the conversion, and its promises.
 * What follows (order, model) is fuzz_store's.
 */
#include <stdint.h>
#include <stdlib.h>

#include "ftrace_blocks.h"
#include "store_private.h"

static inline struct kt_ftrace_blocks *sink_new(void)
{
	struct kt_ftrace_blocks *b;

	if (kt_ftrace_blocks_new(NULL, &b))
		abort();
	return b;
}

static inline void sink_check(const struct kt_block *b)
{
	switch (b->type) {
	case KT_BLOCK_IDENT:
		for (size_t i = 0; i < b->n; i++)
			if (!b->idents[i].who || b->idents[i].who & KT_WHO_TID || !b->idents[i].kvm)
				abort();
		break;
	case KT_BLOCK_EVENTS:
		for (size_t i = 0; i < b->n; i++)
			if (!kt_event_valid_fast(&b->events[i]) || b->events[i].pcpu != b->stream ||
			    !b->events[i].who)
				abort();
		break;
	case KT_BLOCK_LOSS:
		if (b->loss->from_ns > b->loss->until_ns || b->loss->stream != b->stream)
			abort();
		break;
	case KT_BLOCK_MARK:
		break;
	default:
		abort();
	}
}

static inline void sink_drain(struct kt_ftrace_blocks *s)
{
	struct kt_block b;

	while (kt_ftrace_blocks_next(s, &b)) {
		sink_check(&b);
		if (b.type == KT_BLOCK_EVENTS)
			kt_ftrace_blocks_release(s, &b);
	}
}

static inline void sink_end(struct kt_ftrace_blocks *s)
{
	const struct kt_ftrace_stats *st;

	kt_ftrace_blocks_end(s);
	sink_drain(s);
	st = kt_ftrace_stats(kt_ftrace_blocks_ftrace(s));
	if (st->entered > st->vcpus || st->without_tgid > st->entered || st->vcpus > KT_FTRACE_VCPUS_MAX)
		abort();
	kt_ftrace_blocks_free(s);
}

#endif
