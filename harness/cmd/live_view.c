/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/live_view.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/safe_text.h"
#include "base/units.h"
#include "render/braille.h"
#include "render/wrap.h"

#define AXIS_COLUMNS 9 /* "1000 MB |" */
#define SPAN_MIN_S   60
#define CURVE_ROWS_MIN 3
#define VERDICT_LINES 2
#define NOTE_LINES_MAX 3
#define BAR_COLUMNS_MAX 100
#define COLOUR_RSS 0 /* the terminal's own: its background may be light or dark */
#define COLOUR_HEAP 36
#define COLOUR_DIM 245

/* The colours of the figures (plots/inside-style.gp), as near as 256 colours come. */
static const struct part {
	const char *name;
	char letter; /* in the bar, where there are no colours */
	uint8_t colour;
} parts[RSS_PART_COUNT_] = {
	[RSS_OBJECTS] = { "objects", 'o', 25 },
	[RSS_FRAGMENTATION] = { "fragmentation", 'f', 110 },
	[RSS_STACKS] = { "Go stacks", 's', 166 },
	[RSS_IDLE] = { "idle Go heap", 'i', 221 },
	[RSS_LAZYFREE] = { "lazily freed", 'z', 230 },
	[RSS_RUNTIME] = { "Go runtime", 'r', 97 },
	[RSS_NATIVE] = { "native (C,mmap)", 'n', 29 },
	[RSS_THREAD_STACKS] = { "thread stacks", 't', 115 },
	[RSS_FILES] = { "files", '#', 246 },
};

/* ---- lines ------------------------------------------------------------------------------------------------------------------------- */

struct frame {
	const struct live_style *style;
	FILE *f;
	unsigned line, column;
	bool full; /* something had no room in this line: nothing comes behind it */
};

static unsigned room(const struct frame *t)
{
	return t->style->columns > t->column ? t->style->columns - t->column : 0;
}

static void put(struct frame *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct frame *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cleanup_free char *text = vstrf(fmt, ap);
	va_end(ap);
	t->column += safe_text_put(t->f, text, room(t), t->style->utf8);
}

/* As put(), but whole or not at all: half of a number is another number. */
static void put_whole(struct frame *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put_whole(struct frame *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cleanup_free char *text = vstrf(fmt, ap);
	va_end(ap);
	t->full = t->full || strlen(text) > room(t);
	if (!t->full)
		put(t, "%s", text);
}

static void colour(struct frame *t, unsigned c)
{
	if (t->style->coloured && c)
		fprintf(t->f, "\033[38;5;%um", c);
	else if (t->style->coloured)
		fputs("\033[0m", t->f);
}

static void to_column(struct frame *t, unsigned column)
{
	while (t->column < column && room(t)) {
		fputc(' ', t->f);
		t->column++;
	}
}

/* Ends a line. At the last column there is nothing to wipe, and a wipe there would take the last character away. */
static void end_line(struct frame *t)
{
	if (room(t))
		fputs("\033[K", t->f);
	t->line++;
	t->column = 0;
	t->full = false;
	if (t->line < t->style->rows)
		fputs("\r\n", t->f);
}

static unsigned lines_left(const struct frame *t)
{
	return t->style->rows > t->line ? t->style->rows - t->line : 0;
}

static const char *size_text(char buf[32], uint64_t bytes)
{
	return bytes == GO_UNKNOWN ? "-" : format_size(buf, 32, bytes);
}

/* "+12.3 MB/s"; "" where it is not known or nothing to speak of. */
static const char *rate_text(char buf[48], double bytes_per_s)
{
	char size[32];

	if (isnan(bytes_per_s) || fabs(bytes_per_s) < 1024)
		return "";
	(void)snprintf(buf, 48, " %c%s/s", bytes_per_s < 0 ? '-' : '+', format_size(size, sizeof(size), (uint64_t)fabs(bytes_per_s)));
	return buf;
}

static const char *count_rate_text(char buf[48], double per_s)
{
	if (isnan(per_s) || fabs(per_s) < 0.05)
		return "";
	(void)snprintf(buf, 48, fabs(per_s) < 9.95 ? " (%+.1f/s)" : " (%+.0f/s)", per_s);
	return buf;
}

/* ---- the parts of a frame ------------------------------------------------------------------------------------------------------------ */

/* Whole seconds: it counts. */
static const char *time_text(char buf[32], double seconds)
{
	if (seconds < 100)
		(void)snprintf(buf, 32, "%.0f s", floor(seconds));
	else
		(void)format_duration(buf, 32, floor(seconds));
	return buf;
}

static void print_head(struct frame *t, const struct live_view *v)
{
	char time[32];
	const char *end = "q leaves";

	put(t, "%s%s%s  watched %s", v->who, *v->version ? "  " : "", v->version, time_text(time, v->watched_s));
	if (t->style->columns > t->column + strlen(end) + 2) {
		to_column(t, t->style->columns - (unsigned)strlen(end));
		colour(t, COLOUR_DIM);
		put(t, "%s", end);
		colour(t, 0);
	}
	end_line(t);
}

static void print_now(struct frame *t, const struct live_view *v)
{
	char size[32], rate[48];

	colour(t, COLOUR_RSS);
	put_whole(t, "RSS %s", size_text(size, v->rss_bytes));
	put_whole(t, "%s", rate_text(rate, v->rss_per_s));
	colour(t, COLOUR_DIM);
	put_whole(t, "  highest %s", size_text(size, v->peak_bytes));
	if (v->has_counters) {
		colour(t, COLOUR_HEAP);
		put_whole(t, "  heap in use %s", size_text(size, v->counters.heap_inuse_bytes));
	}
	colour(t, COLOUR_DIM);
	if (v->usage_bytes != GO_UNKNOWN)
		put_whole(t, "  its cgroup %s", size_text(size, v->usage_bytes));
	colour(t, 0);
	end_line(t);
}

/* The next of 1, 2, 5, 10, ..., 500 times a power of 1024, so that labels are whole numbers. */
static double nice_top(double bytes)
{
	double unit = 1;

	while (bytes > 500 * unit)
		unit *= 1024;
	for (double ten = unit; ; ten *= 10)
		for (int i = 0; i < 3; i++) {
			double step = ten * (i == 0 ? 1 : i == 1 ? 2 : 5);

			if (step >= bytes)
				return step;
		}
}

static void draw_curve(struct braille *b, const struct live_view *v, bool heap, double span_s, double top)
{
	long x0 = -1, y0 = 0, width = (long)b->columns * 2 - 1, height = (long)b->rows * 4 - 1;
	double begin = v->watched_s - span_s; /* now is at the right, as the axis says */

	for (size_t i = 0; i < v->n_points; i++) {
		const struct live_point *p = &v->points[i];
		uint64_t bytes = heap ? p->heap_bytes : p->rss_bytes;
		long x = lround((p->t_s - begin) / span_s * (double)width);
		long y = height - lround((double)bytes / top * (double)height);

		if (bytes == GO_UNKNOWN || x < 0) {
			x0 = -1;
			continue;
		}
		if (x0 >= 0)
			braille_step(b, x0, y0, x, y, heap ? COLOUR_HEAP : COLOUR_RSS);
		else
			braille_dot(b, x, y, heap ? COLOUR_HEAP : COLOUR_RSS);
		x0 = x;
		y0 = y;
	}
}

static void print_curve(struct frame *t, const struct live_view *v, unsigned rows)
{
	unsigned columns = t->style->columns > AXIS_COLUMNS + 1 ? t->style->columns - AXIS_COLUMNS : 1;
	double span_s = v->watched_s > SPAN_MIN_S ? v->watched_s : SPAN_MIN_S, most = 1024;
	struct braille b;
	char text[32], span[32];

	for (size_t i = 0; i < v->n_points; i++)
		if (v->points[i].rss_bytes != GO_UNKNOWN && (double)v->points[i].rss_bytes > most)
			most = (double)v->points[i].rss_bytes;
	most = nice_top(most);
	braille_init(&b, columns, rows);
	draw_curve(&b, v, true, span_s, most);
	draw_curve(&b, v, false, span_s, most);
	for (unsigned row = 0; row < b.rows; row++) {
		bool labelled = row == 0 || row == b.rows - 1;

		colour(t, COLOUR_DIM);
		put(t, "%7s %s", labelled ? row ? "0 B" : format_size(text, sizeof(text), (uint64_t)most) : "", t->style->utf8 ? "│" : "|");
		colour(t, 0);
		if (room(t) >= b.columns)
			braille_print_row(&b, row, t->style->coloured, t->style->utf8, t->f);
		t->column += b.columns;
		end_line(t);
	}
	braille_done(&b);
	colour(t, COLOUR_DIM);
	to_column(t, AXIS_COLUMNS - 1);
	put(t, "-%s", time_text(span, span_s));
	to_column(t, t->style->columns - 3);
	put(t, "now");
	colour(t, 0);
	end_line(t);
}

/* Characters of the bar for each part: at least one for what is more than half a percent; the largest gives up or takes what does not fit. */
static void share_out(const struct rss_split *s, unsigned columns, unsigned ret[RSS_PART_COUNT_])
{
	unsigned given = 0, largest = 0;

	for (unsigned i = 0; i < RSS_PART_COUNT_; i++) {
		double share = s->resident_bytes ? (double)s->part[i] / (double)s->resident_bytes : 0;

		ret[i] = (unsigned)lround((share > 1 ? 1 : share) * columns);
		if (!ret[i] && share > 0.005)
			ret[i] = 1;
		given += ret[i];
		if (ret[i] > ret[largest])
			largest = i;
	}
	if (given > columns)
		ret[largest] = ret[largest] > given - columns ? ret[largest] - (given - columns) : 0;
	else if (given)
		ret[largest] += columns - given;
}

static void print_bar(struct frame *t, const struct rss_split *s)
{
	unsigned cells[RSS_PART_COUNT_], columns = t->style->columns > BAR_COLUMNS_MAX ? BAR_COLUMNS_MAX : t->style->columns;

	share_out(s, columns, cells);
	for (unsigned i = 0; i < RSS_PART_COUNT_; i++) {
		colour(t, parts[i].colour);
		for (unsigned k = 0; k < cells[i]; k++)
			if (t->style->coloured && t->style->utf8)
				put(t, "█");
			else
				put(t, "%c", parts[i].letter);
	}
	colour(t, 0);
	end_line(t);
}

/* One to three parts in a line. */
static unsigned parts_per_line(const struct live_style *style)
{
	return style->columns >= 78 ? 3 : style->columns >= 52 ? 2 : 1;
}

static void print_parts(struct frame *t, const struct rss_split *s, unsigned most_lines)
{
	unsigned per_line = parts_per_line(t->style), width = t->style->columns / per_line;
	char size[32];

	for (unsigned i = 0; i < RSS_PART_COUNT_ && i / per_line < most_lines; i++) {
		to_column(t, i % per_line * width);
		colour(t, parts[i].colour);
		if (t->style->coloured && t->style->utf8)
			put(t, "█ ");
		else
			put(t, "%c ", parts[i].letter);
		colour(t, 0);
		/* 25 columns, of 26 where there are three beside each other. */
		put(t, "%-15.15s %7s", parts[i].name, size_text(size, s->part[i]));
		if (i % per_line == per_line - 1 || i == RSS_PART_COUNT_ - 1)
			end_line(t);
	}
}

static void print_counters(struct frame *t, const struct live_view *v)
{
	char goal[32], rate[48], gcs[48];

	if (v->has_counters) {
		put_whole(t, "next GC at %s", size_text(goal, v->counters.gc_goal_bytes));
		put_whole(t, "  GCs %llu%s", (unsigned long long)v->counters.gc_count, count_rate_text(gcs, v->gc_per_s));
		put_whole(t, "  goroutines %llu%s", (unsigned long long)v->counters.goroutines, count_rate_text(rate, v->goroutines_per_s));
	}
	if (v->threads != GO_UNKNOWN)
		put_whole(t, "%sthreads %llu", v->has_counters ? "  " : "", (unsigned long long)v->threads);
	end_line(t);
}

static void print_origins(struct frame *t, const struct live_view *v, unsigned most)
{
	char rate[48];

	for (size_t i = 0; i < v->n_origins && i < most; i++) {
		put(t, "%8llu", (unsigned long long)v->origins[i].count);
		colour(t, COLOUR_DIM);
		put(t, "%s", count_rate_text(rate, v->origins[i].per_s));
		colour(t, 0);
		put(t, "  %s", v->origins[i].text);
		end_line(t);
	}
}

/* Broken at blanks into so many lines; what does not fit is cut, and the cut is shown. */
static void print_text(struct frame *t, const char *text, unsigned most_lines)
{
	const char *more = t->style->utf8 ? "…" : "...";
	unsigned width = t->style->columns, more_columns = t->style->utf8 ? 1 : 3;

	for (unsigned line = 0; line < most_lines && *text; line++) {
		bool last = line + 1 == most_lines;
		size_t n = strlen(text), cut = n;

		if (n > width) {
			size_t most = !last ? width : width > more_columns ? width - more_columns : 0;

			for (cut = most; cut > 0 && text[cut] != ' '; cut--)
				;
			cut = cut ? cut : most;
		}
		put(t, "%.*s%s", (int)cut, text, last && cut < n ? more : "");
		end_line(t);
		text += cut;
		text += strspn(text, " ");
	}
}

/* ---- a frame ------------------------------------------------------------------------------------------------------------------------- */

/* What has to be shown comes first; the curve takes what is left. */
struct layout {
	unsigned curve, parts, origins, verdict, note;
	bool now, bar, counters;
};

static unsigned take(unsigned *left, unsigned wanted)
{
	unsigned n = wanted < *left ? wanted : *left;

	*left -= n;
	return n;
}

/* Words that are broken need a little more. */
static unsigned note_lines(const char *note, unsigned columns)
{
	size_t lines = columns ? (strlen(note) + strlen(note) / 10) / columns + 1 : 1;

	return lines < NOTE_LINES_MAX ? (unsigned)lines : NOTE_LINES_MAX;
}

static struct layout lay_out(const struct live_view *v, const struct live_style *style)
{
	unsigned left = style->rows ? style->rows - 1 : 0, curve = CURVE_ROWS_MIN + 1;
	struct layout l = { 0 };

	l.now = take(&left, 1);
	l.verdict = v->verdict ? take(&left, VERDICT_LINES) : 0;
	l.note = v->note ? take(&left, note_lines(v->note, style->columns)) : 0;
	l.counters = take(&left, 1);
	l.bar = v->has_split && take(&left, 1);
	if (left >= curve)
		left -= curve;
	else
		curve = 0;
	l.parts = v->has_split ? take(&left, (RSS_PART_COUNT_ + parts_per_line(style) - 1) / parts_per_line(style)) : 0;
	/* At least as much again for the curve before there are more than three. */
	l.origins = take(&left, v->n_origins < 3 ? (unsigned)v->n_origins : 3);
	if (curve && left > 8)
		l.origins += take(&left, (unsigned)v->n_origins - l.origins < (left - 8) / 2 ? (unsigned)v->n_origins - l.origins : (left - 8) / 2);
	l.curve = curve ? curve - 1 + left : 0;
	return l;
}

void live_view_print(const struct live_view *v, const struct live_style *style, FILE *f)
{
	struct frame t = { .style = style, .f = f };
	struct layout l = lay_out(v, style);

	fputs("\033[H", f);
	print_head(&t, v);
	if (l.now)
		print_now(&t, v);
	if (l.curve)
		print_curve(&t, v, l.curve);
	if (l.bar)
		print_bar(&t, &v->split);
	if (l.parts)
		print_parts(&t, &v->split, l.parts);
	if (l.counters)
		print_counters(&t, v);
	print_origins(&t, v, l.origins);
	if (l.verdict)
		print_text(&t, v->verdict, l.verdict);
	if (l.note)
		print_text(&t, v->note, l.note);
	if (lines_left(&t))
		fputs("\033[J", f);
}

void live_view_summarise(const struct live_view *v, int columns, FILE *f)
{
	cleanup_free char *verdict = v->verdict ? safe_text(v->verdict) : NULL, *note = v->note ? safe_text(v->note) : NULL, *counters = NULL;
	char rss[32], peak[32], heap[32], time[32];

	if (v->has_counters)
		counters = strf(", heap in use %s, %llu goroutine%s", size_text(heap, v->counters.heap_inuse_bytes),
				(unsigned long long)v->counters.goroutines, v->counters.goroutines == 1 ? "" : "s");
	cleanup_free char *facts = strf("%s, watched for %s: RSS %s (highest %s)%s.", v->who, time_text(time, v->watched_s),
					size_text(rss, v->rss_bytes), size_text(peak, v->peak_bytes), counters ? counters : "");

	print_wrapped(f, facts, columns, 0, 0);
	if (verdict)
		print_wrapped(f, verdict, columns, 0, 0);
	if (note)
		print_wrapped(f, note, columns, 0, 0);
}
