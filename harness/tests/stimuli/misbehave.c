/* SPDX-License-Identifier: Apache-2.0
 *
 * misbehave HOW [N] - a target that ends or behaves badly in one way:
 *   exit N        exits with code N at once
 *   signal N      dies by signal N
 *   ignore-term   ignores SIGTERM and sleeps
 *   fork N        forks a child that ignores SIGTERM, holds N MiB and outlives its parent, which exits at once
 *   flood N       writes N MiB to standard output, then N MiB to standard error
 *   oom           touches memory until it is killed, 1 MB in 10 ms
 *   close-marks   marks `before`, closes the mark descriptor, goes on for 300 ms
 *   marks N       N marks in a row
 *   spin          uses a CPU until it is ended
 *   sleep         sleeps
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int mark_fd(void)
{
	const char *fd = getenv("MEMTIDE_MARK_FD");

	return fd ? atoi(fd) : 2;
}

static void wait_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) < 0)
		;
}

static char *touch(size_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		_exit(8);
	memset(memory, 1, size);
	return memory;
}

static void flood(int fd, long mib)
{
	static char line[1 << 20];

	memset(line, 'x', sizeof(line));
	for (size_t at = 79; at < sizeof(line); at += 80)
		line[at] = '\n';
	for (long i = 0; i < mib; i++)
		for (size_t done = 0; done < sizeof(line);) {
			ssize_t n = write(fd, line + done, sizeof(line) - done);

			if (n < 0)
				_exit(7);
			done += (size_t)n;
		}
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[2]) : 0;

	if (!strcmp(how, "exit"))
		return (int)n;
	if (!strcmp(how, "signal"))
		return raise((int)n);
	if (!strcmp(how, "ignore-term") && signal(SIGTERM, SIG_IGN) != SIG_ERR)
		for (;;)
			wait_ms(100000);
	if (!strcmp(how, "fork")) {
		if (fork() != 0)
			return 0;
		(void)signal(SIGTERM, SIG_IGN);
		(void)setsid();
		(void)touch((size_t)n << 20);
		wait_ms(600000);
	}
	if (!strcmp(how, "flood")) {
		flood(1, n);
		flood(2, n);
		return 0;
	}
	while (!strcmp(how, "oom")) {
		(void)touch(1 << 20);
		wait_ms(10);
	}
	if (!strcmp(how, "close-marks")) {
		if (write(mark_fd(), "before\n", 7) != 7 || close(mark_fd()) < 0)
			return 1;
		wait_ms(300);
		return 0;
	}
	if (!strcmp(how, "marks")) {
		for (long i = 0; i < n; i++)
			if (dprintf(mark_fd(), "mark-%ld\n", i) < 0)
				return 1;
		wait_ms(100);
		return 0;
	}
	if (!strcmp(how, "spin"))
		for (volatile unsigned long i = 0;; i++)
			;
	if (!strcmp(how, "sleep"))
		wait_ms(600000);
	return 64;
}
