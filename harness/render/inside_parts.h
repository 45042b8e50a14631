/* SPDX-License-Identifier: Apache-2.0
 *
 * inside_parts.h - the figures that look into single runs: what RSS consists of (inside.png), and what four monitors show (numbers.png).
 *
 * Private to figure*.c and inside*.c. One run of a cell stands for it; cells that run alike stand in one panel; at most INSIDE_PANELS_MAX panels.
 * Times are the target's, in seconds since its exec; sizes bytes; NAN where unknown.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyse/curve.h"
#include "analyse/stack.h"
#include "record/notes.h"
#include "render/figure_parts.h"

#define INSIDE_PANELS_MAX  12
#define INSIDE_SINGLES_MAX 4   /* so few cells have a figure of their own each, too */
#define INSIDE_MARKS_MAX   24  /* of a panel */
#define INSIDE_TICKS_MAX   200 /* of collections; of more every nth is drawn */
/* Areas of the stack: the parts, then what is too small to be seen */
#define INSIDE_OTHER  RSS_PART_COUNT_
#define INSIDE_SLOTS  (RSS_PART_COUNT_ + 1)
#define INSIDE_LINES  4 /* RSS, usage, working set, heap in use */

struct inside_mark {
	double t_s;
	char *text; /* owned */
	enum { MARK_PHASE, MARK_ACT, MARK_NOTE } kind;
};

struct inside_panel {
	const struct campaign_run *run; /* borrowed: the one drawn */
	size_t panel, setting;          /* of the model, where it is */
	bool *in;                       /* owned: the model's panels for which it stands, all of that setting */
	size_t n_in;
	struct stack stack;
	struct curve line[INSIDE_LINES]; /* reduced for drawing; the first is RSS */
	double *gc_s, *exact_s;          /* owned */
	size_t n_gc, n_gc_all, n_exact;
	struct inside_mark mark[INSIDE_MARKS_MAX];
	size_t n_marks;
	double end_s, peak, part_peak[RSS_PART_COUNT_];
	struct stack_point last; /* the parts at the end; valid: has_last */
	bool has_last;
	uint64_t last_rss;
	bool white; /* RSS was above the parts for a while, so that it shows */
	char *name, *detail, *setting_name, *title, *note; /* owned */
};

struct inside {
	const struct figure_model *m;
	const struct figure_overlays *over; /* NULL: none */
	bool lines;                         /* numbers.png: lines instead of areas */
	struct inside_panel *v;             /* owned; ordered by setting, then by the model's panel */
	size_t n, n_cells, left_out;
	char *title, *subtitle;             /* owned; of the grid */
};

/* A campaign's panels, folded and with their words; n is 0 where no run has what the figure needs. */
void inside_make(struct inside *in, const struct figure_model *m, const struct figure_overlays *over, bool lines);
void inside_done(struct inside *in);

/* inside_fold.c: puts alike neighbours together until at most `most` are left. */
void inside_fold(struct inside *in, size_t most);
/* inside_words.c */
void inside_words_find(struct inside *in);
const char *inside_part_name(size_t slot);
const char *inside_line_name(size_t line);
/* Which slot each part is drawn in, in a figure of these panels: its own, native's or INSIDE_OTHER. */
void inside_slots_find(const struct inside_panel *v, size_t n, size_t ret[RSS_PART_COUNT_]);
/* inside_data.c: <dir>/inside.gp (or numbers.gp) and a file a panel. */
int inside_data_write(const struct inside *in, const char *dir, struct err *err);
/* Names of the pictures that the script draws, "inside.png" first. */
void inside_pictures(const struct inside *in, struct strv *ret);
