/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "crc32c.h"
#include "log.h"
#include "store.h"
#include "store_format.h"

#define INDEX_MAX 65536		/* entries; past that every second one is dropped */
#define EVENTS_PER_BLOCK 2048

struct kt_store_writer {
	int fd;
	bool regular, no_index;
	char path[4096];
	uint64_t offset, max_bytes, blocks;
	int err;			/* first failure; every later write returns it */
	struct kt_disk_index *index;
	size_t index_n, index_max, index_step, index_skip;
};

static int write_all(int fd, struct iovec *iov, int n)
{
	while (n) {
		ssize_t got = writev(fd, iov, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		while (n && (size_t)got >= iov->iov_len) {
			got -= iov->iov_len;
			iov++;
			n--;
		}
		if (n) {
			iov->iov_base = (char *)iov->iov_base + got;
			iov->iov_len -= got;
		}
	}
	return 0;
}

/* What was written of a block that failed is cut off again. */
static int fail(struct kt_store_writer *w, int err)
{
	if (w->regular && ftruncate(w->fd, w->offset))
		kt_warn("cannot cut the unfinished block off %s: %s", w->path, strerror(errno));
	w->err = kt_err(err, "cannot write %s: %s", w->path, strerror(-err));
	return w->err;
}

/* An index is a hint: where there is no room or no memory for more, it gets coarser. */
static void make_index_room(struct kt_store_writer *w)
{
	size_t max = w->index_max ? 2 * w->index_max : 64;
	struct kt_disk_index *bigger = NULL;

	if (max <= INDEX_MAX)
		bigger = realloc(w->index, max * sizeof(*bigger));
	if (bigger) {
		w->index = bigger;
		w->index_max = max;
		return;
	}
	for (size_t i = 0; i < w->index_n / 2; i++)
		w->index[i] = w->index[2 * i];
	w->index_n /= 2;
	w->index_step *= 2;
}

static void note_index(struct kt_store_writer *w, const struct kt_disk_block *b)
{
	if (w->no_index || w->index_skip++ % w->index_step)
		return;
	if (w->index_n == w->index_max)
		make_index_room(w);
	if (w->index_n == w->index_max)
		return;
	w->index[w->index_n++] = (struct kt_disk_index){
		w->offset, b->first_ns, b->last_ns, b->type, b->stream };
}

static int write_block(struct kt_store_writer *w, struct kt_disk_block *b, const void *data,
		       size_t len)
{
	static const char zeros[8];
	size_t pad = -len & 7;
	struct iovec iov[3] = {
		{ b, sizeof(*b) }, { (void *)data, len }, { (void *)zeros, pad },
	};
	int err;

	if (w->err)
		return w->err;
	if (w->max_bytes && w->offset + sizeof(*b) + len + pad > w->max_bytes)
		return -EFBIG;
	b->magic = KT_BLOCK_MAGIC;
	b->length = len + pad;
	b->payload_crc = kt_crc32c(kt_crc32c(0, data, len), zeros, pad);
	b->header_crc = kt_crc32c(0, b, offsetof(struct kt_disk_block, header_crc));
	err = write_all(w->fd, iov, pad ? 3 : len ? 2 : 1);
	if (err)
		return fail(w, err);
	note_index(w, b);
	w->offset += sizeof(*b) + len + pad;
	w->blocks++;
	return 0;
}

/* ---- facts: key NUL value NUL ... */

static int write_facts(struct kt_store_writer *w, const struct kt_facts *facts)
{
	struct kt_disk_block b = { .type = KT_BLOCK_FACTS };
	const char *key, *value;
	size_t len = 0, i;
	char *text;
	int err;

	text = malloc(KT_BLOCK_MAX);
	if (!text)
		return -ENOMEM;
	for (i = 0; kt_facts_at(facts, i, &key, &value); i++) {
		size_t k = strlen(key) + 1, v = strlen(value) + 1;

		if (len + k + v > KT_BLOCK_MAX - 8)
			break;
		memcpy(text + len, key, k);
		memcpy(text + len + k, value, v);
		len += k + v;
	}
	err = write_block(w, &b, text, len);
	free(text);
	return err;
}

/* ---- opening and closing ---- */

static int keep_old(const char *path)
{
	char old[4096];

	if (access(path, F_OK))
		return 0;
	if ((size_t)snprintf(old, sizeof(old), "%s.old", path) >= sizeof(old))
		return -ENAMETOOLONG;
	return rename(path, old) ? -errno : 0;
}

static int open_file(struct kt_store_writer *w, const char *path)
{
	struct stat st;
	int err;

	snprintf(w->path, sizeof(w->path), "%s", path);
	if (!strcmp(path, "-")) {
		w->fd = dup(STDOUT_FILENO);
	} else {
		err = stat(path, &st) || S_ISREG(st.st_mode) ? keep_old(path) : 0;
		if (err)
			return kt_err(err, "cannot keep the older %s as %s.old: %s", path, path,
				      strerror(-err));
		/* Kernel addresses inside: for the owner's eyes. */
		w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	}
	if (w->fd < 0)
		return kt_err(-errno, "cannot create %s: %s", path, strerror(errno));
	w->regular = !fstat(w->fd, &st) && S_ISREG(st.st_mode);
	return 0;
}

int kt_writer_create(const char *path, const struct kt_facts *facts,
		     const struct kt_writer_opts *opts, struct kt_store_writer **out)
{
	struct kt_disk_file head = { .version = KT_FILE_VERSION,
				     .event_size = sizeof(struct kt_event) };
	struct iovec iov = { &head, sizeof(head) };
	struct kt_store_writer *w;
	int err;

	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->fd = -1;
	w->index_step = 1;
	w->max_bytes = opts ? opts->max_bytes : 0;
	w->no_index = opts && opts->no_index;
	err = open_file(w, path);
	if (err)
		goto out;
	memcpy(head.magic, KT_FILE_MAGIC, sizeof(head.magic));
	err = write_all(w->fd, &iov, 1);
	if (err) {
		err = fail(w, err);
		goto out;
	}
	w->offset = sizeof(head);
	err = write_facts(w, facts);
	if (err)
		goto out;
	*out = w;
	return 0;
out:
	kt_writer_abandon(w);
	return err;
}

void kt_writer_abandon(struct kt_store_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	free(w->index);
	free(w);
}

static int write_footer(struct kt_store_writer *w)
{
	struct kt_disk_footer foot = { .index_offset = w->offset, .blocks = w->blocks };
	struct kt_disk_block b = { .type = KT_BLOCK_INDEX };
	struct iovec iov = { &foot, sizeof(foot) };
	size_t most = (KT_BLOCK_MAX - 8) / sizeof(*w->index), n = w->index_n;
	int err;

	/* Thinned to one block: an index is a hint, not the data. */
	for (; n > most; n /= 2)
		for (size_t i = 0; i < n / 2; i++)
			w->index[i] = w->index[2 * i];
	err = write_block(w, &b, w->index, n * sizeof(*w->index));
	if (err)
		return err;
	memcpy(foot.magic, KT_FOOTER_MAGIC, sizeof(foot.magic));
	err = write_all(w->fd, &iov, 1);
	return err ? fail(w, err) : 0;
}

int kt_writer_close(struct kt_store_writer *w, const struct kt_facts *stop_facts)
{
	int err;

	if (!w)
		return 0;
	w->max_bytes = 0;	/* the end may pass the limit: it is what makes the file whole */
	err = w->err;
	if (!err && stop_facts)
		err = write_facts(w, stop_facts);
	if (!err && !w->no_index)
		err = write_footer(w);
	if (close(w->fd) && !err)
		err = kt_err(-errno, "cannot write %s: %s", w->path, strerror(errno));
	w->fd = -1;
	kt_writer_abandon(w);
	return err;
}

/* ---- one function per block type ---- */

int kt_writer_events(struct kt_store_writer *w, uint32_t stream, const struct kt_event *ev, size_t n)
{
	int err = 0;

	while (n && !err) {
		size_t part = n < EVENTS_PER_BLOCK ? n : EVENTS_PER_BLOCK;
		struct kt_disk_block b = { .type = KT_BLOCK_EVENTS, .stream = stream,
					   .first_ns = ev[0].ts_ns, .last_ns = ev[part - 1].ts_ns };

		err = write_block(w, &b, ev, part * sizeof(*ev));
		ev += part;
		n -= part;
	}
	return err;
}

int kt_writer_idents(struct kt_store_writer *w, const struct kt_ident *id, size_t n)
{
	int err = 0;

	while (n && !err) {
		size_t part = n < 256 ? n : 256;
		struct kt_disk_block b = { .type = KT_BLOCK_IDENT };

		err = write_block(w, &b, id, part * sizeof(*id));
		id += part;
		n -= part;
	}
	return err;
}

int kt_writer_loss(struct kt_store_writer *w, const struct kt_loss *loss)
{
	struct kt_disk_block b = { .type = KT_BLOCK_LOSS, .stream = loss->stream,
				   .first_ns = loss->from_ns, .last_ns = loss->until_ns };

	return write_block(w, &b, loss, sizeof(*loss));
}

int kt_writer_clock(struct kt_store_writer *w, const struct kt_clock_pair *pair, size_t n)
{
	struct kt_disk_block b = { .type = KT_BLOCK_CLOCK };

	return write_block(w, &b, pair, n * sizeof(*pair));
}

int kt_writer_name(struct kt_store_writer *w, const struct kt_vm_name *name)
{
	struct kt_disk_block b = { .type = KT_BLOCK_NAME };

	return write_block(w, &b, name, sizeof(*name));
}

int kt_writer_mark(struct kt_store_writer *w, uint64_t watermark_ns)
{
	struct kt_disk_block b = { .type = KT_BLOCK_MARK, .first_ns = watermark_ns,
				   .last_ns = watermark_ns };

	return write_block(w, &b, NULL, 0);
}

uint64_t kt_writer_bytes(const struct kt_store_writer *w)
{
	return w->offset;
}
