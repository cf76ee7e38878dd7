/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The capture of a build without libbpf: everything that reads files works. */
#include <errno.h>
#include <stddef.h>

#include "capture.h"
#include "log.h"

int kt_capture_open(const struct kt_capture_opts *opts, struct kt_facts *facts,
		    struct kt_capture **out)
{
	(void)opts;
	(void)facts;
	*out = NULL;
	return kt_err(-ENOTSUP, "this build cannot record: it was made without libbpf, clang or "
		      "bpftool; install them and build again");
}

int kt_capture_drain(struct kt_capture *c, uint64_t now_ns, const struct kt_capture_sink *sink)
{
	(void)c;
	(void)now_ns;
	(void)sink;
	return -ENOTSUP;
}

void kt_capture_stop(struct kt_capture *c)
{
	(void)c;
}

uint64_t kt_capture_watermark_ns(const struct kt_capture *c)
{
	(void)c;
	return 0;
}

void kt_capture_stats(struct kt_capture *c, struct kt_capture_stats *out)
{
	(void)c;
	*out = (struct kt_capture_stats){ 0 };
}

int kt_capture_measure(struct kt_capture *c, bool on)
{
	(void)c;
	(void)on;
	return -ENOTSUP;
}

void kt_capture_new_file(struct kt_capture *c)
{
	(void)c;
}

void kt_capture_close(struct kt_capture *c)
{
	(void)c;
}
