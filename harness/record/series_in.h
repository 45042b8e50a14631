/* SPDX-License-Identifier: Apache-2.0
 *
 * series_in.h - one series file read back, as far as it goes. Private to record/.
 *
 * Input may be truncated, damaged or hostile: nothing is believed. Pure but for the file; any thread.
 */
#pragma once
#include <stddef.h>

#include "record/tsv.h"

struct err;
struct mark;
struct told;
struct strv;

/* 55 hours at 1 kHz; more is no run's record but a zstd bomb. */
#define SERIES_ROWS_MAX 200000000

/* Rows of t->row_size bytes, ascending in time; caller frees. No file of an optional table: no rows. What is wrong with the file is appended to damage, in a sentence;
 * an error only for a newer format, more than max_rows rows, or a file that cannot be read. */
int series_in_read(const char *dir, const struct table *t, size_t max_rows, void **ret_rows, size_t *ret_n, struct strv *damage,
		   struct err *err);
/* marks.tsv; as above. */
int marks_in_read(const char *dir, struct mark **ret, size_t *ret_n, struct strv *damage, struct err *err);
/* values.tsv, which is not there where the program told nothing; as above. */
int told_in_read(const char *dir, struct told **ret, size_t *ret_n, struct strv *damage, struct err *err);
