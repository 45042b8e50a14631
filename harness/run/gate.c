/* SPDX-License-Identifier: Apache-2.0 */
#include "run/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/units.h"
#include "run/clock.h"
#include "run/inject.h"
#include "run/owner.h"
#include "run/tracee.h"
#include "run/wake.h"
#include "run/x86_calls.h"

#define EXEC_MAX_NS (20 * NS_PER_MS) /* an exec that has not happened by then has failed, and its process gone on */
#define LET_GO_NS (5 * NS_PER_S)
#define KILLED_MAX_NS (10 * NS_PER_S) /* by then one that was killed has ended */

/* ---- the filter ------------------------------------------------------------------------------------------------------------------- */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* The low half of an argument, on a little-endian machine. */
#define LOAD_ARG(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (n))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define IF_EQUAL(value, skip_else) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip_else))
#define UNLESS_EQUAL(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (skip), 0)
#define ASK RETURN(SECCOMP_RET_USER_NOTIF)
#define ALLOW RETURN(SECCOMP_RET_ALLOW)
#define ASK_IF_CALL(nr) IF_EQUAL((nr), 1), ASK

#ifdef __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#define OLD_CALLS ASK_IF_CALL(SYS_fork), ASK_IF_CALL(SYS_vfork), ASK_IF_CALL(SYS_alarm), ASK_IF_CALL(SYS_time)
#else
#define ARCH AUDIT_ARCH_AARCH64
#define OLD_CALLS ASK_IF_CALL(SYS_execve) /* there are none */
#endif

/* Clocks 2 and 3 and negative ones count CPU time. */
#define ASK_UNLESS_CPU_CLOCK                                                                                                 \
	LOAD_ARG(0), UNLESS_EQUAL(CLOCK_PROCESS_CPUTIME_ID, 3), UNLESS_EQUAL(CLOCK_THREAD_CPUTIME_ID, 2),                     \
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x80000000U, 1, 0), ASK, ALLOW

static const struct sock_filter filter[] = {
	LOAD(arch),
	UNLESS_EQUAL(ARCH, 1),
	ALLOW, /* a 32-bit program: told at its exec */
	LOAD(nr),
	ASK_IF_CALL(SYS_execve),
	ASK_IF_CALL(SYS_execveat),
	ASK_IF_CALL(SYS_clone3),
	ASK_IF_CALL(SYS_gettimeofday),
	ASK_IF_CALL(SYS_timerfd_create),
	ASK_IF_CALL(SYS_io_uring_setup),
	ASK_IF_CALL(SYS_io_setup),
	OLD_CALLS,
	IF_EQUAL(SYS_clone, 4), /* threads come and go unasked */
	LOAD_ARG(0),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
	ASK,
	ALLOW,
	IF_EQUAL(SYS_clock_gettime, 6),
	ASK_UNLESS_CPU_CLOCK,
	IF_EQUAL(SYS_timer_create, 6),
	ASK_UNLESS_CPU_CLOCK,
	IF_EQUAL(SYS_setitimer, 4),
	LOAD_ARG(0),
	IF_EQUAL(ITIMER_REAL, 1),
	ASK,
	ALLOW,
	IF_EQUAL(SYS_setsockopt, 9),
	LOAD_ARG(1),
	IF_EQUAL(SOL_SOCKET, 6),
	LOAD_ARG(2),
	UNLESS_EQUAL(20, 3), /* SO_RCVTIMEO_OLD, SO_SNDTIMEO_OLD, and both as _NEW */
	UNLESS_EQUAL(21, 2),
	UNLESS_EQUAL(66, 1),
	IF_EQUAL(67, 1),
	ASK,
	ALLOW,
	ALLOW,
};

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* From Linux 5.19 on a signal does not interrupt who waits for the answer; before, a fork or exec may fail by EINTR. */
static long set_filter(unsigned long flags, const struct sock_fprog *program)
{
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, program);

	return fd < 0 && errno == EINVAL ? syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program) : fd;
}

int gate_install(void)
{
	const struct sock_fprog program = { sizeof(filter) / sizeof(*filter), (struct sock_filter *)filter };
	/* Without SPEC_ALLOW older kernels make a filtered process pay for speculation barriers. */
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	long fd = set_filter(flags, &program);

	if (fd < 0 && errno == EACCES) {
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL);
		fd = set_filter(flags, &program);
	}
	return (int)fd;
}

/* ---- processes whose exec is under way --------------------------------------------------------------------------------------------- */

enum exec_stage { EXEC_EXPECTED, EXEC_STOPPING, EXEC_LEAVING };

struct execing {
	pid_t pid, tid; /* the process, and the thread of it that executes: from there on the process's only one, with its number */
	enum exec_stage stage;
	int64_t since_ns;
	struct execing *next;
};

struct gate {
	int listener; /* owned */
	pid_t child;  /* the supervisor's own: its exit status is not taken here */
	char *page_path; /* owned */
	unsigned filters; /* that the first program runs under; 0: not known */
	struct execing *execing; /* owned */
	int64_t begun_ns;        /* gate_begun_ns() */
	struct inside *inside;   /* owned: who has executed a program */
	size_t n_inside;
};

/* The time at which it began tells a process from a later one with its number. */
struct inside {
	pid_t pid;
	uint64_t start_time;
};

/* The file that it executes, or what it calls itself. */
static void name_of(pid_t pid, char *buf, size_t n)
{
	char path[64];
	cleanup_free char *comm = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	ssize_t got = readlink(path, buf, n - 1);
	buf[got > 0 ? got : 0] = 0;
	if (got > 0)
		return;
	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	if (file_read(path, 4096, &comm, NULL, NULL) >= 0)
		(void)snprintf(buf, n, "%.*s", (int)strcspn(comm, "\n"), comm);
}

static void lose(const struct gate_events *e, pid_t pid, const char *why)
{
	char who[256], text[CLOCK_WHY_MAX];

	name_of(pid, who, sizeof(who));
	(void)snprintf(text, sizeof(text), "%s (process %d) %s", who, (int)pid, why);
	e->lost(e->arg, text);
}

/* A number of /proc/PID/status, of a key as proc_value() wants it; 0 where it is not there. */
static unsigned status_number(pid_t pid, const char *key)
{
	char path[64];
	cleanup_free char *text = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	const char *at = file_read(path, 65536, &text, NULL, NULL) < 0 ? NULL : proc_value(text, key);
	return at ? (unsigned)strtoul(at, NULL, 10) : 0;
}

/* The rights that its file would give it, and that it does not get under no_new_privs. */
static bool wants_rights(pid_t pid)
{
	char path[64];
	struct stat st, self;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (stat(path, &st) < 0)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return status_number(pid, "\nNoNewPrivs:") && stat(path, &self) == 0 &&
	       (((st.st_mode & S_ISUID) && st.st_uid != self.st_uid) || ((st.st_mode & S_ISGID) && st.st_gid != self.st_gid));
}

static void remember(struct gate *g, pid_t pid)
{
	struct inside i = { .pid = pid };

	for (size_t k = 0; k < g->n_inside; k++)
		if (g->inside[k].pid == pid)
			return;
	if (owner_read_start_time(pid, &i.start_time) < 0)
		return;
	g->inside = xreallocarray(g->inside, g->n_inside + 1, sizeof(*g->inside));
	g->inside[g->n_inside++] = i;
}

size_t gate_processes(struct gate *g, pid_t *ret, size_t max)
{
	size_t n = 0, kept = 0;

	for (size_t k = 0; k < g->n_inside; k++) {
		uint64_t start_time;

		if (owner_read_start_time(g->inside[k].pid, &start_time) < 0 || start_time != g->inside[k].start_time)
			continue;
		g->inside[kept++] = g->inside[k];
		if (n < max)
			ret[n++] = g->inside[k].pid;
	}
	g->n_inside = kept;
	return n;
}

static void bring_inside(struct gate *g, pid_t pid, const struct gate_events *e)
{
	struct err cleanup_err err = ERR_INIT;
	unsigned filters = status_number(pid, "\nSeccomp_filters:");

	remember(g, pid);
	e->forked(e->arg); /* it may not be on the list yet */

	if (!g->filters)
		g->filters = filters;
	if (filters > g->filters)
		lose(e, pid, "is under a seccomp filter of its own, where the clock cannot be brought in");
	else if (wants_rights(pid))
		lose(e, pid, "is a setuid program: on the virtual clock it would not get its rights (run memtide as root, or clock: real)");
	else if (inject_clock(pid, g->page_path, &err) < 0 && !tracee_was_killed(pid, pid == g->child, KILLED_MAX_NS)) {
		char why[400];

		(void)snprintf(why, sizeof(why), "cannot be brought onto the virtual clock: %s", err_text(&err));
		lose(e, pid, why);
	}
}

static void forget(struct gate *g, struct execing *x)
{
	struct execing **at = &g->execing;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	free(x);
}

/* One stop of a process, and what comes next. Returns false when it is traced no more. */
static bool on_stop(struct gate *g, struct execing *x, int status, const struct gate_events *e)
{
	int event = status >> 8, sig = status & 0xff;

	if (event == PTRACE_EVENT_EXEC) {
		/* Still inside execve(): its registers are its own only where it returns to the new program. */
		x->stage = EXEC_STOPPING;
		x->tid = x->pid;
		(void)ptrace(PTRACE_INTERRUPT, x->pid, 0, 0);
		(void)ptrace(PTRACE_CONT, x->pid, 0, 0);
		return true;
	}
	if (event == PTRACE_EVENT_STOP && x->stage == EXEC_EXPECTED) {
		(void)ptrace(PTRACE_LISTEN, x->tid, 0, 0); /* SIGSTOP: its exec is still to come */
		return true;
	}
	if (event == PTRACE_EVENT_STOP && x->stage == EXEC_STOPPING) {
		bring_inside(g, x->pid, e);
		g->begun_ns = clock_monotonic_ns();
	} else if (event == PTRACE_EVENT_STOP && x->stage == EXEC_LEAVING)
		(void)wake_again(x->tid); /* it may be in the midst of a wait by now */
	else if (event != PTRACE_EVENT_STOP && x->stage != EXEC_LEAVING) {
		(void)ptrace(PTRACE_CONT, x->tid, 0, sig);
		return true;
	}
	return !tracee_detach(x->tid, event == PTRACE_EVENT_STOP ? 0 : sig); /* one that was killed is followed to its end */
}

/* Of some threads of a process that execute at the same time, one gets there. */
static bool another_follows(const struct gate *g, const struct execing *x)
{
	for (const struct execing *other = g->execing; other; other = other->next)
		if (other != x && other->tid == x->pid)
			return true;
	return false;
}

/* Returns false when x is to be forgotten: never while it is traced, or it would stop at its exec and stay there. On a busy machine
 * an exec may take long; as long as it does the time is real. */
static bool follow(struct gate *g, struct execing *x, const struct gate_events *e)
{
	int status = 0, r = tracee_take_stop(x->tid, x->tid == g->child, &status);

	if (r == -ECHILD && x->tid != x->pid) {
		/* It has executed the program, and is the first thread now. */
		bool followed = another_follows(g, x);
		x->tid = x->pid;
		return !followed;
	}
	if (r != -EAGAIN)
		return r == 0 && on_stop(g, x, status, e);
	if (x->stage == EXEC_EXPECTED && clock_monotonic_ns() - x->since_ns > EXEC_MAX_NS) {
		x->stage = EXEC_LEAVING;
		(void)ptrace(PTRACE_INTERRUPT, x->tid, 0, 0);
	}
	return true;
}

/* One that asks and is killed before it is answered does not wait for the answer any more. */
static bool still_asks(const struct gate *g, const struct seccomp_notif *n)
{
	__u64 id = n->id;

	return ioctl(g->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static void expect_exec(struct gate *g, const struct seccomp_notif *n, const struct gate_events *e)
{
	pid_t tid = (pid_t)n->pid, pid = (pid_t)status_number(tid, "\nTgid:");
	char why[256];

	for (struct execing *x = g->execing; x; x = x->next)
		if (x->tid == tid) {
			x->since_ns = clock_monotonic_ns();
			return; /* the next folder of its PATH */
		}
	if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0) {
		int error = errno;

		if (!still_asks(g, n))
			return;
		(void)snprintf(why, sizeof(why),
			       "cannot be traced at its exec (%s): is it traced already (strace, a debugger), or ptrace forbidden to it "
			       "(kernel.yama.ptrace_scope)? Run it with clock: real",
			       strerror(error));
		lose(e, tid, why);
		return;
	}
	struct execing *x = xcalloc(1, sizeof(*x));
	*x = (struct execing){ .pid = pid, .tid = tid, .since_ns = clock_monotonic_ns(), .next = g->execing };
	g->execing = x;
}

/* ---- those who ask ------------------------------------------------------------------------------------------------------------------- */

static bool write_to(pid_t pid, uint64_t at, const void *data, size_t bytes)
{
	const struct iovec from = { (void *)data, bytes }, to = { (void *)at, bytes }; /* NOLINT */

	return !at || process_vm_writev(pid, &from, 1, &to, 1, 0) == (ssize_t)bytes;
}

/* Programs that read the clock by a system call. Returns the call's result: 0, seconds, or -errno. */
static int64_t tell_time(const struct seccomp_notif *n, const struct gate_events *e)
{
	const __u64 *a = n->data.args;
	bool fine = a[0] <= CLOCK_TAI && a[0] != 10; /* there is no clock 10 any more */

	if (n->data.nr == SYS_clock_gettime) {
		int64_t ns = fine ? e->read_clock(e->arg, (int)a[0]) : 0;
		const struct timespec t = { ns / NS_PER_S, ns % NS_PER_S };

		return !fine ? -EINVAL : a[1] && write_to((pid_t)n->pid, a[1], &t, sizeof(t)) ? 0 : -EFAULT;
	}
	int64_t ns = e->read_clock(e->arg, CLOCK_REALTIME);
	const struct timeval t = { ns / NS_PER_S, ns % NS_PER_S / 1000 };
	const struct timezone zone = { 0, 0 };

	if (n->data.nr == SYS_gettimeofday)
		return write_to((pid_t)n->pid, a[0], &t, sizeof(t)) && write_to((pid_t)n->pid, a[1], &zone, sizeof(zone)) ? 0 : -EFAULT;
	return write_to((pid_t)n->pid, a[0], &t.tv_sec, sizeof(t.tv_sec)) ? t.tv_sec : -EFAULT;
}

static const char *timer_name(int nr)
{
	switch (nr) {
	case SYS_timerfd_create:
		return "a timerfd";
	case SYS_timer_create:
		return "a POSIX timer (timer_create)";
	case SYS_io_uring_setup:
		return "io_uring";
	case SYS_io_setup:
		return "asynchronous I/O (io_setup)";
	case SYS_setitimer:
	case SYS_alarm:
		return "an interval timer (setitimer, alarm)";
	default:
		return "a socket's timeout (SO_RCVTIMEO, SO_SNDTIMEO)";
	}
}

static void answer(struct gate *g, const struct seccomp_notif *n, const struct gate_events *e)
{
	struct seccomp_notif_resp r = { .id = n->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	char why[128];

	switch (n->data.nr) {
	case SYS_execve:
	case SYS_execveat:
		expect_exec(g, n, e);
		break;
	case SYS_fork:
	case SYS_vfork:
	case SYS_clone:
	case SYS_clone3:
		e->forked(e->arg);
		break;
	case SYS_clock_gettime:
	case SYS_gettimeofday:
	case SYS_time:
		r.flags = 0;
		r.val = tell_time(n, e);
		if (r.val < 0 && n->data.nr != SYS_time) {
			r.error = (int)r.val;
			r.val = 0;
		}
		break;
	case SYS_alarm:
		if (n->data.args[0] == 0)
			break; /* takes one back */
		/* fall through */
	default:
		(void)snprintf(why, sizeof(why), "uses %s, which the virtual clock cannot move", timer_name(n->data.nr));
		lose(e, (pid_t)n->pid, why);
	}
	(void)ioctl(g->listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

void gate_serve(struct gate *g, const struct gate_events *events)
{
	struct pollfd p = { .fd = g->listener, .events = POLLIN };

	while (poll(&p, 1, 0) == 1 && (p.revents & POLLIN)) {
		struct seccomp_notif n = { 0 };

		if (ioctl(g->listener, SECCOMP_IOCTL_NOTIF_RECV, &n) == 0)
			answer(g, &n, events);
		else if (errno != EINTR && errno != ENOENT)
			break;
	}
	for (struct execing *x = g->execing, *next; x; x = next) {
		next = x->next;
		if (!follow(g, x, events))
			forget(g, x);
	}
}

bool gate_is_busy(const struct gate *g)
{
	return g->execing != NULL;
}

int64_t gate_begun_ns(const struct gate *g)
{
	return g->begun_ns;
}

int gate_fd(const struct gate *g)
{
	return g->listener;
}

int gate_open(struct gate **ret, int child_pidfd, int child_listener, pid_t child, const char *page_path, struct err *err)
{
	int fd = (int)syscall(SYS_pidfd_getfd, child_pidfd, child_listener, 0U);

	if (fd < 0)
		return err_set(err, errno, "the virtual clock cannot get at its target (pidfd_getfd, from Linux 5.6 on, with the right to ptrace)");
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	struct gate *g = xcalloc(1, sizeof(*g));
	*g = (struct gate){ .listener = fd, .child = child, .page_path = xstrdup(page_path) };
	*ret = g;
	return 0;
}

/* Only one that stops can be let go; one that does not is killed. */
static void let_go(const struct gate *g, struct execing *x)
{
	int status = 0, r;

	(void)ptrace(PTRACE_INTERRUPT, x->tid, 0, 0);
	r = tracee_wait_for_stop(x->tid, x->tid == g->child, LET_GO_NS, &status);
	if (r == -ECHILD && x->tid != x->pid) {
		x->tid = x->pid;
		r = tracee_wait_for_stop(x->tid, x->tid == g->child, LET_GO_NS, &status);
	}
	if (r == 0)
		(void)ptrace(PTRACE_DETACH, x->tid, 0, status >> 8 ? 0 : status & 0xff);
	else if (r == -ETIMEDOUT)
		(void)kill(x->pid, SIGKILL);
}

void gate_give_up(struct gate *g)
{
	while (g->execing) {
		let_go(g, g->execing);
		forget(g, g->execing);
	}
}

struct gate *gate_free(struct gate *g)
{
	if (!g)
		return NULL;
	while (g->execing)
		forget(g, g->execing); /* whoever is traced still is killed with the run */
	(void)close(g->listener);
	free(g->inside);
	free(g->page_path);
	free(g);
	return NULL;
}
