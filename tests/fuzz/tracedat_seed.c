/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedat_seed <TRACE.txt >SEED: what the child would say about this trace, for the fuzzer's corpus. */
#include <stdio.h>
#include <unistd.h>

#include "trace_text.h"
#include "tracedat_proto.h"

static ssize_t take(void *arg, void *buf, size_t size)
{
	(void)arg;
	return read(STDIN_FILENO, buf, size);
}

int main(void)
{
	uint64_t buf[KT_TRACEDAT_MSG_MAX / 8];
	struct kt_trace_text *t;
	struct kt_ftrace_rec rec;
	int kind;

	if (kt_trace_text_new(take, NULL, &t))
		return 1;
	fwrite(buf, 1, kt_tracedat_hello(buf), stdout);
	fwrite(buf, 1, kt_tracedat_fact(buf, "clock.trace", "mono"), stdout);
	while ((kind = kt_trace_text_next(t, &rec)) >= 0)
		fwrite(buf, 1, kind == KT_TL_EVENT ? kt_tracedat_rec(buf, &rec) :
			       kt_tracedat_lost(buf, rec.cpu, rec.v[0]), stdout);
	fwrite(buf, 1, kt_tracedat_done(buf, 1, 0), stdout);
	kt_trace_text_free(t);
	return 0;
}
