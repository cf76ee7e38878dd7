/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One violation from near: the events of its vCPU in the smallest window that
 * shows it, with the time between them, and the lanes around.  The times add
 * up to the window: where the delay went is read off.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "event.h"
#include "text.h"
#include "timeline.h"
#include "wave.h"

#define MAX_LINES 24		/* more are left out in the middle */
#define MARGIN_EVENTS 4		/* lines before and after the window */

struct near {
	const struct kt_violation *v;
	struct kt_timeline *timeline;
	const struct kt_model_sink *lanes;
	struct kt_event *event;
	size_t n, max, after;
	bool oom;
};

static void keep(struct near *w, const struct kt_event *ev)
{
	if (w->n == w->max) {
		size_t max = w->max ? 2 * w->max : 256;
		struct kt_event *bigger = realloc(w->event, max * sizeof(*bigger));

		if (!bigger) {
			w->oom = true;
			return;
		}
		w->event = bigger;
		w->max = max;
	}
	w->event[w->n++] = *ev;
}

static void on_event(void *arg, const struct kt_event *ev, uint32_t vcpu)
{
	struct near *w = arg;

	w->lanes->event(w->lanes->arg, ev, vcpu);
	if (vcpu != w->v->vcpu || w->after >= MARGIN_EVENTS)
		return;
	/* Before the window only the newest few are kept. */
	if (ev->ts_ns < w->v->from_ns && w->n == MARGIN_EVENTS) {
		memmove(w->event, w->event + 1, (w->n - 1) * sizeof(*ev));
		w->n--;
	}
	keep(w, ev);
	w->after += ev->ts_ns > w->v->at_ns;
}

static void on_change(void *arg, const struct kt_change *c)
{
	struct near *w = arg;

	w->lanes->change(w->lanes->arg, c);
}

static void print_event(const struct kt_event *ev, const struct kt_event *before,
			const struct kt_violation *v)
{
	char text[256], *words;
	bool inside = ev->ts_ns >= v->from_ns && ev->ts_ns <= v->at_ns;

	/* The line of dump without its time and vCPU: "NS cpuN WHO KIND …". */
	kt_event_format(ev, text, sizeof(text));
	words = strchr(text, ' ') + 1;
	words[strcspn(words, " ")] = '\0';
	printf("   %c %10s  %-6s%.100s\n", ev->ts_ns == v->at_ns ? '>' : inside ? '|' : ' ',
	       before ? kt_text_ns(ev->ts_ns - before->ts_ns) : "", words,
	       strchr(words + strlen(words) + 1, ' ') + 1);
}

static void print_events(const struct near *w)
{
	printf("\n     since the event before\n");
	for (size_t i = 0; i < w->n; i++) {
		if (w->n > MAX_LINES && i == MAX_LINES / 2) {
			size_t skip = w->n - MAX_LINES;

			printf("   |        ...  %s events\n", kt_text_count(skip));
			i += skip;
		}
		print_event(&w->event[i], i ? &w->event[i - 1] : NULL, w->v);
	}
}

static void bind(void *arg, struct kt_model *model)
{
	kt_timeline_bind(((struct near *)arg)->timeline, model);
}

/* The window and a third of it on either side, so that the point is inside the picture. */
static void choose_span(const struct kt_violation *v, struct kt_timeline_opts *to,
			struct kt_wave_opts *wo)
{
	uint64_t span_ns = v->at_ns - v->from_ns, margin_ns = span_ns / 3 + 20000;

	to->from_ns = v->from_ns > margin_ns ? v->from_ns - margin_ns : 0;
	to->to_ns = v->at_ns + margin_ns;
	wo->from_ns = to->from_ns;
	wo->to_ns = to->to_ns;
	wo->zero_ns = to->from_ns;
	wo->mark_ns = v->at_ns;
}

void kt_check_window(const struct kt_check *c, const struct kt_violation *v)
{
	struct kt_timeline_opts to = { .one_vcpu = true, .vcpu = v->vcpu };
	struct kt_wave_opts wo = { .width = c->width, .ascii = c->ascii };
	struct near w = { .v = v };
	struct kt_model_sink sink = { .arg = &w, .change = on_change, .event = on_event };
	struct kt_session_opts so = { .path = c->path, .sink = &sink, .ready = bind, .arg = &w };
	struct kt_session s;

	choose_span(v, &to, &wo);
	if (v->timer < KT_TIMER_NR)
		to.timer_mask = 1u << v->timer;
	if (kt_timeline_new(&to, &w.timeline))
		return;
	w.lanes = kt_timeline_sink(w.timeline);
	if (!kt_session_read(&so, &s)) {
		print_events(&w);
		kt_wave_print(w.timeline, s.model, &wo);
		kt_session_free(&s);
	}
	free(w.event);
	kt_timeline_free(w.timeline);
}
