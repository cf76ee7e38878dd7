/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "source_file.h"

struct reading {
	struct kt_input *input;
	struct kt_order *order;
	const struct kt_session_opts *opts;
	struct kt_session *s;
	uint64_t mark_ns;	/* the last mark: every event older than this was in the file before it */
	uint64_t bad_blocks, bad_bytes;	/* as after the last block */
};

static void release(void *arg, const struct kt_block *b)
{
	struct reading *r = arg;

	kt_input_release(r->input, b);
}

static int feed(struct reading *r)
{
	const struct kt_event *ev;
	size_t n;
	int err = 0;

	while (!err && (n = kt_order_next(r->order, &ev)))
		err = r->opts->feed ? r->opts->feed(r->opts->arg, ev, n) :
				      kt_model_feed(r->s->model, ev, n);
	return err;
}

/* One without an end is what lose_rest says, here or in what was dumped: the facts say why. */
static bool is_uncounted(const struct kt_loss *l)
{
	uint64_t sum = 0;

	for (unsigned int k = 0; k < KT_KIND_MAX; k++)
		sum |= l->lost[k];
	return !sum && l->until_ns != UINT64_MAX;
}

static int take_block(struct reading *r, const struct kt_block *b)
{
	int err;

	if (r->opts->block && b->type != KT_BLOCK_EVENTS) {
		err = r->opts->block(r->opts->arg, b);
		if (err)
			return err;
	}
	switch (b->type) {
	case KT_BLOCK_FACTS:
		return kt_facts_copy(r->s->facts, b->facts);
	case KT_BLOCK_IDENT:
		return kt_model_idents(r->s->model, b->idents, b->n);
	case KT_BLOCK_NAME:
		return kt_model_name(r->s->model, b->name);
	case KT_BLOCK_CLOCK:
		kt_model_clock(r->s->model, b->clock, b->n);
		return 0;
	case KT_BLOCK_LOSS:
		r->s->uncounted |= is_uncounted(b->loss);
		return kt_order_push(r->order, b);
	case KT_BLOCK_EVENTS:
		return kt_order_push(r->order, b);
	case KT_BLOCK_MARK:
		if (b->first_ns > r->mark_ns)
			r->mark_ns = b->first_ns;
		kt_order_mark(r->order, b->first_ns);
		return 0;
	case KT_BLOCK_INDEX:
		return 0;
	}
	return 0;
}

/*
 * From the last mark on the streams may end, or go on, at different times: events are
 * missing there, of any stream, to the end of the file.  It is told as a loss that
 * nobody counted.
 */
static int lose_rest(struct reading *r)
{
	struct kt_loss loss = { .from_ns = r->mark_ns, .until_ns = UINT64_MAX, .stream = KT_STREAM_SIDE };
	struct kt_block b = { .type = KT_BLOCK_LOSS, .stream = KT_STREAM_SIDE, .n = 1, .loss = &loss,
			      .first_ns = loss.from_ns, .last_ns = loss.until_ns };

	return take_block(r, &b);
}

/* What stood in a damaged block is not known: an event of any time since the last mark, or who is who. */
static int check_damage(struct reading *r)
{
	const struct kt_read_status *s = kt_input_status(r->input);
	bool more = s->bad_blocks != r->bad_blocks || s->bad_bytes != r->bad_bytes;

	r->bad_blocks = s->bad_blocks;
	r->bad_bytes = s->bad_bytes;
	return more ? lose_rest(r) : 0;
}

/* A file that was closed may end inside a pass all the same: it was full. */
static bool is_whole(const struct reading *r)
{
	const char *whole = kt_facts_get(r->s->facts, "stop.whole");

	return kt_input_status(r->input)->closed_well && !(whole && !strcmp(whole, "no"));
}

static int take_end(struct reading *r)
{
	int err = check_damage(r);

	if (!err && !is_whole(r))
		err = lose_rest(r);
	kt_order_mark(r->order, UINT64_MAX);
	return err ? err : feed(r);
}

static int read_all(struct reading *r)
{
	struct kt_block b;
	int got, err;

	while ((got = kt_input_next(r->input, &b)) > 0) {
		err = check_damage(r);
		if (!err)
			err = take_block(r, &b);
		if (!err)
			err = feed(r);
		if (err)
			return kt_err(err, "cannot read on in %s: %s", r->opts->path, strerror(-err));
	}
	if (got < 0)
		return got;
	return take_end(r);
}

int kt_session_read(const struct kt_session_opts *opts, struct kt_session *out)
{
	struct reading r = { .opts = opts, .s = out };
	struct kt_model_opts mo = { .sink = opts->sink, .only_vm = opts->only_vm };
	int err;

	memset(out, 0, sizeof(*out));
	out->path = opts->path;
	err = kt_input_open(opts->path, &r.input);
	if (err)
		return err;
	err = kt_facts_new(&out->facts);
	mo.facts = out->facts;
	if (!err)
		err = kt_model_new(&mo, &out->model);
	if (!err)
		err = kt_order_new(release, &r, &r.order);
	if (err) {
		err = kt_err(err, "out of memory");
		goto out;
	}
	if (opts->ready)
		opts->ready(opts->arg, out->model);
	err = read_all(&r);
	kt_model_finish(out->model);
	out->status = *kt_input_status(r.input);
	out->format = kt_input_format(r.input);
	if (kt_input_ftrace(r.input))
		out->ftrace = *kt_input_ftrace(r.input);
	out->late = kt_order_late(r.order);
out:
	kt_order_free(r.order);
	kt_input_close(r.input);
	if (err)
		kt_session_free(out);
	return err;
}

void kt_session_free(struct kt_session *s)
{
	kt_model_free(s->model);
	kt_facts_free(s->facts);
	s->model = NULL;
	s->facts = NULL;
}

int kt_session_check_vm(const struct kt_session *s, uint64_t number)
{
	uint32_t n = kt_model_nr_vms(s->model);

	if (number <= n)
		return 0;
	return kt_err(-ENOENT, "%s has no VM %" PRIu64 ": its VMs are numbered 1 to %" PRIu32, s->path,
		      number, n);
}

bool kt_session_clean(const struct kt_session *s)
{
	return s->status.closed_well && !s->status.bad_blocks && !s->late &&
	       !kt_model_totals(s->model)->lost;
}

const char *kt_input_path(const char *option, int nr_args, char **args)
{
	if (nr_args > 1 || (nr_args && option)) {
		fprintf(stderr, "one recording at a time: \"%s\" is one too many\n",
			args[nr_args - 1]);
		return NULL;
	}
	return option ? option : nr_args ? args[0] : KT_DEFAULT_FILE;
}
