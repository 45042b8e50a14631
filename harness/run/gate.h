/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.h - what a process tree on a virtual clock has to ask the supervisor for: a seccomp filter with user notification.
 *
 * The child installs the filter right before its exec and all its descendants inherit it; what they do besides runs at full
 * speed (the filter is a bitmap look-up from Linux 5.11 on). The supervisor is asked at
 *   execve, execveat     the new program is brought onto the clock (inject.h) before its first instruction, under a ptrace that
 *                        ends there
 *   fork, clone of a process, clone3   there may be one process more (the threads of a newer glibc ask too)
 *   clock_gettime, gettimeofday, time as system calls     answered with the virtual time
 *   timerfd_create, timer_create, setitimer, alarm, SO_RCVTIMEO, SO_SNDTIMEO, io_uring_setup, io_setup     kernel timers, and waits
 *                        for disks that look like sleep, which the clock cannot move: told
 * Without CAP_SYS_ADMIN a filter needs no_new_privs, and a setuid program gets no rights then: that is told too.
 * Needs Linux 5.9 (the continue flag, pidfd_getfd, Seccomp_filters in status).
 *
 * All but gate_install() are for one thread at a time; a process is traced by the thread that called gate_serve() for its exec.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct gate;

/* What a gate reports, during gate_serve(). */
struct gate_events {
	void (*forked)(void *arg);                      /* somebody is about to make a process */
	void (*lost)(void *arg, const char *why);       /* virtual time cannot be kept from here on */
	int64_t (*read_clock)(void *arg, int clock_id); /* the virtual time of that clock, ns */
	void *arg;
};

/* In a child between fork and exec; async-signal-safe. The number of the listener, close-on-exec, or -1 and errno. */
int gate_install(void);
/* In the parent: takes the listener out of the child. page_path: as in inject.h; copied. */
int gate_open(struct gate **ret, int child_pidfd, int child_listener, pid_t child, const char *page_path, struct err *err);
struct gate *gate_free(struct gate *g);

/* CLOCK_MONOTONIC right before the last program that was brought inside went on: its first instruction comes after. 0: none has. */
int64_t gate_begun_ns(const struct gate *g);

/* Readable when somebody asks. */
int gate_fd(const struct gate *g);
/* Answers all who ask, and goes on with those whose exec is under way. Never blocks. */
void gate_serve(struct gate *g, const struct gate_events *events);
/* The processes that have executed a program and live, up to max; returns how many. So they are known whatever they made of their
 * environment. */
size_t gate_processes(struct gate *g, pid_t *ret, size_t max);
/* An exec is under way: gate_serve() again, soon. */
bool gate_is_busy(const struct gate *g);
/* Lets those go on untraced. */
void gate_give_up(struct gate *g);
