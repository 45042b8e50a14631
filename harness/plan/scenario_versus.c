/* SPDX-License-Identifier: Apache-2.0
 *
 * `versus` of an expectation: which cell its right side is measured in. A cell of the same campaign that differs in these settings
 * only; so each must be one value that the axis has, and the cells that the expectation is about must have others.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "plan/conversion.h"
#include "plan/golist.h"
#include "plan/scenario_parts.h"

/* One release, be it of any patch. */
static int check_release(const char *value, struct err *err)
{
	struct go_span s;
	int r = go_span_parse(value, &s, err);

	if (r < 0)
		return r;
	if ((s.kind == GO_SPAN_MINORS && s.first_minor == s.last_minor) || s.kind == GO_SPAN_EXACT || s.kind == GO_SPAN_GOROOT)
		return 0;
	return err_usage(err, "versus names one release, as in {go: 1.23}, not '%s'", value);
}

static bool is_same_go(const char *a, const char *b)
{
	struct go_span x, y;

	if (!strcmp(a, b))
		return true;
	if (go_span_parse(a, &x, NULL) < 0 || go_span_parse(b, &y, NULL) < 0 || x.kind != y.kind)
		return false;
	if (x.kind == GO_SPAN_EXACT)
		return !go_version_compare(&x.exact, &y.exact);
	return x.kind == GO_SPAN_MINORS && x.first_minor == y.first_minor && x.last_minor == y.last_minor;
}

static bool is_same(const char *axis, const char *a, const char *b)
{
	uint64_t x, y;

	if (!strcmp(axis, "go"))
		return is_same_go(a, b);
	if (!strcmp(axis, "limit") && limit_parse(a, &x, NULL) == 0 && limit_parse(b, &y, NULL) == 0)
		return x == y;
	return !strcmp(a, b);
}

/* The values that cells have to which the expectation applies. */
static const struct strv *values_of_its_cells(const struct expectation *e, const struct axis *axis)
{
	for (size_t i = 0; i < e->n_match; i++)
		if (!strcmp(e->match[i].axis, axis->name))
			return &e->match[i].values;
	return &axis->values;
}

static bool may_differ(const struct expectation *e, const struct axis *axis, const char *value)
{
	const struct strv *values = values_of_its_cells(e, axis);

	for (size_t i = 0; i < values->n; i++)
		if (!is_same(axis->name, values->v[i], value))
			return true;
	return false;
}

static int convert_setting(struct conversion *c, struct expectation *e, const struct raw_axis *raw, unsigned index)
{
	const struct axis *axis = scenario_axis(c->s, raw->name);
	const char *value = raw->values.n ? raw->values.v[0] : "";
	int r = 0;

	if (!axis)
		return unknown_axis(c, raw->name, "expect[%u].versus.#%s", index, raw->name);
	if (raw->values.n != 1)
		r = err_usage(c->err, "versus names one value of '%s', as in {%s: %s}", raw->name, raw->name, value);
	if (r >= 0 && !strcmp(raw->name, "go"))
		r = check_release(value, c->err);
	if (r >= 0)
		r = match_check_value(raw->name, value, axis, c->err);
	if (r < 0)
		return places_wrap(c->places, c->err, "expect[%u].versus.%s", index, raw->name);

	struct match *m = &e->versus[e->n_versus++];

	m->axis = xstrdup(raw->name);
	strv_push(&m->values, value);
	return 0;
}

static int check_conditions(struct conversion *c, const struct expectation *e, unsigned index)
{
	for (size_t i = 0; i < e->n_conditions; i++) {
		const struct condition *condition = &e->conditions[i];

		bool on_words = condition->on_outcome || condition->on_mechanism;

		if (!on_words && condition->other >= 0)
			continue;
		(void)err_usage(c->err, "'%s' has nothing of another cell in it: with versus write a metric on the right, as in "
					"%s > 3 * %s",
				condition->text, metric_name(on_words ? METRIC_PEAK_RSS : condition->metric),
				metric_name(on_words ? METRIC_PEAK_RSS : condition->metric));
		return places_wrap(c->places, c->err, "expect[%u].that[%zu]", index, i);
	}
	return 0;
}

int convert_versus(struct conversion *c, struct expectation *e, unsigned index)
{
	const struct raw_expectation *raw = &c->raw->expect[index];
	cleanup_free char *path = strf("expect[%u].versus", index);
	bool differs = false;

	if (!places_has(c->places, path))
		return 0;
	e->versus = xcalloc(raw->n_versus + 1, sizeof(*e->versus));
	for (unsigned i = 0; i < raw->n_versus; i++) {
		int r = convert_setting(c, e, &raw->versus[i], index);

		if (r < 0)
			return r;
		differs |= may_differ(e, scenario_axis(c->s, e->versus[i].axis), e->versus[i].values.v[0]);
	}
	if (!differs) {
		(void)err_usage(c->err, e->n_versus ? "every cell that this is about has these settings itself: name another cell, or say in `for` "
						      "which cells are held against it"
						    : "versus names no setting: write one, as in {variant: fixed}");
		return places_wrap(c->places, c->err, "%s", path);
	}
	return check_conditions(c, e, index);
}
