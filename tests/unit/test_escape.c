/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text from outside: what is printed as it is, what is not, and where it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "escape.h"

static void harmful_bytes_become_escapes(void **state)
{
	static const struct { const char *text, *safe; } cases[] = {
		{ "plain", "plain" },
		{ "\033[31m", "\\x1b[31m" },
		{ "a\\b", "a\\\\b" },
		{ "\xc3\xa4", "\xc3\xa4" },		/* ä */
		{ "\xc3", "\\xc3" },			/* half of it */
		{ "\xc0\x80", "\\xc0\\x80" },		/* a NUL in two bytes */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },	/* a surrogate */
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae" },	/* turns the text around */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },	/* past the last character */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(kt_safe(cases[i].text), cases[i].safe);
}

static void a_small_buffer_cuts_between_characters(void **state)
{
	char out[8];

	(void)state;
	for (size_t size = 1; size <= sizeof(out); size++) {
		size_t n = kt_escape("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 8, out, size);

		assert_int_equal(n, (size - 1) / 2 * 2);
		assert_int_equal(strlen(out), n);
	}
}

static void columns_are_cut_between_characters(void **state)
{
	static const struct { const char *safe; size_t columns, bytes, used; } cases[] = {
		{ "abc", 2, 2, 2 },
		{ "abc", 9, 3, 3 },
		{ "\xc3\xa4\xc3\xa4", 1, 2, 1 },
		{ "x\xc3\xa4", 1, 1, 1 },
		{ "\xe6\xbc\xa2\xe5\xad\x97", 3, 3, 2 },	/* two wide ones in three columns */
		{ "ab\\x1b", 5, 2, 2 },
		{ "ab\\x1b", 6, 6, 6 },
		{ "ab\\\\", 3, 2, 2 },
		{ "e\xcc\x81", 1, 3, 1 },			/* e with an accent of its own */
		{ "\\", 1, 1, 1 },
		{ "", 3, 0, 0 },
	};
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(kt_cut(cases[i].safe, strlen(cases[i].safe), cases[i].columns, &used),
				 cases[i].bytes);
		assert_int_equal(used, cases[i].used);
	}
}

static void a_column_is_filled_exactly(void **state)
{
	char marks[1000 * 2 + 1];

	(void)state;
	assert_string_equal(kt_fit("ab", 4), "ab  ");
	assert_string_equal(kt_fit("abcdef", 4), "abcd");
	assert_string_equal(kt_fit("\xe6\xbc\xa2\xe5\xad\x97", 3), "\xe6\xbc\xa2 ");
	for (size_t i = 0; i < 1000; i++)
		memcpy(marks + 2 * i, "\xcc\x81", 3);
	assert_string_equal(kt_fit(marks, 4), "    ");
	assert_int_equal(strlen(kt_fit("", 1000)), 64);
}

static void ascii_only_when_asked(void **state)
{
	(void)state;
	kt_safe_ascii(true);
	assert_string_equal(kt_safe("\xc3\xa4x"), "\\xc3\\xa4x");
	kt_safe_ascii(false);
	assert_string_equal(kt_safe("\xc3\xa4x"), "\xc3\xa4x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(harmful_bytes_become_escapes),
		cmocka_unit_test(a_small_buffer_cuts_between_characters),
		cmocka_unit_test(columns_are_cut_between_characters),
		cmocka_unit_test(a_column_is_filled_exactly),
		cmocka_unit_test(ascii_only_when_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
