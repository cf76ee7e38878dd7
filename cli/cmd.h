/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_CMD_H
#define KT_CMD_H

#include "options.h"

/* Exit statuses: docs say the same. */
enum {
	KT_EXIT_OK = 0,
	KT_EXIT_FAILED = 1,
	KT_EXIT_VIOLATION = 2,
	KT_EXIT_INCONCLUSIVE = 3,
	KT_EXIT_MISUSE = 129,
};

/* One command: a file cmd_NAME.c that ends with this. */
struct kt_cmd {
	const char *name;
	const char *summary;		/* one line, for the list of commands */
	const char *usage;		/* what follows the name */
	const struct kt_option *options;
	/* args: what the options left; returns an exit status */
	int (*run)(int nr_args, char **args);
};

extern const struct kt_cmd kt_cmd_record, kt_cmd_report, kt_cmd_timeline, kt_cmd_check, kt_cmd_dump,
	kt_cmd_doctor, kt_cmd_simulate;

/* The command line that is running, for the recording's facts. */
extern const char *kt_command_line;

#endif
