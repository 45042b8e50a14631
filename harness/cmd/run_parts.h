/* SPDX-License-Identifier: Apache-2.0
 *
 * run_parts.h - the parts of `memtide run`, in the order in which they work: options, plan, builds, runs, report.
 *
 * Private to cmd/run*.c. Main thread only.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "build/program.h"
#include "build/toolchain.h"
#include "plan/plan.h"
#include "plan/outcome.h"
#include "run/host.h"
#include "run/selftest.h"
#include "run/supervisor.h"

struct err;
struct foreign;
struct progress;
struct memcg_root;

/* What a run on the virtual clock takes: mostly its start, its load and its end, hardly the time that it sleeps through. For
 * estimates only, until runs of the campaign itself have been timed. */
#define VIRTUAL_RUN_S      0.6
#define VIRTUAL_PER_S      0.0025 /* of the program's time */

/* A start follows the one before it when that one's load is over: about this long. For estimates only. */
#define START_GAP_S 0.7

struct run_options {
	struct strv scenarios; /* names or paths */
	const char *go_list;         /* borrowed from argv, as all strings here; NULL: the scenario's own */
	struct strv set;       /* "AXIS=V,V" */
	const char *limit;           /* NULL: the scenario's own */
	const char *for_text;        /* NULL: the scenario's own */
	const char *clock;           /* NULL: the scenario's own */
	const char *out;             /* "results" */
	unsigned repeat;       /* 0: the scenario's own */
	unsigned rate_hz;
	unsigned bound_permille; /* as sampler_bound() has it */
	unsigned jobs;         /* 0: as many as fit */
	uint64_t seed;
	bool rate_given, seed_given;
	bool dry_run, resume, no_plot, json;
};

/* The keys of the options that `run` and `corpus run` share; a command's own begin at OPT_OWN. */
enum { OPT_GO = 256, OPT_REPEAT, OPT_OUT, OPT_JOBS, OPT_SEED, OPT_RESUME, OPT_NO_PLOT, OPT_OWN };

/* run_options.c. Nothing given. */
void run_options_init(struct run_options *o);
/* An argp parser for those, and for the scenarios. */
struct argp_state;
int run_option_parse(int key, char *arg, struct argp_state *state);
/* The same for a command whose own options stand in state->input: one of those that it shares. */
void run_option_take(struct run_options *o, int key, char *arg, struct argp_state *state);
/* A whole number; another text ends the program with the usage. */
unsigned run_option_count(struct argp_state *state, const char *name, const char *text, uint64_t min, uint64_t max);

/* What became of a cell before its runs: a binary to run, or the outcome that all its runs have. */
struct cell_build {
	struct build build;   /* owned; empty for a command */
	enum outcome outcome; /* OUTCOME_OK: can be run */
	char *why;            /* owned */
};

struct job {
	const struct run_options *options; /* borrowed */
	const char *home;                  /* borrowed */
	struct scenario *scenario;         /* owned */
	struct catalogue catalogue;
	struct toolchains local;
	struct plan *plan;            /* owned */
	struct cell_build *cells;     /* owned; one per cell of the plan */
	struct toolchain *toolchains; /* owned; one per release of the plan */
	struct host host;
	struct selftest selftest;
	bool selftest_done;
	char *dir;          /* owned: the campaign's folder */
	char started[32];   /* ISO 8601, UTC */
	uint64_t budget_bytes;
	bool *have;                   /* owned; one per planned run: an earlier start has finished it */
	const char *scheduling;
	struct memcg_root *groups; /* owned; NULL: without cgroups */
	int cgroup_version;        /* 0: without cgroups */
	int lock_fd;               /* holds the campaign's folder against another memtide; -1 */
	unsigned harness_errors, not_run, interrupted; /* of this start and, where resumed, of those before: for the exit code */
	const struct foreign *attach; /* `memtide attach`: what is observed instead of a program of the scenario's; borrowed. NULL */
	char *gone;          /* owned: that it was gone before it could be observed; NULL: it was not */
	bool recorded;       /* `memtide record`: the user's own command, in his environment, and what it prints he sees */
	int pass_on_errnum;  /* of what it printed not all reached him; 0: all did */
	bool one_of_many;    /* a part of a corpus: who runs that says how it goes, and owns `groups` */
	size_t left;         /* runs in the queue and running */
	double takes_s;      /* that a run was expected to take */
	double cost_s;       /* its share of the whole queue's time (run/eta.h) */
	double wall_s;       /* of the runs of this start that ended well, in sum */
	size_t timed;        /* how many those are */
};

/* Of several jobs in one queue. */
struct execution_watch {
	/* All runs of a job have ended; not called once interrupted. */
	void (*finished)(struct job *j, void *arg);
	/* Several times a second, before the progress line is shown; may change it. */
	void (*tick)(struct progress *p, void *arg);
	void *arg;
	double after_s; /* what the caller still has to do after the last run: a part of the time left */
};

/* run_plan.c: scenario, options, catalogue -> plan. The second begins with j->scenario. */
int job_plan(struct job *j, const char *scenario, struct err *err);
int job_plan_cells(struct job *j, struct err *err);
/* run_resume.c: the same from the scenario's newest campaign, whose options replace those in o (strings borrowed from
 * *ret_info, a new reference); what is finished is marked in j->have. */
int job_resume(struct job *j, struct run_options *o, const char *scenario, json_t **ret_info, struct err *err);
/* Holds the campaign's folder: two memtides in one would destroy each other's records. */
int job_lock(struct job *j, struct err *err);
/* After job_prepare(): a cell's finished runs must be of the very program that its other runs will be of. */
int job_check_programs(const struct job *j, struct err *err);
/* Prints cells, toolchains to fetch, memory, time. */
void job_print_plan(const struct job *j);
/* run_execute.c: the right to make cgroups, before anything takes time; sweeps what killed memtides left. */
int job_open_groups(struct job *j, struct err *err);
/* A campaign that is new, its folder and scenario there: groups, the lock, campaign.json, the programs. */
int job_begin(struct job *j, struct err *err);
/* run_prepare.c: fetches and builds what the plan needs; a cell that fails keeps its outcome and reason. */
void job_prepare(struct job *j);
/* run_execute.c: all runs of the plan that have not been done. */
int job_execute(struct job *j, struct err *err);
/* The same of several jobs, at least one: their runs in one queue, job after job, so that no CPU waits for the last run of one
 * of them. All have the first one's groups, number of jobs and sampling rate. */
int jobs_execute(struct job *const *jobs, size_t n, const struct execution_watch *watch, struct err *err);
/* run_json.c */
int job_write_campaign(const struct job *j, bool finished, struct err *err);
/* New reference: run.json of a run; result NULL: it never started (outcome and why are the cell's). Evaluates metrics and
 * expectations from the record in run_dir. */
json_t *job_run_json(const struct job *j, const struct planned_run *p, const struct run_result *result, enum outcome outcome,
		     const char *why, const char *started, const char *run_dir);
/* Into the tallies. A program that did not build counts where something is expected of that cell, or nothing of any. */
void job_count(struct job *j, const struct planned_run *p, enum outcome o);
void iso_time_now(char buf[32]);
/* Real time that a run takes, as far as can be told before one has been made. 0: it ends by itself, nobody knows when. */
double job_guess_run_s(const struct job *j);
/* For the queue. */
uint64_t job_needs_bytes(const struct job *j, size_t cell);
/* The same, and a guess where nobody knows. */
double job_takes_s(const struct job *j);
/* run.c: a folder of its own in parent, "<time>-<name>", never one that is there already: two memtides may start within one
 * second. Caller frees. */
int make_result_folder(const char *parent, const char *name, char **ret, struct err *err);
int job_save_scenario(const struct job *j, struct err *err);
/* The campaign's figures; a failure is a warning. */
void job_draw(const struct job *j);
/* Of its runs, and what its expectations make of it. */
int job_exit_code(const struct job *j, int shown);
/* The worst of several scenarios' codes: the harness's own failure, then usage, an expectation, then what is inconclusive. */
int worse_code(int a, int b);
uint64_t seed_draw(void);
/* record.c. Of a campaign of one run that has been executed: writes the rest of it, draws, shows it on standard error (log_quiet: not) or, for
 * people and as JSON, on standard output, or not at all. Returns the exit code: 0 the run was ok, 1 it was not. */
enum show_where { SHOW_ON_STDERR, SHOW_ON_STDOUT, SHOW_JSON, SHOW_NOTHING };
int job_finish_one(struct job *j, enum show_where where, struct err *err);
/* run_target.c: arguments and environment of a cell's target, as the scenario writes them; appended. */
void job_target_args(const struct job *j, size_t cell, struct strv *ret_argv);
void job_target_env(const struct job *j, size_t cell, struct strv *ret_env);
/* Whether the record says what it is. Of a recorded command's environment only what moves memory: it may hold secrets. */
bool job_env_is_kept(const struct job *j, const char *name);
/* The load's: nothing where there is none. */
void job_load_args(const struct job *j, size_t cell, struct strv *ret_argv);
/* Whether each run gets a TCP port of its own: something in the scenario says {port}, or waits for it. */
bool job_has_port(const struct job *j);
/* A loopback port that nobody holds now. */
int port_pick(uint16_t *ret, struct err *err);
/* Puts it where the words from the second on say {port}; the first is a file. */
void port_fill_in(struct strv *argv, uint16_t port);
void job_done(struct job *j);
