/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * synth FILE EVENTS VCPUS CPUS [PER_VM]: a recording of a busy host for measuring
 * the offline side, with 16 vCPUs in a VM or as many as asked for.  Each vCPU exits, is re-entered, gets timer interrupts and is
 * switched out now and then; vCPUs take turns on CPUs as a scheduler would.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

#define RUN 2048

struct cpu {
	struct kt_event ev[RUN];
	size_t n;
	uint64_t ts_ns;
	uint32_t vcpu, left;
};

static uint64_t rng = 88172645463325252ull;

static uint32_t rnd(uint32_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (rng >> 33) % below;
}

static void add(struct cpu *c, uint32_t number, uint32_t vcpu, unsigned int kind, unsigned int sub,
		uint64_t a, uint64_t b)
{
	c->ts_ns += 200 + rnd(800);
	c->ev[c->n++] = (struct kt_event){ .ts_ns = c->ts_ns, .who = vcpu + 1, .kind = kind,
					   .sub = sub, .pcpu = number, .raw = { a, b } };
}

static const unsigned int none = KT_SUB(KT_TIMER_NONE, 0), vtimer = KT_SUB(KT_VTIMER, 0);

static void add_level(struct cpu *c, uint32_t number, uint32_t vcpu, unsigned int kind,
		      unsigned int at, bool high)
{
	struct kt_level level = { .irq = 27, .traced_vcpu = vcpu % 16, .level = high };
	uint64_t raw[2];

	memcpy(raw, &level, sizeof(raw));
	add(c, number, vcpu, kind, KT_SUB(KT_VTIMER, at), raw[0], raw[1]);
}

static void add_map(struct cpu *c, uint32_t number, uint32_t vcpu)
{
	struct kt_map map = { .direct_vtimer = 1, .direct_ptimer = -1, .emul_vtimer = -1, .emul_ptimer = -1 };
	uint64_t raw[2];

	memcpy(raw, &map, sizeof(raw));
	add(c, number, vcpu, KT_EV_MAP, none, raw[0], raw[1]);
}

static void add_regs(struct cpu *c, uint32_t number, uint32_t vcpu, unsigned int kind, bool high)
{
	struct kt_regs regs = { .ctl = high ? 5 : 1, .cval_ticks = 1000,
				.flags = kind == KT_EV_SAVE ? KT_SAVE_PREEMPTED | KT_SAVE_KNOWN : 0 };
	uint64_t raw[2];

	memcpy(raw, &regs, sizeof(raw));
	add(c, number, vcpu, kind, vtimer, raw[0], raw[1]);
}

static bool *line;		/* by vCPU */

/* The vCPU on this CPU is interrupted and makes room for another. */
static void put(struct cpu *c, uint32_t number)
{
	add(c, number, c->vcpu, KT_EV_EXIT, none, 0x1000, 0);
	add_map(c, number, c->vcpu);
	add_regs(c, number, c->vcpu, KT_EV_SAVE, line[c->vcpu]);
}

static void load(struct cpu *c, uint32_t number)
{
	add_map(c, number, c->vcpu);
	add_level(c, number, c->vcpu, KT_EV_UPDATE_IRQ, KT_AT_TASK, line[c->vcpu]);
	add_level(c, number, c->vcpu, KT_EV_VGIC_UPDATE, KT_AT_TASK, line[c->vcpu]);
	add_regs(c, number, c->vcpu, KT_EV_RESTORE, line[c->vcpu]);
	add(c, number, c->vcpu, KT_EV_ENTRY, none, 0x1000, 0);
}

/* One exit and what follows it: six events at most. */
static void one_exit(struct cpu *c, uint32_t number, uint32_t vcpu)
{
	static const uint32_t esr[] = { 0x58000000, 0x5a000000, 0x93810045, 0x6232f843, 0x62300401 };
	struct kt_run run = { .pc = 0x1000, .code = KT_EXIT_TRAP };
	uint64_t raw[2];

	if (rnd(4) == 0) {
		run.code = KT_EXIT_IRQ;
		add(c, number, vcpu, KT_EV_MAP, KT_SUB(KT_TIMER_NONE, KT_AT_HOST_IRQ), 0, 0);
		add_level(c, number, vcpu, KT_EV_UPDATE_IRQ, KT_AT_HOST_IRQ, true);
		add_level(c, number, vcpu, KT_EV_VGIC_UPDATE, KT_AT_HOST_IRQ, true);
		line[vcpu] = true;
	} else {
		run.esr = esr[rnd(5)];
	}
	memcpy(raw, &run, sizeof(raw));
	add(c, number, vcpu, KT_EV_EXIT, none, raw[0], raw[1]);
	add(c, number, vcpu, KT_EV_ENTRY, none, 0x1000, 0);
}

int main(int argc, char **argv)
{
	uint64_t events, done = 0;
	uint32_t vcpus, cpus, per_vm;
	struct kt_store_writer *w;
	struct kt_facts *facts;
	struct cpu *cpu;
	int err = 0;

	if (argc != 5 && argc != 6) {
		fprintf(stderr, "usage: synth FILE EVENTS VCPUS CPUS [PER_VM]\n");
		return 129;
	}
	events = strtoull(argv[2], NULL, 10);
	vcpus = strtoul(argv[3], NULL, 10);
	cpus = strtoul(argv[4], NULL, 10);
	per_vm = argc == 6 ? strtoul(argv[5], NULL, 10) : 16;
	if (!vcpus || !cpus || !per_vm)
		return 129;
	cpu = calloc(cpus, sizeof(*cpu));
	line = calloc(vcpus, sizeof(*line));
	if (!cpu || !line || kt_facts_new(&facts) || kt_facts_set(facts, "capture.source", "synthetic") ||
	    kt_writer_create(argv[1], facts, NULL, &w))
		return 1;
	for (uint32_t i = 0; i < vcpus && !err; i++) {
		struct kt_ident id = { .who = i + 1, .kvm = 1 + i / per_vm, .vm_gen = 1, .tgid = 100 + i / per_vm,
				       .tid = 10000 + i, .vcpu_id = i % per_vm, .vcpu_idx = i % per_vm,
				       .vgic = 3 };

		snprintf(id.comm, sizeof(id.comm), "CPU %u/KVM", i % per_vm % 100000);
		err = kt_writer_idents(w, &id, 1);
	}
	while (done < events && !err) {
		uint64_t mark = UINT64_MAX;

		for (uint32_t i = 0; i < cpus && !err; i++) {
			struct cpu *c = &cpu[i];

			c->n = 0;
			while (c->n + 16 < RUN / 4) {
				if (!c->left--) {
					if (c->ts_ns)
						put(c, i);
					c->vcpu = (rnd((vcpus + cpus - 1) / cpus) * cpus + i) % vcpus;
					c->left = 20 + rnd(60);
					load(c, i);
				}
				one_exit(c, i, c->vcpu);
			}
			err = kt_writer_events(w, i, c->ev, c->n);
			done += c->n;
			if (c->ts_ns < mark)
				mark = c->ts_ns;
		}
		if (!err)
			err = kt_writer_mark(w, mark);
	}
	if (!err)
		err = kt_writer_close(w, facts);
	kt_facts_free(facts);
	free(cpu);
	return err ? 1 : 0;
}
