/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * timeline: the lanes of each timer as waveforms in the terminal.
 *
 * Without a window it looks through the recording once and shows the first
 * place where a line rises; a short recording is shown whole.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "anonymise.h"
#include "cmd.h"
#include "escape.h"
#include "event.h"
#include "json.h"
#include "keep.h"
#include "log.h"
#include "num.h"
#include "session.h"
#include "text.h"
#include "timeline.h"
#include "wave.h"

#define WHOLE_EVENTS 400	/* a recording this short is shown whole */
#define BEFORE 24		/* else this many events before the first rise ... */
#define AFTER 130		/* ... and after it */
#define FEW_STEPS 60		/* listed in words without being asked */

enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
static const char *const color_names[] = { "auto", "always", "never", NULL };

struct around {
	uint8_t kind;		/* 0: none; KT_EV_NR: a rise of the line */
	uint64_t n;
};

static struct {
	const char *input;
	uint64_t vm, vcpus, from_ns, to_ns, span_ns, width;
	uint8_t timers;
	struct around around;
	int color;
	bool ascii, json, anonymise, strict, steps, has_from;
} opt;

static int parse_around(void *to, const char *value)
{
	const char *colon = strchr(value, ':');
	size_t len = colon ? (size_t)(colon - value) : strlen(value);
	struct around *a = to;
	uint64_t n = 1;

	if (colon && (kt_parse_u64(colon + 1, &n) || !n))
		return -EINVAL;
	a->n = n;
	if (len == 4 && !memcmp(value, "rise", 4)) {
		a->kind = KT_EV_NR;
		return 0;
	}
	for (unsigned int k = 1; k < KT_EV_NR; k++) {
		if (strlen(kt_kind_name(k)) == len && !memcmp(value, kt_kind_name(k), len)) {
			a->kind = k;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_timers(void *to, const char *value)
{
	return kt_parse_timers(value, to);
}

static int parse_from(void *to, const char *value)
{
	opt.has_from = true;
	return kt_parse_duration(value, to);
}

static const struct kt_option options[] = {
	{ KT_OPT_STRING, 'i', "input", "FILE", &opt.input, .help = "recording, text or trace.dat; - is standard input (" KT_DEFAULT_FILE ")" },
	{ KT_OPT_GROUP, .help = "What to show" },
	{ KT_OPT_UINT, 0, "vm", "N", &opt.vm, 1, UINT32_MAX, .help = "only this VM, by its number in the report" },
	{ KT_OPT_MASK, 0, "vcpu", "LIST", &opt.vcpus, .help = "only these vcpu_ids: 0-3,7" },
	{ KT_OPT_CALL, 0, "timer", "a list of v, p, hv, hp", &opt.timers, .parse = parse_timers, .help = "only these timers: v,p,hv,hp" },
	{ KT_OPT_CALL, 0, "from", "a duration with a unit, such as 10ms", &opt.from_ns, .parse = parse_from, .help = "start, counted from the recording's first event" },
	{ KT_OPT_DURATION, 0, "to", "TIME", &opt.to_ns, .min = 1, .help = "end, counted the same way" },
	{ KT_OPT_CALL, 0, "around", "an event kind or \"rise\", with :N for the N-th", &opt.around, .parse = parse_around, .help = "centre on the N-th such event: rise:3, exit:10" },
	{ KT_OPT_DURATION, 0, "span", "TIME", &opt.span_ns, .min = 1, .help = "width of the window of --around (1ms)" },
	{ KT_OPT_GROUP, .help = "How to show it" },
	{ KT_OPT_UINT, 0, "width", "N", &opt.width, 40, 1000, .help = "columns (the terminal's, or 100)" },
	{ KT_OPT_FLAG, 0, "ascii", .to = &opt.ascii, .help = "no character outside ASCII" },
	{ KT_OPT_CHOICE, 0, "color", "WHEN", &opt.color, .choices = color_names, .help = "colours (auto: on a terminal, unless NO_COLOR is set)" },
	{ KT_OPT_FLAG, 0, "steps", .to = &opt.steps, .help = "list every step in words too" },
	{ KT_OPT_FLAG, 0, "anonymise", .to = &opt.anonymise, .help = "made-up names and pids" },
	{ KT_OPT_FLAG, 'j', "json", .to = &opt.json, .help = "the steps as JSON" },
	{ KT_OPT_FLAG, 0, "strict", .to = &opt.strict, .help = "status 3 when data was lost or the file is cut" },
	KT_OPT_END
};

/* ---- finding the window ---- */

struct scout {
	const struct kt_model *model;
	uint64_t first_ns, last_ns, events;
	uint64_t recent[BEFORE];
	uint64_t rise_ns, from_ns, to_ns, found_ns;
	uint64_t after, seen;
	uint8_t *low;		/* per vCPU, a bit per timer: its line was last seen low */
	size_t max_low;
	bool rose, out_of_memory;
};

static void scout_time(struct scout *s, uint64_t ts_ns)
{
	if (!s->events++)
		s->first_ns = ts_ns;
	s->last_ns = ts_ns;
	if (s->rose && s->after < AFTER && ++s->after == AFTER)
		s->to_ns = ts_ns;
	s->recent[s->events % BEFORE] = ts_ns;
}

/* Of what the person asked to see; --vm has been looked after by the model. */
static bool scout_wants(const struct scout *s, uint32_t vcpu, unsigned int timer)
{
	struct kt_vcpu_info v;

	if (opt.timers && timer < KT_TIMER_NR && !(opt.timers >> timer & 1))
		return false;
	if (!opt.vcpus)
		return true;
	if (vcpu == UINT32_MAX)
		return false;
	kt_model_vcpu(s->model, vcpu, &v);
	return v.vcpu_id < 64 && opt.vcpus >> v.vcpu_id & 1;
}

static void scout_found(struct scout *s, uint64_t ts_ns)
{
	if (++s->seen == opt.around.n)
		s->found_ns = ts_ns;
}

static void scout_event(void *arg, const struct kt_event *ev, uint32_t vcpu)
{
	struct scout *s = arg;

	/* A loss is no event of the host: its time is when somebody last looked. */
	if (ev->kind == KT_EV_GAP)
		return;
	scout_time(s, ev->ts_ns);
	if (ev->kind == opt.around.kind && scout_wants(s, vcpu, KT_SUB_TIMER(ev->sub)))
		scout_found(s, ev->ts_ns);
}

static uint8_t *low_of(struct scout *s, uint32_t vcpu)
{
	if (vcpu >= s->max_low) {
		size_t max = 2 * (size_t)vcpu + 16;
		uint8_t *bigger = realloc(s->low, max);

		if (!bigger) {
			s->out_of_memory = true;
			return NULL;
		}
		memset(bigger + s->max_low, 0, max - s->max_low);
		s->low = bigger;
		s->max_low = max;
	}
	return &s->low[vcpu];
}

static void scout_change(void *arg, const struct kt_change *c)
{
	struct scout *s = arg;
	uint8_t *low, bit = 1u << c->timer;

	if (c->lane != KT_LANE_LINE)
		return;
	low = low_of(s, c->vcpu);
	if (!low)
		return;
	if (c->certainty == KT_CERTAIN && c->value && *low & bit && scout_wants(s, c->vcpu, c->timer)) {
		if (!s->rose) {
			s->rose = true;
			s->rise_ns = c->hi_ns;
			s->from_ns = s->recent[(s->events + 1) % BEFORE];
		}
		if (opt.around.kind == KT_EV_NR)
			scout_found(s, c->hi_ns);
	}
	/* The fall of a direct timer is only ever inferred: it counts as one all the same. */
	if (c->certainty != KT_UNKNOWN && !c->value)
		*low |= bit;
	else
		*low &= ~bit;
}

static void scout_ready(void *arg, struct kt_model *model)
{
	struct scout *s = arg;

	s->model = model;
}

static uint64_t add_up_to(uint64_t a, uint64_t b, uint64_t most)
{
	return b < most - a ? a + b : most;
}

static int scout_read(const char *path, struct scout *s)
{
	struct kt_model_sink sink = { .arg = s, .change = scout_change, .event = scout_event };
	struct kt_session_opts so = { .path = path, .sink = &sink, .only_vm = opt.vm,
				      .ready = scout_ready, .arg = s };
	struct kt_session session;
	int err = kt_session_read(&so, &session);

	free(s->low);
	s->low = NULL;
	if (err)
		return err;
	err = s->out_of_memory ? kt_err(-ENOMEM, "out of memory") : kt_session_check_vm(&session, opt.vm);
	kt_session_free(&session);
	return err;
}

static int choose_window(const char *path, struct scout *s)
{
	int err = scout_read(path, s);

	if (err)
		return err;
	if (opt.around.kind && s->seen < opt.around.n)
		return kt_err(-ENOENT, "the recording has only %" PRIu64 " such events: choose a "
			      "smaller number after --around", s->seen);
	if (opt.around.kind) {
		/* Before its first event and after its last one the recording knows nothing. */
		s->from_ns = s->found_ns - s->first_ns > opt.span_ns / 2 ?
			     s->found_ns - opt.span_ns / 2 : s->first_ns;
		s->to_ns = add_up_to(s->found_ns, opt.span_ns / 2, s->last_ns);
	} else if (s->events <= WHOLE_EVENTS || !s->rose) {
		s->from_ns = s->first_ns;
		s->to_ns = s->last_ns;
	} else if (!s->to_ns) {
		s->to_ns = s->last_ns;
	}
	if (opt.from_ns > s->last_ns - s->first_ns)
		return kt_err(-ENOENT, "the recording is only %s long: choose a smaller --from",
			      kt_text_ns(s->last_ns - s->first_ns));
	if (opt.has_from || opt.to_ns) {
		s->from_ns = s->first_ns + opt.from_ns;
		s->to_ns = opt.to_ns ? add_up_to(s->first_ns, opt.to_ns, s->last_ns) : s->last_ns;
	}
	if (s->to_ns <= s->from_ns) {
		if (s->from_ns > UINT64_MAX - 1000)
			s->from_ns = UINT64_MAX - 1000;
		s->to_ns = s->from_ns + 1000;
	}
	return 0;
}

/* ---- output ---- */

static bool use_color(void)
{
	const char *no = getenv("NO_COLOR");

	if (opt.color != COLOR_AUTO)
		return opt.color == COLOR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no && *no);
}

static unsigned int terminal_width(void)
{
	struct winsize ws;

	if (opt.width)
		return opt.width;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_col >= 40)
		return ws.ws_col;
	return 100;
}

static int print_json(const struct kt_timeline *t, const struct kt_session *s, const struct scout *w)
{
	json_object *o = kt_json_new("timeline"), *rows = json_object_new_array();
	struct kt_timeline_status ts;

	kt_timeline_status(t, &ts);
	for (size_t i = 0; i < kt_timeline_nr_rows(t); i++) {
		const struct kt_row *row = kt_timeline_row(t, i);
		json_object *r = json_object_new_object(), *steps = json_object_new_array();
		const struct kt_change *c;
		struct kt_vcpu_info v;
		size_t n;

		kt_model_vcpu(s->model, row->vcpu, &v);
		kt_json_u64(r, "vm", v.vm);
		kt_json_id(r, "vcpu_id", v.vcpu_id);
		kt_json_text(r, "timer", kt_timer_name(row->timer));
		kt_json_text(r, "lane", kt_lane_name(row->lane));
		c = kt_timeline_changes(t, i, &n);
		for (size_t k = 0; k < n; k++) {
			json_object *step = json_object_new_object();

			kt_json_u64(step, "lo_ns", c[k].lo_ns);
			kt_json_u64(step, "hi_ns", c[k].hi_ns);
			if (c[k].certainty)
				kt_json_text(step, "value", kt_lane_value_name(c[k].lane, c[k].value));
			kt_json_text(step, "certainty", kt_certainty_name(c[k].certainty));
			kt_json_text(step, "cause", kt_kind_name(c[k].cause));
			json_object_array_add(steps, step);
		}
		json_object_object_add(r, "steps", steps);
		json_object_array_add(rows, r);
	}
	json_object_object_add(o, "facts", kt_json_facts(s->facts));
	kt_json_u64(o, "from_ns", w->from_ns);
	kt_json_u64(o, "to_ns", w->to_ns);
	kt_json_u64(o, "lost_in_window", ts.lost_in_window);
	json_object_object_add(o, "cut_short", json_object_new_boolean(ts.cut_short));
	json_object_object_add(o, "cut", json_object_new_boolean(s->status.cut));
	json_object_object_add(o, "rows", rows);
	return kt_json_print(o);
}

static void print_text(const struct kt_timeline *t, const struct kt_session *s,
		       const struct scout *w)
{
	struct kt_wave_opts wo = { .from_ns = w->from_ns, .to_ns = w->to_ns, .zero_ns = w->from_ns,
				   .width = terminal_width(), .ascii = opt.ascii,
				   .color = use_color(), .idle = opt.timers != 0 };
	struct kt_timeline_status ts;

	kt_timeline_status(t, &ts);
	printf("window: +%s to +%s of %s (host monotonic %" PRIu64 ".%09" PRIu64 " s)\n",
	       kt_text_ns(w->from_ns - w->first_ns), kt_text_ns(w->to_ns - w->first_ns),
	       kt_text_ns(w->last_ns - w->first_ns), w->from_ns / 1000000000, w->from_ns % 1000000000);
	if (ts.lost_in_window)
		printf("%s events were lost in this window: lanes are unknown from there\n",
		       kt_text_count(ts.lost_in_window));
	if (ts.cut_short)
		printf("the window has more steps or events than are kept: choose a smaller one\n");
	if (s->status.cut)
		printf("the recording is cut: this is what could be read\n");
	if (!kt_timeline_nr_rows(t)) {
		printf("nothing happened in this window on the chosen vCPUs\n");
		return;
	}
	kt_wave_print(t, s->model, &wo);
	if (opt.steps || kt_wave_count_steps(t, w->from_ns, w->to_ns) <= FEW_STEPS)
		kt_wave_steps(t, s->model, w->from_ns, w->from_ns, w->to_ns);
}

static void bind(void *arg, struct kt_model *model)
{
	kt_timeline_bind(arg, model);
}

static int show(const char *path, const struct scout *w)
{
	struct kt_timeline_opts to = { .from_ns = w->from_ns, .to_ns = w->to_ns, .vm = opt.vm,
				       .vcpu_mask = opt.vcpus, .timer_mask = opt.timers };
	struct kt_session_opts so = { .path = path, .ready = bind };
	struct kt_timeline *t;
	struct kt_session s;
	int status = KT_EXIT_OK;

	if (kt_timeline_new(&to, &t))
		return KT_EXIT_FAILED;
	so.arg = t;
	so.sink = kt_timeline_sink(t);
	if (kt_session_read(&so, &s)) {
		kt_timeline_free(t);
		return KT_EXIT_FAILED;
	}
	if (opt.json)
		status = print_json(t, &s, w) ? KT_EXIT_FAILED : KT_EXIT_OK;
	else
		print_text(t, &s, w);
	if (opt.strict && !status && !kt_session_clean(&s))
		status = KT_EXIT_INCONCLUSIVE;
	kt_session_free(&s);
	kt_timeline_free(t);
	return status;
}

/* What cannot be meant is said rather than half done. */
static int check_options(void)
{
	const char *what = NULL;

	if (opt.around.kind && (opt.has_from || opt.to_ns))
		what = "--around chooses the window: leave out --from and --to, or --around";
	else if (opt.span_ns && !opt.around.kind)
		what = "--span needs --around";
	else if (opt.to_ns && opt.to_ns <= opt.from_ns)
		what = "--to must be later than --from";
	if (what)
		fprintf(stderr, "%s\n", what);
	return what ? -EINVAL : 0;
}

static int run(int nr_args, char **args)
{
	const char *path = kt_input_path(opt.input, nr_args, args);
	struct kt_kept kept;
	struct scout window = { 0 };
	int status;

	if (!path || check_options())
		return KT_EXIT_MISUSE;
	if (!opt.span_ns)
		opt.span_ns = 1000000;
	kt_anonymise(opt.anonymise);
	kt_safe_ascii(opt.ascii);
	if (kt_keep(path, &kept))
		return KT_EXIT_FAILED;
	status = choose_window(kept.path, &window) ? KT_EXIT_FAILED : show(kept.path, &window);
	kt_keep_end(&kept);
	return status;
}

const struct kt_cmd kt_cmd_timeline = {
	.name = "timeline",
	.summary = "wire, line, list register, physical state: as waveforms over time",
	.usage = "[options] [FILE]",
	.options = options,
	.run = run,
};
