/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_TRACE_WRAP_H
#define KT_TRACE_WRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The last lines of a text that could not be read: a mail wraps long lines at
 * blanks, so each may be a piece of one that goes on.  They lie one after the
 * other with a blank between, so that any of them together with all that follow
 * is a line to try.  Private to trace_text.c.
 */
#define KT_WRAP_PIECES 5	/* a line of 200 letters at 40 columns has one more */
#define KT_WRAP_MAX 512		/* a piece is no longer */

struct kt_wrap_piece {
	uint64_t line;		/* number, from 1 */
	const char *why;	/* why it could not be read; static text */
	uint16_t at;		/* where in the text */
	uint16_t cpu;		/* of the event; the last one seen where that is not known */
	uint8_t parts;		/* pieces that tell an event together whose rest is missing; 0 = tells none */
};

struct kt_wrap {
	char text[2 * KT_WRAP_MAX];
	size_t len;
	struct kt_wrap_piece piece[KT_WRAP_PIECES];
	unsigned int nr;
};

/*
 * Writes a line after the pieces, without keeping it, and returns where the text
 * ends with it: 0 when there is no room for it.
 */
size_t kt_wrap_try(struct kt_wrap *w, const char *line, size_t len);
/* Keeps what was tried last; false when there are KT_WRAP_PIECES. */
bool kt_wrap_keep(struct kt_wrap *w, size_t end, const struct kt_wrap_piece *piece);
/* Takes the first piece away, with those that tell its event. */
struct kt_wrap_piece kt_wrap_drop(struct kt_wrap *w);
/* The text stays as it is until the next try. */
void kt_wrap_clear(struct kt_wrap *w);

#endif
