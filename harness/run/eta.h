/* SPDX-License-Identifier: Apache-2.0
 *
 * eta.h - how long many different runs still take: what was expected of each, scaled by how it has come true so far.
 *
 * A run's cost is its share of the whole: the time that it takes, divided by how many of its kind go side by side. The costs of
 * all runs add up to what the whole is expected to take. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct eta {
	double expected_s; /* of all runs, in sum */
	double done_s;     /* of that: of the runs that have ended, and of those that go on the part that has passed */
	double elapsed_s;  /* since the first began */
};

/* What decides how many of a kind of runs go side by side (run/queue.h). */
struct eta_kind {
	double takes_s;       /* one run, real time */
	double start_gap_s;   /* between two starts; runs that need a CPU all the time: 0 */
	uint64_t needs_bytes; /* one run */
};

struct eta_room {
	uint64_t budget_bytes;
	unsigned cpus;
	unsigned max_jobs; /* 0: no bound */
};

double eta_cost_s(const struct eta_kind *kind, const struct eta_room *room);
/* Never below 0. */
double eta_left_s(const struct eta *e);
