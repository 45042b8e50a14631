/* SPDX-License-Identifier: Apache-2.0 */
#include "render/rows.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/order.h"
#include "plan/metric.h"
#include "plan/release.h"

#define DEFAULT "default"

static const enum metric metrics[ROW_VALUE_COUNT_] = {
	[ROW_PEAK] = METRIC_PEAK_RSS,
	[ROW_SETTLED] = METRIC_SETTLED_RSS,
	[ROW_RELEASE] = METRIC_RELEASE,
	[ROW_LAZYFREE] = METRIC_LAZYFREE_SETTLED,
	[ROW_WORKING_SET] = METRIC_WORKING_SET_SETTLED,
	[ROW_BASELINE] = METRIC_BASELINE_RSS,
	[ROW_SHARE] = METRIC_RELEASED_SHARE,
};

static struct folded fold(const struct campaign_cell *cell, enum metric m)
{
	cleanup_free double *v = xcalloc(cell->n_runs + 1, sizeof(*v));
	struct folded f = { 0 };

	for (size_t i = 0; i < cell->n_runs; i++) {
		const json_t *run = cell->runs[i]->run, *value = json_object_get(json_object_get(run, "metrics"), metric_name(m));

		if (json_is_number(value))
			v[f.n++] = json_number_value(value);
		else if (!f.why)
			f.why = json_string_value(json_object_get(json_object_get(run, "missing"), metric_name(m)));
	}
	if (!f.n)
		return f;
	sort_doubles(v, f.n);
	f.median = median_of_sorted(v, f.n);
	f.min = v[0];
	f.max = v[f.n - 1];
	return f;
}

static enum conduct conduct_of(const struct row *r)
{
	const struct folded *peak = &r->v[ROW_PEAK], *settled = &r->v[ROW_SETTLED], *lazyfree = &r->v[ROW_LAZYFREE],
			    *share = &r->v[ROW_SHARE];
	unsigned ran = 0;

	if (r->outcomes[OUTCOME_OOM_CGROUP] || r->outcomes[OUTCOME_OOM_GO])
		return CONDUCT_OOM;
	if (r->outcomes[OUTCOME_EXIT] || r->outcomes[OUTCOME_SIGNAL] || r->outcomes[OUTCOME_GO_FATAL] ||
	    r->outcomes[OUTCOME_TIMEOUT])
		return CONDUCT_FAILED;
	ran = r->outcomes[OUTCOME_OK];
	if (!ran)
		return CONDUCT_NONE;
	if (!settled->n)
		return settled->why ? CONDUCT_MOVING : CONDUCT_OTHER;
	if (peak->n && lazyfree->n && settled->median >= 0.9 * peak->median && lazyfree->median >= 0.5 * peak->median)
		return CONDUCT_LAZYFREE;
	if (!share->n || (!r->v[ROW_RELEASE].n && (!r->v[ROW_RELEASE].why || strncmp(r->v[ROW_RELEASE].why, "RSS never", 9))))
		return CONDUCT_OTHER;
	if (share->median > 0.9)
		return CONDUCT_RELEASED;
	return share->median > 0.1 ? CONDUCT_PARTLY : CONDUCT_HELD;
}

/* ---- axes
 * ------------------------------------------------------------------------------------------------------------------------- */

/* GODEBUG and environment values say themselves what they set, and a variant's name is enough. */
static char *setting_text(const char *axis, const char *value)
{
	return strchr(value, '=') || !strcmp(axis, "variant") ? xstrdup(value) : strf("%s=%s", axis, value);
}

/* A sentence may begin with it. "leaky", "go line 1.22", "limit 1GB" */
static char *only_text(const char *axis, const char *value)
{
	return !strcmp(axis, "variant") ? xstrdup(value) : strf("%s %s", strcmp(axis, "go_line") ? axis : "go line", value);
}

static void set_settings(struct rows *rows, struct row *r)
{
	cleanup_strv struct strv parts = STRV_INIT;
	const char *axis, *only_axis = NULL, *only = NULL;
	json_t *value;
	size_t differing = 0;

	json_object_foreach((json_t *)r->cell->settings, axis, value)
	{
		const char *text = json_string_value(value);

		if (!strcmp(axis, "go") || !text || !campaign_axis_differs(&rows->cells, axis))
			continue;
		differing++;
		only = text;
		only_axis = axis;
		if (strcmp(text, DEFAULT)) {
			cleanup_free char *part = setting_text(axis, text);

			strv_push(&parts, part);
		}
	}
	r->is_default = !parts.n;
	if (!parts.n)
		r->setting = xstrdup(differing ? DEFAULT : "");
	else /* what the only axis sets needs no more than its name */
		r->setting = differing == 1 && !strchr(only, '=') ? only_text(only_axis, only) : strv_join(&parts, " ");
	if (!strv_contains(&rows->settings, r->setting))
		strv_push(&rows->settings, r->setting);
}

static void set_constant(struct rows *rows)
{
	cleanup_strv struct strv parts = STRV_INIT;
	const char *axis;
	json_t *value;

	if (rows->cells.n) {
		json_object_foreach((json_t *)rows->cells.v[0].settings, axis, value)
		{
			const char *text = json_string_value(value);

			if (strcmp(axis, "go") && text && strcmp(text, DEFAULT) && !campaign_axis_differs(&rows->cells, axis))
				strv_pushf(&parts, "%s=%s", axis, text);
		}
	}
	rows->constant = strv_join(&parts, ", ");
}

/* ---- releases
 * --------------------------------------------------------------------------------------------------------------------- */

struct release {
	const char *name; /* borrowed: as the cells write it */
	struct go_version version;
};

static int by_version(const void *a, const void *b)
{
	const struct release *x = a, *y = b;

	return go_version_compare(&x->version, &y->version);
}

/* A path is too long for a table: its last part. */
static const char *short_name(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash && slash[1] ? slash + 1 : name;
}

static const json_t *cell_info(const struct campaign *c, size_t i)
{
	return json_array_get(json_object_get(c->info, "cells"), i);
}

static void find_releases(const struct campaign *c, struct rows *rows)
{
	cleanup_free struct release *all = xcalloc(rows->cells.n + 1, sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; i < rows->cells.n; i++) {
		const char *name = json_string_value(json_object_get(rows->cells.v[i].settings, "go"));
		const char *version = json_string_value(json_object_get(cell_info(c, i), "go_version"));
		bool known = !name;

		for (size_t k = 0; k < n && !known; k++)
			known = !strcmp(all[k].name, name);
		if (known)
			continue;
		all[n] = (struct release){ .name = name };
		if (go_version_parse(version ? version : name, &all[n].version, NULL) < 0)
			all[n].version.minor = 1 << 30;
		n++;
	}
	qsort(all, n, sizeof(*all), by_version);
	for (size_t k = 0; k < n; k++)
		strv_push(&rows->releases, all[k].name);
}

static void set_release(const struct campaign *c, struct rows *rows, size_t i)
{
	const char *name = json_string_value(json_object_get(rows->cells.v[i].settings, "go"));
	const char *version = json_string_value(json_object_get(cell_info(c, i), "go_version"));
	struct row *r = &rows->v[i];

	for (size_t k = 0; name && k < rows->releases.n; k++)
		if (!strcmp(rows->releases.v[k], name))
			r->release = k;
	r->release_text = xstrdup(!name ? "" : strchr(name, '/') || !version ? short_name(name) : version);
}

char *rows_release_list(const struct rows *r, const bool *in, size_t *ret_n)
{
	cleanup_strv struct strv parts = STRV_INIT;
	size_t n = 0;

	for (size_t i = 0; i < r->releases.n; i++) {
		size_t first = i;

		if (!in[i])
			continue;
		while (i + 1 < r->releases.n && in[i + 1])
			i++;
		n += i - first + 1;
		if (i >= first + 2) {
			strv_pushf(&parts, "%s to %s", short_name(r->releases.v[first]), short_name(r->releases.v[i]));
			continue;
		}
		for (size_t k = first; k <= i; k++)
			strv_push(&parts, short_name(r->releases.v[k]));
	}
	if (ret_n)
		*ret_n = n;
	if (parts.n < 2)
		return strv_join(&parts, "");

	cleanup_free char *last = xstrdup(parts.v[parts.n - 1]);
	free(parts.v[--parts.n]);
	parts.v[parts.n] = NULL;
	cleanup_free char *before = strv_join(&parts, ", ");
	return strf("%s and %s", before, last);
}

char *row_without_version(const struct row *row, const char *text, const char *instead)
{
	cleanup_free char *version = strf("Go %s", row->release_text);
	const char *at = *row->release_text ? strstr(text, version) : NULL;

	return at ? strf("%.*s%s%s", (int)(at - text), text, instead, at + strlen(version)) : xstrdup(text);
}

/* ---- expectations ------------------------------------------------------------------------------------------------------------------ */

/* Each metric that a condition's words are. */
static void note_names(struct rows *rows, const char *that)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_split(&words, that ? that : "", " <>=*");
	for (size_t i = 0; i < words.n; i++) {
		int m = metric_from_name(words.v[i]);

		if (m >= 0)
			rows->named[m] = true;
	}
}

static void note_expectations(struct rows *rows, const json_t *expectations)
{
	const json_t *e;
	size_t i;

	json_array_foreach(expectations, i, e) note_names(rows, json_string_value(json_object_get(e, "that")));
}

/* ---- rows
 * ------------------------------------------------------------------------------------------------------------------------- */

void folded_widen(struct folded *f, const struct folded *with)
{
	if (!with->n)
		return;
	f->min = f->n ? fmin(f->min, with->min) : with->min;
	f->max = f->n ? fmax(f->max, with->max) : with->max;
	f->n++;
}

void rows_make(const struct campaign *c, struct rows *ret)
{
	*ret = (struct rows){ 0 };
	campaign_cells(c, &ret->cells);
	ret->n = ret->cells.n;
	ret->v = xcalloc(ret->n + 1, sizeof(*ret->v));
	find_releases(c, ret);
	note_expectations(ret, json_object_get(c->info, "versus"));
	for (size_t i = 0; i < c->n_runs; i++)
		note_expectations(ret, json_object_get(c->runs[i].run, "expectations"));
	set_constant(ret);
	for (size_t i = 0; i < ret->n; i++) {
		struct row *r = &ret->v[i];

		r->cell = &ret->cells.v[i];
		set_release(c, ret, i);
		set_settings(ret, r);
		r->applicable = !json_is_false(json_object_get(cell_info(c, i), "applicable"));
		r->why_not = r->applicable ? NULL : json_string_value(json_object_get(cell_info(c, i), "why"));
		for (size_t k = 0; k < r->cell->n_runs; k++)
			r->outcomes[r->cell->runs[k]->outcome]++;
		for (int v = 0; v < ROW_VALUE_COUNT_; v++)
			r->v[v] = fold(r->cell, metrics[v]);
		for (int m = 0; m < METRIC_COUNT_; m++)
			r->all[m] = fold(r->cell, (enum metric)m);
		r->conduct = conduct_of(r);
	}
}

void rows_done(struct rows *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].release_text);
		free(r->v[i].setting);
	}
	free(r->v);
	free(r->constant);
	strv_done(&r->releases);
	strv_done(&r->settings);
	campaign_cells_done(&r->cells);
	*r = (struct rows){ 0 };
}
