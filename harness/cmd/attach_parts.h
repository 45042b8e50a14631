/* SPDX-License-Identifier: Apache-2.0
 *
 * attach_parts.h - the parts of `memtide attach`: the options, the record (attach_record.c), the live view (attach_live.c and below).
 *
 * Private to cmd/attach*.c and to what else looks at a live process. Main thread only.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cmd/run_parts.h"
#include "gostate/target.h"
#include "run/foreign.h"

struct err;

struct attach_options {
	struct run_options run; /* out, rate, no_plot, json */
	bool out_given;
	int64_t for_ns; /* 0: not given */
	pid_t pid;
};

/* Where nobody asks for a rate: what is watched is not to be slowed. Of 1 % of a CPU the sampling thread may take ATTACH_BOUND_PERMILLE;
 * splits have as much (inside.h), slow probes 0.1 %, and the main loop, 5 times a second, what is left. */
#define ATTACH_RATE_HZ 100
#define ATTACH_BOUND_PERMILLE 4

/* A pid as people write it. */
int attach_parse_pid(const char *text, pid_t *ret, struct err *err);

/* The process and what can be read of it. Who may not be read is an error with what to do; one that is not Go, or that has nothing left
 * to read by, is not: *ret_note (caller frees) says so, and NULL that all is well. */
int attach_open(pid_t pid, struct foreign *ret, char **ret_note, struct err *err);

/* Observes it for o->for_ns into a campaign of its own: *ret_dir, the caller's; there is none if it fails early, and none of a
 * process that is gone before its first sample, which is a usage error like a number of no process. Returns the exit
 * code. where: as job_finish_one() has it; SHOW_NOTHING: what was recorded is not shown. */
int attach_record(const struct attach_options *o, const struct foreign *f, enum show_where where, char **ret_dir, struct err *err);

/* Standard input and output are a terminal that can move its cursor. */
bool attach_can_be_live(void);
/* Shows it there until q, Ctrl-C, its end, or for for_ns (0: no such end), and then the last of it in two lines. */
int attach_live(const struct foreign *f, int64_t for_ns, struct err *err);
