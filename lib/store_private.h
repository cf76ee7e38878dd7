/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_STORE_PRIVATE_H
#define KT_STORE_PRIVATE_H

/* Between the reader and the text form; and for tests and fuzzers: a reader without a file. */
#include <sys/types.h>

#include "store.h"
#include "store_format.h"

/* Bytes read, 0 at the end, -errno. */
typedef ssize_t (*kt_read_fn)(void *arg, void *buf, size_t size);

/* new + start = open; the object must be closed even when start fails. */
int kt_reader_new(kt_read_fn fn, void *arg, const char *name, struct kt_store_reader **out);
int kt_reader_start(struct kt_store_reader *r);

#define KT_TEXT_MAGIC "# kvmtimer-events"

struct kt_text;

int kt_text_new(struct kt_text **out);
void kt_text_free(struct kt_text *t);
/* As kt_reader_next. */
int kt_text_next(struct kt_text *t, struct kt_store_reader *r, struct kt_block *b);

ssize_t kt_reader_take(struct kt_store_reader *r, void *buf, size_t size);
/* Room for KT_PAYLOAD_USUAL bytes. */
struct kt_payload *kt_reader_payload(struct kt_store_reader *r);
struct kt_facts *kt_reader_facts(struct kt_store_reader *r);
const char *kt_reader_name(const struct kt_store_reader *r);

static inline int kt_event_valid_fast(const struct kt_event *ev)
{
	/* Timers 4 to 6 do not exist; places are 0 to 2. */
	return (unsigned int)(ev->kind - 1) < KT_EV_NR - 1 && (0x8fu >> (ev->sub & 7) & 1) &&
	       ev->sub < 3 << 3;
}

#endif
