/* SPDX-License-Identifier: Apache-2.0
 *
 * expectation.h - a scenario's expectations held against the metrics of one run, and what of them only a campaign can tell.
 */
#pragma once
#include <stdbool.h>

#include "base/json.h"
#include "plan/plan.h"

/* New reference: one object per condition that applies to the cell, in the scenario's order: {"that": "released_share < 0.05",
 * "holds": true | false | null, "measured": 0.002 | null, "limit": 0.05 | null (both words in a condition on the outcome or the
 * mechanism), "because": "..." | null}. holds is null where a metric is missing ("why" then says so): that counts as failed. "share" stands
 * there if it need not hold in every repeat. Those with a `versus` are left out. A run that did not end well, and of whose end nothing is
 * expected, fails by "outcome == ok". mechanism: its name; NULL: none was told, which a condition on it counts as failed. */
json_t *expectations_evaluate(const struct scenario *s, const struct cell *c, enum outcome outcome, const char *mechanism,
			      const json_t *metrics, const json_t *missing);
/* New reference: those with a `versus`, one object per condition and cell, for campaign.json: {"cell", "other": the ids, "that",
 * "metric", "compare", "factor", "other_metric", "because", "share"}. A cell whose other one is not in the plan, or is not run, has none. */
json_t *expectations_versus(const struct plan *p);
bool expectation_compare(double measured, enum compare how, double limit);
