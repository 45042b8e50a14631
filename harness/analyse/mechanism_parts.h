/* SPDX-License-Identifier: Apache-2.0
 *
 * mechanism_parts.h - what mechanism.c (the rules), mechanism_state.c (what the record says), mechanism_evidence.c (the sentences) and
 * disproof.c share. Private to them.
 */
#pragma once
#include "analyse/mechanism.h"
#include "record/series.h"

#define MB(n) ((double)(n) * 1024 * 1024)

/* How it stood at the end, or after it settled. NAN: not known. */
struct state {
	double rss, peak, baseline, released_share;
	double lazyfree, thp, threads, working_set; /* the kernel's */
	double part[RSS_PART_COUNT_];               /* the split of RSS; all NAN where there is none */
	bool split;                                 /* it is one: not guessed from the counters */
	double heap_inuse, heap_idle, heap_released, go_stacks, runtime, gc_goal, gc_count, goroutines, threads_made, profile_buckets;
	double goroutines_peak, goroutines_slope;
	double slope;                               /* of RSS, bytes a second; only where `growing` */
	double goroutines_before;                   /* at the first mark, or when they were first read */
	double heap_before;                         /* in use at that time */
	double heap_follows;                        /* correlation of the heap in use with the goroutines while both grew; NAN: cannot be told */
	double grown[RSS_PART_COUNT_];              /* by how much each part grew since the first mark; only where `growing` */
	double gc_age_s;                            /* since the last collection that was seen; NAN */
	bool growing, settled, runtime_read;
	const char *since;                          /* static: what `grown` is counted from */
	const char *outcome;                        /* borrowed */
	const char *runtime_why;                    /* borrowed: why the runtime was not read; NULL */
};

void state_read(const struct mechanism_facts *facts, struct state *ret);

/* mechanism_evidence.c: fills ret->evidence by ret->mechanism. */
void evidence_add(const struct mechanism_facts *facts, const struct state *s, struct diagnosis *d);
/* disproof.c */
struct disproof disproof_of(const struct mechanism_facts *facts, const struct state *s, const struct diagnosis *d);

/* goroutines.json: the group of the program's own that is largest in its last snapshot, borrowed; NULL: none. */
const json_t *largest_group(const json_t *goroutines);
