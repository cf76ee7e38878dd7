/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_VERDICT_H
#define KT_VERDICT_H

#include "rules.h"
#include "session.h"

/* From a capture to the answer that check gives; whoever shows it asks here. */

/* The way of a capture through the rules: block and feed go into kt_session_opts. */
struct kt_judging {
	struct kt_session *session;
	struct kt_rules *rules;		/* NULL until the first identity or event; the caller frees */
	/* called for each violation as it is found; may be NULL */
	void (*violation)(void *arg, const struct kt_violation *v);
	void *arg;
	bool fed;
};

int kt_judging_block(struct kt_judging *j, const struct kt_block *b);
int kt_judging_feed(struct kt_judging *j, const struct kt_event *ev, size_t n);
/* When all was read: the facts at the end of the file count, too. */
int kt_judging_end(struct kt_judging *j);

/* The answer as a whole. */
enum kt_answer {
	KT_ANSWER_CONFORMS,		/* status 0 */
	KT_ANSWER_VIOLATED,		/* status 2 */
	KT_ANSWER_INCONCLUSIVE,		/* status 3: lost, cut, or nothing exercised */
};

struct kt_check_sum {
	enum kt_answer answer;
	unsigned int exercised, violated, late, legal, inconclusive, not_applicable;
	const char *why;		/* of an inconclusive answer */
};

/* only: bit per rule that counts; 0 = all. */
bool kt_check_wanted(uint64_t only, size_t rule);
void kt_check_sum(const struct kt_session *s, const struct kt_rules *rules, uint64_t only,
		  struct kt_check_sum *out);

#endif
