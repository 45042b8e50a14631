/* SPDX-License-Identifier: Apache-2.0
 *
 * owner.h - whose a cgroup or a process is: the name of a supervisor, which no two processes ever share.
 *
 * "memtide-<pid namespace>-<pid>-<start time>" names a supervisor's cgroup, and stands in the environment of its targets
 * (OWNER_VARIABLE), so that a later start knows what a supervisor that was killed has left behind. Any thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct strv;

#define OWNER_NAME_MAX 96
#define OWNER_VARIABLE "MEMTIDE_RUN" /* "<owner's name>/<run's name>" */

struct owner {
	uint64_t pid_namespace; /* inode of /proc/self/ns/pid */
	pid_t pid;
	uint64_t start_time; /* field 22 of /proc/PID/stat, clock ticks since boot */
};

int owner_self(struct owner *ret, struct err *err);
void owner_format(char buf[OWNER_NAME_MAX], const struct owner *o);
bool owner_parse(const char *name, struct owner *ret);
/* Whether it has ended. One of another pid namespace cannot be told: it counts as alive. */
bool owner_is_gone(const struct owner *o);
/* Of a process that lives, from its /proc/PID/stat; with its number that tells it from any later one. -errno. */
int owner_read_start_time(pid_t pid, uint64_t *ret);
/* /proc/PID/stat: field 22. */
bool owner_parse_start_time(const char *stat_text, uint64_t *ret);

/* Where there is no cgroup the environment tells what belongs to a run, whatever session it made or parent it lost. SIGKILL to
 * every process whose OWNER_VARIABLE is this one. Returns how many there were. A process that empties its environment escapes. */
int owner_kill_run(const char *owner_and_run);
/* These processes, up to max; returns how many. About 10 us for each process of the machine. */
size_t owner_pids_of_run(const char *owner_and_run, pid_t *ret, size_t max);
/* SIGKILL to the processes of all runs of supervisors that are gone. ret_swept (may be NULL): a text for each. */
void owner_sweep_processes(struct strv *ret_swept);
