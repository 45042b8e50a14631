/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "base/units.h"

static void sizes_are_read_whole(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = { { "1", 1 }, { "4096", 4096 }, { "64MB", 64 * MIB }, { "64MiB", 64 * MIB }, { "64M", 64 * MIB }, { "64m", 64 * MIB },
		     { "1GB", 1024 * MIB }, { "3k", 3072 }, { "5B", 5 }, { "2TiB", 2048ULL * 1024 * MIB } };
	static const char *const bad[] = { "", "MB", "64Mx", "64 MB", "-1", "+1", "0", "0MB", "010", "0x10", "1e3", "1.5GB", "64MBB", "99999999999999999999", "99999999TB", "64E" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		uint64_t bytes = 0;

		assert_int_equal(parse_size(good[i].text, &bytes, NULL), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct err err = ERR_INIT;
		uint64_t bytes = 7;

		assert_true(parse_size(bad[i], &bytes, &err) < 0);
		assert_int_equal(bytes, 7);
		assert_int_equal(err.exit_code, EXIT_USAGE);
		assert_non_null(strstr(err_text(&err), bad[i]));
		err_done(&err);
	}
}

static void durations_need_a_unit(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = { { "650s", 650 * NS_PER_S }, { "200ms", 200 * NS_PER_MS }, { "1.5s", 1500 * NS_PER_MS }, { "10m", 600 * NS_PER_S },
		     { "11min", 660 * NS_PER_S }, { "1h30m", 5400 * NS_PER_S }, { "1us", 1000 }, { "2d", 172800 * NS_PER_S } };
	static const char *const bad[] = { "", "650", "s", "0s", "-1s", "1e3s", "010s", "1x", "1.s", "1 s", "s1", "400d", "1ss" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		int64_t ns = 0;

		assert_int_equal(parse_duration(good[i].text, &ns, NULL), 0);
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int64_t ns = 7;

		if (parse_duration(bad[i], &ns, NULL) >= 0)
			fail_msg("'%s' was read as %lld ns", bad[i], (long long)ns);
		assert_int_equal(ns, 7);
	}
}

static void counts_have_bounds(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_int_equal(parse_count("12", 1, 100, &n, NULL), 0);
	assert_int_equal(n, 12);
	static const char *const bad[] = { "", "0", "101", "-1", "1e1", "010", "1 ", "1.0", "99999999999999999999999" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_true(parse_count(bad[i], 1, 100, &n, NULL) < 0);
	assert_int_equal(n, 12);
}

static void people_read_three_digits(void **state)
{
	char buf[32];

	(void)state;
	assert_string_equal(format_size(buf, sizeof(buf), 0), "0 B");
	assert_string_equal(format_size(buf, sizeof(buf), 999), "999 B");
	assert_string_equal(format_size(buf, sizeof(buf), 36 * 1024), "36.0 kB");
	assert_string_equal(format_size(buf, sizeof(buf), 826 * MIB), "826 MB");
	assert_string_equal(format_size(buf, sizeof(buf), 1536 * MIB), "1.50 GB");
	assert_string_equal(format_size(buf, sizeof(buf), 1023 * MIB), "1.00 GB");
	assert_string_equal(format_duration(buf, sizeof(buf), 0.42), "0.42 s");
	assert_string_equal(format_duration(buf, sizeof(buf), 13.1), "13.1 s");
	assert_string_equal(format_duration(buf, sizeof(buf), 181), "3 min 1 s");
	assert_string_equal(format_duration(buf, sizeof(buf), 650), "10 min 50 s");
	assert_string_equal(format_duration(buf, sizeof(buf), 600), "10 min");
	assert_string_equal(format_duration(buf, sizeof(buf), 3720), "1 h 2 min");
}

static void test_sizes_that_were_computed(void **state)
{
	char buf[32];

	(void)state;
	assert_string_equal(format_size_of(buf, sizeof(buf), 1.5 * MIB), "1.50 MB");
	assert_string_equal(format_size_of(buf, sizeof(buf), -3), "0 B");
	assert_string_equal(format_size_of(buf, sizeof(buf), NAN), "an unknown size");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes_that_were_computed),
		cmocka_unit_test(sizes_are_read_whole),
		cmocka_unit_test(durations_need_a_unit),
		cmocka_unit_test(counts_have_bounds),
		cmocka_unit_test(people_read_three_digits),
	};

	return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
