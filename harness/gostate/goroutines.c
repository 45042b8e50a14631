/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/goroutines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "gostate/stackwalk.h"

#define POINTERS_AT_ONCE 4096
#define RECORDS_AT_ONCE 512
#define STACK_MAX_BYTES (2ULL << 30) /* of one goroutine; the runtime's own limit is 1 GB */
#define REASONS_MAX 128
#define STARTS_MAX 8192              /* functions that goroutines begin with, twice as many as groups */
#define SAMPLES 5                    /* goroutines of a group that are asked where they are parked */
#define BLOCKED_GROUPS_MAX 256       /* the biggest groups are asked */
#define BUCKETS 16384                /* of the hash table: a power of two, above twice the groups */

/* runtime/runtime2.go: _Gidle and so on. */
#define STATUS_SCAN 0x1000
#define STATUS_IDLE 0
#define STATUS_WAITING 4
#define STATUS_DEAD 6
#define STATUS_DEAD_EXTRA 11
static const char *const states[] = { "idle", "runnable", "running", "system call", "waiting", "moribund", "dead", "enqueue",
	"copying its stack", "preempted", "leaked", "dead" };
#define STATES (sizeof(states) / sizeof(states[0]))

struct key {
	uint64_t gopc;
	uint8_t status, reason;
	bool system;
};

/* What a goroutine's record told, as far as it is needed again. */
struct parked {
	uint64_t pc, sp, hi;
};

struct tally {
	struct key key;
	uint64_t count, stack_bytes, start_pc;
	uint64_t since; /* the oldest waitsince; 0: none has one */
	struct parked sample[SAMPLES];
};

struct start {
	uint64_t pc;
	bool known, system;
};

struct reading {
	const struct go_target *t;
	const struct symbols *sym;
	const struct go_layout *layout;
	struct tally *tallies; /* owned */
	size_t n, bad;
	uint32_t bucket[BUCKETS]; /* a tally's number + 1 */
	struct start starts[STARTS_MAX];
	char reasons[REASONS_MAX][sizeof(((struct goroutine_group *)0)->wait)];
	size_t record_size;
	uint64_t alive;
	bool truncated;
};

/* ---- one goroutine ---------------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0x9e3779b97f4a7c15ULL;
	return x ^ x >> 29;
}

/* As runtime.isSystemGoroutine says when the goroutine is made, which is what NumGoroutine counts by. */
static bool is_system_start(const struct symbols *sym, uint64_t pc)
{
	const char *name = symbols_function(sym, pc);

	return !strncmp(name, "runtime.", 8) && strcmp(name, "runtime.main") != 0 && strcmp(name, "runtime.corostart") != 0 &&
	       strcmp(name, "runtime.handleAsyncEvent") != 0;
}

static bool is_system(struct reading *r, uint64_t pc)
{
	for (uint64_t i = mix(pc), tries = 0; tries < 64; i++, tries++) {
		struct start *s = &r->starts[i % STARTS_MAX];

		if (!s->known)
			*s = (struct start){ pc, true, is_system_start(r->sym, pc) };
		if (s->pc == pc)
			return s->system;
	}
	return is_system_start(r->sym, pc);
}

static struct tally *tally_of(struct reading *r, const struct key *key)
{
	uint64_t i = mix(key->gopc ^ (uint64_t)key->status << 56 ^ (uint64_t)key->reason << 48 ^ (uint64_t)key->system << 47);

	for (;; i++) {
		uint32_t *at = &r->bucket[i % BUCKETS];
		struct tally *t;

		if (*at == 0) {
			if (r->n == GOROUTINE_GROUPS_MAX)
				return NULL;
			t = &r->tallies[r->n++];
			*at = (uint32_t)r->n;
			t->key = *key;
			return t;
		}
		t = &r->tallies[*at - 1];
		if (t->key.gopc == key->gopc && t->key.status == key->status && t->key.reason == key->reason && t->key.system == key->system)
			return t;
	}
}

static uint64_t value_or(const struct reading *r, enum go_member_id id, const void *record, uint64_t missing)
{
	uint64_t v = go_member_value(r->layout, id, record);

	return v == GO_UNKNOWN ? missing : v;
}

static void count(struct reading *r, const void *record)
{
	uint64_t status = value_or(r, GO_G_STATUS, record, STATES) & ~(uint64_t)STATUS_SCAN;
	uint64_t lo = value_or(r, GO_G_STACK_LO, record, 0), hi = value_or(r, GO_G_STACK_HI, record, 0);
	uint64_t start = value_or(r, GO_G_START_PC, record, 0), since;
	struct key key = { value_or(r, GO_G_GOPC, record, 0), (uint8_t)status, 0, false };
	struct tally *t;

	/* One that has ended keeps its record for the next. */
	if (status == STATUS_DEAD || status == STATUS_DEAD_EXTRA)
		return;
	if (status == STATUS_IDLE || status >= STATES || !lo || hi <= lo || hi - lo > STACK_MAX_BYTES) {
		r->bad++;
		return;
	}
	if (status == STATUS_WAITING)
		key.reason = (uint8_t)value_or(r, GO_G_WAIT_REASON, record, 0);
	key.system = is_system(r, start);
	r->alive += !key.system;
	t = tally_of(r, &key);
	if (!t) {
		r->truncated = true;
		return;
	}
	since = status == STATUS_WAITING ? value_or(r, GO_G_WAIT_SINCE, record, 0) : 0;
	if (since && (!t->since || since < t->since))
		t->since = since;
	/* Samples from all over the list: the first few, then each one that doubles the count. */
	if (t->count < SAMPLES || (t->count & (t->count - 1)) == 0)
		t->sample[t->count < SAMPLES ? t->count : (size_t)__builtin_ctzll(t->count) % SAMPLES] = (struct parked){
			value_or(r, GO_G_SCHED_PC, record, 0), value_or(r, GO_G_SCHED_SP, record, 0), hi };
	if (!t->count)
		t->start_pc = start;
	t->count++;
	t->stack_bytes += hi - lo;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------------ */

struct list {
	uint64_t array, length, capacity; /* runtime.allgs */
};

/* The bytes of a record up to the last member that is looked at. */
static size_t record_size(const struct go_layout *l)
{
	static const enum go_member_id used[] = { GO_G_STATUS, GO_G_STACK_LO, GO_G_STACK_HI, GO_G_GOPC, GO_G_START_PC, GO_G_WAIT_REASON,
		GO_G_WAIT_SINCE, GO_G_SCHED_PC, GO_G_SCHED_SP };
	size_t size = 0;

	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++) {
		const struct go_member *m = &l->member[used[i]];

		if (m->size && m->offset + m->size > size)
			size = m->offset + m->size;
	}
	return size <= 4096 ? size : 0;
}

static void count_records(struct reading *r, const uint64_t *pointers, size_t n, unsigned char *records)
{
	for (size_t at = 0; at < n;) {
		size_t want = n - at < RECORDS_AT_ONCE ? n - at : RECORDS_AT_ONCE;
		size_t got = go_target_read_each(r->t, pointers + at, want, r->record_size, records);

		for (size_t i = 0; i < got; i++)
			count(r, records + i * r->record_size);
		at += got;
		/* One that is not there: skipped, and noted. */
		if (got < want) {
			r->bad++;
			at++;
			if (r->bad > 1000 && !go_target_is_same(r->t))
				return;
		}
	}
}

/* The pointers of a part of the list. It moves when it grows, and what lay in its old place may be something else by now: then anew. */
static bool read_pointers(const struct reading *r, struct list *list, uint64_t at, size_t n, uint64_t *ret)
{
	for (int tries = 0; tries < 8; tries++) {
		struct list now;
		bool whole = go_target_read(r->t, list->array + at * 8, ret, n * 8);

		if (!go_target_read_place(r->t, GO_ALLGS, &now, sizeof(now)))
			return false;
		if (whole && now.array == list->array)
			return true;
		if (!whole && now.array == list->array)
			return false;
		*list = now;
	}
	return false;
}

static int read_all(struct reading *r, uint64_t *ret_seen, struct err *err)
{
	struct list list;
	cleanup_free uint64_t *pointers = xcalloc(POINTERS_AT_ONCE, sizeof(*pointers));
	cleanup_free unsigned char *records = xcalloc(RECORDS_AT_ONCE, r->record_size);
	uint64_t length;

	if (!go_target_read_place(r->t, GO_ALLGS, &list, sizeof(list)) || !go_target_read_place(r->t, GO_ALLGLEN, &length, sizeof(length)))
		return err_set(err, ESRCH, "read the goroutines of process %d", (int)go_target_pid(r->t));
	if (length > list.capacity || list.capacity > UINT64_MAX / 16) {
		/* allgs is set before allglen: read again in this order. */
		if (!go_target_read_place(r->t, GO_ALLGS, &list, sizeof(list)) || length > list.capacity)
			return err_set(err, 0, "process %d: its list of goroutines makes no sense", (int)go_target_pid(r->t));
	}
	if (length > GOROUTINES_MAX) {
		length = GOROUTINES_MAX;
		r->truncated = true;
	}
	for (uint64_t at = 0; at < length;) {
		size_t n = length - at < POINTERS_AT_ONCE ? length - at : POINTERS_AT_ONCE;

		if (!read_pointers(r, &list, at, n, pointers)) {
			r->truncated = true;
			break;
		}
		count_records(r, pointers, n, records);
		at += n;
		*ret_seen = at;
	}
	if (r->bad > 0 && r->bad >= *ret_seen / 1000)
		r->truncated = true;
	*ret_seen -= r->bad < *ret_seen ? r->bad : *ret_seen;
	if (!go_target_is_same(r->t))
		return err_set(err, ESRCH, "read the goroutines of process %d", (int)go_target_pid(r->t));
	return 0;
}

/* ---- in words --------------------------------------------------------------------------------------------------------------------- */

/* The runtime's own words, which are numbered anew in most releases. */
static void read_reasons(struct reading *r)
{
	uint64_t strings[REASONS_MAX][2];
	size_t n = r->layout->place[GO_WAIT_REASONS].size / sizeof(strings[0]);

	if (n > REASONS_MAX)
		n = REASONS_MAX;
	if (n == 0 || !go_target_read_place(r->t, GO_WAIT_REASONS, strings, n * sizeof(strings[0])))
		return;
	for (size_t i = 0; i < n; i++) {
		size_t len = strings[i][1] < sizeof(r->reasons[i]) ? strings[i][1] : sizeof(r->reasons[i]) - 1;

		if (!len || !go_target_read(r->t, strings[i][0], r->reasons[i], len))
			len = 0;
		r->reasons[i][len] = '\0';
		for (char *c = r->reasons[i]; *c; c++)
			if (*c < ' ' || *c > '~')
				*c = '?';
	}
}

/* The target's CLOCK_MONOTONIC now, its time namespace minded. */
static int64_t target_now_ns(pid_t pid)
{
	struct timespec now;
	char path[64], name[32];
	long long s, ns, offset = 0;
	FILE *f;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(path, sizeof(path), "/proc/%d/timens_offsets", (int)pid);
	f = fopen(path, "re");
	while (f && fscanf(f, "%31s %lld %lld", name, &s, &ns) == 3)
		if (!strcmp(name, "monotonic"))
			offset += s * NS_PER_S + ns;
	if (f)
		(void)fclose(f);
	f = fopen("/proc/self/timens_offsets", "re");
	while (f && fscanf(f, "%31s %lld %lld", name, &s, &ns) == 3)
		if (!strcmp(name, "monotonic"))
			offset -= s * NS_PER_S + ns;
	if (f)
		(void)fclose(f);
	return now.tv_sec * NS_PER_S + now.tv_nsec + offset;
}

static bool same_place(const struct code_place *a, const struct code_place *b)
{
	return a->line == b->line && !strcmp(a->function, b->function) && !strcmp(a->file, b->file);
}

/* What most of the samples say. */
static struct code_place parked_place(const struct reading *r, const struct tally *t)
{
	struct code_place places[SAMPLES], best = CODE_PLACE_NONE;
	int votes[SAMPLES] = { 0 }, most = 0, n = t->count < SAMPLES ? (int)t->count : SAMPLES;

	for (int i = 0; i < n; i++) {
		const struct parked *p = &t->sample[i];

		places[i] = p->pc && p->sp < p->hi ? stack_parked_at(r->t, r->sym, p->pc, p->sp, p->hi) : CODE_PLACE_NONE;
		for (int k = 0; k <= i; k++)
			if (same_place(&places[k], &places[i])) {
				votes[k]++;
				break;
			}
	}
	for (int i = 0; i < n; i++)
		if (places[i].function[0] && votes[i] > most) {
			most = votes[i];
			best = places[i];
		}
	return best;
}

static struct code_place made_place(const struct reading *r, const struct tally *t)
{
	/* The first goroutine is made by assembly. */
	if (!t->key.gopc || !strcmp(symbols_function(r->sym, t->start_pc), "runtime.main"))
		return symbols_place(r->sym, t->start_pc);
	return symbols_place(r->sym, t->key.gopc - 1);
}

static int by_count(const void *a, const void *b)
{
	const struct tally *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->key.gopc < y->key.gopc ? -1 : x->key.gopc > y->key.gopc;
}

/* "running" has no place to tell: its registers are not in its record. */
static bool has_parked(uint8_t status)
{
	return strcmp(states[status], "running") != 0 && strcmp(states[status], "copying its stack") != 0;
}

static void tell(struct reading *r, struct goroutine_look *ret)
{
	int64_t now = target_now_ns(go_target_pid(r->t));

	qsort(r->tallies, r->n, sizeof(r->tallies[0]), by_count);
	ret->groups = xcalloc(r->n ? r->n : 1, sizeof(ret->groups[0]));
	ret->n_groups = r->n;
	for (size_t i = 0; i < r->n; i++) {
		const struct tally *t = &r->tallies[i];
		struct goroutine_group *g = &ret->groups[i];

		g->made = made_place(r, t);
		g->blocked = i < BLOCKED_GROUPS_MAX && has_parked(t->key.status) ? parked_place(r, t) : CODE_PLACE_NONE;
		g->state = states[t->key.status];
		if (t->key.status == STATUS_WAITING && t->key.reason < REASONS_MAX)
			memcpy(g->wait, r->reasons[t->key.reason], sizeof(g->wait));
		g->count = t->count;
		g->stack_bytes = t->stack_bytes;
		g->oldest_wait_s = t->since && t->since <= (uint64_t)now ? (double)(now - (int64_t)t->since) / NS_PER_S : -1;
		g->oldest_since_ns = t->since <= INT64_MAX ? (int64_t)t->since : 0;
		g->system = t->key.system;
	}
}

int goroutines_read(const struct go_target *t, const struct symbols *sym, struct goroutine_look *ret, struct err *err)
{
	cleanup_free struct reading *r = xcalloc(1, sizeof(*r));
	uint64_t seen = 0;
	int failed;

	r->t = t;
	r->sym = sym;
	r->layout = go_target_layout(t);
	r->record_size = record_size(r->layout);
	if (!go_target_address(t, GO_ALLGS) || !go_target_address(t, GO_ALLGLEN) || !r->layout->member[GO_G_STATUS].size || !r->record_size)
		return err_set(err, 0, "process %d: its binary does not tell where its goroutines are", (int)go_target_pid(t));
	r->tallies = xcalloc(GOROUTINE_GROUPS_MAX, sizeof(r->tallies[0]));
	failed = read_all(r, &seen, err);
	if (!failed) {
		read_reasons(r);
		*ret = (struct goroutine_look){ .total = r->alive, .seen = seen, .truncated = r->truncated };
		tell(r, ret);
	}
	free(r->tallies);
	return failed;
}

void goroutine_look_done(struct goroutine_look *look)
{
	free(look->groups);
	*look = (struct goroutine_look){ 0 };
}
