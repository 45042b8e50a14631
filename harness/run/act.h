/* SPDX-License-Identifier: Apache-2.0
 *
 * act.h - the acts of a timeline, done to a run: one after the other, without holding up other runs.
 *
 * What may take its time in the kernel, and what occupies memory, is done by a helper: a process of memtide's own program
 * (act_helper.h), which says when it is done. A helper of pressure or neighbour then keeps its memory until acts_end().
 * Main thread only, but for acts_lock() and what goes with it.
 */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "plan/timeline.h"
#include "run/spawn.h"

struct clock;
struct memcg;

enum act_result {
	ACT_NOT_REACHED, /* the run ended before its time */
	ACT_OK,
	ACT_FAILED,      /* the kernel refused it: why */
	ACT_KILLED,      /* the kernel killed the helper: it was out of memory */
	ACT_UNFINISHED,  /* the run ended before it was done */
};

/* "ok", "not reached", ... */
const char *act_result_name(enum act_result r);

struct act_report {
	enum act_result result;
	int64_t done_ns; /* the target's time; -1: it was not done */
	char *why;       /* owned; NULL: nothing to add */
};

/* What they are done to; borrowed. */
struct act_target {
	sd_event *event;
	struct memcg *memcg; /* NULL: none, then there are only signals */
	const char *tag;     /* what OWNER_VARIABLE says in a helper */
	const struct clock *clock;
	const struct rlimit *nofile;
	pid_t pid;
	void (*done)(void *arg); /* an act that was under way is done */
	void *arg;
};

struct acting {
	struct act act;
	struct child helper; /* pid 0: none, or reaped; pidfd owned */
	_Atomic pid_t hidden; /* the helper's, as long as it is there: acts_without_helpers() */
	int said_fd;         /* owned: what the helper says; -1 */
	char said[256];
	size_t n_said;
	sd_event_source *saying, *exiting;
	struct acts *all;
};

struct acts {
	struct acting *v; /* owned */
	struct act_report *reports; /* owned */
	size_t n, next;      /* next: the first that has not begun */
	bool under_way;      /* the one before it is not done */
	bool ended;
	unsigned oom_kills;  /* helpers that the kernel killed in the target's own group */
	struct act_target target;
	pthread_mutex_t starting; /* a helper is in the group and its number is not known yet */
};

/* act: copied. */
void acts_init(struct acts *a, const struct act *act, size_t n);
/* Before the first of them; copied. */
void acts_aim(struct acts *a, const struct act_target *target);
/* When the next one is to begin; INT64_MAX: there is none, or one is under way. */
int64_t acts_next_ns(const struct acts *a);
/* Begins the next one. Returns it; acts_under_way() then tells whether it is done already. */
const struct act *acts_begin(struct acts *a);
bool acts_under_way(const struct acts *a);
/* The limit after those that were done; `limit_bytes` before the first of them. */
uint64_t acts_limit(const struct acts *a, uint64_t limit_bytes);
/* Around a look at the run's processes, from any thread: no helper begins, and acts_without_helpers() knows all there are. */
void acts_lock(struct acts *a);
size_t acts_without_helpers(const struct acts *a, pid_t *pids, size_t n);
void acts_unlock(struct acts *a);
/* The run is over: kills the helpers. */
void acts_end(struct acts *a);
/* Whether all of them are gone since. */
bool acts_are_gone(struct acts *a);
/* Kills, waits, frees. */
void acts_done(struct acts *a);
