/* SPDX-License-Identifier: Apache-2.0
 *
 * What a campaign's table shows, in words: releases that do the same under a setting are one group, a group is one clause.
 * What was given back comes last, since "all others" says most of it.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/units.h"
#include "render/table.h"
#include "render/table_parts.h"
#include "render/wrap.h"

/* Releases of one setting with one conduct. */
struct group {
	enum conduct conduct;
	size_t setting; /* index in rows.settings */
	const char *setting_text;
	bool is_default, only_setting;
	bool *in; /* owned: by release */
	size_t n;
	struct folded v[ROW_VALUE_COUNT_]; /* smallest and largest of all its runs; n: rows that have it */
	double dropped_min, dropped_max;   /* peak - baseline */
	bool every_run;                    /* of those with CONDUCT_OOM or CONDUCT_FAILED: no run ended well */
	enum outcome outcome;              /* the first that is not ok */
	bool expected;                     /* and the scenario says so */
};

struct groups {
	struct group *v; /* owned */
	size_t n;
};

static enum outcome first_bad(const struct row *r)
{
	for (size_t i = 0; i < r->cell->n_runs; i++)
		if (r->cell->runs[i]->outcome != OUTCOME_OK && r->cell->runs[i]->outcome != OUTCOME_INTERRUPTED)
			return r->cell->runs[i]->outcome;
	return OUTCOME_OK;
}

/* "outcome == go-fatal" holds. */
static bool expects_outcome(const struct row *r)
{
	const json_t *e;
	size_t n;

	for (size_t i = 0; i < r->cell->n_runs; i++) {
		json_array_foreach(json_object_get(r->cell->runs[i]->run, "expectations"), n, e)
		{
			const char *that = json_string_value(json_object_get(e, "that"));

			if (r->cell->runs[i]->outcome != OUTCOME_OK && that && !strncmp(that, "outcome", 7) &&
			    json_is_true(json_object_get(e, "holds")))
				return true;
		}
	}
	return false;
}

static void add_row(struct group *g, const struct row *r)
{
	g->in[r->release] = true;
	g->n++;
	for (int v = 0; v < ROW_VALUE_COUNT_; v++)
		folded_widen(&g->v[v], &r->v[v]);
	if (r->outcomes[OUTCOME_OK])
		g->every_run = false;
	if (r->v[ROW_PEAK].n && r->v[ROW_BASELINE].n) {
		double dropped = r->v[ROW_PEAK].median - r->v[ROW_BASELINE].median;

		g->dropped_min = fmin(g->dropped_min, dropped);
		g->dropped_max = fmax(g->dropped_max, dropped);
	}
}

/* Of memory that nobody said to be dropped it is told what is kept. */
static enum conduct told_as(const struct row *r)
{
	return row_drops_nothing(r) && r->conduct == CONDUCT_LAZYFREE ? CONDUCT_OTHER : r->conduct;
}

static struct groups make_groups(const struct rows *rows)
{
	struct groups l = { xcalloc(rows->n + 1, sizeof(*l.v)), 0 };

	for (size_t i = 0; i < rows->n; i++) {
		const struct row *r = &rows->v[i];
		struct group *g = NULL;

		if (r->conduct == CONDUCT_NONE || !r->applicable)
			continue;
		for (size_t k = 0; k < l.n && !g; k++)
			if (l.v[k].conduct == told_as(r) && !strcmp(l.v[k].setting_text, r->setting) &&
			    l.v[k].outcome == first_bad(r) && l.v[k].expected == expects_outcome(r))
				g = &l.v[k];
		if (!g) {
			g = &l.v[l.n++];
			*g = (struct group){ .conduct = told_as(r),
					     .setting_text = r->setting,
					     .is_default = r->is_default,
					     .only_setting = rows->settings.n == 1,
					     .in = xcalloc(rows->releases.n + 1, sizeof(bool)),
					     .dropped_min = INFINITY,
					     .dropped_max = -INFINITY,
					     .every_run = true,
					     .outcome = first_bad(r),
					     .expected = expects_outcome(r) };
			while (strcmp(rows->settings.v[g->setting], r->setting))
				g->setting++;
		}
		add_row(g, r);
	}
	return l;
}

static void groups_done(struct groups *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].in);
	free(l->v);
}

/* ---- words
 * ------------------------------------------------------------------------------------------------------------------------ */

/* "2 s" of "2.00 s": digits that align a table say nothing in running text. */
static void drop_zeros(char *text)
{
	char *dot = strchr(text, '.'), *unit = strchr(text, ' ');

	if (dot && unit && strspn(dot + 1, "0") == (size_t)(unit - dot - 1))
		memmove(dot, unit, strlen(unit) + 1);
}

/* "826 MB"; "820 to 1023 MB" where they are 2 % apart. */
static char *size_words(double min, double max)
{
	char a[32], b[32], *unit_a, *unit_b;

	drop_zeros(format_size(a, sizeof(a), (uint64_t)llround(fmax(min, 0))));
	drop_zeros(format_size(b, sizeof(b), (uint64_t)llround(fmax(max, 0))));
	if (max - min <= 0.02 * max || !strcmp(a, b))
		return xstrdup(b);
	unit_a = strchr(a, ' ');
	unit_b = strchr(b, ' ');
	if (!strcmp(unit_a, unit_b))
		*unit_a = 0;
	return strf("%s to %s", a, b);
}

static char *size_of(const struct group *g, enum row_value v)
{
	return size_words(g->v[v].min, g->v[v].max);
}

/* "within 120 ms"; "in 13.1 s to 3 min 1 s" where they differ and last */
static char *time_words(const struct folded *f)
{
	char a[32], b[32];

	/* A tick is the best that can be told. */
	drop_zeros(time_text(a, sizeof(a), fmax(f->min, 0.001)));
	drop_zeros(time_text(b, sizeof(b), fmax(f->max, 0.001)));
	if (f->max < 1 || f->max < 1.5 * f->min)
		return strf("within %s", b);
	return strf("in %s to %s", a, b);
}

static bool has_releases(const struct rows *rows)
{
	return rows->releases.n > 0;
}

/* "Go 1.12 to 1.15 with default settings"; "The program with GOGC=50" where there is no go axis. */
static char *subject(const struct rows *rows, const struct group *g, const char *with)
{
	cleanup_free char *list = rows_release_list(rows, g->in, NULL);
	cleanup_free char *who = has_releases(rows) ? strf("Go %s", list) : xstrdup("The program");

	if (g->only_setting || !*g->setting_text)
		return TAKE(who);
	return strf("%s %s %s", who, with, g->is_default ? "default settings" : g->setting_text);
}

static const char *verb(const struct rows *rows, const struct group *g, const char *one, const char *many)
{
	return has_releases(rows) && g->n > 1 ? many : one;
}

/* ---- clauses
 * ---------------------------------------------------------------------------------------------------------------------- */

static char *say_lazyfree(const struct rows *rows, const struct group *g)
{
	cleanup_free char *who = subject(rows, g, "with"), *settled = size_of(g, ROW_SETTLED),
			  *lazyfree = size_of(g, ROW_LAZYFREE);
	cleanup_free char *dropped = isfinite(g->dropped_min) ? size_words(g->dropped_min, g->dropped_max) : xstrdup("memory");
	cleanup_free char *working_set = size_of(g, ROW_WORKING_SET);
	bool small = g->v[ROW_WORKING_SET].n && g->v[ROW_WORKING_SET].max < 0.5 * g->v[ROW_SETTLED].min;
	cleanup_free char *tail = !g->v[ROW_WORKING_SET].n ? xstrdup("")
				  : small ? strf(", and the kubelet-style working set already says %s", working_set)
					  : strf("; the kubelet-style working set says %s", working_set);

	return strf("%s %s %s resident after dropping %s, though %s of it is lazily freed (MADV_FREE): the kernel takes it back "
		    "under "
		    "pressure%s.",
		    who, verb(rows, g, "keeps", "keep"), settled, dropped, lazyfree, tail);
}

static char *say_held(const struct rows *rows, const struct group *g)
{
	cleanup_free char *who = subject(rows, g, "with"), *settled = size_of(g, ROW_SETTLED);
	cleanup_free char *dropped = isfinite(g->dropped_min) ? size_words(g->dropped_min, g->dropped_max) : xstrdup("memory");

	return strf("%s still %s %s resident at the end, after dropping %s, and next to none of it is lazily freed.", who,
		    verb(rows, g, "holds", "hold"), settled, dropped);
}

static char *say_partly(const struct rows *rows, const struct group *g)
{
	cleanup_free char *who = subject(rows, g, "with"), *settled = size_of(g, ROW_SETTLED);
	long low = lround(100 * g->v[ROW_SHARE].min), high = lround(100 * g->v[ROW_SHARE].max);
	cleanup_free char *share = low == high ? strf("%ld %%", low) : strf("%ld to %ld %%", low, high);

	return strf("%s %s %s of the dropped memory back and %s %s resident.", who, verb(rows, g, "gives", "give"), share,
		    verb(rows, g, "keeps", "keep"), settled);
}

static char *say_ended(const struct rows *rows, const struct group *g)
{
	cleanup_free char *who = subject(rows, g, "with");
	const char *some = g->every_run ? "" : ", in some runs", *planned = g->expected ? ", as expected" : "";

	if (g->expected && g->outcome != OUTCOME_OOM_CGROUP && g->outcome != OUTCOME_OOM_GO)
		return strf("%s %s in %s, as expected%s.", who, verb(rows, g, "ends", "end"), outcome_to_string(g->outcome), some);
	if (g->outcome == OUTCOME_OOM_CGROUP)
		return strf("%s %s killed at the memory limit%s%s (oom-cgroup).", who, verb(rows, g, "is", "are"), planned, some);
	if (g->outcome == OUTCOME_OOM_GO)
		return strf("%s %s up with Go's own \"out of memory\"%s%s (oom-go).", who, verb(rows, g, "gives", "give"), planned, some);
	return strf("%s %s not end as planned%s (%s).", who, verb(rows, g, "does", "do"), some, outcome_to_string(g->outcome));
}

static char *say_moving(const struct rows *rows, const struct group *g)
{
	cleanup_free char *who = subject(rows, g, "with");

	return strf("%s %s not settled: RSS still moves at the end of the run.", who, verb(rows, g, "has", "have"));
}

static char *say_other(const struct rows *rows, const struct group *g)
{
	cleanup_free char *who = subject(rows, g, "with"), *peak = size_of(g, ROW_PEAK);

	/* What settles is told of by sentences_kept.c. */
	if (!g->v[ROW_PEAK].n || g->v[ROW_SETTLED].n)
		return NULL;
	return strf("%s %s at %s.", who, verb(rows, g, "peaks", "peak"), peak);
}

static char *say(const struct rows *rows, const struct group *g)
{
	switch (g->conduct) {
	case CONDUCT_OOM:
	case CONDUCT_FAILED:
		return say_ended(rows, g);
	case CONDUCT_LAZYFREE:
		return say_lazyfree(rows, g);
	case CONDUCT_PARTLY:
		return say_partly(rows, g);
	case CONDUCT_HELD:
		return say_held(rows, g);
	case CONDUCT_MOVING:
		return say_moving(rows, g);
	case CONDUCT_OTHER:
		return say_other(rows, g);
	case CONDUCT_NONE:
	case CONDUCT_RELEASED:
	case CONDUCT_COUNT_:
		break;
	}
	return NULL;
}

/* Whether the group is all that is left of its setting, after others were spoken of. */
static bool is_all_others(const struct groups *l, const struct group *g)
{
	size_t before = 0;

	for (size_t i = 0; i < l->n; i++)
		before += l->v[i].setting == g->setting && &l->v[i] != g;
	return before > 0 && g->n > 1;
}

/* All that gave memory back, in one sentence. */
static char *say_released(const struct rows *rows, const struct groups *l)
{
	struct strv cleanup_strv also = STRV_INIT;
	const struct group *first = NULL;
	struct folded times = { 0 };
	bool spoken_of = false; /* of dropped memory, in the sentence before */
	size_t n_also = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct group *g = &l->v[i];

		if (g->conduct != CONDUCT_RELEASED) {
			spoken_of = g->conduct == CONDUCT_LAZYFREE || g->conduct == CONDUCT_HELD || g->conduct == CONDUCT_PARTLY;
			continue;
		}
		folded_widen(&times, &g->v[ROW_RELEASE]);
		if (!first) {
			first = g;
			continue;
		}
		cleanup_free char *who = subject(rows, g, "with");
		strv_push(&also, who);
		n_also += has_releases(rows) ? g->n : 1;
	}
	if (!first)
		return NULL;

	bool all_others = is_all_others(l, first);
	cleanup_free char *when = times.n ? time_words(&times) : xstrdup("");
	cleanup_free char *others = strf("All other releases%s%s", first->only_setting || !*first->setting_text ? "" : " with ",
					 first->only_setting || !*first->setting_text ? ""
					 : first->is_default                          ? "default settings"
										      : first->setting_text);
	cleanup_free char *who = all_others ? TAKE(others) : subject(rows, first, "with");
	cleanup_free char *rest = strv_join(&also, " and ");

	return strf("%s %s %s back%s%s%s%s.", who, all_others ? "give" : verb(rows, first, "gives", "give"),
		    spoken_of ? "it" : "what was dropped", *when ? " " : "", when,
		    !n_also      ? ""
		    : n_also > 1 ? ", and so do "
				 : ", and so does ",
		    rest);
}

/* The scenario's own words on what the curves show. */
static void print_explanation(FILE *out, const struct campaign *c, bool below, const struct table_style *style)
{
	const char *text = json_string_value(json_object_get(c->info, "explain"));

	if (!text || !*text)
		return;
	if (below)
		fputc('\n', out);
	print_wrapped(out, text, style->columns, 0, 0);
}

void table_print_sentences(FILE *out, const struct campaign *c, const struct table_style *style)
{
	struct rows cleanup_rows rows = { 0 };
	struct strv cleanup_strv sentences = STRV_INIT;

	rows_make(c, &rows);
	struct groups l = make_groups(&rows);

	for (size_t i = 0; i < l.n; i++) {
		cleanup_free char *text = say(&rows, &l.v[i]);

		if (text)
			strv_push(&sentences, text);
	}
	cleanup_free char *released = say_released(&rows, &l);
	if (released)
		strv_push(&sentences, released);
	sentences_of_what_is_kept(&rows, &sentences);

	cleanup_free char *all = strv_join(&sentences, " ");
	if (*all)
		print_wrapped(out, all, style->columns, 0, 0);
	print_explanation(out, c, *all, style);
	groups_done(&l);
}
