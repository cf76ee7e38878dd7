/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "order.h"

static size_t released;

static void release(void *arg, const struct kt_block *b)
{
	(void)arg;
	released++;
	free((void *)b->events);
}

static struct kt_block block(uint32_t stream, size_t n, uint64_t first_ns, uint64_t step_ns)
{
	struct kt_event *ev = calloc(n, sizeof(*ev));

	for (size_t i = 0; i < n; i++)
		ev[i] = (struct kt_event){ .ts_ns = first_ns + i * step_ns, .who = 1,
					   .kind = KT_EV_ENTRY, .pcpu = stream };
	return (struct kt_block){ .type = KT_BLOCK_EVENTS, .stream = stream, .n = n, .events = ev,
				  .first_ns = first_ns, .last_ns = first_ns + (n - 1) * step_ns };
}

struct result {
	uint64_t last_ns, events, gaps, runs;
};

static void take(struct kt_order *o, struct result *r)
{
	const struct kt_event *ev;
	size_t n;

	while ((n = kt_order_next(o, &ev))) {
		r->runs++;
		for (size_t i = 0; i < n; i++) {
			if (ev[i].kind == KT_EV_GAP) {
				r->gaps++;
				continue;
			}
			assert_true(ev[i].ts_ns >= r->last_ns);
			r->last_ns = ev[i].ts_ns;
			r->events++;
		}
	}
}

static void two_streams_interleave(void **state)
{
	struct kt_block a = block(0, 100, 1000, 10), b = block(1, 100, 1005, 10);
	struct result r = { 0 };
	struct kt_order *o;

	(void)state;
	released = 0;
	assert_int_equal(kt_order_new(release, NULL, &o), 0);
	assert_int_equal(kt_order_push(o, &a), 0);
	assert_int_equal(kt_order_push(o, &b), 0);
	take(o, &r);
	assert_int_equal(r.events, 0);	/* nothing before a mark */
	kt_order_mark(o, 1500);
	take(o, &r);
	assert_int_equal(r.events, 100);
	kt_order_mark(o, UINT64_MAX);
	take(o, &r);
	assert_int_equal(r.events, 200);
	assert_int_equal(kt_order_late(o), 0);
	kt_order_free(o);
	assert_int_equal(released, 2);
}

static void one_stream_runs_without_copies(void **state)
{
	struct kt_block a = block(3, 2048, 1000, 10);
	struct result r = { 0 };
	struct kt_order *o;

	(void)state;
	assert_int_equal(kt_order_new(release, NULL, &o), 0);
	assert_int_equal(kt_order_push(o, &a), 0);
	kt_order_mark(o, UINT64_MAX);
	take(o, &r);
	assert_int_equal(r.events, 2048);
	assert_int_equal(r.runs, 1);
	kt_order_free(o);
}

static void side_stream_is_sorted(void **state)
{
	struct kt_block a = block(0, 10, 1000, 10), s = block(KT_STREAM_SIDE, 5, 1100, 1);
	struct kt_event *ev = (struct kt_event *)s.events;
	struct result r = { 0 };
	struct kt_order *o;

	(void)state;
	/* Reserved on two CPUs, stamped the other way round. */
	ev[0].ts_ns = 1042;
	ev[1].ts_ns = 1021;
	ev[2].ts_ns = 1095;
	ev[3].ts_ns = 1001;
	assert_int_equal(kt_order_new(release, NULL, &o), 0);
	assert_int_equal(kt_order_push(o, &s), 0);
	assert_int_equal(kt_order_push(o, &a), 0);
	kt_order_mark(o, UINT64_MAX);
	take(o, &r);
	assert_int_equal(r.events, 15);
	assert_int_equal(kt_order_late(o), 0);
	kt_order_free(o);
}

static void what_comes_too_late_is_counted(void **state)
{
	struct kt_block a = block(0, 10, 1000, 10), late = block(1, 10, 1000, 10);
	struct result r = { 0 };
	struct kt_order *o;

	(void)state;
	assert_int_equal(kt_order_new(release, NULL, &o), 0);
	assert_int_equal(kt_order_push(o, &a), 0);
	kt_order_mark(o, 1050);
	take(o, &r);
	assert_int_equal(r.events, 5);
	assert_int_equal(kt_order_push(o, &late), 0);
	kt_order_mark(o, UINT64_MAX);
	take(o, &r);
	assert_int_equal(r.events + kt_order_late(o), 20);
	assert_int_equal(kt_order_late(o), 4);
	kt_order_free(o);
}

static void losses_become_gaps(void **state)
{
	struct kt_loss loss = { .from_ns = 1035, .until_ns = 1060, .stream = 0,
				.lost[KT_EV_EXIT] = 3, .lost[KT_EV_ENTRY] = 2 };
	struct kt_block a = block(0, 10, 1000, 10);
	struct kt_block l = { .type = KT_BLOCK_LOSS, .n = 1, .loss = &loss };
	struct result r = { 0 };
	struct kt_order *o;

	(void)state;
	assert_int_equal(kt_order_new(release, NULL, &o), 0);
	assert_int_equal(kt_order_push(o, &a), 0);
	assert_int_equal(kt_order_push(o, &l), 0);
	kt_order_mark(o, UINT64_MAX);
	take(o, &r);
	assert_int_equal(r.events, 10);
	assert_int_equal(r.gaps, 2);
	kt_order_free(o);
}

/* Whatever comes, nothing is invented, nothing vanishes, time never runs back. */
static void random_streams(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 300; round++) {
		struct result r = { 0 };
		uint64_t pushed = 0, clock[8] = { 0 }, mark = 0;
		struct kt_order *o;

		assert_int_equal(kt_order_new(release, NULL, &o), 0);
		for (int i = 0; i < 30; i++) {
			uint32_t s = rand() % 8;
			size_t n = 1 + rand() % 50;
			struct kt_block b = block(s == 7 ? KT_STREAM_SIDE : s, n, clock[s] + rand() % 20,
						  rand() % 7);

			clock[s] = b.last_ns;
			pushed += n;
			assert_int_equal(kt_order_push(o, &b), 0);
			if (rand() % 3 == 0) {
				mark += rand() % 100;
				kt_order_mark(o, mark);
			}
			take(o, &r);
		}
		kt_order_mark(o, UINT64_MAX);
		take(o, &r);
		assert_int_equal(r.events + kt_order_late(o), pushed);
		kt_order_free(o);
	}
}

static void streams_with_any_number(void **state)
{
	static const uint32_t numbers[] = { 0, 255, 256, 300, 40000, 65534 };
	size_t n = sizeof(numbers) / sizeof(numbers[0]);
	struct result r = { 0 };
	struct kt_order *o;

	(void)state;
	released = 0;
	assert_int_equal(kt_order_new(release, NULL, &o), 0);
	for (size_t i = 0; i < n; i++) {
		struct kt_block b = block(numbers[i], 50, 1000 + i, 10);

		assert_int_equal(kt_order_push(o, &b), 0);
	}
	kt_order_mark(o, 1250);
	take(o, &r);
	assert_int_equal(r.events, 25 * n);
	/* The rest is given back by the one who throws it away. */
	kt_order_free(o);
	assert_int_equal(released, n);
}

/* Whatever is pushed comes out or is counted, also what claims to be from the end of time. */
static void the_last_time_of_all(void **state)
{
	struct kt_block a = block(3, 10, UINT64_MAX - 4, 1), side = block(KT_STREAM_SIDE, 1, UINT64_MAX, 0);
	struct result r = { 0 };
	struct kt_order *o;

	(void)state;
	/* Of its ten the fifth is at the last time, and after it time begins again. */
	released = 0;
	assert_int_equal(kt_order_new(release, NULL, &o), 0);
	assert_int_equal(kt_order_push(o, &a), 0);
	assert_int_equal(kt_order_push(o, &side), 0);
	kt_order_mark(o, UINT64_MAX);
	take(o, &r);
	assert_int_equal(r.events, 4);
	assert_int_equal(kt_order_late(o), 7);
	assert_int_equal(released, 2);
	kt_order_free(o);
}

/* Many are made and thrown away by a fuzzer, few of them with many streams. */
static void an_order_costs_what_is_in_it(void **state)
{
	clock_t start = clock();

	(void)state;
	for (int i = 0; i < 50000; i++) {
		struct kt_order *o;

		assert_int_equal(kt_order_new(release, NULL, &o), 0);
		kt_order_free(o);
	}
	assert_true((clock() - start) / CLOCKS_PER_SEC < 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_streams_interleave), cmocka_unit_test(one_stream_runs_without_copies),
		cmocka_unit_test(side_stream_is_sorted), cmocka_unit_test(what_comes_too_late_is_counted),
		cmocka_unit_test(losses_become_gaps), cmocka_unit_test(random_streams),
		cmocka_unit_test(streams_with_any_number), cmocka_unit_test(the_last_time_of_all),
		cmocka_unit_test(an_order_costs_what_is_in_it),
	};

	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
