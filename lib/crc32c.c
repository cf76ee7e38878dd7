/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two instruction sets have it in hardware; a recording is checked on every
 * read, so the table is only for machines that have neither.
 */
#include "crc32c.h"

#include <string.h>

#define POLY 0x82f63b78u	/* reflected 0x1edc6f41 */

static uint32_t crc_table(uint32_t crc, const unsigned char *p, size_t len)
{
	for (; len; len--, p++) {
		crc ^= *p;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (POLY & -(crc & 1));
	}
	return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#define HW_TARGET __attribute__((target("sse4.2")))
#define hw_u64(c, v) ((uint32_t)_mm_crc32_u64(c, v))
#define hw_u8(c, v) _mm_crc32_u8(c, v)
static int have_hw(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#define HW_TARGET __attribute__((target("+crc")))
#define hw_u64(c, v) __crc32cd(c, v)
#define hw_u8(c, v) __crc32cb(c, v)
static int have_hw(void)
{
	return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}
#endif

#ifdef HW_TARGET
HW_TARGET static uint32_t crc_hw(uint32_t crc, const unsigned char *p, size_t len)
{
	uint64_t word;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&word, p, 8);
		crc = hw_u64(crc, word);
	}
	for (; len; len--, p++)
		crc = hw_u8(crc, *p);
	return crc;
}
#endif

uint32_t kt_crc32c(uint32_t crc, const void *data, size_t len)
{
#ifdef HW_TARGET
	if (have_hw())
		return ~crc_hw(~crc, data, len);
#endif
	return ~crc_table(~crc, data, len);
}
