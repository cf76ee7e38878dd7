/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor: what this host lets us see, and why not.  It attaches everything once
 * and detaches again, so the answer is measured, not derived from a version.
 * With a file: the same question about that capture, see doctor_file.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "anonymise.h"
#include "capture.h"
#include "cmd.h"
#include "doctor_file.h"
#include "host.h"
#include "json.h"
#include "log.h"
#include "probes.h"
#include "session.h"

static struct {
	const char *input;
	bool json;
} opt;

static const struct kt_option options[] = {
	{ KT_OPT_STRING, 'i', "input", "FILE", &opt.input, .help = "look at this capture instead of the host; - is standard input" },
	{ KT_OPT_FLAG, 'j', "json", .to = &opt.json, .help = "JSON instead of text" },
	KT_OPT_END
};

/* What one source can do here. */
struct column {
	const char *name;
	enum kt_source source;
	struct kt_facts *facts;
	bool works;
	char why_not[512];
};

static struct column columns[] = {
	{ .name = "bpf", .source = KT_SOURCE_BPF },
	{ .name = "ftrace", .source = KT_SOURCE_FTRACE },
};

#define NR_COLUMNS 2

/* Probes that make no event of their own, so cli/probes.c has no row for them. */
static const struct {
	const char *name, *what;
} helpers[] = {
	{ "load", "whose events they are" },
	{ "enable", "whose events a vCPU's first are" },
	{ "put", "why a vCPU left its CPU; the user lane" },
	{ "hrtimer", "whose soft timer fires on a foreign CPU" },
	{ "sysreg", "which register an exit trapped on" },
	{ "exit_regs", "syndrome and PSTATE of exits: the masked lane" },
};

static const char *what_it_gives(const char *name)
{
	for (int i = 0; i < kt_nr_probes; i++)
		if (!strcmp(kt_probes[i].name, name))
			return kt_probes[i].lost;
	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++)
		if (!strcmp(helpers[i].name, name))
			return helpers[i].what;
	return "";
}

static void print_host(const struct kt_facts *facts)
{
	const char *key, *value;

	for (size_t i = 0; kt_facts_at(facts, i, &key, &value); i++)
		if (!strncmp(key, "host.", 5) || !strncmp(key, "clock.", 6))
			printf("%-26s %s\n", key, kt_show_fact(key, value));
}

static const char *cell(const struct column *c, const char *key)
{
	const char *value = kt_facts_get(c->facts, key);

	if (!value)
		return c->works ? "-" : "no";
	return kt_how_works(value) ? value : "no";
}

static void print_row(const char *key)
{
	const char *name = key + 14;

	printf("%-14s %-11s %-11s %s\n", name, cell(&columns[0], key), cell(&columns[1], key),
	       what_it_gives(name));
	for (int i = 0; i < NR_COLUMNS; i++) {
		const char *value = kt_facts_get(columns[i].facts, key);

		if (value && !kt_how_works(value))
			printf("%-14s %s: %s\n", "", columns[i].name, kt_show_fact(key, value));
	}
}

/* A row for each thing that either source observes; "-": it does so in another way. */
static void print_probes(void)
{
	const char *key, *value;

	printf("\n%-14s %-11s %-11s %s\n", "observed", "bpf", "ftrace", "what it gives");
	for (int c = 0; c < NR_COLUMNS; c++)
		for (size_t i = 0; kt_facts_at(columns[c].facts, i, &key, &value); i++)
			if (!strncmp(key, "capture.probe.", 14) &&
			    (c == 0 || !kt_facts_get(columns[0].facts, key)))
				print_row(key);
}

static void print_sources(void)
{
	putchar('\n');
	for (int i = 0; i < NR_COLUMNS; i++)
		printf("--source %-17s %s%s\n", columns[i].name, columns[i].works ? "works" : "no: ",
		       columns[i].works ? "" : kt_show_fact("capture.why_not", columns[i].why_not));
	if (!columns[0].works && !columns[1].works)
		printf("This host cannot be recorded.\n");
}

static int try_source(struct column *c)
{
	struct kt_capture_opts co = { .source = c->source, .detail = KT_DETAIL_LR,
				      .buffer_bytes = 1 << 16 };
	struct kt_capture *capture = NULL;

	if (kt_facts_new(&c->facts))
		return -ENOMEM;
	co.knobs.gic = kt_host_gic();
	kt_log_hold(c->why_not, sizeof(c->why_not));
	c->works = !kt_capture_open(&co, c->facts, &capture);
	kt_log_release();
	kt_capture_close(capture);
	return 0;
}

/* `facts` holds what the source that auto would take observes; `sources` has both. */
static void add_capture_facts(struct kt_facts *host)
{
	const struct column *c = columns[0].works ? &columns[0] : &columns[1];
	const char *key, *value;

	for (size_t i = 0; kt_facts_at(c->facts, i, &key, &value); i++)
		(void)!kt_facts_set(host, key, value);
}

static void print_json(struct kt_facts *host)
{
	json_object *o = kt_json_new("doctor"), *sources = json_object_new_object(), *one;

	json_object_object_add(o, "can_record",
			       json_object_new_boolean(columns[0].works || columns[1].works));
	for (int i = 0; i < NR_COLUMNS; i++) {
		one = json_object_new_object();
		json_object_object_add(one, "works", json_object_new_boolean(columns[i].works));
		if (!columns[i].works)
			kt_json_text(one, "why_not", columns[i].why_not);
		json_object_object_add(one, "facts", kt_json_facts(columns[i].facts));
		json_object_object_add(sources, columns[i].name, one);
	}
	json_object_object_add(o, "sources", sources);
	add_capture_facts(host);
	json_object_object_add(o, "facts", kt_json_facts(host));
	kt_json_print(o);
}

static int run(int nr_args, char **args)
{
	struct kt_facts *host;
	int i;

	if (nr_args || opt.input) {
		const char *path = kt_input_path(opt.input, nr_args, args);

		return path ? kt_doctor_file(path, opt.json) : KT_EXIT_MISUSE;
	}
	if (kt_facts_new(&host) || kt_host_facts(host)) {
		fprintf(stderr, "kvmtimer-trace: out of memory\n");
		return KT_EXIT_FAILED;
	}
	for (i = 0; i < NR_COLUMNS; i++)
		if (try_source(&columns[i]))
			return KT_EXIT_FAILED;
	if (opt.json) {
		print_json(host);
	} else {
		print_host(host);
		print_sources();
		if (columns[0].works || columns[1].works)
			print_probes();
	}
	for (i = 0; i < NR_COLUMNS; i++)
		kt_facts_free(columns[i].facts);
	kt_facts_free(host);
	return columns[0].works || columns[1].works ? KT_EXIT_OK : KT_EXIT_FAILED;
}

const struct kt_cmd kt_cmd_doctor = {
	.name = "doctor",
	.summary = "what this host, or a capture, lets us see, and why not",
	.usage = "[options] [FILE]",
	.options = options,
	.run = run,
};
