/* SPDX-License-Identifier: Apache-2.0
 *
 * split.h - every resident page of a Go process, by what the runtime uses it for: readings.h, enum rss_part.
 *
 * Joins the runtime's spans (mheap_.allspans) with /proc/PID/maps, pagemap and, for what was lazily freed, smaps. A
 * look of ms, on demand: not for the sampling thread. smaps holds the target's mmap lock, the rest takes no lock of it. Main thread,
 * or any one thread with its own struct.
 */
#pragma once
#include "gostate/readings.h"
#include "gostate/target.h"

struct err;
struct splitter; /* buffers that are used again */

struct splitter *splitter_new(void);
struct splitter *splitter_free(struct splitter *s);

/* Taken anew (three times at most) where the parts do not sum to RSS within 0.5 % or 1 MB, whichever is more. 0; -EAGAIN where the
 * target changes too fast for any look to fit (ret then holds the best); -ESRCH where it is gone; others with a sentence in err. */
int split_read(struct splitter *s, const struct go_target *t, struct rss_split *ret, struct err *err);
