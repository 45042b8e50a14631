/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/stack.h"

#include <math.h>
#include <string.h>

#include "analyse/curve.h"
#include "base/alloc.h"
#include "base/units.h"
#include "record/reader.h"

#define N RSS_PART_COUNT_
/* A part of which more is resident than its counter counts does not follow that counter; a little more may be, as the two were not read
 * at the same moment. */
#define FITS 1.25
/* Below this a part is too small to say what it follows. */
#define SMALL (256.0 * 1024)
/* A counter read so shortly after a split may fit it better than the one before. */
#define NEAR_NS (25 * NS_PER_MS)

/* The counter that a part follows, in bytes; NAN: it has none, or it is not known. */
static double counter_of(const struct go_counters *c, size_t part)
{
	uint64_t v = GO_UNKNOWN;

	if (!c)
		return NAN;
	switch ((enum rss_part)part) {
	case RSS_OBJECTS:
	case RSS_FRAGMENTATION:
		v = c->heap_inuse_bytes;
		break;
	case RSS_STACKS:
		v = c->stacks_bytes;
		break;
	case RSS_IDLE:
		v = c->heap_idle_bytes;
		break;
	case RSS_LAZYFREE:
		v = c->heap_released_bytes;
		break;
	case RSS_RUNTIME:
		v = c->runtime_bytes;
		break;
	case RSS_NATIVE:
	case RSS_THREAD_STACKS:
	case RSS_FILES:
	case RSS_PART_COUNT_:
		break;
	}
	return v == GO_UNKNOWN ? NAN : (double)v;
}

/* How much of what the counter counts was resident at a split; NAN: the split does not tell. */
static double resident_share(double part, double counter)
{
	if (!(counter > 0) || (part >= SMALL && part > FITS * counter))
		return NAN;
	return fmin(FITS, part / counter);
}

/* A split says more of a moment at which the counter was like then: from 0 to 1. */
static double likeness(double counter, double then)
{
	double like = fmin(counter, then) / fmax(1, fmax(counter, then));

	return like * like * like * like;
}

/* What a part may be at one moment, and what is likeliest. */
struct range {
	double least[N];                  /* of its exact values */
	double low[N], high[N], likely[N];
};

/* Without a counter: between the two exact values, likeliest on the straight line. */
static void by_splits(struct range *r, size_t p, double from, double to, double share)
{
	r->low[p] = fmin(from, to);
	r->high[p] = fmax(from, to);
	r->likely[p] = from + (to - from) * share;
}

/* What the runtime counts as idle, or as stacks, was in use, and so it is resident unless something speaks against it. */
static bool was_used(size_t part)
{
	return part == RSS_IDLE || part == RSS_STACKS;
}

/* By its counter: times the resident share of one split or the other, likeliest of the one that is nearer in time and in what was counted.
 * false: it has none, or one that does not fit. */
static bool by_counter(struct range *r, size_t p, const double part[2], const double then[2], double counter, double share)
{
	double of[2] = { resident_share(part[0], then[0]), resident_share(part[1], then[1]) }, weight[2], likely, low, high;

	bool none = then[0] <= 0 && then[1] <= 0 && part[0] < SMALL && part[1] < SMALL;

	if (isnan(counter) || (isnan(of[0]) && isnan(of[1]) && !none))
		return false;
	/* Of what was not there at either split nothing but RSS tells how much is resident. */
	if (none) {
		r->low[p] = 0;
		r->likely[p] = was_used(p) ? counter : 0;
		r->high[p] = p == RSS_LAZYFREE ? 0 : counter;
		return true;
	}
	for (int i = 0; i < 2; i++) {
		weight[i] = isnan(of[i]) ? 0 : likeness(counter, then[i]);
		of[i] = isnan(of[i]) ? of[!i] : of[i];
	}
	double sum = weight[0] * (1 - share) + weight[1] * share;
	likely = sum > 0 ? (weight[0] * (1 - share) * of[0] + weight[1] * share * of[1]) / sum : of[0] + (of[1] - of[0]) * share;
	low = high = likely;
	for (int i = 0; i < 2; i++) {
		low = fmin(low, likely + weight[i] * (of[i] - likely));
		high = fmax(high, likely + weight[i] * (of[i] - likely));
	}
	/* Of what was never counted alike at a split, any share may be resident; but what is given back by MADV_DONTNEED at both is never. */
	double known = p == RSS_LAZYFREE && part[0] < SMALL && part[1] < SMALL ? 1 : fmax(weight[0], weight[1]);
	r->low[p] = counter * low * known;
	r->high[p] = counter * fmax(high, high * known + (1 - known));
	r->likely[p] = counter * (was_used(p) ? likely * known + (1 - known) : likely);
	return true;
}

/* RSS says how far the parts are from what is likeliest, as far as each may be. */
static void fill(const struct range *r, double rss, double *v)
{
	double want = rss, way = 0;

	for (size_t p = 0; p < N; p++)
		want -= r->likely[p];
	for (size_t p = 0; p < N; p++)
		way += want > 0 ? r->high[p] - r->likely[p] : r->likely[p] - r->low[p];

	double f = way > 0 ? fmin(1, fabs(want) / way) : 0;

	for (size_t p = 0; p < N; p++)
		v[p] = r->likely[p] + f * (want > 0 ? r->high[p] - r->likely[p] : r->low[p] - r->likely[p]);
}

static double sum_of(const double *v)
{
	double sum = 0;

	for (size_t p = 0; p < N; p++)
		sum += v[p];
	return sum;
}

/* What was in use at the split before, is counted as idle now, and still resident: it stays where RSS has room for it, also if the idle memory
 * of that split had never been touched. */
static void keep_idle(const struct rss_split *from, double counter, double rss, double *v)
{
	double room = rss - sum_of(v), gone;

	if (!from || isnan(counter))
		return;
	gone = (double)from->part[RSS_OBJECTS] + (double)from->part[RSS_FRAGMENTATION] - v[RSS_OBJECTS] - v[RSS_FRAGMENTATION];
	v[RSS_IDLE] += fmax(0, fmin(room, fmin(gone, counter - v[RSS_IDLE])));
}

/* What is counted and not resident goes off the parts that are above the least that a split says of them, then off all. */
static void fit_into(const struct range *r, double rss, double *v)
{
	double excess = sum_of(v) - rss, grown = 0;

	if (excess <= 0)
		return;
	for (size_t p = 0; p < N; p++)
		grown += fmax(0, v[p] - r->least[p]);

	double f = grown > 0 ? fmin(1, excess / grown) : 0;

	for (size_t p = 0; p < N; p++)
		v[p] -= f * fmax(0, v[p] - r->least[p]);

	double sum = sum_of(v);

	for (size_t p = 0; p < N && sum > rss; p++)
		v[p] *= rss / sum;
}

void stack_between(const struct rss_split *from, const struct rss_split *to, const struct go_counters *from_counted,
		   const struct go_counters *to_counted, const struct stack_moment *now, uint64_t ret[RSS_PART_COUNT_])
{
	const struct rss_split *a = from ? from : to, *b = to ? to : from;
	const struct go_counters *ca = from ? from_counted : to_counted, *cb = to ? to_counted : from_counted;
	struct range r;
	double v[N];

	for (size_t p = 0; p < N; p++) {
		double part[2] = { (double)a->part[p], (double)b->part[p] }, then[2] = { counter_of(ca, p), counter_of(cb, p) };

		r.least[p] = fmin(part[0], part[1]);
		if (p == RSS_LAZYFREE && now->lazyfree[0] != MISSING && now->lazyfree[1] != MISSING)
			by_splits(&r, p, (double)now->lazyfree[0], (double)now->lazyfree[1], 0);
		else if (!by_counter(&r, p, part, then, counter_of(now->counted, p), now->share))
			by_splits(&r, p, part[0], part[1], now->share);
	}
	fill(&r, (double)now->rss_bytes, v);
	keep_idle(from, counter_of(now->counted, RSS_IDLE), (double)now->rss_bytes, v);
	fit_into(&r, (double)now->rss_bytes, v);
	for (size_t p = 0; p < N; p++)
		ret[p] = v[p] > 0 ? (uint64_t)fmin(v[p], 0x1p62) : 0;
}

/* ---- times
 * ------------------------------------------------------------------------------------------------------------------------ */

struct times {
	int64_t *v; /* owned */
	size_t n, room;
};

static void add_time(struct times *t, int64_t t_ns)
{
	if (t->n == t->room)
		t->v = xreallocarray(t->v, t->room = t->room ? 2 * t->room : 1024, sizeof(*t->v));
	t->v[t->n++] = t_ns;
}

static void add_changes(struct times *t, const struct curve *c, size_t max_points)
{
	struct curve few;

	curve_decimate(c, max_points, &few);
	for (size_t i = 0; i < few.n; i++)
		add_time(t, few.v[i].t_ns);
	curve_done(&few);
}

static int by_time(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Where something happens: RSS or a counter changes, a split was made; and a straight line needs points of its own. */
static struct times times_of(const struct run_series *s, const struct curve *rss, size_t max_points)
{
	static const enum curve_of counters[] = { CURVE_HEAP_INUSE, CURVE_HEAP_IDLE, CURVE_HEAP_RELEASED, CURVE_GO_STACKS, CURVE_RUNTIME };
	struct times t = { 0 };
	size_t stride = s->n_splits / max_points + 1, n = 0;

	add_changes(&t, rss, max_points);
	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
		struct curve c;

		curve_make(&c, s, counters[i], rss->end_ns);
		add_changes(&t, &c, max_points / 4);
		curve_done(&c);
	}
	for (size_t i = 0; i < s->n_splits; i += stride)
		add_time(&t, s->splits[i].t_ns);
	for (size_t i = 0; i < max_points / 4; i++)
		add_time(&t, rss->end_ns / (int64_t)(max_points / 4) * (int64_t)i);
	qsort(t.v, t.n, sizeof(*t.v), by_time);
	for (size_t i = 0; i < t.n; i++)
		if (t.v[i] >= 0 && t.v[i] < rss->end_ns && (!n || t.v[i] > t.v[n - 1]))
			t.v[n++] = t.v[i];
	t.n = n;
	return t;
}

/* ---- the run
 * ---------------------------------------------------------------------------------------------------------------------- */

/* Where the walk through both series is: the last split and the last row at or before the time; -1: there is none. */
struct known {
	int64_t t_ns;
	uint64_t bytes; /* MISSING: not known from here on */
};

struct place {
	const struct run_series *s;
	long split, row;
	struct known *lazyfree; /* owned: by slow probes and splits, ascending */
	size_t n_lazyfree, at_lazyfree; /* at: the first after the time */
};

static bool split_known(const struct run_series *s, long i)
{
	if (i < 0 || (size_t)i >= s->n_splits)
		return false;
	for (size_t p = 0; p < N; p++)
		if (s->splits[i].s.part[p] == MISSING)
			return false;
	return true;
}

static const struct go_counters *row_at(const struct run_series *s, long i)
{
	return i >= 0 && (size_t)i < s->n_go && s->go[i].c.heap_inuse_bytes != GO_UNKNOWN ? &s->go[i].c : NULL;
}

/* The last row at or before t */
static long find_row(const struct run_series *s, int64_t t_ns)
{
	return (long)rows_until(s->go, s->n_go, sizeof(*s->go), t_ns) - 1;
}

static double misfit(const struct go_counters *c, const struct rss_split *s)
{
	return fabs((double)c->heap_inuse_bytes - (double)s->part[RSS_OBJECTS] - (double)s->part[RSS_FRAGMENTATION]);
}

/* The counters at the time of a split: the rows are read beside it, so that the one after it may be the one that it saw. */
static const struct go_counters *row_of_split(const struct run_series *s, long split)
{
	int64_t t_ns = s->splits[split].t_ns;
	long i = find_row(s, t_ns);
	const struct go_counters *c = row_at(s, i), *next = row_at(s, i + 1);

	if (next && s->go[i + 1].t_ns - t_ns <= NEAR_NS && (!c || misfit(next, &s->splits[split].s) < misfit(c, &s->splits[split].s)))
		return next;
	return c;
}

static int by_known_time(const void *a, const void *b)
{
	return by_time(&((const struct known *)a)->t_ns, &((const struct known *)b)->t_ns);
}

/* Slow probes read the kernel's own number of what is lazily freed, more often than splits are made. */
static void find_lazyfree(struct place *at)
{
	const struct run_series *s = at->s;

	at->lazyfree = xcalloc(s->n_probes + s->n_splits + 1, sizeof(*at->lazyfree));
	for (size_t i = 0; i < s->n_probes; i++)
		if (s->probes[i].lazyfree_bytes != MISSING || s->probes[i].slow == 1)
			at->lazyfree[at->n_lazyfree++] = (struct known){ s->probes[i].t_ns, s->probes[i].lazyfree_bytes };
	/* Without any probe the counters know better. */
	for (size_t i = 0; i < s->n_splits && at->n_lazyfree; i++)
		if (split_known(s, (long)i))
			at->lazyfree[at->n_lazyfree++] = (struct known){ s->splits[i].t_ns, s->splits[i].s.part[RSS_LAZYFREE] };
	qsort(at->lazyfree, at->n_lazyfree, sizeof(*at->lazyfree), by_known_time);
}

static void lazyfree_at(struct place *at, int64_t t_ns, uint64_t ret[2])
{
	while (at->at_lazyfree < at->n_lazyfree && at->lazyfree[at->at_lazyfree].t_ns <= t_ns)
		at->at_lazyfree++;
	ret[0] = at->at_lazyfree ? at->lazyfree[at->at_lazyfree - 1].bytes : MISSING;
	ret[1] = at->at_lazyfree < at->n_lazyfree ? at->lazyfree[at->at_lazyfree].bytes : ret[0];
}

static void point_at(struct place *at, int64_t t_ns, uint64_t rss_bytes, struct stack_point *ret)
{
	const struct run_series *s = at->s;

	*ret = (struct stack_point){ .t_ns = t_ns };
	while (at->split + 1 < (long)s->n_splits && s->splits[at->split + 1].t_ns <= t_ns)
		at->split++;
	while (at->row + 1 < (long)s->n_go && s->go[at->row + 1].t_ns <= t_ns)
		at->row++;

	bool from = split_known(s, at->split), to = split_known(s, at->split + 1);
	const struct go_counters *counted = row_at(s, at->row);

	if (from && s->splits[at->split].t_ns == t_ns) {
		memcpy(ret->part, s->splits[at->split].s.part, sizeof(ret->part));
		ret->exact = true;
		return;
	}
	/* With one split alone, the counters must say how it went on. */
	if (rss_bytes == MISSING || (!from && !to) || (!(from && to) && !counted)) {
		memset(ret->part, 0xff, sizeof(ret->part));
		return;
	}
	int64_t from_ns = from ? s->splits[at->split].t_ns : t_ns, to_ns = to ? s->splits[at->split + 1].t_ns : t_ns;
	struct stack_moment now = { counted, from && to ? (double)(t_ns - from_ns) / (double)(to_ns - from_ns) : 0, rss_bytes, { 0 } };

	lazyfree_at(at, t_ns, now.lazyfree);
	stack_between(from ? &s->splits[at->split].s : NULL, to ? &s->splits[at->split + 1].s : NULL, from ? row_of_split(s, at->split) : NULL,
		      to ? row_of_split(s, at->split + 1) : NULL, &now, ret->part);
}

void stack_make(struct stack *ret, const struct run_series *series, int64_t end_ns, size_t max_points)
{
	struct place at = { .s = series, .split = -1, .row = -1 };
	struct curve cleanup_curve rss;

	*ret = (struct stack){ 0 };
	curve_make(&rss, series, CURVE_RSS, end_ns);
	ret->end_ns = rss.end_ns;
	for (size_t i = 0; i < series->n_splits; i++)
		ret->n_exact += split_known(series, (long)i);
	if (!ret->n_exact || rss.end_ns <= 0)
		return;

	struct times t = times_of(series, &rss, max_points < 64 ? 64 : max_points);

	find_lazyfree(&at);
	ret->v = xcalloc(t.n + 1, sizeof(*ret->v));
	for (size_t i = 0; i < t.n; i++)
		point_at(&at, t.v[i], curve_at(&rss, t.v[i]), &ret->v[ret->n++]);
	free(t.v);
	free(at.lazyfree);
}

void stack_done(struct stack *s)
{
	free(s->v);
	*s = (struct stack){ 0 };
}

const struct stack_point *stack_at(const struct stack *s, int64_t t_ns)
{
	size_t n = rows_until(s->v, s->n, sizeof(*s->v), t_ns);

	return n && t_ns < s->end_ns && s->v[n - 1].part[0] != MISSING ? &s->v[n - 1] : NULL;
}

uint64_t stack_sum(const struct stack_point *p)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < N; i++)
		sum += p->part[i];
	return sum;
}
