/* SPDX-License-Identifier: Apache-2.0 */
#include "render/braille.h"

#include <stdlib.h>

#include "base/alloc.h"

static unsigned within(unsigned n, unsigned most)
{
	return n < 1 ? 1 : n > most ? most : n;
}

void braille_init(struct braille *b, unsigned columns, unsigned rows)
{
	b->columns = within(columns, BRAILLE_COLUMNS_MAX);
	b->rows = within(rows, BRAILLE_ROWS_MAX);
	b->dots = xcalloc((size_t)b->columns * b->rows, 1);
	b->colour = xcalloc((size_t)b->columns * b->rows, 1);
}

void braille_done(struct braille *b)
{
	free(b->dots);
	free(b->colour);
	*b = (struct braille){ 0 };
}

void braille_dot(struct braille *b, long x, long y, uint8_t colour)
{
	/* Dots 1 to 8 of the Unicode chart: the lowest two came last. */
	static const uint8_t bit[4][2] = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };

	if (x < 0 || y < 0 || x >= (long)b->columns * 2 || y >= (long)b->rows * 4)
		return;

	size_t at = (size_t)(y / 4) * b->columns + (size_t)(x / 2);

	b->dots[at] |= bit[y % 4][x % 2];
	b->colour[at] = colour;
}

static long clamp(long v, long most)
{
	return v < -1 ? -1 : v > most ? most : v;
}

void braille_step(struct braille *b, long x1, long y1, long x2, long y2, uint8_t colour)
{
	long width = (long)b->columns * 2, height = (long)b->rows * 4;

	x1 = clamp(x1, width);
	x2 = clamp(x2, width);
	y1 = clamp(y1, height);
	y2 = clamp(y2, height);
	for (long x = x1; x < x2; x++)
		braille_dot(b, x, y1, colour);
	for (long y = y1; y != y2; y += y2 > y1 ? 1 : -1)
		braille_dot(b, x2, y, colour);
	braille_dot(b, x2, y2, colour);
}

/* Which halves of the character have a dot. */
static char plain(uint8_t dots)
{
	bool up = dots & 0x1b, down = dots & 0xe4;

	return up && down ? '|' : up ? '\'' : down ? '.' : ' ';
}

void braille_print_row(const struct braille *b, unsigned row, bool coloured, bool utf8, FILE *f)
{
	uint8_t now = 0;

	for (unsigned x = 0; x < b->columns; x++) {
		size_t at = (size_t)row * b->columns + x;
		uint8_t dots = b->dots[at], colour = dots ? b->colour[at] : now;

		if (coloured && colour != now)
			fprintf(f, colour ? "\033[38;5;%um" : "\033[0m", colour);
		now = colour;
		if (!dots || !utf8)
			fputc(dots ? plain(dots) : ' ', f);
		else
			fprintf(f, "\xe2%c%c", 0xa0 + (dots >> 6), 0x80 + (dots & 0x3f));
	}
	if (coloured && now)
		fputs("\033[0m", f);
}
