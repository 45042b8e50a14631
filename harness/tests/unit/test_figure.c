/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "base/units.h"
#include "record/record.h"
#include "render/figure.h"
#include "render/figure_parts.h"

/* A campaign made with the recorder itself: 1.11 falls, 1.12 holds (LazyFree), 1.13 was not built, 1.14 falls like 1.11. */

static char *folder; /* of the campaign */

static json_t *cell_json(const char *go, const char *godebug, const char *why)
{
	cleanup_free char *id = strf("go=%s,godebug=%s", go, godebug);

	return json_pack("{s:s, s:{s:s, s:s}, s:s+, s:I, s:b, s:s?}", "id", id, "settings", "go", go, "godebug", godebug,
			 "go_version", go, ".9", "limit_bytes", (json_int_t)(1024 * MIB), "applicable", !why, "why", why);
}

static void write_campaign(const char *clock)
{
	cleanup_free char *path = strf("%s/campaign.json", folder);
	json_t *cells = json_array();
	static const char *const releases[] = { "1.11", "1.12", "1.13", "1.14" };

	for (size_t i = 0; i < 4; i++) {
		json_array_append_new(cells, cell_json(releases[i], "default", NULL));
		json_array_append_new(cells,
				      cell_json(releases[i], "x=1", i ? NULL : "Go 1.11 does not know x (1.12 and later do)"));
	}
	cleanup_json json_t *info = json_pack(
		"{s:s, s:s, s:s, s:s, s:{s:s}, s:{s:s, s:s, s:i, s:I}, s:s, s:i, s:f, s:i, s:o}", "format", "memtide-campaign/1",
		"scenario", "allocate", "title", "What's kept?", "started", "2026-11-21T06:14:00Z", "memtide", "version", "1.0",
		"host", "kernel", "6.1.0", "machine", "x86_64", "cpus", 2, "memory_bytes", (json_int_t)(24 * 1024 * MIB), "clock",
		clock, "repeat", 1, "for_s", 20.0, "cgroup_version", 2, "cells", cells);
	assert_return_code(json_save(path, info, NULL), 0);
}

static void sample(struct record *r, double t_s, uint64_t mib)
{
	struct sample s = { (int64_t)(t_s * 1e9), mib * MIB, MISSING };

	record_sample(r, &s);
}

static void lazyfree(struct record *r, double t_s, uint64_t mib)
{
	struct probe p = { .t_ns = (int64_t)(t_s * 1e9),
			   .threads = MISSING,
			   .cpu_ns = MISSING,
			   .hwm_bytes = MISSING,
			   .inactive_file_bytes = MISSING,
			   .working_set_bytes = MISSING,
			   .pss_bytes = MISSING,
			   .lazyfree_bytes = mib * MIB,
			   .thp_bytes = 0,
			   .swap_bytes = 0 };

	record_probe(r, &p);
}

static void finish(struct record *r, const char *outcome, double target_s, json_t *metrics)
{
	cleanup_json json_t *run = json_pack("{s:s, s:s, s:f, s:o, s:{}, s:[{s:f, s:s, s:s}]}", "format", "memtide-run/1",
					     "outcome", outcome, "target_s", target_s, "metrics", metrics, "missing", "marks",
					     "t_s", 2.0, "name", "dropped", "by", "program");

	assert_return_code(record_close_series(r, NULL), 0);
	assert_return_code(record_finish(r, run, NULL), 0);
	record_free(r);
}

static struct record *start(const char *go, const char *godebug)
{
	struct record *r = NULL;
	cleanup_free char *id = strf("go=%s,godebug=%s", go, godebug);

	assert_return_code(record_create(folder, id, 1, &r, NULL), 0);
	return r;
}

/* A row a second, as the recorder writes them; silence from silent_from on for 5 s. */
static void falls(const char *go, const char *godebug, double fall_s, double silent_from)
{
	struct record *r = start(go, godebug);

	sample(r, 0, 2);
	for (int t = 1; t < 20; t++)
		if (t < silent_from || t >= silent_from + 5)
			sample(r, t, t < fall_s ? 800 : 6);
	finish(r, "ok", 20,
	       json_pack("{s:I, s:I, s:I, s:f, s:f, s:f}", "peak_rss_bytes", (json_int_t)(800 * MIB), "baseline_rss_bytes",
			 (json_int_t)(2 * MIB), "settled_rss_bytes", (json_int_t)(6 * MIB), "released_share", 0.995,
			 "first_fall_s", fall_s - 2, "release_s", fall_s - 2 + 0.1));
}

static void holds(const char *go, const char *godebug)
{
	struct record *r = start(go, godebug);

	sample(r, 0, 2);
	for (int t = 1; t < 20; t++)
		sample(r, t, 800);
	lazyfree(r, 1, 0);
	lazyfree(r, 3, 790);
	finish(r, "ok", 20,
	       json_pack("{s:I, s:I, s:I, s:f, s:I}", "peak_rss_bytes", (json_int_t)(800 * MIB), "baseline_rss_bytes",
			 (json_int_t)(2 * MIB), "settled_rss_bytes", (json_int_t)(800 * MIB), "released_share", 0.0,
			 "lazyfree_settled_bytes", (json_int_t)(790 * MIB)));
}

static void is_killed(const char *go, const char *godebug)
{
	struct record *r = start(go, godebug);

	sample(r, 0, 2);
	sample(r, 1, 1000);
	finish(r, "oom-cgroup", 1.5, json_pack("{s:I}", "peak_rss_bytes", (json_int_t)(1000 * MIB)));
}

static int set_up(void **state)
{
	char template[] = "/tmp/memtide-test-figure-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(template));
	folder = xstrdup(template);
	write_campaign("real");
	falls("1.11", "default", 2, 100);
	holds("1.12", "default");
	falls("1.12", "x=1", 10, 100);
	finish(start("1.13", "default"), "build-failed", 0, json_object());
	finish(start("1.13", "x=1"), "build-failed", 0, json_object());
	falls("1.14", "default", 2, 6);
	is_killed("1.14", "x=1");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)folder_remove(folder, NULL);
	free(folder);
	return 0;
}

static struct campaign *read_campaign(void)
{
	struct campaign *c = NULL;

	assert_return_code(campaign_read(folder, &c, NULL, NULL), 0);
	return c;
}

/* The text of a file in the data folder; caller frees. */
static char *written(const char *name)
{
	struct campaign *c = read_campaign();
	cleanup_free char *dir = strf("%s/data", folder), *path = strf("%s/%s", dir, name);
	cleanup_figure_model struct figure_model m;
	char *text = NULL;

	assert_return_code(folder_make(dir, NULL), 0);
	assert_return_code(figure_model_make(&m, c, NULL), 0);
	assert_return_code(figure_data_write(&m, NULL, dir, NULL), 0);
	assert_return_code(file_read(path, 1 << 20, &text, NULL, NULL), 0);
	campaign_free(c);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

#define NBSP "\u00a0"

static void variables_are_complete(void **state)
{
	cleanup_free char *text = written("figure.gp");

	(void)state;
	assert_has(text, "n_panels = 4\n");
	assert_has(text, "n_settings = 2\n");
	assert_has(text, "array panel_name[4] = ['Go 1.11', 'Go 1.12', 'Go 1.13', 'Go 1.14']\n");
	assert_has(text, "array panel_detail[4] = ['1.11.9', ");
	assert_has(text, "array setting_name[2] = ['default settings', 'GODEBUG=x=1']\n");
	assert_has(text,
		   "array curve_file[8] = ['curve-01-1.tsv', '', 'curve-02-1.tsv', 'curve-02-2.tsv', '', '', 'curve-04-1.tsv', "
		   "'curve-04-2.tsv']\n");
	assert_has(text, "array panel_says[4] = ['', '', 'build failed', '']\n");
	assert_has(text, "array curve_lazy[8] = [0, 0, 1, 0, 0, 0, 0, 0]\n");
	assert_has(text, "array mark_name[1] = ['dropped']\n");
	/* From the mark `dropped` at 2 s to the end at 20 s */
	assert_has(text, "t_min_s = -2\nt_max_s = 18\n");
	assert_has(text, "t_unit_name = 's'\n");
	assert_has(text, "y_unit_name = 'MB'\n");
	assert_has(text, "array panel_limit_name[4] = ['limit" NBSP "1" NBSP "GB', '', '', '']\n");
}

static void text_is_quoted(void **state)
{
	cleanup_free char *text = written("figure.gp");

	(void)state;
	assert_has(text,
		   "subtitle = 'What''s kept? Scenario allocate, real clock, 1" NBSP "run a cell, limit" NBSP "1" NBSP "GB, ");
}

static void a_missing_share_is_not_zero(void **state)
{
	cleanup_free char *text = written("figure.gp");

	(void)state;
	assert_has(text, "array heat_share[8] = [0.995, NaN, 0, 0.995, NaN, NaN, 0.995, NaN]\n");
	assert_has(text, "array heat_text[8] = ['99.5" NBSP "%', 'no knob', '0" NBSP "%', '99.5" NBSP
			 "%', 'build failed', 'build failed', '99.5" NBSP "%', 'OOM-killed']\n");
	assert_has(text, "array heat_kind[8] = [0, 1, 0, 0, 2, 2, 0, 2]\n");
}

static void notes_say_what_happened(void **state)
{
	cleanup_free char *text = written("figure.gp");

	(void)state;
	assert_has(text,
		   "array curve_note[8] = ['falls in 0.10" NBSP "s', '', 'held, 790" NBSP "MB reclaimable', 'falls after 8.0" NBSP
		   "s', '', '', 'falls in 0.10" NBSP "s', 'OOM-killed after 1.5" NBSP "s']\n");
	assert_has(text, "title = 'Go" NBSP "1.12 keeps 800" NBSP "MB resident by default; Go" NBSP
			 "1.11 and 1.14 give it back within 0.10" NBSP "s'\n");
}

static void an_early_end_is_crossed(void **state)
{
	cleanup_free char *text = written("figure.gp");

	(void)state;
	assert_has(text, "array curve_cross[8] = [0, 0, 0, 0, 0, 0, 0, 1]\n");
	assert_has(text, "array cross_t_s[8] = [NaN, NaN, NaN, NaN, NaN, NaN, NaN, -0.5]\n");
}

static void like_curves_form_one_group(void **state)
{
	cleanup_free char *text = written("figure.gp");

	(void)state;
	assert_has(text, "n_groups = 4\n");
	assert_has(text, "'Go" NBSP "1.12 by default'");
	assert_has(text, "'Go" NBSP "1.12 with GODEBUG=x=1'");
	assert_has(text, "'Go" NBSP "1.11 and 1.14 by default'");
}

static void steps_have_both_corners(void **state)
{
	cleanup_free char *text = written("curve-01-1.tsv");

	(void)state;
	assert_has(text, "\n-1.000000\t838860800\t838860800\t838860800\n0.000000\t838860800\t838860800\t838860800\n"
			 "0.000000\t6291456\t6291456\t6291456\n");
	assert_null(strstr(text, "\n\n"));
}

static void silence_is_a_gap(void **state)
{
	cleanup_free char *text = written("curve-04-1.tsv");

	(void)state;
	assert_has(text, "\n4.000000\t6291456\t6291456\t6291456\n\n9.000000\t6291456\t");
}

/* Nothing can have happened while every thread slept. */
static void a_jump_of_the_virtual_clock_is_no_gap(void **state)
{
	write_campaign("virtual");
	cleanup_free char *text = written("curve-04-1.tsv"), *figure = written("figure.gp");
	write_campaign("real");

	(void)state;
	assert_null(strstr(text, "\n\n"));
	assert_has(text, "\n18.000000\t6291456\t6291456\t6291456\n");
	assert_has(figure, "Scenario allocate, virtual clock, 1" NBSP "run a cell");
}

static void lazyfree_is_the_second_block(void **state)
{
	cleanup_free char *text = written("curve-02-1.tsv"), *block = NULL;

	(void)state;
	assert_has(text, "\n\n\n");
	block = xstrdup(strstr(text, "\n\n\n"));
	assert_has(block, "\n1.000000\t828375040\t828375040\t828375040\n18.000000\t828375040\t");
}

static void lists_use_ranges(void **state)
{
	struct campaign *c = read_campaign();
	cleanup_figure_model struct figure_model m;

	(void)state;
	assert_return_code(figure_model_make(&m, c, NULL), 0);
	static const struct {
		bool in[4];
		const char *text;
	} cases[] = {
		{ { true, true, true, true }, "Go" NBSP "1.11" NBSP "to" NBSP "1.14" },
		{ { true, false, true, true }, "Go" NBSP "1.11, 1.13 and 1.14" },
		{ { false, true, true, true }, "Go" NBSP "1.12" NBSP "to" NBSP "1.14" },
		{ { false, false, false, true }, "Go" NBSP "1.14" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_free char *list = figure_panel_list(&m, cases[i].in);
		assert_string_equal(list, cases[i].text);
	}
	campaign_free(c);
}

/* ---- a campaign by variant: what is kept counts, not what goes back
 * -------------------------------------------------------------------------------------------------------------------- */

#define FORMATS "format", "memtide-campaign/1", "scenario", "leak", "title", "Does it leak?"

/* Another campaign, in a folder of its own. Steals cells. */
static void begin_with_cells(json_t *cells, char **ret_before)
{
	char template[] = "/tmp/memtide-test-figure-XXXXXX";

	assert_non_null(mkdtemp(template));
	*ret_before = folder;
	folder = xstrdup(template);

	cleanup_free char *path = strf("%s/campaign.json", folder);
	cleanup_json json_t *info =
		json_pack("{s:s, s:s, s:s, s:s, s:{s:s}, s:{s:s}, s:s, s:i, s:f, s:o}", FORMATS, "started", "2026-11-21T06:14:00Z",
			  "memtide", "version", "1.0", "host", "kernel", "6.1.0", "clock", "virtual", "repeat", 1, "for_s", 20.0,
			  "cells", cells);
	assert_return_code(json_save(path, info, NULL), 0);
}

/* Go 1.11 to 1.13 with the values of one axis more. */
static void begin_campaign(const char *axis, const char *const *values, char **ret_before)
{
	json_t *cells = json_array();
	static const char *const releases[] = { "1.11", "1.12", "1.13" };

	for (size_t i = 0; i < 3; i++)
		for (const char *const *v = values; *v; v++) {
			cleanup_free char *id = strf("go=%s,%s=%s", releases[i], axis, *v);
			json_array_append_new(cells, json_pack("{s:s, s:{s:s, s:s}, s:s+, s:b}", "id", id, "settings", "go",
							       releases[i], axis, *v, "go_version", releases[i], ".9",
							       "applicable", true));
		}
	begin_with_cells(cells, ret_before);
}

static void end_campaign(char *before)
{
	(void)folder_remove(folder, NULL);
	free(folder);
	folder = before;
}

/* To peak_mib until 8 s, then end_mib (if it is more, from 18 s on). settled, baseline: 0: missing. dropped: marks it. */
static void run_of(const char *id, uint64_t peak_mib, uint64_t end_mib, uint64_t settled_mib, uint64_t baseline_mib, bool dropped)
{
	struct record *r = NULL;
	json_t *metrics = json_pack("{s:I}", "peak_rss_bytes", (json_int_t)(peak_mib * MIB));
	json_t *marks = json_pack("[{s:f, s:s, s:s}, {s:f, s:s, s:s}]", "t_s", 1.0, "name", "load", "by", "program", "t_s", 10.0,
				  "name", "neighbour", "by", "supervisor");

	assert_return_code(record_create(folder, id, 1, &r, NULL), 0);
	sample(r, 0, 2);
	sample(r, 1, peak_mib / 2);
	sample(r, 2, peak_mib);
	sample(r, end_mib > peak_mib ? 18 : 8, end_mib);
	if (settled_mib)
		json_object_set_new(metrics, "settled_rss_bytes", json_integer((json_int_t)(settled_mib * MIB)));
	if (baseline_mib) {
		json_object_set_new(metrics, "baseline_rss_bytes", json_integer((json_int_t)(baseline_mib * MIB)));
		json_object_set_new(metrics, "released_share",
				    json_real((double)(peak_mib - end_mib) / (double)(peak_mib - baseline_mib)));
	}
	if (dropped)
		json_array_append_new(marks, json_pack("{s:f, s:s, s:s}", "t_s", 4.0, "name", "dropped", "by", "program"));
	cleanup_json json_t *run =
		json_pack("{s:s, s:s, s:f, s:o, s:{s:s, s:s*}, s:o}", "format", "memtide-run/1", "outcome", "ok", "target_s", 20.0,
			  "metrics", metrics, "missing", "release_s", dropped ? "RSS never fell" : "no mark dropped",
			  "settled_rss_bytes", settled_mib ? NULL : "RSS still moves at the end", "marks", marks);
	assert_return_code(record_close_series(r, NULL), 0);
	assert_return_code(record_finish(r, run, NULL), 0);
	record_free(r);
}

static const char *const variants[] = { "leaky", "emptied", "fixed", NULL };

static void begin_leak(char **before)
{
	static const char *const releases[] = { "1.11", "1.12", "1.13" };

	begin_campaign("variant", variants, before);
	for (size_t i = 0; i < 3; i++) {
		cleanup_free char *leaky = strf("go=%s,variant=leaky", releases[i]),
				  *emptied = strf("go=%s,variant=emptied", releases[i]),
				  *fixed = strf("go=%s,variant=fixed", releases[i]);

		run_of(leaky, 200, 200, 200 + i, 2, false);
		run_of(emptied, 200, 200, 201, 2, true);
		run_of(fixed, 80, 20, 20, 2, false);
	}
}

static void what_variants_keep_is_the_headline(void **state)
{
	char *before;

	(void)state;
	begin_leak(&before);
	cleanup_free char *text = written("figure.gp");
	end_campaign(before);
	assert_has(text, "title = 'leaky and emptied keep 200" NBSP "MB above the baseline under every release; fixed 18" NBSP "MB'\n");
	assert_has(text, "heatmap_subtitle = 'Each cell: what is resident at the end of the run. Does it leak?");
	assert_has(text, "array heat_text[9] = ['200" NBSP "MB', '201" NBSP "MB', '20" NBSP "MB', '201" NBSP "MB'");
}

static void variants_have_their_plain_names_and_colours(void **state)
{
	char *before;

	(void)state;
	begin_leak(&before);
	cleanup_free char *text = written("figure.gp");
	end_campaign(before);
	assert_has(text, "array setting_name[3] = ['leaky', 'emptied', 'fixed']\n");
	/* The first is warm, the others are cool; groups have their variant's. */
	assert_has(text, "array setting_hue[3] = [2, 1, 3]\n");
	assert_has(text, "n_groups = 3\n");
	assert_has(text, "array group_name[3] = ['leaky', 'emptied', 'fixed']\n");
	assert_has(text, "array group_hue[3] = [2, 1, 3]\n");
}

/* Nobody said that anything is dropped, so it is no matter of giving back. */
static void what_drops_nothing_has_an_end(void **state)
{
	char *before;

	(void)state;
	begin_leak(&before);
	cleanup_free char *text = written("figure.gp");
	end_campaign(before);
	assert_has(text, "'20" NBSP "MB at the end'");
	assert_null(strstr(text, "given back"));
}

static void coinciding_curves_are_told_together(void **state)
{
	char *before;

	(void)state;
	begin_leak(&before);
	cleanup_free char *text = written("figure.gp");
	end_campaign(before);
	assert_has(text, "array curve_note[9] = ['leaky, emptied: 200" NBSP "MB at the end', 'leaky, emptied: 200" NBSP
			 "MB at the end', '20" NBSP "MB at the end', ");
	assert_has(text, "array curve_layer[9] = [1, 0, 0, 1, 0, 0, 1, 0, 0]\n");
	assert_has(text, "array curve_layers[9] = [2, 2, 1, 2, 2, 1, 2, 2, 1]\n");
}

static void marks_that_all_share_are_in_the_overlay(void **state)
{
	char *before;

	(void)state;
	begin_leak(&before);
	cleanup_free char *text = written("figure.gp");
	end_campaign(before);
	assert_has(text, "array mark_name[3] = ['load', 'dropped', 'neighbour']\n");
	assert_has(text, "array mark_act[3] = [0, 0, 1]\n");
	/* `dropped` is one variant's alone. */
	assert_has(text, "array shared_t_s[3] = [1, NaN, 10]\n");
}

static void without_baseline_the_settled_value_counts(void **state)
{
	static const char *const settings[] = { "default", "x=1", NULL };
	char *before;

	(void)state;
	begin_campaign("godebug", settings, &before);
	run_of("go=1.11,godebug=default", 200, 150, 150, 0, false);
	run_of("go=1.12,godebug=default", 100, 200, 0, 0, false);
	run_of("go=1.13,godebug=default", 200, 150, 0, 0, false);
	cleanup_free char *text = written("figure.gp");
	end_campaign(before);
	assert_has(text, "array curve_note[6] = ['150" NBSP "MB at the end', '', 'still growing', '', 'not settled', '']\n");
	assert_has(text, "title = 'The default keeps 150" NBSP "MB under Go" NBSP "1.11; the default is not settled at the end under Go" NBSP
			 "1.12 and 1.13'\n");
}

static void the_headline_has_every_size_that_is_kept(void **state)
{
	static const char *const settings[] = { "default", NULL };
	char *before;

	(void)state;
	begin_campaign("godebug", settings, &before);
	run_of("go=1.11,godebug=default", 800, 790, 790, 2, true);
	run_of("go=1.12,godebug=default", 800, 790, 790, 2, true);
	run_of("go=1.13,godebug=default", 500, 495, 495, 2, true);
	cleanup_free char *text = written("figure.gp");
	end_campaign(before);
	assert_has(text, "title = 'All 3 releases keep 495 to 790" NBSP "MB resident'\n");
}

/* One range over all releases, "18 to 198 MB", would say nothing of them. */
static void a_long_headline_names_the_rest(void **state)
{
	static const char *const pools[] = { "pooled", "capped", "ended", NULL }, *const releases[] = { "1.11", "1.12", "1.13" };
	static const uint64_t keeps[3][3] = { { 200, 20, 20 }, { 200, 200, 200 }, { 200, 20, 200 } };
	char *before;

	(void)state;
	begin_campaign("variant", pools, &before);
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < 3; k++) {
			cleanup_free char *id = strf("go=%s,variant=%s", releases[i], pools[k]);

			run_of(id, 200, keeps[i][k], keeps[i][k], 2, false);
		}
	cleanup_free char *text = written("figure.gp");
	end_campaign(before);
	assert_has(text, "title = 'pooled keeps 198" NBSP "MB above the baseline under every release; capped keeps 198" NBSP "MB under Go" NBSP
			 "1.12, else 18" NBSP "MB; ended keeps 18" NBSP "MB under Go" NBSP "1.11, else 198" NBSP "MB'\n");
}

static const char *const three_settings[] = { "default", "x=0", "x=1", NULL };

/* Go 1.11 to 1.13, with and without a setting, in as many variants as are named; transparent huge pages never. */
static void begin_wide(size_t n_variants, const char *const *settings, char **ret_before)
{
	static const char *const releases[] = { "1.11", "1.12", "1.13" };
	json_t *cells = json_array();

	for (size_t i = 0; i < 3; i++)
		for (const char *const *s = settings; *s; s++)
			for (size_t k = 0; k < n_variants; k++) {
				cleanup_free char *id = strf("go=%s,godebug=%s,variant=%s", releases[i], *s, variants[k]);

				json_array_append_new(cells, json_pack("{s:s, s:{s:s, s:s, s:s, s:s}, s:s+, s:b}", "id", id, "settings", "go",
								       releases[i], "godebug", *s, "variant", variants[k], "thp", "never",
								       "go_version", releases[i], ".9", "applicable", true));
			}
	begin_with_cells(cells, ret_before);
	for (size_t i = 0; i < 3; i++)
		for (const char *const *s = settings; *s; s++)
			for (size_t k = 0; k < n_variants; k++) {
				cleanup_free char *id = strf("go=%s,godebug=%s,variant=%s", releases[i], *s, variants[k]);

				run_of(id, 200, 200 - 60 * k, 200 - 60 * k, 2, false);
			}
}

/* What all cells have is no name of one of them. */
static void labels_name_what_differs(void **state)
{
	static const char *const settings[] = { "default", NULL };
	char *before;

	(void)state;
	begin_wide(2, settings, &before);
	cleanup_free char *text = written("figure.gp");
	end_campaign(before);
	assert_has(text, "array setting_name[2] = ['leaky', 'emptied']\n");
	assert_has(text, "cell, thp never, Linux" NBSP "6.1.");
}

/* Nine settings, and eight colours. */
static void what_has_no_colour_has_a_panel(void **state)
{
	char *before;

	(void)state;
	begin_wide(3, three_settings, &before);
	cleanup_free char *text = written("figure.gp");
	end_campaign(before);
	assert_has(text, "array setting_name[3] = ['default settings', 'GODEBUG=x=0', 'GODEBUG=x=1']\n");
	assert_has(text, "array panel_name[9] = ['Go 1.11, leaky', 'Go 1.12, leaky', 'Go 1.13, leaky', 'Go 1.11, emptied', ");
	assert_has(text, "array panel_part[9] = ['leaky', 'leaky', 'leaky', 'emptied', ");
	assert_has(text, "'curve-09-3.tsv']\n");
	assert_has(text, "array group_name[3] = ['leaky', 'emptied', 'fixed']\n");
	assert_null(strstr(text, "The first"));
}

static void without_gnuplot_the_error_says_how_to_draw_later(void **state)
{
	struct err cleanup_err err = ERR_INIT;
	struct campaign *c = read_campaign();
	cleanup_strv struct strv files = STRV_INIT;
	cleanup_free char *path = xstrdup(getenv("PATH") ? getenv("PATH") : ""), *data = strf("%s/plots/data/figure.gp", folder);

	(void)state;
	if (!file_exists("plots/grid.gp")) {
		print_message("run from the folder that holds plots/\n");
		skip();
	}
	setenv("PATH", "/nonexistent", 1);
	int r = figures_draw(c, ".", NULL, &files, NULL, &err);
	setenv("PATH", path, 1);
	assert_true(r < 0);
	assert_int_equal(err.exit_code, EXIT_HARNESS);
	assert_has(err_text(&err), "gnuplot is not installed");
	assert_has(err_text(&err), "apt-get install gnuplot-nox, then memtide plot /tmp/");
	assert_int_equal(files.n, 0);
	assert_true(file_exists(data));
	campaign_free(c);
}

static void all_figures_are_drawn(void **state)
{
	struct err cleanup_err err = ERR_INIT;
	struct campaign *c = read_campaign();
	cleanup_strv struct strv files = STRV_INIT, left = STRV_INIT;
	cleanup_free char *plots = strf("%s/plots", folder);

	(void)state;
	if (!file_exists("plots/grid.gp") || !file_exists("/usr/bin/gnuplot")) {
		print_message("needs gnuplot, and to run from the folder that holds plots/\n");
		skip();
	}
	if (figures_draw(c, ".", NULL, &files, NULL, &err) < 0)
		fail_msg("%s", err_text(&err));
	assert_int_equal(files.n, 7);
	assert_has(files.v[0], "/plots/grid.png");
	for (size_t i = 0; i < files.n; i++) {
		cleanup_free char *text = NULL;
		size_t len = 0;

		assert_return_code(file_read(files.v[i], 16 << 20, &text, &len, NULL), 0);
		assert_true(len > 5000);
	}
	/* Nothing but the figures and the data stays. */
	assert_return_code(folder_list(plots, &left, NULL), 0);
	assert_int_equal(left.n, 8);
	campaign_free(c);
}

/* It was as high before, but low at the moment from which on growth is looked for. */
static void what_swings_is_not_growing(void **state)
{
	static const char *const settings[] = { "default", "x=1", NULL };
	static const char *const releases[] = { "1.11", "1.12", "1.13" };
	char *before;

	(void)state;
	begin_campaign("godebug", settings, &before);
	for (size_t i = 0; i < 3; i++) {
		struct record *r = start(releases[i], "default");

		for (int t = 0; t < 20; t++)
			sample(r, t, t % 5 < 1 ? 20 : 100);
		cleanup_json json_t *run = json_pack("{s:s, s:s, s:f, s:{s:I}, s:{s:s}, s:[]}", "format", "memtide-run/1", "outcome", "ok", "target_s", 20.0,
						     "metrics", "peak_rss_bytes", (json_int_t)(100 * MIB), "missing", "settled_rss_bytes",
						     "RSS still moves at the end", "marks");

		assert_return_code(record_close_series(r, NULL), 0);
		assert_return_code(record_finish(r, run, NULL), 0);
		record_free(r);
	}
	cleanup_free char *text = written("figure.gp");
	end_campaign(before);
	assert_has(text, "'not settled', ");
	assert_null(strstr(text, "still growing"));
}

/* One gives back half of what the others do. */
static void the_headline_says_the_least_that_is_given_back(void **state)
{
	static const char *const settings[] = { "default", NULL };
	char *before;

	(void)state;
	begin_campaign("godebug", settings, &before);
	run_of("go=1.11,godebug=default", 200, 6, 6, 2, true);
	run_of("go=1.12,godebug=default", 200, 100, 100, 2, true);
	run_of("go=1.13,godebug=default", 200, 6, 6, 2, true);
	cleanup_free char *text = written("figure.gp");
	end_campaign(before);
	assert_has(text, "title = 'All 3 releases give 100 to 194" NBSP "MB back");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_are_complete),
		cmocka_unit_test(text_is_quoted),
		cmocka_unit_test(a_missing_share_is_not_zero),
		cmocka_unit_test(notes_say_what_happened),
		cmocka_unit_test(an_early_end_is_crossed),
		cmocka_unit_test(like_curves_form_one_group),
		cmocka_unit_test(steps_have_both_corners),
		cmocka_unit_test(silence_is_a_gap),
		cmocka_unit_test(a_jump_of_the_virtual_clock_is_no_gap),
		cmocka_unit_test(lazyfree_is_the_second_block),
		cmocka_unit_test(lists_use_ranges),
		cmocka_unit_test(what_variants_keep_is_the_headline),
		cmocka_unit_test(variants_have_their_plain_names_and_colours),
		cmocka_unit_test(what_drops_nothing_has_an_end),
		cmocka_unit_test(coinciding_curves_are_told_together),
		cmocka_unit_test(marks_that_all_share_are_in_the_overlay),
		cmocka_unit_test(without_baseline_the_settled_value_counts), cmocka_unit_test(what_swings_is_not_growing),
		cmocka_unit_test(the_headline_says_the_least_that_is_given_back),
		cmocka_unit_test(the_headline_has_every_size_that_is_kept),
		cmocka_unit_test(a_long_headline_names_the_rest),
		cmocka_unit_test(labels_name_what_differs),
		cmocka_unit_test(what_has_no_colour_has_a_panel),
		cmocka_unit_test(without_gnuplot_the_error_says_how_to_draw_later),
		cmocka_unit_test(all_figures_are_drawn),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
