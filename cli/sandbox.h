/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_SANDBOX_H
#define KT_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A child that may read one file, compute, and write to a pipe: for code that
 * parses what strangers sent.  It has no privileges, cannot open, make or send
 * anything (seccomp), and has limits of memory and CPU time.
 */
struct kt_sandbox_opts {
	/* The child's work; it ends by returning.  in_fd is read-only, out_fd the pipe. */
	void (*run)(int in_fd, int out_fd, void *arg);
	void *arg;
	int in_fd;		/* stays the caller's */
	uint64_t memory_bytes;	/* address space beyond what the process has now */
	uint32_t cpu_s;
	uint32_t idle_s;	/* neither writes nor computes for so long: given up */
};

struct kt_sandbox {
	pid_t pid;
	int fd;			/* read end of the pipe */
	uint32_t cpu_s, idle_s;
	bool at_end;
};

/* 0 or -errno, which has been said. */
int kt_sandbox_start(const struct kt_sandbox_opts *opts, struct kt_sandbox *s);

/* Reads from the pipe.  0 at its end; -ETIME when the child neither writes nor computes any more. */
ssize_t kt_sandbox_read(struct kt_sandbox *s, void *buf, size_t size);

/*
 * After the end of the pipe: how the child ended, NULL for well, else a sentence
 * about it in `why`: "crashed (Segmentation fault)".  Before it: ends the child.
 */
const char *kt_sandbox_end(struct kt_sandbox *s, char *why, size_t size);

#endif
