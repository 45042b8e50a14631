/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/run_parts.h"
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
	if (o->repeat)
		s->repeat = o->repeat;
	return r;
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

	if (r >= 0)
		r = apply_options(j->scenario, j->options, err);
	if (r >= 0)
		r = load_catalogue(j, err);
	if (r >= 0)
		r = plan_make(j->scenario, &j->catalogue, j->options->seed, &j->plan, err);
	if (r < 0)
		return r;
	if (j->plan->n_order == 0 && j->plan->n_cells > 0)
		return err_usage(err, "no cell of %s can be run: %s", j->scenario->name, j->plan->cells[0].why_not);
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

void job_print_plan(const struct job *j)
{
	const struct plan *p = j->plan;
	cleanup_free uint64_t *needs = xcalloc(p->n_order, sizeof(*needs));
	char size[32], budget[32], time[32], each[32];
	size_t applicable = 0;

	for (size_t i = 0; i < p->n_order; i++)
		needs[i] = p->cells[p->order[i].cell].needs_bytes;
	printf("%s: %s\n\n", j->scenario->name, j->scenario->title);
	for (size_t i = 0; i < p->n_cells; i++) {
		char version[32] = "";

		applicable += !p->cells[i].why_not;
		if (p->cells[i].go)
			go_version_format(version, sizeof(version), &p->cells[i].go->version);
		printf("  %-46s %s%s\n", p->cells[i].id, p->cells[i].why_not ? "not-applicable: " : *version ? "go" : "",
		       p->cells[i].why_not ? p->cells[i].why_not : version);
	}
	printf("\nCells: %zu, of which %zu can be run; %u repeat%s each: %zu runs\n", p->n_cells, applicable, j->scenario->repeat,
	       j->scenario->repeat == 1 ? "" : "s", p->n_order);

	unsigned fetches = j->scenario->program.kind == PROGRAM_COMMAND ? 0 : print_fetches(j);
	struct queue q = { .budget_bytes = j->budget_bytes, .max_jobs = j->options->jobs, .cpus = j->host.cpus, .needs_bytes = needs, .n = p->n_order };
	double run_s = (double)(j->scenario->for_ns ? j->scenario->for_ns : j->scenario->timeout_ns) / 1e9;
	double total_s = queue_estimate_s(&q, run_s, START_GAP_S) + fetches * FETCH_S;

	printf("Memory: %s a run, %s to share (70 %% of what is available)\n", format_size(size, sizeof(size), p->n_order ? needs[0] : 0),
	       format_size(budget, sizeof(budget), j->budget_bytes));
	printf("Time: %s%s a run, about %s in all, and up to %.0f s for each release to build\n", j->scenario->for_ns ? "" : "at most ",
	       format_duration(each, sizeof(each), run_s), format_duration(time, sizeof(time), total_s), BUILD_S);
}

void job_target_args(const struct job *j, size_t cell, struct strv *ret_argv)
{
	const struct scenario *s = j->scenario;

	if (s->program.kind == PROGRAM_COMMAND)
		for (size_t i = 0; i < s->program.command.n; i++)
			strv_push(ret_argv, s->program.command.v[i]);
	else
		strv_push(ret_argv, j->cells[cell].build.binary ? j->cells[cell].build.binary : s->program.name);
	for (size_t i = 0; i < s->args.n; i++)
		strv_push(ret_argv, s->args.v[i]);
	if (j->plan->cells[cell].variant) {
		strv_push(ret_argv, "-variant");
		strv_push(ret_argv, j->plan->cells[cell].variant);
	}
}

/* Nothing of the user's own environment that a Go runtime would read comes through. */
void job_target_env(const struct job *j, size_t cell, struct strv *ret_env)
{
	static const char *const kept[] = { "PATH", "HOME", "TMPDIR", "LANG", "USER" };
	const struct cell *c = &j->plan->cells[cell];

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (getenv(kept[i]))
			strv_pushf(ret_env, "%s=%s", kept[i], getenv(kept[i]));
	if (c->godebug)
		strv_pushf(ret_env, "GODEBUG=%s", c->godebug);
	for (size_t i = 0; i < c->env.n; i++)
		strv_push(ret_env, c->env.v[i]);
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
	memcg_root_free(j->groups);
	if (j->lock_fd >= 0)
		(void)close(j->lock_fd);
	free(j->dir);
	plan_free(j->plan);
	scenario_free(j->scenario);
	toolchains_done(&j->local);
	catalogue_done(&j->catalogue);
	*j = (struct job){ 0 };
}
