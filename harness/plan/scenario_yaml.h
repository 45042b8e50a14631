/* SPDX-License-Identifier: Apache-2.0
 *
 * scenario_yaml.h - a scenario's YAML, checked for its form and loaded as text into typed fields.
 *
 * Private to plan/scenario*.c. Two passes, because libcyaml 1.3.1 knows neither keys that the user chooses (axes), nor a
 * value that may be one or a list, nor doubled keys, and forgets positions: libyaml's document is checked and brought into
 * one normal form, with the position of every value kept; libcyaml loads that form. Nothing is converted here: see scenario.c.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct err;

/* Where each value stands in the file, by its place in the tree: "run.for", "axes.go[1]", "expect[0].for.go[0]". */
struct places {
	char *file; /* owned */
	struct place {
		char *path; /* owned */
		size_t line, column;
	} * v; /* owned */
	size_t n;
};

struct raw_list {
	char **v;
	unsigned n;
};

struct raw_axis {
	char *name;
	struct raw_list values;
};

struct raw_expectation {
	struct raw_axis *match;
	unsigned n_match;
	struct raw_axis *versus;
	unsigned n_versus;
	struct raw_list that;
	char *because, *share, *race;
};

struct raw_program {
	char *name, *dir, *package, *cgo;
	struct raw_list command;
};

struct raw_run {
	char *duration, *timeout, *clock, *repeat, *takes, *alone;
};

struct raw_load {
	struct raw_list args, command;
	char *clock;
};

struct raw_ready {
	char *mark, *port;
};

struct raw_act {
	char *at, *what, *amount, *name;
};

/* All owned, all as written; NULL or empty where the file does not say. */
struct raw_scenario {
	char *name, *title, *source, *story, *explain, *limit, *needs;
	struct raw_program program;
	struct raw_list args;
	struct raw_axis *axes;
	unsigned n_axes;
	struct raw_run run;
	struct raw_load load;
	struct raw_ready ready;
	struct raw_act *timeline;
	unsigned n_timeline;
	struct raw_expectation *expect;
	unsigned n_expect;
};

/* file: for messages. text: n bytes. On success both results are the caller's. */
int raw_scenario_load(const char *file, const char *text, size_t n, struct raw_scenario **ret, struct places *ret_places,
		      struct err *err);
void raw_scenario_free(struct raw_scenario *raw);

/* "file:line:column" of a value, or of the nearest one around it that the file has. Caller frees. */
char *places_find(const struct places *p, const char *path);
/* Whether the file has that value at all: `args: []` and no `args` load alike. */
bool places_has(const struct places *p, const char *path);
/* Puts that before err's message. Returns as err_wrap(). */
int places_wrap(const struct places *p, struct err *err, const char *path, ...) __attribute__((format(printf, 3, 4)));
void places_done(struct places *p);
