/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keymap.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct kt_keymap_slot {
	uint64_t a;
	uint32_t b, index_plus_1;	/* 0: free */
};

static uint32_t hash(uint64_t a, uint32_t b)
{
	/* Pointers differ in their middle bits: the product's high half has stirred them all. */
	return ((a ^ (uint64_t)b << 40) + b) * 0x9e3779b97f4a7c15ull >> 32;
}

static struct kt_keymap_slot *find(struct kt_keymap_slot *slot, uint32_t mask, uint64_t a, uint32_t b)
{
	uint32_t i = hash(a, b) & mask;

	while (slot[i].index_plus_1 && (slot[i].a != a || slot[i].b != b))
		i = (i + 1) & mask;
	return &slot[i];
}

uint32_t kt_keymap_get(const struct kt_keymap *m, uint64_t a, uint32_t b)
{
	/* A free slot gives 0 - 1. */
	return m->slot ? find(m->slot, m->mask, a, b)->index_plus_1 - 1 : UINT32_MAX;
}

static int grow(struct kt_keymap *m)
{
	uint32_t mask = m->slot ? 2 * m->mask + 1 : 15;
	struct kt_keymap_slot *bigger = calloc((size_t)mask + 1, sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	for (uint32_t i = 0; m->slot && i <= m->mask; i++)
		if (m->slot[i].index_plus_1)
			*find(bigger, mask, m->slot[i].a, m->slot[i].b) = m->slot[i];
	free(m->slot);
	m->slot = bigger;
	m->mask = mask;
	return 0;
}

int kt_keymap_add(struct kt_keymap *m, uint64_t a, uint32_t b, uint32_t index)
{
	/* At least half stays free: searches end soon. */
	if ((!m->slot || 2 * (m->n + 1) > m->mask) && grow(m))
		return -ENOMEM;
	*find(m->slot, m->mask, a, b) = (struct kt_keymap_slot){ a, b, index + 1 };
	m->n++;
	return 0;
}

void kt_keymap_free(struct kt_keymap *m)
{
	free(m->slot);
	memset(m, 0, sizeof(*m));
}
