/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_FACTS_H
#define KT_FACTS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Facts about a recording's host: an ordered list of "key", "value" strings.
 * Keys are dotted words of [a-z0-9._-]; values are any bytes but NUL and are
 * escaped by whoever prints them.  Keys in use:
 *
 *   host.release      uname -r                host.machine    uname -m
 *   host.name         hostname                host.cpus       online CPUs
 *   host.mode         vhe | nvhe | pkvm       host.gic        2 | 3 | 5
 *   host.boot_id      kernel.random.boot_id   host.config.*   a kernel option that matters
 *   clock.counter_hz  CNTFRQ_EL0              time.start      RFC 3339, wall clock
 *   capture.source    bpf | ftrace | machine  capture.detail  line | lr
 *   capture.filter    the filter, in words    capture.command argv of record, joined
 *   capture.version   version of the tool     capture.probe.NAME  raw_tp | kprobe | fentry | missing: REASON
 *   capture.attached_ns  since when all probes are on; no verdict before
 *   capture.cost_ns   own measured cost per event (BPF run-time statistics), when known
 *   kvm.level_cache  yes | no: KVM remembers the level it told the vgic (until 7.1)
 *   kvm.resample_on_deactivation  yes | no (5.15 and later)
 *   file.whole_from_ns  begun where a full file was closed: what is older may be in that one
 *   stop.reason       why recording ended     (written at the end)
 *   stop.whole        yes | no: streams end at different times, after the last mark
 *   stop.events, stop.lost  in this file      stop.records    read from the kernel
 *   stop.cut          yes, in a dump only: the recording had no end
 *   stop.damaged, stop.late  in a dump only: blocks and events of the recording that are not in it
 */

struct kt_facts;

int kt_facts_new(struct kt_facts **out);
void kt_facts_free(struct kt_facts *f);

/* Copies both strings; a key that is already there is replaced.  -EINVAL for a bad key. */
int kt_facts_set(struct kt_facts *f, const char *key, const char *value);
__attribute__((format(printf, 3, 4)))
int kt_facts_setf(struct kt_facts *f, const char *key, const char *fmt, ...);

/* Sets all that from has, in its order; from may be NULL.  0 or what kt_facts_set says. */
int kt_facts_copy(struct kt_facts *to, const struct kt_facts *from);

/* NULL when the key is not there.  Valid until the next set or free. */
const char *kt_facts_get(const struct kt_facts *f, const char *key);

/* i-th fact in order of first setting; returns false past the end. */
bool kt_facts_at(const struct kt_facts *f, size_t i, const char **key, const char **value);

#endif
