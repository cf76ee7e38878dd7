/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FTRACE_SINK_H
#define FTRACE_SINK_H

/* Where decoded records go in both fuzzers: conversion, order, model with lanes; promises checked. */
#include <stdint.h>
#include <stdlib.h>

#include "event.h"
#include "ftrace_blocks.h"
#include "model.h"
#include "order.h"

struct sink {
	struct kt_ftrace_blocks *blocks;
	struct kt_order *order;
	struct kt_model *model;
	struct kt_model_sink lanes;
};

static void sink_release(void *arg, const struct kt_block *b)
{
	kt_ftrace_blocks_release(arg, b);
}

static void sink_change(void *arg, const struct kt_change *c)
{
	(void)arg;
	if (c->lo_ns > c->hi_ns || c->lane >= KT_LANE_ALL)
		abort();
}

static inline void sink_init(struct sink *s)
{
	struct kt_model_opts mo = { .sink = &s->lanes };

	s->lanes = (struct kt_model_sink){ .change = sink_change };
	if (kt_ftrace_blocks_new(NULL, &s->blocks) || kt_order_new(sink_release, s->blocks, &s->order) ||
	    kt_model_new(&mo, &s->model))
		abort();
}

static inline void sink_drain(struct sink *s)
{
	const struct kt_event *ev;
	struct kt_block b;
	size_t n;

	while (kt_ftrace_blocks_next(s->blocks, &b)) {
		switch (b.type) {
		case KT_BLOCK_IDENT:
			kt_model_idents(s->model, b.idents, b.n);
			break;
		case KT_BLOCK_EVENTS:
			for (size_t i = 0; i < b.n; i++)
				if (!kt_event_valid(&b.events[i]))
					abort();
			kt_order_push(s->order, &b);
			break;
		case KT_BLOCK_LOSS:
			kt_order_push(s->order, &b);
			break;
		case KT_BLOCK_MARK:
			kt_order_mark(s->order, b.first_ns);
			break;
		default:
			abort();
		}
		while ((n = kt_order_next(s->order, &ev)))
			kt_model_feed(s->model, ev, n);
	}
}

static inline void sink_fini(struct sink *s)
{
	const struct kt_ftrace_stats *st;
	const struct kt_event *ev;
	size_t n;

	kt_ftrace_blocks_end(s->blocks);
	sink_drain(s);
	kt_order_mark(s->order, UINT64_MAX);
	while ((n = kt_order_next(s->order, &ev)))
		kt_model_feed(s->model, ev, n);
	kt_model_finish(s->model);
	st = kt_ftrace_stats(kt_ftrace_blocks_ftrace(s->blocks));
	if (st->entered > st->vcpus || st->without_tgid > st->entered)
		abort();
	kt_order_free(s->order);
	kt_ftrace_blocks_free(s->blocks);
	kt_model_free(s->model);
}

#endif
