/* SPDX-License-Identifier: Apache-2.0
 *
 * table.h - a campaign as a table for people, and the sentences that say what it shows.
 *
 * At most 80 columns where the terminal is not wider; colour only where asked for. Runs of one cell are folded: median, or the
 * range where it is wider than 2 % of the peak (times: than a tenth and 0.1 s). Cells that were not run, failures and missing
 * values are told below the table, folded over releases. Writes to `out`, returns nothing: a table is never a reason to fail.
 */
#pragma once
#include <stdbool.h>
#include <stdio.h>

struct campaign;

struct table_style {
	int columns; /* width to fit in; 80 where unknown */
	bool colour;
	bool full; /* a row for each release, also where many rows say the same */
};

void table_print(FILE *out, const struct campaign *c, const struct table_style *style);
/* One or two sentences, from the numbers alone ("Go 1.12 to 1.15 keep ... resident by default: ..."), wrapped to the width. */
void table_print_sentences(FILE *out, const struct campaign *c, const struct table_style *style);
/* Why the memory is there: each setting's mechanism, folded over releases: "leaky: goroutines". Nothing where no run has one. */
void table_print_mechanisms(FILE *out, const struct campaign *c, const struct table_style *style);
/* What each setting keeps at the end, for a figure: "leaky keeps 16 to 18 MB above the baseline under every release; fixed 1 to 2 MB".
 * "" where nothing came so far, or it would take too many words. Caller frees. */
char *headline_of_what_is_kept(const struct campaign *c);
/* stdout's width and whether it wants colour (isatty, NO_COLOR, TERM=dumb). */
struct table_style table_style_for_stdout(void);
