/* SPDX-License-Identifier: Apache-2.0
 *
 * load.h - the process that puts a run's target under load: started when the target is ready, and what became of it.
 *
 * It runs outside the target's cgroup, in a session of its own; on the run's virtual clock where it is to be. Main thread only,
 * load_has_ended() any.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/strv.h"
#include "run/spawn.h"
#include "run/supervisor.h"

struct clock;
struct err;

enum load_state { LOAD_NONE, LOAD_AWAITED, LOAD_RUNNING, LOAD_ENDED };

struct load_process {
	_Atomic int state; /* enum load_state */
	struct strv argv, env; /* owned */
	char *mark;            /* owned; NULL: none */
	uint16_t port;
	bool inside;
	bool marked; /* the target has said that it is ready */
	struct child child; /* pidfd owned */
	int output_fd;      /* owned: stdout and stderr of it; -1 */
	struct load_report report;
};

/* request, env: copied. request NULL: no load. */
void load_init(struct load_process *l, const struct run_load *request, const struct strv *env);
/* The target has announced a mark. */
void load_note_mark(struct load_process *l, const char *name);
/* It is awaited, and the target is ready for it now. target: whose network is looked at for the port. */
bool load_may_begin(const struct load_process *l, pid_t target);
int load_begin(struct load_process *l, struct clock *clock, const struct rlimit *nofile, struct err *err);
/* It runs no more: load_end() is due. */
bool load_has_ended(const struct load_process *l);
/* Reaps it, killing it first where it runs still (then its report has no end). t_ns: the target's time. */
void load_end(struct load_process *l, int64_t t_ns);
/* Kills, frees. */
void load_done(struct load_process *l);
