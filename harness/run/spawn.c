/* SPDX-License-Identifier: Apache-2.0 */
#include "run/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "run/cgroup.h"
#include "run/clock.h"
#include "run/kernel_settings.h"

enum step { STEP_SESSION, STEP_CGROUP, STEP_FDS, STEP_CWD, STEP_KERNEL, STEP_CLOCK, STEP_ABOUT_TO, STEP_EXEC };

/* What the child says before its exec: the time, once; or the step that failed. */
struct report {
	enum step step;
	int errnum;
	int64_t monotonic_ns;
	int listener; /* clock_child_enter()'s, to be taken; -1: none */
	const char *what; /* kernel_settings_apply()'s, the same text in both processes; NULL */
};

static _Noreturn void fail(int report_fd, enum step step)
{
	struct report f = { step, errno, 0, -1, NULL };

	(void)!write(report_fd, &f, sizeof(f));
	_exit(127);
}

/* Only async-signal-safe calls from here to exec: the sampling thread may hold any lock of the C library. */
static _Noreturn void child(const struct spawn *s, pid_t parent, int enter_fd, int report_fd)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || setsid() < 0)
		fail(report_fd, STEP_SESSION);
	if (enter_fd >= 0 && write(enter_fd, "0", 1) != 1)
		fail(report_fd, STEP_CGROUP);

	int adj = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (adj >= 0)
		(void)!write(adj, "500", 3);

	/* The sources may lie at the numbers they go to: lift them out of the way first. */
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int in = null < 0 ? -1 : fcntl(s->own_stdin ? 0 : null, F_DUPFD_CLOEXEC, 16);
	int report = fcntl(report_fd, F_DUPFD_CLOEXEC, 16);
	int mark = fcntl(s->mark_fd < 0 ? null : s->mark_fd, F_DUPFD_CLOEXEC, 16);
	int out = fcntl(s->stdout_fd, F_DUPFD_CLOEXEC, 16);
	int errfd = fcntl(s->stderr_fd, F_DUPFD_CLOEXEC, 16);
	if (in < 0 || report < 0 || mark < 0 || out < 0 || errfd < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(errfd, 2) < 0 ||
	    dup2(mark, SPAWN_MARK_FD) < 0)
		fail(report_fd, STEP_FDS);
	if (s->mark_fd < 0)
		(void)close(SPAWN_MARK_FD);
	if (s->cwd && chdir(s->cwd) < 0)
		fail(report, STEP_CWD);
	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &dfl, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* What a shell or make left open for us is not the target's. (Linux 5.11; what we opened ourselves closes anyway.) */
	(void)syscall(SYS_close_range, SPAWN_MARK_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	if (s->nofile)
		(void)setrlimit(RLIMIT_NOFILE, s->nofile);
	const char *refused = s->kernel ? kernel_settings_apply(s->kernel) : NULL;
	if (refused) {
		const struct report f = { STEP_KERNEL, errno, 0, -1, refused };

		(void)!write(report, &f, sizeof(f));
		_exit(127);
	}
	int listener = s->clock ? clock_child_enter() : -1;
	if (s->clock && listener < 0)
		fail(report, STEP_CLOCK);
	const struct report now = { STEP_ABOUT_TO, 0, clock_monotonic_ns(), listener, NULL };
	(void)!write(report, &now, sizeof(now));
	execve(s->argv[0], (char *const *)s->argv, (char *const *)s->envp);
	fail(report, STEP_EXEC);
}

/* 0 in the child, the pid in the parent, -1 on failure. *ret_inside: the child is in its cgroup already. */
static pid_t start(const struct spawn *s, int *ret_pidfd, bool *ret_inside)
{
	*ret_inside = false;
	if (s->memcg && memcg_version(s->memcg) == 2) {
		struct clone_args args = {
			.flags = CLONE_INTO_CGROUP | CLONE_PIDFD,
			.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
			.exit_signal = SIGCHLD,
			.cgroup = (uint64_t)memcg_enter_fd(s->memcg),
		};
		pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

		/* A seccomp filter of a container may refuse clone3. */
		if (pid >= 0 || (errno != ENOSYS && errno != E2BIG && errno != EPERM)) {
			*ret_inside = true;
			return pid;
		}
	}
	return fork();
}

static int explain(const struct spawn *s, const struct report *f, struct err *err)
{
	switch (f->step) {
	case STEP_SESSION:
		return err_set(err, f->errnum, "cannot start a session for %s", s->argv[0]);
	case STEP_CGROUP:
		return err_set(err, f->errnum, "cannot put %s into its cgroup", s->argv[0]);
	case STEP_FDS:
		return err_set(err, f->errnum, "cannot set up the descriptors of %s", s->argv[0]);
	case STEP_CWD:
		return err_set(err, f->errnum, "cannot enter %s", s->cwd);
	case STEP_KERNEL:
		return err_set(err, f->errnum, "this kernel cannot %s for %s", f->what, s->argv[0]);
	case STEP_CLOCK:
		return err_set(err, f->errnum, "cannot put %s under the filter of the virtual clock (seccomp)", s->argv[0]);
	case STEP_ABOUT_TO:
	case STEP_EXEC:
		return err_set(err, f->errnum, "cannot run %s", s->argv[0]);
	}
	return err_set(err, f->errnum, "cannot start %s", s->argv[0]);
}

/* What it says next: 1; nothing more, for it has executed the program or died: 0. */
static int next_report(int fd, struct report *ret)
{
	ssize_t n;

	while ((n = read(fd, ret, sizeof(*ret))) < 0 && errno == EINTR)
		;
	return n == sizeof(*ret);
}

/* The time, and then either the pipe closes at exec or a failure follows. */
static int see_through(const struct spawn *s, struct child *c, int report_fd, struct err *err)
{
	struct report f;

	if (!next_report(report_fd, &f))
		f = (struct report){ STEP_EXEC, ECHILD, 0, -1, NULL }; /* it died before it could say anything */
	if (f.step != STEP_ABOUT_TO)
		return explain(s, &f, err);
	c->exec_ns = f.monotonic_ns;
	if (s->clock) {
		int r = clock_admit(s->clock, c->pid, c->pidfd, f.listener, report_fd, &c->exec_ns, err);

		if (r < 0)
			return r;
	}
	return next_report(report_fd, &f) ? explain(s, &f, err) : 0;
}

int spawn(const struct spawn *s, struct child *ret, struct err *err)
{
	int report[2], pidfd = -1, procs_fd = -1;
	bool inside;
	pid_t parent = getpid();

	if (pipe2(report, O_CLOEXEC) < 0)
		return err_set(err, errno, "cannot make a pipe");
	if (s->memcg && memcg_version(s->memcg) == 1)
		procs_fd = memcg_enter_fd(s->memcg);
	else if (s->memcg)
		procs_fd = openat(memcg_enter_fd(s->memcg), "cgroup.procs", O_WRONLY | O_CLOEXEC);

	pid_t pid = start(s, &pidfd, &inside);
	if (pid == 0) {
		(void)close(report[0]);
		child(s, parent, inside ? -1 : procs_fd, report[1]);
	}
	int errnum = errno;
	(void)close(report[1]);
	if (s->memcg && memcg_version(s->memcg) == 2 && procs_fd >= 0)
		(void)close(procs_fd);
	if (pid < 0) {
		(void)close(report[0]);
		return err_set(err, errnum, "cannot start a process for %s", s->argv[0]);
	}

	if (pidfd < 0)
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	*ret = (struct child){ pid, pidfd, 0 };
	errnum = errno;
	int r = pidfd < 0 ? err_set(err, errnum, "cannot watch %s", s->argv[0]) : see_through(s, ret, report[0], err);
	(void)close(report[0]);
	if (r < 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		if (pidfd >= 0)
			(void)close(pidfd);
	}
	return r;
}
