/* SPDX-License-Identifier: Apache-2.0
 *
 * inside_parts.h - what inside.c (the target, splits, when) and inside_snapshot.c (goroutines, threads, heap profiles) share. Private to inside*.c.
 */
#pragma once
#include "base/json.h"
#include "run/inside.h"

struct err;
struct go_target;
struct splitter;
struct symbols;

struct inside {
	struct inside_site site;
	struct inside_report report;
	struct go_target *target; /* owned; NULL: there is none to read */
	struct splitter *splitter; /* owned */
	struct symbols *symbols;  /* owned; NULL: not opened yet */
	bool stale;               /* the rows that come are of a program that is gone */
	bool go_known, split_known; /* the last row in the file is no gap */
	struct go_counters last;  /* while go_known */
	bool tried;               /* that binary was looked at, and cannot be read */
	bool may_load;            /* it is not Go, and may yet load a Go library */
	int64_t tried_age_ns;
	dev_t tried_dev;
	ino_t tried_ino;
	char mark[MARK_NAME_MAX + 1]; /* which waits for its look; "" */
	unsigned marks_looked;
	int64_t next_split_ns;  /* target's time */
	int64_t split_at_ns, split_cost_ns; /* CLOCK_MONOTONIC of the last; what it took */
	int64_t spent_ns;       /* real time, all looks */
	int64_t split_cpu_ns;   /* CPU time of the last split */
	int64_t unasked_cpu_ns; /* of all looks that no mark asked for */
	uint64_t split_peak_bytes; /* the highest RSS that was split */
	json_t *snapshots;      /* owned reference: the array of goroutines.json */
	json_t *goroutines;     /* owned reference: its whole */
	bool no_profile;        /* the program keeps none */
};

/* Real time since the target's exec. */
int64_t inside_age_ns(const struct inside *in);
/* The sentence without its advice, and without the number of a process that nobody will see again. */
void inside_keep_why(char ret[INSIDE_WHY_MAX], const struct err *err);
/* Goroutines, threads and heap profile, as far as that is worth its time. at: a mark's name, "end". */
void inside_snapshot(struct inside *in, int64_t t_ns, const char *at, bool last);
