/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ftrace_page.h"

#include <string.h>

/*
 * A page (struct buffer_data_page): time of its first record, how many bytes of data
 * follow with two flags above them, the data.  With the second flag the number of
 * records that are missing before this page stands behind the data.
 */
struct page_head {
	uint64_t ts_ns;
	uint64_t commit;
};

#define COMMIT_BYTES	0xfffffull
#define MISSED		(1ull << 31)
#define MISSED_STORED	(1ull << 30)

/* A record's head (struct ring_buffer_event): five bits of type or length, 27 of time. */
#define TYPE_LEN	0x1fu
#define DELTA_SHIFT	5
#define DELTA_BITS	27
#define TYPE_DATA_MAX	28	/* up to here: the length in words; 0: it follows in a word */
#define TYPE_PADDING	29
#define TYPE_EXTEND	30	/* time in two parts, to be added */
#define TYPE_STAMP	31	/* time in two parts, without its top bits */
#define STAMP_TOP	(31ull << 59)

void kt_trace_page_next(struct kt_trace_page *page)
{
	const char *p = page->next;
	uint32_t head, type, word;
	size_t length;

	page->data = NULL;
	while (page->end - p >= 8) {
		memcpy(&head, p, 4);
		memcpy(&word, p + 4, 4);
		type = head & TYPE_LEN;
		if (type > TYPE_PADDING) {
			uint64_t time = (uint64_t)word << DELTA_BITS | head >> DELTA_SHIFT;

			page->ts_ns = type == TYPE_EXTEND ? page->ts_ns + time
							  : (page->ts_ns & STAMP_TOP) | time;
			p += 8;
			continue;
		}
		/* Padding without time is the rest of the page; with it, a record that was discarded. */
		if (type == TYPE_PADDING && !(head >> DELTA_SHIFT))
			return;
		page->ts_ns += head >> DELTA_SHIFT;
		/* A length in a word of its own counts that word. */
		length = type && type != TYPE_PADDING ? 4 * type : ((size_t)word + 3) & ~(size_t)3;
		if (length < 4 || length > (size_t)(page->end - p - 4))
			return;
		if (type != TYPE_PADDING) {
			page->data = type ? p + 4 : p + 8;
			page->next = p + 4 + length;
			return;
		}
		p += 4 + length;
	}
}

int64_t kt_trace_page_start(struct kt_trace_page *page, const void *bytes, size_t size)
{
	struct page_head head;
	uint64_t missed = 0;
	size_t data_bytes;

	memset(page, 0, sizeof(*page));
	if (size < sizeof(head))
		return 0;
	memcpy(&head, bytes, sizeof(head));
	size -= sizeof(head);
	data_bytes = head.commit & COMMIT_BYTES;
	if (data_bytes > size)
		data_bytes = size;
	page->ts_ns = head.ts_ns;
	page->next = (const char *)bytes + sizeof(head);
	page->end = page->next + data_bytes;
	if (head.commit & MISSED_STORED && size - data_bytes >= sizeof(missed))
		memcpy(&missed, page->end, sizeof(missed));
	kt_trace_page_next(page);
	if (missed && missed <= INT64_MAX)
		return missed;
	return head.commit & MISSED ? -1 : 0;
}
