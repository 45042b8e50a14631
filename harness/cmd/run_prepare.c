/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/run_parts.h"
#include "gostate/target.h"
#include "run/clock.h"

static void report_fetch(void *arg, const struct go_version *v, uint64_t bytes, bool unpacking)
{
	char version[32], size[32];

	(void)arg;
	cleanup_free char *line = strf("Fetching go%s: %s%s", go_version_format(version, sizeof(version), v),
				       format_size(size, sizeof(size), bytes), unpacking ? ", unpacking" : "");
	log_status(line);
}

static int fetch(const struct go_version *v, struct toolchain *ret, struct err *err)
{
	const struct fetch_progress progress = { .report = report_fetch };
	int64_t from = clock_monotonic_ns();
	char version[32], size[32], time[32];
	uint64_t bytes = 0;
	int r = toolchain_fetch(v, &progress, ret, &bytes, err);

	log_status(NULL);
	if (r >= 0)
		log_note("Fetched go%s: %s in %s", go_version_format(version, sizeof(version), v), format_size(size, sizeof(size), bytes),
			 format_duration(time, sizeof(time), (double)(clock_monotonic_ns() - from) / 1e9));
	return r;
}

/* The toolchain of one release of the plan: where it is, or fetched. */
static int obtain(struct job *j, size_t spec, struct err *err)
{
	const struct go_spec *g = &j->plan->go.v[spec];

	if (g->goroot)
		return toolchain_open(g->goroot, &j->toolchains[spec], err);
	for (size_t i = 0; i < j->local.n; i++)
		if (!go_version_compare(&j->local.v[i].version, &g->version))
			return toolchain_open(j->local.v[i].goroot, &j->toolchains[spec], err);
	return fetch(&g->version, &j->toolchains[spec], err);
}

/* All cells of one release: one toolchain, and a build each (most of them the same one, out of the cache). */
static void prepare_release(struct job *j, size_t spec)
{
	struct err cleanup_err err = ERR_INIT;
	bool missing = obtain(j, spec, &err) < 0;
	bool told = false;

	if (missing)
		log_warn("%s: %s", j->plan->go.v[spec].text, err_text(&err));
	for (size_t i = 0; i < j->plan->n_cells; i++) {
		const struct cell *c = &j->plan->cells[i];
		struct cell_build *b = &j->cells[i];
		struct err failed = ERR_INIT;

		if (c->why_not || c->go != &j->plan->go.v[spec])
			continue;
		if (missing) {
			b->outcome = OUTCOME_TOOLCHAIN_MISSING;
			b->why = xstrdup(err_text(&err));
		} else if (program_build(&j->scenario->program, &j->toolchains[spec], c->go_line, j->home, &b->build, &failed) < 0) {
			b->outcome = OUTCOME_BUILD_FAILED;
			b->why = xstrdup(err_text(&failed));
			if (!told)
				log_warn("%s: %s", c->id, err_text(&failed));
			told = true;
		} else {
			/* Before a run has to wait for it. What cannot be read inside is told in each run's record. */
			(void)go_binary_prepare(b->build.binary, NULL);
		}
		err_done(&failed);
	}
}

/* An argv[0] with a slash is taken as it stands; a bare name is looked up in PATH, as a shell would. */
static char *find_command(const char *name)
{
	cleanup_strv struct strv folders = STRV_INIT;

	if (strchr(name, '/'))
		return access(name, X_OK) == 0 ? xstrdup(name) : NULL;
	strv_split(&folders, getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin", ":");
	for (size_t i = 0; i < folders.n; i++) {
		char *path = strf("%s/%s", folders.v[i], name);

		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

/* Of the program or its load. Without it no cell can be run. */
static void prepare_command(struct job *j, struct strv *command)
{
	char *path = find_command(command->v[0]);

	for (size_t i = 0; !path && i < j->plan->n_cells; i++) {
		if (j->cells[i].outcome != OUTCOME_OK)
			continue;
		j->cells[i].outcome = OUTCOME_HARNESS_ERROR;
		j->cells[i].why = strf("cannot run %s: no such executable", command->v[0]);
	}
	if (path) {
		(void)go_binary_prepare(path, NULL);
		free(command->v[0]);
		command->v[0] = path;
	}
}

static void prepare_releases(struct job *j)
{
	int64_t from = clock_monotonic_ns();
	char time[32];

	for (size_t i = 0; i < j->plan->go.n; i++) {
		cleanup_free char *line =
			strf("Building %s: release %zu of %zu, go%s", j->scenario->program.name, i + 1, j->plan->go.n, j->plan->go.v[i].text);
		if (!j->one_of_many)
			log_status(line);
		prepare_release(j, i);
	}
	if (j->one_of_many)
		return;
	log_status(NULL);
	log_note("Built %s with %zu Go release%s in %s.", j->scenario->program.name, j->plan->go.n, j->plan->go.n == 1 ? "" : "s",
		 format_duration(time, sizeof(time), (double)(clock_monotonic_ns() - from) / 1e9));
}

void job_prepare(struct job *j)
{
	for (size_t i = 0; i < j->plan->n_cells; i++)
		j->cells[i].outcome = OUTCOME_OK;
	if (j->scenario->program.kind == PROGRAM_COMMAND)
		prepare_command(j, &j->scenario->program.command);
	else
		prepare_releases(j);
	if (j->scenario->load.command.n)
		prepare_command(j, &j->scenario->load.command);
}
