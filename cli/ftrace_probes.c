/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probes of the ftrace source and what they fetch: tables only. */
#include <stddef.h>

#include "ftrace_plan_private.h"

#define ARGS_END { 0, 0, { NULL } }
#define TIMER(i) "arch.timer_cpu.timers[" #i "]"
#define TIMER_OFFSET(i)								\
	{ KT_LV_OFFSET + 3 * i, 0, { TIMER(i) ".offset.vm_offset" } },		\
	{ KT_LV_OFFSET + 3 * i + 1, 0, { TIMER(i) ".offset.vm_offset[0]" } },	\
	{ KT_LV_OFFSET + 3 * i + 2, 0, { TIMER(i) ".offset.vcpu_offset" } }
#define OFFSETS TIMER_OFFSET(0), TIMER_OFFSET(1),					\
	{ KT_LV_CNTVOFF, 0, { "?arch.ctxt.sys_regs[CNTVOFF_EL2]" } }
/* The interrupt's number: in the context until 6.4, then one per VM. */
#define TIMER_IRQ(i)								\
	{ KT_LV_IRQ + i, 0, { TIMER(i) ".irq.irq", "kvm->arch.timer_data.ppi[" #i "]" } },	\
	{ KT_LV_HOST_IRQ + i, 0, { TIMER(i) ".host_timer_irq" } }

/* kvm is the first of all members, ever since. */
#define IDENTITY									\
	{ KT_LV_VCPU, 0, { "=R0:u64" } },						\
	{ KT_LV_KVM, 0, { "kvm", "=+0(R0):u64" } },					\
	{ KT_LV_TGID, 0, { "kvm->userspace_pid" } },					\
	{ KT_LV_ID, 0, { "vcpu_id" } },							\
	{ KT_LV_IDX, 0, { "vcpu_idx" } },						\
	TIMER_IRQ(0), TIMER_IRQ(1), TIMER_IRQ(2), TIMER_IRQ(3),				\
	{ KT_LV_IN_KERNEL, 0, { "kvm->arch.vgic.in_kernel" } },				\
	{ KT_LV_MODEL, 0, { "kvm->arch.vgic.vgic_model" } },				\
	OFFSETS

static const struct kt_fetch_arg load_args[] = {
	IDENTITY,
	{ KT_LV_PID, 0, { "pid" } },
	{ KT_LV_TID, 0, { "pid->numbers[0].nr" } },
	ARGS_END
};

/*
 * Before its first run a vCPU has no thread; to ask all the same would fault, and 5.10
 * counts that as a skipped probe.
 */
static const struct kt_fetch_arg reset_args[] = { IDENTITY, ARGS_END };

static const struct kt_fetch_arg put_args[] = {
	{ KT_LV_VCPU, 0, { "=R0:u64" } },
	{ KT_LV_PREEMPTED, 0, { "preempted" } },
	/* 5.17+; before it a task that waits is named in the vCPU's rcuwait. */
	{ KT_LV_BLOCKING, 0, { "stat.generic.blocking", "?wait" } },
	{ KT_LV_RUN, 0, { "run" } },
	{ KT_LV_DEVICE_LEVEL, 0, { "run->s.regs.device_irq_level" } },
	OFFSETS,
	ARGS_END
};

static const struct kt_fetch_arg vcpu_args[] = { { KT_LV_VCPU, 0, { "=R0:u64" } }, ARGS_END };
static const struct kt_fetch_arg hrtimer_args[] = {
	{ KT_LV_HRT_PTR, 0, { "=R0:u64" } },
	{ KT_LV_HRT_EXPIRES, 0, { "?expires" } },
	ARGS_END
};
static const struct kt_fetch_arg lr_args[] = {
	{ KT_LV_VCPU, 0, { "=R0:u64" } },
	{ KT_LV_USED, 0, { "?used" } },
	{ KT_LV_LR, KT_LIVE_LRS, { "?lr" } },
	{ KT_LV_STATE, 0, { "?state" } },
	ARGS_END
};
static const struct kt_fetch_arg fold_in_args[] = {
	{ KT_LV_VCPU, 0, { "=R0:u64" } },
	{ KT_LV_USED, 0, { "?used" } },
	{ KT_LV_LR, KT_LIVE_LRS, { "?lr" } },
	ARGS_END
};
static const struct kt_fetch_arg fold_out_args[] = {
	{ KT_LV_VCPU, 0, { "=R0:u64" } },
	{ KT_LV_STATE, 0, { "?state" } },
	ARGS_END
};
#define GUEST_REGS								\
	{ KT_LV_VCPU, 0, { "=R0:u64" } },					\
	{ KT_LV_ESR, 0, { "arch.fault.esr_el2" } },				\
	{ KT_LV_PSTATE, 0, { "arch.ctxt.regs.pstate" } }
static const struct kt_fetch_arg regs_args[] = { GUEST_REGS, ARGS_END };
static const struct kt_fetch_arg regs_fold_args[] = {
	GUEST_REGS, { KT_LV_STATE, 0, { "?state" } }, ARGS_END
};
static const struct kt_fetch_arg wire_args[] = {
	{ KT_LV_WIRE_IRQ, 0, { "=R0:u32" } }, { KT_LV_WIRE_LEVEL, 0, { "=$retval:u8" } }, ARGS_END
};
static const struct kt_fetch_arg wire_irq_args[] = { { KT_LV_WIRE_IRQ, 0, { "=R0:u32" } }, ARGS_END };
static const struct kt_fetch_arg wire_ret_args[] = { { KT_LV_WIRE_LEVEL, 0, { "=$retval:u8" } }, ARGS_END };
static const struct kt_fetch_arg irqchip_args[] = {
	{ KT_LV_CHIP_IRQ, 0, { "=R0:u32" } }, { KT_LV_CHIP_WHICH, 0, { "=R1:u32" } },
	{ KT_LV_CHIP_VAL, 0, { "=R2:u8" } }, ARGS_END
};

const struct kt_fetch_probe kt_fetch_probes[] = {
	{ KT_LP_LOAD, false, false, KT_DETAIL_LINE, GROUP_LOAD, KT_EV_NONE, "load",
	  "kvm_timer_vcpu_load", NULL, load_args, "whose events they are" },
	{ KT_LP_RESET, false, false, KT_DETAIL_LINE, GROUP_RESET, KT_EV_RESET, "vcpu_reset",
	  "kvm_timer_vcpu_reset", NULL, reset_args, "resets of vCPUs by the VMM" },
	/* A vCPU's first timer map comes from here, before it is loaded. */
	{ KT_LP_ENABLE, false, false, KT_DETAIL_LINE, GROUP_ENABLE, KT_EV_NONE, "enable",
	  "kvm_timer_enable", NULL, reset_args, "whose events a vCPU's first are" },
	{ KT_LP_PUT, false, false, KT_DETAIL_LINE, GROUP_PUT, KT_EV_NONE, "put",
	  "kvm_timer_vcpu_put", NULL, put_args, "why a vCPU left its CPU; the user lane" },
	{ KT_LP_HRTIMER, false, true, KT_DETAIL_LINE, GROUP_HRTIMER, KT_EV_NONE, "hrtimer",
	  "kvm_hrtimer_expire", NULL, hrtimer_args, "whose soft timer fires on a foreign CPU" },
	{ KT_LP_BG, false, false, KT_DETAIL_LINE, GROUP_BG, KT_EV_BG_EXPIRE, "bg_expire",
	  "kvm_bg_timer_expire", NULL, hrtimer_args,
	  "wake-ups of sleeping vCPUs by their timer" },
	{ KT_LP_VCPU_GONE, false, false, KT_DETAIL_LINE, GROUP_VCPU, KT_EV_VCPU_GONE, "vcpu_destroy",
	  "kvm_arch_vcpu_destroy", NULL, vcpu_args,
	  "ends of vCPUs: a VM that reuses the memory of another in one process looks like it" },
	{ KT_LP_VM_GONE, false, false, KT_DETAIL_LINE, GROUP_VM, KT_EV_NONE, "vm_destroy",
	  "kvm_arch_destroy_vm", NULL, vcpu_args,
	  "ends of VMs: a VM that reuses the memory of another in one process looks like it" },

	{ KT_LP_FLUSH, true, true, KT_DETAIL_LR, GROUP_FLUSH, KT_EV_LR, "flush",
	  "kvm_vgic_flush_hwstate", NULL, lr_args, "list registers as the guest gets them" },
	{ KT_LP_FLUSH, false, true, KT_DETAIL_LR, GROUP_FLUSH, KT_EV_LR, "flush",
	  "kvm_arch_vcpu_ctxflush_fp", NULL, lr_args, "list registers as the guest gets them" },
	{ KT_LP_FLUSH, false, true, KT_DETAIL_LR, GROUP_FLUSH, KT_EV_LR, "flush",
	  "kvm_arm_setup_debug", NULL, lr_args, "list registers as the guest gets them" },
	{ KT_LP_FOLD_IN, false, true, KT_DETAIL_LR, GROUP_FOLD_IN, KT_EV_LR, "fold_in",
	  "vgic_v3_fold_lr_state", NULL, fold_in_args, "list registers as the guest left them" },
	{ KT_LP_FOLD_OUT, true, true, KT_DETAIL_LR, GROUP_FOLD_OUT, KT_EV_LR, "fold_out",
	  "vgic_v3_fold_lr_state", NULL, fold_out_args, "the line after resampling" },
	{ KT_LP_REGS, false, true, KT_DETAIL_LR, GROUP_FOLD_OUT, KT_EV_LR, "fold_out",
	  "kvm_arch_vcpu_ctxsync_fp", NULL, regs_fold_args, "the line after resampling" },
	{ KT_LP_WIRE, true, false, KT_DETAIL_LR, GROUP_WIRE, KT_EV_WIRE, "wire",
	  "kvm_arch_timer_get_input_level", NULL, wire_args,
	  "samples of the timer's own output at fold" },
	{ KT_LP_WIRE_RET, true, false, KT_DETAIL_LR, GROUP_WIRE, KT_EV_WIRE, "wire",
	  "kvm_arch_timer_get_input_level", NULL, wire_ret_args,
	  "samples of the timer's own output at fold" },
	{ KT_LP_WIRE_IRQ, false, false, KT_DETAIL_LR, GROUP_WIRE_IRQ, KT_EV_NONE, "wire_irq",
	  "kvm_arch_timer_get_input_level", NULL, wire_irq_args,
	  "which timer a sampled output belongs to" },
	{ KT_LP_IRQCHIP, false, false, KT_DETAIL_LR, GROUP_IRQCHIP, KT_EV_IRQCHIP, "irqchip",
	  "irq_set_irqchip_state", "v1 == 1", irqchip_args, "the physical active state" },
};

const unsigned int kt_nr_fetch_probes = sizeof(kt_fetch_probes) / sizeof(kt_fetch_probes[0]);

const struct kt_fetch_probe kt_regs_probe = {
	KT_LP_REGS, false, true, KT_DETAIL_LR, GROUP_NR, KT_EV_NONE, "exit_regs",
	"kvm_arch_vcpu_ctxsync_fp", NULL, regs_args,
	"the syndrome and PSTATE of exits: the masked lane"
};
