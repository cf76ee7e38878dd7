/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TIMER_BPF_H
#define TIMER_BPF_H

/* Workers behind the timer's and the vCPU's tracepoints. */
#include "emit.bpf.h"
#include "identity.bpf.h"
#include "regs.bpf.h"

/* ---- events of the loaded vCPU ---- */

/* side: the tracepoint stands in code that may be preempted */
static __always_inline int emit_loaded(struct kt_event *ev, bool side)
{
	struct kt_cpu *c = this_cpu();
	struct kvm_vcpu *vcpu;
	__u32 who;

	if (!c)
		return 0;
	who = running_who(c, &vcpu);
	if (who && side)
		emit_side(c, who, ev);
	else if (who)
		emit(c, who, ev);
	return 0;
}

#define ESR_EC_SHIFT 26
#define EXIT_WITH_SERROR_BIT 31	/* ARM_EXIT_WITH_SERROR_BIT */
#define HVC_STUB_ERR 0xbadca11	/* what the HYP stub answers once KVM is gone */

/* Exception classes whose syndrome tells more than the class: WFx, sysreg, aborts, ... */
static __always_inline bool ec_needs_esr(__u32 ec)
{
	return ec != 0x16 && ec != 0x12;	/* HVC64, HVC32 */
}

/*
 * Raw kvm_exit passes the unmasked return code and, for interrupts, the
 * exception class of some earlier trap: the tracepoint's own TP_fast_assign
 * repairs both for ftrace only.
 */
static __always_inline int on_exit(__u32 ret, __u32 ec, __u64 pc)
{
	struct kt_event ev = { .kind = KT_EV_EXIT, .sub = KT_SUB(KT_TIMER_NONE, 0), .run.pc = pc };
	struct kt_cpu *c = this_cpu();
	struct kvm_vcpu *vcpu;
	__u64 pstate = 0;
	__u32 who;

	if (!c)
		return 0;
	who = running_who(c, &vcpu);
	if (!who)
		return 0;
	if (ret == HVC_STUB_ERR) {
		ev.run.code = KT_EXIT_GONE;
	} else {
		ev.run.code = ret & 0xff;
		if (ret >> EXIT_WITH_SERROR_BIT)
			ev.run.flags |= KT_RUN_WITH_SERROR;
	}
	if (ev.run.code == KT_EXIT_TRAP) {
		ev.run.esr = ec << ESR_EC_SHIFT;
		if (vcpu && ec_needs_esr(ec)) {
			ev.run.esr = BPF_CORE_READ(vcpu, arch.fault.esr_el2);
			ev.run.flags |= KT_RUN_ESR;
		}
	}
	if (vcpu) {
		pstate = BPF_CORE_READ(vcpu, arch.ctxt.regs.pstate);
		ev.run.daif = pstate >> 6 & 0xf;	/* DAIF are PSTATE bits 9:6 */
		ev.run.flags |= KT_RUN_DAIF;
	}
	emit(c, who, &ev);
	return 0;
}

/* After vcpu_put: the thread is all that connects this to its vCPU. */
static __always_inline int on_user_exit(__u32 reason, int err)
{
	struct kt_event ev = { .kind = KT_EV_USER_EXIT, .sub = KT_SUB(KT_TIMER_NONE, 0) };
	struct kt_cpu *c = this_cpu();
	__u32 tid = current_tid();
	struct kvm_vcpu *vcpu;
	struct vcpu_state *st;
	__u64 *known;
	__u32 who;

	if (!c)
		return 0;
	ev.user_exit.reason = reason;
	ev.user_exit.err = err;
	known = bpf_map_lookup_elem(&threads, &tid);
	st = known ? bpf_map_lookup_elem(&vcpus, known) : 0;
	if (!st || st->tid != tid) {
		who = thread_who();
	} else {
		who = st->who;
		vcpu = (void *)*known;
		if (st->user_irqchip) {
			ev.user_exit.device_irq_level =
				BPF_CORE_READ(vcpu, run, s.regs.device_irq_level);
			ev.user_exit.flags = KT_USER_EXIT_LEVEL;
		}
	}
	if (who)
		emit_side(c, who, &ev);
	return 0;
}

/* May come from a thread that never ran the vCPU: its identity is the pointer's. */
static __always_inline int on_vcpu_reset(struct kvm_vcpu *vcpu)
{
	struct kt_event ev = { .kind = KT_EV_RESET, .sub = KT_SUB(KT_TIMER_NONE, 0) };
	struct kt_cpu *c = this_cpu();
	struct vcpu_state *st;
	__u64 key = (__u64)vcpu;

	st = bpf_map_lookup_elem(&vcpus, &key);
	if (st && c && st->who)
		emit_side(c, st->who, &ev);
	return 0;
}

static __always_inline int on_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	struct kt_event ev = { .kind = KT_EV_VCPU_GONE, .sub = KT_SUB(KT_TIMER_NONE, 0) };
	struct kt_cpu *c = this_cpu();
	__u64 key = (__u64)vcpu;
	struct vcpu_state *st;
	__u32 who;

	st = bpf_map_lookup_elem(&vcpus, &key);
	if (!st || !c)
		return 0;
	who = st->who;
	bpf_map_delete_elem(&vcpus, &key);
	__sync_fetch_and_add(&identity_gen, 1);
	if (who)
		emit_side(c, who, &ev);
	return 0;
}

/* ---- events that carry a timer context ---- */

/* The vCPU of ctx: the bound one when ctx lies inside it, which needs no read. */
static __always_inline struct kvm_vcpu *ctx_vcpu(struct kt_cpu *c, struct arch_timer_context *ctx,
						 __u32 *timer)
{
	struct kvm_vcpu *vcpu = (void *)c->bound_vcpu;

	*timer = timer_of_ctx(vcpu, (__u64)ctx);
	if (vcpu && *timer != KT_TIMER_NONE)
		return vcpu;
	vcpu = vcpu_of_ctx(ctx);
	*timer = timer_of_ctx(vcpu, (__u64)ctx);
	return vcpu;
}

static __always_inline __s8 role(__u64 ctx, struct kvm_vcpu *vcpu)
{
	__u32 timer = ctx ? timer_of_ctx(vcpu, ctx) : KT_TIMER_NONE;

	return timer == KT_TIMER_NONE ? -1 : (__s8)timer;
}

#define MAP_WORDS 4
#define map_word(words, type, member) \
	((words)[(bpf_core_field_offset(type, member) / 8) & (MAP_WORDS - 1)])

/*
 * Each load, put, reset and host timer interrupt starts with a timer map.  It
 * holds pointers into the vCPU, so it names whose update_irq comes next.
 */
static __always_inline int on_map(__u64 vcpu_id, struct timer_map *map)
{
	struct kt_event ev = { .kind = KT_EV_MAP };
	struct timer_map___nv *nv = (void *)map;
	struct kt_cpu *c = this_cpu();
	__u64 words[MAP_WORDS] = {};
	struct kvm_vcpu *vcpu;
	__u32 who, timer;
	bool irq;

	if (!c)
		return 0;
	bpf_probe_read_kernel(words, bpf_core_type_size(struct timer_map) & 63, map);
	vcpu = ctx_vcpu(c, (void *)map_word(words, struct timer_map, direct_vtimer), &timer);
	if (!vcpu)
		return 0;
	irq = in_hardirq();
	c->map_in_irq = irq;
	if (irq)
		c->soft_vcpu = 0;
	/* The handler's vCPU is the loaded one: nearly always bound already. */
	if (!irq || c->bound_vcpu != (__u64)vcpu)
		bind(c, vcpu);
	who = cached_who(c, vcpu);
	if (!who)
		return 0;
	ev.sub = KT_SUB(KT_TIMER_NONE, irq ? KT_AT_HOST_IRQ : KT_AT_TASK);
	ev.map.vcpu_id = vcpu_id;
	if (irq) {
		/* Roles were told by the load; the handler's map only says that it runs. */
		ev.map.direct_vtimer = ev.map.direct_ptimer = -1;
		ev.map.emul_vtimer = ev.map.emul_ptimer = -1;
		emit(c, who, &ev);
		return 0;
	}
	ev.map.direct_vtimer = role(map_word(words, struct timer_map, direct_vtimer), vcpu);
	ev.map.direct_ptimer = role(map_word(words, struct timer_map, direct_ptimer), vcpu);
	ev.map.emul_ptimer = role(map_word(words, struct timer_map, emul_ptimer), vcpu);
	ev.map.emul_vtimer = -1;
	if (bpf_core_field_exists(nv->emul_vtimer))
		ev.map.emul_vtimer = role(map_word(words, struct timer_map___nv, emul_vtimer), vcpu);
	emit(c, who, &ev);
	return 0;
}

/*
 * A bare level report.  Whether a soft timer's callback or the host timer's
 * handler made it is only asked when one may be running: reading the
 * preemption count costs as much as the ring.
 */
static __always_inline int on_level(__u8 kind, __u64 vcpu_id, __u32 irq, __u8 level)
{
	struct kt_event ev = { .kind = kind, .level.irq = irq, .level.traced_vcpu = vcpu_id,
			       .level.level = level };
	struct kt_cpu *c = this_cpu();
	__u32 who, timer, at = KT_AT_TASK;
	struct kvm_vcpu *vcpu;
	bool hard = false;

	if (!c)
		return 0;
	if (c->soft_vcpu || c->map_in_irq) {
		hard = in_hardirq();
		if (!hard)
			c->soft_vcpu = c->map_in_irq = 0;
	}
	if (hard && c->soft_vcpu) {
		/* Maybe another VM's CPU: its cached identity must not be disturbed. */
		struct vcpu_state *st = vcpu_state(c, (void *)c->soft_vcpu);

		if (!st)
			return 0;
		who = st->who;
		timer = timer_of_irq(st->irq, irq);
		at = KT_AT_SOFT_TIMER;
	} else if (hard) {
		/* The handler's map, in this very interrupt, has just bound its vCPU. */
		at = KT_AT_HOST_IRQ;
		who = cached_who(c, (void *)c->bound_vcpu);
		timer = timer_of_irq(c->irq, irq);
	} else {
		who = bound_who(c, &vcpu);
		timer = vcpu ? timer_of_irq(c->irq, irq) : KT_TIMER_NONE;
	}
	/* An interrupt that is no timer's: the PMU's, or one the VMM wires. */
	if (!who || (timer == KT_TIMER_NONE && !(who & KT_WHO_TID)) || !timer_wanted(timer))
		return 0;
	ev.sub = KT_SUB(timer, at);
	/* A raised line must find a list register: the next flush is looked at even if it has none. */
	if (knobs.gic && level && timer < KT_TIMER_NR)
		c->lr_open |= 1u << timer;
	emit(c, who, &ev);
	return 0;
}

/* Guest counter = host counter - offset; it moves when the VMM sets the counter. */
static __always_inline __u64 read_offset(struct arch_timer_context *ctx, struct kvm_vcpu *vcpu,
					 __u32 timer)
{
	__u64 offset = 0, more = 0, *p;

	if (bpf_core_field_exists(ctx->offset)) {
		p = BPF_CORE_READ(ctx, offset.vm_offset);
		if (p)
			bpf_probe_read_kernel(&offset, sizeof(offset), p);
		p = BPF_CORE_READ(ctx, offset.vcpu_offset);
		if (p)
			bpf_probe_read_kernel(&more, sizeof(more), p);
		return offset + more;
	}
	if (timer != KT_VTIMER)
		return 0;
	bpf_probe_read_kernel(&offset, sizeof(offset), (void *)vcpu +
			bpf_core_field_offset(struct kvm_vcpu, arch.ctxt.sys_regs) +
			8 * bpf_core_enum_value(enum vcpu_sysreg, CNTVOFF_EL2));
	return offset;
}

static __noinline int check_offset(struct kt_cpu *c, struct arch_timer_context *ctx,
				   struct kvm_vcpu *vcpu, __u32 at)
{
	__u32 timer = KT_SUB_TIMER(at);
	struct kt_event ev = { .kind = KT_EV_OFFSET };
	__u64 key = (__u64)vcpu, offset_ticks;
	struct vcpu_state *st;
	__u64 i = timer;

	if (!c || timer > KT_VTIMER)
		return 0;
	st = bpf_map_lookup_elem(&vcpus, &key);
	if (!st)
		return 0;
	offset_ticks = read_offset(ctx, vcpu, timer);
	/* The compiler knows that timer is 0 or 1, the verifier does not. */
	asm volatile("%0 &= 1" : "+r"(i));
	if (st->offset_epoch != file_epoch) {
		st->offset_epoch = file_epoch;
		st->offset_known = 0;
	}
	if (st->offset_known >> timer & 1 && st->offset_ticks[i] == offset_ticks)
		return 0;
	st->offset_known |= 1u << timer;
	st->offset_ticks[i] = offset_ticks;
	c->offset_gen = ++st->offset_gen;
	ev.sub = KT_SUB(timer, 0);
	ev.offset.offset_ticks = offset_ticks;
	ev.offset.offset_gen = c->offset_gen;
	if (KT_SUB_AT(at))
		emit_side(c, c->who, &ev);
	else
		emit(c, c->who, &ev);
	return 0;
}

static __always_inline __u8 save_flags(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu___stat *stat = (void *)vcpu;
	struct kvm_vcpu___wait_ptr *wp = (void *)vcpu;
	struct kvm_vcpu___wait *w = (void *)vcpu;
	struct task_struct___state *task = (void *)bpf_get_current_task();
	struct task_struct___old *old = (void *)task;
	__u8 flags = KT_SAVE_KNOWN;

	if (bpf_core_field_exists(task->__state) ? BPF_CORE_READ(task, __state) != 0 :
	    BPF_CORE_READ(old, state) != 0)
		flags |= KT_SAVE_SLEEPING;
	if (BPF_CORE_READ(vcpu, preempted))
		flags |= KT_SAVE_PREEMPTED;
	if (bpf_core_field_exists(stat->stat.generic.blocking)) {
		if (BPF_CORE_READ(stat, stat.generic.blocking))
			flags |= KT_SAVE_BLOCKING;
	} else if (bpf_core_field_exists(wp->waitp)) {
		if (BPF_CORE_READ(wp, waitp, task))
			flags |= KT_SAVE_BLOCKING;
	} else if (bpf_core_field_exists(w->wait.task)) {
		if (BPF_CORE_READ(w, wait.task))
			flags |= KT_SAVE_BLOCKING;
	}
	return flags;
}

static __always_inline int on_regs(__u8 kind, struct arch_timer_context *ctx)
{
	struct kt_event ev = { .kind = kind };
	struct kt_cpu *c = this_cpu();
	struct kvm_vcpu *vcpu;
	__u32 who, timer;

	if (!c)
		return 0;
	vcpu = ctx_vcpu(c, ctx, &timer);
	if (!vcpu)
		return 0;
	who = cached_who(c, vcpu);
	/* A vCPU that has been put no longer gives its thread an identity. */
	if (kind == KT_EV_SAVE)
		c->bound_vcpu = 0;
	else
		bind(c, vcpu);
	if (!who || !timer_wanted(timer))
		return 0;
	ev.sub = KT_SUB(timer, 0);
	check_offset(c, ctx, vcpu, ev.sub);
	ev.regs.cval_ticks = timer_cval(vcpu, timer);
	ev.regs.ctl = timer_ctl(vcpu, timer);
	ev.regs.offset_gen = c->offset_gen;
	if (kind == KT_EV_SAVE)
		ev.regs.flags = save_flags(vcpu);
	emit(c, who, &ev);
	return 0;
}

static __always_inline int on_emulate(struct arch_timer_context *ctx, __u8 should_fire)
{
	struct kt_event ev = { .kind = KT_EV_EMULATE, .emulate.should_fire = should_fire };
	struct kt_cpu *c = this_cpu();
	struct kvm_vcpu *vcpu;
	__u32 who, timer;

	if (!c)
		return 0;
	vcpu = ctx_vcpu(c, ctx, &timer);
	who = vcpu ? cached_who(c, vcpu) : thread_who();
	if (!who || !timer_wanted(timer))
		return 0;
	ev.sub = KT_SUB(timer, 0);
	/* Also reached from a trapped register write, which is preemptible. */
	if (vcpu) {
		check_offset(c, ctx, vcpu, KT_SUB(timer, 1));
		ev.emulate.ctl = timer_ctl(vcpu, timer);
		ev.emulate.cval_ticks = timer_cval(vcpu, timer);
		ev.emulate.offset_gen = c->offset_gen;
		ev.emulate.flags = KT_EMULATE_REGS;
	}
	emit_side(c, who, &ev);
	return 0;
}

/* ---- soft timers: hard interrupt context, maybe on a foreign CPU ---- */

static __always_inline int emit_soft(struct kt_cpu *c, struct kvm_vcpu *vcpu, struct kt_event *ev,
				     struct hrtimer *hrt)
{
	struct vcpu_state *st = vcpu_state(c, vcpu);

	if (!st || !st->who)
		return 0;
	ev->hrtimer.ptr = (__u64)hrt;
	ev->hrtimer.expires_ns = BPF_CORE_READ(hrt, _softexpires);
	emit(c, st->who, ev);
	return 0;
}

static __always_inline int on_hrtimer_expire(struct arch_timer_context *ctx)
{
	struct kt_event ev = { .kind = KT_EV_HRTIMER_EXPIRE };
	struct kt_cpu *c = this_cpu();
	struct kvm_vcpu *vcpu;
	__u32 timer;

	if (!c)
		return 0;
	vcpu = vcpu_of_ctx(ctx);
	timer = timer_of_ctx(vcpu, (__u64)ctx);
	c->soft_vcpu = (__u64)vcpu;
	if (!vcpu || !timer_wanted(timer))
		return 0;
	ev.sub = KT_SUB(timer, KT_AT_SOFT_TIMER);
	return emit_soft(c, vcpu, &ev, (void *)ctx +
			 bpf_core_field_offset(struct arch_timer_context, hrtimer));
}

static __always_inline int on_bg_expire(struct hrtimer *hrt)
{
	struct kt_event ev = { .kind = KT_EV_BG_EXPIRE,
			       .sub = KT_SUB(KT_TIMER_NONE, KT_AT_SOFT_TIMER) };
	struct kt_cpu *c = this_cpu();

	if (!c)
		return 0;
	return emit_soft(c, (void *)hrt -
			 bpf_core_field_offset(struct kvm_vcpu, arch.timer_cpu.bg_timer), &ev, hrt);
}

#endif
