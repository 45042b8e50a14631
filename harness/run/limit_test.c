/* SPDX-License-Identifier: Apache-2.0 */
#include "run/limit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "run/cgroup.h"
#include "run/target_files.h"

#define TOUCH_MAX_MS 10000

/* Enters the group, touches, says so, waits to be told to go. */
static _Noreturn void child(int procs_fd, int fd, uint64_t bytes)
{
	char byte = 1;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(procs_fd, "0", 1) != 1)
		_exit(1);
	volatile char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		_exit(1);
	for (uint64_t at = 0; at < bytes; at += 4096)
		memory[at] = 1;
	if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) < 0)
		_exit(1);
	_exit(0);
}

static void look_at(pid_t pid, const struct memcg *g, struct limit_test *ret)
{
	struct target_files files;
	struct sample s;

	if (target_files_open(&files, pid, g, NULL) < 0)
		return;
	if (target_read_sample(&files, &s))
		ret->rss_bytes = s.rss_bytes;
	target_files_close(&files);
}

static int try_in(struct memcg *g, uint64_t touch_bytes, struct limit_test *ret, struct err *err)
{
	int pair[2];
	char byte = 0;
	cleanup_close int opened = memcg_version(g) == 2 ? openat(memcg_enter_fd(g), "cgroup.procs", O_WRONLY | O_CLOEXEC) : -1;
	int procs_fd = memcg_version(g) == 2 ? opened : memcg_enter_fd(g);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, "cannot make a socket pair");

	pid_t pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		child(procs_fd, pair[1], touch_bytes);
	}
	int errnum = errno;
	(void)close(pair[1]);
	if (pid < 0) {
		(void)close(pair[0]);
		return err_set(err, errnum, "cannot start a child");
	}
	struct pollfd ready = { .fd = pair[0], .events = POLLIN };
	bool said = poll(&ready, 1, TOUCH_MAX_MS) == 1;
	bool touched = said && read(pair[0], &byte, 1) == 1;
	int status = 0;

	if (touched)
		look_at(pid, g, ret);
	if (!said)
		(void)kill(pid, SIGKILL);
	(void)close(pair[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!said)
		return err_set(err, 0, "a child at its limit was neither killed nor did it go on for %d s: is oom_kill_disable set in memory.oom_control?",
			       TOUCH_MAX_MS / 1000);
	ret->killed = !touched;
	if (ret->killed && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		return err_set(err, 0, "a child could not enter its cgroup or got no memory");

	struct memcg_counters counters;
	memcg_counters(g, &counters);
	ret->oom_kills = counters.oom_kills;
	ret->peak_bytes = counters.peak_bytes;
	return 0;
}

int limit_test_run(struct memcg_root *groups, uint64_t limit_bytes, uint64_t touch_bytes, struct limit_test *ret, struct err *err)
{
	struct memcg *g = NULL;
	int r = memcg_create(groups, "limit-test", limit_bytes, &g, err);

	*ret = (struct limit_test){ .oom_kills = MISSING, .peak_bytes = MISSING, .rss_bytes = MISSING };
	if (r >= 0)
		r = try_in(g, touch_bytes, ret, err);
	memcg_free(g);
	return r;
}
