/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line of a trace, from left to right:
 *
 *	[> > ] comm-pid [(tgid)] [cpu] [flags] time: [system:]event: text
 *	[> > ] comm pid[/tid] [cpu] time: [system:]event: text
 *	[> > ] comm-pid cpuflags time[us delay]: event: text
 *
 * A comm may hold anything, also brackets, dashes and what looks like a time, but
 * has at most 16 letters: too few for a whole imitation.  So the first place
 * where everything from "[cpu]" to "event:" fits is the right one.
 */
#include "trace_text_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

#define NAME_SLOTS 128

struct kt_trace_names {
	struct {
		const char *name;
		uint8_t len, id;
	} slot[NAME_SLOTS];
	struct kt_ftrace_plan plan[KT_FT_NR];
};

/* All names have eight letters or more; their ends differ most. */
static unsigned int name_hash(const char *name, size_t len)
{
	uint64_t tail;

	memcpy(&tail, name + len - 8, 8);
	return (tail + len) * 0x9e3779b97f4a7c15ull >> 57;
}

int kt_trace_names_new(struct kt_trace_names **out)
{
	struct kt_trace_names *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	for (unsigned int id = 1; id < KT_FT_NR; id++) {
		const char *name = kt_ftrace_event(id)->name;
		size_t len = strlen(name);
		unsigned int i = name_hash(name, len);

		while (n->slot[i].name)
			i = (i + 1) % NAME_SLOTS;
		n->slot[i].name = name;
		n->slot[i].len = len;
		n->slot[i].id = id;
		kt_ftrace_plan_init(&n->plan[id], id);
	}
	*out = n;
	return 0;
}

void kt_trace_names_free(struct kt_trace_names *names)
{
	free(names);
}

static unsigned int find_name(const struct kt_trace_names *n, const char *name, size_t len)
{
	unsigned int i;

	if (len < 8)
		return KT_FT_NONE;
	for (i = name_hash(name, len); n->slot[i].name; i = (i + 1) % NAME_SLOTS)
		if (n->slot[i].len == len && !memcmp(n->slot[i].name, name, len))
			return n->slot[i].id;
	return KT_FT_NONE;
}

/* ---- pieces of a line ---- */

/* Once or twice for each line of a file: the compiler must not call these. */
#define HOT inline __attribute__((always_inline))

/* Seconds with a point, or a plain number; then the colon.  Sets the dialect's bits. */
static HOT bool take_time(const char **pp, const char *end, uint64_t *ts_ns, unsigned int *dialect)
{
	static const uint32_t scale[] = { 0, 100000000, 10000000, 1000000, 100000, 10000, 1000,
					  100, 10, 1 };
	const char *p = *pp, *point;
	uint64_t s, fraction;

	if (!take_number(&p, end, &s))
		return false;
	if (p < end && *p == '.') {
		point = ++p;
		if (!take_number(&p, end, &fraction) || p - point > 9 || s > UINT64_MAX / 1000000000 - 1)
			return false;
		*ts_ns = s * 1000000000 + fraction * scale[p - point];
		*dialect |= p - point == 9 ? KT_TRACE_NS : 0;
	} else if (end - p > 2 && p[0] == 'u' && p[1] == 's') {
		/* latency format: us since the start, then a mark for the delay */
		if (s > UINT64_MAX / 1000)
			return false;
		*ts_ns = s * 1000;
		*dialect |= KT_TRACE_LATENCY;
		p += 2;
		while (p < end && *p != ':' && !is_digit(*p) && p - *pp < 24)
			p++;
	} else {
		*ts_ns = s;
		*dialect |= KT_TRACE_TICKS;
	}
	if (p == end || *p != ':')
		return false;
	*pp = p + 1;
	return true;
}

static inline bool is_letter(char c)
{
	return (unsigned char)((c | 0x20) - 'a') < 26 || c == '_';
}

static enum kt_ftrace_ctx flags_ctx(const char *flags, size_t len)
{
	if (len < 3)
		return KT_FC_UNKNOWN;
	switch (flags[2]) {
	case 'h':
	case 'H':	/* hard interrupt in a soft one */
		return KT_FC_HARDIRQ;
	case 'Z':
	case 'z':
		return KT_FC_NMI;
	case 's':
		return KT_FC_SOFTIRQ;
	case '.':
		return KT_FC_TASK;
	}
	return KT_FC_UNKNOWN;
}

/* "event: text" or "system:event: text"; false when there is no name. */
static HOT bool take_event(const char *p, const char *end, struct kt_trace_head *h)
{
	const char *colon;

	p = skip_blanks(p, end);
	if (p == end || !is_letter(*p))
		return false;
	colon = memchr(p, ':', end - p);
	if (colon && colon + 1 < end && is_letter(colon[1])) {
		h->dialect |= KT_TRACE_PERF;
		p = colon + 1;
		colon = memchr(p, ':', end - p);
	}
	h->name = h->text = p;
	h->text_len = 0;
	/* Functions, markers and the like have no colon: they are none of ours. */
	if (!colon) {
		h->name_len = 0;
		return true;
	}
	h->name_len = colon - p;
	h->text = skip_blanks(colon + 1, end);
	h->text_len = end - h->text;
	return true;
}

/* Backwards from end: up to ten digits, if any.  Returns where they start. */
static const char *number_before(const char *line, const char *end, uint64_t *out)
{
	const char *p = end;
	uint64_t v = 0, scale = 1;

	while (p > line && is_digit(p[-1]) && end - p < 10) {
		p--;
		v += (uint64_t)(*p - '0') * scale;
		scale *= 10;
	}
	*out = v;
	return p;
}

static void set_comm(struct kt_ftrace_rec *rec, const char *line, const char *end)
{
	size_t len = end - line;

	/* "<...>" is a thread whose name was not kept. */
	if (len > 16 || (len == 5 && !memcmp(line, "<...>", 5)))
		len = 0;
	rec->comm = line;
	rec->comm_len = len;
}

/* A number that the kernel gives to a thread: two must not become one by being cut. */
static inline bool is_pid(uint64_t pid)
{
	return pid <= INT32_MAX;
}

/* What stands before "[cpu]": comm, pid, and tgid by dialect.  False when there is no pid. */
static bool take_task(const char *line, const char *end, struct kt_ftrace_rec *rec,
		      unsigned int *dialect)
{
	const char *p = end, *first;
	uint64_t pid;

	while (p > line && is_blank(p[-1]))
		p--;
	if (p > line && p[-1] == ')') {
		/* "(  123)", or "(-------)" when the process was not recorded */
		const char *close = --p;

		while (p > line && p[-1] != '(' && close - p < 12)
			p--;
		if (p == line || p[-1] != '(')
			return false;
		first = number_before(p, close, &pid);
		if (!is_pid(pid))
			return false;
		if (first < close)
			rec->tgid = pid;
		*dialect |= KT_TRACE_TGID;
		p--;
		while (p > line && is_blank(p[-1]))
			p--;
	}
	first = number_before(line, p, &pid);
	if (first == p || first == line || !is_pid(pid))
		return false;
	rec->tid = pid;
	if (first[-1] == '/' && first - 1 > line && is_digit(first[-2])) {
		/* perf script -F pid,tid: "123/124" */
		p = number_before(line, first - 1, &pid);
		if (p == line || !is_blank(p[-1]) || !is_pid(pid))
			return false;
		rec->tgid = pid;
		*dialect |= KT_TRACE_TGID;
		first = p;
	}
	if (first[-1] == '-') {
		set_comm(rec, line, first - 1);
		return true;
	}
	if (!is_blank(first[-1]))
		return false;
	while (first > line && is_blank(first[-1]))
		first--;
	set_comm(rec, line, first);
	return true;
}

/* From "[cpu]" on.  p is after the bracket. */
static bool take_rest(const char *p, const char *end, struct kt_ftrace_rec *rec,
		      struct kt_trace_head *h)
{
	const char *token;

	p = skip_blanks(p, end);
	if (p == end)
		return false;
	token = p;
	/* Flags have a blank after them; a time has a point or colon. */
	if (!take_time(&p, end, &rec->ts_ns, &h->dialect)) {
		h->dialect &= ~(KT_TRACE_NS | KT_TRACE_TICKS | KT_TRACE_LATENCY);
		p = token;
		while (p < end && !is_blank(*p) && p - token < 12)
			p++;
		rec->ctx = flags_ctx(token, p - token);
		h->dialect |= KT_TRACE_FLAGS;
		p = skip_blanks(p, end);
		if (!take_time(&p, end, &rec->ts_ns, &h->dialect))
			return false;
	}
	return take_event(p, end, h);
}

static bool take_bracketed(const char *line, const char *end, struct kt_ftrace_rec *rec,
			   struct kt_trace_head *h)
{
	const char *open = line, *p;
	uint64_t cpu;

	/* Few brackets stand before an event's name: a line of brackets must not cost its square. */
	for (unsigned int tries = 0; tries < 8; tries++) {
		open = memchr(open, '[', end - open);
		if (!open)
			return false;
		p = open + 1;
		if (take_number(&p, end, &cpu) && p < end && *p == ']' && cpu < KT_FTRACE_CPUS_MAX) {
			*rec = (struct kt_ftrace_rec){ .cpu = cpu };
			h->dialect &= KT_TRACE_QUOTED;
			if (take_rest(p + 1, end, rec, h) &&
			    take_task(line, open, rec, &h->dialect))
				return true;
		}
		open++;
	}
	return false;
}

/* Latency format: "comm-pid 0d.h.. time: event:" */
static bool take_latency(const char *line, const char *end, struct kt_ftrace_rec *rec,
			 struct kt_trace_head *h)
{
	const char *stop = end - line > 40 ? line + 40 : end, *dash, *p, *flags;
	uint64_t pid, cpu;

	for (dash = line; (dash = memchr(dash, '-', stop - dash)); dash++) {
		p = dash + 1;
		if (!take_number(&p, end, &pid) || p == end || !is_blank(*p) || !is_pid(pid))
			continue;
		p = skip_blanks(p, end);
		if (!take_number(&p, end, &cpu) || cpu >= KT_FTRACE_CPUS_MAX)
			continue;
		flags = p;
		while (p < end && !is_blank(*p) && p - flags < 12)
			p++;
		if (p - flags < 3)
			continue;
		*rec = (struct kt_ftrace_rec){ .cpu = cpu, .tid = pid };
		h->dialect &= KT_TRACE_QUOTED;
		h->dialect |= KT_TRACE_FLAGS;
		rec->ctx = flags_ctx(flags, p - flags);
		p = skip_blanks(p, end);
		if (!take_time(&p, end, &rec->ts_ns, &h->dialect) || !take_event(p, end, h))
			continue;
		set_comm(rec, line, dash);
		return true;
	}
	return false;
}

/*
 * "CPU:1 [LOST 23 EVENTS]", "CPU:1 [LOST EVENTS]" (tracefs; how many is not always known),
 * "CPU:1 [23 EVENTS DROPPED]", "CPU:1 [EVENTS DROPPED]" (trace-cmd)
 */
static bool take_lost(const char *p, const char *end, struct kt_ftrace_rec *rec)
{
	uint64_t cpu, n = 0;

	if (!starts(p, end, "CPU:"))
		return false;
	p += 4;
	if (!take_number(&p, end, &cpu) || cpu >= KT_FTRACE_CPUS_MAX)
		return false;
	p = skip_blanks(p, end);
	if (starts(p, end, "[LOST ")) {
		p += 6;
		if (take_number(&p, end, &n))
			p = skip_blanks(p, end);
		if (!starts(p, end, "EVENTS]"))
			return false;
	} else if (p < end && *p == '[') {
		p++;
		if (take_number(&p, end, &n))
			p = skip_blanks(p, end);
		if (!starts(p, end, "EVENTS DROPPED]"))
			return false;
	} else {
		return false;
	}
	*rec = (struct kt_ftrace_rec){ .cpu = cpu, .v = { n } };
	return true;
}

/* "##### CPU 1 buffer started ####" */
static bool take_started(const char *p, const char *end, struct kt_ftrace_rec *rec)
{
	uint64_t cpu;

	if (!starts(p, end, "##### CPU "))
		return false;
	p += 10;
	if (!take_number(&p, end, &cpu) || cpu >= KT_FTRACE_CPUS_MAX || !starts(p, end, " buffer started"))
		return false;
	*rec = (struct kt_ftrace_rec){ .cpu = cpu };
	return true;
}

/* What people put in place of lines that they took out: any CPU may have lost events there. */
static bool take_elided(const char *p, const char *end, struct kt_ftrace_rec *rec)
{
	static const char *const marks[] = { "[...]", "[..]", "[snip]", "...", "<snip>", "--8<--", "[…]", "…" };

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if ((size_t)(end - p) != strlen(marks[i]) || !starts(p, end, marks[i]))
			continue;
		*rec = (struct kt_ftrace_rec){ .cpu = KT_FTRACE_ALL_CPUS };
		return true;
	}
	return false;
}

/* What is no event; KT_TL_EVENT when it may be one. */
static enum kt_trace_line other_line(const char *p, const char *end, struct kt_ftrace_rec *rec)
{
	if (p == end)
		return KT_TL_COMMENT;
	switch (*p) {
	case '[':
	case '.':
	case '<':
	case '-':
	case '\xe2':
		return take_elided(p, end, rec) ? KT_TL_LOST : KT_TL_EVENT;
	case '#':
		return take_started(p, end, rec) ? KT_TL_STARTED : KT_TL_COMMENT;
	case 'C':
		return take_lost(p, end, rec) ? KT_TL_LOST : KT_TL_EVENT;
	case 'c':
		return starts(p, end, "cpus=") ? KT_TL_COMMENT : KT_TL_EVENT;
	case 'v':
		return starts(p, end, "version =") ? KT_TL_COMMENT : KT_TL_EVENT;
	}
	return KT_TL_EVENT;
}

enum kt_trace_line kt_trace_line(const struct kt_trace_names *names, const char *line, size_t len,
				 struct kt_ftrace_rec *rec, struct kt_trace_head *h)
{
	const char *end = trim(line, line + len), *p = skip_blanks(line, end);
	enum kt_trace_line kind;

	h->dialect = 0;
	h->why = NULL;
	if (p < end && *p == '>') {
		line = unquote(p, end, &h->dialect);
		p = skip_blanks(line, end);
	}
	kind = other_line(p, end, rec);
	if (kind != KT_TL_EVENT)
		return kind;
	if (!take_bracketed(p, end, rec, h) && !take_latency(p, end, rec, h)) {
		h->why = "no event in it";
		return KT_TL_BAD;
	}
	rec->id = find_name(names, h->name, h->name_len);
	if (rec->id == KT_FT_NONE)
		return KT_TL_OTHER;
	if (kt_ftrace_parse_fast(&names->plan[rec->id], rec, h->text, h->text_len)) {
		if (kt_ftrace_untold(rec->id, h->text, h->text_len))
			return KT_TL_UNTOLD;
		h->why = "its fields cannot be read";
		return KT_TL_DAMAGED;
	}
	return KT_TL_EVENT;
}

/* Does it end in "24.017472", "24us", "24us+"? */
static bool ends_in_time(const char *line, const char *end)
{
	const char *p = end;

	while (p > line && !is_blank(p[-1]) && end - p < 24)
		p--;
	if (p == end || !is_digit(*p))
		return false;
	while (p < end && is_digit(*p))
		p++;
	return end - p >= 2 && ((*p == '.' && is_digit(p[1])) || (*p == 'u' && p[1] == 's'));
}

/* "kvm_exit:" or "kvm:kvm_exit:", of ours. */
static bool begins_with_event(const char *p, const char *end)
{
	for (unsigned int names = 0; names < 2; names++) {
		const char *first = p;

		while (p < end && (is_letter(*p) || is_digit(*p)))
			p++;
		if (p == end || *p != ':')
			return false;
		if (kt_ftrace_find(first, p - first) != KT_FT_NONE)
			return true;
		p++;
	}
	return false;
}

bool kt_trace_line_tells(const char *line, size_t len)
{
	const char *end = line + len, *colon = line;

	for (; (colon = memchr(colon, ':', end - colon)); colon++)
		if (ends_in_time(line, colon) && begins_with_event(skip_blanks(colon + 1, end), end))
			return true;
	return false;
}
