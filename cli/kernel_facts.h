/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_KERNEL_FACTS_H
#define KT_KERNEL_FACTS_H

#include <stdbool.h>

#include "facts.h"

/*
 * Adds what the running kernel's BTF tells about its KVM, as facts kvm.*: the
 * checker learns the era from these, never from a version.  Without BTF nothing
 * is added, and rules that need to know stay undecided.
 */
void kt_kernel_facts(struct kt_facts *facts);

/* vgic_flush_lr, vgic_fold_lr and vgic_resample_lr, with the arguments that our programs take. */
bool kt_kernel_has_lr_tracepoints(void);

#endif
