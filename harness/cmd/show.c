/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "analyse/verdict.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/units.h"
#include "cmd/cmd.h"
#include "record/notes.h"
#include "record/reader.h"
#include "render/table.h"
#include "render/verdicts.h"

#define DAMAGES_MAX  5
#define MISSED_MAX   0.01 /* share of the ticks beyond which a run's curve is warned of */

struct show_options {
	struct dir_options from;
	bool json, expectations, full;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct show_options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case 'e':
		o->expectations = true;
		return 0;
	case 'f':
		o->full = true;
		return 0;
	default:
		return cmd_dir_option(key, arg, state, &o->from);
	}
}

static const struct argp_option option_table[] = {
	{ "json", 'j', NULL, 0, "campaign.json and every run.json as one object", 0 },
	{ "expectations", 'e', NULL, 0, "every expectation with what was measured, instead of the table", 0 },
	{ "full", 'f', NULL, 0, "a row for each release, also where many rows say the same", 0 },
	{ "results", 'r', "DIR", 0, "where the newest campaign is looked for (default: results)", 0 },
	{ 0 },
};

static const struct argp argp = {
	option_table,
	parse_option,
	"[DIR]",
	"Shows a campaign: the table, what it says, expectations that failed, and where the figures are.\v"
	"DIR is a campaign's folder; without it the newest one. Exit code 1 if an expectation failed.",
	NULL,
	NULL,
	NULL,
};

/* ---- warnings ----------------------------------------------------------------------------------------------------------------- */

static double missed_share(const json_t *run)
{
	const json_t *sampling = json_object_get(run, "sampling");
	double samples = json_number_value(json_object_get(sampling, "samples")),
	       missed = json_number_value(json_object_get(sampling, "missed"));

	/* Of a run that was over in a moment a share says nothing. */
	return samples + missed >= 100 ? missed / (samples + missed) : 0;
}

static void warn_of_sampling(const struct campaign *c)
{
	const struct campaign_run *worst = NULL;
	size_t sampled = 0, late = 0, lossy = 0;
	double most = 0;

	for (size_t i = 0; i < c->n_runs; i++) {
		sampled += json_is_object(json_object_get(c->runs[i].run, "sampling"));
		double share = missed_share(c->runs[i].run);

		late += share > MISSED_MAX;
		lossy += json_number_value(json_object_get(json_object_get(c->runs[i].run, "sampling"), "lost")) > 0;
		if (share > most) {
			most = share;
			worst = &c->runs[i];
		}
	}
	cleanup_free char *label = worst ? campaign_cell_label(c, worst->cell_id) : NULL;

	if (late && worst)
		log_warn("%zu of %zu runs missed more than 1 %% of their ticks, at worst %.1f %% (%s, repeat %u): the machine was busy",
			 late, sampled, 100 * most, label, worst->repeat);
	if (lossy)
		log_warn("%zu runs lost samples that found the buffer full; the peak is still the kernel's", lossy);
}

/* slow: those of the slow probes alone. */
static void warn_of_gaps(const struct campaign *c, bool slow)
{
	const struct campaign_run *worst = NULL;
	size_t runs = 0, i;
	double longest = 0, at = 0;
	json_t *gap;
	char length[32];

	for (size_t k = 0; k < c->n_runs; k++) {
		size_t before = runs;

		json_array_foreach(json_object_get(c->runs[k].run, "gaps"), i, gap)
		{
			double from = json_number_value(json_object_get(gap, "from_s")), to = json_number_value(json_object_get(gap, "to_s"));

			if (json_is_true(json_object_get(gap, "slow")) != slow)
				continue;
			runs = before + 1;
			if (!worst || to - from > longest) {
				longest = to - from;
				at = from;
				worst = &c->runs[k];
			}
		}
	}
	cleanup_free char *label = worst ? campaign_cell_label(c, worst->cell_id) : NULL;

	if (worst)
		log_warn("%zu of %zu runs %s a gap%s: the longest is %s, at %.1f s of %s, repeat %u; nothing is known of it", runs, c->n_runs,
			 runs == 1 ? "has" : "have", slow ? " in LazyFree, Pss and huge pages" : " in which nobody looked",
			 format_duration(length, sizeof(length), longest), at, label, worst->repeat);
}

/* What holds the memory is a part of the answer: that the kernel keeps it from us is said, of a program that is no Go program not. */
static void warn_of_rights(const struct campaign *c)
{
	const char *why = NULL;
	size_t runs = 0;

	for (size_t i = 0; i < c->n_runs; i++) {
		const json_t *runtime = json_object_get(c->runs[i].run, "runtime");

		if (!json_is_true(json_object_get(runtime, "forbidden")))
			continue;
		runs++;
		why = json_string_value(json_object_get(runtime, "why"));
	}
	if (runs)
		log_warn("of %zu of %zu runs the Go runtime could not be read, so that what holds the memory is not known: %s (memtide doctor says what mends it)",
			 runs, c->n_runs, why ? why : "forbidden");
}

static void warn_of_runs(const struct campaign *c)
{
	size_t unfinished = 0, damaged = 0;

	for (size_t i = 0; i < c->n_runs; i++) {
		const char *damage = json_string_value(json_object_get(c->runs[i].run, "damage"));

		cleanup_free char *path = strf("%s/run.json", c->runs[i].dir);

		unfinished += !file_exists(path);
		if (!damage)
			continue;
		if (damaged++ < DAMAGES_MAX)
			log_warn("%s: %s", c->runs[i].dir, damage);
	}
	if (damaged > DAMAGES_MAX)
		log_warn("%zu more runs have damaged series", damaged - DAMAGES_MAX);
	if (unfinished)
		log_warn("%zu run%s no final record; `memtide run SCENARIO --resume` does %s again", unfinished,
			 unfinished > 1 ? "s have" : " has", unfinished > 1 ? "them" : "it");
	else if (json_is_null(json_object_get(c->info, "finished")))
		log_warn("this campaign was not finished; `memtide run SCENARIO --resume` goes on with it");
}

/* ---- printing
 * ----------------------------------------------------------------------------------------------------------------------- */

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

static void print_figures(const struct campaign *c)
{
	cleanup_free char *plots = strf("%s/plots", c->dir);
	cleanup_strv struct strv names = STRV_INIT;
	bool any = false;

	if (!folder_exists(plots) || folder_list(plots, &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		if (!ends_with(names.v[i], ".png") && !ends_with(names.v[i], ".svg"))
			continue;
		printf("%s  %s/%s\n", any ? "" : "\nFigures:\n", plots, names.v[i]);
		any = true;
	}
}

/* What people added later, with `memtide mark`. */
static void print_notes(const struct campaign *c)
{
	bool any = false;

	for (size_t i = 0; i < c->n_runs; i++) {
		cleanup_notes struct notes notes;
		cleanup_strv struct strv damage = STRV_INIT;
		struct err cleanup_err err = ERR_INIT;

		if (notes_read(c->runs[i].dir, &notes, &damage, &err) < 0)
			log_warn("%s", err_text(&err));
		if (damage.n)
			log_warn("%s/%s", c->runs[i].dir, damage.v[0]);
		for (size_t k = 0; k < notes.n; k++) {
			printf("%s  %s/%u at %.3f s: %s\n", any ? "" : "\nMarks added later:\n", c->runs[i].cell_id, c->runs[i].repeat,
			       (double)notes.v[k].t_ns / 1e9, notes.v[k].text);
			any = true;
		}
	}
}

static void show_text(const struct campaign *c, const struct verdicts *verdicts, const struct show_options *o)
{
	struct table_style style = table_style_for_stdout();

	style.full = o->full;
	if (o->expectations) {
		verdicts_print_all(stdout, verdicts, &style);
		return;
	}
	table_print(stdout, c, &style);
	putchar('\n');
	table_print_sentences(stdout, c, &style);
	table_print_mechanisms(stdout, c, &style);
	verdicts_print_failures(stdout, verdicts, style.columns);
	print_notes(c);
	print_figures(c);
	printf("\nRecorded in %s\n", c->dir);
	(void)fflush(stdout);
	warn_of_sampling(c);
	warn_of_gaps(c, false);
	warn_of_gaps(c, true);
	warn_of_rights(c);
	warn_of_runs(c);
}

static json_t *run_json(const struct campaign_run *r)
{
	json_t *run = r->run ? json_copy(r->run)
			     : json_pack("{s:i, s:s}", "repeat", (int)r->repeat, "outcome", outcome_to_string(r->outcome));

	cleanup_notes struct notes notes;
	json_t *list = json_array();

	(void)notes_read(r->dir, &notes, NULL, NULL);
	for (size_t i = 0; i < notes.n; i++)
		json_array_append_new(list, json_pack("{s:f, s:s}", "t_s", (double)notes.v[i].t_ns / 1e9, "text", notes.v[i].text));
	json_object_set_new(run, "notes", list);
	json_object_set_new(run, "cell_id", json_string(r->cell_id));
	json_object_set_new(run, "dir", json_string(r->dir));
	return run;
}

static int show_json(const struct campaign *c, const struct verdicts *verdicts, struct err *err)
{
	json_t *runs = json_array();

	for (size_t i = 0; i < c->n_runs; i++)
		json_array_append_new(runs, run_json(&c->runs[i]));
	cleanup_json json_t *all = json_pack("{s:O, s:s, s:o, s:o}", "campaign", c->info, "dir", c->dir, "runs", runs, "verdicts", verdicts_json(verdicts));
	return json_print(all, err);
}

int cmd_show(int argc, char **argv)
{
	struct show_options o = { .from.results = "results" };
	struct err cleanup_err err = ERR_INIT;
	cleanup_strv struct strv warnings = STRV_INIT;
	cleanup_free char *dir = NULL;
	struct verdicts verdicts;
	struct campaign_cells cells;
	struct campaign *c = NULL;
	size_t failed;

	cmd_parse(&argp, argc, argv, &o);
	if (campaign_locate(o.from.dir, o.from.results, &dir, &err) < 0 || campaign_read(dir, &c, &warnings, &err) < 0)
		return cmd_failed(&err);
	for (size_t i = 0; i < warnings.n; i++)
		log_warn("%s", warnings.v[i]);
	campaign_cells(c, &cells);
	verdicts_make(c, &cells, &verdicts);
	failed = verdicts_failed(&verdicts);
	if (o.json) {
		(void)show_json(c, &verdicts, &err);
	} else {
		show_text(c, &verdicts, &o);
		if (ferror(stdout))
			(void)err_set(&err, errno, "cannot write to standard output");
	}
	verdicts_done(&verdicts);
	campaign_cells_done(&cells);
	campaign_free(c);
	if (err.msg)
		return cmd_failed(&err);
	return failed ? EXIT_UNEXPECTED : EXIT_EXPECTED;
}
