/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/verdict.h"

#include <math.h>
#include <string.h>

#include "analyse/expectation.h"
#include "base/alloc.h"
#include "base/order.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static double share_of(const json_t *e)
{
	const json_t *share = json_object_get(e, "share");

	return json_is_number(share) ? json_number_value(share) : 1;
}

/* The same words may be expected twice, for different reasons or of another share of the repeats. */
static bool same_reason(const struct verdict *v, const json_t *e)
{
	return v->share == share_of(e) && !strcmp(v->because ? v->because : "", text_of(e, "because"));
}

static struct verdict *verdict_of(struct verdicts *l, const struct campaign_cell *cell, const struct campaign_cell *other, const json_t *e)
{
	const char *that = text_of(e, "that");

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].cell == cell && l->v[i].other == other && !strcmp(l->v[i].that, that) && same_reason(&l->v[i], e))
			return &l->v[i];
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n] = (struct verdict){ .cell = cell,
				       .other = other,
				       .that = that,
				       .because = json_string_value(json_object_get(e, "because")),
				       .share = share_of(e),
				       .other_median = NAN };
	return &l->v[l->n++];
}

/* One run's answer. measured, limit: borrowed. why: NULL where there is an answer. */
static void add_answer(struct verdict *v, bool holds, const json_t *measured, const json_t *limit, const char *why)
{
	bool first_failure = !holds && v->held == v->runs;

	v->runs++;
	v->held += holds;
	if (json_is_number(measured)) {
		v->values = xreallocarray(v->values, v->n + 1, sizeof(*v->values));
		v->values[v->n++] = json_number_value(measured);
	} else if (json_is_string(measured) && !strv_contains(&v->words, json_string_value(measured))) {
		strv_push(&v->words, json_string_value(measured));
	}
	if (v->runs > 1 && !first_failure)
		return;
	json_decref(v->measured);
	json_decref(v->limit);
	free(v->why);
	v->measured = measured ? json_incref((json_t *)measured) : json_null();
	v->limit = limit ? json_incref((json_t *)limit) : json_null();
	v->why = why ? xstrdup(why) : NULL;
}

/* What each run said of itself. */
static void add_runs(struct verdicts *l, const struct campaign_cell *cell)
{
	for (size_t k = 0; k < cell->n_runs; k++) {
		const json_t *all = json_object_get(cell->runs[k]->run, "expectations"), *e;
		size_t i;

		json_array_foreach(all, i, e) add_answer(verdict_of(l, cell, NULL, e), json_is_true(json_object_get(e, "holds")),
							 json_object_get(e, "measured"), json_object_get(e, "limit"),
							 json_string_value(json_object_get(e, "why")));
	}
}

/* ---- one cell against another --------------------------------------------------------------------------------------------------- */

/* Of a run that never started, or was interrupted, nothing is expected. */
static bool has_been_measured(const struct campaign_run *r)
{
	return json_object_size(json_object_get(r->run, "metrics")) > 0 && r->outcome != OUTCOME_INTERRUPTED;
}

/* What one cell is held against another for is how it ends when it ends as it should. */
static bool has_ended_as_expected(const struct campaign_run *r)
{
	const json_t *e;
	size_t i;

	json_array_foreach(json_object_get(r->run, "expectations"), i, e)
	{
		if (!strncmp(text_of(e, "that"), "outcome", 7))
			return json_is_true(json_object_get(e, "holds"));
	}
	return r->outcome == OUTCOME_OK;
}

static size_t runs_measured(const struct campaign_cell *cell)
{
	size_t n = 0;

	for (size_t i = 0; i < cell->n_runs; i++)
		n += has_been_measured(cell->runs[i]);
	return n;
}

static const json_t *metric_of(const struct campaign_run *r, const char *name, const char **ret_why)
{
	const json_t *value = json_object_get(json_object_get(r->run, "metrics"), name);
	const char *why = json_string_value(json_object_get(json_object_get(r->run, "missing"), name));

	if (json_is_number(value))
		return value;
	*ret_why = why ? why : "not measured";
	return NULL;
}

/* NAN with the reason: none of its runs has it. */
static double median_of(const struct campaign_cell *cell, const char *metric, const char **ret_why)
{
	cleanup_free double *v = xcalloc(cell->n_runs + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < cell->n_runs; i++) {
		const struct campaign_run *r = cell->runs[i];
		const json_t *value = NULL;

		if (has_been_measured(r) && !has_ended_as_expected(r))
			*ret_why = "the run did not end as it should";
		else if (has_been_measured(r))
			value = metric_of(r, metric, ret_why);
		if (value)
			v[n++] = json_number_value(value);
	}
	sort_doubles(v, n);
	return n ? median_of_sorted(v, n) : NAN;
}

static void compare_run(struct verdict *v, const struct campaign_run *r, const json_t *e, double other, const char *other_why)
{
	const char *metric = text_of(e, "metric"), *why = NULL;
	const json_t *measured = metric_of(r, metric, &why);
	double limit_value = json_number_value(json_object_get(e, "factor")) * other;
	cleanup_json json_t *limit = isnan(other) ? json_null() : json_real(limit_value);
	int how = compare_from_name(text_of(e, "compare"));
	cleanup_free char *reason = !measured	 ? strf("%s is missing: %s", metric, why)
				    : isnan(other) ? strf("%s of %s is missing: %s", text_of(e, "other_metric"), v->other->id, other_why)
				    : how < 0	   ? xstrdup("how it is to be compared is not known to this memtide")
						   : NULL;

	add_answer(v, !reason && expectation_compare(json_number_value(measured), (enum compare)how, limit_value), measured, limit, reason);
}

static const struct campaign_cell *find_cell(const struct campaign_cells *cells, const char *id)
{
	for (size_t i = 0; i < cells->n; i++)
		if (!strcmp(cells->v[i].id, id))
			return &cells->v[i];
	return NULL;
}

static void add_versus(struct verdicts *l, const struct campaign_cells *cells, const json_t *e)
{
	const struct campaign_cell *cell = find_cell(cells, text_of(e, "cell")), *other = find_cell(cells, text_of(e, "other"));
	const char *why = "not measured";

	if (!cell || !other || !runs_measured(cell) || !runs_measured(other))
		return;

	struct verdict *v = verdict_of(l, cell, other, e);

	v->other_median = median_of(other, text_of(e, "other_metric"), &why);
	for (size_t i = 0; i < cell->n_runs; i++)
		if (has_been_measured(cell->runs[i]))
			compare_run(v, cell->runs[i], e, v->other_median, why);
}

/* ---- the whole ----------------------------------------------------------------------------------------------------------------------- */

void verdicts_make(const struct campaign *c, const struct campaign_cells *cells, struct verdicts *ret)
{
	const json_t *e;
	size_t i;

	*ret = (struct verdicts){ 0 };
	for (i = 0; i < cells->n; i++)
		add_runs(ret, &cells->v[i]);
	json_array_foreach(json_object_get(c->info, "versus"), i, e) add_versus(ret, cells, e);
	for (i = 0; i < ret->n; i++) {
		struct verdict *v = &ret->v[i];

		if (!v->n)
			continue;
		sort_doubles(v->values, v->n);
		v->median = median_of_sorted(v->values, v->n);
		v->min = v->values[0];
		v->max = v->values[v->n - 1];
	}
}

void verdicts_done(struct verdicts *l)
{
	for (size_t i = 0; i < l->n; i++) {
		json_decref(l->v[i].measured);
		json_decref(l->v[i].limit);
		strv_done(&l->v[i].words);
		free(l->v[i].why);
		free(l->v[i].values);
	}
	free(l->v);
	*l = (struct verdicts){ 0 };
}

bool verdict_failed(const struct verdict *v)
{
	return (double)v->held + 1e-9 < v->share * (double)v->runs;
}

size_t verdicts_failed(const struct verdicts *l)
{
	size_t failed = 0;

	for (size_t i = 0; i < l->n; i++)
		failed += verdict_failed(&l->v[i]);
	return failed;
}

static json_t *number_or_null(double v)
{
	return isnan(v) ? json_null() : json_real(v);
}

static json_t *verdict_json(const struct verdict *v)
{
	cleanup_free char *words = strv_join(&v->words, ", ");
	json_t *measured = v->n ? json_pack("{s:f, s:f, s:f}", "median", v->median, "min", v->min, "max", v->max)
			   : *words ? json_string(words)
				    : json_null();

	return json_pack("{s:s, s:o, s:s, s:s?, s:f, s:i, s:i, s:b, s:o, s:O, s:o, s:s?}", "cell", v->cell->id, "other",
			 v->other ? json_string(v->other->id) : json_null(), "that", v->that, "because", v->because, "share", v->share, "runs",
			 (int)v->runs, "held", (int)v->held, "holds", !verdict_failed(v), "measured", measured, "limit", v->limit, "other_median",
			 v->other ? number_or_null(v->other_median) : json_null(), "why", v->why);
}

json_t *verdicts_json(const struct verdicts *l)
{
	json_t *all = json_array();

	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(all, verdict_json(&l->v[i]));
	return all;
}
