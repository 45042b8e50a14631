/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/order.h"
#include "base/strv.h"
#include "base/subprocess.h"
#include "base/units.h"

static char *make_folder(void)
{
	char *dir = xstrdup("/tmp/memtide-test-XXXXXX");

	assert_non_null(mkdtemp(dir));
	return dir;
}

static void errors_grow_outwards(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(err_set(&err, ENOENT, "cannot open %s", "x"), -ENOENT);
	assert_int_equal(err_wrap(&err, "reading"), -ENOENT);
	assert_int_equal(err_hint(&err, "make it"), -ENOENT);
	assert_string_equal(err_text(&err), "reading: cannot open x: No such file or directory\n  make it");
	assert_int_equal(err.exit_code, EXIT_HARNESS);
	err_done(&err);
	assert_string_equal(err_text(&err), "");
	assert_int_equal(err_usage(&err, "no"), -EINVAL);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	assert_int_equal(err_set(NULL, EACCES, "nobody listens"), -EACCES);
	err_done(&err);
}

static void lists_split_join_and_suggest(void **state)
{
	cleanup_strv struct strv l = STRV_INIT;
	static const char *const names[] = { "allocate", "free-os-memory", "ticker-leak" };

	(void)state;
	strv_split(&l, "b,,a,c", ",");
	assert_int_equal(l.n, 3);
	assert_null(l.v[3]);
	strv_sort(&l);
	cleanup_free char *joined = strv_join(&l, "+");
	assert_string_equal(joined, "a+b+c");
	assert_true(strv_contains(&l, "c"));
	assert_false(strv_contains(&l, "d"));
	assert_string_equal(nearest_word("alocate", names, 3), "allocate");
	assert_string_equal(nearest_word("free-os-memroy", names, 3), "free-os-memory");
	assert_null(nearest_word("banana", names, 3));
}

static void files_are_written_whole_or_not_at_all(void **state)
{
	cleanup_free char *dir = make_folder(), *path = strf("%s/a/b/file", dir), *parent = strf("%s/a/b", dir), *text = NULL;
	struct err cleanup_err err = ERR_INIT;
	cleanup_strv struct strv names = STRV_INIT;
	size_t len;

	(void)state;
	assert_true(file_write(path, "x", 1, &err) < 0);
	assert_non_null(strstr(err_text(&err), path));
	assert_int_equal(folder_make(parent, NULL), 0);
	assert_int_equal(file_write(path, "old", 3, NULL), 0);
	assert_int_equal(file_write(path, "newer", 5, NULL), 0);
	assert_int_equal(file_read(path, 100, &text, &len, NULL), 0);
	assert_string_equal(text, "newer");
	assert_int_equal(len, 5);
	assert_int_equal(folder_list(parent, &names, NULL), 0);
	assert_int_equal(names.n, 1); /* nothing beside it */
	cleanup_free char *more = NULL;
	assert_int_equal(file_read(path, 4, &more, NULL, NULL), -EFBIG);
	assert_int_equal(folder_remove(dir, NULL), 0);
	assert_false(folder_exists(dir));
	assert_int_equal(folder_remove(dir, NULL), 0);
}

static void sha256_is_the_standards(void **state)
{
	char hex[65];

	(void)state;
	sha256_hex("abc", 3, hex); /* FIPS 180-2, appendix B.1 */
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void json_of_a_newer_format_is_refused(void **state)
{
	cleanup_free char *dir = make_folder(), *path = strf("%s/x.json", dir);
	struct err err = ERR_INIT;

	(void)state;
	static const struct {
		const char *text;
		const char *complaint; /* NULL: fine */
	} cases[] = { { "{\"format\": \"memtide-run/1\"}", NULL },
		      { "{\"format\": \"memtide-run/2\"}", "use a newer memtide" },
		      { "{\"format\": \"memtide-campaign/1\"}", "is not a memtide-run file" },
		      { "{}", "is not a memtide-run file" },
		      { "[]", "is not a memtide-run file" },
		      { "{\"a\":\n 1,", "x.json:2:" } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_json json_t *value = NULL;

		assert_int_equal(file_write(path, cases[i].text, strlen(cases[i].text), NULL), 0);
		int r = json_open(path, "memtide-run/1", &value, &err);
		assert_int_equal(r < 0, cases[i].complaint != NULL);
		if (cases[i].complaint)
			assert_non_null(strstr(err_text(&err), cases[i].complaint));
		err_done(&err);
	}
	assert_int_equal(folder_remove(dir, NULL), 0);
}

static void subprocesses_tell_how_they_ended(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	static const char *const both[] = { "sh", "-c", "echo out; echo log >&2; exit 3", NULL };
	struct subprocess s = { .argv = both };
	struct subprocess_result r = { 0 };
	assert_int_equal(subprocess_run(&s, &r, NULL), 0);
	assert_int_equal(r.exit_code, 3);
	assert_string_equal(r.out, "out\n");
	assert_string_equal(r.log, "log\n");
	subprocess_result_done(&r);

	static const char *const slow[] = { "sh", "-c", "sleep 60 & sleep 60", NULL };
	s = (struct subprocess){ .argv = slow, .timeout_ns = 300 * NS_PER_MS };
	assert_int_equal(subprocess_run(&s, &r, &err), -ETIMEDOUT);
	assert_non_null(strstr(err_text(&err), "did not end"));
	err_done(&err);

	static const char *const none[] = { "/nonexistent/program", NULL };
	s = (struct subprocess){ .argv = none };
	assert_int_equal(subprocess_run(&s, &r, NULL), 0);
	assert_int_equal(r.exit_code, 127);
	assert_non_null(strstr(r.log, "/nonexistent/program"));
	subprocess_result_done(&r);
}

static void numbers_are_ordered(void **state)
{
	double v[] = { 3, -1, 2.5, 1e300 };
	uint64_t n[] = { 7, UINT64_MAX, 0 };

	(void)state;
	sort_doubles(v, 4);
	assert_true(v[0] == -1 && v[1] == 2.5 && v[2] == 3 && v[3] == 1e300);
	assert_true(median_of_sorted(v, 4) == 2.75 && median_of_sorted(v, 3) == 2.5 && median_of_sorted(v, 1) == -1);
	sort_u64s(n, 3);
	assert_true(n[0] == 0 && n[1] == 7 && n[2] == UINT64_MAX);
	sort_doubles(v, 0);
	assert_true(v[0] == -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_grow_outwards),
		cmocka_unit_test(lists_split_join_and_suggest),
		cmocka_unit_test(files_are_written_whole_or_not_at_all),
		cmocka_unit_test(sha256_is_the_standards),
		cmocka_unit_test(json_of_a_newer_format_is_refused),
		cmocka_unit_test(subprocesses_tell_how_they_ended),
		cmocka_unit_test(numbers_are_ordered),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
