/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_TRACEDAT_H
#define KT_TRACEDAT_H

#include <stddef.h>

#include "sandbox.h"
#include "tracedat_proto.h"

/*
 * trace-cmd's files, v6 and v7, read by libtracecmd in a sandboxed child.  This
 * is the parent's side: it starts the child and checks what it says.
 */
struct kt_tracedat;

/* Does a file that begins like this look like one? */
bool kt_tracedat_looks(const char *buf, size_t len);

/*
 * fd must be seekable; it stays the caller's and must stay open.  0 or -errno,
 * said: -ENOTSUP when the tool was built without libtracecmd.
 */
int kt_tracedat_open(int fd, const char *name, struct kt_tracedat **out);
/* The same with another child, for tests. */
int kt_tracedat_open_with(const struct kt_sandbox_opts *opts, const char *name,
			  struct kt_tracedat **out);

/* 1 and *msg (REC, LOST, FACT or DONE, valid until the next call); 0 at the end; -errno, said. */
int kt_tracedat_next(struct kt_tracedat *t, struct kt_tracedat_msg *msg);
void kt_tracedat_close(struct kt_tracedat *t);

/* The child: cli/tracedat_child.c, or its stand-in without libtracecmd. */
extern const bool kt_tracedat_built;
void kt_tracedat_child(int in_fd, int out_fd, void *arg);

#endif
