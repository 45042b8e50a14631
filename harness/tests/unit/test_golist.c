/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "plan/golist.h"

static void add(struct catalogue *c, const char *version, const char *goroot)
{
	struct go_version v;

	assert_int_equal(go_version_parse(version, &v, NULL), 0);
	catalogue_add(c, &v, goroot);
}

static void make_catalogue(struct catalogue *c)
{
	catalogue_add_builtin(c);
	add(c, "1.13.1", "/opt/go1.13.1");
	add(c, "1.13.15", "/opt/go1.13.15");
	add(c, "1.28rc1", NULL);
	add(c, "1.12.5", NULL);
}

/* "text=version@goroot" of each, blanks between. */
static char *expand(const char *list, struct err *err)
{
	struct catalogue c = { 0 };
	struct go_specs specs = { 0 };
	cleanup_strv struct strv out = STRV_INIT;
	char version[32];

	make_catalogue(&c);
	int r = golist_expand(list, &c, &specs, err);
	for (size_t i = 0; r >= 0 && i < specs.n; i++)
		strv_pushf(&out, "%s=%s%s%s", specs.v[i].text, go_version_format(version, sizeof(version), &specs.v[i].version),
			   specs.v[i].goroot ? "@" : "", specs.v[i].goroot ? specs.v[i].goroot : "");
	go_specs_done(&specs);
	catalogue_done(&c);
	return r < 0 ? NULL : strv_join(&out, " ");
}

static void expands(void **state)
{
	static const char *const cases[][2] = {
		{ "1.15", "1.15=1.15.15" },
		{ "go1.15", "1.15=1.15.15" },
		{ "1.15.3", "1.15.3=1.15.3" },
		{ "1.13.99", "1.13.99=1.13.99" },
		{ "1.20.0", "1.20=1.20" },
		{ "1.13", "1.13=1.13.15@/opt/go1.13.15" },
		{ "1.13.1", "1.13.1=1.13.1@/opt/go1.13.1" },
		{ "1.11..1.14", "1.11=1.11.13 1.12=1.12.17 1.13=1.13.15@/opt/go1.13.15 1.14=1.14.15" },
		{ "1.14..1.14", "1.14=1.14.15" },
		{ "1.26..latest", "1.26=1.26.11 1.27=1.27.4" },
		{ "latest", "1.27=1.27.4" },
		{ "previous", "1.26=1.26.11" },
		{ "latest,previous", "1.27=1.27.4 1.26=1.26.11" },
		{ "local", "1.13.1=1.13.1@/opt/go1.13.1 1.13.15=1.13.15@/opt/go1.13.15" },
		{ "1.28rc1", "1.28rc1=1.28rc1" },
		{ "1.13, 1.13.15,1.12..1.13", "1.13=1.13.15@/opt/go1.13.15 1.12=1.12.17" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct err cleanup_err err = ERR_INIT;
		cleanup_free char *got = expand(cases[i][0], &err);

		if (!got)
			fail_msg("%s: %s", cases[i][0], err_text(&err));
		assert_string_equal(got, cases[i][1]);
	}
}

static void refuses(void **state)
{
	static const char *const cases[][2] = {
		{ "1.10", "Go 1.10 is too old: the oldest release that memtide runs is 1.11" },
		{ "1.10..1.12", "Go 1.10 is too old" },
		{ "1.16..1.12", "the range 1.16..1.12 is backwards: write 1.12..1.16" },
		{ "banana", "'banana' is no Go release: write 1.15" },
		{ "latset", "did you mean 'latest'?" },
		{ "1.99", "there is no Go 1.99 yet: the newest known is 1.27.4" },
		{ "1.99.1", "there is no Go 1.99 yet: the newest known is 1.27.4" },
		{ "1.26..1.99", "there is no Go 1.99 yet" },
		{ "1.99..latest", "there is no Go 1.99 yet" },
		{ "1.28", "Go 1.28 is not released yet: name its pre-release, 1.28rc1" },
		{ "1.11.3..1.14", "must be minor releases: write 1.11, not 1.11.3" },
		{ "1.11..", "'1.11..' is no range" },
		{ "1.11..x", "'1.11..x' is no range" },
		{ "latest..1.11", "is no range" },
		{ "", "the list of Go releases is empty" },
		{ " , ", "the list of Go releases is empty" },
		{ "1.12,,banana", "'banana'" },
		{ "sdk/go", "is not an absolute path" },
		{ "/no/such/folder", "there is no folder /no/such/folder" },
		{ "/tmp", "/tmp is no Go tree: it has no bin/go" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct err cleanup_err err = ERR_INIT;
		cleanup_free char *got = expand(cases[i][0], &err);

		if (got)
			fail_msg("'%s' was taken: %s", cases[i][0], got);
		assert_int_equal(err.exit_code, EXIT_USAGE);
		if (!strstr(err_text(&err), cases[i][1]))
			fail_msg("'%s': %s", cases[i][0], err_text(&err));
	}
}

static void checks_without_a_catalogue(void **state)
{
	struct err cleanup_err err = ERR_INIT;

	(void)state;
	assert_int_equal(golist_check("1.11..1.16,latest,/some/where,1.99", &err), 0);
	assert_int_equal(golist_check("1.11,1.16..1.12", &err), -EINVAL);
	assert_int_equal(err.exit_code, EXIT_USAGE);
}

static void local_needs_a_toolchain(void **state)
{
	struct catalogue c = { 0 };
	struct go_specs specs = { 0 };
	struct err cleanup_err err = ERR_INIT;

	(void)state;
	catalogue_add_builtin(&c);
	assert_int_equal(golist_expand("local", &c, &specs, &err), -EINVAL);
	assert_non_null(strstr(err_text(&err), "memtide go fetch"));
	catalogue_done(&c);
}

static void catalogue_stays_sorted(void **state)
{
	struct catalogue c = { 0 };

	(void)state;
	make_catalogue(&c);
	add(&c, "1.12.5", "/opt/first");
	add(&c, "1.12.5", "/opt/second");
	add(&c, "1.12.5", NULL);
	for (size_t i = 1; i < c.n; i++)
		assert_true(go_version_compare(&c.entries[i - 1].version, &c.entries[i].version) < 0);
	assert_int_equal(c.n, 17 + 3);
	for (size_t i = 0; i < c.n; i++)
		if (c.entries[i].version.minor == 12 && c.entries[i].version.patch == 5)
			assert_string_equal(c.entries[i].goroot, "/opt/first");
	catalogue_done(&c);
}

/* A tree that the user names, released or not. */
static void reads_go_trees(void **state)
{
	static const char *const cases[][2] = {
		{ "go1.22.1\ntime 2024-02-29T18:18:48Z\n", "1.22.1" },
		{ "go1.12", "1.12" },
		{ "devel go1.28-6e676ab2b8 Mon Jan 1\n", "1.28devel" },
		{ "devel go1.17 Mon Jan 1\n", "1.17devel" },
		{ "go1.28-devel_6e676ab2b8\n", "1.28devel" },
	};
	char folder[] = "/tmp/memtide-test-XXXXXX";
	struct catalogue c = { 0 };

	(void)state;
	assert_non_null(mkdtemp(folder));
	cleanup_free char *bin = strf("%s/bin", folder), *go = strf("%s/go", bin), *version = strf("%s/VERSION", folder);
	assert_int_equal(folder_make(bin, NULL), 0);
	assert_int_equal(file_write(go, "", 0, NULL), 0);
	assert_int_equal(chmod(go, 0755), 0);
	make_catalogue(&c);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct go_specs specs = { 0 };
		struct err cleanup_err err = ERR_INIT;
		cleanup_free char *twice = strf("%s,%s,1.12", folder, folder);
		char text[32];

		assert_int_equal(file_write(version, cases[i][0], strlen(cases[i][0]), NULL), 0);
		assert_int_equal(golist_expand(twice, &c, &specs, &err), 0);
		assert_int_equal(specs.n, 2);
		assert_string_equal(specs.v[0].text, folder);
		assert_string_equal(specs.v[0].goroot, folder);
		assert_string_equal(go_version_format(text, sizeof(text), &specs.v[0].version), cases[i][1]);
		go_specs_done(&specs);
	}
	catalogue_done(&c);
	assert_int_equal(folder_remove(folder, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expands),
		cmocka_unit_test(refuses),
		cmocka_unit_test(checks_without_a_catalogue),
		cmocka_unit_test(local_needs_a_toolchain),
		cmocka_unit_test(catalogue_stays_sorted),
		cmocka_unit_test(reads_go_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
