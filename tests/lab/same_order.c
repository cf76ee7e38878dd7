/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The events of each vCPU, compared.
 *
 * Two observers of one event stand one after the other in the kernel.  What comes between
 * them is told behind the event by the one and before it by the other.  So each vCPU's events
 * are taken apart into chains that nothing can reorder: what its thread did, and what
 * interrupts did for it, on each CPU.  The chains must be equal, but for an event of the
 * thread with a put and the load after it between its observers.  Then an interrupt may stand
 * on the other side of one event of the thread on its own CPU, as it came between the
 * observers of that one; and of any on another CPU, as nothing orders these.
 */
#include "same.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_AHEAD 64	/* events; a put and a load are at most 30 */

static bool in_interrupt(const struct kt_event *ev)
{
	return kt_has_context(ev->kind) && KT_SUB_AT(ev->sub) != KT_AT_TASK;
}

/* ---- are two events the same? ---- */

static bool use_row(struct same_pair *p, const struct same_row *row, unsigned int kind, bool count)
{
	if (row && count)
		same_use(p, row, kind);
	return row != NULL;
}

/* A difference in what has no field of its own. */
static bool allowed(struct same_pair *p, const struct kt_event *ev, const char *name, bool count)
{
	return use_row(p, same_row_find(p, SAME_FIELD, ev->kind, name), ev->kind, count);
}

static bool same_field(struct same_pair *p, const struct kt_event *a, const struct kt_event *b,
		       const struct kt_field *f, bool count)
{
	uint64_t differ = kt_field_get(a, f) ^ kt_field_get(b, f);
	const struct same_row *row;

	if (!differ)
		return true;
	row = same_row_find(p, SAME_FIELD, a->kind, f->name);
	if (!row || (row->of && !row->of(a) && !row->of(b)) || (row->bits && differ & ~row->bits))
		return false;
	return use_row(p, row, a->kind, count);
}

static bool same_event(struct same_pair *p, const struct kt_event *a, const struct kt_event *b,
		       bool count)
{
	if (a->kind != b->kind || a->sub != b->sub)
		return false;
	for (const struct kt_field *f = kt_kind_fields(a->kind); f->name; f++)
		if (!same_field(p, a, b, f, count))
			return false;
	return true;
}

static bool same_cpu(struct same_pair *p, const struct kt_event *a, const struct kt_event *b,
		     bool count)
{
	return a->pcpu == b->pcpu || allowed(p, a, "cpu", count);
}

static bool equal(struct same_pair *p, const struct same_link *a, const struct same_link *b)
{
	return same_event(p, &a->e->ev, &b->e->ev, false) && same_cpu(p, &a->e->ev, &b->e->ev, false);
}

/* ---- saying what differs ---- */

static void say_event(struct same_pair *p, const struct same_vcpu *v, const char *what,
		      const struct same_link *l)
{
	char text[512];

	kt_event_format(&l->e->ev, text, sizeof(text));
	same_say(p, "%s: %s %s", v->name, what, text);
}

static void say_changed(struct same_pair *p, const struct same_vcpu *v, const struct same_link *a,
			const struct same_link *b)
{
	say_event(p, v, "-", a);
	say_event(p, v, "+", b);
}

/* ---- making chains ---- */

static bool left_out(struct same_pair *p, const struct same_chain *c, size_t i)
{
	const struct kt_event *ev = &c->link[i].e->ev;

	for (size_t k = 0; k < same_nr_rows; k++) {
		const struct same_row *row = &same_rows[k];

		if (row->what != SAME_EVENT || !same_row_applies(p, row, ev->kind) ||
		    (row->when && !row->when(c, i)))
			continue;
		same_use(p, row, ev->kind);
		return true;
	}
	return false;
}

static void add_link(struct same_chain *c, size_t *max, struct same_event *e, size_t before)
{
	c->link = same_grow(c->link, c->n, max, sizeof(*c->link));
	c->link[c->n++] = (struct same_link){ .e = e, .before = before };
}

/* What the other source cannot tell goes; each is looked at with all of its neighbours. */
static void drop_untold(struct same_pair *p, struct same_chain *c)
{
	bool *out = calloc(c->n + 1, sizeof(*out));
	size_t n = 0;

	if (!out)
		abort();
	for (size_t i = 0; i < c->n; i++)
		out[i] = left_out(p, c, i);
	for (size_t i = 0; i < c->n; i++)
		if (!out[i])
			c->link[n++] = c->link[i];
	p->left_out += c->n - n;
	c->n = n;
	free(out);
}

static struct same_chain thread_chain(struct same_pair *p, struct same_recording *r, uint32_t vcpu)
{
	struct same_chain c = { 0 };
	size_t max = 0;

	for (size_t i = 0; i < r->nr_events; i++) {
		struct same_event *e = &r->ev[i];

		if (e->vcpu == vcpu && p->kinds >> e->ev.kind & 1 && !in_interrupt(&e->ev))
			add_link(&c, &max, e, c.n);
	}
	drop_untold(p, &c);
	for (size_t i = 0; i < c.n; i++)
		c.link[i].before = i;
	return c;
}

/* Interrupts on one CPU; `before` is how far the thread had come, as both can tell it. */
static struct same_chain irq_chain(struct same_pair *p, struct same_recording *r, uint32_t vcpu,
				   uint16_t pcpu, const struct same_chain *thread)
{
	struct same_chain c = { 0 };
	size_t max = 0, before = 0;

	for (size_t i = 0; i < r->nr_events; i++) {
		struct same_event *e = &r->ev[i];

		if (before < thread->n && thread->link[before].e == e)
			before++;
		if (e->vcpu == vcpu && p->kinds >> e->ev.kind & 1 && in_interrupt(&e->ev) &&
		    e->ev.pcpu == pcpu)
			add_link(&c, &max, e, before);
	}
	drop_untold(p, &c);
	return c;
}

/* ---- the chain of the thread ---- */

static void pair_up(struct same_pair *p, struct same_chain *a, size_t i, struct same_chain *b,
		    size_t j)
{
	struct same_link *x = &a->link[i], *y = &b->link[j];

	/* Counts the fields that differ. */
	same_event(p, &x->e->ev, &y->e->ev, true);
	x->mate = j;
	y->mate = i;
	x->has_mate = y->has_mate = true;
	x->e->mate = y->e;
	y->e->mate = x->e;
	p->events++;
}

/* The timers leave the hardware and come back, with what a put and a load tell between. */
static bool is_put_and_load(const struct same_chain *c, size_t from, size_t n)
{
	unsigned int saves = 0, restores = 0, last = 0;

	for (size_t i = from; i < from + n; i++) {
		switch (c->link[i].e->ev.kind) {
		case KT_EV_SAVE:
			saves++;
			last = KT_EV_SAVE;
			break;
		case KT_EV_RESTORE:
			if (!saves)
				return false;
			restores++;
			last = KT_EV_RESTORE;
			break;
		case KT_EV_MAP:
		case KT_EV_UPDATE_IRQ:
		case KT_EV_VGIC_UPDATE:
		case KT_EV_EMULATE:
		case KT_EV_IRQCHIP:
		case KT_EV_OFFSET:
		case KT_EV_WIRE:
			break;
		default:
			return false;
		}
	}
	return saves && restores && last == KT_EV_RESTORE;
}

/*
 * a[i] was told by the other source behind a put and the load after it: the thread was
 * preempted between the two observers.  Returns how many events stand between.
 */
static size_t preempted(struct same_pair *p, struct same_chain *a, size_t i, struct same_chain *b,
			size_t j)
{
	unsigned int kind = a->link[i].e->ev.kind;
	const struct same_row *row = same_row_find(p, SAME_ORDER, kind, SAME_PREEMPTED);

	for (size_t n = 1; row && n <= LOOK_AHEAD && i + n < a->n && j + n < b->n; n++) {
		if (!equal(p, &a->link[i + n], &b->link[j + n - 1]))
			return 0;
		/* The CPU may be another one afterwards. */
		if (same_event(p, &a->link[i].e->ev, &b->link[j + n].e->ev, false) &&
		    is_put_and_load(a, i + 1, n)) {
			same_use(p, row, kind);
			return n;
		}
	}
	return 0;
}

/* Takes a[i] as the mate of b[j + n], and those between as each other's. */
static void pair_around(struct same_pair *p, struct same_chain *a, size_t i, struct same_chain *b,
			size_t j, size_t n)
{
	pair_up(p, a, i, b, j + n);
	for (size_t k = 1; k <= n; k++)
		pair_up(p, a, i + k, b, j + k - 1);
}

/* How many of `more` to pass over until it goes on as `other` does at j; 0 = nowhere near. */
static size_t passed_over(struct same_pair *p, const struct same_chain *more, size_t i,
			  const struct same_chain *other, size_t j)
{
	for (size_t n = 1; n <= LOOK_AHEAD && i + n < more->n; n++)
		if (equal(p, &more->link[i + n], &other->link[j]))
			return n;
	return 0;
}

static void say_unmatched(struct same_pair *p, const struct same_vcpu *v, const char *what,
			  const struct same_chain *c, size_t *i, size_t until)
{
	while (*i < until)
		say_event(p, v, what, &c->link[(*i)++]);
}

/* The same event with another field, after which both go on alike. */
static bool only_changed(struct same_pair *p, const struct same_chain *a, size_t i,
			 const struct same_chain *b, size_t j)
{
	const struct kt_event *x = &a->link[i].e->ev, *y = &b->link[j].e->ev;

	return x->kind == y->kind && i + 1 < a->n && j + 1 < b->n &&
	       equal(p, &a->link[i + 1], &b->link[j + 1]);
}

/* Goes on behind a difference, at the nearest event that both tell. */
static void resume(struct same_pair *p, const struct same_vcpu *v, struct same_chain *a, size_t *i,
		   struct same_chain *b, size_t *j)
{
	size_t in_a = passed_over(p, a, *i, b, *j), in_b = passed_over(p, b, *j, a, *i);

	if (only_changed(p, a, *i, b, *j))
		say_changed(p, v, &a->link[(*i)++], &b->link[(*j)++]);
	else if (in_a && (!in_b || in_a <= in_b))
		say_unmatched(p, v, "-", a, i, *i + in_a);
	else if (in_b)
		say_unmatched(p, v, "+", b, j, *j + in_b);
	else
		say_changed(p, v, &a->link[(*i)++], &b->link[(*j)++]);
}

/* Pairs the events of two chains; those of an interrupt have no other order. */
static void compare_chain(struct same_pair *p, const struct same_vcpu *v, struct same_chain *a,
			  struct same_chain *b, bool thread)
{
	size_t i = 0, j = 0, n;

	while (i < a->n && j < b->n) {
		if (equal(p, &a->link[i], &b->link[j])) {
			same_cpu(p, &a->link[i].e->ev, &b->link[j].e->ev, true);
			pair_up(p, a, i++, b, j++);
		} else if (thread && (n = preempted(p, a, i, b, j))) {
			pair_around(p, a, i, b, j, n);
			i += n + 1;
			j += n + 1;
		} else if (thread && (n = preempted(p, b, j, a, i))) {
			pair_around(p, b, j, a, i, n);
			i += n + 1;
			j += n + 1;
		} else {
			resume(p, v, a, &i, b, &j);
		}
	}
	say_unmatched(p, v, "-", a, &i, a->n);
	say_unmatched(p, v, "+", b, &j, b->n);
}

/* ---- where interrupts came ---- */

/* How far at most an event of the thread stands from its mate. */
static size_t widest_shift(const struct same_chain *thread)
{
	size_t widest = 0;

	for (size_t i = 0; i < thread->n; i++) {
		size_t m = thread->link[i].mate, shift = m > i ? m - i : i - m;

		widest = shift > widest ? shift : widest;
	}
	return widest;
}

/* May the interrupt stand on the other side of this event?  `own` events of its CPU did already. */
static bool may_cross(struct same_pair *p, const struct same_link *irq, struct same_link *e,
		      unsigned int *own)
{
	uint16_t pcpu = irq->e->ev.pcpu;
	bool near = e->e->ev.pcpu == pcpu || e->e->mate->ev.pcpu == pcpu;
	const struct same_row *row = same_row_find(p, SAME_ORDER, e->e->ev.kind,
						   near ? SAME_INTERRUPT : SAME_OTHER_CPU);

	*own += near;
	if (!row || *own > 1)
		return false;
	/* All events of one interrupt cross it; it is one event told on the other side. */
	if (!e->crossed)
		same_use(p, row, e->e->ev.kind);
	e->crossed = true;
	return true;
}

static void compare_sides(struct same_pair *p, const struct same_vcpu *v, const struct same_link *a,
			  const struct same_link *b, struct same_chain *thread, size_t widest)
{
	size_t lo = a->before < b->before ? a->before : b->before;
	size_t hi = a->before > b->before ? a->before : b->before;
	unsigned int own = 0;

	for (size_t i = lo > widest ? lo - widest : 0; i < thread->n && i < hi + widest; i++) {
		struct same_link *e = &thread->link[i];

		if ((i < a->before) == (e->mate < b->before) || may_cross(p, a, e, &own))
			continue;
		say_event(p, v, "on the other side of the next", a);
		say_event(p, v, "                             ", e);
	}
}

/* ---- all of a vCPU ---- */

static uint16_t last_cpu(const struct same_recording *r)
{
	uint16_t last = 0;

	for (size_t i = 0; i < r->nr_events; i++)
		if (r->ev[i].ev.pcpu > last)
			last = r->ev[i].ev.pcpu;
	return last;
}

static void compare_irqs(struct same_pair *p, uint32_t vcpu, uint16_t pcpu, struct same_chain thread[2],
			 bool whole)
{
	const struct same_vcpu *v = &p->rec[0].vcpu[vcpu];
	struct same_chain a = irq_chain(p, &p->rec[0], vcpu, pcpu, &thread[0]);
	struct same_chain b = irq_chain(p, &p->rec[1], v->mate, pcpu, &thread[1]);
	size_t widest = widest_shift(&thread[0]);

	compare_chain(p, v, &a, &b, false);
	/* Where events are missing, sides mean nothing. */
	for (size_t i = 0; whole && i < a.n; i++)
		if (a.link[i].has_mate)
			compare_sides(p, v, &a.link[i], &b.link[a.link[i].mate], &thread[0], widest);
	free(a.link);
	free(b.link);
}

static void compare_vcpu(struct same_pair *p, uint32_t vcpu)
{
	const struct same_vcpu *v = &p->rec[0].vcpu[vcpu];
	struct same_chain thread[2] = { thread_chain(p, &p->rec[0], vcpu),
					thread_chain(p, &p->rec[1], v->mate) };
	uint16_t last = last_cpu(&p->rec[0]), other = last_cpu(&p->rec[1]);
	uint64_t differences = p->differences;

	compare_chain(p, v, &thread[0], &thread[1], true);
	for (uint32_t pcpu = 0; pcpu <= last || pcpu <= other; pcpu++)
		compare_irqs(p, vcpu, pcpu, thread, p->differences == differences);
	free(thread[0].link);
	free(thread[1].link);
}

/* A vCPU that only one of them knows; what no source can tell of it is no difference. */
static void compare_alone(struct same_pair *p, struct same_recording *r, uint32_t vcpu,
			  const char *which)
{
	struct same_chain thread = thread_chain(p, r, vcpu);
	size_t n = thread.n;

	for (size_t i = 0; i < r->nr_events; i++)
		n += r->ev[i].vcpu == vcpu && p->kinds >> r->ev[i].ev.kind & 1 &&
		     in_interrupt(&r->ev[i].ev);
	if (n)
		same_say(p, "%s: only %s has it, with %zu events", r->vcpu[vcpu].name, which, n);
	free(thread.link);
}

void same_compare_events(struct same_pair *p)
{
	for (uint32_t i = 0; i < p->rec[0].nr_vcpus; i++) {
		if (p->rec[0].vcpu[i].has_mate)
			compare_vcpu(p, i);
		else
			compare_alone(p, &p->rec[0], i, "the first");
	}
	for (uint32_t i = 0; i < p->rec[1].nr_vcpus; i++)
		if (!p->rec[1].vcpu[i].has_mate)
			compare_alone(p, &p->rec[1], i, "the second");
}
