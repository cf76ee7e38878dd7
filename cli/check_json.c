/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "check.h"
#include "event.h"
#include "json.h"

static json_object *violation_json(const struct kt_check *c, const struct kt_violation *v)
{
	json_object *o = json_object_new_object();
	struct kt_vcpu_info vcpu;

	kt_model_vcpu(c->session->model, v->vcpu, &vcpu);
	kt_json_u64(o, "vm", vcpu.vm);
	kt_json_u64(o, "vcpu_id", vcpu.vcpu_id);
	kt_json_text(o, "timer", kt_timer_name(v->timer));
	kt_json_u64(o, "from_ns", v->from_ns);
	kt_json_u64(o, "at_ns", v->at_ns);
	if (v->late_ns)
		kt_json_u64(o, "late_ns", v->late_ns);
	kt_json_text(o, "seen", v->seen);
	return o;
}

static json_object *rule_json(const struct kt_check *c, size_t i)
{
	json_object *o = json_object_new_object(), *list = json_object_new_array();
	const struct kt_violation *v;
	struct kt_rule_result r;
	size_t n;

	kt_rules_result(c->rules, i, &r);
	kt_json_text(o, "id", kt_rule(i)->id);
	kt_json_text(o, "name", kt_rule(i)->name);
	kt_json_text(o, "system", kt_rule(i)->system);
	kt_json_text(o, "sentence", kt_rule(i)->sentence);
	kt_json_text(o, "verdict", kt_verdict_name(r.verdict));
	if (r.why)
		kt_json_text(o, "why", r.why);
	kt_json_u64(o, "exercised", r.exercised);
	kt_json_u64(o, "violated", r.violated);
	kt_json_u64(o, "late", r.late);
	kt_json_u64(o, "legal_spurious", r.legal);
	n = kt_rules_violations(c->rules, i, &v);
	for (size_t k = 0; k < n; k++)
		json_object_array_add(list, violation_json(c, &v[k]));
	json_object_object_add(o, "violations", list);
	return o;
}

int kt_check_json(const struct kt_check *c)
{
	static const char *const answers[] = { "conforms", "violated", "inconclusive" };
	const struct kt_rules_totals *t = kt_rules_totals(c->rules);
	json_object *o = kt_json_new("check"), *rules = json_object_new_array();

	kt_json_text(o, "answer", answers[c->sum->answer]);
	if (c->sum->why)
		kt_json_text(o, "why", c->sum->why);
	kt_json_u64(o, "rules_exercised", c->sum->exercised);
	kt_json_u64(o, "rules_violated", c->sum->violated);
	kt_json_u64(o, "events_judged", t->events - t->nobody - t->early);
	kt_json_u64(o, "events_unattributed", t->nobody);
	kt_json_u64(o, "lost", t->lost);
	for (size_t i = 0; i < kt_rule_nr(); i++)
		if (kt_check_wanted(c->only, i))
			json_object_array_add(rules, rule_json(c, i));
	json_object_object_add(o, "rules", rules);
	json_object_object_add(o, "facts", kt_json_facts(c->session->facts));
	return kt_json_print(o);
}
