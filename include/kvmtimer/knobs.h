/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KVMTIMER_KNOBS_H
#define KVMTIMER_KNOBS_H

#include <linux/types.h>

#define KT_MAX_TGIDS 8

/* Set by the recorder between open and load; the verifier then drops what is off. */
struct kt_knobs {
	__u32 ring_slots;	/* records per CPU, a power of two */
	__u32 ring_shift;	/* log2 of it */
	__u32 nr_cpus;		/* entries of `cpus` */
	__u32 nr_tgids;		/* 0 = every VM */
	__u32 tgid[KT_MAX_TGIDS]; /* only VMs of these processes */
	__u64 vcpu_mask;	/* bit per vcpu_id 0..63; 0 = all; ids over 63 pass only when 0 */
	__u32 timer_mask;	/* bit per enum kt_timer; 0 = all */
	__u8 gic;		/* list registers of the host: 2 or 3; 0 = no LR samples */
	__u8 lr_tracepoints;	/* LR samples come from vgic_{flush,fold,resample}_lr */
	__u8 rsv[2];
};

#endif
