/* SPDX-License-Identifier: Apache-2.0
 *
 * target_parts.h - what target.c and counters.c share of a target. Private to gostate/.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "gostate/layout.h"
#include "gostate/library.h"

struct go_target;

/* What one look takes: each a number of 1 to 8 bytes. The first are places of the layout, see counters.c. */
enum counter_field {
	FIELD_HEAP_INUSE, FIELD_HEAP_FREE, FIELD_HEAP_IDLE, FIELD_HEAP_RELEASED, FIELD_HEAP_SYS, FIELD_MAPPED_READY, FIELD_STACKS_INUSE,
	FIELD_STACKS_SYS, FIELD_MSPAN_SYS, FIELD_MCACHE_SYS, FIELD_BUCKHASH_SYS, FIELD_GC_SYS, FIELD_OTHER_SYS, FIELD_GC_COUNT,
	FIELD_GC_GOAL, FIELD_SWEEP_TRIGGER, FIELD_TRIGGERED, FIELD_HEAP_MARKED, FIELD_TOTAL_ALLOC, FIELD_TOTAL_FREE, FIELD_MEMORY_LIMIT,
	FIELD_ALLGLEN, FIELD_NGSYS, FIELD_NGFREE, FIELD_NGFREE_STACK, FIELD_NGFREE_NO_STACK, FIELD_MNEXT,
	FIELD_PLACES_,
	FIELD_ALLP = FIELD_PLACES_, FIELD_ALLP_LEN,
	FIELD_STATS_, /* heapStats.stats[0..2], members as in enum stats_part, from here on */
};
enum stats_part { STATS_COMMITTED_, STATS_RELEASED_, STATS_IN_HEAP_, STATS_IN_STACKS_, STATS_IN_WORK_BUFS_, STATS_IN_PTR_SCALAR_BITS_, STATS_PARTS_ };
#define STATS_GENERATIONS 3 /* of consistentHeapStats, runtime/mstats.go */
#define FIELDS_ (FIELD_STATS_ + STATS_GENERATIONS * STATS_PARTS_)

enum counter_sums {
	SUMS_NONE,   /* the layout lacks what a look needs */
	SUMS_1_11,   /* heap_sys = heap_inuse + heap_idle */
	SUMS_1_16,   /* heapStats must agree with memstats */
	SUMS_1_19,   /* heapStats must agree with gcController */
};

#define COUNTER_RANGES_MAX 48
#define COUNTER_BYTES_MAX 8192

/* Where the fields lie in the target and, once read, in one buffer. Ascending addresses; near ones are one range, with what lies
 * between them, as far as the buffer has room. */
struct counter_plan {
	enum counter_sums sums;
	struct iovec ranges[COUNTER_RANGES_MAX]; /* in the target */
	size_t n_ranges, n_bytes;
	struct {
		uint16_t at;  /* in the buffer */
		uint8_t size; /* 0: the release has none */
	} field[FIELDS_];
	unsigned minor; /* of the release; newest where it is not known */
};

#define PS_KEPT 64

/* Where the Ps were when they were last looked up, for any thread: they never move while runtime.allp has this address and length.
 * `version` is odd while it is written. */
struct kept_ps {
	_Atomic uint32_t version;
	_Atomic uint64_t allp, n, ps[PS_KEPT];
};

/* From the layout and the bias. */
void counter_plan_make(struct counter_plan *plan, const struct go_layout *l, uint64_t bias);

struct go_target {
	pid_t pid;
	int pidfd;
	int proc_fd; /* /proc/PID: fails once the process is gone, reused pid or not */
	const struct go_layout *layout; /* borrowed of the layouts that are kept */
	struct kept_layout *kept;
	uint64_t bias;
	uint64_t start_time, start_stack; /* fields 22 and 28 of stat: the process; the stack that its last exec gave it */
	struct go_library library; /* that holds the runtime; fd -1: the program does */
	dev_t exe_dev;
	ino_t exe_ino;
	struct counter_plan counters;
	struct kept_ps *ps; /* owned; NULL: none are kept */
};

/* Where the program of an open /proc/PID was entered (AT_ENTRY of auxv): what a PIE was moved by is the difference to the file's. 0: not
 * told. */
uint64_t process_entry(int proc_fd);
