/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole trace as text: its lines one by one, and what they say together. */
#define _GNU_SOURCE	/* memmem */
#include "trace_text_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define BUFFER (16u << 10)	/* small inputs: most of a run would be getting memory */
#else
#define BUFFER (128u << 10)
#endif
#define HELD_MAX 512		/* a line that a mail wrapped is no longer */

struct kt_trace_text {
	kt_trace_read_fn read;
	void *arg;
	struct kt_trace_names *names;
	struct kt_trace_status status;
	char *buf;
	size_t pos, len;
	bool eof, skipping;	/* skipping: inside a line that is too long */
	char held[2 * HELD_MAX + 2]; /* a line that could not be read and may go on in the next */
	size_t held_len;
	uint64_t held_line;
	const char *held_why;
};

int kt_trace_text_new(kt_trace_read_fn fn, void *arg, struct kt_trace_text **out)
{
	struct kt_trace_text *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->buf = malloc(BUFFER);
	if (!t->buf || kt_trace_names_new(&t->names)) {
		free(t->buf);
		free(t);
		return -ENOMEM;
	}
	t->read = fn;
	t->arg = arg;
	t->status.common = ~0u;
	*out = t;
	return 0;
}

void kt_trace_text_free(struct kt_trace_text *t)
{
	if (!t)
		return;
	kt_trace_names_free(t->names);
	free(t->buf);
	free(t);
}

const struct kt_trace_status *kt_trace_text_status(const struct kt_trace_text *t)
{
	return &t->status;
}

static void skipped(struct kt_trace_text *t, uint64_t line, const char *why)
{
	if (!t->status.skipped++) {
		t->status.first_skipped = line;
		t->status.first_why = why;
	}
}

static void drop_held(struct kt_trace_text *t)
{
	if (t->held_len)
		skipped(t, t->held_line, t->held_why);
	t->held_len = 0;
}

/* 1 with a line at *line, 0 at the end, -errno. */
static int next_line(struct kt_trace_text *t, const char **line, size_t *len)
{
	ssize_t got;

	for (;;) {
		char *start = t->buf + t->pos;
		char *nl = memchr(start, '\n', t->len - t->pos);

		if (nl || (t->eof && t->pos < t->len)) {
			*line = start;
			*len = (nl ? nl : t->buf + t->len) - start;
			t->pos += *len + (nl != NULL);
			t->status.lines++;
			if (!t->skipping && *len <= KT_TRACE_LINE_MAX)
				return 1;
			/* Its beginning was passed over already, or it is as long. */
			t->skipping = false;
			drop_held(t);
			skipped(t, t->status.lines, "longer than 8192 bytes");
			continue;
		}
		if (t->eof)
			return 0;
		if (t->len - t->pos > KT_TRACE_LINE_MAX) {
			t->skipping = true;
			t->pos = t->len;
		}
		memmove(t->buf, t->buf + t->pos, t->len - t->pos);
		t->len -= t->pos;
		t->pos = 0;
		got = t->read(t->arg, t->buf + t->len, BUFFER - t->len);
		if (got < 0)
			return got;
		t->eof = got == 0;
		t->len += got;
		if (t->eof && t->skipping && !t->len) {
			t->skipping = false;
			t->status.lines++;
			skipped(t, t->status.lines, "longer than 8192 bytes");
		}
	}
}

static const char *find(const char *p, const char *end, const char *word)
{
	return memmem(p, end - p, word, strlen(word));
}

/* Headers that say more than their name. */
static void read_header(struct kt_trace_text *t, const char *line, size_t len)
{
	const char *end = line + len, *p = find(line, end, "entries-in-buffer/entries-written:");
	uint64_t in, written, cpus;
	size_t n = 0;

	if (p) {
		p = skip_blanks(p + 34, end);
		if (take_number(&p, end, &in) && p < end && *p++ == '/' &&
		    take_number(&p, end, &written) && written > in)
			t->status.overwritten += written - in;
	}
	p = find(line, end, "#P:");
	if (p) {
		p += 3;
		if (take_number(&p, end, &cpus) && cpus < 65536)
			t->status.cpus = cpus;
	}
	/* "# nop latency trace v1.1.5 on 6.12.117+deb12" */
	p = find(line, end, " latency trace v");
	p = p ? find(p, end, " on ") : NULL;
	if (p && !t->status.release[0])
		for (p += 4; p < end && *p > ' ' && *p < 127 && n + 1 < sizeof(t->status.release);)
			t->status.release[n++] = *p++;
}

/* The line that was held, and this one, as one. */
static enum kt_trace_line join(struct kt_trace_text *t, const char *line, size_t len,
			       struct kt_ftrace_rec *rec, struct kt_trace_head *h)
{
	const char *end = trim(line, line + len);
	unsigned int dialect = 0;

	line = skip_blanks(unquote(line, end, &dialect), end);
	len = end - line;
	if (!len || len > HELD_MAX)
		return KT_TL_BAD;
	t->held[t->held_len] = ' ';
	memcpy(t->held + t->held_len + 1, line, len);
	return kt_trace_line(t->names, t->held, t->held_len + 1 + len, rec, h);
}

static void hold(struct kt_trace_text *t, const char *line, size_t len, const char *why)
{
	while (len && (is_blank(line[len - 1]) || line[len - 1] == '\r'))
		len--;
	if (!len || len > HELD_MAX) {
		skipped(t, t->status.lines, why);
		return;
	}
	memcpy(t->held, line, len);
	t->held_len = len;
	t->held_line = t->status.lines;
	t->held_why = why;
}

int kt_trace_text_next(struct kt_trace_text *t, struct kt_ftrace_rec *rec)
{
	struct kt_trace_head h;
	enum kt_trace_line kind;
	const char *line = NULL;
	size_t len = 0;
	int got;

	while ((got = next_line(t, &line, &len)) > 0) {
		kind = kt_trace_line(t->names, line, len, rec, &h);
		if (kind == KT_TL_BAD && t->held_len) {
			const char *why = h.why;
			enum kt_trace_line both = join(t, line, len, rec, &h);

			if (both != KT_TL_BAD && both != KT_TL_COMMENT) {
				/* rec->comm points into held, which stays until the next line. */
				t->held_len = 0;
				t->status.joined++;
				kind = both;
			} else {
				h.why = why;
			}
		}
		if (kind == KT_TL_BAD) {
			drop_held(t);
			hold(t, line, len, h.why);
			continue;
		}
		if (kind == KT_TL_COMMENT) {
			read_header(t, line, len);
			continue;
		}
		drop_held(t);
		if (kind == KT_TL_EVENT || kind == KT_TL_OTHER) {
			t->status.dialects |= h.dialect;
			t->status.common &= h.dialect;
		}
		if (kind == KT_TL_OTHER) {
			t->status.others++;
			continue;
		}
		t->status.events += kind == KT_TL_EVENT;
		t->status.lost_marks += kind == KT_TL_LOST;
		return kind;
	}
	drop_held(t);
	return got < 0 ? got : -ENODATA;
}

bool kt_trace_text_looks(const char *buf, size_t len)
{
	const char *end = buf + len, *p = buf;
	struct kt_trace_names *names;
	struct kt_trace_head h;
	struct kt_ftrace_rec rec;
	bool looks = false;

	if (starts(buf, end, "# tracer:") || starts(buf, end, "cpus="))
		return true;
	if (kt_trace_names_new(&names))
		return false;
	while (p < end && !looks) {
		const char *nl = memchr(p, '\n', end - p), *stop = nl ? nl : end;

		if (stop - p <= KT_TRACE_LINE_MAX) {
			enum kt_trace_line kind = kt_trace_line(names, p, stop - p, &rec, &h);

			looks = kind == KT_TL_EVENT || kind == KT_TL_OTHER || kind == KT_TL_LOST ||
				kind == KT_TL_STARTED || (kind == KT_TL_COMMENT && find(p, stop, "# tracer:"));
		}
		p = stop + 1;
	}
	kt_trace_names_free(names);
	return looks;
}
