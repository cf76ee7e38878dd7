/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_FTRACE_FEED_H
#define KT_FTRACE_FEED_H

#include <kvmtimer/event.h>

#include "ftrace_event.h"

/*
 * From the kernel's trace events to ours, and whose they are.
 *
 * Trace events of KVM on arm64 carry at most a vcpu_id, most of them nothing.
 * What is known is the thread that was current, its name, its process when the
 * tgid was recorded, and the execution context.  From that:
 *
 *   - a thread is bound to a vCPU by an event that carries a vcpu_id
 *     (kvm_get_timer_map, kvm_timer_update_irq, kvm_halt_poll_ns), or as a vCPU
 *     of unknown id by entering a guest;
 *   - a bare event belongs to the vCPU its thread is bound to;
 *   - what runs in a hard interrupt after kvm_timer_hrtimer_expire belongs to
 *     that soft timer's vCPU, which may be another one than the current
 *     thread's (nohz_full moves unpinned hrtimers): known when hrtimer_start and
 *     hrtimer_expire_entry were recorded, else only if no other vCPU can be meant
 *     and all CPUs are known to have been read up to there;
 *   - a background timer belongs to whom its start named, else to whom it wakes;
 *   - what is not known stays unknown: who is then KT_WHO_TID | tid.
 *
 * A VM is its process where tgids were recorded; else each vCPU thread is a VM of
 * its own, and `without_tgid` says so.  Two threads that enter guests as the same
 * vCPU of one process are two VMs (two_in_process).  Two VMs of one process are
 * taken for one when one thread runs both in turn, as KVM's selftests do, or when
 * they have no vcpu_id in common: nothing here tells them apart.
 *
 * Feed in time order.  Files of one CPU after another are accepted too: threads
 * and what they are bound to do not mind, and what depends on who else is loaded
 * is then left unknown.  Pure: no I/O.
 */
struct kt_ftrace;

struct kt_ftrace_opts {
	bool soft_timers_stay;	/* the host is known to have no nohz_full CPUs */
	bool merged;		/* all CPUs are in it, merged by time */
};

struct kt_ftrace_stats {
	uint64_t by_id[KT_FT_NR];	/* records fed */
	uint64_t no_context;		/* timer records without a known execution context */
	uint64_t ambiguous_soft;	/* soft timers that may be more than one vCPU's */
	uint64_t other_irq;		/* vgic updates of interrupts that are no timer's: no event made */
	uint64_t duplicates;		/* byte-identical to the record before on that CPU: dropped */
	uint64_t back_in_time;		/* older than what stood before them, by more than CPUs disagree */
	uint64_t double_entry;		/* kvm_entry without kvm_exit between, same thread */
	uint64_t double_exit;
	uint64_t emulated_maps;		/* timer maps with an emulated timer */
	uint64_t emulated_fired;	/* hrtimers of emulated timers that fired */
	uint64_t wfx_exits;		/* exits for a WFI or WFE */
	uint32_t vcpus;			/* that entered a guest or had timer events */
	uint32_t entered;		/* of these, that entered a guest */
	uint32_t without_tgid;		/* of these, whose process is not known */
	uint32_t without_id;		/* of these, whose vcpu_id is not known */
	uint32_t same_id_unknown_vm;	/* of these without process, that share a vcpu_id with another */
	uint32_t late_tgid;		/* vCPUs whose process became known when it had such a vCPU already */
	uint32_t two_in_process;	/* VMs beyond the first seen in one process */
	uint64_t searched;		/* VMs of one process looked at for a free vCPU: grows with the records */
	uint32_t refused;		/* threads beyond KT_FTRACE_VCPUS_MAX: thread id only */
};

/* What a capture may claim; more are shown as bare threads. */
#define KT_FTRACE_VCPUS_MAX 16384

int kt_ftrace_new(const struct kt_ftrace_opts *opts, struct kt_ftrace **out);
void kt_ftrace_free(struct kt_ftrace *f);

/* 1 and *ev filled, 0 when the record makes no event of its own, -ENOMEM. */
int kt_ftrace_feed(struct kt_ftrace *f, const struct kt_ftrace_rec *rec, struct kt_event *ev);

/*
 * Records were lost on this CPU: what was bound there by order is forgotten.
 * Threads keep their vCPU, which does not change while they live.
 */
void kt_ftrace_lost(struct kt_ftrace *f, uint16_t cpu);

/*
 * Identity rows made or changed since the last call: sets *rows, valid until the
 * next call of any function; 0 when there are none.
 */
size_t kt_ftrace_idents(struct kt_ftrace *f, const struct kt_ident **rows);

const struct kt_ftrace_stats *kt_ftrace_stats(struct kt_ftrace *f);

#endif
