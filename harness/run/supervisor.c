/* SPDX-License-Identifier: Apache-2.0 */
#include "run/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/strv.h"
#include "base/units.h"
#include "record/record.h"
#include "run/cgroup.h"
#include "run/classify.h"
#include "run/clock.h"
#include "run/load.h"
#include "run/owner.h"
#include "run/spawn.h"
#include "run/target_files.h"

#define DRAIN_NS (50 * NS_PER_MS)
#define FLUSH_NS NS_PER_S
#define GRACE_NS (2 * NS_PER_S)   /* between SIGTERM and SIGKILL */
#define EMPTY_STEP_NS (2 * NS_PER_MS)
#define EMPTY_MAX_NS (20 * NS_PER_S) /* then the group is left for the next start's sweep */
#define YOUNG_NS (300 * NS_PER_MS)
#define BUSY_SHARE 0.2
#define MARKS_MAX 10000
#define READY_NS (10 * NS_PER_MS)   /* between two looks whether the target is ready for its load */
#define WATCHDOG_NS (30 * NS_PER_S) /* the target's time is never slower than real time: beyond that its clock has failed */

enum state { RUNNING, STOPPING, EMPTYING, DONE };

struct output {
	int fd;
	int stream;
	sd_event_source *source;
};

struct run {
	const struct run_room *room; /* borrowed */
	struct record *record;       /* borrowed */
	run_done_fn *done;
	void *done_arg;

	enum state state;
	enum stop_reason stop;
	bool killed;
	bool lost_status; /* somebody else reaped the child */
	struct memcg *memcg;  /* owned; NULL: none */
	char *tag;            /* owned: what OWNER_VARIABLE says in the target */
	struct child child;   /* pidfd owned; pid 0 once reaped */
	struct target_files files;
	struct clock clock;
	struct sampler_slot *slot; /* owned; NULL once sampling has ended */
	int mark_fd;
	struct output out, log, load_out;
	struct last_words words;
	struct load_process load;
	int64_t end_at_ns; /* target's time at which observation ends */
	int64_t probe_every_ns, next_probe_ns, next_flush_ns; /* the flush: CLOCK_MONOTONIC */
	bool planned_end; /* that is the end of observation, not a timeout */
	bool ends_with_load;
	bool clock_strict, clock_failed;
	uint64_t limit_bytes;
	uint64_t last_rss_bytes;
	struct run_result result;
	char *load_failure; /* owned; NULL: it did not fail */
	sd_event_source *exited, *drain, *alarm, *load_exited, *deadline, *step;
};

/* ---- what the sampler brings ------------------------------------------------------------------------------------------------------ */

static void on_sample(void *arg, const struct sample *s)
{
	struct run *r = arg;

	r->last_rss_bytes = s->rss_bytes;
	record_sample(r->record, s);
}

static void note_high_water(struct run *r, const struct probe *p)
{
	if (p->hwm_bytes != MISSING && (r->result.end.hwm_bytes == MISSING || p->hwm_bytes > r->result.end.hwm_bytes))
		r->result.end.hwm_bytes = p->hwm_bytes;
}

static void on_probe(void *arg, const struct probe *p)
{
	struct run *r = arg;

	note_high_water(r, p);
	record_probe(r->record, p);
}

static void keep_mark(struct run *r, const struct mark *m)
{
	if (r->result.n_marks == MARKS_MAX) {
		r->result.lost_marks++;
		return;
	}
	r->result.marks = xreallocarray(r->result.marks, r->result.n_marks + 1, sizeof(*m));
	r->result.marks[r->result.n_marks++] = *m;
	record_mark(r->record, m);
}

static void on_mark(void *arg, const struct mark *m)
{
	struct run *r = arg;

	keep_mark(r, m);
	load_note_mark(&r->load, m->name);
	r->next_probe_ns = 0; /* a look at what the phase before it left */
}

static void mark_by_supervisor(struct run *r, const char *name, int64_t t_ns)
{
	struct mark m = { .t_ns = t_ns, .by = 's' };

	memcpy(m.name, name, strlen(name));
	keep_mark(r, &m);
}

static void drain(struct run *r)
{
	const struct sampler_sink sink = { on_sample, on_probe, on_mark, r };

	if (r->slot)
		sampler_drain(r->slot, &sink);
}

static void slow_probe(struct run *r)
{
	struct probe p;

	target_read_fast(&r->files, &p);
	p.t_ns = clock_now(&r->clock);
	note_high_water(r, &p);
	if (p.threads != MISSING && target_read_slow(&r->files, &p))
		record_probe(r->record, &p);
}

/* Slow probes hold the target's mmap lock: only while it idles, or once after a mark. (Where a virtual clock lets the supervisor
 * come to its time, all mostly sleep.) */
static void slow_probe_if_due(struct run *r, int64_t now)
{
	bool marked = r->next_probe_ns == 0;

	if (!marked && (now < r->next_probe_ns || (r->clock.kind == CLOCK_KIND_REAL && run_is_busy(r))))
		return;
	slow_probe(r);
	r->next_probe_ns = now + r->probe_every_ns;
}

/* A virtual clock does not jump while a mark is not drained, nor until the alarm has been set anew: so what has to happen
 * at a mark happens there, in on_alarm(). */
static bool clock_waits_for_marks(struct run *r)
{
	if (r->clock.kind == CLOCK_KIND_REAL || !r->slot || !sampler_has_marks(r->slot))
		return false;
	clock_set_alarm(&r->clock, 0);
	return true;
}

static int on_drain(sd_event_source *source, uint64_t usec, void *arg)
{
	struct run *r = arg;
	int64_t now = clock_monotonic_ns();

	(void)usec;
	if (!clock_waits_for_marks(r))
		drain(r);
	if (r->state == RUNNING) {
		struct probe p;

		/* At a low rate the sampler's own looks are too far apart to catch the last high-water mark before an exit. */
		target_read_fast(&r->files, &p);
		note_high_water(r, &p);
		if (r->clock.kind == CLOCK_KIND_REAL)
			slow_probe_if_due(r, clock_now(&r->clock));
	}
	if (now >= r->next_flush_ns) {
		record_flush(r->record);
		r->next_flush_ns = now + FLUSH_NS;
	}
	(void)sd_event_source_set_time(source, (uint64_t)(now + DRAIN_NS) / 1000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void take_output(struct run *r, const struct output *o, const char *data, size_t len)
{
	record_output(r->record, o->stream, data, len);
	if (o == &r->log)
		last_words_add(&r->words, data, len);
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct run *r = arg;
	struct output *o = fd == r->out.fd ? &r->out : fd == r->log.fd ? &r->log : &r->load_out;
	char block[65536];
	ssize_t n = read(fd, block, sizeof(block));

	(void)events;
	if (n > 0) {
		take_output(r, o, block, (size_t)n);
		return 0;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

/* ---- the end -------------------------------------------------------------------------------------------------------------------------- */

static void finish_output(struct run *r, struct output *o)
{
	char block[65536];
	ssize_t n;

	o->source = sd_event_source_unref(o->source);
	/* Bounded: a process that escaped the group could write for ever. */
	for (int i = 0; i < 1024 && o->fd >= 0 && (n = read(o->fd, block, sizeof(block))) > 0; i++)
		take_output(r, o, block, (size_t)n);
	if (o->fd >= 0)
		(void)close(o->fd);
	o->fd = -1;
}

/* The last readings while the target is still there, then no tick touches it any more. */
static void end_observation(struct run *r)
{
	struct target_faults faults;

	if (!r->slot)
		return;
	clock_stop(&r->clock);
	drain(r);
	if (r->state == RUNNING)
		slow_probe(r);
	/* Of the process alone, whether it was ended or exited: a zombie still has them. */
	if (target_read_faults(&r->files, &faults)) {
		r->result.end.minor_faults = faults.minor;
		r->result.end.major_faults = faults.major;
	}
	r->result.end.cpu_ns = target_read_cpu_ns(&r->files);
	r->result.end_ns = clock_now(&r->clock);
	clock_report(&r->clock, &r->result.clock);
	sampler_stop(r->slot, &r->result.sampling);
	drain(r);
	r->result.lost_marks += r->result.sampling.lost_marks;
	sampler_release(r->slot);
	r->slot = NULL;
}

/* Everything that belongs to the run. Returns how many processes there still were. */
static int kill_all(struct run *r)
{
	int outside = !r->memcg || r->load.state != LOAD_NONE ? owner_kill_run(r->tag) : 0;

	if (!r->memcg)
		return outside;
	memcg_kill(r->memcg);
	return outside + memcg_population(r->memcg);
}

static int on_grace_over(sd_event_source *source, uint64_t usec, void *arg)
{
	struct run *r = arg;

	(void)source;
	(void)usec;
	r->killed = true;
	(void)kill_all(r);
	return 0;
}

static void add_timer(struct run *r, sd_event_source **source, int64_t at_ns, sd_event_time_handler_t handler)
{
	*source = sd_event_source_unref(*source);
	if (sd_event_add_time(r->room->event, source, CLOCK_MONOTONIC, (uint64_t)at_ns / 1000, 1, handler, r) < 0)
		abort(); /* only without memory */
}

static void stop(struct run *r, enum stop_reason reason)
{
	if (r->state != RUNNING)
		return;
	end_observation(r);
	r->stop = reason;
	r->state = STOPPING;
	(void)kill(r->child.pid, SIGTERM);
	add_timer(r, &r->deadline, clock_monotonic_ns() + GRACE_NS, on_grace_over);
}

/* ---- the alarm: what the supervisor itself does at a time of the target ------------------------------------------------------------ */

static void set_alarm(struct run *r, int64_t now)
{
	int64_t at = r->end_at_ns;

	if (r->clock.kind == CLOCK_KIND_VIRTUAL && r->next_probe_ns < at)
		at = r->next_probe_ns;
	if (r->load.state == LOAD_AWAITED && now + READY_NS < at)
		at = now + READY_NS;
	clock_set_alarm(&r->clock, at);
}

static int on_load_exited(sd_event_source *source, int fd, uint32_t events, void *arg);

static void begin_load(struct run *r)
{
	struct err cleanup_err err = ERR_INIT;

	if (load_begin(&r->load, &r->clock, &r->room->nofile, &err) < 0) {
		r->load_failure = xstrdup(err_text(&err));
		stop(r, STOP_PLANNED);
		return;
	}
	mark_by_supervisor(r, "load", r->load.report.begin_ns);
	r->load_out.fd = r->load.output_fd;
	r->load.output_fd = -1;
	if (sd_event_add_io(r->room->event, &r->load_exited, r->load.child.pidfd, EPOLLIN, on_load_exited, r) < 0 ||
	    sd_event_add_io(r->room->event, &r->load_out.source, r->load_out.fd, EPOLLIN, on_output, r) < 0)
		abort(); /* only without memory */
}

static void end_load(struct run *r)
{
	int64_t now = clock_now(&r->clock);

	r->load_exited = sd_event_source_unref(r->load_exited);
	load_end(&r->load, now);
	mark_by_supervisor(r, "after-load", now);
	if (r->load.report.exit_code < 0)
		r->load_failure = strf("its load died by signal %d", r->load.report.signal);
	else if (r->load.report.exit_code > 0)
		r->load_failure = strf("its load exited with code %d: its last words are in load-output", r->load.report.exit_code);
	if (r->ends_with_load)
		stop(r, STOP_PLANNED);
}

static int on_load_exited(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct run *r = arg;

	(void)fd;
	(void)events;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (r->state == RUNNING)
		clock_set_alarm(&r->clock, 0); /* on_alarm() sees it */
	return 0;
}

static int on_alarm(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct run *r = arg;
	int64_t now;

	(void)source;
	(void)fd;
	(void)events;
	clock_take_alarm(&r->clock);
	if (r->state != RUNNING)
		return 0;
	drain(r);
	if (load_has_ended(&r->load))
		end_load(r);
	else if (load_may_begin(&r->load, r->child.pid))
		begin_load(r);
	if (r->state != RUNNING)
		return 0;
	now = clock_now(&r->clock);
	if (now >= r->end_at_ns) {
		stop(r, r->planned_end ? STOP_PLANNED : STOP_TIMEOUT);
		return 0;
	}
	if (r->clock.kind == CLOCK_KIND_VIRTUAL)
		slow_probe_if_due(r, now);
	set_alarm(r, now);
	return 0;
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *arg)
{
	struct run *r = arg;

	(void)source;
	(void)usec;
	r->clock_failed = true;
	stop(r, STOP_TIMEOUT);
	return 0;
}

/* For the clock's thread. */
static size_t on_clock_asks_processes(void *arg, pid_t *ret, size_t max)
{
	struct run *r = arg;
	size_t n = r->memcg ? memcg_pids(r->memcg, ret, max) : 0;

	if (!r->memcg || r->load.state == LOAD_RUNNING)
		n += owner_pids_of_run(r->tag, ret + n, max - n);
	return n;
}

static bool on_clock_holds(void *arg)
{
	struct run *r = arg;
	struct pollfd target = { .fd = r->child.pidfd, .events = POLLIN };
	bool marks = sampler_hold(r->slot);

	return marks || load_has_ended(&r->load) || poll(&target, 1, 0) == 1;
}

static void on_clock_lets_go(void *arg)
{
	struct run *r = arg;

	sampler_let_go(r->slot);
}

/* ---- the verdict ----------------------------------------------------------------------------------------------------------------------- */

/* What the harness itself could not do for this run; NULL: all went well. Caller frees. */
static char *harness_failure(struct run *r)
{
	const struct clock_report *c = &r->result.clock;

	if (r->lost_status)
		return xstrdup("how the program ended cannot be told: something else reaped it");
	if (r->clock_failed)
		return strf("the virtual clock failed: it did not end the run in time (%s)", c->ended[0] ? c->ended : "no reason known");
	if (r->clock_strict && c->ended[0])
		return strf("virtual time ended at %.3f s: %s", (double)c->ended_ns / 1e9, c->ended);
	return r->load_failure ? xstrdup(r->load_failure) : NULL;
}

static void give_verdict(struct run *r)
{
	struct err err = ERR_INIT;
	struct ending e = {
		.stop = r->stop,
		.killed = r->killed,
		.exit_code = r->result.exit_code,
		.signal = r->result.signal,
		.oom_kills = r->result.end.oom_kills,
		.limit_bytes = r->limit_bytes,
		.peak_bytes = r->result.end.memcg_peak_bytes,
		.words = &r->words,
	};

	last_words_add(&r->words, "\n", 1);
	r->result.outcome = classify(&e, &r->result.why);
	r->result.by_program = r->stop == STOP_NONE;
	r->result.wall_s = (double)(clock_monotonic_ns() - r->clock.exec_ns) / 1e9;
	r->result.load = r->load.report;

	char *failure = harness_failure(r);
	if (record_close_series(r->record, &err) < 0 && !failure)
		failure = xstrdup(err_text(&err));
	/* A run that was interrupted has its load interrupted with it. */
	if (failure && r->stop != STOP_INTERRUPTED) {
		free(r->result.why);
		r->result.why = failure;
		r->result.outcome = OUTCOME_HARNESS_ERROR;
	} else {
		free(failure);
	}
	err_done(&err);
}

/* Kills what is left in the group and deletes it, a step at a time, so that other runs are not held up. */
static int on_empty_step(sd_event_source *source, uint64_t usec, void *arg)
{
	struct run *r = arg;
	struct memcg_counters counters;

	(void)usec;
	if (clock_now(&r->clock) < r->result.end_ns + EMPTY_MAX_NS) {
		bool empty = kill_all(r) == 0;

		if (empty && r->memcg) {
			memcg_counters(r->memcg, &counters);
			r->result.end.memcg_peak_bytes = counters.peak_bytes;
			r->result.end.oom_kills = counters.oom_kills;
		}
		if (!empty || (r->memcg && memcg_delete(r->memcg) < 0)) {
			(void)sd_event_source_set_time(source, (uint64_t)(clock_monotonic_ns() + EMPTY_STEP_NS) / 1000);
			return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
		}
	}
	finish_output(r, &r->out);
	finish_output(r, &r->log);
	finish_output(r, &r->load_out);
	give_verdict(r);
	r->state = DONE;
	r->done(r, &r->result, r->done_arg);
	return 0;
}

static int on_exited(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct run *r = arg;
	int status = 0;
	pid_t reaped;

	(void)fd;
	(void)events;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	end_observation(r);
	if (load_has_ended(&r->load))
		end_load(r);
	load_end(&r->load, r->result.end_ns);
	r->load_exited = sd_event_source_unref(r->load_exited);
	while ((reaped = waitpid(r->child.pid, &status, 0)) < 0 && errno == EINTR)
		;
	r->lost_status = reaped != r->child.pid;
	r->result.exit_code = WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
	r->result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	r->child.pid = 0;
	r->state = EMPTYING;
	r->deadline = sd_event_source_unref(r->deadline);
	r->drain = sd_event_source_unref(r->drain);
	r->alarm = sd_event_source_unref(r->alarm);
	add_timer(r, &r->step, clock_monotonic_ns(), on_empty_step);
	return 0;
}

void run_interrupt(struct run *r)
{
	stop(r, STOP_INTERRUPTED);
}

/* ---- the beginning ------------------------------------------------------------------------------------------------------------------ */

static int make_pipe(int *ret_read, int *ret_write, struct err *err)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(err, errno, "cannot make a pipe");
	(void)fcntl(p[0], F_SETFL, O_NONBLOCK);
	*ret_read = p[0];
	*ret_write = p[1];
	return 0;
}

static int start_child(struct run *r, const struct run_request *q, struct err *err)
{
	cleanup_close int out = -1, log = -1, mark = -1;
	cleanup_strv struct strv env = STRV_INIT;
	int e = make_pipe(&r->out.fd, &out, err);

	if (e >= 0)
		e = make_pipe(&r->log.fd, &log, err);
	if (e >= 0)
		e = make_pipe(&r->mark_fd, &mark, err);
	if (e < 0)
		return e;
	for (size_t i = 0; q->envp && q->envp[i]; i++)
		strv_push(&env, q->envp[i]);
	strv_pushf(&env, OWNER_VARIABLE "=%s", r->tag);
	load_init(&r->load, q->load, &env);
	strv_pushf(&env, "MEMTIDE_MARK_FD=%d", SPAWN_MARK_FD);

	struct spawn s = {
		.argv = q->argv,
		.envp = (const char *const *)env.v,
		.cwd = q->cwd,
		.memcg = r->memcg,
		.stdout_fd = out,
		.stderr_fd = log,
		.mark_fd = mark,
		.clock = r->clock.kind == CLOCK_KIND_VIRTUAL ? &r->clock : NULL,
		.nofile = &r->room->nofile,
	};
	return spawn(&s, &r->child, err);
}

static int watch(struct run *r, const struct run_request *q, struct err *err)
{
	sd_event *event = r->room->event;
	int e = sd_event_add_io(event, &r->exited, r->child.pidfd, EPOLLIN, on_exited, r);

	if (e >= 0)
		e = sd_event_add_io(event, &r->out.source, r->out.fd, EPOLLIN, on_output, r);
	if (e >= 0)
		e = sd_event_add_io(event, &r->log.source, r->log.fd, EPOLLIN, on_output, r);
	if (e >= 0)
		e = sd_event_add_io(event, &r->alarm, r->clock.alarm_fd, EPOLLIN, on_alarm, r);
	if (e < 0)
		return err_set(err, -e, "cannot watch the run");
	add_timer(r, &r->drain, clock_monotonic_ns() + DRAIN_NS, on_drain);
	r->planned_end = q->for_ns > 0;
	r->end_at_ns = q->for_ns ? q->for_ns : q->timeout_ns;
	r->ends_with_load = q->load && !q->for_ns;
	add_timer(r, &r->deadline, r->clock.exec_ns + r->end_at_ns + WATCHDOG_NS, on_watchdog);
	/* Where there is a load, whether it may begin is looked at right away. */
	if (q->load)
		clock_set_alarm(&r->clock, 0);
	else
		set_alarm(r, 0);
	return 0;
}

/* Fifty slow probes over the run, but none more often than twice a second, nor more rarely than every 5 s of real time. */
static int64_t probe_interval(const struct run_request *q)
{
	int64_t length = q->for_ns ? q->for_ns : q->clock == CLOCK_KIND_VIRTUAL ? q->timeout_ns : 50 * NS_PER_S;
	int64_t every = length / 50 < NS_PER_S / 2 ? NS_PER_S / 2 : length / 50;

	return q->clock == CLOCK_KIND_REAL && every > 5 * NS_PER_S ? 5 * NS_PER_S : every;
}

int run_start(const struct run_room *room, const struct run_request *q, run_done_fn *done, void *arg, struct run **ret, struct err *err)
{
	struct run *r = xcalloc(1, sizeof(*r));
	const struct clock_hooks hooks = { on_clock_asks_processes, on_clock_holds, on_clock_lets_go, r };

	r->room = room;
	r->record = q->record;
	r->done = done;
	r->done_arg = arg;
	r->mark_fd = r->child.pidfd = -1;
	r->out = (struct output){ .fd = -1, .stream = 1 };
	r->log = (struct output){ .fd = -1, .stream = 2 };
	r->files = (struct target_files){ -1, -1, -1, -1, -1, 0, false, 0, 0, 0 };
	r->limit_bytes = q->limit_bytes;
	r->last_rss_bytes = MISSING;
	r->result.end = (struct end_counters){ MISSING, MISSING, MISSING, MISSING, MISSING, MISSING };
	r->tag = strf("%s/%s", room->owner, q->name);
	r->probe_every_ns = probe_interval(q);
	r->next_probe_ns = r->probe_every_ns;
	r->next_flush_ns = clock_monotonic_ns() + FLUSH_NS;
	r->load_out = (struct output){ .fd = -1, .stream = 3 };
	r->clock_strict = q->clock_strict;

	load_init(&r->load, NULL, NULL);
	int e = clock_open(&r->clock, q->clock, err);
	if (e >= 0 && room->groups)
		e = memcg_create(room->groups, q->name, q->limit_bytes, &r->memcg, err);
	if (e >= 0)
		e = start_child(r, q, err);
	if (e >= 0) {
		clock_begin(&r->clock, r->child.exec_ns);
		e = target_files_open(&r->files, r->child.pid, r->memcg, err);
	}
	if (e >= 0)
		e = sampler_add(room->sampler, r->child.pid, r->memcg, r->mark_fd, &r->clock, &r->slot, err);
	if (e >= 0)
		e = watch(r, q, err);
	if (e >= 0)
		e = clock_start(&r->clock, &hooks, err);
	if (e < 0) {
		run_free(r);
		return e;
	}
	*ret = r;
	return 0;
}

bool run_is_busy(const struct run *r)
{
	struct clock_report c;

	if (r->state != RUNNING)
		return false;
	clock_report(&r->clock, &c);
	/* Its time flies as fast as the CPUs let it. */
	if (r->clock.kind == CLOCK_KIND_VIRTUAL && !c.ended[0])
		return true;
	return clock_now(&r->clock) < YOUNG_NS || (r->slot && sampler_cpu_share(r->slot) > BUSY_SHARE);
}

const char *run_phase(const struct run *r)
{
	return r->result.n_marks ? r->result.marks[r->result.n_marks - 1].name : "";
}

uint64_t run_rss_bytes(const struct run *r)
{
	return r->last_rss_bytes;
}

struct run *run_free(struct run *r)
{
	if (!r)
		return NULL;
	if (r->slot)
		end_observation(r);
	clock_close(&r->clock);
	load_done(&r->load);
	if (r->child.pid) {
		(void)kill(-r->child.pid, SIGKILL);
		(void)kill(r->child.pid, SIGKILL);
		while (waitpid(r->child.pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	sd_event_source **sources[] = { &r->exited,	   &r->drain,	   &r->alarm,	   &r->load_exited,    &r->deadline, &r->step,
					&r->out.source, &r->log.source, &r->load_out.source };
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		/* A source may outlive its last reference while it is being dispatched: it must not fire again. */
		if (*sources[i])
			(void)sd_event_source_set_enabled(*sources[i], SD_EVENT_OFF);
		*sources[i] = sd_event_source_unref(*sources[i]);
	}
	memcg_free(r->memcg);
	target_files_close(&r->files);
	const int fds[] = { r->child.pidfd, r->mark_fd, r->out.fd, r->log.fd, r->load_out.fd };
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	free(r->result.marks);
	free(r->result.why);
	free(r->load_failure);
	free(r->tag);
	free(r);
	return NULL;
}
