/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strv.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static void push_owned(struct strv *l, char *s)
{
	l->v = xreallocarray(l->v, l->n + 2, sizeof(*l->v));
	l->v[l->n++] = s;
	l->v[l->n] = NULL;
}

void strv_push(struct strv *l, const char *s)
{
	push_owned(l, xstrdup(s));
}

void strv_pushf(struct strv *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	push_owned(l, vstrf(fmt, ap));
	va_end(ap);
}

bool strv_contains(const struct strv *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i], s))
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
}

void strv_split(struct strv *l, const char *text, const char *separators)
{
	while (*text) {
		size_t len = strcspn(text, separators);

		if (len > 0)
			push_owned(l, strf("%.*s", (int)len, text));
		text += len;
		if (*text)
			text++;
	}
}

char *strv_join(const struct strv *l, const char *between)
{
	size_t size = 1;

	for (size_t i = 0; i < l->n; i++)
		size += strlen(l->v[i]) + strlen(between);

	char *joined = xcalloc(size, 1), *end = joined;

	for (size_t i = 0; i < l->n; i++)
		end = stpcpy(stpcpy(end, i ? between : ""), l->v[i]);
	return joined;
}

void strv_done(struct strv *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct strv)STRV_INIT;
}

/* Levenshtein distance, one row at a time. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t nb = strlen(b);
	cleanup_free size_t *row = xcalloc(nb + 1, sizeof(*row));

	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < nb; j++) {
			size_t replace = diagonal + (a[i] != b[j]);
			size_t best = row[j] < row[j + 1] ? row[j] + 1 : row[j + 1] + 1;

			diagonal = row[j + 1];
			row[j + 1] = best < replace ? best : replace;
		}
	}
	return row[nb];
}

const char *nearest_word(const char *word, const char *const *candidates, size_t n)
{
	const char *best = NULL;
	size_t best_distance = strlen(word) / 3 + 2;

	for (size_t i = 0; i < n; i++) {
		size_t d = edit_distance(word, candidates[i]);

		if (d < best_distance) {
			best = candidates[i];
			best_distance = d;
		}
	}
	return best;
}
