/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "cmd/run_parts.h"

#define SCENARIO_TEXT_MAX (1UL << 20)

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* The newest campaign of this scenario in the folder. */
static int find_campaign(const char *out, const char *scenario, char **ret_dir, json_t **ret_info, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *dir = NULL;
	cleanup_json json_t *best = NULL;
	int r = folder_list(out, &names, err);

	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		cleanup_free char *folder = strf("%s/%s", out, names.v[i]), *path = strf("%s/campaign.json", folder);
		cleanup_json json_t *info = NULL;

		if (!file_exists(path) || json_open(path, "memtide-campaign/1", &info, NULL) < 0)
			continue;
		const char *name = text_of(info, "scenario"), *started = text_of(info, "started");
		if (!name || !started || strcmp(name, scenario) || (best && strcmp(started, text_of(best, "started")) < 0))
			continue;
		json_decref(best);
		best = TAKE(info);
		free(dir);
		dir = TAKE(folder);
	}
	if (!dir)
		return err_usage(err, "there is no campaign of %s in %s to go on with", scenario, out);
	*ret_dir = TAKE(dir);
	*ret_info = TAKE(best);
	return 0;
}

static int no_other_options(const struct run_options *o, struct err *err)
{
	if (o->go_list || o->set.n || o->limit || o->for_text || o->clock || o->repeat || o->rate_given || o->seed_given || o->dry_run)
		return err_usage(err, "--resume goes on with the campaign's own releases, axes, limit, time, clock, repeats, rate and seed: leave "
				      "those options out");
	return 0;
}

/* The options with which the campaign began. Strings are borrowed from info. */
static void take_options(struct run_options *o, const json_t *info)
{
	const json_t *was = json_object_get(info, "options");
	const json_t *set = json_object_get(was, "set");
	json_t *one;
	size_t i;

	o->go_list = text_of(was, "go");
	o->limit = text_of(was, "limit");
	o->for_text = text_of(was, "for");
	o->clock = text_of(was, "clock");
	o->repeat = (unsigned)json_integer_value(json_object_get(was, "repeat"));
	o->rate_hz = (unsigned)json_integer_value(json_object_get(was, "rate_hz"));
	o->seed = text_of(info, "seed") ? strtoull(text_of(info, "seed"), NULL, 10) : 1;
	json_array_foreach(set, i, one)
		if (json_is_string(one))
			strv_push(&o->set, json_string_value(one));
}

static int same_scenario(const struct job *j, struct err *err)
{
	cleanup_free char *path = strf("%s/scenario.yaml", j->dir), *text = NULL;
	int r = file_read(path, SCENARIO_TEXT_MAX, &text, NULL, err);

	if (r < 0)
		return r;
	if (strcmp(text, j->scenario->text))
		return err_usage(err, "%s is no longer what it was when %s began: start a new campaign", j->scenario->path, j->dir);
	return 0;
}

/* `1.15` and `latest` must mean the same exact release as before. */
static int same_cells(const struct job *j, const json_t *info, struct err *err)
{
	const json_t *cells = json_object_get(info, "cells");
	bool same = json_array_size(cells) == j->plan->n_cells;

	for (size_t i = 0; same && i < j->plan->n_cells; i++) {
		const json_t *was = json_array_get(cells, i);
		const struct cell *c = &j->plan->cells[i];
		const char *id = text_of(was, "id"), *version = text_of(was, "go_version");
		char now[32];

		same = id && !strcmp(id, c->id);
		if (same && c->go && version && strcmp(version, go_version_format(now, sizeof(now), &c->go->version)))
			return err_usage(err, "go %s now means %s, the campaign began with %s: start a new one, or name exact releases with --go",
					 c->go->text, now, version);
	}
	return same ? 0 : err_usage(err, "the plan of %s is no longer what it was: start a new campaign", j->dir);
}

/* Runs on two clocks are no repeats of each other; what is the default has changed before. */
static int same_clock(const struct job *j, const json_t *info, struct err *err)
{
	const char *was = text_of(info, "clock"), *now = clock_kind_name(j->scenario->clock);

	if (!was || !strcmp(was, now))
		return 0;
	return err_usage(err, "%s began on the %s clock, and %s would now be run on the %s one: start a new campaign", j->dir, was,
			 j->scenario->name, now);
}

/* Reads a planned run's run.json. false: there is none. NULL in *ret: it cannot be read. */
static bool read_run(const struct job *j, const struct planned_run *p, json_t **ret)
{
	cleanup_free char *path = strf("%s/%s/%u/run.json", j->dir, j->plan->cells[p->cell].id, p->repeat);
	struct err cleanup_err err = ERR_INIT;

	*ret = NULL;
	if (!file_exists(path))
		return false;
	if (json_open(path, "memtide-run/1", ret, &err) < 0)
		log_warn("%s; left as it is", err_text(&err));
	return true;
}

static bool is_to_be_done_again(enum outcome o)
{
	return o == OUTCOME_INTERRUPTED || o == OUTCOME_HARNESS_ERROR || o == OUTCOME_TOOLCHAIN_MISSING || o == OUTCOME_NO_PERMISSION;
}

/* Whether it is finished; its outcome then counts as if it had come about now. */
static bool is_finished(struct job *j, const struct planned_run *p)
{
	cleanup_json json_t *run = NULL;

	if (!read_run(j, p, &run))
		return false;

	int o = run && text_of(run, "outcome") ? outcome_from_string(text_of(run, "outcome")) : -1;
	/* What cannot be read was finished by someone: a newer memtide, perhaps. It is left as it is. */
	if (o < 0)
		return true;
	if (is_to_be_done_again((enum outcome)o))
		return false;
	job_count(j, p, (enum outcome)o);
	return true;
}

int job_lock(struct job *j, struct err *err)
{
	j->lock_fd = open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->lock_fd < 0)
		return err_set(err, errno, "cannot open %s", j->dir);
	if (flock(j->lock_fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return err_usage(err, "another memtide is at work in %s", j->dir);
	return 0;
}

int job_check_programs(const struct job *j, struct err *err)
{
	for (size_t i = 0; i < j->plan->n_order; i++) {
		const struct planned_run *p = &j->plan->order[i];
		const char *now = j->cells[p->cell].build.sha256;
		cleanup_json json_t *run = NULL;

		if (!j->have[i] || !*now || !read_run(j, p, &run))
			continue;

		const char *was = text_of(json_object_get(run, "program"), "sha256");
		if (was && strcmp(was, now))
			return err_usage(err, "the program of %s is no longer the one that its finished runs had: start a new campaign",
					 j->plan->cells[p->cell].id);
	}
	return 0;
}

/* What is finished is marked; what is not is cleared away. */
static int sort_out(struct job *j, struct err *err)
{
	size_t left = 0;

	for (size_t i = 0; i < j->plan->n_order; i++) {
		const struct planned_run *p = &j->plan->order[i];
		cleanup_free char *again = strf("%s/%s/%u", j->dir, j->plan->cells[p->cell].id, p->repeat);
		int r;

		j->have[i] = is_finished(j, p);
		left += !j->have[i];
		if (!j->have[i] && (r = folder_remove(again, err)) < 0)
			return r;
	}
	if (!j->one_of_many)
		log_note("Going on with %s: %zu of %zu runs left.", j->dir, left, j->plan->n_order);
	return 0;
}

int job_resume(struct job *j, struct run_options *o, const char *scenario, json_t **ret_info, struct err *err)
{
	struct scenario *s = NULL;
	int r = no_other_options(o, err);

	if (r >= 0)
		r = scenario_find(scenario, j->home, &s, err);
	if (r >= 0)
		r = find_campaign(o->out, s->name, &j->dir, ret_info, err);
	scenario_free(s);
	if (r < 0)
		return r;
	take_options(o, *ret_info);
	(void)snprintf(j->started, sizeof(j->started), "%s", text_of(*ret_info, "started"));
	r = job_plan(j, scenario, err);
	if (r >= 0)
		r = same_scenario(j, err);
	if (r >= 0)
		r = same_cells(j, *ret_info, err);
	if (r >= 0)
		r = same_clock(j, *ret_info, err);
	if (r >= 0)
		r = job_lock(j, err);
	return r < 0 ? r : sort_out(j, err);
}
