/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile scenario, and its run under every semantics: it ends, it emits only
 * valid events in order of time, and no property of the machine breaks.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "event.h"
#include "scenario.h"

static void on_event(void *arg, const struct kt_event *ev)
{
	uint64_t *last_ns = arg;

	if (!kt_event_valid(ev) || ev->ts_ns <= *last_ns)
		abort();
	*last_ns = ev->ts_ns;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kt_scenario_error err;
	struct kt_scenario s;
	uint64_t steps = 0;

	if (kt_scenario_parse((const char *)data, size, &s, &err))
		return 0;
	for (size_t i = 0; i < s.nr_steps; i++)
		steps += s.step[i].count;
	/* A thousand times a thousand exits is no mistake, only slow. */
	for (unsigned int sem = 0; sem < KT_SEM_NR && steps < 2000; sem++) {
		uint64_t last_ns = 0;
		struct kt_machine_out out;
		struct kt_machine m = { 0 };

		kt_machine_out_init(&out);
		out.event = on_event;
		out.arg = &last_ns;
		if (!kt_scenario_run(&s, sem, &m, &out, &err))
			(void)!kt_scenario_verify(&s, sem, &out, &err);
		if (m.property != KT_PROP_OK)
			abort();
	}
	kt_scenario_free(&s);
	return 0;
}
