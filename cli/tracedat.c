/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tracedat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"

#define BUFFER (256u << 10)

/* kallsyms and formats of a large kernel, twice over; then pages, of which libtracecmd keeps an index. */
#define MEMORY_BASE (512ull << 20)
#define CPU_BASE_S 20
#define BYTES_PER_CPU_S (1u << 20)	/* a hundred times slower than it is */

struct kt_tracedat {
	struct kt_sandbox child;
	char name[256];
	bool started, greeted, done;
	size_t pos, len;
	uint64_t buf[BUFFER / 8];
};

bool kt_tracedat_looks(const char *buf, size_t len)
{
	static const char magic[] = "\x17\x08\x44tracing";

	return len >= sizeof(magic) - 1 && !memcmp(buf, magic, sizeof(magic) - 1);
}

int kt_tracedat_open_with(const struct kt_sandbox_opts *opts, const char *name,
			  struct kt_tracedat **out)
{
	struct kt_tracedat *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return kt_err(-ENOMEM, "out of memory");
	snprintf(t->name, sizeof(t->name), "%s", name);
	err = kt_sandbox_start(opts, &t->child);
	if (err) {
		free(t);
		return err;
	}
	t->started = true;
	*out = t;
	return 0;
}

int kt_tracedat_open(int fd, const char *name, struct kt_tracedat **out)
{
	struct kt_sandbox_opts opts = { .run = kt_tracedat_child, .in_fd = fd, .idle_s = 20 };
	struct stat st;

	if (!kt_tracedat_built)
		return kt_err(-ENOTSUP, "%s is a trace-cmd file, and this kvmtimer-trace was built without "
			      "libtracecmd (package libtracecmd-dev): use one that was built with it, or "
			      "turn the file into text with trace-cmd report -l -t", name);
	if (fstat(fd, &st))
		return kt_err(-errno, "cannot read %s: %s", name, strerror(errno));
	opts.memory_bytes = MEMORY_BASE + (uint64_t)st.st_size / 8;
	opts.cpu_s = CPU_BASE_S + (uint32_t)((uint64_t)st.st_size / BYTES_PER_CPU_S);
	return kt_tracedat_open_with(&opts, name, out);
}

void kt_tracedat_close(struct kt_tracedat *t)
{
	char why[128];

	if (!t)
		return;
	if (t->started)
		(void)kt_sandbox_end(&t->child, why, sizeof(why));
	free(t);
}

/* What the child did instead of finishing. */
static int died(struct kt_tracedat *t, int err)
{
	char buf[128];
	const char *why = kt_sandbox_end(&t->child, buf, sizeof(buf));

	t->started = false;
	if (err == -ETIME)
		why = "waits for something that never comes";
	return kt_err(-EBADMSG, "%s cannot be read: the process that parses trace-cmd files %s; "
		      "the file is damaged or hostile", t->name, why ? why : "ended before its time");
}

static int fill(struct kt_tracedat *t)
{
	ssize_t got;

	memmove(t->buf, (char *)t->buf + t->pos, t->len - t->pos);
	t->len -= t->pos;
	t->pos = 0;
	got = kt_sandbox_read(&t->child, (char *)t->buf + t->len, sizeof(t->buf) - t->len);
	if (got <= 0)
		return died(t, (int)got);
	t->len += (size_t)got;
	return 0;
}

static int refuse(struct kt_tracedat *t, const char *why)
{
	return kt_err(-EBADMSG, "%s cannot be read: the process that parses trace-cmd files sent %s; "
		      "the file is damaged or hostile", t->name, why);
}

/* The last message was read: nothing may follow, and the child must end well. */
static int finish(struct kt_tracedat *t)
{
	ssize_t got = kt_sandbox_read(&t->child, t->buf, sizeof(t->buf));
	char buf[128];
	const char *why;

	if (got > 0 || t->pos < t->len)
		return refuse(t, "something after its end");
	if (got < 0)
		return died(t, (int)got);
	why = kt_sandbox_end(&t->child, buf, sizeof(buf));
	t->started = false;
	t->done = true;
	if (why)
		return kt_err(-EBADMSG, "%s cannot be read: the process that parses trace-cmd files %s",
			      t->name, why);
	return 0;
}

int kt_tracedat_next(struct kt_tracedat *t, struct kt_tracedat_msg *msg)
{
	int used, err;

	if (t->done || !t->started)
		return 0;
	for (;;) {
		used = kt_tracedat_decode((char *)t->buf + t->pos, t->len - t->pos, msg);
		if (used < 0)
			return refuse(t, msg->why);
		if (used == 0) {
			err = fill(t);
			if (err)
				return err;
			continue;
		}
		t->pos += (size_t)used;
		if ((msg->type == KT_TD_HELLO) == t->greeted)
			return refuse(t, "messages out of order");
		t->greeted = true;
		if (msg->type == KT_TD_HELLO)
			continue;
		if (msg->type == KT_TD_FAIL)
			return kt_err(-EBADMSG, "%s cannot be read: %s", t->name, msg->reason);
		if (msg->type == KT_TD_DONE) {
			err = finish(t);
			if (err)
				return err;
		}
		return 1;
	}
}
