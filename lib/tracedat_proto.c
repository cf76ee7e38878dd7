/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tracedat_proto.h"

#include <errno.h>
#include <string.h>

struct head {
	uint8_t type, words;
	uint16_t a;
	uint32_t b;
};

struct rec_word {
	uint8_t id, ctx, has, comm_len;
	uint32_t tgid;
};

#define COMM_BYTES 16
#define TEXT_MAX (KT_TRACEDAT_MSG_MAX - 8)

/* ---- decoding ---- */

static int bad(struct kt_tracedat_msg *msg, const char *why)
{
	msg->why = why;
	return -EBADMSG;
}

static unsigned int nr_values(uint8_t has)
{
	return has ? 32 - (unsigned int)__builtin_clz(has) : 0;
}

static int decode_rec(const struct head *h, const uint64_t *word, struct kt_tracedat_msg *msg)
{
	struct kt_ftrace_rec *r = &msg->rec;
	struct rec_word w;
	unsigned int n;

	if (h->words < 3)
		return bad(msg, "a record without its fixed part");
	memcpy(&w, &word[2], sizeof(w));
	n = nr_values(w.has);
	if (h->a >= KT_FTRACE_CPUS_MAX || !w.id || w.id >= KT_FT_NR || w.ctx > KT_FC_NMI || n > KT_FTRACE_VALUES)
		return bad(msg, "a record of no known kind");
	if (w.comm_len > COMM_BYTES || h->words != 3 + n + (w.comm_len ? 2u : 0u))
		return bad(msg, "a record of the wrong length");
	*r = (struct kt_ftrace_rec){ .cpu = h->a, .tid = h->b, .ts_ns = word[1], .id = w.id,
				     .ctx = w.ctx, .has = w.has, .comm_len = w.comm_len, .tgid = w.tgid };
	for (unsigned int i = 0; i < n; i++)
		r->v[i] = word[3 + i];
	r->comm = (const char *)&word[3 + n];
	return 8 * h->words;
}

static int decode_fact(const struct head *h, const char *text, struct kt_tracedat_msg *msg)
{
	size_t size = 8 * (h->words - 1u);
	const char *end;

	msg->fact.key = text;
	end = memchr(text, 0, size);
	if (!end || end == text)
		return bad(msg, "a fact without a key");
	msg->fact.value = end + 1;
	if (end + 1 == text + size || !memchr(end + 1, 0, size - (end + 1 - text)))
		return bad(msg, "a fact without an end");
	return 8 * h->words;
}

int kt_tracedat_decode(const void *buf, size_t len, struct kt_tracedat_msg *msg)
{
	static const uint8_t words[KT_TD_NR] = {	/* 0: any */
		[KT_TD_HELLO] = 1, [KT_TD_LOST] = 2, [KT_TD_DONE] = 3,
	};
	const uint64_t *word = buf;
	struct head h;

	msg->why = NULL;
	if (len < sizeof(h))
		return 0;
	memcpy(&h, buf, sizeof(h));
	if (!h.type || h.type >= KT_TD_NR || !h.words || (words[h.type] && h.words != words[h.type]))
		return bad(msg, "no message");
	if (len < 8u * h.words)
		return 0;
	msg->type = h.type;
	switch (msg->type) {
	case KT_TD_HELLO:
		if (h.a != KT_TRACEDAT_VERSION)
			return bad(msg, "another version");
		break;
	case KT_TD_FACT:
		return decode_fact(&h, (const char *)&word[1], msg);
	case KT_TD_REC:
		return decode_rec(&h, word, msg);
	case KT_TD_LOST:
		if (h.a >= KT_FTRACE_CPUS_MAX)
			return bad(msg, "a loss on no CPU");
		msg->lost.cpu = h.a;
		msg->lost.n = word[1];
		break;
	case KT_TD_DONE:
		msg->done.others = word[1];
		msg->done.unreadable = word[2];
		break;
	default:
		msg->reason = (const char *)&word[1];
		if (h.words < 2 || !memchr(msg->reason, 0, 8 * (h.words - 1u)))
			return bad(msg, "a reason without an end");
		break;
	}
	return 8 * h.words;
}

/* ---- encoding ---- */

static size_t put_head(void *buf, uint8_t type, unsigned int words, uint16_t a, uint32_t b)
{
	struct head h = { type, words, a, b };

	memcpy(buf, &h, sizeof(h));
	return 8 * (size_t)words;
}

size_t kt_tracedat_hello(void *buf)
{
	return put_head(buf, KT_TD_HELLO, 1, KT_TRACEDAT_VERSION, 0);
}

size_t kt_tracedat_rec(void *buf, const struct kt_ftrace_rec *rec)
{
	struct rec_word w = { rec->id, rec->ctx, rec->has, rec->comm_len, rec->tgid };
	unsigned int n = nr_values(rec->has);
	uint64_t *word = buf;

	word[1] = rec->ts_ns;
	memcpy(&word[2], &w, sizeof(w));
	for (unsigned int i = 0; i < n; i++)
		word[3 + i] = rec->v[i];
	if (rec->comm_len) {
		word[3 + n] = word[4 + n] = 0;
		memcpy(&word[3 + n], rec->comm, rec->comm_len);
	}
	return put_head(buf, KT_TD_REC, 3 + n + (rec->comm_len ? 2 : 0), rec->cpu, rec->tid);
}

size_t kt_tracedat_lost(void *buf, uint16_t cpu, uint64_t n)
{
	((uint64_t *)buf)[1] = n;
	return put_head(buf, KT_TD_LOST, 2, cpu, 0);
}

/* Text that is too long is cut; what follows it up to the word is 0. */
static size_t put_texts(void *buf, uint8_t type, const char *a, const char *b)
{
	char *to = (char *)buf + 8;
	size_t n = strnlen(a, TEXT_MAX / 2 - 1), m = 0, words;

	memset(to, 0, TEXT_MAX);
	memcpy(to, a, n);
	n++;
	if (b) {
		m = strnlen(b, TEXT_MAX - n - 1);
		memcpy(to + n, b, m);
		m++;
	}
	words = 1 + (n + m + 7) / 8;
	return put_head(buf, type, words, 0, 0);
}

size_t kt_tracedat_fact(void *buf, const char *key, const char *value)
{
	return put_texts(buf, KT_TD_FACT, key, value);
}

size_t kt_tracedat_done(void *buf, uint64_t others, uint64_t unreadable)
{
	((uint64_t *)buf)[1] = others;
	((uint64_t *)buf)[2] = unreadable;
	return put_head(buf, KT_TD_DONE, 3, 0, 0);
}

size_t kt_tracedat_fail(void *buf, const char *reason)
{
	return put_texts(buf, KT_TD_FAIL, reason, NULL);
}
