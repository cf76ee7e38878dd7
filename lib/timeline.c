/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "keymap.h"

#define DEFAULT_MAX_STEPS (4u << 20)
#define MAX_EVENTS (1u << 20)

struct row {
	struct kt_row id;
	struct kt_change *change;	/* [0] may be the state before the window */
	size_t n, max;
	bool has_before;
};

struct kept_event {
	struct kt_event ev;
	uint32_t vcpu;
};

struct kt_timeline {
	struct kt_timeline_opts opts;
	struct kt_model_sink sink;
	const struct kt_model *model;
	struct row *row;
	size_t nr_rows, max_rows, steps;
	struct kt_keymap row_index;	/* by vCPU, and timer and lane: until sorted */
	struct kept_event *event;
	size_t nr_events, max_events;
	struct kt_timeline_status status;
	bool sorted;
};

static void on_change(void *arg, const struct kt_change *c);
static void on_event(void *arg, const struct kt_event *ev, uint32_t vcpu);

int kt_timeline_new(const struct kt_timeline_opts *opts, struct kt_timeline **out)
{
	struct kt_timeline *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->opts = *opts;
	if (!t->opts.to_ns)
		t->opts.to_ns = UINT64_MAX;
	if (!t->opts.max_steps)
		t->opts.max_steps = DEFAULT_MAX_STEPS;
	t->sink = (struct kt_model_sink){ .arg = t, .change = on_change, .event = on_event };
	*out = t;
	return 0;
}

void kt_timeline_free(struct kt_timeline *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->nr_rows; i++)
		free(t->row[i].change);
	free(t->row);
	kt_keymap_free(&t->row_index);
	free(t->event);
	free(t);
}

const struct kt_model_sink *kt_timeline_sink(struct kt_timeline *t)
{
	return &t->sink;
}

void kt_timeline_bind(struct kt_timeline *t, const struct kt_model *m)
{
	t->model = m;
}

/* ---- taking ---- */

static bool vcpu_wanted(const struct kt_timeline *t, uint32_t vcpu)
{
	struct kt_vcpu_info info;

	if (t->opts.one_vcpu && vcpu != t->opts.vcpu)
		return false;
	if ((!t->opts.vm && !t->opts.vcpu_mask) || !t->model)
		return true;
	kt_model_vcpu(t->model, vcpu, &info);
	if (t->opts.vm && info.vm != t->opts.vm)
		return false;
	return !t->opts.vcpu_mask ||
	       (info.vcpu_id < 64 && t->opts.vcpu_mask >> info.vcpu_id & 1);
}

static bool timer_wanted(const struct kt_timeline *t, unsigned int timer)
{
	return timer >= KT_TIMER_NR || !t->opts.timer_mask || t->opts.timer_mask >> timer & 1;
}

static struct row *find_row(struct kt_timeline *t, const struct kt_change *c)
{
	uint32_t i = kt_keymap_get(&t->row_index, c->vcpu, c->timer << 8 | c->lane);
	struct row *r;

	if (i != UINT32_MAX)
		return &t->row[i];
	if (t->nr_rows == t->max_rows) {
		size_t max = t->max_rows ? 2 * t->max_rows : 32;

		r = realloc(t->row, max * sizeof(*r));
		if (!r)
			return NULL;
		t->row = r;
		t->max_rows = max;
	}
	if (kt_keymap_add(&t->row_index, c->vcpu, c->timer << 8 | c->lane, t->nr_rows))
		return NULL;
	r = &t->row[t->nr_rows++];
	*r = (struct row){ .id = { .vcpu = c->vcpu, .timer = c->timer, .lane = c->lane } };
	return r;
}

static void add_change(struct kt_timeline *t, struct row *r, const struct kt_change *c)
{
	if (r->n == r->max) {
		size_t max = r->max ? 2 * r->max : 4;
		struct kt_change *bigger = realloc(r->change, max * sizeof(*bigger));

		if (!bigger) {
			t->status.cut_short = 1;
			return;
		}
		r->change = bigger;
		r->max = max;
	}
	r->change[r->n++] = *c;
	t->steps++;
}

static void on_change(void *arg, const struct kt_change *c)
{
	struct kt_timeline *t = arg;
	struct row *r;

	if (c->lo_ns > t->opts.to_ns || !timer_wanted(t, c->timer) || !vcpu_wanted(t, c->vcpu))
		return;
	if (t->steps >= t->opts.max_steps) {
		t->status.cut_short = 1;
		return;
	}
	r = find_row(t, c);
	if (!r) {
		t->status.cut_short = 1;
		return;
	}
	/* Before the window only the newest state counts. */
	if (c->hi_ns < t->opts.from_ns && r->n == 1 && r->has_before) {
		r->change[0] = *c;
		return;
	}
	if (c->hi_ns < t->opts.from_ns)
		r->has_before = true;
	add_change(t, r, c);
}

static void on_event(void *arg, const struct kt_event *ev, uint32_t vcpu)
{
	struct kt_timeline *t = arg;

	if (ev->ts_ns < t->opts.from_ns || ev->ts_ns > t->opts.to_ns)
		return;
	if (ev->kind == KT_EV_GAP)
		t->status.lost_in_window += ev->gap.lost;
	else if (vcpu != UINT32_MAX && !vcpu_wanted(t, vcpu))
		return;
	if (!t->status.first_ns || ev->ts_ns < t->status.first_ns)
		t->status.first_ns = ev->ts_ns;
	if (ev->ts_ns > t->status.last_ns)
		t->status.last_ns = ev->ts_ns;
	if (t->nr_events == t->max_events) {
		size_t max = t->max_events ? 2 * t->max_events : 256;
		struct kept_event *bigger = NULL;

		if (max <= MAX_EVENTS)
			bigger = realloc(t->event, max * sizeof(*bigger));
		if (!bigger) {
			t->status.cut_short = 1;
			return;
		}
		t->event = bigger;
		t->max_events = max;
	}
	t->event[t->nr_events++] = (struct kept_event){ *ev, vcpu };
}

/* ---- asking ---- */

static int by_place(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;

	if (a->id.vcpu != b->id.vcpu)
		return a->id.vcpu < b->id.vcpu ? -1 : 1;
	/* The vCPU's own lanes first; the vtimer, which guests use, before the others. */
	if (a->id.timer != b->id.timer) {
		static const uint8_t rank[8] = { [KT_TIMER_NONE] = 0, [KT_VTIMER] = 1,
						 [KT_PTIMER] = 2, [KT_HVTIMER] = 3,
						 [KT_HPTIMER] = 4 };

		return rank[a->id.timer & 7] < rank[b->id.timer & 7] ? -1 : 1;
	}
	return (int)a->id.lane - (int)b->id.lane;
}

static void sort_rows(const struct kt_timeline *ct)
{
	struct kt_timeline *t = (struct kt_timeline *)ct;

	if (t->sorted || !t->nr_rows)
		return;
	qsort(t->row, t->nr_rows, sizeof(*t->row), by_place);
	for (size_t i = 0; i < t->nr_rows; i++)
		t->row[i].id.nr_changes = t->row[i].n;
	t->sorted = true;
}

size_t kt_timeline_nr_rows(const struct kt_timeline *t)
{
	sort_rows(t);
	return t->nr_rows;
}

const struct kt_row *kt_timeline_row(const struct kt_timeline *t, size_t i)
{
	sort_rows(t);
	return &t->row[i].id;
}

const struct kt_change *kt_timeline_changes(const struct kt_timeline *t, size_t row, size_t *n)
{
	sort_rows(t);
	*n = t->row[row].n;
	return t->row[row].change;
}

/* First change whose hi_ns is at or after when. */
static size_t first_from(const struct row *r, uint64_t when_ns)
{
	size_t lo = 0, hi = r->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (r->change[mid].hi_ns < when_ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static uint8_t edge_of(uint8_t from, uint8_t to)
{
	return to > from ? KT_EDGE_RISING : KT_EDGE_FALLING;
}

void kt_timeline_sample(const struct kt_timeline *t, size_t row, uint64_t from_ns, uint64_t to_ns,
			struct kt_sample *out)
{
	const struct row *r = &t->row[row];
	size_t i = first_from(r, from_ns);
	uint8_t value = 0, certainty = KT_UNKNOWN;

	*out = (struct kt_sample){ 0 };
	if (i) {
		value = r->change[i - 1].value;
		certainty = r->change[i - 1].certainty;
	}
	out->certainty = certainty;
	if (certainty)
		out->values |= 1u << value;
	for (; i < r->n && r->change[i].hi_ns < to_ns; i++) {
		const struct kt_change *c = &r->change[i];

		if (c->certainty && certainty && c->value != value)
			out->steps++;
		if (c->lo_ns < c->hi_ns && certainty && c->value != value)
			out->edge = edge_of(value, c->value);
		value = c->value;
		certainty = c->certainty;
		if (certainty)
			out->values |= 1u << value;
		if (i == 0 || certainty < out->certainty || out->certainty == KT_UNKNOWN)
			out->certainty = certainty;
	}
	/* An edge that ends later may already have happened in this column. */
	if (i < r->n && r->change[i].lo_ns < to_ns && r->change[i].lo_ns < r->change[i].hi_ns &&
	    r->change[i].certainty && r->change[i].value != value && certainty)
		out->edge = edge_of(value, r->change[i].value);
	out->value = value;
}

size_t kt_timeline_nr_events(const struct kt_timeline *t)
{
	return t->nr_events;
}

const struct kt_event *kt_timeline_event(const struct kt_timeline *t, size_t i, uint32_t *vcpu)
{
	*vcpu = t->event[i].vcpu;
	return &t->event[i].ev;
}

void kt_timeline_status(const struct kt_timeline *t, struct kt_timeline_status *out)
{
	*out = t->status;
}
