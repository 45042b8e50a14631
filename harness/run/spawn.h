/* SPDX-License-Identifier: Apache-2.0
 *
 * spawn.h - starts a target inside its cgroup, before its first instruction.
 *
 * v2: clone3(CLONE_INTO_CGROUP). v1, and v2 where clone3 is forbidden: the child writes "0" to the opened cgroup.procs before
 * it execs. So no page of the program is charged elsewhere. The child leads a session of its own (a Ctrl-C at the terminal is
 * the supervisor's to handle), dies with the supervisor (PR_SET_PDEATHSIG), is the first that a machine-wide OOM takes
 * (oom_score_adj 500), and has default signal dispositions and an empty mask. Main thread only: the death signal is tied to
 * the thread that spawns.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct clock;
struct err;
struct kernel_settings;
struct memcg;

struct spawn {
	const char *const *argv; /* argv[0]: a path */
	const char *const *envp; /* the whole environment */
	const char *cwd;         /* NULL: unchanged */
	const struct memcg *memcg; /* NULL: none */
	int stdout_fd, stderr_fd;
	bool own_stdin; /* it reads our standard input; false: there is nothing to read */
	int mark_fd; /* becomes fd 3 in the child, which inherits no other descriptor; -1: none */
	struct clock *clock; /* virtual: the child is on it from its first instruction; NULL: real time */
	const struct kernel_settings *kernel; /* NULL: as for all */
	const struct rlimit *nofile; /* the user's own RLIMIT_NOFILE, given back to the child; NULL: as it is */
};

#define SPAWN_MARK_FD 3

struct child {
	pid_t pid;
	int pidfd; /* owned by the caller */
	int64_t exec_ns; /* CLOCK_MONOTONIC right before its exec, taken by the child itself; on a virtual clock, right after it */
};

/* Returns when the child has executed the program: its memory is the program's own from here. The error tells which step
 * failed: entering the cgroup, the folder, the program (ENOENT, EACCES, ENOEXEC). */
int spawn(const struct spawn *s, struct child *ret, struct err *err);
