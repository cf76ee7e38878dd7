/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_RECORDER_H
#define KT_RECORDER_H

#include "capture.h"
#include "store.h"

/*
 * From a capture's passes to the file: blocks, marks, identities, names,
 * clock pairs, and the change to a new file when one is full.
 */
struct kt_recorder;

struct kt_recorder_opts {
	const char *path;
	uint64_t max_bytes;	/* 0: no limit */
	bool rotate;		/* at max_bytes: go on in a new file, keeping one older */
};

int kt_recorder_new(const struct kt_recorder_opts *opts, const struct kt_facts *facts,
		    struct kt_recorder **out);

/* One pass of c into the file.  -EFBIG: full, and not to be rotated. */
int kt_recorder_pass(struct kt_recorder *r, struct kt_capture *c);

/* Number of VMs seen; bytes in the current file. */
unsigned int kt_recorder_vms(const struct kt_recorder *r);
uint64_t kt_recorder_bytes(const struct kt_recorder *r);

/* What is in the current file, and in all that were rotated. */
struct kt_recorder_counts {
	uint64_t events, lost;
	uint64_t all_events, all_lost;
};

void kt_recorder_counts(const struct kt_recorder *r, struct kt_recorder_counts *out);

/*
 * Ends the file well with the stop facts, to which it adds stop.events, stop.lost and
 * stop.whole: "no" where streams end at different times, because the last pass was cut
 * short.  Frees.  NULL is fine, for both.
 */
int kt_recorder_close(struct kt_recorder *r, struct kt_facts *stop);

#endif
