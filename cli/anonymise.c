/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "anonymise.h"

#include <kvmtimer/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "facts.h"
#include "keymap.h"

static struct {
	bool on;
	struct kt_keymap pids;	/* in order of first sight: the made-up one is 1001 + index */
} state;

void kt_anonymise(bool on)
{
	state.on = on;
}

bool kt_anonymised(void)
{
	return state.on;
}

const char *kt_show_vm(uint32_t number, const char *name)
{
	static char buf[32];

	if (!state.on)
		return name && *name ? kt_safe(name) : "?";
	snprintf(buf, sizeof(buf), "vm-%u", number);
	return buf;
}

const char *kt_show_comm(uint32_t vm, uint32_t vcpu_id, const char *comm)
{
	static char buf[48];

	if (!state.on)
		return kt_safe_n(comm, 16);
	if (vcpu_id == KT_VCPU_ID_UNKNOWN)
		snprintf(buf, sizeof(buf), "vm-%u/?", vm);
	else
		snprintf(buf, sizeof(buf), "vm-%u/%u", vm, vcpu_id);
	return buf;
}

uint32_t kt_show_pid(uint32_t pid)
{
	uint32_t i;

	if (!state.on || !pid)
		return pid;
	i = kt_keymap_get(&state.pids, pid, 0);
	if (i != UINT32_MAX)
		return 1001 + i;
	i = state.pids.n;
	return kt_keymap_add(&state.pids, pid, 0, i) ? 0 : 1001 + i;
}

const char *kt_show_fact(const char *key, const char *value)
{
	static const char *const hidden[][2] = {
		{ "host.name", "host-1" }, { "host.boot_id", "hidden" }, { "host.cmdline", "hidden" },
		{ "capture.command", "hidden" }, { "capture.filter", "hidden" },
	};

	if (!value)
		return NULL;
	for (size_t i = 0; state.on && i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (!strcmp(key, hidden[i][0]))
			return hidden[i][1];
	return kt_safe(value);
}
