/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/expectation.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "plan/metric.h"

/* Two numbers that went through text on their ways are equal if they agree to this. */
#define EQUAL_WITHIN 1e-9

bool expectation_compare(double measured, enum compare how, double limit)
{
	switch (how) {
	case CMP_LT:
		return measured < limit;
	case CMP_LE:
		return measured <= limit;
	case CMP_GT:
		return measured > limit;
	case CMP_GE:
		return measured >= limit;
	case CMP_EQ:
		return fabs(measured - limit) <= EQUAL_WITHIN * fmax(fabs(measured), fabs(limit));
	}
	return false;
}

/* The metric, or null with the reason added to why. */
static json_t *measure(const json_t *metrics, const json_t *missing, enum metric m, struct strv *why)
{
	const json_t *value = json_object_get(metrics, metric_name(m));
	const char *reason = json_string_value(json_object_get(missing, metric_name(m)));

	if (json_is_number(value))
		return json_deep_copy(value);
	strv_pushf(why, "%s is missing: %s", metric_name(m), value ? "it is not a number" : reason ? reason : "not measured");
	return json_null();
}

static json_t *evaluate(const struct condition *c, const json_t *metrics, const json_t *missing)
{
	cleanup_strv struct strv why = STRV_INIT;
	json_t *measured = measure(metrics, missing, c->metric, &why), *limit = json_real(c->factor), *holds = json_null();

	if (c->other >= 0) {
		cleanup_json json_t *other = measure(metrics, missing, (enum metric)c->other, &why);

		json_decref(limit);
		limit = json_is_null(other) ? json_null() : json_real(c->factor * json_number_value(other));
	}
	if (!why.n)
		holds = json_boolean(expectation_compare(json_number_value(measured), c->compare, json_number_value(limit)));

	json_t *result = json_pack("{s:s, s:o, s:o, s:o}", "that", c->text, "holds", holds, "measured", measured, "limit", limit);
	if (why.n) {
		cleanup_free char *text = strv_join(&why, "; ");

		json_object_set_new(result, "why", json_string(text));
	}
	return result;
}

static json_t *evaluate_outcome(const struct condition *c, enum outcome outcome)
{
	return json_pack("{s:s, s:b, s:s, s:s}", "that", c->text, "holds", outcome == c->outcome, "measured", outcome_to_string(outcome),
			 "limit", outcome_to_string(c->outcome));
}

/* What it is held against, as it was written: "lazyfree|released"; "not native". */
static char *mechanisms_text(const struct condition *c)
{
	const char *not = strstr(c->text, "!="), *names = (not ? not : strstr(c->text, "==")) + 2;

	return strf("%s%s", not ? "not " : "", names + strspn(names, " \t\n"));
}

static json_t *evaluate_mechanism(const struct condition *c, const char *mechanism)
{
	cleanup_free char *limit = mechanisms_text(c);
	int m = mechanism_from_string(mechanism);
	json_t *result = json_pack("{s:s, s:o, s:s?, s:s}", "that", c->text, "holds",
				   m < 0 ? json_null() : json_boolean(c->mechanisms >> m & 1), "measured", mechanism, "limit", limit);

	if (m < 0)
		json_object_set_new(result, "why", json_string("no mechanism was told: nothing was measured"));
	return result;
}

/* What is held against another cell can be told only when both are there. */
static void add_versus(const struct plan *p, const struct expectation *e, const struct cell *c, json_t *all)
{
	const struct cell *other = plan_versus(p, c, e->versus, e->n_versus);

	if (!other || c->why_not || other->why_not)
		return;
	for (size_t k = 0; k < e->n_conditions; k++) {
		const struct condition *condition = &e->conditions[k];

		json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:s, s:s?, s:f}", "cell", c->id, "other", other->id, "that",
						     condition->text, "metric", metric_name(condition->metric), "compare",
						     compare_name(condition->compare), "factor", condition->factor, "other_metric",
						     metric_name((enum metric)condition->other), "because", e->because, "share", e->share));
	}
}

json_t *expectations_versus(const struct plan *p)
{
	json_t *all = json_array();

	for (size_t i = 0; i < p->scenario->n_expect; i++) {
		const struct expectation *e = &p->scenario->expect[i];

		for (size_t k = 0; e->n_versus && k < p->n_cells; k++)
			if (cell_matches(&p->cells[k], e->match, e->n_match))
				add_versus(p, e, &p->cells[k], all);
	}
	return all;
}

/* Where something is expected of a run, but nothing of how it ends, it has to end well. */
static json_t *should_have_ended_well(enum outcome outcome)
{
	return json_pack("{s:s, s:b, s:s, s:s, s:s}", "that", "outcome == ok", "holds", false, "measured", outcome_to_string(outcome), "limit",
			 outcome_to_string(OUTCOME_OK), "because", "no other end is expected of it");
}

json_t *expectations_evaluate(const struct scenario *s, const struct cell *c, enum outcome outcome, const char *mechanism,
			      const json_t *metrics, const json_t *missing)
{
	json_t *all = json_array();
	bool expected = false, of_its_end = false;

	for (size_t i = 0; i < s->n_expect; i++) {
		const struct expectation *e = &s->expect[i];

		if (!cell_matches(c, e->match, e->n_match))
			continue;
		expected = true;
		for (size_t k = 0; !e->n_versus && k < e->n_conditions; k++) {
			const struct condition *condition = &e->conditions[k];
			of_its_end |= condition->on_outcome;
			json_t *result = condition->on_outcome	   ? evaluate_outcome(condition, outcome)
					 : condition->on_mechanism ? evaluate_mechanism(condition, mechanism)
								   : evaluate(condition, metrics, missing);

			json_object_set_new(result, "because", e->because ? json_string(e->because) : json_null());
			if (e->share < 1)
				json_object_set_new(result, "share", json_real(e->share));
			json_array_append_new(all, result);
		}
	}
	if (expected && !of_its_end && outcome != OUTCOME_OK)
		json_array_append_new(all, should_have_ended_well(outcome));
	return all;
}
