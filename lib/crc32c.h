/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_CRC32C_H
#define KT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli, RFC 3720); start with 0, chain by passing the last result. */
uint32_t kt_crc32c(uint32_t crc, const void *data, size_t len);

#endif
