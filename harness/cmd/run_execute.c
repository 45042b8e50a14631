/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/run_parts.h"
#include "record/record.h"
#include "render/progress.h"
#include "run/cgroup.h"
#include "run/clock.h"
#include "run/eta.h"
#include "run/owner.h"
#include "run/queue.h"

#define TICK_NS (200 * NS_PER_MS)

struct running {
	struct execution *x; /* borrowed */
	struct job *j;       /* borrowed */
	size_t planned;      /* index in its plan's order */
	size_t queued;       /* index in the queue */
	struct run *run;     /* owned */
	struct record *record; /* owned */
	char started[32];
	int64_t begun_ns;
	uint16_t port; /* of its own; 0: none */
	struct running *next;
};

struct queued {
	struct job *j;  /* borrowed */
	size_t planned; /* index in its plan's order */
};

struct execution {
	struct job *const *jobs; /* borrowed */
	size_t n_jobs;
	const struct execution_watch *watch; /* borrowed; NULL: nobody watches */
	struct run_room room;
	struct queue queue;
	struct queued *order; /* owned: queue index -> run */
	struct running *running;
	int64_t begun_ns;
	double wall_s; /* of all runs that have ended well, in sum: what is left takes as long */
	size_t timed;
	struct eta eta;
	unsigned interrupts;
	sd_event_source *tick;
};

static void fill(struct execution *x);

/* Where something is expected of some cells, but nothing of this one, nobody means it to build. */
static bool is_meant_to_build(const struct scenario *s, const struct cell *c)
{
	for (size_t i = 0; i < s->n_expect; i++)
		if (cell_matches(c, s->expect[i].match, s->expect[i].n_match))
			return true;
	return !s->n_expect;
}

void job_count(struct job *j, const struct planned_run *p, enum outcome o)
{
	switch (o) {
	case OUTCOME_HARNESS_ERROR:
	case OUTCOME_NO_PERMISSION:
		j->harness_errors++;
		break;
	case OUTCOME_BUILD_FAILED:
		j->not_run += is_meant_to_build(j->scenario, &j->plan->cells[p->cell]);
		break;
	case OUTCOME_TOOLCHAIN_MISSING:
		j->not_run++;
		break;
	case OUTCOME_INTERRUPTED:
		j->interrupted++;
		break;
	case OUTCOME_OK:
	case OUTCOME_EXIT:
	case OUTCOME_SIGNAL:
	case OUTCOME_OOM_CGROUP:
	case OUTCOME_OOM_GO:
	case OUTCOME_GO_FATAL:
	case OUTCOME_TIMEOUT:
	case OUTCOME_NOT_APPLICABLE:
	case OUTCOME_COUNT_:
		break;
	}
}

/* run.json, whatever the run was. */
static void write_run(struct job *j, const struct planned_run *p, struct record *record, const struct run_result *result, enum outcome outcome,
		      const char *why, const char *started)
{
	struct err cleanup_err err = ERR_INIT;
	cleanup_json json_t *run = job_run_json(j, p, result, outcome, why, started, record_dir(record));

	job_count(j, p, outcome);
	if (outcome == OUTCOME_HARNESS_ERROR || outcome == OUTCOME_NO_PERMISSION)
		log_error("%s, repeat %u: %s", j->plan->cells[p->cell].id, p->repeat, why ? why : outcome_to_string(outcome));
	if (record_finish(record, run, &err) < 0) {
		log_error("%s, repeat %u: %s", j->plan->cells[p->cell].id, p->repeat, err_text(&err));
		j->harness_errors++;
	}
}

/* A cell that cannot be run has its outcome on record all the same. */
static void record_not_run(struct job *j, const struct planned_run *p, enum outcome outcome, const char *why)
{
	struct err cleanup_err err = ERR_INIT;
	struct record *record = NULL;
	char now[32];

	iso_time_now(now);
	if (record_create(j->dir, j->plan->cells[p->cell].id, p->repeat, &record, &err) < 0) {
		log_error("%s", err_text(&err));
		j->harness_errors++;
		return;
	}
	(void)record_close_series(record, NULL);
	write_run(j, p, record, NULL, outcome, why, now);
	record_free(record);
}

static void drop(struct running *r)
{
	struct running **at = &r->x->running;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	run_free(r->run);
	record_free(r->record);
	free(r);
}

/* One of the job's runs. */
static void ended(const struct execution *x, struct job *j)
{
	if (--j->left == 0 && !x->interrupts && x->watch)
		x->watch->finished(j, x->watch->arg);
}

static void on_done(struct run *run, const struct run_result *result, void *arg)
{
	struct running *r = arg;
	struct execution *x = r->x;
	struct job *j = r->j;

	(void)run;
	if (result->outcome == OUTCOME_OK) {
		x->wall_s += result->wall_s;
		x->timed++;
		j->wall_s += result->wall_s;
		j->timed++;
	}
	write_run(j, &j->plan->order[r->planned], r->record, result, result->outcome, result->why, r->started);
	if (result->pass_on_errnum && result->pass_on_errnum != EPIPE)
		j->pass_on_errnum = result->pass_on_errnum;
	queue_end(&x->queue, r->queued);
	x->eta.done_s += j->cost_s;
	drop(r);
	ended(x, j);
	fill(x);
	if (queue_done(&x->queue) || (x->interrupts && !x->running))
		(void)sd_event_exit(x->room.event, 0);
}

static bool port_is_taken(const struct execution *x, uint16_t port)
{
	for (const struct running *r = x->running; r; r = r->next)
		if (r->port == port)
			return true;
	return false;
}

/* One that no other run was given: that one may not listen on it yet. */
static int give_port(struct execution *x, struct running *r, struct err *err)
{
	uint16_t port = 0;
	int e = 0;

	for (int tries = 0; e >= 0 && !r->port; tries++) {
		e = port_pick(&port, err);
		if (e >= 0 && !port_is_taken(x, port))
			r->port = port;
		else if (e >= 0 && tries > 100)
			e = err_set(err, EADDRINUSE, "cannot find a free port on 127.0.0.1");
	}
	return e;
}

/* A command in the background must not take what is typed to the shell; in a session of its own the kernel would not hinder it. */
static bool stdin_is_ours(void)
{
	return fcntl(STDIN_FILENO, F_GETFD) >= 0 && (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) == getpgrp());
}

static int start_attached(struct execution *x, struct running *r, struct err *err)
{
	const struct scenario *s = r->j->scenario;
	const struct run_request request = {
		.attach = r->j->attach, .name = "attached", .for_ns = s->for_ns, .timeout_ns = s->timeout_ns, .clock = CLOCK_KIND_REAL, .record = r->record,
	};

	return run_start(&x->room, &request, on_done, r, &r->run, err);
}

static int start_target(struct execution *x, struct running *r, struct err *err)
{
	const struct job *j = r->j;
	const struct planned_run *p = &j->plan->order[r->planned];
	const struct cell *c = &j->plan->cells[p->cell];
	const struct scenario *s = j->scenario;
	cleanup_strv struct strv argv = STRV_INIT, load_argv = STRV_INIT, env = STRV_INIT;
	char name[32];
	int e = job_has_port(j) ? give_port(x, r, err) : 0;

	if (e < 0)
		return e;
	job_target_args(j, p->cell, &argv);
	job_load_args(j, p->cell, &load_argv);
	job_target_env(j, p->cell, &env);
	if (r->port) {
		port_fill_in(&argv, r->port);
		port_fill_in(&load_argv, r->port);
		strv_pushf(&env, "MEMTIDE_PORT=%u", r->port);
	}
	(void)snprintf(name, sizeof(name), "run-%zu", r->queued);

	const struct run_load load = {
		.argv = (const char *const *)load_argv.v,
		.inside = s->load.clock == CLOCK_KIND_VIRTUAL,
		.mark = s->ready.mark,
		.port = s->ready.port ? r->port : 0,
	};
	const struct run_request request = {
		.name = name,
		.argv = (const char *const *)argv.v,
		.envp = (const char *const *)env.v,
		.limit_bytes = c->limit_bytes,
		.for_ns = s->for_ns,
		.timeout_ns = s->timeout_ns,
		.clock = s->clock,
		.clock_strict = s->clock_strict,
		.load = s->load.given ? &load : NULL,
		.acts = s->timeline.v,
		.n_acts = s->timeline.n,
		.kernel = { .madv_free_refused = c->madv_free_refused, .thp_never = c->thp_never },
		.record = r->record,
		.own_stdin = j->recorded && stdin_is_ours(),
		.pass_on = j->recorded,
	};
	return run_start(&x->room, &request, on_done, r, &r->run, err);
}

/* Starts the next run. One that cannot be started is recorded as a failure of the harness, and the others go on. */
static void start_next(struct execution *x)
{
	struct err cleanup_err err = ERR_INIT;
	struct running *r = xcalloc(1, sizeof(*r));
	const struct planned_run *p;
	int e;

	r->x = x;
	r->queued = queue_start(&x->queue);
	r->j = x->order[r->queued].j;
	r->planned = x->order[r->queued].planned;
	p = &r->j->plan->order[r->planned];
	r->next = x->running;
	x->running = r;
	iso_time_now(r->started);
	r->begun_ns = clock_monotonic_ns();
	e = record_create(r->j->dir, r->j->plan->cells[p->cell].id, p->repeat, &r->record, &err);
	if (e >= 0)
		e = r->j->attach ? start_attached(x, r, &err) : start_target(x, r, &err);
	if (e >= 0)
		return;
	if (r->j->attach && err.exit_code == EXIT_USAGE) {
		r->j->gone = xstrdup(err_text(&err));
	} else if (r->record) {
		(void)record_close_series(r->record, NULL);
		write_run(r->j, p, r->record, NULL, e == -EPERM || e == -EACCES ? OUTCOME_NO_PERMISSION : OUTCOME_HARNESS_ERROR, err_text(&err),
			  r->started);
	} else {
		log_error("%s, repeat %u: %s", r->j->plan->cells[p->cell].id, p->repeat, err_text(&err));
		r->j->harness_errors++;
	}
	struct job *j = r->j;

	queue_end(&x->queue, r->queued);
	x->eta.done_s += j->cost_s;
	drop(r);
	ended(x, j);
}

static void fill(struct execution *x)
{
	while (!x->interrupts) {
		unsigned busy = 0;

		for (struct running *r = x->running; r; r = r->next)
			busy += run_is_busy(r->run);
		if (!queue_may_start(&x->queue, busy))
			return;
		start_next(x);
	}
}

/* Until the last run of the queue ends; 0 where runs end by themselves and nobody knows when. */
static double time_left_s(const struct execution *x, int64_t now)
{
	const struct job *j = x->jobs[0];
	/* On the real clock a run takes as long as it was asked to; on the virtual one as long as those before it. */
	bool timed = x->timed && j->scenario->clock == CLOCK_KIND_VIRTUAL;
	double run_s = timed ? x->wall_s / (double)x->timed : job_guess_run_s(j);
	double left_s = x->queue.next < x->queue.n ? queue_estimate_s(&x->queue, run_s, START_GAP_S)
			: x->running		   ? run_s - (double)(now - x->running->begun_ns) / 1e9
						   : 0;

	return left_s > 0 ? left_s : 0;
}

/* The same of runs of many kinds. */
static double time_left_of_all_s(const struct execution *x, int64_t now)
{
	struct eta e = x->eta;

	e.elapsed_s = (double)(now - x->begun_ns) / 1e9;
	for (const struct running *r = x->running; r; r = r->next) {
		double passed = (double)(now - r->begun_ns) / 1e9 / r->j->takes_s;

		e.done_s += r->j->cost_s * (passed < 1 ? passed : 1);
	}
	return eta_left_s(&e);
}

static void show_progress(const struct execution *x)
{
	int64_t now = clock_monotonic_ns();
	const struct running *youngest = x->running;
	char line[256];
	cleanup_free char *cell = !youngest ? xstrdup("")
				  : strf("%s%s%s", x->watch ? youngest->j->scenario->name : "", x->watch ? " " : "",
					 youngest->j->plan->cells[youngest->j->plan->order[youngest->planned].cell].id);
	struct progress p = {
		.done = x->queue.next - x->queue.running,
		.total = x->queue.n,
		.running = x->queue.running,
		.elapsed_s = (double)(now - x->begun_ns) / 1e9,
		.eta_s = x->watch ? time_left_of_all_s(x, now) : time_left_s(x, now),
		.cell = cell,
		.phase = youngest ? run_phase(youngest->run) : "",
		.rss_bytes = youngest ? run_rss_bytes(youngest->run) : MISSING,
	};

	if (x->watch)
		x->watch->tick(&p, x->watch->arg);
	progress_line(line, sizeof(line), &p);
	log_status(line);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct execution *x = arg;

	(void)usec;
	fill(x);
	/* The terminal is the recorded command's. */
	if (!x->jobs[0]->recorded)
		show_progress(x);
	if (queue_done(&x->queue))
		return sd_event_exit(x->room.event, 0);
	(void)sd_event_source_set_time(source, (uint64_t)(clock_monotonic_ns() + TICK_NS) / 1000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	struct execution *x = arg;

	(void)source;
	(void)info;
	if (x->interrupts++ > 0)
		return sd_event_exit(x->room.event, 0);
	if (!x->jobs[0]->recorded)
		log_note("Interrupted: ending %u run%s, what they recorded is kept. (Again to leave at once.)", x->queue.running,
		 x->queue.running == 1 ? "" : "s");
	for (struct running *r = x->running; r; r = r->next)
		run_interrupt(r->run);
	return x->running ? 0 : sd_event_exit(x->room.event, 0);
}

/* The job's applicable runs that no earlier start has finished, and whose cell could be built. */
static void enqueue(struct execution *x, struct job *j, uint64_t *needs, size_t *n)
{
	const struct plan *p = j->plan;
	const struct eta_room room = {
		.budget_bytes = j->budget_bytes, .cpus = j->host.cpus, .max_jobs = x->queue.max_jobs,
	};
	struct eta_kind kind = { .takes_s = job_takes_s(j), .start_gap_s = j->scenario->clock == CLOCK_KIND_VIRTUAL ? 0 : START_GAP_S };

	j->left = 0;
	j->takes_s = kind.takes_s;
	for (size_t i = 0; i < p->n_order; i++) {
		const struct cell_build *b = &j->cells[p->order[i].cell];

		if (j->have[i])
			continue;
		if (b->outcome != OUTCOME_OK) {
			record_not_run(j, &p->order[i], b->outcome, b->why);
			continue;
		}
		x->order[*n] = (struct queued){ j, i };
		needs[(*n)++] = kind.needs_bytes = job_needs_bytes(j, p->order[i].cell);
		j->cost_s = eta_cost_s(&kind, &room);
		j->left++;
	}
	x->eta.expected_s += (double)j->left * j->cost_s;
}

/* One queue for the runs of all jobs, in the jobs' order: while the last ones of a job go on, the first ones of the next begin. */
static void make_queue(struct execution *x, uint64_t **ret_needs)
{
	const struct job *first = x->jobs[0];
	size_t most = 0, n = 0;

	for (size_t i = 0; i < x->n_jobs; i++)
		most += x->jobs[i]->plan->n_order;
	x->order = xcalloc(most + 1, sizeof(*x->order));
	*ret_needs = xcalloc(most + 1, sizeof(**ret_needs));
	x->queue.max_jobs = first->options->jobs && first->options->jobs < SAMPLER_TARGETS_MAX ? first->options->jobs : SAMPLER_TARGETS_MAX;
	for (size_t i = 0; i < x->n_jobs; i++)
		enqueue(x, x->jobs[i], *ret_needs, &n);
	x->queue = (struct queue){
		.budget_bytes = first->budget_bytes,
		.max_jobs = x->queue.max_jobs,
		.cpus = first->host.cpus,
		.needs_bytes = *ret_needs,
		.n = n,
	};
}

static int make_loop(struct execution *x, struct err *err)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	int r = sd_event_new(&x->room.event);

	for (size_t i = 0; r >= 0 && i < sizeof(signals) / sizeof(*signals); i++)
		r = sd_event_add_signal(x->room.event, NULL, signals[i], on_signal, x);
	if (r >= 0)
		r = sd_event_add_time(x->room.event, &x->tick, CLOCK_MONOTONIC, (uint64_t)clock_monotonic_ns() / 1000, 1, on_tick, x);
	return r < 0 ? err_set(err, -r, "cannot make the event loop") : 0;
}

static int run_loop(struct execution *x, struct err *err)
{
	cleanup_free uint64_t *needs = NULL;
	int r;

	make_queue(x, &needs);
	x->begun_ns = clock_monotonic_ns();
	if (x->watch)
		x->eta.expected_s += x->watch->after_s;
	for (size_t i = 0; i < x->n_jobs && x->watch; i++)
		if (!x->jobs[i]->left)
			x->watch->finished(x->jobs[i], x->watch->arg);
	r = x->queue.n ? sd_event_loop(x->room.event) : 0;
	log_status(NULL);
	/* Left at once: what still runs is killed, and stays unfinished on record. */
	while (x->running) {
		x->running->j->interrupted++;
		drop(x->running);
	}
	for (size_t i = x->queue.next; x->interrupts && i < x->queue.n; i++)
		x->order[i].j->interrupted++;
	free(x->order);
	return r < 0 ? err_set(err, -r, "the event loop failed") : 0;
}

static void leave_not_applicable(struct job *j)
{
	for (size_t i = 0; i < j->plan->n_cells; i++) {
		const struct planned_run p = { .cell = i, .repeat = 1 };
		cleanup_free char *there = strf("%s/%s/1/run.json", j->dir, j->plan->cells[i].id);

		if (j->plan->cells[i].why_not && !file_exists(there))
			record_not_run(j, &p, OUTCOME_NOT_APPLICABLE, j->plan->cells[i].why_not);
	}
}

int job_open_groups(struct job *j, struct err *err)
{
	struct err cleanup_err why = ERR_INIT;
	cleanup_strv struct strv swept = STRV_INIT;
	bool limited = false;

	for (size_t i = 0; i < j->plan->n_cells; i++)
		limited |= j->plan->cells[i].limit_bytes > 0;

	owner_sweep_processes(&swept);
	const struct act *act = timeline_in_group(&j->scenario->timeline);
	int r = memcg_root_open(&j->groups, &swept, limited ? err : &why);
	for (size_t i = 0; i < swept.n; i++)
		log_note("Removed %s, left behind by a memtide that was killed.", swept.v[i]);
	if (r >= 0)
		j->cgroup_version = memcg_root_version(j->groups);
	else if (!limited && !act)
		log_note("Runs without cgroups: no limit, no OOM detection, no usage curve (%.*s).", (int)strcspn(err_text(&why), "\n"),
			 err_text(&why));
	if (r < 0 && !limited && act) {
		cleanup_free char *what = act_text(act);

		(void)err_set(err, why.errnum, "%s: %s needs a cgroup for the run (%.*s)", act->place, what, (int)strcspn(err_text(&why), "\n"),
			      err_text(&why));
		return err_hint(err, "Run it as root (sudo).");
	}
	return limited ? r : 0;
}

int job_begin(struct job *j, struct err *err)
{
	int r = job_open_groups(j, err);

	if (r >= 0)
		r = job_lock(j, err);
	if (r >= 0)
		r = job_write_campaign(j, false, err);
	if (r >= 0)
		job_prepare(j);
	return r;
}

/* A run takes some 20 descriptors, and 1 024 are a usual soft limit. */
static void raise_nofile(struct rlimit *ret_before)
{
	(void)getrlimit(RLIMIT_NOFILE, ret_before);

	const struct rlimit most = { ret_before->rlim_max, ret_before->rlim_max };
	(void)setrlimit(RLIMIT_NOFILE, &most);
}

/* Of all jobs: how exact this kernel is, and what their campaigns say before the first run. */
static int introduce(struct execution *x, struct err *err)
{
	struct selftest selftest = { 0 };
	int r = selftest_run(&selftest, err);
	bool done = r >= 0;

	if (r >= 0)
		r = sampler_start(&x->room.sampler, x->jobs[0]->options->rate_hz, err);
	if (r >= 0)
		sampler_bound(x->room.sampler, x->jobs[0]->options->bound_permille);
	for (size_t i = 0; i < x->n_jobs; i++) {
		x->jobs[i]->selftest = selftest;
		x->jobs[i]->selftest_done = done;
		if (r >= 0) {
			x->jobs[i]->scheduling = sampler_scheduling(x->room.sampler);
			r = job_write_campaign(x->jobs[i], false, err);
		}
	}
	return r;
}

int jobs_execute(struct job *const *jobs, size_t n, const struct execution_watch *watch, struct err *err)
{
	struct execution x = { .jobs = jobs, .n_jobs = n, .watch = watch };
	sigset_t mask, before;
	struct owner me;
	char owner[OWNER_NAME_MAX];
	int r = owner_self(&me, err);

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = clock_check(jobs[i]->scenario->clock, err);
	if (r < 0)
		return r;
	owner_format(owner, &me);
	x.room.owner = owner;

	/* Before the sampling thread starts, which inherits the mask: sd-event takes these through a signalfd. */
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &mask, &before);

	raise_nofile(&x.room.nofile);
	x.room.groups = jobs[0]->groups;
	r = introduce(&x, err);
	if (r >= 0)
		r = make_loop(&x, err);
	if (r >= 0) {
		for (size_t i = 0; i < n; i++)
			leave_not_applicable(jobs[i]);
		r = run_loop(&x, err);
	}
	x.tick = sd_event_source_unref(x.tick);
	x.room.event = sd_event_unref(x.room.event);
	x.room.sampler = sampler_free(x.room.sampler);
	(void)setrlimit(RLIMIT_NOFILE, &x.room.nofile);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

int job_execute(struct job *j, struct err *err)
{
	return jobs_execute(&j, 1, NULL, err);
}
