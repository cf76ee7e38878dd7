/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BPF source: loads the object, attaches what this kernel takes, reads
 * the rings.  What is possible is found by trying, never from a version.
 */
#include "capture.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bpf_explain.h"
#include "host.h"
#include "kernel_facts.h"
#include "kvmtimer.skel.h"
#include "log.h"
#include "probe.skel.h"
#include "probes.h"

#define DEFAULT_SIDE_BYTES (1u << 20)
#define SIDE_BATCH 512

struct bpf_capture {
	struct kt_capture base;
	struct kvmtimer_bpf *skel;
	struct bpf_link *links[KT_PROBES_MAX];
	struct kt_cpu *cpus;
	struct kt_event *ring;
	size_t cpus_bytes, ring_bytes;
	struct kt_rings *rings;
	struct ring_buffer *side;
	struct kt_event side_batch[SIDE_BATCH];
	size_t side_n;
	const struct kt_capture_sink *sink;	/* during a pass */
	int sink_err;
	uint64_t side_lost_seen[KT_KIND_MAX], skipped_seen[KT_PROBES_MAX];
	uint64_t side_lost_end[KT_KIND_MAX], skipped_end[KT_PROBES_MAX];	/* as the stop saw them */
	uint64_t taken;				/* events given to the sink */
	uint64_t lost_extra;			/* beside the per-CPU rings */
	uint64_t idents_seen, pass_ns;
	uint64_t stop_ns;			/* 0: running; what comes later is not ours */
	int stats_fd;
};

static struct bpf_capture *bpf_capture(struct kt_capture *base)
{
	return (struct bpf_capture *)base;
}

static void bpf_close(struct kt_capture *base);

/* ---- loading ---- */

static unsigned int log2_up(uint64_t n)
{
	unsigned int shift = 0;

	while (shift < 31 && (1ull << shift) < n)
		shift++;
	return shift;
}

static void size_rings(const struct kt_capture_opts *o, struct kt_knobs *k)
{
	uint64_t slots = o->buffer_bytes / sizeof(struct kt_event);

	k->nr_cpus = libbpf_num_possible_cpus();
	k->ring_shift = log2_up(slots ? slots : 1);
	while (o->buffer_total_max && k->ring_shift > 0 &&
	       ((uint64_t)k->nr_cpus << k->ring_shift) * sizeof(struct kt_event) >
	       o->buffer_total_max)
		k->ring_shift--;
	k->ring_slots = 1u << k->ring_shift;
}

/* Loads a program with nothing in it and attaches it: the only proof that fentry works. */
static bool fentry_works(void)
{
	struct probe_bpf *skel = probe_bpf__open();
	bool works = false;

	if (!skel)
		return false;
	works = !probe_bpf__load(skel) && !probe_bpf__attach(skel);
	probe_bpf__destroy(skel);
	return works;
}

static int set_sizes(struct kvmtimer_bpf *skel, const struct kt_capture_opts *o)
{
	const struct kt_knobs *k = &skel->rodata->knobs;
	uint32_t side = 1u << log2_up(o->side_bytes ? o->side_bytes : DEFAULT_SIDE_BYTES);
	uint32_t page = sysconf(_SC_PAGESIZE);
	int err;

	err = bpf_map__set_max_entries(skel->maps.cpus, k->nr_cpus);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.ring, k->nr_cpus << k->ring_shift);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.side, side < page ? page : side);
	return err;
}

static void *map_memory(struct bpf_map *map, size_t bytes, int prot)
{
	void *p = mmap(NULL, bytes, prot, MAP_SHARED, bpf_map__fd(map), 0);

	return p == MAP_FAILED ? NULL : p;
}

static size_t page_up(size_t n)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (n + page - 1) / page * page;
}

static int on_side(void *arg, void *data, size_t size);

static int map_rings(struct bpf_capture *c)
{
	const struct kt_knobs *k = &c->skel->rodata->knobs;
	int err;

	c->cpus_bytes = page_up(k->nr_cpus * sizeof(struct kt_cpu));
	c->ring_bytes = page_up(((size_t)k->nr_cpus << k->ring_shift) * sizeof(struct kt_event));
	c->cpus = map_memory(c->skel->maps.cpus, c->cpus_bytes, PROT_READ | PROT_WRITE);
	c->ring = map_memory(c->skel->maps.ring, c->ring_bytes, PROT_READ);
	if (!c->cpus || !c->ring)
		return kt_err(-errno, "cannot map the event rings (%zu KiB): %s",
			      (c->cpus_bytes + c->ring_bytes) >> 10, strerror(errno));
	err = kt_rings_new(c->cpus, k->nr_cpus, c->ring, k->ring_slots, &c->rings);
	if (err)
		return kt_err(err, "cannot set up the event rings: %s", strerror(-err));
	c->side = ring_buffer__new(bpf_map__fd(c->skel->maps.side), on_side, c, NULL);
	if (!c->side)
		return kt_err(-errno, "cannot map the side ring: %s", strerror(errno));
	return 0;
}

/* ---- attaching ---- */

static void note_probe(struct kt_facts *facts, const struct kt_probe *p, const char *text)
{
	char key[80];

	snprintf(key, sizeof(key), "capture.probe.%s", p->name);
	(void)kt_facts_set(facts, key, text);
}

static int attach_one(struct bpf_program *prog, const struct kt_probe *p, const char *target,
		      struct bpf_link **link)
{
	switch (p->how) {
	case KT_HOW_RAW_TP:
		*link = bpf_program__attach_raw_tracepoint(prog, target);
		break;
	case KT_HOW_KPROBE:
		*link = bpf_program__attach_kprobe(prog, false, target);
		break;
	case KT_HOW_KRETPROBE:
		*link = bpf_program__attach_kprobe(prog, true, target);
		break;
	case KT_HOW_FENTRY:
		*link = bpf_program__attach_trace(prog);
		break;
	default:
		return -EINVAL;
	}
	return *link ? 0 : -errno;
}

static int attach_all(struct bpf_capture *c, struct kt_facts *facts)
{
	uint8_t gic = c->skel->rodata->knobs.gic;
	int err, i;

	for (i = 0; i < kt_nr_probes; i++) {
		const struct kt_probe *p = &kt_probes[i];
		struct bpf_program *prog;

		prog = bpf_object__find_program_by_name(c->skel->obj, p->program);
		if (!prog || !bpf_program__autoload(prog))
			continue;
		err = attach_one(prog, p, kt_probe_target(p, gic), &c->links[i]);
		if (!err) {
			note_probe(facts, p, kt_how_name(p->how));
			continue;
		}
		if (p->required)
			return kt_explain_attach(err, p);
		kt_warn("cannot observe %s (%s): %s", kt_probe_target(p, gic), strerror(-err),
			p->lost);
		note_probe(facts, p, strerror(-err));
	}
	return 0;
}

/* Decides which form of each sample is loaded. */
static int choose_programs(struct kvmtimer_bpf *skel, const struct kt_capture_opts *o)
{
	bool lr = o->detail == KT_DETAIL_LR && skel->rodata->knobs.gic;
	bool tracepoints = lr && !o->no_tracepoints && kt_kernel_has_lr_tracepoints();
	bool fentry = lr && !o->no_fentry && fentry_works();
	int err = 0, i;

	skel->rodata->knobs.lr_tracepoints = tracepoints;

	for (i = 0; i < kt_nr_probes && !err; i++) {
		const struct kt_probe *p = &kt_probes[i];
		struct bpf_program *prog;
		bool load;

		prog = bpf_object__find_program_by_name(skel->obj, p->program);
		if (!prog)
			return kt_err(-ENOENT, "program %s is missing from the BPF object", p->program);
		load = p->detail == KT_DETAIL_LINE || lr;
		if (p->group == KT_GROUP_TRACEPOINT)
			load = load && tracepoints;
		else if (p->group != KT_GROUP_ALWAYS && kt_probe_has_tracepoint(p))
			load = load && !tracepoints;
		if (p->group == KT_GROUP_FENTRY)
			load = load && fentry;
		if (p->group == KT_GROUP_KPROBE)
			load = load && !fentry;
		err = bpf_program__set_autoload(prog, load);
		if (!err && load && p->how == KT_HOW_FENTRY)
			err = bpf_program__set_attach_target(prog, 0,
					kt_probe_target(p, skel->rodata->knobs.gic));
	}
	return err;
}

static int bpf_open(const struct kt_capture_opts *o, struct kt_facts *facts,
		    struct kt_capture **out)
{
	struct bpf_capture *c;
	int err;

	err = kt_check_host();
	if (err)
		return err;
	c = calloc(1, sizeof(*c));
	if (!c)
		return kt_err(-ENOMEM, "out of memory");
	c->base.ops = &kt_source_bpf;
	c->stats_fd = -1;
	kt_libbpf_quiet();
	c->skel = kvmtimer_bpf__open();
	if (!c->skel) {
		err = kt_err(-errno, "cannot open the BPF object: %s", strerror(errno));
		goto out;
	}
	c->skel->rodata->knobs = o->knobs;
	size_rings(o, &c->skel->rodata->knobs);
	err = set_sizes(c->skel, o);
	if (!err)
		err = choose_programs(c->skel, o);
	if (err)
		goto out;
	err = kvmtimer_bpf__load(c->skel);
	if (err) {
		err = kt_explain_load(err);
		goto out;
	}
	err = map_rings(c);
	if (!err)
		err = attach_all(c, facts);
	if (err)
		goto out;
	/* Programs went on one by one: only from here on all see everything. */
	(void)kt_facts_setf(facts, "capture.attached_ns", "%" PRIu64, kt_host_now_ns());
	kt_kernel_facts(facts);
	*out = &c->base;
	return 0;
out:
	bpf_close(&c->base);
	return err;
}

/* ---- reading ---- */

/*
 * Programs come off one by one.  Events from after the first went would show a
 * half of what happened, so the recording ends where the stop began.
 */
static size_t before_stop(const struct bpf_capture *c, const struct kt_event *ev, size_t n)
{
	while (c->stop_ns && n && ev[n - 1].ts_ns > c->stop_ns)
		n--;
	return n;
}

static int on_ring(void *arg, uint32_t cpu, const struct kt_event *ev, size_t n)
{
	struct bpf_capture *c = arg;

	n = before_stop(c, ev, n);
	c->taken += n;
	return n ? c->sink->rings.events(c->sink->rings.arg, cpu, ev, n) : 0;
}

/* What was lost before the stop was lost by then. */
static uint64_t clock_ns(void *arg)
{
	const struct bpf_capture *c = arg;

	return c->stop_ns ? c->stop_ns : kt_host_now_ns();
}

static int on_loss(void *arg, const struct kt_loss *loss)
{
	struct bpf_capture *c = arg;

	return c->sink->rings.loss(c->sink->rings.arg, loss);
}

static int flush_side(struct bpf_capture *c)
{
	size_t n = c->side_n;

	c->side_n = 0;
	c->taken += n;
	return n ? c->sink->side(c->sink->rings.arg, c->side_batch, n) : 0;
}

static int on_side(void *arg, void *data, size_t size)
{
	struct bpf_capture *c = arg;

	if (size < sizeof(struct kt_event) || !before_stop(c, data, 1))
		return 0;
	memcpy(&c->side_batch[c->side_n++], data, sizeof(struct kt_event));
	if (c->side_n == SIDE_BATCH)
		c->sink_err = flush_side(c);
	return c->sink_err;
}

static int drain_side(struct bpf_capture *c)
{
	int n;

	c->sink_err = 0;
	n = ring_buffer__consume(c->side);
	if (c->sink_err)
		return c->sink_err;
	if (n < 0)
		return kt_err(n, "cannot read the side ring: %s", strerror(-n));
	return flush_side(c);
}

static int by_first_ns(const void *pa, const void *pb)
{
	const struct kt_ident *a = pa, *b = pb;

	return a->first_ns < b->first_ns ? -1 : a->first_ns > b->first_ns;
}

/* Takes the rows out of the map; *out is the caller's to free. */
static int take_idents(int fd, struct kt_ident **out, size_t *n)
{
	struct kt_ident id, *bigger;
	uint32_t key;

	*n = 0;
	while (!bpf_map_get_next_key(fd, NULL, &key) && !bpf_map_lookup_elem(fd, &key, &id)) {
		bigger = realloc(*out, (*n + 1) * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		*out = bigger;
		bigger[(*n)++] = id;
		bpf_map_delete_elem(fd, &key);
	}
	return 0;
}

/*
 * A vCPU's row is written again when its thread becomes known; the map gives
 * rows in no order, and the newest must come last.
 */
static int drain_idents(struct bpf_capture *c)
{
	uint64_t written = c->skel->bss->nr_idents;
	struct kt_ident *rows = NULL;
	int err;
	size_t n;

	if (written == c->idents_seen)
		return 0;
	c->idents_seen = written;
	err = take_idents(bpf_map__fd(c->skel->maps.idents), &rows, &n);
	if (n) {
		int sink_err;

		qsort(rows, n, sizeof(*rows), by_first_ns);
		sink_err = c->sink->idents(c->sink->rings.arg, rows, n);
		if (sink_err)
			err = sink_err;
	}
	free(rows);
	return err;
}

/* Times the kernel did not run a program at all: our own counters never see them. */
static uint64_t skipped(struct bpf_capture *c, int i)
{
	struct bpf_prog_info info = {};
	struct bpf_program *prog;
	uint32_t len = sizeof(info);

	/* The program outlives its link, so the stop sees the last skip. */
	prog = bpf_object__find_program_by_name(c->skel->obj, kt_probes[i].program);
	if (!prog || !bpf_program__autoload(prog) ||
	    bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
		return c->skipped_seen[i];
	return info.recursion_misses;
}

/* What is lost while programs come off one by one is not of this recording. */
static void end_losses(struct bpf_capture *c)
{
	kt_rings_end(c->rings);
	for (int i = 0; i < KT_KIND_MAX; i++)
		c->side_lost_end[i] = c->skel->bss->side_lost[i];
	for (int i = 0; i < kt_nr_probes; i++)
		c->skipped_end[i] = skipped(c, i);
}

static int drain_side_losses(struct bpf_capture *c)
{
	struct kt_loss loss = { .from_ns = c->pass_ns, .stream = KT_STREAM_SIDE };
	uint64_t sum = 0, count;
	int i;

	for (i = 0; i < KT_KIND_MAX; i++) {
		count = c->stop_ns ? c->side_lost_end[i] : c->skel->bss->side_lost[i];
		loss.lost[i] += count - c->side_lost_seen[i];
		c->side_lost_seen[i] = count;
	}
	for (i = 0; i < kt_nr_probes; i++) {
		count = c->stop_ns ? c->skipped_end[i] : skipped(c, i);
		loss.lost[kt_probes[i].kind] += count - c->skipped_seen[i];
		c->skipped_seen[i] = count;
	}
	for (i = 0; i < KT_KIND_MAX; i++)
		sum += loss.lost[i];
	c->lost_extra += sum;
	if (!sum)
		return 0;
	/* After the counters: the recorder may have been stopped before them. */
	loss.until_ns = clock_ns(c);
	return c->sink->rings.loss(c->sink->rings.arg, &loss);
}

static int bpf_drain(struct kt_capture *base, uint64_t now_ns, const struct kt_capture_sink *sink)
{
	struct bpf_capture *c = bpf_capture(base);
	const struct kt_rings_sink sorted = { .arg = c, .events = on_ring, .loss = on_loss,
					      .clock_ns = clock_ns };
	int err;

	c->sink = sink;
	err = drain_idents(c);
	if (!err)
		err = drain_side(c);
	if (!err)
		err = drain_side_losses(c);
	if (!err)
		err = kt_rings_drain(c->rings, now_ns, c->stop_ns != 0, &sorted);
	c->pass_ns = now_ns;
	c->sink = NULL;
	return err;
}

static void bpf_stop(struct kt_capture *base)
{
	struct bpf_capture *c = bpf_capture(base);
	int i;

	if (!c->stop_ns && c->rings) {
		c->stop_ns = kt_host_now_ns();
		end_losses(c);
	}
	for (i = 0; i < kt_nr_probes; i++) {
		bpf_link__destroy(c->links[i]);
		c->links[i] = NULL;
	}
}

static uint64_t bpf_watermark_ns(const struct kt_capture *base)
{
	return kt_rings_watermark_ns(((const struct bpf_capture *)base)->rings);
}

/* ---- figures ---- */

static double mean_cost_ns(struct bpf_capture *c)
{
	uint64_t ns = 0, runs = 0;
	int i;

	for (i = 0; i < kt_nr_probes; i++) {
		struct bpf_prog_info info = {};
		uint32_t len = sizeof(info);
		struct bpf_program *prog;

		prog = bpf_object__find_program_by_name(c->skel->obj, kt_probes[i].program);
		if (!bpf_program__autoload(prog) ||
		    bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
			continue;
		ns += info.run_time_ns;
		runs += info.run_cnt;
	}
	return runs ? (double)ns / runs : 0;
}

static void bpf_stats(struct kt_capture *base, struct kt_capture_stats *out)
{
	struct bpf_capture *c = bpf_capture(base);
	const struct kt_knobs *k = &c->skel->rodata->knobs;

	memset(out, 0, sizeof(*out));
	out->events = c->taken;
	out->records = out->events;
	out->lost = kt_rings_lost(c->rings) + c->lost_extra;
	out->lost_idents = c->skel->bss->lost_idents;
	out->fill_permille = kt_rings_fill_permille(c->rings);
	out->nr_cpus = k->nr_cpus;
	out->buffer_bytes = (uint64_t)k->ring_slots * sizeof(struct kt_event);
	out->cost_ns = mean_cost_ns(c);
}

static int bpf_measure(struct kt_capture *base, bool on)
{
	struct bpf_capture *c = bpf_capture(base);

	if (c->stats_fd >= 0)
		close(c->stats_fd);
	c->stats_fd = on ? bpf_enable_stats(BPF_STATS_RUN_TIME) : -1;
	return on && c->stats_fd < 0 ? -errno : 0;
}

static void bpf_new_file(struct kt_capture *base)
{
	bpf_capture(base)->skel->bss->file_epoch++;
}

static void bpf_close(struct kt_capture *base)
{
	struct bpf_capture *c = bpf_capture(base);

	bpf_stop(base);
	if (c->stats_fd >= 0)
		close(c->stats_fd);
	ring_buffer__free(c->side);
	kt_rings_free(c->rings);
	if (c->cpus)
		munmap(c->cpus, c->cpus_bytes);
	if (c->ring)
		munmap(c->ring, c->ring_bytes);
	kvmtimer_bpf__destroy(c->skel);
	free(c);
}

const struct kt_source_ops kt_source_bpf = {
	.name = "bpf",
	.open = bpf_open,
	.drain = bpf_drain,
	.stop = bpf_stop,
	.watermark_ns = bpf_watermark_ns,
	.stats = bpf_stats,
	.measure = bpf_measure,
	.new_file = bpf_new_file,
	.close = bpf_close,
};
