/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/cmd.h"
#include "cmd/corpus_parts.h"
#include "cmd/run_parts.h"
#include "record/corpus.h"
#include "render/progress.h"
#include "run/clock.h"
#include "run/eta.h"
#include "run/queue.h"

#define ETA_AT_S        60.0 /* what is said then is recorded, beside what came true; or when half of the runs are done, if that is earlier */
#define DRAW_S          0.9  /* a campaign's figures, on one CPU; for the estimate only */
#define BUILD_S         1.5  /* a program with one release, on one CPU, most of its packages in Go's cache; likewise */

static const struct argp_option option_table[] = {
	{ "go", OPT_GO, "LIST", 0, "of each scenario's own Go releases only these", 0 },
	{ "repeat", OPT_REPEAT, "N", 0, "runs of each cell, instead of each scenario's own", 0 },
	{ "out", OPT_OUT, "DIR", 0, "the folder that gets the corpus' own, <time>-corpus (results); with --resume that folder itself, or the one it is in", 0 },
	{ "jobs", OPT_JOBS, "N", 0, "runs side by side at most (as many as memory and CPUs allow)", 0 },
	{ "seed", OPT_SEED, "N", 0, "of the order of the runs (drawn, and recorded)", 0 },
	{ "resume", OPT_RESUME, NULL, 0, "go on with the latest corpus in DIR", 0 },
	{ "no-plot", OPT_NO_PLOT, NULL, 0, "record and print, draw nothing", 0 },
	{ 0 },
};

static const struct argp argp = {
	option_table,
	run_option_parse,
	"[SCENARIO...]",
	"Runs all bundled scenarios, or those named, into one folder, a campaign each, and shows what became of the memory.\v"
	"A scenario that fails does not keep the others from being run. Exit code: the worst of theirs.",
	NULL,
	NULL,
	NULL,
};

/* One scenario. */
struct entry {
	struct job job;
	struct run_options options;
	json_t *resumed; /* owned reference; what options borrow from */
	char *path;      /* owned: the scenario's name or file */
	char *go_list;   /* owned: those of its own releases that were asked for; NULL: all */
};

struct corpus_job {
	char *dir;   /* owned */
	char *home;  /* owned */
	struct entry **entries; /* owned, each too: those that can be run */
	struct job **jobs;      /* owned array of theirs */
	size_t n;
	struct strv failed; /* scenarios that could not even be planned */
	char started[32];
	int64_t begun_ns;
	double runs_s;  /* what all runs are expected to take */
	double draws_s; /* all figures; 0: none are drawn */
	double said_at_s, said_s; /* what was said to be left then; said_at_s < 0: nothing yet */
	int code;
};

static double since_s(int64_t from_ns)
{
	return (double)(clock_monotonic_ns() - from_ns) / 1e9;
}

/* --- corpus.json --- */

static json_t *campaigns_json(const struct corpus_job *c)
{
	json_t *all = json_array();

	for (size_t i = 0; i < c->n; i++) {
		const struct job *j = c->jobs[i];
		json_t *took = j->timed ? json_real(j->wall_s / (double)j->timed) : json_null();

		json_array_append_new(all, json_pack("{s:s, s:o, s:i, s:f, s:o}", "name", j->scenario->name, "scenario", json_text(c->entries[i]->path),
						     "runs", (int)j->plan->n_order, "takes_s", job_takes_s(j), "took_s", took));
	}
	return all;
}

static json_t *eta_json(const struct corpus_job *c, double took_s)
{
	if (c->said_at_s < 0)
		return json_null();
	return json_pack("{s:f, s:f, s:o}", "at_s", c->said_at_s, "said_s", c->said_s, "took_s",
			 took_s < 0 ? json_null() : json_real(took_s - c->said_at_s));
}

/* took_s: the whole; negative: it goes on, or was interrupted. */
static int write_corpus(const struct corpus_job *c, double took_s, struct err *err)
{
	cleanup_free char *path = strf("%s/corpus.json", c->dir);
	json_t *failed = json_array();
	char now[32];

	iso_time_now(now);
	for (size_t i = 0; i < c->failed.n; i++)
		json_array_append_new(failed, json_text(c->failed.v[i]));

	cleanup_json json_t *all =
		json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "format", CORPUS_FORMAT, "started", c->started, "finished",
			  took_s < 0 ? json_null() : json_string(now), "took_s", took_s < 0 ? json_null() : json_real(took_s), "campaigns",
			  campaigns_json(c), "failed", failed, "eta", eta_json(c, took_s));
	return json_save(path, all, err);
}

/* --- planning --- */

static void add_entry(struct corpus_job *c, struct entry *e)
{
	c->entries = xreallocarray(c->entries, c->n + 1, sizeof(*c->entries));
	c->jobs = xreallocarray(c->jobs, c->n + 1, sizeof(*c->jobs));
	c->entries[c->n] = e;
	c->jobs[c->n++] = &e->job;
}

static void entry_free(struct entry *e)
{
	job_done(&e->job);
	strv_done(&e->options.set);
	json_decref(e->resumed);
	free(e->path);
	free(e->go_list);
	free(e);
}

/* --- which releases --- */

/* Whether LIST means the release, by what it expands to or by a minor that contains it. */
static bool is_asked_for(const struct go_spec *g, const struct go_specs *expanded, const struct strv *elements)
{
	for (size_t i = 0; i < expanded->n; i++)
		if (!strcmp(expanded->v[i].text, g->text) || !go_version_compare(&expanded->v[i].version, &g->version))
			return true;
	for (size_t i = 0; i < elements->n; i++) {
		struct go_span span;

		if (go_span_parse(elements->v[i], &span, NULL) == 0 && go_span_contains(&span, &g->version))
			return true;
	}
	return false;
}

/* A scenario that begins with Go 1.21 cannot be built by 1.15: of the LIST it is given what it knows. "" for nothing. */
static int choose_releases(const struct job *j, const char *list, char **ret, struct err *err)
{
	cleanup_strv struct strv elements = STRV_INIT, chosen = STRV_INIT;
	struct go_specs expanded = { 0 };
	int r = golist_expand(list, &j->catalogue, &expanded, err);

	strv_split(&elements, list, ", ");
	for (size_t i = 0; r >= 0 && i < j->plan->go.n; i++)
		if (is_asked_for(&j->plan->go.v[i], &expanded, &elements))
			strv_push(&chosen, j->plan->go.v[i].text);
	if (r >= 0)
		*ret = strv_join(&chosen, ",");
	go_specs_done(&expanded);
	return r < 0 ? err_wrap(err, "--go %s", list) : 0;
}

/* Plans with the scenario's own releases first, to know which of them were asked for. */
static int plan_chosen(struct entry *e, const char *scenario, struct err *err)
{
	const struct job blank = e->job;
	const char *list = e->options.go_list;
	int r;

	e->options.go_list = NULL;
	r = job_plan(&e->job, scenario, err);
	if (r < 0 || !list || e->job.scenario->program.kind == PROGRAM_COMMAND)
		return r;
	r = choose_releases(&e->job, list, &e->go_list, err);
	if (r < 0 || !*e->go_list)
		return r;
	job_done(&e->job);
	e->job = blank;
	e->options.go_list = e->go_list;
	return job_plan(&e->job, scenario, err);
}

/* *ret_left_out: it has none of the releases asked for. */
static int begin(struct entry *e, const char *scenario, bool *ret_left_out, struct err *err)
{
	struct job *j = &e->job;
	int r = plan_chosen(e, scenario, err);

	*ret_left_out = r >= 0 && e->go_list && !*e->go_list;
	if (r < 0 || *ret_left_out)
		return r;
	iso_time_now(j->started);
	j->dir = strf("%s/%s", j->options->out, j->scenario->name);
	if (mkdir(j->dir, 0755) < 0)
		return errno == EEXIST ? err_usage(err, "there is a second scenario of the name %s", j->scenario->name)
				       : err_set(err, errno, "cannot make the folder %s", j->dir);
	r = job_save_scenario(j, err);
	return r < 0 ? r : job_lock(j, err);
}

/* Begins one scenario, or takes it up again. One that cannot be is told, and left out. */
static void plan_one(struct corpus_job *c, const struct run_options *given, const char *scenario)
{
	struct err cleanup_err err = ERR_INIT;
	struct entry *e = xcalloc(1, sizeof(*e));
	struct job *j = &e->job;

	e->options = *given;
	e->options.scenarios = e->options.set = (struct strv)STRV_INIT;
	e->options.out = c->dir;
	e->path = xstrdup(scenario);
	*j = (struct job){ .options = &e->options, .home = c->home, .scheduling = "other", .lock_fd = -1, .one_of_many = true };

	bool left_out = false;
	int r = given->resume ? job_resume(j, &e->options, scenario, &e->resumed, &err) : begin(e, scenario, &left_out, &err);
	if (left_out) {
		log_note("%s is left out: it has none of Go %s.", j->scenario->name, given->go_list);
		entry_free(e);
		return;
	}
	if (r >= 0) {
		add_entry(c, e);
		return;
	}
	c->code = worse_code(c->code, cmd_failed(&err));
	strv_push(&c->failed, scenario);
	entry_free(e);
}

static void plan_all(struct corpus_job *c, const struct run_options *o, const struct strv *scenarios)
{
	for (size_t i = 0; i < scenarios->n; i++) {
		cleanup_free char *line = strf("Planning: scenario %zu of %zu", i + 1, scenarios->n);

		log_status(line);
		plan_one(c, o, scenarios->v[i]);
	}
	log_status(NULL);
}

/* The bundled ones in the order of their stories. */
static int list_scenarios(const char *home, struct strv *ret, struct err *err)
{
	cleanup_strv struct strv paths = STRV_INIT;
	int r = scenario_list(home, &paths, err);
	cleanup_free enum story *stories = xcalloc(paths.n + 1, sizeof(*stories));

	for (size_t i = 0; i < paths.n; i++) {
		cleanup_scenario struct scenario *s = NULL;

		/* What is wrong with it is told when it is planned. */
		stories[i] = scenario_load(paths.v[i], home, &s, NULL) >= 0 ? s->story : STORY_NONE;
	}
	for (int story = 0; story < STORY_COUNT_; story++)
		for (size_t i = 0; i < paths.n; i++)
			if ((int)stories[i] == story)
				strv_push(ret, paths.v[i]);
	return r;
}

/* What the corpus was made of: the scenarios of its corpus.json. */
static int take_up(struct corpus_job *c, const struct run_options *o, struct strv *ret_scenarios, struct err *err)
{
	cleanup_free char *itself = strf("%s/corpus.json", o->out), *path = NULL;
	cleanup_json json_t *info = NULL;
	const json_t *campaigns, *one;
	size_t i;
	int r = corpus_locate(file_exists(itself) ? o->out : NULL, o->out, &c->dir, err);

	if (r < 0)
		return r;
	if (o->scenarios.n || o->go_list || o->repeat || o->seed_given)
		return err_usage(err, "--resume goes on with the corpus' own scenarios, releases, repeats and seed: leave those out");
	path = strf("%s/corpus.json", c->dir);
	r = json_open(path, CORPUS_FORMAT, &info, err);
	if (r < 0)
		return r;
	(void)snprintf(c->started, sizeof(c->started), "%s", json_string_value(json_object_get(info, "started")));
	campaigns = json_object_get(info, "campaigns");
	json_array_foreach(campaigns, i, one) if (json_is_string(json_object_get(one, "scenario")))
		strv_push(ret_scenarios, json_string_value(json_object_get(one, "scenario")));
	/* Those that failed are tried again, or they would be forgotten. */
	json_array_foreach(json_object_get(info, "failed"), i, one) if (json_is_string(one))
		strv_push(ret_scenarios, json_string_value(one));
	return 0;
}

static int plan_corpus(struct corpus_job *c, const struct run_options *o, struct err *err)
{
	cleanup_strv struct strv scenarios = STRV_INIT;
	int r = 0;

	iso_time_now(c->started);
	if (o->resume) {
		r = take_up(c, o, &scenarios, err);
	} else {
		if (!o->scenarios.n)
			r = list_scenarios(c->home, &scenarios, err);
		for (size_t i = 0; i < o->scenarios.n; i++)
			strv_push(&scenarios, o->scenarios.v[i]);
		if (r >= 0)
			r = make_result_folder(o->out, "corpus", &c->dir, err);
	}
	if (r >= 0)
		plan_all(c, o, &scenarios);
	return r;
}

/* --- running --- */

/* What is said at a certain time is kept, to be held against what comes true. */
static void note_eta(struct corpus_job *c, double left_s, bool half_done)
{
	double now_s = since_s(c->begun_ns);

	if (c->said_at_s >= 0 || (now_s < ETA_AT_S && !half_done))
		return;
	c->said_at_s = now_s;
	c->said_s = left_s;
}

static void on_finished(struct job *j, void *arg)
{
	struct err cleanup_err err = ERR_INIT;

	(void)arg;
	if (job_write_campaign(j, true, &err) < 0) {
		log_error("%s", err_text(&err));
		j->harness_errors++;
	}
}

static void on_tick(struct progress *p, void *arg)
{
	struct corpus_job *c = arg;

	p->elapsed_s = since_s(c->begun_ns);
	note_eta(c, p->eta_s, 2 * p->done >= p->total);
}

static void say(const struct corpus_job *c, const char *what, unsigned done, unsigned all, double left_s)
{
	char gone[32], left[32];
	cleanup_free char *line = strf("%s: %u of %u, %s gone, about %s left", what, done, all, format_duration(gone, sizeof(gone), since_s(c->begun_ns)),
				       format_duration(left, sizeof(left), left_s));

	log_status(line);
}

static void on_build(unsigned done, unsigned all, void *arg)
{
	struct corpus_job *c = arg;
	double now_s = since_s(c->begun_ns), each_s = done ? now_s / done : BUILD_S / c->jobs[0]->host.cpus;
	double left_s = (all - done) * each_s + c->runs_s + c->draws_s;

	note_eta(c, left_s, false);
	say(c, "Building programs", done, all, left_s);
}

static void on_draw(unsigned done, unsigned all, void *arg)
{
	struct corpus_job *c = arg;
	double left_s = c->draws_s * (all - done) / (all ? all : 1);

	note_eta(c, left_s, false);
	say(c, "Drawing campaigns", done, all, left_s);
}

/* Before anything is known but what the scenarios say. */
static void expect(struct corpus_job *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct job *j = c->jobs[i];
		const struct eta_room room = { j->budget_bytes, j->host.cpus, j->options->jobs };
		struct eta_kind kind = { job_takes_s(j), j->scenario->clock == CLOCK_KIND_VIRTUAL ? 0 : START_GAP_S, j->scenario->alone ? QUEUE_ALONE : j->scenario->needs_bytes };
		size_t left = 0;

		for (size_t k = 0; k < j->plan->n_order; k++)
			left += !j->have[k];
		c->runs_s += (double)left * eta_cost_s(&kind, &room);
	}
	if (!c->jobs[0]->options->no_plot)
		c->draws_s = (double)c->n * DRAW_S / c->jobs[0]->host.cpus;
}

/* One group for all, opened by one that needs it. */
static int open_groups(struct corpus_job *c, struct err *err)
{
	struct job *first = c->jobs[0];

	for (size_t i = 0; i < c->n && !first->scenario->limit_bytes; i++)
		first = c->jobs[i];

	int r = job_open_groups(first, err);

	for (size_t i = 0; r >= 0 && i < c->n; i++) {
		c->jobs[i]->groups = first->groups;
		c->jobs[i]->cgroup_version = first->cgroup_version;
	}
	return r;
}

static int prepare(struct corpus_job *c, bool resume, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && !resume && i < c->n; i++)
		r = job_write_campaign(c->jobs[i], false, err);
	if (r >= 0)
		r = write_corpus(c, -1, err);
	if (r < 0)
		return r;
	corpus_build(c->jobs, c->n, on_build, c);
	for (size_t i = 0; r >= 0 && i < c->n; i++) {
		job_prepare(c->jobs[i]);
		if (resume)
			r = job_check_programs(c->jobs[i], err);
	}
	log_status(NULL);
	return r;
}

static bool was_interrupted(const struct corpus_job *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->jobs[i]->interrupted)
			return true;
	return false;
}

static int carry_out(struct corpus_job *c, const struct run_options *o, struct err *err)
{
	const struct execution_watch watch = { on_finished, on_tick, c, c->draws_s };
	char took[32];
	int r = open_groups(c, err);

	if (r >= 0)
		r = prepare(c, o->resume, err);
	if (r >= 0)
		r = jobs_execute(c->jobs, c->n, &watch, err);
	if (r < 0)
		return r;
	if (was_interrupted(c)) {
		log_note("Interrupted. Go on with: memtide corpus run --resume --out %s", c->dir);
		return write_corpus(c, -1, err);
	}
	if (!o->no_plot)
		corpus_draw(c->jobs, c->n, on_draw, c);
	log_status(NULL);
	log_note("%zu scenario%s in %s.", c->n, c->n == 1 ? "" : "s", format_duration(took, sizeof(took), since_s(c->begun_ns)));
	return write_corpus(c, since_s(c->begun_ns), err);
}

static void corpus_job_done(struct corpus_job *c)
{
	/* The groups are all jobs'; the last one to go takes them along. */
	if (c->n)
		c->jobs[0]->one_of_many = false;
	for (size_t i = c->n; i-- > 0;)
		entry_free(c->entries[i]);
	free(c->entries);
	free(c->jobs);
	free(c->dir);
	free(c->home);
	strv_done(&c->failed);
}

int corpus_run(int argc, char **argv)
{
	struct run_options o;
	struct err cleanup_err err = ERR_INIT;
	struct corpus_job c = { .home = home_folder(), .begun_ns = clock_monotonic_ns(), .said_at_s = -1 };
	int r;

	run_options_init(&o);
	cmd_parse(&argp, argc, argv, &o);
	if (!o.seed)
		o.seed = seed_draw();
	r = plan_corpus(&c, &o, &err);
	if (r >= 0 && c.n) {
		expect(&c);
		r = carry_out(&c, &o, &err);
	}
	if (r < 0)
		c.code = worse_code(c.code, cmd_failed(&err));
	else if (c.n)
		c.code = worse_code(c.code, corpus_show_dir(c.dir, o.no_plot));
	for (size_t i = 0; i < c.n; i++)
		c.code = worse_code(c.code, job_exit_code(c.jobs[i], EXIT_EXPECTED));
	strv_done(&o.scenarios);
	corpus_job_done(&c);
	return c.code;
}
