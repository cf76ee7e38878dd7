/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text form as a recording: golden stories and what `dump` printed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "log.h"
#include "store_private.h"

#define LINE_MAX_BYTES 4096
#define RUN 512			/* events per block */

_Static_assert(RUN * sizeof(struct kt_event) <= KT_PAYLOAD_USUAL, "a block fits its memory");

struct kt_text {
	char buf[LINE_MAX_BYTES];
	size_t len, line_no;
	union kt_line_value value;
	enum kt_line waiting;	/* a line already parsed that belongs to the next block */
	bool mark;		/* say what is complete before going on */
	uint64_t last_ns;
};

int kt_text_new(struct kt_text **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void kt_text_free(struct kt_text *t)
{
	free(t);
}

/* 1 with a line at t->buf[0..*n), 0 at the end. */
static int next_line(struct kt_text *t, struct kt_store_reader *r, size_t *n)
{
	ssize_t got;
	char *nl;

	while (!(nl = memchr(t->buf, '\n', t->len))) {
		if (t->len == sizeof(t->buf))
			return kt_err(-EBADMSG, "%s:%zu: line longer than %zu bytes",
				      kt_reader_name(r), t->line_no + 1, sizeof(t->buf));
		got = kt_reader_take(r, t->buf + t->len, sizeof(t->buf) - t->len);
		if (got < 0)
			return got;
		if (got == 0) {
			*n = t->len;
			t->line_no++;
			return t->len > 0;
		}
		t->len += got;
	}
	t->line_no++;
	*n = nl - t->buf;
	return 1;
}

static void drop_line(struct kt_text *t, size_t n)
{
	n += n < t->len;	/* the newline */
	memmove(t->buf, t->buf + n, t->len - n);
	t->len -= n;
}

/* Type of the next line that says something; KT_LINE_EMPTY at the end, -errno. */
static int next_value(struct kt_text *t, struct kt_store_reader *r)
{
	const char *what;
	size_t n = 0;
	int got;

	if (t->waiting) {
		got = t->waiting;
		t->waiting = KT_LINE_EMPTY;
		return got;
	}
	do {
		got = next_line(t, r, &n);
		if (got <= 0)
			return got;
		got = kt_event_parse(t->buf, n, &t->value, &what);
		if (got < 0)
			return kt_err(-EBADMSG, "%s:%zu: cannot understand \"%.*s\"",
				      kt_reader_name(r), t->line_no,
				      (int)(n - (what - t->buf) < 40 ? n - (what - t->buf) : 40), what);
		drop_line(t, n);
	} while (got == KT_LINE_EMPTY);
	return got;
}

static int event_block(struct kt_text *t, struct kt_store_reader *r, struct kt_block *b)
{
	struct kt_payload *p = kt_reader_payload(r);
	struct kt_event *ev;
	int got = KT_LINE_EVENT;

	if (!p)
		return -ENOMEM;
	ev = (struct kt_event *)p->data;
	b->memory = p;
	b->type = KT_BLOCK_EVENTS;
	b->stream = KT_STREAM_SIDE;
	b->events = ev;
	while (got == KT_LINE_EVENT) {
		ev[b->n++] = t->value.event;
		if (t->value.event.ts_ns > t->last_ns)
			t->last_ns = t->value.event.ts_ns;
		if (b->n == RUN)
			break;
		got = next_value(t, r);
	}
	if (got < 0) {
		kt_reader_release(r, b);
		return got;
	}
	if (got != KT_LINE_EVENT)
		t->waiting = got;
	b->first_ns = ev[0].ts_ns;
	b->last_ns = ev[b->n - 1].ts_ns;
	t->mark = true;
	return 1;
}

int kt_text_next(struct kt_text *t, struct kt_store_reader *r, struct kt_block *b)
{
	int got;

	memset(b, 0, sizeof(*b));
	b->n = 1;
	if (t->mark) {
		t->mark = false;
		b->type = KT_BLOCK_MARK;
		b->first_ns = b->last_ns = t->last_ns;
		return 1;
	}
	got = next_value(t, r);
	switch (got) {
	case KT_LINE_EVENT:
		b->n = 0;
		return event_block(t, r, b);
	case KT_LINE_IDENT:
		b->type = KT_BLOCK_IDENT;
		b->idents = &t->value.ident;
		return 1;
	case KT_LINE_CLOCK:
		b->type = KT_BLOCK_CLOCK;
		b->clock = &t->value.clock;
		return 1;
	case KT_LINE_LOSS:
		b->type = KT_BLOCK_LOSS;
		b->stream = t->value.loss.stream;
		b->loss = &t->value.loss;
		return 1;
	case KT_LINE_NAME:
		b->type = KT_BLOCK_NAME;
		b->name = &t->value.name;
		return 1;
	case KT_LINE_FACT:
		b->type = KT_BLOCK_FACTS;
		got = kt_facts_set(kt_reader_facts(r), t->value.fact.key, t->value.fact.value);
		if (got)
			return kt_err(-EBADMSG, "%s:%zu: bad fact", kt_reader_name(r), t->line_no);
		b->facts = kt_reader_facts(r);
		return 1;
	}
	return got;
}
