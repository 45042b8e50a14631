/* SPDX-License-Identifier: Apache-2.0
 *
 * braille.h - curves in the characters of a terminal: two by four dots each (U+2800), or one character each where there is no UTF-8.
 *
 * Dots are counted from the top left. Where two curves meet in one character it has the colour of the one drawn last. Pure; any thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define BRAILLE_COLUMNS_MAX 500
#define BRAILLE_ROWS_MAX    200

struct braille {
	unsigned columns, rows; /* characters */
	uint8_t *dots;          /* owned; a byte each, as U+2800 counts them */
	uint8_t *colour;        /* owned */
};

/* columns, rows: at least 1 and at most as many as above; others are brought there. */
void braille_init(struct braille *b, unsigned columns, unsigned rows);
void braille_done(struct braille *b);
/* Outside: nothing. colour: of 256; 0: the terminal's own. */
void braille_dot(struct braille *b, long x, long y, uint8_t colour);
/* From one dot to the next as a staircase has it: along y1's row of before, then up or down at x2. */
void braille_step(struct braille *b, long x1, long y1, long x2, long y2, uint8_t colour);
/* One row of characters, without a line's end. coloured: with SGR codes; utf8: else a quote, a point and a bar stand for them. */
void braille_print_row(const struct braille *b, unsigned row, bool coloured, bool utf8, FILE *f);
