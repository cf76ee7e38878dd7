/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Do two recordings of one run tell the same?
 *
 *	same [--events] [--steps] [--verdicts] [--counts] [--kind KIND]... [--lane LANE]...
 *	     [--least N] A B
 *	same --list
 *
 * Without a choice all four are compared.  Fewer than N events in common (1) are a difference, as
 * nothing is shown by comparing nothing.  What may differ stands in same_table.c and nowhere
 * else; each tolerance that was used is counted and printed.  Where steps, verdicts or counts
 * differ, the second recording is told again at the times of the first: what is the same then
 * differed by an order or a time, and is counted too.
 *
 * Status 0: the same; 1: not, with what differs, "-" of the first and "+" of the second;
 * 129: misuse.
 */
#include "same.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "num.h"

#define MISUSE 129
#define LINES 34	/* of differences; with what stands around them a person reads 40 */

enum { EVENTS = 1, STEPS = 2, VERDICTS = 4, COUNTS = 8, ALL = 15 };

void same_say(struct same_pair *p, const char *fmt, ...)
{
	va_list ap;

	if (p->silent || p->differences++ >= LINES)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* ---- who told, and on what ---- */

static const char *fact(const struct same_recording *r, const char *key)
{
	return kt_facts_get(r->session.facts, key) ?: "";
}

static bool is_foreign(const struct same_recording *r)
{
	return *fact(r, "input.format");
}

static bool has_hooks(const struct same_recording *r)
{
	const char *how = fact(r, "capture.probe.flush");

	return !strcmp(how, "raw_tp") || !strcmp(how, "tracepoint");
}

static unsigned int release_of(const struct same_recording *r)
{
	unsigned int major = 0, minor = 0;

	if (sscanf(fact(r, "host.release"), "%u.%u", &major, &minor) < 1)
		return 0;
	return SAME_RELEASE(major, minor);
}

static void classify(struct same_pair *p)
{
	const struct same_recording *a = &p->rec[0], *b = &p->rec[1];
	bool lr = !strcmp(fact(a, "capture.detail"), "lr") &&
		  !strcmp(fact(b, "capture.detail"), "lr");

	if (is_foreign(a) != is_foreign(b))
		p->pairs |= SAME_FOREIGN;
	else if (!is_foreign(a) && strcmp(fact(a, "capture.source"), fact(b, "capture.source")))
		p->pairs |= SAME_FTRACE;
	if (has_hooks(a) != has_hooks(b))
		p->pairs |= SAME_HOOKS;
	p->detail = lr ? SAME_LR : SAME_LINE;
	p->release = release_of(a) ?: release_of(b);
}

/* ---- which vCPU is which ---- */

static bool is_same_vcpu(const struct same_vcpu *a, const struct same_vcpu *b)
{
	if (a->nth != b->nth)
		return false;
	if (a->kvm_vcpu && b->kvm_vcpu)
		return a->kvm_vcpu == b->kvm_vcpu;
	return a->tid == b->tid && a->vcpu_id == b->vcpu_id;
}

static void match_vcpus(struct same_pair *p)
{
	for (uint32_t i = 0; i < p->rec[0].nr_vcpus; i++) {
		for (uint32_t k = 0; k < p->rec[1].nr_vcpus; k++) {
			struct same_vcpu *a = &p->rec[0].vcpu[i], *b = &p->rec[1].vcpu[k];

			if (b->has_mate || !is_same_vcpu(a, b))
				continue;
			a->has_mate = b->has_mate = true;
			a->mate = k;
			b->mate = i;
			break;
		}
	}
}

/* ---- steps of lanes ---- */

/* Steps lane by lane; vCPUs are called as the first recording does. */
struct lanes {
	struct same_step *step;
	size_t n;
};

struct lane {
	const struct same_step *step;
	size_t n;
};

static int by_lane(const struct same_step *a, const struct same_step *b)
{
	if (a->vcpu != b->vcpu)
		return a->vcpu < b->vcpu ? -1 : 1;
	if (a->timer != b->timer)
		return a->timer < b->timer ? -1 : 1;
	return (int)a->lane - (int)b->lane;
}

static int by_lane_and_place(const void *pa, const void *pb)
{
	const struct same_step *a = pa, *b = pb;
	int order = by_lane(a, b);

	return order ? order : a->place < b->place ? -1 : a->place > b->place;
}

/* A change of certainty alone is no step. */
static size_t steps_only(struct same_step *step, size_t n)
{
	struct same_step before = { .lane = UINT8_MAX };
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct same_step s = step[i];
		bool known = !by_lane(&s, &before) && before.certainty && s.certainty;

		if (!known || s.value != before.value)
			step[kept++] = s;
		before = s;
	}
	return kept;
}

static struct lanes lanes_of(const struct same_pair *p, const struct same_answers *a, bool second)
{
	struct lanes l = { .step = calloc(a->nr_steps + 1, sizeof(*l.step)) };

	if (!l.step)
		abort();
	for (size_t i = 0; i < a->nr_steps; i++) {
		const struct same_vcpu *v = &p->rec[second].vcpu[a->step[i].vcpu];

		if (!(p->lanes >> a->step[i].lane & 1) || !v->has_mate)
			continue;
		l.step[l.n] = a->step[i];
		l.step[l.n].place = i;
		if (second)
			l.step[l.n].vcpu = v->mate;
		l.n++;
	}
	qsort(l.step, l.n, sizeof(*l.step), by_lane_and_place);
	l.n = steps_only(l.step, l.n);
	return l;
}

static struct lane lane_of(const struct lanes *l, const struct same_step *like)
{
	struct lane found = { 0 };

	for (size_t i = 0; i < l->n; i++) {
		if (by_lane(&l->step[i], like))
			continue;
		if (!found.n++)
			found.step = &l->step[i];
	}
	return found;
}

static bool same_step(const struct same_step *a, const struct same_step *b)
{
	return a->certainty == b->certainty && (!a->certainty || a->value == b->value);
}

/* Where they part; SIZE_MAX = nowhere. */
static size_t lanes_part(struct lane a, struct lane b)
{
	size_t i = 0;

	while (i < a.n && i < b.n && same_step(&a.step[i], &b.step[i]))
		i++;
	return i < a.n || i < b.n ? i : SIZE_MAX;
}

static const char *step_text(struct lane l, size_t i, char *buf, size_t size)
{
	static const char *const how[] = { "unknown", "inferred", "certain" };

	if (i >= l.n)
		snprintf(buf, size, "no step more");
	else
		snprintf(buf, size, "%u %s", l.step[i].value, how[l.step[i].certainty]);
	return buf;
}

static void say_lane(struct same_pair *p, const struct same_step *at, struct lane a, struct lane b)
{
	size_t i = lanes_part(a, b);
	char was[64], is[64];

	same_say(p, "%s: %s %s: step %zu of %zu and %zu: - %s, + %s", p->rec[0].vcpu[at->vcpu].name,
		 kt_timer_name(at->timer), kt_lane_name(at->lane), i + 1, a.n, b.n,
		 step_text(a, i, was, sizeof(was)), step_text(b, i, is, sizeof(is)));
}

static struct lane since_run(struct lane l)
{
	while (l.n && (!l.step->certainty || l.step->value != KT_VCPU_GUEST)) {
		l.step++;
		l.n--;
	}
	return l;
}

static bool row_allows(const struct same_row *row, struct lane a, struct lane b)
{
	return row && (!row->until_run || lanes_part(since_run(a), since_run(b)) == SIZE_MAX);
}

/* Of this timer's lane, or of that lane of any. */
static const struct same_row *row_of_lane(const struct same_pair *p, const struct same_step *at)
{
	const struct same_row *row;
	char name[32];

	snprintf(name, sizeof(name), "%s %s", kt_timer_name(at->timer), kt_lane_name(at->lane));
	row = same_row_find(p, SAME_STEPS, 0, name);
	return row ? row : same_row_find(p, SAME_STEPS, 0, kt_lane_name(at->lane));
}

static void compare_lane(struct same_pair *p, const struct same_step *at, struct lane a,
			 struct lane b, struct lane again)
{
	const struct same_row *row = row_of_lane(p, at);

	if (lanes_part(a, b) == SIZE_MAX) {
		p->steps += a.n;
	} else if (row_allows(row, a, again)) {
		same_use(p, row, 0);
	} else if (lanes_part(a, again) == SIZE_MAX) {
		p->steps += a.n;
		p->explained++;
	} else {
		say_lane(p, at, a, again);
	}
}

static void compare_steps(struct same_pair *p, const struct same_answers *again)
{
	struct lanes a = lanes_of(p, &p->rec[0].answers, false);
	struct lanes b = lanes_of(p, &p->rec[1].answers, true), c = lanes_of(p, again, true);

	for (size_t i = 0; i < a.n; i++)
		if (!i || by_lane(&a.step[i - 1], &a.step[i]))
			compare_lane(p, &a.step[i], lane_of(&a, &a.step[i]), lane_of(&b, &a.step[i]),
				     lane_of(&c, &a.step[i]));
	/* Lanes that only the second has. */
	for (size_t i = 0; i < b.n; i++)
		if ((!i || by_lane(&b.step[i - 1], &b.step[i])) && !lane_of(&a, &b.step[i]).n)
			compare_lane(p, &b.step[i], lane_of(&a, &b.step[i]), lane_of(&b, &b.step[i]),
				     lane_of(&c, &b.step[i]));
	free(a.step);
	free(b.step);
	free(c.step);
}

/* ---- verdicts ---- */

static bool untested(enum kt_verdict v)
{
	return v == KT_VERDICT_NOT_APPLICABLE || v == KT_VERDICT_INCONCLUSIVE;
}

/* A rule that only one could test may differ, one that both tested must not. */
static void compare_verdicts(struct same_pair *p, const struct same_answers *again)
{
	for (size_t i = 0; i < kt_rule_nr(); i++) {
		enum kt_verdict a = p->rec[0].answers.verdict[i], b = p->rec[1].answers.verdict[i];
		const struct same_row *row = same_row_find(p, SAME_VERDICT, 0, kt_rule(i)->id);

		/* What neither put to the test is not counted as compared. */
		p->verdicts += !untested(a) || !untested(b);
		if (a == b)
			continue;
		if (row && (untested(a) || untested(b)))
			same_use(p, row, 0);
		else if (a == again->verdict[i])
			p->explained++;
		else
			same_say(p, "%s %s: - %s, + %s", kt_rule(i)->id, kt_rule(i)->name,
				 kt_verdict_name(a), kt_verdict_name(b));
	}
}

/* ---- counts ---- */

static void compare_count(struct same_pair *p, const char *who, const char *what, uint64_t a,
			  uint64_t b, uint64_t again)
{
	p->counts += a || b;
	if (a == b)
		return;
	if (a == again)
		p->explained++;
	else
		same_say(p, "%s: %s: - %" PRIu64 ", + %" PRIu64, who, what, a, b);
}

static void count_vcpu(struct same_pair *p, const char *who, const struct kt_vcpu_info *a,
		       const struct kt_vcpu_info *b, const struct kt_vcpu_info *again)
{
	char what[32];

	compare_count(p, who, "entries", a->entries, b->entries, again->entries);
	compare_count(p, who, "exits", a->exits, b->exits, again->exits);
	for (unsigned int t = 0; t < KT_TIMER_NR; t++) {
		snprintf(what, sizeof(what), "%s rose", kt_timer_name(t));
		compare_count(p, who, what, a->rises[t], b->rises[t], again->rises[t]);
	}
}

static void count_vm(struct same_pair *p, const struct kt_vm_info *a, const struct kt_vm_info *b,
		     const struct kt_vm_info *again)
{
	char who[32];

	snprintf(who, sizeof(who), "VM %u", a->number);
	for (unsigned int c = 0; c < KT_CAUSE_NR; c++)
		compare_count(p, who, kt_exit_cause_name(c), a->exits[c], b->exits[c], again->exits[c]);
}

static void compare_counts(struct same_pair *p, const struct same_answers *again)
{
	const struct same_answers *a = &p->rec[0].answers, *b = &p->rec[1].answers;
	uint32_t last = 0;

	for (uint32_t i = 0; i < p->rec[0].nr_model_vcpus; i++) {
		const struct same_vcpu *v = &p->rec[0].vcpu[i];

		if (!v->has_mate)
			continue;
		count_vcpu(p, v->name, &a->vcpu[i], &b->vcpu[v->mate], &again->vcpu[v->mate]);
		/* VMs are those of their vCPUs, which stand together. */
		if (a->vcpu[i].vm == last || !a->vcpu[i].vm || !b->vcpu[v->mate].vm)
			continue;
		last = a->vcpu[i].vm;
		count_vm(p, &a->vm[last - 1], &b->vm[b->vcpu[v->mate].vm - 1],
			 &again->vm[again->vcpu[v->mate].vm - 1]);
	}
}

/* ---- all ---- */

static void compare_losses(struct same_pair *p)
{
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t lost = kt_model_totals(p->rec[i].session.model)->lost;

		if (lost)
			same_say(p, "%s lost %" PRIu64 " events: of what is missing nothing can be said",
				 p->rec[i].path, lost);
	}
}

static void compare(struct same_pair *p, unsigned int what)
{
	struct same_answers again = { 0 };
	uint32_t kinds = p->kinds;

	compare_losses(p);
	/* The rest needs to know which event is which, whether or not these are asked for. */
	if (!(what & EVENTS)) {
		p->silent = true;
		p->kinds = ~0u;
	}
	same_compare_events(p);
	p->silent = false;
	p->kinds = kinds;
	if (what & EVENTS && p->events < p->least)
		same_say(p, "%" PRIu64 " events in common are too few: %" PRIu64 " were asked for",
			 p->events, p->least);
	if (same_retell(&p->rec[1], &again))
		abort();
	if (what & STEPS)
		compare_steps(p, &again);
	if (what & VERDICTS)
		compare_verdicts(p, &again);
	if (what & COUNTS)
		compare_counts(p, &again);
	if ((what & STEPS && !p->steps) || (what & VERDICTS && !p->verdicts) ||
	    (what & COUNTS && !p->counts))
		same_say(p, "there is nothing to compare");
	same_answers_free(&again);
}

static void print_figures(const struct same_pair *p, unsigned int what)
{
	const char *comma = "";

	if (p->differences > LINES)
		printf("... and %" PRIu64 " more\n", p->differences - LINES);
	printf("%s: ", p->differences ? "different" : "the same");
	if (what & EVENTS)
		printf("%" PRIu64 " events", p->events), comma = ", ";
	if (what & STEPS)
		printf("%s%" PRIu64 " steps", comma, p->steps), comma = ", ";
	if (what & VERDICTS)
		printf("%s%" PRIu64 " verdicts", comma, p->verdicts), comma = ", ";
	if (what & COUNTS)
		printf("%s%" PRIu64 " counts", comma, p->counts);
	putchar('\n');
}

static void print_used(const struct same_pair *p)
{
	same_print_used(p);
	if (p->explained)
		printf("  %" PRIu64 " lanes, verdicts or counts that differ by these orders and times alone\n",
		       p->explained);
}

/* ---- options ---- */

static int misuse(const char *what, const char *word)
{
	fprintf(stderr, "same: %s%s%s\n", what, word ? ": " : "", word ? word : "");
	fprintf(stderr, "usage: same [--events] [--steps] [--verdicts] [--counts] [--kind KIND]...\n"
			"            [--lane LANE]... [--least N] A B\n"
			"       same --list\n");
	return MISUSE;
}

static bool add_kind(const char *word, uint32_t *kinds)
{
	for (unsigned int kind = 1; kind < KT_EV_NR; kind++)
		if (!strcmp(kt_kind_name(kind), word)) {
			*kinds |= 1u << kind;
			return true;
		}
	return false;
}

static bool add_lane(const char *word, uint32_t *lanes)
{
	for (unsigned int lane = 0; lane < KT_LANE_ALL; lane++)
		if (!strcmp(kt_lane_name(lane), word)) {
			*lanes |= 1u << lane;
			return true;
		}
	return false;
}

static const struct option long_options[] = {
	{ "events", no_argument, NULL, EVENTS },   { "steps", no_argument, NULL, STEPS },
	{ "verdicts", no_argument, NULL, VERDICTS }, { "counts", no_argument, NULL, COUNTS },
	{ "kind", required_argument, NULL, 'k' },  { "lane", required_argument, NULL, 'l' },
	{ "least", required_argument, NULL, 'n' }, { "list", no_argument, NULL, 'L' },
	{ 0 },
};

/* -1: go on; else the status to leave with. */
static int read_options(int argc, char **argv, struct same_pair *p, unsigned int *what)
{
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c == 'L') {
			same_list();
			return 0;
		} else if (c == 'k') {
			if (!add_kind(optarg, &p->kinds))
				return misuse("no such kind of event", optarg);
		} else if (c == 'l') {
			if (!add_lane(optarg, &p->lanes))
				return misuse("no such lane", optarg);
		} else if (c == 'n') {
			if (kt_parse_u64(optarg, &p->least) || !p->least)
				return misuse("not a number of events", optarg);
		} else if (c == '?') {
			return misuse("what is this", argv[optind - 1]);
		} else {
			*what |= c;
		}
	}
	if (argc - optind != 2)
		return misuse("two recordings are compared", NULL);
	*what = *what ? *what : ALL;
	p->least = p->least ? p->least : 1;
	p->kinds = p->kinds ? p->kinds : ~0u;
	p->lanes = p->lanes ? p->lanes : ~0u;
	return -1;
}

static void say_error(void *arg, enum kt_log_level level, const char *text)
{
	(void)arg;
	if (level == KT_LOG_ERR)
		fprintf(stderr, "same: %s\n", text);
}

int main(int argc, char **argv)
{
	static struct same_pair p;
	unsigned int what = 0;
	int status = read_options(argc, argv, &p, &what);

	if (status >= 0)
		return status;
	kt_log_set_sink(say_error, NULL);
	if (same_take(argv[optind], &p.rec[0]) || same_take(argv[optind + 1], &p.rec[1]))
		return 1;
	classify(&p);
	match_vcpus(&p);
	compare(&p, what);
	print_figures(&p, what);
	print_used(&p);
	same_recording_free(&p.rec[0]);
	same_recording_free(&p.rec[1]);
	return p.differences != 0;
}
