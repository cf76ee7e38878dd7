/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reference machine, hook by hook: what each semantics does to list
 * registers and physical active bits, and that it traces what the lab's
 * kernels trace, in their order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "event.h"
#include "scenario.h"

struct bench {
	struct kt_machine m;
	struct kt_machine_out out;
	char trace[8192];
};

/* "restore.vtimer", with "@host-irq" and "=level" where they mean something */
static void note(void *arg, const struct kt_event *ev)
{
	struct bench *b = arg;
	const char *at = kt_at_name(ev->kind, KT_SUB_AT(ev->sub));
	size_t n = strlen(b->trace);

	assert_true(kt_event_valid(ev));
	n += snprintf(b->trace + n, sizeof(b->trace) - n, "%s%s", n ? " " : "", kt_kind_name(ev->kind));
	if (KT_SUB_TIMER(ev->sub) < KT_TIMER_NR)
		n += snprintf(b->trace + n, sizeof(b->trace) - n, ".%c",
			      *kt_timer_name(KT_SUB_TIMER(ev->sub)));
	if (at && (KT_SUB_AT(ev->sub) || ev->kind == KT_EV_LR))
		n += snprintf(b->trace + n, sizeof(b->trace) - n, "@%s", at);
	if (ev->kind == KT_EV_UPDATE_IRQ || ev->kind == KT_EV_WIRE)
		snprintf(b->trace + n, sizeof(b->trace) - n, "=%u", ev->level.level);
	else if (ev->kind == KT_EV_IRQCHIP)
		snprintf(b->trace + n, sizeof(b->trace) - n, "=%u", ev->irqchip.val);
}

static void start(struct bench *b, enum kt_semantics s, const struct kt_machine_opts *more)
{
	struct kt_machine_opts opts = more ? *more : (struct kt_machine_opts){ 0 };

	opts.semantics = s;
	assert_int_equal(kt_machine_init(&b->m, &opts), 0);
	kt_machine_out_init(&b->out);
	b->out.event = note;
	b->out.arg = b;
	b->trace[0] = '\0';
}

/* Acts a story written as scenario lines, on the bench's machine; what it traced is left in trace. */
static void act(struct bench *b, const char *story)
{
	struct kt_scenario_error err;
	struct kt_scenario s;

	b->trace[0] = '\0';
	assert_int_equal(kt_scenario_parse(story, strlen(story), &s, &err), 0);
	for (size_t i = 0; i < s.nr_steps; i++) {
		struct kt_step step = s.step[i].step;

		if (step.op == KT_OP_LOAD && step.arg == KT_MACHINE_CPUS)
			step.arg = b->m.vcpu[step.vcpu].cpu;
		b->out.due_ns = s.step[i].due_ns;
		if (kt_machine_step(&b->m, step, &b->out))
			fail_msg("line %u is not possible: %s", s.step[i].line, kt_op_name(step.op));
	}
	kt_scenario_free(&s);
}

/* Masked, fired, and in a list register: where the seed's defect begins. */
#define FIRED "load\nenter\nmask\nprogram 1ms\nenable\nexpire\nenter\n"

static void test_refuses_what_cannot_be(void **state)
{
	struct kt_machine_opts nvhe = { .nvhe = true }, ptimer = { .timers = 3 }, big = { .nr_vcpus = 3 };
	struct kt_machine before;
	struct bench b;

	(void)state;
	start(&b, KT_SEM_MAPPED, NULL);
	before = b.m;
	for (unsigned int op = 0; op <= KT_OP_NR; op++) {
		struct kt_step s = { .op = op, .timer = KT_VTIMER };
		int want = op == KT_OP_NR ? -EINVAL : -EPERM;

		if (op != KT_OP_LOAD)	/* all else needs a loaded vCPU, an armed timer, a sleeper */
			assert_int_equal(kt_machine_step(&b.m, s, &b.out), want);
	}
	assert_int_equal(kt_machine_step(&b.m, (struct kt_step){ .op = KT_OP_LOAD, .vcpu = 1 }, NULL), -EINVAL);
	assert_int_equal(kt_machine_step(&b.m, (struct kt_step){ .op = KT_OP_LOAD, .arg = 1 }, NULL), -EINVAL);
	assert_int_equal(kt_machine_step(&b.m, (struct kt_step){ .op = KT_OP_ENABLE, .timer = KT_PTIMER }, NULL), -EINVAL);
	assert_memory_equal(&before, &b.m, sizeof(before));
	assert_string_equal(b.trace, "");

	for (unsigned int s = 0; s < KT_SEM_MAPPED; s++) {
		ptimer.semantics = nvhe.semantics = big.semantics = s;
		assert_int_equal(kt_machine_init(&b.m, &ptimer), -EINVAL);
		assert_int_equal(kt_machine_init(&b.m, &nvhe), -EINVAL);
		assert_int_equal(kt_machine_init(&b.m, &big), -EINVAL);
	}
	assert_int_equal(kt_semantics_parse("edge"), KT_SEM_EDGE);
	assert_int_equal(kt_semantics_parse("edgy"), -EINVAL);
}

/* Whoever listens changes nothing: the state is what a model checker may store and compare. */
static void test_state_is_flat_and_deterministic(void **state)
{
	(void)state;
	assert_true(sizeof(struct kt_machine) <= 256);
	for (unsigned int s = 0; s < KT_SEM_NR; s++) {
		struct bench heard, unheard;

		start(&heard, s, NULL);
		start(&unheard, s, NULL);
		unheard.out.event = NULL;
		act(&heard, "load\nenter\nprogram soon\nenable\n");
		act(&unheard, "load\nenter\nprogram soon\nenable\n");
		assert_memory_equal(&heard.m, &unheard.m, sizeof(heard.m));
	}
}

/* ---- the list register and the physical interrupt ---- */

struct after {
	enum kt_semantics semantics;
	unsigned int lr_1, phys_1;	/* after one exit since the cancel, and the next entry */
	unsigned int lr_2, phys_2;	/* after two */
};

static void test_cancelled_while_pending(void **state)
{
	static const struct after rows[] = {
		/* Nothing ever looks at the line. */
		{ KT_SEM_EDGE, KT_MLR_PENDING, 1, KT_MLR_PENDING, 1 },
		/* Sync finds the physical interrupt active and returns; flush then clears it. */
		{ KT_SEM_LEVEL, KT_MLR_PENDING, 0, 0, 0 },
		/* Sync clears it, flush sets it again for what it presents: never looked at. */
		{ KT_SEM_LEVEL_SYNC_CLEAR, KT_MLR_PENDING, 1, KT_MLR_PENDING, 1 },
		{ KT_SEM_LAZY, 0, 0, 0, 0 },
		{ KT_SEM_MAPPED, 0, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench b;

		start(&b, rows[i].semantics, NULL);
		act(&b, FIRED);
		assert_int_equal(b.m.vcpu[0].lr[0].state, KT_MLR_PENDING);
		assert_int_equal(b.m.cpu[0].active[KT_VTIMER], 1);
		act(&b, "disable\nhvc\nenter\n");
		assert_int_equal(b.m.vcpu[0].lr[0].state, rows[i].lr_1);
		assert_int_equal(b.m.cpu[0].active[KT_VTIMER], rows[i].phys_1);
		act(&b, "hvc\nenter\n");
		assert_int_equal(b.m.vcpu[0].lr[0].state, rows[i].lr_2);
		assert_int_equal(b.m.cpu[0].active[KT_VTIMER], rows[i].phys_2);
	}
}

/* An EOI of a HW list register deactivates both; a timer still up fires again at once. */
static void test_eoi_deactivates_physically(void **state)
{
	(void)state;
	for (unsigned int s = 0; s <= KT_SEM_MAPPED; s++) {
		struct bench b;

		start(&b, s, NULL);
		act(&b, FIRED "ack\n");
		assert_int_equal(b.m.vcpu[0].lr[0].state, KT_MLR_ACTIVE);
		act(&b, "disable\neoi\n");
		assert_int_equal(b.m.cpu[0].active[KT_VTIMER], 0);
		assert_int_equal(b.m.vcpu[0].where, KT_IN_GUEST);
		start(&b, s, NULL);
		act(&b, FIRED "ack\neoi\n");
		assert_int_equal(b.m.vcpu[0].where, KT_IN_HOST);	/* exited by the timer */
		act(&b, "enter\n");
		assert_int_equal(b.m.vcpu[0].lr[0].state, KT_MLR_PENDING);
	}
}

/* A vCPU's list register decides the physical active bit of the CPU that it comes to. */
static void test_load_mirrors_active(void **state)
{
	struct kt_machine_opts two = { .nr_cpus = 2 };
	struct bench b;

	(void)state;
	for (unsigned int s = KT_SEM_LAZY; s <= KT_SEM_MAPPED; s++) {
		start(&b, s, &two);
		act(&b, FIRED "ack\ndisable\npreempt\n");
		assert_int_equal(b.m.vcpu[0].irq[KT_VTIMER].active, 1);
		assert_int_equal(kt_machine_step(&b.m, (struct kt_step){ .op = KT_OP_LOAD, .arg = 1 }, &b.out), 0);
		assert_int_equal(b.m.cpu[1].active[KT_VTIMER], 1);
	}
}

/* Seed 002: each save and restore happens once, whether or not the thread sleeps. */
static void test_blocking_saves_once(void **state)
{
	struct bench b;

	(void)state;
	start(&b, KT_SEM_LAZY, NULL);
	act(&b, "load\nenter\nprogram 9ms\nenable\n");
	act(&b, "wfi\nkick\nwake\n");
	assert_string_equal(b.trace, "exit wfx save.v restore.v wakeup");
	act(&b, "enter\n");
	act(&b, "wfi\nsleep\nexpire\nload\nwake\n");
	assert_string_equal(b.trace, "exit wfx save.v bg_expire@soft-timer irqchip.v=0 restore.v "
			    "update_irq.v@host-irq=1 vgic_update.v@host-irq wakeup");
	start(&b, KT_SEM_MAPPED, NULL);
	act(&b, "load\nenter\nprogram 9ms\nenable\n");
	act(&b, "wfi\nkick\nwake\n");
	assert_string_equal(b.trace, "exit wfx wakeup");
}

/* ---- as traced by Linux 6.12 in the lab (VHE, GICv3) ---- */

#define LOAD_V(level) "map update_irq.v=" level " vgic_update.v irqchip.v=" level \
	" update_irq.p=0 vgic_update.p irqchip.p=0"
#define LOAD(level) LOAD_V(level) " restore.v restore.p"

static void test_traces_like_6_12(void **state)
{
	struct bench b;

	(void)state;
	start(&b, KT_SEM_MAPPED, NULL);
	act(&b, "load\n");
	assert_string_equal(b.trace, LOAD_V("0") " offset.v restore.v offset.p restore.p");
	act(&b, "enter\nmask\nprogram 1ms\nenable\nexpire\n");
	assert_string_equal(b.trace, "entry map@host-irq update_irq.v@host-irq=1 "
			    "vgic_update.v@host-irq exit");
	act(&b, "enter\ndisable\nhvc\n");
	assert_string_equal(b.trace, "lr.v@flush entry lr.v@fold-in wire.v=0 irqchip.v=0 "
			    "lr.v@fold-out exit");
	act(&b, "enter\nmmio\nload\n");
	assert_string_equal(b.trace, "lr.v@flush entry exit map save.v save.p user_exit " LOAD("0"));
	act(&b, "enter\nprogram 9ms\nenable\nwfi\nsleep\nexpire\nload\nwake\nenter\n");
	assert_string_equal(b.trace, "entry exit wfx map save.v save.p map bg_expire@soft-timer "
			    LOAD("1") " wakeup lr.v@flush entry");
}

static void test_traces_like_6_12_userspace(void **state)
{
	struct bench b;

	(void)state;
	start(&b, KT_SEM_USERSPACE, NULL);
	act(&b, "load\nenter\nmask\nhvc\n");
	act(&b, "enter\nprogram 1ms\nenable\nexpire\nenter\n");
	/* The sync of an exit publishes 0 unless the timer fires; then the handler, then no entry. */
	assert_string_equal(b.trace, "entry map@host-irq update_irq.v@host-irq=1 exit "
			    "map save.v save.p user_exit");
	assert_int_equal(b.m.vcpu[0].device_irq_level, 1);
	act(&b, "load\n");
	assert_string_equal(b.trace, "map update_irq.v=1 irqchip.v=1 update_irq.p=0 irqchip.p=0 "
			    "restore.v restore.p");
	act(&b, "enter\ndisable\nmmio\n");
	assert_string_equal(b.trace, "entry update_irq.v=0 irqchip.v=0 exit map save.v save.p user_exit");
	assert_int_equal(b.m.vcpu[0].device_irq_level, 0);
}

static void test_traces_like_6_12_nvhe(void **state)
{
	struct kt_machine_opts nvhe = { .nvhe = true, .timers = 3 };
	struct bench b;

	(void)state;
	start(&b, KT_SEM_MAPPED, &nvhe);
	act(&b, "load\nenter\nprogram 1ms ptimer\nenter\nenable ptimer\n");
	act(&b, "enter\nexpire ptimer\n");
	assert_string_equal(b.trace, "entry hrtimer_expire.p@soft-timer update_irq.p@soft-timer=1 "
			    "vgic_update.p@soft-timer exit");
	act(&b, "enter\nack\ndisable ptimer\n");
	assert_string_equal(b.trace, "lr.p@flush entry lr.p@fold-in lr.p@fold-out exit map "
			    "emulate.p update_irq.p=0 vgic_update.p");
	act(&b, "enter\neoi ptimer\n");
	assert_string_equal(b.trace, "lr.p@flush entry lr.p@fold-in lr.p@fold-out exit");
}

/* ---- scenarios as text ---- */

static void test_steps_read_back(void **state)
{
	struct kt_scenario_error err;
	struct kt_scenario s;
	char text[64];
	int n;

	(void)state;
	for (unsigned int op = 0; op < KT_OP_NR; op++) {
		struct kt_step step = { .op = op, .timer = KT_PTIMER };

		if (!strchr(kt_op_needs(op), 't'))
			step.timer = KT_VTIMER;
		n = kt_scenario_format(step, text, sizeof(text));
		assert_int_equal(kt_scenario_parse(text, n, &s, &err), 0);
		assert_int_equal(s.nr_steps, 1);
		assert_memory_equal(&s.step[0].step, &step, sizeof(step));
		kt_scenario_free(&s);
	}
}

static void test_mistakes_name_the_line(void **state)
{
	static const char *const wrong[] = {
		"\nprogram\n", "\nprogram 5\n", "\nenable etimer\n", "\nload cpu1\n", "\nload 0\n",
		"\nhvc 1 2\n", "\nhandler sing\n", "\nhandler eoi 2ms\n", "\nexpect edge\n",
		"\nexpect edge taken\n", "\nexpect edge luck=1\n", "\nexpect nobody taken=1\n",
		"\nvcpu 1\n", "\nmachine wings=2\n", "\nonly\n", "\na b c d e f g h i j k l m n\n",
	};
	struct kt_scenario_error err;
	struct kt_scenario s;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(kt_scenario_parse(wrong[i], strlen(wrong[i]), &s, &err), -EINVAL);
		assert_int_equal(err.line, 2);
		assert_true(strlen(err.reason) > 10);
		assert_null(s.step);
	}
	assert_int_equal(kt_scenario_parse("mask\nmachine cpus=2\n", 20, &s, &err), -EINVAL);
	assert_int_equal(err.line, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_what_cannot_be),
		cmocka_unit_test(test_state_is_flat_and_deterministic),
		cmocka_unit_test(test_cancelled_while_pending),
		cmocka_unit_test(test_eoi_deactivates_physically),
		cmocka_unit_test(test_load_mirrors_active),
		cmocka_unit_test(test_blocking_saves_once),
		cmocka_unit_test(test_traces_like_6_12),
		cmocka_unit_test(test_traces_like_6_12_userspace),
		cmocka_unit_test(test_traces_like_6_12_nvhe),
		cmocka_unit_test(test_steps_read_back),
		cmocka_unit_test(test_mistakes_name_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
