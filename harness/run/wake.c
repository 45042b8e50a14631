/* SPDX-License-Identifier: Apache-2.0 */
#include "run/wake.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include "base/units.h"
#include "run/tracee.h"

#define STOP_MAX_NS (NS_PER_S / 10)

/* What the kernel leaves in the result register of a call that it would start again (include/linux/errno.h); EINTR for the
 * calls that are never started again. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

#if defined(__x86_64__)

static bool is_interrupted(int64_t rax)
{
	return rax == -ERESTARTSYS || rax == -ERESTARTNOINTR || rax == -ERESTARTNOHAND || rax == -ERESTART_RESTARTBLOCK || rax == -EINTR;
}

/* How often it has been on a CPU: the third number. */
static unsigned long times_run(const char *schedstat)
{
	char *at;

	(void)strtoull(schedstat, &at, 10);
	(void)strtoull(at, &at, 10);
	return strtoul(at, NULL, 10);
}

/* It was asleep in the wait of `key` when it was interrupted: it has been on a CPU once since, to stop. */
static bool is_same_wait(int schedstat_fd, const char *key)
{
	char now[160];
	ssize_t n = pread(schedstat_fd, now, sizeof(now) - 1, 0);

	if (n <= 0)
		return false;
	now[n] = 0;
	return times_run(now) - times_run(key) <= 1;
}

/* select() with nothing ready leaves its sets empty; it, pselect6() and ppoll() leave no time. */
static void empty_sets(pid_t tid, const struct timed_wait *w)
{
	static const char zeros[8192];

	for (int i = 0; i < 3 && w->set_bytes && w->set_bytes <= sizeof(zeros); i++) {
		const struct iovec from = { (void *)zeros, w->set_bytes }, to = { (void *)w->sets[i], w->set_bytes }; /* NOLINT */

		if (w->sets[i])
			(void)process_vm_writev(tid, &from, 1, &to, 1, 0);
	}
	if (w->leaves_rest) {
		const struct iovec from = { (void *)zeros, 16 }, to = { (void *)w->at, 16 }; /* NOLINT */

		(void)process_vm_writev(tid, &from, 1, &to, 1, 0);
	}
}

static int begin_again(pid_t tid, struct user_regs_struct *r)
{
	r->rax = r->orig_rax;
	r->rip -= 2; /* the system call instruction */
	r->orig_rax = (uint64_t)-1;
	return ptrace(PTRACE_SETREGS, tid, 0, r) < 0 ? -errno : 0;
}

static bool is_in_a_call(const struct user_regs_struct *r)
{
	return (int64_t)r->orig_rax >= 0 && is_interrupted((int64_t)r->rax);
}

int wake_again(pid_t tid)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, tid, 0, &r) < 0)
		return -errno;
	return is_in_a_call(&r) ? begin_again(tid, &r) : 0;
}

/* One that another thread has woken at this very moment may wait again in the same place, for longer. (What is left of a
 * relative wait the kernel has written over its limit by now.) */
static bool is_another_limit(pid_t tid, const struct timed_wait *w)
{
	int64_t ns;

	return w->limit == WAIT_ABSOLUTE && (!timed_wait_read(tid, w, &ns) || ns != w->ns);
}

static int end_call(pid_t tid, bool same, const struct timed_wait *wait)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, tid, 0, &r) < 0)
		return -errno;
	if (!is_in_a_call(&r))
		return WAKE_ELSEWHERE;
	if (!same || is_another_limit(tid, wait)) {
		/* An absolute one loses nothing, and its limit is read again then; the others the kernel itself starts again, for what
		 * is left, except for those that it never does. */
		int e = wait->limit == WAIT_ABSOLUTE || (int64_t)r.rax == -EINTR ? begin_again(tid, &r) : 0;

		return e < 0 ? e : WAKE_DISTURBED;
	}
	empty_sets(tid, wait);
	r.rax = (uint64_t)wait->result;
	r.orig_rax = (uint64_t)-1; /* the kernel is not to start it again */
	return ptrace(PTRACE_SETREGS, tid, 0, &r) < 0 ? -errno : WAKE_DONE;
}

/* It has stopped. */
static int end_in_stop(pid_t tid, bool own, int status, int schedstat_fd, const char *key, const struct timed_wait *wait)
{
	bool ours = status >> 8 == PTRACE_EVENT_STOP;
	bool same = is_same_wait(schedstat_fd, key);
	/* A signal of its own that came first is delivered, after the wait if that is the one whose time is up. */
	int r = ours || same ? end_call(tid, same, wait) : WAKE_ELSEWHERE;

	if (tracee_detach(tid, ours ? 0 : status & 0xff))
		return r;
	return tracee_wait_for_stop(tid, own, STOP_MAX_NS, &status) == -ETIMEDOUT ? -EAGAIN : -ESRCH;
}

int wake_later(pid_t pid, pid_t tid, int schedstat_fd, const char *key, const struct timed_wait *wait)
{
	bool own = pid == tid && tracee_is_own(tid);
	int status = 0, r = tracee_take_stop(tid, own, &status);

	if (r < 0)
		return r == -EAGAIN ? -EAGAIN : -ESRCH;
	return end_in_stop(tid, own, status, schedstat_fd, key, wait);
}

int wake_thread(pid_t pid, pid_t tid, int schedstat_fd, const char *key, const struct timed_wait *wait)
{
	bool own = pid == tid && tracee_is_own(tid);
	int status = 0;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0)
		return -errno;
	(void)ptrace(PTRACE_INTERRUPT, tid, 0, 0); /* where that fails it is ending */
	int r = tracee_wait_for_stop(tid, own, STOP_MAX_NS, &status);
	if (r < 0)
		return r == -ETIMEDOUT ? -EAGAIN : -ESRCH;
	return end_in_stop(tid, own, status, schedstat_fd, key, wait);
}

#else

int wake_again(pid_t tid)
{
	(void)tid;
	return -ENOSYS;
}

int wake_thread(pid_t pid, pid_t tid, int schedstat_fd, const char *key, const struct timed_wait *wait)
{
	(void)pid;
	(void)tid;
	(void)schedstat_fd;
	(void)key;
	(void)wait;
	return -ENOSYS;
}

int wake_later(pid_t pid, pid_t tid, int schedstat_fd, const char *key, const struct timed_wait *wait)
{
	return wake_thread(pid, tid, schedstat_fd, key, wait);
}

#endif
