/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_HIST_H
#define KT_HIST_H

#include <stdint.h>

/*
 * A distribution of durations in ns: log2 buckets, each split in 8, so a
 * percentile is right within 1/8 of its value.  2 KiB; add is a few
 * instructions; two histograms merge by adding.
 */
#define KT_HIST_SUB_BITS 3
#define KT_HIST_BUCKETS (64 << KT_HIST_SUB_BITS)

struct kt_hist {
	uint64_t count, sum_ns, min_ns, max_ns;
	uint32_t bucket[KT_HIST_BUCKETS];
};

void kt_hist_init(struct kt_hist *h);
void kt_hist_add(struct kt_hist *h, uint64_t value_ns);
void kt_hist_merge(struct kt_hist *to, const struct kt_hist *from);

/* permille 0..1000; 0 for an empty histogram; never outside [min, max]. */
uint64_t kt_hist_percentile_ns(const struct kt_hist *h, unsigned int permille);

#endif
