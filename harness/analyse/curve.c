/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/curve.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/order.h"
#include "record/reader.h"

#define DECIMATE_MIN 16

enum source { SAMPLES, FAST_PROBES, SLOW_PROBES, GO_ROWS, SPLITS };

static const struct {
	enum source source;
	size_t offset;
} sources[CURVE_COUNT_] = {
	[CURVE_RSS] = { SAMPLES, offsetof(struct sample, rss_bytes) },
	[CURVE_USAGE] = { SAMPLES, offsetof(struct sample, usage_bytes) },
	[CURVE_WORKING_SET] = { FAST_PROBES, offsetof(struct probe, working_set_bytes) },
	[CURVE_THREADS] = { FAST_PROBES, offsetof(struct probe, threads) },
	[CURVE_LAZYFREE] = { SLOW_PROBES, offsetof(struct probe, lazyfree_bytes) },
	[CURVE_THP] = { SLOW_PROBES, offsetof(struct probe, thp_bytes) },
	[CURVE_PSS] = { SLOW_PROBES, offsetof(struct probe, pss_bytes) },
	[CURVE_SWAP] = { SLOW_PROBES, offsetof(struct probe, swap_bytes) },
	[CURVE_HEAP_INUSE] = { GO_ROWS, offsetof(struct go_row, c.heap_inuse_bytes) },
	[CURVE_HEAP_IDLE] = { GO_ROWS, offsetof(struct go_row, c.heap_idle_bytes) },
	[CURVE_HEAP_RELEASED] = { GO_ROWS, offsetof(struct go_row, c.heap_released_bytes) },
	[CURVE_GO_STACKS] = { GO_ROWS, offsetof(struct go_row, c.stacks_bytes) },
	[CURVE_RUNTIME] = { GO_ROWS, offsetof(struct go_row, c.runtime_bytes) },
	[CURVE_GC_GOAL] = { GO_ROWS, offsetof(struct go_row, c.gc_goal_bytes) },
	[CURVE_GC_COUNT] = { GO_ROWS, offsetof(struct go_row, c.gc_count) },
	[CURVE_GOROUTINES] = { GO_ROWS, offsetof(struct go_row, c.goroutines) },
	[CURVE_THREADS_MADE] = { GO_ROWS, offsetof(struct go_row, c.threads_made) },
	[CURVE_HEAP_MARKED] = { GO_ROWS, offsetof(struct go_row, c.heap_marked_bytes) },
	[CURVE_SPLIT_OBJECTS] = { SPLITS, offsetof(struct split_row, s.part[RSS_OBJECTS]) },
	[CURVE_SPLIT_FRAGMENTATION] = { SPLITS, offsetof(struct split_row, s.part[RSS_FRAGMENTATION]) },
	[CURVE_SPLIT_STACKS] = { SPLITS, offsetof(struct split_row, s.part[RSS_STACKS]) },
	[CURVE_SPLIT_IDLE] = { SPLITS, offsetof(struct split_row, s.part[RSS_IDLE]) },
	[CURVE_SPLIT_LAZYFREE] = { SPLITS, offsetof(struct split_row, s.part[RSS_LAZYFREE]) },
	[CURVE_SPLIT_RUNTIME] = { SPLITS, offsetof(struct split_row, s.part[RSS_RUNTIME]) },
	[CURVE_SPLIT_NATIVE] = { SPLITS, offsetof(struct split_row, s.part[RSS_NATIVE]) },
	[CURVE_SPLIT_THREAD_STACKS] = { SPLITS, offsetof(struct split_row, s.part[RSS_THREAD_STACKS]) },
	[CURVE_SPLIT_FILES] = { SPLITS, offsetof(struct split_row, s.part[RSS_FILES]) },
	[CURVE_SPLIT_RSS] = { SPLITS, offsetof(struct split_row, s.resident_bytes) },
};
_Static_assert(CURVE_SPLIT_FILES - CURVE_SPLIT_OBJECTS + 1 == RSS_PART_COUNT_, "a curve for each part of RSS");

/* Whether a row in which the value is MISSING begins a gap, or leaves the value as it was: fast values are MISSING in slow probes
 * only by accident, unless nobody looked, and slow ones in fast probes always. */
static bool is_gap(enum source source, const void *row)
{
	const struct probe *p = row;

	switch (source) {
	case SAMPLES:
	case GO_ROWS:
	case SPLITS:
		break;
	case FAST_PROBES:
		return p->slow == 1 && p->threads == MISSING && p->cpu_ns == MISSING && p->hwm_bytes == MISSING;
	case SLOW_PROBES:
		return p->slow == 1;
	}
	return true;
}

static uint64_t value_at_offset(const void *row, size_t offset)
{
	uint64_t v;

	memcpy(&v, (const char *)row + offset, sizeof(v));
	return v;
}

/* Appends; room is the caller's. Of several values at one time the last counts; one that changes nothing is left out, and so
 * is one that comes behind its time, as slow probes may among fast ones. */
static void append(struct curve *c, int64_t t_ns, uint64_t value)
{
	if (c->n && c->v[c->n - 1].t_ns > t_ns)
		return;
	if (c->n && c->v[c->n - 1].t_ns == t_ns)
		c->n--;
	if (c->n ? c->v[c->n - 1].value == value : value == MISSING)
		return;
	c->v[c->n++] = (struct curve_point){ t_ns, value };
}

static int64_t last_time(const struct run_series *s)
{
	int64_t end = s->n_samples ? s->samples[s->n_samples - 1].t_ns : 0;

	if (s->n_probes && s->probes[s->n_probes - 1].t_ns > end)
		end = s->probes[s->n_probes - 1].t_ns;
	return end;
}

struct row_array {
	const void *v; /* borrowed */
	size_t n, size;
};

static struct row_array rows_of(const struct run_series *s, enum source source)
{
	switch (source) {
	case SAMPLES:
		break;
	case FAST_PROBES:
	case SLOW_PROBES:
		return (struct row_array){ s->probes, s->n_probes, sizeof(*s->probes) };
	case GO_ROWS:
		return (struct row_array){ s->go, s->n_go, sizeof(*s->go) };
	case SPLITS:
		return (struct row_array){ s->splits, s->n_splits, sizeof(*s->splits) };
	}
	return (struct row_array){ s->samples, s->n_samples, sizeof(*s->samples) };
}

void curve_make(struct curve *ret, const struct run_series *series, enum curve_of what, int64_t end_ns)
{
	const struct row_array rows = rows_of(series, sources[what].source);

	*ret = (struct curve){ .v = xcalloc(rows.n ? rows.n : 1, sizeof(*ret->v)), .end_ns = end_ns ? end_ns : last_time(series) };
	for (size_t i = 0; i < rows.n; i++) {
		const void *row = (const char *)rows.v + i * rows.size;
		uint64_t value = value_at_offset(row, sources[what].offset);
		int64_t t;

		memcpy(&t, row, sizeof(t)); /* the first of each kind of row */
		if (t >= ret->end_ns)
			break;
		if (value != MISSING || is_gap(sources[what].source, row))
			append(ret, t, value);
	}
}

void curve_done(struct curve *c)
{
	free(c->v);
	*c = (struct curve){ 0 };
}

size_t rows_until(const void *rows, size_t n, size_t row_size, int64_t t_ns)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int64_t at;

		memcpy(&at, (const char *)rows + mid * row_size, sizeof(at));
		if (at <= t_ns)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The point that holds at t: its index, or n where t is before the first. */
static size_t point_at(const struct curve *c, int64_t t_ns)
{
	size_t until = rows_until(c->v, c->n, sizeof(*c->v), t_ns);

	return until ? until - 1 : c->n;
}

uint64_t curve_at(const struct curve *c, int64_t t_ns)
{
	size_t i = t_ns < c->end_ns ? point_at(c, t_ns) : c->n;

	return i < c->n ? c->v[i].value : MISSING;
}

/* Walks the pieces of the step function that lie in [from, to), gaps left out. */
struct walk {
	const struct curve *c;
	size_t i;
	int64_t from_ns, to_ns;
};

static struct walk walk_begin(const struct curve *c, int64_t from_ns, int64_t to_ns)
{
	size_t i = point_at(c, from_ns);

	return (struct walk){ c, i < c->n ? i : 0, from_ns, to_ns < c->end_ns ? to_ns : c->end_ns };
}

static bool walk_next(struct walk *w, uint64_t *ret_value, int64_t *ret_from, int64_t *ret_to)
{
	for (; w->i < w->c->n; w->i++) {
		const struct curve_point *p = &w->c->v[w->i];
		int64_t from = p->t_ns > w->from_ns ? p->t_ns : w->from_ns;
		int64_t to = w->i + 1 < w->c->n && p[1].t_ns < w->to_ns ? p[1].t_ns : w->to_ns;

		if (p->t_ns >= w->to_ns)
			return false;
		if (p->value == MISSING || to <= from)
			continue;
		*ret_value = p->value;
		*ret_from = from;
		*ret_to = to;
		w->i++;
		return true;
	}
	return false;
}

struct weighted {
	uint64_t value;
	int64_t weight;
};

static int by_value(const void *a, const void *b)
{
	const struct weighted *x = a, *y = b;

	return x->value < y->value ? -1 : x->value > y->value;
}

uint64_t curve_median(const struct curve *c, int64_t from_ns, int64_t to_ns)
{
	struct walk w = walk_begin(c, from_ns, to_ns);
	cleanup_free struct weighted *all = NULL;
	int64_t from, to, total = 0, sum = 0;
	size_t n = 0, room = 0;
	uint64_t value;

	while (walk_next(&w, &value, &from, &to)) {
		if (n == room)
			all = xreallocarray(all, room = room ? room * 2 : 64, sizeof(*all));
		all[n++] = (struct weighted){ value, to - from };
		total += to - from;
	}
	if (!n)
		return MISSING;
	qsort(all, n, sizeof(*all), by_value);
	for (size_t i = 0; i < n; i++) {
		sum += all[i].weight;
		if (sum * 2 >= total)
			return all[i].value;
	}
	return all[n - 1].value;
}

double curve_mean(const struct curve *c, int64_t from_ns, int64_t to_ns)
{
	struct walk w = walk_begin(c, from_ns, to_ns);
	int64_t from, to;
	double sum = 0, total = 0;
	uint64_t value;

	while (walk_next(&w, &value, &from, &to)) {
		sum += (double)value * (double)(to - from);
		total += (double)(to - from);
	}
	return total > 0 ? sum / total : NAN;
}

int64_t curve_gaps(const struct curve *c, int64_t from_ns, int64_t to_ns)
{
	int64_t sum = 0;

	for (size_t i = 0; i < c->n; i++) {
		int64_t from = c->v[i].t_ns > from_ns ? c->v[i].t_ns : from_ns, to = i + 1 < c->n ? c->v[i + 1].t_ns : c->end_ns;

		to = to < to_ns ? to : to_ns;
		if (c->v[i].value == MISSING && to > from)
			sum += to - from;
	}
	return sum;
}

bool curve_range(const struct curve *c, int64_t from_ns, int64_t to_ns, uint64_t *ret_min, uint64_t *ret_max)
{
	struct walk w = walk_begin(c, from_ns, to_ns);
	uint64_t value, low = MISSING, high = 0;
	int64_t from, to;

	while (walk_next(&w, &value, &from, &to)) {
		low = value < low ? value : low;
		high = value > high ? value : high;
	}
	if (low == MISSING)
		return false;
	*ret_min = low;
	*ret_max = high;
	return true;
}

int64_t curve_first_below(const struct curve *c, int64_t from_ns, uint64_t bound, int64_t *ret_after_ns)
{
	struct walk w = walk_begin(c, from_ns, c->end_ns);
	int64_t from, to, known_until = from_ns;
	uint64_t value;

	while (walk_next(&w, &value, &from, &to)) {
		if (ret_after_ns)
			*ret_after_ns = known_until;
		if (value < bound)
			return from;
		known_until = to;
	}
	return -1;
}

/* MISSING sorts as the largest value, so a gap that begins in the span survives as its `largest`. */
static void keep_of_span(const struct curve *c, size_t begin, size_t end, struct curve *ret)
{
	size_t keep[4] = { begin, begin, begin, end - 1 };

	for (size_t i = begin; i < end; i++) {
		if (c->v[i].value < c->v[keep[1]].value)
			keep[1] = i;
		if (c->v[i].value > c->v[keep[2]].value)
			keep[2] = i;
	}
	if (keep[1] > keep[2]) {
		size_t t = keep[1];

		keep[1] = keep[2];
		keep[2] = t;
	}
	for (size_t k = 0; k < 4; k++)
		if (!k || keep[k] != keep[k - 1])
			append(ret, c->v[keep[k]].t_ns, c->v[keep[k]].value);
}

void curve_decimate(const struct curve *c, size_t max_points, struct curve *ret)
{
	size_t spans = (max_points < DECIMATE_MIN ? DECIMATE_MIN : max_points) / 4;
	int64_t start = c->n ? c->v[0].t_ns : 0, length = (c->end_ns - start) / (int64_t)spans + 1;

	*ret = (struct curve){ .v = xcalloc(c->n ? c->n : 1, sizeof(*ret->v)), .end_ns = c->end_ns };
	if (c->n <= spans * 4) {
		if (c->n)
			memcpy(ret->v, c->v, c->n * sizeof(*c->v));
		ret->n = c->n;
		return;
	}
	for (size_t i = 0; i < c->n;) {
		int64_t until = start + ((c->v[i].t_ns - start) / length + 1) * length;
		size_t begin = i;

		while (i < c->n && c->v[i].t_ns < until)
			i++;
		keep_of_span(c, begin, i, ret);
	}
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* values: scratch for n numbers. */
static struct band_point band_at(const struct curve *curves, size_t n, int64_t t_ns, uint64_t *values)
{
	size_t have = 0;

	for (size_t i = 0; i < n; i++) {
		values[have] = curve_at(&curves[i], t_ns);
		have += values[have] != MISSING;
	}
	if (!have)
		return (struct band_point){ t_ns, MISSING, MISSING, MISSING, 0 };
	sort_u64s(values, have);

	uint64_t low = values[(have - 1) / 2], high = values[have / 2];
	return (struct band_point){ t_ns, low + (high - low) / 2, values[0], values[have - 1], (unsigned)have };
}

static bool band_same(const struct band_point *a, const struct band_point *b)
{
	return a->median == b->median && a->min == b->min && a->max == b->max && a->runs == b->runs;
}

void curve_band(const struct curve *curves, size_t n, size_t max_points, struct band *ret)
{
	cleanup_free struct curve *few = xcalloc(n, sizeof(*few));
	cleanup_free uint64_t *values = xcalloc(n + 1, sizeof(*values));
	cleanup_free int64_t *times = NULL;
	size_t n_times = 0, at = 0;

	*ret = (struct band){ 0 };
	for (size_t i = 0; i < n; i++) {
		curve_decimate(&curves[i], max_points, &few[i]);
		n_times += few[i].n + 1;
		if (few[i].end_ns > ret->end_ns)
			ret->end_ns = few[i].end_ns;
	}
	times = xcalloc(n_times + 1, sizeof(*times));
	/* The end of a shorter run changes the band too. */
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < few[i].n; k++)
			times[at++] = few[i].v[k].t_ns;
		times[at++] = few[i].end_ns;
	}
	qsort(times, at, sizeof(*times), by_time);
	ret->v = xcalloc(at + 1, sizeof(*ret->v));
	for (size_t k = 0; k < at; k++) {
		if ((k && times[k] == times[k - 1]) || times[k] >= ret->end_ns)
			continue;

		struct band_point p = band_at(few, n, times[k], values);
		if (ret->n ? !band_same(&p, &ret->v[ret->n - 1]) : p.runs > 0)
			ret->v[ret->n++] = p;
	}
	for (size_t i = 0; i < n; i++)
		curve_done(&few[i]);
}

void band_done(struct band *b)
{
	free(b->v);
	*b = (struct band){ 0 };
}
