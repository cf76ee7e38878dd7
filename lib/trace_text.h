/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_TRACE_TEXT_H
#define KT_TRACE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ftrace_event.h"

/*
 * Traces as text: tracefs' `trace` and `trace_pipe`, trace-cmd report, perf
 * script; with or without the columns of the latency format and of tgids; quoted
 * in a mail, wrapped by it into up to six pieces, with CRLF.  All at once: the
 * dialect is found anew on each line, so a file may change it half-way.
 *
 * A line that cannot be read is skipped and counted, never an error.  When it is
 * one of our events it is also lost: talk around a trace takes nothing from it.
 */

enum kt_trace_line {
	KT_TL_EVENT,	/* one of ours: the record is filled */
	KT_TL_OTHER,	/* an event that is none of ours */
	KT_TL_COMMENT,	/* empty, "# ...", "cpus=2", ... */
	KT_TL_LOST,	/* "CPU:1 [LOST 23 EVENTS]": rec->cpu, rec->v[0] = how many (0 = not said);
			   "[...]": rec->cpu = KT_FTRACE_ALL_CPUS */
	KT_TL_UNTOLD,	/* one of ours of which its printer tells no value */
	KT_TL_STARTED,	/* "##### CPU 1 buffer started ####": rec->cpu */
	KT_TL_DAMAGED,	/* one of ours whose fields cannot be read: the record up to .id is filled */
	KT_TL_BAD,	/* cannot be read */
};

/* How a line was written; told so that a reader can say what it lacks. */
#define KT_TRACE_PERF		0x01	/* perf script: no execution context */
#define KT_TRACE_FLAGS		0x02	/* flags of the latency format: execution context */
#define KT_TRACE_TGID		0x04
#define KT_TRACE_LATENCY	0x08	/* times relative to the start, names cut to 8 letters */
#define KT_TRACE_NS		0x10	/* nine digits */
#define KT_TRACE_TICKS		0x20	/* times without a point: no unit known */
#define KT_TRACE_QUOTED		0x40	/* in a mail */

struct kt_trace_head {
	const char *name;	/* event, without its system */
	size_t name_len;
	const char *text;	/* after "name: ", to the end of the line */
	size_t text_len;
	const char *why;	/* for KT_TL_BAD and _DAMAGED: what is wrong */
	unsigned int dialect;	/* KT_TRACE_... */
};

/*
 * One line without its newline.  rec->comm points into it.  Names are looked up
 * with `names`, from kt_trace_names_new.
 */
struct kt_trace_names;
int kt_trace_names_new(struct kt_trace_names **out);
void kt_trace_names_free(struct kt_trace_names *names);
enum kt_trace_line kt_trace_line(const struct kt_trace_names *names, const char *line, size_t len,
				 struct kt_ftrace_rec *rec, struct kt_trace_head *head);

/* ---- a whole text ---- */

/* Longer lines are skipped, however long: memory does not grow with them. */
#define KT_TRACE_LINE_MAX 8192

struct kt_trace_skipped {
	uint64_t n;
	uint64_t first;		/* line number, from 1 */
	const char *why;	/* of the first; static text */
};

struct kt_trace_status {
	uint64_t lines, events, others, lost_marks;
	uint64_t joined;	/* lines that a mail had wrapped */
	struct kt_trace_skipped skipped;	/* talk: no line of a trace */
	struct kt_trace_skipped unreadable;	/* events of ours: each was given out as a loss */
	struct kt_trace_skipped untold;		/* KT_TL_UNTOLD */
	uint32_t untold_ids;	/* bit per enum kt_ftrace_id */
	uint64_t overwritten;	/* "entries-in-buffer/entries-written: a/b": b - a */
	uint32_t cpus;		/* "#P:8"; 0 = not said */
	unsigned int dialects;	/* KT_TRACE_..., all that were seen */
	unsigned int common;	/* those that every event line had */
	bool tracer;		/* "# tracer: nop": a header of tracefs */
	char release[64];	/* kernel, when the header tells */
};

struct kt_trace_text;

/* Bytes read, 0 at the end, -errno. */
typedef ssize_t (*kt_trace_read_fn)(void *arg, void *buf, size_t size);

int kt_trace_text_new(kt_trace_read_fn fn, void *arg, struct kt_trace_text **out);
void kt_trace_text_free(struct kt_trace_text *t);

/*
 * Next line that says something: KT_TL_EVENT, _LOST or _STARTED with *rec filled
 * (its comm valid until the next call); _LOST also for an event that cannot be
 * read, on the last CPU seen where its own is not known.  -ENODATA at the end, or the reader's -errno.
 */
int kt_trace_text_next(struct kt_trace_text *t, struct kt_ftrace_rec *rec);
const struct kt_trace_status *kt_trace_text_status(const struct kt_trace_text *t);

/*
 * Do these first bytes of a file look like a trace as text?  True when one of
 * its first lines is an event, or a header says so.
 */
bool kt_trace_text_looks(const char *buf, size_t len);

#endif
