/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ftrace_pages.h"

#include <errno.h>
#include <event-parse.h>
#include <fcntl.h>
#include <inttypes.h>
#include <kbuffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

struct cursor {
	int fd;
	struct kbuffer *page;
	char *memory;
	void *data;			/* of the next record; NULL = ask the kernel again */
	unsigned long long ts_ns;
	uint64_t last_ns;		/* of the newest record given out */
	uint64_t missed, told;		/* by page headers; by kt_pages_untold */
	uint64_t pages;			/* read in this drain */
};

struct kt_pages {
	struct kt_tracefs *t;
	struct cursor *cpu;
	uint32_t nr_cpus;
	uint32_t *heap, nr_heap;	/* CPUs that have a record, the oldest on top */
	size_t page_bytes;
	uint64_t buffer_bytes;
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

/* The next record of this CPU, reading a page when the last one is used up. */
static int advance(struct kt_pages *p, uint32_t i, const struct kt_pages_sink *sink)
{
	struct cursor *c = &p->cpu[i];
	int missed;
	ssize_t n;

	if (c->fd < 0)
		return 0;
	if (c->data)
		c->data = kbuffer_next_event(c->page, &c->ts_ns);
	while (!c->data) {
		n = read(c->fd, c->memory, p->page_bytes);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return kt_err(-errno, "cannot read the trace buffer of CPU %u: %s", i,
				      strerror(errno));
		if (n <= 0)
			return 0;
		c->pages++;
		if (kbuffer_load_subbuffer(c->page, c->memory))
			return kt_err(-EPROTO, "the trace buffer of CPU %u has a page that this "
				      "build cannot read", i);
		missed = kbuffer_missed_events(c->page);
		c->data = kbuffer_read_event(c->page, &c->ts_ns);
		if (missed) {
			uint64_t until = c->data ? c->ts_ns : c->last_ns;
			uint64_t count = missed > 0 ? missed : 0;
			int err;

			c->missed += count;
			p->stats.missed += count;
			err = sink->gap(sink->arg, i, c->last_ns, until, count);
			if (err)
				return err;
		}
	}
	return 0;
}

/* ---- the heap ---- */

static uint64_t key(const struct kt_pages *p, uint32_t at)
{
	return p->cpu[p->heap[at]].ts_ns;
}

static void sift_down(struct kt_pages *p, uint32_t at)
{
	for (;;) {
		uint32_t child = 2 * at + 1, cpu = p->heap[at];

		if (child >= p->nr_heap)
			return;
		if (child + 1 < p->nr_heap && key(p, child + 1) < key(p, child))
			child++;
		if (key(p, at) <= key(p, child))
			return;
		p->heap[at] = p->heap[child];
		p->heap[child] = cpu;
		at = child;
	}
}

static void build_heap(struct kt_pages *p, uint64_t until_ns)
{
	p->nr_heap = 0;
	for (uint32_t i = 0; i < p->nr_cpus; i++)
		if (p->cpu[i].data && p->cpu[i].ts_ns < until_ns)
			p->heap[p->nr_heap++] = i;
	for (uint32_t at = p->nr_heap / 2; at-- > 0;)
		sift_down(p, at);
}

/* The second oldest: up to there one CPU's records need no comparison. */
static uint64_t runner_up(const struct kt_pages *p, uint64_t until_ns)
{
	uint64_t next = until_ns;

	for (uint32_t at = 1; at < 3 && at < p->nr_heap; at++)
		if (key(p, at) < next)
			next = key(p, at);
	return next;
}

int kt_pages_drain(struct kt_pages *p, uint64_t until_ns, const struct kt_pages_sink *sink)
{
	int err = 0;

	p->stats.fill_permille = 0;
	for (uint32_t i = 0; i < p->nr_cpus && !err; i++) {
		p->cpu[i].pages = 0;
		if (!p->cpu[i].data)
			err = advance(p, i, sink);
	}
	if (err)
		return err;
	build_heap(p, until_ns);
	while (p->nr_heap && !err) {
		uint32_t i = p->heap[0];
		struct cursor *c = &p->cpu[i];
		uint64_t limit = runner_up(p, until_ns);

		do {
			p->stats.records++;
			c->last_ns = c->ts_ns;
			err = sink->record(sink->arg, i, c->ts_ns, c->data);
			if (!err)
				err = advance(p, i, sink);
		} while (!err && c->data && c->ts_ns < limit);
		if (!c->data || c->ts_ns >= until_ns)
			p->heap[0] = p->heap[--p->nr_heap];
		sift_down(p, 0);
	}
	for (uint32_t i = 0; i < p->nr_cpus; i++) {
		uint64_t fill = p->cpu[i].pages * p->page_bytes * 1000 / p->buffer_bytes;

		if (fill > p->stats.fill_permille)
			p->stats.fill_permille = fill > 1000 ? 1000 : fill;
	}
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

uint64_t kt_pages_untold(struct kt_pages *p, uint32_t i)
{
	struct cursor *c = &p->cpu[i];
	uint64_t lost, news;
	char path[64], *text;

	snprintf(path, sizeof(path), "per_cpu/cpu%u/stats", i);
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

static int open_cpu(struct kt_pages *p, uint32_t i)
{
	struct cursor *c = &p->cpu[i];
	char path[64];
	int one = 1;

	snprintf(path, sizeof(path), "per_cpu/cpu%u/trace_pipe_raw", i);
	c->fd = kt_tracefs_open_file(p->t, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	/* A CPU that is possible but has no buffer gives nothing. */
	if (c->fd < 0 && c->fd != -ENOENT && c->fd != -ENODEV && c->fd != -ENXIO)
		return kt_err(c->fd, "cannot open the trace buffer of CPU %u: %s", i,
			      strerror(-c->fd));
	c->memory = malloc(p->page_bytes);
	c->page = kbuffer_alloc(sizeof(long) == 8 ? KBUFFER_LSIZE_8 : KBUFFER_LSIZE_4,
				*(char *)&one ? KBUFFER_ENDIAN_LITTLE : KBUFFER_ENDIAN_BIG);
	return c->memory && c->page ? 0 : kt_err(-ENOMEM, "out of memory");
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
	p->buffer_bytes = buffer_bytes ? buffer_bytes : 1;
	p->cpu = calloc(nr_cpus, sizeof(*p->cpu));
	p->heap = calloc(nr_cpus, sizeof(*p->heap));
	if (!p->cpu || !p->heap) {
		kt_pages_close(p);
		return kt_err(-ENOMEM, "out of memory");
	}
	for (; p->nr_cpus < nr_cpus && !err; p->nr_cpus++)
		err = open_cpu(p, p->nr_cpus);
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
	for (uint32_t i = 0; i < p->nr_cpus; i++) {
		if (p->cpu[i].fd >= 0)
			close(p->cpu[i].fd);
		free(p->cpu[i].memory);
		kbuffer_free(p->cpu[i].page);
	}
	free(p->cpu);
	free(p->heap);
	free(p);
}

const struct kt_pages_stats *kt_pages_stats(const struct kt_pages *p)
{
	return &p->stats;
}
