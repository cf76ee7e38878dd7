/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ftrace_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ftrace_page.h"
#include "log.h"

struct cursor {
	uint32_t cpu;
	int fd;
	char *memory;
	struct kt_trace_page page;	/* at the next record; data NULL = ask the kernel again */
	uint64_t whole_ns;		/* what is older was given out, or told as a gap */
	uint64_t missed, told;		/* given out as gaps; by kt_pages_untold */
	uint64_t pages;			/* read in this drain */
};

struct kt_pages {
	struct kt_tracefs *t;
	struct cursor *cursor;
	uint32_t nr;
	uint32_t *heap, nr_heap;	/* cursors that have a record, the oldest on top */
	size_t page_bytes;
	uint64_t buffer_bytes, drains;
	struct kt_pages_stats stats;
};

/* ---- pages ---- */

/* header_page describes a page's head; the size of its data says how large a page is. */
static size_t page_bytes(void)
{
	size_t bytes = sysconf(_SC_PAGESIZE);
	FILE *f = NULL;
	char line[256], path[256];
	const char *dir = kt_tracefs_dir();
	unsigned int offset, size;

	snprintf(path, sizeof(path), "%s/events/header_page", dir ? dir : "");
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		const char *p = strstr(line, " data;");

		if (p && sscanf(p, " data; offset:%u; size:%u;", &offset, &size) == 2)
			bytes = offset + size;
	}
	if (f)
		fclose(f);
	return bytes;
}

/*
 * A CPU that was never up since the instance was made has no buffer: the kernel gives it
 * one when it comes up.
 */
static bool has_no_buffer(int err)
{
	return err == ENODEV || err == ENXIO;
}

/* Passes between two tries: a host may have hundreds of CPUs that are never up. */
#define REOPEN_EVERY 8

static int open_buffer(struct kt_pages *p, struct cursor *c)
{
	char path[64];

	snprintf(path, sizeof(path), "per_cpu/cpu%u/trace_pipe_raw", c->cpu);
	c->fd = kt_tracefs_open_file(p->t, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	/* A CPU that cannot ever be has no file. */
	if (c->fd < 0 && c->fd != -ENOENT && !has_no_buffer(-c->fd))
		return kt_err(c->fd, "cannot open the trace buffer of CPU %u: %s", c->cpu,
			      strerror(-c->fd));
	return 0;
}

/* Reads pages until there is a record or the kernel has no more. */
static int next_page(struct kt_pages *p, struct cursor *c, const struct kt_pages_sink *sink)
{
	int64_t missed;
	ssize_t n;
	int err;

	if (c->fd < 0 && has_no_buffer(-c->fd) && p->drains % REOPEN_EVERY == 0) {
		err = open_buffer(p, c);
		if (err)
			return err;
	}
	while (!c->page.data && c->fd >= 0) {
		n = read(c->fd, c->memory, p->page_bytes);
		if (n < 0 && errno != EAGAIN && errno != EINTR && !has_no_buffer(errno))
			return kt_err(-errno, "cannot read the trace buffer of CPU %u: %s", c->cpu,
				      strerror(errno));
		if (n <= 0)
			return 0;
		c->pages++;
		missed = kt_trace_page_start(&c->page, c->memory, n);
		if (missed) {
			/* A page of discarded records only: the hole is before its end. */
			uint64_t next_ns = c->page.data ? c->page.ts_ns : c->page.ts_ns + 1;
			/* A full page has no room for the number: the rest of it is told at the end. */
			uint64_t count = missed > 0 ? missed : 1;

			c->missed += count;
			p->stats.missed += count;
			err = sink->gap(sink->arg, c->cpu, c->whole_ns, next_ns, count);
			if (err)
				return err;
			c->whole_ns = next_ns - 1;
		}
	}
	return 0;
}

/* The next record of this buffer, reading a page when the last one is used up. */
static inline int advance(struct kt_pages *p, struct cursor *c, const struct kt_pages_sink *sink)
{
	if (c->page.data)
		kt_trace_page_next(&c->page);
	return c->page.data ? 0 : next_page(p, c, sink);
}

/* ---- the heap ---- */

static uint64_t key(const struct kt_pages *p, uint32_t at)
{
	return p->cursor[p->heap[at]].page.ts_ns;
}

static void sift_down(struct kt_pages *p, uint32_t at)
{
	for (;;) {
		uint32_t child = 2 * at + 1, moved = p->heap[at];

		if (child >= p->nr_heap)
			return;
		if (child + 1 < p->nr_heap && key(p, child + 1) < key(p, child))
			child++;
		if (key(p, at) <= key(p, child))
			return;
		p->heap[at] = p->heap[child];
		p->heap[child] = moved;
		at = child;
	}
}

static void build_heap(struct kt_pages *p, uint64_t until_ns)
{
	p->nr_heap = 0;
	for (uint32_t i = 0; i < p->nr; i++)
		if (p->cursor[i].page.data && p->cursor[i].page.ts_ns < until_ns)
			p->heap[p->nr_heap++] = i;
	for (uint32_t at = p->nr_heap / 2; at-- > 0;)
		sift_down(p, at);
}

/* The second oldest: up to there one buffer's records need no comparison. */
static uint64_t runner_up(const struct kt_pages *p, uint64_t until_ns)
{
	uint64_t next = until_ns;

	for (uint32_t at = 1; at < 3 && at < p->nr_heap; at++)
		if (key(p, at) < next)
			next = key(p, at);
	return next;
}

static void note_fill(struct kt_pages *p)
{
	if (!p->buffer_bytes)
		return;
	for (uint32_t i = 0; i < p->nr; i++) {
		uint64_t fill = p->cursor[i].pages * p->page_bytes * 1000 / p->buffer_bytes;

		if (fill > p->stats.fill_permille)
			p->stats.fill_permille = fill > 1000 ? 1000 : fill;
	}
}

/* A buffer that was read until it was empty has given all there was: what it loses is later. */
static void note_empty(struct kt_pages *p, uint64_t until_ns)
{
	for (uint32_t i = 0; i < p->nr && until_ns != UINT64_MAX; i++) {
		struct cursor *c = &p->cursor[i];

		if (c->fd >= 0 && !c->page.data && c->whole_ns < until_ns)
			c->whole_ns = until_ns;
	}
}

int kt_pages_drain(struct kt_pages *p, uint64_t until_ns, const struct kt_pages_sink *sink)
{
	int err = 0;

	p->stats.fill_permille = 0;
	for (uint32_t i = 0; i < p->nr && !err; i++) {
		p->cursor[i].pages = 0;
		if (!p->cursor[i].page.data)
			err = advance(p, &p->cursor[i], sink);
	}
	if (err)
		return err;
	build_heap(p, until_ns);
	while (p->nr_heap && !err) {
		struct cursor *c = &p->cursor[p->heap[0]];
		uint64_t limit = runner_up(p, until_ns);

		do {
			p->stats.records++;
			c->whole_ns = c->page.ts_ns;
			err = sink->record(sink->arg, c->cpu, c->page.ts_ns, c->page.data,
					   kt_trace_page_size(&c->page));
			if (!err)
				err = advance(p, c, sink);
		} while (!err && c->page.data && c->page.ts_ns < limit);
		if (!c->page.data || c->page.ts_ns >= until_ns)
			p->heap[0] = p->heap[--p->nr_heap];
		sift_down(p, 0);
	}
	note_fill(p);
	if (!err)
		note_empty(p, until_ns);
	p->drains++;
	return err;
}

/* ---- what pages do not tell ---- */

static uint64_t count_of(const char *stats, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = stats; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, name, len) && p[len] == ':')
			return strtoull(p + len + 1, NULL, 10);
	}
	return 0;
}

uint64_t kt_pages_untold(struct kt_pages *p, uint32_t cpu)
{
	struct cursor *c = &p->cursor[cpu];
	uint64_t lost, news;
	char path[64], *text;

	snprintf(path, sizeof(path), "per_cpu/cpu%u/stats", cpu);
	text = kt_tracefs_read(p->t, path);
	if (!text)
		return 0;
	lost = count_of(text, "overrun") + count_of(text, "commit overrun") +
	       count_of(text, "dropped events");
	free(text);
	news = lost > c->missed + c->told ? lost - c->missed - c->told : 0;
	c->told += news;
	return news;
}

/* ---- opening ---- */

static int open_cpu(struct kt_pages *p, uint32_t cpu)
{
	struct cursor *c = &p->cursor[cpu];
	int err;

	c->cpu = cpu;
	err = open_buffer(p, c);
	if (err)
		return err;
	c->memory = calloc(1, p->page_bytes + 8);
	return c->memory ? 0 : kt_err(-ENOMEM, "out of memory");
}

int kt_pages_open(struct kt_tracefs *t, uint32_t nr_cpus, uint64_t buffer_bytes,
		  struct kt_pages **out)
{
	struct kt_pages *p = calloc(1, sizeof(*p));
	int err = 0;

	if (!p)
		return kt_err(-ENOMEM, "out of memory");
	p->t = t;
	p->page_bytes = page_bytes();
	p->buffer_bytes = buffer_bytes;
	p->cursor = calloc(nr_cpus, sizeof(*p->cursor));
	p->heap = calloc(nr_cpus, sizeof(*p->heap));
	if (!p->cursor || !p->heap) {
		kt_pages_close(p);
		return kt_err(-ENOMEM, "out of memory");
	}
	for (; p->nr < nr_cpus && !err; p->nr++)
		err = open_cpu(p, p->nr);
	if (err) {
		kt_pages_close(p);
		return err;
	}
	*out = p;
	return 0;
}

void kt_pages_close(struct kt_pages *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->nr; i++) {
		if (p->cursor[i].fd >= 0)
			close(p->cursor[i].fd);
		free(p->cursor[i].memory);
	}
	free(p->cursor);
	free(p->heap);
	free(p);
}

const struct kt_pages_stats *kt_pages_stats(const struct kt_pages *p)
{
	return &p->stats;
}
