/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps about the vCPU: running, sleeping, and telling user space. */
#include "rules_private.h"

void kt_step_alternate(struct at *a)
{
	if (a->v->in_guest == NO_LEVEL)
		return;
	if (a->ev->kind == KT_EV_ENTRY)
		judge(a, !a->v->in_guest, a->v->entry_ns, "entered twice without an exit");
	else
		judge(a, a->v->in_guest, a->v->exit_ns, "left twice without an entry");
}

void kt_step_load_before_entry(struct at *a)
{
	for (unsigned int i = 0; i < nr_timers(a->v); i++) {
		const struct rule_timer *t = timer_of(a->v, i);

		if (t->role != ROLE_DIRECT || t->regs == REGS_UNKNOWN)
			continue;
		a->timer = i;
		judge(a, t->regs == REGS_LOADED, t->saved_ns,
		      "the guest was entered while a direct timer's registers were in memory");
	}
}

/*
 * Since 4.15 a timer stays in the hardware between load and put.  One put for
 * no reason may be an ioctl of another thread; an unbroken row of them is a
 * KVM that saves and restores at every exit.
 */
#define EAGER_ROW 16

void kt_step_lazy(struct at *a)
{
	struct rule_vcpu *v = a->v;

	if (!a->r->maps_seen || v->in_guest)
		return;
	if (!(v->put_since_exit && v->load_since_exit) || v->excused ||
	    (v->exit_code == KT_EXIT_TRAP && v->exit_ec == EC_SYSREG)) {
		v->eager = 0;
		if (!v->put_since_exit)
			held(a);
	} else if (++v->eager == EAGER_ROW) {
		v->eager = 0;
		kt_broke(a, v->exit_ns, "timers are saved and restored at every exit");
	}
}

static void must_be_loaded(struct at *a)
{
	for (unsigned int i = 0; i < nr_timers(a->v); i++) {
		const struct rule_timer *t = timer_of(a->v, i);

		if (t->role != ROLE_DIRECT || t->regs == REGS_UNKNOWN)
			continue;
		a->timer = i;
		judge(a, t->regs == REGS_LOADED, t->saved_ns, "handled while the vCPU was put");
	}
}

/*
 * Between kvm_entry and kvm_exit interrupts are off but for the instant in
 * which the host takes its own: what KVM does with a vCPU in task context it
 * does outside.  Only without a vgic does the sync publish before kvm_exit.
 */
void kt_step_host_side(struct at *a)
{
	const struct rule_vcpu *v = a->v;

	if (!a->r->maps_seen)
		return;
	if (v->gone) {
		kt_broke(a, a->ev->ts_ns, "an event of a vCPU that was destroyed");
		return;
	}
	if (v->in_guest == NO_LEVEL)
		return;
	switch (a->ev->kind) {
	case KT_EV_UPDATE_IRQ:
	case KT_EV_VGIC_UPDATE:
		if (context(a->ev) != KT_AT_TASK)
			return;
		if (!user_irqchip(v))
			break;
		/* Beside loads and resets only the sync publishes, and only the virtual timer. */
		if (v->in_guest || (a->t && a->t->role == ROLE_DIRECT && a->t->regs == REGS_LOADED && !v->reset_ns))
			judge(a, a->timer == KT_VTIMER, v->entry_ns, "the sync published another timer than the virtual one");
		return;
	case KT_EV_MAP:
		if (context(a->ev) != KT_AT_TASK)
			return;
		break;
	case KT_EV_LR:
		if (context(a->ev) != KT_AT_FLUSH)
			return;
		break;
	}
	judge(a, !v->in_guest, v->entry_ns, "KVM handled the vCPU while its guest was running");
	if (a->ev->kind == KT_EV_WFX || a->ev->kind == KT_EV_WAKEUP)
		must_be_loaded(a);
	if (a->ev->kind != KT_EV_USER_EXIT)
		return;
	for (unsigned int i = 0; i < nr_timers(a->v); i++) {
		if (timer_of(v, i)->role != ROLE_DIRECT || timer_of(v, i)->regs == REGS_UNKNOWN)
			continue;
		a->timer = i;
		judge(a, timer_of(v, i)->regs == REGS_SAVED, v->exit_ns,
		      "left for user space with a timer still in the hardware");
	}
}

/* A put that is no preemption and no sleep ends an ioctl: after an exit, KVM_RUN. */
void kt_step_put_reason(struct at *a)
{
	struct rule_vcpu *v = a->v;

	if (a->ev->kind == KT_EV_USER_EXIT) {
		if (v->owe_user)
			held(a);
		return;
	}
	if (!v->owe_user || v->excused || !captured(a, KT_EV_USER_EXIT))
		return;
	v->owe_user = false;
	/* A trapped timer register is saved and restored under one exit. */
	if (v->exit_code == KT_EXIT_TRAP && v->exit_ec == EC_SYSREG)
		legal(a);
	else
		kt_broke(a, v->exit_ns, "saved and restored between an exit and the next entry, for no reason");
}

static bool is_call(uint8_t ec)
{
	return ec == EC_HVC32 || ec == EC_HVC64 || ec == EC_SMC32 || ec == EC_SMC64;
}

void kt_step_wfx_exit(struct at *a)
{
	if (a->ev->kind == KT_EV_WFX) {
		if (a->v->in_guest == 0)
			judge(a, a->v->owe_wfx && !a->v->slept_since_exit, a->v->exit_ns,
			      "WFI or WFE handled without its exit, or after its sleep");
	} else if (a->v->owe_wfx && captured(a, KT_EV_WFX)) {
		kt_broke(a, a->v->exit_ns, "an exit by WFI or WFE was not handled as one");
	}
}

/* WFI halts, and so do PSCI's calls; each halt ends in one wake-up, taken or not. */
void kt_step_one_wakeup(struct at *a)
{
	const struct rule_vcpu *v = a->v;

	if (v->in_guest != 0 || !v->exit_ns)
		return;
	if (a->ev->kind == KT_EV_ENTRY) {
		if (v->owe_wakeup && captured(a, KT_EV_WAKEUP))
			kt_broke(a, v->exit_ns, "halted, and entered again without a wake-up");
		return;
	}
	judge(a, v->exit_code == KT_EXIT_TRAP && (v->exit_ec == EC_WFX || is_call(v->exit_ec)) &&
	      (!v->woke || v->put_since_exit), v->exit_ns,
	      v->woke ? "woken twice from one halt" : "woken without a halt");
}

/* The background timer runs only while its vCPU sleeps: also one that is switched off (PSCI) has it. */
void kt_step_sleep_timer(struct at *a)
{
	if (!a->r->maps_seen)
		return;
	if (a->v->in_guest != NO_LEVEL && a->v->exit_ns)
		judge(a, a->v->asleep, a->v->exit_ns, "the background timer of a vCPU that was not blocked fired");
}

/* Exceptions are taken at VBAR_EL1 + 0x000 … 0x780. */
static bool is_vector(uint64_t pc)
{
	return !(pc & 0x7f);
}

void kt_step_resume(struct at *a)
{
	const struct rule_vcpu *v = a->v;
	uint64_t pc = a->ev->run.pc;

	if (v->in_guest || !v->exit_ns || v->reset_ns || v->gone)
		return;
	if (pc == v->exit_pc || (v->exit_code != KT_EXIT_IRQ && pc == v->exit_pc + 4))
		held(a);
	else if ((v->user_ns > v->exit_ns && v->user_reason != KT_USER_MMIO) || is_vector(pc))
		legal(a);
	else
		kt_broke(a, v->exit_ns, "the guest was entered at another place than where it was left");
}

/* A CPU has one loaded vCPU at most, and a vCPU runs where it was loaded. */
void kt_step_one_loaded(struct at *a)
{
	uint32_t *loaded = &a->r->loaded_on[a->ev->pcpu % MAX_CPUS];
	struct rule_vcpu *other = *loaded ? &a->r->vcpu[*loaded - 1] : NULL;

	switch (a->ev->kind) {
	case KT_EV_RESTORE:
		if (other && other != a->v && other->loaded && other->pcpu == a->ev->pcpu)
			kt_broke(a, other->entry_ns, "loaded on a CPU where another vCPU still is");
		else if (other)
			held(a);
		*loaded = a->vcpu + 1;
		return;
	case KT_EV_SAVE:
		*loaded = 0;
		break;
	}
	if (a->v->loaded)
		judge(a, a->v->pcpu == a->ev->pcpu, a->v->entry_ns, "seen on another CPU than where it was loaded");
}

/* ---- sleep ---- */

static uint64_t asleep_since(const struct rule_vcpu *v, const struct rule_timer *t)
{
	return t->deadline_ns > v->blocked_ns ? t->deadline_ns : v->blocked_ns;
}

/* Called when a blocked vCPU is awake again: RESTORE, WAKEUP or ENTRY. */
static void judge_sleep(struct at *a, bool expired)
{
	struct rule_vcpu *v = a->v;

	if (!v->blocked_ns || !captured(a, KT_EV_BG_EXPIRE))
		return;
	for (unsigned int i = 0; i < nr_timers(a->v); i++) {
		const struct rule_timer *t = timer_of(v, i);
		bool over = fires(t->ctl) || (t->deadline_ns && t->deadline_ns < v->blocked_ns);
		uint64_t due_ns;

		if (t->role == ROLE_UNKNOWN || !t->regs_known || !can_fire(t->ctl) || over != expired ||
		    (!over && !t->deadline_ns))
			continue;
		due_ns = over ? v->blocked_ns : asleep_since(v, t);
		a->timer = i;
		if (v->bg_ns >= due_ns && v->bg_ns) {
			if (v->bg_ns > due_ns + LATE_NS)
				late(a);
			else
				held(a);
		} else if (is_missing(a, due_ns)) {
			kt_broke_late(a, v->blocked_ns,
				      "the vCPU slept past its timer's deadline: no background timer fired",
				      a->ev->ts_ns - due_ns);
		}
	}
}

void kt_step_wakeup(struct at *a)
{
	judge_sleep(a, false);
}

void kt_step_expired_sleep(struct at *a)
{
	judge_sleep(a, true);
}

/* ---- user space as the interrupt controller ---- */

static const uint8_t user_timers[] = { KT_VTIMER, KT_PTIMER };

static bool falls_unseen(const struct rule_timer *t, uint8_t timer)
{
	return t->line == 1 && t->role == ROLE_DIRECT && timer == KT_PTIMER;
}

void kt_step_notify(struct at *a)
{
	if (!user_irqchip(a->v))
		return;
	for (unsigned int i = 0; i < 2; i++) {
		const struct rule_timer *t = &a->v->timer[user_timers[i]];

		if (t->line == NO_LEVEL || t->user == NO_LEVEL)
			continue;
		a->timer = user_timers[i];
		/*
		 * KVM compares the live output.  User space may have been told something
		 * newer than was published, and the fall of a direct physical timer is
		 * published by the next load only.
		 */
		if (t->line != t->user && (t->published_ns < a->v->user_ns || falls_unseen(t, user_timers[i]))) {
			legal(a);
			continue;
		}
		judge(a, t->line == t->user, t->published_ns,
		      "the level changed, and the guest was entered before user space was told");
	}
}

/*
 * The page shows the live output, which may have risen since it was last
 * published.  A direct timer's registers were saved just before: it is high in
 * them.  A KVM_RUN that returns at once after a reset shows the page of old.
 */
static bool may_have_risen(const struct at *a, const struct rule_timer *t)
{
	return t->role != ROLE_DIRECT || t->regs != REGS_SAVED || fires(t->saved_ctl) || a->v->reset_ns;
}

void kt_step_user_bit(struct at *a)
{
	static const uint8_t bit[] = { 1, 2 };

	if (!(a->ev->user_exit.flags & KT_USER_EXIT_LEVEL) || !user_irqchip(a->v))
		return;
	for (unsigned int i = 0; i < 2; i++) {
		const struct rule_timer *t = &a->v->timer[user_timers[i]];
		bool told = a->ev->user_exit.device_irq_level & bit[i];

		if (t->line == NO_LEVEL)
			continue;
		a->timer = user_timers[i];
		/*
		 * An interrupt may raise the line after the page was written; and 7.2
		 * writes it before the entry (0d27b4b35149).
		 */
		if (told != t->line && ((told && may_have_risen(a, t)) || a->r->no_level_cache || falls_unseen(t, user_timers[i]) ||
					(t->from_irq && t->published_ns > a->v->exit_ns))) {
			legal(a);
			continue;
		}
		judge(a, told == t->line, t->published_ns,
		      "user space was shown another level than was published");
	}
}

/* ---- calls, where there are no tracepoints ---- */

/*
 * The level-triggered timer turned the order round (4b4b4512da2a): the timer's
 * sync publishes a line that fell before the vgic's sync looks at it.  From 4.15
 * on, with load and put, the vgic looks for itself.
 */
void kt_step_timer_first(struct at *a)
{
	const struct rule_vcpu *v = a->v;

	if (a->ev->call.fn == KT_CALL_VGIC_SYNC && v->entered && a->r->flush_called && !a->r->load_called)
		judge(a, v->timer_synced, v->entry_ns, "the vgic was synced before the timer: the line's fall comes too late for it");
}

/* ---- reset ---- */

void kt_step_reset_low(struct at *a)
{
	if (!a->v->reset_ns)
		return;
	if (a->ev->kind == KT_EV_LR) {
		if (context(a->ev) == KT_AT_FLUSH)
			judge(a, !(lr_value(a->ev) & KT_LR_ACTIVE_), a->v->reset_ns,
			      "the vCPU was reset, and an interrupt from before is still active");
		return;
	}
	/* The reset works out one map, the load after it the next: which of them published? */
	if (a->ev->kind == KT_EV_MAP && (context(a->ev) != KT_AT_TASK || a->v->reset_maps != 1))
		return;
	for (unsigned int i = 0; i < nr_timers(a->v); i++) {
		struct rule_timer *t = timer_of(a->v, i);

		if (!t->line && t->published_ns >= a->v->reset_ns) {
			a->timer = i;
			held(a);
		} else if (t->reset) {
			a->timer = i;
			t->reset = false;
			kt_broke(a, a->v->reset_ns, "the vCPU was reset, and the level was not published low");
		}
	}
}
