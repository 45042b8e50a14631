/* SPDX-License-Identifier: Apache-2.0
 *
 * limit_test.h - whether this machine's memory limits limit: a real child under a real limit.
 *
 * Main thread; takes some 50 ms.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct err;
struct memcg_root;

struct limit_test {
	bool killed;         /* the child did not reach the end of its memory */
	uint64_t oom_kills;  /* as the group counts them; MISSING: it does not */
	uint64_t peak_bytes; /* as the group counts it; MISSING: it does not */
	uint64_t rss_bytes;  /* of the child once all was touched; MISSING: killed before */
};

/* A child touches touch_bytes in a group limited to limit_bytes. */
int limit_test_run(struct memcg_root *groups, uint64_t limit_bytes, uint64_t touch_bytes, struct limit_test *ret, struct err *err);
