/* SPDX-License-Identifier: Apache-2.0
 *
 * Why the memory is there, below a table: a line for each setting, its releases folded; settings that say the same share one.
 */
#include <string.h>

#include "base/alloc.h"
#include "plan/mechanism_list.h"
#include "render/table.h"
#include "render/table_parts.h"
#include "render/wrap.h"

/* What a cell's runs say; "released or lazyfree" where they differ. NULL: none says anything. Caller frees. */
static char *mechanisms_of(const struct row *r)
{
	cleanup_strv struct strv names = STRV_INIT;

	for (size_t i = 0; i < r->cell->n_runs; i++) {
		const char *name = json_string_value(json_object_get(r->cell->runs[i]->run, "mechanism"));

		if (name && !strv_contains(&names, name))
			strv_push(&names, name);
	}
	strv_sort(&names);
	return names.n ? strv_join(&names, " or ") : NULL;
}

/* The different answers of one setting, in the order of the rows. */
static void answers_of(const struct rows *rows, const char *setting, char *const *by_row, struct strv *ret)
{
	for (size_t i = 0; i < rows->n; i++)
		if (by_row[i] && !strcmp(rows->v[i].setting, setting) && !strv_contains(ret, by_row[i]))
			strv_push(ret, by_row[i]);
}

/* "lazyfree for Go 1.12 to 1.15; released for Go 1.11 and 1.16"; "released". Caller frees. */
static char *setting_text(const struct rows *rows, const char *setting, char *const *by_row)
{
	cleanup_strv struct strv answers = STRV_INIT, parts = STRV_INIT;

	answers_of(rows, setting, by_row, &answers);
	for (size_t k = 0; k < answers.n; k++) {
		cleanup_free bool *in = xcalloc(rows->releases.n + 1, sizeof(*in));

		for (size_t i = 0; i < rows->n; i++)
			if (by_row[i] && !strcmp(rows->v[i].setting, setting) && !strcmp(by_row[i], answers.v[k]))
				in[rows->v[i].release] = true;

		cleanup_free char *list = rows_release_list(rows, in, NULL);

		if (answers.n == 1 || !*list)
			strv_push(&parts, answers.v[k]);
		else
			strv_pushf(&parts, "%s for Go %s", answers.v[k], list);
	}
	return strv_join(&parts, "; ");
}

void table_print_mechanisms(FILE *out, const struct campaign *c, const struct table_style *style)
{
	struct rows cleanup_rows rows = { 0 };
	cleanup_strv struct strv texts = STRV_INIT;

	rows_make(c, &rows);

	cleanup_free char **by_row = xcalloc(rows.n + 1, sizeof(*by_row)),
			  **by_setting = xcalloc(rows.settings.n + 1, sizeof(*by_setting));

	for (size_t i = 0; i < rows.n; i++)
		by_row[i] = rows.v[i].applicable ? mechanisms_of(&rows.v[i]) : NULL;
	for (size_t s = 0; s < rows.settings.n; s++) {
		by_setting[s] = setting_text(&rows, rows.settings.v[s], by_row);
		if (*by_setting[s] && !strv_contains(&texts, by_setting[s]))
			strv_push(&texts, by_setting[s]);
	}
	if (texts.n)
		fputs("\nWhy the memory is there (memtide diagnose tells more):\n", out);
	for (size_t t = 0; t < texts.n; t++) {
		cleanup_strv struct strv who = STRV_INIT;

		for (size_t s = 0; s < rows.settings.n; s++)
			if (!strcmp(by_setting[s], texts.v[t]) && *rows.settings.v[s])
				strv_push(&who, rows.settings.v[s]);

		cleanup_free char *names = strv_join(&who, ", ");
		cleanup_free char *line = strf("%s%s%s", texts.n > 1 ? names : "", texts.n > 1 && *names ? ": " : "", texts.v[t]);

		fputs("  ", out);
		print_wrapped(out, line, style->columns, 4, 2);
	}
	for (size_t i = 0; i < rows.n; i++)
		free(by_row[i]);
	for (size_t s = 0; s < rows.settings.n; s++)
		free(by_setting[s]);
}
