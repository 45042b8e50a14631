/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gostate/target_parts.h"

#define TRIES 8
/* So far apart two fields are one range: to copy what lies between is cheaper than a range more, for which the kernel takes a lock and finds
 * the page anew. Less than a page, so that no page is read in which no field lies. */
#define NEAR_BYTES 2048
#define PS_AT_ONCE 128
#define PS_MAX 65536
#define ADDRESS_BITS 48 /* no size in a process is larger */

/* ---- where the fields are ---------------------------------------------------------------------------------------------------------- */

static const enum go_place_id places[FIELD_PLACES_] = {
	[FIELD_HEAP_INUSE] = GO_HEAP_INUSE,
	[FIELD_HEAP_FREE] = GO_HEAP_FREE,
	[FIELD_HEAP_IDLE] = GO_HEAP_IDLE,
	[FIELD_HEAP_RELEASED] = GO_HEAP_RELEASED,
	[FIELD_HEAP_SYS] = GO_HEAP_SYS,
	[FIELD_MAPPED_READY] = GO_MAPPED_READY,
	[FIELD_STACKS_INUSE] = GO_STACKS_INUSE,
	[FIELD_STACKS_SYS] = GO_STACKS_SYS,
	[FIELD_MSPAN_SYS] = GO_MSPAN_SYS,
	[FIELD_MCACHE_SYS] = GO_MCACHE_SYS,
	[FIELD_BUCKHASH_SYS] = GO_BUCKHASH_SYS,
	[FIELD_GC_SYS] = GO_GC_SYS,
	[FIELD_OTHER_SYS] = GO_OTHER_SYS,
	[FIELD_GC_COUNT] = GO_GC_COUNT,
	[FIELD_GC_GOAL] = GO_GC_GOAL,
	[FIELD_SWEEP_TRIGGER] = GO_SWEEP_TRIGGER,
	[FIELD_TRIGGERED] = GO_TRIGGERED,
	[FIELD_HEAP_MARKED] = GO_HEAP_MARKED,
	[FIELD_TOTAL_ALLOC] = GO_TOTAL_ALLOC,
	[FIELD_TOTAL_FREE] = GO_TOTAL_FREE,
	[FIELD_MEMORY_LIMIT] = GO_MEMORY_LIMIT,
	[FIELD_ALLGLEN] = GO_ALLGLEN,
	[FIELD_NGSYS] = GO_NGSYS,
	[FIELD_NGFREE] = GO_NGFREE,
	[FIELD_NGFREE_STACK] = GO_NGFREE_STACK,
	[FIELD_NGFREE_NO_STACK] = GO_NGFREE_NO_STACK,
	[FIELD_MNEXT] = GO_MNEXT,
};

static const enum go_member_id stats_members[STATS_PARTS_] = {
	[STATS_COMMITTED_] = GO_STATS_COMMITTED,
	[STATS_RELEASED_] = GO_STATS_RELEASED,
	[STATS_IN_HEAP_] = GO_STATS_IN_HEAP,
	[STATS_IN_STACKS_] = GO_STATS_IN_STACKS,
	[STATS_IN_WORK_BUFS_] = GO_STATS_IN_WORK_BUFS,
	[STATS_IN_PTR_SCALAR_BITS_] = GO_STATS_IN_PTR_SCALAR_BITS,
};

/* Which of them a look cannot do without. */
static const enum counter_field needed_always[] = { FIELD_HEAP_INUSE, FIELD_HEAP_RELEASED, FIELD_STACKS_SYS, FIELD_MSPAN_SYS,
	FIELD_MCACHE_SYS, FIELD_BUCKHASH_SYS, FIELD_GC_SYS, FIELD_OTHER_SYS, FIELD_GC_COUNT, FIELD_GC_GOAL, FIELD_ALLGLEN, FIELD_NGSYS,
	FIELD_MNEXT };
static const enum counter_field needed_1_11[] = { FIELD_HEAP_IDLE, FIELD_HEAP_SYS, FIELD_STACKS_INUSE };
static const enum counter_field needed_1_16[] = { FIELD_HEAP_SYS };
static const enum counter_field needed_1_19[] = { FIELD_HEAP_FREE, FIELD_MAPPED_READY, FIELD_HEAP_MARKED, FIELD_TOTAL_ALLOC,
	FIELD_TOTAL_FREE, FIELD_MEMORY_LIMIT };

struct wanted_field {
	uint64_t address;
	uint8_t size;
	uint8_t field;
};

static bool is_number(uint32_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static int by_address(const void *a, const void *b)
{
	const struct wanted_field *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static size_t wanted_fields(const struct go_layout *l, struct wanted_field *v)
{
	const struct go_place *allp = &l->place[GO_ALLP], *stats = &l->place[GO_HEAP_STATS];
	size_t n = 0;

	for (int i = 0; i < FIELD_PLACES_; i++) {
		const struct go_place *p = &l->place[places[i]];

		if (is_number(p->size))
			v[n++] = (struct wanted_field){ p->address, (uint8_t)p->size, (uint8_t)i };
	}
	if (allp->size == 24) { /* a slice: address, length, room */
		v[n++] = (struct wanted_field){ allp->address, 8, FIELD_ALLP };
		v[n++] = (struct wanted_field){ allp->address + 8, 8, FIELD_ALLP_LEN };
	}
	for (unsigned k = 0; k < STATS_GENERATIONS * STATS_PARTS_; k++) {
		const struct go_member *m = &l->member[stats_members[k % STATS_PARTS_]];
		uint32_t each = l->type_size[GO_TYPE_STATS];

		if (is_number(m->size) && stats->size == STATS_GENERATIONS * each && m->offset < each && each - m->offset >= m->size)
			v[n++] = (struct wanted_field){ stats->address + k / STATS_PARTS_ * each + m->offset, (uint8_t)m->size,
							(uint8_t)(FIELD_STATS_ + k) };
	}
	qsort(v, n, sizeof(v[0]), by_address);
	return n;
}

#define HAS_ALL(plan, needed) has_all(plan, needed, sizeof(needed) / sizeof(needed[0]))

static bool has_all(const struct counter_plan *plan, const enum counter_field *needed, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!plan->field[needed[i]].size)
			return false;
	return true;
}

static bool has_stats(const struct counter_plan *plan)
{
	for (int i = 0; i < STATS_GENERATIONS * STATS_PARTS_; i++)
		if (!plan->field[FIELD_STATS_ + i].size && i % STATS_PARTS_ != STATS_IN_PTR_SCALAR_BITS_) /* gone in 1.27 */
			return false;
	return true;
}

static enum counter_sums sums_of(const struct counter_plan *plan, const struct go_layout *l)
{
	bool free_gs = plan->field[FIELD_NGFREE].size || (plan->field[FIELD_NGFREE_STACK].size && plan->field[FIELD_NGFREE_NO_STACK].size);

	if (!HAS_ALL(plan, needed_always) || !free_gs || !plan->field[FIELD_ALLP].size || !is_number(l->member[GO_P_GFREE].size))
		return SUMS_NONE;
	if (has_stats(plan) && HAS_ALL(plan, needed_1_19))
		return SUMS_1_19;
	if (has_stats(plan) && HAS_ALL(plan, needed_1_16))
		return SUMS_1_16;
	return !l->place[GO_HEAP_STATS].size && HAS_ALL(plan, needed_1_11) ? SUMS_1_11 : SUMS_NONE;
}

void counter_plan_make(struct counter_plan *plan, const struct go_layout *l, uint64_t bias)
{
	struct wanted_field v[FIELDS_];
	size_t n = wanted_fields(l, v);

	*plan = (struct counter_plan){ .minor = l->minor ? l->minor : UINT32_MAX };
	for (size_t i = 0; i < n; i++) {
		struct iovec *last = plan->n_ranges ? &plan->ranges[plan->n_ranges - 1] : NULL;
		uint64_t address = v[i].address + bias, end = last ? (uint64_t)(uintptr_t)last->iov_base + last->iov_len : 0;
		/* Of what is left of the buffer, the fields that are still to come have theirs. */
		size_t left = COUNTER_BYTES_MAX - plan->n_bytes - (n - i) * sizeof(uint64_t);

		if (!last || address < end || address - end > NEAR_BYTES || address - end > left) {
			if (plan->n_ranges == COUNTER_RANGES_MAX || (last && address < end))
				return; /* fields that overlap: no Go binary */
			last = &plan->ranges[plan->n_ranges++];
			*last = (struct iovec){ (void *)(uintptr_t)address, 0 };
			end = address;
		}
		size_t more = address - end + v[i].size;
		plan->field[v[i].field].at = (uint16_t)(plan->n_bytes + (address - end));
		plan->field[v[i].field].size = v[i].size;
		last->iov_len += more;
		plan->n_bytes += more;
	}
	plan->sums = sums_of(plan, l);
}

/* ---- a look ------------------------------------------------------------------------------------------------------------------------ */

struct look {
	const struct counter_plan *plan;
	unsigned char bytes[COUNTER_BYTES_MAX];
	uint64_t allp, n_ps; /* the Ps that each_p is of; n_ps 0: none were read with the rest */
	int32_t each_p[PS_KEPT];
};

/* As each size is a constant, this is a load; a memcpy() of a size that is none is a call, of which a look would have some
 * sixty. */
static inline uint64_t number(const void *at, size_t size)
{
	uint64_t of_8;
	uint32_t of_4;
	uint16_t of_2;

	switch (size) {
	case 8:
		memcpy(&of_8, at, sizeof(of_8));
		return of_8;
	case 4:
		memcpy(&of_4, at, sizeof(of_4));
		return of_4;
	case 2:
		memcpy(&of_2, at, sizeof(of_2));
		return of_2;
	case 1:
		return *(const uint8_t *)at;
	default: /* the release has none */
		return 0;
	}
}

static uint64_t value(const struct look *k, unsigned field)
{
	return number(k->bytes + k->plan->field[field].at, k->plan->field[field].size);
}

/* Over the three generations: each holds differences, which may be below zero; modulo 2^64 their sum is right. */
static uint64_t stats_sum(const struct look *k, enum stats_part part)
{
	uint64_t sum = 0;

	for (unsigned g = 0; g < STATS_GENERATIONS; g++) {
		const unsigned field = FIELD_STATS_ + g * STATS_PARTS_ + part;

		sum += k->plan->field[field].size == 4 ? (uint64_t)(int32_t)value(k, field) : value(k, field);
	}
	return sum;
}

/* readMemStats_m of each release (runtime/mstats.go) adds up the same, and from 1.16 on ends the program where it does not fit. A
 * reader of runtime/metrics who turns the generations counts one of them double for a moment: so these sums do not fit either. */
static bool memory_fits(const struct look *k, struct go_counters *ret)
{
	uint64_t inuse = value(k, FIELD_HEAP_INUSE), released = value(k, FIELD_HEAP_RELEASED), sys = value(k, FIELD_HEAP_SYS);
	uint64_t own = value(k, FIELD_STACKS_SYS) + value(k, FIELD_MSPAN_SYS) + value(k, FIELD_MCACHE_SYS) + value(k, FIELD_BUCKHASH_SYS) +
		       value(k, FIELD_GC_SYS) + value(k, FIELD_OTHER_SYS);

	if (k->plan->sums == SUMS_1_11) {
		uint64_t idle = value(k, FIELD_HEAP_IDLE);

		ret->heap_idle_bytes = idle - released;
		ret->stacks_bytes = value(k, FIELD_STACKS_INUSE);
		if (inuse + idle != sys || released > idle)
			return false;
	} else {
		uint64_t kept = k->plan->sums == SUMS_1_19 ? inuse + value(k, FIELD_HEAP_FREE) : sys - released;
		uint64_t others = stats_sum(k, STATS_IN_WORK_BUFS_) + stats_sum(k, STATS_IN_PTR_SCALAR_BITS_);

		ret->heap_idle_bytes = kept - inuse;
		ret->stacks_bytes = stats_sum(k, STATS_IN_STACKS_);
		own += others;
		if (stats_sum(k, STATS_IN_HEAP_) != inuse || stats_sum(k, STATS_RELEASED_) != released ||
		    stats_sum(k, STATS_COMMITTED_) - ret->stacks_bytes - others != kept || kept < inuse)
			return false;
	}
	ret->heap_inuse_bytes = inuse;
	ret->heap_released_bytes = released;
	ret->runtime_bytes = own;
	return !((inuse | released | ret->heap_idle_bytes | ret->stacks_bytes | own) >> ADDRESS_BITS);
}

/* memoryLimitHeapGoal of runtime/mgcpacer.go. false: it raced. */
static bool goal_of_limit(const struct look *k, uint64_t *ret)
{
	const uint64_t mib = 1 << 20;
	uint64_t limit = value(k, FIELD_MEMORY_LIMIT), mapped = value(k, FIELD_MAPPED_READY), marked = value(k, FIELD_HEAP_MARKED);
	uint64_t heap = value(k, FIELD_HEAP_FREE) + value(k, FIELD_TOTAL_ALLOC) - value(k, FIELD_TOTAL_FREE);
	uint64_t others, over = mapped > limit ? mapped - limit : 0, goal, headroom;

	if (heap > mapped || limit > INT64_MAX)
		return false;
	others = mapped - heap;
	*ret = marked;
	if (others + over >= limit)
		return true;
	goal = limit - (others + over);
	headroom = k->plan->minor >= 21 && goal / 100 * 3 > mib ? goal / 100 * 3 : mib;
	goal = goal < headroom || goal - headroom < headroom ? headroom : goal - headroom;
	if (goal > marked)
		*ret = goal;
	return true;
}

/* heapGoalInternal of runtime/mgcpacer.go from 1.19 on; before, the number as it stands. */
static bool goal_fits(const struct look *k, uint64_t *ret)
{
	const uint64_t runway = 64 << 10;
	uint64_t goal = value(k, FIELD_GC_GOAL), by_limit;

	*ret = goal;
	if (k->plan->sums != SUMS_1_19)
		return true;
	if (goal == UINT64_MAX && value(k, FIELD_MEMORY_LIMIT) == INT64_MAX)
		return true; /* GO_UNKNOWN: off, and no limit */
	if (!goal_of_limit(k, &by_limit))
		return false;
	if (by_limit < goal) {
		*ret = by_limit;
		return true;
	}
	if (k->plan->field[FIELD_SWEEP_TRIGGER].size && value(k, FIELD_SWEEP_TRIGGER) > goal)
		goal = value(k, FIELD_SWEEP_TRIGGER);
	if (k->plan->field[FIELD_TRIGGERED].size) {
		uint64_t triggered = value(k, FIELD_TRIGGERED);

		if (triggered != UINT64_MAX && goal < triggered + runway)
			goal = triggered + runway;
	}
	*ret = goal;
	return true;
}

/* gcount of runtime/proc.go, without what the Ps keep. Numbers of 4 bytes there. */
static int64_t goroutines_but_ps(const struct look *k)
{
	int64_t n = (int64_t)value(k, FIELD_ALLGLEN) - (int32_t)value(k, FIELD_NGSYS);

	if (k->plan->field[FIELD_NGFREE].size)
		return n - (int32_t)value(k, FIELD_NGFREE);
	return n - (int32_t)value(k, FIELD_NGFREE_STACK) - (int32_t)value(k, FIELD_NGFREE_NO_STACK);
}

/* Ps as they were kept, if no one writes them just now. A sequence lock: what is read is ordered before the second look at the version,
 * what is written behind the first step of it, without fences, which the thread sanitizer does not know. */
static size_t kept_ps(const struct go_target *t, struct look *k, uint64_t *ps)
{
	uint32_t version = t->ps ? atomic_load_explicit(&t->ps->version, memory_order_acquire) : 1;

	k->n_ps = 0;
	if (version % 2)
		return 0;
	k->allp = atomic_load_explicit(&t->ps->allp, memory_order_acquire);
	uint64_t n = atomic_load_explicit(&t->ps->n, memory_order_acquire);
	for (uint64_t i = 0; i < n && i < PS_KEPT; i++)
		ps[i] = atomic_load_explicit(&t->ps->ps[i], memory_order_acquire);
	if (n <= PS_KEPT && atomic_load_explicit(&t->ps->version, memory_order_relaxed) == version)
		k->n_ps = n;
	return k->n_ps;
}

static void keep_ps(const struct go_target *t, uint64_t allp, uint64_t n, const uint64_t *ps)
{
	uint32_t version = t->ps ? atomic_load_explicit(&t->ps->version, memory_order_relaxed) : 1;

	if (n > PS_KEPT || version % 2 || !atomic_compare_exchange_strong(&t->ps->version, &version, version + 1))
		return;
	atomic_store_explicit(&t->ps->allp, allp, memory_order_release);
	atomic_store_explicit(&t->ps->n, n, memory_order_release);
	for (uint64_t i = 0; i < n; i++)
		atomic_store_explicit(&t->ps->ps[i], ps[i], memory_order_release);
	atomic_store_explicit(&t->ps->version, version + 2, memory_order_release);
}

/* All fields and, where the Ps are known, what each of them keeps: one call. */
static bool read_all(const struct go_target *t, struct look *k)
{
	const struct counter_plan *plan = k->plan;
	const struct go_member *m = &t->layout->member[GO_P_GFREE];
	struct iovec there[COUNTER_RANGES_MAX + PS_KEPT];
	uint64_t ps[PS_KEPT];
	size_t n = kept_ps(t, k, ps), bytes = n * sizeof(k->each_p[0]);
	struct iovec here[2] = { { k->bytes, plan->n_bytes }, { k->each_p, bytes } };

	memcpy(there, plan->ranges, plan->n_ranges * sizeof(there[0]));
	for (size_t i = 0; i < n; i++)
		there[plan->n_ranges + i] = (struct iovec){ (void *)(uintptr_t)(ps[i] + m->offset), sizeof(k->each_p[0]) };
	ssize_t got = process_vm_readv(t->pid, here, n ? 2 : 1, there, plan->n_ranges + n, 0);
	if (got >= 0 && (size_t)got < plan->n_bytes + bytes)
		k->n_ps = 0; /* the Ps are where they were no longer */
	if (got >= 0)
		errno = EFAULT; /* in part */
	return got >= (ssize_t)plan->n_bytes;
}

/* The free Gs that each P keeps. They move between it and the common list, 32 at a time: as runtime.NumGoroutine itself does, a look
 * at just that moment counts them in neither or both. */
static bool free_gs_of_ps(const struct go_target *t, const struct look *k, int64_t *ret)
{
	const struct go_member *m = &t->layout->member[GO_P_GFREE];
	uint64_t allp = value(k, FIELD_ALLP), n = value(k, FIELD_ALLP_LEN);

	*ret = 0;
	if (m->size != sizeof(int32_t) || n > PS_MAX)
		return false;
	if (n == k->n_ps && allp == k->allp) {
		for (size_t i = 0; i < n; i++)
			*ret += k->each_p[i];
		return true;
	}
	while (n > 0) {
		uint64_t ps[PS_AT_ONCE];
		int32_t each[PS_AT_ONCE];
		size_t count = n < PS_AT_ONCE ? n : PS_AT_ONCE;

		if (!go_target_read(t, allp, ps, count * sizeof(ps[0])))
			return false;
		if (n == value(k, FIELD_ALLP_LEN))
			keep_ps(t, allp, n, ps);
		for (size_t i = 0; i < count; i++)
			ps[i] += m->offset;
		if (go_target_read_each(t, ps, count, sizeof(each[0]), each) != count)
			return false;
		for (size_t i = 0; i < count; i++)
			*ret += each[i];
		allp += count * sizeof(ps[0]);
		n -= count;
	}
	return true;
}

/* gcMark of runtime/mgc.go sets it when all is marked; before the first time it is made up, to begin with a trigger (gcinit). Go 1.11 and 1.12
 * make it up anew while a collection of less than 4 MB runs (startCycle). */
static uint64_t heap_marked(const struct look *k)
{
	uint64_t marked = k->plan->field[FIELD_HEAP_MARKED].size ? value(k, FIELD_HEAP_MARKED) : GO_UNKNOWN;

	return value(k, FIELD_GC_COUNT) == 0 || marked >> ADDRESS_BITS ? GO_UNKNOWN : marked;
}

static enum go_look look_once(const struct go_target *t, struct look *k, struct go_counters *ret)
{
	int64_t n, free_gs;

	/* Short of memory under pressure it cannot be read for a moment: that is not its end. */
	if (!read_all(t, k))
		return errno == ENOMEM || errno == EINTR ? GO_LOOK_RACED : GO_LOOK_GONE;
	/* schedinit of runtime/proc.go makes the Ps last, newproc then the first goroutine. */
	if (!value(k, FIELD_ALLP_LEN) || !value(k, FIELD_ALLGLEN) || !value(k, FIELD_MNEXT))
		return GO_LOOK_EARLY;
	if (!memory_fits(k, ret) || !goal_fits(k, &ret->gc_goal_bytes) || !free_gs_of_ps(t, k, &free_gs))
		return GO_LOOK_RACED;
	n = goroutines_but_ps(k) - free_gs;
	ret->gc_count = value(k, FIELD_GC_COUNT);
	ret->goroutines = (uint64_t)n;
	ret->threads_made = value(k, FIELD_MNEXT);
	ret->heap_marked_bytes = heap_marked(k);
	return n < 1 || value(k, FIELD_ALLGLEN) > UINT32_MAX || ret->threads_made > UINT32_MAX ? GO_LOOK_RACED : GO_LOOK_OK;
}

enum go_look go_counters_read(const struct go_target *t, struct go_counters *ret)
{
	struct look k;
	struct go_counters c;
	enum go_look look = GO_LOOK_RACED;

	k.plan = &t->counters;

	for (int i = 0; i < TRIES && look == GO_LOOK_RACED; i++)
		look = look_once(t, &k, &c);
	if (look == GO_LOOK_OK)
		*ret = c;
	return look;
}

/* ---- settings ---------------------------------------------------------------------------------------------------------------------- */

static bool read_number(const struct go_target *t, enum go_place_id id, uint64_t *ret)
{
	uint32_t size = t->layout->place[id].size;

	return is_number(size) && go_target_read_place(t, id, ret, sizeof(*ret));
}

void go_settings_read(const struct go_target *t, struct go_settings *ret)
{
	uint64_t v;

	*ret = (struct go_settings){ GO_UNKNOWN, GO_UNKNOWN, GO_UNKNOWN, GO_UNKNOWN, GO_UNKNOWN };
	/* Set last by schedinit: before, the others are not set either. */
	if (!read_number(t, GO_GOMAXPROCS, &v) || v == 0 || v > INT32_MAX)
		return;
	ret->gomaxprocs = v;
	if (read_number(t, GO_GC_PERCENT, &v))
		ret->gogc = (int32_t)v < 0 ? GO_OFF : v;
	if (read_number(t, GO_MEMORY_LIMIT, &v) && v <= INT64_MAX)
		ret->memory_limit_bytes = v == INT64_MAX ? GO_OFF : v;
	if (read_number(t, GO_MADVDONTNEED, &v))
		ret->madvdontneed = v != 0;
	else if (t->layout->minor == 11)
		ret->madvdontneed = 1; /* MADV_FREE came with 1.12 */
	if (read_number(t, GO_IS_CGO, &v))
		ret->cgo = v != 0;
}
