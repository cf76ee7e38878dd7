/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "btf_path.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct walk {
	const struct btf *btf;
	const struct btf_type *t;	/* of what the path names so far */
	uint32_t bit_off, bits;
	char address[64];		/* up to the last pointer */
};

static const struct btf_type *skip(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t) || btf_is_type_tag(t)))
		t = btf__type_by_id(btf, t->type);
	return t;
}


static uint32_t size_bits(const struct btf *btf, const struct btf_type *t)
{
	if (btf_is_ptr(t))
		return 64;
	if (btf_is_array(t))
		return btf_array(t)->nelems * size_bits(btf, skip(btf, btf_array(t)->type));
	return t->size * 8;
}

/* Finds a member by name, also inside unnamed ones. */
static bool find_member(struct walk *w, const struct btf_type *t, uint32_t base, const char *name,
			size_t len)
{
	for (int i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = btf_members(t) + i;
		const char *mname = btf__name_by_offset(w->btf, m->name_off);
		const struct btf_type *mt = skip(w->btf, m->type);
		uint32_t off = base + btf_member_bit_offset(t, i);

		if (!mt)
			continue;
		if (mname && strlen(mname) == len && !memcmp(mname, name, len)) {
			w->t = mt;
			w->bit_off = off;
			w->bits = btf_member_bitfield_size(t, i);
			if (!w->bits)
				w->bits = size_bits(w->btf, mt);
			return true;
		}
		if ((!mname || !*mname) && btf_is_composite(mt) &&
		    find_member(w, mt, off, name, len))
			return true;
	}
	return false;
}

static int deref(struct walk *w)
{
	char next[64];

	if (!btf_is_ptr(w->t))
		return -ENOENT;
	if (snprintf(next, sizeof(next), "+%u(%s)", w->bit_off / 8, w->address) >= (int)sizeof(next))
		return -EINVAL;
	memcpy(w->address, next, sizeof(next));
	w->t = skip(w->btf, w->t->type);
	w->bit_off = 0;
	w->bits = w->t ? size_bits(w->btf, w->t) : 0;
	return w->t ? 0 : -ENOENT;
}

static int member(struct walk *w, const char **path)
{
	size_t len = strcspn(*path, ".[-");

	if (!len)
		return -EINVAL;
	if (!btf_is_composite(w->t) || !find_member(w, w->t, w->bit_off, *path, len))
		return -ENOENT;
	*path += len;
	return 0;
}

/* Enumerators live in any enum of the kernel; the names used here are unique. */
static int enumerator(const struct btf *btf, const char *name, size_t len, uint32_t *out)
{
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		const struct btf_enum *e = btf_enum(t);

		if (!btf_is_enum(t))
			continue;
		for (int i = 0; i < btf_vlen(t); i++) {
			const char *ename = btf__name_by_offset(btf, e[i].name_off);

			if (strlen(ename) == len && !memcmp(ename, name, len)) {
				*out = e[i].val;
				return 0;
			}
		}
	}
	return -ENOENT;
}

static int subscript(struct walk *w, const char **path)
{
	const char *first = *path + 1, *end = strchr(first, ']');
	const struct btf_type *element;
	uint32_t index, nr;
	char *after;
	int err;

	if (!end)
		return -EINVAL;
	index = strtoul(first, &after, 10);
	if (after != end) {
		err = enumerator(w->btf, first, end - first, &index);
		if (err)
			return err;
	}
	*path = end + 1;
	if (btf_is_ptr(w->t)) {
		err = deref(w);
		if (err)
			return err;
		element = w->t;
	} else if (btf_is_array(w->t)) {
		nr = btf_array(w->t)->nelems;
		if (nr && index >= nr)
			return -ENOENT;
		element = skip(w->btf, btf_array(w->t)->type);
	} else {
		return -ENOENT;
	}
	if (!element)
		return -ENOENT;
	w->t = element;
	w->bits = size_bits(w->btf, element);
	w->bit_off += index * w->bits;
	return 0;
}

int kt_btf_place(const struct btf *btf, int type, const char *path, const char *base,
		 struct kt_btf_place *out)
{
	struct walk w = { .btf = btf };
	int err;

	if (type < 0)
		return -ENOENT;
	w.t = skip(btf, type);
	snprintf(w.address, sizeof(w.address), "%s", base);
	err = member(&w, &path);
	while (!err && *path) {
		if (*path == '.') {
			path++;
			err = member(&w, &path);
		} else if (*path == '[') {
			err = subscript(&w, &path);
		} else if (!strncmp(path, "->", 2)) {
			path += 2;
			err = deref(&w);
			if (!err)
				err = member(&w, &path);
		} else {
			err = -EINVAL;
		}
	}
	if (err)
		return err;
	memset(out, 0, sizeof(*out));
	out->bit_off = w.bit_off;
	out->bits = w.bits;
	out->shift = w.bit_off % 8;
	out->is_pointer = btf_is_ptr(w.t);
	out->is_signed = btf_is_int(w.t) && btf_int_encoding(w.t) & BTF_INT_SIGNED;
	if (snprintf(out->address, sizeof(out->address), "+%u(%s)", w.bit_off / 8, w.address) >=
	    (int)sizeof(out->address))
		return -EINVAL;
	return 0;
}

int kt_btf_struct(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
}

uint32_t kt_btf_size(const struct btf *btf, int type)
{
	return type < 0 ? 0 : btf__type_by_id(btf, type)->size;
}
