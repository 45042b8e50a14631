/* SPDX-License-Identifier: Apache-2.0
 *
 * clock MODE S - waits S seconds in one way, prints `elapsed` and what its own clock says, and exits with 0; with 3 and a
 * sentence where that is off by more than clock.h allows, or where a wait did not end as its time limit ends it.
 *
 *   nanosleep, nanosleep-loop (goes on after EINTR), abs-monotonic, abs-realtime (clock_nanosleep), cond (until a realtime),
 *   cond-monotonic, sem, select, poll, epoll, sigtimedwait, rcvtimeo (SO_RCVTIMEO), timerfd, posix-timer, itimer, alarm
 *   raw-clock     reads the time by system calls, without the vDSO
 *   time          time(), gettimeofday() and clock_gettime() agree, before and after
 *   cpu           the clocks of CPU time do not count a sleep
 *   spin          reads the clock until S have passed
 *   leader-exit   the first thread ends, another sleeps
 *   cond-race     40 threads are signalled at the moment when their time is up, once a second
 *   spin-beside   the same in one thread, while another sleeps
 *   threads N S   N threads sleep
 *   exit          exits at once
 */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"

/* ---- waits */

static void mode_nanosleep(double s)
{
	sleep_for(s);
}

static void mode_nanosleep_loop(double s)
{
	struct timespec t = to_timespec(s);

	while (nanosleep(&t, &t) == -1 && errno == EINTR)
		;
}

static void until(clockid_t clock, double s)
{
	struct timespec end = from_now(clock, s);

	errno = clock_nanosleep(clock, TIMER_ABSTIME, &end, NULL);
	expect(errno == 0, "clock_nanosleep");
	if (now(clock) < to_seconds(end))
		fail("clock: clock_nanosleep returned before its time");
}

static void mode_abs_monotonic(double s)
{
	until(CLOCK_MONOTONIC, s);
}

static void mode_abs_realtime(double s)
{
	until(CLOCK_REALTIME, s);
}

static void timed_wait(clockid_t clock, double s)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_condattr_t attr;
	pthread_cond_t cond;
	struct timespec end = from_now(clock, s);

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, clock);
	pthread_cond_init(&cond, &attr);
	pthread_mutex_lock(&mutex);
	do
		errno = pthread_cond_timedwait(&cond, &mutex, &end);
	while (errno == 0); /* POSIX allows it to wake up for nothing */
	expect(errno == ETIMEDOUT, "pthread_cond_timedwait");
	if (now(clock) < to_seconds(end))
		fail("clock: pthread_cond_timedwait returned before its time");
	pthread_mutex_unlock(&mutex);
}

static void mode_cond(double s)
{
	timed_wait(CLOCK_REALTIME, s);
}

static void mode_cond_monotonic(double s)
{
	timed_wait(CLOCK_MONOTONIC, s);
}

static void mode_sem(double s)
{
	struct timespec end = from_now(CLOCK_REALTIME, s);
	sem_t sem;

	sem_init(&sem, 0, 0);
	expect(sem_timedwait(&sem, &end) == -1 && errno == ETIMEDOUT, "sem_timedwait");
}

static void mode_select(double s)
{
	struct timeval t = { (time_t)s, (suseconds_t)((s - floor(s)) * 1e6) };

	expect(select(0, NULL, NULL, NULL, &t) == 0, "select");
}

static void mode_poll(double s)
{
	int ends[2];

	expect(pipe(ends) == 0, "pipe");
	struct pollfd p = { ends[0], POLLIN, 0 };
	expect(poll(&p, 1, (int)(s * 1000)) == 0, "poll");
}

static void mode_epoll(double s)
{
	struct epoll_event event;
	int fd = epoll_create1(EPOLL_CLOEXEC);

	expect(fd >= 0 && epoll_wait(fd, &event, 1, (int)(s * 1000)) == 0, "epoll_wait");
}

static void block(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	expect(sigprocmask(SIG_BLOCK, &set, NULL) == 0, "sigprocmask");
}

static void wait_for(int signal)
{
	sigset_t set;
	int got;

	sigemptyset(&set);
	sigaddset(&set, signal);
	errno = sigwait(&set, &got);
	expect(errno == 0, "sigwait");
}

static void mode_sigtimedwait(double s)
{
	struct timespec t = to_timespec(s);
	sigset_t set;

	block(SIGUSR2);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	expect(sigtimedwait(&set, NULL, &t) == -1 && errno == EAGAIN, "sigtimedwait");
}

/* ---- waits that the kernel keeps time for */

static void mode_timerfd(double s)
{
	struct itimerspec when = { { 0, 0 }, to_timespec(s) };
	unsigned long long times;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	expect(fd >= 0 && timerfd_settime(fd, 0, &when, NULL) == 0, "timerfd_settime");
	expect(read(fd, &times, sizeof(times)) == sizeof(times) && times == 1, "a timerfd's read");
}

static void mode_posix_timer(double s)
{
	struct itimerspec when = { { 0, 0 }, to_timespec(s) };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t timer;

	block(SIGUSR1);
	expect(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
	expect(timer_settime(timer, 0, &when, NULL) == 0, "timer_settime");
	wait_for(SIGUSR1);
}

static volatile sig_atomic_t rung;

static void ring(int signal)
{
	rung = signal;
}

static void pause_until_rung(void)
{
	while (!rung)
		pause();
}

static void mode_itimer(double s)
{
	struct itimerval when = { { 0, 0 }, { (time_t)s, (suseconds_t)((s - floor(s)) * 1e6) } };

	signal(SIGALRM, ring);
	expect(setitimer(ITIMER_REAL, &when, NULL) == 0, "setitimer");
	pause_until_rung();
}

static void mode_alarm(double s)
{
	signal(SIGALRM, ring);
	alarm((unsigned)s);
	pause_until_rung();
}

static void mode_rcvtimeo(double s)
{
	struct timeval limit = { (time_t)s, (suseconds_t)((s - floor(s)) * 1e6) };
	int ends[2];
	char byte;

	tolerance = 0.15; /* the kernel's timer wheel is as coarse as 1/8 */
	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
	expect(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0, "SO_RCVTIMEO");
	expect(recv(ends[0], &byte, 1, 0) == -1 && errno == EAGAIN, "recv");
}

/* ---- clocks */

static double raw_now(void)
{
	struct timespec t;

	expect(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t) == 0, "the system call clock_gettime");
	return to_seconds(t);
}

static void mode_raw_clock(double s)
{
	double began = raw_now();

	sleep_for(s);
	check("by the system call", raw_now() - began, s);
}

static double wall_by_gettimeofday(void)
{
	struct timeval t;

	gettimeofday(&t, NULL);
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void clocks_agree(const char *when)
{
	double exact = now(CLOCK_REALTIME), other[] = { (double)time(NULL), wall_by_gettimeofday(), now(CLOCK_REALTIME_COARSE) };

	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
		if (fabs(other[i] - exact) > 1)
			fail("clock: %s it sleeps, clock %zu says %.3f and CLOCK_REALTIME %.3f", when, i, other[i], exact);
}

static void mode_time(double s)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME,         CLOCK_MONOTONIC,     CLOCK_REALTIME_COARSE,
					    CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME };
	double began[sizeof(clocks) / sizeof(*clocks)];
	char what[32];

	clocks_agree("before");
	for (size_t i = 0; i < sizeof(clocks) / sizeof(*clocks); i++)
		began[i] = now(clocks[i]);
	sleep_for(s);
	clocks_agree("after");
	for (size_t i = 0; i < sizeof(clocks) / sizeof(*clocks); i++) {
		snprintf(what, sizeof(what), "clock %d", (int)clocks[i]);
		check(what, now(clocks[i]) - began[i], s);
	}
}

static void mode_cpu(double s)
{
	double process = now(CLOCK_PROCESS_CPUTIME_ID), thread = now(CLOCK_THREAD_CPUTIME_ID);

	sleep_for(s);
	process = now(CLOCK_PROCESS_CPUTIME_ID) - process;
	thread = now(CLOCK_THREAD_CPUTIME_ID) - thread;
	if (process < 0 || process > 0.1 || thread < 0 || thread > 0.1)
		fail("clock: asleep for %.3f s, it used %.3f s of CPU as a process and %.3f s as a thread", s, process, thread);
}

/* ---- threads */

static void mode_spin(double s)
{
	double end = now(CLOCK_MONOTONIC) + s;

	while (now(CLOCK_MONOTONIC) < end)
		;
}

static void *sleeper(void *seconds)
{
	double s = *(double *)seconds, began = now(CLOCK_MONOTONIC);

	sleep_for(s);
	check("one thread", now(CLOCK_MONOTONIC) - began, s);
	return NULL;
}

static void *sleeper_in_halves(void *seconds)
{
	double half = *(double *)seconds / 2;

	sleeper(&half);
	return sleeper(&half);
}

static void start(pthread_t *thread, void *(*run)(void *), double *seconds)
{
	errno = pthread_create(thread, NULL, run, seconds);
	expect(errno == 0, "pthread_create");
}

static void mode_spin_beside(double s)
{
	pthread_t thread;

	start(&thread, sleeper_in_halves, &s);
	mode_spin(s);
	pthread_join(thread, NULL);
}

/* The process goes on without its first thread. */
static void *last_thread(void *seconds)
{
	double s = *(double *)seconds;

	sleep_for(0.1);
	sleep_for(s - 0.1);
	printf("elapsed %.3f\n", s);
	exit(0);
}

static void mode_leader_exit(double s)
{
	static double kept;
	pthread_t thread;

	kept = s;
	start(&thread, last_thread, &kept);
	pthread_exit(NULL);
}

#define RACERS 40

static struct racer {
	pthread_mutex_t lock;
	pthread_cond_t wake;
} racers[RACERS];

/* Until the next full second, again and again: the signal comes at the very moment when the time is up. */
static void *race(void *arg)
{
	struct racer *r = arg;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		struct timespec until = { (time_t)now(CLOCK_MONOTONIC) + 1, 0 };

		if (pthread_cond_timedwait(&r->wake, &r->lock, &until) == ETIMEDOUT && now(CLOCK_MONOTONIC) < (double)until.tv_sec)
			fail("clock: a timeout before its time");
	}
	return NULL;
}

static void mode_cond_race(double s)
{
	pthread_condattr_t attr;
	pthread_t thread;
	double began = now(CLOCK_MONOTONIC);
	struct timespec until = { (time_t)began, 0 };

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	for (int i = 0; i < RACERS; i++) {
		pthread_mutex_init(&racers[i].lock, NULL);
		pthread_cond_init(&racers[i].wake, &attr);
		errno = pthread_create(&thread, NULL, race, &racers[i]);
		expect(errno == 0, "pthread_create");
	}
	for (int k = 0; k < (int)s; k++) {
		until.tv_sec++;
		(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		for (int i = 0; i < RACERS; i++)
			pthread_cond_signal(&racers[i].wake);
	}
	sleep_for(fmax(0, began + s - now(CLOCK_MONOTONIC)));
}

static void mode_threads(double s)
{
	size_t n = strtoul(arguments[2], NULL, 10);
	pthread_t *threads = calloc(n, sizeof(*threads));

	for (size_t i = 0; i < n; i++)
		start(&threads[i], sleeper, &s);
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

static void mode_exit(double s)
{
	(void)s;
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{ "nanosleep", mode_nanosleep },
		{ "nanosleep-loop", mode_nanosleep_loop },
		{ "abs-monotonic", mode_abs_monotonic },
		{ "abs-realtime", mode_abs_realtime },
		{ "cond", mode_cond },
		{ "cond-monotonic", mode_cond_monotonic },
		{ "sem", mode_sem },
		{ "select", mode_select },
		{ "poll", mode_poll },
		{ "epoll", mode_epoll },
		{ "sigtimedwait", mode_sigtimedwait },
		{ "timerfd", mode_timerfd },
		{ "posix-timer", mode_posix_timer },
		{ "itimer", mode_itimer },
		{ "alarm", mode_alarm },
		{ "rcvtimeo", mode_rcvtimeo },
		{ "raw-clock", mode_raw_clock },
		{ "time", mode_time },
		{ "cpu", mode_cpu },
		{ "spin", mode_spin },
		{ "spin-beside", mode_spin_beside },
		{ "leader-exit", mode_leader_exit },
		{ "cond-race", mode_cond_race },
		{ "threads", mode_threads },
		{ "exit", mode_exit },
	};

	return run_mode(modes, sizeof(modes) / sizeof(*modes), argc, argv);
}
