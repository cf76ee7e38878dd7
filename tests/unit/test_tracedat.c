/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The child that reads trace.dat files, played by others: what a taken-over one may do, and how it ends. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "log.h"
#include "tracedat.h"

static char said[1024];

static void hear(void *arg, enum kt_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	snprintf(said, sizeof(said), "%s", text);
}

/* ---- children ---- */

static void put(int fd, const void *buf, size_t n)
{
	if (write(fd, buf, n) != (ssize_t)n)
		_exit(1);
}

static void put_hello(int fd)
{
	uint64_t buf[KT_TRACEDAT_MSG_MAX / 8];

	put(fd, buf, kt_tracedat_hello(buf));
}

static void put_number(int fd, const char *key, unsigned int n)
{
	uint64_t buf[KT_TRACEDAT_MSG_MAX / 8];
	char number[16];

	snprintf(number, sizeof(number), "%u", n);
	put(fd, buf, kt_tracedat_fact(buf, key, number));
}

static void put_done(int fd)
{
	uint64_t buf[KT_TRACEDAT_MSG_MAX / 8];

	put(fd, buf, kt_tracedat_done(buf, 7, 0));
}

static void well_behaved(int in, int out, void *arg)
{
	struct kt_ftrace_rec r = { .id = KT_FT_ENTRY, .tid = 5, .cpu = 3, .ts_ns = 77, .has = 1, .v = { 9 },
				   .comm = "CPU 0/KVM", .comm_len = 9 };
	uint64_t buf[KT_TRACEDAT_MSG_MAX / 8];

	(void)in;
	(void)arg;
	put_hello(out);
	put(out, buf, kt_tracedat_rec(buf, &r));
	put(out, buf, kt_tracedat_lost(buf, 3, 12));
	put_done(out);
}

static void crashes(int in, int out, void *arg)
{
	(void)in;
	(void)arg;
	put_hello(out);
	raise(SIGSEGV);
}

static void loops(int in, int out, void *arg)
{
	(void)in;
	(void)out;
	(void)arg;
	for (volatile unsigned int i = 0;; i++)
		;
}

static void waits(int in, int out, void *arg)
{
	int word = 0;

	(void)in;
	(void)out;
	(void)arg;
	for (;;)
		syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void grows(int in, int out, void *arg)
{
	unsigned int n = 0;

	(void)in;
	(void)arg;
	put_hello(out);
	for (; n < 4096; n++) {
		void *p = malloc(1 << 20);

		if (!p)
			break;
		memset(p, 1, 1 << 20);
	}
	put_number(out, "mib", n);
	put_done(out);
}

/* Each of these must fail. */
static void tries(int in, int out, void *arg)
{
	char path[] = "/bin/true", *const args[] = { path, NULL };
	unsigned int n = 0;

	(void)in;
	(void)arg;
	put_hello(out);
	n += open("/etc/passwd", O_RDONLY) >= 0;
	n += open("/tmp/kt-was-here", O_CREAT | O_WRONLY, 0600) >= 0;
	n += openat(3, ".", O_RDONLY) >= 0;
	n += socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
	n += memfd_create("x", 0) >= 0;
	n += kill(getppid(), 0) == 0;
	n += unlink("/tmp/x") == 0 || errno != EPERM;
	n += mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
	n += syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0;
	n += execve(args[0], args, NULL) == 0;
	n += write(in, "x", 1) == 1;
	/* Nothing of the parent is open. */
	for (int fd = 5; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	put_number(out, "succeeded", n);
	put_done(out);
}

/* Without a word that the parent could hear: what is printed goes nowhere. */
static void prints(int in, int out, void *arg)
{
	(void)in;
	(void)arg;
	put_hello(out);
	put_number(out, "heard", write(1, "a complaint of a library", 24) != 24);
	put_done(out);
}

static void talks_rubbish(int in, int out, void *arg)
{
	char rubbish[4096];

	(void)in;
	(void)arg;
	memset(rubbish, 0xee, sizeof(rubbish));
	put_hello(out);
	put(out, rubbish, sizeof(rubbish));
}

static void stops_half_way(int in, int out, void *arg)
{
	uint64_t buf[KT_TRACEDAT_MSG_MAX / 8];
	size_t n = kt_tracedat_fact(buf, "a.fact", "that is cut");

	(void)in;
	(void)arg;
	put_hello(out);
	put(out, buf, n - 8);
}

static void does_not_greet(int in, int out, void *arg)
{
	(void)in;
	(void)arg;
	put_done(out);
}

static void goes_on_after_the_end(int in, int out, void *arg)
{
	(void)in;
	(void)arg;
	put_hello(out);
	put_done(out);
	put_done(out);
}

static void refuses(int in, int out, void *arg)
{
	uint64_t buf[KT_TRACEDAT_MSG_MAX / 8];

	(void)in;
	(void)arg;
	put_hello(out);
	put(out, buf, kt_tracedat_fail(buf, "it is about something else"));
}

/* ---- the parent ---- */

static struct kt_tracedat *start(void (*run)(int, int, void *))
{
	struct kt_sandbox_opts opts = { .run = run, .memory_bytes = 64 << 20, .cpu_s = 1, .idle_s = 2 };
	struct kt_tracedat *t;

	opts.in_fd = open("/dev/null", O_RDONLY);
	assert_true(opts.in_fd >= 0);
	said[0] = '\0';
	assert_int_equal(kt_tracedat_open_with(&opts, "x.dat", &t), 0);
	close(opts.in_fd);
	return t;
}

/* The run ends with an error about which something is said. */
static void refused(void (*run)(int, int, void *), const char *words)
{
	struct kt_tracedat *t = start(run);
	struct kt_tracedat_msg m;
	int got;

	while ((got = kt_tracedat_next(t, &m)) > 0)
		;
	assert_int_equal(got, -EBADMSG);
	if (!strstr(said, words))
		fail_msg("\"%s\" does not say \"%s\"", said, words);
	assert_non_null(strstr(said, "x.dat"));
	kt_tracedat_close(t);
}

static void a_good_child_is_heard(void **state)
{
	struct kt_tracedat *t = start(well_behaved);
	struct kt_tracedat_msg m;

	(void)state;
	assert_int_equal(kt_tracedat_next(t, &m), 1);
	assert_int_equal(m.type, KT_TD_REC);
	assert_int_equal(m.rec.ts_ns, 77);
	assert_int_equal(m.rec.v[0], 9);
	assert_memory_equal(m.rec.comm, "CPU 0/KVM", 9);
	assert_int_equal(kt_tracedat_next(t, &m), 1);
	assert_int_equal(m.type, KT_TD_LOST);
	assert_int_equal(m.lost.n, 12);
	assert_int_equal(kt_tracedat_next(t, &m), 1);
	assert_int_equal(m.type, KT_TD_DONE);
	assert_int_equal(m.done.others, 7);
	assert_int_equal(kt_tracedat_next(t, &m), 0);
	assert_int_equal(kt_tracedat_next(t, &m), 0);
	kt_tracedat_close(t);
}

static void one_that_crashes(void **state)
{
	(void)state;
	refused(crashes, "crashed (");
}

static void one_that_loops(void **state)
{
	(void)state;
	refused(loops, "CPU time");
}

static void one_that_waits(void **state)
{
	(void)state;
	refused(waits, "never comes");
}

static unsigned int number_of(void (*run)(int, int, void *), const char *key)
{
	struct kt_tracedat *t = start(run);
	struct kt_tracedat_msg m;
	unsigned int n = 0;
	bool found = false;
	int got;

	while ((got = kt_tracedat_next(t, &m)) > 0) {
		if (m.type != KT_TD_FACT || strcmp(m.fact.key, key))
			continue;
		n = (unsigned int)atoi(m.fact.value);
		found = true;
	}
	assert_int_equal(got, 0);
	assert_true(found);
	kt_tracedat_close(t);
	return n;
}

static void one_that_grows(void **state)
{
	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip();	/* sanitizers need the whole address space */
#endif
	assert_in_range(number_of(grows, "mib"), 16, 64);
}

static void one_that_tries_to_get_out(void **state)
{
	(void)state;
	assert_int_equal(number_of(tries, "succeeded"), 0);
	assert_int_not_equal(access("/tmp/kt-was-here", F_OK), 0);
}

/* Started with standard input and output closed, as daemons do: /dev/null opens among the child's own. */
static void a_parent_without_standard_files(void **state)
{
	int kept[5] = { -1, -1, -1, -1, -1 };
	unsigned int heard;

	(void)state;
	fflush(stdout);
	/* The file becomes 0, the pipe 1 and 3, /dev/null 4. */
	for (int fd = 0; fd < 5; fd++) {
		kept[fd] = fcntl(fd, F_DUPFD, 20);
		if (fd != 2)
			close(fd);
	}
	heard = number_of(prints, "heard");
	for (int fd = 0; fd < 5; fd++) {
		if (kept[fd] >= 0)
			dup2(kept[fd], fd);
		close(kept[fd]);
	}
	assert_int_equal(heard, 0);
}

static void ones_that_break_the_protocol(void **state)
{
	(void)state;
	refused(talks_rubbish, "no message");
	refused(stops_half_way, "ended before its time");
	refused(does_not_greet, "out of order");
	refused(goes_on_after_the_end, "after its end");
}

static void one_that_refuses(void **state)
{
	(void)state;
	refused(refuses, "it is about something else");
}

/* The parent may stop in the middle: no process stays behind. */
static void a_parent_that_leaves(void **state)
{
	struct kt_tracedat *t = start(loops);

	(void)state;
	kt_tracedat_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_child_is_heard),
		cmocka_unit_test(one_that_crashes),
		cmocka_unit_test(one_that_loops),
		cmocka_unit_test(one_that_waits),
		cmocka_unit_test(one_that_grows),
		cmocka_unit_test(one_that_tries_to_get_out),
		cmocka_unit_test(a_parent_without_standard_files),
		cmocka_unit_test(ones_that_break_the_protocol),
		cmocka_unit_test(one_that_refuses),
		cmocka_unit_test(a_parent_that_leaves),
	};

	kt_log_set_sink(hear, NULL);
	return cmocka_run_group_tests_name("tracedat", tests, NULL, NULL);
}
