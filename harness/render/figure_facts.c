/* SPDX-License-Identifier: Apache-2.0 */
#include "render/figure_facts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "render/figure_parts.h"

void figure_time(char *buf, size_t n, double s)
{
	double min = s / 60;

	if (s < 0.0995)
		(void)snprintf(buf, n, "%.0f" NBSP "ms", fmax(1, s * 1000));
	else if (s < 1)
		(void)snprintf(buf, n, "%.2f" NBSP "s", s);
	else if (s < 10)
		(void)snprintf(buf, n, "%.1f" NBSP "s", s);
	else if (s < 120)
		(void)snprintf(buf, n, "%.0f" NBSP "s", s);
	else if (s < 7200)
		(void)snprintf(buf, n, fabs(min - round(min)) < 0.1 ? "%.0f" NBSP "min" : "%.1f" NBSP "min", min);
	else
		(void)snprintf(buf, n, "%.1f" NBSP "h", s / 3600);
}

/* "3 to 9 min" of "3 min" and "9 min": what both end with stands once. */
static void put_range(char *buf, size_t n, char *from, const char *to)
{
	if (!strcmp(from, to)) {
		(void)snprintf(buf, n, "%s", to);
		return;
	}
	char *unit_from = strstr(from, NBSP);
	const char *unit_to = strstr(to, NBSP);
	if (unit_from && unit_to && !strcmp(unit_from, unit_to))
		*unit_from = 0;
	(void)snprintf(buf, n, "%s to %s", from, to);
}

void figure_time_range(char *buf, size_t n, double from, double to)
{
	char a[32], b[32];

	figure_time(a, sizeof(a), from);
	figure_time(b, sizeof(b), to);
	put_range(buf, n, a, b);
}

void figure_size(char *buf, size_t n, double bytes)
{
	char text[32];
	char *blank = strchr(format_size(text, sizeof(text), (uint64_t)fmax(bytes, 0)), ' ');
	int digits = (int)(blank - text);

	/* "80 MB", not "80.0 MB": there is no table around it to align with. */
	if (memchr(text, '.', (size_t)digits))
		while (text[digits - 1] == '0' || text[digits - 1] == '.')
			if (text[--digits] == '.')
				break;
	(void)snprintf(buf, n, "%.*s" NBSP "%s", digits, text, blank + 1);
}

void figure_size_range(char *buf, size_t n, double from, double to)
{
	char a[32], b[32];

	figure_size(a, sizeof(a), from);
	figure_size(b, sizeof(b), to);
	put_range(buf, n, a, b);
}

void figure_widen(double *from, double *to, double v)
{
	if (!isnan(v)) {
		*from = fmin(*from, v);
		*to = fmax(*to, v);
	}
}

void figure_facts_add(struct figure_facts *f, const struct figure_cell *c)
{
	figure_widen(&f->first_from, &f->first_to, c->first_fall_s);
	figure_widen(&f->release_from, &f->release_to, c->release_s);
	figure_widen(&f->stays_from, &f->stays_to, c->settled);
	figure_widen(&f->lazy_from, &f->lazy_to, isnan(c->lazyfree_settled) ? 0 : c->lazyfree_settled);
	figure_widen(&f->share_from, &f->share_to, c->share);
	/* NAN compares false */
	f->stays |= c->share < 0.9;
	f->grows &= c->grows;
}
