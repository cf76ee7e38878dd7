/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_MODEL_H
#define KT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <kvmtimer/event.h>

#include "exits.h"
#include "facts.h"
#include "hist.h"
#include "store.h"

/*
 * The model: what the events say about each VM, vCPU and timer.
 *
 * Pure state: feed it events in time order, ask it for counters and
 * distributions, or give it a sink and be told every step of every lane.
 * What it concludes without having seen it is marked inferred; across a gap
 * everything the gap may have touched becomes unknown.
 */
struct kt_model;

/* The lanes of one timer; see docs/timer-model.md for where each is seen. */
enum kt_lane {
	KT_LANE_WIRE,	/* the timer's own output: ENABLE && ISTATUS && !IMASK */
	KT_LANE_LINE,	/* the level KVM last told its interrupt controller */
	KT_LANE_LR,	/* enum kt_lr_value */
	KT_LANE_PHYS,	/* physical active state as last known */
	KT_LANE_USER,	/* the timer's bit in run->s.regs.device_irq_level */
	KT_LANE_NR,
	KT_LANE_VCPU = KT_LANE_NR, /* the vCPU's own state: enum kt_vcpu_state; timer NONE */
	KT_LANE_PSTATE_I,	/* guest masked interrupts at its last exit; timer NONE */
	KT_LANE_ALL
};

enum kt_lr_value { KT_LR_EMPTY = 0, KT_LR_PENDING = 1, KT_LR_ACTIVE_ = 2, KT_LR_PENDING_ACTIVE = 3 };

enum kt_vcpu_state {
	KT_VCPU_UNKNOWN,
	KT_VCPU_GUEST,		/* between entry and exit */
	KT_VCPU_HOST,		/* loaded, KVM handling an exit */
	KT_VCPU_USER,		/* the VMM handles an exit */
	KT_VCPU_BLOCKED,	/* halted (or halt-polling) until a wake-up */
	KT_VCPU_PREEMPTED,	/* runnable, another thread has the CPU */
	KT_VCPU_GONE,
	KT_VCPU_STATE_NR
};

enum kt_certainty { KT_UNKNOWN, KT_INFERRED, KT_CERTAIN };

/*
 * One step of one lane.  It happened in [lo_ns, hi_ns]; equal for a step that
 * was itself an event, wider where only samples around it exist (a direct
 * timer's falling edge).  value is meaningless when certainty is KT_UNKNOWN.
 */
struct kt_change {
	uint64_t lo_ns, hi_ns;
	uint32_t vcpu;		/* kt_model_vcpu index */
	uint8_t timer;		/* enum kt_timer */
	uint8_t lane;
	uint8_t value;
	uint8_t certainty;
	uint8_t cause;		/* enum kt_kind of the event that told */
	uint8_t lr_idx;		/* for KT_LANE_LR */
};

struct kt_model_sink {
	void *arg;
	/* called in order of hi_ns per lane; NULL = not wanted */
	void (*change)(void *arg, const struct kt_change *c);
	/* every event as it was taken, with the vCPU it belongs to (UINT32_MAX: none) */
	void (*event)(void *arg, const struct kt_event *ev, uint32_t vcpu);
};

struct kt_model_opts {
	const struct kt_facts *facts;		/* may be NULL; must outlive the model */
	const struct kt_model_sink *sink;	/* NULL: counters and distributions only, the fast way */
	uint32_t only_vm;			/* count only this VM number; 0 = all */
};

int kt_model_new(const struct kt_model_opts *opts, struct kt_model **out);
void kt_model_free(struct kt_model *m);

/* -ENOMEM is the only error.  Idents may come before or after the events that use them. */
int kt_model_idents(struct kt_model *m, const struct kt_ident *id, size_t n);
int kt_model_name(struct kt_model *m, const struct kt_vm_name *name);
void kt_model_clock(struct kt_model *m, const struct kt_clock_pair *pair, size_t n);
int kt_model_feed(struct kt_model *m, const struct kt_event *ev, size_t n);
/* Closes what is open at the last event's time and sums vCPUs up to VMs; once, after the last event. */
void kt_model_finish(struct kt_model *m);

/* ---- what it knows ---- */

/* Hops of a timer interrupt and of a sleep, in the order they happen. */
#define KT_HOPS(X)                                                                                 \
	X(EXPIRY, "deadline-to-host", "deadline to host interrupt or soft timer")                  \
	X(RAISE, "host-to-line", "host interrupt or soft timer to line raised")                    \
	X(LR, "line-to-lr", "line raised to list register")                                        \
	X(ENTER, "lr-to-guest", "list register to guest entered")                                  \
	X(TOTAL, "deadline-to-guest", "deadline to guest entered with the interrupt")              \
	X(RETIRE, "low-to-retired", "line low to list register retired")                           \
	X(WAKE, "sleep-wakeup", "deadline to background timer of a blocked vCPU")                  \
	X(RUNQ, "sleep-runqueue", "background timer to vCPU loaded again")                         \
	X(LOAD, "sleep-load", "loaded to registers restored")                                      \
	X(RESUME, "sleep-entry", "registers restored to guest entered")

enum kt_hop {
#define X(id, name, what) KT_HOP_##id,
	KT_HOPS(X)
#undef X
	KT_HOP_NR
};

const char *kt_hop_name(enum kt_hop hop);
const char *kt_hop_what(enum kt_hop hop);
const char *kt_lane_name(enum kt_lane lane);
const char *kt_vcpu_state_name(enum kt_vcpu_state s);

struct kt_vm_info {
	uint32_t number;	/* 1, 2, … in order of first sight */
	uint32_t tgid;
	uint64_t kvm, first_ns, last_ns;
	char name[104];		/* raw bytes: escape before printing */
	char comm[KT_COMM_LEN];
	uint8_t vgic;
	uint32_t nr_vcpus;
	uint64_t events;
	uint64_t exits[KT_CAUSE_NR];	/* closed by an entry or by leaving KVM_RUN */
	uint64_t host_ns[KT_CAUSE_NR];	/* exit to next entry on the same vCPU, halt and VMM time apart */
	uint64_t user_exits;
	uint64_t guest_ns, blocked_ns, preempted_ns, user_ns;
};

struct kt_vcpu_info {
	uint32_t vm;		/* VM number; 0 = identity never arrived */
	uint32_t vcpu_id, vcpu_idx, tid;
	char comm[KT_COMM_LEN];
	uint64_t first_ns, last_ns, events;
	uint64_t entries, exits, saves, restores, migrations;
	uint64_t guest_ns, host_ns, user_ns, blocked_ns, preempted_ns;
	uint64_t published[KT_TIMER_NR];	/* update_irq seen */
	uint64_t rises[KT_TIMER_NR];		/* real 0 -> 1 changes of the line */
	uint64_t host_irqs[KT_TIMER_NR];	/* host timer interrupts and soft timer expiries */
	uint64_t injections[KT_TIMER_NR];	/* times it became pending in an LR (detail lr) */
};

struct kt_totals {
	uint64_t events;		/* fed */
	uint64_t unattributed;		/* of these, no vCPU known */
	uint64_t unattributed_timer;	/* of these, timer events (the ones that must be 0) */
	uint64_t lost;			/* from gaps */
	uint64_t lost_kind[KT_KIND_MAX];
	uint64_t by_kind[KT_KIND_MAX];
	uint64_t first_ns, last_ns;
	uint64_t cpus_seen;		/* number of physical CPUs with events */
};

/* Index of the vCPU behind a handle, made when new; UINT32_MAX without memory. */
uint32_t kt_model_vcpu_of(struct kt_model *m, uint32_t who);

uint32_t kt_model_nr_vms(const struct kt_model *m);
uint32_t kt_model_nr_vcpus(const struct kt_model *m);
/* i < nr; fills *out.  A VM's events and times are there after kt_model_finish. */
void kt_model_vm(const struct kt_model *m, uint32_t i, struct kt_vm_info *out);
void kt_model_vcpu(const struct kt_model *m, uint32_t i, struct kt_vcpu_info *out);
const struct kt_totals *kt_model_totals(const struct kt_model *m);

/* Distribution over all vCPUs (of only_vm, when set). */
const struct kt_hist *kt_model_hop(const struct kt_model *m, enum kt_timer timer, enum kt_hop hop);
/* Host time per exit of one cause. */
const struct kt_hist *kt_model_exit_hist(const struct kt_model *m, enum kt_exit_cause cause);

/* Readings remembered: six seconds at the least, as the recorder reads the clocks every 50 to 100 ms. */
#define KT_PULSES_KEPT 128

/*
 * How often the recorder read the clocks in [from_ns, until_ns], of what is remembered.  It
 * sleeps between two readings, so each is a timer of the host that went off: where there are
 * some, a timer that did not go off was not kept from it by a host that stood still.
 */
unsigned int kt_model_pulses(const struct kt_model *m, uint64_t from_ns, uint64_t until_ns);

/* Does the recording have such readings at all?  Other tools' captures have none. */
bool kt_model_has_pulses(const struct kt_model *m);

/* Host time at which a guest compare value is reached; 0 when clocks or offset are not known. */
uint64_t kt_model_deadline_ns(const struct kt_model *m, uint32_t vcpu, uint64_t cval_ticks,
			      uint64_t offset_ticks);

#endif
