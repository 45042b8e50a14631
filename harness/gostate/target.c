/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/proc.h"
#include "gostate/offsets.h"
#include "gostate/readings.h"
#include "gostate/rights.h"
#include "gostate/target_parts.h"

#define KEPT_MAX 1024 /* of 5 kB or so: all binaries of a corpus */
#define STAT_TEXT_MAX 2048
#define PF_KTHREAD 0x00200000 /* include/linux/sched.h; flags are field 9 of /proc/PID/stat */
#define OLDEST_MINOR 11       /* the oldest release whose layouts are tested */

/* ---- layouts that are kept --------------------------------------------------------------------------------------------------------- */

/* A file that has changed has another ctime, whatever its mtime was set to. */
struct kept_layout {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
	struct go_layout *layout; /* owned; NULL: free */
	unsigned users;
	uint64_t used; /* counts up */
};

static struct kept_layout kept[KEPT_MAX];
static uint64_t kept_clock;

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_of(const struct kept_layout *k, const struct stat *s)
{
	return k->layout && k->dev == s->st_dev && k->ino == s->st_ino && k->size == s->st_size && same_time(k->mtime, s->st_mtim) &&
	       same_time(k->ctime, s->st_ctim);
}

/* A free one, or the one that was not used for the longest time; NULL: all are in use. */
static struct kept_layout *room(void)
{
	struct kept_layout *oldest = NULL;

	for (size_t i = 0; i < KEPT_MAX; i++) {
		if (!kept[i].layout)
			return &kept[i];
		if (!kept[i].users && (!oldest || kept[i].used < oldest->used))
			oldest = &kept[i];
	}
	return oldest;
}

static int keep(const struct stat *s, int fd, const char *name, struct kept_layout **ret, struct err *err)
{
	struct kept_layout *k;
	struct go_layout *l;
	int r;

	for (size_t i = 0; i < KEPT_MAX; i++)
		if (is_of(&kept[i], s)) {
			*ret = &kept[i];
			return 0;
		}
	k = room();
	if (!k)
		return err_set(err, EBUSY, "%d Go programs at a time are the most that are read", KEPT_MAX);
	r = layout_read(fd, name, &l, err);
	if (r < 0)
		return r;
	free(k->layout);
	*k = (struct kept_layout){ .dev = s->st_dev, .ino = s->st_ino, .size = s->st_size, .mtime = s->st_mtim, .ctime = s->st_ctim, .layout = l };
	*ret = k;
	return 0;
}

/* ---- the process ------------------------------------------------------------------------------------------------------------------- */

struct process_stat {
	char state;
	bool kernel_thread;
	uint64_t start_time, start_stack;
};

/* A file of an open /proc/PID; false: there is nothing, or no process any more. */
static bool read_of(int proc_fd, const char *name, char *buf, size_t n)
{
	cleanup_close int fd = openat(proc_fd, name, O_RDONLY | O_CLOEXEC);

	return proc_read(fd, buf, n) > 0;
}

static int read_stat(int proc_fd, struct process_stat *ret)
{
	char text[STAT_TEXT_MAX];

	if (!read_of(proc_fd, "stat", text, sizeof(text)) || !proc_stat_field(text, 28))
		return -ESRCH;
	*ret = (struct process_stat){
		.state = *proc_stat_field(text, 3),
		.kernel_thread = strtoul(proc_stat_field(text, 9), NULL, 10) & PF_KTHREAD,
		.start_time = strtoull(proc_stat_field(text, 22), NULL, 10),
		.start_stack = strtoull(proc_stat_field(text, 28), NULL, 10),
	};
	return 0;
}

uint64_t process_entry(int proc_fd)
{
	cleanup_close int fd = openat(proc_fd, "auxv", O_RDONLY | O_CLOEXEC);

	return proc_auxv(fd, AT_ENTRY);
}

static int refuse_gone(pid_t pid, struct err *err)
{
	return err_set(err, 0, "process %d has exited", (int)pid);
}

static int open_process(struct go_target *t, enum go_refusal *why, struct err *err)
{
	struct process_stat s;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%d", (int)t->pid);
	*why = GO_REFUSED_GONE;
	t->proc_fd = t->pid > 0 ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (t->proc_fd < 0)
		return err_set(err, 0, "there is no process %d", (int)t->pid);
	t->pidfd = pidfd_open(t->pid, 0);
	if (t->pidfd < 0 && errno != ENOSYS && errno != EINVAL && errno != EPERM)
		return refuse_gone(t->pid, err);
	r = read_stat(t->proc_fd, &s);
	if (r < 0)
		return refuse_gone(t->pid, err);
	if (s.state == 'Z' || s.state == 'X')
		return err_set(err, 0, "process %d has exited: only its entry is left, until its parent asks for it", (int)t->pid);
	*why = GO_REFUSED_NOT_GO;
	if (s.kernel_thread)
		return err_set(err, 0, "process %d is a thread of the kernel, no program", (int)t->pid);
	r = try_to_read(t->pid);
	if (r == -ESRCH) {
		*why = GO_REFUSED_GONE;
		return refuse_gone(t->pid, err);
	}
	if (r < 0) {
		*why = GO_REFUSED_RIGHTS;
		return refuse_to_read(t->pid, t->proc_fd, err);
	}
	t->start_time = s.start_time;
	t->start_stack = s.start_stack;
	return 0;
}

/* ---- its binary -------------------------------------------------------------------------------------------------------------------- */

static int refuse_layout(const struct go_layout *l, const char *name, struct err *err)
{
	const char *version = l->version[0] ? l->version : "an unknown release";

	if (l->minor && l->minor < OLDEST_MINOR)
		return err_set(err, 0, "%s was built by %s: memtide reads the runtime of Go 1.%d and newer", name, version, OLDEST_MINOR);
	if (l->source == LAYOUT_NONE) {
		err_set(err, 0, "%s (%s) has neither debug information nor symbols: where its runtime keeps its counters cannot be told", name,
			version);
		return err_hint(err, "what the kernel counts is still measured; link without -ldflags=-s to see more");
	}
	return err_set(err, 0, "%s (%s) has debug information that lacks the runtime's counters", name, version);
}

/* A binary linked with -w: its release's offsets are taken from another one. Tried at each opening until they are there. */
static int complete(struct go_layout *l, const char *name, bool build, struct err *err)
{
	struct go_layout *from;
	int r;

	if (l->source != LAYOUT_PARTIAL || (l->minor && l->minor < OLDEST_MINOR))
		return 0;
	r = offsets_of(l->version, build, &from, err);
	if (r < 0)
		return err_wrap(err, "%s", name);
	r = layout_complete(l, from, err);
	free(from);
	return r;
}

/* The layout of what holds the runtime: the program at fd; else, where it is not Go, a library that it has loaded, whose path *name is then. */
static int find_runtime(struct go_target *t, int fd, const struct stat *s, const char **name, struct err *err)
{
	struct stat library;
	int r = keep(s, fd, **name ? *name : "its binary", &t->kept, err);

	if (r >= 0)
		return 0;
	if (library_find(t->pid, &t->library, err) < 0)
		return err_wrap(err, "%s is no Go binary", *name);
	if (t->library.fd < 0)
		return r;
	if (fstat(t->library.fd, &library) < 0)
		return err_set(err, errno, "%s", t->library.path);
	*name = t->library.path;
	return keep(&library, t->library.fd, t->library.path, &t->kept, err);
}

/* What the addresses of its layout were moved by. false: it is gone. */
static bool find_bias(struct go_target *t)
{
	uint64_t entry = t->layout->pie && t->library.fd < 0 ? process_entry(t->proc_fd) : t->layout->entry;

	t->bias = t->library.fd < 0 ? entry - t->layout->entry : t->library.bias;
	return entry != 0 || t->library.fd >= 0 || !t->layout->pie;
}

static int open_binary(struct go_target *t, bool build, enum go_refusal *why, struct err *err)
{
	cleanup_close int fd = openat(t->proc_fd, "exe", O_RDONLY | O_CLOEXEC);
	const char *name;
	char path[PATH_MAX];
	ssize_t n = readlinkat(t->proc_fd, "exe", path, sizeof(path) - 1);
	struct stat s;
	int r;

	path[n > 0 ? n : 0] = '\0';
	if (fd < 0 || fstat(fd, &s) < 0) {
		bool rights = errno == EACCES || errno == EPERM;

		*why = rights ? GO_REFUSED_RIGHTS : GO_REFUSED_GONE;
		return rights ? refuse_to_read(t->pid, t->proc_fd, err) : refuse_gone(t->pid, err);
	}
	*why = GO_REFUSED_NOT_GO;
	name = path;
	r = find_runtime(t, fd, &s, &name, err);
	if (r < 0)
		return err_wrap(err, "process %d", (int)t->pid);
	t->kept->users++;
	t->kept->used = ++kept_clock;
	t->layout = t->kept->layout;
	t->exe_dev = s.st_dev;
	t->exe_ino = s.st_ino;
	*why = GO_REFUSED_LAYOUT;
	r = complete(t->kept->layout, name, build, err);
	if (r < 0)
		return r;
	if (!find_bias(t)) {
		*why = GO_REFUSED_GONE;
		return refuse_gone(t->pid, err);
	}
	counter_plan_make(&t->counters, t->layout, t->bias);
	if (t->counters.sums == SUMS_NONE) {
		return refuse_layout(t->layout, name, err);
	}
	return 0;
}

int go_binary_prepare(const char *path, struct err *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct kept_layout *k;
	struct stat s;
	int r;

	if (fd < 0 || fstat(fd, &s) < 0)
		return err_set(err, errno, "cannot read %s", path);
	r = keep(&s, fd, path, &k, err);
	if (r < 0)
		return r;
	k->used = ++kept_clock;
	return complete(k->layout, path, true, err);
}

static int open_target(pid_t pid, bool build, struct go_target **ret, enum go_refusal *ret_why, struct err *err)
{
	struct go_target *t = xcalloc(1, sizeof(*t));
	enum go_refusal why = GO_REFUSED_NOTHING;
	int r;

	t->pid = pid;
	t->ps = xcalloc(1, sizeof(*t->ps));
	t->pidfd = t->proc_fd = t->library.fd = -1;
	r = open_process(t, &why, err);
	if (r >= 0)
		r = open_binary(t, build, &why, err);
	/* An exec meanwhile: the binary is of one program, the stack of another. */
	if (r >= 0 && !go_target_is_same(t)) {
		why = GO_REFUSED_GONE;
		r = err_set(err, 0, "process %d exited, or began another program, while it was looked at", (int)pid);
	}
	if (ret_why)
		*ret_why = r < 0 ? why : GO_REFUSED_NOTHING;
	if (r < 0) {
		go_target_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

int go_target_open(pid_t pid, struct go_target **ret, enum go_refusal *ret_why, struct err *err)
{
	return open_target(pid, true, ret, ret_why, err);
}

int go_target_open_quickly(pid_t pid, struct go_target **ret, enum go_refusal *ret_why, struct err *err)
{
	return open_target(pid, false, ret, ret_why, err);
}

struct go_target *go_target_free(struct go_target *t)
{
	if (!t)
		return NULL;
	if (t->kept)
		t->kept->users--;
	if (t->pidfd >= 0)
		(void)close(t->pidfd);
	if (t->proc_fd >= 0)
		(void)close(t->proc_fd);
	library_done(&t->library);
	free(t->ps);
	free(t);
	return NULL;
}

pid_t go_target_pid(const struct go_target *t)
{
	return t->pid;
}

const struct go_layout *go_target_layout(const struct go_target *t)
{
	return t->layout;
}

const char *go_target_library(const struct go_target *t)
{
	return t->library.path;
}

bool go_target_is_same(const struct go_target *t)
{
	struct pollfd ended = { .fd = t->pidfd, .events = POLLIN };
	struct process_stat s;
	struct stat exe;

	if (t->pidfd >= 0 && poll(&ended, 1, 0) != 0)
		return false;
	return read_stat(t->proc_fd, &s) == 0 && s.state != 'Z' && s.state != 'X' && s.start_time == t->start_time &&
	       s.start_stack == t->start_stack && fstatat(t->proc_fd, "exe", &exe, 0) == 0 && exe.st_dev == t->exe_dev &&
	       exe.st_ino == t->exe_ino;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------------------------- */

bool go_target_read(const struct go_target *t, uint64_t address, void *ret, size_t n)
{
	struct iovec here = { ret, n }, there = { (void *)(uintptr_t)address, n };

	return n == 0 || process_vm_readv(t->pid, &here, 1, &there, 1, 0) == (ssize_t)n;
}

uint64_t go_target_address(const struct go_target *t, enum go_place_id id)
{
	const struct go_place *p = &t->layout->place[id];

	return p->size ? p->address + t->bias : 0;
}

bool go_target_read_place(const struct go_target *t, enum go_place_id id, void *ret, size_t n)
{
	uint32_t size = t->layout->place[id].size;

	memset(ret, 0, n);
	return size && go_target_read(t, go_target_address(t, id), ret, size < n ? size : n);
}

size_t go_target_read_each(const struct go_target *t, const uint64_t *addresses, size_t n, size_t size, void *ret)
{
	struct iovec there[IOV_MAX];
	size_t done = 0;

	while (size && done < n) {
		size_t count = n - done < IOV_MAX ? n - done : IOV_MAX;
		struct iovec here = { (char *)ret + done * size, count * size };
		ssize_t got;

		for (size_t i = 0; i < count; i++)
			there[i] = (struct iovec){ (void *)(uintptr_t)addresses[done + i], size };
		got = process_vm_readv(t->pid, &here, 1, there, count, 0);
		if (got > 0)
			done += (size_t)got / size;
		if (got < 0 || (size_t)got < count * size)
			break;
	}
	return done;
}

uint64_t go_member_value(const struct go_layout *l, enum go_member_id id, const void *record)
{
	const struct go_member *m = &l->member[id];
	uint64_t value = 0;

	if (m->size != 1 && m->size != 2 && m->size != 4 && m->size != 8)
		return GO_UNKNOWN;
	memcpy(&value, (const char *)record + m->offset, m->size);
	return value;
}
