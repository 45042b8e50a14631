/* SPDX-License-Identifier: Apache-2.0
 *
 * When a runtime's counters are looked at, and what is kept of a look of which nothing could be made. The runtime is one of our own making,
 * in this process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gostate/counters.h"
#include "gostate/target_parts.h"
#include "run/sampler_parts.h"

#define MS NS_PER_MS
#define S NS_PER_S

static struct {
	uint64_t in_use, idle, released, sys, stacks, own[6], numgc, goal, allglen, ngsys, ngfree, mnext, allp[3], p;
	int32_t free_gs[2];
} fake;
static struct go_layout layout;
static struct go_target target;
static struct sampler_inside in;
static struct go_row rows[64];
static size_t n_rows;

static void place(enum go_place_id id, const void *at, uint32_t size)
{
	layout.place[id] = (struct go_place){ (uint64_t)(uintptr_t)at, 0, size, 0 };
}

/* Of Go 1.15: its sums fit until one of them is changed. */
static int begin(void **state)
{
	static const enum go_place_id own[] = { GO_STACKS_SYS, GO_MSPAN_SYS, GO_MCACHE_SYS, GO_BUCKHASH_SYS, GO_GC_SYS, GO_OTHER_SYS };

	(void)state;
	memset(&fake, 0, sizeof(fake));
	memset(&layout, 0, sizeof(layout));
	memset(&in, 0, sizeof(in));
	n_rows = 0;
	target = (struct go_target){ .pid = getpid(), .pidfd = -1, .proc_fd = -1, .layout = &layout };
	for (int i = 0; i < 6; i++) {
		place(own[i], &fake.own[i], 8);
		fake.own[i] = 1000;
	}
	place(GO_HEAP_INUSE, &fake.in_use, 8);
	place(GO_HEAP_IDLE, &fake.idle, 8);
	place(GO_HEAP_RELEASED, &fake.released, 8);
	place(GO_HEAP_SYS, &fake.sys, 8);
	place(GO_STACKS_INUSE, &fake.stacks, 8);
	place(GO_GC_COUNT, &fake.numgc, 4);
	place(GO_GC_GOAL, &fake.goal, 8);
	place(GO_ALLGLEN, &fake.allglen, 8);
	place(GO_NGSYS, &fake.ngsys, 4);
	place(GO_NGFREE, &fake.ngfree, 4);
	place(GO_MNEXT, &fake.mnext, 8);
	place(GO_ALLP, fake.allp, 24);
	layout.member[GO_P_GFREE] = (struct go_member){ 4, 4, 0 };
	fake.p = (uint64_t)(uintptr_t)fake.free_gs;
	fake.allp[0] = (uint64_t)(uintptr_t)&fake.p;
	fake.allp[1] = fake.allp[2] = 1;
	fake.in_use = 40 << 20;
	fake.idle = 15 << 20;
	fake.sys = 55 << 20;
	fake.released = 10 << 20;
	fake.stacks = 3 << 20;
	fake.goal = 80 << 20;
	fake.allglen = 120;
	fake.mnext = 6;
	counter_plan_make(&target.counters, &layout, 0);
	sampler_inside_set(&in, &target);
	return 0;
}

static void keep(void *arg, const struct go_row *row)
{
	(void)arg;
	rows[n_rows++] = *row;
}

/* A look at t that a tick takes, or with `until` the last one before a jump. Returns how many rows there are then. */
static size_t look(int64_t t_ns, int64_t until_ns)
{
	const struct sampler_sink sink = { .go = keep };

	sampler_inside_look_if_due(&in, t_ns, false, until_ns ? until_ns : t_ns);
	sampler_inside_drain(&in, sampler_inside_rows(&in), &sink);
	return n_rows;
}

static bool is_gap(const struct go_row *r)
{
	return r->c.goroutines == MISSING;
}

static void test_a_tick_looks_every_10_ms(void **state)
{
	(void)state;
	assert_int_equal(look(1 * S, 0), 1);
	fake.allglen = 121;
	assert_int_equal(look(1 * S + 9 * MS, 0), 1);
	in.looked_ns = 0; /* of real time, enough has passed */
	assert_int_equal(look(1 * S + 10 * MS, 0), 2);
	assert_int_equal(rows[1].c.goroutines, 121);
}

/* A tick met the program at work; then it fell asleep for a minute. */
static void test_what_is_there_before_a_long_jump_is_seen(void **state)
{
	(void)state;
	assert_int_equal(look(1 * S, 0), 1);
	fake.allglen = 1000;
	assert_int_equal(look(1 * S + 3 * MS, 61 * S), 2);
	assert_int_equal(rows[1].c.goroutines, 1000);
	assert_int_equal(rows[1].t_ns, 1 * S + 3 * MS);
}

static void test_many_short_jumps_are_not_each_looked_at(void **state)
{
	(void)state;
	assert_int_equal(look(1 * S, 0), 1);
	fake.allglen = 1000;
	/* In less than a millisecond of real time, however slow the machine is. */
	in.looked_ns = INT64_MAX / 2;
	assert_int_equal(look(1 * S + 100, 1 * S + 1 * MS), 1);
	assert_int_equal(look(1 * S + 1 * MS, 1 * S + 500 * MS), 1);
	/* Where a look would have been due in what is skipped. */
	in.looked_ns = 0;
	assert_int_equal(look(1 * S + 2 * MS, 1 * S + 9 * MS), 1);
	assert_int_equal(look(1 * S + 3 * MS, 1 * S + 11 * MS), 2);
}

static void test_one_race_after_a_jump_is_no_gap(void **state)
{
	(void)state;
	assert_int_equal(look(1 * S, 0), 1);
	look(1 * S + 1 * MS, 61 * S);
	in.looked_ns = 0;
	fake.in_use += 8 << 20; /* the sums do not fit */
	assert_int_equal(look(61 * S, 0), 1);
	assert_int_equal(in.raced, 1);
	fake.sys += 8 << 20;
	in.looked_ns = 0;
	assert_int_equal(look(61 * S + 10 * MS, 0), 2);
	assert_false(is_gap(&rows[1]));
	assert_int_equal(rows[1].c.heap_inuse_bytes, 48 << 20);
}

static void test_races_without_end_are_a_gap(void **state)
{
	(void)state;
	assert_int_equal(look(1 * S, 0), 1);
	fake.in_use += 8 << 20;
	for (int64_t t = 2 * S; t <= 4 * S; t += 10 * MS) {
		in.looked_ns = 0;
		assert_int_equal(look(t, 0), 1);
	}
	in.looked_ns = 0;
	assert_int_equal(look(4 * S + 10 * MS, 0), 2);
	assert_true(is_gap(&rows[1]));
}

/* Caught in the midst of a change: the next look is the one that tells. */
static void test_a_jump_looks_again_where_the_last_look_raced(void **state)
{
	(void)state;
	assert_int_equal(look(1 * S, 0), 1);
	fake.in_use += 8 << 20;
	in.looked_ns = 0;
	assert_int_equal(look(1 * S + 10 * MS, 0), 1);
	fake.sys += 8 << 20;
	assert_int_equal(look(1 * S + 11 * MS, 1 * S + 12 * MS), 2);
	assert_int_equal(rows[1].c.heap_inuse_bytes, 48 << 20);
}

/* The program may be another one since they were counted. */
static void test_rows_after_a_count_wait(void **state)
{
	const struct sampler_sink sink = { .go = keep };

	(void)state;
	sampler_inside_look_if_due(&in, 1 * S, true, 1 * S);
	uint32_t count = sampler_inside_rows(&in);
	fake.allglen = 1000;
	sampler_inside_look_if_due(&in, 2 * S, true, 2 * S);
	sampler_inside_drain(&in, count, &sink);
	assert_int_equal(n_rows, 1);
	sampler_inside_drain(&in, count, &sink);
	assert_int_equal(n_rows, 1);
	sampler_inside_drain(&in, sampler_inside_rows(&in), &sink);
	assert_int_equal(n_rows, 2);
	assert_int_equal(rows[1].c.goroutines, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_tick_looks_every_10_ms, begin),
		cmocka_unit_test_setup(test_what_is_there_before_a_long_jump_is_seen, begin),
		cmocka_unit_test_setup(test_rows_after_a_count_wait, begin),
		cmocka_unit_test_setup(test_many_short_jumps_are_not_each_looked_at, begin),
		cmocka_unit_test_setup(test_one_race_after_a_jump_is_no_gap, begin),
		cmocka_unit_test_setup(test_races_without_end_are_a_gap, begin),
		cmocka_unit_test_setup(test_a_jump_looks_again_where_the_last_look_raced, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
