/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * simulate: a scenario acted by the reference machine, written as a recording.
 *
 * What the guest saw goes to standard error, so that the recording can go
 * through a pipe: simulate X.scn --semantics level | kvmtimer-trace timeline -
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "log.h"
#include "scenario.h"
#include "session.h"
#include "store.h"

#define MAX_TEXT (1u << 20)
#define BATCH 512

static const char *const semantics[] = {
#define X(id, name, what) name,
	KT_SEMANTICS(X)
#undef X
	NULL
};

static struct {
	const char *output;
	int semantics;
	bool summary, quiet;
} opt = { .semantics = KT_SEM_MAPPED };

static const struct kt_option options[] = {
	{ KT_OPT_CHOICE, 's', "semantics", "NAME", &opt.semantics, .choices = semantics,
	  .help = "whose KVM it is: docs/semantics.md (mapped, today's)" },
	{ KT_OPT_STRING, 'o', "output", "FILE", &opt.output,
	  .help = "the recording; - is standard output (- into a pipe, else " KT_DEFAULT_FILE ")" },
	{ KT_OPT_FLAG, 0, "summary", .to = &opt.summary, .help = "no recording: only what the guest saw, on standard output" },
	{ KT_OPT_FLAG, 'q', "quiet", .to = &opt.quiet, .help = "say nothing but errors" },
	KT_OPT_END
};

/* ---- the scenario's text ---- */

static int read_text(const char *path, char **text, size_t *len)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	ssize_t got = 1;
	int err = 0;

	if (fd < 0)
		return kt_err(-errno, "cannot open %s: %s", path, strerror(errno));
	*len = 0;
	*text = malloc(MAX_TEXT);
	if (!*text)
		err = kt_err(-ENOMEM, "out of memory");
	while (!err && got > 0 && *len < MAX_TEXT) {
		got = read(fd, *text + *len, MAX_TEXT - *len);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got < 0)
			err = kt_err(-errno, "cannot read %s: %s", path, strerror(errno));
		else
			*len += got;
	}
	if (!err && *len == MAX_TEXT)
		err = kt_err(-EFBIG, "%s is longer than a scenario can be", path);
	close(fd);
	return err;
}

static int say(int err, const char *path, const struct kt_scenario_error *e)
{
	if (err == -ENOMEM)
		return kt_err(err, "out of memory");
	if (e->line)
		return kt_err(err, "%s:%u: %s", path, e->line, e->reason);
	return kt_err(err, "%s: %s", path, e->reason);
}

/* ---- the recording ---- */

struct sink {
	struct kt_store_writer *writer;
	struct kt_event batch[BATCH];
	size_t n;
	int err;
};

static void flush_batch(struct sink *s)
{
	if (s->n && !s->err)
		s->err = kt_writer_events(s->writer, KT_STREAM_SIDE, s->batch, s->n);
	if (s->n && !s->err)
		s->err = kt_writer_mark(s->writer, s->batch[s->n - 1].ts_ns);
	s->n = 0;
}

static void on_event(void *arg, const struct kt_event *ev)
{
	struct sink *s = arg;

	s->batch[s->n++] = *ev;
	if (s->n == BATCH)
		flush_batch(s);
}

/* The facts of a host that never was; the counter counts nanoseconds. */
static int make_facts(const char *path, struct kt_facts **out)
{
	int err = kt_facts_new(out);

	err = err ?: kt_facts_set(*out, "host.release", "reference-machine");
	err = err ?: kt_facts_set(*out, "host.machine", "model");
	err = err ?: kt_facts_set(*out, "host.name", "machine");
	err = err ?: kt_facts_set(*out, "host.gic", opt.semantics < KT_SEM_LAZY ? "2" : "3");
	err = err ?: kt_facts_set(*out, "clock.counter_hz", "1000000000");
	err = err ?: kt_facts_set(*out, "capture.source", "machine");
	err = err ?: kt_facts_set(*out, "capture.detail", "lr");
	err = err ?: kt_facts_set(*out, "capture.filter", "none");
	err = err ?: kt_facts_set(*out, "capture.version", KT_VERSION);
	err = err ?: kt_facts_set(*out, "capture.command", kt_command_line ? kt_command_line : "");
	err = err ?: kt_facts_set(*out, "machine.scenario", path);
	return err ?: kt_facts_set(*out, "machine.semantics", semantics[opt.semantics]);
}

/* Opened once the scenario has parsed: a mistake leaves no file and the older one alone. */
static int open_recording(const char *path, const struct kt_scenario *s, struct sink *sink)
{
	struct kt_machine_opts mo = s->opts;
	struct kt_clock_pair pair = { 1, 1 };
	const char *output = opt.output;
	struct kt_writer_opts wo = { 0 };
	struct kt_facts *facts = NULL;
	struct kt_ident id;
	struct kt_machine m;
	int err;

	if (!output)
		output = isatty(STDOUT_FILENO) ? KT_DEFAULT_FILE : "-";
	mo.semantics = opt.semantics;
	if (kt_machine_init(&m, &mo))
		return 0;	/* kt_scenario_run will say so */
	err = make_facts(path, &facts);
	err = err ?: kt_facts_set(facts, "host.mode", s->opts.nvhe ? "nvhe" : "vhe");
	err = err ?: kt_writer_create(output, facts, &wo, &sink->writer);
	err = err ?: kt_writer_clock(sink->writer, &pair, 1);
	for (unsigned int i = 0; i < m.nr_vcpus && !err; i++) {
		kt_machine_ident(&m, i, &id);
		err = kt_writer_idents(sink->writer, &id, 1);
	}
	kt_facts_free(facts);
	return err;
}

static int close_recording(struct sink *sink, int err)
{
	struct kt_facts *stop = NULL;
	int close_err;

	if (!sink->writer)
		return err;
	flush_batch(sink);
	if (!err)
		err = sink->err;
	if (kt_facts_new(&stop) || kt_facts_set(stop, "stop.reason", err ? "error" : "end of scenario")) {
		kt_facts_free(stop);
		stop = NULL;
	}
	close_err = kt_writer_close(sink->writer, stop);
	kt_facts_free(stop);
	return err ? err : close_err;
}

/* ---- what the guest saw ---- */

static void summary(FILE *to, const struct kt_machine *m, const struct kt_machine_out *out)
{
	fprintf(to, "%s:", semantics[opt.semantics]);
	for (unsigned int f = 0; kt_saw_field(f); f++)
		fprintf(to, " %s=%" PRIu32, kt_saw_field(f), kt_saw_total(out, f));
	if (m->property)
		fprintf(to, " broken=%s", kt_property_name(m->property));
	fputc('\n', to);
}

static int simulate(const char *path, const struct kt_scenario *s)
{
	struct sink sink = { 0 };
	struct kt_scenario_error e = { 0 };
	struct kt_machine_out out;
	struct kt_machine m = { 0 };
	int err, run_err;

	kt_machine_out_init(&out);
	err = opt.summary ? 0 : open_recording(path, s, &sink);
	if (err)
		goto out;
	if (sink.writer) {
		out.event = on_event;
		out.arg = &sink;
	}
	run_err = kt_scenario_run(s, opt.semantics, &m, &out, &e);
	if (!run_err)
		run_err = kt_scenario_verify(s, opt.semantics, &out, &e);
	if (run_err)
		err = say(run_err, path, &e);
out:
	err = close_recording(&sink, err);
	if (!err && !opt.quiet)
		summary(opt.summary ? stdout : stderr, &m, &out);
	return err;
}

static int run(int nr_args, char **args)
{
	struct kt_scenario_error e;
	struct kt_scenario s;
	char *text = NULL;
	size_t len = 0;
	int err;

	if (nr_args != 1) {
		fprintf(stderr, "simulate needs one scenario, such as those in tests/scenarios\n");
		return KT_EXIT_MISUSE;
	}
	err = read_text(args[0], &text, &len);
	if (!err) {
		err = kt_scenario_parse(text, len, &s, &e);
		if (err)
			err = say(err, args[0], &e);
	}
	free(text);
	if (err)
		return KT_EXIT_FAILED;
	err = simulate(args[0], &s);
	kt_scenario_free(&s);
	return err ? KT_EXIT_FAILED : KT_EXIT_OK;
}

const struct kt_cmd kt_cmd_simulate = {
	.name = "simulate",
	.summary = "a scenario on the reference machine, as a recording",
	.usage = "[options] SCENARIO",
	.options = options,
	.run = run,
};
