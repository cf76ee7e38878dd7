/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "event.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const char *const kind_names[KT_EV_NR] = {
	[KT_EV_NONE] = "unknown",
#define X(id, name, member, what) [KT_EV_##id] = #name,
	KT_EVENT_KINDS(X)
#undef X
};

static const char *const kind_whats[KT_EV_NR] = {
	[KT_EV_NONE] = "kind not known",
#define X(id, name, member, what) [KT_EV_##id] = what,
	KT_EVENT_KINDS(X)
#undef X
};

const char *kt_kind_name(unsigned int kind)
{
	return kind < KT_EV_NR ? kind_names[kind] : "?";
}

const char *kt_kind_what(unsigned int kind)
{
	return kind < KT_EV_NR ? kind_whats[kind] : "?";
}

const char *kt_timer_name(unsigned int timer)
{
	static const char *const names[] = { "ptimer", "vtimer", "hvtimer", "hptimer" };

	return timer < KT_TIMER_NR ? names[timer] : "-";
}

int kt_parse_timers(const char *list, __u8 *mask)
{
	static const char *const shorts[] = { "p", "v", "hv", "hp" };
	__u8 found = 0;

	while (*list) {
		size_t len = strcspn(list, ",");
		unsigned int t;

		for (t = 0; t < KT_TIMER_NR; t++)
			if ((strlen(shorts[t]) == len && !memcmp(shorts[t], list, len)) ||
			    (strlen(kt_timer_name(t)) == len && !memcmp(kt_timer_name(t), list, len)))
				break;
		if (t == KT_TIMER_NR)
			return -EINVAL;
		found |= 1u << t;
		list += len + (list[len] == ',');
	}
	if (!found)
		return -EINVAL;
	*mask = found;
	return 0;
}

bool kt_has_context(unsigned int kind)
{
	switch (kind) {
	case KT_EV_UPDATE_IRQ:
	case KT_EV_VGIC_UPDATE:
	case KT_EV_MAP:
	case KT_EV_HRTIMER_EXPIRE:
	case KT_EV_BG_EXPIRE:
	case KT_EV_CALL:
		return true;
	}
	return false;
}

const char *kt_at_name(unsigned int kind, unsigned int at)
{
	static const char *const contexts[] = { "task", "host-irq", "soft-timer" };
	static const char *const phases[] = { "flush", "fold-in", "fold-out" };
	static const char *const functions[] = { "input-level", "pending" };

	if (kt_has_context(kind))
		return at < 3 ? contexts[at] : NULL;
	switch (kind) {
	case KT_EV_LR:
		return at < 3 ? phases[at] : NULL;
	case KT_EV_WIRE:
		return at < 2 ? functions[at] : NULL;
	}
	return NULL;
}

#define F(member, name_, type_, fmt_) \
	{ .name = #name_, .offset = offsetof(struct kt_event, member.name_), .type = type_, .fmt = fmt_ }
#define END {}

static const struct kt_field level_fields[] = {
	F(level, irq, KT_U32, KT_FMT_DEC), F(level, traced_vcpu, KT_U32, KT_FMT_DEC),
	F(level, level, KT_U8, KT_FMT_DEC), END };
static const struct kt_field map_fields[] = {
	F(map, direct_vtimer, KT_S8, KT_FMT_DEC), F(map, direct_ptimer, KT_S8, KT_FMT_DEC),
	F(map, emul_vtimer, KT_S8, KT_FMT_DEC), F(map, emul_ptimer, KT_S8, KT_FMT_DEC),
	F(map, vcpu_id, KT_U32, KT_FMT_DEC), END };
static const struct kt_field regs_fields[] = {
	F(regs, ctl, KT_U8, KT_FMT_DEC), F(regs, cval_ticks, KT_U64, KT_FMT_DEC),
	F(regs, flags, KT_U8, KT_FMT_DEC), F(regs, offset_gen, KT_U32, KT_FMT_DEC), END };
static const struct kt_field offset_fields[] = {
	F(offset, offset_ticks, KT_U64, KT_FMT_DEC), F(offset, offset_gen, KT_U32, KT_FMT_DEC), END };
static const struct kt_field lr_fields[] = {
	F(lr, lr, KT_U64, KT_FMT_HEX), F(lr, state, KT_U16, KT_FMT_HEX),
	F(lr, lr_idx, KT_U8, KT_FMT_DEC), F(lr, used, KT_U8, KT_FMT_DEC),
	F(lr, named, KT_U8, KT_FMT_DEC), END };
static const struct kt_field run_fields[] = {
	F(run, pc, KT_U64, KT_FMT_HEX), F(run, code, KT_U8, KT_FMT_DEC),
	F(run, esr, KT_U32, KT_FMT_HEX), F(run, flags, KT_U8, KT_FMT_DEC),
	F(run, daif, KT_U8, KT_FMT_HEX), END };
static const struct kt_field irqchip_fields[] = {
	F(irqchip, host_irq, KT_U32, KT_FMT_DEC), F(irqchip, which, KT_U8, KT_FMT_DEC),
	F(irqchip, val, KT_U8, KT_FMT_DEC), END };
static const struct kt_field hrtimer_fields[] = {
	F(hrtimer, ptr, KT_U64, KT_FMT_HEX), F(hrtimer, expires_ns, KT_U64, KT_FMT_DEC), END };
static const struct kt_field emulate_fields[] = {
	F(emulate, should_fire, KT_U8, KT_FMT_DEC), F(emulate, flags, KT_U8, KT_FMT_DEC),
	F(emulate, ctl, KT_U8, KT_FMT_DEC), F(emulate, cval_ticks, KT_U64, KT_FMT_DEC),
	F(emulate, offset_gen, KT_U32, KT_FMT_DEC), END };
static const struct kt_field wfx_fields[] = {
	F(wfx, pc, KT_U64, KT_FMT_HEX), F(wfx, is_wfe, KT_U8, KT_FMT_DEC), END };
static const struct kt_field wakeup_fields[] = {
	F(wakeup, wait_ns, KT_U64, KT_FMT_DEC), F(wakeup, waited, KT_U8, KT_FMT_DEC),
	F(wakeup, valid, KT_U8, KT_FMT_DEC), END };
static const struct kt_field user_exit_fields[] = {
	F(user_exit, reason, KT_U32, KT_FMT_DEC), F(user_exit, err, KT_S32, KT_FMT_DEC),
	F(user_exit, device_irq_level, KT_U32, KT_FMT_HEX),
	F(user_exit, flags, KT_U32, KT_FMT_DEC), END };
static const struct kt_field gone_fields[] = { END };
static const struct kt_field gap_fields[] = {
	F(gap, until_ns, KT_U64, KT_FMT_DEC), F(gap, lost, KT_U32, KT_FMT_DEC),
	F(gap, lost_kind, KT_U8, KT_FMT_DEC), END };
static const struct kt_field call_fields[] = { F(call, fn, KT_U8, KT_FMT_DEC), END };

const struct kt_field *kt_kind_fields(unsigned int kind)
{
	static const struct kt_field *const fields[KT_EV_NR] = {
		[KT_EV_NONE] = gone_fields,
#define X(id, name, member, what) [KT_EV_##id] = member##_fields,
		KT_EVENT_KINDS(X)
#undef X
	};

	return kind < KT_EV_NR ? fields[kind] : gone_fields;
}

static const unsigned char type_size[] = {
	[KT_U8] = 1, [KT_S8] = 1, [KT_U16] = 2, [KT_U32] = 4, [KT_S32] = 4, [KT_U64] = 8,
};

/* Little-endian only, as the record is: the low bytes come first. */
__u64 kt_field_get(const struct kt_event *ev, const struct kt_field *f)
{
	__u64 v = 0;

	memcpy(&v, (const char *)ev + f->offset, type_size[f->type]);
	if (f->type == KT_S8)
		return (__u64)(__s64)(__s8)v;
	if (f->type == KT_S32)
		return (__u64)(__s64)(__s32)v;
	return v;
}

void kt_field_set(struct kt_event *ev, const struct kt_field *f, __u64 value)
{
	memcpy((char *)ev + f->offset, &value, type_size[f->type]);
}

bool kt_field_fits(const struct kt_field *f, __u64 value)
{
	unsigned int bits = 8 * type_size[f->type];

	if (f->type == KT_S8 || f->type == KT_S32) {
		__s64 v = (__s64)value, limit = 1ll << (bits - 1);

		return v >= -limit && v < limit;
	}
	return bits == 64 || !(value >> bits);
}

bool kt_event_valid(const struct kt_event *ev)
{
	unsigned int timer = KT_SUB_TIMER(ev->sub);

	return ev->kind > KT_EV_NONE && ev->kind < KT_EV_NR &&
	       (timer < KT_TIMER_NR || timer == KT_TIMER_NONE) && KT_SUB_AT(ev->sub) < 3;
}
