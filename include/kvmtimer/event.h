/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KVMTIMER_EVENT_H
#define KVMTIMER_EVENT_H

/*
 * The event: the one type that crosses every border of this tool.
 *
 * A BPF program writes it, the recording stores it, the reference machine
 * emits it and the model reads it.  32 bytes, one size for all kinds, fixed
 * width and little-endian, so this header compiles unchanged as BPF C and as
 * C11 and a recording made on one machine reads on any other.
 *
 *   ts_ns   host CLOCK_MONOTONIC in ns; strictly increasing per physical CPU
 *   who     which vCPU: a handle (see struct kt_ident), or KT_WHO_TID | tid
 *           when only the host thread is known.  Never a guess.
 *   kind    one row of KT_EVENT_KINDS
 *   sub     which timer (KT_SUB_TIMER) and which place or context (KT_SUB_AT)
 *   pcpu    physical CPU the event happened on
 *
 * Guest counter values are in counter ticks and carry _ticks in their names;
 * they never share a variable with host ns.
 */

#include <linux/types.h>

/* Timer context index: the kernel's enum kvm_arch_timers (5.2+, HV/HP 6.4+). */
enum kt_timer {
	KT_PTIMER = 0,
	KT_VTIMER = 1,
	KT_HVTIMER = 2,
	KT_HPTIMER = 3,
	KT_TIMER_NR = 4,
	KT_TIMER_NONE = 7,	/* not a timer's event, or not known which */
};

/*
 * Places ("at"): five bits beside the timer, meaning by kind.
 *
 * For update_irq, vgic_update and map it is the execution context.  The hard
 * interrupt of the host's timer (kvm_arch_timer_handler) and the one of a soft
 * timer (kvm_hrtimer_expire) are told apart because the latter may run on top
 * of another VM's vCPU (nohz_full hosts move unpinned hrtimers).
 */
enum kt_at {
	KT_AT_TASK = 0,
	KT_AT_HOST_IRQ = 1,
	KT_AT_SOFT_TIMER = 2,

	/* lr: what the guest is about to get; what it left; after resampling. */
	KT_AT_FLUSH = 0,
	KT_AT_FOLD_IN = 1,
	KT_AT_FOLD_OUT = 2,

	/* wire: which kernel function returned the level. */
	KT_AT_INPUT_LEVEL = 0,	/* kvm_arch_timer_get_input_level */
	KT_AT_PENDING = 1,	/* kvm_timer_should_fire (<= 7.1), kvm_timer_pending (7.2) */
};

#define KT_SUB(timer, at)	((__u8)(((timer) & 7) | ((at) << 3)))
#define KT_SUB_TIMER(sub)	((sub) & 7)
#define KT_SUB_AT(sub)		((sub) >> 3)

/*
 * One row per event kind: enumerator, printed name, payload member, and the
 * sentence that docs/events.md shows.  Numbers are part of the file format:
 * append, never reorder.
 */
#define KT_EVENT_KINDS(X)                                                                          \
	X(UPDATE_IRQ, update_irq, level, "KVM published a timer's level (kvm_timer_update_irq)")   \
	X(VGIC_UPDATE, vgic_update, level, "the vgic was told a PPI's level (vgic_update_irq_pending)") \
	X(WIRE, wire, level, "a kernel function returned the timer's own output")                  \
	X(MAP, map, map, "KVM worked out which timers are direct (kvm_get_timer_map)")             \
	X(SAVE, save, regs, "timer registers left the hardware (kvm_timer_save_state)")            \
	X(RESTORE, restore, regs, "timer registers entered the hardware (kvm_timer_restore_state)") \
	X(OFFSET, offset, offset, "the guest's counter offset, when first seen or changed")        \
	X(LR, lr, lr, "list register and vgic state of a timer's interrupt")                       \
	X(ENTRY, entry, run, "the vCPU is about to run (kvm_entry)")                               \
	X(EXIT, exit, run, "the vCPU has run (kvm_exit)")                                          \
	X(IRQCHIP, irqchip, irqchip, "host irqchip state written (irq_set_irqchip_state)")         \
	X(HRTIMER_EXPIRE, hrtimer_expire, hrtimer, "soft timer of an emulated timer fired (kvm_timer_hrtimer_expire)") \
	X(BG_EXPIRE, bg_expire, hrtimer, "background timer of a blocked vCPU fired (kvm_bg_timer_expire)") \
	X(EMULATE, emulate, emulate, "emulated timer evaluated (kvm_timer_emulate)")               \
	X(WFX, wfx, wfx, "trapped WFI or WFE (kvm_wfx_arm64)")                                     \
	X(WAKEUP, wakeup, wakeup, "a halt or halt-poll ended (kvm_vcpu_wakeup)")                   \
	X(USER_EXIT, user_exit, user_exit, "KVM_RUN returned to the VMM (kvm_userspace_exit)")     \
	X(VCPU_GONE, vcpu_gone, gone, "the vCPU was destroyed; its handle is never used again")    \
	X(GAP, gap, gap, "events are missing here; made by the reader from loss counters")         \
	X(RESET, reset, gone, "the VMM resets the vCPU and its timers (kvm_timer_vcpu_reset)")     \
	X(CALL, call, call, "a function of KVM was entered: order only, where tracepoints are missing")

enum kt_kind {
	KT_EV_NONE = 0,
#define X(id, name, member, what) KT_EV_##id,
	KT_EVENT_KINDS(X)
#undef X
	KT_EV_NR
};

/* Loss counters are kept per kind in arrays of this size; room to grow. */
#define KT_KIND_MAX 32

/* level: update_irq, vgic_update, wire */
struct kt_level {
	__u32 irq;		/* guest's interrupt number as traced */
	__u32 traced_vcpu;	/* as traced: vcpu_id, or vcpu_idx for vgic_update on 6.7+ */
	__u8 level;
	__u8 rsv[7];
};

/* map: timer index per role, -1 when the role is empty; all -1 in the host timer's interrupt */
struct kt_map {
	__s8 direct_vtimer;
	__s8 direct_ptimer;
	__s8 emul_vtimer;
	__s8 emul_ptimer;
	__u32 vcpu_id;
	__u64 rsv;
};

/* CNTx_CTL bits, as in the Arm ARM. */
#define KT_CTL_ENABLE	1
#define KT_CTL_IMASK	2
#define KT_CTL_ISTATUS	4

/* regs.flags of a save: why the registers leave the hardware */
#define KT_SAVE_PREEMPTED	1	/* vcpu->preempted: switched out while runnable */
#define KT_SAVE_BLOCKING	2	/* kvm_vcpu_is_blocking: halted, waiting for a wake-up */
#define KT_SAVE_SLEEPING	4	/* the thread sleeps: for a page, a lock, a pause of the VM */
#define KT_SAVE_KNOWN	8	/* the three above were looked at; none: KVM_RUN or another ioctl ends */

/* save, restore */
struct kt_regs {
	__u64 cval_ticks;	/* guest view: compare against (host counter - offset) */
	__u8 ctl;
	__u8 flags;
	__u16 rsv;
	__u32 offset_gen;	/* which offset event applies; 0 = none known */
};

struct kt_offset {
	__u64 offset_ticks;	/* guest counter = host counter - offset_ticks */
	__u32 offset_gen;
	__u32 rsv;
};

/* lr.state bits: vgic_irq of the timer's interrupt (not read at fold-in), beside the raw LR */
#define KT_LR_LINE	0x001	/* line_level: not the wire, populate clears it */
#define KT_LR_LATCH	0x002	/* pending_latch */
#define KT_LR_ACTIVE	0x004	/* vgic_irq.active */
#define KT_LR_ENABLED	0x008
#define KT_LR_HW	0x010	/* mapped to a host interrupt */
#define KT_LR_GROUP1	0x020
#define KT_LR_PHYS	0x040	/* the GIC itself says: physically active; only if the next is set */
#define KT_LR_PHYS_KNOWN 0x080	/* kernels with the vgic_*_lr tracepoints only */
#define KT_LR_V2	0x100	/* lr is a GICv2 GICH_LR word */
#define KT_LR_PRESENT	0x200	/* an LR names this interrupt; else lr and lr_idx are 0 */
#define KT_LR_DIST_OFF	0x400	/* the distributor forwards nothing; only read where no LR is found */
#define KT_LR_UNREAD	0x800	/* flush: no LR names it, and vgic_irq could not be read */

struct kt_lr {
	__u64 lr;		/* raw list register: decode with kt_lr_* in include/kvmtimer/lr.h */
	__u16 state;
	__u8 lr_idx;
	__u8 used;		/* used_lrs at that time */
	__u8 named;		/* LRs that name this interrupt: one, or KVM is broken; 0 = not counted */
	__u8 rsv[3];
};

/* run.code: ARM_EXCEPTION_CODE of the world switch's return value */
#define KT_EXIT_IRQ	0
#define KT_EXIT_SERROR	1
#define KT_EXIT_TRAP	2
#define KT_EXIT_IL	3	/* illegal exception return */
#define KT_EXIT_GONE	4	/* the hypervisor stub answered: HYP is gone */
#define KT_EXIT_OTHER	255

/* run.flags */
#define KT_RUN_DAIF	1	/* daif is known */
#define KT_RUN_ESR	2	/* esr is a whole ESR_EL2; else only its exception class is set */
#define KT_RUN_WITH_SERROR 4	/* an SError was pending at the exit */

/* entry, exit */
struct kt_run {
	__u64 pc;
	__u32 esr;		/* exit by trap only, 0 otherwise */
	__u8 code;
	__u8 flags;
	__u8 daif;		/* guest PSTATE: D 8, A 4, I 2, F 1; I set = interrupts masked */
	__u8 rsv;
};

#define KT_PSTATE_I	2

struct kt_irqchip {
	__u32 host_irq;		/* Linux interrupt number */
	__u8 which;		/* enum irqchip_irq_state: 0 pending, 1 active, 2 masked */
	__u8 val;
	__u8 rsv[10];
};

struct kt_hrtimer {
	__u64 ptr;		/* struct hrtimer: the key of a soft timer */
	__u64 expires_ns;	/* CLOCK_MONOTONIC, 0 if not read */
};

#define KT_EMULATE_REGS	1	/* ctl, cval_ticks and offset_gen are known */

/* An emulated timer's truth is always in memory, so its registers come along. */
struct kt_emulate {
	__u8 should_fire;
	__u8 ctl;
	__u8 flags;
	__u8 rsv;
	__u32 offset_gen;
	__u64 cval_ticks;
};

struct kt_wfx {
	__u64 pc;
	__u8 is_wfe;
	__u8 rsv[7];
};

struct kt_wakeup {
	__u64 wait_ns;
	__u8 waited;		/* 0: halt-polling succeeded, no sleep */
	__u8 valid;
	__u8 rsv[6];
};

#define KT_USER_EXIT_LEVEL	1	/* device_irq_level is meaningful: no vgic in the kernel */

struct kt_user_exit {
	__u32 reason;		/* KVM_EXIT_* */
	__s32 err;		/* 0, or -EINTR and friends */
	__u32 device_irq_level;	/* KVM_ARM_DEV_EL1_VTIMER 1, _PTIMER 2, _PMU 4 */
	__u32 flags;
};

struct kt_gone {
	__u64 rsv[2];
};

/*
 * Functions of the run loop, for kernels that have no timer tracepoints (before
 * 4.4, or a distribution's that leaves them out): their order is all that is
 * known.  Number, printed name, and the kernel's functions that play the part.
 */
#define KT_CALLS(X)                                                                                \
	X(TIMER_FLUSH, "timer-flush", "kvm_timer_flush_hwstate")                                   \
	X(TIMER_SYNC, "timer-sync", "kvm_timer_sync_hwstate kvm_timer_sync_user")                  \
	X(TIMER_LOAD, "timer-load", "kvm_timer_vcpu_load")                                         \
	X(TIMER_PUT, "timer-put", "kvm_timer_vcpu_put")                                            \
	X(TIMER_UPDATE, "timer-update", "kvm_timer_update_irq kvm_timer_inject_irq")               \
	X(TIMER_HANDLER, "timer-handler", "kvm_arch_timer_handler")                                \
	X(SOFT_EXPIRE, "soft-expire", "kvm_timer_expire kvm_hrtimer_expire kvm_bg_timer_expire")   \
	X(VGIC_FLUSH, "vgic-flush", "kvm_vgic_flush_hwstate")                                      \
	X(VGIC_SYNC, "vgic-sync", "kvm_vgic_sync_hwstate")                                         \
	X(VGIC_INJECT, "vgic-inject", "kvm_vgic_inject_irq kvm_vgic_inject_mapped_irq")

enum kt_call_fn {
	KT_CALL_NONE = 0,
#define X(id, name, functions) KT_CALL_##id,
	KT_CALLS(X)
#undef X
	KT_CALL_NR
};

struct kt_call {
	__u8 fn;		/* enum kt_call_fn */
	__u8 rsv[15];
};

/* gap: between ts_ns and until_ns, `lost` events of `lost_kind` went missing on pcpu */
struct kt_gap {
	__u64 until_ns;
	__u32 lost;
	__u8 lost_kind;		/* KT_EV_NONE: kind not known */
	__u8 rsv[3];
};

#define KT_WHO_TID	0x80000000u	/* low 31 bits: host thread id, vCPU unknown */
#define KT_WHO_NONE	0x80000000u	/* nothing known at all */

struct kt_event {
	__u64 ts_ns;
	__u32 who;
	__u8 kind;
	__u8 sub;
	__u16 pcpu;
	union {
		struct kt_level level;
		struct kt_map map;
		struct kt_regs regs;
		struct kt_offset offset;
		struct kt_lr lr;
		struct kt_run run;
		struct kt_irqchip irqchip;
		struct kt_hrtimer hrtimer;
		struct kt_emulate emulate;
		struct kt_wfx wfx;
		struct kt_wakeup wakeup;
		struct kt_user_exit user_exit;
		struct kt_gone gone;
		struct kt_gap gap;
		struct kt_call call;
		__u64 raw[2];
	};
};

_Static_assert(sizeof(struct kt_event) == 32, "the record is 32 bytes");

/*
 * Who a handle is.  Handles are never reused within a recording, so a reused
 * kvm pointer, pid or thread id cannot merge two VMs.
 *
 * A VM is the pair (kvm, vm_gen): vm_gen counts the vCPU destructions seen
 * before this vCPU was first seen *for the same kvm pointer and VMM*, see
 * bpf/identity.bpf.h.  vcpu_id is KVM's (chosen by the VMM), vcpu_idx the
 * index in the VM; they differ and are both shown by tracepoints.
 */
#define KT_COMM_LEN 16
#define KT_VCPU_ID_UNKNOWN 0xffffffffu	/* vcpu_id, vcpu_idx: no event told it */

struct kt_ident {
	__u64 kvm;		/* struct kvm *, an opaque key */
	__u64 vcpu;		/* struct kvm_vcpu *, an opaque key */
	__u64 first_ns;		/* when the row was written: the oldest row tells when first seen */
	__u32 who;
	__u32 vm_gen;
	__u32 tgid;		/* kvm->userspace_pid: the VMM's process */
	__u32 tid;		/* thread that last ran the vCPU; 0 = has not run yet */
	__u32 vcpu_id;
	__u32 vcpu_idx;
	__u32 irq[KT_TIMER_NR];	/* guest interrupt per timer; 0 = no such timer */
	__u32 host_irq[KT_TIMER_NR]; /* Linux interrupt behind it; 0 = emulated or unknown */
	char comm[KT_COMM_LEN];	/* of the vCPU thread; may hold any byte */
	__u8 vgic;		/* 0 userspace irqchip, 2 GICv2, 3 GICv3, 5 GICv5, 255 unknown */
	__u8 rsv[7];
};

_Static_assert(sizeof(struct kt_ident) == 104, "identity rows have one size");

#endif
