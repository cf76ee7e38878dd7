/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parent's side of the pipe: what a child that was taken over may say. */
#include <string.h>

#include "facts.h"
#include "ftrace_sink.h"
#include "tracedat_proto.h"

/* What was understood can be said again, and is understood the same. */
static void say_again(const struct kt_ftrace_rec *rec)
{
	uint64_t buf[KT_TRACEDAT_MSG_MAX / 8];
	size_t n = kt_tracedat_rec(buf, rec);
	struct kt_tracedat_msg m;

	if (kt_tracedat_decode(buf, n, &m) != (int)n || m.type != KT_TD_REC || m.rec.ts_ns != rec->ts_ns ||
	    m.rec.has != rec->has || memcmp(m.rec.v, rec->v, sizeof(rec->v)) ||
	    memcmp(m.rec.comm, rec->comm, rec->comm_len))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t *buf = malloc(size + 8);
	struct kt_tracedat_msg m;
	struct kt_facts *facts;
	size_t pos = 0;
	struct kt_ftrace_blocks *s;
	int used;

	if (!buf || kt_facts_new(&facts))
		abort();
	memcpy(buf, data, size);
	s = sink_new();
	while ((used = kt_tracedat_decode((char *)buf + pos, size - pos, &m)) > 0) {
		if (used & 7 || (size_t)used > size - pos)
			abort();
		pos += (size_t)used;
		if (m.type == KT_TD_REC) {
			say_again(&m.rec);
			kt_ftrace_blocks_rec(s, &m.rec);
		} else if (m.type == KT_TD_LOST) {
			kt_ftrace_blocks_lost(s, m.lost.cpu, m.lost.n);
		} else if (m.type == KT_TD_FACT) {
			(void)!kt_facts_set(facts, m.fact.key, m.fact.value);
		} else if (m.type == KT_TD_FAIL) {
			(void)!strlen(m.reason);
		}
		sink_drain(s);
	}
	if (used < 0 && !m.why)
		abort();
	sink_end(s);
	kt_facts_free(facts);
	free(buf);
	return 0;
}
