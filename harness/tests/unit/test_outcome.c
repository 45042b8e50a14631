/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plan/outcome.h"

static void every_outcome_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < OUTCOME_COUNT_; i++) {
		assert_non_null(outcome_to_string((enum outcome)i));
		assert_int_equal(outcome_from_string(outcome_to_string((enum outcome)i)), i);
	}
	assert_string_equal(outcome_to_string(OUTCOME_OOM_CGROUP), "oom-cgroup");
	assert_string_equal(outcome_to_string(OUTCOME_NOT_APPLICABLE), "not-applicable");
}

static void what_is_no_outcome_is_refused(void **state)
{
	(void)state;
	assert_int_equal(outcome_from_string("oom"), -1);
	assert_int_equal(outcome_from_string("OK"), -1);
	assert_int_equal(outcome_from_string(""), -1);
	assert_int_equal(outcome_from_string(NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_outcome_has_a_name_of_its_own),
		cmocka_unit_test(what_is_no_outcome_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
