/* SPDX-License-Identifier: Apache-2.0 */
#include "render/figure.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "base/units.h"
#include "render/figure_parts.h"
#include "render/gp.h"
#include "render/inside_parts.h"

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

/* What one drawing makes, besides the figures of all campaigns */
struct drawing {
	struct figure_model m;
	struct inside inside, numbers;
	const struct figure_overlays *over; /* NULL: none */
};

static void drawing_done(struct drawing *d)
{
	inside_done(&d->inside);
	inside_done(&d->numbers);
	figure_model_done(&d->m);
}

static int draw_inside(const struct inside *in, const char *home, const char *name, const char *plots, const char *out, const char *later,
		       struct strv *pictures, struct err *err)
{
	if (!in->n)
		return 0;
	inside_pictures(in, pictures);
	return figure_script_run(home, name, plots, out, later, err);
}

/* Every file is drawn before the first takes its place: old figures and new ones are never mixed by a failure. */
static int draw_all(const struct drawing *d, const char *home, const char *plots, const char *out, const char *later, struct strv *ret_files,
		    struct err *err)
{
	cleanup_strv struct strv pictures = STRV_INIT;
	int r = 0;

	for (size_t i = 0; i < N_SCRIPTS && r >= 0; i++) {
		r = figure_script_run(home, scripts[i].name, plots, out, later, err);
		for (const char *const *name = scripts[i].draws; *name; name++)
			strv_push(&pictures, *name);
	}
	r = r < 0 ? r : draw_inside(&d->inside, home, "inside", plots, out, later, &pictures, err);
	r = r < 0 ? r : draw_inside(&d->numbers, home, "numbers", plots, out, later, &pictures, err);
	for (size_t i = 0; i < pictures.n && r >= 0; i++) {
		cleanup_free char *from = strf("%s/%s", out, pictures.v[i]), *to = strf("%s/%s", plots, pictures.v[i]);

		if (rename(from, to) < 0) {
			(void)err_set(err, errno, "gnuplot ran, but %s could not be put into %s", pictures.v[i], plots);
			return hint_plot_later(later, err);
		}
		strv_push(ret_files, to);
	}
	return r;
}

/* The highest value within the run */
static double overlay_peak(const struct figure_overlays *over, const struct overlay_series *s)
{
	int64_t end_ns = (int64_t)(json_number_value(json_object_get(over->run->run, "target_s")) * 1e9);
	double peak = 0;

	for (size_t k = 0; k < s->n; k++)
		if (!isnan(s->v[k].bytes) && s->v[k].t_ns >= over->zero_ns && s->v[k].t_ns - over->zero_ns <= end_ns)
			peak = fmax(peak, s->v[k].bytes);
	return peak;
}

double figure_overlay_top(const struct figure_overlays *over, double top)
{
	double peak = top;

	for (size_t i = 0; over && i < over->series->n; i++)
		if (overlay_peak(over, &over->series->v[i]) < 2.5 * top)
			peak = fmax(peak, overlay_peak(over, &over->series->v[i]));
	return peak;
}

void figure_overlay_names(const struct figure_overlays *over, double top, struct strv *ret)
{
	for (size_t i = 0; i < over->series->n; i++) {
		double peak = overlay_peak(over, &over->series->v[i]);
		char size[32];

		figure_size(size, sizeof(size), peak);
		if (peak > figure_overlay_top(over, top))
			strv_pushf(ret, "%s (up to %s, above the figure)", over->series->v[i].name, size);
		else
			strv_push(ret, over->series->v[i].name);
	}
}

struct one_overlay {
	const struct figure_overlays *over;
	size_t i;
};

static void put_overlay(FILE *f, const void *of)
{
	const struct one_overlay *o = of;
	const struct overlay_series *s = &o->over->series->v[o->i];
	bool any = false;

	(void)fputs("# laid over: t_s since exec, bytes; an empty line is a gap\n", f);
	for (size_t i = 0; i < s->n; i++) {
		if (isnan(s->v[i].bytes))
			(void)fputs(any ? "\n" : "", f);
		else
			(void)fprintf(f, "%.6f\t%.0f\n", (double)(s->v[i].t_ns - o->over->zero_ns) / 1e9, s->v[i].bytes);
		any = !isnan(s->v[i].bytes);
	}
}

static int write_overlays(const struct figure_overlays *over, const char *dir, struct err *err)
{
	int r = 0;

	for (size_t i = 0; over && i < over->series->n && r >= 0; i++) {
		struct one_overlay of = { over, i };
		cleanup_free char *path = strf("%s/overlay-%02zu.tsv", dir, i + 1);

		r = gp_write(path, put_overlay, &of, err);
	}
	return r;
}

/* The folder is made anew, so that no curve of an earlier state stays behind. */
static int write_data(const struct drawing *d, const char *plots, struct err *err)
{
	cleanup_free char *data = strf("%s/data", plots), *new = strf("%s/.data.%d", plots, (int)getpid());
	int r = folder_remove(new, err);

	r = r < 0 ? r : folder_make(new, err);
	r = r < 0 ? r : figure_data_write(&d->m, d->over, new, err);
	r = r < 0 || !d->inside.n ? r : inside_data_write(&d->inside, new, err);
	r = r < 0 || !d->numbers.n ? r : inside_data_write(&d->numbers, new, err);
	r = r < 0 ? r : write_overlays(d->over, new, err);
	r = r < 0 ? r : folder_remove(data, err);
	if (r >= 0 && rename(new, data) < 0)
		r = err_set(err, errno, "%s", data);
	if (r < 0)
		(void)folder_remove(new, NULL);
	return r;
}

/* Where not one run was looked into, and the records say why. */
static void remark_on_inside(const struct campaign *c, const struct inside *in, struct strv *remarks)
{
	for (size_t i = 0; i < c->n_runs && !in->n && remarks; i++) {
		const json_t *runtime = json_object_get(c->runs[i].run, "runtime");
		const char *why = json_string_value(json_object_get(runtime, "why"));

		if (!json_is_object(runtime))
			continue;
		strv_pushf(remarks, "no figure of what RSS consists of: %s", why ? why : "no split of it was recorded");
		return;
	}
}

int figures_draw(const struct campaign *c, const char *home, const struct figure_overlays *over, struct strv *ret_files,
		 struct strv *ret_remarks, struct err *err)
{
	cleanup_free char *plots = strf("%s/plots", c->dir), *out = strf("%s/.drawing.%d", plots, (int)getpid());
	cleanup_free char *later = strf("memtide plot %s", c->dir);
	__attribute__((cleanup(drawing_done))) struct drawing d = { .over = over };
	int r = figure_model_make(&d.m, c, err);

	if (r >= 0) {
		inside_make(&d.inside, &d.m, over, false);
		inside_make(&d.numbers, &d.m, over, true);
		remark_on_inside(c, &d.inside, ret_remarks);
	}
	r = r < 0 ? r : folder_make(plots, err);
	r = r < 0 ? r : write_data(&d, plots, err);
	r = r < 0 ? r : folder_make(out, err);
	r = r < 0 ? r : draw_all(&d, home, plots, out, later, ret_files, err);
	(void)folder_remove(out, NULL);
	return r;
}
