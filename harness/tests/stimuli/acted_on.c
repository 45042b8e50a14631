/* SPDX-License-Identifier: Apache-2.0
 *
 * acted_on MIB [keep | free | huge] - what acts are done to: touches MIB mebibytes, mark `loaded`; `free` gives them back by MADV_FREE
 * and tells the answer on standard output, `huge` asks for huge pages before. Marks each SIGUSR1 as `usr1`, and sleeps until it is ended.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void mark(const char *line)
{
	const char *fd = getenv("MEMTIDE_MARK_FD");

	if (fd && write(atoi(fd), line, strlen(line)) < 0)
		_exit(9);
}

static void on_usr1(int number)
{
	(void)number;
	mark("usr1\n");
}

int main(int argc, char **argv)
{
	size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 1) << 20;
	const char *how = argc > 2 ? argv[2] : "keep";
	const struct timespec baseline = { 0, 100000000 }, day = { 86400, 0 };

	(void)signal(SIGUSR1, on_usr1);
	(void)nanosleep(&baseline, NULL);
	mark("load\n");
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	(void)madvise(memory, size, strcmp(how, "huge") ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	for (size_t at = 0; at < size; at += 4096)
		((volatile char *)memory)[at] = 1;
	mark("loaded\n");
	if (!strcmp(how, "free")) {
		printf("%s\n", madvise(memory, size, MADV_FREE) < 0 ? strerrorname_np(errno) : "taken");
		(void)fflush(stdout);
	}
	for (;;)
		(void)nanosleep(&day, NULL);
}
