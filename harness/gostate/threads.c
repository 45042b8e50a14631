/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "gostate/goroutines.h"

#define MACHINES_MAX 65536 /* runtime.allm; a program ends itself at 10 000, unless debug.SetMaxThreads says otherwise */
#define THREADS_MAX 65536
#define RECORD_MAX_BYTES 8192
#define GROUPS_MAX 256

/* What the runtime knows of a thread of its own (runtime.m). */
struct machine {
	uint64_t tid; /* in the target's own pid namespace */
	bool in_c, has_goroutine, spinning;
};

struct machines {
	struct machine *v; /* owned; by tid */
	size_t n;
	bool known; /* the list could be read */
};

/* What the kernel says of it (proc_pid_syscall(5)). */
enum { CALL_RUNNING = -1, CALL_NONE = -2, CALL_UNKNOWN = -3 };

static const char *call_name(long nr, char *buf, size_t n)
{
	static const struct {
		long nr;
		const char *name;
	} names[] = {
#if defined(__x86_64__) || defined(__aarch64__)
#define CALL(name) { SYS_##name, #name }
		CALL(futex), CALL(nanosleep), CALL(clock_nanosleep), CALL(epoll_pwait), CALL(read), CALL(write), CALL(pread64), CALL(pwrite64),
		CALL(readv), CALL(writev), CALL(openat), CALL(close), CALL(fsync), CALL(fdatasync), CALL(getdents64), CALL(newfstatat),
		CALL(ioctl), CALL(fcntl), CALL(flock), CALL(wait4), CALL(waitid), CALL(accept), CALL(accept4), CALL(connect), CALL(recvfrom),
		CALL(recvmsg), CALL(sendto), CALL(sendmsg), CALL(ppoll), CALL(pselect6), CALL(rt_sigtimedwait), CALL(rt_sigsuspend),
		CALL(mmap), CALL(munmap), CALL(madvise), CALL(mprotect), CALL(sched_yield), CALL(tgkill), CALL(clone), CALL(execve),
		CALL(unlinkat), CALL(renameat2), CALL(ftruncate), CALL(fallocate), CALL(sendfile), CALL(splice), CALL(copy_file_range),
		CALL(getrandom), CALL(exit), CALL(exit_group),
#endif
#ifdef __x86_64__
		CALL(epoll_wait), CALL(poll), CALL(select), CALL(pause), CALL(open), CALL(stat), CALL(lstat), CALL(unlink), CALL(rename),
#endif
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].nr == nr)
			return names[i].name;
	snprintf(buf, n, "system call %ld", nr);
	return buf;
}

/* ---- what the runtime knows ------------------------------------------------------------------------------------------------------- */

static int by_tid(const void *a, const void *b)
{
	const struct machine *x = a, *y = b;

	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static size_t machine_bytes(const struct go_layout *l)
{
	static const enum go_member_id used[] = { GO_M_PROCID, GO_M_ALLLINK, GO_M_CURG, GO_M_NCGO, GO_M_INCGO, GO_M_SPINNING };
	size_t size = 0;

	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++) {
		const struct go_member *m = &l->member[used[i]];

		if (m->size && m->offset + m->size > size)
			size = m->offset + m->size;
	}
	return l->member[GO_M_PROCID].size && l->member[GO_M_ALLLINK].size && size <= RECORD_MAX_BYTES ? size : 0;
}

static bool is_set(const struct go_layout *l, enum go_member_id id, const void *record)
{
	uint64_t v = go_member_value(l, id, record);

	return v != GO_UNKNOWN && v != 0;
}

static void read_machines(const struct go_target *t, struct machines *ret)
{
	const struct go_layout *l = go_target_layout(t);
	unsigned char record[RECORD_MAX_BYTES];
	size_t bytes = machine_bytes(l);
	uint64_t at = 0;

	*ret = (struct machines){ 0 };
	if (!bytes || !go_target_read_place(t, GO_ALLM, &at, sizeof(at)) || !at)
		return;
	ret->known = true;
	for (size_t size = 0, steps = 0; at && steps < MACHINES_MAX && go_target_read(t, at, record, bytes); steps++) {
		struct machine m = { go_member_value(l, GO_M_PROCID, record), false, is_set(l, GO_M_CURG, record),
			is_set(l, GO_M_SPINNING, record) };

		/* incgo is false again while C has called back into Go. */
		m.in_c = l->member[GO_M_INCGO].size ? is_set(l, GO_M_INCGO, record) : is_set(l, GO_M_NCGO, record);
		at = go_member_value(l, GO_M_ALLLINK, record);
		if (!m.tid)
			continue; /* kept for a thread of C's that may call Go, or not started yet */
		if (ret->n == size) {
			size = size ? size * 2 : 64;
			ret->v = xreallocarray(ret->v, size, sizeof(ret->v[0]));
		}
		ret->v[ret->n++] = m;
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(ret->v[0]), by_tid);
}

static const struct machine *machine_of(const struct machines *ms, uint64_t tid)
{
	struct machine key = { .tid = tid };

	return ms->n ? bsearch(&key, ms->v, ms->n, sizeof(key), by_tid) : NULL;
}

/* ---- what the kernel knows -------------------------------------------------------------------------------------------------------- */

/* tasks: /proc/PID/task, open. A look at 10 000 threads is 10 000 of these. */
static long current_call(int tasks, pid_t tid)
{
	char path[32], text[32] = "";

	(void)snprintf(path, sizeof(path), "%d/syscall", (int)tid);

	int fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (fd >= 0)
		(void)close(fd);
	if (n <= 0)
		return CALL_UNKNOWN;
	if (!strncmp(text, "running", 7))
		return CALL_RUNNING;
	if (!strncmp(text, "-1", 2))
		return CALL_NONE;
	return text[0] >= '0' && text[0] <= '9' ? strtol(text, NULL, 10) : CALL_UNKNOWN;
}

/* The thread's number in the innermost pid namespace that it has one in, the last of NSpid, and in how many it has one. Before Linux 4.1, and of
 * one that has ended, its number here, and one. */
static uint64_t own_tid(int tasks, pid_t tid, unsigned *ret_levels)
{
	char path[32], line[256];
	uint64_t own = (uint64_t)tid;

	(void)snprintf(path, sizeof(path), "%d/status", (int)tid);

	int fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

	*ret_levels = 1;
	if (!f && fd >= 0)
		(void)close(fd);
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		*ret_levels = 0;
		for (char *at = strtok(line + 6, " \t\n"); at; at = strtok(NULL, " \t\n")) {
			own = strtoull(at, NULL, 10);
			++*ret_levels;
		}
		break;
	}
	if (f)
		(void)fclose(f);
	return own;
}

/* ---- both -------------------------------------------------------------------------------------------------------------------------- */

static const char *doing(const struct machines *ms, const struct machine *m, long call)
{
	if (!ms->known)
		return "unknown";
	if (!m)
		return "of C";
	if (m->in_c)
		return "in C";
	if (call == CALL_UNKNOWN)
		return "unknown";
	if (call == CALL_RUNNING || call == CALL_NONE)
		return "running Go";
	/* A thread that looks for work sleeps in futex, or in epoll for all; the one that watches the others in nanosleep. */
	return m->has_goroutine ? "in a system call" : "idle";
}

static void detail(const struct machine *m, long call, char *ret, size_t n)
{
	char buf[32];

	if (call >= 0)
		snprintf(ret, n, "%s", call_name(call, buf, sizeof(buf)));
	else if (call == CALL_NONE)
		snprintf(ret, n, "page fault");
	else if (call == CALL_RUNNING && m && !m->in_c && !m->has_goroutine)
		snprintf(ret, n, m->spinning ? "looks for work" : "the runtime's own work");
	else
		snprintf(ret, n, "%s", call == CALL_RUNNING ? "running" : "");
}

static void count(struct thread_look *look, const char *what, const char *with)
{
	struct thread_group *g;

	look->total++;
	for (size_t i = 0; i < look->n_groups; i++) {
		g = &look->groups[i];
		if (g->doing == what && !strcmp(g->detail, with)) {
			g->count++;
			return;
		}
	}
	if (look->n_groups == GROUPS_MAX)
		return;
	g = &look->groups[look->n_groups++];
	g->doing = what;
	snprintf(g->detail, sizeof(g->detail), "%s", with);
	g->count = 1;
}

static int by_count(const void *a, const void *b)
{
	const struct thread_group *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->detail, y->detail);
}

int threads_read(const struct go_target *t, struct thread_look *ret, struct err *err)
{
	pid_t pid = go_target_pid(t);
	struct thread_look look = { 0 };
	struct machines ms;
	struct dirent *e;
	unsigned levels, one;
	char path[64];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (!tasks)
		return err_set(err, errno == ENOENT ? ESRCH : errno, "read the threads of process %d", (int)pid);
	look.groups = xcalloc(GROUPS_MAX, sizeof(look.groups[0]));
	read_machines(t, &ms);
	/* All threads are in one pid namespace. Where that is ours they are numbered as here, and their status, which costs as much as all else,
	 * need not be read. */
	(void)own_tid(dirfd(tasks), pid, &levels);
	while (look.total < THREADS_MAX && (e = readdir(tasks))) {
		const struct machine *m;
		long tid = strtol(e->d_name, NULL, 10), call;
		char with[64];

		if (tid <= 0 || tid > INT32_MAX)
			continue;
		call = current_call(dirfd(tasks), (pid_t)tid);
		m = machine_of(&ms, levels > 1 ? own_tid(dirfd(tasks), (pid_t)tid, &one) : (uint64_t)tid);
		detail(m, call, with, sizeof(with));
		count(&look, doing(&ms, m, call), with);
	}
	(void)closedir(tasks);
	free(ms.v);
	if (look.n_groups)
		qsort(look.groups, look.n_groups, sizeof(look.groups[0]), by_count);
	if (!look.total || !go_target_is_same(t)) {
		thread_look_done(&look);
		return err_set(err, ESRCH, "read the threads of process %d", (int)pid);
	}
	*ret = look;
	return 0;
}

void thread_look_done(struct thread_look *look)
{
	free(look->groups);
	*look = (struct thread_look){ 0 };
}
