/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "escape.h"

#include <stdbool.h>
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

size_t kt_escape(const char *text, size_t len, char *out, size_t size)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = 0;

	while (len) {
		uint32_t code;
		size_t k = utf8(p, len, &code), room = size - n;

		if (k && harmless(code) && code != '\\') {
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

const char *kt_safe_n(const char *text, size_t max_len)
{
	static char buf[8][1024];
	static unsigned int turn;
	char *out = buf[turn++ % 8];

	kt_escape(text, strnlen(text, max_len), out, sizeof(buf[0]));
	return out;
}

const char *kt_safe(const char *text)
{
	return kt_safe_n(text, SIZE_MAX >> 1);
}
