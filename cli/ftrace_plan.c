/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ftrace_plan_private.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <event-parse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "btf_path.h"
#include "ftrace_event.h"
#include "log.h"
#include "probes.h"

/* ---- formats ---- */

static void note(struct kt_plan_build *b, const char *name, const char *text)
{
	char key[80];

	snprintf(key, sizeof(key), "capture.probe.%s", name);
	(void)!kt_facts_set(b->facts, key, text);
}

struct tep_event *kt_plan_read_format(struct kt_plan_build *b, const char *system, const char *event)
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

bool kt_plan_add_field(struct kt_plan_event *e, struct tep_event *format, const char *name,
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

/* Events of a running vCPU, which happen on its own thread and for each exit. */
static bool is_flood(uint8_t id)
{
	switch (id) {
	case KT_FT_ENTRY:
	case KT_FT_EXIT:
	case KT_FT_WFX:
	case KT_LP_SYSREG:
	case KT_LP_LR_FLUSH:
	case KT_LP_LR_FOLD:
	case KT_LP_LR_RESAMPLE:
	case KT_LP_FLUSH:
	case KT_LP_FOLD_IN:
	case KT_LP_FOLD_OUT:
	case KT_LP_REGS:
		return true;
	}
	return false;
}

struct kt_plan_event *kt_plan_new_event(struct kt_plan_build *b, const char *system,
					const char *name, struct tep_event *format, uint8_t id)
{
	struct kt_plan *p = b->plan;
	struct kt_plan_event *e;

	if (p->nr == KT_PLAN_EVENTS || format->id <= 0 || format->id > 65535)
		return NULL;
	e = &p->event[p->nr++];
	e->type = format->id;
	e->system = system;
	snprintf(e->name, sizeof(e->name), "%s", name);
	e->flood = is_flood(id);
	e->id = id;
	e->comm = -1;
	p->index[e->type] = p->nr;
	return e;
}

/* ---- tracepoints ---- */

/* What the kernel need not even write down; empty when all is wanted. */
static void tracepoint_filter(const struct kt_plan_build *b, enum kt_ftrace_id id, char *text, size_t size)
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

static int enable(struct kt_plan_build *b, struct kt_plan_event *e, const char *filter)
{
	int err = 0;

	if (*filter)
		err = kt_tracefs_write_event(b->t, e->system, e->name, "filter", filter);
	return err ? err : kt_tracefs_write_event(b->t, e->system, e->name, "enable", "1");
}

int kt_plan_exclude(struct kt_plan *p, struct kt_tracefs *t, const uint32_t *tid, unsigned int n)
{
	char text[KT_PLAN_EXCLUDED * 32] = "0";	/* this word removes a filter */
	size_t len = 0;
	int err = 0;

	for (unsigned int i = 0; i < n && i < KT_PLAN_EXCLUDED; i++)
		len += snprintf(text + len, sizeof(text) - len, "%scommon_pid != %u",
				len ? " && " : "", tid[i]);
	for (unsigned int i = 0; i < p->nr && !err; i++)
		if (p->event[i].flood)
			err = kt_tracefs_write_event(t, p->event[i].system, p->event[i].name,
						     "filter", text);
	return err;
}

static int take_tracepoint(struct kt_plan_build *b, enum kt_ftrace_id id)
{
	const struct kt_ftrace_event *row = kt_ftrace_event(id);
	struct kt_plan_event *e;
	struct tep_event *format;
	char filter[128];

	if (!kt_tracefs_has_event(b->t, row->system, row->name))
		return -ENOENT;
	format = kt_plan_read_format(b, row->system, row->name);
	e = format ? kt_plan_new_event(b, row->system, row->name, format, id) : NULL;
	if (!e)
		return -EPROTO;
	for (unsigned int i = 0; i < KT_FTRACE_VALUES && row->field[i].name; i++)
		if (!kt_plan_add_field(e, format, row->field[i].name, i) &&
		    !(row->field[i].flags & KT_FF_OPTIONAL))
			return -EPROTO;
	tracepoint_filter(b, id, filter, sizeof(filter));
	return enable(b, e, filter);
}

static int take_tracepoints(struct kt_plan_build *b)
{
	for (int i = 0; i < kt_nr_probes; i++) {
		const struct kt_probe *row = &kt_probes[i];
		enum kt_ftrace_id id;
		int err;

		/* Those that only some kernels have: take_lr_tracepoints(). */
		if (row->how != KT_HOW_RAW_TP || row->group == KT_GROUP_TRACEPOINT)
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
static void take_sysreg(struct kt_plan_build *b)
{
	struct kt_plan_event *e;
	struct tep_event *format = NULL;
	bool works;

	if (kt_tracefs_has_event(b->t, "kvm", "kvm_handle_sys_reg"))
		format = kt_plan_read_format(b, "kvm", "kvm_handle_sys_reg");
	e = format ? kt_plan_new_event(b, "kvm", "kvm_handle_sys_reg", format, KT_LP_SYSREG) : NULL;
	works = e && kt_plan_add_field(e, format, "hsr", KT_LV_SYSREG_ESR) &&
		!enable(b, e, "");
	note(b, "sysreg", works ? "tracepoint" : "missing");
}

/* In the order of KT_LV_LR_*. */
static const char *const lr_fields[] = {
	"vcpu_id", "irq", "lr", "val", "line", "latch", "active", "enabled", "hw", "phys_active",
};

static const struct {
	const char *name, *probe;
	uint8_t id, group;
} lr_tracepoints[] = {
	{ "vgic_flush_lr", "flush", KT_LP_LR_FLUSH, GROUP_FLUSH },
	{ "vgic_fold_lr", "fold_in", KT_LP_LR_FOLD, GROUP_FOLD_IN },
	{ "vgic_resample_lr", "fold_out", KT_LP_LR_RESAMPLE, GROUP_FOLD_OUT },
};

#define NR_LR_TRACEPOINTS (sizeof(lr_tracepoints) / sizeof(lr_tracepoints[0]))

/* All or none: probes and tracepoints would count the same registers twice. */
static void take_lr_tracepoints(struct kt_plan_build *b)
{
	struct kt_plan_event *e[NR_LR_TRACEPOINTS];
	unsigned int before = b->plan->nr;

	if (b->opts->detail != KT_DETAIL_LR || !b->opts->knobs.gic || b->opts->no_tracepoints)
		return;
	for (size_t i = 0; i < NR_LR_TRACEPOINTS; i++) {
		struct tep_event *format = NULL;
		bool whole;

		if (kt_tracefs_has_event(b->t, "kvm", lr_tracepoints[i].name))
			format = kt_plan_read_format(b, "kvm", lr_tracepoints[i].name);
		e[i] = format ? kt_plan_new_event(b, "kvm", lr_tracepoints[i].name, format,
						  lr_tracepoints[i].id) : NULL;
		whole = e[i] != NULL;
		for (unsigned int f = 0; whole && f < sizeof(lr_fields) / sizeof(lr_fields[0]); f++)
			whole = kt_plan_add_field(e[i], format, lr_fields[f], f);
		if (!whole || enable(b, e[i], ""))
			goto undo;
	}
	for (size_t i = 0; i < NR_LR_TRACEPOINTS; i++) {
		b->taken |= 1u << lr_tracepoints[i].group;
		note(b, lr_tracepoints[i].probe, "tracepoint");
	}
	b->plan->lr_tracepoints = true;
	return;
undo:
	while (b->plan->nr > before) {
		struct kt_plan_event *last = &b->plan->event[--b->plan->nr];

		(void)kt_tracefs_write_event(b->t, "kvm", last->name, "enable", "0");
		b->plan->index[last->type] = 0;
	}
}

/* ---- probes ---- */

static int take_probe(struct kt_plan_build *b, const struct kt_fetch_probe *p)
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
	kt_plan_args(b, p);
	err = kt_tracefs_probe(b->t, name, p->ret, function, b->args);
	kt_debug("%s: %s %s%s: %s", group, name, function, b->args, err ? strerror(-err) : "taken");
	if (err)
		return err;
	format = kt_plan_read_format(b, group, name);
	e = format ? kt_plan_new_event(b, group, name, format, p->id) : NULL;
	if (!e)
		return -EPROTO;
	e->is_probe = true;
	e->kind = p->kind;
	for (unsigned int v = 0; v < KT_LIVE_VALUES; v++) {
		char field[8];

		snprintf(field, sizeof(field), "v%u", v);
		(void)kt_plan_add_field(e, format, field, v);
	}
	if (tep_find_any_field(format, "comm"))
		e->comm = tep_find_any_field(format, "comm")->offset;
	return enable(b, e, p->filter ? p->filter : "");
}

static void try_probe(struct kt_plan_build *b, const struct kt_fetch_probe *p)
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

static void take_probes(struct kt_plan_build *b)
{
	bool wire_has_irq = false;

	for (unsigned int i = 0; i < kt_nr_fetch_probes; i++) {
		const struct kt_fetch_probe *p = &kt_fetch_probes[i];

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
		try_probe(b, &kt_regs_probe);
	for (unsigned int i = 0; i < kt_nr_fetch_probes; i++) {
		const struct kt_fetch_probe *p = &kt_fetch_probes[i];

		if (p->detail <= b->opts->detail && !(b->taken & 1u << p->group) &&
		    !(p->group == GROUP_WIRE_IRQ && wire_has_irq)) {
			kt_warn("cannot observe %s: %s", p->function, p->lost);
			b->taken |= 1u << p->group;
		}
	}
}

/* ---- the plan ---- */

static void read_layout(struct kt_plan_build *b)
{
	struct kt_live_layout *l = &b->plan->layout;
	struct kt_btf_place place;
	int ctx;

	if (!b->btf || kt_btf_place(b->btf, b->vcpu, "arch.timer_cpu.timers[0]", "R", &place))
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

int kt_plan_new(struct kt_tracefs *t, const struct kt_capture_opts *opts,
		struct kt_facts *facts, struct kt_plan **out)
{
	struct kt_plan_build b = { .t = t, .opts = opts, .facts = facts, .vcpu = -1 };
	struct kt_capture_opts own = *opts;
	int err;

	b.opts = &own;
	b.plan = calloc(1, sizeof(*b.plan));
	b.tep = tep_alloc();
	if (!b.plan || !b.tep) {
		err = kt_err(-ENOMEM, "out of memory");
		goto out;
	}
	/* A kernel without it is not an error here, and libbpf would say so on its own. */
	libbpf_set_print(NULL);
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
	take_lr_tracepoints(&b);
	take_probes(&b);
	if (own.calls)
		err = kt_plan_take_functions(&b);
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
		rec->v[KT_LV_CALL] = kt_plan_call_at(p, rec->v[KT_LV_CALL]);
	return true;
}
