/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A raw trace page of any bytes, and its records as any records of ours: walking
 * ends, stays inside the page, and what comes out is valid and in time order.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "ftrace_live.h"
#include "ftrace_page.h"

static uint64_t last_ns[2];

static int on_events(void *arg, uint32_t cpu, const struct kt_event *ev, size_t n)
{
	(void)arg;
	for (size_t i = 0; i < n; i++) {
		if (!kt_event_valid(&ev[i]) || ev[i].pcpu != cpu || ev[i].ts_ns <= last_ns[cpu])
			abort();
		last_ns[cpu] = ev[i].ts_ns;
	}
	return 0;
}

static int on_idents(void *arg, const struct kt_ident *id, size_t n)
{
	(void)arg;
	if (n != 1 || !id->who || id->who & KT_WHO_TID)
		abort();
	return 0;
}

/* Few different pointers, ids and CPUs, so that they meet; one byte a value. */
static void make_record(struct kt_live_rec *rec, const uint8_t *p, size_t n, uint64_t ts_ns)
{
	memset(rec, 0, sizeof(*rec));
	rec->ts_ns = ts_ns & INT64_MAX;
	rec->id = n > 0 ? p[0] : 0;
	rec->cpu = n > 1 ? p[1] & 3 : 0;
	rec->tid = n > 1 ? p[1] >> 2 & 3 : 0;
	rec->ctx = n > 2 ? p[2] % (KT_FC_NMI + 1) : 0;
	rec->has = n > 3 && p[3] & 1 ? ~0ull : 7;
	/* Large ones too, with an interrupt's number at the bottom: a list register looks like that. */
	for (size_t i = 4; i < n && i - 4 < KT_LIVE_VALUES; i++)
		rec->v[i - 4] = p[i] & 0x80 ? (uint64_t)p[i] << 56 | (p[i] & 0x1f) : p[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kt_live_sink sink = { .events = on_events, .idents = on_idents };
	struct kt_live_opts opts = { .nr_cpus = 2, .knobs = { .gic = 3 }, .fold_out_in_regs = size & 1,
				     .lr_tracepoints = size & 2,
				     .layout = { .timers = 8, .timer_size = 4, .timer_hrtimer = 1, .bg_timer = 32 } };
	struct kt_trace_page page;
	struct kt_live_rec rec;
	struct kt_live *live;

	last_ns[0] = last_ns[1] = 0;
	if (kt_live_new(&opts, &sink, &live))
		return 0;
	if (kt_trace_page_start(&page, data, size))
		kt_live_gap(live, size & 1);
	while (page.data) {
		const uint8_t *p = page.data;
		size_t n = kt_trace_page_size(&page);

		if (p < data || n > size || p + n > data + size)
			abort();
		make_record(&rec, p, n, page.ts_ns);
		if (rec.ts_ns < INT64_MAX / 2 && kt_live_feed(live, &rec))
			abort();
		if (n > 2 && p[2] == 0xff && kt_live_flush(live, false))
			abort();
		kt_trace_page_next(&page);
	}
	if (kt_live_flush(live, true))
		abort();
	kt_live_free(live);
	return 0;
}
