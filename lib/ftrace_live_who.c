/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose a record is: lives of vCPUs and VMs, what threads have loaded, filters. */
#include "ftrace_live_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t bucket(uint64_t key)
{
	return (key * 0x9e3779b97f4a7c15ull) >> 54 & (KT_LIVE_BUCKETS - 1);
}

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

struct life *kt_live_find(const struct kt_live *l, uint64_t ptr)
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

void kt_live_vm_gone(struct kt_live *l, uint64_t kvm)
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

/* The VMM's choice of interrupts, KVM's defaults where no probe could ask. */
static void read_irqs(struct life *v, const struct kt_live_rec *rec)
{
	static const uint32_t defaults[KT_TIMER_NR] = { KT_LIVE_PPI_P, KT_LIVE_PPI_V };

	for (unsigned int t = 0; t < KT_TIMER_NR; t++) {
		if (kt_live_has(rec, KT_LV_IRQ) || kt_live_has(rec, KT_LV_IRQ + t))
			v->irq[t] = kt_live_value(rec, KT_LV_IRQ + t, 0);
		else
			v->irq[t] = defaults[t];
		v->host_irq[t] = kt_live_value(rec, KT_LV_HOST_IRQ + t, 0);
	}
}

static uint8_t read_vgic(const struct kt_live_rec *rec)
{
	if (!kt_live_has(rec, KT_LV_IN_KERNEL))
		return 255;
	if (!(rec->v[KT_LV_IN_KERNEL] & 1))
		return 0;
	switch (kt_live_value(rec, KT_LV_MODEL, 0)) {	/* KVM_DEV_TYPE_ARM_VGIC_V2, _V3 */
	case 5: return 2;
	case 7: return 3;
	}
	return 5;
}

static void read_offsets(struct life *v, const struct kt_live_rec *rec)
{
	if (kt_live_has(rec, KT_LV_CNTVOFF)) {
		v->offset[KT_VTIMER] = rec->v[KT_LV_CNTVOFF];
		v->offset[KT_PTIMER] = 0;
		v->offset_known = 3;
		return;
	}
	for (unsigned int t = 0; t < 2; t++) {
		const uint64_t *p = &rec->v[KT_LV_OFFSET + 3 * t];

		if (!kt_live_has(rec, KT_LV_OFFSET + 3 * t))
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

struct life *kt_live_of_thread(const struct kt_live *l, uint32_t tid)
{
	struct thread *t = find_thread(l, tid);

	return t && t->life && t->life->ptr && t->life->tid == tid ? t->life : NULL;
}

/* Enabling and resetting may be preempted, and go on elsewhere: the record's vcpu_id must agree. */
struct life *kt_live_at_work(const struct kt_live *l, const struct kt_live_rec *rec,
				 uint32_t vcpu_id)
{
	struct thread *t = find_thread(l, rec->tid);

	if (!t || !t->working || !t->working->ptr || t->gaps != l->gaps || rec->ctx != KT_FC_TASK)
		return NULL;
	if (t->working->id_known && t->working->vcpu_id != vcpu_id)
		return NULL;
	return t->working;
}

/* Another VM or vCPU at a pointer whose former end went missing. */
static bool same_life(const struct life *v, const struct kt_live_rec *rec)
{
	return v->kvm == kt_live_value(rec, KT_LV_KVM, v->kvm) &&
	       v->tgid == kt_live_value(rec, KT_LV_TGID, v->tgid) &&
	       (!v->id_known || v->vcpu_id == kt_live_value(rec, KT_LV_ID, v->vcpu_id));
}

static struct life *new_life(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct life *v = calloc(1, sizeof(*v)), **head = &l->lives[bucket(rec->v[KT_LV_VCPU])];

	if (!v)
		return NULL;
	v->ptr = rec->v[KT_LV_VCPU];
	v->kvm = kt_live_value(rec, KT_LV_KVM, 0);
	v->tgid = kt_live_value(rec, KT_LV_TGID, 0);
	if (!v->tgid && l->sink.tgid_of)
		v->tgid = l->sink.tgid_of(l->sink.arg, rec->tid);
	v->id_known = kt_live_has(rec, KT_LV_ID);
	v->vcpu_id = kt_live_value(rec, KT_LV_ID, 0);
	v->vcpu_idx = kt_live_value(rec, KT_LV_IDX, v->vcpu_id);
	v->vgic = 255;
	v->next = *head;
	*head = v;
	return v;
}

/*
 * Most VMMs make their vCPUs first, and the interrupt controller after them: what the reset
 * found is asked again at each load.  True when it is another.
 */
static bool vgic_is_news(struct life *v, const struct kt_live_rec *rec)
{
	uint8_t vgic = read_vgic(rec);

	if (vgic == 255 || vgic == v->vgic)
		return false;
	v->vgic = vgic;
	return true;
}

/* Not on its way into the guest: its thread may not be known yet. */
static bool is_unloaded(const struct kt_live_rec *rec)
{
	return rec->id == KT_LP_RESET || rec->id == KT_LP_ENABLE;
}

static uint32_t read_tid(const struct kt_live_rec *rec)
{
	if (is_unloaded(rec))
		return 0;
	if (!kt_live_has(rec, KT_LV_TID))
		return rec->tid;	/* the loader: nearly always its own thread */
	return rec->v[KT_LV_PID] ? rec->v[KT_LV_TID] : 0;
}

/* Filter, handle and identity row, once the vcpu_id is known. */
int kt_live_introduce(struct kt_live *l, struct life *v, uint64_t ts_ns)
{
	if (!v->who && !v->published && wanted(l, v->tgid, v->vcpu_id))
		v->who = ++l->handles;
	return publish(l, v, ts_ns);
}

/* A vCPU that is new on a CPU starts with all its list registers to be told. */
void kt_live_open_lrs(struct cpu *c, struct life *v)
{
	if (c->cached == v)
		return;
	c->cached = v;
	c->lr_open = ~0u;
	c->lr_flushed = c->lr_named[KT_PTIMER] = c->lr_named[KT_VTIMER] = 0;
}

int kt_live_load(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct cpu *c = &l->cpu[rec->cpu];
	struct life *v = kt_live_find(l, rec->v[KT_LV_VCPU]);
	struct thread *t = make_thread(l, rec->tid);
	uint32_t tid = read_tid(rec);
	bool news = false;
	int err = 0;

	if (v && !same_life(v, rec)) {
		forget_life(l, v);
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
	news |= vgic_is_news(v, rec);
	/* First seen by a reset, the names of its interrupts may have come since. */
	if (news)
		read_irqs(v, rec);
	if (!t)
		return -ENOMEM;
	t->working = is_unloaded(rec) ? v : NULL;
	t->gaps = l->gaps;
	if (tid && tid == rec->tid) {
		t->life = v;
		if (news)
			memcpy(v->comm, rec->comm, sizeof(v->comm));
	}
	read_offsets(v, rec);
	kt_live_open_lrs(c, v);
	c->bound = v;
	c->bound_tid = rec->tid;
	c->phase = LOADED;
	c->save_flags = 0;
	if (news && v->id_known)
		err = kt_live_introduce(l, v, rec->ts_ns);
	/* Only of its own thread: others may be busy with several vCPUs. */
	if (l->sink.runs && v->published && tid == rec->tid && t->unwanted != !v->who) {
		t->unwanted = !v->who;
		l->sink.runs(l->sink.arg, tid, v->who != 0);
	}
	return err;
}

int kt_live_put(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct cpu *c = &l->cpu[rec->cpu];

	if (!c->bound || c->bound->ptr != rec->v[KT_LV_VCPU]) {
		c->bound = NULL;
		return 0;
	}
	c->phase = PUTTING;
	c->save_flags = 0;
	if (kt_live_value(rec, KT_LV_PREEMPTED, 0) & 1)
		c->save_flags |= KT_SAVE_PREEMPTED;
	if (kt_live_value(rec, KT_LV_BLOCKING, 0))
		c->save_flags |= KT_SAVE_BLOCKING;
	read_offsets(c->bound, rec);
	if (kt_live_value(rec, KT_LV_RUN, 0))
		c->bound->device_level = kt_live_value(rec, KT_LV_DEVICE_LEVEL, 0);
	return 0;
}

int kt_live_vcpu_gone(struct kt_live *l, const struct kt_live_rec *rec)
{
	struct kt_event ev = { .kind = KT_EV_VCPU_GONE, .sub = KT_SUB(KT_TIMER_NONE, 0) };
	struct life *v = kt_live_find(l, rec->v[KT_LV_VCPU]);

	if (!v)
		return 0;
	forget_life(l, v);
	return v->who ? kt_live_emit(l, rec, v->who, &ev) : 0;
}

uint32_t kt_live_timer_of_irq(const uint32_t *irqs, uint32_t irq)
{
	static const uint8_t order[] = { KT_VTIMER, KT_PTIMER, KT_HVTIMER, KT_HPTIMER };

	for (unsigned int i = 0; irq && i < KT_TIMER_NR; i++)
		if (irqs[order[i]] == irq)
			return order[i];
	return KT_TIMER_NONE;
}

void kt_live_forget_all(struct kt_live *l)
{
	for (unsigned int b = 0; b < KT_LIVE_BUCKETS; b++) {
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
		kt_live_vm_gone(l, l->vms->kvm);
}

void kt_live_new_file(struct kt_live *l)
{
	for (unsigned int b = 0; b < KT_LIVE_BUCKETS; b++)
		for (struct life *v = l->lives[b]; v; v = v->next)
			v->offset_told = 0;
}
