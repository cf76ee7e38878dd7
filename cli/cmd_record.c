/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record: capture to a file, until told to stop, for a while, or while a
 * command runs.  The first ^C ends cleanly; a second one drops what is pending.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "cmd.h"
#include "event.h"
#include "host.h"
#include "log.h"
#include "num.h"
#include "recorder.h"
#include "session.h"
#include "text.h"

#ifndef KT_VERSION
#define KT_VERSION "unknown"
#endif

#define PASS_MS 100		/* between passes; shorter while rings fill fast */
#define BUSY_PERMILLE 125
#define COST_FROM 10		/* our own cost is measured after this many passes ... */
#define COST_PASSES 2		/* ... for this many */

static const char *const details[] = { "line", "lr", NULL };
static const char *const sources[] = { "auto", "bpf", "ftrace", NULL };	/* enum kt_source */

struct pids {
	uint32_t n, pid[KT_MAX_TGIDS];
};

static struct {
	const char *output;
	struct pids pids;
	uint64_t vcpus, duration_ns, buffer_bytes, buffer_total, max_bytes;
	uint8_t timers;
	int detail, source;
	bool rotate, quiet, verbose, no_fentry, no_tracepoints, calls;
} opt = { .output = KT_DEFAULT_FILE, .buffer_bytes = 2 << 20, .buffer_total = 512 << 20 };

static int parse_pids(void *to, const char *value)
{
	struct pids *p = to;
	char copy[256], *save, *word;
	uint64_t v;

	if (strlen(value) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, value);
	for (word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (p->n == KT_MAX_TGIDS || kt_parse_u64(word, &v) || !v || v > INT32_MAX)
			return -EINVAL;
		p->pid[p->n++] = v;
	}
	return p->n ? 0 : -EINVAL;
}

static int parse_timers(void *to, const char *value)
{
	return kt_parse_timers(value, to);
}

static const struct kt_option options[] = {
	{ KT_OPT_STRING, 'o', "output", "FILE", &opt.output, .help = "write here; - is standard output (" KT_DEFAULT_FILE ")" },
	{ KT_OPT_DURATION, 0, "duration", "TIME", &opt.duration_ns, .min = 1, .help = "stop after this long: 10s" },
	{ KT_OPT_CHOICE, 0, "source", "WHAT", &opt.source, .choices = sources, .help = "where events come from: BPF if it can be had, else ftrace (auto)" },
	{ KT_OPT_GROUP, .help = "What to record" },
	{ KT_OPT_CHOICE, 0, "detail", "WHAT", &opt.detail, .choices = details, .help = "lr adds samples of the list registers" },
	{ KT_OPT_FLAG, 0, "calls", .to = &opt.calls, .help = "ftrace: the order of calls instead of timer tracepoints" },
	{ KT_OPT_CALL, 'p', "pid", "a list of up to 8 process ids", &opt.pids, .parse = parse_pids, .help = "only VMs of these processes: 1234,1300" },
	{ KT_OPT_MASK, 0, "vcpu", "LIST", &opt.vcpus, .help = "only these vcpu_ids: 0-3,7" },
	{ KT_OPT_CALL, 0, "timer", "a list of v, p, hv, hp", &opt.timers, .parse = parse_timers, .help = "only these timers: v,p,hv,hp" },
	{ KT_OPT_GROUP, .help = "Buffers and files" },
	{ KT_OPT_SIZE, 0, "buffer-size", "SIZE", &opt.buffer_bytes, .min = 1, .help = "ring per CPU (2M)" },
	{ KT_OPT_SIZE, 0, "buffer-total", "SIZE", &opt.buffer_total, .min = 1, .help = "cap over all CPUs: rings shrink to fit (512M)" },
	{ KT_OPT_SIZE, 0, "max-size", "SIZE", &opt.max_bytes, .min = 128 << 10, .help = "stop when the file is this large (at least 128K)" },
	{ KT_OPT_FLAG, 0, "rotate", .to = &opt.rotate, .help = "at --max-size go on in a new file, keeping one older" },
	{ KT_OPT_GROUP, .help = "Others" },
	{ KT_OPT_FLAG, 'q', "quiet", .to = &opt.quiet, .help = "say nothing but errors" },
	{ KT_OPT_FLAG, 'v', "verbose", .to = &opt.verbose, .help = "also what libbpf and the verifier say" },
	{ KT_OPT_FLAG, 0, "no-fentry", .to = &opt.no_fentry, .help = "use kprobes where fentry would do" },
	{ KT_OPT_FLAG, 0, "no-tracepoints", .to = &opt.no_tracepoints, .help = "probe the vgic where it has tracepoints" },
	KT_OPT_END
};

/* ---- signals ---- */

static volatile sig_atomic_t stop_signals, child_ended;

static void on_stop(int sig)
{
	(void)sig;
	stop_signals++;
}

static void on_child(int sig)
{
	(void)sig;
	child_ended = 1;
}

static void catch_signals(void)
{
	struct sigaction stop = { .sa_handler = on_stop }, child = { .sa_handler = on_child };

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGCHLD, &child, NULL);
}

/* ---- what goes in ---- */

static int check_pids(void)
{
	for (uint32_t i = 0; i < opt.pids.n; i++)
		if (kill(opt.pids.pid[i], 0) && errno == ESRCH)
			return kt_err(-ESRCH, "there is no process %u: give the pid of a running VMM "
				      "(QEMU's, say, not a vCPU thread's)", opt.pids.pid[i]);
	return 0;
}

static int describe_filter(struct kt_facts *f)
{
	char text[256] = "none";
	size_t n = 0;

	for (uint32_t i = 0; i < opt.pids.n; i++)
		n += snprintf(text + n, sizeof(text) - n, "%spid %u", n ? ", " : "", opt.pids.pid[i]);
	if (opt.vcpus)
		n += snprintf(text + n, sizeof(text) - n, "%svcpu mask %#" PRIx64, n ? ", " : "", opt.vcpus);
	if (opt.timers)
		snprintf(text + n, sizeof(text) - n, "%stimer mask %#x", n ? ", " : "", opt.timers);
	return kt_facts_set(f, "capture.filter", text);
}

static int make_facts(struct kt_facts **out)
{
	int err = kt_facts_new(out);

	err = err ?: kt_host_facts(*out);
	err = err ?: kt_facts_set(*out, "capture.detail", details[opt.detail]);
	err = err ?: kt_facts_set(*out, "capture.version", KT_VERSION);
	err = err ?: kt_facts_set(*out, "capture.command", kt_command_line ? kt_command_line : "");
	return err ?: describe_filter(*out);
}

static int open_capture(struct kt_facts *facts, struct kt_capture **out)
{
	struct kt_capture_opts co = {
		.source = opt.source, .calls = opt.calls,
		.detail = opt.detail, .buffer_bytes = opt.buffer_bytes,
		.buffer_total_max = opt.buffer_total, .no_fentry = opt.no_fentry,
		.no_tracepoints = opt.no_tracepoints,
	};
	struct kt_capture_stats st;
	int err;

	co.knobs.gic = kt_host_gic();
	co.knobs.nr_tgids = opt.pids.n;
	memcpy(co.knobs.tgid, opt.pids.pid, sizeof(co.knobs.tgid));
	co.knobs.vcpu_mask = opt.vcpus;
	co.knobs.timer_mask = opt.timers;
	err = kt_capture_open(&co, facts, out);
	if (err)
		return err;
	kt_capture_stats(*out, &st);
	if (st.buffer_bytes < opt.buffer_bytes)
		kt_warn("rings made smaller to stay within --buffer-total");
	if (!opt.quiet)
		fprintf(stderr, "recording through %s to %s, %" PRIu64 " KiB of ring on each of %u CPUs (%" PRIu64
			" MiB); ^C ends\n", kt_capture_source(*out), opt.output, st.buffer_bytes >> 10, st.nr_cpus,
			st.buffer_bytes * st.nr_cpus >> 20);
	return kt_facts_setf(facts, "capture.buffer", "%" PRIu64 " bytes on each of %u CPUs",
			     st.buffer_bytes, st.nr_cpus);
}

static pid_t start_command(char **args)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	/* Ours alone: a command that writes into a closed pipe shall end by it. */
	signal(SIGPIPE, SIG_DFL);
	execvp(args[0], args);
	fprintf(stderr, "kvmtimer-trace: cannot run %s: %s\n", args[0], strerror(errno));
	_exit(127);
}

/* ---- the loop ---- */

struct run {
	struct kt_capture *capture;
	struct kt_recorder *recorder;
	pid_t child;
	uint64_t start_ns, line_ns;
	unsigned int passes;
	double cost_ns;
	const char *reason;
};

static void live_line(struct run *r, uint64_t now_ns, bool last)
{
	struct kt_capture_stats st;

	if (opt.quiet || !isatty(STDERR_FILENO) || (!last && now_ns - r->line_ns < 500000000))
		return;
	r->line_ns = now_ns;
	kt_capture_stats(r->capture, &st);
	fprintf(stderr, "\r%s  %s events  lost %s  VMs %u  %" PRIu64 " KiB  ring %u%% full   %s",
		kt_text_ns(now_ns - r->start_ns), kt_text_count(st.events), kt_text_count(st.lost),
		kt_recorder_vms(r->recorder), kt_recorder_bytes(r->recorder) >> 10,
		st.fill_permille / 10, last ? "\n" : "");
}

static void nap(struct run *r)
{
	struct kt_capture_stats st;
	struct timespec ts = { .tv_nsec = PASS_MS * 1000000 };

	kt_capture_stats(r->capture, &st);
	if (st.fill_permille > BUSY_PERMILLE)
		ts.tv_nsec /= 20;
	nanosleep(&ts, NULL);
}

/* Run-time statistics cost two clock reads per event: on only for a moment. */
static void measure_cost(struct run *r)
{
	struct kt_capture_stats st;

	r->passes++;
	if (r->passes == COST_FROM)
		kt_capture_measure(r->capture, true);
	if (r->passes != COST_FROM + COST_PASSES)
		return;
	kt_capture_stats(r->capture, &st);
	r->cost_ns = st.cost_ns;
	kt_capture_measure(r->capture, false);
}

static const char *why_stop(const struct run *r, uint64_t now_ns)
{
	if (stop_signals)
		return "signal";
	if (r->child > 0 && child_ended)
		return "command ended";
	if (opt.duration_ns && now_ns - r->start_ns >= opt.duration_ns)
		return "duration";
	return NULL;
}

static int loop(struct run *r)
{
	int err;

	r->start_ns = kt_host_now_ns();
	while (!r->reason) {
		nap(r);
		err = kt_recorder_pass(r->recorder, r->capture);
		if (err == -EFBIG) {
			r->reason = "max-size";
			return 0;
		}
		if (err)
			return err;
		measure_cost(r);
		live_line(r, kt_host_now_ns(), false);
		r->reason = why_stop(r, kt_host_now_ns());
	}
	/* Once more with the programs on: what the kernel skipped is asked for here. */
	err = kt_recorder_pass(r->recorder, r->capture);
	kt_capture_stop(r->capture);
	if (!err && stop_signals < 2)
		err = kt_recorder_pass(r->recorder, r->capture);
	live_line(r, kt_host_now_ns(), true);
	if (err == -EFBIG) {
		r->reason = "max-size";
		err = 0;
	}
	return err;
}

static void say_end(const struct run *r, const struct kt_recorder_counts *n)
{
	char rotated[96] = "";

	if (n->all_events != n->events || n->all_lost != n->lost)
		snprintf(rotated, sizeof(rotated), " (all files: %s events, %s lost)", kt_text_count(n->all_events),
			 kt_text_count(n->all_lost));
	fprintf(stderr, "%s: %s events, %s lost%s, stopped by %s\n", opt.output, kt_text_count(n->events),
		kt_text_count(n->lost), rotated, r->reason);
}

static struct kt_facts *stop_facts(const struct run *r, const struct kt_capture_stats *st, int err)
{
	struct kt_facts *stop;

	if (kt_facts_new(&stop))
		return NULL;
	(void)!kt_facts_set(stop, "stop.reason", err ? "error" : r->reason);
	(void)!kt_facts_setf(stop, "stop.records", "%" PRIu64, st->records);
	if (r->cost_ns)
		(void)!kt_facts_setf(stop, "capture.cost_ns", "%.0f", r->cost_ns);
	return stop;
}

static int finish(struct run *r, int err)
{
	struct kt_recorder_counts counts;
	struct kt_capture_stats st = { 0 };
	struct kt_facts *stop;
	int close_err;

	if (r->capture)
		kt_capture_stats(r->capture, &st);
	kt_recorder_counts(r->recorder, &counts);
	stop = stop_facts(r, &st, err);
	close_err = kt_recorder_close(r->recorder, stop);
	kt_facts_free(stop);
	if (!err)
		err = close_err;
	if (!opt.quiet && !err)
		say_end(r, &counts);
	if (st.lost_idents)
		kt_warn("%" PRIu64 " vCPUs found no room in the identity maps: their events are "
			"not attributed", st.lost_idents);
	return err;
}

static int child_status(pid_t pid)
{
	bool ours = !child_ended;	/* it ends because we do: that is no failure of its own */
	int status;

	if (pid <= 0)
		return 0;
	if (ours)
		kill(pid, SIGTERM);
	if (waitpid(pid, &status, 0) < 0)
		return 1;
	return !ours && !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int run(int nr_args, char **args)
{
	struct kt_recorder_opts ro = { .path = opt.output, .max_bytes = opt.max_bytes,
				       .rotate = opt.rotate };
	struct run r = { .child = -1 };
	struct kt_facts *facts = NULL;
	int err;

	if (opt.rotate && !opt.max_bytes) {
		fprintf(stderr, "--rotate needs --max-size\n");
		return KT_EXIT_MISUSE;
	}
	if (opt.verbose)
		setenv("KVMTIMER_DEBUG", "1", 1);
	/* Before anything is set up in the kernel that would stay there. */
	catch_signals();
	err = check_pids();
	if (!err)
		err = make_facts(&facts);
	if (!err)
		err = open_capture(facts, &r.capture);
	if (!err)
		err = kt_recorder_new(&ro, facts, &r.recorder);
	if (!err) {
		if (nr_args)
			r.child = start_command(args);
		if (nr_args && r.child < 0)
			err = kt_err(-errno, "cannot start %s: %s", args[0], strerror(errno));
		else
			err = loop(&r);
	}
	if (r.recorder)
		err = finish(&r, err);
	kt_capture_close(r.capture);
	kt_facts_free(facts);
	if (child_status(r.child) && !err) {
		fprintf(stderr, "kvmtimer-trace: the command failed: %s\n", args[0]);
		return KT_EXIT_FAILED;
	}
	return err ? KT_EXIT_FAILED : KT_EXIT_OK;
}

const struct kt_cmd kt_cmd_record = {
	.name = "record",
	.summary = "capture timer, vgic and exit events of this host's VMs to a file",
	.usage = "[options] [-- COMMAND [ARG...]]",
	.options = options,
	.run = run,
};
