/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KVMTIMER_RING_H
#define KVMTIMER_RING_H

#include <linux/types.h>
#include <kvmtimer/event.h>

/*
 * The rings between the BPF programs and the recorder.
 *
 * Every physical CPU owns a slice of one mmapable array map (`ring`), written
 * by that CPU alone and read by the recorder through mmap: no locks, no
 * atomics, no wake-ups.  Against bpf_ringbuf this saves about 110 of 360
 * instructions per event (docs/performance.md).
 *
 * Writing is safe because the programs that use it run with preemption off, so
 * all that can come between two of them on one CPU is an interrupt, which
 * finishes first.  `busy` marks the few instructions in which a slot is being
 * filled; a program that finds it set, or that may run preemptible, uses the
 * `side` ring (a bpf_ringbuf) instead.
 *
 * Reading: BPF of 5.10 has no release store, so the recorder never takes a
 * slot that it first saw claimed in the same pass: it reads up to the head of
 * the pass before, tens of milliseconds old.
 */

/* One per possible CPU, in the mmapable array `cpus`. */
struct kt_cpu {
	/* written by the CPU's programs */
	__u64 head;		/* records ever written to this CPU's slice */
	__u64 last_ns;		/* newest ts_ns: times strictly increase per CPU */
	__u32 busy;
	__u32 next_handle[2];	/* handles given out: from task context, from interrupts */

	/* whom the loaded vCPU is; valid while gen matches and vcpu is unchanged */
	__u32 gen;
	__u64 vcpu;
	__u32 who;		/* 0: filtered out */
	__u32 offset_gen;
	__u32 irq[KT_TIMER_NR];
	__u32 host_irq[KT_TIMER_NR];
	__u32 lr_open;		/* bit per timer: the last LR sample was not "empty" */
	__u32 wire_irq;		/* argument of the get_input_level call in flight */

	/* whom bare events on this CPU belong to, while this thread runs: bpf/identity.bpf.h */
	__u64 bound_vcpu;
	__u32 bound_tid;
	__u32 map_in_irq;	/* the newest map on this CPU came from a hard interrupt */
	/* soft timer whose callback may still be running on top of this CPU's task */
	__u64 soft_vcpu;
	/* where flush is a tracepoint per list register: bit per timer since the last fold */
	__u32 lr_flushed;
	__u8 lr_named[KT_TIMER_NR];	/* and how many registers named it */

	__u64 lost[KT_KIND_MAX];	/* ring full, by kind */

	/* written by the recorder, on a cache line of its own */
	__u64 tail __attribute__((aligned(128)));
	__u64 pad[15];
};

_Static_assert(sizeof(struct kt_cpu) % 128 == 0, "CPUs do not share cache lines");

#endif
