/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose a record of our own trace instance is: the stories that go wrong elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ftrace_live.h"

#define TIMERS 1000
#define TIMER_SIZE 100
#define HRTIMER 8
#define BG_TIMER 2000
#define KVM_A 0xa000
#define KVM_B 0xb000
#define VCPU_A 0x10000
#define VCPU_B 0x20000

static struct {
	struct kt_live *live;
	struct kt_event ev[64];
	size_t n;
	struct kt_ident id[16];
	size_t nr_ids;
	uint64_t now_ns;
	uint32_t runs;		/* thread of an unwanted vCPU, as last told */
} t;

static int on_events(void *arg, uint32_t cpu, const struct kt_event *ev, size_t n)
{
	(void)arg;
	(void)cpu;
	assert_true(t.n + n <= 64);
	memcpy(&t.ev[t.n], ev, n * sizeof(*ev));
	t.n += n;
	return 0;
}

static int on_idents(void *arg, const struct kt_ident *id, size_t n)
{
	(void)arg;
	assert_true(t.nr_ids + n <= 16);
	memcpy(&t.id[t.nr_ids], id, n * sizeof(*id));
	t.nr_ids += n;
	return 0;
}

static void on_runs(void *arg, uint32_t tid, bool wanted)
{
	(void)arg;
	t.runs = wanted ? 0 : tid;
}

static uint32_t tgid_of(void *arg, uint32_t tid)
{
	(void)arg;
	return tid / 100 * 100;
}

static void start(const struct kt_live_opts *more)
{
	struct kt_live_sink sink = { .events = on_events, .idents = on_idents,
				     .runs = on_runs, .tgid_of = tgid_of };
	struct kt_live_opts opts = { 0 };

	memset(&t, 0, sizeof(t));
	if (more)
		opts = *more;
	opts.nr_cpus = 2;
	if (!opts.knobs.gic)
		opts.knobs.gic = 3;
	if (!opts.layout.timers && !opts.layout.flag[5].bits)
		opts.layout = (struct kt_live_layout){ TIMERS, TIMER_SIZE, HRTIMER, BG_TIMER, { { 0 } } };
	assert_int_equal(kt_live_new(&opts, &sink, &t.live), 0);
}

static int stop(void **state)
{
	(void)state;
	kt_live_free(t.live);
	t.live = NULL;
	return 0;
}

static void feed(struct kt_live_rec *rec)
{
	rec->ts_ns = t.now_ns += 10;
	assert_int_equal(kt_live_feed(t.live, rec), 0);
}

/* Hands out all that was made since the last call; returns how many. */
static size_t taken(void)
{
	t.n = 0;
	assert_int_equal(kt_live_flush(t.live, true), 0);
	return t.n;
}

static struct kt_live_rec load_rec(uint32_t cpu, uint32_t tid, uint64_t kvm, uint64_t vcpu,
				   uint32_t id)
{
	struct kt_live_rec r = { .id = KT_LP_LOAD, .cpu = cpu, .tid = tid, .ctx = KT_FC_TASK };

	r.v[KT_LV_VCPU] = vcpu;
	r.v[KT_LV_KVM] = kvm;
	r.v[KT_LV_TGID] = tid / 100 * 100;
	r.v[KT_LV_ID] = r.v[KT_LV_IDX] = id;
	r.v[KT_LV_PID] = 0x99;
	r.v[KT_LV_TID] = tid;
	r.v[KT_LV_IRQ + KT_PTIMER] = 30;
	r.v[KT_LV_IRQ + KT_VTIMER] = 27;
	r.v[KT_LV_HOST_IRQ + KT_VTIMER] = 12;
	r.v[KT_LV_IN_KERNEL] = 1;
	r.v[KT_LV_MODEL] = 7;
	r.has = (1ull << KT_LV_CNTVOFF) - 1;
	strcpy(r.comm, "vmm");
	return r;
}

static void load(uint32_t cpu, uint32_t tid, uint64_t kvm, uint64_t vcpu, uint32_t id)
{
	struct kt_live_rec r = load_rec(cpu, tid, kvm, vcpu, id);

	feed(&r);
}

static void rec(uint8_t id, uint32_t cpu, uint32_t tid, uint8_t ctx, uint64_t v0, uint64_t v1,
		uint64_t v2)
{
	struct kt_live_rec r = { .id = id, .cpu = cpu, .tid = tid, .ctx = ctx, .v = { v0, v1, v2 },
				 .has = 7 };

	feed(&r);
}

static void level(uint32_t cpu, uint32_t tid, uint8_t ctx, uint32_t irq)
{
	rec(KT_FT_UPDATE_IRQ, cpu, tid, ctx, 0, irq, 1);
}

static void put(uint32_t cpu, uint32_t tid, uint64_t vcpu)
{
	rec(KT_LP_PUT, cpu, tid, KT_FC_TASK, vcpu, 0, 0);
}

/* ---- identity ---- */

static void bare_events_belong_to_the_loaded_vcpu(void **state)
{
	(void)state;
	start(NULL);
	load(0, 101, KVM_A, VCPU_A, 0);
	load(1, 201, KVM_B, VCPU_B, 0);
	level(0, 101, KT_FC_TASK, 27);
	level(1, 201, KT_FC_HARDIRQ, 27);
	level(0, 999, KT_FC_TASK, 27);		/* another thread: only its id is known */
	assert_int_equal(taken(), 3);
	assert_int_equal(t.nr_ids, 2);
	assert_int_equal(t.ev[0].who, t.id[0].who);
	assert_int_equal(t.ev[1].who, KT_WHO_TID | 999);
	assert_int_equal(t.ev[2].who, t.id[1].who);
	assert_int_equal(KT_SUB_AT(t.ev[2].sub), KT_AT_HOST_IRQ);
	assert_int_equal(KT_SUB_TIMER(t.ev[0].sub), KT_VTIMER);
	assert_int_not_equal(t.id[0].vm_gen, t.id[1].vm_gen);
	assert_int_equal(t.id[1].tgid, 200);
	assert_int_equal(t.id[1].vgic, 3);
}

static void a_foreign_soft_timer_is_its_own_vcpus(void **state)
{
	(void)state;
	start(NULL);
	load(0, 101, KVM_A, VCPU_A, 0);
	load(1, 201, KVM_B, VCPU_B, 0);
	/* A's ptimer fires on the CPU where B is loaded. */
	rec(KT_LP_HRTIMER, 1, 201, KT_FC_HARDIRQ, VCPU_A + TIMERS + HRTIMER, 555, 0);
	rec(KT_FT_HRTIMER_EXPIRE, 1, 201, KT_FC_HARDIRQ, KT_PTIMER, 0, 0);
	level(1, 201, KT_FC_HARDIRQ, 30);
	level(1, 201, KT_FC_TASK, 27);
	assert_int_equal(taken(), 3);
	assert_int_equal(t.ev[0].who, t.id[0].who);
	assert_int_equal(t.ev[0].hrtimer.expires_ns, 555);
	assert_int_equal(t.ev[1].who, t.id[0].who);
	assert_int_equal(KT_SUB_AT(t.ev[1].sub), KT_AT_SOFT_TIMER);
	assert_int_equal(t.ev[2].who, t.id[1].who);
}

static void without_a_probe_a_soft_timer_is_nobodys(void **state)
{
	(void)state;
	start(NULL);
	load(1, 201, KVM_B, VCPU_B, 0);
	rec(KT_FT_HRTIMER_EXPIRE, 1, 201, KT_FC_HARDIRQ, KT_PTIMER, 0, 0);
	level(1, 201, KT_FC_HARDIRQ, 30);
	/* The host timer's own interrupt begins with a map. */
	rec(KT_FT_MAP, 1, 201, KT_FC_HARDIRQ, 0, 1, 0);
	level(1, 201, KT_FC_HARDIRQ, 27);
	assert_int_equal(taken(), 4);
	assert_int_equal(t.ev[0].who, KT_WHO_NONE);
	assert_int_equal(t.ev[1].who, KT_WHO_NONE);
	assert_int_equal(t.ev[2].who, t.id[0].who);
	assert_int_equal(t.ev[3].who, t.id[0].who);
}

static void enabling_may_move_to_another_cpu(void **state)
{
	struct kt_live_rec r = load_rec(0, 101, KVM_A, VCPU_A, 3);

	(void)state;
	start(NULL);
	r.id = KT_LP_ENABLE;
	feed(&r);
	rec(KT_FT_MAP, 1, 101, KT_FC_TASK, 3, 1, 0);
	rec(KT_FT_MAP, 1, 101, KT_FC_TASK, 4, 1, 0);	/* of a vCPU that nobody announced */
	rec(KT_FT_UPDATE_IRQ, 1, 101, KT_FC_TASK, 3, 27, 0);
	kt_live_gap(t.live, 0);
	rec(KT_FT_MAP, 1, 101, KT_FC_TASK, 3, 1, 0);
	assert_int_equal(taken(), 4);
	assert_int_equal(t.ev[0].who, t.id[0].who);
	assert_int_equal(t.ev[1].who, KT_WHO_TID | 101);
	assert_int_equal(t.ev[2].who, t.id[0].who);
	assert_int_equal(t.ev[3].who, KT_WHO_TID | 101);
}

static void a_reset_is_of_the_vcpu_that_it_names(void **state)
{
	struct kt_live_rec r = load_rec(0, 100, KVM_A, VCPU_A, 3);

	(void)state;
	start(NULL);
	r.id = KT_LP_RESET;
	feed(&r);				/* it is being made */
	load(0, 101, KVM_A, VCPU_A, 3);
	feed(&r);				/* by another thread of the VMM */
	level(0, 100, KT_FC_TASK, 27);
	assert_int_equal(taken(), 2);
	assert_int_equal(t.id[t.nr_ids - 1].who, t.id[0].who);
	assert_int_equal(t.ev[0].kind, KT_EV_RESET);
	assert_int_equal(t.ev[0].who, t.id[0].who);
	assert_int_equal(t.ev[1].who, t.id[0].who);
}

/* As QEMU and the kernel's selftests do it: vCPUs, then the vgic, then the vCPUs run. */
static void the_vgic_may_be_made_after_the_vcpu(void **state)
{
	struct kt_live_rec r = load_rec(0, 100, KVM_A, VCPU_A, 0);

	(void)state;
	start(NULL);
	r.id = KT_LP_RESET;
	r.v[KT_LV_IN_KERNEL] = r.v[KT_LV_MODEL] = 0;
	feed(&r);
	assert_int_equal(t.nr_ids, 1);
	assert_int_equal(t.id[0].vgic, 0);
	/* Its VMM sets a register, from the thread that made it: the vCPU's own is not known. */
	r = load_rec(0, 100, KVM_A, VCPU_A, 0);
	r.v[KT_LV_PID] = 0;
	feed(&r);
	assert_int_equal(t.nr_ids, 2);
	assert_int_equal(t.id[1].who, t.id[0].who);
	assert_int_equal(t.id[1].vgic, 3);
	load(0, 101, KVM_A, VCPU_A, 0);
	assert_int_equal(t.nr_ids, 3);		/* by its thread */
	/* From then on there is no news. */
	load(0, 101, KVM_A, VCPU_A, 0);
	assert_int_equal(t.nr_ids, 3);
	/* The probe cannot tell: what is known stays. */
	r = load_rec(0, 101, KVM_A, VCPU_A, 0);
	r.has &= ~(1ull << KT_LV_IN_KERNEL);
	feed(&r);
	assert_int_equal(t.nr_ids, 3);
}

static void a_reused_pointer_is_a_new_vcpu(void **state)
{
	(void)state;
	start(NULL);
	load(0, 101, KVM_A, VCPU_A, 0);
	rec(KT_LP_VCPU_GONE, 1, 100, KT_FC_TASK, VCPU_A, 0, 0);
	rec(KT_LP_VM_GONE, 1, 100, KT_FC_TASK, KVM_A, 0, 0);
	level(0, 101, KT_FC_TASK, 27);		/* its thread no longer has a vCPU */
	load(0, 101, KVM_A, VCPU_A, 0);
	assert_int_equal(taken(), 2);
	assert_int_equal(t.nr_ids, 2);
	assert_int_not_equal(t.id[0].who, t.id[1].who);
	assert_int_not_equal(t.id[0].vm_gen, t.id[1].vm_gen);
	assert_int_equal(t.ev[0].who, KT_WHO_TID | 101);
	assert_int_equal(t.ev[1].kind, KT_EV_VCPU_GONE);
	assert_int_equal(t.ev[1].who, t.id[0].who);
}

static void an_end_that_was_lost_does_not_merge_two_vms(void **state)
{
	(void)state;
	start(NULL);
	load(0, 101, KVM_A, VCPU_A, 0);
	kt_live_gap(t.live, 0);
	load(0, 201, KVM_B, VCPU_A, 0);
	assert_int_equal(t.nr_ids, 2);
	assert_int_not_equal(t.id[0].who, t.id[1].who);
}

static void after_a_gap_nobody_is_loaded(void **state)
{
	(void)state;
	start(NULL);
	load(0, 101, KVM_A, VCPU_A, 0);
	kt_live_gap(t.live, 0);
	level(0, 101, KT_FC_TASK, 27);
	load(0, 101, KVM_A, VCPU_A, 0);
	level(0, 101, KT_FC_TASK, 27);
	assert_int_equal(taken(), 2);
	assert_int_equal(t.ev[0].who, KT_WHO_TID | 101);
	assert_int_equal(t.ev[1].who, t.id[0].who);
	assert_int_equal(t.nr_ids, 1);
}

static void without_btf_the_map_names_the_vcpu(void **state)
{
	struct kt_live_rec r = load_rec(0, 101, KVM_A, VCPU_A, 7);

	(void)state;
	start(NULL);
	r.has = 1ull << KT_LV_VCPU | 1ull << KT_LV_KVM;
	feed(&r);
	assert_int_equal(t.nr_ids, 0);
	rec(KT_FT_MAP, 0, 101, KT_FC_TASK, 7, 1, 0);
	level(0, 101, KT_FC_TASK, 30);
	assert_int_equal(taken(), 2);
	assert_int_equal(t.nr_ids, 1);
	assert_int_equal(t.id[0].vcpu_id, 7);
	assert_int_equal(t.id[0].tgid, 100);
	assert_int_equal(t.id[0].vgic, 255);
	assert_int_equal(KT_SUB_TIMER(t.ev[1].sub), KT_PTIMER);
	assert_int_equal(t.ev[0].map.direct_vtimer, 1);
	assert_int_equal(t.ev[0].map.emul_vtimer, -1);
}

static void filters_leave_out_other_vms(void **state)
{
	struct kt_live_opts o = { .knobs = { .nr_tgids = 1, .tgid = { 200 }, .timer_mask = 1 << KT_VTIMER } };

	(void)state;
	start(&o);
	load(0, 101, KVM_A, VCPU_A, 0);
	load(1, 201, KVM_B, VCPU_B, 0);
	level(0, 101, KT_FC_TASK, 27);
	level(1, 201, KT_FC_TASK, 27);
	level(1, 201, KT_FC_TASK, 30);
	level(0, 999, KT_FC_TASK, 27);
	assert_int_equal(taken(), 1);
	assert_int_equal(t.nr_ids, 1);
	assert_int_equal(t.ev[0].who, t.id[0].who);
	assert_int_equal(t.id[0].tgid, 200);
	/* The kernel may leave out that thread, until it runs a vCPU that is wanted. */
	assert_int_equal(t.runs, 101);
	rec(KT_LP_VCPU_GONE, 0, 101, KT_FC_TASK, VCPU_A, 0, 0);
	o.knobs.tgid[0] = 0;
	load(0, 101, KVM_A, VCPU_A + 4096, 0);
	assert_int_equal(t.runs, 101);
}

/* ---- values ---- */

static void the_value_behind_a_null_pointer_is_rubbish(void **state)
{
	struct kt_live_rec r = load_rec(0, 101, KVM_A, VCPU_A, 0);
	uint64_t *vtimer = &r.v[KT_LV_OFFSET + 3 * KT_VTIMER];

	(void)state;
	start(NULL);
	vtimer[0] = 0;
	vtimer[1] = 0xdeadbeef;
	feed(&r);
	rec(KT_FT_RESTORE, 0, 101, KT_FC_TASK, 1, 5000, KT_VTIMER);
	assert_int_equal(taken(), 2);
	assert_int_equal(t.ev[0].offset.offset_ticks, 0);
	vtimer[0] = 0x1234;
	vtimer[1] = 77;
	feed(&r);
	rec(KT_FT_RESTORE, 0, 101, KT_FC_TASK, 1, 5000, KT_VTIMER);
	feed(&r);
	rec(KT_FT_RESTORE, 0, 101, KT_FC_TASK, 1, 5000, KT_VTIMER);
	assert_int_equal(taken(), 3);
	assert_int_equal(t.ev[0].kind, KT_EV_OFFSET);
	assert_int_equal(t.ev[0].offset.offset_ticks, 77);
	assert_true(t.ev[1].ts_ns > t.ev[0].ts_ns);
	assert_int_equal(t.ev[1].regs.offset_gen, 2);
	assert_int_equal(t.ev[2].kind, KT_EV_RESTORE);	/* unchanged: not told again */
	kt_live_new_file(t.live);
	rec(KT_FT_RESTORE, 0, 101, KT_FC_TASK, 1, 5000, KT_VTIMER);
	assert_int_equal(taken(), 2);
	/* With an offset of the guest's own on top the sum is not known. */
	vtimer[1] = 78;
	vtimer[2] = 0x5678;
	feed(&r);
	rec(KT_FT_RESTORE, 0, 101, KT_FC_TASK, 1, 5000, KT_VTIMER);
	assert_int_equal(taken(), 1);
}

static void why_a_vcpu_left_is_told_by_its_save(void **state)
{
	struct kt_live_rec r = { .id = KT_LP_PUT, .tid = 101, .has = ~0ull };

	(void)state;
	start(NULL);
	load(0, 101, KVM_A, VCPU_A, 0);
	rec(KT_FT_SAVE, 0, 101, KT_FC_TASK, 1, 5000, KT_VTIMER);	/* a trapped register */
	r.v[KT_LV_VCPU] = VCPU_A;
	r.v[KT_LV_BLOCKING] = 1;
	feed(&r);
	rec(KT_FT_SAVE, 0, 101, KT_FC_TASK, 1, 5000, KT_VTIMER);
	taken();
	assert_int_equal(t.ev[t.n - 1].regs.flags, KT_SAVE_BLOCKING);
	assert_int_equal(t.ev[1].regs.flags, 0);
}

static void an_exit_waits_for_its_syndrome(void **state)
{
	(void)state;
	start(NULL);
	load(0, 101, KVM_A, VCPU_A, 0);
	rec(KT_FT_EXIT, 0, 101, KT_FC_TASK, KT_EXIT_TRAP, 0x18, 0x8000);
	assert_int_equal(kt_live_flush(t.live, false), 0);
	assert_int_equal(t.n, 0);
	rec(KT_LP_SYSREG, 0, 101, KT_FC_TASK, 0x62340041, 0, 0);
	assert_int_equal(kt_live_flush(t.live, false), 0);
	assert_int_equal(t.n, 1);
	assert_int_equal(t.ev[0].run.esr, 0x62340041);
	assert_int_equal(t.ev[0].run.flags, KT_RUN_ESR);
	rec(KT_FT_EXIT, 0, 101, KT_FC_TASK, KT_EXIT_TRAP, 0x01, 0x8000);
	rec(KT_FT_WFX, 0, 101, KT_FC_TASK, 0x8000, 1, 0);
	assert_int_equal(taken(), 2);
	assert_int_equal(t.ev[0].run.esr, 0x04000001);
	/* But not for ever. */
	rec(KT_FT_EXIT, 0, 101, KT_FC_TASK, KT_EXIT_TRAP, 0x24, 0x8000);
	t.n = 0;
	assert_int_equal(kt_live_flush(t.live, false), 0);
	assert_int_equal(t.n, 0);
	assert_int_equal(kt_live_flush(t.live, false), 0);
	assert_int_equal(t.n, 1);
}

static void registers_before_an_exit_complete_it(void **state)
{
	struct kt_live_rec r = { .id = KT_LP_REGS, .tid = 101, .has = ~0ull };

	(void)state;
	start(NULL);
	load(0, 101, KVM_A, VCPU_A, 0);
	r.v[KT_LV_VCPU] = VCPU_A;
	r.v[KT_LV_ESR] = 0x93c18007;
	r.v[KT_LV_PSTATE] = 0x3c5;
	feed(&r);
	rec(KT_FT_EXIT, 0, 101, KT_FC_TASK, KT_EXIT_TRAP, 0x24, 0x8000);
	assert_int_equal(taken(), 1);
	assert_int_equal(t.ev[0].run.esr, 0x93c18007);
	assert_int_equal(t.ev[0].run.daif, 0xf);
	assert_int_equal(t.ev[0].run.flags, KT_RUN_ESR | KT_RUN_DAIF);
}

static void the_user_lane_comes_from_the_put(void **state)
{
	struct kt_live_rec r = load_rec(0, 101, KVM_A, VCPU_A, 0);

	(void)state;
	start(NULL);
	r.v[KT_LV_IN_KERNEL] = 0;
	feed(&r);
	r.id = KT_LP_PUT;
	r.has = ~0ull;
	r.v[KT_LV_RUN] = 0x5000;
	r.v[KT_LV_DEVICE_LEVEL] = 2;
	feed(&r);
	rec(KT_FT_USER_EXIT, 1, 101, KT_FC_TASK, 6, 0, 0);
	taken();
	assert_int_equal(t.ev[t.n - 1].kind, KT_EV_USER_EXIT);
	assert_int_equal(t.ev[t.n - 1].who, t.id[0].who);
	assert_int_equal(t.ev[t.n - 1].user_exit.device_irq_level, 2);
	assert_int_equal(t.ev[t.n - 1].user_exit.flags, KT_USER_EXIT_LEVEL);
}

/* ---- list registers ---- */

static struct kt_live_rec lr_rec(uint8_t id, uint64_t used, uint64_t lr)
{
	struct kt_live_rec r = { .id = id, .tid = 101, .has = ~0ull };

	r.v[KT_LV_VCPU] = VCPU_A;
	r.v[KT_LV_USED] = used;
	r.v[KT_LV_LR] = lr;
	return r;
}

static void flags_of_an_interrupt_are_bytes_or_bits(void **state)
{
	struct kt_live_opts o = { .layout = { .timers = TIMERS, .flag = {
		{ 0, 8, 8 }, { 0, 16, 8 }, { 0, 24, 8 }, { 0, 32, 8 }, { 1, 3, 1 }, { 1, 4, 1 } } } };
	struct kt_live_rec r = lr_rec(KT_LP_FLUSH, 1, 0x7000001b0000001bull);

	(void)state;
	start(&o);
	load(0, 101, KVM_A, VCPU_A, 0);
	r.v[KT_LV_STATE + KT_LIVE_WINDOWS * KT_VTIMER] = 1ull << 32;
	r.v[KT_LV_STATE + KT_LIVE_WINDOWS * KT_VTIMER + 1] = 1 << 3 | 1 << 5;
	feed(&r);
	assert_int_equal(taken(), 2);	/* the ptimer's register is told to be empty once */
	assert_int_equal(t.ev[0].lr.lr, 0x7000001b0000001bull);
	assert_int_equal(t.ev[0].lr.state, KT_LR_PRESENT | KT_LR_ENABLED | KT_LR_HW);
	feed(&r);
	assert_int_equal(taken(), 1);
}

static void what_a_sample_cannot_hold_is_counted(void **state)
{
	struct kt_live_rec r = lr_rec(KT_LP_FLUSH, KT_LIVE_LRS + 1, 0x7000002000000020ull), moved;

	(void)state;
	start(NULL);
	load(0, 101, KVM_A, VCPU_A, 0);
	feed(&r);
	assert_int_equal(taken(), 0);
	assert_int_equal(kt_live_take_untold(t.live), 2);
	assert_int_equal(kt_live_take_untold(t.live), 0);

	/* A VMM that moved its vtimer to another PPI: its vgic_irq is not the one fetched. */
	moved = load_rec(0, 101, KVM_A, VCPU_B, 1);
	moved.v[KT_LV_IRQ + KT_VTIMER] = 20;
	feed(&moved);
	r = lr_rec(KT_LP_FLUSH, 1, 0x7000001b00000014ull);
	r.v[KT_LV_VCPU] = VCPU_B;
	feed(&r);
	assert_int_equal(kt_live_take_untold(t.live), 1);
}

static void before_6_9_the_exit_samples_the_fold(void **state)
{
	struct kt_live_opts o = { .fold_out_in_regs = true };
	struct kt_live_rec r = lr_rec(KT_LP_FLUSH, 1, 0x7000001b0000001bull);

	(void)state;
	start(&o);
	load(0, 101, KVM_A, VCPU_A, 0);
	feed(&r);
	taken();
	r.id = KT_LP_FOLD_IN;
	feed(&r);
	r.id = KT_LP_REGS;
	feed(&r);
	feed(&r);	/* no fold before this one */
	assert_int_equal(taken(), 2);
	assert_int_equal(KT_SUB_AT(t.ev[0].sub), KT_AT_FOLD_IN);
	assert_int_equal(KT_SUB_AT(t.ev[1].sub), KT_AT_FOLD_OUT);
	assert_int_equal(t.ev[1].lr.used, 0);
}

/* Else the fold would tell of registers that no flush had given. */
static void the_end_of_another_vcpu_opens_no_register(void **state)
{
	struct kt_live_rec r = lr_rec(KT_LP_FLUSH, 0, 0), gone = { .id = KT_LP_VCPU_GONE, .cpu = 1, .tid = 102 };

	(void)state;
	start(NULL);
	load(1, 102, KVM_A, VCPU_B, 1);
	load(0, 101, KVM_A, VCPU_A, 0);
	feed(&r);
	assert_int_equal(taken(), 2);	/* both are told to be empty, and closed */
	gone.v[KT_LV_VCPU] = VCPU_B;
	feed(&gone);
	taken();
	r.id = KT_LP_FOLD_IN;
	feed(&r);
	assert_int_equal(taken(), 0);
}

/* kernel-patch/linux-6.12: what is traced is a register; that there is none shows at the entry. */
static void tracepoints_tell_registers_one_by_one(void **state)
{
	struct kt_live_opts o = { .lr_tracepoints = true };
	struct kt_live_rec r = { .id = KT_LP_LR_FLUSH, .tid = 101, .has = ~0ull };

	(void)state;
	start(&o);
	load(0, 101, KVM_A, VCPU_A, 0);
	r.v[KT_LV_LR_IRQ] = 27;
	r.v[KT_LV_LR_VAL] = 0x7000001b0000001bull;
	r.v[KT_LV_LR_ENABLED] = r.v[KT_LV_LR_HW] = r.v[KT_LV_LR_PHYS] = 1;
	feed(&r);
	rec(KT_FT_ENTRY, 0, 101, KT_FC_TASK, 0x1000, 0, 0);
	assert_int_equal(taken(), 3);
	assert_int_equal(t.ev[0].lr.lr, 0x7000001b0000001bull);
	assert_int_equal(t.ev[0].lr.state, KT_LR_PRESENT | KT_LR_ENABLED | KT_LR_HW | KT_LR_PHYS | KT_LR_PHYS_KNOWN);
	assert_int_equal(t.ev[0].lr.named, 1);
	assert_int_equal(t.ev[1].sub, KT_SUB(KT_PTIMER, KT_AT_FLUSH));
	assert_int_equal(t.ev[1].lr.state, KT_LR_UNREAD);
	assert_int_equal(t.ev[2].kind, KT_EV_ENTRY);

	r.id = KT_LP_LR_FOLD;
	r.v[KT_LV_LR_VAL] = 0;
	feed(&r);
	r.id = KT_LP_LR_RESAMPLE;
	r.v[KT_LV_LR_LINE] = 1;
	feed(&r);
	rec(KT_FT_ENTRY, 0, 101, KT_FC_TASK, 0x1000, 0, 0);
	rec(KT_FT_ENTRY, 0, 101, KT_FC_TASK, 0x1000, 0, 0);
	assert_int_equal(taken(), 5);
	assert_int_equal(t.ev[0].lr.state, KT_LR_PHYS | KT_LR_PHYS_KNOWN);	/* not yet vgic_irq's */
	assert_int_equal(t.ev[1].lr.state & (KT_LR_LINE | KT_LR_ENABLED), KT_LR_LINE | KT_LR_ENABLED);
	assert_int_equal(t.ev[2].sub, KT_SUB(KT_VTIMER, KT_AT_FLUSH));
	assert_int_equal(t.ev[2].lr.state, KT_LR_UNREAD);
	assert_int_equal(t.ev[3].kind, KT_EV_ENTRY);
	assert_int_equal(t.ev[4].kind, KT_EV_ENTRY);

	/* Another vCPU's, and an interrupt of no timer. */
	r.v[KT_LV_LR_VCPU] = 7;
	feed(&r);
	r.v[KT_LV_LR_VCPU] = 0;
	r.v[KT_LV_LR_IRQ] = 23;
	feed(&r);
	assert_int_equal(taken(), 0);
}

static void a_level_pairs_with_the_interrupt_asked_for(void **state)
{
	(void)state;
	start(NULL);
	load(0, 101, KVM_A, VCPU_A, 0);
	rec(KT_LP_WIRE_IRQ, 0, 101, KT_FC_TASK, 27, 0, 0);
	rec(KT_LP_WIRE_RET, 0, 101, KT_FC_TASK, 0, 1, 0);
	rec(KT_LP_WIRE_RET, 0, 999, KT_FC_TASK, 0, 1, 0);
	rec(KT_LP_IRQCHIP, 0, 101, KT_FC_TASK, 12, 1, 0);
	rec(KT_LP_IRQCHIP, 0, 101, KT_FC_TASK, 55, 1, 0);
	assert_int_equal(taken(), 2);
	assert_int_equal(t.ev[0].kind, KT_EV_WIRE);
	assert_int_equal(KT_SUB_TIMER(t.ev[0].sub), KT_VTIMER);
	assert_int_equal(t.ev[1].kind, KT_EV_IRQCHIP);
}

static void calls_tell_order_only(void **state)
{
	(void)state;
	start(NULL);
	load(0, 101, KVM_A, VCPU_A, 0);
	rec(KT_LP_CALL, 0, 101, KT_FC_TASK, KT_CALL_VGIC_FLUSH, 0, 0);
	put(0, 101, VCPU_A);
	rec(KT_LP_CALL, 1, 102, KT_FC_HARDIRQ, KT_CALL_SOFT_EXPIRE, 0, 0);
	assert_int_equal(taken(), 2);
	assert_int_equal(t.ev[0].call.fn, KT_CALL_VGIC_FLUSH);
	assert_int_equal(t.ev[0].who, t.id[0].who);
	assert_int_equal(t.ev[1].who, KT_WHO_TID | 102);
}

#define TEST(f) cmocka_unit_test_teardown(f, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bare_events_belong_to_the_loaded_vcpu),
		TEST(a_foreign_soft_timer_is_its_own_vcpus),
		TEST(without_a_probe_a_soft_timer_is_nobodys),
		TEST(enabling_may_move_to_another_cpu),
		TEST(a_reset_is_of_the_vcpu_that_it_names),
		TEST(the_vgic_may_be_made_after_the_vcpu),
		TEST(a_reused_pointer_is_a_new_vcpu),
		TEST(an_end_that_was_lost_does_not_merge_two_vms),
		TEST(after_a_gap_nobody_is_loaded),
		TEST(without_btf_the_map_names_the_vcpu),
		TEST(filters_leave_out_other_vms),
		TEST(the_value_behind_a_null_pointer_is_rubbish),
		TEST(why_a_vcpu_left_is_told_by_its_save),
		TEST(an_exit_waits_for_its_syndrome),
		TEST(registers_before_an_exit_complete_it),
		TEST(the_user_lane_comes_from_the_put),
		TEST(flags_of_an_interrupt_are_bytes_or_bits),
		TEST(what_a_sample_cannot_hold_is_counted),
		TEST(before_6_9_the_exit_samples_the_fold),
		TEST(the_end_of_another_vcpu_opens_no_register),
		TEST(tracepoints_tell_registers_one_by_one),
		TEST(a_level_pairs_with_the_interrupt_asked_for),
		TEST(calls_tell_order_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
