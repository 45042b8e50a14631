/* SPDX-License-Identifier: Apache-2.0
 *
 * pages.h - which pages of a process are resident. Private to gostate/.
 *
 * By the PAGEMAP_SCAN ioctl (6.7 and later), else by reading /proc/PID/pagemap. Both hold the target's mmap lock for reading, as
 * its own page faults do, for the pages of 64 MB at most at a time. The page of zeros, which RSS does not count, is left out by the
 * former; the latter cannot tell it from a page that a fork shares, and gives up on programs that map more than 1 TB (sanitizers do).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct vmas;

struct resident {
	uint64_t start, end;
	bool file;  /* of a file or shared memory, as the kernel's page says */
	bool maybe; /* anonymous and mapped elsewhere too: the page of zeros, or shared by a fork */
};

struct pages {
	struct resident *v; /* owned; sorted */
	size_t n, room;
	void *entries; /* owned */
};

#define RESIDENT_MAX 33554432

/* From the first mapping to the last. scan: try PAGEMAP_SCAN; *ret_scanned: it was used. */
int pages_read(struct pages *p, pid_t pid, const struct vmas *vmas, bool scan, bool *ret_scanned, struct err *err);
/* Resident pages as the kernel counts them; GO_UNKNOWN: gone. */
uint64_t pages_statm(pid_t pid);
/* The same, counted page by page (smaps_rollup): exact on every kernel, and under the mmap lock for some us a resident MB. */
uint64_t pages_rollup(pid_t pid);
void pages_done(struct pages *p);
