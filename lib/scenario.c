/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scenario text: lines into steps.  Acting them is scenario_run.c. */
#include "scenario.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "num.h"

#define MAX_STEPS 10000
#define MAX_COUNT 1000
#define MAX_WORDS 12

struct parser {
	struct kt_scenario *s;
	struct kt_scenario_error *err;
	uint32_t line;
	__u8 vcpu;
	char *word[MAX_WORDS];
	unsigned int nr;
};

__attribute__((format(printf, 2, 3)))
static int bad(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	p->err->line = p->line;
	va_start(ap, fmt);
	vsnprintf(p->err->reason, sizeof(p->err->reason), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static const char *const saw_names[] = {
#define X(name) #name,
	KT_SAW_FIELDS(X)
#undef X
};

const char *kt_saw_field(unsigned int field)
{
	return field < sizeof(saw_names) / sizeof(saw_names[0]) ? saw_names[field] : NULL;
}

uint32_t kt_saw_total(const struct kt_machine_out *out, unsigned int field)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < KT_MACHINE_VCPUS; i++) {
		const struct kt_saw *w = &out->saw[i];
		const uint32_t value[] = {
#define X(name) w->name,
			KT_SAW_FIELDS(X)
#undef X
		};

		sum += field < sizeof(value) / sizeof(value[0]) ? value[field] : 0;
	}
	return sum;
}

/* ---- words ---- */

static int number(struct parser *p, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	if (kt_parse_u64(text, out) || *out < min || *out > max)
		return bad(p, "\"%.40s\" is not a number from %u to %u", text, (unsigned int)min,
			   (unsigned int)max);
	return 0;
}

static int semantics_list(struct parser *p, char *list, uint32_t *mask)
{
	char *save = NULL;

	*mask = 0;
	for (char *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		int sem = kt_semantics_parse(w);

		if (!strcmp(w, "all"))
			*mask |= (1u << KT_SEM_NR) - 1;
		else if (sem < 0)
			return bad(p, "there are no semantics \"%.40s\"", w);
		else
			*mask |= 1u << sem;
	}
	return *mask ? 0 : bad(p, "a list of semantics is missing");
}

static int timer_word(const char *w, __u8 *timer)
{
	if (!strcmp(w, "vtimer"))
		*timer = KT_VTIMER;
	else if (!strcmp(w, "ptimer"))
		*timer = KT_PTIMER;
	else
		return -EINVAL;
	return 0;
}

/* ---- lines that are not steps ---- */

static int parse_timers(struct parser *p, const char *list)
{
	unsigned int mask = 0;

	for (const char *c = list; *c; c++) {
		if (*c == 'v')
			mask |= 1u << KT_VTIMER;
		else if (*c == 'p')
			mask |= 1u << KT_PTIMER;
		else if (*c != ',')
			return bad(p, "timers are v, p or v,p, not \"%.40s\"", list);
	}
	p->s->opts.timers = mask;
	return 0;
}

static int parse_machine(struct parser *p)
{
	uint64_t n = 0;
	int err = 0;

	if (p->s->nr_steps)
		return bad(p, "\"machine\" comes before the first step");
	for (unsigned int i = 1; i < p->nr && !err; i++) {
		char *w = p->word[i];

		if (!strncmp(w, "vcpus=", 6)) {
			err = number(p, w + 6, 1, KT_MACHINE_VCPUS, &n);
			p->s->opts.nr_vcpus = n;
		} else if (!strncmp(w, "cpus=", 5)) {
			err = number(p, w + 5, 1, KT_MACHINE_CPUS, &n);
			p->s->opts.nr_cpus = n;
		} else if (!strncmp(w, "timers=", 7)) {
			err = parse_timers(p, w + 7);
		} else if (!strcmp(w, "nvhe")) {
			p->s->opts.nvhe = true;
		} else if (!strcmp(w, "active-when-queued")) {
			p->s->opts.active_when_queued = true;
		} else {
			err = bad(p, "a machine has vcpus=, cpus=, timers=, nvhe, active-when-queued, not \"%.40s\"", w);
		}
	}
	return err;
}

static int parse_handler(struct parser *p)
{
	static const char *const names[] = { "disable", "rearm", "eoi", "manual" };

	for (unsigned int i = 0; p->nr > 1 && i < 4; i++) {
		if (strcmp(p->word[1], names[i]))
			continue;
		p->s->handler = i;
		if (p->nr == 2)
			return 0;
		if (i != KT_HANDLER_REARM || p->nr > 3 ||
		    kt_parse_duration(p->word[2], &p->s->rearm_ns))
			return bad(p, "only rearm takes more, a duration such as 2ms");
		return 0;
	}
	return bad(p, "a handler is disable, rearm, eoi or manual");
}

static void *grow(void *array, size_t n, size_t size)
{
	/* Doubled at each power of two. */
	return n & (n - 1) ? array : realloc(array, (n ? 2 * n : 1) * size);
}

static int add_expect(struct parser *p, uint32_t mask, uint32_t field, uint32_t value)
{
	struct kt_scenario *s = p->s;
	struct kt_expect *grown;

	if (s->nr_expects >= MAX_STEPS)
		return bad(p, "more than %u expectations", MAX_STEPS);
	grown = grow(s->expect, s->nr_expects, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->expect = grown;
	grown[s->nr_expects++] = (struct kt_expect){ p->line, mask, field, value };
	return 0;
}

static int parse_expect(struct parser *p)
{
	uint32_t mask;
	int err;

	if (p->nr < 3)
		return bad(p, "expect SEMANTICS NAME=NUMBER...");
	err = semantics_list(p, p->word[1], &mask);
	for (unsigned int i = 2; i < p->nr && !err; i++) {
		char *eq = strchr(p->word[i], '=');
		unsigned int f = 0;
		uint64_t n;

		if (!eq)
			return bad(p, "\"%.40s\" is not NAME=NUMBER", p->word[i]);
		*eq = '\0';
		while (kt_saw_field(f) && strcmp(kt_saw_field(f), p->word[i]))
			f++;
		if (!kt_saw_field(f))
			return bad(p, "nothing is counted as \"%.40s\"", p->word[i]);
		err = number(p, eq + 1, 0, 1000000, &n);
		if (!err)
			err = add_expect(p, mask, f, n);
	}
	return err;
}

static int parse_vcpu(struct parser *p)
{
	unsigned int nr = p->s->opts.nr_vcpus ? p->s->opts.nr_vcpus : 1;
	uint64_t n;
	int err;

	if (p->nr != 2)
		return bad(p, "vcpu NUMBER");
	err = number(p, p->word[1], 0, nr - 1, &n);
	if (!err)
		p->vcpu = n;
	return err;
}

/* ---- steps ---- */

static int parse_cval(struct parser *p, const char *w, struct kt_scenario_step *st)
{
	if (!strcmp(w, "far"))
		st->step.arg = KT_CVAL_FAR;
	else if (!strcmp(w, "past"))
		st->step.arg = KT_CVAL_PAST;
	else if (!strcmp(w, "soon"))
		st->step.arg = KT_CVAL_SOON;
	else if (!kt_parse_duration(w, &st->due_ns) && st->due_ns && st->due_ns < 1000000000000ull)
		st->step.arg = KT_CVAL_SOON;
	else
		return bad(p, "\"%.40s\" is not far, past, soon or a duration such as 5ms", w);
	return 0;
}

static int parse_cpu(struct parser *p, const char *w, struct kt_scenario_step *st)
{
	unsigned int nr = p->s->opts.nr_cpus ? p->s->opts.nr_cpus : 1;
	uint64_t n;
	int err;

	if (strncmp(w, "cpu", 3))
		return bad(p, "\"%.40s\" is not cpu0 or cpu1", w);
	err = number(p, w + 3, 0, nr - 1, &n);
	if (!err)
		st->step.arg = n;
	return err;
}

static int parse_args(struct parser *p, const char *needs, struct kt_scenario_step *st)
{
	unsigned int i = 1;
	uint64_t n;
	int err;

	if (strchr(needs, 'v')) {
		if (p->nr < 2)
			return bad(p, "program needs a time: 5ms, far or past");
		err = parse_cval(p, p->word[i++], st);
		if (err)
			return err;
	}
	if (strchr(needs, 'c') && i < p->nr) {
		err = parse_cpu(p, p->word[i++], st);
		if (err)
			return err;
	}
	if (strchr(needs, 't') && i < p->nr) {
		if (timer_word(p->word[i], &st->step.timer))
			return bad(p, "\"%.40s\" is not vtimer or ptimer", p->word[i]);
		i++;
	} else if (!strcmp(needs, "g") && i < p->nr) {
		err = number(p, p->word[i++], 0, MAX_COUNT, &n);
		if (err)
			return err;
		st->count = n;
	}
	return i == p->nr ? 0 : bad(p, "\"%.40s\" is too much here", p->word[i]);
}

static int parse_step(struct parser *p)
{
	struct kt_scenario_step *grown, st = { .line = p->line, .count = 1 };
	struct kt_scenario *s = p->s;
	int err = 0;

	st.step.vcpu = p->vcpu;
	st.step.timer = KT_VTIMER;
	while (st.step.op < KT_OP_NR && strcmp(kt_op_name(st.step.op), p->word[0]))
		st.step.op++;
	if (st.step.op == KT_OP_NR && strcmp(p->word[0], "run"))
		return bad(p, "there is no step \"%.40s\"", p->word[0]);
	/* Without a CPU a vCPU is loaded where it was: said by a number out of range. */
	if (st.step.op == KT_OP_LOAD)
		st.step.arg = KT_MACHINE_CPUS;
	err = parse_args(p, kt_op_needs(st.step.op), &st);
	if (err)
		return err;
	if (s->nr_steps >= MAX_STEPS)
		return bad(p, "more than %u steps", MAX_STEPS);
	grown = grow(s->step, s->nr_steps, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->step = grown;
	grown[s->nr_steps++] = st;
	return 0;
}

/* ---- lines ---- */

static const struct {
	const char *word;
	int (*parse)(struct parser *p);
} lines[] = {
	{ "machine", parse_machine }, { "handler", parse_handler }, { "vcpu", parse_vcpu },
	{ "expect", parse_expect },
};

static int parse_words(struct parser *p)
{
	if (!p->nr)
		return 0;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strcmp(p->word[0], lines[i].word))
			return lines[i].parse(p);
	if (!strcmp(p->word[0], "only"))
		return p->nr == 2 ? semantics_list(p, p->word[1], &p->s->semantics) :
				    bad(p, "only SEMANTICS,...");
	return parse_step(p);
}

static int parse_line(struct parser *p, const char *text, size_t len)
{
	char line[256], *save = NULL;
	const char *hash = memchr(text, '#', len);

	if (hash)
		len = hash - text;
	if (len >= sizeof(line))
		return bad(p, "longer than %zu characters", sizeof(line) - 1);
	if (memchr(text, '\0', len))
		return bad(p, "not text");
	memcpy(line, text, len);
	line[len] = '\0';
	p->nr = 0;
	for (char *w = strtok_r(line, " \t\r", &save); w; w = strtok_r(NULL, " \t\r", &save)) {
		if (p->nr == MAX_WORDS)
			return bad(p, "more than %u words", MAX_WORDS);
		p->word[p->nr++] = w;
	}
	return parse_words(p);
}

int kt_scenario_parse(const char *text, size_t len, struct kt_scenario *s,
		      struct kt_scenario_error *err)
{
	struct parser p = { .s = s, .err = err };
	const char *end = text + len;
	int got = 0;

	memset(s, 0, sizeof(*s));
	memset(err, 0, sizeof(*err));
	s->semantics = (1u << KT_SEM_NR) - 1;
	while (text < end && !got) {
		const char *nl = memchr(text, '\n', end - text);
		size_t n = (nl ? nl : end) - text;

		p.line++;
		got = parse_line(&p, text, n);
		text += n + 1;
	}
	if (!got && !s->nr_steps) {
		p.line = 0;
		got = bad(&p, "no steps in it");
	}
	if (got)
		kt_scenario_free(s);
	return got;
}

void kt_scenario_free(struct kt_scenario *s)
{
	free(s->step);
	free(s->expect);
	memset(s, 0, sizeof(*s));
}

int kt_scenario_format(struct kt_step step, char *buf, size_t size)
{
	static const char *const cvals[] = { " far", " soon", " past" };
	const char *needs = kt_op_needs(step.op);
	char cpu[8] = "";

	if (strchr(needs, 'c'))
		snprintf(cpu, sizeof(cpu), " cpu%u", step.arg);
	return snprintf(buf, size, "%s%s%s%s", kt_op_name(step.op),
			strchr(needs, 'v') && step.arg < 3 ? cvals[step.arg] : "", cpu,
			strchr(needs, 't') && step.timer == KT_PTIMER ? " ptimer" : "");
}
