/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/proc.h"
#include "gostate/maps.h"
#include "gostate/readings.h"

#define PAGE 4096
#define KERNEL_HALF (UINT64_C(1) << 63)
#define AT_ONCE (UINT64_C(64) << 20) /* resident bytes under one hold of the lock */

static void add(struct pages *p, uint64_t start, uint64_t end, bool file, bool maybe)
{
	if (p->n) {
		struct resident *last = &p->v[p->n - 1];

		if (last->end == start && last->file == file && last->maybe == maybe) {
			last->end = end;
			return;
		}
	}
	if (p->n == p->room) {
		p->room = p->room * 2 + 1024;
		p->v = xreallocarray(p->v, p->room, sizeof(*p->v));
	}
	p->v[p->n++] = (struct resident){ start, end, file, maybe };
}

/* ---- PAGEMAP_SCAN ------------------------------------------------------------------------------------------------------------------ */

/* include/uapi/linux/fs.h of 6.7, Documentation/admin-guide/mm/pagemap.rst. Debian 12's headers do not have it. */
struct scan_region {
	uint64_t start, end, categories;
};
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN _IOWR('f', 16, struct scan_arg)
#define SCAN_FILE (1 << 2)
#define SCAN_PRESENT (1 << 3)
#define SCAN_PFNZERO (1 << 5)
#define SCAN_REGIONS 512

/* Whether a page is a file's is asked only where it can be one: to tell it the kernel looks at every page's struct page, which costs more
 * than all the rest. */
static int scan_range(struct pages *p, int fd, uint64_t at, uint64_t end, bool of_files)
{
	struct scan_region *regions = p->entries;

	while (at < end) {
		struct scan_arg arg = {
			.size = sizeof(arg), .start = at, .end = end, .vec = (uint64_t)(uintptr_t)regions, .vec_len = SCAN_REGIONS,
			.max_pages = AT_ONCE / PAGE, .category_inverted = SCAN_PFNZERO, .category_mask = SCAN_PRESENT | SCAN_PFNZERO,
			.return_mask = of_files ? SCAN_FILE | SCAN_PRESENT : SCAN_PRESENT,
		};
		int n = ioctl(fd, SCAN, &arg);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (int i = 0; i < n; i++)
			add(p, regions[i].start, regions[i].end, regions[i].categories & SCAN_FILE, false);
		if (arg.walk_end <= at || p->n > RESIDENT_MAX)
			return -E2BIG;
		at = arg.walk_end;
	}
	return 0;
}

/* Neighbours of one kind, and the gaps between them, at one go. */
static int scan_pages(struct pages *p, int fd, const struct vmas *vmas)
{
	for (size_t i = 0, k; i < vmas->n; i = k) {
		const struct vma *v = vmas->v;
		bool of_files = v[i].kind == VMA_FILE;
		int r;

		for (k = i + 1; k < vmas->n && (v[k].kind == VMA_FILE) == of_files && v[k].end < KERNEL_HALF; k++)
			;
		if (v[k - 1].end >= KERNEL_HALF) /* [vsyscall] */
			break;
		r = scan_range(p, fd, v[i].start, k < vmas->n && v[k].end < KERNEL_HALF ? v[k].start : v[k - 1].end, of_files);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- pagemap ----------------------------------------------------------------------------------------------------------------------- */

/* Documentation/admin-guide/mm/pagemap.rst */
#define ENTRY_PRESENT (UINT64_C(1) << 63)
#define ENTRY_FILE (UINT64_C(1) << 61)
#define ENTRY_EXCLUSIVE (UINT64_C(1) << 56)
#define ENTRIES 16384
#define RESERVED_BYTES_MAX (UINT64_C(1) << 30) /* larger ones without any access hold nothing: address space kept free */
#define PAGES_MAX (UINT64_C(1) << 28)          /* that are looked at, resident or not: 1 TB */

static int read_pages(struct pages *p, int fd, const struct vmas *vmas)
{
	uint64_t *entries = p->entries, looked = 0;

	for (size_t i = 0; i < vmas->n; i++) {
		const struct vma *v = &vmas->v[i];

		if (v->kind == VMA_NOT_COUNTED || (!v->readable && !v->writable && v->end - v->start > RESERVED_BYTES_MAX))
			continue;
		for (uint64_t at = v->start; at < v->end;) {
			uint64_t n = (v->end - at) / PAGE < ENTRIES ? (v->end - at) / PAGE : ENTRIES;
			ssize_t got = pread(fd, entries, n * 8, (off_t)(at / PAGE * 8));

			if (got < 0)
				return -errno;
			if (got < 8)
				break;
			n = (uint64_t)got / 8;
			for (uint64_t k = 0; k < n; k++)
				if (entries[k] & ENTRY_PRESENT)
					add(p, at + k * PAGE, at + (k + 1) * PAGE, entries[k] & ENTRY_FILE,
					    !(entries[k] & (ENTRY_FILE | ENTRY_EXCLUSIVE)));
			at += n * PAGE;
			looked += n;
			if (looked > PAGES_MAX || p->n > RESIDENT_MAX)
				return -E2BIG;
		}
	}
	return 0;
}

int pages_read(struct pages *p, pid_t pid, const struct vmas *vmas, bool scan, bool *ret_scanned, struct err *err)
{
	char path[64];
	int r = -ENOTTY;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno == ENOENT ? ESRCH : errno, "read %s", path);
	if (!p->entries)
		p->entries = xcalloc(ENTRIES, 8);
	p->n = 0;
	if (scan)
		r = scan_pages(p, fd, vmas);
	*ret_scanned = scan && r == 0;
	if (r == -ENOTTY || r == -EINVAL) {
		p->n = 0;
		r = read_pages(p, fd, vmas);
	}
	if (r == -E2BIG)
		return err_set(err, 0, "process %d maps more than memtide looks through", (int)pid);
	return r < 0 ? err_set(err, -r, "read %s", path) : 0;
}

/* The first bytes of a file of /proc/PID: one read. */
static bool read_text(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	return proc_read(fd, text, size) > 0;
}

uint64_t pages_statm(pid_t pid)
{
	char text[128];
	uint64_t resident;

	if (!read_text(pid, "statm", text, sizeof(text)))
		return GO_UNKNOWN;
	return sscanf(text, "%*u %" SCNu64, &resident) == 1 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : GO_UNKNOWN;
}

uint64_t pages_rollup(pid_t pid)
{
	char text[2048];
	const char *rss;

	if (!read_text(pid, "smaps_rollup", text, sizeof(text)))
		return GO_UNKNOWN;
	rss = proc_value(text, "\nRss:");
	return rss ? strtoull(rss, NULL, 10) << 10 : GO_UNKNOWN;
}

void pages_done(struct pages *p)
{
	free(p->v);
	free(p->entries);
	*p = (struct pages){ 0 };
}
