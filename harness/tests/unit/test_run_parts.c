/* SPDX-License-Identifier: Apache-2.0
 *
 * The pure parts of the run room: how an end is classified, the queue, the lateness histogram.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "record/series.h"
#include "run/classify.h"
#include "run/lateness.h"
#include "run/queue.h"

static void ends_are_classified(void **state)
{
	static const struct {
		struct ending e;
		enum outcome outcome;
		const char *why; /* a part of it; NULL: none */
		const char *log; /* what it said on standard error */
	} cases[] = {
		{ { .stop = STOP_NONE }, OUTCOME_OK, NULL, NULL },
		{ { .stop = STOP_PLANNED, .exit_code = -1, .signal = SIGTERM }, OUTCOME_OK, NULL, NULL },
		{ { .stop = STOP_PLANNED, .killed = true, .exit_code = -1, .signal = SIGKILL }, OUTCOME_OK, "ignored SIGTERM", NULL },
		{ { .stop = STOP_TIMEOUT, .exit_code = -1, .signal = SIGTERM }, OUTCOME_TIMEOUT, "time was up", NULL },
		{ { .stop = STOP_INTERRUPTED, .exit_code = -1, .signal = SIGTERM, .oom_kills = 1 }, OUTCOME_INTERRUPTED, "interrupted", NULL },
		{ { .exit_code = 3 }, OUTCOME_EXIT, "code 3", NULL },
		{ { .exit_code = -1, .signal = SIGSEGV }, OUTCOME_SIGNAL, "SIGSEGV", NULL },
		{ { .exit_code = -1, .signal = SIGKILL }, OUTCOME_SIGNAL, "SIGKILL", NULL },
		{ { .exit_code = -1, .signal = SIGKILL, .oom_kills = MISSING }, OUTCOME_SIGNAL, "SIGKILL", NULL },
		{ { .exit_code = -1, .signal = SIGKILL, .oom_kills = 1, .limit_bytes = 64 << 20, .peak_bytes = 64 << 20 }, OUTCOME_OOM_CGROUP, "limit of 64.0 MB", NULL },
		{ { .exit_code = -1, .signal = SIGKILL, .oom_kills = 1, .limit_bytes = 64 << 20, .peak_bytes = MISSING }, OUTCOME_OOM_CGROUP, "limit of 64.0 MB", NULL },
		{ { .exit_code = -1, .signal = SIGKILL, .oom_kills = 1, .limit_bytes = 64 << 20, .peak_bytes = 20 << 20 }, OUTCOME_OOM_CGROUP, "a limit above it", NULL },
		{ { .exit_code = -1, .signal = SIGKILL, .oom_kills = 1, .limit_bytes = 64 << 20, .limit_shared = true, .peak_bytes = 20 << 20 }, OUTCOME_OOM_CGROUP, "64.0 MB that it shared", NULL },
		{ { .stop = STOP_PLANNED, .oom_kills = 2, .limit_bytes = 64 << 20 }, OUTCOME_OOM_CGROUP, "2 processes", NULL },
		{ { .exit_code = 2 }, OUTCOME_OOM_GO, "out of memory", "fatal error: runtime: out of memory\n\nruntime stack:\n" },
		{ { .exit_code = 2 }, OUTCOME_OOM_GO, "cannot allocate", "x\nfatal error: runtime: cannot allocate memory\n" },
		{ { .exit_code = -1, .signal = SIGABRT }, OUTCOME_OOM_GO, "out of memory", "fatal error: runtime: out of memory\n" },
		{ { .exit_code = 2 }, OUTCOME_GO_FATAL, "deadlock", "fatal error: all goroutines are asleep - deadlock!\n" },
		{ { .exit_code = 2 }, OUTCOME_GO_FATAL, "thread", "runtime: program exceeds 10000-thread limit\nfatal error: thread exhaustion\n" },
		{ { .exit_code = 2 }, OUTCOME_GO_FATAL, "boom", "panic: boom\n\ngoroutine 1 [running]:\n" },
		/* The words count at the beginning of a line and with the runtime's own exit code only. */
		{ { .exit_code = 2 }, OUTCOME_EXIT, "code 2", "usage: there was a panic: no\n" },
		{ { .exit_code = 1 }, OUTCOME_EXIT, "code 1", "panic: printed by someone else\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *why = NULL;
		struct last_words words = { 0 };
		struct ending e = cases[i].e;

		if (cases[i].log)
			last_words_add(&words, cases[i].log, strlen(cases[i].log));
		e.words = &words;
		enum outcome o = classify(&e, &why);

		if (o != cases[i].outcome)
			fail_msg("case %zu: outcome %d, not %d", i, (int)o, (int)cases[i].outcome);
		assert_int_equal(why != NULL, cases[i].why != NULL);
		if (why && !strstr(why, cases[i].why))
			fail_msg("case %zu: '%s' does not say '%s'", i, why, cases[i].why);
		free(why);
	}
}

static void last_words_survive_what_follows(void **state)
{
	static struct last_words w;
	static const char dump[] = "goroutine 1 [select (no cases)]:\nmain.main()\n\t/x/main.go:7 +0x20\n\n";
	char *why = NULL;

	(void)state;
	/* In pieces, after a line longer than any kept, and before more than anything keeps. */
	for (int i = 0; i < 1000; i++)
		last_words_add(&w, "xxxxxxxxxxpanic: ", 17);
	last_words_add(&w, "\nruntime: program exceeds 10000-thread limit\nfatal err", 54);
	last_words_add(&w, "or: thread exhaustion\n", 22);
	for (int i = 0; i < 10000; i++)
		last_words_add(&w, dump, strlen(dump));
	assert_string_equal(w.line, "fatal error: thread exhaustion");
	struct ending e = { .exit_code = 2, .words = &w };
	assert_int_equal(classify(&e, &why), OUTCOME_GO_FATAL);
	free(why);
}

static void the_queue_keeps_memory_cpus_and_order(void **state)
{
	static const uint64_t needs[] = { 4, 4, 8, 1, 30 };
	struct queue q = { .budget_bytes = 10, .cpus = 2, .needs_bytes = needs, .n = 5 };

	(void)state;
	assert_true(queue_may_start(&q, 0));
	assert_int_equal(queue_start(&q), 0);
	assert_false(queue_may_start(&q, 2)); /* both CPUs busy */
	assert_true(queue_may_start(&q, 1));
	assert_int_equal(queue_start(&q), 1);
	assert_false(queue_may_start(&q, 0)); /* 8 does not fit beside 4 + 4, and 1 may not overtake it */
	queue_end(&q, 0);
	assert_false(queue_may_start(&q, 0));
	queue_end(&q, 1);
	assert_int_equal(queue_start(&q), 2);
	assert_true(queue_may_start(&q, 0));
	assert_int_equal(queue_start(&q), 3);
	assert_false(queue_may_start(&q, 0));
	queue_end(&q, 2);
	queue_end(&q, 3);
	assert_false(queue_done(&q));
	assert_true(queue_may_start(&q, 5)); /* larger than the budget: alone */
	assert_int_equal(queue_start(&q), 4);
	assert_false(queue_may_start(&q, 0));
	queue_end(&q, 4);
	assert_true(queue_done(&q));

	static const uint64_t small[] = { 1, 1, 1 };
	struct queue one = { .budget_bytes = 100, .cpus = 8, .max_jobs = 1, .needs_bytes = small, .n = 3 };
	assert_int_equal(queue_start(&one), 0);
	assert_false(queue_may_start(&one, 0));
}

static void the_estimate_counts_waves(void **state)
{
	static const uint64_t needs[] = { 5, 5, 5, 5 };
	struct queue q = { .budget_bytes = 10, .cpus = 2, .needs_bytes = needs, .n = 4 };

	(void)state;
	assert_float_equal(queue_estimate_s(&q, 10, 0.1), 25, 0.01); /* two side by side, the last starts at 15 */
	q.max_jobs = 1;
	assert_float_equal(queue_estimate_s(&q, 10, 0.1), 40, 0.01);
	q.next = 4;
	assert_float_equal(queue_estimate_s(&q, 10, 0.1), 0, 0.01);
}

static void lateness_quantiles_are_within_a_sixteenth(void **state)
{
	static struct lateness l;

	(void)state;
	assert_int_equal(lateness_quantile(&l, 0.5), 0);
	for (uint64_t ns = 1; ns <= 100000; ns++)
		lateness_add(&l, ns);
	assert_int_equal(l.count, 100000);
	assert_int_equal(l.max_ns, 100000);
	for (double q = 0.01; q < 1; q += 0.01) {
		double got = (double)lateness_quantile(&l, q), truth = q * 100000;

		assert_true(got >= truth * 0.999 && got <= truth * 17 / 16 + 2);
	}
	lateness_add(&l, UINT64_MAX); /* the last bucket takes what is beyond it */
	assert_true(lateness_quantile(&l, 1) > 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_are_classified),
		cmocka_unit_test(last_words_survive_what_follows),
		cmocka_unit_test(the_queue_keeps_memory_cpus_and_order),
		cmocka_unit_test(the_estimate_counts_waves),
		cmocka_unit_test(lateness_quantiles_are_within_a_sixteenth),
	};

	return cmocka_run_group_tests_name("run parts", tests, NULL, NULL);
}
