/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_FTRACE_LIVE_PRIVATE_H
#define KT_FTRACE_LIVE_PRIVATE_H

/*
 * What the parts of the conversion share: ftrace_live.c makes events,
 * ftrace_live_who.c knows whose they are, ftrace_live_lr.c samples the vgic.
 */
#include <sys/types.h>

#include "ftrace_live.h"

#define KT_LIVE_BUCKETS 1024	/* of both tables: a power of two */

/* A vCPU's life.  Never freed before the end: memory is O(vCPUs). */
struct life {
	struct life *next;	/* in its bucket */
	uint64_t ptr, kvm;
	uint32_t who;		/* 0: filtered out */
	uint32_t tid, tgid, vcpu_id, vcpu_idx, vm_gen;
	uint32_t irq[KT_TIMER_NR], host_irq[KT_TIMER_NR];
	uint8_t vgic;
	bool published, id_known;
	char comm[KT_COMM_LEN];
	uint64_t offset[2], told_offset[2];	/* ptimer, vtimer */
	uint8_t offset_known, offset_told;	/* bit per timer */
	uint32_t offset_gen;
	uint32_t device_level;
};

struct vm {
	struct vm *next;
	uint64_t kvm;
	uint32_t tgid, vm_gen;
};

struct thread {
	struct thread *next;
	uint32_t tid;
	struct life *life;	/* that it last loaded: for what happens after its put */
	struct life *working;	/* that it enables or resets, on whatever CPU */
	uint32_t gaps;		/* of the whole capture when that was told */
	bool unwanted;		/* as the sink was told */
};

/* After its put a vCPU gives its thread only what the put itself says. */
enum phase { LOOSE, LOADED, PUTTING };

struct cpu {
	struct life *bound;
	uint32_t bound_tid;
	uint8_t phase, save_flags;
	struct life *soft;	/* whose soft timer's callback may be running */
	bool soft_unknown;	/* one is, and nobody told whose */
	uint64_t soft_ptr, soft_expires_ns;
	struct life *cached;	/* of the LR samples, as the BPF source has it */
	uint32_t lr_open;
	uint8_t lr_flushed, lr_named[2];	/* since the last fold, from tracepoints */
	bool folded;		/* since the last flush */
	uint32_t wire_irq, wire_tid;
	uint32_t regs_tid, regs_esr;	/* of the exit under way; tid 0 = none */
	uint64_t regs_pstate;
	uint64_t last_ns;
	struct kt_event *ev;
	size_t n;
	ssize_t held;		/* index of an exit that waits for its syndrome; -1 = none */
	uint32_t held_tid;
	bool held_old;		/* it has waited for a whole flush */
};

struct kt_live {
	struct kt_live_opts opts;
	struct kt_live_sink sink;
	struct cpu *cpu;
	struct life *lives[KT_LIVE_BUCKETS], *all;
	struct vm *vms;
	struct thread *threads[KT_LIVE_BUCKETS];
	uint32_t handles;
	uint32_t gaps;
	uint64_t events, untold;
};

static inline bool kt_live_timer_wanted(const struct kt_live *l, uint32_t timer)
{
	return !l->opts.knobs.timer_mask || timer == KT_TIMER_NONE ||
	       (l->opts.knobs.timer_mask >> timer & 1);
}

/* A thread whose vCPU is not known passes only where nothing is filtered out. */
static inline uint32_t kt_live_thread_who(const struct kt_live *l, uint32_t tid)
{
	if (l->opts.knobs.nr_tgids || l->opts.knobs.vcpu_mask)
		return 0;
	return KT_WHO_TID | tid;
}

static inline bool kt_live_has(const struct kt_live_rec *rec, unsigned int i)
{
	return rec->has >> i & 1;
}

static inline uint64_t kt_live_value(const struct kt_live_rec *rec, unsigned int i,
				     uint64_t otherwise)
{
	return kt_live_has(rec, i) ? rec->v[i] : otherwise;
}

/* The vCPU that this record's thread has on its CPU; NULL when only the thread is known. */
static inline struct life *kt_live_bound(const struct kt_live *l, const struct kt_live_rec *rec)
{
	const struct cpu *c = &l->cpu[rec->cpu];

	if (!c->bound || !c->bound->ptr || c->bound_tid != rec->tid)
		return NULL;
	return c->bound;
}

static inline uint32_t kt_live_who_of(const struct kt_live *l, const struct kt_live_rec *rec,
				      const struct life *v)
{
	return v ? v->who : kt_live_thread_who(l, rec->tid);
}

int kt_live_emit(struct kt_live *l, const struct kt_live_rec *rec, uint32_t who,
		 struct kt_event *ev);

/* ftrace_live_who.c; on_* of records return the sink's error */
struct life *kt_live_find(const struct kt_live *l, uint64_t ptr);
void kt_live_vm_gone(struct kt_live *l, uint64_t kvm);
struct life *kt_live_of_thread(const struct kt_live *l, uint32_t tid);
struct life *kt_live_at_work(const struct kt_live *l, const struct kt_live_rec *rec,
			     uint32_t vcpu_id);
int kt_live_introduce(struct kt_live *l, struct life *v, uint64_t ts_ns);
void kt_live_open_lrs(struct cpu *c, struct life *v);
int kt_live_load(struct kt_live *l, const struct kt_live_rec *rec);
int kt_live_put(struct kt_live *l, const struct kt_live_rec *rec);
int kt_live_vcpu_gone(struct kt_live *l, const struct kt_live_rec *rec);
uint32_t kt_live_timer_of_irq(const uint32_t *irqs, uint32_t irq);
void kt_live_forget_all(struct kt_live *l);

/* ftrace_live_lr.c */
int kt_live_lr(struct kt_live *l, const struct kt_live_rec *rec, uint32_t at);
int kt_live_lr_tracepoint(struct kt_live *l, const struct kt_live_rec *rec, uint32_t at);
int kt_live_lr_absent(struct kt_live *l, const struct kt_live_rec *rec);
int kt_live_guest_regs(struct kt_live *l, const struct kt_live_rec *rec);
int kt_live_wire(struct kt_live *l, const struct kt_live_rec *rec, uint32_t irq, uint8_t level);
int kt_live_wire_return(struct kt_live *l, const struct kt_live_rec *rec);
int kt_live_irqchip(struct kt_live *l, const struct kt_live_rec *rec);

#endif
