/* SPDX-License-Identifier: Apache-2.0
 *
 * record.c - `memtide record -- CMD`: one run of any command, as a campaign like all others. The scenario that says so is written
 * into its folder.
 *
 * The command has the user's environment, standard input and terminal; what it prints goes where it would go, and into the record.
 * What memtide itself has to say goes to standard error.
 */
#include <argp.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/cmd.h"
#include "cmd/run_parts.h"

/* As long as a duration may be: it goes on until it ends by itself, or is ended. */
#define NO_END "366d"

enum { OPT_FOR = OPT_OWN, OPT_LIMIT, OPT_RATE };

struct options {
	struct run_options run;
	const char *for_text, *limit; /* borrowed; NULL: not given */
	char **command;               /* borrowed from argv; NULL-terminated */
};

static const struct argp_option option_table[] = {
	{ "out", OPT_OUT, "DIR", 0, "where campaigns are kept (results)", 0 },
	{ "for", OPT_FOR, "TIME", 0, "end it after this time, as in 30s or 11min (else it is observed until it exits)", 0 },
	{ "limit", OPT_LIMIT, "SIZE", 0, "memory limit of its cgroup (none)", 0 },
	{ "rate", OPT_RATE, "HZ", 0, "samples a second (1000; 20 to 20000)", 0 },
	{ "no-plot", OPT_NO_PLOT, NULL, 0, "record and print, draw nothing", 0 },
	{ 0 },
};

/* Checked here, since an error in a scenario that nobody wrote would tell nobody anything. */
static void check_text(struct argp_state *state, const struct options *o)
{
	struct err err = ERR_INIT;
	uint64_t bytes;
	int64_t ns;

	if (o->for_text && parse_duration(o->for_text, &ns, &err) < 0)
		argp_error(state, "--for: %s", err_text(&err));
	if (o->limit && strcmp(o->limit, "none") && parse_size(o->limit, &bytes, &err) < 0)
		argp_error(state, "--limit: %s", err_text(&err));
	err_done(&err);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case OPT_FOR:
		o->for_text = arg;
		return 0;
	case OPT_LIMIT:
		o->limit = arg;
		return 0;
	case OPT_RATE:
		o->run.rate_given = true;
		o->run.rate_hz = run_option_count(state, "rate", arg, SAMPLER_RATE_MIN, SAMPLER_RATE_MAX);
		return 0;
	case OPT_OUT:
	case OPT_NO_PLOT:
		run_option_take(&o->run, key, arg, state);
		return 0;
	case ARGP_KEY_ARG: /* all that follows is the command's */
		o->command = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (!o->command || !*o->command[0])
			argp_error(state, "name the command to run, as in: memtide record -- ./server -v");
		check_text(state, o);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	option_table,
	parse_option,
	"-- COMMAND [ARGUMENT...]",
	"Runs COMMAND, records its memory, and shows the result: a campaign like all others, for show, plot, compare, export."
	"\vIt has your environment, standard input and directory, a cgroup of its own where that is possible, and a session of its own. "
	"Ctrl-C ends it (SIGTERM; SIGKILL after 2 s), and keeps the record.\n\n"
	"Exit codes: 0 it ended well, or at the end of --for; 1 it did not: a code other than 0, a signal, out of memory, interrupted; "
	"2 usage; 125 memtide itself failed.",
	NULL,
	NULL,
	NULL,
};

/* As the shell finds it; absolute, so that the scenario means the same from its own folder. Links are not followed: what a program is
 * called by may matter to it. */
static int find_program(const char *word, char **ret, struct err *err)
{
	cleanup_strv struct strv folders = STRV_INIT;
	cleanup_free char *here = realpath(".", NULL);
	const char *path = getenv("PATH");

	strv_split(&folders, strchr(word, '/') ? "." : path ? path : "/usr/bin:/bin", ":");
	for (size_t i = 0; i < folders.n; i++) {
		cleanup_free char *found = strchr(word, '/') ? xstrdup(word) : strf("%s/%s", folders.v[i], word);
		const char *below = !strncmp(found, "./", 2) ? found + 2 : found;

		if (!file_exists(found) || folder_exists(found) || access(found, X_OK) < 0)
			continue;
		*ret = *found == '/' || !here ? TAKE(found) : strf("%s/%s", here, below);
		return 0;
	}
	return err_usage(err, "cannot run %s: %s", word, strchr(word, '/') && file_exists(word) ? "it is no executable file" : "there is no such command");
}

/* In quotes: what JSON writes is YAML too. */
static int add_quoted(FILE *f, const char *text, struct err *err)
{
	cleanup_json json_t *s = json_string(text);
	cleanup_free char *quoted = s ? json_dumps(s, JSON_ENCODE_ANY) : NULL;

	for (const char *p = text; quoted && *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\n' && *p != '\t') || *p == 0x7f)
			return err_usage(err, "%s has a control character in it, which a scenario cannot have: put the command into a script", quoted);
	if (!quoted)
		return err_usage(err, "an argument is no UTF-8, which a scenario has to be: put the command into a script");
	fputs(quoted, f);
	return 0;
}

static int write_scenario(const struct options *o, const char *name, const char *program, char **ret, struct err *err)
{
	const char *slash = strrchr(program, '/');
	cleanup_free char *text = NULL, *title = strf("What does %s do with memory?", slash ? slash + 1 : program);
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	int r = 0;

	if (!f)
		return err_set(err, errno, "cannot write the scenario");
	fprintf(f, "# Made by memtide record. `memtide run` does the same again from a copy that is named %s.yaml, but without the\n"
		   "# environment and standard input of then.\n"
		   "name: %s\ntitle: ", name, name);
	r = add_quoted(f, title, err);
	fputs("\nprogram:\n  command:\n    - ", f);
	if (r >= 0)
		r = add_quoted(f, program, err);
	for (size_t i = 1; r >= 0 && o->command[i]; i++) {
		fputs("\n    - ", f);
		r = add_quoted(f, o->command[i], err);
	}
	fprintf(f, "\nlimit: %s\nrun: {%s: %s, clock: real}\n", o->limit ? o->limit : "none", o->for_text ? "for" : "timeout",
		o->for_text ? o->for_text : NO_END);
	if (fclose(f) != 0 && r >= 0)
		r = err_set(err, errno, "cannot write the scenario");
	if (r >= 0)
		*ret = TAKE(text);
	return r;
}

/* The campaign's folder with the scenario in it, read back as everybody will read it. */
static int make_campaign(struct job *j, const struct options *o, struct err *err)
{
	cleanup_free char *program = NULL, *name = NULL, *text = NULL, *path = NULL;
	const char *slash;
	int r = find_program(o->command[0], &program, err);

	if (r < 0)
		return r;
	slash = strrchr(program, '/');
	name = scenario_name_of("record-", slash ? slash + 1 : program);
	r = write_scenario(o, name, program, &text, err);
	if (r >= 0)
		r = make_result_folder(o->run.out, name, &j->dir, err);
	if (r < 0)
		return r;
	path = strf("%s/scenario.yaml", j->dir);
	r = file_write(path, text, strlen(text), err);
	if (r >= 0)
		r = scenario_load_copy(path, j->home, &j->scenario, err);
	if (r >= 0) {
		free(j->scenario->program.command.v[0]);
		j->scenario->program.command.v[0] = TAKE(program);
		r = job_plan_cells(j, err);
	}
	return r;
}

static int begin(struct job *j, const struct options *o, struct err *err)
{
	int r = make_campaign(j, o, err);

	return r < 0 ? r : job_begin(j, err);
}

/* The run's own outcome, as the user's exit code. */
static int outcome_code(const struct job *j)
{
	if (j->harness_errors || j->not_run)
		return EXIT_HARNESS;
	return j->timed == 1 ? EXIT_EXPECTED : EXIT_UNEXPECTED;
}

int job_finish_one(struct job *j, enum show_where where, struct err *err)
{
	char command[] = "show", json[] = "--json", *show[] = { command, j->dir, where == SHOW_JSON ? json : NULL, NULL };
	bool shown = where == SHOW_JSON || (where != SHOW_NOTHING && !log_quiet);

	if (job_write_campaign(j, true, err) < 0)
		return cmd_failed(err);
	if (j->pass_on_errnum)
		log_warn("what it printed did not all come out here (%s); the record has it", strerror(j->pass_on_errnum));
	if (!j->options->no_plot)
		job_draw(j);
	(void)fflush(stdout);
	if (where == SHOW_ON_STDERR && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		shown = false;
	if (shown)
		(void)cmd_show(where == SHOW_JSON ? 3 : 2, show);
	return outcome_code(j);
}

int cmd_record(int argc, char **argv)
{
	struct err cleanup_err err = ERR_INIT;
	cleanup_free char *home = home_folder();
	struct options o = { .command = NULL };
	struct job j = { .options = &o.run, .home = home, .scheduling = "other", .lock_fd = -1, .recorded = true };
	int code;

	run_options_init(&o.run);
	o.run.seed = 1; /* there is no order to draw */
	cmd_parse(&argp, argc, argv, &o);
	iso_time_now(j.started);
	int r = begin(&j, &o, &err);
	if (r < 0 && j.dir && !j.plan)
		(void)folder_remove(j.dir, NULL);
	if (r >= 0)
		r = job_execute(&j, &err);
	/* Standard output is the command's. */
	code = r < 0 ? cmd_failed(&err) : job_finish_one(&j, SHOW_ON_STDERR, &err);
	job_done(&j);
	return code;
}
