/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps that SPIN may choose from, and the machine they act on.  The
 * environment says which machine, so that one verifier serves all:
 *
 *	KT_PROOF="semantics=edge vcpus=1 cpus=1 timers=2 bound=2 fault=3"
 *	KT_PROOF_PRINT=1	prints each step, for replaying a trail as a scenario
 *
 * timers is the mask of enum kt_timer; bound overrides how late a stale
 * interrupt may be (in exits after the line fell); fault breaks the machine;
 * queued=1 is level-sync-clear in its other reading; plain=1 is a guest as Linux is: it starts with interrupts masked and reads
 * IAR only when interrupted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define MAX_STEPS 80	/* as many as machine.pml offers */

struct kt_machine proof_machine;
static struct kt_step steps[MAX_STEPS];
static bool guests[MAX_STEPS];	/* the step is the guest's: refused without trying elsewhere */
static unsigned int nr_steps;
static bool print, plain;

int proof_init(void);
int proof_can(unsigned int step);
void proof_do(unsigned int step);
int proof_broken(void);

/* Where the value of a setting starts, or NULL; settings are separated by blanks. */
static const char *value_of(const char *name)
{
	const char *text = getenv("KT_PROOF");
	size_t len = strlen(name);

	for (const char *at = text; at; at = strchr(at, ' ')) {
		at += strspn(at, " ");
		if (!strncmp(at, name, len) && at[len] == '=')
			return at + len + 1;
	}
	return NULL;
}

static unsigned int setting(const char *name, unsigned int otherwise)
{
	const char *value = value_of(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

static enum kt_semantics semantics(void)
{
	const char *value = value_of("semantics");
	char name[32] = "";
	int found;

	if (value)
		sscanf(value, "%31[a-z-]", name);
	found = kt_semantics_parse(name);
	if (found < 0) {
		fprintf(stderr, "proof: no semantics in KT_PROOF\n");
		exit(1);
	}
	return found;
}

static void add(struct kt_step s)
{
	if (nr_steps == MAX_STEPS) {
		fprintf(stderr, "proof: more steps than machine.pml offers\n");
		exit(1);
	}
	guests[nr_steps] = strchr(kt_op_needs(s.op), 'g') != NULL;
	steps[nr_steps++] = s;
}

/* Each step once for each timer, CPU and CVAL that it takes. */
static void add_op(unsigned int op, unsigned int vcpu)
{
	const char *needs = kt_op_needs(op);
	unsigned int args = strchr(needs, 'v') ? 3 : strchr(needs, 'c') ? proof_machine.nr_cpus : 1;

	for (unsigned int t = KT_MACHINE_TIMERS; t-- > 0;)
		for (unsigned int a = 0; a < args; a++)
			if (strchr(needs, 't') ? proof_machine.timers >> t & 1 : t == KT_VTIMER)
				add((struct kt_step){ .op = op, .vcpu = vcpu, .timer = t, .arg = a });
}

int proof_init(void)
{
	struct kt_machine_opts opts = {
		.semantics = semantics(), .nr_vcpus = setting("vcpus", 1),
		.nr_cpus = setting("cpus", 1), .timers = setting("timers", 1 << KT_VTIMER),
		.nvhe = setting("nvhe", 0), .fault = setting("fault", 0),
		.active_when_queued = setting("queued", 0), .bound = setting("bound", KT_UNBOUNDED),
	};

	opts.set_bound = value_of("bound") != NULL;
	print = getenv("KT_PROOF_PRINT") != NULL;

	if (kt_machine_init(&proof_machine, &opts)) {
		fprintf(stderr, "proof: there is no such machine\n");
		exit(1);
	}
	plain = setting("plain", 0);
	for (unsigned int i = 0; i < proof_machine.nr_vcpus; i++)
		proof_machine.vcpu[i].masked = plain;
	nr_steps = 0;
	for (unsigned int i = 0; i < proof_machine.nr_vcpus; i++)
		for (unsigned int op = 0; op < KT_OP_NR; op++)
			/* Asked for by the guest, not by the timer: no bound applies to it. */
			if (op != KT_OP_SET_PENDING)
				add_op(op, i);
	return 0;
}

/* The machine refuses what is not possible, so trying it on a copy is asking. */
int proof_can(unsigned int step)
{
	struct kt_machine copy;

	if (step >= nr_steps || proof_broken())
		return 0;
	if (guests[step] && proof_machine.vcpu[steps[step].vcpu].where != KT_IN_GUEST)
		return 0;
	if (plain && steps[step].op == KT_OP_ACK && !proof_machine.vcpu[steps[step].vcpu].vectored)
		return 0;
	copy = proof_machine;
	return !kt_machine_step(&copy, steps[step], NULL);
}

void proof_do(unsigned int step)
{
	char text[64];

	if (print) {
		kt_scenario_format(steps[step], text, sizeof(text));
		printf("step %u %s\n", steps[step].vcpu, text);
	}
	kt_machine_step(&proof_machine, steps[step], NULL);
	if (print && proof_broken())
		printf("broken %s\n", kt_property_name(proof_machine.property));
}

int proof_broken(void)
{
	return proof_machine.property != KT_PROP_OK;
}
