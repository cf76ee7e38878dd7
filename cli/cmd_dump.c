/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dump: a recording as text, one event a line, in the order of time.  What it
 * prints can be read again by every command, so it is also how a golden story
 * is cut out of a real recording.
 */
#include <inttypes.h>
#include <stdio.h>

#include "anonymise.h"
#include "cmd.h"
#include "escape.h"
#include "event.h"
#include "log.h"
#include "session.h"

static struct {
	const char *input;
	bool anonymise;
} opt;

static const struct kt_option options[] = {
	{ KT_OPT_STRING, 'i', "input", "FILE", &opt.input, .help = "recording, text or trace.dat; - is standard input (" KT_DEFAULT_FILE ")" },
	{ KT_OPT_FLAG, 0, "anonymise", .to = &opt.anonymise, .help = "made-up names, pids and host name" },
	KT_OPT_END
};

/* Quotes and backslashes as the parser takes them; kt_safe has done the rest. */
static void put_quoted(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"')
			putchar('\\');
		putchar(*text);
	}
	putchar('"');
}

static void put_ident(const struct kt_ident *id)
{
	printf("ident %#x kvm=%#" PRIx64 " gen=%u vcpu=%#" PRIx64 " first=%" PRIu64 " tgid=%u tid=%u vcpu_id=%u "
	       "vcpu_idx=%u vgic=%u irq=%u,%u,%u,%u host_irq=%u,%u,%u,%u comm=", id->who,
	       (uint64_t)id->kvm, id->vm_gen, (uint64_t)id->vcpu, (uint64_t)id->first_ns,
	       kt_show_pid(id->tgid), kt_show_pid(id->tid), id->vcpu_id, id->vcpu_idx, id->vgic,
	       id->irq[0], id->irq[1], id->irq[2], id->irq[3], id->host_irq[0], id->host_irq[1],
	       id->host_irq[2], id->host_irq[3]);
	put_quoted(kt_anonymised() ? "vcpu" : kt_safe_n(id->comm, sizeof(id->comm)));
	putchar('\n');
}

static void put_name(const struct kt_vm_name *name)
{
	printf("name kvm=%#" PRIx64 " gen=%u tgid=%u comm=", (uint64_t)name->kvm, name->vm_gen,
	       kt_show_pid(name->tgid));
	put_quoted(kt_anonymised() ? "vmm" : kt_safe_n(name->comm, sizeof(name->comm)));
	printf(" name=");
	put_quoted(kt_anonymised() ? "vm" : kt_safe_n(name->name, sizeof(name->name)));
	putchar('\n');
}

static void put_loss(const struct kt_loss *l)
{
	printf("loss stream=%u from=%" PRIu64 " until=%" PRIu64, l->stream, (uint64_t)l->from_ns,
	       (uint64_t)l->until_ns);
	for (unsigned int k = 0; k < KT_EV_NR; k++)
		if (l->lost[k])
			printf(" %s=%" PRIu64, kt_kind_name(k), (uint64_t)l->lost[k]);
	putchar('\n');
}

static int on_block(void *arg, const struct kt_block *b)
{
	const char *key, *value;

	(void)arg;
	for (size_t i = 0; b->type == KT_BLOCK_FACTS && kt_facts_at(b->facts, i, &key, &value); i++) {
		printf("fact %s=", key);
		put_quoted(kt_show_fact(key, value));
		putchar('\n');
	}
	for (size_t i = 0; i < b->n; i++) {
		if (b->type == KT_BLOCK_IDENT)
			put_ident(&b->idents[i]);
		else if (b->type == KT_BLOCK_NAME)
			put_name(&b->name[i]);
		else if (b->type == KT_BLOCK_LOSS)
			put_loss(&b->loss[i]);
		else if (b->type == KT_BLOCK_CLOCK)
			printf("clock mono=%" PRIu64 " counter=%" PRIu64 "\n",
			       (uint64_t)b->clock[i].mono_ns, (uint64_t)b->clock[i].counter_ticks);
	}
	return 0;
}

static void on_change(void *arg, const struct kt_change *c)
{
	(void)arg;
	(void)c;
}

static void on_event(void *arg, const struct kt_event *ev, uint32_t vcpu)
{
	struct kt_event shown = *ev;
	char line[512];

	(void)arg;
	(void)vcpu;
	if (ev->kind == KT_EV_GAP)
		return;		/* its loss line has been printed */
	if (ev->who & KT_WHO_TID && ev->who != KT_WHO_NONE)
		shown.who = KT_WHO_TID | kt_show_pid(ev->who & ~KT_WHO_TID);
	kt_event_format(&shown, line, sizeof(line));
	puts(line);
}

/* Only now is there a recording to tell. */
static void on_ready(void *arg, struct kt_model *model)
{
	(void)arg;
	(void)model;
	puts("# kvmtimer-events 1");
}

/* What reads the text must know it too: its own end is a good one. */
static void tell_lacks(const struct kt_session *s)
{
	if (!s->status.closed_well)
		puts("fact stop.cut=\"yes\"");
	if (s->status.bad_blocks)
		printf("fact stop.damaged=\"%" PRIu64 "\"\n", s->status.bad_blocks);
	if (s->late)
		printf("fact stop.late=\"%" PRIu64 "\"\n", s->late);
}

/* The text has no word for these: whoever keeps it must know. */
static void warn_lacks(const struct kt_session *s)
{
	if (s->status.cut)
		kt_warn("%s is cut: the text ends where it could be read no further", s->path);
	if (s->status.bad_blocks)
		kt_warn("%s: %" PRIu64 " damaged blocks are not in the text", s->path, s->status.bad_blocks);
	if (s->late)
		kt_warn("%s: %" PRIu64 " events that came too late to be put in order are not in the text",
			s->path, s->late);
}

static int run(int nr_args, char **args)
{
	struct kt_model_sink sink = { .change = on_change, .event = on_event };
	struct kt_session_opts so = { .sink = &sink, .block = on_block, .ready = on_ready };
	struct kt_session s;

	so.path = kt_input_path(opt.input, nr_args, args);
	if (!so.path)
		return KT_EXIT_MISUSE;
	kt_anonymise(opt.anonymise);
	if (kt_session_read(&so, &s))
		return KT_EXIT_FAILED;
	tell_lacks(&s);
	warn_lacks(&s);
	kt_session_free(&s);
	return KT_EXIT_OK;
}

const struct kt_cmd kt_cmd_dump = {
	.name = "dump",
	.summary = "a recording as text, one event a line, which every command reads again",
	.usage = "[options] [FILE]",
	.options = options,
	.run = run,
};
