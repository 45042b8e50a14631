/* SPDX-License-Identifier: Apache-2.0
 *
 * rows.h - a campaign folded into one row a cell, and lists of releases as people write them.
 *
 * Private to table.c, table_notes.c and sentences.c. What is borrowed is the campaign's and must outlive the rows.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/strv.h"
#include "plan/metric.h"
#include "record/reader.h"

enum row_value { ROW_PEAK, ROW_SETTLED, ROW_RELEASE, ROW_LAZYFREE, ROW_WORKING_SET, ROW_BASELINE, ROW_SHARE, ROW_VALUE_COUNT_ };

/* One metric over the repeats of a cell. */
struct folded {
	size_t n; /* runs that have it; 0: missing, and the numbers mean nothing */
	double median, min, max;
	const char *why; /* borrowed: why the first run that lacks it does; NULL: none lacks it, or nobody said */
};

/* Makes the range reach over another one's too; n counts how many it was made of. */
void folded_widen(struct folded *f, const struct folded *with);

/* What a cell does with dropped memory; the first that holds. */
enum conduct {
	CONDUCT_NONE,     /* not run */
	CONDUCT_OOM,      /* some run was killed for memory, or Go gave up */
	CONDUCT_FAILED,   /* some run ended otherwise than planned */
	CONDUCT_LAZYFREE, /* settled at 90 % of the peak or more, half of the peak or more lazily freed */
	CONDUCT_RELEASED, /* more than 90 % of what came on top of the baseline was given back */
	CONDUCT_PARTLY,   /* more than 10 % was */
	CONDUCT_HELD,     /* less, and not lazily freed */
	CONDUCT_MOVING,   /* did not settle */
	CONDUCT_OTHER,    /* dropped nothing, or the numbers do not tell */
	CONDUCT_COUNT_
};

struct row {
	const struct campaign_cell *cell;
	size_t release;     /* index in rows.releases */
	char *release_text; /* owned: for the table: "1.12.17"; "" without a go axis */
	char *setting;      /* owned: the axes that differ between cells, without go: "madvdontneed=1", "default"; "" for none */
	bool is_default;    /* of these axes every one is `default` (or there is none) */
	bool applicable;
	const char *why_not;               /* borrowed; NULL: applicable */
	unsigned outcomes[OUTCOME_COUNT_]; /* of the runs */
	struct folded v[ROW_VALUE_COUNT_];
	struct folded all[METRIC_COUNT_];  /* lists apart: they have n 0 */
	enum conduct conduct;
};

struct rows {
	struct campaign_cells cells;
	struct row *v; /* owned; in the campaign's order */
	size_t n;
	struct strv releases; /* as the cells name them, ascending: "1.11", "1.12" */
	struct strv settings; /* in order of appearance */
	bool named[METRIC_COUNT_]; /* some expectation is about this metric */
	char *constant;       /* owned: what all cells have in common and is not default: "godebug=madvdontneed=1"; "" */
};

void rows_make(const struct campaign *c, struct rows *ret);
void rows_done(struct rows *r);
#define cleanup_rows __attribute__((cleanup(rows_done)))

/* A set of releases, one flag each, as text: "1.11, 1.12 to 1.15 and 1.20". Consecutive means: among those of the campaign.
 * *ret_n: how many there are (may be NULL). Caller frees. */
char *rows_release_list(const struct rows *r, const bool *in, size_t *ret_n);

/* The text with the row's "Go 1.12.17" replaced, so that reasons that differ by it alone are the same. Caller frees. */
char *row_without_version(const struct row *row, const char *text, const char *instead);
