/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenarios in which a conforming kernel shows nothing at all, and a kernel with
 * one known defect shows it: see kernel-patch/linux-6.12/controls.
 */
#include "scenarios.h"

static void fire_masked(enum timer t)
{
	mask_irqs();
	set_cval(t, counter(t) + us_to_ticks(200));
	set_ctl(t, CTL_ENABLE);
	while (!(get_ctl(t) & CTL_ISTATUS))
		;
	spin_us(t, 100);
}

/* ---- a cancelled expiry must not cost the next one ---- */

void again(void)
{
	uint64_t n = param("n", 10), k = param("k", 1), stale = 0, i;
	struct cpu *c = &cpus[0];
	enum timer t = the_timer;
	uint64_t end = counter(t) + us_to_ticks(limit_us());

	/* One limit for all rounds: a lost interrupt may be found again when the host next loads the vCPU. */
	for (i = 0; i < n && counter(t) < end; i++) {
		uint64_t before = c->taken[t];

		fire_masked(t);
		cancel(t);
		leave(k);
		unmask_irqs();
		spin_us(t, 20);
		stale += c->taken[t] - before;
		before = c->taken[t];
		set_cval(t, counter(t) + us_to_ticks(200));
		set_ctl(t, CTL_ENABLE);
		while (c->taken[t] == before && counter(t) < end)
			;
	}
	mask_irqs();
	result("again");
	print_key("rounds", i);
	print_key("stale", stale);
	print_key("spurious", c->spurious);
	end_result(i == n);
}

/* ---- fires and is cancelled while the distributor has it disabled ---- */

void disabled(void)
{
	uint64_t n = param("n", 10);
	struct cpu *c = &cpus[0];
	enum timer t = the_timer;

	for (uint64_t i = 0; i < n; i++) {
		mask_irqs();
		enable_irq(t, false);
		fire_masked(t);
		cancel(t);
		/* Nothing between: at any further exit the list register would be re-sampled. */
		enable_irq(t, true);
		unmask_irqs();
		spin_us(t, 100);
	}
	mask_irqs();
	result("disabled");
	print_key("rounds", n);
	print_key("taken", c->taken[t]);
	print_key("spurious", c->spurious);
	end_result(true);
}

/* ---- the deadline passes while the VMM is busy with something else ---- */

void nap(void)
{
	uint64_t n = param("n", 10), us = param("us", 3000), sleep_us = param("sleep", 9000), i;
	struct cpu *c = &cpus[0];
	enum timer t = the_timer;
	bool ok = true;

	for (i = 0; i < n && ok; i++) {
		mask_irqs();
		set_cval(t, counter(t) + us_to_ticks(us));
		set_ctl(t, CTL_ENABLE);
		mmio_write(DEV_SLEEP_US, sleep_us);
		unmask_irqs();
		ok = wait_taken(c, t, i + 1);
	}
	mask_irqs();
	result("nap");
	print_key("taken", c->taken[t]);
	print_key("spurious", c->spurious);
	end_result(ok);
}

/* ---- the VMM resets the vCPU while it has its timer's interrupt active ---- */

static volatile uint64_t boots;		/* RAM outlives the reset */

void reset(void)
{
	struct cpu *c = &cpus[0];
	enum timer t = the_timer;
	uint64_t before = c->taken[t];
	bool ok;

	if (!boots++) {
		fire_masked(t);
		acknowledge();
		mmio_write(DEV_RESET, 0);
	}
	/* The reset leaves the CPU interface alone: drop the priority of what was acknowledged. */
	write_reg(s3_0_c12_c9_0, 0);		/* ICC_AP1R0_EL1 */
	unmask_irqs();
	spin_us(t, 100);
	before = c->taken[t] - before;
	set_cval(t, counter(t) + us_to_ticks(200));
	set_ctl(t, CTL_ENABLE);
	ok = wait_taken(c, t, before + 1);
	mask_irqs();
	result("reset");
	print_key("boots", boots);
	print_key("stale", before);
	print_key("taken", c->taken[t]);
	print_key("spurious", c->spurious);
	end_result(ok);
}
