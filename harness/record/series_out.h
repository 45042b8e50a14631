/* SPDX-License-Identifier: Apache-2.0
 *
 * series_out.h - rows of one table into a zstd frame, as they come. Private to record/.
 *
 * One frame a file, its blocks closed at each flush: whatever happens afterwards, rows up to the last flush can be read.
 * About 400 kB of memory each. One thread at a time.
 */
#pragma once
#include <zstd.h>

#include "record/outfile.h"
#include "record/tsv.h"

#define SERIES_TEXT_MAX 16384

struct series_out {
	const struct table *table;
	struct outfile file;
	ZSTD_CCtx *zstd; /* owned */
	size_t n_text;
	char text[SERIES_TEXT_MAX]; /* rows not yet handed to zstd */
};

/* Opens the file and writes the header through to it. */
void series_out_open(struct series_out *s, const char *dir, const struct table *t);
void series_out_row(struct series_out *s, const void *row);
void series_out_flush(struct series_out *s);
/* Ends the frame and closes the file; the error is in s->file. */
void series_out_close(struct series_out *s);
void series_out_done(struct series_out *s);
