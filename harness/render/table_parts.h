/* SPDX-License-Identifier: Apache-2.0
 *
 * table_parts.h - what table.c, table_notes.c and sentences.c share. Private to them.
 */
#pragma once
#include <stdio.h>

#include "render/rows.h"

struct campaign;
struct table_style;

/* A longer table is folded where that makes it shorter. */
#define TABLE_ROWS_MAX 24

/* table_columns.c: a metric's column. */
struct column {
	enum metric metric;
	bool standard; /* in every table in which it says something; else in those whose expectations name the metric */
	const char *head[2];
};

const struct column *table_columns(size_t *ret_n);
/* Not where it is empty, or nought, in every row. */
bool column_says_something(const struct rows *rows, const struct column *c);
/* The median, or the range where runs differ; without ranges the median with "~" before it. "-": missing. Caller frees. */
char *column_text(const struct row *r, const struct column *c, bool ranges);

/* table_fold.c: the rows as they are shown, of those that were run. A folded one has all outcomes and ranges of its releases. */
struct view {
	struct row *v; /* owned; all of a row but its release_text is borrowed */
	size_t n;
	bool folded;
};

/* shown: by metric; rows are alike if these are. full: no folding. */
void view_make(const struct rows *rows, const bool *shown, bool full, struct view *ret);
void view_done(struct view *view);

/* What did not fit into the table: cells not run, failures, runs that ended differently, missing values. */
void table_print_notes(FILE *out, const struct rows *rows, const struct table_style *style);
/* What the campaign's clock did: how much faster than the program's own time it went, and where virtual time ended early.
 * Nothing on the real clock. */
void table_print_clock(FILE *out, const struct campaign *c, const struct table_style *style);
/* It has no mark `dropped`. */
bool row_drops_nothing(const struct row *r);
/* sentences_kept.c: of the rows that drop nothing and settle: "leaky keeps 10001 goroutines and 28 MB above the baseline under every
 * release; fixed 1 and 2 MB." Appends. */
void sentences_of_what_is_kept(const struct rows *rows, struct strv *ret);
/* "51 ms", "<1 ms" and from a second on format_duration()'s text. Returns buf. */
char *time_text(char *buf, size_t n, double seconds);
/* "2 ok, 1 oom-cgroup"; "ok" where all of several agree: "3 ok"; "not run" where nothing ran. Caller frees. */
char *outcomes_text(const struct row *r);
