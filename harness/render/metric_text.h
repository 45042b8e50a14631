/* SPDX-License-Identifier: Apache-2.0
 *
 * metric_text.h - a metric's value as people read it: "28.3 MB", "3 min 1 s", "10001", "1.21 MB/s".
 */
#pragma once
#include "plan/metric.h"

char *metric_text(enum metric m, double value); /* caller frees */
/* The same of the metric that a condition begins with ("peak_rss_bytes < 900MB"); a plain number where it is none. Caller frees. */
char *metric_text_of_condition(const char *that, double value);
