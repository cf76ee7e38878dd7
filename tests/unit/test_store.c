/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "store_private.h"

#define PATH "kt-test-store.data"

static struct kt_event make_event(uint64_t i)
{
	return (struct kt_event){ .ts_ns = 1000 + i, .who = 1 + i % 3, .kind = KT_EV_ENTRY,
				  .sub = KT_SUB(KT_TIMER_NONE, 0), .run.pc = i };
}

static void write_file(size_t nr_events, bool close_well)
{
	struct kt_writer_opts wo = { 0 };
	struct kt_store_writer *w;
	struct kt_facts *facts;
	struct kt_ident id = { .who = 1, .kvm = 10, .comm = "vmm/0" };
	struct kt_loss loss = { .from_ns = 5, .until_ns = 9, .lost[KT_EV_EXIT] = 3 };

	unlink(PATH);
	assert_int_equal(kt_facts_new(&facts), 0);
	assert_int_equal(kt_facts_set(facts, "host.mode", "vhe"), 0);
	assert_int_equal(kt_writer_create(PATH, facts, &wo, &w), 0);
	assert_int_equal(kt_writer_idents(w, &id, 1), 0);
	for (size_t i = 0; i < nr_events; i++) {
		struct kt_event ev = make_event(i);

		assert_int_equal(kt_writer_events(w, i % 2, &ev, 1), 0);
	}
	assert_int_equal(kt_writer_loss(w, &loss), 0);
	assert_int_equal(kt_writer_mark(w, 99999), 0);
	if (close_well)
		assert_int_equal(kt_writer_close(w, facts), 0);
	else
		kt_writer_abandon(w);
	kt_facts_free(facts);
}

struct memory {
	const unsigned char *p;
	size_t left;
};

static ssize_t read_memory(void *arg, void *buf, size_t size)
{
	struct memory *m = arg;
	size_t odd = 13 + m->left % 100;

	/* Odd portions, as a pipe would give. */
	if (size > odd)
		size = odd;
	if (size > m->left)
		size = m->left;
	memcpy(buf, m->p, size);
	m->p += size;
	m->left -= size;
	return size;
}

/* Events read from len bytes; every one is checked to be one that was written. */
static size_t read_back(const unsigned char *data, size_t len, struct kt_read_status *status)
{
	struct memory m = { data, len };
	struct kt_store_reader *r = NULL;
	struct kt_block b;
	size_t events = 0;

	memset(status, 0, sizeof(*status));
	assert_int_equal(kt_reader_new(read_memory, &m, "memory", &r), 0);
	if (!kt_reader_start(r)) {
		while (kt_reader_next(r, &b) > 0) {
			if (b.type != KT_BLOCK_EVENTS)
				continue;
			for (size_t i = 0; i < b.n; i++) {
				struct kt_event want = make_event(b.events[i].run.pc);

				assert_memory_equal(&b.events[i], &want, sizeof(want));
				events++;
			}
			kt_reader_release(r, &b);
		}
		*status = *kt_reader_status(r);
	}
	kt_reader_close(r);
	return events;
}

static unsigned char *slurp(size_t *len)
{
	FILE *f = fopen(PATH, "rb");
	unsigned char *data = malloc(1 << 20);

	assert_non_null(f);
	assert_non_null(data);
	*len = fread(data, 1, 1 << 20, f);
	fclose(f);
	unlink(PATH);
	return data;
}

static void round_trip(void **state)
{
	struct kt_read_status st;
	unsigned char *data;
	size_t len;

	(void)state;
	write_file(20, true);
	data = slurp(&len);
	assert_int_equal(read_back(data, len, &st), 20);
	assert_true(st.closed_well);
	assert_false(st.cut);
	assert_int_equal(st.bad_blocks, 0);
	free(data);
}

static void cut_at_every_byte(void **state)
{
	struct kt_read_status st;
	unsigned char *data;
	size_t len, before = 0;

	(void)state;
	write_file(20, true);
	data = slurp(&len);
	for (size_t cut = 0; cut < len; cut++) {
		size_t events = read_back(data, cut, &st);

		/* Never fewer than a shorter file gave: whole blocks stay readable. */
		assert_true(events >= before && events <= 20);
		assert_false(st.closed_well);
		before = events;
	}
	assert_int_equal(before, 20);
	free(data);
}

static void damage_at_every_byte(void **state)
{
	struct kt_read_status st;
	unsigned char *data;
	size_t len;

	(void)state;
	write_file(20, true);
	data = slurp(&len);
	for (size_t i = 0; i < len; i++) {
		size_t events;

		data[i] ^= 0x20;
		events = read_back(data, len, &st);
		/* One flipped bit costs at most one block, and is noticed. */
		if (i >= sizeof(struct kt_disk_file)) {
			assert_true(events >= 19);
			assert_true(st.bad_blocks || st.bad_bytes || !st.closed_well ||
				    i >= len - sizeof(struct kt_disk_footer));
		}
		data[i] ^= 0x20;
	}
	free(data);
}

static void killed_file_says_cut(void **state)
{
	struct kt_read_status st;
	unsigned char *data;
	size_t len;

	(void)state;
	write_file(8, false);
	data = slurp(&len);
	assert_int_equal(read_back(data, len, &st), 8);
	assert_false(st.closed_well);
	assert_true(st.cut);
	free(data);
}

static void older_file_is_kept(void **state)
{
	(void)state;
	write_file(1, true);
	assert_int_equal(rename(PATH, PATH ".x"), 0);
	write_file(2, true);
	assert_int_equal(rename(PATH ".x", PATH), 0);
	unlink(PATH ".old");
	/* The file exists: the next writer moves it aside. */
	{
		struct kt_store_writer *w;
		struct kt_facts *facts;

		assert_int_equal(kt_facts_new(&facts), 0);
		assert_int_equal(kt_writer_create(PATH, facts, NULL, &w), 0);
		kt_writer_abandon(w);
		kt_facts_free(facts);
	}
	assert_int_equal(access(PATH ".old", F_OK), 0);
	unlink(PATH);
	unlink(PATH ".old");
}

static void full_disk(void **state)
{
	struct rlimit old, small = { 4096, RLIM_INFINITY };
	struct kt_event ev[64];
	struct kt_store_writer *w;
	struct kt_read_status st;
	struct kt_facts *facts;
	unsigned char *data;
	size_t len, written = 0;
	int err = 0;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	unlink(PATH);
	for (size_t i = 0; i < 64; i++)
		ev[i] = make_event(i);
	assert_int_equal(kt_facts_new(&facts), 0);
	assert_int_equal(kt_writer_create(PATH, facts, NULL, &w), 0);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	while (!err && written < 10000) {
		err = kt_writer_events(w, 0, ev, 64);
		written += err ? 0 : 64;
	}
	assert_int_equal(err, -EFBIG);	/* what the kernel says of RLIMIT_FSIZE */
	assert_int_equal(kt_writer_events(w, 0, ev, 64), err);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_not_equal(kt_writer_close(w, NULL), 0);
	kt_facts_free(facts);
	data = slurp(&len);
	assert_int_equal(read_back(data, len, &st), written);
	assert_int_equal(st.bad_blocks, 0);
	free(data);
}

static void foreign_files(void **state)
{
	static const char *const foreign[] = { "", "PERFILE2xxxxxxxxxxxx", "\x17\x08\x44tracing6.....",
					       "{\"a\":1}", "short", "KVMTIMER", "random text, long enough" };
	struct kt_read_status st;

	(void)state;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		assert_int_equal(read_back((const void *)foreign[i], strlen(foreign[i]), &st), 0);
}

static void known_crc(void **state)
{
	unsigned char zeros[32] = { 0 }, ones[32];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	/* RFC 3720, B.4 */
	assert_int_equal(kt_crc32c(0, zeros, 32), 0x8a9136aa);
	assert_int_equal(kt_crc32c(0, ones, 32), 0x62a8ab43);
	assert_int_equal(kt_crc32c(kt_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

/* Bytes between blocks that look like the beginning of one, and do not. */
static void rubbish_between_blocks(void **state)
{
	static const char *const rubbish[] = { "x", "K", "KT", "KTBK", "KTFOOTER", "TBKTBK" };
	unsigned char *data, *with;
	struct kt_read_status status;
	size_t len, at = sizeof(struct kt_disk_file), block, events;

	(void)state;
	write_file(10, true);
	data = slurp(&len);
	block = sizeof(struct kt_disk_block) + ((const struct kt_disk_block *)(data + at))->length;
	events = read_back(data, len, &status);
	with = malloc(len + 5000);
	assert_non_null(with);
	for (size_t k = 0; k < sizeof(rubbish) / sizeof(rubbish[0]); k++) {
		for (size_t n = 1; n < 4000; n = n * 3 + 1) {
			memcpy(with, data, at + block);
			for (size_t i = 0; i < n; i++)
				with[at + block + i] = rubbish[k][i % strlen(rubbish[k])];
			memcpy(with + at + block + n, data + at + block, len - at - block);
			assert_int_equal(read_back(with, len + n, &status), events);
			assert_int_equal(status.bad_bytes, n);
			assert_int_equal(status.bad_blocks, 1);
			assert_false(status.cut);
		}
	}
	free(with);
	free(data);
}

/* The index as docs/format.md has it: one entry a block, thinned when there are too many. */
static void check_index(size_t nr_events)
{
	const struct kt_disk_footer *foot;
	const struct kt_disk_block *b;
	const struct kt_disk_index *ix;
	unsigned char *data;
	size_t len, n;

	write_file(nr_events, true);
	data = slurp(&len);
	foot = (const void *)(data + len - sizeof(*foot));
	assert_memory_equal(foot->magic, KT_FOOTER_MAGIC, 8);
	b = (const void *)(data + foot->index_offset);
	assert_int_equal(b->type, KT_BLOCK_INDEX);
	ix = (const void *)(b + 1);
	n = b->length / sizeof(*ix);
	/* Facts, identities, events, loss, mark, facts again; not the index itself. */
	assert_int_equal(foot->blocks, nr_events + 5);
	assert_true(n <= nr_events + 5 && n >= (nr_events + 5) / 2);
	for (size_t i = 0; i < n; i++) {
		const struct kt_disk_block *at = (const void *)(data + ix[i].offset);

		assert_int_equal(at->magic, KT_BLOCK_MAGIC);
		assert_int_equal(at->type, ix[i].type);
		assert_int_equal(at->first_ns, ix[i].first_ns);
		assert_true(!i || ix[i].offset > ix[i - 1].offset);
	}
	free(data);
}

static void index_of_few_and_many_blocks(void **state)
{
	(void)state;
	check_index(1);
	check_index(58);	/* 63 and 64 entries: where its memory grows */
	check_index(59);
	check_index(60);
	check_index(9000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_crc), cmocka_unit_test(round_trip),
		cmocka_unit_test(cut_at_every_byte), cmocka_unit_test(damage_at_every_byte),
		cmocka_unit_test(killed_file_says_cut), cmocka_unit_test(older_file_is_kept),
		cmocka_unit_test(full_disk), cmocka_unit_test(foreign_files),
		cmocka_unit_test(rubbish_between_blocks), cmocka_unit_test(index_of_few_and_many_blocks),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
