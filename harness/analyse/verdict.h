/* SPDX-License-Identifier: Apache-2.0
 *
 * verdict.h - what became of a campaign's expectations: one verdict a condition and cell, over all repeats.
 *
 * From the results folder alone: what each run said of itself (run.json `expectations`), and what is held against another cell
 * (campaign.json `versus`), whose right side is a median over that cell's runs. Pure; what is borrowed is the campaign's and the
 * cells', which must outlive the verdicts.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/strv.h"
#include "record/reader.h"

struct verdict {
	const struct campaign_cell *cell;
	const struct campaign_cell *other; /* what it is held against; NULL: no other cell */
	const char *that, *because;        /* borrowed; because: NULL where the scenario does not say */
	double share;                      /* of the runs in which it must hold */
	size_t runs, held;
	size_t n; /* runs that have the number; 0: none, or it is a condition on words, or missing; then these mean nothing */
	double median, min, max;
	double other_median; /* with other; NAN: missing there */
	struct strv words;   /* of a condition on words: each that was measured, once */
	/* The first run in which it does not hold; else the first of all. Owned references; null: missing. */
	json_t *measured, *limit;
	char *why; /* owned: why there is no answer; NULL: there is one */
	double *values; /* owned: the n numbers, ascending */
};

struct verdicts {
	struct verdict *v; /* owned; by cell, in the order of the scenario, those with `other` last */
	size_t n;
};

void verdicts_make(const struct campaign *c, const struct campaign_cells *cells, struct verdicts *ret);
void verdicts_done(struct verdicts *l);
#define cleanup_verdicts __attribute__((cleanup(verdicts_done)))
bool verdict_failed(const struct verdict *v);
size_t verdicts_failed(const struct verdicts *l);
/* New reference: an array as FORMAT.md describes `verdicts`. */
json_t *verdicts_json(const struct verdicts *l);
