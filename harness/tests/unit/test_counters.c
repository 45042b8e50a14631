/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gostate/counters.h"
#include "gostate/target_parts.h"

/* A runtime of our own making, in this process: what go_counters_read() reads is ourselves. */
struct fake {
	struct {
		uint64_t in_use, free, released, idle, sys, mapped, stacks, own[6], marked, alloc, freed, limit, goal, trigger, triggered, numgc;
	} heap;
	struct {
		uint64_t committed, released, in_heap, in_stacks, in_work_bufs, in_bits;
	} stats[STATS_GENERATIONS];
	uint64_t allglen, ngsys, ngfree, mnext;
	struct {
		uint64_t ps, n, room;
	} allp;
	uint64_t p[2];
	struct {
		int32_t before, free_gs;
	} ps[2];
};

static struct fake fake;
static struct go_layout layout;
static struct go_target target;

static void place(enum go_place_id id, const void *at, uint32_t size)
{
	layout.place[id] = (struct go_place){ (uint64_t)(uintptr_t)at, 0, size, 0 };
}

static void member(enum go_member_id id, size_t offset, uint32_t size)
{
	layout.member[id] = (struct go_member){ (uint32_t)offset, size, 0 };
}

static void common(void)
{
	static const enum go_place_id own[] = { GO_STACKS_SYS, GO_MSPAN_SYS, GO_MCACHE_SYS, GO_BUCKHASH_SYS, GO_GC_SYS, GO_OTHER_SYS };

	memset(&fake, 0, sizeof(fake));
	memset(&layout, 0, sizeof(layout));
	target = (struct go_target){ .pid = getpid(), .pidfd = -1, .proc_fd = -1, .layout = &layout };
	place(GO_HEAP_INUSE, &fake.heap.in_use, 8);
	place(GO_HEAP_RELEASED, &fake.heap.released, 8);
	for (int i = 0; i < 6; i++) {
		place(own[i], &fake.heap.own[i], 8);
		fake.heap.own[i] = 1000;
	}
	place(GO_GC_COUNT, &fake.heap.numgc, 4);
	place(GO_GC_GOAL, &fake.heap.goal, 8);
	place(GO_ALLGLEN, &fake.allglen, 8);
	place(GO_NGSYS, &fake.ngsys, 4);
	place(GO_NGFREE, &fake.ngfree, 4);
	place(GO_MNEXT, &fake.mnext, 8);
	place(GO_ALLP, &fake.allp, 24);
	member(GO_P_GFREE, offsetof(__typeof__(fake.ps[0]), free_gs), 4);
	fake.heap.in_use = 40 << 20;
	fake.heap.released = 10 << 20;
	fake.heap.numgc = 7;
	fake.heap.goal = 80 << 20;
	fake.allglen = 120;
	fake.ngsys = 5;
	fake.ngfree = 8;
	fake.mnext = 6;
	fake.allp.ps = (uint64_t)(uintptr_t)fake.p;
	fake.allp.n = fake.allp.room = 2;
	fake.p[0] = (uint64_t)(uintptr_t)&fake.ps[0];
	fake.p[1] = (uint64_t)(uintptr_t)&fake.ps[1];
	fake.ps[0].free_gs = 4;
	fake.ps[1].free_gs = 2;
}

static void as_1_15(void)
{
	common();
	place(GO_HEAP_IDLE, &fake.heap.idle, 8);
	place(GO_HEAP_SYS, &fake.heap.sys, 8);
	place(GO_STACKS_INUSE, &fake.heap.stacks, 8);
	fake.heap.idle = 15 << 20;
	fake.heap.sys = 55 << 20;
	fake.heap.stacks = 3 << 20;
	place(GO_HEAP_MARKED, &fake.heap.marked, 8);
	fake.heap.marked = 33 << 20;
	counter_plan_make(&target.counters, &layout, 0);
	assert_int_equal(target.counters.sums, SUMS_1_11);
}

static void as_1_27(void)
{
	common();
	place(GO_HEAP_FREE, &fake.heap.free, 8);
	place(GO_MAPPED_READY, &fake.heap.mapped, 8);
	place(GO_HEAP_MARKED, &fake.heap.marked, 8);
	place(GO_TOTAL_ALLOC, &fake.heap.alloc, 8);
	place(GO_TOTAL_FREE, &fake.heap.freed, 8);
	place(GO_MEMORY_LIMIT, &fake.heap.limit, 8);
	place(GO_HEAP_STATS, fake.stats, sizeof(fake.stats));
	layout.type_size[GO_TYPE_STATS] = sizeof(fake.stats[0]);
	layout.minor = 27;
	member(GO_STATS_COMMITTED, offsetof(__typeof__(fake.stats[0]), committed), 8);
	member(GO_STATS_RELEASED, offsetof(__typeof__(fake.stats[0]), released), 8);
	member(GO_STATS_IN_HEAP, offsetof(__typeof__(fake.stats[0]), in_heap), 8);
	member(GO_STATS_IN_STACKS, offsetof(__typeof__(fake.stats[0]), in_stacks), 8);
	member(GO_STATS_IN_WORK_BUFS, offsetof(__typeof__(fake.stats[0]), in_work_bufs), 8);
	fake.heap.free = 5 << 20;
	fake.heap.mapped = 60 << 20;
	fake.heap.alloc = 100 << 20;
	fake.heap.freed = 70 << 20;
	fake.heap.limit = INT64_MAX;
	/* The second generation holds what changed since the first, some of it less than nothing. */
	fake.stats[0].in_heap = 41 << 20;
	fake.stats[1].in_heap = (uint64_t)-(1 << 20);
	fake.stats[0].in_stacks = 3 << 20;
	fake.stats[1].in_stacks = 64 << 10;
	fake.stats[0].in_work_bufs = 32 << 10;
	fake.stats[0].released = 10 << 20;
	fake.stats[0].committed = (48 << 20) + (32 << 10);
	fake.stats[1].committed = 64 << 10;
	counter_plan_make(&target.counters, &layout, 0);
	assert_int_equal(target.counters.sums, SUMS_1_19);
}

static void check_raced(void)
{
	struct go_counters c;

	memset(&c, 0x55, sizeof(c));
	assert_int_equal(go_counters_read(&target, &c), GO_LOOK_RACED);
	for (size_t i = 0; i < sizeof(c); i++)
		assert_int_equal(((unsigned char *)&c)[i], 0x55); /* nothing is given out */
}

static void test_1_15(void **state)
{
	struct go_counters c;

	(void)state;
	as_1_15();
	assert_int_equal(go_counters_read(&target, &c), GO_LOOK_OK);
	assert_int_equal(c.heap_inuse_bytes, 40 << 20);
	assert_int_equal(c.heap_idle_bytes, 5 << 20);
	assert_int_equal(c.heap_released_bytes, 10 << 20);
	assert_int_equal(c.stacks_bytes, 3 << 20);
	assert_int_equal(c.runtime_bytes, 6000);
	assert_int_equal(c.gc_goal_bytes, 80 << 20);
	assert_int_equal(c.gc_count, 7);
	assert_int_equal(c.goroutines, 120 - 5 - 8 - 4 - 2);
	assert_int_equal(c.threads_made, 6);
	assert_int_equal(c.heap_marked_bytes, 33 << 20);
	fake.heap.marked = UINT64_MAX / 2; /* no size in a process */
	assert_int_equal(go_counters_read(&target, &c), GO_LOOK_OK);
	assert_true(c.heap_marked_bytes == GO_UNKNOWN);
	fake.heap.idle += 8192; /* as between two of the runtime's additions */
	check_raced();
	as_1_15();
	fake.heap.released = fake.heap.idle + 4096;
	check_raced();
}

static void test_1_27(void **state)
{
	struct go_counters c;

	(void)state;
	as_1_27();
	assert_int_equal(go_counters_read(&target, &c), GO_LOOK_OK);
	assert_int_equal(c.heap_idle_bytes, 5 << 20);
	assert_int_equal(c.stacks_bytes, (3 << 20) + (64 << 10));
	assert_int_equal(c.runtime_bytes, 6000 + (32 << 10));
	/* A reader of metrics merges a generation into the next before it clears it. */
	fake.stats[2] = fake.stats[1];
	check_raced();
	as_1_27();
	memset(&fake.stats[2], 0, sizeof(fake.stats[2]));
	fake.stats[2].in_stacks = 32768; /* stacks alone, all else fits */
	check_raced();
	as_1_27();
	fake.stats[0].released += 4096;
	check_raced();
	as_1_27();
	fake.heap.free -= 8192;
	check_raced();
}

static void test_goal(void **state)
{
	struct go_counters c;

	(void)state;
	as_1_27();
	fake.heap.goal = UINT64_MAX;
	assert_int_equal(go_counters_read(&target, &c), GO_LOOK_OK);
	assert_int_equal(c.gc_goal_bytes, GO_UNKNOWN); /* off, and no limit */
	/* mapped - free - objects = 25 MB are no heap: 200 - 25, less 3 %. */
	fake.heap.limit = 200 << 20;
	assert_int_equal(go_counters_read(&target, &c), GO_LOOK_OK);
	assert_int_equal(c.gc_goal_bytes, (175 << 20) - (175 << 20) / 100 * 3);
	fake.heap.limit = 20 << 20; /* less than what is no heap */
	fake.heap.marked = 12345;
	assert_int_equal(go_counters_read(&target, &c), GO_LOOK_OK);
	assert_int_equal(c.gc_goal_bytes, 12345);
	fake.heap.freed = 0; /* more objects than memory */
	check_raced();
}

/* Where the Ps are is kept; GOMAXPROCS changes how many, or moves them. */
static void test_kept_ps(void **state)
{
	static struct kept_ps kept;
	static uint64_t other[1];
	static __typeof__(fake.ps[0]) one = { 0, 9 };
	struct go_counters c;

	(void)state;
	as_1_27();
	memset(&kept, 0, sizeof(kept));
	target.ps = &kept;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(go_counters_read(&target, &c), GO_LOOK_OK);
		assert_int_equal(c.goroutines, 120 - 5 - 8 - 4 - 2);
		assert_int_equal(kept.n, 2);
	}
	fake.ps[1].free_gs = 3;
	assert_int_equal(go_counters_read(&target, &c), GO_LOOK_OK);
	assert_int_equal(c.goroutines, 120 - 5 - 8 - 4 - 3);
	fake.allp.n = 1;
	assert_int_equal(go_counters_read(&target, &c), GO_LOOK_OK);
	assert_int_equal(c.goroutines, 120 - 5 - 8 - 4);
	fake.allp.ps = (uint64_t)(uintptr_t)other;
	other[0] = (uint64_t)(uintptr_t)&one;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(go_counters_read(&target, &c), GO_LOOK_OK);
		assert_int_equal(c.goroutines, 120 - 5 - 8 - 9);
	}
	kept.ps[0] = 64; /* kept, but not there */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(go_counters_read(&target, &c), GO_LOOK_OK);
		assert_int_equal(c.goroutines, 120 - 5 - 8 - 9);
	}
	assert_int_equal(kept.ps[0], other[0]);
	kept.version = 1; /* another thread writes it */
	assert_int_equal(go_counters_read(&target, &c), GO_LOOK_OK);
	assert_int_equal(c.goroutines, 120 - 5 - 8 - 9);
}

static void test_early(void **state)
{
	struct go_counters c;

	(void)state;
	as_1_27();
	fake.allp.n = 0;
	assert_int_equal(go_counters_read(&target, &c), GO_LOOK_EARLY);
	as_1_27();
	fake.allglen = 0;
	assert_int_equal(go_counters_read(&target, &c), GO_LOOK_EARLY);
}

static void test_gone(void **state)
{
	struct go_counters c;

	(void)state;
	as_1_27();
	target.pid = 4194304 + 1; /* above any pid */
	assert_int_equal(go_counters_read(&target, &c), GO_LOOK_GONE);
	as_1_27();
	place(GO_GC_GOAL, (void *)64, 8); /* not mapped */
	counter_plan_make(&target.counters, &layout, 0);
	assert_int_equal(go_counters_read(&target, &c), GO_LOOK_GONE);
}

/* Whatever the numbers are: an answer at once, and none that cannot be. */
static void test_garbage(void **state)
{
	uint64_t random = 88172645463325252ULL;

	(void)state;
	for (int k = 0; k < 20000; k++) {
		struct go_counters c;
		enum go_look look;

		if (k % 2)
			as_1_15();
		else
			as_1_27();
		for (size_t i = 0; i < sizeof(fake) / 8; i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			if (random % 8 < (unsigned)k % 9)
				((uint64_t *)&fake)[i] = random >> (k % 64);
		}
		look = go_counters_read(&target, &c);
		if (look != GO_LOOK_OK)
			continue;
		assert_true(c.heap_inuse_bytes >> 48 == 0 && c.heap_idle_bytes >> 48 == 0 && c.heap_released_bytes >> 48 == 0);
		assert_true(c.stacks_bytes >> 48 == 0 && c.runtime_bytes >> 48 == 0 && c.goroutines - 1 < UINT32_MAX);
	}
	as_1_27();
	fake.allp.n = UINT64_MAX;
	check_raced();
	as_1_27();
	fake.allp.n = 60000; /* of which two are there */
	check_raced();
	as_1_27();
	fake.ps[0].free_gs = INT32_MAX;
	check_raced();
}

/* A layout that lies: fields over each other, outside of their variable, of odd sizes. */
static void test_lying_layout(void **state)
{
	(void)state;
	as_1_27();
	place(GO_GC_GOAL, (char *)&fake.heap.goal + 4, 8);
	place(GO_HEAP_MARKED, &fake.heap.goal, 8);
	counter_plan_make(&target.counters, &layout, 0);
	assert_int_equal(target.counters.sums, SUMS_NONE);
	as_1_27();
	member(GO_STATS_IN_STACKS, sizeof(fake.stats[0]) - 4, 8);
	counter_plan_make(&target.counters, &layout, 0);
	assert_int_equal(target.counters.sums, SUMS_NONE);
	as_1_27();
	place(GO_NGSYS, &fake.ngsys, 3);
	counter_plan_make(&target.counters, &layout, 0);
	assert_int_equal(target.counters.sums, SUMS_NONE);
	as_1_27();
	place(GO_HEAP_STATS, fake.stats, sizeof(fake.stats) - 8);
	counter_plan_make(&target.counters, &layout, 0);
	assert_int_equal(target.counters.sums, SUMS_NONE);
	as_1_27();
	place(GO_HEAP_INUSE, (void *)(uintptr_t)(UINT64_MAX - 3), 8);
	counter_plan_make(&target.counters, &layout, 0);
}

/* The fields of the fake, each a stride from the one before. */
static void spread(size_t stride)
{
	static char room[GO_PLACE_COUNT_ * 4096];
	size_t at = 0;

	for (int i = 0; i < GO_PLACE_COUNT_; i++) {
		struct go_place *p = &layout.place[i];

		if (!p->size)
			continue;
		memcpy(room + at, (const void *)(uintptr_t)p->address, p->size);
		p->address = (uint64_t)(uintptr_t)(room + at);
		at += stride > p->size ? stride : (p->size + 7) / 8 * 8;
	}
	counter_plan_make(&target.counters, &layout, 0);
}

/* However far apart the fields lie: what is read is the same, no page without a field is, and the buffer is enough. */
static void test_fields_apart(void **state)
{
	static const size_t strides[] = { 8, 100, 1000, 2000, 3000, 4096 };
	size_t ranges[sizeof(strides) / sizeof(*strides)];
	struct go_counters near, c;

	(void)state;
	as_1_27();
	assert_int_equal(go_counters_read(&target, &near), GO_LOOK_OK);
	for (size_t i = 0; i < sizeof(strides) / sizeof(*strides); i++) {
		as_1_27();
		spread(strides[i]);
		assert_int_equal(target.counters.sums, SUMS_1_19);
		assert_true(target.counters.n_bytes <= COUNTER_BYTES_MAX && target.counters.n_ranges <= COUNTER_RANGES_MAX);
		assert_int_equal(go_counters_read(&target, &c), GO_LOOK_OK);
		assert_memory_equal(&c, &near, sizeof(c));
		ranges[i] = target.counters.n_ranges;
	}
	assert_int_equal(ranges[0], 1);
	assert_int_equal(ranges[1], 1);
	assert_true(ranges[2] > 1 && ranges[2] < ranges[4]); /* as far as there is room */
	assert_true(ranges[3] > ranges[2] && ranges[3] < ranges[4]);
	assert_int_equal(ranges[4], ranges[5]); /* each its own */
}

static void test_settings(void **state)
{
	static int32_t percent = -1, procs = 8;
	static int64_t limit = INT64_MAX;
	struct go_settings s;

	(void)state;
	as_1_27();
	go_settings_read(&target, &s);
	assert_int_equal(s.gogc, GO_UNKNOWN);
	place(GO_GOMAXPROCS, &procs, 4);
	place(GO_GC_PERCENT, &percent, 4);
	place(GO_MEMORY_LIMIT, &limit, 8);
	go_settings_read(&target, &s);
	assert_int_equal(s.gogc, GO_OFF);
	assert_int_equal(s.memory_limit_bytes, GO_OFF);
	assert_int_equal(s.gomaxprocs, 8);
	assert_int_equal(s.madvdontneed, GO_UNKNOWN);
	percent = 150;
	limit = 64 << 20;
	go_settings_read(&target, &s);
	assert_int_equal(s.gogc, 150);
	assert_int_equal(s.memory_limit_bytes, 64 << 20);
	procs = 0; /* not yet set up */
	go_settings_read(&target, &s);
	assert_int_equal(s.gogc, GO_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_1_15), cmocka_unit_test(test_1_27), cmocka_unit_test(test_goal), cmocka_unit_test(test_kept_ps),
		cmocka_unit_test(test_early), cmocka_unit_test(test_gone), cmocka_unit_test(test_garbage), cmocka_unit_test(test_lying_layout),
		cmocka_unit_test(test_fields_apart),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
