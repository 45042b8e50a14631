/* SPDX-License-Identifier: Apache-2.0
 *
 * queue.h - which of the planned runs go side by side.
 *
 * In the order given, as many as fit: the sum of their memory within the budget, at most max_jobs, and no more of them busy
 * than there are CPUs, so that the loads of two runs do not distort each other while idle ones wait together. The head of the
 * queue is never overtaken: the interleaving of the order is kept. Pure; the caller tells what starts, ends and is busy.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_ALONE (UINT64_MAX / 4) /* what one needs that is to go alone: more than any budget */

struct queue {
	uint64_t budget_bytes;
	unsigned max_jobs;  /* 0: no bound but memory and CPUs */
	unsigned cpus;
	const uint64_t *needs_bytes; /* borrowed: of each run, in order */
	size_t n;

	size_t next;         /* index of the first that has not been started */
	unsigned running;
	uint64_t used_bytes;
};

/* Whether the run queue->next may start now, with `busy` of the running ones using a CPU. One that exceeds the whole budget
 * goes alone. */
bool queue_may_start(const struct queue *q, unsigned busy);
/* Takes the next one out; returns its index. */
size_t queue_start(struct queue *q);
void queue_end(struct queue *q, size_t index);
bool queue_done(const struct queue *q);
/* How long the whole order takes if each run takes run_s and starts are start_gap_s apart: for --dry-run and the ETA. */
double queue_estimate_s(const struct queue *q, double run_s, double start_gap_s);
