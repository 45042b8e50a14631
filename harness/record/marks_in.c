/* SPDX-License-Identifier: Apache-2.0
 *
 * The two files that are plain text, a line for each thing that the program said: marks.tsv and values.tsv.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "base/units.h"
#include "record/series.h"
#include "record/series_in.h"

#define BYTES_MAX (16UL << 20)
#define LETTERS   "abcdefghijklmnopqrstuvwxyz0123456789"

struct lines {
	const char *file, *format, *what;
	size_t row_size;
	bool (*parse)(char *line, void *ret); /* 0-terminated; written over */
};

static bool is_name(const char *name, size_t len, const char *of)
{
	return len > 0 && len <= MARK_NAME_MAX && strspn(name, of) == len;
}

/* "1.234567\tNAME\tREST": the two ends are cut off the line, which has columns of a later minor version perhaps. */
static bool split(char *line, int64_t *ret_t_ns, char **ret_name, char **ret_rest)
{
	char *name = strchr(line, '\t'), *rest = name ? strchr(name + 1, '\t') : NULL;

	if (!rest || !table_parse_time(line, (size_t)(name - line), ret_t_ns))
		return false;
	*rest++ = 0;
	rest[strcspn(rest, "\t")] = 0;
	*ret_name = name + 1;
	*ret_rest = rest;
	return true;
}

static bool parse_mark(char *line, void *ret)
{
	struct mark m = { 0 };
	char *name, *by;

	if (!split(line, &m.t_ns, &name, &by) || !is_name(name, strlen(name), LETTERS "-") ||
	    (strcmp(by, "program") && strcmp(by, "supervisor")))
		return false;
	memcpy(m.name, name, strlen(name));
	m.by = *by;
	*(struct mark *)ret = m;
	return true;
}

static bool parse_told(char *line, void *ret)
{
	struct told t = { 0 };
	char *name, *value;

	if (!split(line, &t.t_ns, &name, &value) || !is_name(name, strlen(name), LETTERS "_") ||
	    parse_count(value, 0, INT64_MAX, &t.value, NULL) < 0)
		return false;
	memcpy(t.name, name, strlen(name));
	*(struct told *)ret = t;
	return true;
}

static const struct lines marks_lines = { "marks.tsv", "memtide-marks/1", "a mark", sizeof(struct mark), parse_mark };
static const struct lines told_lines = { "values.tsv", "memtide-values/1", "a value", sizeof(struct told), parse_told };

/* Lines up to the first that is none. */
static int parse_lines(const struct lines *l, const char *path, char *text, size_t len, char **rows, size_t *n, struct strv *damage,
		       struct err *err)
{
	char *at = text, *end = text + len, *stop;
	unsigned line = 0;

	for (; (stop = memchr(at, '\n', (size_t)(end - at))); at = stop + 1) {
		int e = 0;

		*stop = 0;
		if (line++ == 0)
			e = table_check_format(l->format, path, at, (size_t)(stop - at), err);
		if (e == -ENOTSUP)
			return e;
		*rows = xreallocarray(*rows, *n + 1, l->row_size);
		if (e < 0 || (*at != '#' && !l->parse(at, *rows + *n * l->row_size))) {
			strv_pushf(damage, "%s:%u: not %s", l->file, line, e < 0 ? "the format line of such a file" : l->what);
			return 0;
		}
		*n += *at != '#';
	}
	if (at < end || line == 0)
		strv_pushf(damage, "%s ends in the middle", l->file);
	return 0;
}

static int read_lines(const struct lines *l, const char *dir, void **ret, size_t *ret_n, struct strv *damage, struct err *err)
{
	cleanup_free char *path = strf("%s/%s", dir, l->file), *text = NULL, *rows = NULL;
	size_t len = 0, n = 0;
	int r = file_read(path, BYTES_MAX, &text, &len, err);

	if (r >= 0)
		r = parse_lines(l, path, text, len, &rows, &n, damage, err);
	if (r < 0)
		return r;
	*ret = TAKE(rows);
	*ret_n = n;
	return 0;
}

static bool is_there(const struct lines *l, const char *dir)
{
	cleanup_free char *path = strf("%s/%s", dir, l->file);

	return file_exists(path);
}

int marks_in_read(const char *dir, struct mark **ret, size_t *ret_n, struct strv *damage, struct err *err)
{
	void *rows = NULL;
	int r = 0;

	*ret_n = 0;
	if (is_there(&marks_lines, dir))
		r = read_lines(&marks_lines, dir, &rows, ret_n, damage, err);
	else
		strv_pushf(damage, "%s is missing", marks_lines.file);
	*ret = rows;
	return r;
}

int told_in_read(const char *dir, struct told **ret, size_t *ret_n, struct strv *damage, struct err *err)
{
	void *rows = NULL;
	int r = 0;

	*ret_n = 0;
	if (is_there(&told_lines, dir))
		r = read_lines(&told_lines, dir, &rows, ret_n, damage, err);
	*ret = rows;
	return r;
}
