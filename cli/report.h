/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_REPORT_H
#define KT_REPORT_H

#include <stdbool.h>

#include "session.h"

struct kt_report_opts {
	bool all;		/* every vCPU, not the busiest ones only */
};

/* One page of at most 72 columns. */
void kt_report_text(const struct kt_session *s, const struct kt_report_opts *opts);
/* One JSON object: docs/json.md. 0 or -errno. */
int kt_report_json(const struct kt_session *s, const struct kt_report_opts *opts);

/* "key: text", folded at the page's width. */
void kt_report_folded(const char *key, const char *text);

/* What the file lacks, in sentences; fn is called once each. */
void kt_report_lacks(const struct kt_session *s, void (*fn)(void *arg, const char *text), void *arg);

#endif
