/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verdict for people: 72 columns, fit for a mail. */
#include <inttypes.h>
#include <string.h>

#include "anonymise.h"
#include "check.h"
#include "escape.h"
#include "event.h"
#include "report.h"
#include "text.h"

const char *kt_check_where(const struct kt_check *c, const struct kt_violation *v)
{
	static char text[4][160];
	static unsigned int next;
	struct kt_vcpu_info vcpu;
	struct kt_vm_info vm = { .number = 0 };
	char *buf = text[next++ % 4];

	kt_model_vcpu(c->session->model, v->vcpu, &vcpu);
	if (vcpu.vm)
		kt_model_vm(c->session->model, vcpu.vm - 1, &vm);
	snprintf(buf, sizeof(text[0]), "VM %u (%s) vCPU %u%s%s", vcpu.vm,
		 kt_show_vm(vm.number, vm.name[0] ? vm.name : vm.comm), vcpu.vcpu_id,
		 v->timer < KT_TIMER_NR ? " " : "",
		 v->timer < KT_TIMER_NR ? kt_timer_name(v->timer) : "");
	return buf;
}

static void print_answer(const struct kt_check *c)
{
	const struct kt_rules_totals *t = kt_rules_totals(c->rules);
	const struct kt_check_sum *s = c->sum;
	const char *key, *value;

	switch (s->answer) {
	case KT_ANSWER_CONFORMS:
		printf("CONFORMS: %u rules put to the test, none broken\n", s->exercised);
		break;
	case KT_ANSWER_VIOLATED:
		printf("VIOLATED: %u of %u rules put to the test were broken\n", s->violated,
		       s->exercised);
		break;
	case KT_ANSWER_INCONCLUSIVE:
		printf("INCONCLUSIVE: %s\n", s->why);
		if (s->exercised && !s->violated)
			printf("  %u rules were put to the test on what is left, none was broken\n",
			       s->exercised);
		else if (s->violated)
			printf("  %u of %u rules put to the test look broken\n", s->violated, s->exercised);
		break;
	}
	printf("events  %s judged", kt_text_count(t->events - t->nobody - t->early));
	if (t->nobody)
		printf(", %s of unknown vCPUs not judged", kt_text_count(t->nobody));
	printf(", %s lost\n", kt_text_count(t->lost));
	for (size_t i = 0; kt_facts_at(c->session->facts, i, &key, &value); i++)
		if (!strncmp(key, "input.lack.", 11))
			kt_report_folded("lacks", kt_safe(value));
}

static void print_row(const struct kt_rule *rule, const struct kt_rule_result *r)
{
	printf("%-4s%-22s%-3s%-15s%11s", rule->id, rule->name, rule->system,
	       kt_verdict_name(r->verdict), kt_text_count(r->exercised));
	if (r->violated)
		printf("  %s broken", kt_text_count(r->violated));
	if (r->late)
		printf("  %s late", kt_text_count(r->late));
	if (r->legal)
		printf("  %s odd", kt_text_count(r->legal));
	printf("\n");
}

static void print_table(const struct kt_check *c)
{
	struct kt_rule_result r;

	printf("\n%-4s%-22s%-3s%-15s%11s\n", "", "rule", "", "verdict", "times");
	for (size_t i = 0; i < kt_rule_nr(); i++) {
		kt_rules_result(c->rules, i, &r);
		if (kt_check_wanted(c->only, i) && r.exercised)
			print_row(kt_rule(i), &r);
	}
}

/* Rules that could not be decided, grouped by why. */
static void print_undecided(const struct kt_check *c)
{
	uint64_t said = 0;
	struct kt_rule_result r, other;

	for (size_t i = 0; i < kt_rule_nr(); i++) {
		unsigned int column;

		kt_rules_result(c->rules, i, &r);
		if (!kt_check_wanted(c->only, i) || r.exercised || said >> i & 1)
			continue;
		printf("\n%s: %s\n ", kt_verdict_name(r.verdict), r.why);
		column = 1;
		for (size_t k = i; k < kt_rule_nr(); k++) {
			kt_rules_result(c->rules, k, &other);
			if (!kt_check_wanted(c->only, k) || other.exercised || strcmp(other.why, r.why))
				continue;
			said |= 1ull << k;
			if (column + strlen(kt_rule(k)->id) + strlen(kt_rule(k)->name) + 2 > 71) {
				printf("\n ");
				column = 1;
			}
			column += printf(" %s %s", kt_rule(k)->id, kt_rule(k)->name);
		}
		printf("\n");
	}
}

/* Words of a paragraph, folded at 70 columns. */
static void paragraph(const char *lead, const char *text)
{
	unsigned int column = printf("%s", lead), indent = column;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (column + len + 1 > 71 && column > indent) {
			printf("\n%*s", (int)indent, "");
			column = indent;
		}
		column += printf("%.*s ", (int)len, text);
		text += len + (text[len] == ' ');
	}
	printf("\n");
}

static void print_violation(const struct kt_check *c, const struct kt_violation *v)
{
	const struct kt_rule *rule = kt_rule(v->rule);

	printf("\n-- %s %s (%s) broken on %s\n", rule->id, rule->name, rule->system,
	       kt_check_where(c, v));
	paragraph("   rule:  ", rule->sentence);
	paragraph("   seen:  ", v->seen);
	printf("   when:  %" PRIu64 ".%09" PRIu64 " s (host monotonic), window of %s\n",
	       v->at_ns / 1000000000, v->at_ns % 1000000000, kt_text_ns(v->at_ns - v->from_ns));
	if (v->late_ns)
		printf("   late:  %s\n", kt_text_ns(v->late_ns));
	if (c->path)
		kt_check_window(c, v);
}

void kt_check_text(const struct kt_check *c)
{
	const struct kt_violation *v;

	print_answer(c);
	print_table(c);
	print_undecided(c);
	for (size_t i = 0; i < kt_rule_nr(); i++) {
		size_t n = kt_check_wanted(c->only, i) ? kt_rules_violations(c->rules, i, &v) : 0;

		for (size_t k = 0; k < n && k < c->examples; k++)
			print_violation(c, &v[k]);
	}
}
