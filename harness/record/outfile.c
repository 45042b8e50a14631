/* SPDX-License-Identifier: Apache-2.0 */
#include "record/outfile.h"

#include <errno.h>
#include <fcntl.h>

#include "base/alloc.h"

void outfile_open(struct outfile *f, const char *dir, const char *name)
{
	*f = (struct outfile){ .path = strf("%s/%s", dir, name) };
	f->fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (f->fd < 0)
		f->errnum = errno;
}

void outfile_write(struct outfile *f, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0 && f->fd >= 0 && !f->errnum) {
		ssize_t n = write(f->fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			f->errnum = n < 0 ? errno : ENOSPC;
			return;
		}
		at += n;
		len -= (size_t)n;
	}
}

void outfile_close(struct outfile *f)
{
	if (f->fd >= 0 && close(f->fd) < 0 && !f->errnum && errno != EINTR)
		f->errnum = errno;
	f->fd = -1;
}

void outfile_done(struct outfile *f)
{
	outfile_close(f);
	free(f->path);
	f->path = NULL;
}
