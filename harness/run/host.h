/* SPDX-License-Identifier: Apache-2.0
 *
 * host.h - the facts about this machine that move memory curves. Read from /proc and /sys; any thread.
 */
#pragma once
#include <stdint.h>

struct host {
	char kernel[128];      /* uname -r */
	char machine[32];      /* uname -m */
	unsigned cpus;         /* this process may use */
	uint64_t memory_bytes;
	uint64_t available_bytes; /* MemAvailable now, or what the surrounding cgroup leaves if that is less */
	uint64_t swap_bytes;
	uint64_t page_bytes;
	char thp[16];          /* /sys/kernel/mm/transparent_hugepage/enabled: always, madvise, never; "" not there */
	char thp_defrag[24];
	uint64_t max_ptes_none; /* khugepaged; MISSING not there */
};

void host_read(struct host *ret);
