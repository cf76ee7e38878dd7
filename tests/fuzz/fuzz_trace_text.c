/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trace as text, from its first look to events. */
#include <string.h>

#include "ftrace_sink.h"
#include "input.h"
#include "trace_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* In small pieces, so that lines lie across reads. */
	struct input in = { data, size, .most = 61 };
	const struct kt_trace_status *st;
	struct kt_trace_text *t;
	struct kt_ftrace_rec rec;
	uint64_t events = 0;
	struct kt_ftrace_blocks *s;
	int kind;

	/* The same lines again, so not for every input. */
	if (size % 8 == 0)
		(void)kt_trace_text_looks((const char *)data, size);
	if (kt_trace_text_new(input_take, &in, &t))
		return 0;
	s = sink_new();
	while ((kind = kt_trace_text_next(t, &rec)) >= 0) {
		if (kind == KT_TL_EVENT) {
			if (!rec.id || rec.id >= KT_FT_NR || rec.comm_len > 16 || rec.ctx > KT_FC_NMI)
				abort();
			events++;
			kt_ftrace_blocks_rec(s, &rec);
		} else {
			kt_ftrace_blocks_lost(s, rec.cpu, rec.v[0]);
		}
		sink_drain(s);
	}
	st = kt_trace_text_status(t);
	if (st->events != events || st->events + st->others + st->skipped.n +
	    st->unreadable.n + st->untold.n > st->lines)
		abort();
	sink_end(s);
	kt_trace_text_free(t);
	return 0;
}
