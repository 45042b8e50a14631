/* SPDX-License-Identifier: Apache-2.0
 *
 * scenario.h - one question, read from YAML and validated to the last key.
 *
 * Everything that can be wrong with a scenario without running it is found here, and told as "file:line:column: what, and how
 * to mend it" (a usage error). Values arrive as text and are converted by base/units, because libcyaml 1.3.1 reads `64MB` as
 * the number 64. What a scenario leaves out has the default that the field's comment names.
 *
 * A scenario is read-only after scenario_load(). Not thread-safe while loading; free to share afterwards.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strv.h"
#include "plan/mechanism_list.h"
#include "plan/metric.h"
#include "plan/outcome.h"
#include "plan/timeline.h"

struct err;

enum program_kind {
	PROGRAM_BUNDLED, /* program: NAME                 a directory in goprogs/ */
	PROGRAM_MODULE,  /* program: {dir: D, package: P} the user's own Go module; D relative to the scenario's file */
	PROGRAM_COMMAND, /* program: {command: [...]}     anything at all; no Go toolchain, no `go` axis; paths as D */
};

/* As run.json writes it: "bundled", "module", "command". */
const char *program_kind_name(enum program_kind kind);

struct program {
	enum program_kind kind;
	char *name;          /* owned: bundled name; else the last element of dir or command[0]: for people */
	char *dir;           /* owned, absolute: the sources (HOME/goprogs/NAME for a bundled one); NULL for a command */
	char *package;       /* owned: "./cmd/server", "." by default; "./NAME" for a bundled one */
	struct strv command; /* PROGRAM_COMMAND only; command[0] is a name in PATH, or absolute */
	bool cgo;            /* program: {..., cgo: true}; a bundled program says so by a file named CGO in its directory */
};

struct axis {
	char *name;         /* owned: go, go_line, godebug, env, variant, limit, madv_free, thp */
	struct strv values; /* as written (a comma-separated list of `go` in its elements); never empty, no doubles */
	struct strv places; /* "file:line:column" of each value; empty for an axis from the command line or by default */
};

enum compare { CMP_LT, CMP_LE, CMP_GT, CMP_GE, CMP_EQ };
/* "<", ...; -1: compares nothing. */
const char *compare_name(enum compare c);
int compare_from_name(const char *name);

/* One condition: "released_share < 0.05", "lazyfree_settled_bytes > 0.9 * peak_rss_bytes", "peak_rss_bytes < 900MB",
 * "first_fall_s > 2min" (or > 120), "threads_peak <= 20", "slope_bytes_per_s < 10kB/s"; or on how the run ended:
 * "outcome == go-fatal"; or on why its memory is there: "mechanism == goroutines", "mechanism == lazyfree|released" (one of
 * them), "mechanism != native". */
struct condition {
	char *text; /* owned: as written */
	bool on_outcome, on_mechanism;
	enum outcome outcome; /* with on_outcome */
	unsigned mechanisms;  /* with on_mechanism: 1 << each that fulfils it; the rest is without either */
	enum metric metric;
	enum compare compare;
	double factor; /* the number, in the metric's unit (bytes, seconds, ...), or the multiple of `other` */
	int other;     /* enum metric, or -1 */
};

struct match {
	char *axis;         /* owned */
	struct strv values; /* as written; for `go` also a range: "1.12..1.15", which holds for 1.12.17 too; "1.16..latest" */
};

struct expectation {
	struct match *match; /* owned; empty: every cell */
	size_t n_match;
	struct match *versus; /* owned; one value each: the metric on the right of each condition is that of the cell that differs in these
			       * settings only; empty: the run's own */
	size_t n_versus;
	struct condition *conditions; /* owned; never empty */
	size_t n_conditions;
	char *because; /* owned */
	char *place;   /* owned: "file:line:column" */
	bool race;     /* what it is about is a race by nature: it holds for each of its ends, and cannot tell them from another cell's */
	double share;  /* of the repeats in which it must hold; 1 by default */
};

/* What the target's clock is: the machine's, or one that skips the time in which every thread of the run sleeps (run/clock.h). */
enum clock_kind { CLOCK_KIND_REAL, CLOCK_KIND_VIRTUAL };

/* A process that puts the program under load, outside its cgroup. At most one of args and command is given. */
struct load {
	bool given;
	bool clock_given;     /* `clock` is the scenario's own word, not the default */
	struct strv args;     /* load: {args: [...]}     the cell's own program with these arguments: client and server in one */
	struct strv command;  /* load: {command: [...]}  anything; command[0] as in struct program */
	enum clock_kind clock; /* load: {clock: real}    left out of the run's virtual clock; default: the run's own */
};

/* When the program is ready for its load. Both empty: from its exec on. */
struct ready {
	char *mark; /* owned: ready: {mark: NAME}    the program's own mark */
	bool port;  /* ready: {port: true}           it listens on the run's own port, {port} in args and load */
};

/* What a bundled scenario tells a story of: `memtide list` and the corpus are in this order. */
enum story {
	STORY_IDLE_MEMORY,
	STORY_LEAKS,
	STORY_NATIVE_MEMORY,
	STORY_UNDER_PRESSURE,
	STORY_SETTINGS,
	STORY_HISTORY,
	STORY_NONE, /* the scenario does not say */
	STORY_COUNT_
};

struct scenario {
	char *path;    /* owned: the file it was read from */
	char *text;    /* owned: its whole text, for the record */
	char *name;    /* equals the file's name without .yaml */
	char *title;   /* one line, a question */
	char *source;  /* NULL: none named */
	char *explain; /* what the curves show, in two sentences; NULL: not said */
	enum story story;
	struct program program;
	struct strv args;
	struct axis *axes; /* owned; in the order of the file; a program that is built always has `go` (default: local) */
	size_t n_axes;
	uint64_t limit_bytes; /* 0: none; default 1 GB */
	uint64_t needs_bytes; /* what one run occupies at most; default: the limit, or 1 GB where there is none */
	bool needs_given;     /* needs_bytes is the scenario's own word, not the default */
	int64_t for_ns;       /* how long a run is observed from exec; then the supervisor ends it. 0: until it exits by itself, or
			       * its load has ended */
	int64_t timeout_ns;   /* where for_ns is 0: a run that has not ended by then is a `timeout`; default 10 min */
	enum clock_kind clock; /* default: virtual where the scenario is closed in itself: a bundled program, and no load that
				* lives in real time; else real */
	bool clock_strict;     /* `virtual!`: where virtual time cannot be kept the run is a harness-error, not one in real time */
	struct load load;
	struct ready ready;
	struct timeline timeline;
	unsigned repeat;      /* default 1, at most 1000 */
	bool alone;           /* nothing runs beside it: its speed is measured */
	double takes_s;       /* real time that one run takes, about: for estimates before one has been made; 0: not said */
	struct expectation *expect; /* owned */
	size_t n_expect;
};

/* home: base/file.h's home_folder(), where bundled programs are. */
int scenario_load(const char *path, const char *home, struct scenario **ret, struct err *err);
/* The copy that a campaign keeps, whatever its file's name. What it says of other files (program: {dir: ...}) is as seen from there. */
int scenario_load_copy(const char *path, const char *home, struct scenario **ret, struct err *err);
/* A name in HOME/scenarios, or a path (with a slash, or ending in .yaml). An unknown name: the nearest one is suggested. */
int scenario_find(const char *name_or_path, const char *home, struct scenario **ret, struct err *err);
/* A name that a scenario may have: the prefix, and 40 bytes of the text at most, capitals made small, and what no name has made "-".
 * Caller frees. */
char *scenario_name_of(const char *prefix, const char *text);
/* Paths of all bundled scenarios, sorted. */
int scenario_list(const char *home, struct strv *ret_paths, struct err *err);
/* Adds the axis or replaces its values, as --set AXIS=V,V does. Same checks as in a file, but doubles in `go` are only dropped,
 * and an expectation whose `for` no cell matches any more is no error: it has nothing to say then. */
int scenario_set_axis(struct scenario *s, const char *axis, const struct strv *values, struct err *err);
/* "real", "virtual" or "virtual!", as --clock gives it. A load that the scenario puts on the other clock is a usage error. */
int scenario_set_clock(struct scenario *s, const char *clock, struct err *err);
/* "idle memory", ...; NULL for STORY_NONE. */
const char *story_name(enum story story);
/* `real` or `virtual`, as files and people name it. */
const char *clock_kind_name(enum clock_kind kind);
const struct axis *scenario_axis(const struct scenario *s, const char *name);
struct scenario *scenario_free(struct scenario *s);

static inline void cleanup_scenariop(struct scenario **s)
{
	scenario_free(*s);
}
#define cleanup_scenario __attribute__((cleanup(cleanup_scenariop)))
