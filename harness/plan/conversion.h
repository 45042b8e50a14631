/* SPDX-License-Identifier: Apache-2.0
 *
 * conversion.h - the steps from a scenario's text to a struct scenario.
 *
 * Private to scenario*.c. A step reads c->raw, fills its part of c->s, and tells what is wrong with the position in the file.
 */
#pragma once
#include "base/strv.h"
#include "plan/scenario.h"
#include "plan/scenario_yaml.h"

/* What the conversion reads and writes; nothing of it is kept. */
struct conversion {
	const struct raw_scenario *raw;
	const struct places *places;
	const char *home;
	struct scenario *s;
	struct err *err;
	bool is_copy; /* a campaign's: its file is not called as it is */
};

/* scenario_program.c: the program and its args. */
int convert_program(struct conversion *c);
/* scenario_program.c: a command that stands at `path` in the file; its first word a name in PATH, or made absolute. */
int convert_words(struct conversion *c, const struct raw_list *raw, const char *path, struct strv *ret);
/* scenario_run.c: run, load and ready; after the program. */
int convert_run(struct conversion *c);
/* scenario_versus.c: of the expectation of that index, after its `for` and its conditions. */
int convert_versus(struct conversion *c, struct expectation *e, unsigned index);
/* scenario.c: "the scenario has no axis 'x': its axes are ...", with the position of the path. Returns as err_wrap(). */
int unknown_axis(struct conversion *c, const char *name, const char *path, ...) __attribute__((format(printf, 3, 4)));
/* timeline.c: after all that the acts depend on: run, limit, axes. */
int convert_timeline(struct conversion *c);
