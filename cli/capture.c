/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which source stands behind a capture, and the way to it. */
#include "capture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

/* In the order in which auto tries them; one that this build lacks says what it was made without. */
static const struct {
	const struct kt_source_ops *ops;
	const char *without;
} sources[] = {
	[KT_SOURCE_BPF] = {
#if KT_WITH_BPF
		&kt_source_bpf,
#endif
		.without = "this build cannot record through BPF: it was made without libbpf, clang or "
			   "bpftool; install them and build again" },
	[KT_SOURCE_FTRACE] = {
#if KT_WITH_FTRACE
		&kt_source_ftrace,
#endif
		.without = "this build cannot record through ftrace: it was made without libtracefs or "
			   "libtraceevent; install them and build again" },
};

static int open_one(enum kt_source source, const struct kt_capture_opts *opts,
		    struct kt_facts *facts, struct kt_capture **out)
{
	const struct kt_source_ops *ops = sources[source].ops;
	int err;

	if (!ops)
		return kt_err(-ENOTSUP, "%s", sources[source].without);
	err = ops->open(opts, facts, out);
	return err ? err : kt_facts_set(facts, "capture.source", ops->name);
}

int kt_capture_open(const struct kt_capture_opts *opts, struct kt_facts *facts,
		    struct kt_capture **out)
{
	char why[512];
	int err;

	*out = NULL;
	if (opts->source != KT_SOURCE_AUTO)
		return open_one(opts->source, opts, facts, out);
	/* Only ftrace has it. */
	if (opts->calls)
		return open_one(KT_SOURCE_FTRACE, opts, facts, out);
	kt_log_hold(why, sizeof(why));
	err = open_one(KT_SOURCE_BPF, opts, facts, out);
	kt_log_release();
	if (!err)
		return 0;
	kt_warn("BPF cannot be used here: %s", why);
	kt_warn("trying ftrace instead (--source chooses)");
	(void)!kt_facts_set(facts, "capture.why_not_bpf", why);
	return open_one(KT_SOURCE_FTRACE, opts, facts, out);
}

const char *kt_capture_source(const struct kt_capture *c)
{
	return c->ops->name;
}

int kt_capture_drain(struct kt_capture *c, uint64_t now_ns, const struct kt_capture_sink *sink)
{
	return c->ops->drain(c, now_ns, sink);
}

void kt_capture_stop(struct kt_capture *c)
{
	c->ops->stop(c);
}

uint64_t kt_capture_watermark_ns(const struct kt_capture *c)
{
	return c->ops->watermark_ns(c);
}

void kt_capture_stats(struct kt_capture *c, struct kt_capture_stats *out)
{
	memset(out, 0, sizeof(*out));
	c->ops->stats(c, out);
}

int kt_capture_measure(struct kt_capture *c, bool on)
{
	return c->ops->measure ? c->ops->measure(c, on) : -ENOTSUP;
}

void kt_capture_new_file(struct kt_capture *c)
{
	if (c->ops->new_file)
		c->ops->new_file(c);
}

void kt_capture_close(struct kt_capture *c)
{
	if (c)
		c->ops->close(c);
}
