/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_EVENT_H
#define KT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <kvmtimer/event.h>

#include "store.h"

/*
 * Names, fields and the text form of events.
 *
 * Text form, one event a line, hand-writable; golden stories use it and `dump`
 * prints it:
 *
 *	# the story, one sentence
 *	fact host.mode=vhe
 *	clock mono=1000 counter=62500
 *	ident 0x1 kvm=0xa tgid=100 tid=101 vcpu_id=0 vcpu_idx=0 irq=30,27 comm="vmm/0"
 *	name kvm=0xa tgid=100 name="web"
 *	1000 cpu0 0x1 entry pc=0x80000000
 *	1250 cpu0 0x1 update_irq.vtimer.host-irq irq=27 level=1
 *	loss stream=0 from=1300 until=1400 exit=3
 *
 * Times are ns and may be written with _ between digits.  Fields left out are 0.
 */

enum kt_field_type { KT_U8, KT_S8, KT_U16, KT_U32, KT_S32, KT_U64 };
enum kt_field_fmt { KT_FMT_DEC, KT_FMT_HEX };

struct kt_field {
	const char *name;
	unsigned char offset;	/* from the start of struct kt_event */
	unsigned char type, fmt;
};

const char *kt_kind_name(unsigned int kind);		/* "?" if there is none */
const char *kt_kind_what(unsigned int kind);
const char *kt_timer_name(unsigned int timer);		/* "vtimer"…; "-" for KT_TIMER_NONE */
/* "v,p" or "vtimer,ptimer", ...: bit per enum kt_timer; -EINVAL for anything else. */
int kt_parse_timers(const char *list, __u8 *mask);
/* Does KT_SUB_AT of this kind tell the context that it ran in? */
bool kt_has_context(unsigned int kind);
const char *kt_at_name(unsigned int kind, unsigned int at); /* NULL when `at` means nothing for kind */
/* Fields of a kind's payload, ended by a NULL name. */
const struct kt_field *kt_kind_fields(unsigned int kind);
__u64 kt_field_get(const struct kt_event *ev, const struct kt_field *f);
void kt_field_set(struct kt_event *ev, const struct kt_field *f, __u64 value);
bool kt_field_fits(const struct kt_field *f, __u64 value);

/* A record read from outside: kind, timer and CPU in range. */
bool kt_event_valid(const struct kt_event *ev);

/* Text without newline; returns length as snprintf does. */
int kt_event_format(const struct kt_event *ev, char *buf, size_t size);

enum kt_line { KT_LINE_EMPTY, KT_LINE_EVENT, KT_LINE_IDENT, KT_LINE_FACT, KT_LINE_CLOCK,
	       KT_LINE_LOSS, KT_LINE_NAME };

union kt_line_value {
	struct kt_event event;
	struct kt_ident ident;
	struct kt_clock_pair clock;
	struct kt_loss loss;
	struct kt_vm_name name;
	struct {
		char key[80];
		char value[1024];
	} fact;
};

/*
 * Parses one line (not NUL-terminated, no newline).  Returns enum kt_line or
 * -EINVAL with *what pointing at the offending word inside line.
 */
int kt_event_parse(const char *line, size_t len, union kt_line_value *out, const char **what);

#endif
