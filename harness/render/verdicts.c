/* SPDX-License-Identifier: Apache-2.0 */
#include "render/verdicts.h"

#include <math.h>
#include <string.h>

#include "analyse/verdict.h"
#include "base/alloc.h"
#include "render/metric_text.h"
#include "render/table.h"
#include "render/wrap.h"

#define FAILURES_MAX 20
#define ID_MIN       20 /* columns that a cell's id has at least before it is cut */

static char *value_text(const char *that, const json_t *value)
{
	if (json_is_string(value))
		return xstrdup(json_string_value(value));
	return json_is_number(value) ? metric_text_of_condition(that, json_number_value(value)) : xstrdup("missing");
}

/* " (12.0 MB in go=1.11,variant=fixed)": where the limit comes from; "" where it is a number of the scenario's. */
static char *other_text(const struct verdict *v)
{
	cleanup_free char *value = v->other && !isnan(v->other_median) ? metric_text_of_condition(v->that, v->other_median) : NULL;

	return value ? strf(" (%s in %s)", value, v->other->label) : xstrdup("");
}

/* "against" says it where the limit is not in the condition itself. */
static bool limit_is_measured(const struct verdict *v)
{
	const char *right = v->that + strcspn(v->that, "<>=");

	right += strspn(right, "<>= ");
	return json_is_number(v->limit) && (strchr(right, '*') || (*right >= 'a' && *right <= 'z'));
}

/* ---- failures ----------------------------------------------------------------------------------------------------------------------- */

void verdict_print_failure(FILE *out, const char *before, const struct verdict *v, int columns)
{
	cleanup_free char *have = value_text(v->that, v->measured), *want = value_text(v->that, v->limit), *other = other_text(v);
	cleanup_free char *some = v->runs > 1 ? strf(" (fails in %zu of %zu runs)", v->runs - v->held, v->runs) : xstrdup("");
	cleanup_free char *versus = v->other ? strf(" of %s", v->other->label) : xstrdup("");
	cleanup_free char *text = v->why ? strf("%s: expected %s%s; %s%s", v->cell->label, v->that, versus, v->why, some)
					 : strf("%s: expected %s%s; measured %s against %s%s%s", v->cell->label, v->that, versus, have, want,
						other, some);

	fprintf(out, "  %s", before);
	print_wrapped(out, text, columns, 6, 2 + (int)strlen(before));
	if (v->because) {
		fputs("    expected because: ", out);
		print_wrapped(out, v->because, columns, 6, 22);
	}
}

static void print_all_hold(FILE *out, size_t n)
{
	if (n == 1)
		fprintf(out, "The one expectation holds.\n");
	else
		fprintf(out, "All %zu expectations hold.\n", n);
}

void verdicts_print_failures(FILE *out, const struct verdicts *l, int columns)
{
	size_t failed = verdicts_failed(l), shown = 0;

	if (failed) {
		fprintf(out, "\n%zu of %zu expectations failed:\n", failed, l->n);
	} else if (l->n) {
		fputc('\n', out);
		print_all_hold(out, l->n);
	}
	for (size_t i = 0; i < l->n; i++)
		if (verdict_failed(&l->v[i]) && shown++ < FAILURES_MAX)
			verdict_print_failure(out, "", &l->v[i], columns);
	if (failed > FAILURES_MAX)
		fprintf(out, "  and %zu more: memtide show --expectations lists all\n", failed - FAILURES_MAX);
}

/* ---- all ------------------------------------------------------------------------------------------------------------------------------ */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* One condition of the scenario, in several cells. */
static bool same_condition(const struct verdict *a, const struct verdict *b)
{
	return !a->other == !b->other && !strcmp(a->that, b->that) && same_text(a->because, b->because);
}

/* "28.0 MB (27.5 MB to 31.2 MB)"; the range where it says more than the median. */
static char *measured_text(const struct verdict *v)
{
	if (v->words.n)
		return strv_join(&v->words, ", ");
	if (!v->n)
		return xstrdup("missing");

	cleanup_free char *median = metric_text_of_condition(v->that, v->median), *min = metric_text_of_condition(v->that, v->min),
			  *max = metric_text_of_condition(v->that, v->max);
	return strcmp(min, max) ? strf("%s (%s to %s)", median, min, max) : TAKE(median);
}

static char *tail_text(const struct verdict *v)
{
	cleanup_free char *want = value_text(v->that, v->limit), *other = other_text(v);
	cleanup_free char *against = limit_is_measured(v) ? strf(" against %s%s", want, other) : xstrdup("");
	cleanup_free char *some = v->held < v->runs ? strf(", in %zu of %zu runs", v->held, v->runs) : xstrdup("");
	cleanup_free char *why = v->why ? strf("; %s", v->why) : xstrdup("");

	return strf("%s%s%s", against, some, why);
}

static void print_line(FILE *out, const struct verdict *v, int width, const struct table_style *style)
{
	bool failed = verdict_failed(v);
	int length = (int)strlen(v->cell->label);
	cleanup_free char *measured = measured_text(v), *tail = tail_text(v), *text = strf("%s%s", measured, tail);
	cleanup_free char *id = length > width ? strf("%.*s...", width - 3, v->cell->label) : strf("%-*s", width, v->cell->label);

	fprintf(out, "  %s%s%s  %s  ", style->colour ? (failed ? "\033[31m" : "\033[32m") : "", failed ? "FAILS" : "holds",
		style->colour ? "\033[0m" : "", id);
	print_wrapped(out, text, style->columns, width + 11, width + 11);
}

/* before: the reason of the block before; NULL: none. */
static void print_block(FILE *out, const struct verdicts *l, size_t first, const char *before, bool *done, const struct table_style *style)
{
	const struct verdict *head = &l->v[first];
	cleanup_free char *text =
		head->share < 1 ? strf("%s%s (in %.0f %% of the runs)", head->that, head->other ? ", that of another cell" : "", 100 * head->share)
				: strf("%s%s", head->that, head->other ? ", that of another cell" : "");
	int width = ID_MIN, most = style->columns / 2;

	fputc('\n', out);
	print_wrapped(out, text, style->columns, 2, 0);
	if (head->because && same_text(head->because, before)) {
		fputs("  for the same reason\n", out);
	} else if (head->because) {
		fputs("  because ", out);
		print_wrapped(out, head->because, style->columns, 4, 10);
	}
	for (size_t i = first; i < l->n; i++)
		if (same_condition(&l->v[i], head) && (int)strlen(l->v[i].cell->label) > width)
			width = (int)strlen(l->v[i].cell->label);
	width = width > most ? most : width;
	for (size_t i = first; i < l->n; i++) {
		if (done[i] || !same_condition(&l->v[i], head))
			continue;
		print_line(out, &l->v[i], width, style);
		done[i] = true;
	}
}

void verdicts_print_all(FILE *out, const struct verdicts *l, const struct table_style *style)
{
	cleanup_free bool *done = xcalloc(l->n + 1, sizeof(*done));
	size_t failed = verdicts_failed(l);
	const char *before = NULL;

	if (!l->n)
		fputs("Nothing is expected of this campaign.\n", out);
	else if (failed)
		fprintf(out, "%zu of %zu expectations failed.\n", failed, l->n);
	else
		print_all_hold(out, l->n);
	for (size_t i = 0; i < l->n; i++) {
		if (done[i])
			continue;
		print_block(out, l, i, before, done, style);
		before = l->v[i].because;
	}
}
