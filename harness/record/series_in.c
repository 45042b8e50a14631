/* SPDX-License-Identifier: Apache-2.0 */
#include "record/series_in.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/strv.h"
#include "record/series.h"

#define TEXT_MAX 262144 /* decompressed at a time; a line is never near as long */

struct series_in {
	const struct table *table;
	char *path; /* owned */
	char *rows; /* owned */
	size_t n, room, max_rows;
	unsigned long long line; /* of the file, from 1 */
	struct table_map map;
	bool unsorted;
	struct strv *damage; /* borrowed */
	struct err *err;     /* borrowed */
	char *text;          /* owned: the beginning of a line, and what was decompressed after it */
	size_t n_text;
};

/* What one step of reading came to. */
enum step { GO_ON, DAMAGED, FAILED };

static int64_t row_time(const struct series_in *s, size_t i)
{
	int64_t t;

	memcpy(&t, s->rows + i * s->table->row_size + s->table->columns[0].offset, sizeof(t));
	return t;
}

/* "samples.tsv.zst ends in the middle, at 3.200 s" */
static enum step damaged_at_end(struct series_in *s, const char *what)
{
	if (s->n > 0)
		strv_pushf(s->damage, "%s %s, at %.3f s", s->table->file, what, (double)row_time(s, s->n - 1) / 1e9);
	else
		strv_pushf(s->damage, "%s %s, before the first row", s->table->file, what);
	return DAMAGED;
}

static enum step damaged_line(struct series_in *s, const char *what)
{
	if (s->n > 0)
		strv_pushf(s->damage, "%s:%llu: %s; read up to %.3f s", s->table->file, s->line, what,
			   (double)row_time(s, s->n - 1) / 1e9);
	else
		strv_pushf(s->damage, "%s:%llu: %s", s->table->file, s->line, what);
	return DAMAGED;
}

static enum step take_comment(struct series_in *s, const char *line, size_t len)
{
	if (s->line == 1)
		switch (table_check_format(s->table->format, s->path, line, len, s->err)) {
		case 0:
			return GO_ON;
		case -ENOTSUP:
			return FAILED;
		default:
			return damaged_line(s, "not the format line of such a file");
		}
	if (s->map.n == 0 && !table_parse_names(s->table, line, len, &s->map))
		return damaged_line(s, "not the names of the columns");
	return GO_ON;
}

static enum step take_row(struct series_in *s, const char *line, size_t len)
{
	if (s->line == 1 || s->map.n == 0)
		return damaged_line(s, "a row before the names of the columns");
	if (s->n == s->max_rows) {
		(void)err_set(s->err, 0, "%s has more than %zu rows: that is no record of a run", s->path, s->max_rows);
		return FAILED;
	}
	if (s->n == s->room) {
		s->room = s->room ? s->room + s->room / 2 : 4096;
		s->rows = xreallocarray(s->rows, s->room, s->table->row_size);
	}
	if (!table_parse_row(s->table, &s->map, line, len, s->rows + s->n * s->table->row_size))
		return damaged_line(s, "not a row of this table");
	s->n++;
	s->unsorted |= s->n > 1 && row_time(s, s->n - 1) < row_time(s, s->n - 2);
	return GO_ON;
}

/* Takes the whole lines out of the text; what is left begins it. */
static enum step take_lines(struct series_in *s)
{
	const char *at = s->text, *end = s->text + s->n_text, *stop;
	enum step step = GO_ON;

	while (step == GO_ON && at < end && (stop = memchr(at, '\n', (size_t)(end - at)))) {
		s->line++;
		step = *at == '#' ? take_comment(s, at, (size_t)(stop - at)) : take_row(s, at, (size_t)(stop - at));
		at = stop + 1;
	}
	s->n_text = (size_t)(end - at);
	memmove(s->text, at, s->n_text);
	if (step == GO_ON && s->n_text == TEXT_MAX) {
		s->line++;
		return damaged_line(s, "a line without an end");
	}
	return step;
}

/* What came from the file, through zstd into lines. *ret_left: 0 when a frame is complete. */
static enum step take_block(struct series_in *s, ZSTD_DCtx *zstd, const char *data, size_t len, size_t *ret_left)
{
	ZSTD_inBuffer in = { data, len, 0 };
	bool full;

	do {
		ZSTD_outBuffer out = { s->text, TEXT_MAX, s->n_text };

		*ret_left = ZSTD_decompressStream(zstd, &out, &in);
		if (ZSTD_isError(*ret_left))
			return damaged_at_end(s, "is damaged");
		full = out.pos == out.size;
		s->n_text = out.pos;

		enum step step = take_lines(s);
		if (step != GO_ON)
			return step;
	} while (in.pos < in.size || (full && *ret_left > 0));
	return GO_ON;
}

static enum step read_blocks(struct series_in *s, int fd, ZSTD_DCtx *zstd)
{
	const size_t room = ZSTD_DStreamInSize();
	cleanup_free char *data = xcalloc(room, 1);
	size_t left = 1; /* an empty file is not a complete one */

	for (;;) {
		ssize_t n = read(fd, data, room);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			(void)err_set(s->err, errno, "cannot read %s", s->path);
			return FAILED;
		}
		if (n == 0)
			break;

		enum step step = take_block(s, zstd, data, (size_t)n, &left);
		if (step != GO_ON)
			return step;
	}
	return left || s->n_text || s->map.n == 0 ? damaged_at_end(s, "ends in the middle") : GO_ON;
}

static int by_time(const void *a, const void *b)
{
	int64_t x, y; /* all tables have their time first */

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}
_Static_assert(offsetof(struct sample, t_ns) == 0 && offsetof(struct probe, t_ns) == 0 && offsetof(struct go_row, t_ns) == 0 &&
		       offsetof(struct split_row, t_ns) == 0,
	       "by_time() reads the first field");

int series_in_read(const char *dir, const struct table *t, size_t max_rows, void **ret_rows, size_t *ret_n, struct strv *damage,
		   struct err *err)
{
	cleanup_free char *path = strf("%s/%s", dir, t->file), *text = xcalloc(TEXT_MAX, 1);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct series_in s = { .table = t, .path = path, .max_rows = max_rows, .damage = damage, .err = err, .text = text };

	if (fd < 0 && errno != ENOENT)
		return err_set(err, errno, "cannot open %s", path);
	if (fd < 0) {
		if (!t->optional)
			strv_pushf(damage, "%s is missing", t->file);
	} else {
		ZSTD_DCtx *zstd = ZSTD_createDCtx();
		enum step step = zstd ? read_blocks(&s, fd, zstd) : FAILED;

		ZSTD_freeDCtx(zstd);
		if (step == FAILED) {
			free(s.rows);
			return zstd ? -EIO : err_set(err, ENOMEM, "cannot read %s", path);
		}
	}
	/* A slow probe is taken beside the sampler's, and may be written a moment before an older row of its. */
	if (s.unsorted)
		qsort(s.rows, s.n, t->row_size, by_time);
	*ret_rows = s.n ? xreallocarray(s.rows, s.n, t->row_size) : s.rows;
	*ret_n = s.n;
	return 0;
}
