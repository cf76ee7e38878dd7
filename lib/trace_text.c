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
	char eol;
	const char *line;	/* the one read last, in buf */
	size_t line_len;	/* more than KT_TRACE_LINE_MAX: not all of it is there */
	bool again;		/* it is yet to be told */
	bool long_tells;	/* it is too long, and tells an event */
	uint16_t cpu;		/* of the last event */
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
	t->eol = '\n';
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

static void count(struct kt_trace_skipped *s, uint64_t line, const char *why)
{
	if (!s->n++) {
		s->first = line;
		s->why = why;
	}
}

/* An event that cannot be read. */
static enum kt_trace_line lose(struct kt_trace_text *t, struct kt_ftrace_rec *rec, uint16_t cpu,
			       uint64_t line, const char *why)
{
	count(&t->status.unreadable, line, why);
	*rec = (struct kt_ftrace_rec){ .cpu = cpu, .v = { 1 } };
	return KT_TL_LOST;
}

/* The first piece is no beginning of a line that goes on: KT_TL_LOST when it is an event, else _BAD. */
static enum kt_trace_line give_up(struct kt_trace_text *t, struct kt_ftrace_rec *rec)
{
	struct kt_wrap_piece p = kt_wrap_drop(&t->wrap);

	if (p.parts)
		return lose(t, rec, p.cpu, p.line, p.why);
	count(&t->status.skipped, p.line, p.why);
	return KT_TL_BAD;
}

/* Of a line that is too long: what is now in the buffer. */
static void look_for_event(struct kt_trace_text *t, size_t len)
{
	t->long_tells |= kt_trace_line_tells(t->buf + t->pos, len);
}

/* What a text's first bytes say about how its lines end: in old editors by CR alone. */
static char line_end(const char *buf, size_t len)
{
	const char *cr = memchr(buf, '\r', len);

	return cr && cr + 1 < buf + len && !memchr(buf, '\n', len) ? '\r' : '\n';
}

/* 1 when t->line is one, 0 at the end, -errno. */
static int next_line(struct kt_trace_text *t)
{
	ssize_t got;

	for (;;) {
		char *start = t->buf + t->pos;
		char *nl = memchr(start, t->eol, t->len - t->pos);

		if (nl || (t->eof && (t->pos < t->len || t->skipping))) {
			t->line = start;
			t->line_len = (nl ? nl : t->buf + t->len) - start;
			if (t->skipping || t->line_len > KT_TRACE_LINE_MAX)
				look_for_event(t, t->line_len);
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
			look_for_event(t, t->len - t->pos);
			t->pos = t->len;
		}
		memmove(t->buf, t->buf + t->pos, t->len - t->pos);
		t->len -= t->pos;
		t->pos = 0;
		got = t->read(t->arg, t->buf + t->len, BUFFER - t->len);
		if (got < 0)
			return got;
		t->eof = got == 0;
		if (!t->len && !t->status.lines)
			t->eol = line_end(t->buf, got);
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
 * Keeps a line that may go on in the next; with the pieces there are it is of the
 * given kind.  What is no longer kept for it, or the line itself when it is too
 * long, is told as give_up does.
 */
static enum kt_trace_line keep(struct kt_trace_text *t, enum kt_trace_line kind,
			       struct kt_ftrace_rec *rec, const char *why)
{
	struct kt_wrap_piece piece = { .line = t->status.lines, .why = why, .cpu = t->cpu };
	struct kt_wrap_piece *head = t->wrap.nr ? &t->wrap.piece[0] : &piece;
	size_t end;

	if (kind == KT_TL_DAMAGED && !head->parts) {
		head->parts = t->wrap.nr + 1;
		head->cpu = rec->cpu;
		head->why = why;
	} else {
		piece.parts = kt_trace_line_tells(t->line, t->line_len);
	}
	end = try_line(t);
	if (end && kt_wrap_keep(&t->wrap, end, &piece))
		return KT_TL_BAD;
	if (t->wrap.nr) {
		t->again = true;
		return give_up(t, rec);
	}
	if (piece.parts)
		return lose(t, rec, piece.cpu, piece.line, why);
	count(&t->status.skipped, piece.line, why);
	return KT_TL_BAD;
}

static enum kt_trace_line too_long(struct kt_trace_text *t, struct kt_ftrace_rec *rec)
{
	static const char why[] = "longer than 8192 bytes";
	bool tells = t->long_tells;

	if (t->wrap.nr) {
		t->again = true;
		return give_up(t, rec);
	}
	t->long_tells = false;
	if (tells)
		return lose(t, rec, t->cpu, t->status.lines, why);
	count(&t->status.skipped, t->status.lines, why);
	return KT_TL_BAD;
}

/* No-break spaces in UTF-8 become blanks: what a web page or a word processor makes of them. */
static bool mend_blanks(struct kt_trace_text *t)
{
	char *p = t->buf + (t->line - t->buf), *end = p + t->line_len;
	bool any = false;

	for (; (p = memmem(p, end - p, "\xc2\xa0", 2)); p += 2) {
		memset(p, ' ', 2);
		any = true;
	}
	return any;
}

/* What a line is, with the pieces before it. */
static enum kt_trace_line take_line(struct kt_trace_text *t, struct kt_ftrace_rec *rec,
				    struct kt_trace_head *h)
{
	enum kt_trace_line kind;
	unsigned int first = t->wrap.nr;

	if (t->line_len > KT_TRACE_LINE_MAX)
		return too_long(t, rec);
	kind = kt_trace_line(t->names, t->line, t->line_len, rec, h);
	if ((kind == KT_TL_BAD || kind == KT_TL_DAMAGED) && mend_blanks(t))
		kind = kt_trace_line(t->names, t->line, t->line_len, rec, h);
	/* Nearly all of them. */
	if (kind == KT_TL_EVENT && !first)
		return kind;
	if (kind == KT_TL_COMMENT) {
		read_header(t, t->line, t->line_len);
		return kind;
	}
	if (kind == KT_TL_BAD)
		kind = join(t, rec, h, &first);
	if (first) {
		/* What is left of the pieces moves, and rec->comm is in it. */
		t->again = true;
		return give_up(t, rec);
	}
	if (kind == KT_TL_BAD || kind == KT_TL_DAMAGED)
		return keep(t, kind, rec, h->why);
	/* rec->comm may point into the pieces: they stay until the next line. */
	t->status.joined += t->wrap.nr != 0;
	kt_wrap_clear(&t->wrap);
	t->status.lost_marks += kind == KT_TL_LOST;
	return kind;
}

int kt_trace_text_next(struct kt_trace_text *t, struct kt_ftrace_rec *rec)
{
	struct kt_trace_head h;
	enum kt_trace_line kind;
	int got = 0;

	for (;;) {
		if (!t->again && (got = next_line(t)) <= 0)
			break;
		t->again = false;
		kind = take_line(t, rec, &h);
		if (kind == KT_TL_EVENT) {
			t->cpu = rec->cpu;
			t->status.dialects |= h.dialect;
			t->status.common &= h.dialect;
			t->status.events++;
			return kind;
		}
		switch (kind) {
		case KT_TL_OTHER:
		case KT_TL_UNTOLD:
			t->cpu = rec->cpu;
			t->status.dialects |= h.dialect;
			t->status.common &= h.dialect;
			break;
		case KT_TL_LOST:
		case KT_TL_STARTED:
			return kind;
		default:
			break;
		}
		t->status.others += kind == KT_TL_OTHER;
		if (kind == KT_TL_UNTOLD) {
			count(&t->status.untold, t->status.lines, "");
			t->status.untold_ids |= 1u << rec->id;
		}
	}
	while (!got && t->wrap.nr)
		if (give_up(t, rec) == KT_TL_LOST)
			return KT_TL_LOST;
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
