/* SPDX-License-Identifier: Apache-2.0
 *
 * one_run.h - which run a command means that is about one, and when that was in the real world.
 *
 * Main thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

struct campaign;
struct campaign_run;
struct err;

/* spec: "CELL/REPEAT" of --run, or NULL where the campaign has one run only; else a usage error that says which there are. ret: borrowed. */
int one_run_find(const struct campaign *c, const char *spec, const struct campaign_run **ret, struct err *err);

/* From a run.json: when it began (ns since 1970, to the second) and how long it was observed (ns). A usage error where it never started, or its
 * clock was virtual: then no moment of the real world is one of its.. */
int one_run_wall(const json_t *run, int64_t *ret_started_ns, int64_t *ret_length_ns, struct err *err);
/* The latter alone; of any clock. */
int one_run_length(const json_t *run, int64_t *ret_ns, struct err *err);
bool one_run_is_virtual(const json_t *run);
