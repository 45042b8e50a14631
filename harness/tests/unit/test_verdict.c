/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyse/verdict.h"
#include "base/alloc.h"
#include "render/table.h"
#include "render/verdicts.h"

/* Two cells, a and b, of which each run has a peak; what is expected is added by each test. */
struct fixture {
	struct campaign c;
	struct campaign_cells cells;
	struct verdicts l;
};

static void add_run(struct fixture *f, const char *cell, enum outcome outcome, json_t *run)
{
	f->c.runs = xreallocarray(f->c.runs, f->c.n_runs + 1, sizeof(*f->c.runs));
	f->c.runs[f->c.n_runs++] = (struct campaign_run){ .cell_id = xstrdup(cell), .dir = xstrdup(cell), .run = run, .outcome = outcome };
}

static void add_peak(struct fixture *f, const char *cell, double peak)
{
	add_run(f, cell, OUTCOME_OK, json_pack("{s:{s:f}, s:{}, s:[]}", "metrics", "peak_rss_bytes", peak, "missing", "expectations"));
}

static void expect_versus(struct fixture *f, const char *cell, const char *other, const char *compare, double factor, double share)
{
	json_array_append_new(json_object_get(f->c.info, "versus"),
			      json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:s, s:s, s:f}", "cell", cell, "other", other, "that",
					"peak_rss_bytes > 3 * peak_rss_bytes", "metric", "peak_rss_bytes", "compare", compare, "factor", factor,
					"other_metric", "peak_rss_bytes", "because", "it leaks", "share", share));
}

static void make(struct fixture *f)
{
	verdicts_done(&f->l);
	campaign_cells_done(&f->cells);
	campaign_cells(&f->c, &f->cells);
	verdicts_make(&f->c, &f->cells, &f->l);
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->c.info = json_pack("{s:[{s:s,s:{}},{s:s,s:{}}], s:[]}", "cells", "id", "a", "settings", "id", "b", "settings", "versus");
	f->c.dir = xstrdup("x");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	verdicts_done(&f->l);
	campaign_cells_done(&f->cells);
	for (size_t i = 0; i < f->c.n_runs; i++) {
		free(f->c.runs[i].cell_id);
		free(f->c.runs[i].dir);
		json_decref(f->c.runs[i].run);
	}
	free(f->c.runs);
	free(f->c.dir);
	json_decref(f->c.info);
	free(f);
	return 0;
}

static __attribute__((noinline)) char *printed(const struct verdicts *l, bool all)
{
	const struct table_style style = { .columns = 80 };
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	if (all)
		verdicts_print_all(f, l, &style);
	else
		verdicts_print_failures(f, l, style.columns);
	fclose(f);
	return text;
}

/* The other cell's median is 20 MB, that of an outlier apart. */
static void against_the_median_of_the_other(void **state)
{
	struct fixture *f = *state;

	add_peak(f, "a", 70 << 20);
	add_peak(f, "a", 61 << 20);
	add_peak(f, "b", 20 << 20);
	add_peak(f, "b", 1000 << 20);
	add_peak(f, "b", 19 << 20);
	expect_versus(f, "a", "b", ">", 3, 1);
	make(f);
	assert_int_equal(f->l.n, 1);

	const struct verdict *v = &f->l.v[0];

	assert_int_equal(v->runs, 2);
	assert_int_equal(v->held, 2);
	assert_false(verdict_failed(v));
	assert_true(v->other_median == 20 << 20);
	assert_true(json_number_value(v->limit) == 60 << 20);

	cleanup_free char *failures = printed(&f->l, false), *all = printed(&f->l, true);
	assert_string_equal(failures, "\nThe one expectation holds.\n");
	assert_string_equal(all, "The one expectation holds.\n"
				 "\n"
				 "peak_rss_bytes > 3 * peak_rss_bytes, that of another cell\n"
				 "  because it leaks\n"
				 "  holds  a                     65.5 MB (61.0 MB to 70.0 MB) against 60.0 MB\n"
				 "                               (20.0 MB in b)\n");
}

static void fails_in_a_run(void **state)
{
	struct fixture *f = *state;

	add_peak(f, "a", 70 << 20);
	add_peak(f, "a", 59 << 20);
	add_peak(f, "b", 20 << 20);
	expect_versus(f, "a", "b", ">", 3, 1);
	make(f);
	assert_int_equal(verdicts_failed(&f->l), 1);

	cleanup_free char *failures = printed(&f->l, false);
	assert_string_equal(failures, "\n1 of 1 expectations failed:\n"
				      "  a: expected peak_rss_bytes > 3 * peak_rss_bytes of b; measured 59.0 MB against\n"
				      "      60.0 MB (20.0 MB in b) (fails in 1 of 2 runs)\n"
				      "    expected because: it leaks\n");
}

/* In half of the runs is enough. */
static void a_share_of_the_runs(void **state)
{
	struct fixture *f = *state;

	add_peak(f, "a", 70 << 20);
	add_peak(f, "a", 59 << 20);
	add_peak(f, "b", 20 << 20);
	expect_versus(f, "a", "b", ">", 3, 0.5);
	make(f);
	assert_int_equal(f->l.v[0].held, 1);
	assert_int_equal(verdicts_failed(&f->l), 0);
}

static void missing_numbers_fail(void **state)
{
	struct fixture *f = *state;

	add_peak(f, "a", 70 << 20);
	add_run(f, "b", OUTCOME_OK, json_pack("{s:{s:i}, s:{s:s}}", "metrics", "oom_kills", 0, "missing", "peak_rss_bytes", "RSS was never read"));
	expect_versus(f, "a", "b", ">", 3, 1);
	make(f);
	assert_int_equal(verdicts_failed(&f->l), 1);
	assert_string_equal(f->l.v[0].why, "peak_rss_bytes of b is missing: RSS was never read");
	assert_true(json_is_null(f->l.v[0].limit));
}

static void says_nothing_where_nothing_ran(void **state)
{
	struct fixture *f = *state;

	add_peak(f, "a", 70 << 20);
	expect_versus(f, "a", "b", ">", 3, 1);
	expect_versus(f, "a", "c", ">", 3, 1);
	make(f);
	assert_int_equal(f->l.n, 0);
	/* Not built; interrupted. */
	add_run(f, "b", OUTCOME_BUILD_FAILED, json_pack("{s:{}, s:{}}", "metrics", "missing"));
	add_run(f, "b", OUTCOME_INTERRUPTED, json_pack("{s:{s:i}, s:{}}", "metrics", "peak_rss_bytes", 1 << 20, "missing"));
	add_run(f, "b", OUTCOME_INTERRUPTED, NULL);
	make(f);
	assert_int_equal(f->l.n, 0);
}

/* What runs said of themselves: numbers, words, and what is missing. */
static void folds_what_runs_said(void **state)
{
	struct fixture *f = *state;
	const double values[] = { 3, 1, 2 };

	for (int i = 0; i < 3; i++)
		add_run(f, "a", OUTCOME_OK,
			json_pack("{s:[{s:s, s:b, s:f, s:f, s:s}, {s:s, s:b, s:s, s:s, s:n}]}", "expectations", "that", "threads_peak < 3", "holds",
				  values[i] < 3, "measured", values[i], "limit", 3.0, "because", "one is enough", "that", "outcome == ok", "holds",
				  i != 1, "measured", i == 1 ? "exit" : "ok", "limit", "ok", "because"));
	add_run(f, "b", OUTCOME_OK,
		json_pack("{s:[{s:s, s:n, s:n, s:n, s:s, s:s, s:f}]}", "expectations", "that", "threads_peak < 3", "holds", "measured", "limit", "why",
			  "threads_peak is missing: no probe", "because", "one is enough", "share", 0.5));
	make(f);
	assert_int_equal(f->l.n, 3);
	assert_int_equal(verdicts_failed(&f->l), 3);
	assert_true(f->l.v[0].median == 2 && f->l.v[0].min == 1 && f->l.v[0].max == 3);
	assert_int_equal(f->l.v[0].held, 2);
	assert_true(json_number_value(f->l.v[0].measured) == 3);
	assert_int_equal(f->l.v[1].words.n, 2);
	assert_int_equal(f->l.v[2].n, 0);

	cleanup_free char *all = printed(&f->l, true);
	assert_string_equal(all, "3 of 3 expectations failed.\n"
				 "\n"
				 "threads_peak < 3\n"
				 "  because one is enough\n"
				 "  FAILS  a                     2 (1 to 3), in 2 of 3 runs\n"
				 "  FAILS  b                     missing, in 0 of 1 runs; threads_peak is missing:\n"
				 "                               no probe\n"
				 "\n"
				 "outcome == ok\n"
				 "  FAILS  a                     ok, exit, in 2 of 3 runs\n");

	cleanup_json json_t *json = verdicts_json(&f->l);
	const json_t *first = json_array_get(json, 0);
	assert_int_equal(json_array_size(json), 3);
	assert_true(json_is_false(json_object_get(first, "holds")));
	assert_true(json_number_value(json_object_get(json_object_get(first, "measured"), "median")) == 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json, 1), "measured")), "ok, exit");
	assert_true(json_is_null(json_object_get(json_array_get(json, 2), "measured")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(against_the_median_of_the_other, setup, teardown),
		cmocka_unit_test_setup_teardown(fails_in_a_run, setup, teardown),
		cmocka_unit_test_setup_teardown(a_share_of_the_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(missing_numbers_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(says_nothing_where_nothing_ran, setup, teardown),
		cmocka_unit_test_setup_teardown(folds_what_runs_said, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
