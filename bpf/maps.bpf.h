/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MAPS_BPF_H
#define MAPS_BPF_H

#include <kvmtimer/knobs.h>
#include <kvmtimer/ring.h>

/*
 * Sizes marked 1 are set by the recorder before load.  Hash maps are
 * preallocated: tracing programs may not allocate on the kernels before 6.1.
 */
#define MAX_VCPUS 16384

const volatile struct kt_knobs knobs = {
	.ring_slots = 1,
	.nr_cpus = 1,
};

/* Counts destroyed vCPUs: a CPU's cached identity is void once it moves. */
__u32 identity_gen = 0;
/* Identity rows written; the recorder reads `idents` when it moved. */
__u64 nr_idents = 0;
/* vCPUs that found no room in the maps: their events carry a thread id only. */
__u64 lost_idents = 0;
/* Moved by the recorder when it begins a new file: offsets are told again. */
__u32 file_epoch = 0;
/* Events that found no room in the side ring, by kind. */
__u64 side_lost[KT_KIND_MAX] = {};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kt_cpu);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kt_event);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} side SEC(".maps");

/* Live vCPUs by pointer. */
struct vcpu_state {
	__u32 who;		/* 0: filtered out */
	__u32 tid;		/* of the thread that last ran it */
	__u64 kvm;
	__u32 irq[KT_TIMER_NR];
	__u32 host_irq[KT_TIMER_NR];
	__u32 offset_gen;
	__u32 offset_epoch;
	__u32 offset_known;	/* bit per timer: told in this epoch */
	__u32 user_irqchip;
	__u64 offset_ticks[2];	/* ptimer, vtimer */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_VCPUS);
	__type(key, __u64);
	__type(value, struct vcpu_state);
} vcpus SEC(".maps");

/* Live VMs by pointer; the generation tells two lives of one pointer apart. */
struct vm_state {
	__u32 vm_gen;
	__u32 tgid;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_VCPUS);
	__type(key, __u64);
	__type(value, struct vm_state);
} vms SEC(".maps");

/* The vCPU that a thread last ran: for events after vcpu_put, which have no other identity. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_VCPUS);
	__type(key, __u32);
	__type(value, __u64);
} threads SEC(".maps");

/*
 * What one sample of the list registers reads, too large for the stack beside
 * the callers' frames.  Used with interrupts off only.
 */
#define MAX_LRS 16		/* GICv3 has up to 16; a GICv2 with more is not known */
#define VGIC_IRQ_BYTES 160	/* struct vgic_irq: 72 to 104 bytes on 5.10 to 7.2 */

struct lr_set {
	__u32 used;
	__u32 narrow[MAX_LRS];	/* GICv2 words before widening */
	__u64 lr[MAX_LRS];
	__u8 irq[VGIC_IRQ_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lr_set);
} lr_sets SEC(".maps");

/* Identity rows for the recorder, which deletes what it has stored; the key means nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_VCPUS);
	__type(key, __u32);
	__type(value, struct kt_ident);
} idents SEC(".maps");

#endif
