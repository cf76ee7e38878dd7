/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fetch arguments of our probes as text, by where this kernel keeps things. */
#include "ftrace_plan_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "btf_path.h"

#define FIRST_OFFSET "arch.timer_cpu.timers[1].offset.vm_offset"

__attribute__((format(printf, 2, 3)))
static void add(struct kt_plan_build *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	b->n += vsnprintf(b->args + b->n, sizeof(b->args) - b->n, fmt, ap);
	va_end(ap);
	if (b->n >= sizeof(b->args))
		b->n = sizeof(b->args) - 1;
}

/* "R0" becomes what the probe calls its first argument. */
static void add_literal(struct kt_plan_build *b, unsigned int value, const char *text, bool ret)
{
	add(b, " v%u=", value);
	for (; *text; text++) {
		if (*text == 'R' && text[1] >= '0' && text[1] <= '7') {
			int nr = *++text - '0';

			add(b, ret ? "$arg%d" : "%%x%d", ret ? nr + 1 : nr);
		} else {
			add(b, "%c", *text);
		}
	}
}

static const char *base_of(bool ret)
{
	return ret ? "$arg1" : "%x0";
}

static bool add_place(struct kt_plan_build *b, unsigned int value, unsigned int nr, const char *path,
		      bool ret)
{
	struct kt_btf_place place;

	if (!b->btf || kt_btf_place(b->btf, b->vcpu, path, base_of(ret), &place))
		return false;
	if (place.bits != 8 && place.bits != 16 && place.bits != 32 && place.bits != 64)
		return false;
	add(b, " v%u=%s:%c%u", value, place.address, place.is_signed ? 's' : 'u', place.bits);
	if (nr)
		add(b, "[%u]", nr);
	return true;
}

static const char *const flags[6] = { "line_level", "pending_latch", "active", "enabled", "hw",
				      "group" };

/*
 * The flags of a vgic_irq: bytes until 6.12, single bits since.  Whichever they are,
 * they lie in a few 64-bit windows that the probe fetches whole.
 */
static void add_state(struct kt_plan_build *b, bool ret)
{
	static const unsigned int ppi[2] = { KT_LIVE_PPI_P, KT_LIVE_PPI_V };

	for (unsigned int t = 0; t < 2; t++) {
		uint32_t first[KT_LIVE_WINDOWS] = { 0 };
		unsigned int nr = 0;

		for (unsigned int f = 0; f < 6; f++) {
			struct kt_btf_place place;
			char path[96], address[64], *end;
			uint32_t byte;
			unsigned int w;

			snprintf(path, sizeof(path), "arch.vgic_cpu.private_irqs[%u].%s", ppi[t],
				 flags[f]);
			if (!b->btf || kt_btf_place(b->btf, b->vcpu, path, base_of(ret), &place))
				continue;
			byte = place.bit_off / 8;
			for (w = 0; w < nr; w++)
				if (byte >= first[w] && byte < first[w] + 8)
					break;
			if (w == KT_LIVE_WINDOWS)
				continue;
			if (w == nr) {
				/* Aligned, so that it never leaves the structure's own words. */
				first[nr++] = byte & ~7u;
				snprintf(address, sizeof(address), "%s", place.address);
				end = strchr(address, '(');
				add(b, " v%u=+%u%s:u64", KT_LV_STATE + t * KT_LIVE_WINDOWS + w,
				    first[w], end ? end : "");
			}
			b->plan->layout.flag[f] = (struct kt_live_bit){
				.window = w, .shift = place.bit_off - 8 * first[w],
				.bits = place.bits,
			};
		}
	}
}

static bool add_special(struct kt_plan_build *b, const struct kt_fetch_arg *a, const char *what, bool ret)
{
	uint8_t gic = b->opts->knobs.gic;
	struct kt_btf_place place;
	int hrtimer;

	if (!strcmp(what, "used"))
		return add_place(b, a->value, 0, gic == 2 ? "arch.vgic_cpu.vgic_v2.used_lrs" :
				 "arch.vgic_cpu.vgic_v3.used_lrs", ret);
	if (!strcmp(what, "lr"))
		return add_place(b, a->value, a->nr, gic == 2 ? "arch.vgic_cpu.vgic_v2.vgic_lr[0]" :
				 "arch.vgic_cpu.vgic_v3.vgic_lr[0]", ret);
	if (!strcmp(what, "state")) {
		add_state(b, ret);
		return true;
	}
	if (!strcmp(what, "wait"))
		return add_place(b, a->value, 0, "waitp[0].task", ret) ||
		       add_place(b, a->value, 0, "wait.task", ret);
	if (!strcmp(what, "expires")) {
		hrtimer = b->btf ? kt_btf_struct(b->btf, "hrtimer") : -1;
		if (hrtimer < 0 || kt_btf_place(b->btf, hrtimer, "_softexpires", "%x0", &place))
			return false;
		add(b, " v%u=%s:u64", a->value, place.address);
		return true;
	}
	/* Only where the contexts have no offsets of their own: before 6.4. */
	if (b->btf && !kt_btf_place(b->btf, b->vcpu, FIRST_OFFSET, "%x0", &place))
		return false;
	return add_place(b, a->value, 0, what, ret);
}

void kt_plan_args(struct kt_plan_build *b, const struct kt_fetch_probe *p)
{
	b->n = 0;
	b->args[0] = '\0';
	for (const struct kt_fetch_arg *a = p->args; a->path[0]; a++) {
		for (unsigned int i = 0; i < 2 && a->path[i]; i++) {
			const char *path = a->path[i];

			if (*path == '=') {
				add_literal(b, a->value, path + 1, p->ret);
				break;
			}
			if (*path == '?' ? add_special(b, a, path + 1, p->ret)
					 : add_place(b, a->value, a->nr, path, p->ret))
				break;
		}
	}
	if (p->id == KT_LP_LOAD || p->id == KT_LP_RESET || p->id == KT_LP_ENABLE)
		add(b, " comm=$comm");
}
