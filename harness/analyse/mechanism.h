/* SPDX-License-Identifier: Apache-2.0
 *
 * mechanism.h - why is this memory there, and what would give it back?
 *
 * One of the closed list (plan/mechanism_list.h) for a run, with the numbers that show it, the runner-up, and the one setting or act that
 * tells the two apart. From the record alone: RSS and its split, the kernel's and the runtime's counters, goroutines by origin. The rules
 * and their limits stand in record/FORMAT.md, section Mechanisms; MECHANISMS.md beside this file tells how often they are right.
 * `unknown` rather than wrong: where nothing holds enough more than anything else, or too little could be read.
 *
 * Pure; any thread. Sizes are bytes, as doubles; NAN: not known.
 */
#pragma once
#include <stdbool.h>

#include "base/json.h"
#include "plan/mechanism_list.h"

struct run_series;

/* What is known of a run, or of a live process that was watched for a while. All borrowed; each may be NULL. */
struct mechanism_facts {
	const json_t *metrics, *missing;  /* analyse/metrics.h */
	const json_t *run;                /* run.json as far as it goes: outcome, target_s, go, runtime */
	const struct run_series *series;  /* without: nothing of how a run that grew, or ended badly, stood at its end */
	const json_t *goroutines;         /* goroutines.json */
};

/* What RSS does by it if the answer is right: falls by at least half of what the mechanism holds, or does not. */
enum disproof_rss {
	DISPROOF_FALLS,
	DISPROOF_STAYS,
	DISPROOF_EITHER, /* that tells two kinds of it apart: what is held has another mechanism then if the answer is wrong */
};

#define DISPROOF_FREE_AT "MEMTIDE_FREE_AT=" /* an assignment of goprogs/mark: when a bundled program calls debug.FreeOSMemory() */
#define DISPROOF_ACT_AT 0.75 /* RSS is settled before, and again by the last tenth, of which the metrics are */

/* The setting that would show the answer to be wrong. */
struct disproof {
	const char *axis;  /* of a scenario: "godebug", "env", "thp"; "for": as long a run again, `value` times; "act": the same run with
			    * that act of a timeline (plan/timeline.h), DISPROOF_ACT_AT of its time after its start; NULL: there is
			    * none; static */
	char value[48];    /* "madvdontneed=1" */
	enum disproof_rss rss;
	const char *act;   /* what anybody can do who cannot run it again, a sentence; static; NULL */
};

struct diagnosis {
	enum mechanism mechanism;
	enum mechanism runner_up;         /* MECHANISM_UNKNOWN: nothing else holds anything worth a word */
	double confidence;                /* share of what is held that the mechanism holds; 0 where it is unknown */
	bool growing;                     /* it has not come to rest: what is told is what grew */
	const char *since;                /* static: "since the load began"; only where `growing` */
	bool churns;                      /* unknown because it takes and drops memory all the time: what holds most changes with the moment */
	bool of_files, of_globals;        /* unknown because files and shared memory, or variables of the program, hold most */
	double survived;                  /* share of the objects that are asked about (in the heap; of what grew) that the last collection found alive; NAN: not known */
	bool ended_stacks, ended_records, profiled; /* of that kind are what goroutines, and the runtime itself, hold: stacks and records of ended ones, call stacks */
	bool gogc_off, limited;           /* the program's settings: no collection but by a memory limit; it has a memory limit */
	bool gos_lazyfree;                /* what is lazily freed is given back so by the Go runtime; else C, or the program itself, does */
	bool no_cgo;                      /* no C is linked into the program */
	bool small;                       /* what is held is not worth the question: as much as any Go process has */
	double rss_bytes;                 /* that is explained: settled, else at the end */
	double held_bytes;                /* of it, without what every Go process has */
	double by[MECHANISM_COUNT_];      /* how much each holds of that; NAN: cannot be told */
	double globals_bytes;             /* of it too: data and bss beyond what the runtime accounts for and any binary has; no mechanism's */
	double files_bytes;               /* of it too: files and shared memory, but for what any binary has; no mechanism's */
	json_t *evidence;                 /* owned: array of {"metric", "value", "text"}, the most telling first */
	char *why;                        /* owned: why it is unknown; NULL */
	struct disproof disproof;
};

void diagnosis_of(const struct mechanism_facts *facts, struct diagnosis *ret);
void diagnosis_done(struct diagnosis *d);
#define cleanup_diagnosis __attribute__((cleanup(diagnosis_done)))

/* For run.json: sets mechanism, evidence, disproof, runner_up, mechanism_share. */
void diagnosis_into_run(const struct diagnosis *d, json_t *run);
