/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_STORE_FORMAT_H
#define KT_STORE_FORMAT_H

/* Bytes on disk; docs/format.md tells the story.  All little-endian. */

#include <stddef.h>
#include <stdint.h>

#define KT_FILE_MAGIC "KVMTIMER"
#define KT_FILE_VERSION 1

struct kt_disk_file {
	char magic[8];
	uint32_t version;
	uint32_t event_size;	/* sizeof(struct kt_event) */
};

#define KT_BLOCK_MAGIC 0x4b42544bu	/* "KTBK" */

/*
 * The header has a checksum of its own: a block whose payload is damaged can be
 * skipped by its length, so reading stays linear on any input.
 */
struct kt_disk_block {
	uint32_t magic;
	uint32_t type;
	uint32_t stream;
	uint32_t length;	/* payload bytes, multiple of 8 */
	uint64_t first_ns;
	uint64_t last_ns;
	uint32_t payload_crc;
	uint32_t header_crc;	/* over all fields above */
};

_Static_assert(sizeof(struct kt_disk_block) == 40, "block header");

/* Longest payload: 2048 events are 64 KiB; facts may be longer. */
#define KT_BLOCK_MAX (256u << 10)

struct kt_disk_index {
	uint64_t offset;
	uint64_t first_ns;
	uint64_t last_ns;
	uint32_t type;
	uint32_t stream;
};

#define KT_FOOTER_MAGIC "KTFOOTER"

struct kt_disk_footer {
	char magic[8];
	uint64_t index_offset;
	uint64_t blocks;
};

/* Memory behind a block; an event block's is given back by kt_reader_release. */
struct kt_payload {
	struct kt_payload *next;
	size_t size;		/* of data, in bytes */
	uint64_t data[];
};

/* What the writer makes fits; a longer block of another's making gets KT_BLOCK_MAX. */
#define KT_PAYLOAD_USUAL (64u << 10)

#endif
