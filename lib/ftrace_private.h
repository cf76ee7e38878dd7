/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_FTRACE_PRIVATE_H
#define KT_FTRACE_PRIVATE_H

/* Between ftrace_who.c (threads, vCPUs, timers: who is who) and ftrace_feed.c (conversion). */
#include <stdbool.h>

#include "ftrace_feed.h"

#define NONE 0			/* of the indexes below, which count from 1 */

/* A publication waiting for the vgic_update_irq_pending that its injection traces. */
struct published {
	uint32_t irq, who;
	uint8_t sub;
	bool waiting;
};

struct thread {
	uint32_t tid, tgid;
	uint32_t own;		/* vCPU it entered as */
	uint32_t bound;		/* vCPU its bare events belong to now */
	uint32_t losses;	/* f->losses when it was last seen */
	uint32_t refused_id;	/* vcpu_id it spoke of that is another thread's */
	uint32_t renewed;	/* times this id looked like another thread's */
	uint32_t made;		/* newest vCPU that it stands for alone, as its process is not known */
	uint8_t comm_len, save_flags, last_id;
	uint8_t guest_maps;	/* since the entry; counted where there are no flags */
	bool put, in_guest, ran, refused;
	char comm[KT_COMM_LEN];
	struct published published;
	/* A load publishes its direct timers in a fixed order, then restores them: so PPIs are learnt. */
	uint32_t load_irq[2];
	uint8_t nr_load_irqs;
	int8_t load_timer[2];
	int8_t evaluated;	/* timer of the kvm_timer_emulate just before */
	bool evaluated_high;
};

struct vcpu {
	struct kt_ident id;
	uint32_t irq[KT_TIMER_NR];	/* learnt; 0 = not */
	uint8_t waiting;		/* emulated timers evaluated as low since the load: may be armed */
	uint32_t waiting_losses;	/* f->losses when that was seen */
	uint32_t made_before;		/* next in the chain of thread.made */
	uint32_t next_gen;		/* up to there this vcpu_id of this process is entered by threads */
	bool entered, dirty;
};

struct cpu {
	struct kt_ftrace_rec last;	/* comm is not kept */
	uint32_t tid, thread;		/* the thread that was seen last */
	bool seen, map_in_irq, soft;
	uint32_t soft_vcpu;		/* while soft: whose timer fires, or NONE */
	uint8_t soft_timer;
	uint64_t fires;			/* hrtimer whose callback runs, 0 = none */
	uint64_t bg_ns;			/* since when it is a background timer of an unknown vCPU, 0 = it is not */
	struct published published;	/* in interrupt context */
};

/* hrtimers of KVM, by address */
struct soft_timer {
	uint64_t ptr, expires_ns;
	uint32_t vcpu;
};

struct slot {
	uint64_t key;
	uint32_t index;		/* 0 = free */
};

struct table {
	struct slot *slot;
	uint32_t mask, used;
};

struct kt_ftrace {
	struct kt_ftrace_opts opts;
	struct kt_ftrace_stats stats;
	struct thread *thread;
	struct vcpu *vcpu;
	struct soft_timer *soft;
	struct cpu *cpu;
	uint32_t nr_threads, max_threads, nr_vcpus, max_vcpus, nr_soft, max_soft, nr_cpus;
	struct table by_tid, by_vcpu, by_owner, by_ptr;
	uint32_t losses;
	uint64_t newest_ns;
	uint16_t last_cpu;
	bool merged, unordered;			/* CPUs alternate; time went back */
	bool switch_maps;			/* the world switch works out maps: the run before had them */
	uint32_t nr_waiting[KT_TIMER_NR];	/* loaded vCPUs whose timer may be armed */
	uint32_t *dirty, nr_dirty;		/* room for max_vcpus */
	struct kt_ident *rows;			/* same */
};

static inline uint32_t kt_ft_hash(uint64_t key)
{
	key *= 0x9e3779b97f4a7c15ull;
	return key >> 32;
}

/* Where key is, or would go.  The caller compares what the key cannot hold. */
static inline struct slot *kt_ft_table_find(const struct table *t, uint64_t key)
{
	uint32_t i = kt_ft_hash(key) & t->mask;

	while (t->slot[i].index && t->slot[i].key != key)
		i = (i + 1) & t->mask;
	return &t->slot[i];
}

static inline struct vcpu *kt_ft_vcpu_at(struct kt_ftrace *f, uint32_t index)
{
	return index ? &f->vcpu[index - 1] : NULL;
}

static inline uint32_t kt_ft_thread_who(uint32_t tid)
{
	return KT_WHO_TID | (tid & ~KT_WHO_TID);
}

static inline uint32_t kt_ft_vcpu_who(struct kt_ftrace *f, uint32_t index, uint32_t tid)
{
	return index ? f->vcpu[index - 1].id.who : kt_ft_thread_who(tid);
}

/* After a loss nobody's timer is known to be armed: a save may be among what is missing. */
static inline uint8_t kt_ft_waiting(const struct kt_ftrace *f, const struct vcpu *v)
{
	return v->waiting_losses == f->losses ? v->waiting : 0;
}

/* The table grows; the caller compares what a key cannot hold. */
int kt_ft_table_add(struct table *t, uint64_t key, uint32_t index);
/* Room for one more; the old array stays when there is no memory. */
int kt_ft_more(void **array, uint32_t n, uint32_t *max, size_t size);

/* An event named the vCPU that t works for. */
void kt_ft_name_vcpu(struct kt_ftrace *f, struct thread *t, uint32_t vcpu_id, uint64_t now_ns, int *err);
/* t enters a guest: it is the thread of the vCPU it is bound to. */
void kt_ft_own_vcpu(struct kt_ftrace *f, struct thread *t, uint64_t now_ns, int *err);

void kt_ft_forget_thread(struct thread *t);
struct thread *kt_ft_find_thread(struct kt_ftrace *f, uint32_t tid);
int kt_ft_add_thread(struct kt_ftrace *f, uint32_t tid, uint32_t *index);
/* The thread of rec, NULL when there are too many. */
int kt_ft_thread_of(struct kt_ftrace *f, struct cpu *c, const struct kt_ftrace_rec *rec,
		    struct thread **out);
/* A put ends a binding; the vCPU's own thread keeps it. */
uint32_t kt_ft_bound_who(struct kt_ftrace *f, struct thread *t);

unsigned int kt_ft_timer_of_irq(const struct vcpu *v, uint32_t irq);
void kt_ft_learn_irq(struct kt_ftrace *f, uint32_t index, unsigned int timer, uint32_t irq);
unsigned int kt_ft_timer_index(uint64_t v);
void kt_ft_set_waiting(struct kt_ftrace *f, uint32_t index, uint8_t now);

#endif
