/* SPDX-License-Identifier: Apache-2.0
 *
 * virtual_clock.h - the thread that moves a run's clock while all of its processes sleep. Private to clock.c.
 *
 * It looks (sleepers.h); where all sleep it moves the offset in the shared page to what is due first, and wakes whose time is
 * up (wake.h). It answers at the gates (gate.h). It polls: often while something has just happened, seldom while the target
 * works, so that it costs the target nothing that shows.
 */
#pragma once
#include <sys/types.h>

#include "run/clock.h"

struct err;
struct gate;

/* virtual_clock_check.c: whether this machine has what it takes; else a sentence with what to do. */
int virtual_clock_check(struct err *err);
/* c: whose offset_ns and alarm_fd are set here; borrowed. */
int virtual_clock_new(struct clock *c, struct err *err);
void virtual_clock_free(struct virtual_clock *v);
/* As clock_admit(): may be called before and after the start. */
int virtual_clock_admit(struct virtual_clock *v, pid_t pid, int pidfd, int listener, int report_fd, int64_t *ret_exec_ns, struct err *err);
int virtual_clock_start(struct virtual_clock *v, const struct clock_hooks *hooks, struct err *err);
void virtual_clock_processes_changed(struct virtual_clock *v);
void virtual_clock_stop(struct virtual_clock *v);
void virtual_clock_end(struct virtual_clock *v);
void virtual_clock_set_alarm(struct virtual_clock *v, int64_t target_ns);
void virtual_clock_report(const struct virtual_clock *v, struct clock_report *ret);
