/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a recording: whole blocks, in the order of the file, with read()
 * only.  A payload goes from the file into the memory that the model will read
 * it from: no copy in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crc32c.h"
#include "event.h"
#include "log.h"
#include "store.h"
#include "store_private.h"

/*
 * Headers are read ahead by this much; what of a payload comes along is copied,
 * the rest is read in place.
 */
#define AHEAD 512

struct kt_store_reader {
	kt_read_fn read;
	void *arg;
	int fd;
	char path[256];
	unsigned char ahead[AHEAD];
	size_t pos, len;
	bool eof, ended;
	struct kt_read_status status;
	struct kt_payload *pool;	/* free payloads */
	struct kt_payload *current;	/* payload of the last block that is not events */
	struct kt_facts *facts;
	struct kt_text *text;		/* a story instead of a recording */
};

/* ---- bytes ---- */

static ssize_t read_fd(void *arg, void *buf, size_t size)
{
	struct kt_store_reader *r = arg;
	ssize_t got;

	do {
		got = read(r->fd, buf, size);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

static ssize_t fetch(struct kt_store_reader *r, void *buf, size_t size)
{
	ssize_t got = r->eof ? 0 : r->read(r->arg, buf, size);

	if (got == 0)
		r->eof = true;
	if (got < 0)
		return kt_err(got, "cannot read %s: %s", r->path, strerror(-got));
	return got;
}

/*
 * At least want (<= AHEAD) bytes from r->ahead + r->pos on, unless the file ends;
 * returns how many there are.
 */
static ssize_t look(struct kt_store_reader *r, size_t want)
{
	ssize_t got;

	if (r->len - r->pos >= want)
		return r->len - r->pos;
	if (r->pos) {
		memmove(r->ahead, r->ahead + r->pos, r->len - r->pos);
		r->len -= r->pos;
		r->pos = 0;
	}
	while (r->len < want) {
		got = fetch(r, r->ahead + r->len, AHEAD - r->len);
		if (got < 0)
			return got;
		if (got == 0)
			break;
		r->len += got;
	}
	return r->len;
}

static void skip(struct kt_store_reader *r, size_t n)
{
	r->pos += n;
	r->status.bytes += n;
}

/* Exactly size bytes, or fewer at the end of the file. */
static ssize_t take(struct kt_store_reader *r, void *buf, size_t size)
{
	size_t n = r->len - r->pos;
	ssize_t got;

	if (n > size)
		n = size;
	memcpy(buf, r->ahead + r->pos, n);
	r->pos += n;
	while (n < size) {
		got = fetch(r, (char *)buf + n, size - n);
		if (got < 0)
			return got;
		if (got == 0)
			break;
		n += got;
	}
	r->status.bytes += n;
	return n;
}

/* ---- opening ---- */

struct foreign {
	const char *magic;
	size_t len;
	const char *what;
};

static const struct foreign foreign[] = {
	{ "\x17\x08\x44tracing", 10, "a trace-cmd file (trace.dat)" },
	{ "PERFILE2", 8, "a perf.data file" },
	{ "\x1f\x8b", 2, "a gzip file: unpack it first" },
	{ "\x28\xb5\x2f\xfd", 4, "a zstd file: unpack it first" },
	{ "\xfd" "7zXZ", 5, "an xz file: unpack it first" },
	{ "\x7f" "ELF", 4, "an ELF file" },
	{ "\xff\xfe", 2, "text in UTF-16: save it as plain text (UTF-8)" },
	{ "\xfe\xff", 2, "text in UTF-16: save it as plain text (UTF-8)" },
	{ "{", 1, "JSON" },
	{ "# tracer:", 9, "ftrace text" },
};

static int not_ours(const struct kt_store_reader *r)
{
	if (!r->len)
		return kt_err(-EBADMSG, "%s is empty: nothing was recorded, or the recorder was "
			      "killed before it began", r->path);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (r->len >= foreign[i].len && !memcmp(r->ahead, foreign[i].magic, foreign[i].len))
			return kt_err(-EBADMSG, "%s is not a kvmtimer-trace recording but %s",
				      r->path, foreign[i].what);
	return kt_err(-EBADMSG, "%s has an unknown format: no recording, no events as text, no trace.dat, no "
		      "trace as text in its first 64 KiB; paste a trace as plain text (UTF-8), and cut what "
		      "stands before it", r->path);
}

static int check_head(struct kt_store_reader *r)
{
	struct kt_disk_file head;
	ssize_t n = look(r, sizeof(head));

	if (n < 0)
		return n;
	if ((size_t)n >= sizeof(KT_TEXT_MAGIC) - 1 &&
	    !memcmp(r->ahead, KT_TEXT_MAGIC, sizeof(KT_TEXT_MAGIC) - 1)) {
		return kt_text_new(&r->text);
	}
	if ((size_t)n < sizeof(head) || memcmp(r->ahead, KT_FILE_MAGIC, 8))
		return not_ours(r);
	memcpy(&head, r->ahead, sizeof(head));
	if (head.version != KT_FILE_VERSION || head.event_size != sizeof(struct kt_event))
		return kt_err(-EBADMSG, "%s has format version %u, this tool reads %u: use the "
			      "version of the tool that wrote it", r->path, head.version,
			      KT_FILE_VERSION);
	skip(r, sizeof(head));
	return 0;
}

int kt_reader_new(kt_read_fn fn, void *arg, const char *name, struct kt_store_reader **out)
{
	struct kt_store_reader *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->fd = -1;
	r->read = fn;
	r->arg = arg ? arg : r;
	strncpy(r->path, name, sizeof(r->path) - 1);
	err = kt_facts_new(&r->facts);
	*out = r;
	return err;
}

int kt_reader_start(struct kt_store_reader *r)
{
	return check_head(r);
}

int kt_reader_open(const char *path, struct kt_store_reader **out)
{
	bool in = !strcmp(path, "-");
	struct kt_store_reader *r;
	int err;

	err = kt_reader_new(read_fd, NULL, in ? "standard input" : path, &r);
	if (err)
		return err;
	r->fd = in ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0)
		err = kt_err(-errno, "cannot open %s: %s", path, strerror(errno));
	else
		err = kt_reader_start(r);
	if (err) {
		kt_reader_close(r);
		return err;
	}
	*out = r;
	return 0;
}

void kt_reader_close(struct kt_store_reader *r)
{
	struct kt_payload *p, *next;

	if (!r)
		return;
	for (p = r->pool; p; p = next) {
		next = p->next;
		free(p);
	}
	free(r->current);
	kt_text_free(r->text);
	kt_facts_free(r->facts);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}

/* ---- blocks ---- */

static struct kt_payload *payload_get(struct kt_store_reader *r, size_t least)
{
	size_t size = least <= KT_PAYLOAD_USUAL ? KT_PAYLOAD_USUAL : KT_BLOCK_MAX;
	struct kt_payload *p = r->pool;

	if (p && p->size >= least) {
		r->pool = p->next;
		return p;
	}
	p = malloc(sizeof(*p) + size);
	if (p)
		p->size = size;
	return p;
}

static void payload_put(struct kt_store_reader *r, struct kt_payload *p)
{
	if (!p)
		return;
	p->next = r->pool;
	r->pool = p;
}

static bool header_ok(const struct kt_disk_block *h)
{
	return h->magic == KT_BLOCK_MAGIC && h->length <= KT_BLOCK_MAX && !(h->length & 7) &&
	       kt_crc32c(0, h, offsetof(struct kt_disk_block, header_crc)) == h->header_crc;
}

static bool at_footer(const struct kt_store_reader *r)
{
	return r->len - r->pos >= 8 && !memcmp(r->ahead + r->pos, KT_FOOTER_MAGIC, 8);
}

/* How far to the next byte that a header may begin with, of those with a whole header's length after them. */
static size_t to_next_start(const struct kt_store_reader *r)
{
	const unsigned char *from = r->ahead + r->pos + 1;
	const unsigned char *end = r->ahead + r->len - sizeof(struct kt_disk_block) + 1;
	const unsigned char *found = from < end ? memchr(from, KT_BLOCK_MAGIC & 0xff, end - from) : NULL;

	return (found ? found : end > from ? end : from) - (r->ahead + r->pos);
}

/* Next whole header; damaged bytes before it are passed over.  1, 0 at the end, -errno. */
static int next_header(struct kt_store_reader *r, struct kt_disk_block *h)
{
	uint64_t bad = r->status.bad_bytes;
	size_t passed;
	ssize_t n;

	for (;;) {
		n = look(r, sizeof(*h));
		if (n < 0)
			return n;
		if ((size_t)n == sizeof(struct kt_disk_footer) && at_footer(r) && r->status.bad_bytes == bad) {
			r->status.closed_well = true;
			skip(r, n);
			return 0;
		}
		if ((size_t)n < sizeof(*h)) {
			r->status.cut = true;
			skip(r, n);
			return 0;
		}
		memcpy(h, r->ahead + r->pos, sizeof(*h));
		if (header_ok(h))
			break;
		passed = to_next_start(r);
		r->status.bad_bytes += passed;
		skip(r, passed);
	}
	if (r->status.bad_bytes != bad)
		r->status.bad_blocks++;
	skip(r, sizeof(*h));
	return 1;
}

/* Drops records that no kind of this version explains; rarely does anything. */
static size_t keep_valid(struct kt_store_reader *r, struct kt_event *ev, size_t n)
{
	unsigned int bad = 0;
	size_t kept = 0, i;

	for (i = 0; i < n; i++)
		bad |= !kt_event_valid_fast(&ev[i]);
	if (!bad)
		return n;
	for (i = 0; i < n; i++) {
		if (kt_event_valid_fast(&ev[i]))
			ev[kept++] = ev[i];
	}
	r->status.bad_bytes += (n - kept) * sizeof(*ev);
	r->status.bad_blocks++;
	return kept;
}

static void read_facts(struct kt_store_reader *r, const char *p, size_t len)
{
	const char *end = p + len;

	while (p < end && *p) {
		const char *value = memchr(p, 0, end - p);
		const char *stop;

		if (!value)
			return;
		value++;
		stop = memchr(value, 0, end - value);
		if (!stop)
			return;
		(void)!kt_facts_set(r->facts, p, value);
		p = stop + 1;
	}
}

/* Nobody who asks when something was lost has to ask which end is which. */
static void order_losses(struct kt_loss *loss, size_t n)
{
	for (; n; n--, loss++)
		if (loss->from_ns > loss->until_ns)
			loss->from_ns = loss->until_ns;
}

/* False for a payload that is no whole number of elements. */
static bool fill_block(struct kt_store_reader *r, const struct kt_disk_block *h,
		       struct kt_payload *p, struct kt_block *b)
{
	static const size_t element[] = {
		[KT_BLOCK_IDENT] = sizeof(struct kt_ident),
		[KT_BLOCK_EVENTS] = sizeof(struct kt_event),
		[KT_BLOCK_LOSS] = sizeof(struct kt_loss),
		[KT_BLOCK_CLOCK] = sizeof(struct kt_clock_pair),
		[KT_BLOCK_NAME] = sizeof(struct kt_vm_name),
	};

	*b = (struct kt_block){ .type = h->type, .stream = h->stream, .first_ns = h->first_ns,
				.last_ns = h->last_ns };
	switch (h->type) {
	case KT_BLOCK_FACTS:
		read_facts(r, (const char *)p->data, h->length);
		b->facts = r->facts;
		return true;
	case KT_BLOCK_MARK:
		return true;
	case KT_BLOCK_LOSS:
		order_losses((struct kt_loss *)p->data, h->length / sizeof(struct kt_loss));
		/* fallthrough */
	case KT_BLOCK_IDENT:
	case KT_BLOCK_EVENTS:
	case KT_BLOCK_CLOCK:
	case KT_BLOCK_NAME:
		b->n = h->length / element[h->type];
		if (!b->n || h->length % element[h->type])
			return false;
		b->events = (const struct kt_event *)p->data;
		return true;
	}
	return false;
}

static bool is_text_field_ended(const struct kt_block *b)
{
	return b->type != KT_BLOCK_NAME || memchr(b->name->name, 0, sizeof(b->name->name));
}

static int binary_next(struct kt_store_reader *r, struct kt_block *b)
{
	struct kt_disk_block h;
	struct kt_payload *p;
	ssize_t n;
	int got;

	for (;;) {
		got = next_header(r, &h);
		if (got <= 0)
			return got;
		p = payload_get(r, h.length);
		if (!p)
			return -ENOMEM;
		n = take(r, p->data, h.length);
		if (n < 0 || (size_t)n < h.length) {
			payload_put(r, p);
			r->status.cut = true;
			return n < 0 ? n : 0;
		}
		if (kt_crc32c(0, p->data, h.length) == h.payload_crc) {
			if (h.type == KT_BLOCK_INDEX) {
				payload_put(r, p);
				continue;
			}
			if (fill_block(r, &h, p, b) && is_text_field_ended(b))
				break;
		}
		r->status.bad_blocks++;
		r->status.bad_bytes += h.length;
		payload_put(r, p);
	}
	r->status.blocks++;
	if (b->type == KT_BLOCK_EVENTS) {
		b->n = keep_valid(r, (struct kt_event *)p->data, b->n);
		b->memory = p;
		r->status.events += b->n;
	} else {
		r->current = p;
	}
	return 1;
}

int kt_reader_next(struct kt_store_reader *r, struct kt_block *b)
{
	int got;

	payload_put(r, r->current);
	r->current = NULL;
	if (r->ended)
		return 0;
	if (r->text) {
		got = kt_text_next(r->text, r, b);
		if (got > 0 && b->type == KT_BLOCK_EVENTS)
			r->status.events += b->n;
		if (!got)
			r->status.closed_well = true;
	} else {
		got = binary_next(r, b);
	}
	r->ended = got <= 0;
	return got;
}

void kt_reader_release(struct kt_store_reader *r, const struct kt_block *b)
{
	if (b->memory)
		payload_put(r, b->memory);
}

const struct kt_read_status *kt_reader_status(const struct kt_store_reader *r)
{
	return &r->status;
}

/* ---- for the text form ---- */

ssize_t kt_reader_take(struct kt_store_reader *r, void *buf, size_t size)
{
	size_t n = r->len - r->pos;

	if (!n)
		return fetch(r, buf, size);
	if (n > size)
		n = size;
	memcpy(buf, r->ahead + r->pos, n);
	r->pos += n;
	return n;
}

struct kt_payload *kt_reader_payload(struct kt_store_reader *r)
{
	return payload_get(r, KT_PAYLOAD_USUAL);
}

struct kt_facts *kt_reader_facts(struct kt_store_reader *r)
{
	return r->facts;
}

const char *kt_reader_name(const struct kt_store_reader *r)
{
	return r->path;
}
