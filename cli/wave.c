/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wave.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anonymise.h"
#include "event.h"
#include "text.h"

#define LABEL 13

/* What a column can show; one table per alphabet. */
enum glyph { HIGH, HIGH_INFERRED, LOW, LOW_INFERRED, UNKNOWN, RISING, FALLING, MANY, NR_GLYPHS };

static const char *const unicode[NR_GLYPHS] = { "█", "▒", "▁", "·", " ", "╱", "╲", "╳" };
static const char *const ascii[NR_GLYPHS] = { "#", "+", "_", ".", "?", "/", "\\", "X" };

/* vCPU states and list register values have a letter each; lower case = inferred. */
static const char state_letters[] = " =-uzp x";	/* KT_VCPU_UNKNOWN, GUEST, HOST, USER, ... */
static const char *const state_unicode[] = { " ", "█", "─", "u", "z", "p", "x" };
static const char *const state_ascii[] = { " ", "=", "-", "u", "z", "p", "x" };
static const char lr_letters[2][5] = { "_pab", "_PAB" };

const char *kt_lane_value_name(unsigned int lane, unsigned int value)
{
	static const char *const lr[] = { "empty", "pending", "active", "pending+active" };

	switch (lane) {
	case KT_LANE_LR:
		return lr[value & 3];
	case KT_LANE_VCPU:
		return kt_vcpu_state_name(value);
	case KT_LANE_PSTATE_I:
		return value ? "masked" : "open";
	case KT_LANE_PHYS:
		return value ? "active" : "inactive";
	}
	return value ? "high" : "low";
}

const char *kt_certainty_name(unsigned int certainty)
{
	static const char *const names[] = { "unknown", "inferred", "certain" };

	return certainty < 3 ? names[certainty] : "?";
}

/* ---- one column ---- */

static const char *level_glyph(const char *const *set, const struct kt_sample *s)
{
	bool certain = s->certainty == KT_CERTAIN;

	if (s->steps > 1)
		return set[MANY];
	if (s->edge)
		return set[s->edge == KT_EDGE_RISING ? RISING : FALLING];
	/* A pulse within one column still shows: high wins. */
	if (s->value || s->values & 2)
		return set[certain ? HIGH : HIGH_INFERRED];
	return set[certain ? LOW : LOW_INFERRED];
}

static const char *column_text(const struct kt_wave_opts *o, const struct kt_row *row,
			       const struct kt_sample *s)
{
	const char *const *set = o->ascii ? ascii : unicode;
	static char letter[2];

	if (s->certainty == KT_UNKNOWN && !s->values)
		return set[UNKNOWN];
	if (row->lane == KT_LANE_VCPU) {
		/* What is rare and short matters: guest and host are the background. */
		for (unsigned int v = KT_VCPU_USER; v < KT_VCPU_STATE_NR; v++)
			if (s->values & 1u << v)
				return (o->ascii ? state_ascii : state_unicode)[v];
		return (o->ascii ? state_ascii : state_unicode)[s->value % 7];
	}
	if (row->lane == KT_LANE_LR) {
		unsigned int v = s->values & 2 ? 1 : s->values & 4 ? 2 : s->value & 3;

		if (s->edge && !(s->values & 6))
			v = s->value & 3;
		letter[0] = lr_letters[s->certainty == KT_CERTAIN][v];
		return letter[0] == '_' ? set[s->certainty == KT_CERTAIN ? LOW : LOW_INFERRED] : letter;
	}
	return level_glyph(set, s);
}

static const char *lane_color(unsigned int lane)
{
	switch (lane) {
	case KT_LANE_WIRE: return "\033[33m";
	case KT_LANE_LINE: return "\033[32m";
	case KT_LANE_LR: return "\033[36m";
	case KT_LANE_PHYS: return "\033[35m";
	case KT_LANE_USER: return "\033[34m";
	case KT_LANE_PSTATE_I: return "\033[31m";
	}
	return "\033[2m";
}

static uint64_t column_ns(const struct kt_wave_opts *o, unsigned int columns, unsigned int i)
{
	return o->from_ns + (uint64_t)((unsigned __int128)(o->to_ns - o->from_ns) * i / columns);
}

static void print_row(const struct kt_timeline *t, size_t row, const struct kt_wave_opts *o,
		      unsigned int columns)
{
	const struct kt_row *id = kt_timeline_row(t, row);
	char label[32];

	if (id->timer == KT_TIMER_NONE)
		snprintf(label, sizeof(label), "%s", kt_lane_name(id->lane));
	else
		snprintf(label, sizeof(label), "%s %s", kt_timer_name(id->timer), kt_lane_name(id->lane));
	printf("%-*s", LABEL, label);
	if (o->color)
		fputs(lane_color(id->lane), stdout);
	for (unsigned int i = 0; i < columns; i++) {
		struct kt_sample s;

		kt_timeline_sample(t, row, column_ns(o, columns, i), column_ns(o, columns, i + 1), &s);
		fputs(column_text(o, id, &s), stdout);
	}
	puts(o->color ? "\033[0m" : "");
}

/* ---- axis and marks ---- */

static uint64_t tick_step(uint64_t span_ns, unsigned int columns)
{
	unsigned __int128 least = (unsigned __int128)span_ns * 12 / (columns ? columns : 1), step = 1;

	while (step < least && 2 * step < least && 5 * step < least)
		step *= 10;
	if (step < least)
		step *= 2 * step >= least ? 2 : 5;
	/* Files may claim any time. */
	return step < UINT64_MAX ? step : UINT64_MAX;
}

static void print_axis(const struct kt_wave_opts *o, unsigned int columns)
{
	uint64_t span = o->to_ns - o->from_ns, step = tick_step(span, columns);
	unsigned __int128 first = (o->from_ns - o->zero_ns + (unsigned __int128)step - 1) / step * step;
	char *line = malloc(columns + 40);

	if (!line)
		return;
	memset(line, ' ', columns + 39);
	line[columns + 39] = '\0';
	for (unsigned __int128 rel = first; rel <= o->to_ns - o->zero_ns; rel += step) {
		unsigned int at = (unsigned __int128)(rel + o->zero_ns - o->from_ns) * columns / span;
		char text[32];
		int n = snprintf(text, sizeof(text), "|+%s", rel ? kt_text_ns(rel) : "0");

		if (at + n <= columns)
			memcpy(line + at, text, n);
	}
	line[columns] = '\0';
	printf("%-*s%s\n", LABEL, "time", line);
	free(line);
}

static char mark_of(const struct kt_event *ev)
{
	switch (ev->kind) {
	case KT_EV_USER_EXIT:
		return 'U';
	case KT_EV_MAP:
		return KT_SUB_AT(ev->sub) == KT_AT_HOST_IRQ ? 'I' : 0;
	case KT_EV_HRTIMER_EXPIRE:
	case KT_EV_BG_EXPIRE:
		return 'T';
	case KT_EV_EXIT:
		return 'x';
	case KT_EV_ENTRY:
		return 'e';
	}
	return 0;
}

static int mark_rank(char c)
{
	static const char order[] = " exTIU";
	const char *p = strchr(order, c);

	return p ? p - order : 0;
}

/* The window's events, those of one vCPU together and each in order of time. */
struct marks {
	struct mark {
		uint32_t vcpu, event;
	} *mark;
	size_t n, at;
};

static int by_vcpu(const void *pa, const void *pb)
{
	const struct mark *a = pa, *b = pb;

	if (a->vcpu != b->vcpu)
		return a->vcpu < b->vcpu ? -1 : 1;
	return a->event < b->event ? -1 : 1;
}

/* Without memory there are no marks. */
static void sort_marks(const struct kt_timeline *t, struct marks *m)
{
	m->at = 0;
	m->n = kt_timeline_nr_events(t);
	m->mark = calloc(m->n ? m->n : 1, sizeof(*m->mark));
	if (!m->mark) {
		m->n = 0;
		return;
	}
	for (size_t i = 0; i < m->n; i++) {
		m->mark[i].event = i;
		kt_timeline_event(t, i, &m->mark[i].vcpu);
	}
	qsort(m->mark, m->n, sizeof(*m->mark), by_vcpu);
}

/* vCPUs are asked for in rising order. */
static void print_marks(const struct kt_timeline *t, uint32_t vcpu, struct marks *m,
			const struct kt_wave_opts *o, unsigned int columns)
{
	uint64_t span = o->to_ns - o->from_ns;
	char *line = malloc(columns + 1);

	if (!line)
		return;
	memset(line, ' ', columns);
	line[columns] = '\0';
	while (m->at < m->n && m->mark[m->at].vcpu < vcpu)
		m->at++;
	for (; m->at < m->n && m->mark[m->at].vcpu == vcpu; m->at++) {
		uint32_t of;
		const struct kt_event *ev = kt_timeline_event(t, m->mark[m->at].event, &of);
		unsigned int at;
		char c = mark_of(ev);

		if (!c || ev->ts_ns < o->from_ns || ev->ts_ns >= o->to_ns)
			continue;
		at = (unsigned __int128)(ev->ts_ns - o->from_ns) * columns / span;
		if (mark_rank(c) > mark_rank(line[at]))
			line[at] = c;
	}
	printf("%-*s%s\n", LABEL, "events", line);
	free(line);
}

static void print_vcpu_head(const struct kt_model *m, uint32_t vcpu)
{
	struct kt_vcpu_info v;
	struct kt_vm_info vm = { .number = 0 };

	kt_model_vcpu(m, vcpu, &v);
	if (v.vm)
		kt_model_vm(m, v.vm - 1, &vm);
	printf("\nVM %u %s (pid %s), vCPU %s, thread %u %s\n", v.vm,
	       kt_show_vm(vm.number, vm.name[0] ? vm.name : vm.comm), kt_text_pid(kt_show_pid(vm.tgid)),
	       strchr(kt_text_vcpu(v.vm, v.vcpu_id), '.') + 1, kt_show_pid(v.tid),
	       kt_show_comm(v.vm, v.vcpu_id, v.comm));
}

static void print_legend(const struct kt_wave_opts *o)
{
	const char *const *s = o->ascii ? ascii : unicode;

	(void)state_letters;
	printf("\n%s high  %s inferred high  %s low  %s inferred low  %s%s edge somewhere here  %s several\n",
	       s[HIGH], s[HIGH_INFERRED], s[LOW], s[LOW_INFERRED], s[RISING], s[FALLING], s[MANY]);
	printf("vcpu: %s guest  %s host  u in the VMM  z blocked  p preempted;  masked: the guest's PSTATE.I\n",
	       o->ascii ? "=" : "█", o->ascii ? "-" : "─");
	printf("lr: P pending  A active (lower case: inferred);  events: e entry  x exit  U to the VMM  "
	       "I host timer irq  T soft timer\n");
}

/* A timer that stays low all along is not worth its rows, unless nothing else is there. */
static bool timer_is_idle(const struct kt_timeline *t, size_t first, const struct kt_wave_opts *o)
{
	const struct kt_row *id = kt_timeline_row(t, first);
	struct kt_sample s;

	for (size_t i = first; i < kt_timeline_nr_rows(t); i++) {
		const struct kt_row *row = kt_timeline_row(t, i);

		if (row->vcpu != id->vcpu || row->timer != id->timer)
			break;
		kt_timeline_sample(t, i, o->from_ns, o->to_ns, &s);
		if (s.values & ~1u || s.edge)
			return false;
	}
	return true;
}

static void print_mark(const struct kt_wave_opts *o, unsigned int columns)
{
	unsigned int at = 0;

	if (!o->mark_ns)
		return;
	while (at + 1 < columns && column_ns(o, columns, at + 1) <= o->mark_ns)
		at++;
	printf("%-*s%*s^ here\n", LABEL, "", (int)at, "");
}

void kt_wave_print(const struct kt_timeline *t, const struct kt_model *m,
		   const struct kt_wave_opts *o)
{
	unsigned int columns = o->width > LABEL + 20 ? o->width - LABEL : 20;
	uint32_t vcpu = UINT32_MAX;
	uint8_t timer = KT_TIMER_NONE;
	struct marks marks;
	bool idle = false;

	sort_marks(t, &marks);
	for (size_t i = 0; i < kt_timeline_nr_rows(t); i++) {
		const struct kt_row *row = kt_timeline_row(t, i);

		/* The rows of one timer are neighbours. */
		if (row->vcpu != vcpu || row->timer != timer)
			idle = row->timer != KT_TIMER_NONE && !o->idle && timer_is_idle(t, i, o);
		timer = row->timer;
		if (row->vcpu != vcpu) {
			vcpu = row->vcpu;
			print_vcpu_head(m, vcpu);
			print_axis(o, columns);
			print_marks(t, vcpu, &marks, o, columns);
		}
		if (!idle)
			print_row(t, i, o, columns);
	}
	print_mark(o, columns);
	free(marks.mark);
	print_legend(o);
}

/* ---- in words ---- */

struct listed {
	const struct kt_change *change;
	const struct kt_row *row;
	const char *before;
};

static int by_time(const void *pa, const void *pb)
{
	const struct listed *a = pa, *b = pb;

	if (a->change->hi_ns != b->change->hi_ns)
		return a->change->hi_ns < b->change->hi_ns ? -1 : 1;
	if (a->row->vcpu != b->row->vcpu)
		return a->row->vcpu < b->row->vcpu ? -1 : 1;
	return (int)a->row->lane - (int)b->row->lane;
}

/* A change of certainty alone is no step to tell. */
static size_t collect(const struct kt_timeline *t, uint64_t from_ns, uint64_t to_ns,
		      struct listed *out)
{
	size_t n = 0, changes;

	for (size_t i = 0; i < kt_timeline_nr_rows(t); i++) {
		const struct kt_change *c = kt_timeline_changes(t, i, &changes);

		for (size_t k = 0; k < changes; k++) {
			bool known = k && c[k - 1].certainty;

			if (c[k].hi_ns < from_ns || c[k].hi_ns > to_ns)
				continue;
			if (known && c[k].certainty && c[k - 1].value == c[k].value)
				continue;
			if (out)
				out[n] = (struct listed){ &c[k], kt_timeline_row(t, i),
					known ? kt_lane_value_name(c[k].lane, c[k - 1].value) : "?" };
			n++;
		}
	}
	return n;
}

size_t kt_wave_count_steps(const struct kt_timeline *t, uint64_t from_ns, uint64_t to_ns)
{
	return collect(t, from_ns, to_ns, NULL);
}

static void print_step(const struct kt_model *m, const struct listed *l, uint64_t zero_ns)
{
	const struct kt_change *c = l->change;
	struct kt_vcpu_info v;
	char when[64], what[32];

	kt_model_vcpu(m, l->row->vcpu, &v);
	snprintf(what, sizeof(what), "%s %s", l->row->timer == KT_TIMER_NONE ? "" : kt_timer_name(l->row->timer),
		 kt_lane_name(l->row->lane));
	if (c->lo_ns == c->hi_ns)
		snprintf(when, sizeof(when), "+%.3fus", (c->hi_ns - zero_ns) / 1e3);
	else
		snprintf(when, sizeof(when), "+%.3f..%.3fus", ((double)c->lo_ns - zero_ns) / 1e3,
			 ((double)c->hi_ns - zero_ns) / 1e3);
	printf("%-26s %s %-12s %s -> %s%s by %s\n", when, kt_text_vcpu(v.vm, v.vcpu_id),
	       what[0] == ' ' ? what + 1 : what, l->before,
	       c->certainty ? kt_lane_value_name(c->lane, c->value) : "?",
	       c->certainty == KT_INFERRED ? " (inferred)" : "", kt_kind_name(c->cause));
}

void kt_wave_steps(const struct kt_timeline *t, const struct kt_model *m, uint64_t zero_ns,
		   uint64_t from_ns, uint64_t to_ns)
{
	size_t n = collect(t, from_ns, to_ns, NULL);
	struct listed *l = calloc(n ? n : 1, sizeof(*l));

	if (!l)
		return;
	collect(t, from_ns, to_ns, l);
	qsort(l, n, sizeof(*l), by_time);
	putchar('\n');
	for (size_t i = 0; i < n; i++)
		print_step(m, &l[i], zero_ns);
	free(l);
}
