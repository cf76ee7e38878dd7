/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "live.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"

static pid_t recorder;

static void pass_on(int sig)
{
	(void)sig;
	if (recorder > 0)
		kill(recorder, SIGTERM);
}

static void exec_record(const struct kt_live_opts *o, int out)
{
	const char *args[16] = { "kvmtimer-trace", "record", "-q", "-o", "-", "--detail", o->detail,
				 "--source", o->source };
	char duration[40];
	int n = 9;

	if (o->pids) {
		args[n++] = "-p";
		args[n++] = o->pids;
	}
	if (o->duration_ns) {
		snprintf(duration, sizeof(duration), "%" PRIu64 "ns", o->duration_ns);
		args[n++] = "--duration";
		args[n++] = duration;
	}
	args[n] = NULL;
	dup2(out, STDOUT_FILENO);
	/* An interrupt from the terminal reaches the whole group; the reader passes on what is meant for this one. */
	setpgid(0, 0);
	execv("/proc/self/exe", (char **)args);
	fprintf(stderr, "kvmtimer-trace: cannot start the recorder: %s\n", strerror(errno));
	_exit(127);
}

pid_t kt_live_start(const struct kt_live_opts *opts)
{
	struct sigaction stop = { .sa_handler = pass_on, .sa_flags = SA_RESTART };
	int pipes[2], err;

	if (pipe(pipes))
		return kt_err(-errno, "cannot make a pipe: %s", strerror(errno));
	recorder = fork();
	if (recorder < 0) {
		err = -errno;
		close(pipes[0]);
		close(pipes[1]);
		return kt_err(err, "cannot start the recorder: %s", strerror(-err));
	}
	if (!recorder) {
		close(pipes[0]);
		exec_record(opts, pipes[1]);
	}
	close(pipes[1]);
	dup2(pipes[0], STDIN_FILENO);
	close(pipes[0]);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGALRM, &stop, NULL);
	return recorder;
}

void kt_live_stop_soon(void)
{
	alarm(1);
}

int kt_live_end(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	recorder = 0;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}
