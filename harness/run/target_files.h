/* SPDX-License-Identifier: Apache-2.0
 *
 * target_files.h - the kernel's files about one live target, opened once and read with pread.
 *
 * Kept fds are immune to a reused pid: after the target is reaped they fail. Reading: any thread, no malloc, no locks.
 * statm is exact from Linux 6.12 (percpu_counter_sum in task_statm); selftest.h tells for the running kernel. The rss field of
 * /proc/PID/stat and ru_maxrss are approximate or another process's: never used.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "record/series.h"

struct err;
struct memcg;

struct target_files {
	int statm_fd, status_fd, task_fd, usage_fd, stat_fd; /* -1: not there. usage and stat are the memcg's own, borrowed */
	int memcg_version;
	bool has_cpu_clock;
	clockid_t cpu_clock;
	pid_t pid;
	uint64_t page_bytes;
};

int target_files_open(struct target_files *f, pid_t pid, const struct memcg *memcg, struct err *err);
void target_files_close(struct target_files *f);

/* RSS and usage; t_ns is the caller's to set. false: the target has exited. */
bool target_read_sample(const struct target_files *f, struct sample *ret);
/* After target_read_sample() failed: whether threads other than the first are still there. */
bool target_has_threads_left(const struct target_files *f);
/* Threads, CPU time, VmHWM, inactive_file, working set; the slow fields are MISSING. */
void target_read_fast(const struct target_files *f, struct probe *ret);
/* CPU time of the process so far, user and system; MISSING where it cannot be told. */
uint64_t target_read_cpu_ns(const struct target_files *f);
/* Adds Pss, LazyFree, AnonHugePages, Swap from smaps_rollup, opened anew because such an fd dies with the address space it was
 * opened on. It holds the target's mmap lock for 2 us per MB: never near exec or exit, never often. Not for the sampling thread.
 * false: not readable now. */
bool target_read_slow(const struct target_files *f, struct probe *ret);

struct target_faults {
	uint64_t minor, major;
};
/* Page faults of the process so far, from /proc/PID/stat. */
bool target_read_faults(const struct target_files *f, struct target_faults *ret);
