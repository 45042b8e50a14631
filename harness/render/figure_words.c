/* SPDX-License-Identifier: Apache-2.0
 *
 * What the figures say: every word follows from the metrics, by the same few rules for every campaign.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/units.h"
#include "render/figure_parts.h"
#include "render/table.h"

/* Keeps a number and its unit on one line. */
#define NBSP "\u00a0"

/* Three digits at most: "80 ms", "2.4 s", "3 min", "4.5 min". The figures give the order, the table the digits. */
static void put_time(char *buf, size_t n, double s)
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

/* "0.08 to 0.31 s", "3 to 9 min", "0.5 s to 3 min", "0.1 s" */
static void put_time_range(char *buf, size_t n, double from, double to)
{
	char a[32], b[32];

	put_time(a, sizeof(a), from);
	put_time(b, sizeof(b), to);
	if (!strcmp(a, b)) {
		(void)snprintf(buf, n, "%s", a);
		return;
	}
	char *unit_a = strstr(a, NBSP), *unit_b = strstr(b, NBSP);
	if (unit_a && unit_b && !strcmp(unit_a, unit_b))
		*unit_a = 0;
	(void)snprintf(buf, n, "%s to %s", a, b);
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

/* ---- a cell
 * ----------------------------------------------------------------------------------------------------------------------- */

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

/* "66.8 MB", "16.1 to 18.2 MB" */
static void put_size_range(char *buf, size_t n, double from, double to)
{
	char a[32], b[32];

	figure_size(a, sizeof(a), from);
	figure_size(b, sizeof(b), to);
	if (!strcmp(a, b)) {
		(void)snprintf(buf, n, "%s", b);
		return;
	}
	char *unit_a = strstr(a, NBSP), *unit_b = strstr(b, NBSP);
	if (unit_a && unit_b && !strcmp(unit_a, unit_b))
		*unit_a = 0;
	(void)snprintf(buf, n, "%s to %s", a, b);
}

/* Numbers of one cell, or the range over a group of them */
struct facts {
	double first_from, first_to, release_from, release_to, stays_from, stays_to, lazy_from, lazy_to, share_from, share_to;
	bool stays; /* a good part remains */
	bool grows; /* all do, where they do not settle */
};

#define FACTS_INIT                                                                                                             \
	{                                                                                                                      \
		INFINITY, -INFINITY, INFINITY, -INFINITY, INFINITY, -INFINITY, INFINITY, -INFINITY, INFINITY, -INFINITY, false, true \
	}

static void widen(double *from, double *to, double v)
{
	if (!isnan(v)) {
		*from = fmin(*from, v);
		*to = fmax(*to, v);
	}
}

static void add_facts(struct facts *f, const struct figure_cell *c)
{
	widen(&f->first_from, &f->first_to, c->first_fall_s);
	widen(&f->release_from, &f->release_to, c->release_s);
	widen(&f->stays_from, &f->stays_to, c->settled);
	widen(&f->lazy_from, &f->lazy_to, isnan(c->lazyfree_settled) ? 0 : c->lazyfree_settled);
	widen(&f->share_from, &f->share_to, c->share);
	/* NAN compares false */
	f->stays |= c->share < 0.9;
	f->grows &= c->grows;
}

static void put_fall(char *buf, size_t n, const struct facts *f, double t_max_s)
{
	char first[96], range[96];

	if (f->first_to < 0) {
		(void)snprintf(buf, n, "%.0f" NBSP "%% given back", 100 * f->share_from);
		return;
	}
	put_time_range(first, sizeof(first), f->first_from, f->first_to);
	bool at_once = f->first_to < fmax(1, t_max_s / 100);
	if (f->release_to < 0) {
		(void)snprintf(buf, n, at_once ? "falls at once" : "falls after %s", first);
		return;
	}
	bool ramp = f->release_from - f->first_to > fmax(1, t_max_s / 20);
	put_time_range(range, sizeof(range), at_once ? f->release_from : f->first_from, f->release_to);
	if (at_once)
		(void)snprintf(buf, n, "falls in %s", range);
	else if (ramp)
		(void)snprintf(buf, n, "ramps down, %s", range);
	else
		(void)snprintf(buf, n, "falls after %s", first);
}

/* What the kernel can have of it is told where it is much, and about as much for all. */
static char *kept_words(const struct facts *f)
{
	char kept[96], size[32];

	put_size_range(kept, sizeof(kept), f->stays_from, f->stays_to);
	if (f->lazy_from < 0.5 * f->stays_from || f->lazy_from > f->lazy_to || f->lazy_to > 1.3 * f->lazy_from)
		return strf("%s at the end", kept);
	figure_size(size, sizeof(size), f->lazy_from);
	return strf("%s, %s reclaimable", kept, size);
}

static char *behaviour_words(const struct figure_model *m, enum behaviour b, const struct facts *f)
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
	struct facts f = FACTS_INIT;
	char time[32];

	if (!c->rss.n)
		return xstrdup(c->behaviour == BEHAVIOUR_FAILED ? figure_failure(c->outcome) : "");
	if (c->n_failed) {
		cleanup_free char *words = xstrdup(figure_failure(c->outcome));
		if (c->cross) {
			put_time(time, sizeof(time), c->cross_after_s);
			free(words);
			words = strf("%s after %s", figure_failure(c->outcome), time);
		}
		return c->n_failed == c->cell->n_runs ? TAKE(words) : strf("%zu of %zu %s", c->n_failed, c->cell->n_runs, words);
	}
	add_facts(&f, c);
	return behaviour_words(m, c->behaviour, &f);
}

char *figure_note_of_group(const struct figure_model *m, int group)
{
	struct facts f = FACTS_INIT;
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
		widen(&from, &to, c->cross_after_s);
		alike &= !c->n_failed && (b == BEHAVIOUR_NONE || c->behaviour == b);
		settled &= !c->n_failed && !isnan(c->settled);
		b = c->behaviour;
		add_facts(&f, c);
	}
	if (notes.n < 2)
		return xstrdup(notes.n ? notes.v[0] : "");
	if (ended && from <= to) {
		put_time_range(time, sizeof(time), from, to);
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
	struct facts f = FACTS_INIT;
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
		add_facts(&f, c);
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
	put_time(time, sizeof(time), isnan(c->release_s) ? c->first_fall_s : c->release_s);
	return xstrdup(time);
}

/* ---- lists
 * ------------------------------------------------------------------------------------------------------------------------ */

char *figure_panel_list(const struct figure_model *m, const bool *in)
{
	cleanup_strv struct strv parts = STRV_INIT;

	for (size_t p = 0; p < m->panel_key.n; p++) {
		size_t last = p;

		if (!in[p])
			continue;
		while (last + 1 < m->panel_key.n && in[last + 1])
			last++;
		if (last > p + 1) {
			strv_pushf(&parts, "%s" NBSP "to" NBSP "%s", m->panel_short.v[p], m->panel_short.v[last]);
			p = last;
		} else {
			strv_push(&parts, m->panel_short.v[p]);
		}
	}
	cleanup_free char *last = parts.n > 1 ? strf(" and %s", parts.v[parts.n - 1]) : xstrdup("");
	if (parts.n > 1)
		free(parts.v[--parts.n]);
	cleanup_free char *list = parts.n ? strv_join(&parts, ", ") : xstrdup("");
	return strf("%s%s%s", strcmp(m->panel_axis, "go") ? "" : "Go" NBSP, list, last);
}

static size_t count_true(const bool *in, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += in[i];
	return count;
}

/* What one setting has in the group: "Go 1.12 to 1.15 with GODEBUG=madvdontneed=1"; "" where it has nothing. */
static char *group_part(const struct figure_model *m, int group, size_t setting)
{
	bool *in = xcalloc(m->panel_key.n + 1, sizeof(*in)), contrast = false;
	size_t drawn = 0;

	for (size_t p = 0; p < m->panel_key.n; p++) {
		const struct figure_cell *c = figure_cell_at(m, p, setting);

		drawn += c->group > 0;
		in[p] = c->group == group;
		for (size_t s = 0; in[p] && s < m->setting_key.n; s++)
			contrast |= figure_cell_at(m, p, s)->group > 0 && figure_cell_at(m, p, s)->group != group;
	}
	size_t n = count_true(in, m->panel_key.n);
	cleanup_free char *list = figure_panel_list(m, in);
	const char *name = m->setting_name.v[setting];

	free(in);
	if (!n)
		return xstrdup("");
	if (m->setting_key.n == 1)
		return TAKE(list);
	if (n == drawn && (m->by_variant || (drawn > 1 && n == m->panel_key.n)))
		return xstrdup(name);
	if (m->by_variant)
		return strf("%s, %s", name, list);
	if (!strcmp(name, "default settings"))
		return contrast ? strf("%s by default", list) : TAKE(list);
	return strf("%s with %s", list, name);
}

static void name_groups(struct figure_model *m)
{
	for (size_t g = 0; g < m->n_groups; g++) {
		cleanup_strv struct strv parts = STRV_INIT;

		for (size_t s = 0; s < m->setting_key.n; s++) {
			cleanup_free char *part = group_part(m, (int)g + 1, s);
			if (*part)
				strv_push(&parts, part);
		}
		m->group[g].name = parts.n ? strv_join(&parts, "; ") : xstrdup("");
		m->group[g].note = figure_note_of_group(m, (int)g + 1);
	}
}

/* ---- the headline
 * ----------------------------------------------------------------------------------------------------------------- */

struct side {
	bool *in; /* owned: panels whose first setting behaves so */
	size_t n;
	struct facts facts;
	double peak;
};

static void take_side(const struct figure_model *m, struct side *s, enum behaviour b, int outcome)
{
	*s = (struct side){ xcalloc(m->panel_key.n + 1, sizeof(bool)), 0, FACTS_INIT, 0 };
	for (size_t p = 0; p < m->panel_key.n; p++) {
		const struct figure_cell *c = figure_cell_at(m, p, 0);

		s->in[p] = c->behaviour == b && (outcome < 0 || (int)c->outcome == outcome);
		if (!s->in[p])
			continue;
		s->n++;
		add_facts(&s->facts, c);
		/* The headline says "within": that holds for every run. */
		widen(&s->facts.release_from, &s->facts.release_to, c->release_worst_s);
		s->peak = fmax(s->peak, isnan(c->peak) ? 0 : c->peak);
	}
}

/* "Go 1.12 to 1.15", "the other 13 releases", "all 17 releases" */
static char *subject(const struct figure_model *m, const struct side *s, size_t said_before)
{
	const char *noun = strcmp(m->panel_axis, "go") ? "settings" : "releases";
	size_t all = m->panel_key.n;

	if (s->n == all && all > 2)
		return strf("All %zu %s", all, noun);
	if (said_before && said_before + s->n == all && s->n > 2)
		return strf("the other %zu %s", s->n, noun);
	return figure_panel_list(m, s->in);
}

static void say_held(const struct figure_model *m, const struct side *s, struct strv *clauses)
{
	cleanup_free char *who = subject(m, s, 0);
	char size[96];
	bool other_settings = false;

	for (size_t p = 0; p < m->panel_key.n; p++)
		for (size_t k = 1; s->in[p] && k < m->setting_key.n; k++)
			other_settings |= figure_cell_at(m, p, k)->behaviour == BEHAVIOUR_FALLS;
	if (s->facts.stays_to > 0)
		put_size_range(size, sizeof(size), s->facts.stays_from, s->facts.stays_to);
	else
		figure_size(size, sizeof(size), s->peak);
	strv_pushf(clauses, "%s %s %s resident%s", who, s->n == 1 ? "keeps" : "keep", size, other_settings ? " by default" : "");
}

static void say_falls(const struct figure_model *m, const struct side *s, size_t said_before, bool held, struct strv *clauses)
{
	cleanup_free char *who = subject(m, s, said_before);
	char when[96], size[32];
	const struct facts *f = &s->facts;
	bool at_once = f->first_to < fmax(1, m->span_s / 100);
	cleanup_free char *what = NULL;

	figure_size(size, sizeof(size), fmax(s->peak - fmax(f->stays_from, 0), 0));
	what = held || !isfinite(f->stays_from) ? xstrdup("it") : xstrdup(size);
	if (at_once && f->release_to >= 0) {
		put_time(when, sizeof(when), f->release_to);
		strv_pushf(clauses, "%s %s %s back within %s", who, s->n == 1 ? "gives" : "give", what, when);
	} else if (f->first_to >= 0) {
		put_time_range(when, sizeof(when), f->first_from, f->first_to);
		strv_pushf(clauses, "%s %s %s back after %s", who, s->n == 1 ? "gives" : "give", what, when);
	} else {
		strv_pushf(clauses, "%s %s %s back", who, s->n == 1 ? "gives" : "give", what);
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* With numbers and their units, and "Go" and its release, on one line. Caller frees. */
static char *unbroken(const char *text)
{
	char *ret = xcalloc(2 * strlen(text) + 1, 1), *to = ret;

	for (const char *c = text; *c; c++) {
		bool unit = c > text && is_digit(c[-1]) && strlen(c) > 2 && c[2] == 'B';
		bool release = c > text + 1 && !strncmp(c - 2, "Go", 2) && is_digit(c[1]);

		if (*c == ' ' && (unit || release))
			to = stpcpy(to, NBSP);
		else
			*to++ = *c;
	}
	return ret;
}

/* From the first setting alone: that is what people meet unless they change something. */
static char *headline(const struct figure_model *m)
{
	const char *question = json_string_value(json_object_get(m->campaign->info, "title"));
	cleanup_strv struct strv clauses = STRV_INIT;
	struct side oom, held, falls;

	if (m->keeps) {
		cleanup_free char *kept = headline_of_what_is_kept(m->campaign);

		return *kept || !question ? unbroken(kept) : xstrdup(question);
	}
	take_side(m, &oom, BEHAVIOUR_FAILED, OUTCOME_OOM_CGROUP);
	take_side(m, &held, BEHAVIOUR_HELD, -1);
	take_side(m, &falls, BEHAVIOUR_FALLS, -1);
	if (oom.n) {
		cleanup_free char *who = subject(m, &oom, 0);
		strv_pushf(&clauses, "%s %s OOM-killed", who, oom.n == 1 ? "is" : "are");
	}
	if (held.n)
		say_held(m, &held, &clauses);
	if (falls.n)
		say_falls(m, &falls, oom.n + held.n, held.n > 0, &clauses);
	free(oom.in);
	free(held.in);
	free(falls.in);
	return clauses.n ? strv_join(&clauses, "; ") : xstrdup(question ? question : "Resident memory");
}

/* ---- how it was got
 * --------------------------------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

char *figure_limit_name(uint64_t limit_bytes)
{
	char size[32];

	if (!limit_bytes)
		return xstrdup("");
	figure_size(size, sizeof(size), (double)limit_bytes);
	return strf("limit" NBSP "%s", size);
}

/* "6.18" of "6.18.44-cloud-amd64": the source line has it whole. Caller frees. */
static char *kernel_series(const char *release)
{
	size_t major = strspn(release, "0123456789"),
	       minor = release[major] == '.' ? strspn(release + major + 1, "0123456789") : 0;

	return strf("%.*s", (int)(minor ? major + 1 + minor : strlen(release)), release);
}

char *figure_kernel(const struct figure_model *m)
{
	return kernel_series(text_of(json_object_get(m->campaign->info, "host"), "kernel"));
}

static char *say_subtitle(const struct figure_model *m)
{
	const json_t *info = m->campaign->info;
	const char *question = text_of(info, "title");
	/* The headline may be the question itself. */
	bool asked = *question && strcmp(question, m->title);
	cleanup_free char *limit = figure_limit_name(m->limit_bytes),
			  *kernel = figure_kernel(m);
	cleanup_free char *left_out = m->settings_left_out ? strf(" The first %d of %zu settings.", FIGURE_SETTINGS_MAX,
								  FIGURE_SETTINGS_MAX + m->settings_left_out)
							   : xstrdup("");

	return strf("%s%sScenario %s, %s clock, %u" NBSP "run%s a cell%s%s, Linux" NBSP "%s.%s", asked ? question : "",
		    asked ? " " : "", text_of(info, "scenario"), m->real_clock ? "real" : "virtual", m->repeats,
		    m->repeats == 1 ? "" : "s", *limit ? ", " : "", limit, kernel, left_out);
}

/* "21 November 2026" of "2026-11-21T06:14:00Z" */
static void put_date(char *buf, size_t n, const char *started)
{
	struct tm tm = { 0 };

	if (!strptime(started, "%Y-%m-%d", &tm) || strftime(buf, n, "%-d %B %Y", &tm) == 0)
		(void)snprintf(buf, n, "%s", started);
}

static char *say_source(const struct figure_model *m)
{
	const json_t *info = m->campaign->info, *host = json_object_get(info, "host");
	char memory[32], date[64];
	json_int_t bytes = json_integer_value(json_object_get(host, "memory_bytes"));
	const char *slash = strrchr(m->campaign->dir, '/');
	const char *name = *text_of(info, "name") ? text_of(info, "name") : slash ? slash + 1 : m->campaign->dir;
	cleanup_strv struct strv parts = STRV_INIT;

	strv_pushf(&parts, "memtide %s", text_of(json_object_get(info, "memtide"), "version"));
	put_date(date, sizeof(date), text_of(info, "started"));
	strv_pushf(&parts, "%s", date);
	if (bytes > 0) {
		figure_size(memory, sizeof(memory), (double)bytes);
		strv_pushf(&parts, "Linux %s %s, %lld CPUs, %s", text_of(host, "kernel"), text_of(host, "machine"),
			   (long long)json_integer_value(json_object_get(host, "cpus")), memory);
	}
	json_int_t version = json_integer_value(json_object_get(info, "cgroup_version"));
	if (version > 0)
		strv_pushf(&parts, "cgroup v%lld", (long long)version);
	strv_pushf(&parts, "campaign %s", name);
	return strv_join(&parts, " · ");
}

void figure_words_find(struct figure_model *m)
{
	name_groups(m);
	m->title = headline(m);

	cleanup_free char *how = say_subtitle(m);
	m->subtitle = strf("%s%s", how, m->aligned ? " Time" NBSP "0: the memory is dropped." : "");
	m->heatmap_subtitle = strf("Each cell: %s. %s",
				   m->keeps ? "what is resident at the end of the run"
					    : "the share of the memory that was given back, and in what time",
				   how);
	m->source = say_source(m);
}
