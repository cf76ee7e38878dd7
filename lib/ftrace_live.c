/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ftrace_live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <kvmtimer/lr.h>

#define BATCH 1024		/* events of one CPU in one block */
#define BUCKETS 1024		/* of both tables: a power of two */
#define HVC_STUB_ERR 0xbadca11	/* what the HYP stub answers once KVM is gone */
#define IRQCHIP_STATE_ACTIVE 1

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
	uint32_t cached_gen, lr_open;
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
	struct life *lives[BUCKETS], *all;
	struct vm *vms;
	struct thread *threads[BUCKETS];
	uint32_t handles, gen;	/* gen counts ends of vCPUs */
	uint32_t gaps;
	uint64_t events, untold;
};

static uint32_t bucket(uint64_t key)
{
	return (key * 0x9e3779b97f4a7c15ull) >> 54 & (BUCKETS - 1);
}

/* ---- whom a filter lets pass ---- */

static bool wanted(const struct kt_live *l, uint32_t tgid, uint32_t vcpu_id)
{
	const struct kt_knobs *k = &l->opts.knobs;
	bool tgid_ok = !k->nr_tgids;

	for (uint32_t i = 0; i < k->nr_tgids && i < KT_MAX_TGIDS; i++)
		tgid_ok |= k->tgid[i] == tgid;
	if (!k->vcpu_mask)
		return tgid_ok;
	return tgid_ok && vcpu_id < 64 && (k->vcpu_mask >> vcpu_id & 1);
}

static bool timer_wanted(const struct kt_live *l, uint32_t timer)
{
	return !l->opts.knobs.timer_mask || timer == KT_TIMER_NONE ||
	       (l->opts.knobs.timer_mask >> timer & 1);
}

/* A thread whose vCPU is not known passes only where nothing is filtered out. */
static uint32_t thread_who(const struct kt_live *l, uint32_t tid)
{
	if (l->opts.knobs.nr_tgids || l->opts.knobs.vcpu_mask)
		return 0;
	return KT_WHO_TID | tid;
}

/* ---- output ---- */

static int push_out(struct kt_live *l, uint32_t cpu, size_t n)
{
	struct cpu *c = &l->cpu[cpu];
	int err;

	if (!n)
		return 0;
	err = l->sink.events(l->sink.arg, cpu, c->ev, n);
	if (err)
		return err;
	c->n -= n;
	memmove(c->ev, c->ev + n, c->n * sizeof(*c->ev));
	if (c->held >= 0)
		c->held -= n;
	if (c->held < 0)
		c->held = -1;
	return 0;
}

static int emit(struct kt_live *l, const struct kt_live_rec *rec, uint32_t who,
		struct kt_event *ev)
{
	struct cpu *c = &l->cpu[rec->cpu];
	int err;

	if (c->n == BATCH) {
		err = push_out(l, rec->cpu, c->held > 0 ? (size_t)c->held : c->n);
		if (err)
			return err;
	}
	/* Strictly increasing, so that order within a CPU survives a coarse clock. */
	ev->ts_ns = rec->ts_ns > c->last_ns ? rec->ts_ns : c->last_ns + 1;
	c->last_ns = ev->ts_ns;
	ev->who = who;
	ev->pcpu = rec->cpu;
	c->ev[c->n++] = *ev;
	l->events++;
	return 0;
}

int kt_live_flush(struct kt_live *l, bool all)
{
	int err = 0;

	for (uint32_t i = 0; i < l->opts.nr_cpus && !err; i++) {
		struct cpu *c = &l->cpu[i];

		if (c->held >= 0 && !c->held_old && !all) {
			err = push_out(l, i, c->held);
			c->held_old = true;
			continue;
		}
		c->held = -1;
		err = push_out(l, i, c->n);
	}
	return err;
}

/* ---- vCPUs ---- */

static struct life *find_life(const struct kt_live *l, uint64_t ptr)
{
	struct life *v = l->lives[bucket(ptr)];

	while (v && v->ptr != ptr)
		v = v->next;
	return v;
}

static void forget_life(struct kt_live *l, struct life *v)
{
	struct life **p = &l->lives[bucket(v->ptr)];

	while (*p && *p != v)
		p = &(*p)->next;
	if (*p)
		*p = v->next;
	/* Kept for whoever still points at it; a dead one is nobody. */
	v->next = l->all;
	l->all = v;
	v->ptr = 0;
}

static uint32_t vm_generation(struct kt_live *l, uint64_t kvm, uint32_t tgid, uint32_t who)
{
	struct vm *vm = l->vms;

	while (vm && vm->kvm != kvm)
		vm = vm->next;
	if (vm && vm->tgid == tgid)
		return vm->vm_gen;
	if (!vm) {
		vm = calloc(1, sizeof(*vm));
		if (!vm)
			return who;
		vm->next = l->vms;
		l->vms = vm;
	}
	/* One of another VMM is a life whose end was not seen. */
	*vm = (struct vm){ vm->next, kvm, tgid, who };
	return who;
}

static void forget_vm(struct kt_live *l, uint64_t kvm)
{
	for (struct vm **p = &l->vms; *p; p = &(*p)->next) {
		if ((*p)->kvm == kvm) {
			struct vm *dead = *p;

			*p = dead->next;
			free(dead);
			return;
		}
	}
}

static int publish(struct kt_live *l, struct life *v, uint64_t ts_ns)
{
	struct kt_ident id = {
		.kvm = v->kvm, .vcpu = v->ptr, .first_ns = ts_ns, .who = v->who,
		.tgid = v->tgid, .tid = v->tid, .vcpu_id = v->vcpu_id, .vcpu_idx = v->vcpu_idx,
		.vgic = v->vgic,
	};

	v->published = true;
	if (!v->who)
		return 0;
	v->vm_gen = id.vm_gen = vm_generation(l, v->kvm, v->tgid, v->who);
	memcpy(id.irq, v->irq, sizeof(id.irq));
	memcpy(id.host_irq, v->host_irq, sizeof(id.host_irq));
	memcpy(id.comm, v->comm, sizeof(id.comm));
	return l->sink.idents(l->sink.arg, &id, 1);
}

static bool has(const struct kt_live_rec *rec, unsigned int i)
{
	return rec->has >> i & 1;
}

static uint64_t value(const struct kt_live_rec *rec, unsigned int i, uint64_t otherwise)
{
	return has(rec, i) ? rec->v[i] : otherwise;
}

/* The VMM's choice of interrupts, KVM's defaults where no probe could ask. */
static void read_irqs(struct life *v, const struct kt_live_rec *rec)
{
	static const uint32_t defaults[KT_TIMER_NR] = { KT_LIVE_PPI_P, KT_LIVE_PPI_V };

	for (unsigned int t = 0; t < KT_TIMER_NR; t++) {
		if (has(rec, KT_LV_IRQ) || has(rec, KT_LV_IRQ + t))
			v->irq[t] = value(rec, KT_LV_IRQ + t, 0);
		else
			v->irq[t] = defaults[t];
		v->host_irq[t] = value(rec, KT_LV_HOST_IRQ + t, 0);
	}
}

static uint8_t read_vgic(const struct kt_live_rec *rec)
{
	if (!has(rec, KT_LV_IN_KERNEL))
		return 255;
	if (!(rec->v[KT_LV_IN_KERNEL] & 1))
		return 0;
	switch (value(rec, KT_LV_MODEL, 0)) {	/* KVM_DEV_TYPE_ARM_VGIC_V2, _V3 */
	case 5: return 2;
	case 7: return 3;
	}
	return 5;
}

static void read_offsets(struct life *v, const struct kt_live_rec *rec)
{
	if (has(rec, KT_LV_CNTVOFF)) {
		v->offset[KT_VTIMER] = rec->v[KT_LV_CNTVOFF];
		v->offset[KT_PTIMER] = 0;
		v->offset_known = 3;
		return;
	}
	for (unsigned int t = 0; t < 2; t++) {
		const uint64_t *p = &rec->v[KT_LV_OFFSET + 3 * t];

		if (!has(rec, KT_LV_OFFSET + 3 * t))
			continue;
		/* What a null pointer leads to was not fetched: the buffer holds rubbish there. */
		v->offset[t] = p[0] ? p[1] : 0;
		v->offset_known |= 1u << t;
		/* A second offset, of a guest hypervisor: fetching through null costs a fault each time. */
		if (p[2])
			v->offset_known &= ~(1u << t);
	}
}

static struct thread *find_thread(const struct kt_live *l, uint32_t tid)
{
	struct thread *t = l->threads[bucket(tid)];

	while (t && t->tid != tid)
		t = t->next;
	return t;
}

static struct thread *make_thread(struct kt_live *l, uint32_t tid)
{
	struct thread **head = &l->threads[bucket(tid)], *t = find_thread(l, tid);

	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->tid = tid;
	t->next = *head;
	*head = t;
	return t;
}

static struct life *life_of_thread(const struct kt_live *l, uint32_t tid)
{
	struct thread *t = find_thread(l, tid);

	return t && t->life && t->life->ptr && t->life->tid == tid ? t->life : NULL;
}

/* Enabling and resetting may be preempted, and go on elsewhere: the record's vcpu_id must agree. */
static struct life *life_at_work(const struct kt_live *l, const struct kt_live_rec *rec,
				 uint32_t vcpu_id)
{
	struct thread *t = find_thread(l, rec->tid);

	if (!t || !t->working || !t->working->ptr || t->gaps != l->gaps || !t->working->id_known ||
	    t->working->vcpu_id != vcpu_id || rec->ctx != KT_FC_TASK)
		return NULL;
	return t->working;
}

/* Another VM or vCPU at a pointer whose former end went missing. */
static bool same_life(const struct life *v, const struct kt_live_rec *rec)
{
	return v->kvm == value(rec, KT_LV_KVM, v->kvm) &&
	       v->tgid == value(rec, KT_LV_TGID, v->tgid) &&
	       (!v->id_known || v->vcpu_id == value(rec, KT_LV_ID, v->vcpu_id));
}

static struct life *new_life(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct life *v = calloc(1, sizeof(*v)), **head = &l->lives[bucket(rec->v[KT_LV_VCPU])];

	if (!v)
		return NULL;
	v->ptr = rec->v[KT_LV_VCPU];
	v->kvm = value(rec, KT_LV_KVM, 0);
	v->tgid = value(rec, KT_LV_TGID, 0);
	if (!v->tgid && l->sink.tgid_of)
		v->tgid = l->sink.tgid_of(l->sink.arg, rec->tid);
	v->id_known = has(rec, KT_LV_ID);
	v->vcpu_id = value(rec, KT_LV_ID, 0);
	v->vcpu_idx = value(rec, KT_LV_IDX, v->vcpu_id);
	v->vgic = read_vgic(rec);
	v->next = *head;
	*head = v;
	return v;
}

static uint32_t read_tid(const struct kt_live_rec *rec)
{
	if (rec->id == KT_LP_RESET)
		return 0;
	if (!has(rec, KT_LV_TID))
		return rec->tid;	/* the loader: nearly always its own thread */
	return rec->v[KT_LV_PID] ? rec->v[KT_LV_TID] : 0;
}

/* Filter, handle and identity row, once the vcpu_id is known. */
static int introduce(struct kt_live *l, struct life *v, uint64_t ts_ns)
{
	if (!v->who && !v->published && wanted(l, v->tgid, v->vcpu_id))
		v->who = ++l->handles;
	return publish(l, v, ts_ns);
}

/* A vCPU that is new on a CPU starts with all its list registers to be told. */
static void open_lrs(struct kt_live *l, struct cpu *c, struct life *v)
{
	if (c->cached == v && c->cached_gen == l->gen)
		return;
	c->cached = v;
	c->cached_gen = l->gen;
	c->lr_open = ~0u;
}

static int on_load(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct cpu *c = &l->cpu[rec->cpu];
	struct life *v = find_life(l, rec->v[KT_LV_VCPU]);
	struct thread *t = make_thread(l, rec->tid);
	uint32_t tid = read_tid(rec);
	bool news = false;

	if (v && !same_life(v, rec)) {
		forget_life(l, v);
		l->gen++;
		v = NULL;
	}
	if (!v) {
		v = new_life(l, rec);
		if (!v)
			return -ENOMEM;
		news = true;
	}
	if (tid && tid != v->tid) {
		v->tid = tid;
		news = true;
	}
	/* First seen by a reset, the names of its interrupts may have come since. */
	if (news)
		read_irqs(v, rec);
	if (!t)
		return -ENOMEM;
	t->working = rec->id == KT_LP_RESET ? v : NULL;
	t->gaps = l->gaps;
	if (tid && tid == rec->tid) {
		t->life = v;
		if (news)
			memcpy(v->comm, rec->comm, sizeof(v->comm));
	}
	read_offsets(v, rec);
	open_lrs(l, c, v);
	c->bound = v;
	c->bound_tid = rec->tid;
	c->phase = LOADED;
	c->save_flags = 0;
	return news && v->id_known ? introduce(l, v, rec->ts_ns) : 0;
}

static int on_put(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct cpu *c = &l->cpu[rec->cpu];

	if (!c->bound || c->bound->ptr != rec->v[KT_LV_VCPU]) {
		c->bound = NULL;
		return 0;
	}
	c->phase = PUTTING;
	c->save_flags = 0;
	if (value(rec, KT_LV_PREEMPTED, 0) & 1)
		c->save_flags |= KT_SAVE_PREEMPTED;
	if (value(rec, KT_LV_BLOCKING, 0))
		c->save_flags |= KT_SAVE_BLOCKING;
	read_offsets(c->bound, rec);
	if (value(rec, KT_LV_RUN, 0))
		c->bound->device_level = value(rec, KT_LV_DEVICE_LEVEL, 0);
	return 0;
}

/* The vCPU that this record's thread has on its CPU; NULL when only the thread is known. */
static struct life *bound_life(const struct kt_live *l, const struct kt_live_rec *rec)
{
	const struct cpu *c = &l->cpu[rec->cpu];

	if (!c->bound || !c->bound->ptr || c->bound_tid != rec->tid)
		return NULL;
	return c->bound;
}

static uint32_t who_of(const struct kt_live *l, const struct kt_live_rec *rec,
		       const struct life *v)
{
	return v ? v->who : thread_who(l, rec->tid);
}

static uint32_t timer_of_irq(const uint32_t *irqs, uint32_t irq)
{
	static const uint8_t order[] = { KT_VTIMER, KT_PTIMER, KT_HVTIMER, KT_HPTIMER };

	for (unsigned int i = 0; irq && i < KT_TIMER_NR; i++)
		if (irqs[order[i]] == irq)
			return order[i];
	return KT_TIMER_NONE;
}

/* ---- the timer's tracepoints ---- */

static int on_map(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_MAP };
	bool hard = rec->ctx == KT_FC_HARDIRQ;
	struct cpu *c = &l->cpu[rec->cpu];
	struct life *v = bound_life(l, rec);
	uint32_t who;
	int err = 0;

	c->soft = NULL;
	c->soft_unknown = false;
	/* Without BTF the vcpu_id is first told here. */
	if (v && !v->id_known) {
		v->id_known = true;
		v->vcpu_id = v->vcpu_idx = rec->v[KT_FV_MAP_VCPU];
		err = introduce(l, v, rec->ts_ns);
	}
	if (!v)
		v = life_at_work(l, rec, rec->v[KT_FV_MAP_VCPU]);
	who = who_of(l, rec, v);
	if (err || !who)
		return err;
	ev.sub = KT_SUB(KT_TIMER_NONE, hard ? KT_AT_HOST_IRQ : KT_AT_TASK);
	ev.map.vcpu_id = rec->v[KT_FV_MAP_VCPU];
	ev.map.direct_vtimer = ev.map.direct_ptimer = -1;
	ev.map.emul_vtimer = ev.map.emul_ptimer = -1;
	/* Roles were told by the load; the handler's map only says that it runs. */
	if (!hard) {
		ev.map.direct_vtimer = rec->v[KT_FV_MAP_DV];
		ev.map.direct_ptimer = rec->v[KT_FV_MAP_DP];
		if (has(rec, KT_FV_MAP_EV))
			ev.map.emul_vtimer = rec->v[KT_FV_MAP_EV];
		ev.map.emul_ptimer = rec->v[KT_FV_MAP_EP];
	}
	return emit(l, rec, who, &ev);
}

static bool is_ppi(uint32_t irq)
{
	/* GICv5 has its type in the top bits: 1 is a PPI. */
	return irq < 32 || (irq >= 0x20000000 && (irq & 0x1fffffff) < 1024);
}

static int on_level(struct kt_live *l, const struct kt_live_rec *rec, uint8_t kind)
{
	struct kt_event ev = { .kind = kind };
	struct cpu *c = &l->cpu[rec->cpu];
	bool hard = rec->ctx == KT_FC_HARDIRQ;
	uint32_t who, timer, at = hard ? KT_AT_HOST_IRQ : KT_AT_TASK;
	struct life *v;

	ev.level.irq = rec->v[KT_FV_LEVEL_IRQ];
	ev.level.traced_vcpu = rec->v[KT_FV_LEVEL_VCPU];
	ev.level.level = rec->v[KT_FV_LEVEL_LEVEL] & 1;
	if (kind == KT_EV_VGIC_UPDATE && !is_ppi(ev.level.irq))
		return 0;
	if (!hard) {
		c->soft = NULL;
		c->soft_unknown = false;
	}
	if (c->soft || c->soft_unknown) {
		/* Maybe on top of another VM's vCPU, so who runs here means nothing. */
		v = c->soft;
		who = v ? v->who : thread_who(l, 0);
		at = KT_AT_SOFT_TIMER;
	} else {
		v = bound_life(l, rec);
		if (!v)
			v = life_at_work(l, rec, ev.level.traced_vcpu);
		who = who_of(l, rec, v);
	}
	timer = v ? timer_of_irq(v->irq, ev.level.irq) : KT_TIMER_NONE;
	/* An interrupt that is no timer's: the PMU's, or one the VMM wires. */
	if (!who || (v && timer == KT_TIMER_NONE) || !timer_wanted(l, timer))
		return 0;
	ev.sub = KT_SUB(timer, at);
	return emit(l, rec, who, &ev);
}

/* Guest counter = host counter - offset: told when first seen or changed. */
static int tell_offset(struct kt_live *l, const struct kt_live_rec *rec, struct life *v,
		       uint32_t timer)
{
	struct kt_event ev = { .kind = KT_EV_OFFSET, .sub = KT_SUB(timer, 0) };

	if (timer > KT_VTIMER || !(v->offset_known >> timer & 1))
		return 0;
	if (v->offset_told >> timer & 1 && v->told_offset[timer] == v->offset[timer])
		return 0;
	v->offset_told |= 1u << timer;
	v->told_offset[timer] = v->offset[timer];
	ev.offset.offset_ticks = v->offset[timer];
	ev.offset.offset_gen = ++v->offset_gen;
	return emit(l, rec, v->who, &ev);
}

static int on_regs(struct kt_live *l, const struct kt_live_rec *rec, uint8_t kind)
{
	struct kt_event ev = { .kind = kind };
	struct cpu *c = &l->cpu[rec->cpu];
	uint32_t timer = rec->v[KT_FV_REGS_TIMER] & 7, who;
	struct life *v = bound_life(l, rec);
	int err = 0;

	who = who_of(l, rec, v);
	if (!who || timer >= KT_TIMER_NR || !timer_wanted(l, timer))
		return 0;
	if (v)
		err = tell_offset(l, rec, v, timer);
	if (err)
		return err;
	ev.sub = KT_SUB(timer, 0);
	ev.regs.cval_ticks = rec->v[KT_FV_REGS_CVAL];
	ev.regs.ctl = rec->v[KT_FV_REGS_CTL];
	ev.regs.offset_gen = v ? v->offset_gen : 0;
	if (kind == KT_EV_SAVE && v && c->phase == PUTTING)
		ev.regs.flags = c->save_flags;
	return emit(l, rec, who, &ev);
}

static int on_emulate(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_EMULATE };
	uint32_t timer = rec->v[KT_FV_EMULATE_TIMER] & 7;
	uint32_t who = who_of(l, rec, bound_life(l, rec));

	if (!who || timer >= KT_TIMER_NR || !timer_wanted(l, timer))
		return 0;
	ev.sub = KT_SUB(timer, 0);
	ev.emulate.should_fire = rec->v[KT_FV_EMULATE_FIRE] & 1;
	return emit(l, rec, who, &ev);
}

/* ---- soft timers: they fire on any CPU, on top of whatever runs there ---- */

static int on_hrtimer_probe(struct kt_live *l, const struct kt_live_rec *rec)
{
	const struct kt_live_layout *lay = &l->opts.layout;
	struct cpu *c = &l->cpu[rec->cpu];
	uint64_t first = rec->v[KT_LV_HRT_PTR] - lay->timer_hrtimer - lay->timers;

	c->soft = NULL;
	c->soft_unknown = false;
	c->soft_ptr = rec->v[KT_LV_HRT_PTR];
	c->soft_expires_ns = value(rec, KT_LV_HRT_EXPIRES, 0);
	/* Which of the vCPU's timers it is decides where the vCPU begins: one of them is known. */
	for (unsigned int t = 0; lay->timer_size && t < KT_TIMER_NR && !c->soft; t++)
		c->soft = find_life(l, first - (uint64_t)t * lay->timer_size);
	return 0;
}

static int on_hrtimer_expire(struct kt_live *l, const struct kt_live_rec *rec)
{
	uint32_t timer = rec->v[KT_FV_EXPIRE_TIMER] & 7, who;
	struct kt_event ev = { .kind = KT_EV_HRTIMER_EXPIRE };
	struct cpu *c = &l->cpu[rec->cpu];

	c->soft_unknown = !c->soft;
	who = c->soft ? c->soft->who : thread_who(l, 0);
	if (!who || timer >= KT_TIMER_NR || !timer_wanted(l, timer))
		return 0;
	ev.sub = KT_SUB(timer, KT_AT_SOFT_TIMER);
	ev.hrtimer.ptr = c->soft_ptr;
	ev.hrtimer.expires_ns = c->soft_expires_ns;
	return emit(l, rec, who, &ev);
}

static int on_bg_expire(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_BG_EXPIRE,
			       .sub = KT_SUB(KT_TIMER_NONE, KT_AT_SOFT_TIMER) };
	struct life *v = NULL;
	uint32_t who;

	if (l->opts.layout.bg_timer)
		v = find_life(l, rec->v[KT_LV_HRT_PTR] - l->opts.layout.bg_timer);
	/* The thread below is not even related: no id at all. */
	who = v ? v->who : thread_who(l, 0);
	if (!who)
		return 0;
	ev.hrtimer.ptr = rec->v[KT_LV_HRT_PTR];
	ev.hrtimer.expires_ns = value(rec, KT_LV_HRT_EXPIRES, 0);
	return emit(l, rec, who, &ev);
}

/* ---- the vCPU ---- */

static int emit_bound(struct kt_live *l, const struct kt_live_rec *rec, struct kt_event *ev)
{
	uint32_t who = who_of(l, rec, bound_life(l, rec));

	ev->sub = KT_SUB(KT_TIMER_NONE, 0);
	return who ? emit(l, rec, who, ev) : 0;
}

static int on_guest_entry(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_ENTRY, .run.pc = rec->v[KT_FV_ENTRY_PC] };

	l->cpu[rec->cpu].held = -1;
	return emit_bound(l, rec, &ev);
}

#define ESR_EC_SHIFT 26
#define EC_HVC64 0x16
#define EC_HVC32 0x12
#define EC_WFX 0x01

/* Detail lr: a probe behind the world switch has fetched them just before. */
static void complete_exit(const struct cpu *c, struct kt_event *ev)
{
	uint32_t ec = ev->run.esr >> ESR_EC_SHIFT;

	if (ev->run.code == KT_EXIT_TRAP && ec != EC_HVC64 && ec != EC_HVC32 &&
	    c->regs_esr >> ESR_EC_SHIFT == ec) {
		ev->run.esr = c->regs_esr;
		ev->run.flags |= KT_RUN_ESR;
	}
	ev->run.daif = c->regs_pstate >> 6 & 0xf;	/* DAIF are PSTATE bits 9:6 */
	ev->run.flags |= KT_RUN_DAIF;
}

/* The tracepoint has the exception class only; what comes later may complete it. */
static int on_guest_exit(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_EXIT, .run.pc = rec->v[KT_FV_EXIT_PC] };
	struct cpu *c = &l->cpu[rec->cpu];
	uint32_t ret = rec->v[KT_FV_EXIT_RET];
	size_t before;
	int err;

	c->held = -1;
	ev.run.code = ret == HVC_STUB_ERR ? KT_EXIT_GONE : ret & 0xff;
	if (ev.run.code == KT_EXIT_TRAP)
		ev.run.esr = (uint32_t)rec->v[KT_FV_EXIT_EC] << ESR_EC_SHIFT;
	if (c->regs_tid && c->regs_tid == rec->tid)
		complete_exit(c, &ev);
	c->regs_tid = 0;
	before = c->n;
	err = emit_bound(l, rec, &ev);
	if (!err && c->n != before && ev.run.code == KT_EXIT_TRAP && !(ev.run.flags & KT_RUN_ESR)) {
		c->held = c->n - 1;
		c->held_tid = rec->tid;
		c->held_old = false;
	}
	return err;
}

static struct kt_event *held_exit(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct cpu *c = &l->cpu[rec->cpu];

	return c->held >= 0 && c->held_tid == rec->tid ? &c->ev[c->held] : NULL;
}

static int on_sysreg(struct kt_live *l, const struct kt_live_rec *rec)
{
	uint32_t esr = rec->v[KT_LV_SYSREG_ESR];
	struct kt_event *exit = held_exit(l, rec);

	if (exit && exit->run.esr >> ESR_EC_SHIFT == esr >> ESR_EC_SHIFT) {
		exit->run.esr = esr;
		exit->run.flags |= KT_RUN_ESR;
	}
	l->cpu[rec->cpu].held = -1;
	return 0;
}

static int on_wfx(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_WFX, .wfx.pc = rec->v[KT_FV_WFX_PC],
			       .wfx.is_wfe = rec->v[KT_FV_WFX_WFE] & 1 };
	struct kt_event *exit = held_exit(l, rec);

	/* ISS.TI tells WFE from WFI. */
	if (exit && exit->run.esr >> ESR_EC_SHIFT == EC_WFX)
		exit->run.esr |= ev.wfx.is_wfe;
	l->cpu[rec->cpu].held = -1;
	return emit_bound(l, rec, &ev);
}

static int on_wakeup(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_WAKEUP, .wakeup.wait_ns = rec->v[KT_FV_WAKEUP_NS],
			       .wakeup.waited = rec->v[KT_FV_WAKEUP_WAITED] & 1,
			       .wakeup.valid = rec->v[KT_FV_WAKEUP_VALID] & 1 };

	return emit_bound(l, rec, &ev);
}

/* After the put: the thread is all that connects this to its vCPU. */
static int on_user_exit(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_USER_EXIT, .sub = KT_SUB(KT_TIMER_NONE, 0) };
	struct life *v = life_of_thread(l, rec->tid);
	uint32_t who = who_of(l, rec, v);

	ev.user_exit.reason = rec->v[KT_FV_USER_REASON];
	ev.user_exit.err = rec->v[KT_FV_USER_ERRNO];
	if (v && v->vgic == 0) {
		ev.user_exit.device_irq_level = v->device_level;
		ev.user_exit.flags = KT_USER_EXIT_LEVEL;
	}
	return who ? emit(l, rec, who, &ev) : 0;
}

static int on_vcpu_gone(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_VCPU_GONE, .sub = KT_SUB(KT_TIMER_NONE, 0) };
	struct life *v = find_life(l, rec->v[KT_LV_VCPU]);

	if (!v)
		return 0;
	l->gen++;
	forget_life(l, v);
	return v->who ? emit(l, rec, v->who, &ev) : 0;
}

/* ---- list registers ---- */

static struct life *sampled(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct life *v = bound_life(l, rec);

	if (!v || v->ptr != rec->v[KT_LV_VCPU])
		return NULL;
	open_lrs(l, &l->cpu[rec->cpu], v);
	return v;
}

static uint16_t irq_state(const struct kt_live *l, const struct kt_live_rec *rec, uint32_t timer)
{
	static const uint16_t bit[6] = { KT_LR_LINE, KT_LR_LATCH, KT_LR_ACTIVE, KT_LR_ENABLED,
					 KT_LR_HW, KT_LR_GROUP1 };
	const uint64_t *window = &rec->v[KT_LV_STATE + timer * KT_LIVE_WINDOWS];
	uint16_t state = 0;

	for (unsigned int i = 0; i < 6; i++) {
		const struct kt_live_bit *b = &l->opts.layout.flag[i];
		uint64_t mask = b->bits < 64 ? (1ull << b->bits) - 1 : ~0ull;

		if (b->bits && window[b->window] >> b->shift & mask)
			state |= bit[i];
	}
	return state;
}

static int find_lr(const struct kt_live *l, const struct kt_live_rec *rec, uint32_t used,
		   uint32_t irq)
{
	int v2 = l->opts.knobs.gic == 2;

	for (uint32_t i = 0; i < used && i < KT_LIVE_LRS; i++)
		if (kt_lr_vintid(rec->v[KT_LV_LR + i], v2) == irq &&
		    kt_lr_state(rec->v[KT_LV_LR + i], v2))
			return i;
	return -1;
}

static int emit_lr(struct kt_live *l, const struct kt_live_rec *rec, struct life *v,
		   uint32_t timer, uint32_t at, uint32_t used)
{
	struct kt_event ev = { .kind = KT_EV_LR, .sub = KT_SUB(timer, at) };
	struct cpu *c = &l->cpu[rec->cpu];
	int i = find_lr(l, rec, used, v->irq[timer]);

	if (!v->irq[timer] || !timer_wanted(l, timer))
		return 0;
	if (i < 0 && !(c->lr_open & 1u << timer))
		return 0;
	/* It may be in a register beyond those fetched, or not be the interrupt that was. */
	if ((i < 0 && used > KT_LIVE_LRS) ||
	    v->irq[timer] != (timer == KT_VTIMER ? KT_LIVE_PPI_V : KT_LIVE_PPI_P)) {
		l->untold++;
		return 0;
	}
	if (at != KT_AT_FOLD_IN)
		ev.lr.state = irq_state(l, rec, timer);
	if (l->opts.knobs.gic == 2)
		ev.lr.state |= KT_LR_V2;
	ev.lr.used = used;
	if (i >= 0) {
		ev.lr.state |= KT_LR_PRESENT;
		ev.lr.lr = rec->v[KT_LV_LR + i];
		ev.lr.lr_idx = i;
		c->lr_open |= 1u << timer;
	} else if (at == KT_AT_FLUSH) {
		c->lr_open &= ~(1u << timer);
	}
	return emit(l, rec, v->who, &ev);
}

static int on_lr(struct kt_live *l, const struct kt_live_rec *rec, uint32_t at)
{
	struct life *v = sampled(l, rec);
	struct cpu *c = &l->cpu[rec->cpu];
	/* Folding has emptied them. */
	uint32_t used = at == KT_AT_FOLD_OUT ? 0 : value(rec, KT_LV_USED, 0) & 0xff;
	int err;

	c->folded = at == KT_AT_FOLD_IN;
	if (!v || !v->who || (!used && !(c->lr_open & 3)))
		return 0;
	err = emit_lr(l, rec, v, KT_VTIMER, at, used);
	return err ? err : emit_lr(l, rec, v, KT_PTIMER, at, used);
}

/* On every exit: the syndrome and PSTATE of the kvm_exit that comes. */
static int on_guest_regs(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct cpu *c = &l->cpu[rec->cpu];

	if (has(rec, KT_LV_ESR) && has(rec, KT_LV_PSTATE)) {
		c->regs_tid = rec->tid;
		c->regs_esr = rec->v[KT_LV_ESR];
		c->regs_pstate = rec->v[KT_LV_PSTATE];
	}
	if (l->opts.fold_out_in_regs && c->folded)
		return on_lr(l, rec, KT_AT_FOLD_OUT);
	return 0;
}

static int on_wire(struct kt_live *l, const struct kt_live_rec *rec, uint32_t irq, uint8_t level)
{
	struct kt_event ev = { .kind = KT_EV_WIRE, .level.irq = irq, .level.level = level & 1 };
	struct life *v = bound_life(l, rec);
	uint32_t timer;

	if (!v || !v->who)
		return 0;
	timer = timer_of_irq(v->irq, irq);
	if (!timer_wanted(l, timer))
		return 0;
	ev.sub = KT_SUB(timer, KT_AT_INPUT_LEVEL);
	return emit(l, rec, v->who, &ev);
}

static int on_wire_return(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct cpu *c = &l->cpu[rec->cpu];

	if (c->wire_tid != rec->tid)
		return 0;
	return on_wire(l, rec, c->wire_irq, rec->v[KT_LV_WIRE_LEVEL]);
}

static int on_irqchip(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_IRQCHIP };
	struct life *v = bound_life(l, rec);
	uint32_t timer;

	ev.irqchip.host_irq = rec->v[KT_LV_CHIP_IRQ];
	ev.irqchip.which = rec->v[KT_LV_CHIP_WHICH];
	ev.irqchip.val = rec->v[KT_LV_CHIP_VAL] & 1;
	if (!v || !v->who || ev.irqchip.which != IRQCHIP_STATE_ACTIVE)
		return 0;
	timer = timer_of_irq(v->host_irq, ev.irqchip.host_irq);
	if (timer == KT_TIMER_NONE || !timer_wanted(l, timer))
		return 0;
	ev.sub = KT_SUB(timer, 0);
	return emit(l, rec, v->who, &ev);
}

static int on_call(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_CALL, .call.fn = rec->v[KT_LV_CALL],
			       .sub = KT_SUB(KT_TIMER_NONE, rec->ctx == KT_FC_HARDIRQ ?
						KT_AT_HOST_IRQ : KT_AT_TASK) };
	uint32_t who = who_of(l, rec, bound_life(l, rec));

	return who ? emit(l, rec, who, &ev) : 0;
}

/* ---- records ---- */

int kt_live_feed(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct cpu *c;

	if (rec->cpu >= l->opts.nr_cpus)
		return 0;
	c = &l->cpu[rec->cpu];
	switch (rec->id) {
	case KT_FT_UPDATE_IRQ:	return on_level(l, rec, KT_EV_UPDATE_IRQ);
	case KT_FT_VGIC_UPDATE:	return on_level(l, rec, KT_EV_VGIC_UPDATE);
	case KT_FT_MAP:		return on_map(l, rec);
	case KT_FT_SAVE:	return on_regs(l, rec, KT_EV_SAVE);
	case KT_FT_RESTORE:	return on_regs(l, rec, KT_EV_RESTORE);
	case KT_FT_EMULATE:	return on_emulate(l, rec);
	case KT_FT_HRTIMER_EXPIRE: return on_hrtimer_expire(l, rec);
	case KT_FT_ENTRY:	return on_guest_entry(l, rec);
	case KT_FT_EXIT:	return on_guest_exit(l, rec);
	case KT_FT_WFX:		return on_wfx(l, rec);
	case KT_FT_WAKEUP:	return on_wakeup(l, rec);
	case KT_FT_USER_EXIT:	return on_user_exit(l, rec);
	case KT_LP_LOAD:
	case KT_LP_RESET:	return on_load(l, rec);
	case KT_LP_PUT:		return on_put(l, rec);
	case KT_LP_HRTIMER:	return on_hrtimer_probe(l, rec);
	case KT_LP_BG:		return on_bg_expire(l, rec);
	case KT_LP_VCPU_GONE:	return on_vcpu_gone(l, rec);
	case KT_LP_VM_GONE:	forget_vm(l, rec->v[0]); return 0;
	case KT_LP_SYSREG:	return on_sysreg(l, rec);
	case KT_LP_FLUSH:	return on_lr(l, rec, KT_AT_FLUSH);
	case KT_LP_FOLD_IN:	return on_lr(l, rec, KT_AT_FOLD_IN);
	case KT_LP_FOLD_OUT:	return on_lr(l, rec, KT_AT_FOLD_OUT);
	case KT_LP_REGS:	return on_guest_regs(l, rec);
	case KT_LP_WIRE:
		return on_wire(l, rec, rec->v[KT_LV_WIRE_IRQ], rec->v[KT_LV_WIRE_LEVEL]);
	case KT_LP_WIRE_IRQ:
		c->wire_irq = rec->v[KT_LV_WIRE_IRQ];
		c->wire_tid = rec->tid;
		return 0;
	case KT_LP_WIRE_RET:	return on_wire_return(l, rec);
	case KT_LP_IRQCHIP:	return on_irqchip(l, rec);
	case KT_LP_CALL:	return on_call(l, rec);
	}
	return 0;
}

void kt_live_gap(struct kt_live *l, uint32_t cpu)
{
	struct cpu *c;

	if (cpu >= l->opts.nr_cpus)
		return;
	c = &l->cpu[cpu];
	l->gaps++;
	c->bound = c->soft = c->cached = NULL;
	c->phase = LOOSE;
	c->held = -1;
	c->regs_tid = c->wire_tid = 0;
}

/* ---- life of the converter ---- */

int kt_live_new(const struct kt_live_opts *opts, const struct kt_live_sink *sink,
		struct kt_live **out)
{
	struct kt_live *l = calloc(1, sizeof(*l));

	if (!l || !opts->nr_cpus)
		goto no_memory;
	l->opts = *opts;
	l->sink = *sink;
	l->cpu = calloc(opts->nr_cpus, sizeof(*l->cpu));
	if (!l->cpu)
		goto no_memory;
	for (uint32_t i = 0; i < opts->nr_cpus; i++) {
		l->cpu[i].held = -1;
		l->cpu[i].ev = malloc(BATCH * sizeof(struct kt_event));
		if (!l->cpu[i].ev)
			goto no_memory;
	}
	*out = l;
	return 0;
no_memory:
	kt_live_free(l);
	return -ENOMEM;
}

void kt_live_free(struct kt_live *l)
{
	if (!l)
		return;
	for (unsigned int b = 0; b < BUCKETS; b++) {
		while (l->lives[b])
			forget_life(l, l->lives[b]);
		for (struct thread *t = l->threads[b], *next; t; t = next) {
			next = t->next;
			free(t);
		}
	}
	while (l->all) {
		struct life *v = l->all;

		l->all = v->next;
		free(v);
	}
	while (l->vms)
		forget_vm(l, l->vms->kvm);
	for (uint32_t i = 0; l->cpu && i < l->opts.nr_cpus; i++)
		free(l->cpu[i].ev);
	free(l->cpu);
	free(l);
}

void kt_live_new_file(struct kt_live *l)
{
	for (unsigned int b = 0; b < BUCKETS; b++)
		for (struct life *v = l->lives[b]; v; v = v->next)
			v->offset_told = 0;
}

uint64_t kt_live_events(const struct kt_live *l)
{
	return l->events;
}

uint64_t kt_live_take_untold(struct kt_live *l)
{
	uint64_t n = l->untold;

	l->untold = 0;
	return n;
}
