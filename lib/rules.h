/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_RULES_H
#define KT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <kvmtimer/event.h>

#include "facts.h"
#include "model.h"

/*
 * Conformance: does this KVM treat the timer as a level-triggered line?
 *
 * A rule is a row of a table (rules_table.c): the sentence it holds KVM to,
 * where it applies, and a small step function that looks at one event with the
 * state before it.  Verdicts are never drawn across a gap, and a rule that was
 * not exercised does not hold: it is not applicable.
 *
 * Rules that need to know an era or a mode find it from events, probes and the
 * recording's kvm.* facts.  docs/rules.md is generated from the table.
 */

enum kt_verdict {
	KT_VERDICT_NOT_APPLICABLE,	/* wrong era or mode, or never exercised */
	KT_VERDICT_INCONCLUSIVE,	/* what it needs was not captured, or fell into gaps */
	KT_VERDICT_HOLDS,
	KT_VERDICT_LEGAL_SPURIOUS,	/* holds; odd but allowed things were seen */
	KT_VERDICT_LATE,		/* holds; some things came late, none was lost */
	KT_VERDICT_VIOLATED,
	KT_VERDICT_NR
};

const char *kt_verdict_name(enum kt_verdict v);

/* What a rule needs from the recording, beside its events. */
#define KT_NEEDS_LR	1	/* --detail lr */
#define KT_NEEDS_CLOCK	2	/* counter frequency and clock pairs */
#define KT_NEEDS_KVM	4	/* a kvm.* fact */

struct kt_rule {
	const char *id;		/* as in docs/rules.md: I5 */
	const char *name;	/* pairing */
	const char *system;	/* S0-S4, as in docs/rules.md */
	const char *sentence;	/* what KVM is held to */
	const char *holds;	/* eras and modes, in words */
	const char *unless;	/* legitimate exceptions, NULL = none */
	unsigned int needs;	/* KT_NEEDS_* */
};

size_t kt_rule_nr(void);
const struct kt_rule *kt_rule(size_t i);
/* By id or name, any case; SIZE_MAX when there is none. */
size_t kt_rule_find(const char *name);

struct kt_rule_result {
	enum kt_verdict verdict;
	uint64_t exercised;	/* times it was really put to the test, violations included */
	uint64_t violated, late, legal;
	uint64_t voided;	/* pending judgements that a gap took away, over all rules that wait */
	const char *why;	/* for inconclusive and not applicable; static text */
};

/* One violation: events of this vCPU in [from_ns, at_ns] are the smallest window that shows it. */
struct kt_violation {
	uint32_t rule;
	uint32_t vcpu;		/* kt_model_vcpu index */
	uint8_t timer;		/* KT_TIMER_NONE: the vCPU's */
	uint64_t from_ns, at_ns;
	const char *seen;	/* what was seen instead; static text */
	uint64_t late_ns;	/* for rules about time, else 0 */
};

struct kt_rules;

struct kt_rules_opts {
	struct kt_model *model;		/* identities and clocks; must outlive the rules */
	const struct kt_facts *facts;	/* may be NULL */
	/* called for each violation as it is found; may be NULL */
	void (*violation)(void *arg, const struct kt_violation *v);
	void *arg;
};

int kt_rules_new(const struct kt_rules_opts *opts, struct kt_rules **out);
void kt_rules_free(struct kt_rules *r);

/*
 * Facts may have come since kt_rules_new.  Before the first event they are read again.  After it
 * nothing is judged by them: they say at most that what was judged cannot stand (told_late).
 */
void kt_rules_facts(struct kt_rules *r);

/* Interrupt numbers, ids and the irqchip of vCPUs; beside kt_model_idents.  0 or -ENOMEM. */
int kt_rules_idents(struct kt_rules *r, const struct kt_ident *id, size_t n);

/* Events in time order, gaps included.  0 or -ENOMEM. */
int kt_rules_feed(struct kt_rules *r, const struct kt_event *ev, size_t n);

void kt_rules_result(const struct kt_rules *r, size_t rule, struct kt_rule_result *out);

/* The first violations of each rule, at most this many per rule. */
#define KT_VIOLATIONS_KEPT 8
size_t kt_rules_violations(const struct kt_rules *r, size_t rule, const struct kt_violation **out);

struct kt_rules_totals {
	uint64_t events;	/* fed */
	uint64_t nobody;	/* of these, no vCPU is known for: not judged */
	uint64_t early;		/* of these, before all probes were on: not judged */
	uint64_t in_gaps;	/* of these, inside a gap that may have taken others of their vCPU: not judged */
	uint64_t lost;
	bool told_late;		/* that kinds may be missing, behind events that were judged as if none were */
};

const struct kt_rules_totals *kt_rules_totals(const struct kt_rules *r);

#endif
