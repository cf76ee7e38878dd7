/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_ESCAPE_H
#define KT_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Text from outside (names of VMs and threads, facts of a file) made safe to
 * print: control characters, what is not UTF-8, and the marks that reverse the
 * direction of writing come out as \xNN; a backslash as \\.  Always ends with
 * NUL; what does not fit is cut.  Returns the length written.
 */
size_t kt_escape(const char *text, size_t len, char *out, size_t size);

/* The same into one of a few rotating buffers, for use inside one printf. */
const char *kt_safe(const char *text);
const char *kt_safe_n(const char *text, size_t max_len);

/* From now on kt_safe escapes all that is not ASCII too. */
void kt_safe_ascii(bool on);

/*
 * For text that has been escaped: how many of its len bytes fit into so many
 * columns of a terminal, cut between characters and never inside an escape.
 * *used, if not NULL, gets the columns these take.
 */
size_t kt_cut(const char *safe, size_t len, size_t columns, size_t *used);

/* Cut or padded to exactly so many columns (at most 64); one of a few rotating buffers. */
const char *kt_fit(const char *safe, size_t columns);

#endif
