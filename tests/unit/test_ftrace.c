/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own trace events: their text, and whose they are. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "event.h"
#include "ftrace_blocks.h"
#include "ftrace_feed.h"

/* ---- text ---- */

static struct kt_ftrace_rec parsed(const char *name, const char *text)
{
	struct kt_ftrace_rec r = { .id = kt_ftrace_find(name, strlen(name)) };

	assert_int_not_equal(r.id, KT_FT_NONE);
	assert_int_equal(kt_ftrace_parse(&r, text, strlen(text)), 0);
	return r;
}

static void text_of_every_event(void **state)
{
	struct kt_ftrace_rec r;

	(void)state;
	r = parsed("kvm_timer_update_irq", "VCPU: 3, IRQ 27, level 1");
	assert_int_equal(r.v[KT_FV_LEVEL_VCPU], 3);
	assert_int_equal(r.v[KT_FV_LEVEL_IRQ], 27);
	assert_int_equal(r.v[KT_FV_LEVEL_LEVEL], 1);
	r = parsed("vgic_update_irq_pending", "VCPU: 3, IRQ 27, level: 0");
	assert_int_equal(r.v[KT_FV_LEVEL_LEVEL], 0);
	r = parsed("kvm_get_timer_map", "VCPU: 0, dv: 1, dp: -1, ep: 0");
	assert_int_equal((int)r.v[KT_FV_MAP_DP], -1);
	assert_false(r.has & 1 << KT_FV_MAP_EV);
	r = parsed("kvm_get_timer_map", "VCPU: 0, dv: 1, dp: 0, ev: -1, ep: -1");
	assert_true(r.has & 1 << KT_FV_MAP_EV);
	r = parsed("kvm_timer_save_state", "   CTL: 0x000005 CVAL:       0x3b9aca00 arch_timer_ctx_index: 1");
	assert_int_equal(r.v[KT_FV_REGS_CTL], 5);
	assert_int_equal(r.v[KT_FV_REGS_CVAL], 0x3b9aca00);
	assert_int_equal(r.v[KT_FV_REGS_TIMER], 1);
	/* printf of the C library leaves the 0x out for a zero */
	r = parsed("kvm_timer_restore_state", "CTL: 00000000 CVAL:                0 arch_timer_ctx_index: 0");
	assert_int_equal(r.v[KT_FV_REGS_CVAL], 0);
	r = parsed("kvm_timer_emulate", "arch_timer_ctx_index: 0 (should_fire: 1)");
	assert_int_equal(r.v[KT_FV_EMULATE_FIRE], 1);
	r = parsed("kvm_timer_hrtimer_expire", "arch_timer_ctx_index: 2");
	assert_int_equal(r.v[KT_FV_EXPIRE_TIMER], 2);
	r = parsed("kvm_entry", "PC: 0xffff800080001234");
	assert_true(r.v[KT_FV_ENTRY_PC] == 0xffff800080001234);
	r = parsed("kvm_exit", "TRAP: HSR_EC: 0x0001 (WFx), PC: 0x0000000080000abc");
	assert_int_equal(r.v[KT_FV_EXIT_RET], 2);
	assert_int_equal(r.v[KT_FV_EXIT_EC], 1);
	assert_int_equal(r.v[KT_FV_EXIT_PC], 0x80000abc);
	/* Linux 4.3: a class that may be an old one, so no cause. */
	r = parsed("kvm_exit", "HSR_EC: 0x0024, PC: 0x80000abc");
	assert_false(r.has & 1u << KT_FV_EXIT_RET);
	assert_int_equal(r.v[KT_FV_EXIT_PC], 0x80000abc);
	r = parsed("kvm_exit", "IRQ: HSR_EC: 0x0000 (UNKNOWN), PC: 0x0000000080000abc");
	assert_int_equal(r.v[KT_FV_EXIT_RET], 0);
	r = parsed("kvm_wfx_arm64", "guest executed wfe at: 0x0000000080000abc");
	assert_int_equal(r.v[KT_FV_WFX_WFE], 1);
	r = parsed("kvm_vcpu_wakeup", "wait time 18900123 ns, polling valid");
	assert_int_equal(r.v[KT_FV_WAKEUP_NS], 18900123);
	assert_int_equal(r.v[KT_FV_WAKEUP_WAITED], 1);
	r = parsed("kvm_userspace_exit", "reason KVM_EXIT_MMIO (6)");
	assert_int_equal(r.v[KT_FV_USER_REASON], 6);
	assert_int_equal(r.v[KT_FV_USER_ERRNO], 0);
	r = parsed("kvm_userspace_exit", "reason restart (4)");
	assert_int_equal((int)r.v[KT_FV_USER_ERRNO], -4);
	r = parsed("irq_handler_entry", "irq=9 name=kvm guest vtimer");
	assert_int_equal(r.v[KT_FV_IRQ_NAME], KT_FI_VTIMER);
	r = parsed("irq_handler_entry", "irq=33 name=uart, \"x\"");
	assert_int_equal(r.v[KT_FV_IRQ_NAME], KT_FI_OTHER);
	r = parsed("hrtimer_start", "hrtimer=00000000abcdef12 function=kvm_bg_timer_expire expires=123456 softexpires=123456 mode=ABS");
	assert_int_equal(r.v[KT_FV_HRT_PTR], 0xabcdef12);
	assert_int_equal(r.v[KT_FV_HRT_FUNCTION], KT_FN_BACKGROUND);
	assert_int_equal(r.v[KT_FV_HRT_EXPIRES], 123456);
	r = parsed("hrtimer_expire_entry", "hrtimer=0xffff0000c0ffee00 function=kvm_hrtimer_expire/0x0 now=12");
	assert_int_equal(r.v[KT_FV_HRT_FUNCTION], KT_FN_EMULATED);
	r = parsed("hrtimer_expire_entry", "hrtimer=0xffff0000c0ffee00 now=12 function=tick_sched_timer+0x0");
	assert_int_equal(r.v[KT_FV_HRT_FUNCTION], KT_FN_OTHER);
}

/* Names of threads may hold whatever the formats use as marks. */
static void names_that_look_like_fields(void **state)
{
	struct kt_ftrace_rec r;

	(void)state;
	r = parsed("sched_switch", "prev_comm=a prev_pid=9 ==> prev_pid=100 prev_prio=120 prev_state=S ==> next_comm=CPU 0/KVM next_pid=7 next_pid=101 next_prio=120");
	assert_int_equal(r.v[KT_FV_SWITCH_PREV], 100);
	assert_int_equal(r.v[KT_FV_SWITCH_STATE], 1);
	assert_int_equal(r.v[KT_FV_SWITCH_NEXT], 101);
	r = parsed("sched_switch", "CPU 1/KVM:100 [120] R+ ==> swapper/1:0 [120]");
	assert_int_equal(r.v[KT_FV_SWITCH_PREV], 100);
	assert_int_equal(r.v[KT_FV_SWITCH_STATE], 0);
	assert_int_equal(r.v[KT_FV_SWITCH_NEXT], 0);
}

static void raw_fields_and_rubbish(void **state)
{
	static const char *const bad[] = { "", "VCPU:", "VCPU: x, IRQ 27, level 1", "VCPU: 1, IRQ 27",
		"vcpu_id=1 irq=27", "VCPU: 99999999999999999999999, IRQ 1, level 1" };
	struct kt_ftrace_rec r;

	(void)state;
	r = parsed("kvm_timer_update_irq", " vcpu_id=0x1 irq=27 level=1");
	assert_int_equal(r.v[KT_FV_LEVEL_VCPU], 1);
	assert_int_equal(r.v[KT_FV_LEVEL_IRQ], 27);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		r.id = KT_FT_UPDATE_IRQ;
		assert_int_equal(kt_ftrace_parse(&r, bad[i], strlen(bad[i])), -EINVAL);
	}
	r.id = KT_FT_NONE;
	assert_int_equal(kt_ftrace_parse(&r, "x", 1), -EINVAL);
}

/* ---- whose ---- */

struct play {
	struct kt_ftrace *f;
	uint64_t now_ns;
	uint32_t tid, tgid;
	uint16_t cpu;
	struct kt_event ev;
};

static void play_init(struct play *p)
{
	memset(p, 0, sizeof(*p));
	p->now_ns = 1000001;
	assert_int_equal(kt_ftrace_new(NULL, &p->f), 0);
}

/* The current thread has an event; the text says which.  Returns whether ours came of it. */
static int act(struct play *p, enum kt_ftrace_ctx ctx, const char *name, const char *text)
{
	struct kt_ftrace_rec r = parsed(name, text);

	r.ts_ns = p->now_ns += 1001;
	r.tid = p->tid;
	r.tgid = p->tgid;
	r.cpu = p->cpu;
	r.ctx = ctx;
	memset(&p->ev, 0, sizeof(p->ev));
	return kt_ftrace_feed(p->f, &r, &p->ev);
}

static void on(struct play *p, uint16_t cpu, uint32_t tid)
{
	p->cpu = cpu;
	p->tid = tid;
}

static void load(struct play *p, int vcpu_id)
{
	char text[64];

	snprintf(text, sizeof(text), "VCPU: %d, dv: 1, dp: 0, ev: -1, ep: -1", vcpu_id);
	assert_int_equal(act(p, KT_FC_TASK, "kvm_get_timer_map", text), 1);
	snprintf(text, sizeof(text), "VCPU: %d, IRQ 27, level 0", vcpu_id);
	assert_int_equal(act(p, KT_FC_TASK, "kvm_timer_update_irq", text), 1);
	assert_int_equal(act(p, KT_FC_TASK, "kvm_timer_restore_state", "CTL: 0x1 CVAL: 0x10 arch_timer_ctx_index: 1"), 1);
}

static void enter(struct play *p)
{
	assert_int_equal(act(p, KT_FC_TASK, "kvm_entry", "PC: 0x80000000"), 1);
}

static void leave(struct play *p)
{
	assert_int_equal(act(p, KT_FC_TASK, "kvm_exit", "TRAP: HSR_EC: 0x0016 (HVC64), PC: 0x80000000"), 1);
}

/* Two VMs, vcpu_id 0 in both, no process ids: never one. */
static void two_vms_stay_two(void **state)
{
	struct play p;
	const struct kt_ident *rows;
	uint32_t a;

	(void)state;
	play_init(&p);
	on(&p, 0, 100);
	load(&p, 0);
	a = p.ev.who;
	enter(&p);
	on(&p, 1, 200);
	load(&p, 0);
	enter(&p);
	assert_int_not_equal(p.ev.who, a);
	assert_int_equal(kt_ftrace_idents(p.f, &rows), 2);
	assert_true(rows[0].kvm != rows[1].kvm);
	assert_int_equal(kt_ftrace_stats(p.f)->without_tgid, 2);
	assert_int_equal(kt_ftrace_stats(p.f)->same_id_unknown_vm, 2);
	assert_int_equal(kt_ftrace_idents(p.f, &rows), 0);
	kt_ftrace_free(p.f);
}

static void a_process_is_a_vm(void **state)
{
	const struct kt_ident *rows;
	struct play p;

	(void)state;
	play_init(&p);
	p.tgid = 99;
	on(&p, 0, 100);
	load(&p, 0);
	enter(&p);
	on(&p, 1, 101);
	load(&p, 1);
	enter(&p);
	assert_int_equal(kt_ftrace_idents(p.f, &rows), 2);
	assert_true(rows[0].kvm == rows[1].kvm && rows[0].vm_gen == rows[1].vm_gen);
	/* The main thread resets vCPU 1: but whose vCPU 1, if the process has two VMs? */
	on(&p, 0, 99);
	act(&p, KT_FC_TASK, "kvm_timer_update_irq", "VCPU: 1, IRQ 27, level 0");
	assert_int_equal(p.ev.who, KT_WHO_TID | 99);
	/* A second thread enters as vCPU 0 of the process: a second VM. */
	on(&p, 0, 102);
	load(&p, 0);
	enter(&p);
	assert_int_equal(kt_ftrace_idents(p.f, &rows), 1);
	assert_int_equal(rows[0].vm_gen, 1);
	assert_int_equal(kt_ftrace_stats(p.f)->two_in_process, 1);
	kt_ftrace_free(p.f);
}

/* A process whose threads all enter as vCPU 0: a VM each, found without walking over all others. */
static void many_vms_in_a_process(void **state)
{
	const struct kt_ftrace_stats *s;
	struct play p;
	uint64_t searched;

	(void)state;
	play_init(&p);
	p.tgid = 99;
	for (uint32_t i = 0; i < KT_FTRACE_VCPUS_MAX; i++) {
		on(&p, 0, 1000 + i);
		load(&p, 0);
		enter(&p);
		assert_int_equal(p.ev.who, i + 1);
	}
	s = kt_ftrace_stats(p.f);
	assert_int_equal(s->two_in_process, KT_FTRACE_VCPUS_MAX - 1);
	assert_in_range(s->searched, 1, 3 * KT_FTRACE_VCPUS_MAX);
	assert_int_equal(s->refused, 0);
	/* Threads for whom there is no room: as little, and each counts once. */
	searched = s->searched;
	for (uint32_t i = 0; i < 1000; i++) {
		on(&p, 0, 100000 + i % 10);
		load(&p, 0);
		enter(&p);
		assert_true(p.ev.who & KT_WHO_TID);
	}
	s = kt_ftrace_stats(p.f);
	assert_in_range(s->searched - searched, 0, 3 * 1000);
	assert_int_equal(s->refused, 10);
	kt_ftrace_free(p.f);
}

/* The same where each is named only after it was entered. */
static void many_vms_named_late(void **state)
{
	const uint32_t threads = 4000;
	struct play p;

	(void)state;
	play_init(&p);
	p.tgid = 99;
	for (uint32_t i = 0; i < threads; i++) {
		on(&p, 0, 1000 + i);
		enter(&p);
		leave(&p);
		act(&p, KT_FC_TASK, "kvm_halt_poll_ns", "vcpu 0: halt_poll_ns 0 (grow 0)");
	}
	assert_int_equal(kt_ftrace_stats(p.f)->two_in_process, threads - 1);
	assert_in_range(kt_ftrace_stats(p.f)->searched, 1, 3 * threads);
	kt_ftrace_free(p.f);
}

/* One thread that runs vCPU 0 and 1 of the second VM of its process in turn has two vCPUs, not ever more. */
static void one_thread_runs_two_in_turn(void **state)
{
	struct play p;
	uint32_t who[2];

	(void)state;
	play_init(&p);
	p.tgid = 99;
	for (uint32_t i = 0; i < 2; i++) {
		on(&p, 0, 100 + i);
		load(&p, i);
		enter(&p);
	}
	on(&p, 0, 102);
	for (int i = 0; i < 10; i++) {
		load(&p, i % 2);
		enter(&p);
		leave(&p);
		assert_true(i < 2 || p.ev.who == who[i % 2]);
		who[i % 2] = p.ev.who;
	}
	assert_int_not_equal(who[0], who[1]);
	kt_ftrace_free(p.f);
}

/* Only kvm_entry and kvm_exit were recorded: a vCPU without a number, until one is heard. */
static void entries_only(void **state)
{
	const struct kt_ident *rows;
	struct play p;
	uint32_t who;

	(void)state;
	play_init(&p);
	on(&p, 0, 100);
	enter(&p);
	who = p.ev.who;
	assert_false(who & KT_WHO_TID);
	leave(&p);
	assert_int_equal(p.ev.who, who);
	assert_int_equal(kt_ftrace_idents(p.f, &rows), 1);
	assert_int_equal(rows[0].vcpu_id, KT_VCPU_ID_UNKNOWN);
	act(&p, KT_FC_TASK, "kvm_halt_poll_ns", "vcpu 5: halt_poll_ns 0 (grow 0)");
	assert_int_equal(kt_ftrace_idents(p.f, &rows), 1);
	assert_int_equal(rows[0].vcpu_id, 5);
	assert_int_equal(rows[0].who, who);
	kt_ftrace_free(p.f);
}

/* A host tick between the publication and the vgic's part, and an SPI that is no timer's. */
static void vgic_updates_pair_by_context(void **state)
{
	struct play p;
	uint32_t who;

	(void)state;
	play_init(&p);
	on(&p, 0, 100);
	load(&p, 4);
	enter(&p);
	leave(&p);
	act(&p, KT_FC_TASK, "kvm_timer_update_irq", "VCPU: 4, IRQ 27, level 1");
	who = p.ev.who;
	act(&p, KT_FC_HARDIRQ, "kvm_get_timer_map", "VCPU: 4, dv: 1, dp: 0, ev: -1, ep: -1");
	act(&p, KT_FC_HARDIRQ, "kvm_timer_update_irq", "VCPU: 4, IRQ 30, level 1");
	assert_int_equal(KT_SUB_AT(p.ev.sub), KT_AT_HOST_IRQ);
	/* the index of the vCPU, on a 6.7+ host */
	assert_int_equal(act(&p, KT_FC_TASK, "vgic_update_irq_pending", "VCPU: 0, IRQ 27, level: 1"), 1);
	assert_int_equal(p.ev.who, who);
	assert_int_equal(p.ev.sub, KT_SUB(KT_VTIMER, KT_AT_TASK));
	assert_int_equal(act(&p, KT_FC_TASK, "vgic_update_irq_pending", "VCPU: 0, IRQ 40, level: 1"), 0);
	assert_int_equal(kt_ftrace_stats(p.f)->other_irq, 1);
	kt_ftrace_free(p.f);
}

/* vCPU 0 of tid's process goes into its guest with a soft timer armed; who that is. */
static uint32_t enter_armed(struct play *p, uint16_t cpu, uint32_t tid)
{
	uint32_t who;

	on(p, cpu, tid);
	load(p, 0);
	who = p->ev.who;
	act(p, KT_FC_TASK, "kvm_timer_emulate", "arch_timer_ctx_index: 0 (should_fire: 0)");
	enter(p);
	return who;
}

/* nohz_full: a's soft timer fires on b's CPU, on top of b; both are vCPU 0. */
static void foreign_soft_timer(void **state)
{
	struct play p;
	uint32_t a, b;

	(void)state;
	play_init(&p);
	a = enter_armed(&p, 1, 100);
	b = enter_armed(&p, 0, 200);
	act(&p, KT_FC_HARDIRQ, "kvm_timer_hrtimer_expire", "arch_timer_ctx_index: 0");
	assert_int_equal(p.ev.who, KT_WHO_NONE);
	act(&p, KT_FC_HARDIRQ, "kvm_timer_update_irq", "VCPU: 0, IRQ 30, level 1");
	assert_int_equal(p.ev.who, KT_WHO_NONE);
	assert_int_equal(kt_ftrace_stats(p.f)->ambiguous_soft, 1);

	/* The same with the timer's own events: known. */
	on(&p, 1, 100);
	leave(&p);
	act(&p, KT_FC_TASK, "hrtimer_start", "hrtimer=0xa0 function=kvm_hrtimer_expire expires=5000000 softexpires=5000000");
	enter(&p);
	on(&p, 0, 200);
	act(&p, KT_FC_HARDIRQ, "hrtimer_expire_entry", "hrtimer=0xa0 function=kvm_hrtimer_expire now=5000001");
	act(&p, KT_FC_HARDIRQ, "kvm_timer_hrtimer_expire", "arch_timer_ctx_index: 0");
	assert_int_equal(p.ev.who, a);
	assert_int_equal(p.ev.hrtimer.expires_ns, 5000000);
	act(&p, KT_FC_HARDIRQ, "kvm_timer_update_irq", "VCPU: 0, IRQ 30, level 1");
	assert_int_equal(p.ev.who, a);
	assert_int_equal(p.ev.sub, KT_SUB(KT_PTIMER, KT_AT_SOFT_TIMER));
	act(&p, KT_FC_HARDIRQ, "hrtimer_expire_exit", "hrtimer=0xa0");
	leave(&p);
	assert_int_equal(p.ev.who, b);
	kt_ftrace_free(p.f);
}

/* A soft timer fires on a, whose own may be armed; true when it is told to be a's. */
static bool soft_timer_is_own(struct play *p, uint16_t cpu, uint32_t tid, uint32_t who)
{
	on(p, cpu, tid);
	act(p, KT_FC_HARDIRQ, "kvm_timer_hrtimer_expire", "arch_timer_ctx_index: 0");
	act(p, KT_FC_HARDIRQ, "kvm_timer_update_irq", "VCPU: 0, IRQ 30, level 1");
	assert_true(p->ev.who == who || p->ev.who == KT_WHO_NONE);
	return p->ev.who == who;
}

/* Whose soft timer fires is told by who else is loaded: for that the other CPUs must have been read. */
static void soft_timers_need_all_cpus(void **state)
{
	struct play p;
	uint32_t a;

	(void)state;
	play_init(&p);
	a = enter_armed(&p, 0, 100);
	/* Only this CPU so far: the others' files may follow. */
	assert_false(soft_timer_is_own(&p, 0, 100, a));
	on(&p, 1, 200);
	load(&p, 0);
	enter(&p);
	/* The CPUs alternate: a merged trace. */
	p.now_ns += 200000;
	assert_true(soft_timer_is_own(&p, 0, 100, a));
	/* A writer that was interrupted is no disorder. */
	p.now_ns -= 100000;
	on(&p, 1, 200);
	leave(&p);
	p.now_ns += 100000;
	assert_true(soft_timer_is_own(&p, 0, 100, a));
	assert_int_equal(kt_ftrace_stats(p.f)->back_in_time, 0);
	/* The next file begins where the first one did. */
	p.now_ns += 2000000;
	on(&p, 1, 200);
	enter(&p);
	p.now_ns -= 2000000;
	assert_false(soft_timer_is_own(&p, 0, 100, a));
	assert_int_equal(kt_ftrace_stats(p.f)->back_in_time, 2);
	assert_int_equal(kt_ftrace_stats(p.f)->ambiguous_soft, 2);
	kt_ftrace_free(p.f);
}

/* Its start was not recorded, but whom it wakes was: not the thread it fires on. */
static void background_timer_by_its_wakeup(void **state)
{
	struct play p;
	uint32_t a;

	(void)state;
	play_init(&p);
	on(&p, 0, 100);
	load(&p, 0);
	enter(&p);
	a = p.ev.who;
	leave(&p);
	on(&p, 1, 200);
	load(&p, 0);
	enter(&p);
	assert_int_equal(act(&p, KT_FC_HARDIRQ, "hrtimer_expire_entry", "hrtimer=0xb0 function=kvm_bg_timer_expire now=1"), 0);
	assert_int_equal(act(&p, KT_FC_HARDIRQ, "sched_waking", "comm=CPU 0/KVM pid=100 prio=120 target_cpu=000"), 1);
	assert_int_equal(p.ev.kind, KT_EV_BG_EXPIRE);
	assert_int_equal(p.ev.who, a);
	assert_int_equal(p.ev.ts_ns, p.now_ns - 1001);
	/* Nobody is woken: nobody's. */
	act(&p, KT_FC_HARDIRQ, "hrtimer_expire_entry", "hrtimer=0xb0 function=kvm_bg_timer_expire now=1");
	assert_int_equal(act(&p, KT_FC_HARDIRQ, "hrtimer_expire_exit", "hrtimer=0xb0"), 1);
	assert_int_equal(p.ev.who, KT_WHO_NONE);
	kt_ftrace_free(p.f);
}

/* The VM's process is seen to start: its threads belong together without tgids. */
static void a_process_seen_to_start(void **state)
{
	const struct kt_ident *rows;
	struct play p;

	(void)state;
	play_init(&p);
	on(&p, 0, 10);
	act(&p, KT_FC_TASK, "task_newtask", "pid=100 comm=sh clone_flags=1200000 oom_score_adj=0");
	on(&p, 0, 100);
	act(&p, KT_FC_TASK, "task_newtask", "pid=101 comm=vmm clone_flags=3d0f00 oom_score_adj=0");
	act(&p, KT_FC_TASK, "task_newtask", "pid=102 comm=vmm clone_flags=3d0f00 oom_score_adj=0");
	on(&p, 0, 101);
	load(&p, 0);
	enter(&p);
	on(&p, 1, 102);
	load(&p, 1);
	enter(&p);
	assert_int_equal(kt_ftrace_idents(p.f, &rows), 2);
	assert_int_equal(rows[0].tgid, 100);
	assert_true(rows[0].kvm == rows[1].kvm);
	kt_ftrace_free(p.f);
}

/* PPIs are configurable: a load's order tells which is which. */
static void ppis_are_learnt(void **state)
{
	struct play p;

	(void)state;
	play_init(&p);
	on(&p, 0, 100);
	for (int i = 0; i < 2; i++) {
		act(&p, KT_FC_TASK, "kvm_get_timer_map", "VCPU: 0, dv: 1, dp: 0, ev: -1, ep: -1");
		act(&p, KT_FC_TASK, "kvm_timer_update_irq", "VCPU: 0, IRQ 20, level 0");
		assert_int_equal(KT_SUB_TIMER(p.ev.sub), i ? KT_VTIMER : KT_TIMER_NONE);
		act(&p, KT_FC_TASK, "kvm_timer_update_irq", "VCPU: 0, IRQ 27, level 0");
		assert_int_equal(KT_SUB_TIMER(p.ev.sub), i ? KT_PTIMER : KT_VTIMER);
		act(&p, KT_FC_TASK, "kvm_timer_restore_state", "CTL: 0x1 CVAL: 0x10 arch_timer_ctx_index: 1");
		act(&p, KT_FC_TASK, "kvm_timer_restore_state", "CTL: 0x1 CVAL: 0x10 arch_timer_ctx_index: 0");
	}
	/* A reset publishes in another order and restores nothing before the next load. */
	act(&p, KT_FC_TASK, "kvm_get_timer_map", "VCPU: 0, dv: 1, dp: 0, ev: -1, ep: -1");
	act(&p, KT_FC_TASK, "kvm_timer_update_irq", "VCPU: 0, IRQ 27, level 0");
	assert_int_equal(KT_SUB_TIMER(p.ev.sub), KT_PTIMER);
	kt_ftrace_free(p.f);
}

/* A put as the scheduler's, as a sleep, and as a way to the VMM. */
static void why_registers_leave(void **state)
{
	struct play p;

	(void)state;
	play_init(&p);
	on(&p, 0, 100);
	load(&p, 0);
	enter(&p);
	leave(&p);
	act(&p, KT_FC_TASK, "sched_switch", "prev_comm=x prev_pid=100 prev_prio=120 prev_state=R+ ==> next_comm=y next_pid=7 next_prio=120");
	act(&p, KT_FC_TASK, "kvm_timer_save_state", "   CTL: 0x1 CVAL: 0x10 arch_timer_ctx_index: 1");
	assert_int_equal(p.ev.regs.flags, KT_SAVE_PREEMPTED);
	load(&p, 0);
	act(&p, KT_FC_TASK, "sched_switch", "prev_comm=x prev_pid=100 prev_prio=120 prev_state=S ==> next_comm=y next_pid=7 next_prio=120");
	act(&p, KT_FC_TASK, "kvm_timer_save_state", "   CTL: 0x1 CVAL: 0x10 arch_timer_ctx_index: 1");
	assert_int_equal(p.ev.regs.flags, KT_SAVE_BLOCKING);
	load(&p, 0);
	act(&p, KT_FC_TASK, "kvm_timer_save_state", "   CTL: 0x1 CVAL: 0x10 arch_timer_ctx_index: 1");
	assert_int_equal(p.ev.regs.flags, 0);
	kt_ftrace_free(p.f);
}

static void without_flags_the_guest_run_tells(void **state)
{
	struct play p;

	(void)state;
	play_init(&p);
	on(&p, 0, 100);
	load(&p, 0);
	enter(&p);
	act(&p, KT_FC_UNKNOWN, "kvm_get_timer_map", "VCPU: 0, dv: 1, dp: 0, ev: -1, ep: -1");
	assert_int_equal(KT_SUB_AT(p.ev.sub), KT_AT_HOST_IRQ);
	assert_int_equal(p.ev.map.direct_vtimer, -1);
	act(&p, KT_FC_UNKNOWN, "kvm_timer_update_irq", "VCPU: 0, IRQ 27, level 1");
	assert_int_equal(KT_SUB_AT(p.ev.sub), KT_AT_HOST_IRQ);
	leave(&p);
	act(&p, KT_FC_UNKNOWN, "kvm_timer_update_irq", "VCPU: 0, IRQ 27, level 0");
	assert_int_equal(KT_SUB_AT(p.ev.sub), KT_AT_TASK);
	assert_int_equal(kt_ftrace_stats(p.f)->no_context, 3);
	kt_ftrace_free(p.f);
}

/* The world switch of a host with CNTPOFF works out two maps in each run: no load, and no handler. */
static void maps_of_the_world_switch(void **state)
{
	static const char map[] = "VCPU: 0, dv: 1, dp: 0, ev: -1, ep: -1";
	struct play p;

	(void)state;
	for (int flags = 0; flags < 2; flags++) {
		enum kt_ftrace_ctx ctx = flags ? KT_FC_TASK : KT_FC_UNKNOWN;

		play_init(&p);
		on(&p, 0, 100);
		load(&p, 0);
		/* Without flags the first run teaches it. */
		for (int run = 0; run < 3; run++) {
			enter(&p);
			for (int i = 0; i < 2; i++) {
				act(&p, ctx, "kvm_get_timer_map", map);
				if (run || flags)
					assert_int_equal(KT_SUB_AT(p.ev.sub), KT_AT_TASK);
			}
			act(&p, flags ? KT_FC_HARDIRQ : ctx, "kvm_get_timer_map", map);
			assert_int_equal(KT_SUB_AT(p.ev.sub), KT_AT_HOST_IRQ);
			act(&p, flags ? KT_FC_HARDIRQ : ctx, "kvm_timer_update_irq", "VCPU: 0, IRQ 27, level 1");
			assert_int_equal(KT_SUB_AT(p.ev.sub), KT_AT_HOST_IRQ);
			leave(&p);
		}
		/* Of what comes between such a map and a restore no interrupt number is learnt. */
		enter(&p);
		act(&p, ctx, "kvm_get_timer_map", map);
		act(&p, KT_FC_TASK, "kvm_timer_update_irq", "VCPU: 0, IRQ 30, level 0");
		leave(&p);
		act(&p, KT_FC_TASK, "kvm_timer_restore_state", "CTL: 0x1 CVAL: 0x10 arch_timer_ctx_index: 1");
		act(&p, KT_FC_TASK, "kvm_timer_update_irq", "VCPU: 0, IRQ 30, level 0");
		assert_int_equal(KT_SUB_TIMER(p.ev.sub), KT_PTIMER);
		kt_ftrace_free(p.f);
	}
}

static void duplicates_and_imbalance(void **state)
{
	struct kt_ftrace_rec r = { .id = KT_FT_ENTRY, .tid = 100, .ts_ns = 5000, .has = 1, .v = { 7 } };
	struct kt_event ev;
	struct play p;

	(void)state;
	play_init(&p);
	assert_int_equal(kt_ftrace_feed(p.f, &r, &ev), 1);
	assert_int_equal(kt_ftrace_feed(p.f, &r, &ev), 0);
	assert_int_equal(kt_ftrace_stats(p.f)->duplicates, 1);
	assert_int_equal(kt_ftrace_stats(p.f)->double_entry, 0);
	r.ts_ns = 6000;
	assert_int_equal(kt_ftrace_feed(p.f, &r, &ev), 1);
	assert_int_equal(kt_ftrace_stats(p.f)->double_entry, 1);
	/* After a loss nothing is unbalanced. */
	kt_ftrace_lost(p.f, 0);
	r.ts_ns = 7000;
	assert_int_equal(kt_ftrace_feed(p.f, &r, &ev), 1);
	assert_int_equal(kt_ftrace_stats(p.f)->double_entry, 1);
	kt_ftrace_free(p.f);
}

/* A LOST mark, then an older time: the loss has no length, rather than a negative one. */
static void a_loss_before_an_older_record(void **state)
{
	struct kt_ftrace_rec r = { .id = KT_FT_ENTRY, .tid = 100, .ts_ns = 9000, .has = 1, .v = { 7 } };
	struct kt_ftrace_blocks *b;
	struct kt_block block;
	unsigned int losses = 0;

	(void)state;
	assert_int_equal(kt_ftrace_blocks_new(NULL, &b), 0);
	assert_int_equal(kt_ftrace_blocks_rec(b, &r), 0);
	assert_int_equal(kt_ftrace_blocks_lost(b, 0, 3), 0);
	r.ts_ns = 5000;
	assert_int_equal(kt_ftrace_blocks_rec(b, &r), 0);
	assert_int_equal(kt_ftrace_blocks_end(b), 0);
	while (kt_ftrace_blocks_next(b, &block)) {
		if (block.type == KT_BLOCK_LOSS) {
			losses++;
			assert_int_equal(block.first_ns, 5000);
			assert_int_equal(block.last_ns, 5000);
			assert_int_equal(block.loss->from_ns, 5000);
			assert_int_equal(block.loss->lost[KT_EV_NONE], 3);
		}
		kt_ftrace_blocks_release(b, &block);
	}
	assert_int_equal(losses, 1);
	kt_ftrace_blocks_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_every_event),
		cmocka_unit_test(names_that_look_like_fields),
		cmocka_unit_test(raw_fields_and_rubbish),
		cmocka_unit_test(two_vms_stay_two),
		cmocka_unit_test(a_process_is_a_vm),
		cmocka_unit_test(many_vms_in_a_process),
		cmocka_unit_test(many_vms_named_late),
		cmocka_unit_test(one_thread_runs_two_in_turn),
		cmocka_unit_test(entries_only),
		cmocka_unit_test(vgic_updates_pair_by_context),
		cmocka_unit_test(foreign_soft_timer),
		cmocka_unit_test(soft_timers_need_all_cpus),
		cmocka_unit_test(background_timer_by_its_wakeup),
		cmocka_unit_test(a_process_seen_to_start),
		cmocka_unit_test(ppis_are_learnt),
		cmocka_unit_test(why_registers_leave),
		cmocka_unit_test(without_flags_the_guest_run_tells),
		cmocka_unit_test(maps_of_the_world_switch),
		cmocka_unit_test(duplicates_and_imbalance),
		cmocka_unit_test(a_loss_before_an_older_record),
	};

	return cmocka_run_group_tests_name("ftrace", tests, NULL, NULL);
}
