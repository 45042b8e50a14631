/* SPDX-License-Identifier: Apache-2.0
 *
 * clock.h - the time of a run, as its target sees it: one interface, two clocks.
 *
 * Everything that happens in a run is told in ns since the target's exec; the supervisor and the sampler ask here for the time
 * and for a deadline, and know no other clock. The real clock is CLOCK_MONOTONIC. The virtual one is that plus an offset, which
 * lies in a page shared with every process of the run: while all their threads sleep, nothing but the clock moves, so it is
 * moved to the next thing due, in the target (its sleeper is woken, as by its own timeout) or in the supervisor (the alarm).
 * Between jumps the processes run natively, at full speed. CLOCK.md says how, how true it is, and what it cannot move.
 *
 * Reading the time: any thread. All else: the main thread. A clock stays where it is while it is in use.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan/scenario.h"

struct err;
struct strv;
struct virtual_clock;

struct clock {
	enum clock_kind kind;
	int64_t exec_ns;                 /* CLOCK_MONOTONIC at the target's exec */
	const _Atomic int64_t *offset_ns; /* virtual: in the shared page; NULL: real */
	struct virtual_clock *virtual_clock; /* owned; NULL: real */
	int alarm_fd;                    /* owned */
};

/* What a virtual clock has to know of the run, and may do to it: called on its own thread, between clock_start() and clock_stop(). */
struct clock_hooks {
	/* The processes of the run, up to max; returns how many. Asked for when one of them has made another, or
	 * clock_processes_changed() said so. */
	size_t (*processes)(void *arg, pid_t *ret, size_t max);
	/* The target's time is about to jump to until_ns: take the sample that stands for the time skipped, and keep others from taking one
	 * until let_go(). true: something came up that the supervisor has to see first; then there is no jump, and the alarm goes off. */
	bool (*hold)(void *arg, int64_t until_ns);
	void (*let_go)(void *arg);
	void *arg;
};

#define CLOCK_WHY_MAX 640

/* How it went; kept by the clock. */
struct clock_report {
	enum clock_kind kind;
	uint64_t jumps, wakes;          /* wakes: sleepers whose timeout was brought forward */
	int64_t skipped_ns, largest_ns; /* in all, and in one jump */
	int64_t ended_ns;               /* -1: virtual time lasted to the end; else the target's time from which it went at the real rate */
	char ended[CLOCK_WHY_MAX];      /* and why: who or what could not be brought inside, or moved. "": see above */
};

/* Whether this machine can have such a clock: the error says what is missing (another CPU than x86-64, an old kernel, seccomp
 * forbidden) and what to do. */
int clock_check(enum clock_kind kind, struct err *err);
int clock_open(struct clock *c, enum clock_kind kind, struct err *err);
/* Stops, frees. For a clock that is all zeros too. */
void clock_close(struct clock *c);

/* For a process that is to be on a virtual clock, with all that it begets. In the child, right before its exec, async-signal-safe:
 * the number to be handed to clock_admit(), or -1 and errno. In the parent, which takes it from there through that exec: report_fd
 * becomes readable if the exec fails. *ret_exec_ns: CLOCK_MONOTONIC right before the program's first instruction. What makes it impossible
 * to keep virtual time is not an error but in the report. */
int clock_child_enter(void);
int clock_admit(struct clock *c, pid_t pid, int pidfd, int listener, int report_fd, int64_t *ret_exec_ns, struct err *err);

/* The target's time begins at this moment of CLOCK_MONOTONIC. */
void clock_begin(struct clock *c, int64_t monotonic_ns);
/* A virtual clock jumps from here on. hooks: copied; a real clock needs none. */
int clock_start(struct clock *c, const struct clock_hooks *hooks, struct err *err);
/* The hook has more to tell than before. */
void clock_processes_changed(struct clock *c);
/* No more jumps, no more hooks: returns when the last has returned. The time goes on, at the real rate, and what the processes ask
 * for is answered still. */
void clock_stop(struct clock *c);
/* Nobody is traced or answered any more: before the run's processes are killed and waited for. The time goes on. */
void clock_end(struct clock *c);
void clock_report(const struct clock *c, struct clock_report *ret);

/* CLOCK_MONOTONIC: for the harness's own deadlines. */
int64_t clock_monotonic_ns(void);
/* What the calling thread has had of a CPU. */
int64_t clock_thread_cpu_ns(void);
/* The target's time. */
int64_t clock_now(const struct clock *c);

/* The supervisor's own deadline. alarm_fd becomes readable when the target's time has come to target_ns, and until the next
 * clock_set_alarm() a virtual clock does not jump. INT64_MAX: none. */
void clock_set_alarm(struct clock *c, int64_t target_ns);
/* Takes what made alarm_fd readable. */
void clock_take_alarm(const struct clock *c);
