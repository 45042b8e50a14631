/* SPDX-License-Identifier: Apache-2.0 */
#include "run/supervisor.h"

#include <errno.h>
#include <fcntl.h>
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
	struct output out, log;
	struct last_words words;
	int64_t probe_every_ns, next_probe_ns, next_flush_ns;
	bool planned_end; /* the deadline is the end of observation, not a timeout */
	uint64_t limit_bytes;
	uint64_t last_rss_bytes;
	struct run_result result;
	sd_event_source *exited, *drain, *deadline, *step;
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

static void on_mark(void *arg, const struct mark *m)
{
	struct run *r = arg;

	if (r->result.n_marks == MARKS_MAX) {
		r->result.lost_marks++;
		return;
	}
	r->result.marks = xreallocarray(r->result.marks, r->result.n_marks + 1, sizeof(*m));
	r->result.marks[r->result.n_marks++] = *m;
	record_mark(r->record, m);
	r->next_probe_ns = 0; /* a look at what the phase before it left */
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

/* Slow probes hold the target's mmap lock: only while it idles, or once after a mark. */
static void slow_probe_if_due(struct run *r, int64_t now)
{
	bool marked = r->next_probe_ns == 0;

	if (!marked && (now < r->next_probe_ns || run_is_busy(r)))
		return;
	slow_probe(r);
	r->next_probe_ns = now + r->probe_every_ns;
}

static int on_drain(sd_event_source *source, uint64_t usec, void *arg)
{
	struct run *r = arg;
	int64_t now = clock_now(&r->clock);

	(void)usec;
	drain(r);
	if (r->state == RUNNING) {
		struct probe p;

		/* At a low rate the sampler's own looks are too far apart to catch the last high-water mark before an exit. */
		target_read_fast(&r->files, &p);
		note_high_water(r, &p);
		slow_probe_if_due(r, now);
	}
	if (now >= r->next_flush_ns) {
		record_flush(r->record);
		r->next_flush_ns = now + FLUSH_NS;
	}
	(void)sd_event_source_set_time(source, (uint64_t)(clock_monotonic_ns() + DRAIN_NS) / 1000);
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
	struct output *o = fd == r->out.fd ? &r->out : &r->log;
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
	sampler_stop(r->slot, &r->result.sampling);
	drain(r);
	r->result.lost_marks += r->result.sampling.lost_marks;
	sampler_release(r->slot);
	r->slot = NULL;
}

/* Everything that belongs to the run. Returns how many processes there still were. */
static int kill_all(struct run *r)
{
	if (!r->memcg)
		return owner_kill_run(r->tag);
	memcg_kill(r->memcg);
	return memcg_population(r->memcg);
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

static int on_time_up(sd_event_source *source, uint64_t usec, void *arg)
{
	struct run *r = arg;

	(void)source;
	(void)usec;
	stop(r, r->planned_end ? STOP_PLANNED : STOP_TIMEOUT);
	return 0;
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
	r->result.wall_s = (double)clock_now(&r->clock) / 1e9;
	if (r->lost_status)
		(void)err_set(&err, 0, "how the program ended cannot be told: something else reaped it");
	if (record_close_series(r->record, &err) < 0 || r->lost_status) {
		free(r->result.why);
		r->result.why = xstrdup(err_text(&err));
		r->result.outcome = OUTCOME_HARNESS_ERROR;
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
	while ((reaped = waitpid(r->child.pid, &status, 0)) < 0 && errno == EINTR)
		;
	r->lost_status = reaped != r->child.pid;
	r->result.exit_code = WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
	r->result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	r->child.pid = 0;
	r->state = EMPTYING;
	r->deadline = sd_event_source_unref(r->deadline);
	r->drain = sd_event_source_unref(r->drain);
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
	strv_pushf(&env, "MEMTIDE_MARK_FD=%d", SPAWN_MARK_FD);
	strv_pushf(&env, OWNER_VARIABLE "=%s", r->tag);

	struct spawn s = {
		.argv = q->argv,
		.envp = (const char *const *)env.v,
		.cwd = q->cwd,
		.memcg = r->memcg,
		.stdout_fd = out,
		.stderr_fd = log,
		.mark_fd = mark,
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
	if (e < 0)
		return err_set(err, -e, "cannot watch the run");
	add_timer(r, &r->drain, clock_monotonic_ns() + DRAIN_NS, on_drain);
	r->planned_end = q->for_ns > 0;
	add_timer(r, &r->deadline, clock_deadline(&r->clock, q->for_ns ? q->for_ns : q->timeout_ns), on_time_up);
	return 0;
}

/* Fifty slow probes over the run, but none more often than twice a second nor more rarely than every 5 s. */
static int64_t probe_interval(int64_t for_ns)
{
	int64_t every = for_ns ? for_ns / 50 : NS_PER_S;

	return every < NS_PER_S / 2 ? NS_PER_S / 2 : every > 5 * NS_PER_S ? 5 * NS_PER_S : every;
}

int run_start(const struct run_room *room, const struct run_request *q, run_done_fn *done, void *arg, struct run **ret, struct err *err)
{
	struct run *r = xcalloc(1, sizeof(*r));

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
	r->probe_every_ns = probe_interval(q->for_ns);
	r->next_probe_ns = r->probe_every_ns;
	r->next_flush_ns = FLUSH_NS;

	int e = room->groups ? memcg_create(room->groups, q->name, q->limit_bytes, &r->memcg, err) : 0;
	if (e >= 0)
		e = start_child(r, q, err);
	if (e >= 0) {
		clock_start(&r->clock, r->child.exec_ns);
		e = target_files_open(&r->files, r->child.pid, r->memcg, err);
	}
	if (e >= 0)
		e = sampler_add(room->sampler, r->child.pid, r->memcg, r->mark_fd, &r->clock, &r->slot, err);
	if (e >= 0)
		e = watch(r, q, err);
	if (e < 0) {
		run_free(r);
		return e;
	}
	*ret = r;
	return 0;
}

bool run_is_busy(const struct run *r)
{
	if (r->state != RUNNING)
		return false;
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
	if (r->child.pid) {
		(void)kill(-r->child.pid, SIGKILL);
		(void)kill(r->child.pid, SIGKILL);
		while (waitpid(r->child.pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	sd_event_source **sources[] = { &r->exited, &r->drain, &r->deadline, &r->step, &r->out.source, &r->log.source };
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		/* A source may outlive its last reference while it is being dispatched: it must not fire again. */
		if (*sources[i])
			(void)sd_event_source_set_enabled(*sources[i], SD_EVENT_OFF);
		*sources[i] = sd_event_source_unref(*sources[i]);
	}
	memcg_free(r->memcg);
	target_files_close(&r->files);
	const int fds[] = { r->child.pidfd, r->mark_fd, r->out.fd, r->log.fd };
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	free(r->result.marks);
	free(r->result.why);
	free(r->tag);
	free(r);
	return NULL;
}
