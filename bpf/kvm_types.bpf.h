/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_TYPES_BPF_H
#define KVM_TYPES_BPF_H

/*
 * The kernel's types, reduced to the members that are read.  CO-RE moves every
 * access to where the running kernel has the member; a member that came, went
 * or changed its kind has a flavour (name___what) with the change cited.
 * Layouts were read from 5.10, 6.1, 6.12 and 7.2.
 */
/* What a kprobe's registers look like: user ABI, so not relocated. */
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__u64 pstate;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct upid {
	int nr;
};

struct pid {
	struct upid numbers[1];
};

struct thread_info {
	struct {
		__u32 count;
	} preempt;
};

struct task_struct {
	struct thread_info thread_info;
	int pid;
	int tgid;
};

struct task_struct___state {
	unsigned int __state;	/* 5.14+, 2f064a59a11f; before: state */
};

struct task_struct___old {
	volatile long state;
};

struct timerqueue_node {
	__s64 expires;
};

struct hrtimer {
	struct timerqueue_node node;
	__s64 _softexpires;
};

struct kvm_vcpu;

struct arch_timer_offset {
	__u64 *vm_offset;
	__u64 *vcpu_offset;
};

struct arch_timer_context {
	struct kvm_vcpu *vcpu;	/* until 8625a670afb0; then timer_id */
	struct hrtimer hrtimer;
	struct arch_timer_offset offset;	/* 6.4+, 47053904e182 [R]; before: CNTVOFF_EL2 in sys_regs */
	__u32 host_timer_irq;
};

/* 8625a670afb0: the context knows its index instead of its vCPU. */
enum kvm_arch_timers {
	TIMER_PTIMER,
};

struct arch_timer_context___timer_id {
	enum kvm_arch_timers timer_id;
};

/* Until 6.4 the context carries the guest's interrupt number. */
struct kvm_irq_level___irq {
	__u32 irq;
};

struct arch_timer_context___irq {
	struct kvm_irq_level___irq irq;
};

struct arch_timer_cpu {
	struct arch_timer_context timers[4];	/* [2] before NV timers */
	struct hrtimer bg_timer;
};

struct timer_map {
	struct arch_timer_context *direct_vtimer;
	struct arch_timer_context *direct_ptimer;
	struct arch_timer_context *emul_ptimer;
};

struct timer_map___nv {
	struct arch_timer_context *emul_vtimer;	/* with NV timers */
};

struct user_pt_regs___kvm {
	__u64 pstate;
};

struct kvm_cpu_context {
	struct user_pt_regs___kvm regs;
	__u64 sys_regs[1];
};

struct kvm_vcpu_fault_info {
	__u32 esr_el2;		/* u64 since 5.16; the low half is what is read */
};

struct vgic_v2_cpu_if {
	__u32 vgic_lr[64];
	unsigned int used_lrs;
};

struct vgic_v3_cpu_if {
	__u64 vgic_lr[16];
	unsigned int used_lrs;
};

/* bool members are bytes up to 6.12 and one-bit fields in 7.2: read as bit-fields. */
struct vgic_irq {
	__u32 intid;
	_Bool line_level;
	_Bool pending_latch;
	_Bool active;
	_Bool enabled;
	_Bool hw;
	__u8 group;
};

struct vgic_cpu {
	struct vgic_v2_cpu_if vgic_v2;
	struct vgic_v3_cpu_if vgic_v3;
	struct vgic_irq private_irqs[32];	/* an array until 6.11, then a pointer */
};

struct vgic_cpu___ptr {
	struct vgic_irq *private_irqs;
};

struct kvm_vcpu_arch {
	struct kvm_cpu_context ctxt;
	struct kvm_vcpu_fault_info fault;
	struct vgic_cpu vgic_cpu;
	struct arch_timer_cpu timer_cpu;
};

struct kvm_sync_regs {
	__u64 device_irq_level;
};

struct kvm_run {
	union {
		struct kvm_sync_regs regs;
	} s;
};

struct vgic_dist {
	_Bool in_kernel;
	_Bool enabled;
	__u32 vgic_model;
};

struct arch_timer_vm_data {
	__u8 ppi[4];
};

struct arch_timer_vm_data___wide {
	__u32 ppi[4];		/* u32 in 7.2: GICv5 interrupt ids do not fit a byte */
};

struct kvm_arch {
	struct vgic_dist vgic;
	struct arch_timer_vm_data timer_data;	/* 6.4+ */
};

struct kvm {
	int userspace_pid;
	struct kvm_arch arch;
};

struct kvm_vcpu {
	struct kvm *kvm;
	int vcpu_id;
	int vcpu_idx;
	struct pid *pid;
	_Bool preempted;
	struct kvm_run *run;
	struct kvm_vcpu_arch arch;
};

struct kvm_vcpu_stat_generic___blocking {
	__u64 blocking;
};

struct kvm_vcpu_stat___generic {
	struct kvm_vcpu_stat_generic___blocking generic;
};

struct kvm_vcpu___stat {
	struct kvm_vcpu_stat___generic stat;	/* stat.generic.blocking, 5.17+ */
};

/* Before it, a task waiting in kvm_vcpu_block is named in the vCPU's rcuwait. */
struct rcuwait___task {
	struct task_struct *task;
};

struct kvm_vcpu___wait_ptr {
	struct rcuwait___task *waitp;
};

struct kvm_vcpu___wait {
	struct rcuwait___task wait;
};

/* Enumerator values move between kernels; only the names are used. */
enum vcpu_sysreg {
	CNTVOFF_EL2 = 1,
	CNTV_CTL_EL0 = 2,
	CNTV_CVAL_EL0 = 3,
	CNTP_CTL_EL0 = 4,
	CNTP_CVAL_EL0 = 5,
};

/* Nested virtualisation: the EL2 timers, and registers kept in the VNCR page (6.10+). */
enum vcpu_sysreg___nv {
	CNTHV_CTL_EL2___nv = 2,
	CNTHV_CVAL_EL2___nv = 3,
	CNTHP_CTL_EL2___nv = 4,
	CNTHP_CVAL_EL2___nv = 5,
	__VNCR_START__ = 1,	/* no flavour: behind an underscore libbpf sees none */
};

struct kvm_cpu_context___vncr {
	__u64 *vncr_array;
};

enum bpf_func_id___task {
	BPF_FUNC_get_current_task_btf___task = 158,
};

#pragma clang attribute pop

#endif
