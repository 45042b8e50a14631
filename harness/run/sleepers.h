/* SPDX-License-Identifier: Apache-2.0
 *
 * sleepers.h - do all threads of some processes sleep, and until when? And ends such a sleep, as its own timeout would.
 *
 * That all slept at one moment is proven, not guessed. Of each thread its /proc/PID/task/TID/schedstat is kept from when it was
 * found asleep; when that is known of all, each is found in state S once more, with the same schedstat still. A thread that ran
 * meanwhile, however briefly, has another one; so between the last of the first findings and the first of the second all slept.
 * The limit of a wait is read between two equal schedstats as well, so it belongs to that wait and not to one before.
 *
 * SIGSTOP ends no wait, but the kernel begins it again when its thread goes on: as restart_syscall, which hides what it was, or (select(),
 * ppoll()) for a rest that knows nothing of a jump. So what was known of a wait, or can be read of it while its thread is stopped, is kept.
 *
 * A look at 20 sleeping threads takes 35 us: two preads of kept fds a thread. One thread at a time.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct clock;
struct sleepers;

enum look {
	LOOK_AWAKE,  /* somebody runs, is stopped, faults, waits for a disk, or asks the supervisor for something */
	LOOK_ASLEEP, /* all slept at one moment of this look */
	LOOK_GONE,   /* there is no process left */
	LOOK_FAILED, /* somebody cannot be looked at: sleepers_error() */
};

/* clock: gives the time from which a wait counts that is seen for the first time; borrowed. */
struct sleepers *sleepers_new(const struct clock *clock);
struct sleepers *sleepers_free(struct sleepers *s);

/* The processes from now on; those that exit fall out by themselves. Returns how many were not known before; -errno: too many
 * files open. */
int sleepers_set(struct sleepers *s, const pid_t *pids, size_t n);
/* *ret_next_ns: the target's time at which the first sleeper's time is up; INT64_MAX: none has a limit. thorough: looks at all even
 * where one is awake; the times of those that sleep are known then. */
enum look sleepers_look(struct sleepers *s, bool thorough, int64_t *ret_next_ns);
/* -EMFILE, -ENFILE: more threads than files can be opened; -EACCES, -EPERM: a process hides (not dumpable). */
int sleepers_error(const struct sleepers *s);
/* Time has jumped: from here on the kernel's own timers are late for those who sleep now. */
void sleepers_jumped(struct sleepers *s);
/* The first deadline that the kernel would miss: of a wait that began before a jump, or of an absolute one. INT64_MAX: none. */
int64_t sleepers_next_late(const struct sleepers *s);
/* Ends every wait whose time is up at now_ns and which the kernel itself would end too late. -errno, with the thread in *ret_tid:
 * one may not be traced. */
int sleepers_wake(struct sleepers *s, int64_t now_ns, pid_t *ret_tid);
/* How many waits have been ended, those included whose thread stopped late. */
uint64_t sleepers_woken(const struct sleepers *s);
