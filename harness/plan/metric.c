/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/metric.h"

#include <string.h>

static const char *const names[METRIC_COUNT_] = {
	[METRIC_BASELINE_RSS] = "baseline_rss_bytes",
	[METRIC_PEAK_RSS] = "peak_rss_bytes",
	[METRIC_SETTLED_RSS] = "settled_rss_bytes",
	[METRIC_FIRST_FALL] = "first_fall_s",
	[METRIC_RELEASE] = "release_s",
	[METRIC_RELEASED_SHARE] = "released_share",
	[METRIC_LEVELS] = "levels",
	[METRIC_SLOPE] = "slope_bytes_per_s",
	[METRIC_LAZYFREE_SETTLED] = "lazyfree_settled_bytes",
	[METRIC_THP_SETTLED] = "thp_settled_bytes",
	[METRIC_WORKING_SET_SETTLED] = "working_set_settled_bytes",
	[METRIC_USAGE_SETTLED] = "usage_settled_bytes",
	[METRIC_MEMCG_PEAK] = "memcg_peak_bytes",
	[METRIC_OOM_KILLS] = "oom_kills",
	[METRIC_MINOR_FAULTS] = "minor_faults",
	[METRIC_MAJOR_FAULTS] = "major_faults",
	[METRIC_CPU] = "cpu_s",
	[METRIC_THREADS_PEAK] = "threads_peak",
	[METRIC_THREADS_SETTLED] = "threads_settled",
	[METRIC_GOROUTINES_SETTLED] = "goroutines_settled",
	[METRIC_HEAP_INUSE_SETTLED] = "heap_inuse_settled_bytes",
	[METRIC_HEAP_RELEASED_SETTLED] = "heap_released_settled_bytes",
	[METRIC_STACKS_SETTLED] = "stacks_settled_bytes",
	[METRIC_PROFILE_BUCKETS_SETTLED] = "profile_buckets_settled_bytes",
	[METRIC_GC_COUNT] = "gc_count",
	[METRIC_OPERATIONS] = "operations",
	[METRIC_OPERATIONS_PER_S] = "operations_per_s",
	[METRIC_HEAP_IDLE_SETTLED] = "heap_idle_settled_bytes",
	[METRIC_RUNTIME_SETTLED] = "runtime_settled_bytes",
	[METRIC_GC_GOAL_SETTLED] = "gc_goal_settled_bytes",
	[METRIC_HEAP_MARKED_SETTLED] = "heap_marked_settled_bytes",
	[METRIC_THREADS_MADE] = "threads_made",
	[METRIC_GOROUTINES_PEAK] = "goroutines_peak",
	[METRIC_GOROUTINES_SLOPE] = "goroutines_slope_per_s",
	[METRIC_HEAP_INUSE_SLOPE] = "heap_inuse_slope_bytes_per_s",
	[METRIC_OBJECTS_SETTLED] = "objects_settled_bytes",
	[METRIC_FRAGMENTATION_SETTLED] = "fragmentation_settled_bytes",
	[METRIC_STACKS_RESIDENT_SETTLED] = "stacks_resident_settled_bytes",
	[METRIC_IDLE_SETTLED] = "idle_settled_bytes",
	[METRIC_LAZYFREE_SPLIT_SETTLED] = "lazyfree_split_settled_bytes",
	[METRIC_RUNTIME_RESIDENT_SETTLED] = "runtime_resident_settled_bytes",
	[METRIC_NATIVE_SETTLED] = "native_settled_bytes",
	[METRIC_THREAD_STACKS_SETTLED] = "thread_stacks_settled_bytes",
	[METRIC_FILES_SETTLED] = "files_settled_bytes",
	[METRIC_OBJECTS_PEAK] = "objects_peak_bytes",
	[METRIC_NATIVE_PEAK] = "native_peak_bytes",
};

const char *metric_name(enum metric m)
{
	return names[m];
}

enum unit metric_unit(enum metric m)
{
	switch (m) {
	case METRIC_BASELINE_RSS:
	case METRIC_PEAK_RSS:
	case METRIC_SETTLED_RSS:
	case METRIC_LAZYFREE_SETTLED:
	case METRIC_THP_SETTLED:
	case METRIC_WORKING_SET_SETTLED:
	case METRIC_USAGE_SETTLED:
	case METRIC_MEMCG_PEAK:
	case METRIC_HEAP_INUSE_SETTLED:
	case METRIC_HEAP_RELEASED_SETTLED:
	case METRIC_STACKS_SETTLED:
	case METRIC_PROFILE_BUCKETS_SETTLED:
	case METRIC_HEAP_IDLE_SETTLED:
	case METRIC_RUNTIME_SETTLED:
	case METRIC_GC_GOAL_SETTLED:
	case METRIC_HEAP_MARKED_SETTLED:
	case METRIC_OBJECTS_SETTLED:
	case METRIC_FRAGMENTATION_SETTLED:
	case METRIC_STACKS_RESIDENT_SETTLED:
	case METRIC_IDLE_SETTLED:
	case METRIC_LAZYFREE_SPLIT_SETTLED:
	case METRIC_RUNTIME_RESIDENT_SETTLED:
	case METRIC_NATIVE_SETTLED:
	case METRIC_THREAD_STACKS_SETTLED:
	case METRIC_FILES_SETTLED:
	case METRIC_OBJECTS_PEAK:
	case METRIC_NATIVE_PEAK:
		return UNIT_BYTES;
	case METRIC_FIRST_FALL:
	case METRIC_RELEASE:
	case METRIC_CPU:
		return UNIT_SECONDS;
	case METRIC_RELEASED_SHARE:
		return UNIT_RATIO;
	case METRIC_SLOPE:
	case METRIC_HEAP_INUSE_SLOPE:
		return UNIT_BYTES_PER_S;
	case METRIC_OPERATIONS_PER_S:
	case METRIC_GOROUTINES_SLOPE:
		return UNIT_PER_S;
	case METRIC_LEVELS:
		return UNIT_LIST;
	case METRIC_OOM_KILLS:
	case METRIC_MINOR_FAULTS:
	case METRIC_MAJOR_FAULTS:
	case METRIC_THREADS_PEAK:
	case METRIC_THREADS_SETTLED:
	case METRIC_GOROUTINES_SETTLED:
	case METRIC_GC_COUNT:
	case METRIC_OPERATIONS:
	case METRIC_THREADS_MADE:
	case METRIC_GOROUTINES_PEAK:
	case METRIC_COUNT_:
		return UNIT_COUNT;
	}
	return UNIT_COUNT;
}

int metric_from_name(const char *name)
{
	for (int m = 0; m < METRIC_COUNT_; m++)
		if (!strcmp(names[m], name))
			return m;
	return -1;
}

const char *const *metric_names(size_t *ret_n)
{
	*ret_n = METRIC_COUNT_;
	return names;
}
