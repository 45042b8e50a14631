/* SPDX-License-Identifier: Apache-2.0
 *
 * A long table folded: releases that follow each other and behave alike under one setting are one row.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/order.h"
#include "base/units.h"
#include "render/table_parts.h"

#define ALIKE 0.1 /* of the larger value */

/* Within a tenth, or what rounding makes of it; or missing in both. */
static bool is_alike(const struct folded *a, const struct folded *b, enum metric m)
{
	double low = fmin(a->median, b->median), high = fmax(a->median, b->median), least = 1;

	if (!a->n || !b->n)
		return !a->n && !b->n;
	switch (metric_unit(m)) {
	case UNIT_BYTES:
		least = (double)MIB;
		break;
	case UNIT_BYTES_PER_S:
		least = 10 * 1024;
		break;
	case UNIT_RATIO:
		least = 0.02;
		break;
	case UNIT_SECONDS:
	case UNIT_COUNT:
	case UNIT_PER_S:
	case UNIT_LIST:
	case UNIT_COUNT_:
		break;
	}
	return high - low <= fmax(least, ALIKE * fmax(fabs(low), fabs(high)));
}

static bool same_outcomes(const struct row *a, const struct row *b)
{
	for (int o = 0; o < OUTCOME_COUNT_; o++)
		if (!a->outcomes[o] != !b->outcomes[o])
			return false;
	return a->conduct == b->conduct;
}

/* Each release of the group must be like each other one, not only like its neighbour: a slow drift is no likeness. */
static bool belongs(const struct row *const *group, size_t n, const struct row *r, const bool *shown)
{
	for (size_t i = 0; i < n; i++) {
		if (!same_outcomes(group[i], r))
			return false;
		for (int m = 0; m < METRIC_COUNT_; m++)
			if (shown[m] && !is_alike(&group[i]->all[m], &r->all[m], (enum metric)m))
				return false;
	}
	return true;
}

static struct folded fold_group(const struct row *const *group, size_t n, enum metric m)
{
	cleanup_free double *medians = xcalloc(n, sizeof(*medians));
	struct folded f = group[0]->all[m];
	size_t have = 0;

	for (size_t i = 0; i < n; i++) {
		const struct folded *g = &group[i]->all[m];

		if (!g->n)
			continue;
		medians[have++] = g->median;
		f.min = fmin(f.min, g->min);
		f.max = fmax(f.max, g->max);
		f.n += i ? g->n : 0;
	}
	if (!have)
		return f;
	sort_doubles(medians, have);
	f.median = median_of_sorted(medians, have);
	return f;
}

static void add_group(const struct rows *rows, struct view *view, const struct row *const *group, size_t n)
{
	struct row *r = &view->v[view->n++];

	*r = *group[0];
	r->release_text = n > 1 ? strf("%s-%s", rows->releases.v[group[0]->release], rows->releases.v[group[n - 1]->release])
				: xstrdup(group[0]->release_text);
	for (size_t i = 1; i < n; i++)
		for (int o = 0; o < OUTCOME_COUNT_; o++)
			r->outcomes[o] += group[i]->outcomes[o];
	for (int m = 0; m < METRIC_COUNT_; m++)
		r->all[m] = fold_group(group, n, (enum metric)m);
	r->v[ROW_PEAK] = r->all[METRIC_PEAK_RSS];
}

static const struct row *find_row(const struct rows *rows, const char *setting, size_t release)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->v[i].applicable && rows->v[i].release == release && !strcmp(rows->v[i].setting, setting))
			return &rows->v[i];
	return NULL;
}

void view_done(struct view *view)
{
	for (size_t i = 0; i < view->n; i++)
		free(view->v[i].release_text);
	free(view->v);
	*view = (struct view){ 0 };
}

static void view_all(const struct rows *rows, struct view *ret)
{
	*ret = (struct view){ .v = xcalloc(rows->n + 1, sizeof(*ret->v)) };
	for (size_t i = 0; i < rows->n; i++) {
		if (!rows->v[i].applicable)
			continue;
		ret->v[ret->n] = rows->v[i];
		ret->v[ret->n++].release_text = xstrdup(rows->v[i].release_text);
	}
}

/* A path is no number that a range could be made of; two cells of one release and setting have no order. */
static bool can_fold(const struct rows *rows)
{
	for (size_t i = 0; i < rows->releases.n; i++)
		if (strchr(rows->releases.v[i], '/'))
			return false;
	for (size_t i = 0; i < rows->n; i++)
		if (rows->v[i].applicable && find_row(rows, rows->v[i].setting, rows->v[i].release) != &rows->v[i])
			return false;
	return rows->releases.n > 1;
}

void view_make(const struct rows *rows, const bool *shown, bool full, struct view *ret)
{
	cleanup_free const struct row **group = xcalloc(rows->n + 1, sizeof(const struct row *));
	struct view folded = { .v = xcalloc(rows->n + 1, sizeof(*folded.v)) };

	view_all(rows, ret);
	if (full || ret->n <= TABLE_ROWS_MAX || !can_fold(rows)) {
		view_done(&folded);
		return;
	}
	for (size_t s = 0; s < rows->settings.n; s++) {
		size_t n = 0;

		for (size_t k = 0; k < rows->releases.n; k++) {
			const struct row *r = find_row(rows, rows->settings.v[s], k);

			if (n && (!r || !belongs(group, n, r, shown))) {
				add_group(rows, &folded, group, n);
				n = 0;
			}
			if (r)
				group[n++] = r;
		}
		if (n)
			add_group(rows, &folded, group, n);
	}
	if (folded.n < ret->n) {
		struct view all = *ret;

		*ret = folded;
		ret->folded = true;
		folded = all;
	}
	view_done(&folded);
}
