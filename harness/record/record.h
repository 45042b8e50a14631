/* SPDX-License-Identifier: Apache-2.0
 *
 * record.h - one run's folder, written while the run goes on. FORMAT.md describes every file.
 *
 *     <campaign>/<cell id>/<repeat>/{run.json, samples.tsv.zst, probes.tsv.zst, go.tsv.zst, split.tsv.zst, goroutines.json,
 *                                    heap-<n>-<at>.pb.gz, marks.tsv, values.tsv, stdout, stderr, load-output}
 *
 * run.json is written last: a folder without it is an unfinished run. A write that fails (a full disk) is remembered, what
 * was written before it stays readable, record_close_series() reports it, and room for run.json was set aside before. About
 * 0.9 MB of memory a run, and as much again where its Go runtime is read. Main thread only.
 */
#pragma once
#include <stddef.h>

#include "base/json.h"
#include "record/series.h"

struct err;
struct record;

/* Makes the folder; an unfinished one of an earlier start in its place is emptied first, a finished one is an error. */
int record_create(const char *campaign_dir, const char *cell_id, unsigned repeat, struct record **ret, struct err *err);
const char *record_dir(const struct record *r); /* borrowed */

void record_sample(struct record *r, const struct sample *s);
void record_probe(struct record *r, const struct probe *p);
void record_mark(struct record *r, const struct mark *m);
/* What was read of the Go runtime; the files are made with the first row. */
void record_go(struct record *r, const struct go_row *row);
void record_split(struct record *r, const struct split_row *row);
/* What goroutines.json is to hold from now on, whole; written with the next flush, and at the end. Takes a reference of its own; the
 * caller may add to it. */
#define RECORD_GOROUTINES        "goroutines.json"
#define RECORD_GOROUTINES_FORMAT "memtide-goroutines/1"
void record_goroutines(struct record *r, json_t *all);
/* Where the n-th heap profile of the run (from 1) is to be written. at: a mark's name, "end". Caller frees. */
char *record_heap_profile_path(const struct record *r, unsigned n, const char *at);
void record_told(struct record *r, const struct told *t);
/* Bytes of the target's stdout (stream 1) or stderr (2), or of all that its load prints (3). The first 1 MB of each is kept in
 * the file; of what comes after, the last 64 kB follow a line that says how many bytes were left out. There is no load-output
 * before its first byte. */
void record_output(struct record *r, int stream, const char *data, size_t len);
/* Makes everything so far readable from outside (zstd frame blocks flushed); called about once a second. */
void record_flush(struct record *r);

/* Ends the series files. The first write error of the run, if there was one. */
int record_close_series(struct record *r, struct err *err);
/* Writes run.json (beside, renamed): the run is finished. */
int record_finish(struct record *r, const json_t *run, struct err *err);
/* Frees; without record_finish() the run stays unfinished. NULL-safe. Returns NULL. */
struct record *record_free(struct record *r);
