/* SPDX-License-Identifier: Apache-2.0
 *
 * figure_facts.h - the numbers that the figures' words are about, of a cell or of several, and how times and sizes are written there.
 *
 * Private to figure_notes.c and figure_words.c. Times are seconds, sizes bytes; a number and its unit have a blank between them that
 * does not break. The figures give the order, the table the digits.
 */
#pragma once
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

struct figure_cell;

/* Three digits at most: "80 ms", "2.4 s", "3 min", "4.5 min". */
void figure_time(char *buf, size_t n, double s);
/* "0.08 to 0.31 s", "3 to 9 min", "0.5 s to 3 min", "0.1 s" */
void figure_time_range(char *buf, size_t n, double from, double to);
/* "66.8 MB", "16.1 to 18.2 MB" */
void figure_size_range(char *buf, size_t n, double from, double to);

/* Numbers of one cell, or the range over a group of them: from INFINITY to -INFINITY where none has one. share: of what was dropped. */
struct figure_facts {
	double first_from, first_to, release_from, release_to, stays_from, stays_to, lazy_from, lazy_to, share_from, share_to;
	bool stays; /* a good part remains */
	bool grows; /* all do, where they do not settle */
};

#define FIGURE_FACTS_INIT                                                                                                           \
	{                                                                                                                           \
		INFINITY, -INFINITY, INFINITY, -INFINITY, INFINITY, -INFINITY, INFINITY, -INFINITY, INFINITY, -INFINITY, false, true \
	}

/* NAN widens nothing. */
void figure_widen(double *from, double *to, double v);
void figure_facts_add(struct figure_facts *f, const struct figure_cell *c);
