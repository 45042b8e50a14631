/* SPDX-License-Identifier: Apache-2.0
 *
 * timeline.h - what is done to a run while it goes on, and when: a scenario's `timeline`.
 *
 *     timeline:
 *       - {at: 5min, do: pressure, amount: 400MB}
 *
 *     lower-limit, raise-limit   the limit becomes `amount`
 *     reclaim                    the kernel takes back `amount` of the run's memory (cgroup v1 can only be asked for all of it)
 *     pressure                   one more process in the run's own cgroup touches `amount`, and keeps it to the end
 *     neighbour                  the same in a cgroup beside the run's: the limit then holds for both together
 *     signal                     the program gets the signal `name`
 * Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct scenario;

enum act_kind { ACT_LOWER_LIMIT, ACT_RAISE_LIMIT, ACT_RECLAIM, ACT_PRESSURE, ACT_NEIGHBOUR, ACT_SIGNAL, ACT_KINDS_ };

struct act {
	int64_t at_ns; /* the program's time, from its exec */
	enum act_kind kind;
	uint64_t amount_bytes; /* 0: of a signal */
	int signal;            /* 0: of all others */
	char *place;           /* owned: "file:line:column"; NULL in copies */
};

struct timeline {
	struct act *v; /* owned; in order of time */
	size_t n;
};

/* As the scenario writes it: "lower-limit". */
const char *act_name(enum act_kind kind);
/* The supervisor's mark when it is done: "limit-lowered". */
const char *act_mark(enum act_kind kind);
/* The same with what it is done with, for people: "lower-limit 300 MB", "signal SIGUSR1". Caller frees. */
char *act_text(const struct act *a);
/* "SIGUSR1". Caller frees. */
char *signal_name(int number);
/* The first act that cannot be done without a cgroup; NULL: none. */
const struct act *timeline_in_group(const struct timeline *t);
/* Whether each act can be where the scenario, as the command line has changed it, puts it: before the end of the run, and a limit
 * lower or higher than the one in force by then, in every cell. */
int timeline_check(const struct scenario *s, struct err *err);
/* One more, which no file has. -EUSAGE where it does not fit (timeline_check). */
int timeline_add(struct scenario *s, enum act_kind kind, int64_t at_ns, uint64_t amount_bytes, struct err *err);
void timeline_done(struct timeline *t);
