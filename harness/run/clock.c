/* SPDX-License-Identifier: Apache-2.0 */
#include "run/clock.h"

#include <time.h>

#include "base/units.h"

int64_t clock_monotonic_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

void clock_start(struct clock *c, int64_t monotonic_ns)
{
	c->exec_ns = monotonic_ns;
}

int64_t clock_at(const struct clock *c, int64_t monotonic_ns)
{
	return monotonic_ns - c->exec_ns;
}

int64_t clock_now(const struct clock *c)
{
	return clock_at(c, clock_monotonic_ns());
}

int64_t clock_deadline(const struct clock *c, int64_t target_ns)
{
	return c->exec_ns + target_ns;
}
