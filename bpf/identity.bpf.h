/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IDENTITY_BPF_H
#define IDENTITY_BPF_H

/*
 * Who an event belongs to.
 *
 * An event that carries a timer context names its vCPU.  A bare one
 * (kvm_timer_update_irq, kvm_entry, ...) belongs to
 *
 *   1. the soft timer whose callback runs in this hard interrupt: on a
 *      nohz_full host it fires on another CPU, on top of another VM's vCPU;
 *   2. else the vCPU that this thread has bound to this CPU: by a timer map
 *      (load, host timer interrupt, reset) or a restore, until its save;
 *   3. else, for what only a vCPU's own thread can do in KVM_RUN (entry, exit,
 *      WFx, wake-up), the vCPU that this thread last ran: a kernel that saves
 *      its timers at each exit has done so before it tells of the exit;
 *   4. else nobody: only the thread id is known, and is all that is said.
 *
 * KVM's own kvm_running_vcpu would say the same as 2, but 5.10 and 6.1 refuse
 * a program that names it (per-CPU symbols need KALLSYMS_ALL).
 *
 * A vCPU gets a handle when first seen.  Handles come from a namespace per CPU
 * and context, so giving one out needs no atomic fetch-and-add, which BPF on
 * 5.10 does not have; they are never reused.
 */
#include "maps.bpf.h"

/* Handle: bit 31 clear, irq 1 bit, CPU 12 bits, counter 18 bits starting at 1. */
#define HANDLE_COUNT_BITS 18
#define HANDLE_CPU_BITS 12

#define HARDIRQ_MASK 0x000f0000	/* preempt_count: HARDIRQ_SHIFT 16, HARDIRQ_BITS 4 */

static __always_inline bool in_hardirq(void)
{
	__u32 count;

	if (bpf_core_enum_value_exists(enum bpf_func_id___task,
				       BPF_FUNC_get_current_task_btf___task)) {
		struct task_struct *task = bpf_get_current_task_btf();

		count = task->thread_info.preempt.count;
	} else {
		struct task_struct *task = (void *)bpf_get_current_task();

		count = BPF_CORE_READ(task, thread_info.preempt.count);
	}
	return count & HARDIRQ_MASK;
}

static __always_inline __u32 current_tid(void)
{
	return (__u32)bpf_get_current_pid_tgid();
}

/* ---- timer contexts ---- */

/* Index of ctx in vcpu's timers[], or KT_TIMER_NONE: being inside is proof of identity. */
static __always_inline __u32 timer_of_ctx(struct kvm_vcpu *vcpu, __u64 ctx)
{
	__u64 first = (__u64)vcpu + bpf_core_field_offset(struct kvm_vcpu, arch.timer_cpu.timers);
	__u64 index = (ctx - first) / bpf_core_type_size(struct arch_timer_context);

	return index < KT_TIMER_NR ? index : KT_TIMER_NONE;
}

static __always_inline struct kvm_vcpu *vcpu_of_ctx(struct arch_timer_context *ctx)
{
	struct arch_timer_context___timer_id *c = (void *)ctx;
	__u64 first;

	if (bpf_core_field_exists(ctx->vcpu))
		return BPF_CORE_READ(ctx, vcpu);
	first = (__u64)ctx - BPF_CORE_READ(c, timer_id) * (__u64)bpf_core_type_size(*ctx);
	return (void *)(first - bpf_core_field_offset(struct kvm_vcpu, arch.timer_cpu.timers));
}

/* Guest interrupt of timer i: in the context until 6.4, then per VM. */
static __always_inline __u32 timer_irq(struct kvm_vcpu *vcpu, struct kvm *kvm, __u32 i)
{
	struct arch_timer_context___irq *c;
	__u32 irq = 0;
	__u8 narrow = 0;

	c = (void *)vcpu + bpf_core_field_offset(struct kvm_vcpu, arch.timer_cpu.timers) +
	    i * bpf_core_type_size(struct arch_timer_context);
	if (bpf_core_field_exists(c->irq.irq))
		return BPF_CORE_READ(c, irq.irq);
	if (bpf_core_field_size(kvm->arch.timer_data.ppi) == KT_TIMER_NR) {
		bpf_probe_read_kernel(&narrow, 1, (void *)kvm +
				bpf_core_field_offset(struct kvm, arch.timer_data.ppi) + i);
		return narrow;
	}
	bpf_probe_read_kernel(&irq, 4, (void *)kvm +
			bpf_core_field_offset(struct kvm, arch.timer_data.ppi) + 4 * i);
	return irq;
}

static __always_inline __u32 nr_timers(void)
{
	return bpf_core_field_size(struct arch_timer_cpu, timers) /
	       bpf_core_type_size(struct arch_timer_context);
}

/* ---- giving out handles ---- */

static __always_inline bool wanted(__u32 tgid, __u32 vcpu_id)
{
	bool tgid_ok = !knobs.nr_tgids;
	__u32 i;

	for (i = 0; i < KT_MAX_TGIDS; i++)
		if (i < knobs.nr_tgids && knobs.tgid[i] == tgid)
			tgid_ok = true;
	if (!knobs.vcpu_mask)
		return tgid_ok;
	return tgid_ok && vcpu_id < 64 && (knobs.vcpu_mask >> vcpu_id & 1);
}

static __always_inline __u32 new_handle(struct kt_cpu *c)
{
	__u32 cpu = bpf_get_smp_processor_id() & ((1 << HANDLE_CPU_BITS) - 1);
	__u32 irq = in_hardirq();
	__u32 n = ++c->next_handle[irq];

	if (n >> HANDLE_COUNT_BITS)
		return 0;
	return irq << (HANDLE_CPU_BITS + HANDLE_COUNT_BITS) | cpu << HANDLE_COUNT_BITS | n;
}

static __always_inline __u32 vm_generation(struct kvm *kvm, __u32 tgid, __u32 who)
{
	struct vm_state fresh = { .vm_gen = who, .tgid = tgid };
	__u64 key = (__u64)kvm;
	struct vm_state *vm;

	vm = bpf_map_lookup_elem(&vms, &key);
	if (vm && vm->tgid == tgid)
		return vm->vm_gen;
	/* An entry of another VMM is a life whose end was not seen. */
	bpf_map_update_elem(&vms, &key, &fresh, vm ? BPF_ANY : BPF_NOEXIST);
	vm = bpf_map_lookup_elem(&vms, &key);
	return vm ? vm->vm_gen : who;
}

static __always_inline __u8 irqchip_of(struct kvm *kvm)
{
	_Bool in_kernel = BPF_CORE_READ(kvm, arch.vgic.in_kernel);
	__u32 model = BPF_CORE_READ(kvm, arch.vgic.vgic_model);

	if (!in_kernel)
		return 0;
	switch (model) {	/* KVM_DEV_TYPE_ARM_VGIC_V2, _V3 */
	case 5: return 2;
	case 7: return 3;
	}
	return 5;
}

/*
 * Writes (again) the row that resolves st->who.  Each row has a key of its own,
 * so the recorder may delete what it has read while a newer row is written.
 */
static __noinline int publish_identity(struct kt_cpu *c, struct kvm_vcpu *vcpu,
				       struct vcpu_state *st)
{
	struct kt_ident id = {};
	struct kvm *kvm;
	__u32 i, key;

	if (!c || !st)
		return 0;
	key = new_handle(c);
	kvm = (void *)st->kvm;
	id.kvm = st->kvm;
	id.vcpu = (__u64)vcpu;
	id.first_ns = bpf_ktime_get_ns();
	id.who = st->who;
	id.tgid = BPF_CORE_READ(kvm, userspace_pid);
	id.vm_gen = vm_generation(kvm, id.tgid, st->who);
	id.tid = st->tid;
	id.vcpu_id = BPF_CORE_READ(vcpu, vcpu_id);
	id.vcpu_idx = BPF_CORE_READ(vcpu, vcpu_idx);
	for (i = 0; i < KT_TIMER_NR; i++) {
		id.irq[i] = st->irq[i];
		id.host_irq[i] = st->host_irq[i];
	}
	id.vgic = irqchip_of(kvm);
	/* In another VM's interrupt, or in a VMM's main thread, this is not the vCPU's name. */
	if (current_tid() == st->tid)
		bpf_get_current_comm(id.comm, sizeof(id.comm));
	if (bpf_map_update_elem(&idents, &key, &id, BPF_NOEXIST)) {
		__sync_fetch_and_add(&lost_idents, 1);
		return 0;
	}
	__sync_fetch_and_add(&nr_idents, 1);
	return 0;
}

static __always_inline __u32 tid_of(struct kvm_vcpu *vcpu)
{
	struct pid *pid = BPF_CORE_READ(vcpu, pid);

	return pid ? BPF_CORE_READ(pid, numbers[0].nr) : 0;
}

static __always_inline void read_irqs(struct kvm_vcpu *vcpu, struct vcpu_state *st)
{
	__u32 i;

	for (i = 0; i < KT_TIMER_NR; i++) {
		__u64 ctx = (__u64)vcpu +
			    bpf_core_field_offset(struct kvm_vcpu, arch.timer_cpu.timers) +
			    i * bpf_core_type_size(struct arch_timer_context);

		if (i >= nr_timers())
			break;
		st->irq[i] = timer_irq(vcpu, (struct kvm *)st->kvm, i);
		bpf_probe_read_kernel(&st->host_irq[i], 4, (void *)ctx +
				bpf_core_field_offset(struct arch_timer_context, host_timer_irq));
	}
}

/*
 * State of a vCPU, made when first seen; NULL when the map is full.  A pointer
 * whose kvm changed is a new vCPU whose predecessor's end was not seen.
 */
static __noinline struct vcpu_state *vcpu_state(struct kt_cpu *c, struct kvm_vcpu *vcpu)
{
	struct vcpu_state fresh = {}, *st;
	__u64 key = (__u64)vcpu;
	__u32 tid = tid_of(vcpu);
	struct kvm *kvm = BPF_CORE_READ(vcpu, kvm);

	if (!c)
		return 0;
	st = bpf_map_lookup_elem(&vcpus, &key);
	if (!st || st->kvm != (__u64)kvm) {
		fresh.kvm = (__u64)kvm;
		read_irqs(vcpu, &fresh);
		fresh.user_irqchip = !irqchip_of(kvm);
		if (wanted(BPF_CORE_READ(kvm, userspace_pid), BPF_CORE_READ(vcpu, vcpu_id)))
			fresh.who = new_handle(c);
		/* Another CPU may have been faster: then its handle is the one. */
		bpf_map_update_elem(&vcpus, &key, &fresh, st ? BPF_ANY : BPF_NOEXIST);
		st = bpf_map_lookup_elem(&vcpus, &key);
		if (!st) {
			__sync_fetch_and_add(&lost_idents, 1);
			return 0;
		}
		st->tid = tid;
		if (st->who)
			publish_identity(c, vcpu, st);
	} else if (st->tid != tid) {
		st->tid = tid;
		/* Most VMMs make their vCPUs first, and the interrupt controller after them. */
		read_irqs(vcpu, st);
		st->user_irqchip = !irqchip_of(kvm);
		if (st->who)
			publish_identity(c, vcpu, st);
	}
	return st;
}

/* Makes vcpu the one this CPU's cache speaks of. */
static __noinline int cache_vcpu(struct kt_cpu *c, struct kvm_vcpu *vcpu)
{
	__u32 gen = identity_gen;
	struct vcpu_state *st;
	__u64 key = (__u64)vcpu;
	__u32 i, tid;

	if (!c)
		return 0;
	st = vcpu_state(c, vcpu);
	if (!st) {
		c->vcpu = 0;
		c->who = KT_WHO_TID | current_tid();
		return 0;
	}
	tid = current_tid();
	if (tid == st->tid)
		bpf_map_update_elem(&threads, &tid, &key, BPF_ANY);
	for (i = 0; i < KT_TIMER_NR; i++) {
		c->irq[i] = st->irq[i];
		c->host_irq[i] = st->host_irq[i];
	}
	/* The same vCPU, asked again because another went, keeps them: what its flush told, its fold tells. */
	if (c->vcpu != key || c->who != st->who) {
		c->lr_open = ~0;
		c->lr_flushed = 0;
	}
	c->who = st->who;
	c->offset_gen = st->offset_gen;
	c->gen = gen;
	barrier();
	/* First seen while KVM enables its timer, before its thread is known: ask again. */
	c->vcpu = st->tid ? key : 0;
	return 0;
}

/* Only the thread is known; 0 if a filter says it is none of ours. */
static __always_inline __u32 thread_who(void)
{
	__u64 id = bpf_get_current_pid_tgid();

	if ((knobs.nr_tgids || knobs.vcpu_mask) && !wanted(id >> 32, 64))
		return 0;
	return KT_WHO_TID | (__u32)id;
}

/* Resolves through this CPU's cache: only for code about a vCPU this CPU works on. */
static __always_inline __u32 cached_who(struct kt_cpu *c, struct kvm_vcpu *vcpu)
{
	if ((__u64)vcpu != c->vcpu || c->gen != identity_gen)
		cache_vcpu(c, vcpu);
	return c->who;
}

static __always_inline void bind(struct kt_cpu *c, struct kvm_vcpu *vcpu)
{
	c->bound_vcpu = (__u64)vcpu;
	c->bound_tid = current_tid();
}

/*
 * Rules 2 and 4.  *vcpu is NULL when only a thread is known; otherwise the
 * cache speaks of it afterwards.
 */
static __always_inline __u32 bound_who(struct kt_cpu *c, struct kvm_vcpu **vcpu)
{
	*vcpu = 0;
	if (!c->bound_vcpu || c->bound_tid != current_tid())
		return thread_who();
	*vcpu = (void *)c->bound_vcpu;
	return cached_who(c, *vcpu);
}

/* Rules 2 to 4; only on the thread that runs the vCPU. */
static __always_inline __u32 running_who(struct kt_cpu *c, struct kvm_vcpu **vcpu)
{
	__u32 who = bound_who(c, vcpu), tid;
	struct vcpu_state *st;
	__u64 *known;

	if (*vcpu)
		return who;
	tid = current_tid();
	known = bpf_map_lookup_elem(&threads, &tid);
	st = known ? bpf_map_lookup_elem(&vcpus, known) : 0;
	if (!st || st->tid != tid)
		return who;
	*vcpu = (void *)*known;
	return cached_who(c, *vcpu);
}

/* The vtimer first: it is the one that guests use. */
static __always_inline __u32 timer_of_irq(const __u32 *irqs, __u32 irq)
{
	if (!irq)
		return KT_TIMER_NONE;
	if (irqs[KT_VTIMER] == irq)
		return KT_VTIMER;
	if (irqs[KT_PTIMER] == irq)
		return KT_PTIMER;
	if (irqs[KT_HVTIMER] == irq)
		return KT_HVTIMER;
	return irqs[KT_HPTIMER] == irq ? KT_HPTIMER : KT_TIMER_NONE;
}

static __always_inline bool timer_wanted(__u32 timer)
{
	return !knobs.timer_mask || timer == KT_TIMER_NONE || knobs.timer_mask >> timer & 1;
}

#endif
