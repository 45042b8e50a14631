/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics.h - one run's numbers, computed from its record alone. Formulas: record/FORMAT.md, section Metrics.
 *
 * A metric that cannot be told is absent from `metrics` and stands in `missing` with its reason; it is never zero.
 * Pure; any thread.
 */
#pragma once
#include "base/json.h"
#include "record/outcome.h"
#include "record/series.h"

struct run_series;

/* What the kernel said at the end of the run and the series do not hold. MISSING where it could not be read. */
struct end_counters {
	uint64_t memcg_peak_bytes;
	uint64_t oom_kills;
	uint64_t minor_faults;
	uint64_t major_faults;
	uint64_t cpu_ns;
	uint64_t hwm_bytes; /* the last VmHWM read */
};

struct run_facts {
	enum outcome outcome;
	int64_t end_ns; /* target's time at which observation ended */
	struct end_counters end;
};

/* New references: {"peak_rss_bytes": 868220928, ...} and {"release_s": "never fell below ...", ...}. */
void metrics_compute(const struct run_series *series, const struct run_facts *facts, json_t **ret_metrics, json_t **ret_missing);

/* Why the memory is (still) there, as far as release, LazyFree and RSS can tell: "released", "lazyfree" or "unknown". Static text. */
const char *mechanism_of(const json_t *metrics);
