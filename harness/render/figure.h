/* SPDX-License-Identifier: Apache-2.0
 *
 * figure.h - a campaign's figures: data files and gnuplot scripts in, PNG and SVG out.
 *
 * Writes <dir>/plots/data/... and runs the scripts of HOME/plots, which also work by hand on that folder. gnuplot missing or
 * failing is an error that leaves the results whole and says the one line that draws them later.
 */
#pragma once

struct campaign;
struct strv;
struct err;

/* ret_files: the paths of what was drawn, the comparative grid first. */
int figures_draw(const struct campaign *c, const char *home, struct strv *ret_files, struct err *err);
