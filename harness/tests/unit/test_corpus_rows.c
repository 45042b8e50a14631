/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/units.h"
#include "render/corpus_rows.h"
#include "render/corpus_table.h"

/* --- a corpus of campaigns made by hand --- */

static struct corpus *corpus_begin(void)
{
	struct corpus *c = xcalloc(1, sizeof(*c));

	c->dir = xstrdup("results/x-corpus");
	c->info = json_object();
	c->campaigns = xcalloc(8, sizeof(*c->campaigns));
	return c;
}

static struct campaign *add_campaign(struct corpus *corpus, const char *name, const char *story)
{
	struct campaign *c = xcalloc(1, sizeof(*c));

	c->dir = strf("results/x-corpus/%s", name);
	c->info = json_pack("{s:s, s:s?, s:[]}", "scenario", name, "story", story, "cells");
	return corpus->campaigns[corpus->n++] = c;
}

/* A cell of one run; run: taken over. */
static void add_cell(struct campaign *c, const char *version, const char *variant, enum outcome outcome, json_t *run)
{
	int dots = 0;
	size_t len = strlen(version);

	/* 1.15.15 is called 1.15 by its cell, 1.21.3 is called that. */
	if (strcmp(version, "1.21.3"))
		for (len = 0; version[len] && (version[len] != '.' || ++dots < 2); len++)
			;
	cleanup_free char *go = strf("%.*s", (int)len, version), *id = strf("go=%s,variant=%s", go, variant);

	json_array_append_new(json_object_get(c->info, "cells"),
			      json_pack("{s:s, s:{s:s, s:s}, s:s, s:b}", "id", id, "settings", "go", go, "variant", variant, "go_version", version,
					"applicable", outcome != OUTCOME_NOT_APPLICABLE));
	c->runs = xreallocarray(c->runs, c->n_runs + 1, sizeof(*c->runs));
	c->runs[c->n_runs++] = (struct campaign_run){ strf("%s/%s/1", c->dir, id), TAKE(id), 1, run, outcome };
}

static json_t *run_of(double peak_mb, double settled_mb, bool holds)
{
	return json_pack("{s:{s:I, s:I, s:I, s:f}, s:{s:s}, s:[{s:s, s:b}]}", "metrics", "peak_rss_bytes", (json_int_t)(peak_mb * MIB),
			 "baseline_rss_bytes", (json_int_t)(2 * MIB), "settled_rss_bytes", (json_int_t)(settled_mb * MIB), "released_share",
			 (peak_mb - settled_mb) / (peak_mb - 2), "missing", "release_s", "there is no mark dropped", "expectations", "that", "x",
			 "holds", holds);
}

static json_t *lazy_run(void)
{
	json_t *run = run_of(800, 800, true);

	json_object_set_new(json_object_get(run, "metrics"), "lazyfree_settled_bytes", json_integer((json_int_t)(780 * MIB)));
	return run;
}

static const struct corpus_cell *cell_at(const struct corpus_rows *r, size_t row, size_t column, size_t part)
{
	assert_true(row < r->n && column < r->n_columns && part < r->v[row].columns[column].n);
	return &r->v[row].columns[column].v[part];
}

/* --- tests --- */

static void a_number_is_short(void **state)
{
	static const struct {
		double mb;
		const char *text;
	} cases[] = { { -3, "0" }, { 0.04, "0" }, { 0.5, ".5" }, { 0.94, ".9" }, { 0.96, "1" }, { 12.4, "12" }, { 999.4, "999" }, { 999.6, "1.0k" }, { 1230, "1.2k" }, { 12345, "12k" } };
	char text[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(format_short_mb(text, sizeof(text), cases[i].mb * (double)MIB), cases[i].text);
}

/* What has no mark `dropped` is classed by the numbers alone. */
static void cells_are_classed_by_what_became_of_the_memory(void **state)
{
	struct corpus *c = corpus_begin();
	struct campaign *leak = add_campaign(c, "leak", "leaks");
	cleanup_corpus_rows struct corpus_rows r;

	(void)state;
	add_cell(leak, "1.11.13", "leaky", OUTCOME_OK, run_of(800, 800, true));
	add_cell(leak, "1.11.13", "fixed", OUTCOME_OK, run_of(12, 11, true));
	add_cell(leak, "1.15.15", "leaky", OUTCOME_OK, lazy_run());
	add_cell(leak, "1.15.15", "fixed", OUTCOME_OK, run_of(800, 400, true));
	add_cell(leak, "1.16.15", "leaky", OUTCOME_GO_FATAL, json_object());
	add_cell(leak, "1.16.15", "fixed", OUTCOME_OK, run_of(800, 4, true));
	add_cell(leak, "1.17.13", "leaky", OUTCOME_NOT_APPLICABLE, json_object());
	corpus_rows_make(c, &r);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.n_columns, 4);
	assert_string_equal(r.v[0].setting, "leaky");
	assert_int_equal(cell_at(&r, 0, 0, 0)->fate, FATE_KEPT);
	assert_string_equal(cell_at(&r, 0, 0, 0)->text, "798");
	assert_int_equal(cell_at(&r, 1, 0, 0)->fate, FATE_SMALL);
	assert_int_equal(cell_at(&r, 0, 1, 0)->fate, FATE_LAZYFREE);
	assert_int_equal(cell_at(&r, 1, 1, 0)->fate, FATE_PARTLY);
	assert_int_equal(cell_at(&r, 0, 2, 0)->fate, FATE_KILLED);
	assert_string_equal(cell_at(&r, 0, 2, 0)->text, "fatal");
	assert_int_equal(cell_at(&r, 1, 2, 0)->fate, FATE_RELEASED);
	assert_int_equal(cell_at(&r, 0, 3, 0)->fate, FATE_NOT_RUN);
	assert_string_equal(cell_at(&r, 0, 3, 0)->text, "");
	assert_int_equal(r.v[1].columns[3].n, 0);
	corpus_free(c);
}

static void patch_releases_share_their_minors_column_in_order(void **state)
{
	struct corpus *c = corpus_begin();
	struct campaign *one = add_campaign(c, "one", "history");
	cleanup_corpus_rows struct corpus_rows r;

	(void)state;
	add_cell(one, "1.21.13", "a", OUTCOME_OK, run_of(800, 4, true));
	add_cell(one, "1.21.3", "a", OUTCOME_OK, run_of(800, 800, true));
	corpus_rows_make(c, &r);
	assert_int_equal(r.n_columns, 1);
	assert_int_equal(r.minors[0], 21);
	assert_int_equal(cell_at(&r, 0, 0, 0)->fate, FATE_KEPT);
	assert_int_equal(cell_at(&r, 0, 0, 1)->fate, FATE_RELEASED);
	corpus_free(c);
}

static void rows_stand_by_story(void **state)
{
	struct corpus *c = corpus_begin();
	cleanup_corpus_rows struct corpus_rows r;

	(void)state;
	add_cell(add_campaign(c, "none", NULL), "1.15.15", "a", OUTCOME_OK, run_of(800, 4, true));
	add_cell(add_campaign(c, "old", "history"), "1.16.15", "a", OUTCOME_OK, run_of(800, 4, true));
	add_cell(add_campaign(c, "idle", "idle memory"), "1.15.15", "a", OUTCOME_OK, run_of(800, 4, true));
	corpus_rows_make(c, &r);
	assert_int_equal(r.n, 3);
	assert_int_equal(r.v[0].scenario, 2);
	assert_int_equal(r.v[1].scenario, 1);
	assert_int_equal(r.v[2].scenario, 0);
	assert_true(r.v[0].starts_story && r.v[1].starts_story && r.v[2].starts_story);
	assert_int_equal(r.minors[0], 15);
	assert_int_equal(r.minors[1], 16);
	corpus_free(c);
}

static void a_failed_expectation_marks_its_cell(void **state)
{
	struct corpus *c = corpus_begin();
	struct campaign *one = add_campaign(c, "one", "leaks");
	cleanup_corpus_rows struct corpus_rows r;

	(void)state;
	add_cell(one, "1.15.15", "a", OUTCOME_OK, run_of(800, 4, true));
	add_cell(one, "1.16.15", "a", OUTCOME_OK, run_of(800, 4, false));
	corpus_rows_make(c, &r);
	assert_false(cell_at(&r, 0, 0, 0)->failed);
	assert_true(cell_at(&r, 0, 1, 0)->failed);
	assert_int_equal(r.failed, 1);
	assert_int_equal(r.cells, 2);
	corpus_free(c);
}

static __attribute__((noinline)) char *printed(const struct corpus *c)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	corpus_table_print(f, c);
	fclose(f);
	return text;
}

static void the_table_has_a_letter_a_cell(void **state)
{
	struct corpus *c = corpus_begin();
	struct campaign *one = add_campaign(c, "one", "leaks");

	(void)state;
	add_cell(one, "1.15.15", "a", OUTCOME_OK, lazy_run());
	add_cell(one, "1.21.3", "a", OUTCOME_OK, run_of(800, 800, false));
	add_cell(one, "1.21.13", "a", OUTCOME_OK, run_of(800, 4, true));
	add_cell(one, "1.22.12", "a", OUTCOME_OK, run_of(800, 4, true));

	cleanup_free char *text = printed(c), *head = strf("%-44s15 21 22 \n%-44s f kr! r \n", "Go 1.", "one");
	if (!strstr(text, head))
		fail_msg("not as it should be:\n%s\nbut:\n%s", head, text);
	corpus_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_short),
		cmocka_unit_test(cells_are_classed_by_what_became_of_the_memory),
		cmocka_unit_test(patch_releases_share_their_minors_column_in_order),
		cmocka_unit_test(rows_stand_by_story),
		cmocka_unit_test(a_failed_expectation_marks_its_cell),
		cmocka_unit_test(the_table_has_a_letter_a_cell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
