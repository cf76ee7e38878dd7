/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a capture's passes to files: who is remembered, and what happens when a file is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "log.h"
#include "recorder.h"

#define PATH "kt-test-recorder.data"

/* ---- a capture that gives what the test put here ---- */

struct canned {
	struct kt_capture base;
	struct kt_ident *idents;
	size_t nr_idents;
	struct kt_event *events;
	size_t nr_events;
	unsigned int new_files;
	uint64_t watermark_ns;		/* 0: the last event's time, which is then not covered */
};

int kt_capture_drain(struct kt_capture *base, uint64_t now_ns, const struct kt_capture_sink *sink)
{
	struct canned *c = (struct canned *)base;
	int err = c->nr_idents ? sink->idents(sink->rings.arg, c->idents, c->nr_idents) : 0;

	(void)now_ns;
	if (!err && c->nr_events)
		err = sink->rings.events(sink->rings.arg, 0, c->events, c->nr_events);
	return err;
}

uint64_t kt_capture_watermark_ns(const struct kt_capture *base)
{
	const struct canned *c = (const struct canned *)base;

	if (c->watermark_ns)
		return c->watermark_ns;
	return c->nr_events ? c->events[c->nr_events - 1].ts_ns : 0;
}

void kt_capture_new_file(struct kt_capture *base)
{
	((struct canned *)base)->new_files++;
}

/* ---- helpers ---- */

static char said[512];

static void listen(void *arg, enum kt_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	strncpy(said, text, sizeof(said) - 1);
}

static struct kt_recorder *recorder(uint64_t max_bytes, bool rotate, const struct kt_facts *facts)
{
	struct kt_recorder_opts ro = { .path = PATH, .max_bytes = max_bytes, .rotate = rotate };
	struct kt_recorder *r = NULL;

	said[0] = '\0';
	kt_log_set_sink(listen, NULL);
	unlink(PATH);
	if (kt_recorder_new(&ro, facts, &r))
		return NULL;
	return r;
}

static struct kt_ident *make_idents(size_t n)
{
	struct kt_ident *id = calloc(n, sizeof(*id));

	assert_non_null(id);
	for (size_t i = 0; i < n; i++)
		id[i] = (struct kt_ident){ .who = i + 1, .kvm = 0xffff000000000000ull + ((i / 2) << 13),
					   .vm_gen = 1, .tgid = getpid(), .tid = i + 1, .vcpu_id = i % 2 };
	return id;
}

static struct kt_event *make_events(size_t n, uint64_t from_ns)
{
	struct kt_event *ev = calloc(n, sizeof(*ev));

	assert_non_null(ev);
	for (size_t i = 0; i < n; i++)
		ev[i] = (struct kt_event){ .ts_ns = from_ns + i, .who = 1, .kind = KT_EV_ENTRY,
					   .sub = KT_SUB(KT_TIMER_NONE, 0) };
	return ev;
}

struct counts {
	size_t idents, names, events;
	uint32_t last_tid;
	char reason[16], whole[16];		/* stop.* */
	uint64_t stop_events, whole_from_ns, newest_ns;
};

static void read_facts(const struct kt_facts *f, struct counts *c)
{
	const char *reason = kt_facts_get(f, "stop.reason"), *whole = kt_facts_get(f, "stop.whole");
	const char *events = kt_facts_get(f, "stop.events"), *from = kt_facts_get(f, "file.whole_from_ns");

	snprintf(c->reason, sizeof(c->reason), "%s", reason ? reason : "");
	snprintf(c->whole, sizeof(c->whole), "%s", whole ? whole : "");
	c->stop_events = events ? strtoull(events, NULL, 10) : 0;
	c->whole_from_ns = from ? strtoull(from, NULL, 10) : 0;
}

static struct counts read_back(const char *path)
{
	struct counts c = { 0 };
	struct kt_store_reader *r;
	struct kt_block b;

	assert_int_equal(kt_reader_open(path, &r), 0);
	while (kt_reader_next(r, &b) > 0) {
		c.idents += b.type == KT_BLOCK_IDENT ? b.n : 0;
		c.names += b.type == KT_BLOCK_NAME;
		c.events += b.type == KT_BLOCK_EVENTS ? b.n : 0;
		if (b.type == KT_BLOCK_EVENTS && b.last_ns > c.newest_ns)
			c.newest_ns = b.last_ns;
		if (b.type == KT_BLOCK_FACTS)
			read_facts(b.facts, &c);
		if (b.type == KT_BLOCK_IDENT && b.idents[0].who == 1)
			c.last_tid = b.idents[0].tid;
		kt_reader_release(r, &b);
	}
	assert_true(kt_reader_status(r)->closed_well);
	kt_reader_close(r);
	return c;
}

/* ---- the tests ---- */

static void each_vm_is_named_once(void **state)
{
	struct canned c = { .nr_idents = 5000 };
	struct kt_recorder *r;
	struct counts got;

	(void)state;
	c.idents = make_idents(c.nr_idents);
	r = recorder(0, false, NULL);
	assert_non_null(r);
	for (int pass = 0; pass < 3; pass++)
		assert_int_equal(kt_recorder_pass(r, &c.base), 0);
	assert_int_equal(kt_recorder_vms(r), 2500);
	assert_int_equal(kt_recorder_close(r, NULL), 0);
	got = read_back(PATH);
	assert_int_equal(got.names, 2500);
	assert_int_equal(got.idents, 3 * 5000);
	free(c.idents);
}

static void a_new_file_knows_everybody_as_last_seen(void **state)
{
	struct canned c = { .nr_idents = 100, .nr_events = 2048 };
	struct kt_recorder *r;
	struct counts got;

	(void)state;
	c.idents = make_idents(c.nr_idents);
	c.events = make_events(c.nr_events, 1000);
	r = recorder(200000, true, NULL);
	assert_non_null(r);
	assert_int_equal(kt_recorder_pass(r, &c.base), 0);
	c.idents[0].tid = 4711;
	assert_int_equal(kt_recorder_pass(r, &c.base), 0);
	c.nr_idents = 0;
	while (!c.new_files)
		assert_int_equal(kt_recorder_pass(r, &c.base), 0);
	assert_int_equal(kt_recorder_close(r, NULL), 0);
	got = read_back(PATH);
	assert_int_equal(got.idents, 100);
	assert_int_equal(got.names, 50);
	assert_int_equal(got.last_tid, 4711);
	assert_true(got.events > 0);
	unlink(PATH ".old");
	free(c.events);
	free(c.idents);
}

static int close_with(struct kt_recorder *r, const char *reason)
{
	struct kt_facts *stop;
	int err;

	assert_int_equal(kt_facts_new(&stop), 0);
	assert_int_equal(kt_facts_set(stop, "stop.reason", reason), 0);
	err = kt_recorder_close(r, stop);
	kt_facts_free(stop);
	return err;
}

/* A pass that fills a file ends one stream before another; what is older than its newest event may be in either. */
static void both_sides_of_a_rotation_say_where_they_are_not_whole(void **state)
{
	struct canned c = { .nr_events = 2048 };
	struct kt_recorder_counts counts;
	struct kt_recorder *r = recorder(200000, true, NULL);
	struct counts old, new;

	(void)state;
	assert_non_null(r);
	for (unsigned int pass = 0; !c.new_files; pass++) {
		free(c.events);
		c.events = make_events(c.nr_events, 1000 + 10000 * pass);
		assert_int_equal(kt_recorder_pass(r, &c.base), 0);
	}
	kt_recorder_counts(r, &counts);
	c.watermark_ns = UINT64_MAX;
	c.nr_events = 0;
	assert_int_equal(kt_recorder_pass(r, &c.base), 0);
	assert_int_equal(close_with(r, "signal"), 0);
	old = read_back(PATH ".old");
	new = read_back(PATH);
	assert_string_equal(old.reason, "rotated");
	assert_string_equal(old.whole, "no");
	assert_int_equal(old.whole_from_ns, 0);
	assert_string_equal(new.reason, "signal");
	assert_string_equal(new.whole, "yes");
	assert_int_equal(new.whole_from_ns, old.newest_ns + 1);
	assert_int_equal(old.stop_events, old.events);
	assert_int_equal(new.stop_events, new.events);
	assert_int_equal(counts.all_events, old.events + new.events);
	unlink(PATH ".old");
	free(c.events);
}

static void a_file_without_its_last_pass_is_not_whole(void **state)
{
	struct canned c = { .nr_events = 16 };
	struct kt_recorder *r = recorder(0, false, NULL);

	(void)state;
	assert_non_null(r);
	c.events = make_events(c.nr_events, 1000);
	assert_int_equal(kt_recorder_pass(r, &c.base), 0);
	assert_int_equal(close_with(r, "signal"), 0);
	assert_string_equal(read_back(PATH).whole, "no");
	free(c.events);
}

static void a_full_file_is_a_good_end(void **state)
{
	struct canned c = { .nr_idents = 5000 };
	struct kt_recorder *r = recorder(200000, false, NULL);

	(void)state;
	c.idents = make_idents(c.nr_idents);
	assert_non_null(r);
	assert_int_equal(kt_recorder_pass(r, &c.base), -EFBIG);
	assert_int_equal(kt_recorder_close(r, NULL), 0);
	read_back(PATH);
	free(c.idents);
}

static void a_file_too_small_for_its_head_is_none(void **state)
{
	struct canned c = { .nr_idents = 5000 };
	struct kt_recorder *r;

	(void)state;
	assert_null(recorder(50, false, NULL));
	assert_non_null(strstr(said, "--max-size leaves no room"));

	/* Rotated, the next file would begin with more than fits: said, not taken for a full file. */
	c.idents = make_idents(c.nr_idents);
	r = recorder(200000, true, NULL);
	assert_non_null(r);
	assert_int_equal(kt_recorder_pass(r, &c.base), -E2BIG);
	assert_non_null(strstr(said, "--max-size leaves no room"));
	kt_recorder_close(r, NULL);
	unlink(PATH ".old");
	free(c.idents);
}

/* A VMM is its command line: the shell takes words after its command and lets them be. */
static void name_of(const char *option, char *out, size_t size)
{
	struct kt_vm_name name = { 0 };
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		dup2(ready[1], 1);
		execl("/bin/sh", "sh", "-c", "echo; kill -STOP $$", "-name", option, NULL);
		_exit(127);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	kt_host_vm_name(pid, &name);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	strncpy(out, name.name, size);
}

static void the_vm_is_called_what_qemu_was_told(void **state)
{
	static const struct { const char *option, *name; } cases[] = {
		{ "plain", "plain" },
		{ "plain,debug-threads=on", "plain" },
		{ "guest=web,debug-threads=on", "web" },
		{ "debug-threads=on,guest=web", "web" },
		{ "process=p,guest=web,debug-threads=on", "web" },
	};
	char got[104];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		name_of(cases[i].option, got, sizeof(got));
		assert_string_equal(got, cases[i].name);
	}
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(PATH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_vm_is_named_once),
		cmocka_unit_test(a_new_file_knows_everybody_as_last_seen),
		cmocka_unit_test(both_sides_of_a_rotation_say_where_they_are_not_whole),
		cmocka_unit_test(a_file_without_its_last_pass_is_not_whole),
		cmocka_unit_test(a_full_file_is_a_good_end),
		cmocka_unit_test(a_file_too_small_for_its_head_is_none),
		cmocka_unit_test(the_vm_is_called_what_qemu_was_told),
	};

	return cmocka_run_group_tests_name("recorder", tests, NULL, remove_file);
}
