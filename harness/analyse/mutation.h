/* SPDX-License-Identifier: Apache-2.0
 *
 * mutation.h - whether expectations notice what they are there for: one cell's expectations held against another one's runs.
 *
 * Two cells are exchanged that differ in their variant alone (leaky, fixed), or that are neighbouring releases with all else the
 * same, where different conditions are expected of them: what the scenario says differs there, unless one is a race by nature. Of
 * each of the two cells at least one expectation must fail then (over its repeats, as its share says); one with `versus` is both
 * cells' own. From a campaign's records alone: nothing is run. Main thread only.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/strv.h"
#include "plan/plan.h"
#include "record/reader.h"

struct err;

enum mutation_kind { MUTATION_VARIANT, MUTATION_RELEASE, MUTATION_KIND_COUNT_ };

struct mutation {
	enum mutation_kind kind;
	char *cell; /* owned: the id of the cell whose expectations are asked */
	char *runs; /* owned: of the one whose runs are taken for its own */
	bool noticed;
	char *held; /* owned: the conditions, "; " between them; "" where nothing is expected of the cell */
};

struct mutations {
	struct mutation *v; /* owned */
	size_t n;
	size_t races; /* exchanges that are not made, because of a race */
};

/* A campaign's cells as its scenario plans them, with the exact releases that they were run with. s: the campaign's own copy
 * (scenario_load_copy); its go axis is replaced. *ret borrows from s. */
int plan_of_campaign(const struct campaign *c, struct scenario *s, struct plan **ret, struct err *err);
/* own_releases: the go axis as the scenario wrote it: releases with others of it between them are no neighbours, run or not. */
void mutations_find(const struct campaign *c, const struct plan *p, const struct strv *own_releases, struct mutations *ret);
void mutations_done(struct mutations *m);
#define cleanup_mutations __attribute__((cleanup(mutations_done)))
