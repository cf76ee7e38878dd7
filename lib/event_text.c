/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events as text: what `dump` prints and golden stories are written in.  One
 * line, one thing; the first word says which.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"

/* ---- printing ---- */

static void put_who(char *buf, size_t size, __u32 who)
{
	if (who == KT_WHO_NONE)
		snprintf(buf, size, "-");
	else if (who & KT_WHO_TID)
		snprintf(buf, size, "tid:%u", who & ~KT_WHO_TID);
	else
		snprintf(buf, size, "%#x", who);
}

int kt_event_format(const struct kt_event *ev, char *buf, size_t size)
{
	unsigned int timer = KT_SUB_TIMER(ev->sub);
	const char *at = kt_at_name(ev->kind, KT_SUB_AT(ev->sub));
	char who[24];
	int n;

	put_who(who, sizeof(who), ev->who);
	n = snprintf(buf, size, "%" PRIu64 " cpu%u %s %s", (uint64_t)ev->ts_ns, ev->pcpu, who,
		     kt_kind_name(ev->kind));
	/* Place 0 is the usual one and left out, but for list registers, where it is a phase. */
	if (!KT_SUB_AT(ev->sub) && ev->kind != KT_EV_LR)
		at = NULL;
	if (timer < KT_TIMER_NR || at)
		n += snprintf(buf + n, size - n, ".%s", kt_timer_name(timer));
	if (at)
		n += snprintf(buf + n, size - n, ".%s", at);
	for (const struct kt_field *f = kt_kind_fields(ev->kind); f->name && (size_t)n < size; f++) {
		__u64 v = kt_field_get(ev, f);

		if (f->fmt == KT_FMT_HEX)
			n += snprintf(buf + n, size - n, " %s=%#" PRIx64, f->name, (uint64_t)v);
		else if (f->type == KT_S8 || f->type == KT_S32)
			n += snprintf(buf + n, size - n, " %s=%" PRId64, f->name, (int64_t)v);
		else
			n += snprintf(buf + n, size - n, " %s=%" PRIu64, f->name, (uint64_t)v);
	}
	return n;
}

/* ---- parsing ---- */

struct word {
	const char *p;
	size_t len;
};

struct cursor {
	const char *p, *end;
	struct word word;	/* the one being read: what an error points at */
};

/* Words are separated by blanks; a value may be quoted, "" with \" \\ \n \xNN inside. */
static bool next_word(struct cursor *c)
{
	bool quoted = false;

	while (c->p < c->end && isblank((unsigned char)*c->p))
		c->p++;
	c->word.p = c->p;
	while (c->p < c->end && (quoted || !isblank((unsigned char)*c->p))) {
		if (*c->p == '\\' && quoted && c->p + 1 < c->end)
			c->p++;
		else if (*c->p == '"')
			quoted = !quoted;
		c->p++;
	}
	c->word.len = c->p - c->word.p;
	return c->word.len > 0;
}

static bool word_is(const struct word *w, const char *s)
{
	return w->len == strlen(s) && !memcmp(w->p, s, w->len);
}

/* Digits may be grouped: 12_000_000.  A leading - makes the two's complement. */
static int word_number(const struct word *w, __u64 *out)
{
	bool negative = w->len && *w->p == '-';
	char digits[32];
	char *end;
	size_t n = 0;

	for (size_t i = negative; i < w->len; i++) {
		if (w->p[i] == '_')
			continue;
		if (n + 1 >= sizeof(digits) || !isxdigit((unsigned char)w->p[i]) ) {
			if (!(w->p[i] == 'x' && n == 1 && digits[0] == '0') || n + 1 >= sizeof(digits))
				return -EINVAL;
		}
		digits[n++] = w->p[i];
	}
	digits[n] = '\0';
	if (!n || !isdigit((unsigned char)digits[0]))
		return -EINVAL;
	errno = 0;
	*out = strtoull(digits, &end, n > 1 && digits[1] == 'x' ? 16 : 10);
	if (errno || *end)
		return -EINVAL;
	if (negative)
		*out = -*out;
	return 0;
}

static int parse_who(const struct word *w, __u32 *who)
{
	struct word num = *w;
	__u64 v;

	if (word_is(w, "-")) {
		*who = KT_WHO_NONE;
		return 0;
	}
	if (w->len > 4 && !memcmp(w->p, "tid:", 4)) {
		num.p += 4;
		num.len -= 4;
		if (word_number(&num, &v) || v >= KT_WHO_TID)
			return -EINVAL;
		*who = KT_WHO_TID | v;
		return 0;
	}
	if (word_number(&num, &v) || v >= KT_WHO_TID)
		return -EINVAL;
	*who = v;
	return 0;
}

/* kind[.timer[.at]] */
static int parse_kind(const struct word *w, struct kt_event *ev)
{
	struct word part = { w->p, 0 };
	unsigned int kind, timer = KT_TIMER_NONE, at = 0, i;
	const char *end = w->p + w->len, *dot;

	dot = memchr(w->p, '.', w->len);
	part.len = (dot ? dot : end) - w->p;
	for (kind = 1; kind < KT_EV_NR; kind++)
		if (word_is(&part, kt_kind_name(kind)))
			break;
	if (kind == KT_EV_NR)
		return -EINVAL;
	if (dot) {
		part.p = dot + 1;
		dot = memchr(part.p, '.', end - part.p);
		part.len = (dot ? dot : end) - part.p;
		for (timer = 0; timer < KT_TIMER_NR; timer++)
			if (word_is(&part, kt_timer_name(timer)))
				break;
		if (timer == KT_TIMER_NR) {
			if (!word_is(&part, "-"))
				return -EINVAL;
			timer = KT_TIMER_NONE;
		}
	}
	if (dot) {
		part.p = dot + 1;
		part.len = end - part.p;
		for (i = 0; i < 3; i++)
			if (kt_at_name(kind, i) && word_is(&part, kt_at_name(kind, i)))
				break;
		if (i == 3)
			return -EINVAL;
		at = i;
	}
	ev->kind = kind;
	ev->sub = KT_SUB(timer, at);
	return 0;
}

static bool split_pair(const struct word *w, struct word *key, struct word *value)
{
	const char *eq = memchr(w->p, '=', w->len);

	if (!eq || eq == w->p)
		return false;
	*key = (struct word){ w->p, eq - w->p };
	*value = (struct word){ eq + 1, w->p + w->len - eq - 1 };
	return true;
}

static int parse_field(const struct word *w, struct kt_event *ev)
{
	const struct kt_field *f = kt_kind_fields(ev->kind);
	struct word key, value;
	__u64 v;

	if (!split_pair(w, &key, &value))
		return -EINVAL;
	while (f->name && !word_is(&key, f->name))
		f++;
	if (!f->name || word_number(&value, &v) || !kt_field_fits(f, v))
		return -EINVAL;
	kt_field_set(ev, f, v);
	return 0;
}

static int parse_event(struct cursor *c, struct kt_event *ev)
{
	struct word num;
	__u64 v;

	memset(ev, 0, sizeof(*ev));
	if (word_number(&c->word, &v))
		return -EINVAL;
	ev->ts_ns = v;
	if (!next_word(c) || c->word.len < 4 || memcmp(c->word.p, "cpu", 3))
		return -EINVAL;
	num = (struct word){ c->word.p + 3, c->word.len - 3 };
	if (word_number(&num, &v) || v > 0xffff)
		return -EINVAL;
	ev->pcpu = v;
	if (!next_word(c) || parse_who(&c->word, &ev->who))
		return -EINVAL;
	if (!next_word(c) || parse_kind(&c->word, ev))
		return -EINVAL;
	while (next_word(c))
		if (parse_field(&c->word, ev))
			return -EINVAL;
	return 0;
}

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* A bare word, or a quoted one with escapes, into a fixed field; longer text is an error. */
static int word_string(const struct word *w, char *out, size_t size)
{
	size_t n = 0, i = 0, end = w->len;
	bool quoted = end >= 2 && w->p[0] == '"' && w->p[end - 1] == '"';

	if (quoted) {
		i++;
		end--;
	}
	memset(out, 0, size);
	for (; i < end; i++) {
		char ch = w->p[i];

		if (quoted && ch == '\\' && i + 1 < end) {
			ch = w->p[++i];
			if (ch == 'n') {
				ch = '\n';
			} else if (ch == 'x') {
				if (i + 2 >= end || !isxdigit((unsigned char)w->p[i + 1]) ||
				    !isxdigit((unsigned char)w->p[i + 2]))
					return -EINVAL;
				ch = hex_digit(w->p[i + 1]) << 4 | hex_digit(w->p[i + 2]);
				i += 2;
			}
		}
		if (n + 1 >= size)
			return -EINVAL;
		out[n++] = ch;
	}
	return 0;
}

/* irq=ptimer,vtimer[,hv,hp] in the order of enum kt_timer */
static int word_numbers(const struct word *w, __u32 *out, size_t max)
{
	struct word part = { w->p, 0 };
	const char *end = w->p + w->len;
	__u64 v;

	for (size_t i = 0; i < max; i++) {
		const char *comma = memchr(part.p, ',', end - part.p);

		part.len = (comma ? comma : end) - part.p;
		if (word_number(&part, &v) || v > UINT32_MAX)
			return -EINVAL;
		out[i] = v;
		if (!comma)
			return 0;
		part.p = comma + 1;
	}
	return -EINVAL;
}

struct key {
	const char *name;
	size_t offset, size;	/* size 4 or 8: number; 1: small number; 0: see below */
};

#define IDENT(name_, member) { name_, offsetof(struct kt_ident, member), sizeof(((struct kt_ident *)0)->member) }
static const struct key ident_keys[] = {
	IDENT("kvm", kvm), IDENT("vcpu", vcpu), IDENT("first", first_ns), IDENT("gen", vm_gen),
	IDENT("tgid", tgid), IDENT("tid", tid), IDENT("vcpu_id", vcpu_id),
	IDENT("vcpu_idx", vcpu_idx), IDENT("vgic", vgic), {}
};

#define CLOCK(name_, member) { name_, offsetof(struct kt_clock_pair, member), 8 }
static const struct key clock_keys[] = { CLOCK("mono", mono_ns), CLOCK("counter", counter_ticks), {} };

#define NAME(name_, member) { name_, offsetof(struct kt_vm_name, member), sizeof(((struct kt_vm_name *)0)->member) }
static const struct key name_keys[] = {
	NAME("kvm", kvm), NAME("tgid", tgid), NAME("gen", vm_gen), {}
};

#define LOSS(name_, member) { name_, offsetof(struct kt_loss, member), sizeof(((struct kt_loss *)0)->member) }
static const struct key loss_keys[] = {
	LOSS("from", from_ns), LOSS("until", until_ns), LOSS("stream", stream), {}
};

/* 1 when key was one of keys, 0 when not, -EINVAL for a bad value. */
static int set_key(const struct key *keys, void *out, const struct word *key,
		   const struct word *value)
{
	__u64 v;

	for (; keys->name; keys++) {
		if (!word_is(key, keys->name))
			continue;
		if (word_number(value, &v) || (keys->size < 8 && v >> (8 * keys->size)))
			return -EINVAL;
		memcpy((char *)out + keys->offset, &v, keys->size);
		return 1;
	}
	return 0;
}

static int parse_ident(struct cursor *c, struct kt_ident *id)
{
	struct word key, value;
	int got;

	memset(id, 0, sizeof(*id));
	id->vgic = 3;
	if (!next_word(c) || parse_who(&c->word, &id->who) || id->who & KT_WHO_TID)
		return -EINVAL;
	while (next_word(c)) {
		if (!split_pair(&c->word, &key, &value))
			return -EINVAL;
		got = set_key(ident_keys, id, &key, &value);
		if (got < 0)
			return got;
		if (got)
			continue;
		if (word_is(&key, "comm"))
			got = word_string(&value, id->comm, sizeof(id->comm));
		else if (word_is(&key, "irq"))
			got = word_numbers(&value, id->irq, KT_TIMER_NR);
		else if (word_is(&key, "host_irq"))
			got = word_numbers(&value, id->host_irq, KT_TIMER_NR);
		else
			got = -EINVAL;
		if (got)
			return got;
	}
	return 0;
}

static int parse_name(struct cursor *c, struct kt_vm_name *name)
{
	struct word key, value;
	int got;

	memset(name, 0, sizeof(*name));
	while (next_word(c)) {
		if (!split_pair(&c->word, &key, &value))
			return -EINVAL;
		got = set_key(name_keys, name, &key, &value);
		if (got > 0)
			continue;
		if (!got && word_is(&key, "name"))
			got = word_string(&value, name->name, sizeof(name->name));
		else if (!got && word_is(&key, "comm"))
			got = word_string(&value, name->comm, sizeof(name->comm));
		else
			got = -EINVAL;
		if (got)
			return got;
	}
	return 0;
}

/* loss stream=0 from=1 until=2 exit=3 entry=4 */
static int parse_loss(struct cursor *c, struct kt_loss *loss)
{
	struct word key, value, last = c->word;
	unsigned int kind;
	__u64 v;
	int got;

	memset(loss, 0, sizeof(*loss));
	for (; next_word(c); last = c->word) {
		if (!split_pair(&c->word, &key, &value))
			return -EINVAL;
		got = set_key(loss_keys, loss, &key, &value);
		if (got < 0)
			return got;
		if (got)
			continue;
		for (kind = 0; kind < KT_EV_NR; kind++)
			if (word_is(&key, kt_kind_name(kind)))
				break;
		if (kind == KT_EV_NR || word_number(&value, &v))
			return -EINVAL;
		loss->lost[kind] = v;
	}
	c->word = last;
	return loss->from_ns <= loss->until_ns ? 0 : -EINVAL;
}

static int parse_clock(struct cursor *c, struct kt_clock_pair *pair)
{
	struct word key, value;

	memset(pair, 0, sizeof(*pair));
	while (next_word(c))
		if (!split_pair(&c->word, &key, &value) ||
		    set_key(clock_keys, pair, &key, &value) <= 0)
			return -EINVAL;
	return 0;
}

static int parse_fact(struct cursor *c, union kt_line_value *out)
{
	struct word key, value;

	if (!next_word(c) || !split_pair(&c->word, &key, &value) ||
	    key.len >= sizeof(out->fact.key))
		return -EINVAL;
	memcpy(out->fact.key, key.p, key.len);
	out->fact.key[key.len] = '\0';
	return word_string(&value, out->fact.value, sizeof(out->fact.value));
}

int kt_event_parse(const char *line, size_t len, union kt_line_value *out, const char **what)
{
	struct cursor c = { line, line + len, { line, 0 } };
	enum kt_line type;
	int err;

	*what = line;
	if (!next_word(&c) || *c.word.p == '#')
		return KT_LINE_EMPTY;
	if (word_is(&c.word, "ident")) {
		type = KT_LINE_IDENT;
		err = parse_ident(&c, &out->ident);
	} else if (word_is(&c.word, "fact")) {
		type = KT_LINE_FACT;
		err = parse_fact(&c, out);
	} else if (word_is(&c.word, "clock")) {
		type = KT_LINE_CLOCK;
		err = parse_clock(&c, &out->clock);
	} else if (word_is(&c.word, "loss")) {
		type = KT_LINE_LOSS;
		err = parse_loss(&c, &out->loss);
	} else if (word_is(&c.word, "name")) {
		type = KT_LINE_NAME;
		err = parse_name(&c, &out->name);
	} else {
		type = KT_LINE_EVENT;
		err = parse_event(&c, &out->event);
	}
	*what = c.word.p;
	return err ? err : (int)type;
}
