/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/run_parts.h"
#include "record/reader.h"
#include "render/figure.h"

enum { OPT_SET = OPT_OWN, OPT_LIMIT, OPT_FOR, OPT_CLOCK, OPT_RATE, OPT_DRY, OPT_JSON };

static const struct argp_option option_table[] = {
	{ "go", OPT_GO, "LIST", 0, "Go releases: 1.11..1.16, 1.21.3, latest, previous, local, /path/to/goroot; comma-separated", 0 },
	{ "set", OPT_SET, "AXIS=V,V", 0, "add or replace an axis: godebug, env, variant, go_line, limit, madv_free, thp", 0 },
	{ "limit", OPT_LIMIT, "SIZE|none", 0, "memory limit of each run's cgroup; none: no limit, and no cgroup where there is no right to make one", 0 },
	{ "repeat", OPT_REPEAT, "N", 0, "runs of each cell", 0 },
	{ "for", OPT_FOR, "TIME", 0, "how long each run is observed, as in 30s or 11min", 0 },
	{ "clock", OPT_CLOCK, "KIND", 0, "the clock that the program sees: real; virtual, which skips the time in which it sleeps; virtual!, where a run that cannot keep it fails", 0 },
	{ "rate", OPT_RATE, "HZ", 0, "samples a second (1000; 20 to 20000)", 0 },
	{ "out", OPT_OUT, "DIR", 0, "where campaigns are kept (results)", 0 },
	{ "jobs", OPT_JOBS, "N", 0, "runs side by side at most (as many as memory and CPUs allow)", 0 },
	{ "seed", OPT_SEED, "N", 0, "of the order of the runs (drawn, and recorded)", 0 },
	{ "dry-run", OPT_DRY, NULL, 0, "print the plan: cells, toolchains to fetch, memory, time", 0 },
	{ "resume", OPT_RESUME, NULL, 0, "go on with the scenario's latest campaign in DIR", 0 },
	{ "no-plot", OPT_NO_PLOT, NULL, 0, "record and print, draw nothing", 0 },
	{ "json", OPT_JSON, NULL, 0, "print the campaign as JSON instead of a table", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct run_options *o = state->input;

	switch (key) {
	case OPT_SET:
		strv_push(&o->set, arg);
		return 0;
	case OPT_LIMIT:
		o->limit = arg;
		return 0;
	case OPT_FOR:
		o->for_text = arg;
		return 0;
	case OPT_CLOCK:
		o->clock = arg;
		return 0;
	case OPT_RATE:
		o->rate_given = true;
		o->rate_hz = run_option_count(state, "rate", arg, SAMPLER_RATE_MIN, SAMPLER_RATE_MAX);
		return 0;
	case OPT_DRY:
		o->dry_run = true;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case ARGP_KEY_END:
		if (o->scenarios.n == 0)
			argp_error(state, "name a scenario; `memtide list` shows them");
		return 0;
	default:
		return run_option_parse(key, arg, state);
	}
}

static const struct argp argp = {
	option_table,
	parse_option,
	"SCENARIO...",
	"Builds the scenario's program with each Go release, runs every cell in a cgroup of its own, records, and shows the result."
	"\vSCENARIO is a name (`memtide list`) or a path to a YAML file.",
	NULL,
	NULL,
	NULL,
};

int make_result_folder(const char *parent, const char *name, char **ret, struct err *err)
{
	time_t now = time(NULL);
	struct tm tm;
	char stamp[32];
	int r = folder_make(parent, err);

	if (r < 0)
		return err_hint(err, "Name a folder that you may write to: --out DIR");
	(void)strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
	for (int n = 1; n < 1000; n++) {
		cleanup_free char *suffix = n == 1 ? xstrdup("") : strf("-%d", n);
		cleanup_free char *dir = strf("%s/%s-%s%s", parent, stamp, name, suffix);

		if (mkdir(dir, 0755) == 0) {
			*ret = TAKE(dir);
			return 0;
		}
		if (errno != EEXIST) {
			(void)err_set(err, errno, "cannot make the folder %s", dir);
			return err_hint(err, "Name a folder that you may write to: --out DIR");
		}
	}
	return err_set(err, EEXIST, "cannot make a folder for %s in %s", name, parent);
}

int job_save_scenario(const struct job *j, struct err *err)
{
	cleanup_free char *path = strf("%s/scenario.yaml", j->dir);

	return file_write(path, j->scenario->text, strlen(j->scenario->text), err);
}

void job_draw(const struct job *j)
{
	struct err cleanup_err err = ERR_INIT;
	cleanup_strv struct strv files = STRV_INIT;
	struct campaign *c = NULL;

	if (campaign_read(j->dir, &c, NULL, &err) < 0 || figures_draw(c, j->home, NULL, &files, NULL, &err) < 0)
		log_warn("no figure: %s", err_text(&err));
	campaign_free(c);
}

int job_exit_code(const struct job *j, int shown)
{
	if (j->harness_errors)
		return EXIT_HARNESS;
	if (shown != EXIT_EXPECTED)
		return shown;
	return j->not_run || j->interrupted ? EXIT_INCONCLUSIVE : EXIT_EXPECTED;
}

/* Runs what is to be run in the campaign's folder, and shows it. */
static int carry_out(struct job *j, struct err *err)
{
	int r = job_execute(j, err);

	if (r < 0)
		return cmd_failed(err);
	if (j->interrupted)
		log_note("Interrupted. Go on with: memtide run %s --resume --out %s", j->scenario->path, j->options->out);
	else if (job_write_campaign(j, true, err) < 0)
		return cmd_failed(err);
	if (!j->options->no_plot)
		job_draw(j);

	char command[] = "show", json[] = "--json", *show[] = { command, j->dir, j->options->json ? json : NULL, NULL };
	int shown = cmd_show(j->options->json ? 3 : 2, show);

	return job_exit_code(j, shown);
}

/* With a campaign that job_resume() has found and locked. */
static int go_on(struct job *j, struct err *err)
{
	int r = job_open_groups(j, err);

	if (r < 0)
		return r;
	job_prepare(j);
	return job_check_programs(j, err);
}

static int begin(struct job *j, const char *scenario, struct err *err)
{
	int r = job_plan(j, scenario, err);

	if (r < 0 || j->options->dry_run)
		return r;
	iso_time_now(j->started);
	r = make_result_folder(j->options->out, j->scenario->name, &j->dir, err);
	return r < 0 ? r : job_save_scenario(j, err);
}

static int run_one(const struct run_options *given, const char *home, const char *scenario, bool *ret_interrupted)
{
	struct err cleanup_err err = ERR_INIT;
	struct run_options o = *given;
	cleanup_strv struct strv set = STRV_INIT;
	cleanup_json json_t *resumed = NULL;
	struct job j = { .options = &o, .home = home, .scheduling = "other", .lock_fd = -1 };
	int code = EXIT_EXPECTED;

	for (size_t i = 0; i < given->set.n; i++)
		strv_push(&set, given->set.v[i]);
	o.set = set;
	int r = o.resume ? job_resume(&j, &o, scenario, &resumed, &err) : begin(&j, scenario, &err);
	set = o.set;
	if (r < 0) {
		code = cmd_failed(&err);
	} else if (o.dry_run) {
		job_print_plan(&j);
	} else {
		r = o.resume ? go_on(&j, &err) : job_begin(&j, &err);
		code = r < 0 ? cmd_failed(&err) : carry_out(&j, &err);
	}
	*ret_interrupted = j.interrupted > 0;
	job_done(&j);
	return code;
}

int worse_code(int a, int b)
{
	static const int order[] = { EXIT_HARNESS, EXIT_USAGE, EXIT_UNEXPECTED, EXIT_INCONCLUSIVE };

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return EXIT_EXPECTED;
}

uint64_t seed_draw(void)
{
	uint32_t drawn = 1;

	(void)!getrandom(&drawn, sizeof(drawn), 0);
	return drawn ? drawn : 1;
}

int cmd_run(int argc, char **argv)
{
	struct run_options o;
	cleanup_free char *home = home_folder();
	int code = EXIT_EXPECTED;

	run_options_init(&o);
	cmd_parse(&argp, argc, argv, &o);
	if (!o.seed)
		o.seed = seed_draw();
	bool interrupted = false;
	for (size_t i = 0; i < o.scenarios.n && !interrupted; i++)
		code = worse_code(code, run_one(&o, home, o.scenarios.v[i], &interrupted));
	strv_done(&o.scenarios);
	strv_done(&o.set);
	return code;
}
