/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/heap_profile.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/err.h"
#include "gostate/readings.h"

#define STACK_MAX 1024      /* GODEBUG=profstackdepth has this limit */
#define CYCLES 3            /* memRecord.future */
#define TRIES 4
#define GUESS_BYTES 512     /* a bucket with a usual stack */
#define BUCKET_MAX_BYTES 256
#define RECORD_MAX_BYTES 512
#define BUCKET_MEMORY 1     /* runtime: memProfile */
#define FLUSH_WAIT_NS 2000000

struct counts {
	uint64_t allocs, frees, alloc_bytes, free_bytes;
};

/* One walk over runtime.mbuckets. */
struct walk {
	const struct go_target *t;
	const struct go_layout *layout;
	struct heap_site *sites; /* owned; the four numbers are not filled in yet */
	struct counts *active, *all; /* owned; of each site: published, and with all that was ever counted */
	size_t n, size;
	bool flushing; /* a cycle that was published is still found where it was counted */
};

struct cycle {
	uint64_t raw; /* as it lies there: another value, another state */
	unsigned index;
	bool flushed;
};

static bool read_cycle(const struct go_target *t, struct cycle *ret)
{
	const struct go_place *place = &go_target_layout(t)->place[GO_MEM_PROFILE_CYCLE];

	ret->raw = 0;
	if (!place->size || place->size > 8 || !go_target_read_place(t, GO_MEM_PROFILE_CYCLE, &ret->raw, sizeof(ret->raw)))
		return false;
	/* Of layout.h's names the first is mProfCycle, whose lowest bit says that it was flushed (1.19 and later). */
	ret->flushed = place->which == 0 && (ret->raw & 1);
	ret->index = (unsigned)((place->which == 0 ? ret->raw >> 1 : ret->raw) % CYCLES);
	return true;
}

static struct counts counts_of(const struct go_layout *l, const unsigned char *cycle, uint64_t object_bytes)
{
	struct counts c = { go_member_value(l, GO_CYCLE_ALLOCS, cycle), go_member_value(l, GO_CYCLE_FREES, cycle),
		go_member_value(l, GO_CYCLE_ALLOC_BYTES, cycle), go_member_value(l, GO_CYCLE_FREE_BYTES, cycle) };

	/* From 1.27 on only objects are counted: all of a bucket have one size. */
	if (c.alloc_bytes == GO_UNKNOWN && __builtin_mul_overflow(c.allocs, object_bytes, &c.alloc_bytes))
		c.alloc_bytes = 0;
	if (c.free_bytes == GO_UNKNOWN && __builtin_mul_overflow(c.frees, object_bytes, &c.free_bytes))
		c.free_bytes = 0;
	return c;
}

static void add(struct counts *to, const struct counts *c)
{
	to->allocs += c->allocs;
	to->frees += c->frees;
	to->alloc_bytes += c->alloc_bytes;
	to->free_bytes += c->free_bytes;
}

static void keep(struct walk *w, const uint64_t *stack, size_t n_stack, uint64_t object_bytes, const unsigned char *record,
		 const struct cycle *now)
{
	const struct go_layout *l = w->layout;
	const unsigned char *future = record + l->member[GO_MEM_RECORD_FUTURE].offset;
	struct counts active = counts_of(l, record + l->member[GO_MEM_RECORD_ACTIVE].offset, object_bytes), all = active;

	for (unsigned i = 0; i < CYCLES; i++) {
		struct counts c = counts_of(l, future + (size_t)i * l->type_size[GO_TYPE_CYCLE], object_bytes);

		add(&all, &c);
		if (i != now->index)
			continue;
		/* Complete, and about to be added; were it added already, nothing would be left here. */
		add(&active, &c);
		w->flushing |= now->flushed && (c.allocs || c.frees);
	}
	if (w->n == w->size) {
		w->size = w->size ? w->size * 2 : 256;
		w->sites = xreallocarray(w->sites, w->size, sizeof(w->sites[0]));
		w->active = xreallocarray(w->active, w->size, sizeof(w->active[0]));
		w->all = xreallocarray(w->all, w->size, sizeof(w->all[0]));
	}
	w->sites[w->n] = (struct heap_site){ .stack = xcalloc(n_stack ? n_stack : 1, 8), .n_stack = n_stack, .object_bytes = object_bytes };
	memcpy(w->sites[w->n].stack, stack, n_stack * 8);
	w->active[w->n] = active;
	w->all[w->n++] = all;
}

static void walk_done(struct walk *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->sites[i].stack);
	free(w->sites);
	free(w->active);
	free(w->all);
	*w = (struct walk){ .t = w->t, .layout = w->layout };
}

/* A bucket: header, stack, record, one behind the other. False: it cannot be read, or is none. */
static bool read_bucket(struct walk *w, uint64_t address, const struct cycle *now, uint64_t *ret_next)
{
	static _Thread_local unsigned char bytes[BUCKET_MAX_BYTES + STACK_MAX * 8 + RECORD_MAX_BYTES];
	const struct go_layout *l = w->layout;
	size_t header = l->type_size[GO_TYPE_BUCKET], record = l->type_size[GO_TYPE_MEM_RECORD], whole;
	bool guessed = go_target_read(w->t, address, bytes, GUESS_BYTES);
	uint64_t n_stack, size;

	if (!guessed && !go_target_read(w->t, address, bytes, header))
		return false;
	n_stack = go_member_value(l, GO_BUCKET_NSTK, bytes);
	size = go_member_value(l, GO_BUCKET_SIZE, bytes);
	*ret_next = go_member_value(l, GO_BUCKET_ALLNEXT, bytes);
	if (n_stack > STACK_MAX || go_member_value(l, GO_BUCKET_TYPE, bytes) != BUCKET_MEMORY)
		return false;
	whole = header + n_stack * 8 + record;
	if ((!guessed || whole > GUESS_BYTES) && !go_target_read(w->t, address, bytes, whole))
		return false;
	uint64_t stack[STACK_MAX];
	memcpy(stack, bytes + header, n_stack * 8);
	keep(w, stack, n_stack, size, bytes + header + n_stack * 8, now);
	return true;
}

/* 0; -EAGAIN where it changed meanwhile. */
static int walk_buckets(struct walk *w, struct err *err)
{
	uint64_t at = 0, marked = 0, steps = 0, next_mark = 1;
	struct cycle before, after;

	if (!read_cycle(w->t, &before) || !go_target_read_place(w->t, GO_MEM_BUCKETS, &at, sizeof(at)))
		return err_set(err, ESRCH, "read the heap profile of process %d", (int)go_target_pid(w->t));
	for (; at; steps++) {
		/* Brent's way to notice that a list comes back to itself. */
		if (at == marked || steps == HEAP_SITES_MAX)
			return err_set(err, 0, "process %d: its heap profile has no end", (int)go_target_pid(w->t));
		if (steps == next_mark) {
			marked = at;
			next_mark *= 2;
		}
		if (!read_bucket(w, at, &before, &at)) {
			if (!go_target_is_same(w->t))
				return err_set(err, ESRCH, "read the heap profile of process %d", (int)go_target_pid(w->t));
			return err_set(err, 0, "process %d: its heap profile makes no sense", (int)go_target_pid(w->t));
		}
	}
	return read_cycle(w->t, &after) && after.raw == before.raw && !w->flushing ? 0 : -EAGAIN;
}

static void scale(uint64_t objects, uint64_t bytes, uint64_t rate, uint64_t *ret_objects, uint64_t *ret_bytes)
{
	double factor = 1;

	*ret_objects = *ret_bytes = 0;
	if (objects == 0 || bytes == 0 || objects > INT64_MAX / 2 || bytes > INT64_MAX / 2)
		return;
	if (rate > 1)
		factor = 1 / (1 - exp(-((double)bytes / (double)objects) / (double)rate));
	/* More than a machine can have: not told. */
	if ((double)bytes * factor > 0x1p62 || (double)objects * factor > 0x1p62)
		return;
	*ret_objects = rate > 1 ? (uint64_t)((double)objects * factor) : objects;
	*ret_bytes = rate > 1 ? (uint64_t)((double)bytes * factor) : bytes;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static int by_bytes(const void *a, const void *b)
{
	const struct heap_site *x = a, *y = b;

	if (x->inuse_bytes != y->inuse_bytes)
		return x->inuse_bytes < y->inuse_bytes ? 1 : -1;
	return x->alloc_bytes < y->alloc_bytes ? 1 : x->alloc_bytes > y->alloc_bytes ? -1 : 0;
}

static void fill_in(struct walk *w, uint64_t rate)
{
	size_t n = 0;
	bool none = true;

	/* Before the second garbage collection nothing has been published: all that was counted then, as runtime.MemProfile does. */
	for (size_t i = 0; i < w->n; i++)
		none = none && !w->active[i].allocs && !w->active[i].frees;
	for (size_t i = 0; i < w->n; i++) {
		const struct counts *c = none ? &w->all[i] : &w->active[i];
		struct heap_site *s = &w->sites[i];

		scale(c->allocs, c->alloc_bytes, rate, &s->alloc_objects, &s->alloc_bytes);
		scale(minus(c->allocs, c->frees), minus(c->alloc_bytes, c->free_bytes), rate, &s->inuse_objects, &s->inuse_bytes);
		/* Nothing published yet: it is left out. */
		if (s->alloc_objects)
			w->sites[n++] = *s;
		else
			free(s->stack);
	}
	w->n = n;
	if (w->n)
		qsort(w->sites, w->n, sizeof(w->sites[0]), by_bytes);
}

static bool layout_has_it(const struct go_layout *l)
{
	static const enum go_member_id needed[] = { GO_BUCKET_ALLNEXT, GO_BUCKET_TYPE, GO_BUCKET_SIZE, GO_BUCKET_NSTK, GO_MEM_RECORD_ACTIVE,
		GO_MEM_RECORD_FUTURE, GO_CYCLE_ALLOCS, GO_CYCLE_FREES };
	uint64_t record = l->type_size[GO_TYPE_MEM_RECORD], cycle = l->type_size[GO_TYPE_CYCLE], bucket = l->type_size[GO_TYPE_BUCKET];

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!l->member[needed[i]].size)
			return false;
	for (int i = GO_CYCLE_ALLOCS; i <= GO_CYCLE_FREE_BYTES; i++)
		if (l->member[i].size && l->member[i].offset + l->member[i].size > cycle)
			return false;
	for (int i = GO_BUCKET_ALLNEXT; i <= GO_BUCKET_NSTK; i++)
		if (l->member[i].offset + l->member[i].size > bucket)
			return false;
	return l->place[GO_MEM_BUCKETS].size && bucket <= BUCKET_MAX_BYTES && record <= RECORD_MAX_BYTES &&
	       l->member[GO_MEM_RECORD_ACTIVE].offset + cycle <= record && l->member[GO_MEM_RECORD_FUTURE].offset + CYCLES * cycle <= record;
}

static int keeps_none(const struct go_target *t, struct err *err)
{
	unsigned minor = go_target_layout(t)->minor;

	if (minor >= 17)
		(void)err_set(err, 0, "the program keeps no heap profile: from Go 1.17 on the linker leaves it out where nothing in the "
			      "program can ask for it (import net/http/pprof, or call runtime.MemProfile), or runtime.MemProfileRate is 0");
	else
		(void)err_set(err, 0, "the program keeps no heap profile: its runtime.MemProfileRate is 0");
	return -ENODATA;
}

int heap_profile_read(const struct go_target *t, struct heap_profile *ret, struct err *err)
{
	struct walk w = { .t = t, .layout = go_target_layout(t) };
	struct timespec wait = { 0, FLUSH_WAIT_NS };
	uint64_t rate = 0;
	int r = -EAGAIN;

	if (!layout_has_it(w.layout)) {
		(void)err_set(err, 0, "its binary does not tell where a heap profile would be");
		return -ENODATA;
	}
	if (!go_target_read_place(t, GO_MEM_PROFILE_RATE, &rate, sizeof(rate)) && w.layout->place[GO_MEM_PROFILE_RATE].size)
		return err_set(err, ESRCH, "read the heap profile of process %d", (int)go_target_pid(t));
	/* A sample or two of the runtime's own start may be there all the same: taken before the rate was set to 0. */
	if ((int64_t)rate <= 0)
		return keeps_none(t, err);
	/* A cycle is published within a moment after a garbage collection; a walk that met that is taken anew. The last one counts. */
	for (int tries = 0; r == -EAGAIN && tries < TRIES; tries++) {
		if (tries)
			(void)nanosleep(&wait, NULL);
		walk_done(&w);
		r = walk_buckets(&w, err);
	}
	if (r < 0 && r != -EAGAIN) {
		walk_done(&w);
		return r;
	}
	fill_in(&w, rate);
	if (w.n == 0) {
		walk_done(&w);
		(void)err_set(err, 0, "nothing has been sampled yet: a sample is taken every %llu bytes that are allocated",
			      (unsigned long long)rate);
		return -EAGAIN;
	}
	*ret = (struct heap_profile){ rate, w.sites, w.n };
	free(w.active);
	free(w.all);
	return 0;
}

void heap_profile_done(struct heap_profile *p)
{
	for (size_t i = 0; i < p->n_sites; i++)
		free(p->sites[i].stack);
	free(p->sites);
	*p = (struct heap_profile){ 0 };
}
