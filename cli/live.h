/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_LIVE_H
#define KT_LIVE_H

#include <stdint.h>
#include <sys/types.h>

/*
 * check on a running host: `record` in a process of its own, writing to a pipe
 * that this process reads like a file.
 */
struct kt_live_opts {
	const char *pids;	/* as for record -p; NULL: all VMs */
	const char *detail, *source;
	uint64_t duration_ns;	/* 0: until a signal */
};

/* Standard input becomes the recording.  The recorder's process, or -errno, which has been said. */
pid_t kt_live_start(const struct kt_live_opts *opts);

/* Asks the recorder to end well in a second: what it has by then still comes through the pipe. */
void kt_live_stop_soon(void);

/* Waits for it; 0 when it ended well. */
int kt_live_end(pid_t pid);

#endif
