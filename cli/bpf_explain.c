/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE	/* vasprintf */
#include "bpf_explain.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "host.h"
#include "log.h"

/* bookworm's libcap knows these numbers, older headers may not */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

__attribute__((format(printf, 2, 0)))
static int print_fn(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char *text;
	int n;

	(void)level;
	/* The verifier's log is one message of many lines. */
	n = vasprintf(&text, fmt, ap);
	if (n < 0)
		return 0;
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	kt_debug("%s", text);
	free(text);
	return 0;
}

void kt_libbpf_quiet(void)
{
	libbpf_set_print(print_fn);
}

static bool have_cap(cap_value_t cap)
{
	cap_flag_value_t value = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	if (!caps)
		return false;
	cap_get_flag(caps, cap, CAP_EFFECTIVE, &value);
	cap_free(caps);
	return value == CAP_SET;
}

static const char *missing_cap(void)
{
	if (have_cap(CAP_SYS_ADMIN))
		return NULL;
	if (!have_cap(CAP_BPF))
		return "CAP_BPF";
	if (!have_cap(CAP_PERFMON))
		return "CAP_PERFMON";
	return NULL;
}

int kt_check_host(void)
{
	struct utsname uts;
	const char *cap;

	if (uname(&uts) || strcmp(uts.machine, "aarch64"))
		return kt_err(-ENOTSUP, "this is a %s host: recording needs KVM on arm64; "
			      "report and timeline read recordings here", uts.machine);
	if (access("/dev/kvm", F_OK))
		return kt_err(-ENODEV, "no KVM on this host (/dev/kvm: %s): boot with EL2 enabled, "
			      "or run where the VMs run", strerror(errno));
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return kt_err(-ENOENT, "no BTF (/sys/kernel/btf/vmlinux: %s): the kernel needs "
			      "CONFIG_DEBUG_INFO_BTF=y", strerror(errno));
	cap = missing_cap();
	if (cap)
		return kt_err(-EPERM, "missing capability %s: run as root, or give the tool "
			      "CAP_BPF and CAP_PERFMON (setcap cap_bpf,cap_perfmon+ep)", cap);
	return 0;
}

int kt_explain_load(int err)
{
	char lockdown[64];

	if (kt_host_lockdown(lockdown, sizeof(lockdown)) && !strcmp(lockdown, "confidentiality"))
		return kt_err(err, "the kernel refused the BPF programs: lockdown is in "
			      "confidentiality mode, which forbids reading kernel memory; "
			      "boot with lockdown=integrity or without");
	if (err == -EPERM)
		return kt_err(err, "the kernel refused the BPF programs (%s): needs CAP_BPF and "
			      "CAP_PERFMON, and RLIMIT_MEMLOCK on kernels before 5.11",
			      strerror(-err));
	if (err == -ENOMEM)
		return kt_err(err, "no memory for the event rings: make them smaller with "
			      "--buffer-size");
	return kt_err(err, "the kernel refused the BPF programs (%s): run with --verbose for the "
		      "verifier's words, and please report them", strerror(-err));
}

int kt_explain_attach(int err, const struct kt_probe *p)
{
	if (err == -ENOENT)
		return kt_err(err, "this kernel has no tracepoint %s: without it there is no %s; "
			      "KVM before 5.2 is not supported", p->target, p->lost);
	if (err == -EACCES || err == -EPERM)
		return kt_err(err, "not allowed to attach to %s: needs CAP_PERFMON; probes on "
			      "functions also need kernel.perf_event_paranoid below 3 or "
			      "CAP_SYS_ADMIN", p->target);
	return kt_err(err, "cannot attach to %s: %s", p->target, strerror(-err));
}
