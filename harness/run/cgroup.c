/* SPDX-License-Identifier: Apache-2.0 */
#include "run/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libcgroup.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/units.h"
#include "record/series.h"
#include "run/cgroup_files.h"
#include "run/cgroup_tree.h"
#include "run/owner.h"

struct memcg_root {
	struct cgroup_tree tree;
	char *name; /* owned: relative to the mount: "a/b/memtide-1-2-3" */
};

struct memcg {
	int version;
	char *name; /* owned: relative to the mount */
	char *path; /* owned: absolute */
	int enter_fd, usage_fd, stat_fd, peak_fd, oom_fd;
	bool deleted;
	struct memcg *around, *beside; /* owned; NULL: none */
};

struct value {
	const char *file;
	char text[24];
};

/* libcgroup's own logger prints to standard output, which belongs to the command. Its errors come back as codes anyway. */
static void discard_log(void *userdata, int level, const char *fmt, va_list ap)
{
	(void)userdata;
	(void)level;
	(void)fmt;
	(void)ap;
}

/* The library reads the mount table once and caches it. */
static int library_init(struct err *err)
{
	static bool done;

	if (done)
		return 0;
	cgroup_set_logger(discard_log, CGROUP_LOG_ERROR, NULL);
	int r = cgroup_init();
	if (r != 0)
		return err_set(err, 0, "libcgroup does not start: %s", cgroup_strerror(r));
	done = true;
	return 0;
}

/* Most of the library's codes hide the errno (a read-only mount is "operation not allowed"): the kernel is asked again. */
static int library_errno(int code, const struct cgroup_tree *t, const char *name)
{
	cleanup_free char *above = strf("%s/%s", t->mount, name);

	if (code == ECGOTHER && cgroup_get_last_errno() > 0)
		return cgroup_get_last_errno();
	*strrchr(above, '/') = 0;
	if (access(above, W_OK) < 0)
		return errno;
	return code == ECGROUPNOTALLOWED || code == ECGCANTSETVALUE ? EACCES : EIO;
}

/* A v2 group that is not the root group was handed to us: as an ordinary user in a scope. */
static bool is_delegated(const struct cgroup_tree *t)
{
	return t->version == 2 && *t->parent;
}

static int make_group_by_library(const struct cgroup_tree *t, const char *name, const struct value *values, size_t n,
				 struct err *err)
{
	struct cgroup *g = cgroup_new_cgroup(name);
	struct cgroup_controller *memory = g ? cgroup_add_controller(g, "memory") : NULL;
	int r = memory ? 0 : ECGFAIL;

	for (size_t i = 0; !r && i < n; i++)
		r = cgroup_add_value_string(memory, values[i].file, values[i].text);
	if (!r)
		r = cgroup_create_cgroup(g, 0);
	int errnum = r ? library_errno(r, t, name) : 0;
	if (g)
		cgroup_free(&g);
	return r ? err_set(err, errnum, "cannot make the memory cgroup %s", name) : 0;
}

static int make_group_by_hand(const struct cgroup_tree *t, const char *name, const struct value *values, size_t n, struct err *err)
{
	cleanup_free char *group = strf("%s/%s", t->mount, name);
	int r = mkdir(group, 0755) < 0 ? -errno : 0;

	if (r < 0)
		return err_set(err, -r, "cannot make the memory cgroup %s", name);
	for (size_t i = 0; !r && i < n; i++) {
		cleanup_free char *file = strf("%s/%s", group, values[i].file);

		r = file_write_in_place(file, values[i].text);
		if (r < 0)
			(void)err_set(err, -r, "cannot write %s", file);
	}
	if (r < 0)
		(void)rmdir(group);
	return r;
}

/* libcgroup writes "+memory" into each cgroup.subtree_control from the root group down, whether it is there already or not. In a
 * delegated group those above are not ours to write. */
static int make_group(const struct cgroup_tree *t, const char *name, const struct value *values, size_t n, struct err *err)
{
	return is_delegated(t) ? make_group_by_hand(t, name, values, n, err) : make_group_by_library(t, name, values, n, err);
}

static int say_what_to_do(const struct cgroup_tree *t, int r, struct err *err)
{
	if (r == -EROFS)
		(void)err_hint(err, "The cgroups of a container are read-only unless it is started with --privileged.");
	else if (r == -EBUSY && !*t->parent) /* of a container: the machine's own root group may have processes */
		(void)err_hint(err,
			       "A cgroup with processes hands nothing down. Move them into one below it: mkdir %s/all; "
			       "for p in $(cat %s/cgroup.procs); do echo $p >%s/all/cgroup.procs; done 2>/dev/null",
			       t->mount, t->mount, t->mount);
	else if (r == -ENODEV && !*t->parent)
		(void)err_hint(err, "Boot the kernel with cgroup_enable=memory and without cgroup_disable=memory.");
	else if (t->version == 2)
		(void)err_hint(err, "Run it as root (sudo), or in a scope of your own: systemd-run --user --scope -p Delegate=yes memtide ...");
	else
		(void)err_hint(err, "Run it as root (sudo).");
	return err_hint(err, "Or go on without a cgroup: --limit none (no limit, no OOM detection, no usage curve).");
}

/* v2: a group with processes cannot hand the memory controller down. In a scope of our own the only process is this one: it
 * moves into a leaf beside the groups of its runs. */
static int hand_memory_down(const struct cgroup_tree *t, const char *own, struct err *err)
{
	cleanup_free char *above = strf("%s/%s/cgroup.subtree_control", t->mount, t->parent);
	cleanup_free char *below = strf("%s/%s/cgroup.subtree_control", t->mount, own);
	cleanup_free char *leaf = strf("%s/%s/supervisor", t->mount, own);
	cleanup_free char *procs = strf("%s/cgroup.procs", leaf);

	if (mkdir(leaf, 0755) < 0)
		return err_set(err, errno, "cannot make the cgroup %s", leaf);

	int r = file_write_in_place(procs, "0");
	if (r < 0)
		return err_set(err, -r, "cannot move into %s", leaf);
	r = file_write_in_place(above, "+memory");
	if (r == -EBUSY)
		return err_set(err, -r, "other processes share the cgroup %s", t->parent);
	if (r >= 0)
		r = file_write_in_place(below, "+memory");
	return r < 0 ? err_set(err, -r, "cannot hand the memory controller down from %s", t->parent) : 0;
}

/* Undoes all of it, as far as it was done: the lower group gives the controller up first, or the upper one cannot. */
static void remove_own_group(const struct cgroup_tree *t, const char *own)
{
	cleanup_free char *path = strf("%s/%s", t->mount, own);

	if (is_delegated(t)) {
		cleanup_free char *above = strf("%s/%s/cgroup.subtree_control", t->mount, t->parent);
		cleanup_free char *back = strf("%s/%s/cgroup.procs", t->mount, t->parent);
		cleanup_free char *below = strf("%s/cgroup.subtree_control", path);
		cleanup_free char *leaf = strf("%s/supervisor", path);

		(void)file_write_in_place(below, "-memory");
		(void)file_write_in_place(above, "-memory");
		(void)file_write_in_place(back, "0");
		(void)rmdir(leaf);
	}
	(void)rmdir(path);
}

/* A v2 hierarchy may lack the controller: switched off at boot, or not handed down to the group that this process is in. */
static int check_controller(const struct cgroup_tree *t, struct err *err)
{
	cleanup_free char *group = strf("%s%s%s", t->mount, *t->parent ? "/" : "", t->parent);
	cleanup_free char *path = strf("%s/cgroup.controllers", group), *text = NULL;
	int r = t->version == 2 ? file_read(path, 4096, &text, NULL, err) : 0;
	char *save = NULL;

	if (r < 0 || !text)
		return r;
	for (char *word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save))
		if (!strcmp(word, "memory"))
			return 0;
	return err_set(err, ENODEV, "the cgroup %s has no memory controller", group);
}

static int own_name(const struct cgroup_tree *t, char **ret, struct err *err)
{
	struct owner me;
	char name[OWNER_NAME_MAX];
	int r = owner_self(&me, err);

	if (r < 0)
		return r;
	owner_format(name, &me);
	*ret = strf("%s%s%s", t->parent, *t->parent ? "/" : "", name);
	return 0;
}

int memcg_root_open(struct memcg_root **ret, struct strv *ret_swept, struct err *err)
{
	struct cgroup_tree tree;
	cleanup_free char *name = NULL;
	int r = cgroup_tree_find(&tree, err);

	if (r >= 0)
		r = library_init(err);
	if (r < 0)
		return r;
	(void)cgroup_tree_sweep(&tree, ret_swept);
	r = check_controller(&tree, err);
	if (r >= 0)
		r = own_name(&tree, &name, err);
	if (r >= 0)
		r = make_group(&tree, name, NULL, 0, err);
	if (r >= 0 && is_delegated(&tree) && (r = hand_memory_down(&tree, name, err)) < 0)
		remove_own_group(&tree, name);
	if (r < 0)
		return say_what_to_do(&tree, r, err);

	struct memcg_root *root = xcalloc(1, sizeof(*root));

	root->tree = tree;
	root->name = TAKE(name);
	*ret = root;
	return 0;
}

int memcg_root_version(const struct memcg_root *r)
{
	return r->tree.version;
}

struct memcg_root *memcg_root_free(struct memcg_root *r)
{
	if (!r)
		return NULL;
	remove_own_group(&r->tree, r->name);
	free(r->name);
	free(r);
	return NULL;
}

static int open_in(const char *folder, const char *file, int flags)
{
	cleanup_free char *path = strf("%s/%s", folder, file);

	return open(path, flags | O_CLOEXEC);
}

static bool is_in(const char *folder, const char *file)
{
	cleanup_free char *path = strf("%s/%s", folder, file);

	return access(path, F_OK) == 0;
}

/* The limit's own files. In v1 memory + swap must be written after the limit, which may not exceed it. */
static size_t limit_values(const struct memcg_root *r, uint64_t limit_bytes, struct value ret[3])
{
	const struct cgroup_names *names = cgroup_names(r->tree.version);
	cleanup_free char *own = strf("%s/%s", r->tree.mount, r->name);
	size_t n = 0;

	if (limit_bytes) {
		ret[n] = (struct value){ .file = names->limit };
		(void)snprintf(ret[n++].text, sizeof(ret[0].text), "%" PRIu64, limit_bytes);
		if (is_in(own, names->swap_limit)) {
			ret[n] = (struct value){ .file = names->swap_limit };
			(void)snprintf(ret[n++].text, sizeof(ret[0].text), "%" PRIu64, r->tree.version == 1 ? limit_bytes : 0);
		}
	}
	/* No memory.oom.group in v2: v1 has none, and with it the kernel counts the process that it chose twice in oom_kill. */
	if (r->tree.version == 1)
		ret[n++] = (struct value){ "memory.swappiness", "0" };
	return n;
}

/* What was written is read back: a limit that the kernel rounded away or ignored is not a limit. */
static int check_limit(const struct memcg *g, uint64_t limit_bytes, struct err *err)
{
	cleanup_free char *path = strf("%s/%s", g->path, cgroup_names(g->version)->limit), *text = NULL;
	uint64_t got;
	int r = limit_bytes ? file_read(path, 4096, &text, NULL, err) : 0;

	if (r < 0 || !limit_bytes)
		return r;
	if (!cgroup_parse_number(text, &got) || got == MISSING || got == 0 || got > limit_bytes || limit_bytes - got >= 65536)
		return err_set(err, 0, "the kernel did not take the limit of %" PRIu64 " bytes: %s holds %s", limit_bytes, path, text);
	return 0;
}

int memcg_create(struct memcg_root *root, const char *name, uint64_t limit_bytes, struct memcg **ret, struct err *err)
{
	const struct cgroup_names *names = cgroup_names(root->tree.version);
	struct value values[3];
	size_t n = limit_values(root, limit_bytes, values);
	cleanup_free char *full = strf("%s/%s", root->name, name);
	int r = make_group(&root->tree, full, values, n, err);

	if (r < 0)
		return r;

	struct memcg *g = xcalloc(1, sizeof(*g));

	g->version = root->tree.version;
	g->path = strf("%s/%s", root->tree.mount, full);
	g->name = TAKE(full);
	g->usage_fd = open_in(g->path, names->usage, O_RDONLY);
	g->stat_fd = open_in(g->path, names->stat, O_RDONLY);
	g->peak_fd = open_in(g->path, names->peak, O_RDONLY);
	g->oom_fd = open_in(g->path, names->oom, O_RDONLY);
	g->enter_fd = g->version == 1 ? open_in(g->path, "cgroup.procs", O_WRONLY) : open(g->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (g->enter_fd < 0)
		r = err_set(err, errno, "cannot open cgroup.procs in %s", g->path);
	else
		r = check_limit(g, limit_bytes, err);
	if (r < 0) {
		memcg_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

unsigned memcg_open_of(pid_t pid, struct memcg **ret, char **ret_path)
{
	struct cgroup_tree tree;
	cleanup_free char *file = strf("/proc/%d/cgroup", (int)pid), *text = NULL, *path = NULL;
	char name[PATH_MAX / 2];
	int n;

	*ret = NULL;
	*ret_path = NULL;
	if (cgroup_tree_find(&tree, NULL) < 0 || file_read(file, 1UL << 20, &text, NULL, NULL) < 0 ||
	    !cgroup_parse_own_path(text, tree.version, name, sizeof(name)))
		return 0;
	*ret_path = xstrdup(name);
	path = strf("%s%s", tree.mount, name);
	/* Of a group outside of our cgroup namespace the kernel says "/../..", and there is nothing below our mount by that name. */
	if (strstr(name, "/..") || !folder_exists(path))
		return 0;
	/* The root has no figures of its own, and v2 makes no files for them there: one that has them is a container's, in its cgroup namespace. */
	if (tree.version == 1 && !strcmp(name, "/"))
		return 0;

	const struct cgroup_names *names = cgroup_names(tree.version);
	struct memcg *g = xcalloc(1, sizeof(*g));

	*g = (struct memcg){ .version = tree.version, .enter_fd = -1, .peak_fd = -1 };
	g->path = TAKE(path);
	g->usage_fd = open_in(g->path, names->usage, O_RDONLY);
	g->stat_fd = open_in(g->path, names->stat, O_RDONLY);
	g->oom_fd = open_in(g->path, names->oom, O_RDONLY);
	n = memcg_population(g);
	g->deleted = true; /* there is nothing to delete: it is not ours */
	if (g->usage_fd < 0 || n == 0)
		g = memcg_free(g);
	*ret = g;
	return g ? (unsigned)n : 0;
}

/* Groups within: their memory counts to the limit of this one, and can be told apart. */
static int hand_limit_down(const struct memcg *g, struct err *err)
{
	bool v1 = g->version == 1;
	cleanup_free char *file = strf("%s/%s", g->path, v1 ? "memory.use_hierarchy" : "cgroup.subtree_control"), *text = NULL;
	int r = file_write_in_place(file, v1 ? "1" : "+memory");

	/* From Linux 5.11 on v1 knows nothing else, and says so. */
	if (v1 && (r == -ENOENT || (file_read(file, 64, &text, NULL, NULL) >= 0 && *text == '1')))
		r = 0;
	return r < 0 ? err_set(err, -r, "cannot make groups within %s", g->path) : 0;
}

int memcg_create_beside(struct memcg_root *root, const char *name, uint64_t limit_bytes, struct memcg **ret, struct err *err)
{
	struct memcg *around = NULL, *g = NULL, *beside = NULL;
	cleanup_free char *first = strf("%s/program", name), *second = strf("%s/neighbour", name);
	int r = memcg_create(root, name, limit_bytes, &around, err);

	if (r >= 0)
		r = hand_limit_down(around, err);
	if (r >= 0)
		r = memcg_create(root, first, 0, &g, err);
	if (r >= 0)
		r = memcg_create(root, second, 0, &beside, err);
	if (r < 0) {
		memcg_free(beside);
		memcg_free(g);
		memcg_free(around);
		return r;
	}
	g->around = around;
	g->beside = beside;
	*ret = g;
	return 0;
}

const struct memcg *memcg_neighbour(const struct memcg *g)
{
	return g->beside;
}

const char *memcg_path(const struct memcg *g)
{
	return g->path;
}

const char *memcg_limit_path(const struct memcg *g)
{
	return g->around ? g->around->path : g->path;
}

int memcg_version(const struct memcg *g)
{
	return g->version;
}

int memcg_enter_fd(const struct memcg *g)
{
	return g->enter_fd;
}

int memcg_usage_fd(const struct memcg *g)
{
	return g->usage_fd;
}

int memcg_stat_fd(const struct memcg *g)
{
	return g->stat_fd;
}

static bool read_fd(int fd, char *buf, size_t n)
{
	ssize_t got = fd < 0 ? -1 : pread(fd, buf, n - 1, 0);

	if (got < 0)
		return false;
	buf[got] = 0;
	return true;
}

void memcg_counters(const struct memcg *g, struct memcg_counters *ret)
{
	char text[4096];

	*ret = (struct memcg_counters){ MISSING, MISSING };
	if (read_fd(g->peak_fd, text, sizeof(text)))
		(void)cgroup_parse_number(text, &ret->peak_bytes);
	if (read_fd(g->oom_fd, text, sizeof(text)))
		(void)cgroup_parse_keyed(text, cgroup_names(g->version)->oom_kill_key, &ret->oom_kills);
}

size_t memcg_pids(const struct memcg *g, pid_t *ret, size_t max)
{
	/* Opened anew: v1 gives a kept descriptor the list of up to a second ago (cgroup_pidlist_start(), kernel/cgroup/cgroup-v1.c). */
	cleanup_free char *path = strf("%s/cgroup.procs", g->path);
	cleanup_close int fd = g->deleted ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	char text[4096];
	pid_t pid = 0;
	size_t n = 0;
	ssize_t got;

	while (fd >= 0 && (got = read(fd, text, sizeof(text))) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
			} else {
				if (pid > 0 && n < max)
					ret[n++] = pid;
				pid = 0;
			}
		}
	}
	return n;
}

int memcg_population(const struct memcg *g)
{
	pid_t some[512]; /* whether there are more is all the same */

	size_t n = memcg_pids(g, some, sizeof(some) / sizeof(*some));

	return (int)(g->beside ? n + memcg_pids(g->beside, some, sizeof(some) / sizeof(*some)) : n);
}

void memcg_kill(const struct memcg *g)
{
	const struct memcg *whole = g->around ? g->around : g;
	cleanup_free char *kill_all = strf("%s/cgroup.kill", whole->path); /* v2, Linux 5.14 and later */

	if (!whole->deleted && file_write_in_place(kill_all, "1") < 0)
		(void)cgroup_tree_kill(whole->path);
}

static int delete_one(struct memcg *g)
{
	if (g->deleted)
		return 0;

	struct cgroup *lib = cgroup_new_cgroup(g->name);
	int r = lib && cgroup_add_controller(lib, "memory") ? cgroup_delete_cgroup_ext(lib, CGFLAG_DELETE_RECURSIVE) : ECGFAIL;

	if (lib)
		cgroup_free(&lib);
	g->deleted |= r == 0 || !folder_exists(g->path);
	return g->deleted ? 0 : -EBUSY;
}

int memcg_delete(struct memcg *g)
{
	if (g->beside && delete_one(g->beside) < 0)
		return -EBUSY;
	if (delete_one(g) < 0)
		return -EBUSY;
	return g->around ? delete_one(g->around) : 0;
}

static bool is_deleted(const struct memcg *g)
{
	return g->deleted && (!g->around || g->around->deleted);
}

static void release(struct memcg *g)
{
	if (!g)
		return;
	const int fds[] = { g->enter_fd, g->usage_fd, g->stat_fd, g->peak_fd, g->oom_fd };
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	free(g->name);
	free(g->path);
	free(g);
}

struct memcg *memcg_free(struct memcg *g)
{
	const struct timespec pause = { 0, 2 * NS_PER_MS };

	if (!g)
		return NULL;
	for (int tries = 0; tries < 1000 && !is_deleted(g); tries++) {
		memcg_kill(g);
		if (memcg_population(g) > 0 || memcg_delete(g) < 0)
			(void)nanosleep(&pause, NULL);
	}
	release(g->beside);
	release(g->around);
	release(g);
	return NULL;
}
