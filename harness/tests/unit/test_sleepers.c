/* SPDX-License-Identifier: Apache-2.0
 *
 * A wait ends when it would, whenever its thread was stopped (SIGSTOP) and told to go on: the kernel begins it again under another number.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/futex.h>

#include <cmocka.h>

#include "base/units.h"
#include "run/clock.h"
#include "run/sleepers.h"

#define LONG_S 1000
#define SLACK_S 30 /* of a busy machine; a wait that is mistaken for another is off by LONG_S or has no limit */

enum how { NANOSLEEP, FUTEX, FUTEX_UNTIL, POLL, SELECT };

struct shared {
	_Atomic int finished; /* waits */
	uint32_t word;        /* a futex that nobody wakes */
};

static struct clock clock_;
static _Atomic int64_t skipped_ns; /* by the clock, as a jump does it */
static struct shared *shared;
static struct sleepers *sleepers;
static pid_t child;

/* The same arguments each time, whatever they point at. */
__attribute__((noinline)) static void wait_for(enum how how, struct timespec *t, struct timeval *tv, int ms)
{
	switch (how) {
	case NANOSLEEP:
		(void)syscall(SYS_clock_nanosleep, CLOCK_REALTIME, 0, t, NULL);
		break;
	case FUTEX:
		(void)syscall(SYS_futex, &shared->word, FUTEX_WAIT, 0, t, NULL, 0);
		break;
	case FUTEX_UNTIL:
		(void)syscall(SYS_futex, &shared->word, FUTEX_WAIT_BITSET, 0, t, NULL, FUTEX_BITSET_MATCH_ANY);
		break;
	case POLL:
		(void)poll(NULL, 0, ms);
		break;
	case SELECT:
		(void)select(0, NULL, NULL, NULL, tv);
		break;
	}
}

/* A child that waits for each of so many ms, one after the other. */
static void begin(enum how how, const int *ms, int n)
{
	/* Not fork(), which the thread sanitizer gives a thread of its own that sleeps too. */
	child = (pid_t)syscall(SYS_fork);
	assert_true(child >= 0);
	if (child == 0) {
		struct timespec t, now;
		struct timeval tv;

		for (int i = 0; i < n; i++) {
			t = (struct timespec){ ms[i] / 1000, ms[i] % 1000 * NS_PER_MS };
			tv = (struct timeval){ ms[i] / 1000, ms[i] % 1000 * 1000 };
			(void)clock_gettime(CLOCK_MONOTONIC, &now);
			if (how == FUTEX_UNTIL)
				t.tv_sec += now.tv_sec + 1;
			wait_for(how, &t, &tv, ms[i]);
			shared->finished++;
		}
		_exit(0);
	}
	sleepers = sleepers_new(&clock_);
	assert_int_equal(sleepers_set(sleepers, &child, 1), 1);
}

static int end(void **state)
{
	(void)state;
	sleepers = sleepers_free(sleepers);
	if (child > 0) {
		(void)kill(child, SIGKILL);
		(void)waitpid(child, NULL, 0);
	}
	child = 0;
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	if (!shared)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared->finished = 0;
	skipped_ns = 0;
	clock_ = (struct clock){ .exec_ns = clock_monotonic_ns(), .offset_ns = &skipped_ns };
	return 0;
}

static void pause_ms(long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * NS_PER_MS };

	(void)nanosleep(&t, NULL);
}

/* When its wait will be over, from now on, once it sleeps. */
static double left_s(void)
{
	int64_t next;

	for (int i = 0; i < 10000; i++) {
		if (sleepers_look(sleepers, true, &next) == LOOK_ASLEEP)
			return next == INT64_MAX ? -1 : (double)(next - clock_now(&clock_)) / 1e9;
		pause_ms(1);
	}
	fail_msg("it never slept");
	return -1;
}

static void assert_long(void)
{
	double left = left_s();

	assert_true(left > LONG_S - SLACK_S && left < LONG_S + SLACK_S);
}

/* Nobody looks while it stops. */
static void stop(void)
{
	assert_int_equal(kill(child, SIGSTOP), 0);
	assert_int_equal(waitpid(child, NULL, WUNTRACED), child);
}

static void go_on(void)
{
	assert_int_equal(kill(child, SIGCONT), 0);
	pause_ms(20);
}

static void look(void)
{
	int64_t next;

	assert_int_equal(sleepers_look(sleepers, true, &next), LOOK_AWAKE);
}

static const enum how all[] = { NANOSLEEP, FUTEX, FUTEX_UNTIL, POLL, SELECT };
#define FOR_ALL(how_) for (size_t i_ = 0; i_ < sizeof(all) / sizeof(*all) && (how_ = all[i_], set_up(NULL), true); i_++, end(NULL))

static void test_a_known_wait_is_stopped(void **state)
{
	enum how how;

	(void)state;
	FOR_ALL(how) {
		begin(how, (const int[]){ LONG_S * 1000 }, 1);
		assert_long();
		for (int i = 0; i < 3; i++) {
			stop();
			look();
			go_on();
			assert_long();
		}
	}
}

static void test_a_wait_is_stopped_before_it_is_known(void **state)
{
	enum how how;

	(void)state;
	FOR_ALL(how) {
		begin(how, (const int[]){ LONG_S * 1000 }, 1);
		pause_ms(50);
		stop();
		look();
		go_on();
		assert_long();
	}
}

static void test_a_wait_is_stopped_and_goes_on_before_it_is_known(void **state)
{
	enum how how;

	(void)state;
	FOR_ALL(how) {
		begin(how, (const int[]){ LONG_S * 1000 }, 1);
		pause_ms(50);
		stop();
		go_on();
		assert_long();
	}
}

/* What is known is of the wait before, which looked the same. */
static void test_the_next_wait_is_stopped_before_it_is_known(void **state)
{
	enum how how;

	(void)state;
	for (int seen = 0; seen < 2; seen++)
		FOR_ALL(how) {
			begin(how, (const int[]){ 1000, LONG_S * 1000 }, 2);
			assert_true(left_s() < SLACK_S);
			while (!shared->finished)
				pause_ms(1);
			pause_ms(50);
			stop();
			if (seen)
				look();
			go_on();
			assert_long();
		}
}

/* It is due, as time has jumped, and is stopped at that moment: it ends when it goes on. */
static void test_a_wait_is_stopped_when_it_is_to_be_woken(void **state)
{
	enum how how;
	pid_t tid;

	(void)state;
	FOR_ALL(how) {
		begin(how, (const int[]){ LONG_S * 1000 }, 1);
		assert_long();
		skipped_ns += (LONG_S + 5) * NS_PER_S;
		sleepers_jumped(sleepers);
		stop();
		assert_int_equal(sleepers_wake(sleepers, clock_now(&clock_), &tid), 0);
		look();
		go_on();
		for (int i = 0; i < 1000 && !shared->finished; i++) {
			int64_t next;

			(void)sleepers_look(sleepers, true, &next);
			assert_int_equal(sleepers_wake(sleepers, clock_now(&clock_), &tid), 0);
			pause_ms(1);
		}
		assert_int_equal(shared->finished, 1);
		assert_int_equal(sleepers_woken(sleepers), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_known_wait_is_stopped, set_up, end),
		cmocka_unit_test_setup_teardown(test_a_wait_is_stopped_before_it_is_known, set_up, end),
		cmocka_unit_test_setup_teardown(test_a_wait_is_stopped_and_goes_on_before_it_is_known, set_up, end),
		cmocka_unit_test_setup_teardown(test_the_next_wait_is_stopped_before_it_is_known, set_up, end),
		cmocka_unit_test_setup_teardown(test_a_wait_is_stopped_when_it_is_to_be_woken, set_up, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
