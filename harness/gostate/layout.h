/* SPDX-License-Identifier: Apache-2.0
 *
 * layout.h - where a Go binary keeps what its runtime knows of memory: addresses of variables, offsets of members.
 *
 * Taken from the binary's DWARF (dwarf_read.h), once per binary. A binary linked with -w has none, but its symbol table still has the
 * addresses: the offsets then come from another binary of the same Go release (layout_complete()). What a release does not have,
 * or names otherwise, is tried by all its names in order; what none of them finds has size 0. Addresses are those of the file:
 * add the load bias of a PIE. Nothing here touches a process. Any thread; a layout is constant once it has been made.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* X(name, "variable:path;variable:path;...") - members of structs that only wrap a number (atomic, state boxes) are entered. */
#define GO_PLACES(X)                                                                                                            \
	X(HEAP_INUSE, "runtime.gcController:heapInUse;runtime.memstats:heap_inuse")                                              \
	X(HEAP_FREE, "runtime.gcController:heapFree")                                                                            \
	X(HEAP_IDLE, "runtime.memstats:heap_idle")                                                                               \
	X(HEAP_RELEASED, "runtime.gcController:heapReleased;runtime.memstats:heap_released")                                     \
	X(HEAP_SYS, "runtime.memstats:heap_sys")                                                                                 \
	X(MAPPED_READY, "runtime.gcController:mappedReady")                                                                      \
	X(STACKS_INUSE, "runtime.memstats:stacks_inuse")                                                                         \
	X(HEAP_STATS, "runtime.memstats:heapStats.stats")                                                                        \
	X(STACKS_SYS, "runtime.memstats:stacks_sys")                                                                             \
	X(MSPAN_SYS, "runtime.memstats:mspan_sys")                                                                               \
	X(MCACHE_SYS, "runtime.memstats:mcache_sys")                                                                             \
	X(BUCKHASH_SYS, "runtime.memstats:buckhash_sys")                                                                         \
	X(GC_SYS, "runtime.memstats:gcMiscSys;runtime.memstats:gc_sys")                                                          \
	X(OTHER_SYS, "runtime.memstats:other_sys")                                                                               \
	X(GC_COUNT, "runtime.memstats:numgc")                                                                                    \
	X(GC_GOAL, "runtime.gcController:gcPercentHeapGoal;runtime.gcController:heapGoal;runtime.memstats:next_gc")              \
	X(SWEEP_TRIGGER, "runtime.gcController:sweepDistMinTrigger")                                                             \
	X(TRIGGERED, "runtime.gcController:triggered")                                                                           \
	X(HEAP_MARKED, "runtime.gcController:heapMarked;runtime.memstats:heap_marked")                                           \
	X(TOTAL_ALLOC, "runtime.gcController:totalAlloc")                                                                        \
	X(TOTAL_FREE, "runtime.gcController:totalFree")                                                                          \
	X(GC_PERCENT, "runtime.gcController:gcPercent;runtime.gcpercent")                                                        \
	X(MEMORY_LIMIT, "runtime.gcController:memoryLimit")                                                                      \
	X(GOMAXPROCS, "runtime.gomaxprocs")                                                                                      \
	X(MADVDONTNEED, "runtime.debug:madvdontneed")                                                                            \
	X(ALLGLEN, "runtime.allglen")                                                                                            \
	X(ALLGS, "runtime.allgs")                                                                                                \
	X(ALLP, "runtime.allp")                                                                                                  \
	X(ALLM, "runtime.allm")                                                                                                  \
	X(NGSYS, "runtime.sched:ngsys")                                                                                          \
	X(NGFREE, "runtime.sched:gFree.n;runtime.sched:ngfree")                                                                  \
	X(NGFREE_STACK, "runtime.sched:gFree.stack.size")                                                                        \
	X(NGFREE_NO_STACK, "runtime.sched:gFree.noStack.size")                                                                   \
	X(MNEXT, "runtime.sched:mnext")                                                                                          \
	X(ALLSPANS, "runtime.mheap_:allspans")                                                                                   \
	X(ARENAS, "runtime.mheap_:arenas")                                                                                       \
	X(ALL_ARENAS, "runtime.mheap_:allArenas;runtime.mheap_:heapArenas")                                                      \
	X(BUILD_VERSION, "runtime.buildVersion")                                                                                 \
	X(MEM_PROFILE_RATE, "runtime.MemProfileRate")                                                                            \
	X(MEM_BUCKETS, "runtime.mbuckets")                                                                                       \
	X(MEM_PROFILE_CYCLE, "runtime.mProfCycle;runtime.mProf:cycle")                                                           \
	X(WAIT_REASONS, "runtime.waitReasonStrings")                                                                             \
	X(FIRST_MODULE, "runtime.firstmoduledata")                                                                               \
	X(PERSISTENT_CHUNKS, "runtime.persistentChunks")                                                                         \
	X(PAGE_SUMMARY, "runtime.mheap_:pages.summary")                                                                          \
	X(PAGE_CHUNKS, "runtime.mheap_:pages.chunks")                                                                            \
	X(SCAVENGE_INDEX, "runtime.mheap_:pages.scav.index.chunks")                                                              \
	X(GC_BITS_FREE, "runtime.gcBitsArenas:free")                                                                             \
	X(GC_BITS_NEXT, "runtime.gcBitsArenas:next")                                                                             \
	X(GC_BITS_CURRENT, "runtime.gcBitsArenas:current")                                                                       \
	X(GC_BITS_PREVIOUS, "runtime.gcBitsArenas:previous")                                                                     \
	X(BUCKET_HASH, "runtime.buckhash")                                                                                       \
	X(IS_CGO, "runtime.iscgo")                                                                                               \
	X(GLOBAL_ALLOC_BASE, "runtime.globalAlloc:persistentAlloc.base")

#define GO_NAMES_MAX 4 /* of one place */

/* X(name, "type:path;type:path;...") */
#define GO_MEMBERS(X)                                                                                                           \
	X(STATS_IN_STACKS, "runtime.heapStatsDelta:inStacks")                                                                    \
	X(STATS_IN_HEAP, "runtime.heapStatsDelta:inHeap")                                                                        \
	X(STATS_IN_WORK_BUFS, "runtime.heapStatsDelta:inWorkBufs")                                                               \
	X(STATS_COMMITTED, "runtime.heapStatsDelta:committed")                                                                   \
	X(STATS_RELEASED, "runtime.heapStatsDelta:released")                                                                     \
	X(STATS_IN_PTR_SCALAR_BITS, "runtime.heapStatsDelta:inPtrScalarBits")                                                    \
	X(SPAN_START, "runtime.mspan:startAddr")                                                                                 \
	X(SPAN_PAGES, "runtime.mspan:npages")                                                                                    \
	X(SPAN_STATE, "runtime.mspan:state")                                                                                     \
	X(SPAN_ELEM_SIZE, "runtime.mspan:elemsize")                                                                              \
	X(SPAN_ALLOC_COUNT, "runtime.mspan:allocCount")                                                                          \
	X(G_STACK, "runtime.g:stack")                                                                                            \
	X(G_GOPC, "runtime.g:gopc")                                                                                              \
	X(G_STATUS, "runtime.g:atomicstatus")                                                                                    \
	X(G_WAIT_REASON, "runtime.g:waitreason")                                                                                 \
	X(G_WAIT_SINCE, "runtime.g:waitsince")                                                                                   \
	X(G_START_PC, "runtime.g:startpc")                                                                                       \
	X(G_SCHED_PC, "runtime.g:sched.pc")                                                                                      \
	X(G_SCHED_SP, "runtime.g:sched.sp")                                                                                      \
	X(G_STACK_LO, "runtime.g:stack.lo")                                                                                      \
	X(G_STACK_HI, "runtime.g:stack.hi")                                                                                      \
	X(P_GFREE, "runtime.p:gFree.n;runtime.p:gfreecnt;runtime.p:gFree.size")                                                  \
	X(M_PROCID, "runtime.m:procid")                                                                                          \
	X(M_ALLLINK, "runtime.m:alllink")                                                                                        \
	X(M_CURG, "runtime.m:curg")                                                                                              \
	X(M_G0, "runtime.m:g0")                                                                                                  \
	X(M_NCGO, "runtime.m:ncgo")                                                                                              \
	X(M_INCGO, "runtime.m:incgo")                                                                                            \
	X(M_SPINNING, "runtime.m:spinning")                                                                                      \
	X(BUCKET_ALLNEXT, "runtime.bucket:allnext")                                                                              \
	X(BUCKET_TYPE, "runtime.bucket:typ")                                                                                     \
	X(BUCKET_SIZE, "runtime.bucket:size")                                                                                    \
	X(BUCKET_NSTK, "runtime.bucket:nstk")                                                                                    \
	X(MEM_RECORD_ACTIVE, "runtime.memRecord:active")                                                                         \
	X(MEM_RECORD_FUTURE, "runtime.memRecord:future")                                                                         \
	X(CYCLE_ALLOCS, "runtime.memRecordCycle:allocs")                                                                         \
	X(CYCLE_FREES, "runtime.memRecordCycle:frees")                                                                           \
	X(CYCLE_ALLOC_BYTES, "runtime.memRecordCycle:alloc_bytes")                                                               \
	X(CYCLE_FREE_BYTES, "runtime.memRecordCycle:free_bytes")                                                                 \
	X(MODULE_TEXT, "runtime.moduledata:text")                                                                                \
	X(MODULE_GOFUNC, "runtime.moduledata:gofunc")                                                                            \
	X(MODULE_DATA, "runtime.moduledata:noptrdata")                                                                           \
	X(MODULE_END, "runtime.moduledata:end")                                                                                  \
	X(GC_BITS_LINK, "runtime.gcBitsArena:next")                                                                              \
	X(P_PALLOC_BASE, "runtime.p:palloc.base")

/* Types whose size is asked for. X(name, "type") */
#define GO_TYPES(X)                                                                                                             \
	X(SPAN, "runtime.mspan")                                                                                                 \
	X(STATS, "runtime.heapStatsDelta")                                                                                       \
	X(BUCKET, "runtime.bucket")                                                                                              \
	X(MEM_RECORD, "runtime.memRecord")                                                                                       \
	X(CYCLE, "runtime.memRecordCycle")                                                                                       \
	X(HEAP_ARENA, "runtime.heapArena")                                                                                       \
	X(PALLOC_DATA, "runtime.pallocData")                                                                                     \
	X(SCAVENGE_CHUNK, "runtime.atomicScavChunkData")                                                                         \
	X(GC_BITS_ARENA, "runtime.gcBitsArena")

/* Variables of the structs that are read: where two binaries have the same sizes of them, what one's offsets say holds for the other. A
 * release from 1.11 on has all but one. */
#define GO_WITNESSES(X)                                                                                                         \
	X("runtime.memstats")                                                                                                    \
	X("runtime.gcController")                                                                                                \
	X("runtime.sched")                                                                                                       \
	X("runtime.mheap_")                                                                                                      \
	X("runtime.debug")                                                                                                       \
	X("runtime.g0")                                                                                                          \
	X("runtime.m0")                                                                                                          \
	X("runtime.emptymspan")                                                                                                  \
	X("runtime.firstmoduledata")
#define GO_COUNT_WITNESS_(name) +1
enum { GO_WITNESS_COUNT_ = 0 GO_WITNESSES(GO_COUNT_WITNESS_) };

#define GO_ENUM_PLACE_(name, names) GO_##name,
#define GO_ENUM_MEMBER_(name, names) GO_##name,
#define GO_ENUM_TYPE_(name, names) GO_TYPE_##name,
enum go_place_id { GO_PLACES(GO_ENUM_PLACE_) GO_PLACE_COUNT_ };
enum go_member_id { GO_MEMBERS(GO_ENUM_MEMBER_) GO_MEMBER_COUNT_ };
enum go_type_id { GO_TYPES(GO_ENUM_TYPE_) GO_TYPE_COUNT_ };

struct go_place {
	uint64_t address;   /* in the file's address space */
	uint32_t in_variable; /* offset in its variable */
	uint32_t size;      /* bytes; 0: this binary has no such thing */
	uint8_t which;      /* of the names above, from 0 */
};

struct go_member {
	uint32_t offset;
	uint32_t size; /* bytes; 0: no such member */
	uint8_t which;
};

enum layout_source {
	LAYOUT_DWARF,   /* this binary's own */
	LAYOUT_SYMBOLS, /* its symbols, and offsets of another binary of the same release */
	LAYOUT_PARTIAL, /* symbols alone: addresses without offsets; layout_complete() mends it */
	LAYOUT_NONE,    /* neither: only what the kernel tells */
};

struct go_layout {
	enum layout_source source;
	char version[48];  /* "go1.21.3": of .go.buildinfo or runtime.buildVersion; "" where it cannot be told */
	unsigned minor;    /* 21; 0: unknown */
	char build_id[128]; /* Go's own, or GNU's as hexadecimal digits; "" */
	bool pie;
	uint64_t entry; /* address of the first instruction: with AT_ENTRY of a process that tells a PIE's load bias */
	struct go_place place[GO_PLACE_COUNT_];
	struct go_member member[GO_MEMBER_COUNT_];
	uint32_t type_size[GO_TYPE_COUNT_]; /* 0: no such type */
	/* Of LAYOUT_PARTIAL: the address of the variable in each of a place's names. Which name a release uses only its offsets tell:
	 * runtime.gcController is there from 1.17 on, and has the heap's counters from 1.19 on. 0: no such symbol. */
	uint64_t symbol[GO_PLACE_COUNT_][GO_NAMES_MAX];
	/* Of LAYOUT_PARTIAL, and of what layout_read_sizes() was called for. 0: no such symbol. */
	uint64_t witness_bytes[GO_WITNESS_COUNT_];
};

/* Reads the binary at an open fd; name is for errors. No Go binary at all is an error that says so; one without DWARF or symbols is
 * not, see source. Caller frees with free(). */
int layout_read(int fd, const char *name, struct go_layout **ret, struct err *err);
/* The sizes of the witnesses, by the symbols of the binary that l was read from. */
void layout_read_sizes(int fd, struct go_layout *l);
/* How much of a version names the release: "go1.22.1" of "go1.22.1 X:arenas" (an experiment) and of "go1.22.1 (Red Hat 1.22.1-1)". 0: it
 * names none. */
size_t layout_release_length(const char *version);
/* Of LAYOUT_PARTIAL, LAYOUT_SYMBOLS: with the offsets and sizes of `from`, a binary of the same Go release with DWARF and the sizes of
 * its witnesses (offsets.h), whatever experiments each was built with: where a witness has another size, that is an error. What is
 * complete already is left as it is. */
int layout_complete(struct go_layout *l, const struct go_layout *from, struct err *err);
/* "runtime.gcController:heapInUse;...": for messages and tests. Static. */
const char *layout_place_names(enum go_place_id id);
const char *layout_member_names(enum go_member_id id);
