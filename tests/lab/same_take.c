/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading one recording, and what model and rules make of it. */
#include "same.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more; without memory there is nothing to compare. */
void *same_grow(void *array, size_t n, size_t *max, size_t size)
{
	if (n < *max)
		return array;
	*max = *max ? 2 * *max : 256;
	array = realloc(array, *max * size);
	if (!array) {
		fprintf(stderr, "same: out of memory\n");
		exit(1);
	}
	return array;
}

/* ---- while it is read ---- */

static void on_event(void *arg, const struct kt_event *ev, uint32_t vcpu)
{
	struct same_recording *r = arg;

	if (ev->kind == KT_EV_GAP)
		return;
	r->ev = same_grow(r->ev, r->nr_events, &r->max_events, sizeof(*r->ev));
	r->ev[r->nr_events++] = (struct same_event){ .ev = *ev, .vcpu = vcpu };
}

static void on_change(void *arg, const struct kt_change *c)
{
	struct same_answers *a = arg;

	a->step = same_grow(a->step, a->nr_steps, &a->max_steps, sizeof(*a->step));
	a->step[a->nr_steps++] = (struct same_step){ .vcpu = c->vcpu, .timer = c->timer, .lane = c->lane,
						     .value = c->value, .certainty = c->certainty };
}

static void on_taken_change(void *arg, const struct kt_change *c)
{
	struct same_recording *r = arg;

	on_change(&r->answers, c);
}

static void ready(void *arg, struct kt_model *model)
{
	((struct same_recording *)arg)->model = model;
}

static int start(struct same_recording *r)
{
	struct kt_rules_opts ro = { .model = r->model, .facts = r->session.facts };

	return r->rules ? 0 : kt_rules_new(&ro, &r->rules);
}

static int take_idents(struct same_recording *r, const struct kt_block *b)
{
	int err = start(r);

	for (size_t i = 0; i < b->n; i++) {
		r->ident = same_grow(r->ident, r->nr_idents, &r->max_idents, sizeof(*r->ident));
		r->ident[r->nr_idents++] = b->idents[i];
	}
	return err ? err : kt_rules_idents(r->rules, b->idents, b->n);
}

static int block(void *arg, const struct kt_block *b)
{
	struct same_recording *r = arg;

	if (b->type == KT_BLOCK_IDENT)
		return take_idents(r, b);
	for (size_t i = 0; b->type == KT_BLOCK_CLOCK && i < b->n; i++) {
		r->clock = same_grow(r->clock, r->nr_clocks, &r->max_clocks, sizeof(*r->clock));
		r->clock[r->nr_clocks++] = b->clock[i];
	}
	return 0;
}

static int feed(void *arg, const struct kt_event *ev, size_t n)
{
	struct same_recording *r = arg;
	int err = start(r);

	if (!err && !r->started)
		kt_rules_facts(r->rules);
	r->started = true;
	err = err ?: kt_model_feed(r->model, ev, n);
	return err ?: kt_rules_feed(r->rules, ev, n);
}

/* ---- what is known then ---- */

static struct same_vcpu *add_vcpu(struct same_recording *r, size_t *max)
{
	r->vcpu = same_grow(r->vcpu, r->nr_vcpus, max, sizeof(*r->vcpu));
	r->vcpu[r->nr_vcpus] = (struct same_vcpu){ .vcpu_id = KT_VCPU_ID_UNKNOWN };
	return &r->vcpu[r->nr_vcpus++];
}

/* A thread of which no vCPU is known stands for one. */
static uint32_t vcpu_of_thread(struct same_recording *r, uint32_t who, size_t *max)
{
	struct same_vcpu *v;

	for (uint32_t i = r->nr_model_vcpus; i < r->nr_vcpus; i++)
		if (r->vcpu[i].who == who)
			return i;
	v = add_vcpu(r, max);
	v->who = who;
	v->tid = who & ~KT_WHO_TID;
	snprintf(v->name, sizeof(v->name), "thread %u", v->tid);
	return r->nr_vcpus - 1;
}

/* The newest row that knows it tells the thread; a pointer may come back in another VM. */
static void name_vcpus(struct same_recording *r)
{
	for (size_t i = 0; i < r->nr_idents; i++) {
		struct same_vcpu *v = &r->vcpu[kt_model_vcpu_of(r->session.model, r->ident[i].who)];

		v->who = r->ident[i].who;
		v->kvm_vcpu = r->ident[i].vcpu ?: v->kvm_vcpu;
		v->tid = r->ident[i].tid ?: v->tid;
		v->vcpu_id = r->ident[i].vcpu_id;
	}
	for (uint32_t i = 0; i < r->nr_model_vcpus; i++) {
		struct same_vcpu *v = &r->vcpu[i];

		snprintf(v->name, sizeof(v->name), "vCPU %d, thread %u", (int)v->vcpu_id, v->tid);
		for (uint32_t k = 0; k < i; k++)
			v->nth += r->vcpu[k].kvm_vcpu == v->kvm_vcpu && r->vcpu[k].tid == v->tid &&
				  r->vcpu[k].vcpu_id == v->vcpu_id;
	}
}

static void answer(const struct kt_model *m, const struct kt_rules *rules, uint32_t nr_vcpus,
		   struct same_answers *a)
{
	a->verdict = calloc(kt_rule_nr(), sizeof(*a->verdict));
	a->vcpu = calloc(nr_vcpus + 1, sizeof(*a->vcpu));
	a->nr_vms = kt_model_nr_vms(m);
	a->vm = calloc(a->nr_vms + 1, sizeof(*a->vm));
	if (!a->verdict || !a->vcpu || !a->vm)
		exit(1);
	for (size_t i = 0; rules && i < kt_rule_nr(); i++) {
		struct kt_rule_result res;

		kt_rules_result(rules, i, &res);
		a->verdict[i] = res.verdict;
	}
	for (uint32_t i = 0; i < nr_vcpus; i++)
		kt_model_vcpu(m, i, &a->vcpu[i]);
	for (uint32_t i = 0; i < a->nr_vms; i++)
		kt_model_vm(m, i, &a->vm[i]);
}

int same_take(const char *path, struct same_recording *r)
{
	struct kt_model_sink sink = { .arg = r, .change = on_taken_change, .event = on_event };
	struct kt_session_opts so = { .path = path, .sink = &sink, .ready = ready, .block = block,
				      .feed = feed, .arg = r };
	size_t max = 0;
	int err;

	r->path = path;
	err = kt_session_read(&so, &r->session);
	if (err)
		return err;
	r->nr_model_vcpus = kt_model_nr_vcpus(r->session.model);
	for (uint32_t i = 0; i < r->nr_model_vcpus; i++)
		add_vcpu(r, &max);
	name_vcpus(r);
	for (size_t i = 0; i < r->nr_events; i++)
		if (r->ev[i].vcpu == UINT32_MAX)
			r->ev[i].vcpu = vcpu_of_thread(r, r->ev[i].ev.who, &max);
		else
			r->vcpu[r->ev[i].vcpu].who = r->ev[i].ev.who;
	answer(r->session.model, r->rules, r->nr_model_vcpus, &r->answers);
	return 0;
}

/* ---- told again at other times ---- */

static int by_time(const void *pa, const void *pb)
{
	const struct kt_event *a = pa, *b = pb;

	return a->ts_ns < b->ts_ns ? -1 : a->ts_ns > b->ts_ns;
}

/* Events that have a mate, and those that only this source can tell, in time order. */
static struct kt_event *at_times_of_mates(const struct same_recording *r)
{
	struct kt_event *ev = calloc(r->nr_events + 1, sizeof(*ev));

	if (!ev)
		exit(1);
	for (size_t i = 0; i < r->nr_events; i++) {
		const struct same_event *e = &r->ev[i];

		ev[i] = e->ev;
		if (e->mate) {
			ev[i].ts_ns = e->mate->ev.ts_ns;
			ev[i].pcpu = e->mate->ev.pcpu;
		}
	}
	/* Equal times are of different CPUs, in whatever order. */
	qsort(ev, r->nr_events, sizeof(*ev), by_time);
	return ev;
}

static int feed_again(const struct same_recording *r, struct kt_model *m, struct kt_rules *rules)
{
	struct kt_event *ev = at_times_of_mates(r);
	size_t clock = 0;
	int err = 0;

	for (size_t i = 0; !err && i < r->nr_events; i++) {
		while (clock < r->nr_clocks && r->clock[clock].mono_ns <= ev[i].ts_ns)
			kt_model_clock(m, &r->clock[clock++], 1);
		err = kt_model_feed(m, &ev[i], 1) ?: kt_rules_feed(rules, &ev[i], 1);
	}
	free(ev);
	return err;
}

int same_retell(const struct same_recording *r, struct same_answers *out)
{
	struct kt_model_sink sink = { .arg = out, .change = on_change };
	struct kt_model_opts mo = { .facts = r->session.facts, .sink = &sink };
	struct kt_rules_opts ro = { .facts = r->session.facts };
	struct kt_rules *rules = NULL;
	struct kt_model *m;
	int err = kt_model_new(&mo, &m);

	if (err)
		return err;
	/* vCPUs are numbered as they were. */
	for (uint32_t i = 0; i < r->nr_model_vcpus; i++)
		if (r->vcpu[i].who)
			kt_model_vcpu_of(m, r->vcpu[i].who);
	ro.model = m;
	err = kt_model_idents(m, r->ident, r->nr_idents);
	err = err ?: kt_rules_new(&ro, &rules);
	err = err ?: kt_rules_idents(rules, r->ident, r->nr_idents);
	err = err ?: feed_again(r, m, rules);
	kt_model_finish(m);
	if (!err)
		answer(m, rules, r->nr_model_vcpus, out);
	kt_rules_free(rules);
	kt_model_free(m);
	return err;
}

void same_answers_free(struct same_answers *a)
{
	free(a->step);
	free(a->verdict);
	free(a->vcpu);
	free(a->vm);
}

void same_recording_free(struct same_recording *r)
{
	kt_rules_free(r->rules);
	kt_session_free(&r->session);
	same_answers_free(&r->answers);
	free(r->ev);
	free(r->ident);
	free(r->clock);
	free(r->vcpu);
}
