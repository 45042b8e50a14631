/* SPDX-License-Identifier: Apache-2.0
 *
 * The run that could prove an answer wrong: the recorded cell once more, with one setting changed.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/diagnose_parts.h"
#include "cmd/run_parts.h"

#define VALUE_DEFAULT "default"

static int set_axis(struct scenario *s, const char *axis, const char *value, struct err *err)
{
	cleanup_strv struct strv values = STRV_INIT;

	strv_push(&values, value);
	return scenario_set_axis(s, axis, &values, err);
}

/* The assignments of `old` whose names `with` does not set, and those of `with`: "gctrace=1,madvdontneed=1". Caller frees. */
static char *merge(const char *old, const char *with, const char *between)
{
	cleanup_strv struct strv parts = STRV_INIT, added = STRV_INIT, all = STRV_INIT;

	strv_split(&added, with, between);
	if (old && strcmp(old, VALUE_DEFAULT))
		strv_split(&parts, old, between);
	for (size_t i = 0; i < parts.n; i++) {
		size_t name = strcspn(parts.v[i], "=");
		bool set = false;

		for (size_t k = 0; k < added.n; k++)
			set |= !strncmp(parts.v[i], added.v[k], name + 1);
		if (!set)
			strv_push(&all, parts.v[i]);
	}
	for (size_t k = 0; k < added.n; k++)
		strv_push(&all, added.v[k]);
	return strv_join(&all, between);
}

static const char *exact_release(const struct campaign *c, const char *cell_id)
{
	const json_t *cell;
	size_t i;

	json_array_foreach(json_object_get(c->info, "cells"), i,
			   cell) if (!strcmp(json_string_value(json_object_get(cell, "id")) ?: "",
					     cell_id)) return json_string_value(json_object_get(cell, "go_version"));
	return NULL;
}

/* All that the run had at its peak: the kernel takes what it can. */
static int reclaim_late(const struct campaign *c, const struct campaign_run *r, struct scenario *s, struct err *err)
{
	double for_s = json_number_value(json_object_get(c->info, "for_s"));
	json_int_t peak = json_integer_value(json_object_get(json_object_get(r->run, "metrics"), "peak_rss_bytes"));

	return timeline_add(s, ACT_RECLAIM, (int64_t)(DISPROOF_ACT_AT * for_s * NS_PER_S), (uint64_t)peak, err);
}

/* The scenario with the cell's settings alone, and the one that is changed. */
static int narrow(const struct campaign *c, const struct campaign_run *r, const struct disproof *p, struct scenario *s,
		  struct err *err)
{
	const json_t *cell = json_object_get(r->run, "cell");
	const char *axis, *text = json_string_value(json_object_get(cell, p->axis));
	json_t *value;
	int rc = 0;

	json_object_foreach((json_t *)cell, axis, value)
	{
		const char *old = json_string_value(value), *exact = exact_release(c, r->cell_id);
		bool is_path = old && strchr(old, '/');

		if (rc >= 0 && old)
			rc = set_axis(s, axis, !strcmp(axis, "go") && exact && !is_path ? exact : old, err);
	}
	if (rc < 0 || !strcmp(p->axis, "for"))
		return rc;
	if (!strcmp(p->axis, "act"))
		return reclaim_late(c, r, s, err);

	cleanup_free char *merged = !strcmp(p->axis, "godebug") ? merge(text, p->value, ",")
				    : !strcmp(p->axis, "env")   ? merge(text, p->value, " ")
								: xstrdup(p->value);

	return set_axis(s, p->axis, merged, err);
}

/* What the campaign itself was told to do otherwise than its scenario says. */
static void take_options(const struct campaign *c, const struct disproof *p, struct run_options *o, char **ret_for)
{
	const json_t *was = json_object_get(c->info, "options"), *for_s = json_object_get(c->info, "for_s");

	o->limit = json_string_value(json_object_get(was, "limit"));
	o->for_text = json_string_value(json_object_get(was, "for"));
	o->clock = json_string_value(json_object_get(was, "clock"));
	if (json_integer_value(json_object_get(was, "rate_hz")) > 0)
		o->rate_hz = (unsigned)json_integer_value(json_object_get(was, "rate_hz"));
	o->repeat = 1;
	o->no_plot = true;
	o->seed = 1;
	if (strcmp(p->axis, "for") || !json_is_number(for_s))
		return;
	*ret_for = strf("%.0fs", json_number_value(for_s) * strtod(p->value, NULL));
	o->for_text = *ret_for;
}

static int carry_out(struct job *j, struct err *err)
{
	int r;

	iso_time_now(j->started);
	r = make_result_folder(j->options->out, j->scenario->name, &j->dir, err);
	if (r >= 0)
		r = job_save_scenario(j, err);
	if (r >= 0)
		r = job_begin(j, err);
	if (r >= 0)
		r = job_execute(j, err);
	return r < 0 ? r : job_write_campaign(j, true, err);
}

static bool asks_to_free(const struct disproof *p)
{
	return !strcmp(p->axis, "env") && !strncmp(p->value, DISPROOF_FREE_AT, strlen(DISPROOF_FREE_AT));
}

/* "GODEBUG=madvdontneed=1"; "THP off"; "four times as long a run" */
static char *with_words(const struct disproof *p)
{
	if (!strcmp(p->axis, "godebug"))
		return strf("GODEBUG=%s", p->value);
	if (!strcmp(p->axis, "act"))
		return xstrdup("its memory reclaimed late in the run");
	if (asks_to_free(p))
		return strf("debug.FreeOSMemory() called after %s", p->value + strlen(DISPROOF_FREE_AT));
	if (!strcmp(p->axis, "thp"))
		return xstrdup("transparent huge pages off (PR_SET_THP_DISABLE)");
	if (!strcmp(p->axis, "for"))
		return strf("%s times as long a run", p->value);
	return xstrdup(p->value);
}

static bool is_right(const struct diagnosis *was, const struct diagnosis *is)
{
	bool fell = was->rss_bytes - is->rss_bytes >= was->by[was->mechanism] / 2;

	switch (was->disproof.rss) {
	case DISPROOF_FALLS:
		return fell;
	case DISPROOF_STAYS:
		return !fell;
	case DISPROOF_EITHER:
		return fell || is->mechanism == was->mechanism;
	}
	return false;
}

/* What the two kinds are that an experiment with two outcomes tells apart. */
static const char *kind_words(const struct diagnosis *was, bool fell)
{
	if (was->disproof.rss != DISPROOF_EITHER)
		return "";
	if (was->mechanism == MECHANISM_LIVE_HEAP)
		return fell ? ": it was garbage, and a collection takes it" : ": it is in use";
	return fell ? ": it had been freed, and malloc's arenas kept it"
		    : ": it is no matter of malloc's arenas; C, or whoever mapped it, holds it still";
}

/* That RSS stays shows little where the next best answer would have it stay too. */
static const char *verdict_words(const struct diagnosis *was, bool holds, bool fell)
{
	bool separates = asks_to_free(&was->disproof) && (was->runner_up == MECHANISM_NOT_YET_SCAVENGED || was->runner_up == MECHANISM_LAZYFREE);

	if (!holds)
		return "not confirmed";
	return was->disproof.rss == DISPROOF_FALLS || fell || separates ? "confirmed" : "not disproved";
}

static void judge(const struct diagnosis *was, const struct diagnosis *is, struct confirmation *ret)
{
	bool fell = was->rss_bytes - is->rss_bytes >= was->by[was->mechanism] / 2;
	char a[32], b[32];

	ret->ran = true;
	ret->rss_bytes = is->rss_bytes;
	ret->mechanism = is->mechanism;
	if (isnan(is->rss_bytes) || isnan(was->by[was->mechanism])) {
		ret->ran = false;
		ret->text = strf("With %s it was run again, but nothing was measured (%s): not confirmed, not disproved.",
				 ret->with, is->why ? is->why : "no RSS");
		return;
	}
	ret->holds = is_right(was, is);
	ret->text = strf("With %s RSS is %s instead of %s: %s%s.", ret->with, format_size_of(a, sizeof(a), is->rss_bytes), format_size_of(b, sizeof(b), was->rss_bytes),
			 verdict_words(was, ret->holds, fell), kind_words(was, fell));
	if (!ret->holds && is->mechanism != was->mechanism && is->mechanism != MECHANISM_UNKNOWN) {
		cleanup_free char *text = ret->text;

		ret->text = strf("%s That run's memory would be %s.", text, mechanism_to_string(is->mechanism));
	}
}

static int compare(const struct job *j, const struct diagnosis *was, struct confirmation *ret, struct err *err)
{
	struct campaign *c = NULL;
	struct run_answer is = { 0 };
	int r = campaign_read(j->dir, &c, NULL, err);

	if (r < 0)
		return r;
	if (c->n_runs && c->runs[0].run && c->runs[0].outcome == OUTCOME_OK) {
		run_answer_make(&c->runs[0], &is);
		judge(was, &is.d, ret);
	} else {
		ret->text = strf("With %s the run did not end as planned (%s): not confirmed, not disproved.", ret->with,
				 outcome_to_string(c->n_runs ? c->runs[0].outcome : OUTCOME_INTERRUPTED));
	}
	run_answer_done(&is);
	campaign_free(c);
	return 0;
}

/* Why it cannot be tried, a sentence; NULL: it can. Caller frees. */
static char *why_not(const struct campaign *c, const struct campaign_run *r, const struct disproof *p)
{
	cleanup_free char *scenario = strf("%s/scenario.yaml", c->dir);

	if (json_is_object(json_object_get(r->run, "attached")))
		return strf("It was attached to, and how it was started is not known: it is not run again. Record it from its start "
			    "(memtide record -- COMMAND)%s%s.",
			    p->act ? "; what you can do yourself: " : "", p->act ? p->act : "");
	if (!p->axis)
		return strf("There is no setting that could prove this wrong%s%s.", p->act ? "; what you can do yourself: " : "",
			    p->act ? p->act : "");
	if (!file_exists(scenario))
		return strf("This record has no scenario that could be run again%s%s.",
			    p->act ? "; what you can do yourself: " : "", p->act ? p->act : "");
	if (r->outcome != OUTCOME_OK)
		return strf("A run that ended in %s is not run again to be compared.", outcome_to_string(r->outcome));
	if (json_is_number(json_object_get(c->info, "for_s")))
		return NULL;
	if (!strcmp(p->axis, "act"))
		return xstrdup("The run ends by itself: there is no time before its end at which its memory could be reclaimed.");
	return strcmp(p->axis, "for") ? NULL : xstrdup("The run ends by itself: it cannot be observed for longer.");
}

int confirm_run(const struct campaign *c, const struct campaign_run *r, const struct run_answer *t, struct confirmation *ret,
		struct err *err)
{
	const struct disproof *p = &t->d.disproof;
	cleanup_free char *path = strf("%s/scenario.yaml", c->dir), *out = strf("%s/confirm", c->dir), *home = home_folder(),
			  *for_text = NULL;
	struct run_options o;
	struct job j = { .options = &o, .home = home, .scheduling = "other", .lock_fd = -1 };
	struct err cleanup_err why = ERR_INIT;

	*ret = (struct confirmation){ .rss_bytes = NAN, .mechanism = MECHANISM_UNKNOWN };

	cleanup_free char *cannot = why_not(c, r, p);

	if (cannot) {
		ret->text = t->d.mechanism == MECHANISM_RELEASED || t->d.mechanism == MECHANISM_UNKNOWN
				    ? TAKE(cannot)
				    : strf("%s Not confirmed, not disproved.", cannot);
		return 0;
	}
	ret->with = with_words(p);
	run_options_init(&o);
	o.out = out;
	take_options(c, p, &o, &for_text);
	log_note("Running %s again with %s", r->cell_id, ret->with);

	int rc = scenario_load_copy(path, home, &j.scenario, &why);
	if (rc >= 0)
		rc = narrow(c, r, p, j.scenario, &why);
	if (rc >= 0)
		rc = job_plan_cells(&j, &why);
	if (rc < 0) {
		/* It is no failure of memtide's that a release does not know a setting. */
		ret->text = strf("It cannot be run with %s: %s: not confirmed, not disproved.", ret->with, err_text(&why));
		job_done(&j);
		return 0;
	}
	rc = carry_out(&j, err);
	if (rc >= 0 && j.interrupted)
		ret->text = xstrdup("Interrupted: not confirmed, not disproved.");
	else if (rc >= 0)
		rc = compare(&j, &t->d, ret, err);
	ret->dir = j.dir ? xstrdup(j.dir) : NULL;
	job_done(&j);
	return rc;
}

void confirmation_done(struct confirmation *c)
{
	free(c->with);
	free(c->dir);
	free(c->text);
	*c = (struct confirmation){ 0 };
}
