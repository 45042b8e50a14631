/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <time.h>

#include "analyse/expectation.h"
#include "analyse/mechanism.h"
#include "analyse/metrics.h"
#include "base/alloc.h"
#include "base/err.h"
#include "cmd/run_parts.h"
#include "record/reader.h"
#include "run/foreign.h"

void iso_time_now(char buf[32])
{
	time_t now = time(NULL);
	struct tm tm;

	(void)strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
}

static json_t *count_or_null(uint64_t n)
{
	return n == MISSING ? json_null() : json_integer((json_int_t)n);
}

static json_t *strings(const struct strv *l, size_t from)
{
	json_t *a = json_array();

	for (size_t i = from; i < l->n; i++)
		json_array_append_new(a, json_text(l->v[i]));
	return a;
}

static json_t *settings_json(const struct cell *c)
{
	json_t *o = json_object();

	for (size_t i = 0; i < c->n_settings; i++)
		json_object_set_new(o, c->settings[i].axis, json_text(c->settings[i].value));
	return o;
}

static json_t *host_json(const struct host *h)
{
	return json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:s, s:s, s:o}", "kernel", h->kernel, "machine", h->machine, "cpus", (int)h->cpus,
			 "memory_bytes", (json_int_t)h->memory_bytes, "swap_bytes", (json_int_t)h->swap_bytes, "page_bytes",
			 (json_int_t)h->page_bytes, "thp", h->thp, "thp_defrag", h->thp_defrag, "thp_max_ptes_none",
			 count_or_null(h->max_ptes_none));
}

/* Without MEMTIDE_MARK_FD and MEMTIDE_PORT, which say nothing about the measurement, and what else is not to be kept. */
static json_t *env_json(const struct job *j, size_t cell)
{
	cleanup_strv struct strv env = STRV_INIT;
	json_t *o = json_object();

	job_target_env(j, cell, &env);
	for (size_t i = 0; i < env.n; i++) {
		const char *equals = strchr(env.v[i], '=');
		cleanup_free char *name = strf("%.*s", (int)(equals - env.v[i]), env.v[i]);

		if (job_env_is_kept(j, name))
			json_object_set_new(o, name, json_text(equals + 1));
	}
	return o;
}

static json_t *go_json(const struct job *j, size_t cell)
{
	const struct cell *c = &j->plan->cells[cell];
	char version[32];

	if (!c->go)
		return json_null();
	return json_pack("{s:s, s:o}", "version", go_version_format(version, sizeof(version), &c->go->version), "line",
			 json_text(j->cells[cell].build.go_line));
}

static json_t *program_json(const struct job *j, size_t cell)
{
	const struct build *b = &j->cells[cell].build;

	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "kind", program_kind_name(j->scenario->program.kind), "name",
			 json_text(j->scenario->program.name), "sha256", json_text(*b->sha256 ? b->sha256 : NULL),
			 "flags", strings(&b->flags, 0), "default_godebug", json_text(b->default_godebug));
}

static json_t *sampling_json(const struct job *j, const struct run_result *r)
{
	const struct sampling_stats *s = &r->sampling;

	unsigned bound = j->options->bound_permille;

	return json_pack("{s:i, s:o, s:I, s:I, s:I, s:{s:f, s:f, s:f}, s:f, s:s, s:o}", "rate_hz", (int)j->options->rate_hz,
			 "cpu_bound_percent", bound ? json_real(bound / 10.0) : json_null(), "samples",
			 (json_int_t)s->samples, "missed", (json_int_t)s->missed, "lost", (json_int_t)s->lost, "lateness_us", "p50",
			 s->lateness_p50_us, "p99", s->lateness_p99_us, "max", s->lateness_max_us, "cpu_s", s->cpu_s, "scheduling",
			 j->scheduling, "statm_error_pages",
			 count_or_null(j->selftest_done ? j->selftest.worst_pages : MISSING));
}

/* NULL: not known, so that the key is left out. GO_OFF: none, so null. */
static json_t *setting(uint64_t n)
{
	return n == GO_UNKNOWN ? NULL : n == GO_OFF ? json_null() : json_integer((json_int_t)n);
}

static json_t *runtime_json(const struct run_result *r)
{
	const struct inside_report *i = &r->inside;
	const struct go_settings *s = &i->settings;

	return json_pack("{s:b, s:b, s:s?, s:s?, s:s?, s:I, s:I, s:I, s:I, s:s?, s:o, s:f, s:f, s:{s:o*, s:o*, s:o*, s:o*, s:o*}, s:s?}", "read", i->read, "forbidden", i->forbidden, "by",
			 i->by, "version", *i->version ? i->version : NULL, "why", *i->why ? i->why : NULL, "readings", (json_int_t)i->readings, "raced",
			 (json_int_t)i->raced, "splits", (json_int_t)i->splits, "splits_raced", (json_int_t)i->splits_raced, "split_why", *i->split_why ? i->split_why : NULL,
			 "split_error_bytes", count_or_null(i->split_error_bytes), "looks_s", i->looks_s, "unasked_cpu_s", i->unasked_cpu_s, "settings", "gogc", setting(s->gogc), "memory_limit_bytes",
			 setting(s->memory_limit_bytes), "gomaxprocs", setting(s->gomaxprocs), "madvdontneed", setting(s->madvdontneed), "cgo", setting(s->cgo),
			 "heap_profile", i->heap_profiles ? "kept" : *i->heap_profile_why ? i->heap_profile_why : NULL);
}

static json_t *seconds(int64_t ns)
{
	return json_real((double)ns / 1e9);
}

static json_t *ended_json(const struct clock_report *c)
{
	if (c->ended_ns < 0 || !*c->ended)
		return json_null();
	return json_pack("{s:o, s:o}", "t_s", seconds(c->ended_ns), "why", json_text(c->ended));
}

/* r NULL: it never started, so no clock went. */
static json_t *clock_json(const struct job *j, const struct run_result *r)
{
	const struct clock_report *c = r ? &r->clock : NULL;

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:o}", "kind", clock_kind_name(c ? c->kind : j->scenario->clock), "jumps",
			 c ? json_integer((json_int_t)c->jumps) : json_null(), "skipped_s", c ? seconds(c->skipped_ns) : json_null(),
			 "largest_jump_s", c && c->jumps ? seconds(c->largest_ns) : json_null(), "wakes",
			 c ? json_integer((json_int_t)c->wakes) : json_null(), "kernel_timers", "real", "ended",
			 c ? ended_json(c) : json_null());
}

static json_t *load_json(const struct job *j, size_t cell, const struct run_result *r)
{
	const struct load *given = &j->scenario->load;
	const struct load_report *l = r ? &r->load : NULL;
	cleanup_strv struct strv argv = STRV_INIT;

	if (!given->given)
		return json_null();
	job_load_args(j, cell, &argv);
	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "command", json_text(given->command.n ? argv.v[0] : NULL), "args",
			 strings(&argv, 1), "clock", clock_kind_name(given->clock), "begin_s",
			 l && l->begin_ns >= 0 ? seconds(l->begin_ns) : json_null(), "end_s",
			 l && l->end_ns >= 0 ? seconds(l->end_ns) : json_null(), "exit_code",
			 l && l->exit_code >= 0 ? json_integer(l->exit_code) : json_null(), "signal",
			 l && l->signal ? json_integer(l->signal) : json_null());
}

static json_t *attached_json(const struct foreign *f)
{
	if (!f)
		return json_null();
	return json_pack("{s:i, s:i, s:o, s:b, s:I, s:o, s:o, s:o}", "pid", (int)f->pid, "inner_pid", (int)f->inner_pid, "exe", json_text(f->exe),
			 "exe_deleted", f->exe_deleted, "uid", (json_int_t)f->uid, "age_s", f->age_s < 0 ? json_null() : json_real(f->age_s), "cgroup",
			 json_text(f->memcg_path), "cgroup_processes", f->memcg ? json_integer(f->memcg_processes) : json_null());
}

static json_t *marks_json(const struct run_result *r)
{
	json_t *a = json_array();

	for (size_t i = 0; r && i < r->n_marks; i++)
		json_array_append_new(a, json_pack("{s:f, s:s, s:s}", "t_s", (double)r->marks[i].t_ns / 1e9, "name", r->marks[i].name, "by",
						   r->marks[i].by == 'p' ? "program" : "supervisor"));
	return a;
}

static json_t *values_json(const struct run_result *r)
{
	json_t *a = json_array();

	for (size_t i = 0; r && i < r->n_told; i++)
		json_array_append_new(a, json_pack("{s:f, s:s, s:I}", "t_s", (double)r->told[i].t_ns / 1e9, "name", r->told[i].name, "value",
						   (json_int_t)r->told[i].value));
	return a;
}

static json_t *gaps_json(const struct run_result *r)
{
	json_t *a = json_array();

	for (size_t i = 0; r && i < r->n_gaps; i++) {
		const struct gap *g = &r->gaps[i];

		json_array_append_new(a, json_pack("{s:o, s:o, s:b, s:s}", "from_s", seconds(g->from_ns), "to_s", seconds(g->to_ns), "slow", g->slow,
						   "why",
						   g->slow ? "smaps_rollup could not be read: what the slow probes tell is not known"
							   : "nobody looked: memtide was stopped, or got no CPU"));
	}
	return a;
}

static json_t *timeline_json(const struct timeline *t, const struct run_result *r)
{
	json_t *a = json_array();

	for (size_t i = 0; r && i < t->n; i++) {
		const struct act *act = &t->v[i];
		const struct act_report *report = &r->acts[i];
		cleanup_free char *name = signal_name(act->signal);

		json_array_append_new(a, json_pack("{s:o, s:o, s:s, s:o, s:o, s:s, s:o}", "at_s", seconds(act->at_ns), "done_s",
						   report->done_ns < 0 ? json_null() : seconds(report->done_ns), "do", act_name(act->kind),
						   "amount_bytes", count_or_null(act->amount_bytes ? act->amount_bytes : MISSING), "signal",
						   json_text(act->signal ? name : NULL), "result", act_result_name(report->result), "why",
						   json_text(report->why)));
	}
	return a;
}

/* What the record lacks, in words. */
static json_t *damage_json(const char *series, const struct run_result *r)
{
	cleanup_free char *marks = r && r->lost_marks ? strf("%llu marks after the first %zu were not kept",
							     (unsigned long long)r->lost_marks, r->n_marks)
						      : NULL;
	cleanup_free char *told = r && r->lost_told ? strf("%llu numbers that the program told after the first 200000 were not kept", (unsigned long long)r->lost_told)
						    : NULL;
	cleanup_free char *no_lines = r && r->no_lines ? strf("%llu lines that the program wrote to MEMTIDE_MARK_FD are neither a mark nor a number",
							      (unsigned long long)r->no_lines)
						       : NULL;
	const char *leader = r && r->sampling.leader_exited ? "the program's first thread ended while others went on: their memory was not seen" : NULL;
	const char *const parts[] = { series, marks, told, no_lines, leader };
	cleanup_strv struct strv all = STRV_INIT;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (parts[i])
			strv_push(&all, parts[i]);
	cleanup_free char *text = strv_join(&all, "; ");
	return json_text(all.n ? text : NULL);
}

/* Why its memory is there. run: with all that is known of the run but metrics, expectations and this. */
static void add_mechanism(const char *run_dir, const json_t *metrics, const json_t *missing, const struct run_series *series, json_t *run)
{
	struct diagnosis cleanup_diagnosis d = { 0 };
	cleanup_json json_t *goroutines = NULL;

	(void)run_goroutines_read(run_dir, &goroutines, NULL);

	const struct mechanism_facts facts = { .metrics = metrics, .missing = missing, .run = run, .series = series, .goroutines = goroutines };

	diagnosis_of(&facts, &d);
	diagnosis_into_run(&d, run);
}

/* Adds metrics, missing, expectations, mechanism and damage. */
static void add_analysis(const struct job *j, const struct cell *c, const struct run_result *r, enum outcome outcome,
			     const char *run_dir, json_t *run)
{
	struct run_series series = { 0 };
	json_t *metrics = NULL, *missing = NULL;

	json_object_set_new(run, "mechanism", json_null());
	json_object_set_new(run, "mechanism_share", json_null());
	json_object_set_new(run, "runner_up", json_null());
	json_object_set_new(run, "evidence", json_array());
	json_object_set_new(run, "disproof", json_null());
	if (r && run_series_read(run_dir, &series, NULL) >= 0) {
		struct run_facts facts = {
			.outcome = outcome,
			.end_ns = r->end_ns,
			.end = r->end,
			.cgroup_shared = j->attach && j->attach->memcg_processes > 1,
			.split_why = *r->inside.split_why ? r->inside.split_why : NULL,
			.runtime_why = r->inside.read || !*r->inside.why ? NULL : r->inside.why,
		};

		metrics_compute(&series, &facts, &metrics, &missing);
	}
	if (metrics)
		add_mechanism(run_dir, metrics, missing, &series, run);

	const char *mechanism = json_string_value(json_object_get(run, "mechanism"));
	json_t *expectations = r && outcome != OUTCOME_INTERRUPTED && metrics
				       ? expectations_evaluate(j->scenario, c, outcome, mechanism, metrics, missing)
				       : json_array();

	json_object_set_new(run, "metrics", metrics ? metrics : json_object());
	json_object_set_new(run, "missing", missing ? missing : json_object());
	json_object_set_new(run, "expectations", expectations);
	json_object_set_new(run, "damage", damage_json(series.damage, r));
	run_series_done(&series);
}

json_t *job_run_json(const struct job *j, const struct planned_run *p, const struct run_result *r, enum outcome outcome, const char *why,
		     const char *started, const char *run_dir)
{
	const struct cell *c = &j->plan->cells[p->cell];
	cleanup_strv struct strv argv = STRV_INIT;

	job_target_args(j, p->cell, &argv);
	json_t *run = json_pack(
		"{s:s, s:s, s:o, s:i, s:o, s:o, s:o, s:o, s:{s:i, s:o}, s:o, s:o, s:o, s:s, s:s, s:o}", "format", "memtide-run/1",
		"scenario", j->scenario->name, "cell", settings_json(c), "repeat", (int)p->repeat, "go", go_json(j, p->cell), "program",
		program_json(j, p->cell), "args", strings(&argv, 1), "env", env_json(j, p->cell), "cgroup", "version", j->cgroup_version,
		"limit_bytes", count_or_null(c->limit_bytes ? c->limit_bytes : MISSING), "clock", clock_json(j, r), "load",
		load_json(j, p->cell, r), "host", host_json(&j->host), "started", started, "outcome", outcome_to_string(outcome), "why", json_text(why));

	json_object_set_new(run, "attached", attached_json(j->attach));
	json_object_set_new(run, "wall_s", r ? json_real(r->wall_s) : json_null());
	json_object_set_new(run, "target_s", r ? json_real((double)r->end_ns / 1e9) : json_null());
	json_object_set_new(run, "exit_code", r && r->exit_code >= 0 ? json_integer(r->exit_code) : json_null());
	json_object_set_new(run, "signal", r && r->signal ? json_integer(r->signal) : json_null());
	json_object_set_new(run, "ended_by", r ? json_string(r->by_program ? "program" : "supervisor") : json_null());
	json_object_set_new(run, "oom_kills", r ? count_or_null(r->end.oom_kills) : json_null());
	json_object_set_new(run, "sampling", r ? sampling_json(j, r) : json_null());
	json_object_set_new(run, "runtime", r ? runtime_json(r) : json_null());
	json_object_set_new(run, "marks", marks_json(r));
	json_object_set_new(run, "values", values_json(r));
	json_object_set_new(run, "gaps", gaps_json(r));
	json_object_set_new(run, "timeline", timeline_json(&j->scenario->timeline, r));
	add_analysis(j, c, r, outcome, run_dir, run);
	return run;
}

static json_t *cells_json(const struct job *j)
{
	json_t *a = json_array();

	for (size_t i = 0; i < j->plan->n_cells; i++) {
		const struct cell *c = &j->plan->cells[i];
		char version[32];

		json_array_append_new(
			a, json_pack("{s:o, s:o, s:o, s:o, s:b, s:o}", "id", json_text(c->id), "settings", settings_json(c), "go_version",
				     json_text(c->go ? go_version_format(version, sizeof(version), &c->go->version) : NULL), "limit_bytes",
				     count_or_null(c->limit_bytes ? c->limit_bytes : MISSING), "applicable", !c->why_not, "why",
				     json_text(c->why_not)));
	}
	return a;
}

static json_t *options_json(const struct run_options *o)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:i}", "go", json_text(o->go_list), "set", strings(&o->set, 0), "limit",
			 json_text(o->limit), "for", json_text(o->for_text), "clock", json_text(o->clock), "repeat", (int)o->repeat, "rate_hz", (int)o->rate_hz);
}

int job_write_campaign(const struct job *j, bool finished, struct err *err)
{
	cleanup_free char *path = strf("%s/campaign.json", j->dir);
	const char *name = strrchr(j->dir, '/');
	char seed[32], now[32];
	json_t *order = json_array();

	/* As text: a JSON number keeps 53 bits in most readers. */
	(void)snprintf(seed, sizeof(seed), "%llu", (unsigned long long)j->plan->seed);
	iso_time_now(now);
	for (size_t i = 0; i < j->plan->n_order; i++)
		json_array_append_new(order, json_pack("[s, i]", j->plan->cells[j->plan->order[i].cell].id, (int)j->plan->order[i].repeat));

	cleanup_json json_t *campaign = json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:{s:s}, s:o, s:s, s:b, s:s, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:i}", "format",
		"memtide-campaign/1", "name", name ? name + 1 : j->dir, "scenario", j->scenario->name, "title", j->scenario->title, "story", json_text(story_name(j->scenario->story)), "explain",
		json_text(j->scenario->explain), "started",
		j->started, "finished", finished ? json_string(now) : json_null(), "memtide", "version", MEMTIDE_VERSION, "host",
		host_json(&j->host), "clock", clock_kind_name(j->scenario->clock), "clock_strict",
		j->scenario->clock_strict, "seed", seed, "rate_hz", (int)j->options->rate_hz, "repeat", (int)j->scenario->repeat,
		"jobs", (int)j->options->jobs, "for_s", j->scenario->for_ns ? json_real((double)j->scenario->for_ns / 1e9) : json_null(),
		"options", options_json(j->options), "cells", cells_json(j), "order", order, "selftest", "pages",
		count_or_null(j->selftest_done ? j->selftest.pages : MISSING), "worst_error_pages",
		count_or_null(j->selftest_done ? j->selftest.worst_pages : MISSING), "cgroup_version", j->cgroup_version);

	json_object_set_new(campaign, "versus", expectations_versus(j->plan));
	return json_save(path, campaign, err);
}
