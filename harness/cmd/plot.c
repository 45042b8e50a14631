/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strv.h"
#include "cmd/cmd.h"
#include "record/reader.h"
#include "render/figure.h"

struct plot_options {
	struct strv dirs; /* empty: the newest campaign */
	const char *results;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct plot_options *o = state->input;

	switch (key) {
	case 'r':
		o->results = arg;
		return 0;
	case ARGP_KEY_ARG:
		strv_push(&o->dirs, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_table[] = {
	{ "results", 'r', "DIR", 0, "where the newest campaign is looked for (default: results)", 0 },
	{ 0 },
};

static const struct argp argp = {
	option_table,
	parse_option,
	"[DIR...]",
	"Draws the figures of campaigns again, from their folders alone, and prints the files drawn.\v"
	"DIR is a campaign's folder; without it the newest one. The data go to DIR/plots/data; the scripts in plots/ draw them "
	"by hand "
	"too: `gnuplot -c plots/grid.gp DIR/plots`.",
	NULL,
	NULL,
	NULL,
};

#define WARNINGS_MAX 5

static int plot_one(const char *dir_or_null, const char *results, const char *home, struct err *err)
{
	cleanup_strv struct strv warnings = STRV_INIT, files = STRV_INIT;
	cleanup_free char *dir = NULL;
	struct campaign *c = NULL;
	int r = campaign_locate(dir_or_null, results, &dir, err);

	if (r >= 0)
		r = campaign_read(dir, &c, &warnings, err);
	if (r >= 0)
		campaign_check_series(c, &warnings);
	for (size_t i = 0; i < warnings.n && i < WARNINGS_MAX; i++)
		log_warn("%s", warnings.v[i]);
	if (warnings.n > WARNINGS_MAX)
		log_warn("%zu more runs are damaged", warnings.n - WARNINGS_MAX);
	if (r >= 0)
		r = figures_draw(c, home, &files, err);
	campaign_free(c);
	for (size_t i = 0; i < files.n; i++)
		printf("%s\n", files.v[i]);
	return r;
}

int cmd_plot(int argc, char **argv)
{
	struct plot_options o = { .dirs = STRV_INIT, .results = "results" };
	cleanup_free char *home = home_folder();
	int code = EXIT_EXPECTED;

	cmd_parse(&argp, argc, argv, &o);
	for (size_t i = 0; i < (o.dirs.n ? o.dirs.n : 1); i++) {
		struct err cleanup_err err = ERR_INIT;

		/* One folder that is no campaign does not keep the others from being drawn. */
		if (plot_one(o.dirs.n ? o.dirs.v[i] : NULL, o.results, home, &err) < 0)
			code = cmd_failed(&err);
	}
	strv_done(&o.dirs);
	return code;
}
