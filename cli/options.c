/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "num.h"

static bool is_end(const struct kt_option *o)
{
	return !o->name && !o->help;
}

static bool takes_value(const struct kt_option *o)
{
	return o->kind != KT_OPT_FLAG;
}

static const struct kt_option *find_long(const struct kt_option *o, const char *name, size_t len)
{
	for (; !is_end(o); o++)
		if (o->name && strlen(o->name) == len && !memcmp(o->name, name, len))
			return o;
	return NULL;
}

static const struct kt_option *find_letter(const struct kt_option *o, char letter)
{
	for (; !is_end(o); o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static int misuse(const struct kt_option *o, const char *value, const char *wanted)
{
	fprintf(stderr, "--%s: \"%s\" is not %s\n", o->name, value, wanted);
	return -1;
}

static int set_choice(const struct kt_option *o, const char *value)
{
	for (int i = 0; o->choices[i]; i++) {
		if (!strcmp(o->choices[i], value)) {
			*(int *)o->to = i;
			return 0;
		}
	}
	fprintf(stderr, "--%s: \"%s\" is none of", o->name, value);
	for (int i = 0; o->choices[i]; i++)
		fprintf(stderr, "%s %s", i ? "," : "", o->choices[i]);
	fputc('\n', stderr);
	return -1;
}

static int set_number(const struct kt_option *o, const char *value)
{
	uint64_t v;

	if (kt_parse_u64(value, &v))
		return misuse(o, value, "a number");
	if (v < o->min || (o->max && v > o->max)) {
		fprintf(stderr, "--%s: %s is out of range [%" PRIu64 ", %" PRIu64 "]\n", o->name, value,
			o->min, o->max);
		return -1;
	}
	*(uint64_t *)o->to = v;
	return 0;
}

static int set_amount(const struct kt_option *o, const char *value,
		      int (*parse)(const char *value, uint64_t *out), const char *wanted)
{
	uint64_t v;

	if (parse(value, &v))
		return misuse(o, value, wanted);
	if (v < o->min) {
		fprintf(stderr, "--%s: %s is too little\n", o->name, value);
		return -1;
	}
	*(uint64_t *)o->to = v;
	return 0;
}

static int set(const struct kt_option *o, const char *value)
{
	switch (o->kind) {
	case KT_OPT_FLAG:
		*(bool *)o->to = true;
		return 0;
	case KT_OPT_STRING:
		*(const char **)o->to = value;
		return 0;
	case KT_OPT_UINT:
		return set_number(o, value);
	case KT_OPT_DURATION:
		return set_amount(o, value, kt_parse_duration, "a duration with a unit: 10s, 500ms, 20us, 7ns, 2m, 1h");
	case KT_OPT_SIZE:
		return set_amount(o, value, kt_parse_size, "a size: 65536, 64K, 4M, 1G");
	case KT_OPT_MASK:
		if (kt_parse_mask64(value, o->to))
			return misuse(o, value, "a list of numbers from 0 to 63, such as 0-3,7");
		return 0;
	case KT_OPT_CHOICE:
		return set_choice(o, value);
	case KT_OPT_CALL:
		if (o->parse(o->to, value))
			return misuse(o, value, o->arg);
		return 0;
	case KT_OPT_GROUP:
		break;
	}
	return -1;
}

/* --name, --name=value, --name value; *i moves past what was used. */
static int parse_long(const struct kt_option *options, int argc, char **argv, int *i)
{
	const char *word = argv[*i] + 2, *eq = strchr(word, '=');
	const struct kt_option *o = find_long(options, word, eq ? (size_t)(eq - word) : strlen(word));
	const char *value = eq ? eq + 1 : NULL;

	if (!o) {
		fprintf(stderr, "unknown option %s\n", argv[*i]);
		return -1;
	}
	if (!takes_value(o)) {
		if (value) {
			fprintf(stderr, "--%s takes no value\n", o->name);
			return -1;
		}
		return set(o, NULL);
	}
	if (!value) {
		if (*i + 1 >= argc) {
			fprintf(stderr, "--%s needs a value\n", o->name);
			return -1;
		}
		value = argv[++*i];
	}
	return set(o, value);
}

/* -x, -xVALUE, -x VALUE, and flags together: -xy */
static int parse_letters(const struct kt_option *options, int argc, char **argv, int *i)
{
	for (const char *p = argv[*i] + 1; *p; p++) {
		const struct kt_option *o = find_letter(options, *p);

		if (!o) {
			fprintf(stderr, "unknown option -%c\n", *p);
			return -1;
		}
		if (takes_value(o)) {
			if (p[1])
				return set(o, p + 1);
			if (*i + 1 >= argc) {
				fprintf(stderr, "-%c needs a value\n", *p);
				return -1;
			}
			return set(o, argv[++*i]);
		}
		if (set(o, NULL))
			return -1;
	}
	return 0;
}

int kt_options_parse(const struct kt_option *options, int argc, char **argv, bool stop_early,
		     char **args)
{
	int n = 0, err;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--")) {
			while (++i < argc)
				args[n++] = argv[i];
			break;
		}
		if (argv[i][0] != '-' || !argv[i][1]) {
			args[n++] = argv[i];
			if (!stop_early)
				continue;
			while (++i < argc)
				args[n++] = argv[i];
			break;
		}
		if (argv[i][1] == '-')
			err = parse_long(options, argc, argv, &i);
		else
			err = parse_letters(options, argc, argv, &i);
		if (err)
			return -1;
	}
	return n;
}

void kt_options_help(const struct kt_option *o, FILE *to)
{
	for (; !is_end(o); o++) {
		char left[160];	/* all choices of an option */
		int n = 0;

		if (o->kind == KT_OPT_GROUP) {
			fprintf(to, "\n%s:\n", o->help);
			continue;
		}
		if (o->letter)
			n = snprintf(left, sizeof(left), "  -%c, --%s", o->letter, o->name);
		else
			n = snprintf(left, sizeof(left), "      --%s", o->name);
		if (o->kind == KT_OPT_CHOICE) {
			for (int i = 0; o->choices[i]; i++)
				n += snprintf(left + n, sizeof(left) - n, "%c%s", i ? '|' : ' ', o->choices[i]);
		} else if (takes_value(o)) {
			n += snprintf(left + n, sizeof(left) - n, " %s", o->kind == KT_OPT_CALL ? "VALUE" : o->arg);
		}
		if (n > 30)
			fprintf(to, "%s\n%32s%s\n", left, "", o->help);
		else
			fprintf(to, "%-32s%s\n", left, o->help);
	}
}

void kt_options_words(const struct kt_option *o, FILE *to)
{
	for (; !is_end(o); o++) {
		if (o->name)
			fprintf(to, "--%s\n", o->name);
		for (int i = 0; o->kind == KT_OPT_CHOICE && o->choices[i]; i++)
			fprintf(to, "--%s=%s\n", o->name, o->choices[i]);
	}
}
