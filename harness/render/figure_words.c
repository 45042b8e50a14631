/* SPDX-License-Identifier: Apache-2.0
 *
 * What the figures say of a campaign: its title and what stands below it, and the names of the curves. As with the notes (figure_notes.c)
 * every word follows from the metrics, by the same few rules for every campaign.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "render/figure_facts.h"
#include "render/figure_parts.h"
#include "render/table.h"

/* ---- lists ------------------------------------------------------------------------------------------------------------------- */

/* Of the panels from first on, as many as have the same part. */
static char *list_of_part(const struct figure_model *m, const bool *in, size_t first, size_t n)
{
	cleanup_strv struct strv parts = STRV_INIT;

	for (size_t p = first; p < first + n; p++) {
		size_t last = p;

		if (!in[p])
			continue;
		while (last + 1 < first + n && in[last + 1])
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

char *figure_panel_list(const struct figure_model *m, const bool *in)
{
	cleanup_strv struct strv lists = STRV_INIT;
	size_t n;

	for (size_t first = 0; first < m->panel_key.n; first += n) {
		size_t n_in = in[first];

		for (n = 1; first + n < m->panel_key.n && !strcmp(m->panel_part.v[first + n], m->panel_part.v[first]); n++)
			n_in += in[first + n];
		cleanup_free char *list = list_of_part(m, in, first, n);

		if (n_in && *m->panel_part.v[first])
			strv_pushf(&lists, "%s%s%s", n_in < n ? list : "", n_in < n ? ", " : "", m->panel_part.v[first]);
		else if (n_in)
			strv_push(&lists, list);
	}
	return lists.n ? strv_join(&lists, "; ") : list_of_part(m, in, 0, 0);
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

/* The panels that all settings have in the group, where they have the same ones; "" where they do not. */
static char *group_of_all_settings(const struct figure_model *m, int group)
{
	cleanup_free bool *in = xcalloc(m->panel_key.n + 1, sizeof(*in));

	for (size_t p = 0; p < m->panel_key.n; p++) {
		in[p] = figure_cell_at(m, p, 0)->group == group;
		for (size_t s = 1; s < m->setting_key.n; s++)
			if ((figure_cell_at(m, p, s)->group == group) != in[p])
				return xstrdup("");
	}
	return figure_panel_list(m, in);
}

static void name_groups(struct figure_model *m)
{
	for (size_t g = 0; g < m->n_groups; g++) {
		cleanup_strv struct strv parts = STRV_INIT;
		cleanup_free char *all = m->by_variant ? xstrdup("") : group_of_all_settings(m, (int)g + 1);

		if (*all)
			strv_push(&parts, all);
		for (size_t s = 0; !*all && s < m->setting_key.n; s++) {
			cleanup_free char *part = group_part(m, (int)g + 1, s);
			if (*part)
				strv_push(&parts, part);
		}
		m->group[g].name = parts.n ? strv_join(&parts, "; ") : xstrdup("");
		m->group[g].note = figure_note_of_group(m, (int)g + 1);
	}
}

/* ---- the headline ------------------------------------------------------------------------------------------------------------ */

struct side {
	bool *in; /* owned: panels whose first setting behaves so */
	size_t n;
	struct figure_facts facts;
	double peak;
};

static void take_side(const struct figure_model *m, struct side *s, enum behaviour b, int outcome)
{
	*s = (struct side){ xcalloc(m->panel_key.n + 1, sizeof(bool)), 0, FIGURE_FACTS_INIT, 0 };
	for (size_t p = 0; p < m->panel_key.n; p++) {
		const struct figure_cell *c = figure_cell_at(m, p, 0);

		s->in[p] = c->behaviour == b && (outcome < 0 || (int)c->outcome == outcome);
		if (!s->in[p])
			continue;
		s->n++;
		figure_facts_add(&s->facts, c);
		/* The headline says "within": that holds for every run. */
		figure_widen(&s->facts.release_from, &s->facts.release_to, c->release_worst_s);
		s->peak = fmax(s->peak, isnan(c->peak) ? 0 : c->peak);
	}
}

/* "Go 1.12 to 1.15", "the other 13 releases", "all 17 releases" */
static char *subject(const struct figure_model *m, const struct side *s, size_t said_before)
{
	const char *noun = *m->part_axis ? "cells" : strcmp(m->panel_axis, "go") ? "settings" : "releases";
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
		figure_size_range(size, sizeof(size), s->facts.stays_from, s->facts.stays_to);
	else
		figure_size(size, sizeof(size), s->peak);
	strv_pushf(clauses, "%s %s %s resident%s", who, s->n == 1 ? "keeps" : "keep", size, other_settings ? " by default" : "");
}

/* "206 MB", and where some keep a good part of it, "107 to 206 MB" */
static void put_given_back(char *buf, size_t n, const struct side *s)
{
	const struct figure_facts *f = &s->facts;
	double most = fmax(s->peak - fmax(f->stays_from, 0), 0), least = fmax(s->peak - fmax(f->stays_to, 0), 0);

	figure_size_range(buf, n, least < 0.9 * most ? least : most, most);
}

static void say_falls(const struct figure_model *m, const struct side *s, size_t said_before, bool held, struct strv *clauses)
{
	cleanup_free char *who = subject(m, s, said_before);
	char when[96], size[96];
	const struct figure_facts *f = &s->facts;
	bool at_once = f->first_to < fmax(1, m->span_s / 100);
	cleanup_free char *what = NULL;

	put_given_back(size, sizeof(size), s);
	what = held || !isfinite(f->stays_from) ? xstrdup("it") : xstrdup(size);
	if (at_once && f->release_to >= 0) {
		figure_time(when, sizeof(when), f->release_to);
		strv_pushf(clauses, "%s %s %s back within %s", who, s->n == 1 ? "gives" : "give", what, when);
	} else if (f->first_to >= 0) {
		figure_time_range(when, sizeof(when), f->first_from, f->first_to);
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

/* ---- how it was got ---------------------------------------------------------------------------------------------------------- */

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
	cleanup_free char *left_out = m->settings_left_out ? strf(" The first %d of %zu settings: there are no more colours.", FIGURE_SETTINGS_MAX,
								  FIGURE_SETTINGS_MAX + m->settings_left_out)
							   : xstrdup("");

	return strf("%s%sScenario %s, %s clock, %u" NBSP "run%s a cell%s%s%s%s, Linux" NBSP "%s.%s", asked ? question : "",
		    asked ? " " : "", text_of(info, "scenario"), m->real_clock ? "real" : "virtual", m->repeats,
		    m->repeats == 1 ? "" : "s", *limit ? ", " : "", limit, *m->everywhere ? ", " : "", m->everywhere, kernel, left_out);
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
