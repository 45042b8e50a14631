/* SPDX-License-Identifier: Apache-2.0
 *
 * rights.h - why the kernel does not let memtide read a process' memory, and what would mend that.
 *
 * Reading memory takes PTRACE_MODE_ATTACH (ptrace(2)): the same user and no more capabilities than ours, a process that has not made
 * itself unreadable, or CAP_SYS_PTRACE; then the security modules. Yama's ptrace_scope (Documentation/admin-guide/LSM/Yama.rst) lets 0
 * all of that through, 1 only descendants, 2 nobody, all three but for CAP_SYS_PTRACE; 3 nobody at all, and it cannot be changed until
 * the next boot. Yama has no say in what takes PTRACE_MODE_READ (/proc/PID/exe, maps, pagemap): who may read those and not the memory
 * is refused by a security module, or by a seccomp filter.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct err;

struct read_rights {
	pid_t pid;
	uid_t owner;     /* of the process, effective; -1: not told */
	uid_t own;       /* memtide's, effective */
	bool capable;    /* memtide has CAP_SYS_PTRACE */
	bool proc_opens; /* its /proc/PID/exe can be read */
	int scope;       /* kernel.yama.ptrace_scope; -1: this kernel has no Yama */
};

/* kernel.yama.ptrace_scope of this machine; -1: it has no Yama, or does not tell. */
int yama_scope(void);
/* memtide has CAP_SYS_PTRACE, in its own user namespace. */
bool can_ptrace_all(void);
/* 0, or what the kernel answers, negative: -ESRCH, -EPERM. Touches no memory. */
int try_to_read(pid_t pid);
/* Why it answered so; proc_fd: an open /proc/PID. Sentences as below. Returns -EPERM. */
int refuse_to_read(pid_t pid, int proc_fd, struct err *err);
/* Whether a child can be read, as the programs are that memtide starts: tries it with one. Main thread. */
int own_child_readable(struct err *err);
/* One sentence that says what forbids it, and advice on the next line. Pure. Returns -EPERM. */
int read_rights_refuse(const struct read_rights *r, struct err *err);
