/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_RULES_PRIVATE_H
#define KT_RULES_PRIVATE_H

/* Between rules.c (engine), rules_table.c (rows) and the step functions. */
#include <kvmtimer/lr.h>

#include "esr.h"
#include "gaps.h"
#include "rules.h"

/* A level that is not known. */
#define NO_LEVEL 2

/*
 * How late is late.  The only thing that time alone can convict of is a timer that never
 * goes off, so all of them are about that; what goes off at last is late, however late.
 */

/* Later than this is told as late: one tick of a host at HZ=1000. */
#define LATE_NS 1000000ull

/*
 * A timer of the host that did not go off for so long is missing, if the host's other timers
 * did go off meanwhile: PULSES readings of the recorder, which sleeps by a timer before each.
 * A host may stand still for any time (one under emulation did for 115 ms at a load of 20 on
 * two CPUs), and when it runs again a thread may be quicker than the interrupt that is due.
 * Three readings are 150 to 300 ms of a host that works.  They speak of the CPU that the
 * recorder slept on; one that was stopped alone takes its own interrupt, long due, before
 * its threads tell anything.
 */
#define MISSING_NS 100000000ull
#define PULSES 3

/* Captures without such readings: twice the longest stand-still that was measured, rounded up. */
#define MISSING_UNWITNESSED_NS 250000000ull

/*
 * Error of a compare value turned into host time: two bracketed readings of the clocks, 1 ms
 * apart at the most (cli/host.c), and what NTP slews between the first and the newest.
 */
#define CLOCK_SLACK_NS 2000000ull

enum regs_where { REGS_UNKNOWN, REGS_SAVED, REGS_LOADED };
enum timer_role { ROLE_UNKNOWN, ROLE_DIRECT, ROLE_EMULATED };

/* KVM_EXIT_MMIO, in the ABI of KVM_RUN */
#define KT_USER_MMIO	6

/* An update_irq waiting for its vgic_update, per execution context. */
struct pending_pair {
	uint64_t ns;
	uint32_t irq;
	uint8_t level, timer;
	bool open;
};

struct rule_timer {
	/* line: what KVM published */
	uint64_t published_ns;
	uint8_t line;		/* last published level */
	uint8_t load_level;	/* published since the map of this load or put */
	bool from_soft, from_irq; /* the last publication came from a soft timer, from any interrupt */

	/* registers at the last save or restore, or evaluation of an emulated timer */
	uint8_t role, regs, ctl, saved_ctl;
	bool map_since;		/* a map was seen since the last save or restore */
	bool same_regs;		/* nothing changed them between save and restore */
	bool regs_known, saved_known;
	bool offset_told, offset_known;	/* the offset below was ever told; and is the one in force */
	uint64_t cval_ticks, saved_cval_ticks, offset_ticks;
	uint32_t saved_offset_gen;
	uint64_t saved_ns, deadline_ns;	/* deadline 0: not armed, or not known */

	/* judgements that wait */
	bool owe_rise, owe_fall, reset;
	uint64_t owe_ns;
	bool soft_owed;		/* soft timer fired, line not yet raised */
	uint64_t soft_ns, soft_due_ns;
	uint64_t overdue_ns;	/* the soft_due_ns that an exit found long past */
	uint64_t sleep_due_ns;	/* while blocked: when the background timer must have fired */

	/* emulated */
	uint64_t evaluated_ns;
	uint8_t evaluated;	/* should_fire of the last evaluation */
	bool just_evaluated;
	bool cut_short;		/* preempted between an evaluation and what follows it; until the entry */

	/* list register */
	bool flushed;		/* a flush sample since the last fold or load */
	bool open;		/* sampled in use: the next flush is sampled whatever it holds */
	bool flush_fresh;	/* and since the last entry */
	uint8_t low_flushes;	/* pending though low, in a row */
	uint8_t flush_lr;	/* enum kt_lr_value given to the guest */
	bool flush_hw;
	uint64_t flush_ns, flush_word;
	enum { OFF_NO, OFF_ROSE, OFF_SAMPLED } off; /* a mapped line rose while the distributor had it disabled */
	uint64_t off_ns;
	bool folding, fold_pending, fold_dropped, fold_active, fold_same;
	uint8_t fold_wire, line_at_flush;
	uint64_t fold_ns, fold_wire_ns;
	uint8_t wire;		/* level sampled at fold, until the next rise */
	uint64_t wire_ns;

	/* physical */
	uint8_t phys;		/* 0: written, and no handler since */
	uint64_t phys_ns;
	uint8_t handled;	/* host interrupts since the last entry */
	uint64_t handled_ns;

	/* user */
	uint8_t user;
	uint64_t user_ns;
};

struct rule_vcpu {
	struct kt_ident id;	/* who = 0: not arrived */
	uint64_t void_until_ns;	/* inside a gap that may have taken its events: nothing is judged; 0 = in none */
	uint32_t offset_gen;	/* of the newest offset told; registers name the one in force */
	struct rule_timer timer[2];	/* ptimer, vtimer */
	struct rule_timer *more;	/* hvtimer, hptimer: only with nested guests */
	struct pending_pair pair[3];	/* by enum kt_at */
	struct pending_pair cut;	/* the task's, while it is preempted between the two */
	uint64_t entry_ns, exit_ns, handler_ns, blocked_ns, bg_ns, map_ns, reset_ns;
	uint64_t entry_pc, exit_pc, user_ns, load_ns;
	uint32_t eager, storm, user_reason;
	int8_t map[4];		/* as traced; -2 = not known */
	uint16_t pcpu;
	uint8_t in_guest;	/* 0 host, 1 guest, NO_LEVEL not known */
	uint8_t exit_ec, exit_code;
	bool exit_timed;		/* WFIT or WFET */
	bool ran, loaded, gone, nested, handler_open;
	bool preempted;			/* put by preemption since the exit */
	bool asleep;			/* put while its thread sleeps: halted, or switched off */
	bool slept_since_exit, put_since_exit, load_since_exit, excused;	/* an exit's put had a reason */
	uint8_t reset_maps;		/* maps worked out since the reset */
	uint64_t quiet_ns;		/* host timer interrupt that published nothing, since the last restore */
	uint32_t seen;			/* kinds since the last entry, bit per enum kt_kind */
	bool lr_busy;			/* some list register may be in use */
	bool soft_waits;		/* some timer's soft timer is owed or due */
	bool entered, timer_synced;	/* calls: since the last sync of the vgic */
	bool owe_user, owe_wfx, owe_wakeup, woke;
};

#define MAX_CPUS 4096

struct rule_tally {
	uint64_t violated, late, legal;
	uint64_t doubted;	/* would be violations, but what they rest on may not have been recorded */
	uint64_t in_gaps;	/* were violations until a gap was told that may explain them */
	struct kt_violation first[KT_VIOLATIONS_KEPT];
	struct kt_gap_place place[KT_VIOLATIONS_KEPT];	/* where its vCPU was, for gaps that are told late */
};

struct kt_rules {
	struct kt_rules_opts opts;
	struct rule_vcpu *vcpu;
	uint32_t nr_vcpus;
	struct rule_tally *tally;
	uint64_t *exercised;		/* per rule: the one counter that every event moves */
	struct kt_rules_totals totals;
	uint64_t attached_ns, voided;
	/* what the recording can show */
	uint32_t captured;		/* kinds that are recorded, bit per enum kt_kind: absence means something */
	bool goes_on;			/* where another file was full: its vCPUs are not new */
	bool foreign;			/* another tool's: what it has not is not known to have been absent */
	bool partial;			/* kinds may be missing though they happened */
	bool level_cache, no_level_cache, resamples, no_resamples;
	bool no_maps;			/* timers move without a map */
	bool maps_seen, wires_seen, irqchips_seen, lrs_seen, clocks_known, vgic_updates_seen;
	struct { uint32_t who, index; } cache[256];
	struct kt_gaps gaps;
	bool flush_called, load_called;	/* functions that tell the eras before 4.15 from later ones */
	uint32_t loaded_on[MAX_CPUS];	/* vCPU index + 1 */
};

/* What a step function gets: one event, and the state before it. */
struct at {
	struct kt_rules *r;
	struct rule_vcpu *v;
	struct rule_timer *t;	/* NULL when the event is no timer's */
	const struct kt_event *ev;
	uint32_t vcpu;
	uint8_t timer;
	uint16_t rule;		/* the row that is running */
	uint32_t asked;		/* kinds since the last entry, and WAITS_* */
};

/* Beside the kinds in rule_row.after. */
#define WAITS_LR	(1u << 28)	/* a list register may be in use */
#define WAITS_SOFT	(1u << 29)	/* a soft timer is owed or due */
#define WAITS_ROW	(1u << 30)	/* exits in a row are being counted, or a WFx to be handled */
#define WAITS_CPU	(1u << 31)	/* not the CPU of the event before */

#define IN_TASK		(1u << 26)
#define IN_INTERRUPT	(1u << 27)

/* One row: the rule as people see it, and how it is decided. */
struct rule_row {
	struct kt_rule rule;
	uint32_t kinds;		/* bit per enum kt_kind */
	void (*step)(struct at *a);
	/*
	 * At entries and exits, which are most of a recording: asked only when one of
	 * these happened since the last entry, or waits.  0: always.
	 */
	uint32_t after;
	/* IN_TASK or IN_INTERRUPT: of update_irq, vgic_update and map only those. */
	uint32_t context;
	/*
	 * Kinds whose absence looks like a violation.  Where a capture may have left one out
	 * nothing is held against the kernel: the rule is in doubt.
	 */
	uint32_t rests;
};

extern const struct rule_row kt_rule_rows[];
extern const size_t kt_nr_rule_rows;

static inline void held(struct at *a)
{
	a->r->exercised[a->rule]++;
}

static inline void legal(struct at *a)
{
	held(a);
	a->r->tally[a->rule].legal++;
}

static inline void late(struct at *a)
{
	held(a);
	a->r->tally[a->rule].late++;
}

/* seen is static text; from_ns: the first event of the window that shows it. */
void kt_broke(struct at *a, uint64_t from_ns, const char *seen);
void kt_broke_late(struct at *a, uint64_t from_ns, const char *seen, uint64_t late_ns);

static inline void judge(struct at *a, bool good, uint64_t from_ns, const char *seen)
{
	if (good)
		held(a);
	else
		kt_broke(a, from_ns, seen);
}

/* The two of the hypervisor exist only in nested guests. */
static inline unsigned int nr_timers(const struct rule_vcpu *v)
{
	return v->more ? KT_TIMER_NR : 2;
}

static inline struct rule_timer *timer_of(const struct rule_vcpu *v, unsigned int timer)
{
	return timer < 2 ? (struct rule_timer *)&v->timer[timer] : &v->more[timer - 2];
}

static inline unsigned int context(const struct kt_event *ev)
{
	return KT_SUB_AT(ev->sub);
}

/*
 * Put by preemption, or perhaps: a capture without sched_switch does not tell why.
 * A trapped access, which may be preempted anywhere, goes on after the next load.
 */
static inline bool puts_by_preemption(const struct at *a)
{
	uint32_t flags = a->ev->regs.flags;

	return flags & KT_SAVE_PREEMPTED || (a->r->foreign && !(flags & KT_SAVE_KNOWN));
}

/* ENABLE without IMASK: the only way to a high output. */
static inline bool can_fire(uint8_t ctl)
{
	return (ctl & (KT_CTL_ENABLE | KT_CTL_IMASK)) == KT_CTL_ENABLE;
}

static inline bool fires(uint8_t ctl)
{
	return (ctl & 7) == (KT_CTL_ENABLE | KT_CTL_ISTATUS);
}

/* Where a gap may touch it.  Without a timer map it is not known whether a timer is emulated. */
static inline struct kt_gap_place place_of(const struct rule_vcpu *v)
{
	return (struct kt_gap_place){ .loaded = v->loaded, .pcpu = v->pcpu,
		.emulates = v->map[0] == -2 || v->map[2] >= 0 || v->map[3] >= 0 };
}

static inline bool user_irqchip(const struct rule_vcpu *v)
{
	return v->id.who && v->id.vgic == 0;
}

static inline bool kernel_vgic(const struct rule_vcpu *v)
{
	return v->id.vgic == 2 || v->id.vgic == 3;
}

static inline bool lr_is_v2(const struct kt_event *ev)
{
	return ev->lr.state & KT_LR_V2;
}

static inline unsigned int lr_value(const struct kt_event *ev)
{
	return ev->lr.state & KT_LR_PRESENT ? kt_lr_state(ev->lr.lr, lr_is_v2(ev)) : KT_LR_EMPTY;
}

/* The timer is one that KVM keeps in the hardware, by the last map; unknown counts as yes. */
static inline bool direct_by_map(const struct rule_vcpu *v, uint8_t timer)
{
	return v->map[0] == -2 || v->map[0] == (int8_t)timer || v->map[1] == (int8_t)timer;
}

static inline bool captured(const struct at *a, unsigned int kind)
{
	return a->r->captured >> kind & 1;
}

/* Is a timer that was due then missing by now, and not just late? */
static inline bool is_missing(const struct at *a, uint64_t due_ns)
{
	const struct kt_model *m = a->r->opts.model;
	uint64_t now_ns = a->ev->ts_ns;

	if (!kt_model_has_pulses(m))
		return now_ns > due_ns + MISSING_UNWITNESSED_NS;
	return now_ns > due_ns + MISSING_NS && kt_model_pulses(m, due_ns, now_ns) >= PULSES;
}

/* State after the event: rules_state.c. */
void kt_rules_advance(struct at *a);
void kt_rules_forget(struct rule_vcpu *v);
void kt_rules_interrupt(struct rule_vcpu *v);
void kt_rules_unknown(struct rule_timer *t);

/* Step functions, by the file that has them. */
#define KT_STEPS(X)                                                                                \
	X(change_only) X(load_coherence) X(rise_before_leave) X(late_fall) X(pairing) X(target)    \
	X(host_irq) X(no_storm) X(active_mirror) X(fold_resample) X(deactivate_resample)           \
	X(no_pending_low) X(low_retires) X(no_pending_active) X(unique_lr) X(delivery)             \
	X(wakeup) X(soft_expiry) X(soft_arm) X(notify) X(user_bit) X(load_before_entry)            \
	X(map_stable) X(alternate) X(masked_low) X(reset_low) X(new_registers)                     \
	X(level_by_deadline) X(evaluation) X(evaluated_level) X(lr_transition) X(fold_active)      \
	X(flush_mirror) X(save_restore_alternate) X(map_first) X(lazy) X(progress) X(expired_sleep) \
	X(fold_pairs) X(phys_at_load) X(host_side) X(put_reason) X(wfx_exit) X(phys_idle) X(one_wakeup) \
	X(evaluated_at_load) X(line_kept) X(registers_kept) X(sleep_timer) X(resume) X(one_loaded) \
	X(enable_resample) X(timer_first)

#define X(name) void kt_step_##name(struct at *a);
KT_STEPS(X)
#undef X

#endif
