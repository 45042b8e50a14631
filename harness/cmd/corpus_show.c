/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strv.h"
#include "cmd/cmd.h"
#include "cmd/corpus_parts.h"
#include "record/corpus.h"
#include "render/corpus_table.h"

struct corpus_show_options {
	struct dir_options from;
	bool no_plot;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct corpus_show_options *o = state->input;

	switch (key) {
	case 'n':
		o->no_plot = true;
		return 0;
	default:
		return cmd_dir_option(key, arg, state, &o->from);
	}
}

static const struct argp_option option_table[] = {
	{ "results", 'r', "DIR", 0, "where the newest corpus is looked for (default: results)", 0 },
	{ "no-plot", 'n', NULL, 0, "print the table, draw nothing", 0 },
	{ 0 },
};

static const struct argp argp = {
	option_table,
	parse_option,
	"[DIR]",
	"What became of the memory, scenario by release, as a table and as DIR/plots/corpus.png; and the expectations that failed.\v"
	"DIR is a corpus' folder; without it the newest one. Exit code 1 if an expectation failed.",
	NULL,
	NULL,
	NULL,
};

static void warn_of(const struct strv *warnings)
{
	for (size_t i = 0; i < warnings->n; i++)
		log_warn("%s", warnings->v[i]);
}

static void draw(const struct corpus *c)
{
	cleanup_free char *home = home_folder();
	cleanup_strv struct strv files = STRV_INIT;
	struct err cleanup_err err = ERR_INIT;

	if (corpus_figure_draw(c, home, &files, &err) < 0)
		log_warn("no picture: %s", err_text(&err));
	for (size_t i = 0; i < files.n; i++)
		printf("%s  %s\n", i ? "" : "\nPicture:\n", files.v[i]);
}

int corpus_show_dir(const char *dir, bool no_plot)
{
	cleanup_corpus struct corpus *c = NULL;
	cleanup_strv struct strv warnings = STRV_INIT;
	struct err cleanup_err err = ERR_INIT;
	size_t failed;

	if (corpus_read(dir, &c, &warnings, &err) < 0)
		return cmd_failed(&err);
	warn_of(&warnings);
	corpus_table_print(stdout, c);
	failed = corpus_failures_print(stdout, c);
	if (!no_plot)
		draw(c);
	printf("\nRecorded in %s\n", c->dir);
	if (fflush(stdout) || ferror(stdout)) {
		(void)err_set(&err, errno, "cannot write to standard output");
		return cmd_failed(&err);
	}
	if (json_is_null(json_object_get(c->info, "finished")))
		log_warn("this corpus was not finished; `memtide corpus run --resume` goes on with it");
	return failed ? EXIT_UNEXPECTED : EXIT_EXPECTED;
}

int corpus_show(int argc, char **argv)
{
	struct corpus_show_options o = { .from.results = "results" };
	struct err cleanup_err err = ERR_INIT;
	cleanup_free char *dir = NULL;

	cmd_parse(&argp, argc, argv, &o);
	if (corpus_locate(o.from.dir, o.from.results, &dir, &err) < 0)
		return cmd_failed(&err);
	return corpus_show_dir(dir, o.no_plot);
}
