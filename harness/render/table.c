/* SPDX-License-Identifier: Apache-2.0 */
#include "render/table.h"

#include <string.h>
#include <sys/ioctl.h>

#include "base/alloc.h"
#include "render/table_parts.h"
#include "render/wrap.h"

#define COLUMNS_MIN  40
#define COLUMNS_ELSE 80
#define SETTING_MIN  12

/* The first three are texts; behind them the metrics' columns that are shown, by their place in table_columns(). */
enum { COL_GO, COL_SETTING, COL_OUTCOME, COL_METRICS };

#define COLUMNS_MAX (COL_METRICS + METRIC_COUNT_)

static const char *const text_heads[COL_METRICS] = { "Go", "setting", "outcome" };

/* Escape sequences; "" without colour. */
struct paint {
	const char *head, *good, *warn, *bad, *off;
};

static const struct paint plain = { "", "", "", "", "" };
static const struct paint coloured = { "\033[1m", "\033[32m", "\033[33m", "\033[31m", "\033[0m" };

struct text_row {
	char *v[COLUMNS_MAX]; /* owned */
};

struct layout {
	const struct column *shown[METRIC_COUNT_];
	size_t n_shown;
	struct text_row *rows; /* owned */
	size_t n;
	int width[COLUMNS_MAX]; /* 0: the column is left out */
	int between;
	bool has_medians; /* a value with "~" */
};

static size_t column_count(const struct layout *l)
{
	return COL_METRICS + l->n_shown;
}

static const char *head_of(const struct layout *l, size_t column, int line)
{
	if (column < COL_METRICS)
		return line ? text_heads[column] : "";
	return l->shown[column - COL_METRICS]->head[line];
}

static struct text_row text_row(const struct layout *l, const struct row *r, bool ranges)
{
	struct text_row t = { { NULL } };

	t.v[COL_GO] = xstrdup(r->release_text);
	t.v[COL_SETTING] = xstrdup(r->setting);
	t.v[COL_OUTCOME] = outcomes_text(r);
	for (size_t k = 0; k < l->n_shown; k++)
		t.v[COL_METRICS + k] = column_text(r, l->shown[k], ranges);
	return t;
}

/* ---- layout
 * ----------------------------------------------------------------------------------------------------------------------- */

static int total_width(const struct layout *l)
{
	int total = -l->between;

	for (size_t c = 0; c < column_count(l); c++)
		total += l->width[c] ? l->width[c] + l->between : 0;
	return total;
}

static void layout_done(struct layout *l)
{
	for (size_t i = 0; i < l->n; i++)
		for (size_t c = 0; c < COLUMNS_MAX; c++)
			free(l->rows[i].v[c]);
	free(l->rows);
	l->rows = NULL;
	l->n = 0;
	l->has_medians = false;
}

static void measure(struct layout *l)
{
	for (size_t c = 0; c < column_count(l); c++) {
		int widest = 0;

		for (size_t i = 0; i < l->n; i++) {
			int n = (int)strlen(l->rows[i].v[c]);

			l->has_medians |= *l->rows[i].v[c] == '~';
			widest = n > widest ? n : widest;
		}
		l->width[c] = widest;
		for (int h = 0; h < 2 && widest; h++)
			if ((int)strlen(head_of(l, c, h)) > l->width[c])
				l->width[c] = (int)strlen(head_of(l, c, h));
	}
}

static void fill(struct layout *l, const struct view *view, bool ranges)
{
	layout_done(l);
	l->between = 2;
	l->rows = xcalloc(view->n + 1, sizeof(*l->rows));
	for (size_t i = 0; i < view->n; i++)
		l->rows[l->n++] = text_row(l, &view->v[i], ranges);
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
static void make_layout(struct layout *l, const struct view *view, int width)
{
	fill(l, view, true);
	if (total_width(l) > width)
		shorten_outcomes(l);
	if (total_width(l) > width) {
		fill(l, view, false);
		shorten_outcomes(l);
	}
	if (total_width(l) > width)
		l->between = 1;
	if (total_width(l) > width)
		cut_settings(l, total_width(l) - width);
}

static void make_view(const struct rows *rows, const struct layout *l, bool full, struct view *ret)
{
	bool shown[METRIC_COUNT_] = { false };

	for (size_t k = 0; k < l->n_shown; k++)
		shown[l->shown[k]->metric] = true;
	view_done(ret);
	view_make(rows, shown, full, ret);
}

/* Whether the columns have room, be it without ranges. */
static bool has_room(struct layout *l, const struct rows *rows, const struct table_style *style, struct view *view)
{
	make_view(rows, l, style->full, view);
	fill(l, view, false);
	shorten_outcomes(l);
	return total_width(l) <= style->columns;
}

/* kept: whether there is room for it or not. */
static void add_column(struct layout *l, const struct column *c, bool kept, const struct rows *rows, const struct table_style *style, struct view *view)
{
	if (!(c->standard || rows->named[c->metric]) || !column_says_something(rows, c))
		return;
	l->shown[l->n_shown++] = c;
	if (!kept && !has_room(l, rows, style, view)) {
		/* Its texts go before it does. */
		layout_done(l);
		l->n_shown--;
	}
}

static bool is_cost(enum metric m)
{
	return m == METRIC_PEAK_RSS || m == METRIC_OPERATIONS_PER_S || m == METRIC_CPU || m == METRIC_MINOR_FAULTS;
}

/* Those that every table has, and of the others what is expected of this campaign, as many as there is room for. Where a speed is expected
 * of it the question is what something costs, and that comes first. */
static void choose_columns(struct layout *l, const struct rows *rows, const struct table_style *style, struct view *view)
{
	size_t n;
	const struct column *all = table_columns(&n);
	bool of_cost = rows->named[METRIC_OPERATIONS_PER_S];

	for (size_t i = 0; i < n && of_cost; i++)
		if (is_cost(all[i].metric))
			add_column(l, &all[i], all[i].standard, rows, style, view);
	for (size_t i = 0; i < n; i++)
		if (!of_cost || !is_cost(all[i].metric))
			add_column(l, &all[i], all[i].standard && !of_cost, rows, style, view);
	make_view(rows, l, style->full, view);
}

/* ---- printing
 * --------------------------------------------------------------------------------------------------------------------- */

static const char *colour_of(const struct paint *p, const struct layout *l, const struct row *r, size_t column)
{
	enum metric metric = column < COL_METRICS ? METRIC_COUNT_ : l->shown[column - COL_METRICS]->metric;

	if (column == COL_OUTCOME && (r->conduct == CONDUCT_OOM || r->conduct == CONDUCT_FAILED || r->conduct == CONDUCT_NONE))
		return p->bad;
	if (metric != METRIC_SETTLED_RSS && metric != METRIC_RELEASE)
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

static size_t last_column(const struct layout *l)
{
	size_t last = column_count(l) - 1;

	while (last > 0 && !l->width[last])
		last--;
	return last;
}

/* last: the line ends behind it. */
static void print_cell(FILE *out, const struct layout *l, size_t column, size_t last, const char *text, const char *colour, const char *off)
{
	int pad = l->width[column] - (int)strlen(text);
	bool left = column < COL_METRICS;

	if (!left)
		fprintf(out, "%*s", pad, "");
	fprintf(out, "%s%s%s", colour, text, *colour ? off : "");
	if (column == last) {
		fputc('\n', out);
		return;
	}
	fprintf(out, "%*s", l->between + (left ? pad : 0), "");
}

static void print_heads(FILE *out, const struct layout *l, const struct paint *p)
{
	for (int h = 0; h < 2; h++) {
		size_t last = last_column(l);

		while (last > 0 && (!l->width[last] || !*head_of(l, last, h)))
			last--;
		for (size_t c = 0; c <= last; c++)
			if (l->width[c])
				print_cell(out, l, c, last, head_of(l, c, h), *head_of(l, c, h) ? p->head : "", p->off);
	}
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
	struct view view = { 0 };

	rows_make(c, &rows);
	choose_columns(&l, &rows, style, &view);
	make_layout(&l, &view, style->columns);
	print_title(out, c, &rows, style);
	if (l.n)
		print_heads(out, &l, p);
	for (size_t i = 0; i < view.n; i++)
		for (size_t k = 0; k < column_count(&l); k++)
			if (l.width[k])
				print_cell(out, &l, k, last_column(&l), l.rows[i].v[k], colour_of(p, &l, &view.v[i], k), p->off);
	if (l.has_medians)
		print_wrapped(out, "~: the median of runs that differ", style->columns, 0, 0);
	if (view.folded)
		print_wrapped(out, "Releases that behave alike are one row: memtide show --full has one for each.", style->columns, 0, 0);
	table_print_notes(out, &rows, style);
	table_print_clock(out, c, style);
	layout_done(&l);
	view_done(&view);
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
