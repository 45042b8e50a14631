/* SPDX-License-Identifier: Apache-2.0 */
#include "record/output.h"

#include <string.h>

#include "base/alloc.h"

void output_open(struct output_file *o, const char *dir, const char *name)
{
	*o = (struct output_file){ 0 };
	outfile_open(&o->file, dir, name);
}

/* Twice the tail, so that bytes are moved to the front once in 64 kB. Grown as needed: most programs print a few lines. */
static void remember(struct output_file *o, const char *data, size_t len)
{
	if (len > OUTPUT_TAIL_MAX) {
		data += len - OUTPUT_TAIL_MAX;
		len = OUTPUT_TAIL_MAX;
	}
	if (o->n_last + len > 2 * OUTPUT_TAIL_MAX) {
		memmove(o->last, o->last + o->n_last - OUTPUT_TAIL_MAX, OUTPUT_TAIL_MAX);
		o->n_last = OUTPUT_TAIL_MAX;
	}
	if (o->n_last + len > o->room) {
		o->room = 2 * (o->n_last + len);
		if (o->room > 2 * OUTPUT_TAIL_MAX)
			o->room = 2 * OUTPUT_TAIL_MAX;
		o->last = xreallocarray(o->last, o->room, 1);
	}
	memcpy(o->last + o->n_last, data, len);
	o->n_last += len;
}

void output_add(struct output_file *o, const char *data, size_t len)
{
	size_t head = OUTPUT_HEAD_MAX - o->n_head < len ? (size_t)(OUTPUT_HEAD_MAX - o->n_head) : len;

	if (len == 0)
		return;
	outfile_write(&o->file, data, head);
	o->n_head += head;
	o->n_total += len;
	remember(o, data, len);
}

void output_close(struct output_file *o)
{
	unsigned long long rest = o->n_total - o->n_head;

	if (rest > OUTPUT_TAIL_MAX) {
		cleanup_free char *line = strf("\n[memtide: %llu bytes left out here]\n", rest - OUTPUT_TAIL_MAX);

		outfile_write(&o->file, line, strlen(line));
		rest = OUTPUT_TAIL_MAX;
	}
	if (rest > 0 && o->file.fd >= 0)
		outfile_write(&o->file, o->last + o->n_last - rest, (size_t)rest);
	outfile_close(&o->file);
	o->n_head = o->n_total;
}

void output_done(struct output_file *o)
{
	outfile_done(&o->file);
	free(o->last);
	o->last = NULL;
}
