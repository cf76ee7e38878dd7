/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * walk: many runs of the reference machine as recordings, for whoever judges
 * recordings (check must accept what conforming semantics produce, and reject
 * edge wherever the guest could see a difference).
 *
 *	walk [-s SEMANTICS] [-n RUNS] [-l STEPS] [-r SEED] [-v VCPUS] [-c CPUS] [-t v,p] [-e]
 *	     [-f FAULT] [-b RUNS] [-x] [-o DIR]
 *
 *	-n -l -r  random runs: how many (100), steps in each (60), seed (1).  The same
 *		  arguments give the same bytes.
 *	-x	  exhaustive instead: a shortest run through each transition of the
 *		  machine's state graph (of the machine of -s, -v, -c, -t, -e), -l steps
 *		  at most, and -n of them at most (0: all)
 *	-b	  runs in one file, each as a VM of its own (1)
 *	-e	  nVHE: the ptimer is emulated
 *	-f	  a deliberate fault, 1 to 6 (enum kt_fault)
 *	-o	  where DIR/SEMANTICS-NNNNN.data go; without it only the table
 *
 * Standard output, a line for each run:
 *
 *	FILE VM SEMANTICS STEPS EVENTS taken=N spurious=N late=N nothing=N missed=N broken=PROPERTY
 *
 * VM is the recording's handle of the run's first vCPU.  `late` is what an
 * observer may call the defect: interrupts taken with their line low and at
 * least one exit since it fell.  `spurious` counts also those that no host can
 * prevent.  broken=ok unless a property of the semantics itself was violated.
 * The last line counts: # runs R states S transitions T closed|cut.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event.h"
#include "scenario.h"
#include "store.h"

#define MAX_STEPS 96	/* choices at any time */

static struct {
	struct kt_machine_opts machine;
	unsigned long runs, steps, seed, batch;
	int exhaustive;
	const char *dir;
} opt = { .machine = { .semantics = KT_SEM_MAPPED }, .runs = 100, .steps = 60, .seed = 1, .batch = 1 };

static struct kt_step choice[MAX_STEPS];
static unsigned int nr_choices;

static void die(const char *what)
{
	fprintf(stderr, "walk: %s\n", what);
	exit(1);
}

/* xorshift: the same everywhere */
static uint64_t draw(void)
{
	static uint64_t x;

	if (!x)
		x = 0x9e3779b97f4a7c15ull ^ opt.seed;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void list_choices(const struct kt_machine *m)
{
	for (unsigned int v = 0; v < m->nr_vcpus; v++) {
		for (unsigned int op = 0; op < KT_OP_NR; op++) {
			const char *needs = kt_op_needs(op);
			unsigned int args = strchr(needs, 'v') ? 3 : strchr(needs, 'c') ? m->nr_cpus : 1;

			for (unsigned int i = 0; i < 2 * args; i++) {
				struct kt_step s = { .op = op, .vcpu = v, .timer = i & 1, .arg = i / 2 };

				if (strchr(needs, 't') ? !(m->timers >> s.timer & 1) : s.timer != KT_VTIMER)
					continue;
				if (op == KT_OP_SET_PENDING)
					continue;
				if (nr_choices == MAX_STEPS)
					die("more choices than expected");
				choice[nr_choices++] = s;
			}
		}
	}
}

/* ---- recordings ---- */

static struct {
	struct kt_store_writer *w;
	char name[4096];
	unsigned long runs_in_it, files;
	uint64_t ts_ns;
	uint32_t who;
	struct kt_event *ev;
	size_t n, max;
} rec;

static void on_event(void *arg, const struct kt_event *ev)
{
	(void)arg;
	if (rec.n == rec.max) {
		rec.max = rec.max ? 2 * rec.max : 4096;
		rec.ev = realloc(rec.ev, rec.max * sizeof(*rec.ev));
		if (!rec.ev)
			die("out of memory");
	}
	rec.ev[rec.n] = *ev;
	/* On CPUs of its own: a run ends with its vCPU still loaded. */
	rec.ev[rec.n].pcpu += 2 * rec.who;
	rec.ev[rec.n++].who += rec.who;
}

static void close_file(void)
{
	if (rec.w && kt_writer_close(rec.w, NULL))
		die("cannot write a recording");
	rec.w = NULL;
	rec.runs_in_it = 0;
}

static void open_file(void)
{
	struct kt_clock_pair pair = { 1, 1 };
	struct kt_facts *facts;
	int err;

	snprintf(rec.name, sizeof(rec.name), "%s/%s-%05lu.data", opt.dir,
		 kt_semantics_name(opt.machine.semantics), rec.files++);
	unlink(rec.name);	/* else the writer keeps the older one */
	err = kt_facts_new(&facts);
	err = err ?: kt_facts_set(facts, "host.release", "reference-machine");
	err = err ?: kt_facts_set(facts, "host.mode", opt.machine.nvhe ? "nvhe" : "vhe");
	err = err ?: kt_facts_set(facts, "host.gic", opt.machine.semantics < KT_SEM_LAZY ? "2" : "3");
	err = err ?: kt_facts_set(facts, "clock.counter_hz", "1000000000");
	err = err ?: kt_facts_set(facts, "capture.source", "machine");
	err = err ?: kt_facts_set(facts, "capture.detail", "lr");
	err = err ?: kt_facts_set(facts, "machine.semantics", kt_semantics_name(opt.machine.semantics));
	err = err ?: kt_writer_create(rec.name, facts, NULL, &rec.w);
	err = err ?: kt_writer_clock(rec.w, &pair, 1);
	if (err)
		die("cannot create a recording");
	kt_facts_free(facts);
	rec.who = 0;
	rec.ts_ns = 0;
}

static void write_run(const struct kt_machine *m, const struct kt_machine_out *out)
{
	struct kt_ident id;
	int err = 0;

	if (!opt.dir)
		return;
	for (unsigned int v = 0; v < m->nr_vcpus && !err; v++) {
		kt_machine_ident(m, v, &id);
		id.who += rec.who;
		id.kvm += (uint64_t)rec.who << 16;
		id.vcpu += (uint64_t)rec.who << 16;
		id.tgid += 10 * rec.who;
		id.tid += 10 * rec.who;
		err = kt_writer_idents(rec.w, &id, 1);
	}
	if (!err && rec.n)
		err = kt_writer_events(rec.w, KT_STREAM_SIDE, rec.ev, rec.n);
	if (!err)
		err = kt_writer_mark(rec.w, out->ts_ns);
	if (err)
		die("cannot write a recording");
	rec.ts_ns = out->ts_ns;
	rec.who += m->nr_vcpus;
	if (++rec.runs_in_it == opt.batch)
		close_file();
}

/* ---- one run ---- */

static void begin(struct kt_machine *m, struct kt_machine_out *out)
{
	if (kt_machine_init(m, &opt.machine))
		die("these semantics have no such machine");
	kt_machine_out_init(out);
	if (opt.dir && !rec.w)
		open_file();
	out->event = on_event;
	/* A VM starts a while after the one before it. */
	out->ts_ns += rec.ts_ns;
	rec.n = 0;
}

static void end(const struct kt_machine *m, struct kt_machine_out *out, unsigned long steps)
{
	printf("%s %#x %s %lu %zu", opt.dir ? rec.name : "-", rec.who + 1,
	       kt_semantics_name(m->semantics), steps, rec.n);
	for (unsigned int f = 0; kt_saw_field(f) && strcmp(kt_saw_field(f), "entries"); f++)
		printf(" %s=%u", kt_saw_field(f), kt_saw_total(out, f));
	printf(" broken=%s\n", kt_property_name(m->property));
	write_run(m, out);
}

/* Time runs forward: of the armed timers only the one that is due first expires. */
static int act(struct kt_machine *m, struct kt_machine_out *out, struct kt_step s)
{
	unsigned int vcpu, timer;

	if (s.op == KT_OP_EXPIRE) {
		timer = kt_machine_next_due(m, out, &vcpu);
		if (timer != s.timer || vcpu != s.vcpu)
			return -EPERM;
	}
	return kt_machine_step(m, s, out);
}

/* ---- random runs ---- */

static void random_run(void)
{
	struct kt_machine_out out;
	struct kt_machine m;
	unsigned long n = 0;

	begin(&m, &out);
	while (n < opt.steps && m.property == KT_PROP_OK) {
		struct kt_step s = choice[draw() % nr_choices];

		/* Time that never comes makes dull runs: twice in three make it near. */
		if (s.op == KT_OP_PROGRAM && draw() % 3)
			s.arg = KT_CVAL_SOON;
		if (!act(&m, &out, s))
			n++;
	}
	end(&m, &out, n);
}

/* ---- exhaustive: breadth first, one run through each transition ---- */

struct node {
	struct kt_machine m;
	uint32_t parent, depth;
	uint16_t step;
};

static struct node *node;
static uint32_t *slot, nr_nodes, max_nodes, slot_mask;

static uint32_t hash(const struct kt_machine *m)
{
	const unsigned char *p = (const unsigned char *)m;
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < sizeof(*m); i++)
		h = (h ^ p[i]) * 16777619u;
	return h;
}

static uint32_t *find(const struct kt_machine *m)
{
	uint32_t i = hash(m) & slot_mask;

	while (slot[i] && memcmp(&node[slot[i] - 1].m, m, sizeof(*m)))
		i = (i + 1) & slot_mask;
	return &slot[i];
}

static void add_node(const struct kt_machine *m, uint32_t parent, uint32_t depth, uint16_t step)
{
	if (2 * nr_nodes >= slot_mask) {
		slot_mask = slot_mask ? 2 * slot_mask + 1 : 0xffff;
		free(slot);
		slot = calloc(slot_mask + 1ul, sizeof(*slot));
		for (uint32_t i = 0; slot && i < nr_nodes; i++)
			*find(&node[i].m) = i + 1;
	}
	if (nr_nodes == max_nodes) {
		max_nodes = max_nodes ? 2 * max_nodes : 4096;
		node = realloc(node, max_nodes * sizeof(*node));
	}
	if (!slot || !node)
		die("out of memory");
	node[nr_nodes++] = (struct node){ *m, parent, depth, step };
	*find(m) = nr_nodes;
}

/* The steps that lead to a node, and one more. */
static void replay(uint32_t at, unsigned int last)
{
	uint16_t path[4096];
	unsigned int n = 0;
	struct kt_machine_out out;
	struct kt_machine m;

	path[n++] = last;
	for (; at; at = node[at].parent) {
		if (n == sizeof(path) / sizeof(path[0]))
			die("a run longer than expected");
		path[n++] = node[at].step;
	}
	begin(&m, &out);
	for (unsigned int i = n; i-- > 0;)
		if (act(&m, &out, choice[path[i]]) == -EPERM)
			break;	/* another timer is due first: the run ends here */
	end(&m, &out, n);
}

static void exhaustive(void)
{
	unsigned long transitions = 0, runs = 0;
	struct kt_machine m;
	int cut = 0;

	if (kt_machine_init(&m, &opt.machine))
		die("these semantics have no such machine");
	add_node(&m, 0, 0, 0);
	for (uint32_t at = 0; at < nr_nodes; at++) {
		/* No further from a state that is broken. */
		for (unsigned int i = 0; i < nr_choices && node[at].m.property == KT_PROP_OK; i++) {
			m = node[at].m;
			if (kt_machine_step(&m, choice[i], NULL))
				continue;
			if (node[at].depth >= opt.steps) {
				cut = 1;
				continue;
			}
			transitions++;
			if (!opt.runs || runs < opt.runs) {
				replay(at, i);
				runs++;
			}
			if (!*find(&m))
				add_node(&m, at, node[at].depth + 1, i);
		}
	}
	printf("# runs %lu states %u transitions %lu %s\n", runs, nr_nodes, transitions,
	       cut ? "cut" : "closed");
}

/* ---- arguments ---- */

static unsigned long number(const char *text)
{
	char *tail;
	unsigned long n = strtoul(text, &tail, 0);

	if (!*text || *tail)
		die("an argument is not a number");
	return n;
}

static void parse(int argc, char **argv)
{
	int c, sem;

	while ((c = getopt(argc, argv, "s:n:l:r:v:c:t:ef:b:xo:")) != -1) {
		switch (c) {
		case 's':
			sem = kt_semantics_parse(optarg);
			if (sem < 0)
				die("no such semantics");
			opt.machine.semantics = sem;
			break;
		case 'n': opt.runs = number(optarg); break;
		case 'l': opt.steps = number(optarg); break;
		case 'r': opt.seed = number(optarg); break;
		case 'v': opt.machine.nr_vcpus = number(optarg); break;
		case 'c': opt.machine.nr_cpus = number(optarg); break;
		case 't':
			opt.machine.timers = (strchr(optarg, 'v') ? 1 << KT_VTIMER : 0) |
					     (strchr(optarg, 'p') ? 1 << KT_PTIMER : 0);
			break;
		case 'e': opt.machine.nvhe = true; break;
		case 'f': opt.machine.fault = number(optarg); break;
		case 'b': opt.batch = number(optarg); break;
		case 'x': opt.exhaustive = 1; break;
		case 'o': opt.dir = optarg; break;
		default: die("usage is at the top of tests/machine/walk.c");
		}
	}
	if (!opt.batch || optind != argc)
		die("usage is at the top of tests/machine/walk.c");
	if (opt.dir && mkdir(opt.dir, 0777) && errno != EEXIST)
		die("cannot make the folder for -o");
}

int main(int argc, char **argv)
{
	struct kt_machine m;

	parse(argc, argv);
	if (kt_machine_init(&m, &opt.machine))
		die("these semantics have no such machine");
	list_choices(&m);
	if (opt.exhaustive) {
		exhaustive();
	} else {
		for (unsigned long i = 0; i < opt.runs; i++)
			random_run();
		printf("# runs %lu\n", opt.runs);
	}
	close_file();
	free(rec.ev);
	free(node);
	free(slot);
	return fflush(stdout) ? 1 : 0;
}
