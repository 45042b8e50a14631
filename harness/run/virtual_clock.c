/* SPDX-License-Identifier: Apache-2.0 */
#include "run/virtual_clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "run/gate.h"
#include "run/sleepers.h"
#include "run/trampoline.h"

#define GATES_MAX 4
#define PROCESSES_MAX 4096
/* What is due sooner than a jump and its wake-up take is waited for. */
#define WORTH_A_JUMP_NS (40 * 1000)
/* Between two looks at a target that is awake: it begins with the first, as it mostly sleeps again at once. */
#define PAUSE_MIN_NS (10 * 1000)
#define PAUSE_MAX_NS (200 * 1000)
/* Of a target of which some thread always runs, the others' waits are seen that often: so late one may be known to have begun, or
 * an absolute one be ended. Of very many threads more rarely, so that looking takes no more than a twentieth of the time. */
#define THOROUGH_NS (2 * NS_PER_MS)
#define THOROUGH_SHARE 20
#define IDLE_NS (1 * NS_PER_MS)     /* nothing is due, or time may not jump */
#define ADMIT_MAX_NS (30 * NS_PER_S)

struct virtual_clock {
	struct clock *clock; /* borrowed */
	_Atomic int64_t *offset_ns; /* owned: the shared page */
	int page_fd, bell_fd;       /* owned. bell_fd wakes the thread */
	struct clock_hooks hooks;
	pthread_t thread;
	bool started;

	_Atomic bool quit, frozen, frozen_seen;
	_Atomic int64_t alarm_ns;
	_Atomic bool processes_changed;
	_Atomic unsigned alarm_set;  /* counts virtual_clock_set_alarm() */

	pthread_mutex_t lock; /* gates, n_gates, report */
	struct gate *gates[GATES_MAX]; /* owned */
	size_t n_gates;
	struct clock_report report;

	/* of the thread */
	struct sleepers *sleepers;
	unsigned alarm_rung;  /* alarm_set when the alarm went off: no jump until it is set again */
	int64_t pause_ns, next_thorough_ns; /* the second: CLOCK_MONOTONIC */
};

/* ---- what the gates report ---------------------------------------------------------------------------------------------------------- */

static void on_forked(void *arg)
{
	struct virtual_clock *v = arg;

	atomic_store(&v->processes_changed, true);
}

/* From any thread: the first reason stands. */
static void lose(struct virtual_clock *v, const char *why)
{
	(void)pthread_mutex_lock(&v->lock);
	if (!v->report.ended[0]) {
		(void)snprintf(v->report.ended, sizeof(v->report.ended), "%s", why);
		v->report.ended_ns = v->clock->exec_ns ? clock_now(v->clock) : 0;
	}
	(void)pthread_mutex_unlock(&v->lock);
}

/* Of a thread or process. */
static void lose_sight(struct virtual_clock *v, int error)
{
	lose(v, error == -EMFILE || error == -ENFILE ? "the run has more threads than files can be opened here (ulimit -n)"
						     : "a process of the run hides what it does (it is not dumpable, or another user's): as root it could be seen");
}

static void on_lost(void *arg, const char *why)
{
	lose(arg, why);
}

static int64_t on_read_clock(void *arg, int clock_id)
{
	struct virtual_clock *v = arg;
	struct timespec t = { 0, 0 };

	(void)clock_gettime(clock_id, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec + atomic_load(v->offset_ns);
}

static struct gate_events events_of(struct virtual_clock *v)
{
	return (struct gate_events){ on_forked, on_lost, on_read_clock, v };
}

static bool has_ended(struct virtual_clock *v)
{
	(void)pthread_mutex_lock(&v->lock);
	bool ended = v->report.ended[0];
	(void)pthread_mutex_unlock(&v->lock);
	return ended;
}

/* ---- the thread ------------------------------------------------------------------------------------------------------------------------ */

/* Gates are only ever added. */
static size_t gates_of(struct virtual_clock *v, struct gate *ret[GATES_MAX])
{
	(void)pthread_mutex_lock(&v->lock);
	size_t n = v->n_gates;
	memcpy(ret, v->gates, n * sizeof(*ret));
	(void)pthread_mutex_unlock(&v->lock);
	return n;
}

/* Sleeps for so long, or until somebody asks at a gate or rings. Then answers. Returns whether an exec is under way. */
static bool rest_and_serve(struct virtual_clock *v, int64_t ns)
{
	struct gate *gates[GATES_MAX];
	size_t n = gates_of(v, gates);
	struct pollfd fds[GATES_MAX + 1];
	const struct timespec t = { ns / NS_PER_S, ns % NS_PER_S };
	const struct gate_events events = events_of(v);
	bool busy = false;
	uint64_t count;

	for (size_t i = 0; i < n; i++)
		fds[i] = (struct pollfd){ .fd = gate_fd(gates[i]), .events = POLLIN };
	fds[n] = (struct pollfd){ .fd = v->bell_fd, .events = POLLIN };
	int ready = ppoll(fds, n + 1, &t, NULL);
	if (ready > 0 && fds[n].revents)
		(void)!read(v->bell_fd, &count, sizeof(count));
	for (size_t i = 0; i < n; i++) {
		if (fds[i].revents & (POLLHUP | POLLERR) && !(fds[i].revents & POLLIN))
			continue; /* its processes are gone */
		if ((ready > 0 && fds[i].revents) || gate_is_busy(gates[i]))
			gate_serve(gates[i], &events);
		busy |= gate_is_busy(gates[i]);
	}
	return busy;
}

static void list_processes(struct virtual_clock *v)
{
	static _Thread_local pid_t pids[PROCESSES_MAX];

	struct gate *gates[GATES_MAX];
	size_t n = v->hooks.processes(v->hooks.arg, pids, PROCESSES_MAX), n_gates = gates_of(v, gates);

	for (size_t i = 0; i < n_gates; i++)
		n += gate_processes(gates[i], pids + n, PROCESSES_MAX - n);
	if (n == PROCESSES_MAX)
		lose(v, "the run has more than 4 095 processes");
	int added = sleepers_set(v->sleepers, pids, n);
	if (added < 0)
		lose_sight(v, added);
	/* One that is new may have asked already for one more, which is not there yet: until a list brings nobody. */
	if (added > 0)
		atomic_store(&v->processes_changed, true);
}

static void ring_alarm(struct virtual_clock *v)
{
	const uint64_t one = 1;

	v->alarm_rung = atomic_load(&v->alarm_set);
	(void)!write(v->clock->alarm_fd, &one, sizeof(one));
}

/* The alarm has gone off and the supervisor has not been there yet. */
static bool waits_for_supervisor(struct virtual_clock *v)
{
	return v->alarm_rung == atomic_load(&v->alarm_set);
}

/* Until then the thread may rest: the first thing due that it has to do something about. */
static int64_t rest_until(struct virtual_clock *v, int64_t next, int64_t now, int64_t most)
{
	int64_t alarm = atomic_load(&v->alarm_ns), late = sleepers_next_late(v->sleepers);

	next = waits_for_supervisor(v) || alarm > next ? next : alarm;
	next = late < next ? late : next;
	int64_t left = next == INT64_MAX ? most : next - now;
	return left < 1000 ? 1000 : left < most ? left : most;
}

static void wake_due(struct virtual_clock *v)
{
	pid_t tid = 0;
	int r = sleepers_wake(v->sleepers, clock_now(v->clock), &tid);
	char why[200];

	(void)pthread_mutex_lock(&v->lock);
	v->report.wakes = sleepers_woken(v->sleepers);
	(void)pthread_mutex_unlock(&v->lock);
	if (r < 0) {
		(void)snprintf(why, sizeof(why), "thread %d cannot be woken (%s): is it traced, or does it hide its memory (not dumpable)?",
			       (int)tid, strerror(-r));
		lose(v, why);
	}
}

/* All sleep, the first until `next`. */
static void jump(struct virtual_clock *v, int64_t next)
{
	int64_t skip;

	if (v->hooks.hold(v->hooks.arg, next)) {
		v->hooks.let_go(v->hooks.arg);
		ring_alarm(v);
		return;
	}
	skip = next - clock_now(v->clock);
	if (skip > 0) {
		atomic_fetch_add(v->offset_ns, skip);
		sleepers_jumped(v->sleepers);
	}
	v->hooks.let_go(v->hooks.arg);
	if (skip > 0) {
		(void)pthread_mutex_lock(&v->lock);
		v->report.jumps++;
		v->report.skipped_ns += skip;
		if (skip > v->report.largest_ns)
			v->report.largest_ns = skip;
		(void)pthread_mutex_unlock(&v->lock);
	}
	wake_due(v);
	v->pause_ns = PAUSE_MIN_NS;
}

/* Somebody is awake: the next look comes soon at first, then more and more rarely. */
static int64_t longer_pause(struct virtual_clock *v)
{
	int64_t pause = v->pause_ns;

	v->pause_ns = pause + pause / 16 < PAUSE_MAX_NS ? pause + pause / 16 : PAUSE_MAX_NS;
	return pause;
}

static enum look look_now(struct virtual_clock *v, int64_t *ret_next)
{
	int64_t begun = clock_monotonic_ns();
	bool thorough = begun >= v->next_thorough_ns;
	enum look look = sleepers_look(v->sleepers, thorough, ret_next);
	int64_t ended = clock_monotonic_ns(), took = ended - begun;

	if (thorough || look == LOOK_ASLEEP)
		v->next_thorough_ns = ended + (took * THOROUGH_SHARE > THOROUGH_NS ? took * THOROUGH_SHARE : THOROUGH_NS);
	return look;
}

/* One look and what follows from it. Returns how long to rest then. */
static int64_t turn(struct virtual_clock *v)
{
	bool may_jump = !atomic_load(&v->frozen) && !has_ended(v);
	bool moved = atomic_load_explicit(v->offset_ns, memory_order_relaxed) > 0;
	int64_t next, now = clock_now(v->clock);

	if (!waits_for_supervisor(v) && atomic_load(&v->alarm_ns) <= now)
		ring_alarm(v);
	/* Nothing was ever moved and nothing will be: the kernel's timers are right. */
	if (!may_jump && !moved)
		return IDLE_NS;
	enum look look = look_now(v, &next);
	if (sleepers_next_late(v->sleepers) <= clock_now(v->clock)) {
		wake_due(v);
		return PAUSE_MIN_NS;
	}
	if (look == LOOK_FAILED)
		lose_sight(v, sleepers_error(v->sleepers));
	if (atomic_load(&v->frozen))
		return THOROUGH_NS; /* no more hooks: those who are known are still woken in time */
	/* Who was about to make a process when it asked at the gate has made it, now that all sleep. */
	if (look == LOOK_ASLEEP && atomic_exchange(&v->processes_changed, false)) {
		list_processes(v);
		return 1000;
	}
	if (look == LOOK_GONE) {
		list_processes(v);
		return PAUSE_MAX_NS / 2;
	}
	if (look != LOOK_ASLEEP)
		return may_jump ? longer_pause(v) : rest_until(v, INT64_MAX, clock_now(v->clock), THOROUGH_NS);

	int64_t alarm = atomic_load(&v->alarm_ns);
	now = clock_now(v->clock);
	if (!may_jump || waits_for_supervisor(v))
		return rest_until(v, next, now, IDLE_NS);
	if (alarm < next)
		next = alarm;
	if (next == INT64_MAX || next - now < WORTH_A_JUMP_NS)
		return rest_until(v, next, now, IDLE_NS);
	jump(v, next);
	return PAUSE_MIN_NS;
}

static void *virtual_clock_thread(void *arg)
{
	struct virtual_clock *v = arg;
	int64_t rest = 1000;

	(void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	(void)prctl(PR_SET_NAME, "clock", 0UL, 0UL, 0UL);
	while (!atomic_load(&v->quit)) {
		bool busy = rest_and_serve(v, rest);

		if (atomic_load(&v->frozen))
			atomic_store(&v->frozen_seen, true);
		rest = busy ? PAUSE_MIN_NS * 2 : turn(v);
	}
	return NULL;
}

/* ---- the main thread --------------------------------------------------------------------------------------------------------------- */

static void ring_bell(struct virtual_clock *v)
{
	const uint64_t one = 1;

	(void)!write(v->bell_fd, &one, sizeof(one));
}

int virtual_clock_new(struct clock *c, struct err *err)
{
	struct virtual_clock *v = xcalloc(1, sizeof(*v));
	int r = 0;

	v->clock = c;
	v->report = (struct clock_report){ .kind = CLOCK_KIND_VIRTUAL, .ended_ns = -1 };
	v->processes_changed = true;
	v->pause_ns = PAUSE_MIN_NS;
	atomic_init(&v->alarm_ns, INT64_MAX);
	v->alarm_rung = UINT32_MAX;
	(void)pthread_mutex_init(&v->lock, NULL);
	v->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	v->page_fd = memfd_create("memtide-clock", MFD_CLOEXEC);
	void *page = MAP_FAILED;
	if (v->page_fd >= 0 && ftruncate(v->page_fd, TRAMPOLINE_PAGE) == 0)
		page = mmap(NULL, TRAMPOLINE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, v->page_fd, 0);
	if (v->bell_fd < 0 || page == MAP_FAILED)
		r = err_set(err, errno, "cannot make the page of the virtual clock");
	v->offset_ns = page == MAP_FAILED ? NULL : page;
	c->virtual_clock = v;
	c->offset_ns = v->offset_ns;
	return r;
}

int virtual_clock_admit(struct virtual_clock *v, pid_t pid, int pidfd, int listener, int report_fd, int64_t *ret_exec_ns, struct err *err)
{
	const struct gate_events events = events_of(v);
	cleanup_free char *page = strf("/proc/%d/fd/%d", (int)getpid(), v->page_fd);
	int64_t end = clock_monotonic_ns() + ADMIT_MAX_NS;
	struct gate *g = NULL;
	int r = gate_open(&g, pidfd, listener, pid, page, err);

	if (r < 0)
		return r;
	/* Its own exec: until it is over, or the child says on report_fd that it has failed. */
	bool begun = false, over = false;
	while (!over && clock_monotonic_ns() < end) {
		struct pollfd fds[] = { { .fd = gate_fd(g), .events = POLLIN }, { .fd = begun ? -1 : report_fd, .events = POLLIN } };

		(void)poll(fds, 2, 1);
		gate_serve(g, &events);
		begun |= gate_is_busy(g);
		over = begun && !gate_is_busy(g);
		/* It has said so, or died. */
		struct pollfd failed = { .fd = report_fd, .events = POLLIN };
		over |= poll(&failed, 1, 0) > 0 && !gate_is_busy(g);
		over |= has_ended(v) && !gate_is_busy(g);
	}
	if (gate_is_busy(g)) {
		gate_give_up(g);
		lose(v, "a program that was started has not begun within 30 s");
	}
	*ret_exec_ns = gate_begun_ns(g) ? gate_begun_ns(g) : clock_monotonic_ns();
	(void)pthread_mutex_lock(&v->lock);
	if (v->n_gates == GATES_MAX)
		abort(); /* a run has a target and a load */
	v->gates[v->n_gates++] = g;
	(void)pthread_mutex_unlock(&v->lock);
	return 0;
}

void virtual_clock_processes_changed(struct virtual_clock *v)
{
	atomic_store(&v->processes_changed, true);
	ring_bell(v);
}

int virtual_clock_start(struct virtual_clock *v, const struct clock_hooks *hooks, struct err *err)
{
	v->hooks = *hooks;
	v->sleepers = sleepers_new(v->clock);
	int r = pthread_create(&v->thread, NULL, virtual_clock_thread, v);
	if (r != 0)
		return err_set(err, r, "cannot start the thread of the virtual clock");
	v->started = true;
	return 0;
}

void virtual_clock_stop(struct virtual_clock *v)
{
	const struct timespec pause = { 0, 20000 };

	atomic_store(&v->frozen, true);
	ring_bell(v);
	while (v->started && !atomic_load(&v->frozen_seen))
		(void)nanosleep(&pause, NULL);
}

void virtual_clock_set_alarm(struct virtual_clock *v, int64_t target_ns)
{
	atomic_store(&v->alarm_ns, target_ns);
	atomic_fetch_add(&v->alarm_set, 1);
	ring_bell(v);
}

void virtual_clock_report(const struct virtual_clock *v, struct clock_report *ret)
{
	struct virtual_clock *w = (struct virtual_clock *)v;

	(void)pthread_mutex_lock(&w->lock);
	*ret = v->report;
	(void)pthread_mutex_unlock(&w->lock);
}

void virtual_clock_end(struct virtual_clock *v)
{
	if (!v->started)
		return;
	atomic_store(&v->quit, true);
	ring_bell(v);
	(void)pthread_join(v->thread, NULL);
	v->started = false;
}

void virtual_clock_free(struct virtual_clock *v)
{
	if (!v)
		return;
	virtual_clock_end(v);
	for (size_t i = 0; i < v->n_gates; i++)
		(void)gate_free(v->gates[i]);
	(void)sleepers_free(v->sleepers);
	if (v->offset_ns)
		(void)munmap((void *)v->offset_ns, TRAMPOLINE_PAGE);
	if (v->page_fd >= 0)
		(void)close(v->page_fd);
	if (v->bell_fd >= 0)
		(void)close(v->bell_fd);
	(void)pthread_mutex_destroy(&v->lock);
	free(v);
}
