/* SPDX-License-Identifier: Apache-2.0
 *
 * stack.h - what a run's RSS consisted of, over time: the exact splits, and between two of them the shape that the runtime's counters tell.
 *
 * An exact split says how much each part was, but only about once a second; the runtime's counters say 100 times a second how large its
 * heap in use, its idle heap, its stacks and its own tables are, but not how much of them is resident. So:
 *   - at the time of a split the parts are what the split says, whose sum is the RSS of that moment;
 *   - between two splits a part that has a counter (objects and fragmentation: heap in use; lazily freed: heap released; stacks, idle
 *     and the runtime's own: theirs) is the counter times the share of it that was resident at the split which is nearer, in time and in
 *     what was counted then;
 *   - what is lazily freed lies between the nearest two numbers that the kernel tells (smaps_rollup, a split), where it told one;
 *   - a part without a counter (native, thread stacks, files), and one whose counter does not fit what the splits say, lies on the straight line
 *     between its two exact values;
 *   - RSS, known a thousand times a second, moves all of them from there towards what the other split says, as far as it asks; one whose
 *     counter was at neither split as it is now, to anything between nothing and all that is counted;
 *   - what was in use at the split before and is idle now stays where RSS has room for it;
 *   - what the counters count beyond RSS is not resident (yet): it is taken off the parts that have grown, never below zero;
 *   - what RSS has beyond the parts belongs to none: it is left out, and a figure shows it as a gap below the outline.
 * Before the first split and after the last the share is that one's. Where RSS, or both splits and counters, are not known, nothing is.
 * Times are the target's, in ns since its exec; sizes are bytes. Pure; any thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/series.h"

struct run_series;

/* Holds until the next one, the last until end_ns. */
struct stack_point {
	int64_t t_ns;
	uint64_t part[RSS_PART_COUNT_]; /* bytes; all MISSING: a gap begins here */
	bool exact;                     /* a split's own numbers */
};

struct stack {
	struct stack_point *v; /* owned; times strictly ascending; none where the run has no split */
	size_t n;
	size_t n_exact; /* splits of the run, drawn or not */
	int64_t end_ns;
};

/* max_points (64 at least): about how finely it is told; the result has at most four times as many. end_ns: of observation; 0 for the last
 * sample's time. */
void stack_make(struct stack *ret, const struct run_series *series, int64_t end_ns, size_t max_points);
void stack_done(struct stack *s);
#define cleanup_stack __attribute__((cleanup(stack_done)))

/* The point that holds at a time; NULL before the first, from end_ns on, and in a gap. Borrowed. */
const struct stack_point *stack_at(const struct stack *s, int64_t t_ns);
uint64_t stack_sum(const struct stack_point *p);

struct stack_moment {
	const struct go_counters *counted; /* NULL: not known */
	double share;                      /* of the way from the one split to the other: 0 to 1 */
	uint64_t rss_bytes;
	uint64_t lazyfree[2];              /* the kernel's own number, nearest before and after; MISSING: not known */
};

/* One moment between two splits; what stack_make() does for each. from or to NULL: there is none on that side (one there must be).
 * from_counted, to_counted: the counters at these; NULL: not known. */
void stack_between(const struct rss_split *from, const struct rss_split *to, const struct go_counters *from_counted,
		   const struct go_counters *to_counted, const struct stack_moment *now, uint64_t ret[RSS_PART_COUNT_]);
