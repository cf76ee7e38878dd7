/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model_private.h"

static const char *const hop_names[] = {
#define X(id, name, what) name,
	KT_HOPS(X)
#undef X
};

static const char *const hop_whats[] = {
#define X(id, name, what) what,
	KT_HOPS(X)
#undef X
};

const char *kt_hop_name(enum kt_hop hop)
{
	return hop < KT_HOP_NR ? hop_names[hop] : "?";
}

const char *kt_hop_what(enum kt_hop hop)
{
	return hop < KT_HOP_NR ? hop_whats[hop] : "?";
}

const char *kt_lane_name(enum kt_lane lane)
{
	static const char *const names[] = { "wire", "line", "lr", "phys", "user", "vcpu", "masked" };

	return lane < KT_LANE_ALL ? names[lane] : "?";
}

const char *kt_vcpu_state_name(enum kt_vcpu_state s)
{
	static const char *const names[] = {
		"unknown", "guest", "host", "vmm", "blocked", "preempted", "gone"
	};

	return s < KT_VCPU_STATE_NR ? names[s] : "?";
}

int kt_model_new(const struct kt_model_opts *opts, struct kt_model **out)
{
	struct kt_model *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->opts = *opts;
	m->slot_mask = 63;
	m->slot = calloc(m->slot_mask + 1, sizeof(*m->slot));
	if (!m->slot) {
		free(m);
		return -ENOMEM;
	}
	*out = m;
	return 0;
}

void kt_model_free(struct kt_model *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->nr_vcpus; i++)
		free(m->vcpu[i].nested);
	for (unsigned int t = 0; t < KT_TIMER_NR; t++)
		for (unsigned int h = 0; h < KT_HOP_NR; h++)
			free(m->hop[t][h]);
	for (unsigned int c = 0; c < KT_CAUSE_NR; c++)
		free(m->exit_hist[c]);
	free(m->vcpu);
	free(m->name);
	free(m->lanes);
	free(m->vm);
	kt_keymap_free(&m->vm_index);
	kt_gaps_fini(&m->gaps);
	free(m->slot);
	free(m);
}

/* ---- who is who ---- */

static uint32_t hash_who(uint32_t who)
{
	return who * 0x9e3779b1u >> 7;
}

static struct who_slot *find_slot(struct who_slot *slot, uint32_t mask, uint32_t who)
{
	uint32_t i = hash_who(who) & mask;

	while (slot[i].who && slot[i].who != who)
		i = (i + 1) & mask;
	return &slot[i];
}

static int grow_slots(struct kt_model *m)
{
	uint32_t mask = 2 * m->slot_mask + 1;
	struct who_slot *bigger = calloc((size_t)mask + 1, sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	for (uint32_t i = 0; i <= m->slot_mask; i++)
		if (m->slot[i].who)
			*find_slot(bigger, mask, m->slot[i].who) = m->slot[i];
	free(m->slot);
	m->slot = bigger;
	m->slot_mask = mask;
	return 0;
}

static void *grow(void *array, size_t max, size_t size, int *err)
{
	void *bigger = realloc(array, max * size);

	if (!bigger)
		*err = -ENOMEM;
	/* cppcheck-suppress memleak ; the caller's array it is */
	return bigger ? bigger : array;
}

static int grow_vcpus(struct kt_model *m)
{
	/* By an eighth: at 10,000 vCPUs doubling would waste what the tool promises to save. */
	uint32_t max = m->max_vcpus + (m->max_vcpus >> 3) + 16;
	int err = 0;

	m->vcpu = grow(m->vcpu, max, sizeof(*m->vcpu), &err);
	m->name = grow(m->name, max, sizeof(*m->name), &err);
	if (!err && m->opts.sink)
		err = kt_lanes_grow(m, m->max_vcpus, max);
	if (!err)
		m->max_vcpus = max;
	return err;
}

uint32_t kt_model_vcpu_of(struct kt_model *m, uint32_t who)
{
	struct who_slot *s = find_slot(m->slot, m->slot_mask, who);
	struct vcpu *v;

	if (s->who)
		return s->index;
	if (m->nr_vcpus == m->max_vcpus && grow_vcpus(m))
		return UINT32_MAX;
	if (2 * (m->nr_vcpus + 1) > m->slot_mask) {
		if (grow_slots(m))
			return UINT32_MAX;
		s = find_slot(m->slot, m->slot_mask, who);
	}
	*s = (struct who_slot){ who, m->nr_vcpus };
	v = &m->vcpu[m->nr_vcpus];
	memset(v, 0, sizeof(*v));
	v->timer[0].line = v->timer[1].line = LINE_UNKNOWN;
	m->name[m->nr_vcpus] = (struct vcpu_name){ .who = who };
	return m->nr_vcpus++;
}

static struct vm *vm_of(struct kt_model *m, uint64_t kvm, uint32_t vm_gen)
{
	uint32_t i = kt_keymap_get(&m->vm_index, kvm, vm_gen);
	struct vm *vm;
	int err = 0;

	if (i != UINT32_MAX)
		return &m->vm[i];
	if (m->nr_vms == m->max_vms) {
		uint32_t max = m->max_vms + (m->max_vms >> 1) + 4;

		m->vm = grow(m->vm, max, sizeof(*m->vm), &err);
		if (err)
			return NULL;
		m->max_vms = max;
	}
	if (kt_keymap_add(&m->vm_index, kvm, vm_gen, m->nr_vms))
		return NULL;
	vm = &m->vm[m->nr_vms++];
	memset(vm, 0, sizeof(*vm));
	vm->info.kvm = kvm;
	vm->info.number = m->nr_vms;
	vm->info.vgic = 255;
	vm->vm_gen = vm_gen;
	return vm;
}

static void copy_text(char *to, size_t size, const char *from, size_t from_size)
{
	size_t n = strnlen(from, from_size);

	if (n >= size)
		n = size - 1;
	memcpy(to, from, n);
	to[n] = '\0';
}

int kt_model_idents(struct kt_model *m, const struct kt_ident *id, size_t n)
{
	for (; n; n--, id++) {
		struct vm *vm = vm_of(m, id->kvm, id->vm_gen);
		struct vcpu_name *name;
		uint32_t i;

		if (!id->who || id->who & KT_WHO_TID)
			continue;
		i = kt_model_vcpu_of(m, id->who);
		if (!vm || i == UINT32_MAX)
			return -ENOMEM;
		name = &m->name[i];
		/* Told anew with another VM: its process became known after its first events. */
		if (m->vcpu[i].vm != vm->info.number) {
			if (m->vcpu[i].vm)
				m->vm[m->vcpu[i].vm - 1].info.nr_vcpus--;
			vm->info.nr_vcpus++;
		}
		m->vcpu[i].vm = vm->info.number;
		name->vcpu_id = id->vcpu_id;
		name->vcpu_idx = id->vcpu_idx;
		if (id->tid)
			name->tid = id->tid;
		if (id->comm[0])
			copy_text(name->comm, sizeof(name->comm), id->comm, sizeof(id->comm));
		if (!vm->info.first_ns || id->first_ns < vm->info.first_ns)
			vm->info.first_ns = id->first_ns;
		vm->info.tgid = id->tgid;
		vm->info.vgic = id->vgic;
		if (!vm->info.comm[0])
			copy_text(vm->info.comm, sizeof(vm->info.comm), id->comm, sizeof(id->comm));
	}
	return 0;
}

int kt_model_name(struct kt_model *m, const struct kt_vm_name *name)
{
	struct vm *vm = vm_of(m, name->kvm, name->vm_gen);

	if (!vm)
		return -ENOMEM;
	vm->info.tgid = name->tgid;
	copy_text(vm->info.name, sizeof(vm->info.name), name->name, sizeof(name->name));
	if (name->comm[0])
		copy_text(vm->info.comm, sizeof(vm->info.comm), name->comm, sizeof(name->comm));
	return 0;
}

/* ---- time ---- */

static double ns_per_tick(const struct kt_model *m)
{
	const char *hz = kt_facts_get(m->opts.facts, "clock.counter_hz");
	double ticks = (double)m->clock[1].counter_ticks - (double)m->clock[0].counter_ticks;
	double ns = (double)m->clock[1].mono_ns - (double)m->clock[0].mono_ns;

	/* Below 10 ms the brackets of the two readings would show. */
	if (m->nr_clock == 2 && ticks > 0 && ns > 1e7)
		return ns / ticks;
	return hz && atof(hz) > 0 ? 1e9 / atof(hz) : 0;
}

/* The first pair and the newest: the longest base gives the best rate. */
void kt_model_clock(struct kt_model *m, const struct kt_clock_pair *pair, size_t n)
{
	for (; n; n--, pair++) {
		m->clock[m->nr_clock ? 1 : 0] = *pair;
		m->pulse_ns[m->nr_pulses++ % KT_PULSES_KEPT] = pair->mono_ns;
		if (m->nr_clock < 2)
			m->nr_clock++;
	}
	m->ns_per_tick = ns_per_tick(m);
}

unsigned int kt_model_pulses(const struct kt_model *m, uint64_t from_ns, uint64_t until_ns)
{
	unsigned int n = 0;

	for (uint64_t i = 0; i < m->nr_pulses && i < KT_PULSES_KEPT; i++)
		n += m->pulse_ns[i] >= from_ns && m->pulse_ns[i] <= until_ns;
	return n;
}

bool kt_model_has_pulses(const struct kt_model *m)
{
	return m->nr_pulses > 1;
}

uint64_t kt_model_ticks_to_ns(const struct kt_model *m, uint64_t host_ticks)
{
	const struct kt_clock_pair *near = &m->clock[m->nr_clock > 1];
	double rate = m->ns_per_tick, ns;

	if (!m->nr_clock || !rate)
		return 0;
	ns = (double)(int64_t)(host_ticks - near->counter_ticks) * rate;
	/* A compare value centuries away is "never". */
	if (ns > 1e18 || ns < -(double)near->mono_ns)
		return 0;
	return near->mono_ns + (int64_t)ns;
}

uint64_t kt_model_deadline_ns(const struct kt_model *m, uint32_t vcpu, uint64_t cval_ticks,
			      uint64_t offset_ticks)
{
	(void)vcpu;
	return kt_model_ticks_to_ns(m, cval_ticks + offset_ticks);
}

/* ---- feeding ---- */

static bool is_timer_kind(unsigned int kind)
{
	switch (kind) {
	case KT_EV_UPDATE_IRQ:
	case KT_EV_VGIC_UPDATE:
	case KT_EV_MAP:
	case KT_EV_SAVE:
	case KT_EV_RESTORE:
	case KT_EV_HRTIMER_EXPIRE:
	case KT_EV_BG_EXPIRE:
	case KT_EV_EMULATE:
		return true;
	}
	return false;
}

/* What is in flight when a gap begins or ends may not belong together. */
static void forget(struct kt_model *m, uint32_t i, const struct kt_event *ev)
{
	kt_stats_gap(&m->vcpu[i]);
	if (m->opts.sink)
		kt_lanes_gap(m, i, ev);
}

static void feed_gap(struct kt_model *m, const struct kt_event *ev)
{
	bool again = m->gap_ns == ev->ts_ns && m->gap_pcpu == ev->pcpu && m->gaps.n;

	m->totals.lost += ev->gap.lost;
	m->totals.lost_kind[ev->gap.lost_kind & (KT_KIND_MAX - 1)] += ev->gap.lost;
	m->oom |= kt_gaps_open(&m->gaps, ev->pcpu, ev->gap.until_ns) != 0;
	if (again)
		return;
	m->gap_ns = ev->ts_ns;
	m->gap_pcpu = ev->pcpu;
	for (uint32_t i = 0; i < m->nr_vcpus; i++) {
		struct vcpu *v = &m->vcpu[i];

		if (v->gone || !kt_gap_touches(ev->pcpu, (struct kt_gap_place){ .loaded = v->loaded, .pcpu = v->pcpu }))
			continue;
		v->in_gap = true;
		forget(m, i, ev);
	}
}

/* The last open gap has ended: what was seen since it began may have been before the hole. */
static void close_gaps(struct kt_model *m)
{
	struct kt_event end = { .ts_ns = m->gaps.until_ns, .who = KT_WHO_NONE, .kind = KT_EV_GAP,
				.sub = KT_SUB(KT_TIMER_NONE, 0) };

	kt_gaps_close(&m->gaps);
	for (uint32_t i = 0; i < m->nr_vcpus; i++) {
		if (!m->vcpu[i].in_gap)
			continue;
		m->vcpu[i].in_gap = false;
		forget(m, i, &end);
	}
}

static void feed_nobody(struct kt_model *m, const struct kt_event *ev)
{
	if (ev->kind == KT_EV_GAP) {
		feed_gap(m, ev);
	} else {
		m->totals.unattributed++;
		if (is_timer_kind(ev->kind))
			m->totals.unattributed_timer++;
	}
	if (m->opts.sink && m->opts.sink->event)
		m->opts.sink->event(m->opts.sink->arg, ev, UINT32_MAX);
}

static inline uint32_t lookup(struct kt_model *m, const struct kt_event *ev)
{
	struct who_slot *c = &m->cache[ev->pcpu % CPU_CACHE];

	if (c->who != ev->who || !ev->who) {
		uint32_t i = ev->who ? kt_model_vcpu_of(m, ev->who) : UINT32_MAX;

		if (i == UINT32_MAX)
			return i;
		*c = (struct who_slot){ ev->who, i };
	}
	return c->index;
}

static int need_nested(struct kt_model *m, struct vcpu *v)
{
	(void)m;
	v->nested = calloc(2, sizeof(*v->nested));
	if (!v->nested)
		return -ENOMEM;
	v->nested[0].line = v->nested[1].line = LINE_UNKNOWN;
	return 0;
}

static int feed_one(struct kt_model *m, const struct kt_event *ev)
{
	unsigned int timer = KT_SUB_TIMER(ev->sub);
	struct vcpu *v;
	uint32_t i;

	m->totals.by_kind[ev->kind]++;
	if (ev->who & KT_WHO_TID || ev->kind == KT_EV_GAP) {
		feed_nobody(m, ev);
		return 0;
	}
	i = lookup(m, ev);
	if (i == UINT32_MAX)
		return -ENOMEM;
	v = &m->vcpu[i];
	if (m->opts.only_vm && v->vm != m->opts.only_vm)
		return 0;
	/* Put while a gap is open it may come to the CPU that loses events. */
	v->in_gap |= m->gaps.n && ev->kind == KT_EV_SAVE;
	if ((timer == KT_HVTIMER || timer == KT_HPTIMER) && !v->nested && need_nested(m, v))
		return -ENOMEM;
	if (m->opts.sink) {
		kt_lanes_feed(m, i, ev);
		if (m->opts.sink->event)
			m->opts.sink->event(m->opts.sink->arg, ev, i);
	}
	kt_stats_feed(m, v, ev);
	return 0;
}

/* A gap begins when its CPU was last looked at, which may be before the recording: time 0. */
static void start(struct kt_model *m, const struct kt_event *ev, size_t n)
{
	while (n && ev->kind == KT_EV_GAP) {
		ev++;
		n--;
	}
	m->started = n > 0;
	m->totals.first_ns = n ? ev->ts_ns : 0;
}

int kt_model_feed(struct kt_model *m, const struct kt_event *ev, size_t n)
{
	const struct kt_event *end = ev + n;
	int err = 0;

	if (!n)
		return 0;
	if (!m->started)
		start(m, ev, n);
	for (; ev < end && !err; ev++) {
		if (kt_gaps_over(&m->gaps, ev->ts_ns))
			close_gaps(m);
		if (ev->kind != KT_EV_GAP)
			m->cpu_seen[ev->pcpu / 64] |= 1ull << ev->pcpu % 64;
		err = feed_one(m, ev);
	}
	m->totals.events += n;
	if (end[-1].ts_ns > m->totals.last_ns)
		m->totals.last_ns = end[-1].ts_ns;
	if (m->oom)
		err = -ENOMEM;
	return err;
}

static void add_to_vm(struct kt_vm_info *vm, const struct vcpu *v)
{
	vm->events += v->events;
	vm->guest_ns += v->guest_ns;
	vm->user_ns += v->user_ns;
	vm->blocked_ns += v->blocked_ns;
	vm->preempted_ns += v->preempted_ns;
	if (v->last_ns > vm->last_ns)
		vm->last_ns = v->last_ns;
}

void kt_model_finish(struct kt_model *m)
{
	for (uint32_t i = 0; i < m->nr_vcpus; i++) {
		struct vcpu *v = &m->vcpu[i];

		kt_stats_finish(m, v);
		if (v->vm)
			add_to_vm(&m->vm[v->vm - 1].info, v);
	}
	/* A gap is no event of the host. */
	m->totals.events -= m->totals.by_kind[KT_EV_GAP];
	m->totals.by_kind[KT_EV_GAP] = 0;
	m->totals.cpus_seen = 0;
	for (size_t i = 0; i < 1024; i++)
		m->totals.cpus_seen += __builtin_popcountll(m->cpu_seen[i]);
}

/* ---- asking ---- */

uint32_t kt_model_nr_vms(const struct kt_model *m)
{
	return m->nr_vms;
}

uint32_t kt_model_nr_vcpus(const struct kt_model *m)
{
	return m->nr_vcpus;
}

void kt_model_vm(const struct kt_model *m, uint32_t i, struct kt_vm_info *out)
{
	*out = m->vm[i].info;
}

void kt_model_vcpu(const struct kt_model *m, uint32_t i, struct kt_vcpu_info *out)
{
	const struct vcpu_name *name = &m->name[i];
	struct vcpu *v = &m->vcpu[i];

	*out = (struct kt_vcpu_info){
		.vm = v->vm, .vcpu_id = name->vcpu_id, .vcpu_idx = name->vcpu_idx,
		.tid = name->tid, .first_ns = v->first_ns, .last_ns = v->last_ns,
		.events = v->events, .entries = v->entries, .exits = v->exits,
		.saves = v->saves, .restores = v->restores, .migrations = v->migrations,
		.guest_ns = v->guest_ns, .host_ns = v->host_ns, .user_ns = v->user_ns,
		.blocked_ns = v->blocked_ns, .preempted_ns = v->preempted_ns,
	};
	memcpy(out->comm, name->comm, sizeof(out->comm));
	for (unsigned int t = 0; t < KT_TIMER_NR; t++) {
		const struct timer_stats *ts = timer_stats(v, t);

		if (!ts)
			continue;
		out->published[t] = ts->published;
		out->rises[t] = ts->rises;
		out->host_irqs[t] = ts->host_irqs;
		out->injections[t] = ts->injections;
	}
}

const struct kt_totals *kt_model_totals(const struct kt_model *m)
{
	return &m->totals;
}

static const struct kt_hist no_hist;

const struct kt_hist *kt_model_hop(const struct kt_model *m, enum kt_timer timer, enum kt_hop hop)
{
	return m->hop[timer][hop] ? m->hop[timer][hop] : &no_hist;
}

const struct kt_hist *kt_model_exit_hist(const struct kt_model *m, enum kt_exit_cause cause)
{
	return m->exit_hist[cause] ? m->exit_hist[cause] : &no_hist;
}
