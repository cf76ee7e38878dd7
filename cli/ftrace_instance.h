/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_FTRACE_INSTANCE_H
#define KT_FTRACE_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * An ftrace instance of our own, and nothing else of tracefs is touched: the
 * buffers, options and tracer of the host stay as they are.  Only kprobe events
 * are global by nature; ours stand in a group of their own.
 *
 * Both names carry the process and when it started:
 *
 *	instances/kvmtimer-PID-START	and group kvmtimer_PID_START
 *
 * and the owner holds a lock on the folder, so what a killed recorder left
 * behind is recognised, also from another pid namespace, and removed by the next
 * start and by doctor.
 */
struct kt_tracefs;

/* Removes what dead recorders left, then makes ours, stopped.  Errors have been said. */
int kt_tracefs_open(struct kt_tracefs **out);

/* Removes instance and probes; NULL is fine.  All files of the instance must be closed. */
void kt_tracefs_close(struct kt_tracefs *t);

/* Instances and probe groups of dead recorders that were removed, or -errno. */
int kt_tracefs_clean(void);

/* The group also carries the process, so a name made from both is unique on this host. */
const char *kt_tracefs_name(const struct kt_tracefs *t);
const char *kt_tracefs_group(const struct kt_tracefs *t);

/* Where tracefs is mounted; NULL without one. */
const char *kt_tracefs_dir(void);

/* Files of the instance.  All return 0 or -errno without a word. */
int kt_tracefs_write(struct kt_tracefs *t, const char *file, const char *text);
int kt_tracefs_write_event(struct kt_tracefs *t, const char *system, const char *event,
			   const char *file, const char *text);
bool kt_tracefs_has_event(struct kt_tracefs *t, const char *system, const char *event);
/* NUL-terminated, the caller's to free; NULL when it cannot be read. */
char *kt_tracefs_read(struct kt_tracefs *t, const char *file);
int kt_tracefs_open_file(struct kt_tracefs *t, const char *file, int flags);

/* A kprobe event of our group; ret: at the function's return. */
int kt_tracefs_probe(struct kt_tracefs *t, const char *event, bool ret, const char *function,
		     const char *args);

/*
 * How often the kernel skipped the probe called `name`: a number that grows.
 * The profile is the whole host's and has no groups, so names should be unique;
 * the caller frees it.
 */
char *kt_tracefs_probe_profile(void);
uint64_t kt_tracefs_probe_misses(const char *profile, const char *name);

#endif
