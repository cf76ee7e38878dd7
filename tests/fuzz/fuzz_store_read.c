/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reader of recordings alone: many more inputs a second than fuzz_store, which goes on to the verdict. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "store_private.h"

/* What the reader hands out is for use without a further look. */
static void look_at(const struct kt_block *b)
{
	switch (b->type) {
	case KT_BLOCK_EVENTS:
		for (size_t i = 0; i < b->n; i++)
			if (!kt_event_valid_fast(&b->events[i]))
				abort();
		break;
	case KT_BLOCK_LOSS:
		if (b->loss->from_ns > b->loss->until_ns)
			abort();
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size, .most = size };
	struct kt_store_reader *r;
	struct kt_block b;

	if (kt_reader_new(input_take, &in, "fuzz", &r))
		return 0;
	if (!kt_reader_start(r)) {
		while (kt_reader_next(r, &b) > 0) {
			look_at(&b);
			if (b.type == KT_BLOCK_EVENTS)
				kt_reader_release(r, &b);
		}
	}
	kt_reader_close(r);
	return 0;
}
