/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "escape.h"
#include "log.h"

#ifndef KT_VERSION
#define KT_VERSION "unknown"
#endif

const char *kt_command_line;

static const struct kt_cmd *const cmds[] = {
	&kt_cmd_record, &kt_cmd_report, &kt_cmd_timeline, &kt_cmd_check, &kt_cmd_simulate,
	&kt_cmd_dump, &kt_cmd_doctor,
};

#define NR_CMDS (sizeof(cmds) / sizeof(cmds[0]))

static void usage(FILE *to)
{
	fprintf(to, "usage: kvmtimer-trace COMMAND [options]\n\n"
		    "What the arch timers of arm64 KVM guests do, from the host.\n\n");
	for (size_t i = 0; i < NR_CMDS; i++)
		fprintf(to, "  %-10s%s\n", cmds[i]->name, cmds[i]->summary);
	fprintf(to, "\nkvmtimer-trace COMMAND --help tells more, man kvmtimer-trace all.\n");
}

static const struct kt_cmd *find(const char *name)
{
	for (size_t i = 0; i < NR_CMDS; i++)
		if (!strcmp(cmds[i]->name, name))
			return cmds[i];
	return NULL;
}

static bool debug_wanted(void)
{
	const char *v = getenv("KVMTIMER_DEBUG");

	return v && *v && strcmp(v, "0");
}

/* Messages may carry names from outside: escaped like all output. */
static void say(void *arg, enum kt_log_level level, const char *text)
{
	static const char *const prefix[] = { "", "warning: ", "" };
	char safe[8192];

	(void)arg;
	if (level == KT_LOG_DEBUG) {
		if (debug_wanted())
			fprintf(stderr, "%s\n", text);
		return;
	}
	kt_escape(text, strlen(text), safe, sizeof(safe));
	fprintf(stderr, "kvmtimer-trace: %s%s\n", prefix[level], safe);
}

static char *join(int argc, char **argv)
{
	size_t len = 1;
	char *line, *p;

	for (int i = 0; i < argc; i++)
		len += strlen(argv[i]) + 1;
	p = line = malloc(len);
	if (!line)
		return NULL;
	for (int i = 0; i < argc; i++)
		p += sprintf(p, "%s%s", i ? " " : "", argv[i]);
	return line;
}

static int run(const struct kt_cmd *cmd, int argc, char **argv)
{
	char **args = calloc(argc + 1, sizeof(*args));
	int n, status;

	if (!args)
		return KT_EXIT_FAILED;
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		printf("usage: kvmtimer-trace %s %s\n\n%s\n", cmd->name, cmd->usage, cmd->summary);
		kt_options_help(cmd->options, stdout);
		free(args);
		return KT_EXIT_OK;
	}
	n = kt_options_parse(cmd->options, argc, argv, cmd == &kt_cmd_record, args);
	if (n < 0) {
		fprintf(stderr, "usage: kvmtimer-trace %s %s\n", cmd->name, cmd->usage);
		status = KT_EXIT_MISUSE;
	} else {
		status = cmd->run(n, args);
	}
	free(args);
	return status;
}

static int dispatch(int argc, char **argv)
{
	const struct kt_cmd *cmd;

	if (argc < 2) {
		usage(stderr);
		return KT_EXIT_MISUSE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return KT_EXIT_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("kvmtimer-trace %s\n", KT_VERSION);
		return KT_EXIT_OK;
	}
	if (!strcmp(argv[1], "--complete")) {
		cmd = argc > 2 ? find(argv[2]) : NULL;
		for (size_t i = 0; !cmd && i < NR_CMDS; i++)
			puts(cmds[i]->name);
		if (cmd)
			kt_options_words(cmd->options, stdout);
		return KT_EXIT_OK;
	}
	cmd = find(argv[1]);
	if (!cmd) {
		fprintf(stderr, "kvmtimer-trace: there is no command \"%s\"\n", argv[1]);
		usage(stderr);
		return KT_EXIT_MISUSE;
	}
	return run(cmd, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int status;

	kt_log_set_sink(say, NULL);
	/* A closed pipe is a write error like any other, found by fflush below. */
	signal(SIGPIPE, SIG_IGN);
	kt_command_line = join(argc, argv);
	status = dispatch(argc, argv);
	if (fflush(stdout) || ferror(stdout)) {
		if (errno != EPIPE)
			fprintf(stderr, "kvmtimer-trace: cannot write the output: %s\n", strerror(errno));
		status = status ? status : KT_EXIT_FAILED;
	}
	return status;
}
