/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "plan/metric.h"
#include "plan/release.h"

static struct go_version version(const char *text)
{
	struct go_version v;

	assert_int_equal(go_version_parse(text, &v, NULL), 0);
	return v;
}

static void parses_versions(void **state)
{
	struct go_version v = version("go1.12.17");

	(void)state;
	assert_int_equal(v.minor, 12);
	assert_int_equal(v.patch, 17);
	assert_string_equal(v.pre, "");
	v = version("1.27rc1");
	assert_int_equal(v.minor, 27);
	assert_int_equal(v.patch, 0);
	assert_string_equal(v.pre, "rc1");
	assert_string_equal(version("1.18beta2").pre, "beta2");
}

static void refuses_other_text(void **state)
{
	static const char *const bad[] = { "",      "go",         "1",       "1.",     "2.0",       "1.x",
					   "1.12.", "1.12.3.4",   "1.012",   "1.12rc", "1.12rc1.2", "1.12 ",
					   "-1.12", "1.12alpha1", "1.99999", "v1.12",  "1.12.3rc1", "banana" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct err err = ERR_INIT;
		struct go_version v = { .minor = -7 };

		if (go_version_parse(bad[i], &v, &err) != -EINVAL)
			fail_msg("'%s' was taken for a release", bad[i]);
		assert_int_equal(err.exit_code, EXIT_USAGE);
		assert_non_null(strstr(err.msg, bad[i]));
		assert_int_equal(v.minor, -7);
		err_done(&err);
	}
}

static void orders_versions(void **state)
{
	static const char *const ascending[] = { "1.11",   "1.11.13", "1.12beta2", "1.12rc2", "1.12rc10", "1.12",
						 "1.12.1", "1.12.9",  "1.12.17",   "1.27rc1", "1.27.0" };
	const size_t n = sizeof(ascending) / sizeof(*ascending);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			struct go_version a = version(ascending[i]), b = version(ascending[j]);
			int c = go_version_compare(&a, &b);

			assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
		}
}

static void formats_as_go_does(void **state)
{
	static const char *const pairs[][2] = { { "1.20", "1.20" },
						{ "1.20.0", "1.20" },
						{ "1.21", "1.21.0" },
						{ "go1.12.17", "1.12.17" },
						{ "1.27rc1", "1.27rc1" } };
	char buf[32];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		struct go_version v = version(pairs[i][0]);

		assert_string_equal(go_version_format(buf, sizeof(buf), &v), pairs[i][1]);
	}
}

static void knows_newest_patches(void **state)
{
	(void)state;
	assert_int_equal(release_newest_known_patch(10), -1);
	assert_int_equal(release_newest_known_patch(11), 13);
	assert_int_equal(release_newest_known_patch(19), 13);
	assert_int_equal(release_newest_known_patch(27), 4);
	assert_int_equal(release_newest_known_patch(28), -1);
	assert_int_equal(release_newest_known_minor(), 27);
}

static void knows_godebug_names(void **state)
{
	static const struct {
		const char *version, *name;
		bool known;
		const char *why;
	} cases[] = {
		{ "1.11.13", "madvdontneed", false, "Go 1.11.13 does not know madvdontneed (1.12 and later do)" },
		{ "1.12", "madvdontneed", true, NULL },
		{ "1.27.4", "madvdontneed", true, NULL },
		{ "1.16.15", "scavenge", true, NULL },
		{ "1.17", "scavenge", false, "Go 1.17 does not know scavenge any more (1.16 was the last that did)" },
		{ "1.13.15", "scavtrace", false, "Go 1.13.15 does not know scavtrace (1.14 and later do)" },
		{ "1.21.5", "disablethp", false, "Go 1.21.5 does not know disablethp (1.21.6 and later do)" },
		{ "1.21.6", "disablethp", true, NULL },
		{ "1.22.0", "disablethp", true, NULL },
		{ "1.27.4", "asynctimerchan", false,
		  "Go 1.27.4 does not know asynctimerchan any more (1.26 was the last that did)" },
		{ "1.27.4", "madvdontned", false, "no Go release is known to have the GODEBUG name madvdontned" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct go_version v = version(cases[i].version);
		char *why = NULL;

		assert_int_equal(release_knows_godebug(&v, cases[i].name, &why), cases[i].known);
		if (cases[i].known)
			assert_null(why);
		else
			assert_string_equal(why, cases[i].why);
		free(why);
	}
}

static void names_are_unique(void **state)
{
	size_t n;
	const char *const *names = release_godebug_names(&n);

	(void)state;
	assert_true(n > 60);
	assert_null(names[n]);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(names[i], names[j]);
}

static void knows_defaults(void **state)
{
	struct go_version v = version("1.15.15");

	(void)state;
	assert_string_equal(release_godebug_default(&v, "madvdontneed"), "0");
	assert_null(release_godebug_default(&v, "disablethp"));
	v = version("1.16");
	assert_string_equal(release_godebug_default(&v, "madvdontneed"), "1");
	v = version("1.25.14");
	assert_string_equal(release_godebug_default(&v, "disablethp"), "0");
	assert_string_equal(release_godebug_default(&v, "adaptivestackstart"), "1");
	assert_null(release_godebug_default(&v, "asynctimerchan"));
	v = version("1.11");
	assert_null(release_godebug_default(&v, "madvdontneed"));
	assert_true(release_godebug_takes_number("madvdontneed"));
	assert_false(release_godebug_takes_number("netdns"));
}

static void knows_env_and_go_lines(void **state)
{
	struct go_version old = version("1.18.10"), v = version("1.19"), new = version("1.21.13");
	char *why = NULL;

	(void)state;
	assert_false(release_knows_env(&old, "GOMEMLIMIT", &why));
	assert_string_equal(why, "Go 1.18.10 does not read GOMEMLIMIT (1.19 and later do)");
	free(why);
	why = NULL;
	assert_true(release_knows_env(&v, "GOMEMLIMIT", &why));
	assert_true(release_knows_env(&old, "GOGC", &why));
	assert_true(release_knows_env(&old, "MY_OWN", &why));
	assert_true(release_accepts_go_line(&old, "1.22", &why));
	assert_true(release_accepts_go_line(&new, "1.21", &why));
	assert_true(release_accepts_go_line(&new, "1.11", &why));
	assert_null(why);
	assert_false(release_accepts_go_line(&new, "1.22", &why));
	assert_string_equal(why, "Go 1.21.13 refuses a module with the newer line `go 1.22`");
	free(why);
}

static void metric_names_carry_their_units(void **state)
{
	static const char *const suffix[UNIT_COUNT_] = {
		[UNIT_BYTES] = "_bytes", [UNIT_SECONDS] = "_s", [UNIT_RATIO] = "_share", [UNIT_BYTES_PER_S] = "_bytes_per_s",
		[UNIT_PER_S] = "_per_s"
	};
	size_t n;
	const char *const *names = metric_names(&n);

	(void)state;
	assert_int_equal(n, METRIC_COUNT_);
	for (size_t i = 0; i < n; i++) {
		const char *end = suffix[metric_unit((enum metric)i)];
		size_t len = strlen(names[i]);

		assert_int_equal(metric_from_name(names[i]), i);
		if (end)
			assert_string_equal(names[i] + len - strlen(end), end);
		else
			assert_true(len < 2 || strcmp(names[i] + len - 2, "_s"));
	}
	assert_int_equal(metric_from_name("rss"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_versions),        cmocka_unit_test(refuses_other_text),
		cmocka_unit_test(orders_versions),        cmocka_unit_test(formats_as_go_does),
		cmocka_unit_test(knows_newest_patches),   cmocka_unit_test(knows_godebug_names),
		cmocka_unit_test(names_are_unique),       cmocka_unit_test(knows_defaults),
		cmocka_unit_test(knows_env_and_go_lines), cmocka_unit_test(metric_names_carry_their_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
