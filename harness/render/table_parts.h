/* SPDX-License-Identifier: Apache-2.0
 *
 * table_parts.h - what table.c, table_notes.c and sentences.c share. Private to them.
 */
#pragma once
#include <stdio.h>

#include "render/rows.h"

struct campaign;
struct table_style;

/* What did not fit into the table: cells not run, failures, runs that ended differently, missing values. */
void table_print_notes(FILE *out, const struct rows *rows, const struct table_style *style);
/* What the campaign's clock did: how much faster than the program's own time it went, and where virtual time ended early.
 * Nothing on the real clock. */
void table_print_clock(FILE *out, const struct campaign *c, const struct table_style *style);
/* "51 ms", "<1 ms" and from a second on format_duration()'s text. Returns buf. */
char *time_text(char *buf, size_t n, double seconds);
/* "2 ok, 1 oom-cgroup"; "ok" where all of several agree: "3 ok"; "not run" where nothing ran. Caller frees. */
char *outcomes_text(const struct row *r);
