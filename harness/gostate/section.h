/* SPDX-License-Identifier: Apache-2.0
 *
 * section.h - a section of debug information, inflated as far as it is needed. Private to gostate/.
 *
 * The three ways in which it is stored: plain, compressed with a header (SHF_COMPRESSED: zlib or zstd), and as Go did to 1.18 and GNU
 * before, named .zdebug_* with "ZLIB" and a size in front. Read with pread(): a file that is cut short meanwhile is a short read, no
 * SIGBUS. Sizes are what the file claims, held against what its bytes can give.
 */
#pragma once
#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct section {
	unsigned char *bytes; /* owned; `ready` of them are there */
	uint64_t size, ready; /* inflated */
	struct section_stream *stream; /* owned; NULL once nothing more can come */
};

/* name without dot: "debug_info". false: there is none, or it is damaged; the section is then empty. */
bool section_open(struct section *s, Elf *elf, int fd, const char *name);
/* Makes the first n bytes ready. false: there are not so many. */
bool section_need(struct section *s, uint64_t n);
void section_close(struct section *s);
