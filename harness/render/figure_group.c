/* SPDX-License-Identifier: Apache-2.0
 *
 * Which curves run alike: complete linkage, so that a group's unlikest two are still alike. Beyond the number of colours
 * that can be told apart the likest groups are put together, alike or not. Variants are never put together. And which curves of
 * a panel lie upon each other.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "render/figure_parts.h"

#define TIMES 400
/* In parts of the highest curve: the mean distance, and on top what the ends lie apart by more than END_ALIKE */
#define ALIKE     0.04
#define END_ALIKE 0.05
/* Of one variant: when each release gave how much back is not what the figure is about. */
#define ALIKE_VARIANT 0.16
/* Two curves lie upon each other where they are so near (a line's width in a panel) for so much of the time. */
#define UPON      0.012
#define UPON_TIME 0.85

/* What a run that broke off has from then on: unlike whatever goes on, be it small */
#define OVER (-1.0)

/* The median at TIMES moments from the figure's zero on, in parts of y_max; NAN in a gap. How fast a program loaded says more
 * about the machine's other work than about it. */
static void trace(const struct figure_model *m, const struct figure_cell *c, double ret[TIMES])
{
	const struct band *b = &c->rss;
	double y_max = m->y_max > 0 ? m->y_max : 1;
	size_t at = 0;

	for (size_t k = 0; k < TIMES; k++) {
		int64_t t = (int64_t)((m->zero_s + ((double)k + 0.5) / TIMES * (m->span_s - m->zero_s)) * 1e9);

		while (at + 1 < b->n && b->v[at + 1].t_ns <= t)
			at++;
		bool known = b->n && b->v[at].t_ns <= t && b->v[at].median != MISSING;
		ret[k] = t >= b->end_ns ? (c->cross ? OVER : NAN) : known ? (double)b->v[at].median / y_max : NAN;
	}
}

/* Over the moments at which both are known */
static double distance(const double *a, const double *b)
{
	double sum = 0, end = 0;
	size_t n = 0;

	for (size_t k = 0; k < TIMES; k++) {
		double d = fabs(a[k] - b[k]);

		if (isnan(d))
			continue;
		sum += d;
		end = d;
		n++;
	}
	return n ? sum / (double)n + fmax(0, end - END_ALIKE) : 1;
}

static int count_groups(const int *group, size_t n)
{
	int count = 0;

	for (size_t i = 0; i < n; i++)
		count += group[i] == (int)i;
	return count;
}

/* A group is named by its first member's index; d, n x n, holds between these the distance of the unlikest members; infinite
 * where they must not be put together. */
static void merge(double *d, int *group, size_t n, double alike, int most)
{
	for (;;) {
		double least = INFINITY;
		size_t from = 0, into = 0;

		for (size_t g = 0; g < n; g++)
			for (size_t h = g + 1; h < n; h++)
				if (group[g] == (int)g && group[h] == (int)h && d[g * n + h] < least) {
					least = d[g * n + h];
					into = g;
					from = h;
				}
		if (from == into || (least > alike && count_groups(group, n) <= most))
			return;
		for (size_t i = 0; i < n; i++) {
			if (group[i] == (int)from)
				group[i] = (int)into;
			d[into * n + i] = d[i * n + into] = fmax(d[into * n + i], d[from * n + i]);
		}
	}
}

static const struct band_point *last_known(const struct band *b)
{
	for (size_t i = b->n; i-- > 0;)
		if (b->v[i].median != MISSING)
			return &b->v[i];
	return NULL;
}

/* The group's end is its members' mean one, so that the label points into their midst. */
static struct figure_group describe(struct figure_cell *const *cells, const size_t *settings, const int *group, size_t n, int g)
{
	struct figure_group ret = { 0 };
	double members = 0;

	for (size_t i = 0; i < n; i++) {
		const struct band_point *end = last_known(&cells[i]->rss);

		if (group[i] != g || !end)
			continue;
		double end_s = (double)cells[i]->rss.end_ns / 1e9;
		ret.end_s = end_s > ret.end_s ? end_s : ret.end_s;
		ret.end_bytes += (double)end->median;
		ret.fall_s += isnan(cells[i]->first_fall_s) ? 0 : cells[i]->first_fall_s;
		ret.setting = members > 0 ? ret.setting : settings[i];
		members++;
	}
	if (members > 0) {
		ret.end_bytes /= members;
		ret.fall_s /= members;
	}
	return ret;
}

/* Highest end first; of those that end alike (within 5 %) the one that fell last, whose curve lies around the others'. */
static bool above(const struct figure_group *a, const struct figure_group *b, double y_max)
{
	if (fabs(a->end_bytes - b->end_bytes) > 0.05 * y_max)
		return a->end_bytes > b->end_bytes;
	return a->fall_s > b->fall_s;
}

static void number_groups(struct figure_model *m, struct figure_cell **cells, const size_t *settings, const int *group, size_t n)
{
	int leader[FIGURE_GROUPS_MAX];

	for (size_t i = 0; i < n; i++) {
		if (group[i] != (int)i)
			continue;
		struct figure_group new = describe(cells, settings, group, n, (int)i);
		size_t at = m->n_groups++;
		while (at > 0 && above(&new, &m->group[at - 1], m->y_max)) {
			m->group[at] = m->group[at - 1];
			leader[at] = leader[at - 1];
			at--;
		}
		m->group[at] = new;
		leader[at] = (int)i;
	}
	for (size_t g = 0; g < m->n_groups; g++)
		for (size_t i = 0; i < n; i++)
			if (group[i] == leader[g])
				cells[i]->group = (int)g + 1;
}

/* Where the curve falls it runs alone, more or less: each group's number stands there, each at a height of its own. Without a
 * fall, near the end. A curve that breaks off leads to its label by itself. */
static void place_tag(struct figure_model *m, size_t g, const struct figure_cell *c)
{
	const struct band *b = &c->rss;
	struct figure_group *group = &m->group[g];
	double end = (double)last_known(b)->median, peak = 0;

	group->tag_s = group->tag_bytes = NAN;
	if (c->cross)
		return;
	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].median != MISSING)
			peak = fmax(peak, (double)b->v[i].median);

	double level = end + (peak - end) * (0.85 - 0.7 * (double)g / (double)m->n_groups);

	group->tag_s = m->span_s * (0.97 - 0.04 * (double)g);
	group->tag_bytes = end;
	for (size_t i = b->n; peak - end > 0.1 * m->y_max && i-- > 1;)
		if (b->v[i - 1].median != MISSING && (double)b->v[i - 1].median >= level) {
			group->tag_s = (double)b->v[i].t_ns / 1e9;
			group->tag_bytes = level;
			return;
		}
}

static void place_tags(struct figure_model *m)
{
	for (size_t g = 0; g < m->n_groups; g++)
		for (size_t i = 0; i < m->panel_key.n * m->setting_key.n; i++)
			if (m->cell[i].group == (int)g + 1) {
				place_tag(m, g, &m->cell[i]);
				break;
			}
}

void figure_groups_form(struct figure_model *m)
{
	size_t all = m->panel_key.n * m->setting_key.n, n = 0;
	struct figure_cell **cells = xcalloc(all + 1, sizeof(struct figure_cell *));
	size_t *settings = xcalloc(all + 1, sizeof(*settings));
	double(*traces)[TIMES] = xcalloc(all + 1, sizeof(*traces));

	for (size_t i = 0; i < all; i++)
		if (last_known(&m->cell[i].rss)) {
			trace(m, &m->cell[i], traces[n]);
			settings[n] = i % m->setting_key.n;
			cells[n++] = &m->cell[i];
		}

	double *d = xcalloc(n * n + 1, sizeof(*d));
	int *group = xcalloc(n + 1, sizeof(*group));

	for (size_t i = 0; i < n; i++) {
		group[i] = (int)i;
		for (size_t k = 0; k < n; k++)
			d[i * n + k] = m->by_variant && settings[i] != settings[k] ? INFINITY : distance(traces[i], traces[k]);
	}
	merge(d, group, n, m->by_variant ? ALIKE_VARIANT : ALIKE, m->by_variant ? FIGURE_GROUPS_MAX : FIGURE_SETTINGS_MAX);
	number_groups(m, cells, settings, group, n);
	place_tags(m);
	free(group);
	free(d);
	free(traces);
	free(settings);
	free(cells);
}

/* ---- curves upon each other
 * ------------------------------------------------------------------------------------------------------------------------ */

static bool lie_upon(const double *a, const double *b)
{
	size_t known = 0, near = 0;

	for (size_t k = 0; k < TIMES; k++) {
		known += !isnan(a[k]) && !isnan(b[k]);
		near += fabs(a[k] - b[k]) < UPON;
	}
	return known > TIMES / 4 && (double)near > UPON_TIME * (double)known;
}

/* The first setting lies on top. A curve joins the first one that it lies upon, and those with it. */
static void find_heaps_of(struct figure_model *m, size_t panel, double (*traces)[TIMES])
{
	for (size_t s = 0; s < m->setting_key.n; s++) {
		struct figure_cell *c = figure_cell_at(m, panel, s);

		trace(m, c, traces[s]);
		for (size_t k = 0; k < s && !c->heap; k++) {
			struct figure_cell *above = figure_cell_at(m, panel, k);

			if (c->rss.n && above->rss.n && lie_upon(traces[k], traces[s]))
				c->heap = above->heap = above->heap ? above->heap : (int)k + 1;
		}
	}
	for (size_t s = m->setting_key.n; s-- > 0;) {
		struct figure_cell *c = figure_cell_at(m, panel, s);

		c->layers = 0;
		for (size_t k = 0; k < m->setting_key.n; k++) {
			bool with = k == s || (c->heap && figure_cell_at(m, panel, k)->heap == c->heap);

			c->layers += with;
			c->layer += with && k > s;
		}
	}
}

void figure_heaps_find(struct figure_model *m)
{
	double(*traces)[TIMES] = xcalloc(m->setting_key.n + 1, sizeof(*traces));

	for (size_t p = 0; p < m->panel_key.n; p++)
		find_heaps_of(m, p, traces);
	free(traces);
}
