/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names that our BPF programs look up in the running kernel (CO-RE).  One that is in no
 * kernel is no error: the program takes the other way, for good and without a word.
 */
#define _GNU_SOURCE	/* memmem */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <cmocka.h>

static const char *const kernels[] = { "5.10", "6.1", "6.12", "7.x" };

#define NR_KERNELS (sizeof(kernels) / sizeof(kernels[0]))

static struct btf *ours, *theirs[NR_KERNELS];
static char *object;
static size_t object_bytes;

/* ---- files ---- */

static char *read_file(const char *path, size_t *bytes)
{
	FILE *f = fopen(path, "re");
	char *data = NULL;
	long size;

	if (f && !fseek(f, 0, SEEK_END) && (size = ftell(f)) > 0) {
		rewind(f);
		data = malloc(size);
		*bytes = size;
		if (data && fread(data, 1, size, f) != *bytes) {
			free(data);
			data = NULL;
		}
	}
	if (f)
		fclose(f);
	return data;
}

/* An image has its BTF somewhere in it: what begins like one and can be read is it. */
static struct btf *btf_of_image(const char *path)
{
	static const uint8_t head[] = { 0x9f, 0xeb, 1, 0, 24, 0, 0, 0 };
	char *data, *at, *end;
	struct btf *btf = NULL;
	size_t bytes = 0;

	data = read_file(path, &bytes);
	end = data + bytes;
	for (at = data; at && !btf; at++) {
		uint32_t part[4];	/* of the types and of the strings: where, how many bytes */

		at = memmem(at, end - at, head, sizeof(head));
		if (!at || end - at < 24)
			break;
		memcpy(part, at + 8, sizeof(part));
		if ((uint64_t)part[2] + part[3] + 24 > (uint64_t)(end - at) || part[1] < 1u << 20)
			continue;
		btf = btf__new(at, 24 + part[2] + part[3]);
		if (libbpf_get_error(btf))
			btf = NULL;
	}
	free(data);
	return btf;
}

static int set_up(void **state)
{
	const char *build = getenv("KT_BUILD"), *cache = getenv("KT_LAB_CACHE"), *home = getenv("HOME");
	const char *xdg = getenv("XDG_CACHE_HOME");
	char path[PATH_MAX];

	(void)state;
	libbpf_set_print(NULL);
	snprintf(path, sizeof(path), "%s/bpf/kvmtimer.bpf.o", build ? build : "build");
	ours = btf__parse(path, NULL);
	object = read_file(path, &object_bytes);
	if (libbpf_get_error(ours) || !object)
		return -1;
	for (size_t i = 0; i < NR_KERNELS; i++) {
		if (cache)
			snprintf(path, sizeof(path), "%s/kernels/%s/vmlinuz", cache, kernels[i]);
		else
			snprintf(path, sizeof(path), "%s%s/kvmtimer-trace/kernels/%s/vmlinuz",
				 xdg ? xdg : home ? home : "", xdg ? "" : "/.cache", kernels[i]);
		theirs[i] = btf_of_image(path);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	btf__free(ours);
	for (size_t i = 0; i < NR_KERNELS; i++)
		btf__free(theirs[i]);
	free(object);
	return 0;
}

/* ---- names ---- */

/* As libbpf has it: the last ___ with no underscore beside it begins the flavour. */
static size_t essential(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = n > 5 ? n - 5 : 0; n > 5 && i > 0; i--)
		if (name[i] != '_' && !strncmp(name + i + 1, "___", 3) && name[i + 4] != '_')
			return i + 1;
	return n;
}

static bool same_name(const char *ours_name, const char *kernels_name)
{
	size_t n = essential(ours_name);

	return n == essential(kernels_name) && !strncmp(ours_name, kernels_name, n);
}

static const char *name_of(const struct btf *btf, uint32_t offset)
{
	return btf__name_by_offset(btf, offset);
}

static bool is_record(const struct btf_type *t)
{
	return btf_is_struct(t) || btf_is_union(t);
}

/* Of whatever is meant with that name there is one. */
static void every_flavour_is_one(void **state)
{
	(void)state;
	for (uint32_t id = 1; id < btf__type_cnt(ours); id++) {
		const struct btf_type *t = btf__type_by_id(ours, id);
		const char *name = name_of(ours, t->name_off);

		if (!is_record(t) && !btf_is_enum(t))
			continue;
		if (strstr(name, "___") && essential(name) == strlen(name))
			fail_msg("libbpf sees no flavour in %s", name);
		for (int i = 0; btf_is_enum(t) && i < btf_vlen(t); i++) {
			name = name_of(ours, btf_enum(t)[i].name_off);
			if (strstr(name, "___") && essential(name) == strlen(name))
				fail_msg("libbpf sees no flavour in %s", name);
		}
	}
}

/* ---- what is looked up ---- */

/* A member by name, also of the anonymous structures and unions in it. */
static bool has_member(const struct btf *btf, const struct btf_type *t, const char *name, int depth)
{
	for (int i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = btf_members(t) + i;
		const char *is = name_of(btf, m->name_off);
		const struct btf_type *inner;

		if (*is && !strcmp(is, name))
			return true;
		inner = *is ? NULL : btf__type_by_id(btf, btf__resolve_type(btf, m->type));
		if (inner && is_record(inner) && depth < 8 && has_member(btf, inner, name, depth + 1))
			return true;
	}
	return false;
}

static bool has_value(const struct btf *btf, const struct btf_type *t, const char *name)
{
	for (int i = 0; i < btf_vlen(t); i++)
		if (same_name(name, name_of(btf, btf_enum(t)[i].name_off)))
			return true;
	return false;
}

/* One of the kernels has such a type, and in it what is asked for. */
static bool is_somewhere(const char *type, bool is_enum, const char *name)
{
	for (size_t k = 0; k < NR_KERNELS; k++) {
		for (uint32_t id = 1; id < btf__type_cnt(theirs[k]); id++) {
			const struct btf_type *t = btf__type_by_id(theirs[k], id);

			if (is_enum ? !btf_is_enum(t) : !is_record(t))
				continue;
			if (!same_name(type, name_of(theirs[k], t->name_off)))
				continue;
			if (is_enum ? has_value(theirs[k], t, name) : has_member(theirs[k], t, name, 0))
				return true;
		}
	}
	return false;
}

/* Looked for beside `wait`, for kernels between 5.10 and 6.1: the lab has none of these. */
static bool is_known(const char *name)
{
	return !strcmp(name, "waitp");
}

/* Returns whether no kernel has it. */
static bool is_nowhere(const char *type, bool is_enum, const char *name)
{
	if (is_known(name) || is_somewhere(type, is_enum, name))
		return false;
	print_error("no kernel has %s in %s %s\n", name, is_enum ? "enum" : "struct", type);
	return true;
}

static unsigned int looked_up;

/*
 * One relocation: "0:3:1" is a way from member to member, or the number of an enumerator.
 * Returns how many names of it no kernel has.
 */
static unsigned int follow(uint32_t type_id, const char *way)
{
	const struct btf_type *t = btf__type_by_id(ours, btf__resolve_type(ours, type_id));
	unsigned int missing = 0;
	char *end;
	unsigned long step = strtoul(way, &end, 10);

	if (btf_is_enum(t)) {
		looked_up++;
		return is_nowhere(name_of(ours, t->name_off), true, name_of(ours, btf_enum(t)[step].name_off));
	}
	while (*end == ':') {
		step = strtoul(end + 1, &end, 10);
		if (is_record(t)) {
			const struct btf_member *m = btf_members(t) + step;

			looked_up++;
			if (*name_of(ours, t->name_off))
				missing += is_nowhere(name_of(ours, t->name_off), false, name_of(ours, m->name_off));
			t = btf__type_by_id(ours, btf__resolve_type(ours, m->type));
		} else if (btf_is_array(t)) {
			t = btf__type_by_id(ours, btf__resolve_type(ours, btf_array(t)->type));
		}
	}
	return missing;
}

static const char *btf_ext(void)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)object;
	const Elf64_Shdr *s = (const Elf64_Shdr *)(object + e->e_shoff);
	const char *names = object + s[e->e_shstrndx].sh_offset;

	for (unsigned int i = 0; i < e->e_shnum; i++)
		if (!strcmp(names + s[i].sh_name, ".BTF.ext"))
			return object + s[i].sh_offset;
	return NULL;
}

/* Documentation/bpf/btf.rst: the header of .BTF.ext, and a relocation. */
struct ext_header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len, func_off, func_len, line_off, line_len, core_off, core_len;
};

struct core_relo {
	uint32_t insn_off, type_id, access_off, kind;
};

static void every_name_is_in_some_kernel(void **state)
{
	const char *ext = btf_ext(), *at, *end;
	unsigned int missing = 0;
	struct ext_header h;
	uint32_t size, section[2];

	(void)state;
	for (size_t k = 0; k < NR_KERNELS; k++)
		if (!theirs[k])
			skip();		/* scripts/lab fetch */
	assert_non_null(ext);
	memcpy(&h, ext, sizeof(h));
	assert_true(h.core_len);
	at = ext + h.hdr_len + h.core_off;
	end = at + h.core_len;
	memcpy(&size, at, sizeof(size));
	assert_true(size >= sizeof(struct core_relo));
	for (at += sizeof(size); at < end;) {
		memcpy(section, at, sizeof(section));
		at += sizeof(section);
		for (uint32_t i = 0; i < section[1]; i++, at += size) {
			struct core_relo r;

			memcpy(&r, at, sizeof(r));
			missing += follow(r.type_id, name_of(ours, r.access_off));
		}
	}
	assert_int_equal(missing, 0);
	assert_true(looked_up > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_flavour_is_one),
		cmocka_unit_test(every_name_is_in_some_kernel),
	};

	return cmocka_run_group_tests_name("core", tests, set_up, tear_down);
}
