/* SPDX-License-Identifier: Apache-2.0 */
#include "render/table.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/alloc.h"
#include "base/units.h"
#include "render/table_parts.h"
#include "render/wrap.h"

#define COLUMNS_MIN  40
#define COLUMNS_ELSE 80
#define SETTING_MIN  12

enum { COL_GO, COL_SETTING, COL_OUTCOME, COL_PEAK, COL_SETTLED, COL_FALL, COL_LAZYFREE, COL_WORKING_SET, COL_COUNT };

static const struct {
	const char *head[2];
	bool left;
} columns[COL_COUNT] = {
	[COL_GO] = { { "", "Go" }, true },
	[COL_SETTING] = { { "", "setting" }, true },
	[COL_OUTCOME] = { { "", "outcome" }, true },
	[COL_PEAK] = { { "peak", "RSS" }, false },
	[COL_SETTLED] = { { "settled", "RSS" }, false },
	[COL_FALL] = { { "time to", "fall" }, false },
	[COL_LAZYFREE] = { { "", "LazyFree" }, false },
	[COL_WORKING_SET] = { { "working", "set" }, false },
};

/* Escape sequences; "" without colour. */
struct paint {
	const char *head, *good, *warn, *bad, *off;
};

static const struct paint plain = { "", "", "", "", "" };
static const struct paint coloured = { "\033[1m", "\033[32m", "\033[33m", "\033[31m", "\033[0m" };

struct text_row {
	char *v[COL_COUNT]; /* owned */
};

struct layout {
	struct text_row *rows; /* owned */
	size_t n;
	int width[COL_COUNT]; /* 0: the column is left out */
	int between;
	bool has_medians; /* a value with "~" */
};

/* ---- values
 * ----------------------------------------------------------------------------------------------------------------------- */

/* "20-800 MB" of "20 MB" and "800 MB": one unit is enough where both have the same. */
static char *range_text(char *a, const char *b)
{
	char *unit_a = strchr(a, ' ');
	const char *unit_b = strchr(b, ' ');

	if (unit_a && unit_b && !strcmp(unit_a, unit_b))
		*unit_a = 0;
	return strf("%s-%s", a, b);
}

/* "0 B", "826 MB", or the range. */
static char *size_text(const struct folded *f, double peak, bool ranges)
{
	char a[32], b[32];

	if (!f->n)
		return xstrdup("-");
	(void)format_size(a, sizeof(a), (uint64_t)llround(f->median));
	if (f->max - f->min <= 0.02 * peak)
		return xstrdup(a);
	if (!ranges)
		return strf("~%s", a);
	(void)format_size(a, sizeof(a), (uint64_t)llround(f->min));
	(void)format_size(b, sizeof(b), (uint64_t)llround(f->max));

	return range_text(a, b);
}

/* How long dropped memory stayed: "held" where it did to the end. */
static char *fall_text(const struct folded *f, bool ranges)
{
	char a[32], b[32];

	if (!f->n)
		return xstrdup(f->why && !strncmp(f->why, "RSS never fell", 14) ? "held" : "-");
	(void)time_text(a, sizeof(a), f->median);
	if (f->max - f->min <= fmax(0.1 * f->median, 0.1))
		return xstrdup(a);
	if (!ranges)
		return strf("~%s", a);
	(void)time_text(a, sizeof(a), f->min);
	(void)time_text(b, sizeof(b), f->max);
	return range_text(a, b);
}

static struct text_row text_row(const struct row *r, bool ranges)
{
	double peak = r->v[ROW_PEAK].n ? r->v[ROW_PEAK].median : 0;
	struct text_row t = { { NULL } };

	t.v[COL_GO] = xstrdup(r->release_text);
	t.v[COL_SETTING] = xstrdup(r->setting);
	t.v[COL_OUTCOME] = outcomes_text(r);
	t.v[COL_PEAK] = size_text(&r->v[ROW_PEAK], peak, ranges);
	t.v[COL_SETTLED] = size_text(&r->v[ROW_SETTLED], peak, ranges);
	t.v[COL_FALL] = fall_text(&r->v[ROW_RELEASE], ranges);
	t.v[COL_LAZYFREE] = size_text(&r->v[ROW_LAZYFREE], peak, ranges);
	t.v[COL_WORKING_SET] = size_text(&r->v[ROW_WORKING_SET], peak, ranges);
	return t;
}

/* ---- layout
 * ----------------------------------------------------------------------------------------------------------------------- */

static int total_width(const struct layout *l)
{
	int total = -l->between;

	for (int c = 0; c < COL_COUNT; c++)
		total += l->width[c] ? l->width[c] + l->between : 0;
	return total;
}

static void layout_done(struct layout *l)
{
	for (size_t i = 0; i < l->n; i++)
		for (int c = 0; c < COL_COUNT; c++)
			free(l->rows[i].v[c]);
	free(l->rows);
	*l = (struct layout){ 0 };
}

static void measure(struct layout *l)
{
	for (int c = 0; c < COL_COUNT; c++) {
		int widest = 0;

		for (size_t i = 0; i < l->n; i++) {
			int n = (int)strlen(l->rows[i].v[c]);

			l->has_medians |= *l->rows[i].v[c] == '~';
			widest = n > widest ? n : widest;
		}
		l->width[c] = widest;
		for (int h = 0; h < 2 && widest; h++)
			if ((int)strlen(columns[c].head[h]) > l->width[c])
				l->width[c] = (int)strlen(columns[c].head[h]);
	}
}

static void fill(struct layout *l, const struct rows *rows, bool ranges)
{
	layout_done(l);
	l->between = 2;
	l->rows = xcalloc(rows->n + 1, sizeof(*l->rows));
	for (size_t i = 0; i < rows->n; i++)
		if (rows->v[i].applicable)
			l->rows[l->n++] = text_row(&rows->v[i], ranges);
	measure(l);
}

/* Different outcomes of one cell are told in a note. */
static void shorten_outcomes(struct layout *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!strchr(l->rows[i].v[COL_OUTCOME], ','))
			continue;
		free(l->rows[i].v[COL_OUTCOME]);
		l->rows[i].v[COL_OUTCOME] = xstrdup("mixed");
	}
	measure(l);
}

static void cut_settings(struct layout *l, int excess)
{
	int width = l->width[COL_SETTING] - excess;

	if (!l->width[COL_SETTING])
		return;
	if (width < SETTING_MIN)
		width = SETTING_MIN;
	for (size_t i = 0; i < l->n; i++)
		if ((int)strlen(l->rows[i].v[COL_SETTING]) > width)
			strcpy(l->rows[i].v[COL_SETTING] + width - 3, "...");
	measure(l);
}

/* Gives up, in this order: mixed outcomes, ranges, the second blank between columns, long settings. */
static void make_layout(struct layout *l, const struct rows *rows, int width)
{
	fill(l, rows, true);
	if (total_width(l) > width)
		shorten_outcomes(l);
	if (total_width(l) > width) {
		fill(l, rows, false);
		shorten_outcomes(l);
	}
	if (total_width(l) > width)
		l->between = 1;
	if (total_width(l) > width)
		cut_settings(l, total_width(l) - width);
}

/* ---- printing
 * --------------------------------------------------------------------------------------------------------------------- */

static const char *colour_of(const struct paint *p, const struct row *r, int column)
{
	if (column == COL_OUTCOME && (r->conduct == CONDUCT_OOM || r->conduct == CONDUCT_FAILED || r->conduct == CONDUCT_NONE))
		return p->bad;
	if (column != COL_SETTLED && column != COL_FALL)
		return "";
	switch (r->conduct) {
	case CONDUCT_RELEASED:
		return p->good;
	case CONDUCT_LAZYFREE:
	case CONDUCT_PARTLY:
	case CONDUCT_MOVING:
		return p->warn;
	case CONDUCT_HELD:
		return p->bad;
	case CONDUCT_NONE:
	case CONDUCT_OOM:
	case CONDUCT_FAILED:
	case CONDUCT_OTHER:
	case CONDUCT_COUNT_:
		return "";
	}
	return "";
}

static int last_column(const struct layout *l)
{
	int last = COL_COUNT - 1;

	while (last > 0 && !l->width[last])
		last--;
	return last;
}

static void print_cell(FILE *out, const struct layout *l, int column, const char *text, const char *colour, const char *off)
{
	int pad = l->width[column] - (int)strlen(text);

	if (!columns[column].left)
		fprintf(out, "%*s", pad, "");
	fprintf(out, "%s%s%s", colour, text, *colour ? off : "");
	if (column == last_column(l)) {
		fputc('\n', out);
		return;
	}
	fprintf(out, "%*s", l->between + (columns[column].left ? pad : 0), "");
}

static void print_heads(FILE *out, const struct layout *l, const struct paint *p)
{
	for (int h = 0; h < 2; h++)
		for (int c = 0; c < COL_COUNT; c++)
			if (l->width[c])
				print_cell(out, l, c, columns[c].head[h], *columns[c].head[h] ? p->head : "", p->off);
}

static void print_title(FILE *out, const struct campaign *c, const struct rows *rows, const struct table_style *style)
{
	const char *name = json_string_value(json_object_get(c->info, "scenario"));
	const char *title = json_string_value(json_object_get(c->info, "title"));
	const struct paint *p = style->colour ? &coloured : &plain;
	const char *clock = json_string_value(json_object_get(c->info, "clock"));
	cleanup_free char *text = strf("%s%s%s%s%s%s", name ? name : "", title ? ": " : "", title ? title : "", clock ? " (" : "",
				       clock ? clock : "", clock ? " clock)" : "");

	fputs(p->head, out);
	print_wrapped(out, text, style->columns, 0, 0);
	fputs(p->off, out);
	if (*rows->constant) {
		cleanup_free char *constant = strf("everywhere: %s", rows->constant);

		print_wrapped(out, constant, style->columns, 0, 0);
	}
	fputc('\n', out);
}

void table_print(FILE *out, const struct campaign *c, const struct table_style *style)
{
	const struct paint *p = style->colour ? &coloured : &plain;
	struct rows cleanup_rows rows = { 0 };
	struct layout l = { 0 };
	size_t at = 0;

	rows_make(c, &rows);
	make_layout(&l, &rows, style->columns);
	print_title(out, c, &rows, style);
	if (l.n)
		print_heads(out, &l, p);
	for (size_t i = 0; i < rows.n; i++) {
		if (!rows.v[i].applicable)
			continue;
		for (int k = 0; k < COL_COUNT; k++)
			if (l.width[k])
				print_cell(out, &l, k, l.rows[at].v[k], colour_of(p, &rows.v[i], k), p->off);
		at++;
	}
	if (l.has_medians)
		print_wrapped(out, "~: the median of runs that differ", style->columns, 0, 0);
	table_print_notes(out, &rows, style);
	table_print_clock(out, c, style);
	layout_done(&l);
}

struct table_style table_style_for_stdout(void)
{
	const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
	bool terminal = isatty(STDOUT_FILENO);
	struct winsize w;
	int width = terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : COLUMNS_ELSE;

	return (struct table_style){ .columns = width < COLUMNS_MIN ? COLUMNS_MIN : width,
				     .colour = terminal && !(no_colour && *no_colour) && !(term && !strcmp(term, "dumb")) };
}
