/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_GUEST_MACHINE_H
#define KT_GUEST_MACHINE_H

/* What a scenario stands on: registers, interrupts, timers, printing, parameters. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../board.h"

#define MAX_VCPUS 8

#define read_reg(name) ({ uint64_t v_; asm volatile("mrs %0, " #name : "=r"(v_)); v_; })
#define write_reg(name, v) asm volatile("msr " #name ", %0\n\tisb" :: "r"((uint64_t)(v)) : "memory")

static inline uint32_t mmio_read(uint64_t addr)
{
	uint32_t v;

	asm volatile("ldr %w0, [%1]" : "=r"(v) : "r"(addr) : "memory");
	return v;
}

static inline void mmio_write(uint64_t addr, uint32_t v)
{
	asm volatile("str %w0, [%1]" :: "r"(v), "r"(addr) : "memory");
}

static inline void mask_irqs(void)
{
	asm volatile("msr daifset, #2" ::: "memory");
}

static inline void unmask_irqs(void)
{
	asm volatile("msr daifclr, #2\n\tisb" ::: "memory");
}

static inline void wait_for_interrupt(void)
{
	asm volatile("dsb sy\n\twfi" ::: "memory");
}

uint64_t hvc(uint64_t function, uint64_t a, uint64_t b, uint64_t c);
#define PSCI_VERSION 0x84000000u
#define PSCI_CPU_ON 0xc4000003u

/* ---- timers: the same scenario runs on either ---- */

enum timer { PTIMER, VTIMER };

uint64_t counter(enum timer t);
void set_cval(enum timer t, uint64_t v);
void set_ctl(enum timer t, uint64_t v);
uint64_t get_ctl(enum timer t);
uint64_t us_to_ticks(uint64_t us);
uint64_t ticks_to_ns(uint64_t ticks);
void spin_us(enum timer t, uint64_t us);

#define CTL_ENABLE 1
#define CTL_IMASK 2
#define CTL_ISTATUS 4

/* ---- per vCPU: what its interrupt handler counts and does ---- */

struct cpu {
	volatile uint64_t taken[2];	/* interrupts of each timer */
	volatile uint64_t spurious;	/* no timer was asserting, or nothing to acknowledge */
	volatile uint64_t other;
	volatile uint64_t period_ticks;	/* re-arm this much after the old CVAL; 0 = disable */
	volatile uint64_t keep_high;	/* leave the line high this many times before disabling */
	volatile uint64_t next_cval[2];
	volatile uint64_t late_max_ticks, late_min_ticks;
	volatile uint64_t done;
	uint64_t redist;		/* GICv3 redistributor */
};

extern struct cpu cpus[MAX_VCPUS];
unsigned int this_cpu(void);
void gic_init(void);
void enable_irq(enum timer t, bool on);		/* in the distributor; not with a userspace irqchip */
unsigned int acknowledge(void);

/* ---- parameters and printing ---- */

uint64_t param(const char *key, uint64_t fallback);
bool param_is(const char *key, const char *value);
const char *param_text(const char *key);	/* NULL when absent; ends at a blank */

void print(const char *s);
void print_key(const char *key, uint64_t v);	/* " key=v" */
void result(const char *scenario);		/* "scenario=NAME": begins a summary line */
void end_result(bool ok);			/* " ok=1\n" */

/* Starts vCPU `index` in fn. */
void start_cpu(unsigned int index, void (*fn)(unsigned int index));

extern enum timer the_timer;			/* timer=v|p */
extern unsigned int nr_cpus;

#endif
