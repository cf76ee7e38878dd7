/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "needs.h"

#include <stdio.h>

enum when {
	ALWAYS,
	IF_EMULATED,	/* a timer map shows an emulated timer */
	IF_SLEEPS,	/* a WFI was trapped, or a halt ended */
	IF_WFI_EXITS,	/* the guest left for a WFI or WFE */
	IF_FTRACE,	/* our own recordings have it in another way */
	IF_FIRED,	/* the hrtimer of an emulated timer fired */
	IF_SOFT,	/* a soft timer fired */
};

static const struct kt_need needs[] = {
	{ KT_FT_UPDATE_IRQ, KT_EV_UPDATE_IRQ, ALWAYS,
	  "the line: no level that KVM published is known, so no rule about levels can be judged" },
	{ KT_FT_MAP, KT_EV_MAP, ALWAYS,
	  "loads, puts and host timer interrupts; which timers are direct; whose bare events are" },
	{ KT_FT_SAVE, KT_EV_SAVE, ALWAYS,
	  "the timer's own output (wire) when a vCPU is put, and that a direct timer's line fell" },
	{ KT_FT_RESTORE, KT_EV_RESTORE, ALWAYS,
	  "the timer's registers as the guest gets them" },
	{ KT_FT_ENTRY, KT_EV_ENTRY, ALWAYS,
	  "guest time; whether a raised line reached the guest; which threads are vCPUs" },
	{ KT_FT_EXIT, KT_EV_EXIT, ALWAYS, "exits and what they cost" },
	{ KT_FT_VGIC_UPDATE, KT_EV_VGIC_UPDATE, ALWAYS,
	  "whether what KVM published reached its interrupt controller" },
	{ KT_FT_EMULATE, KT_EV_EMULATE, IF_EMULATED, "when emulated timers are due and armed" },
	{ KT_FT_HRTIMER_EXPIRE, KT_EV_HRTIMER_EXPIRE, IF_FIRED,
	  "that an emulated timer's interrupt comes from its soft timer" },
	{ KT_FT_HRT_START, KT_EV_NONE, IF_SOFT,
	  "whose soft timer fires, where it may be another vCPU's than the one that runs" },
	{ KT_FT_WFX, KT_EV_WFX, IF_WFI_EXITS, "WFI apart from WFE" },
	{ KT_FT_WAKEUP, KT_EV_WAKEUP, IF_SLEEPS, "ends of halts: sleep apart from halt-polling" },
	{ KT_FT_HRT_FIRE, KT_EV_BG_EXPIRE, IF_SLEEPS, "that a sleeping vCPU is woken by its timer, and when" },
	{ KT_FT_USER_EXIT, KT_EV_USER_EXIT, ALWAYS,
	  "time in the VMM; the user lane of a VM without an interrupt controller in the kernel" },
	{ KT_FT_SCHED_SWITCH, KT_EV_NONE, IF_FTRACE, "a preempted vCPU apart from a sleeping one" },
	{ KT_FT_NONE, KT_EV_LR, ALWAYS,
	  "what the guest was given and what it left; no tracepoint shows it, "
	  "kvmtimer-trace record --detail lr does" },
};

unsigned int kt_nr_needs(void)
{
	return sizeof(needs) / sizeof(needs[0]);
}

const struct kt_need *kt_need(unsigned int i)
{
	return &needs[i];
}

static bool has(const struct kt_need *n, const struct kt_holdings *h)
{
	if (n->kind && h->totals->by_kind[n->kind])
		return true;
	/* Read, though no event of ours came of it. */
	return h->ftrace && n->ftrace_id && h->ftrace->by_id[n->ftrace_id];
}

static bool expected(const struct kt_need *n, const struct kt_holdings *h)
{
	const struct kt_totals *t = h->totals;

	switch (n->when) {
	case IF_EMULATED:
		return t->by_kind[KT_EV_EMULATE] || t->by_kind[KT_EV_HRTIMER_EXPIRE] ||
		       (h->ftrace && h->ftrace->emulated_maps);
	case IF_SLEEPS:
		return t->by_kind[KT_EV_WAKEUP] || t->by_kind[KT_EV_WFX];
	case IF_WFI_EXITS:
		return h->ftrace && h->ftrace->wfx_exits;
	case IF_FTRACE:
		return h->ftrace;
	case IF_FIRED:
		return h->ftrace && h->ftrace->emulated_fired;
	case IF_SOFT:
		return h->ftrace && t->by_kind[KT_EV_HRTIMER_EXPIRE];
	}
	return true;
}

enum kt_need_state kt_need_state(const struct kt_need *n, const struct kt_holdings *h)
{
	if (has(n, h))
		return KT_NEED_MET;
	return expected(n, h) ? KT_NEED_MISSING : KT_NEED_IDLE;
}

const char *kt_need_name(const struct kt_need *n, char *buf, size_t size)
{
	const struct kt_ftrace_event *e = kt_ftrace_event(n->ftrace_id);

	if (e)
		snprintf(buf, size, "%s:%s", e->system, e->name);
	else
		snprintf(buf, size, "list registers");
	return buf;
}

bool kt_holdings_exclude_guest(const struct kt_holdings *h)
{
	const uint64_t *n = h->totals->by_kind;

	return h->ftrace && n[KT_EV_USER_EXIT] > 1 && !n[KT_EV_ENTRY] && !n[KT_EV_EXIT] &&
	       !n[KT_EV_UPDATE_IRQ] && !n[KT_EV_SAVE];
}
