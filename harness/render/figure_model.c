/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/order.h"
#include "render/figure_parts.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

/* campaign.json's own words on a cell */
static const json_t *cell_info(const struct campaign *c, const char *id)
{
	json_t *info;
	size_t i;

	json_array_foreach(json_object_get(c->info, "cells"), i, info) if (!strcmp(text_of(info, "id"), id)) return info;
	return NULL;
}

/* `go` where there is one; else the first axis */
static char *find_panel_axis(const struct campaign_cells *cells)
{
	if (!cells->n)
		return xstrdup("");
	if (json_object_get(cells->v[0].settings, "go"))
		return xstrdup("go");

	void *first = json_object_iter((json_t *)cells->v[0].settings);
	return xstrdup(first ? json_object_iter_key(first) : "");
}

/* What a value of an axis is called among the settings */
static char *setting_word(const char *axis, const char *value)
{
	if (!strcmp(value, "default"))
		return xstrdup("");
	if (!strcmp(axis, "godebug"))
		return strf("GODEBUG=%s", value);
	if (!strcmp(axis, "go_line"))
		return strf("go line %s", value);
	if (!strcmp(axis, "limit"))
		return strf("limit %s", value);
	if (!strcmp(axis, "variant") || (!strcmp(axis, "env") && strchr(value, '=')))
		return xstrdup(value);
	return strf("%s %s", axis, value);
}

/* All axes that differ but the panels', for telling settings apart (key) and for people (name). Caller frees both. */
static void setting_of(const struct figure_model *m, const json_t *settings, char **ret_key, char **ret_name)
{
	cleanup_strv struct strv keys = STRV_INIT, words = STRV_INIT;
	const char *axis;
	json_t *value;

	json_object_foreach((json_t *)settings, axis, value)
	{
		const char *text = json_is_string(value) ? json_string_value(value) : "";

		if (!strcmp(axis, m->panel_axis) || !strcmp(axis, m->part_axis) || !campaign_axis_differs(&m->cells, axis))
			continue;
		cleanup_free char *word = setting_word(axis, text);
		strv_pushf(&keys, "%s=%s", axis, text);
		if (*word)
			strv_push(&words, word);
	}
	*ret_key = keys.n ? strv_join(&keys, ",") : xstrdup("");
	*ret_name = words.n ? strv_join(&words, ", ") : xstrdup("default settings");
}

static size_t index_of(const struct strv *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i], s))
			return i;
	return l->n;
}

/* The panel that a cell is in, among all. Caller frees. */
static char *panel_key_of(const struct figure_model *m, const struct campaign_cell *c)
{
	return strf("%s,%s", *m->panel_axis ? text_of(c->settings, m->panel_axis) : "", *m->part_axis ? text_of(c->settings, m->part_axis) : "");
}

static void add_panel(struct figure_model *m, const struct campaign_cell *c)
{
	const char *value = *m->panel_axis ? text_of(c->settings, m->panel_axis) : "", *version = text_of(cell_info(m->campaign, c->id), "go_version");
	cleanup_free char *key = panel_key_of(m, c), *word = setting_word(m->panel_axis, value), *name = NULL, *part = NULL;
	bool go = !strcmp(m->panel_axis, "go");
	/* A path or a word such as `latest` does not say which release it is. */
	bool number = value[0] >= '0' && value[0] <= '9';
	const char *shown = go ? (number || !*version ? value : version)
			    : !*m->panel_axis ? text_of(m->campaign->info, "scenario")
			    : *word ? word
				    : "default settings";

	name = strf("%s%s", go ? "Go " : "", shown);
	part = *m->part_axis ? setting_word(m->part_axis, text_of(c->settings, m->part_axis)) : xstrdup("");
	if (*m->part_axis && !*part) {
		free(part);
		part = strf("%s default", m->part_axis);
	}
	strv_push(&m->panel_key, key);
	strv_push(&m->panel_short, shown);
	strv_push(&m->panel_part, part);
	strv_pushf(&m->panel_name, "%s%s%s", name, *part ? ", " : "", part);
	strv_push(&m->panel_detail, go && strcmp(shown, version) ? version : "");
}

static void add_panels(struct figure_model *m)
{
	cleanup_strv struct strv parts = STRV_INIT;

	for (size_t i = 0; i < m->cells.n; i++) {
		const char *part = text_of(m->cells.v[i].settings, m->part_axis);

		if (!strv_contains(&parts, part))
			strv_push(&parts, part);
	}
	for (size_t k = 0; k < parts.n; k++)
		for (size_t i = 0; i < m->cells.n; i++) {
			const struct campaign_cell *c = &m->cells.v[i];
			cleanup_free char *key = panel_key_of(m, c);

			if (!strcmp(text_of(c->settings, m->part_axis), parts.v[k]) && !strv_contains(&m->panel_key, key))
				add_panel(m, c);
		}
}

static void find_settings(const struct figure_model *m, struct strv *keys, struct strv *names)
{
	for (size_t i = 0; i < m->cells.n; i++) {
		cleanup_free char *key = NULL, *name = NULL;

		setting_of(m, m->cells.v[i].settings, &key, &name);
		if (strv_contains(keys, key))
			continue;
		strv_push(keys, key);
		strv_push(names, name);
	}
}

/* `variant` where it differs, for each one tells a story of its own; else the first axis that does, but the panels'. Borrowed; "" for none */
static const char *axis_to_part_by(const struct figure_model *m)
{
	const char *axis, *first = "";
	json_t *value;

	json_object_foreach((json_t *)m->cells.v[0].settings, axis, value)
	{
		(void)value;
		if (!strcmp(axis, m->panel_axis) || !campaign_axis_differs(&m->cells, axis))
			continue;
		if (!strcmp(axis, "variant"))
			return axis;
		first = *first ? first : axis;
	}
	return first;
}

static void drop_last(struct strv *l)
{
	free(TAKE(l->v[l->n - 1]));
	l->n--;
}

static void find_panels_and_settings(struct figure_model *m)
{
	m->part_axis = xstrdup("");
	find_settings(m, &m->setting_key, &m->setting_name);
	if (m->setting_key.n > FIGURE_SETTINGS_MAX) {
		free(m->part_axis);
		m->part_axis = xstrdup(axis_to_part_by(m));
		strv_done(&m->setting_key);
		strv_done(&m->setting_name);
		find_settings(m, &m->setting_key, &m->setting_name);
	}
	for (; m->setting_key.n > FIGURE_SETTINGS_MAX; m->settings_left_out++) {
		drop_last(&m->setting_key);
		drop_last(&m->setting_name);
	}
	add_panels(m);
}

/* A limit is told by itself (limit_bytes). */
static void find_everywhere(struct figure_model *m)
{
	cleanup_strv struct strv parts = STRV_INIT;
	const char *axis;
	json_t *value;

	json_object_foreach((json_t *)m->cells.v[0].settings, axis, value)
	{
		cleanup_free char *word = setting_word(axis, json_is_string(value) ? json_string_value(value) : "");

		if (*word && strcmp(axis, m->panel_axis) != 0 && strcmp(axis, "limit") != 0 && !campaign_axis_differs(&m->cells, axis))
			strv_pushf(&parts, "%s%s", strcmp(axis, "variant") ? "" : "variant ", word);
	}
	m->everywhere = strv_join(&parts, ", ");
}

/* Median, or the greatest, over the runs that have the metric; NAN if none has */
static double metric_of(const struct campaign_cell *c, const char *name, bool greatest)
{
	double *v = xcalloc(c->n_runs + 1, sizeof(*v)), median = NAN;
	size_t n = 0;

	for (size_t i = 0; i < c->n_runs; i++) {
		const json_t *value = json_object_get(json_object_get(c->runs[i]->run, "metrics"), name);
		if (json_is_number(value))
			v[n++] = json_number_value(value);
	}
	if (n) {
		sort_doubles(v, n);
		median = greatest ? v[n - 1] : median_of_sorted(v, n);
	}
	free(v);
	return median;
}

static double metric(const struct campaign_cell *c, const char *name)
{
	return metric_of(c, name, false);
}

static bool has_mark(const struct campaign_run *r, const char *name)
{
	json_t *mark;
	size_t i;

	json_array_foreach(json_object_get(r->run, "marks"), i, mark) if (!strcmp(text_of(mark, "name"), name)) return true;
	return false;
}

static enum behaviour behaviour_of(const struct figure_cell *f)
{
	if (f->why_not || !f->cell || !f->cell->n_runs)
		return BEHAVIOUR_NONE;
	if (f->n_failed == f->cell->n_runs)
		return BEHAVIOUR_FAILED;
	if (isnan(f->settled) && (isnan(f->share) || !f->drops))
		return BEHAVIOUR_MOVING;
	if (!f->drops || isnan(f->share))
		return BEHAVIOUR_KEPT;
	return f->share < 0.05 ? BEHAVIOUR_HELD : BEHAVIOUR_FALLS;
}

static void fill_cell(struct figure_cell *f, const struct campaign *campaign, const struct campaign_cell *c)
{
	const json_t *info = cell_info(campaign, c->id);

	f->cell = c;
	if (json_is_false(json_object_get(info, "applicable")))
		f->why_not = text_of(info, "why");
	f->outcome = OUTCOME_OK;
	for (size_t i = 0; i < c->n_runs; i++)
		f->drops |= has_mark(c->runs[i], "dropped");
	for (size_t i = c->n_runs; i-- > 0;)
		if (c->runs[i]->outcome != OUTCOME_OK) {
			f->outcome = c->runs[i]->outcome;
			f->n_failed++;
		}
	f->peak = metric(c, "peak_rss_bytes");
	f->settled = metric(c, "settled_rss_bytes");
	f->baseline = metric(c, "baseline_rss_bytes");
	f->share = metric(c, "released_share");
	f->first_fall_s = metric(c, "first_fall_s");
	f->release_s = metric(c, "release_s");
	f->release_worst_s = metric_of(c, "release_s", true);
	f->lazyfree_settled = metric(c, "lazyfree_settled_bytes");
	f->behaviour = behaviour_of(f);
}

static void fill_cells(struct figure_model *m)
{
	size_t n = m->panel_key.n * m->setting_key.n;

	m->cell = xcalloc(n ? n : 1, sizeof(*m->cell));
	for (size_t i = 0; i < n; i++) {
		m->cell[i].share = m->cell[i].settled = NAN;
		m->cell[i].layers = 1;
	}
	for (size_t i = 0; i < m->cells.n; i++) {
		const struct campaign_cell *c = &m->cells.v[i];
		cleanup_free char *key = NULL, *name = NULL, *panel = panel_key_of(m, c);

		setting_of(m, c->settings, &key, &name);
		size_t p = index_of(&m->panel_key, panel);
		size_t s = index_of(&m->setting_key, key);
		if (s < m->setting_key.n)
			fill_cell(figure_cell_at(m, p, s), m->campaign, c);
		if (c->n_runs > m->repeats)
			m->repeats = (unsigned)c->n_runs;
	}
}

/* The variant of a setting's first cell; "" for none */
static const char *variant_of(const struct figure_model *m, size_t setting)
{
	for (size_t p = 0; p < m->panel_key.n; p++)
		if (figure_cell_at(m, p, setting)->cell)
			return text_of(figure_cell_at(m, p, setting)->cell->settings, "variant");
	return "";
}

static void find_what_counts(struct figure_model *m)
{
	bool drops = false;

	for (size_t i = 0; i < m->panel_key.n * m->setting_key.n; i++)
		drops |= m->cell[i].drops;
	for (size_t s = 1; s < m->setting_key.n; s++)
		m->by_variant |= strcmp(m->panel_axis, "variant") && strcmp(variant_of(m, s), variant_of(m, 0));
	m->keeps = m->by_variant || !strcmp(m->part_axis, "variant") || !drops;
}

/* By variant, the first one's are warm and all others' cool: the first is the one that leaks. */
static void find_hues(struct figure_model *m)
{
	static const int warm[FIGURE_SETTINGS_MAX] = { 2, 4, 6, 8, 7, 5, 3, 1 }, cool[FIGURE_SETTINGS_MAX] = { 1, 3, 5, 7, 8, 6, 4, 2 };
	bool taken[FIGURE_SETTINGS_MAX + 1] = { false };

	m->setting_hue = xcalloc(m->setting_key.n + 1, sizeof(*m->setting_hue));
	for (size_t s = 0; s < m->setting_key.n; s++) {
		const int *hues = strcmp(variant_of(m, s), variant_of(m, 0)) ? cool : warm;
		int hue = (int)s + 1;

		for (size_t i = FIGURE_SETTINGS_MAX; m->by_variant && i-- > 0;)
			hue = taken[hues[i]] ? hue : hues[i];
		m->setting_hue[s] = hue;
		taken[hue] = true;
	}
}

/* Of the panel's cells, or of all for SIZE_MAX; 0 where they have none, or not the same */
static uint64_t common_limit(const struct figure_model *m, size_t panel)
{
	json_int_t common = -1;

	for (size_t i = 0; i < m->panel_key.n * m->setting_key.n; i++) {
		const struct figure_cell *f = &m->cell[i];

		if (!f->cell || (panel != SIZE_MAX && panel != i / m->setting_key.n))
			continue;
		json_int_t limit = json_integer_value(json_object_get(cell_info(m->campaign, f->cell->id), "limit_bytes"));
		if (common >= 0 && limit != common)
			return 0;
		common = limit;
	}
	return common > 0 ? (uint64_t)common : 0;
}

static void find_limits(struct figure_model *m)
{
	m->limit_bytes = common_limit(m, SIZE_MAX);
	m->panel_limit_bytes = xcalloc(m->panel_key.n + 1, sizeof(*m->panel_limit_bytes));
	for (size_t p = 0; p < m->panel_key.n; p++)
		m->panel_limit_bytes[p] = common_limit(m, p);
}

/* "clock": "real" or {"kind": "real", ...} */
static bool clock_is_real(const json_t *info)
{
	const json_t *clock = json_object_get(info, "clock");
	const char *kind = json_is_object(clock) ? text_of(clock, "kind") : json_string_value(clock);

	return !kind || !strcmp(kind, "real");
}

int figure_model_make(struct figure_model *m, const struct campaign *c, struct err *err)
{
	memset(m, 0, sizeof(*m));
	m->campaign = c;
	campaign_cells(c, &m->cells);
	if (!m->cells.n)
		return err_set(err, 0, "%s: the campaign has no cells, so there is nothing to draw", c->dir);
	m->panel_axis = find_panel_axis(&m->cells);
	find_panels_and_settings(m);
	find_everywhere(m);
	fill_cells(m);
	find_what_counts(m);
	find_hues(m);
	m->real_clock = clock_is_real(c->info);
	find_limits(m);
	figure_curves_read(m);
	for (size_t i = 0; i < m->panel_key.n * m->setting_key.n; i++)
		m->cell[i].note = figure_note(m, &m->cell[i]);
	figure_heaps_find(m);
	figure_panel_notes_find(m);
	figure_groups_form(m);
	figure_words_find(m);
	return 0;
}

void figure_model_done(struct figure_model *m)
{
	for (size_t i = 0; m->cell && i < m->panel_key.n * m->setting_key.n; i++) {
		band_done(&m->cell[i].rss);
		band_done(&m->cell[i].lazyfree);
		free(m->cell[i].note);
		free(m->cell[i].panel_note);
	}
	for (size_t i = 0; i < m->n_groups; i++) {
		free(m->group[i].name);
		free(m->group[i].note);
	}
	campaign_cells_done(&m->cells);
	strv_done(&m->panel_key);
	strv_done(&m->panel_part);
	strv_done(&m->panel_name);
	strv_done(&m->panel_short);
	strv_done(&m->panel_detail);
	strv_done(&m->setting_key);
	strv_done(&m->setting_name);
	strv_done(&m->mark_name);
	free(m->panel_axis);
	free(m->part_axis);
	free(m->everywhere);
	free(m->setting_hue);
	free(m->cell);
	free(m->mark_t_s);
	free(m->title);
	free(m->heatmap_subtitle);
	free(m->subtitle);
	free(m->source);
	free(m->panel_limit_bytes);
	memset(m, 0, sizeof(*m));
}
