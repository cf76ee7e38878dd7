/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine: events to rules, rules to verdicts. */
#include "rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "event.h"
#include "rules_private.h"
#include "store.h"

/* Rules that look at a kind, in table order, and when; filled once from the rows. */
#define MAX_PER_KIND 32

struct call {
	void (*step)(struct at *a);
	uint32_t after;
	uint32_t rule;
};

struct dispatch {
	uint8_t nr[KT_EV_NR];
	struct call call[KT_EV_NR][MAX_PER_KIND];
};

struct kt_rules_all {
	struct kt_rules r;
	struct dispatch dispatch;
};

const char *kt_verdict_name(enum kt_verdict v)
{
	static const char *const names[] = {
		"not applicable", "inconclusive", "holds", "legal-spurious", "late", "violated"
	};

	return v < KT_VERDICT_NR ? names[v] : "?";
}

size_t kt_rule_nr(void)
{
	return kt_nr_rule_rows;
}

const struct kt_rule *kt_rule(size_t i)
{
	return &kt_rule_rows[i].rule;
}

size_t kt_rule_find(const char *name)
{
	for (size_t i = 0; i < kt_nr_rule_rows; i++)
		if (!strcasecmp(name, kt_rule_rows[i].rule.id) ||
		    !strcasecmp(name, kt_rule_rows[i].rule.name))
			return i;
	return SIZE_MAX;
}

/* ---- making one ---- */

static bool has_context(unsigned int kind)
{
	return kind == KT_EV_UPDATE_IRQ || kind == KT_EV_VGIC_UPDATE || kind == KT_EV_MAP;
}

/* A row without room would be a rule that cannot fail: -ENOSPC. */
static int fill_dispatch(struct dispatch *d)
{
	for (size_t i = 0; i < kt_nr_rule_rows; i++) {
		const struct rule_row *row = &kt_rule_rows[i];

		for (unsigned int kind = 1; kind < KT_EV_NR; kind++) {
			bool run = kind == KT_EV_ENTRY || kind == KT_EV_EXIT;
			uint32_t when = run ? row->after : has_context(kind) ? row->context : 0;

			if (!(row->kinds >> kind & 1))
				continue;
			if (d->nr[kind] == MAX_PER_KIND)
				return -ENOSPC;
			d->call[kind][d->nr[kind]++] = (struct call){
				row->step, when ? when : UINT32_MAX, i };
		}
	}
	return 0;
}

static bool fact_is(const struct kt_facts *f, const char *key, const char *value)
{
	const char *is = kt_facts_get(f, key);

	return is && !strcmp(is, value);
}

void kt_rules_facts(struct kt_rules *r)
{
	const struct kt_facts *f = r->opts.facts;
	const char *ns = kt_facts_get(f, "capture.attached_ns"), *whole = kt_facts_get(f, "file.whole_from_ns");

	if (r->totals.events) {
		r->totals.told_late = !r->foreign && kt_facts_get(f, "input.format");
		return;
	}
	r->level_cache = fact_is(f, "kvm.level_cache", "yes");
	r->no_level_cache = fact_is(f, "kvm.level_cache", "no");
	r->resamples = fact_is(f, "kvm.resample_on_deactivation", "yes");
	r->no_resamples = fact_is(f, "kvm.resample_on_deactivation", "no");
	/* Not one sample is an answer too, where the function was watched. */
	r->wires_seen = fact_is(f, "capture.probe.wire", "fentry") || fact_is(f, "capture.probe.wire", "kretprobe");
	/* A probe that was attached is named by the one word for how. */
	for (unsigned int kind = 1; kind < KT_EV_NR; kind++) {
		char key[64];
		const char *how;

		snprintf(key, sizeof(key), "capture.probe.%s", kind == KT_EV_RESET ? "vcpu_reset" : kt_kind_name(kind));
		how = kt_facts_get(f, key);
		if (how && !strchr(how, ' '))
			r->captured |= 1u << kind;
		r->partial |= how != NULL;
	}
	r->maps_seen |= r->captured >> KT_EV_MAP & 1;
	r->foreign = kt_facts_get(f, "input.format") != NULL;
	r->partial |= r->foreign;
	r->attached_ns = ns ? strtoull(ns, NULL, 10) : 0;
	r->goes_on = whole != NULL;
	/* The file goes on where a full one was closed: some of what is older is there. */
	if (whole && strtoull(whole, NULL, 10) > r->attached_ns)
		r->attached_ns = strtoull(whole, NULL, 10);
}

int kt_rules_new(const struct kt_rules_opts *opts, struct kt_rules **out)
{
	struct kt_rules_all *all = calloc(1, sizeof(*all));
	int err;

	if (!all)
		return -ENOMEM;
	all->r.opts = *opts;
	all->r.tally = calloc(kt_nr_rule_rows, sizeof(*all->r.tally));
	all->r.exercised = calloc(kt_nr_rule_rows, sizeof(*all->r.exercised));
	err = all->r.tally && all->r.exercised ? fill_dispatch(&all->dispatch) : -ENOMEM;
	if (err) {
		kt_rules_free(&all->r);
		return err;
	}
	kt_rules_facts(&all->r);
	*out = &all->r;
	return 0;
}

void kt_rules_free(struct kt_rules *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; i < r->nr_vcpus; i++)
		free(r->vcpu[i].more);
	free(r->tally);
	free(r->exercised);
	free(r->vcpu);
	kt_gaps_fini(&r->gaps);
	free(r);
}

/* ---- vCPUs ---- */

static int grow(struct kt_rules *r, uint32_t want)
{
	/* By an eighth, as the model: memory per vCPU is what counts at 10,000. */
	uint32_t nr = want + (want >> 3) + 4;
	struct rule_vcpu *bigger = realloc(r->vcpu, nr * sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	memset(bigger + r->nr_vcpus, 0, (nr - r->nr_vcpus) * sizeof(*bigger));
	for (uint32_t i = r->nr_vcpus; i < nr; i++)
		(r->goes_on ? kt_rules_interrupt : kt_rules_forget)(&bigger[i]);
	r->vcpu = bigger;
	r->nr_vcpus = nr;
	return 0;
}

static inline uint32_t index_of(struct kt_rules *r, uint16_t pcpu, uint32_t who)
{
	unsigned int slot = pcpu % (sizeof(r->cache) / sizeof(r->cache[0]));
	uint32_t i;

	if (r->cache[slot].who == who)
		return r->cache[slot].index;
	i = kt_model_vcpu_of(r->opts.model, who);
	if (i == UINT32_MAX || (i >= r->nr_vcpus && grow(r, i + 1)))
		return UINT32_MAX;
	r->cache[slot].who = who;
	r->cache[slot].index = i;
	return i;
}

int kt_rules_idents(struct kt_rules *r, const struct kt_ident *id, size_t n)
{
	for (; n; n--, id++) {
		uint32_t i;

		if (!id->who || id->who & KT_WHO_TID)
			continue;
		i = kt_model_vcpu_of(r->opts.model, id->who);
		if (i == UINT32_MAX || (i >= r->nr_vcpus && grow(r, i + 1)))
			return -ENOMEM;
		r->vcpu[i].id = *id;
	}
	return 0;
}

/* ---- judging ---- */

void kt_broke_late(struct at *a, uint64_t from_ns, const char *seen, uint64_t late_ns)
{
	struct rule_tally *t = &a->r->tally[a->rule];
	struct kt_violation v = {
		.rule = a->rule, .vcpu = a->vcpu, .timer = a->timer, .seen = seen,
		.from_ns = from_ns && from_ns < a->ev->ts_ns ? from_ns : a->ev->ts_ns,
		.at_ns = a->ev->ts_ns, .late_ns = late_ns,
	};

	if (a->r->partial && kt_rule_rows[a->rule].rests & ~a->r->captured) {
		t->doubted++;
		return;
	}
	held(a);
	if (t->violated < KT_VIOLATIONS_KEPT) {
		t->first[t->violated] = v;
		t->place[t->violated] = place_of(a->v);
	}
	t->violated++;
	if (a->r->opts.violation)
		a->r->opts.violation(a->r->opts.arg, &v);
}

void kt_broke(struct at *a, uint64_t from_ns, const char *seen)
{
	kt_broke_late(a, from_ns, seen, 0);
}

/* ---- gaps ---- */

/* Judges nothing of a vCPU until then, and knows nothing of it afterwards. */
static void void_vcpu(struct kt_rules *r, struct rule_vcpu *v, uint64_t until_ns)
{
	uint64_t end_ns = v->void_until_ns > until_ns ? v->void_until_ns : until_ns;

	for (unsigned int k = 0; k < nr_timers(v); k++) {
		const struct rule_timer *t = timer_of(v, k);

		r->voided += t->owe_rise + t->owe_fall + t->soft_owed + t->flushed;
	}
	kt_rules_forget(v);
	v->void_until_ns = end_ns;
}

/* May the gap, told late, be why this was found? */
static bool is_in_gap(const struct rule_tally *t, size_t i, const struct kt_event *gap)
{
	return t->first[i].at_ns >= gap->ts_ns && kt_gap_touches(gap->pcpu, t->place[i]);
}

/* Takes back what was found since a gap began that is told only now; of what is not kept, all or nothing. */
static void void_verdicts(struct rule_tally *t, const struct kt_event *gap)
{
	size_t kept = t->violated < KT_VIOLATIONS_KEPT ? t->violated : KT_VIOLATIONS_KEPT, left = 0;

	for (size_t i = 0; i < kept; i++) {
		if (is_in_gap(t, i, gap))
			continue;
		t->first[left] = t->first[i];
		t->place[left++] = t->place[i];
	}
	if (left == kept)
		return;
	t->in_gaps += left ? kept - left : t->violated;
	t->violated = left;
}

static void close_stream(struct kt_rules *r, uint32_t stream)
{
	if (stream == KT_STREAM_SIDE)
		memset(r->loaded_on, 0, sizeof(r->loaded_on));
	else
		r->loaded_on[stream % MAX_CPUS] = 0;
}

static int feed_gap(struct kt_rules *r, const struct kt_event *ev)
{
	r->totals.lost += ev->gap.lost;
	if (kt_gaps_open(&r->gaps, ev->pcpu, ev->gap.until_ns))
		return -ENOMEM;
	for (size_t i = 0; i < kt_nr_rule_rows; i++)
		void_verdicts(&r->tally[i], ev);
	close_stream(r, ev->pcpu);
	for (uint32_t i = 0; r->vcpu && i < r->nr_vcpus; i++)
		if (!r->vcpu[i].gone && kt_gap_touches(ev->pcpu, place_of(&r->vcpu[i])))
			void_vcpu(r, &r->vcpu[i], ev->gap.until_ns);
	return 0;
}

/*
 * Is this event inside a gap that may have taken others of its vCPU?  At the first
 * one behind it the vCPU is forgotten once more: a CPU that lost events may tell of
 * it until the end.
 */
static bool in_gap(struct kt_rules *r, struct rule_vcpu *v, uint64_t ts_ns)
{
	uint64_t until_ns;

	if (v->void_until_ns && ts_ns <= v->void_until_ns)
		return true;
	if (v->void_until_ns)
		kt_rules_interrupt(v);
	until_ns = kt_gaps_at(&r->gaps, ts_ns) ? kt_gaps_until_ns(&r->gaps, ts_ns, place_of(v)) : 0;
	if (until_ns)
		void_vcpu(r, v, until_ns);
	return until_ns;
}

/* The last gap has ended: which vCPU its CPU has loaded is not known. */
static void close_gaps(struct kt_rules *r)
{
	for (size_t i = 0; i < r->gaps.n; i++)
		close_stream(r, r->gaps.span[i].stream);
	kt_gaps_close(&r->gaps);
}

static inline uint32_t asked(const struct rule_vcpu *v, const struct kt_event *ev)
{
	if (ev->kind != KT_EV_ENTRY && ev->kind != KT_EV_EXIT)
		return KT_SUB_AT(ev->sub) ? IN_INTERRUPT : IN_TASK;
	return v->seen | 1u << ev->kind | (v->lr_busy ? WAITS_LR : 0) | (v->soft_waits ? WAITS_SOFT : 0) |
	       (v->storm || v->eager || v->owe_wfx ? WAITS_ROW : 0) |
	       (v->pcpu != ev->pcpu ? WAITS_CPU : 0);
}

/*
 * Where the counter's physical offset is the hardware's (CNTPOFF, 2b4825a86940) the world
 * switch works out the map twice in each run, to move the physical timer's compare value:
 * neither a load nor a put.
 */
static inline bool is_world_switch(const struct at *a)
{
	const struct kt_map *m = &a->ev->map;
	const int8_t *was = a->v->map;

	if (a->ev->kind != KT_EV_MAP || a->v->in_guest != 1 || context(a->ev) != KT_AT_TASK)
		return false;
	/* Other timers than those that are loaded: nothing that a world switch does. */
	return was[0] == -2 || (was[0] == m->direct_vtimer && was[1] == m->direct_ptimer &&
				was[2] == m->emul_vtimer && was[3] == m->emul_ptimer);
}

static inline void take(struct kt_rules_all *all, struct at *a)
{
	const struct kt_event *ev = a->ev;
	const struct call *call = all->dispatch.call[ev->kind], *end = call + all->dispatch.nr[ev->kind];
	struct rule_vcpu *v = a->v;
	uint8_t timer = a->timer;

	all->r.captured |= 1u << ev->kind;
	if (is_world_switch(a))
		return;
	a->asked = asked(v, ev);
	for (; call < end; call++) {
		if (!(call->after & a->asked))
			continue;
		a->rule = call->rule;
		call->step(a);
		a->timer = timer;
	}
	kt_rules_advance(a);
	v->seen = ev->kind == KT_EV_ENTRY ? 0 : ev->kind == KT_EV_EXIT ? v->seen : v->seen | 1u << ev->kind;
	if (ev->kind == KT_EV_ENTRY || ev->kind == KT_EV_RESTORE)
		v->pcpu = ev->pcpu;
}

/* Events that are a timer's: steps about them look at it. */
#define TIMER_KINDS (1u << KT_EV_UPDATE_IRQ | 1u << KT_EV_VGIC_UPDATE | 1u << KT_EV_WIRE |         \
		     1u << KT_EV_SAVE | 1u << KT_EV_RESTORE | 1u << KT_EV_OFFSET | 1u << KT_EV_LR |    \
		     1u << KT_EV_IRQCHIP | 1u << KT_EV_HRTIMER_EXPIRE | 1u << KT_EV_EMULATE)

static int nest(struct rule_vcpu *v)
{
	v->more = calloc(2, sizeof(*v->more));
	if (!v->more)
		return -ENOMEM;
	for (unsigned int i = KT_HVTIMER; i < KT_TIMER_NR; i++)
		kt_rules_unknown(timer_of(v, i));
	return 0;
}

int kt_rules_feed(struct kt_rules *r, const struct kt_event *ev, size_t n)
{
	struct at a = { .r = r };
	bool early, gap, loaded;

	r->totals.events += n;
	for (; n; n--, ev++) {
		a.timer = KT_SUB_TIMER(ev->sub);
		a.ev = ev;
		if (kt_gaps_over(&r->gaps, ev->ts_ns))
			close_gaps(r);
		if (ev->kind == KT_EV_GAP) {
			if (feed_gap(r, ev))
				return -ENOMEM;
			continue;
		}
		if (ev->kind == KT_EV_CALL)
			r->captured |= 1u << KT_EV_CALL;
		/*
		 * Where there are calls only, the thread is the vCPU: KVM runs each in one.
		 * Elsewhere a thread without a vCPU is one whose vCPU was not found out.
		 */
		if (!ev->who || ev->who == KT_WHO_NONE ||
		    (ev->who & KT_WHO_TID && !(r->captured >> KT_EV_CALL & 1))) {
			r->totals.nobody++;
			continue;
		}
		a.vcpu = index_of(r, ev->pcpu, ev->who);
		if (a.vcpu == UINT32_MAX || !r->vcpu)
			return -ENOMEM;
		a.v = &r->vcpu[a.vcpu];
		if ((a.timer == KT_HVTIMER || a.timer == KT_HPTIMER) && !a.v->more && nest(a.v))
			return -ENOMEM;
		a.t = a.timer < KT_TIMER_NR ? timer_of(a.v, a.timer) : NULL;
		/* Not a timer that KVM has: a file may say anything. */
		if (!a.t && TIMER_KINDS >> ev->kind & 1) {
			r->totals.nobody++;
			continue;
		}
		/* Probes went on one by one: before, half of what happened is missing. */
		early = ev->ts_ns < r->attached_ns;
		gap = (r->gaps.n || a.v->void_until_ns) && in_gap(r, a.v, ev->ts_ns);
		r->totals.early += early;
		r->totals.in_gaps += gap;
		loaded = a.v->loaded;
		if (!early && !gap)
			take((struct kt_rules_all *)r, &a);
		/* Put while a gap is open: what it does next may be lost. */
		if (r->gaps.n && loaded && !a.v->loaded)
			(void)in_gap(r, a.v, ev->ts_ns);
		if ((early || gap) && ev->kind == KT_EV_OFFSET)
			kt_rules_advance(&a);	/* told once, and true until the next */
	}
	return 0;
}

/* ---- asking ---- */

const struct kt_rules_totals *kt_rules_totals(const struct kt_rules *r)
{
	return &r->totals;
}

size_t kt_rules_violations(const struct kt_rules *r, size_t rule, const struct kt_violation **out)
{
	const struct rule_tally *t = &r->tally[rule];

	*out = t->first;
	return t->violated < KT_VIOLATIONS_KEPT ? t->violated : KT_VIOLATIONS_KEPT;
}

/* Why a rule that was never put to the test was not. */
static void unexercised(const struct kt_rules *r, const struct kt_rule *rule,
			struct kt_rule_result *out)
{
	out->verdict = KT_VERDICT_INCONCLUSIVE;
	if (rule->needs & KT_NEEDS_LR && !r->lrs_seen)
		out->why = "needs list registers: record --detail lr";
	else if (rule->needs & KT_NEEDS_KVM && !r->level_cache && !r->no_level_cache &&
		 !r->resamples && !r->no_resamples)
		out->why = "needs to know the kernel's KVM: the recording has no kvm.* facts";
	else if (rule->needs & KT_NEEDS_CLOCK && !kt_facts_get(r->opts.facts, "clock.counter_hz"))
		out->why = "needs the counter's frequency and clock pairs";
	else if (r->totals.lost)
		out->why = "events were lost, and nothing else put it to the test";
	else
		out->verdict = KT_VERDICT_NOT_APPLICABLE;
	if (out->verdict == KT_VERDICT_NOT_APPLICABLE)
		out->why = "never exercised";
}

void kt_rules_result(const struct kt_rules *r, size_t i, struct kt_rule_result *out)
{
	const struct rule_tally *t = &r->tally[i];

	*out = (struct kt_rule_result){ .exercised = r->exercised[i], .violated = t->violated,
		.late = t->late, .legal = t->legal, .voided = r->voided };
	if (t->violated) {
		out->verdict = KT_VERDICT_VIOLATED;
	} else if (t->doubted) {
		out->verdict = KT_VERDICT_INCONCLUSIVE;
		out->why = "events that it rests on were not recorded: doctor names them";
	} else if (t->in_gaps) {
		out->verdict = KT_VERDICT_INCONCLUSIVE;
		out->why = "what looked broken may be what was lost";
	} else if (!out->exercised)
		unexercised(r, kt_rule(i), out);
	else if (t->late)
		out->verdict = KT_VERDICT_LATE;
	else if (t->legal)
		out->verdict = KT_VERDICT_LEGAL_SPURIOUS;
	else
		out->verdict = KT_VERDICT_HOLDS;
}
