/* SPDX-License-Identifier: Apache-2.0
 *
 * The live view as text, and what /proc says of a process that is not ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/safe_text.h"
#include "base/units.h"
#include "cmd/live_view.h"
#include "run/foreign.h"

#define POINTS 3000

static struct live_view a_view(struct live_point points[POINTS], bool full)
{
	struct live_view v = {
		.who = "server (pid 1234, 7 in its container)", .version = "go1.27.4", .watched_s = 300, .points = points, .n_points = POINTS,
		.rss_bytes = 800 * MIB, .peak_bytes = 900 * MIB, .usage_bytes = 950 * MIB, .threads = 17, .has_split = full, .has_counters = full,
		.gc_per_s = 0.25, .goroutines_per_s = 123.4, .rss_per_s = -3e6, .n_origins = full ? LIVE_ORIGINS_MAX : 0,
		.verdict = full ? "goroutines: 10 003 goroutines hold 25.1 MB of the 31.0 MB that are resident, and they become more all the time, "
				  "some hundred a second, as it seems"
				: NULL,
		.note = full ? "It has begun another program." : NULL,
	};

	for (size_t i = 0; i < POINTS; i++)
		points[i] = (struct live_point){ (double)i / 10, (i + 1) * MIB / 3, i % 7 ? i * MIB / 5 : GO_UNKNOWN };
	for (int p = 0; p < RSS_PART_COUNT_; p++)
		v.split.resident_bytes += v.split.part[p] = (uint64_t)p * p * 10 * MIB;
	for (size_t i = 0; i < v.n_origins; i++)
		v.origins[i] = (struct live_origin){ "main.newReader main.go:31, chan receive\033[2J", 10000 >> i, i ? NAN : 99.9 };
	v.counters = (struct go_counters){ 300 * MIB, 0, 0, 20 * MIB, 5 * MIB, 600 * MIB, 77, 10003, 20, GO_UNKNOWN };
	return v;
}

/* Lines and columns of a frame; every code in it is one of those that the view itself writes. */
static void measure(const char *text, unsigned *ret_lines, unsigned *ret_columns)
{
	unsigned column = 0;

	*ret_lines = 1;
	*ret_columns = 0;
	for (const char *p = text; *p; p++) {
		if (*p == '\033') {
			size_t n = strspn(p + 1, "[0123456789;") + 1;

			assert_non_null(strchr("HKJm", p[n]));
			p += n;
		} else if (*p == '\n') {
			column = 0;
			++*ret_lines;
		} else if (*p != '\r' && ((unsigned char)*p & 0xc0) != 0x80) {
			assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
			if (++column > *ret_columns)
				*ret_columns = column;
		}
	}
}

static void a_frame_fits_every_terminal(void **state)
{
	static struct live_point points[POINTS];

	(void)state;
	for (unsigned rows = 1; rows < 60; rows += rows < 30 ? 1 : 7)
		for (unsigned columns = 1; columns < 300; columns += columns < 90 ? 1 : 37)
			for (unsigned kind = 0; kind < 8; kind++) {
				const struct live_style style = { columns, rows, kind & 1, kind & 2 };
				struct live_view v = a_view(points, kind & 4);
				cleanup_free char *text = NULL;
				unsigned lines, widest;
				size_t n = 0;
				FILE *f = open_memstream(&text, &n);

				live_view_print(&v, &style, f);
				fclose(f);
				measure(text, &lines, &widest);
				assert_true(lines <= rows);
				assert_true(widest <= columns);
				if (!style.coloured)
					assert_null(strstr(text, "\033[38"));
				for (size_t i = 0; i < n && !style.utf8; i++)
					assert_true((unsigned char)text[i] < 0x80);
			}
}

/* 80 by 24 is what everybody has: nothing is missing there. */
static void all_of_it_is_on_80_by_24(void **state)
{
	static const char *const there[] = { "server (pid 1234, 7 in its container)  go1.27.4  watched 5 min", "q leaves", "RSS 800 MB -2.86 MB/s", "highest 900 MB",
		"heap in use 300 MB", "its cgroup 950 MB", "objects", "fragmentation", "Go stacks", "idle Go heap", "lazily freed", "Go runtime", "native (C,mmap)",
		"thread stacks", "files", "next GC at 600 MB", "GCs 77 (+0.2/s)", "goroutines 10003 (+123/s)", "threads 17", "10000 (+100/s)  main.newReader main.go:31, chan",
		"goroutines: 10 003 goroutines hold", "It has begun another program.", "now" };
	static struct live_point points[POINTS];
	const struct live_style style = { 80, 24, false, true };
	struct live_view v = a_view(points, true);
	cleanup_free char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	live_view_print(&v, &style, f);
	fclose(f);
	for (size_t i = 0; i < sizeof(there) / sizeof(*there); i++)
		if (!strstr(text, there[i]))
			fail_msg("'%s' is not in\n%s", there[i], text);
}

/* What has no room whole is left out: half of a number is another number. */
static void no_number_is_cut(void **state)
{
	static const char *const numbers[] = { "  goroutines 10003", "GCs 77", "next GC at 600 MB", "threads 17", "RSS 800 MB", "highest 900 MB",
					       "heap in use 300 MB", "its cgroup 950 MB" };
	static struct live_point points[POINTS];
	struct live_view v = a_view(points, true);

	(void)state;
	for (unsigned columns = 10; columns < 120; columns++) {
		const struct live_style style = { columns, 24, false, false };
		cleanup_free char *text = NULL;
		size_t n = 0;
		FILE *f = open_memstream(&text, &n);

		live_view_print(&v, &style, f);
		fclose(f);
		for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
			cleanup_free char *name = strf("%.*s", (int)strcspn(numbers[i], "0123456789"), numbers[i]);

			if (strstr(text, name) && !strstr(text, numbers[i]))
				fail_msg("'%s' is cut at %u columns:\n%s", numbers[i], columns, text);
		}
		assert_true(columns >= 60 || strstr(text, "..."));
	}
}

static void the_summary_is_broken_between_words(void **state)
{
	static struct live_point points[POINTS];
	struct live_view v = a_view(points, true);
	cleanup_free char *text = NULL;
	unsigned lines, widest;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	live_view_summarise(&v, 40, f);
	fclose(f);
	measure(text, &lines, &widest);
	assert_true(widest <= 40);
	assert_non_null(strstr(text, "heap in use 300 MB,"));
}

/* What was not read is not shown, and no division is by nothing. */
static void before_anything_was_read(void **state)
{
	const struct live_view v = { .who = "x (pid 1)", .version = "", .rss_bytes = GO_UNKNOWN, .peak_bytes = GO_UNKNOWN, .usage_bytes = GO_UNKNOWN,
				     .threads = GO_UNKNOWN, .has_split = true, .gc_per_s = NAN, .goroutines_per_s = NAN, .rss_per_s = NAN };
	const struct live_style style = { 80, 24, true, true };
	cleanup_free char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	live_view_print(&v, &style, f);
	live_view_summarise(&v, 80, f);
	fclose(f);
	assert_null(strstr(text, "nan"));
	assert_non_null(strstr(text, "RSS -"));
}

static void text_from_outside_is_made_safe(void **state)
{
	static const char *const cases[][2] = {
		{ "server", "server" }, { "größe", "größe" }, { "a\033[2Jb", "a?[2Jb" }, { "\r\n\t\x7f", "????" }, { "\xc2\x9b" "2J", "?2J" },
		{ "\xff\xfe", "??" }, { "\xe2\x80\xae", "?" }, { "中", "?" }, { "e\xcc\x81", "e?" }, { "\xe2\x80", "??" }, { "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_free char *safe = safe_text(cases[i][0]);

		assert_string_equal(safe, cases[i][1]);
	}
}

static void status_is_read(void **state)
{
	static const char text[] = "Name:\tserver\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t1234\nNgid:\t0\nPid:\t1234\nPPid:\t1\nTracerPid:\t77\n"
				   "Uid:\t1000\t1001\t1002\t1003\nGid:\t0\t0\t0\t0\nNSpid:\t1234\t56\t7\nVmSize:\t  1234 kB\nThreads:\t9\n";
	struct foreign_status s;

	(void)state;
	assert_true(foreign_parse_status(text, &s));
	assert_string_equal(s.name, "server");
	assert_int_equal(s.state, 'S');
	assert_int_equal(s.tgid, 1234);
	assert_int_equal(s.inner_pid, 7);
	assert_int_equal(s.uid, 1001);
	assert_int_equal(s.threads, 9);
	assert_true(s.has_memory);
}

static void status_of_little_or_nothing(void **state)
{
	struct foreign_status s;

	(void)state;
	assert_true(foreign_parse_status("Name:\tkthreadd\nState:\tS (sleeping)\nTgid:\t2\n", &s));
	assert_false(s.has_memory);
	assert_int_equal(s.inner_pid, 0);
	assert_int_equal(s.uid, (uid_t)-1);
	assert_true(foreign_parse_status("Name:\tx\\nState:\tZ\nState:\tS (sleeping)\n", &s)); /* the kernel escapes a name's line end */
	assert_int_equal(s.state, 'S');
	assert_false(foreign_parse_status("", &s));
	assert_false(foreign_parse_status("State:\tS\n", &s));
	assert_false(foreign_parse_status("Name:\tx\n", &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_fits_every_terminal), cmocka_unit_test(all_of_it_is_on_80_by_24),
		cmocka_unit_test(no_number_is_cut), cmocka_unit_test(the_summary_is_broken_between_words), cmocka_unit_test(before_anything_was_read),
		cmocka_unit_test(text_from_outside_is_made_safe), cmocka_unit_test(status_is_read), cmocka_unit_test(status_of_little_or_nothing),
	};

	return cmocka_run_group_tests_name("live_view", tests, NULL, NULL);
}
