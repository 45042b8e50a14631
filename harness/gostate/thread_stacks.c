/* SPDX-License-Identifier: Apache-2.0
 *
 * thread_stacks.c - stacks of threads that C code made. Without cgo there are none: threads then run on stacks of the Go heap.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "gostate/claims.h"
#include "gostate/maps.h"

#define KERNEL_PAGE 4096
#define MS_MAX 100000
#define TASKS_MAX 20000             /* that /proc is asked for */
#define USUAL_BYTES (UINT64_C(8) << 20) /* of a thread's stack: RLIMIT_STACK as it is nearly everywhere */
#define ABOVE_BYTES (16 << 10)      /* glibc's own at the top: struct pthread, thread-local variables */
#define BELOW_BYTES (8 << 10)       /* where no guard tells where it begins */

/* How sure it is where a stack ends. */
enum bounds {
	BOUNDS_TOLD,  /* lo and hi are the stack's, up to a page or two */
	BOUNDS_INSIDE /* only that it is there */
};

/* A stack begins above its guard, which ends the mapping there. Above its end another mapping may have been joined to it. */
static void claim_stack(struct claims *c, const struct vmas *vmas, uint64_t lo, uint64_t hi, enum bounds bounds)
{
	const struct vma *vma = maps_find(vmas, hi - 1), *below;
	uint64_t start, end;

	if (!vma || vma->kind != VMA_ANONYMOUS || !vma->writable)
		return;
	below = vma > vmas->v ? vma - 1 : NULL;
	if (below && below->end == vma->start && !below->readable && !below->writable)
		start = vma->start;
	else
		start = lo > vma->start + BELOW_BYTES ? lo - BELOW_BYTES : vma->start;
	if (hi - start > 8 * USUAL_BYTES && bounds == BOUNDS_INSIDE)
		start = lo - BELOW_BYTES;
	end = bounds == BOUNDS_TOLD ? hi + ABOVE_BYTES : start + USUAL_BYTES;
	if (end < hi + ABOVE_BYTES)
		end = hi + ABOVE_BYTES;
	if (end > vma->end)
		end = vma->end;
	claim_add(c, start, end - start, RSS_THREAD_STACKS);
}

static bool in_arenas(const struct claims *c, uint64_t address)
{
	for (size_t i = 0; i < c->n_arenas; i++)
		if (address >= c->arenas[i].start && address < c->arenas[i].end)
			return true;
	return false;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Every M has the bounds of its system stack. Those of an M that a C thread borrowed are a window of 32 kB around where it called. */
static void claim_of_ms(struct claims *c, const struct go_target *t, const struct vmas *vmas)
{
	const struct go_layout *l = go_target_layout(t);
	const struct go_member *link = &l->member[GO_M_ALLLINK], *g0 = &l->member[GO_M_G0], *id = &l->member[GO_M_PROCID];
	uint64_t m, g, word, stack[2];

	c->n_ids = 0;
	if (link->size != 8 || g0->size != 8 || !go_target_read_place(t, GO_ALLM, &m, sizeof(m)))
		return;
	for (size_t n = 0; m && n < MS_MAX; n++) {
		if (id->size == 8 && go_target_read(t, m + id->offset, &word, sizeof(word))) {
			if (c->n_ids == c->room_ids) {
				c->room_ids = c->room_ids * 2 + 64;
				c->ids = xreallocarray(c->ids, c->room_ids, sizeof(*c->ids));
			}
			c->ids[c->n_ids++] = word;
		}
		if (go_target_read(t, m + g0->offset, &g, sizeof(g)) && g &&
		    go_target_read(t, g + l->member[GO_G_STACK].offset, stack, sizeof(stack)) && stack[0] < stack[1] && !in_arenas(c, stack[1] - 1))
			claim_stack(c, vmas, stack[0], stack[1], stack[1] - stack[0] > 64 << 10 ? BOUNDS_TOLD : BOUNDS_INSIDE);
		if (!go_target_read(t, m + link->offset, &m, sizeof(m)))
			break;
	}
	if (c->n_ids)
		qsort(c->ids, c->n_ids, sizeof(*c->ids), by_id);
}

/* /proc/PID/task/TID/syscall ends with the stack pointer and the pc; of a thread on a CPU it is "running". */
static void claim_of_task(struct claims *c, const struct vmas *vmas, int tasks, const char *tid)
{
	char path[64], text[256], *last, *before;
	uint64_t sp;
	ssize_t n;

	snprintf(path, sizeof(path), "%.20s/syscall", tid);
	cleanup_close int fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (n = read(fd, text, sizeof(text) - 1)) <= 0)
		return;
	text[n] = '\0';
	last = strrchr(text, ' ');
	if (!last)
		return;
	*last = '\0';
	before = strrchr(text, ' ');
	if (before && sscanf(before, " 0x%" SCNx64, &sp) == 1 && sp > 2 * BELOW_BYTES && !in_arenas(c, sp))
		claim_stack(c, vmas, sp, sp + 1, BOUNDS_INSIDE);
}

/* Threads that Go never heard of. */
static void claim_of_tasks(struct claims *c, const struct go_target *t, const struct vmas *vmas)
{
	char path[64];
	DIR *folder;
	struct dirent *entry;
	size_t asked = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)go_target_pid(t));
	folder = opendir(path);
	while (folder && (entry = readdir(folder)) && asked < TASKS_MAX) {
		uint64_t id = strtoull(entry->d_name, NULL, 10);

		if (id == 0 || id == (uint64_t)go_target_pid(t) || (c->n_ids && bsearch(&id, c->ids, c->n_ids, sizeof(id), by_id)))
			continue;
		asked++;
		claim_of_task(c, vmas, dirfd(folder), entry->d_name);
	}
	if (folder)
		closedir(folder);
}

void claim_thread_stacks(struct claims *c, const struct go_target *t, const struct vmas *vmas)
{
	if (is_without_cgo(t))
		return;
	claim_of_ms(c, t, vmas);
	claim_of_tasks(c, t, vmas);
}
