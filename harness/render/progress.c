/* SPDX-License-Identifier: Apache-2.0 */
#include "render/progress.h"

#include <math.h>
#include <stdio.h>

#include "base/units.h"
#include "record/series.h"

static char *minutes(char *buf, size_t n, double seconds)
{
	long s = lround(seconds);

	(void)snprintf(buf, n, "%ld:%02ld", s / 60, s % 60);
	return buf;
}

char *progress_line(char *buf, size_t n, const struct progress *p)
{
	char gone[32], left[32], until[64] = "", size[32] = "";

	if (p->rss_bytes != MISSING)
		format_size(size, sizeof(size), p->rss_bytes);
	if (p->eta_s > 0)
		(void)snprintf(until, sizeof(until), ", about %s left", minutes(left, sizeof(left), p->eta_s));
	(void)snprintf(buf, n, "%zu of %zu runs, %zu running, %s gone%s   %s%s%s%s%s", p->done, p->total, p->running,
		       minutes(gone, sizeof(gone), p->elapsed_s), until, p->cell, *p->phase ? " " : "", p->phase, *size ? " " : "", size);
	return buf;
}
