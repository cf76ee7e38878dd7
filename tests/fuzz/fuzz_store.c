/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole reading side on hostile bytes: reader, order, model with lanes, rules. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "model.h"
#include "order.h"
#include "rules.h"
#include "store_private.h"

static void release(void *arg, const struct kt_block *b)
{
	kt_reader_release(arg, b);
}

static void on_change(void *arg, const struct kt_change *c)
{
	uint64_t *steps = arg;

	/* The one promise that every picture rests on. */
	if (c->lo_ns > c->hi_ns || c->lane >= KT_LANE_ALL)
		abort();
	++*steps;
}

static void feed(struct kt_order *o, struct kt_model *m, struct kt_rules *rules)
{
	const struct kt_event *ev;
	size_t n;

	while ((n = kt_order_next(o, &ev)))
		if (kt_model_feed(m, ev, n) || kt_rules_feed(rules, ev, n))
			return;
}

static void read_all(struct kt_store_reader *r, struct kt_order *o, struct kt_model *m,
		     struct kt_rules *rules)
{
	struct kt_block b;

	while (kt_reader_next(r, &b) > 0) {
		switch (b.type) {
		case KT_BLOCK_IDENT:
			kt_model_idents(m, b.idents, b.n);
			kt_rules_idents(rules, b.idents, b.n);
			break;
		case KT_BLOCK_NAME:
			kt_model_name(m, b.name);
			break;
		case KT_BLOCK_CLOCK:
			kt_model_clock(m, b.clock, b.n);
			break;
		case KT_BLOCK_EVENTS:
		case KT_BLOCK_LOSS:
			kt_order_push(o, &b);
			break;
		case KT_BLOCK_MARK:
			kt_order_mark(o, b.first_ns);
			break;
		default:
			break;
		}
		feed(o, m, rules);
	}
	kt_order_mark(o, UINT64_MAX);
	feed(o, m, rules);
	kt_model_finish(m);
}

/* A verdict rests on what was seen: never more broken than exercised. */
static void look_at(const struct kt_rules *rules)
{
	struct kt_rule_result res;

	for (size_t i = 0; i < kt_rule_nr(); i++) {
		kt_rules_result(rules, i, &res);
		if (res.violated > res.exercised || (res.violated && res.verdict != KT_VERDICT_VIOLATED))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t steps = 0;
	struct kt_model_sink sink = { .arg = &steps, .change = on_change };
	struct kt_model_opts mo = { .sink = &sink };
	struct input in = { data, size, .most = size };
	struct kt_store_reader *r;
	struct kt_rules *rules;
	struct kt_model *m;
	struct kt_order *o;

	if (kt_reader_new(input_take, &in, "fuzz", &r))
		return 0;
	if (!kt_reader_start(r) && !kt_model_new(&mo, &m)) {
		struct kt_rules_opts ro = { .model = m, .facts = kt_reader_facts(r) };

		if (!kt_order_new(release, r, &o)) {
			if (!kt_rules_new(&ro, &rules)) {
				read_all(r, o, m, rules);
				look_at(rules);
				kt_rules_free(rules);
			}
			kt_order_free(o);
		}
		kt_model_free(m);
	}
	kt_reader_close(r);
	return 0;
}
