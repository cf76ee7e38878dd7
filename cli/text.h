/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_TEXT_H
#define KT_TEXT_H

#include <stdint.h>

/* Small numbers for narrow tables; each returns one of a few rotating buffers. */

const char *kt_text_ns(uint64_t ns);		/* 987ns 1.23us 45.6ms 7.89s */
const char *kt_text_count(uint64_t n);		/* 1,234,567 */
const char *kt_text_rate(double per_s);		/* 0.12 3.4 567 12.3k 4.5M */
const char *kt_text_vcpu(uint32_t vm, uint32_t vcpu_id);	/* 1.0; 1.? when its id is not known */
const char *kt_text_pid(uint32_t pid);	/* "?" for 0: not known */
const char *kt_text_percent(uint64_t part, uint64_t whole);	/* 0.0 .. 100; "-" of nothing */

#endif
