/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hist.h"

#include <string.h>

#define SUB (1u << KT_HIST_SUB_BITS)

/* Values below SUB have a bucket each; above, the leading bit and the SUB_BITS behind it. */
static unsigned int bucket_of(uint64_t v)
{
	unsigned int top;

	if (v < SUB)
		return v;
	top = 63 - __builtin_clzll(v);
	return ((top - KT_HIST_SUB_BITS + 1) << KT_HIST_SUB_BITS) |
	       ((v >> (top - KT_HIST_SUB_BITS)) & (SUB - 1));
}

static uint64_t bucket_low(unsigned int b)
{
	unsigned int top;

	if (b < SUB)
		return b;
	top = (b >> KT_HIST_SUB_BITS) + KT_HIST_SUB_BITS - 1;
	return (1ull << top) | ((uint64_t)(b & (SUB - 1)) << (top - KT_HIST_SUB_BITS));
}

/* Half a bucket's width: from its low end to its middle. */
static uint64_t bucket_half(unsigned int b)
{
	unsigned int octave = b >> KT_HIST_SUB_BITS;

	return octave > 1 ? 1ull << (octave - 2) : 0;
}

void kt_hist_init(struct kt_hist *h)
{
	memset(h, 0, sizeof(*h));
	h->min_ns = UINT64_MAX;
}

void kt_hist_add(struct kt_hist *h, uint64_t v)
{
	h->count++;
	h->sum_ns += v;
	if (v < h->min_ns)
		h->min_ns = v;
	if (v > h->max_ns)
		h->max_ns = v;
	h->bucket[bucket_of(v)]++;
}

void kt_hist_merge(struct kt_hist *to, const struct kt_hist *from)
{
	to->count += from->count;
	to->sum_ns += from->sum_ns;
	if (from->min_ns < to->min_ns)
		to->min_ns = from->min_ns;
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
	for (unsigned int i = 0; i < KT_HIST_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

/* The middle of the bucket that holds the wanted rank, kept inside what was really seen. */
uint64_t kt_hist_percentile_ns(const struct kt_hist *h, unsigned int permille)
{
	uint64_t rank, seen = 0, v;
	unsigned int b;

	if (!h->count)
		return 0;
	rank = (h->count * permille + 999) / 1000;
	if (rank < 1)
		rank = 1;
	for (b = 0; b < KT_HIST_BUCKETS; b++) {
		seen += h->bucket[b];
		if (seen >= rank)
			break;
	}
	v = bucket_low(b) + bucket_half(b);
	if (v < h->min_ns)
		v = h->min_ns;
	return v > h->max_ns ? h->max_ns : v;
}
