/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_HOST_H
#define KT_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facts.h"
#include "store.h"

/* What this host is, read from its own files. */

/* Fills the host.* and clock.* facts; what cannot be read is left out. */
int kt_host_facts(struct kt_facts *f);

/* List-register version of the host's GIC: 2 or 3; 0 if not found; 5 is known but has no LRs to read. */
uint8_t kt_host_gic(void);

/* "none", "integrity", "confidentiality"; false without the lockdown LSM. */
bool kt_host_lockdown(char *buf, size_t size);

/* CLOCK_MONOTONIC and the guest-visible counter at one instant, to 1 ms; false if that cannot be had, and off arm64. */
bool kt_host_clock_pair(struct kt_clock_pair *out);

uint64_t kt_host_now_ns(void);

/* A name for the VM of process tgid: QEMU's -name guest=, or the process's comm. */
void kt_host_vm_name(uint32_t tgid, struct kt_vm_name *out);

#endif
