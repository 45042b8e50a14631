/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/units.h"
#include "cmd/cmd.h"
#include "plan/metric.h"
#include "record/reader.h"
#include "render/table.h"

#define FAILURES_MAX 20
#define DAMAGES_MAX  5
#define MISSED_MAX   0.01 /* share of the ticks beyond which a run's curve is warned of */

struct show_options {
	const char *dir; /* NULL: the newest campaign */
	const char *results;
	bool json;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct show_options *o = state->input;

	switch (key) {
	case 'r':
		o->results = arg;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->dir)
			argp_error(state, "one DIR at a time");
		o->dir = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_table[] = {
	{ "json", 'j', NULL, 0, "campaign.json and every run.json as one object", 0 },
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

/* ---- expectations
 * ------------------------------------------------------------------------------------------------------------------ */

/* One condition over the repeats of a cell. */
struct verdict {
	const struct campaign_cell *cell;
	const char *that;    /* borrowed */
	const json_t *first; /* borrowed: the first evaluation that does not hold */
	double share;        /* of the runs in which it must hold */
	size_t runs, held;
};

struct verdicts {
	struct verdict *v; /* owned */
	size_t n;
};

static struct verdict *verdict_of(struct verdicts *l, const struct campaign_cell *cell, const json_t *e)
{
	const char *that = json_string_value(json_object_get(e, "that"));
	const json_t *share = json_object_get(e, "share");

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].cell == cell && !strcmp(l->v[i].that, that ? that : ""))
			return &l->v[i];
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n] = (struct verdict){ cell, that ? that : "", NULL, json_is_number(share) ? json_number_value(share) : 1, 0, 0 };
	return &l->v[l->n++];
}

static void add_verdicts(struct verdicts *l, const struct campaign_cell *cell)
{
	for (size_t k = 0; k < cell->n_runs; k++) {
		const json_t *all = json_object_get(cell->runs[k]->run, "expectations"), *e;
		size_t i;

		json_array_foreach(all, i, e)
		{
			struct verdict *v = verdict_of(l, cell, e);
			bool holds = json_is_true(json_object_get(e, "holds"));

			v->runs++;
			v->held += holds;
			if (!holds && !v->first)
				v->first = e;
		}
	}
}

static bool has_failed(const struct verdict *v)
{
	return (double)v->held + 1e-9 < v->share * (double)v->runs;
}

/* In the unit of the metric that the condition begins with. */
static char *value_text(const char *that, const json_t *value)
{
	cleanup_free char *name = strf("%.*s", (int)strcspn(that, " <>="), that);
	int m = metric_from_name(name);
	double v = json_number_value(value);
	char text[32];

	if (json_is_string(value))
		return xstrdup(json_string_value(value));
	if (!json_is_number(value))
		return xstrdup("missing");
	if (m >= 0 && metric_unit((enum metric)m) == UNIT_BYTES && v >= 0)
		return xstrdup(format_size(text, sizeof(text), (uint64_t)llround(v)));
	if (m >= 0 && metric_unit((enum metric)m) == UNIT_SECONDS && v >= 0)
		return xstrdup(format_duration(text, sizeof(text), v));
	return strf("%.4g", v);
}

static void print_failure(const struct verdict *v)
{
	const json_t *measured = json_object_get(v->first, "measured"), *limit = json_object_get(v->first, "limit");
	const char *because = json_string_value(json_object_get(v->first, "because"));
	const char *why = json_string_value(json_object_get(v->first, "why"));
	cleanup_free char *have = value_text(v->that, measured), *want = value_text(v->that, limit);

	printf("  %s: expected %s", v->cell->id, v->that);
	if (why)
		printf("; %s", why);
	else
		printf("; measured %s against %s", have, want);
	if (v->runs > 1)
		printf(" (fails in %zu of %zu runs)", v->runs - v->held, v->runs);
	putchar('\n');
	if (because)
		printf("    expected because: %s\n", because);
}

/* Returns how many failed. */
static size_t print_expectations(const struct campaign_cells *cells, bool quiet)
{
	struct verdicts l = { 0 };
	size_t failed = 0;

	for (size_t i = 0; i < cells->n; i++)
		add_verdicts(&l, &cells->v[i]);
	for (size_t i = 0; i < l.n; i++)
		failed += has_failed(&l.v[i]);
	if (!quiet && failed)
		printf("\n%zu of %zu expectations failed:\n", failed, l.n);
	else if (!quiet && l.n)
		printf("\nAll %zu expectations hold.\n", l.n);
	for (size_t i = 0, shown = 0; i < l.n && !quiet; i++) {
		if (!has_failed(&l.v[i]))
			continue;
		if (shown++ < FAILURES_MAX)
			print_failure(&l.v[i]);
	}
	if (!quiet && failed > FAILURES_MAX)
		printf("  and %zu more: memtide show --json tells all\n", failed - FAILURES_MAX);
	free(l.v);
	return failed;
}

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
	if (late && worst)
		log_warn("%zu of %zu runs missed more than 1 %% of their ticks, at worst %.1f %% (%s, repeat %u): the machine was busy",
			 late, sampled, 100 * most, worst->cell_id, worst->repeat);
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
	if (worst)
		log_warn("%zu of %zu runs %s a gap%s: the longest is %s, at %.1f s of %s, repeat %u; nothing is known of it", runs, c->n_runs,
			 runs == 1 ? "has" : "have", slow ? " in LazyFree, Pss and huge pages" : " in which nobody looked",
			 format_duration(length, sizeof(length), longest), at, worst->cell_id, worst->repeat);
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

static size_t show_text(const struct campaign *c, const struct campaign_cells *cells)
{
	struct table_style style = table_style_for_stdout();

	table_print(stdout, c, &style);
	putchar('\n');
	table_print_sentences(stdout, c, &style);

	size_t failed = print_expectations(cells, false);
	print_figures(c);
	printf("\nRecorded in %s\n", c->dir);
	(void)fflush(stdout);
	warn_of_sampling(c);
	warn_of_gaps(c, false);
	warn_of_gaps(c, true);
	warn_of_runs(c);
	return failed;
}

static json_t *run_json(const struct campaign_run *r)
{
	json_t *run = r->run ? json_copy(r->run)
			     : json_pack("{s:i, s:s}", "repeat", (int)r->repeat, "outcome", outcome_to_string(r->outcome));

	json_object_set_new(run, "cell_id", json_string(r->cell_id));
	json_object_set_new(run, "dir", json_string(r->dir));
	return run;
}

static int show_json(const struct campaign *c, struct err *err)
{
	json_t *runs = json_array();

	for (size_t i = 0; i < c->n_runs; i++)
		json_array_append_new(runs, run_json(&c->runs[i]));
	cleanup_json json_t *all = json_pack("{s:O, s:s, s:o}", "campaign", c->info, "dir", c->dir, "runs", runs);
	return json_print(all, err);
}

int cmd_show(int argc, char **argv)
{
	struct show_options o = { .results = "results" };
	struct err cleanup_err err = ERR_INIT;
	cleanup_strv struct strv warnings = STRV_INIT;
	cleanup_free char *dir = NULL;
	struct campaign_cells cells;
	struct campaign *c = NULL;
	size_t failed;

	cmd_parse(&argp, argc, argv, &o);
	if (campaign_locate(o.dir, o.results, &dir, &err) < 0 || campaign_read(dir, &c, &warnings, &err) < 0)
		return cmd_failed(&err);
	for (size_t i = 0; i < warnings.n; i++)
		log_warn("%s", warnings.v[i]);
	campaign_cells(c, &cells);
	if (o.json) {
		(void)show_json(c, &err);
		failed = print_expectations(&cells, true);
	} else {
		failed = show_text(c, &cells);
		if (ferror(stdout))
			(void)err_set(&err, errno, "cannot write to standard output");
	}
	campaign_cells_done(&cells);
	campaign_free(c);
	if (err.msg)
		return cmd_failed(&err);
	return failed ? EXIT_UNEXPECTED : EXIT_EXPECTED;
}
