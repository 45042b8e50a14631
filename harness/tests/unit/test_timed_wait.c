/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/units.h"
#include "run/timed_wait.h"

#define AT 0x7f0000001000UL

static void assert_wait(long nr, const uint64_t args[6], enum wait_limit limit, int64_t result)
{
	struct timed_wait w = timed_wait_decode(nr, args);

	assert_int_equal(w.limit, limit);
	assert_int_equal(w.result, result);
}

static void relative_waits_have_their_timeout_as_result(void **state)
{
	(void)state;
	assert_wait(SYS_nanosleep, (uint64_t[6]){ AT }, WAIT_RELATIVE, 0);
	assert_wait(SYS_clock_nanosleep, (uint64_t[6]){ CLOCK_MONOTONIC, 0, AT }, WAIT_RELATIVE, 0);
	assert_wait(SYS_futex, (uint64_t[6]){ 1, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, AT }, WAIT_RELATIVE, -ETIMEDOUT);
	assert_wait(SYS_pselect6, (uint64_t[6]){ 0, 0, 0, 0, AT }, WAIT_RELATIVE, 0);
	assert_wait(SYS_ppoll, (uint64_t[6]){ 1, 1, AT }, WAIT_RELATIVE, 0);
	assert_wait(SYS_rt_sigtimedwait, (uint64_t[6]){ 1, 0, AT }, WAIT_RELATIVE, -EAGAIN);
	assert_wait(SYS_semtimedop, (uint64_t[6]){ 1, 1, 1, AT }, WAIT_RELATIVE, -EAGAIN);
}

static void waits_without_a_limit_have_none(void **state)
{
	(void)state;
	assert_wait(SYS_futex, (uint64_t[6]){ 1, FUTEX_WAIT | FUTEX_PRIVATE_FLAG }, WAIT_UNLIMITED, 0);
	assert_wait(SYS_epoll_pwait, (uint64_t[6]){ 4, AT, 128, 0xffffffff }, WAIT_UNLIMITED, 0);
	assert_wait(SYS_poll, (uint64_t[6]){ AT, 1, (uint64_t)-1 }, WAIT_UNLIMITED, 0);
	assert_wait(SYS_select, (uint64_t[6]){ 3, AT }, WAIT_UNLIMITED, 0);
	assert_wait(SYS_read, (uint64_t[6]){ 0, AT, 1 }, WAIT_UNLIMITED, 0);
	assert_wait(SYS_wait4, (uint64_t[6]){ 1 }, WAIT_UNLIMITED, 0);
}

/* epoll_wait(2): in ms, in the fourth argument; zero does not wait. */
static void epoll_waits_milliseconds(void **state)
{
	struct timed_wait w = timed_wait_decode(SYS_epoll_pwait, (uint64_t[6]){ 4, AT, 128, 1500 });

	(void)state;
	assert_int_equal(w.limit, WAIT_RELATIVE);
	assert_int_equal(w.unit, WAIT_MILLISECONDS);
	assert_int_equal(w.at, 1500);
}

/* futex(2): FUTEX_WAIT_BITSET names a time, of the realtime clock with its flag; FUTEX_LOCK_PI always does. */
static void absolute_waits_name_their_clock(void **state)
{
	struct timed_wait w = timed_wait_decode(SYS_futex, (uint64_t[6]){ 1, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, AT });

	(void)state;
	assert_int_equal(w.limit, WAIT_ABSOLUTE);
	assert_int_equal(w.clock, CLOCK_MONOTONIC);
	w = timed_wait_decode(SYS_futex, (uint64_t[6]){ 1, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 0, AT });
	assert_int_equal(w.clock, CLOCK_REALTIME);
	assert_int_equal(w.result, -ETIMEDOUT);
	w = timed_wait_decode(SYS_futex, (uint64_t[6]){ 1, FUTEX_LOCK_PI, 0, AT });
	assert_int_equal(w.clock, CLOCK_REALTIME);
	w = timed_wait_decode(SYS_clock_nanosleep, (uint64_t[6]){ CLOCK_BOOTTIME, TIMER_ABSTIME, AT });
	assert_int_equal(w.limit, WAIT_ABSOLUTE);
	assert_int_equal(w.clock, CLOCK_BOOTTIME);
	assert_int_equal(w.result, 0);
}

/* The kernel restarts an interrupted sleep by a call of its own, with the old arguments still in the registers. */
static void a_restarted_or_asking_call_is_no_wait_of_its_own(void **state)
{
	(void)state;
	assert_wait(SYS_restart_syscall, (uint64_t[6]){ AT }, WAIT_RESTARTED, 0);
	assert_wait(SYS_execve, (uint64_t[6]){ AT }, WAIT_AT_GATE, 0);
	assert_wait(SYS_clone, (uint64_t[6]){ 0 }, WAIT_AT_GATE, 0);
}

static void select_has_sets_to_empty(void **state)
{
	struct timed_wait w = timed_wait_decode(SYS_select, (uint64_t[6]){ 65, AT, 0, AT + 64, AT + 128 });

	(void)state;
	assert_int_equal(w.unit, WAIT_TIMEVAL);
	assert_int_equal(w.set_bytes, 16);
	assert_int_equal(w.sets[0], AT);
	assert_int_equal(w.sets[1], 0);
	assert_int_equal(w.sets[2], AT + 64);
}

static void lengths_never_overflow(void **state)
{
	(void)state;
	assert_int_equal(timed_wait_ns(WAIT_TIMESPEC, (int64_t[2]){ 2, 5 }), 2 * NS_PER_S + 5);
	assert_int_equal(timed_wait_ns(WAIT_TIMEVAL, (int64_t[2]){ 2, 5 }), 2 * NS_PER_S + 5000);
	assert_int_equal(timed_wait_ns(WAIT_TIMESPEC, (int64_t[2]){ -1, 0 }), 0);
	/* Go's "for ever" must not overflow where it is added to the time. */
	assert_true(timed_wait_ns(WAIT_TIMESPEC, (int64_t[2]){ INT64_MAX, 0 }) <= INT64_MAX / 4);
	assert_true(timed_wait_ns(WAIT_TIMESPEC, (int64_t[2]){ INT64_MAX / NS_PER_S, 999999999 }) <= INT64_MAX / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relative_waits_have_their_timeout_as_result),
		cmocka_unit_test(waits_without_a_limit_have_none),
		cmocka_unit_test(epoll_waits_milliseconds),
		cmocka_unit_test(absolute_waits_name_their_clock),
		cmocka_unit_test(a_restarted_or_asking_call_is_no_wait_of_its_own),
		cmocka_unit_test(select_has_sets_to_empty),
		cmocka_unit_test(lengths_never_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
