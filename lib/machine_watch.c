/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watch: what must hold in every run of the machine, whatever the order of
 * its steps.  It looks at the truth (the timer's wire, the list registers, the
 * guest's own acts), which KVM cannot, and notes the first property broken.
 */
#include <stddef.h>

#include "machine_private.h"

/* Interrupts by guest timers while the guest did not get to run, two for each timer. */
#define STORM_MAX (2 * KT_MACHINE_TIMERS)

static const char *const names[] = { "ok", "late", "lost", "wake", "progress", "notify", "cancel" };

const char *kt_property_name(unsigned int property)
{
	return property < sizeof(names) / sizeof(names[0]) ? names[property] : "?";
}

static void broken(struct kt_machine *m, enum kt_property p)
{
	if (m->property == KT_PROP_OK)
		m->property = p;
}

/* As far as it need be counted: past the bound, and whether there was one at all. */
static unsigned int fell_max(const struct kt_machine *m)
{
	return m->bound == KT_UNBOUNDED ? 1 : m->bound + 1;
}

void kt_watch_init(struct kt_machine *m)
{
	for (unsigned int i = 0; i < m->nr_vcpus; i++)
		for_each_timer(t)
			m->vcpu[i].timer[t].fell = fell_max(m);
}

void kt_watch_wire(const struct kt_ctx *c, unsigned int t, bool was)
{
	struct kt_mtimer *x = &c->v->timer[t];
	const struct kt_mlr *lr = kt_vgic_find_lr(c->v, t);
	bool now = kt_machine_wire(c->m, c->vcpu, t);

	if (c->out && (now || was))
		c->out->low_exits[c->vcpu][t] = 0;
	if (now) {
		x->fell = x->cancelled = 0;
	} else if (was) {
		x->fell = 0;
		x->cancelled = lr && lr->state & KT_MLR_PENDING;
	}
	if (x->cancelled && c->m->fault == KT_FAULT_CANCEL)
		*kt_vgic_find_lr(c->v, t) = (struct kt_mlr){ 0 };
}

void kt_watch_exit(const struct kt_ctx *c, bool guest_timer)
{
	if (guest_timer) {
		if (++c->v->storm > STORM_MAX)
			broken(c->m, KT_PROP_PROGRESS);
		return;
	}
	for_each_timer(t) {
		struct kt_mtimer *x = &c->v->timer[t];

		x->cancelled = 0;
		if (c->out && !kt_machine_wire(c->m, c->vcpu, t))
			c->out->low_exits[c->vcpu][t]++;
		if (x->fell < fell_max(c->m) && !kt_machine_wire(c->m, c->vcpu, t))
			x->fell++;
	}
	if (c->out)
		c->out->saw[c->vcpu].exits++;
}

void kt_watch_ack(const struct kt_ctx *c, unsigned int t)
{
	struct kt_saw *saw = c->out ? &c->out->saw[c->vcpu] : NULL;
	const struct kt_mtimer *x = &c->v->timer[t & 1];

	if (t == KT_TIMER_NONE) {
		if (saw)
			saw->nothing++;
		return;
	}
	if (saw)
		saw->taken++;
	c->v->timer[t].cancelled = 0;
	if (kt_machine_wire(c->m, c->vcpu, t) || c->v->irq[t].pending_latch)
		return;
	if (saw) {
		saw->spurious++;
		saw->late += x->fell > 0;
		saw->later += c->out->low_exits[c->vcpu][t] > 1;
	}
	if (c->m->bound != KT_UNBOUNDED && x->fell > c->m->bound)
		broken(c->m, KT_PROP_LATE);
}

void kt_watch_entry(const struct kt_ctx *c)
{
	for_each_timer(t)
		if (!kt_in_kernel(c->m) && kt_machine_wire(c->m, c->vcpu, t) !=
		    (c->v->device_irq_level >> (t == KT_PTIMER) & 1))
			broken(c->m, KT_PROP_NOTIFY);
	if (c->out)
		c->out->saw[c->vcpu].entries++;
}

/* Something in the guest's interrupt controller stands for the line. */
static bool presented(const struct kt_machine *m, struct kt_mvcpu *v, unsigned int t)
{
	if (!kt_in_kernel(m))
		return v->device_irq_level >> (t == KT_PTIMER) & 1;
	return kt_vgic_find_lr(v, t) != NULL;
}

static void watch_guest(struct kt_machine *m, struct kt_machine_out *out, unsigned int vcpu,
			unsigned int t)
{
	struct kt_mvcpu *v = &m->vcpu[vcpu];
	const struct kt_mlr *lr = kt_vgic_find_lr(v, t);
	bool served = v->in_service >> t & 1;
	bool owed = kt_machine_wire(m, vcpu, t) && v->irq[t].enabled && !served &&
		    !presented(m, v, t);

	if (owed)
		broken(m, KT_PROP_LOST);
	if (v->timer[t].cancelled && !served && !(lr && lr->state & KT_MLR_PENDING))
		broken(m, KT_PROP_CANCEL);
	if (!out)
		return;
	if (owed && !v->masked && !(out->missing[vcpu] >> t & 1))
		out->saw[vcpu].missed++;
	if (owed && !v->masked)
		out->missing[vcpu] |= 1 << t;
	else if (!owed)
		out->missing[vcpu] &= ~(1 << t);
}

/* Between steps: what a guest that runs, or a thread that sleeps, may rely on. */
void kt_watch_settled(struct kt_machine *m, struct kt_machine_out *out)
{
	for (unsigned int i = 0; i < m->nr_vcpus; i++) {
		struct kt_mvcpu *v = &m->vcpu[i];

		for_each_timer(t) {
			const struct kt_mtimer *x = &v->timer[t];
			bool armed = (x->ctl & (KT_CTL_ENABLE | KT_CTL_IMASK)) == KT_CTL_ENABLE;

			if (v->where == KT_IN_GUEST)
				watch_guest(m, out, i, t);
			if (v->where == KT_IN_SLEEP && !v->kicked && armed &&
			    (x->cval == KT_CVAL_PAST || (x->cval == KT_CVAL_SOON && !v->bg_armed)))
				broken(m, KT_PROP_WAKE);
		}
	}
}
