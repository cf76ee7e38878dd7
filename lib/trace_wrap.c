/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace_wrap.h"

#include <string.h>

size_t kt_wrap_try(struct kt_wrap *w, const char *line, size_t len)
{
	size_t at = w->nr ? w->len + 1 : 0;

	if (!len || len > KT_WRAP_MAX || at + len > sizeof(w->text))
		return 0;
	if (at)
		w->text[w->len] = ' ';
	memcpy(w->text + at, line, len);
	return at + len;
}

bool kt_wrap_keep(struct kt_wrap *w, size_t end, const struct kt_wrap_piece *piece)
{
	if (w->nr == KT_WRAP_PIECES)
		return false;
	w->piece[w->nr] = *piece;
	w->piece[w->nr].at = w->nr ? w->len + 1 : 0;
	w->nr++;
	w->len = end;
	return true;
}

struct kt_wrap_piece kt_wrap_drop(struct kt_wrap *w)
{
	struct kt_wrap_piece first = w->piece[0];
	unsigned int n = first.parts ? first.parts : 1;
	size_t at;

	if (n >= w->nr) {
		kt_wrap_clear(w);
		return first;
	}
	at = w->piece[n].at;
	memmove(w->text, w->text + at, w->len - at);
	w->len -= at;
	w->nr -= n;
	memmove(w->piece, w->piece + n, w->nr * sizeof(*w->piece));
	for (unsigned int i = 0; i < w->nr; i++)
		w->piece[i].at -= at;
	return first;
}

void kt_wrap_clear(struct kt_wrap *w)
{
	w->nr = 0;
	w->len = 0;
}
