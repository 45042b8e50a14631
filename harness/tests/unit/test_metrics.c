/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyse/metrics.h"
#include "plan/metric.h"
#include "base/alloc.h"
#include "base/units.h"
#include "record/reader.h"

#define MS NS_PER_MS
#define MB ((double)MIB)

/* A run: 5 MB at exec, `load` at 100 ms, 800 MB at 400 ms, `loaded`, `dropped` at 1 s, then what `after` says; 11 s long. */
struct fixture {
	struct sample samples[64];
	struct probe probes[64];
	struct mark marks[8];
	struct run_series series;
	struct run_facts facts;
	json_t *metrics, *missing;
};

static void sample(struct fixture *f, int64_t t_ms, double mb)
{
	f->samples[f->series.n_samples++] = (struct sample){ t_ms * MS, (uint64_t)(mb * MB), MISSING };
}

static void slow_probe(struct fixture *f, int64_t t_ms, double lazyfree_mb)
{
	f->probes[f->series.n_probes++] = (struct probe){ .t_ns = t_ms * MS,
							  .threads = 5,
							  .cpu_ns = MISSING,
							  .hwm_bytes = MISSING,
							  .inactive_file_bytes = MISSING,
							  .working_set_bytes = (uint64_t)(8 * MB),
							  .pss_bytes = MISSING,
							  .lazyfree_bytes = (uint64_t)(lazyfree_mb * MB),
							  .thp_bytes = 0,
							  .swap_bytes = 0 };
}

static void mark(struct fixture *f, int64_t t_ms, const char *name)
{
	struct mark *m = &f->marks[f->series.n_marks++];

	*m = (struct mark){ .t_ns = t_ms * MS, .by = 'p' };
	strcpy(m->name, name);
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->series.samples = f->samples;
	f->series.probes = f->probes;
	f->series.marks = f->marks;
	f->facts = (struct run_facts){ .outcome = OUTCOME_OK,
				       .end_ns = 11 * NS_PER_S,
				       .end = { MISSING, MISSING, MISSING, MISSING, MISSING, MISSING } };
	sample(f, 0, 1);
	sample(f, 2, 5);
	sample(f, 100, 5);
	sample(f, 200, 300);
	sample(f, 400, 800);
	sample(f, 1000, 800);
	mark(f, 100, "load");
	mark(f, 400, "loaded");
	mark(f, 1000, "dropped");
	*state = f;
	return 0;
}

static void test_what_the_program_told(void **state)
{
	struct fixture *f = *state;
	struct told told[] = { { 100 * MS, "goroutines", 7 }, { 200 * MS, "goroutines", 9 }, { 300 * MS, "operations", 0 } };

	f->series.told = told;
	f->series.n_told = 3;
	metrics_compute(&f->series, &f->facts, &f->metrics, &f->missing);
	assert_int_equal(json_integer_value(json_object_get(f->metrics, "goroutines_settled")), 9);
	assert_int_equal(json_integer_value(json_object_get(f->metrics, "operations")), 0);
	assert_null(json_object_get(f->metrics, "gc_count"));
	assert_string_equal(json_string_value(json_object_get(f->missing, "gc_count")), "the program did not tell gc_count");
}

static void test_what_a_program_told_that_died(void **state)
{
	struct fixture *f = *state;
	struct told told[] = { { 100 * MS, "goroutines", 7 }, { 300 * MS, "operations", 3 } };

	f->series.told = told;
	f->series.n_told = 2;
	f->facts.outcome = OUTCOME_GO_FATAL;
	metrics_compute(&f->series, &f->facts, &f->metrics, &f->missing);
	assert_null(json_object_get(f->metrics, "goroutines_settled"));
	assert_int_equal(json_integer_value(json_object_get(f->metrics, "operations")), 3);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	json_decref(f->metrics);
	json_decref(f->missing);
	free(f);
	return 0;
}

static void compute(struct fixture *f)
{
	json_decref(f->metrics);
	json_decref(f->missing);
	metrics_compute(&f->series, &f->facts, &f->metrics, &f->missing);
}

static double value(const struct fixture *f, const char *name)
{
	const json_t *v = json_object_get(f->metrics, name);

	if (!json_is_number(v))
		fail_msg("%s is missing: %s", name, json_string_value(json_object_get(f->missing, name)));
	assert_null(json_object_get(f->missing, name));
	return json_number_value(v);
}

static void assert_about(double have, double want)
{
	if (have < want - 1e-6 || have > want + 1e-6)
		fail_msg("%.9g instead of %.9g", have, want);
}

static void assert_why(const struct fixture *f, const char *name, const char *why)
{
	assert_null(json_object_get(f->metrics, name));
	assert_non_null(json_object_get(f->missing, name));
	assert_string_equal(json_string_value(json_object_get(f->missing, name)), why);
}

static void test_released(void **state)
{
	struct fixture *f = *state;

	sample(f, 1050, 700);
	sample(f, 1100, 84.5);
	sample(f, 1110, 20);
	slow_probe(f, 9000, 0);
	compute(f);
	assert_about(value(f, "peak_rss_bytes"), 800 * MB);
	assert_about(value(f, "baseline_rss_bytes"), 5 * MB);
	assert_about(value(f, "settled_rss_bytes"), 20 * MB);
	assert_about(value(f, "first_fall_s"), 0.05);
	assert_about(value(f, "release_s"), 0.1);
	assert_about(value(f, "released_share"), 780.0 / 795);

	/* RSS at the bound counts: 5 + 79.5 MB. One page more does not. */
	f->samples[7].rss_bytes += 4096;
	compute(f);
	assert_about(value(f, "release_s"), 0.11);
}

static void test_lazyfree_is_held(void **state)
{
	struct fixture *f = *state;

	slow_probe(f, 1000, 0);
	slow_probe(f, 1200, 790);
	/* A fast probe tells nothing about LazyFree. */
	slow_probe(f, 10500, 0);
	f->probes[2].lazyfree_bytes = MISSING;
	compute(f);
	assert_about(value(f, "settled_rss_bytes"), 800 * MB);
	assert_about(value(f, "lazyfree_settled_bytes"), 790 * MB);
	assert_about(value(f, "working_set_settled_bytes"), 8 * MB);
	assert_about(value(f, "thp_settled_bytes"), 0);
	assert_about(value(f, "threads_settled"), 5);
	assert_about(value(f, "released_share"), 0);
	assert_why(f, "first_fall_s", "RSS never fell below 95 % of its peak within 10.0 s");
	assert_why(f, "release_s", "RSS never fell to its baseline and 10 % of what came on top within 10.0 s");
}

static void test_held(void **state)
{
	struct fixture *f = *state;

	slow_probe(f, 1200, 10);
	compute(f);
}

static void test_peak_between_samples(void **state)
{
	struct fixture *f = *state;

	f->facts.end.hwm_bytes = 900 * MIB;
	compute(f);
	assert_about(value(f, "peak_rss_bytes"), 900 * MB);
	slow_probe(f, 500, 0);
	f->probes[0].hwm_bytes = 950 * MIB;
	compute(f);
	assert_about(value(f, "peak_rss_bytes"), 950 * MB);
	f->series.n_samples = f->series.n_probes = 0;
	f->facts.end.hwm_bytes = MISSING;
	compute(f);
	assert_why(f, "peak_rss_bytes", "RSS was never read");
	assert_why(f, "released_share", "no peak");
}

/* Flat for the last tenth, and for as long before each step. */
static void test_a_staircase_has_not_settled(void **state)
{
	static const struct {
		int64_t step_ms[4]; /* 100 MB more at each; 0: none */
		double end_mb;      /* from 500 ms after the last one on; 0: as it is */
		bool mark;          /* after the last step */
		bool settled;
	} cases[] = {
		{ { 2500, 4500, 6500, 8500 }, 0, false, false },
		{ { 2000, 4500, 7000, 9500 }, 0, false, false },
		{ { 1500, 3000, 4500, 6000 }, 0, false, true },  /* as flat as ever for thrice as long */
		{ { 2000, 9000, 0, 0 }, 0, false, true },        /* two are no staircase */
		{ { 2000, 4000, 6000, 8000 }, 50, false, true }, /* it has come down */
		{ { 2000, 4000, 6000, 8000 }, 0, true, true },   /* the program says that what made it climb is over */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t last = 0;
		double mb = 5;

		f->series.n_samples = f->series.n_marks = 0;
		sample(f, 0, 5);
		for (size_t k = 0; k < 4 && cases[i].step_ms[k]; k++) {
			sample(f, last = cases[i].step_ms[k], mb += 50);
			sample(f, last + 20, mb += 50);
		}
		if (cases[i].end_mb > 0)
			sample(f, last + 500, cases[i].end_mb);
		if (cases[i].mark)
			mark(f, last + 600, "after-load");
		for (int64_t t = last + 1000; t <= 11000; t += 250)
			sample(f, t, cases[i].end_mb > 0 ? cases[i].end_mb : mb);
		compute(f);
		assert_int_equal(json_is_number(json_object_get(f->metrics, "settled_rss_bytes")), cases[i].settled);
		if (!cases[i].settled)
			assert_non_null(strstr(json_string_value(json_object_get(f->missing, "settled_rss_bytes")), "it climbs in steps up to"));
	}
}

static void test_still_moving(void **state)
{
	struct fixture *f = *state;

	/* The last tenth begins at 9.9 s, where 800 MB still hold. */
	sample(f, 10000, 784);
	compute(f);
	assert_about(value(f, "settled_rss_bytes"), 784 * MB);
	f->samples[6].rss_bytes = 783 * MIB;
	compute(f);
	assert_why(f, "settled_rss_bytes", "still moving at the end: by 2.1 % of the peak in the last tenth of the run");
	assert_why(f, "released_share", "still moving at the end: by 2.1 % of the peak in the last tenth of the run");
}

static void test_run_cut_short(void **state)
{
	struct fixture *f = *state;

	slow_probe(f, 1200, 10);
	f->facts.outcome = OUTCOME_OOM_CGROUP;
	compute(f);
	assert_why(f, "settled_rss_bytes", "the run did not end as planned (outcome oom-cgroup)");
	assert_why(f, "lazyfree_settled_bytes", "the run did not end as planned (outcome oom-cgroup)");
	assert_about(value(f, "peak_rss_bytes"), 800 * MB);
	assert_about(value(f, "threads_peak"), 5);
}

static void test_baseline_is_weighed_by_time(void **state)
{
	struct fixture *f = *state;

	/* 1 MB for 2 ms, 5 MB for 98 ms: most rows say otherwise. */
	for (int i = 0; i < 5; i++)
		f->samples[i] = (struct sample){ i == 4 ? 2 * MS : i * MS / 2, (uint64_t)(i == 4 ? 5 * MB : i * 1000), MISSING };
	compute(f);
	assert_about(value(f, "baseline_rss_bytes"), 5 * MB);
	f->marks[0].t_ns = 49 * MS;
	compute(f);
	assert_why(f, "baseline_rss_bytes", "the first mark (load) came 49 ms after exec; 50 ms are needed");
	assert_why(f, "release_s", "no baseline to fall to");
	f->series.n_marks = 0;
	compute(f);
	assert_why(f, "baseline_rss_bytes", "no mark, so nothing tells where the load begins");
	assert_why(f, "first_fall_s", "no mark dropped");
	assert_why(f, "released_share", "no baseline");
}

static void test_levels(void **state)
{
	struct fixture *f = *state;
	json_int_t bytes;
	double from, to;

	sample(f, 6000, 20);
	compute(f);

	json_t *levels = json_object_get(f->metrics, "levels");
	assert_int_equal(json_array_size(levels), 2);
	assert_int_equal(json_unpack(json_array_get(levels, 1), "[F, F, I]", &from, &to, &bytes), 0);
	assert_about(from, 6);
	assert_about(to, 11);
	assert_int_equal(bytes, 20 * MIB);
	f->facts.end_ns = 4 * NS_PER_S;
	compute(f);
	assert_why(f, "levels", "the run is shorter than a level has to be (5 s)");
}

static void test_slope(void **state)
{
	struct fixture *f = *state;

	f->series.n_samples = 0;
	for (int i = 0; i < 40; i++)
		sample(f, i * 100, i < 1 ? 0 : 10 * i);
	f->marks[1].t_ns = f->marks[2].t_ns = 3900 * MS;
	compute(f);
	assert_true(value(f, "slope_bytes_per_s") > 98 * MB && value(f, "slope_bytes_per_s") < 102 * MB);

	json_t *interval = json_object_get(f->metrics, "slope_interval_bytes_per_s");
	assert_int_equal(json_array_size(interval), 2);
	assert_true(json_number_value(json_array_get(interval, 0)) <= value(f, "slope_bytes_per_s"));
	assert_true(json_number_value(json_array_get(interval, 1)) >= value(f, "slope_bytes_per_s"));
	f->marks[1].t_ns = 105 * MS;
	compute(f);
	assert_why(f, "slope_bytes_per_s", "the phase load is too short for a slope");
}

static void test_counters(void **state)
{
	struct fixture *f = *state;

	compute(f);
	assert_why(f, "memcg_peak_bytes", "no cgroup, or a kernel that does not tell (v2 before Linux 5.19)");
	assert_why(f, "cpu_s", "could not be read");
	assert_why(f, "threads_peak", "no probe");
	assert_why(f, "lazyfree_settled_bytes", "no slow probe");
	f->facts.end = (struct end_counters){ 123, 0, 456, 0, 1500 * MS, MISSING };
	compute(f);
	assert_about(value(f, "memcg_peak_bytes"), 123);
	assert_about(value(f, "oom_kills"), 0);
	assert_about(value(f, "minor_faults"), 456);
	assert_about(value(f, "major_faults"), 0);
	assert_about(value(f, "cpu_s"), 1.5);
}

static void test_nothing_at_all(void **state)
{
	struct fixture *f = *state;

	memset(&f->series, 0, sizeof(f->series));
	f->facts.end_ns = 0;
	compute(f);
	assert_int_equal(json_object_size(f->metrics), 0);
	assert_int_equal(json_object_size(f->missing), METRIC_COUNT_ + 1); /* the slope's interval is missing with it */
}

/* From 1.5 to 3 s nobody looked: that it fell is known, but not when. */
static void test_fall_in_a_gap(void **state)
{
	struct fixture *f = *state;

	f->samples[f->series.n_samples++] = (struct sample){ 1500 * MS, MISSING, MISSING };
	sample(f, 3000, 10);
	compute(f);
	assert_why(f, "first_fall_s", "RSS fell below 95 % of its peak while nobody looked, from 1.5 to 3.0 s");
	assert_why(f, "release_s", "RSS fell to its baseline and 10 % of what came on top while nobody looked, from 1.5 to 3.0 s");
	assert_about(value(f, "settled_rss_bytes"), 10 * MB);
}

/* The last tenth begins at 9.9 s. */
static void test_gap_at_the_end(void **state)
{
	struct fixture *f = *state;
	static const char why[] = "nobody looked for most of the last tenth of the run";

	sample(f, 3000, 10);
	slow_probe(f, 3000, 1);
	f->samples[f->series.n_samples++] = (struct sample){ 10000 * MS, MISSING, MISSING };
	f->probes[f->series.n_probes++] =
		(struct probe){ 10000 * MS, MISSING, MISSING, MISSING, MISSING, MISSING, MISSING, MISSING, MISSING, MISSING, 1 };
	compute(f);
	assert_why(f, "settled_rss_bytes", why);
	assert_why(f, "released_share", why);
	assert_why(f, "lazyfree_settled_bytes", why);
	assert_why(f, "threads_settled", why);
	assert_about(value(f, "first_fall_s"), 2);
	/* Looked again in time. */
	sample(f, 10300, 11);
	slow_probe(f, 10300, 2);
	compute(f);
	assert_about(value(f, "settled_rss_bytes"), 11 * MB);
	assert_about(value(f, "lazyfree_settled_bytes"), 2 * MB);
}

/* ---- what was read of the Go runtime ---------------------------------------------------------------------------------------------- */

/* Accounting once a second: n = 10 ... 20, of which each value is some multiple; goroutines peak at 5 s. */
static void read_inside(struct fixture *f, struct go_row *go, struct split_row *split)
{
	for (uint64_t i = 0; i < 11; i++) {
		uint64_t n = 10 + i;

		go[i] = (struct go_row){ (int64_t)i * NS_PER_S, { n * MIB, n * MIB / 2, 3 * MIB, 4 * MIB, 5 * MIB, 2 * n * MIB, i, i == 5 ? 1000 : n, 9, i ? n * MIB / 4 : MISSING } };
		split[i] = (struct split_row){ .t_ns = (int64_t)i * NS_PER_S };
		for (uint64_t p = 0; p < RSS_PART_COUNT_; p++)
			split[i].s.part[p] = (p + 1) * MIB + i;
		split[i].s.part[RSS_NATIVE] = i == 3 ? 77 * MIB : 7 * MIB;
	}
	f->series.go = go;
	f->series.splits = split;
	f->series.n_go = f->series.n_splits = 11;
}

static void test_what_was_read_inside(void **state)
{
	struct fixture *f = *state;
	struct go_row go[11];
	struct split_row split[11];
	struct told told[] = { { 100 * MS, "goroutines", 7 }, { 200 * MS, "gc_count", 3 } };

	f->series.told = told;
	f->series.n_told = 2;
	read_inside(f, go, split);
	sample(f, 5000, 5);
	compute(f);
	/* What was read counts, not what was told. */
	assert_about(value(f, "goroutines_settled"), 20);
	assert_about(value(f, "gc_count"), 10);
	assert_about(value(f, "heap_inuse_settled_bytes"), 20 * MB);
	assert_about(value(f, "heap_idle_settled_bytes"), 10 * MB);
	assert_about(value(f, "heap_released_settled_bytes"), 3 * MB);
	assert_about(value(f, "stacks_settled_bytes"), 4 * MB);
	assert_about(value(f, "runtime_settled_bytes"), 5 * MB);
	assert_about(value(f, "gc_goal_settled_bytes"), 40 * MB);
	assert_about(value(f, "heap_marked_settled_bytes"), 5 * MB);
	assert_about(value(f, "threads_made"), 9);
	assert_about(value(f, "goroutines_peak"), 1000);
	static const char *const parts[] = { "objects", "fragmentation", "stacks_resident", "idle", "lazyfree_split", "runtime_resident", NULL, "thread_stacks", "files" };
	for (int p = 0; p < RSS_PART_COUNT_; p++) {
		cleanup_free char *name = parts[p] ? strf("%s_settled_bytes", parts[p]) : NULL;

		if (name)
			assert_about(value(f, name), (p + 1) * MB + 10);
	}
	assert_about(value(f, "native_settled_bytes"), 7 * MB);
	assert_about(value(f, "native_peak_bytes"), 77 * MB);
	assert_about(value(f, "objects_peak_bytes"), MB + 10);
}

/* From the mark load at 0.1 s to loaded at 8 s: 1 MB and 1 goroutine a second. */
static void test_slopes_inside(void **state)
{
	struct fixture *f = *state;
	struct go_row go[11];
	struct split_row split[11];

	read_inside(f, go, split);
	go[5].c.goroutines = 15;
	f->marks[1].t_ns = 9 * NS_PER_S;
	f->marks[2].t_ns = 10 * NS_PER_S;
	compute(f);
	assert_true(fabs(value(f, "goroutines_slope_per_s") - 1) < 0.05);
	assert_true(fabs(value(f, "heap_inuse_slope_bytes_per_s") - MB) < 0.05 * MB);
}

static void test_the_collector_is_off(void **state)
{
	struct fixture *f = *state;
	struct go_row go[11];
	struct split_row split[11];

	read_inside(f, go, split);
	for (int i = 0; i < 11; i++)
		go[i].c.gc_goal_bytes = go[i].c.heap_marked_bytes = MISSING;
	compute(f);
	assert_why(f, "gc_goal_settled_bytes", "the collector is off");
	assert_why(f, "heap_marked_settled_bytes", "there was no garbage collection, or this record does not tell it");
}

static void test_inside_of_one_that_died(void **state)
{
	struct fixture *f = *state;
	struct go_row go[11];
	struct split_row split[11];

	read_inside(f, go, split);
	/* It was gone before the end of observation. */
	memset(&go[10].c, 0xff, sizeof(go[10].c));
	f->facts.outcome = OUTCOME_OOM_CGROUP;
	compute(f);
	assert_why(f, "goroutines_settled", "the run did not end as planned (outcome oom-cgroup)");
	assert_why(f, "native_settled_bytes", "the run did not end as planned (outcome oom-cgroup)");
	assert_about(value(f, "gc_count"), 9);
	assert_about(value(f, "threads_made"), 9);
	assert_about(value(f, "goroutines_peak"), 1000);
	assert_about(value(f, "native_peak_bytes"), 77 * MB);
}

static void test_gap_inside(void **state)
{
	struct fixture *f = *state;
	struct go_row go[11];
	struct split_row split[11];

	read_inside(f, go, split);
	f->series.n_go = 10;
	memset(&go[9].c, 0xff, sizeof(go[9].c));
	compute(f);
	assert_why(f, "goroutines_settled", "nobody looked for most of the last tenth of the run");
}

static void test_the_runtime_was_not_read(void **state)
{
	struct fixture *f = *state;
	struct told told[] = { { 100 * MS, "goroutines", 7 } };

	f->series.told = told;
	f->series.n_told = 1;
	f->facts.runtime_why = "sh is not a Go program";
	compute(f);
	assert_about(value(f, "goroutines_settled"), 7);
	assert_why(f, "gc_count", "the Go runtime could not be read: sh is not a Go program; nor did the program tell gc_count");
	assert_why(f, "gc_goal_settled_bytes", "the Go runtime could not be read: sh is not a Go program");
	assert_why(f, "goroutines_peak", "the Go runtime could not be read: sh is not a Go program");
	assert_why(f, "native_settled_bytes", "the Go runtime could not be read: sh is not a Go program");
	/* Read, and never split. */
	struct go_row go[11];
	struct split_row split[11];

	read_inside(f, go, split);
	f->series.n_splits = 0;
	f->facts.runtime_why = NULL;
	compute(f);
	assert_why(f, "native_settled_bytes", "no split of RSS was taken");
	assert_why(f, "objects_peak_bytes", "no split of RSS was taken");
	f->facts.split_why = "its list of spans makes no sense";
	compute(f);
	assert_why(f, "objects_peak_bytes", "no split of RSS was taken: its list of spans makes no sense");
	f->facts.split_why = NULL;
}

/* One at the beginning and one at the end: what the first said had held for most of the run, and says nothing of its end. */
static void test_splits_far_apart(void **state)
{
	struct fixture *f = *state;
	struct go_row go[11];
	struct split_row split[11];

	read_inside(f, go, split);
	split[1] = split[10];
	split[1].s.part[RSS_NATIVE] = 50 * MIB;
	f->series.n_splits = 2;
	compute(f);
	assert_about(value(f, "native_settled_bytes"), 50 * MB);
	assert_about(value(f, "native_peak_bytes"), 50 * MB);
	f->series.n_splits = 1;
	compute(f);
	assert_why(f, "native_settled_bytes", "no split of RSS was taken in the last tenth of the run");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_splits_far_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_the_program_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_a_program_told_that_died, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_was_read_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slopes_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_collector_is_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inside_of_one_that_died, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gap_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_runtime_was_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_released, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lazyfree_is_held, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peak_between_samples, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_staircase_has_not_settled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_still_moving, setup, teardown),
		cmocka_unit_test_setup_teardown(test_run_cut_short, setup, teardown),
		cmocka_unit_test_setup_teardown(test_baseline_is_weighed_by_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slope, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fall_in_a_gap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gap_at_the_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
