/* SPDX-License-Identifier: Apache-2.0
 *
 * What the ETA would have said while two whole corpora were recorded on 2 CPUs (harness/tests/fixtures/corpus: when their runs
 * really began and ended), by what the scenarios say today that a run of theirs takes. Run from the top folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/units.h"
#include "plan/scenario.h"
#include "run/eta.h"
#include "run/queue.h"

#define MINUTE_S 60.0
#define DRAWN_S  20.0 /* of the end: figures */

struct past_run {
	double begun_s, ended_s, takes_s, cost_s;
};

struct past {
	struct past_run *runs; /* owned */
	size_t n;
	double end_s;
};

static void add_runs(struct past *p, char *line)
{
	const struct eta_room room = { .budget_bytes = 16384 * MIB, .cpus = 2 };
	cleanup_scenario struct scenario *s = NULL;
	char *save = NULL, *word = strtok_r(line, " \n", &save);
	cleanup_free char *path = strf("scenarios/%s.yaml", word);

	assert_true(scenario_load(path, ".", &s, NULL) >= 0);
	const struct eta_kind kind = { .takes_s = s->takes_s, .needs_bytes = s->alone ? QUEUE_ALONE : s->needs_bytes };
	for (word = strtok_r(NULL, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		struct past_run r = { .takes_s = s->takes_s, .cost_s = eta_cost_s(&kind, &room) };
		char *dash;

		r.begun_s = strtod(word, &dash) / 10;
		assert_int_equal(*dash, '-');
		r.ended_s = strtod(dash + 1, NULL) / 10;
		p->runs = xreallocarray(p->runs, p->n + 1, sizeof(*p->runs));
		p->runs[p->n++] = r;
	}
}

static struct past load(const char *path)
{
	struct past p = { 0 };
	static char line[65536];
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "end ", 4))
			p.end_s = strtod(line + 4, NULL) / 10;
		else if (*line != '#')
			add_runs(&p, line);
	}
	(void)fclose(f);
	assert_in_range(p.n, 1600, 1700);
	return p;
}

/* How far what is said at now_s is from what came true: 0.25: a quarter too long. */
static double error_at(const struct past *p, double now_s)
{
	struct eta e = { .expected_s = DRAWN_S, .elapsed_s = now_s };

	for (size_t i = 0; i < p->n; i++) {
		const struct past_run *r = &p->runs[i];
		double passed = now_s > r->ended_s ? 1 : (now_s - r->begun_s) / r->takes_s;

		e.expected_s += r->cost_s;
		if (passed > 0)
			e.done_s += r->cost_s * (passed < 1 ? passed : 1);
	}
	return eta_left_s(&e) / (p->end_s - now_s) - 1;
}

static void alone_on_the_machine_it_is_right_from_the_first_minute_on(void **state)
{
	struct past p = load("harness/tests/fixtures/corpus/alone.txt");

	(void)state;
	for (double t = MINUTE_S; t < p.end_s - MINUTE_S; t += MINUTE_S) {
		double error = error_at(&p, t);

		printf("after %2.0f min: %+.0f %%\n", t / MINUTE_S, 100 * error);
		if (fabs(error) > 0.25)
			fail_msg("after %.0f s it is %+.0f %% wrong", t, 100 * error);
	}
	free(p.runs);
}

/* Others had the CPUs in the first minute more than later, which nobody can know: what was expected has its weight. */
static void a_busy_first_minute_is_not_taken_for_the_whole(void **state)
{
	struct past p = load("harness/tests/fixtures/corpus/beside-others.txt");
	double first = error_at(&p, MINUTE_S), sum = 0;
	int n = 0;

	(void)state;
	for (double t = MINUTE_S; t < p.end_s - MINUTE_S; t += MINUTE_S, n++) {
		printf("after %2.0f min: %+.0f %%\n", t / MINUTE_S, 100 * error_at(&p, t));
		sum += fabs(error_at(&p, t));
	}
	free(p.runs);
	if (fabs(first) > 0.25 || sum / n > 0.15)
		fail_msg("after a minute it is %+.0f %% wrong, and %.0f %% on average", 100 * first, 100 * sum / n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone_on_the_machine_it_is_right_from_the_first_minute_on),
		cmocka_unit_test(a_busy_first_minute_is_not_taken_for_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
