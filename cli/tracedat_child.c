/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The child that reads a trace.dat file: libtracecmd and libtraceevent on
 * whatever a stranger sent, with nothing but the file and a pipe in reach (see
 * sandbox.c).  Fields are read by offsets that were looked up once.
 *
 * libtracecmd merges CPUs by looking at each one per event; here a heap does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <traceevent/event-parse.h>
#include <trace-cmd/trace-cmd.h>

#include "tracedat.h"

const bool kt_tracedat_built = true;

/*
 * Exported since 1.0 and printed by trace-cmd, but not in the public header: asked
 * for only if they are there.
 */
extern const char *tracecmd_get_uname(struct tracecmd_input *handle) __attribute__((weak));
extern const char *tracecmd_get_trace_clock(struct tracecmd_input *handle) __attribute__((weak));

#define OUT_BYTES (64u << 10)
#define TYPES 65536		/* common_type has 16 bits */
#define TIDS (1u << 22)		/* PID_MAX_LIMIT */
#define SYMBOLS 256		/* cached addresses of functions */

struct place {
	uint16_t offset;
	uint8_t size;		/* 0 = not there */
	bool is_signed;
	uint8_t flags;		/* KT_FF_STRING, KT_FF_FUNCTION */
};

struct layout {
	struct place field[KT_FTRACE_VALUES];
	struct place pid, flags;
	bool known;
};

/* One CPU's next record, and its place in the heap. */
struct stream {
	struct kt_ftrace_rec rec;
	uint64_t lost;
	bool losing;
	int cpu;
};

struct reading {
	struct tracecmd_input *handle;
	struct tep_handle *tep;
	int out_fd;
	uint8_t *id_of_type;	/* TYPES */
	uint8_t *comm_sent;	/* bit per tid */
	struct layout layout[KT_FT_NR];
	struct stream *stream, **heap;
	int nr_cpus, heap_n;
	struct place type;
	uint64_t others, unreadable, records;
	struct {
		uint64_t address, value;
	} symbol[SYMBOLS];
	size_t out_len;
	uint64_t out[(OUT_BYTES + KT_TRACEDAT_MSG_MAX) / 8];
};

/* ---- talking ---- */

static void flush_out(struct reading *r)
{
	const char *p = (const char *)r->out;

	while (r->out_len) {
		ssize_t n = write(r->out_fd, p, r->out_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		p += n;
		r->out_len -= (size_t)n;
	}
}

static void *room(struct reading *r)
{
	if (r->out_len >= OUT_BYTES)
		flush_out(r);
	return (char *)r->out + r->out_len;
}

__attribute__((noreturn))
static void fail(struct reading *r, const char *why)
{
	r->out_len += kt_tracedat_fail(room(r), why);
	flush_out(r);
	_exit(0);
}

static void fact(struct reading *r, const char *key, const char *value)
{
	if (value && *value)
		r->out_len += kt_tracedat_fact(room(r), key, value);
}

/* ---- formats ---- */

static struct place place_of(const struct tep_format_field *f)
{
	struct place p = { 0 };

	if (!f || f->offset < 0 || f->offset > UINT16_MAX ||
	    (f->size != 1 && f->size != 2 && f->size != 4 && f->size != 8))
		return p;
	p.offset = (uint16_t)f->offset;
	p.size = (uint8_t)f->size;
	p.is_signed = f->flags & TEP_FIELD_IS_SIGNED;
	return p;
}

/* False when a field that every kernel has is missing: then nothing of the event is believed. */
static bool learn_event(struct reading *r, unsigned int id)
{
	const struct kt_ftrace_event *e = kt_ftrace_event(id);
	struct tep_event *event = tep_find_event_by_name(r->tep, e->system, e->name);
	struct layout *l = &r->layout[id];

	if (!event)
		return true;
	if (event->id < 0 || event->id >= TYPES)
		return false;
	for (unsigned int i = 0; i < KT_FTRACE_VALUES && e->field[i].name; i++) {
		struct tep_format_field *f = tep_find_field(event, e->field[i].name);
		bool string = e->field[i].flags & KT_FF_STRING;

		l->field[i] = place_of(f);
		l->field[i].flags = e->field[i].flags;
		if (string && l->field[i].size != 4)
			l->field[i].size = 0;
		if (!l->field[i].size && !(e->field[i].flags & KT_FF_OPTIONAL))
			return false;
	}
	r->type = place_of(tep_find_common_field(event, "common_type"));
	l->pid = place_of(tep_find_common_field(event, "common_pid"));
	l->flags = place_of(tep_find_common_field(event, "common_flags"));
	if (!l->pid.size)
		return false;
	l->known = true;
	r->id_of_type[event->id] = (uint8_t)id;
	return true;
}

static void learn_events(struct reading *r)
{
	char key[80];

	for (unsigned int id = 1; id < KT_FT_NR; id++) {
		if (learn_event(r, id))
			continue;
		strcpy(key, "input.unreadable.");
		strncat(key, kt_ftrace_event(id)->name, sizeof(key) - strlen(key) - 1);
		fact(r, key, "its format lacks a field that every kernel has");
	}
}

/* ---- records ---- */

static bool load(const struct tep_record *rec, const struct place *p, uint64_t *out)
{
	const char *data = rec->data;
	uint64_t v = 0;

	if (!p->size || p->offset + p->size > rec->size)
		return false;
	switch (p->size) {
	case 1:
		v = p->is_signed ? (uint64_t)(int64_t)(int8_t)data[p->offset] : (uint8_t)data[p->offset];
		break;
	case 2: {
		uint16_t h;

		memcpy(&h, data + p->offset, 2);
		v = p->is_signed ? (uint64_t)(int64_t)(int16_t)h : h;
		break;
	}
	case 4: {
		uint32_t w;

		memcpy(&w, data + p->offset, 4);
		v = p->is_signed ? (uint64_t)(int64_t)(int32_t)w : w;
		break;
	}
	case 8:
		memcpy(&v, data + p->offset, 8);
		break;
	}
	*out = v;
	return true;
}

/* __data_loc: where in the record, and how long. */
static uint64_t string_value(const struct tep_record *rec, unsigned int id, unsigned int field,
			     uint64_t loc)
{
	unsigned int offset = loc & 0xffff, len = loc >> 16 & 0xffff;
	const char *text = (const char *)rec->data + offset;
	uint64_t value = 0;

	if ((int64_t)offset + len <= rec->size)
		(void)kt_ftrace_word(id, field, text, strnlen(text, len), &value);
	return value;
}

static uint64_t function_value(struct reading *r, unsigned int id, unsigned int field,
			       uint64_t address)
{
	unsigned int i = (address * 0x9e3779b97f4a7c15ull) >> 56;
	uint64_t value = 0;
	const char *name;

	if (r->symbol[i].address == address)
		return r->symbol[i].value;
	/* Not every function is known (tracedat_symbols.c): the nearest one before it is another. */
	name = tep_find_function_address(r->tep, address) == address ?
		tep_find_function(r->tep, address) : NULL;
	if (name)
		(void)kt_ftrace_word(id, field, name, strlen(name), &value);
	r->symbol[i].address = address;
	r->symbol[i].value = value;
	return value;
}

static bool decode(struct reading *r, const struct tep_record *rec, unsigned int id,
		   struct kt_ftrace_rec *out)
{
	const struct kt_ftrace_event *e = kt_ftrace_event(id);
	const struct layout *l = &r->layout[id];
	uint64_t v;

	*out = (struct kt_ftrace_rec){ .id = (uint8_t)id, .ts_ns = rec->ts };
	for (unsigned int i = 0; i < KT_FTRACE_VALUES && e->field[i].name; i++) {
		if (!load(rec, &l->field[i], &v)) {
			if (e->field[i].flags & KT_FF_OPTIONAL)
				continue;
			return false;
		}
		if (l->field[i].flags & KT_FF_STRING)
			v = string_value(rec, id, i, v);
		else if (l->field[i].flags & KT_FF_FUNCTION)
			v = function_value(r, id, i, v);
		out->v[i] = v;
		out->has |= (uint8_t)(1u << i);
	}
	if (!load(rec, &l->pid, &v))
		return false;
	out->tid = (uint32_t)v & INT32_MAX;
	out->ctx = load(rec, &l->flags, &v) ? kt_ftrace_ctx((unsigned int)v) : KT_FC_UNKNOWN;
	return true;
}

/* enum kt_ftrace_id of a record; KT_FT_NONE for what is none of ours. */
static unsigned int id_of(const struct reading *r, const struct tep_record *rec)
{
	uint64_t type;

	return load(rec, &r->type, &type) && type < TYPES ? r->id_of_type[type] : KT_FT_NONE;
}

/* Next record of ours on s's CPU; false at its end. */
static bool advance(struct reading *r, struct stream *s)
{
	struct tep_record *rec;

	while ((rec = tracecmd_read_data(r->handle, s->cpu))) {
		unsigned int id = id_of(r, rec);
		bool ours = false;

		if (rec->missed_events) {
			/* Negative: how many is not known. */
			s->losing = true;
			s->lost += rec->missed_events > 0 ? (uint64_t)rec->missed_events : 0;
		}
		if (!id) {
			r->others++;
		} else {
			ours = decode(r, rec, id, &s->rec);
			r->unreadable += !ours;
		}
		tracecmd_free_record(rec);
		if (ours) {
			s->rec.cpu = (uint16_t)s->cpu;
			return true;
		}
	}
	return false;
}

static void sift_down(struct reading *r, int i)
{
	struct stream *s = r->heap[i];

	for (;;) {
		int child = 2 * i + 1;

		if (child >= r->heap_n)
			break;
		if (child + 1 < r->heap_n && r->heap[child + 1]->rec.ts_ns < r->heap[child]->rec.ts_ns)
			child++;
		if (r->heap[child]->rec.ts_ns >= s->rec.ts_ns)
			break;
		r->heap[i] = r->heap[child];
		i = child;
	}
	r->heap[i] = s;
}

static void send_loss(struct reading *r, struct stream *s)
{
	if (s->losing)
		r->out_len += kt_tracedat_lost(room(r), (uint16_t)s->cpu, s->lost);
	s->losing = false;
	s->lost = 0;
}

static void send_rec(struct reading *r, struct stream *s)
{
	uint32_t tid = s->rec.tid;
	const char *comm;

	send_loss(r, s);
	/* A name is told once: the file has one for each thread. */
	if (kt_ftrace_of_thread(s->rec.id) && tid < TIDS && !(r->comm_sent[tid / 8] >> tid % 8 & 1)) {
		r->comm_sent[tid / 8] |= (uint8_t)(1u << tid % 8);
		comm = tep_data_comm_from_pid(r->tep, (int)tid);
		if (comm && strcmp(comm, "<...>")) {
			s->rec.comm = comm;
			s->rec.comm_len = (uint8_t)strnlen(comm, 16);
		}
	}
	r->out_len += kt_tracedat_rec(room(r), &s->rec);
	r->records++;
}

/*
 * What was lost on a CPU may have been ours though nothing of ours follows; but not
 * in a buffer that has none of ours on any CPU, when another buffer may have them.
 */
static void send_all(struct reading *r, bool last)
{
	r->heap_n = 0;
	for (int cpu = 0; cpu < r->nr_cpus; cpu++) {
		struct stream *s = &r->stream[cpu];

		*s = (struct stream){ .cpu = cpu };
		if (advance(r, s))
			r->heap[r->heap_n++] = s;
	}
	for (int i = r->heap_n / 2 - 1; i >= 0; i--)
		sift_down(r, i);
	last = last || r->heap_n;
	while (r->heap_n) {
		struct stream *s = r->heap[0];

		send_rec(r, s);
		if (!advance(r, s)) {
			send_loss(r, s);
			r->heap[0] = r->heap[--r->heap_n];
		}
		if (r->heap_n)
			sift_down(r, 0);
	}
	for (int cpu = 0; last && cpu < r->nr_cpus; cpu++)
		send_loss(r, &r->stream[cpu]);
}

static void use_buffer(struct reading *r, struct tracecmd_input *handle)
{
	r->handle = handle;
	r->tep = tracecmd_get_tep(handle);
	r->nr_cpus = r->tep ? tep_get_cpus(r->tep) : 0;
	if (r->nr_cpus <= 0 || r->nr_cpus > KT_FTRACE_CPUS_MAX)
		fail(r, "it claims an impossible number of CPUs");
	free(r->stream);
	free(r->heap);
	r->stream = calloc((size_t)r->nr_cpus, sizeof(*r->stream));
	r->heap = calloc((size_t)r->nr_cpus, sizeof(struct stream *));
	if (!r->stream || !r->heap)
		fail(r, "not enough memory for its CPUs");
	memset(r->id_of_type, 0, TYPES);
	learn_events(r);
}

/* One buffer: the top one, or an instance of it.  Two together would tell everything twice. */
static void read_buffer(struct reading *r, struct tracecmd_input *handle, bool last)
{
	use_buffer(r, handle);
	send_all(r, last);
}

/* Whether a buffer that is not read has records of KVM; those of the host alone would be no lack. */
static bool has_kvm(struct reading *r, struct tracecmd_input *handle)
{
	bool found = false;

	use_buffer(r, handle);
	for (int cpu = 0; cpu < r->nr_cpus && !found; cpu++) {
		struct tep_record *rec;

		while (!found && (rec = tracecmd_read_data(handle, cpu))) {
			found = kt_ftrace_of_thread(id_of(r, rec));
			tracecmd_free_record(rec);
		}
	}
	return found;
}

static const char *name_of(struct tracecmd_input *handle, int i)
{
	const char *name = tracecmd_buffer_instance_name(handle, i);

	return name && *name ? name : "(no name)";
}

/* Instances from `next` on are not read: they are named if KVM's records are in them. */
static void tell_unread(struct reading *r, struct tracecmd_input *handle, int next)
{
	char text[512], names[384] = "";
	int n = tracecmd_buffer_instances(handle), found = 0;

	for (int i = next; i < n; i++) {
		struct tracecmd_input *instance = tracecmd_buffer_instance_handle(handle, i);
		size_t len = strlen(names);

		if (!instance || !has_kvm(r, instance))
			continue;
		snprintf(names + len, sizeof(names) - len, "%s%s", found ? ", " : "", name_of(handle, i));
		found++;
	}
	if (!found)
		return;
	snprintf(text, sizeof(text), "only one buffer of the file is read, %s%s: events of KVM in %d other%s "
		 "were not: %.300s", next ? "instance " : "the top one", next ? name_of(handle, next - 1) : "",
		 found, found > 1 ? "s" : "", names);
	fact(r, "input.lack.buffers", text);
}

static void tell_host(struct reading *r, struct tracecmd_input *handle)
{
	char number[16];

	if (tracecmd_get_uname)
		fact(r, "input.uname", tracecmd_get_uname(handle));
	if (tracecmd_get_trace_clock)
		fact(r, "clock.trace", tracecmd_get_trace_clock(handle));
	snprintf(number, sizeof(number), "%d", tep_get_cpus(r->tep));
	fact(r, "host.cpus", number);
}

void kt_tracedat_child(int in_fd, int out_fd, void *arg)
{
	struct reading *r = calloc(1, sizeof(*r));
	struct tracecmd_input *handle, *instance;
	int n, next = 0;

	(void)arg;
	if (!r)
		_exit(1);
	r->out_fd = out_fd;
	r->out_len += kt_tracedat_hello(room(r));
	r->id_of_type = calloc(1, TYPES);
	r->comm_sent = calloc(1, TIDS / 8);
	if (!r->id_of_type || !r->comm_sent)
		fail(r, "not enough memory");
	tep_set_loglevel(TEP_LOG_NONE);
	tracecmd_set_loglevel(TEP_LOG_NONE);
	/* Plugins are code from the disk, and only for printing. */
	handle = tracecmd_open_fd(in_fd, TRACECMD_FL_LOAD_NO_PLUGINS);
	if (!handle)
		fail(r, "libtracecmd refuses it: it is cut, damaged, of a version or compression that this "
		     "libtracecmd does not know, or there is not enough memory for what it claims");
	r->tep = tracecmd_get_tep(handle);
	if (!r->tep)
		fail(r, "it has no event formats");
	if (tep_is_file_bigendian(r->tep) != tep_is_local_bigendian(r->tep))
		fail(r, "it was recorded on a machine of the other byte order");
	tell_host(r, handle);
	n = tracecmd_buffer_instances(handle);
	read_buffer(r, handle, !n);
	while (!r->records && next < n) {
		instance = tracecmd_buffer_instance_handle(handle, next++);
		if (!instance)
			continue;
		fact(r, "input.instance", tracecmd_buffer_instance_name(handle, next - 1));
		read_buffer(r, instance, next == n);
	}
	tell_unread(r, handle, next);
	r->out_len += kt_tracedat_done(room(r), r->others, r->unreadable);
	flush_out(r);
}
