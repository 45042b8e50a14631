/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/split.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "gostate/claims.h"
#include "gostate/maps.h"
#include "gostate/pages.h"
#include "gostate/spans.h"

#define TRIES 3

struct splitter {
	struct spans spans;
	struct vmas vmas;
	struct pages pages;
	struct claims claims;
	int64_t (*now_ns)(void *arg);
	void *arg;
	int64_t pages_ns, at_ns; /* when the pages were read the last time, and those of the split that was given out */
};

static int64_t monotonic_ns(void *arg)
{
	struct timespec t = { 0, 0 };

	(void)arg;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

struct splitter *splitter_new(int64_t (*now_ns)(void *arg), void *arg)
{
	struct splitter *s = xcalloc(1, sizeof(*s));

	s->now_ns = now_ns ? now_ns : monotonic_ns;
	s->arg = arg;
	return s;
}

struct splitter *splitter_free(struct splitter *s)
{
	if (!s)
		return NULL;
	spans_done(&s->spans);
	maps_done(&s->vmas);
	pages_done(&s->pages);
	claims_done(&s->claims);
	free(s);
	return NULL;
}

int64_t splitter_at_ns(const struct splitter *s)
{
	return s->at_ns;
}

/* ---- the join ---------------------------------------------------------------------------------------------------------------------- */

/* One walk up the address space; each cursor stands at the first that ends above the page that is looked at. */
struct join {
	const struct splitter *s;
	const struct vma *binary; /* a mapping of the program's own file; NULL: not found */
	size_t vma, arena, span, claim;
	bool drop_maybe;
	size_t beside_vma; /* whose `beside` is known */
	bool beside;       /* what nobody claims there can be the runtime's */
	uint64_t beside_bytes; /* of RSS_NATIVE: in such mappings */
	struct rss_split out;
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void give(struct join *j, enum rss_part part, uint64_t bytes)
{
	j->out.part[part] += bytes;
}

/* Pages inside an arena. */
static void join_arena(struct join *j, uint64_t at, uint64_t end)
{
	const struct spans *spans = &j->s->spans;

	while (at < end) {
		const struct span *span;
		uint64_t to, objects;

		while (j->span < spans->n && spans->v[j->span].end <= at)
			j->span++;
		span = j->span < spans->n ? &spans->v[j->span] : NULL;
		if (!span || span->start > at) {
			to = span ? least(end, span->start) : end;
			give(j, RSS_IDLE, to - at);
			at = to;
			continue;
		}
		to = least(end, span->end);
		if (span->use == SPAN_OBJECTS) {
			objects = (uint64_t)((double)(to - at) * ((double)span->object_bytes / (double)(span->end - span->start)));
			objects = least(objects, to - at);
			give(j, RSS_OBJECTS, objects);
			give(j, RSS_FRAGMENTATION, to - at - objects);
		} else {
			give(j, span->use == SPAN_STACKS ? RSS_STACKS : RSS_RUNTIME, to - at);
		}
		at = to;
	}
}

static bool has_runtime(const struct join *j, const struct vma *vma)
{
	const struct claims *c = &j->s->claims;

	for (size_t i = j->claim; i < c->n && c->v[i].start < vma->end; i++)
		if (c->v[i].part == RSS_RUNTIME)
			return true;
	return false;
}

/* Anonymous pages of one mapping (NULL: it was made meanwhile). */
static void join_anonymous(struct join *j, const struct vma *vma, uint64_t at, uint64_t end)
{
	const struct claims *c = &j->s->claims;

	while (at < end) {
		uint64_t to = end;

		while (j->arena < c->n_arenas && c->arenas[j->arena].end <= at)
			j->arena++;
		while (j->claim < c->n && c->v[j->claim].end <= at)
			j->claim++;
		if (j->arena < c->n_arenas && c->arenas[j->arena].start <= at) {
			to = least(to, c->arenas[j->arena].end);
			join_arena(j, at, to);
		} else if (j->claim < c->n && c->v[j->claim].start <= at) {
			to = least(to, c->v[j->claim].end);
			give(j, c->v[j->claim].part, to - at);
		} else {
			if (j->arena < c->n_arenas)
				to = least(to, c->arenas[j->arena].start);
			if (j->claim < c->n)
				to = least(to, c->v[j->claim].start);
			give(j, vma && vma->kind == VMA_GO ? RSS_RUNTIME : RSS_NATIVE, to - at);
			if (vma && vma->kind == VMA_ANONYMOUS && j->beside)
				j->beside_bytes += to - at;
		}
		at = to;
	}
}

static void join_piece(struct join *j, const struct vma *vma, const struct resident *r, uint64_t at, uint64_t end)
{
	if (vma && vma->kind == VMA_NOT_COUNTED)
		return;
	if (r->maybe && j->drop_maybe)
		return;
	if (r->file || (vma && vma->kind == VMA_FILE)) {
		/* Shared and yet of no file: a device's memory, which RSS does not count. */
		if (vma && vma->shared && !r->file)
			return;
		if (!r->file && j->binary && vma->inode == j->binary->inode && vma->major == j->binary->major && vma->minor == j->binary->minor)
			give(j, RSS_RUNTIME, end - at);
		else
			give(j, RSS_FILES, end - at);
	} else if (vma && vma->kind == VMA_STACK) {
		give(j, RSS_THREAD_STACKS, end - at);
	} else {
		join_anonymous(j, vma, at, end);
	}
}

static void join_all(struct join *j)
{
	const struct splitter *s = j->s;

	j->beside_vma = SIZE_MAX;
	for (size_t i = 0; i < s->pages.n; i++) {
		const struct resident *r = &s->pages.v[i];

		for (uint64_t at = r->start; at < r->end;) {
			const struct vma *vma;
			uint64_t to = r->end;

			while (j->vma < s->vmas.n && s->vmas.v[j->vma].end <= at)
				j->vma++;
			vma = j->vma < s->vmas.n ? &s->vmas.v[j->vma] : NULL;
			if (vma && vma->start > at) {
				to = least(to, vma->start);
				vma = NULL;
			} else if (vma) {
				to = least(to, vma->end);
			}
			if (vma && j->beside_vma != j->vma) {
				while (j->claim < s->claims.n && s->claims.v[j->claim].end <= vma->start)
					j->claim++;
				j->beside = s->claims.all_known || has_runtime(j, vma);
				j->beside_vma = j->vma;
			}
			join_piece(j, vma, r, at, to);
			at = to;
		}
	}
	for (size_t i = 0; i < RSS_PART_COUNT_; i++)
		j->out.resident_bytes += j->out.part[i];
	j->out.spans = s->spans.n;
}

static void move(struct rss_split *split, enum rss_part from, enum rss_part to, uint64_t at_most)
{
	uint64_t bytes = least(split->part[from], at_most);

	split->part[from] -= bytes;
	split->part[to] += bytes;
}

static void join(const struct splitter *s, const struct go_target *t, bool drop_maybe, struct rss_split *ret)
{
	const struct vma *binary = maps_find(&s->vmas, go_target_address(t, GO_FIRST_MODULE));
	struct join j = { .s = s, .binary = binary && binary->kind == VMA_FILE ? binary : NULL, .drop_maybe = drop_maybe };

	join_all(&j);
	move(&j.out, RSS_NATIVE, RSS_RUNTIME, least(j.beside_bytes, s->claims.unclaimed_bytes));
	*ret = j.out;
}

/* ---- one look ---------------------------------------------------------------------------------------------------------------------- */

static uint64_t tolerance(uint64_t rss)
{
	return rss / 200 > MIB ? rss / 200 : MIB;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static uint64_t place_or_unknown(const struct go_target *t, enum go_place_id id)
{
	uint64_t v;

	return go_target_read_place(t, id, &v, sizeof(v)) ? v : GO_UNKNOWN;
}

/* Memory goes back by MADV_FREE: in 1.12 to 1.15 unless GODEBUG=madvdontneed=1, from 1.16 on if it is 0 (runtime/mem_linux.go). */
static bool frees_lazily(const struct go_target *t)
{
	unsigned minor = go_target_layout(t)->minor;
	int32_t dontneed = 1;

	if (minor == 11 || !go_target_read_place(t, GO_MADVDONTNEED, &dontneed, sizeof(dontneed)))
		return false;
	return dontneed == 0 && place_or_unknown(t, GO_HEAP_RELEASED) != 0;
}

/* Of spans in use. A chunk of a freed arena (package arena, runtime/arena.go: setUserArenaChunkToFault) stays such a span while anything points
 * to it; its memory has no access any more, and HeapInuse does not count it. */
static uint64_t inuse_with_access(const struct splitter *s)
{
	uint64_t sum = 0;
	size_t vma = 0;

	for (size_t i = 0; i < s->spans.n; i++) {
		const struct span *span = &s->spans.v[i];

		while (vma < s->vmas.n && s->vmas.v[vma].end <= span->start)
			vma++;
		if (span->use == SPAN_OBJECTS &&
		    (vma == s->vmas.n || s->vmas.v[vma].start > span->start || s->vmas.v[vma].readable || s->vmas.v[vma].writable))
			sum += span->end - span->start;
	}
	return sum;
}

/* The spans are those that the runtime's accounting had before or behind them. */
static bool spans_fit(const struct splitter *s, uint64_t before, uint64_t after, uint64_t allowed)
{
	uint64_t low = least(before, after), high = before > after ? before : after, inuse = s->spans.inuse_bytes;

	if (inuse > high + allowed)
		inuse = inuse_with_access(s);
	return inuse + allowed >= low && inuse <= high + allowed;
}

static int take(struct splitter *s, const struct go_target *t, bool scan, struct rss_split *ret, bool *ret_fits, struct err *err)
{
	pid_t pid = go_target_pid(t);
	uint64_t inuse[3], statm[2], rss, exact, allowed, lazy = 0;
	bool scanned;
	int r;

	r = maps_read(&s->vmas, pid, err);
	if (r < 0)
		return r;
	inuse[0] = place_or_unknown(t, GO_HEAP_INUSE);
	r = spans_read(&s->spans, t, err);
	if (r < 0)
		return r;
	inuse[1] = place_or_unknown(t, GO_HEAP_INUSE);
	statm[0] = pages_statm(pid);
	s->pages_ns = s->now_ns(s->arg);
	r = pages_read(&s->pages, pid, &s->vmas, scan, &scanned, err);
	if (r < 0)
		return r;
	s->pages_ns += (s->now_ns(s->arg) - s->pages_ns) / 2;
	statm[1] = pages_statm(pid);
	inuse[2] = place_or_unknown(t, GO_HEAP_INUSE);
	if (statm[0] == GO_UNKNOWN || statm[1] == GO_UNKNOWN)
		return err_set(err, ESRCH, "process %d has exited", (int)pid);
	claims_read(&s->claims, t, &s->spans, &s->vmas);
	if (frees_lazily(t)) {
		r = maps_lazy_free(&s->vmas, pid, s->claims.arenas, s->claims.n_arenas, &lazy, err);
		if (r < 0)
			return r;
	}
	join(s, t, false, ret);
	rss = statm[0] / 2 + statm[1] / 2;
	/* statm may be off by some MB before Linux 6.12, the more CPUs the more. One that moves shows what moved. */
	if (distance(ret->resident_bytes, rss) > tolerance(rss) && distance(statm[0], statm[1]) < tolerance(rss) / 2 &&
	    (exact = pages_rollup(pid)) != GO_UNKNOWN)
		rss = exact;
	allowed = tolerance(rss);
	if (!scanned && ret->resident_bytes > rss + allowed)
		join(s, t, true, ret);
	ret->statm_bytes = rss;
	move(ret, RSS_IDLE, RSS_LAZYFREE, lazy);
	*ret_fits = distance(ret->resident_bytes, ret->statm_bytes) <= allowed && s->spans.torn_bytes <= allowed;
	if (inuse[0] != GO_UNKNOWN && inuse[1] != GO_UNKNOWN)
		*ret_fits &= spans_fit(s, inuse[0], inuse[1], allowed);
	/* What grew between the spans and the pages would pass for idle heap. One that grows without a pause has its last try without this. */
	if (scan && inuse[1] != GO_UNKNOWN && inuse[2] != GO_UNKNOWN)
		*ret_fits &= distance(inuse[1], inuse[2]) <= allowed;
	return 0;
}

int split_read(struct splitter *s, const struct go_target *t, struct rss_split *ret, struct err *err)
{
	struct rss_split best = { .resident_bytes = 0 }, one;
	bool any = false, fits = false;
	int r = 0;

	if (sysconf(_SC_PAGESIZE) != 4096)
		return err_set(err, ENOTSUP, "pages of this machine are not of 4 kB: what holds them is not told");
	for (int i = 0; i < TRIES && !fits; i++) {
		r = take(s, t, i < TRIES - 1, &one, &fits, err);
		if (r == -EAGAIN)
			continue;
		if (r < 0)
			break;
		if (fits || !any || distance(one.resident_bytes, one.statm_bytes) < distance(best.resident_bytes, best.statm_bytes)) {
			best = one;
			s->at_ns = s->pages_ns;
		}
		any = true;
	}
	if (!go_target_is_same(t))
		return err_set(err, ESRCH, "process %d has exited, or began another program", (int)go_target_pid(t));
	if (!any)
		return r == -EAGAIN ? err_set(err, EAGAIN, "the runtime's list of spans changes faster than it can be read") : r;
	*ret = best;
	return fits ? 0 : -EAGAIN;
}
