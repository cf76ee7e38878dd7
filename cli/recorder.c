/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "recorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "keymap.h"
#include "log.h"

#define CLOCK_EVERY_NS 1000000000ull

struct kt_recorder {
	struct kt_recorder_opts opts;
	const struct kt_facts *facts;
	struct kt_store_writer *w;
	struct kt_capture *capture;	/* during a pass */
	struct kt_ident *ident;		/* all so far: a new file begins with them */
	size_t nr_idents, max_idents;
	struct kt_keymap ident_index;	/* by handle */
	struct kt_vm_name *vm;
	size_t nr_vms, max_vms;
	struct kt_keymap vm_index;	/* by kvm pointer and generation */
	uint64_t clock_ns;
	bool dirty;			/* events since the last mark */
};

/* -EFBIG means a full file, which is a good end; a file that was too small from the start is not. */
static int no_room(const struct kt_recorder *r, int err)
{
	if (err != -EFBIG)
		return err;
	return kt_err(-E2BIG, "--max-size leaves no room for the host's facts, the identities of %zu "
		      "vCPUs and the names of %zu VMs: give more", r->nr_idents, r->nr_vms);
}

static int open_file(struct kt_recorder *r)
{
	struct kt_writer_opts wo = { .max_bytes = r->opts.max_bytes };
	int err = kt_writer_create(r->opts.path, r->facts, &wo, &r->w);

	if (!err && r->nr_idents)
		err = kt_writer_idents(r->w, r->ident, r->nr_idents);
	for (size_t i = 0; !err && i < r->nr_vms; i++)
		err = kt_writer_name(r->w, &r->vm[i]);
	r->clock_ns = 0;
	return no_room(r, err);
}

int kt_recorder_new(const struct kt_recorder_opts *opts, const struct kt_facts *facts,
		    struct kt_recorder **out)
{
	struct kt_recorder *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->opts = *opts;
	r->facts = facts;
	err = open_file(r);
	if (err) {
		kt_writer_abandon(r->w);
		free(r);
		return err;
	}
	*out = r;
	return 0;
}

/* The file is full: 0 when a new one stands ready. */
static int next_file(struct kt_recorder *r)
{
	int err;

	if (!r->opts.rotate)
		return -EFBIG;
	err = kt_writer_close(r->w, NULL);
	r->w = NULL;
	if (!err)
		err = open_file(r);
	if (!err)
		kt_capture_new_file(r->capture);
	return err;
}

#define WRITE(r, call)						\
	({							\
		int err_ = call;				\
		if (err_ == -EFBIG && !(err_ = next_file(r)))	\
			err_ = no_room(r, call);		\
		err_;						\
	})

static int on_events(void *arg, uint32_t cpu, const struct kt_event *ev, size_t n)
{
	struct kt_recorder *r = arg;

	r->dirty = true;
	return WRITE(r, kt_writer_events(r->w, cpu, ev, n));
}

static int on_side(void *arg, const struct kt_event *ev, size_t n)
{
	return on_events(arg, KT_STREAM_SIDE, ev, n);
}

static int on_loss(void *arg, const struct kt_loss *loss)
{
	struct kt_recorder *r = arg;

	r->dirty = true;
	return WRITE(r, kt_writer_loss(r->w, loss));
}

/* Room for one more element; the array itself is *p. */
static int room(void **p, size_t n, size_t *max, size_t size)
{
	size_t more = 2 * n + 16;
	void *bigger;

	if (n < *max)
		return 0;
	bigger = realloc(*p, more * size);
	if (!bigger)
		return -ENOMEM;
	*p = bigger;
	*max = more;
	return 0;
}

static int remember_vm(struct kt_recorder *r, const struct kt_ident *id)
{
	struct kt_vm_name *name;

	if (kt_keymap_get(&r->vm_index, id->kvm, id->vm_gen) != UINT32_MAX)
		return 0;
	if (room((void **)&r->vm, r->nr_vms, &r->max_vms, sizeof(*r->vm)) ||
	    kt_keymap_add(&r->vm_index, id->kvm, id->vm_gen, r->nr_vms))
		return -ENOMEM;
	name = &r->vm[r->nr_vms++];
	memset(name, 0, sizeof(*name));
	name->kvm = id->kvm;
	name->vm_gen = id->vm_gen;
	name->tgid = id->tgid;
	/* Now, while its process is there to be asked. */
	kt_host_vm_name(id->tgid, name);
	return WRITE(r, kt_writer_name(r->w, name));
}

static int remember_ident(struct kt_recorder *r, const struct kt_ident *id)
{
	uint32_t i = kt_keymap_get(&r->ident_index, id->who, 0);

	if (i != UINT32_MAX) {
		r->ident[i] = *id;
		return 0;
	}
	if (room((void **)&r->ident, r->nr_idents, &r->max_idents, sizeof(*r->ident)) ||
	    kt_keymap_add(&r->ident_index, id->who, 0, r->nr_idents))
		return -ENOMEM;
	r->ident[r->nr_idents++] = *id;
	return 0;
}

static int on_idents(void *arg, const struct kt_ident *id, size_t n)
{
	struct kt_recorder *r = arg;
	int err = 0;

	for (size_t i = 0; !err && i < n; i++) {
		err = remember_ident(r, &id[i]);
		if (!err)
			err = remember_vm(r, &id[i]);
	}
	return err ? err : WRITE(r, kt_writer_idents(r->w, id, n));
}

static int write_clock(struct kt_recorder *r, uint64_t now_ns)
{
	struct kt_clock_pair pair;

	if (r->clock_ns && now_ns - r->clock_ns < CLOCK_EVERY_NS)
		return 0;
	r->clock_ns = now_ns;
	return kt_host_clock_pair(&pair) ? WRITE(r, kt_writer_clock(r->w, &pair, 1)) : 0;
}

int kt_recorder_pass(struct kt_recorder *r, struct kt_capture *c)
{
	static const struct kt_capture_sink template = {
		.rings = { .events = on_events, .loss = on_loss },
		.side = on_side, .idents = on_idents,
	};
	struct kt_capture_sink sink = template;
	uint64_t now_ns = kt_host_now_ns();
	int err;

	sink.rings.arg = r;
	r->capture = c;
	err = write_clock(r, now_ns);
	if (!err)
		err = kt_capture_drain(c, now_ns, &sink);
	if (!err && r->dirty && kt_capture_watermark_ns(c)) {
		r->dirty = false;
		err = WRITE(r, kt_writer_mark(r->w, kt_capture_watermark_ns(c)));
	}
	r->capture = NULL;
	return err;
}

unsigned int kt_recorder_vms(const struct kt_recorder *r)
{
	return r->nr_vms;
}

uint64_t kt_recorder_bytes(const struct kt_recorder *r)
{
	return r->w ? kt_writer_bytes(r->w) : 0;
}

int kt_recorder_close(struct kt_recorder *r, const struct kt_facts *stop)
{
	int err;

	if (!r)
		return 0;
	err = kt_writer_close(r->w, stop);
	free(r->ident);
	free(r->vm);
	kt_keymap_free(&r->ident_index);
	kt_keymap_free(&r->vm_index);
	free(r);
	return err;
}
