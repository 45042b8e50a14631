/* SPDX-License-Identifier: Apache-2.0
 *
 * wake.h - ends a thread's timed wait now, as its own timeout would: the system call returns what it returns when time is up.
 *
 * By a ptrace stop of that one thread, which ends at once: 25 us. No signal is sent, so it is the same for a Go runtime and for C,
 * whatever it does with signals. For the thread that has no other business with the target's ptrace stops; blocks 0.2 s at most.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "run/timed_wait.h"

enum wake_result {
	WAKE_DONE,      /* its call has returned its timeout */
	WAKE_ELSEWHERE, /* it woke by itself */
	WAKE_DISTURBED, /* it cannot be told whether it is the same wait: it sleeps on, as before */
};

/* key: the schedstat of that wait, schedstat_fd: to read it again. -ESRCH: it has ended; -EPERM: it may not be traced;
 * -EAGAIN: it is traced still, as it did not stop in time or was killed in its stop: wake_later(). */
int wake_thread(pid_t pid, pid_t tid, int schedstat_fd, const char *key, const struct timed_wait *wait);
/* The same of a thread that did not stop in time, once it has: its wait is as over then as it was before. -EAGAIN: not yet. */
int wake_later(pid_t pid, pid_t tid, int schedstat_fd, const char *key, const struct timed_wait *wait);
/* Of a thread in a ptrace stop: the system call that the stop has interrupted, if it is in one, begins anew when it goes on, and
 * not by restart_syscall, which hides what it waits for. -errno. */
int wake_again(pid_t tid);
