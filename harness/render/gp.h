/* SPDX-License-Identifier: Apache-2.0
 *
 * gp.h - variables and axes for the gnuplot scripts in plots/.
 *
 * Texts stand in single quotes, where gnuplot replaces nothing; a number that is missing (NAN) is NaN. Private to figure*.c. Any thread.
 */
#pragma once
#include <stddef.h>
#include <stdio.h>

void gp_text(FILE *f, const char *name, const char *value);
void gp_number(FILE *f, const char *name, double value);
/* gnuplot has no empty arrays: with n = 0 there is one element that nobody reads. */
void gp_texts(FILE *f, const char *name, char *const *v, size_t n);
void gp_numbers(FILE *f, const char *name, const double *v, size_t n);

/* Units and steps: about three and a half steps make an axis. Bytes and seconds. */
struct gp_axes {
	double t_unit_s, t_step; /* the step in units */
	double y_unit, y_step, y_max;
	const char *t_name, *y_name;
};

/* span_s: of the time axis. top, limit: the highest value and the limit that is drawn; 0: none. */
struct gp_axes gp_axes_find(double span_s, double top, double limit);

/* Composed in memory and put there whole or not at all. */
struct err;
int gp_write(const char *path, void (*put)(FILE *f, const void *of), const void *of, struct err *err);
