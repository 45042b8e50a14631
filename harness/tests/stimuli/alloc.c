/* SPDX-License-Identifier: Apache-2.0
 *
 * alloc MIB [HOLD_MS [drop]] - touches exactly MIB mebibytes page by page, without huge pages: 100 ms of baseline, mark `load`,
 * mark `loaded`, HOLD_MS (500), and with `drop` unmaps it, mark `dropped`, and waits HOLD_MS again. It goes on when a mark has been read,
 * and begins when it is sampled: what reads marks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void wait_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) < 0)
		;
}

static void mark(const char *line)
{
	const char *fd = getenv("MEMTIDE_MARK_FD");

	if (!fd)
		return;
	if (write(atoi(fd), line, strlen(line)) < 0)
		_exit(9);
	for (int i = 0, unread = 1; i < 100000 && ioctl(atoi(fd), FIONREAD, &unread) == 0 && unread > 0; i++)
		(void)usleep(200);
}

int main(int argc, char **argv)
{
	size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 1) << 20;
	long hold_ms = argc > 2 ? atol(argv[2]) : 500;

	wait_ms(1); /* what nanosleep() itself needs is there before the baseline */
	mark("\n"); /* none */
	wait_ms(100);
	mark("load\n");
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	(void)madvise(memory, size, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < size; at += 4096)
		((volatile char *)memory)[at] = 1;
	mark("loaded\n");
	wait_ms(hold_ms);
	if (argc > 3 && !strcmp(argv[3], "drop")) {
		if (munmap(memory, size) < 0)
			return 1;
		mark("dropped\n");
		wait_ms(hold_ms);
	}
	return 0;
}
