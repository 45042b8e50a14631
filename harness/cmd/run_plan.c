/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/run_parts.h"
#include "render/table.h"
#include "render/wrap.h"
#include "run/cgroup.h"
#include "run/queue.h"

#define BUDGET_SHARE 0.7      /* of the available memory */
#define BUILD_S 6.0           /* of a release not yet in the build cache, on two CPUs; for the estimate only */
#define FETCH_S 9.0

static int apply_set(struct scenario *s, const char *assignment, struct err *err)
{
	const char *equals = strchr(assignment, '=');
	cleanup_strv struct strv values = STRV_INIT;

	if (!equals || equals == assignment || !equals[1])
		return err_usage(err, "--set %s: write AXIS=VALUE,VALUE as in --set godebug=default,madvdontneed=1", assignment);

	cleanup_free char *axis = strf("%.*s", (int)(equals - assignment), assignment);
	strv_split(&values, equals + 1, ",");
	if (scenario_set_axis(s, axis, &values, err) < 0)
		return err_wrap(err, "--set %s", assignment);
	return 0;
}

static int apply_one(struct scenario *s, const char *axis, const char *list, const char *option, struct err *err)
{
	cleanup_strv struct strv values = STRV_INIT;

	if (!list)
		return 0;
	strv_split(&values, list, ",");
	if (values.n == 0)
		return err_usage(err, "%s is empty", option);
	if (scenario_set_axis(s, axis, &values, err) < 0)
		return err_wrap(err, "%s %s", option, list);
	return 0;
}

/* One limit for all is the scenario's own limit, given anew; several are an axis. */
static int apply_limit(struct scenario *s, const char *limit, struct err *err)
{
	if (!limit)
		return 0;
	if (strchr(limit, ',') || scenario_axis(s, "limit"))
		return apply_one(s, "limit", limit, "--limit", err);
	if (!strcmp(limit, "none"))
		s->limit_bytes = 0;
	else if (parse_size(limit, &s->limit_bytes, err) < 0)
		return err_wrap(err, "--limit");
	if (!s->needs_given)
		s->needs_bytes = s->limit_bytes ? s->limit_bytes : 1024 * MIB;
	return 0;
}

static int apply_options(struct scenario *s, const struct run_options *o, struct err *err)
{
	int r = apply_one(s, "go", o->go_list, "--go", err);

	if (r >= 0)
		r = apply_limit(s, o->limit, err);
	for (size_t i = 0; r >= 0 && i < o->set.n; i++)
		r = apply_set(s, o->set.v[i], err);
	if (r >= 0 && o->for_text && (r = parse_duration(o->for_text, &s->for_ns, err)) < 0)
		(void)err_wrap(err, "--for");
	if (r >= 0 && o->clock && (r = scenario_set_clock(s, o->clock, err)) < 0)
		(void)err_wrap(err, "--clock %s", o->clock);
	if (o->repeat)
		s->repeat = o->repeat;
	return r >= 0 ? timeline_check(s, err) : r;
}

/* What `latest` and `1.15` mean is asked only of those who use Go. */
static int load_catalogue(struct job *j, struct err *err)
{
	cleanup_free char *offline = NULL;
	cleanup_strv struct strv broken = STRV_INIT;

	if (j->scenario->program.kind == PROGRAM_COMMAND || j->local.v)
		return 0;
	int r = toolchains_find(&j->local, &broken, err);
	if (r >= 0)
		r = catalogue_load(&j->catalogue, &j->local, &offline, err);
	for (size_t i = 0; i < broken.n; i++)
		log_warn("%s", broken.v[i]);
	if (r >= 0 && offline)
		log_note("The list of Go releases could not be asked (%s): the built-in one serves.", offline);
	return r;
}

int job_plan(struct job *j, const char *scenario, struct err *err)
{
	int r = scenario_find(scenario, j->home, &j->scenario, err);

	return r < 0 ? r : job_plan_cells(j, err);
}

int job_plan_cells(struct job *j, struct err *err)
{
	int r = apply_options(j->scenario, j->options, err);

	if (r >= 0)
		r = load_catalogue(j, err);
	if (r >= 0)
		r = plan_make(j->scenario, &j->catalogue, j->options->seed, &j->plan, err);
	if (r < 0)
		return r;
	if (j->plan->n_order == 0 && j->plan->n_cells > 0)
		return err_usage(err, "no cell of %s can be run: %s", j->scenario->name, j->plan->cells[0].why_not);
	if (!j->options->go_list && !j->options->set.n && !j->options->limit && (r = plan_check_expectations(j->plan, err)) < 0)
		return r;
	j->cells = xcalloc(j->plan->n_cells, sizeof(*j->cells));
	j->toolchains = xcalloc(j->plan->go.n, sizeof(*j->toolchains));
	j->have = xcalloc(j->plan->n_order, sizeof(*j->have));
	host_read(&j->host);
	j->budget_bytes = (uint64_t)((double)j->host.available_bytes * BUDGET_SHARE);
	return 0;
}

static const struct toolchain *local_toolchain(const struct job *j, const struct go_version *v)
{
	for (size_t i = 0; i < j->local.n; i++)
		if (!go_version_compare(&j->local.v[i].version, v))
			return &j->local.v[i];
	return NULL;
}

/* Prints each release that must be fetched once; returns how many. */
static unsigned print_fetches(const struct job *j)
{
	unsigned n = 0;

	for (size_t i = 0; i < j->plan->go.n; i++) {
		const struct go_spec *g = &j->plan->go.v[i];
		char version[32];

		if (g->goroot || local_toolchain(j, &g->version))
			continue;
		printf("%s %s", n++ ? "," : "To fetch (about 70 to 150 MB each):", go_version_format(version, sizeof(version), &g->version));
	}
	printf("%s\n", n ? "" : "Toolchains: all here, nothing to fetch");
	return n;
}

uint64_t job_needs_bytes(const struct job *j, size_t cell)
{
	return j->scenario->alone ? QUEUE_ALONE : j->plan->cells[cell].needs_bytes;
}

double job_guess_run_s(const struct job *j)
{
	double for_s = (double)j->scenario->for_ns / 1e9, virtual_s = VIRTUAL_RUN_S + VIRTUAL_PER_S * for_s;

	if (j->scenario->takes_s > 0 && !j->options->for_text && !j->options->clock)
		return j->scenario->takes_s;
	/* What is shorter than a start is not made shorter by skipping its sleep. */
	return j->scenario->clock == CLOCK_KIND_VIRTUAL && virtual_s < for_s ? virtual_s : for_s;
}

double job_takes_s(const struct job *j)
{
	double run_s = job_guess_run_s(j);

	/* One that ends by itself: on the real clock at its timeout at the latest, on the virtual one that says little. */
	if (run_s > 0)
		return run_s;
	return j->scenario->clock == CLOCK_KIND_VIRTUAL ? VIRTUAL_RUN_S : (double)j->scenario->timeout_ns / 1e9;
}

static void print_clock(const struct scenario *s)
{
	printf("Clock: %s%s%s\n", clock_kind_name(s->clock),
	       s->clock == CLOCK_KIND_VIRTUAL ? ": the time in which every thread of a run sleeps is skipped" : "",
	       s->clock_strict ? "; a run where that fails is a harness-error" : "");
}

/* Each run, then all of them. */
static void print_time(const struct job *j, const struct queue *q, unsigned fetches, int columns)
{
	const struct scenario *s = j->scenario;
	bool virtual_ = s->clock == CLOCK_KIND_VIRTUAL;
	double target_s = (double)(s->for_ns ? s->for_ns : s->timeout_ns) / 1e9, run_s = job_takes_s(j);
	char own[32], each[32], all[32];

	format_duration(all, sizeof(all), queue_estimate_s(q, run_s, START_GAP_S) + fetches * FETCH_S);
	format_duration(own, sizeof(own), target_s);
	format_duration(each, sizeof(each), run_s);

	const char *most = s->for_ns ? "" : "at most ";
	cleanup_free char *text = virtual_ ? strf("Time: %s%s of the program's time a run, which takes about %s; about %s in all, and up to "
						  "%.0f s for each release to build", most, own, each, all, BUILD_S)
					   : strf("Time: %s%s a run, about %s in all, and up to %.0f s for each release to build", most, own, all,
						  BUILD_S);
	print_wrapped(stdout, text, columns, 2, 0);
}

void job_print_plan(const struct job *j)
{
	const struct plan *p = j->plan;
	cleanup_free uint64_t *needs = xcalloc(p->n_order, sizeof(*needs));
	struct table_style style = table_style_for_stdout();
	char size[32], budget[32];
	size_t applicable = 0;

	for (size_t i = 0; i < p->n_order; i++)
		needs[i] = job_needs_bytes(j, p->order[i].cell);
	printf("%s: %s\n\n", j->scenario->name, j->scenario->title);
	for (size_t i = 0; i < p->n_cells; i++) {
		char version[32] = "";

		applicable += !p->cells[i].why_not;
		if (p->cells[i].go)
			go_version_format(version, sizeof(version), &p->cells[i].go->version);
		if (!p->cells[i].why_not) {
			printf("  %-46s %s%s\n", p->cells[i].id, *version ? "go" : "", version);
			continue;
		}
		cleanup_free char *why = strf("not-applicable: %s", p->cells[i].why_not);
		int at = printf("  %-46s ", p->cells[i].id);

		print_wrapped(stdout, why, style.columns, 6, at);
	}
	printf("\nCells: %zu, of which %zu can be run; %u repeat%s each: %zu runs\n", p->n_cells, applicable, j->scenario->repeat,
	       j->scenario->repeat == 1 ? "" : "s", p->n_order);

	unsigned fetches = j->scenario->program.kind == PROGRAM_COMMAND ? 0 : print_fetches(j);
	struct queue q = { .budget_bytes = j->budget_bytes, .max_jobs = j->options->jobs, .cpus = j->host.cpus, .needs_bytes = needs, .n = p->n_order };

	print_clock(j->scenario);
	printf("Memory: %s a run, %s to share (70 %% of what is available)%s\n",
	       format_size(size, sizeof(size), p->n_order ? p->cells[p->order[0].cell].needs_bytes : 0),
	       format_size(budget, sizeof(budget), j->budget_bytes), j->scenario->alone ? ", one at a time" : "");
	print_time(j, &q, fetches, style.columns);
}

void job_done(struct job *j)
{
	for (size_t i = 0; j->plan && j->cells && i < j->plan->n_cells; i++) {
		build_done(&j->cells[i].build);
		free(j->cells[i].why);
	}
	for (size_t i = 0; j->plan && j->toolchains && i < j->plan->go.n; i++)
		toolchain_done(&j->toolchains[i]);
	free(j->toolchains);
	free(j->cells);
	free(j->have);
	if (!j->one_of_many)
		memcg_root_free(j->groups);
	if (j->lock_fd >= 0)
		(void)close(j->lock_fd);
	free(j->dir);
	free(j->gone);
	plan_free(j->plan);
	scenario_free(j->scenario);
	toolchains_done(&j->local);
	catalogue_done(&j->catalogue);
	*j = (struct job){ 0 };
}
