/* SPDX-License-Identifier: Apache-2.0
 *
 * timed_wait.h - what a thread that sleeps in a system call is waiting for: how long at most, and what the call returns then.
 *
 * From the number and arguments as /proc/PID/task/TID/syscall has them (Linux, x86-64). Pure, but for
 * timed_wait_read(). Any thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum wait_limit {
	WAIT_UNLIMITED, /* until something happens */
	WAIT_RELATIVE,  /* so long from its beginning */
	WAIT_ABSOLUTE,  /* until that time of `clock` */
	WAIT_RESTARTED, /* restart_syscall: what it did before goes on, until the same time */
	WAIT_AT_GATE,   /* the supervisor itself has to answer it (gate.h) */
};

enum wait_unit { WAIT_TIMESPEC, WAIT_TIMEVAL, WAIT_MILLISECONDS };

struct timed_wait {
	enum wait_limit limit;
	enum wait_unit unit;
	uint64_t at;     /* where the limit lies in the process; WAIT_MILLISECONDS: the limit itself */
	int64_t ns;      /* what was read there, or follows from it */
	clockid_t clock; /* WAIT_ABSOLUTE */
	int64_t result;  /* what the call returns when its time is up: 0 or -errno */
	/* select: the sets that are empty then; 0 where there is none */
	uint64_t sets[3], set_bytes;
	bool leaves_rest; /* the kernel writes what is left of the time to `at`: nothing, then */
};

struct timed_wait timed_wait_decode(long nr, const uint64_t args[6]);
/* Reads the limit of a process's wait; tid: any thread of it. */
bool timed_wait_read(pid_t tid, const struct timed_wait *w, int64_t *ret_ns);
/* The two words at `at` as ns; at most INT64_MAX / 4, and never negative. */
int64_t timed_wait_ns(enum wait_unit unit, const int64_t words[2]);
