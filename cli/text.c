/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <kvmtimer/event.h>

static char *next_buf(void)
{
	static char buf[16][32];
	static unsigned int turn;

	return buf[turn++ % 16];
}

const char *kt_text_ns(uint64_t ns)
{
	static const struct { double unit; const char *name; } units[] = {
		{ 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" },
	};
	char *out = next_buf();

	for (int i = 0; i < 3; i++) {
		double v = ns / units[i].unit;

		if (v < 0.9995)
			continue;
		snprintf(out, 32, v < 9.995 ? "%.2f%s" : v < 99.95 ? "%.1f%s" : "%.0f%s", v, units[i].name);
		return out;
	}
	snprintf(out, 32, "%" PRIu64 "ns", ns);
	return out;
}

const char *kt_text_count(uint64_t n)
{
	char digits[24], *out = next_buf(), *p = out;
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = '\0';
	return out;
}

const char *kt_text_rate(double r)
{
	char *out = next_buf();

	if (r >= 9.995e6)
		snprintf(out, 32, "%.1fM", r / 1e6);
	else if (r >= 9.995e3)
		snprintf(out, 32, "%.1fk", r / 1e3);
	else
		snprintf(out, 32, r < 10 && r != (int)r ? "%.2f" : "%.0f", r);
	return out;
}

const char *kt_text_vcpu(uint32_t vm, uint32_t vcpu_id)
{
	char *out = next_buf();

	if (vcpu_id == KT_VCPU_ID_UNKNOWN)
		snprintf(out, 32, "%u.?", vm);
	else
		snprintf(out, 32, "%u.%u", vm, vcpu_id);
	return out;
}

const char *kt_text_pid(uint32_t pid)
{
	char *out = next_buf();

	if (!pid)
		return "?";
	snprintf(out, 32, "%u", pid);
	return out;
}

const char *kt_text_percent(uint64_t part, uint64_t whole)
{
	char *out = next_buf();
	double v = whole ? 100.0 * part / whole : 0;

	if (!whole)
		snprintf(out, 32, "-");
	else
		snprintf(out, 32, v > 99.95 ? "%.0f" : "%.1f", v);
	return out;
}
