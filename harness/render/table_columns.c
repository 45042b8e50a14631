/* SPDX-License-Identifier: Apache-2.0
 *
 * The columns of a table: what each is called, when it says something, and what stands in it.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "render/metric_text.h"
#include "render/table_parts.h"

#define NOUGHT_SHARE 0.001 /* of the peak: so little LazyFree is none */

/* First those that every table has where they say something, then those that it has where an expectation names the metric, the most
 * important first. */
static const struct column columns[] = {
	{ METRIC_PEAK_RSS, true, { "peak", "RSS" } },
	{ METRIC_SETTLED_RSS, true, { "settled", "RSS" } },
	{ METRIC_RELEASE, true, { "time to", "fall" } },
	{ METRIC_LAZYFREE_SETTLED, true, { "", "LazyFree" } },
	{ METRIC_WORKING_SET_SETTLED, true, { "working", "set" } },
	{ METRIC_GOROUTINES_SETTLED, false, { "", "goroutines" } },
	{ METRIC_THREADS_SETTLED, false, { "threads", "settled" } },
	{ METRIC_THREADS_PEAK, false, { "threads", "peak" } },
	{ METRIC_OPERATIONS_PER_S, false, { "operations", "a second" } },
	{ METRIC_STACKS_SETTLED, false, { "", "stacks" } },
	{ METRIC_SLOPE, false, { "", "slope" } },
	{ METRIC_HEAP_INUSE_SETTLED, false, { "heap", "in use" } },
	{ METRIC_OPERATIONS, false, { "", "operations" } },
	{ METRIC_MINOR_FAULTS, false, { "minor", "faults" } },
	{ METRIC_THP_SETTLED, false, { "huge", "pages" } },
	{ METRIC_PROFILE_BUCKETS_SETTLED, false, { "profile", "buckets" } },
	{ METRIC_HEAP_RELEASED_SETTLED, false, { "heap", "released" } },
	{ METRIC_CPU, false, { "CPU", "time" } },
	{ METRIC_GC_COUNT, false, { "", "GCs" } },
	{ METRIC_MEMCG_PEAK, false, { "cgroup", "peak" } },
	{ METRIC_FIRST_FALL, false, { "first", "fall" } },
	{ METRIC_RELEASED_SHARE, false, { "given", "back" } },
	{ METRIC_BASELINE_RSS, false, { "baseline", "RSS" } },
	{ METRIC_MAJOR_FAULTS, false, { "major", "faults" } },
	{ METRIC_OOM_KILLS, false, { "OOM", "kills" } },
};

const struct column *table_columns(size_t *ret_n)
{
	*ret_n = sizeof(columns) / sizeof(*columns);
	return columns;
}

static bool is_held(const struct folded *f)
{
	return !f->n && f->why && !strncmp(f->why, "RSS never fell", 14);
}

static double peak_of(const struct row *r)
{
	return r->v[ROW_PEAK].n ? r->v[ROW_PEAK].median : 0;
}

static bool says_something(const struct row *r, const struct column *c)
{
	const struct folded *f = &r->all[c->metric];
	double nought = c->metric == METRIC_LAZYFREE_SETTLED || c->metric == METRIC_THP_SETTLED ? NOUGHT_SHARE * peak_of(r) : 0;

	if (c->metric == METRIC_RELEASE && is_held(f))
		return true;
	return f->n && fmax(fabs(f->min), fabs(f->max)) > nought;
}

bool column_says_something(const struct rows *rows, const struct column *c)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->v[i].applicable && says_something(&rows->v[i], c))
			return true;
	return false;
}

/* ---- values ------------------------------------------------------------------------------------------------------------------------ */

/* "20-800 MB" of "20 MB" and "800 MB": one unit is enough where both have the same. */
static char *range_text(char *a, const char *b)
{
	char *unit_a = strchr(a, ' ');
	const char *unit_b = strchr(b, ' ');

	if (unit_a && unit_b && !strcmp(unit_a, unit_b))
		*unit_a = 0;
	return strf("%s-%s", a, b);
}

/* How far the runs of a cell may lie apart and still be told as one value. */
static double tolerance(const struct row *r, enum metric m)
{
	const struct folded *f = &r->all[m];
	double largest = fmax(fabs(f->min), fabs(f->max));

	switch (metric_unit(m)) {
	case UNIT_BYTES:
		return 0.02 * fmax(peak_of(r), 0);
	case UNIT_SECONDS:
		return fmax(0.1 * f->median, 0.1);
	case UNIT_RATIO:
		return 0.02;
	case UNIT_BYTES_PER_S:
		return fmax(0.1 * largest, 1024);
	case UNIT_COUNT:
	case UNIT_PER_S:
	case UNIT_LIST:
	case UNIT_COUNT_:
		break;
	}
	return 0.02 * largest;
}

static char *one_text(enum metric m, double v)
{
	char text[32];

	if (m == METRIC_RELEASED_SHARE)
		return strf("%.0f %%", 100 * v);
	if (metric_unit(m) == UNIT_SECONDS)
		return xstrdup(time_text(text, sizeof(text), v));
	return metric_text(m, v);
}

char *column_text(const struct row *r, const struct column *c, bool ranges)
{
	const struct folded *f = &r->all[c->metric];

	if (c->metric == METRIC_RELEASE && is_held(f))
		return xstrdup("held");
	if (!f->n)
		return xstrdup("-");
	if (f->max - f->min <= tolerance(r, c->metric) || !ranges) {
		cleanup_free char *median = one_text(c->metric, f->median);

		return strf("%s%s", f->max - f->min <= tolerance(r, c->metric) ? "" : "~", median);
	}

	cleanup_free char *a = one_text(c->metric, f->min), *b = one_text(c->metric, f->max);
	return range_text(a, b);
}
