/* SPDX-License-Identifier: Apache-2.0
 *
 * mechanism_parts.h - what mechanism.c (the rules), mechanism_state.c (what the record says), mechanism_evidence.c (the sentences) and
 * disproof.c share. Private to them.
 */
#pragma once
#include "analyse/mechanism.h"
#include "record/series.h"

#define MB(n) ((double)(n) * 1024 * 1024)
/* Of a goroutine that lives or has ended: sizeof(runtime.g) is 376 to 440 from Go 1.11 to 1.27, in size classes 384 to 448. */
#define G_BYTES 420.0

/* What RSS consisted of for some time. */
struct moment {
	double part[RSS_PART_COUNT_];
	double weight; /* how long, ns */
};

/* How it stood at the end, or after it settled. NAN: not known. */
struct state {
	double rss, peak, baseline, released_share;
	double lazyfree, thp, threads, working_set; /* the kernel's */
	double part[RSS_PART_COUNT_];               /* the split of RSS; all NAN where there is none */
	bool split;                                 /* it is one: not guessed from the counters */
	double heap_inuse, heap_idle, heap_released, go_stacks, runtime, gc_goal, heap_marked, gc_count, goroutines, threads_made, profile_buckets;
	double goroutines_peak, goroutines_slope;
	double slope;                               /* of RSS, bytes a second; 0: it does not grow */
	double goroutines_before;                   /* at the first mark, or when they were first read */
	double heap_before;                         /* in use at that time */
	double heap_follows;                        /* correlation of the heap in use with the goroutines while both grew; NAN: cannot be told */
	double grown[RSS_PART_COUNT_];              /* by how much each part grew since the first mark; only where `growing` */
	double gc_age_s;                            /* since the last collection that was seen; NAN */
	struct moment *moments;                     /* owned: over the last whole cycles of the collector, where it is at work; NULL: it is not */
	size_t n_moments;
	bool gogc_off;                              /* false: on, or not known */
	double limit;                               /* Go's memory limit, bytes; NAN: none, or not known */
	bool growing, settled, runtime_read;
	const char *since;                          /* static: what `grown` is counted from */
	const char *outcome;                        /* borrowed */
	bool no_cgo;                                /* no C is linked in */
	const char *runtime_why;                    /* borrowed: why the runtime was not read; NULL */
};

void state_read(const struct mechanism_facts *facts, struct state *ret);
void state_done(struct state *s);

/* mechanism_cycles.c: the last whole cycles of a collector that is at work until the end, three of them, the last tenth and a second where there are as
 * many, or what there is since RSS settled; false: it is not. */
bool cycles_find(const struct run_series *series, int64_t end_ns, bool settled, int64_t *ret_from_ns, int64_t *ret_to_ns);
/* The parts of RSS as analyse/stack.h tells them. Caller frees. */
struct moment *moments_between(const struct run_series *series, int64_t from_ns, int64_t to_ns, size_t *ret_n);
/* NAN where there are none. */
void moments_mean(const struct moment *v, size_t n, double ret[RSS_PART_COUNT_]);

/* mechanism_evidence.c: fills ret->evidence by ret->mechanism. */
void evidence_add(const struct mechanism_facts *facts, const struct state *s, struct diagnosis *d);
/* disproof.c */
/* Memory goes back by MADV_FREE: 1.12 to 1.15 unless told otherwise, later ones only where they are told to. */
bool frees_lazily(const struct mechanism_facts *facts);
struct disproof disproof_of(const struct mechanism_facts *facts, const struct state *s, const struct diagnosis *d);

/* goroutines.json: the group of the program's own that is largest in its last snapshot, borrowed; NULL: none. */
const json_t *largest_group(const json_t *goroutines);
