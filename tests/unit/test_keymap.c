/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys to indexes: what was put in comes out, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keymap.h"

static void an_empty_map_knows_nothing(void **state)
{
	struct kt_keymap m = { 0 };

	(void)state;
	assert_int_equal(kt_keymap_get(&m, 0, 0), UINT32_MAX);
	kt_keymap_free(&m);
}

/* Pointers as the kernel gives them: far apart, alike in their low bits; and small numbers. */
static void every_key_finds_its_index(void **state)
{
	struct kt_keymap m = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		uint64_t a = i & 1 ? i : 0xffff000000000000ull + ((uint64_t)i << 13);

		assert_int_equal(kt_keymap_get(&m, a, i % 3), UINT32_MAX);
		assert_int_equal(kt_keymap_add(&m, a, i % 3, i), 0);
	}
	assert_int_equal(m.n, 20000);
	for (uint32_t i = 0; i < 20000; i++) {
		uint64_t a = i & 1 ? i : 0xffff000000000000ull + ((uint64_t)i << 13);

		assert_int_equal(kt_keymap_get(&m, a, i % 3), i);
		assert_int_equal(kt_keymap_get(&m, a, 3), UINT32_MAX);
	}
	kt_keymap_free(&m);
	assert_int_equal(m.n, 0);
}

static void both_parts_of_a_key_count(void **state)
{
	struct kt_keymap m = { 0 };

	(void)state;
	assert_int_equal(kt_keymap_add(&m, 0, 0, 7), 0);
	assert_int_equal(kt_keymap_add(&m, 0, 1, 8), 0);
	assert_int_equal(kt_keymap_add(&m, UINT64_MAX, UINT32_MAX, 9), 0);
	assert_int_equal(kt_keymap_get(&m, 0, 0), 7);
	assert_int_equal(kt_keymap_get(&m, 0, 1), 8);
	assert_int_equal(kt_keymap_get(&m, 1, 0), UINT32_MAX);
	assert_int_equal(kt_keymap_get(&m, UINT64_MAX, UINT32_MAX), 9);
	kt_keymap_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_knows_nothing),
		cmocka_unit_test(every_key_finds_its_index),
		cmocka_unit_test(both_parts_of_a_key_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
