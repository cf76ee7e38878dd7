/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_SOURCE_FILE_H
#define KT_SOURCE_FILE_H

#include "ftrace_feed.h"
#include "store.h"

/*
 * Any capture as blocks of a recording: our own file, the text form of events, a
 * trace as text (tracefs, trace-cmd report, perf script), a trace.dat.  What it is
 * is found from its first bytes, never from its name; "-" is standard input.
 *
 * What an input lacks is told by facts, so that it survives `dump`:
 *
 *	input.format		which reader
 *	input.lack.NAME		a sentence for a person
 */
struct kt_input;

enum kt_input_format { KT_INPUT_OURS, KT_INPUT_TEXT, KT_INPUT_TRACEDAT };

/* 0 or -errno, which has been said. */
int kt_input_open(const char *path, struct kt_input **out);
/* As kt_reader_next and kt_reader_release. */
int kt_input_next(struct kt_input *in, struct kt_block *b);
void kt_input_release(struct kt_input *in, const struct kt_block *b);
void kt_input_close(struct kt_input *in);

enum kt_input_format kt_input_format(const struct kt_input *in);
const struct kt_read_status *kt_input_status(const struct kt_input *in);
/* What the conversion found; NULL for our own formats. */
const struct kt_ftrace_stats *kt_input_ftrace(const struct kt_input *in);

#endif
