/* SPDX-License-Identifier: Apache-2.0
 *
 * goroutines.h - the goroutines of a live process by the `go` statement that made them and what they wait for; its threads by what
 * they do. An on-demand look: 1 000 000 goroutines within 2 s, without stopping any. Any one thread.
 *
 * runtime.allgs is the list, runtime.waitReasonStrings the words (runtime2.go of each release: the numbers move). System goroutines are
 * those that runtime.isSystemGoroutine says when they are made. The list goes on changing while it is read, and is anybody's: a record
 * that makes no sense is left out, and where one in a thousand is, `truncated` says that the look is not whole. Threads: runtime.allm,
 * joined with /proc/PID/task/TID/syscall.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gostate/readings.h"
#include "gostate/symbols.h"
#include "gostate/target.h"

struct err;

struct goroutine_group {
	struct code_place made;    /* the go statement; of the main goroutine: runtime.main's start. Text borrowed from the symbols */
	struct code_place blocked; /* where most of the group's are parked, in the program's own code if it can be told; function "" if not */
	const char *state;         /* "running", "runnable", "waiting", "system call", ...; static */
	char wait[40];             /* "chan receive", "select (no cases)", ...: the runtime's own words; "" unless waiting */
	uint64_t count;
	uint64_t stack_bytes;  /* of all of them: stack.hi - stack.lo */
	double oldest_wait_s;  /* by the target's CLOCK_MONOTONIC; -1: not known (waitsince is set by the GC only) */
	int64_t oldest_since_ns; /* the same as that clock's time, for who knows of a clock that runs ahead; 0: not known */
	bool system;           /* the runtime's own (GC workers, finalizer) */
};

struct goroutine_look {
	uint64_t total; /* alive, without the runtime's own: runtime.NumGoroutine */
	uint64_t seen;  /* read; less than all where `truncated` */
	bool truncated; /* more than GOROUTINES_MAX, or a list that did not make sense */
	struct goroutine_group *groups; /* owned; by count, descending */
	size_t n_groups;
};
#define GOROUTINES_MAX 10000000
#define GOROUTINE_GROUPS_MAX 4096

int goroutines_read(const struct go_target *t, const struct symbols *sym, struct goroutine_look *ret, struct err *err);
void goroutine_look_done(struct goroutine_look *look);

/* "running Go"; "in a system call", of a goroutine's; "in C", called by Go; "idle", the runtime has no work for it; "of C", a thread that
 * C made and that runs no Go; "unknown". */
struct thread_group {
	const char *doing; /* static */
	char detail[64];   /* the system call's name, "running", "page fault", ...; "" */
	uint64_t count;
};
struct thread_look {
	uint64_t total;
	struct thread_group *groups; /* owned; by count, descending */
	size_t n_groups;
};
int threads_read(const struct go_target *t, struct thread_look *ret, struct err *err);
void thread_look_done(struct thread_look *look);
