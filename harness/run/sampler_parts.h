/* SPDX-License-Identifier: Apache-2.0
 *
 * sampler_parts.h - what the sampler's files share: rings between the thread that reads a target and the main thread, and the part of a
 * target's slot that is about its Go runtime.
 *
 * Private to sampler*.c. All of it lies in memory that never faults (sampler.c), zeroed. Who has taken a slot is the sampling thread or
 * the target's clock: what it calls neither allocates, locks nor prints.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"
#include "record/series.h"
#include "run/sampler.h"

#define FAST_PROBE_NS (10 * NS_PER_MS)
#define KEEP_ALIVE_NS NS_PER_S /* a row is stored at least this often, changed or not */

/* One writer (who has the slot: head), one reader (the main thread: tail). Sizes are powers of two. The main thread drains 20 times a
 * second, so that a ring holds a second at the highest rate. */
struct ring {
	_Atomic uint32_t head, tail;
};

/* By who has taken the slot: the place of the next entry; false: the ring is full. */
static inline bool ring_push(struct ring *r, uint32_t size, uint32_t *ret_at)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&r->tail, memory_order_acquire) == size)
		return false;
	*ret_at = head & (size - 1);
	return true;
}

/* The entry is written. */
static inline void ring_publish(struct ring *r)
{
	atomic_fetch_add_explicit(&r->head, 1, memory_order_release);
}

/* By the main thread: how many entries there have been so far, in all. Wraps. */
static inline uint32_t ring_head(const struct ring *r)
{
	return atomic_load_explicit(&r->head, memory_order_acquire);
}

/* By the main thread: hand_over_(sink_, entry) of each that had come in when the head was until_. */
#define RING_DRAIN(ring_, until_, buf_, size_, hand_over_, sink_)                                 \
	do {                                                                                      \
		struct ring *r_ = (ring_);                                                        \
		uint32_t tail_ = atomic_load_explicit(&r_->tail, memory_order_relaxed);           \
		uint32_t end_ = (until_);                                                      \
		for (; tail_ != end_; tail_++) {                                               \
			(hand_over_)((sink_), &(buf_)[tail_ & ((size_) - 1)]);                    \
			atomic_store_explicit(&r_->tail, tail_ + 1, memory_order_release);        \
		}                                                                                 \
	} while (0)

#define GO_RING 2048

/* The main thread sets the target, and waits until nobody has the one of before in hand. */
struct sampler_inside {
	_Atomic(const struct go_target *) target; /* borrowed; NULL: none */
	_Atomic uint32_t targets; /* how many there have been: the next may lie where the last one lay */
	_Atomic int in_hand;
	/* of who has taken the slot */
	uint32_t which;              /* of the targets, the one that was read last */
	bool known, gone;            /* the last row is no gap; that target cannot be read any more */
	bool racing;                 /* nothing could be made of the last look, nor of any since racing_ns */
	int64_t racing_ns;
	struct go_row last;
	int64_t next_ns, looked_ns; /* the latter: CLOCK_MONOTONIC */
	uint64_t readings, raced, lost;

	struct ring ring;
	struct go_row buf[GO_RING];
};

/* By who has taken the slot: a reading of the counters where one is due. t_ns: the target's time. said: it has just said something,
 * so that now is a moment to know of. until_ns: to where a virtual clock is about to jump while it sleeps; t_ns: it is not. */
void sampler_inside_look_if_due(struct sampler_inside *in, int64_t t_ns, bool said, int64_t until_ns);
/* Likewise: nothing is known of the runtime from here on. */
void sampler_inside_gap(struct sampler_inside *in, int64_t t_ns);

/* How far apart ticks are to be from now on that were apart_ns apart and took cost_ns of a CPU each: not nearer than period_ns, nor farther
 * apart than SAMPLER_RATE_MIN, and between the two so far that they come to permille of a CPU. */
int64_t sampler_apart_ns(int64_t apart_ns, int64_t cost_ns, int64_t period_ns, unsigned permille);

/* The main thread's: as sampler_look_inside(), sampler_go_rows() and sampler_drain_go(). */
void sampler_inside_set(struct sampler_inside *in, const struct go_target *target);
uint32_t sampler_inside_rows(const struct sampler_inside *in);
void sampler_inside_drain(struct sampler_inside *in, uint32_t until, const struct sampler_sink *sink);
