/* SPDX-License-Identifier: Apache-2.0
 *
 * The numbers that show a mechanism, each with a sentence.
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "analyse/mechanism_parts.h"
#include "base/alloc.h"
#include "base/units.h"
#include "plan/metric.h"

#define COUNT_MAX    1e18 /* more digits have no room */
#define OTHERS_SHARE 0.1 /* of what is held: what others hold less of is not told */

struct work {
	const struct mechanism_facts *facts;
	const struct state *s;
	struct diagnosis *d;
};

/* "9 999", "10 003": thousands apart. */
static const char *count(char buf[32], double n)
{
	char digits[32];
	size_t out = 0;

	/* A record may say anything. */
	(void)snprintf(digits, sizeof(digits), "%.0f", fmin(fmax(n, 0), COUNT_MAX));
	for (size_t len = strlen(digits), i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf[out++] = ' ';
		buf[out++] = digits[i];
	}
	buf[out] = 0;
	return buf;
}

__attribute__((format(printf, 4, 5))) static void add(struct work *w, enum metric m, double value, const char *fmt, ...)
{
	va_list ap;

	if (isnan(value))
		return;
	va_start(ap, fmt);
	cleanup_free char *text = vstrf(fmt, ap);
	va_end(ap);
	json_array_append_new(w->d->evidence,
			      json_pack("{s:s, s:f, s:s}", "metric", metric_name(m), "value", value, "text", text));
}

/* "of the 828 MB that are resident": what the shares are of. */
static void add_rss(struct work *w)
{
	const struct state *s = w->s;
	char a[32], b[32], c[32];

	if (s->growing)
		add(w, METRIC_SLOPE, s->slope, "RSS is %s and grows by %s a second: the answer is about what came on top", format_size_of(a, sizeof(a), s->rss),
		    format_size_of(b, sizeof(b), s->slope));
	else if (s->slope > 0)
		add(w, METRIC_SLOPE, s->slope, "RSS is %s and grows by %s a second: too little came to be asked about alone",
		    format_size_of(a, sizeof(a), s->rss), format_size_of(b, sizeof(b), s->slope));
	else if (s->settled && s->peak > 1.1 * s->rss)
		add(w, METRIC_SETTLED_RSS, s->rss, "RSS settled at %s, after a peak of %s%s%s", format_size_of(a, sizeof(a), s->rss), format_size_of(b, sizeof(b), s->peak),
		    isnan(s->baseline) ? "" : "; before the load it was ", isnan(s->baseline) ? "" : format_size_of(c, sizeof(c), s->baseline));
	else if (s->settled)
		add(w, METRIC_SETTLED_RSS, s->rss, "RSS settled at %s%s%s", format_size_of(a, sizeof(a), s->rss),
		    isnan(s->baseline) ? "" : "; before the load it was ", isnan(s->baseline) ? "" : format_size_of(c, sizeof(c), s->baseline));
	else
		add(w, METRIC_PEAK_RSS, s->peak, "RSS was %s at the end, %s at its peak", format_size_of(a, sizeof(a), s->rss), format_size_of(b, sizeof(b), s->peak));
}

/* ---- each mechanism's own
 * ---------------------------------------------------------------------------------------------------------- */

static void add_released(struct work *w)
{
	const struct state *s = w->s;
	char a[32], b[32];

	if (isnan(s->released_share))
		add(w, METRIC_PEAK_RSS, s->peak, "of a peak of %s only %s are left", format_size_of(a, sizeof(a), s->peak), format_size_of(b, sizeof(b), s->rss));
	else
		add(w, METRIC_RELEASED_SHARE, s->released_share, "%.0f %% of the %s above the baseline have been given back",
		    100 * s->released_share, format_size_of(a, sizeof(a), s->peak - s->baseline));
}

static void add_lazyfree(struct work *w)
{
	const struct state *s = w->s;
	char a[32], b[32];
	double lazy = isnan(w->d->by[MECHANISM_LAZYFREE]) ? s->lazyfree : w->d->by[MECHANISM_LAZYFREE];

	add(w, METRIC_LAZYFREE_SETTLED, lazy,
	    "%s of the %s that are resident are lazily freed (MADV_FREE): the kernel takes them when it needs memory",
	    format_size_of(a, sizeof(a), lazy), format_size_of(b, sizeof(b), s->rss));
	add(w, METRIC_WORKING_SET_SETTLED, s->working_set, "the working set, as the kubelet counts it, is %s",
	    format_size_of(a, sizeof(a), s->working_set));
	add(w, METRIC_HEAP_RELEASED_SETTLED, s->heap_released, "the runtime counts %s of address space as given back", format_size_of(a, sizeof(a), s->heap_released));
}

static void add_idle(struct work *w)
{
	const struct state *s = w->s;
	char a[32], b[32];

	add(w, METRIC_IDLE_SETTLED, s->part[RSS_IDLE], "%s are free in the runtime's heap and not given back to the kernel",
	    format_size_of(a, sizeof(a), s->part[RSS_IDLE]));
	add(w, METRIC_HEAP_INUSE_SETTLED, s->heap_inuse, "the heap in use is %s of %s resident", format_size_of(a, sizeof(a), s->heap_inuse),
	    format_size_of(b, sizeof(b), s->rss));
	if (s->gc_goal > s->heap_inuse)
		add(w, METRIC_GC_GOAL_SETTLED, s->gc_goal,
		    "the runtime keeps what it expects to need up to its next goal, a heap of %s", format_size_of(a, sizeof(a), s->gc_goal));
}

/* Without GOGC neither growth nor the two minutes (src/runtime/mgc.go, gcTrigger.test) begin a collection: the limit alone does. */
static void add_gogc_off(struct work *w)
{
	char a[32];

	if (!w->s->gogc_off)
		return;
	if (!isnan(w->s->limit))
		add(w, METRIC_GC_GOAL_SETTLED, w->s->gc_goal,
		    "GOGC is off: garbage stays until Go's memory comes near its limit of %s", format_size_of(a, sizeof(a), w->s->limit));
	else /* and no goal */
		add(w, METRIC_HEAP_INUSE_SETTLED, w->s->heap_inuse, "GOGC is off, and there is no memory limit: garbage stays for ever");
}

/* Of what survived somebody holds a reference, at that time at least; of what came since nobody knows. */
static void add_survivors(struct work *w)
{
	const struct state *s = w->s;
	double came = fmax(s->part[RSS_OBJECTS] - s->heap_marked, 0);
	char a[32], b[32];

	if (isnan(s->heap_marked) || isnan(came))
		return;
	add(w, METRIC_HEAP_MARKED_SETTLED, s->heap_marked,
	    s->n_moments ? "%s survived a collection, on average, and %s came until the next" : "%s survived the last collection, %s came since",
	    format_size_of(a, sizeof(a), s->heap_marked), format_size_of(b, sizeof(b), came));
}

static void add_live(struct work *w)
{
	const struct state *s = w->s;
	char a[32], b[32], n[32];

	add(w, METRIC_OBJECTS_SETTLED, s->part[RSS_OBJECTS], "%s of the %s that are resident are objects",
	    format_size_of(a, sizeof(a), s->part[RSS_OBJECTS]), format_size_of(b, sizeof(b), s->rss));
	add_survivors(w);
	if (s->gc_age_s > 0)
		add(w, METRIC_GC_COUNT, s->gc_count,
		    "the last of %s garbage collections was %.0f s before the end: what has died since counts as in use",
		    count(n, s->gc_count), s->gc_age_s);
	else
		add(w, METRIC_GC_COUNT, s->gc_count,
		    s->gc_count > 0 ? "%s garbage collections have found it in use"
				    : "%s garbage collections: none has looked yet",
		    count(n, s->gc_count));
	add(w, METRIC_HEAP_INUSE_SETTLED, s->heap_inuse, "the heap in use is %s", format_size_of(a, sizeof(a), s->heap_inuse));
}

/* "9 998 of them were made at main.go:31 (main.newReader) and wait: chan receive" */
static void add_group(struct work *w)
{
	const json_t *g = largest_group(w->facts->goroutines);
	const char *file = json_string_value(json_object_get(g, "file")),
		   *function = json_string_value(json_object_get(g, "function")),
		   *wait = json_string_value(json_object_get(g, "wait"));
	const char *slash = file ? strrchr(file, '/') : NULL;
	double n = json_number_value(json_object_get(g, "count"));
	char text[32];

	if (!g || !function || n < 2)
		return;
	/* They were counted at another moment than listed. */
	add(w, METRIC_GOROUTINES_SETTLED, n, n <= w->s->goroutines ? "%s of them were made at %s:%.0f (%s)%s%s" : "%s were made at %s:%.0f (%s)%s%s", count(text, n),
	    slash  ? slash + 1
	    : file ? file
		   : "?",
	    json_number_value(json_object_get(g, "line")), function, wait && *wait ? " and wait: " : "", wait ? wait : "");
}

static void add_goroutines(struct work *w)
{
	const struct state *s = w->s;
	double live = s->goroutines, ended = s->goroutines_peak - s->goroutines, stacks = s->part[RSS_STACKS];
	char a[32], n[32], m[32];

	w->d->ended_stacks = ended > live;
	if (w->d->ended_stacks) {
		add(w, METRIC_STACKS_RESIDENT_SETTLED, stacks,
		    "%s are stacks, though %s %s left of %s: those of ended ones go at the next garbage collection",
		    format_size_of(a, sizeof(a), stacks), count(n, live), live == 1 ? "goroutine is" : "goroutines are",
		    count(m, s->goroutines_peak));
		return;
	}
	add(w, METRIC_GOROUTINES_SETTLED, live, "%s goroutines hold %s of stacks", count(n, live), format_size_of(a, sizeof(a), stacks));
	add_group(w);
	if (w->d->by[MECHANISM_GOROUTINES] > 1.5 * stacks)
		add(w, METRIC_OBJECTS_SETTLED, s->part[RSS_OBJECTS], "%s of the heap came with them and stayed with them",
		    format_size_of(a, sizeof(a), w->d->by[MECHANISM_GOROUTINES] - stacks));
	if (s->goroutines_slope > 0)
		add(w, METRIC_GOROUTINES_SLOPE, s->goroutines_slope, "they grew by %.3g a second",
		    s->goroutines_slope);
}

static void add_threads(struct work *w)
{
	const struct state *s = w->s;
	char a[32], n[32];

	if (isnan(s->part[RSS_OBJECTS]))
		add(w, METRIC_THREADS_SETTLED, s->threads, "%s threads, and %s above the baseline", count(n, s->threads),
		    format_size_of(a, sizeof(a), w->d->held_bytes));
	else
		add(w, METRIC_THREADS_SETTLED, s->threads, "%s threads hold %s of stacks; the runtime ends none that it made",
		    count(n, s->threads), format_size_of(a, sizeof(a), w->d->by[MECHANISM_THREADS]));
	add(w, METRIC_THREADS_MADE, s->threads_made, "the runtime has made %s threads", count(n, s->threads_made));
}

static void add_native(struct work *w)
{
	const struct state *s = w->s;
	double runtime = s->heap_inuse + s->heap_idle + s->go_stacks + s->runtime;
	char a[32], b[32], n[32];

	add(w, METRIC_NATIVE_SETTLED, s->part[RSS_NATIVE],
	    "%s of the %s that are resident are not the runtime's: C's, or mapped directly", format_size_of(a, sizeof(a), s->part[RSS_NATIVE]),
	    format_size_of(b, sizeof(b), s->rss));
	add(w, METRIC_HEAP_INUSE_SETTLED, s->heap_inuse, "the heap in use is %s; all that the runtime accounts for is %s",
	    format_size_of(a, sizeof(a), s->heap_inuse), isnan(runtime) ? "not known" : format_size_of(b, sizeof(b), runtime));
	if (s->threads >= 8)
		add(w, METRIC_THREADS_SETTLED, s->threads, "%s threads: C's malloc keeps an arena for each, up to 8 for each CPU",
		    count(n, s->threads));
}

static void add_fragmentation(struct work *w)
{
	const struct state *s = w->s;
	double free_slots = s->part[RSS_FRAGMENTATION], objects = s->part[RSS_OBJECTS];
	char a[32], b[32];

	add(w, METRIC_FRAGMENTATION_SETTLED, free_slots,
	    "%s are free slots in spans of which something is in use: %.0f %% of those spans", format_size_of(a, sizeof(a), free_slots),
	    100 * free_slots / (free_slots + objects));
	if (objects < OTHERS_SHARE * w->d->held_bytes)
		add(w, METRIC_OBJECTS_SETTLED, objects, "the objects in them are %s", format_size_of(b, sizeof(b), objects));
}

static void add_thp(struct work *w)
{
	const struct state *s = w->s;
	char a[32], b[32];

	add(w, METRIC_THP_SETTLED, s->thp, "%s are in transparent huge pages", format_size_of(a, sizeof(a), s->thp));
	add(w, METRIC_IDLE_SETTLED, s->part[RSS_IDLE],
	    "%s of free heap are resident, of which the runtime has given back all but %s", format_size_of(a, sizeof(a), s->part[RSS_IDLE]),
	    format_size_of(b, sizeof(b), s->heap_idle));
}

static void add_overhead(struct work *w)
{
	const struct state *s = w->s;
	double ended = fmax(s->goroutines_peak - s->goroutines, 0);
	char a[32], n[32];

	w->d->ended_records = !w->d->small && ended * G_BYTES > w->d->by[MECHANISM_RUNTIME_OVERHEAD] / 2;
	w->d->profiled = s->profile_buckets > MB(1);
	if (w->d->small)
		add(w, METRIC_RUNTIME_RESIDENT_SETTLED, s->part[RSS_RUNTIME],
		    "a Go process has as much without doing anything: %s of it is the runtime's own",
		    format_size_of(a, sizeof(a), s->part[RSS_RUNTIME]));
	else if (w->d->ended_records)
		add(w, METRIC_GOROUTINES_PEAK, s->goroutines_peak,
		    "the records of %s goroutines that have ended are %s of the heap, and never freed: they serve the next "
		    "goroutines",
		    count(n, ended), format_size_of(a, sizeof(a), fmin(ended * G_BYTES, s->part[RSS_OBJECTS])));
	else
		add(w, METRIC_RUNTIME_RESIDENT_SETTLED, s->part[RSS_RUNTIME], "%s are the runtime's own, outside of its heap",
		    format_size_of(a, sizeof(a), s->part[RSS_RUNTIME]));
	if (w->d->profiled)
		add(w, METRIC_PROFILE_BUCKETS_SETTLED, s->profile_buckets, "the heap profiler keeps %s for call stacks",
		    format_size_of(a, sizeof(a), s->profile_buckets));
}

static const char *const held_by[MECHANISM_COUNT_] = {
	[MECHANISM_LAZYFREE] = "are lazily freed",
	[MECHANISM_NOT_YET_SCAVENGED] = "are free in the runtime's heap",
	[MECHANISM_LIVE_HEAP] = "are objects in the heap",
	[MECHANISM_GOROUTINES] = "belong to goroutines",
	[MECHANISM_THREADS] = "belong to threads",
	[MECHANISM_NATIVE] = "are C's, or mapped directly",
	[MECHANISM_FRAGMENTATION] = "are free slots between objects",
	[MECHANISM_THP] = "came back with huge pages",
	[MECHANISM_RUNTIME_OVERHEAD] = "are the runtime's own",
};

static const enum metric metric_by[MECHANISM_COUNT_] = {
	[MECHANISM_LAZYFREE] = METRIC_LAZYFREE_SETTLED,
	[MECHANISM_NOT_YET_SCAVENGED] = METRIC_IDLE_SETTLED,
	[MECHANISM_LIVE_HEAP] = METRIC_OBJECTS_SETTLED,
	[MECHANISM_GOROUTINES] = METRIC_STACKS_RESIDENT_SETTLED,
	[MECHANISM_THREADS] = METRIC_THREAD_STACKS_SETTLED,
	[MECHANISM_NATIVE] = METRIC_NATIVE_SETTLED,
	[MECHANISM_FRAGMENTATION] = METRIC_FRAGMENTATION_SETTLED,
	[MECHANISM_THP] = METRIC_THP_SETTLED,
	[MECHANISM_RUNTIME_OVERHEAD] = METRIC_RUNTIME_RESIDENT_SETTLED,
};

/* What else holds something; of what is unknown, all that do. */
static void add_others(struct work *w)
{
	char a[32], b[32];

	for (int m = 0; m < MECHANISM_UNKNOWN; m++)
		if (m != (int)w->d->mechanism && held_by[m] && !w->d->small && w->d->by[m] > 0 &&
		    w->d->by[m] >= OTHERS_SHARE * w->d->held_bytes)
			add(w, metric_by[m], w->d->by[m], "%s %s%s", format_size_of(a, sizeof(a), w->d->by[m]), held_by[m], w->d->churns ? ", on average" : "");
	if (w->d->globals_bytes > 0 && !w->d->small && w->d->globals_bytes >= OTHERS_SHARE * w->d->held_bytes)
		add(w, METRIC_RUNTIME_RESIDENT_SETTLED, w->s->part[RSS_RUNTIME],
		    "%s are data and bss of the binary and the runtime's own; the runtime accounts for %s",
		    format_size_of(a, sizeof(a), w->s->part[RSS_RUNTIME]), format_size_of(b, sizeof(b), w->s->runtime));
	if (w->d->files_bytes > 0 && !w->d->small && w->d->files_bytes >= OTHERS_SHARE * w->d->held_bytes)
		add(w, METRIC_FILES_SETTLED, w->s->part[RSS_FILES], "%s are pages of files or shared memory%s",
		    format_size_of(a, sizeof(a), w->s->part[RSS_FILES]), w->s->n_moments ? ", on average" : "");
}

void evidence_add(const struct mechanism_facts *facts, const struct state *s, struct diagnosis *d)
{
	struct work w = { .facts = facts, .s = s, .d = d };
	static void (*const own[MECHANISM_COUNT_])(struct work *) = {
		[MECHANISM_RELEASED] = add_released,
		[MECHANISM_LAZYFREE] = add_lazyfree,
		[MECHANISM_NOT_YET_SCAVENGED] = add_idle,
		[MECHANISM_LIVE_HEAP] = add_live,
		[MECHANISM_GOROUTINES] = add_goroutines,
		[MECHANISM_THREADS] = add_threads,
		[MECHANISM_NATIVE] = add_native,
		[MECHANISM_FRAGMENTATION] = add_fragmentation,
		[MECHANISM_THP] = add_thp,
		[MECHANISM_RUNTIME_OVERHEAD] = add_overhead,
	};

	if (own[d->mechanism])
		own[d->mechanism](&w);
	if (d->churns)
		add_survivors(&w);
	if (d->mechanism == MECHANISM_LIVE_HEAP || d->mechanism == MECHANISM_NOT_YET_SCAVENGED || d->churns)
		add_gogc_off(&w);
	add_others(&w);
	add_rss(&w);
}
