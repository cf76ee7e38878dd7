/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check: does this KVM treat the timer as a level-triggered line?
 *
 * One pass over the recording, each event through the rules; a second one for
 * the picture around what was broken.  On a running host the recording is a
 * pipe from `record`, and what surrounds a violation is saved when it shows.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "anonymise.h"
#include "check.h"
#include "cmd.h"
#include "escape.h"
#include "keep.h"
#include "live.h"
#include "log.h"
#include "window.h"

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_TAP, FORMAT_JUNIT };
static const char *const format_names[] = { "text", "json", "tap", "junit", NULL };

static const char *const details[] = { "line", "lr", NULL };
static const char *const sources[] = { "auto", "bpf", "ftrace", NULL };

static struct {
	const char *input, *pids, *on_violation;
	uint64_t duration_ns;
	int detail, source;
	bool live;
	uint64_t only, examples, width;
	int format;
	bool json, list, anonymise, ascii;
} opt = { .examples = 1, .width = 72, .detail = 1, .on_violation = "continue" };

static int parse_rules(void *to, const char *value)
{
	uint64_t *mask = to;
	char word[64];

	while (*value) {
		size_t len = strcspn(value, ","), i;

		if (len >= sizeof(word))
			return -EINVAL;
		memcpy(word, value, len);
		word[len] = '\0';
		i = kt_rule_find(word);
		if (i == SIZE_MAX)
			return -EINVAL;
		*mask |= 1ull << i;
		value += len + (value[len] == ',');
	}
	return *mask ? 0 : -EINVAL;
}

static int parse_on_violation(void *to, const char *value)
{
	if (strcmp(value, "stop") && strcmp(value, "continue") && strncmp(value, "shell:", 6))
		return -EINVAL;
	*(const char **)to = value;
	return 0;
}

static const struct kt_option options[] = {
	{ KT_OPT_STRING, 'i', "input", "FILE", &opt.input, .help = "the recording; - is standard input (" KT_DEFAULT_FILE ")" },
	{ KT_OPT_GROUP, .help = "What to judge" },
	{ KT_OPT_CALL, 0, "rule", "ids or names of rules (see --rules)", &opt.only, .parse = parse_rules, .help = "only these rules: I5,wakeup" },
	{ KT_OPT_FLAG, 0, "rules", .to = &opt.list, .help = "list the rules and what each holds KVM to" },
	{ KT_OPT_GROUP, .help = "On this host, while it runs" },
	{ KT_OPT_STRING, 'p', "pid", "PIDS", &opt.pids, .help = "judge the VMs of these processes: 1234,1300" },
	{ KT_OPT_FLAG, 0, "live", .to = &opt.live, .help = "judge all VMs of this host" },
	{ KT_OPT_DURATION, 0, "duration", "TIME", &opt.duration_ns, .help = "for so long (until interrupted)" },
	{ KT_OPT_CHOICE, 0, "detail", "WHAT", &opt.detail, .choices = details, .help = "line costs less, lr sees list registers (lr)" },
	{ KT_OPT_CHOICE, 0, "source", "WHAT", &opt.source, .choices = sources, .help = "where events come from (auto)" },
	{ KT_OPT_CALL, 0, "on-violation", "stop, continue, or shell:COMMAND", &opt.on_violation, .parse = parse_on_violation, .help = "besides saving what surrounds it (continue)" },
	{ KT_OPT_GROUP, .help = "How to show it" },
	{ KT_OPT_UINT, 0, "examples", "N", &opt.examples, 0, KT_VIOLATIONS_KEPT, .help = "violations of each rule shown with their events (1)" },
	{ KT_OPT_CHOICE, 0, "format", "FORMAT", &opt.format, .choices = format_names, .help = "text, json, tap or junit" },
	{ KT_OPT_FLAG, 'j', "json", .to = &opt.json, .help = "the same as --format json" },
	{ KT_OPT_UINT, 0, "width", "N", &opt.width, 40, 1000, .help = "columns of the picture (72)" },
	{ KT_OPT_FLAG, 0, "ascii", .to = &opt.ascii, .help = "no character outside ASCII" },
	{ KT_OPT_FLAG, 0, "anonymise", .to = &opt.anonymise, .help = "made-up names and pids" },
	KT_OPT_END
};

struct checking {
	struct kt_judging judging;

	/* on a running host */
	unsigned int said;
	struct kt_window *window;
	uint64_t saved;			/* bit per rule whose first violation was written */
	size_t pending;			/* rule waiting for what comes after its violation, + 1 */
	uint64_t write_ns;
};

#define AFTER_NS 500000000ull		/* what follows a violation is kept for so long */

/* The saved file's name says which rule; the command gets both. */
static void save(struct checking *c)
{
	const struct kt_rule *rule = kt_rule(c->pending - 1);
	char path[64];

	c->pending = 0;
	snprintf(path, sizeof(path), "violation-%s.data", rule->id);
	if (kt_window_write(c->window, path, c->judging.session->facts))
		return;
	fprintf(stderr, "kvmtimer-trace: %s %s broken: saved what surrounds it in %s\n", rule->id, rule->name,
		path);
	if (!strncmp(opt.on_violation, "shell:", 6)) {
		setenv("KT_RULE", rule->id, 1);
		setenv("KT_FILE", path, 1);
		if (system(opt.on_violation + 6))
			kt_warn("the command of --on-violation failed");
	}
}

static void on_violation(void *arg, const struct kt_violation *v)
{
	struct checking *c = arg;

	if (!c->window || c->pending || c->saved >> v->rule & 1 || (opt.only && !(opt.only >> v->rule & 1)))
		return;
	c->saved |= 1ull << v->rule;
	c->pending = v->rule + 1;
	c->write_ns = v->at_ns + AFTER_NS;
	/* What follows may be silence: stopping must not wait for an event. */
	if (!strcmp(opt.on_violation, "stop"))
		kt_live_stop_soon();
}

static int block(void *arg, const struct kt_block *b)
{
	struct checking *c = arg;

	if (c->window && kt_window_block(c->window, b))
		return -ENOMEM;
	/* The facts are written when all probes are on. */
	if (c->window && b->type == KT_BLOCK_FACTS && !c->said++)
		fprintf(stderr, "kvmtimer-trace: judging%s\n",
			opt.duration_ns ? "" : " until interrupted");
	return kt_judging_block(&c->judging, b);
}

static int feed(void *arg, const struct kt_event *ev, size_t n)
{
	struct checking *c = arg;
	int err;

	if (c->window)
		kt_window_feed(c->window, ev, n);
	err = kt_judging_feed(&c->judging, ev, n);
	if (c->pending && ev[n - 1].ts_ns >= c->write_ns)
		save(c);
	return err;
}

static int print(const struct kt_check *c)
{
	switch (opt.json ? FORMAT_JSON : opt.format) {
	case FORMAT_JSON:
		return kt_check_json(c);
	case FORMAT_TAP:
		kt_check_tap(c);
		return 0;
	case FORMAT_JUNIT:
		kt_check_junit(c);
		return 0;
	}
	kt_check_text(c);
	return 0;
}

static int check_file(const char *path, bool live)
{
	static const int status_of[] = { KT_EXIT_OK, KT_EXIT_VIOLATION, KT_EXIT_INCONCLUSIVE };
	struct kt_session session;
	struct checking ch = { .judging = { .session = &session, .violation = on_violation, .arg = &ch } };
	struct kt_session_opts so = { .path = path, .block = block, .feed = feed, .arg = &ch };
	struct kt_check_sum sum;
	struct kt_check c = { .path = path, .session = &session, .sum = &sum, .only = opt.only,
			      .examples = opt.examples, .ascii = opt.ascii, .width = opt.width };
	int status = KT_EXIT_FAILED;

	if (live) {
		c.path = NULL;
		if (kt_window_new(&ch.window)) {
			(void)!kt_err(-ENOMEM, "out of memory");
			return KT_EXIT_FAILED;
		}
	}
	if (kt_session_read(&so, &session)) {
		kt_window_free(ch.window);
		kt_rules_free(ch.judging.rules);
		return KT_EXIT_FAILED;
	}
	if (ch.pending)
		save(&ch);
	if (kt_judging_end(&ch.judging)) {
		(void)!kt_err(-ENOMEM, "out of memory");
		goto out;
	}
	c.rules = ch.judging.rules;
	kt_check_sum(&session, c.rules, opt.only, &sum);
	if (!print(&c))
		status = status_of[sum.answer];
out:
	kt_window_free(ch.window);
	kt_rules_free(ch.judging.rules);
	kt_session_free(&session);
	return status;
}

static int check_host(void)
{
	struct kt_live_opts lo = { .pids = opt.pids, .detail = details[opt.detail],
				   .source = sources[opt.source], .duration_ns = opt.duration_ns };
	pid_t recorder = kt_live_start(&lo);
	int status;

	if (recorder < 0)
		return KT_EXIT_FAILED;
	status = check_file("-", true);
	/* The recorder has said why. */
	return kt_live_end(recorder) && status != KT_EXIT_VIOLATION ? KT_EXIT_FAILED : status;
}

static int list_rules(void)
{
	for (size_t i = 0; i < kt_rule_nr(); i++) {
		const struct kt_rule *r = kt_rule(i);

		printf("%-4s%-24s%s\n    %s\n    where: %s\n", r->id, r->name, r->system, r->sentence,
		       r->holds);
		if (r->unless)
			printf("    unless: %s\n", r->unless);
		if (r->needs & KT_NEEDS_LR)
			printf("    needs: record --detail lr\n");
	}
	return KT_EXIT_OK;
}

static int run(int nr_args, char **args)
{
	struct kt_kept kept;
	const char *path;
	int status;

	if (opt.list)
		return list_rules();
	if ((opt.live || opt.pids) && (nr_args || opt.input)) {
		fprintf(stderr, "a file, or this host: not both\n");
		return KT_EXIT_MISUSE;
	}
	kt_anonymise(opt.anonymise);
	if (opt.live || opt.pids)
		return check_host();
	path = kt_input_path(opt.input, nr_args, args);
	if (!path)
		return KT_EXIT_MISUSE;
	if (kt_keep(path, &kept))
		return KT_EXIT_FAILED;
	status = check_file(kept.path, false);
	kt_keep_end(&kept);
	return status;
}

const struct kt_cmd kt_cmd_check = {
	.name = "check",
	.summary = "does this KVM treat the timer as a level-triggered line? a verdict",
	.usage = "[options] [FILE]",
	.options = options,
	.run = run,
};
