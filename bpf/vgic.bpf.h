/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VGIC_BPF_H
#define VGIC_BPF_H

/* Samples of the timers' interrupts in the vgic, for detail "lr". */
#include "emit.bpf.h"
#include "identity.bpf.h"

static __always_inline void read_lrs(struct kvm_vcpu *vcpu, struct lr_set *set)
{
	__u32 i;

	if (knobs.gic == 2) {
		set->used = BPF_CORE_READ(vcpu, arch.vgic_cpu.vgic_v2.used_lrs);
		if (!set->used)
			return;
		bpf_probe_read_kernel(set->narrow, sizeof(set->narrow), (void *)vcpu +
			bpf_core_field_offset(struct kvm_vcpu, arch.vgic_cpu.vgic_v2.vgic_lr));
		for (i = 0; i < MAX_LRS; i++)
			set->lr[i] = set->narrow[i];
		return;
	}
	set->used = BPF_CORE_READ(vcpu, arch.vgic_cpu.vgic_v3.used_lrs);
	if (!set->used)
		return;
	bpf_probe_read_kernel(set->lr, sizeof(set->lr), (void *)vcpu +
		bpf_core_field_offset(struct kvm_vcpu, arch.vgic_cpu.vgic_v3.vgic_lr));
}

/* Index of the first LR that names irq, or MAX_LRS; how many do is counted in *named. */
static __always_inline __u32 find_lr(const struct lr_set *set, __u32 irq, __u8 *named)
{
	__u32 i, first = MAX_LRS;

	for (i = 0; i < MAX_LRS; i++) {
		if (i >= set->used)
			break;
		if (kt_lr_vintid(set->lr[i], knobs.gic == 2) != irq ||
		    !kt_lr_state(set->lr[i], knobs.gic == 2))
			continue;
		if (first == MAX_LRS)
			first = i;
		++*named;
	}
	return first;
}

/* KT_LR_* of the struct vgic_irq at addr. */
static __always_inline __u16 state_at(struct lr_set *set, __u64 addr)
{
	struct vgic_irq *q = (void *)set->irq;
	__u16 state = 0;

	if (bpf_core_type_size(struct vgic_irq) > VGIC_IRQ_BYTES)
		return 0;
	bpf_probe_read_kernel(set->irq, bpf_core_type_size(struct vgic_irq), (void *)addr);
	if (BPF_CORE_READ_BITFIELD(q, line_level))
		state |= KT_LR_LINE;
	if (BPF_CORE_READ_BITFIELD(q, pending_latch))
		state |= KT_LR_LATCH;
	if (BPF_CORE_READ_BITFIELD(q, active))
		state |= KT_LR_ACTIVE;
	if (BPF_CORE_READ_BITFIELD(q, enabled))
		state |= KT_LR_ENABLED;
	if (BPF_CORE_READ_BITFIELD(q, hw))
		state |= KT_LR_HW;
	if (BPF_CORE_READ_BITFIELD(q, group))
		state |= KT_LR_GROUP1;
	return state;
}

static __always_inline __u16 irq_state(struct lr_set *set, struct kvm_vcpu *vcpu, __u32 irq)
{
	struct vgic_cpu___ptr *ptr = (void *)vcpu + bpf_core_field_offset(struct kvm_vcpu, arch.vgic_cpu);
	struct vgic_cpu *arr = (void *)ptr;
	__u64 addr;

	if (irq >= 32)
		return 0;
	/* An array turned into a pointer: the two kinds cannot be confused. */
	if (bpf_core_field_exists(ptr->private_irqs))
		addr = (__u64)BPF_CORE_READ(ptr, private_irqs);
	else
		addr = (__u64)arr + bpf_core_field_offset(struct vgic_cpu, private_irqs);
	return state_at(set, addr + irq * bpf_core_type_size(struct vgic_irq));
}

static __noinline int emit_lr(struct kt_cpu *c, struct kvm_vcpu *vcpu, struct lr_set *set,
			      __u32 sub)
{
	struct kt_event ev = { .kind = KT_EV_LR, .sub = sub };
	__u32 timer = KT_SUB_TIMER(sub), irq, i, open;

	if (!c || !set || timer >= KT_TIMER_NR)
		return 0;
	irq = c->irq[timer];
	if (!irq)
		return 0;
	i = find_lr(set, irq, &ev.lr.named);
	open = c->lr_open & (1u << timer);
	/* Empty again and again is not worth an event. */
	if (i >= MAX_LRS && !open)
		return 0;
	/* Before the fold vgic_irq still says what flush left there: not worth reading. */
	if (KT_SUB_AT(sub) != KT_AT_FOLD_IN)
		ev.lr.state = irq_state(set, vcpu, irq);
	if (knobs.gic == 2)
		ev.lr.state |= KT_LR_V2;
	ev.lr.used = set->used;
	if (i < MAX_LRS) {
		ev.lr.state |= KT_LR_PRESENT;
		ev.lr.lr = set->lr[i];
		ev.lr.lr_idx = i;
		c->lr_open |= 1u << timer;
	} else if (KT_SUB_AT(sub) == KT_AT_FLUSH) {
		/* Folding empties the registers each time; only a flush without it closes. */
		c->lr_open &= ~(1u << timer);
		if (ev.lr.state & KT_LR_LINE && !BPF_CORE_READ(vcpu, kvm, arch.vgic.enabled))
			ev.lr.state |= KT_LR_DIST_OFF;
	}
	emit(c, c->who, &ev);
	return 0;
}

/* KVM folds and flushes with interrupts off and the vCPU loaded. */
static __always_inline int on_lr(__u32 at)
{
	struct kt_cpu *c = this_cpu();
	struct kvm_vcpu *vcpu;
	struct lr_set *set;
	__u32 who, zero = 0;

	set = bpf_map_lookup_elem(&lr_sets, &zero);
	if (!c || !set)
		return 0;
	who = bound_who(c, &vcpu);
	if (!who || !vcpu)
		return 0;
	/* Folding has emptied them. */
	set->used = 0;
	if (at != KT_AT_FOLD_OUT)
		read_lrs(vcpu, set);
	/* Nothing in any LR before, nothing now. */
	if (!set->used && !(c->lr_open & 3))
		return 0;
	if (timer_wanted(KT_VTIMER))
		emit_lr(c, vcpu, set, KT_SUB(KT_VTIMER, at));
	if (timer_wanted(KT_PTIMER))
		emit_lr(c, vcpu, set, KT_SUB(KT_PTIMER, at));
	return 0;
}

/* ---- kernels with a tracepoint per list register: no functions to probe, no LRs to search ---- */

/* They fire with interrupts off, the interrupt locked and its vCPU loaded. */
static __always_inline int on_lr_tracepoint(struct kvm_vcpu *vcpu, struct vgic_irq *irq, __u32 idx,
					    __u64 lr, __u8 phys_active, __u32 at)
{
	struct kt_event ev = { .kind = KT_EV_LR, .lr.state = KT_LR_PHYS_KNOWN };
	struct kt_cpu *c = this_cpu();
	struct lr_set *set;
	__u32 timer, zero = 0;

	set = bpf_map_lookup_elem(&lr_sets, &zero);
	if (!c || !set || !cached_who(c, vcpu))
		return 0;
	timer = timer_of_irq(c->irq, BPF_CORE_READ(irq, intid));
	if (timer >= KT_TIMER_NR || !timer_wanted(timer))
		return 0;
	ev.sub = KT_SUB(timer, at);
	if (at != KT_AT_FOLD_IN)
		ev.lr.state |= state_at(set, (__u64)irq);
	if (phys_active)
		ev.lr.state |= KT_LR_PHYS;
	if (knobs.gic == 2)
		ev.lr.state |= KT_LR_V2;
	kt_lr_traced(&ev.lr, at, idx, lr, knobs.gic == 2);
	if (at == KT_AT_FLUSH && ev.lr.state & KT_LR_PRESENT) {
		ev.lr.named = ++c->lr_named[timer];
		c->lr_flushed |= 1u << timer;
		c->lr_open |= 1u << timer;
	} else if (at == KT_AT_FOLD_OUT) {
		c->lr_named[timer] = 0;
		c->lr_flushed &= ~(1u << timer);
	}
	emit(c, c->who, &ev);
	return 0;
}

/* Without a tracepoint for "no list register", its absence is noticed at the entry that follows. */
static __always_inline int close_lrs(void)
{
	struct kt_cpu *c = this_cpu();
	__u32 who, zero = 0, open;
	struct kvm_vcpu *vcpu;
	struct lr_set *set;

	set = bpf_map_lookup_elem(&lr_sets, &zero);
	if (!c || !set)
		return 0;
	open = c->lr_open & ~c->lr_flushed;
	if (!(open & 3))
		return 0;
	who = bound_who(c, &vcpu);
	if (!who || !vcpu)
		return 0;
	set->used = 0;
	if (open & 1u << KT_VTIMER && timer_wanted(KT_VTIMER))
		emit_lr(c, vcpu, set, KT_SUB(KT_VTIMER, KT_AT_FLUSH));
	if (open & 1u << KT_PTIMER && timer_wanted(KT_PTIMER))
		emit_lr(c, vcpu, set, KT_SUB(KT_PTIMER, KT_AT_FLUSH));
	return 0;
}

static __always_inline int on_wire(__u32 irq, __u8 level)
{
	struct kt_event ev = { .kind = KT_EV_WIRE, .level.irq = irq, .level.level = level };
	struct kt_cpu *c = this_cpu();
	struct kvm_vcpu *vcpu;
	__u32 who, timer;

	if (!c)
		return 0;
	who = bound_who(c, &vcpu);
	if (!who || !vcpu)
		return 0;
	timer = timer_of_irq(c->irq, irq);
	if (!timer_wanted(timer))
		return 0;
	ev.sub = KT_SUB(timer, KT_AT_INPUT_LEVEL);
	/* Also called from a guest's access to the emulated GIC, which is preemptible. */
	emit_side(c, who, &ev);
	return 0;
}

#define IRQCHIP_STATE_ACTIVE 1

static __always_inline int on_irqchip(__u32 host_irq, __u32 which, __u8 val)
{
	struct kt_event ev = { .kind = KT_EV_IRQCHIP, .irqchip.host_irq = host_irq,
			       .irqchip.which = which, .irqchip.val = val };
	struct kt_cpu *c = this_cpu();
	struct kvm_vcpu *vcpu;
	__u32 who, timer;

	if (!c || which != IRQCHIP_STATE_ACTIVE)
		return 0;
	who = bound_who(c, &vcpu);
	if (!who || !vcpu)
		return 0;
	timer = timer_of_irq(c->host_irq, host_irq);
	if (timer == KT_TIMER_NONE || !timer_wanted(timer))
		return 0;
	ev.sub = KT_SUB(timer, 0);
	emit_side(c, who, &ev);
	return 0;
}

#endif
