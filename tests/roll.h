/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_TESTS_ROLL_H
#define KT_TESTS_ROLL_H

#include <stdint.h>

/* A number below n; the same state, never 0, draws the same numbers everywhere (xorshift64*). */
static inline uint64_t kt_roll(uint64_t *state, uint64_t n)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 0x2545f4914f6cdd1dull >> 16) % n;
}

#endif
