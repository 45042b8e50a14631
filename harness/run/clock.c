/* SPDX-License-Identifier: Apache-2.0 */
#include "run/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"
#include "run/gate.h"
#include "run/virtual_clock.h"

static int64_t read_clock(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t clock_monotonic_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_thread_cpu_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int clock_check(enum clock_kind kind, struct err *err)
{
	return kind == CLOCK_KIND_VIRTUAL ? virtual_clock_check(err) : 0;
}

int clock_open(struct clock *c, enum clock_kind kind, struct err *err)
{
	bool is_virtual = kind == CLOCK_KIND_VIRTUAL;

	*c = (struct clock){ .kind = kind };
	c->alarm_fd = is_virtual ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->alarm_fd < 0)
		return err_set(err, errno, "cannot make a timer");
	return is_virtual ? virtual_clock_new(c, err) : 0;
}

void clock_close(struct clock *c)
{
	virtual_clock_free(c->virtual_clock);
	if (c->alarm_fd > 0)
		(void)close(c->alarm_fd);
	*c = (struct clock){ .alarm_fd = -1 };
}

int clock_child_enter(void)
{
	return gate_install();
}

int clock_admit(struct clock *c, pid_t pid, int pidfd, int listener, int report_fd, int64_t *ret_exec_ns, struct err *err)
{
	return virtual_clock_admit(c->virtual_clock, pid, pidfd, listener, report_fd, ret_exec_ns, err);
}

void clock_begin(struct clock *c, int64_t monotonic_ns)
{
	c->exec_ns = monotonic_ns;
}

int clock_start(struct clock *c, const struct clock_hooks *hooks, struct err *err)
{
	return c->virtual_clock ? virtual_clock_start(c->virtual_clock, hooks, err) : 0;
}

void clock_processes_changed(struct clock *c)
{
	if (c->virtual_clock)
		virtual_clock_processes_changed(c->virtual_clock);
}

void clock_stop(struct clock *c)
{
	if (c->virtual_clock)
		virtual_clock_stop(c->virtual_clock);
}

void clock_end(struct clock *c)
{
	if (c->virtual_clock)
		virtual_clock_end(c->virtual_clock);
}

void clock_report(const struct clock *c, struct clock_report *ret)
{
	if (c->virtual_clock)
		virtual_clock_report(c->virtual_clock, ret);
	else
		*ret = (struct clock_report){ .kind = CLOCK_KIND_REAL, .ended_ns = -1 };
}

int64_t clock_now(const struct clock *c)
{
	int64_t now = clock_monotonic_ns(), offset = c->offset_ns ? atomic_load_explicit(c->offset_ns, memory_order_acquire) : 0;

	return now - c->exec_ns + offset;
}

void clock_set_alarm(struct clock *c, int64_t target_ns)
{
	if (c->virtual_clock) {
		virtual_clock_set_alarm(c->virtual_clock, target_ns);
		return;
	}
	int64_t at = target_ns > INT64_MAX - c->exec_ns ? 0 : target_ns + c->exec_ns;
	const struct itimerspec when = { .it_value = { at / NS_PER_S, at % NS_PER_S } };

	(void)timerfd_settime(c->alarm_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void clock_take_alarm(const struct clock *c)
{
	uint64_t n;

	(void)!read(c->alarm_fd, &n, sizeof(n));
}
