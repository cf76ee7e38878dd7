/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE	/* O_TMPFILE */
#include "source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ftrace_blocks.h"
#include "log.h"
#include "store_private.h"
#include "trace_text.h"
#include "tracedat.h"

/* Enough of a file to know what it is: a mail may have some talk before the trace. */
#define LOOK_BYTES (64u << 10)

struct kt_input {
	enum kt_input_format format;
	char name[256];
	int fd;
	char *look;		/* first bytes, given out again before the rest of the file */
	size_t look_len, look_pos;

	struct kt_store_reader *store;
	struct kt_trace_text *text;
	struct kt_tracedat *tracedat;

	struct kt_ftrace_blocks *blocks;	/* of text and trace.dat */
	struct kt_facts *facts, *late;	/* known before the first event; learnt by reading on */
	struct kt_read_status status;
	bool told_start, ended, told_end;
	uint64_t others, unreadable;
};

/* ---- bytes ---- */

static ssize_t read_fd(int fd, void *buf, size_t size)
{
	ssize_t got;

	do {
		got = read(fd, buf, size);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

/* For the readers of streams: what was looked at, then the rest. */
static ssize_t read_input(void *arg, void *buf, size_t size)
{
	struct kt_input *in = arg;
	size_t n = in->look_len - in->look_pos;

	if (!n)
		return read_fd(in->fd, buf, size);
	if (n > size)
		n = size;
	memcpy(buf, in->look + in->look_pos, n);
	in->look_pos += n;
	return (ssize_t)n;
}

static ssize_t read_text(void *arg, void *buf, size_t size)
{
	struct kt_input *in = arg;
	ssize_t got = read_input(arg, buf, size);

	if (got > 0)
		in->status.bytes += (uint64_t)got;
	if (got < 0)
		return kt_err((int)got, "cannot read %s: %s", in->name, strerror((int)-got));
	return got;
}

/* A recording, or events as text: what begins with that is nothing else. */
static bool is_ours(const struct kt_input *in)
{
	return in->look_len >= 16 &&
	       (!memcmp(in->look, KT_FILE_MAGIC, 8) || !memcmp(in->look, KT_TEXT_MAGIC, 16));
}

/* Looks at the first bytes until it is clear what they are, which for most files is the first read. */
static int look(struct kt_input *in)
{
	ssize_t got;

	in->look = malloc(LOOK_BYTES);
	if (!in->look)
		return kt_err(-ENOMEM, "out of memory");
	do {
		got = read_fd(in->fd, in->look + in->look_len, LOOK_BYTES - in->look_len);
		if (got < 0)
			return kt_err((int)got, "cannot read %s: %s", in->name, strerror((int)-got));
		in->look_len += (size_t)got;
	} while (got > 0 && in->look_len < LOOK_BYTES &&
		 !is_ours(in));
	return 0;
}

/* A pipe cannot be read from anywhere but its front: its bytes go to a nameless file. */
static int make_seekable(struct kt_input *in)
{
	const char *dir = getenv("TMPDIR");
	char buf[16384];
	ssize_t got;
	int fd;

	if (lseek(in->fd, 0, SEEK_SET) == 0)
		return 0;
	fd = open(dir && *dir ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return kt_err(-errno, "cannot make a temporary file in %s for what comes through a pipe: %s; "
			      "give the trace-cmd file by its name", dir && *dir ? dir : "/tmp", strerror(errno));
	while ((got = read_input(in, buf, sizeof(buf))) > 0) {
		for (ssize_t done = 0, n; done < got; done += n) {
			n = write(fd, buf + done, (size_t)(got - done));
			if (n < 0) {
				int err = -errno;

				close(fd);
				return kt_err(err, "cannot write a temporary file: %s", strerror(-err));
			}
		}
	}
	if (got < 0) {
		close(fd);
		return kt_err((int)got, "cannot read %s: %s", in->name, strerror((int)-got));
	}
	/* Whoever reads it next begins where the descriptor stands. */
	if (lseek(fd, 0, SEEK_SET)) {
		int err = -errno;

		close(fd);
		return kt_err(err, "cannot read a temporary file: %s", strerror(-err));
	}
	close(in->fd);
	in->fd = fd;
	return 0;
}

/* ---- opening ---- */

static int open_ftrace(struct kt_input *in)
{
	/* The child that reads a trace.dat merges its CPUs; a text is as somebody made it. */
	struct kt_ftrace_opts opts = { .merged = in->format == KT_INPUT_TRACEDAT };
	int err = kt_facts_new(&in->facts);

	if (!err)
		err = kt_facts_new(&in->late);
	if (!err)
		err = kt_ftrace_blocks_new(&opts, &in->blocks);
	return err ? kt_err(err, "out of memory") : 0;
}

static int open_format(struct kt_input *in)
{
	int err;

	if (kt_tracedat_looks(in->look, in->look_len)) {
		in->format = KT_INPUT_TRACEDAT;
		err = make_seekable(in);
		if (!err)
			err = open_ftrace(in);
		return err ? err : kt_tracedat_open(in->fd, in->name, &in->tracedat);
	}
	if (!is_ours(in) && kt_trace_text_looks(in->look, in->look_len)) {
		in->format = KT_INPUT_TEXT;
		err = open_ftrace(in);
		if (!err && kt_trace_text_new(read_text, in, &in->text))
			err = kt_err(-ENOMEM, "out of memory");
		return err;
	}
	in->format = KT_INPUT_OURS;
	err = kt_reader_new(read_input, in, in->name, &in->store);
	return err ? err : kt_reader_start(in->store);
}

int kt_input_open(const char *path, struct kt_input **out)
{
	bool is_stdin = !strcmp(path, "-");
	struct kt_input *in = calloc(1, sizeof(*in));
	struct stat st;
	int err = 0;

	if (!in)
		return kt_err(-ENOMEM, "out of memory");
	snprintf(in->name, sizeof(in->name), "%s", is_stdin ? "standard input" : path);
	in->fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0)
		err = kt_err(-errno, "cannot open %s: %s", path, strerror(errno));
	else if (!fstat(in->fd, &st) && S_ISDIR(st.st_mode))
		err = kt_err(-EISDIR, "%s is a directory: name the file in it that holds the recording or trace", in->name);
	if (!err)
		err = look(in);
	if (!err)
		err = open_format(in);
	if (err) {
		kt_input_close(in);
		return err;
	}
	*out = in;
	return 0;
}

void kt_input_close(struct kt_input *in)
{
	if (!in)
		return;
	kt_reader_close(in->store);
	kt_trace_text_free(in->text);
	kt_tracedat_close(in->tracedat);
	kt_ftrace_blocks_free(in->blocks);
	kt_facts_free(in->facts);
	kt_facts_free(in->late);
	if (in->fd >= 0)
		close(in->fd);
	free(in->look);
	free(in);
}

/* ---- facts ---- */

/*
 * What is known goes before the first event: whoever judges must know whose capture it is.
 * Later only news is told.
 */
static void tell(struct kt_input *in, const char *key, const char *value)
{
	const char *told = in->told_start ? kt_facts_get(in->facts, key) : NULL;

	if (told && !strcmp(told, value))
		return;
	(void)!kt_facts_set(in->told_start ? in->late : in->facts, key, value);
}

__attribute__((format(printf, 3, 4)))
static void lack(struct kt_input *in, const char *name, const char *fmt, ...)
{
	char key[80], text[512];
	va_list ap;

	snprintf(key, sizeof(key), "input.lack.%s", name);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tell(in, key, text);
}

static const char *text_format(unsigned int dialects)
{
	if (dialects & KT_TRACE_PERF)
		return "text of perf script";
	if (dialects & KT_TRACE_LATENCY)
		return "text of a trace in latency format";
	return "text of a trace";
}

/* "Linux HOST RELEASE MACHINE", as trace-cmd keeps it. */
static void read_uname(struct kt_input *in, const char *uname)
{
	char host[64], release[128], machine[32];

	if (sscanf(uname, "Linux %63s %127s %31s", host, release, machine) != 3)
		return;
	tell(in, "host.name", host);
	tell(in, "host.release", release);
	tell(in, "host.machine", machine);
}

/* Are there others of the same event that do tell?  If not it is as if it had not been recorded. */
static bool told_in_part(const struct kt_input *in)
{
	const struct kt_ftrace_stats *s = kt_input_ftrace(in);
	uint32_t ids = kt_trace_text_status(in->text)->untold_ids;

	for (unsigned int id = 1; id < KT_FT_NR; id++)
		if (ids >> id & 1 && s->by_id[id])
			return true;
	return false;
}

/* As far as the text was read. */
static void text_facts(struct kt_input *in)
{
	const struct kt_trace_status *s = kt_trace_text_status(in->text);
	char cpus[16];

	tell(in, "input.format", text_format(s->dialects));
	if (s->release[0])
		tell(in, "host.release", s->release);
	snprintf(cpus, sizeof(cpus), "%u", s->cpus);
	if (s->cpus)
		tell(in, "host.cpus", cpus);
}

static void start_facts(struct kt_input *in)
{
	tell(in, "capture.source", "ftrace");
	tell(in, "capture.detail", "line");
	if (in->text)
		text_facts(in);
	else
		tell(in, "input.format", "trace.dat");
}

static void text_lacks(struct kt_input *in)
{
	const struct kt_trace_status *s = kt_trace_text_status(in->text);

	if (s->unreadable.n)
		lack(in, "unreadable", "%" PRIu64 " lines cannot be read though they are events: these are lost; "
		     "the first is line %" PRIu64 ": %s", s->unreadable.n, s->unreadable.first, s->unreadable.why);
	if (s->untold.n)
		lack(in, told_in_part(in) ? "told-in-part" : "untold", "%" PRIu64 " events without what they say, "
		     "as trace-cmd report prints them; the first is line %" PRIu64, s->untold.n, s->untold.first);
	if (s->skipped.n)
		lack(in, "skipped", "%" PRIu64 " lines cannot be read and were skipped; the first is line %" PRIu64
		     ": %s", s->skipped.n, s->skipped.first, s->skipped.why);
	if (s->overwritten)
		lack(in, "overwritten", "the oldest %" PRIu64 " records were overwritten before the trace was read",
		     s->overwritten);
	if (s->dialects & KT_TRACE_TICKS)
		lack(in, "clock", "times without a unit (a counter, or the uptime clock): taken as nanoseconds");
	else if (s->events && !(s->common & KT_TRACE_NS))
		lack(in, "resolution", "times are in microseconds");
	if (s->dialects & KT_TRACE_LATENCY)
		lack(in, "names", "names of threads are cut to eight letters, times count from the trace's start");
}

static void common_lacks(struct kt_input *in)
{
	const struct kt_ftrace_stats *s = kt_ftrace_stats(kt_ftrace_blocks_ftrace(in->blocks));

	if (s->no_context)
		lack(in, "context", "no flags of the execution context: what ran in an interrupt is told from entry "
		     "and exit only");
	if (s->same_id_unknown_vm)
		lack(in, "vms", "no process ids: which vCPUs form a VM is not known, and %u vCPUs have a "
		     "vcpu_id that another has too; each is shown as a VM of its own", s->same_id_unknown_vm);
	else if (s->without_tgid)
		lack(in, "vms", "no process ids: which vCPUs form a VM is not known; each is shown as a VM of "
		     "its own");
	if (s->late_tgid)
		lack(in, "late-processes", "%u vCPUs whose process was told late, when it had a vCPU of that "
		     "vcpu_id already: each is shown as a VM of its own", s->late_tgid);
	if (s->without_id)
		lack(in, "ids", "%u vCPUs without a vcpu_id: no event that carries it was recorded for them",
		     s->without_id);
	if (s->two_in_process)
		lack(in, "processes", "a process ran more than one VM: which vCPUs belong together is taken from "
		     "the order in which they first ran");
	if (s->ambiguous_soft)
		lack(in, "soft-timers", "%" PRIu64 " soft timers fired that may be more than one vCPU's: not attributed",
		     s->ambiguous_soft);
	if (s->back_in_time)
		lack(in, "order", "%" PRIu64 " records are older than others before them, as when one CPU's file "
		     "follows another's: a soft timer whose start was not recorded is not attributed",
		     s->back_in_time);
	if (s->duplicates)
		lack(in, "duplicates", "%" PRIu64 " records are there twice: the second ones were dropped",
		     s->duplicates);
	if (s->double_entry + s->double_exit)
		lack(in, "unbalanced", "%" PRIu64 " entries and %" PRIu64 " exits without their other half",
		     s->double_entry, s->double_exit);
	if (s->refused)
		lack(in, "threads", "more than %u vCPUs: the rest is shown as threads", KT_FTRACE_VCPUS_MAX);
	if (in->unreadable)
		lack(in, "records", "%" PRIu64 " records do not have the size their format says", in->unreadable);
}

static void end_facts(struct kt_input *in)
{
	if (in->text) {
		text_facts(in);
		text_lacks(in);
	}
	common_lacks(in);
	in->status.closed_well = true;
	in->status.events = kt_ftrace_blocks_events(in->blocks);
}

/* ---- reading ---- */

/* 1 when something was taken, 0 at the end, -errno. */
static int take_text(struct kt_input *in)
{
	struct kt_ftrace_rec rec;
	int kind = kt_trace_text_next(in->text, &rec), err = 0;

	switch (kind) {
	case -ENODATA:
		return 0;
	case KT_TL_EVENT:
		err = kt_ftrace_blocks_rec(in->blocks, &rec);
		break;
	case KT_TL_LOST:
		err = kt_ftrace_blocks_lost(in->blocks, rec.cpu, rec.v[0]);
		break;
	case KT_TL_STARTED:
		/*
		 * The kernel says so only after an overrun, and not of the first CPU: this
		 * one's older records were overwritten while others still have theirs.
		 */
		err = kt_ftrace_blocks_lost(in->blocks, rec.cpu, 0);
		break;
	default:
		return kind;
	}
	return err ? kt_err(err, "out of memory") : 1;
}

static int take_tracedat(struct kt_input *in)
{
	struct kt_tracedat_msg msg;
	int got = kt_tracedat_next(in->tracedat, &msg), err = 0;

	if (got <= 0)
		return got;
	switch (msg.type) {
	case KT_TD_REC:
		err = kt_ftrace_blocks_rec(in->blocks, &msg.rec);
		break;
	case KT_TD_LOST:
		err = kt_ftrace_blocks_lost(in->blocks, msg.lost.cpu, msg.lost.n);
		break;
	case KT_TD_FACT:
		/* A bad key is the child's fault, and of no use. */
		if (!strcmp(msg.fact.key, "input.uname"))
			read_uname(in, msg.fact.value);
		else
			tell(in, msg.fact.key, msg.fact.value);
		break;
	case KT_TD_DONE:
		in->others = msg.done.others;
		in->unreadable = msg.done.unreadable;
		break;
	default:
		break;
	}
	return err ? kt_err(err, "out of memory") : 1;
}

/* Takes records until there is a block of them, or nothing more. */
static int fill(struct kt_input *in)
{
	int got = 1;

	while (got > 0 && !in->ended && !kt_ftrace_blocks_ready(in->blocks))
		got = in->text ? take_text(in) : take_tracedat(in);
	if (got || in->ended)
		return got < 0 ? got : 0;
	in->ended = true;
	return kt_ftrace_blocks_end(in->blocks) ? kt_err(-ENOMEM, "out of memory") : 0;
}

static int next_ftrace(struct kt_input *in, struct kt_block *b)
{
	int err = fill(in);

	if (err)
		return err;
	if (!in->told_start) {
		start_facts(in);
		in->told_start = true;
		*b = (struct kt_block){ .type = KT_BLOCK_FACTS, .facts = in->facts };
		return 1;
	}
	if (kt_ftrace_blocks_ready(in->blocks))
		return kt_ftrace_blocks_next(in->blocks, b);
	if (in->told_end)
		return 0;
	in->told_end = true;
	end_facts(in);
	*b = (struct kt_block){ .type = KT_BLOCK_FACTS, .facts = in->late };
	return 1;
}

int kt_input_next(struct kt_input *in, struct kt_block *b)
{
	return in->store ? kt_reader_next(in->store, b) : next_ftrace(in, b);
}

void kt_input_release(struct kt_input *in, const struct kt_block *b)
{
	if (in->store)
		kt_reader_release(in->store, b);
	else
		kt_ftrace_blocks_release(in->blocks, b);
}

enum kt_input_format kt_input_format(const struct kt_input *in)
{
	return in->format;
}

const struct kt_read_status *kt_input_status(const struct kt_input *in)
{
	return in->store ? kt_reader_status(in->store) : &in->status;
}

const struct kt_ftrace_stats *kt_input_ftrace(const struct kt_input *in)
{
	return in->blocks ? kt_ftrace_stats(kt_ftrace_blocks_ftrace(in->blocks)) : NULL;
}
