/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ftrace source: an instance of our own in tracefs, its raw pages, and the
 * conversion to our events.  For kernels and hosts where BPF is not to be had.
 *
 * With -p or --vcpu the kernel leaves out what floods from threads that were seen to
 * run other vCPUs.  Not set_event_pid: it switches at sched_switch, before KVM puts
 * the vCPU of the old task, and it loses each soft timer on top of another task.
 *
 * In one pass: pages of all CPUs merged by time (ftrace_pages.c), records decoded
 * by offsets (ftrace_plan.c), turned into events with identity (lib/ftrace_live.c).
 */
#include "capture.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "ftrace_live.h"
#include "ftrace_pages.h"
#include "ftrace_plan.h"
#include "host.h"
#include "kernel_facts.h"
#include "log.h"
#include "ftrace_instance.h"

/*
 * A record is taken when it is this old: then an interrupted writer on another
 * CPU has had the time to commit what it began earlier.
 */
#define SETTLE_NS 5000000

struct ftrace_capture {
	struct kt_capture base;
	struct kt_tracefs *tracefs;
	struct kt_plan *plan;
	struct kt_pages *pages;
	struct kt_live *live;
	const struct kt_capture_sink *sink;	/* during a pass */
	struct kt_live_rec rec;
	uint32_t nr_cpus;
	uint64_t buffer_bytes, lost;
	uint64_t settled_ns[2];			/* up to where the last passes have read */
	uint64_t watermark_ns, pass_ns;
	uint32_t excluded[KT_PLAN_EXCLUDED];	/* threads whose floods the kernel leaves out */
	unsigned int nr_excluded;
	bool exclusion_changed, wanted_again;
	bool stopped;
};

static struct ftrace_capture *ftrace_capture(struct kt_capture *base)
{
	return (struct ftrace_capture *)base;
}

/* ---- from pages to events ---- */

static int on_record(void *arg, uint32_t cpu, uint64_t ts_ns, const void *data, size_t size)
{
	struct ftrace_capture *c = arg;

	if (!kt_plan_decode(c->plan, data, size, &c->rec))
		return 0;
	c->rec.ts_ns = ts_ns;
	c->rec.cpu = cpu;
	return kt_live_feed(c->live, &c->rec);
}

static int lose(struct ftrace_capture *c, const struct kt_loss *loss, uint64_t n)
{
	c->lost += n;
	return n ? c->sink->rings.loss(c->sink->rings.arg, loss) : 0;
}

/*
 * What was lost lies between two records.  What kinds they were the kernel does not say.
 * A buffer that gave nothing yet was empty at the pass before.
 */
static int on_gap(void *arg, uint32_t cpu, uint64_t last_ns, uint64_t next_ns, uint64_t n)
{
	struct ftrace_capture *c = arg;
	struct kt_loss loss = { .stream = cpu, .lost = { [KT_EV_NONE] = n } };

	kt_loss_between(&loss, last_ns ? last_ns : c->pass_ns, next_ns);
	kt_live_gap(c->live, cpu);
	return lose(c, &loss, n);
}

static int on_events(void *arg, uint32_t cpu, const struct kt_event *ev, size_t n)
{
	struct ftrace_capture *c = arg;

	return c->sink->rings.events(c->sink->rings.arg, cpu, ev, n);
}

static int on_idents(void *arg, const struct kt_ident *id, size_t n)
{
	struct ftrace_capture *c = arg;

	return c->sink->idents(c->sink->rings.arg, id, n);
}

static uint32_t tgid_of(void *arg, uint32_t tid)
{
	char path[64], line[128];
	unsigned int tgid = 0;
	FILE *f;

	(void)arg;
	snprintf(path, sizeof(path), "/proc/%u/status", tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %u", &tgid) == 1)
			break;
	if (f)
		fclose(f);
	return tgid;
}

/* ---- filters ---- */

static void on_runs(void *arg, uint32_t tid, bool wanted)
{
	struct ftrace_capture *c = arg;
	unsigned int i = 0;

	while (i < c->nr_excluded && c->excluded[i] != tid)
		i++;
	if (!wanted && i == c->nr_excluded && i < KT_PLAN_EXCLUDED) {
		c->excluded[c->nr_excluded++] = tid;
		c->exclusion_changed = true;
	} else if (wanted && i < c->nr_excluded) {
		c->excluded[i] = c->excluded[--c->nr_excluded];
		c->exclusion_changed = c->wanted_again = true;
	}
}

/*
 * Each write waits for all CPUs, so once in a pass.  A thread that was left out and
 * now runs a vCPU that is wanted has lost what it did until here.
 */
static int tell_kernel(struct ftrace_capture *c)
{
	struct kt_loss loss = { .from_ns = c->settled_ns[1], .stream = KT_STREAM_SIDE,
				.lost = { [KT_EV_NONE] = 1 } };
	int err;

	if (!c->exclusion_changed)
		return 0;
	c->exclusion_changed = false;
	err = kt_plan_exclude(c->plan, c->tracefs, c->excluded, c->nr_excluded);
	if (err)
		kt_warn("cannot filter by thread in the kernel (%s): filtering here", strerror(-err));
	if (!c->wanted_again)
		return 0;
	c->wanted_again = false;
	c->lost++;
	loss.until_ns = kt_host_now_ns();
	return c->sink->rings.loss(c->sink->rings.arg, &loss);
}

/* ---- what was lost beside the pages ---- */

static int drain_skips(struct ftrace_capture *c, uint64_t now_ns)
{
	struct kt_loss loss = { .from_ns = c->settled_ns[1], .stream = KT_STREAM_SIDE };
	char *profile = kt_tracefs_probe_profile();
	uint64_t sum = 0, n;

	for (unsigned int i = 0; profile && i < c->plan->nr; i++) {
		struct kt_plan_event *e = &c->plan->event[i];

		if (!e->is_probe)
			continue;
		n = kt_tracefs_probe_misses(profile, e->name);
		loss.lost[e->kind] += n - e->skipped;
		sum += n - e->skipped;
		e->skipped = n;
	}
	free(profile);
	n = kt_live_take_untold(c->live);
	loss.lost[KT_EV_LR] += n;
	/* After the counters: the recorder may have been stopped before them.  Tracing ended before the last pass. */
	loss.until_ns = c->stopped ? now_ns - 1 : kt_host_now_ns();
	return lose(c, &loss, sum + n);
}

/* The buffer is empty and off: what the kernel counts beyond what pages told was lost at the end. */
static int drain_ends(struct ftrace_capture *c, uint64_t now_ns)
{
	int err = 0;

	for (uint32_t cpu = 0; cpu < c->nr_cpus && !err; cpu++) {
		uint64_t n = kt_pages_untold(c->pages, cpu);

		if (n)
			err = on_gap(c, cpu, c->pass_ns, now_ns, n);
	}
	return err;
}

static int ftrace_drain(struct kt_capture *base, uint64_t now_ns,
			const struct kt_capture_sink *sink)
{
	static const struct kt_pages_sink template = { .record = on_record, .gap = on_gap };
	struct ftrace_capture *c = ftrace_capture(base);
	struct kt_pages_sink ps = template;
	uint64_t until_ns = c->stopped ? UINT64_MAX : now_ns - SETTLE_NS;
	int err;

	ps.arg = c;
	c->sink = sink;
	err = kt_pages_drain(c->pages, until_ns, &ps);
	if (!err)
		err = kt_live_flush(c->live, c->stopped);
	if (!err)
		err = drain_skips(c, now_ns);
	if (!err && c->stopped)
		err = drain_ends(c, now_ns);
	else if (!err)
		err = tell_kernel(c);
	/* An exit may have waited for one flush: what the pass before last read is out. */
	c->watermark_ns = c->stopped ? now_ns : c->settled_ns[0];
	c->settled_ns[0] = c->settled_ns[1];
	c->settled_ns[1] = now_ns - SETTLE_NS;
	c->pass_ns = now_ns;
	c->sink = NULL;
	return err;
}

/* ---- opening ---- */

static int check_host(void)
{
	struct utsname uts;

	if (uname(&uts) || strcmp(uts.machine, "aarch64"))
		return kt_err(-ENOTSUP, "this is a %s host: recording needs KVM on arm64; "
			      "report and timeline read recordings here", uts.machine);
	if (access("/dev/kvm", F_OK))
		return kt_err(-ENODEV, "no KVM on this host (/dev/kvm: %s): boot with EL2 enabled, "
			      "or run where the VMs run", strerror(errno));
	return 0;
}

static int set_up(struct ftrace_capture *c, const struct kt_capture_opts *o)
{
	struct kt_tracefs *t = c->tracefs;
	char text[32];
	int err;

	c->buffer_bytes = o->buffer_bytes;
	if (o->buffer_total_max && c->buffer_bytes > o->buffer_total_max / c->nr_cpus)
		c->buffer_bytes = o->buffer_total_max / c->nr_cpus;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(c->buffer_bytes + 1023) / 1024);
	err = kt_tracefs_write(t, "buffer_size_kb", text);
	if (err)
		return kt_err(err, "cannot make trace buffers of %s KiB on each of %u CPUs (%s): make "
			      "them smaller with --buffer-size", text, c->nr_cpus, strerror(-err));
	err = kt_tracefs_write(t, "trace_clock", "mono");
	if (err)
		return kt_err(err, "this kernel has no mono trace clock (%s): times could not be "
			      "compared with anything", strerror(-err));
	/* Only of use where no probe can tell the process; the kernel keeps it per instance. */
	(void)kt_tracefs_write(t, "options/record-tgid", "1");
	err = kt_tracefs_write(t, "options/overwrite", "1");
	/* Before 4.4 an instance has no options of its own, and this one is on. */
	if (err == -ENOENT)
		err = 0;
	return err ? kt_err(err, "cannot set the options of our trace instance: %s", strerror(-err)) : 0;
}

static void ftrace_close(struct kt_capture *base);

static int ftrace_open(const struct kt_capture_opts *o, struct kt_facts *facts,
		       struct kt_capture **out)
{
	struct kt_live_sink sink = { .events = on_events, .idents = on_idents,
				     .runs = on_runs, .tgid_of = tgid_of };
	struct kt_live_opts lo = { .knobs = o->knobs };
	struct ftrace_capture *c;
	int err = check_host();

	if (err)
		return err;
	c = calloc(1, sizeof(*c));
	if (!c)
		return kt_err(-ENOMEM, "out of memory");
	c->base.ops = &kt_source_ftrace;
	c->nr_cpus = lo.nr_cpus = libbpf_num_possible_cpus();
	sink.arg = c;
	err = kt_tracefs_open(&c->tracefs);
	if (!err)
		err = set_up(c, o);
	if (!err)
		err = kt_plan_new(c->tracefs, o, facts, &c->plan);
	if (!err)
		err = kt_pages_open(c->tracefs, c->nr_cpus, c->buffer_bytes, &c->pages);
	if (err)
		goto out;
	lo.layout = c->plan->layout;
	lo.fold_out_in_regs = c->plan->fold_out_in_regs;
	lo.lr_tracepoints = c->plan->lr_tracepoints;
	err = kt_live_new(&lo, &sink, &c->live);
	if (err) {
		err = kt_err(err, "out of memory");
		goto out;
	}
	err = kt_tracefs_write(c->tracefs, "tracing_on", "1");
	if (err) {
		err = kt_err(err, "cannot start tracing: %s", strerror(-err));
		goto out;
	}
	*out = &c->base;
	kt_kernel_facts(facts);
	return kt_facts_set(facts, "capture.instance", kt_tracefs_name(c->tracefs));
out:
	ftrace_close(&c->base);
	return err;
}

static void ftrace_stop(struct kt_capture *base)
{
	struct ftrace_capture *c = ftrace_capture(base);

	if (c->stopped)
		return;
	(void)kt_tracefs_write(c->tracefs, "tracing_on", "0");
	(void)kt_tracefs_write(c->tracefs, "events/enable", "0");
	c->stopped = true;
}

static uint64_t ftrace_watermark_ns(const struct kt_capture *base)
{
	return ((const struct ftrace_capture *)base)->watermark_ns;
}

static void ftrace_stats(struct kt_capture *base, struct kt_capture_stats *out)
{
	struct ftrace_capture *c = ftrace_capture(base);
	const struct kt_pages_stats *ps = kt_pages_stats(c->pages);

	out->events = kt_live_events(c->live);
	out->records = ps->records;
	out->lost = c->lost;
	out->fill_permille = ps->fill_permille;
	out->nr_cpus = c->nr_cpus;
	out->buffer_bytes = c->buffer_bytes;
}

static void ftrace_new_file(struct kt_capture *base)
{
	kt_live_new_file(ftrace_capture(base)->live);
}

static void ftrace_close(struct kt_capture *base)
{
	struct ftrace_capture *c = ftrace_capture(base);

	if (c->tracefs)
		ftrace_stop(base);
	kt_pages_close(c->pages);
	kt_live_free(c->live);
	kt_plan_free(c->plan);
	kt_tracefs_close(c->tracefs);
	free(c);
}

const struct kt_source_ops kt_source_ftrace = {
	.name = "ftrace",
	.open = ftrace_open,
	.drain = ftrace_drain,
	.stop = ftrace_stop,
	.watermark_ns = ftrace_watermark_ns,
	.stats = ftrace_stats,
	.new_file = ftrace_new_file,
	.close = ftrace_close,
};
