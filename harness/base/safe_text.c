/* SPDX-License-Identifier: Apache-2.0 */
#include "base/safe_text.h"

#include <limits.h>
#include <stdint.h>

#include "base/alloc.h"

/* One character of UTF-8: its length, 0 where it is none. */
static size_t character(const unsigned char *p, uint32_t *ret)
{
	size_t n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3 : *p >= 0xf0 && *p < 0xf5 ? 4 : 0;

	*ret = n == 1 ? *p : n ? *p & (0x7fU >> n) : 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*ret = (*ret << 6) | (p[i] & 0x3f);
	}
	return n;
}

/* Latin, Greek, Cyrillic, punctuation, arrows, boxes, braille: one column each, and nothing but a sign. */
static bool is_plain(uint32_t c)
{
	return (c >= 0x20 && c < 0x7f) || (c >= 0xa1 && c < 0x300 && c != 0xad) || (c >= 0x370 && c < 0x483) || (c >= 0x48a && c < 0x530) ||
	       (c >= 0x2010 && c < 0x2028) || (c >= 0x2190 && c < 0x2200) || (c >= 0x2500 && c < 0x2600) || (c >= 0x2800 && c < 0x2900);
}

unsigned safe_text_put(FILE *f, const char *text, unsigned columns, bool utf8)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned shown = 0;

	for (; *p && shown < columns; shown++) {
		uint32_t c;
		size_t n = character(p, &c);

		if (n && is_plain(c) && (utf8 || c < 0x7f))
			(void)fwrite(p, n, 1, f);
		else
			fputc('?', f);
		p += n ? n : 1;
	}
	return shown;
}

char *safe_text(const char *text)
{
	char *ret = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&ret, &n);

	if (!f)
		return xstrdup("?");
	(void)safe_text_put(f, text, UINT_MAX, true);
	return fclose(f) == 0 ? ret : xstrdup("?");
}
