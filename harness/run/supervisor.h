/* SPDX-License-Identifier: Apache-2.0
 *
 * supervisor.h - one run's life: its cgroup, its process, its curve, its end.
 *
 * A run is a state machine on the supervisor's sd-event loop: observed until it exits, its time is up or it is interrupted;
 * then SIGTERM, SIGKILL after 2 s, every process of its group killed, the group deleted; then `done` is called once. All that
 * is measured goes into the record while it happens. A process that memtide has not started is only observed, and left as it is.
 * Main thread only.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>

#include "plan/outcome.h"
#include "record/series.h"
#include "run/act.h"
#include "run/clock.h"
#include "run/inside.h"
#include "run/kernel_settings.h"
#include "run/sampler.h"

struct err;
struct foreign;
struct memcg_root;
struct record;
struct run;

/* What all runs of a campaign share; borrowed, outlives them. */
struct run_room {
	sd_event *event;
	struct sampler *sampler;
	struct memcg_root *groups; /* NULL: runs without a cgroup */
	struct rlimit nofile;      /* the user's own limit of descriptors: the supervisor raised its own */
	const char *owner;         /* this supervisor's name, as owner_format() gives it */
};

/* The process that puts the target under load: outside its cgroup, in a session of its own, killed when observation ends. The
 * supervisor marks its start as `load` and its end as `after-load`. */
struct run_load {
	const char *const *argv; /* argv[0]: a path */
	bool inside;             /* it sees the run's virtual clock */
	const char *mark;        /* it starts at this mark of the target; NULL: see port */
	uint16_t port;           /* it starts when the target listens on this TCP port; 0 and no mark: at the target's exec */
};

struct run_request {
	const char *name;        /* of the cgroup: unique among living runs; no '/' */
	const struct foreign *attach; /* observed instead of starting anything, borrowed until done; then nothing of what is said here of
				       * cgroups, environment, clock, load, acts and output holds. NULL: argv is started */
	const char *const *argv; /* argv[0]: a path */
	const char *const *envp; /* MEMTIDE_MARK_FD and MEMTIDE_RUN (owner.h) are added */
	const char *cwd;         /* NULL: unchanged */
	uint64_t limit_bytes;    /* 0: no limit, still in a group of its own where groups are possible */
	int64_t for_ns;          /* 0: until it exits or its load has ended, at most timeout_ns; the target's time, as that is */
	int64_t timeout_ns;
	enum clock_kind clock;
	bool clock_strict;           /* where virtual time cannot be kept: OUTCOME_HARNESS_ERROR, instead of going on in real time */
	const struct run_load *load; /* NULL: none */
	const struct act *acts;      /* of the timeline, in order of time */
	size_t n_acts;
	struct kernel_settings kernel;
	struct record *record;   /* borrowed until done */
	bool own_stdin;          /* it reads memtide's standard input; false: there is nothing to read */
	bool pass_on;            /* what it prints comes out of memtide's stdout and stderr too */
};

struct load_report {
	int64_t begin_ns, end_ns; /* target's time; -1: it never started; it was ended with the run */
	int exit_code;            /* -1: died by a signal, or never started */
	int signal;
};

struct run_result {
	enum outcome outcome;
	char *why;         /* owned; NULL: nothing to add */
	int exit_code;     /* -1: died by a signal */
	int signal;        /* 0: exited */
	bool by_program;   /* it ended by itself */
	double wall_s;     /* real time from exec to the deletion of its group */
	int64_t end_ns;    /* target's time at which observation ended */
	struct clock_report clock;
	struct load_report load;
	const struct act_report *acts; /* borrowed: one for each of the request's */
	struct sampling_stats sampling;
	struct end_counters end;
	struct inside_report inside;
	struct gap *gaps; /* owned; in order of their beginning within each kind */
	size_t n_gaps;
	struct mark *marks; /* owned; the first ones, without a hole */
	size_t n_marks;
	struct told *told; /* owned; likewise */
	size_t n_told;
	uint64_t lost_marks; /* came after them and were not kept */
	uint64_t lost_told;  /* came after the first 200 000, all of which the file has */
	uint64_t no_lines;   /* lines of the program that were neither a mark nor a number */
	int pass_on_errnum;  /* not all that it printed could be passed on; 0: all was */
};

/* result: borrowed during the call. run_free() may be called from here. */
typedef void run_done_fn(struct run *r, const struct run_result *result, void *arg);

/* The request's strings and arrays are needed during the call only. A process to attach to that has exited by now is a usage error. */
int run_start(const struct run_room *room, const struct run_request *request, run_done_fn *done, void *arg, struct run **ret,
	      struct err *err);
/* Ends it now; `done` follows with OUTCOME_INTERRUPTED. */
void run_interrupt(struct run *r);
/* It uses a good part of a CPU now, or is too young to tell. */
bool run_is_busy(const struct run *r);
/* For the progress line: the last mark ("" before the first) and RSS (MISSING before the first sample). */
const char *run_phase(const struct run *r);
uint64_t run_rss_bytes(const struct run *r);
/* Kills and cleans up what is still there. NULL-safe; returns NULL. */
struct run *run_free(struct run *r);
