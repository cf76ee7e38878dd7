/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_BTF_PATH_H
#define KT_BTF_PATH_H

#include <stddef.h>
#include <stdint.h>

struct btf;

/*
 * Where the running kernel keeps a member, as the address expression that
 * kprobe events understand:
 *
 *	kvm_vcpu  "kvm->userspace_pid"            "+632(+0(%x0))"
 *	kvm_vcpu  "arch.timer_cpu.timers[1].host_timer_irq"
 *	kvm_vcpu  "private[27].line_level"        array or pointer: both are indexed
 *	kvm_vcpu  "sys_regs[CNTVOFF_EL2]"         index by the name of an enumerator
 *
 * Members of unnamed structs and unions are found as in C.
 */
struct kt_btf_place {
	char address[64];	/* of the byte that holds the first bit */
	uint32_t bit_off;	/* from the last pointer; the first bit's */
	uint32_t bits;		/* size in bits; of a whole array or struct, its size */
	uint8_t is_signed, is_pointer;
	uint8_t shift;		/* first bit's place in that byte: not 0 for bit-fields */
};

/* 0; -ENOENT when this kernel has no such member; -EINVAL for a bad path. */
int kt_btf_place(const struct btf *btf, int type, const char *path, const char *base,
		 struct kt_btf_place *out);

/* Id of struct `name`, negative when there is none; and its size in bytes, 0 then. */
int kt_btf_struct(const struct btf *btf, const char *name);
uint32_t kt_btf_size(const struct btf *btf, int type);

#endif
