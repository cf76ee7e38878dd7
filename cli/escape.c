/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "escape.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Length of the UTF-8 sequence at p, 0 if it is none; *code gets the character. */
static size_t utf8(const unsigned char *p, size_t left, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n;

	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	n = p[0] >= 0xf0 && p[0] < 0xf8 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 0;
	if (!n || p[0] >= 0xf8 || left < n)
		return 0;
	*code = p[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3f);
	}
	if (*code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return n;
}

static bool harmless(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	/* Line separators and the marks that turn text around. */
	if (c == 0x061c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2060 && c <= 0x206f) || c == 0xfeff)
		return false;
	return true;
}

static bool ascii_only;

void kt_safe_ascii(bool on)
{
	ascii_only = on;
}

static size_t escape(const char *text, size_t len, char *out, size_t size, bool ascii)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = 0;

	while (len) {
		uint32_t code;
		size_t k = utf8(p, len, &code), room = size - n;

		if (k && harmless(code) && code != '\\' && (k == 1 || !ascii)) {
			if (room <= k)
				break;
			memcpy(out + n, p, k);
			n += k;
		} else if (k == 1 && code == '\\') {
			if (room <= 2)
				break;
			out[n++] = '\\';
			out[n++] = '\\';
		} else {
			k = 1;
			if (room <= 4)
				break;
			n += sprintf(out + n, "\\x%02x", *p);
		}
		p += k;
		len -= k;
	}
	out[n] = '\0';
	return n;
}

size_t kt_escape(const char *text, size_t len, char *out, size_t size)
{
	return escape(text, len, out, size, false);
}

const char *kt_safe_n(const char *text, size_t max_len)
{
	static char buf[8][1024];
	static unsigned int turn;
	char *out = buf[turn++ % 8];

	escape(text, strnlen(text, max_len), out, sizeof(buf[0]), ascii_only);
	return out;
}

const char *kt_safe(const char *text)
{
	return kt_safe_n(text, SIZE_MAX >> 1);
}

/* ---- fitting into columns ---- */

/* Columns of a character: East Asian wide ones and pictures take two, marks on another none. */
static size_t columns_of(uint32_t c)
{
	static const struct { uint32_t first, last; uint8_t columns; } ranges[] = {
		{ 0x0300, 0x036f, 0 }, { 0x1100, 0x115f, 2 }, { 0x20d0, 0x20ff, 0 },
		{ 0x2e80, 0xa4cf, 2 }, { 0xac00, 0xd7a3, 2 }, { 0xf900, 0xfaff, 2 },
		{ 0xfe00, 0xfe0f, 0 }, { 0xfe30, 0xfe6f, 2 }, { 0xff00, 0xff60, 2 },
		{ 0xffe0, 0xffe6, 2 }, { 0x1f300, 0x1faff, 2 }, { 0x20000, 0x3fffd, 2 },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return ranges[i].columns;
	return 1;
}

/* Bytes of the next thing that must stay whole, and its columns. */
static size_t next_unit(const char *p, size_t left, size_t *columns)
{
	uint32_t code;
	size_t n;

	if (*p == '\\' && left >= 2) {
		n = p[1] == 'x' && left >= 4 ? 4 : 2;
		*columns = n;
		return n;
	}
	n = utf8((const unsigned char *)p, left, &code);
	*columns = n ? columns_of(code) : 1;
	return n ? n : 1;
}

size_t kt_cut(const char *safe, size_t len, size_t columns, size_t *used)
{
	size_t at = 0, taken = 0, wide;

	while (at < len) {
		size_t n = next_unit(safe + at, len - at, &wide);

		if (taken + wide > columns)
			break;
		taken += wide;
		at += n;
	}
	if (used)
		*used = taken;
	return at;
}

const char *kt_fit(const char *safe, size_t columns)
{
	static char buf[4][1200];
	static unsigned int turn;
	char *out = buf[turn++ % 4];
	size_t used, n;

	if (columns > 64)
		columns = 64;
	n = kt_cut(safe, strlen(safe), columns, &used);
	/* Marks take no column: so many of them are no name. */
	if (n > sizeof(buf[0]) - 65)
		n = used = 0;
	memcpy(out, safe, n);
	memset(out + n, ' ', columns - used);
	out[n + columns - used] = '\0';
	return out;
}
