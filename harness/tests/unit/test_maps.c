/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of /proc/PID/maps as Debian's 6.1 and 6.12 write them for Go programs, and as 6.12 with CONFIG_ANON_VMA_NAME does for Go
 * 1.27 (runtime/set_vma_name_linux.go; a program whose go.mod names a release before 1.25 needs GODEBUG=decoratemappings=1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "gostate/maps.h"

static struct vma parsed(const char *line)
{
	struct vma v;

	if (!maps_parse_line(line, &v))
		fail_msg("refused: %s", line);
	return v;
}

static void of_real_kernels(void **state)
{
	static const struct {
		const char *line;
		enum vma_kind kind;
	} cases[] = {
		{ "00400000-0064e000 r-xp 00000000 00:02 10                                 /t/service-1.23\n", VMA_FILE },
		{ "008f2000-00919000 rw-p 00000000 00:00 0 \n", VMA_ANONYMOUS },
		{ "c000000000-c000400000 rw-p 00000000 00:00 0 \n", VMA_ANONYMOUS },
		{ "c000400000-c004000000 ---p 00000000 00:00 0 \n", VMA_ANONYMOUS },
		{ "7ffd54b31000-7ffd54b52000 rw-p 00000000 00:00 0                          [stack]\n", VMA_STACK },
		{ "01b4c000-01b6d000 rw-p 00000000 00:00 0                                  [heap]\n", VMA_HEAP },
		{ "7ffd54bc2000-7ffd54bc6000 r--p 00000000 00:00 0                          [vvar]\n", VMA_NOT_COUNTED },
		{ "7ffd54bc6000-7ffd54bc8000 r-xp 00000000 00:00 0                          [vdso]\n", VMA_FILE },
		{ "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n", VMA_NOT_COUNTED },
		{ "7f9c00000000-7f9c02000000 rw-s 00000000 00:01 1029                       /dev/zero (deleted)\n", VMA_FILE },
		{ "7f52d0e00000-7f52d1000000 rw-p 00000000 00:0f 1234                       /anon_hugepage (deleted)\n", VMA_NOT_COUNTED },
		{ "00400000-00500000 r-xp 00000000 00:1b 7                                  /opt/svc (deleted)\n", VMA_FILE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (parsed(cases[i].line).kind != cases[i].kind)
			fail_msg("taken for %d: %s", parsed(cases[i].line).kind, cases[i].line);
}

static void of_names(void **state)
{
	static const struct {
		const char *line;
		enum vma_kind kind;
	} cases[] = {
		{ "23a81c000000-23a81d000000 ---p 00000000 00:00 0                          [anon: Go: heap reservation]\n", VMA_GO },
		{ "23a81d000000-23a821800000 rw-p 00000000 00:00 0                          [anon: Go: heap]\n", VMA_GO },
		{ "7faaf3fce000-7faaf3fe0000 rw-p 00000000 00:00 0                          [anon: Go: immortal metadata]\n", VMA_GO },
		{ "7faaf3e0c000-7faaf3e0e000 rw-p 00000000 00:00 0                          [anon: Go: GC span queue]\n", VMA_GO },
		{ "7faaf3ebe000-7faaf3ece000 rw-p 00000000 00:00 0                          [anon: Go: allspans array]\n", VMA_GO },
		{ "7faaab400000-7faaad400000 rw-p 00000000 00:00 0 \n", VMA_ANONYMOUS }, /* syscall.Mmap in the same program */
		/* What C calls its own is C's. */
		{ "7f3d54000000-7f3d54040000 rw-p 00000000 00:00 0                          [anon:Go: heap]\n", VMA_ANONYMOUS },
		{ "7f3d54000000-7f3d54040000 rw-p 00000000 00:00 0                          [anon: glibc: malloc]\n", VMA_ANONYMOUS },
		{ "7f3d54000000-7f3d54040000 rw-p 00000000 00:00 0                          [anon:]\n", VMA_ANONYMOUS },
		{ "7f3d54000000-7f3d54800000 rw-p 00000000 00:00 0                          [anon: glibc: pthread stack: 1234]\n", VMA_STACK },
		{ "7f3d54000000-7f3d54040000 rw-s 00000000 00:01 1029                       [anon_shmem:shared]\n", VMA_FILE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (parsed(cases[i].line).kind != cases[i].kind)
			fail_msg("taken for %d: %s", parsed(cases[i].line).kind, cases[i].line);
}

static void its_numbers(void **state)
{
	struct vma v = parsed("7f9c00000000-7f9c02000000 rw-s 00001000 fd:0a 1029                       /dev/zero (deleted)\n");

	(void)state;
	assert_int_equal(v.start, 0x7f9c00000000);
	assert_int_equal(v.end, 0x7f9c02000000);
	assert_int_equal(v.major, 0xfd);
	assert_int_equal(v.minor, 0x0a);
	assert_int_equal(v.inode, 1029);
	assert_true(v.readable && v.writable && v.shared);
	v = parsed("c000400000-c004000000 ---p 00000000 00:00 0 \n");
	assert_false(v.readable || v.writable || v.shared);
}

static void nonsense(void **state)
{
	static const char *const bad[] = { "", "\n", "c000400000", "c000400000-", "c000400000-c000400000 rw-p 00000000 00:00 0 \n",
					   "c000400000-c000000000 rw-p 00000000 00:00 0 \n", "c000000000-c000400000 rw\n", "xyz\n" };
	struct vma v;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(maps_parse_line(bad[i], &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_real_kernels),
		cmocka_unit_test(of_names),
		cmocka_unit_test(its_numbers),
		cmocka_unit_test(nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
