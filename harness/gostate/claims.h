/* SPDX-License-Identifier: Apache-2.0
 *
 * claims.h - what of the address space is known to be whose, beside the spans: the arenas, the memory that the runtime has for
 * itself, the stacks of threads. Private to gostate/.
 *
 * The runtime maps its own memory wherever the kernel puts it, and the kernel makes one mapping of neighbours: the runtime's, a
 * direct mmap and C's malloc can be one line of maps. So its own is found by its own pointers: persistentChunks (from 1.12 on;
 * in 1.11 the mspans themselves), the heapArenas and their table, allspans, the page allocator's summaries and chunks, GC bit
 * arenas, the hash of the heap profile, the module's data and bss. From 1.12 on these are what memstats' *_sys count, to the
 * byte, but for the buffers of a running execution trace and, from 1.26 on, queues of the GC. What is missing of *_sys is taken
 * of what is nobody's: of any mapping in a program without cgo, else of mappings that hold memory of the runtime's too. In 1.11
 * it is half a MB, of which little is resident.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gostate/readings.h"
#include "gostate/spans.h"
#include "gostate/target.h"

struct vmas;

struct claim {
	uint64_t start, end; /* whole pages */
	enum rss_part part;  /* RSS_RUNTIME or RSS_THREAD_STACKS */
};

struct claims {
	struct claim *v; /* owned; sorted, none overlaps another */
	size_t n, room;
	struct range *arenas; /* owned; sorted and merged */
	size_t n_arenas, room_arenas;
	/* Of the runtime's own by memstats' *_sys, what no claim covers: mapped, not resident bytes. */
	uint64_t unclaimed_bytes;
	bool all_known;             /* no C, and little is unclaimed: it may lie in any mapping */
	uint64_t claimed_sys_bytes; /* of the claims, what *_sys count */
	uint64_t *ids;              /* owned; threads that Ms run on, sorted */
	size_t n_ids, room_ids;
};

/* Takes what can be taken; a pointer that leads nowhere claims nothing. */
void claims_read(struct claims *c, const struct go_target *t, const struct spans *spans, const struct vmas *vmas);
void claims_done(struct claims *c);

/* No C code in it: all threads run on stacks of the Go heap. */
bool is_without_cgo(const struct go_target *t);

/* For its parts. Rounds outwards to pages; nonsense is left out. */
void claim_add(struct claims *c, uint64_t start, uint64_t bytes, enum rss_part part);
/* thread_stacks.c: of cgo programs, where each M's and each other thread's stack lies. */
void claim_thread_stacks(struct claims *c, const struct go_target *t, const struct vmas *vmas);
