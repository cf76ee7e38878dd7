/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_TRACEDAT_PROTO_H
#define KT_TRACEDAT_PROTO_H

#include "ftrace_event.h"

/*
 * What the child that reads trace.dat files says over its pipe.  The child
 * parses hostile input with a library that is known to crash on it, so nothing
 * it says is believed: every message is checked here.
 *
 * A message is 8 bytes of head { type, length in 8-byte words, a, b } and words:
 *
 *	HELLO	a = KT_TRACEDAT_VERSION; first, and only then
 *	FACT	key NUL value NUL, padded
 *	REC	a = cpu, b = tid; ts; { id, ctx, has, comm_len, tgid }; one word per value
 *		up to the highest in has; 2 words of comm if comm_len
 *	LOST	a = cpu; how many, 0 = unknown
 *	DONE	records of other events, records that could not be read; last
 *	FAIL	reason NUL, padded; last
 */
#define KT_TRACEDAT_VERSION 1
#define KT_TRACEDAT_MSG_MAX (255 * 8)

enum kt_tracedat_type {
	KT_TD_HELLO = 1, KT_TD_FACT, KT_TD_REC, KT_TD_LOST, KT_TD_DONE, KT_TD_FAIL, KT_TD_NR
};

struct kt_tracedat_msg {
	enum kt_tracedat_type type;
	union {
		struct kt_ftrace_rec rec;	/* comm points into the buffer */
		struct {
			const char *key, *value; /* as well; ended by NUL */
		} fact;
		struct {
			uint16_t cpu;
			uint64_t n;
		} lost;
		struct {
			uint64_t others, unreadable;
		} done;
		const char *reason;
	};
	const char *why;	/* for -EBADMSG: what is wrong with the message */
};

/*
 * One message from buf, which is 8-byte aligned.  Returns its length, 0 when
 * there is no whole one yet, -EBADMSG for one that is none.
 */
int kt_tracedat_decode(const void *buf, size_t len, struct kt_tracedat_msg *msg);

/* The child's side: write to buf (room for KT_TRACEDAT_MSG_MAX), return the length. */
size_t kt_tracedat_hello(void *buf);
size_t kt_tracedat_rec(void *buf, const struct kt_ftrace_rec *rec);
size_t kt_tracedat_lost(void *buf, uint16_t cpu, uint64_t n);
size_t kt_tracedat_fact(void *buf, const char *key, const char *value);
size_t kt_tracedat_done(void *buf, uint64_t others, uint64_t unreadable);
size_t kt_tracedat_fail(void *buf, const char *reason);

#endif
