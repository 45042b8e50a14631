/* SPDX-License-Identifier: Apache-2.0
 *
 * tsv.h - the columns of the series files, and a row to text and back. Private to record/.
 *
 * One description serves the writer and the reader. It is walked for every row of the control loop, at 1 000 rows a second and
 * target: numbers are written digit by digit, which costs a quarter of what snprintf() does. Pure; any thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum column_kind {
	COLUMN_TIME,    /* int64_t ns as seconds with 6 decimals; always there */
	COLUMN_SECONDS, /* uint64_t ns as seconds with 6 decimals, or MISSING */
	COLUMN_NUMBER,  /* uint64_t, or MISSING */
};

struct column {
	const char *name, *unit;
	enum column_kind kind;
	size_t offset; /* in the row's struct; every field has 8 bytes */
};

struct table {
	const char *file;             /* "samples.tsv.zst" */
	const char *format;           /* "memtide-samples/1" */
	const struct column *columns; /* the first is the time */
	size_t n_columns, row_size;
	bool optional; /* a run without such a file lacks nothing */
};

extern const struct table table_samples, table_probes, table_go, table_split;

#define TABLE_ROW_MAX     256 /* characters of a row, the line end among them */
#define TABLE_COLUMNS_MAX 64  /* of a file that is read; more are of a hostile one */

/* The `#` lines: format, names, units. Caller frees. */
char *table_header(const struct table *t);
/* Writes the row with its line end, no 0 byte; returns its length. */
size_t table_format_row(const struct table *t, const void *row, char buf[TABLE_ROW_MAX]);

/* Which column of the file is which of the table: a later minor version may have added some. */
struct table_map {
	size_t n;                      /* 0: the line with the names has not come */
	int column[TABLE_COLUMNS_MAX]; /* -1: not one that this reader knows */
};

/* Compares "# NAME/MAJOR" with the format. 0; -EPROTO: another file; -ENOTSUP: a newer major, said in err. path: for err. */
int table_check_format(const char *format, const char *path, const char *line, size_t len, struct err *err);
/* Reads "# t_s ...". false: no time among the columns, or too many. */
bool table_parse_names(const struct table *t, const char *line, size_t len, struct table_map *ret);
/* A line without its end. Columns that the file does not have become MISSING. false: it is not such a row. */
bool table_parse_row(const struct table *t, const struct table_map *map, const char *line, size_t len, void *ret_row);
/* Seconds in decimal, as the files have them: "12.345678", "-0.000004". false: not a time, or out of range. */
bool table_parse_time(const char *text, size_t len, int64_t *ret_ns);
/* "12.345678" without a 0 byte; returns the end. */
char *table_format_time(char *at, int64_t ns);
