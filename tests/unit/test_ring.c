/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reading end of the rings, against a writer that plays the BPF program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../cli/ring.h"

#define CPUS 2
#define SLOTS 16

static struct kt_cpu cpus[CPUS];
static struct kt_event slots[CPUS * SLOTS];
static uint64_t produced[CPUS], taken[CPUS], lost[CPUS];
static int sink_err;

static void produce(uint32_t cpu, size_t n)
{
	struct kt_cpu *c = &cpus[cpu];

	for (; n; n--) {
		produced[cpu]++;
		if (c->head - c->tail >= SLOTS) {
			c->lost[KT_EV_EXIT]++;
			continue;
		}
		slots[cpu * SLOTS + c->head % SLOTS].run.pc = produced[cpu];
		c->head++;
	}
}

static int on_events(void *arg, uint32_t cpu, const struct kt_event *ev, size_t n)
{
	uint64_t *last = arg;

	if (sink_err)
		return sink_err;
	for (size_t i = 0; i < n; i++) {
		assert_true(ev[i].run.pc > last[cpu]);	/* in order, none twice */
		last[cpu] = ev[i].run.pc;
	}
	taken[cpu] += n;
	return 0;
}

static uint64_t lost_from_ns, lost_until_ns, clock_now_ns;

static int on_loss(void *arg, const struct kt_loss *l)
{
	(void)arg;
	lost[l->stream] += l->lost[KT_EV_EXIT];
	lost_from_ns = l->from_ns;
	lost_until_ns = l->until_ns;
	return 0;
}

static uint64_t clock_ns(void *arg)
{
	(void)arg;
	return clock_now_ns;
}

static int setup(void **state)
{
	(void)state;
	memset(cpus, 0, sizeof(cpus));
	memset(produced, 0, sizeof(produced));
	memset(taken, 0, sizeof(taken));
	memset(lost, 0, sizeof(lost));
	sink_err = 0;
	return 0;
}

static void a_slot_waits_one_pass(void **state)
{
	uint64_t last[CPUS] = { 0 };
	struct kt_rings_sink sink = { last, on_events, on_loss, clock_ns };
	struct kt_rings *r;

	(void)state;
	assert_int_equal(kt_rings_new(cpus, CPUS, slots, SLOTS, &r), 0);
	produce(0, 5);
	assert_int_equal(kt_rings_drain(r, 100, false, &sink), 0);
	assert_int_equal(taken[0], 0);
	produce(0, 3);
	assert_int_equal(kt_rings_drain(r, 200, false, &sink), 0);
	assert_int_equal(taken[0], 5);
	assert_int_equal(kt_rings_watermark_ns(r), 0);
	assert_int_equal(kt_rings_drain(r, 300, false, &sink), 0);
	assert_int_equal(taken[0], 8);
	assert_int_equal(kt_rings_watermark_ns(r), 100);
	kt_rings_free(r);
}

static void seen_and_lost_make_produced(void **state)
{
	uint64_t last[CPUS] = { 0 };
	struct kt_rings_sink sink = { last, on_events, on_loss, clock_ns };
	struct kt_rings *r;

	(void)state;
	srand(2);
	assert_int_equal(kt_rings_new(cpus, CPUS, slots, SLOTS, &r), 0);
	for (int i = 1; i < 2000; i++) {
		produce(0, rand() % 20);
		produce(1, rand() % 5);
		assert_int_equal(kt_rings_drain(r, i, false, &sink), 0);
	}
	assert_int_equal(kt_rings_drain(r, 3000, true, &sink), 0);
	assert_true(lost[0] > 0);
	for (int cpu = 0; cpu < CPUS; cpu++)
		assert_int_equal(taken[cpu] + lost[cpu], produced[cpu]);
	assert_int_equal(kt_rings_taken(r), taken[0] + taken[1]);
	assert_int_equal(kt_rings_lost(r), lost[0] + lost[1]);
	kt_rings_free(r);
}

static void a_failing_sink_loses_nothing(void **state)
{
	uint64_t last[CPUS] = { 0 };
	struct kt_rings_sink sink = { last, on_events, on_loss, clock_ns };
	struct kt_rings *r;

	(void)state;
	assert_int_equal(kt_rings_new(cpus, CPUS, slots, SLOTS, &r), 0);
	produce(0, 10);
	assert_int_equal(kt_rings_drain(r, 1, false, &sink), 0);
	sink_err = -ENOSPC;
	assert_int_equal(kt_rings_drain(r, 2, false, &sink), -ENOSPC);
	sink_err = 0;
	assert_int_equal(kt_rings_drain(r, 3, true, &sink), 0);
	assert_int_equal(taken[0], 10);
	kt_rings_free(r);
}

/* The recorder was stopped between its look at the clock and its look at the counters. */
static void a_loss_ends_when_its_counters_were_read(void **state)
{
	uint64_t last[CPUS] = { 0 };
	struct kt_rings_sink sink = { last, on_events, on_loss, clock_ns };
	struct kt_rings *r;

	(void)state;
	assert_int_equal(kt_rings_new(cpus, CPUS, slots, SLOTS, &r), 0);
	assert_int_equal(kt_rings_drain(r, 100, false, &sink), 0);
	produce(0, SLOTS + 3);
	clock_now_ns = 5000;
	assert_int_equal(kt_rings_drain(r, 200, false, &sink), 0);
	assert_int_equal(lost[0], 3);
	assert_int_equal(lost_from_ns, 100);
	assert_int_equal(lost_until_ns, 5000);
	kt_rings_free(r);
}

static void what_is_lost_after_the_end_is_not_counted(void **state)
{
	uint64_t last[CPUS] = { 0 };
	struct kt_rings_sink sink = { last, on_events, on_loss, clock_ns };
	struct kt_rings *r;

	(void)state;
	assert_int_equal(kt_rings_new(cpus, CPUS, slots, SLOTS, &r), 0);
	produce(0, SLOTS + 3);
	kt_rings_end(r);
	produce(0, 4);
	assert_int_equal(kt_rings_drain(r, 200, true, &sink), 0);
	assert_int_equal(lost[0], 3);
	assert_int_equal(kt_rings_lost(r), 3);
	kt_rings_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_loss_ends_when_its_counters_were_read, setup),
		cmocka_unit_test_setup(what_is_lost_after_the_end_is_not_counted, setup),
		cmocka_unit_test_setup(a_slot_waits_one_pass, setup),
		cmocka_unit_test_setup(seen_and_lost_make_produced, setup),
		cmocka_unit_test_setup(a_failing_sink_loses_nothing, setup),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
