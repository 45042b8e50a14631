/* SPDX-License-Identifier: Apache-2.0 */
#include "run/cgroup_tree.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "base/units.h"
#include "run/cgroup_files.h"
#include "run/owner.h"

#define PROC_TEXT_MAX (1UL << 20)

int cgroup_tree_find(struct cgroup_tree *ret, struct err *err)
{
	struct cgroup_tree t = { 0 };
	cleanup_free char *mounts = NULL, *own = NULL;
	char path[PATH_MAX / 2], full[PATH_MAX];
	int r = file_read("/proc/mounts", PROC_TEXT_MAX, &mounts, NULL, err);

	if (r < 0)
		return r;
	if (!cgroup_parse_mounts(mounts, &t.version, t.mount, sizeof(t.mount))) {
		(void)err_set(err, ENOENT, "no cgroup memory controller is mounted");
		return err_hint(err, "Go on without a cgroup: --limit none (no limit, no OOM detection, no usage curve).");
	}
	r = file_read("/proc/self/cgroup", PROC_TEXT_MAX, &own, NULL, err);
	if (r < 0)
		return r;

	/* Inside a container without a cgroup namespace the path is the host's and does not exist below this mount. */
	bool below_own = (t.version == 1 || geteuid() != 0) && cgroup_parse_own_path(own, t.version, path, sizeof(path));
	(void)snprintf(full, sizeof(full), "%s%s", t.mount, below_own ? path : "");
	if (below_own && folder_exists(full))
		memcpy(t.parent, path + 1, strlen(path));
	*ret = t;
	return 0;
}

static struct strv *found; /* nftw() has no argument for its callback */

static int collect_orphan(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct owner owner;

	(void)st;
	if (type != FTW_D || !owner_parse(path + ftw->base, &owner))
		return FTW_CONTINUE;
	if (owner_is_gone(&owner))
		strv_push(found, path);
	return FTW_SKIP_SUBTREE;
}

static int killed;

static int kill_members(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	cleanup_free char *procs = NULL, *file = NULL;

	(void)st;
	(void)ftw;
	if (type != FTW_D)
		return FTW_CONTINUE;
	file = strf("%s/cgroup.procs", path);
	if (file_read(file, PROC_TEXT_MAX, &procs, NULL, NULL) < 0)
		return FTW_CONTINUE;
	for (char *p = procs, *end; *p; p = end) {
		long pid = strtol(p, &end, 10);

		if (end == p)
			break;
		if (pid > 1 && pid != getpid()) {
			(void)kill((pid_t)pid, SIGKILL);
			killed++;
		}
		end += strspn(end, "\n");
	}
	return FTW_CONTINUE;
}

int cgroup_tree_kill(const char *path)
{
	killed = 0;
	(void)nftw(path, kill_members, 16, FTW_PHYS | FTW_ACTIONRETVAL);
	return killed;
}

/* Groups are folders whose files are not to be unlinked: rmdir, deepest first. */
static int remove_group(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_DP)
		(void)rmdir(path);
	return 0;
}

size_t cgroup_tree_sweep(const struct cgroup_tree *t, struct strv *ret_swept)
{
	cleanup_strv struct strv orphans = STRV_INIT;
	const struct timespec pause = { 0, 2 * NS_PER_MS };
	size_t left = 0;

	found = &orphans;
	(void)nftw(t->mount, collect_orphan, 16, FTW_PHYS | FTW_MOUNT | FTW_ACTIONRETVAL);
	found = NULL;
	for (size_t i = 0; i < orphans.n; i++) {
		/* A killed process of 1 GB takes some 30 ms to give its memory back; 1 000 tries are 2 s. */
		struct stat st;
		bool ours = stat(orphans.v[i], &st) == 0 && (geteuid() == 0 || st.st_uid == geteuid());

		for (int tries = 0; ours && tries < 1000 && folder_exists(orphans.v[i]); tries++) {
			(void)cgroup_tree_kill(orphans.v[i]);
			(void)nftw(orphans.v[i], remove_group, 16, FTW_DEPTH | FTW_PHYS);
			if (folder_exists(orphans.v[i]))
				(void)nanosleep(&pause, NULL);
		}
		if (folder_exists(orphans.v[i]))
			left++;
		else if (ret_swept)
			strv_push(ret_swept, orphans.v[i]);
	}
	return left;
}
