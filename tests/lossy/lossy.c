/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lost data never convicts, and is no excuse.  Takes whole recordings, cuts and loses parts of
 * them thousands of times, and asks each time for the answer that check would give.
 *
 *	lossy [-n DRAWS] [-s SEED] [--cuts] [--losses] [--rotations]
 *	      [--expect=never-violated | --expect=keeps-RULE] [--keep DIR] [--anyway] FILE...
 *
 *	--cuts		the file ends at a byte: any, or, half of the time, between two blocks
 *			of one pass of the recorder, as a kill or a full disk leaves it
 *	--losses	one to four marked losses, as the recorder writes them
 *	--rotations	the file is full at a block: both files are judged
 *			(none of the three: all of them)
 *
 * Expected of a conforming recording: never violated; inconclusive, with a reason, where it was
 * cut or lost something; and with one loss that spans less than a quarter of it, on average 80 % of the
 * rules that are put to the test by the whole are still put to the test.
 *
 * Expected of a broken one with keeps-RULE: each draw takes one violation of that rule; a loss or
 * cut that touches neither its window nor what it rests on (see rests_since_ns) leaves the
 * recording violated by that rule, and that violation among those seen, in 95 of 100 draws.
 * Draws that touch it do not count; their number is told.
 *
 * Draw i of a file depends on SEED + i and the kind only: -s N -n 1 --losses repeats what is
 * told as "losses, seed N".  --keep: the files that failed stay in DIR.  --anyway: also of a
 * recording that is broken to begin with, where every draw should fail: tests of this program.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event.h"
#include "recording.h"
#include "store_format.h"
#include "verdict.h"
#include "../roll.h"

#define LOSS_EVENTS_MAX 2000
#define NEAR_EVENTS 200		/* of a stream, before or after a violation that must be kept */
#define STILL_TESTED 0.8	/* of the rules that the whole tests, with one loss */
#define STILL_VIOLATED 0.95	/* of the draws that leave a violation untouched */

enum kind { CUTS, LOSSES, ROTATIONS, NR_KINDS };
static const char *const kind_names[] = { "cuts", "losses", "rotations" };

static struct {
	uint64_t draws, seed;
	unsigned int kinds;	/* bit per enum kind */
	size_t keeps;		/* SIZE_MAX: never violated */
	const char *keep;
	bool anyway;
} opt = { .draws = 50, .seed = 1, .keeps = SIZE_MAX };

static char scratch[PATH_MAX - 16], mutant[PATH_MAX], next_mutant[PATH_MAX];

/* ---- chance ---- */

static uint64_t state;

/* splitmix64 of the seed, so that seeds in a row have nothing in common */
static void seed(uint64_t n)
{
	n = (n + 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull;
	n = (n ^ n >> 27) * 0x94d049bb133111ebull;
	state = (n ^ n >> 31) | 1;
}

static uint64_t roll(uint64_t n)
{
	return kt_roll(&state, n);
}

/* ---- the answer, as check finds it ---- */

struct seen {
	struct kt_violation v;
	uint32_t who;
	uint64_t rests_ns;	/* since when it rests on what was seen */
};

struct answer {
	int err;
	struct kt_check_sum sum;
	uint64_t exercised, violated;	/* bit per rule */
	struct kt_violation first;	/* of those that make it violated */
};

struct judge {
	struct kt_session session;
	struct kt_judging judging;
	struct kt_session_opts so;
};

static int on_block(void *arg, const struct kt_block *b)
{
	return kt_judging_block(&((struct judge *)arg)->judging, b);
}

static int on_feed(void *arg, const struct kt_event *ev, size_t n)
{
	return kt_judging_feed(&((struct judge *)arg)->judging, ev, n);
}

static void take_results(const struct kt_rules *rules, struct answer *a)
{
	const struct kt_violation *v;
	struct kt_rule_result r;

	for (size_t i = 0; i < kt_rule_nr(); i++) {
		kt_rules_result(rules, i, &r);
		a->exercised |= (uint64_t)(r.exercised != 0) << i;
		a->violated |= (uint64_t)(r.verdict == KT_VERDICT_VIOLATED) << i;
		if (kt_rules_violations(rules, i, &v) && !a->first.seen)
			a->first = *v;
	}
}

static void judge_file(const char *path, struct judge *j, struct answer *a)
{
	j->so = (struct kt_session_opts){ .path = path, .block = on_block, .feed = on_feed, .arg = j };
	j->judging.session = &j->session;
	*a = (struct answer){ 0 };
	a->err = kt_session_read(&j->so, &j->session);
	if (!a->err && kt_judging_end(&j->judging))
		die("rules", -ENOMEM);
	if (!a->err) {
		kt_check_sum(&j->session, j->judging.rules, 0, &a->sum);
		take_results(j->judging.rules, a);
		kt_session_free(&j->session);
	}
	kt_rules_free(j->judging.rules);
}

static void judge(const char *path, struct answer *a)
{
	struct judge j = { .judging.rules = NULL };

	judge_file(path, &j, a);
}

/* ---- what a violation rests on ---- */

struct whole {
	struct judge judge;
	struct recording rec;
	struct answer answer;
	struct seen *seen;	/* violations of the rule that is to be kept */
	size_t nr_seen, max_seen;
};

/* A put: the first save since a restore. */
static bool ends_load(const struct kt_event *ev, bool *loaded)
{
	bool ends = *loaded && ev->kind == KT_EV_SAVE;

	if (ev->kind == KT_EV_RESTORE)
		*loaded = true;
	else if (ev->kind == KT_EV_SAVE)
		*loaded = false;
	return ends;
}

/*
 * A violation rests on its window and on what was known when it opened, and after a loss a vCPU
 * is known again once it was loaded and ran until it was put.  So nothing may be missing since
 * the last put but one before the window: from there to the window lie one whole load of this
 * vCPU and the beginning of the one that the window is in.  0, that is the beginning of the
 * recording, for a vCPU that was not put so often.  Beside that nothing may be missing of its
 * counter offset, which is told once (touched).  A vCPU moves between CPUs, but its events
 * are in the order of each: puts are looked for stream by stream, and the newest two count.
 */
static uint64_t rests_since_ns(const struct whole *w, uint32_t who, uint64_t from_ns)
{
	uint64_t put[2] = { 0, 0 };	/* the newest, and the one before */

	for (size_t i = 0; i < w->rec.nr_strands; i++) {
		const struct strand *s = &w->rec.strand[i];
		bool loaded = false;

		for (size_t k = 0; k < s->n; k++) {
			const struct kt_event *ev = &s->ev[k];

			if (ev->who != who || !ends_load(ev, &loaded) || ev->ts_ns >= from_ns)
				continue;
			if (ev->ts_ns > put[0]) {
				put[1] = put[0];
				put[0] = ev->ts_ns;
			} else if (ev->ts_ns > put[1]) {
				put[1] = ev->ts_ns;
			}
		}
	}
	return put[1];
}

static uint32_t who_of(const struct whole *w, uint32_t vcpu)
{
	for (size_t i = 0; i < w->rec.nr_pieces; i++) {
		const struct piece *p = &w->rec.piece[i];
		const struct kt_ident *id = p->data;

		for (size_t k = 0; p->type == KT_BLOCK_IDENT && k < p->n; k++)
			if (kt_model_vcpu_of(w->judge.session.model, id[k].who) == vcpu)
				return id[k].who;
	}
	return KT_WHO_NONE;
}

static void on_violation(void *arg, const struct kt_violation *v)
{
	struct whole *w = arg;
	uint32_t who;

	if (v->rule != opt.keeps)
		return;
	who = who_of(w, v->vcpu);
	w->seen = grown(w->seen, w->nr_seen, &w->max_seen, sizeof(*w->seen));
	w->seen[w->nr_seen++] = (struct seen){ *v, who, rests_since_ns(w, who, v->from_ns) };
}

static void read_whole(struct whole *w, const char *path)
{
	memset(w, 0, sizeof(*w));
	recording_read(&w->rec, path, scratch);
	w->judge.judging.violation = on_violation;
	w->judge.judging.arg = w;
	judge_file(scratch, &w->judge, &w->answer);
	if (w->answer.err)
		die(path, w->answer.err);
}

static bool takes_offset(const struct whole *w, const struct damage *d, uint32_t who)
{
	for (size_t i = 0; i < d->nr_holes; i++) {
		const struct kt_event *ev = &w->rec.strand[d->hole[i].strand].ev[d->hole[i].first];

		for (size_t k = 0; k < d->hole[i].n; k++)
			if (ev[k].kind == KT_EV_OFFSET && ev[k].who == who)
				return true;
	}
	return false;
}

static bool touched(const struct whole *w, const struct damage *d, const struct seen *s)
{
	if (takes_offset(w, d, s->who))
		return true;
	for (size_t i = 0; i < d->nr_lost; i++)
		if (d->lost[i].loss.from_ns <= s->v.at_ns && d->lost[i].loss.until_ns >= s->rests_ns)
			return true;
	return false;
}

/* ---- losses ---- */

static void add_loss(struct damage *d, const struct kt_loss *loss, size_t before)
{
	if (d->nr_lost == MAX_LOSSES)
		die("too many losses", -ENOSPC);
	d->lost[d->nr_lost].loss = *loss;
	d->lost[d->nr_lost++].before = before;
}

static uint64_t start_of(const struct recording *r, size_t pass)
{
	return pass ? r->pass_ns[pass - 1] : 0;
}

/* One more event of that kind lost on a stream in a pass: its counters were read when the pass ended. */
static void count_lost(const struct recording *r, struct damage *d, size_t first, uint32_t stream,
		       uint64_t ts_ns, unsigned int kind)
{
	size_t pass = pass_of(r, ts_ns), i;
	struct kt_loss loss = { .from_ns = start_of(r, pass), .until_ns = r->pass_ns[pass], .stream = stream };

	for (i = first; i < d->nr_lost; i++)
		if (d->lost[i].loss.until_ns == loss.until_ns)
			break;
	if (i == d->nr_lost)
		add_loss(d, &loss, end_of_pass(r, pass));
	d->lost[i].loss.lost[kind]++;
}

static struct strand *add_hole(struct recording *r, struct damage *d, uint32_t strand, size_t first, size_t n)
{
	if (d->nr_holes == MAX_HOLES)
		die("too many holes", -ENOSPC);
	d->hole[d->nr_holes].strand = strand;
	d->hole[d->nr_holes].first = first;
	d->hole[d->nr_holes++].n = n;
	return &r->strand[strand];
}

/*
 * A full ring of the BPF source: counted per kind and pass.  Half of the time the last pass read
 * the counters before the next event came that it kept.
 */
static void lose_bpf(struct recording *r, struct damage *d, uint32_t strand, size_t first, size_t n)
{
	const struct strand *s = add_hole(r, d, strand, first, n);
	size_t mine = d->nr_lost;
	struct kt_loss *last;
	uint64_t until_ns = 0;

	for (size_t i = first; i < first + n; i++) {
		count_lost(r, d, mine, s->number, s->ev[i].ts_ns, s->ev[i].kind);
		if (s->ev[i].ts_ns > until_ns)
			until_ns = s->ev[i].ts_ns;
	}
	last = &d->lost[d->nr_lost - 1].loss;
	if (roll(2) || s->number == KT_STREAM_SIDE || first + n == s->n || s->ev[first + n].ts_ns > last->until_ns)
		return;
	last->until_ns = until_ns + roll(s->ev[first + n].ts_ns - until_ns);
}

/* Pages of ftrace: a number of records between the one before and the one after. */
static void lose_ftrace(struct recording *r, struct damage *d, uint32_t strand, size_t first, size_t n)
{
	const struct strand *s = add_hole(r, d, strand, first, n);
	size_t pass = pass_of(r, s->ev[first].ts_ns), end = pass_of(r, s->ev[first + n - 1].ts_ns);
	struct kt_loss loss = { .stream = s->number, .lost = { [KT_EV_NONE] = n } };

	loss.from_ns = first ? s->ev[first - 1].ts_ns + 1 : start_of(r, pass);
	loss.until_ns = first + n < s->n ? s->ev[first + n].ts_ns - 1 : r->pass_ns[end];
	add_loss(d, &loss, end_of_pass(r, end));
}

static void lose(struct recording *r, struct damage *d, uint32_t strand, size_t first, size_t n)
{
	/* Its streams are CPUs; what is laid out as a story may have another. */
	if (r->ftrace && r->strand[strand].number != KT_STREAM_SIDE)
		lose_ftrace(r, d, strand, first, n);
	else
		lose_bpf(r, d, strand, first, n);
}

static size_t draw_strand(const struct recording *r)
{
	size_t i;

	do {
		i = roll(r->nr_strands);
	} while (!r->strand[i].n);
	return i;
}

/* Any event of the stream; half of the time one near that time, where there is one. */
static size_t draw_place(const struct strand *s, uint64_t near_ns)
{
	size_t at = 0, far = roll(2 * NEAR_EVENTS);

	if (!near_ns || roll(2))
		return roll(s->n);
	while (at + 1 < s->n && s->ev[at].ts_ns < near_ns)
		at++;
	at = at + far < NEAR_EVENTS ? 0 : at + far - NEAR_EVENTS;
	return at < s->n ? at : s->n - 1;
}

/* A run of 1 to 2,000 events, all magnitudes alike. */
static void lose_run(struct recording *r, struct damage *d, uint64_t near_ns)
{
	uint32_t strand = draw_strand(r);
	size_t n = exp(roll(1u << 20) / (double)(1u << 20) * log(LOSS_EVENTS_MAX + 1));
	size_t first = draw_place(&r->strand[strand], near_ns);

	if (n > r->strand[strand].n - first)
		n = r->strand[strand].n - first;
	lose(r, d, strand, first, n);
}

/* All that a stream had. */
static void lose_stream(struct recording *r, struct damage *d)
{
	uint32_t strand = draw_strand(r);

	lose(r, d, strand, 0, r->strand[strand].n);
}

/* What the kernel skipped: one to three events of any CPU in one pass, told on the side stream. */
static void lose_skipped(struct recording *r, struct damage *d)
{
	size_t mine = d->nr_lost, n = 1 + roll(3);

	while (n--) {
		uint32_t strand = draw_strand(r);
		size_t at = roll(r->strand[strand].n);
		const struct kt_event *ev = &add_hole(r, d, strand, at, 1)->ev[at];

		count_lost(r, d, mine, KT_STREAM_SIDE, ev->ts_ns, ev->kind);
	}
}

/* On a CPU of which there is nothing else: whoever lost it, what was lost was somebody's. */
static void lose_elsewhere(struct recording *r, struct damage *d)
{
	uint32_t strand = draw_strand(r);
	uint64_t ts_ns = r->strand[strand].ev[roll(r->strand[strand].n)].ts_ns;
	uint32_t stream = 0;

	for (size_t i = 0; i < r->nr_strands; i++)
		if (r->strand[i].number != KT_STREAM_SIDE && r->strand[i].number >= stream)
			stream = r->strand[i].number + 1;
	count_lost(r, d, d->nr_lost, stream, ts_ns, r->ftrace ? KT_EV_NONE : KT_EV_ENTRY);
}

/* Returns whether it is one run of events and nothing else.  near_ns: 0 = anywhere. */
static bool draw_losses(struct recording *r, struct damage *d, uint64_t near_ns)
{
	size_t n = roll(4) ? 1 : 2 + roll(3);
	bool simple = n == 1;

	d->nr_holes = d->nr_lost = 0;
	while (n--) {
		uint64_t how = roll(16);

		if (how < 12)
			lose_run(r, d, near_ns);
		else if (how < 14)
			lose_skipped(r, d);
		else if (how < 15)
			lose_elsewhere(r, d);
		else
			lose_stream(r, d);
		simple &= how < 12;
	}
	return simple;
}

/* ---- cuts ---- */

/* A block boundary that is not one of passes. */
static size_t draw_boundary(const struct recording *r)
{
	size_t i;

	do {
		i = 1 + roll(r->nr_pieces - 1);
	} while (r->piece[i - 1].type == KT_BLOCK_MARK);
	return i;
}

/* At any byte behind the file's header: what is shorter is no recording, and refused. */
static size_t draw_cut(const struct recording *r)
{
	if (roll(2))
		return r->piece[draw_boundary(r)].edge;
	return sizeof(struct kt_disk_file) + roll(r->size - sizeof(struct kt_disk_file));
}

static void write_cut(const struct recording *r, size_t size)
{
	FILE *f = fopen(mutant, "w");

	if (!f || fwrite(r->bytes, 1, size, f) != size || fclose(f))
		die(mutant, -EIO);
}

/* Is there a mark before that byte which says that the violation's time is complete? */
static bool cut_spares(const struct recording *r, size_t size, const struct seen *s)
{
	for (size_t i = 0; i + 1 < r->nr_pieces; i++)
		if (r->piece[i].type == KT_BLOCK_MARK && r->piece[i].mark_ns > s->v.at_ns)
			return r->piece[i + 1].edge <= size;
	return false;
}

/* ---- one draw ---- */

struct tally {
	uint64_t drawn, failed, kept, tested_n;
	uint64_t by_rule[64];
	double tested_min, tested_sum;
};

static void keep_file(const struct whole *w, enum kind kind, uint64_t nr, const char *path)
{
	const char *base = strrchr(w->rec.path, '/');
	char name[PATH_MAX], command[3 * PATH_MAX];

	if (!opt.keep)
		return;
	snprintf(name, sizeof(name), "%s/%s.%s.%" PRIu64 "%s", opt.keep, base ? base + 1 : w->rec.path,
		 kind_names[kind], nr, path == next_mutant ? ".next" : "");
	snprintf(command, sizeof(command), "cp '%s' '%s'", path, name);
	if (system(command))
		die(name, -EIO);
}

static void print_rules(uint64_t mask)
{
	for (size_t i = 0; i < kt_rule_nr(); i++)
		if (mask >> i & 1)
			printf(" %s", kt_rule(i)->id);
}

static void fail(const struct whole *w, enum kind kind, uint64_t nr, const char *path,
		 const struct answer *a, struct tally *t, const char *why)
{
	t->failed++;
	printf("%s: %s, seed %" PRIu64 ": %s", w->rec.path, kind_names[kind], nr, why);
	print_rules(a->violated);
	if (a->first.seen)
		printf(" (%s, %" PRIu64 " to %" PRIu64 ")", a->first.seen, a->first.from_ns, a->first.at_ns);
	printf("\n");
	for (size_t i = 0; i < kt_rule_nr(); i++)
		t->by_rule[i] += a->violated >> i & 1;
	keep_file(w, kind, nr, path);
}

/* A rotated file without loss may conform; all others have no verdict, and say why. */
static void expect_quiet(const struct whole *w, enum kind kind, uint64_t nr, const char *path, struct tally *t)
{
	struct answer a;

	judge(path, &a);
	t->drawn++;
	if (a.err)
		fail(w, kind, nr, path, &a, t, "cannot be read");
	else if (a.sum.answer == KT_ANSWER_VIOLATED)
		fail(w, kind, nr, path, &a, t, "violated");
	else if (a.sum.answer == KT_ANSWER_CONFORMS && kind != ROTATIONS)
		fail(w, kind, nr, path, &a, t, "conforms, as if nothing were missing");
	else if (a.sum.answer == KT_ANSWER_INCONCLUSIVE && !a.sum.why)
		fail(w, kind, nr, path, &a, t, "inconclusive without a reason");
}

/* Of which a draw must not lose sight; NULL where nothing is broken. */
static const struct seen *draw_target(const struct whole *w)
{
	return opt.keeps == SIZE_MAX ? NULL : &w->seen[roll(w->nr_seen)];
}

struct search {
	const struct seen *target;
	bool found;
};

static void look_for_target(void *arg, const struct kt_violation *v)
{
	struct search *s = arg;

	s->found |= v->rule == s->target->v.rule && v->at_ns == s->target->v.at_ns;
}

/* Violated by the rule, and that one violation is among those seen. */
static void expect_kept(const struct whole *w, enum kind kind, uint64_t nr, const struct seen *target,
			struct tally *t)
{
	struct search search = { .target = target };
	struct judge j = { .judging = { .violation = look_for_target, .arg = &search } };
	struct answer a;

	judge_file(mutant, &j, &a);
	t->drawn++;
	if (!a.err && a.sum.answer == KT_ANSWER_VIOLATED && a.violated >> opt.keeps & 1 && search.found) {
		t->kept++;
		return;
	}
	fail(w, kind, nr, mutant, &a, t, search.found ? a.sum.why ? a.sum.why : "taken back" : "lost sight of it;");
	printf("\tit: %s, %" PRIu64 " to %" PRIu64 ", rests on what was seen since %" PRIu64 "\n", target->v.seen,
	       target->v.from_ns, target->v.at_ns, target->rests_ns);
}

/* How many events lie in the time of its losses? */
static bool spans_little(const struct recording *r, const struct damage *d)
{
	uint64_t from_ns = d->lost[0].loss.from_ns, until_ns = d->lost[d->nr_lost - 1].loss.until_ns;
	size_t inside = 0, all = 0;

	for (size_t i = 0; i < r->nr_strands; i++) {
		all += r->strand[i].n;
		for (size_t k = 0; k < r->strand[i].n; k++)
			inside += r->strand[i].ev[k].ts_ns >= from_ns && r->strand[i].ev[k].ts_ns <= until_ns;
	}
	return inside * 4 < all;
}

static void expect_tested(const struct whole *w, struct tally *t)
{
	struct answer a;
	double part;

	judge(mutant, &a);
	if (a.err || !w->answer.exercised)
		return;
	part = (double)__builtin_popcountll(a.exercised & w->answer.exercised) /
	       __builtin_popcountll(w->answer.exercised);
	t->tested_sum += part;
	if (!t->tested_n++ || part < t->tested_min)
		t->tested_min = part;
}

static void draw_one_cut(struct whole *w, uint64_t nr, struct tally *t)
{
	const struct seen *target = draw_target(w);
	size_t cut = draw_cut(&w->rec);

	if (target && !cut_spares(&w->rec, cut, target))
		return;
	write_cut(&w->rec, cut);
	if (target)
		expect_kept(w, CUTS, nr, target, t);
	else
		expect_quiet(w, CUTS, nr, mutant, t);
}

static void draw_one_loss(struct whole *w, uint64_t nr, struct tally *t)
{
	static struct damage d;
	const struct seen *target = draw_target(w);
	bool simple = draw_losses(&w->rec, &d, target ? target->v.at_ns : 0);

	if (target && touched(w, &d, target))
		return;
	recording_write(&w->rec, &d, mutant);
	if (target) {
		expect_kept(w, LOSSES, nr, target, t);
		return;
	}
	expect_quiet(w, LOSSES, nr, mutant, t);
	if (simple && spans_little(&w->rec, &d))
		expect_tested(w, t);
}

static void draw_one_rotation(struct whole *w, uint64_t nr, struct tally *t)
{
	size_t at = draw_boundary(&w->rec);

	recording_rotate(&w->rec, at, mutant, next_mutant);
	expect_quiet(w, ROTATIONS, nr, mutant, t);
	expect_quiet(w, ROTATIONS, nr, next_mutant, t);
}

/* ---- files ---- */

static bool report(const struct whole *w, enum kind kind, const struct tally *t)
{
	double kept = t->drawn ? (double)t->kept / t->drawn : 0;

	if (opt.keeps != SIZE_MAX) {
		printf("%s: %s: kept %s in %" PRIu64 " of %" PRIu64 "; %" PRIu64 " touched it\n", w->rec.path,
		       kind_names[kind], kt_rule(opt.keeps)->id, t->kept, t->drawn, opt.draws - t->drawn);
		return kept >= STILL_VIOLATED;
	}
	printf("%s: %s: %" PRIu64 " judged, %" PRIu64 " failed", w->rec.path, kind_names[kind], t->drawn, t->failed);
	for (size_t i = 0; i < kt_rule_nr(); i++)
		if (t->by_rule[i])
			printf(" %s:%" PRIu64, kt_rule(i)->id, t->by_rule[i]);
	if (t->tested_n)
		printf("; rules still tested with one loss: %.0f %% at least, %.1f %% on average of %" PRIu64,
		       100 * t->tested_min, 100 * t->tested_sum / t->tested_n, t->tested_n);
	printf("\n");
	return !t->failed && (!t->tested_n || t->tested_sum / t->tested_n >= STILL_TESTED);
}

static bool draw_kind(struct whole *w, enum kind kind)
{
	static void (*const draw_one[])(struct whole *, uint64_t, struct tally *) = {
		draw_one_cut, draw_one_loss, draw_one_rotation
	};
	struct tally t = { 0 };

	for (uint64_t i = 0; i < opt.draws; i++) {
		seed((opt.seed + i) * NR_KINDS + kind);
		draw_one[kind](w, opt.seed + i, &t);
	}
	return report(w, kind, &t);
}

static bool draw_file(const char *path)
{
	struct whole w;
	bool good = true, sound = true;

	read_whole(&w, path);
	if (opt.keeps == SIZE_MAX && w.answer.sum.answer != KT_ANSWER_CONFORMS && !opt.anyway) {
		printf("%s: is no conforming recording to begin with:", path);
		print_rules(w.answer.violated);
		printf(" %s\n", w.answer.sum.why ? w.answer.sum.why : "");
		sound = false;
	} else if (opt.keeps != SIZE_MAX && !w.nr_seen) {
		printf("%s: %s is not broken in it to begin with\n", path, kt_rule(opt.keeps)->id);
		sound = false;
	}
	for (unsigned int k = 0; k < NR_KINDS && sound; k++)
		if (opt.kinds >> k & 1 && (k != ROTATIONS || opt.keeps == SIZE_MAX))
			good &= draw_kind(&w, k);
	free(w.seen);
	recording_free(&w.rec);
	return good && sound;
}

/* ---- the command ---- */

static void misuse(void)
{
	fprintf(stderr, "usage is at the top of tests/lossy/lossy.c\n");
	exit(129);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (!*text || *end)
		misuse();
	return n;
}

static void parse_expect(const char *text)
{
	if (!strncmp(text, "keeps-", 6))
		opt.keeps = kt_rule_find(text + 6);
	if (opt.keeps == SIZE_MAX && strcmp(text, "never-violated"))
		misuse();
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cuts", no_argument, NULL, CUTS }, { "losses", no_argument, NULL, LOSSES },
		{ "rotations", no_argument, NULL, ROTATIONS }, { "expect", required_argument, NULL, 'e' },
		{ "keep", required_argument, NULL, 'k' }, { "anyway", no_argument, NULL, 'a' }, { NULL }
	};
	int c;

	while ((c = getopt_long(argc, argv, "n:s:", options, NULL)) != -1) {
		switch (c) {
		case 'n': opt.draws = number(optarg); break;
		case 's': opt.seed = number(optarg); break;
		case 'e': parse_expect(optarg); break;
		case 'k': opt.keep = optarg; break;
		case 'a': opt.anyway = true; break;
		case CUTS:
		case LOSSES:
		case ROTATIONS: opt.kinds |= 1u << c; break;
		default: misuse();
		}
	}
	if (optind == argc || !opt.draws)
		misuse();
	if (!opt.kinds)
		opt.kinds = (1u << NR_KINDS) - 1;
}

int main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	char dir[PATH_MAX - 64];
	bool good = true;

	parse(argc, argv);
	snprintf(dir, sizeof(dir), "%s/lossy.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		die(dir, -errno);
	snprintf(scratch, sizeof(scratch), "%s/whole", dir);
	snprintf(mutant, sizeof(mutant), "%s/mutant", dir);
	snprintf(next_mutant, sizeof(next_mutant), "%s/next", dir);
	for (int i = optind; i < argc; i++)
		good &= draw_file(argv[i]);
	unlink(scratch);
	unlink(mutant);
	unlink(next_mutant);
	rmdir(dir);
	return fflush(stdout) || !good;
}
