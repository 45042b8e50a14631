/* SPDX-License-Identifier: Apache-2.0 */
#include "render/figure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "base/units.h"
#include "render/figure_parts.h"

#define GNUPLOT_TIMEOUT_NS (60 * NS_PER_S)

static const struct script {
	const char *name;
	const char *draws[3];
} scripts[] = {
	{ "grid", { "grid.png", "grid.svg" } },
	{ "grid-phone", { "grid-phone.png" } },
	{ "overlay", { "overlay.png", "overlay.svg" } },
	{ "heatmap", { "heatmap.png", "heatmap.svg" } },
};

#define N_SCRIPTS (sizeof(scripts) / sizeof(*scripts))

static int hint_plot_later(const char *later, struct err *err)
{
	return err_hint(err, "the results are whole; draw them later: %s", later);
}

static int no_gnuplot(const char *later, struct err *err)
{
	(void)err_set(err, 0, "gnuplot is not installed, so no figures were drawn");
	return err_hint(err, "the results are whole; draw them later: apt-get install gnuplot-nox, then %s", later);
}

/* -d: a user's own ~/.gnuplot must not change the figures. */
int figure_script_run(const char *home, const char *name, const char *plots, const char *out, const char *later, struct err *err)
{
	cleanup_free char *path = strf("%s/plots/%s.gp", home, name);
	const char *argv[] = { "gnuplot", "-d", "-c", path, plots, out, NULL };
	struct subprocess s = { .argv = argv, .timeout_ns = GNUPLOT_TIMEOUT_NS };
	cleanup_subprocess struct subprocess_result result = { 0 };

	if (!file_exists(path)) {
		(void)err_set(err, ENOENT, "the plot script %s", path);
		return err_hint(err, "set MEMTIDE_HOME to the folder that holds plots/, scenarios/ and goprogs/");
	}
	if (subprocess_run(&s, &result, err) < 0) {
		(void)err_wrap(err, "drawing with %s", path);
		return hint_plot_later(later, err);
	}
	if (result.exit_code == 127)
		return no_gnuplot(later, err);
	if (result.exit_code) {
		(void)err_set(err, 0, "gnuplot failed on %s (exit code %d):\n%s", path, result.exit_code,
			      result.log ? result.log : "");
		return hint_plot_later(later, err);
	}
	return 0;
}

/* Every file is drawn before the first takes its place: old figures and new ones are never mixed by a failure. */
static int draw_all(const char *home, const char *plots, const char *out, const char *later, struct strv *ret_files,
		    struct err *err)
{
	for (size_t i = 0; i < N_SCRIPTS; i++) {
		int r = figure_script_run(home, scripts[i].name, plots, out, later, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < N_SCRIPTS; i++)
		for (const char *const *name = scripts[i].draws; *name; name++) {
			cleanup_free char *from = strf("%s/%s", out, *name), *to = strf("%s/%s", plots, *name);

			if (rename(from, to) < 0) {
				(void)err_set(err, errno, "gnuplot ran, but %s could not be put into %s", *name, plots);
				return hint_plot_later(later, err);
			}
			strv_push(ret_files, to);
		}
	return 0;
}

/* The folder is made anew, so that no curve of an earlier state stays behind. */
static int write_data(const struct figure_model *m, const char *plots, struct err *err)
{
	cleanup_free char *data = strf("%s/data", plots), *new = strf("%s/.data.%d", plots, (int)getpid());
	int r = folder_remove(new, err);

	r = r < 0 ? r : folder_make(new, err);
	r = r < 0 ? r : figure_data_write(m, new, err);
	r = r < 0 ? r : folder_remove(data, err);
	if (r >= 0 && rename(new, data) < 0)
		r = err_set(err, errno, "%s", data);
	if (r < 0)
		(void)folder_remove(new, NULL);
	return r;
}

int figures_draw(const struct campaign *c, const char *home, struct strv *ret_files, struct err *err)
{
	cleanup_free char *plots = strf("%s/plots", c->dir), *out = strf("%s/.drawing.%d", plots, (int)getpid());
	cleanup_free char *later = strf("memtide plot %s", c->dir);
	cleanup_figure_model struct figure_model m;
	int r = figure_model_make(&m, c, err);

	r = r < 0 ? r : folder_make(plots, err);
	r = r < 0 ? r : write_data(&m, plots, err);
	r = r < 0 ? r : folder_make(out, err);
	r = r < 0 ? r : draw_all(home, plots, out, later, ret_files, err);
	(void)folder_remove(out, NULL);
	return r;
}
