/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_STORE_H
#define KT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <kvmtimer/event.h>

#include "facts.h"

/*
 * The recording: one append-only file of blocks, little-endian, fixed width.
 *
 *   file   = file header, facts block, block*, [index block + footer]
 *   block  = header { magic, type, stream, length, first_ns, last_ns, two CRC32C } + payload
 *
 * Each block stands alone: its header carries a CRC32C of itself and one of the
 * payload, so a file killed at any byte reads back to its last whole block and
 * a damaged block is skipped.  docs/format.md has the bytes.
 *
 * Streams: every physical CPU is a stream (number = CPU); KT_STREAM_SIDE holds
 * the few events that come from preemptible code on any CPU.  Within a stream
 * events are in time order, save for small disorder on the side stream, which
 * kt_order repairs.  A mark block says: every event older than its time has
 * been written.
 */

#define KT_STREAM_SIDE 0xffffu

enum kt_block_type {
	KT_BLOCK_FACTS = 1,	/* host facts; the first block, and again at the end with stop.* */
	KT_BLOCK_IDENT = 2,	/* array of struct kt_ident */
	KT_BLOCK_EVENTS = 3,	/* array of struct kt_event of one stream */
	KT_BLOCK_LOSS = 4,	/* struct kt_loss */
	KT_BLOCK_CLOCK = 5,	/* array of struct kt_clock_pair */
	KT_BLOCK_MARK = 6,	/* watermark: time in first_ns, no payload */
	KT_BLOCK_NAME = 7,	/* struct kt_vm_name */
	KT_BLOCK_INDEX = 8,	/* internal: offsets of blocks; skipped by readers that stream */
};

/*
 * Loss on one stream: somewhere in [from_ns, until_ns], both included, these events went
 * missing.  lost[KT_EV_NONE] = kind not known; none at all = perhaps some, nobody counted.
 */
struct kt_loss {
	__u64 from_ns;
	__u64 until_ns;
	__u32 stream;
	__u32 rsv;
	__u64 lost[KT_KIND_MAX];
};

/* What was lost between two events of a stream that are neighbours now; those themselves are whole. */
static inline void kt_loss_between(struct kt_loss *loss, uint64_t last_ns, uint64_t next_ns)
{
	loss->from_ns = last_ns + 1 < next_ns ? last_ns + 1 : next_ns;
	loss->until_ns = next_ns > loss->from_ns ? next_ns - 1 : loss->from_ns;
}

/* The same instant on both clocks; CVAL becomes host time by two neighbouring pairs. */
struct kt_clock_pair {
	__u64 mono_ns;
	__u64 counter_ticks;	/* CNTVCT_EL0 as the host reads it, offset 0 */
};

/* What user space found out about a VMM: a name for people. */
struct kt_vm_name {
	__u64 kvm;
	__u32 tgid;
	__u32 vm_gen;
	char comm[KT_COMM_LEN];
	char name[104];		/* QEMU's -name guest=, or the comm; NUL-terminated; any bytes */
};

/* ---- writing ---- */

struct kt_store_writer;

struct kt_writer_opts {
	uint64_t max_bytes;	/* 0 = no limit; -EFBIG from a write that would pass it */
	bool no_index;		/* write to a pipe: no footer */
};

/*
 * Creates path ("-" = stdout); an existing file becomes path.old.  The facts
 * block is on disk when this returns.  Writes are whole blocks in one write();
 * a failed or short write is returned as -errno, the partial block is cut off
 * again where the file allows it, and every later write fails the same way.
 * Only -EFBIG (max_bytes) leaves the writer usable: close it, or go on elsewhere.
 */
int kt_writer_create(const char *path, const struct kt_facts *facts,
		     const struct kt_writer_opts *opts, struct kt_store_writer **out);
int kt_writer_events(struct kt_store_writer *w, uint32_t stream, const struct kt_event *ev, size_t n);
int kt_writer_idents(struct kt_store_writer *w, const struct kt_ident *id, size_t n);
int kt_writer_loss(struct kt_store_writer *w, const struct kt_loss *loss);
int kt_writer_clock(struct kt_store_writer *w, const struct kt_clock_pair *pair, size_t n);
int kt_writer_name(struct kt_store_writer *w, const struct kt_vm_name *name);
int kt_writer_mark(struct kt_store_writer *w, uint64_t watermark_ns);
uint64_t kt_writer_bytes(const struct kt_store_writer *w);

/* Writes stop facts, index and footer; frees w in every case; NULL is fine. */
int kt_writer_close(struct kt_store_writer *w, const struct kt_facts *stop_facts);

/* Frees without a footer: the file ends as after a kill. */
void kt_writer_abandon(struct kt_store_writer *w);

/* ---- reading ---- */

struct kt_store_reader;

struct kt_block {
	enum kt_block_type type;
	uint32_t stream;
	uint64_t first_ns, last_ns;
	size_t n;		/* elements in the payload */
	void *memory;		/* the reader's, for kt_reader_release */
	union {
		const struct kt_facts *facts;
		const struct kt_event *events;
		const struct kt_ident *idents;
		const struct kt_loss *loss;
		const struct kt_clock_pair *clock;
		const struct kt_vm_name *name;
	};
};

/* How the file ended; valid after kt_reader_next returned 0. */
struct kt_read_status {
	bool closed_well;	/* the footer was there */
	bool cut;		/* ended inside a block */
	uint64_t bad_blocks;	/* blocks skipped for a wrong CRC or nonsense lengths */
	uint64_t bad_bytes;	/* bytes passed over while looking for the next block */
	uint64_t events, blocks, bytes;
};

/*
 * path "-" = stdin.  A text story (first line "# kvmtimer-events") reads like a
 * recording.  Only read() is used, so pipes work and memory does not
 * grow with the file.  -EBADMSG with a message for a file that is not ours
 * (saying what it looks like: trace.dat, perf.data, text, gzip, empty…).
 */
int kt_reader_open(const char *path, struct kt_store_reader **out);

/*
 * 1 and *b filled, 0 at the end, -errno on an I/O error.  The payload belongs
 * to the reader and stays valid for events until kt_reader_release(b), for all
 * other types until the next call.  Event blocks are refcounted so that
 * kt_order can merge streams without copying.
 */
int kt_reader_next(struct kt_store_reader *r, struct kt_block *b);
void kt_reader_release(struct kt_store_reader *r, const struct kt_block *b);
const struct kt_read_status *kt_reader_status(const struct kt_store_reader *r);
void kt_reader_close(struct kt_store_reader *r);

#endif
