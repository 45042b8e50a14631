/* SPDX-License-Identifier: Apache-2.0
 *
 * The real sampling thread, on this very process: what it stores, how marks arrive, and that targets come and go while it runs
 * (the case that the thread sanitizer looks at).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"
#include "run/sampler.h"
#include "run/sampler_parts.h"
#include "run/selftest.h"
#include "run/target_files.h"

struct seen {
	size_t samples, probes, marks;
	struct sample last;
	struct probe last_probe;
	uint64_t max_rss_bytes;
	struct mark mark[8];
	bool backwards;
};

static void on_sample(void *arg, const struct sample *s)
{
	struct seen *seen = arg;

	seen->backwards |= seen->samples > 0 && s->t_ns < seen->last.t_ns;
	seen->last = *s;
	seen->samples++;
	if (s->rss_bytes > seen->max_rss_bytes)
		seen->max_rss_bytes = s->rss_bytes;
}

static void on_probe(void *arg, const struct probe *p)
{
	struct seen *seen = arg;

	seen->last_probe = *p;
	seen->probes++;
}

static void on_told(void *arg, const struct told *t)
{
	(void)arg;
	(void)t;
	fail_msg("nobody told anything");
}

static void on_go(void *arg, const struct go_row *row)
{
	(void)arg;
	(void)row;
	fail_msg("nobody looks inside");
}

static void on_mark(void *arg, const struct mark *m)
{
	struct seen *seen = arg;

	if (seen->marks < 8)
		seen->mark[seen->marks] = *m;
	seen->marks++;
}

static void wait_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * NS_PER_MS };

	while (nanosleep(&t, &t) < 0)
		;
}

static void drain(struct sampler_slot *slot, struct seen *seen)
{
	const struct sampler_sink sink = { on_sample, on_probe, on_mark, on_told, on_go, seen };

	sampler_drain(slot, &sink);
}

/* Until so many are there: on a busy machine they may be long in coming. */
static void drain_until(struct sampler_slot *slot, struct seen *seen, size_t samples, size_t marks)
{
	const int64_t end = clock_monotonic_ns() + 30 * NS_PER_S;

	for (drain(slot, seen); seen->samples < samples || seen->marks < marks; drain(slot, seen)) {
		assert_true(clock_monotonic_ns() < end);
		wait_ms(1);
	}
	drain(slot, seen); /* the samples beside the last mark: it may have come while it was drained */
}

static void memory_and_marks_arrive(void **state)
{
	struct sampler *s = NULL;
	struct sampler_slot *slot = NULL;
	struct sampling_stats stats;
	struct clock clock;
	struct seen seen = { 0 };
	int p[2];
	const size_t size = 32 * MIB;
	static const char marks[] = "loaded\nBad Name!\na-name-that-is-longer-than-thirty-one-characters\n\ndro";

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(sampler_start(&s, 1000, NULL), 0);
	clock = (struct clock){ .exec_ns = clock_monotonic_ns() };
	assert_int_equal(sampler_add(s, getpid(), NULL, p[0], &clock, &slot, NULL), 0);
	wait_ms(30);
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
	memset(memory, 1, size);
	assert_int_equal(write(p[1], marks, strlen(marks)), (ssize_t)strlen(marks));
	wait_ms(50);
	drain_until(slot, &seen, 1, 3);
	uint64_t before = seen.last.rss_bytes;
	assert_int_equal(seen.marks, 3);
	assert_string_equal(seen.mark[0].name, "loaded");
	assert_string_equal(seen.mark[1].name, "-ad--ame-");
	assert_string_equal(seen.mark[2].name, "a-name-that-is-longer-than-thir");
	assert_true(seen.mark[0].t_ns > 30 * NS_PER_MS);

	assert_int_equal(munmap(memory, size), 0);
	assert_int_equal(write(p[1], "pped\n", 5), 5);
	(void)close(p[1]);
	wait_ms(50);
	drain_until(slot, &seen, 1, 4);
	sampler_stop(slot, &stats);
	drain(slot, &seen);
	assert_int_equal(seen.marks, 4);
	assert_string_equal(seen.mark[3].name, "dropped");
	assert_true(before - seen.last.rss_bytes > size - size / 8); /* sanitizers keep memory of their own */
	assert_true(seen.last_probe.hwm_bytes >= seen.max_rss_bytes - MIB);
	assert_true(seen.last_probe.threads >= 2);
	assert_true(seen.last_probe.pss_bytes == MISSING);
	assert_true(seen.last.usage_bytes == MISSING);
	assert_false(seen.backwards);
	assert_int_equal(stats.lost, 0);
	assert_true(stats.samples + stats.missed >= 120);
	assert_true(stats.lateness_p50_us <= stats.lateness_p99_us && stats.lateness_p99_us <= stats.lateness_max_us);

	struct seen after = { 0 };
	wait_ms(10);
	drain(slot, &after);
	assert_int_equal(after.samples + after.probes + after.marks, 0);
	sampler_release(slot);
	(void)close(p[0]);
	assert_null(sampler_free(s));
}

static void targets_come_and_go(void **state)
{
	struct sampler *s = NULL;
	struct clock clock;

	(void)state;
	assert_int_equal(sampler_start(&s, 5000, NULL), 0);
	clock = (struct clock){ .exec_ns = clock_monotonic_ns() };
	for (int round = 0; round < 20; round++) {
		struct sampler_slot *slots[4];
		pid_t pids[4];
		struct seen seen = { 0 };
		int go_on[2];
		char end;

		assert_int_equal(pipe2(go_on, O_CLOEXEC), 0);
		for (int i = 0; i < 4; i++) {
			pids[i] = fork();
			if (pids[i] == 0) {
				wait_ms(30 + i);
				(void)read(go_on[0], &end, 1);
				_exit(0);
			}
			assert_int_equal(sampler_add(s, pids[i], NULL, -1, &clock, &slots[i], NULL), 0);
		}
		for (int i = 0; i < 4; i++)
			drain_until(slots[i], &seen, seen.samples + 1, 0);
		assert_int_equal(write(go_on[1], "1234", 4), 4);
		for (int i = 0; i < 4; i++)
			assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
		(void)close(go_on[0]);
		(void)close(go_on[1]);
		for (int i = 0; i < 4; i++) {
			struct sampling_stats stats;

			sampler_stop(slots[i], &stats);
			drain(slots[i], &seen);
			sampler_release(slots[i]);
		}
		assert_true(seen.samples >= 4); /* each was seen at least once */
		assert_true(seen.last.rss_bytes > 0);
	}
	sampler_free(s);
}

/* As the kernel sees it: below zero with a priority of real time. */
static int kernel_priority(void)
{
	FILE *f = fopen("/proc/thread-self/stat", "re");
	int priority = 20;

	if (!f || fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %d", &priority) != 1)
		priority = 20;
	if (f)
		(void)fclose(f);
	return priority;
}

struct holder {
	struct sampler_slot *slot;
	int before, held, after;
};

/* As a clock that loses its CPU between its look and its jump. */
static void *hold_for_long(void *arg)
{
	struct holder *h = arg;
	const int64_t end = clock_monotonic_ns() + 20 * NS_PER_S;

	h->before = kernel_priority();
	(void)sampler_hold(h->slot, 0);
	while ((h->held = kernel_priority()) >= 0 && clock_monotonic_ns() < end)
		wait_ms(1);
	sampler_let_go(h->slot);
	h->after = kernel_priority();
	return NULL;
}

static void a_clock_that_is_waited_for_has_the_samplers_priority(void **state)
{
	struct sampler *s = NULL;
	struct holder h = { 0 };
	struct clock clock;
	struct seen seen = { 0 };
	struct sampling_stats stats;
	pthread_t thread;

	(void)state;
	assert_int_equal(sampler_start(&s, 1000, NULL), 0);
	clock = (struct clock){ .exec_ns = clock_monotonic_ns() };
	assert_int_equal(sampler_add(s, getpid(), NULL, -1, &clock, &h.slot, NULL), 0);
	if (strcmp(sampler_scheduling(s), "fifo") == 0) {
		assert_int_equal(pthread_create(&thread, NULL, hold_for_long, &h), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_true(h.before >= 0 && h.held < 0 && h.after >= 0);
	}
	drain_until(h.slot, &seen, 1, 0);
	sampler_stop(h.slot, &stats);
	sampler_release(h.slot);
	sampler_free(s);
}

/* Of 20 000 ticks a second each would have to cost less than 0.2 us. */
static void a_bound_makes_ticks_rarer(void **state)
{
	struct sampler *s = NULL;
	struct sampler_slot *slot = NULL;
	struct sampling_stats stats;
	struct clock clock;
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(sampler_start(&s, 20000, NULL), 0);
	sampler_bound(s, 4);
	clock = (struct clock){ .exec_ns = clock_monotonic_ns() };
	assert_int_equal(sampler_add(s, getpid(), NULL, -1, &clock, &slot, NULL), 0);
	for (int i = 0; i < 10; i++) {
		wait_ms(100);
		drain(slot, &seen);
	}
	sampler_stop(slot, &stats);
	drain(slot, &seen);
	assert_true(stats.samples >= 3);
	assert_true((double)(stats.samples + stats.missed) < 20000 * (double)clock_now(&clock) / 1e9 / 4);
	sampler_release(slot);
	sampler_free(s);
}

static void ticks_are_as_far_apart_as_their_bound_asks(void **state)
{
	int64_t apart = 10 * NS_PER_MS;

	(void)state;
	for (int i = 0; i < 50; i++)
		apart = sampler_apart_ns(apart, 100000, 10 * NS_PER_MS, 4); /* 0.1 ms each */
	assert_in_range(apart, 25 * NS_PER_MS - 100, 25 * NS_PER_MS);
	for (int i = 0; i < 50; i++)
		apart = sampler_apart_ns(apart, 10000, 10 * NS_PER_MS, 4);
	assert_int_equal(apart, 10 * NS_PER_MS); /* never nearer than was asked for */
	for (int i = 0; i < 50; i++)
		apart = sampler_apart_ns(apart, NS_PER_S, 10 * NS_PER_MS, 4);
	assert_in_range(apart, NS_PER_S / SAMPLER_RATE_MIN - 100, NS_PER_S / SAMPLER_RATE_MIN);
	assert_true(sampler_apart_ns(10 * NS_PER_MS, 200000, 10 * NS_PER_MS, 4) < 40 * NS_PER_MS); /* at once it is no rule */
}

static void starting_and_stopping_never_hangs(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		struct sampler *s = NULL;

		assert_int_equal(sampler_start(&s, 1000, NULL), 0);
		sampler_free(s);
	}
}

static void rates_out_of_range_are_refused(void **state)
{
	struct sampler *s = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_true(sampler_start(&s, 0, &err) < 0);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	assert_true(sampler_start(&s, SAMPLER_RATE_MAX + 1, NULL) < 0);
	assert_null(s);
	assert_null(sampler_free(NULL));
	err_done(&err);
}

static void the_self_test_touches_a_thousand_pages(void **state)
{
	struct selftest t;

	(void)state;
	assert_int_equal(selftest_run(&t, NULL), 0);
	assert_int_equal(t.pages, 1000);
	assert_true(t.worst_pages <= 256); /* 0 on an exact kernel; never more than a few batches */
}

/* The kernel's high-water mark stands in the same file as the name, which a process chooses. */
static void a_name_is_no_high_water_mark(void **state)
{
	struct target_files f;
	struct probe p;
	char before[16];

	(void)state;
	assert_int_equal(target_files_open(&f, getpid(), NULL, NULL), 0);
	(void)prctl(PR_GET_NAME, before);
	(void)prctl(PR_SET_NAME, "VmHWM: 1 kB");
	target_read_fast(&f, &p);
	(void)prctl(PR_SET_NAME, before);
	target_files_close(&f);
	assert_true(p.hwm_bytes > 100 * 1024 && p.hwm_bytes != MISSING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_and_marks_arrive),
		cmocka_unit_test(targets_come_and_go),
		cmocka_unit_test(a_clock_that_is_waited_for_has_the_samplers_priority),
		cmocka_unit_test(a_bound_makes_ticks_rarer),
		cmocka_unit_test(ticks_are_as_far_apart_as_their_bound_asks),
		cmocka_unit_test(starting_and_stopping_never_hangs),
		cmocka_unit_test(rates_out_of_range_are_refused),
		cmocka_unit_test(the_self_test_touches_a_thousand_pages),
		cmocka_unit_test(a_name_is_no_high_water_mark),
	};

	return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
