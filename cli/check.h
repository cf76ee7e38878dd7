/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_CHECK_H
#define KT_CHECK_H

#include <stdio.h>

#include "verdict.h"

/* A recording judged: what the renderers of check get. */
struct kt_check {
	const char *path;		/* can be read again; NULL: not (live) */
	const struct kt_session *session;
	const struct kt_rules *rules;
	const struct kt_check_sum *sum;	/* the answer */
	uint64_t only;			/* bit per rule; 0 = all */
	unsigned int examples;		/* violations shown per rule */
	bool ascii;
	unsigned int width;
};

/* "VM 1 (name) vCPU 0 vtimer" into one of a few rotating buffers. */
const char *kt_check_where(const struct kt_check *c, const struct kt_violation *v);

void kt_check_text(const struct kt_check *c);
int kt_check_json(const struct kt_check *c);
void kt_check_tap(const struct kt_check *c);
void kt_check_junit(const struct kt_check *c);

/* The events and the lanes around one violation, read from c->path. */
void kt_check_window(const struct kt_check *c, const struct kt_violation *v);

#endif
