/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "num.h"

static void numbers(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_int_equal(kt_parse_u64("0", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(kt_parse_u64("0x1f", &v), 0);
	assert_int_equal(v, 31);
	assert_int_equal(kt_parse_u64("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
}

static void not_numbers(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "12abc", "0x", "1.5", "abc" };
	uint64_t v = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(kt_parse_u64(bad[i], &v), -EINVAL);
		assert_int_equal(v, 7);
	}
	assert_int_equal(kt_parse_u64("18446744073709551616", &v), -ERANGE);
}

static void durations(void **state)
{
	static const struct { const char *text; uint64_t ns; } good[] = {
		{ "7ns", 7 }, { "3us", 3000 }, { "5.5ms", 5500000 }, { "10s", 10000000000 },
		{ "2m", 120000000000 }, { "1h", 3600000000000 }, { "0s", 0 }, { "0.000001s", 1000 },
	};
	static const char *const bad[] = { "10", "s", "5.ms", "1.5.5s", "10 s", "10S", "1.0000000001s" };
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(kt_parse_duration(good[i].text, &v), 0);
		assert_true(v == good[i].ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(kt_parse_duration(bad[i], &v), -EINVAL);
	assert_int_equal(kt_parse_duration("99999999999h", &v), -ERANGE);
}

static void sizes_and_masks(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(kt_parse_size("64K", &v), 0);
	assert_int_equal(v, 65536);
	assert_int_equal(kt_parse_size("1.5M", &v), 0);
	assert_int_equal(v, 1572864);
	assert_int_equal(kt_parse_size("4k", &v), -EINVAL);
	assert_int_equal(kt_parse_mask64("0-3,7", &v), 0);
	assert_int_equal(v, 0x8f);
	assert_int_equal(kt_parse_mask64("0-63", &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(kt_parse_mask64("64", &v), -ERANGE);
	assert_int_equal(kt_parse_mask64("3-1", &v), -EINVAL);
	assert_int_equal(kt_parse_mask64("1,", &v), -EINVAL);
	assert_int_equal(kt_parse_mask64("1x", &v), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers), cmocka_unit_test(not_numbers), cmocka_unit_test(durations),
		cmocka_unit_test(sizes_and_masks),
	};

	return cmocka_run_group_tests_name("num", tests, NULL, NULL);
}
