/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* Whole small file as a string; bytes read or -errno. */
static ssize_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	while (n + 1 < size && (got = read(fd, buf + n, size - 1 - n)) > 0)
		n += got;
	close(fd);
	buf[n] = '\0';
	return n;
}

static void trim(char *s)
{
	s[strcspn(s, "\n")] = '\0';
}

uint64_t kt_host_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

#if defined(__aarch64__)
static uint64_t counter_ticks(void)
{
	uint64_t v;

	/* The barrier keeps the read from being done early. */
	asm volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(v) :: "memory");
	return v;
}

static uint64_t counter_hz(void)
{
	uint64_t v;

	asm volatile("mrs %0, cntfrq_el0" : "=r"(v));
	return v;
}

/* Stopped between the readings each time: no pair is better than one that is wrong (CLOCK_SLACK_NS, lib). */
#define BRACKET_NS 1000000ull

/* The tightest of a few brackets: being scheduled away between the reads only widens one. */
bool kt_host_clock_pair(struct kt_clock_pair *out)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t before = kt_host_now_ns();
		uint64_t ticks = counter_ticks();
		uint64_t after = kt_host_now_ns();

		if (after - before < best) {
			best = after - before;
			out->mono_ns = before + (after - before) / 2;
			out->counter_ticks = ticks;
		}
	}
	return best <= BRACKET_NS;
}
#else
static uint64_t counter_hz(void)
{
	return 0;
}

bool kt_host_clock_pair(struct kt_clock_pair *out)
{
	(void)out;
	return false;
}
#endif

/*
 * /proc/interrupts names the chip behind KVM's timer interrupt and the one
 * behind the host's own: "GICv3  26 Level  arch_timer" is the EL2 timer, so
 * the host runs at EL2 (VHE); 27 or 30 is an EL1 host (nVHE).
 */
struct irq_facts {
	uint8_t gic;
	const char *mode;
};

static uint8_t chip_version(const char *line)
{
	const char *p = strstr(line, "GICv");

	if (p)
		return p[4] - '0';
	return strstr(line, "GIC-0") ? 2 : 0;
}

static void scan_interrupts(struct irq_facts *out)
{
	FILE *f = fopen("/proc/interrupts", "re");
	size_t size = 0;
	char *line = NULL;

	out->gic = 0;
	out->mode = NULL;
	if (!f)
		return;
	while (getline(&line, &size, f) > 0) {
		const char *chip = strstr(line, "GIC");

		if (!chip)
			continue;
		if (strstr(line, "kvm guest vtimer") || (!out->gic && strstr(line, "arch_timer")))
			out->gic = chip_version(line);
		if (strstr(line, "arch_timer")) {
			const char *num = strchr(chip, ' ');
			long hwirq = num ? strtol(num, NULL, 10) : 0;

			out->mode = hwirq == 26 || hwirq == 28 ? "vhe" : "nvhe";
		}
	}
	free(line);
	fclose(f);
}

uint8_t kt_host_gic(void)
{
	struct irq_facts facts;

	scan_interrupts(&facts);
	return facts.gic;
}

bool kt_host_lockdown(char *buf, size_t size)
{
	char text[128], *open, *close;

	if (read_file("/sys/kernel/security/lockdown", text, sizeof(text)) < 0)
		return false;
	open = strchr(text, '[');
	close = strchr(text, ']');
	if (!open || !close || close < open)
		return false;
	*close = '\0';
	snprintf(buf, size, "%s", open + 1);
	return true;
}

static const char *const sysctls[][2] = {
	{ "host.boot_id", "/proc/sys/kernel/random/boot_id" },
	{ "host.cpus", "/sys/devices/system/cpu/online" },
	{ "host.cmdline", "/proc/cmdline" },
	{ "host.nohz_full", "/sys/devices/system/cpu/nohz_full" },
	{ "host.halt_poll_ns", "/sys/module/kvm/parameters/halt_poll_ns" },
	{ "host.perf_event_paranoid", "/proc/sys/kernel/perf_event_paranoid" },
};

int kt_host_facts(struct kt_facts *f)
{
	struct irq_facts irqs;
	struct utsname uts;
	char buf[4096];
	time_t now = time(NULL);
	struct tm tm;
	int err = 0;

	if (!uname(&uts)) {
		err = kt_facts_set(f, "host.release", uts.release);
		err = err ?: kt_facts_set(f, "host.machine", uts.machine);
		err = err ?: kt_facts_set(f, "host.name", uts.nodename);
	}
	for (size_t i = 0; i < sizeof(sysctls) / sizeof(sysctls[0]) && !err; i++) {
		if (read_file(sysctls[i][1], buf, sizeof(buf)) <= 0)
			continue;
		trim(buf);
		if (*buf && strcmp(buf, "(null)"))
			err = kt_facts_set(f, sysctls[i][0], buf);
	}
	scan_interrupts(&irqs);
	if (irqs.mode && !err) {
		bool protected = strstr(kt_facts_get(f, "host.cmdline") ?: "",
					"kvm-arm.mode=protected");

		err = kt_facts_set(f, "host.mode", protected ? "pkvm" : irqs.mode);
	}
	if (irqs.gic && !err)
		err = kt_facts_setf(f, "host.gic", "%u", irqs.gic);
	if (kt_host_lockdown(buf, sizeof(buf)) && !err)
		err = kt_facts_set(f, "host.lockdown", buf);
	if (counter_hz() && !err)
		err = kt_facts_setf(f, "clock.counter_hz", "%llu",
				    (unsigned long long)counter_hz());
	if (!err && gmtime_r(&now, &tm) && strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm))
		err = kt_facts_set(f, "time.start", buf);
	return err;
}

/* ---- names of VMs ---- */

/* The value of guest= among comma-separated options; else the first of them. */
static const char *guest_option(const char *options)
{
	const char *p = options;

	while (p && strncmp(p, "guest=", 6)) {
		p = strchr(p, ',');
		p = p ? p + 1 : NULL;
	}
	return p ? p + 6 : options;
}

/* QEMU: -name NAME[,...] or -name [...,]guest=NAME[,...]; argv is NUL-separated. */
static bool qemu_name(const char *argv, size_t len, char *out, size_t size)
{
	const char *end = argv + len;

	for (const char *p = argv; p < end; p += strlen(p) + 1) {
		const char *name, *comma;

		if (strcmp(p, "-name") && strcmp(p, "--name"))
			continue;
		name = p + strlen(p) + 1;
		if (name >= end)
			return false;
		name = guest_option(name);
		comma = strchr(name, ',');
		snprintf(out, size, "%.*s", comma ? (int)(comma - name) : (int)strlen(name), name);
		return true;
	}
	return false;
}

void kt_host_vm_name(uint32_t tgid, struct kt_vm_name *out)
{
	char path[64], argv[16384], comm[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/comm", tgid);
	if (read_file(path, comm, sizeof(comm)) > 0) {
		trim(comm);
		memcpy(out->comm, comm, strnlen(comm, sizeof(out->comm) - 1));
	}
	snprintf(path, sizeof(path), "/proc/%u/cmdline", tgid);
	n = read_file(path, argv, sizeof(argv));
	if (n > 0 && qemu_name(argv, n, out->name, sizeof(out->name)))
		return;
	snprintf(out->name, sizeof(out->name), "%s", out->comm);
}
