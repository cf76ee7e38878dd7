/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "exits.h"

/* Every kind, every field at its extremes: printed and read back, it is the same event. */
static void text_round_trip(void **state)
{
	static const uint64_t values[] = { 0, 1, UINT64_MAX };
	union kt_line_value v;
	const char *what;
	char text[512];

	(void)state;
	for (unsigned int kind = 1; kind < KT_EV_NR; kind++) {
		for (size_t i = 0; i < 3; i++) {
			struct kt_event ev = { .ts_ns = 1234567890123, .who = 0x40001, .kind = kind,
					       .sub = KT_SUB(KT_VTIMER, 0), .pcpu = 65535 };

			for (const struct kt_field *f = kt_kind_fields(kind); f->name; f++)
				kt_field_set(&ev, f, values[i]);
			assert_true(kt_event_format(&ev, text, sizeof(text)) < (int)sizeof(text));
			assert_int_equal(kt_event_parse(text, strlen(text), &v, &what), KT_LINE_EVENT);
			assert_memory_equal(&v.event, &ev, sizeof(ev));
		}
	}
}

static void who_is_written(void **state)
{
	static const struct { uint32_t who; const char *text; } whos[] = {
		{ 0x7fffffff, "0x7fffffff" }, { KT_WHO_TID | 42, "tid:42" }, { KT_WHO_NONE, "-" },
	};
	union kt_line_value v;
	const char *what;
	char text[128];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "10 cpu0 %s entry", whos[i].text);
		assert_int_equal(kt_event_parse(text, strlen(text), &v, &what), KT_LINE_EVENT);
		assert_int_equal(v.event.who, whos[i].who);
	}
}

static void mistakes_are_pointed_at(void **state)
{
	static const struct { const char *line, *at; } bad[] = {
		{ "1000 cpu0 0x1 frobnicate", "frobnicate" },
		{ "1000 cpu0 0x1 entry pc=zzz", "pc=zzz" },
		{ "1000 cpu0 0x1 entry colour=1", "colour=1" },
		{ "1000 cpu70000 0x1 entry", "cpu70000" },
		{ "1000 cpu0 0xffffffff entry", "0xffffffff" },
		{ "1000 cpu0 0x1 update_irq.xtimer", "update_irq.xtimer" },
		{ "1000 cpu0 0x1 update_irq.vtimer level=256", "level=256" },
		{ "ident tid:3 tgid=1", "tid:3" },
		{ "ident 0x1 comm=\"longer than sixteen\"", "comm=" },
		{ "loss stream=0 frobnicate=3", "frobnicate=3" },
		{ "loss stream=0 from=2 until=1", "until=1" },
		{ "fact nothing", "nothing" },
	};
	union kt_line_value v;
	const char *what;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(kt_event_parse(bad[i].line, strlen(bad[i].line), &v, &what), -EINVAL);
		assert_memory_equal(what, bad[i].at, strlen(bad[i].at));
	}
}

static void empty_lines(void **state)
{
	union kt_line_value v;
	const char *what;

	(void)state;
	assert_int_equal(kt_event_parse("", 0, &v, &what), KT_LINE_EMPTY);
	assert_int_equal(kt_event_parse("  \t", 3, &v, &what), KT_LINE_EMPTY);
	assert_int_equal(kt_event_parse("# a story", 9, &v, &what), KT_LINE_EMPTY);
}

static void timer_lists(void **state)
{
	uint8_t mask = 0;

	(void)state;
	assert_int_equal(kt_parse_timers("v,p", &mask), 0);
	assert_int_equal(mask, 1 << KT_VTIMER | 1 << KT_PTIMER);
	assert_int_equal(kt_parse_timers("hvtimer", &mask), 0);
	assert_int_equal(mask, 1 << KT_HVTIMER);
	assert_int_equal(kt_parse_timers("v,x", &mask), -EINVAL);
	assert_int_equal(kt_parse_timers("", &mask), -EINVAL);
}

static void exit_causes(void **state)
{
	static const struct { uint8_t code; uint32_t esr; enum kt_exit_cause cause; } exits[] = {
		{ KT_EXIT_IRQ, 0x58000000, KT_CAUSE_IRQ_OTHER },	/* a stale class */
		{ KT_EXIT_SERROR, 0, KT_CAUSE_SERROR },
		{ KT_EXIT_TRAP, 0x58000000, KT_CAUSE_HVC },
		{ KT_EXIT_TRAP, 0x5e000000, KT_CAUSE_SMC },
		{ KT_EXIT_TRAP, 0x04000000, KT_CAUSE_WFI },
		{ KT_EXIT_TRAP, 0x04000001, KT_CAUSE_WFE },
		{ KT_EXIT_TRAP, 0x6232f843, KT_CAUSE_SYSREG_TIMER },	/* Op0 3, CRn 14, CRm 1 */
		{ KT_EXIT_TRAP, 0x62300401, KT_CAUSE_SYSREG_OTHER },
		{ KT_EXIT_TRAP, 0x93810045, KT_CAUSE_ABORT_DATA },
		{ KT_EXIT_TRAP, 0x82000006, KT_CAUSE_ABORT_INSN },
		{ KT_EXIT_IL, 0, KT_CAUSE_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
		struct kt_event ev = { .kind = KT_EV_EXIT, .run.code = exits[i].code,
				       .run.esr = exits[i].esr };

		assert_int_equal(kt_exit_cause(&ev), exits[i].cause);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_round_trip), cmocka_unit_test(who_is_written),
		cmocka_unit_test(mistakes_are_pointed_at), cmocka_unit_test(empty_lines),
		cmocka_unit_test(timer_lists), cmocka_unit_test(exit_causes),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
