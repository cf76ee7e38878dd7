/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "recorder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "keymap.h"
#include "log.h"

/*
 * Once in a pass but for very busy hosts, whose passes follow each other faster.  The readings
 * also prove that the host's timers go off (kt_model_pulses).
 */
#define CLOCK_EVERY_NS 50000000ull

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
	uint64_t mark_ns;		/* the last mark in this file */
	uint64_t newest_ns;		/* the newest time that a file tells anything of */
	uint64_t whole_from_ns;		/* what is older may be in the file before this one */
	struct kt_recorder_counts counts;
};

/* -EFBIG means a full file, which is a good end; a file that was too small from the start is not. */
static int no_room(const struct kt_recorder *r, int err)
{
	if (err != -EFBIG)
		return err;
	return kt_err(-E2BIG, "--max-size leaves no room for the host's facts, the identities of %zu "
		      "vCPUs and the names of %zu VMs: give more", r->nr_idents, r->nr_vms);
}

/* The file's facts; those of one that goes on where another was full say from when on it is whole. */
static int create_file(struct kt_recorder *r)
{
	struct kt_writer_opts wo = { .max_bytes = r->opts.max_bytes };
	struct kt_facts *facts = NULL;
	int err;

	if (!r->whole_from_ns)
		return kt_writer_create(r->opts.path, r->facts, &wo, &r->w);
	err = kt_facts_new(&facts);
	err = err ?: kt_facts_copy(facts, r->facts);
	err = err ?: kt_facts_setf(facts, "file.whole_from_ns", "%" PRIu64, r->whole_from_ns);
	err = err ?: kt_writer_create(r->opts.path, facts, &wo, &r->w);
	kt_facts_free(facts);
	return err;
}

static int open_file(struct kt_recorder *r)
{
	int err = create_file(r);

	r->counts.events = r->counts.lost = 0;
	r->mark_ns = 0;
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

/* Whole if all that it tells of is older than its last mark: then no stream has less than another. */
static int close_file(struct kt_recorder *r, struct kt_facts *stop)
{
	struct kt_store_writer *w = r->w;
	int err = 0;

	r->w = NULL;
	if (stop) {
		err = kt_facts_setf(stop, "stop.events", "%" PRIu64, r->counts.events);
		err = err ?: kt_facts_setf(stop, "stop.lost", "%" PRIu64, r->counts.lost);
		err = err ?: kt_facts_set(stop, "stop.whole", r->newest_ns < r->mark_ns || !r->newest_ns ? "yes" : "no");
	}
	return kt_writer_close(w, stop) ?: err;
}

static int end_rotated(struct kt_recorder *r)
{
	struct kt_facts *stop = NULL;
	int err = kt_facts_new(&stop), close_err;

	err = err ?: kt_facts_set(stop, "stop.reason", "rotated");
	close_err = close_file(r, stop);
	kt_facts_free(stop);
	return err ?: close_err;
}

/* The file is full: 0 when a new one stands ready. */
static int next_file(struct kt_recorder *r)
{
	int err;

	if (!r->opts.rotate)
		return -EFBIG;
	err = end_rotated(r);
	r->whole_from_ns = r->newest_ns + 1;
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

static void note_newest(struct kt_recorder *r, uint64_t ts_ns)
{
	if (ts_ns > r->newest_ns)
		r->newest_ns = ts_ns;
}

static int on_events(void *arg, uint32_t cpu, const struct kt_event *ev, size_t n)
{
	struct kt_recorder *r = arg;
	int err = WRITE(r, kt_writer_events(r->w, cpu, ev, n));

	if (err)
		return err;
	/* Of preemptible code they are only nearly in order. */
	for (size_t i = cpu == KT_STREAM_SIDE ? 0 : n - 1; i < n; i++)
		note_newest(r, ev[i].ts_ns);
	r->counts.events += n;
	r->counts.all_events += n;
	return 0;
}

static int on_side(void *arg, const struct kt_event *ev, size_t n)
{
	return on_events(arg, KT_STREAM_SIDE, ev, n);
}

static int on_loss(void *arg, const struct kt_loss *loss)
{
	struct kt_recorder *r = arg;
	int err = WRITE(r, kt_writer_loss(r->w, loss));

	if (err)
		return err;
	note_newest(r, loss->until_ns);
	for (unsigned int k = 0; k < KT_KIND_MAX; k++) {
		r->counts.lost += loss->lost[k];
		r->counts.all_lost += loss->lost[k];
	}
	return 0;
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

/* As long as something in the file is not older than the last one: a reader gives out up to the mark. */
static int write_mark(struct kt_recorder *r, uint64_t watermark_ns)
{
	int err;

	if (watermark_ns <= r->mark_ns || r->newest_ns < r->mark_ns)
		return 0;
	err = WRITE(r, kt_writer_mark(r->w, watermark_ns));
	if (!err)
		r->mark_ns = watermark_ns;
	return err;
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
	if (!err)
		err = write_mark(r, kt_capture_watermark_ns(c));
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

void kt_recorder_counts(const struct kt_recorder *r, struct kt_recorder_counts *out)
{
	*out = r->counts;
}

int kt_recorder_close(struct kt_recorder *r, struct kt_facts *stop)
{
	int err;

	if (!r)
		return 0;
	err = close_file(r, stop);
	free(r->ident);
	free(r->vm);
	kt_keymap_free(&r->ident_index);
	kt_keymap_free(&r->vm_index);
	free(r);
	return err;
}
