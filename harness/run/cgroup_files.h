/* SPDX-License-Identifier: Apache-2.0
 *
 * cgroup_files.h - what the memory controller's files are called in cgroup v1 and v2, and how their text is read.
 *
 * Pure: text in, numbers out; usable on the sampling thread (no malloc, no locks). libcgroup maps none of these names.
 * Source: Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst of the kernel.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup_names {
	const char *limit;             /* bytes; "max" in v2 for none */
	const char *swap_limit;        /* v1: memory + swap together; v2: swap alone */
	const char *usage;
	const char *peak;              /* v2: Linux 5.19 and later */
	const char *stat;
	const char *inactive_file_key; /* in stat; of the group and all below it */
	const char *reclaim;           /* v1: empties the group as far as possible; v2: so many bytes, Linux 5.19 and later */
	const char *oom;
	const char *oom_kill_key;      /* in oom */
};

/* version: 1 or 2. */
const struct cgroup_names *cgroup_names(int version);

/* A decimal number at the beginning of text; the character behind it, or NULL where there is none or it is too large. */
const char *parse_digits(const char *text, uint64_t *ret);
/* A file that holds one number: "12345\n". "max" is MISSING (record/series.h). false: not a number. */
bool cgroup_parse_number(const char *text, uint64_t *ret);
/* A flat keyed file ("key value\n" lines): the number behind key, which must stand at the beginning of a line. */
bool cgroup_parse_keyed(const char *text, const char *key, uint64_t *ret);
/* /proc/PID/cgroup: the path of the memory controller's group ("/" first). v2: the line "0::". false: no such line. */
bool cgroup_parse_own_path(const char *text, int version, char *ret, size_t n);
/* /proc/mounts: where the memory controller (v1) or the unified hierarchy (v2) is mounted. *ret_version is 1 where a v1
 * memory controller is mounted, else 2 where cgroup2 is, else 0 and false. */
bool cgroup_parse_mounts(const char *text, int *ret_version, char *ret, size_t n);
