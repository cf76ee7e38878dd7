/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line of the text form: what parses as an event must print and parse to the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union kt_line_value v, again;
	const char *what;
	char text[1024];
	int n;

	if (kt_event_parse((const char *)data, size, &v, &what) != KT_LINE_EVENT)
		return 0;
	if (!kt_event_valid(&v.event))
		abort();
	n = kt_event_format(&v.event, text, sizeof(text));
	if (n < 0 || (size_t)n >= sizeof(text) ||
	    kt_event_parse(text, n, &again, &what) != KT_LINE_EVENT ||
	    memcmp(&v.event, &again.event, sizeof(v.event)))
		abort();
	return 0;
}
