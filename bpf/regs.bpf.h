/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef REGS_BPF_H
#define REGS_BPF_H

/*
 * A timer's CTL and CVAL as KVM keeps them in memory.  Right at the save and
 * restore tracepoints; in between, a direct timer's truth is in the hardware.
 */
#include "kvm_types.bpf.h"

static __always_inline __u64 sys_reg(struct kvm_vcpu *vcpu, __u64 nr)
{
	struct kvm_cpu_context *ctxt = (void *)vcpu + bpf_core_field_offset(struct kvm_vcpu, arch.ctxt);
	struct kvm_cpu_context___vncr *nv = (void *)ctxt;
	__u64 value = 0, *page;

	/* On hosts with FEAT_NV2 a nested guest's registers live in the VNCR page. */
	if (bpf_core_field_exists(nv->vncr_array) &&
	    bpf_core_enum_value_exists(enum vcpu_sysreg___nv, __VNCR_START__) &&
	    nr >= bpf_core_enum_value(enum vcpu_sysreg___nv, __VNCR_START__)) {
		page = BPF_CORE_READ(nv, vncr_array);
		if (page) {
			nr -= bpf_core_enum_value(enum vcpu_sysreg___nv, __VNCR_START__);
			bpf_probe_read_kernel(&value, sizeof(value), page + nr);
			return value;
		}
	}
	bpf_probe_read_kernel(&value, sizeof(value), (void *)ctxt +
			bpf_core_field_offset(struct kvm_cpu_context, sys_regs) + 8 * nr);
	return value;
}

static __always_inline __u64 timer_reg(struct kvm_vcpu *vcpu, __u32 timer, bool ctl)
{
	switch (timer) {
	case KT_VTIMER:
		return sys_reg(vcpu, ctl ? bpf_core_enum_value(enum vcpu_sysreg, CNTV_CTL_EL0)
				   : bpf_core_enum_value(enum vcpu_sysreg, CNTV_CVAL_EL0));
	case KT_PTIMER:
		return sys_reg(vcpu, ctl ? bpf_core_enum_value(enum vcpu_sysreg, CNTP_CTL_EL0)
				   : bpf_core_enum_value(enum vcpu_sysreg, CNTP_CVAL_EL0));
	}
	if (!bpf_core_enum_value_exists(enum vcpu_sysreg___nv, CNTHV_CTL_EL2___nv))
		return 0;
	switch (timer) {
	case KT_HVTIMER:
		return sys_reg(vcpu, ctl ?
			       bpf_core_enum_value(enum vcpu_sysreg___nv, CNTHV_CTL_EL2___nv) :
			       bpf_core_enum_value(enum vcpu_sysreg___nv, CNTHV_CVAL_EL2___nv));
	case KT_HPTIMER:
		return sys_reg(vcpu, ctl ?
			       bpf_core_enum_value(enum vcpu_sysreg___nv, CNTHP_CTL_EL2___nv) :
			       bpf_core_enum_value(enum vcpu_sysreg___nv, CNTHP_CVAL_EL2___nv));
	}
	return 0;
}

static __noinline __u64 timer_ctl(struct kvm_vcpu *vcpu, __u32 timer)
{
	return timer_reg(vcpu, timer, true);
}

static __noinline __u64 timer_cval(struct kvm_vcpu *vcpu, __u32 timer)
{
	return timer_reg(vcpu, timer, false);
}

#endif
