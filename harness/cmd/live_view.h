/* SPDX-License-Identifier: Apache-2.0
 *
 * live_view.h - one frame of the live view, as text for a terminal of any size. Pure: facts in, text out.
 *
 * Whatever comes from the process (its name, names of functions) is shown without what a terminal would obey. At 80 by 24 all of it fits;
 * a smaller terminal loses the curve's height first, then origins and parts, a line at a time. Any thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "gostate/readings.h"

#define LIVE_ORIGINS_MAX 8

struct live_style {
	unsigned columns, rows;
	bool coloured, utf8;
};

struct live_origin {
	char text[256];    /* "main.newReader main.go:31, chan receive" */
	uint64_t count;
	double per_s;      /* NAN: not known */
};

struct live_point {
	double t_s;
	uint64_t rss_bytes, heap_bytes; /* GO_UNKNOWN: not read */
};

struct live_view {
	const char *who;     /* "server (pid 1234)"; safe to show */
	const char *version; /* "go1.21.3"; "" */
	double watched_s;
	const struct live_point *points; /* ascending */
	size_t n_points;
	uint64_t rss_bytes, peak_bytes, usage_bytes, threads; /* GO_UNKNOWN: not read */
	bool has_split, has_counters;
	struct rss_split split;
	struct go_counters counters;
	double gc_per_s, goroutines_per_s, rss_per_s; /* over the last while; NAN: not known */
	struct live_origin origins[LIVE_ORIGINS_MAX];
	size_t n_origins;
	const char *verdict; /* NULL: none yet */
	const char *note;    /* why something is not shown, or that it has ended; NULL */
};

/* A frame from the top left corner on, at most style->rows lines, each cut at the last column (numbers are never cut: what has no room is left out) and wiped behind; no line's end after the
 * last. */
void live_view_print(const struct live_view *v, const struct live_style *style, FILE *f);
/* The same facts once, in lines of so many columns, for where the view has been left. */
void live_view_summarise(const struct live_view *v, int columns, FILE *f);
