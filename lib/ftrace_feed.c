/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ftrace_feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX (4 * KT_FTRACE_VCPUS_MAX)
#define SOFT_TIMERS_MAX 65536
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
	uint8_t comm_len, save_flags, last_id;
	bool put, in_guest, ran;
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
	struct table by_tid, by_vcpu, by_ptr;
	uint32_t losses;
	uint32_t nr_waiting[KT_TIMER_NR];	/* loaded vCPUs whose timer may be armed */
	uint32_t *dirty, nr_dirty;		/* room for max_vcpus */
	struct kt_ident *rows;			/* same */
};

static const uint32_t default_irq[KT_TIMER_NR] = {
	[KT_PTIMER] = 30, [KT_VTIMER] = 27, [KT_HVTIMER] = 28, [KT_HPTIMER] = 26,
};

/* ---- tables ---- */

static uint32_t hash(uint64_t key)
{
	key *= 0x9e3779b97f4a7c15ull;
	return key >> 32;
}

/* Where key is, or would go.  The caller compares what the key cannot hold. */
static struct slot *table_find(const struct table *t, uint64_t key)
{
	uint32_t i = hash(key) & t->mask;

	while (t->slot[i].index && t->slot[i].key != key)
		i = (i + 1) & t->mask;
	return &t->slot[i];
}

static int table_init(struct table *t)
{
	t->mask = 63;
	t->slot = calloc(t->mask + 1, sizeof(*t->slot));
	return t->slot ? 0 : -ENOMEM;
}

static int table_add(struct table *t, uint64_t key, uint32_t index)
{
	struct slot *s;

	if (2 * (t->used + 1) > t->mask) {
		struct table bigger = { .mask = 2 * t->mask + 1, .used = t->used };

		bigger.slot = calloc((size_t)bigger.mask + 1, sizeof(*bigger.slot));
		if (!bigger.slot)
			return -ENOMEM;
		for (uint32_t i = 0; i <= t->mask; i++)
			if (t->slot[i].index)
				*table_find(&bigger, t->slot[i].key) = t->slot[i];
		free(t->slot);
		*t = bigger;
	}
	s = table_find(t, key);
	t->used += !s->index;
	*s = (struct slot){ key, index };
	return 0;
}

/* Room for one more; the old array stays when there is no memory. */
static int more(void **array, uint32_t n, uint32_t *max, size_t size)
{
	uint32_t bigger = *max + (*max >> 1) + 16;
	void *grown;

	if (n < *max)
		return 0;
	grown = realloc(*array, bigger * size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*max = bigger;
	return 0;
}

/* ---- life ---- */

int kt_ftrace_new(const struct kt_ftrace_opts *opts, struct kt_ftrace **out)
{
	struct kt_ftrace *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	if (opts)
		f->opts = *opts;
	if (table_init(&f->by_tid) || table_init(&f->by_vcpu) || table_init(&f->by_ptr)) {
		kt_ftrace_free(f);
		return -ENOMEM;
	}
	*out = f;
	return 0;
}

void kt_ftrace_free(struct kt_ftrace *f)
{
	if (!f)
		return;
	free(f->by_tid.slot);
	free(f->by_vcpu.slot);
	free(f->by_ptr.slot);
	free(f->thread);
	free(f->vcpu);
	free(f->soft);
	free(f->cpu);
	free(f->dirty);
	free(f->rows);
	free(f);
}

static struct vcpu *vcpu_at(struct kt_ftrace *f, uint32_t index)
{
	return index ? &f->vcpu[index - 1] : NULL;
}

static void touch(struct kt_ftrace *f, uint32_t index)
{
	struct vcpu *v = vcpu_at(f, index);

	if (!v->dirty)
		f->dirty[f->nr_dirty++] = index;
	v->dirty = true;
}

/* ---- vCPUs ---- */

static uint64_t vcpu_key(uint64_t vm, uint32_t gen, uint32_t vcpu_id)
{
	return vm * 0x9e3779b97f4a7c15ull ^ ((uint64_t)gen << 32 | vcpu_id);
}

/* The process is the VM; a thread without one is a VM of its own. */
static uint64_t vm_key(const struct thread *t)
{
	return t->tgid ? t->tgid : 1ull << 32 | t->tid;
}

static uint32_t find_vcpu(struct kt_ftrace *f, uint64_t vm, uint32_t gen, uint32_t vcpu_id)
{
	const struct slot *s = table_find(&f->by_vcpu, vcpu_key(vm, gen, vcpu_id));
	const struct kt_ident *id;

	if (!s->index)
		return NONE;
	id = &f->vcpu[s->index - 1].id;
	return id->kvm == vm && id->vm_gen == gen && id->vcpu_id == vcpu_id ? s->index : NONE;
}

static int grow_vcpus(struct kt_ftrace *f)
{
	uint32_t max = f->max_vcpus;
	uint32_t *dirty;
	struct kt_ident *rows;

	if (more((void **)&f->vcpu, f->nr_vcpus, &max, sizeof(*f->vcpu)))
		return -ENOMEM;
	if (max == f->max_vcpus)
		return 0;
	dirty = realloc(f->dirty, max * sizeof(*dirty));
	if (dirty)
		f->dirty = dirty;
	rows = realloc(f->rows, max * sizeof(*rows));
	if (rows)
		f->rows = rows;
	if (!dirty || !rows)
		return -ENOMEM;
	f->max_vcpus = max;
	return 0;
}

/* Index of a new vCPU of thread t; NONE with *err when there is no room. */
static uint32_t new_vcpu(struct kt_ftrace *f, const struct thread *t, uint32_t gen,
			 uint32_t vcpu_id, uint64_t now_ns, int *err)
{
	struct vcpu *v;

	if (f->nr_vcpus >= KT_FTRACE_VCPUS_MAX) {
		f->stats.refused++;
		return NONE;
	}
	*err = grow_vcpus(f);
	if (*err)
		return NONE;
	v = &f->vcpu[f->nr_vcpus];
	memset(v, 0, sizeof(*v));
	v->id = (struct kt_ident){
		.kvm = vm_key(t), .vm_gen = gen, .who = f->nr_vcpus + 1, .first_ns = now_ns,
		.tgid = t->tgid, .vcpu_id = vcpu_id, .vcpu_idx = KT_VCPU_ID_UNKNOWN, .vgic = 255,
	};
	memcpy(v->id.comm, t->comm, sizeof(v->id.comm));
	if (vcpu_id != KT_VCPU_ID_UNKNOWN)
		*err = table_add(&f->by_vcpu, vcpu_key(v->id.kvm, gen, vcpu_id), f->nr_vcpus + 1);
	if (*err)
		return NONE;
	f->nr_vcpus++;
	touch(f, f->nr_vcpus);
	return f->nr_vcpus;
}

/*
 * The vCPU vcpu_id of t's process that t may enter as: not one that another
 * thread entered as, which would be another VM in the same process.
 */
static uint32_t free_vcpu(struct kt_ftrace *f, const struct thread *t, uint32_t vcpu_id,
			  uint64_t now_ns, int *err)
{
	for (uint32_t gen = t->renewed;; gen++) {
		uint32_t i = find_vcpu(f, vm_key(t), gen, vcpu_id);

		if (!i) {
			if (gen && t->tgid)
				f->stats.two_in_process++;
			return new_vcpu(f, t, gen, vcpu_id, now_ns, err);
		}
		if (!f->vcpu[i - 1].entered || f->vcpu[i - 1].id.tid == t->tid)
			return i;
	}
}

/* An event named the vCPU that t works for. */
static void name_vcpu(struct kt_ftrace *f, struct thread *t, uint32_t vcpu_id, uint64_t now_ns,
		      int *err)
{
	struct vcpu *own = vcpu_at(f, t->own), *v = vcpu_at(f, t->bound);
	uint32_t i;

	t->put = false;
	if (v && v->id.vcpu_id == vcpu_id)
		return;
	if (own && own->id.vcpu_id == vcpu_id) {
		t->bound = t->own;
		return;
	}
	if (own && own->id.vcpu_id == KT_VCPU_ID_UNKNOWN) {
		uint32_t gen = own->id.vm_gen;

		/* Taken by another thread of the process: then this is a VM beside that one. */
		while (find_vcpu(f, own->id.kvm, gen, vcpu_id))
			gen++;
		f->stats.two_in_process += gen != own->id.vm_gen;
		own->id.vm_gen = gen;
		own->id.vcpu_id = vcpu_id;
		*err = table_add(&f->by_vcpu, vcpu_key(own->id.kvm, gen, vcpu_id), t->own);
		touch(f, t->own);
		t->bound = t->own;
		return;
	}
	/*
	 * The VMM may work on any vCPU from its main thread; but the vCPU of a
	 * thread that runs it may as well be that of a second VM in this process.
	 */
	i = find_vcpu(f, vm_key(t), t->renewed, vcpu_id);
	if (i && f->vcpu[i - 1].entered && f->vcpu[i - 1].id.tid != t->tid) {
		t->bound = NONE;
		t->refused_id = vcpu_id;
	} else {
		t->bound = i ? i : new_vcpu(f, t, t->renewed, vcpu_id, now_ns, err);
	}
}

/* t enters a guest: it is the thread of the vCPU it is bound to. */
static void own_vcpu(struct kt_ftrace *f, struct thread *t, uint64_t now_ns, int *err)
{
	struct vcpu *v = vcpu_at(f, t->bound);
	uint32_t i = t->bound;

	if (!v && t->refused_id != KT_VCPU_ID_UNKNOWN)
		i = free_vcpu(f, t, t->refused_id, now_ns, err);
	else if (!v)
		i = new_vcpu(f, t, t->renewed, KT_VCPU_ID_UNKNOWN, now_ns, err);
	else if (v->entered && v->id.tid != t->tid)
		i = free_vcpu(f, t, v->id.vcpu_id, now_ns, err);
	if (!i)
		return;
	v = vcpu_at(f, i);
	if (!v->entered) {
		v->entered = true;
		v->id.tid = t->tid;
		memcpy(v->id.comm, t->comm, sizeof(v->id.comm));
		touch(f, i);
	}
	t->own = t->bound = i;
}

/* ---- threads ---- */

static void forget_thread(struct thread *t)
{
	t->own = t->bound = NONE;
	t->refused_id = KT_VCPU_ID_UNKNOWN;
	t->put = t->in_guest = t->ran = false;
	t->published.waiting = false;
	t->nr_load_irqs = 0;
	t->save_flags = t->last_id = 0;
}

static void set_comm(struct kt_ftrace *f, struct thread *t, const struct kt_ftrace_rec *rec)
{
	struct vcpu *own;

	/* Another name under a guest: without a process, nobody knows whether it is the same thread. */
	if (t->comm_len && t->own && !t->tgid) {
		forget_thread(t);
		t->renewed++;
	}
	memset(t->comm, 0, sizeof(t->comm));
	memcpy(t->comm, rec->comm, rec->comm_len);
	t->comm_len = rec->comm_len;
	own = vcpu_at(f, t->own);
	if (own) {
		memcpy(own->id.comm, t->comm, sizeof(own->id.comm));
		touch(f, t->own);
	}
}

static void set_tgid(struct kt_ftrace *f, struct thread *t, uint32_t tgid)
{
	struct vcpu *own = vcpu_at(f, t->own);

	if (t->tgid) {
		forget_thread(t);	/* the id was reused */
	} else if (own) {
		own->id.tgid = tgid;
		touch(f, t->own);
	}
	t->tgid = tgid;
}

static struct thread *find_thread(struct kt_ftrace *f, uint32_t tid)
{
	const struct slot *s = table_find(&f->by_tid, tid);

	return s->index ? &f->thread[s->index - 1] : NULL;
}

static int add_thread(struct kt_ftrace *f, uint32_t tid, uint32_t *index)
{
	if (f->nr_threads >= THREADS_MAX) {
		f->stats.refused++;
		*index = NONE;
		return 0;
	}
	if (more((void **)&f->thread, f->nr_threads, &f->max_threads, sizeof(*f->thread)) ||
	    table_add(&f->by_tid, tid, f->nr_threads + 1))
		return -ENOMEM;
	memset(&f->thread[f->nr_threads], 0, sizeof(*f->thread));
	f->thread[f->nr_threads].tid = tid;
	f->thread[f->nr_threads].evaluated = -1;
	f->thread[f->nr_threads].refused_id = KT_VCPU_ID_UNKNOWN;
	*index = ++f->nr_threads;
	return 0;
}

/* The thread of rec, NULL when there are too many. */
static int thread_of(struct kt_ftrace *f, struct cpu *c, const struct kt_ftrace_rec *rec,
		     struct thread **out)
{
	struct thread *t;

	if (!c->thread || c->tid != rec->tid) {
		const struct slot *s = table_find(&f->by_tid, rec->tid);
		uint32_t index = s->index;

		if (!index && add_thread(f, rec->tid, &index))
			return -ENOMEM;
		c->tid = rec->tid;
		c->thread = index;
	}
	if (!c->thread) {
		*out = NULL;
		return 0;
	}
	t = &f->thread[c->thread - 1];
	if (t->losses != f->losses) {
		t->losses = f->losses;
		t->bound = t->own;
		t->refused_id = KT_VCPU_ID_UNKNOWN;
		t->put = t->in_guest = t->ran = t->published.waiting = false;
		t->nr_load_irqs = t->last_id = t->save_flags = 0;
	}
	if (rec->tgid && rec->tgid != t->tgid)
		set_tgid(f, t, rec->tgid);
	if (rec->comm_len && rec->comm_len <= KT_COMM_LEN &&
	    (rec->comm_len != t->comm_len || memcmp(rec->comm, t->comm, rec->comm_len)))
		set_comm(f, t, rec);
	*out = t;
	return 0;
}

static uint32_t thread_who(uint32_t tid)
{
	return KT_WHO_TID | (tid & ~KT_WHO_TID);
}

static uint32_t vcpu_who(struct kt_ftrace *f, uint32_t index, uint32_t tid)
{
	return index ? f->vcpu[index - 1].id.who : thread_who(tid);
}

/* A put ends a binding; the vCPU's own thread keeps it. */
static uint32_t bound_who(struct kt_ftrace *f, struct thread *t)
{
	if (t->put) {
		t->put = false;
		t->bound = t->own;
	}
	return vcpu_who(f, t->bound, t->tid);
}

/* ---- timers ---- */

static unsigned int timer_of_irq(const struct vcpu *v, uint32_t irq)
{
	static const uint8_t order[] = { KT_VTIMER, KT_PTIMER, KT_HVTIMER, KT_HPTIMER };

	for (unsigned int i = 0; v && i < KT_TIMER_NR; i++)
		if (v->irq[order[i]] == irq)
			return order[i];
	for (unsigned int i = 0; i < KT_TIMER_NR; i++)
		if (!(v && v->irq[order[i]]) && default_irq[order[i]] == irq)
			return order[i];
	return KT_TIMER_NONE;
}

static void learn_irq(struct kt_ftrace *f, uint32_t index, unsigned int timer, uint32_t irq)
{
	struct vcpu *v = vcpu_at(f, index);

	if (!v || timer >= KT_TIMER_NR || !irq || v->irq[timer] == irq)
		return;
	v->irq[timer] = v->id.irq[timer] = irq;
	touch(f, index);
}

static unsigned int timer_index(uint64_t v)
{
	return v < KT_TIMER_NR ? v : KT_TIMER_NONE;
}

/* After a loss nobody's timer is known to be armed: a save may be among what is missing. */
static uint8_t waiting(const struct kt_ftrace *f, const struct vcpu *v)
{
	return v->waiting_losses == f->losses ? v->waiting : 0;
}

static void set_waiting(struct kt_ftrace *f, uint32_t index, uint8_t now)
{
	struct vcpu *v = vcpu_at(f, index);
	uint8_t was = v ? waiting(f, v) : now;

	if (was == now)
		return;
	for (unsigned int t = 0; t < KT_TIMER_NR; t++)
		f->nr_waiting[t] += (now >> t & 1) - (was >> t & 1);
	v->waiting = now;
	v->waiting_losses = f->losses;
}

/* ---- conversion: one function per event ---- */

struct feed {
	struct kt_ftrace *f;
	const struct kt_ftrace_rec *rec;
	struct kt_event *ev;
	struct cpu *c;
	struct thread *t;
	bool hard;
	int err;
};

static int emit(struct feed *d, unsigned int kind, uint32_t who, uint8_t sub)
{
	d->ev->ts_ns = d->rec->ts_ns;
	d->ev->pcpu = d->rec->cpu;
	d->ev->who = who;
	d->ev->kind = kind;
	d->ev->sub = sub;
	return 1;
}

static int on_map(struct feed *d)
{
	const struct kt_ftrace_rec *r = d->rec;
	struct kt_map *map = &d->ev->map;
	struct thread *t = d->t;

	*map = (struct kt_map){ -1, -1, -1, -1, r->v[KT_FV_MAP_VCPU], 0 };
	/* Both contexts work on the vCPU that the current thread has loaded; idle has none. */
	if (t->tid)
		name_vcpu(d->f, t, r->v[KT_FV_MAP_VCPU], r->ts_ns, &d->err);
	if (d->hard) {
		/* Roles were told by the load; the handler's map only says that it runs. */
		d->c->map_in_irq = true;
		d->c->soft = false;
	} else {
		map->direct_vtimer = r->v[KT_FV_MAP_DV];
		map->direct_ptimer = r->v[KT_FV_MAP_DP];
		if (r->has & 1u << KT_FV_MAP_EV)
			map->emul_vtimer = r->v[KT_FV_MAP_EV];
		map->emul_ptimer = r->v[KT_FV_MAP_EP];
		d->f->stats.emulated_maps += map->emul_vtimer >= 0 || map->emul_ptimer >= 0;
		t->load_timer[0] = map->direct_vtimer;
		t->load_timer[1] = map->direct_ptimer;
		t->nr_load_irqs = 0;
	}
	return emit(d, KT_EV_MAP, bound_who(d->f, t),
		    KT_SUB(KT_TIMER_NONE, d->hard ? KT_AT_HOST_IRQ : KT_AT_TASK));
}

/* In the hard interrupt of a soft timer: the timer's vCPU, if that is known and fits. */
static uint32_t soft_publisher(struct feed *d, unsigned int *timer)
{
	struct vcpu *v = vcpu_at(d->f, d->c->soft_vcpu);

	*timer = d->c->soft_timer;
	if (!v || v->id.vcpu_id != d->rec->v[KT_FV_LEVEL_VCPU])
		return KT_WHO_NONE;
	learn_irq(d->f, d->c->soft_vcpu, *timer, d->rec->v[KT_FV_LEVEL_IRQ]);
	return v->id.who;
}

/*
 * In another hard interrupt: the host timer's, which its timer map announced.
 * Without a map it may be a soft timer's of anybody, but for the vtimer, which
 * is never emulated outside nested guests.
 */
static uint32_t irq_publisher(struct feed *d, unsigned int *timer)
{
	struct vcpu *v = vcpu_at(d->f, d->t->bound);

	*timer = timer_of_irq(v, d->rec->v[KT_FV_LEVEL_IRQ]);
	if (v && v->id.vcpu_id == d->rec->v[KT_FV_LEVEL_VCPU] &&
	    (d->c->map_in_irq || *timer == KT_VTIMER))
		return v->id.who;
	return d->c->map_in_irq ? thread_who(d->t->tid) : KT_WHO_NONE;
}

static uint32_t task_publisher(struct feed *d, unsigned int *timer)
{
	const uint64_t *v = d->rec->v;
	struct thread *t = d->t;

	name_vcpu(d->f, t, v[KT_FV_LEVEL_VCPU], d->rec->ts_ns, &d->err);
	if (t->last_id == KT_FT_EMULATE && t->evaluated_high == (v[KT_FV_LEVEL_LEVEL] != 0))
		learn_irq(d->f, t->bound, t->evaluated, v[KT_FV_LEVEL_IRQ]);
	if (t->nr_load_irqs < 2)
		t->load_irq[t->nr_load_irqs] = v[KT_FV_LEVEL_IRQ];
	if (t->nr_load_irqs < 3)
		t->nr_load_irqs++;
	*timer = timer_of_irq(vcpu_at(d->f, t->bound), v[KT_FV_LEVEL_IRQ]);
	return bound_who(d->f, t);
}

static int on_update(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	struct published *p = d->hard ? &d->c->published : &d->t->published;
	unsigned int timer, at = KT_AT_TASK;
	uint32_t who;

	d->ev->level = (struct kt_level){ .irq = v[KT_FV_LEVEL_IRQ],
		.traced_vcpu = v[KT_FV_LEVEL_VCPU], .level = v[KT_FV_LEVEL_LEVEL] != 0 };
	if (d->hard && d->c->soft) {
		at = KT_AT_SOFT_TIMER;
		who = soft_publisher(d, &timer);
	} else if (d->hard) {
		at = KT_AT_HOST_IRQ;
		who = irq_publisher(d, &timer);
	} else {
		who = task_publisher(d, &timer);
	}
	*p = (struct published){ v[KT_FV_LEVEL_IRQ], who, KT_SUB(timer, at), true };
	return emit(d, KT_EV_UPDATE_IRQ, who, KT_SUB(timer, at));
}

/*
 * Belongs to the publication just before, in the same thread and context: a host
 * tick may lie between them.  Its vcpu number is an index on 6.7+, and 0 for an SPI.
 */
static int on_vgic_update(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	struct published *p = d->hard ? &d->c->published : &d->t->published;
	struct vcpu *vcpu = vcpu_at(d->f, d->t->own);
	unsigned int timer;

	d->ev->level = (struct kt_level){ .irq = v[KT_FV_LEVEL_IRQ],
		.traced_vcpu = v[KT_FV_LEVEL_VCPU], .level = v[KT_FV_LEVEL_LEVEL] != 0 };
	if (p->waiting && p->irq == v[KT_FV_LEVEL_IRQ]) {
		p->waiting = false;
		return emit(d, KT_EV_VGIC_UPDATE, p->who, p->sub);
	}
	timer = timer_of_irq(vcpu, v[KT_FV_LEVEL_IRQ]);
	if (d->f->stats.by_id[KT_FT_UPDATE_IRQ] || !vcpu || timer == KT_TIMER_NONE || d->hard) {
		d->f->stats.other_irq++;
		return 0;
	}
	return emit(d, KT_EV_VGIC_UPDATE, vcpu->id.who, KT_SUB(timer, KT_AT_TASK));
}

static int on_regs(struct feed *d, bool save)
{
	const uint64_t *v = d->rec->v;
	unsigned int timer = timer_index(v[KT_FV_REGS_TIMER]);
	struct thread *t = d->t;
	uint32_t who;

	if (save) {
		who = vcpu_who(d->f, t->bound, t->tid);
		t->put = true;
		set_waiting(d->f, t->bound, 0);
	} else {
		who = bound_who(d->f, t);
		for (unsigned int i = 0; i < 2 && i < t->nr_load_irqs; i++)
			if (t->load_timer[i] == (int)timer)
				learn_irq(d->f, t->bound, timer, t->load_irq[i]);
		t->save_flags = 0;
	}
	d->ev->regs = (struct kt_regs){ .cval_ticks = v[KT_FV_REGS_CVAL], .ctl = v[KT_FV_REGS_CTL],
					.flags = save ? t->save_flags : 0 };
	return emit(d, save ? KT_EV_SAVE : KT_EV_RESTORE, who, KT_SUB(timer, 0));
}

static int on_emulate(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	unsigned int timer = timer_index(v[KT_FV_EMULATE_TIMER]);
	bool high = v[KT_FV_EMULATE_FIRE] & 0xff;
	uint32_t who = bound_who(d->f, d->t);
	struct vcpu *vcpu = vcpu_at(d->f, d->t->bound);

	if (vcpu && timer < KT_TIMER_NR)
		set_waiting(d->f, d->t->bound, high ? waiting(d->f, vcpu) & ~(1u << timer) :
						      waiting(d->f, vcpu) | 1u << timer);
	d->t->evaluated = timer;
	d->t->evaluated_high = high;
	d->ev->emulate = (struct kt_emulate){ .should_fire = high };
	return emit(d, KT_EV_EMULATE, who, KT_SUB(timer, 0));
}

static struct soft_timer *find_soft(struct kt_ftrace *f, uint64_t ptr)
{
	const struct slot *s = ptr ? table_find(&f->by_ptr, ptr) : NULL;

	return s && s->index ? &f->soft[s->index - 1] : NULL;
}

/*
 * Whose emulated timer fires?  The hrtimer's, when its start was seen.  Else the
 * current thread's vCPU, if it may have armed one and no other loaded vCPU may.
 */
static uint32_t soft_vcpu(struct feed *d, unsigned int timer)
{
	const struct soft_timer *soft = find_soft(d->f, d->c->fires);
	const struct vcpu *v = vcpu_at(d->f, d->t->bound);

	if (soft)
		return soft->vcpu;
	if (v && !d->t->put && (d->f->opts.soft_timers_stay ||
	    (timer < KT_TIMER_NR && waiting(d->f, v) >> timer & 1 && d->f->nr_waiting[timer] == 1)))
		return d->t->bound;
	d->f->stats.ambiguous_soft++;
	return NONE;
}

static int on_hrtimer_expire(struct feed *d)
{
	unsigned int timer = timer_index(d->rec->v[KT_FV_EXPIRE_TIMER]);
	const struct soft_timer *soft = find_soft(d->f, d->c->fires);
	uint32_t index = soft_vcpu(d, timer);

	d->c->soft = true;
	d->c->map_in_irq = false;
	d->c->soft_vcpu = index;
	d->c->soft_timer = timer;
	d->ev->hrtimer = (struct kt_hrtimer){ d->c->fires, soft ? soft->expires_ns : 0 };
	return emit(d, KT_EV_HRTIMER_EXPIRE, index ? d->f->vcpu[index - 1].id.who : KT_WHO_NONE,
		    KT_SUB(timer, KT_AT_SOFT_TIMER));
}

static int on_hrt_start(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	uint64_t function = v[KT_FV_HRT_FUNCTION];
	struct soft_timer *soft;
	struct thread *t;

	if ((function != KT_FN_EMULATED && function != KT_FN_BACKGROUND) || !v[KT_FV_HRT_PTR] ||
	    d->rec->ctx == KT_FC_HARDIRQ)
		return 0;
	t = find_thread(d->f, d->rec->tid);
	soft = find_soft(d->f, v[KT_FV_HRT_PTR]);
	if (!soft) {
		if (!t || !t->bound || d->f->nr_soft >= SOFT_TIMERS_MAX)
			return 0;
		d->err = more((void **)&d->f->soft, d->f->nr_soft, &d->f->max_soft, sizeof(*soft));
		if (d->err)
			return 0;
		soft = &d->f->soft[d->f->nr_soft++];
		soft->ptr = v[KT_FV_HRT_PTR];
		d->err = table_add(&d->f->by_ptr, soft->ptr, d->f->nr_soft);
	}
	/* The put's save does not end this: it is the put that arms a sleeper's timer. */
	soft->vcpu = t && t->losses == d->f->losses ? t->bound : NONE;
	soft->expires_ns = v[KT_FV_HRT_EXPIRES];
	return 0;
}

static int emit_bg(struct feed *d, uint32_t who, uint64_t at_ns, uint64_t expires_ns)
{
	d->ev->hrtimer = (struct kt_hrtimer){ d->c->fires, expires_ns };
	emit(d, KT_EV_BG_EXPIRE, who, KT_SUB(KT_TIMER_NONE, KT_AT_SOFT_TIMER));
	/* Nothing else of this CPU was said since. */
	d->ev->ts_ns = at_ns;
	d->c->bg_ns = 0;
	return 1;
}

/* A timer whose start was not seen waits for the wake-up that it makes. */
static int on_hrt_fire(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	const struct soft_timer *soft;

	d->c->fires = v[KT_FV_HRT_PTR];
	d->c->bg_ns = 0;
	if (v[KT_FV_HRT_FUNCTION] != KT_FN_BACKGROUND)
		return 0;
	soft = find_soft(d->f, d->c->fires);
	if (soft && soft->vcpu)
		return emit_bg(d, d->f->vcpu[soft->vcpu - 1].id.who, d->rec->ts_ns, soft->expires_ns);
	d->c->bg_ns = d->rec->ts_ns;
	return 0;
}

static int on_waking(struct feed *d)
{
	const struct thread *t = d->c->bg_ns ? find_thread(d->f, d->rec->v[KT_FV_WAKING_PID]) : NULL;

	if (!t || !t->own)
		return 0;
	return emit_bg(d, d->f->vcpu[t->own - 1].id.who, d->c->bg_ns, 0);
}

/* The vCPU may live on, but not under this handle: its thread is all that it was known by. */
static int on_thread_end(struct feed *d)
{
	struct thread *t = find_thread(d->f, d->rec->v[KT_FV_PROC_PID]);
	uint32_t own = t ? t->own : NONE;

	if (!t)
		return 0;
	forget_thread(t);
	t->tgid = t->comm_len = 0;
	t->renewed++;
	if (!own)
		return 0;
	d->ev->gone = (struct kt_gone){ { 0, 0 } };
	return emit(d, KT_EV_VCPU_GONE, d->f->vcpu[own - 1].id.who, KT_SUB(KT_TIMER_NONE, 0));
}

#define CLONE_THREAD 0x10000

/* A thread of its maker's process, or the first of a new one. */
static int on_newtask(struct feed *d)
{
	uint32_t pid = d->rec->v[KT_FV_NEWTASK_PID], index, tgid = pid;
	struct thread *t = find_thread(d->f, d->rec->tid);

	if (d->rec->v[KT_FV_NEWTASK_FLAGS] & CLONE_THREAD)
		tgid = d->rec->tgid ? d->rec->tgid : t ? t->tgid : 0;
	t = find_thread(d->f, pid);
	if (!t) {
		d->err = add_thread(d->f, pid, &index);
		if (d->err || !index)
			return 0;
		t = &d->f->thread[index - 1];
	}
	forget_thread(t);
	t->comm_len = 0;
	t->tgid = tgid;
	return 0;
}

static int on_switch(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	struct thread *prev = find_thread(d->f, v[KT_FV_SWITCH_PREV]);

	/* The put follows in the same switch, still as this thread. */
	if (prev)
		prev->save_flags = !(v[KT_FV_SWITCH_STATE] & 0x7f) ? KT_SAVE_PREEMPTED :
				   v[KT_FV_SWITCH_STATE] & 1 ? KT_SAVE_BLOCKING : 0;
	return 0;
}

static int on_guest_entry(struct feed *d)
{
	struct thread *t = d->t;

	d->f->stats.double_entry += t->in_guest;
	if (t->put)
		(void)bound_who(d->f, t);
	if (!t->own || t->own != t->bound)
		own_vcpu(d->f, t, d->rec->ts_ns, &d->err);
	t->in_guest = t->ran = true;
	t->nr_load_irqs = 3;	/* what is published now is no load's */
	d->ev->run = (struct kt_run){ .pc = d->rec->v[KT_FV_ENTRY_PC] };
	return emit(d, KT_EV_ENTRY, vcpu_who(d->f, t->bound, t->tid), KT_SUB(KT_TIMER_NONE, 0));
}

#define ESR_EC_SHIFT 26
#define EC_WFX 1u
#define HVC_STUB_ERR 0xbadca11

static int on_guest_exit(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	uint32_t ret = v[KT_FV_EXIT_RET];
	struct kt_run *run = &d->ev->run;
	struct thread *t = d->t;

	d->f->stats.double_exit += t->ran && !t->in_guest;
	if (!t->own)
		own_vcpu(d->f, t, d->rec->ts_ns, &d->err);
	t->in_guest = false;
	t->ran = true;
	*run = (struct kt_run){ .pc = v[KT_FV_EXIT_PC] };
	run->code = ret == HVC_STUB_ERR ? KT_EXIT_GONE : ret & 0xff;
	if (run->code == KT_EXIT_TRAP)
		run->esr = v[KT_FV_EXIT_EC] << ESR_EC_SHIFT;
	d->f->stats.wfx_exits += run->esr == EC_WFX << ESR_EC_SHIFT;
	return emit(d, KT_EV_EXIT, bound_who(d->f, t), KT_SUB(KT_TIMER_NONE, 0));
}

/* Events of the thread that runs the vCPU. */
static int on_own(struct feed *d)
{
	const uint64_t *v = d->rec->v;
	unsigned int kind;

	switch (d->rec->id) {
	case KT_FT_WFX:
		kind = KT_EV_WFX;
		d->ev->wfx = (struct kt_wfx){ .pc = v[KT_FV_WFX_PC], .is_wfe = v[KT_FV_WFX_WFE] & 0xff };
		break;
	case KT_FT_WAKEUP:
		kind = KT_EV_WAKEUP;
		d->ev->wakeup = (struct kt_wakeup){ .wait_ns = v[KT_FV_WAKEUP_NS],
			.waited = v[KT_FV_WAKEUP_WAITED] & 0xff, .valid = v[KT_FV_WAKEUP_VALID] & 0xff };
		break;
	default:
		kind = KT_EV_USER_EXIT;
		d->ev->user_exit = (struct kt_user_exit){ .reason = v[KT_FV_USER_REASON],
							  .err = v[KT_FV_USER_ERRNO] };
		break;
	}
	return emit(d, kind, vcpu_who(d->f, d->t->own ? d->t->own : d->t->bound, d->t->tid),
		    KT_SUB(KT_TIMER_NONE, 0));
}

/* ---- feeding ---- */

static int cpu_of(struct kt_ftrace *f, uint16_t cpu, struct cpu **out)
{
	if (cpu >= f->nr_cpus) {
		uint32_t n = cpu + 1u + cpu / 2;
		struct cpu *grown;

		if (n > KT_FTRACE_CPUS_MAX)
			n = KT_FTRACE_CPUS_MAX;
		grown = realloc(f->cpu, n * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		memset(grown + f->nr_cpus, 0, (n - f->nr_cpus) * sizeof(*grown));
		f->cpu = grown;
		f->nr_cpus = n;
	}
	*out = &f->cpu[cpu];
	return 0;
}

/*
 * perf writes a record twice when two sessions' events overlap.  On a clock in
 * microseconds two equal publications may be two; an entry cannot.
 */
static bool is_duplicate(const struct cpu *c, const struct kt_ftrace_rec *rec)
{
	const struct kt_ftrace_rec *last = &c->last;
	bool fine = rec->ts_ns % 1000;

	if (!c->seen || last->ts_ns != rec->ts_ns || last->id != rec->id || last->tid != rec->tid)
		return false;
	for (unsigned int i = 0; i < KT_FTRACE_VALUES; i++)
		if (rec->has >> i & 1 && rec->v[i] != last->v[i])
			return false;
	return fine || rec->id == KT_FT_ENTRY || rec->id == KT_FT_EXIT || rec->id == KT_FT_SAVE ||
	       rec->id == KT_FT_RESTORE || rec->id == KT_FT_WFX || rec->id == KT_FT_USER_EXIT;
}

/* Without flags: KVM cannot work for the vCPU between entry and exit but in an interrupt. */
static bool in_interrupt(struct feed *d)
{
	const struct kt_ftrace_rec *r = d->rec;

	switch (r->ctx) {
	case KT_FC_HARDIRQ:
	case KT_FC_NMI:
		return true;
	case KT_FC_TASK:
	case KT_FC_SOFTIRQ:
		return false;
	}
	if (r->id == KT_FT_UPDATE_IRQ || r->id == KT_FT_MAP || r->id == KT_FT_VGIC_UPDATE)
		d->f->stats.no_context++;
	if (r->id == KT_FT_HRTIMER_EXPIRE)
		return true;
	if (d->c->soft && (d->c->last.id == KT_FT_HRTIMER_EXPIRE ||
			   (r->id == KT_FT_VGIC_UPDATE && d->c->published.waiting)))
		return true;
	return (r->id == KT_FT_UPDATE_IRQ || r->id == KT_FT_MAP || r->id == KT_FT_VGIC_UPDATE) &&
	       d->t->in_guest;
}

static int convert(struct feed *d)
{
	switch (d->rec->id) {
	case KT_FT_UPDATE_IRQ:
		return on_update(d);
	case KT_FT_MAP:
		return on_map(d);
	case KT_FT_SAVE:
		return on_regs(d, true);
	case KT_FT_RESTORE:
		return on_regs(d, false);
	case KT_FT_EMULATE:
		return on_emulate(d);
	case KT_FT_HRTIMER_EXPIRE:
		return on_hrtimer_expire(d);
	case KT_FT_VGIC_UPDATE:
		return on_vgic_update(d);
	case KT_FT_ENTRY:
		return on_guest_entry(d);
	case KT_FT_EXIT:
		return on_guest_exit(d);
	case KT_FT_HALT_POLL:
		if (d->t->own)
			name_vcpu(d->f, d->t, d->rec->v[KT_FV_POLL_VCPU], d->rec->ts_ns, &d->err);
		return 0;
	}
	return on_own(d);
}


static int convert_foreign(struct feed *d)
{

	switch (d->rec->id) {
	case KT_FT_IRQ_ENTRY:
	case KT_FT_IRQ_EXIT:
		d->c->map_in_irq = d->c->soft = false;
		/* Its end was not recorded. */
		return d->c->bg_ns ? emit_bg(d, KT_WHO_NONE, d->c->bg_ns, 0) : 0;
	case KT_FT_HRT_START:
		return on_hrt_start(d);
	case KT_FT_HRT_FIRE:
		return on_hrt_fire(d);
	case KT_FT_HRT_DONE:
		d->c->soft = false;
		if (d->c->bg_ns)
			return emit_bg(d, KT_WHO_NONE, d->c->bg_ns, 0);
		d->c->fires = 0;
		return 0;
	case KT_FT_WAKING:
		return on_waking(d);
	case KT_FT_NEWTASK:
		return on_newtask(d);
	case KT_FT_SCHED_SWITCH:
		return on_switch(d);
	case KT_FT_PROC_EXIT:
		return on_thread_end(d);
	}
	return 0;
}

int kt_ftrace_feed(struct kt_ftrace *f, const struct kt_ftrace_rec *rec, struct kt_event *ev)
{
	struct feed d = { .f = f, .rec = rec, .ev = ev };
	int made;

	if (!rec->id || rec->id >= KT_FT_NR || rec->cpu >= KT_FTRACE_CPUS_MAX)
		return 0;
	if (cpu_of(f, rec->cpu, &d.c))
		return -ENOMEM;
	if (is_duplicate(d.c, rec)) {
		f->stats.duplicates++;
		return 0;
	}
	f->stats.by_id[rec->id]++;
	if (d.c->seen && rec->ts_ns < d.c->last.ts_ns)
		f->stats.back_in_time++;
	if (!kt_ftrace_of_thread(rec->id)) {
		made = convert_foreign(&d);
	} else {
		if (thread_of(f, d.c, rec, &d.t))
			return -ENOMEM;
		if (!d.t)
			return 0;
		d.hard = in_interrupt(&d);
		if (!d.hard)
			d.c->map_in_irq = d.c->soft = false;
		made = convert(&d);
		d.t->last_id = d.hard ? d.t->last_id : rec->id;
	}
	d.c->last = *rec;
	d.c->last.comm = NULL;
	d.c->seen = true;
	return d.err ? d.err : made;
}

void kt_ftrace_lost(struct kt_ftrace *f, uint16_t cpu)
{
	struct cpu *c;

	f->losses++;
	if (cpu < KT_FTRACE_CPUS_MAX && !cpu_of(f, cpu, &c))
		memset(c, 0, sizeof(*c));
	for (unsigned int t = 0; t < KT_TIMER_NR; t++)
		f->nr_waiting[t] = 0;
}

size_t kt_ftrace_idents(struct kt_ftrace *f, const struct kt_ident **rows)
{
	size_t n = f->nr_dirty;

	for (size_t i = 0; i < n; i++) {
		struct vcpu *v = vcpu_at(f, f->dirty[i]);

		v->dirty = false;
		f->rows[i] = v->id;
	}
	f->nr_dirty = 0;
	*rows = f->rows;
	return n;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

const struct kt_ftrace_stats *kt_ftrace_stats(struct kt_ftrace *f)
{
	struct kt_ftrace_stats *s = &f->stats;
	uint32_t *ids = malloc((f->nr_vcpus + 1) * sizeof(*ids)), n = 0;

	s->vcpus = f->nr_vcpus;
	s->entered = s->without_tgid = s->without_id = s->same_id_unknown_vm = 0;
	for (uint32_t i = 0; i < f->nr_vcpus; i++) {
		const struct kt_ident *id = &f->vcpu[i].id;

		if (!f->vcpu[i].entered)
			continue;
		s->entered++;
		s->without_tgid += !id->tgid;
		s->without_id += id->vcpu_id == KT_VCPU_ID_UNKNOWN;
		if (ids && !id->tgid && id->vcpu_id != KT_VCPU_ID_UNKNOWN)
			ids[n++] = id->vcpu_id;
	}
	if (n)
		qsort(ids, n, sizeof(*ids), by_number);
	for (uint32_t i = 0; i < n; i++)
		s->same_id_unknown_vm += (i && ids[i] == ids[i - 1]) || (i + 1 < n && ids[i] == ids[i + 1]);
	free(ids);
	return s;
}
