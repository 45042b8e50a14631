/* SPDX-License-Identifier: Apache-2.0
 *
 * What is kept where nothing is dropped: a leak beside its mended variant, in one sentence for all that keep alike.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/units.h"
#include "render/metric_text.h"
#include "render/table_parts.h"

#define GROUPS_MAX 8 /* more would be no sentences */
#define FEW_BYTES  (8 * (double)MIB)

enum quantity { GOROUTINES, THREADS, MEMORY, QUANTITY_COUNT_ };

/* Rows of one setting that keep about the same. */
struct kept {
	const char *setting;
	bool is_default;
	bool *in; /* owned: by release */
	size_t n;
	struct folded v[QUANTITY_COUNT_]; /* n: rows that have it */
	struct folded peak, lazyfree;
	bool above; /* the memory is what lies above the baseline */
};

struct kepts {
	struct kept *v; /* owned */
	size_t n;
	double few_bytes;
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

static void widen(struct folded *f, const struct folded *with)
{
	if (!with->n)
		return;
	f->min = f->n ? fmin(f->min, with->min) : with->min;
	f->max = f->n ? fmax(f->max, with->max) : with->max;
	f->n++;
}

static void add(struct kepts *l, const struct rows *rows, const struct row *r, bool by_setting)
{
	struct kept one = kept_of(rows, r), *k = NULL;

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
		widen(&k->v[q], &one.v[q]);
	widen(&k->peak, &one.peak);
	widen(&k->lazyfree, &one.lazyfree);
	k->in[r->release] = true;
	k->n++;
}

static void kepts_done(struct kepts *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].in);
	free(l->v);
	*l = (struct kepts){ 0 };
}

static void make(struct kepts *l, const struct rows *rows, bool by_setting)
{
	*l = (struct kepts){ xcalloc(rows->n + 1, sizeof(*l->v)), 0, FEW_BYTES };
	for (size_t i = 0; i < rows->n; i++)
		if (rows->v[i].v[ROW_SETTLED].n)
			l->few_bytes = fmax(l->few_bytes, 0.1 * rows->v[i].v[ROW_SETTLED].median);
	for (size_t i = 0; i < rows->n; i++)
		if (rows->v[i].applicable && (rows->v[i].conduct == CONDUCT_OTHER ||
					      (rows->v[i].conduct == CONDUCT_LAZYFREE && row_drops_nothing(&rows->v[i]))))
			add(l, rows, &rows->v[i], by_setting);
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

static const char *subject(const struct kept *k)
{
	return !*k->setting ? "The program" : k->is_default ? "The default" : k->setting;
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
static char *where(const struct rows *rows, const struct kept *k)
{
	size_t n = 0;
	cleanup_free char *list = rows_release_list(rows, k->in, &n);

	if (!rows->releases.n)
		return xstrdup("");
	return n == rows->releases.n && n > 1 ? xstrdup(" under every release") : strf(" under Go %s", list);
}

void sentences_of_what_is_kept(const struct rows *rows, struct strv *ret)
{
	struct kepts l;

	make(&l, rows, false);
	if (l.n > GROUPS_MAX) {
		kepts_done(&l);
		make(&l, rows, true);
	}
	for (size_t i = 0; i < l.n; i++) {
		cleanup_free char *what = amounts(&l.v[i], true), *peak = peak_text(&l.v[i]), *under = where(rows, &l.v[i]);
		cleanup_free char *text = strf("%s keeps %s%s%s", subject(&l.v[i]), what, under, peak);

		/* Those that differ in the numbers alone. */
		while (i + 1 < l.n && same_releases(rows, &l.v[i], &l.v[i + 1]) && same_quantities(&l.v[i], &l.v[i + 1])) {
			cleanup_free char *more = amounts(&l.v[++i], false), *its_peak = peak_text(&l.v[i]), *before = TAKE(text);

			text = strf("%s; %s %s%s", before, subject(&l.v[i]), more, its_peak);
		}
		strv_pushf(ret, "%s.", text);
	}
	kepts_done(&l);
}
