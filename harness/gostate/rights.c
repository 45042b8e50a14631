/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/proc.h"

#define CAP_SYS_PTRACE_BIT 19 /* include/uapi/linux/capability.h */
#define STATUS_MAX 4096

int yama_scope(void)
{
	cleanup_free char *text = NULL;

	if (file_read("/proc/sys/kernel/yama/ptrace_scope", 64, &text, NULL, NULL) < 0 || text[0] < '0' || text[0] > '9')
		return -1;
	return atoi(text);
}

bool can_ptrace_all(void)
{
	char text[STATUS_MAX];
	cleanup_close int fd = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
	const char *effective = proc_read(fd, text, sizeof(text)) ? proc_value(text, "\nCapEff:") : NULL;

	return effective && strtoull(effective, NULL, 16) >> CAP_SYS_PTRACE_BIT & 1;
}

static int refuse(const struct read_rights *r, const char *cause, struct err *err)
{
	return err_set(err, EPERM, "process %d may not be read: %s", (int)r->pid, cause);
}

static int refuse_lacking(const struct read_rights *r, struct err *err)
{
	(void)refuse(r, "memtide lacks CAP_SYS_PTRACE here", err);
	return err_hint(err, "in a container, start that with --cap-add SYS_PTRACE");
}

static int refuse_others(const struct read_rights *r, struct err *err)
{
	char cause[64];

	(void)snprintf(cause, sizeof(cause), "it belongs to user %u", r->owner);
	(void)refuse(r, cause, err);
	if (r->scope > 0)
		return err_hint(err, "run memtide as root (kernel.yama.ptrace_scope, which is %d, would forbid it to that user as well)", r->scope);
	return err_hint(err, "run memtide as that user, or as root");
}

static int refuse_yama(const struct read_rights *r, struct err *err)
{
	char cause[64];

	if (r->scope <= 2 && r->own == 0)
		return refuse_lacking(r, err);
	(void)snprintf(cause, sizeof(cause), "kernel.yama.ptrace_scope is %d", r->scope);
	(void)refuse(r, cause, err);
	if (r->scope == 1)
		return err_hint(err, "run memtide as root, or start the program by memtide (memtide record -- CMD), or: sudo sysctl kernel.yama.ptrace_scope=0");
	if (r->scope == 2)
		return err_hint(err, "run memtide as root, or: sudo sysctl kernel.yama.ptrace_scope=0   # 1: programs that memtide starts");
	return err_hint(err, "nobody may read a process then, not even root, until the machine starts anew with another value (/etc/sysctl.d)");
}

int read_rights_refuse(const struct read_rights *r, struct err *err)
{
	if (r->scope > 2 || (r->scope > 0 && r->proc_opens && !r->capable))
		return refuse_yama(r, err);
	if (r->proc_opens) {
		(void)refuse(r, "a security module or a seccomp filter forbids it", err);
		return err_hint(err, "in a container, start that with --cap-add SYS_PTRACE");
	}
	if (r->owner != (uid_t)-1 && r->owner != r->own && r->own != 0)
		return refuse_others(r, err);
	if (r->own == 0)
		return refuse_lacking(r, err);
	(void)refuse(r, "it has made itself unreadable (it changed its user, has capabilities, or its file may not be read)", err);
	return err_hint(err, "run memtide as root");
}

/* ---- a process --------------------------------------------------------------------------------------------------------------------- */

/* A read at address 0 reaches no memory, but is refused as any other. */
int try_to_read(pid_t pid)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { NULL, 1 };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) < 0 && errno != EFAULT ? -errno : 0;
}

/* proc(5): real, effective, saved, of the file system. */
static uid_t owner_of(int proc_fd)
{
	char text[STATUS_MAX], *effective;
	cleanup_close int fd = openat(proc_fd, "status", O_RDONLY | O_CLOEXEC);
	const char *uid = proc_read(fd, text, sizeof(text)) ? proc_value(text, "\nUid:") : NULL;

	if (!uid)
		return (uid_t)-1;
	(void)strtoul(uid, &effective, 10);
	return (uid_t)strtoul(effective, NULL, 10);
}

int refuse_to_read(pid_t pid, int proc_fd, struct err *err)
{
	char exe[PATH_MAX];
	const struct read_rights r = {
		.pid = pid, .owner = owner_of(proc_fd), .own = geteuid(), .capable = can_ptrace_all(), .scope = yama_scope(),
		.proc_opens = readlinkat(proc_fd, "exe", exe, sizeof(exe)) >= 0,
	};

	return read_rights_refuse(&r, err);
}

int own_child_readable(struct err *err)
{
	char path[32];
	pid_t pid = fork();
	int r;

	if (pid == 0)
		for (;;)
			(void)pause();
	if (pid < 0)
		return err_set(err, errno, "cannot start a process to try to read");
	r = try_to_read(pid);
	if (r < 0) {
		(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
		cleanup_close int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		(void)refuse_to_read(pid, fd, err);
		r = err_wrap(err, "of programs that memtide starts what holds their memory cannot be told");
	}
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
