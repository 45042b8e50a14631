/* SPDX-License-Identifier: Apache-2.0 */
#include "record/notes.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "record/tsv.h"

#define FILE_NAME "notes.tsv"
#define FORMAT    "memtide-notes/1"
/* NOTES_MAX lines are far below; more is no file of notes. */
#define BYTES_MAX 262144

/* ---- text
 * ------------------------------------------------------------------------------------------------------------------------- */

/* The character at text and its length in bytes, by RFC 3629; 0: not UTF-8. */
static size_t take_character(const unsigned char *text, uint32_t *ret)
{
	size_t n = *text < 0x80 ? 1 : *text < 0xc2 ? 0 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : *text < 0xf5 ? 4 : 0;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c = n == 1 ? *text : n ? *text & (0x7fU >> n) : 0;

	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (text[i] & 0x3f);
	}
	*ret = c;
	return n && c >= least[n] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? n : 0;
}

/* C0 and C1, line and paragraph separators, and what changes the direction of writing */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

int note_check(const char *text, struct err *err)
{
	size_t chars = 0, blanks = 0, n;
	uint32_t c;

	for (const unsigned char *at = (const unsigned char *)text; *at; at += n, chars++) {
		n = take_character(at, &c);
		if (!n)
			return err_usage(err, "the text of a mark must be UTF-8: byte %zu is not", (size_t)(at - (const unsigned char *)text) + 1);
		if (is_control(c))
			return err_usage(err, "the text of a mark must not have control characters: character %zu is U+%04X", chars + 1, (unsigned)c);
		blanks += c == ' ' || c == 0xa0;
	}
	if (blanks == chars)
		return err_usage(err, "the text of a mark is empty");
	if (chars > NOTE_CHARS_MAX)
		return err_usage(err, "the text of a mark has %zu characters; at most %d fit into a figure", chars, NOTE_CHARS_MAX);
	return 0;
}

/* ---- the list
 * --------------------------------------------------------------------------------------------------------------------- */

int notes_add(struct notes *notes, int64_t t_ns, const char *text, struct err *err)
{
	size_t i = notes->n;

	if (notes->n >= NOTES_MAX)
		return err_usage(err, "the run has %d marks that were added later, which is all there may be", NOTES_MAX);
	notes->v = xreallocarray(notes->v, notes->n + 1, sizeof(*notes->v));
	for (; i > 0 && notes->v[i - 1].t_ns > t_ns; i--)
		notes->v[i] = notes->v[i - 1];
	notes->v[i] = (struct note){ t_ns, xstrdup(text) };
	notes->n++;
	return 0;
}

void notes_remove(struct notes *notes, size_t i)
{
	free(notes->v[i].text);
	memmove(&notes->v[i], &notes->v[i + 1], (--notes->n - i) * sizeof(*notes->v));
}

void notes_done(struct notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		free(notes->v[i].text);
	free(notes->v);
	*notes = (struct notes){ 0 };
}

/* ---- the file
 * --------------------------------------------------------------------------------------------------------------------- */

static bool take_line(char *line, struct notes *ret)
{
	char *text = strchr(line, '\t');
	int64_t t_ns;

	if (!text || !table_parse_time(line, (size_t)(text - line), &t_ns))
		return false;
	text++;
	text[strcspn(text, "\t")] = 0; /* columns of a later minor version */
	return note_check(text, NULL) >= 0 && notes_add(ret, t_ns, text, NULL) >= 0;
}

static int take_lines(const char *path, char *text, size_t len, struct notes *ret, struct strv *damage, struct err *err)
{
	unsigned number = 0;
	char *stop, *at = text;

	for (; (stop = memchr(at, '\n', (size_t)(text + len - at))); at = stop + 1) {
		int e = 0;

		*stop = 0;
		if (number++ == 0)
			e = table_check_format(FORMAT, path, at, (size_t)(stop - at), err);
		if (e == -ENOTSUP)
			return e;
		if (strlen(at) == (size_t)(stop - at) && (number == 1 ? e >= 0 : *at == '#' || take_line(at, ret)))
			continue;
		if (damage)
			strv_pushf(damage, "%s:%u: not %s", FILE_NAME, number, number == 1 ? "the format line of such a file" : "a mark");
		return 0;
	}
	if (damage && (!number || at < text + len))
		strv_pushf(damage, "%s ends in the middle", FILE_NAME);
	return 0;
}

int notes_read(const char *run_dir, struct notes *ret, struct strv *damage, struct err *err)
{
	cleanup_free char *path = strf("%s/%s", run_dir, FILE_NAME), *text = NULL;
	cleanup_notes struct notes notes = { 0 };
	size_t len = 0;
	int r;

	*ret = (struct notes){ 0 };
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	r = file_read(path, BYTES_MAX, &text, &len, err);
	r = r < 0 ? r : take_lines(path, text, len, &notes, damage, err);
	if (r < 0)
		return r;
	*ret = notes;
	notes = (struct notes){ 0 };
	return 0;
}

int notes_write(const char *run_dir, const struct notes *notes, struct err *err)
{
	cleanup_free char *path = strf("%s/%s", run_dir, FILE_NAME), *text = NULL;
	size_t len = 0;
	FILE *f;

	if (!notes->n)
		return unlink(path) < 0 && errno != ENOENT ? err_set(err, errno, "cannot remove %s", path) : 0;
	f = open_memstream(&text, &len);
	if (!f)
		return err_set(err, errno, "%s: no memory to compose it", path);
	(void)fputs("# " FORMAT "\n# t_s\ttext\n# s\ttext\n", f);
	for (size_t i = 0; i < notes->n; i++) {
		char time[32];

		*table_format_time(time, notes->v[i].t_ns) = 0;
		(void)fprintf(f, "%s\t%s\n", time, notes->v[i].text);
	}
	if (fclose(f) != 0)
		return err_set(err, errno, "%s: no memory to compose it", path);
	return file_write(path, text, len, err);
}
