/* SPDX-License-Identifier: Apache-2.0
 *
 * readings.h - what is read of a Go process from outside: the words in which gostate/ answers. Types only.
 *
 * Sizes are bytes. GO_UNKNOWN stands for what could not be told; it is never zero.
 */
#pragma once
#include <stdint.h>

#define GO_UNKNOWN UINT64_MAX

/* The runtime's own accounting, one process_vm_readv. What each is in runtime.MemStats stands beside it. */
struct go_counters {
	uint64_t heap_inuse_bytes;    /* HeapInuse */
	uint64_t heap_idle_bytes;     /* HeapIdle - HeapReleased: free in the runtime's heap, not given back */
	uint64_t heap_released_bytes; /* HeapReleased */
	uint64_t stacks_bytes;        /* StackInuse */
	uint64_t runtime_bytes;       /* Sys - HeapSys - StackInuse: what the runtime has for itself */
	uint64_t gc_goal_bytes;       /* NextGC; GO_UNKNOWN also where the collector is off */
	uint64_t gc_count;            /* NumGC */
	uint64_t goroutines;          /* runtime.NumGoroutine */
	uint64_t threads_made;        /* Ms ever made */
	uint64_t heap_marked_bytes;   /* found alive by the last collection, as of its end; GO_UNKNOWN before the first; MemStats has no such field */
};

/* Every resident page of the process, by what holds it. The parts sum to resident_bytes. */
enum rss_part {
	RSS_OBJECTS,       /* live and not yet collected objects: allocated slots of spans in use */
	RSS_FRAGMENTATION, /* the free slots of such spans */
	RSS_STACKS,        /* stacks of goroutines */
	RSS_IDLE,          /* free in the runtime's heap, not given back */
	RSS_LAZYFREE,      /* given back by MADV_FREE, not yet taken by the kernel */
	RSS_RUNTIME,       /* the runtime's own: span and stack tables, GC bitmaps, profiles, its data and bss */
	RSS_NATIVE,        /* anonymous memory outside the runtime's: C, direct mmap */
	RSS_THREAD_STACKS, /* stacks of threads that C code or the kernel made */
	RSS_FILES,         /* the binary, libraries, mapped files, shared memory */
	RSS_PART_COUNT_
};

struct rss_split {
	uint64_t part[RSS_PART_COUNT_];
	uint64_t resident_bytes; /* the sum of the parts: pages seen by pagemap */
	uint64_t statm_bytes;    /* RSS as the kernel counts it, in the middle of the reading; where that does not fit, by smaps_rollup */
	uint64_t spans;          /* in use or stacks */
};
