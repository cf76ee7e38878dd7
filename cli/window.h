/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_WINDOW_H
#define KT_WINDOW_H

#include "facts.h"
#include "model.h"
#include "store.h"

/*
 * The last stretch of a live stream, kept in memory (2 MiB) so that what led to
 * a violation can be written down after it was seen.
 */
struct kt_window;

int kt_window_new(struct kt_window **out);
void kt_window_free(struct kt_window *w);

/* What a recording needs beside events.  0 or -ENOMEM. */
int kt_window_block(struct kt_window *w, const struct kt_block *b);
/* Events in time order. */
void kt_window_feed(struct kt_window *w, const struct kt_event *ev, size_t n);

/* Writes all that is kept as a recording of its own; 0 or -errno, which has been said. */
int kt_window_write(const struct kt_window *w, const char *path, const struct kt_facts *facts);

#endif
