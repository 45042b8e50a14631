/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.h - results folders read back: works on any machine, without root, Go or the cgroup it came from.
 *
 * Newer majors of the format are refused. A truncated or damaged series is read as far as it goes and said so in `damage`.
 * Any thread; what is returned belongs to the caller.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "plan/outcome.h"
#include "record/series.h"

struct err;

struct run_series {
	struct sample *samples; /* owned; ascending in time */
	size_t n_samples;
	struct probe *probes; /* owned */
	size_t n_probes;
	struct mark *marks; /* owned */
	size_t n_marks;
	struct told *told; /* owned */
	size_t n_told;
	struct go_row *go; /* owned; none where the runtime was not read, nor in records from before it was */
	size_t n_go;
	struct split_row *splits; /* owned; likewise */
	size_t n_splits;
	char *damage; /* owned; NULL: complete. "samples.tsv.zst ends in the middle, at 3.200 s"; several are joined by "; " */
};

/* Reads the series of one run's folder. Rows, marks or files that are missing or damaged are told in `damage`; an error is a
 * folder that does not exist, a file of a newer format, and one of absurd length. */
int run_series_read(const char *run_dir, struct run_series *ret, struct err *err);
void run_series_done(struct run_series *s);
/* goroutines.json; a new reference. -ENOENT without an error: the run has none. */
int run_goroutines_read(const char *run_dir, json_t **ret, struct err *err);
/* The heap profiles of the run, in the order in which they were written: paths. */
struct strv;
int run_heap_profiles(const char *run_dir, struct strv *ret, struct err *err);
#define cleanup_run_series __attribute__((cleanup(run_series_done)))

struct campaign_run {
	char *dir;          /* owned */
	char *cell_id;      /* owned */
	unsigned repeat;
	json_t *run;          /* owned reference: run.json; NULL: unfinished, or unreadable (then ret_warnings says so) */
	enum outcome outcome; /* OUTCOME_INTERRUPTED where run is NULL */
};

struct campaign {
	char *dir;    /* owned */
	json_t *info; /* owned reference: campaign.json */
	struct campaign_run *runs; /* owned; in the order of campaign.json's cells, then by repeat */
	size_t n_runs;
};

/* Reads campaign.json and every run.json. A single damaged run.json is told in ret_warnings (may be NULL), not an error. */
struct strv;
int campaign_read(const char *dir, struct campaign **ret, struct strv *ret_warnings, struct err *err);
/* NULL-safe. Returns NULL. */
struct campaign *campaign_free(struct campaign *c);
/* Reads every run's series for what is wrong with them now: "<run's folder>: <damage>", a text for each run that has something. */
void campaign_check_series(const struct campaign *c, struct strv *ret_damage);
/* The folder a command means: dir itself if given; else the newest campaign under results_dir, by the time at which it started.
 * What is no campaign is a usage error that says what it is, and what to name instead. Caller frees. */
int campaign_locate(const char *dir_or_null, const char *results_dir, char **ret, struct err *err);

/* Runs of one cell, for bands and medians. */
struct campaign_cell {
	const char *id;                  /* borrowed */
	char *label;                     /* owned: see campaign_cell_label() */
	const json_t *settings;          /* borrowed: {"go": "1.12", "godebug": "default"}; an object always */
	struct campaign_run *const *runs; /* owned array of borrowed runs; ascending by repeat */
	size_t n_runs;                   /* 0: none of them was started */
};
struct campaign_cells {
	struct campaign_cell *v; /* owned */
	size_t n;
};
/* Every cell of campaign.json, in its order. Borrows from c. */
void campaign_cells(const struct campaign *c, struct campaign_cells *ret);
void campaign_cells_done(struct campaign_cells *cells);
/* Not all cells have the same value of it; one that some do not have differs. */
bool campaign_axis_differs(const struct campaign_cells *cells, const char *axis);
/* What tells the cell from the campaign's others: "go=1.12,variant=leaky", without the axes that all have alike. Of a campaign in which
 * none differs: its release, or the id where it has none. The id of a cell that campaign.json does not have. For people; commands take
 * the id. Caller frees. */
char *campaign_cell_label(const struct campaign *c, const char *id);
