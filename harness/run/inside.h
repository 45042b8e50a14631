/* SPDX-License-Identifier: Apache-2.0
 *
 * inside.h - what is read of the Go runtime inside a live target, and when.
 *
 * The runtime's accounting is read by the sampling thread, beside the fast probes (sampler.h); here, on the main thread, the split of RSS is
 * taken (once a second, at marks, at a new peak of RSS, at the end), and at marks and at the end the goroutines by origin, the threads, and the heap
 * profile where the program keeps one. All of it goes into the record while it happens. Nothing is done to the target and nothing stops it;
 * what a look costs is watched: those that no mark asks for have 5 % of a CPU. The program is opened as soon as it runs, and anew
 * after an exec. A target that is not Go, or cannot be read, is told of in the report, and all else goes on.
 *
 * Main thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gostate/counters.h"
#include "record/series.h"

struct clock;
struct inside;
struct record;
struct sampler_slot;

#define INSIDE_WHY_MAX 256

struct inside_report {
	bool read;                    /* the accounting was read once at least */
	const char *by;               /* "dwarf", "symbols"; static; NULL: it was never opened */
	char version[48];             /* "go1.21.3"; "": not known */
	char why[INSIDE_WHY_MAX];     /* why it was not read; "" */
	uint64_t readings, raced;     /* raced: looks of which nothing was kept */
	uint64_t splits, splits_raced; /* likewise */
	uint64_t split_error_bytes;   /* |sum - RSS| at worst, of those that were kept; MISSING: none */
	struct go_settings settings;  /* as they were last */
	unsigned heap_profiles;
	char heap_profile_why[INSIDE_WHY_MAX]; /* why there is none; "" */
};
