/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_PROBES_H
#define KT_PROBES_H

#include <stdbool.h>
#include <stdint.h>

/* What is observed, by which program, attached how: one row per program. */

enum kt_how { KT_HOW_RAW_TP, KT_HOW_KPROBE, KT_HOW_KRETPROBE, KT_HOW_FENTRY,
	      /* of the ftrace source only */
	      KT_HOW_TRACEPOINT, KT_HOW_FUNCTION, KT_HOW_NR };
enum kt_probe_group { KT_GROUP_ALWAYS, KT_GROUP_TRACEPOINT, KT_GROUP_FENTRY, KT_GROUP_KPROBE };

struct kt_probe {
	const char *name;	/* for facts and doctor: what is observed */
	const char *program;	/* in the BPF object */
	const char *target;	/* tracepoint or function */
	enum kt_how how;
	enum kt_probe_group group;
	int detail;		/* least enum kt_detail that loads it */
	uint8_t kind;		/* what is lost when the kernel skips the program */
	bool required;
	const char *lost;	/* what a recording lacks without it */
};

#define KT_PROBES_MAX 40

extern const struct kt_probe kt_probes[];
extern const int kt_nr_probes;

/* The same is observed by a tracepoint that only some kernels have. */
bool kt_probe_has_tracepoint(const struct kt_probe *p);
const char *kt_probe_target(const struct kt_probe *p, uint8_t gic);
const char *kt_how_name(enum kt_how how);
/* The value of a capture.probe.* fact: is it a way to observe, or the reason why there is none? */
bool kt_how_works(const char *value);

#endif
