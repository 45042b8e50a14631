/* SPDX-License-Identifier: Apache-2.0 */
#include "render/overlay_file.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strv.h"
#include "base/wall_time.h"

#define FILE_MAX_BYTES (64UL << 20)
#define NAME_MAX_CHARS 60
/* 2200-01-01, and what seconds since 1970 cannot be, but milliseconds are */
#define SECONDS_MAX    7258118400.0
#define GAP_STEPS      2.5
/* More is no memory of a process. */
#define BYTES_MAX      1e18

void overlays_done(struct overlays *o)
{
	for (size_t i = 0; i < o->n; i++) {
		free(o->v[i].name);
		free(o->v[i].v);
	}
	free(o->v);
	*o = (struct overlays){ 0 };
}

/* ---- a series
 * --------------------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The median distance between two points; 0: fewer than three. */
static int64_t step_of(const struct overlay_series *s)
{
	int64_t *d = xcalloc(s->n + 1, sizeof(*d)), median = 0;

	for (size_t i = 1; i < s->n; i++)
		d[i - 1] = s->v[i].t_ns - s->v[i - 1].t_ns;
	if (s->n > 2) {
		qsort(d, s->n - 1, sizeof(*d), by_number);
		median = d[(s->n - 1) / 2];
	}
	free(d);
	return median;
}

/* query_range leaves points out where it has none. */
static void insert_gaps(struct overlay_series *s)
{
	int64_t step = step_of(s);
	size_t n = 0;

	if (!step)
		return;

	struct overlay_point *with = xcalloc(2 * s->n, sizeof(*with));

	for (size_t i = 0; i < s->n; i++) {
		if (i && !isnan(s->v[i - 1].bytes) && (double)(s->v[i].t_ns - s->v[i - 1].t_ns) > GAP_STEPS * (double)step)
			with[n++] = (struct overlay_point){ s->v[i - 1].t_ns + step, NAN };
		with[n++] = s->v[i];
	}
	free(s->v);
	s->v = with;
	s->n = n;
}

/* where: "FILE:12", "FILE: data.result[0].values[3]" */
static int add_point(struct overlay_series *s, double t_s, double bytes, const char *where, struct err *err)
{
	if (!isfinite(t_s) || t_s < 0)
		return err_usage(err, "%s: not a time", where);
	if (t_s > SECONDS_MAX)
		return err_usage(err, "%s: %.0f as a time is beyond the year 2200: seconds are wanted, not milliseconds", where, t_s);
	if (bytes < 0 || (isfinite(bytes) && bytes > BYTES_MAX))
		return err_usage(err, "%s: %g is no size in bytes", where, bytes);
	if (s->n == OVERLAY_POINTS_MAX)
		return err_usage(err, "%s: more than %d points: ask for a longer step", where, OVERLAY_POINTS_MAX);

	int64_t t_ns = (int64_t)(t_s * 1e9);

	if (s->n && t_ns <= s->v[s->n - 1].t_ns)
		return err_usage(err, "%s: the times must ascend", where);
	/* A power of two: it doubles. */
	if (!(s->n & (s->n - 1)))
		s->v = xreallocarray(s->v, s->n ? 2 * s->n : 1, sizeof(*s->v));
	s->v[s->n++] = (struct overlay_point){ t_ns, isfinite(bytes) ? bytes : NAN };
	return 0;
}

static struct overlay_series *new_series(struct overlays *to)
{
	to->v = xreallocarray(to->v, to->n + 1, sizeof(*to->v));
	to->v[to->n] = (struct overlay_series){ 0 };
	return &to->v[to->n++];
}

static int room_for(const struct overlays *to, size_t more, const char *path, struct err *err)
{
	if (to->n + more <= OVERLAY_SERIES_MAX)
		return 0;
	(void)err_usage(err, "%s: %zu series; with those before it at most %d can be told apart", path, more, OVERLAY_SERIES_MAX);
	return err_hint(err, "narrow the query, by labels or by sum()");
}

/* A name for the legend: no control characters, and no longer than there is room. Caller frees. */
static char *legend_name(const char *text)
{
	cleanup_free char *name = xstrdup(text);
	size_t len = strlen(name);

	for (char *c = name; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	if (len <= NAME_MAX_CHARS)
		return TAKE(name);
	/* Not within a character of UTF-8 */
	for (len = NAME_MAX_CHARS - 1; len > 0 && ((unsigned char)name[len] & 0xc0) == 0x80;)
		len--;
	name[len] = 0;
	return strf("%s…", name);
}

/* Units that Prometheus' names end in and that are no bytes */
static int check_unit(const char *name, const char *where, struct err *err)
{
	static const char *const others[] = { "_seconds", "_seconds_total", "_ratio", "_percent", "_celsius", "_count", "_info", "_milliseconds", "_cores" };
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (n > strlen(others[i]) && !strcmp(name + n - strlen(others[i]), others[i]))
			return err_usage(err, "%s: %.*s does not count bytes, to go by its name", where, NAME_MAX_CHARS, name);
	return 0;
}

/* ---- Prometheus
 * ------------------------------------------------------------------------------------------------------------------- */

/* Labels that say least, and those that all series have alike, are left out. */
static bool tells_apart(const json_t *result, const char *label, const char *value)
{
	json_t *series;
	size_t i;

	if (json_array_size(result) == 1)
		return !strcmp(label, "pod") || !strcmp(label, "container") || !strcmp(label, "job");
	json_array_foreach(result, i, series)
	{
		const char *other = json_string_value(json_object_get(json_object_get(series, "metric"), label));

		if (!other || strcmp(other, value))
			return true;
	}
	return false;
}

/* "container_memory_rss {pod=web-1}"; name: instead of the metric's. Caller frees. */
static char *series_name(const json_t *result, const json_t *metric, const char *name)
{
	cleanup_strv struct strv labels = STRV_INIT;
	const char *label, *own = json_string_value(json_object_get(metric, "__name__"));
	json_t *value;

	json_object_foreach((json_t *)metric, label, value)
		if (strcmp(label, "__name__") && json_is_string(value) && tells_apart(result, label, json_string_value(value)))
			strv_pushf(&labels, "%s=%s", label, json_string_value(value));
	strv_sort(&labels);

	cleanup_free char *list = labels.n && (!name || json_array_size(result) > 1) ? strv_join(&labels, ", ") : NULL;
	cleanup_free char *whole = list ? strf("%s {%s}", name ? name : own ? own : "", list) : xstrdup(name ? name : own ? own : "overlay");
	return legend_name(whole);
}

static int read_value(struct overlay_series *s, const json_t *pair, const char *where, struct err *err)
{
	const char *text = json_string_value(json_array_get(pair, 1));
	const json_t *t = json_array_get(pair, 0);
	char *end;

	if (json_array_size(pair) != 2 || !json_is_number(t) || !text || !*text || isspace((unsigned char)*text))
		return err_usage(err, "%s: not a pair [time, \"value\"]", where);
	double v = strtod(text, &end);
	if (*end)
		return err_usage(err, "%s: '%.40s' is not a number", where, text);
	/* Nothing is above all sizes, or below. */
	return add_point(s, json_number_value(t), isfinite(v) ? v : NAN, where, err);
}

static int read_series(const json_t *result, size_t i, const char *path, const char *name, struct overlays *to, struct err *err)
{
	const json_t *of = json_array_get(result, i), *metric = json_object_get(of, "metric"), *values = json_object_get(of, "values");
	cleanup_free char *at = strf("%s: data.result[%zu]", path, i);
	const char *own = json_string_value(json_object_get(metric, "__name__"));
	struct overlay_series *s;
	json_t *pair;
	size_t k;
	int r = own ? check_unit(own, at, err) : 0;

	if (r < 0)
		return r;
	if (!json_is_array(values))
		return err_usage(err, json_is_array(json_object_get(of, "histograms")) ? "%s: a histogram has no one value" : "%s: no values", at);
	s = new_series(to);
	s->name = series_name(result, metric, name);
	json_array_foreach(values, k, pair)
	{
		cleanup_free char *where = strf("%s.values[%zu]", at, k);

		if ((r = read_value(s, pair, where, err)) < 0)
			return r;
	}
	insert_gaps(s);
	return 0;
}

static int read_prometheus(const json_t *all, const char *path, const char *name, struct overlays *to, struct err *err)
{
	const char *status = json_string_value(json_object_get(all, "status")), *error = json_string_value(json_object_get(all, "error"));
	/* The answer itself, or what promtool prints of it */
	const json_t *data = json_object_get(all, "data"), *result = json_is_array(all) ? all : json_object_get(data, "result");
	const char *type = json_string_value(json_object_get(data, "resultType"));
	int r = 0;

	if (status && strcmp(status, "success"))
		return err_usage(err, "%s: Prometheus answered '%.40s': %.200s", path, status, error ? error : "no reason given");
	if (type && strcmp(type, "matrix")) {
		(void)err_usage(err, "%s: the result is a %.40s, not a matrix: it has no times to lay over a run", path, type);
		return err_hint(err, "ask /api/v1/query_range instead of /api/v1/query");
	}
	if (!json_is_array(result))
		return err_usage(err, "%s: no data.result, so it is no answer of /api/v1/query_range", path);
	if (!json_array_size(result))
		return err_usage(err, "%s: the result is empty: no series fits the query", path);
	r = room_for(to, json_array_size(result), path, err);
	for (size_t i = 0; i < json_array_size(result) && r >= 0; i++)
		r = read_series(result, i, path, name, to, err);
	return r;
}

/* ---- CSV
 * -------------------------------------------------------------------------------------------------------------------------- */

/* Cuts the quotes and the blanks off a field. */
static char *bare(char *field)
{
	field += strspn(field, " \t");

	size_t n = strlen(field);

	while (n && strchr(" \t\r", field[n - 1]))
		field[--n] = 0;
	if (n >= 2 && *field == '"' && field[n - 1] == '"') {
		field[n - 1] = 0;
		field++;
	}
	return field;
}

static bool split_line(char *line, char **ret_time, char **ret_value)
{
	char *comma = strchr(line, ',');

	if (!comma || strchr(comma + 1, ','))
		return false;
	*comma = 0;
	*ret_time = bare(line);
	*ret_value = bare(comma + 1);
	return true;
}

static int read_time(const char *text, const char *where, double *ret, struct err *err)
{
	char *end;
	int64_t ns;

	*ret = strtod(text, &end);
	if (end != text && !*end)
		return 0;
	if (wall_time_parse(text, &ns, err) < 0)
		return err_wrap(err, "%s", where);
	*ret = (double)ns / 1e9;
	return 0;
}

static int read_row(struct overlay_series *s, char *line, const char *where, struct err *err)
{
	char *time, *value, *end;
	double t_s, bytes;
	int r;

	if (!split_line(line, &time, &value))
		return err_usage(err, "%s: not two fields, a time and a value", where);
	r = read_time(time, where, &t_s, err);
	if (r < 0)
		return r;
	bytes = strtod(value, &end);
	if (!*value || !strcasecmp(value, "null"))
		bytes = NAN;
	else if (*end)
		return err_usage(err, "%s: '%.40s' is not a number of bytes", where, value);
	return add_point(s, t_s, isfinite(bytes) ? bytes : NAN, where, err);
}

static int read_csv(char *text, const char *path, const char *name, struct overlays *to, struct err *err)
{
	char *at = text, *time, *value;
	struct overlay_series *s;
	unsigned long line = 1;
	int r = room_for(to, 1, path, err);

	if (r < 0)
		return r;
	if (!strncmp(at, "\xef\xbb\xbf", 3))
		at += 3;
	char *first = strsep(&at, "\n");
	if (!split_line(first, &time, &value) || strcasecmp(time, "time") || !*value)
		return err_usage(err, "%s:1: neither JSON nor CSV with the header time,value", path);
	if ((r = check_unit(value, path, err)) < 0)
		return r;
	s = new_series(to);
	s->name = legend_name(name ? name : strcasecmp(value, "value") ? value : strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	for (char *row; (row = strsep(&at, "\n")) && r >= 0;) {
		cleanup_free char *where = strf("%s:%lu", path, ++line);

		if (row[strspn(row, " \t\r")])
			r = read_row(s, row, where, err);
	}
	if (r < 0)
		return r;
	if (!s->n)
		return err_usage(err, "%s: no rows after the header", path);
	insert_gaps(s);
	return 0;
}

/* ---- the file
 * --------------------------------------------------------------------------------------------------------------------- */

int overlay_text_read(char *text, size_t len, const char *path, const char *name, struct overlays *to, struct err *err)
{
	const char *first = text + strspn(text, " \t\r\n");
	json_error_t where;

	if (strlen(text) != len)
		return err_usage(err, "%s: not text: byte %zu is 0", path, strlen(text) + 1);
	if (*first != '{' && *first != '[')
		return read_csv(text, path, name, to, err);

	cleanup_json json_t *all = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
	if (!all)
		return err_usage(err, "%s:%d:%d: not JSON: %s", path, where.line, where.column, where.text);
	return read_prometheus(all, path, name, to, err);
}

int overlay_file_read(const char *spec, struct overlays *to, struct err *err)
{
	const char *colon = strrchr(spec, ':');
	cleanup_free char *path = file_exists(spec) || !colon ? xstrdup(spec) : strf("%.*s", (int)(colon - spec), spec), *text = NULL;
	const char *name = file_exists(spec) || !colon || !colon[1] ? NULL : colon + 1;
	struct err cleanup_err why = ERR_INIT;
	size_t len;

	if (file_read(path, FILE_MAX_BYTES, &text, &len, &why) < 0)
		return err_usage(err, "%s", err_text(&why));
	return overlay_text_read(text, len, path, name, to, err);
}
