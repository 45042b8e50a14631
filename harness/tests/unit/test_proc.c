/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/alloc.h"
#include "base/proc.h"

static void fields_of_stat_survive_odd_names(void **state)
{
	static const char text[] = "42 (a) Z 9) b) S 1 2 3 4 5 6 7\n";

	(void)state;
	assert_int_equal(*proc_stat_field(text, 3), 'S');
	assert_int_equal(strtol(proc_stat_field(text, 4), NULL, 10), 1);
	assert_int_equal(strtol(proc_stat_field(text, 10), NULL, 10), 7);
	assert_null(proc_stat_field(text, 11));
	assert_null(proc_stat_field("42 (a", 3));
	assert_null(proc_stat_field("", 3));
}

static void no_name_is_a_key(void **state)
{
	static const char text[] = "Name:\tTgid:7\nTgid:\t42\nVmHWM:\t    1234 kB\n";

	(void)state;
	assert_int_equal(strtol(proc_value(text, "\nTgid:"), NULL, 10), 42);
	assert_int_equal(strtol(proc_value(text, "\nVmHWM:"), NULL, 10), 1234);
	assert_null(proc_value(text, "\nVmRSS:"));
}

static void a_file_is_read_from_its_beginning(void **state)
{
	cleanup_close int stat = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	char text[512] = "x", few[4];

	(void)state;
	for (int i = 0; i < 2; i++) {
		size_t n = proc_read(stat, text, sizeof(text));

		assert_true(n > 0);
		assert_int_equal(n, strlen(text));
		assert_int_equal(*proc_stat_field(text, 3), 'R');
	}
	assert_int_equal(proc_read(stat, few, sizeof(few)), 3);
	assert_int_equal(strlen(few), 3);
	assert_int_equal(proc_read(-1, text, sizeof(text)), 0);
	assert_string_equal(text, "");
}

static void auxv_tells_the_entry(void **state)
{
	cleanup_close int auxv = open("/proc/self/auxv", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(getauxval(AT_ENTRY) != 0);
	assert_int_equal(proc_auxv(auxv, AT_ENTRY), getauxval(AT_ENTRY));
	assert_int_equal(proc_auxv(auxv, AT_PAGESZ), getauxval(AT_PAGESZ));
	assert_int_equal(proc_auxv(auxv, 0xdead), 0);
	assert_int_equal(proc_auxv(-1, AT_ENTRY), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_of_stat_survive_odd_names),
		cmocka_unit_test(no_name_is_a_key),
		cmocka_unit_test(a_file_is_read_from_its_beginning),
		cmocka_unit_test(auxv_tells_the_entry),
	};

	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
