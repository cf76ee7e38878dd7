/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gaps.h"

#include <errno.h>
#include <stdlib.h>

#include "store.h"

/* Place of the stream's span, or of one behind the last. */
static size_t span_of(const struct kt_gaps *g, uint32_t stream)
{
	size_t i = 0;

	while (i < g->n && g->span[i].stream != stream)
		i++;
	return i;
}

static int grow(struct kt_gaps *g)
{
	size_t max = 2 * g->max + 4;
	struct kt_gap_span *bigger = realloc(g->span, max * sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	g->span = bigger;
	g->max = max;
	return 0;
}

int kt_gaps_open(struct kt_gaps *g, uint32_t stream, uint64_t until_ns)
{
	size_t i = span_of(g, stream);

	if (i == g->max && grow(g))
		return -ENOMEM;
	if (i == g->n)
		g->span[g->n++] = (struct kt_gap_span){ until_ns, stream };
	else if (g->span[i].until_ns < until_ns)
		g->span[i].until_ns = until_ns;
	if (g->until_ns < until_ns)
		g->until_ns = until_ns;
	return 0;
}

bool kt_gap_touches(uint32_t stream, struct kt_gap_place place)
{
	return stream == KT_STREAM_SIDE || !place.loaded || place.emulates || place.pcpu == stream;
}

uint64_t kt_gaps_until_ns(const struct kt_gaps *g, uint64_t ts_ns, struct kt_gap_place place)
{
	uint64_t until_ns = 0;

	for (size_t i = 0; i < g->n; i++) {
		const struct kt_gap_span *s = &g->span[i];

		if (s->until_ns >= ts_ns && s->until_ns > until_ns && kt_gap_touches(s->stream, place))
			until_ns = s->until_ns;
	}
	return until_ns;
}

void kt_gaps_close(struct kt_gaps *g)
{
	g->n = 0;
	g->until_ns = 0;
}

void kt_gaps_fini(struct kt_gaps *g)
{
	free(g->span);
	*g = (struct kt_gaps){ 0 };
}
