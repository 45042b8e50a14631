/* SPDX-License-Identifier: Apache-2.0
 *
 * metric.h - the closed list of metrics: names and units. What they mean and how they are computed: analyse/metrics.h.
 */
#pragma once
#include <stddef.h>

enum unit { UNIT_BYTES, UNIT_SECONDS, UNIT_RATIO, UNIT_COUNT, UNIT_BYTES_PER_S, UNIT_PER_S, UNIT_LIST, UNIT_COUNT_ };

enum metric {
	METRIC_BASELINE_RSS,
	METRIC_PEAK_RSS,
	METRIC_SETTLED_RSS,
	METRIC_FIRST_FALL,
	METRIC_RELEASE,
	METRIC_RELEASED_SHARE,
	METRIC_LEVELS,
	METRIC_SLOPE,
	METRIC_LAZYFREE_SETTLED,
	METRIC_THP_SETTLED,
	METRIC_WORKING_SET_SETTLED,
	METRIC_USAGE_SETTLED,
	METRIC_MEMCG_PEAK,
	METRIC_OOM_KILLS,
	METRIC_MINOR_FAULTS,
	METRIC_MAJOR_FAULTS,
	METRIC_CPU,
	METRIC_THREADS_PEAK,
	METRIC_THREADS_SETTLED,
	METRIC_GOROUTINES_SETTLED, /* the runtime's own accounting, or what the program told of it */
	METRIC_HEAP_INUSE_SETTLED,
	METRIC_HEAP_RELEASED_SETTLED,
	METRIC_STACKS_SETTLED,
	METRIC_PROFILE_BUCKETS_SETTLED, /* told */
	METRIC_GC_COUNT,
	METRIC_OPERATIONS, /* told, as the next */
	METRIC_OPERATIONS_PER_S,
	METRIC_HEAP_IDLE_SETTLED, /* the runtime's own accounting, from here */
	METRIC_RUNTIME_SETTLED,
	METRIC_GC_GOAL_SETTLED,
	METRIC_HEAP_MARKED_SETTLED,
	METRIC_THREADS_MADE,
	METRIC_GOROUTINES_PEAK,
	METRIC_GOROUTINES_SLOPE,
	METRIC_HEAP_INUSE_SLOPE,
	METRIC_OBJECTS_SETTLED, /* the split of RSS, from here */
	METRIC_FRAGMENTATION_SETTLED,
	METRIC_STACKS_RESIDENT_SETTLED,
	METRIC_IDLE_SETTLED,
	METRIC_LAZYFREE_SPLIT_SETTLED,
	METRIC_RUNTIME_RESIDENT_SETTLED,
	METRIC_NATIVE_SETTLED,
	METRIC_THREAD_STACKS_SETTLED,
	METRIC_FILES_SETTLED,
	METRIC_OBJECTS_PEAK,
	METRIC_NATIVE_PEAK,
	METRIC_COUNT_
};

/* "peak_rss_bytes"; the name is the key in run.json and in expectations. */
const char *metric_name(enum metric m);
enum unit metric_unit(enum metric m);
/* -1 where no metric has the name. */
int metric_from_name(const char *name);
/* All names, for suggestions. */
const char *const *metric_names(size_t *ret_n);
