/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor: what this host lets us see, and why not.  It attaches everything once
 * and detaches again, so the answer is measured, not derived from a version.
 * With a file: the same question about that capture, see doctor_file.c.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "anonymise.h"
#include "capture.h"
#include "cmd.h"
#include "doctor_file.h"
#include "host.h"
#include "json.h"
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

static const char *lost_without(const char *name)
{
	for (int i = 0; i < kt_nr_probes; i++)
		if (!strcmp(kt_probes[i].name, name))
			return kt_probes[i].lost;
	return "";
}

static bool works(const char *value)
{
	for (int how = KT_HOW_RAW_TP; how <= KT_HOW_FENTRY; how++)
		if (!strcmp(value, kt_how_name(how)))
			return true;
	return false;
}

static void print_host(const struct kt_facts *facts)
{
	const char *key, *value;

	for (size_t i = 0; kt_facts_at(facts, i, &key, &value); i++)
		if (!strncmp(key, "host.", 5) || !strncmp(key, "clock.", 6))
			printf("%-26s %s\n", key, kt_show_fact(key, value));
}

static void print_probes(const struct kt_facts *facts)
{
	const char *key, *value;

	printf("\n%-16s %-22s %s\n", "observed", "how", "what it gives");
	for (size_t i = 0; kt_facts_at(facts, i, &key, &value); i++) {
		const char *name = key + 14;

		if (strncmp(key, "capture.probe.", 14))
			continue;
		printf("%-16s %-22s %s%s\n", name, works(value) ? value : "no",
		       works(value) ? "" : "missing: ", lost_without(name));
		if (!works(value))
			printf("%-16s because: %s\n", "", kt_show_fact(key, value));
	}
}

static int run(int nr_args, char **args)
{
	struct kt_capture_opts co = { .detail = KT_DETAIL_LR, .buffer_bytes = 1 << 16 };
	struct kt_capture *capture = NULL;
	struct kt_facts *facts;
	json_object *o;
	int err;

	if (nr_args || opt.input) {
		const char *path = kt_input_path(opt.input, nr_args, args);

		return path ? kt_doctor_file(path, opt.json) : KT_EXIT_MISUSE;
	}
	if (kt_facts_new(&facts) || kt_host_facts(facts))
		return KT_EXIT_FAILED;
	co.knobs.gic = kt_host_gic();
	err = kt_capture_open(&co, facts, &capture);
	kt_capture_close(capture);
	if (opt.json) {
		o = kt_json_new("doctor");
		json_object_object_add(o, "can_record", json_object_new_boolean(!err));
		json_object_object_add(o, "facts", kt_json_facts(facts));
		kt_json_print(o);
	} else {
		print_host(facts);
		if (err)
			printf("\nThis host cannot be recorded: see above.\n");
		else
			print_probes(facts);
	}
	kt_facts_free(facts);
	return err ? KT_EXIT_FAILED : KT_EXIT_OK;
}

const struct kt_cmd kt_cmd_doctor = {
	.name = "doctor",
	.summary = "what this host, or a capture, lets us see, and why not",
	.usage = "[options] [FILE]",
	.options = options,
	.run = run,
};
