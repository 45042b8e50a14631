/* SPDX-License-Identifier: Apache-2.0 */
#include "run/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/strv.h"
#include "base/units.h"
#include "record/record.h"
#include "run/cgroup.h"
#include "run/foreign.h"
#include "run/owner.h"
#include "run/supervisor_parts.h"

#define GRACE_NS (2 * NS_PER_S)   /* between SIGTERM and SIGKILL */
#define EMPTY_STEP_NS (2 * NS_PER_MS)
#define EMPTY_MAX_NS (20 * NS_PER_S) /* then the group is left for the next start's sweep */
#define YOUNG_NS (300 * NS_PER_MS)
#define BUSY_SHARE 0.2
#define WATCHDOG_NS (30 * NS_PER_S) /* the target's time is never slower than real time: beyond that its clock has failed */

/* ---- the end -------------------------------------------------------------------------------------------------------------------------- */

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
	clock_end(&r->clock);
	(void)kill_all(r);
	return 0;
}

void run_add_timer(struct run *r, sd_event_source **source, int64_t at_ns, sd_event_time_handler_t handler)
{
	*source = sd_event_source_unref(*source);
	if (sd_event_add_time(r->room->event, source, CLOCK_MONOTONIC, (uint64_t)at_ns / 1000, 1, handler, r) < 0)
		abort(); /* only without memory */
}

void run_stop(struct run *r, enum stop_reason reason)
{
	if (r->state != RUNNING)
		return;
	run_end_observation(r);
	r->stop = reason;
	if (r->foreign) {
		r->state = EMPTYING;
		run_add_timer(r, &r->step, clock_monotonic_ns(), run_on_left);
		return;
	}
	r->state = STOPPING;
	(void)kill(r->child.pid, SIGTERM);
	run_add_timer(r, &r->deadline, clock_monotonic_ns() + GRACE_NS, on_grace_over);
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *arg)
{
	struct run *r = arg;

	(void)source;
	(void)usec;
	r->clock_failed = true;
	run_stop(r, STOP_TIMEOUT);
	return 0;
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
	return NULL;
}

/* The same of the load, where the program itself has nothing worse to say: a client fails when its server was killed. */
static char *load_failure(struct run *r)
{
	if (r->stop == STOP_INTERRUPTED || (r->result.outcome != OUTCOME_OK && r->result.outcome != OUTCOME_TIMEOUT))
		return NULL;
	if (r->load.state == LOAD_AWAITED)
		return r->load.mark ? strf("its load never began: the program did not come to its mark %s", r->load.mark)
				    : strf("its load never began: the program did not listen on port %u", r->load.port);
	return r->load_failure ? xstrdup(r->load_failure) : NULL;
}

/* Of the run's own processes: without those that were there to put it under pressure. */
static uint64_t own_oom_kills(const struct run *r)
{
	uint64_t all = r->result.end.oom_kills;

	return all == MISSING ? MISSING : all > r->acts.oom_kills ? all - r->acts.oom_kills : 0;
}

static void give_verdict(struct run *r)
{
	struct ending e = {
		.stop = r->stop,
		.killed = r->killed,
		.exit_code = r->result.exit_code,
		.signal = r->result.signal,
		.oom_kills = own_oom_kills(r),
		.limit_bytes = acts_limit(&r->acts, r->limit_bytes),
		.limit_shared = r->memcg && memcg_neighbour(r->memcg),
		.peak_bytes = r->result.end.memcg_peak_bytes,
		.words = &r->words,
	};

	last_words_add(&r->words, "\n", 1);
	r->result.outcome = classify(&e, &r->result.why);
	r->result.load = r->load.report;
	r->result.acts = r->acts.reports;
	run_note_failures(r);
}

void run_note_failures(struct run *r)
{
	struct err err = ERR_INIT;

	r->result.by_program = r->stop == STOP_NONE;
	r->result.wall_s = (double)(clock_monotonic_ns() - r->clock.exec_ns) / 1e9;
	char *failure = harness_failure(r);
	if (record_close_series(r->record, &err) < 0 && !failure)
		failure = xstrdup(err_text(&err));
	if (!failure)
		failure = load_failure(r);
	if (failure) {
		free(r->result.why);
		r->result.why = failure;
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
		bool empty = kill_all(r) == 0 && acts_are_gone(&r->acts);

		if (empty && r->memcg) {
			memcg_counters(r->memcg, &counters);
			if (counters.peak_bytes != MISSING)
				r->result.end.memcg_peak_bytes = counters.peak_bytes;
			if (counters.oom_kills != MISSING)
				r->result.end.oom_kills = counters.oom_kills;
		}
		if (!empty || (r->memcg && memcg_delete(r->memcg) < 0)) {
			(void)sd_event_source_set_time(source, (uint64_t)(clock_monotonic_ns() + EMPTY_STEP_NS) / 1000);
			return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
		}
	}
	run_finish_output(r, &r->out);
	run_finish_output(r, &r->log);
	run_finish_output(r, &r->load_out);
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
	run_end_observation(r);
	clock_end(&r->clock);
	if (load_has_ended(&r->load))
		run_end_load(r);
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
	run_add_timer(r, &r->step, clock_monotonic_ns(), on_empty_step);
	return 0;
}

void run_interrupt(struct run *r)
{
	run_stop(r, STOP_INTERRUPTED);
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
		.own_stdin = q->own_stdin,
		.mark_fd = mark,
		.clock = r->clock.kind == CLOCK_KIND_VIRTUAL ? &r->clock : NULL,
		.kernel = &q->kernel,
		.nofile = &r->room->nofile,
	};
	e = spawn(&s, &r->child, err);
	r->pid = r->child.pid;
	return e;
}

static bool has_neighbour(const struct run_request *q)
{
	for (size_t i = 0; i < q->n_acts; i++)
		if (q->acts[i].kind == ACT_NEIGHBOUR)
			return true;
	return false;
}

static void aim_acts(struct run *r)
{
	const struct act_target target = {
		.event = r->room->event,
		.memcg = r->memcg,
		.tag = r->tag,
		.clock = &r->clock,
		.nofile = &r->room->nofile,
		.pid = r->child.pid,
		.done = run_on_act_done,
		.arg = r,
	};

	acts_aim(&r->acts, &target);
}

static int watch(struct run *r, const struct run_request *q, struct err *err)
{
	sd_event *event = r->room->event;
	int e = sd_event_add_io(event, &r->exited, r->child.pidfd, EPOLLIN, r->foreign ? run_on_foreign_exited : on_exited, r);

	if (e >= 0 && !r->foreign)
		e = sd_event_add_io(event, &r->out.source, r->out.fd, EPOLLIN, run_on_output, r);
	if (e >= 0 && !r->foreign)
		e = sd_event_add_io(event, &r->log.source, r->log.fd, EPOLLIN, run_on_output, r);
	if (e >= 0)
		e = sd_event_add_io(event, &r->alarm, r->clock.alarm_fd, EPOLLIN, run_on_alarm, r);
	if (e < 0)
		return err_set(err, -e, "cannot watch the run");
	if (q->pass_on) {
		run_pass_on(&r->out);
		run_pass_on(&r->log);
	}
	run_add_timer(r, &r->drain, clock_monotonic_ns() + DRAIN_NS, run_on_drain);
	r->planned_end = q->for_ns > 0;
	r->end_at_ns = q->for_ns ? q->for_ns : q->timeout_ns;
	r->ends_with_load = q->load && !q->for_ns;
	run_add_timer(r, &r->deadline, r->clock.exec_ns + r->end_at_ns + WATCHDOG_NS, on_watchdog);
	/* A virtual clock waits for the supervisor's first turn: it is looked into by then, and a load may begin. */
	clock_set_alarm(&r->clock, 0);
	return 0;
}

/* Fifty slow probes over the run, but none more often than twice a second, nor more rarely than every 5 s of real time. */
static int64_t probe_interval(const struct run_request *q)
{
	int64_t length = q->for_ns ? q->for_ns : q->clock == CLOCK_KIND_VIRTUAL ? q->timeout_ns : 50 * NS_PER_S;
	int64_t every = length / 50 < NS_PER_S / 2 ? NS_PER_S / 2 : length / 50;

	return q->clock == CLOCK_KIND_REAL && every > 5 * NS_PER_S ? 5 * NS_PER_S : every;
}

/* Twenty splits over the run, but none more often than once a second. */
static void look_inside(struct run *r, const struct run_request *q)
{
	int64_t every = q->clock == CLOCK_KIND_VIRTUAL ? (q->for_ns ? q->for_ns : q->timeout_ns) / 20 : NS_PER_S;
	const struct inside_site site = {
		.pid = r->pid,
		.pidfd = r->child.pidfd,
		.clock = &r->clock,
		.slot = r->slot,
		.record = r->record,
		.split_every_ns = every < NS_PER_S ? NS_PER_S : every,
		.sparing = r->foreign,
	};

	r->inside = inside_begin(&site);
}

int run_start(const struct run_room *room, const struct run_request *q, run_done_fn *done, void *arg, struct run **ret, struct err *err)
{
	struct run *r = xcalloc(1, sizeof(*r));
	const struct clock_hooks hooks = run_clock_hooks(r);

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
	r->result.inside = INSIDE_REPORT_INIT;
	r->tag = strf("%s/%s", room->owner, q->name);
	r->probe_every_ns = probe_interval(q);
	r->next_probe_ns = r->probe_every_ns;
	r->next_flush_ns = clock_monotonic_ns() + FLUSH_NS;
	r->load_out = (struct output){ .fd = -1, .stream = 3 };
	r->clock_strict = q->clock_strict;

	load_init(&r->load, NULL, NULL);
	acts_init(&r->acts, q->acts, q->n_acts);
	int e = clock_open(&r->clock, q->clock, err);
	if (e >= 0 && room->groups && !q->attach)
		e = has_neighbour(q) ? memcg_create_beside(room->groups, q->name, q->limit_bytes, &r->memcg, err)
				     : memcg_create(room->groups, q->name, q->limit_bytes, &r->memcg, err);
	if (e >= 0)
		e = q->attach ? run_take_foreign(r, q->attach, err) : start_child(r, q, err);
	if (e >= 0) {
		clock_begin(&r->clock, r->child.exec_ns);
		aim_acts(r);
		e = target_files_open(&r->files, r->pid, r->memcg, err);
	}
	if (e >= 0 && r->foreign)
		run_note_before(r);
	if (e >= 0)
		e = sampler_add(room->sampler, r->pid, r->memcg, r->mark_fd, &r->clock, &r->slot, err);
	if (e >= 0)
		e = watch(r, q, err);
	if (e >= 0)
		e = clock_start(&r->clock, &hooks, err);
	/* Its files cannot be opened then; those of a zombie can, and say nothing. */
	if (q->attach && foreign_is_gone(q->attach))
		e = err_usage(err, "process %d has just exited", (int)q->attach->pid);
	if (e < 0) {
		run_free(r);
		return e;
	}
	look_inside(r, q);
	if (r->foreign)
		run_mark_attached(r);
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
		run_end_observation(r);
	clock_close(&r->clock);
	load_done(&r->load);
	acts_done(&r->acts);
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
	if (!r->foreign)
		memcg_free(r->memcg);
	target_files_close(&r->files);
	(void)tee_free(r->out.tee);
	(void)tee_free(r->log.tee);
	const int fds[] = { r->child.pidfd, r->mark_fd, r->out.fd, r->log.fd, r->load_out.fd };
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	free(r->result.gaps);
	free(r->result.marks);
	free(r->result.told);
	free(r->result.why);
	free(r->load_failure);
	free(r->tag);
	free(r);
	return NULL;
}
