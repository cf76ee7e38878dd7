/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "anonymise.h"
#include "escape.h"
#include "event.h"
#include "json.h"
#include "report.h"

static json_object *hist_json(const struct kt_hist *h)
{
	json_object *o = json_object_new_object();

	kt_json_u64(o, "count", h->count);
	kt_json_u64(o, "sum_ns", h->sum_ns);
	kt_json_u64(o, "min_ns", h->count ? h->min_ns : 0);
	kt_json_u64(o, "p50_ns", kt_hist_percentile_ns(h, 500));
	kt_json_u64(o, "p90_ns", kt_hist_percentile_ns(h, 900));
	kt_json_u64(o, "p99_ns", kt_hist_percentile_ns(h, 990));
	kt_json_u64(o, "max_ns", h->max_ns);
	return o;
}

static json_object *counts_json(const uint64_t *by_kind)
{
	json_object *o = json_object_new_object();

	for (unsigned int k = 0; k < KT_EV_NR; k++)
		if (by_kind[k])
			kt_json_u64(o, kt_kind_name(k), by_kind[k]);
	return o;
}

static json_object *vm_json(const struct kt_vm_info *vm)
{
	json_object *o = json_object_new_object();

	kt_json_u64(o, "vm", vm->number);
	kt_json_text(o, "name", kt_show_vm(vm->number, vm->name[0] ? vm->name : vm->comm));
	kt_json_u64(o, "pid", kt_show_pid(vm->tgid));
	kt_json_u64(o, "vcpus", vm->nr_vcpus);
	kt_json_u64(o, "irqchip", vm->vgic);
	kt_json_u64(o, "events", vm->events);
	kt_json_u64(o, "user_exits", vm->user_exits);
	kt_json_u64(o, "guest_ns", vm->guest_ns);
	kt_json_u64(o, "blocked_ns", vm->blocked_ns);
	kt_json_u64(o, "preempted_ns", vm->preempted_ns);
	kt_json_u64(o, "user_ns", vm->user_ns);
	return o;
}

static json_object *vcpu_json(const struct kt_vcpu_info *v)
{
	json_object *o = json_object_new_object(), *timers = json_object_new_array();

	kt_json_u64(o, "vm", v->vm);
	kt_json_id(o, "vcpu_id", v->vcpu_id);
	kt_json_id(o, "vcpu_idx", v->vcpu_idx);
	kt_json_u64(o, "tid", kt_show_pid(v->tid));
	kt_json_text(o, "comm", kt_show_comm(v->vm, v->vcpu_id, v->comm));
	kt_json_u64(o, "events", v->events);
	kt_json_u64(o, "entries", v->entries);
	kt_json_u64(o, "exits", v->exits);
	kt_json_u64(o, "saves", v->saves);
	kt_json_u64(o, "restores", v->restores);
	kt_json_u64(o, "migrations", v->migrations);
	kt_json_u64(o, "first_ns", v->first_ns);
	kt_json_u64(o, "last_ns", v->last_ns);
	kt_json_u64(o, "guest_ns", v->guest_ns);
	kt_json_u64(o, "host_ns", v->host_ns);
	kt_json_u64(o, "user_ns", v->user_ns);
	kt_json_u64(o, "blocked_ns", v->blocked_ns);
	kt_json_u64(o, "preempted_ns", v->preempted_ns);
	for (unsigned int t = 0; t < KT_TIMER_NR; t++) {
		json_object *timer;

		if (!v->published[t] && !v->host_irqs[t])
			continue;
		timer = json_object_new_object();
		kt_json_text(timer, "timer", kt_timer_name(t));
		kt_json_u64(timer, "published", v->published[t]);
		kt_json_u64(timer, "rises", v->rises[t]);
		kt_json_u64(timer, "host_irqs", v->host_irqs[t]);
		kt_json_u64(timer, "injections", v->injections[t]);
		json_object_array_add(timers, timer);
	}
	json_object_object_add(o, "timers", timers);
	return o;
}

static json_object *exits_json(const struct kt_session *s)
{
	json_object *a = json_object_new_array();

	for (unsigned int c = 0; c < KT_CAUSE_NR; c++) {
		const struct kt_hist *h = kt_model_exit_hist(s->model, c);
		json_object *o;

		if (!h->count)
			continue;
		o = hist_json(h);
		kt_json_text(o, "cause", kt_exit_cause_name(c));
		json_object_array_add(a, o);
	}
	return a;
}

static json_object *hops_json(const struct kt_session *s)
{
	json_object *a = json_object_new_array();

	for (unsigned int t = 0; t < KT_TIMER_NR; t++) {
		for (unsigned int h = 0; h < KT_HOP_NR; h++) {
			const struct kt_hist *d = kt_model_hop(s->model, t, h);
			json_object *o;

			if (!d->count)
				continue;
			o = hist_json(d);
			kt_json_text(o, "hop", kt_hop_name(h));
			kt_json_text(o, "timer", kt_timer_name(t));
			json_object_array_add(a, o);
		}
	}
	return a;
}

static void add_lack(void *arg, const char *text)
{
	json_object_array_add(arg, json_object_new_string(text));
}

static json_object *totals_json(const struct kt_session *s)
{
	const struct kt_totals *t = kt_model_totals(s->model);
	json_object *o = json_object_new_object(), *lacks = json_object_new_array();

	kt_json_u64(o, "events", t->events);
	kt_json_u64(o, "lost", t->lost);
	kt_json_u64(o, "late", s->late);
	kt_json_u64(o, "unattributed", t->unattributed);
	kt_json_u64(o, "unattributed_timer", t->unattributed_timer);
	kt_json_u64(o, "first_ns", t->first_ns);
	kt_json_u64(o, "last_ns", t->last_ns);
	kt_json_u64(o, "cpus", t->cpus_seen);
	json_object_object_add(o, "by_kind", counts_json(t->by_kind));
	json_object_object_add(o, "lost_by_kind", counts_json(t->lost_kind));
	json_object_object_add(o, "closed_well", json_object_new_boolean(s->status.closed_well));
	json_object_object_add(o, "cut", json_object_new_boolean(s->status.cut));
	kt_json_u64(o, "bad_blocks", s->status.bad_blocks);
	kt_report_lacks(s, add_lack, lacks);
	json_object_object_add(o, "missing", lacks);
	return o;
}

int kt_report_json(const struct kt_session *s, const struct kt_report_opts *opts)
{
	json_object *o = kt_json_new("report"), *vms = json_object_new_array();
	json_object *vcpus = json_object_new_array();
	struct kt_vcpu_info v;
	struct kt_vm_info vm;

	(void)opts;
	json_object_object_add(o, "facts", kt_json_facts(s->facts));
	json_object_object_add(o, "totals", totals_json(s));
	for (uint32_t i = 0; i < kt_model_nr_vms(s->model); i++) {
		kt_model_vm(s->model, i, &vm);
		json_object_array_add(vms, vm_json(&vm));
	}
	for (uint32_t i = 0; i < kt_model_nr_vcpus(s->model); i++) {
		kt_model_vcpu(s->model, i, &v);
		json_object_array_add(vcpus, vcpu_json(&v));
	}
	json_object_object_add(o, "vms", vms);
	json_object_object_add(o, "vcpus", vcpus);
	json_object_object_add(o, "exits", exits_json(s));
	json_object_object_add(o, "hops", hops_json(s));
	return kt_json_print(o);
}
