/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Records in one block of the recording: 64 KiB keeps a killed file's tail short. */
#define RUN_MAX 2048

struct cpu_reader {
	uint64_t seen_head;		/* head as the last pass saw it */
	uint64_t lost[KT_KIND_MAX];	/* counters as the last pass saw them */
	uint64_t end[KT_KIND_MAX];	/* and as kt_rings_end saw them */
};

struct kt_rings {
	struct kt_cpu *cpus;
	const struct kt_event *ring;
	uint32_t nr_cpus, slots;
	struct cpu_reader *reader;
	uint64_t pass_ns[2];		/* start of the last pass, and of the one before */
	uint64_t watermark_ns;
	uint64_t taken, lost;
	unsigned int fill_permille;
	bool ended;
};

int kt_rings_new(struct kt_cpu *cpus, uint32_t nr_cpus, const struct kt_event *ring,
		 uint32_t slots, struct kt_rings **out)
{
	struct kt_rings *r;

	if (!nr_cpus || !slots || (slots & (slots - 1)))
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->reader = calloc(nr_cpus, sizeof(*r->reader));
	if (!r->reader) {
		free(r);
		return -ENOMEM;
	}
	r->cpus = cpus;
	r->nr_cpus = nr_cpus;
	r->ring = ring;
	r->slots = slots;
	*out = r;
	return 0;
}

void kt_rings_free(struct kt_rings *r)
{
	if (!r)
		return;
	free(r->reader);
	free(r);
}

static int drain_events(struct kt_rings *r, uint32_t cpu, uint64_t limit,
			const struct kt_rings_sink *sink)
{
	const struct kt_event *slice = r->ring + (size_t)cpu * r->slots;
	struct kt_cpu *c = &r->cpus[cpu];
	uint64_t tail = c->tail;
	int err;

	while (tail < limit) {
		size_t at = tail & (r->slots - 1);
		size_t n = limit - tail;

		if (n > r->slots - at)
			n = r->slots - at;
		if (n > RUN_MAX)
			n = RUN_MAX;
		err = sink->events(sink->arg, cpu, slice + at, n);
		if (err)
			return err;
		tail += n;
		r->taken += n;
		/* The CPU may overwrite these slots from here on. */
		__atomic_store_n(&c->tail, tail, __ATOMIC_RELEASE);
	}
	return 0;
}

static uint64_t lost_count(const struct kt_rings *r, uint32_t cpu, unsigned int kind)
{
	return r->ended ? r->reader[cpu].end[kind] :
			  __atomic_load_n(&r->cpus[cpu].lost[kind], __ATOMIC_ACQUIRE);
}

static int drain_losses(struct kt_rings *r, uint32_t cpu, const struct kt_rings_sink *sink)
{
	struct kt_loss loss = { .from_ns = r->pass_ns[0], .stream = cpu };
	struct cpu_reader *reader = &r->reader[cpu];
	bool any = false;

	for (unsigned int k = 0; k < KT_KIND_MAX; k++) {
		uint64_t count = lost_count(r, cpu, k);

		loss.lost[k] = count - reader->lost[k];
		reader->lost[k] = count;
		r->lost += loss.lost[k];
		any |= loss.lost[k] != 0;
	}
	if (!any)
		return 0;
	loss.until_ns = sink->clock_ns(sink->arg);
	return sink->loss(sink->arg, &loss);
}

void kt_rings_end(struct kt_rings *r)
{
	for (uint32_t cpu = 0; cpu < r->nr_cpus && !r->ended; cpu++)
		for (unsigned int k = 0; k < KT_KIND_MAX; k++)
			r->reader[cpu].end[k] = lost_count(r, cpu, k);
	r->ended = true;
}

static void note_fill(struct kt_rings *r, uint32_t cpu, uint64_t head)
{
	unsigned int fill = (head - r->cpus[cpu].tail) * 1000 / r->slots;

	if (fill > r->fill_permille)
		r->fill_permille = fill;
}

int kt_rings_drain(struct kt_rings *r, uint64_t now_ns, bool final,
		   const struct kt_rings_sink *sink)
{
	int err;

	r->fill_permille = 0;
	for (uint32_t cpu = 0; cpu < r->nr_cpus; cpu++) {
		struct cpu_reader *reader = &r->reader[cpu];
		uint64_t head = __atomic_load_n(&r->cpus[cpu].head, __ATOMIC_ACQUIRE);

		note_fill(r, cpu, head);
		err = drain_events(r, cpu, final ? head : reader->seen_head, sink);
		if (err)
			return err;
		reader->seen_head = head;
		err = drain_losses(r, cpu, sink);
		if (err)
			return err;
	}
	/*
	 * Heads read in the last pass are what this one took.  A program that was
	 * interrupted between its clock and its head had until then to finish,
	 * so the start of the pass before that is safe.
	 */
	r->watermark_ns = final ? now_ns : r->pass_ns[1];
	r->pass_ns[1] = r->pass_ns[0];
	r->pass_ns[0] = now_ns;
	return 0;
}

uint64_t kt_rings_watermark_ns(const struct kt_rings *r)
{
	return r->watermark_ns;
}

uint64_t kt_rings_taken(const struct kt_rings *r)
{
	return r->taken;
}

uint64_t kt_rings_lost(const struct kt_rings *r)
{
	return r->lost;
}

unsigned int kt_rings_fill_permille(const struct kt_rings *r)
{
	return r->fill_permille;
}
