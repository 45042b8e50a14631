/* SPDX-License-Identifier: Apache-2.0 */
#include "run/queue.h"

bool queue_may_start(const struct queue *q, unsigned busy)
{
	if (q->next >= q->n)
		return false;
	if (q->running == 0)
		return true;
	if (busy >= q->cpus || (q->max_jobs && q->running >= q->max_jobs))
		return false;
	return q->used_bytes + q->needs_bytes[q->next] <= q->budget_bytes;
}

size_t queue_start(struct queue *q)
{
	size_t index = q->next++;

	q->running++;
	q->used_bytes += q->needs_bytes[index];
	return index;
}

void queue_end(struct queue *q, size_t index)
{
	q->running--;
	q->used_bytes -= q->needs_bytes[index];
}

bool queue_done(const struct queue *q)
{
	return q->next >= q->n && q->running == 0;
}

double queue_estimate_s(const struct queue *q, double run_s, double start_gap_s)
{
	uint64_t largest = 1;
	size_t left = q->n - q->next;

	for (size_t i = q->next; i < q->n; i++)
		if (q->needs_bytes[i] > largest)
			largest = q->needs_bytes[i];

	double side_by_side = (double)(q->budget_bytes / largest);
	if (q->max_jobs && side_by_side > q->max_jobs)
		side_by_side = q->max_jobs;
	if (run_s > 0 && start_gap_s > 0 && side_by_side > run_s / start_gap_s)
		side_by_side = run_s / start_gap_s;
	if (side_by_side < 1)
		side_by_side = 1;
	/* Waves of side_by_side runs follow each other; the last one ends a whole run after its start. */
	return left == 0 ? 0 : run_s + (double)(left - 1) * run_s / side_by_side;
}
