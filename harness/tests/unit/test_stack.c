/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "analyse/stack.h"
#include "base/alloc.h"
#include "base/units.h"
#include "record/reader.h"

#define S  NS_PER_S
#define MS NS_PER_MS
#define MB MIB
#define N  RSS_PART_COUNT_

static const struct go_counters unknown = { GO_UNKNOWN, GO_UNKNOWN, GO_UNKNOWN, GO_UNKNOWN, GO_UNKNOWN,
					    GO_UNKNOWN, GO_UNKNOWN, GO_UNKNOWN, GO_UNKNOWN, GO_UNKNOWN };

static struct rss_split split(uint64_t objects_mb, uint64_t idle_mb, uint64_t lazy_mb, uint64_t native_mb)
{
	return (struct rss_split){ .part = { [RSS_OBJECTS] = objects_mb * MB, [RSS_IDLE] = idle_mb * MB, [RSS_LAZYFREE] = lazy_mb * MB,
					     [RSS_NATIVE] = native_mb * MB, [RSS_FILES] = 2 * MB } };
}

static struct go_counters counted(uint64_t inuse_mb, uint64_t idle_mb, uint64_t released_mb)
{
	return (struct go_counters){ .heap_inuse_bytes = inuse_mb * MB, .heap_idle_bytes = idle_mb * MB, .heap_released_bytes = released_mb * MB };
}

static uint64_t sum(const uint64_t v[N])
{
	uint64_t s = 0;

	for (size_t p = 0; p < N; p++)
		s += v[p];
	return s;
}

static void assert_near(uint64_t v, uint64_t mb)
{
	if (v > (mb + 1) * MB || v + MB < mb * MB)
		fail_msg("%.1f MB, not %llu", (double)v / (double)MB, (unsigned long long)mb);
}

static void between(const struct rss_split *from, const struct rss_split *to, const struct go_counters *from_counted,
		    const struct go_counters *to_counted, const struct go_counters *now, double share, uint64_t rss_bytes, uint64_t ret[N])
{
	struct stack_moment m = { now, share, rss_bytes, { MISSING, MISSING } };

	stack_between(from, to, from_counted, to_counted, &m, ret);
}

/* ---- between two splits */

static void counters_carry_the_shape(void **state)
{
	/* A collection frees 180 of 200 MB in the middle: the objects fall when the counter does, not in a straight line. */
	struct rss_split a = split(200, 0, 0, 0), b = split(20, 180, 0, 0);
	struct go_counters ca = counted(200, 0, 0), cb = counted(20, 180, 0);
	uint64_t v[N];

	(void)state;
	between(&a, &b, &ca, &cb, &ca, 0.9, 202 * MB, v);
	assert_near(v[RSS_OBJECTS], 200);
	assert_near(v[RSS_IDLE], 0);
	between(&a, &b, &ca, &cb, &cb, 0.1, 202 * MB, v);
	assert_near(v[RSS_OBJECTS], 20);
	assert_near(v[RSS_IDLE], 180);
}

static void a_saw_between_equal_splits_is_seen(void **state)
{
	struct rss_split a = split(50, 50, 0, 0), b = a;
	struct go_counters ca = counted(50, 50, 0), top = counted(100, 0, 0);
	uint64_t v[N];

	(void)state;
	between(&a, &b, &ca, &ca, &top, 0.5, 102 * MB, v);
	assert_near(v[RSS_OBJECTS], 100);
	assert_near(v[RSS_IDLE], 0);
}

static void the_resident_share_scales(void **state)
{
	/* Half of the heap in use is touched. */
	struct rss_split a = split(50, 0, 0, 0), b = split(100, 0, 0, 0);
	struct go_counters ca = counted(100, 0, 0), cb = counted(200, 0, 0), c = counted(160, 0, 0);
	uint64_t v[N];

	(void)state;
	between(&a, &b, &ca, &cb, &c, 0.5, 82 * MB, v);
	assert_near(v[RSS_OBJECTS], 80);
}

static void without_a_counter_rss_says_when(void **state)
{
	/* C takes 100 MB at once, early between two splits. */
	struct rss_split a = split(10, 0, 0, 0), b = split(10, 0, 0, 100);
	struct go_counters c = counted(10, 0, 0);
	uint64_t v[N];

	(void)state;
	between(&a, &b, &c, &c, &c, 0.1, 12 * MB, v);
	assert_near(v[RSS_NATIVE], 0);
	assert_near(v[RSS_OBJECTS], 10);
	between(&a, &b, &c, &c, &c, 0.2, 112 * MB, v);
	assert_near(v[RSS_NATIVE], 100);
}

static void what_belongs_to_nothing_is_left_out(void **state)
{
	/* RSS is 50 MB above what either split or any counter knows of: no part gets it. */
	struct rss_split a = split(10, 0, 0, 20);
	struct go_counters c = counted(10, 0, 0);
	uint64_t v[N];

	(void)state;
	between(&a, &a, &c, &c, &c, 0.5, 82 * MB, v);
	assert_near(sum(v), 32);
	assert_near(v[RSS_NATIVE], 20);
}

static void what_is_not_resident_yet_does_not_count(void **state)
{
	/* 500 MB were allocated, and 100 of them touched. What was there before stays as it was. */
	struct rss_split a = split(10, 0, 0, 20), b = split(510, 0, 0, 20);
	struct go_counters ca = counted(10, 0, 0), cb = counted(510, 0, 0);
	uint64_t v[N];

	(void)state;
	between(&a, &b, &ca, &cb, &cb, 0.5, 132 * MB, v);
	assert_near(v[RSS_OBJECTS], 110);
	assert_near(v[RSS_NATIVE], 20);
	assert_near(sum(v), 132);
}

static void lazily_freed_follows_what_was_released(void **state)
{
	/* 167 MB that were never touched count as released from the beginning. */
	struct rss_split a = split(0, 800, 0, 0), b = split(0, 0, 800, 0);
	struct go_counters ca = counted(1, 800, 167), cb = counted(1, 0, 967);
	uint64_t v[N];

	(void)state;
	between(&a, &b, &ca, &cb, &ca, 0.6, 802 * MB, v);
	assert_near(v[RSS_LAZYFREE], 0);
	assert_near(v[RSS_IDLE], 800);
	between(&a, &b, &ca, &cb, &cb, 0.6, 802 * MB, v);
	assert_near(v[RSS_LAZYFREE], 800);
	assert_near(v[RSS_IDLE], 0);
}

static void released_and_gone_is_never_lazily_freed(void **state)
{
	struct rss_split a = split(10, 0, 0, 0), b = a;
	struct go_counters ca = counted(10, 0, 100), c = counted(10, 0, 900);
	uint64_t v[N];

	(void)state;
	between(&a, &b, &ca, &ca, &c, 0.5, 400 * MB, v);
	assert_int_equal(v[RSS_LAZYFREE], 0);
}

static void idle_between_splits_that_saw_none_is_what_rss_has(void **state)
{
	struct rss_split a = split(200, 0, 0, 0), b = split(0, 0, 200, 0);
	struct go_counters ca = counted(200, 0, 0), c = counted(0, 200, 0), cb = counted(0, 0, 200);
	uint64_t v[N];

	(void)state;
	between(&a, &b, &ca, &cb, &c, 0.5, 202 * MB, v);
	assert_near(v[RSS_IDLE], 200);
	assert_near(sum(v), 202);
}

static void the_kernel_knows_what_is_lazily_freed(void **state)
{
	/* As Go 1.12 does: 56 MB that nobody ever touched are given back long before the other 200. */
	struct rss_split a = split(200, 0, 0, 0), b = split(0, 0, 200, 0);
	struct go_counters ca = counted(200, 56, 64), cb = counted(0, 0, 320), c = counted(0, 200, 120);
	struct stack_moment now = { &c, 0.8, 202 * MB, { 0, 0 } };
	uint64_t v[N];

	(void)state;
	stack_between(&a, &b, &ca, &cb, &now, v);
	assert_near(v[RSS_LAZYFREE], 0);
	assert_in_range(v[RSS_IDLE], 197 * MB, 200 * MB);
	/* Between two probes RSS tells when. */
	now = (struct stack_moment){ &cb, 0.9, 202 * MB, { 0, 200 * MB } };
	stack_between(&a, &b, &ca, &cb, &now, v);
	assert_near(v[RSS_LAZYFREE], 200);
	assert_near(v[RSS_IDLE], 0);
}

static void what_was_in_use_is_idle_though_idle_was_never_touched(void **state)
{
	/* As Go 1.12 does: 51 MB of idle heap that nobody ever touched, then 48 MB of what was in use. */
	struct rss_split a = split(121, 0, 33, 0), b = split(76, 0, 79, 0);
	struct go_counters ca = counted(130, 51, 85), c = counted(82, 48, 137), cb = counted(82, 0, 185);
	struct stack_moment now = { &c, 0.5, 156 * MB, { 33 * MB, 33 * MB } };
	uint64_t v[N];

	(void)state;
	stack_between(&a, &b, &ca, &cb, &now, v);
	assert_near(v[RSS_LAZYFREE], 33);
	assert_near(v[RSS_IDLE], 45);
	assert_near(sum(v), 156);
	/* Without having been in use it is nobody's. */
	now = (struct stack_moment){ &ca, 0.5, 190 * MB, { 33 * MB, 33 * MB } };
	stack_between(&a, &a, &ca, &ca, &now, v);
	assert_near(v[RSS_IDLE], 0);
}

static void a_counter_that_lies_is_not_followed(void **state)
{
	/* Ten times as much is resident as it counts: the split is believed. */
	struct rss_split a = split(100, 0, 0, 0), b = split(100, 0, 0, 0);
	struct go_counters ca = counted(10, 0, 0), c = counted(1, 0, 0);
	uint64_t v[N];

	(void)state;
	between(&a, &b, &ca, &ca, &c, 0.5, 102 * MB, v);
	assert_near(v[RSS_OBJECTS], 100);
}

static void without_counters_the_lines_are_straight(void **state)
{
	struct rss_split a = split(100, 0, 0, 0), b = split(200, 0, 0, 0);
	uint64_t v[N];

	(void)state;
	between(&a, &b, NULL, NULL, NULL, 0.5, 152 * MB, v);
	assert_near(v[RSS_OBJECTS], 150);
}

static void one_split_alone_is_enough(void **state)
{
	struct rss_split a = split(100, 0, 0, 7);
	struct go_counters ca = counted(100, 0, 0), c = counted(300, 0, 0);
	uint64_t v[N];

	(void)state;
	between(&a, NULL, &ca, NULL, &c, 0, 309 * MB, v);
	assert_near(v[RSS_OBJECTS], 300);
	assert_near(v[RSS_NATIVE], 7);
	between(NULL, &a, NULL, &ca, &c, 0, 309 * MB, v);
	assert_near(v[RSS_OBJECTS], 300);
}

/* Whatever is read of a process, no part is below zero or above RSS: unsigned numbers would be huge. */
static void garbage_stays_within_rss(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		uint64_t raw[2 * N + 3 * sizeof(struct go_counters) / sizeof(uint64_t)], v[N], rss;
		struct rss_split a = { 0 }, b = { 0 };
		struct go_counters c[3];

		for (size_t i = 0; i < sizeof(raw) / sizeof(*raw); i++) {
			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			raw[i] = (seed >> 33) % 4 == 0 ? 0 : seed >> ((seed >> 20) & 63);
			raw[i] = raw[i] == GO_UNKNOWN ? 0 : raw[i];
		}
		memcpy(a.part, raw, sizeof(a.part));
		memcpy(b.part, raw + N, sizeof(b.part));
		memcpy(c, raw + 2 * N, sizeof(c));
		rss = raw[0] % (1ULL << 40);
		between(&a, round % 3 ? &b : NULL, &c[0], &c[1], &c[2], (double)(round % 100) / 100, rss, v);
		for (size_t p = 0; p < N; p++)
			assert_true(v[p] <= rss + rss / 1000 + 16);
		assert_true(sum(v) <= rss + rss / 1000 + 16);
	}
}

/* ---- a whole run */

struct run {
	struct sample samples[64];
	struct go_row go[64];
	struct split_row splits[16];
	struct run_series s;
};

static void sample(struct run *r, int64_t t_ns, uint64_t rss_mb)
{
	r->samples[r->s.n_samples++] = (struct sample){ t_ns, rss_mb == MISSING ? MISSING : rss_mb * MB, MISSING };
	r->s.samples = r->samples;
}

static void row(struct run *r, int64_t t_ns, struct go_counters c)
{
	r->go[r->s.n_go++] = (struct go_row){ t_ns, c };
	r->s.go = r->go;
}

static void exact(struct run *r, int64_t t_ns, struct rss_split s)
{
	r->splits[r->s.n_splits++] = (struct split_row){ t_ns, s };
	r->s.splits = r->splits;
}

static void at_a_split_the_parts_are_its_own(void **state)
{
	struct run r = { 0 };
	struct stack cleanup_stack stack;
	size_t n = 0;

	(void)state;
	for (int i = 0; i <= 20; i++) {
		sample(&r, i * S / 2, (uint64_t)(20 + 10 * i));
		row(&r, i * S / 2 + 3 * MS, counted((uint64_t)(17 + 10 * i), 0, 0));
	}
	for (int i = 0; i < 10; i++)
		exact(&r, i * S + 1, split((uint64_t)(18 + 20 * i), 0, 0, 0));
	stack_make(&stack, &r.s, 10 * S, 64);
	assert_int_equal(stack.n_exact, 10);
	for (size_t i = 0; i < stack.n; i++) {
		uint64_t rss = (uint64_t)(20 + 10 * (stack.v[i].t_ns / (S / 2))) * MB;

		assert_true(i == 0 || stack.v[i].t_ns > stack.v[i - 1].t_ns);
		if (stack.v[i].part[0] == MISSING)
			continue;
		if (stack.v[i].exact) {
			assert_memory_equal(stack.v[i].part, r.splits[n].s.part, sizeof(stack.v[i].part));
			assert_int_equal(stack_sum(&stack.v[i]), rss);
			n++;
		}
		assert_true(stack_sum(&stack.v[i]) <= rss);
	}
	assert_int_equal(n, 10);
	assert_true(stack.n < 64 * 4);
}

static void gaps_stay_gaps(void **state)
{
	struct run r = { 0 };
	struct stack cleanup_stack stack;

	(void)state;
	sample(&r, 0, 12);
	sample(&r, 4 * S, MISSING);
	sample(&r, 6 * S, 12);
	row(&r, 0, counted(10, 0, 0));
	row(&r, 4 * S, unknown);
	row(&r, 6 * S, counted(10, 0, 0));
	exact(&r, 1 * S, split(10, 0, 0, 0));
	exact(&r, 8 * S, split(10, 0, 0, 0));
	stack_make(&stack, &r.s, 10 * S, 64);
	assert_non_null(stack_at(&stack, 3 * S));
	assert_null(stack_at(&stack, 5 * S));
	assert_non_null(stack_at(&stack, 7 * S));
	assert_non_null(stack_at(&stack, 9 * S));
	assert_null(stack_at(&stack, 10 * S));
}

static void a_split_that_failed_says_nothing(void **state)
{
	struct run r = { 0 };
	struct stack cleanup_stack stack, cleanup_stack none;
	struct rss_split failed;

	(void)state;
	memset(&failed, 0xff, sizeof(failed));
	sample(&r, 0, 12);
	exact(&r, 1 * S, split(10, 0, 0, 0));
	exact(&r, 2 * S, failed);
	stack_make(&stack, &r.s, 10 * S, 64);
	assert_int_equal(stack.n_exact, 1);
	assert_non_null(stack_at(&stack, 1 * S));
	/* No counters, and no second split: nobody knows. */
	assert_null(stack_at(&stack, 5 * S));

	r.s.n_splits = 0;
	stack_make(&none, &r.s, 10 * S, 64);
	assert_int_equal(none.n, 0);
}

static void the_row_after_a_split_may_be_its_own(void **state)
{
	/* 100 MB appear 5 ms before the split, and in the counters 5 ms after it. */
	struct run r = { 0 };
	struct stack cleanup_stack stack;

	(void)state;
	sample(&r, 0, 12);
	sample(&r, 995 * MS, 112);
	row(&r, 0, counted(10, 0, 0));
	row(&r, 1005 * MS, counted(110, 0, 0));
	exact(&r, 100 * MS, split(10, 0, 0, 0));
	exact(&r, 1000 * MS, split(110, 0, 0, 0));
	exact(&r, 9 * S, split(110, 0, 0, 0));
	stack_make(&stack, &r.s, 10 * S, 64);
	assert_near(stack_at(&stack, 500 * MS)->part[RSS_OBJECTS], 10);
	assert_near(stack_at(&stack, 5 * S)->part[RSS_OBJECTS], 110);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_carry_the_shape),
		cmocka_unit_test(a_saw_between_equal_splits_is_seen),
		cmocka_unit_test(the_resident_share_scales),
		cmocka_unit_test(without_a_counter_rss_says_when),
		cmocka_unit_test(what_belongs_to_nothing_is_left_out),
		cmocka_unit_test(what_is_not_resident_yet_does_not_count),
		cmocka_unit_test(lazily_freed_follows_what_was_released),
		cmocka_unit_test(released_and_gone_is_never_lazily_freed),
		cmocka_unit_test(idle_between_splits_that_saw_none_is_what_rss_has),
		cmocka_unit_test(the_kernel_knows_what_is_lazily_freed),
		cmocka_unit_test(what_was_in_use_is_idle_though_idle_was_never_touched),
		cmocka_unit_test(a_counter_that_lies_is_not_followed),
		cmocka_unit_test(without_counters_the_lines_are_straight),
		cmocka_unit_test(one_split_alone_is_enough),
		cmocka_unit_test(garbage_stays_within_rss),
		cmocka_unit_test(at_a_split_the_parts_are_its_own),
		cmocka_unit_test(gaps_stay_gaps),
		cmocka_unit_test(a_split_that_failed_says_nothing),
		cmocka_unit_test(the_row_after_a_split_may_be_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
