/* SPDX-License-Identifier: Apache-2.0
 *
 * tracee.h - the stops of a thread that is traced by the calling thread.
 *
 * A thread that ends while it is traced stays a zombie until its tracer has taken note, and its process with it: so whoever
 * waits for a stop takes the end too, except that of the supervisor's own child, which is for the main loop to learn; and who
 * lets a thread go makes sure that it has gone.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether it is a child of this process. */
bool tracee_is_own(pid_t tid);
/* Its stop, as waitid's si_status: 0; -EAGAIN: not yet; -ESRCH: it has ended; -ECHILD: nothing with that number is traced. */
int tracee_take_stop(pid_t tid, bool own, int *ret_status);
/* The same, but waits: -ETIMEDOUT. */
int tracee_wait_for_stop(pid_t tid, bool own, int64_t max_ns, int *ret_status);
/* Lets one go that has stopped, with a signal or 0. false: it was killed in its stop. Then it is traced still, and its end is
 * to be taken (tracee_take_stop()), or whoever waits for it waits for ever. */
bool tracee_detach(pid_t tid, int sig);
/* Of one in a stop: it was killed there, or has ended since; waits for that end for so long. */
bool tracee_was_killed(pid_t tid, bool own, int64_t max_ns);
