/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "facts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fact {
	char *key, *value;
};

struct kt_facts {
	struct fact *fact;
	size_t n;
};

int kt_facts_new(struct kt_facts **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void kt_facts_free(struct kt_facts *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++) {
		free(f->fact[i].key);
		free(f->fact[i].value);
	}
	free(f->fact);
	free(f);
}

static bool key_ok(const char *key)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";

	return *key && strspn(key, allowed) == strlen(key) && strlen(key) < 80;
}

static struct fact *find(const struct kt_facts *f, const char *key)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->fact[i].key, key))
			return &f->fact[i];
	return NULL;
}

int kt_facts_set(struct kt_facts *f, const char *key, const char *value)
{
	struct fact *grown, *old = find(f, key);
	char *copy;

	if (!key_ok(key))
		return -EINVAL;
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	if (old) {
		free(old->value);
		old->value = copy;
		return 0;
	}
	grown = realloc(f->fact, (f->n + 1) * sizeof(*grown));
	if (!grown) {
		free(copy);
		return -ENOMEM;
	}
	f->fact = grown;
	grown[f->n].key = strdup(key);
	grown[f->n].value = copy;
	if (!grown[f->n].key) {
		free(copy);
		return -ENOMEM;
	}
	f->n++;
	return 0;
}

int kt_facts_setf(struct kt_facts *f, const char *key, const char *fmt, ...)
{
	char value[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	return kt_facts_set(f, key, value);
}

const char *kt_facts_get(const struct kt_facts *f, const char *key)
{
	const struct fact *found = f ? find(f, key) : NULL;

	return found ? found->value : NULL;
}

bool kt_facts_at(const struct kt_facts *f, size_t i, const char **key, const char **value)
{
	if (!f || i >= f->n)
		return false;
	*key = f->fact[i].key;
	*value = f->fact[i].value;
	return true;
}

int kt_facts_copy(struct kt_facts *to, const struct kt_facts *from)
{
	const char *key, *value;
	int err = 0;

	for (size_t i = 0; !err && kt_facts_at(from, i, &key, &value); i++)
		err = kt_facts_set(to, key, value);
	return err;
}
