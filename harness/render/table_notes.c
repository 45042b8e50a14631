/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines below a table: what is true of several releases is said once.
 */
#include <string.h>

#include "base/alloc.h"
#include "render/table.h"
#include "render/table_parts.h"
#include "render/wrap.h"

#define NOTES_MAX  12  /* of one kind; more would bury the table */
#define REASON_MAX 160 /* characters of a reason */

/* One thing said of a set of releases under one setting. */
struct note {
	char *what;        /* owned: "not run", "no settled RSS", "build-failed" */
	char *setting;     /* owned */
	char *reason_one;  /* owned: with "it" for the release */
	char *reason_many; /* owned: with "each" */
	bool *releases;    /* owned: one flag each */
};

struct notes {
	struct note *v; /* owned */
	size_t n;
};

/* The first line, cut where it is long; with the second one where the first only announces it. */
static char *first_line(const char *text)
{
	size_t n = strcspn(text, "\n");

	if (n > 0 && text[n - 1] == ':' && text[n]) {
		cleanup_free char *both = strf("%.*s %.*s", (int)n, text, (int)strcspn(text + n + 1, "\n"), text + n + 1);

		return strlen(both) > REASON_MAX ? strf("%.*s...", REASON_MAX - 3, both) : strf("%s", both);
	}
	return n > REASON_MAX ? strf("%.*s...", REASON_MAX - 3, text) : strf("%.*s", (int)n, text);
}

static void add_note(struct notes *l, const struct rows *rows, const struct row *r, const char *what, const char *reason)
{
	cleanup_free char *line = first_line(reason);
	cleanup_free char *one = row_without_version(r, line, "it"), *many = row_without_version(r, line, "each");
	struct note *n = NULL;

	for (size_t i = 0; i < l->n && !n; i++)
		if (!strcmp(l->v[i].what, what) && !strcmp(l->v[i].setting, r->setting) && !strcmp(l->v[i].reason_one, one))
			n = &l->v[i];
	if (!n) {
		l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
		n = &l->v[l->n++];
		*n = (struct note){ .what = xstrdup(what),
				    .setting = xstrdup(r->setting),
				    .reason_one = TAKE(one),
				    .reason_many = TAKE(many),
				    .releases = xcalloc(rows->releases.n + 1, sizeof(bool)) };
	}
	n->releases[r->release] = true;
}

/* "madvdontneed=1 not run for Go 1.11: it does not know madvdontneed (1.12 and later do)" */
static void print_notes(FILE *out, const struct rows *rows, const struct table_style *style, struct notes *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct note *n = &l->v[i];
		size_t releases = 0;
		cleanup_free char *list = rows_release_list(rows, n->releases, &releases);
		const char *reason = releases > 1 ? n->reason_many : n->reason_one;
		cleanup_free char *text = strf("%s%s%s%s%s%s%s", n->setting, *n->setting ? ": " : "", n->what,
					       *list ? " for Go " : "", list, *reason ? ": " : "", reason);

		if (i < NOTES_MAX)
			print_wrapped(out, text, style->columns, 2, 0);
		else if (i == NOTES_MAX)
			fprintf(out, "(%zu more of this kind)\n", l->n - NOTES_MAX);
		free(n->what);
		free(n->setting);
		free(n->reason_one);
		free(n->reason_many);
		free(n->releases);
	}
	free(l->v);
	*l = (struct notes){ 0 };
}

static void note_not_run(struct notes *l, const struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		if (!rows->v[i].applicable)
			add_note(l, rows, &rows->v[i], "not run", rows->v[i].why_not ? rows->v[i].why_not : "");
}

/* Every outcome other than ok, with what the first such run says about it. */
static void note_failures(struct notes *l, const struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *r = &rows->v[i];

		for (size_t k = 0; k < r->cell->n_runs && r->applicable; k++) {
			const struct campaign_run *run = r->cell->runs[k];
			const char *why = json_string_value(json_object_get(run->run, "why"));

			if (run->outcome == OUTCOME_OK)
				continue;
			cleanup_free char *what = r->outcomes[run->outcome] == r->cell->n_runs
							  ? xstrdup(outcome_to_string(run->outcome))
							  : outcomes_text(r);

			if (why || r->outcomes[run->outcome] != r->cell->n_runs)
				add_note(l, rows, r, what, why ? why : "");
			break;
		}
	}
}

static const char *const value_names[ROW_VALUE_COUNT_] = {
	[ROW_PEAK] = "no peak",         [ROW_SETTLED] = "no settled RSS",     [ROW_RELEASE] = "no time to fall",
	[ROW_LAZYFREE] = "no LazyFree", [ROW_WORKING_SET] = "no working set",
};

static bool drops_nothing(const struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->v[i].v[ROW_RELEASE].n || (rows->v[i].v[ROW_RELEASE].why && !row_drops_nothing(&rows->v[i])))
			return false;
	return true;
}

/* Why a "-" stands in the table; not where the outcome says it. */
static void note_missing(struct notes *l, const struct rows *rows)
{
	for (int v = 0; v < ROW_VALUE_COUNT_; v++) {
		for (size_t i = 0; i < rows->n && value_names[v]; i++) {
			const struct row *r = &rows->v[i];
			const char *why = r->v[v].n || !r->applicable ? NULL : r->v[v].why;

			/* Where nothing is ever dropped, nothing is missed. */
			if (v == ROW_RELEASE && drops_nothing(rows))
				continue;
			if (why && strncmp(why, "RSS never fell", 14) && strncmp(why, "the run did not end", 19)) {
				/* Numbers in it differ from run to run. */
				cleanup_free char *reason = strf("%.*s", (int)strcspn(why, ":("), why);

				add_note(l, rows, r, value_names[v], reason);
			}
		}
	}
}

void table_print_notes(FILE *out, const struct rows *rows, const struct table_style *style)
{
	static void (*const kinds[])(struct notes * l, const struct rows *rows) = { note_not_run, note_failures, note_missing };
	bool any = false;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		struct notes l = { 0 };

		kinds[k](&l, rows);
		if (l.n && !any)
			fputc('\n', out);
		any |= l.n > 0;
		print_notes(out, rows, style, &l);
	}
}
