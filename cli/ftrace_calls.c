/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The function tracer, for kernels without timer tracepoints: order only. */
#include "ftrace_plan_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static const char *const call_functions[KT_CALL_NR] = {
#define X(id, name, functions) [KT_CALL_##id] = functions,
	KT_CALLS(X)
#undef X
};

static void find_functions(struct kt_plan *p)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[512], name[256];
	uint64_t address;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 " %*c %255s", &address, name) != 2 || strncmp(name, "kvm_", 4))
			continue;
		for (unsigned int fn = 1; fn < KT_CALL_NR; fn++) {
			const char *list = call_functions[fn], *at = strstr(list, name);
			size_t len = strlen(name);

			if (!at || (at != list && at[-1] != ' ') || (at[len] && at[len] != ' ') ||
			    p->nr_functions == KT_PLAN_FUNCTIONS)
				continue;
			p->function[p->nr_functions].address = address;
			p->function[p->nr_functions++].fn = fn;
		}
	}
	if (f)
		fclose(f);
}

int kt_plan_take_functions(struct kt_plan_build *b)
{
	struct kt_plan_event *e;
	struct tep_event *format;
	unsigned int taken = 0;
	int err = 0, fd;

	find_functions(b->plan);
	fd = kt_tracefs_open_file(b->t, "set_ftrace_filter", O_WRONLY | O_TRUNC);
	if (fd < 0)
		return kt_err(fd, "no function tracer on this kernel (set_ftrace_filter: %s): it needs "
			      "CONFIG_FUNCTION_TRACER=y", strerror(-fd));
	for (unsigned int fn = 1; fn < KT_CALL_NR; fn++) {
		char copy[128], *save = NULL, *word;

		snprintf(copy, sizeof(copy), "%s", call_functions[fn]);
		for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
			char text[72];

			/* One write each: a name that this kernel does not have refuses its own only. */
			snprintf(text, sizeof(text), "%s\n", word);
			if (write(fd, text, strlen(text)) > 0)
				taken++;
		}
	}
	close(fd);
	if (!taken)
		return kt_err(-ENOENT, "the function tracer knows none of KVM's timer functions");
	format = kt_plan_read_format(b, "ftrace", "function");
	e = format ? kt_plan_new_event(b, "ftrace", "function", format, KT_LP_CALL) : NULL;
	if (!e || !kt_plan_add_field(e, format, "ip", KT_LV_CALL))
		return kt_err(-EPROTO, "cannot read the format of the function tracer");
	err = kt_tracefs_write(b->t, "current_tracer", "function");
	if (err)
		return kt_err(err, "cannot start the function tracer: %s", strerror(-err));
	return kt_facts_set(b->facts, "capture.probe.calls", "function tracer");
}

/*
 * An address behind the function's own: the compiler puts a landing pad before
 * the hook, and before patchable entries (up to 5.4) a whole prologue.  Only our
 * functions are traced, so the nearest one is meant.
 */
uint8_t kt_plan_call_at(const struct kt_plan *p, uint64_t ip)
{
	uint64_t best = 256;
	uint8_t fn = KT_CALL_NONE;

	for (unsigned int i = 0; i < p->nr_functions; i++) {
		if (ip - p->function[i].address >= best)
			continue;
		best = ip - p->function[i].address;
		fn = p->function[i].fn;
	}
	return fn;
}
