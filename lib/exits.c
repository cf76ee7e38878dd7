/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "exits.h"

#include <stddef.h>

static const char *const names[KT_CAUSE_NR] = {
#define X(id, name, what) [KT_CAUSE_##id] = name,
	KT_EXIT_CAUSES(X)
#undef X
};

static const char *const whats[KT_CAUSE_NR] = {
#define X(id, name, what) [KT_CAUSE_##id] = what,
	KT_EXIT_CAUSES(X)
#undef X
};

/* ESR_ELx.EC, Arm ARM D17.2: class to cause, plus one so that 0 means OTHER. */
static const unsigned char by_class[64] = {
	[0x01] = KT_CAUSE_WFI + 1,		/* WFE by ISS.TI */
	[0x03] = KT_CAUSE_SYSREG_OTHER + 1,	/* AArch32 CP15 MCR */
	[0x04] = KT_CAUSE_SYSREG_OTHER + 1,
	[0x05] = KT_CAUSE_SYSREG_OTHER + 1,
	[0x06] = KT_CAUSE_SYSREG_OTHER + 1,
	[0x07] = KT_CAUSE_FP + 1,
	[0x08] = KT_CAUSE_SYSREG_OTHER + 1,
	[0x09] = KT_CAUSE_NV + 1,		/* pointer authentication */
	[0x12] = KT_CAUSE_HVC + 1,
	[0x13] = KT_CAUSE_SMC + 1,
	[0x16] = KT_CAUSE_HVC + 1,
	[0x17] = KT_CAUSE_SMC + 1,
	[0x18] = KT_CAUSE_SYSREG_OTHER + 1,
	[0x19] = KT_CAUSE_FP + 1,		/* SVE */
	[0x1a] = KT_CAUSE_NV + 1,		/* ERET */
	[0x1d] = KT_CAUSE_FP + 1,		/* SME */
	[0x20] = KT_CAUSE_ABORT_INSN + 1,
	[0x24] = KT_CAUSE_ABORT_DATA + 1,
	[0x30] = KT_CAUSE_DEBUG + 1,
	[0x32] = KT_CAUSE_DEBUG + 1,
	[0x34] = KT_CAUSE_DEBUG + 1,
	[0x38] = KT_CAUSE_DEBUG + 1,
	[0x3a] = KT_CAUSE_DEBUG + 1,
	[0x3c] = KT_CAUSE_DEBUG + 1,
};

/*
 * ISS of a trapped MSR/MRS: Op0 21:20, Op2 19:17, Op1 16:14, CRn 13:10, CRm 4:1.
 * The generic timer is CRn 14 throughout: EL0 (Op1 3), EL1 (Op1 0, CNTKCTL),
 * EL2 (Op1 4), EL02 (Op1 5), physical secure (Op1 7); CRm 8 and up are the PMU's.
 */
static int is_timer_register(__u32 iss)
{
	unsigned int op0 = iss >> 20 & 3, crn = iss >> 10 & 15, crm = iss >> 1 & 15;

	return op0 == 3 && crn == 14 && crm < 8;
}

enum kt_exit_cause kt_exit_cause(const struct kt_event *ev)
{
	unsigned int ec = ev->run.esr >> 26, cause;

	switch (ev->run.code) {
	case KT_EXIT_IRQ:
		return KT_CAUSE_IRQ_OTHER;
	case KT_EXIT_SERROR:
		return KT_CAUSE_SERROR;
	case KT_EXIT_TRAP:
		break;
	default:
		return KT_CAUSE_OTHER;
	}
	cause = by_class[ec];
	if (!cause)
		return KT_CAUSE_OTHER;
	cause--;
	if (ec == 0x01 && ev->run.esr & 1)
		return KT_CAUSE_WFE;
	if (ec == 0x18 && is_timer_register(ev->run.esr))
		return KT_CAUSE_SYSREG_TIMER;
	return cause;
}

const char *kt_exit_cause_name(enum kt_exit_cause cause)
{
	return cause < KT_CAUSE_NR ? names[cause] : "?";
}

const char *kt_exit_cause_what(enum kt_exit_cause cause)
{
	return cause < KT_CAUSE_NR ? whats[cause] : "?";
}
