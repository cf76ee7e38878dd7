/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes.h"

#include <kvmtimer/event.h>
#include <stddef.h>
#include <string.h>

#include "capture.h"

#define RAW_TP(name_, prog_, target_, kind_, required_, lost_)                                  \
	{ .name = name_, .program = prog_, .target = target_, .how = KT_HOW_RAW_TP,             \
	  .detail = KT_DETAIL_LINE, .kind = kind_, .required = required_, .lost = lost_ }

#define FUNC(name_, prog_, target_, how_, detail_, kind_, lost_)                                \
	{ .name = name_, .program = prog_, .target = target_, .how = how_, .detail = detail_,   \
	  .kind = kind_, .lost = lost_,                                                         \
	  .group = detail_ == KT_DETAIL_LINE ? KT_GROUP_ALWAYS :                                \
		   how_ == KT_HOW_FENTRY ? KT_GROUP_FENTRY :                                    \
		   how_ == KT_HOW_RAW_TP ? KT_GROUP_TRACEPOINT : KT_GROUP_KPROBE }

const struct kt_probe kt_probes[] = {
	RAW_TP("update_irq", "kt_update_irq", "kvm_timer_update_irq", KT_EV_UPDATE_IRQ, true,
	       "the line lane"),
	RAW_TP("map", "kt_map", "kvm_get_timer_map", KT_EV_MAP, false,
	       "loads, puts and host timer interrupts"),
	RAW_TP("save", "kt_save", "kvm_timer_save_state", KT_EV_SAVE, false,
	       "the timer's registers when they leave the hardware"),
	RAW_TP("restore", "kt_restore", "kvm_timer_restore_state", KT_EV_RESTORE, false,
	       "the timer's registers when they enter the hardware"),
	RAW_TP("emulate", "kt_emulate", "kvm_timer_emulate", KT_EV_EMULATE, false,
	       "evaluations of emulated timers"),
	RAW_TP("hrtimer_expire", "kt_hrtimer_expire", "kvm_timer_hrtimer_expire",
	       KT_EV_HRTIMER_EXPIRE, false, "soft timers of emulated timers"),
	RAW_TP("vgic_update", "kt_vgic_update", "vgic_update_irq_pending", KT_EV_VGIC_UPDATE,
	       false, "what the vgic was told"),
	RAW_TP("entry", "kt_entry", "kvm_entry", KT_EV_ENTRY, true, "guest time"),
	RAW_TP("exit", "kt_exit", "kvm_exit", KT_EV_EXIT, true, "exits"),
	RAW_TP("wfx", "kt_wfx", "kvm_wfx_arm64", KT_EV_WFX, false, "trapped WFI and WFE"),
	RAW_TP("wakeup", "kt_wakeup", "kvm_vcpu_wakeup", KT_EV_WAKEUP, false,
	       "ends of halts and halt-polling"),
	RAW_TP("user_exit", "kt_user_exit", "kvm_userspace_exit", KT_EV_USER_EXIT, false,
	       "exits to the VMM and the user lane"),
	FUNC("bg_expire", "kt_bg_expire", "kvm_bg_timer_expire", KT_HOW_KPROBE, KT_DETAIL_LINE,
	     KT_EV_BG_EXPIRE, "wake-ups of sleeping vCPUs by their timer"),
	FUNC("vcpu_reset", "kt_vcpu_reset", "kvm_timer_vcpu_reset", KT_HOW_KPROBE, KT_DETAIL_LINE,
	     KT_EV_RESET, "resets of vCPUs by the VMM"),
	FUNC("vcpu_destroy", "kt_vcpu_destroy", "kvm_arch_vcpu_destroy", KT_HOW_KPROBE,
	     KT_DETAIL_LINE, KT_EV_VCPU_GONE,
	     "ends of vCPUs: a VM that reuses the memory of another in one process looks like it"),
	FUNC("vm_destroy", "kt_vm_destroy", "kvm_arch_destroy_vm", KT_HOW_KPROBE, KT_DETAIL_LINE,
	     KT_EV_NONE,
	     "ends of VMs: a VM that reuses the memory of another in one process looks like it"),

	FUNC("flush", "kt_flush_tp", "vgic_flush_lr", KT_HOW_RAW_TP, KT_DETAIL_LR, KT_EV_LR,
	     "list registers as the guest gets them"),
	FUNC("flush", "kt_flush_fexit", "kvm_vgic_flush_hwstate", KT_HOW_FENTRY, KT_DETAIL_LR,
	     KT_EV_LR, "list registers as the guest gets them"),
	FUNC("flush", "kt_flush_kret", "kvm_vgic_flush_hwstate", KT_HOW_KRETPROBE, KT_DETAIL_LR,
	     KT_EV_LR, "list registers as the guest gets them"),
	FUNC("fold_in", "kt_fold_in_tp", "vgic_fold_lr", KT_HOW_RAW_TP, KT_DETAIL_LR, KT_EV_LR,
	     "list registers as the guest left them"),
	FUNC("fold_in", "kt_fold_in_fentry", "vgic_v3_fold_lr_state", KT_HOW_FENTRY, KT_DETAIL_LR,
	     KT_EV_LR, "list registers as the guest left them"),
	FUNC("fold_in", "kt_fold_in_kprobe", "vgic_v3_fold_lr_state", KT_HOW_KPROBE, KT_DETAIL_LR,
	     KT_EV_LR, "list registers as the guest left them"),
	FUNC("fold_out", "kt_fold_out_tp", "vgic_resample_lr", KT_HOW_RAW_TP, KT_DETAIL_LR,
	     KT_EV_LR, "the line after resampling"),
	FUNC("fold_out", "kt_fold_out_fexit", "vgic_v3_fold_lr_state", KT_HOW_FENTRY,
	     KT_DETAIL_LR, KT_EV_LR, "the line after resampling"),
	FUNC("fold_out", "kt_fold_out_kret", "vgic_v3_fold_lr_state", KT_HOW_KRETPROBE,
	     KT_DETAIL_LR, KT_EV_LR, "the line after resampling"),
	FUNC("wire", "kt_wire_fexit", "kvm_arch_timer_get_input_level", KT_HOW_FENTRY,
	     KT_DETAIL_LR, KT_EV_WIRE, "samples of the timer's own output at fold"),
	FUNC("wire_irq", "kt_wire_kprobe", "kvm_arch_timer_get_input_level", KT_HOW_KPROBE,
	     KT_DETAIL_LR, KT_EV_NONE, "which timer a sampled output belongs to"),
	FUNC("wire", "kt_wire_kret", "kvm_arch_timer_get_input_level", KT_HOW_KRETPROBE,
	     KT_DETAIL_LR, KT_EV_WIRE, "samples of the timer's own output at fold"),
	FUNC("irqchip", "kt_irqchip_fentry", "irq_set_irqchip_state", KT_HOW_FENTRY, KT_DETAIL_LR,
	     KT_EV_IRQCHIP, "the physical active state"),
	FUNC("irqchip", "kt_irqchip_kprobe", "irq_set_irqchip_state", KT_HOW_KPROBE, KT_DETAIL_LR,
	     KT_EV_IRQCHIP, "the physical active state"),
};

const int kt_nr_probes = sizeof(kt_probes) / sizeof(kt_probes[0]);
_Static_assert(sizeof(kt_probes) / sizeof(kt_probes[0]) <= KT_PROBES_MAX, "room for each link");

/* The fold function is the only one that differs between GICv2 and GICv3 hosts. */
const char *kt_probe_target(const struct kt_probe *p, uint8_t gic)
{
	static const char v3_fold[] = "vgic_v3_fold_lr_state";

	if (gic == 2 && !__builtin_strcmp(p->target, v3_fold))
		return "vgic_v2_fold_lr_state";
	return p->target;
}

bool kt_probe_has_tracepoint(const struct kt_probe *p)
{
	for (int i = 0; i < kt_nr_probes; i++)
		if (kt_probes[i].group == KT_GROUP_TRACEPOINT &&
		    !__builtin_strcmp(kt_probes[i].name, p->name))
			return true;
	return false;
}

const char *kt_how_name(enum kt_how how)
{
	static const char *const names[] = {
		[KT_HOW_RAW_TP] = "raw_tp",
		[KT_HOW_KPROBE] = "kprobe",
		[KT_HOW_KRETPROBE] = "kretprobe",
		[KT_HOW_FENTRY] = "fentry",
		[KT_HOW_TRACEPOINT] = "tracepoint",
		[KT_HOW_FUNCTION] = "function tracer",
	};

	return names[how];
}

bool kt_how_works(const char *value)
{
	for (int how = 0; how < KT_HOW_NR; how++)
		if (!strcmp(value, kt_how_name(how)))
			return true;
	return false;
}
