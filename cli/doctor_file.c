/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a capture holds and lacks, what cannot be decided for it, and how it
 * should have been made.
 */
#include "doctor_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "anonymise.h"
#include "cmd.h"
#include "escape.h"
#include "event.h"
#include "json.h"
#include "needs.h"
#include "report.h"
#include "session.h"
#include "text.h"

struct examined {
	struct kt_session s;
	struct kt_holdings h;
	bool exclude_guest;
	uint64_t imbalance;	/* entries and exits that do not pair, beyond one per vCPU */
	unsigned int missing;
};

static const char exclude_guest_text[] =
	"exits to the VMM are there, but nothing that happened while a vCPU was loaded: perf leaves KVM's "
	"tracepoints out there (exclude_guest) unless told otherwise; use trace-cmd";

/* Interrupt handlers are of no use here, and a lot. */
static bool is_asked_for(unsigned int id)
{
	return id != KT_FT_IRQ_ENTRY && id != KT_FT_IRQ_EXIT;
}

/* The command as one line; width 0: not folded. */
static void command_line(char *buf, size_t size, const char *fold)
{
	size_t n = snprintf(buf, size, "trace-cmd record -C mono -b 20000");

	for (unsigned int id = 1; id < KT_FT_NR && n < size; id++) {
		const struct kt_ftrace_event *e = kt_ftrace_event(id);

		if (is_asked_for(id))
			n += snprintf(buf + n, size - n, "%s-e %s:%s", fold, e->system, e->name);
	}
}

static void examine(struct examined *e)
{
	const struct kt_totals *t = kt_model_totals(e->s.model);
	uint64_t entries = t->by_kind[KT_EV_ENTRY], exits = t->by_kind[KT_EV_EXIT];
	uint64_t apart = entries > exits ? entries - exits : exits - entries;

	e->h.totals = t;
	e->h.ftrace = e->s.format == KT_INPUT_OURS ? NULL : &e->s.ftrace;
	e->exclude_guest = kt_holdings_exclude_guest(&e->h);
	e->imbalance = apart > kt_model_nr_vcpus(e->s.model) ? apart : 0;
	for (unsigned int i = 0; i < kt_nr_needs(); i++)
		e->missing += kt_need_state(kt_need(i), &e->h) == KT_NEED_MISSING &&
			      kt_need(i)->ftrace_id != KT_FT_NONE;
}

/* Status 3: something that a better capture would have had. */
static bool is_enough(const struct examined *e)
{
	return !e->missing && !e->imbalance && kt_session_clean(&e->s);
}

/* ---- text ---- */

static void print_holds(const struct examined *e)
{
	const struct kt_totals *t = e->h.totals;
	const char *format = kt_facts_get(e->s.facts, "input.format");
	const char *clock = kt_facts_get(e->s.facts, "clock.trace");

	printf("capture: %s of %s%s%s, %s events on %s CPUs\n",
	       format ? kt_safe(format) : "recording of kvmtimer-trace", kt_text_ns(t->last_ns - t->first_ns),
	       clock ? ", clock " : "", clock ? kt_safe(clock) : "", kt_text_count(t->events),
	       kt_text_count(t->cpus_seen));
	printf("\n%-30s %12s\n", "holds", "count");
	for (unsigned int k = 1; k < KT_EV_NR; k++)
		if (t->by_kind[k])
			printf("%-30s %12s\n", kt_kind_name(k), kt_text_count(t->by_kind[k]));
}

static void print_needs(const struct examined *e)
{
	char name[64];
	bool any = false;

	for (unsigned int i = 0; i < kt_nr_needs(); i++) {
		const struct kt_need *n = kt_need(i);

		if (kt_need_state(n, &e->h) != KT_NEED_MISSING)
			continue;
		if (!any)
			printf("\nnot there, and what cannot be decided for it\n");
		any = true;
		kt_report_folded(kt_need_name(n, name, sizeof(name)), n->lost);
	}
}

static void print_lack(void *arg, const char *text)
{
	bool *any = arg;

	if (!*any)
		putchar('\n');
	*any = true;
	kt_report_folded("lacks", text);
}

static void print_vcpus(const struct examined *e)
{
	const struct kt_totals *t = e->h.totals;
	uint32_t ran = 0;
	struct kt_vcpu_info v;

	for (uint32_t i = 0; i < kt_model_nr_vcpus(e->s.model); i++) {
		kt_model_vcpu(e->s.model, i, &v);
		ran += v.entries || v.exits;
	}
	printf("\n%u vCPUs ran; %s events, %s of them of timers, belong to no known vCPU\n", ran,
	       kt_text_count(t->unattributed), kt_text_count(t->unattributed_timer));
}

static void print_text(const struct examined *e)
{
	char line[2048];
	bool any = false;

	print_holds(e);
	print_vcpus(e);
	print_needs(e);
	if (e->exclude_guest)
		print_lack(&any, exclude_guest_text);
	if (e->imbalance) {
		snprintf(line, sizeof(line), "entries and exits do not pair: %" PRIu64 " more of one than of "
			 "the other", e->imbalance);
		print_lack(&any, line);
	}
	kt_report_lacks(&e->s, print_lack, &any);
	if (is_enough(e)) {
		printf("\nThis capture has what verdicts about the line need.\n");
		return;
	}
	command_line(line, sizeof(line), " \\\n    ");
	printf("\nthis would have captured enough:\n\n  %s\n\n"
	       "Which vCPUs form a VM is only told when VMs start under it (task_newtask); in a trace as text,\n"
	       "by the option record-tgid. A full buffer loses events: -b is KiB per CPU.\n", line);
}

/* ---- JSON ---- */

static void add_lack(void *arg, const char *text)
{
	json_object_array_add(arg, json_object_new_string(text));
}

static int print_json(const struct examined *e)
{
	json_object *o = kt_json_new("doctor"), *counts = json_object_new_object();
	json_object *missing = json_object_new_array(), *lacks = json_object_new_array();
	char line[2048], name[64];

	for (unsigned int k = 1; k < KT_EV_NR; k++)
		if (e->h.totals->by_kind[k])
			kt_json_u64(counts, kt_kind_name(k), e->h.totals->by_kind[k]);
	for (unsigned int i = 0; i < kt_nr_needs(); i++) {
		const struct kt_need *n = kt_need(i);
		json_object *row;

		if (kt_need_state(n, &e->h) != KT_NEED_MISSING)
			continue;
		row = json_object_new_object();
		kt_json_text(row, "event", kt_need_name(n, name, sizeof(name)));
		kt_json_text(row, "undecided", n->lost);
		json_object_array_add(missing, row);
	}
	if (e->exclude_guest)
		add_lack(lacks, exclude_guest_text);
	kt_report_lacks(&e->s, add_lack, lacks);
	command_line(line, sizeof(line), " ");
	json_object_object_add(o, "enough", json_object_new_boolean(is_enough(e)));
	kt_json_u64(o, "vcpus", kt_model_nr_vcpus(e->s.model));
	kt_json_u64(o, "unattributed", e->h.totals->unattributed);
	kt_json_u64(o, "unattributed_timer", e->h.totals->unattributed_timer);
	kt_json_u64(o, "imbalance", e->imbalance);
	json_object_object_add(o, "events", counts);
	json_object_object_add(o, "missing", missing);
	json_object_object_add(o, "lacks", lacks);
	kt_json_text(o, "command_line", line);
	json_object_object_add(o, "facts", kt_json_facts(e->s.facts));
	return kt_json_print(o);
}

int kt_doctor_file(const char *path, bool json)
{
	struct kt_session_opts so = { .path = path };
	struct examined e = { 0 };
	int status;

	if (kt_session_read(&so, &e.s))
		return KT_EXIT_FAILED;
	examine(&e);
	status = is_enough(&e) ? KT_EXIT_OK : KT_EXIT_INCONCLUSIVE;
	if (!json)
		print_text(&e);
	else if (print_json(&e))
		status = KT_EXIT_FAILED;
	kt_session_free(&e.s);
	return status;
}
