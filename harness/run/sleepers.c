/* SPDX-License-Identifier: Apache-2.0 */
#include "run/sleepers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/proc.h"
#include "base/units.h"
#include "run/clock.h"
#include "run/timed_wait.h"
#include "run/wake.h"

#define TEXT_MAX 160
#define CLOCKS_MAX 16 /* linux/time.h: MAX_CLOCKS */

struct thread {
	pid_t tid;
	int schedstat_fd, syscall_fd, stat_fd;
	/* The wait that was last understood, and the schedstat that it belongs to; key_len 0: it may be awake. call: as it was made; "": the
	 * wait is known to be over, or there was none. */
	char key[TEXT_MAX], call[TEXT_MAX];
	size_t key_len;
	struct timed_wait wait;
	int64_t until_ns; /* target's time; INT64_MAX: no limit */
	bool late;        /* the kernel's own timer would end it too late */
	bool went_on;     /* it was disturbed and sleeps on: the same wait under another key */
	bool zombie;
	bool held; /* it was to be woken and is traced still: to be ended at its stop, or its end to be taken. Key and wait stand */
	bool seen;
};

struct process {
	pid_t pid;
	DIR *task; /* owned */
	struct thread *threads; /* owned */
	size_t n;
	bool seen;
};

struct sleepers {
	const struct clock *clock;
	struct process *processes; /* owned */
	size_t n;
	uint64_t woken;
	int error;                      /* -EMFILE: a thread's files could not be opened */
};

/* ---- processes and threads ---------------------------------------------------------------------------------------------------------- */

static int open_of(const struct process *p, pid_t tid, const char *file)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%d/%s", (int)tid, file);
	return openat(dirfd(p->task), path, O_RDONLY | O_CLOEXEC);
}

static void thread_close(struct thread *t)
{
	const int fds[] = { t->schedstat_fd, t->syscall_fd, t->stat_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

static void process_done(struct process *p)
{
	for (size_t i = 0; i < p->n; i++)
		thread_close(&p->threads[i]);
	free(p->threads);
	if (p->task)
		(void)closedir(p->task);
}

static struct thread *find_thread(struct process *p, pid_t tid)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->threads[i].tid == tid)
			return &p->threads[i];
	return NULL;
}

/* Others mean that it has just ended. */
static bool is_lasting(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -EACCES || error == -EPERM;
}

static int add_thread(struct process *p, pid_t tid)
{
	struct thread t = { .tid = tid,
			    .schedstat_fd = open_of(p, tid, "schedstat"),
			    .syscall_fd = open_of(p, tid, "syscall"),
			    .stat_fd = open_of(p, tid, "stat"),
			    .until_ns = INT64_MAX,
			    .seen = true };

	if (t.schedstat_fd < 0 || t.syscall_fd < 0 || t.stat_fd < 0) {
		int r = -errno;

		thread_close(&t);
		return is_lasting(r) ? r : 0;
	}
	p->threads = xreallocarray(p->threads, p->n + 1, sizeof(*p->threads));
	p->threads[p->n++] = t;
	return 0;
}

/* Threads come and go: who is there now. */
static int list_threads(struct process *p)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < p->n; i++)
		p->threads[i].seen = false;
	rewinddir(p->task);
	for (struct dirent *e; r == 0 && (e = readdir(p->task));) {
		pid_t tid = (pid_t)atoi(e->d_name);
		struct thread *t = tid > 0 ? find_thread(p, tid) : NULL;

		if (t)
			t->seen = true;
		else if (tid > 0)
			r = add_thread(p, tid);
	}
	for (size_t i = 0; i < p->n; i++) {
		if (p->threads[i].seen)
			p->threads[kept++] = p->threads[i];
		else
			thread_close(&p->threads[i]);
	}
	p->n = kept;
	return r;
}

/* A thread of which a file cannot be read any more has ended; another may have its number. */
static void drop_thread(struct process *p, size_t i)
{
	thread_close(&p->threads[i]);
	p->threads[i] = p->threads[--p->n];
}

static size_t count_threads(const struct process *p)
{
	struct stat st;

	/* /proc/PID/task has one subfolder a thread, and two links of its own. */
	return fstat(dirfd(p->task), &st) == 0 && st.st_nlink >= 2 ? st.st_nlink - 2 : 0;
}

struct sleepers *sleepers_new(const struct clock *clock)
{
	struct sleepers *s = xcalloc(1, sizeof(*s));

	s->clock = clock;
	return s;
}

struct sleepers *sleepers_free(struct sleepers *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		process_done(&s->processes[i]);
	free(s->processes);
	free(s);
	return NULL;
}

static int add_process(struct sleepers *s, pid_t pid)
{
	char path[64];

	for (size_t i = 0; i < s->n; i++)
		if (s->processes[i].pid == pid) {
			s->processes[i].seen = true;
			return 0;
		}
	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *task = opendir(path);
	if (!task)
		return is_lasting(-errno) ? -errno : 0;
	s->processes = xreallocarray(s->processes, s->n + 1, sizeof(*s->processes));
	s->processes[s->n++] = (struct process){ .pid = pid, .task = task, .seen = true };
	int r = list_threads(&s->processes[s->n - 1]);
	return r < 0 ? r : 1;
}

int sleepers_set(struct sleepers *s, const pid_t *pids, size_t n)
{
	size_t kept = 0;
	int r = 0, added = 0;

	for (size_t i = 0; i < s->n; i++)
		s->processes[i].seen = false;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		r = add_process(s, pids[i]);
		added += r > 0;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (s->processes[i].seen)
			s->processes[kept++] = s->processes[i];
		else
			process_done(&s->processes[i]);
	}
	s->n = kept;
	return r < 0 ? r : added;
}

/* ---- one thread ------------------------------------------------------------------------------------------------------------------------ */

/* R, S, D, T, t, Z or X: the letter behind the name, which may itself hold anything; 0: not readable. A thread that has been
 * woken and has not got a CPU yet is R here; /proc/PID/task/TID/syscall may still show the call it slept in, while the interrupt
 * that tells the other CPU is on its way (TASK_WAKING, kernel/sched/core.c). */
static char state_of(const struct thread *t)
{
	char text[TEXT_MAX];
	const char *state;

	(void)proc_read(t->stat_fd, text, sizeof(text));
	state = proc_stat_field(text, 3);
	return state ? *state : 0;
}

static bool is_running(const char *call)
{
	return *call == 'r';
}

/* All but the number: arguments, stack and place. */
static bool same_arguments(const char *a, const char *b)
{
	return !strcmp(a + strcspn(a, " "), b + strcspn(b, " "));
}

/* "202 0x55.. 0x80 ..": number and six arguments. */
static long parse_call(const char *call, uint64_t args[6])
{
	char *at;
	long nr = strtol(call, &at, 10);

	for (int i = 0; i < 6; i++)
		args[i] = strtoull(at, &at, 16);
	return nr;
}

/* Where the clock of an absolute wait stands beyond CLOCK_MONOTONIC; both have the same offset. Of some tries the one that was
 * least disturbed, and rather too little than too much: no wait is ended early. */
static int64_t beyond_monotonic_ns(clockid_t clock)
{
	int64_t best = INT64_MAX, beyond = 0;

	for (int i = 0; clock != CLOCK_MONOTONIC && i < 5; i++) {
		struct timespec t;
		int64_t before = clock_monotonic_ns(), after;

		if (clock_gettime(clock, &t) < 0)
			return 0;
		after = clock_monotonic_ns();
		if (after - before < best) {
			best = after - before;
			beyond = t.tv_sec * NS_PER_S + t.tv_nsec - after;
		}
	}
	return beyond;
}

/* The kernel itself has ended the wait that is known, or is about to. */
static bool is_over(const struct sleepers *s, const struct thread *t)
{
	return !t->late && t->until_ns <= clock_now(s->clock);
}

/* Of a call that the kernel has begun again after a stop, /proc tells the arguments only: which it is, by the function that it sleeps in.
 * There are these (grep restart_block in the kernel), of which nanosleep's own counts as scheduling and is not told. -1: not known. */
static long restarted_call(const struct process *p, pid_t tid, const uint64_t args[6])
{
	char in[TEXT_MAX];
	int fd = open_of(p, tid, "wchan");
	size_t n = fd < 0 ? 0 : proc_read(fd, in, sizeof(in));

	if (fd >= 0)
		(void)close(fd);
	if (!n || !strcmp(in, "0"))
		return -1;
	if (strstr(in, "futex"))
		return SYS_futex;
	if (strstr(in, "poll"))
		return SYS_poll;
	return args[0] < CLOCKS_MAX ? SYS_clock_nanosleep : SYS_nanosleep;
}

/* What the call that was just read waits for, of a thread that sleeps in it, or was stopped there. false: it does not, or that cannot be
 * understood now. */
static bool understand(const struct sleepers *s, const struct process *p, struct thread *t, const char *call, bool stopped)
{
	uint64_t args[6];
	long nr = parse_call(call, args), known = strtol(t->call, NULL, 10);
	bool restarted = nr == SYS_restart_syscall, may_go_on = *t->call && same_arguments(call, t->call) && !is_over(s, t);
	int64_t ns;

	if (restarted)
		nr = may_go_on ? known : restarted_call(p, t->tid, args);

	struct timed_wait w = timed_wait_decode(nr, args);
	if (nr < 0 || w.limit == WAIT_AT_GATE || w.limit == WAIT_RESTARTED)
		return false;
	may_go_on = may_go_on && nr == known && (restarted || stopped || t->went_on);
	/* After a stop some calls are made anew for what the kernel takes to be left, which knows nothing of a jump. */
	t->went_on = stopped && may_go_on && (t->went_on || (t->late && w.leaves_rest));
	/* As before, until the same time. Of an absolute wait that is read again in any case: it may lie in the same place and be another. */
	if (may_go_on && w.limit != WAIT_ABSOLUTE)
		return true;
	(void)snprintf(t->call, sizeof(t->call), "%ld%s", nr, call + strcspn(call, " "));
	t->wait = w;
	t->until_ns = INT64_MAX;
	t->late = false;
	if (w.limit == WAIT_UNLIMITED)
		return true;
	if (!timed_wait_read(t->tid, &w, &ns))
		return false;
	t->wait.ns = ns;
	if (w.limit == WAIT_RELATIVE) {
		t->until_ns = clock_now(s->clock) + ns;
	} else {
		t->until_ns = ns - beyond_monotonic_ns(w.clock) - s->clock->exec_ns;
		t->late = true; /* the kernel knows nothing of the offset */
	}
	return true;
}

static bool has_key(const struct thread *t)
{
	char text[TEXT_MAX];
	size_t n = proc_read(t->schedstat_fd, text, sizeof(text));

	return n > 0 && n == t->key_len && !memcmp(text, t->key, n);
}

/* What came of waking it, now or later: whatever it does now is to be learnt anew. */
static void note_wake(struct sleepers *s, struct thread *t, int r)
{
	t->held = r == -EAGAIN;
	t->went_on = r == WAKE_DISTURBED;
	t->key_len = 0;
	if (r == WAKE_DONE || r == WAKE_ELSEWHERE)
		*t->call = 0;
	s->woken += r == WAKE_DONE;
}

/* A thread of which nothing is known: its key, its state, its limit. Between two equal keys all of it belongs together. */
static bool learn(struct sleepers *s, const struct process *p, struct thread *t, bool *ret_ended)
{
	char call[TEXT_MAX];

	*ret_ended = false;
	if (t->held) {
		note_wake(s, t, wake_later(p->pid, t->tid, t->schedstat_fd, t->key, &t->wait));
		if (t->held)
			return false;
	}

	struct thread now = *t;
	size_t n = proc_read(t->schedstat_fd, now.key, sizeof(now.key)), call_len = n ? proc_read(t->syscall_fd, call, sizeof(call)) : 0;

	*ret_ended = n == 0;
	if (!call_len || is_running(call))
		return false;
	char state = state_of(t);
	/* One that is stopped is awake, but goes on with its wait: what is known of that will be needed then. */
	bool stopped = state == 'T';
	now.zombie = t->zombie = state == 'Z' || state == 'X';
	if (!now.zombie && ((state != 'S' && !stopped) || !understand(s, p, &now, call, stopped)))
		return false;
	now.key_len = n;
	if (!has_key(&now))
		return false;
	if (stopped)
		now.key_len = 0;
	*t = now;
	return t->key_len > 0;
}

/* It sleeps, and has not run since it was learnt. */
static bool still_sleeps(struct thread *t)
{
	if ((t->zombie || state_of(t) == 'S') && has_key(t))
		return true;
	t->key_len = 0;
	return false;
}

/* ---- all of them ----------------------------------------------------------------------------------------------------------------------- */

static void drop_process(struct sleepers *s, size_t i)
{
	process_done(&s->processes[i]);
	s->processes[i] = s->processes[--s->n];
}

/* Those who are awake, and mostly still are, and those who have just fallen asleep: so a look at a busy target ends here. */
static bool learn_all(struct sleepers *s, bool thorough)
{
	bool learnt = true;

	for (size_t i = 0; i < s->n; i++) {
		struct process *p = &s->processes[i];

		for (size_t k = 0; k < p->n; k++) {
			bool ended;

			if (p->threads[k].key_len || learn(s, p, &p->threads[k], &ended))
				continue;
			learnt = false;
			if (ended)
				drop_thread(p, k--);
			else if (!thorough)
				return false;
		}
	}
	return learnt;
}

/* New threads, none that has ended. Nobody can have been made after all had been seen asleep, so this count holds for that moment. */
static bool same_threads(struct sleepers *s)
{
	bool same = true;

	for (size_t i = 0; i < s->n; i++) {
		struct process *p = &s->processes[i];
		size_t there = count_threads(p);

		if (there == p->n)
			continue;
		same = false;
		if (there == 0)
			drop_process(s, i--);
		else if ((s->error = list_threads(p)) < 0)
			return false;
	}
	return same;
}

static bool all_still_sleep(struct sleepers *s, bool thorough)
{
	bool asleep = true;

	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->processes[i].n; k++) {
			if (still_sleeps(&s->processes[i].threads[k]))
				continue;
			asleep = false;
			if (!thorough)
				return false;
		}
	return asleep;
}

enum look sleepers_look(struct sleepers *s, bool thorough, int64_t *ret_next_ns)
{
	*ret_next_ns = INT64_MAX;
	s->error = 0;

	bool learnt = learn_all(s, thorough);
	if (!learnt && !thorough && s->n > 0)
		return LOOK_AWAKE;
	bool same = same_threads(s);
	if (s->error < 0)
		return LOOK_FAILED;
	if (s->n == 0)
		return LOOK_GONE;
	if (!(all_still_sleep(s, thorough) && learnt && same))
		return LOOK_AWAKE;
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->processes[i].n; k++)
			if (!s->processes[i].threads[k].zombie && s->processes[i].threads[k].until_ns < *ret_next_ns)
				*ret_next_ns = s->processes[i].threads[k].until_ns;
	return LOOK_ASLEEP;
}

static bool has_limit(const struct thread *t)
{
	return t->key_len && !t->zombie && t->until_ns != INT64_MAX;
}

void sleepers_jumped(struct sleepers *s)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->processes[i].n; k++)
			if (has_limit(&s->processes[i].threads[k]))
				s->processes[i].threads[k].late = true;
}

int64_t sleepers_next_late(const struct sleepers *s)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->processes[i].n; k++) {
			const struct thread *t = &s->processes[i].threads[k];

			if (has_limit(t) && t->late && t->until_ns < next)
				next = t->until_ns;
		}
	return next;
}

int sleepers_wake(struct sleepers *s, int64_t now_ns, pid_t *ret_tid)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->processes[i].n; k++) {
			struct process *p = &s->processes[i];
			struct thread *t = &p->threads[k];

			if (!has_limit(t) || !t->late || t->until_ns > now_ns)
				continue;
			/* What was known of it may be of an earlier look: it must sleep in that very wait. */
			if (!still_sleeps(t))
				continue;
			int r = wake_thread(p->pid, t->tid, t->schedstat_fd, t->key, &t->wait);

			/* One that is just ending may not be traced either. */
			if (r < 0 && r != -ESRCH && r != -EAGAIN && state_of(t) == 'S') {
				*ret_tid = t->tid;
				return r;
			}
			note_wake(s, t, r);
		}
	return 0;
}

uint64_t sleepers_woken(const struct sleepers *s)
{
	return s->woken;
}

int sleepers_error(const struct sleepers *s)
{
	return s->error;
}
