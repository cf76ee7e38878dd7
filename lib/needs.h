/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_NEEDS_H
#define KT_NEEDS_H

#include <stdbool.h>

#include "ftrace_feed.h"
#include "model.h"

/*
 * What a capture must hold so that something can be said: one row per event of
 * the kernel, with what cannot be decided without it.  A row may only matter when
 * the capture itself shows that it should be there (an emulated timer, a WFI).
 */
struct kt_need {
	uint8_t ftrace_id;	/* enum kt_ftrace_id; KT_FT_NONE: no tracepoint gives it */
	uint8_t kind;		/* enum kt_kind that comes of it; KT_EV_NONE: none of its own */
	uint8_t when;		/* private to needs.c */
	const char *lost;	/* what cannot be decided without it */
};

enum kt_need_state {
	KT_NEED_MET,
	KT_NEED_IDLE,		/* not there, and nothing says that it should be */
	KT_NEED_MISSING,	/* not there */
};

/* What a capture holds, from whatever read it. */
struct kt_holdings {
	const struct kt_totals *totals;
	const struct kt_ftrace_stats *ftrace;	/* NULL for our own recordings */
};

unsigned int kt_nr_needs(void);
const struct kt_need *kt_need(unsigned int i);
enum kt_need_state kt_need_state(const struct kt_need *n, const struct kt_holdings *h);
/* "kvm:kvm_entry", or "list registers" for what no tracepoint shows. */
const char *kt_need_name(const struct kt_need *n, char *buf, size_t size);

/*
 * perf leaves KVM's tracepoints out while a vCPU is loaded (exclude_guest): exits
 * to the VMM are there, entries and exits of the guest are not.
 */
bool kt_holdings_exclude_guest(const struct kt_holdings *h);

#endif
