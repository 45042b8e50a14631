/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "base/units.h"
#include "run/eta.h"

static void assert_about(double have, double want)
{
	if (fabs(have - want) > 1e-9)
		fail_msg("%g, not %g", have, want);
}

static void busy_runs_share_the_cpus(void **state)
{
	const struct eta_kind kind = { .takes_s = 1.2, .needs_bytes = 100 * MIB };
	const struct eta_room room = { .budget_bytes = 16384 * MIB, .cpus = 2 };

	(void)state;
	assert_about(eta_cost_s(&kind, &room), 0.6);
}

static void memory_bounds_what_goes_side_by_side(void **state)
{
	const struct eta_kind kind = { .takes_s = 1.2, .needs_bytes = 900 * MIB };
	const struct eta_room one = { .budget_bytes = 1000 * MIB, .cpus = 8 }, none = { .budget_bytes = 100 * MIB, .cpus = 8 };

	(void)state;
	assert_about(eta_cost_s(&kind, &one), 1.2);
	/* It goes alone all the same. */
	assert_about(eta_cost_s(&kind, &none), 1.2);
}

static void jobs_bound_it_too(void **state)
{
	const struct eta_kind kind = { .takes_s = 2, .needs_bytes = MIB };
	const struct eta_room room = { .budget_bytes = 16384 * MIB, .cpus = 8, .max_jobs = 4 };

	(void)state;
	assert_about(eta_cost_s(&kind, &room), 0.5);
}

static void sleeping_runs_wait_for_their_starts_only(void **state)
{
	const struct eta_kind kind = { .takes_s = 70, .start_gap_s = 0.7, .needs_bytes = MIB };
	const struct eta_room room = { .budget_bytes = 16384 * MIB, .cpus = 2 };

	(void)state;
	assert_about(eta_cost_s(&kind, &room), 0.7);
}

static void before_anything_is_known_it_is_what_was_expected(void **state)
{
	const struct eta e = { .expected_s = 600 };

	(void)state;
	assert_about(eta_left_s(&e), 600);
}

static void what_came_true_scales_what_is_left(void **state)
{
	const struct eta slow = { .expected_s = 600, .done_s = 30, .elapsed_s = 60 }, fast = { .expected_s = 600, .done_s = 120, .elapsed_s = 60 };

	(void)state;
	/* Truly 1140 and 240; within a sixth of that, because the first seconds are trusted as they were expected. */
	assert_in_range((unsigned long)eta_left_s(&slow), 950, 1140);
	assert_in_range((unsigned long)eta_left_s(&fast), 240, 280);
}

static void it_never_falls_below_nothing(void **state)
{
	const struct eta e = { .expected_s = 10, .done_s = 11, .elapsed_s = 20 };

	(void)state;
	assert_about(eta_left_s(&e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(busy_runs_share_the_cpus),
		cmocka_unit_test(memory_bounds_what_goes_side_by_side),
		cmocka_unit_test(jobs_bound_it_too),
		cmocka_unit_test(sleeping_runs_wait_for_their_starts_only),
		cmocka_unit_test(before_anything_is_known_it_is_what_was_expected),
		cmocka_unit_test(what_came_true_scales_what_is_left),
		cmocka_unit_test(it_never_falls_below_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
