/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EMIT_BPF_H
#define EMIT_BPF_H

/*
 * How an event leaves a program: fill kind, sub and payload of a struct
 * kt_event, then
 *
 *	emit(cpu, who, &ev)		from code that runs with preemption off
 *	emit_side(cpu, who, &ev)	from code that may be preempted
 *
 * See include/kvmtimer/ring.h for why there are two ways.
 */
#include "maps.bpf.h"

#define barrier() asm volatile("" ::: "memory")

static __always_inline struct kt_cpu *this_cpu(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&cpus, &cpu);
}

/* Strictly increasing per CPU, so that order within a CPU survives a coarse counter. */
static __always_inline __u64 stamp(struct kt_cpu *c)
{
	__u64 now_ns = bpf_ktime_get_ns();

	if (now_ns <= c->last_ns)
		now_ns = c->last_ns + 1;
	c->last_ns = now_ns;
	return now_ns;
}

static __noinline int emit_side(struct kt_cpu *c, __u32 who, struct kt_event *ev)
{
	struct kt_event *out;

	if (!c || !ev)
		return 0;
	out = bpf_ringbuf_reserve(&side, sizeof(*out), 0);
	if (!out) {
		__sync_fetch_and_add(&side_lost[ev->kind & (KT_KIND_MAX - 1)], 1);
		return 0;
	}
	*out = *ev;
	out->who = who;
	out->pcpu = bpf_get_smp_processor_id();
	out->ts_ns = stamp(c);
	bpf_ringbuf_submit(out, BPF_RB_NO_WAKEUP);
	return 0;
}

/*
 * `busy` is set before the clock is read: an interrupt that comes earlier
 * leaves an earlier time in an earlier slot, one that comes later uses the
 * side ring.  So a CPU's slice is sorted.
 */
static __always_inline void emit(struct kt_cpu *c, __u32 who, struct kt_event *ev)
{
	struct kt_event *slot;
	__u32 cpu, index;
	__u64 head;

	if (c->busy) {
		emit_side(c, who, ev);
		return;
	}
	c->busy = 1;
	barrier();

	cpu = bpf_get_smp_processor_id();
	head = c->head;
	if (head - c->tail >= knobs.ring_slots) {
		__sync_fetch_and_add(&c->lost[ev->kind & (KT_KIND_MAX - 1)], 1);
		goto out;
	}
	index = (cpu << knobs.ring_shift) | ((__u32)head & (knobs.ring_slots - 1));
	slot = bpf_map_lookup_elem(&ring, &index);
	if (!slot)
		goto out;
	slot->ts_ns = stamp(c);
	slot->who = who;
	slot->kind = ev->kind;
	slot->sub = ev->sub;
	slot->pcpu = cpu;
	slot->raw[0] = ev->raw[0];
	slot->raw[1] = ev->raw[1];
	barrier();
	c->head = head + 1;
out:
	barrier();
	c->busy = 0;
}

#endif
