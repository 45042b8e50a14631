/* SPDX-License-Identifier: Apache-2.0
 *
 * json.h - JSON files of memtide: UTF-8, keys sorted, two spaces, written beside and renamed.
 *
 * jansson does the work; this adds the path to errors and the check of the "format" key. Any thread.
 */
#pragma once
#include <jansson.h>

struct err;

int json_save(const char *path, const json_t *value, struct err *err);
/* ret: a new reference. format: "memtide-run/1", or NULL for any file; a newer major is refused with the sentence to update. */
int json_open(const char *path, const char *format, json_t **ret, struct err *err);
/* A string from outside (what a program printed, an environment, a path), any bytes: what is not UTF-8 becomes '?'. NULL: null.
 * A new reference, never NULL. */
json_t *json_text(const char *s);
/* To stdout, with a line end. */
int json_print(const json_t *value, struct err *err);

static inline void cleanup_jsonp(json_t **j)
{
	json_decref(*j);
}
#define cleanup_json __attribute__((cleanup(cleanup_jsonp)))
