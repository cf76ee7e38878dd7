/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ftrace_plan.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <event-parse.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "btf_path.h"
#include "ftrace_event.h"
#include "log.h"
#include "probes.h"

/* ---- what our probes fetch ---- */

/*
 * One argument: the value it becomes and where it is in struct kvm_vcpu, by name;
 * the first path that this kernel has.  A path that begins with "=" is taken as it
 * stands, after register names have been put in: "=R0:u64" is the first argument.
 */
struct arg {
	uint8_t value;
	uint8_t nr;		/* array elements; 0 = one */
	const char *path[2];
};

#define ARGS_END { 0, 0, { NULL } }
#define TIMER(i) "arch.timer_cpu.timers[" #i "]"
#define TIMER_OFFSET(i)								\
	{ KT_LV_OFFSET + 3 * i, 0, { TIMER(i) ".offset.vm_offset" } },		\
	{ KT_LV_OFFSET + 3 * i + 1, 0, { TIMER(i) ".offset.vm_offset[0]" } },	\
	{ KT_LV_OFFSET + 3 * i + 2, 0, { TIMER(i) ".offset.vcpu_offset" } }
#define OFFSETS TIMER_OFFSET(0), TIMER_OFFSET(1),					\
	{ KT_LV_CNTVOFF, 0, { "?arch.ctxt.sys_regs[CNTVOFF_EL2]" } }
/* The interrupt's number: in the context until 6.4, then one per VM. */
#define TIMER_IRQ(i)								\
	{ KT_LV_IRQ + i, 0, { TIMER(i) ".irq.irq", "kvm->arch.timer_data.ppi[" #i "]" } },	\
	{ KT_LV_HOST_IRQ + i, 0, { TIMER(i) ".host_timer_irq" } }

/* kvm is the first of all members, ever since. */
#define IDENTITY									\
	{ KT_LV_VCPU, 0, { "=R0:u64" } },						\
	{ KT_LV_KVM, 0, { "kvm", "=+0(R0):u64" } },					\
	{ KT_LV_TGID, 0, { "kvm->userspace_pid" } },					\
	{ KT_LV_ID, 0, { "vcpu_id" } },							\
	{ KT_LV_IDX, 0, { "vcpu_idx" } },						\
	TIMER_IRQ(0), TIMER_IRQ(1), TIMER_IRQ(2), TIMER_IRQ(3),				\
	{ KT_LV_IN_KERNEL, 0, { "kvm->arch.vgic.in_kernel" } },				\
	{ KT_LV_MODEL, 0, { "kvm->arch.vgic.vgic_model" } },				\
	OFFSETS

static const struct arg load_args[] = {
	IDENTITY,
	{ KT_LV_PID, 0, { "pid" } },
	{ KT_LV_TID, 0, { "pid->numbers[0].nr" } },
	ARGS_END
};

/* Before its first run a vCPU has no thread; to ask all the same would fault, and 5.10 counts that as a skip. */
static const struct arg reset_args[] = { IDENTITY, ARGS_END };

static const struct arg put_args[] = {
	{ KT_LV_VCPU, 0, { "=R0:u64" } },
	{ KT_LV_PREEMPTED, 0, { "preempted" } },
	/* 5.17+; before it a task that waits is named in the vCPU's rcuwait. */
	{ KT_LV_BLOCKING, 0, { "stat.generic.blocking", "?wait" } },
	{ KT_LV_RUN, 0, { "run" } },
	{ KT_LV_DEVICE_LEVEL, 0, { "run->s.regs.device_irq_level" } },
	OFFSETS,
	ARGS_END
};

static const struct arg vcpu_args[] = { { KT_LV_VCPU, 0, { "=R0:u64" } }, ARGS_END };
static const struct arg hrtimer_args[] = {
	{ KT_LV_HRT_PTR, 0, { "=R0:u64" } },
	{ KT_LV_HRT_EXPIRES, 0, { "?expires" } },
	ARGS_END
};
static const struct arg lr_args[] = {
	{ KT_LV_VCPU, 0, { "=R0:u64" } },
	{ KT_LV_USED, 0, { "?used" } },
	{ KT_LV_LR, KT_LIVE_LRS, { "?lr" } },
	{ KT_LV_STATE, 0, { "?state" } },
	ARGS_END
};
static const struct arg fold_in_args[] = {
	{ KT_LV_VCPU, 0, { "=R0:u64" } },
	{ KT_LV_USED, 0, { "?used" } },
	{ KT_LV_LR, KT_LIVE_LRS, { "?lr" } },
	ARGS_END
};
static const struct arg fold_out_args[] = {
	{ KT_LV_VCPU, 0, { "=R0:u64" } },
	{ KT_LV_STATE, 0, { "?state" } },
	ARGS_END
};
#define GUEST_REGS								\
	{ KT_LV_VCPU, 0, { "=R0:u64" } },					\
	{ KT_LV_ESR, 0, { "arch.fault.esr_el2" } },				\
	{ KT_LV_PSTATE, 0, { "arch.ctxt.regs.pstate" } }
static const struct arg regs_args[] = { GUEST_REGS, ARGS_END };
static const struct arg regs_fold_args[] = {
	GUEST_REGS, { KT_LV_STATE, 0, { "?state" } }, ARGS_END
};
static const struct arg wire_args[] = {
	{ KT_LV_WIRE_IRQ, 0, { "=R0:u32" } }, { KT_LV_WIRE_LEVEL, 0, { "=$retval:u8" } }, ARGS_END
};
static const struct arg wire_irq_args[] = { { KT_LV_WIRE_IRQ, 0, { "=R0:u32" } }, ARGS_END };
static const struct arg wire_ret_args[] = { { KT_LV_WIRE_LEVEL, 0, { "=$retval:u8" } }, ARGS_END };
static const struct arg irqchip_args[] = {
	{ KT_LV_CHIP_IRQ, 0, { "=R0:u32" } }, { KT_LV_CHIP_WHICH, 0, { "=R1:u32" } },
	{ KT_LV_CHIP_VAL, 0, { "=R2:u8" } }, ARGS_END
};

/*
 * Our probes.  Those of one group stand for the same thing, best first: the first
 * that the kernel takes is used.  A return probe sees its arguments since 6.9
 * only (25f00e40ce79); before it, the next function that the run loop enters with
 * the same vCPU takes its place, which an aborted entry does not reach.
 */
struct probe {
	uint8_t id;
	bool ret, btf;		/* btf: of no use without it */
	uint8_t detail, group, kind;
	const char *name, *function, *filter;
	const struct arg *args;
	const char *lost;
};

enum group { GROUP_LOAD = 1, GROUP_RESET, GROUP_ENABLE, GROUP_PUT, GROUP_HRTIMER, GROUP_BG, GROUP_VCPU, GROUP_VM,
	     GROUP_FLUSH, GROUP_FOLD_IN, GROUP_FOLD_OUT, GROUP_WIRE, GROUP_WIRE_IRQ, GROUP_IRQCHIP,
	     GROUP_NR };

static const struct probe probes[] = {
	{ KT_LP_LOAD, false, false, KT_DETAIL_LINE, GROUP_LOAD, KT_EV_NONE, "load",
	  "kvm_timer_vcpu_load", NULL, load_args, "whose events they are" },
	{ KT_LP_RESET, false, false, KT_DETAIL_LINE, GROUP_RESET, KT_EV_NONE, "reset",
	  "kvm_timer_vcpu_reset", NULL, reset_args, "whose events a reset's are" },
	/* A vCPU's first timer map comes from here, before it is loaded. */
	{ KT_LP_RESET, false, false, KT_DETAIL_LINE, GROUP_ENABLE, KT_EV_NONE, "enable",
	  "kvm_timer_enable", NULL, reset_args, "whose events a vCPU's first are" },
	{ KT_LP_PUT, false, false, KT_DETAIL_LINE, GROUP_PUT, KT_EV_NONE, "put",
	  "kvm_timer_vcpu_put", NULL, put_args, "why a vCPU left its CPU; the user lane" },
	{ KT_LP_HRTIMER, false, true, KT_DETAIL_LINE, GROUP_HRTIMER, KT_EV_NONE, "hrtimer",
	  "kvm_hrtimer_expire", NULL, hrtimer_args, "whose soft timer fires on a foreign CPU" },
	{ KT_LP_BG, false, false, KT_DETAIL_LINE, GROUP_BG, KT_EV_BG_EXPIRE, "bg_expire",
	  "kvm_bg_timer_expire", NULL, hrtimer_args,
	  "wake-ups of sleeping vCPUs by their timer" },
	{ KT_LP_VCPU_GONE, false, false, KT_DETAIL_LINE, GROUP_VCPU, KT_EV_VCPU_GONE, "vcpu_destroy",
	  "kvm_arch_vcpu_destroy", NULL, vcpu_args,
	  "ends of vCPUs: a VM that reuses the memory of another in one process looks like it" },
	{ KT_LP_VM_GONE, false, false, KT_DETAIL_LINE, GROUP_VM, KT_EV_NONE, "vm_destroy",
	  "kvm_arch_destroy_vm", NULL, vcpu_args,
	  "ends of VMs: a VM that reuses the memory of another in one process looks like it" },

	{ KT_LP_FLUSH, true, true, KT_DETAIL_LR, GROUP_FLUSH, KT_EV_LR, "flush",
	  "kvm_vgic_flush_hwstate", NULL, lr_args, "list registers as the guest gets them" },
	{ KT_LP_FLUSH, false, true, KT_DETAIL_LR, GROUP_FLUSH, KT_EV_LR, "flush",
	  "kvm_arch_vcpu_ctxflush_fp", NULL, lr_args, "list registers as the guest gets them" },
	{ KT_LP_FLUSH, false, true, KT_DETAIL_LR, GROUP_FLUSH, KT_EV_LR, "flush",
	  "kvm_arm_setup_debug", NULL, lr_args, "list registers as the guest gets them" },
	{ KT_LP_FOLD_IN, false, true, KT_DETAIL_LR, GROUP_FOLD_IN, KT_EV_LR, "fold_in",
	  "vgic_v3_fold_lr_state", NULL, fold_in_args, "list registers as the guest left them" },
	{ KT_LP_FOLD_OUT, true, true, KT_DETAIL_LR, GROUP_FOLD_OUT, KT_EV_LR, "fold_out",
	  "vgic_v3_fold_lr_state", NULL, fold_out_args, "the line after resampling" },
	{ KT_LP_REGS, false, true, KT_DETAIL_LR, GROUP_FOLD_OUT, KT_EV_LR, "fold_out",
	  "kvm_arch_vcpu_ctxsync_fp", NULL, regs_fold_args, "the line after resampling" },
	{ KT_LP_WIRE, true, false, KT_DETAIL_LR, GROUP_WIRE, KT_EV_WIRE, "wire",
	  "kvm_arch_timer_get_input_level", NULL, wire_args,
	  "samples of the timer's own output at fold" },
	{ KT_LP_WIRE_RET, true, false, KT_DETAIL_LR, GROUP_WIRE, KT_EV_WIRE, "wire",
	  "kvm_arch_timer_get_input_level", NULL, wire_ret_args,
	  "samples of the timer's own output at fold" },
	{ KT_LP_WIRE_IRQ, false, false, KT_DETAIL_LR, GROUP_WIRE_IRQ, KT_EV_NONE, "wire_irq",
	  "kvm_arch_timer_get_input_level", NULL, wire_irq_args,
	  "which timer a sampled output belongs to" },
	{ KT_LP_IRQCHIP, false, false, KT_DETAIL_LR, GROUP_IRQCHIP, KT_EV_IRQCHIP, "irqchip",
	  "irq_set_irqchip_state", "v1 == 1", irqchip_args, "the physical active state" },
};

/* Where the fold needs no stand-in, the exit's registers still want a probe. */
static const struct probe regs_probe = {
	KT_LP_REGS, false, true, KT_DETAIL_LR, GROUP_NR, KT_EV_NONE, "exit_regs",
	"kvm_arch_vcpu_ctxsync_fp", NULL, regs_args,
	"the syndrome and PSTATE of exits: the masked lane"
};

struct build {
	struct kt_tracefs *t, *any;
	struct kt_plan *plan;
	struct kt_facts *facts;
	const struct kt_capture_opts *opts;
	struct tep_handle *tep;
	struct btf *btf;
	int vcpu;			/* struct kvm_vcpu in btf */
	unsigned int taken;		/* bit per group of probes */
	char args[3000];
	size_t n;
	struct kt_live_bit window[2 * KT_LIVE_WINDOWS];
};

/* ---- fetch arguments as text ---- */

static void add(struct build *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	b->n += vsnprintf(b->args + b->n, sizeof(b->args) - b->n, fmt, ap);
	va_end(ap);
	if (b->n >= sizeof(b->args))
		b->n = sizeof(b->args) - 1;
}

/* "R0" becomes what the probe calls its first argument. */
static void add_literal(struct build *b, unsigned int value, const char *text, bool ret)
{
	add(b, " v%u=", value);
	for (; *text; text++) {
		if (*text == 'R' && text[1] >= '0' && text[1] <= '7') {
			int nr = *++text - '0';

			add(b, ret ? "$arg%d" : "%%x%d", ret ? nr + 1 : nr);
		} else {
			add(b, "%c", *text);
		}
	}
}

static const char *base_of(bool ret)
{
	return ret ? "$arg1" : "%x0";
}

static bool add_place(struct build *b, unsigned int value, unsigned int nr, const char *path,
		      bool ret)
{
	struct kt_btf_place place;

	if (!b->btf || kt_btf_place(b->btf, b->vcpu, path, base_of(ret), &place))
		return false;
	if (place.bits != 8 && place.bits != 16 && place.bits != 32 && place.bits != 64)
		return false;
	add(b, " v%u=%s:%c%u", value, place.address, place.is_signed ? 's' : 'u', place.bits);
	if (nr)
		add(b, "[%u]", nr);
	return true;
}

static const char *const flags[6] = { "line_level", "pending_latch", "active", "enabled", "hw",
				      "group" };

/*
 * The flags of a vgic_irq: bytes until 6.12, single bits since.  Whichever they are,
 * they lie in a few 64-bit windows that the probe fetches whole.
 */
static void add_state(struct build *b, bool ret)
{
	static const unsigned int ppi[2] = { KT_LIVE_PPI_P, KT_LIVE_PPI_V };

	for (unsigned int t = 0; t < 2; t++) {
		uint32_t first[KT_LIVE_WINDOWS] = { 0 };
		unsigned int nr = 0;

		for (unsigned int f = 0; f < 6; f++) {
			struct kt_btf_place place;
			char path[96], address[64], *end;
			uint32_t byte;
			unsigned int w;

			snprintf(path, sizeof(path), "arch.vgic_cpu.private_irqs[%u].%s", ppi[t],
				 flags[f]);
			if (!b->btf || kt_btf_place(b->btf, b->vcpu, path, base_of(ret), &place))
				continue;
			byte = place.bit_off / 8;
			for (w = 0; w < nr; w++)
				if (byte >= first[w] && byte < first[w] + 8)
					break;
			if (w == KT_LIVE_WINDOWS)
				continue;
			if (w == nr) {
				/* Aligned, so that it never leaves the structure's own words. */
				first[nr++] = byte & ~7u;
				snprintf(address, sizeof(address), "%s", place.address);
				end = strchr(address, '(');
				add(b, " v%u=+%u%s:u64", KT_LV_STATE + t * KT_LIVE_WINDOWS + w,
				    first[w], end ? end : "");
			}
			b->plan->layout.flag[f] = (struct kt_live_bit){
				.window = w, .shift = place.bit_off - 8 * first[w],
				.bits = place.bits,
			};
		}
	}
}

static bool add_special(struct build *b, const struct arg *a, const char *what, bool ret)
{
	uint8_t gic = b->opts->knobs.gic;
	struct kt_btf_place place;
	int hrtimer;

	if (!strcmp(what, "used"))
		return add_place(b, a->value, 0, gic == 2 ? "arch.vgic_cpu.vgic_v2.used_lrs" :
				 "arch.vgic_cpu.vgic_v3.used_lrs", ret);
	if (!strcmp(what, "lr"))
		return add_place(b, a->value, a->nr, gic == 2 ? "arch.vgic_cpu.vgic_v2.vgic_lr[0]" :
				 "arch.vgic_cpu.vgic_v3.vgic_lr[0]", ret);
	if (!strcmp(what, "state")) {
		add_state(b, ret);
		return true;
	}
	if (!strcmp(what, "wait"))
		return add_place(b, a->value, 0, "waitp[0].task", ret) ||
		       add_place(b, a->value, 0, "wait.task", ret);
	if (!strcmp(what, "expires")) {
		hrtimer = b->btf ? kt_btf_struct(b->btf, "hrtimer") : -1;
		if (hrtimer < 0 || kt_btf_place(b->btf, hrtimer, "_softexpires", "%x0", &place))
			return false;
		add(b, " v%u=%s:u64", a->value, place.address);
		return true;
	}
	/* Only where the contexts have no offsets of their own: before 6.4. */
	if (b->btf && !kt_btf_place(b->btf, b->vcpu, TIMER(1) ".offset.vm_offset", "%x0", &place))
		return false;
	return add_place(b, a->value, 0, what, ret);
}

static void make_args(struct build *b, const struct probe *p)
{
	b->n = 0;
	b->args[0] = '\0';
	for (const struct arg *a = p->args; a->path[0]; a++) {
		for (unsigned int i = 0; i < 2 && a->path[i]; i++) {
			const char *path = a->path[i];

			if (*path == '=') {
				add_literal(b, a->value, path + 1, p->ret);
				break;
			}
			if (*path == '?' ? add_special(b, a, path + 1, p->ret)
					 : add_place(b, a->value, a->nr, path, p->ret))
				break;
		}
	}
	if (p->args == load_args || p->args == reset_args)
		add(b, " comm=$comm");
}

/* ---- formats ---- */

static void note(struct build *b, const char *name, const char *text)
{
	char key[80];

	snprintf(key, sizeof(key), "capture.probe.%s", name);
	(void)!kt_facts_set(b->facts, key, text);
}

static struct tep_event *read_format(struct build *b, const char *system, const char *event)
{
	char path[256], *text;
	struct tep_event *e;
	FILE *f;
	size_t n;

	/* The function tracer's own event has its format at the top only. */
	snprintf(path, sizeof(path), "%s/events/%s/%s/format", kt_tracefs_dir(), system, event);
	text = calloc(1, 65536);
	f = fopen(path, "re");
	if (!text || !f) {
		free(text);
		if (f)
			fclose(f);
		return NULL;
	}
	n = fread(text, 1, 65535, f);
	fclose(f);
	(void)tep_parse_event(b->tep, text, n, system);
	free(text);
	e = tep_find_event_by_name(b->tep, system, event);
	return e;
}

static bool add_field(struct kt_plan_event *e, struct tep_event *format, const char *name,
		      unsigned int value)
{
	struct tep_format_field *f = tep_find_any_field(format, name);
	int nr, size;

	if (!f || f->offset > UINT16_MAX || f->size <= 0)
		return false;
	/* Our only arrays are of list registers; 6.12 leaves their length out: "u64 v2[]". */
	nr = f->size > 8 ? KT_LIVE_LRS : 1;
	size = f->size / nr;
	if (size > 8)
		return false;
	for (int i = 0; i < nr && e->nr_fields < KT_LIVE_VALUES && value + i < KT_LIVE_VALUES; i++) {
		e->field[e->nr_fields++] = (struct kt_plan_field){
			.offset = f->offset + i * size, .drop = 64 - 8 * size, .value = value + i,
			.is_signed = !!(f->flags & TEP_FIELD_IS_SIGNED),
		};
		e->has |= 1ull << (value + i);
	}
	return true;
}

static struct kt_plan_event *new_event(struct build *b, struct tep_event *format, uint8_t id)
{
	struct kt_plan *p = b->plan;
	struct kt_plan_event *e;

	if (p->nr == KT_PLAN_EVENTS || format->id <= 0 || format->id > 65535)
		return NULL;
	e = &p->event[p->nr++];
	e->type = format->id;
	e->id = id;
	e->comm = -1;
	p->index[e->type] = p->nr;
	return e;
}

/* ---- tracepoints ---- */

/* What the kernel need not even write down; empty when all is wanted. */
static void tracepoint_filter(const struct build *b, enum kt_ftrace_id id, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	/* PPIs only: an SPI per disk request would fill the buffer for nothing. */
	if (id == KT_FT_VGIC_UPDATE)
		snprintf(text, size, "irq < 32 || irq >= 536870912");
	if (!b->opts->knobs.timer_mask || (id != KT_FT_SAVE && id != KT_FT_RESTORE &&
					   id != KT_FT_EMULATE && id != KT_FT_HRTIMER_EXPIRE))
		return;
	for (unsigned int t = 0; t < KT_TIMER_NR; t++)
		if (b->opts->knobs.timer_mask >> t & 1)
			n += snprintf(text + n, size - n, "%stimer_idx == %u", n ? " || " : "", t);
}

static int enable_in(struct kt_tracefs *t, const char *system, const char *event,
		     const char *filter)
{
	int err = 0;

	if (*filter)
		err = kt_tracefs_write_event(t, system, event, "filter", filter);
	return err ? err : kt_tracefs_write_event(t, system, event, "enable", "1");
}

/*
 * With a filter by task, what belongs to a task stays in the first instance; soft
 * timers fire on top of any task, and a VM may be taken down by any.
 */
static int enable(struct build *b, uint8_t id, const char *system, const char *event,
		  const char *filter)
{
	char here[128], there[128];
	int err;

	switch (b->any ? id : KT_FT_NONE) {
	case KT_FT_HRTIMER_EXPIRE:
	case KT_LP_HRTIMER:
	case KT_LP_BG:
	case KT_LP_VCPU_GONE:
	case KT_LP_VM_GONE:
		return enable_in(b->any, system, event, filter);
	case KT_FT_UPDATE_IRQ:
	case KT_FT_VGIC_UPDATE:
		/* 8: the hard interrupt's flag (TRACE_FLAG_HARDIRQ) */
		snprintf(here, sizeof(here), "%s%s%s!(common_flags & 8)", *filter ? "(" : "", filter,
			 *filter ? ") && " : "");
		snprintf(there, sizeof(there), "%s%s%scommon_flags & 8", *filter ? "(" : "", filter,
			 *filter ? ") && " : "");
		err = enable_in(b->any, system, event, there);
		return err ? err : enable_in(b->t, system, event, here);
	}
	return enable_in(b->t, system, event, filter);
}

static int take_tracepoint(struct build *b, enum kt_ftrace_id id)
{
	const struct kt_ftrace_event *row = kt_ftrace_event(id);
	struct kt_plan_event *e;
	struct tep_event *format;
	char filter[128];

	if (!kt_tracefs_has_event(b->t, row->system, row->name))
		return -ENOENT;
	format = read_format(b, row->system, row->name);
	e = format ? new_event(b, format, id) : NULL;
	if (!e)
		return -EPROTO;
	for (unsigned int i = 0; i < KT_FTRACE_VALUES && row->field[i].name; i++)
		if (!add_field(e, format, row->field[i].name, i) &&
		    !(row->field[i].flags & KT_FF_OPTIONAL))
			return -EPROTO;
	tracepoint_filter(b, id, filter, sizeof(filter));
	return enable(b, id, row->system, row->name, filter);
}

static int take_tracepoints(struct build *b)
{
	for (int i = 0; i < kt_nr_probes; i++) {
		const struct kt_probe *row = &kt_probes[i];
		enum kt_ftrace_id id;
		int err;

		if (row->how != KT_HOW_RAW_TP)
			continue;
		id = kt_ftrace_find(row->target, strlen(row->target));
		if (b->opts->calls && id != KT_FT_ENTRY && id != KT_FT_EXIT)
			continue;
		err = id ? take_tracepoint(b, id) : -EPROTO;
		if (!err) {
			note(b, row->name, "tracepoint");
			continue;
		}
		note(b, row->name, strerror(-err));
		if (id == KT_FT_ENTRY || id == KT_FT_EXIT)
			return kt_err(err, "cannot observe %s through ftrace (%s): without it there "
				      "is no %s", row->target, strerror(-err), row->lost);
		if (err != -ENOENT || id != KT_FT_UPDATE_IRQ)
			kt_warn("cannot observe %s (%s): %s", row->target, strerror(-err), row->lost);
	}
	return 0;
}

/* The whole syndrome of a trapped register access, which kvm_exit does not have. */
static void take_sysreg(struct build *b)
{
	struct kt_plan_event *e;
	struct tep_event *format = NULL;
	bool works;

	if (kt_tracefs_has_event(b->t, "kvm", "kvm_handle_sys_reg"))
		format = read_format(b, "kvm", "kvm_handle_sys_reg");
	e = format ? new_event(b, format, KT_LP_SYSREG) : NULL;
	works = e && add_field(e, format, "hsr", KT_LV_SYSREG_ESR) &&
		!enable(b, KT_LP_SYSREG, "kvm", "kvm_handle_sys_reg", "");
	note(b, "sysreg", works ? "tracepoint" : "missing");
}

/* ---- probes ---- */

static int take_probe(struct build *b, const struct probe *p)
{
	const char *group = kt_tracefs_group(b->t), *function = p->function;
	struct kt_plan_event *e;
	struct tep_event *format;
	char name[48];
	int err;

	if (p->btf && !b->btf)
		return -ENODATA;
	if (b->opts->knobs.gic == 2 && !strcmp(function, "vgic_v3_fold_lr_state"))
		function = "vgic_v2_fold_lr_state";
	/* The kernel's profile of probes has no groups. */
	snprintf(name, sizeof(name), "%s_%d", p->name, getpid());
	make_args(b, p);
	err = kt_tracefs_probe(b->t, name, p->ret, function, b->args);
	kt_debug("%s: %s %s%s: %s", group, name, function, b->args, err ? strerror(-err) : "taken");
	if (err)
		return err;
	format = read_format(b, group, name);
	e = format ? new_event(b, format, p->id) : NULL;
	if (!e)
		return -EPROTO;
	snprintf(e->probe, sizeof(e->probe), "%s", name);
	e->kind = p->kind;
	for (unsigned int v = 0; v < KT_LIVE_VALUES; v++) {
		char field[8];

		snprintf(field, sizeof(field), "v%u", v);
		(void)add_field(e, format, field, v);
	}
	if (tep_find_any_field(format, "comm"))
		e->comm = tep_find_any_field(format, "comm")->offset;
	return enable(b, p->id, group, name, p->filter ? p->filter : "");
}

static void try_probe(struct build *b, const struct probe *p)
{
	int err = take_probe(b, p);

	if (!err) {
		b->taken |= 1u << p->group;
		note(b, p->name, p->ret ? "kretprobe" : "kprobe");
		if (p->id == KT_LP_REGS && p->group == GROUP_FOLD_OUT)
			b->plan->fold_out_in_regs = true;
		return;
	}
	if (!(b->taken & 1u << p->group))
		note(b, p->name, err == -ENODATA ? "needs BTF" : strerror(-err));
}

static void take_probes(struct build *b)
{
	bool wire_has_irq = false;

	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		const struct probe *p = &probes[i];

		if (p->detail > b->opts->detail || b->taken & 1u << p->group ||
		    (p->detail == KT_DETAIL_LR && !b->opts->knobs.gic))
			continue;
		if (p->group == GROUP_WIRE_IRQ && wire_has_irq)
			continue;
		try_probe(b, p);
		if (p->id == KT_LP_WIRE)
			wire_has_irq = b->taken & 1u << GROUP_WIRE;
	}
	if (b->opts->detail == KT_DETAIL_LR && b->opts->knobs.gic && !b->plan->fold_out_in_regs)
		try_probe(b, &regs_probe);
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		const struct probe *p = &probes[i];

		if (p->detail <= b->opts->detail && !(b->taken & 1u << p->group) &&
		    !(p->group == GROUP_WIRE_IRQ && wire_has_irq)) {
			kt_warn("cannot observe %s: %s", p->function, p->lost);
			b->taken |= 1u << p->group;
		}
	}
}

/* ---- the function tracer, where there are no timer tracepoints ---- */

static const char *const call_functions[KT_CALL_NR] = {
#define X(id, name, functions) [KT_CALL_##id] = functions,
	KT_CALLS(X)
#undef X
};

static void find_functions(struct kt_plan *p)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[512], name[256];
	uint64_t address;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 " %*c %255s", &address, name) != 2 || strncmp(name, "kvm_", 4))
			continue;
		for (unsigned int fn = 1; fn < KT_CALL_NR; fn++) {
			const char *list = call_functions[fn], *at = strstr(list, name);
			size_t len = strlen(name);

			if (!at || (at != list && at[-1] != ' ') || (at[len] && at[len] != ' ') ||
			    p->nr_functions == KT_PLAN_FUNCTIONS)
				continue;
			p->function[p->nr_functions].address = address;
			p->function[p->nr_functions++].fn = fn;
		}
	}
	if (f)
		fclose(f);
}

static int take_functions(struct build *b)
{
	struct kt_plan_event *e;
	struct tep_event *format;
	unsigned int taken = 0;
	int err = 0, fd;

	find_functions(b->plan);
	fd = kt_tracefs_open_file(b->t, "set_ftrace_filter", O_WRONLY | O_TRUNC);
	if (fd < 0)
		return kt_err(fd, "no function tracer on this kernel (set_ftrace_filter: %s): it needs "
			      "CONFIG_FUNCTION_TRACER=y", strerror(-fd));
	for (unsigned int fn = 1; fn < KT_CALL_NR; fn++) {
		char copy[128], *save = NULL, *word;

		snprintf(copy, sizeof(copy), "%s", call_functions[fn]);
		for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
			char text[72];

			/* One write each: a name that this kernel does not have refuses its own only. */
			snprintf(text, sizeof(text), "%s\n", word);
			if (write(fd, text, strlen(text)) > 0)
				taken++;
		}
	}
	close(fd);
	if (!taken)
		return kt_err(-ENOENT, "the function tracer knows none of KVM's timer functions");
	format = read_format(b, "ftrace", "function");
	e = format ? new_event(b, format, KT_LP_CALL) : NULL;
	if (!e || !add_field(e, format, "ip", KT_LV_CALL))
		return kt_err(-EPROTO, "cannot read the format of the function tracer");
	err = kt_tracefs_write(b->t, "current_tracer", "function");
	if (err)
		return kt_err(err, "cannot start the function tracer: %s", strerror(-err));
	note(b, "calls", "function tracer");
	return 0;
}

/* An address behind the function's own: the compiler puts a landing pad before the hook. */
static uint8_t call_at(const struct kt_plan *p, uint64_t ip)
{
	for (unsigned int i = 0; i < p->nr_functions; i++)
		if (ip - p->function[i].address < 32)
			return p->function[i].fn;
	return KT_CALL_NONE;
}

/* ---- the plan ---- */

static void read_layout(struct build *b)
{
	struct kt_live_layout *l = &b->plan->layout;
	struct kt_btf_place place;
	int ctx;

	if (!b->btf || kt_btf_place(b->btf, b->vcpu, TIMER(0), "R", &place))
		return;
	l->timers = place.bit_off / 8;
	l->timer_size = place.bits / 8;
	if (!kt_btf_place(b->btf, b->vcpu, "arch.timer_cpu.bg_timer", "R", &place))
		l->bg_timer = place.bit_off / 8;
	ctx = kt_btf_struct(b->btf, "arch_timer_context");
	if (!kt_btf_place(b->btf, ctx, "hrtimer", "R", &place))
		l->timer_hrtimer = place.bit_off / 8;
	else
		l->timer_size = 0;
}

int kt_plan_new(struct kt_tracefs *t, struct kt_tracefs *any, const struct kt_capture_opts *opts,
		struct kt_facts *facts, struct kt_plan **out)
{
	struct build b = { .t = t, .any = any, .opts = opts, .facts = facts, .vcpu = -1 };
	struct kt_capture_opts own = *opts;
	int err;

	b.opts = &own;
	b.plan = calloc(1, sizeof(*b.plan));
	b.tep = tep_alloc();
	if (!b.plan || !b.tep) {
		err = kt_err(-ENOMEM, "out of memory");
		goto out;
	}
	b.btf = btf__load_vmlinux_btf();
	if (libbpf_get_error(b.btf))
		b.btf = NULL;
	if (b.btf)
		b.vcpu = kt_btf_struct(b.btf, "kvm_vcpu");
	if (!own.calls && !kt_tracefs_has_event(t, "kvm", "kvm_timer_update_irq")) {
		kt_warn("this kernel has no timer tracepoints: only the order of calls is recorded");
		own.calls = true;
	}
	read_layout(&b);
	err = take_tracepoints(&b);
	if (err)
		goto out;
	take_sysreg(&b);
	take_probes(&b);
	if (own.calls)
		err = take_functions(&b);
	if (err)
		goto out;
	*out = b.plan;
	b.plan = NULL;
out:
	btf__free(b.btf);
	tep_free(b.tep);
	free(b.plan);
	return err;
}

void kt_plan_free(struct kt_plan *p)
{
	free(p);
}

/* ---- records ---- */

/* struct trace_entry: its layout has been the same since 2.6.37. */
struct entry {
	uint16_t type;
	uint8_t flags, preempt_count;
	int32_t pid;
};

/* Reads eight bytes wherever the field ends (ftrace_pages.h leaves room) and drops the rest. */
static inline uint64_t load_field(const char *data, const struct kt_plan_field *f)
{
	uint64_t v;

	memcpy(&v, data + f->offset, sizeof(v));
	v <<= f->drop;
	return f->is_signed ? (uint64_t)((int64_t)v >> f->drop) : v >> f->drop;
}

static void copy_comm(const char *data, size_t size, uint32_t at, char *comm)
{
	uint32_t loc, offset, length;

	memcpy(&loc, data + at, sizeof(loc));
	offset = loc & 0xffff;
	length = loc >> 16;
	memset(comm, 0, KT_COMM_LEN);
	if (offset <= size && length <= size - offset)
		memcpy(comm, data + offset, strnlen(data + offset, length < KT_COMM_LEN ? length :
						    KT_COMM_LEN - 1));
}

bool kt_plan_decode(const struct kt_plan *p, const void *data, size_t size,
		    struct kt_live_rec *rec)
{
	const struct entry *entry = data;
	const struct kt_plan_event *e;

	if (size < sizeof(*entry) || !p->index[entry->type])
		return false;
	e = &p->event[p->index[entry->type] - 1];
	rec->id = e->id;
	rec->tid = entry->pid;
	rec->ctx = kt_ftrace_ctx(entry->flags);
	rec->has = e->has;
	for (const struct kt_plan_field *f = e->field, *end = f + e->nr_fields; f < end; f++)
		rec->v[f->value] = load_field(data, f);
	if (e->comm >= 0)
		copy_comm(data, size, e->comm, rec->comm);
	if (rec->id == KT_LP_CALL)
		rec->v[KT_LV_CALL] = call_at(p, rec->v[KT_LV_CALL]);
	return true;
}
