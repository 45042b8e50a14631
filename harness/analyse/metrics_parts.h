/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics_parts.h - a run's metrics while they are computed: what metrics.c (RSS, the kernel's numbers) and metrics_inside.c (the Go runtime's)
 * share. Private to metrics*.c.
 */
#pragma once
#include <stdbool.h>

#include "analyse/curve.h"
#include "analyse/metrics.h"
#include "plan/metric.h"

struct work {
	const struct run_series *series;
	const struct run_facts *facts;
	struct curve rss;
	json_t *metrics, *missing;        /* owned until handed over */
	uint64_t peak, baseline, settled; /* bytes; MISSING */
	int64_t end_ns, tail_ns;          /* tail: where the last tenth begins */
};

#define NOBODY_LOOKED "nobody looked for most of the last tenth of the run"

/* metrics.c */
void metric_told(struct work *w, enum metric m, json_t *value);
void metric_missing(struct work *w, enum metric m, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A number that was counted. */
void metric_told_count(struct work *w, enum metric m, uint64_t n);
/* The same, or the reason for which it was not. */
void metric_counted(struct work *w, enum metric m, uint64_t n, const char *why_not);
/* false: it did not, and the metric is missing for it. */
bool metric_ended_as_planned(struct work *w, enum metric m);
bool metric_tail_unseen(const struct work *w, const struct curve *c);
/* The phase over which slopes are taken: `load`, or the whole run. Its name in a sentence. */
const char *metric_slope_phase(const struct work *w, int64_t *ret_from_ns, int64_t *ret_to_ns);

/* metrics_inside.c */
void metrics_add_inside(struct work *w);
