/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define KEEP 65536	/* events, a power of two: seconds of a busy host's timer */

struct kt_window {
	struct kt_event *ring;
	uint64_t head;		/* events ever fed */
	struct kt_ident *ident;
	struct kt_clock_pair first;
	struct kt_clock_pair clock[KT_PULSES_KEPT];	/* the newest, a ring: rules about missing timers ask for them */
	struct kt_vm_name *name;
	size_t nr_idents, nr_names;
	uint64_t nr_clocks;
};

int kt_window_new(struct kt_window **out)
{
	struct kt_window *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->ring = calloc(KEEP, sizeof(*w->ring));
	if (!w->ring) {
		free(w);
		return -ENOMEM;
	}
	*out = w;
	return 0;
}

void kt_window_free(struct kt_window *w)
{
	if (!w)
		return;
	free(w->ring);
	free(w->ident);
	free(w->name);
	free(w);
}

static int append(void **array, size_t *n, const void *more, size_t count, size_t size)
{
	char *bigger = realloc(*array, (*n + count) * size);

	if (!bigger)
		return -ENOMEM;
	memcpy(bigger + *n * size, more, count * size);
	*array = bigger;
	*n += count;
	return 0;
}

int kt_window_block(struct kt_window *w, const struct kt_block *b)
{
	switch (b->type) {
	case KT_BLOCK_IDENT:
		return append((void **)&w->ident, &w->nr_idents, b->idents, b->n, sizeof(*w->ident));
	case KT_BLOCK_NAME:
		return append((void **)&w->name, &w->nr_names, b->name, b->n, sizeof(*w->name));
	case KT_BLOCK_CLOCK:
		for (size_t i = 0; i < b->n; i++) {
			if (!w->nr_clocks)
				w->first = b->clock[i];
			w->clock[w->nr_clocks++ % KT_PULSES_KEPT] = b->clock[i];
		}
		return 0;
	default:
		return 0;
	}
}

void kt_window_feed(struct kt_window *w, const struct kt_event *ev, size_t n)
{
	for (; n; n--, ev++)
		w->ring[w->head++ % KEEP] = *ev;
}

/* A gap is no event of a file: it was made from loss counters, and becomes them again. */
static int write_gap(struct kt_store_writer *out, const struct kt_event *ev)
{
	struct kt_loss loss = { .from_ns = ev->ts_ns, .until_ns = ev->gap.until_ns, .stream = ev->pcpu };

	loss.lost[ev->gap.lost_kind % KT_KIND_MAX] = ev->gap.lost;
	return kt_writer_loss(out, &loss);
}

/* The first gives the counter's rate its long base. */
static int write_clocks(const struct kt_window *w, struct kt_store_writer *out)
{
	uint64_t from = w->nr_clocks > KT_PULSES_KEPT ? w->nr_clocks - KT_PULSES_KEPT : 0;
	int err = from ? kt_writer_clock(out, &w->first, 1) : 0;

	for (uint64_t i = from; i < w->nr_clocks && !err; i++)
		err = kt_writer_clock(out, &w->clock[i % KT_PULSES_KEPT], 1);
	return err;
}

/* One stream a CPU: within one the order of the ring is the order of time. */
static int write_events(const struct kt_window *w, struct kt_store_writer *out)
{
	uint64_t from = w->head > KEEP ? w->head - KEEP : 0;
	uint8_t done[65536 / 8] = { 0 };
	struct kt_event *run;
	int err = 0;

	run = malloc(KEEP * sizeof(*run));
	if (!run)
		return -ENOMEM;
	for (uint64_t i = from; i < w->head && !err; i++) {
		const struct kt_event *first = &w->ring[i % KEEP];
		size_t n = 0;

		if (first->kind == KT_EV_GAP)
			err = write_gap(out, first);
		if (first->kind == KT_EV_GAP || done[first->pcpu / 8] >> first->pcpu % 8 & 1)
			continue;
		done[first->pcpu / 8] |= 1u << first->pcpu % 8;
		for (uint64_t k = i; k < w->head; k++)
			if (w->ring[k % KEEP].pcpu == first->pcpu && w->ring[k % KEEP].kind != KT_EV_GAP)
				run[n++] = w->ring[k % KEEP];
		for (size_t at = 0; at < n && !err; at += 4096)
			err = kt_writer_events(out, first->pcpu, run + at, n - at < 4096 ? n - at : 4096);
	}
	free(run);
	return err;
}

int kt_window_write(const struct kt_window *w, const char *path, const struct kt_facts *facts)
{
	struct kt_store_writer *out;
	int err = kt_writer_create(path, facts, NULL, &out), close_err;

	if (err)
		return err;
	if (w->nr_idents)
		err = kt_writer_idents(out, w->ident, w->nr_idents);
	for (size_t i = 0; i < w->nr_names && !err; i++)
		err = kt_writer_name(out, &w->name[i]);
	if (!err)
		err = write_clocks(w, out);
	if (!err)
		err = write_events(w, out);
	close_err = kt_writer_close(out, NULL);
	err = err ? err : close_err;
	return err ? kt_err(err, "cannot write %s: %s", path, strerror(-err)) : 0;
}
