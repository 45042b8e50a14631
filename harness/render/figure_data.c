/* SPDX-License-Identifier: Apache-2.0
 *
 * What the scripts of plots/ read: figure.gp, gnuplot variables, and a TSV file a curve. Bytes and seconds; a number that is
 * missing is NaN in figure.gp and "-" in a TSV file. Texts stand in single quotes, where gnuplot replaces nothing.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "render/figure_parts.h"
#include "render/gp.h"

/* A limit far above the curves would press them flat; the subtitle names it all the same. */
static bool limit_shows(const struct figure_model *m, size_t panel)
{
	return m->panel_limit_bytes[panel] && (double)m->panel_limit_bytes[panel] < 1.7 * m->y_max;
}

static struct gp_axes find_axes(const struct figure_model *m, const struct figure_overlays *over)
{
	double limit = 0;

	for (size_t p = 0; p < m->panel_key.n; p++)
		if (limit_shows(m, p) && (double)m->panel_limit_bytes[p] > limit)
			limit = (double)m->panel_limit_bytes[p];
	return gp_axes_find(m->span_s, figure_overlay_top(over, m->y_max), limit);
}

static char *curve_file(const struct figure_model *m, size_t i)
{
	return m->cell[i].rss.n ? strf("curve-%02zu-%zu.tsv", i / m->setting_key.n + 1, i % m->setting_key.n + 1) : xstrdup("");
}

enum heat { HEAT_SHARE, HEAT_NOT_APPLICABLE, HEAT_NO_SHARE };

/* How dark a cell is: the share that was given back; what remains, where that counts, in parts of the most that does */
static double heat_share(const struct figure_model *m, const struct figure_cell *c)
{
	double most = 0;

	if (!m->keeps)
		return c->share;
	for (size_t i = 0; i < m->panel_key.n * m->setting_key.n; i++)
		most = fmax(most, isnan(m->cell[i].settled) ? 0 : m->cell[i].settled);
	return most > 0 ? c->settled / most : NAN;
}

static enum heat heat_of(const struct figure_model *m, const struct figure_cell *c)
{
	if (!isnan(heat_share(m, c)))
		return HEAT_SHARE;
	return c->why_not || !c->cell ? HEAT_NOT_APPLICABLE : HEAT_NO_SHARE;
}

static void put_cell_texts(FILE *f, const struct figure_model *m, struct strv *says)
{
	cleanup_strv struct strv files = STRV_INIT, notes = STRV_INIT, heat_text = STRV_INIT, heat_sub = STRV_INIT;
	size_t n = m->panel_key.n * m->setting_key.n;

	for (size_t i = 0; i < n; i++) {
		cleanup_free char *file = curve_file(m, i), *text = figure_heat_text(m, &m->cell[i]),
				  *sub = figure_heat_sub(m, &m->cell[i]);

		strv_push(&files, file);
		/* The words in the middle of an empty panel say it already. */
		strv_push(&notes, *says->v[i / m->setting_key.n] ? "" : m->cell[i].panel_note);
		strv_push(&heat_text, text);
		strv_push(&heat_sub, sub);
	}
	gp_texts(f, "curve_file", files.v, n);
	gp_texts(f, "curve_note", notes.v, n);
	gp_texts(f, "heat_text", heat_text.v, n);
	gp_texts(f, "heat_sub", heat_sub.v, n);
}

static void put_cells(FILE *f, const struct figure_model *m)
{
	cleanup_strv struct strv says = STRV_INIT;
	size_t n = m->panel_key.n * m->setting_key.n;
	double *v = xcalloc(n + 1, sizeof(*v));

	for (size_t p = 0; p < m->panel_key.n; p++) {
		cleanup_free char *text = figure_panel_says(m, p);
		strv_push(&says, text);
	}
	gp_texts(f, "panel_says", says.v, says.n);
	put_cell_texts(f, m, &says);
#define NUMBERS(name, expression)                                  \
	do {                                                       \
		for (size_t i = 0; i < n; i++) {                   \
			const struct figure_cell *c = &m->cell[i]; \
			v[i] = (expression);                       \
		}                                                  \
		gp_numbers(f, name, v, n);                       \
	} while (0)
	NUMBERS("curve_lazy", c->shows_lazyfree);
	NUMBERS("curve_cross", c->cross);
	NUMBERS("cross_t_s", c->cross ? c->cross_s - m->zero_s : NAN);
	NUMBERS("cross_bytes", c->cross ? (double)c->cross_bytes : NAN);
	NUMBERS("curve_group", c->group);
	NUMBERS("curve_layer", c->layer);
	NUMBERS("curve_layers", c->layers);
	NUMBERS("heat_share", heat_share(m, c));
	NUMBERS("heat_kind", heat_of(m, c));
#undef NUMBERS
	free(v);
}

static void put_groups(FILE *f, const struct figure_model *m)
{
	cleanup_strv struct strv names = STRV_INIT, notes = STRV_INIT;
	double hue[FIGURE_GROUPS_MAX];
	double end_s[FIGURE_GROUPS_MAX], end_bytes[FIGURE_GROUPS_MAX], tag_s[FIGURE_GROUPS_MAX], tag_bytes[FIGURE_GROUPS_MAX];

	for (size_t g = 0; g < m->n_groups; g++) {
		strv_push(&names, m->group[g].name);
		strv_push(&notes, m->group[g].note);
		hue[g] = m->by_variant ? m->setting_hue[m->group[g].setting] : (double)g + 1;
		end_s[g] = m->group[g].end_s - m->zero_s;
		end_bytes[g] = m->group[g].end_bytes;
		tag_s[g] = m->group[g].tag_s - m->zero_s;
		tag_bytes[g] = m->group[g].tag_bytes;
	}
	gp_number(f, "n_groups", (double)m->n_groups);
	gp_texts(f, "group_name", names.v, names.n);
	gp_texts(f, "group_note", notes.v, notes.n);
	gp_numbers(f, "group_hue", hue, m->n_groups);
	gp_numbers(f, "group_end_t_s", end_s, m->n_groups);
	gp_numbers(f, "group_end_bytes", end_bytes, m->n_groups);
	gp_numbers(f, "group_tag_t_s", tag_s, m->n_groups);
	gp_numbers(f, "group_tag_bytes", tag_bytes, m->n_groups);
}

static void put_axes(FILE *f, const struct figure_model *m, const struct figure_overlays *over)
{
	struct gp_axes a = find_axes(m, over);

	gp_number(f, "t_min_s", -m->zero_s);
	gp_number(f, "t_max_s", m->span_s - m->zero_s);
	gp_number(f, "t_unit_s", a.t_unit_s);
	gp_text(f, "t_unit_name", a.t_name);
	gp_number(f, "t_step", a.t_step);
	gp_number(f, "y_max_bytes", a.y_max);
	gp_number(f, "y_unit_bytes", a.y_unit);
	gp_text(f, "y_unit_name", a.y_name);
	gp_number(f, "y_step", a.y_step);
	gp_number(f, "limit_bytes", m->limit_bytes && limit_shows(m, 0) ? (double)m->limit_bytes : 0);
}

/* One limit for all is named in the first panel alone. */
static void put_limits(FILE *f, const struct figure_model *m)
{
	cleanup_strv struct strv names = STRV_INIT;
	double *v = xcalloc(m->panel_key.n + 1, sizeof(*v));

	for (size_t p = 0; p < m->panel_key.n; p++) {
		cleanup_free char *name = figure_limit_name(limit_shows(m, p) ? m->panel_limit_bytes[p] : 0);

		v[p] = limit_shows(m, p) ? (double)m->panel_limit_bytes[p] : 0;
		strv_push(&names, p && m->limit_bytes ? "" : name);
	}
	gp_numbers(f, "panel_limit_bytes", v, m->panel_key.n);
	gp_texts(f, "panel_limit_name", names.v, names.n);
	free(v);
}

static void put_marks(FILE *f, const struct figure_model *m)
{
	double acts[FIGURE_MARKS_MAX], shared[FIGURE_MARKS_MAX], *t = xcalloc(m->panel_key.n * m->mark_name.n + 1, sizeof(*t));

	for (size_t k = 0; k < m->mark_name.n; k++) {
		acts[k] = m->mark_act[k];
		shared[k] = m->mark_shared_s[k] - m->zero_s;
	}
	for (size_t i = 0; i < m->panel_key.n * m->mark_name.n; i++)
		t[i] = m->mark_t_s[i] - m->zero_s;
	gp_number(f, "n_marks", (double)m->mark_name.n);
	gp_texts(f, "mark_name", m->mark_name.v, m->mark_name.n);
	gp_numbers(f, "mark_act", acts, m->mark_name.n);
	gp_numbers(f, "shared_t_s", shared, m->mark_name.n);
	gp_numbers(f, "mark_t_s", t, m->panel_key.n * m->mark_name.n);
	free(t);
}

struct variables {
	const struct figure_model *m;
	const struct figure_overlays *over; /* NULL: none */
};

/* Which panel the run is in, from 1; 0: none */
static size_t panel_of(const struct figure_model *m, const struct campaign_run *run)
{
	for (size_t i = 0; i < m->panel_key.n * m->setting_key.n; i++)
		for (size_t k = 0; m->cell[i].cell && k < m->cell[i].cell->n_runs; k++)
			if (m->cell[i].cell->runs[k] == run)
				return i / m->setting_key.n + 1;
	return 0;
}

static void put_overlays(FILE *f, const struct figure_model *m, const struct figure_overlays *over)
{
	cleanup_strv struct strv names = STRV_INIT;
	size_t panel = over ? panel_of(m, over->run) : 0;

	if (panel)
		figure_overlay_names(over, m->y_max, &names);
	gp_number(f, "n_overlays", (double)names.n);
	gp_texts(f, "overlay_name", names.v, names.n);
	gp_number(f, "overlay_panel", (double)panel);
	/* From seconds since exec to the figure's */
	gp_number(f, "overlay_shift_s", panel ? figure_shift(m, over->run->run) - m->zero_s : 0);
}

static void put_variables(FILE *f, const void *of)
{
	const struct variables *v = of;
	const struct figure_model *m = v->m;

	(void)fputs(
		"# Variables of a campaign's figures: written by `memtide plot DIR`, read by the gnuplot scripts in plots/.\n"
		"# Sizes are bytes. Times are seconds since the mark `dropped` (or since exec, where runs have no such mark).\n"
		"# Arrays over cells count settings fastest.\n",
		f);
	gp_text(f, "title", m->title);
	gp_text(f, "subtitle", m->subtitle);
	gp_text(f, "heatmap_subtitle", m->heatmap_subtitle);
	gp_text(f, "source", m->source);
	put_axes(f, m, v->over);
	gp_number(f, "repeats", m->repeats);
	gp_number(f, "by_variant", m->by_variant);
	gp_number(f, "n_panels", (double)m->panel_key.n);
	gp_number(f, "n_settings", (double)m->setting_key.n);
	gp_texts(f, "setting_name", m->setting_name.v, m->setting_name.n);
	double *hues = xcalloc(m->setting_name.n + 1, sizeof(*hues));
	for (size_t s = 0; s < m->setting_name.n; s++)
		hues[s] = m->setting_hue[s];
	gp_numbers(f, "setting_hue", hues, m->setting_name.n);
	free(hues);
	gp_texts(f, "panel_name", m->panel_name.v, m->panel_name.n);
	gp_texts(f, "panel_part", m->panel_part.v, m->panel_part.n);
	gp_texts(f, "panel_detail", m->panel_detail.v, m->panel_detail.n);
	put_limits(f, m);
	put_marks(f, m);
	put_cells(f, m);
	put_groups(f, m);
	put_overlays(f, m, v->over);
}

/* ---- curves
 * ----------------------------------------------------------------------------------------------------------------------- */

static void put_value(FILE *f, uint64_t v)
{
	if (v == MISSING)
		(void)fputs("\t-", f);
	else
		(void)fprintf(f, "\t%llu", (unsigned long long)v);
}

static void put_band_row(FILE *f, double t_s, const struct band_point *p)
{
	(void)fprintf(f, "%.6f", t_s);
	put_value(f, p->min);
	put_value(f, p->median);
	put_value(f, p->max);
	(void)fputc('\n', f);
}

/* A value holds until the next point, so each step has both its corners; an empty line is a gap. */
static void put_band(FILE *f, const struct band *b, double zero_s)
{
	bool gap = true;

	for (size_t i = 0; i < b->n; i++) {
		const struct band_point *p = &b->v[i];
		int64_t until = i + 1 < b->n ? b->v[i + 1].t_ns : b->end_ns;

		if (p->median == MISSING) {
			/* Two empty lines would begin a new block. */
			if (!gap)
				(void)fputc('\n', f);
			gap = true;
			continue;
		}
		gap = false;
		put_band_row(f, (double)p->t_ns / 1e9 - zero_s, p);
		if (until > p->t_ns)
			put_band_row(f, (double)until / 1e9 - zero_s, p);
	}
}

struct curve_of_cell {
	const struct figure_cell *c;
	double zero_s;
};

static void put_curve(FILE *f, const void *of)
{
	const struct curve_of_cell *v = of;

	(void)fprintf(f, "# %s\n# block 0: RSS over the repeats; block 1: LazyFree\n# t_s\tmin_bytes\tmedian_bytes\tmax_bytes\n",
		      v->c->cell->id);
	put_band(f, &v->c->rss, v->zero_s);
	if (v->c->shows_lazyfree) {
		(void)fputs("\n\n", f);
		put_band(f, &v->c->lazyfree, v->zero_s);
	}
}

int figure_data_write(const struct figure_model *m, const struct figure_overlays *over, const char *dir, struct err *err)
{
	cleanup_free char *variables = strf("%s/figure.gp", dir);
	struct variables v = { m, over };
	int r = 0;

	for (size_t i = 0; i < m->panel_key.n * m->setting_key.n && r >= 0; i++) {
		cleanup_free char *name = curve_file(m, i), *path = strf("%s/%s", dir, name);

		if (*name)
			r = gp_write(path, put_curve, &(struct curve_of_cell){ &m->cell[i], m->zero_s }, err);
	}
	return r < 0 ? r : gp_write(variables, put_variables, &v, err);
}
