/* SPDX-License-Identifier: Apache-2.0 */
#include "run/eta.h"

/* So many seconds of what was expected count as come true from the beginning, so that neither the first runs nor a busy first minute decide
 * alone. */
#define TRUST_S 15.0

double eta_cost_s(const struct eta_kind *kind, const struct eta_room *room)
{
	double side_by_side = (double)(room->budget_bytes / (kind->needs_bytes ? kind->needs_bytes : 1));
	double by_cpu = kind->start_gap_s > 0 ? kind->takes_s / kind->start_gap_s : room->cpus;

	if (side_by_side > by_cpu)
		side_by_side = by_cpu;
	if (room->max_jobs && side_by_side > room->max_jobs)
		side_by_side = room->max_jobs;
	return side_by_side > 1 ? kind->takes_s / side_by_side : kind->takes_s;
}

double eta_left_s(const struct eta *e)
{
	double left_s = e->expected_s - e->done_s, scale = (e->elapsed_s + TRUST_S) / (e->done_s + TRUST_S);

	return left_s > 0 ? left_s * scale : 0;
}
