/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much is a verdict worth?  Takes conforming recordings, breaks them one
 * event at a time, and counts how often check notices.
 *
 *	mutate [-n PER-KIND] [-s SEED] [-d line|lr] [-v] FILE...
 *
 * Draws are uniform over the kinds of mutation and over the events that a kind
 * applies to.  A mutation counts only when it changes meaning: when the steps
 * of some lane differ by more than the bounds that sampling leaves.  The last
 * two rows drop a stretch of one CPU's events: unmarked it should be caught,
 * marked as lost it must never become a violation.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <kvmtimer/lr.h>

#include "event.h"
#include "model.h"
#include "order.h"
#include "rules.h"
#include "store.h"
#include "../roll.h"

struct recording {
	const char *path;
	struct kt_facts *facts;
	struct kt_ident *ident;
	struct kt_clock_pair *clock;
	struct kt_event *ev;
	size_t nr_idents, nr_clocks, n;
	struct kt_change *steps;	/* of the unchanged events */
	size_t nr_steps;
};

static void die(const char *what, int err)
{
	fprintf(stderr, "mutate: %s: %s\n", what, strerror(-err));
	exit(1);
}

static void *grown(void *array, size_t n, size_t more, size_t size)
{
	array = realloc(array, (n + more) * size);
	if (!array)
		die("memory", -ENOMEM);
	return array;
}

/* ---- reading ---- */

static bool detail_line;

static bool wanted(const struct kt_event *ev)
{
	if (!detail_line)
		return true;
	return ev->kind != KT_EV_LR && ev->kind != KT_EV_WIRE && ev->kind != KT_EV_IRQCHIP;
}

static void take_events(struct recording *r, struct kt_order *order)
{
	const struct kt_event *ev;
	size_t n;

	while ((n = kt_order_next(order, &ev))) {
		r->ev = grown(r->ev, r->n, n, sizeof(*ev));
		for (; n; n--, ev++)
			if (wanted(ev))
				r->ev[r->n++] = *ev;
	}
}

static void release(void *reader, const struct kt_block *b)
{
	kt_reader_release(reader, b);
}

static void take_block(struct recording *r, struct kt_order *order, const struct kt_block *b)
{
	const char *key, *value;
	int err = 0;

	switch (b->type) {
	case KT_BLOCK_FACTS:
		for (size_t i = 0; kt_facts_at(b->facts, i, &key, &value); i++)
			err = err ?: kt_facts_set(r->facts, key, value);
		break;
	case KT_BLOCK_IDENT:
		r->ident = grown(r->ident, r->nr_idents, b->n, sizeof(*r->ident));
		memcpy(r->ident + r->nr_idents, b->idents, b->n * sizeof(*r->ident));
		r->nr_idents += b->n;
		break;
	case KT_BLOCK_CLOCK:
		r->clock = grown(r->clock, r->nr_clocks, b->n, sizeof(*r->clock));
		memcpy(r->clock + r->nr_clocks, b->clock, b->n * sizeof(*r->clock));
		r->nr_clocks += b->n;
		break;
	case KT_BLOCK_EVENTS:
	case KT_BLOCK_LOSS:
		err = kt_order_push(order, b);
		break;
	case KT_BLOCK_MARK:
		kt_order_mark(order, b->first_ns);
		break;
	default:
		break;
	}
	if (err)
		die("block", err);
}

static void read_recording(struct recording *r, const char *path)
{
	struct kt_store_reader *reader;
	struct kt_order *order;
	struct kt_block b;
	int got;

	*r = (struct recording){ .path = path };
	if (kt_facts_new(&r->facts) || kt_reader_open(path, &reader) ||
	    kt_order_new(release, reader, &order))
		die(path, -EIO);
	while ((got = kt_reader_next(reader, &b)) > 0) {
		take_block(r, order, &b);
		take_events(r, order);
	}
	if (got < 0)
		die(path, got);
	kt_order_mark(order, UINT64_MAX);
	take_events(r, order);
	kt_order_free(order);
	kt_reader_close(reader);
}

/* ---- judging and drawing lanes ---- */

struct lanes {
	struct kt_change *c;
	size_t n, max;
};

static void on_change(void *arg, const struct kt_change *c)
{
	struct lanes *l = arg;

	if (l->n == l->max) {
		l->max = l->max ? 2 * l->max : 1024;
		l->c = grown(l->c, 0, l->max, sizeof(*l->c));
	}
	l->c[l->n++] = *c;
}

static struct kt_model *new_model(const struct recording *r, const struct kt_model_sink *sink)
{
	struct kt_model_opts mo = { .facts = r->facts, .sink = sink };
	struct kt_model *m;

	if (kt_model_new(&mo, &m) || kt_model_idents(m, r->ident, r->nr_idents))
		die("model", -ENOMEM);
	kt_model_clock(m, r->clock, r->nr_clocks);
	return m;
}

static void draw_lanes(const struct recording *r, const struct kt_event *ev, size_t n,
		       struct lanes *out)
{
	struct kt_model_sink sink = { .arg = out, .change = on_change };
	struct kt_model *m = new_model(r, &sink);

	out->n = 0;
	if (kt_model_feed(m, ev, n))
		die("model", -ENOMEM);
	kt_model_free(m);
}

#define MAX_RULES 64

/* Number of violations; which rules in *mask. */
static uint64_t judge(const struct recording *r, const struct kt_event *ev, size_t n,
		      uint64_t *mask)
{
	struct kt_model *m = new_model(r, NULL);
	struct kt_rules_opts ro = { .model = m, .facts = r->facts };
	struct kt_rule_result res;
	struct kt_rules *rules;
	uint64_t all = 0;

	if (kt_rules_new(&ro, &rules) || kt_rules_idents(rules, r->ident, r->nr_idents) ||
	    kt_rules_feed(rules, ev, n))
		die("rules", -ENOMEM);
	*mask = 0;
	for (size_t i = 0; i < kt_rule_nr(); i++) {
		kt_rules_result(rules, i, &res);
		all += res.violated;
		*mask |= (uint64_t)(res.violated != 0) << i;
	}
	kt_rules_free(rules);
	kt_model_free(m);
	return all;
}

/* ---- does it change meaning? ---- */

static bool same_row(const struct kt_change *a, const struct kt_change *b)
{
	return a->vcpu == b->vcpu && a->timer == b->timer && a->lane == b->lane;
}

static int by_row(const void *pa, const void *pb)
{
	const struct kt_change *a = pa, *b = pb;

	if (a->vcpu != b->vcpu)
		return a->vcpu < b->vcpu ? -1 : 1;
	if (a->timer != b->timer)
		return (int)a->timer - b->timer;
	if (a->lane != b->lane)
		return (int)a->lane - b->lane;
	return a->hi_ns < b->hi_ns ? -1 : a->hi_ns > b->hi_ns;
}

/* Steps of value only, row by row; what is unknown says nothing. */
static size_t steps_only(struct lanes *l)
{
	size_t n = 0;

	qsort(l->c, l->n, sizeof(*l->c), by_row);
	for (size_t i = 0; i < l->n; i++) {
		if (!l->c[i].certainty)
			continue;
		if (n && same_row(&l->c[n - 1], &l->c[i]) && l->c[n - 1].value == l->c[i].value)
			continue;
		l->c[n++] = l->c[i];
	}
	return n;
}

/*
 * The bounds that sampling leaves: a step seen at an event may have happened at
 * any time since the event of the same vCPU before it, and nothing was looked
 * at until the one after.  Widens [lo, hi] of the unchanged steps to those.
 */
static void widen(struct kt_change *step, size_t n, const struct kt_event *ev, size_t nr_events)
{
	for (size_t i = 0; i < n; i++) {
		size_t lo = 0, hi = nr_events;
		uint32_t who = 0;

		while (lo < hi) {
			size_t mid = (lo + hi) / 2;

			if (ev[mid].ts_ns < step[i].hi_ns)
				lo = mid + 1;
			else
				hi = mid;
		}
		if (lo == nr_events)
			continue;
		who = ev[lo].who;
		for (size_t k = lo; k-- > 0;) {
			if (ev[k].who != who)
				continue;
			if (ev[k].ts_ns + 1 < step[i].lo_ns)
				step[i].lo_ns = ev[k].ts_ns + 1;
			break;
		}
		for (size_t k = lo + 1; k < nr_events; k++) {
			if (ev[k].who != who)
				continue;
			step[i].hi_ns = ev[k].ts_ns - 1;
			break;
		}
	}
}

static bool differ(const struct kt_change *a, size_t na, const struct kt_change *b, size_t nb)
{
	if (na != nb)
		return true;
	for (size_t i = 0; i < na; i++) {
		if (!same_row(&a[i], &b[i]) || a[i].value != b[i].value)
			return true;
		/* Intervals that touch may be the same edge. */
		if (a[i].hi_ns < b[i].lo_ns || b[i].hi_ns < a[i].lo_ns)
			return true;
	}
	return false;
}

/* ---- mutations ---- */

static uint64_t state;

static uint64_t roll(uint64_t n)
{
	return kt_roll(&state, n);
}

struct work {
	struct kt_event *ev;
	size_t n;
	size_t at;		/* the event that was drawn */
};

static bool is_any(const struct kt_event *ev)
{
	return ev->kind != KT_EV_GAP && ev->kind != KT_EV_OFFSET && ev->who && !(ev->who & KT_WHO_TID);
}

static bool is_timer(const struct kt_event *ev)
{
	return is_any(ev) && KT_SUB_TIMER(ev->sub) < 2;
}

static bool is_level(const struct kt_event *ev)
{
	switch (ev->kind) {
	case KT_EV_UPDATE_IRQ:
	case KT_EV_VGIC_UPDATE:
	case KT_EV_WIRE:
	case KT_EV_SAVE:
	case KT_EV_LR:
	case KT_EV_EMULATE:
	case KT_EV_IRQCHIP:
		return is_any(ev);
	case KT_EV_USER_EXIT:
		return is_any(ev) && ev->user_exit.flags & KT_USER_EXIT_LEVEL;
	}
	return false;
}

static bool is_move(const struct kt_event *ev)
{
	return is_any(ev) && (ev->kind == KT_EV_SAVE || ev->kind == KT_EV_RESTORE);
}

static void remove_at(struct work *w, size_t i, size_t count)
{
	memmove(w->ev + i, w->ev + i + count, (w->n - i - count) * sizeof(*w->ev));
	w->n -= count;
}

static bool drop(struct work *w)
{
	remove_at(w, w->at, 1);
	return true;
}

static bool duplicate(struct work *w)
{
	struct kt_event again = w->ev[w->at];

	again.ts_ns++;
	memmove(w->ev + w->at + 1, w->ev + w->at, (w->n - w->at) * sizeof(*w->ev));
	w->ev[w->at + 1] = again;
	w->n++;
	return true;
}

/* The next event of the same vCPU on the same CPU happens first. */
static bool reorder(struct work *w)
{
	struct kt_event *a = &w->ev[w->at], *b = NULL, kept;
	uint64_t ts_ns;

	for (size_t i = w->at + 1; !b && i < w->n; i++)
		if (w->ev[i].who == a->who && w->ev[i].pcpu == a->pcpu)
			b = &w->ev[i];
	if (!b)
		return false;
	kept = *a;
	ts_ns = a->ts_ns;
	*a = *b;
	a->ts_ns = ts_ns;
	ts_ns = b->ts_ns;
	*b = kept;
	b->ts_ns = ts_ns;
	return true;
}

static bool flip(struct work *w)
{
	struct kt_event *ev = &w->ev[w->at];
	bool v2 = ev->kind == KT_EV_LR && ev->lr.state & KT_LR_V2;

	switch (ev->kind) {
	case KT_EV_UPDATE_IRQ:
	case KT_EV_VGIC_UPDATE:
	case KT_EV_WIRE:
		ev->level.level ^= 1;
		return true;
	case KT_EV_SAVE:
		ev->regs.ctl ^= KT_CTL_ISTATUS;
		return true;
	case KT_EV_EMULATE:
		ev->emulate.should_fire ^= 1;
		return true;
	case KT_EV_IRQCHIP:
		ev->irqchip.val ^= 1;
		return true;
	case KT_EV_USER_EXIT:
		ev->user_exit.device_irq_level ^= 1;
		return true;
	case KT_EV_LR:
		/* After the fold the line is what counts, before it the list register. */
		if (KT_SUB_AT(ev->sub) == KT_AT_FOLD_OUT)
			ev->lr.state ^= KT_LR_LINE;
		else if (ev->lr.state & KT_LR_PRESENT)
			ev->lr.lr ^= v2 ? (KT_LR2_PENDING | KT_LR2_ACTIVE) : (KT_LR3_PENDING | KT_LR3_ACTIVE);
		else
			return false;
		return true;
	}
	return false;
}

static bool wrong_vcpu(struct work *w)
{
	struct kt_event *ev = &w->ev[w->at];

	/* Whoever comes next and is another. */
	for (size_t i = 0; i < w->n; i++) {
		const struct kt_event *other = &w->ev[(w->at + i) % w->n];

		if (other->who != ev->who && is_any(other)) {
			ev->who = other->who;
			return true;
		}
	}
	return false;
}

static bool wrong_timer(struct work *w)
{
	struct kt_event *ev = &w->ev[w->at];

	ev->sub ^= 1;	/* ptimer 0, vtimer 1 */
	if (ev->kind == KT_EV_UPDATE_IRQ || ev->kind == KT_EV_VGIC_UPDATE || ev->kind == KT_EV_WIRE)
		ev->level.irq = KT_SUB_TIMER(ev->sub) == KT_VTIMER ? 27 : 30;
	return true;
}

/* 1 us to 10 ms, all magnitudes alike. */
static bool delay(struct work *w)
{
	static const uint64_t decade_ns[] = { 1000, 10000, 100000, 1000000 };
	uint64_t base_ns = decade_ns[roll(4)], by_ns = base_ns + roll(9 * base_ns);
	struct kt_event moved = w->ev[w->at];
	size_t i = w->at;

	moved.ts_ns += by_ns;
	while (i + 1 < w->n && w->ev[i + 1].ts_ns <= moved.ts_ns) {
		w->ev[i] = w->ev[i + 1];
		i++;
	}
	w->ev[i] = moved;
	return i + 1 < w->n;
}

/* 4 to 64 events in a row of one CPU. */
static bool lose(struct work *w, bool marked)
{
	size_t want = 4 + roll(61), out = w->at, gone = 0;
	uint16_t pcpu = w->ev[w->at].pcpu;
	uint64_t from_ns = w->ev[w->at].ts_ns, until_ns = from_ns;

	for (size_t i = w->at; i < w->n; i++) {
		if (gone < want && w->ev[i].pcpu == pcpu && is_any(&w->ev[i])) {
			until_ns = w->ev[i].ts_ns;
			if (!gone++ && marked)
				w->ev[out++] = (struct kt_event){ .kind = KT_EV_GAP, .ts_ns = from_ns,
					.pcpu = pcpu, .sub = KT_SUB(KT_TIMER_NONE, 0), .who = KT_WHO_NONE };
			continue;
		}
		w->ev[out++] = w->ev[i];
	}
	if (marked) {
		w->ev[w->at].gap.lost = gone;
		w->ev[w->at].gap.until_ns = until_ns;
		/* As the reader does: a gap at either end of the stretch. */
		for (size_t i = w->at + 1; i <= out; i++) {
			if (i < out && w->ev[i].ts_ns < until_ns)
				continue;
			memmove(w->ev + i + 1, w->ev + i, (out - i) * sizeof(*w->ev));
			w->ev[i] = w->ev[w->at];
			w->ev[i].ts_ns = until_ns;
			out++;
			break;
		}
	}
	w->n = out;
	return gone > 0;
}

static bool lose_unmarked(struct work *w)
{
	return lose(w, false);
}

static bool lose_marked(struct work *w)
{
	return lose(w, true);
}

static const struct mutation {
	const char *name;
	bool (*applies)(const struct kt_event *ev);
	bool (*apply)(struct work *w);
	bool must_stay_quiet;
} mutations[] = {
	{ "drop", is_any, drop },
	{ "duplicate", is_any, duplicate },
	{ "reorder", is_any, reorder },
	{ "flip level", is_level, flip },
	{ "wrong vCPU", is_any, wrong_vcpu },
	{ "wrong timer", is_timer, wrong_timer },
	{ "delay", is_any, delay },
	{ "missing save or restore", is_move, drop },
	{ "lost block, unmarked", is_any, lose_unmarked },
	{ "lost block, marked", is_any, lose_marked, true },
};

#define NR_MUTATIONS (sizeof(mutations) / sizeof(mutations[0]))

struct tally {
	uint64_t drawn, meaning, caught;
	uint64_t by_rule[MAX_RULES];
	uint64_t missed_kind[KT_KIND_MAX];
};

/* ---- the run ---- */

static bool verbose;

static void one(const struct recording *r, const struct mutation *mu, struct tally *t,
		struct lanes *lanes)
{
	struct work w = { .n = r->n };
	uint8_t kind;
	uint64_t mask, bad;

	for (unsigned int tries = 0; ; tries++) {
		if (tries == 1000)
			return;
		w.at = roll(r->n);
		if (mu->applies(&r->ev[w.at]))
			break;
	}
	w.ev = malloc((r->n + 3) * sizeof(*w.ev));
	if (!w.ev)
		die("memory", -ENOMEM);
	memcpy(w.ev, r->ev, r->n * sizeof(*w.ev));
	kind = w.ev[w.at].kind;
	if (!mu->apply(&w))
		goto out;
	t->drawn++;
	draw_lanes(r, w.ev, w.n, lanes);
	if (!mu->must_stay_quiet && !differ(r->steps, r->nr_steps, lanes->c, steps_only(lanes)))
		goto out;
	t->meaning++;
	bad = judge(r, w.ev, w.n, &mask);
	for (size_t i = 0; i < kt_rule_nr(); i++)
		t->by_rule[i] += mask >> i & 1;
	if (bad)
		t->caught++;
	else
		t->missed_kind[kind]++;
	if (verbose && !bad != mu->must_stay_quiet) {
		char text[256];

		kt_event_format(&r->ev[w.at], text, sizeof(text));
		printf("# %s %s %s: %s", mu->name, bad ? "caught" : "missed", r->path, text);
		for (size_t i = 0; i < kt_rule_nr(); i++)
			if (mask >> i & 1)
				printf(" %s", kt_rule(i)->id);
		printf("\n");
	}
out:
	free(w.ev);
}

static void print_table(const struct tally *tally)
{
	printf("%-26s%10s%10s%10s%8s\n", "mutation", "drawn", "meaning", "caught", "%");
	for (size_t i = 0; i < NR_MUTATIONS; i++)
		printf("%-26s%10" PRIu64 "%10" PRIu64 "%10" PRIu64 "%8.1f\n", mutations[i].name,
		       tally[i].drawn, tally[i].meaning, tally[i].caught,
		       tally[i].meaning ? 100.0 * tally[i].caught / tally[i].meaning : 0);
	printf("\nrule");
	for (size_t i = 0; i < NR_MUTATIONS; i++)
		printf("\t%s", mutations[i].name);
	printf("\n");
	for (size_t k = 0; k < kt_rule_nr(); k++) {
		printf("%s", kt_rule(k)->id);
		for (size_t i = 0; i < NR_MUTATIONS; i++)
			printf("\t%" PRIu64, tally[i].by_rule[k]);
		printf("\n");
	}
	printf("\nmissed, by the kind of the event\n");
	for (size_t i = 0; i < NR_MUTATIONS; i++) {
		if (mutations[i].must_stay_quiet)
			continue;
		printf("%s:", mutations[i].name);
		for (unsigned int k = 0; k < KT_EV_NR; k++)
			if (tally[i].missed_kind[k])
				printf(" %s %" PRIu64, kt_kind_name(k), tally[i].missed_kind[k]);
		printf("\n");
	}
}

/* Of the mutations that change meaning, all kinds together. */
static int print_sum(const struct tally *tally, size_t nr_files, uint64_t baseline)
{
	uint64_t meaning = 0, caught = 0, loud = 0;

	for (size_t i = 0; i < NR_MUTATIONS; i++) {
		if (mutations[i].must_stay_quiet) {
			loud += tally[i].caught;
			continue;
		}
		meaning += tally[i].meaning;
		caught += tally[i].caught;
	}
	printf("\nrecordings %zu\nunmutated violations %" PRIu64 "\nmarked losses judged %" PRIu64
	       "\ncaught %" PRIu64 " of %" PRIu64 " = %.2f%%\n", nr_files, baseline, loud, caught, meaning,
	       meaning ? 100.0 * caught / meaning : 0);
	return baseline || loud;
}

int main(int argc, char **argv)
{
	static struct tally tally[NR_MUTATIONS];
	struct lanes lanes = { 0 };
	struct recording *rec;
	uint64_t per_kind = 1000, baseline = 0, mask;
	size_t nr = 0;
	int c;

	state = 20261121;
	while ((c = getopt(argc, argv, "n:s:d:v")) != -1) {
		switch (c) {
		case 'n': per_kind = strtoull(optarg, NULL, 0); break;
		case 's': state = strtoull(optarg, NULL, 0) | 1; break;
		case 'd': detail_line = !strcmp(optarg, "line"); break;
		case 'v': verbose = true; break;
		default: return 2;
		}
	}
	rec = calloc(argc, sizeof(*rec));
	if (!rec || optind == argc) {
		fprintf(stderr, "usage: mutate [-n PER-KIND] [-s SEED] [-d line|lr] [-v] FILE...\n");
		return 2;
	}
	for (; optind < argc; optind++) {
		struct recording *r = &rec[nr];

		read_recording(r, argv[optind]);
		if (!r->n)
			continue;
		draw_lanes(r, r->ev, r->n, &lanes);
		r->nr_steps = steps_only(&lanes);
		r->steps = grown(NULL, 0, r->nr_steps + 1, sizeof(*r->steps));
		memcpy(r->steps, lanes.c, r->nr_steps * sizeof(*r->steps));
		widen(r->steps, r->nr_steps, r->ev, r->n);
		baseline += judge(r, r->ev, r->n, &mask);
		nr++;
	}
	for (size_t i = 0; nr && i < NR_MUTATIONS; i++)
		for (uint64_t tries = 0; tally[i].meaning < per_kind && tries < 40 * per_kind; tries++)
			one(&rec[roll(nr)], &mutations[i], &tally[i], &lanes);
	print_table(tally);
	return print_sum(tally, nr, baseline);
}
