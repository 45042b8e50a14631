/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/cmd.h"
#include "cmd/diagnose_parts.h"
#include "render/diagnosis_text.h"
#include "render/rows.h"
#include "render/table.h"
#include "render/wrap.h"

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct diagnose_options *o = state->input;
	struct err err = ERR_INIT;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case 'c':
		o->cell = arg;
		return 0;
	case 'y':
		o->confirm = true;
		return 0;
	case 'f':
		if (parse_duration(arg, &o->for_ns, &err) < 0)
			argp_error(state, "--for: %s", err_text(&err));
		return 0;
	case 'o':
		if (!*arg)
			argp_error(state, "--out: name a folder");
		o->out = arg;
		return 0;
	case ARGP_KEY_END:
		if ((o->for_ns || o->out) && !diagnose_is_pid(o->from.dir))
			argp_error(state, "--for and --out are for a process: name it by its number");
		return 0;
	default:
		return cmd_dir_option(key, arg, state, &o->from);
	}
}

static const struct argp_option option_table[] = {
	{ "json", 'j', NULL, 0, "one object: mechanism, evidence, text, ...; of several cells an array of them", 0 },
	{ "cell", 'c', "CELL", 0, "this cell alone, by its id (the name of its folder)", 0 },
	{ "confirm", 'y', NULL, 0, "run it again with the one setting that could prove the answer wrong, and say what came out", 0 },
	{ "for", 'f', "TIME", 0, "how long a process is watched (10s)", 0 },
	{ "out", 'o', "DIR", 0, "keep the record of a process, in a campaign below DIR", 0 },
	{ "results", 'r', "DIR", 0, "where the newest campaign is looked for (default: results)", 0 },
	{ 0 },
};

static const struct argp argp = {
	option_table,
	parse_option,
	"[DIR]\nPID",
	"Says why the memory is there that a campaign's programs, or a process that runs, hold, what shows it, and what would give it back.\v"
	"DIR is a campaign's folder; without it the newest one. A number is a process that runs: it is watched for a while, and is not touched. Exit code 3 where it cannot be told, or where --confirm could not confirm it: it was disproved, or nothing could be tried (nothing has to be where all was given back).",
	NULL,
	NULL,
	NULL,
};

/* ---- one run
 * -------------------------------------------------------------------------------------------------------------------------- */

void run_answer_make(const struct campaign_run *r, struct run_answer *ret)
{
	struct run_series series = { 0 };
	bool have = run_series_read(r->dir, &series, NULL) >= 0;

	*ret = (struct run_answer){ 0 };
	(void)run_goroutines_read(r->dir, &ret->goroutines, NULL);
	(void)run_heap_profiles(r->dir, &ret->profiles, NULL);

	const struct mechanism_facts facts = { .metrics = json_object_get(r->run, "metrics"),
					       .missing = json_object_get(r->run, "missing"),
					       .run = r->run,
					       .series = have ? &series : NULL,
					       .goroutines = ret->goroutines };

	diagnosis_of(&facts, &ret->d);
	run_series_done(&series);
}

void run_answer_done(struct run_answer *t)
{
	diagnosis_done(&t->d);
	json_decref(t->goroutines);
	strv_done(&t->profiles);
	*t = (struct run_answer){ 0 };
}

/* ---- one cell: what most of its runs say
 * -------------------------------------------------------------------------------------------- */

struct answer {
	const struct row *row;          /* borrowed */
	const struct campaign_run *run; /* borrowed: the first that says so */
	struct run_answer told;
	size_t runs, agree;
	struct confirmation confirmation;
	bool confirmed; /* it was tried */
	bool printed;
};

struct answers {
	struct answer *v; /* owned */
	size_t n;
};

static bool has_numbers(const struct campaign_run *r)
{
	return r->run && json_object_size(json_object_get(r->run, "metrics")) > 0;
}

/* false: no run of it says anything. */
static bool answer_make(const struct row *row, struct answer *ret)
{
	cleanup_free struct run_answer *all = xcalloc(row->cell->n_runs + 1, sizeof(*all));
	size_t votes[MECHANISM_COUNT_] = { 0 };

	*ret = (struct answer){ .row = row };
	for (size_t i = 0; i < row->cell->n_runs; i++) {
		if (!has_numbers(row->cell->runs[i]))
			continue;
		run_answer_make(row->cell->runs[i], &all[i]);
		votes[all[i].d.mechanism]++;
		ret->runs++;
	}
	for (size_t i = 0; i < row->cell->n_runs; i++) {
		size_t n = has_numbers(row->cell->runs[i]) ? votes[all[i].d.mechanism] : 0;

		if (n <= ret->agree)
			continue;
		ret->agree = n;
		ret->run = row->cell->runs[i];
	}
	for (size_t i = 0; i < row->cell->n_runs; i++) {
		if (row->cell->runs[i] == ret->run)
			ret->told = all[i];
		else
			run_answer_done(&all[i]);
	}
	return ret->run;
}

static int find_cells(const struct campaign *c, const struct rows *rows, const char *cell, struct answers *ret, struct err *err)
{
	cleanup_strv struct strv ids = STRV_INIT;

	*ret = (struct answers){ xcalloc(rows->n + 1, sizeof(*ret->v)), 0 };
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->v[i];

		strv_push(&ids, row->cell->id);
		if (row->applicable && (!cell || !strcmp(cell, row->cell->id)) && answer_make(row, &ret->v[ret->n]))
			ret->n++;
	}
	if (ret->n)
		return 0;
	if (!cell || strv_contains(&ids, cell))
		return err_usage(err, "%s: no run of %s was measured", c->dir, cell ? cell : "this campaign");

	const char *near = nearest_word(cell, (const char *const *)ids.v, ids.n);

	return near ? err_usage(err, "%s has no cell '%s': did you mean '%s'?", c->dir, cell, near)
		    : err_usage(err, "%s has no cell '%s'; its cells are its folders", c->dir, cell);
}

static void answers_done(struct answers *l)
{
	for (size_t i = 0; i < l->n; i++) {
		run_answer_done(&l->v[i].told);
		confirmation_done(&l->v[i].confirmation);
	}
	free(l->v);
	*l = (struct answers){ 0 };
}

/* ---- words: releases of one setting with one answer are told together
 * ------------------------------------------------------------- */

static bool same_answer(const struct answer *a, const struct answer *b)
{
	return a->told.d.mechanism == b->told.d.mechanism && !strcmp(a->row->setting, b->row->setting);
}

/* "Go 1.12 to 1.15, madvdontneed=1: lazyfree" */
static char *head_text(const struct rows *rows, const struct answers *l, const struct answer *first, size_t *ret_n)
{
	cleanup_free bool *in = xcalloc(rows->releases.n + 1, sizeof(*in));

	*ret_n = 0;
	for (size_t i = 0; i < l->n; i++)
		if (same_answer(&l->v[i], first)) {
			in[l->v[i].row->release] = true;
			(*ret_n)++;
		}

	cleanup_free char *list = rows_release_list(rows, in, NULL);

	return strf("%s%s%s%s%s%s", *list ? "Go " : "", list, *list && *first->row->setting ? ", " : "", first->row->setting,
		    *list || *first->row->setting ? ": " : "", mechanism_to_string(first->told.d.mechanism));
}

static void print_answer(const struct answer *a, const struct table_style *style)
{
	diagnosis_print(stdout, &a->told.d, a->told.goroutines, &a->told.profiles, style->columns);
	if (!a->confirmed)
		return;

	fputs("  ", stdout);
	print_wrapped(stdout, a->confirmation.text, style->columns, 2, 2);
}

/* The newest release of a group speaks for it. */
static void print_group(const struct rows *rows, struct answers *l, size_t first, const struct table_style *style)
{
	size_t n, last = first;
	cleanup_free char *head = head_text(rows, l, &l->v[first], &n);

	for (size_t i = first; i < l->n; i++) {
		if (!same_answer(&l->v[i], &l->v[first]))
			continue;
		l->v[i].printed = true;
		if (l->v[i].row->release >= l->v[last].row->release)
			last = i;
	}

	const struct answer *a = &l->v[last];
	cleanup_free char *some = a->agree < a->runs ? strf(" (%zu of %zu runs)", a->agree, a->runs) : xstrdup("");

	printf("%s", style->colour ? "\033[1m" : "");
	cleanup_free char *text = n > 1 ? strf("%s%s; in %s:", head, some, a->row->cell->label) : strf("%s%s", head, some);
	print_wrapped(stdout, text, style->columns, 2, 0);
	printf("%s", style->colour ? "\033[0m" : "");
	print_answer(a, style);
}

/* titled: of a campaign; who asked of one process knows what he asked. */
static void print_text(const struct campaign *c, const struct rows *rows, struct answers *l, bool titled)
{
	const char *name = json_string_value(json_object_get(c->info, "scenario")),
		   *title = json_string_value(json_object_get(c->info, "title"));
	struct table_style style = table_style_for_stdout();
	cleanup_free char *head = strf("%s%s%s", name ? name : c->dir, title ? ": " : "", title ? title : "");

	if (titled)
		print_wrapped(stdout, head, style.columns, 0, 0);
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].printed)
			continue;
		if (titled || i)
			putchar('\n');
		print_group(rows, l, i, &style);
	}
}

static json_t *answer_json(const struct answer *a)
{
	const struct confirmation *k = &a->confirmation;
	json_t *o = diagnosis_json(&a->told.d, a->told.goroutines, &a->told.profiles);

	json_object_set_new(o, "cell", json_deep_copy(a->row->cell->settings));
	json_object_set_new(o, "cell_id", json_string(a->row->cell->id));
	json_object_set_new(o, "run", json_text(a->run->dir));
	json_object_set(o, "attached", json_object_get(a->run->run, "attached"));
	json_object_set_new(o, "runs", json_integer((json_int_t)a->runs));
	json_object_set_new(o, "agree", json_integer((json_int_t)a->agree));
	if (a->confirmed)
		json_object_set_new(o, "confirmation",
				    json_pack("{s:b, s:o, s:s?, s:o, s:o, s:s?, s:s}", "ran", k->ran, "holds",
					      k->ran ? json_boolean(k->holds) : json_null(), "with", k->with, "rss_bytes",
					      k->ran && !isnan(k->rss_bytes) ? json_real(k->rss_bytes) : json_null(), "mechanism",
					      k->ran ? json_string(mechanism_to_string(k->mechanism)) : json_null(), "dir",
					      k->dir, "text", k->text));
	return o;
}

static int print_json(const struct campaign *c, const struct answers *l, bool passing, struct err *err)
{
	cleanup_json json_t *all = l->n == 1 ? answer_json(&l->v[0]) : json_pack("{s:[]}", "cells");

	if (l->n == 1 && passing)
		json_object_set_new(all, "run", json_null());
	for (size_t i = 0; i < l->n && l->n > 1; i++)
		json_array_append_new(json_object_get(all, "cells"), answer_json(&l->v[i]));
	json_object_set_new(all, "format", json_string("memtide-diagnosis/1"));
	json_object_set_new(all, "campaign", json_text(passing ? NULL : c->dir));
	return json_print(all, err);
}

/* ---- the whole
 * ------------------------------------------------------------------------------------------------------------------------ */

/* One of each group: the one that print_group() shows. With --json each cell is one that is shown. */
static bool is_shown(const struct answers *l, size_t i, bool json)
{
	for (size_t k = 0; k < l->n && !json; k++)
		if (k != i && same_answer(&l->v[i], &l->v[k]) &&
		    (l->v[k].row->release > l->v[i].row->release || (k > i && l->v[k].row->release == l->v[i].row->release)))
			return false;
	return true;
}

static int confirm_all(const struct campaign *c, struct answers *l, bool json, struct err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		struct answer *a = &l->v[i];

		if (!is_shown(l, i, json))
			continue;
		int r = confirm_run(c, a->run, &a->told, &a->confirmation, err);
		if (r < 0)
			return r;
		a->confirmed = true;
	}
	return 0;
}

/* Of what has been given back there is nothing to try. */
static bool is_proved(const struct answer *a)
{
	const struct confirmation *k = &a->confirmation;

	return !a->confirmed || (k->ran ? k->holds : a->told.d.mechanism == MECHANISM_RELEASED);
}

static int exit_code(const struct answers *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct answer *a = &l->v[i];

		if (a->told.d.mechanism == MECHANISM_UNKNOWN || !is_proved(a))
			return EXIT_INCONCLUSIVE;
	}
	return EXIT_EXPECTED;
}

static bool names_files(const struct answers *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].told.profiles.n && diagnosis_names_profiles(&l->v[i].told.d))
			return true;
	return false;
}

int diagnose_campaign(const char *dir, struct diagnose_options *o)
{
	struct err cleanup_err err = ERR_INIT;
	cleanup_strv struct strv warnings = STRV_INIT;
	struct rows cleanup_rows rows = { 0 };
	struct answers answers = { 0 };
	struct campaign *c = NULL;
	int code = EXIT_EXPECTED, r = campaign_read(dir, &c, &warnings, &err);

	for (size_t i = 0; i < warnings.n; i++)
		log_warn("%s", warnings.v[i]);
	if (r >= 0) {
		rows_make(c, &rows);
		r = find_cells(c, &rows, o->cell, &answers, &err);
	}
	if (r >= 0 && o->confirm)
		r = confirm_all(c, &answers, o->json, &err);
	if (r >= 0) {
		code = exit_code(&answers);
		o->passing = o->scratch && !names_files(&answers);
		if (o->json)
			r = print_json(c, &answers, o->passing, &err);
		else
			print_text(c, &rows, &answers, !diagnose_is_pid(o->from.dir));
	}
	answers_done(&answers);
	campaign_free(c);
	return r < 0 ? cmd_failed(&err) : code;
}

int cmd_diagnose(int argc, char **argv)
{
	struct diagnose_options o = { .from.results = "results" };
	struct err cleanup_err err = ERR_INIT;
	cleanup_free char *dir = NULL;

	cmd_parse(&argp, argc, argv, &o);
	if (diagnose_is_pid(o.from.dir))
		return diagnose_live(&o);
	if (campaign_locate(o.from.dir, o.from.results, &dir, &err) < 0)
		return cmd_failed(&err);
	return diagnose_campaign(dir, &o);
}
