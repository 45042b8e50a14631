/* SPDX-License-Identifier: Apache-2.0
 *
 * figure_parts.h - how the figure's files share one model: campaign -> panels x settings -> curves, words, groups -> data files.
 *
 * Private to figure*.c. A panel is a Go release (or, where a campaign has no `go` axis, a value of its first axis); a setting is
 * a combination of all other axes that differ between cells. Where there are more settings than colours, one of these axes is told by the
 * panels too (part_axis): a panel then is a release and a variant. Sizes are bytes; NAN and MISSING where unknown. Times are the figure's, in seconds from its
 * left edge: runs are laid over each other by their mark `dropped` where they have one and no timeline, because a load that took longer in one
 * run than in another would blur the fall that the figure is about; else by their exec.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyse/curve.h"
#include "base/strv.h"
#include "record/reader.h"
#include "render/figure.h"

/* As many colours as can be told apart; settings beyond are left out, and the subtitle says so. */
#define FIGURE_SETTINGS_MAX 8
/* Of an overlay; where variants have the colours, several groups may have one. */
#define FIGURE_GROUPS_MAX   12
#define FIGURE_MARKS_MAX    8
/* Keeps a number and its unit on one line. */
#define NBSP "\u00a0"
/* Points that a run's curve is reduced to for drawing: about two spans of time to the pixel in the widest figure. */
#define FIGURE_POINTS 2400

struct err;

/* What became of a cell: decides the words and the headline. */
enum behaviour {
	BEHAVIOUR_NONE,   /* not run, not applicable, or no data */
	BEHAVIOUR_FAILED, /* ended otherwise than it should; may have a curve all the same */
	BEHAVIOUR_HELD,   /* less than 5 % was given back */
	BEHAVIOUR_FALLS,  /* 5 % or more was */
	BEHAVIOUR_MOVING, /* has not settled */
	BEHAVIOUR_KEPT,   /* dropped nothing that could be given back (or nothing tells how much): what is resident at the end counts */
	BEHAVIOUR_COUNT_
};

struct figure_cell {
	const struct campaign_cell *cell; /* NULL: the campaign has no such combination */
	const char *why_not;              /* borrowed; NULL: applicable */
	enum outcome outcome;             /* of the first run that is not OUTCOME_OK, else OUTCOME_OK */
	size_t n_failed;                  /* runs that are not */
	enum behaviour behaviour;
	bool drops;        /* a run has the mark `dropped` */
	struct band rss, lazyfree; /* owned; without points where there is no curve */
	/* Medians over the repeats; NAN: missing */
	double peak, settled, baseline, share, first_fall_s, release_s, lazyfree_settled;
	double release_worst_s; /* of the slowest repeat */
	bool grows; /* at the end, to more than ever before */
	bool shows_lazyfree;
	bool cross;                    /* a run ended before its time, here: */
	double cross_s, cross_after_s; /* the latter from exec */
	uint64_t cross_bytes;
	char *note; /* owned: a word or two on what happened; "" */
	char *panel_note; /* owned: the same above its panel, where curves that lie upon each other share one, with their names */
	int group;  /* of the overlay, from 1; 0: not in it */
	/* Of the curves of a panel that lie upon each other: how many lie below this one, and how many they are; 0 and 1: it is alone.
	 * heap: a number that they share, 0 where it is alone. */
	int layer, layers, heap;
};

struct figure_group {
	char *name; /* owned */
	char *note; /* owned */
	double end_s;
	double end_bytes;
	double fall_s;           /* for the order of those that end alike */
	size_t setting;          /* of its first member, of all where the figure is by variant */
	double tag_s, tag_bytes; /* where on its curve its number can stand beside the others'; NAN: nowhere */
};

struct figure_model {
	const struct campaign *campaign;
	struct campaign_cells cells;
	bool real_clock;
	char *panel_axis;         /* owned; "" where the campaign has no axis */
	char *part_axis;          /* owned; "" for none */
	struct strv panel_key;    /* the axis' values, and those of part_axis; part after part */
	struct strv panel_part;   /* what that one's value is called; "" without */
	struct strv panel_name;   /* "Go 1.12", "Go 1.12, leaky" */
	struct strv panel_short;  /* "1.12", for lists */
	struct strv panel_detail; /* "1.12.17", or "" */
	struct strv setting_key;
	struct strv setting_name; /* "default settings", "GODEBUG=madvdontneed=1" */
	size_t settings_left_out;
	char *everywhere;         /* owned: what all cells have, and is not default: "thp never"; "" */
	int *setting_hue; /* owned: colours of the scripts' palette, from 1 */
	bool by_variant;  /* the settings differ by the axis `variant`: what differs is told by it, and each has its colour everywhere */
	bool keeps;       /* that, or nothing is dropped: what is resident at the end counts, not what was given back */
	struct figure_cell *cell; /* owned: panel-major, panel_key.n x setting_key.n */
	unsigned repeats;
	bool aligned;                /* by the mark `dropped` */
	double zero_s;               /* the figure's time of that mark, in all runs; 0 where not aligned */
	double span_s, y_max;        /* the figure's length; the highest value in the data */
	uint64_t limit_bytes;        /* of all cells; 0: none, or not the same for all */
	uint64_t *panel_limit_bytes; /* owned: of all cells of a panel, likewise */
	struct strv mark_name;
	bool mark_act[FIGURE_MARKS_MAX];       /* one of the supervisor's acts upon a run, not a phase */
	double *mark_t_s;                      /* owned: panel-major, panels x marks; NAN where a panel has none */
	double mark_shared_s[FIGURE_MARKS_MAX]; /* where all runs have it at about the same time; else NAN */
	struct figure_group group[FIGURE_GROUPS_MAX];
	size_t n_groups;
	char *title, *heatmap_subtitle, *subtitle, *source; /* owned */
};

/* c: borrowed. All of the below in their order; figure_model_done() in any case. */
int figure_model_make(struct figure_model *m, const struct campaign *c, struct err *err);
void figure_model_done(struct figure_model *m);
#define cleanup_figure_model __attribute__((cleanup(figure_model_done)))

/* figure_curve.c: the runs of a cell as one curve with its band; marks as medians. A run that cannot be read is left out. */
void figure_curves_read(struct figure_model *m);
/* figure_group.c */
void figure_groups_form(struct figure_model *m);
/* Which curves of a panel lie upon each other */
void figure_heaps_find(struct figure_model *m);
/* figure_notes.c */
char *figure_note(const struct figure_model *m, const struct figure_cell *c);
/* Above the panels; after the cells' own. */
void figure_panel_notes_find(struct figure_model *m);
/* One note for cells that run alike, with ranges where they differ. */
char *figure_note_of_group(const struct figure_model *m, int group);
/* The words in the middle of a panel without any curve, "" for one with; and in a cell of the heat map. Caller frees. */
char *figure_panel_says(const struct figure_model *m, size_t panel);
char *figure_heat_text(const struct figure_model *m, const struct figure_cell *c);
char *figure_heat_sub(const struct figure_model *m, const struct figure_cell *c);
/* "OOM-killed" */
const char *figure_failure(enum outcome o);
/* figure_words.c */
void figure_words_find(struct figure_model *m);
/* "1.11, 1.16 to 1.27" of the panels marked; caller frees. */
char *figure_panel_list(const struct figure_model *m, const bool *in);
/* "6.18" of the campaign's kernel. Caller frees. */
char *figure_kernel(const struct figure_model *m);
/* "limit 1 GB", "" for 0; caller frees. */
char *figure_limit_name(uint64_t limit_bytes);
/* figure_facts.c: "202 MB" with a blank that does not break. */
void figure_size(char *buf, size_t n, double bytes);

/* figure.c: HOME/plots/NAME.gp with the folders as its arguments; later: the command that draws it later. */
int figure_script_run(const char *home, const char *name, const char *plots, const char *out, const char *later, struct err *err);
/* figure_data.c: writes <dir>/figure.gp and <dir>/curve-*.tsv; the folder exists. over: NULL for none. */
int figure_data_write(const struct figure_model *m, const struct figure_overlays *over, const char *dir, struct err *err);
/* figure_curve.c: what is added to the run's time to make it the figure's, in which the left edge is 0 */
double figure_shift(const struct figure_model *m, const json_t *run);

static inline struct figure_cell *figure_cell_at(const struct figure_model *m, size_t panel, size_t setting)
{
	return &m->cell[panel * m->setting_key.n + setting];
}
