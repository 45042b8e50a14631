/* SPDX-License-Identifier: Apache-2.0
 *
 * selftest.h - how exact this kernel's statm is, page by page.
 *
 * A child touches pages one by one, and after each its resident size must have grown by exactly one page. Kernels without
 * 82241a83cd15 ("mm: fix the inaccurate memory statistics issue for users", 6.16; 6.12 and 6.15 stable) sum per-CPU or
 * per-thread caches lazily and are off by up to 64 pages a CPU or thread. About 15 ms. Main thread.
 */
#pragma once
#include <stdint.h>

struct err;

struct selftest {
	uint64_t pages;      /* touched */
	uint64_t worst_pages; /* largest difference between statm and the truth */
};

int selftest_run(struct selftest *ret, struct err *err);
