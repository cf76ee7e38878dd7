/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_SESSION_H
#define KT_SESSION_H

#include "facts.h"
#include "model.h"
#include "order.h"
#include "source_file.h"
#include "store.h"

/* A capture read to its end: file -> order -> model, and what is known then. */
struct kt_session {
	struct kt_model *model;
	struct kt_facts *facts;			/* a copy: outlives the file */
	struct kt_read_status status;
	bool uncounted;		/* a loss that nobody counted, with an end: perhaps nothing, perhaps much */
	uint64_t late;				/* events dropped because they came too late */
	const char *path;
	enum kt_input_format format;
	struct kt_ftrace_stats ftrace;		/* all 0 for our own formats */
};

struct kt_session_opts {
	const char *path;			/* "-" = stdin */
	const struct kt_model_sink *sink;	/* NULL: figures only */
	/* called once the model exists and before the first event; may be NULL */
	void (*ready)(void *arg, struct kt_model *model);
	/* called for every block that is not events, as read; 0 or -errno; may be NULL */
	int (*block)(void *arg, const struct kt_block *b);
	/* takes the events instead of the model; 0 or -errno; NULL: the model does */
	int (*feed)(void *arg, const struct kt_event *ev, size_t n);
	void *arg;
	uint32_t only_vm;
};

/* 0 or -errno, which has been said. */
int kt_session_read(const struct kt_session_opts *opts, struct kt_session *out);
void kt_session_free(struct kt_session *s);

/* 0 when number is 0 or that of a VM; else -ENOENT, said. */
int kt_session_check_vm(const struct kt_session *s, uint64_t number);

/* The file is whole and nothing was lost. */
bool kt_session_clean(const struct kt_session *s);

/* Positional FILE, -i FILE, or the default; NULL (and said) when there are too many. */
const char *kt_input_path(const char *option, int nr_args, char **args);

#define KT_DEFAULT_FILE "kvmtimer.data"

#endif
