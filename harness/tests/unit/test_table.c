/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "base/units.h"
#include "record/reader.h"
#include "render/table.h"

static struct campaign *campaign_begin(const char *title)
{
	struct campaign *c = xcalloc(1, sizeof(*c));

	c->dir = xstrdup("results/x");
	c->info = json_pack("{s:s, s:s, s:[]}", "scenario", "drop", "title", title, "cells");
	return c;
}

/* why: NULL where the cell applies. */
static void add_cell(struct campaign *c, const char *go, const char *version, const char *godebug, const char *why)
{
	cleanup_free char *id = strf("go=%s,godebug=%s", go, godebug);

	json_array_append_new(json_object_get(c->info, "cells"),
			      json_pack("{s:s, s:{s:s, s:s}, s:s, s:b, s:s?}", "id", id, "settings", "go", go, "godebug", godebug,
					"go_version", version, "applicable", !why, "why", why));
}

/* A run of the cell added last; run: taken over, NULL: unfinished. */
static void add_run(struct campaign *c, enum outcome outcome, json_t *run)
{
	json_t *cells = json_object_get(c->info, "cells");
	const char *id = json_string_value(json_object_get(json_array_get(cells, json_array_size(cells) - 1), "id"));
	unsigned repeat = c->n_runs && !strcmp(c->runs[c->n_runs - 1].cell_id, id) ? c->runs[c->n_runs - 1].repeat + 1 : 1;

	c->runs = xreallocarray(c->runs, c->n_runs + 1, sizeof(*c->runs));
	c->runs[c->n_runs++] = (struct campaign_run){ .dir = strf("results/x/%s/%u", id, repeat),
						      .cell_id = xstrdup(id),
						      .repeat = repeat,
						      .run = run,
						      .outcome = outcome };
}

static json_int_t mb(double n)
{
	return (json_int_t)(n * (double)MIB);
}

static json_t *run_with(json_t *metrics, json_t *missing, const char *why)
{
	return json_pack("{s:o, s:o, s:s?}", "metrics", metrics, "missing", missing, "why", why);
}

static void add_released(struct campaign *c, double peak_mb, double settled_mb, double release_s)
{
	json_t *metrics = json_pack("{s:I, s:I, s:I, s:f, s:f, s:I, s:I}", "peak_rss_bytes", mb(peak_mb), "baseline_rss_bytes",
				    mb(2), "settled_rss_bytes", mb(settled_mb), "released_share",
				    (peak_mb - settled_mb) / (peak_mb - 2), "release_s", release_s, "lazyfree_settled_bytes",
				    mb(0), "working_set_settled_bytes", mb(settled_mb - 1));

	add_run(c, OUTCOME_OK, run_with(metrics, json_object(), NULL));
}

static void add_held(struct campaign *c, double peak_mb, double lazyfree_mb)
{
	json_t *metrics = json_pack("{s:I, s:I, s:I, s:f, s:I, s:I}", "peak_rss_bytes", mb(peak_mb), "baseline_rss_bytes", mb(2),
				    "settled_rss_bytes", mb(peak_mb), "released_share", 0.0, "lazyfree_settled_bytes",
				    mb(lazyfree_mb), "working_set_settled_bytes", mb(peak_mb - lazyfree_mb + 3));

	add_run(c, OUTCOME_OK,
		run_with(metrics, json_pack("{s:s}", "release_s", "RSS never fell to its baseline within 10.0 s"), NULL));
}

static void add_ended(struct campaign *c, enum outcome outcome, double peak_mb, const char *why)
{
	json_t *metrics = peak_mb > 0 ? json_pack("{s:I}", "peak_rss_bytes", mb(peak_mb)) : json_object();

	add_run(c, outcome,
		run_with(metrics, json_pack("{s:s}", "settled_rss_bytes", "the run did not end as planned (outcome oom-cgroup)"),
			 why));
}

/* Not inlined: gcc 12 would take the stream's buffer for the pointer to it, and warn. */
static __attribute__((noinline)) char *printed(void (*print)(FILE *out, const struct campaign *c, const struct table_style *style),
		     const struct campaign *c, int columns, bool colour)
{
	struct table_style style = { .columns = columns, .colour = colour };
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	print(f, c, &style);
	fclose(f);
	return text;
}

static void assert_table(const struct campaign *c, int columns, const char *want)
{
	cleanup_free char *have = printed(table_print, c, columns, false);

	assert_string_equal(have, want);
}

static void assert_sentences(const struct campaign *c, int columns, const char *want)
{
	cleanup_free char *have = printed(table_print_sentences, c, columns, false);

	assert_string_equal(have, want);
}

static void assert_fits(const struct campaign *c, int columns)
{
	cleanup_free char *have = printed(table_print, c, columns, false);
	cleanup_strv struct strv lines = STRV_INIT;

	strv_split(&lines, have, "\n");
	for (size_t i = 0; i < lines.n; i++)
		if (strlen(lines.v[i]) > (size_t)columns)
			fail_msg("%zu columns instead of %d:\n%s", strlen(lines.v[i]), columns, have);
}

/* Go 1.11 to 1.18, of which 1.12 to 1.15 free lazily; one run each. */
static struct campaign *lazyfree_campaign(void)
{
	struct campaign *c = campaign_begin("Does dropped memory go back?");
	static const char *const versions[] = { "1.11.13", "1.12.17", "1.13.15", "1.14.15",
						"1.15.15", "1.16.15", "1.17.13", "1.18.10" };

	for (int i = 0; i < 8; i++) {
		cleanup_free char *go = strf("%.4s", versions[i]),
				  *same = strf("madvdontneed=1 is what Go %s does by default", versions[i]);
		bool lazy = i >= 1 && i <= 4;

		add_cell(c, go, versions[i], "default", NULL);
		if (lazy)
			add_held(c, 826, 800);
		else
			add_released(c, 826, 28, 0.05 + i / 100.0);
		add_cell(c, go, versions[i], "madvdontneed=1",
			 i == 0  ? "Go 1.11.13 does not know madvdontneed (1.12 and later do)"
			 : i > 4 ? same
				 : NULL);
		if (lazy)
			add_released(c, 826, 28, 0.02);
	}
	return c;
}

static void test_lazyfree_and_released(void **state)
{
	(void)state;
	struct campaign *c = lazyfree_campaign();

	assert_table(c, 80,
		     "drop: Does dropped memory go back?\n"
		     "\n"
		     "                                    peak  settled  time to            working\n"
		     "Go       setting         outcome     RSS      RSS     fall  LazyFree      set\n"
		     "1.11.13  default         ok       826 MB  28.0 MB    50 ms       0 B  27.0 MB\n"
		     "1.12.17  default         ok       826 MB   826 MB     held    800 MB  29.0 MB\n"
		     "1.12.17  madvdontneed=1  ok       826 MB  28.0 MB    20 ms       0 B  27.0 MB\n"
		     "1.13.15  default         ok       826 MB   826 MB     held    800 MB  29.0 MB\n"
		     "1.13.15  madvdontneed=1  ok       826 MB  28.0 MB    20 ms       0 B  27.0 MB\n"
		     "1.14.15  default         ok       826 MB   826 MB     held    800 MB  29.0 MB\n"
		     "1.14.15  madvdontneed=1  ok       826 MB  28.0 MB    20 ms       0 B  27.0 MB\n"
		     "1.15.15  default         ok       826 MB   826 MB     held    800 MB  29.0 MB\n"
		     "1.15.15  madvdontneed=1  ok       826 MB  28.0 MB    20 ms       0 B  27.0 MB\n"
		     "1.16.15  default         ok       826 MB  28.0 MB   100 ms       0 B  27.0 MB\n"
		     "1.17.13  default         ok       826 MB  28.0 MB   110 ms       0 B  27.0 MB\n"
		     "1.18.10  default         ok       826 MB  28.0 MB   120 ms       0 B  27.0 MB\n"
		     "\n"
		     "madvdontneed=1: not run for Go 1.11: it does not know madvdontneed (1.12 and\n"
		     "  later do)\n"
		     "madvdontneed=1: not run for Go 1.16 to 1.18: madvdontneed=1 is what each does by\n"
		     "  default\n");
	assert_sentences(c, 80,
			 "Go 1.12 to 1.15 with default settings keep 826 MB resident after dropping 824\n"
			 "MB, though 800 MB of it is lazily freed (MADV_FREE): the kernel takes it back\n"
			 "under pressure, and the kubelet-style working set already says 29 MB. All other\n"
			 "releases with default settings give it back within 120 ms, and so do Go 1.12 to\n"
			 "1.15 with madvdontneed=1.\n");
	for (int columns = 78; columns <= 200; columns += 2)
		assert_fits(c, columns);
	campaign_free(c);
}

static void test_repeats_are_folded(void **state)
{
	(void)state;
	struct campaign *c = campaign_begin("Repeats?");

	add_cell(c, "1.13", "1.13.15", "default", NULL);
	add_released(c, 800, 20, 13);
	add_released(c, 804, 300, 181);
	add_released(c, 802, 22, 14);
	add_cell(c, "1.14", "1.14.15", "default", NULL);
	add_released(c, 800, 20, 2);
	add_released(c, 800, 20, 2.1);
	add_ended(c, OUTCOME_OOM_CGROUP, 1023, "killed at the cgroup's limit of 1.00 GB");
	assert_table(c, 120,
		     "drop: Repeats?\n"
		     "\n"
		     "                                       peak      settled           time to      working\n"
		     "Go       outcome                        RSS          RSS              fall          set\n"
		     "1.13.15  3 ok                        802 MB  20.0-300 MB  13.0 s-3 min 1 s  19.0-299 MB\n"
		     "1.14.15  2 ok, 1 oom-cgroup  800 MB-1.00 GB      20.0 MB            2.05 s      19.0 MB\n"
		     "\n"
		     "2 ok, 1 oom-cgroup for Go 1.14: killed at the cgroup's limit of 1.00 GB\n");
	assert_table(c, 80,
		     "drop: Repeats?\n"
		     "\n"
		     "                            peak      settled           time to      working\n"
		     "Go       outcome             RSS          RSS              fall          set\n"
		     "1.13.15  3 ok             802 MB  20.0-300 MB  13.0 s-3 min 1 s  19.0-299 MB\n"
		     "1.14.15  mixed    800 MB-1.00 GB      20.0 MB            2.05 s      19.0 MB\n"
		     "\n"
		     "2 ok, 1 oom-cgroup for Go 1.14: killed at the cgroup's limit of 1.00 GB\n");
	assert_table(c, 72,
		     "drop: Repeats?\n"
		     "\n"
		     "                     peak   settled  time to   working\n"
		     "Go       outcome      RSS       RSS     fall       set\n"
		     "1.13.15  3 ok      802 MB  ~22.0 MB  ~14.0 s  ~21.0 MB\n"
		     "1.14.15  mixed    ~800 MB   20.0 MB   2.05 s   19.0 MB\n"
		     "~: the median of runs that differ\n"
		     "\n"
		     "2 ok, 1 oom-cgroup for Go 1.14: killed at the cgroup's limit of 1.00 GB\n");
	assert_sentences(c, 80,
			 "Go 1.14 is killed at the memory limit, in some runs (oom-cgroup). Go 1.13 gives\n"
			 "what was dropped back in 13 s to 3 min 1 s.\n");
	campaign_free(c);
}

/* Failures of builds, what was never run, and values that could not be told. */
static void test_what_is_missing_is_told(void **state)
{
	(void)state;
	struct campaign *c = campaign_begin("What is missing?");

	add_cell(c, "1.11", "1.11.13", "default", NULL);
	add_ended(c, OUTCOME_BUILD_FAILED, 0, "go build failed with Go 1.11.13: main.go:7:2: undefined: x\nsecond line");
	add_cell(c, "1.12", "1.12.17", "default", NULL);
	add_ended(c, OUTCOME_BUILD_FAILED, 0, "go build failed with Go 1.12.17: main.go:7:2: undefined: x\nsecond line");
	add_cell(c, "1.13", "1.13.15", "default", NULL);
	add_run(c, OUTCOME_OK,
		run_with(json_pack("{s:I}", "peak_rss_bytes", mb(800)),
			 json_pack("{s:s, s:s}", "settled_rss_bytes", "still moving at the end: by 7.1 % of the peak",
				   "release_s", "no mark dropped"),
			 NULL));
	add_cell(c, "1.14", "1.14.15", "default", NULL);
	add_run(c, OUTCOME_INTERRUPTED, NULL);
	add_cell(c, "1.15", "1.15.15", "default", NULL);
	add_cell(c, "/opt/goroot", "1.16.15", "default", NULL);
	add_held(c, 800, 3);
	assert_table(c, 80,
		     "drop: What is missing?\n"
		     "\n"
		     "                         peak  settled  time to            working\n"
		     "Go       outcome          RSS      RSS     fall  LazyFree      set\n"
		     "1.11.13  build-failed       -        -        -         -        -\n"
		     "1.12.17  build-failed       -        -        -         -        -\n"
		     "1.13.15  ok            800 MB        -        -         -        -\n"
		     "1.14.15  interrupted        -        -        -         -        -\n"
		     "1.15.15  not run            -        -        -         -        -\n"
		     "goroot   ok            800 MB   800 MB     held   3.00 MB   800 MB\n"
		     "\n"
		     "build-failed for Go 1.11 and 1.12: go build failed with each: main.go:7:2:\n"
		     "  undefined: x\n"
		     "no settled RSS for Go 1.13: still moving at the end\n"
		     "no time to fall for Go 1.13: no mark dropped\n");
	assert_sentences(c, 80,
			 "Go 1.13 has not settled: RSS still moves at the end of the run. Go goroot still\n"
			 "holds 800 MB resident at the end, after dropping 798 MB, and next to none of it\n"
			 "is lazily freed.\n");
	campaign_free(c);
}

static void test_other_ends(void **state)
{
	(void)state;
	struct campaign *c = campaign_begin("How does it end?");

	add_cell(c, "1.18", "1.18.10", "default", NULL);
	add_ended(c, OUTCOME_OOM_CGROUP, 1023, NULL);
	add_cell(c, "1.19", "1.19.13", "default", NULL);
	add_ended(c, OUTCOME_OOM_CGROUP, 1022, NULL);
	add_cell(c, "1.20", "1.20.14", "default", NULL);
	add_released(c, 800, 402, 5);
	add_cell(c, "1.21", "1.21.13", "default", NULL);
	add_ended(c, OUTCOME_GO_FATAL, 20, NULL);
	add_cell(c, "1.22", "1.22.12", "default", NULL);
	add_released(c, 800, 20, 13.1);
	add_cell(c, "1.23", "1.23.12", "default", NULL);
	add_released(c, 800, 20, 540);
	assert_sentences(c, 80,
			 "Go 1.18 and 1.19 are killed at the memory limit (oom-cgroup). Go 1.20 gives 50 %\n"
			 "of the dropped memory back and keeps 402 MB resident. Go 1.21 does not end as\n"
			 "planned (go-fatal). All other releases give what was dropped back in 13.1 s to 9\n"
			 "min.\n");
	campaign_free(c);
}

static void test_only_released(void **state)
{
	(void)state;
	struct campaign *c = campaign_begin("All good?");

	add_cell(c, "1.22", "1.22.12", "madvdontneed=1", NULL);
	add_released(c, 800, 20, 0.0004);
	/* What all cells have in common stands above the table, not in it. */
	assert_table(c, 80,
		     "drop: All good?\n"
		     "everywhere: godebug=madvdontneed=1\n"
		     "\n"
		     "                    peak  settled  time to  working\n"
		     "Go       outcome     RSS      RSS     fall      set\n"
		     "1.22.12  ok       800 MB  20.0 MB    <1 ms  19.0 MB\n");
	assert_sentences(c, 80, "Go 1.22 gives what was dropped back within 1 ms.\n");
	campaign_free(c);
}

static void test_command_without_go(void **state)
{
	(void)state;
	struct campaign *c = campaign_begin("A command?");
	json_t *cells = json_object_get(c->info, "cells");

	json_array_append_new(cells, json_pack("{s:s, s:{s:s, s:s}, s:b}", "id", "a", "settings", "env", "GOGC=50 A=b", "limit",
					       "1GB", "applicable", 1));
	add_released(c, 800, 20, 2);
	json_array_append_new(cells, json_pack("{s:s, s:{s:s, s:s}, s:b}", "id", "b", "settings", "env", "default", "limit",
					       "2GB", "applicable", 1));
	add_held(c, 800, 3);
	assert_table(c, 80,
		     "drop: A command?\n"
		     "\n"
		     "                                  peak  settled  time to            working\n"
		     "setting                outcome     RSS      RSS     fall  LazyFree      set\n"
		     "GOGC=50 A=b limit=1GB  ok       800 MB  20.0 MB   2.00 s       0 B  19.0 MB\n"
		     "limit=2GB              ok       800 MB   800 MB     held   3.00 MB   800 MB\n");
	assert_sentences(c, 80,
			 "The program with limit=2GB still holds 800 MB resident at the end, after\n"
			 "dropping 798 MB, and next to none of it is lazily freed. The program with\n"
			 "GOGC=50 A=b limit=1GB gives it back within 2 s.\n");
	campaign_free(c);
}

/* "1.22 keeps 29 MB" would be said of nobody knows what. */
static void test_the_only_axis_is_named(void **state)
{
	(void)state;
	struct campaign *c = campaign_begin("A line?");
	json_t *cells = json_object_get(c->info, "cells");

	json_array_append_new(cells, json_pack("{s:s, s:{s:s}, s:b}", "id", "a", "settings", "go_line", "default", "applicable", 1));
	add_released(c, 800, 20, 2);
	json_array_append_new(cells, json_pack("{s:s, s:{s:s}, s:b}", "id", "b", "settings", "go_line", "1.22", "applicable", 1));
	add_held(c, 800, 3);
	assert_table(c, 80,
		     "drop: A line?\n"
		     "\n"
		     "                         peak  settled  time to            working\n"
		     "setting       outcome     RSS      RSS     fall  LazyFree      set\n"
		     "default       ok       800 MB  20.0 MB   2.00 s       0 B  19.0 MB\n"
		     "go line 1.22  ok       800 MB   800 MB     held   3.00 MB   800 MB\n");
	campaign_free(c);
}

static void test_empty_campaign(void **state)
{
	(void)state;
	struct campaign *c = campaign_begin("Nothing?");

	assert_table(c, 80, "drop: Nothing?\n\n");
	assert_sentences(c, 80, "");
	campaign_free(c);
}

static void test_long_settings_are_cut(void **state)
{
	(void)state;
	struct campaign *c = campaign_begin(
		"A title that is longer than the table is wide, and therefore has to be broken somewhere near here?");

	add_cell(c, "1.12", "1.12.17", "madvdontneed=1,gctrace=1,scavenge=1,allocfreetrace=0", NULL);
	for (int i = 0; i < 3; i++)
		add_released(c, 800, 20 + 100 * i, 13 + 100 * i);
	add_cell(c, "1.12", "1.12.17", "default", NULL);
	add_ended(c, OUTCOME_OOM_CGROUP, 700, "x");
	add_released(c, 1000, 20, 1);
	add_run(c, OUTCOME_INTERRUPTED, NULL);
	for (int columns = 80; columns <= 160; columns++)
		assert_fits(c, columns);
	campaign_free(c);
}

static void test_colour_only_where_asked(void **state)
{
	(void)state;
	struct campaign *c = lazyfree_campaign();
	cleanup_free char *without = printed(table_print, c, 80, false), *with = printed(table_print, c, 80, true);

	assert_null(strchr(without, '\033'));
	assert_non_null(strstr(with, "\033[33m826 MB\033[0m"));
	assert_non_null(strstr(with, "\033[32m50 ms\033[0m"));
	campaign_free(c);
}

/* ---- the virtual clock ------------------------------------------------------------------------------------------- */

static void add_virtual(struct campaign *c, double target_s, double wall_s, int jumps, json_t *ended)
{
	json_t *run = run_with(json_object(), json_object(), NULL);

	json_object_set_new(run, "target_s", json_real(target_s));
	json_object_set_new(run, "wall_s", json_real(wall_s));
	json_object_set_new(run, "clock", json_pack("{s:s, s:i, s:o}", "kind", "virtual", "jumps", jumps, "ended", ended));
	add_run(c, OUTCOME_OK, run);
}

/* What stands below the table. */
static char *last_paragraph(const struct campaign *c, int columns)
{
	cleanup_free char *all = printed(table_print, c, columns, false);
	const char *at = strstr(all, "\nVirtual");

	return xstrdup(at ? at + 1 : "");
}

static struct campaign *virtual_campaign(void)
{
	struct campaign *c = campaign_begin("What is kept?");

	json_object_set_new(c->info, "clock", json_string("virtual"));
	add_cell(c, "1.12", "1.12.17", "default", NULL);
	return c;
}

static void test_virtual_clock_says_what_it_saved(void **state)
{
	struct campaign *c = virtual_campaign();

	(void)state;
	add_virtual(c, 650, 0.4112, 1204, json_null());
	cleanup_free char *one = last_paragraph(c, 80), *all = printed(table_print, c, 80, false);
	assert_string_equal(one, "Virtual clock: 650 s of the program's time in 0.411 s, 1 580 times faster; 1 200\n  jumps.\n");
	assert_memory_equal(all, "drop: What is kept? (virtual clock)\n", 36);
	add_virtual(c, 650, 0.5, 1, json_null());
	add_virtual(c, 650, 0.3, 0, json_null());
	cleanup_free char *three = last_paragraph(c, 200);
	assert_string_equal(three, "Virtual clock: 650 s of the program's time in 0.411 s (median), 1 580 times faster; 1 jump a run.\n");
	campaign_free(c);
}

static void test_virtual_time_that_ended_early_is_told(void **state)
{
	struct campaign *c = virtual_campaign();

	(void)state;
	add_virtual(c, 20, 19.8, 2, json_null());
	add_virtual(c, 20, 19.8, 2, json_pack("{s:f, s:s}", "t_s", 3.25, "why", "thread 7 of prog sleeps in a device"));
	add_virtual(c, 20, 19.8, 2, json_pack("{s:f, s:s}", "t_s", 0.25, "why", "something else"));
	cleanup_free char *text = last_paragraph(c, 80);
	assert_string_equal(text, "Virtual clock: 20 s of the program's time in 19.8 s (median), no faster than\n"
				  "  real time; 2 jumps a run.\n"
				  "Virtual time ended early in 2 of 3 runs, first in go=1.12, repeat 2, at 3.25 s:\n"
				  "  thread 7 of prog sleeps in a device\n");
	campaign_free(c);
}

static void test_real_clock_says_nothing(void **state)
{
	struct campaign *c = campaign_begin("What is kept?");

	(void)state;
	json_object_set_new(c->info, "clock", json_string("real"));
	add_cell(c, "1.12", "1.12.17", "default", NULL);
	add_released(c, 800, 6, 0.1);
	json_object_set_new(c->runs[0].run, "clock", json_pack("{s:s, s:i}", "kind", "real", "jumps", 0));
	cleanup_free char *text = last_paragraph(c, 80), *all = printed(table_print, c, 80, false);
	assert_string_equal(text, "");
	assert_memory_equal(all, "drop: What is kept? (real clock)\n", 33);
	/* A run that was to be on the virtual clock and never started has no jumps to tell. */
	json_object_set_new(c->runs[0].run, "clock", json_pack("{s:s, s:n}", "kind", "virtual", "jumps"));
	json_object_set_new(c->runs[0].run, "wall_s", json_real(0.1));
	json_object_set_new(c->runs[0].run, "target_s", json_real(0.1));
	cleanup_free char *never = last_paragraph(c, 80);
	assert_string_equal(never, "");
	campaign_free(c);
}

/* ---- leaks ------------------------------------------------------------------------------------------------------------------------ */

/* Nothing is dropped; what the program told is expected. */
static void add_leak(struct campaign *c, int minor, const char *variant, double settled_mb, int goroutines, double stacks_mb)
{
	cleanup_free char *go = strf("1.%d", minor), *version = strf("1.%d.9", minor), *id = strf("go=%s,variant=%s", go, variant);

	json_array_append_new(json_object_get(c->info, "cells"),
			      json_pack("{s:s, s:{s:s, s:s}, s:s, s:b}", "id", id, "settings", "go", go, "variant", variant, "go_version", version,
					"applicable", 1));

	json_t *metrics = json_pack("{s:I, s:I, s:I, s:f, s:I, s:I, s:i, s:i, s:I, s:f}", "peak_rss_bytes", mb(settled_mb + 0.5),
				    "baseline_rss_bytes", mb(2), "settled_rss_bytes", mb(settled_mb), "released_share", 0.01,
				    "lazyfree_settled_bytes", mb(0), "working_set_settled_bytes", mb(settled_mb - 1), "goroutines_settled",
				    goroutines, "threads_settled", 6, "stacks_settled_bytes", mb(stacks_mb), "slope_bytes_per_s", 1.2 * MIB);
	json_t *run = run_with(metrics, json_pack("{s:s}", "release_s", "no mark dropped"), NULL);

	json_object_set_new(run, "expectations",
			    json_pack("[{s:s,s:b},{s:s,s:b}]", "that", "goroutines_settled > 1000", "holds", 1, "that",
				      "stacks_settled_bytes > 0.5 * settled_rss_bytes", "holds", 1));
	add_run(c, OUTCOME_OK, run);
}

static struct campaign *leak_campaign(int first, int last)
{
	struct campaign *c = campaign_begin("What does a leak keep?");

	/* In 1.23 it becomes less: the row ends there. */
	for (int minor = first; minor <= last; minor++) {
		add_leak(c, minor, "leaky", minor < 23 ? 30 + (minor - first) / 8.0 : 15, 10001, minor < 23 ? 20 : 9);
		add_leak(c, minor, "fixed", 4, 1, 0.1);
	}
	return c;
}

static void add_speed(struct campaign *c, const char *variant, double per_s, double cpu_s, int faults)
{
	cleanup_free char *id = strf("go=1.27,variant=%s", variant);

	json_array_append_new(json_object_get(c->info, "cells"),
			      json_pack("{s:s, s:{s:s, s:s}, s:s, s:b}", "id", id, "settings", "go", "1.27", "variant", variant, "go_version", "1.27.4",
					"applicable", 1));

	json_t *metrics = json_pack("{s:I, s:I, s:I, s:I, s:f, s:f, s:i}", "peak_rss_bytes", mb(36), "settled_rss_bytes", mb(36),
				    "lazyfree_settled_bytes", mb(20), "working_set_settled_bytes", mb(16), "operations_per_s", per_s, "cpu_s", cpu_s,
				    "minor_faults", faults);
	json_t *run = run_with(metrics, json_pack("{s:s}", "release_s", "no mark dropped"), NULL);

	json_object_set_new(run, "expectations",
			    json_pack("[{s:s,s:b},{s:s,s:b},{s:s,s:b}]", "that", "operations_per_s > 10", "holds", 1, "that", "cpu_s < 10s", "holds", 1,
				      "that", "minor_faults > 10", "holds", 1));
	add_run(c, OUTCOME_OK, run);
}

/* Where a speed is expected, what it costs stands before what other tables have. */
static void test_cost_comes_first(void **state)
{
	(void)state;
	struct campaign *c = campaign_begin("What does it cost?");

	add_speed(c, "steady", 4000, 0.25, 19000);
	add_speed(c, "freed", 900, 1.5, 247000);
	assert_table(c, 72,
		     "drop: What does it cost?\n"
		     "\n"
		     "                             peak  operations   minor     CPU  settled\n"
		     "Go      setting  outcome      RSS    a second  faults    time      RSS\n"
		     "1.27.4  steady   ok       36.0 MB        4000   19000  250 ms  36.0 MB\n"
		     "1.27.4  freed    ok       36.0 MB         900  247000  1.50 s  36.0 MB\n");
	campaign_free(c);
}

static void test_columns_are_what_is_expected(void **state)
{
	(void)state;
	struct campaign *c = leak_campaign(22, 23);

	json_object_set_new(c->info, "explain", json_string("The reader's goroutine waits for ever. It holds its stack."));
	assert_table(c, 80,
		     "drop: What does a leak keep?\n"
		     "\n"
		     "                             peak  settled  working\n"
		     "Go      setting  outcome      RSS      RSS      set  goroutines   stacks\n"
		     "1.22.9  leaky    ok       30.5 MB  30.0 MB  29.0 MB       10001  20.0 MB\n"
		     "1.22.9  fixed    ok       4.50 MB  4.00 MB  3.00 MB           1   102 kB\n"
		     "1.23.9  leaky    ok       15.5 MB  15.0 MB  14.0 MB       10001  9.00 MB\n"
		     "1.23.9  fixed    ok       4.50 MB  4.00 MB  3.00 MB           1   102 kB\n");
	/* As many as there is room for, the most important first. */
	assert_table(c, 66,
		     "drop: What does a leak keep?\n"
		     "\n"
		     "                             peak  settled  working\n"
		     "Go      setting  outcome      RSS      RSS      set  goroutines\n"
		     "1.22.9  leaky    ok       30.5 MB  30.0 MB  29.0 MB       10001\n"
		     "1.22.9  fixed    ok       4.50 MB  4.00 MB  3.00 MB           1\n"
		     "1.23.9  leaky    ok       15.5 MB  15.0 MB  14.0 MB       10001\n"
		     "1.23.9  fixed    ok       4.50 MB  4.00 MB  3.00 MB           1\n");
	for (int columns = 54; columns <= 200; columns += 2)
		assert_fits(c, columns);
	assert_sentences(c, 80,
			 "leaky keeps 10001 goroutines and 28 MB above the baseline under Go 1.22. fixed\n"
			 "keeps 1 goroutine and 2 MB above the baseline under every release. leaky keeps\n"
			 "10001 goroutines and 13 MB above the baseline under Go 1.23.\n"
			 "\n"
			 "The reader's goroutine waits for ever. It holds its stack.\n");
	campaign_free(c);
}

static void test_releases_that_are_alike_are_one_row(void **state)
{
	(void)state;
	struct campaign *c = leak_campaign(11, 27);

	assert_table(c, 80,
		     "drop: What does a leak keep?\n"
		     "\n"
		     "                                 peak   settled   working\n"
		     "Go         setting  outcome       RSS       RSS       set  goroutines   stacks\n"
		     "1.11-1.22  leaky    12 ok    ~31.2 MB  ~30.7 MB  ~29.7 MB       10001  20.0 MB\n"
		     "1.23-1.27  leaky    5 ok      15.5 MB   15.0 MB   14.0 MB       10001  9.00 MB\n"
		     "1.11-1.27  fixed    17 ok     4.50 MB   4.00 MB   3.00 MB           1   102 kB\n"
		     "~: the median of runs that differ\n"
		     "Releases that behave alike are one row: memtide show --full has one for each.\n");
	assert_sentences(c, 80,
			 "leaky keeps 10001 goroutines and 28 to 29 MB above the baseline under Go 1.11 to\n"
			 "1.22. fixed keeps 1 goroutine and 2 MB above the baseline under every release.\n"
			 "leaky keeps 10001 goroutines and 13 MB above the baseline under Go 1.23 to 1.27.\n");

	struct table_style style = { .columns = 80, .full = true };
	char *text = NULL;
	size_t n, lines = 0;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	table_print(f, c, &style);
	fclose(f);
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 4 + 34);
	assert_non_null(strstr(text, "1.13.9  fixed    ok"));
	assert_null(strstr(text, "alike"));
	free(text);
	campaign_free(c);

	/* What is short stays as it is. */
	c = leak_campaign(11, 22);
	cleanup_free char *table = printed(table_print, c, 80, false);
	assert_non_null(strstr(table, "1.12.9  fixed    ok"));
	campaign_free(c);
}

/* LazyFree without a mark `dropped` is no memory that was given back, and an outcome that is expected is no accident. */
static void test_kept_and_expected(void **state)
{
	(void)state;
	struct campaign *c = campaign_begin("What is kept?");

	add_leak(c, 15, "leaky", 100, 51, 1);
	add_leak(c, 16, "leaky", 30, 51, 1);
	json_object_set_new(json_object_get(c->runs[0].run, "metrics"), "lazyfree_settled_bytes", json_integer(mb(70)));
	assert_sentences(c, 80,
			 "The program keeps 51 goroutines and 98 MB above the baseline (70 MB of it lazily\n"
			 "freed) under Go 1.15. The program keeps 51 goroutines and 28 MB above the\n"
			 "baseline under Go 1.16.\n");

	json_array_append_new(json_object_get(c->info, "cells"),
			      json_pack("{s:s, s:{s:s, s:s}, s:s}", "id", "x", "settings", "go", "1.16", "variant", "limit", "go_version", "1.16.15"));
	add_ended(c, OUTCOME_GO_FATAL, 20, "the Go runtime gave up");

	cleanup_free char *accident = printed(table_print_sentences, c, 300, false);
	assert_non_null(strstr(accident, "Go 1.16 with limit does not end as planned (go-fatal)."));
	json_object_set_new(c->runs[2].run, "expectations", json_pack("[{s:s, s:b}]", "that", "outcome == go-fatal", "holds", 1));

	cleanup_free char *planned = printed(table_print_sentences, c, 300, false);
	assert_non_null(strstr(planned, "Go 1.16 with limit ends in go-fatal, as expected."));
	campaign_free(c);
}

/* Every program has a goroutine or two. */
static void test_few_goroutines_are_not_told(void **state)
{
	(void)state;
	struct campaign *c = campaign_begin("What is kept?");

	add_leak(c, 16, "leaky", 30, 2, 1);
	assert_sentences(c, 80, "The program keeps 2 goroutines and 28 MB above the baseline under Go 1.16.\n"); /* something is expected of them */
	json_object_del(c->runs[0].run, "expectations");
	assert_sentences(c, 80, "The program keeps 28 MB above the baseline under Go 1.16.\n");
	campaign_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lazyfree_and_released),   cmocka_unit_test(test_repeats_are_folded),
		cmocka_unit_test(test_what_is_missing_is_told), cmocka_unit_test(test_other_ends),
		cmocka_unit_test(test_only_released),           cmocka_unit_test(test_command_without_go),
		cmocka_unit_test(test_the_only_axis_is_named),
		cmocka_unit_test(test_empty_campaign),          cmocka_unit_test(test_long_settings_are_cut),
		cmocka_unit_test(test_colour_only_where_asked), cmocka_unit_test(test_virtual_clock_says_what_it_saved),
		cmocka_unit_test(test_virtual_time_that_ended_early_is_told), cmocka_unit_test(test_real_clock_says_nothing),
		cmocka_unit_test(test_columns_are_what_is_expected), cmocka_unit_test(test_cost_comes_first), cmocka_unit_test(test_releases_that_are_alike_are_one_row),
		cmocka_unit_test(test_kept_and_expected), cmocka_unit_test(test_few_goroutines_are_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
