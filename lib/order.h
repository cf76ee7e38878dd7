/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_ORDER_H
#define KT_ORDER_H

#include <stddef.h>
#include <stdint.h>
#include <kvmtimer/event.h>

#include "store.h"

/*
 * Order: many streams in, one sequence by time out.
 *
 * Event blocks are pushed as they are read; a mark releases everything older
 * than its time.  Output comes in runs: pointers into the pushed blocks, no
 * copy, as long as one stream is ahead of all others.  Loss blocks become gap
 * events at the place in time where the loss happened.
 *
 * An event that arrives older than what was already given out is late: it is
 * counted and dropped, never delivered out of order, and shows as lost.
 */
struct kt_order;

typedef void (*kt_order_release_fn)(void *arg, const struct kt_block *b);

/* release is called for each pushed event block once its last event was delivered. */
int kt_order_new(kt_order_release_fn release, void *arg, struct kt_order **out);
void kt_order_free(struct kt_order *o);

/* Takes over event and loss blocks, also when it fails with -ENOMEM. */
int kt_order_push(struct kt_order *o, const struct kt_block *b);

/* Everything older than watermark_ns may be given out; UINT64_MAX at the end of the file. */
void kt_order_mark(struct kt_order *o, uint64_t watermark_ns);

/*
 * Next run of events in time order: sets *ev and returns how many (0 = push
 * more or mark).  The run is valid until the next call.
 */
size_t kt_order_next(struct kt_order *o, const struct kt_event **ev);

uint64_t kt_order_late(const struct kt_order *o);

#endif
