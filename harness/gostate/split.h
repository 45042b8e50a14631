/* SPDX-License-Identifier: Apache-2.0
 *
 * split.h - every resident page of a Go process, by what the runtime uses it for: readings.h, enum rss_part.
 *
 * Joins the runtime's spans (mheap_.allspans) with /proc/PID/maps, pagemap and, for what was lazily freed, smaps (spans.h, maps.h,
 * pages.h and claims.h have the sources). 10 to 15 ms of CPU time for 800 MB in 50 000 spans, on demand: not for the sampling thread.
 * No lock of the runtime's is taken; of the kernel's the target's mmap lock, for reading and a piece at a time, as its own page
 * faults take it. smaps is read only where the runtime gives memory back by MADV_FREE (1.12 to 1.15, and GODEBUG=madvdontneed=0).
 *
 * What cannot be told exactly:
 *   - In a span whose pages are resident in part, its objects are taken to lie evenly. An object that a GC cycle found dead counts as
 *     one until its span is swept. A slot counts as allocated from the moment it is handed out, in spans that an mcache holds too.
 *   - What goroutines no longer use of stack spans (free stacks that are kept for the next) is stacks, as in StackInuse. GC work
 *     buffers are the runtime's.
 *   - Variables of the program, and of C code that was linked in, lie in the binary's data and bss, which count as the runtime's.
 *   - A C thread that runs on a CPU at that moment does not tell where its stack is: that stack is native then. Of a thread that Go
 *     made and of one that sleeps it is told, up to 16 kB at the top, where another mapping may have been joined to it.
 *   - Lazily freed pages are counted mapping by mapping, and are idle ones, as far as there are such.
 *   - Spans that came and went between the two readings of a look (a few ms) are taken for what they were in the first.
 * Any thread with its own struct.
 */
#pragma once
#include "gostate/readings.h"
#include "gostate/target.h"

struct err;
struct splitter; /* buffers that are used again */

/* now_ns: the clock by which a split's time is told; NULL: CLOCK_MONOTONIC. arg: borrowed. Never NULL. */
struct splitter *splitter_new(int64_t (*now_ns)(void *arg), void *arg);
struct splitter *splitter_free(struct splitter *s);

/* Taken anew (three times at most) where the parts do not sum to RSS within 0.5 % or 1 MB, whichever is more. 0; -EAGAIN where the
 * target changes too fast for any look to fit (ret then holds the best); -ESRCH where it is gone; others with a sentence in err. */
int split_read(struct splitter *s, const struct go_target *t, struct rss_split *ret, struct err *err);
/* The moment that the last split stands for, by its clock: when its pages were read. It lies anywhere in the time that split_read() took,
 * which had no CPU for some of it, or found that a look did not fit; and a virtual clock may have jumped meanwhile. */
int64_t splitter_at_ns(const struct splitter *s);
