/* SPDX-License-Identifier: Apache-2.0
 *
 * strv.h - a growing, NULL-terminated list of owned strings: argument lists, environments, lists of names.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strv {
	char **v; /* owned, each string too; NULL-terminated once something was pushed */
	size_t n;
};

#define STRV_INIT { NULL, 0 }

void strv_push(struct strv *l, const char *s); /* copies s */
void strv_pushf(struct strv *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool strv_contains(const struct strv *l, const char *s);
void strv_sort(struct strv *l);                 /* by strcmp */
/* Splits text at every character of separators, empty pieces left out. */
void strv_split(struct strv *l, const char *text, const char *separators);
char *strv_join(const struct strv *l, const char *between);
void strv_done(struct strv *l);
#define cleanup_strv __attribute__((cleanup(strv_done)))

/* The candidate nearest to word by edit distance, if it is near enough to be a slip of the finger; else NULL. Borrowed. */
const char *nearest_word(const char *word, const char *const *candidates, size_t n);
