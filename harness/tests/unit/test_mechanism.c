/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "analyse/mechanism.h"
#include "base/alloc.h"
#include "base/strv.h"
#include "base/units.h"
#include "plan/metric.h"
#include "record/reader.h"
#include "render/diagnosis_text.h"

/* Sizes in MB, as such runs have them; a value of NONE is left out. */
#define NONE (-1.0)

struct numbers {
	double rss, peak, baseline, lazyfree, thp;
	double objects, fragmentation, stacks, idle, lazy, runtime, native, thread_stacks, files;
	double heap_inuse, heap_idle, heap_released, go_stacks, go_runtime;
	double goroutines, goroutines_peak, threads, buckets, gc_count;
	double marked;
};

/* A Go process that does nothing: what the cases below begin with. */
static const struct numbers idle = {
	.rss = 3.5, .peak = 3.6, .baseline = 3.4, .objects = 0.2, .fragmentation = 0.1, .stacks = 0.2, .runtime = 1.6, .files = 1.4,
	.heap_inuse = 0.5, .heap_idle = 0.2, .heap_released = 3, .go_stacks = 0.3, .go_runtime = 3, .goroutines = 1,
	.goroutines_peak = 1, .threads = 5, .buckets = 0, .gc_count = 1, .marked = NONE,
};

static void set(json_t *o, enum metric m, double mb, double unit)
{
	if (mb >= 0)
		json_object_set_new(o, metric_name(m), json_real(mb * unit));
}

static json_t *metrics_of(const struct numbers *n)
{
	json_t *o = json_object();
	const double mib = (double)MIB;

	set(o, METRIC_SETTLED_RSS, n->rss, mib);
	set(o, METRIC_PEAK_RSS, n->peak, mib);
	set(o, METRIC_BASELINE_RSS, n->baseline, mib);
	if (n->rss >= 0 && n->baseline >= 0 && n->peak > n->baseline)
		json_object_set_new(o, "released_share", json_real((n->peak - n->rss) / (n->peak - n->baseline)));
	set(o, METRIC_LAZYFREE_SETTLED, n->lazyfree, mib);
	set(o, METRIC_THP_SETTLED, n->thp, mib);
	set(o, METRIC_OBJECTS_SETTLED, n->objects, mib);
	set(o, METRIC_FRAGMENTATION_SETTLED, n->fragmentation, mib);
	set(o, METRIC_STACKS_RESIDENT_SETTLED, n->stacks, mib);
	set(o, METRIC_IDLE_SETTLED, n->idle, mib);
	set(o, METRIC_LAZYFREE_SPLIT_SETTLED, n->lazy, mib);
	set(o, METRIC_RUNTIME_RESIDENT_SETTLED, n->runtime, mib);
	set(o, METRIC_NATIVE_SETTLED, n->native, mib);
	set(o, METRIC_THREAD_STACKS_SETTLED, n->thread_stacks, mib);
	set(o, METRIC_FILES_SETTLED, n->files, mib);
	set(o, METRIC_HEAP_INUSE_SETTLED, n->heap_inuse, mib);
	set(o, METRIC_HEAP_IDLE_SETTLED, n->heap_idle, mib);
	set(o, METRIC_HEAP_RELEASED_SETTLED, n->heap_released, mib);
	set(o, METRIC_STACKS_SETTLED, n->go_stacks, mib);
	set(o, METRIC_RUNTIME_SETTLED, n->go_runtime, mib);
	set(o, METRIC_GOROUTINES_SETTLED, n->goroutines, 1);
	set(o, METRIC_GOROUTINES_PEAK, n->goroutines_peak, 1);
	set(o, METRIC_THREADS_SETTLED, n->threads, 1);
	set(o, METRIC_PROFILE_BUCKETS_SETTLED, n->buckets, mib);
	set(o, METRIC_GC_COUNT, n->gc_count, 1);
	set(o, METRIC_HEAP_MARKED_SETTLED, n->marked, mib);
	return o;
}

static json_t *a_run(const char *version, int madvdontneed)
{
	return json_pack("{s:s, s:{s:s}, s:{s:b, s:s, s:{s:i}}}", "outcome", "ok", "go", "version", version, "runtime", "read", 1, "version", version,
			 "settings", "madvdontneed", madvdontneed);
}

static struct diagnosis diagnose(const struct numbers *n, const struct run_series *series, const char *goroutines)
{
	cleanup_json json_t *metrics = metrics_of(n), *run = a_run("1.21.13", 1), *g = goroutines ? json_loads(goroutines, 0, NULL) : NULL;
	const struct mechanism_facts facts = { .metrics = metrics, .run = run, .series = series, .goroutines = g };
	struct diagnosis d;

	diagnosis_of(&facts, &d);
	return d;
}

static void assert_is(struct diagnosis d, enum mechanism want, enum mechanism runner_up)
{
	if (d.mechanism != want || d.runner_up != runner_up)
		fail_msg("%s (%s; %s) instead of %s (%s)", mechanism_to_string(d.mechanism), mechanism_to_string(d.runner_up), d.why ? d.why : "",
			 mechanism_to_string(want), mechanism_to_string(runner_up));
	assert_true(json_array_size(d.evidence) > 0);
	assert_true((d.mechanism == MECHANISM_UNKNOWN) == (d.why != NULL));
	diagnosis_done(&d);
}

/* What the evidence says, all of it. */
static char *words(const struct diagnosis *d)
{
	struct strv cleanup_strv all = STRV_INIT;
	const json_t *e;
	size_t i;

	json_array_foreach(d->evidence, i, e) strv_push(&all, json_string_value(json_object_get(e, "text")));
	return strv_join(&all, "; ");
}

static void assert_says(const struct diagnosis *d, const char *what)
{
	cleanup_free char *text = words(d);

	if (!strstr(text, what))
		fail_msg("'%s' does not say '%s'", text, what);
}

/* --- one realistic case a mechanism: facts measured by the prototypes ------------------------------------------------------------------ */

static void test_released(void **state)
{
	(void)state;
	struct numbers n = idle;

	/* Go 1.19 has 28 MB left of 828: bitmaps and spans of a heap that once was. */
	n.rss = 28, n.peak = 828, n.runtime = n.go_runtime = 25, n.heap_released = 830;
	struct diagnosis d = diagnose(&n, NULL, NULL);
	assert_says(&d, "97 % of the 825 MB above the baseline have been given back");
	assert_int_equal(d.runner_up, MECHANISM_RUNTIME_OVERHEAD);
	diagnosis_done(&d);
	/* Nothing of it is left. */
	n.rss = 6, n.runtime = 4;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_RELEASED, MECHANISM_UNKNOWN);
	/* Little is left of little: of a peak of 20 MB. */
	n = idle, n.peak = 20, n.rss = 6, n.objects = 1.5, n.idle = 1;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_RELEASED, MECHANISM_UNKNOWN);
	/* What is left of much is a question of its own. */
	n = idle, n.peak = 2000, n.rss = 150, n.objects = 140, n.heap_inuse = 141;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
}

static void test_lazyfree(void **state)
{
	(void)state;
	struct numbers n = idle;

	n.rss = 828, n.peak = 828, n.lazyfree = 800, n.lazy = 800, n.runtime = 25, n.heap_released = 830;
	struct diagnosis d = diagnose(&n, NULL, NULL);
	assert_says(&d, "800 MB of the 828 MB that are resident are lazily freed");
	assert_true(d.confidence > 0.95);
	assert_is(d, MECHANISM_LAZYFREE, MECHANISM_UNKNOWN);
	/* A third of it is alive. */
	n.lazyfree = n.lazy = 550, n.objects = 250, n.heap_inuse = 251;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_LAZYFREE, MECHANISM_LIVE_HEAP);
}

static void test_not_yet_scavenged(void **state)
{
	(void)state;
	struct numbers n = idle;

	/* 300 MB freed in Go 1.26, no scavenger yet. */
	n.rss = n.peak = 303, n.idle = 300.3, n.heap_idle = 301, n.heap_released = 0;
	struct diagnosis d = diagnose(&n, NULL, NULL);
	assert_says(&d, "300 MB are free in the runtime's heap and not given back");
	assert_is(d, MECHANISM_NOT_YET_SCAVENGED, MECHANISM_UNKNOWN);
	/* In huge pages too: they hold nothing that the runtime would have given back. */
	n.thp = 290;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_NOT_YET_SCAVENGED, MECHANISM_UNKNOWN);
}

static void test_live_heap(void **state)
{
	(void)state;
	struct numbers n = idle;

	/* 800 MB dropped, not collected, Go 1.16. */
	n.rss = n.peak = 827.6, n.objects = 800, n.fragmentation = 0.1, n.runtime = 26.5, n.heap_inuse = 800.1, n.gc_count = 4;
	struct diagnosis d = diagnose(&n, NULL, NULL);
	assert_says(&d, "4 garbage collections have found it in use");
	assert_is(d, MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
	n.gc_count = 0;
	d = diagnose(&n, NULL, NULL);
	assert_says(&d, "0 garbage collections: none has looked yet");
	diagnosis_done(&d);
	/* A cache with a thousand goroutines around it, which were there before it. */
	n.goroutines = n.goroutines_peak = 1000, n.stacks = 8, n.go_stacks = 8;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
}

/* What the last collection found alive, and what came since. */
static void test_survivors(void **state)
{
	(void)state;
	struct numbers n = idle;

	n.rss = n.peak = 63, n.objects = n.heap_inuse = 60.3, n.marked = 20.1;
	struct diagnosis d = diagnose(&n, NULL, NULL);
	assert_says(&d, "20.1 MB survived the last collection, 40.2 MB came since");
	assert_true(d.survived > 0.3 && d.survived < 0.4 && d.disproof.rss == DISPROOF_EITHER);
	diagnosis_done(&d);
	n.marked = 65; /* not all of it resident */
	d = diagnose(&n, NULL, NULL);
	assert_says(&d, "65.0 MB survived the last collection, 0 B came since");
	assert_true(d.survived > 0.999 && d.survived < 1.001 && d.disproof.rss == DISPROOF_STAYS);
	diagnosis_done(&d);
	n.marked = NONE;
	d = diagnose(&n, NULL, NULL);
	assert_true(isnan(d.survived));
	cleanup_free char *said = words(&d);
	assert_null(strstr(said, "survived"));
	diagnosis_done(&d);
}

static void test_garbage_that_nothing_collects(void **state)
{
	(void)state;
	struct numbers n = idle;
	cleanup_json json_t *run = a_run("1.27.4", 1), *settings = json_object_get(json_object_get(run, "runtime"), "settings");
	struct diagnosis d;

	n.rss = n.peak = 188, n.objects = 184, n.heap_inuse = 184;
	cleanup_json json_t *metrics = metrics_of(&n);
	const struct mechanism_facts facts = { .metrics = metrics, .run = run };

	json_incref(settings);
	/* Not told is not off. */
	diagnosis_of(&facts, &d);
	cleanup_free char *said = words(&d);
	assert_null(strstr(said, "GOGC"));
	diagnosis_done(&d);
	json_object_set_new(settings, "gogc", json_null());
	diagnosis_of(&facts, &d);
	assert_says(&d, "GOGC is off, and there is no memory limit");
	assert_non_null(strstr(diagnosis_remedy(&d), "GOGC is off, and none comes by itself"));
	diagnosis_done(&d);
	json_object_set_new(metrics, "gc_goal_settled_bytes", json_real(190e6));
	json_object_set_new(settings, "memory_limit_bytes", json_integer(200 * (json_int_t)MIB));
	diagnosis_of(&facts, &d);
	assert_says(&d, "GOGC is off: garbage stays until Go's memory comes near its limit of 200 MB");
	assert_non_null(strstr(diagnosis_remedy(&d), "none comes before Go's memory is near its limit"));
	diagnosis_done(&d);
}

/* A finalizer that never ends keeps all that has one. One look at a short wait shows nothing. */
static void test_a_finalizer_that_never_ends(void **state)
{
	(void)state;
	static const struct {
		const char *wait, *at, *age;
		bool told;
	} cases[] = {
		{ "chan receive", "main.free", "6.5", true }, { "chan receive", "main.free", "0.2", false }, { "chan receive", "main.free", "null", false },
		{ "finalizer wait", "", "60", false },	      { "finalizer wait", "runtime.runfinq", "60", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct numbers n = idle;
		cleanup_free char *text = strf("{\"snapshots\": [{\"groups\": [{\"count\": 1, \"system\": true, \"function\": \"runtime.createfing\", "
					       "\"file\": \"/r/mfinal.go\", \"line\": 164, \"wait\": \"%s\", \"blocked_function\": \"%s\", "
					       "\"blocked_file\": \"/x/main.go\", \"blocked_line\": 51, \"oldest_wait_s\": %s}]}]}",
					       cases[i].wait, cases[i].at, cases[i].age);
		cleanup_json json_t *goroutines = json_loads(text, 0, NULL);

		assert_non_null(goroutines);
		n.rss = n.peak = 188, n.objects = 184, n.heap_inuse = 184;
		struct diagnosis d = diagnose(&n, NULL, text);
		cleanup_free char *said = diagnosis_text(&d, goroutines, NULL);
		assert_int_equal(d.mechanism, MECHANISM_LIVE_HEAP);
		if (!!strstr(said, "A finalizer waits (chan receive) at main.go:51 (main.free), for 6.50 s") != cases[i].told ||
		    !!strstr(said, "A finalizer") != cases[i].told)
			fail_msg("case %zu: %s", i, said);
		diagnosis_done(&d);
	}
}

static const char *const snapshot =
	"{\"format\": \"memtide-goroutines/1\", \"snapshots\": [{\"t_s\": 1, \"at\": \"end\", \"total\": 10003, \"groups\": ["
	"{\"count\": 20, \"system\": true, \"function\": \"runtime.main\", \"file\": \"proc.go\", \"line\": 1, \"wait\": \"\"},"
	"{\"count\": 3, \"system\": false, \"function\": \"main.other\", \"file\": \"/x/main.go\", \"line\": 12, \"wait\": \"\"},"
	"{\"count\": 10000, \"system\": false, \"function\": \"main.newReader\", \"file\": \"/x/main.go\", \"line\": 31, \"wait\": \"chan receive\"}]}]}";

static void test_goroutines(void **state)
{
	(void)state;
	struct numbers n = idle;

	/* 300 000 leaked by tickers, Go 1.16: 589 MB of stacks, 203 MB of heap, 120 of which are their records. */
	n.rss = n.peak = 834.9, n.objects = 202.6, n.fragmentation = 0.5, n.stacks = 589, n.idle = 8.8, n.runtime = n.go_runtime = 33;
	n.heap_inuse = 203.1, n.go_stacks = 589, n.heap_idle = 9, n.goroutines = n.goroutines_peak = 300000;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_GOROUTINES, MECHANISM_LIVE_HEAP);

	n.rss = n.peak = 40, n.stacks = 25, n.go_stacks = 25, n.objects = 5, n.heap_inuse = 5.2, n.idle = 0, n.heap_idle = 0, n.runtime = 3;
	n.goroutines = n.goroutines_peak = 10003;
	struct diagnosis d = diagnose(&n, NULL, snapshot);
	assert_says(&d, "10 003 goroutines hold 25.0 MB of stacks");
	assert_says(&d, "10 000 of them were made at main.go:31 (main.newReader) and wait: chan receive");
	assert_is(d, MECHANISM_GOROUTINES, MECHANISM_UNKNOWN);
	/* They have ended, and nothing has been collected since. */
	n.rss = n.peak = 250, n.stacks = n.go_stacks = 200, n.objects = 42, n.heap_inuse = 43, n.goroutines = 2, n.goroutines_peak = 100002, n.gc_count = 0;
	d = diagnose(&n, NULL, NULL);
	assert_says(&d, "though 2 goroutines are left of 100 002");
	assert_is(d, MECHANISM_GOROUTINES, MECHANISM_RUNTIME_OVERHEAD);
}

static void test_threads(void **state)
{
	(void)state;
	struct numbers n = idle;

	/* 200 readers in Go's own threads: the stacks that the runtime made for them. Little, but it is what there is. */
	n.rss = n.peak = 6.5, n.stacks = 2.4, n.go_stacks = 9.6, n.threads = 205;
	struct diagnosis d = diagnose(&n, NULL, NULL);
	assert_says(&d, "205 threads hold 2.40 MB of stacks");
	assert_is(d, MECHANISM_THREADS, MECHANISM_UNKNOWN);
	/* In C: stacks that the C library mapped. */
	n = idle, n.rss = n.peak = 60, n.thread_stacks = 45, n.native = 8, n.threads = 5000;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_THREADS, MECHANISM_NATIVE);
	/* Each with a goroutine that waits for C: what the goroutines have, the threads have. */
	n = idle, n.rss = n.peak = 14.5, n.threads = 402, n.goroutines = n.goroutines_peak = 400, n.thread_stacks = 3.4, n.stacks = n.go_stacks = 4, n.objects = 2.3, n.native = 0.6;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_THREADS, MECHANISM_LIVE_HEAP);
}

static void test_native(void **state)
{
	(void)state;
	struct numbers n = idle;

	n.rss = n.peak = 302, n.native = 300.2;
	struct diagnosis d = diagnose(&n, NULL, NULL);
	assert_says(&d, "300 MB of the 302 MB that are resident are not the runtime's");
	assert_string_equal(d.disproof.value, "GOGC=10");
	assert_is(d, MECHANISM_NATIVE, MECHANISM_UNKNOWN);
	n.threads = 30;
	d = diagnose(&n, NULL, NULL);
	assert_string_equal(d.disproof.value, "MALLOC_ARENA_MAX=2");
	assert_non_null(strstr(diagnosis_remedy(&d), "free(3)"));
	diagnosis_done(&d);
	/* Nothing of C is linked in: no arenas of malloc's. */
	cleanup_json json_t *run = a_run("1.21.13", 1), *metrics = metrics_of(&n);
	json_object_set_new(json_object_get(json_object_get(run, "runtime"), "settings"), "cgo", json_integer(0));
	diagnosis_of(&(struct mechanism_facts){ .metrics = metrics, .run = run }, &d);
	assert_string_equal(d.disproof.value, "GOGC=10");
	assert_null(strstr(diagnosis_remedy(&d), "free(3)"));
	assert_is(d, MECHANISM_NATIVE, MECHANISM_UNKNOWN);
}

static void test_fragmentation(void **state)
{
	(void)state;
	struct numbers n = idle;

	/* One in eight 1 KB objects kept, Go 1.26. */
	n.rss = n.peak = 305.9, n.objects = 39.5, n.fragmentation = 256.5, n.runtime = 8.4, n.heap_inuse = 296;
	struct diagnosis d = diagnose(&n, NULL, NULL);
	assert_says(&d, "87 % of those spans");
	assert_is(d, MECHANISM_FRAGMENTATION, MECHANISM_LIVE_HEAP);
}

static void test_thp(void **state)
{
	(void)state;
	struct numbers n = idle;

	/* 64 MB given back but for a block in each huge page, and collapsed again: resident, and counted as released. */
	n.rss = 69, n.peak = 70, n.thp = 64, n.idle = 61, n.heap_idle = 0.5, n.heap_released = 62, n.objects = 2, n.heap_inuse = 2.2;
	struct diagnosis d = diagnose(&n, NULL, NULL);
	assert_says(&d, "the runtime has given back all but 512 kB");
	assert_is(d, MECHANISM_THP, MECHANISM_UNKNOWN);
	/* Without huge pages it is something else that nobody knows: the runtime's to give back, as far as one can see. */
	n.thp = 0;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_NOT_YET_SCAVENGED, MECHANISM_UNKNOWN);
}

static void test_runtime_overhead(void **state)
{
	(void)state;
	struct numbers n = idle;

	assert_is(diagnose(&n, NULL, NULL), MECHANISM_RUNTIME_OVERHEAD, MECHANISM_UNKNOWN);
	/* 20 000 deep stacks in the heap profiler's table. */
	n.rss = n.peak = 22, n.runtime = n.go_runtime = 19, n.buckets = 15;
	struct diagnosis d = diagnose(&n, NULL, NULL);
	assert_says(&d, "the heap profiler keeps 15.0 MB for call stacks");
	assert_string_equal(d.disproof.value, "memprofilerate=0");
	assert_is(d, MECHANISM_RUNTIME_OVERHEAD, MECHANISM_UNKNOWN);
	/* 50 000 goroutines have ended: their records are most of the heap, and nobody's leak. */
	n = idle, n.peak = 120, n.rss = 27, n.objects = 21, n.fragmentation = 1, n.heap_inuse = 22, n.goroutines = 2, n.goroutines_peak = 50002;
	d = diagnose(&n, NULL, NULL);
	assert_says(&d, "the records of 50 000 goroutines that have ended are 20.0 MB of the heap");
	assert_is(d, MECHANISM_RUNTIME_OVERHEAD, MECHANISM_UNKNOWN);
}

/* What any process has: less than 4 MB in use, and 6 of free heap, given back or not. */
static void test_small(void **state)
{
	(void)state;
	struct numbers n = idle;

	n.rss = n.peak = 10.5, n.objects = n.heap_inuse = 3, n.lazy = n.lazyfree = 4;
	struct diagnosis d = diagnose(&n, NULL, NULL);
	assert_true(d.small);
	assert_is(d, MECHANISM_RUNTIME_OVERHEAD, MECHANISM_UNKNOWN);
	n.rss = n.peak = 14, n.lazy = n.lazyfree = 7;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_LAZYFREE, MECHANISM_LIVE_HEAP);
	n.rss = n.peak = 9, n.lazy = n.lazyfree = 0, n.objects = n.heap_inuse = 5;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
}

/* --- boundaries ------------------------------------------------------------------------------------------------------------------------- */

static void test_two_alike_are_unknown(void **state)
{
	(void)state;
	struct numbers n = idle;

	n.rss = n.peak = 200, n.objects = 100, n.native = 90, n.heap_inuse = 100;
	struct diagnosis d = diagnose(&n, NULL, NULL);
	assert_string_equal(d.why, "live-heap and native hold about as much: 53 and 47 % of it");
	assert_says(&d, "90.0 MB are C's, or mapped directly");
	/* Nothing to be proved wrong, but something to be looked at. */
	assert_true(d.confidence < 0.001 && d.disproof.axis == NULL && d.disproof.act);
	assert_is(d, MECHANISM_UNKNOWN, MECHANISM_LIVE_HEAP);
	n.rss = n.peak = 180, n.native = 75;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_LIVE_HEAP, MECHANISM_NATIVE);
	/* The largest of many is no answer either. */
	n.rss = n.peak = 300, n.heap_inuse = 140, n.objects = 80, n.native = 60, n.fragmentation = 60, n.idle = n.heap_idle = 60, n.thread_stacks = 20;
	d = diagnose(&n, NULL, NULL);
	assert_string_equal(d.why, "live-heap holds most, but only 29 % of it");
	assert_is(d, MECHANISM_UNKNOWN, MECHANISM_LIVE_HEAP);
}

static void test_given_back_or_not(void **state)
{
	(void)state;
	struct numbers n = idle;

	n.baseline = 3, n.peak = 103, n.rss = 12, n.objects = n.heap_inuse = 8;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_RELEASED, MECHANISM_LIVE_HEAP);
	n.rss = 15, n.objects = n.heap_inuse = 11;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
}

static void test_nothing_read_of_the_runtime(void **state)
{
	(void)state;
	cleanup_json json_t *run = json_pack("{s:s, s:{s:b, s:s}}", "outcome", "ok", "runtime", "read", 0, "why", "it is no Go program");
	static const struct {
		double rss, peak, baseline, lazyfree, thp, threads;
		enum mechanism want;
	} cases[] = {
		{ 28, 828, 3, 0, 0, 5, MECHANISM_RELEASED },     { 828, 828, 3, 800, 0, 5, MECHANISM_LAZYFREE },
		{ 828, 828, 3, 300, 0, 5, MECHANISM_UNKNOWN },   { 20, 20, 3, 0, 0, 400, MECHANISM_THREADS },
		{ 828, 828, 3, 0, 800, 400, MECHANISM_UNKNOWN }, { 3, 3, 3, 0, 0, 1, MECHANISM_UNKNOWN },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct numbers n = { .rss = cases[i].rss, .peak = cases[i].peak, .baseline = cases[i].baseline, .lazyfree = cases[i].lazyfree,
				     .thp = cases[i].thp, .threads = cases[i].threads };
		double *rest = &n.objects;

		/* Everything else is missing. */
		while (rest <= &n.marked)
			if (rest == &n.threads)
				rest++;
			else
				*rest++ = NONE;

		cleanup_json json_t *metrics = metrics_of(&n);
		struct diagnosis d;

		diagnosis_of(&(struct mechanism_facts){ .metrics = metrics, .run = run }, &d);
		if (d.mechanism != cases[i].want)
			fail_msg("case %zu: %s", i, mechanism_to_string(d.mechanism));
		if (d.mechanism == MECHANISM_UNKNOWN)
			assert_string_equal(d.why, "the Go runtime could not be read: it is no Go program");
		diagnosis_done(&d);
	}
}

static void test_nothing_at_all(void **state)
{
	(void)state;
	struct diagnosis d;
	cleanup_json json_t *run = json_object();

	diagnosis_of(&(struct mechanism_facts){ 0 }, &d);
	assert_int_equal(d.mechanism, MECHANISM_UNKNOWN);
	assert_string_equal(d.why, "RSS was never read");
	diagnosis_into_run(&d, run);
	assert_string_equal(json_string_value(json_object_get(run, "mechanism")), "unknown");
	assert_true(json_is_null(json_object_get(run, "disproof")) && json_is_null(json_object_get(run, "runner_up")));
	diagnosis_done(&d);
}

/* The counters stand for the split where none was taken. */
static void test_without_a_split(void **state)
{
	(void)state;
	struct numbers n = idle;
	double *part = &n.objects;

	n.rss = n.peak = 830, n.heap_inuse = 800;
	while (part <= &n.files)
		*part++ = NONE;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
	n.heap_inuse = 1, n.heap_idle = 2;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_NATIVE, MECHANISM_UNKNOWN);
	n.heap_inuse = 1, n.lazyfree = 780;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_LAZYFREE, MECHANISM_UNKNOWN);
}

/* A heap that takes and drops in ms what was given back: at the time of the RSS it may have been resident. */
static void test_without_a_split_what_was_given_back_may_be_there(void **state)
{
	(void)state;
	struct numbers n = idle;
	double *part = &n.objects;

	n.rss = n.peak = 36, n.heap_inuse = 10, n.heap_idle = 7, n.heap_released = 34;
	while (part <= &n.files)
		*part++ = NONE;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_UNKNOWN, MECHANISM_UNKNOWN);
	n.heap_released = 5;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_NATIVE, MECHANISM_LIVE_HEAP);
}

/* --- with series ------------------------------------------------------------------------------------------------------------------------ */

#define ROWS 100

/* 100 s of a collector that finds 20 MB dead each 4 s, or that collects for the last time at `until_s`: objects and free heap sum to 26 MB above
 * what is alive for good, so that RSS is the same at any time. A split each `split_s`. */
struct cycling {
	struct go_row go[1000];
	struct sample samples[2];
	struct split_row splits[101];
	struct run_series s;
};

static void cycling_make(struct cycling *y, double live_mb, int period_s, int split_s)
{
	const double mib = (double)MIB;

	*y = (struct cycling){ .samples = { { 0, (uint64_t)((live_mb + 30) * mib), MISSING }, { 99 * NS_PER_S, (uint64_t)((live_mb + 30) * mib), MISSING } } };
	for (int i = 0; i < 1000; i++) {
		double garbage = 20.0 * (i % (10 * period_s)) / (10 * period_s);

		y->go[i] = (struct go_row){ .t_ns = i * NS_PER_S / 10 };
		y->go[i].c = (struct go_counters){ .heap_inuse_bytes = (uint64_t)((live_mb + 5 + garbage) * mib), .heap_idle_bytes = (uint64_t)((22 - garbage) * mib),
						   .runtime_bytes = 3 * MIB, .gc_count = (uint64_t)(i / (10 * period_s)), .goroutines = 1, .gc_goal_bytes = MISSING };
		if (i % (10 * split_s) == 0) {
			struct split_row *r = &y->splits[y->s.n_splits++];

			*r = (struct split_row){ .t_ns = y->go[i].t_ns };
			r->s.part[RSS_OBJECTS] = y->go[i].c.heap_inuse_bytes;
			r->s.part[RSS_IDLE] = y->go[i].c.heap_idle_bytes;
			r->s.part[RSS_RUNTIME] = 3 * MIB;
			r->s.resident_bytes = (uint64_t)((live_mb + 30) * mib);
		}
	}
	y->s.go = y->go, y->s.n_go = 1000, y->s.samples = y->samples, y->s.n_samples = 2, y->s.splits = y->splits;
}

/* The last tenth's median is that of one moment: objects, or free heap. Told is neither, whichever it is. */
static void test_what_takes_and_drops_all_the_time(void **state)
{
	(void)state;
	static struct cycling y;
	struct numbers n = idle;

	n.rss = n.peak = 30, n.runtime = 3;
	for (int at = 0; at < 3; at++) {
		n.objects = n.heap_inuse = (const double[]){ 5, 15, 25 }[at];
		n.idle = n.heap_idle = 27 - n.objects;
		cycling_make(&y, 0, 4, 1);
		struct diagnosis d = diagnose(&n, &y.s, NULL);
		assert_true(d.churns);
		assert_string_equal(d.why, "it takes and drops 19.5 MB all the time: objects in the heap 5.00 to 24.5 MB, free heap 2.50 to 22.0 MB: no single thing holds it");
		assert_non_null(strstr(d.disproof.act, "alloc_space"));
		assert_true(d.disproof.axis == NULL);
		assert_says(&d, "are objects in the heap, on average");
		assert_true(fabs(d.by[MECHANISM_LIVE_HEAP] / (double)MIB - 14.75) < 0.2 && fabs(d.by[MECHANISM_NOT_YET_SCAVENGED] / (double)MIB - 12.25) < 0.2);
		assert_is(d, MECHANISM_UNKNOWN, MECHANISM_LIVE_HEAP);
	}
	/* The same of a few splits: the counters know what was between them. */
	cycling_make(&y, 0, 4, 30);
	struct diagnosis d = diagnose(&n, &y.s, NULL);
	assert_true(d.churns);
	assert_is(d, MECHANISM_UNKNOWN, MECHANISM_LIVE_HEAP);
}

/* Where much is alive all the time the garbage beside it decides nothing. */
static void test_garbage_beside_much_that_is_alive(void **state)
{
	(void)state;
	static struct cycling y;
	struct numbers n = idle;

	cycling_make(&y, 60, 4, 1);
	n.rss = n.peak = 90, n.objects = n.heap_inuse = 65, n.idle = n.heap_idle = 22, n.runtime = 3;
	struct diagnosis d = diagnose(&n, &y.s, NULL);
	assert_false(d.churns);
	assert_true(fabs(d.by[MECHANISM_LIVE_HEAP] / (double)MIB - 74.75) < 0.2);
	assert_is(d, MECHANISM_LIVE_HEAP, MECHANISM_NOT_YET_SCAVENGED);
}

/* What is not at work is told what it has now: one that stopped, and one that the runtime collects each two minutes. */
static void test_what_has_stopped_is_told_by_its_end(void **state)
{
	(void)state;
	static struct cycling y;
	struct numbers n = idle;

	n.rss = n.peak = 30, n.objects = n.heap_inuse = 5, n.idle = n.heap_idle = 22, n.runtime = 3;
	cycling_make(&y, 0, 4, 1);
	for (int i = 880; i < 1000; i++)
		y.go[i].c.gc_count = 22;
	assert_is(diagnose(&n, &y.s, NULL), MECHANISM_NOT_YET_SCAVENGED, MECHANISM_LIVE_HEAP);
	cycling_make(&y, 0, 4, 1);
	for (int i = 0; i < 1000; i++)
		y.go[i].t_ns *= 30;
	for (size_t i = 0; i < y.s.n_splits; i++)
		y.splits[i].t_ns *= 30;
	y.samples[1].t_ns *= 30;
	assert_is(diagnose(&n, &y.s, NULL), MECHANISM_NOT_YET_SCAVENGED, MECHANISM_LIVE_HEAP);
	/* Three in its last phase are too few, unless RSS has settled. */
	struct mark dropped = { .t_ns = 85 * NS_PER_S, .name = "dropped", .by = 'p' };

	cycling_make(&y, 0, 4, 1);
	y.s.marks = &dropped, y.s.n_marks = 1;
	struct diagnosis d = diagnose(&n, &y.s, NULL);
	assert_true(d.churns);
	diagnosis_done(&d);
	n.rss = NONE;
	d = diagnose(&n, &y.s, NULL);
	assert_false(d.churns);
	diagnosis_done(&d);
}

/* Goroutines that climb to 300 in the first half, and a heap that climbs to 60 MB with them, or at once, or before them. */
static void series_make(struct run_series *s, struct go_row *rows, struct mark *mark, double (*heap_mb)(int i))
{
	for (int i = 0; i < ROWS; i++) {
		rows[i] = (struct go_row){ .t_ns = (int64_t)i * NS_PER_S };
		rows[i].c = (struct go_counters){ .goroutines = (uint64_t)(1 + (i < 50 ? 6 * i : 300)), .heap_inuse_bytes = (uint64_t)(heap_mb(i) * (double)MIB),
						  .gc_count = (uint64_t)(i < 60 ? i / 10 : 6) };
	}
	*mark = (struct mark){ .t_ns = NS_PER_S, .name = "load", .by = 'p' };
	*s = (struct run_series){ .go = rows, .n_go = ROWS, .marks = mark, .n_marks = 1 };
}

static double with_them(int i)
{
	double live = i < 50 ? 1.2 * i : 60;

	return 1 + live + (i % 7) * live / 10; /* saw teeth */
}

static double at_once(int i)
{
	return i < 3 ? 1 : 61;
}

static double late(int i)
{
	return i < 90 ? 1 : 61;
}

static void test_a_heap_that_came_with_goroutines(void **state)
{
	(void)state;
	struct run_series s;
	struct go_row rows[ROWS];
	struct mark mark;
	struct numbers n = idle;

	n.rss = n.peak = 70, n.objects = 60, n.stacks = n.go_stacks = 2.5, n.heap_inuse = 61, n.goroutines = n.goroutines_peak = 301;
	series_make(&s, rows, &mark, with_them);
	struct diagnosis d = diagnose(&n, &s, NULL);
	assert_says(&d, "of the heap came with them and stayed with them");
	assert_is(d, MECHANISM_GOROUTINES, MECHANISM_UNKNOWN);

	/* Not where it came for reasons of its own, */
	series_make(&s, rows, &mark, at_once);
	assert_is(diagnose(&n, &s, NULL), MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
	series_make(&s, rows, &mark, late);
	assert_is(diagnose(&n, &s, NULL), MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
	/* nor where they are gone, */
	series_make(&s, rows, &mark, with_them);
	n.goroutines = 20;
	assert_is(diagnose(&n, &s, NULL), MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
	/* nor where they are a handful. */
	for (int i = 0; i < ROWS; i++)
		rows[i].c.goroutines = rows[i].c.goroutines / 10 + 1;
	n.goroutines = n.goroutines_peak = 31;
	assert_is(diagnose(&n, &s, NULL), MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
}

static void test_the_age_of_the_last_collection(void **state)
{
	(void)state;
	struct run_series s;
	struct go_row rows[ROWS];
	struct mark mark;
	struct numbers n = idle;

	series_make(&s, rows, &mark, at_once);
	n.rss = n.peak = 70, n.objects = 60, n.heap_inuse = 61, n.gc_count = 6;
	struct diagnosis d = diagnose(&n, &s, NULL);
	assert_says(&d, "the last of 6 garbage collections was 39 s before the end");
	diagnosis_done(&d);
}

static struct split_row split_at(int64_t t_s, double objects_mb, double native_mb)
{
	struct split_row r = { .t_ns = t_s * NS_PER_S };

	r.s.part[RSS_OBJECTS] = (uint64_t)(objects_mb * (double)MIB);
	r.s.part[RSS_NATIVE] = (uint64_t)(native_mb * (double)MIB);
	r.s.resident_bytes = r.s.part[RSS_OBJECTS] + r.s.part[RSS_NATIVE];
	return r;
}

/* A service with a cache of 500 MB that leaks C memory: asked is what grows. */
static void test_what_grows(void **state)
{
	(void)state;
	struct split_row splits[] = { split_at(1, 500, 10), split_at(50, 500, 100), split_at(100, 505, 200) };
	struct sample samples[] = { { 0, 510 * MIB, MISSING }, { 50 * NS_PER_S, 600 * MIB, MISSING }, { 100 * NS_PER_S, 705 * MIB, MISSING } };
	struct mark mark = { .t_ns = 2 * NS_PER_S, .name = "load", .by = 'p' };
	struct run_series s = { .splits = splits, .n_splits = 3, .samples = samples, .n_samples = 3, .marks = &mark, .n_marks = 1 };
	struct numbers n = idle;
	cleanup_json json_t *run = a_run("1.21.13", 1);
	struct diagnosis d;

	n.rss = NONE, n.peak = 705, n.objects = n.heap_inuse = 505, n.native = 190;
	cleanup_json json_t *metrics = metrics_of(&n);
	json_object_set_new(metrics, "slope_bytes_per_s", json_real(2e6));
	/* The last splits are what the curves end with, not the medians. */
	struct mechanism_facts facts = { .metrics = metrics, .run = run, .series = &s };
	diagnosis_of(&facts, &d);
	assert_true(d.growing);
	assert_says(&d, "RSS is 705 MB and grows by 1.91 MB a second: the answer is about what came on top");
	assert_string_equal(d.since, "since the load began");
	assert_is(d, MECHANISM_NATIVE, MECHANISM_UNKNOWN);
	/* One that has come down from its peak does not grow. */
	json_object_set_new(metrics, "peak_rss_bytes", json_real(1500e6));
	diagnosis_of(&facts, &d);
	assert_false(d.growing);
	assert_is(d, MECHANISM_LIVE_HEAP, MECHANISM_NATIVE);
}

/* Mapped files and shared memory are no mechanism, but they are not nothing. */
static void test_files(void **state)
{
	(void)state;
	struct numbers n = idle;
	struct diagnosis d;

	n.rss = n.peak = 403, n.baseline = NONE, n.files = 401;
	d = diagnose(&n, NULL, NULL);
	assert_true(d.of_files && !d.small);
	assert_non_null(strstr(d.why, "401 MB of the 403 MB that are resident are files'"));
	assert_says(&d, "401 MB are pages of files or shared memory");
	assert_non_null(strstr(d.disproof.act, "/proc/PID/smaps"));
	assert_non_null(strstr(d.disproof.act, "shared memory (RssShmem of /proc/PID/status: memfd, /dev/shm) only who made it gives back"));
	assert_is(d, MECHANISM_UNKNOWN, MECHANISM_UNKNOWN);
	/* Beside a heap that is as large: neither. */
	n.rss = n.peak = 803, n.objects = n.heap_inuse = 400;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_UNKNOWN, MECHANISM_LIVE_HEAP);
	n.rss = n.peak = 503, n.files = 100;
	d = diagnose(&n, NULL, NULL);
	assert_says(&d, "100 MB are pages of files or shared memory");
	assert_is(d, MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
	/* What came down, but for them. */
	n = idle, n.peak = 5000, n.rss = 403, n.files = 401;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_UNKNOWN, MECHANISM_UNKNOWN);
	/* A large binary. */
	n = idle, n.rss = n.peak = 18, n.files = 16;
	d = diagnose(&n, NULL, NULL);
	assert_true(d.small);
	assert_is(d, MECHANISM_RUNTIME_OVERHEAD, MECHANISM_UNKNOWN);
}

/* Variables of the program lie in data and bss beside the runtime's: they are not its own. */
static void test_variables_of_the_program(void **state)
{
	(void)state;
	struct numbers n = idle;
	struct diagnosis d;

	n.rss = n.peak = 203, n.runtime = 201;
	d = diagnose(&n, NULL, NULL);
	assert_non_null(strstr(d.why, "are variables of the program itself"));
	assert_says(&d, "201 MB are data and bss of the binary and the runtime's own; the runtime accounts for 3.00 MB");
	assert_is(d, MECHANISM_UNKNOWN, MECHANISM_UNKNOWN);
	n.go_runtime = 200;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_RUNTIME_OVERHEAD, MECHANISM_UNKNOWN);
	n.go_runtime = NONE; /* not known: nothing else can be said than before */
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_RUNTIME_OVERHEAD, MECHANISM_UNKNOWN);
}

/* jemalloc frees by MADV_FREE: the split has it as native, the kernel tells. */
static void test_lazily_freed_by_c(void **state)
{
	(void)state;
	struct numbers n = idle;

	n.rss = n.peak = 303, n.native = 300, n.lazyfree = 290;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_LAZYFREE, MECHANISM_UNKNOWN);
	n.lazyfree = 100;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_NATIVE, MECHANISM_LAZYFREE);
}

/* 100 MB of objects, 3 MB more in the time it was watched: that is not all there is. */
static void test_little_growth_of_much(void **state)
{
	(void)state;
	struct split_row splits[] = { split_at(1, 97, 0), split_at(5, 98, 0), split_at(10, 100, 0) };
	struct sample samples[] = { { 0, 97 * MIB, MISSING }, { 5 * NS_PER_S, 98 * MIB, MISSING }, { 10 * NS_PER_S, 100 * MIB, MISSING } };
	struct run_series s = { .splits = splits, .n_splits = 3, .samples = samples, .n_samples = 3 };
	struct numbers n = idle;
	cleanup_json json_t *run = a_run("1.21.13", 1);
	struct diagnosis d;

	n.rss = NONE, n.peak = 100, n.objects = n.heap_inuse = 100;
	cleanup_json json_t *metrics = metrics_of(&n);
	json_object_set_new(metrics, "slope_bytes_per_s", json_real(3e5));
	struct mechanism_facts facts = { .metrics = metrics, .run = run, .series = &s };
	diagnosis_of(&facts, &d);
	assert_false(d.small || d.growing);
	assert_says(&d, "RSS is 100 MB and grows by 293 kB a second: too little came");
	assert_is(d, MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
}

/* Of 240 MB 157 survived the last collection; but of the 70 that came since it was watched nobody knows. */
static void test_what_grew_since_the_last_collection(void **state)
{
	(void)state;
	struct split_row splits[] = { split_at(1, 170, 0), split_at(5, 200, 0), split_at(10, 240, 0) };
	struct sample samples[] = { { 0, 170 * MIB, MISSING }, { 5 * NS_PER_S, 200 * MIB, MISSING }, { 10 * NS_PER_S, 240 * MIB, MISSING } };
	struct run_series s = { .splits = splits, .n_splits = 3, .samples = samples, .n_samples = 3 };
	struct numbers n = idle;
	cleanup_json json_t *run = a_run("1.21.13", 1);
	struct diagnosis d;

	n.rss = NONE, n.peak = 240, n.objects = n.heap_inuse = 240, n.marked = 157;
	cleanup_json json_t *metrics = metrics_of(&n);
	json_object_set_new(metrics, "slope_bytes_per_s", json_real(7e6));
	struct mechanism_facts facts = { .metrics = metrics, .run = run, .series = &s };
	diagnosis_of(&facts, &d);
	assert_true(d.growing && d.survived < 0.01 && d.disproof.rss == DISPROOF_EITHER);
	assert_non_null(strstr(diagnosis_remedy(&d), "as far as it is garbage"));
	assert_is(d, MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
	/* 56 of the 70 survived one. */
	json_object_set_new(metrics, "heap_marked_settled_bytes", json_real(226.0 * (double)MIB));
	diagnosis_of(&facts, &d);
	assert_true(d.survived > 0.79 && d.survived < 0.81);
	assert_is(d, MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
}

/* A split from before the fall, held for minutes on a busy machine, is not what the counters say now: the last one is, or they are. */
static void test_a_split_that_is_out_of_date(void **state)
{
	(void)state;
	struct split_row splits[] = { split_at(5, 800, 0), split_at(651, 0.1, 0) };
	struct run_series s = { .splits = splits, .n_splits = 2 };
	struct numbers n = idle;

	n.rss = n.peak = 804, n.objects = 800, n.lazyfree = 800, n.heap_inuse = 0.3, n.heap_released = 802;
	splits[1].s.part[RSS_LAZYFREE] = 800 * MIB;
	splits[1].s.part[RSS_OBJECTS] = MIB / 4;
	assert_is(diagnose(&n, &s, NULL), MECHANISM_LAZYFREE, MECHANISM_UNKNOWN);
	s.n_splits = 1;
	assert_is(diagnose(&n, &s, NULL), MECHANISM_LAZYFREE, MECHANISM_UNKNOWN);
}

/* Nor is one that was taken while the kernel was still being told: LazyFree is read every second. */
static void test_more_is_lazily_freed_than_the_split_knows(void **state)
{
	(void)state;
	struct numbers n = idle;

	n.rss = n.peak = 208.8, n.idle = 197, n.lazy = 3.1, n.lazyfree = 200, n.thp = 198, n.runtime = 6.7, n.heap_released = 210;
	assert_is(diagnose(&n, NULL, NULL), MECHANISM_LAZYFREE, MECHANISM_UNKNOWN);
}

/* Killed at its limit: there are no settled values, but there is a last look. */
static void test_what_a_killed_process_had(void **state)
{
	(void)state;
	struct split_row splits[] = { split_at(1, 2, 1), split_at(50, 180, 1) };
	struct sample samples[] = { { 0, 3 * MIB, MISSING }, { 50 * NS_PER_S, 60 * MIB, MISSING } }; /* half torn down when last looked at */
	struct run_series s = { .splits = splits, .n_splits = 2, .samples = samples, .n_samples = 2 };
	cleanup_json json_t *run = json_pack("{s:s, s:{s:b}}", "outcome", "oom-cgroup", "runtime", "read", 1);
	cleanup_json json_t *metrics = json_pack("{s:f}", "peak_rss_bytes", 200e6);
	struct diagnosis d;

	diagnosis_of(&(struct mechanism_facts){ .metrics = metrics, .run = run, .series = &s }, &d);
	assert_true(d.rss_bytes > 199e6);
	assert_is(d, MECHANISM_LIVE_HEAP, MECHANISM_UNKNOWN);
}

/* It died of its threads within a moment: the only split is from before they came, and the last RSS is what was not torn down yet. */
static void test_what_a_process_had_that_died_of_threads(void **state)
{
	(void)state;
	struct split_row splits[] = { split_at(0, 1, 0.8) };
	struct sample samples[] = { { 0, 2 * MIB, MISSING }, { 12 * NS_PER_S, 2 * MIB, MISSING } };
	struct go_row rows[] = { { .t_ns = 12 * NS_PER_S, .c = { .heap_inuse_bytes = 3 * MIB / 4, .stacks_bytes = 10 * MIB, .runtime_bytes = 4 * MIB,
								  .goroutines = 199, .threads_made = 201 } } };
	struct run_series s = { .splits = splits, .n_splits = 1, .samples = samples, .n_samples = 2, .go = rows, .n_go = 1 };
	cleanup_json json_t *run = json_pack("{s:s, s:{s:b}}", "outcome", "go-fatal", "runtime", "read", 1);
	cleanup_json json_t *metrics = json_pack("{s:f, s:f, s:f}", "peak_rss_bytes", 5.3e6, "threads_peak", 200.0, "goroutines_peak", 200.0);
	struct diagnosis d;

	diagnosis_of(&(struct mechanism_facts){ .metrics = metrics, .run = run, .series = &s }, &d);
	assert_is(d, MECHANISM_THREADS, MECHANISM_LIVE_HEAP);
}

/* A record may say anything. */
static void test_absurd_numbers(void **state)
{
	(void)state;
	struct numbers n = idle;

	n.goroutines = n.goroutines_peak = n.threads = n.gc_count = 1e300, n.rss = n.peak = 500, n.stacks = n.go_stacks = 400, n.objects = n.heap_inuse = 50;
	struct diagnosis d = diagnose(&n, NULL, "{\"snapshots\": [{\"groups\": [7, {\"count\": \"x\", \"function\": 3}, {\"count\": 1e300, \"function\": \"f\"}]}]}");
	assert_true(d.mechanism == MECHANISM_THREADS || d.mechanism == MECHANISM_GOROUTINES);
	assert_says(&d, "1 000 000 000 000 000 000");
	diagnosis_done(&d);
}

/* What is set already is not advised, nor tried. */
static void test_settings_that_are_there_are_respected(void **state)
{
	(void)state;
	static const struct {
		bool off;
		int limit_mb; /* 0: none */
		const char *axis, *value, *says, *says_not;
	} cases[] = {
		{ false, 0, "env", "GOMEMLIMIT=40MiB", "GOMEMLIMIT (Go 1.19", "GOGC" },
		{ false, 400, "env", "GOMEMLIMIT=40MiB", "only a lower one", "GOMEMLIMIT" },
		{ false, 39, "for", "4", "only a lower one", "GOMEMLIMIT" },
		{ true, 400, "env", "GOMEMLIMIT=40MiB", "GOGC is off, and the runtime keeps what its memory limit allows", "GOMEMLIMIT" },
		{ true, 39, NULL, "", "GOGC is off", "GOMEMLIMIT" },
		{ true, 0, "env", "GOMEMLIMIT=40MiB", "GOGC is off, and there is no memory limit", "Time," },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct numbers n = idle;
		cleanup_json json_t *run = a_run("1.23.1", 1), *settings = json_incref(json_object_get(json_object_get(run, "runtime"), "settings"));
		struct diagnosis d;

		n.rss = n.peak = 303, n.heap_idle = 300, n.heap_inuse = 30, n.idle = 300;
		json_object_set_new(settings, "gogc", cases[i].off ? json_null() : json_integer(100));
		json_object_set_new(settings, "memory_limit_bytes", cases[i].limit_mb ? json_integer(cases[i].limit_mb * (json_int_t)MIB) : json_null());
		cleanup_json json_t *metrics = metrics_of(&n);
		diagnosis_of(&(struct mechanism_facts){ .metrics = metrics, .run = run }, &d);
		assert_int_equal(d.mechanism, MECHANISM_NOT_YET_SCAVENGED);
		assert_true((d.disproof.axis == NULL) == (cases[i].axis == NULL));
		if (cases[i].axis)
			assert_string_equal(d.disproof.axis, cases[i].axis);
		assert_string_equal(d.disproof.value, cases[i].value);
		if (!strstr(diagnosis_remedy(&d), cases[i].says) || strstr(diagnosis_remedy(&d), cases[i].says_not))
			fail_msg("case %zu: %s", i, diagnosis_remedy(&d));
		assert_non_null(strstr(d.disproof.act, cases[i].off ? "waiting does not help" : "or wait"));
		diagnosis_done(&d);
	}
}

static void test_disproofs(void **state)
{
	(void)state;
	static const struct {
		const char *version;
		int madvdontneed;
		bool idle;
		const char *axis, *value;
	} cases[] = {
		{ "1.15.15", 0, false, "godebug", "madvdontneed=1" }, { "1.22.1", 0, false, "godebug", "madvdontneed=1" },
		{ "1.22.1", 1, false, NULL, "" },                     { "1.11.13", 0, true, "godebug", "scavenge=1" },
		{ "1.12.17", 0, true, "godebug", "madvdontneed=1,scavenge=1" }, { "1.15.15", 0, true, "for", "4" },
		{ "1.19.13", 1, true, "env", "GOMEMLIMIT=40MiB" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct numbers n = idle;
		cleanup_json json_t *run = a_run(cases[i].version, cases[i].madvdontneed);
		struct diagnosis d;

		n.rss = n.peak = 303, n.heap_idle = 300, n.heap_inuse = 30;
		if (cases[i].idle)
			n.idle = 300;
		else
			n.lazy = n.lazyfree = 300;
		cleanup_json json_t *metrics = metrics_of(&n);
		diagnosis_of(&(struct mechanism_facts){ .metrics = metrics, .run = run }, &d);
		if (cases[i].axis)
			assert_string_equal(d.disproof.axis, cases[i].axis);
		else
			assert_null(d.disproof.axis);
		assert_string_equal(d.disproof.value, cases[i].value);
		assert_true(!cases[i].axis || d.disproof.rss == DISPROOF_FALLS);
		diagnosis_done(&d);
	}
}

/* A bundled program can be asked to free: what is idle goes by it, what is used stays. Not where a run has no given length, or RSS would not show it. */
static void test_disproofs_by_freeing(void **state)
{
	(void)state;
	static const struct {
		const char *version, *kind, *ended_by;
		bool idle;
		const char *axis, *value;
	} cases[] = {
		{ "1.18.10", "bundled", "supervisor", true, "env", "MEMTIDE_FREE_AT=30s" },
		{ "1.18.10", "module", "supervisor", true, "for", "4" },
		{ "1.18.10", "bundled", "program", true, "for", "4" },
		{ "1.13.15", "bundled", "supervisor", true, "for", "4" },
		{ "1.21.13", "bundled", "supervisor", false, "env", "MEMTIDE_FREE_AT=30s" },
		{ "1.11.13", "bundled", "supervisor", false, "env", "MEMTIDE_FREE_AT=30s" },
		{ "1.14.15", "bundled", "supervisor", false, "env", "GOGC=10" },
		{ "1.21.13", "command", "supervisor", false, "env", "GOGC=10" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct numbers n = idle;
		cleanup_json json_t *run = a_run(cases[i].version, 1);
		struct diagnosis d;

		json_object_set_new(run, "program", json_pack("{s:s}", "kind", cases[i].kind));
		json_object_set_new(run, "ended_by", json_string(cases[i].ended_by));
		json_object_set_new(run, "target_s", json_real(40.5));
		n.rss = n.peak = 303;
		if (cases[i].idle)
			n.heap_idle = 300, n.heap_inuse = 30, n.idle = 300;
		else
			n.heap_inuse = 300, n.objects = 300;
		cleanup_json json_t *metrics = metrics_of(&n);
		diagnosis_of(&(struct mechanism_facts){ .metrics = metrics, .run = run }, &d);
		assert_int_equal(d.mechanism, cases[i].idle ? MECHANISM_NOT_YET_SCAVENGED : MECHANISM_LIVE_HEAP);
		if (strcmp(d.disproof.axis ?: "none", cases[i].axis) || strcmp(d.disproof.value, cases[i].value))
			fail_msg("case %zu: %s %s", i, d.disproof.axis ?: "none", d.disproof.value);
		assert_true((d.disproof.rss == DISPROOF_FALLS) == cases[i].idle);
		diagnosis_done(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_released),
		cmocka_unit_test(test_lazyfree),
		cmocka_unit_test(test_not_yet_scavenged),
		cmocka_unit_test(test_live_heap),
		cmocka_unit_test(test_survivors),
		cmocka_unit_test(test_garbage_that_nothing_collects),
		cmocka_unit_test(test_a_finalizer_that_never_ends),
		cmocka_unit_test(test_goroutines),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_native),
		cmocka_unit_test(test_fragmentation),
		cmocka_unit_test(test_thp),
		cmocka_unit_test(test_runtime_overhead),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_two_alike_are_unknown),
		cmocka_unit_test(test_given_back_or_not),
		cmocka_unit_test(test_nothing_read_of_the_runtime),
		cmocka_unit_test(test_nothing_at_all),
		cmocka_unit_test(test_without_a_split),
		cmocka_unit_test(test_without_a_split_what_was_given_back_may_be_there),
		cmocka_unit_test(test_a_heap_that_came_with_goroutines),
		cmocka_unit_test(test_the_age_of_the_last_collection),
		cmocka_unit_test(test_what_takes_and_drops_all_the_time),
		cmocka_unit_test(test_garbage_beside_much_that_is_alive),
		cmocka_unit_test(test_what_has_stopped_is_told_by_its_end),
		cmocka_unit_test(test_what_grows),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_variables_of_the_program),
		cmocka_unit_test(test_lazily_freed_by_c),
		cmocka_unit_test(test_little_growth_of_much),
		cmocka_unit_test(test_what_grew_since_the_last_collection),
		cmocka_unit_test(test_a_split_that_is_out_of_date),
		cmocka_unit_test(test_more_is_lazily_freed_than_the_split_knows),
		cmocka_unit_test(test_what_a_killed_process_had),
		cmocka_unit_test(test_what_a_process_had_that_died_of_threads),
		cmocka_unit_test(test_absurd_numbers),
		cmocka_unit_test(test_settings_that_are_there_are_respected),
		cmocka_unit_test(test_disproofs),
		cmocka_unit_test(test_disproofs_by_freeing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
