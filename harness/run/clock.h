/* SPDX-License-Identifier: Apache-2.0
 *
 * clock.h - the time of a run, as its target sees it.
 *
 * Everything that happens in a run is told in ns since the target's exec; the supervisor and the sampler ask here and know no
 * other clock. There is the real clock. Set by clock_start() before the sampler sees it, then read-only: any thread.
 */
#pragma once
#include <stdint.h>

struct clock {
	int64_t exec_ns; /* CLOCK_MONOTONIC at the target's exec */
};

/* CLOCK_MONOTONIC: for the harness's own deadlines. */
int64_t clock_monotonic_ns(void);
/* The target's time begins at this moment of CLOCK_MONOTONIC. */
void clock_start(struct clock *c, int64_t monotonic_ns);
/* The target's time at that moment of CLOCK_MONOTONIC. */
int64_t clock_at(const struct clock *c, int64_t monotonic_ns);
int64_t clock_now(const struct clock *c);
/* CLOCK_MONOTONIC at which the target's time will be target_ns. */
int64_t clock_deadline(const struct clock *c, int64_t target_ns);
