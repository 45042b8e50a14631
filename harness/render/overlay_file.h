/* SPDX-License-Identifier: Apache-2.0
 *
 * overlay_file.h - a series from elsewhere, to be laid over a run's figures: what Prometheus answers to query_range, or CSV.
 *
 * Values are bytes, times the real world's, ns since 1970. What is read is anybody's: every count is bounded, every error says the place.
 * A value that is not finite, and a silence of more than two and a half of the series' own steps, is a gap. Pure but for the file.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define OVERLAY_SERIES_MAX 6      /* of all files: as many as can be told apart beside the figure's own curves */
#define OVERLAY_POINTS_MAX 100000 /* of a series; query_range itself answers 11 000 at most */

struct err;

struct overlay_point {
	int64_t t_ns;
	double bytes; /* NAN: a gap begins here */
};

struct overlay_series {
	char *name; /* owned: for the legend */
	struct overlay_point *v; /* owned; times strictly ascending */
	size_t n;
};

struct overlays {
	struct overlay_series *v; /* owned */
	size_t n;
};

/* Appends the file's series. spec: "FILE" or "FILE:NAME", where NAME is what the legend calls it. Usage errors: no such file, neither of the two
 * formats, another unit, too many points or series. */
int overlay_file_read(const char *spec, struct overlays *to, struct err *err);
void overlays_done(struct overlays *o);
#define cleanup_overlays __attribute__((cleanup(overlays_done)))

/* For tests: the same from text. name: of the legend, or NULL; path: for errors. text is written over. */
int overlay_text_read(char *text, size_t len, const char *path, const char *name, struct overlays *to, struct err *err);
