/* SPDX-License-Identifier: Apache-2.0
 *
 * plan.h - a scenario's axes crossed into cells, and the order of the runs.
 *
 * A cell that its release cannot express is kept, with the reason, and not run: the release does not know the GODEBUG name or
 * the environment variable, cannot build with the go line, or the setting only repeats what the release does by default
 * (madvdontneed=1 from 1.16 on), so that the cell `default` is the same measurement.
 * Order: repeats interleaved. All cells once in an order drawn from the seed, then all again in another, and so on, so that a
 * drift of the machine hits every cell alike. Pure; the plan is read-only afterwards and may be shared.
 */
#pragma once
#include "plan/golist.h"
#include "plan/scenario.h"

struct setting {
	char *axis;  /* owned */
	char *value; /* owned: as the scenario writes it; for `go` the spec's text */
};

struct cell {
	char *id; /* owned: "go=1.12,godebug=madvdontneed=1"; a folder name: '/' and blanks become '_' */
	struct setting *settings; /* owned; in the order of the axes */
	size_t n_settings;
	const struct go_spec *go; /* borrowed from the plan; NULL for a command */
	const char *godebug;      /* borrowed; NULL: GODEBUG is not set ("default") */
	const char *go_line;      /* borrowed; NULL: the toolchain's own two-component line ("default") */
	const char *variant;      /* borrowed; NULL: the program's default */
	struct strv env;          /* "K=V" of the env axis, GODEBUG not among them */
	bool madv_free_refused;   /* as by a kernel before 4.5 */
	bool thp_never;           /* no huge pages, whatever the machine's setting */
	uint64_t limit_bytes;     /* 0: none */
	uint64_t needs_bytes;     /* for the queue */
	char *why_not;            /* owned; NULL: applicable */
};

struct planned_run {
	size_t cell;
	unsigned repeat; /* from 1 */
};

struct plan {
	const struct scenario *scenario; /* borrowed */
	struct go_specs go;
	struct cell *cells; /* owned */
	size_t n_cells;
	struct planned_run *order; /* owned; applicable cells only */
	size_t n_order;
	uint64_t seed;
};

/* catalogue: what `latest` and `1.15` mean today. seed: recorded with the campaign; the same seed gives the same order. */
int plan_make(const struct scenario *s, const struct catalogue *c, uint64_t seed, struct plan **ret, struct err *err);
const char *cell_setting(const struct cell *c, const char *axis); /* NULL: the cell has no such axis */
/* Whether an expectation's `for` (or any list of matches) holds for the cell. */
bool cell_matches(const struct cell *c, const struct match *match, size_t n);
/* The cell that an expectation's `versus` names for this one: it differs in these settings only. Where several match (two patches of a
 * release) the one that is named exactly, else the newest. NULL: the plan has none, or it is the cell itself. */
const struct cell *plan_versus(const struct plan *p, const struct cell *c, const struct match *versus, size_t n);
/* A usage error where an expectation is about cells none of which is applicable: it could never fail. For a scenario as it stands; where
 * the command line has set its axes that may well be so. */
int plan_check_expectations(const struct plan *p, struct err *err);
struct plan *plan_free(struct plan *p);

static inline void cleanup_planp(struct plan **p)
{
	plan_free(*p);
}
#define cleanup_plan __attribute__((cleanup(cleanup_planp)))
