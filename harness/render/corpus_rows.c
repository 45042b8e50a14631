/* SPDX-License-Identifier: Apache-2.0 */
#include "render/corpus_rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analyse/verdict.h"
#include "base/alloc.h"
#include "render/rows.h"

#define MB 1048576.0

static const struct {
	const char *name;
	char letter;
} fates[] = {
	[FATE_RELEASED] = { "given back", 'r' },
	[FATE_SMALL] = { "never grew", '.' },
	[FATE_PARTLY] = { "partly given back", 'p' },
	[FATE_LAZYFREE] = { "lazily freed", 'f' },
	[FATE_KEPT] = { "kept", 'k' },
	[FATE_MOVING] = { "not settled", 'm' },
	[FATE_KILLED] = { "killed, fatal", 'x' },
	[FATE_NOT_RUN] = { "not applicable", '-' },
};

const char *fate_name(enum fate f)
{
	return fates[f].name;
}

char fate_letter(enum fate f)
{
	return fates[f].letter;
}

const char *corpus_story_title(enum story s)
{
	return story_name(s) ? story_name(s) : "others";
}

char *format_short_mb(char *buf, size_t n, double bytes)
{
	double mb = bytes / MB;

	if (isnan(mb))
		buf[0] = 0;
	else if (mb < 0.05)
		(void)snprintf(buf, n, "0");
	else if (mb < 0.95)
		(void)snprintf(buf, n, ".%.0f", mb * 10);
	else if (mb < 999.5)
		(void)snprintf(buf, n, "%.0f", mb);
	else if (mb < 9950)
		(void)snprintf(buf, n, "%.1fk", mb / 1000);
	else
		(void)snprintf(buf, n, "%.0fk", mb / 1000);
	return buf;
}

/* --- cells --- */

static double last_rss(const struct campaign_cell *cell)
{
	double most = NAN;

	/* Of what did not settle: the last that was seen, of the run that had most. */
	for (size_t i = 0; i < cell->n_runs; i++) {
		cleanup_run_series struct run_series s = { 0 };

		if (run_series_read(cell->runs[i]->dir, &s, NULL) < 0)
			continue;
		for (size_t k = s.n_samples; k-- > 0;)
			if (s.samples[k].rss_bytes != MISSING) {
				most = isnan(most) ? (double)s.samples[k].rss_bytes : fmax(most, (double)s.samples[k].rss_bytes);
				break;
			}
	}
	return most;
}

/* Of a cell's runs; the short word for it. */
static const char *end_word(const struct row *r)
{
	return r->outcomes[OUTCOME_OOM_CGROUP] || r->outcomes[OUTCOME_OOM_GO] ? "oom"
	       : r->outcomes[OUTCOME_GO_FATAL]				      ? "fatal"
	       : r->outcomes[OUTCOME_TIMEOUT]				      ? "time"
									      : "exit";
}

static enum fate fate_of(const struct row *r)
{
	const struct folded *share = &r->v[ROW_SHARE];

	switch (r->conduct) {
	case CONDUCT_NONE:
		return FATE_NOT_RUN;
	case CONDUCT_OOM:
	case CONDUCT_FAILED:
		return FATE_KILLED;
	case CONDUCT_LAZYFREE:
		return FATE_LAZYFREE;
	case CONDUCT_RELEASED:
		return FATE_RELEASED;
	case CONDUCT_PARTLY:
		return FATE_PARTLY;
	case CONDUCT_MOVING:
		return FATE_MOVING;
	case CONDUCT_HELD:
	case CONDUCT_OTHER: /* no mark says what was dropped: the numbers do */
	case CONDUCT_COUNT_:
		break;
	}
	return !share->n ? FATE_KEPT : share->median > 0.9 ? FATE_RELEASED : share->median > 0.1 ? FATE_PARTLY : FATE_KEPT;
}

static bool has_failed(const struct verdicts *l, const struct campaign_cell *cell)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].cell == cell && verdict_failed(&l->v[i]))
			return true;
	return false;
}

/* Minor 0 of a program that is built by no Go release. */
static struct go_version version_of(const struct row *r)
{
	struct go_version v;

	return go_version_parse(r->release_text, &v, NULL) < 0 ? (struct go_version){ 0 } : v;
}

static struct corpus_cell cell_of(const struct row *r, const struct verdicts *l)
{
	const struct folded *settled = &r->v[ROW_SETTLED], *baseline = &r->v[ROW_BASELINE], *peak = &r->v[ROW_PEAK];
	double base = baseline->n ? baseline->median : 0;
	struct corpus_cell c = { .fate = fate_of(r), .above_bytes = NAN, .peak_above_bytes = NAN };

	c.version = version_of(r);
	if (peak->n)
		c.peak_above_bytes = peak->median - base;
	if (settled->n)
		c.above_bytes = settled->median - base;
	else if (c.fate == FATE_MOVING)
		c.above_bytes = last_rss(r->cell) - base;
	if (c.fate == FATE_KILLED)
		(void)snprintf(c.text, sizeof(c.text), "%s", end_word(r));
	else if (c.fate != FATE_NOT_RUN)
		(void)format_short_mb(c.text, sizeof(c.text), c.above_bytes);
	c.failed = has_failed(l, r->cell);
	return c;
}

/* --- rows --- */

static int by_number(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* That of the minor; n_columns: none. */
static size_t column_of(const struct corpus_rows *r, int minor)
{
	size_t c = 0;

	while (c < r->n_columns && r->minors[c] != minor)
		c++;
	return c;
}

static void find_columns(struct corpus_rows *ret, const struct rows *all)
{
	for (size_t i = 0; i < ret->corpus->n; i++)
		for (size_t k = 0; k < all[i].n; k++) {
			int minor = version_of(&all[i].v[k]).minor;

			if (column_of(ret, minor) < ret->n_columns)
				continue;
			ret->minors = xreallocarray(ret->minors, ret->n_columns + 1, sizeof(*ret->minors));
			ret->minors[ret->n_columns++] = minor;
		}
	if (ret->n_columns)
		qsort(ret->minors, ret->n_columns, sizeof(*ret->minors), by_number);
}

/* The scenario's row of this setting; made where there is none. */
static struct corpus_row *row_for(struct corpus_rows *ret, size_t scenario, enum story story, const char *setting)
{
	for (size_t i = 0; i < ret->n; i++)
		if (ret->v[i].scenario == scenario && !strcmp(ret->v[i].setting, setting))
			return &ret->v[i];
	ret->v = xreallocarray(ret->v, ret->n + 1, sizeof(*ret->v));
	ret->v[ret->n] = (struct corpus_row){ scenario, story, xstrdup(setting), xcalloc(ret->n_columns + 1, sizeof(struct corpus_column)), false, false };
	return &ret->v[ret->n++];
}

static int by_version(const void *a, const void *b)
{
	const struct corpus_cell *x = a, *y = b;

	return go_version_compare(&x->version, &y->version);
}

static void put_cell(struct corpus_rows *ret, struct corpus_row *row, const struct corpus_cell *c)
{
	struct corpus_column *column = &row->columns[column_of(ret, c->version.minor)];

	column->v = xreallocarray(column->v, column->n + 1, sizeof(*column->v));
	column->v[column->n++] = *c;
	qsort(column->v, column->n, sizeof(*column->v), by_version);
}

/* A leak that is mended is no memory that is kept: small is what never had a third of the scenario's largest, of those that were not
 * killed. */
static void find_small(struct corpus_row *rows, size_t n, size_t n_columns)
{
	double largest = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < n_columns; c++)
			for (size_t k = 0; k < rows[i].columns[c].n; k++)
				if (rows[i].columns[c].v[k].fate < FATE_KILLED)
					largest = fmax(largest, rows[i].columns[c].v[k].peak_above_bytes);
	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < n_columns; c++)
			for (size_t k = 0; k < rows[i].columns[c].n; k++) {
				struct corpus_cell *cell = &rows[i].columns[c].v[k];

				if (cell->fate < FATE_KILLED && cell->peak_above_bytes < largest / 3)
					cell->fate = FATE_SMALL;
			}
}

static enum story story_of(const struct campaign *c)
{
	const char *name = json_string_value(json_object_get(c->info, "story"));

	for (int s = 0; name && s < STORY_NONE; s++)
		if (!strcmp(name, story_name((enum story)s)))
			return (enum story)s;
	return STORY_NONE;
}

static void add_scenario(struct corpus_rows *ret, size_t i, const struct rows *rows)
{
	cleanup_verdicts struct verdicts verdicts;
	size_t before = ret->n;

	verdicts_make(ret->corpus->campaigns[i], &rows->cells, &verdicts);
	for (size_t k = 0; k < rows->n; k++) {
		struct corpus_cell c = cell_of(&rows->v[k], &verdicts);

		put_cell(ret, row_for(ret, i, story_of(ret->corpus->campaigns[i]), rows->v[k].setting), &c);
		ret->cells += c.fate != FATE_NOT_RUN;
		ret->failed += c.failed;
	}
	find_small(ret->v + before, ret->n - before, ret->n_columns);
}

void corpus_rows_make(const struct corpus *c, struct corpus_rows *ret)
{
	struct rows *all = xcalloc(c->n + 1, sizeof(*all));

	*ret = (struct corpus_rows){ .corpus = c };
	for (size_t i = 0; i < c->n; i++)
		rows_make(c->campaigns[i], &all[i]);
	find_columns(ret, all);
	for (int story = 0; story < STORY_COUNT_ && ret->n_columns; story++)
		for (size_t i = 0; i < c->n; i++)
			if ((int)story_of(c->campaigns[i]) == story)
				add_scenario(ret, i, &all[i]);
	for (size_t i = 0; i < ret->n; i++) {
		ret->v[i].starts_scenario = !i || ret->v[i].scenario != ret->v[i - 1].scenario;
		ret->v[i].starts_story = !i || ret->v[i].story != ret->v[i - 1].story;
	}
	for (size_t i = 0; i < c->n; i++)
		rows_done(&all[i]);
	free(all);
}

void corpus_rows_done(struct corpus_rows *r)
{
	for (size_t i = 0; i < r->n; i++) {
		for (size_t c = 0; c < r->n_columns; c++)
			free(r->v[i].columns[c].v);
		free(r->v[i].columns);
		free(r->v[i].setting);
	}
	free(r->v);
	free(r->minors);
	*r = (struct corpus_rows){ 0 };
}
