/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/section.h"

#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/alloc.h"
#include "gostate/elf_go.h"

#define SIZE_MAX_ (UINT64_C(1) << 30)
#define CHUNK 65536
#define AHEAD (256 << 10)  /* inflated at a time */
#define ZLIB_GAIN_MAX 1040 /* deflate cannot do better than 1032 */
#define ZSTD_GAIN_MAX 100000
#define ELFCOMPRESS_ZSTD_ 2 /* elf.h has it from glibc 2.38 on */

enum packing { PACKING_NONE, PACKING_ZLIB, PACKING_ZSTD };

struct section_stream {
	int fd;
	enum packing packing;
	uint64_t at, left; /* in the file */
	z_stream z;
	ZSTD_DStream *zstd;
	unsigned char chunk[CHUNK];
	size_t chunk_len, chunk_at; /* of zstd */
};

static bool pread_all(int fd, void *ret, size_t n, uint64_t at)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(fd, (char *)ret + done, n - done, (off_t)(at + done));

		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

/* Behind its header, if it has one. */
static bool look_at_header(struct section *s, struct section_stream *st, const GElf_Shdr *h, bool zdebug)
{
	unsigned char zlib[12];
	Elf64_Chdr c;

	st->at = h->sh_offset;
	st->left = s->size = h->sh_size;
	if (h->sh_flags & SHF_COMPRESSED) {
		if (st->left < sizeof(c) || !pread_all(st->fd, &c, sizeof(c), st->at) ||
		    (c.ch_type != ELFCOMPRESS_ZLIB && c.ch_type != ELFCOMPRESS_ZSTD_))
			return false;
		st->packing = c.ch_type == ELFCOMPRESS_ZLIB ? PACKING_ZLIB : PACKING_ZSTD;
		s->size = c.ch_size;
		st->at += sizeof(c);
		st->left -= sizeof(c);
	} else if (zdebug) {
		if (st->left < sizeof(zlib) || !pread_all(st->fd, zlib, sizeof(zlib), st->at) || memcmp(zlib, "ZLIB", 4) != 0)
			return false;
		st->packing = PACKING_ZLIB;
		s->size = 0;
		for (int i = 4; i < 12; i++)
			s->size = s->size << 8 | zlib[i];
		st->at += sizeof(zlib);
		st->left -= sizeof(zlib);
	}
	uint64_t gain = st->packing == PACKING_ZLIB ? ZLIB_GAIN_MAX : st->packing == PACKING_ZSTD ? ZSTD_GAIN_MAX : 1;
	return s->size <= SIZE_MAX_ && s->size / gain <= st->left;
}

/* Inflated without its checksum, which comes last and is rarely reached. RFC 1950: method 8, a multiple of 31, no dictionary. */
static bool skip_zlib_header(struct section_stream *st)
{
	unsigned char h[2];

	if (st->left < 2 || !pread_all(st->fd, h, 2, st->at) || (h[0] & 0x0f) != 8 || (h[0] << 8 | h[1]) % 31 || (h[1] & 0x20))
		return false;
	st->at += 2;
	st->left -= 2;
	return true;
}

bool section_open(struct section *s, Elf *elf, int fd, const char *name)
{
	char dotted[32];
	GElf_Shdr h;
	bool zdebug = false;
	struct section_stream *st;

	*s = (struct section){ 0 };
	snprintf(dotted, sizeof(dotted), ".%s", name);
	if (!elf_section(elf, dotted, &h)) {
		snprintf(dotted, sizeof(dotted), ".z%s", name);
		zdebug = true;
		if (!elf_section(elf, dotted, &h))
			return false;
	}
	if (h.sh_type == SHT_NOBITS || h.sh_offset > INT64_MAX || h.sh_size > INT64_MAX)
		return false;
	s->stream = st = xcalloc(1, sizeof(*st));
	st->fd = fd;
	if (!look_at_header(s, st, &h, zdebug) || (st->packing == PACKING_ZLIB && !skip_zlib_header(st)) ||
	    (st->packing == PACKING_ZLIB && inflateInit2(&st->z, -MAX_WBITS) != Z_OK) ||
	    (st->packing == PACKING_ZSTD && !(st->zstd = ZSTD_createDStream()))) {
		st->packing = PACKING_NONE;
		section_close(s);
		return false;
	}
	/* Pages that nothing is inflated to cost nothing. */
	s->bytes = malloc(s->size ? s->size : 1);
	if (!s->bytes) {
		section_close(s);
		return false;
	}
	return true;
}

static size_t next_chunk(struct section_stream *st)
{
	size_t n = st->left < CHUNK ? st->left : CHUNK;

	if (!n || !pread_all(st->fd, st->chunk, n, st->at))
		return 0;
	st->at += n;
	st->left -= n;
	return n;
}

static bool more_zlib(struct section *s, uint64_t n)
{
	struct section_stream *st = s->stream;

	while (s->ready < n) {
		int r;

		if (!st->z.avail_in) {
			st->z.next_in = st->chunk;
			st->z.avail_in = (uInt)next_chunk(st);
		}
		st->z.next_out = s->bytes + s->ready;
		st->z.avail_out = (uInt)(n - s->ready);
		r = inflate(&st->z, Z_NO_FLUSH);
		s->ready = n - st->z.avail_out;
		if (r != Z_OK)
			return s->ready >= n;
	}
	return true;
}

static bool more_zstd(struct section *s, uint64_t n)
{
	struct section_stream *st = s->stream;

	while (s->ready < n) {
		ZSTD_outBuffer out = { s->bytes, n, s->ready };

		if (st->chunk_at == st->chunk_len) {
			st->chunk_at = 0;
			st->chunk_len = next_chunk(st);
		}
		ZSTD_inBuffer in = { st->chunk, st->chunk_len, st->chunk_at };
		size_t r = ZSTD_decompressStream(st->zstd, &out, &in);
		bool stuck = out.pos == s->ready && in.pos == st->chunk_at;

		st->chunk_at = in.pos;
		s->ready = out.pos;
		if (ZSTD_isError(r) || r == 0 || stuck)
			return s->ready >= n;
	}
	return true;
}

bool section_need(struct section *s, uint64_t n)
{
	struct section_stream *st = s->stream;
	uint64_t to;
	bool more = false;

	if (n <= s->ready)
		return true;
	if (n > s->size || !st)
		return false;
	to = s->size - n < AHEAD ? s->size : n + AHEAD;
	switch (st->packing) {
	case PACKING_NONE:
		more = pread_all(st->fd, s->bytes + s->ready, to - s->ready, st->at + s->ready);
		s->ready = more ? to : s->ready;
		break;
	case PACKING_ZLIB:
		more = more_zlib(s, to);
		break;
	case PACKING_ZSTD:
		more = more_zstd(s, to);
		break;
	}
	if (!more)
		s->size = s->ready; /* no more will come */
	return n <= s->ready;
}

void section_close(struct section *s)
{
	if (s->stream && s->stream->packing == PACKING_ZLIB)
		(void)inflateEnd(&s->stream->z);
	if (s->stream)
		(void)ZSTD_freeDStream(s->stream->zstd);
	free(s->stream);
	free(s->bytes);
	*s = (struct section){ 0 };
}
