/* SPDX-License-Identifier: Apache-2.0
 *
 * output.h - what the target prints, kept within bounds: the first 1 MB, and the last 64 kB of the rest. Private to record/.
 *
 * A program that prints gigabytes costs neither disk nor, beyond 128 kB, memory. One thread at a time.
 */
#pragma once
#include "record/outfile.h"

#define OUTPUT_HEAD_MAX (1024 * 1024)
#define OUTPUT_TAIL_MAX (64 * 1024)

struct output_file {
	struct outfile file;
	unsigned long long n_total, n_head; /* bytes that came; of them written at once */
	char *last; /* owned: the last that came, at least OUTPUT_TAIL_MAX of it. NULL: nothing came */
	size_t n_last, room;
};

void output_open(struct output_file *o, const char *dir, const char *name);
void output_add(struct output_file *o, const char *data, size_t len);
/* Writes the line about what was left out and the tail, and closes. */
void output_close(struct output_file *o);
void output_done(struct output_file *o);
