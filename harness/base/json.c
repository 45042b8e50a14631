/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"

#define STYLE (JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(12))

int json_save(const char *path, const json_t *value, struct err *err)
{
	cleanup_free char *text = json_dumps(value, STYLE);

	if (!text)
		return err_set(err, 0, "cannot write %s: a value is not representable in JSON", path);

	cleanup_free char *lines = strf("%s\n", text);
	return file_write(path, lines, strlen(lines), err);
}

static int check_format(const char *path, const char *want, const json_t *value, struct err *err)
{
	const char *have = json_string_value(json_object_get(value, "format"));
	size_t name = strcspn(want, "/") + 1;

	if (!have || strncmp(have, want, name))
		return err_set(err, 0, "%s is not a %.*s file", path, (int)name - 1, want);
	if (atol(have + name) > atol(want + name))
		return err_set(err, 0, "%s has the format %s; this memtide reads up to %s: use a newer memtide", path, have, want);
	return 0;
}

int json_open(const char *path, const char *format, json_t **ret, struct err *err)
{
	cleanup_free char *text = NULL;
	size_t len;
	json_error_t where;
	int r = file_read(path, 256UL << 20, &text, &len, err);

	if (r < 0)
		return r;

	cleanup_json json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
	if (!value)
		return err_set(err, 0, "%s:%d:%d: %s", path, where.line, where.column, where.text);
	r = format ? check_format(path, format, value, err) : 0;
	if (r < 0)
		return r;
	*ret = TAKE(value);
	return 0;
}

int json_print(const json_t *value, struct err *err)
{
	if (json_dumpf(value, stdout, STYLE | JSON_ENCODE_ANY) < 0 || putchar('\n') == EOF || fflush(stdout) == EOF)
		return err_set(err, errno, "cannot write to standard output");
	return 0;
}

/* The length of the UTF-8 sequence at p, 0 where there is none. jansson decides on what is well-formed; this only cuts. */
static size_t sequence_length(const char *p)
{
	unsigned char c = (unsigned char)*p;
	size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

json_t *json_text(const char *s)
{
	if (!s)
		return json_null();

	json_t *whole = json_string(s);
	if (whole)
		return whole;

	cleanup_free char *clean = xstrdup(s);
	for (char *p = clean; *p;) {
		size_t n = sequence_length(p);
		json_t *piece = n ? json_stringn(p, n) : NULL;

		if (!piece) {
			*p++ = '?';
			continue;
		}
		json_decref(piece);
		p += n;
	}
	whole = json_string(clean);
	return whole ? whole : json_null();
}
