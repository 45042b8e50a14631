/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines below a table about the virtual clock: what it saved, and where it could not be kept.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/order.h"
#include "record/reader.h"
#include "render/table.h"
#include "render/table_parts.h"
#include "render/wrap.h"

/* Over the runs that a virtual clock went in. */
struct clock_sum {
	double *wall_s, *target_s, *jumps; /* owned */
	size_t n;
	size_t early;                      /* in so many virtual time ended before the run did */
	const struct campaign_run *first;  /* of these; borrowed */
};

static const json_t *clock_of(const struct campaign_run *r)
{
	const json_t *clock = json_object_get(r->run, "clock");
	const char *kind = json_string_value(json_object_get(clock, "kind"));

	return kind && !strcmp(kind, "virtual") ? clock : NULL;
}

static void add_run(struct clock_sum *s, const struct campaign_run *r, const json_t *clock)
{
	const json_t *wall = json_object_get(r->run, "wall_s"), *target = json_object_get(r->run, "target_s"),
		     *jumps = json_object_get(clock, "jumps");

	if (!json_is_number(wall) || !json_is_number(target) || !json_is_integer(jumps))
		return;
	s->wall_s[s->n] = json_number_value(wall);
	s->target_s[s->n] = json_number_value(target);
	s->jumps[s->n++] = json_number_value(jumps);
	if (json_is_object(json_object_get(clock, "ended"))) {
		s->first = s->first ? s->first : r;
		s->early++;
	}
}

static double median(double *v, size_t n)
{
	sort_doubles(v, n);
	return median_of_sorted(v, n);
}

/* "1 580": three digits that count, in groups of three. */
static char *count_text(double v)
{
	double unit = v >= 1000 ? pow(10, floor(log10(v)) - 2) : 1;
	cleanup_free char *digits = strf("%.0f", round(v / unit) * unit);
	size_t n = strlen(digits);
	char *text = xcalloc(2 * n + 1, 1), *at = text;

	for (size_t i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			*at++ = ' ';
		*at++ = digits[i];
	}
	return text;
}

/* "650 s", "0.41 s": side by side, in one unit. */
static char *seconds_text(double s)
{
	cleanup_free char *count = count_text(s);

	return s < 1000 ? strf("%.3g s", s) : strf("%s s", count);
}

static void say_speed(FILE *out, struct clock_sum *s, const struct table_style *style)
{
	const char *each = s->n > 1 ? " a run" : "";
	double wall_s = median(s->wall_s, s->n), target_s = median(s->target_s, s->n);
	double times = wall_s > 0 ? target_s / wall_s : 0, jumps = median(s->jumps, s->n);
	cleanup_free char *wall = seconds_text(wall_s), *target = seconds_text(target_s), *n = count_text(jumps);
	cleanup_free char *count = times < 10 ? strf("%.1f", times) : count_text(times);
	cleanup_free char *faster = times >= 1.05 ? strf("%s times faster", count) : xstrdup("no faster than real time");
	cleanup_free char *text = strf("Virtual clock: %s of the program's time in %s%s, %s; %s jump%s%s.", target, wall,
				       s->n > 1 ? " (median)" : "", faster, n, jumps > 0.5 && jumps < 1.5 ? "" : "s", each);

	print_wrapped(out, text, style->columns, 2, 0);
}

static void say_early(FILE *out, const struct campaign *c, const struct clock_sum *s, const struct table_style *style)
{
	const json_t *ended = json_object_get(clock_of(s->first), "ended");
	const char *why = json_string_value(json_object_get(ended, "why"));
	char at[32];

	(void)time_text(at, sizeof(at), json_number_value(json_object_get(ended, "t_s")));
	cleanup_free char *label = campaign_cell_label(c, s->first->cell_id);
	cleanup_free char *text = strf("Virtual time ended early in %zu of %zu run%s, first in %s, repeat %u, at %s: %s", s->early, s->n,
				       s->n == 1 ? "" : "s", label, s->first->repeat, at,
				       why ? why : "the record does not say why");

	print_wrapped(out, text, style->columns, 2, 0);
}

void table_print_clock(FILE *out, const struct campaign *c, const struct table_style *style)
{
	struct clock_sum s = { .wall_s = xcalloc(c->n_runs + 1, sizeof(double)),
			       .target_s = xcalloc(c->n_runs + 1, sizeof(double)),
			       .jumps = xcalloc(c->n_runs + 1, sizeof(double)) };

	for (size_t i = 0; i < c->n_runs; i++) {
		const json_t *clock = clock_of(&c->runs[i]);

		if (clock)
			add_run(&s, &c->runs[i], clock);
	}
	if (s.n) {
		fputc('\n', out);
		say_speed(out, &s, style);
	}
	if (s.early)
		say_early(out, c, &s, style);
	free(s.wall_s);
	free(s.target_s);
	free(s.jumps);
}
