/* SPDX-License-Identifier: Apache-2.0 */
#include "run/selftest.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "run/target_files.h"

#define SELFTEST_PAGES 1000

/* One byte in: touch the next page; one byte out: touched. Nothing else may fault between two readings: a sanitizer's shadow of
 * the page would. */
__attribute__((no_sanitize_thread, no_sanitize_address)) static _Noreturn void touch_on_demand(int fd, size_t page)
{
	char *memory = mmap(NULL, (SELFTEST_PAGES + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char byte = 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (memory == MAP_FAILED)
		_exit(1);
	(void)madvise(memory, (SELFTEST_PAGES + 1) * page, MADV_NOHUGEPAGE);
	for (size_t i = 0; read(fd, &byte, 1) == 1; i++) {
		if (i <= SELFTEST_PAGES)
			((volatile char *)memory)[i * page] = 1;
		if (write(fd, &byte, 1) != 1)
			break;
	}
	_exit(0);
}

static bool step(int fd)
{
	char byte = 1;

	return write(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 1;
}

static int compare(int fd, const struct target_files *f, struct selftest *ret, struct err *err)
{
	struct sample first, now;

	/* The first round faults in what the loop itself needs. */
	if (!step(fd) || !target_read_sample(f, &first))
		return err_set(err, 0, "the sampler's self-test lost its child");
	for (uint64_t i = 1; i <= SELFTEST_PAGES; i++) {
		if (!step(fd) || !target_read_sample(f, &now))
			return err_set(err, 0, "the sampler's self-test lost its child");

		int64_t grown = (int64_t)(now.rss_bytes / f->page_bytes) - (int64_t)(first.rss_bytes / f->page_bytes);
		uint64_t error = (uint64_t)(grown > (int64_t)i ? grown - (int64_t)i : (int64_t)i - grown);
		if (error > ret->worst_pages)
			ret->worst_pages = error;
	}
	ret->pages = SELFTEST_PAGES;
	return 0;
}

int selftest_run(struct selftest *ret, struct err *err)
{
	int pair[2];
	struct target_files files;

	*ret = (struct selftest){ 0 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, "cannot make a socket pair");

	pid_t pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		touch_on_demand(pair[1], (size_t)sysconf(_SC_PAGESIZE));
	}
	int errnum = errno;
	(void)close(pair[1]);
	if (pid < 0) {
		(void)close(pair[0]);
		return err_set(err, errnum, "cannot start the self-test's child");
	}

	int r = target_files_open(&files, pid, NULL, err);
	if (r >= 0) {
		r = compare(pair[0], &files, ret, err);
		target_files_close(&files);
	}
	(void)close(pair[0]);
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
