/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw pages of the live ftrace source: what they say is missing before them, and what they cannot say. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "ftrace_page.h"
#include "ftrace_pages.h"

#define PAGE_HEAD 16
#define MISSED (1ull << 31)
#define MISSED_STORED (1ull << 30)

/* ---- a tracefs of our own ---- */

static char pages_path[] = "/tmp/kt-pages.XXXXXX";
static size_t page_bytes;
static const char *stats;
static int open_error, read_error;	/* as of a CPU that is not up */

const char *kt_tracefs_dir(void)
{
	return "/nowhere";
}

int kt_tracefs_open_file(struct kt_tracefs *t, const char *file, int flags)
{
	(void)t;
	(void)file;
	return open_error ? -open_error : open(pages_path, flags);
}

/* In place of the C library's. */
ssize_t read(int fd, void *buf, size_t size)
{
	if (!read_error)
		return syscall(SYS_read, fd, buf, size);
	errno = read_error;
	return -1;
}

char *kt_tracefs_read(struct kt_tracefs *t, const char *file)
{
	(void)t;
	(void)file;
	return strdup(stats);
}

/* A page with records of 8 bytes until it is full, or with one. */
static void make_page(char *page, uint64_t ts_ns, bool full, uint64_t flags, uint64_t missed)
{
	uint32_t record[2] = { 1u << 5 | 1, 7 };	/* one ns later; a word of data */
	uint64_t bytes = full ? (page_bytes - PAGE_HEAD) / 8 * 8 : 8, commit = bytes | flags;

	memset(page, 0, page_bytes);
	memcpy(page, &ts_ns, 8);
	memcpy(page + 8, &commit, 8);
	for (uint64_t at = 0; at < bytes; at += 8)
		memcpy(page + PAGE_HEAD + at, record, 8);
	if (flags & MISSED_STORED)
		memcpy(page + PAGE_HEAD + bytes, &missed, 8);
}

static void put_page(uint64_t ts_ns, bool full, uint64_t flags, uint64_t missed)
{
	char *page = malloc(page_bytes);
	int fd = open(pages_path, O_WRONLY | O_APPEND);

	assert_non_null(page);
	make_page(page, ts_ns, full, flags, missed);
	assert_int_equal(write(fd, page, page_bytes), page_bytes);
	close(fd);
	free(page);
}

/* ---- */

static void a_page_says_what_is_missing(void **state)
{
	char *page = malloc(page_bytes);
	struct kt_trace_page p;

	(void)state;
	assert_non_null(page);
	make_page(page, 1000, false, 0, 0);
	assert_int_equal(kt_trace_page_start(&p, page, page_bytes), 0);
	assert_int_equal(p.ts_ns, 1001);
	make_page(page, 1000, false, MISSED | MISSED_STORED, 23);
	assert_int_equal(kt_trace_page_start(&p, page, page_bytes), 23);
	/* No room behind the data. */
	make_page(page, 1000, true, MISSED, 0);
	assert_int_equal(kt_trace_page_start(&p, page, page_bytes), -1);
	assert_non_null(p.data);
	free(page);
}

struct heard {
	unsigned int records, gaps;
	uint64_t lost, from_ns, until_ns;
};

static int on_record(void *arg, uint32_t cpu, uint64_t ts_ns, const void *data, size_t size)
{
	(void)cpu;
	(void)ts_ns;
	(void)data;
	(void)size;
	((struct heard *)arg)->records++;
	return 0;
}

static int on_gap(void *arg, uint32_t cpu, uint64_t from_ns, uint64_t until_ns, uint64_t n)
{
	struct heard *h = arg;

	(void)cpu;
	h->gaps++;
	h->lost += n;
	h->from_ns = from_ns;
	h->until_ns = until_ns;
	return 0;
}

/* A gap of unknown size is a gap, and the sum at the end is the kernel's. */
static void a_gap_of_unknown_size(void **state)
{
	struct heard h = { 0 };
	struct kt_pages_sink sink = { .arg = &h, .record = on_record, .gap = on_gap };
	struct kt_pages *p;

	(void)state;
	put_page(1000, false, 0, 0);
	put_page(5000, true, MISSED, 0);
	put_page(90000, false, MISSED | MISSED_STORED, 3);
	assert_int_equal(kt_pages_open(NULL, 1, 0, &p), 0);
	assert_int_equal(kt_pages_drain(p, 20000, &sink), 0);
	assert_int_equal(h.gaps, 2);
	assert_int_equal(h.lost, 1 + 3);
	assert_int_equal(kt_pages_drain(p, UINT64_MAX, &sink), 0);
	assert_int_equal(h.records, 2 + (page_bytes - PAGE_HEAD) / 8);
	assert_true(h.from_ns < h.until_ns);
	stats = "entries: 0\noverrun: 40\ncommit overrun: 2\ndropped events: 1\n";
	assert_int_equal(kt_pages_untold(p, 0), 40 + 2 + 1 - h.lost);
	assert_int_equal(kt_pages_untold(p, 0), 0);
	kt_pages_close(p);
}

/* What a buffer loses after it was read until it was empty is later than that, however old its last record. */
static void a_quiet_cpu_that_loses_something(void **state)
{
	struct heard h = { 0 };
	struct kt_pages_sink sink = { .arg = &h, .record = on_record, .gap = on_gap };
	struct kt_pages *p;

	(void)state;
	assert_int_equal(truncate(pages_path, 0), 0);
	put_page(1000, false, 0, 0);
	assert_int_equal(kt_pages_open(NULL, 1, 0, &p), 0);
	assert_int_equal(kt_pages_drain(p, 500000, &sink), 0);
	assert_int_equal(h.records, 1);
	put_page(900000, false, MISSED | MISSED_STORED, 3);
	assert_int_equal(kt_pages_drain(p, 1000000, &sink), 0);
	assert_int_equal(h.from_ns, 500000);
	assert_int_equal(h.until_ns, 900001);
	kt_pages_close(p);
}

/* The kernel gives a CPU its buffer when it first comes up; until then there is nothing to read. */
static void a_cpu_that_comes_up_later(void **state)
{
	struct heard h = { 0 };
	struct kt_pages_sink sink = { .arg = &h, .record = on_record, .gap = on_gap };
	struct kt_pages *p;

	(void)state;
	assert_int_equal(truncate(pages_path, 0), 0);
	put_page(1000, false, 0, 0);
	open_error = ENODEV;
	assert_int_equal(kt_pages_open(NULL, 1, 0, &p), 0);
	assert_int_equal(kt_pages_drain(p, 20000, &sink), 0);
	open_error = 0;
	read_error = ENODEV;
	/* Not asked in each pass: most such CPUs are never up. */
	for (int pass = 0; pass < 8; pass++)
		assert_int_equal(kt_pages_drain(p, 20000, &sink), 0);
	assert_int_equal(h.records, 0);
	read_error = 0;
	assert_int_equal(kt_pages_drain(p, 20000, &sink), 0);
	assert_int_equal(h.records, 1);
	assert_int_equal(h.gaps, 0);
	/* What fails in any other way is no such CPU. */
	read_error = EIO;
	assert_int_equal(kt_pages_drain(p, 20000, &sink), -EIO);
	read_error = 0;
	kt_pages_close(p);
}

static int set_up(void **state)
{
	int fd = mkstemp(pages_path);

	(void)state;
	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(pages_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_says_what_is_missing),
		cmocka_unit_test(a_gap_of_unknown_size),
		cmocka_unit_test(a_quiet_cpu_that_loses_something),
		cmocka_unit_test(a_cpu_that_comes_up_later),
	};

	return cmocka_run_group_tests_name("ftrace_pages", tests, set_up, tear_down);
}
