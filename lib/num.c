/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "num.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* strtoull alone takes signs and leading blanks. */
static int leading_u64(const char *s, const char **end, uint64_t *out)
{
	char *stop;
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');

	if (!isdigit((unsigned char)s[0]) || (hex && !isxdigit((unsigned char)s[2])))
		return -EINVAL;
	errno = 0;
	*out = strtoull(s, &stop, hex ? 16 : 10);
	*end = stop;
	return -errno;
}

int kt_parse_u64(const char *s, uint64_t *out)
{
	const char *end;
	uint64_t v;
	int err = leading_u64(s, &end, &v);

	if (err)
		return err;
	if (*end)
		return -EINVAL;
	*out = v;
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit *find_unit(const struct unit *u, const char *name)
{
	for (; u->name; u++)
		if (!strcmp(u->name, name))
			return u;
	return NULL;
}

/* ".25" as a part of one unit, in units of 1/factor; at most nine digits count. */
static int fraction(const char **s, uint64_t factor, uint64_t *out)
{
	uint64_t scale = 1, v = 0;

	*out = 0;
	if (**s != '.')
		return 0;
	(*s)++;
	if (!isdigit((unsigned char)**s))
		return -EINVAL;
	for (; isdigit((unsigned char)**s); (*s)++) {
		if (scale >= 1000000000)
			return -EINVAL;
		v = v * 10 + (**s - '0');
		scale *= 10;
	}
	*out = (uint64_t)((unsigned __int128)factor * v / scale);
	return 0;
}

static int parse_with_unit(const char *s, const struct unit *units, uint64_t *out)
{
	const struct unit *u;
	uint64_t v, part;
	const char *end, *unit;
	int err = leading_u64(s, &end, &v);

	if (err)
		return err;
	unit = end + (*end == '.' ? 1 + strspn(end + 1, "0123456789") : 0);
	u = find_unit(units, unit);
	if (!u)
		return -EINVAL;
	err = fraction(&end, u->factor, &part);
	if (err)
		return err;
	if (__builtin_mul_overflow(v, u->factor, &v) || __builtin_add_overflow(v, part, &v))
		return -ERANGE;
	*out = v;
	return 0;
}

int kt_parse_duration(const char *s, uint64_t *out_ns)
{
	static const struct unit units[] = {
		{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 },
		{ "m", 60000000000 }, { "h", 3600000000000 }, {}
	};

	return parse_with_unit(s, units, out_ns);
}

int kt_parse_size(const char *s, uint64_t *out_bytes)
{
	static const struct unit units[] = {
		{ "", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 },
		{ "T", 1ull << 40 }, {}
	};

	return parse_with_unit(s, units, out_bytes);
}

int kt_parse_mask64(const char *s, uint64_t *out)
{
	uint64_t mask = 0, lo, hi;
	const char *end = s;
	int err;

	do {
		err = leading_u64(end, &end, &lo);
		if (err)
			return err;
		hi = lo;
		if (*end == '-') {
			err = leading_u64(end + 1, &end, &hi);
			if (err)
				return err;
		}
		if (lo > hi)
			return -EINVAL;
		if (hi > 63)
			return -ERANGE;
		mask |= (~0ull >> (63 - (hi - lo))) << lo;
	} while (*end++ == ',');
	if (end[-1])
		return -EINVAL;
	*out = mask;
	return 0;
}
