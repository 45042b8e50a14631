/* SPDX-License-Identifier: Apache-2.0 */
#include "record/tsv.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "record/series.h"

#define NS_PER_US 1000

static const struct column sample_columns[] = {
	{ "t_s", "s", COLUMN_TIME, offsetof(struct sample, t_ns) },
	{ "rss_bytes", "bytes", COLUMN_NUMBER, offsetof(struct sample, rss_bytes) },
	{ "usage_bytes", "bytes", COLUMN_NUMBER, offsetof(struct sample, usage_bytes) },
};

static const struct column probe_columns[] = {
	{ "t_s", "s", COLUMN_TIME, offsetof(struct probe, t_ns) },
	{ "threads", "count", COLUMN_NUMBER, offsetof(struct probe, threads) },
	{ "cpu_s", "s", COLUMN_SECONDS, offsetof(struct probe, cpu_ns) },
	{ "hwm_bytes", "bytes", COLUMN_NUMBER, offsetof(struct probe, hwm_bytes) },
	{ "inactive_file_bytes", "bytes", COLUMN_NUMBER, offsetof(struct probe, inactive_file_bytes) },
	{ "working_set_bytes", "bytes", COLUMN_NUMBER, offsetof(struct probe, working_set_bytes) },
	{ "pss_bytes", "bytes", COLUMN_NUMBER, offsetof(struct probe, pss_bytes) },
	{ "lazyfree_bytes", "bytes", COLUMN_NUMBER, offsetof(struct probe, lazyfree_bytes) },
	{ "thp_bytes", "bytes", COLUMN_NUMBER, offsetof(struct probe, thp_bytes) },
	{ "swap_bytes", "bytes", COLUMN_NUMBER, offsetof(struct probe, swap_bytes) },
	{ "slow", "count", COLUMN_NUMBER, offsetof(struct probe, slow) },
};

#define GO_COLUMN(name, unit) { #name, unit, COLUMN_NUMBER, offsetof(struct go_row, c.name) }

static const struct column go_columns[] = {
	{ "t_s", "s", COLUMN_TIME, offsetof(struct go_row, t_ns) },
	GO_COLUMN(heap_inuse_bytes, "bytes"),
	GO_COLUMN(heap_idle_bytes, "bytes"),
	GO_COLUMN(heap_released_bytes, "bytes"),
	GO_COLUMN(stacks_bytes, "bytes"),
	GO_COLUMN(runtime_bytes, "bytes"),
	GO_COLUMN(gc_goal_bytes, "bytes"),
	GO_COLUMN(gc_count, "count"),
	GO_COLUMN(goroutines, "count"),
	GO_COLUMN(threads_made, "count"),
	GO_COLUMN(heap_marked_bytes, "bytes"),
};

#define SPLIT_COLUMN(name, part_) { name, "bytes", COLUMN_NUMBER, offsetof(struct split_row, s.part[part_]) }

static const struct column split_columns[] = {
	{ "t_s", "s", COLUMN_TIME, offsetof(struct split_row, t_ns) },
	SPLIT_COLUMN("objects_bytes", RSS_OBJECTS),
	SPLIT_COLUMN("fragmentation_bytes", RSS_FRAGMENTATION),
	SPLIT_COLUMN("stacks_bytes", RSS_STACKS),
	SPLIT_COLUMN("idle_bytes", RSS_IDLE),
	SPLIT_COLUMN("lazyfree_bytes", RSS_LAZYFREE),
	SPLIT_COLUMN("runtime_bytes", RSS_RUNTIME),
	SPLIT_COLUMN("native_bytes", RSS_NATIVE),
	SPLIT_COLUMN("thread_stacks_bytes", RSS_THREAD_STACKS),
	SPLIT_COLUMN("files_bytes", RSS_FILES),
	{ "rss_bytes", "bytes", COLUMN_NUMBER, offsetof(struct split_row, s.resident_bytes) },
};

#define N(a) (sizeof(a) / sizeof(*(a)))

const struct table table_samples = {
	"samples.tsv.zst", "memtide-samples/1", sample_columns, N(sample_columns), sizeof(struct sample), .optional = false,
};
const struct table table_probes = {
	"probes.tsv.zst", "memtide-probes/1", probe_columns, N(probe_columns), sizeof(struct probe), .optional = false,
};
const struct table table_go = {
	"go.tsv.zst", "memtide-go/1", go_columns, N(go_columns), sizeof(struct go_row), .optional = true,
};
const struct table table_split = {
	"split.tsv.zst", "memtide-split/1", split_columns, N(split_columns), sizeof(struct split_row), .optional = true,
};

char *table_header(const struct table *t)
{
	char *names = xstrdup("#"), *units = xstrdup("#");

	for (size_t i = 0; i < t->n_columns; i++) {
		const char *between = i ? "\t" : " ";
		char *longer_names = strf("%s%s%s", names, between, t->columns[i].name);
		char *longer_units = strf("%s%s%s", units, between, t->columns[i].unit);

		free(names);
		free(units);
		names = longer_names;
		units = longer_units;
	}
	char *header = strf("# %s\n%s\n%s\n", t->format, names, units);

	free(names);
	free(units);
	return header;
}

/* ---- to text -------------------------------------------------------------------------------------------------------- */

static char *format_number(char *at, uint64_t n)
{
	char digits[20];
	int i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	memcpy(at, digits + i, sizeof(digits) - (size_t)i);
	return at + (sizeof(digits) - (size_t)i);
}

static char *format_seconds(char *at, uint64_t ns)
{
	uint64_t us = ns / NS_PER_US;
	unsigned part = (unsigned)(us % 1000000);

	at = format_number(at, us / 1000000);
	*at = '.';
	for (int i = 6; i > 0; i--) {
		at[i] = (char)('0' + part % 10);
		part /= 10;
	}
	return at + 7;
}

char *table_format_time(char *at, int64_t ns)
{
	if (ns > -NS_PER_US)
		return format_seconds(at, ns < 0 ? 0 : (uint64_t)ns);
	*at = '-';
	return format_seconds(at + 1, -(uint64_t)ns);
}

static char *format_value(char *at, const struct column *c, uint64_t value)
{
	if (c->kind == COLUMN_TIME)
		return table_format_time(at, (int64_t)value);
	if (value == MISSING) {
		*at = '-';
		return at + 1;
	}
	return c->kind == COLUMN_SECONDS ? format_seconds(at, value) : format_number(at, value);
}

size_t table_format_row(const struct table *t, const void *row, char buf[TABLE_ROW_MAX])
{
	char *at = buf;

	for (size_t i = 0; i < t->n_columns; i++) {
		uint64_t value;

		memcpy(&value, (const char *)row + t->columns[i].offset, sizeof(value));
		at = format_value(at, &t->columns[i], value);
		*at++ = '\t';
	}
	at[-1] = '\n';
	return (size_t)(at - buf);
}

/* ---- from text ------------------------------------------------------------------------------------------------------ */

/* Digits up to the end or the first other character; NULL: none, or too large. */
static const char *parse_digits(const char *at, const char *end, uint64_t *ret)
{
	const char *start = at;
	uint64_t n = 0;

	for (; at < end && *at >= '0' && *at <= '9'; at++)
		if (at - start < 19)
			n = n * 10 + (uint64_t)(*at - '0');
		else if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(*at - '0'), &n))
			return NULL;
	*ret = n;
	return at > start ? at : NULL;
}

static bool parse_seconds(const char *at, const char *end, uint64_t *ret_ns)
{
	uint64_t whole, part = 0, scale = NS_PER_S;

	at = parse_digits(at, end, &whole);
	if (!at || whole >= INT64_MAX / NS_PER_S)
		return false;
	if (at < end && *at == '.')
		for (at++; at < end && *at >= '0' && *at <= '9' && scale > 1; at++) {
			scale /= 10;
			part += scale * (uint64_t)(*at - '0');
		}
	*ret_ns = whole * NS_PER_S + part;
	return at == end;
}

bool table_parse_time(const char *text, size_t len, int64_t *ret_ns)
{
	bool negative = len > 0 && *text == '-';
	uint64_t ns;

	if (!parse_seconds(text + negative, text + len, &ns))
		return false;
	*ret_ns = negative ? -(int64_t)ns : (int64_t)ns;
	return true;
}

static bool parse_value(enum column_kind kind, const char *at, const char *end, uint64_t *ret)
{
	int64_t ns;

	if (kind == COLUMN_TIME) {
		if (!table_parse_time(at, (size_t)(end - at), &ns))
			return false;
		*ret = (uint64_t)ns;
		return true;
	}
	if (end - at == 1 && *at == '-') {
		*ret = MISSING;
		return true;
	}
	if (kind == COLUMN_SECONDS)
		return parse_seconds(at, end, ret);
	return parse_digits(at, end, ret) == end && *ret != MISSING;
}

bool table_parse_row(const struct table *t, const struct table_map *map, const char *line, size_t len, void *ret_row)
{
	const char *at = line, *end = line + len;

	memset(ret_row, 0xff, t->row_size); /* MISSING everywhere */
	for (size_t i = 0; i < map->n; i++) {
		const char *tab = memchr(at, '\t', (size_t)(end - at));
		const char *stop = tab ? tab : end;
		uint64_t value;

		if (!tab != (i + 1 == map->n))
			return false;
		if (map->column[i] >= 0) {
			const struct column *c = &t->columns[map->column[i]];

			if (!parse_value(c->kind, at, stop, &value))
				return false;
			memcpy((char *)ret_row + c->offset, &value, sizeof(value));
		}
		at = stop + 1;
	}
	return true;
}

static int find_column(const struct table *t, const char *name, size_t len)
{
	for (size_t i = 0; i < t->n_columns; i++)
		if (strlen(t->columns[i].name) == len && !memcmp(t->columns[i].name, name, len))
			return (int)i;
	return -1;
}

bool table_parse_names(const struct table *t, const char *line, size_t len, struct table_map *ret)
{
	struct table_map map = { 0 };
	const char *at = line, *end = line + len;
	unsigned long long seen = 0;

	while (at < end && (*at == '#' || *at == ' '))
		at++;
	while (at < end && map.n < TABLE_COLUMNS_MAX) {
		const char *tab = memchr(at, '\t', (size_t)(end - at));
		const char *stop = tab ? tab : end;
		int column = find_column(t, at, (size_t)(stop - at));

		if (column >= 0 && seen & 1ULL << column)
			return false;
		seen |= column >= 0 ? 1ULL << column : 0;
		map.column[map.n++] = column;
		at = stop + (tab != NULL);
	}
	if (at < end || !(seen & 1))
		return false;
	*ret = map;
	return true;
}

int table_check_format(const char *format, const char *path, const char *line, size_t len, struct err *err)
{
	size_t name = strcspn(format, "/") + 1;
	const char *end = line + len;
	uint64_t have = 0, known = 0;

	if (len < 2 + name || memcmp(line, "# ", 2) || memcmp(line + 2, format, name) ||
	    parse_digits(line + 2 + name, end, &have) != end || !parse_digits(format + name, format + strlen(format), &known))
		return -EPROTO;
	if (have <= known)
		return 0;
	(void)err_set(err, 0, "%s has the format %.*s; this memtide reads up to %s: use a newer memtide", path, (int)(len - 2),
		      line + 2, format);
	return -ENOTSUP;
}
