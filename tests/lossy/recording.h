/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOSSY_RECORDING_H
#define LOSSY_RECORDING_H

/* A recording in memory, block by block, to be written again with parts of it missing. */
#include "store.h"

/* The events of one stream in the order of the file. */
struct strand {
	uint32_t number;
	struct kt_event *ev;
	size_t n, max;
};

struct piece {
	enum kt_block_type type;
	uint32_t strand;	/* of events: which of the recording's, and which of that one's */
	size_t first, n;
	uint64_t mark_ns;
	void *data;		/* identities, clock pairs, names, losses */
	size_t edge;		/* where it begins in bytes */
};

struct recording {
	const char *path;
	bool ftrace;
	struct kt_facts *facts, *stop;
	struct piece *piece;
	size_t nr_pieces, max_pieces;
	struct strand *strand;
	size_t nr_strands, max_strands;
	uint64_t *pass_ns;	/* when the recorder's passes began, as its marks tell; the last one: its end */
	size_t nr_passes, max_passes;
	unsigned char *bytes;	/* as written again, whole */
	size_t size;
};

#define MAX_HOLES 16
#define MAX_LOSSES 1024

/* What is missing, and what the recorder says of it. */
struct damage {
	struct { uint32_t strand; size_t first, n; } hole[MAX_HOLES];
	size_t nr_holes;
	struct { struct kt_loss loss; size_t before; } lost[MAX_LOSSES];	/* before which piece */
	size_t nr_lost;
};

/* Ends the program when it cannot: nothing here is expected to fail. */
void die(const char *what, int err);
void *grown(void *array, size_t n, size_t *max, size_t size);

/*
 * Reads a recording or a story.  What no recorder wrote (a story, runs of the reference machine)
 * has all its events in one stream: it is laid out as a recorder would have written it, with a
 * pass for every 32 events.  scratch: a file that may be overwritten.
 */
void recording_read(struct recording *r, const char *path, const char *scratch);
void recording_free(struct recording *r);

/* damage may be NULL. */
void recording_write(struct recording *r, const struct damage *d, const char *path);

/*
 * As a recorder that rotates when the file is full before that piece: all up to there, and the
 * rest.
 */
void recording_rotate(struct recording *r, size_t piece, const char *path, const char *next);

/* The first pass that begins at ts_ns or later. */
size_t pass_of(const struct recording *r, uint64_t ts_ns);
/* Before which piece that pass writes its last. */
size_t end_of_pass(const struct recording *r, size_t pass);

#endif
