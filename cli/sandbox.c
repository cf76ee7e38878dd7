/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE	/* pipe2, setresuid, F_SETPIPE_SZ */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define NOBODY 65534
#define IDLE_MS 1000		/* how often a silent child is looked at */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0
#endif

/* Sanitizers reserve terabytes of address space, and look into /proc when they report. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* ---- in the child ---- */

/* What computing on an open file needs.  No open, no socket, no exec, no signal to others. */
static const int allowed[] = {
	SYS_read, SYS_pread64, SYS_readv, SYS_write, SYS_writev, SYS_lseek, SYS_fstat, SYS_close,
	SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_futex, SYS_getrandom,
	SYS_clock_gettime, SYS_gettimeofday, SYS_exit, SYS_exit_group, SYS_rt_sigreturn,
	SYS_rt_sigprocmask, SYS_getpid, SYS_gettid, SYS_sched_yield,
	/* dup and fcntl(F_GETFL): libtracecmd keeps its own descriptor of the file */
	SYS_dup, SYS_fcntl,
	/* abort() */
	SYS_tgkill,
#ifdef __SANITIZE_ADDRESS__
	SYS_sigaltstack,
#endif
};

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
#define IF_EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)

#define NR_ALLOWED (sizeof(allowed) / sizeof(allowed[0]))

/*
 * Anything else fails with EPERM rather than kills: the C library asks for things
 * it can do without (a locale, the number of CPUs).
 */
static int filter_calls(void)
{
	struct sock_filter filter[16 + 2 * NR_ALLOWED];
	struct sock_fprog prog = { .filter = filter };
	unsigned short n = 0;

	filter[n++] = (struct sock_filter)LOAD(arch);
	filter[n++] = (struct sock_filter)IF_EQUAL(ARCH, 1, 0);
	filter[n++] = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
	filter[n++] = (struct sock_filter)LOAD(nr);
	for (size_t i = 0; i < NR_ALLOWED; i++) {
		filter[n++] = (struct sock_filter)IF_EQUAL((unsigned int)allowed[i], 0, 1);
		filter[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	}
	/* Memory, but none that code could be put into. */
	filter[n++] = (struct sock_filter)IF_EQUAL(SYS_mmap, 1, 0);
	filter[n++] = (struct sock_filter)IF_EQUAL(SYS_mprotect, 0, 3);
	filter[n++] = (struct sock_filter)LOAD(args[2]);
	filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0);
	filter[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	filter[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM);
	prog.len = n;
	if (!ARCH)
		return -ENOTSUP;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		return -errno;
	return 0;
}

static int limit(int resource, uint64_t value)
{
	struct rlimit now, r = { value, value };

	if (getrlimit(resource, &now))
		return -errno;
	if (now.rlim_max < value)
		r.rlim_cur = r.rlim_max = now.rlim_max;
	return setrlimit(resource, &r) ? -errno : 0;
}

/* Address space in use now, from /proc/self/statm. */
static uint64_t address_space(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f) {
		if (fscanf(f, "%lu", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int drop_privileges(void)
{
	if (geteuid())
		return 0;
	/* In a user namespace there may be no such id: the filter holds without it. */
	(void)!setgroups(0, NULL);
	(void)!setresgid(NOBODY, NOBODY, NOBODY);
	(void)!setresuid(NOBODY, NOBODY, NOBODY);
	return 0;
}

/* Fds 0 to 2 are /dev/null, 3 the file, 4 the pipe; nothing else is open. */
static int place_files(int in_fd, int out_fd)
{
	int opened = open("/dev/null", O_RDWR), null = fcntl(opened, F_DUPFD, 16);
	int in = fcntl(in_fd, F_DUPFD, 16), out = fcntl(out_fd, F_DUPFD, 16);

	/* All out of the way first: the parent may have been started with any of 0 to 4 closed. */
	if (null < 0 || in < 0 || out < 0 || dup2(in, 3) < 0 || dup2(out, 4) < 0)
		return -errno;
	for (int fd = 0; fd < 3; fd++)
		if (!(SANITIZED && fd == 2) && dup2(null, fd) < 0)
			return -errno;
	return syscall(SYS_close_range, 5, ~0u, 0) ? -errno : 0;
}

static void close_all_from(int first)
{
	int max = (int)sysconf(_SC_OPEN_MAX);

	for (int fd = first; fd < max && fd < 65536; fd++)
		close(fd);
}

__attribute__((noreturn))
static void child(const struct kt_sandbox_opts *opts, int out_fd, pid_t parent)
{
	int err = place_files(opts->in_fd, out_fd);

	if (err == -ENOSYS) {
		close_all_from(5);
		err = 0;
	}
	for (int signal_nr = 1; signal_nr < NSIG; signal_nr++)
		signal(signal_nr, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	prctl(PR_SET_DUMPABLE, 0);
	if (!err && !SANITIZED)
		err = limit(RLIMIT_AS, address_space() + opts->memory_bytes);
	if (!err)
		err = limit(RLIMIT_CPU, opts->cpu_s);
	if (!err)
		err = limit(RLIMIT_CORE, 0);
	if (!err)
		err = limit(RLIMIT_FSIZE, 0);
	if (!err)
		err = drop_privileges();
	if (!err)
		err = filter_calls();
	if (err)
		_exit(2);
	opts->run(3, 4, opts->arg);
	_exit(0);
}

/* ---- in the parent ---- */

int kt_sandbox_start(const struct kt_sandbox_opts *opts, struct kt_sandbox *s)
{
	pid_t parent = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return kt_err(-errno, "cannot make a pipe: %s", strerror(errno));
	(void)fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
	/* What is buffered is printed once, by the parent. */
	fflush(NULL);
	s->pid = fork();
	if (s->pid < 0) {
		int err = -errno;

		close(fds[0]);
		close(fds[1]);
		return kt_err(err, "cannot start a process: %s", strerror(-err));
	}
	if (!s->pid)
		child(opts, fds[1], parent);
	close(fds[1]);
	s->fd = fds[0];
	s->cpu_s = opts->cpu_s;
	s->idle_s = opts->idle_s;
	s->at_end = false;
	return 0;
}

static uint64_t cpu_time_ns(pid_t pid)
{
	struct timespec ts = { 0 };
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

ssize_t kt_sandbox_read(struct kt_sandbox *s, void *buf, size_t size)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	uint64_t used_ns = cpu_time_ns(s->pid), now_ns;
	unsigned int idle = 0;
	ssize_t got;

	while (poll(&p, 1, IDLE_MS) == 0) {
		now_ns = cpu_time_ns(s->pid);
		idle = now_ns > used_ns ? 0 : idle + 1;
		used_ns = now_ns;
		if (idle * IDLE_MS >= s->idle_s * 1000) {
			return -ETIME;
		}
	}
	do {
		got = read(s->fd, buf, size);
	} while (got < 0 && errno == EINTR);
	s->at_end = got == 0;
	return got < 0 ? -errno : got;
}

/* At its end it has some seconds to be gone; before it, none. */
static pid_t reap(const struct kt_sandbox *s, int *status)
{
	const struct timespec tick = { .tv_nsec = 1000000 };
	pid_t got = 0;

	for (int i = 0; s->at_end && !got && i < 5000; i++) {
		got = waitpid(s->pid, status, WNOHANG);
		if (!got)
			nanosleep(&tick, NULL);
	}
	if (got)
		return got;
	kill(s->pid, SIGKILL);
	do {
		got = waitpid(s->pid, status, 0);
	} while (got < 0 && errno == EINTR);
	return got;
}

const char *kt_sandbox_end(struct kt_sandbox *s, char *why, size_t size)
{
	int status = 0;

	close(s->fd);
	if (reap(s, &status) < 0) {
		snprintf(why, size, "got lost");
		return why;
	}
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return NULL;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		snprintf(why, size, "could not be locked in (seccomp is missing?)");
	else if (WIFEXITED(status))
		snprintf(why, size, "gave up (status %d)", WEXITSTATUS(status));
	else if (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL)
		snprintf(why, size, "took more than %u s of CPU time, or never came to an end", s->cpu_s);
	else
		snprintf(why, size, "crashed (%s)", strsignal(WTERMSIG(status)));
	return why;
}
