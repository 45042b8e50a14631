/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/one_run.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/strv.h"
#include "base/units.h"
#include "base/wall_time.h"
#include "record/reader.h"

#define NAMED_MAX 4
/* 285 years in ns; nothing was observed for longer. */
#define LENGTH_MAX_S 9e9

static int which_run(const struct campaign *c, const char *spec, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;

	for (size_t i = 0; i < c->n_runs && i < NAMED_MAX; i++)
		strv_pushf(&names, "%s/%u", c->runs[i].cell_id, c->runs[i].repeat);
	if (!c->n_runs)
		return err_usage(err, "%s: the campaign has no runs", c->dir);

	cleanup_free char *list = strv_join(&names, "; ");

	if (spec)
		(void)err_usage(err, "%s: there is no run '%s'", c->dir, spec);
	else
		(void)err_usage(err, "%s has %zu runs: say which one with --run CELL/REPEAT", c->dir, c->n_runs);
	return err_hint(err, "%s %s%s", c->n_runs == 1 ? "there is" : "there are", list, c->n_runs > NAMED_MAX ? "; ..." : "");
}

int one_run_find(const struct campaign *c, const char *spec, const struct campaign_run **ret, struct err *err)
{
	if (!spec && c->n_runs != 1)
		return which_run(c, spec, err);
	for (size_t i = 0; i < c->n_runs; i++) {
		cleanup_free char *name = strf("%s/%u", c->runs[i].cell_id, c->runs[i].repeat);

		if (!spec || !strcmp(spec, name)) {
			*ret = &c->runs[i];
			return 0;
		}
	}
	return which_run(c, spec, err);
}

bool one_run_is_virtual(const json_t *run)
{
	const char *kind = json_string_value(json_object_get(json_object_get(run, "clock"), "kind"));

	return kind && !strcmp(kind, "virtual");
}

int one_run_length(const json_t *run, int64_t *ret_ns, struct err *err)
{
	double s = json_number_value(json_object_get(run, "target_s"));

	if (!run)
		return err_usage(err, "the run has no run.json: it goes on, or memtide was killed; then `memtide run SCENARIO --resume` does it again");
	if (!isfinite(s) || s <= 0 || s > LENGTH_MAX_S)
		return err_usage(err, "the run never started, so it has no time");
	*ret_ns = (int64_t)(s * (double)NS_PER_S);
	return 0;
}

int one_run_wall(const json_t *run, int64_t *ret_started_ns, int64_t *ret_length_ns, struct err *err)
{
	const char *started = json_string_value(json_object_get(run, "started"));
	int r = one_run_length(run, ret_length_ns, err);

	if (r < 0)
		return r;
	if (one_run_is_virtual(run))
		return err_usage(err, "the run's clock was virtual: its time is not that of the real world");
	if (!started || wall_time_parse(started, ret_started_ns, NULL) < 0)
		return err_usage(err, "the run's record does not say when it started");
	return 0;
}
