/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scenarios.  Each ends by itself within a bounded time and prints one line
 * of what the guest saw, which is the truth that recordings are compared with.
 */
#include "scenarios.h"

/* No wait is longer. */
uint64_t limit_us(void)
{
	return param("limit", 20000000);
}

bool wait_taken(struct cpu *c, enum timer t, uint64_t want)
{
	uint64_t end = counter(t) + us_to_ticks(limit_us());

	while (c->taken[t] < want)
		if (counter(t) > end)
			return false;
	return true;
}

static bool wait_status(enum timer t)
{
	uint64_t end = counter(t) + us_to_ticks(limit_us());

	while (!(get_ctl(t) & CTL_ISTATUS))
		if (counter(t) > end)
			return false;
	return true;
}

/* ---- the seed: mask, enable, fire, cancel, k exits, unmask ---- */

void cancel(enum timer t)
{
	if (param_is("how", "none"))
		return;
	if (param_is("how", "imask"))
		set_ctl(t, CTL_ENABLE | CTL_IMASK);
	else if (param_is("how", "cval"))
		set_cval(t, counter(t) + us_to_ticks(3600u * 1000000));
	else if (param_is("how", "vmm"))
		mmio_write(DEV_VTIMER_CTL, 0);
	else
		set_ctl(t, 0);
}

void leave(uint64_t k)
{
	bool by_mmio = param_is("kind", "mmio");

	for (uint64_t i = 0; i < k; i++) {
		if (by_mmio)
			mmio_write(DEV_NOP, 0);
		else
			hvc(PSCI_VERSION, 0, 0, 0);
	}
}

static void user_exit_if(bool wanted)
{
	if (wanted)
		mmio_write(DEV_NOP, 0);
}

static void seed(void)
{
	uint64_t rounds = param("rounds", 1), k = param("k", 0), slow_us = param("slow", 0);
	bool user = param_is("steps", "user");
	struct cpu *c = &cpus[0];
	enum timer t = the_timer;

	for (uint64_t r = 0; r < rounds; r++) {
		mask_irqs();				/* (1) */
		user_exit_if(user);
		set_cval(t, counter(t) + us_to_ticks(param("fire", 200)));
		set_ctl(t, CTL_ENABLE);			/* (2) */
		user_exit_if(user);
		while (!(get_ctl(t) & CTL_ISTATUS))
			;
		spin_us(t, 100 + slow_us);		/* the host interrupt has come and gone */
		user_exit_if(user);
		cancel(t);				/* (3) */
		user_exit_if(user);
		spin_us(t, slow_us);
		leave(k);
		unmask_irqs();				/* (4) */
		spin_us(t, 20 + slow_us);
		user_exit_if(user);
		set_ctl(t, 0);
	}
	result("seed");
	print_key("rounds", rounds);
	print_key("k", k);
	print_key("taken", c->taken[t]);
	print_key("spurious", c->spurious);
	end_result(true);
}

/* ---- periodic, on any number of vCPUs ---- */

static void periodic_on(unsigned int index)
{
	uint64_t n = param("n", 100), period = us_to_ticks(param("period", 1000));
	uint64_t exits = param("exits", 0);	/* 1: hypercalls, 2: to the VMM */
	bool wfi = param("wfi", 0);
	struct cpu *c = &cpus[index];
	enum timer t = the_timer;
	uint64_t end = counter(t) + us_to_ticks(limit_us());

	c->period_ticks = period;
	c->next_cval[t] = counter(t) + period;
	set_cval(t, c->next_cval[t]);
	set_ctl(t, CTL_ENABLE);
	unmask_irqs();
	while (c->taken[t] < n && counter(t) < end)
		if (wfi)
			wait_for_interrupt();
		else if (exits == 1)
			hvc(PSCI_VERSION, 0, 0, 0);
		else if (exits == 2)
			mmio_write(DEV_NOP, 0);
	mask_irqs();
	set_ctl(t, 0);
	c->done = 1;
}

static void periodic(void)
{
	uint64_t n = param("n", 100), taken = 0, spurious = 0, late = 0;
	bool ok = true;

	for (unsigned int i = 1; i < nr_cpus; i++)
		start_cpu(i, periodic_on);
	periodic_on(0);
	for (unsigned int i = 0; i < nr_cpus; i++) {
		uint64_t end = counter(the_timer) + us_to_ticks(limit_us());

		while (!cpus[i].done && counter(the_timer) < end)
			;
		ok &= cpus[i].taken[the_timer] >= n;
		taken += cpus[i].taken[the_timer];
		spurious += cpus[i].spurious;
		if (cpus[i].late_max_ticks > late)
			late = cpus[i].late_max_ticks;
	}
	result("periodic");
	print_key("vcpus", nr_cpus);
	print_key("taken", taken);
	print_key("spurious", spurious);
	print_key("late_max_ns", ticks_to_ns(late));
	end_result(ok);
}

/* ---- sleep until the timer: nothing between arming and WFI ---- */

static void wfi(void)
{
	uint64_t n = param("n", 20), us = param("us", 20000);
	struct cpu *c = &cpus[0];
	enum timer t = the_timer;
	bool ok = true;

	for (uint64_t i = 0; i < n && ok; i++) {
		mask_irqs();
		c->next_cval[t] = counter(t) + us_to_ticks(us);
		set_cval(t, c->next_cval[t]);
		set_ctl(t, CTL_ENABLE);
		wait_for_interrupt();
		unmask_irqs();
		ok = wait_taken(c, t, i + 1);
	}
	result("wfi");
	print_key("taken", c->taken[t]);
	print_key("spurious", c->spurious);
	print_key("late_min_ns", ticks_to_ns(c->late_min_ticks));
	print_key("late_max_ns", ticks_to_ns(c->late_max_ticks));
	end_result(ok && c->taken[t] == n);
}

/* ---- the line stays high: every EOI brings the interrupt back ---- */

static void high(void)
{
	uint64_t n = param("n", 10);
	struct cpu *c = &cpus[0];
	enum timer t = the_timer;
	bool ok;

	c->keep_high = n;
	set_cval(t, counter(t));
	set_ctl(t, CTL_ENABLE);
	unmask_irqs();
	ok = wait_taken(c, t, n + 1);
	spin_us(t, 1000);
	result("high");
	print_key("taken", c->taken[t]);
	print_key("spurious", c->spurious);
	end_result(ok && c->taken[t] == n + 1);
}

/* ---- loops for counting and measuring ---- */

static uint64_t loop(uint64_t n, void (*body)(void))
{
	uint64_t start;

	for (int i = 0; i < 64; i++)
		body();
	start = counter(VTIMER);
	for (uint64_t i = 0; i < n; i++)
		body();
	return counter(VTIMER) - start;
}

static void print_loop(const char *name, uint64_t n, uint64_t ticks)
{
	result(name);
	print_key("n", n);
	print_key("total", n + 64);
	print_key("ns_each", n ? ticks_to_ns(ticks) / n : 0);
	/* Hundredths: the whole point of counting instructions. */
	print_key("cns_each", n ? ticks_to_ns(ticks) * 100 / n : 0);
}

static void one_hvc(void)
{
	hvc(PSCI_VERSION, 0, 0, 0);
}

static void hypercalls(void)
{
	uint64_t n = param("n", 1000);

	print_loop("hvc", n, loop(n, one_hvc));
	end_result(true);
}

static uint64_t fired;

/* Already expired when enabled: one host interrupt, one exit, one guest interrupt. */
static void one_expiry(void)
{
	struct cpu *c = &cpus[0];

	set_cval(the_timer, 0);
	set_ctl(the_timer, CTL_ENABLE);
	fired++;
	while (c->taken[the_timer] < fired)
		;
}

static void expiries(void)
{
	uint64_t n = param("n", 1000), ticks;

	unmask_irqs();
	ticks = loop(n, one_expiry);
	print_loop("timer", n, ticks);
	print_key("taken", cpus[0].taken[the_timer]);
	print_key("spurious", cpus[0].spurious);
	end_result(cpus[0].taken[the_timer] == n + 64);
}

static void one_wfi(void)
{
	mask_irqs();
	set_cval(the_timer, counter(the_timer) + us_to_ticks(100));
	set_ctl(the_timer, CTL_ENABLE);
	wait_for_interrupt();
	fired++;
	unmask_irqs();
	while (cpus[0].taken[the_timer] < fired)
		;
}

static void sleeps(void)
{
	uint64_t n = param("n", 100);

	print_loop("sleeps", n, loop(n, one_wfi));
	end_result(true);
}

/* ---- known numbers of each kind of exit ---- */

static void kinds(void)
{
	uint64_t n = param("n", 50);

	mask_irqs();
	for (uint64_t i = 0; i < n; i++)
		hvc(PSCI_VERSION, 0, 0, 0);
	for (uint64_t i = 0; i < n; i++)
		mmio_write(DEV_NOP, 0);
	/* ACTLR_EL1 is trapped on every KVM host. */
	for (uint64_t i = 0; i < n; i++)
		(void)read_reg(actlr_el1);
	result("kinds");
	print_key("each", n);
	end_result(true);
}

/* ---- userspace irqchip: raised and taken, raised and cancelled ---- */

static void uirq(void)
{
	uint64_t n = param("n", 5), raised = 0, cancelled = 0;
	struct cpu *c = &cpus[0];
	enum timer t = the_timer;
	bool ok = true;

	/* With a vgic the register below is always 0: the scenario would pass and test nothing. */
	if (param("gic", 0)) {
		print("uirq: this VM has its interrupt controller in the kernel: run the VMM with --gic none\n");
		mmio_write(DEV_EXIT, 1);
	}
	for (uint64_t i = 0; i < n && ok; i++) {
		set_cval(t, counter(t) + us_to_ticks(200));
		set_ctl(t, CTL_ENABLE);
		unmask_irqs();
		ok = wait_taken(c, t, i + 1);
		mask_irqs();
		set_cval(t, counter(t) + us_to_ticks(200));
		set_ctl(t, CTL_ENABLE);
		/* An emulated timer may say so later than its counter. */
		ok = ok && wait_status(t);
		raised += mmio_read(DEV_IRQ_PENDING) != 0;
		set_ctl(t, 0);
		mmio_write(DEV_NOP, 0);
		mmio_write(DEV_NOP, 0);
		cancelled += !mmio_read(DEV_IRQ_PENDING);
	}
	unmask_irqs();
	spin_us(t, 200);
	result("uirq");
	print_key("taken", c->taken[t]);
	print_key("raised", raised);
	print_key("cancelled", cancelled);
	print_key("spurious", c->spurious);
	end_result(ok && c->taken[t] == n && raised == n && cancelled == n);
}

static const struct {
	const char *name;
	void (*run)(void);
} scenarios[] = {
	{ "seed", seed },	{ "periodic", periodic }, { "wfi", wfi },
	{ "high", high },	{ "hvc", hypercalls },	  { "timer", expiries },
	{ "sleeps", sleeps },	{ "kinds", kinds },	  { "uirq", uirq },
	{ "again", again },	{ "disabled", disabled }, { "reset", reset },
	{ "nap", nap },
};

void run_scenario(void);
void run_scenario(void)
{
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		if (param_is("scenario", scenarios[i].name)) {
			scenarios[i].run();
			return;
		}
	}
	print("no such scenario: scenario=seed|periodic|wfi|high|hvc|timer|sleeps|kinds|uirq|again|disabled|reset|nap\n");
	mmio_write(DEV_EXIT, 1);
}
