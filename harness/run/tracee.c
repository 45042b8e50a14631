/* SPDX-License-Identifier: Apache-2.0 */
#include "run/tracee.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/proc.h"
#include "run/clock.h"

#define YIELDS 50

bool tracee_is_own(pid_t tid)
{
	char path[64];
	cleanup_free char *text = NULL;
	const char *group, *parent;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	if (file_read(path, 65536, &text, NULL, NULL) < 0)
		return false;
	group = proc_value(text, "\nTgid:");
	parent = proc_value(text, "\nPPid:");
	return group && parent && atoi(group) == tid && atoi(parent) == getpid();
}

int tracee_take_stop(pid_t tid, bool own, int *ret_status)
{
	siginfo_t si = { 0 };

	if (waitid(P_PID, (id_t)tid, &si, WSTOPPED | WEXITED | WNOHANG | __WALL | (own ? WNOWAIT : 0)) < 0)
		return -ECHILD;
	if (si.si_pid != tid)
		return -EAGAIN;
	*ret_status = si.si_status;
	return si.si_code == CLD_TRAPPED || si.si_code == CLD_STOPPED ? 0 : -ESRCH;
}

int tracee_wait_for_stop(pid_t tid, bool own, int64_t max_ns, int *ret_status)
{
	const struct timespec pause = { 0, 20000 };
	int64_t end = clock_monotonic_ns() + max_ns;

	for (int i = 0; clock_monotonic_ns() < end; i++) {
		int r = tracee_take_stop(tid, own, ret_status);

		if (r != -EAGAIN)
			return r;
		if (i < YIELDS)
			(void)sched_yield();
		else
			(void)nanosleep(&pause, NULL);
	}
	return -ETIMEDOUT;
}

bool tracee_detach(pid_t tid, int sig)
{
	return ptrace(PTRACE_DETACH, tid, 0, sig) == 0 || errno != ESRCH;
}

bool tracee_was_killed(pid_t tid, bool own, int64_t max_ns)
{
	int status;

	/* Only SIGKILL ends a stop, and then it cannot be asked any more. */
	errno = 0;
	(void)ptrace(PTRACE_PEEKUSER, tid, 0, 0);
	if (errno != ESRCH)
		return false;
	int r = tracee_wait_for_stop(tid, own, max_ns, &status);
	return r == -ESRCH || r == -ECHILD;
}
