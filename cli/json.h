/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KT_JSON_H
#define KT_JSON_H

#include <json-c/json.h>
#include <stdint.h>

#include "facts.h"

/* The frame of every --json output: docs/json.md. */
json_object *kt_json_new(const char *command);

/* text must be escaped already (kt_show_*, kt_safe). */
void kt_json_text(json_object *o, const char *key, const char *text);
void kt_json_u64(json_object *o, const char *key, uint64_t v);
/* A vcpu_id or vcpu_idx: null when it is not known. */
void kt_json_id(json_object *o, const char *key, uint32_t id);
json_object *kt_json_facts(const struct kt_facts *facts);

/* Prints, frees; 0 or -errno. */
int kt_json_print(json_object *o);

#endif
