/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_NUM_H
#define KT_NUM_H

#include <stdint.h>

/*
 * Numbers as people write them on a command line.  All return 0, -EINVAL for
 * anything that is not wholly a number, or -ERANGE; *out is untouched then.
 */
int kt_parse_u64(const char *s, uint64_t *out);		/* decimal, or hex with 0x */
int kt_parse_duration(const char *s, uint64_t *out_ns);	/* 10s 5.5ms 3us 7ns 2m 1h; unit required */
int kt_parse_size(const char *s, uint64_t *out_bytes);	/* 64K 1M 2G, bytes without suffix */
int kt_parse_mask64(const char *s, uint64_t *out);	/* "0-3,7": bit per number 0..63 */

#endif
