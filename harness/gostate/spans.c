/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/spans.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"

#define KERNEL_PAGE 4096
#define RUN_BYTES 262144 /* of mspans that are read at once; persistentalloc's chunks have as many */
#define SPAN_PAGES_MAX (UINT64_C(1) << 34)
#define ADDRESS_MAX (UINT64_C(1) << 56)
#define STATE_IN_USE 1
#define STATE_MANUAL 2

struct keyed {
	uint64_t key;
	size_t value;
};

static void *grown(void *v, size_t *room, size_t n, size_t size)
{
	if (n <= *room)
		return v;
	*room = n + n / 2 + 64;
	return xreallocarray(v, *room, size);
}

/* Sorts by key, 11 bits a pass; a digit that all share costs no pass. Returns the array that has the result. */
#define DIGIT_BITS 11
#define DIGITS (1u << DIGIT_BITS)
static struct keyed *sort_keyed(struct keyed *v, struct keyed *scratch, size_t n)
{
	uint64_t all_or = 0, all_and = UINT64_MAX;

	for (size_t i = 0; i < n; i++) {
		all_or |= v[i].key;
		all_and &= v[i].key;
	}
	for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
		size_t count[DIGITS] = { 0 }, at = 0;
		struct keyed *other = scratch;

		if (!((all_or ^ all_and) >> shift & (DIGITS - 1)))
			continue;
		for (size_t i = 0; i < n; i++)
			count[v[i].key >> shift & (DIGITS - 1)]++;
		for (size_t d = 0; d < DIGITS; d++) {
			size_t here = count[d];

			count[d] = at;
			at += here;
		}
		for (size_t i = 0; i < n; i++)
			other[count[v[i].key >> shift & (DIGITS - 1)]++] = v[i];
		scratch = v;
		v = other;
	}
	return v;
}

/* ---- the list ---------------------------------------------------------------------------------------------------------------------- */

/* The pointers of mheap_.allspans, into keys. */
static int read_list(struct spans *s, const struct go_target *t, size_t *ret_n, struct err *err)
{
	uint64_t slice[3], *pointers;
	size_t n;

	if (!go_target_read_place(t, GO_ALLSPANS, slice, sizeof(slice)))
		return err_set(err, ESRCH, "the runtime's list of spans cannot be read");
	if (slice[1] > SPANS_MAX || slice[2] < slice[1] || slice[2] > 4 * SPANS_MAX)
		return err_set(err, 0, "the runtime's list of spans has %llu of them: more than memtide reads", (unsigned long long)slice[1]);
	n = slice[1];
	s->array = (struct range){ slice[0], slice[0] + slice[2] * 8 };
	s->bytes = grown(s->bytes, &s->room_bytes, n * sizeof(*pointers), 1);
	pointers = (uint64_t *)(void *)s->bytes;
	if (!go_target_read(t, slice[0], pointers, n * sizeof(*pointers)))
		return -EAGAIN; /* it has just been moved */
	if (n > s->room_keys) {
		s->room_keys = n + n / 2 + 64;
		s->keys = xreallocarray(s->keys, s->room_keys, sizeof(*s->keys));
		s->scratch = xreallocarray(s->scratch, s->room_keys, sizeof(*s->scratch));
	}
	for (size_t i = 0; i < n; i++)
		s->keys[i] = (struct keyed){ pointers[i], i };
	*ret_n = n;
	return 0;
}

static void add_kept(struct spans *s, uint64_t start, uint64_t end)
{
	struct range r = { start & ~(uint64_t)(KERNEL_PAGE - 1), (end + KERNEL_PAGE - 1) & ~(uint64_t)(KERNEL_PAGE - 1) };

	if (s->n_kept && r.start <= s->kept[s->n_kept - 1].end) {
		s->kept[s->n_kept - 1].end = r.end;
		return;
	}
	s->kept = grown(s->kept, &s->room_kept, s->n_kept + 1, sizeof(*s->kept));
	s->kept[s->n_kept++] = r;
}

/* ---- one span ---------------------------------------------------------------------------------------------------------------------- */

static void add_span(struct spans *s, const struct go_layout *l, const char *record)
{
	uint64_t state = go_member_value(l, GO_SPAN_STATE, record) & 0xff, start = go_member_value(l, GO_SPAN_START, record);
	uint64_t pages = go_member_value(l, GO_SPAN_PAGES, record), element = go_member_value(l, GO_SPAN_ELEM_SIZE, record);
	uint64_t count = go_member_value(l, GO_SPAN_ALLOC_COUNT, record), bytes;
	struct span *v;

	if (state == 0)
		return;
	if (start == 0 || start % GO_PAGE_BYTES || start >= ADDRESS_MAX || pages == 0 || pages > SPAN_PAGES_MAX) {
		s->torn_bytes += GO_PAGE_BYTES;
		return;
	}
	bytes = pages * GO_PAGE_BYTES;
	v = &s->v[s->n++]; /* there is room for all */
	*v = (struct span){ .start = start, .end = start + bytes };
	if (state == STATE_IN_USE) {
		v->use = SPAN_OBJECTS;
		v->object_bytes = element && count < bytes / element ? count * element : element ? bytes / element * element : bytes;
	} else if (state == STATE_MANUAL) {
		v->use = element ? SPAN_STACKS : SPAN_GC;
	} else {
		v->use = SPAN_FREE;
	}
}

/* From i on, those that lie near each other. Returns how many; 0: unreadable. */
static size_t read_run(struct spans *s, const struct go_target *t, const struct keyed *k, size_t n)
{
	const struct go_layout *l = go_target_layout(t);
	size_t size = l->type_size[GO_TYPE_SPAN], count = 1;
	uint64_t first = k[0].key, end = first + size;

	while (count < n && k[count].key < end + KERNEL_PAGE && k[count].key + size - first <= RUN_BYTES) {
		end = k[count].key + size;
		count++;
	}
	s->bytes = grown(s->bytes, &s->room_bytes, end - first, 1);
	if (first >= ADDRESS_MAX || !go_target_read(t, first, s->bytes, end - first))
		return 0;
	add_kept(s, first, end);
	for (size_t i = 0; i < count; i++)
		add_span(s, l, s->bytes + (k[i].key - first));
	return count;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------------- */

static void add_blocks(struct spans *s, uint64_t start, uint64_t end)
{
	uint64_t first = start & ~(GO_ARENA_BYTES - 1), last = (end + GO_ARENA_BYTES - 1) & ~(GO_ARENA_BYTES - 1);

	if (s->n_blocks && first <= s->blocks[s->n_blocks - 1].end) {
		if (last > s->blocks[s->n_blocks - 1].end)
			s->blocks[s->n_blocks - 1].end = last;
		return;
	}
	s->blocks = grown(s->blocks, &s->room_blocks, s->n_blocks + 1, sizeof(*s->blocks));
	s->blocks[s->n_blocks++] = (struct range){ first, last };
}

/* Sorts, drops what is free, and of two that overlap keeps the first. */
static void settle(struct spans *s)
{
	struct keyed *k;
	struct span *sorted;
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		s->keys[i] = (struct keyed){ s->v[i].start, i };
	k = sort_keyed(s->keys, s->scratch, s->n);
	s->bytes = grown(s->bytes, &s->room_bytes, s->n * sizeof(*sorted), 1);
	sorted = (struct span *)(void *)s->bytes;
	for (size_t i = 0; i < s->n; i++) {
		struct span span = s->v[k[i].value];

		add_blocks(s, span.start, span.end);
		if (span.use == SPAN_FREE)
			continue;
		if (n && span.start < sorted[n - 1].end) {
			s->torn_bytes += (span.end < sorted[n - 1].end ? span.end : sorted[n - 1].end) - span.start;
			continue;
		}
		if (span.use == SPAN_OBJECTS)
			s->inuse_bytes += span.end - span.start;
		sorted[n++] = span;
	}
	if (n)
		memcpy(s->v, sorted, n * sizeof(*sorted));
	s->n = n;
}

static bool layout_tells(const struct go_layout *l)
{
	return l->place[GO_ALLSPANS].size >= 24 && l->type_size[GO_TYPE_SPAN] > 0 && l->member[GO_SPAN_STATE].size > 0 &&
	       l->member[GO_SPAN_START].size == 8 && l->member[GO_SPAN_PAGES].size == 8 && l->member[GO_SPAN_ELEM_SIZE].size == 8 &&
	       l->member[GO_SPAN_ALLOC_COUNT].size > 0;
}

int spans_read(struct spans *s, const struct go_target *t, struct err *err)
{
	struct keyed *k;
	size_t n = 0;
	int r;

	if (!layout_tells(go_target_layout(t)))
		return err_set(err, 0, "where this binary's runtime keeps its spans is not known");
	s->n = s->n_kept = s->n_blocks = 0;
	s->inuse_bytes = s->torn_bytes = 0;
	r = read_list(s, t, &n, err);
	if (r < 0)
		return r;
	k = sort_keyed(s->keys, s->scratch, n);
	s->v = grown(s->v, &s->room_v, n, sizeof(*s->v));
	for (size_t i = 0, count; i < n; i += count) {
		count = read_run(s, t, k + i, n - i);
		if (!count) {
			s->torn_bytes += GO_PAGE_BYTES;
			count = 1;
		}
	}
	settle(s);
	return 0;
}

void spans_done(struct spans *s)
{
	free(s->v);
	free(s->kept);
	free(s->blocks);
	free(s->keys);
	free(s->scratch);
	free(s->bytes);
	*s = (struct spans){ 0 };
}
