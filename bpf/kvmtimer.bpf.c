// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel is asked, one SEC() entry per question.  Programs observe,
 * filter, stamp and submit; they never decide what an event means.
 *
 * Raw tracepoints serve detail "line".  Detail "lr" adds samples around the
 * vgic's flush and fold, in the best form that the kernel has: tracepoints
 * (kernel-patch/linux-6.12), fentry/fexit (6.12 and later on arm64), or
 * kprobe/kretprobe.  The recorder loads one of them.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include <kvmtimer/event.h>
#include <kvmtimer/lr.h>
#include "kvm_types.bpf.h"
#include "maps.bpf.h"
#include "emit.bpf.h"
#include "identity.bpf.h"
#include "timer.bpf.h"
#include "vgic.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* ---- the timer ---- */

SEC("raw_tp/kvm_get_timer_map")
int BPF_PROG(kt_map, __u64 vcpu_id, struct timer_map *map)
{
	return on_map(vcpu_id, map);
}

SEC("raw_tp/kvm_timer_update_irq")
int BPF_PROG(kt_update_irq, __u64 vcpu_id, __u32 irq, int level)
{
	return on_level(KT_EV_UPDATE_IRQ, vcpu_id, irq, level);
}

SEC("raw_tp/vgic_update_irq_pending")
int BPF_PROG(kt_vgic_update, __u64 vcpu_id, __u32 irq, bool level)
{
	/* PPIs only: a timer's interrupt is never an SPI. */
	if ((irq & 0x1fffffff) >= 1024 || (irq < 0x20000000 && irq >= 32))
		return 0;
	return on_level(KT_EV_VGIC_UPDATE, vcpu_id, irq, level & 1);
}

SEC("raw_tp/kvm_timer_save_state")
int BPF_PROG(kt_save, struct arch_timer_context *tctx)
{
	return on_regs(KT_EV_SAVE, tctx);
}

SEC("raw_tp/kvm_timer_restore_state")
int BPF_PROG(kt_restore, struct arch_timer_context *tctx)
{
	return on_regs(KT_EV_RESTORE, tctx);
}

SEC("raw_tp/kvm_timer_emulate")
int BPF_PROG(kt_emulate, struct arch_timer_context *tctx, bool should_fire)
{
	return on_emulate(tctx, should_fire & 1);
}

SEC("raw_tp/kvm_timer_hrtimer_expire")
int BPF_PROG(kt_hrtimer_expire, struct arch_timer_context *tctx)
{
	return on_hrtimer_expire(tctx);
}

SEC("kprobe/kvm_bg_timer_expire")
int BPF_KPROBE(kt_bg_expire, struct hrtimer *hrt)
{
	return on_bg_expire(hrt);
}

/* ---- the vCPU ---- */

SEC("raw_tp/kvm_entry")
int BPF_PROG(kt_entry, __u64 pc)
{
	struct kt_event ev = { .kind = KT_EV_ENTRY, .sub = KT_SUB(KT_TIMER_NONE, 0), .run.pc = pc };

	if (knobs.lr_tracepoints)
		close_lrs();
	return emit_loaded(&ev, false);
}

SEC("raw_tp/kvm_exit")
int BPF_PROG(kt_exit, int ret, __u32 esr_ec, __u64 pc)
{
	return on_exit(ret, esr_ec, pc);
}

SEC("raw_tp/kvm_wfx_arm64")
int BPF_PROG(kt_wfx, __u64 pc, bool is_wfe)
{
	struct kt_event ev = { .kind = KT_EV_WFX, .sub = KT_SUB(KT_TIMER_NONE, 0) };

	ev.wfx.pc = pc;
	ev.wfx.is_wfe = is_wfe & 1;
	return emit_loaded(&ev, true);
}

SEC("raw_tp/kvm_vcpu_wakeup")
int BPF_PROG(kt_wakeup, __u64 wait_ns, bool waited, bool valid)
{
	struct kt_event ev = { .kind = KT_EV_WAKEUP, .sub = KT_SUB(KT_TIMER_NONE, 0) };

	ev.wakeup.wait_ns = wait_ns;
	ev.wakeup.waited = waited & 1;
	ev.wakeup.valid = valid & 1;
	return emit_loaded(&ev, true);
}

SEC("raw_tp/kvm_userspace_exit")
int BPF_PROG(kt_user_exit, __u32 reason, int err)
{
	return on_user_exit(reason, err);
}

SEC("kprobe/kvm_timer_vcpu_reset")
int BPF_KPROBE(kt_vcpu_reset, struct kvm_vcpu *vcpu)
{
	return on_vcpu_reset(vcpu);
}

/* Its end frees the pointers for a new life: cached identities are void. */
SEC("kprobe/kvm_arch_vcpu_destroy")
int BPF_KPROBE(kt_vcpu_destroy, struct kvm_vcpu *vcpu)
{
	return on_vcpu_destroy(vcpu);
}

SEC("kprobe/kvm_arch_destroy_vm")
int BPF_KPROBE(kt_vm_destroy, struct kvm *kvm)
{
	__u64 key = (__u64)kvm;

	bpf_map_delete_elem(&vms, &key);
	return 0;
}

/* ---- detail lr: what the vgic gives the guest, and what comes back ---- */

SEC("raw_tp/vgic_flush_lr")
int BPF_PROG(kt_flush_tp, struct kvm_vcpu *vcpu, struct vgic_irq *irq, int idx, __u64 lr, bool phys)
{
	return on_lr_tracepoint(vcpu, irq, idx, lr, phys & 1, KT_AT_FLUSH);
}

SEC("raw_tp/vgic_fold_lr")
int BPF_PROG(kt_fold_in_tp, struct kvm_vcpu *vcpu, struct vgic_irq *irq, int idx, __u64 lr, bool phys)
{
	return on_lr_tracepoint(vcpu, irq, idx, lr, phys & 1, KT_AT_FOLD_IN);
}

SEC("raw_tp/vgic_resample_lr")
int BPF_PROG(kt_fold_out_tp, struct kvm_vcpu *vcpu, struct vgic_irq *irq, int idx, __u64 lr, bool phys)
{
	return on_lr_tracepoint(vcpu, irq, idx, lr, phys & 1, KT_AT_FOLD_OUT);
}

SEC("kretprobe/kvm_vgic_flush_hwstate")
int BPF_KRETPROBE(kt_flush_kret)
{
	return on_lr(KT_AT_FLUSH);
}

SEC("fexit/kvm_vgic_flush_hwstate")
int BPF_PROG(kt_flush_fexit)
{
	return on_lr(KT_AT_FLUSH);
}

SEC("kprobe/vgic_v3_fold_lr_state")
int BPF_KPROBE(kt_fold_in_kprobe)
{
	return on_lr(KT_AT_FOLD_IN);
}

SEC("kretprobe/vgic_v3_fold_lr_state")
int BPF_KRETPROBE(kt_fold_out_kret)
{
	return on_lr(KT_AT_FOLD_OUT);
}

SEC("fentry/vgic_v3_fold_lr_state")
int BPF_PROG(kt_fold_in_fentry)
{
	return on_lr(KT_AT_FOLD_IN);
}

SEC("fexit/vgic_v3_fold_lr_state")
int BPF_PROG(kt_fold_out_fexit)
{
	return on_lr(KT_AT_FOLD_OUT);
}

SEC("kprobe/kvm_arch_timer_get_input_level")
int BPF_KPROBE(kt_wire_kprobe, int vintid)
{
	struct kt_cpu *c = this_cpu();

	if (c)
		c->wire_irq = vintid;
	return 0;
}

SEC("kretprobe/kvm_arch_timer_get_input_level")
int BPF_KRETPROBE(kt_wire_kret, bool level)
{
	struct kt_cpu *c = this_cpu();

	return c ? on_wire(c->wire_irq, level & 1) : 0;
}

SEC("fexit/kvm_arch_timer_get_input_level")
int BPF_PROG(kt_wire_fexit, int vintid, bool level)
{
	return on_wire(vintid, level & 1);
}

SEC("kprobe/irq_set_irqchip_state")
int BPF_KPROBE(kt_irqchip_kprobe, __u32 irq, __u32 which, bool val)
{
	return on_irqchip(irq, which, val & 1);
}

SEC("fentry/irq_set_irqchip_state")
int BPF_PROG(kt_irqchip_fentry, __u32 irq, __u32 which, bool val)
{
	return on_irqchip(irq, which, val & 1);
}
