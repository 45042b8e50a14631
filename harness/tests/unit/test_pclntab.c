/* SPDX-License-Identifier: Apache-2.0
 *
 * Go's table of functions and lines, put together here in each of its layouts: what it must say, and that a damaged one neither reads
 * beyond its end (address sanitizer) nor goes on for ever. Real ones: test_goroutines.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "gostate/pclntab.h"

#define TEXT 0x401000u
#define TREE 0x500000u
#define SIZE 1024

static unsigned char bytes[SIZE], tree[64];

static void u32(size_t at, uint32_t v)
{
	memcpy(bytes + at, &v, 4);
}

static void u64(size_t at, uint64_t v)
{
	memcpy(bytes + at, &v, 8);
}

static bool tree_bytes(void *arg, uint64_t address, void *ret, size_t n)
{
	(void)arg;
	if (address < TREE || address - TREE > sizeof(tree) || sizeof(tree) - (address - TREE) < n)
		return false;
	memcpy(ret, tree + (address - TREE), n);
	return true;
}

/* Where the parts lie in the table; all layouts use the same places. */
enum { NAMES = 512, FILES = 600, UNITS = 700, VALUES = 750, RECORDS = 128, RECORD_0 = 320, RECORD_1 = 420 };

struct layout {
	const char *name;
	uint32_t magic;
	unsigned minor;
	bool narrow; /* entries of 4 bytes, from the text's start */
	uint8_t record_name, pcsp, pcfile, pcln, n_values, unit, n_data, end, value_index, data_index;
};

static const struct layout layouts[] = {
	{ "1.11", PCLN_MAGIC_12, 11, false, 8, 20, 24, 28, 32, 0, 36, 40, 1, 2 },
	{ "1.12", PCLN_MAGIC_12, 12, false, 8, 20, 24, 28, 32, 0, 39, 40, 1, 2 },
	{ "1.15", PCLN_MAGIC_12, 15, false, 8, 20, 24, 28, 32, 0, 39, 40, 2, 4 },
	{ "1.16", PCLN_MAGIC_116, 16, false, 8, 20, 24, 28, 32, 36, 43, 44, 2, 3 },
	{ "1.18", PCLN_MAGIC_118, 18, true, 4, 16, 20, 24, 28, 32, 39, 40, 2, 3 },
	{ "1.20", PCLN_MAGIC_120, 20, true, 4, 16, 20, 24, 28, 32, 43, 44, 2, 3 },
};
#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

/* A table of values: pairs of a change (zigzag) and a length; 0 ends it. */
static uint32_t put_values(size_t *at, const unsigned char *v, size_t n, bool whole)
{
	uint32_t offset = (uint32_t)(*at - (whole ? 0 : VALUES));

	memcpy(bytes + *at, v, n);
	*at += n + 1;
	return offset;
}

static void put_record(const struct layout *l, size_t at, uint32_t entry, uint32_t name, uint32_t pcsp, uint32_t pcfile, uint32_t pcln)
{
	if (l->narrow)
		u32(at, entry);
	else
		u64(at, TEXT + entry);
	u32(at + l->record_name, name);
	u32(at + l->pcsp, pcsp);
	u32(at + l->pcfile, pcfile);
	u32(at + l->pcln, pcln);
	if (l->unit)
		u32(at + l->unit, 0);
}

static void put_entry(const struct layout *l, size_t i, uint32_t entry, uint32_t record)
{
	size_t at = l->magic == PCLN_MAGIC_12 ? 16 + i * 16 : RECORDS + i * (l->narrow ? 8 : 16);

	if (l->narrow) {
		u32(at, entry);
		u32(at + 4, record - RECORDS);
	} else {
		u64(at, TEXT + entry);
		u64(at + 8, l->magic == PCLN_MAGIC_12 ? record : record - RECORDS);
	}
}

/* main.outer, 0 to 0x40, in a.go; main.inner (b.go) is inlined in it from 0x10 to 0x20, called in line 12. Then main.other, to 0x60. */
static void build(const struct layout *l, struct pclntab *t)
{
	bool whole = l->magic == PCLN_MAGIC_12;
	uint32_t names = whole ? NAMES : 0, pcsp, pcfile, pcln, inlined, file_base = l->magic == PCLN_MAGIC_12 ? 1 : 0;
	size_t at = VALUES + 2, header = l->narrow ? 32 : 24;
	const unsigned char sp[] = { 0x12, 0x04, 0x40, 0x3c };                                 /* 8 for 4 bytes, 40 for 60 */
	const unsigned char file[] = { (unsigned char)(2 * (1 + file_base)), 0x10, 0x02, 0x10, 0x01, 0x20 }; /* a, b, a */
	const unsigned char line[] = { 0x16, 0x10, 0x50, 0x10, 0x4f, 0x20 };                   /* 10, 50, 10 */
	const unsigned char index[] = { 0x00, 0x10, 0x02, 0x10, 0x01, 0x20 };                  /* -1, 0, -1 */

	memset(bytes, 0, sizeof(bytes));
	memset(tree, 0, sizeof(tree));
	put_entry(l, 0, 0, RECORD_0);
	put_entry(l, 1, 0x40, RECORD_1);
	put_entry(l, 2, 0x60, 0); /* where the last one ends; of 1.2 the list of files comes next, written below */
	u32(0, l->magic);
	bytes[6] = 1;
	bytes[7] = 8;
	u64(8, 2);
	if (whole) {
		u32(16 + 2 * 16 + 8, UNITS);
		u32(UNITS, 3); /* how many files, then where each name is */
		u32(UNITS + 4, FILES);
		u32(UNITS + 8, FILES + 8);
	} else {
		u64(16, 2);
		const uint64_t parts[] = { NAMES, UNITS, FILES, VALUES, RECORDS };
		for (size_t i = 0; i < 5; i++)
			u64(header + i * 8, parts[i]);
		if (l->narrow)
			u64(24, TEXT);
		u32(UNITS, 0);
		u32(UNITS + 4, 8);
	}
	memcpy(bytes + NAMES, "\0main.outer\0main.inner\0main.other", 34);
	memcpy(bytes + FILES, "/x/a.go\0/x/b.go", 16);
	pcsp = put_values(&at, sp, sizeof(sp), whole);
	pcfile = put_values(&at, file, sizeof(file), whole);
	pcln = put_values(&at, line, sizeof(line), whole);
	inlined = put_values(&at, index, sizeof(index), whole);
	assert_true(at < SIZE);
	put_record(l, RECORD_0, 0, names + 1, pcsp, pcfile, pcln);
	put_record(l, RECORD_1, 0x40, names + 23, pcsp, 0, 0);
	u32(RECORD_0 + l->n_values, l->value_index + 1u);
	bytes[RECORD_0 + l->n_data] = (unsigned char)(l->data_index + 1);
	u32(RECORD_0 + l->end + l->value_index * 4u, inlined);
	at = RECORD_0 + l->end + (l->value_index + 1u) * 4;
	if (l->narrow) {
		u32(at + l->data_index * 4u, 16);
	} else {
		at = (at + 7) & ~(size_t)7;
		u64(at + l->data_index * 8u, TREE + 16);
	}
	/* One node, 16 bytes into the trees. */
	unsigned char *node = tree + 16;
	uint32_t name = names + 12, caller_pc = 0x08, call_file = 1, call_line = 10;
	if (l->minor == 11) {
		memset(node, 0xff, 4);
		memcpy(node + 4, &call_file, 4);
		memcpy(node + 8, &call_line, 4);
		memcpy(node + 12, &name, 4);
	} else if (l->minor < 20) {
		memset(node, 0xff, 2);
		memcpy(node + 12, &name, 4);
		memcpy(node + 16, &caller_pc, 4);
	} else {
		memcpy(node + 4, &name, 4);
		memcpy(node + 8, &caller_pc, 4);
	}
	*t = (struct pclntab){ .data = bytes, .size = SIZE, .minor = l->minor, .gofunc = TREE, .bytes = tree_bytes };
}

static void assert_frame(const struct pcln_frame *f, const char *function, const char *file, unsigned line)
{
	assert_string_equal(f->function, function);
	assert_string_equal(f->file, file);
	assert_int_equal(f->line, line);
}

static void test_layouts(void **state)
{
	(void)state;
	for (size_t i = 0; i < LAYOUTS; i++) {
		struct pcln_frame f[4];
		struct pclntab t;
		uint64_t entry = 0;

		print_message("%s\n", layouts[i].name);
		build(&layouts[i], &t);
		assert_true(pclntab_open(&t));
		assert_int_equal(t.n_functions, 2);
		assert_int_equal(pclntab_frames(&t, TEXT + 4, f, 4), 1);
		assert_frame(&f[0], "main.outer", "/x/a.go", 10);
		assert_int_equal(pclntab_frames(&t, TEXT + 0x18, f, 4), 2);
		assert_frame(&f[0], "main.inner", "/x/b.go", 50);
		assert_frame(&f[1], "main.outer", "/x/a.go", 10);
		assert_int_equal(pclntab_frames(&t, TEXT + 0x18, f, 1), 1);
		assert_frame(&f[0], "main.inner", "/x/b.go", 50);
		assert_int_equal(pclntab_frames(&t, TEXT + 0x30, f, 4), 1);
		assert_frame(&f[0], "main.outer", "/x/a.go", 10);
		/* A function without lines has its name. */
		assert_int_equal(pclntab_frames(&t, TEXT + 0x50, f, 4), 1);
		assert_frame(&f[0], "main.other", "", 0);
		assert_string_equal(pclntab_function(&t, TEXT + 0x18, &entry), "main.outer");
		assert_int_equal(entry, TEXT);
		assert_int_equal(pclntab_frame_bytes(&t, TEXT + 2), 8);
		assert_int_equal(pclntab_frame_bytes(&t, TEXT + 0x10), 40);
		assert_int_equal(pclntab_frames(&t, TEXT - 1, f, 4), 0);
		assert_int_equal(pclntab_frames(&t, TEXT + 0x60, f, 4), 0);
		assert_int_equal(pclntab_frame_bytes(&t, TEXT + 0x60), -1);
	}
}

static void test_release_unknown(void **state)
{
	struct pcln_frame f[4];
	struct pclntab t;

	(void)state;
	build(&layouts[0], &t);
	t.minor = 0;
	assert_true(pclntab_open(&t));
	/* Which records they are cannot be told: no inlined call, but the place of the innermost. */
	assert_int_equal(pclntab_frames(&t, TEXT + 0x18, f, 4), 1);
	assert_frame(&f[0], "main.outer", "/x/b.go", 50);
}

static void ask_everything(struct pclntab *t)
{
	struct pcln_frame f[8];

	if (!pclntab_open(t))
		return;
	for (uint64_t pc = TEXT - 8; pc < TEXT + 0x70; pc += 3) {
		size_t n = pclntab_frames(t, pc, f, 8);

		for (size_t i = 0; i < n; i++)
			assert_true(strlen(f[i].function) + strlen(f[i].file) < 2 * SIZE);
		(void)pclntab_function(t, pc, NULL);
		(void)pclntab_frame_bytes(t, pc);
	}
	(void)pclntab_frames(t, UINT64_MAX, f, 8);
}

static void test_damaged(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (size_t i = 0; i < LAYOUTS; i++) {
		static unsigned char good[SIZE];
		struct pclntab t;

		build(&layouts[i], &t);
		memcpy(good, bytes, SIZE);
		/* Every byte, then words at random, in the table and in the trees. */
		for (size_t at = 0; at < SIZE; at++)
			for (int value = 0; value < 4; value++) {
				bytes[at] = (unsigned char[]){ 0xff, 0x80, 0x00, 0x7f }[value];
				struct pclntab damaged = t;
				ask_everything(&damaged);
				bytes[at] = good[at];
			}
		for (int round = 0; round < 3000; round++) {
			struct pclntab damaged = t;

			for (int k = 0; k < 4; k++) {
				size_t at = (size_t)rand_r(&seed) % (SIZE - 8);
				uint64_t v = (uint64_t)rand_r(&seed) << (unsigned)(rand_r(&seed) % 40);

				memcpy(bytes + at, &v, 8);
				tree[(size_t)rand_r(&seed) % sizeof(tree)] = (unsigned char)v;
			}
			ask_everything(&damaged);
			memcpy(bytes, good, SIZE);
		}
		/* Cut off anywhere: on the heap, where the sanitizer knows the end. */
		for (size_t size = 0; size < SIZE; size += 7) {
			unsigned char *cut = malloc(size ? size : 1);
			struct pclntab damaged = t;

			assert_non_null(cut);
			memcpy(cut, good, size);
			damaged.data = cut;
			damaged.size = size;
			ask_everything(&damaged);
			free(cut);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_release_unknown),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
