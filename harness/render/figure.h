/* SPDX-License-Identifier: Apache-2.0
 *
 * figure.h - a campaign's figures: data files and gnuplot scripts in, PNG and SVG out.
 *
 * Writes <dir>/plots/data/... and runs the scripts of HOME/plots, which also work by hand on that folder. gnuplot missing or
 * failing is an error that leaves the results whole and says the one line that draws them later.
 */
#pragma once
#include <stdint.h>

#include "render/overlay_file.h"

struct campaign;
struct campaign_run;
struct strv;
struct err;

/* Series from elsewhere that are laid over one run. */
struct figure_overlays {
	const struct overlays *series;  /* borrowed */
	const struct campaign_run *run; /* borrowed */
	int64_t zero_ns;                /* the real world's time of the run's exec */
};

/* How high the figure must be for them, at least `top`. One that would press all else flat (beyond 2.5 times that) leaves it. */
double figure_overlay_top(const struct figure_overlays *over, double top);

/* Of the legend; of a series that leaves a figure as high as that, how far. */
void figure_overlay_names(const struct figure_overlays *over, double top, struct strv *ret);

/* over: NULL for none. ret_files: the paths of what was drawn, the comparative grid first. ret_remarks (may be NULL): sentences on what could not
 * be drawn, and why. */
int figures_draw(const struct campaign *c, const char *home, const struct figure_overlays *over, struct strv *ret_files,
		 struct strv *ret_remarks, struct err *err);
