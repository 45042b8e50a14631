/* SPDX-License-Identifier: Apache-2.0
 *
 * safe_text.h - text from outside (a process's name, a function's, a file's) as it may be shown on a terminal.
 *
 * Control characters, what is no UTF-8, what combines, turns the direction or is two columns wide become '?': one character is one column,
 * and nothing in it is obeyed. Pure; any thread.
 */
#pragma once
#include <stdbool.h>
#include <stdio.h>

/* The first so many columns of it; returns how many there were. utf8: else all that is not ASCII is '?' too. */
unsigned safe_text_put(FILE *f, const char *text, unsigned columns, bool utf8);
/* All of it. Caller frees. */
char *safe_text(const char *text);
