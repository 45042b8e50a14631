/* SPDX-License-Identifier: Apache-2.0 */
#include "run/lateness.h"

/* 0 to 15 stand for themselves; above, the four bits after the leading one choose among 16 buckets. */
static unsigned bucket_of(uint64_t ns)
{
	if (ns < 16)
		return (unsigned)ns;

	unsigned power = 63 - (unsigned)__builtin_clzll(ns);
	unsigned bucket = (power - 3) * 16 + (unsigned)((ns >> (power - 4)) & 15);
	return bucket < LATENESS_BUCKETS ? bucket : LATENESS_BUCKETS - 1;
}

static uint64_t upper_edge(unsigned bucket)
{
	if (bucket < 16)
		return bucket;

	unsigned power = bucket / 16 + 3;
	return (1ULL << power) + ((uint64_t)(bucket % 16 + 1) << (power - 4));
}

void lateness_add(struct lateness *l, uint64_t ns)
{
	l->count++;
	if (ns > l->max_ns)
		l->max_ns = ns;
	l->buckets[bucket_of(ns)]++;
}

uint64_t lateness_quantile(const struct lateness *l, double q)
{
	uint64_t want = (uint64_t)(q * (double)l->count), seen = 0;

	for (unsigned i = 0; i < LATENESS_BUCKETS; i++) {
		seen += l->buckets[i];
		if (seen > want || (seen == l->count && seen > 0)) {
			uint64_t edge = upper_edge(i);

			return edge < l->max_ns ? edge : l->max_ns;
		}
	}
	return 0;
}
