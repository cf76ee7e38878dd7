/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anonymise.h"
#include "escape.h"
#include "event.h"
#include "report.h"
#include "probes.h"
#include "text.h"

#define MOST_VCPUS 16
#define WIDTH 72

static const char *fact(const struct kt_session *s, const char *key)
{
	const char *v = kt_show_fact(key, kt_facts_get(s->facts, key));

	return v ? v : "?";
}

void kt_report_folded(const char *key, const char *text)
{
	size_t indent = strlen(key) + 2, column = indent, blanks = 0;

	printf("%s: ", key);
	while (*text) {
		size_t word = strcspn(text, " "), part, columns;

		kt_cut(text, word, SIZE_MAX, &columns);
		if (column + blanks + columns > WIDTH && column > indent) {
			column = indent;
			printf("\n%*s", (int)column, "");
		} else {
			printf("%*s", (int)blanks, "");
			column += blanks;
		}
		/* A word longer than the page is cut in pieces rather than run over. */
		while ((part = kt_cut(text, word, WIDTH - column, &columns)) < word) {
			printf("%.*s\n%*s", (int)part, text, (int)indent, "");
			text += part;
			word -= part;
			column = indent;
		}
		printf("%.*s", (int)word, text);
		column += columns;
		text += word;
		blanks = strspn(text, " ");
		text += blanks;
	}
	putchar('\n');
}

static void print_event_counts(const struct kt_session *s)
{
	const struct kt_totals *t = kt_model_totals(s->model);
	char line[1024];

	snprintf(line, sizeof(line), "%s on %s CPUs; lost %s; not attributed %s (timer events %s)",
		 kt_text_count(t->events), kt_text_count(t->cpus_seen),
		 kt_text_count(t->lost + s->late), kt_text_count(t->unattributed),
		 kt_text_count(t->unattributed_timer));
	kt_report_folded("events", line);
}

/* Another tool's capture tells little of its host, and nothing of how it was made. */
static void print_foreign_head(const struct kt_session *s)
{
	static const struct { const char *key, *before; } told[] = {
		{ "host.name", "" }, { "host.release", "Linux " }, { "host.machine", "" }, { "host.cpus", "CPUs " },
	};
	const struct kt_totals *t = kt_model_totals(s->model);
	char line[1024] = "";
	size_t n = 0;

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]) && n < sizeof(line); i++)
		if (kt_facts_get(s->facts, told[i].key))
			n += snprintf(line + n, sizeof(line) - n, "%s%s%s", n ? ", " : "", told[i].before,
				      fact(s, told[i].key));
	kt_report_folded("host", n ? line : "not told by the capture");
	snprintf(line, sizeof(line), "%s, %s%s%s", kt_text_ns(t->last_ns - t->first_ns),
		 fact(s, "input.format"), kt_facts_get(s->facts, "clock.trace") ? ", clock " : "",
		 kt_facts_get(s->facts, "clock.trace") ? fact(s, "clock.trace") : "");
	kt_report_folded("captured", line);
	print_event_counts(s);
}

static void print_head(const struct kt_session *s)
{
	const struct kt_totals *t = kt_model_totals(s->model);
	char line[8192];	/* room for what kt_safe may return, several times */

	if (kt_facts_get(s->facts, "input.format")) {
		print_foreign_head(s);
		return;
	}
	snprintf(line, sizeof(line), "%s, Linux %s %s, %s, GICv%s, CPUs %s", fact(s, "host.name"),
		 fact(s, "host.release"), fact(s, "host.machine"), fact(s, "host.mode"),
		 fact(s, "host.gic"), fact(s, "host.cpus"));
	kt_report_folded("host", line);
	snprintf(line, sizeof(line), "%s from %s, source %s, detail %s, filter %s; kvmtimer-trace %s",
		 kt_text_ns(t->last_ns - t->first_ns), fact(s, "time.start"),
		 fact(s, "capture.source"), fact(s, "capture.detail"), fact(s, "capture.filter"),
		 fact(s, "capture.version"));
	kt_report_folded("captured", line);
	print_event_counts(s);
	if (kt_facts_get(s->facts, "capture.cost_ns")) {
		snprintf(line, sizeof(line), "%s ns of our own per event (mean run time of a program, "
			 "%s events/s)", fact(s, "capture.cost_ns"),
			 kt_text_rate(t->last_ns > t->first_ns ?
				      t->events * 1e9 / (t->last_ns - t->first_ns) : 0));
		kt_report_folded("cost", line);
	}
}

static const char *irqchip_name(uint8_t vgic)
{
	switch (vgic) {
	case 0: return "user";
	case 255: return "?";
	case 2: return "GICv2";
	case 3: return "GICv3";
	}
	return "GICv5";
}

static bool vm_ran(const struct kt_model *m, uint32_t number)
{
	struct kt_vcpu_info v;

	for (uint32_t i = 0; i < kt_model_nr_vcpus(m); i++) {
		kt_model_vcpu(m, i, &v);
		if (v.vm == number && (v.entries || v.exits))
			return true;
	}
	return false;
}

static void print_vms(const struct kt_session *s)
{
	struct kt_vm_info vm;
	uint32_t idle = 0;

	if (!kt_model_nr_vms(s->model))
		return;
	printf("\n%3s  %-28s %9s %6s %-7s %12s\n", "VM", "name", "pid", "vCPUs", "irqchip", "events");
	for (uint32_t i = 0; i < kt_model_nr_vms(s->model) && i < 2 * MOST_VCPUS; i++) {
		kt_model_vm(s->model, i, &vm);
		/* Without process ids the VMM's own threads look like VMs; what never ran is none. */
		if (!vm.tgid && !vm_ran(s->model, vm.number)) {
			idle++;
			continue;
		}
		printf("%3u  %s %9s %6u %-7s %12s\n", vm.number,
		       kt_fit(kt_show_vm(vm.number, vm.name[0] ? vm.name : vm.comm), 28),
		       kt_text_pid(kt_show_pid(vm.tgid)),
		       vm.nr_vcpus, irqchip_name(vm.vgic), kt_text_count(vm.events));
	}
	if (idle)
		printf("     ... and %u threads that worked on vCPUs without running one\n", idle);
	if (kt_model_nr_vms(s->model) > 2 * MOST_VCPUS)
		printf("     ... and %u more VMs\n", kt_model_nr_vms(s->model) - 2 * MOST_VCPUS);
}

/* ---- vCPUs, busiest first ---- */

struct busy {
	uint64_t events;
	uint32_t vcpu;
};

static int by_events(const void *pa, const void *pb)
{
	const struct busy *a = pa, *b = pb;

	if (a->events != b->events)
		return a->events > b->events ? -1 : 1;
	return a->vcpu < b->vcpu ? -1 : 1;
}

static void print_vcpu_times(const struct kt_vcpu_info *v)
{
	uint64_t all = v->guest_ns + v->host_ns + v->user_ns + v->blocked_ns + v->preempted_ns;
	uint64_t wall = v->last_ns - v->first_ns;

	printf("%-6s %s %7s %7s %6s %5s %5s %5s %5s\n", kt_text_vcpu(v->vm, v->vcpu_id),
	       kt_fit(kt_show_comm(v->vm, v->vcpu_id, v->comm), 14),
	       kt_text_rate(wall ? v->entries * 1e9 / wall : 0),
	       kt_text_rate(v->guest_ns ? v->entries * 1e9 / v->guest_ns : 0),
	       kt_text_percent(v->guest_ns, all), kt_text_percent(v->host_ns, all),
	       kt_text_percent(v->user_ns, all), kt_text_percent(v->blocked_ns, all),
	       kt_text_percent(v->preempted_ns, all));
}

static void print_vcpu_timers(const struct kt_vcpu_info *v)
{
	static const uint8_t order[] = { KT_VTIMER, KT_PTIMER, KT_HVTIMER, KT_HPTIMER };

	for (unsigned int i = 0; i < KT_TIMER_NR; i++) {
		unsigned int t = order[i];

		if (!v->published[t] || (t != KT_VTIMER && !v->rises[t] && !v->host_irqs[t]))
			continue;
		printf("%-6s %-8s %9s %9s %9s %9s %7s %7s\n", kt_text_vcpu(v->vm, v->vcpu_id), kt_timer_name(t),
		       kt_text_count(v->host_irqs[t]), kt_text_count(v->rises[t]),
		       kt_text_count(v->injections[t]), kt_text_count(v->published[t]),
		       kt_text_rate(v->entries ? (double)v->saves / v->entries : 0),
		       kt_text_rate(v->entries ? (double)v->restores / v->entries : 0));
	}
}

static void print_vcpus(const struct kt_session *s, bool all)
{
	uint32_t n = kt_model_nr_vcpus(s->model), shown = all || n < MOST_VCPUS ? n : MOST_VCPUS;
	struct busy *order = calloc(n ? n : 1, sizeof(*order));
	struct kt_vcpu_info v;

	if (!order || !n) {
		free(order);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		kt_model_vcpu(s->model, i, &v);
		order[i] = (struct busy){ v.events, i };
	}
	if (shown < n)
		qsort(order, n, sizeof(*order), by_events);
	printf("\n%-6s %-14s %7s %7s %6s %5s %5s %5s %5s\n", "vCPU", "thread", "entr/s", "/gst-s",
	       "guest%", "host%", "vmm%", "blkd%", "prmt%");
	for (uint32_t i = 0; i < shown; i++) {
		kt_model_vcpu(s->model, order[i].vcpu, &v);
		/* VMMs make VMs that never run, to ask the kernel what it can do. */
		if (v.entries || v.exits || all)
			print_vcpu_times(&v);
	}
	if (shown < n)
		printf("       ... and %u quieter vCPUs (--all shows them)\n", n - shown);
	printf("\n%-6s %-8s %9s %9s %9s %9s %7s %7s\n", "vCPU", "timer", "host irqs", "rises",
	       "into LR", "published", "save/en", "rest/en");
	for (uint32_t i = 0; i < shown; i++) {
		kt_model_vcpu(s->model, order[i].vcpu, &v);
		print_vcpu_timers(&v);
	}
	free(order);
}

/* ---- exits and hops ---- */

static void print_exits(const struct kt_session *s)
{
	const struct kt_totals *t = kt_model_totals(s->model);
	uint64_t guest_ns = 0, host_ns = 0, wall = t->last_ns - t->first_ns;
	struct kt_vm_info vm;

	for (uint32_t i = 0; i < kt_model_nr_vms(s->model); i++) {
		kt_model_vm(s->model, i, &vm);
		guest_ns += vm.guest_ns;
		for (unsigned int c = 0; c < KT_CAUSE_NR; c++)
			host_ns += vm.host_ns[c];
	}
	printf("\n%-12s %9s %7s %7s %9s %5s %8s %8s\n", "exits by", "count", "/s", "/gst-s",
	       "host time", "%", "p50", "p99");
	for (unsigned int c = 0; c < KT_CAUSE_NR; c++) {
		const struct kt_hist *h = kt_model_exit_hist(s->model, c);

		if (!h->count)
			continue;
		printf("%-12s %9s %7s %7s %9s %5s %8s %8s\n", kt_exit_cause_name(c),
		       kt_text_count(h->count), kt_text_rate(wall ? h->count * 1e9 / wall : 0),
		       kt_text_rate(guest_ns ? h->count * 1e9 / guest_ns : 0),
		       kt_text_ns(h->sum_ns), kt_text_percent(h->sum_ns, host_ns),
		       kt_text_ns(kt_hist_percentile_ns(h, 500)),
		       kt_text_ns(kt_hist_percentile_ns(h, 990)));
	}
}

static void print_hops(const struct kt_session *s)
{
	bool any = false;

	for (unsigned int t = 0; t < KT_TIMER_NR; t++) {
		for (unsigned int h = 0; h < KT_HOP_NR; h++) {
			const struct kt_hist *d = kt_model_hop(s->model, t, h);
			const char *timer = h >= KT_HOP_WAKE ? "" : kt_timer_name(t);

			if (!d->count)
				continue;
			if (!any)
				printf("\n%-7s %-17s %6s %7s %7s %7s %7s %7s\n", "hop", "", "count",
				       "min", "p50", "p90", "p99", "max");
			any = true;
			printf("%-7s %-17s %6s %7s %7s %7s %7s %7s\n", timer, kt_hop_name(h),
			       kt_text_rate(d->count), kt_text_ns(d->min_ns),
			       kt_text_ns(kt_hist_percentile_ns(d, 500)),
			       kt_text_ns(kt_hist_percentile_ns(d, 900)),
			       kt_text_ns(kt_hist_percentile_ns(d, 990)), kt_text_ns(d->max_ns));
		}
	}
}

/* ---- what is missing ---- */

void kt_report_lacks(const struct kt_session *s, void (*fn)(void *arg, const char *text), void *arg)
{
	const struct kt_totals *t = kt_model_totals(s->model);
	const char *key, *value;
	char line[2048];

	if (s->status.cut)
		fn(arg, "the file is cut: the recorder was killed or the copy is short; "
		   "what is whole has been read");
	else if (!s->status.closed_well)
		fn(arg, "the file was not closed well");
	if (s->status.bad_blocks) {
		snprintf(line, sizeof(line), "%" PRIu64 " damaged blocks were skipped (%" PRIu64 " bytes)",
			 s->status.bad_blocks, s->status.bad_bytes);
		fn(arg, line);
	}
	if (s->late) {
		snprintf(line, sizeof(line), "%" PRIu64 " events came too late to be put in order",
			 s->late);
		fn(arg, line);
	}
	for (unsigned int k = 0; k < KT_EV_NR; k++) {
		if (!t->lost_kind[k])
			continue;
		snprintf(line, sizeof(line), "%" PRIu64 " %s events were lost while recording",
			 t->lost_kind[k], kt_kind_name(k));
		fn(arg, line);
	}
	for (size_t i = 0; kt_facts_at(s->facts, i, &key, &value); i++) {
		if (!strncmp(key, "input.lack.", 11))
			fn(arg, kt_safe(value));
		if (strncmp(key, "capture.probe.", 14) || kt_how_works(value))
			continue;
		snprintf(line, sizeof(line), "not observed: %s (%s)", key + 14, kt_safe(value));
		fn(arg, line);
	}
}

static void print_lack(void *arg, const char *text)
{
	bool *any = arg;

	if (!*any)
		putchar('\n');
	*any = true;
	kt_report_folded("missing", text);
}

void kt_report_text(const struct kt_session *s, const struct kt_report_opts *opts)
{
	bool any = false;

	print_head(s);
	print_vms(s);
	print_vcpus(s, opts->all);
	print_exits(s);
	print_hops(s);
	kt_report_lacks(s, print_lack, &any);
}
