/* SPDX-License-Identifier: Apache-2.0
 *
 * foreign.h - a process that was there before memtide and will be there after it: which one a number means, and what may be told of it.
 *
 * Nothing is done to it: no signal, no wait, no ptrace; its cgroup is read, never written. It is held by a pidfd, so that a number
 * that is used again is never taken for it. Main thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct memcg;

#define FOREIGN_NAME_MAX 64

struct foreign {
	pid_t pid;
	int pidfd;           /* owned; readable once it has exited */
	uint64_t start_time; /* clock ticks since boot */
	char name[FOREIGN_NAME_MAX]; /* its executable's file name; what the process calls itself where that may not be read; safe to show */
	char *exe;           /* owned: as /proc/PID/exe says, in its own mount namespace; NULL: may not be read */
	bool exe_deleted;    /* the file has been replaced or removed since */
	uid_t uid;           /* effective */
	pid_t inner_pid;     /* in its own pid namespace: pid itself where that is ours */
	double age_s;        /* since its start; -1: not known */
	struct memcg *memcg; /* owned, read only; NULL: none that has its own figures */
	char *memcg_path;    /* owned: as /proc/PID/cgroup has it; NULL */
	unsigned memcg_processes; /* in that group, this one included: its usage is theirs too; at most 512 */
};

/* A number of a thread, a zombie, a thread of the kernel, memtide itself, a number of another pid namespace: each has its sentence and,
 * where there is one, the number that was meant. Usage errors, but for what the kernel refuses. */
int foreign_open(pid_t pid, struct foreign *ret, struct err *err);
/* It has exited. */
bool foreign_is_gone(const struct foreign *f);
/* Differs, for all that is likely, between the programs that a process executes one after the other; 0: cannot be told. */
uint64_t foreign_program(const struct foreign *f);
/* Of one that has exited: its status as wait() gives it, where the kernel tells it to others than its parent (Linux 6.15, or as long as
 * the parent has not asked). */
bool foreign_exit_status(const struct foreign *f, int *ret);
/* "server (pid 1234, 7 in its container)". Caller frees. */
char *foreign_text(const struct foreign *f);
/* The same by the program that it executes now, which is another one after an exec. Caller frees. */
char *foreign_text_now(const struct foreign *f);
void foreign_done(struct foreign *f);

/* What /proc/PID/status says, as far as it is needed here. */
struct foreign_status {
	char name[FOREIGN_NAME_MAX];
	char state;           /* R, S, D, T, t, Z, X, I; 0: not said */
	pid_t tgid;
	pid_t inner_pid;      /* the last of NSpid; 0: not said (before Linux 4.1) */
	uid_t uid;
	unsigned threads;
	bool has_memory;      /* VmSize is there: a thread of the kernel and a zombie have none */
};
/* Pure. false: no such text. */
bool foreign_parse_status(const char *text, struct foreign_status *ret);
