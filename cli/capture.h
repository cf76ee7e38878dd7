/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_CAPTURE_H
#define KT_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <kvmtimer/knobs.h>

#include "facts.h"
#include "ring.h"

/*
 * A capture from this host's kernel: observing has begun, buffers fill.  Behind it
 * stands one of the sources; a build may have neither, and says so.
 */
enum kt_source { KT_SOURCE_AUTO, KT_SOURCE_BPF, KT_SOURCE_FTRACE };

struct kt_source_ops;

/* First member of each source's own struct. */
struct kt_capture {
	const struct kt_source_ops *ops;
};

enum kt_detail { KT_DETAIL_LINE, KT_DETAIL_LR };

struct kt_capture_opts {
	enum kt_source source;
	enum kt_detail detail;
	uint64_t buffer_bytes;		/* per CPU; rounded up to a power of two of records */
	uint64_t buffer_total_max;	/* cap over all CPUs: buffer_bytes shrinks to fit */
	uint64_t side_bytes;		/* ring for preemptible code; 0 = default */
	struct kt_knobs knobs;		/* filters; ring_* are filled in here */
	bool no_fentry;			/* use kprobes even where fentry works (for comparison) */
	bool no_tracepoints;		/* use probes even where the vgic has tracepoints (likewise) */
	bool calls;			/* ftrace: order of calls instead of timer tracepoints */
};

struct kt_capture_sink {
	struct kt_rings_sink rings;
	/* events from preemptible code: any CPU, nearly sorted */
	int (*side)(void *arg, const struct kt_event *ev, size_t n);
	int (*idents)(void *arg, const struct kt_ident *id, size_t n);
};

struct kt_capture_stats {
	uint64_t events;	/* taken from all rings */
	uint64_t lost;		/* full rings and programs that the kernel skipped */
	uint64_t records;	/* read from the kernel; more than events where some only tell who is who */
	uint64_t lost_idents;	/* vCPUs without room in the identity maps */
	unsigned int fill_permille;
	uint32_t nr_cpus;
	uint64_t buffer_bytes;	/* per CPU as made */
	double cost_ns;		/* mean run time of a program, 0 if not measured */
};

/*
 * One way to observe the kernel.  The functions below do what kt_capture_* say;
 * measure and new_file may be NULL.
 */
struct kt_source_ops {
	const char *name;
	int (*open)(const struct kt_capture_opts *opts, struct kt_facts *facts,
		    struct kt_capture **out);
	int (*drain)(struct kt_capture *c, uint64_t now_ns, const struct kt_capture_sink *sink);
	void (*stop)(struct kt_capture *c);
	uint64_t (*watermark_ns)(const struct kt_capture *c);
	void (*stats)(struct kt_capture *c, struct kt_capture_stats *out);
	int (*measure)(struct kt_capture *c, bool on);
	void (*new_file)(struct kt_capture *c);
	void (*close)(struct kt_capture *c);
};

extern const struct kt_source_ops kt_source_bpf, kt_source_ftrace;

/*
 * With KT_SOURCE_AUTO the BPF source is tried first, then ftrace, and what stood
 * in the way of the first is said.  facts gains capture.source.
 *
 * Loads and attaches; from then on events are counted.  facts gains capture.*
 * (what was attached how, what is missing and why).  Errors have been said
 * with what to do about them.
 */
int kt_capture_open(const struct kt_capture_opts *opts, struct kt_facts *facts,
		    struct kt_capture **out);

/* One pass over all rings into the sink. */
int kt_capture_drain(struct kt_capture *c, uint64_t now_ns, const struct kt_capture_sink *sink);

/* Detaches: after this no event is added, and the last pass takes everything. */
void kt_capture_stop(struct kt_capture *c);

uint64_t kt_capture_watermark_ns(const struct kt_capture *c);
void kt_capture_stats(struct kt_capture *c, struct kt_capture_stats *out);

/* The name of the source behind it. */
const char *kt_capture_source(const struct kt_capture *c);

/* Measures run time of the programs while on; costs two clock reads per event. */
int kt_capture_measure(struct kt_capture *c, bool on);

/* From now on a new file is written: facts that are sent once are sent again. */
void kt_capture_new_file(struct kt_capture *c);

/* Detaches and frees; NULL is fine. */
void kt_capture_close(struct kt_capture *c);

#endif
