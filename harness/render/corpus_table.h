/* SPDX-License-Identifier: Apache-2.0
 *
 * corpus_table.h - a corpus for people: a table of letters in 80 columns, and one picture of all scenarios and releases.
 */
#pragma once
#include <stdio.h>

struct corpus;
struct strv;
struct err;

/* Scenario x release, by story; one letter a cell, '!' behind it where an expectation failed. Legend below. */
void corpus_table_print(FILE *out, const struct corpus *c);
/* The expectations that failed, or that all hold. Returns how many failed. */
size_t corpus_failures_print(FILE *out, const struct corpus *c);
/* Writes DIR/plots/data/corpus.gp and cells.tsv, and draws them by HOME/plots/corpus.gp: DIR/plots/corpus.png and .svg. ret_files:
 * their paths. As figures_draw(): a failure leaves the results whole. */
int corpus_figure_draw(const struct corpus *c, const char *home, struct strv *ret_files, struct err *err);
