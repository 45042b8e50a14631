/* SPDX-License-Identifier: Apache-2.0
 *
 * spans.h - the spans of a Go runtime's heap, sorted by address. Private to gostate/.
 *
 * Of mheap_.allspans, every mspan that was ever made. They lie in chunks of the runtime's fixalloc, so neighbours are read at one go:
 * 50 000 take a few ms, where one at a time takes 40. Nothing stops the runtime meanwhile: what does not make sense (a size, two spans
 * in one place) is left out and counted as torn.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "gostate/target.h"

struct err;

/* runtime/mheap.go. Its mSpanManual is both of the latter: only stacks have an element size (stackpoolalloc, stackalloc); GC work
 * buffers and, in 1.12 to 1.23, the unrolled pointer bits of large types have none. True in every release from 1.11 to 1.27. */
enum span_use {
	SPAN_OBJECTS,
	SPAN_STACKS,
	SPAN_GC,
	SPAN_FREE, /* 1.11 to 1.13 have such; not in the result, but they tell where arenas are */
};

struct span {
	uint64_t start, end;
	/* Of SPAN_OBJECTS: allocated slots. The runtime counts a slot when it is handed out, while an mcache holds the span too; a
	 * sweep takes those away that the last cycle found dead. The rest of the span, its tail too, is free. */
	uint64_t object_bytes;
	enum span_use use;
};

struct range {
	uint64_t start, end;
};

/* A grown array that is used again. */
struct spans {
	struct span *v; /* owned; sorted, none overlaps another */
	size_t n;
	uint64_t inuse_bytes; /* SPAN_OBJECTS: HeapInuse */
	uint64_t torn_bytes;
	/* Where the mspans themselves lie, whole pages, sorted. */
	struct range *kept; /* owned */
	size_t n_kept;
	struct range array; /* mheap_.allspans' own memory */
	struct range *blocks; /* owned; sorted: arenas of 64 MB that hold a span in whatever state */
	size_t n_blocks;

	struct keyed *keys, *scratch; /* owned */
	char *bytes;                  /* owned */
	size_t room_v, room_keys, room_kept, room_blocks, room_bytes;
};

#define SPANS_MAX 4194304
#define GO_PAGE_BYTES 8192                 /* runtime/sizeclasses.go: pageSize */
#define GO_ARENA_BYTES (UINT64_C(64) << 20) /* runtime/malloc.go: heapArenaBytes on 64-bit Linux */

/* 0; -ESRCH: cannot be read; others with a sentence. */
int spans_read(struct spans *s, const struct go_target *t, struct err *err);
void spans_done(struct spans *s);
