/* SPDX-License-Identifier: Apache-2.0
 *
 * expectation.h - a scenario's expectations held against the metrics of one run.
 */
#pragma once
#include "base/json.h"
#include "plan/plan.h"

/* New reference: one object per condition that applies to the cell, in the scenario's order: {"that": "released_share < 0.05",
 * "holds": true | false | null, "measured": 0.002 | null, "limit": 0.05 | null (both words in a condition on the outcome), "because": "..." | null}. holds is null where a
 * metric is missing ("why" then says so): that counts as failed. "share" stands there if it need not hold in every repeat. */
json_t *expectations_evaluate(const struct scenario *s, const struct cell *c, enum outcome outcome, const json_t *metrics,
			      const json_t *missing);
