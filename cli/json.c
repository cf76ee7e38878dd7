/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <kvmtimer/event.h>

#include "anonymise.h"

json_object *kt_json_new(const char *command)
{
	json_object *o = json_object_new_object();

	kt_json_text(o, "schema", "kvmtimer-trace/1");
	kt_json_text(o, "command", command);
	return o;
}

void kt_json_text(json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

void kt_json_u64(json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

void kt_json_id(json_object *o, const char *key, uint32_t id)
{
	json_object_object_add(o, key, id == KT_VCPU_ID_UNKNOWN ? NULL : json_object_new_uint64(id));
}

json_object *kt_json_facts(const struct kt_facts *facts)
{
	json_object *o = json_object_new_object();
	const char *key, *value;

	for (size_t i = 0; kt_facts_at(facts, i, &key, &value); i++)
		kt_json_text(o, key, kt_show_fact(key, value));
	return o;
}

int kt_json_print(json_object *o)
{
	int bad = puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
						      JSON_C_TO_STRING_NOSLASHESCAPE)) < 0;

	json_object_put(o);
	return bad ? -EIO : 0;
}
