/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_KEYMAP_H
#define KT_KEYMAP_H

#include <stdint.h>

/*
 * From a key of two numbers to an index into the caller's array, so that hosts
 * with thousands of VMs are not searched from end to end.  All zero is an
 * empty map; nothing is ever taken out.
 */
struct kt_keymap {
	struct kt_keymap_slot *slot;
	uint32_t mask, n;
};

/* UINT32_MAX when the key is not there. */
uint32_t kt_keymap_get(const struct kt_keymap *m, uint64_t a, uint32_t b);

/* The key must not be there yet; index < UINT32_MAX.  0 or -ENOMEM, which changes nothing. */
int kt_keymap_add(struct kt_keymap *m, uint64_t a, uint32_t b, uint32_t index);

void kt_keymap_free(struct kt_keymap *m);

#endif
