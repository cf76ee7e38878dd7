// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks the kernel one thing: can fentry be attached to KVM's own functions?
 * arm64 loads such programs since 5.5 but attaches them only since it has
 * direct calls for ftrace (6.4); before that attaching fails with ENOTSUPP.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("fentry/kvm_vgic_flush_hwstate")
int kt_probe_fentry(void *ctx)
{
	return 0;
}
