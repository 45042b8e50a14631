/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics.h - one run's numbers, computed from its record alone. Formulas: record/FORMAT.md, section Metrics.
 *
 * A metric that cannot be told is absent from `metrics` and stands in `missing` with its reason; it is never zero.
 * Pure; any thread.
 */
#pragma once
#include "base/json.h"
#include "plan/metric.h"
#include "plan/outcome.h"
#include "record/series.h"

struct run_series;

struct run_facts {
	enum outcome outcome;
	int64_t end_ns; /* target's time at which observation ended */
	struct end_counters end;
	bool cgroup_shared;      /* what its cgroup counts is other processes' too: none of this one's numbers */
	const char *split_why;   /* borrowed: why a split of RSS failed; NULL: none did */
	const char *runtime_why; /* borrowed: why the Go runtime was not read; NULL: it was, or nothing is known of it */
};

/* New references: {"peak_rss_bytes": 868220928, ...} and {"release_s": "RSS never fell to ...", ...}. Beside the metrics of
 * plan/metric.h there is slope_interval_bytes_per_s: [low, high], wherever there is a slope. */
void metrics_compute(const struct run_series *series, const struct run_facts *facts, json_t **ret_metrics, json_t **ret_missing);

/* The metric of what a part of RSS was at the end: METRIC_OBJECTS_SETTLED of RSS_OBJECTS. */
enum metric metric_of_part(enum rss_part part);
