/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole trace as text: its lines one by one, and what they say together. */
#define _GNU_SOURCE	/* memmem */
#include "trace_text_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace_wrap.h"

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define BUFFER (16u << 10)	/* small inputs: most of a run would be getting memory */
#else
#define BUFFER (128u << 10)
#endif

struct kt_trace_text {
	kt_trace_read_fn read;
	void *arg;
	struct kt_trace_names *names;
	struct kt_trace_status status;
	char *buf;
	size_t pos, len;
	bool eof, skipping;	/* skipping: inside a line that is too long */
	const char *line;	/* the one read last, in buf */
	size_t line_len;	/* more than KT_TRACE_LINE_MAX: not all of it is there */
	bool again;		/* it is yet to be told */
	struct kt_wrap wrap;	/* lines that could not be read and may go on in the next */
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

/* The first n pieces are no beginning of a line that goes on. */
static void give_up(struct kt_trace_text *t, unsigned int n)
{
	unsigned int rest = t->wrap.nr - n;

	while (t->wrap.nr > rest) {
		struct kt_wrap_piece p = kt_wrap_drop(&t->wrap);

		skipped(t, p.line, p.why);
	}
}

/* 1 when t->line is one, 0 at the end, -errno. */
static int next_line(struct kt_trace_text *t)
{
	ssize_t got;

	for (;;) {
		char *start = t->buf + t->pos;
		char *nl = memchr(start, '\n', t->len - t->pos);

		if (nl || (t->eof && (t->pos < t->len || t->skipping))) {
			t->line = start;
			t->line_len = (nl ? nl : t->buf + t->len) - start;
			t->pos += t->line_len + (nl != NULL);
			t->status.lines++;
			/* Its beginning was passed over already. */
			if (t->skipping)
				t->line_len = KT_TRACE_LINE_MAX + 1;
			t->skipping = false;
			return 1;
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
	t->status.tracer |= find(line, end, "# tracer:") != NULL;
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

/* The line after the pieces: where the text then ends, 0 when there is no room. */
static size_t try_line(struct kt_trace_text *t)
{
	const char *line = t->line, *end = trim(line, line + t->line_len);
	unsigned int dialect;

	if (t->wrap.nr)
		line = skip_blanks(unquote(line, end, &dialect), end);
	return kt_wrap_try(&t->wrap, line, end - line);
}

/*
 * The line that could not be read, as the end of the pieces before it: of the
 * least of them that make one, which begins with piece *first.  So a damaged line
 * does not swallow a wrapped one after it.
 */
static enum kt_trace_line join(struct kt_trace_text *t, struct kt_ftrace_rec *rec,
			       struct kt_trace_head *h, unsigned int *first)
{
	size_t end = t->wrap.nr ? try_line(t) : 0;
	const char *why = h->why;
	enum kt_trace_line kind;

	for (unsigned int i = t->wrap.nr; end && i-- > 0;) {
		const char *joined = t->wrap.text + t->wrap.piece[i].at;

		kind = kt_trace_line(t->names, joined, t->wrap.text + end - joined, rec, h);
		if (kind != KT_TL_BAD && kind != KT_TL_COMMENT) {
			*first = i;
			return kind;
		}
	}
	h->why = why;
	*first = 0;
	return KT_TL_BAD;
}

/*
 * Keeps a line that may go on in the next, as far as there is room for it.  With
 * the pieces there are it is of the given kind.
 */
static void keep(struct kt_trace_text *t, enum kt_trace_line kind, const struct kt_ftrace_rec *rec,
		 const char *why)
{
	struct kt_wrap_piece piece = { .line = t->status.lines, .why = why };
	struct kt_wrap_piece *head = t->wrap.nr ? &t->wrap.piece[0] : &piece;
	size_t end;

	if (kind == KT_TL_DAMAGED && !head->parts) {
		head->parts = t->wrap.nr + 1;
		head->cpu = rec->cpu;
		head->why = why;
	}
	while (!(end = try_line(t)) || !kt_wrap_keep(&t->wrap, end, &piece)) {
		if (!t->wrap.nr) {
			skipped(t, piece.line, why);
			return;
		}
		give_up(t, 1);
	}
}

int kt_trace_text_next(struct kt_trace_text *t, struct kt_ftrace_rec *rec)
{
	struct kt_trace_head h;
	enum kt_trace_line kind;
	unsigned int first;
	int got = 0;

	for (;;) {
		if (!t->again && (got = next_line(t)) <= 0)
			break;
		t->again = false;
		first = t->wrap.nr;
		if (t->line_len > KT_TRACE_LINE_MAX) {
			give_up(t, first);
			skipped(t, t->status.lines, "longer than 8192 bytes");
			continue;
		}
		kind = kt_trace_line(t->names, t->line, t->line_len, rec, &h);
		if (kind == KT_TL_COMMENT) {
			read_header(t, t->line, t->line_len);
			continue;
		}
		if (kind == KT_TL_BAD)
			kind = join(t, rec, &h, &first);
		if (first) {
			/* What is left of the pieces moves, and rec->comm is in it. */
			give_up(t, first);
			t->again = true;
			continue;
		}
		if (kind == KT_TL_BAD || kind == KT_TL_DAMAGED) {
			keep(t, kind, rec, h.why);
			continue;
		}
		/* rec->comm may point into the pieces: they stay until the next line. */
		t->status.joined += t->wrap.nr != 0;
		kt_wrap_clear(&t->wrap);
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
	give_up(t, t->wrap.nr);
	return got < 0 ? got : -ENODATA;
}

/* ---- a first look ---- */

struct first_bytes {
	const char *p, *end;
};

static ssize_t read_bytes(void *arg, void *buf, size_t size)
{
	struct first_bytes *b = arg;

	if (size > (size_t)(b->end - b->p))
		size = b->end - b->p;
	memcpy(buf, b->p, size);
	b->p += size;
	return size;
}

/* By the reader itself, as a mail may have wrapped all of its lines. */
bool kt_trace_text_looks(const char *buf, size_t len)
{
	struct first_bytes b = { buf, buf + len };
	struct kt_trace_text *t;
	struct kt_ftrace_rec rec;
	bool looks;

	if (starts(buf, b.end, "# tracer:") || starts(buf, b.end, "cpus="))
		return true;
	if (kt_trace_text_new(read_bytes, &b, &t))
		return false;
	looks = kt_trace_text_next(t, &rec) >= 0 || t->status.others || t->status.tracer;
	kt_trace_text_free(t);
	return looks;
}
