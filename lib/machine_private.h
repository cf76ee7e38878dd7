/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_MACHINE_PRIVATE_H
#define KT_MACHINE_PRIVATE_H

/* Shared by machine*.c: one step being acted, and who may call whom. */
#include "machine.h"

/* The machine and its event sink, for one vCPU. */
struct kt_ctx {
	struct kt_machine *m;
	struct kt_machine_out *out;	/* may be NULL */
	struct kt_mvcpu *v;
	struct kt_mcpu *cpu;		/* of v; meaningful while loaded */
	__u8 vcpu;
};

#define for_each_timer(t) for (unsigned int t = KT_MACHINE_TIMERS; t-- > 0;)

static inline bool kt_in_kernel(const struct kt_machine *m)
{
	return m->semantics != KT_SEM_USERSPACE;
}

/* Up to 4.14 the world switch saves and restores the timer. */
static inline bool kt_per_entry(const struct kt_machine *m)
{
	return m->semantics <= KT_SEM_LEVEL_SYNC_CLEAR;
}

static inline bool kt_emulated(const struct kt_machine *m, unsigned int t)
{
	return m->emulated >> t & 1;
}

/* The timer exists for this kernel: traced even when the guest leaves it alone. */
static inline bool kt_exists(const struct kt_machine *m, unsigned int t)
{
	return t == KT_VTIMER || m->semantics >= KT_SEM_MAPPED || (m->timers >> t & 1);
}

/* ---- machine.c ---- */
void kt_guest_exit(const struct kt_ctx *c, __u8 code, __u32 esr);
void kt_to_vmm(const struct kt_ctx *c, __u32 reason, __s32 err);

/* ---- machine_guest.c ---- */
int kt_guest_step(const struct kt_ctx *c, struct kt_step s);
/* The virtual CPU interface signals an interrupt; the timers whose line the VMM's GIC has pending. */
bool kt_virq(const struct kt_machine *m, const struct kt_mvcpu *v);
__u8 kt_vmm_pending(const struct kt_mvcpu *v);

/* ---- machine_timer.c: virt/kvm/arm/arch_timer.c, later arch/arm64/kvm/arch_timer.c ---- */
bool kt_timer_should_fire(const struct kt_ctx *c, unsigned int t);
void kt_timer_guest_write(const struct kt_ctx *c, unsigned int t, __u8 ctl, __u8 cval);
void kt_timer_flush_hwstate(const struct kt_ctx *c);
void kt_timer_sync_hwstate(const struct kt_ctx *c);
void kt_timer_world_switch(const struct kt_ctx *c, bool to_guest);
void kt_timer_vcpu_load(const struct kt_ctx *c);
void kt_timer_vcpu_put(const struct kt_ctx *c, __u8 flags);
void kt_timer_blocking(const struct kt_ctx *c);
void kt_timer_unblocking(const struct kt_ctx *c);
void kt_timer_handler(const struct kt_ctx *c, unsigned int t);
void kt_timer_hrtimer_expire(const struct kt_ctx *c, unsigned int t);
bool kt_timer_is_pending(const struct kt_ctx *c);
bool kt_timer_should_notify_user(const struct kt_ctx *c);
void kt_timer_update_run(const struct kt_ctx *c);

/* ---- machine_vgic.c and, before 4.7, machine_vgic_old.c ---- */
void kt_vgic_inject(const struct kt_ctx *c, unsigned int t, bool level);
void kt_vgic_flush_hwstate(const struct kt_ctx *c);
void kt_vgic_sync_hwstate(const struct kt_ctx *c);
bool kt_vgic_pending_irq(const struct kt_ctx *c);
int kt_vgic_enable(const struct kt_ctx *c, unsigned int t, bool enable);
int kt_vgic_set_pending(const struct kt_ctx *c, unsigned int t);
void kt_old_vgic_inject(const struct kt_ctx *c, unsigned int t, bool level);
void kt_old_vgic_flush_hwstate(const struct kt_ctx *c);
void kt_old_vgic_sync_hwstate(const struct kt_ctx *c);
bool kt_old_vgic_pending_irq(const struct kt_ctx *c);
/* The list register that holds t and is not empty, or NULL. */
struct kt_mlr *kt_vgic_find_lr(struct kt_mvcpu *v, unsigned int t);

/* ---- machine_watch.c: the properties ---- */
void kt_watch_init(struct kt_machine *m);
void kt_watch_wire(const struct kt_ctx *c, unsigned int t, bool was);
void kt_watch_exit(const struct kt_ctx *c, bool guest_timer);
void kt_watch_ack(const struct kt_ctx *c, unsigned int t);	/* KT_TIMER_NONE: IAR read 1023 */
void kt_watch_entry(const struct kt_ctx *c);
void kt_watch_settled(struct kt_machine *m, struct kt_machine_out *out);

/* ---- machine_emit.c: what a kernel of the era traces ---- */
void kt_emit_level(const struct kt_ctx *c, __u8 kind, unsigned int t, __u8 at, bool level);
void kt_emit_map(const struct kt_ctx *c, __u8 at);
void kt_emit_regs(const struct kt_ctx *c, __u8 kind, unsigned int t, __u8 ctl, __u8 cval, __u8 flags);
void kt_emit_lrs(const struct kt_ctx *c, __u8 at);
void kt_emit_run(const struct kt_ctx *c, __u8 kind, __u8 code, __u32 esr);
void kt_emit_phys_active(const struct kt_ctx *c, unsigned int t, bool active);
void kt_emit_soft(const struct kt_ctx *c, __u8 kind, unsigned int t);
void kt_emit_emulate(const struct kt_ctx *c, unsigned int t, bool should_fire);
void kt_emit_wfx(const struct kt_ctx *c);
void kt_emit_wakeup(const struct kt_ctx *c, bool waited);
void kt_emit_user_exit(const struct kt_ctx *c, __u32 reason, __s32 err);
void kt_emit_programmed(const struct kt_ctx *c, unsigned int t, __u8 cval);
void kt_emit_time(const struct kt_ctx *c, unsigned int t);

#endif
