/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine.h"

struct cpu cpus[MAX_VCPUS];
enum timer the_timer = VTIMER;
unsigned int nr_cpus = 1;
static unsigned int gic, irq_of[2];
static unsigned int exit_in_handler;	/* 1: a hypercall, 2: to the VMM, 3: there when re-armed */
static void (*volatile cpu_fn[MAX_VCPUS])(unsigned int index);
void secondary_start(void);

/* ---- printing ---- */

static void put(char c)
{
	mmio_write(DEV_PUTCHAR, c);
}

void print(const char *s)
{
	while (*s)
		put(*s++);
}

static void print_number(uint64_t v)
{
	char text[24];
	int n = sizeof(text);

	text[--n] = '\0';
	do {
		text[--n] = '0' + v % 10;
		v /= 10;
	} while (v);
	print(text + n);
}

void print_key(const char *key, uint64_t v)
{
	put(' ');
	print(key);
	put('=');
	print_number(v);
}

void result(const char *scenario)
{
	print("scenario=");
	print(scenario);
}

void end_result(bool ok)
{
	print(ok ? " ok=1\n" : " ok=0\n");
	mmio_write(DEV_EXIT, ok ? 0 : 1);
}

/* ---- parameters: "key=value key=value" at PARAM_BASE ---- */

const char *param_text(const char *key)
{
	const char *p = (const char *)PARAM_BASE;

	while (*p) {
		const char *k = key;

		while (*k && *p == *k) {
			p++;
			k++;
		}
		if (!*k && *p == '=')
			return p + 1;
		while (*p && *p != ' ')
			p++;
		while (*p == ' ')
			p++;
	}
	return NULL;
}

uint64_t param(const char *key, uint64_t fallback)
{
	const char *p = param_text(key);
	uint64_t v = 0;

	if (!p)
		return fallback;
	for (; *p >= '0' && *p <= '9'; p++)
		v = v * 10 + *p - '0';
	return v;
}

bool param_is(const char *key, const char *value)
{
	const char *p = param_text(key);

	if (!p)
		return false;
	while (*value && *p == *value) {
		p++;
		value++;
	}
	return !*value && (!*p || *p == ' ');
}

/* ---- timers ---- */

uint64_t counter(enum timer t)
{
	asm volatile("isb" ::: "memory");
	return t == VTIMER ? read_reg(cntvct_el0) : read_reg(cntpct_el0);
}

void set_cval(enum timer t, uint64_t v)
{
	if (t == VTIMER)
		write_reg(cntv_cval_el0, v);
	else
		write_reg(cntp_cval_el0, v);
}

void set_ctl(enum timer t, uint64_t v)
{
	if (t == VTIMER)
		write_reg(cntv_ctl_el0, v);
	else
		write_reg(cntp_ctl_el0, v);
}

uint64_t get_ctl(enum timer t)
{
	return t == VTIMER ? read_reg(cntv_ctl_el0) : read_reg(cntp_ctl_el0);
}

uint64_t us_to_ticks(uint64_t us)
{
	return us * read_reg(cntfrq_el0) / 1000000;
}

uint64_t ticks_to_ns(uint64_t ticks)
{
	return ticks * 1000000000 / read_reg(cntfrq_el0);
}

void spin_us(enum timer t, uint64_t us)
{
	uint64_t end = counter(t) + us_to_ticks(us);

	while (counter(t) < end)
		;
}

/* ---- vCPUs ---- */

uint64_t hvc(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
	register uint64_t x0 asm("x0") = function;
	register uint64_t x1 asm("x1") = a;
	register uint64_t x2 asm("x2") = b;
	register uint64_t x3 asm("x3") = c;

	asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) ::
		     "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
		     "x16", "x17", "memory");
	return x0;
}

static uint64_t first_mpidr;

/* KVM derives affinity from the vcpu_id; the VMM numbers them consecutively. */
unsigned int this_cpu(void)
{
	uint64_t m = read_reg(mpidr_el1) & 0xffff;
	uint64_t id = (m & 0xf) + (m >> 8) * 16, first = (first_mpidr & 0xf) + (first_mpidr >> 8) * 16;

	return id - first;
}

void start_cpu(unsigned int index, void (*fn)(unsigned int index))
{
	uint64_t first = (first_mpidr & 0xf) + (first_mpidr >> 8) * 16, id = first + index;

	cpu_fn[index] = fn;
	asm volatile("dsb sy" ::: "memory");
	hvc(PSCI_CPU_ON, (id & 0xf) | (id >> 4) << 8, (uint64_t)secondary_start, index);
}

/* ---- interrupt controllers ---- */

#define GICD_CTLR (GICD_BASE + 0x000)
#define GICD_ISENABLER (GICD_BASE + 0x100)
#define GICC_CTLR (GICC_BASE + 0x00)
#define GICC_PMR (GICC_BASE + 0x04)
#define GICC_IAR (GICC_BASE + 0x0c)
#define GICC_EOIR (GICC_BASE + 0x10)

static void gic3_init(void)
{
	struct cpu *c = &cpus[this_cpu()];
	uint64_t mine = read_reg(mpidr_el1) & 0xffffff;
	uint64_t rd = GICR_BASE;

	mmio_write(GICD_CTLR, 0x12);		/* affinity routing, group 1 */
	/* TYPER 63:32 is the affinity of the vCPU a redistributor belongs to. */
	while (mmio_read(rd + 0x0c) != mine)
		rd += 0x20000;
	c->redist = rd;
	mmio_write(rd + 0x14, 0);		/* WAKER: not asleep */
	mmio_write(rd + 0x10080, ~0u);		/* IGROUPR0 */
	mmio_write(rd + 0x10100, 1u << irq_of[VTIMER] | 1u << irq_of[PTIMER]);
	write_reg(s3_0_c12_c12_5, 1);		/* ICC_SRE_EL1 */
	write_reg(s3_0_c4_c6_0, 0xf0);		/* ICC_PMR_EL1 */
	write_reg(s3_0_c12_c12_7, 1);		/* ICC_IGRPEN1_EL1 */
}

void gic_init(void)
{
	switch (gic) {
	case 3:
		gic3_init();
		break;
	case 2:
		mmio_write(GICD_CTLR, 1);
		mmio_write(GICD_ISENABLER, 1u << irq_of[VTIMER] | 1u << irq_of[PTIMER]);
		mmio_write(GICC_PMR, 0xf0);
		mmio_write(GICC_CTLR, 1);
		break;
	default:
		mmio_write(DEV_IRQ_ENABLE, 3);
	}
}

void enable_irq(enum timer t, bool on)
{
	uint64_t set = gic == 2 ? GICD_ISENABLER : cpus[this_cpu()].redist + 0x10100;

	/* The clear-enable register lies 0x80 above the set-enable one in both. */
	mmio_write(on ? set : set + 0x80, 1u << irq_of[t]);
}

unsigned int acknowledge(void)
{
	unsigned int pending;

	switch (gic) {
	case 3:
		return read_reg(s3_0_c12_c12_0);	/* ICC_IAR1_EL1 */
	case 2:
		return mmio_read(GICC_IAR) & 0x3ff;
	}
	pending = mmio_read(DEV_IRQ_PENDING);
	return pending & 1 ? irq_of[VTIMER] : pending & 2 ? irq_of[PTIMER] : 1023;
}

static void end_of_interrupt(unsigned int irq)
{
	if (gic == 3)
		write_reg(s3_0_c12_c12_1, irq);		/* ICC_EOIR1_EL1 */
	else if (gic == 2)
		mmio_write(GICC_EOIR, irq);
	else
		mmio_write(DEV_NOP, 0);	/* the exit at which the VMM sees the line fall */
}

/* ---- handlers ---- */

static void on_timer(struct cpu *c, enum timer t)
{
	uint64_t late = counter(t) - c->next_cval[t];

	c->taken[t]++;
	/* An exit between acknowledge and EOI: the host sees the list register active. */
	if (exit_in_handler == 1)
		hvc(PSCI_VERSION, 0, 0, 0);
	else if (exit_in_handler == 2)
		mmio_write(DEV_NOP, 0);
	if (!(get_ctl(t) & CTL_ISTATUS)) {
		c->spurious++;
		return;
	}
	if (c->keep_high) {
		c->keep_high--;
		return;
	}
	if (c->next_cval[t]) {
		if (late > c->late_max_ticks)
			c->late_max_ticks = late;
		if (late < c->late_min_ticks)
			c->late_min_ticks = late;
	}
	if (!c->period_ticks) {
		set_ctl(t, 0);
		return;
	}
	c->next_cval[t] = counter(t) + c->period_ticks;
	set_cval(t, c->next_cval[t]);
	if (exit_in_handler == 3)
		mmio_write(DEV_NOP, 0);
}

void guest_irq(void);
void guest_irq(void)
{
	struct cpu *c = &cpus[this_cpu()];
	unsigned int irq = acknowledge();

	if (irq == irq_of[VTIMER])
		on_timer(c, VTIMER);
	else if (irq == irq_of[PTIMER])
		on_timer(c, PTIMER);
	else if (irq >= 1020)
		c->spurious++;
	else
		c->other++;
	if (irq < 1020)
		end_of_interrupt(irq);
}

void guest_sync(uint64_t esr);
void guest_sync(uint64_t esr)
{
	(void)esr;
	cpus[this_cpu()].other++;
}

void guest_fault(uint64_t esr, uint64_t elr);
void guest_fault(uint64_t esr, uint64_t elr)
{
	print("fault");
	print_key("esr", esr);
	print_key("elr", elr);
	print("\n");
	mmio_write(DEV_EXIT, 2);
}

void run_scenario(void);

void guest_main(unsigned int index, const char *params);
void guest_main(unsigned int index, const char *params)
{
	(void)params;
	if (index) {
		gic_init();
		cpu_fn[index](index);
		return;
	}
	first_mpidr = read_reg(mpidr_el1) & 0xffff;
	gic = param("gic", 3);
	nr_cpus = param("vcpus", 1);
	exit_in_handler = param("hexit", 0);
	irq_of[VTIMER] = param("vppi", 27);
	irq_of[PTIMER] = param("pppi", 30);
	the_timer = param_is("timer", "p") ? PTIMER : VTIMER;
	for (unsigned int i = 0; i < MAX_VCPUS; i++)
		cpus[i].late_min_ticks = ~0ull;
	gic_init();
	run_scenario();
}
