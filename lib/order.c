/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A heap of streams by the time of their first event.  The stream on top may
 * run on until it meets the second one, so a run costs one comparison per
 * event and the heap is touched once per run.
 */
#include "order.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Blocks held without a mark: past this the oldest go on without waiting. */
#define HELD_MAX (8u << 20)
#define NR_STREAMS 65536
#define PAGE 256		/* streams in one page of the table; most hosts need one */
/*
 * A run this long is given out where it lies.  Shorter ones are copied: 32 bytes
 * cost less than a call per run.
 */
#define LONG_RUN 64
#define BATCH 512

struct held {
	struct kt_block block;
	struct held *next;
};

struct stream {
	struct held *first, *last;
	size_t at;		/* next event in first */
	uint64_t key_ns;	/* its time */
	uint32_t number;
	bool in_heap;
};

/* Few events that come unsorted or are made here (gaps): sorted when a mark asks. */
struct side {
	struct kt_event *ev;
	size_t n, max, at;
	bool sorted;
};

struct kt_order {
	kt_order_release_fn release;
	void *arg;
	struct stream **page[NR_STREAMS / PAGE];	/* by number; both made when first seen */
	struct stream **heap;
	size_t heap_n, heap_max;
	struct held *pool, *done;	/* done: delivered, released at the next call */
	struct side side;
	struct kt_event batch[BATCH];	/* short runs of several streams, copied together */
	uint64_t watermark_ns, last_ns, late;
	size_t held_bytes;
	uint64_t newest_ns;
};

int kt_order_new(kt_order_release_fn release, void *arg, struct kt_order **out)
{
	struct kt_order *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->release = release;
	o->arg = arg;
	*out = o;
	return 0;
}

static void release_held(struct kt_order *o, struct held *h)
{
	o->held_bytes -= h->block.n * sizeof(struct kt_event);
	o->release(o->arg, &h->block);
	h->next = o->pool;
	o->pool = h;
}

static void free_list(struct held *h)
{
	struct held *next;

	for (; h; h = next) {
		next = h->next;
		free(h);
	}
}

static void free_stream(struct kt_order *o, struct stream *s)
{
	if (!s)
		return;
	for (struct held *h = s->first; h; h = h->next)
		o->release(o->arg, &h->block);
	free_list(s->first);
	free(s);
}

void kt_order_free(struct kt_order *o)
{
	if (!o)
		return;
	if (o->done)
		release_held(o, o->done);
	for (size_t i = 0; i < NR_STREAMS / PAGE; i++) {
		for (size_t k = 0; o->page[i] && k < PAGE; k++)
			free_stream(o, o->page[i][k]);
		free(o->page[i]);
	}
	free_list(o->pool);
	free(o->side.ev);
	free(o->heap);
	free(o);
}

/* ---- the heap ---- */

static bool before(const struct stream *a, const struct stream *b)
{
	return a->key_ns < b->key_ns || (a->key_ns == b->key_ns && a->number < b->number);
}

static void sift_down(struct kt_order *o, size_t i)
{
	struct stream *s = o->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= o->heap_n)
			break;
		if (child + 1 < o->heap_n && before(o->heap[child + 1], o->heap[child]))
			child++;
		if (!before(o->heap[child], s))
			break;
		o->heap[i] = o->heap[child];
		i = child;
	}
	o->heap[i] = s;
}

static int heap_add(struct kt_order *o, struct stream *s)
{
	size_t i;

	if (o->heap_n == o->heap_max) {
		size_t max = o->heap_max ? 2 * o->heap_max : 16;
		struct stream **grown = realloc(o->heap, max * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		o->heap = grown;
		o->heap_max = max;
	}
	for (i = o->heap_n++; i && before(s, o->heap[(i - 1) / 2]); i = (i - 1) / 2)
		o->heap[i] = o->heap[(i - 1) / 2];
	o->heap[i] = s;
	s->in_heap = true;
	return 0;
}

static void heap_drop_top(struct kt_order *o)
{
	o->heap[0]->in_heap = false;
	o->heap[0] = o->heap[--o->heap_n];
	if (o->heap_n)
		sift_down(o, 0);
}

/* ---- pushing ---- */

static int side_add(struct side *s, const struct kt_event *ev, size_t n)
{
	if (s->at && s->at == s->n)
		s->at = s->n = 0;
	if (s->n + n > s->max) {
		size_t max = s->max ? 2 * s->max : 1024;
		struct kt_event *grown;

		while (max < s->n + n)
			max *= 2;
		grown = realloc(s->ev, max * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->ev = grown;
		s->max = max;
	}
	memcpy(s->ev + s->n, ev, n * sizeof(*ev));
	s->n += n;
	s->sorted = false;
	return 0;
}

static int push_gap(struct kt_order *o, const struct kt_loss *l, unsigned int kind)
{
	struct kt_event gap = {
		.ts_ns = l->from_ns, .who = KT_WHO_NONE, .kind = KT_EV_GAP,
		.sub = KT_SUB(KT_TIMER_NONE, 0), .pcpu = l->stream,
		.gap = { .until_ns = l->until_ns, .lost_kind = kind },
	};

	/* One gap, however large the number: files may claim any. */
	gap.gap.lost = l->lost[kind] < UINT32_MAX ? l->lost[kind] : UINT32_MAX;
	return side_add(&o->side, &gap, 1);
}

static int push_gaps(struct kt_order *o, const struct kt_block *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct kt_loss *l = &b->loss[i];
		bool any = false;

		for (unsigned int k = 0; k < KT_KIND_MAX; k++) {
			if (l->lost[k] && push_gap(o, l, k))
				return -ENOMEM;
			any |= l->lost[k] != 0;
		}
		/* How much went missing, if anything, is not known: a gap all the same. */
		if (!any && push_gap(o, l, KT_EV_NONE))
			return -ENOMEM;
	}
	return 0;
}

static struct held *held_get(struct kt_order *o)
{
	struct held *h = o->pool;

	if (h)
		o->pool = h->next;
	else
		h = malloc(sizeof(*h));
	return h;
}

/* NULL without memory. */
static struct stream *stream_of(struct kt_order *o, uint32_t number)
{
	struct stream ***page = &o->page[number / PAGE], **s;

	if (!*page)
		*page = calloc(PAGE, sizeof(**page));
	if (!*page)
		return NULL;
	s = &(*page)[number % PAGE];
	if (!*s)
		*s = calloc(1, sizeof(**s));
	return *s;
}

static int push_stream(struct kt_order *o, const struct kt_block *b)
{
	struct stream *s = stream_of(o, b->stream);
	struct held *h = held_get(o);

	if (!h || !s) {
		o->release(o->arg, b);
		free(h);
		return -ENOMEM;
	}
	s->number = b->stream;
	h->block = *b;
	h->next = NULL;
	o->held_bytes += b->n * sizeof(struct kt_event);
	if (s->first) {
		s->last->next = h;
		s->last = h;
		return 0;
	}
	s->first = s->last = h;
	s->at = 0;
	s->key_ns = b->events[0].ts_ns;
	return heap_add(o, s);
}

int kt_order_push(struct kt_order *o, const struct kt_block *b)
{
	int err;

	if (b->type == KT_BLOCK_LOSS)
		return push_gaps(o, b);
	if (!b->n || b->stream >= NR_STREAMS) {
		o->late += b->n;
		o->release(o->arg, b);
		return 0;
	}
	if (b->last_ns > o->newest_ns)
		o->newest_ns = b->last_ns;
	if (b->stream == KT_STREAM_SIDE) {
		err = side_add(&o->side, b->events, b->n);
		o->release(o->arg, b);
	} else {
		err = push_stream(o, b);
	}
	/* Without marks: what came before this block is taken as complete. */
	if (o->held_bytes + (o->side.n - o->side.at) * sizeof(struct kt_event) > HELD_MAX)
		kt_order_mark(o, b->first_ns);
	return err;
}

void kt_order_mark(struct kt_order *o, uint64_t watermark_ns)
{
	if (watermark_ns > o->watermark_ns)
		o->watermark_ns = watermark_ns;
}

/* ---- giving out ---- */

static int by_time(const void *pa, const void *pb)
{
	const struct kt_event *a = pa, *b = pb;

	if (a->ts_ns != b->ts_ns)
		return a->ts_ns < b->ts_ns ? -1 : 1;
	/* A gap comes before what follows it. */
	if ((a->kind == KT_EV_GAP) != (b->kind == KT_EV_GAP))
		return a->kind == KT_EV_GAP ? -1 : 1;
	return 0;	/* glibc's merge sort is stable */
}

static void side_sort(struct side *s)
{
	if (s->sorted || s->at == s->n)
		return;
	memmove(s->ev, s->ev + s->at, (s->n - s->at) * sizeof(*s->ev));
	s->n -= s->at;
	s->at = 0;
	qsort(s->ev, s->n, sizeof(*s->ev), by_time);
	s->sorted = true;
}

/* How many events from ev are older than limit (or as old, if tie goes to us). */
static size_t run_length(const struct kt_event *ev, size_t n, uint64_t limit, bool tie,
			 uint64_t last_ns)
{
	size_t i;

	if (n && ev[n - 1].ts_ns < limit)
		limit = UINT64_MAX;	/* all of it, if it is in order */
	for (i = 0; i < n; i++) {
		uint64_t ts = ev[i].ts_ns;

		if (ts < last_ns || ts > limit || (ts == limit && !tie))
			break;
		last_ns = ts;
	}
	return i;
}

/* Moves past n events of the top stream. */
static void advance(struct kt_order *o, struct stream *s, size_t n)
{
	struct held *h = s->first;

	s->at += n;
	if (s->at < h->block.n) {
		s->key_ns = h->block.events[s->at].ts_ns;
		sift_down(o, 0);
		return;
	}
	s->first = h->next;
	s->at = 0;
	h->next = NULL;
	o->done = h;
	if (!s->first) {
		heap_drop_top(o);
		return;
	}
	s->key_ns = s->first->block.events[0].ts_ns;
	sift_down(o, 0);
}

/* Time up to which the top stream may run, and whether it may take that time too. */
static uint64_t second_key(const struct kt_order *o, uint64_t limit, bool *tie)
{
	const struct stream *s = o->heap[0];

	*tie = false;
	for (size_t i = 1; i < o->heap_n && i < 3; i++) {
		const struct stream *other = o->heap[i];

		if (other->key_ns < limit || (other->key_ns == limit && s->number < other->number)) {
			*tie = s->number < other->number;
			limit = other->key_ns;
		}
	}
	return limit;
}

/*
 * Next run of the streams, older than limit_ns: in place when it is long, else
 * as many short ones as fit the batch.
 */
static size_t run_of_streams(struct kt_order *o, uint64_t limit_ns, const struct kt_event **ev)
{
	size_t filled = 0;

	*ev = o->batch;
	while (o->heap_n && o->heap[0]->key_ns < limit_ns && !o->done) {
		struct stream *s = o->heap[0];
		const struct kt_event *run = s->first->block.events + s->at;
		size_t left = s->first->block.n - s->at, n;
		bool tie;
		uint64_t limit = second_key(o, limit_ns, &tie);

		n = run_length(run, left, limit, tie, o->last_ns);
		if (!n) {
			/* Older than what was given out: late. */
			o->late++;
			advance(o, s, 1);
			continue;
		}
		if (n >= LONG_RUN || filled + n > BATCH) {
			if (filled)
				break;
			*ev = run;
			o->last_ns = run[n - 1].ts_ns;
			advance(o, s, n);
			return n;
		}
		memcpy(o->batch + filled, run, n * sizeof(*run));
		filled += n;
		o->last_ns = run[n - 1].ts_ns;
		advance(o, s, n);
	}
	return filled;
}

static size_t run_of_side(struct kt_order *o, uint64_t limit, const struct kt_event **ev)
{
	struct side *s = &o->side;
	size_t n = 0;

	*ev = s->ev + s->at;
	while (s->at + n < s->n && (*ev)[n].ts_ns <= limit)
		n++;
	s->at += n;
	if (n && (*ev)[n - 1].ts_ns > o->last_ns)
		o->last_ns = (*ev)[n - 1].ts_ns;
	return n;
}

/* The last time there is has nothing after it to release it: such events are late, not lost from sight. */
static void drop_rest(struct kt_order *o)
{
	while (o->heap_n) {
		struct stream *s = o->heap[0];
		size_t left = s->first->block.n - s->at;

		o->late += left;
		advance(o, s, left);
		if (o->done)
			release_held(o, o->done);
		o->done = NULL;
	}
	o->late += o->side.n - o->side.at;
	o->side.at = o->side.n;
}

size_t kt_order_next(struct kt_order *o, const struct kt_event **ev)
{
	struct side *s = &o->side;
	size_t n;

	if (o->done) {
		release_held(o, o->done);
		o->done = NULL;
	}
	for (;;) {
		bool heap = o->heap_n && o->heap[0]->key_ns < o->watermark_ns;
		bool side;

		side_sort(s);
		while (s->at < s->n && s->ev[s->at].ts_ns < o->last_ns &&
		       s->ev[s->at].kind != KT_EV_GAP) {
			o->late++;
			s->at++;
		}
		side = s->at < s->n && s->ev[s->at].ts_ns < o->watermark_ns;
		if (!heap && !side) {
			if (o->watermark_ns == UINT64_MAX)
				drop_rest(o);
			return 0;
		}
		if (side && (!heap || s->ev[s->at].ts_ns <= o->heap[0]->key_ns)) {
			n = run_of_side(o, heap ? o->heap[0]->key_ns : o->watermark_ns - 1, ev);
			if (n)
				return n;
			continue;
		}
		n = run_of_streams(o, side ? s->ev[s->at].ts_ns : o->watermark_ns, ev);
		if (n)
			return n;
		if (o->done) {
			release_held(o, o->done);
			o->done = NULL;
		}
	}
}

uint64_t kt_order_late(const struct kt_order *o)
{
	return o->late;
}
