/* SPDX-License-Identifier: Apache-2.0 */
#include "render/corpus_table.h"

#include <string.h>

#include "analyse/verdict.h"
#include "base/alloc.h"
#include "base/strv.h"
#include "render/corpus_rows.h"
#include "render/verdicts.h"
#include "render/wrap.h"

#define WIDTH 80
#define FAILURES_MAX 40
#define CELL  3 /* 17 releases of 3 leave 29 for names */

static void print_head(FILE *out, const struct corpus_rows *r, int names)
{
	fprintf(out, "%-*s", names, "Go 1.");
	for (size_t c = 0; c < r->n_columns; c++)
		if (r->minors[c])
			fprintf(out, "%*d ", CELL - 1, r->minors[c]);
		else
			fprintf(out, " - ");
	fputc('\n', out);
}

/* One letter a patch release, at most as many as fit; then the worst of the last ones. */
static void print_cell(FILE *out, const struct corpus_column *c)
{
	char text[CELL + 1] = "   ";
	bool failed = false;
	int at = c->n > 1 ? 0 : CELL - 2;

	for (size_t k = 0; k < c->n; k++)
		failed |= c->v[k].failed;
	for (size_t k = 0; k < c->n; k++) {
		/* Where there is no room for all of them: the oldest and the newest. */
		if (at + (failed ? 1 : 0) >= CELL - 1 && k + 1 < c->n)
			continue;
		text[at < CELL - 1 ? at++ : CELL - 2] = fate_letter(c->v[k].fate);
	}
	if (failed)
		text[CELL - 1] = '!';
	fputs(text, out);
}

static void print_cells(FILE *out, const struct corpus_rows *r, const struct corpus_row *row)
{
	for (size_t c = 0; c < r->n_columns; c++)
		print_cell(out, &row->columns[c]);
	fputc('\n', out);
}

static const char *name_of(const struct corpus_rows *r, const struct corpus_row *row)
{
	return json_string_value(json_object_get(r->corpus->campaigns[row->scenario]->info, "scenario"));
}

/* As much as fits, with two dots where it does not. */
static void print_name(FILE *out, int width, const char *text)
{
	int len = (int)strlen(text);

	if (len < width)
		fprintf(out, "%-*s", width, text);
	else
		fprintf(out, "%.*s.. ", width - 3, text);
}

static bool only_row(const struct corpus_rows *r, size_t i)
{
	return r->v[i].starts_scenario && (i + 1 == r->n || r->v[i + 1].starts_scenario);
}

static void print_row(FILE *out, const struct corpus_rows *r, size_t i, int names)
{
	const struct corpus_row *row = &r->v[i];
	bool only = only_row(r, i);

	if (row->starts_scenario && !only)
		fprintf(out, "%s\n", name_of(r, row));

	cleanup_free char *name = only ? xstrdup(name_of(r, row)) : strf("  %s", *row->setting ? row->setting : "default");
	print_name(out, names, name);
	print_cells(out, r, row);
}

static void print_legend(FILE *out)
{
	cleanup_strv struct strv parts = STRV_INIT;

	for (int f = 0; f < FATE_COUNT_; f++)
		strv_pushf(&parts, "%c %s", fate_letter((enum fate)f), fate_name((enum fate)f));
	strv_push(&parts, "! an expectation failed");

	cleanup_free char *all = strv_join(&parts, "; ");
	fputc('\n', out);
	print_wrapped(out, all, WIDTH, 0, 0);
}

void corpus_table_print(FILE *out, const struct corpus *c)
{
	cleanup_corpus_rows struct corpus_rows r;
	int names;

	corpus_rows_make(c, &r);
	names = WIDTH - 1 - CELL * (int)r.n_columns;
	if (names < 24)
		names = 24;
	if (names > 44)
		names = 44;
	for (size_t i = 0; i < r.n; i++) {
		if (r.v[i].starts_story) {
			fprintf(out, "%s%s\n", i ? "\n" : "", corpus_story_title(r.v[i].story));
			print_head(out, &r, names);
		}
		print_row(out, &r, i, names);
	}
	print_legend(out);
}

/* --- failed expectations --- */

struct failures {
	size_t all, failed;
	bool print;
};

static void go_through(FILE *out, const struct corpus *c, struct failures *s)
{
	for (size_t i = 0; i < c->n; i++) {
		cleanup_free char *before = strf("%s ", json_string_value(json_object_get(c->campaigns[i]->info, "scenario")));
		cleanup_verdicts struct verdicts l;
		struct campaign_cells cells;

		campaign_cells(c->campaigns[i], &cells);
		verdicts_make(c->campaigns[i], &cells, &l);
		s->all += l.n;
		for (size_t k = 0; k < l.n; k++) {
			bool failed = verdict_failed(&l.v[k]);

			s->failed += failed;
			if (failed && s->print && s->failed <= FAILURES_MAX)
				verdict_print_failure(out, before, &l.v[k], WIDTH);
		}
		campaign_cells_done(&cells);
	}
}

size_t corpus_failures_print(FILE *out, const struct corpus *c)
{
	struct failures count = { 0 }, list = { .print = true };

	go_through(out, c, &count);
	if (!count.failed) {
		fprintf(out, "\nAll %zu expectations hold.\n", count.all);
		return 0;
	}
	fprintf(out, "\n%zu of %zu expectations failed:\n", count.failed, count.all);
	go_through(out, c, &list);
	if (count.failed > FAILURES_MAX)
		fprintf(out, "  and %zu more: memtide show %s/SCENARIO tells them\n", count.failed - FAILURES_MAX, c->dir);
	return count.failed;
}
