/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "analyse/expectation.h"
#include "plan/metric.h"

static struct setting settings[] = { { (char *)"godebug", (char *)"default" } };
static const struct cell cell = { .id = (char *)"godebug=default", .settings = settings, .n_settings = 1 };

/* One expectation without a `for`, one condition; returns its evaluation, a new reference. */
static json_t *evaluate(struct condition condition, const char *metrics, const char *missing)
{
	struct expectation e = { .conditions = &condition, .n_conditions = 1, .because = (char *)"it is so", .share = 1 };
	struct scenario s = { .expect = &e, .n_expect = 1 };
	cleanup_json json_t *m = json_loads(metrics, 0, NULL), *why = json_loads(missing, 0, NULL);
	cleanup_json json_t *all = expectations_evaluate(&s, &cell, m, why);

	assert_int_equal(json_array_size(all), 1);
	return json_incref(json_array_get(all, 0));
}

static void assert_json(const json_t *have, const char *want)
{
	cleanup_json json_t *w = json_loads(want, JSON_DECODE_ANY, NULL);

	assert_non_null(w);
	if (!json_equal(have, w)) {
		char *text = json_dumps(have, JSON_SORT_KEYS);

		fail_msg("%s instead of %s", text, want);
	}
}

static void test_number(void **state)
{
	(void)state;
	struct condition c = { (char *)"released_share < 0.05", METRIC_RELEASED_SHARE, CMP_LT, 0.05, -1 };
	cleanup_json json_t *yes = evaluate(c, "{\"released_share\": 0.002}", "{}");
	cleanup_json json_t *no = evaluate(c, "{\"released_share\": 0.05}", "{}");

	assert_json(yes, "{\"that\": \"released_share < 0.05\", \"holds\": true, \"measured\": 0.002, \"limit\": 0.05, "
			 "\"because\": \"it is so\"}");
	assert_json(json_object_get(no, "holds"), "false");
}

static void test_multiple_of_another(void **state)
{
	(void)state;
	struct condition c = { (char *)"lazyfree_settled_bytes > 0.5 * peak_rss_bytes", METRIC_LAZYFREE_SETTLED, CMP_GT, 0.5,
			       METRIC_PEAK_RSS };
	cleanup_json json_t *yes = evaluate(c, "{\"lazyfree_settled_bytes\": 501, \"peak_rss_bytes\": 1000}", "{}");
	cleanup_json json_t *no = evaluate(c, "{\"lazyfree_settled_bytes\": 500, \"peak_rss_bytes\": 1000}", "{}");

	assert_json(json_object_get(yes, "holds"), "true");
	assert_json(json_object_get(yes, "limit"), "500.0");
	assert_json(json_object_get(yes, "measured"), "501");
	assert_json(json_object_get(no, "holds"), "false");
}

static void test_missing_is_not_a_number(void **state)
{
	(void)state;
	/* An absent metric must not pass as 0. */
	struct condition c = { (char *)"settled_rss_bytes < 900MB", METRIC_SETTLED_RSS, CMP_LT, 900, METRIC_PEAK_RSS };
	cleanup_json json_t *e = evaluate(c, "{}", "{\"settled_rss_bytes\": \"still moving\"}");

	assert_json(json_object_get(e, "holds"), "null");
	assert_json(json_object_get(e, "measured"), "null");
	assert_json(json_object_get(e, "limit"), "null");
	assert_json(json_object_get(e, "why"),
		    "\"settled_rss_bytes is missing: still moving; peak_rss_bytes is missing: not measured\"");
}

static void test_comparisons(void **state)
{
	(void)state;
	static const struct {
		enum compare how;
		double factor;
		bool holds;
	} cases[] = {
		{ CMP_LT, 3, false }, { CMP_LT, 4, true }, { CMP_LE, 3, true },  { CMP_LE, 2, false }, { CMP_GT, 3, false },
		{ CMP_GT, 2, true },  { CMP_GE, 3, true }, { CMP_GE, 4, false }, { CMP_EQ, 3, true },  { CMP_EQ, 4, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct condition c = { (char *)"", METRIC_OOM_KILLS, cases[i].how, cases[i].factor, -1 };
		cleanup_json json_t *e = evaluate(c, "{\"oom_kills\": 3}", "{}");

		assert_json(json_object_get(e, "holds"), cases[i].holds ? "true" : "false");
	}
}

static void test_only_what_applies(void **state)
{
	(void)state;
	char *values[] = { (char *)"default", NULL }, *others[] = { (char *)"madvdontneed=1", NULL };
	struct match here = { (char *)"godebug", { values, 1 } }, elsewhere = { (char *)"godebug", { others, 1 } };
	struct condition c[] = {
		{ (char *)"oom_kills == 0", METRIC_OOM_KILLS, CMP_EQ, 0, -1 },
		{ (char *)"oom_kills < 1", METRIC_OOM_KILLS, CMP_LT, 1, -1 },
	};
	struct expectation e[] = {
		{ .match = &elsewhere, .n_match = 1, .conditions = c, .n_conditions = 2, .share = 1 },
		{ .match = &here, .n_match = 1, .conditions = c, .n_conditions = 2, .share = 0.5 },
	};
	struct scenario s = { .expect = e, .n_expect = 2 };
	cleanup_json json_t *metrics = json_pack("{s:i}", "oom_kills", 0), *all = expectations_evaluate(&s, &cell, metrics, NULL);

	assert_int_equal(json_array_size(all), 2);
	assert_json(json_array_get(all, 0), "{\"that\": \"oom_kills == 0\", \"holds\": true, \"measured\": 0, \"limit\": 0.0, "
					    "\"because\": null, \"share\": 0.5}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_multiple_of_another),
		cmocka_unit_test(test_missing_is_not_a_number),
		cmocka_unit_test(test_comparisons),
		cmocka_unit_test(test_only_what_applies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
