/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * synth FILE EVENTS VCPUS CPUS: a recording of a busy host for measuring the
 * offline side.  Each vCPU exits, is re-entered, gets timer interrupts and is
 * switched out now and then; vCPUs take turns on CPUs as a scheduler would.
 */
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

/* One exit and what follows it: six events at most. */
static void one_exit(struct cpu *c, uint32_t number, uint32_t vcpu)
{
	static const uint32_t esr[] = { 0x58000000, 0x04000000, 0x93810045, 0x6232f843, 0x62300401 };
	unsigned int none = KT_SUB(KT_TIMER_NONE, 0), v = KT_SUB(KT_VTIMER, 0);
	struct kt_run run = { .pc = 0x1000, .code = KT_EXIT_TRAP };
	struct kt_level level = { .irq = 27, .level = 1 };
	uint64_t raw[2];

	if (rnd(4) == 0) {
		run.code = KT_EXIT_IRQ;
		add(c, number, vcpu, KT_EV_MAP, KT_SUB(KT_TIMER_NONE, KT_AT_HOST_IRQ), 0, 0);
		memcpy(raw, &level, sizeof(raw));
		add(c, number, vcpu, KT_EV_UPDATE_IRQ, KT_SUB(KT_VTIMER, KT_AT_HOST_IRQ), raw[0], raw[1]);
		add(c, number, vcpu, KT_EV_VGIC_UPDATE, v, raw[0], raw[1]);
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
	uint32_t vcpus, cpus;
	struct kt_store_writer *w;
	struct kt_facts *facts;
	struct cpu *cpu;
	int err = 0;

	if (argc != 5) {
		fprintf(stderr, "usage: synth FILE EVENTS VCPUS CPUS\n");
		return 129;
	}
	events = strtoull(argv[2], NULL, 10);
	vcpus = strtoul(argv[3], NULL, 10);
	cpus = strtoul(argv[4], NULL, 10);
	cpu = calloc(cpus, sizeof(*cpu));
	if (!cpu || kt_facts_new(&facts) || kt_facts_set(facts, "capture.source", "synthetic") ||
	    kt_writer_create(argv[1], facts, NULL, &w))
		return 1;
	for (uint32_t i = 0; i < vcpus && !err; i++) {
		struct kt_ident id = { .who = i + 1, .kvm = 1 + i / 16, .vm_gen = 1, .tgid = 100 + i / 16,
				       .tid = 10000 + i, .vcpu_id = i % 16, .vcpu_idx = i % 16, .vgic = 3 };

		snprintf(id.comm, sizeof(id.comm), "CPU %u/KVM", i % 16);
		err = kt_writer_idents(w, &id, 1);
	}
	while (done < events && !err) {
		uint64_t mark = UINT64_MAX;

		for (uint32_t i = 0; i < cpus && !err; i++) {
			struct cpu *c = &cpu[i];

			c->n = 0;
			while (c->n + 8 < RUN / 4) {
				if (!c->left--) {
					c->vcpu = (rnd((vcpus + cpus - 1) / cpus) * cpus + i) % vcpus;
					c->left = 20 + rnd(60);
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
	return err ? 1 : 0;
}
