/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_EXITS_H
#define KT_EXITS_H

#include <kvmtimer/event.h>

/*
 * Why the guest was left: one row per cause, walked by report, JSON and docs.
 * IRQ exits are split afterwards: the guest's own timer interrupt is told by
 * the host timer handler running between this exit and the next entry.
 */
#define KT_EXIT_CAUSES(X)                                                       \
	X(IRQ_TIMER, "irq-timer", "host interrupt of this guest's timer")       \
	X(IRQ_OTHER, "irq-other", "any other host interrupt")                   \
	X(WFI, "wfi", "WFI")                                                    \
	X(WFE, "wfe", "WFE")                                                    \
	X(SYSREG_TIMER, "sysreg-timer", "trapped timer register")               \
	X(SYSREG_OTHER, "sysreg-other", "any other trapped register")           \
	X(HVC, "hvc", "hypercall")                                              \
	X(SMC, "smc", "SMC")                                                    \
	X(ABORT_DATA, "data-abort", "MMIO or stage-2 data fault")               \
	X(ABORT_INSN, "insn-abort", "stage-2 instruction fault")                \
	X(FP, "fp", "floating point, SVE or SME trap")                          \
	X(DEBUG, "debug", "breakpoint, watchpoint, single step")                \
	X(NV, "nested", "ERET or other nested-virtualisation trap")             \
	X(SERROR, "serror", "SError")                                           \
	X(OTHER, "other", "none of the above")

enum kt_exit_cause {
#define X(id, name, what) KT_CAUSE_##id,
	KT_EXIT_CAUSES(X)
#undef X
	KT_CAUSE_NR
};

/* ev is an exit event; an IRQ exit is KT_CAUSE_IRQ_OTHER until known better. */
enum kt_exit_cause kt_exit_cause(const struct kt_event *ev);
const char *kt_exit_cause_name(enum kt_exit_cause cause);
const char *kt_exit_cause_what(enum kt_exit_cause cause);

#endif
