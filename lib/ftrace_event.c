/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trace events as tables.  A text template is what the kernel's TP_printk, or
 * trace-cmd's own printer, makes of the event:
 *
 *	blank	any number of blanks, also none
 *	%0..%4	a number into that value: decimal, with sign, or 0x...
 *	%x0	a hexadecimal number, with or without 0x
 *	%w0	a word of the event's list
 *	%*	anything up to the character that follows in the template
 *	%>	anything up to the last place where the rest of the literal stands
 */
#include "ftrace_event.h"

#include <errno.h>
#include <string.h>

#include "esr.h"

#define SIGNED(n) { n, KT_FF_SIGNED }
#define WORDS(n, list) { n, 0, WORDS_##list }
#define STRING(n, flag, list) { n, flag, WORDS_##list }

enum {
	WORDS_NONE, WORDS_EXIT, WORDS_WFX, WORDS_WAITED, WORDS_VALID, WORDS_ERRNO, WORDS_IRQ,
	WORDS_FUNCTION, WORDS_STATE, WORDS_NR
};

static const struct kt_ftrace_event events[KT_FT_NR] = {
	[KT_FT_UPDATE_IRQ] = { "kvm", "kvm_timer_update_irq",
		{ { "vcpu_id" }, { "irq" }, SIGNED("level") },
		{ "VCPU: %0, IRQ %1, level %2" } },
	/* emul_vtimer came with nested virtualisation, 6.4. */
	[KT_FT_MAP] = { "kvm", "kvm_get_timer_map",
		{ { "vcpu_id" }, SIGNED("direct_vtimer"), SIGNED("direct_ptimer"),
		  { "emul_vtimer", KT_FF_SIGNED | KT_FF_OPTIONAL }, SIGNED("emul_ptimer") },
		{ "VCPU: %0, dv: %1, dp: %2, ev: %3, ep: %4", "VCPU: %0, dv: %1, dp: %2, ep: %4" } },
	[KT_FT_SAVE] = { "kvm", "kvm_timer_save_state",
		{ { "ctl" }, { "cval" }, SIGNED("timer_idx") },
		{ " CTL: %x0 CVAL: %x1 arch_timer_ctx_index: %2" } },
	[KT_FT_RESTORE] = { "kvm", "kvm_timer_restore_state",
		{ { "ctl" }, { "cval" }, SIGNED("timer_idx") },
		{ "CTL: %x0 CVAL: %x1 arch_timer_ctx_index: %2" } },
	[KT_FT_EMULATE] = { "kvm", "kvm_timer_emulate",
		{ SIGNED("timer_idx"), { "should_fire" } },
		{ "arch_timer_ctx_index: %0 (should_fire: %1)" } },
	[KT_FT_HRTIMER_EXPIRE] = { "kvm", "kvm_timer_hrtimer_expire",
		{ SIGNED("timer_idx") },
		{ "arch_timer_ctx_index: %0" } },
	[KT_FT_VGIC_UPDATE] = { "kvm", "vgic_update_irq_pending",
		{ { "vcpu_id" }, { "irq" }, { "level" } },
		{ "VCPU: %0, IRQ %1, level: %2" } },
	[KT_FT_ENTRY] = { "kvm", "kvm_entry",
		{ { "vcpu_pc" } },
		{ "PC: %x0", "CAN'T FIND FIELD \"vcpu_id\"<CANT FIND FIELD rip>PC: %x0" } },
	[KT_FT_EXIT] = { "kvm", "kvm_exit",
		/* Up to 4.3 there is only a class, which is stale after an interrupt: no cause. */
		{ { "ret", KT_FF_SIGNED | KT_FF_OPTIONAL, WORDS_EXIT }, { "esr_ec", KT_FF_OPTIONAL },
		  { "vcpu_pc" } },
		/* trace-cmd's own printer looks for x86's fields and says so before the rest. */
		{ "%w0: HSR_EC: %x1 (%*), PC: %x2", "%0: HSR_EC: %x1 (%*), PC: %x2", "HSR_EC: %*, PC: %x2",
		  "<CANT FIND FIELD exit_reason>%w0: HSR_EC: %x1 (%*), PC: %x2" } },
	[KT_FT_WFX] = { "kvm", "kvm_wfx_arm64",
		{ { "vcpu_pc" }, WORDS("is_wfe", WFX) },
		{ "guest executed wf%w1 at: %x0" },
		/* trace-cmd's printer does not know the "%c" of this format, and loses both values. */
		.untold = "guest executed wf>c<" },
	[KT_FT_WAKEUP] = { "kvm", "kvm_vcpu_wakeup",
		{ { "ns" }, WORDS("waited", WAITED), WORDS("valid", VALID) },
		{ "%w1 time %0 ns, polling %w2" } },
	[KT_FT_USER_EXIT] = { "kvm", "kvm_userspace_exit",
		{ { "reason" }, { "errno", KT_FF_SIGNED, WORDS_ERRNO } },
		{ "reason %w1 (%0)" } },
	[KT_FT_HALT_POLL] = { "kvm", "kvm_halt_poll_ns",
		{ { "vcpu_id" } },
		{ "vcpu %0: halt_poll_ns" } },
	[KT_FT_IRQ_ENTRY] = { "irq", "irq_handler_entry",
		{ SIGNED("irq"), STRING("name", KT_FF_STRING, IRQ) },
		{ "irq=%0 name=%w1" } },
	[KT_FT_IRQ_EXIT] = { "irq", "irq_handler_exit",
		{ SIGNED("irq") },
		{ "irq=%0" } },
	[KT_FT_HRT_START] = { "timer", "hrtimer_start",
		{ { "hrtimer" }, STRING("function", KT_FF_FUNCTION, FUNCTION), { "expires" } },
		{ "hrtimer=%x0 function=%w1 expires=%2" } },
	[KT_FT_HRT_FIRE] = { "timer", "hrtimer_expire_entry",
		{ { "hrtimer" }, STRING("function", KT_FF_FUNCTION, FUNCTION) },
		{ "hrtimer=%x0 function=%w1", "hrtimer=%x0 now=%* function=%w1" } },
	[KT_FT_HRT_DONE] = { "timer", "hrtimer_expire_exit",
		{ { "hrtimer" } },
		{ "hrtimer=%x0" } },
	/* The third is trace-cmd's: "comm:pid [prio] S ==> comm:pid [prio]". */
	[KT_FT_SCHED_SWITCH] = { "sched", "sched_switch",
		{ SIGNED("prev_pid"), WORDS("prev_state", STATE), SIGNED("next_pid") },
		{ "prev_comm=%> prev_pid=%0 prev_prio=%* prev_state=%w1 ==> next_comm=%> next_pid=%2 next_prio=",
		  "%>:%0 [%*] %w1 ==> %>:%2 [" } },
	[KT_FT_WAKING] = { "sched", "sched_waking",
		{ SIGNED("pid") },
		{ "comm=%> pid=%0", "%>:%0 [" } },
	[KT_FT_NEWTASK] = { "task", "task_newtask",
		{ SIGNED("pid"), { "clone_flags" } },
		{ "pid=%0 comm=%> clone_flags=%x1" } },
	[KT_FT_PROC_EXIT] = { "sched", "sched_process_exit",
		{ SIGNED("pid") },
		{ "comm=%> pid=%0", "%>:%0 [" } },
};

struct word {
	const char *word;
	int32_t value;
};

static const struct word exit_words[] = {
	{ "IRQ", 0 }, { "SERROR", 1 }, { "TRAP", 2 }, { "ILLEGAL", 3 }, { "HYP_GONE", 0xbadca11 },
	{ "EL1_SERROR", 1 }, {} };
static const struct word wfx_words[] = { { "i", 0 }, { "e", 1 }, {} };
static const struct word waited_words[] = { { "poll", 0 }, { "wait", 1 }, {} };
static const struct word valid_words[] = { { "valid", 1 }, { "invalid", 0 }, {} };
/* The number that follows is then the error: see fix_user_exit. */
static const struct word errno_words[] = { { "restart", -1 }, { "error", -1 }, {} };
static const struct word irq_words[] = {
	{ "kvm guest vtimer", KT_FI_VTIMER }, { "kvm guest timer", KT_FI_VTIMER },
	{ "kvm guest ptimer", KT_FI_PTIMER }, {} };
static const struct word function_words[] = {
	{ "kvm_hrtimer_expire", KT_FN_EMULATED }, { "kvm_phys_timer_expire", KT_FN_EMULATED },
	{ "kvm_bg_timer_expire", KT_FN_BACKGROUND }, {} };
/* TASK_* bits; a preempted task was running. */
static const struct word state_words[] = {
	{ "R", 0 }, { "R+", 0 }, { "S", 1 }, { "D", 2 }, { "T", 4 }, { "t", 8 }, { "X", 0x10 },
	{ "Z", 0x20 }, { "P", 0x40 }, { "I", 0x80 }, {} };

#define NOT_A_WORD INT32_MIN

struct words {
	const struct word *words;
	int32_t other;	/* what an unlisted word means */
};

static const struct words word_lists[WORDS_NR] = {
	[WORDS_EXIT] = { exit_words, NOT_A_WORD },
	[WORDS_WFX] = { wfx_words, NOT_A_WORD },
	[WORDS_WAITED] = { waited_words, NOT_A_WORD },
	[WORDS_VALID] = { valid_words, NOT_A_WORD },
	[WORDS_ERRNO] = { errno_words, 0 },
	[WORDS_IRQ] = { irq_words, KT_FI_OTHER },
	[WORDS_FUNCTION] = { function_words, KT_FN_OTHER },
	[WORDS_STATE] = { state_words, 0x40 },
};

const struct kt_ftrace_event *kt_ftrace_event(unsigned int id)
{
	return id && id < KT_FT_NR ? &events[id] : NULL;
}

enum kt_ftrace_id kt_ftrace_find(const char *name, size_t len)
{
	for (unsigned int id = 1; id < KT_FT_NR; id++)
		if (strlen(events[id].name) == len && !memcmp(events[id].name, name, len))
			return id;
	return KT_FT_NONE;
}

#define HVC_STUB_ERR 0xbadca11	/* what the HYP stub answers once KVM is gone */

struct kt_run kt_ftrace_exit(const uint64_t *v, uint64_t has)
{
	struct kt_run run = { .pc = v[KT_FV_EXIT_PC], .code = KT_EXIT_OTHER };
	uint32_t ret = v[KT_FV_EXIT_RET];

	if (has & 1u << KT_FV_EXIT_RET)
		run.code = ret == HVC_STUB_ERR ? KT_EXIT_GONE : ret & 0xff;
	if (run.code == KT_EXIT_TRAP)
		run.esr = (uint32_t)v[KT_FV_EXIT_EC] << ESR_EC_SHIFT;
	return run;
}

bool kt_ftrace_word(unsigned int id, unsigned int field, const char *word, size_t len,
		    uint64_t *value)
{
	const struct words *list = &word_lists[events[id].field[field].words];

	if (!list->words)
		return false;
	for (const struct word *w = list->words; w->word; w++) {
		if (len && *w->word == *word && strlen(w->word) == len && !memcmp(w->word, word, len)) {
			*value = (int64_t)w->value;
			return true;
		}
	}
	*value = (int64_t)list->other;
	return list->other != NOT_A_WORD;
}

/* ---- text ---- */

struct scan {
	const char *p, *end;
};

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Plus one, so that 0 is what is no digit. */
static const uint8_t hex_digits[256] = {
	['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
	['A'] = 11, 12, 13, 14, 15, 16,
	['a'] = 11, 12, 13, 14, 15, 16,
};

static bool scan_hex(struct scan *s, uint64_t *out)
{
	const char *first;
	uint64_t v = 0;
	unsigned int d;

	if (s->end - s->p >= 2 && s->p[0] == '0' && s->p[1] == 'x')
		s->p += 2;
	first = s->p;
	while (s->p < s->end && (d = hex_digits[(unsigned char)*s->p])) {
		v = v << 4 | (d - 1);
		s->p++;
	}
	*out = v;
	return s->p > first && s->p - first <= 16;
}

static bool scan_number(struct scan *s, uint64_t *out)
{
	bool negative = s->p < s->end && *s->p == '-';
	const char *first;
	uint64_t v = 0;
	unsigned int d;

	s->p += negative;
	if (s->end - s->p >= 2 && s->p[0] == '0' && s->p[1] == 'x')
		return scan_hex(s, out);
	first = s->p;
	while (s->p < s->end && (d = (unsigned char)*s->p - '0') < 10) {
		v = v * 10 + d;
		s->p++;
	}
	*out = negative ? -v : v;
	return s->p > first && s->p - first <= 20;
}

/* Up to a character that ends words in the templates that have them; names of interrupts have blanks. */
static bool scan_word(struct scan *s, unsigned int id, unsigned int field, uint64_t *out)
{
	const char *first = s->p;

	if (id == KT_FT_IRQ_ENTRY) {
		s->p = s->end;
		while (s->p > first && is_blank(s->p[-1]))
			s->p--;
	} else {
		while (s->p < s->end && !is_blank(*s->p) && *s->p != ':' && *s->p != ',' &&
		       *s->p != '/' && *s->p != '|' && *s->p != ')')
			s->p++;
		/* A function may be printed with its offset. */
		if (events[id].field[field].flags & KT_FF_FUNCTION) {
			const char *plus = memchr(first, '+', s->p - first);

			if (plus)
				return kt_ftrace_word(id, field, first, plus - first, out);
		}
	}
	return s->p > first && kt_ftrace_word(id, field, first, s->p - first, out);
}

/*
 * Names come from outside and may hold anything, so the literal after one is
 * looked for from the right; what comes before "==>" is its own region.
 */
static bool skip_name(struct scan *s, const char *t)
{
	const char *stop = memchr(t, '%', strlen(t)), *end = s->end;
	size_t len = stop ? (size_t)(stop - t) : strlen(t);

	if (strstr(t, "==>"))
		for (const char *p = s->p; p + 3 <= s->end; p++)
			if (!memcmp(p, "==>", 3))
				end = p;
	if ((size_t)(end - s->p) < len)
		return false;
	for (const char *p = end - len;; p--) {
		if (!memcmp(p, t, len)) {
			s->p = p;
			return true;
		}
		if (p == s->p)
			return false;
	}
}

/* Characters of a template that stand for something else than themselves. */
static inline bool is_special(char c)
{
	return c == ' ' || c == '%' || c == '\0';
}

/* One "%..." at t, which is after the percent sign.  NULL when the text does not fit. */
static const char *match_value(struct kt_ftrace_rec *rec, const char *t, struct scan *s)
{
	unsigned int field;
	bool got;

	switch (*t) {
	case '*':
		s->p = memchr(s->p, t[1] == ' ' ? t[2] : t[1], s->end - s->p);
		return s->p ? t + 1 : NULL;
	case '>':
		return skip_name(s, t + 1) ? t + 1 : NULL;
	case 'x':
		while (s->p < s->end && is_blank(*s->p))
			s->p++;
		field = t[1] - '0';
		got = scan_hex(s, &rec->v[field]);
		t += 2;
		break;
	case 'w':
		field = t[1] - '0';
		got = scan_word(s, rec->id, field, &rec->v[field]);
		t += 2;
		break;
	default:
		field = *t++ - '0';
		got = scan_number(s, &rec->v[field]);
		break;
	}
	rec->has |= 1u << field;
	return got ? t : NULL;
}

static bool match(struct kt_ftrace_rec *rec, const char *t, const char *text, size_t len)
{
	struct scan s = { text, text + len };

	rec->has = 0;
	for (;;) {
		while (!is_special(*t)) {
			if (s.p == s.end || *s.p != *t)
				return false;
			s.p++;
			t++;
		}
		switch (*t) {
		case '\0':
			return true;
		case ' ':
			while (s.p < s.end && is_blank(*s.p))
				s.p++;
			t++;
			break;
		case '%':
			t = match_value(rec, t + 1, &s);
			if (!t)
				return false;
			break;
		}
	}
}

/* "vcpu_id=0 irq=27 level=1": what trace-cmd report -R prints, and perf for what it cannot format. */
static bool match_raw(struct kt_ftrace_rec *rec, const char *text, size_t len)
{
	const struct kt_ftrace_event *e = &events[rec->id];
	struct scan s = { text, text + len };
	unsigned int want = 0;

	rec->has = 0;
	for (unsigned int i = 0; i < KT_FTRACE_VALUES && e->field[i].name; i++)
		want |= e->field[i].flags & KT_FF_OPTIONAL ? 0 : 1u << i;
	while (s.p < s.end) {
		const char *key, *eq;

		while (s.p < s.end && (is_blank(*s.p) || *s.p == ','))
			s.p++;
		key = s.p;
		while (s.p < s.end && !is_blank(*s.p) && *s.p != '=')
			s.p++;
		if (s.p == s.end || *s.p != '=')
			continue;
		eq = s.p++;
		/* Numbers may be padded: "cval=               0". */
		while (s.p < s.end && is_blank(*s.p))
			s.p++;
		for (unsigned int i = 0; i < KT_FTRACE_VALUES && e->field[i].name; i++) {
			struct scan v = s;
			bool got;

			if (strlen(e->field[i].name) != (size_t)(eq - key) ||
			    memcmp(e->field[i].name, key, eq - key))
				continue;
			if (e->field[i].flags & (KT_FF_STRING | KT_FF_FUNCTION))
				got = scan_word(&v, rec->id, i, &rec->v[i]);
			else
				got = scan_number(&v, &rec->v[i]);
			rec->has |= got ? 1u << i : 0;
		}
		while (s.p < s.end && !is_blank(*s.p))
			s.p++;
	}
	return want && (rec->has & want) == want;
}

/* "reason restart (4)" is -EINTR: the number is the error, and the reason was not printed. */
static void fix_user_exit(struct kt_ftrace_rec *rec)
{
	if (!rec->v[KT_FV_USER_ERRNO])
		return;
	rec->v[KT_FV_USER_ERRNO] = -rec->v[KT_FV_USER_REASON];
	rec->v[KT_FV_USER_REASON] = 0;
	rec->has &= ~(1u << KT_FV_USER_REASON);
}

bool kt_ftrace_untold(unsigned int id, const char *text, size_t len)
{
	const struct kt_ftrace_event *e = kt_ftrace_event(id);
	size_t n = e && e->untold ? strlen(e->untold) : 0;

	return n && len >= n && !memcmp(text, e->untold, n);
}

int kt_ftrace_parse(struct kt_ftrace_rec *rec, const char *text, size_t len)
{
	const struct kt_ftrace_event *e = kt_ftrace_event(rec->id);

	if (!e)
		return -EINVAL;
	for (unsigned int i = 0; i < 4 && e->text[i]; i++) {
		if (match(rec, e->text[i], text, len)) {
			if (rec->id == KT_FT_USER_EXIT)
				fix_user_exit(rec);
			return 0;
		}
	}
	return match_raw(rec, text, len) ? 0 : -EINVAL;
}

/* ---- the fast way ---- */

enum op { OP_NUMBER, OP_HEX, OP_WORD, OP_SKIP };

/* False for what needs to look ahead: names. */
static bool plan_value(struct kt_ftrace_step *s, const char **t)
{
	switch (**t) {
	case '*':
		s->op = OP_SKIP;
		s->field = (uint8_t)(*t)[1];
		*t += 1;
		return (*t)[0] != ' ';
	case '>':
		return false;
	case 'x':
	case 'w':
		s->op = **t == 'x' ? OP_HEX : OP_WORD;
		s->field = (uint8_t)((*t)[1] - '0');
		*t += 2;
		return true;
	}
	s->op = OP_NUMBER;
	s->field = (uint8_t)(**t - '0');
	*t += 1;
	return true;
}

void kt_ftrace_plan_init(struct kt_ftrace_plan *plan, unsigned int id)
{
	const struct kt_ftrace_event *e = kt_ftrace_event(id);
	const char *t = e ? e->text[0] : NULL;
	unsigned int n = 0;

	memset(plan, 0, sizeof(*plan));
	plan->id = (uint8_t)id;
	/* A save's text begins with blanks, which the caller has passed. */
	while (t && *t == ' ')
		t++;
	while (t && *t) {
		struct kt_ftrace_step *s = &plan->step[n];

		if (n++ == KT_FTRACE_STEPS)
			return;
		if (*t == '%') {
			t++;
			if (!plan_value(s, &t))
				return;
			continue;
		}
		for (s->len = 0; s->len < 8 && *t && *t != '%'; s->len++, t++) {
			s->letters |= (uint64_t)(unsigned char)*t << 8 * s->len;
			s->mask |= 0xffull << 8 * s->len;
		}
	}
	plan->n = (uint8_t)n;
}

int kt_ftrace_parse_fast(const struct kt_ftrace_plan *plan, struct kt_ftrace_rec *rec,
			 const char *text, size_t len)
{
	struct scan s = { text, text + len };
	uint64_t letters;
	bool got;

	rec->has = 0;
	for (unsigned int i = 0; i < plan->n; i++) {
		const struct kt_ftrace_step *step = &plan->step[i];

		if (step->mask) {
			if ((size_t)(s.end - s.p) < step->len)
				goto slow;
			letters = 0;
			if (s.end - s.p >= 8)
				memcpy(&letters, s.p, 8);
			else
				memcpy(&letters, s.p, step->len);
			if ((letters ^ step->letters) & step->mask)
				goto slow;
			s.p += step->len;
			continue;
		}
		switch (step->op) {
		case OP_NUMBER:
			got = scan_number(&s, &rec->v[step->field]);
			break;
		case OP_HEX:
			/* Registers are padded with blanks. */
			while (s.p < s.end && *s.p == ' ')
				s.p++;
			got = scan_hex(&s, &rec->v[step->field]);
			break;
		case OP_WORD:
			got = scan_word(&s, rec->id, step->field, &rec->v[step->field]);
			break;
		default:
			s.p = memchr(s.p, step->field, s.end - s.p);
			if (!s.p)
				goto slow;
			continue;
		}
		if (!got)
			goto slow;
		rec->has |= 1u << step->field;
	}
	if (plan->n) {
		if (rec->id == KT_FT_USER_EXIT)
			fix_user_exit(rec);
		return 0;
	}
slow:
	return kt_ftrace_parse(rec, text, len);
}
