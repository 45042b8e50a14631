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
	cleanup_json json_t *all = expectations_evaluate(&s, &cell, OUTCOME_OK, "live-heap", m, why);

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
	struct condition c = { .text = (char *)"released_share < 0.05", .metric = METRIC_RELEASED_SHARE, .compare = CMP_LT, .factor = 0.05, .other = -1 };
	cleanup_json json_t *yes = evaluate(c, "{\"released_share\": 0.002}", "{}");
	cleanup_json json_t *no = evaluate(c, "{\"released_share\": 0.05}", "{}");

	assert_json(yes, "{\"that\": \"released_share < 0.05\", \"holds\": true, \"measured\": 0.002, \"limit\": 0.05, "
			 "\"because\": \"it is so\"}");
	assert_json(json_object_get(no, "holds"), "false");
}

static void test_multiple_of_another(void **state)
{
	(void)state;
	struct condition c = { .text = (char *)"lazyfree_settled_bytes > 0.5 * peak_rss_bytes", .metric = METRIC_LAZYFREE_SETTLED, .compare = CMP_GT, .factor = 0.5, .other = METRIC_PEAK_RSS };
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
	struct condition c = { .text = (char *)"settled_rss_bytes < 900MB", .metric = METRIC_SETTLED_RSS, .compare = CMP_LT, .factor = 900, .other = METRIC_PEAK_RSS };
	cleanup_json json_t *e = evaluate(c, "{}", "{\"settled_rss_bytes\": \"still moving\"}");

	assert_json(json_object_get(e, "holds"), "null");
	assert_json(json_object_get(e, "measured"), "null");
	assert_json(json_object_get(e, "limit"), "null");
	assert_json(json_object_get(e, "why"),
		    "\"settled_rss_bytes is missing: still moving; peak_rss_bytes is missing: not measured\"");
}

static void test_outcome(void **state)
{
	(void)state;
	struct condition c = { .text = (char *)"outcome == go-fatal", .compare = CMP_EQ, .on_outcome = true, .outcome = OUTCOME_GO_FATAL };
	cleanup_json json_t *no = evaluate(c, "{}", "{}");

	assert_json(no, "{\"that\": \"outcome == go-fatal\", \"holds\": false, \"measured\": \"ok\", \"limit\": \"go-fatal\", "
			"\"because\": \"it is so\"}");
	c.outcome = OUTCOME_OK;
	cleanup_json json_t *yes = evaluate(c, "{}", "{}");
	assert_json(json_object_get(yes, "holds"), "true");
}

static void test_mechanism(void **state)
{
	(void)state;
	struct condition c = { .text = (char *)"mechanism == goroutines|threads", .compare = CMP_EQ, .on_mechanism = true,
			       .mechanisms = 1U << MECHANISM_GOROUTINES | 1U << MECHANISM_THREADS };
	cleanup_json json_t *no = evaluate(c, "{}", "{}");

	assert_json(no, "{\"that\": \"mechanism == goroutines|threads\", \"holds\": false, \"measured\": \"live-heap\", "
			"\"limit\": \"goroutines|threads\", \"because\": \"it is so\"}");
	c.text = (char *)"mechanism != native";
	c.mechanisms = ((1U << MECHANISM_COUNT_) - 1) ^ 1U << MECHANISM_NATIVE;
	cleanup_json json_t *yes = evaluate(c, "{}", "{}");
	assert_json(yes, "{\"that\": \"mechanism != native\", \"holds\": true, \"measured\": \"live-heap\", \"limit\": \"not native\", "
			 "\"because\": \"it is so\"}");
}

static void test_no_mechanism_is_no_answer(void **state)
{
	(void)state;
	struct condition c = { .text = (char *)"mechanism == unknown", .compare = CMP_EQ, .on_mechanism = true, .mechanisms = 1U << MECHANISM_UNKNOWN };
	struct expectation e = { .conditions = &c, .n_conditions = 1, .share = 1 };
	struct scenario s = { .expect = &e, .n_expect = 1 };
	cleanup_json json_t *all = expectations_evaluate(&s, &cell, OUTCOME_OK, NULL, NULL, NULL);

	assert_json(json_array_get(all, 0), "{\"that\": \"mechanism == unknown\", \"holds\": null, \"measured\": null, \"limit\": \"unknown\", "
					    "\"why\": \"no mechanism was told: nothing was measured\", \"because\": null}");
}

/* Of whose end nothing is expected, it has to end well. */
static void test_a_crash_is_not_as_expected(void **state)
{
	(void)state;
	struct condition c = { .text = (char *)"oom_kills == 0", .metric = METRIC_OOM_KILLS, .compare = CMP_EQ, .factor = 0, .other = -1 };
	struct expectation e = { .conditions = &c, .n_conditions = 1, .share = 1 };
	struct scenario s = { .expect = &e, .n_expect = 1 };
	cleanup_json json_t *metrics = json_pack("{s:i}", "oom_kills", 0);
	cleanup_json json_t *crash = expectations_evaluate(&s, &cell, OUTCOME_EXIT, NULL, metrics, NULL);

	assert_int_equal(json_array_size(crash), 2);
	assert_json(json_object_get(json_array_get(crash, 0), "holds"), "true");
	assert_json(json_array_get(crash, 1), "{\"that\": \"outcome == ok\", \"holds\": false, \"measured\": \"exit\", \"limit\": \"ok\", "
					      "\"because\": \"no other end is expected of it\"}");
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
		struct condition c = { .text = (char *)"", .metric = METRIC_OOM_KILLS, .compare = cases[i].how, .factor = cases[i].factor, .other = -1 };
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
		{ .text = (char *)"oom_kills == 0", .metric = METRIC_OOM_KILLS, .compare = CMP_EQ, .factor = 0, .other = -1 },
		{ .text = (char *)"oom_kills < 1", .metric = METRIC_OOM_KILLS, .compare = CMP_LT, .factor = 1, .other = -1 },
	};
	struct expectation e[] = {
		{ .match = &elsewhere, .n_match = 1, .conditions = c, .n_conditions = 2, .share = 1 },
		{ .match = &here, .n_match = 1, .conditions = c, .n_conditions = 2, .share = 0.5 },
	};
	struct scenario s = { .expect = e, .n_expect = 2 };
	cleanup_json json_t *metrics = json_pack("{s:i}", "oom_kills", 0), *all = expectations_evaluate(&s, &cell, OUTCOME_OK, NULL, metrics, NULL);

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
		cmocka_unit_test(test_outcome),
		cmocka_unit_test(test_mechanism),
		cmocka_unit_test(test_no_mechanism_is_no_answer),
		cmocka_unit_test(test_a_crash_is_not_as_expected),
		cmocka_unit_test(test_comparisons),
		cmocka_unit_test(test_only_what_applies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
