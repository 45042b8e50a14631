/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "record/series.h"
#include "record/series_in.h"

#define MARKS_FILE      "marks.tsv"
#define MARKS_BYTES_MAX (16UL << 20)

static bool is_mark_name(const char *name, size_t len)
{
	return len > 0 && len <= MARK_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* "1.234567\tdropped\tprogram", 0-terminated; written over. */
static bool parse_mark(char *line, struct mark *ret)
{
	char *name = strchr(line, '\t'), *by = name ? strchr(name + 1, '\t') : NULL;
	struct mark m = { 0 };

	if (!by || !table_parse_time(line, (size_t)(name - line), &m.t_ns))
		return false;
	*by++ = 0;
	by[strcspn(by, "\t")] = 0; /* columns of a later minor version */
	name++;
	if (!is_mark_name(name, strlen(name)) || (strcmp(by, "program") && strcmp(by, "supervisor")))
		return false;
	memcpy(m.name, name, strlen(name));
	m.by = *by;
	*ret = m;
	return true;
}

/* Lines up to the first that is none. */
static int parse_marks(const char *path, char *text, size_t len, struct mark **marks, size_t *n, struct strv *damage,
		       struct err *err)
{
	char *at = text, *end = text + len, *stop;
	unsigned line = 0;

	for (; (stop = memchr(at, '\n', (size_t)(end - at))); at = stop + 1) {
		struct mark m;
		int e = 0;

		*stop = 0;
		if (line++ == 0)
			e = table_check_format("memtide-marks/1", path, at, (size_t)(stop - at), err);
		if (e == -ENOTSUP)
			return e;
		if (e < 0 || (*at != '#' && !parse_mark(at, &m))) {
			strv_pushf(damage, MARKS_FILE ":%u: %s", line,
				   e < 0 ? "not the format line of such a file" : "not a mark");
			return 0;
		}
		if (*at == '#')
			continue;
		*marks = xreallocarray(*marks, *n + 1, sizeof(m));
		(*marks)[(*n)++] = m;
	}
	if (at < end || line == 0)
		strv_pushf(damage, MARKS_FILE " ends in the middle");
	return 0;
}

int marks_in_read(const char *dir, struct mark **ret, size_t *ret_n, struct strv *damage, struct err *err)
{
	cleanup_free char *path = strf("%s/" MARKS_FILE, dir), *text = NULL;
	struct mark *marks = NULL;
	size_t len = 0, n = 0;

	if (!file_exists(path)) {
		strv_pushf(damage, MARKS_FILE " is missing");
		*ret = NULL;
		*ret_n = 0;
		return 0;
	}

	int r = file_read(path, MARKS_BYTES_MAX, &text, &len, err);
	if (r >= 0)
		r = parse_marks(path, text, len, &marks, &n, damage, err);
	if (r < 0) {
		free(marks);
		return r;
	}
	*ret = marks;
	*ret_n = n;
	return 0;
}
