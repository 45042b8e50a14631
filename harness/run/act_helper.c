/* SPDX-License-Identifier: Apache-2.0 */
#include "run/act_helper.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/units.h"

static void say(const char *text)
{
	(void)!write(STDOUT_FILENO, text, strlen(text));
}

static int fail(const char *what, int errnum)
{
	char text[200];

	(void)snprintf(text, sizeof(text), "%d %s\n", errnum, what);
	say(text);
	return EXIT_HARNESS;
}

/* Page by page, without huge pages: no more than was asked for. */
static int touch(const char *amount)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t bytes;

	if (parse_size(amount, &bytes, NULL) < 0)
		return fail(amount, EINVAL);
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return fail("cannot map so much memory", errno);
	(void)madvise(memory, bytes, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < bytes; at += page)
		((volatile char *)memory)[at] = 1;
	say(HELPER_OK);
	for (;;)
		(void)pause();
}

int act_helper_main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "touch"))
		return touch(argv[2]);
	if (argc < 4 || strcmp(argv[1], "write"))
		return EXIT_USAGE;
	for (int i = 2; i + 1 < argc; i += 2) {
		const char *name = strrchr(argv[i], '/');
		int r = file_write_in_place(argv[i], argv[i + 1]);

		if (r < 0)
			return fail(name ? name + 1 : argv[i], -r);
	}
	say(HELPER_OK);
	return EXIT_EXPECTED;
}
