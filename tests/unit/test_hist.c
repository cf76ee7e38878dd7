/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "hist.h"

static void empty(void **state)
{
	struct kt_hist h;

	(void)state;
	kt_hist_init(&h);
	assert_int_equal(kt_hist_percentile_ns(&h, 500), 0);
}

static void percentiles_are_within_an_eighth(void **state)
{
	struct kt_hist h, other;

	(void)state;
	kt_hist_init(&h);
	kt_hist_init(&other);
	for (uint64_t i = 1; i <= 100000; i++)
		kt_hist_add(i % 2 ? &h : &other, i * 10);
	kt_hist_merge(&h, &other);
	assert_int_equal(h.count, 100000);
	assert_int_equal(h.min_ns, 10);
	assert_int_equal(h.max_ns, 1000000);
	for (unsigned int p = 10; p <= 1000; p += 10) {
		int64_t want = (int64_t)p * 1000, got = kt_hist_percentile_ns(&h, p);

		assert_true(llabs(got - want) <= want / 8 + 1);
	}
}

static void extremes(void **state)
{
	struct kt_hist h;

	(void)state;
	kt_hist_init(&h);
	kt_hist_add(&h, 0);
	kt_hist_add(&h, UINT64_MAX);
	assert_int_equal(kt_hist_percentile_ns(&h, 1), 0);
	assert_true(kt_hist_percentile_ns(&h, 1000) > UINT64_MAX / 8 * 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty), cmocka_unit_test(percentiles_are_within_an_eighth),
		cmocka_unit_test(extremes),
	};

	return cmocka_run_group_tests_name("hist", tests, NULL, NULL);
}
