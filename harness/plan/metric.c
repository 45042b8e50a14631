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
		return UNIT_BYTES;
	case METRIC_FIRST_FALL:
	case METRIC_RELEASE:
	case METRIC_CPU:
		return UNIT_SECONDS;
	case METRIC_RELEASED_SHARE:
		return UNIT_RATIO;
	case METRIC_SLOPE:
		return UNIT_BYTES_PER_S;
	case METRIC_OPERATIONS_PER_S:
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
