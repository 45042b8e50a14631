/* SPDX-License-Identifier: Apache-2.0
 *
 * lateness.h - a histogram of wake-up lateness that a real-time thread can fill: no malloc, constant time.
 *
 * Buckets are 16 to each power of two of ns, so a quantile is exact within 1/16 (6 %). Pure; one writer.
 */
#pragma once
#include <stdint.h>

#define LATENESS_BUCKETS (40 * 16)

struct lateness {
	uint64_t count;
	uint64_t max_ns;
	uint32_t buckets[LATENESS_BUCKETS];
};

void lateness_add(struct lateness *l, uint64_t ns);
/* The upper edge of the bucket in which the quantile q (0 to 1) lies, at most max; 0 where nothing was added. */
uint64_t lateness_quantile(const struct lateness *l, double q);
