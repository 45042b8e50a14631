/* SPDX-License-Identifier: Apache-2.0
 *
 * What the table, its notes and its sentences say alike.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "base/units.h"
#include "render/table_parts.h"

char *time_text(char *buf, size_t n, double seconds)
{
	if (seconds >= 0.9995)
		return format_duration(buf, n, seconds);
	(void)snprintf(buf, n, seconds < 0.001 ? "<1 ms" : "%.0f ms", 1000 * seconds);
	return buf;
}

char *outcomes_text(const struct row *r)
{
	cleanup_strv struct strv parts = STRV_INIT;
	unsigned n = 0;

	for (int o = 0; o < OUTCOME_COUNT_; o++)
		n += r->outcomes[o];
	for (int o = 0; o < OUTCOME_COUNT_; o++) {
		if (n == 1 && r->outcomes[o])
			return xstrdup(outcome_to_string((enum outcome)o));
		if (r->outcomes[o])
			strv_pushf(&parts, "%u %s", r->outcomes[o], outcome_to_string((enum outcome)o));
	}
	return n ? strv_join(&parts, ", ") : xstrdup("not run");
}

bool row_drops_nothing(const struct row *r)
{
	const struct folded *f = &r->v[ROW_RELEASE];

	return !f->n && f->why && !strcmp(f->why, "no mark dropped");
}
