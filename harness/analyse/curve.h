/* SPDX-License-Identifier: Apache-2.0
 *
 * curve.h - one value of a run over time, as a step function, and what can be read off it.
 *
 * Samples are stored where a value changed and once a second, so a point's value holds until the next point's time and the
 * last one's until end_ns: every median and quantile weighs a value with the time for which it held. Before the first point,
 * from end_ns on, and from a point whose value is MISSING there is no value (a gap): nothing is said about it, by any of the below. Times are the target's, in ns since its
 * exec. Pure; any thread. What is returned in ret_* is released by its own _done().
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/series.h"

struct run_series;

struct curve_point {
	int64_t t_ns;
	uint64_t value; /* bytes, or a number as of threads; MISSING: a gap begins here */
};

struct curve {
	struct curve_point *v; /* owned; times strictly ascending */
	size_t n;
	int64_t end_ns; /* the end of observation: the last value holds until here */
};

enum curve_of {
	CURVE_RSS,         /* samples */
	CURVE_USAGE,       /* samples: the cgroup's usage */
	CURVE_WORKING_SET, /* fast probes, as the next */
	CURVE_THREADS,
	CURVE_LAZYFREE, /* slow probes, as the rest: a value is held until the next slow probe, or one that failed */
	CURVE_THP,
	CURVE_PSS,
	CURVE_SWAP,
	CURVE_HEAP_INUSE, /* the runtime's own accounting, as the next; where it cannot be told there is a gap */
	CURVE_HEAP_IDLE,
	CURVE_HEAP_RELEASED,
	CURVE_GO_STACKS,
	CURVE_RUNTIME,
	CURVE_GC_GOAL,
	CURVE_GC_COUNT,
	CURVE_GOROUTINES,
	CURVE_THREADS_MADE,
	CURVE_HEAP_MARKED,
	CURVE_SPLIT_OBJECTS, /* the split of RSS, held until the next; in the order of enum rss_part */
	CURVE_SPLIT_FRAGMENTATION,
	CURVE_SPLIT_STACKS,
	CURVE_SPLIT_IDLE,
	CURVE_SPLIT_LAZYFREE,
	CURVE_SPLIT_RUNTIME,
	CURVE_SPLIT_NATIVE,
	CURVE_SPLIT_THREAD_STACKS,
	CURVE_SPLIT_FILES,
	CURVE_SPLIT_RSS, /* the sum of the parts */
	CURVE_COUNT_
};

/* Takes one value out of a run's series; points that change nothing are left out. end_ns: 0 for the time of the last sample or
 * probe. A value that was never read gives a curve without points. */
void curve_make(struct curve *ret, const struct run_series *series, enum curve_of what, int64_t end_ns);
void curve_done(struct curve *c);
#define cleanup_curve __attribute__((cleanup(curve_done)))

/* How many of the rows have a time at or before t: each row begins with it (int64_t, ns), and they ascend. */
size_t rows_until(const void *rows, size_t n, size_t row_size, int64_t t_ns);

/* The value at a time, or MISSING. */
uint64_t curve_at(const struct curve *c, int64_t t_ns);
/* Over [from_ns, to_ns), weighed by time; MISSING where there is no value at all in it. */
uint64_t curve_median(const struct curve *c, int64_t from_ns, int64_t to_ns);
/* The mean over [from_ns, to_ns), weighed by time; NAN where there is no value at all in it. */
double curve_mean(const struct curve *c, int64_t from_ns, int64_t to_ns);
/* How much of [from_ns, to_ns) lies in gaps; not what is before the first point or after the end. */
int64_t curve_gaps(const struct curve *c, int64_t from_ns, int64_t to_ns);
/* Smallest and largest value in [from_ns, to_ns); false where there is none. */
bool curve_range(const struct curve *c, int64_t from_ns, int64_t to_ns, uint64_t *ret_min, uint64_t *ret_max);
/* First time at or after from_ns at which the value is known to be below `bound`; -1: never. *ret_after_ns (may be NULL): the time up
 * to which it is known not to be: the same, or where there was a gap between the two, its beginning. */
int64_t curve_first_below(const struct curve *c, int64_t from_ns, uint64_t bound, int64_t *ret_after_ns);

/* For drawing: at most max_points (16 at least) of the curve's own points, so that steps stay crisp. Of each of max_points / 4
 * equal spans of time the first, the last, the smallest and the largest survive; so do all gaps of a span or more. */
void curve_decimate(const struct curve *c, size_t max_points, struct curve *ret);

/* Repeats of one cell laid over each other: at each time the median, smallest and largest value of the runs that have one
 * there. A step function too: draw it with steps (gnuplot: `with steps`, `fillsteps`). */
struct band_point {
	int64_t t_ns;
	uint64_t median, min, max; /* all MISSING: a gap begins here */
	unsigned runs;             /* that have a value here */
};

struct band {
	struct band_point *v; /* owned; times strictly ascending */
	size_t n;
	int64_t end_ns; /* the longest run's */
};

/* Each run is decimated to max_points first; the result has at most n times as many. n: at least 1. */
void curve_band(const struct curve *curves, size_t n, size_t max_points, struct band *ret);
void band_done(struct band *b);
#define cleanup_band __attribute__((cleanup(band_done)))

/* A time during which a value stays where it is: at least 5 s long, and at least 5 % of the peak away from the one before
 * it unless it left that one in between; a gap within is no leaving. */
struct plateau {
	int64_t from_ns, to_ns;
	uint64_t value; /* median */
};

struct plateaus {
	struct plateau *v; /* owned; in order of time */
	size_t n;
};

void curve_plateaus(const struct curve *c, struct plateaus *ret);
void plateaus_done(struct plateaus *p);
#define cleanup_plateaus __attribute__((cleanup(plateaus_done)))

/* A curve that climbs in steps: each a new maximum by `least` or more, apart by flat parts. What climbs within a fiftieth of the time is
 * one step. */
struct staircase {
	unsigned steps;
	int64_t last_ns;    /* end of the last step, on the curve's clock */
	int64_t longest_ns; /* the longest flat part between two steps */
};
/* Within [from_ns, to_ns). true: there are three steps or more, it ends on the highest, and it has not rested there for clearly longer (half
 * as long again) than between two of them: nothing tells that no other step comes. */
bool curve_climbs_in_steps(const struct curve *c, int64_t from_ns, int64_t to_ns, uint64_t least, struct staircase *ret);

/* Theil-Sen: the median of the slopes between all pairs of (at most 300) equally spaced values in [from_ns, to_ns), per
 * second, with the 95 % interval by Kendall's tau. The interval takes the values for independent, which memory is not: it
 * tells the spread of the slopes, not a probability. false: fewer than 10 values. */
struct slope {
	double per_s, low_per_s, high_per_s;
};
bool curve_slope(const struct curve *c, int64_t from_ns, int64_t to_ns, struct slope *ret);
