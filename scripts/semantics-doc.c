/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * semantics-doc DOCUMENT SCENARIO...: prints DOCUMENT with the tables between
 * its marks made anew by running every scenario under every semantics.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define BEGIN "<!-- tables: made by make docs -->"
#define END "<!-- end of tables -->"

static char *slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	char *text = malloc(1 << 20);

	if (!f || !text) {
		fprintf(stderr, "semantics-doc: cannot read %s\n", path);
		exit(1);
	}
	*len = fread(text, 1, (1 << 20) - 1, f);
	text[*len] = '\0';
	fclose(f);
	return text;
}

static const char *name_of(const char *path)
{
	static char name[128];
	const char *slash = strrchr(path, '/');

	snprintf(name, sizeof(name), "%s", slash ? slash + 1 : path);
	if (strstr(name, ".scn"))
		*strstr(name, ".scn") = '\0';
	return name;
}

/* False when the scenario is not for these semantics. */
static int run(const char *path, unsigned int semantics, struct kt_machine_out *out)
{
	struct kt_scenario_error err;
	struct kt_scenario s;
	struct kt_machine m;
	size_t len;
	char *text = slurp(path, &len);
	int got = kt_scenario_parse(text, len, &s, &err);

	free(text);
	kt_machine_out_init(out);
	if (!got) {
		got = kt_scenario_run(&s, semantics, &m, out, &err);
		kt_scenario_free(&s);
	}
	if (got && got != -ENOTSUP) {
		fprintf(stderr, "semantics-doc: %s:%u: %s\n", path, err.line, err.reason);
		exit(1);
	}
	return !got;
}

static void sum(const struct kt_machine_out *out, struct kt_saw *all)
{
	*all = (struct kt_saw){ 0 };
#define X(name) for (unsigned int i = 0; i < KT_MACHINE_VCPUS; i++) all->name += out->saw[i].name;
	KT_SAW_FIELDS(X)
#undef X
}

static void head(const char *first)
{
	printf("\n| %s |", first);
	for (unsigned int s = 0; s < KT_SEM_NR; s++)
		printf(" %s |", kt_semantics_name(s));
	printf("\n|---|");
	for (unsigned int s = 0; s < KT_SEM_NR; s++)
		printf("---|");
	putchar('\n');
}

static void table(int nr, char **paths, void (*cell)(const struct kt_saw *saw))
{
	struct kt_machine_out out;
	struct kt_saw all;

	head("scenario");
	for (int i = 0; i < nr; i++) {
		printf("| %s |", name_of(paths[i]));
		for (unsigned int s = 0; s < KT_SEM_NR; s++) {
			if (run(paths[i], s, &out)) {
				sum(&out, &all);
				putchar(' ');
				cell(&all);
				printf(" |");
			} else {
				printf(" |");
			}
		}
		putchar('\n');
	}
}

static void seen(const struct kt_saw *w)
{
	printf("%u", w->taken);
	if (w->spurious)
		printf(", %u spurious%s", w->spurious, w->late ? " (late)" : "");
	if (w->nothing)
		printf(", %u for nothing", w->nothing);
	if (w->missed)
		printf(", %u missed", w->missed);
}

static void cost(const struct kt_saw *w)
{
	printf("%u %u/%u", w->exits, w->saves, w->restores);
	if (w->notified)
		printf(" %u", w->notified);
}

int main(int argc, char **argv)
{
	const char *begin, *end;
	char *text;
	size_t len;

	if (argc < 3)
		return 1;
	text = slurp(argv[1], &len);
	begin = strstr(text, BEGIN);
	end = begin ? strstr(begin, END) : NULL;
	if (!end) {
		fprintf(stderr, "semantics-doc: %s has lost its marks\n", argv[1]);
		return 1;
	}
	printf("%.*s%s\n", (int)(begin - text), text, BEGIN);
	puts("\nWhat the guest saw: interrupts taken, of these spurious, exceptions for nothing, interrupts missed.");
	table(argc - 2, argv + 2, seen);
	puts("\nWhat it cost: exits, saves/restores of the vtimer, then returns to the VMM to tell a level.");
	table(argc - 2, argv + 2, cost);
	printf("\n%s", end);
	free(text);
	return 0;
}
