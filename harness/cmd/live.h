/* SPDX-License-Identifier: Apache-2.0
 *
 * live.h - a live process as the live view has it: what was read of it since memtide looked, and why its memory is there.
 *
 * Nothing of it is recorded. Looks that cost (the split of RSS, goroutines by origin) have together at most 0.4 % of a CPU after the first
 * of each, so a process with a million goroutines has them more rarely; verdicts have as much. Main thread.
 */
#pragma once
#include "base/json.h"
#include "cmd/live_view.h"
#include "gostate/goroutines.h"
#include "record/reader.h"
#include "run/foreign.h"
#include "run/target_files.h"

struct err;
struct go_target;
struct splitter;
struct symbols;

struct live {
	const struct foreign *foreign; /* borrowed */
	struct target_files files;
	struct go_target *target;      /* owned; NULL: only the kernel's view */
	struct splitter *splitter;     /* owned */
	struct symbols *symbols;       /* owned; NULL: not opened */
	char *why;                     /* owned: why there is only the kernel's view; NULL */
	uint64_t program;              /* foreign_program() as it was last */
	unsigned execs;
	int64_t begin_ns;              /* CLOCK_MONOTONIC */
	struct run_series series;      /* owned: what was read, thinned out where it gets long */
	size_t room_samples, room_go, room_probes, room_splits;
	unsigned keep_each, skipped;   /* one tick in so many is kept */
	struct sample last;            /* the last tick, kept or not */
	struct go_counters counters;   /* as read last */
	bool has_counters, has_split, gone;
	bool tried_split, tried_look;  /* of this program, once at least */
	struct split_row split;
	uint64_t peak_bytes, threads;
	struct goroutine_look look, before;
	int64_t look_ns, before_ns;    /* since begin; -1: none */
	json_t *goroutines;            /* owned reference: as in goroutines.json */
	int64_t spent_cpu_ns, next_split_ns, next_look_ns, next_verdict_ns;
	char *verdict;                 /* owned; NULL: none yet */
	struct live_point *points;     /* owned: for the curve; as many as samples */
	struct live_origin origins[LIVE_ORIGINS_MAX];
	char *note, *who;              /* owned; of the last live_view() */
};

/* why: why nothing but the kernel's view is to be had, as attach_open() says it; NULL. */
int live_open(struct live *l, const struct foreign *f, struct err *err);
/* A tick: RSS, the runtime's counters, and what else is due. Notices an exec and the end. */
void live_tick(struct live *l);
/* What it comes to now. Borrows from l until the next call. */
void live_view(struct live *l, struct live_view *ret);
void live_close(struct live *l);
