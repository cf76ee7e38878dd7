/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KVMTIMER_LR_H
#define KVMTIMER_LR_H

#include <linux/types.h>

#include <kvmtimer/event.h>

/*
 * List register words, GICv3 (ICH_LR<n>_EL2, 64 bits) and GICv2 (GICH_LRn, 32
 * bits): Arm IHI 0069 and IHI 0048.  Measured samples are in docs/timer-model.md.
 */
#define KT_LR3_PENDING	(1ull << 62)
#define KT_LR3_ACTIVE	(1ull << 63)
#define KT_LR3_HW	(1ull << 61)
#define KT_LR3_GROUP1	(1ull << 60)
#define KT_LR2_PENDING	(1ull << 28)
#define KT_LR2_ACTIVE	(1ull << 29)
#define KT_LR2_HW	(1ull << 31)
#define KT_LR3_EOI	(1ull << 41)	/* not HW: the guest's end of the interrupt is an exit */
#define KT_LR2_EOI	(1ull << 19)

/* enum kt_lr_value: bit 0 pending, bit 1 active */
static inline unsigned int kt_lr_state(__u64 lr, int v2)
{
	return v2 ? (lr >> 28) & 3 : (lr >> 62) & 3;
}

static inline __u32 kt_lr_vintid(__u64 lr, int v2)
{
	return v2 ? lr & 0x3ff : (__u32)lr;
}

static inline __u32 kt_lr_pintid(__u64 lr, int v2)
{
	return v2 ? (lr >> 10) & 0x3ff : (lr >> 32) & 0x3ff;
}

static inline int kt_lr_hw(__u64 lr, int v2)
{
	return v2 ? (lr >> 31) & 1 : (lr >> 61) & 1;
}

static inline int kt_lr_eoi(__u64 lr, int v2)
{
	return !kt_lr_hw(lr, v2) && (lr & (v2 ? KT_LR2_EOI : KT_LR3_EOI));
}

/*
 * What a tracepoint of kernel-patch/linux-6.12 says of register idx, at one of KT_AT_FLUSH, FOLD_IN
 * and FOLD_OUT; out->state has its other bits already.  The number is one less than the registers
 * in use so far, or than all of them.  Once folded a register is no longer the interrupt's.
 */
static inline void kt_lr_traced(struct kt_lr *out, unsigned int at, __u32 idx, __u64 lr, int v2)
{
	if (at == KT_AT_FOLD_OUT)
		return;
	out->used = idx + 1;
	if (!kt_lr_state(lr, v2))
		return;
	out->state |= KT_LR_PRESENT;
	out->lr = lr;
	out->lr_idx = idx;
	out->named = 1;
}

#endif
