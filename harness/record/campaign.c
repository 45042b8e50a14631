/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "base/units.h"
#include "record/reader.h"

#define REPEAT_MAX 1000000

static void add_warning(struct strv *warnings, struct err *err)
{
	if (warnings)
		strv_push(warnings, err_text(err));
	err_done(err);
}

/* Reads run.json where there is one. What is wrong with it is the run's trouble alone. */
static void read_run(struct campaign_run *r, struct strv *warnings)
{
	cleanup_free char *path = strf("%s/run.json", r->dir);
	struct err err = ERR_INIT;
	int outcome;

	r->outcome = OUTCOME_INTERRUPTED;
	if (!file_exists(path))
		return;
	if (json_open(path, "memtide-run/1", &r->run, &err) < 0) {
		add_warning(warnings, &err);
		return;
	}
	outcome = outcome_from_string(json_string_value(json_object_get(r->run, "outcome")));
	if (outcome < 0) {
		(void)err_set(&err, 0, "%s: the outcome is none that this memtide knows", path);
		add_warning(warnings, &err);
		outcome = OUTCOME_HARNESS_ERROR;
	}
	r->outcome = (enum outcome)outcome;
}

static int by_repeat(const void *a, const void *b)
{
	const struct campaign_run *x = a, *y = b;

	return x->repeat < y->repeat ? -1 : x->repeat > y->repeat;
}

static void read_cell(struct campaign *c, const char *id, struct strv *warnings)
{
	cleanup_free char *dir = strf("%s/%s", c->dir, id);
	cleanup_strv struct strv names = STRV_INIT;
	size_t first = c->n_runs;

	/* A cell of which nothing was started has no folder. */
	if (!folder_exists(dir))
		return;

	struct err err = ERR_INIT;
	if (folder_list(dir, &names, &err) < 0) {
		add_warning(warnings, &err);
		return;
	}
	for (size_t i = 0; i < names.n; i++) {
		uint64_t repeat;

		if (parse_count(names.v[i], 1, REPEAT_MAX, &repeat, NULL) < 0)
			continue;
		c->runs = xreallocarray(c->runs, c->n_runs + 1, sizeof(*c->runs));

		struct campaign_run *r = &c->runs[c->n_runs++];
		*r = (struct campaign_run){ .cell_id = xstrdup(id), .repeat = (unsigned)repeat };
		r->dir = strf("%s/%s", dir, names.v[i]);
		read_run(r, warnings);
	}
	if (c->n_runs > first)
		qsort(c->runs + first, c->n_runs - first, sizeof(*c->runs), by_repeat);
}

/* An id is a folder's name within the campaign, and must not lead out of it. */
static bool is_cell_id(const char *id)
{
	return id && *id && *id != '.' && !strchr(id, '/');
}

static int check_cells(const char *path, json_t *cells, struct err *err)
{
	cleanup_json json_t *seen = json_object();
	json_t *cell;
	size_t i;

	if (!json_is_array(cells))
		return err_set(err, 0, "%s: the list of cells is missing", path);
	json_array_foreach(cells, i, cell)
	{
		const char *id = json_string_value(json_object_get(cell, "id"));

		if (!is_cell_id(id))
			return err_set(err, 0, "%s: cell %zu has no id that could be a folder's name", path, i + 1);
		if (json_object_get(seen, id))
			return err_set(err, 0, "%s: the cell %s is there twice", path, id);
		json_object_set_new(seen, id, json_true());
		if (!json_is_object(json_object_get(cell, "settings")))
			json_object_set_new(cell, "settings", json_object());
	}
	return 0;
}

int campaign_read(const char *dir, struct campaign **ret, struct strv *ret_warnings, struct err *err)
{
	cleanup_free char *path = strf("%s/campaign.json", dir);
	cleanup_json json_t *info = NULL;
	json_t *cells, *cell;
	size_t i;
	int r = json_open(path, "memtide-campaign/1", &info, err);

	if (r < 0)
		return r;
	if (!json_is_string(json_object_get(info, "scenario")))
		return err_set(err, 0, "%s: the name of the scenario is missing", path);
	cells = json_object_get(info, "cells");
	r = check_cells(path, cells, err);
	if (r < 0)
		return r;

	struct campaign *c = xcalloc(1, sizeof(*c));

	c->dir = xstrdup(dir);
	c->info = TAKE(info);
	json_array_foreach(cells, i, cell) read_cell(c, json_string_value(json_object_get(cell, "id")), ret_warnings);
	*ret = c;
	return 0;
}

struct campaign *campaign_free(struct campaign *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->n_runs; i++) {
		free(c->runs[i].dir);
		free(c->runs[i].cell_id);
		json_decref(c->runs[i].run);
	}
	free(c->runs);
	json_decref(c->info);
	free(c->dir);
	free(c);
	return NULL;
}

bool campaign_axis_differs(const struct campaign_cells *cells, const char *axis)
{
	for (size_t i = 0; i < cells->n; i++)
		if (!json_equal(json_object_get(cells->v[i].settings, axis), json_object_get(cells->v[0].settings, axis)))
			return true;
	return false;
}

static char *label_of(const struct campaign_cells *cells, const struct campaign_cell *cell)
{
	const char *axis, *go = json_string_value(json_object_get(cell->settings, "go"));
	cleanup_strv struct strv parts = STRV_INIT;
	json_t *value;

	json_object_foreach((json_t *)cell->settings, axis, value)
		if (json_is_string(value) && campaign_axis_differs(cells, axis))
			strv_pushf(&parts, "%s=%s", axis, json_string_value(value));
	return parts.n ? strv_join(&parts, ",") : go ? strf("go=%s", go) : xstrdup(cell->id);
}

void campaign_cells(const struct campaign *c, struct campaign_cells *ret)
{
	const json_t *cells = json_object_get(c->info, "cells"), *cell;
	size_t i, at = 0;

	*ret = (struct campaign_cells){ xcalloc(json_array_size(cells), sizeof(*ret->v)), json_array_size(cells) };
	json_array_foreach(cells, i, cell)
	{
		const char *id = json_string_value(json_object_get(cell, "id"));
		struct campaign_run **runs = xcalloc(c->n_runs, sizeof(struct campaign_run *));
		size_t n = 0;

		while (at < c->n_runs && !strcmp(c->runs[at].cell_id, id))
			runs[n++] = &c->runs[at++];
		ret->v[i] = (struct campaign_cell){ id, NULL, json_object_get(cell, "settings"), runs, n };
	}
	for (i = 0; i < ret->n; i++)
		ret->v[i].label = label_of(ret, &ret->v[i]);
}

void campaign_cells_done(struct campaign_cells *cells)
{
	for (size_t i = 0; i < cells->n; i++) {
		free((void *)cells->v[i].runs);
		free(cells->v[i].label);
	}
	free(cells->v);
	*cells = (struct campaign_cells){ 0 };
}

char *campaign_cell_label(const struct campaign *c, const char *id)
{
	struct campaign_cells cells;
	char *label = NULL;

	campaign_cells(c, &cells);
	for (size_t i = 0; i < cells.n && !label; i++)
		if (!strcmp(cells.v[i].id, id))
			label = TAKE(cells.v[i].label);
	campaign_cells_done(&cells);
	return label ? label : xstrdup(id);
}

void campaign_check_series(const struct campaign *c, struct strv *ret_damage)
{
	for (size_t i = 0; i < c->n_runs; i++) {
		cleanup_run_series struct run_series series = { 0 };
		struct err cleanup_err err = ERR_INIT;

		/* A run that never started has no series to be damaged. */
		if (!json_is_object(json_object_get(c->runs[i].run, "sampling")))
			continue;
		if (run_series_read(c->runs[i].dir, &series, &err) < 0)
			strv_pushf(ret_damage, "%s", err_text(&err));
		else if (series.damage)
			strv_pushf(ret_damage, "%s: %s", c->runs[i].dir, series.damage);
	}
}
