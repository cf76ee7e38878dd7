/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verdict for machines that run tests: one rule, one test. */
#include <inttypes.h>

#include "check.h"

static size_t nr_wanted(const struct kt_check *c)
{
	size_t n = 0;

	for (size_t i = 0; i < kt_rule_nr(); i++)
		n += kt_check_wanted(c->only, i);
	return n;
}

/* An answer that is no rule's: loss, a cut file. */
static const char *undecided(const struct kt_check *c)
{
	return c->sum->answer == KT_ANSWER_INCONCLUSIVE ? c->sum->why : NULL;
}

void kt_check_tap(const struct kt_check *c)
{
	const char *why = undecided(c);
	struct kt_rule_result r;
	unsigned int n = 0;

	printf("TAP version 13\n1..%zu\n", nr_wanted(c) + 1);
	printf("%s %u - the recording is whole%s%s\n", why ? "not ok" : "ok", ++n,
	       why ? " # " : "", why ? why : "");
	for (size_t i = 0; i < kt_rule_nr(); i++) {
		const struct kt_rule *rule = kt_rule(i);

		if (!kt_check_wanted(c->only, i))
			continue;
		kt_rules_result(c->rules, i, &r);
		printf("%s %u - %s %s", r.violated ? "not ok" : "ok", ++n, rule->id, rule->name);
		if (!r.exercised)
			printf(" # SKIP %s", r.why);
		else
			printf(" # %s, exercised %" PRIu64 " times", kt_verdict_name(r.verdict),
			       r.exercised);
		printf("\n");
		if (r.violated)
			printf("# %s\n# broken %" PRIu64 " times\n", rule->sentence, r.violated);
	}
}

static void xml(const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<': fputs("&lt;", stdout); break;
		case '>': fputs("&gt;", stdout); break;
		case '&': fputs("&amp;", stdout); break;
		case '"': fputs("&quot;", stdout); break;
		default: putchar(*text);
		}
	}
}

static void junit_case(const struct kt_check *c, size_t i)
{
	const struct kt_rule *rule = kt_rule(i);
	const struct kt_violation *v;
	struct kt_rule_result r;

	kt_rules_result(c->rules, i, &r);
	printf("  <testcase classname=\"kvmtimer.%s\" name=\"%s %s\">", rule->system, rule->id,
	       rule->name);
	if (r.violated && kt_rules_violations(c->rules, i, &v)) {
		printf("<failure message=\"");
		xml(v->seen);
		printf("\">");
		xml(kt_check_where(c, v));
		printf(" at %" PRIu64 " ns, %" PRIu64 " in all: ", v->at_ns, r.violated);
		xml(rule->sentence);
		printf("</failure>");
	} else if (!r.exercised) {
		printf("<skipped message=\"");
		xml(r.why);
		printf("\"/>");
	}
	printf("</testcase>\n");
}

void kt_check_junit(const struct kt_check *c)
{
	const char *why = undecided(c);

	printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	       "<testsuite name=\"kvmtimer-trace check\" tests=\"%zu\" failures=\"%u\" errors=\"%u\" skipped=\"%u\">\n",
	       nr_wanted(c) + 1, c->sum->violated, why != NULL, c->sum->inconclusive + c->sum->not_applicable);
	printf("  <testcase classname=\"kvmtimer\" name=\"the recording is whole\">");
	if (why) {
		printf("<error message=\"");
		xml(why);
		printf("\"/>");
	}
	printf("</testcase>\n");
	for (size_t i = 0; i < kt_rule_nr(); i++)
		if (kt_check_wanted(c->only, i))
			junit_case(c, i);
	printf("</testsuite>\n");
}
