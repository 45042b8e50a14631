/* SPDX-License-Identifier: Apache-2.0
 *
 * corpus_rows.h - a corpus folded into one table: a row a scenario and combination of its settings, a column a minor Go release.
 *
 * Private to render/corpus*.c. Patch releases (1.21.3 beside 1.21.4) share the column of their minor, side by side.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "plan/release.h"
#include "plan/scenario.h"
#include "record/corpus.h"

/* What became of the memory; the first that holds, worst last. */
enum fate {
	FATE_RELEASED, /* more than 90 % of what came on top of the baseline was given back */
	FATE_SMALL,    /* it never had a third of what the scenario's largest cell had */
	FATE_PARTLY,   /* more than 10 % was given back */
	FATE_LAZYFREE, /* still resident, but the kernel takes it when it needs it */
	FATE_KEPT,     /* still resident */
	FATE_MOVING,   /* did not settle: grows, or swings */
	FATE_KILLED,   /* some run was killed, or ended by a fatal error */
	FATE_NOT_RUN,  /* the release has no such setting, or could not build it */
	FATE_COUNT_
};

struct corpus_cell {
	struct go_version version;
	enum fate fate;
	char text[16]; /* what is resident at the end above the baseline, in MB: "12", ".5", "1.2k"; a word for what was killed */
	bool failed;   /* an expectation */
	double above_bytes; /* the number behind the text; NAN */
	double peak_above_bytes; /* NAN */
};

struct corpus_column {
	struct corpus_cell *v; /* owned; ascending by version: one, or several patch releases; none: not in the campaign */
	size_t n;
};

struct corpus_row {
	size_t scenario; /* index of the campaign in the corpus */
	enum story story;
	char *setting; /* owned; "" where the scenario has one only */
	struct corpus_column *columns; /* owned; one per minor */
	bool starts_story, starts_scenario;
};

struct corpus_rows {
	const struct corpus *corpus; /* borrowed */
	struct corpus_row *v;        /* owned; by story, in the corpus' order within */
	size_t n;
	int *minors;                 /* owned: of the columns, ascending: those that some scenario has; 0: of programs without Go */
	size_t n_columns;
	size_t cells, failed; /* that were run; of which an expectation failed */
};

void corpus_rows_make(const struct corpus *c, struct corpus_rows *ret);
void corpus_rows_done(struct corpus_rows *r);
#define cleanup_corpus_rows __attribute__((cleanup(corpus_rows_done)))

/* "12", ".5", "1.2k": bytes as MB, four characters at most up to 9999 GB. Returns buf. */
char *format_short_mb(char *buf, size_t n, double bytes);
/* "released", "kept", ...: for legends. */
const char *fate_name(enum fate f);
/* One character for the table. */
char fate_letter(enum fate f);
const char *corpus_story_title(enum story s);
