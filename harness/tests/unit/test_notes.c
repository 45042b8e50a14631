/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "base/units.h"
#include "record/notes.h"

static char *folder;

static int set_up(void **state)
{
	char template[] = "/tmp/memtide-test-notes-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(template));
	folder = xstrdup(template);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)folder_remove(folder, NULL);
	free(folder);
	return 0;
}

static void put(const char *text)
{
	cleanup_free char *path = strf("%s/notes.tsv", folder);

	assert_return_code(file_write(path, text, strlen(text), NULL), 0);
}

static void what_is_written_is_read(void **state)
{
	cleanup_notes struct notes notes = { 0 }, again = { 0 };
	cleanup_strv struct strv damage = STRV_INIT;

	(void)state;
	assert_return_code(notes_read(folder, &notes, &damage, NULL), 0);
	assert_int_equal(notes.n, 0);
	assert_return_code(notes_add(&notes, 2 * NS_PER_S, "later", NULL), 0);
	assert_return_code(notes_add(&notes, NS_PER_S / 4, "first: é, 100 %, 'x'", NULL), 0);
	assert_return_code(notes_add(&notes, 2 * NS_PER_S, "as late", NULL), 0);
	assert_return_code(notes_write(folder, &notes, NULL), 0);
	assert_return_code(notes_read(folder, &again, &damage, NULL), 0);
	assert_int_equal(damage.n, 0);
	assert_int_equal(again.n, 3);
	assert_int_equal(again.v[0].t_ns, NS_PER_S / 4);
	assert_string_equal(again.v[0].text, "first: é, 100 %, 'x'");
	assert_string_equal(again.v[1].text, "later");
	assert_string_equal(again.v[2].text, "as late");
	while (again.n)
		notes_remove(&again, 0);
	assert_return_code(notes_write(folder, &again, NULL), 0);

	cleanup_free char *path = strf("%s/notes.tsv", folder);
	assert_false(file_exists(path));
	assert_return_code(notes_write(folder, &again, NULL), 0);
}

static void damaged_files_are_read_as_far_as_they_go(void **state)
{
	static const struct {
		const char *text, *says;
		size_t n;
	} cases[] = {
		{ "", "ends in the middle", 0 },
		{ "# memtide-samples/1\n1.0\tx\n", ":1: not the format line", 0 },
		{ "# memtide-notes/1\n1.0\ta\n2.0\tb", "ends in the middle", 1 },
		{ "# memtide-notes/1\n1.0\ta\nx\tb\n3.0\tc\n", ":3: not a mark", 1 },
		{ "# memtide-notes/1\n1.0\ta\033[31m\n", ":2: not a mark", 0 },
		{ "# memtide-notes/1\n1.0\t\n", ":2: not a mark", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_notes struct notes notes = { 0 };
		cleanup_strv struct strv damage = STRV_INIT;

		put(cases[i].text);
		assert_return_code(notes_read(folder, &notes, &damage, NULL), 0);
		assert_int_equal(notes.n, cases[i].n);
		assert_int_equal(damage.n, 1);
		if (!strstr(damage.v[0], cases[i].says))
			fail_msg("'%s' does not say '%s'", damage.v[0], cases[i].says);
	}
}

static void a_newer_format_is_refused_and_a_newer_column_is_not(void **state)
{
	cleanup_notes struct notes notes = { 0 };
	struct err cleanup_err err = ERR_INIT;

	(void)state;
	put("# memtide-notes/2\n1.0\ta\n");
	assert_int_equal(notes_read(folder, &notes, NULL, &err), -ENOTSUP);
	put("# memtide-notes/1\n1.0\ta\tsomebody\n");
	assert_return_code(notes_read(folder, &notes, NULL, &err), 0);
	assert_string_equal(notes.v[0].text, "a");
}

static void texts_that_no_figure_could_show_are_refused(void **state)
{
	static const char *const bad[] = { "", "   ", "a\tb", "a\nb", "\033[2J", "\x7f", "caf\xe9", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\xe2\x80\xae" "b",
					   "\xc2\x9b", "1234567890123456789012345678901234567890123456789012345678901" };
	static const char *const good[] = { "x", "deploy 1.42", "déjà vu", "日本語", "123456789012345678901234567890123456789012345678901234567890" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct err cleanup_err err = ERR_INIT;

		if (note_check(bad[i], &err) >= 0)
			fail_msg("the %zuth bad text was taken", i + 1);
		assert_int_equal(err.exit_code, EXIT_USAGE);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_return_code(note_check(good[i], NULL), 0);
}

static void there_is_an_end_to_them(void **state)
{
	cleanup_notes struct notes notes = { 0 };

	(void)state;
	for (int i = 0; i < NOTES_MAX; i++)
		assert_return_code(notes_add(&notes, i, "x", NULL), 0);
	assert_true(notes_add(&notes, 0, "x", NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged_files_are_read_as_far_as_they_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_newer_format_is_refused_and_a_newer_column_is_not, set_up, tear_down),
		cmocka_unit_test(texts_that_no_figure_could_show_are_refused),
		cmocka_unit_test(there_is_an_end_to_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
