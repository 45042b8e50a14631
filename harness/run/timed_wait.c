/* SPDX-License-Identifier: Apache-2.0 */
#include "run/timed_wait.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/uio.h>

#include "base/units.h"
#include "run/x86_calls.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define SYS_FUTEX_WAIT_2 455 /* futex_wait, Linux 6.7 */
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

#define LONGEST_NS (INT64_MAX / 4)

static struct timed_wait relative(enum wait_unit unit, uint64_t at, int64_t result)
{
	/* A null pointer is no limit. */
	if (!at)
		return (struct timed_wait){ .limit = WAIT_UNLIMITED };
	return (struct timed_wait){ .limit = WAIT_RELATIVE, .unit = unit, .at = at, .result = result };
}

static struct timed_wait absolute(clockid_t clock, uint64_t at, int64_t result)
{
	if (!at)
		return (struct timed_wait){ .limit = WAIT_UNLIMITED };
	return (struct timed_wait){ .limit = WAIT_ABSOLUTE, .unit = WAIT_TIMESPEC, .at = at, .clock = clock, .result = result };
}

static struct timed_wait milliseconds(uint64_t ms)
{
	if ((int32_t)ms < 0)
		return (struct timed_wait){ .limit = WAIT_UNLIMITED };
	return (struct timed_wait){ .limit = WAIT_RELATIVE, .unit = WAIT_MILLISECONDS, .at = ms & 0x7fffffff };
}

/* futex(2): FUTEX_WAIT counts from now; the others name a time, of the monotonic clock unless a flag or their age says else. */
static struct timed_wait futex(const uint64_t args[6])
{
	clockid_t clock = args[1] & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;

	switch ((int)args[1] & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
		return relative(WAIT_TIMESPEC, args[3], -ETIMEDOUT);
	case FUTEX_WAIT_BITSET:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_LOCK_PI2:
		return absolute(clock, args[3], -ETIMEDOUT);
	case FUTEX_LOCK_PI:
		return absolute(CLOCK_REALTIME, args[3], -ETIMEDOUT);
	default:
		return (struct timed_wait){ .limit = WAIT_UNLIMITED };
	}
}

static struct timed_wait with_sets(struct timed_wait w, const uint64_t args[6])
{
	w.leaves_rest = w.limit == WAIT_RELATIVE;
	w.set_bytes = (args[0] + 63) / 64 * 8;
	for (int i = 0; i < 3; i++)
		w.sets[i] = args[i + 1];
	return w;
}

/* clock_nanosleep(2): on a CPU clock it waits for work to be done, not for time. */
static struct timed_wait clock_sleep(const uint64_t args[6])
{
	clockid_t clock = (clockid_t)args[0];

	if (clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID)
		return (struct timed_wait){ .limit = WAIT_UNLIMITED };
	return args[1] & TIMER_ABSTIME ? absolute(clock, args[2], 0) : relative(WAIT_TIMESPEC, args[2], 0);
}

static struct timed_wait with_rest(struct timed_wait w)
{
	w.leaves_rest = w.limit == WAIT_RELATIVE;
	return w;
}

struct timed_wait timed_wait_decode(long nr, const uint64_t args[6])
{
	switch (nr) {
	case SYS_futex:
		return futex(args);
	case SYS_nanosleep:
		return relative(WAIT_TIMESPEC, args[0], 0);
	case SYS_clock_nanosleep:
		return clock_sleep(args);
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
		return milliseconds(args[3]);
	case SYS_epoll_pwait2:
		return relative(WAIT_TIMESPEC, args[3], 0);
	case SYS_poll:
		return milliseconds(args[2]);
	case SYS_ppoll:
		return with_rest(relative(WAIT_TIMESPEC, args[2], 0));
	case SYS_select:
		return with_sets(relative(WAIT_TIMEVAL, args[4], 0), args);
	case SYS_pselect6:
		return with_sets(relative(WAIT_TIMESPEC, args[4], 0), args);
	case SYS_rt_sigtimedwait:
		return relative(WAIT_TIMESPEC, args[2], -EAGAIN);
	case SYS_semtimedop:
		return relative(WAIT_TIMESPEC, args[3], -EAGAIN);
	case SYS_mq_timedsend:
	case SYS_mq_timedreceive:
		return absolute(CLOCK_REALTIME, args[4], -ETIMEDOUT);
	case SYS_futex_waitv:
		return absolute((clockid_t)args[4], args[3], -ETIMEDOUT);
	case SYS_FUTEX_WAIT_2:
		return absolute((clockid_t)args[5], args[4], -ETIMEDOUT);
	case SYS_restart_syscall:
		return (struct timed_wait){ .limit = WAIT_RESTARTED };
	/* gate.c's filter sends these to the supervisor */
	case SYS_execve:
	case SYS_execveat:
	case SYS_fork:
	case SYS_vfork:
	case SYS_clone:
	case SYS_clone3:
	case SYS_io_uring_setup:
	case SYS_io_setup:
	case SYS_timerfd_create:
	case SYS_timer_create:
	case SYS_setitimer:
	case SYS_alarm:
	case SYS_setsockopt:
	case SYS_clock_gettime:
	case SYS_gettimeofday:
	case SYS_time:
		return (struct timed_wait){ .limit = WAIT_AT_GATE };
	default:
		return (struct timed_wait){ .limit = WAIT_UNLIMITED };
	}
}

int64_t timed_wait_ns(enum wait_unit unit, const int64_t words[2])
{
	int64_t small = unit == WAIT_TIMEVAL ? words[1] * 1000 : words[1];

	if (words[0] < 0 || small < 0)
		return 0;
	return words[0] >= LONGEST_NS / NS_PER_S ? LONGEST_NS : words[0] * NS_PER_S + small;
}

/* By the thread's number: a process of which the first thread has ended has its memory all the same. */
bool timed_wait_read(pid_t tid, const struct timed_wait *w, int64_t *ret_ns)
{
	int64_t words[2];
	const struct iovec to = { words, sizeof(words) }, from = { (void *)w->at, sizeof(words) }; /* NOLINT */

	if (w->unit == WAIT_MILLISECONDS) {
		*ret_ns = (int64_t)w->at * NS_PER_MS;
		return true;
	}
	if (process_vm_readv(tid, &to, 1, &from, 1, 0) != sizeof(words))
		return false;
	*ret_ns = timed_wait_ns(w->unit, words);
	return true;
}
