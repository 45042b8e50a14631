/* SPDX-License-Identifier: Apache-2.0
 *
 * maps.h - the mappings of a process, and the lazily freed bytes in them. Private to gostate/.
 *
 * /proc/PID/maps; the kernel copies it out a page at a time, taking the mmap lock for reading each time (from 6.17 on: not even
 * that). The text is the target's choice: numbers that make no sense leave their line out.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "gostate/spans.h"

struct err;

enum vma_kind {
	VMA_ANONYMOUS,
	VMA_HEAP,          /* [heap]: brk */
	VMA_GO,            /* [anon: Go: ...]: named by the runtime, 1.25 and later, where the kernel keeps names (CONFIG_ANON_VMA_NAME; Debian 12 does not) */
	VMA_STACK,         /* [stack], and [anon: glibc: pthread stack: ...] */
	VMA_FILE,          /* a file, shared memory, or what the kernel mapped: [vdso] */
	VMA_NOT_COUNTED,   /* [vsyscall], [vvar...]: not in RSS; huge pages of hugetlbfs: counted apart */
};

struct vma {
	uint64_t start, end;
	uint64_t inode;
	uint32_t major, minor; /* of the device */
	enum vma_kind kind;
	bool readable, writable, shared;
};

struct vmas {
	struct vma *v; /* owned; sorted by the kernel */
	size_t n, room;
	char *text; /* owned */
	size_t room_text;
};

#define VMAS_MAX 1048576
#define MAPS_TEXT_MAX (UINT64_C(256) << 20)

/* One line of maps. false: it makes no sense. Pure. */
bool maps_parse_line(const char *line, struct vma *ret);
int maps_read(struct vmas *m, pid_t pid, struct err *err);
/* The first mapping that ends above the address; NULL: none. */
const struct vma *maps_from(const struct vmas *m, uint64_t address);
/* The mapping that has the address; NULL: none. */
const struct vma *maps_find(const struct vmas *m, uint64_t address);
/* LazyFree of smaps, of the mappings that lie in the ranges. Holds the target's mmap lock for reading, mapping by mapping, for about
 * 2 us a resident MB: only where the runtime gives memory back by MADV_FREE. */
int maps_lazy_free(struct vmas *m, pid_t pid, const struct range *ranges, size_t n, uint64_t *ret_bytes, struct err *err);
void maps_done(struct vmas *m);
