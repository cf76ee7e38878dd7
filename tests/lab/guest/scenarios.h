/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_GUEST_SCENARIOS_H
#define KT_GUEST_SCENARIOS_H

#include "machine.h"

uint64_t limit_us(void);

/* False when the guest's patience (limit=US) ran out first. */
bool wait_taken(struct cpu *c, enum timer t, uint64_t want);

/* Makes the timer's output fall as how=disable|imask|cval|none says. */
void cancel(enum timer t);

/* k exits, to the VMM if kind=mmio and to KVM otherwise. */
void leave(uint64_t k);

/* defects.c */
void again(void);
void disabled(void);
void nap(void);
void reset(void);

#endif
