/* SPDX-License-Identifier: Apache-2.0 */
#include "run/sampler.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"
#include "run/lateness.h"
#include "run/sampler_parts.h"
#include "run/target_files.h"

#define SAMPLE_RING 32768
#define PROBE_RING 4096
#define SAID_RING 8192

#define CPU_SHARE_NS (100 * NS_PER_MS)
#define SAMPLER_PRIORITY 50
#define HELD_NS (20 * NS_PER_MS) /* longer than a clock holds a target, unless it has lost its CPU */
#define LEADER_ALONE_NS (2 * NS_PER_S) /* of real time */
#define STACK_BYTES (1024 * 1024) /* the least that the thread sanitizer accepts */

enum slot_state { SLOT_FREE, SLOT_LIVE, SLOT_STOPPING, SLOT_STOPPED };

/* A line of the program's: a mark, or a number that it tells. */
struct said {
	int64_t t_ns;
	char name[MARK_NAME_MAX + 1];
	uint64_t value; /* MISSING: a mark */
};

#define VALUE_DIGITS_MAX 19
#define VALUE_TEXT_MAX   24 /* "=" and the digits, and room for too many */

struct sampler_slot {
	struct sampler *sampler;
	_Atomic int state; /* the main thread sets LIVE and STOPPING, the sampling thread STOPPED */
	struct target_files files;
	const struct clock *clock;
	int mark_fd;

	pthread_mutex_t taken; /* by the sampling thread for a tick, or by the target's clock for a jump: who is waited for inherits the
				* priority */
	int64_t passed_by_ns;  /* of the sampling thread: the ticks in a row that were left to the clock */
	/* of who has taken it, while LIVE */
	struct sample last;
	struct probe last_probe;
	int64_t looked_ns; /* CLOCK_MONOTONIC of the last look */
	int64_t next_probe_ns, share_since_ns, probe_every_ns;
	uint64_t share_since_cpu_ns;
	char partial[MARK_NAME_MAX + VALUE_TEXT_MAX + 1]; /* of a line */
	size_t partial_len;
	bool exited;
	int64_t exited_ns;
	bool leader_exited; /* other threads went on */
	uint64_t max_rss_bytes;
	uint64_t samples, missed, lost, lost_marks, no_lines;
	struct lateness lateness;

	_Atomic uint32_t cpu_permille;
	double cpu_at_start_s; /* main thread */
	struct ring sample_ring, probe_ring, said_ring;
	struct sample samples_buf[SAMPLE_RING];
	struct probe probes_buf[PROBE_RING];
	struct said said_buf[SAID_RING];
	struct sampler_inside inside;
};

struct sampler {
	pthread_t thread;
	char *stack; /* owned: the thread's */
	clockid_t thread_cpu_clock;
	int64_t period_ns;
	unsigned bound_permille; /* of a CPU; 0: none. Set before there are targets */
	_Atomic uint32_t top;    /* slots from there on have never been used */
	_Atomic uint32_t live; /* number of targets not yet released */
	_Atomic uint32_t bell; /* a futex, rung at each change of live and quit; the thread sleeps on it while live is 0 */
	_Atomic bool quit;
	_Atomic int scheduling; /* -1 until known, else the policy */
	_Atomic(struct sampler_slot *) slots[SAMPLER_TARGETS_MAX];
};

/* ---- the sampling thread: from here to the next line of this kind nothing allocates or prints, or locks but the slot -------------------- */

static void store_sample(struct sampler_slot *s, const struct sample *now)
{
	uint32_t at;

	if (!ring_push(&s->sample_ring, SAMPLE_RING, &at)) {
		s->lost++;
		return;
	}
	s->samples_buf[at] = *now;
	ring_publish(&s->sample_ring);
	s->last = *now;
}

/* Nobody looked since: what was seen last held for a period, and then nothing is known. A jump of a virtual clock is made right
 * after a look, so that what it skipped lies before. */
static void store_gap_if_any(struct sampler_slot *s, int64_t t_ns)
{
	int64_t now = clock_monotonic_ns(), unseen = now - s->looked_ns;
	const struct sample nothing = { t_ns - unseen + s->sampler->period_ns, MISSING, MISSING };
	uint32_t at;

	s->looked_ns = now;
	if (unseen <= SAMPLER_UNSEEN_NS || s->exited)
		return;
	store_sample(s, &nothing);
	sampler_inside_gap(&s->inside, nothing.t_ns);
	s->last_probe = (struct probe){ nothing.t_ns, MISSING, MISSING, MISSING, MISSING, MISSING, MISSING, MISSING, MISSING, MISSING, 1 };
	s->next_probe_ns = t_ns;
	if (ring_push(&s->probe_ring, PROBE_RING, &at)) {
		s->probes_buf[at] = s->last_probe;
		ring_publish(&s->probe_ring);
	} else {
		s->lost++;
	}
}

/* The digits after "=", or MISSING. */
static uint64_t parse_value(const char *text, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return MISSING;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	return n > 0 && n <= VALUE_DIGITS_MAX && value <= INT64_MAX ? value : MISSING;
}

/* A mark has letters, digits and "-" in its name, a value "_" for "-". */
static void copy_name(char *to, const char *from, size_t n, char other)
{
	if (n > MARK_NAME_MAX)
		n = MARK_NAME_MAX;
	for (size_t i = 0; i < n; i++)
		to[i] = (from[i] >= 'a' && from[i] <= 'z') || (from[i] >= '0' && from[i] <= '9') ? from[i] : other;
}

static void store_line(struct sampler_slot *s, int64_t t_ns)
{
	const char *equals = memchr(s->partial, '=', s->partial_len);
	size_t name = equals ? (size_t)(equals - s->partial) : s->partial_len;
	struct said m = { .t_ns = t_ns, .value = MISSING };
	uint32_t at;

	if (equals)
		m.value = parse_value(equals + 1, s->partial_len - name - 1);
	/* A number that is none says nothing. */
	if (equals && (m.value == MISSING || name > MARK_NAME_MAX || name == 0)) {
		s->no_lines++;
		name = 0;
	}
	copy_name(m.name, s->partial, name, equals ? '_' : '-');
	s->partial_len = 0;
	if (!m.name[0])
		return;
	/* Once one is lost the later ones are too: those that are kept have no hole. */
	if (s->lost_marks || !ring_push(&s->said_ring, SAID_RING, &at)) {
		s->lost_marks++;
		return;
	}
	s->said_buf[at] = m;
	ring_publish(&s->said_ring);
}

/* Marks are read here and not in the control loop, so that they are as exact as the samples beside them. Returns whether there
 * may be more. */
static bool read_marks(struct sampler_slot *s, int64_t t_ns)
{
	char text[512];
	ssize_t n = s->mark_fd < 0 ? -1 : read(s->mark_fd, text, sizeof(text));

	if (n == 0) {
		s->mark_fd = -1; /* the program closed its end: no more marks */
		if (s->partial_len)
			store_line(s, t_ns);
	}
	for (ssize_t i = 0; i < n; i++) {
		char c = text[i];

		if (c == '\n')
			store_line(s, t_ns);
		else if (s->partial_len < sizeof(s->partial) - 1)
			s->partial[s->partial_len++] = c;
	}
	return n > 0;
}

static void take_fast_probe(struct sampler_slot *s, int64_t t_ns)
{
	struct probe p;
	uint32_t at;

	target_read_fast(&s->files, &p);
	p.t_ns = t_ns;
	if (p.threads == MISSING)
		return; /* it has exited */
	if (p.cpu_ns != MISSING && t_ns - s->share_since_ns >= CPU_SHARE_NS) {
		uint64_t used = p.cpu_ns - s->share_since_cpu_ns;

		atomic_store_explicit(&s->cpu_permille, (uint32_t)(used * 1000 / (uint64_t)(t_ns - s->share_since_ns)),
				      memory_order_relaxed);
		s->share_since_ns = t_ns;
		s->share_since_cpu_ns = p.cpu_ns;
	}

	struct probe *l = &s->last_probe;
	bool same = p.threads == l->threads && p.hwm_bytes == l->hwm_bytes && p.inactive_file_bytes == l->inactive_file_bytes &&
		    p.working_set_bytes == l->working_set_bytes && p.cpu_ns - l->cpu_ns < NS_PER_MS;
	if (same && t_ns - l->t_ns < KEEP_ALIVE_NS)
		return;
	if (!ring_push(&s->probe_ring, PROBE_RING, &at)) {
		s->lost++;
		return;
	}
	s->probes_buf[at] = p;
	ring_publish(&s->probe_ring);
	*l = p;
}

/* until_ns: to where a virtual clock is about to jump; 0: nowhere. */
static void look(struct sampler_slot *s, int64_t until_ns)
{
	struct sample now;
	uint32_t said = atomic_load_explicit(&s->said_ring.head, memory_order_relaxed);

	now.t_ns = clock_now(s->clock);
	store_gap_if_any(s, now.t_ns);
	/* A thread that executes a program ends all others first, and then takes the first one's place: for a moment there is no memory. */
	if (!s->leader_exited) {
		bool before = s->exited;

		s->exited = !target_read_sample(&s->files, &now);
		s->samples += !s->exited;
		if (s->exited && !before)
			s->exited_ns = clock_monotonic_ns();
		/* All of a process that exits, or is killed, goes at once, but not in one moment. */
		if (s->exited)
			s->leader_exited = clock_monotonic_ns() - s->exited_ns > LEADER_ALONE_NS && target_has_threads_left(&s->files);
	}
	if (!s->exited && (now.rss_bytes != s->last.rss_bytes || now.usage_bytes != s->last.usage_bytes ||
			   now.t_ns - s->last.t_ns >= KEEP_ALIVE_NS))
		store_sample(s, &now);
	(void)read_marks(s, now.t_ns);
	/* At each new height the kernel's high-water mark too: the next tick may find the program gone. */
	bool higher = !s->exited && now.rss_bytes > s->max_rss_bytes;
	if (higher)
		s->max_rss_bytes = now.rss_bytes;
	if (!s->exited && (higher || now.t_ns >= s->next_probe_ns)) {
		take_fast_probe(s, now.t_ns);
		s->next_probe_ns = now.t_ns + s->probe_every_ns;
	}
	if (!s->exited)
		sampler_inside_look_if_due(&s->inside, now.t_ns, said != atomic_load_explicit(&s->said_ring.head, memory_order_relaxed),
					   until_ns ? until_ns : now.t_ns);
	else
		sampler_inside_gap(&s->inside, now.t_ns);
}

static void visit(struct sampler_slot *s, uint64_t lateness_ns, uint64_t missed)
{
	s->missed += missed;
	lateness_add(&s->lateness, lateness_ns);
	if (pthread_mutex_trylock(&s->taken) != 0) {
		/* The clock is taking one, in microseconds. Where it has no CPU it gets one by being waited for, or nobody would look. */
		s->passed_by_ns += s->sampler->period_ns * (int64_t)(1 + missed);
		if (s->passed_by_ns < HELD_NS || pthread_mutex_lock(&s->taken) != 0)
			return;
	}
	s->passed_by_ns = 0;
	look(s, 0);
	(void)pthread_mutex_unlock(&s->taken);
}

int64_t sampler_apart_ns(int64_t apart_ns, int64_t cost_ns, int64_t period_ns, unsigned permille)
{
	int64_t wanted = cost_ns * 1000 / permille;

	if (wanted > NS_PER_S / SAMPLER_RATE_MIN)
		wanted = NS_PER_S / SAMPLER_RATE_MIN;
	wanted = (apart_ns + wanted) / 2; /* some ticks that were dear are no rule */
	return wanted > period_ns ? wanted : period_ns;
}

/* Sleeps until the next multiple of the period; whole periods that have passed meanwhile are missed, never caught up. */
static int64_t next_tick(int64_t deadline, int64_t period, uint64_t *ret_lateness, uint64_t *ret_missed)
{
	struct timespec until = { deadline / NS_PER_S, deadline % NS_PER_S };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
	int64_t late = clock_monotonic_ns() - deadline;

	*ret_lateness = late > 0 ? (uint64_t)late : 0;
	*ret_missed = *ret_lateness / (uint64_t)period;
	return deadline + (int64_t)*ret_missed * period;
}

static void tick_all(struct sampler *s, uint64_t lateness, uint64_t missed)
{
	uint32_t top = atomic_load_explicit(&s->top, memory_order_acquire);

	for (size_t i = 0; i < top; i++) {
		struct sampler_slot *slot = atomic_load_explicit(&s->slots[i], memory_order_acquire);
		int state = slot ? atomic_load_explicit(&slot->state, memory_order_acquire) : SLOT_FREE;

		if (state == SLOT_LIVE) {
			visit(slot, lateness, missed);
		} else if (state == SLOT_STOPPING) {
			/* What the pipe still holds: 64 kB at most, unless the target goes on writing. */
			for (int block = 0; block < 256 && read_marks(slot, clock_now(slot->clock)); block++)
				;
			/* Out of the table first: once STOPPED is seen, the slot may be freed. */
			atomic_store_explicit(&s->slots[i], NULL, memory_order_release);
			atomic_store_explicit(&slot->state, SLOT_STOPPED, memory_order_release);
		}
	}
}

/* What keeps the thread within its bound. */
struct pace {
	int64_t apart_ns; /* two ticks */
	int64_t cpu_ns;   /* of the thread, when it was last looked at */
	unsigned ticks;   /* since then */
};

#define PACE_TICKS 8

/* After a tick. A tick costs the more the less of it the caches still have: what it costs is known only where it is measured. */
static void keep_pace(const struct sampler *s, struct pace *p)
{
	if (!s->bound_permille || ++p->ticks < PACE_TICKS)
		return;

	int64_t cpu = clock_thread_cpu_ns();

	p->apart_ns = sampler_apart_ns(p->apart_ns, (cpu - p->cpu_ns) / PACE_TICKS, s->period_ns, s->bound_permille);
	p->cpu_ns = cpu;
	p->ticks = 0;
}

static void *sampling_thread(void *arg)
{
	struct sampler *s = arg;
	struct sched_param p = { .sched_priority = SAMPLER_PRIORITY };
	int policy = SCHED_FIFO | SCHED_RESET_ON_FORK;

	if (sched_setscheduler(0, policy, &p) < 0)
		policy = SCHED_OTHER;
	(void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	(void)prctl(PR_SET_NAME, "sampler", 0UL, 0UL, 0UL);
	atomic_store(&s->scheduling, policy & ~SCHED_RESET_ON_FORK);

	while (!atomic_load(&s->quit)) {
		uint32_t rung = atomic_load(&s->bell);

		if (atomic_load(&s->live) == 0 && !atomic_load(&s->quit)) {
			(void)syscall(SYS_futex, &s->bell, FUTEX_WAIT_PRIVATE, rung, NULL, NULL, 0);
			continue;
		}

		int64_t deadline = clock_monotonic_ns();
		struct pace pace = { s->period_ns, clock_thread_cpu_ns(), 0 };

		while (atomic_load_explicit(&s->live, memory_order_relaxed) > 0) {
			uint64_t lateness, missed;

			deadline = next_tick(deadline + pace.apart_ns, pace.apart_ns, &lateness, &missed);
			tick_all(s, lateness, missed);
			keep_pace(s, &pace);
		}
	}
	return NULL;
}

/* ---- the clock's thread ---------------------------------------------------------------------------------------------------------- */

bool sampler_has_marks(const struct sampler_slot *slot)
{
	return atomic_load_explicit(&slot->said_ring.head, memory_order_acquire) !=
	       atomic_load_explicit(&slot->said_ring.tail, memory_order_acquire);
}

bool sampler_hold(struct sampler_slot *slot, int64_t until_ns)
{
	(void)pthread_mutex_lock(&slot->taken); /* a tick is over in microseconds */
	if (atomic_load_explicit(&slot->state, memory_order_acquire) == SLOT_LIVE)
		look(slot, until_ns);
	return sampler_has_marks(slot);
}

void sampler_let_go(struct sampler_slot *slot)
{
	(void)pthread_mutex_unlock(&slot->taken);
}

/* ---- the main thread --------------------------------------------------------------------------------------------------------------- */

/* Memory that the sampling thread can use without ever faulting. A fault would make it wait for the mmap lock, which the main
 * thread holds while it forks, and may hold for tens of ms when a busy machine takes the CPU from it. So: written once, locked
 * where the process may, and not copied at a fork, which would leave every page write-protected. (A child sees zeros in its
 * place: MADV_DONTFORK would leave a hole there, and glibc's fork() touches the descriptor of each thread, which lies on its stack.) */
static void *unfaulting_alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, size, MADV_WIPEONFORK);
	(void)mlock(p, size);
	memset(p, 0, size);
	return p;
}

static void unfaulting_free(void *p, size_t size)
{
	if (p)
		(void)munmap(p, size);
}

static int start_thread(struct sampler *s)
{
	pthread_attr_t attr;
	int r = pthread_attr_init(&attr);

	if (r == 0)
		r = pthread_attr_setstack(&attr, s->stack, STACK_BYTES);
	if (r == 0)
		r = pthread_create(&s->thread, &attr, sampling_thread, s);
	(void)pthread_attr_destroy(&attr);
	return r;
}

static void ring_bell(struct sampler *s)
{
	atomic_fetch_add(&s->bell, 1);
	(void)syscall(SYS_futex, &s->bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

int sampler_start(struct sampler **ret, unsigned rate_hz, struct err *err)
{
	const struct timespec pause = { 0, NS_PER_MS / 10 };

	if (rate_hz < SAMPLER_RATE_MIN || rate_hz > SAMPLER_RATE_MAX)
		return err_usage(err, "a sampling rate of %u Hz is out of range: %d to %d", rate_hz, SAMPLER_RATE_MIN, SAMPLER_RATE_MAX);

	struct sampler *s = unfaulting_alloc(sizeof(*s));

	if (s)
		s->stack = unfaulting_alloc(STACK_BYTES);
	if (!s || !s->stack) {
		unfaulting_free(s, sizeof(*s));
		return err_set(err, ENOMEM, "cannot start the sampling thread");
	}
	s->period_ns = NS_PER_S / rate_hz;
	atomic_init(&s->scheduling, -1);
	int r = start_thread(s);
	if (r != 0) {
		unfaulting_free(s->stack, STACK_BYTES);
		unfaulting_free(s, sizeof(*s));
		return err_set(err, r, "cannot start the sampling thread");
	}
	(void)pthread_getcpuclockid(s->thread, &s->thread_cpu_clock);
	while (atomic_load(&s->scheduling) < 0)
		(void)nanosleep(&pause, NULL);
	*ret = s;
	return 0;
}

void sampler_bound(struct sampler *s, unsigned permille)
{
	s->bound_permille = permille;
}

const char *sampler_scheduling(const struct sampler *s)
{
	return atomic_load(&s->scheduling) == SCHED_FIFO ? "fifo" : "other";
}

struct sampler *sampler_free(struct sampler *s)
{
	if (!s)
		return NULL;
	atomic_store(&s->quit, true);
	ring_bell(s);
	(void)pthread_join(s->thread, NULL);
	unfaulting_free(s->stack, STACK_BYTES);
	unfaulting_free(s, sizeof(*s));
	return NULL;
}

/* A kernel without such mutexes: one that hands no priority on. */
static void mutex_with_inheritance(pthread_mutex_t *ret)
{
	pthread_mutexattr_t attr;

	(void)pthread_mutexattr_init(&attr);
	(void)pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	if (pthread_mutex_init(ret, &attr) != 0)
		(void)pthread_mutex_init(ret, NULL);
	(void)pthread_mutexattr_destroy(&attr);
}

static double thread_cpu_s(const struct sampler *s)
{
	struct timespec t = { 0, 0 };

	(void)clock_gettime(s->thread_cpu_clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int sampler_add(struct sampler *s, pid_t pid, const struct memcg *memcg, int mark_fd, const struct clock *clock,
		struct sampler_slot **ret, struct err *err)
{
	size_t at = 0;

	while (at < SAMPLER_TARGETS_MAX && atomic_load_explicit(&s->slots[at], memory_order_relaxed))
		at++;
	if (at == SAMPLER_TARGETS_MAX)
		return err_set(err, 0, "more than %d targets at once", SAMPLER_TARGETS_MAX);

	struct sampler_slot *slot = unfaulting_alloc(sizeof(*slot));
	if (!slot)
		return err_set(err, ENOMEM, "cannot sample process %d", (int)pid);
	int r = target_files_open(&slot->files, pid, memcg, err);

	if (r < 0) {
		unfaulting_free(slot, sizeof(*slot));
		return r;
	}
	slot->sampler = s;
	slot->clock = clock;
	slot->probe_every_ns = s->bound_permille ? SAMPLER_PROBES_RARE_NS : FAST_PROBE_NS;
	slot->mark_fd = -1;
	mutex_with_inheritance(&slot->taken);
	slot->last = (struct sample){ .t_ns = INT64_MIN / 2 };
	slot->last_probe = (struct probe){ .t_ns = INT64_MIN / 2 };
	slot->cpu_at_start_s = thread_cpu_s(s);
	slot->looked_ns = clock_monotonic_ns();
	/* The first look is taken here, before the thread knows the slot: a program that exits within a tick is seen at all. */
	visit(slot, 0, 0);
	slot->mark_fd = mark_fd;
	slot->lateness = (struct lateness){ 0 };
	atomic_init(&slot->state, SLOT_LIVE);
	atomic_store_explicit(&s->slots[at], slot, memory_order_release);
	if (at >= atomic_load_explicit(&s->top, memory_order_relaxed))
		atomic_store_explicit(&s->top, (uint32_t)at + 1, memory_order_release);
	atomic_fetch_add(&s->live, 1);
	ring_bell(s);
	*ret = slot;
	return 0;
}

static void hand_over_sample(const struct sampler_sink *sink, const struct sample *s)
{
	sink->sample(sink->arg, s);
}

static void hand_over_probe(const struct sampler_sink *sink, const struct probe *p)
{
	sink->probe(sink->arg, p);
}

static void hand_over_said(const struct sampler_sink *sink, const struct said *said)
{
	struct mark mark = { .t_ns = said->t_ns, .by = 'p' };
	struct told told = { .t_ns = said->t_ns, .value = said->value };

	memcpy(mark.name, said->name, sizeof(mark.name));
	memcpy(told.name, said->name, sizeof(told.name));
	if (said->value == MISSING)
		sink->mark(sink->arg, &mark);
	else
		sink->told(sink->arg, &told);
}

void sampler_drain(struct sampler_slot *slot, const struct sampler_sink *sink)
{
	RING_DRAIN(&slot->sample_ring, ring_head(&slot->sample_ring), slot->samples_buf, SAMPLE_RING, hand_over_sample, sink);
	RING_DRAIN(&slot->probe_ring, ring_head(&slot->probe_ring), slot->probes_buf, PROBE_RING, hand_over_probe, sink);
	RING_DRAIN(&slot->said_ring, ring_head(&slot->said_ring), slot->said_buf, SAID_RING, hand_over_said, sink);
}

uint32_t sampler_go_rows(const struct sampler_slot *slot)
{
	return sampler_inside_rows(&slot->inside);
}

void sampler_drain_go(struct sampler_slot *slot, uint32_t until, const struct sampler_sink *sink)
{
	sampler_inside_drain(&slot->inside, until, sink);
}

void sampler_look_inside(struct sampler_slot *slot, const struct go_target *target)
{
	sampler_inside_set(&slot->inside, target);
}

double sampler_cpu_share(const struct sampler_slot *slot)
{
	return atomic_load_explicit(&slot->cpu_permille, memory_order_relaxed) / 1000.0;
}

void sampler_stop(struct sampler_slot *slot, struct sampling_stats *ret)
{
	const struct timespec pause = { 0, NS_PER_MS / 5 };

	atomic_store_explicit(&slot->state, SLOT_STOPPING, memory_order_release);
	while (atomic_load_explicit(&slot->state, memory_order_acquire) != SLOT_STOPPED)
		(void)nanosleep(&pause, NULL);
	/* The slot is this thread's now. A run may end before anybody has looked again. */
	store_gap_if_any(slot, clock_now(slot->clock));
	*ret = (struct sampling_stats){
		.samples = slot->samples,
		.missed = slot->missed,
		.lost = slot->lost + slot->inside.lost,
		.lost_marks = slot->lost_marks,
		.no_lines = slot->no_lines,
		.go_readings = slot->inside.readings,
		.go_raced = slot->inside.raced,
		.leader_exited = slot->leader_exited,
		.lateness_p50_us = (double)lateness_quantile(&slot->lateness, 0.5) / 1e3,
		.lateness_p99_us = (double)lateness_quantile(&slot->lateness, 0.99) / 1e3,
		.lateness_max_us = (double)slot->lateness.max_ns / 1e3,
		.cpu_s = thread_cpu_s(slot->sampler) - slot->cpu_at_start_s,
	};
}

void sampler_release(struct sampler_slot *slot)
{
	struct sampler *s = slot->sampler;

	atomic_fetch_sub(&s->live, 1);
	target_files_close(&slot->files);
	(void)pthread_mutex_destroy(&slot->taken);
	unfaulting_free(slot, sizeof(*slot));
}
