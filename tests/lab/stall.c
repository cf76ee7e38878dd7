/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs inside a lab host: for how long did the machine below it stand still?
 *
 *	stall FILE
 *
 * One thread on each CPU, ahead of everything else there, sleeps for a short period
 * again and again.  What the raw clock says beyond the period is time in which this
 * CPU did not run; the longest such gap stands in FILE at any time, so it is there
 * even if the host never ends:
 *
 *	longest_us=5210 cpu=1 at_s=12.345678901 period_ms=50
 *
 * A gap is seen from the end of the sleep that it cuts, so it may be up to one period
 * longer than what is told.  A shorter period would preempt the vCPUs more often, and
 * change what is recorded.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC	1000000000ull
#define PERIOD_NS	50000000ull

static const char *path;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t longest_ns;

static uint64_t raw_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* Whole at any time: a reader may come while the host still runs. */
static int tell(long cpu, uint64_t at_ns)
{
	char new[4096];
	FILE *f;

	snprintf(new, sizeof(new), "%s.new", path);
	f = fopen(new, "w");
	if (!f)
		return -errno;
	fprintf(f, "longest_us=%" PRIu64 " cpu=%ld at_s=%" PRIu64 ".%09" PRIu64 " period_ms=%d\n",
		longest_ns / 1000, cpu, at_ns / (uint64_t)NSEC_PER_SEC,
		at_ns % (uint64_t)NSEC_PER_SEC, (int)(PERIOD_NS / 1000000));
	if (fclose(f) || rename(new, path))
		return -errno;
	return 0;
}

static void note(long cpu, uint64_t gap_ns, uint64_t at_ns)
{
	pthread_mutex_lock(&lock);
	if (gap_ns > longest_ns) {
		longest_ns = gap_ns;
		if (tell(cpu, at_ns))
			fprintf(stderr, "stall: %s: %s\n", path, strerror(errno));
	}
	pthread_mutex_unlock(&lock);
}

static void *watch(void *arg)
{
	const struct timespec period = { .tv_nsec = PERIOD_NS };
	const struct sched_param first = { .sched_priority = 1 };
	long cpu = (intptr_t)arg;
	uint64_t before_ns, now_ns;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) || sched_setscheduler(0, SCHED_FIFO, &first)) {
		fprintf(stderr, "stall: CPU %ld: %s\n", cpu, strerror(errno));
		exit(1);
	}
	for (;;) {
		before_ns = raw_ns();
		clock_nanosleep(CLOCK_MONOTONIC, 0, &period, NULL);
		now_ns = raw_ns();
		if (now_ns - before_ns > PERIOD_NS)
			note(cpu, now_ns - before_ns - PERIOD_NS, before_ns);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread;
	int err;

	if (argc != 2) {
		fprintf(stderr, "usage: stall FILE\n");
		return 129;
	}
	path = argv[1];
	for (long cpu = 1; cpu < nr_cpus; cpu++) {
		err = pthread_create(&thread, NULL, watch, (void *)(intptr_t)cpu);
		if (err) {
			fprintf(stderr, "stall: %s\n", strerror(err));
			return 1;
		}
	}
	watch(0);
	return 0;
}
