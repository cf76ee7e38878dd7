/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_LOG_H
#define KT_LOG_H

#include <stddef.h>

/*
 * Messages of the library.  lib/ never prints: a message is made where the
 * noun is known, handed to the sink that cli/ sets, and travels with its error:
 *
 *	return kt_err(-errno, "cannot open %s: %s", path, strerror(errno));
 *
 * kt_err returns its first argument and must be used, so that no path can say
 * an error and return success.
 */

enum kt_log_level { KT_LOG_ERR, KT_LOG_WARN, KT_LOG_DEBUG };

typedef void (*kt_log_fn)(void *arg, enum kt_log_level level, const char *text);

/* NULL drops all messages, which is also the state at start. */
void kt_log_set_sink(kt_log_fn fn, void *arg);

/*
 * From here on errors are not given to the sink but kept, the newest, in buf,
 * until kt_log_release: for a caller that has another way and will say both.
 */
void kt_log_hold(char *buf, size_t size);
void kt_log_release(void);

__attribute__((format(printf, 2, 3), warn_unused_result))
int kt_err(int err, const char *fmt, ...);

__attribute__((format(printf, 1, 2)))
void kt_warn(const char *fmt, ...);

__attribute__((format(printf, 1, 2)))
void kt_debug(const char *fmt, ...);

#endif
