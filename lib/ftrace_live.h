/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_FTRACE_LIVE_H
#define KT_FTRACE_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <kvmtimer/event.h>
#include <kvmtimer/knobs.h>

#include "ftrace_event.h"

/*
 * From records of a trace buffer that we set up ourselves to kt_events, with
 * identity by pointer.
 *
 * The kernel's timer tracepoints name no VM, but the buffer also holds our own
 * probes (below), which fetch pointers and ids.  A bare event belongs to
 *
 *   1. the soft timer whose callback runs in this hard interrupt, named by a
 *      probe on the callback: it may run on top of another VM's vCPU;
 *   2. else the vCPU that this thread has loaded on this CPU, from the probe on
 *      kvm_timer_vcpu_load to the one on _put, or that it is enabling or resetting;
 *   3. else nobody: the thread id is all that is said.
 *
 * Records must come in time order over all CPUs, because the end of a vCPU on
 * one CPU frees its pointer for a new life on another.  Pure: no I/O.
 */

/* Our own records beside enum kt_ftrace_id; the same numbers in kt_live_rec.id. */
enum kt_live_id {
	KT_LP_FIRST = 64,
	KT_LP_LOAD = KT_LP_FIRST,	/* kvm_timer_vcpu_load: who is on this CPU now */
	KT_LP_RESET,			/* kvm_timer_vcpu_reset: not loaded, may change CPU */
	KT_LP_ENABLE,			/* kvm_timer_enable: the same */
	KT_LP_PUT,			/* kvm_timer_vcpu_put */
	KT_LP_HRTIMER,			/* kvm_hrtimer_expire: whose soft timer fires */
	KT_LP_BG,			/* kvm_bg_timer_expire */
	KT_LP_VCPU_GONE,		/* kvm_arch_vcpu_destroy */
	KT_LP_VM_GONE,			/* kvm_arch_destroy_vm */
	KT_LP_SYSREG,			/* kvm_handle_sys_reg: the syndrome of the exit before it */
	KT_LP_FLUSH,			/* kvm_vgic_flush_hwstate has returned */
	KT_LP_FOLD_IN,			/* vgic_v{2,3}_fold_lr_state is entered */
	KT_LP_FOLD_OUT,			/* it has returned */
	KT_LP_REGS,			/* kvm_arch_vcpu_ctxsync_fp: the guest has exited */
	KT_LP_WIRE,			/* kvm_arch_timer_get_input_level: interrupt and level */
	KT_LP_WIRE_IRQ,			/* its entry, where a return probe has no arguments */
	KT_LP_WIRE_RET,			/* its return there */
	KT_LP_IRQCHIP,			/* irq_set_irqchip_state */
	KT_LP_LR_FLUSH,			/* vgic_flush_lr: kernels with kernel-patch/linux-6.12 */
	KT_LP_LR_FOLD,			/* vgic_fold_lr */
	KT_LP_LR_RESAMPLE,		/* vgic_resample_lr */
	KT_LP_CALL,			/* function tracer: v[0] is enum kt_call */
	KT_LP_END
};

/* Meaning of v[] by record; bits of `has` tell which were fetched. */
enum {
	/* load, reset, put */
	KT_LV_VCPU = 0, KT_LV_KVM, KT_LV_TGID, KT_LV_ID, KT_LV_IDX,
	KT_LV_PID,		/* struct pid *: TID is rubbish when this is 0 */
	KT_LV_TID,
	KT_LV_IRQ,		/* four, by enum kt_timer */
	KT_LV_HOST_IRQ = KT_LV_IRQ + 4,
	KT_LV_IN_KERNEL = KT_LV_HOST_IRQ + 4,
	KT_LV_MODEL,
	KT_LV_OFFSET,		/* ptimer's three: VM's pointer and value, vCPU's pointer; then vtimer's */
	KT_LV_CNTVOFF = KT_LV_OFFSET + 6,	/* before 6.4, instead of these */
	KT_LV_PREEMPTED, KT_LV_BLOCKING, KT_LV_RUN, KT_LV_DEVICE_LEVEL,

	KT_LV_HRT_PTR = 0, KT_LV_HRT_EXPIRES,
	KT_LV_SYSREG_ESR = 0,

	/* flush, fold, regs */
	KT_LV_USED = 1,
	KT_LV_LR,
	KT_LV_ESR = KT_LV_LR + 4, KT_LV_PSTATE,
	KT_LV_STATE,		/* windows of the ptimer's vgic_irq, then of the vtimer's */

	/* lr_flush, lr_fold, lr_resample; from LINE on one bit each, in the order of kt_lr.state's */
	KT_LV_LR_VCPU = 0, KT_LV_LR_IRQ, KT_LV_LR_IDX, KT_LV_LR_VAL,
	KT_LV_LR_LINE, KT_LV_LR_LATCH, KT_LV_LR_ACTIVE, KT_LV_LR_ENABLED, KT_LV_LR_HW, KT_LV_LR_PHYS,

	KT_LV_WIRE_IRQ = 0, KT_LV_WIRE_LEVEL,
	KT_LV_CHIP_IRQ = 0, KT_LV_CHIP_WHICH, KT_LV_CHIP_VAL,
	KT_LV_CALL = 0,
};
#define KT_LIVE_LRS	4	/* list registers that a sample holds */
#define KT_LIVE_WINDOWS	4	/* 64-bit pieces of a vgic_irq that hold its flags */
#define KT_LIVE_VALUES	32

struct kt_live_rec {
	uint64_t ts_ns;
	uint32_t tid;		/* of the thread that ran; 0 = idle */
	uint16_t cpu;
	uint8_t id;		/* enum kt_ftrace_id or kt_live_id */
	uint8_t ctx;		/* enum kt_ftrace_ctx */
	uint64_t has;		/* bit per value */
	uint64_t v[KT_LIVE_VALUES];
	char comm[KT_COMM_LEN];	/* load and reset: of the running thread */
};

/* Where KVM keeps things on this kernel, from its BTF; 0 = not known. */
struct kt_live_layout {
	uint32_t timers;	/* of arch.timer_cpu.timers[0] in struct kvm_vcpu */
	uint32_t timer_size;	/* struct arch_timer_context */
	uint32_t timer_hrtimer;	/* of its hrtimer */
	uint32_t bg_timer;	/* of arch.timer_cpu.bg_timer in struct kvm_vcpu */
	/* line_level, pending_latch, active, enabled, hw, group: where in the windows */
	struct kt_live_bit {
		uint8_t window, shift, bits;	/* bits 0: not known */
	} flag[6];
};

/* The interrupts whose vgic_irq the probes fetch: KVM's defaults, by enum kt_timer. */
#define KT_LIVE_PPI_P	30
#define KT_LIVE_PPI_V	27

struct kt_live_sink {
	void *arg;
	int (*events)(void *arg, uint32_t cpu, const struct kt_event *ev, size_t n);
	int (*idents)(void *arg, const struct kt_ident *id, size_t n);
	/*
	 * This thread runs a vCPU that a filter leaves out (wanted false), or one that none
	 * does: the kernel may be told.  May be NULL.
	 */
	void (*runs)(void *arg, uint32_t tid, bool wanted);
	/* The process of a thread, 0 = not known; asked only when no probe tells.  May be NULL. */
	uint32_t (*tgid_of)(void *arg, uint32_t tid);
};

struct kt_live_opts {
	uint32_t nr_cpus;
	struct kt_knobs knobs;	/* filters and gic; ring_* are not used */
	struct kt_live_layout layout;
	bool fold_out_in_regs;	/* KT_LP_REGS stands in for KT_LP_FOLD_OUT */
	bool lr_tracepoints;	/* KT_LP_LR_* stand in for KT_LP_FLUSH and KT_LP_FOLD_* */
};

struct kt_live;

int kt_live_new(const struct kt_live_opts *opts, const struct kt_live_sink *sink,
		struct kt_live **out);
void kt_live_free(struct kt_live *l);

/* One record.  Returns the sink's error. */
int kt_live_feed(struct kt_live *l, const struct kt_live_rec *rec);

/* Records were lost on cpu before the next one: whom it has loaded is no longer known. */
void kt_live_gap(struct kt_live *l, uint32_t cpu);

/*
 * Hands out what is buffered.  An exit that still waits for its syndrome stays,
 * with what follows it on that CPU, until the next call; `all` takes that too.
 */
int kt_live_flush(struct kt_live *l, bool all);

/* A new file begins: offsets are told again. */
void kt_live_new_file(struct kt_live *l);

/* Events made; LR samples that could not be told (see kt_live_layout), since the last call. */
uint64_t kt_live_events(const struct kt_live *l);
uint64_t kt_live_take_untold(struct kt_live *l);

#endif
