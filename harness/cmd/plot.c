/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/wall_time.h"
#include "cmd/cmd.h"
#include "cmd/one_run.h"
#include "record/reader.h"
#include "render/figure.h"
#include "render/overlay_file.h"

struct plot_options {
	struct strv dirs; /* empty: the newest campaign */
	const char *results;
	struct strv overlays; /* FILE or FILE:NAME */
	const char *run, *from;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct plot_options *o = state->input;

	switch (key) {
	case 'r':
		o->results = arg;
		return 0;
	case 'o':
		strv_push(&o->overlays, arg);
		return 0;
	case 'R':
		o->run = arg;
		return 0;
	case 'f':
		o->from = arg;
		return 0;
	case ARGP_KEY_ARG:
		strv_push(&o->dirs, arg);
		return 0;
	case ARGP_KEY_END:
		if (o->overlays.n && o->dirs.n > 1)
			argp_error(state, "--overlay is for one DIR at a time");
		if (!o->overlays.n && (o->run || o->from))
			argp_error(state, "--run and --overlay-from say where an --overlay belongs: there is none");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_table[] = {
	{ "results", 'r', "DIR", 0, "where the newest campaign is looked for (default: results)", 0 },
	{ "overlay", 'o', "FILE[:NAME]", 0,
	  "a series in bytes to lay over a run, by the time of the real world: the JSON of Prometheus' query_range, or CSV (time,value); NAME is what the "
	  "legend calls it; may be given several times",
	  0 },
	{ "run", 'R', "CELL/REPEAT", 0, "the run that it belongs to, where the campaign has several", 0 },
	{ "overlay-from", 'f', "TIME", 0,
	  "the moment of the series at which the program started, 2026-11-21T12:03:10Z (default: when the run did, by this machine's clock)", 0 },
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

/* ---- what is laid over
 * -------------------------------------------------------------------------------------------------------------- */

static void range_text(char *buf, size_t n, int64_t from_ns, int64_t to_ns)
{
	char from[40], to[40];

	(void)snprintf(buf, n, "%s to %s", wall_time_format(from, sizeof(from), from_ns), wall_time_format(to, sizeof(to), to_ns));
}

/* A series that says nothing of the run's time would be an empty line in the legend. */
static int check_overlap(const struct overlays *all, int64_t zero_ns, int64_t length_ns, struct err *err)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct overlay_series *s = &all->v[i];
		char run[96], series[96];
		bool within = false;

		for (size_t k = 0; k < s->n; k++)
			within |= !isnan(s->v[k].bytes) && s->v[k].t_ns >= zero_ns && s->v[k].t_ns <= zero_ns + length_ns;
		if (within)
			continue;
		if (!s->n)
			return err_usage(err, "the series %s has no values", s->name);
		range_text(run, sizeof(run), zero_ns, zero_ns + length_ns);
		range_text(series, sizeof(series), s->v[0].t_ns, s->v[s->n - 1].t_ns);
		(void)err_usage(err, "the series %s has no value within the run: it goes from %s, the run went from %s", s->name, series, run);
		return err_hint(err, "where the two clocks differ, --overlay-from says which moment of the series is the program's start");
	}
	return 0;
}

static int read_overlays(const struct plot_options *o, const struct campaign *c, struct overlays *all, struct figure_overlays *ret, struct err *err)
{
	int64_t length_ns;
	int r = one_run_find(c, o->run, &ret->run, err);

	r = r < 0 ? r : one_run_length(ret->run->run, &length_ns, err);
	if (r >= 0 && o->from)
		r = wall_time_parse(o->from, &ret->zero_ns, err);
	else if (r >= 0 && (r = one_run_wall(ret->run->run, &ret->zero_ns, &length_ns, err)) < 0 && one_run_is_virtual(ret->run->run))
		r = err_hint(err, "--overlay-from says which moment of the series is the program's start");
	for (size_t i = 0; i < o->overlays.n && r >= 0; i++)
		r = overlay_file_read(o->overlays.v[i], all, err);
	ret->series = all;
	return r < 0 ? r : check_overlap(all, ret->zero_ns, length_ns, err);
}

/* ---- drawing
 * ----------------------------------------------------------------------------------------------------------------------- */

static void say_damage(const struct strv *warnings)
{
	for (size_t i = 0; i < warnings->n && i < WARNINGS_MAX; i++)
		log_warn("%s", warnings->v[i]);
	if (warnings->n > WARNINGS_MAX)
		log_warn("%zu more runs are damaged", warnings->n - WARNINGS_MAX);
}

static int plot_one(const char *dir_or_null, const struct plot_options *o, const char *home, struct err *err)
{
	cleanup_strv struct strv warnings = STRV_INIT, files = STRV_INIT, remarks = STRV_INIT;
	cleanup_overlays struct overlays all = { 0 };
	struct figure_overlays over = { 0 };
	cleanup_free char *dir = NULL;
	struct campaign *c = NULL;
	int r = campaign_locate(dir_or_null, o->results, &dir, err);

	if (r >= 0)
		r = campaign_read(dir, &c, &warnings, err);
	if (r >= 0)
		campaign_check_series(c, &warnings);
	say_damage(&warnings);
	if (r >= 0 && o->overlays.n)
		r = read_overlays(o, c, &all, &over, err);
	if (r >= 0)
		r = figures_draw(c, home, o->overlays.n ? &over : NULL, &files, &remarks, err);
	campaign_free(c);
	for (size_t i = 0; i < remarks.n; i++)
		log_note("%s", remarks.v[i]);
	for (size_t i = 0; i < files.n; i++)
		printf("%s\n", files.v[i]);
	return r;
}

int cmd_plot(int argc, char **argv)
{
	struct plot_options o = { .dirs = STRV_INIT, .overlays = STRV_INIT, .results = "results" };
	cleanup_free char *home = home_folder();
	int code = EXIT_EXPECTED;

	cmd_parse(&argp, argc, argv, &o);
	for (size_t i = 0; i < (o.dirs.n ? o.dirs.n : 1); i++) {
		struct err cleanup_err err = ERR_INIT;

		/* One folder that is no campaign does not keep the others from being drawn. */
		if (plot_one(o.dirs.n ? o.dirs.v[i] : NULL, &o, home, &err) < 0)
			code = cmd_failed(&err);
	}
	strv_done(&o.dirs);
	strv_done(&o.overlays);
	return code;
}
