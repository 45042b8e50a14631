/* SPDX-License-Identifier: Apache-2.0
 *
 * mechanism_list.h - why memory is (still) there: the closed list, and its names. How a run's is found: analyse/mechanism.h. Pure; any thread.
 */
#pragma once

enum mechanism {
	MECHANISM_RELEASED,          /* nothing is held: what was taken has been given back */
	MECHANISM_LAZYFREE,          /* given back by MADV_FREE: the kernel takes it under pressure */
	MECHANISM_NOT_YET_SCAVENGED, /* idle in the runtime's heap */
	MECHANISM_LIVE_HEAP,         /* objects: still referenced, or not collected since they died */
	MECHANISM_GOROUTINES,        /* stacks of goroutines, and what they hold */
	MECHANISM_THREADS,           /* stacks of threads */
	MECHANISM_NATIVE,            /* C's memory, or mapped directly: not the runtime's */
	MECHANISM_FRAGMENTATION,     /* free slots of spans that are in use */
	MECHANISM_THP,               /* huge pages hold what was given back */
	MECHANISM_RUNTIME_OVERHEAD,  /* the runtime's own: records of goroutines that have ended, profiles, what every Go process has */
	MECHANISM_UNKNOWN,
	MECHANISM_COUNT_
};

const char *mechanism_to_string(enum mechanism m); /* "live-heap"; static */
int mechanism_from_string(const char *s);          /* -1: not one of them */
/* All MECHANISM_COUNT_ names, for suggestions. */
const char *const *mechanism_names(void);
