/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_MODEL_PRIVATE_H
#define KT_MODEL_PRIVATE_H

/* Between model.c (identity, feeding), model_stats.c (figures) and model_lanes.c (steps). */
#include "gaps.h"
#include "keymap.h"
#include "model.h"

/* Line and LR as the figures need them; the lanes keep their own, finer view. */
#define LINE_UNKNOWN 2

struct timer_stats {
	uint64_t cval_ticks;
	uint64_t offset_ticks;
	uint64_t fired_ns;	/* host interrupt or soft timer whose line is not yet raised */
	uint64_t deadline_ns;	/* of that interrupt, when it is known exactly */
	uint64_t raised_ns;	/* line raised, not yet in a list register */
	uint64_t in_lr_ns;	/* pending in a list register, guest not yet entered */
	uint64_t low_ns;	/* line low while the list register is not yet empty */
	uint32_t published, rises, host_irqs, injections;
	uint8_t line, lr, ctl;
	bool cval_fresh;	/* the guest cannot have changed CVAL since it was read */
	bool offset_known;
};

enum away { AWAY_NO, AWAY_HOST, AWAY_USER, AWAY_BLOCKED, AWAY_PREEMPTED };

struct vcpu {
	uint64_t first_ns, last_ns;
	uint64_t entry_ns, exit_ns;	/* 0: not known */
	uint64_t put_ns;		/* since when away */
	uint64_t irq_ns;		/* host timer handler's map, waiting for its update_irq */
	uint64_t sleep_ns;		/* last stage of a wake-up */
	uint64_t away_ns, blocked_now_ns; /* of the exit being handled */
	uint64_t guest_ns, host_ns, user_ns, blocked_ns, preempted_ns;
	uint32_t events, entries, exits, saves, restores, migrations;
	uint32_t vm;			/* VM number, 0 unknown */
	uint16_t pcpu;
	uint8_t cause;			/* of the exit being handled */
	uint8_t away, sleep_stage;
	bool in_guest, loaded, timer_irq, gone;
	bool in_gap;			/* forgotten when a gap began, and to be forgotten when it ends */
	struct timer_stats timer[2];	/* ptimer, vtimer */
	struct timer_stats *nested;	/* hvtimer, hptimer: only with nested guests */
};

/* What people call it; apart, so that the hot part stays small. */
struct vcpu_name {
	uint32_t who, vcpu_id, vcpu_idx, tid;
	char comm[KT_COMM_LEN];
};

struct vm {
	struct kt_vm_info info;
	uint32_t vm_gen;
};

struct lanes;			/* of one vCPU, model_lanes.c */

struct who_slot {
	uint32_t who, index;
};

#define CPU_CACHE 1024

struct kt_model {
	struct kt_model_opts opts;
	struct vcpu *vcpu;
	struct vcpu_name *name;
	struct lanes *lanes;		/* only with a sink */
	uint32_t nr_vcpus, max_vcpus;
	struct vm *vm;
	uint32_t nr_vms, max_vms;
	struct kt_keymap vm_index;	/* by kvm pointer and generation */
	struct who_slot *slot;		/* open addressing, who 0 = free */
	uint32_t slot_mask;
	struct who_slot cache[CPU_CACHE];
	struct kt_totals totals;
	struct kt_hist *hop[KT_TIMER_NR][KT_HOP_NR];
	struct kt_hist *exit_hist[KT_CAUSE_NR];
	uint64_t cpu_seen[1024];
	uint64_t gap_ns;
	uint32_t gap_pcpu;
	struct kt_gaps gaps;
	struct kt_clock_pair clock[2];
	unsigned int nr_clock;
	uint64_t pulse_ns[KT_PULSES_KEPT];	/* when the recorder last read the clocks, a ring */
	uint64_t nr_pulses;
	double ns_per_tick;		/* 0: not known */
	bool started;		/* an event that is no gap was fed */
	bool oom;
};

static inline struct timer_stats *timer_stats(struct vcpu *v, unsigned int timer)
{
	if (timer < 2)
		return &v->timer[timer];
	return v->nested && timer < KT_TIMER_NR ? &v->nested[timer - 2] : NULL;
}

uint64_t kt_model_ticks_to_ns(const struct kt_model *m, uint64_t host_ticks);

void kt_stats_feed(struct kt_model *m, struct vcpu *v, const struct kt_event *ev);
void kt_stats_gap(struct vcpu *v);
void kt_stats_finish(struct kt_model *m, struct vcpu *v);

int kt_lanes_grow(struct kt_model *m, uint32_t from, uint32_t to);
void kt_lanes_feed(struct kt_model *m, uint32_t index, const struct kt_event *ev);
void kt_lanes_gap(struct kt_model *m, uint32_t index, const struct kt_event *ev);

#endif
