/* SPDX-License-Identifier: Apache-2.0
 *
 * What is kept where nothing is dropped: a leak beside its mended variant, in one sentence for all that keep alike. The figures'
 * headline says the same, of memory alone.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/units.h"
#include "render/metric_text.h"
#include "render/table.h"
#include "render/table_parts.h"

#define GROUPS_MAX 8 /* more would be no sentences */
#define FEW_BYTES  (8 * (double)MIB)
#define FEW_GOROUTINES 10

enum quantity { GOROUTINES, THREADS, MEMORY, QUANTITY_COUNT_ };

/* Rows of one setting that keep about the same. */
struct kept {
	const char *setting;
	char *also; /* owned; in the headline: other settings that keep as much. NULL: none */
	bool is_default;
	bool *in; /* owned: by release */
	size_t n;
	struct folded v[QUANTITY_COUNT_]; /* n: rows that have it */
	struct folded peak, lazyfree;
	bool above; /* the memory is what lies above the baseline */
	bool rest;  /* all releases of that setting which are not named before */
};

struct kepts {
	struct kept *v; /* owned */
	size_t n;
	double few_bytes;
	bool headline; /* one sentence: what has been named once is not named again */
	bool brief;    /* without releases, unless it holds under all */
};

static struct folded above_baseline(const struct row *r)
{
	struct folded f = r->v[ROW_SETTLED];

	if (f.n && r->v[ROW_BASELINE].n)
		f.median = fmax(f.median - r->v[ROW_BASELINE].median, 0);
	f.min = f.max = f.median;
	return f;
}

static struct folded as_median(const struct folded *f)
{
	return (struct folded){ .n = f->n, .median = f->median, .min = f->median, .max = f->median };
}

/* Every program has a goroutine or two: they are told where some row has more, or where something is expected of them. */
static bool tells_goroutines(const struct rows *rows)
{
	bool tells = rows->named[METRIC_GOROUTINES_SETTLED] || rows->named[METRIC_GOROUTINES_PEAK];

	for (size_t i = 0; i < rows->n; i++) {
		const struct folded *f = &rows->v[i].all[METRIC_GOROUTINES_SETTLED];

		tells = tells || (f->n && f->median > FEW_GOROUTINES);
	}
	return tells;
}

static struct kept kept_of(const struct rows *rows, const struct row *r)
{
	struct kept k = { .setting = r->setting,
			  .is_default = r->is_default,
			  .v = { [GOROUTINES] = as_median(&r->all[METRIC_GOROUTINES_SETTLED]),
				 [THREADS] = as_median(&r->all[METRIC_THREADS_SETTLED]),
				 [MEMORY] = above_baseline(r) },
			  .peak = as_median(&r->v[ROW_PEAK]),
			  .lazyfree = as_median(&r->v[ROW_LAZYFREE]),
			  .above = r->v[ROW_BASELINE].n > 0 };

	/* Every program has threads. */
	if (!rows->named[METRIC_THREADS_SETTLED] && !rows->named[METRIC_THREADS_PEAK])
		k.v[THREADS].n = 0;
	if (!tells_goroutines(rows))
		k.v[GOROUTINES].n = 0;
	return k;
}

/* By a factor, not by a few. */
static bool alike(const struct folded *a, const struct folded *b, double few)
{
	double low = fmin(a->min, b->min), high = fmax(a->max, b->max);

	if (!a->n || !b->n)
		return !a->n && !b->n;
	return high - low <= few || high <= 1.3 * low;
}

/* few_bytes: what is little beside the most that any row keeps. */
static bool keep_alike(const struct kept *a, const struct kept *b, double few_bytes)
{
	return !strcmp(a->setting, b->setting) && a->above == b->above && alike(&a->v[GOROUTINES], &b->v[GOROUTINES], 10) &&
	       alike(&a->v[THREADS], &b->v[THREADS], 10) && alike(&a->v[MEMORY], &b->v[MEMORY], few_bytes);
}

static void add(struct kepts *l, const struct rows *rows, struct kept one, size_t release, bool by_setting)
{
	struct kept *k = NULL;

	if (!one.v[MEMORY].n)
		return;
	for (size_t i = 0; i < l->n && !k; i++)
		if (by_setting ? !strcmp(l->v[i].setting, one.setting) && l->v[i].above == one.above : keep_alike(&l->v[i], &one, l->few_bytes))
			k = &l->v[i];
	if (!k) {
		k = &l->v[l->n++];
		*k = one;
		k->in = xcalloc(rows->releases.n + 1, sizeof(bool));
		memset(k->v, 0, sizeof(k->v));
		k->peak = k->lazyfree = (struct folded){ 0 };
	}
	for (int q = 0; q < QUANTITY_COUNT_; q++)
		folded_widen(&k->v[q], &one.v[q]);
	folded_widen(&k->peak, &one.peak);
	folded_widen(&k->lazyfree, &one.lazyfree);
	k->in[release] = true;
	k->n++;
}

static void kepts_done(struct kepts *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].in);
		free(l->v[i].also);
	}
	free(l->v);
	*l = (struct kepts){ 0 };
}

static void make(struct kepts *l, const struct rows *rows, bool by_setting)
{
	*l = (struct kepts){ .v = xcalloc(rows->n + 1, sizeof(*l->v)), .few_bytes = FEW_BYTES };
	for (size_t i = 0; i < rows->n; i++)
		if (rows->v[i].v[ROW_SETTLED].n)
			l->few_bytes = fmax(l->few_bytes, 0.1 * rows->v[i].v[ROW_SETTLED].median);
	for (size_t i = 0; i < rows->n; i++)
		if (rows->v[i].applicable && (rows->v[i].conduct == CONDUCT_OTHER ||
					      (rows->v[i].conduct == CONDUCT_LAZYFREE && row_drops_nothing(&rows->v[i]))))
			add(l, rows, kept_of(rows, &rows->v[i]), rows->v[i].release, by_setting);
}

/* ---- words -------------------------------------------------------------------------------------------------------------------------- */

/* "28 MB", "1 to 3": tenths of what is small say nothing here. */
static char *amount(const struct folded *f, bool bytes)
{
	double unit = bytes ? (double)MIB : 1;
	double low = round(f->min / unit), high = round(f->max / unit);

	if (bytes && high < 1)
		return xstrdup("less than 1 MB");
	if (bytes && high >= 10 * 1024) {
		cleanup_free char *a = metric_text(METRIC_PEAK_RSS, f->min), *b = metric_text(METRIC_PEAK_RSS, f->max);

		return strcmp(a, b) ? strf("%s to %s", a, b) : strf("%s", b);
	}
	if (high - low <= 0.02 * high)
		return strf("%.0f%s", high, bytes ? " MB" : "");
	return strf("%.0f to %.0f%s", low, high, bytes ? " MB" : "");
}

/* " (up to 4 MB of it lazily freed)" where that is much of it: the kernel takes it when it needs it. */
static char *lazyfree_text(const struct kept *k)
{
	cleanup_free char *text = amount(&(struct folded){ .min = k->lazyfree.max, .max = k->lazyfree.max }, true);

	if (!k->lazyfree.n || k->lazyfree.max < 2 * (double)MIB || k->lazyfree.max < 0.25 * k->v[MEMORY].max)
		return xstrdup("");
	return strf(" (%s%s of it lazily freed)", k->lazyfree.min < 0.9 * k->lazyfree.max ? "up to " : "", text);
}

/* "10001 goroutines, 12 threads and 28 MB above the baseline"; what is counted is named once for all that follow. */
static char *amounts(const struct kept *k, bool named)
{
	static const char *const names[] = { [GOROUTINES] = "goroutine", [THREADS] = "thread" };
	cleanup_strv struct strv parts = STRV_INIT;
	cleanup_free char *lazyfree = lazyfree_text(k);

	for (int q = 0; q < QUANTITY_COUNT_; q++) {
		cleanup_free char *text = k->v[q].n ? amount(&k->v[q], q == MEMORY) : NULL;
		bool one = text && !strcmp(text, "1");

		if (text && q == MEMORY)
			strv_pushf(&parts, "%s%s%s", text, !named ? "" : k->above ? " above the baseline" : "", lazyfree);
		else if (text && named)
			strv_pushf(&parts, "%s %s%s", text, names[q], one ? "" : "s");
		else if (text)
			strv_push(&parts, text);
	}

	cleanup_free char *last = xstrdup(parts.v[parts.n - 1]);
	free(parts.v[--parts.n]);
	parts.v[parts.n] = NULL;
	cleanup_free char *before = strv_join(&parts, ", ");
	return parts.n ? strf("%s and %s", before, last) : TAKE(last);
}

static bool same_releases(const struct rows *rows, const struct kept *a, const struct kept *b)
{
	return !memcmp(a->in, b->in, rows->releases.n * sizeof(bool));
}

static bool same_quantities(const struct kept *a, const struct kept *b)
{
	for (int q = 0; q < QUANTITY_COUNT_; q++)
		if (!a->v[q].n != !b->v[q].n)
			return false;
	return a->above == b->above;
}

static const char *subject(const char *setting, bool is_default)
{
	return !*setting ? "The program" : is_default ? "The default" : setting;
}

/* "leaky keeps", "leaky and emptied keep" */
static char *who_keeps(const struct kept *k)
{
	return k->also ? strf("%s%s keep", subject(k->setting, k->is_default), k->also)
		       : strf("%s keeps", subject(k->setting, k->is_default));
}

/* ", after a peak of 250 MB" where most of it is gone. */
static char *peak_text(const struct kept *k)
{
	if (!k->peak.n || k->peak.min < 1.5 * k->v[MEMORY].max + 16 * (double)MIB)
		return xstrdup("");

	cleanup_free char *peak = amount(&k->peak, true);
	return strf(", after a peak of %s", peak);
}

/* " under every release", " under Go 1.11 to 1.22": as far as releases go. */
static char *where(const struct rows *rows, const struct kept *k, bool brief)
{
	size_t n = 0;
	cleanup_free char *list = rows_release_list(rows, k->in, &n);
	bool every = n == rows->releases.n && n > 1;

	if (!rows->releases.n || (brief && !every))
		return xstrdup("");
	return every ? xstrdup(" under every release") : strf(" under Go %s", list);
}

static bool same_subject(const struct kept *a, const struct kept *b)
{
	return !strcmp(a->setting, b->setting) && !strcmp(a->also ? a->also : "", b->also ? b->also : "");
}

/* Appends sentences without their full stops. */
static void say(const struct rows *rows, const struct kepts *l, struct strv *ret)
{
	bool above_named = false;

	for (size_t i = 0; i < l->n; i++) {
		bool named = !l->headline || !above_named;
		cleanup_free char *what = amounts(&l->v[i], named), *peak = peak_text(&l->v[i]), *who = who_keeps(&l->v[i]),
				  *under = where(rows, &l->v[i], l->brief);
		cleanup_free char *text = strf("%s %s%s%s", who, what, under, peak);

		above_named |= l->v[i].above;
		if (l->headline && i && same_subject(&l->v[i - 1], &l->v[i])) {
			cleanup_free char *before = TAKE(ret->v[ret->n - 1]);

			ret->v[ret->n - 1] = l->v[i].rest ? strf("%s, else %s", before, what) : strf("%s, %s%s", before, what, under);
			continue;
		}
		/* Those that differ in the numbers alone. */
		while (i + 1 < l->n && (l->brief || same_releases(rows, &l->v[i], &l->v[i + 1])) &&
		       same_quantities(&l->v[i], &l->v[i + 1])) {
			const struct kept *k = &l->v[++i];
			cleanup_free char *more = amounts(k, false), *its_peak = peak_text(k), *before = TAKE(text);

			text = strf("%s; %s%s %s%s", before, subject(k->setting, k->is_default), k->also ? k->also : "", more,
				    its_peak);
		}
		strv_push(ret, text);
	}
}

void sentences_of_what_is_kept(const struct rows *rows, struct strv *ret)
{
	struct kepts l;
	cleanup_strv struct strv sentences = STRV_INIT;

	make(&l, rows, false);
	if (l.n > GROUPS_MAX) {
		kepts_done(&l);
		make(&l, rows, true);
	}
	say(rows, &l, &sentences);
	for (size_t i = 0; i < sentences.n; i++)
		strv_pushf(ret, "%s.", sentences.v[i]);
	kepts_done(&l);
}

/* ---- the headline of a figure -------------------------------------------------------------------------------------------------------- */

/* Longer ones name the rest of the releases as such, then none, and beyond all bounds there are no numbers. */
#define HEADLINE_MAX       180
#define HEADLINE_MAX_BRIEF 210
/* Of the most that any row keeps: less is not told by release; and settings that are nearer keep as much. */
#define TELLS_RELEASES 0.35
#define AS_MUCH        0.05

/* The memory that each row ends with, whether it dropped any or not. */
static void make_memory(struct kepts *l, const struct rows *rows, bool by_setting)
{
	double most = 0;

	*l = (struct kepts){ .v = xcalloc(rows->n + 1, sizeof(*l->v)), .headline = true, .brief = by_setting };
	for (size_t i = 0; i < rows->n; i++)
		most = fmax(most, rows->v[i].v[ROW_SETTLED].n ? rows->v[i].v[ROW_SETTLED].median : 0);
	l->few_bytes = TELLS_RELEASES * most;
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *r = &rows->v[i];
		struct kept k = { .setting = r->setting,
				  .is_default = r->is_default,
				  .v = { [MEMORY] = above_baseline(r) },
				  .above = r->v[ROW_BASELINE].n > 0 };

		if (r->applicable && r->conduct != CONDUCT_OOM && r->conduct != CONDUCT_FAILED && r->conduct != CONDUCT_NONE)
			add(l, rows, k, r->release, by_setting);
	}
}

/* Both ends of a range, by a factor or by little */
static bool as_much(const struct folded *a, const struct folded *b, double little)
{
	struct folded from = { .n = 1, .min = fmin(a->min, b->min), .max = fmax(a->min, b->min) },
		      to = { .n = 1, .min = fmin(a->max, b->max), .max = fmax(a->max, b->max) };

	return alike(&from, &from, little) && alike(&to, &to, little);
}

/* Settings that keep as much under the same releases are one subject. */
static void join_settings(struct kepts *l, const struct rows *rows)
{
	for (size_t i = 0; i < l->n; i++) {
		cleanup_strv struct strv names = STRV_INIT;
		size_t n = i + 1;

		for (size_t k = i + 1; k < l->n; k++) {
			struct kept *from = &l->v[k];

			if (from->above != l->v[i].above || (!l->brief && !same_releases(rows, &l->v[i], from)) ||
			    !as_much(&l->v[i].v[MEMORY], &from->v[MEMORY], AS_MUCH / TELLS_RELEASES * l->few_bytes)) {
				l->v[n++] = *from;
				continue;
			}
			folded_widen(&l->v[i].v[MEMORY], &from->v[MEMORY]);
			for (size_t r = 0; r < rows->releases.n; r++)
				l->v[i].in[r] &= from->in[r];
			strv_push(&names, from->is_default ? "the default" : from->setting);
			free(from->in);
		}
		l->n = n;
		if (!names.n)
			continue;
		cleanup_free char *last = xstrdup(names.v[names.n - 1]);
		free(names.v[--names.n]);
		names.v[names.n] = NULL;
		cleanup_free char *others = names.n ? strv_join(&names, ", ") : xstrdup("");
		l->v[i].also = strf("%s%s and %s", *others ? ", " : "", others, last);
	}
}

/* Of one setting after each other, in the order of the settings' first ones */
static void sort_by_subject(struct kepts *l)
{
	for (size_t i = 0; i < l->n; i++)
		for (size_t k = i + 2; k < l->n; k++)
			if (same_subject(&l->v[i], &l->v[k]) && !same_subject(&l->v[i], &l->v[i + 1])) {
				struct kept moved = l->v[k];

				memmove(&l->v[i + 2], &l->v[i + 1], (k - i - 1) * sizeof(*l->v));
				l->v[i + 1] = moved;
				break;
			}
}

/* The groups of l from first to below end have all that the setting has been run with. */
static bool cover_all(const struct kepts *l, size_t first, size_t end, const struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *r = &rows->v[i];
		bool in = !r->applicable || strcmp(r->setting, l->v[first].setting) != 0;

		for (size_t k = first; k < end; k++)
			in |= l->v[k].in[r->release];
		if (!in)
			return false;
	}
	return true;
}

/* Of each subject the group with the most releases comes last, as the rest; after sort_by_subject(). */
static void name_the_rest(struct kepts *l, const struct rows *rows)
{
	for (size_t first = 0, end; first < l->n; first = end) {
		size_t most = first;

		for (end = first + 1; end < l->n && same_subject(&l->v[first], &l->v[end]); end++)
			if (l->v[end].n >= l->v[most].n)
				most = end;
		if (end == first + 1 || !cover_all(l, first, end, rows))
			continue;

		struct kept rest = l->v[most];

		memmove(&l->v[most], &l->v[most + 1], (end - most - 1) * sizeof(rest));
		rest.rest = true;
		l->v[end - 1] = rest;
	}
}

static const char *other_end(const struct row *r)
{
	static const char *const ends[OUTCOME_COUNT_] = {
		[OUTCOME_OOM_CGROUP] = "OOM-killed",
		[OUTCOME_OOM_GO] = "out of memory",
		[OUTCOME_GO_FATAL] = "ended by a fatal Go error",
		[OUTCOME_TIMEOUT] = "not done in time",
		[OUTCOME_EXIT] = "not ending as planned",
		[OUTCOME_SIGNAL] = "not ending as planned",
	};

	if (r->conduct == CONDUCT_MOVING)
		return "not settled at the end";
	for (size_t i = 0; i < r->cell->n_runs && (r->conduct == CONDUCT_OOM || r->conduct == CONDUCT_FAILED); i++)
		if (ends[r->cell->runs[i]->outcome])
			return ends[r->cell->runs[i]->outcome];
	return NULL;
}

/* The setting's rows that end so; false: an earlier row did, so it has been said. */
static bool take_end(const struct rows *rows, size_t row, const char *end, struct kept *ret)
{
	*ret = (struct kept){ .setting = rows->v[row].setting, .is_default = rows->v[row].is_default };
	ret->in = xcalloc(rows->releases.n + 1, sizeof(bool));
	for (size_t i = 0; i < rows->n; i++) {
		const char *its_end = rows->v[i].applicable ? other_end(&rows->v[i]) : NULL;

		if (!its_end || strcmp(its_end, end) || strcmp(rows->v[i].setting, ret->setting))
			continue;
		if (i < row)
			return false;
		ret->in[rows->v[i].release] = true;
	}
	return true;
}

static bool keeps_something(const struct kepts *l, const char *setting)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i].setting, setting))
			return true;
	return false;
}

/* What keeps nothing, since it did not come so far: "live and live at once are OOM-killed". */
static void say_other_ends(const struct rows *rows, const struct kepts *l, struct strv *ret)
{
	cleanup_strv struct strv subjects = STRV_INIT, ends = STRV_INIT;

	for (size_t i = 0; i < rows->n; i++) {
		const char *end = rows->v[i].applicable ? other_end(&rows->v[i]) : NULL;
		struct kept k = { 0 };

		if (end && take_end(rows, i, end, &k)) {
			bool some = keeps_something(l, k.setting);
			cleanup_free char *under = l->brief && !some ? xstrdup("") : where(rows, &k, false);

			/* Where releases are left out, so is what a few of them do not tell. */
			if (!l->brief || !some || rows->v[i].conduct != CONDUCT_MOVING) {
				strv_push(&subjects, subject(k.setting, k.is_default));
				strv_pushf(&ends, "%s%s", end, under);
			}
		}
		free(k.in);
	}
	for (size_t i = 0; i < ends.n; i++) {
		cleanup_free char *who = xstrdup(subjects.v[i]);
		bool said = false, several = false;

		for (size_t k = 0; k < ends.n; k++) {
			if (k == i || strcmp(ends.v[k], ends.v[i]))
				continue;
			said |= k < i;
			several = true;
			cleanup_free char *before = TAKE(who);
			who = strf("%s and %s", before, subjects.v[k]);
		}
		if (!said)
			strv_pushf(ret, "%s %s %s", who, several ? "are" : "is", ends.v[i]);
	}
}

/* From the longest to the shortest */
enum detail { DETAIL_RELEASES, DETAIL_REST, DETAIL_BRIEF };

static char *headline(const struct rows *rows, enum detail detail)
{
	cleanup_strv struct strv clauses = STRV_INIT;
	struct kepts l;

	make_memory(&l, rows, detail == DETAIL_BRIEF);
	join_settings(&l, rows);
	sort_by_subject(&l);
	if (detail == DETAIL_REST)
		name_the_rest(&l, rows);
	say(rows, &l, &clauses);
	say_other_ends(rows, &l, &clauses);
	kepts_done(&l);

	/* Within a sentence they are written small. */
	char *all = strv_join(&clauses, "; ");
	for (char *the = all; (the = strstr(the, "; The "));)
		*(the += 2) = 't';
	return all;
}

char *headline_of_what_is_kept(const struct campaign *c)
{
	struct rows cleanup_rows rows = { 0 };

	rows_make(c, &rows);
	for (enum detail d = DETAIL_RELEASES; d < DETAIL_BRIEF; d++) {
		cleanup_free char *whole = headline(&rows, d);
		if (strlen(whole) <= HEADLINE_MAX)
			return TAKE(whole);
	}
	cleanup_free char *brief = headline(&rows, DETAIL_BRIEF);
	return strlen(brief) <= HEADLINE_MAX_BRIEF ? TAKE(brief) : xstrdup("");
}
