/* SPDX-License-Identifier: Apache-2.0
 *
 * cgroup.h - memory-limited groups for runs, cgroup v1 and v2 behind one interface.
 *
 * libcgroup makes and deletes groups and sets limits (in a delegated v2 group they are made by hand: it cannot); values are
 * read by pread on kept fds, because libcgroup opens the file at each read. A supervisor's groups lie in one group of its own
 * (cgroup_tree.h), and groups of supervisors that are gone are emptied and deleted by memcg_root_open(). (Named memcg because
 * libcgroup owns the names that begin with cgroup_.)
 * Main thread only; the fds given out may be read on any thread.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct strv;
struct memcg_root;
struct memcg;

/* Finds the memory controller, sweeps, makes the supervisor's own group. Without the rights: -EPERM or -EACCES and a sentence
 * with what to do. ret_swept (may be NULL): names of the groups left behind by earlier starts, now gone. */
int memcg_root_open(struct memcg_root **ret, struct strv *ret_swept, struct err *err);
int memcg_root_version(const struct memcg_root *r); /* 1 or 2 */
/* Deletes the supervisor's own group. NULL-safe; returns NULL. */
struct memcg_root *memcg_root_free(struct memcg_root *r);

/* limit_bytes: 0 for none. Swap beyond it is forbidden where the kernel accounts swap. */
int memcg_create(struct memcg_root *r, const char *name, uint64_t limit_bytes, struct memcg **ret, struct err *err);
/* The same with a group beside it, for a neighbour; the limit is that of the group around both. What is counted and listed is the
 * first group's own, but memcg_population(), memcg_kill(), memcg_delete() and memcg_free() mean all three. */
int memcg_create_beside(struct memcg_root *r, const char *name, uint64_t limit_bytes, struct memcg **ret, struct err *err);
/* The group that another's process is in, only to be read: what is said of memcg_create() does not hold for it, and none of what follows
 * kills or deletes anything of it. Returns how many processes it has, at most 512; 0: no group (*ret NULL) or one that cannot be read,
 * as one outside of memtide's own container, or the root group, whose figures are the whole machine's. ret_path: as /proc/PID/cgroup has it,
 * the caller's; NULL: not told. */
unsigned memcg_open_of(pid_t pid, struct memcg **ret, char **ret_path);
/* The group beside, where there is one; NULL: none. Borrowed. */
const struct memcg *memcg_neighbour(const struct memcg *g);
/* Absolute: of the group, and of the one that has the limit. Borrowed. */
const char *memcg_path(const struct memcg *g);
const char *memcg_limit_path(const struct memcg *g);
int memcg_version(const struct memcg *g);
/* v1: cgroup.procs open for writing; v2: the group's directory, for CLONE_INTO_CGROUP. Borrowed. */
int memcg_enter_fd(const struct memcg *g);
/* Kept, for the sampler; -1 where the file does not exist. Borrowed. */
int memcg_usage_fd(const struct memcg *g);
int memcg_stat_fd(const struct memcg *g);

struct memcg_counters {
	uint64_t peak_bytes; /* MISSING before Linux 5.19 on v2 */
	uint64_t oom_kills;  /* MISSING where the kernel does not count them */
};
void memcg_counters(const struct memcg *g, struct memcg_counters *ret);
/* Number of processes in the group, at most 512; 0 where none is left. */
int memcg_population(const struct memcg *g);
/* The processes in it, up to max; returns how many. Any thread. */
size_t memcg_pids(const struct memcg *g, pid_t *ret, size_t max);
/* SIGKILL to every process in it, once; call again until memcg_population() is 0. */
void memcg_kill(const struct memcg *g);
/* Deletes the empty group: 0, or -EBUSY while the kernel still holds it (call again). */
int memcg_delete(struct memcg *g);
/* Closes fds and frees; kills and deletes first (2 s at most) if memcg_delete() has not succeeded. NULL-safe; returns NULL. */
struct memcg *memcg_free(struct memcg *g);
