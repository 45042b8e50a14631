/* SPDX-License-Identifier: Apache-2.0
 *
 * What was read of the Go runtime: its own accounting, and the split of RSS. Where it could not be read, what the program told of itself
 * stands for it; what nobody but the program knows (operations) is told in any case.
 */
#include <stdlib.h>
#include <string.h>

#include "analyse/metrics_parts.h"
#include "base/alloc.h"
#include "base/order.h"
#include "record/reader.h"

/* The last one told is the one that holds; MISSING: none was. */
static uint64_t last_told(const struct work *w, const char *name)
{
	uint64_t last = MISSING;

	for (size_t i = 0; i < w->series->n_told; i++)
		if (!strcmp(w->series->told[i].name, name))
			last = w->series->told[i].value;
	return last;
}

static void add_told(struct work *w, enum metric m, const char *name)
{
	uint64_t last = last_told(w, name);

	if (last != MISSING)
		metric_told_count(w, m, last);
	else
		metric_missing(w, m, "the program did not tell %s", name);
}

/* What nothing but the runtime can tell. */
static void unread(struct work *w, enum metric m)
{
	if (w->facts->runtime_why)
		metric_missing(w, m, "the Go runtime could not be read: %s", w->facts->runtime_why);
	else
		metric_missing(w, m, "the Go runtime was not read");
}

/* The same where the program could have told it. */
static void unread_and_untold(struct work *w, enum metric m, const char *name)
{
	if (w->facts->runtime_why)
		metric_missing(w, m, "the Go runtime could not be read: %s; nor did the program tell %s", w->facts->runtime_why, name);
	else
		metric_missing(w, m, "the program did not tell %s", name);
}

/* Of the last tenth. false: nothing is known of it. */
static bool add_tail(struct work *w, enum metric m, const struct curve *c, const char *why_not)
{
	uint64_t median = metric_tail_unseen(w, c) ? MISSING : curve_median(c, w->tail_ns, w->end_ns);

	metric_counted(w, m, median, c->n && median == MISSING ? NOBODY_LOOKED : why_not);
	return median != MISSING;
}

/* ---- the runtime's accounting ------------------------------------------------------------------------------------------------------- */

static const struct accounting {
	enum metric metric;
	enum curve_of curve;
	const char *told; /* what a program calls it that tells it; NULL: none does */
} settled[] = {
	{ METRIC_GOROUTINES_SETTLED, CURVE_GOROUTINES, "goroutines" },
	{ METRIC_HEAP_INUSE_SETTLED, CURVE_HEAP_INUSE, "heap_inuse" },
	{ METRIC_HEAP_RELEASED_SETTLED, CURVE_HEAP_RELEASED, "heap_released" },
	{ METRIC_STACKS_SETTLED, CURVE_GO_STACKS, "stacks" },
	{ METRIC_HEAP_IDLE_SETTLED, CURVE_HEAP_IDLE, NULL },
	{ METRIC_RUNTIME_SETTLED, CURVE_RUNTIME, NULL },
	{ METRIC_GC_GOAL_SETTLED, CURVE_GC_GOAL, NULL },
	{ METRIC_HEAP_MARKED_SETTLED, CURVE_HEAP_MARKED, NULL },
};

/* Why a value was never read though others were. */
static const char *never_told(enum metric m)
{
	return m == METRIC_GC_GOAL_SETTLED     ? "the collector is off"
	       : m == METRIC_HEAP_MARKED_SETTLED ? "there was no garbage collection, or this record does not tell it"
						 : "this runtime does not tell it";
}

static void add_settled(struct work *w, const struct accounting *a)
{
	struct curve cleanup_curve c = { 0 };
	uint64_t told = a->told ? last_told(w, a->told) : MISSING;

	curve_make(&c, w->series, a->curve, w->end_ns);
	if (!c.n && told == MISSING && w->series->n_go)
		metric_missing(w, a->metric, "%s", never_told(a->metric));
	else if (!c.n && told == MISSING && a->told)
		unread_and_untold(w, a->metric, a->told);
	else if (!c.n && told == MISSING)
		unread(w, a->metric);
	else if (!metric_ended_as_planned(w, a->metric))
		return;
	else if (!c.n)
		metric_told_count(w, a->metric, told);
	else
		(void)add_tail(w, a->metric, &c, "nothing was read in the last tenth of the run");
}

/* The last value that was read. */
static uint64_t last_read(const struct curve *c)
{
	for (size_t i = c->n; i > 0; i--)
		if (c->v[i - 1].value != MISSING)
			return c->v[i - 1].value;
	return MISSING;
}

/* What only grows: its last value, however the run ended. */
static void add_counts(struct work *w)
{
	struct curve cleanup_curve cycles = { 0 }, threads = { 0 };

	curve_make(&cycles, w->series, CURVE_GC_COUNT, w->end_ns);
	curve_make(&threads, w->series, CURVE_THREADS_MADE, w->end_ns);
	if (cycles.n || last_told(w, "gc_count") != MISSING)
		metric_counted(w, METRIC_GC_COUNT, cycles.n ? last_read(&cycles) : last_told(w, "gc_count"), "");
	else
		unread_and_untold(w, METRIC_GC_COUNT, "gc_count");
	if (threads.n)
		metric_counted(w, METRIC_THREADS_MADE, last_read(&threads), "");
	else
		unread(w, METRIC_THREADS_MADE);
}

static void add_peak(struct work *w, enum metric m, const struct curve *c)
{
	uint64_t low, high;

	if (curve_range(c, 0, w->end_ns, &low, &high))
		metric_told_count(w, m, high);
	else
		unread(w, m);
}

static void add_slope(struct work *w, enum metric m, const struct curve *c)
{
	int64_t from, to;
	const char *phase = metric_slope_phase(w, &from, &to);
	struct slope s;

	if (!c->n)
		unread(w, m);
	else if (!curve_slope(c, from, to, &s))
		metric_missing(w, m, "the %s is too short for a slope", phase);
	else
		metric_told(w, m, json_real(s.per_s));
}

static void add_accounting(struct work *w)
{
	struct curve cleanup_curve goroutines = { 0 }, heap = { 0 };

	for (size_t i = 0; i < sizeof(settled) / sizeof(*settled); i++)
		add_settled(w, &settled[i]);
	add_counts(w);
	curve_make(&goroutines, w->series, CURVE_GOROUTINES, w->end_ns);
	curve_make(&heap, w->series, CURVE_HEAP_INUSE, w->end_ns);
	add_peak(w, METRIC_GOROUTINES_PEAK, &goroutines);
	add_slope(w, METRIC_GOROUTINES_SLOPE, &goroutines);
	add_slope(w, METRIC_HEAP_INUSE_SLOPE, &heap);
}

/* ---- the split of RSS ----------------------------------------------------------------------------------------------------------------- */

enum metric metric_of_part(enum rss_part part)
{
	static const enum metric of[RSS_PART_COUNT_] = {
		[RSS_OBJECTS] = METRIC_OBJECTS_SETTLED,
		[RSS_FRAGMENTATION] = METRIC_FRAGMENTATION_SETTLED,
		[RSS_STACKS] = METRIC_STACKS_RESIDENT_SETTLED,
		[RSS_IDLE] = METRIC_IDLE_SETTLED,
		[RSS_LAZYFREE] = METRIC_LAZYFREE_SPLIT_SETTLED,
		[RSS_RUNTIME] = METRIC_RUNTIME_RESIDENT_SETTLED,
		[RSS_NATIVE] = METRIC_NATIVE_SETTLED,
		[RSS_THREAD_STACKS] = METRIC_THREAD_STACKS_SETTLED,
		[RSS_FILES] = METRIC_FILES_SETTLED,
	};

	return of[part];
}

/* Of a run whose runtime was read, too: no look may have fitted. when: " in the last tenth of the run", or "". */
static void unsplit(struct work *w, enum metric m, const char *when)
{
	if (w->facts->runtime_why)
		unread(w, m);
	else if (w->facts->split_why)
		metric_missing(w, m, "no split of RSS was taken%s: %s", when, w->facts->split_why);
	else
		metric_missing(w, m, "no split of RSS was taken%s", when);
}

/* Of the splits in the last tenth, the one at the end among them: one from before it may be minutes old, and says nothing of it. The
 * lower one of two in the middle; MISSING: there is none. */
static uint64_t median_of_tail(const struct work *w, enum rss_part part)
{
	const struct run_series *s = w->series;
	cleanup_free uint64_t *v = xreallocarray(NULL, s->n_splits + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < s->n_splits; i++)
		if (s->splits[i].t_ns >= w->tail_ns && s->splits[i].s.part[part] != MISSING)
			v[n++] = s->splits[i].s.part[part];
	sort_u64s(v, n);
	return n ? v[(n - 1) / 2] : MISSING;
}

static void add_part(struct work *w, enum rss_part part)
{
	struct curve cleanup_curve c = { 0 };
	enum metric m = metric_of_part(part);

	curve_make(&c, w->series, (enum curve_of)(CURVE_SPLIT_OBJECTS + part), w->end_ns);
	if (!c.n)
		unsplit(w, m, "");
	else if (metric_ended_as_planned(w, m)) {
		uint64_t n = median_of_tail(w, part);

		if (n == MISSING)
			unsplit(w, m, " in the last tenth of the run");
		else
			metric_told_count(w, m, n);
	}
	if (part != RSS_OBJECTS && part != RSS_NATIVE)
		return;
	m = part == RSS_OBJECTS ? METRIC_OBJECTS_PEAK : METRIC_NATIVE_PEAK;
	if (c.n)
		add_peak(w, m, &c);
	else
		unsplit(w, m, "");
}

void metrics_add_inside(struct work *w)
{
	add_accounting(w);
	for (int part = 0; part < RSS_PART_COUNT_; part++)
		add_part(w, (enum rss_part)part);
	if (last_told(w, "profile_buckets") == MISSING || metric_ended_as_planned(w, METRIC_PROFILE_BUCKETS_SETTLED))
		add_told(w, METRIC_PROFILE_BUCKETS_SETTLED, "profile_buckets");
	add_told(w, METRIC_OPERATIONS, "operations");
	add_told(w, METRIC_OPERATIONS_PER_S, "operations_per_s");
}
