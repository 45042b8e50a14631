/* SPDX-License-Identifier: Apache-2.0
 *
 * wrap.h - text that fits the terminal.
 */
#pragma once
#include <stdio.h>

/* Writes text broken at blanks so that no line is longer than `columns`; lines after the first begin with `indent` blanks. `at`:
 * how much of the first line is taken already. Ends with a line end. A word longer than a line stays whole. */
void print_wrapped(FILE *out, const char *text, int columns, int indent, int at);
