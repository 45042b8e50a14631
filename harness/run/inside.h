/* SPDX-License-Identifier: Apache-2.0
 *
 * inside.h - what is read of the Go runtime inside a live target, and when.
 *
 * The runtime's accounting is read by the sampling thread, beside the fast probes (sampler.h); here, on the main thread, the split of RSS is
 * taken (once a second, at marks, at a new peak of RSS, at the end), and at marks and at the end the goroutines by origin, the threads, and the heap
 * profile where the program keeps one. All of it goes into the record while it happens. Nothing is done to the target and nothing stops it;
 * what a look costs is watched: those that no mark asks for have 5 % of a CPU, or 0.4 % where the site says that the target is not
 * to be slowed. The program is opened as soon as it runs, and anew
 * after an exec. A target that is not Go, or cannot be read, is told of in the report, and all else goes on.
 *
 * Main thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/json.h"
#include "gostate/counters.h"
#include "record/series.h"

struct clock;
struct goroutine_look;
struct inside; /* of one live process */
struct record;
struct sampler_slot;

#define INSIDE_WHY_MAX 256

/* Borrowed all, until inside_end(). */
struct inside_site {
	pid_t pid;
	int pidfd;
	const struct clock *clock; /* started */
	struct sampler_slot *slot;
	struct record *record;
	int64_t split_every_ns; /* target's time between two splits that nothing asks for */
	bool sparing;           /* the target is not to be slowed */
};

struct inside_report {
	bool read;                     /* the accounting was read once at least */
	const char *by;                /* "dwarf", "symbols"; static; NULL: it was never opened */
	char version[48];              /* "go1.21.3"; "": not known */
	char why[INSIDE_WHY_MAX];      /* why it was not read; "" */
	bool forbidden;                /* that is: the kernel does not allow it (gostate/rights.h) */
	uint64_t readings, raced;      /* raced: looks of which nothing was kept */
	uint64_t splits, splits_raced; /* likewise */
	char split_why[INSIDE_WHY_MAX]; /* why the last split that failed without a race did; "": none did */
	uint64_t split_error_bytes;    /* |sum - RSS| at worst, of those that were kept; MISSING: none */
	double looks_s;                /* what the looks of the main thread took, real time: splits, snapshots */
	double unasked_cpu_s;          /* CPU time of those that no mark asked for */
	struct go_settings settings;   /* as they were last */
	unsigned heap_profiles;
	char heap_profile_why[INSIDE_WHY_MAX]; /* why there is none; "" */
};
/* Of a process that nobody looked into. */
#define INSIDE_REPORT_INIT                                                                                                       \
	((struct inside_report){ .split_error_bytes = MISSING, .settings = { GO_UNKNOWN, GO_UNKNOWN, GO_UNKNOWN, GO_UNKNOWN, GO_UNKNOWN } })

/* Opens the program, which takes some 20 ms for a binary that was not seen before, and has the sampling thread read it. */
struct inside *inside_begin(const struct inside_site *site);
/* Right before each sampler_drain_go(): whether it is still the same program; opens the one that took its place. Returns until where rows are to
 * be drained now: of later ones it is not known yet whose they are. */
uint32_t inside_check(struct inside *in);
/* A row of sampler_drain_go(): into the record, unless inside_check() has just found that another program runs. */
void inside_take(struct inside *in, const struct go_row *row);
/* A mark: the next look is due, under its name. Nobody looked from then on: what was last seen does not hold. */
void inside_note_mark(struct inside *in, const char *name);
void inside_note_gap(struct inside *in, int64_t t_ns);
/* Takes what is due. rss_bytes: as last sampled, or MISSING. still: the target stands still, as before a virtual clock goes on: its marks
 * have their look now, whatever its age. */
void inside_look_if_due(struct inside *in, uint64_t rss_bytes, bool still);
/* The last split, while the target is still there and sampled. */
void inside_last_split(struct inside *in);
/* Sampling has ended at end_ns: the last snapshot, if the target is still there, and the report; frees. readings, raced: of
 * sampler_stop(). NULL-safe. Returns NULL. */
struct inside *inside_end(struct inside *in, int64_t end_ns, uint64_t readings, uint64_t raced, struct inside_report *ret);
/* One snapshot of goroutines.json, with the threads as they are now; a new reference. clock: the target's; NULL: the machine's. */
json_t *inside_goroutines_json(const struct go_target *target, const struct clock *clock, int64_t t_ns, const char *at,
			       const struct goroutine_look *look);
