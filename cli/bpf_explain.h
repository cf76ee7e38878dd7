/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_BPF_EXPLAIN_H
#define KT_BPF_EXPLAIN_H

#include "probes.h"

/* From an errno to a sentence: what failed, why, what to do. */

/* Not arm64, no KVM, no BTF, no capability: said before anything is tried. */
__attribute__((warn_unused_result)) int kt_check_host(void);
__attribute__((warn_unused_result)) int kt_explain_load(int err);
__attribute__((warn_unused_result)) int kt_explain_attach(int err, const struct kt_probe *p);

/* libbpf's own messages go to kt_debug. */
void kt_libbpf_quiet(void);

#endif
