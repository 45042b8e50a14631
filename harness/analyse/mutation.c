/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/mutation.h"

#include <string.h>

#include "analyse/expectation.h"
#include "analyse/verdict.h"
#include "base/alloc.h"
#include "base/err.h"

/* --- the plan again --- */

int plan_of_campaign(const struct campaign *c, struct scenario *s, struct plan **ret, struct err *err)
{
	const json_t *cells = json_object_get(c->info, "cells"), *cell;
	cleanup_strv struct strv go = STRV_INIT;
	struct catalogue catalogue = { 0 };
	size_t i;
	int r = 0;

	json_array_foreach(cells, i, cell)
	{
		const char *text = json_string_value(json_object_get(json_object_get(cell, "settings"), "go"));
		const char *exact = json_string_value(json_object_get(cell, "go_version"));
		struct go_version v;

		if (text && !strv_contains(&go, text))
			strv_push(&go, text);
		if (exact && go_version_parse(exact, &v, NULL) >= 0)
			catalogue_add(&catalogue, &v, NULL);
	}
	if (go.n)
		r = scenario_set_axis(s, "go", &go, err);
	if (r >= 0)
		r = plan_make(s, &catalogue, 1, ret, err);
	catalogue_done(&catalogue);
	return r;
}

/* --- cells --- */

/* A cell of the plan, and the campaign's. */
struct measured {
	const struct cell *cell; /* borrowed */
	size_t at;               /* in the campaign's cells; SIZE_MAX: it has no runs that tell anything */
};

static bool tells(const struct campaign_run *r)
{
	return r->run && r->outcome != OUTCOME_INTERRUPTED && r->outcome != OUTCOME_HARNESS_ERROR &&
	       json_object_size(json_object_get(r->run, "metrics")) > 0;
}

static size_t runs_of(const struct campaign_cells *cells, const char *id)
{
	for (size_t i = 0; i < cells->n; i++)
		for (size_t k = 0; !strcmp(cells->v[i].id, id) && k < cells->v[i].n_runs; k++)
			if (tells(cells->v[i].runs[k]))
				return i;
	return SIZE_MAX;
}

/* The only axis in which they differ; NULL: there is none, or there are several. */
static const char *only_difference(const struct cell *a, const struct cell *b)
{
	const char *axis = NULL;

	for (size_t i = 0; i < a->n_settings; i++) {
		if (!strcmp(a->settings[i].value, b->settings[i].value))
			continue;
		if (axis)
			return NULL;
		axis = a->settings[i].axis;
	}
	return axis;
}

/* A corpus of a few releases has gaps that the scenario does not have. */
static bool is_gap(const struct strv *own, const struct go_version *low, const struct go_version *high)
{
	for (int minor = low->minor + 1; minor < high->minor; minor++)
		for (size_t i = 0; i < own->n; i++) {
			const struct go_version between = { .minor = minor };
			struct go_span span;

			if (go_span_parse(own->v[i], &span, NULL) == 0 && go_span_contains(&span, &between))
				return true;
		}
	return false;
}

/* No release that the scenario has, with all else the same, lies between them. */
static bool are_neighbours(const struct measured *m, size_t n, const struct strv *own, const struct cell *a, const struct cell *b)
{
	int order = go_version_compare(&a->go->version, &b->go->version);
	const struct go_version *low = order < 0 ? &a->go->version : &b->go->version, *high = order < 0 ? &b->go->version : &a->go->version;

	if (is_gap(own, low, high))
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct cell *c = m[i].cell;
		const char *axis = c != a && c != b ? only_difference(a, c) : NULL;

		if (m[i].at != SIZE_MAX && axis && !strcmp(axis, "go") && go_version_compare(low, &c->go->version) < 0 &&
		    go_version_compare(&c->go->version, high) < 0)
			return false;
	}
	return true;
}

static bool same_versus(const struct expectation *a, const struct expectation *b)
{
	if (a->n_versus != b->n_versus)
		return false;
	for (size_t i = 0; i < a->n_versus; i++)
		if (strcmp(a->versus[i].axis, b->versus[i].axis) || strcmp(a->versus[i].values.v[0], b->versus[i].values.v[0]))
			return false;
	return true;
}

/* Whether the condition, as it stands in e, is expected of the cell. */
static bool is_expected(const struct scenario *s, const struct cell *c, const struct expectation *e, const char *condition)
{
	for (size_t i = 0; i < s->n_expect; i++) {
		const struct expectation *other = &s->expect[i];

		if (!cell_matches(c, other->match, other->n_match) || !same_versus(e, other))
			continue;
		for (size_t k = 0; k < other->n_conditions; k++)
			if (!strcmp(other->conditions[k].text, condition))
				return true;
	}
	return false;
}

/* All that is expected of a is expected of b. */
static bool covers(const struct scenario *s, const struct cell *b, const struct cell *a)
{
	for (size_t i = 0; i < s->n_expect; i++)
		for (size_t k = 0; k < s->expect[i].n_conditions && cell_matches(a, s->expect[i].match, s->expect[i].n_match); k++)
			if (!is_expected(s, b, &s->expect[i], s->expect[i].conditions[k].text))
				return false;
	return true;
}

/* The same conditions describe both, for whatever reasons: the scenario does not tell them apart. */
static bool are_described_alike(const struct scenario *s, const struct cell *a, const struct cell *b)
{
	return covers(s, a, b) && covers(s, b, a);
}

/* --- mutations --- */

/* The runs of one cell as if they were another's: evaluated by what is expected of that. */
struct borrowed_runs {
	struct campaign_run *v;         /* owned; `run` an owned reference */
	struct campaign_run **pointers; /* owned */
	size_t n;
};

static void borrow_runs(const struct scenario *s, const struct cell *as, const struct campaign_cell *from, struct borrowed_runs *ret)
{
	ret->v = xcalloc(from->n_runs + 1, sizeof(*ret->v));
	ret->pointers = xcalloc(from->n_runs + 1, sizeof(struct campaign_run *));
	for (size_t i = 0; i < from->n_runs; i++) {
		const struct campaign_run *r = from->runs[i];

		if (!tells(r))
			continue;

		json_t *metrics = json_object_get(r->run, "metrics"), *missing = json_object_get(r->run, "missing");
		const char *mechanism = json_string_value(json_object_get(r->run, "mechanism"));
		json_t *run = json_pack("{s:O, s:O?, s:o}", "metrics", metrics, "missing", missing, "expectations",
					expectations_evaluate(s, as, r->outcome, mechanism, metrics, missing));

		ret->v[ret->n] = (struct campaign_run){ .dir = r->dir, .cell_id = r->cell_id, .repeat = r->repeat, .run = run, .outcome = r->outcome };
		ret->pointers[ret->n] = &ret->v[ret->n];
		ret->n++;
	}
}

static void borrowed_runs_done(struct borrowed_runs *b)
{
	for (size_t i = 0; i < b->n; i++)
		json_decref(b->v[i].run);
	free(b->v);
	free((void *)b->pointers);
}

/* What the verdicts of the exchanged campaign say of one of the two cells. A condition of one cell against another is both's. */
static void add_mutation(struct mutations *ret, enum mutation_kind kind, const struct verdicts *l, const struct campaign_cell *cell,
			 const char *runs)
{
	cleanup_strv struct strv held = STRV_INIT;
	bool noticed = false;

	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].cell != cell && l->v[i].other != cell)
			continue;
		noticed |= verdict_failed(&l->v[i]);
		strv_push(&held, l->v[i].that);
	}
	ret->v = xreallocarray(ret->v, ret->n + 1, sizeof(*ret->v));
	ret->v[ret->n++] = (struct mutation){ kind, xstrdup(cell->id), xstrdup(runs), noticed, strv_join(&held, "; ") };
}

/* The campaign with the runs of the two exchanged. */
static void exchange(const struct campaign *c, const struct scenario *s, const struct campaign_cells *cells, enum mutation_kind kind,
		     const struct measured *a, const struct measured *b, struct mutations *ret)
{
	struct campaign_cells exchanged = { xcalloc(cells->n, sizeof(*exchanged.v)), cells->n };
	struct borrowed_runs for_a = { 0 }, for_b = { 0 };
	cleanup_verdicts struct verdicts l = { 0 };

	memcpy(exchanged.v, cells->v, cells->n * sizeof(*exchanged.v));
	borrow_runs(s, a->cell, &cells->v[b->at], &for_a);
	borrow_runs(s, b->cell, &cells->v[a->at], &for_b);
	exchanged.v[a->at].runs = for_a.pointers;
	exchanged.v[a->at].n_runs = for_a.n;
	exchanged.v[b->at].runs = for_b.pointers;
	exchanged.v[b->at].n_runs = for_b.n;
	verdicts_make(c, &exchanged, &l);
	add_mutation(ret, kind, &l, &exchanged.v[a->at], cells->v[b->at].id);
	add_mutation(ret, kind, &l, &exchanged.v[b->at], cells->v[a->at].id);
	borrowed_runs_done(&for_a);
	borrowed_runs_done(&for_b);
	free(exchanged.v);
}

/* What is expected of it holds for each end of a race, so that nobody can ask of it to notice an exchange. */
static bool is_a_race(const struct scenario *s, const struct cell *c)
{
	for (size_t i = 0; i < s->n_expect; i++)
		if (s->expect[i].race && cell_matches(c, s->expect[i].match, s->expect[i].n_match))
			return true;
	return false;
}

/* Whether the scenario tells them apart, by a variant or a release. */
static bool are_a_pair(const struct scenario *s, const struct strv *own, const struct measured *all, size_t n, const struct measured *a,
		       const struct measured *b, enum mutation_kind *ret)
{
	const char *axis = only_difference(a->cell, b->cell);

	if (!axis || a->at == SIZE_MAX || b->at == SIZE_MAX || are_described_alike(s, a->cell, b->cell))
		return false;
	*ret = strcmp(axis, "go") ? MUTATION_VARIANT : MUTATION_RELEASE;
	return !strcmp(axis, "variant") || (!strcmp(axis, "go") && are_neighbours(all, n, own, a->cell, b->cell));
}

void mutations_find(const struct campaign *c, const struct plan *p, const struct strv *own_releases, struct mutations *ret)
{
	cleanup_free struct measured *all = xcalloc(p->n_cells + 1, sizeof(*all));
	struct campaign_cells cells;
	enum mutation_kind kind;

	*ret = (struct mutations){ 0 };
	campaign_cells(c, &cells);
	for (size_t i = 0; i < p->n_cells; i++)
		all[i] = (struct measured){ &p->cells[i], p->cells[i].why_not ? SIZE_MAX : runs_of(&cells, p->cells[i].id) };
	for (size_t i = 0; i < p->n_cells; i++)
		for (size_t k = i + 1; k < p->n_cells; k++)
			if (!are_a_pair(p->scenario, own_releases, all, p->n_cells, &all[i], &all[k], &kind))
				continue;
			else if (is_a_race(p->scenario, all[i].cell) || is_a_race(p->scenario, all[k].cell))
				ret->races += 2;
			else
				exchange(c, p->scenario, &cells, kind, &all[i], &all[k], ret);
	campaign_cells_done(&cells);
}

void mutations_done(struct mutations *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].cell);
		free(m->v[i].runs);
		free(m->v[i].held);
	}
	free(m->v);
	*m = (struct mutations){ 0 };
}
