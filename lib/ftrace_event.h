/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_FTRACE_EVENT_H
#define KT_FTRACE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kvmtimer/event.h>

/*
 * The kernel's own trace events that this tool understands: names, fields, and
 * how each is printed.  One table serves the live tracefs source (fields by
 * offset), trace.dat (the same) and text (by template).
 *
 * A decoder fills struct kt_ftrace_rec; lib/ftrace_feed.h turns it into
 * kt_events and finds out whose they are.
 */

enum kt_ftrace_id {
	KT_FT_NONE,
	KT_FT_UPDATE_IRQ,	/* kvm_timer_update_irq */
	KT_FT_MAP,		/* kvm_get_timer_map */
	KT_FT_SAVE,
	KT_FT_RESTORE,
	KT_FT_EMULATE,
	KT_FT_HRTIMER_EXPIRE,	/* kvm_timer_hrtimer_expire */
	KT_FT_VGIC_UPDATE,
	KT_FT_ENTRY,
	KT_FT_EXIT,
	KT_FT_WFX,
	KT_FT_WAKEUP,
	KT_FT_USER_EXIT,
	KT_FT_HALT_POLL,	/* names a vcpu_id */
	KT_FT_IRQ_ENTRY,	/* irq_handler_entry */
	KT_FT_IRQ_EXIT,
	KT_FT_HRT_START,	/* hrtimer_start: whose soft timer it is */
	KT_FT_HRT_FIRE,		/* hrtimer_expire_entry */
	KT_FT_HRT_DONE,		/* hrtimer_expire_exit */
	KT_FT_SCHED_SWITCH,	/* tells a preempted vCPU from a sleeping one */
	KT_FT_WAKING,		/* sched_waking: whose background timer fired */
	KT_FT_NEWTASK,		/* task_newtask: which process a thread is of */
	KT_FT_PROC_EXIT,	/* sched_process_exit: its thread id may be reused */
	KT_FT_NR
};

/* Meaning of kt_ftrace_rec.v[], which is the order of the event's fields in the table. */
enum {
	KT_FV_LEVEL_VCPU = 0, KT_FV_LEVEL_IRQ, KT_FV_LEVEL_LEVEL,
	KT_FV_MAP_VCPU = 0, KT_FV_MAP_DV, KT_FV_MAP_DP, KT_FV_MAP_EV, KT_FV_MAP_EP,
	KT_FV_REGS_CTL = 0, KT_FV_REGS_CVAL, KT_FV_REGS_TIMER,
	KT_FV_EMULATE_TIMER = 0, KT_FV_EMULATE_FIRE,
	KT_FV_EXPIRE_TIMER = 0,
	KT_FV_ENTRY_PC = 0,
	KT_FV_EXIT_RET = 0, KT_FV_EXIT_EC, KT_FV_EXIT_PC,
	KT_FV_WFX_PC = 0, KT_FV_WFX_WFE,
	KT_FV_WAKEUP_NS = 0, KT_FV_WAKEUP_WAITED, KT_FV_WAKEUP_VALID,
	KT_FV_USER_REASON = 0, KT_FV_USER_ERRNO,
	KT_FV_POLL_VCPU = 0,
	KT_FV_IRQ_IRQ = 0, KT_FV_IRQ_NAME,
	KT_FV_HRT_PTR = 0, KT_FV_HRT_FUNCTION, KT_FV_HRT_EXPIRES,
	KT_FV_SWITCH_PREV = 0, KT_FV_SWITCH_STATE, KT_FV_SWITCH_NEXT,
	KT_FV_WAKING_PID = 0,
	KT_FV_NEWTASK_PID = 0, KT_FV_NEWTASK_FLAGS,
	KT_FV_PROC_PID = 0,
};
#define KT_FTRACE_VALUES 5

/* Values that stand for words: what kt_ftrace_word returns. */
enum { KT_FN_OTHER, KT_FN_EMULATED, KT_FN_BACKGROUND };	/* hrtimer functions of KVM */
enum { KT_FI_OTHER, KT_FI_VTIMER, KT_FI_PTIMER };	/* names of host interrupts */

struct kt_ftrace_field {
	const char *name;	/* in the kernel's format file */
	unsigned char flags;
	unsigned char words;	/* its list of words, see ftrace_event.c; 0 = none */
};

#define KT_FF_SIGNED	1
#define KT_FF_OPTIONAL	2	/* not on all kernels: its bit in .has tells */
#define KT_FF_STRING	4	/* a string: hand it to kt_ftrace_word */
#define KT_FF_FUNCTION	8	/* an address: look up the symbol and hand it to kt_ftrace_word */

struct kt_ftrace_event {
	const char *system, *name;
	struct kt_ftrace_field field[KT_FTRACE_VALUES];
	const char *text[4];	/* how it is printed, by dialect; see ftrace_event.c */
	const char *untold;	/* how it begins where a printer leaves its values out; else NULL */
};

/* Is the event about the vCPU that the current thread works for?  Else about the CPU or another thread. */
static inline bool kt_ftrace_of_thread(unsigned int id)
{
	return id && id < KT_FT_IRQ_ENTRY;
}

/* Execution context, from the trace entry's flags. */
enum kt_ftrace_ctx { KT_FC_UNKNOWN, KT_FC_TASK, KT_FC_HARDIRQ, KT_FC_SOFTIRQ, KT_FC_NMI };

/* Bits of common_flags in a raw record (enum trace_flag_type in the kernel). */
#define KT_TRACE_FLAG_NMI	0x40
#define KT_TRACE_FLAG_HARDIRQ	0x08
#define KT_TRACE_FLAG_SOFTIRQ	0x10

static inline enum kt_ftrace_ctx kt_ftrace_ctx(unsigned int common_flags)
{
	if (common_flags & KT_TRACE_FLAG_NMI)
		return KT_FC_NMI;
	/* A hard interrupt inside a soft one has both bits: "H" in the text. */
	if (common_flags & KT_TRACE_FLAG_HARDIRQ)
		return KT_FC_HARDIRQ;
	return common_flags & KT_TRACE_FLAG_SOFTIRQ ? KT_FC_SOFTIRQ : KT_FC_TASK;
}

/* Twice what any arm64 kernel is built for; decoders refuse more. */
#define KT_FTRACE_CPUS_MAX 8192
#define KT_FTRACE_ALL_CPUS 0xffff	/* in place of a CPU, of what may be missing anywhere */

/* One record of the trace buffer, whoever decoded it. */
struct kt_ftrace_rec {
	uint64_t ts_ns;		/* on the trace's own clock */
	uint64_t v[KT_FTRACE_VALUES];
	uint32_t tid;		/* common_pid: 0 = idle */
	uint32_t tgid;		/* 0 = not recorded */
	uint16_t cpu;		/* below KT_FTRACE_CPUS_MAX */
	uint8_t id;		/* enum kt_ftrace_id */
	uint8_t ctx;		/* enum kt_ftrace_ctx */
	uint8_t has;		/* bit per value */
	uint8_t comm_len;	/* at most 16; 0 = not known */
	const char *comm;	/* not NUL-terminated; only read during the call */
};

/* Row of an event; NULL out of range. */
const struct kt_ftrace_event *kt_ftrace_event(unsigned int id);
/* Linear: for setting up.  KT_FT_NONE when it is none of ours. */
enum kt_ftrace_id kt_ftrace_find(const char *name, size_t len);

/*
 * What a kvm_exit says, by its v[] and has.  Of the syndrome only the class; v4.3 has no
 * return code: KT_EXIT_OTHER.
 */
struct kt_run kt_ftrace_exit(const uint64_t *v, uint64_t has);

/* A string or symbol as a number; false when the field knows no such word. */
bool kt_ftrace_word(unsigned int id, unsigned int field, const char *word, size_t len,
		    uint64_t *value);

/* Is this text one whose printer left the values out? */
bool kt_ftrace_untold(unsigned int id, const char *text, size_t len);

/*
 * Reads the text after "name: ".  Returns 0 and fills v and has, or -EINVAL when
 * it fits no dialect.  The text need not end with NUL.
 */
int kt_ftrace_parse(struct kt_ftrace_rec *rec, const char *text, size_t len);

/*
 * The same, several times faster for text exactly as the kernel prints it: steps
 * made once from the table.  One step compares eight letters or reads a value.
 */
#define KT_FTRACE_STEPS 14

struct kt_ftrace_step {
	uint64_t letters, mask;	/* mask 0: a value */
	uint8_t len, op, field;
};

struct kt_ftrace_plan {
	struct kt_ftrace_step step[KT_FTRACE_STEPS];
	uint8_t n, id;		/* n 0: no plan, kt_ftrace_parse does it */
};

void kt_ftrace_plan_init(struct kt_ftrace_plan *plan, unsigned int id);
int kt_ftrace_parse_fast(const struct kt_ftrace_plan *plan, struct kt_ftrace_rec *rec,
			 const char *text, size_t len);

#endif
