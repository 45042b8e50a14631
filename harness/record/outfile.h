/* SPDX-License-Identifier: Apache-2.0
 *
 * outfile.h - a file being written that remembers its first error. Private to record/.
 *
 * A full disk must not end the run whose memory is being measured: after the first failure writing is a no-op, what was written
 * stays as it is, and the error is asked for once, at the end. One thread at a time.
 */
#pragma once
#include <stddef.h>

struct outfile {
	char *path; /* owned */
	int fd;     /* -1: not open */
	int errnum; /* of the first failure; 0: none */
};

/* Makes the file anew. A failure is remembered, not returned. */
void outfile_open(struct outfile *f, const char *dir, const char *name);
void outfile_write(struct outfile *f, const void *data, size_t len);
/* Closes it, which may be the first to tell of an error. */
void outfile_close(struct outfile *f);
void outfile_done(struct outfile *f);
