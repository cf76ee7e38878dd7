/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_FTRACE_PAGE_H
#define KT_FTRACE_PAGE_H

#include <stddef.h>
#include <stdint.h>

/*
 * One page of a raw trace buffer (trace_pipe_raw): walks its records and keeps the
 * time, which the buffer stores as differences.  Pure, and safe on any bytes.
 */
struct kt_trace_page {
	const char *next, *end;	/* what is left */
	const void *data;	/* of the record at hand; NULL: the page is used up */
	uint64_t ts_ns;		/* its time, in the trace clock's unit */
};

/*
 * Starts at the first record.  Returns how many records are missing before the page;
 * 0 none, -1 some, not known how many.  The bytes stay the caller's.
 */
int64_t kt_trace_page_start(struct kt_trace_page *p, const void *bytes, size_t size);

/* Moves to the next record, or sets data to NULL. */
void kt_trace_page_next(struct kt_trace_page *p);

/* Bytes of the record at hand. */
static inline size_t kt_trace_page_size(const struct kt_trace_page *p)
{
	return p->next - (const char *)p->data;
}

#endif
