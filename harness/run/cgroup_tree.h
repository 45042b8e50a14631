/* SPDX-License-Identifier: Apache-2.0
 *
 * cgroup_tree.h - where in the hierarchy the supervisor's groups go, and what earlier supervisors left there.
 *
 * A supervisor's own group is named after it (owner.h) and lies below the group that the supervisor was
 * started in, so that limits of its surroundings stay in force; on v2 as root below the root group, because a v2 group that
 * has processes of its own cannot have groups with limits below it. Main thread only.
 */
#pragma once
#include <limits.h>
#include <stddef.h>
#include <stdbool.h>

struct err;
struct strv;

struct cgroup_tree {
	int version;               /* 1 or 2 */
	char mount[PATH_MAX / 2];  /* "/sys/fs/cgroup/memory" */
	char parent[PATH_MAX / 2]; /* relative to the mount, no '/' at its ends; "" for the root group */
};

/* Reads /proc/mounts and /proc/self/cgroup. -ENOENT where no memory controller is mounted. Needs no rights. */
int cgroup_tree_find(struct cgroup_tree *ret, struct err *err);
/* Kills what is left in groups of supervisors that are gone and deletes them, anywhere in the tree. ret_swept (may be NULL):
 * their paths. Returns how many could not be removed: another user's, or held by a process that does not die. */
size_t cgroup_tree_sweep(const struct cgroup_tree *t, struct strv *ret_swept);
/* SIGKILL to every process in the group at this absolute path and in those below it. Returns how many there were. */
int cgroup_tree_kill(const char *path);
