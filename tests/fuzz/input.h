/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

/* A fuzzer's bytes as a reader takes them: a kt_read_fn that never gives more than `most` at once. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

struct input {
	const uint8_t *p;
	size_t left, most;
};

static inline ssize_t input_take(void *arg, void *buf, size_t size)
{
	struct input *in = arg;

	if (size > in->most)
		size = in->most;
	if (size > in->left)
		size = in->left;
	memcpy(buf, in->p, size);
	in->p += size;
	in->left -= size;
	return (ssize_t)size;
}

#endif
