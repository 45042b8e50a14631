/* SPDX-License-Identifier: Apache-2.0
 *
 * What a record says of how memory stood at the end: the metrics where it settled, else the last that was read.
 */
#include <math.h>
#include <string.h>

#include "analyse/curve.h"
#include "analyse/mechanism_parts.h"
#include "analyse/metrics.h"
#include "base/alloc.h"
#include "plan/metric.h"
#include "record/reader.h"

/* Heap in use and goroutines are compared at so many times while they grow: enough for a ramp and a step to look different. */
#define FOLLOW_POINTS 64
/* Fewer different readings than this make no curve. */
#define FOLLOW_READINGS_MIN 8
/* "Has grown" means: to this share of its last value. What comes after says nothing of who followed whom. */
#define GROWN_SHARE 0.95

/* How far a split may be from RSS, and above the counters' heap in use, which change meanwhile. */
#define FITS_FACTOR 1.25
#define FITS_ROOM   MB(2)

static double metric(const struct mechanism_facts *f, enum metric m)
{
	const json_t *v = json_object_get(f->metrics, metric_name(m));

	return json_is_number(v) ? json_number_value(v) : NAN;
}

static double last_of(const struct curve *c)
{
	for (size_t i = c->n; i > 0; i--)
		if (c->v[i - 1].value != MISSING)
			return (double)c->v[i - 1].value;
	return NAN;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* A moment after the last row of any kind: what was read at the very end counts. */
static int64_t end_of(const struct mechanism_facts *f)
{
	const struct run_series *s = f->series;
	int64_t end = llround(json_number_value(json_object_get(f->run, "target_s")) * 1e9);

	end = later(end, s->n_samples ? s->samples[s->n_samples - 1].t_ns : 0);
	end = later(end, s->n_probes ? s->probes[s->n_probes - 1].t_ns : 0);
	end = later(end, s->n_go ? s->go[s->n_go - 1].t_ns : 0);
	return later(end, s->n_splits ? s->splits[s->n_splits - 1].t_ns : 0) + 1;
}

static double last_read(const struct mechanism_facts *f, enum curve_of what)
{
	struct curve cleanup_curve c = { 0 };

	if (!f->series)
		return NAN;
	curve_make(&c, f->series, what, end_of(f));
	return last_of(&c);
}

/* The metric of the last tenth where the run settled; else the last reading, which is nearer to the end; else the other one. */
static double value(const struct mechanism_facts *f, const struct state *s, enum metric m, enum curve_of what)
{
	double settled = metric(f, m), last = s->settled ? NAN : last_read(f, what);

	return isnan(last) ? settled : last;
}

static void read_kernel(const struct mechanism_facts *f, struct state *s)
{
	bool ended_badly = s->outcome && strcmp(s->outcome, "ok");

	s->peak = metric(f, METRIC_PEAK_RSS);
	s->baseline = metric(f, METRIC_BASELINE_RSS);
	s->released_share = metric(f, METRIC_RELEASED_SHARE);
	s->rss = value(f, s, METRIC_SETTLED_RSS, CURVE_RSS);
	/* What a dying process still had when it was last looked at is a matter of chance. */
	if (ended_badly)
		s->rss = s->peak;
	s->lazyfree = value(f, s, METRIC_LAZYFREE_SETTLED, CURVE_LAZYFREE);
	s->thp = value(f, s, METRIC_THP_SETTLED, CURVE_THP);
	s->threads = ended_badly ? metric(f, METRIC_THREADS_PEAK) : value(f, s, METRIC_THREADS_SETTLED, CURVE_THREADS);
	s->working_set = metric(f, METRIC_WORKING_SET_SETTLED);
}

static void read_runtime(const struct mechanism_facts *f, struct state *s)
{
	s->heap_inuse = value(f, s, METRIC_HEAP_INUSE_SETTLED, CURVE_HEAP_INUSE);
	s->heap_idle = value(f, s, METRIC_HEAP_IDLE_SETTLED, CURVE_HEAP_IDLE);
	s->heap_released = value(f, s, METRIC_HEAP_RELEASED_SETTLED, CURVE_HEAP_RELEASED);
	s->go_stacks = value(f, s, METRIC_STACKS_SETTLED, CURVE_GO_STACKS);
	s->runtime = value(f, s, METRIC_RUNTIME_SETTLED, CURVE_RUNTIME);
	s->gc_goal = value(f, s, METRIC_GC_GOAL_SETTLED, CURVE_GC_GOAL);
	s->heap_marked = value(f, s, METRIC_HEAP_MARKED_SETTLED, CURVE_HEAP_MARKED);
	s->goroutines = value(f, s, METRIC_GOROUTINES_SETTLED, CURVE_GOROUTINES);
	s->gc_count = metric(f, METRIC_GC_COUNT);
	s->threads_made = metric(f, METRIC_THREADS_MADE);
	s->profile_buckets = metric(f, METRIC_PROFILE_BUCKETS_SETTLED);
	s->goroutines_peak = metric(f, METRIC_GOROUTINES_PEAK);
	s->goroutines_slope = metric(f, METRIC_GOROUTINES_SLOPE);
}

/* At most by a factor and some room larger; what is not known contradicts nothing. */
static bool is_at_most(double a, double b)
{
	return isnan(b) || a <= FITS_FACTOR * b + FITS_ROOM;
}

/* Where no split could be taken the runtime's own accounting says nearly the same: what it counts as free may not be resident. What it does not
 * explain is native only where it is more than the heap has given back: of that, some may be resident again by now. */
static void guess_parts(struct state *s)
{
	double rest = s->rss;

	if (isnan(s->rss) || isnan(s->heap_inuse) || isnan(s->heap_idle) || isnan(s->go_stacks) || isnan(s->runtime))
		return;
	for (int p = 0; p < RSS_PART_COUNT_; p++)
		s->part[p] = 0;
	s->part[RSS_LAZYFREE] = fmin(isnan(s->lazyfree) ? 0 : s->lazyfree, rest);
	rest -= s->part[RSS_LAZYFREE];
	s->part[RSS_OBJECTS] = fmin(s->heap_inuse, rest);
	rest -= s->part[RSS_OBJECTS];
	s->part[RSS_STACKS] = fmin(s->go_stacks, rest);
	rest -= s->part[RSS_STACKS];
	s->part[RSS_RUNTIME] = fmin(s->runtime, rest);
	rest -= s->part[RSS_RUNTIME];
	s->part[RSS_IDLE] = fmin(s->heap_idle, rest);
	s->part[RSS_NATIVE] = rest - s->part[RSS_IDLE];
	if (!(s->part[RSS_NATIVE] <= s->heap_released) || is_at_most(s->rss, s->rss - s->part[RSS_NATIVE]))
		return;
	for (int p = 0; p < RSS_PART_COUNT_; p++)
		s->part[p] = NAN;
}

/* The split is of the same time as what is read far more often: on a busy machine one may be held for minutes. Its parts sum to
 * RSS, and no more of the heap or of stacks is resident than is in use. */
static bool fits(const struct state *s)
{
	double sum = 0;

	for (int p = 0; p < RSS_PART_COUNT_; p++)
		sum += s->part[p];
	return !isnan(sum) && is_at_most(sum, s->rss) && is_at_most(s->rss, sum) &&
	       is_at_most(s->part[RSS_STACKS], s->go_stacks) &&
	       is_at_most(s->part[RSS_OBJECTS] + s->part[RSS_FRAGMENTATION], s->heap_inuse);
}

static void read_parts(const struct mechanism_facts *f, struct state *s)
{
	for (int p = 0; p < RSS_PART_COUNT_; p++)
		s->part[p] = value(f, s, metric_of_part((enum rss_part)p), (enum curve_of)(CURVE_SPLIT_OBJECTS + p));
	s->split = fits(s);
	for (int p = 0; p < RSS_PART_COUNT_ && !s->split; p++)
		s->part[p] = last_read(f, (enum curve_of)(CURVE_SPLIT_OBJECTS + p));
	s->split = s->split || fits(s);
	for (int p = 0; p < RSS_PART_COUNT_ && !s->split; p++)
		s->part[p] = NAN;
	/* What was free when it was taken has been given back since. */
	if (s->split && s->lazyfree > s->part[RSS_LAZYFREE]) {
		double more = fmin(s->lazyfree - s->part[RSS_LAZYFREE], s->part[RSS_IDLE]);

		s->part[RSS_LAZYFREE] += more;
		s->part[RSS_IDLE] -= more;
		/* An allocator of C (jemalloc, tcmalloc) frees lazily too. */
		more = fmin(s->lazyfree - s->part[RSS_LAZYFREE], s->part[RSS_NATIVE]);
		s->part[RSS_LAZYFREE] += more;
		s->part[RSS_NATIVE] -= more;
	}
}

static double mean_of(const struct mechanism_facts *f, enum curve_of what, int64_t from, int64_t to)
{
	struct curve cleanup_curve c = { 0 };

	curve_make(&c, f->series, what, end_of(f));
	return curve_mean(&c, from, to);
}

/* What takes and drops memory all the time is judged over whole cycles of its collector: each value is a mean. Where the split of RSS is not
 * known for them, or does not fit, all stays as it was. */
static void read_cycles(const struct mechanism_facts *f, struct state *s)
{
	struct state mean = *s;
	int64_t from, to;

	if (!f->series || !s->runtime_read || !s->outcome || strcmp(s->outcome, "ok") || !cycles_find(f->series, end_of(f), s->settled, &from, &to))
		return;
	mean.rss = mean_of(f, CURVE_RSS, from, to);
	mean.heap_inuse = mean_of(f, CURVE_HEAP_INUSE, from, to);
	mean.heap_idle = mean_of(f, CURVE_HEAP_IDLE, from, to);
	mean.heap_released = mean_of(f, CURVE_HEAP_RELEASED, from, to);
	mean.go_stacks = mean_of(f, CURVE_GO_STACKS, from, to);
	mean.runtime = mean_of(f, CURVE_RUNTIME, from, to);
	mean.gc_goal = mean_of(f, CURVE_GC_GOAL, from, to);
	mean.heap_marked = mean_of(f, CURVE_HEAP_MARKED, from, to);
	mean.moments = moments_between(f->series, from, to, &mean.n_moments);
	moments_mean(mean.moments, mean.n_moments, mean.part);
	mean.split = fits(&mean);
	if (mean.split && !isnan(mean.rss))
		*s = mean;
	else
		free(mean.moments);
}

static int64_t first_mark(const struct run_series *series)
{
	return series->n_marks ? series->marks[0].t_ns : 0;
}

/* The value from which a curve's growth is counted: at the first mark, else the first that was read. */
static double value_before(const struct curve *c, int64_t t)
{
	uint64_t at = curve_at(c, t);

	for (size_t i = 0; i < c->n && at == MISSING; i++)
		at = c->v[i].value;
	return at == MISSING ? NAN : (double)at;
}

/* When it first was at GROWN_SHARE of the way to where it ended; -1: it never was. */
static int64_t grown_at(const struct curve *c, int64_t from, double first, double last)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].t_ns >= from && c->v[i].value != MISSING &&
		    (double)c->v[i].value >= first + GROWN_SHARE * (last - first))
			return c->v[i].t_ns;
	return -1;
}

static size_t readings_between(const struct curve *c, int64_t from, int64_t to)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->v[i].t_ns >= from && c->v[i].t_ns <= to && c->v[i].value != MISSING;
	return n;
}

/* Pearson's, of the two curves at equally spaced times; NAN where one of them does not move. */
static double correlation(const struct curve *a, const struct curve *b, int64_t from, int64_t to)
{
	double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0, n = 0;

	for (int i = 0; i <= FOLLOW_POINTS; i++) {
		int64_t t = from + (to - from) / FOLLOW_POINTS * i;
		uint64_t u = curve_at(a, t), v = curve_at(b, t);
		double x = (double)u / 1e3, y = (double)v / 1e6;

		if (u == MISSING || v == MISSING)
			continue;
		n++;
		sx += x;
		sy += y;
		sxx += x * x;
		syy += y * y;
		sxy += x * y;
	}
	double vx = n * sxx - sx * sx, vy = n * syy - sy * sy;

	return n < FOLLOW_READINGS_MIN || vx <= 0 || vy <= 0 ? NAN : (n * sxy - sx * sy) / sqrt(vx * vy);
}

/* Whether the heap in use came with the goroutines: a leak of goroutines that hold something climbs in both alike. */
static void read_growth_of_goroutines(const struct mechanism_facts *f, struct state *s)
{
	struct curve cleanup_curve goroutines = { 0 }, heap = { 0 };
	int64_t from, to;

	if (!f->series)
		return;
	curve_make(&goroutines, f->series, CURVE_GOROUTINES, end_of(f));
	curve_make(&heap, f->series, CURVE_HEAP_INUSE, end_of(f));
	from = first_mark(f->series);
	s->goroutines_before = value_before(&goroutines, from);
	s->heap_before = value_before(&heap, from);

	double g_end = last_of(&goroutines), h_end = last_of(&heap);

	if (isnan(g_end) || isnan(h_end) || g_end <= s->goroutines_before || h_end <= s->heap_before)
		return;
	to = grown_at(&goroutines, from, s->goroutines_before, g_end);
	int64_t heap_to = grown_at(&heap, from, s->heap_before, h_end);
	to = heap_to > to ? heap_to : to;
	if (to <= from || readings_between(&goroutines, from, to) < FOLLOW_READINGS_MIN)
		return;
	s->heap_follows = correlation(&goroutines, &heap, from, to);
}

static void read_age_of_gc(const struct mechanism_facts *f, struct state *s)
{
	struct curve cleanup_curve c = { 0 };

	if (!f->series)
		return;
	curve_make(&c, f->series, CURVE_GC_COUNT, end_of(f));
	for (size_t i = c.n; i > 1; i--) {
		if (c.v[i - 1].value == MISSING || c.v[i - 2].value == MISSING || c.v[i - 1].value == c.v[i - 2].value)
			continue;
		s->gc_age_s = (double)(c.end_ns - c.v[i - 1].t_ns) / 1e9;
		return;
	}
}

/* Of one that takes and drops memory all the time, and was found at it, what it held at first is chance too. */
static bool mean_at_first(const struct mechanism_facts *f, const struct state *s, double ret[RSS_PART_COUNT_])
{
	size_t n;

	if (!s->n_moments || f->series->n_marks)
		return false;

	cleanup_free struct moment *first = moments_between(f->series, 0, end_of(f) / 4, &n);

	moments_mean(first, n, ret);
	return n > 0;
}

/* What has not come to rest is asked what grew, not what is there. */
static void read_growth(const struct mechanism_facts *f, struct state *s)
{
	double slope = metric(f, METRIC_SLOPE), sum = 0, at_first[RSS_PART_COUNT_];

	if (s->settled || !f->series || !s->split || !s->outcome || strcmp(s->outcome, "ok") || !(slope > 0) ||
	    !(value(f, s, METRIC_SETTLED_RSS, CURVE_RSS) >= GROWN_SHARE * s->peak))
		return;

	bool mean = mean_at_first(f, s, at_first);

	/* It swings. */
	if (s->n_moments && slope * ((double)end_of(f) - (double)first_mark(f->series)) / 1e9 < (1 - GROWN_SHARE) * s->rss)
		return;
	for (int p = 0; p < RSS_PART_COUNT_; p++) {
		struct curve cleanup_curve c = { 0 };

		curve_make(&c, f->series, (enum curve_of)(CURVE_SPLIT_OBJECTS + p), end_of(f));
		s->grown[p] = fmax(s->part[p] - (mean ? at_first[p] : value_before(&c, first_mark(f->series))), 0);
		sum += isnan(s->grown[p]) ? 0 : s->grown[p];
	}
	s->growing = sum > 0;
	s->slope = slope;
	s->since = json_is_object(json_object_get(f->run, "attached")) ? "while it was watched"
		   : f->series->n_marks				       ? "since the load began"
								       : "since it began";
}

void state_read(const struct mechanism_facts *f, struct state *ret)
{
	const json_t *runtime = json_object_get(f->run, "runtime");

	*ret = (struct state){ .heap_follows = NAN, .goroutines_before = NAN, .heap_before = NAN, .gc_age_s = NAN };

	const json_t *settings = json_object_get(runtime, "settings");

	ret->gogc_off = json_is_null(json_object_get(settings, "gogc"));
	ret->limit = json_is_number(json_object_get(settings, "memory_limit_bytes")) ?
			     json_number_value(json_object_get(settings, "memory_limit_bytes")) :
			     NAN;
	ret->no_cgo = json_is_integer(json_object_get(settings, "cgo")) && !json_integer_value(json_object_get(settings, "cgo"));
	ret->outcome = json_string_value(json_object_get(f->run, "outcome"));
	ret->settled = !isnan(metric(f, METRIC_SETTLED_RSS));
	ret->runtime_read = !json_is_false(json_object_get(runtime, "read"));
	ret->runtime_why = json_string_value(json_object_get(runtime, "why"));
	read_kernel(f, ret);
	read_runtime(f, ret);
	read_parts(f, ret);
	if (!ret->split && ret->runtime_read)
		guess_parts(ret);
	read_cycles(f, ret);
	read_growth_of_goroutines(f, ret);
	read_age_of_gc(f, ret);
	read_growth(f, ret);
}

void state_done(struct state *s)
{
	free(s->moments);
	s->moments = NULL;
}

const json_t *largest_group(const json_t *goroutines)
{
	const json_t *snapshots = json_object_get(goroutines, "snapshots"), *group, *best = NULL;
	size_t n = json_array_size(snapshots), i;

	if (!n)
		return NULL;
	json_array_foreach(json_object_get(json_array_get(snapshots, n - 1), "groups"), i, group)
	{
		if (json_is_true(json_object_get(group, "system")))
			continue;
		if (!best ||
		    json_number_value(json_object_get(group, "count")) > json_number_value(json_object_get(best, "count")))
			best = group;
	}
	return best;
}
