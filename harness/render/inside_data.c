/* SPDX-License-Identifier: Apache-2.0
 *
 * What plots/inside.gp and plots/numbers.gp read: variables (gp.h), and a TSV file a panel. A figure is the grid of all panels, or one panel
 * alone; arrays over figures count the grid first. Slots are the areas of a stack, or the lines, from the bottom on.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "render/gp.h"
#include "render/inside_parts.h"

static const char *kind(const struct inside *in)
{
	return in->lines ? "numbers" : "inside";
}

static size_t n_figures(const struct inside *in)
{
	return !in->lines && in->n > 1 && in->n_cells <= INSIDE_SINGLES_MAX ? 1 + in->n : 1;
}

/* The panels of a figure */
static const struct inside_panel *panels_of(const struct inside *in, size_t figure, size_t *ret_n)
{
	*ret_n = figure ? 1 : in->n;
	return figure ? &in->v[figure - 1] : in->v;
}

void inside_pictures(const struct inside *in, struct strv *ret)
{
	strv_pushf(ret, "%s.png", kind(in));
	for (size_t f = 1; f < n_figures(in); f++)
		strv_pushf(ret, "%s-%s.png", kind(in), in->v[f - 1].run->cell_id);
}

/* ---- slots
 * ------------------------------------------------------------------------------------------------------------------------- */

/* "($2+$5)" of the parts that are drawn in slots up to `to`; "(0)" for none */
static char *sum_expression(const size_t slot_of[RSS_PART_COUNT_], size_t to)
{
	char *sum = xstrdup("(0");

	for (size_t k = 0; k < RSS_PART_COUNT_; k++)
		if (slot_of[k] <= to) {
			char *longer = strf("%s+$%zu", sum, k + 2);
			free(sum);
			sum = longer;
		}
	char *whole = strf("%s)", sum);
	free(sum);
	return whole;
}

static char *slot_words(const struct inside_panel *p, const size_t slot_of[RSS_PART_COUNT_], size_t slot, double *ret_end)
{
	double end = 0, peak = 0;
	char now[32], most[32];

	for (size_t i = 0; i < p->stack.n; i++) {
		double sum = 0;

		for (size_t k = 0; k < RSS_PART_COUNT_; k++)
			sum += slot_of[k] == slot && p->stack.v[i].part[0] != MISSING ? (double)p->stack.v[i].part[k] : 0;
		peak = fmax(peak, sum);
	}
	for (size_t k = 0; k < RSS_PART_COUNT_ && p->has_last; k++)
		end += slot_of[k] == slot ? (double)p->last.part[k] : 0;
	*ret_end = end;
	figure_size(now, sizeof(now), end);
	figure_size(most, sizeof(most), peak);
	if (end < 4096)
		return strf("none at the end, at most %s", most);
	return peak > 1.15 * end ? strf("%s at the end, at most %s", now, most) : strf("%s at the end", now);
}

struct slots {
	struct strv name, text, low, high; /* all figures one after the other */
	double hue[(INSIDE_SINGLES_MAX + 1) * INSIDE_SLOTS], end[(INSIDE_SINGLES_MAX + 1) * INSIDE_SLOTS];
	double first[INSIDE_SINGLES_MAX + 1], n[INSIDE_SINGLES_MAX + 1];
};

static void add_slots(const struct inside *in, size_t figure, struct slots *s)
{
	size_t slot_of[RSS_PART_COUNT_], n, below = SIZE_MAX;
	const struct inside_panel *p = panels_of(in, figure, &n);
	bool native_alone;

	inside_slots_find(p, n, slot_of);
	native_alone = slot_of[RSS_THREAD_STACKS] == RSS_THREAD_STACKS;
	s->first[figure] = (double)s->name.n;
	for (size_t slot = 0; slot < INSIDE_SLOTS; slot++) {
		bool used = false;

		for (size_t k = 0; k < RSS_PART_COUNT_; k++)
			used |= slot_of[k] == slot;
		if (!used)
			continue;

		size_t at = s->name.n;
		cleanup_free char *low = below == SIZE_MAX ? xstrdup("(0)") : sum_expression(slot_of, below), *high = sum_expression(slot_of, slot),
				  *text = slot_words(p, slot_of, slot, &s->end[at]);

		s->hue[at] = (double)slot + 1;
		strv_push(&s->name, slot == RSS_NATIVE && native_alone ? "native (C, mmap)" : inside_part_name(slot));
		strv_push(&s->text, text);
		strv_push(&s->low, low);
		strv_push(&s->high, high);
		below = slot;
	}
	s->n[figure] = (double)s->name.n - s->first[figure];
}

/* One that no panel has (a process that was attached to shares its cgroup) stands in no key: it has no name. */
static void add_lines(const struct inside *in, struct slots *s)
{
	s->n[0] = INSIDE_LINES;
	for (size_t k = 0; k < INSIDE_LINES; k++) {
		s->hue[k] = (double)k + 1;
		bool drawn = false;

		for (size_t i = 0; i < in->n; i++)
			drawn = drawn || in->v[i].line[k].n;
		strv_push(&s->name, drawn ? inside_line_name(k) : "");
		strv_push(&s->text, "");
		strv_push(&s->low, "");
		strv_push(&s->high, "");
	}
}

static void put_slots(FILE *f, const struct inside *in)
{
	struct slots s = { 0 };
	size_t n = n_figures(in);

	for (size_t i = 0; i < n; i++)
		if (in->lines)
			add_lines(in, &s);
		else
			add_slots(in, i, &s);
	gp_numbers(f, "fig_slot", s.first, n);
	gp_numbers(f, "fig_n_slots", s.n, n);
	gp_texts(f, "slot_name", s.name.v, s.name.n);
	gp_texts(f, "slot_text", s.text.v, s.name.n);
	gp_texts(f, "slot_low", s.low.v, s.name.n);
	gp_texts(f, "slot_high", s.high.v, s.name.n);
	gp_numbers(f, "slot_hue", s.hue, s.name.n);
	gp_numbers(f, "slot_end_bytes", s.end, s.name.n);
	strv_done(&s.name);
	strv_done(&s.text);
	strv_done(&s.low);
	strv_done(&s.high);
}

/* ---- figures
 * ----------------------------------------------------------------------------------------------------------------------- */

static bool shows_overlay(const struct inside *in, const struct inside_panel *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (in->over && in->over->run == p[i].run)
			return true;
	return false;
}

#define FIGURES_MAX (INSIDE_SINGLES_MAX + 1)

static void put_figures(FILE *f, const struct inside *in)
{
	cleanup_strv struct strv pictures = STRV_INIT, titles = STRV_INIT, t_names = STRV_INIT, y_names = STRV_INIT;
	double first[FIGURES_MAX], count[FIGURES_MAX], t_max[FIGURES_MAX], t_unit[FIGURES_MAX], t_step[FIGURES_MAX], y_max[FIGURES_MAX], y_unit[FIGURES_MAX],
		y_step[FIGURES_MAX];
	size_t n = n_figures(in);

	inside_pictures(in, &pictures);
	for (size_t i = 0; i < n; i++) {
		size_t panels;
		const struct inside_panel *p = panels_of(in, i, &panels);
		double span = 0, peak = 0;

		for (size_t k = 0; k < panels; k++) {
			span = fmax(span, p[k].end_s);
			peak = fmax(peak, p[k].peak);
		}
		if (shows_overlay(in, p, panels))
			peak = figure_overlay_top(in->over, peak);
		struct gp_axes a = gp_axes_find(span, peak, 0);

		strv_push(&titles, i ? p->title : in->title);
		strv_push(&t_names, a.t_name);
		strv_push(&y_names, a.y_name);
		first[i] = i ? (double)i : 1;
		count[i] = (double)panels;
		t_max[i] = span;
		t_unit[i] = a.t_unit_s;
		t_step[i] = a.t_step;
		y_max[i] = a.y_max;
		y_unit[i] = a.y_unit;
		y_step[i] = a.y_step;
	}
	gp_number(f, "n_figures", (double)n);
	gp_texts(f, "fig_picture", pictures.v, n);
	gp_texts(f, "fig_title", titles.v, n);
	gp_numbers(f, "fig_panel", first, n);
	gp_numbers(f, "fig_n_panels", count, n);
	gp_numbers(f, "fig_t_max_s", t_max, n);
	gp_numbers(f, "fig_t_unit_s", t_unit, n);
	gp_texts(f, "fig_t_unit_name", t_names.v, n);
	gp_numbers(f, "fig_t_step", t_step, n);
	gp_numbers(f, "fig_y_max_bytes", y_max, n);
	gp_numbers(f, "fig_y_unit_bytes", y_unit, n);
	gp_texts(f, "fig_y_unit_name", y_names.v, n);
	gp_numbers(f, "fig_y_step", y_step, n);
}

/* ---- panels
 * ------------------------------------------------------------------------------------------------------------------------ */

static char *gc_words(const struct inside_panel *p)
{
	if (!p->n_gc_all)
		return xstrdup("no collection");
	if (p->n_gc < p->n_gc_all)
		return strf("%zu collections, %zu drawn", p->n_gc_all, p->n_gc);
	return strf("%zu collection%s", p->n_gc_all, p->n_gc_all == 1 ? "" : "s");
}

static void put_panel_marks(FILE *f, const struct inside *in)
{
	cleanup_strv struct strv names = STRV_INIT;
	double *t = xcalloc(in->n * INSIDE_MARKS_MAX + 1, sizeof(*t)), *kinds = xcalloc(in->n * INSIDE_MARKS_MAX + 1, sizeof(*kinds)),
	       first[INSIDE_PANELS_MAX], count[INSIDE_PANELS_MAX];

	for (size_t i = 0; i < in->n; i++) {
		first[i] = (double)names.n;
		count[i] = (double)in->v[i].n_marks;
		for (size_t k = 0; k < in->v[i].n_marks; k++) {
			t[names.n] = in->v[i].mark[k].t_s;
			kinds[names.n] = in->v[i].mark[k].kind;
			strv_push(&names, in->v[i].mark[k].text);
		}
	}
	gp_numbers(f, "panel_mark", first, in->n);
	gp_numbers(f, "panel_n_marks", count, in->n);
	gp_texts(f, "mark_text", names.v, names.n);
	gp_numbers(f, "mark_t_s", t, names.n);
	gp_numbers(f, "mark_kind", kinds, names.n);
	free(t);
	free(kinds);
}

static void put_panels(FILE *f, const struct inside *in)
{
	cleanup_strv struct strv names = STRV_INIT, details = STRV_INIT, settings = STRV_INIT, notes = STRV_INIT, files = STRV_INIT, gcs = STRV_INIT;
	double n_exact[INSIDE_PANELS_MAX], n_gc[INSIDE_PANELS_MAX], ends[INSIDE_PANELS_MAX], rss[INSIDE_PANELS_MAX], cross[INSIDE_PANELS_MAX];

	for (size_t i = 0; i < in->n; i++) {
		const struct inside_panel *p = &in->v[i];
		cleanup_free char *gc = gc_words(p);

		strv_push(&names, p->name);
		strv_push(&details, p->detail);
		strv_push(&settings, p->setting_name);
		strv_push(&notes, p->note);
		strv_pushf(&files, "%s-%02zu.tsv", kind(in), i + 1);
		strv_push(&gcs, gc);
		n_exact[i] = (double)p->stack.n_exact;
		n_gc[i] = (double)p->n_gc;
		ends[i] = p->end_s;
		rss[i] = (double)p->last_rss;
		cross[i] = p->run->outcome != OUTCOME_OK && p->run->outcome != OUTCOME_INTERRUPTED;
	}
	gp_number(f, "n_panels", (double)in->n);
	gp_texts(f, "panel_name", names.v, in->n);
	gp_texts(f, "panel_detail", details.v, in->n);
	gp_texts(f, "panel_setting", settings.v, in->n);
	gp_texts(f, "panel_note", notes.v, in->n);
	gp_texts(f, "panel_file", files.v, in->n);
	gp_texts(f, "panel_gc", gcs.v, in->n);
	gp_numbers(f, "panel_n_exact", n_exact, in->n);
	gp_numbers(f, "panel_n_gc", n_gc, in->n);
	gp_numbers(f, "panel_end_t_s", ends, in->n);
	gp_numbers(f, "panel_end_rss", rss, in->n);
	gp_numbers(f, "panel_cross", cross, in->n);
	put_panel_marks(f, in);
}

static void put_overlays(FILE *f, const struct inside *in)
{
	cleanup_strv struct strv names = STRV_INIT;
	double panel = NAN, peak = 0;

	for (size_t i = 0; i < in->n; i++)
		peak = fmax(peak, in->v[i].peak);
	for (size_t i = 0; i < in->n; i++)
		if (in->over && in->over->run == in->v[i].run)
			panel = (double)i + 1;
	if (!isnan(panel))
		figure_overlay_names(in->over, peak, &names);
	gp_number(f, "n_overlays", (double)names.n);
	gp_number(f, "overlay_panel", isnan(panel) ? 0 : panel);
	gp_texts(f, "overlay_name", names.v, names.n);
}

static void put_variables(FILE *f, const void *of)
{
	const struct inside *in = of;

	(void)fputs("# Variables of the figures that look into single runs: written by `memtide plot DIR`, read by the gnuplot scripts in plots/.\n"
		    "# Sizes are bytes, times seconds since exec.\n",
		    f);
	gp_text(f, "subtitle", in->subtitle);
	gp_text(f, "source", in->m->source);
	put_figures(f, in);
	put_slots(f, in);
	put_panels(f, in);
	put_overlays(f, in);
}

/* ---- series
 * ------------------------------------------------------------------------------------------------------------------------ */

/* A value holds until the next point, so each step has both its corners; an empty line is a gap. */
static void put_line(FILE *f, const struct curve *c)
{
	bool gap = true;

	for (size_t i = 0; i < c->n; i++) {
		int64_t until = i + 1 < c->n ? c->v[i + 1].t_ns : c->end_ns;
		unsigned long long v = c->v[i].value;

		if (c->v[i].value == MISSING) {
			(void)fputs(gap ? "" : "\n", f);
			gap = true;
			continue;
		}
		gap = false;
		(void)fprintf(f, "%.6f\t%llu\n%.6f\t%llu\n", (double)c->v[i].t_ns / 1e9, v, (double)until / 1e9, v);
	}
}

/* A block without rows would not count as one. */
#define NO_ROW "-\t-\t-\t-\t-\t-\t-\t-\t-\t-\n"

static void put_stack_row(FILE *f, int64_t t_ns, const struct stack_point *p)
{
	(void)fprintf(f, "%.6f", (double)t_ns / 1e9);
	for (size_t k = 0; k < RSS_PART_COUNT_; k++)
		(void)fprintf(f, "\t%llu", (unsigned long long)p->part[k]);
	(void)fputc('\n', f);
}

static void put_stack(FILE *f, const struct stack *s)
{
	bool gap = true, any = false;

	for (size_t i = 0; i < s->n; i++) {
		const struct stack_point *p = &s->v[i];

		if (p->part[0] == MISSING) {
			(void)fputs(gap ? "" : "\n", f);
			gap = true;
			continue;
		}
		gap = false;
		any = true;
		put_stack_row(f, p->t_ns, p);
		put_stack_row(f, i + 1 < s->n ? p[1].t_ns : s->end_ns, p);
	}
	(void)fputs(any ? "" : NO_ROW, f);
}

static void put_times(FILE *f, const double *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)fprintf(f, "%.6f\n", t[i]);
	(void)fputs(n ? "" : NO_ROW, f);
}

static void put_series(FILE *f, const void *of)
{
	const struct inside_panel *p = of;

	(void)fprintf(f, "# %s/%u\n", p->run->cell_id, p->run->repeat);
	if (p->stack.n) {
		(void)fputs("# block 0: RSS; 1: its parts, t_s objects fragmentation stacks idle lazyfree runtime native thread_stacks files; "
			    "2: times of exact splits; 3: of collections\n",
			    f);
		put_line(f, &p->line[0]);
		(void)fputs("\n\n", f);
		put_stack(f, &p->stack);
		(void)fputs("\n\n", f);
		put_times(f, p->exact_s, p->n_exact);
		(void)fputs("\n\n", f);
		put_times(f, p->gc_s, p->n_gc);
		return;
	}
	(void)fputs("# blocks: RSS; usage; working set; heap in use\n", f);
	for (size_t k = 0; k < INSIDE_LINES; k++) {
		(void)fputs(k ? "\n\n" : "", f);
		put_line(f, &p->line[k]);
		(void)fputs(p->line[k].n ? "" : NO_ROW, f);
	}
}

int inside_data_write(const struct inside *in, const char *dir, struct err *err)
{
	cleanup_free char *variables = strf("%s/%s.gp", dir, kind(in));
	int r = 0;

	for (size_t i = 0; i < in->n && r >= 0; i++) {
		cleanup_free char *path = strf("%s/%s-%02zu.tsv", dir, kind(in), i + 1);

		r = gp_write(path, put_series, &in->v[i], err);
	}
	return r < 0 ? r : gp_write(variables, put_variables, in, err);
}
