/* SPDX-License-Identifier: Apache-2.0
 *
 * Parsing of the memory controller's files, on texts of real kernels (harness/tests/fixtures) and on bad ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "record/series.h"
#include "run/cgroup_files.h"
#include "run/owner.h"

#define V1 "harness/tests/fixtures/cgroup-v1-linux6.18"
#define V2 "harness/tests/fixtures/cgroup-v2-linux6.1"

static char *fixture(const char *folder, const char *name)
{
	cleanup_free char *path = strf("%s/%s", folder, name);
	char *text = NULL;

	if (file_read(path, 1 << 20, &text, NULL, NULL) < 0)
		fail_msg("cannot read %s: run the tests from the repository's root", path);
	return text;
}

static uint64_t number(const char *folder, const char *name)
{
	cleanup_free char *text = fixture(folder, name);
	uint64_t n = 0;

	assert_true(cgroup_parse_number(text, &n));
	return n;
}

static uint64_t keyed(const char *folder, const char *name, const char *key)
{
	cleanup_free char *text = fixture(folder, name);
	uint64_t n = MISSING;

	assert_true(cgroup_parse_keyed(text, key, &n));
	return n;
}

static void real_v2_files_are_understood(void **state)
{
	const struct cgroup_names *n = cgroup_names(2);
	cleanup_free char *mounts = fixture(V2, "proc-mounts"), *own = fixture(V2, "proc-self-cgroup");
	char where[256];
	int version = 0;

	(void)state;
	assert_int_equal(number(V2, n->limit), 64 << 20);
	assert_true(number(V2, n->usage) <= 64 << 20);
	assert_int_equal(number(V2, n->peak), 64 << 20); /* it was killed at the limit */
	assert_int_equal(keyed(V2, n->oom, n->oom_kill_key), 1);
	/* Pages given back with MADV_FREE count as inactive file pages at once. */
	assert_int_equal(keyed(V2 "/before", n->stat, n->inactive_file_key), 16 << 20);
	assert_int_equal(keyed(V2, n->stat, n->inactive_file_key), 0);
	assert_true(cgroup_parse_mounts(mounts, &version, where, sizeof(where)));
	assert_int_equal(version, 2);
	assert_string_equal(where, "/sys/fs/cgroup");
	assert_true(cgroup_parse_own_path(own, 2, where, sizeof(where)));
	assert_int_equal(where[0], '/');
	assert_false(cgroup_parse_own_path(own, 1, where, sizeof(where)));
}

static void real_v1_files_are_understood(void **state)
{
	const struct cgroup_names *n = cgroup_names(1);
	cleanup_free char *mounts = fixture(V1, "proc-mounts"), *own = fixture(V1, "proc-self-cgroup");
	char where[256];
	int version = 0;

	(void)state;
	assert_int_equal(number(V1, n->limit), 64 << 20);
	assert_int_equal(number(V1, n->peak), 64 << 20);
	assert_int_equal(keyed(V1, n->oom, n->oom_kill_key), 1);
	assert_in_range(keyed(V1 "/before", n->stat, n->inactive_file_key), 16 << 20, (16 << 20) + 65536);
	/* A hybrid host mounts cgroup2 beside the v1 memory controller: v1 it is. */
	assert_true(cgroup_parse_mounts(mounts, &version, where, sizeof(where)));
	assert_int_equal(version, 1);
	assert_string_equal(where, "/sys/fs/cgroup/memory");
	assert_true(cgroup_parse_own_path(own, 1, where, sizeof(where)));
	assert_non_null(strstr(where, "container"));
}

static void numbers_and_keys_are_read_exactly(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_true(cgroup_parse_number("max\n", &n));
	assert_true(n == MISSING);
	assert_true(cgroup_parse_number("9223372036854771712\n", &n)); /* v1's "no limit" */
	assert_true(n == 9223372036854771712ULL);
	n = 7;
	static const char *const bad[] = { "", "\n", "x", "12x", "-1", "maximum", "99999999999999999999999" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(cgroup_parse_number(bad[i], &n));
	assert_int_equal(n, 7);

	const char *stat = "inactive_file 1\ntotal_inactive_file 2\nx_total_inactive_file 3\n";
	assert_true(cgroup_parse_keyed(stat, "inactive_file", &n));
	assert_int_equal(n, 1);
	assert_true(cgroup_parse_keyed(stat, "total_inactive_file", &n));
	assert_int_equal(n, 2);
	assert_false(cgroup_parse_keyed(stat, "total_inactive", &n));
	assert_false(cgroup_parse_keyed(stat, "file", &n));
	assert_false(cgroup_parse_keyed("oom_kill", "oom_kill", &n));
	assert_false(cgroup_parse_keyed("oom_kill x\n", "oom_kill", &n));
}

static void own_paths_are_found_among_the_others(void **state)
{
	char path[64];

	(void)state;
	assert_true(cgroup_parse_own_path("5:cpu,memory:/a/b\n0::/c\n", 1, path, sizeof(path)));
	assert_string_equal(path, "/a/b");
	assert_true(cgroup_parse_own_path("5:cpu,memory:/a/b\n0::/c\n", 2, path, sizeof(path)));
	assert_string_equal(path, "/c");
	assert_false(cgroup_parse_own_path("5:cpu,mem:/a/b\n1:name=memory:/x\n", 1, path, sizeof(path)));
	assert_false(cgroup_parse_own_path("garbage\n\n", 2, path, sizeof(path)));
	char longer[200] = "0::/";
	memset(longer + 4, 'x', 150);
	assert_false(cgroup_parse_own_path(longer, 2, path, sizeof(path)));
}

static void owners_have_names_that_no_two_share(void **state)
{
	struct owner o = { 4026531836, 1234, 567890 }, back;
	char name[OWNER_NAME_MAX];

	(void)state;
	owner_format(name, &o);
	assert_string_equal(name, "memtide-4026531836-1234-567890");
	assert_true(owner_parse(name, &back));
	assert_int_equal(back.pid_namespace, o.pid_namespace);
	assert_int_equal(back.pid, o.pid);
	assert_int_equal(back.start_time, o.start_time);
	static const char *const bad[] = { "memtide", "memtide-1-2", "memtide-1-2-3-4", "memtide-1-0-3", "memtide-a-2-3", "memtide-1-2-", "xmemtide-1-2-3", "memtide-1-99999999999-3" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(owner_parse(bad[i], &back));
}

static void start_times_survive_odd_names(void **state)
{
	uint64_t t = 0;

	(void)state;
	assert_true(owner_parse_start_time("42 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20 21", &t));
	assert_int_equal(t, 777);
	assert_false(owner_parse_start_time("42 (a) S 1 2 3", &t));
	assert_false(owner_parse_start_time("", &t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_v2_files_are_understood),
		cmocka_unit_test(real_v1_files_are_understood),
		cmocka_unit_test(numbers_and_keys_are_read_exactly),
		cmocka_unit_test(own_paths_are_found_among_the_others),
		cmocka_unit_test(owners_have_names_that_no_two_share),
		cmocka_unit_test(start_times_survive_odd_names),
	};

	return cmocka_run_group_tests_name("cgroup files", tests, NULL, NULL);
}
