/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_MACHINE_H
#define KT_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <kvmtimer/event.h>

/*
 * The reference machine: a small executable model of what stands between an
 * arch timer and an interrupt taken by a guest of arm64 KVM.
 *
 *   a guest that programs timers, masks, acknowledges, ends interrupts
 *   host CPUs with timer hardware and physical active bits
 *   list registers, and KVM's vgic behind them
 *   KVM's hooks: flush, sync and fold, vcpu_load and put, the host's timer
 *   interrupt, the background timer of a blocked vCPU, user space notification
 *
 * in six semantics, from the edge of 4.3 to today's.  State names are the
 * kernel's; each function says which rule it acts and cites the commit.
 *
 * The machine is deterministic: a step either happens or is refused, and all
 * choice (who does what next, when a timer expires) lies in the sequence of
 * steps.  The state is one flat struct without pointers, and time in it is
 * only "has expired or not", so a model checker can enumerate it; times, CVALs
 * and counters, which would make the states endless, are kept beside it, in
 * struct kt_machine_out.
 */

#define KT_MACHINE_VCPUS 2
#define KT_MACHINE_CPUS 2
#define KT_MACHINE_TIMERS 2	/* KT_PTIMER, KT_VTIMER */

#define KT_SEMANTICS(X)                                                                            \
	X(EDGE, "edge", "up to 4.3: expiry queues an interrupt, nothing takes it back")            \
	X(LEVEL, "level", "4.4: the line is sampled; physical active follows it at flush")         \
	X(LEVEL_SYNC_CLEAR, "level-sync-clear", "its first version: physical active is reset at sync") \
	X(LAZY, "lazy", "4.15: the timer stays in hardware from load to put")                      \
	X(MAPPED, "mapped", "4.16 to today: the fold asks the timer for its level")                \
	X(USERSPACE, "userspace", "no vgic in the kernel: levels go to the VMM")

enum kt_semantics {
#define X(id, name, what) KT_SEM_##id,
	KT_SEMANTICS(X)
#undef X
	KT_SEM_NR
};

/* CVAL against the counter: the only time there is. */
enum kt_cval {
	KT_CVAL_FAR,		/* never comes: what a guest writes to cancel */
	KT_CVAL_SOON,		/* in the future; KT_OP_EXPIRE makes it past */
	KT_CVAL_PAST,		/* reached: ISTATUS would read 1 */
};

enum kt_where {
	KT_IN_VMM,		/* KVM_RUN not entered or returned */
	KT_IN_HOST,		/* loaded, between an exit and the next entry */
	KT_IN_GUEST,
	KT_IN_BLOCK,		/* loaded, in kvm_vcpu_block, has not called schedule() */
	KT_IN_SLEEP,		/* the same, scheduled out */
	KT_IN_QUEUE,		/* preempted: scheduled out while runnable */
};

/*
 * Steps: enumerator, word in scenarios, what it needs, what it does.  Needs: g
 * the vCPU is in the guest, t a timer, c a CPU, v a CVAL.
 */
#define KT_MACHINE_OPS(X)                                                                          \
	X(PROGRAM, "program", "gtv", "guest writes CVAL: soon, past or far")                       \
	X(ENABLE, "enable", "gt", "guest sets CTL.ENABLE")                                         \
	X(DISABLE, "disable", "gt", "guest clears CTL.ENABLE")                                     \
	X(IMASK, "imask", "gt", "guest sets CTL.IMASK")                                            \
	X(UNIMASK, "unimask", "gt", "guest clears CTL.IMASK")                                      \
	X(MASK, "mask", "g", "guest sets PSTATE.I")                                                \
	X(UNMASK, "unmask", "g", "guest clears PSTATE.I, or returns from its handler")             \
	X(ACK, "ack", "g", "guest reads IAR")                                                      \
	X(EOI, "eoi", "gt", "guest writes EOIR: priority drop and deactivation")                   \
	X(HVC, "hvc", "g", "guest calls the hypervisor: an exit that KVM handles")                 \
	X(MMIO, "mmio", "g", "guest touches a device of the VMM: an exit to user space")           \
	X(WFI, "wfi", "g", "guest waits for an interrupt: trapped")                                \
	X(IRQ_DISABLE, "irq-disable", "gt", "guest disables the interrupt in the distributor")     \
	X(IRQ_ENABLE, "irq-enable", "gt", "guest enables it")                                      \
	X(SET_PENDING, "set-pending", "gt", "guest writes ISPENDR: pending by software")           \
	X(TICK, "tick", "g", "an interrupt of the host's own: an exit")                            \
	X(ENTER, "enter", "", "KVM enters the guest: flush, checks, world switch")                 \
	X(PREEMPT, "preempt", "", "the vCPU thread is scheduled out while runnable: put")          \
	X(LOAD, "load", "c", "the thread runs (again) on a CPU: load")                             \
	X(SLEEP, "sleep", "", "the blocked thread calls schedule(): put")                          \
	X(WAKE, "wake", "", "kvm_vcpu_block ends, because there is something to do")               \
	X(KICK, "kick", "", "something other than the timer wakes the blocked vCPU")               \
	X(EXPIRE, "expire", "t", "time passes: CVAL is reached")

enum kt_op {
#define X(id, name, needs, what) KT_OP_##id,
	KT_MACHINE_OPS(X)
#undef X
	KT_OP_NR
};

struct kt_step {
	__u8 op;		/* enum kt_op */
	__u8 vcpu;
	__u8 timer;		/* KT_VTIMER or KT_PTIMER */
	__u8 arg;		/* enum kt_cval, or the CPU */
};

/*
 * Deliberate faults, one for each property, to see the checks fail.  Never set
 * but by tests.
 */
enum kt_fault {
	KT_FAULT_NONE,
	KT_FAULT_LATE,		/* a falling line is not noticed */
	KT_FAULT_LOST,		/* the physical active bit is not taken back */
	KT_FAULT_WAKE,		/* blocking arms no background timer */
	KT_FAULT_PROGRESS,	/* the physical interrupt is not marked active */
	KT_FAULT_NOTIFY,	/* a level change does not stop the entry */
	KT_FAULT_CANCEL,	/* a list register vanishes without an exit */
};

/* What must hold.  NONE, or the first one that did not. */
enum kt_property {
	KT_PROP_OK,
	KT_PROP_LATE,		/* taken later than the semantics' bound after the line fell */
	KT_PROP_LOST,		/* the guest runs, the line is up, and nothing will deliver it */
	KT_PROP_WAKE,		/* a vCPU sleeps with nothing that will wake it */
	KT_PROP_PROGRESS,	/* the guest is entered again and again without running */
	KT_PROP_NOTIFY,		/* entered with a level that user space was not told */
	KT_PROP_CANCEL,		/* pending in a list register, cancelled without an exit, not delivered */
};

/* No bound: an interrupt may be taken however long after its line fell. */
#define KT_UNBOUNDED 255

/* struct arch_timer_context, and what the watch knows about it */
struct kt_mtimer {
	__u8 ctl, cval;		/* the copy in memory: stale, and kept 0, while `loaded` */
	__u8 level;		/* irq.level: last told to the vgic or the VMM */
	__u8 loaded;		/* the truth is in the hardware */
	__u8 map_active;	/* 4.3's irq_phys_map.active */
	__u8 fell;		/* watch: exits since the wire fell, at most bound + 1 */
	__u8 cancelled;		/* watch: fell with the LR pending, and no exit since */
};

/* struct vgic_irq; `pending`, `queued` are the bitmaps of the vgic before 4.7 */
struct kt_mirq {
	__u8 line_level, pending_latch, active, enabled, on_ap_list;
	__u8 pending, queued;
};

#define KT_MLR_PENDING	1
#define KT_MLR_ACTIVE	2

struct kt_mlr {
	__u8 state, timer, hw;
};

struct kt_mvcpu {
	__u8 where;		/* enum kt_where */
	__u8 cpu;		/* where it is or was loaded */
	__u8 masked;		/* PSTATE.I */
	__u8 vectored;		/* interrupt exception taken, IAR not yet read */
	__u8 in_service;	/* bit per timer: acknowledged, no EOI yet */
	__u8 kicked;		/* woken by something else than its timers' interrupts */
	__u8 bg_armed;		/* background timer */
	__u8 hrtimer_armed;	/* the emulated timer's own soft timer */
	__u8 device_irq_level;	/* kvm_run: bit 0 vtimer, bit 1 ptimer */
	__u8 vmm_active;	/* the VMM's GIC: bit per timer; its lines are device_irq_level */
	__u8 used_lrs;
	__u8 storm;		/* watch: interrupts by guest timers since the guest ran */
	struct kt_mtimer timer[KT_MACHINE_TIMERS];
	struct kt_mirq irq[KT_MACHINE_TIMERS];
	struct kt_mlr lr[KT_MACHINE_TIMERS];
};

struct kt_mcpu {
	__u8 running;		/* 1 + the loaded vCPU, 0: none */
	__u8 ctl[KT_MACHINE_TIMERS], cval[KT_MACHINE_TIMERS];
	__u8 active[KT_MACHINE_TIMERS];	/* physical active bits of the timers' PPIs */
};

struct kt_machine {
	__u8 semantics, fault;
	__u8 nr_vcpus, nr_cpus;
	__u8 timers;		/* bit per timer that the guest may use */
	__u8 emulated;		/* bit per timer that KVM emulates (nVHE: the ptimer) */
	__u8 property;		/* enum kt_property: first one broken */
	__u8 bound;		/* of KT_PROP_LATE: kt_machine_bound */
	__u8 active_when_queued;	/* level-sync-clear: see kt_machine_opts */
	struct kt_mcpu cpu[KT_MACHINE_CPUS];
	struct kt_mvcpu vcpu[KT_MACHINE_VCPUS];
};

/* What one guest CPU, and KVM on its behalf, went through. */
struct kt_saw {
	uint32_t taken;		/* IAR gave a timer's interrupt */
	uint32_t spurious;	/* of these: its line was low, and software had not pended it */
	uint32_t late;		/* of these: an exit lay between, so today's KVM would not have given it */
	uint32_t later;		/* of these: two or more, so that no level-triggered KVM would have */
	uint32_t nothing;	/* interrupt exceptions whose IAR read 1023 */
	uint32_t missed;	/* line up, guest running with interrupts on, nothing delivered */
	uint32_t entries, exits, saves, restores;
	uint32_t notified;	/* returns to the VMM because a level changed */
};

/* Where events go, and what would make the machine's state endless. */
struct kt_machine_out {
	void (*event)(void *arg, const struct kt_event *ev);	/* may be NULL */
	void *arg;
	uint64_t ts_ns;		/* of the last event; counter ticks are ns here */
	uint64_t due_ns;	/* duration that the next KT_CVAL_SOON gets; 0: 10 ms */
	uint64_t cval_ticks[KT_MACHINE_VCPUS][KT_MACHINE_TIMERS];
	uint64_t block_ns[KT_MACHINE_VCPUS];
	uint8_t lr_open[KT_MACHINE_VCPUS], told_offset[KT_MACHINE_VCPUS];
	uint8_t missing[KT_MACHINE_VCPUS];
	uint32_t low_exits[KT_MACHINE_VCPUS][KT_MACHINE_TIMERS];	/* since the line fell */
	struct kt_saw saw[KT_MACHINE_VCPUS];
};

struct kt_machine_opts {
	enum kt_semantics semantics;
	unsigned int nr_vcpus, nr_cpus;	/* 1 or 2 */
	unsigned int timers;	/* bit per enum kt_timer; 0: the vtimer */
	bool nvhe;		/* the ptimer is emulated (mapped only) */
	/*
	 * level-sync-clear as it could also be read: the physical interrupt is
	 * made active when it is queued into a list register, not at each flush
	 * that presents one.  The posted diff shows where the bit is reset only.
	 */
	bool active_when_queued;
	enum kt_fault fault;
	bool set_bound;		/* `bound` instead of kt_machine_bound */
	uint8_t bound;
};

/* -EINVAL when the semantics has no such thing: there was no guest ptimer before 4.11. */
int kt_machine_init(struct kt_machine *m, const struct kt_machine_opts *opts);
void kt_machine_out_init(struct kt_machine_out *out);

/* One step; out may be NULL.  -EINVAL: no such step; -EPERM: not possible now, and nothing changed. */
int kt_machine_step(struct kt_machine *m, struct kt_step step, struct kt_machine_out *out);

/* The timer's own output: ENABLE && ISTATUS && !IMASK, wherever the registers are. */
bool kt_machine_wire(const struct kt_machine *m, unsigned int vcpu, unsigned int timer);
/* kvm_vcpu_check_block: a blocked vCPU has a reason to go on. */
bool kt_machine_runnable(const struct kt_machine *m, unsigned int vcpu);
/* Timer of the vCPU that is due first, KT_TIMER_NONE if none is armed: what KT_OP_EXPIRE may take. */
unsigned int kt_machine_next_due(const struct kt_machine *m, const struct kt_machine_out *out,
				 unsigned int *vcpu);
/* Exits that may lie between the fall of the line and a stale interrupt. */
unsigned int kt_machine_bound(enum kt_semantics semantics);

/* Identity rows of the machine's vCPUs, as a recording needs them. */
void kt_machine_ident(const struct kt_machine *m, unsigned int vcpu, struct kt_ident *id);

const char *kt_semantics_name(unsigned int semantics);
const char *kt_semantics_what(unsigned int semantics);
/* enum kt_semantics, or -EINVAL */
int kt_semantics_parse(const char *name);
const char *kt_property_name(unsigned int property);
const char *kt_op_name(unsigned int op);
const char *kt_op_needs(unsigned int op);

#endif
