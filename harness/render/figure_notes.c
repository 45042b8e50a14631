/* SPDX-License-Identifier: Apache-2.0
 *
 * What the figures say of a cell, of curves that lie upon each other, and of cells that run alike: a word or two, from the metrics alone.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/units.h"
#include "render/figure_facts.h"
#include "render/figure_parts.h"

const char *figure_failure(enum outcome o)
{
	switch (o) {
	case OUTCOME_EXIT:
		return "exits with an error";
	case OUTCOME_SIGNAL:
		return "dies by a signal";
	case OUTCOME_OOM_CGROUP:
		return "OOM-killed";
	case OUTCOME_OOM_GO:
		return "Go: out of memory";
	case OUTCOME_GO_FATAL:
		return "Go: fatal error";
	case OUTCOME_TIMEOUT:
		return "timeout";
	case OUTCOME_BUILD_FAILED:
		return "build failed";
	case OUTCOME_TOOLCHAIN_MISSING:
		return "toolchain missing";
	case OUTCOME_NOT_APPLICABLE:
		return "not applicable";
	case OUTCOME_NO_PERMISSION:
		return "no permission";
	case OUTCOME_INTERRUPTED:
		return "interrupted";
	case OUTCOME_HARNESS_ERROR:
		return "harness error";
	case OUTCOME_OK:
	case OUTCOME_COUNT_:
		break;
	}
	return "not run";
}

static void put_fall(char *buf, size_t n, const struct figure_facts *f, double t_max_s)
{
	char first[96], range[96];

	if (f->first_to < 0) {
		(void)snprintf(buf, n, "%.0f" NBSP "%% given back", 100 * f->share_from);
		return;
	}
	figure_time_range(first, sizeof(first), f->first_from, f->first_to);
	bool at_once = f->first_to < fmax(1, t_max_s / 100);
	if (f->release_to < 0) {
		(void)snprintf(buf, n, at_once ? "falls at once" : "falls after %s", first);
		return;
	}
	bool ramp = f->release_from - f->first_to > fmax(1, t_max_s / 20);
	figure_time_range(range, sizeof(range), at_once ? f->release_from : f->first_from, f->release_to);
	if (at_once)
		(void)snprintf(buf, n, "falls in %s", range);
	else if (ramp)
		(void)snprintf(buf, n, "ramps down, %s", range);
	else
		(void)snprintf(buf, n, "falls after %s", first);
}

/* What the kernel can have of it is told where it is much, and about as much for all. */
static char *kept_words(const struct figure_facts *f)
{
	char kept[96], size[32];

	figure_size_range(kept, sizeof(kept), f->stays_from, f->stays_to);
	if (f->lazy_from < 0.5 * f->stays_from || f->lazy_from > f->lazy_to || f->lazy_to > 1.3 * f->lazy_from)
		return strf("%s at the end", kept);
	figure_size(size, sizeof(size), f->lazy_from);
	return strf("%s, %s reclaimable", kept, size);
}

static char *behaviour_words(const struct figure_model *m, enum behaviour b, const struct figure_facts *f)
{
	char text[160] = "", size[32];

	/* Where that counts: of what goes on growing, or falls a little, no fall is told. */
	if (m->keeps && isfinite(f->stays_from) && (b == BEHAVIOUR_HELD || (b == BEHAVIOUR_FALLS && f->share_to < 0.5)))
		return kept_words(f);
	switch (b) {
	case BEHAVIOUR_HELD:
		if (f->lazy_from < 0.05 * f->stays_from || f->lazy_from > f->lazy_to)
			return xstrdup("held");
		figure_size(size, sizeof(size), f->lazy_from);
		return strf("held, %s reclaimable", size);
	case BEHAVIOUR_FALLS:
		put_fall(text, sizeof(text), f, m->span_s);
		if (!f->stays || f->stays_to < 0)
			return xstrdup(text);
		figure_size(size, sizeof(size), f->stays_to);
		return strf("%s, to %s", text, size);
	case BEHAVIOUR_KEPT:
		return kept_words(f);
	case BEHAVIOUR_MOVING:
		return xstrdup(f->grows ? "still growing" : "not settled");
	case BEHAVIOUR_FAILED:
	case BEHAVIOUR_NONE:
	case BEHAVIOUR_COUNT_:
		break;
	}
	return xstrdup("");
}

char *figure_note(const struct figure_model *m, const struct figure_cell *c)
{
	struct figure_facts f = FIGURE_FACTS_INIT;
	char time[32];

	if (!c->rss.n)
		return xstrdup(c->behaviour == BEHAVIOUR_FAILED ? figure_failure(c->outcome) : "");
	if (c->n_failed) {
		cleanup_free char *words = xstrdup(figure_failure(c->outcome));
		if (c->cross) {
			figure_time(time, sizeof(time), c->cross_after_s);
			free(words);
			words = strf("%s after %s", figure_failure(c->outcome), time);
		}
		return c->n_failed == c->cell->n_runs ? TAKE(words) : strf("%zu of %zu %s", c->n_failed, c->cell->n_runs, words);
	}
	figure_facts_add(&f, c);
	return behaviour_words(m, c->behaviour, &f);
}

char *figure_note_of_group(const struct figure_model *m, int group)
{
	struct figure_facts f = FIGURE_FACTS_INIT;
	cleanup_strv struct strv notes = STRV_INIT;
	enum behaviour b = BEHAVIOUR_NONE;
	bool alike = true, settled = true, ended = true;
	double from = INFINITY, to = -INFINITY;
	enum outcome outcome = OUTCOME_OK;
	char time[96];

	for (size_t i = 0; i < m->panel_key.n * m->setting_key.n; i++) {
		const struct figure_cell *c = &m->cell[i];

		if (c->group != group)
			continue;
		if (*c->note && !strv_contains(&notes, c->note))
			strv_push(&notes, c->note);
		/* What was broken off by hand says nothing about the others. */
		if (m->keeps && c->outcome == OUTCOME_INTERRUPTED && isnan(c->settled))
			continue;
		ended &= c->cross && c->n_failed == c->cell->n_runs && (outcome == OUTCOME_OK || outcome == c->outcome);
		outcome = c->outcome;
		figure_widen(&from, &to, c->cross_after_s);
		alike &= !c->n_failed && (b == BEHAVIOUR_NONE || c->behaviour == b);
		settled &= !c->n_failed && !isnan(c->settled);
		b = c->behaviour;
		figure_facts_add(&f, c);
	}
	if (notes.n < 2)
		return xstrdup(notes.n ? notes.v[0] : "");
	if (ended && from <= to) {
		figure_time_range(time, sizeof(time), from, to);
		return strf("%s after %s", figure_failure(outcome), time);
	}
	if (!alike && !(m->keeps && settled && f.stays_from <= f.stays_to))
		return strf("%s; %s", notes.v[0], notes.v[1]);
	return behaviour_words(m, alike ? b : BEHAVIOUR_KEPT, &f);
}

/* The names of more have no room above a panel, where their colours stand anyway. */
#define HEAP_NAMES_MAX 32

/* One note for the curves of a panel that lie upon each other; NULL where they ended too differently for it. */
static char *note_of_heap(const struct figure_model *m, size_t panel, int heap)
{
	struct figure_facts f = FIGURE_FACTS_INIT;
	cleanup_strv struct strv names = STRV_INIT;
	enum behaviour b = BEHAVIOUR_NONE;
	const char *note = NULL;
	double top = NAN;
	bool same = true;

	for (size_t s = 0; s < m->setting_key.n; s++) {
		const struct figure_cell *c = figure_cell_at(m, panel, s);

		if (c->heap != heap)
			continue;
		same &= !note || !strcmp(note, c->note);
		note = c->note;
		/* Whoever drops it or not: it is there at the end. */
		b = b == BEHAVIOUR_NONE || b == c->behaviour ? c->behaviour : BEHAVIOUR_KEPT;
		if (c->n_failed || isnan(c->settled))
			b = BEHAVIOUR_COUNT_;
		figure_facts_add(&f, c);
		/* They are about equal: one number does. */
		top = isnan(top) ? c->settled : top;
		strv_push(&names, m->setting_name.v[s]);
	}
	f.stays_from = f.stays_to = isnan(top) ? f.stays_to : top;
	if (!same && b == BEHAVIOUR_COUNT_)
		return NULL;
	cleanup_free char *list = strv_join(&names, ", "), *words = same ? xstrdup(note) : behaviour_words(m, b, &f);
	return strlen(list) > HEAP_NAMES_MAX ? TAKE(words) : strf("%s: %s", list, words);
}

void figure_panel_notes_find(struct figure_model *m)
{
	for (size_t i = 0; i < m->panel_key.n * m->setting_key.n; i++) {
		struct figure_cell *c = &m->cell[i];

		if (c->heap)
			c->panel_note = note_of_heap(m, i / m->setting_key.n, c->heap);
		if (!c->panel_note)
			c->panel_note = xstrdup(c->note);
	}
}

char *figure_panel_says(const struct figure_model *m, size_t panel)
{
	const char *says = NULL;

	for (size_t s = 0; s < m->setting_key.n; s++) {
		const struct figure_cell *c = figure_cell_at(m, panel, s);

		if (c->rss.n)
			return xstrdup("");
		if (!says || c->behaviour == BEHAVIOUR_FAILED)
			says = c->behaviour == BEHAVIOUR_FAILED ? figure_failure(c->outcome)
			       : c->why_not                     ? "not applicable"
								: "not run";
	}
	return xstrdup(says ? says : "");
}

char *figure_heat_text(const struct figure_model *m, const struct figure_cell *c)
{
	if (m->keeps && !isnan(c->settled)) {
		char size[32];
		double mib = c->settled / (double)MIB;

		/* Two digits: beside each other they are all of one size. */
		if (mib < 1000)
			return strf("%.*f" NBSP "MB", mib < 9.95 ? 1 : 0, mib);
		figure_size(size, sizeof(size), c->settled);
		return xstrdup(size);
	}
	if (!m->keeps && !isnan(c->share))
		/* 99.8 % is not all. */
		return strf(c->share >= 0.995 && c->share < 1 ? "%.1f" NBSP "%%" : "%.0f" NBSP "%%",
			    fmin(100 * fmax(c->share, 0), c->share < 1 ? 99.9 : 100));
	if (c->why_not)
		return xstrdup(strstr(c->why_not, "does not know") || strstr(c->why_not, "later do") ? "no knob"
			       : strstr(c->why_not, "default")                                       ? "= default"
												     : "n/a");
	if (c->behaviour == BEHAVIOUR_FAILED)
		return xstrdup(figure_failure(c->outcome));
	return xstrdup(c->behaviour == BEHAVIOUR_MOVING ? "not settled" : "not run");
}

char *figure_heat_sub(const struct figure_model *m, const struct figure_cell *c)
{
	char time[32];

	if (isnan(m->keeps ? c->settled : c->share))
		return xstrdup("");
	if (c->n_failed)
		return strf("%zu of %zu failed", c->n_failed, c->cell->n_runs);
	if (m->keeps)
		return xstrdup(c->lazyfree_settled > 0.5 * c->settled ? "LazyFree" : "");
	if (c->behaviour == BEHAVIOUR_HELD)
		return xstrdup(c->lazyfree_settled > 0.05 * c->peak ? "LazyFree" : "held");
	if (isnan(c->release_s) && isnan(c->first_fall_s))
		return xstrdup("");
	figure_time(time, sizeof(time), isnan(c->release_s) ? c->first_fall_s : c->release_s);
	return xstrdup(time);
}
