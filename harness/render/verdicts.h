/* SPDX-License-Identifier: Apache-2.0
 *
 * verdicts.h - expectations for people: those that failed, below a table; or all of them with what was measured.
 */
#pragma once
#include <stdio.h>

struct table_style;
struct verdict;
struct verdicts;

/* How many hold, and each that does not: what was expected, measured, and why it was expected, in lines of so many columns. Nothing where nothing is
 * expected. */
void verdicts_print_failures(FILE *out, const struct verdicts *l, int columns);
/* One of them; before: what stands before the cell. */
void verdict_print_failure(FILE *out, const char *before, const struct verdict *v, int columns);
/* Each condition once, with its reason, and below it a line a cell: verdict, measured (median, range), what it was held against. */
void verdicts_print_all(FILE *out, const struct verdicts *l, const struct table_style *style);
