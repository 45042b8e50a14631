/* SPDX-License-Identifier: Apache-2.0 */
#include "record/series_out.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"

/* Rows resemble their neighbours: a window of 32 kB finds all that one of 2 MB would, for a tenth of the memory. */
#define WINDOW_LOG 15
#define HASH_LOG   14

static void compress(struct series_out *s, ZSTD_EndDirective what)
{
	ZSTD_inBuffer in = { s->text, s->n_text, 0 };
	char block[16384];
	size_t left;

	s->n_text = 0;
	if (s->file.errnum || !s->zstd)
		return;
	do {
		ZSTD_outBuffer out = { block, sizeof(block), 0 };

		left = ZSTD_compressStream2(s->zstd, &out, &in, what);
		if (ZSTD_isError(left)) {
			s->file.errnum = EIO;
			return;
		}
		outfile_write(&s->file, block, out.pos);
	} while (!s->file.errnum && (what == ZSTD_e_continue ? in.pos < in.size : left > 0));
}

void series_out_open(struct series_out *s, const char *dir, const struct table *t)
{
	cleanup_free char *header = table_header(t);

	s->table = t;
	outfile_open(&s->file, dir, t->file);
	s->zstd = ZSTD_createCCtx();
	if (!s->zstd && !s->file.errnum)
		s->file.errnum = ENOMEM;
	if (s->zstd) {
		(void)ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, 3);
		(void)ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_windowLog, WINDOW_LOG);
		(void)ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_hashLog, HASH_LOG);
		(void)ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_chainLog, HASH_LOG);
		(void)ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_checksumFlag, 1);
	}
	s->n_text = strlen(header);
	memcpy(s->text, header, s->n_text);
	series_out_flush(s);
}

void series_out_row(struct series_out *s, const void *row)
{
	if (s->file.errnum)
		return;
	if (s->n_text > SERIES_TEXT_MAX - TABLE_ROW_MAX)
		compress(s, ZSTD_e_continue);
	s->n_text += table_format_row(s->table, row, s->text + s->n_text);
}

void series_out_flush(struct series_out *s)
{
	if (s->n_text > 0)
		compress(s, ZSTD_e_flush);
}

void series_out_close(struct series_out *s)
{
	if (s->file.fd < 0)
		return;
	compress(s, ZSTD_e_end);
	outfile_close(&s->file);
	ZSTD_freeCCtx(s->zstd);
	s->zstd = NULL;
}

void series_out_done(struct series_out *s)
{
	outfile_done(&s->file);
	ZSTD_freeCCtx(s->zstd);
	s->zstd = NULL;
}
