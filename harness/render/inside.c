/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "render/inside_parts.h"

#define POINTS      2400 /* of a curve, in a figure of its own */
#define POINTS_GRID 800  /* among many */
#define EXACT_MAX   2000 /* ticks drawn */
#define WHITE_SHARE 0.02 /* of the peak, from which on white below the outline is explained */

static const enum curve_of lines[INSIDE_LINES] = { CURVE_RSS, CURVE_USAGE, CURVE_WORKING_SET, CURVE_HEAP_INUSE };

/* ---- marks, ticks
 * -------------------------------------------------------------------------------------------------------------------- */

static void add_mark(struct inside_panel *p, double t_s, const char *text, int kind)
{
	if (p->n_marks == INSIDE_MARKS_MAX || t_s > p->end_s)
		return;
	p->mark[p->n_marks].t_s = t_s;
	p->mark[p->n_marks].text = xstrdup(text);
	p->mark[p->n_marks++].kind = kind;
}

static int by_mark_time(const void *a, const void *b)
{
	const struct inside_mark *x = a, *y = b;

	return (x->t_s > y->t_s) - (x->t_s < y->t_s);
}

/* What people added goes first: there may be more marks than room. */
static void find_marks(struct inside_panel *p, const struct run_series *s)
{
	cleanup_notes struct notes notes;

	(void)notes_read(p->run->dir, &notes, NULL, NULL);
	for (size_t i = 0; i < notes.n; i++)
		add_mark(p, (double)notes.v[i].t_ns / 1e9, notes.v[i].text, MARK_NOTE);
	for (int act = 1; act >= 0; act--)
		for (size_t i = 0; i < s->n_marks; i++)
			if (act == (s->marks[i].by == 's' && strcmp(s->marks[i].name, "load") && strcmp(s->marks[i].name, "after-load") &&
				    strcmp(s->marks[i].name, "ready")))
				add_mark(p, (double)s->marks[i].t_ns / 1e9, s->marks[i].name, act ? MARK_ACT : MARK_PHASE);
	qsort(p->mark, p->n_marks, sizeof(*p->mark), by_mark_time);
}

/* Every nth of the collections where there are too many; of several in one step of the counter, one. */
static void find_collections(struct inside_panel *p, const struct run_series *s, int64_t end_ns)
{
	struct curve cleanup_curve count;
	size_t n = 0;

	curve_make(&count, s, CURVE_GC_COUNT, end_ns);
	for (size_t i = 1; i < count.n; i++)
		n += count.v[i].value != MISSING && count.v[i - 1].value != MISSING && count.v[i].value > count.v[i - 1].value;

	size_t stride = n / INSIDE_TICKS_MAX + 1, at = 0;

	p->gc_s = xcalloc(n / stride + 2, sizeof(*p->gc_s));
	for (size_t i = 1; i < count.n; i++) {
		if (count.v[i].value == MISSING || count.v[i - 1].value == MISSING || count.v[i].value <= count.v[i - 1].value)
			continue;
		p->n_gc_all += (size_t)fmin((double)(count.v[i].value - count.v[i - 1].value), 1e12);
		if (at++ % stride == 0)
			p->gc_s[p->n_gc++] = (double)count.v[i].t_ns / 1e9;
	}
}

static void find_exact(struct inside_panel *p, const struct run_series *s)
{
	size_t stride = s->n_splits / EXACT_MAX + 1;

	p->exact_s = xcalloc(s->n_splits / stride + 2, sizeof(*p->exact_s));
	for (size_t i = 0; i < s->n_splits; i += stride)
		if (s->splits[i].s.part[0] != MISSING)
			p->exact_s[p->n_exact++] = (double)s->splits[i].t_ns / 1e9;
}

/* ---- a run
 * ------------------------------------------------------------------------------------------------------------------------- */

/* The last that is known of it */
static void find_end(struct inside_panel *p)
{
	for (size_t i = p->stack.n; i-- > 0 && !p->has_last;)
		if (p->stack.v[i].part[0] != MISSING) {
			p->last = p->stack.v[i];
			p->has_last = true;
		}
	for (size_t i = p->line[0].n; i-- > 0 && !p->last_rss;)
		if (p->line[0].v[i].value != MISSING)
			p->last_rss = p->line[0].v[i].value;
}

/* For how long (s) RSS was above the parts by what can be seen */
static double white_time(const struct inside_panel *p)
{
	int64_t time_ns = 0;

	for (size_t i = 0; i < p->stack.n; i++) {
		const struct stack_point *q = &p->stack.v[i];
		uint64_t rss = curve_at(&p->line[0], q->t_ns);

		if (q->part[0] != MISSING && rss != MISSING && (double)rss - (double)stack_sum(q) > WHITE_SHARE * p->peak)
			time_ns += (i + 1 < p->stack.n ? q[1].t_ns : p->stack.end_ns) - q->t_ns;
	}
	return (double)time_ns / 1e9;
}

static void find_peaks(struct inside_panel *p)
{
	for (size_t k = 0; k < INSIDE_LINES; k++)
		for (size_t i = 0; i < p->line[k].n; i++)
			if (p->line[k].v[i].value != MISSING)
				p->peak = fmax(p->peak, (double)p->line[k].v[i].value);
	for (size_t i = 0; i < p->stack.n; i++)
		for (size_t k = 0; k < RSS_PART_COUNT_ && p->stack.v[i].exact; k++)
			p->part_peak[k] = fmax(p->part_peak[k], (double)p->stack.v[i].part[k]);
	p->white = white_time(p) > p->end_s / 200;
}

static bool has_data(const struct run_series *s, bool of_lines)
{
	if (!of_lines) {
		for (size_t i = 0; i < s->n_splits; i++)
			if (s->splits[i].s.part[0] != MISSING)
				return true;
		return false;
	}
	for (size_t i = 0; i < s->n_go; i++)
		if (s->go[i].c.heap_inuse_bytes != MISSING)
			return true;
	return false;
}

/* What a cgroup counts that others share is theirs: RSS would be a line at the bottom of it. */
static bool is_of_others(enum curve_of what, const json_t *run)
{
	return (what == CURVE_USAGE || what == CURVE_WORKING_SET) &&
	       json_integer_value(json_object_get(json_object_get(run, "attached"), "cgroup_processes")) > 1;
}

static bool read_run(struct inside_panel *p, const struct campaign_run *r, bool of_lines, size_t points)
{
	cleanup_run_series struct run_series s = { 0 };
	double end_s = json_number_value(json_object_get(r->run, "target_s"));

	if (run_series_read(r->dir, &s, NULL) < 0 || !s.n_samples || !has_data(&s, of_lines))
		return false;

	int64_t end_ns = end_s > 0 && end_s < 9e9 && !s.damage ? (int64_t)(end_s * 1e9) : 0;

	p->run = r;
	for (size_t k = 0; k < INSIDE_LINES; k++) {
		struct curve whole;

		if (k && !of_lines)
			break;
		if (is_of_others(lines[k], r->run))
			continue;
		curve_make(&whole, &s, lines[k], end_ns);
		p->end_s = fmax(p->end_s, (double)whole.end_ns / 1e9);
		curve_decimate(&whole, points, &p->line[k]);
		curve_done(&whole);
	}
	if (!of_lines) {
		stack_make(&p->stack, &s, end_ns, points);
		find_exact(p, &s);
	}
	find_collections(p, &s, end_ns);
	find_marks(p, &s);
	find_end(p);
	find_peaks(p);
	return p->end_s > 0;
}

static void panel_done(struct inside_panel *p)
{
	stack_done(&p->stack);
	for (size_t k = 0; k < INSIDE_LINES; k++)
		curve_done(&p->line[k]);
	for (size_t k = 0; k < p->n_marks; k++)
		free(p->mark[k].text);
	free(p->in);
	free(p->gc_s);
	free(p->exact_s);
	free(p->name);
	free(p->detail);
	free(p->setting_name);
	free(p->title);
	free(p->note);
	*p = (struct inside_panel){ 0 };
}

/* The first repeat that ended as planned and has the data; else the first that has them. The overlay's own run comes before all. */
static bool read_cell(struct inside_panel *p, const struct inside *in, const struct figure_cell *f, size_t points)
{
	for (int pass = 0; f->cell && pass < 3; pass++)
		for (size_t i = 0; i < f->cell->n_runs; i++) {
			const struct campaign_run *r = f->cell->runs[i];

			if (pass == 0 ? !in->over || in->over->run != r : pass == 1 ? r->outcome != OUTCOME_OK : r->outcome == OUTCOME_OK)
				continue;
			if (read_run(p, r, in->lines, points))
				return true;
			panel_done(p);
		}
	return false;
}

void inside_make(struct inside *in, const struct figure_model *m, const struct figure_overlays *over, bool of_lines)
{
	size_t n_cells = m->panel_key.n * m->setting_key.n;

	*in = (struct inside){ .m = m, .over = over, .lines = of_lines, .v = xcalloc(n_cells + 1, sizeof(*in->v)) };
	for (size_t s = 0; s < m->setting_key.n; s++)
		for (size_t p = 0; p < m->panel_key.n; p++) {
			struct inside_panel *new = &in->v[in->n];

			if (!read_cell(new, in, figure_cell_at(m, p, s), n_cells <= INSIDE_SINGLES_MAX ? POINTS : POINTS_GRID))
				continue;
			new->panel = p;
			new->setting = s;
			new->in = xcalloc(m->panel_key.n + 1, sizeof(*new->in));
			new->in[p] = true;
			new->n_in = 1;
			in->n++;
		}
	in->n_cells = in->n;
	if (!in->n)
		return;
	inside_fold(in, INSIDE_PANELS_MAX);
	for (; in->n > INSIDE_PANELS_MAX; in->left_out++)
		panel_done(&in->v[--in->n]);
	inside_words_find(in);
}

void inside_done(struct inside *in)
{
	for (size_t i = 0; i < in->n; i++)
		panel_done(&in->v[i]);
	free(in->v);
	free(in->title);
	free(in->subtitle);
	*in = (struct inside){ 0 };
}
