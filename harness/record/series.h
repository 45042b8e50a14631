/* SPDX-License-Identifier: Apache-2.0
 *
 * series.h - what is recorded over time: samples, probes, marks, the numbers that the program told, and what was read of its Go runtime. Times
 * are the target's, in ns since its exec; sizes are bytes.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "gostate/readings.h"

/* A value that could not be read: never zero. In the TSV files it is written as "-". */
#define MISSING UINT64_MAX
_Static_assert(GO_UNKNOWN == MISSING, "what could not be told of a runtime is missing in its record");

/* Every tick; stored where a value changed, and once a second. Where nobody looked there is a row whose values are MISSING. */
struct sample {
	int64_t t_ns;
	uint64_t rss_bytes;   /* /proc/PID/statm resident x page size */
	uint64_t usage_bytes; /* the cgroup's usage (page tables and kernel memory included), or MISSING */
};

/* Fast probe: every 10 ms, the four slow values MISSING: what they were holds on. Slow probe: smaps_rollup, at marks and every
 * second or so. Where nobody looked there is a slow one whose values are all MISSING. */
struct probe {
	int64_t t_ns;
	uint64_t threads;
	uint64_t cpu_ns;              /* of the target process, user + system */
	uint64_t hwm_bytes;           /* VmHWM: the kernel's own high-water mark of RSS */
	uint64_t inactive_file_bytes; /* memory.stat: total_inactive_file (v1), inactive_file (v2) */
	uint64_t working_set_bytes;   /* usage - inactive_file, 0 at least: as the kubelet computes it */
	uint64_t pss_bytes;
	uint64_t lazyfree_bytes;      /* given back by MADV_FREE, not yet taken by the kernel; part of RSS */
	uint64_t thp_bytes;           /* AnonHugePages */
	uint64_t swap_bytes;
	uint64_t slow; /* 1: a slow probe, and a slow value that is MISSING is a gap; 0 */
};

/* The runtime's own accounting, stored where a value changed, and once a second. A row whose values are all MISSING begins a gap: nobody looked,
 * or the runtime cannot be read any more. */
struct go_row {
	int64_t t_ns;
	struct go_counters c;
};

/* RSS by what holds it; of statm_bytes and spans nothing is recorded: read back they are MISSING. All MISSING: as above. */
struct split_row {
	int64_t t_ns; /* in the middle of the reading */
	struct rss_split s;
};

/* A time in which nobody looked, or in which the slow probes failed. */
struct gap {
	int64_t from_ns, to_ns;
	bool slow; /* the slow values alone are not known */
};

#define MARK_NAME_MAX 31

struct mark {
	int64_t t_ns;
	char name[MARK_NAME_MAX + 1]; /* [a-z0-9-]+ */
	char by;                      /* 'p': the program announced it, 's': the supervisor did */
};

/* A number that the program told of itself: goroutines, bytes of heap in use, operations done. */
struct told {
	int64_t t_ns;
	char name[MARK_NAME_MAX + 1]; /* [a-z0-9_]+ */
	uint64_t value;
};

/* What the kernel said at the end of the run and the series do not hold. MISSING where it could not be read. */
struct end_counters {
	uint64_t memcg_peak_bytes;
	uint64_t oom_kills;
	uint64_t minor_faults;
	uint64_t major_faults;
	uint64_t cpu_ns;
	uint64_t hwm_bytes; /* the last VmHWM read */
};
