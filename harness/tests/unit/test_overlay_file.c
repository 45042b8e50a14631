/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "base/wall_time.h"
#include "render/overlay_file.h"

static int read_text(const char *text, const char *name, struct overlays *to, struct err *err)
{
	cleanup_free char *copy = xstrdup(text);

	return overlay_text_read(copy, strlen(copy), "f.json", name, to, err);
}

static void refused(const char *text, const char *saying)
{
	cleanup_overlays struct overlays all = { 0 };
	struct err cleanup_err err = ERR_INIT;

	assert_true(read_text(text, NULL, &all, &err) < 0);
	if (!strstr(err_text(&err), saying))
		fail_msg("'%s' does not say '%s'", err_text(&err), saying);
	assert_int_equal(err.exit_code, EXIT_USAGE);
}

static void a_matrix_is_read(void **state)
{
	cleanup_overlays struct overlays all = { 0 };

	(void)state;
	assert_return_code(read_text("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["
				     "{\"metric\":{\"__name__\":\"m_bytes\",\"pod\":\"a\",\"job\":\"j\"},\"values\":[[1700000000.5,\"1e6\"],[1700000001,\"NaN\"],[1700000002,\"3\"]]},"
				     "{\"metric\":{\"__name__\":\"m_bytes\",\"pod\":\"b\",\"job\":\"j\"},\"values\":[[1700000000,\"+Inf\"]]}]}}",
				     NULL, &all, NULL),
			   0);
	assert_int_equal(all.n, 2);
	assert_string_equal(all.v[0].name, "m_bytes {pod=a}");
	assert_string_equal(all.v[1].name, "m_bytes {pod=b}");
	assert_int_equal(all.v[0].n, 3);
	assert_int_equal(all.v[0].v[0].t_ns, 1700000000500000000);
	assert_true(all.v[0].v[0].bytes == 1e6);
	assert_true(isnan(all.v[0].v[1].bytes));
	assert_true(isnan(all.v[1].v[0].bytes));
}

static void missing_points_are_a_gap(void **state)
{
	cleanup_overlays struct overlays all = { 0 };

	(void)state;
	assert_return_code(read_text("time,value\n100,1\n110,2\n120,3\n170,4\n180,5\n", "mine", &all, NULL), 0);
	assert_string_equal(all.v[0].name, "mine");
	assert_int_equal(all.v[0].n, 6);
	assert_int_equal(all.v[0].v[3].t_ns, 130 * NS_PER_S);
	assert_true(isnan(all.v[0].v[3].bytes));
	assert_true(all.v[0].v[4].bytes == 4);
}

static void csv_has_times_of_both_kinds(void **state)
{
	cleanup_overlays struct overlays all = { 0 };

	(void)state;
	assert_return_code(read_text("\xef\xbb\xbf\"Time\",\"Value\"\r\n\"2026-11-21T12:03:10Z\",\"1048576\"\r\n2026-11-21 14:03:11+02:00, \r\n", NULL, &all, NULL), 0);
	assert_int_equal(all.v[0].n, 2);
	assert_int_equal(all.v[0].v[1].t_ns - all.v[0].v[0].t_ns, NS_PER_S);
	assert_true(isnan(all.v[0].v[1].bytes));
	assert_string_equal(all.v[0].name, "f.json");
}

static void long_names_are_cut(void **state)
{
	cleanup_overlays struct overlays all = { 0 };
	char name[200];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[1] = '\n';
	/* The cut falls into a character of two bytes. */
	memcpy(name + 58, "\xc3\xa9", 2);
	name[199] = 0;
	assert_return_code(read_text("time,value\n1,1\n", name, &all, NULL), 0);
	assert_int_equal(strlen(all.v[0].name), 58 + 3);
	assert_null(strchr(all.v[0].name, '\n'));
}

static void bad_input_is_told_with_its_place(void **state)
{
	(void)state;
	refused("", "f.json:1: neither JSON nor CSV");
	refused("{\"data\":", "f.json:1:8: not JSON");
	refused("{}", "no data.result");
	refused("{\"status\":\"error\",\"error\":\"parse error\"}", "parse error");
	refused("{\"data\":{\"resultType\":\"vector\",\"result\":[]}}", "a vector, not a matrix");
	refused("{\"data\":{\"resultType\":\"matrix\",\"result\":[]}}", "the result is empty");
	refused("{\"data\":{\"result\":[{\"metric\":{},\"values\":[[1,\"2\"],[1,\"3\"]]}]}}", "data.result[0].values[1]: the times must ascend");
	refused("{\"data\":{\"result\":[{\"metric\":{},\"values\":[[1,2]]}]}}", "values[0]: not a pair");
	refused("{\"data\":{\"result\":[{\"metric\":{},\"values\":[[1,\"x\"]]}]}}", "values[0]: 'x' is not a number");
	refused("{\"data\":{\"result\":[{\"metric\":{},\"values\":[[1,\"-5\"]]}]}}", "no size in bytes");
	refused("{\"data\":{\"result\":[{\"metric\":{\"__name__\":\"cpu_seconds_total\"},\"values\":[]}]}}", "does not count bytes");
	refused("{\"data\":{\"result\":[{\"metric\":{},\"histograms\":[]}]}}", "histogram");
	refused("{\"data\":{\"result\":[{},{},{},{},{},{},{}]}}", "7 series");
	refused("time,value\n1,2,3\n", "f.json:2: not two fields");
	refused("time,value\n1,2\n\nx,2\n", "f.json:4: 'x' is not a moment");
	refused("time,value\n2026-11-21T12:03:10,2\n", "f.json:2: '2026-11-21T12:03:10' has no time zone");
	refused("time,value\n1700000000000,2\n", "seconds are wanted, not milliseconds");
	refused("time,value\n1,12MB\n", "f.json:2: '12MB' is not a number of bytes");
	refused("time,value\n2,1\n1,1\n", "f.json:3: the times must ascend");
	refused("time,value\n", "no rows");
	refused("time,value\nnan,1\n", "f.json:2: not a time");
}

static void too_many_points_are_refused(void **state)
{
	cleanup_free char *text = xcalloc(16 * (OVERLAY_POINTS_MAX + 10), 1);
	size_t len = (size_t)sprintf(text, "time,value\n");

	(void)state;
	for (int i = 0; i <= OVERLAY_POINTS_MAX; i++)
		len += (size_t)sprintf(text + len, "%d,1\n", i);
	refused(text, "more than 100000 points");
}

static void moments(void **state)
{
	struct err cleanup_err err = ERR_INIT;
	char buf[40];
	int64_t ns, other;

	(void)state;
	assert_return_code(wall_time_parse("1970-01-02T00:00:00Z", &ns, NULL), 0);
	assert_int_equal(ns, WALL_DAY_NS);
	assert_return_code(wall_time_parse("2024-02-29 23:59:59.25-0130", &ns, NULL), 0);
	assert_string_equal(wall_time_format(buf, sizeof(buf), ns), "2024-03-01T01:29:59.250Z");
	assert_return_code(wall_time_parse("2024-02-29T23:59:59.25+00:00", &other, NULL), 0);
	assert_int_equal(ns - other, 90 * 60 * NS_PER_S);
	static const char *const wrong[] = { "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00+25:00",
					     "2024-01-01T00:00:00Zx", "2024-1-1T00:00:00Z", "1969-01-01T00:00:00Z", "2024-01-01T00:00:00.Z", "" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (wall_time_parse(wrong[i], &ns, &err) >= 0)
			fail_msg("%s was taken", wrong[i]);
	assert_return_code(time_of_day_parse("12:03", &ns, NULL), 0);
	assert_int_equal(ns, (12 * 60 + 3) * 60 * NS_PER_S);
	assert_return_code(time_of_day_parse("00:30:00+02:00", &ns, NULL), 0);
	assert_int_equal(ns, -90 * 60 * NS_PER_S);
	assert_true(time_of_day_parse("12:3", &ns, NULL) < 0);
	assert_true(time_of_day_parse("25:00:00", &ns, NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_matrix_is_read),
		cmocka_unit_test(missing_points_are_a_gap),
		cmocka_unit_test(csv_has_times_of_both_kinds),
		cmocka_unit_test(long_names_are_cut),
		cmocka_unit_test(bad_input_is_told_with_its_place),
		cmocka_unit_test(too_many_points_are_refused),
		cmocka_unit_test(moments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
