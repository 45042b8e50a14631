/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages and mappings of this very process; and spans of a runtime that lies, which is made of two arrays here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "gostate/claims.h"
#include "gostate/maps.h"
#include "gostate/pages.h"
#include "gostate/readings.h"
#include "gostate/spans.h"
#include "gostate/target.h"

#define PAGE 4096
#define MIB (1 << 20)

/* ---- a target that is memory of our own -------------------------------------------------------------------------------------------- */

/* runtime.mspan as the made-up release has it. */
struct record {
	uint64_t start, pages, element;
	uint16_t count;
	uint8_t state;
};

struct go_target {
	struct go_layout layout;
	uint64_t list[3];
	uint64_t *pointers;
	struct record *records;
	size_t n;
	uint64_t chunk; /* the first of persistentChunks */
	uint64_t link;  /* what each word of the target's chunks holds */
	size_t reads;
};

pid_t go_target_pid(const struct go_target *t)
{
	(void)t;
	return getpid();
}

const struct go_layout *go_target_layout(const struct go_target *t)
{
	return &t->layout;
}

static bool inside(uint64_t address, size_t n, const void *array, size_t bytes)
{
	uint64_t start = (uintptr_t)array;

	return address >= start && address <= start + bytes && n <= start + bytes - address;
}

bool go_target_read(const struct go_target *t, uint64_t address, void *ret, size_t n)
{
	((struct go_target *)(uintptr_t)t)->reads++;
	if (address == t->chunk && t->chunk && n == 8) {
		memcpy(ret, &t->link, 8);
		return true;
	}
	if (!inside(address, n, t->pointers, t->n * 8) && !inside(address, n, t->records, t->n * sizeof(struct record)) &&
	    !inside(address, n, t, sizeof(*t)))
		return false;
	memcpy(ret, (const void *)(uintptr_t)address, n);
	return true;
}

uint64_t go_target_address(const struct go_target *t, enum go_place_id id)
{
	return id == GO_PERSISTENT_CHUNKS && t->chunk ? (uintptr_t)&t->chunk : 0;
}

bool go_target_read_place(const struct go_target *t, enum go_place_id id, void *ret, size_t n)
{
	memset(ret, 0, n);
	if (id != GO_ALLSPANS)
		return false;
	memcpy(ret, t->list, n < sizeof(t->list) ? n : sizeof(t->list));
	return true;
}

size_t go_target_read_each(const struct go_target *t, const uint64_t *addresses, size_t n, size_t size, void *ret)
{
	for (size_t i = 0; i < n; i++)
		if (!go_target_read(t, addresses[i], (char *)ret + i * size, size))
			return i;
	return n;
}

uint64_t go_member_value(const struct go_layout *l, enum go_member_id id, const void *record)
{
	uint64_t v = 0;

	memcpy(&v, (const char *)record + l->member[id].offset, l->member[id].size);
	return v;
}

static struct go_target *made_up(size_t n)
{
	struct go_target *t = calloc(1, sizeof(*t));

	t->n = n;
	t->pointers = calloc(n + 1, 8);
	t->records = calloc(n + 1, sizeof(struct record));
	for (size_t i = 0; i < n; i++)
		t->pointers[i] = (uintptr_t)&t->records[n - 1 - i];
	t->list[0] = (uintptr_t)t->pointers;
	t->list[1] = t->list[2] = n;
	t->layout.place[GO_ALLSPANS].size = 24;
	t->layout.type_size[GO_TYPE_SPAN] = sizeof(struct record);
	t->layout.member[GO_SPAN_START] = (struct go_member){ .offset = offsetof(struct record, start), .size = 8 };
	t->layout.member[GO_SPAN_PAGES] = (struct go_member){ .offset = offsetof(struct record, pages), .size = 8 };
	t->layout.member[GO_SPAN_ELEM_SIZE] = (struct go_member){ .offset = offsetof(struct record, element), .size = 8 };
	t->layout.member[GO_SPAN_ALLOC_COUNT] = (struct go_member){ .offset = offsetof(struct record, count), .size = 2 };
	t->layout.member[GO_SPAN_STATE] = (struct go_member){ .offset = offsetof(struct record, state), .size = 1 };
	return t;
}

static void drop(struct go_target *t)
{
	free(t->pointers);
	free(t->records);
	free(t);
}

/* ---- spans ------------------------------------------------------------------------------------------------------------------------- */

#define HEAP UINT64_C(0xc000000000)

static void spans_are_sorted_whatever_their_order(void **state)
{
	struct go_target *t = made_up(5000);
	struct spans s = { 0 };

	(void)state;
	for (size_t i = 0; i < t->n; i++)
		t->records[i] = (struct record){ HEAP + (i * 2477 % t->n) * 16384, 2, 1024, (uint16_t)(i % 17), i % 5 == 4 ? 0 : i % 5 == 3 ? 2 : 1 };
	assert_int_equal(spans_read(&s, t, NULL), 0);
	assert_int_equal(s.n, 4000);
	assert_int_equal(s.torn_bytes, 0);
	assert_int_equal(s.inuse_bytes, 3000 * 16384);
	for (size_t i = 1; i < s.n; i++)
		assert_true(s.v[i].start >= s.v[i - 1].end);
	assert_int_equal(s.n_blocks, 1);
	assert_true(t->reads < 20);
	spans_done(&s);
	drop(t);
}

static void uses_and_object_bytes(void **state)
{
	const struct record records[] = {
		{ HEAP, 1, 1024, 3, 1 },           /* three of eight */
		{ HEAP + 8192, 1, 48, 999, 1 },    /* more than fit: a torn count */
		{ HEAP + 16384, 4, 32768, 1, 1 },  /* a large object */
		{ HEAP + 49152, 4, 2048, 5, 2 },   /* stacks */
		{ HEAP + 81920, 4, 0, 0, 2 },      /* work buffers */
		{ HEAP + 114688, 1, 0, 0, 3 },     /* free, as 1.13 has it */
	};
	struct go_target *t = made_up(6);
	struct spans s = { 0 };

	(void)state;
	memcpy(t->records, records, sizeof(records));
	assert_int_equal(spans_read(&s, t, NULL), 0);
	assert_int_equal(s.n, 5);
	assert_int_equal(s.v[0].object_bytes, 3072);
	assert_int_equal(s.v[1].object_bytes, 8192 / 48 * 48);
	assert_int_equal(s.v[2].object_bytes, 32768);
	assert_int_equal(s.v[3].use, SPAN_STACKS);
	assert_int_equal(s.v[4].use, SPAN_GC);
	spans_done(&s);
	drop(t);
}

static void nonsense_is_left_out_and_counted(void **state)
{
	struct go_target *t = made_up(7);
	struct spans s = { 0 };

	(void)state;
	t->records[0] = (struct record){ HEAP, 2, 64, 1, 1 };
	t->records[1] = (struct record){ HEAP + 8192, 2, 64, 1, 1 }; /* overlaps by a page */
	t->records[2] = (struct record){ HEAP + 100, 1, 64, 1, 1 };
	t->records[3] = (struct record){ UINT64_MAX - 8191, 2, 64, 1, 1 };
	t->records[4] = (struct record){ HEAP + 65536, UINT64_MAX / 8192, 64, 1, 1 };
	t->pointers[1] = 8; /* leads nowhere: that of records[5] */
	t->pointers[0] = UINT64_MAX - 20;
	assert_int_equal(spans_read(&s, t, NULL), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.torn_bytes, 6 * 8192);
	spans_done(&s);
	drop(t);
}

static void lists_that_lie(void **state)
{
	const uint64_t lists[][3] = {
		{ 0, UINT64_MAX, UINT64_MAX }, { 0, 10, 5 }, { 0, SPANS_MAX + 1, SPANS_MAX + 1 }, { 4096, 1000, 1000 }, { 0, 5, UINT64_MAX },
	};
	struct go_target *t = made_up(1);
	struct spans s = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		cleanup_err struct err err = ERR_INIT;

		memcpy(t->list, lists[i], sizeof(t->list));
		assert_true(spans_read(&s, t, &err) < 0);
	}
	spans_done(&s);
	drop(t);
}

/* ---- claims ------------------------------------------------------------------------------------------------------------------------ */

static void a_list_without_end_ends(void **state)
{
	struct go_target *t = made_up(1);
	struct claims c = { 0 };
	struct spans s = { 0 };
	struct vmas m = { 0 };

	(void)state;
	t->chunk = (uintptr_t)&t->chunk; /* the next chunk of which is itself */
	t->link = t->chunk;
	claims_read(&c, t, &s, &m);
	assert_true(t->reads < 10000);
	assert_int_equal(c.n, 1);
	claims_done(&c);
	drop(t);
}

static void claims_do_not_overlap(void **state)
{
	struct claims c = { 0 };
	struct spans s = { 0 };
	struct vmas m = { 0 };
	struct go_target *t = made_up(1);
	struct range kept[] = { { HEAP, HEAP + 8192 }, { HEAP + 4096, HEAP + 16384 }, { 0, 4096 }, { HEAP * 2, UINT64_MAX } };

	(void)state;
	s.kept = kept;
	s.n_kept = 4;
	claims_read(&c, t, &s, &m);
	assert_int_equal(c.n, 2);
	assert_int_equal(c.v[0].end, c.v[1].start);
	assert_int_equal(c.v[1].end, HEAP + 16384);
	claims_done(&c);
	drop(t);
}

/* ---- mappings and pages of this process -------------------------------------------------------------------------------------------- */

static void mappings_are_told_apart(void **state)
{
	char on_stack = 0, *anonymous = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *shared = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct vmas m = { 0 };

	(void)state;
	assert_int_equal(maps_read(&m, getpid(), NULL), 0);
	assert_int_equal(maps_find(&m, (uintptr_t)&on_stack)->kind, VMA_STACK);
	assert_int_equal(maps_find(&m, (uintptr_t)anonymous)->kind, VMA_ANONYMOUS);
	assert_int_equal(maps_find(&m, (uintptr_t)shared)->kind, VMA_FILE);
	assert_true(maps_find(&m, (uintptr_t)shared)->shared);
	assert_int_equal(maps_find(&m, (uintptr_t)&mappings_are_told_apart)->kind, VMA_FILE);
	assert_null(maps_find(&m, 4096));
	assert_int_equal(maps_find(&m, (uintptr_t)anonymous + MIB - 1)->end % PAGE, 0);
	maps_done(&m);
	munmap(anonymous, MIB);
	munmap(shared, MIB);
}

static uint64_t bytes_in(const struct pages *p, const char *start, size_t n, bool maybe)
{
	uint64_t from = (uintptr_t)start, to = from + n, sum = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].start < to && p->v[i].end > from && p->v[i].maybe == maybe)
			sum += (p->v[i].end < to ? p->v[i].end : to) - (p->v[i].start > from ? p->v[i].start : from);
	return sum;
}

static volatile char sink;

/* Written, read only (pages of zeros), never touched, shared. */
static void resident_pages(void **state)
{
	char *area = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *shared = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool scan = *(bool *)*state, scanned;
	struct vmas m = { 0 };
	struct pages p = { 0 };
	uint64_t sum = 0, statm, rollup;

	(void)madvise(area, 4 * MIB, MADV_NOHUGEPAGE);
	memset(area, 1, MIB);
	memset(shared, 1, MIB / 2);
	for (size_t i = 0; i < MIB; i += PAGE)
		sink = area[2 * MIB + i];
	assert_int_equal(maps_read(&m, getpid(), NULL), 0);
	assert_int_equal(pages_read(&p, getpid(), &m, scan, &scanned, NULL), 0);
	if (scan && !scanned) {
		print_message("prerequisite: Linux 6.7 (PAGEMAP_SCAN)\n");
		skip();
	}
	assert_int_equal(scanned, scan);
	assert_int_equal(bytes_in(&p, area, MIB, false), MIB);
	assert_int_equal(bytes_in(&p, area + MIB, MIB, false) + bytes_in(&p, area + MIB, MIB, true), 0);
	assert_int_equal(bytes_in(&p, area + 2 * MIB, MIB, false), 0);
	assert_int_equal(bytes_in(&p, area + 2 * MIB, MIB, true), scan ? 0 : MIB);
	assert_int_equal(bytes_in(&p, shared, MIB, false), MIB / 2);
	for (size_t i = 0; i < p.n; i++) {
		sum += p.v[i].maybe ? 0 : p.v[i].end - p.v[i].start;
		if (i)
			assert_true(p.v[i].start >= p.v[i - 1].end);
		if (p.v[i].start < (uintptr_t)shared + MIB && p.v[i].end > (uintptr_t)shared)
			assert_true(p.v[i].file);
	}
	/* [vvar] is among them without a scan; sanitizers keep much. */
	statm = pages_statm(getpid());
	assert_true(sum < statm + MIB && sum + MIB > statm);
	rollup = pages_rollup(getpid());
	assert_true(sum < rollup + MIB && sum + MIB > rollup);
	pages_done(&p);
	maps_done(&m);
	munmap(area, 4 * MIB);
	munmap(shared, MIB);
}

static void gone(void **state)
{
	cleanup_err struct err err = ERR_INIT;
	struct vmas m = { 0 };
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(maps_read(&m, pid, &err) < 0);
	assert_non_null(strstr(err_text(&err), "maps"));
	assert_true(pages_statm(pid) == GO_UNKNOWN && pages_rollup(pid) == GO_UNKNOWN);
	maps_done(&m);
}

int main(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	static bool by_pagemap = false;
#endif
	static bool by_scan = true;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_are_sorted_whatever_their_order),
		cmocka_unit_test(uses_and_object_bytes),
		cmocka_unit_test(nonsense_is_left_out_and_counted),
		cmocka_unit_test(lists_that_lie),
		cmocka_unit_test(a_list_without_end_ends),
		cmocka_unit_test(claims_do_not_overlap),
		cmocka_unit_test(mappings_are_told_apart),
		cmocka_unit_test_prestate(resident_pages, &by_scan),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* whose shadow of TB is more than is looked through so */
		cmocka_unit_test_prestate(resident_pages, &by_pagemap),
#endif
		cmocka_unit_test(gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
