/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_TRACE_TEXT_PRIVATE_H
#define KT_TRACE_TEXT_PRIVATE_H

/* For trace_line.c and trace_text.c only. */

#include <string.h>

#include "trace_text.h"

/* Is in this line, which cannot be read, the name of an event of ours after a time? */
bool kt_trace_line_tells(const char *line, size_t len);

static inline bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

/* Digits at *p, no more than fit 64 bits whatever they are. */
static inline bool take_number(const char **p, const char *end, uint64_t *out)
{
	const char *first = *p;
	uint64_t v = 0;

	while (*p < end && is_digit(**p))
		v = v * 10 + (unsigned int)(*(*p)++ - '0');
	*out = v;
	return *p > first && *p - first <= 19;
}

static inline bool starts(const char *p, const char *end, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(end - p) >= n && !memcmp(p, word, n);
}

/* Mail quotes before a line: "> > ".  What follows them is returned, its blanks included. */
static inline const char *unquote(const char *p, const char *end, unsigned int *dialect)
{
	const char *q = p;

	while (q < end && (*q == '>' || is_blank(*q))) {
		if (*q == '>') {
			*dialect |= KT_TRACE_QUOTED;
			p = q + 1;
		}
		q++;
	}
	return p;
}

static inline const char *trim(const char *p, const char *end)
{
	while (end > p && (is_blank(end[-1]) || end[-1] == '\r'))
		end--;
	return end;
}

#endif
