/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "recording.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "order.h"

#define PASS_EVENTS 32	/* of a recording that is laid out here */

void die(const char *what, int err)
{
	fprintf(stderr, "lossy: %s: %s\n", what, strerror(-err));
	exit(1);
}

void *grown(void *array, size_t n, size_t *max, size_t size)
{
	if (n < *max)
		return array;
	*max = 2 * n + 64;
	array = realloc(array, *max * size);
	if (!array)
		die("memory", -ENOMEM);
	return array;
}

/* ---- reading ---- */

static struct strand *strand_of(struct recording *r, uint32_t number)
{
	for (size_t i = 0; i < r->nr_strands; i++)
		if (r->strand[i].number == number)
			return &r->strand[i];
	r->strand = grown(r->strand, r->nr_strands, &r->max_strands, sizeof(*r->strand));
	r->strand[r->nr_strands] = (struct strand){ .number = number };
	return &r->strand[r->nr_strands++];
}

static struct piece *add_piece(struct recording *r, enum kt_block_type type)
{
	r->piece = grown(r->piece, r->nr_pieces, &r->max_pieces, sizeof(*r->piece));
	r->piece[r->nr_pieces] = (struct piece){ .type = type };
	return &r->piece[r->nr_pieces++];
}

static void add_events(struct recording *r, uint32_t stream, const struct kt_event *ev, size_t n)
{
	struct strand *s = strand_of(r, stream);
	struct piece *p = add_piece(r, KT_BLOCK_EVENTS);

	p->strand = s - r->strand;
	p->first = s->n;
	p->n = n;
	for (; n; n--) {
		s->ev = grown(s->ev, s->n, &s->max, sizeof(*s->ev));
		s->ev[s->n++] = *ev++;
	}
}

static void add_data(struct recording *r, const struct kt_block *b, size_t element)
{
	struct piece *p = add_piece(r, b->type);

	p->n = b->n;
	p->data = malloc(b->n * element);
	if (!p->data)
		die("memory", -ENOMEM);
	memcpy(p->data, b->idents, b->n * element);
}

static void take_facts(struct kt_facts *to, const struct kt_facts *from)
{
	const char *key, *value;

	for (size_t i = 0; kt_facts_at(from, i, &key, &value); i++)
		if (kt_facts_set(to, key, value))
			die("facts", -ENOMEM);
}

static void take_block(struct recording *r, const struct kt_block *b)
{
	switch (b->type) {
	case KT_BLOCK_FACTS:
		/* Those that came before anything else are the first block's. */
		take_facts(r->nr_pieces ? r->stop : r->facts, b->facts);
		break;
	case KT_BLOCK_EVENTS:
		add_events(r, b->stream, b->events, b->n);
		break;
	case KT_BLOCK_MARK:
		add_piece(r, KT_BLOCK_MARK)->mark_ns = b->first_ns;
		break;
	case KT_BLOCK_IDENT:
		add_data(r, b, sizeof(struct kt_ident));
		break;
	case KT_BLOCK_LOSS:
		add_data(r, b, sizeof(struct kt_loss));
		break;
	case KT_BLOCK_CLOCK:
		add_data(r, b, sizeof(struct kt_clock_pair));
		break;
	case KT_BLOCK_NAME:
		add_data(r, b, sizeof(struct kt_vm_name));
		break;
	default:
		die("a block that lossy cannot write again", -ENOTSUP);
	}
}

static void read_blocks(struct recording *r, const char *path)
{
	struct kt_store_reader *reader;
	struct kt_block b;
	int got;

	if (kt_reader_open(path, &reader))
		die(path, -EIO);
	while ((got = kt_reader_next(reader, &b)) > 0) {
		take_block(r, &b);
		if (b.type == KT_BLOCK_EVENTS)
			kt_reader_release(reader, &b);
	}
	if (got < 0)
		die(path, got);
	if (!kt_reader_status(reader)->closed_well)
		die("is not whole to begin with", -EINVAL);
	kt_reader_close(reader);
}

/* ---- passes ---- */

static int by_time(const void *pa, const void *pb)
{
	const struct kt_event *a = pa, *b = pb;

	return a->ts_ns < b->ts_ns ? -1 : a->ts_ns > b->ts_ns;
}

static void add_pass_time(struct recording *r, uint64_t ns)
{
	if (r->nr_passes && ns <= r->pass_ns[r->nr_passes - 1])
		return;
	r->pass_ns = grown(r->pass_ns, r->nr_passes, &r->max_passes, sizeof(*r->pass_ns));
	r->pass_ns[r->nr_passes++] = ns;
}

static bool is_preemptible(unsigned int kind)
{
	return kind == KT_EV_WFX || kind == KT_EV_WAKEUP || kind == KT_EV_USER_EXIT;
}

/* One stream's events of a span, as one block. */
static void add_span(struct recording *r, const struct kt_event *ev, size_t n, uint32_t stream)
{
	struct kt_event *of = malloc((n + 1) * sizeof(*of));
	size_t found = 0;

	if (!of)
		die("memory", -ENOMEM);
	for (size_t i = 0; i < n; i++)
		if ((is_preemptible(ev[i].kind) ? KT_STREAM_SIDE : ev[i].pcpu) == stream)
			of[found++] = ev[i];
	if (found)
		add_events(r, stream, of, found);
	free(of);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Pass n begins at the time of the last event of span n.  It writes, CPU after CPU, what the
 * pass before it saw, span n - 1, and of the side ring all that is there; the mark says when the
 * pass before that began.
 */
static void lay_out(struct recording *r, const struct kt_event *ev, size_t n)
{
	uint32_t cpus = 0;

	for (size_t i = 0; i < n; i++)
		if (ev[i].pcpu >= cpus)
			cpus = ev[i].pcpu + 1u;
	for (size_t at = 0; at < n + 2 * PASS_EVENTS; at += PASS_EVENTS) {
		size_t from = least(at < PASS_EVENTS ? 0 : at - PASS_EVENTS, n), now = least(at, n);

		add_span(r, ev + now, least(now + PASS_EVENTS, n) - now, KT_STREAM_SIDE);
		for (uint32_t cpu = 0; cpu < cpus; cpu++)
			add_span(r, ev + from, now - from, cpu);
		if (from)
			add_piece(r, KT_BLOCK_MARK)->mark_ns = ev[from - 1].ts_ns + 1;
	}
	add_piece(r, KT_BLOCK_MARK)->mark_ns = ev[n - 1].ts_ns + 1;
}

static void lay_out_anew(struct recording *r)
{
	struct kt_event *all = NULL;
	size_t n = 0, max = 0, kept = 0;

	for (size_t i = 0; i < r->nr_strands; i++) {
		for (size_t k = 0; k < r->strand[i].n; k++) {
			all = grown(all, n, &max, sizeof(*all));
			all[n++] = r->strand[i].ev[k];
		}
		r->strand[i].n = 0;
	}
	if (!n)
		die("no events", -EINVAL);
	qsort(all, n, sizeof(*all), by_time);
	for (size_t i = 0; i < r->nr_pieces; i++)
		if (r->piece[i].data)
			r->piece[kept++] = r->piece[i];
	r->nr_pieces = kept;
	lay_out(r, all, n);
	free(all);
}

static uint64_t newest_ns(const struct recording *r)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < r->nr_strands; i++)
		for (size_t k = 0; k < r->strand[i].n; k++)
			if (r->strand[i].ev[k].ts_ns > ns)
				ns = r->strand[i].ev[k].ts_ns;
	return ns;
}

static void find_passes(struct recording *r)
{
	if (r->nr_strands == 1 && r->strand[0].number == KT_STREAM_SIDE)
		lay_out_anew(r);
	for (size_t i = 0; i < r->nr_pieces; i++)
		if (r->piece[i].type == KT_BLOCK_MARK)
			add_pass_time(r, r->piece[i].mark_ns);
	add_pass_time(r, newest_ns(r) + 1);
}

size_t pass_of(const struct recording *r, uint64_t ts_ns)
{
	size_t lo = 0, hi = r->nr_passes - 1;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (r->pass_ns[mid] < ts_ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Its mark says when the pass before the one before began. */
size_t end_of_pass(const struct recording *r, size_t pass)
{
	uint64_t mark_ns = r->pass_ns[pass < 2 ? 0 : pass - 2];
	size_t i;

	for (i = 0; i < r->nr_pieces; i++)
		if (r->piece[i].type == KT_BLOCK_MARK && r->piece[i].mark_ns >= mark_ns)
			break;
	return i;
}

/* ---- writing ---- */

static const size_t *next_hole(const struct damage *d, const struct piece *p, size_t at, size_t *len)
{
	const size_t *found = NULL;

	for (size_t i = 0; d && i < d->nr_holes; i++) {
		const size_t *first = &d->hole[i].first;

		if (d->hole[i].strand != p->strand || *first + d->hole[i].n <= at || *first >= p->first + p->n)
			continue;
		if (!found || *first < *found) {
			found = first;
			*len = d->hole[i].n;
		}
	}
	return found;
}

/* What of a block is in no hole. */
static int write_events(const struct recording *r, const struct damage *d, const struct piece *p,
			struct kt_store_writer *w)
{
	const struct strand *s = &r->strand[p->strand];
	size_t at = p->first, end = p->first + p->n, len = 0;
	int err = 0;

	while (!err && at < end) {
		const size_t *hole = next_hole(d, p, at, &len);
		size_t stop = hole && *hole < end ? *hole : end;

		if (stop > at)
			err = kt_writer_events(w, s->number, s->ev + at, stop - at);
		at = hole && *hole + len > stop ? *hole + len : stop;
	}
	return err;
}

static int write_piece(const struct recording *r, const struct damage *d, const struct piece *p,
		       struct kt_store_writer *w)
{
	int err = 0;

	switch (p->type) {
	case KT_BLOCK_EVENTS:
		return write_events(r, d, p, w);
	case KT_BLOCK_MARK:
		return kt_writer_mark(w, p->mark_ns);
	case KT_BLOCK_IDENT:
		return kt_writer_idents(w, p->data, p->n);
	case KT_BLOCK_CLOCK:
		return kt_writer_clock(w, p->data, p->n);
	case KT_BLOCK_NAME:
		return kt_writer_name(w, p->data);
	case KT_BLOCK_LOSS:
		for (size_t i = 0; i < p->n && !err; i++)
			err = kt_writer_loss(w, (const struct kt_loss *)p->data + i);
		return err;
	default:
		return -EINVAL;
	}
}

static int write_losses(const struct damage *d, size_t before, struct kt_store_writer *w)
{
	int err = 0;

	for (size_t i = 0; d && i < d->nr_lost && !err; i++)
		if (d->lost[i].before == before)
			err = kt_writer_loss(w, &d->lost[i].loss);
	return err;
}

static struct kt_store_writer *create(const char *path, const struct kt_facts *facts)
{
	struct kt_store_writer *w;

	unlink(path);	/* else the writer keeps the older one */
	if (kt_writer_create(path, facts, NULL, &w))
		die(path, -EIO);
	return w;
}

void recording_write(struct recording *r, const struct damage *d, const char *path)
{
	struct kt_store_writer *w = create(path, r->facts);
	int err = 0;

	for (size_t i = 0; i < r->nr_pieces && !err; i++) {
		err = write_losses(d, i, w);
		if (!d)
			r->piece[i].edge = kt_writer_bytes(w);
		err = err ?: write_piece(r, d, &r->piece[i], w);
	}
	err = err ?: write_losses(d, r->nr_pieces, w);
	if (err || kt_writer_close(w, r->stop))
		die(path, -EIO);
}

/* ---- rotation, as cli/recorder.c does it ---- */

static uint64_t newest_before(const struct recording *r, size_t piece, uint64_t *mark_ns)
{
	uint64_t newest = 0;

	*mark_ns = 0;
	for (size_t i = 0; i < piece; i++) {
		const struct piece *p = &r->piece[i];

		if (p->type == KT_BLOCK_MARK)
			*mark_ns = p->mark_ns;
		for (size_t k = 0; p->type == KT_BLOCK_EVENTS && k < p->n; k++)
			if (r->strand[p->strand].ev[p->first + k].ts_ns > newest)
				newest = r->strand[p->strand].ev[p->first + k].ts_ns;
	}
	return newest;
}

static struct kt_facts *new_facts(const struct kt_facts *from)
{
	struct kt_facts *f;

	if (kt_facts_new(&f))
		die("facts", -ENOMEM);
	if (from)
		take_facts(f, from);
	return f;
}

static void write_part(struct recording *r, size_t from, size_t to, struct kt_store_writer *w,
		       struct kt_facts *stop)
{
	int err = 0;

	for (size_t i = 0; i < to && !err; i++)
		if (i >= from || r->piece[i].type == KT_BLOCK_IDENT || r->piece[i].type == KT_BLOCK_NAME)
			err = write_piece(r, NULL, &r->piece[i], w);
	if (err || kt_writer_close(w, stop))
		die("rotation", -EIO);
}

void recording_rotate(struct recording *r, size_t piece, const char *path, const char *next)
{
	struct kt_facts *stop = new_facts(NULL), *facts = new_facts(r->facts);
	uint64_t mark_ns, newest = newest_before(r, piece, &mark_ns);
	int err;

	err = kt_facts_set(stop, "stop.reason", "rotated");
	err = err ?: kt_facts_set(stop, "stop.whole", newest < mark_ns ? "yes" : "no");
	err = err ?: kt_facts_setf(facts, "file.whole_from_ns", "%" PRIu64, newest + 1);
	if (err)
		die("facts", err);
	write_part(r, 0, piece, create(path, r->facts), stop);
	write_part(r, piece, r->nr_pieces, create(next, facts), r->stop);
	kt_facts_free(stop);
	kt_facts_free(facts);
}

/* ---- the whole ---- */

static void read_bytes(struct recording *r, const char *path)
{
	FILE *f = fopen(path, "r");
	long size;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET))
		die(path, -errno);
	r->size = size;
	r->bytes = malloc(size + 1);
	if (!r->bytes || fread(r->bytes, 1, size, f) != (size_t)size)
		die(path, -EIO);
	fclose(f);
}

void recording_read(struct recording *r, const char *path, const char *scratch)
{
	const char *source;

	*r = (struct recording){ .path = path, .facts = new_facts(NULL), .stop = new_facts(NULL) };
	read_blocks(r, path);
	source = kt_facts_get(r->facts, "capture.source");
	r->ftrace = source && !strcmp(source, "ftrace");
	find_passes(r);
	recording_write(r, NULL, scratch);
	read_bytes(r, scratch);
}

void recording_free(struct recording *r)
{
	for (size_t i = 0; i < r->nr_pieces; i++)
		free(r->piece[i].data);
	for (size_t i = 0; i < r->nr_strands; i++)
		free(r->strand[i].ev);
	free(r->piece);
	free(r->strand);
	free(r->pass_ns);
	free(r->bytes);
	kt_facts_free(r->facts);
	kt_facts_free(r->stop);
}
