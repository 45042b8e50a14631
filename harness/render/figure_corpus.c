/* SPDX-License-Identifier: Apache-2.0
 *
 * The picture of a corpus: its data for plots/corpus.gp, and the drawing. Texts in TSV files hold neither tabs nor line ends.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "base/units.h"
#include "render/corpus_rows.h"
#include "render/corpus_table.h"
#include "render/figure_parts.h"
#include "render/gp.h"

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* --- words --- */

static char *title_of(const struct corpus_rows *r)
{
	size_t n = r->corpus->n, from = r->minors[0] == 0 && r->n_columns > 1;
	int first = r->minors[from], last = r->minors[r->n_columns - 1];
	cleanup_free char *releases = !last ? xstrdup("") : first == last ? strf(" on Go 1.%d", first) : strf(" on Go 1.%d to 1.%d", first, last);

	return strf("What became of the memory: %zu scenario%s%s", n, n == 1 ? "" : "s", releases);
}

static char *subtitle_of(const struct corpus_rows *r)
{
	size_t runs = 0;

	for (size_t i = 0; i < r->corpus->n; i++)
		for (size_t k = 0; k < r->corpus->campaigns[i]->n_runs; k++)
			runs += json_is_object(json_object_get(r->corpus->campaigns[i]->runs[k].run, "sampling"));

	cleanup_free char *verdict = r->failed ? strf("in %zu of %zu cells an expectation failed", r->failed, r->cells)
					       : strf("in all %zu cells every expectation holds", r->cells);
	return strf("Numbers: MB that are still resident at the end, above what the program began with. Patch releases of one minor stand side "
		    "by side. %zu runs; %s.",
		    runs, verdict);
}

static char *source_of(const struct corpus *c)
{
	const json_t *info = c->n ? c->campaigns[0]->info : NULL, *host = json_object_get(info, "host");
	char memory[32];

	return strf("memtide %s, %s; Linux %s, %d CPUs, %s of memory", text_of(json_object_get(info, "memtide"), "version"), text_of(c->info, "started"),
		    text_of(host, "kernel"), (int)json_integer_value(json_object_get(host, "cpus")),
		    format_size(memory, sizeof(memory), (uint64_t)json_integer_value(json_object_get(host, "memory_bytes"))));
}

/* --- data --- */

static void put_variables(FILE *f, const void *of)
{
	const struct corpus_rows *r = of;
	cleanup_free char *title = title_of(r), *subtitle = subtitle_of(r), *source = source_of(r->corpus);
	const char *name = "", *setting = "";
	size_t scenarios = 0, stories = 0;

	for (size_t i = 0; i < r->n; i++) {
		const char *own = text_of(r->corpus->campaigns[r->v[i].scenario]->info, "scenario");

		scenarios += r->v[i].starts_scenario;
		stories += r->v[i].starts_story;
		name = strlen(own) > strlen(name) ? own : name;
		setting = strlen(r->v[i].setting) > strlen(setting) ? r->v[i].setting : setting;
	}
	(void)fputs("# Variables of a corpus' picture: written by `memtide corpus show DIR`, read by plots/corpus.gp.\n", f);
	gp_text(f, "title", title);
	gp_text(f, "subtitle", subtitle);
	gp_text(f, "source", source);
	gp_text(f, "longest_name", name);
	gp_text(f, "longest_setting", setting);
	(void)fprintf(f, "n_columns = %zu\nn_rows = %zu\nn_scenarios = %zu\nn_stories = %zu\narray minor[%zu] = [", r->n_columns, r->n, scenarios,
		      stories, r->n_columns);
	for (size_t c = 0; c < r->n_columns; c++)
		(void)fprintf(f, "%s%d", c ? ", " : "", r->minors[c]);
	(void)fputs("]\n", f);
	(void)fprintf(f, "n_failed = %zu\nn_fates = %d\narray fate_name[%d] = [", r->failed, FATE_COUNT_, FATE_COUNT_);
	for (int i = 0; i < FATE_COUNT_; i++)
		(void)fprintf(f, "%s'%s'", i ? ", " : "", fate_name((enum fate)i));
	(void)fputs("]\n", f);
}

/* row, scenarios and stories that begin before it or with it: from which a row's place follows */
static void put_place(FILE *f, const struct corpus_rows *r, size_t i)
{
	size_t scenarios = 0, stories = 0;

	for (size_t k = 0; k <= i; k++) {
		scenarios += r->v[k].starts_scenario;
		stories += r->v[k].starts_story;
	}
	(void)fprintf(f, "%zu\t%zu\t%zu", i, scenarios, stories);
}

static const char *name_of(const struct corpus_rows *r, size_t i)
{
	return text_of(r->corpus->campaigns[r->v[i].scenario]->info, "scenario");
}

static void put_rows(FILE *f, const void *of)
{
	const struct corpus_rows *r = of;

	(void)fputs("# row\tscenarios\tstories\tbegins_scenario\tbegins_story\tname\tsetting\tstory\n", f);
	for (size_t i = 0; i < r->n; i++) {
		put_place(f, r, i);
		(void)fprintf(f, "\t%d\t%d\t%s\t%s\t%s\n", r->v[i].starts_scenario, r->v[i].starts_story, name_of(r, i), r->v[i].setting,
			      corpus_story_title(r->v[i].story));
	}
}

static void put_cells(FILE *f, const void *of)
{
	const struct corpus_rows *r = of;

	(void)fputs("# row\tscenarios\tstories\tcolumn\tpart\tparts\tfate\tfailed\ttext\n", f);
	for (size_t i = 0; i < r->n; i++)
		for (size_t c = 0; c < r->n_columns; c++)
			for (size_t k = 0; k < r->v[i].columns[c].n; k++) {
				const struct corpus_cell *cell = &r->v[i].columns[c].v[k];

				put_place(f, r, i);
				(void)fprintf(f, "\t%zu\t%zu\t%zu\t%d\t%d\t%s\n", c, k, r->v[i].columns[c].n, (int)cell->fate, cell->failed, cell->text);
			}
}

static int put_in_place(const char *out, const char *plots, struct strv *ret_files, struct err *err)
{
	static const char *const names[] = { "corpus.png", "corpus.svg" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		cleanup_free char *from = strf("%s/%s", out, names[i]), *to = strf("%s/%s", plots, names[i]);

		if (rename(from, to) < 0)
			return err_set(err, errno, "gnuplot ran, but %s could not be put into %s", names[i], plots);
		strv_push(ret_files, to);
	}
	return 0;
}

int corpus_figure_draw(const struct corpus *c, const char *home, struct strv *ret_files, struct err *err)
{
	cleanup_corpus_rows struct corpus_rows rows;
	cleanup_free char *plots = strf("%s/plots", c->dir), *data = strf("%s/data", plots), *out = strf("%s/.drawing.%d", plots, (int)getpid());
	cleanup_free char *later = strf("memtide corpus show %s", c->dir);
	cleanup_free char *variables = strf("%s/corpus.gp", data), *places = strf("%s/rows.tsv", data), *cells = strf("%s/cells.tsv", data);
	int r;

	corpus_rows_make(c, &rows);
	if (!rows.n)
		return err_set(err, 0, "%s: there is nothing to draw", c->dir);
	r = folder_make(data, err);
	r = r < 0 ? r : folder_make(out, err);
	r = r < 0 ? r : gp_write(variables, put_variables, &rows, err);
	r = r < 0 ? r : gp_write(places, put_rows, &rows, err);
	r = r < 0 ? r : gp_write(cells, put_cells, &rows, err);
	r = r < 0 ? r : figure_script_run(home, "corpus", plots, out, later, err);
	r = r < 0 ? r : put_in_place(out, plots, ret_files, err);
	(void)folder_remove(out, NULL);
	return r;
}
