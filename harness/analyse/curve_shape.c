/* SPDX-License-Identifier: Apache-2.0
 *
 * Plateaus and the slope of a curve. Both look at equally spaced values rather than at the points, which crowd where the
 * curve moves and are one a second where it rests.
 */
#include <math.h>
#include <string.h>

#include "analyse/curve.h"
#include "base/alloc.h"
#include "base/order.h"
#include "base/units.h"

#define GRID_MAX         8000
#define GRID_STEP_MIN_NS (20 * NS_PER_MS)
#define PLATEAU_MIN_NS   (5 * NS_PER_S)
#define PLATEAU_MIN_VALUES 3 /* what is_steady() divides; of a run of days these are longer than 5 s */

#define SLOPE_VALUES_MAX 300
#define SLOPE_VALUES_MIN 10
#define SLOPE_STEP_NS    NS_PER_MS

struct grid {
	int64_t start_ns, step_ns;
	uint64_t *v; /* owned */
	size_t n;
	size_t shortest; /* values of the shortest plateau */
	uint64_t peak;
};

static void grid_make(struct grid *g, const struct curve *c)
{
	int64_t start = c->n ? c->v[0].t_ns : 0, length = c->end_ns > start ? c->end_ns - start : 0;
	int64_t step = length / GRID_MAX > GRID_STEP_MIN_NS ? length / GRID_MAX : GRID_STEP_MIN_NS;

	*g = (struct grid){ .start_ns = start, .step_ns = step, .n = (size_t)(length / step) };
	g->v = xcalloc(g->n + 1, sizeof(*g->v));
	g->shortest = (size_t)(PLATEAU_MIN_NS / step);
	if (g->shortest < PLATEAU_MIN_VALUES)
		g->shortest = PLATEAU_MIN_VALUES;
	for (size_t k = 0, i = 0; k < g->n; k++) {
		int64_t t = start + (int64_t)k * step;

		while (i + 1 < c->n && c->v[i + 1].t_ns <= t)
			i++;
		g->v[k] = c->v[i].value;
		if (g->v[k] != MISSING && g->v[k] > g->peak)
			g->peak = g->v[k];
	}
}

/* How far from s on, not beyond end, the values stay within a band of the given width: [s, result). */
static size_t reach(const struct grid *g, size_t s, size_t end, uint64_t width)
{
	uint64_t low = MISSING, high = 0;
	size_t e;

	for (e = s; e < end && g->v[e] != MISSING; e++) {
		low = g->v[e] < low ? g->v[e] : low;
		high = g->v[e] > high ? g->v[e] : high;
		if (high - low > width)
			break;
	}
	return e;
}

/* The same from e backwards, not beyond s: [result, e). */
static size_t reach_back(const struct grid *g, size_t s, size_t e, uint64_t width)
{
	uint64_t low = MISSING, high = 0;

	for (; e > s && g->v[e - 1] != MISSING; e--) {
		low = g->v[e - 1] < low ? g->v[e - 1] : low;
		high = g->v[e - 1] > high ? g->v[e - 1] : high;
		if (high - low > width)
			break;
	}
	return e;
}

/* A gap sorts last. */
static uint64_t grid_median(const struct grid *g, size_t s, size_t e)
{
	cleanup_free uint64_t *v = xcalloc(e - s, sizeof(*v));
	size_t n = e - s;

	memcpy(v, g->v + s, n * sizeof(*v));
	sort_u64s(v, n);
	while (n > 1 && v[n - 1] == MISSING)
		n--;
	return v[(n - 1) / 2];
}

static double mean(const struct grid *g, size_t s, size_t e)
{
	double sum = 0;

	for (size_t k = s; k < e; k++)
		sum += (double)g->v[k];
	return sum / (double)(e - s);
}

/* Noise has the same mean early and late; a ramp moves by two thirds of its range from its first third to its last. */
static bool is_steady(const struct grid *g, size_t s, size_t e)
{
	size_t third = (e - s) / 3;
	uint64_t low = MISSING, high = 0;

	for (size_t k = s; k < e; k++) {
		low = g->v[k] < low ? g->v[k] : low;
		high = g->v[k] > high ? g->v[k] : high;
	}
	double drift = fabs(mean(g, s, s + third) - mean(g, e - third, e));
	return drift <= fmax(0.3 * (double)(high - low), 0.001 * (double)g->peak);
}

struct span {
	size_t s, e;
};

struct spans {
	struct span *v; /* owned */
	size_t n;
};

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Cuts off what of a neighbouring ramp lies in the band. */
static size_t accept(const struct grid *g, struct spans *l, size_t s, size_t e, uint64_t width)
{
	uint64_t m = grid_median(g, s, e);
	size_t end = e;

	while (e - s > g->shortest && apart(g->v[s], m) > width / 4)
		s++;
	while (e - s > g->shortest && apart(g->v[e - 1], m) > width / 4)
		e--;
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = (struct span){ s, e };
	return end;
}

/* Windows within [s, end) that stay in a band of the given width and either do not drift, or rest in one quarter of the band at
 * their beginning or end far longer than a ramp would. A window that ends where a rejected one ended is what is left of the
 * same ramp. */
static void find_spans(const struct grid *g, size_t s, size_t end, uint64_t width, struct spans *l)
{
	size_t rejected = 0;

	while (s < end) {
		size_t e = reach(g, s, end, width), part;

		if (e - s < g->shortest || e <= rejected) {
			s++;
			continue;
		}
		if (is_steady(g, s, e)) {
			s = accept(g, l, s, e, width);
			continue;
		}
		part = reach(g, s, e, width / 4);
		if (part - s >= g->shortest && (part - s) * 10 >= (e - s) * 4) {
			s = accept(g, l, s, part, width);
			continue;
		}
		part = reach_back(g, s, e, width / 4);
		if (e - part >= g->shortest && (e - part) * 10 >= (e - s) * 4) {
			s = accept(g, l, part, e, width);
			continue;
		}
		rejected = e;
		s++;
	}
}

/* A stretch that moves by less than plateaus have to be apart is a plateau whether it drifts or not. */
static void find_any(const struct grid *g, size_t s, size_t end, uint64_t width, struct spans *l)
{
	if (end - s < g->shortest || reach(g, s, end, width) < end)
		return;
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = (struct span){ s, end };
}

/* Searches between the spans found so far. */
static void fill_spans(const struct grid *g, struct spans *l,
		       void (*find)(const struct grid *g, size_t s, size_t end, uint64_t width, struct spans *l))
{
	struct spans all = { 0 };
	size_t at = 0;

	for (size_t i = 0; i <= l->n; i++) {
		find(g, at, i < l->n ? l->v[i].s : g->n, g->peak / 20, &all);
		if (i == l->n)
			break;
		all.v = xreallocarray(all.v, all.n + 1, sizeof(*all.v));
		all.v[all.n++] = l->v[i];
		at = l->v[i].e;
	}
	free(l->v);
	*l = all;
}

/* Joins neighbours that are one plateau: less than 5 % of the peak apart, and never seen farther away in between. */
static void merge_spans(const struct grid *g, struct spans *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (n) {
			struct span *a = &l->v[n - 1], *b = &l->v[i];
			uint64_t m = grid_median(g, a->s, a->e);
			bool near = apart(m, grid_median(g, b->s, b->e)) < g->peak / 20;

			for (size_t k = a->e; near && k < b->s; k++)
				near = g->v[k] == MISSING || apart(g->v[k], m) < g->peak / 20;
			if (near) {
				a->e = b->e;
				continue;
			}
		}
		l->v[n++] = l->v[i];
	}
	l->n = n;
}

void curve_plateaus(const struct curve *c, struct plateaus *ret)
{
	struct spans l = { 0 };
	struct grid g;

	grid_make(&g, c);
	/* Quiet ones first, then noisy ones, then what merely drifts. */
	find_spans(&g, 0, g.n, g.peak / 50, &l);
	merge_spans(&g, &l);
	fill_spans(&g, &l, find_spans);
	merge_spans(&g, &l);
	fill_spans(&g, &l, find_any);
	merge_spans(&g, &l);
	*ret = (struct plateaus){ xcalloc(l.n + 1, sizeof(*ret->v)), l.n };
	for (size_t i = 0; i < l.n; i++) {
		int64_t from = g.start_ns + (int64_t)l.v[i].s * g.step_ns, to = g.start_ns + (int64_t)l.v[i].e * g.step_ns;

		ret->v[i] = (struct plateau){ from, l.v[i].e == g.n ? c->end_ns : to, curve_median(c, from, to) };
	}
	free(l.v);
	free(g.v);
}

void plateaus_done(struct plateaus *p)
{
	free(p->v);
	*p = (struct plateaus){ 0 };
}

/* Values in the middle of n equal spans of [from, to); gaps left out. Returns how many. */
static size_t slope_values(const struct curve *c, int64_t from_ns, int64_t to_ns, size_t n, double *t_s, double *value)
{
	size_t have = 0;

	for (size_t k = 0; k < n; k++) {
		int64_t t = from_ns + (int64_t)((double)(to_ns - from_ns) * ((double)k + 0.5) / (double)n);
		uint64_t v = curve_at(c, t);

		if (v == MISSING)
			continue;
		t_s[have] = (double)t / 1e9;
		value[have++] = (double)v;
	}
	return have;
}

bool curve_slope(const struct curve *c, int64_t from_ns, int64_t to_ns, struct slope *ret)
{
	int64_t possible = to_ns > from_ns ? (to_ns - from_ns) / SLOPE_STEP_NS : 0;
	double t[SLOPE_VALUES_MAX], v[SLOPE_VALUES_MAX];
	size_t n = slope_values(c, from_ns, to_ns, possible < SLOPE_VALUES_MAX ? (size_t)possible : SLOPE_VALUES_MAX, t, v),
	       pairs = 0;

	if (n < SLOPE_VALUES_MIN)
		return false;

	cleanup_free double *slopes = xcalloc(n * (n - 1) / 2, sizeof(*slopes));
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			slopes[pairs++] = (v[k] - v[i]) / (t[k] - t[i]);
	sort_doubles(slopes, pairs);

	double size = (double)n, half = 1.959964 * sqrt(size * (size - 1) * (2 * size + 5) / 18) / 2, middle = (double)pairs / 2;
	size_t low = middle > half ? (size_t)(middle - half) : 0, high = (size_t)(middle + half);

	ret->per_s = median_of_sorted(slopes, pairs);
	ret->low_per_s = slopes[low];
	ret->high_per_s = slopes[high < pairs ? high : pairs - 1];
	return true;
}

/* ---- a staircase --------------------------------------------------------------------------------------------------------------------- */

#define STEPS_MIN 3

bool curve_climbs_in_steps(const struct curve *c, int64_t from_ns, int64_t to_ns, uint64_t least, struct staircase *ret)
{
	int64_t together_ns = (to_ns - from_ns) / 50;
	uint64_t level = MISSING, last = MISSING;

	*ret = (struct staircase){ .last_ns = from_ns };
	for (size_t i = 0; i < c->n && c->v[i].t_ns < to_ns; i++) {
		uint64_t v = c->v[i].value;
		int64_t t = c->v[i].t_ns > from_ns ? c->v[i].t_ns : from_ns;

		if (v == MISSING)
			continue;
		last = v;
		/* What holds when it begins is no step. */
		if (c->v[i].t_ns <= from_ns || level == MISSING) {
			level = v;
			continue;
		}
		if (v < level + least)
			continue;
		if (!ret->steps || t - ret->last_ns > together_ns) {
			if (ret->steps && t - ret->last_ns > ret->longest_ns)
				ret->longest_ns = t - ret->last_ns;
			ret->steps++;
		}
		ret->last_ns = t;
		level = v;
	}
	return ret->steps >= STEPS_MIN && last + least > level && to_ns - ret->last_ns <= ret->longest_ns + ret->longest_ns / 2;
}
