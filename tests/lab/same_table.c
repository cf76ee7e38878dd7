/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What two recordings of one run may differ in, and why.  What stands in no row must be
 * equal.  docs/inputs.md shows this table: run `make docs` after a change.
 */
#include "same.h"

#include <stdio.h>
#include <string.h>

#define K(kind) (1u << KT_EV_##kind)
#define ALL_KINDS (~0u)
#define THEIRS (SAME_FTRACE | SAME_FOREIGN)
#define BOTH (SAME_LINE | SAME_LR)
#define V(major, minor) SAME_RELEASE(major, minor)

/* ---- which events of a kind ---- */

static bool is_physical(const struct same_chain *c, size_t i)
{
	return KT_SUB_TIMER(c->link[i].e->ev.sub) == KT_PTIMER;
}

static bool flush_of_none(const struct same_chain *c, size_t i)
{
	const struct kt_event *ev = &c->link[i].e->ev;

	return KT_SUB_AT(ev->sub) == KT_AT_FLUSH && !ev->lr.lr;
}

static bool was_flushed(const struct same_chain *c, size_t i, unsigned int timer)
{
	while (i-- > 0) {
		const struct kt_event *ev = &c->link[i].e->ev;

		if (ev->kind == KT_EV_EXIT)
			return false;
		if (ev->kind == KT_EV_LR && KT_SUB_TIMER(ev->sub) == timer &&
		    KT_SUB_AT(ev->sub) == KT_AT_FLUSH && ev->lr.lr)
			return true;
	}
	return false;
}

/* A register that was empty and still is: each source has its own idea of when to say that. */
static bool fold_of_none(const struct same_chain *c, size_t i)
{
	const struct kt_event *ev = &c->link[i].e->ev;

	return KT_SUB_AT(ev->sub) != KT_AT_FLUSH && !ev->lr.lr &&
	       !was_flushed(c, i, KT_SUB_TIMER(ev->sub));
}

static bool none_in_use(const struct same_chain *c, size_t i)
{
	const struct kt_event *ev = &c->link[i].e->ev;

	return KT_SUB_AT(ev->sub) != KT_AT_FOLD_IN && !ev->lr.used && !ev->lr.lr;
}

static bool not_entered(const struct same_chain *c, size_t i)
{
	if (KT_SUB_AT(c->link[i].e->ev.sub) != KT_AT_FLUSH)
		return false;
	while (++i < c->n && c->link[i].e->ev.kind == KT_EV_LR &&
	       KT_SUB_AT(c->link[i].e->ev.sub) == KT_AT_FLUSH)
		;
	return i == c->n || c->link[i].e->ev.kind != KT_EV_ENTRY;
}

static bool is_error(const struct kt_event *ev)
{
	return ev->user_exit.err < 0;
}

/* ---- the table ---- */

const struct same_row same_rows[] = {
{ SAME_FIELD, K(SAVE), "flags", .bits = KT_SAVE_SLEEPING | KT_SAVE_KNOWN, .pairs = SAME_FTRACE, .details = BOTH,
  .why = "whether a thread that is put sleeps is known to BPF only" },
{ SAME_FIELD, K(SAVE), "flags", .bits = KT_SAVE_BLOCKING | KT_SAVE_SLEEPING | KT_SAVE_KNOWN, .pairs = SAME_FOREIGN,
  .details = BOTH, .why = "sched_switch tells that a thread sleeps, not whether for a wake-up of its vCPU" },
{ SAME_FIELD, K(SAVE) | K(RESTORE) | K(EMULATE) | K(OFFSET), "offset_gen", .pairs = THEIRS,
  .details = BOTH, .why = "offsets are numbered as they are seen, and BPF sees more of them" },
{ SAME_FIELD, K(EMULATE), "flags", .pairs = THEIRS, .details = BOTH,
  .why = "the registers of an emulated timer are known to BPF only" },
{ SAME_FIELD, K(EMULATE), "ctl", .pairs = THEIRS, .details = BOTH,
  .why = "the registers of an emulated timer are known to BPF only" },
{ SAME_FIELD, K(EMULATE), "cval_ticks", .pairs = THEIRS, .details = BOTH,
  .why = "the registers of an emulated timer are known to BPF only" },
{ SAME_FIELD, K(LR), "state", .bits = KT_LR_PHYS | KT_LR_PHYS_KNOWN, .pairs = SAME_HOOKS, .details = SAME_LR,
  .why = "the physical state is told by the vgic's own tracepoints only" },
{ SAME_FIELD, K(LR), "named", .pairs = SAME_FTRACE | SAME_HOOKS, .details = SAME_LR,
  .why = "how many list registers name an interrupt is counted by BPF only" },
{ SAME_FIELD, K(HRTIMER_EXPIRE) | K(BG_EXPIRE), "ptr", .pairs = SAME_FOREIGN, .details = BOTH,
  .why = "the kernel hides pointers in text" },
{ SAME_FIELD, K(USER_EXIT), "reason", .pairs = SAME_FOREIGN, .details = BOTH, .of = is_error,
  .why = "the text has no reason where KVM_RUN fails" },
{ SAME_FIELD, K(EXIT), "esr", .bits = 0x03ffffff, .pairs = THEIRS, .details = SAME_LINE,
  .why = "the tracepoint tells the exception class only" },
{ SAME_FIELD, K(EXIT), "flags", .pairs = THEIRS, .details = SAME_LINE,
  .why = "the tracepoint tells neither PSTATE nor the whole syndrome" },
{ SAME_FIELD, K(EXIT), "daif", .pairs = THEIRS, .details = SAME_LINE,
  .why = "the tracepoint does not tell PSTATE" },

{ SAME_EVENT, K(OFFSET), "of the physical timer", .pairs = SAME_FTRACE, .details = BOTH, .when = is_physical,
  .why = "ftrace sees offsets of the virtual timer only" },
{ SAME_EVENT, K(LR), "flush that finds no list register", .pairs = SAME_FTRACE | SAME_HOOKS, .details = SAME_LR,
  .when = flush_of_none, .why = "ftrace says it only where the interrupt was in one before" },
{ SAME_EVENT, K(LR), "fold of an interrupt that was in none", .pairs = SAME_FTRACE | SAME_HOOKS, .details = SAME_LR,
  .when = fold_of_none, .why = "each source has its own idea of when to say that nothing changed" },
{ SAME_EVENT, K(LR), "flush or fold-out with no list register in use", .pairs = SAME_FTRACE, .details = SAME_LR,
  .before = V(6, 9), .when = none_in_use, .why = "return probes see no arguments" },
{ SAME_EVENT, K(LR), "flush that no entry follows", .pairs = SAME_FTRACE, .details = SAME_LR,
  .before = V(6, 9), .when = not_entered, .why = "return probes see no arguments: ftrace reads the registers at the entry" },
{ SAME_EVENT, K(OFFSET) | K(VCPU_GONE) | K(WIRE) | K(LR) | K(IRQCHIP) | K(RESET), "all", .pairs = SAME_FOREIGN,
  .details = BOTH, .why = "no tracepoint tells it; we use probes" },

{ SAME_ORDER, K(EXIT) | K(WFX) | K(WAKEUP) | K(USER_EXIT) | K(UPDATE_IRQ) | K(VGIC_UPDATE) | K(MAP) | K(EMULATE),
  SAME_INTERRUPT, .pairs = SAME_ANY, .details = BOTH,
  .why = "it runs with interrupts on: one that comes between two observers is behind it to the first only" },
{ SAME_ORDER, ALL_KINDS, SAME_OTHER_CPU, .pairs = SAME_ANY, .details = BOTH,
  .why = "nothing orders two CPUs" },
{ SAME_ORDER, K(WFX) | K(WAKEUP) | K(USER_EXIT) | K(UPDATE_IRQ) | K(VGIC_UPDATE) | K(EMULATE),
  SAME_PREEMPTED, .pairs = SAME_ANY, .details = BOTH, .since = V(7, 0),
  .why = "a tracepoint can be preempted between two observers" },
{ SAME_FIELD, K(USER_EXIT), "cpu", .pairs = SAME_ANY, .details = BOTH, .since = V(7, 0),
  .why = "a thread preempted between two observers may go on elsewhere, here without a put and a load" },

{ SAME_STEPS, 0, "masked", .pairs = THEIRS, .details = SAME_LINE, .why = "the tracepoint does not tell PSTATE" },
{ SAME_STEPS, 0, "ptimer wire", .pairs = SAME_FTRACE, .details = BOTH,
  .why = "where it is inferred it is from a deadline, which needs the registers of an emulated timer" },
{ SAME_STEPS, 0, "wire", .pairs = SAME_FOREIGN, .details = BOTH,
  .why = "where it is inferred it is from a deadline, which needs the counter's offset" },
{ SAME_STEPS, 0, "vcpu", .pairs = SAME_FOREIGN, .details = BOTH, .until_run = true,
  .why = "sched_switch tells of a thread that sleeps before its vCPU first runs" },

{ SAME_VERDICT, 0, "D3 D7", .pairs = THEIRS, .details = BOTH, .why = "why a vCPU was put is known to BPF only" },
{ SAME_VERDICT, 0, "D5", .pairs = SAME_FOREIGN, .details = BOTH, .why = "whether a vCPU or its thread sleeps is known to us only" },
{ SAME_VERDICT, 0, "I16 I18 E1 D5", .pairs = SAME_FTRACE, .details = BOTH,
  .why = "the registers of an emulated timer are known to BPF only" },
{ SAME_VERDICT, 0, "I14", .pairs = SAME_FTRACE, .details = SAME_LR,
  .why = "how many list registers name an interrupt is counted by BPF only" },
{ SAME_VERDICT, 0, "I1", .pairs = SAME_FOREIGN, .details = BOTH, .why = "what this kernel's KVM is like is a fact of ours" },
{ SAME_VERDICT, 0, "I5", .pairs = SAME_FOREIGN, .details = BOTH, .why = "whether a VM has a vgic is known to us only" },
{ SAME_VERDICT, 0, "I25 E4", .pairs = SAME_FOREIGN, .details = BOTH, .why = "a reset has no tracepoint" },
{ SAME_VERDICT, 0, "I16 I18 L1 E1", .pairs = SAME_FOREIGN, .details = BOTH,
  .why = "a deadline needs the counter's frequency and offset" },
};

const size_t same_nr_rows = sizeof(same_rows) / sizeof(same_rows[0]);

bool same_row_applies(const struct same_pair *p, const struct same_row *row, unsigned int kind)
{
	return (!row->kinds || row->kinds >> kind & 1) &&
	       (row->pairs == SAME_ANY || row->pairs & p->pairs) && row->details & p->detail &&
	       (!row->since || p->release >= row->since) && (!row->before || p->release < row->before);
}

/* A row of rules has several ids. */
static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += len)
		if ((at == words || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

static bool has_name(const struct same_row *row, const char *name)
{
	return row->what == SAME_VERDICT ? has_word(row->name, name) : !strcmp(row->name, name);
}

const struct same_row *same_row_find(const struct same_pair *p, enum same_what what, unsigned int kind,
				     const char *name)
{
	for (size_t i = 0; i < same_nr_rows; i++)
		if (same_rows[i].what == what && same_row_applies(p, &same_rows[i], kind) &&
		    has_name(&same_rows[i], name))
			return &same_rows[i];
	return NULL;
}

void same_use(struct same_pair *p, const struct same_row *row, unsigned int kind)
{
	p->used[row - same_rows][kind]++;
}

/* ---- for people ---- */

static void print_kinds(uint32_t kinds)
{
	const char *comma = "";

	if (kinds == ALL_KINDS)
		printf("all");
	for (unsigned int kind = 1; kinds != ALL_KINDS && kind < KT_EV_NR; kind++) {
		if (!(kinds >> kind & 1))
			continue;
		printf("%s%s", comma, kt_kind_name(kind));
		comma = ", ";
	}
}

static const char *word_of(const struct same_row *row)
{
	static const char *const words[SAME_WHAT_NR] = { "field", "not told by both", "on the other side of",
							 "lane", "verdict" };

	return words[row->what];
}

void same_print_used(const struct same_pair *p)
{
	for (size_t i = 0; i < same_nr_rows; i++)
		for (unsigned int kind = 0; kind < KT_EV_NR; kind++)
			if (p->used[i][kind])
				printf("  %llu %s%s%s %s: %s\n", (unsigned long long)p->used[i][kind],
				       kind ? kt_kind_name(kind) : "", kind ? ": " : "", word_of(&same_rows[i]),
				       same_rows[i].name, same_rows[i].why);
}

static void print_pairs(unsigned int pairs)
{
	static const char *const names[] = { "BPF and ftrace", "ours and another tool's",
					     "tracepoints and functions" };
	const char *comma = "";

	if (pairs == SAME_ANY)
		printf("any two");
	for (unsigned int i = 0; pairs != SAME_ANY && i < 3; i++) {
		if (!(pairs >> i & 1))
			continue;
		printf("%s%s", comma, names[i]);
		comma = "; ";
	}
}

static void print_kernels(const struct same_row *row)
{
	if (row->since)
		printf("%u.%u and later", row->since / 1000, row->since % 1000);
	if (row->before)
		printf("before %u.%u", row->before / 1000, row->before % 1000);
}

void same_list(void)
{
	puts("What two observers of one run tell must be the same but for this (`tests/lab/same_table.c`; `build/same A B` compares two\n"
	     "recordings of any kind, and counts what it used). A thread's events have one order, and so have those of interrupts on one\n"
	     "CPU: only the rows \"on the other side of\" may change it.\n\n"
	     "| event | may differ in | which | between | detail | kernels | why |\n|---|---|---|---|---|---|---|");
	for (size_t i = 0; i < same_nr_rows; i++) {
		const struct same_row *row = &same_rows[i];

		printf("| ");
		print_kinds(row->kinds);
		printf(" | %s | %s", word_of(row), row->name);
		if (row->until_run)
			printf(", until the vCPU first ran");
		if (row->of)
			printf(", of an error");
		if (row->bits)
			printf(", bits 0x%llx", (unsigned long long)row->bits);
		printf(" | ");
		print_pairs(row->pairs);
		printf(" | %s | ", row->details == SAME_LINE ? "line" : row->details == SAME_LR ? "lr" : "");
		print_kernels(row);
		printf(" | %s |\n", row->why);
	}
}
