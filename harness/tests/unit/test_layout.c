/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/err.h"
#include "gostate/dwarf_read.h"
#include "gostate/layout.h"
#include "gostate/offsets.h"

/* Each list has at most GO_NAMES_MAX names, each "variable" or "variable:path" of the runtime. */
static void check_names(const char *names)
{
	cleanup_free char *copy = xstrdup(names);
	char *save = NULL;
	int n = 0;

	for (char *one = strtok_r(copy, ";", &save); one; one = strtok_r(NULL, ";", &save), n++) {
		assert_true(!strncmp(one, "runtime.", 8));
		assert_true(strlen(one) < 64);
	}
	assert_in_range(n, 1, GO_NAMES_MAX);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < GO_PLACE_COUNT_; i++)
		check_names(layout_place_names((enum go_place_id)i));
	for (int i = 0; i < GO_MEMBER_COUNT_; i++)
		check_names(layout_member_names((enum go_member_id)i));
}

static void check_refused(int fd, const char *words)
{
	struct err cleanup_err err = ERR_INIT;
	struct go_layout *l = NULL;

	assert_true(layout_read(fd, "it", &l, &err) < 0);
	assert_null(l);
	assert_non_null(strstr(err_text(&err), words));
}

static void test_other_files(void **state)
{
	cleanup_close int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), text = memfd_create("text", MFD_CLOEXEC),
			  folder = open("/", O_RDONLY | O_CLOEXEC), empty = memfd_create("empty", MFD_CLOEXEC);

	(void)state;
	check_refused(self, "no Go binary");
	assert_int_equal(write(text, "#!/bin/sh\n", 10), 10);
	check_refused(text, "no ELF binary");
	check_refused(empty, "no ELF binary");
	check_refused(folder, "no ELF binary");
}

static void test_complete(void **state)
{
	struct go_layout partial = { .source = LAYOUT_PARTIAL, .version = "go1.18.10", .minor = 18 };
	struct go_layout from = { .source = LAYOUT_DWARF, .version = "go1.18.9", .minor = 18 };
	struct err cleanup_err err = ERR_INIT;

	(void)state;
	/* Both variables are there; in this release the second has the heap's counters. */
	partial.symbol[GO_HEAP_INUSE][0] = 0x1000;
	partial.symbol[GO_HEAP_INUSE][1] = 0x2000;
	partial.symbol[GO_GC_COUNT][0] = 0;
	from.place[GO_HEAP_INUSE] = (struct go_place){ 0x99000, 0x48, 8, 1 };
	from.place[GO_GC_COUNT] = (struct go_place){ 0x99000, 0x50, 4, 0 };
	from.member[GO_SPAN_PAGES] = (struct go_member){ 32, 8, 0 };
	assert_true(layout_complete(&partial, &from, &err) < 0); /* of another patch */
	assert_int_equal(partial.source, LAYOUT_PARTIAL);
	strcpy(from.version, "go1.18.10");
	assert_int_equal(layout_complete(&partial, &from, &err), 0);
	assert_int_equal(partial.source, LAYOUT_SYMBOLS);
	assert_int_equal(partial.place[GO_HEAP_INUSE].address, 0x2048);
	assert_int_equal(partial.place[GO_HEAP_INUSE].size, 8);
	assert_int_equal(partial.place[GO_GC_COUNT].size, 0); /* no such symbol */
	assert_int_equal(partial.member[GO_SPAN_PAGES].offset, 32);
}

/* An experiment of a release, or a distributor's build of it, has its offsets where the structs have the same sizes. */
static void test_complete_other_builds(void **state)
{
	static const char *const fit[] = { "go1.22.1 X:arenas", "go1.22.1-X:arenas", "go1.22.1 (Red Hat 1.22.1-1.el9) X:strictfipsruntime" },
				 *const do_not[] = { "go1.22.12", "go1.22", "devel go1.22.1", "go1.22.1~", "" };
	struct go_layout from = { .source = LAYOUT_DWARF, .version = "go1.22.1", .witness_bytes = { 100, 0, 300 } };

	(void)state;
	for (size_t i = 0; i < sizeof(fit) / sizeof(fit[0]); i++) {
		struct go_layout partial = { .source = LAYOUT_PARTIAL, .witness_bytes = { 100, 200, 304 } };
		struct err cleanup_err err = ERR_INIT;

		strcpy(partial.version, fit[i]);
		assert_true(layout_complete(&partial, &from, &err) < 0);
		assert_non_null(strstr(err_text(&err), "runtime.sched has 304 bytes, not 300"));
		partial.witness_bytes[2] = 300;
		assert_int_equal(layout_complete(&partial, &from, &err), 0);
	}
	for (size_t i = 0; i < sizeof(do_not) / sizeof(do_not[0]); i++) {
		struct go_layout partial = { .source = LAYOUT_PARTIAL };
		struct err cleanup_err err = ERR_INIT;

		strcpy(partial.version, do_not[i]);
		assert_true(layout_complete(&partial, &from, &err) < 0);
	}
}

static void test_no_release(void **state)
{
	static const char *const versions[] = { "", "devel go1.28-1234abcd", "go1.28-devel_1234abcd X:arenas", "go1.2/../../../etc/passwd", "go1..", "go2.1" };

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		struct err cleanup_err err = ERR_INIT;
		struct go_layout *l = NULL;

		assert_true(offsets_of(versions[i], true, &l, &err) < 0);
		assert_non_null(strstr(err_text(&err), "is no release of Go"));
	}
}

static void test_leb128(void **state)
{
	static const unsigned char three[] = { 0xe5, 0x8e, 0x26 }, endless[] = { 0x80, 0x80, 0x80 },
				   wide[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 };
	const unsigned char *at = three;
	uint64_t v = 0;

	(void)state;
	assert_true(leb128(&at, three + 3, &v));
	assert_int_equal(v, 624485);
	assert_ptr_equal(at, three + 3);
	at = endless;
	assert_false(leb128(&at, endless + 3, &v));
	at = wide;
	assert_true(leb128(&at, wide + sizeof(wide), &v));
	assert_int_equal(v, UINT64_MAX);
	at = three;
	assert_false(leb128(&at, three, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names), cmocka_unit_test(test_other_files), cmocka_unit_test(test_complete),
		cmocka_unit_test(test_complete_other_builds), cmocka_unit_test(test_no_release), cmocka_unit_test(test_leb128),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
