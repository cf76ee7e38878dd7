/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_OPTIONS_H
#define KT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Options are rows: parsing, range errors, --help and completion all walk the
 * same table.  Values are written through `to`, which points at a variable of
 * the type named beside the kind.
 */
enum kt_option_kind {
	KT_OPT_GROUP,		/* a heading in --help; only `help` is used */
	KT_OPT_FLAG,		/* bool */
	KT_OPT_STRING,		/* const char * */
	KT_OPT_UINT,		/* uint64_t, in [min, max] */
	KT_OPT_DURATION,	/* uint64_t ns */
	KT_OPT_SIZE,		/* uint64_t bytes */
	KT_OPT_MASK,		/* uint64_t: "0-3,7" */
	KT_OPT_CHOICE,		/* int: index into `choices` */
	KT_OPT_CALL,		/* parse() is asked; `to` is its argument */
};

struct kt_option {
	enum kt_option_kind kind;
	char letter;			/* 0: none */
	const char *name;		/* NULL ends the table, except for a group */
	const char *arg;		/* what to call the value in --help; NULL for a flag */
	void *to;
	uint64_t min, max;		/* of a number; min also of a duration or size */
	const char *const *choices;	/* ended by NULL */
	/* 0, or -EINVAL when value cannot be understood */
	int (*parse)(void *to, const char *value);
	const char *help;
};

#define KT_OPT_END {}

/*
 * Parses argv[1..]; stops at "--" or at the first word that is no option when
 * stop_early, else gathers the other words in args (room for argc).  Returns
 * their number, or -1 after having said what is wrong on stderr.
 */
int kt_options_parse(const struct kt_option *options, int argc, char **argv, bool stop_early,
		     char **args);

/* The table as text, and as words for completion. */
void kt_options_help(const struct kt_option *options, FILE *to);
void kt_options_words(const struct kt_option *options, FILE *to);

#endif
