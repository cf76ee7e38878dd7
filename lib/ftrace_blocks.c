/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ftrace_blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_EVENTS 4096	/* waiting on all CPUs together */
#define FLUSH_CPUS 256		/* CPUs with something waiting */
#define MARK_EVERY 32768

struct batch {
	struct kt_event *ev;
	uint32_t n, max, last_n;
	bool open, seen, losing;
	uint64_t last_ns, lost;
};

struct kt_ftrace_blocks {
	struct kt_ftrace *ftrace;
	struct batch *batch;	/* by CPU */
	uint32_t nr_batches;
	uint16_t open[FLUSH_CPUS];
	uint32_t nr_open, waiting, cpus;
	uint64_t events, first_ns, newest_ns;
	uint64_t marked, next_mark_ns;	/* events when a mark was last made, and what the next may say */
	struct kt_block *queue;
	uint32_t head, tail, room;
	struct kt_loss *loss;		/* of the loss block last given out */
	struct kt_ident *idents;
};

int kt_ftrace_blocks_new(const struct kt_ftrace_opts *opts, struct kt_ftrace_blocks **out)
{
	struct kt_ftrace_blocks *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	err = kt_ftrace_new(opts, &b->ftrace);
	if (err) {
		free(b);
		return err;
	}
	*out = b;
	return 0;
}

static void free_block(struct kt_block *block)
{
	free(block->memory);
}

void kt_ftrace_blocks_free(struct kt_ftrace_blocks *b)
{
	if (!b)
		return;
	for (uint32_t i = b->head; i < b->tail; i++)
		free_block(&b->queue[i]);
	for (uint32_t i = 0; i < b->nr_batches; i++)
		free(b->batch[i].ev);
	kt_ftrace_free(b->ftrace);
	free(b->batch);
	free(b->queue);
	free(b->loss);
	free(b->idents);
	free(b);
}

/* ---- the queue ---- */

static int put(struct kt_ftrace_blocks *b, const struct kt_block *block)
{
	if (b->head == b->tail)
		b->head = b->tail = 0;
	if (b->tail == b->room) {
		uint32_t room = b->room ? 2 * b->room : 64;
		struct kt_block *grown = realloc(b->queue, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		b->queue = grown;
		b->room = room;
	}
	b->queue[b->tail++] = *block;
	return 0;
}

static int put_copy(struct kt_ftrace_blocks *b, struct kt_block *block, const void *data, size_t size)
{
	block->memory = malloc(size);
	if (!block->memory)
		return -ENOMEM;
	memcpy(block->memory, data, size);
	block->events = block->memory;
	if (put(b, block)) {
		free(block->memory);
		return -ENOMEM;
	}
	return 0;
}

static int put_idents(struct kt_ftrace_blocks *b)
{
	const struct kt_ident *rows;
	struct kt_block block = { .type = KT_BLOCK_IDENT };

	block.n = kt_ftrace_idents(b->ftrace, &rows);
	return block.n ? put_copy(b, &block, rows, block.n * sizeof(*rows)) : 0;
}

static int put_batch(struct kt_ftrace_blocks *b, uint16_t cpu)
{
	struct batch *batch = &b->batch[cpu];
	struct kt_block block = {
		.type = KT_BLOCK_EVENTS, .stream = cpu, .n = batch->n, .memory = batch->ev,
		.events = batch->ev, .first_ns = batch->ev[0].ts_ns,
		.last_ns = batch->ev[batch->n - 1].ts_ns,
	};

	if (put(b, &block))
		return -ENOMEM;
	batch->last_n = batch->n;
	batch->ev = NULL;
	batch->n = batch->max = 0;
	batch->open = false;
	return 0;
}

static int put_loss(struct kt_ftrace_blocks *b, uint16_t cpu, uint64_t next_ns)
{
	struct batch *batch = &b->batch[cpu];
	struct kt_loss loss = {
		.stream = cpu, .lost = { [KT_EV_NONE] = batch->lost ? batch->lost : 1 },
	};
	struct kt_block block = { .type = KT_BLOCK_LOSS, .stream = cpu, .n = 1 };

	/* Of a CPU that told nothing yet it may have been lost since the start. */
	kt_loss_between(&loss, batch->seen ? batch->last_ns : 0, next_ns);
	block.first_ns = loss.from_ns;
	block.last_ns = loss.until_ns;
	batch->lost = 0;
	batch->losing = false;
	return put_copy(b, &block, &loss, sizeof(loss));
}

/*
 * Identities first, then each CPU's events.  A mark lags behind by what was read
 * since the last one; none while only one CPU was seen, as the others may follow.
 */
static int flush(struct kt_ftrace_blocks *b)
{
	struct kt_block mark = { .type = KT_BLOCK_MARK };
	int err = put_idents(b);

	for (uint32_t i = 0; !err && i < b->nr_open; i++)
		err = put_batch(b, b->open[i]);
	if (err)
		return err;
	b->nr_open = b->waiting = 0;
	if (b->cpus < 2 || b->events - b->marked < MARK_EVERY)
		return 0;
	mark.first_ns = mark.last_ns = b->next_mark_ns;
	b->next_mark_ns = b->newest_ns;
	b->marked = b->events;
	return mark.first_ns ? put(b, &mark) : 0;
}

bool kt_ftrace_blocks_ready(const struct kt_ftrace_blocks *b)
{
	return b->head < b->tail;
}

int kt_ftrace_blocks_next(struct kt_ftrace_blocks *b, struct kt_block *out)
{
	if (b->head == b->tail)
		return 0;
	*out = b->queue[b->head++];
	if (out->type == KT_BLOCK_LOSS) {
		free(b->loss);
		b->loss = out->memory;
		out->memory = NULL;
	} else if (out->type == KT_BLOCK_IDENT) {
		free(b->idents);
		b->idents = out->memory;
		out->memory = NULL;
	}
	return 1;
}

void kt_ftrace_blocks_release(struct kt_ftrace_blocks *b, const struct kt_block *block)
{
	(void)b;
	free(block->memory);
}

/* ---- filling it ---- */

static int batch_of(struct kt_ftrace_blocks *b, uint16_t cpu, struct batch **out)
{
	if (cpu >= b->nr_batches) {
		uint32_t n = cpu + 1u + cpu / 2;
		struct batch *grown;

		if (n > KT_FTRACE_CPUS_MAX)
			n = KT_FTRACE_CPUS_MAX;
		grown = realloc(b->batch, n * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		memset(grown + b->nr_batches, 0, (n - b->nr_batches) * sizeof(*grown));
		b->batch = grown;
		b->nr_batches = n;
	}
	*out = &b->batch[cpu];
	return 0;
}

static int grow_batch(struct batch *batch)
{
	uint32_t max = batch->max ? 2 * batch->max : batch->last_n + batch->last_n / 8 + 16;
	struct kt_event *grown = realloc(batch->ev, max * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	batch->ev = grown;
	batch->max = max;
	return 0;
}

static int seen_on(struct kt_ftrace_blocks *b, struct batch *batch, const struct kt_ftrace_rec *rec)
{
	int err = 0;

	if (!b->first_ns)
		b->first_ns = rec->ts_ns;
	if (batch->losing)
		err = put_loss(b, rec->cpu, rec->ts_ns);
	b->cpus += !batch->seen;
	batch->seen = true;
	batch->last_ns = rec->ts_ns;
	if (rec->ts_ns > b->newest_ns)
		b->newest_ns = rec->ts_ns;
	return err;
}

int kt_ftrace_blocks_rec(struct kt_ftrace_blocks *b, const struct kt_ftrace_rec *rec)
{
	struct batch *batch;
	int made;

	if (rec->cpu >= KT_FTRACE_CPUS_MAX)
		return 0;
	if (batch_of(b, rec->cpu, &batch) || seen_on(b, batch, rec))
		return -ENOMEM;
	if (batch->n == batch->max && grow_batch(batch))
		return -ENOMEM;
	made = kt_ftrace_feed(b->ftrace, rec, &batch->ev[batch->n]);
	if (made <= 0)
		return made;
	batch->n++;
	b->events++;
	b->waiting++;
	if (!batch->open) {
		batch->open = true;
		b->open[b->nr_open++] = rec->cpu;
	}
	return b->waiting == FLUSH_EVENTS || b->nr_open == FLUSH_CPUS ? flush(b) : 0;
}

static void lose(struct kt_ftrace_blocks *b, uint16_t cpu, uint64_t n)
{
	b->batch[cpu].lost += n;
	b->batch[cpu].losing = true;
	kt_ftrace_lost(b->ftrace, cpu);
}

int kt_ftrace_blocks_lost(struct kt_ftrace_blocks *b, uint16_t cpu, uint64_t n)
{
	struct batch *batch;

	if (cpu == KT_FTRACE_ALL_CPUS) {
		for (uint32_t i = 0; i < b->nr_batches; i++)
			if (b->batch[i].seen)
				lose(b, i, n);
		return 0;
	}
	if (cpu >= KT_FTRACE_CPUS_MAX)
		return 0;
	if (batch_of(b, cpu, &batch))
		return -ENOMEM;
	lose(b, cpu, n);
	return 0;
}

int kt_ftrace_blocks_end(struct kt_ftrace_blocks *b)
{
	int err = flush(b);

	for (uint32_t cpu = 0; !err && cpu < b->nr_batches; cpu++)
		if (b->batch[cpu].losing)
			err = put_loss(b, cpu, UINT64_MAX);
	return err;
}

struct kt_ftrace *kt_ftrace_blocks_ftrace(struct kt_ftrace_blocks *b)
{
	return b->ftrace;
}

uint64_t kt_ftrace_blocks_events(const struct kt_ftrace_blocks *b)
{
	return b->events;
}
