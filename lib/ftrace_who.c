/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is who in a stream of trace events: threads, the vCPUs they work for, the
 * timers behind interrupt numbers.  ftrace_feed.h has the rules.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ftrace_private.h"

#define THREADS_MAX (4 * KT_FTRACE_VCPUS_MAX)

static const uint32_t default_irq[KT_TIMER_NR] = {
	[KT_PTIMER] = 30, [KT_VTIMER] = 27, [KT_HVTIMER] = 28, [KT_HPTIMER] = 26,
};

/* ---- tables ---- */

static int table_init(struct table *t)
{
	t->mask = 63;
	t->slot = calloc(t->mask + 1, sizeof(*t->slot));
	return t->slot ? 0 : -ENOMEM;
}

int kt_ft_table_add(struct table *t, uint64_t key, uint32_t index)
{
	struct slot *s;

	if (2 * (t->used + 1) > t->mask) {
		struct table bigger = { .mask = 2 * t->mask + 1, .used = t->used };

		bigger.slot = calloc((size_t)bigger.mask + 1, sizeof(*bigger.slot));
		if (!bigger.slot)
			return -ENOMEM;
		for (uint32_t i = 0; i <= t->mask; i++)
			if (t->slot[i].index)
				*kt_ft_table_find(&bigger, t->slot[i].key) = t->slot[i];
		free(t->slot);
		*t = bigger;
	}
	s = kt_ft_table_find(t, key);
	t->used += !s->index;
	*s = (struct slot){ key, index };
	return 0;
}

/* Room for one more; the old array stays when there is no memory. */
int kt_ft_more(void **array, uint32_t n, uint32_t *max, size_t size)
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
	if (table_init(&f->by_tid) || table_init(&f->by_vcpu) || table_init(&f->by_owner) ||
	    table_init(&f->by_ptr)) {
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
	free(f->by_owner.slot);
	free(f->by_ptr.slot);
	free(f->thread);
	free(f->vcpu);
	free(f->soft);
	free(f->cpu);
	free(f->dirty);
	free(f->rows);
	free(f);
}

static void touch(struct kt_ftrace *f, uint32_t index)
{
	struct vcpu *v = kt_ft_vcpu_at(f, index);

	if (!v->dirty)
		f->dirty[f->nr_dirty++] = index;
	v->dirty = true;
}

/* ---- vCPUs ---- */

static uint64_t vcpu_key(uint64_t vm, uint32_t gen, uint32_t vcpu_id)
{
	return vm * 0x9e3779b97f4a7c15ull ^ (gen * 0x100000000ull + vcpu_id);
}

/* The process is the VM; a thread without one is a VM of its own. */
static uint64_t vm_key(const struct thread *t)
{
	return t->tgid ? t->tgid : 1ull << 32 | t->tid;
}

static uint32_t find_vcpu(struct kt_ftrace *f, uint64_t vm, uint32_t gen, uint32_t vcpu_id)
{
	const struct slot *s = kt_ft_table_find(&f->by_vcpu, vcpu_key(vm, gen, vcpu_id));
	const struct kt_ident *id;

	if (!s->index || !f->vcpu)
		return NONE;
	id = &f->vcpu[s->index - 1].id;
	return id->kvm == vm && id->vm_gen == gen && id->vcpu_id == vcpu_id ? s->index : NONE;
}

/* Which of its process's VMs a thread entered as this vcpu_id: one thread may run several in turn. */
static int note_owner(struct kt_ftrace *f, uint32_t index)
{
	const struct kt_ident *id = &f->vcpu[index - 1].id;

	if (id->vcpu_id == KT_VCPU_ID_UNKNOWN)
		return 0;
	return kt_ft_table_add(&f->by_owner, vcpu_key(id->kvm, id->tid, id->vcpu_id), index);
}

static uint32_t find_owned(struct kt_ftrace *f, const struct thread *t, uint32_t vcpu_id)
{
	const struct slot *s = kt_ft_table_find(&f->by_owner, vcpu_key(vm_key(t), t->tid, vcpu_id));
	const struct kt_ident *id;

	if (!s->index || !f->vcpu)
		return NONE;
	id = &f->vcpu[s->index - 1].id;
	return id->kvm == vm_key(t) && id->tid == t->tid && id->vcpu_id == vcpu_id &&
	       id->vm_gen >= t->renewed ? s->index : NONE;
}

/*
 * The first VM of the process, from gen on, in which no thread entered as vcpu_id.
 * Threads may be thousands: what was walked over is not walked over again.
 */
static uint32_t next_gen(struct kt_ftrace *f, uint64_t vm, uint32_t gen, uint32_t vcpu_id)
{
	uint32_t end = gen, i;

	for (; (i = find_vcpu(f, vm, end, vcpu_id)) && f->vcpu[i - 1].entered; f->stats.searched++)
		end = f->vcpu[i - 1].next_gen > end ? f->vcpu[i - 1].next_gen : end + 1;
	while (gen < end) {
		i = find_vcpu(f, vm, gen, vcpu_id);
		gen = f->vcpu[i - 1].next_gen > gen ? f->vcpu[i - 1].next_gen : gen + 1;
		f->vcpu[i - 1].next_gen = end;
	}
	return end;
}

static int grow_vcpus(struct kt_ftrace *f)
{
	uint32_t max = f->max_vcpus;
	uint32_t *dirty;
	struct kt_ident *rows;

	if (kt_ft_more((void **)&f->vcpu, f->nr_vcpus, &max, sizeof(*f->vcpu)))
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
static uint32_t new_vcpu(struct kt_ftrace *f, struct thread *t, uint32_t gen,
			 uint32_t vcpu_id, uint64_t now_ns, int *err)
{
	struct vcpu *v;

	if (f->nr_vcpus >= KT_FTRACE_VCPUS_MAX) {
		f->stats.refused += !t->refused;
		t->refused = true;
		return NONE;
	}
	*err = grow_vcpus(f);
	if (*err || !f->vcpu)
		return NONE;
	v = &f->vcpu[f->nr_vcpus];
	*v = (struct vcpu){ .id = {
		.kvm = vm_key(t), .vm_gen = gen, .who = f->nr_vcpus + 1, .first_ns = now_ns,
		.tgid = t->tgid, .vcpu_id = vcpu_id, .vcpu_idx = KT_VCPU_ID_UNKNOWN, .vgic = 255,
	} };
	memcpy(v->id.comm, t->comm, sizeof(v->id.comm));
	if (vcpu_id != KT_VCPU_ID_UNKNOWN)
		*err = kt_ft_table_add(&f->by_vcpu, vcpu_key(vm_key(t), gen, vcpu_id), f->nr_vcpus + 1);
	if (*err)
		return NONE;
	f->nr_vcpus++;
	if (!t->tgid) {
		v->made_before = t->made;
		t->made = f->nr_vcpus;
	}
	touch(f, f->nr_vcpus);
	return f->nr_vcpus;
}

/*
 * The process of t became known: the vCPUs that were t's alone are that process's.
 * One that the process has already cannot be put there: it may be another VM's.
 */
static int move_vcpus(struct kt_ftrace *f, struct thread *t)
{
	int err = 0;

	for (uint32_t i = t->made; i && !err; i = f->vcpu[i - 1].made_before) {
		struct kt_ident *id = &f->vcpu[i - 1].id;

		if (id->vm_gen < t->renewed)
			break;	/* made when this was another thread */
		id->tgid = t->tgid;
		touch(f, i);
		if (id->vcpu_id == KT_VCPU_ID_UNKNOWN) {
			id->kvm = vm_key(t);
		} else if (find_vcpu(f, vm_key(t), id->vm_gen, id->vcpu_id)) {
			f->stats.late_tgid++;
		} else {
			id->kvm = vm_key(t);
			f->vcpu[i - 1].next_gen = 0;
			err = kt_ft_table_add(&f->by_vcpu, vcpu_key(id->kvm, id->vm_gen, id->vcpu_id), i);
			if (!err && f->vcpu[i - 1].entered)
				err = note_owner(f, i);
		}
	}
	t->made = NONE;
	return err;
}

/*
 * The vCPU vcpu_id of t's process that t may enter as: not one that another
 * thread entered as, which would be another VM in the same process.
 */
static uint32_t free_vcpu(struct kt_ftrace *f, struct thread *t, uint32_t vcpu_id,
			  uint64_t now_ns, int *err)
{
	uint32_t i = find_owned(f, t, vcpu_id), gen;

	if (i)
		return i;
	gen = next_gen(f, vm_key(t), t->renewed, vcpu_id);
	i = find_vcpu(f, vm_key(t), gen, vcpu_id);
	if (i)
		return i;
	i = new_vcpu(f, t, gen, vcpu_id, now_ns, err);
	f->stats.two_in_process += i && gen && t->tgid;
	return i;
}

/* An event named the vCPU that t works for. */
void kt_ft_name_vcpu(struct kt_ftrace *f, struct thread *t, uint32_t vcpu_id, uint64_t now_ns,
		      int *err)
{
	struct vcpu *own = kt_ft_vcpu_at(f, t->own), *v = kt_ft_vcpu_at(f, t->bound);
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
		while (find_vcpu(f, own->id.kvm, gen = next_gen(f, own->id.kvm, gen, vcpu_id), vcpu_id))
			gen++;
		f->stats.two_in_process += gen != own->id.vm_gen;
		own->id.vm_gen = gen;
		own->id.vcpu_id = vcpu_id;
		*err = kt_ft_table_add(&f->by_vcpu, vcpu_key(own->id.kvm, gen, vcpu_id), t->own);
		if (!*err)
			*err = note_owner(f, t->own);
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
void kt_ft_own_vcpu(struct kt_ftrace *f, struct thread *t, uint64_t now_ns, int *err)
{
	struct vcpu *v = kt_ft_vcpu_at(f, t->bound);
	uint32_t i = t->bound;

	if (!v && t->refused_id != KT_VCPU_ID_UNKNOWN)
		i = free_vcpu(f, t, t->refused_id, now_ns, err);
	else if (!v)
		i = new_vcpu(f, t, t->renewed, KT_VCPU_ID_UNKNOWN, now_ns, err);
	else if (v->entered && v->id.tid != t->tid)
		i = free_vcpu(f, t, v->id.vcpu_id, now_ns, err);
	if (!i)
		return;
	v = kt_ft_vcpu_at(f, i);
	if (!v->entered) {
		v->entered = true;
		v->id.tid = t->tid;
		memcpy(v->id.comm, t->comm, sizeof(v->id.comm));
		*err = note_owner(f, i);
		touch(f, i);
	}
	t->own = t->bound = i;
}

/* ---- threads ---- */

void kt_ft_forget_thread(struct thread *t)
{
	t->own = t->bound = NONE;
	t->refused_id = KT_VCPU_ID_UNKNOWN;
	t->put = t->in_guest = t->ran = t->refused = false;
	t->published.waiting = false;
	t->nr_load_irqs = 0;
	t->load_timer[0] = t->load_timer[1] = -1;
	t->save_flags = t->last_id = 0;
}

static void set_comm(struct kt_ftrace *f, struct thread *t, const struct kt_ftrace_rec *rec)
{
	struct vcpu *own;

	/* Another name under a guest: without a process, nobody knows whether it is the same thread. */
	if (t->comm_len && t->own && !t->tgid) {
		kt_ft_forget_thread(t);
		t->renewed++;
	}
	memset(t->comm, 0, sizeof(t->comm));
	memcpy(t->comm, rec->comm, rec->comm_len);
	t->comm_len = rec->comm_len;
	own = kt_ft_vcpu_at(f, t->own);
	if (own) {
		memcpy(own->id.comm, t->comm, sizeof(own->id.comm));
		touch(f, t->own);
	}
}

static int set_tgid(struct kt_ftrace *f, struct thread *t, uint32_t tgid)
{
	if (t->tgid)
		kt_ft_forget_thread(t);	/* the id was reused */
	t->tgid = tgid;
	return move_vcpus(f, t);
}

struct thread *kt_ft_find_thread(struct kt_ftrace *f, uint32_t tid)
{
	const struct slot *s = kt_ft_table_find(&f->by_tid, tid);

	return s->index ? &f->thread[s->index - 1] : NULL;
}

int kt_ft_add_thread(struct kt_ftrace *f, uint32_t tid, uint32_t *index)
{
	if (f->nr_threads >= THREADS_MAX) {
		f->stats.refused++;
		*index = NONE;
		return 0;
	}
	if (kt_ft_more((void **)&f->thread, f->nr_threads, &f->max_threads, sizeof(*f->thread)) ||
	    kt_ft_table_add(&f->by_tid, tid, f->nr_threads + 1))
		return -ENOMEM;
	memset(&f->thread[f->nr_threads], 0, sizeof(*f->thread));
	f->thread[f->nr_threads].tid = tid;
	f->thread[f->nr_threads].evaluated = -1;
	f->thread[f->nr_threads].refused_id = KT_VCPU_ID_UNKNOWN;
	*index = ++f->nr_threads;
	return 0;
}

/* The thread of rec, NULL when there are too many. */
int kt_ft_thread_of(struct kt_ftrace *f, struct cpu *c, const struct kt_ftrace_rec *rec,
		     struct thread **out)
{
	struct thread *t;

	if (!c->thread || c->tid != rec->tid) {
		const struct slot *s = kt_ft_table_find(&f->by_tid, rec->tid);
		uint32_t index = s->index;

		if (!index && kt_ft_add_thread(f, rec->tid, &index))
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
		t->load_timer[0] = t->load_timer[1] = -1;
	}
	if (rec->tgid && rec->tgid != t->tgid && set_tgid(f, t, rec->tgid))
		return -ENOMEM;
	if (rec->comm_len && rec->comm_len <= KT_COMM_LEN &&
	    (rec->comm_len != t->comm_len || memcmp(rec->comm, t->comm, rec->comm_len)))
		set_comm(f, t, rec);
	*out = t;
	return 0;
}

/* A put ends a binding; the vCPU's own thread keeps it. */
uint32_t kt_ft_bound_who(struct kt_ftrace *f, struct thread *t)
{
	if (t->put) {
		t->put = false;
		t->bound = t->own;
	}
	return kt_ft_vcpu_who(f, t->bound, t->tid);
}

/* ---- timers ---- */

unsigned int kt_ft_timer_of_irq(const struct vcpu *v, uint32_t irq)
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

void kt_ft_learn_irq(struct kt_ftrace *f, uint32_t index, unsigned int timer, uint32_t irq)
{
	struct vcpu *v = kt_ft_vcpu_at(f, index);

	if (!v || timer >= KT_TIMER_NR || !irq || v->irq[timer] == irq)
		return;
	v->irq[timer] = v->id.irq[timer] = irq;
	touch(f, index);
}

unsigned int kt_ft_timer_index(uint64_t v)
{
	return v < KT_TIMER_NR ? v : KT_TIMER_NONE;
}

void kt_ft_set_waiting(struct kt_ftrace *f, uint32_t index, uint8_t now)
{
	struct vcpu *v = kt_ft_vcpu_at(f, index);
	uint8_t was = v ? kt_ft_waiting(f, v) : now;

	if (was == now)
		return;
	for (unsigned int t = 0; t < KT_TIMER_NR; t++)
		f->nr_waiting[t] += (now >> t & 1) - (was >> t & 1);
	v->waiting = now;
	v->waiting_losses = f->losses;
}
