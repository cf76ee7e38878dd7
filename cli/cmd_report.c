/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report: one page about a recording, fit for a mail: host, VMs, vCPUs, exits
 * by cause, hops of interrupts, and what the recording lacks.
 */
#include "anonymise.h"
#include "cmd.h"
#include "report.h"

static struct {
	const char *input;
	uint64_t vm;
	bool json, anonymise, strict, all;
} opt;

static const struct kt_option options[] = {
	{ KT_OPT_STRING, 'i', "input", "FILE", &opt.input, .help = "recording, text or trace.dat; - is standard input (" KT_DEFAULT_FILE ")" },
	{ KT_OPT_UINT, 0, "vm", "N", &opt.vm, 1, UINT32_MAX, .help = "only this VM, by its number in the report" },
	{ KT_OPT_FLAG, 0, "all", .to = &opt.all, .help = "every vCPU, not only the busiest" },
	{ KT_OPT_FLAG, 0, "anonymise", .to = &opt.anonymise, .help = "made-up names, pids and host name" },
	{ KT_OPT_FLAG, 'j', "json", .to = &opt.json, .help = "JSON instead of text" },
	{ KT_OPT_FLAG, 0, "strict", .to = &opt.strict, .help = "status 3 when data was lost or the file is cut" },
	KT_OPT_END
};

static int run(int nr_args, char **args)
{
	struct kt_report_opts ro = { .all = opt.all };
	struct kt_session_opts so = { .only_vm = opt.vm };
	struct kt_session s;
	int err = 0, status;

	so.path = kt_input_path(opt.input, nr_args, args);
	if (!so.path)
		return KT_EXIT_MISUSE;
	kt_anonymise(opt.anonymise);
	if (kt_session_read(&so, &s))
		return KT_EXIT_FAILED;
	if (kt_session_check_vm(&s, opt.vm)) {
		kt_session_free(&s);
		return KT_EXIT_FAILED;
	}
	if (opt.json)
		err = kt_report_json(&s, &ro);
	else
		kt_report_text(&s, &ro);
	status = err ? KT_EXIT_FAILED :
		 opt.strict && !kt_session_clean(&s) ? KT_EXIT_INCONCLUSIVE : KT_EXIT_OK;
	kt_session_free(&s);
	return status;
}

const struct kt_cmd kt_cmd_report = {
	.name = "report",
	.summary = "one page about a recording: rates, exits by cause, latencies, loss",
	.usage = "[options] [FILE]",
	.options = options,
	.run = run,
};
