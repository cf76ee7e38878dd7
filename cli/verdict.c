/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verdict.h"

#include <string.h>

/* ---- the way through the rules ---- */

static int start(struct kt_judging *j)
{
	struct kt_rules_opts ro = { .model = j->session->model, .facts = j->session->facts,
				    .violation = j->violation, .arg = j->arg };

	return j->rules ? 0 : kt_rules_new(&ro, &j->rules);
}

/* Identities may come before the first event, and again with news about a vCPU. */
int kt_judging_block(struct kt_judging *j, const struct kt_block *b)
{
	int err;

	if (b->type != KT_BLOCK_IDENT)
		return 0;
	err = start(j);
	return err ? err : kt_rules_idents(j->rules, b->idents, b->n);
}

int kt_judging_feed(struct kt_judging *j, const struct kt_event *ev, size_t n)
{
	int err = start(j);

	if (err)
		return err;
	if (!j->fed)
		kt_rules_facts(j->rules);
	j->fed = true;
	return kt_rules_feed(j->rules, ev, n);
}

/* Of a capture without identities and events, too, there is an answer. */
int kt_judging_end(struct kt_judging *j)
{
	int err = start(j);

	if (!err)
		kt_rules_facts(j->rules);
	return err;
}

/* ---- the answer ---- */

bool kt_check_wanted(uint64_t only, size_t rule)
{
	return !only || only >> rule & 1;
}

/* Another tool's capture of which the reader found that records are missing. */
static bool incomplete(const struct kt_facts *f)
{
	static const char *const lacks[] = {
		"input.lack.unbalanced", "input.lack.unreadable", "input.lack.told-in-part",
		"input.lack.overwritten", "input.lack.records", "input.lack.buffers",
	};

	for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++)
		if (kt_facts_get(f, lacks[i]))
			return true;
	return false;
}

static void count(const struct kt_rules *rules, uint64_t only, struct kt_check_sum *out)
{
	struct kt_rule_result r;

	for (size_t i = 0; i < kt_rule_nr(); i++) {
		if (!kt_check_wanted(only, i))
			continue;
		kt_rules_result(rules, i, &r);
		out->exercised += r.exercised != 0;
		out->violated += r.verdict == KT_VERDICT_VIOLATED;
		out->late += r.verdict == KT_VERDICT_LATE;
		out->legal += r.verdict == KT_VERDICT_LEGAL_SPURIOUS;
		out->inconclusive += r.verdict == KT_VERDICT_INCONCLUSIVE;
		out->not_applicable += r.verdict == KT_VERDICT_NOT_APPLICABLE;
	}
}

void kt_check_sum(const struct kt_session *s, const struct kt_rules *rules, uint64_t only,
		  struct kt_check_sum *out)
{
	const struct kt_rules_totals *t = kt_rules_totals(rules);

	memset(out, 0, sizeof(*out));
	count(rules, only, out);
	out->answer = KT_ANSWER_INCONCLUSIVE;
	/* An event that came too late for its place was dropped, and left no gap. */
	if (out->violated && (incomplete(s->facts) || s->late || kt_facts_get(s->facts, "stop.late")))
		out->why = "the capture is not whole: what looks broken may be what is missing";
	else if (out->violated && t->told_late)
		out->why = "only its end says that another tool made it: what looks broken may be what that tool does not record";
	else if (out->violated)
		out->answer = KT_ANSWER_VIOLATED;
	else if (t->lost || s->late || s->uncounted)
		out->why = "events were lost";
	else if (s->status.bad_blocks || kt_facts_get(s->facts, "stop.damaged"))
		out->why = "parts of the file are damaged";
	else if (s->status.cut || !s->status.closed_well || kt_facts_get(s->facts, "stop.cut"))
		out->why = "the recording was cut off";
	else if (!out->exercised)
		out->why = "nothing in it puts a rule to the test";
	else
		out->answer = KT_ANSWER_CONFORMS;
}
