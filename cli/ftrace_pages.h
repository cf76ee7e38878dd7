/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_FTRACE_PAGES_H
#define KT_FTRACE_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "ftrace_instance.h"

/*
 * The raw pages of every CPU's trace buffer, merged by time.  Pages are read
 * when their CPU's turn comes, so one page per CPU is all the memory used.
 *
 * The buffer overwrites its oldest page when full; the kernel then says in the
 * header of the next page that records are missing before it, and how many if
 * the page has room for the number.
 */
struct kt_pages;

/* Data points into a page and is valid during the call; at least 8 bytes behind it can be read. */
struct kt_pages_sink {
	void *arg;
	int (*record)(void *arg, uint32_t cpu, uint64_t ts_ns, const void *data,
		      size_t size);
	/* Between these times at least n records of that CPU were lost; n is never 0. */
	int (*gap)(void *arg, uint32_t cpu, uint64_t from_ns, uint64_t until_ns, uint64_t n);
};

struct kt_pages_stats {
	uint64_t records;		/* given out */
	uint64_t missed;		/* given out as gaps */
	unsigned int fill_permille;	/* most that one CPU gave in the last drain, of its buffer */
};

int kt_pages_open(struct kt_tracefs *t, uint32_t nr_cpus, uint64_t buffer_bytes,
		  struct kt_pages **out);
void kt_pages_close(struct kt_pages *p);

/* Gives out all records older than until_ns, oldest first.  Returns the sink's error. */
int kt_pages_drain(struct kt_pages *p, uint64_t until_ns, const struct kt_pages_sink *sink);

/*
 * What the kernel counted as lost on this CPU and no gap has told.  Only when
 * tracing is off and all has been given out: a page still to come may tell it.
 */
uint64_t kt_pages_untold(struct kt_pages *p, uint32_t cpu);

const struct kt_pages_stats *kt_pages_stats(const struct kt_pages *p);

#endif
