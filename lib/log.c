/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

static struct {
	kt_log_fn fn;
	void *arg;
	char *held;
	size_t held_size;
} sink;

void kt_log_set_sink(kt_log_fn fn, void *arg)
{
	sink.fn = fn;
	sink.arg = arg;
}

void kt_log_hold(char *buf, size_t size)
{
	sink.held = buf;
	sink.held_size = size;
	if (size)
		buf[0] = '\0';
}

void kt_log_release(void)
{
	sink.held = NULL;
}

__attribute__((format(printf, 2, 0)))
static void emit(enum kt_log_level level, const char *fmt, va_list ap)
{
	char text[4096];

	if (sink.held && level == KT_LOG_ERR) {
		vsnprintf(sink.held, sink.held_size, fmt, ap);
		return;
	}
	if (!sink.fn)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	sink.fn(sink.arg, level, text);
}

int kt_err(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(KT_LOG_ERR, fmt, ap);
	va_end(ap);
	return err;
}

void kt_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(KT_LOG_WARN, fmt, ap);
	va_end(ap);
}

void kt_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(KT_LOG_DEBUG, fmt, ap);
	va_end(ap);
}
