/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/claims.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "gostate/maps.h"

#define KERNEL_PAGE 4096
#define ADDRESS_MAX (UINT64_C(1) << 56)
#define CLAIM_BYTES_MAX (UINT64_C(1) << 48)
#define CLAIMS_MAX 1048576
#define SYS_BYTES_MAX (UINT64_C(64) << 30) /* of what the runtime has for itself, in lists that are followed */
#define ARENAS_MAX 262144  /* of 64 MB: 16 TB */
#define CHUNK_BYTES 262144 /* runtime/malloc.go: persistentChunkSize */
#define SUMMARY_LEVELS 5   /* runtime/mpagealloc_64bit.go */
#define PALLOC_L1_BITS 13  /* the same: pallocChunksL1Bits, pallocChunksL2Bits of 48 address bits and chunks of 4 MB */
#define PALLOC_L2_BITS 13
#define PALLOC_CHUNK_BITS 22
#define PS_MAX 1024        /* runtime/runtime2.go: _MaxGomaxprocs of old */
#define BUCKETS 179999     /* runtime/mprof.go: buckHashSize */
#if defined(__x86_64__)
#define ARENA_BASE (UINT64_C(0) - (UINT64_C(1) << 47)) /* runtime/malloc.go: arenaBaseOffset; 1.11 to 1.13 write it the other way round */
#else
#define ARENA_BASE UINT64_C(0)
#endif

void claim_add(struct claims *c, uint64_t start, uint64_t bytes, enum rss_part part)
{
	uint64_t end = start + bytes;

	if (start < KERNEL_PAGE || start >= ADDRESS_MAX || bytes == 0 || bytes > CLAIM_BYTES_MAX || c->n == CLAIMS_MAX)
		return;
	if (c->n == c->room) {
		c->room = c->room * 2 + 64;
		c->v = xreallocarray(c->v, c->room, sizeof(*c->v));
	}
	c->v[c->n++] = (struct claim){ start & ~(uint64_t)(KERNEL_PAGE - 1), (end + KERNEL_PAGE - 1) & ~(uint64_t)(KERNEL_PAGE - 1), part };
}

/* The runtime's own; *_sys count it. */
static void claim_sys(struct claims *c, uint64_t start, uint64_t bytes)
{
	claim_add(c, start, bytes, RSS_RUNTIME);
	c->claimed_sys_bytes += bytes;
}

/* The same, of address space that is kept free and mapped by the piece: *_sys count the pieces. */
static void claim_reserved(struct claims *c, const struct vmas *vmas, uint64_t start, uint64_t bytes)
{
	uint64_t end = start + bytes;

	if (bytes > CLAIM_BYTES_MAX || start >= ADDRESS_MAX)
		return;
	claim_add(c, start, bytes, RSS_RUNTIME);
	for (const struct vma *v = maps_from(vmas, start); v && v < vmas->v + vmas->n && v->start < end; v++)
		if (v->writable)
			c->claimed_sys_bytes += (v->end < end ? v->end : end) - (v->start > start ? v->start : start);
}

static uint64_t word_at(const struct go_target *t, uint64_t address)
{
	uint64_t word;

	return address && go_target_read(t, address, &word, sizeof(word)) ? word : 0;
}

/* ---- arenas ------------------------------------------------------------------------------------------------------------------------ */

static void add_arena(struct claims *c, uint64_t start, uint64_t end)
{
	if (start == 0 || end <= start || end > ADDRESS_MAX || c->n_arenas == 2 * ARENAS_MAX)
		return;
	if (c->n_arenas == c->room_arenas) {
		c->room_arenas = c->room_arenas * 2 + 64;
		c->arenas = xreallocarray(c->arenas, c->room_arenas, sizeof(*c->arenas));
	}
	c->arenas[c->n_arenas++] = (struct range){ start, end };
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void merge_arenas(struct claims *c)
{
	size_t n = 0;

	if (c->n_arenas)
		qsort(c->arenas, c->n_arenas, sizeof(*c->arenas), by_start);
	for (size_t i = 0; i < c->n_arenas; i++) {
		if (n && c->arenas[i].start <= c->arenas[n - 1].end) {
			if (c->arenas[i].end > c->arenas[n - 1].end)
				c->arenas[n - 1].end = c->arenas[i].end;
			continue;
		}
		c->arenas[n++] = c->arenas[i];
	}
	c->n_arenas = n;
}

/* 1.11 has no list of them, but a table by their place, and one that is mapped anew mostly lies behind another: it may have come since the
 * spans were read. */
static void extend_arenas(struct claims *c, const struct go_target *t)
{
	uint64_t table = word_at(t, go_target_address(t, GO_ARENAS));
	size_t left = ARENAS_MAX;

	for (size_t i = 0; table && i < c->n_arenas; i++)
		for (uint64_t index; left; left--, c->arenas[i].end += GO_ARENA_BYTES) {
			index = (c->arenas[i].end - ARENA_BASE) / GO_ARENA_BYTES;
			if (index >= UINT64_C(1) << 22 || c->arenas[i].end >= ADDRESS_MAX || !word_at(t, table + index * 8))
				break;
		}
	merge_arenas(c);
}

/* The runtime's list of them (from 1.12 on), and every block of 64 MB that a span lies in. */
static void read_arenas(struct claims *c, const struct go_target *t, const struct spans *spans)
{
	uint64_t slice[3], index[512];

	for (size_t i = 0; i < spans->n_blocks; i++)
		add_arena(c, spans->blocks[i].start, spans->blocks[i].end);
	if (go_target_read_place(t, GO_ALL_ARENAS, slice, sizeof(slice)) && slice[1] <= ARENAS_MAX)
		for (uint64_t i = 0, n; i < slice[1]; i += n) {
			n = slice[1] - i < 512 ? slice[1] - i : 512;
			if (!go_target_read(t, slice[0] + i * 8, index, n * 8))
				break;
			for (uint64_t k = 0; k < n; k++)
				add_arena(c, index[k] * GO_ARENA_BYTES + ARENA_BASE, index[k] * GO_ARENA_BYTES + ARENA_BASE + GO_ARENA_BYTES);
		}
	merge_arenas(c);
	if (go_target_layout(t)->minor == 11)
		extend_arenas(c, t);
}

/* ---- the runtime's own ------------------------------------------------------------------------------------------------------------- */

/* mheap_.arenas[0] is the table: a pointer to each heapArena; one level on 64-bit Linux. */
static void claim_heap_arenas(struct claims *c, const struct go_target *t)
{
	uint64_t table = word_at(t, go_target_address(t, GO_ARENAS)), size = go_target_layout(t)->type_size[GO_TYPE_HEAP_ARENA];
	size_t left = ARENAS_MAX;

	if (!table || !size)
		return;
	claim_add(c, table, (UINT64_C(1) << 22) * 8, RSS_RUNTIME);
	for (size_t i = 0; i < c->n_arenas; i++)
		for (uint64_t a = c->arenas[i].start; a < c->arenas[i].end && left; a += GO_ARENA_BYTES, left--) {
			uint64_t index = (a - ARENA_BASE) / GO_ARENA_BYTES, heap_arena;

			if (index < UINT64_C(1) << 22 && (heap_arena = word_at(t, table + index * 8)) != 0)
				claim_sys(c, heap_arena, size);
		}
}

/* 1.14 and later. */
static void claim_page_allocator(struct claims *c, const struct go_target *t, const struct vmas *vmas)
{
	const struct go_layout *l = go_target_layout(t);
	uint64_t summary[SUMMARY_LEVELS][3], index[3], element = l->type_size[GO_TYPE_SCAVENGE_CHUNK] ? l->type_size[GO_TYPE_SCAVENGE_CHUNK] : 1;
	uint64_t chunks = go_target_address(t, GO_PAGE_CHUNKS), size = (uint64_t)l->type_size[GO_TYPE_PALLOC_DATA] << PALLOC_L2_BITS;
	uint64_t last = UINT64_MAX;

	if (l->place[GO_PAGE_SUMMARY].size == sizeof(summary) && go_target_read_place(t, GO_PAGE_SUMMARY, summary, sizeof(summary)))
		for (size_t i = 0; i < SUMMARY_LEVELS; i++)
			claim_reserved(c, vmas, summary[i][0], summary[i][2] * 8);
	if (go_target_read_place(t, GO_SCAVENGE_INDEX, index, sizeof(index)))
		claim_reserved(c, vmas, index[0], index[2] * element);
	if (!chunks || !size)
		return;
	for (size_t i = 0; i < c->n_arenas; i++) {
		uint64_t from = (c->arenas[i].start - ARENA_BASE) >> (PALLOC_CHUNK_BITS + PALLOC_L2_BITS);
		uint64_t to = (c->arenas[i].end - 1 - ARENA_BASE) >> (PALLOC_CHUNK_BITS + PALLOC_L2_BITS);

		for (uint64_t k = from; k <= to && k < UINT64_C(1) << PALLOC_L1_BITS; k++)
			if (k != last) {
				uint64_t at = word_at(t, chunks + k * 8);

				if (at)
					claim_sys(c, at, size);
				last = k;
			}
	}
}

/* Of things that *_sys count: so many there can be at most, a few made meanwhile included. */
static size_t at_most(uint64_t sys, uint64_t size)
{
	return (sys < SYS_BYTES_MAX ? sys : SYS_BYTES_MAX) / size + 64;
}

/* Chunks of persistentalloc: each begins with the address of the next. */
static void claim_chunks(struct claims *c, const struct go_target *t, uint64_t sys)
{
	uint64_t chunk = word_at(t, go_target_address(t, GO_PERSISTENT_CHUNKS));

	for (size_t i = 0; chunk && i < at_most(sys, CHUNK_BYTES); i++) {
		claim_sys(c, chunk, CHUNK_BYTES);
		chunk = word_at(t, chunk);
	}
}

/* 1.11 has no such list: the chunk that each P takes from now, and the mspans that lie in others. */
static void claim_current_chunks(struct claims *c, const struct go_target *t, const struct spans *spans)
{
	const struct go_member *base = &go_target_layout(t)->member[GO_P_PALLOC_BASE];
	uint64_t chunk[PS_MAX + 1], allp[3];
	size_t n = 0;

	chunk[n++] = word_at(t, go_target_address(t, GO_GLOBAL_ALLOC_BASE));
	if (base->size == 8 && go_target_read_place(t, GO_ALLP, allp, sizeof(allp)))
		for (uint64_t i = 0; i < allp[1] && i < PS_MAX; i++) {
			uint64_t p = word_at(t, allp[0] + i * 8);

			chunk[n++] = p ? word_at(t, p + base->offset) : 0;
		}
	for (size_t i = 0; i < n; i++)
		if (chunk[i])
			claim_sys(c, chunk[i], CHUNK_BYTES);
	for (size_t i = 0; i < spans->n_kept; i++) {
		struct range kept = spans->kept[i];

		claim_sys(c, kept.start, kept.end - kept.start);
		for (size_t k = 0; k < n; k++)
			if (chunk[k] && chunk[k] < kept.end && chunk[k] + CHUNK_BYTES > kept.start)
				c->claimed_sys_bytes -= (kept.end < chunk[k] + CHUNK_BYTES ? kept.end : chunk[k] + CHUNK_BYTES) -
							(kept.start > chunk[k] ? kept.start : chunk[k]);
	}
}

static void claim_gc_bits(struct claims *c, const struct go_target *t, uint64_t sys)
{
	static const enum go_place_id lists[] = { GO_GC_BITS_FREE, GO_GC_BITS_NEXT, GO_GC_BITS_CURRENT, GO_GC_BITS_PREVIOUS };
	const struct go_layout *l = go_target_layout(t);
	uint64_t size = l->type_size[GO_TYPE_GC_BITS_ARENA];

	for (size_t i = 0, n = 0; i < sizeof(lists) / sizeof(lists[0]) && size; i++)
		for (uint64_t at = word_at(t, go_target_address(t, lists[i])); at && n < at_most(sys, size); n++) {
			claim_sys(c, at, size);
			at = word_at(t, at + l->member[GO_GC_BITS_LINK].offset);
		}
}

static void claim_rest(struct claims *c, const struct go_target *t, const struct spans *spans)
{
	const struct go_layout *l = go_target_layout(t);
	uint64_t module = go_target_address(t, GO_FIRST_MODULE), hash = word_at(t, go_target_address(t, GO_BUCKET_HASH));

	claim_sys(c, spans->array.start, spans->array.end - spans->array.start);
	if (hash)
		claim_sys(c, hash, BUCKETS * 8);
	if (module && l->member[GO_MODULE_DATA].size == 8 && l->member[GO_MODULE_END].size == 8) {
		uint64_t data = word_at(t, module + l->member[GO_MODULE_DATA].offset), end = word_at(t, module + l->member[GO_MODULE_END].offset);

		if (data < end)
			claim_add(c, data, end - data, RSS_RUNTIME);
	}
}

static uint64_t sys_bytes(const struct go_target *t)
{
	static const enum go_place_id places[] = { GO_MSPAN_SYS, GO_MCACHE_SYS, GO_BUCKHASH_SYS, GO_GC_SYS, GO_OTHER_SYS };
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint64_t v;

		if (go_target_read_place(t, places[i], &v, sizeof(v)) && v < CLAIM_BYTES_MAX)
			sum += v;
	}
	return sum;
}

bool is_without_cgo(const struct go_target *t)
{
	uint8_t cgo;

	return go_target_read_place(t, GO_IS_CGO, &cgo, sizeof(cgo)) && !cgo;
}

/* ---- all --------------------------------------------------------------------------------------------------------------------------- */

static int by_claim(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Of two that overlap the first one in memory has what both claim. */
static void settle(struct claims *c)
{
	size_t n = 0;

	if (c->n)
		qsort(c->v, c->n, sizeof(*c->v), by_claim);
	for (size_t i = 0; i < c->n; i++) {
		struct claim claim = c->v[i];

		if (n && claim.start < c->v[n - 1].end)
			claim.start = c->v[n - 1].end;
		if (claim.start < claim.end)
			c->v[n++] = claim;
	}
	c->n = n;
}

void claims_read(struct claims *c, const struct go_target *t, const struct spans *spans, const struct vmas *vmas)
{
	uint64_t sys = sys_bytes(t);

	c->n = c->n_arenas = 0;
	c->claimed_sys_bytes = 0;
	read_arenas(c, t, spans);
	claim_heap_arenas(c, t);
	claim_page_allocator(c, t, vmas);
	if (go_target_address(t, GO_PERSISTENT_CHUNKS))
		claim_chunks(c, t, sys);
	else
		claim_current_chunks(c, t, spans);
	claim_gc_bits(c, t, sys);
	claim_rest(c, t, spans);
	c->all_known = go_target_address(t, GO_PERSISTENT_CHUNKS) && is_without_cgo(t);
	c->unclaimed_bytes = sys > c->claimed_sys_bytes ? sys - c->claimed_sys_bytes : 0;
	claim_thread_stacks(c, t, vmas);
	settle(c);
}

void claims_done(struct claims *c)
{
	free(c->v);
	free(c->arenas);
	free(c->ids);
	*c = (struct claims){ 0 };
}
