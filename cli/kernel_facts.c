/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel_facts.h"

#include <bpf/btf.h>
#include <stdio.h>
#include <string.h>

/* One row per fact: "yes" when the type has the member, or the function exists. */
static const struct {
	const char *key;
	const char *type, *member;	/* struct and member, or */
	const char *function;		/* function */
} rows[] = {
	/* Gone in 7.2 (ac7002031852): emulated timers publish at each evaluation. */
	{ "kvm.level_cache", .type = "arch_timer_context", .member = "irq" },
	/* 5.15 (3134cc8beb69): the line is sampled again when the guest deactivates. */
	{ "kvm.resample_on_deactivation", .function = "vgic_irq_handle_resampling" },
};

static bool has_member(const struct btf *btf, const char *type, const char *member)
{
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, id) : NULL;
	const struct btf_member *m = t ? btf_members(t) : NULL;

	for (int i = 0; t && i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, m[i].name_off), member))
			return true;
	return false;
}

/* As BPF sees it: the kernel's own pointer, then what the tracepoint passes. */
#define LR_TRACEPOINT_ARGS 6

static bool has_tracepoint(const struct btf *btf, const char *name, int args)
{
	char type[64];
	int id;

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	id = btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF);
	if (id <= 0)
		return false;
	/* typedef of a pointer to a function */
	for (int i = 0; i < 2; i++)
		id = btf__type_by_id(btf, id)->type;
	return btf_is_func_proto(btf__type_by_id(btf, id)) &&
	       btf_vlen(btf__type_by_id(btf, id)) == args;
}

bool kt_kernel_has_lr_tracepoints(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool yes;

	if (!btf)
		return false;
	yes = has_tracepoint(btf, "vgic_flush_lr", LR_TRACEPOINT_ARGS) &&
	      has_tracepoint(btf, "vgic_fold_lr", LR_TRACEPOINT_ARGS) &&
	      has_tracepoint(btf, "vgic_resample_lr", LR_TRACEPOINT_ARGS);
	btf__free(btf);
	return yes;
}

void kt_kernel_facts(struct kt_facts *facts)
{
	struct btf *btf = btf__load_vmlinux_btf();

	if (!btf)
		return;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool yes = rows[i].function ?
			btf__find_by_name_kind(btf, rows[i].function, BTF_KIND_FUNC) > 0 :
			has_member(btf, rows[i].type, rows[i].member);

		(void)kt_facts_set(facts, rows[i].key, yes ? "yes" : "no");
	}
	btf__free(btf);
}
