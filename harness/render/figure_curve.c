/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/order.h"
#include "base/units.h"
#include "record/notes.h"
#include "render/figure_parts.h"

/* Samples come at least once a second; where they do not, nobody looked, and the curve must not say that nothing happened. */
#define SILENCE_NS (3 * NS_PER_S)

static void insert_gaps(struct run_series *s)
{
	size_t gaps = 0, at = 0;

	for (size_t i = 1; i < s->n_samples; i++)
		gaps += s->samples[i].t_ns - s->samples[i - 1].t_ns > SILENCE_NS;
	if (!gaps)
		return;

	struct sample *with = xcalloc(s->n_samples + gaps, sizeof(*with));

	for (size_t i = 0; i < s->n_samples; i++) {
		if (i && s->samples[i].t_ns - s->samples[i - 1].t_ns > SILENCE_NS)
			with[at++] = (struct sample){ s->samples[i - 1].t_ns + NS_PER_S, MISSING, MISSING };
		with[at++] = s->samples[i];
	}
	free(s->samples);
	s->samples = with;
	s->n_samples = at;
}

/* Runs that end in one of these have stopped where their curve stops. */
static bool stopped_early(enum outcome o)
{
	return o == OUTCOME_OOM_CGROUP || o == OUTCOME_OOM_GO || o == OUTCOME_GO_FATAL || o == OUTCOME_SIGNAL ||
	       o == OUTCOME_EXIT;
}

static void note_cross(struct figure_cell *f, const struct campaign_run *r, const struct curve *rss, double shift_s)
{
	if (f->cross || !stopped_early(r->outcome) || !rss->n)
		return;
	for (size_t i = rss->n; i-- > 0 && !f->cross;)
		if (rss->v[i].value != MISSING) {
			f->cross = true;
			f->cross_s = (double)rss->end_ns / 1e9;
			f->cross_after_s = f->cross_s - shift_s;
			f->cross_bytes = rss->v[i].value;
		}
}

/* ---- one time for all runs
 * -------------------------------------------------------------------------------------------------------- */

#define ZERO_MARK "dropped"

/* The nth of that name, from 0 */
static bool find_mark(const json_t *run, const char *name, size_t nth, double *ret_t_s)
{
	json_t *mark;
	size_t i;

	json_array_foreach(json_object_get(run, "marks"), i, mark)
	{
		const char *n = json_string_value(json_object_get(mark, "name"));
		if (n && !strcmp(n, name) && !nth--) {
			*ret_t_s = json_number_value(json_object_get(mark, "t_s"));
			return true;
		}
	}
	return false;
}

static bool first_mark(const json_t *run, const char *name, double *ret_t_s)
{
	return find_mark(run, name, 0, ret_t_s);
}

double figure_shift(const struct figure_model *m, const json_t *run)
{
	double t_s;

	return m->aligned && first_mark(run, ZERO_MARK, &t_s) ? m->zero_s - t_s : 0;
}

/* The supervisor says also when the load begins and ends: that is a phase, as it is of a program that says so itself. */
static bool is_act(const json_t *mark)
{
	const char *name = json_string_value(json_object_get(mark, "name")), *by = json_string_value(json_object_get(mark, "by"));

	return name && by && !strcmp(by, "supervisor") && strcmp(name, "load") && strcmp(name, "after-load") &&
	       strcmp(name, "ready");
}

static bool has_acts(const struct campaign *c)
{
	for (size_t i = 0; i < c->n_runs; i++) {
		json_t *mark;
		size_t k;

		json_array_foreach(json_object_get(c->runs[i].run, "marks"), k, mark) if (is_act(mark)) return true;
	}
	return false;
}

/* Zero is the mark `dropped` where every run that went its full length has it and nothing is done to the runs at times counted
 * from their exec. Left and right of it there is room for all runs
 * but those that took far longer to load than most, and so had less time after it. */
static void find_time(struct figure_model *m)
{
	double asked = json_number_value(json_object_get(m->campaign->info, "for_s")), longest = 0;
	double *marks = xcalloc(m->campaign->n_runs + 1, sizeof(*marks)),
	       *after = xcalloc(m->campaign->n_runs + 1, sizeof(*after));
	size_t n = 0, marked = 0;

	for (size_t i = 0; i < m->campaign->n_runs; i++) {
		const struct campaign_run *r = &m->campaign->runs[i];
		double end_s = json_number_value(json_object_get(r->run, "target_s"));

		longest = fmax(longest, end_s);
		if (r->outcome != OUTCOME_OK)
			continue;
		n++;
		if (first_mark(r->run, ZERO_MARK, &marks[marked])) {
			after[marked] = end_s - marks[marked];
			marked++;
		}
	}
	sort_doubles(marks, marked);
	sort_doubles(after, marked);
	m->aligned = n > 0 && marked == n && after[marked / 2] > 0 && !has_acts(m->campaign);
	m->zero_s = m->aligned ? fmin(marks[marked - 1], 1.6 * marks[marked / 2]) : 0;
	m->span_s = m->aligned ? m->zero_s + fmax(after[0], 0.9 * after[marked / 2]) : asked > 0 ? asked : longest;
	m->span_s = m->span_s > 0 ? m->span_s : 1;
	free(marks);
	free(after);
}

static void shift_series(struct run_series *s, double by_s)
{
	int64_t by_ns = (int64_t)(by_s * 1e9);

	for (size_t i = 0; i < s->n_samples; i++)
		s->samples[i].t_ns += by_ns;
	for (size_t i = 0; i < s->n_probes; i++)
		s->probes[i].t_ns += by_ns;
}

/* Runs that are laid over each other by their mark begin at different times. One that has not begun yet counts as holding what it
 * begins with: a median over those alone that have begun would jump whenever one begins. */
static void begin_at_the_left(struct run_series *s)
{
	if (s->samples[0].t_ns > 0)
		s->samples[0].t_ns = 0;
}

/* The curve itself begins when half of them have. */
static void hide_start(struct band *b, double *starts_s, size_t n)
{
	sort_doubles(starts_s, n);
	for (size_t i = 0; i < b->n && (double)b->v[i].t_ns / 1e9 < starts_s[n / 2]; i++)
		b->v[i].median = b->v[i].min = b->v[i].max = MISSING;
}

/* ---- curves
 * ----------------------------------------------------------------------------------------------------------------------- */

static void read_cell(struct figure_model *m, struct figure_cell *f)
{
	size_t n = 0;
	struct curve *rss = xcalloc(f->cell->n_runs, sizeof(*rss)), *lazyfree = xcalloc(f->cell->n_runs, sizeof(*lazyfree));
	double *starts_s = xcalloc(f->cell->n_runs, sizeof(*starts_s));

	for (size_t i = 0; i < f->cell->n_runs; i++) {
		const struct campaign_run *r = f->cell->runs[i];
		double end_s = json_number_value(json_object_get(r->run, "target_s"));
		cleanup_run_series struct run_series series = { 0 };

		if (run_series_read(r->dir, &series, NULL) < 0 || !series.n_samples)
			continue;
		/* Under a virtual clock idle time passes in jumps: nothing can have happened in between. */
		if (m->real_clock)
			insert_gaps(&series);
		double shift_s = figure_shift(m, r->run);
		shift_series(&series, shift_s);
		starts_s[n] = (double)series.samples[0].t_ns / 1e9;
		if (m->aligned && f->cell->n_runs > 1)
			begin_at_the_left(&series);
		/* A truncated series ends where it ends, whatever run.json says. */
		int64_t end_ns = end_s > 0 && !series.damage ? (int64_t)((end_s + shift_s) * 1e9) : 0;
		curve_make(&rss[n], &series, CURVE_RSS, end_ns);
		curve_make(&lazyfree[n], &series, CURVE_LAZYFREE, end_ns);
		note_cross(f, r, &rss[n], shift_s);
		n++;
	}
	if (n) {
		curve_band(rss, n, FIGURE_POINTS, &f->rss);
		if (m->aligned && n > 1)
			hide_start(&f->rss, starts_s, n);
		curve_band(lazyfree, n, FIGURE_POINTS, &f->lazyfree);
	}
	for (size_t i = 0; i < n; i++) {
		curve_done(&rss[i]);
		curve_done(&lazyfree[i]);
	}
	free(rss);
	free(lazyfree);
	free(starts_s);
}

static double band_peak(const struct band *b)
{
	double peak = 0;

	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].max != MISSING && (double)b->v[i].max > peak)
			peak = (double)b->v[i].max;
	return peak;
}

/* ---- marks
 * ------------------------------------------------------------------------------------------------------------------------ */

/* Of a mark that a run has several times, as acts on it may be, each is one; of phases the first alone. */
struct mark_kind {
	const char *name; /* borrowed */
	size_t nth;
	bool act;
	double first_s; /* the median over all runs, for the order */
	const struct campaign_run *of; /* NULL; else its name is what somebody noted later, of this run alone */
};

/* Times of the mark in the runs of a panel, or of all for SIZE_MAX, ascending; *ret_lack: runs that ended well without it. */
static size_t mark_times(const struct figure_model *m, size_t panel, const struct mark_kind *kind, double *ret_t, size_t *ret_lack)
{
	size_t n = 0, lack = 0;

	for (size_t c = 0; c < m->panel_key.n * m->setting_key.n; c++) {
		const struct figure_cell *f = &m->cell[c];

		if (!f->cell || (panel != SIZE_MAX && c / m->setting_key.n != panel))
			continue;
		for (size_t i = 0; i < f->cell->n_runs; i++)
			if (find_mark(f->cell->runs[i]->run, kind->name, kind->nth, &ret_t[n])) {
				ret_t[n] += figure_shift(m, f->cell->runs[i]->run);
				n++;
			} else {
				lack += f->cell->runs[i]->outcome == OUTCOME_OK;
			}
	}
	sort_doubles(ret_t, n);
	if (ret_lack)
		*ret_lack = lack;
	return n;
}

static void add_mark_kind(struct mark_kind *kinds, size_t *n, const struct mark_kind *new)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp(kinds[i].name, new->name) && kinds[i].nth == new->nth && !kinds[i].of && !new->of)
			return;
	/* A phase less, so that an act shows. */
	for (size_t i = *n; new->act && *n == FIGURE_MARKS_MAX && i-- > 0;)
		if (!kinds[i].act) {
			memmove(&kinds[i], &kinds[i + 1], (--*n - i) * sizeof(*kinds));
			break;
		}
	if (*n < FIGURE_MARKS_MAX)
		kinds[(*n)++] = *new;
}

static size_t find_mark_kinds(const struct figure_model *m, struct mark_kind *kinds)
{
	size_t n = 0;

	for (size_t r = 0; r < m->campaign->n_runs; r++) {
		json_t *mark, *marks = json_object_get(m->campaign->runs[r].run, "marks");
		size_t i;

		json_array_foreach(marks, i, mark)
		{
			struct mark_kind new = { .name = json_string_value(json_object_get(mark, "name")) };

			if (!new.name)
				continue;
			new.act = is_act(mark);
			for (size_t k = 0; k < i && new.act; k++) {
				const char *name = json_string_value(json_object_get(json_array_get(marks, k), "name"));
				new.nth += name && !strcmp(name, new.name);
			}
			add_mark_kind(kinds, &n, &new);
		}
	}
	return n;
}

static int by_first(const void *a, const void *b)
{
	double x = ((const struct mark_kind *)a)->first_s, y = ((const struct mark_kind *)b)->first_s;

	return (x > y) - (x < y);
}

/* What lies left of a figure's zero, and the zero itself, the time axis tells; and its end is no mark in it. */
static double shared_time(const struct figure_model *m, const double *t, size_t n, size_t lack)
{
	bool same = n && !lack && t[n - 1 - n / 20] - t[n / 20] < 0.03 * m->span_s;

	return !same || t[n / 2] > 0.99 * m->span_s || (m->aligned && t[n / 2] < m->zero_s + 0.02 * m->span_s) ? NAN : t[n / 2];
}

/* Of all runs; the texts stay in `notes`, one for each run. */
static size_t add_notes(const struct figure_model *m, struct notes *notes, struct mark_kind *kinds, size_t n)
{
	for (size_t r = 0; r < m->campaign->n_runs; r++) {
		const struct campaign_run *run = &m->campaign->runs[r];

		(void)notes_read(run->dir, &notes[r], NULL, NULL);
		for (size_t i = 0; i < notes[r].n; i++)
			add_mark_kind(kinds, &n, &(struct mark_kind){ .name = notes[r].v[i].text, .act = true, .of = run,
								      .first_s = (double)notes[r].v[i].t_ns / 1e9 + figure_shift(m, run->run) });
	}
	return n;
}

/* A note is its run's panel's alone. */
static void place_note(struct figure_model *m, const struct mark_kind *kind, size_t k, size_t n_kinds)
{
	for (size_t c = 0; c < m->panel_key.n * m->setting_key.n; c++)
		for (size_t i = 0; m->cell[c].cell && i < m->cell[c].cell->n_runs; i++)
			if (m->cell[c].cell->runs[i] == kind->of)
				m->mark_t_s[c / m->setting_key.n * n_kinds + k] = kind->first_s;
	m->mark_shared_s[k] = m->campaign->n_runs == 1 ? kind->first_s : NAN;
}

/* t: room for a time of each run */
static void place_mark(struct figure_model *m, const struct mark_kind *kind, size_t k, size_t n_kinds, double *t)
{
	size_t lack, n = mark_times(m, SIZE_MAX, kind, t, &lack);

	m->mark_shared_s[k] = shared_time(m, t, n, lack);
	for (size_t p = 0; p < m->panel_key.n; p++) {
		n = mark_times(m, p, kind, t, NULL);
		m->mark_t_s[p * n_kinds + k] = n ? t[n / 2] : NAN;
	}
}

/* A panel's are the medians over its runs; one release does not come to its marks exactly when another does. */
static void find_marks(struct figure_model *m)
{
	struct mark_kind kinds[FIGURE_MARKS_MAX];
	struct notes *notes = xcalloc(m->campaign->n_runs + 1, sizeof(*notes));
	size_t n_kinds = find_mark_kinds(m, kinds);
	double *t = xcalloc(m->campaign->n_runs + 1, sizeof(*t));

	for (size_t k = 0; k < n_kinds; k++) {
		size_t n = mark_times(m, SIZE_MAX, &kinds[k], t, NULL);
		kinds[k].first_s = n ? t[n / 2] : 0;
	}
	n_kinds = add_notes(m, notes, kinds, n_kinds);
	qsort(kinds, n_kinds, sizeof(*kinds), by_first);
	m->mark_t_s = xcalloc(m->panel_key.n * n_kinds + 1, sizeof(*m->mark_t_s));
	for (size_t i = 0; i < m->panel_key.n * n_kinds; i++)
		m->mark_t_s[i] = NAN;
	for (size_t k = 0; k < n_kinds; k++) {
		strv_push(&m->mark_name, kinds[k].name);
		m->mark_act[k] = kinds[k].act;
		if (kinds[k].of)
			place_note(m, &kinds[k], k, n_kinds);
		else
			place_mark(m, &kinds[k], k, n_kinds, t);
	}
	for (size_t r = 0; r < m->campaign->n_runs; r++)
		notes_done(&notes[r]);
	free(notes);
	free(t);
}

/* At the end, to more than ever before, not by a mere wobble */
static bool band_grows(const struct band *b)
{
	uint64_t peak = 0, before = 0, end = 0;

	for (size_t i = 0; i < b->n; i++) {
		if (b->v[i].median == MISSING)
			continue;
		end = b->v[i].median;
		peak = end > peak ? end : peak;
		before = b->v[i].t_ns <= b->end_ns / 4 * 3 ? peak : before;
	}
	return (double)end > 0.97 * (double)peak && (double)end > 1.03 * (double)before;
}

void figure_curves_read(struct figure_model *m)
{
	size_t n = m->panel_key.n * m->setting_key.n;

	find_time(m);
	for (size_t i = 0; i < n; i++) {
		struct figure_cell *f = &m->cell[i];

		if (!f->cell || !f->cell->n_runs)
			continue;
		read_cell(m, f);
		double peak = band_peak(&f->rss);
		m->y_max = peak > m->y_max ? peak : m->y_max;
		f->grows = band_grows(&f->rss);
		f->shows_lazyfree = band_peak(&f->lazyfree) > 0.02 * peak && peak > 0;
	}
	find_marks(m);
}
