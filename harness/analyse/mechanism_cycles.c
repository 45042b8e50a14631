/* SPDX-License-Identifier: Apache-2.0
 *
 * A program that takes and drops memory all the time: what it holds at one moment is chance, and so is the median of a time shorter than one
 * cycle of its garbage collector. It is judged over whole cycles: means, which keep the sum, and the moments between them.
 */
#include <math.h>
#include <string.h>

#include "analyse/curve.h"
#include "analyse/mechanism_parts.h"
#include "analyse/stack.h"
#include "base/alloc.h"
#include "base/units.h"
#include "record/reader.h"

/* Over so many whole cycles (fewer, if there are no more since RSS settled), the last tenth and a second at least: the counters are read 100 times a second, and a cycle may take no longer
 * than that. But one that still rose may have fewer. */
#define CYCLES     3
#define LEAST      NS_PER_S
#define CYCLES_MIN 2
/* An idle runtime collects each 2 minutes (src/runtime/proc.go, forcegcperiod): that is nobody's work. */
#define CYCLE_MAX (100 * NS_PER_S)
/* So many cycles' time after the last collection it has stopped. */
#define STOPPED 2
#define TAIL    0.9
/* RSS has risen: to this share of where it ended. */
#define RISEN  0.9
#define POINTS 4096

/* When the runtime was seen to collect, ascending, from a time on. Caller frees. */
static int64_t *collections(const struct run_series *s, int64_t from, int64_t end, size_t *ret_n)
{
	struct curve cleanup_curve c = { 0 };
	size_t n = 0;

	curve_make(&c, s, CURVE_GC_COUNT, end);

	int64_t *v = xreallocarray(NULL, c.n + 1, sizeof(*v));

	for (size_t i = 1; i < c.n; i++)
		if (c.v[i].t_ns >= from && c.v[i].value != MISSING && c.v[i - 1].value != MISSING && c.v[i].value > c.v[i - 1].value)
			v[n++] = c.v[i].t_ns;
	*ret_n = n;
	return v;
}

/* What came before belongs to another phase. */
static int64_t phase_begin(const struct run_series *s, int64_t tail)
{
	int64_t t = 0;

	for (size_t i = 0; i < s->n_marks; i++)
		if (s->marks[i].t_ns <= tail && s->marks[i].t_ns > t)
			t = s->marks[i].t_ns;
	return t;
}

/* When RSS first was near to where it ended. */
static int64_t risen_at(const struct run_series *s, int64_t from, int64_t end)
{
	struct curve cleanup_curve c = { 0 };

	curve_make(&c, s, CURVE_RSS, end);

	uint64_t last = curve_at(&c, end - 1);

	for (size_t i = 0; i < c.n && last != MISSING; i++)
		if (c.v[i].t_ns >= from && c.v[i].value != MISSING && (double)c.v[i].value >= RISEN * (double)last)
			return c.v[i].t_ns;
	return from;
}

bool cycles_find(const struct run_series *s, int64_t end, bool settled, int64_t *ret_from, int64_t *ret_to)
{
	int64_t tail = (int64_t)(TAIL * (double)end), longest = 0;
	int64_t begin = phase_begin(s, tail), risen = risen_at(s, begin, end);
	size_t n, since = 0, k;
	cleanup_free int64_t *gc = collections(s, begin, end, &n);

	for (size_t i = 0; i < n; i++)
		since += gc[i] >= risen;
	/* Fewer are enough where each begins and ends alike. */
	size_t cycles = n > CYCLES ? CYCLES : settled && since > 1 ? since - 1 : 0;

	if (!cycles)
		return false;
	for (size_t i = n - cycles; i < n; i++)
		longest = gc[i] - gc[i - 1] > longest ? gc[i] - gc[i - 1] : longest;
	if (longest > CYCLE_MAX || end - gc[n - 1] > STOPPED * longest)
		return false;
	k = n - 1 - cycles;
	while (k > 0 && (gc[k] > tail || gc[n - 1] - gc[k] < LEAST))
		k--;
	while (gc[k] < risen && k + CYCLES_MIN < n - 1)
		k++;
	*ret_from = gc[k];
	*ret_to = gc[n - 1];
	return true;
}

/* Of rows that begin with their time: how many there are before the last one that is at or before t. */
static size_t rows_before(const void *rows, size_t n, size_t size, int64_t t)
{
	size_t before = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t at;

		memcpy(&at, (const char *)rows + i * size, sizeof(at));
		if (at > t)
			break;
		before = i;
	}
	return before;
}

#define CUT(cut, rows, from)                                                                    \
	do {                                                                                    \
		size_t skip_ = rows_before((cut).rows, (cut).n_##rows, sizeof(*(cut).rows), from); \
		(cut).rows += skip_;                                                            \
		(cut).n_##rows -= skip_;                                                        \
	} while (0)

struct moment *moments_between(const struct run_series *s, int64_t from, int64_t to, size_t *ret_n)
{
	struct run_series cut = *s; /* borrows all */
	struct stack cleanup_stack stack = { 0 };

	CUT(cut, samples, from);
	CUT(cut, probes, from);
	CUT(cut, go, from);
	CUT(cut, splits, from);
	stack_make(&stack, &cut, to, POINTS);

	struct moment *v = xcalloc(stack.n + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < stack.n; i++) {
		const struct stack_point *p = &stack.v[i];
		int64_t begin = p->t_ns > from ? p->t_ns : from, until = i + 1 < stack.n ? p[1].t_ns : to;

		if (until <= begin || p->part[RSS_OBJECTS] == MISSING)
			continue;
		for (int part = 0; part < RSS_PART_COUNT_; part++)
			v[n].part[part] = (double)p->part[part];
		v[n++].weight = (double)(until - begin);
	}
	*ret_n = n;
	return v;
}

void moments_mean(const struct moment *v, size_t n, double ret[RSS_PART_COUNT_])
{
	double total = 0;

	for (int p = 0; p < RSS_PART_COUNT_; p++)
		ret[p] = 0;
	for (size_t i = 0; i < n; i++) {
		total += v[i].weight;
		for (int p = 0; p < RSS_PART_COUNT_; p++)
			ret[p] += v[i].part[p] * v[i].weight;
	}
	for (int p = 0; p < RSS_PART_COUNT_; p++)
		ret[p] = total > 0 ? ret[p] / total : NAN;
}
