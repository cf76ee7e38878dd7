/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules-doc EXERCISED: prints docs/rules.md from the table in lib/rules_table.c and what the lab exercised. */
#include <stdio.h>
#include <string.h>

#include "rules.h"

static void print_rules(void)
{
	puts("# Rules\n\n"
	     "Generated from `lib/rules_table.c` by `make docs`; `kvmtimer-trace check --rules` prints the same. Systems: S0 the\n"
	     "level-triggered timer, S1 its physical active state, S2 lazy save and restore, S3 mapped level interrupts in the vgic,\n"
	     "S4 an interrupt controller in user space.\n\n"
	     "A rule that was not exercised does not hold: it is not applicable. Nothing is judged across a gap, nor before all\n"
	     "probes were attached. Eras and modes are found from events, probes and the recording's `kvm.*` facts.\n\n"
	     "| id | rule | system | KVM is held to | where | unless | needs |\n|---|---|---|---|---|---|---|");
	for (size_t i = 0; i < kt_rule_nr(); i++) {
		const struct kt_rule *r = kt_rule(i);

		printf("| %s | %s | %s | %s | %s | %s | %s%s%s |\n", r->id, r->name, r->system,
		       r->sentence, r->holds, r->unless ? r->unless : "",
		       r->needs & KT_NEEDS_LR ? "detail lr " : "",
		       r->needs & KT_NEEDS_CLOCK ? "clocks " : "",
		       r->needs & KT_NEEDS_KVM ? "kvm.* facts" : "");
	}
}

/* CELL N ID ID ... : one line per lab cell. */
static int print_cells(FILE *f)
{
	bool seen[64] = { false };
	char line[1024];

	puts("\n## Exercised in the lab\n\n"
	     "What `KT_PARTS=conform bash tests/lab/cell.t` puts to the test at least in each cell (kernel, CPU, GIC): it fails when a cell exercises fewer.\n"
	     "`cortex-a72` is nVHE, `max` VHE.\n\n| cell | rules |\n|---|---|");
	while (fgets(line, sizeof(line), f)) {
		char *cell = strtok(line, " \n"), *n = strtok(NULL, " \n"), *id;

		if (!cell || !n)
			return 1;
		printf("| %s | %s |\n", cell, n);
		while ((id = strtok(NULL, " \n"))) {
			size_t i = kt_rule_find(id);

			if (i >= sizeof(seen) / sizeof(seen[0]))
				return 1;
			seen[i] = true;
		}
	}
	printf("\nNever exercised there:");
	for (size_t i = 0; i < kt_rule_nr(); i++) {
		if (!seen[i])
			printf(" %s %s;", kt_rule(i)->id, kt_rule(i)->name);
	}
	puts(" each has a story in `tests/check` in which it is broken.");
	return 0;
}

int main(int argc, char **argv)
{
	FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
	int err;

	if (!f) {
		fprintf(stderr, "usage: rules-doc tests/lab/exercised\n");
		return 1;
	}
	print_rules();
	err = print_cells(f);
	fclose(f);
	return err;
}
