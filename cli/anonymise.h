/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_ANONYMISE_H
#define KT_ANONYMISE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Names for strangers: with `on`, VM names, thread names, process and thread
 * ids and the host's name are replaced by made-up ones, the same one for the
 * same thing throughout one run of the tool.  Off, text is only escaped.
 */
void kt_anonymise(bool on);
bool kt_anonymised(void);

const char *kt_show_vm(uint32_t number, const char *name);
const char *kt_show_comm(uint32_t vm, uint32_t vcpu_id, const char *comm);
uint32_t kt_show_pid(uint32_t pid);
/* Facts that name the host or its user's files: host.name, host.boot_id, capture.command, ... */
const char *kt_show_fact(const char *key, const char *value);

#endif
