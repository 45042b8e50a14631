/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "gostate/rights.h"
#include "run/gate.h"
#include "run/virtual_clock.h"

#ifdef __x86_64__

/* Where the machine's clock cannot be read in user space the vDSO itself makes system calls, and the gate would be asked at each. */
static int check_clocksource(struct err *err)
{
	static const char *const fast[] = { "tsc", "kvm-clock", "hyperv_clocksource_tsc_page" };
	cleanup_free char *source = NULL;

	if (file_read("/sys/devices/system/clocksource/clocksource0/current_clocksource", 256, &source, NULL, NULL) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(fast) / sizeof(*fast); i++)
		if (!strncmp(source, fast[i], strlen(fast[i])))
			return 0;
	return err_set(err, 0, "this machine's clocksource is %.*s, which programs read by a system call: the virtual clock needs tsc or kvm-clock",
		       (int)strcspn(source, "\n"), source);
}

/* A process can have one filter with a listener above it only. */
static int check_filter(struct err *err)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(gate_install() < 0 ? errno : 0);
	if (pid < 0)
		return err_set(err, errno, "cannot start a process to try the virtual clock on");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	(void)err_set(err, WIFEXITED(status) ? WEXITSTATUS(status) : EPERM, "the virtual clock cannot put its seccomp filter in place");
	return err_hint(err, "Is memtide itself run under such a filter (on a virtual clock, or in a container that has one)? Use --clock real");
}

/* Yama's 1 lets a process trace its own children; rights.h. */
static int hint_at_ptrace(int scope, struct err *err)
{
	if (scope > 2)
		return err_hint(err, "kernel.yama.ptrace_scope is %d: nothing can be traced until the machine starts anew with another value. Use --clock real", scope);
	if (scope == 2 && geteuid() == 0)
		return err_hint(err, "kernel.yama.ptrace_scope is 2, and memtide lacks CAP_SYS_PTRACE. In a container: start that with --cap-add SYS_PTRACE, or use --clock real");
	if (scope == 2)
		return err_hint(err, "kernel.yama.ptrace_scope is 2: run memtide as root, or: sudo sysctl kernel.yama.ptrace_scope=1, or use --clock real");
	return err_hint(err, "In a container: give it the right SYS_PTRACE, or a seccomp profile that allows ptrace, or use --clock real");
}

/* A child, as the targets are: may it be traced? */
static int check_ptrace(struct err *err)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			(void)pause();
	if (pid < 0)
		return err_set(err, errno, "cannot start a process to try the virtual clock on");
	int errnum = ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 ? errno : 0;
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (!errnum)
		return 0;
	(void)err_set(err, errnum, "the virtual clock needs ptrace of its own children, which is forbidden here");
	return hint_at_ptrace(yama_scope(), err);
}

int virtual_clock_check(struct err *err)
{
	const uint32_t action = SECCOMP_RET_USER_NOTIF;
	cleanup_free char *schedstat = NULL;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0U, &action) < 0)
		return err_set(err, errno, "this kernel or container has no seccomp user notification (Linux 5.9), which the virtual clock needs");
	if (file_read("/proc/thread-self/schedstat", 256, &schedstat, NULL, err) < 0)
		return err_wrap(err, "the virtual clock needs schedstat");
	if (!strncmp(schedstat, "0 0 0", 5))
		return err_set(err, 0, "this kernel counts nothing in schedstat (CONFIG_SCHEDSTATS), by which the virtual clock knows who sleeps");
	int r = check_clocksource(err);
	if (r >= 0)
		r = check_filter(err);
	return r < 0 ? r : check_ptrace(err);
}

#else

int virtual_clock_check(struct err *err)
{
	return err_set(err, 0, "the virtual clock is for x86-64 only so far: use --clock real");
}

#endif
