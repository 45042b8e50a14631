/* SPDX-License-Identifier: Apache-2.0
 *
 * What is looked at in a moment that somebody named: goroutines by origin, threads by what they do, the heap profile. Formats:
 * record/FORMAT.md.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/safe_text.h"
#include "base/units.h"
#include "gostate/goroutines.h"
#include "gostate/heap_profile.h"
#include "gostate/symbols.h"
#include "record/record.h"
#include "run/clock.h"
#include "run/inside_parts.h"

#define SNAPSHOTS_MAX  12 /* the last of them at the end */
#define GROUPS_MAX     50
#define PROFILES_MAX   6 /* likewise */
#define GOROUTINE_NS   700   /* what it takes to read one */
#define THREAD_NS      30000 /* likewise */
#define CHEAP_NS       (20 * NS_PER_MS)
#define DEAR_NS        (2 * NS_PER_S)
#define DUTY           10 /* one in so much time may be spent on what is neither cheap nor the last */

/* What the target says of itself: on its way to a terminal, sooner or later. */
static json_t *told_json(const char *text)
{
	cleanup_free char *safe = safe_text(text ? text : "");

	return json_text(safe);
}

static json_t *place_json(json_t *to, const struct code_place *p, const char *function, const char *file, const char *line)
{
	json_object_set_new(to, function, told_json(p->function));
	json_object_set_new(to, file, told_json(p->file));
	json_object_set_new(to, line, json_integer(p->line));
	return to;
}

/* On a virtual clock the target noted its own time. */
static json_t *wait_json(const struct clock *c, const struct goroutine_group *g)
{
	double s = g->oldest_wait_s;

	if (c && c->kind == CLOCK_KIND_VIRTUAL)
		s = g->oldest_since_ns ? (double)(clock_now(c) + c->exec_ns - g->oldest_since_ns) / 1e9 : -1;
	return s < 0 || !isfinite(s) ? json_null() : json_real(s);
}

static json_t *group_json(const struct clock *c, const struct goroutine_group *g)
{
	json_t *o = json_pack("{s:I, s:I, s:s, s:o, s:b, s:o}", "count", (json_int_t)g->count, "stack_bytes", (json_int_t)g->stack_bytes, "state",
			      g->state, "wait", told_json(g->wait), "system", g->system, "oldest_wait_s", wait_json(c, g));

	place_json(o, &g->made, "function", "file", "line");
	return place_json(o, &g->blocked, "blocked_function", "blocked_file", "blocked_line");
}

static json_t *threads_json(const struct go_target *target)
{
	struct thread_look look = { 0 };
	json_t *groups, *ret;

	if (threads_read(target, &look, NULL) < 0)
		return json_null();
	groups = json_array();
	for (size_t i = 0; i < look.n_groups && i < GROUPS_MAX; i++)
		json_array_append_new(groups, json_pack("{s:s, s:o, s:I}", "doing", look.groups[i].doing, "detail", json_text(look.groups[i].detail),
							"count", (json_int_t)look.groups[i].count));
	ret = json_pack("{s:I, s:o}", "total", (json_int_t)look.total, "groups", groups);
	thread_look_done(&look);
	return ret;
}

json_t *inside_goroutines_json(const struct go_target *target, const struct clock *clock, int64_t t_ns, const char *at,
			       const struct goroutine_look *look)
{
	json_t *groups = json_array();
	uint64_t other = 0;

	for (size_t i = 0; i < look->n_groups; i++)
		if (i < GROUPS_MAX)
			json_array_append_new(groups, group_json(clock, &look->groups[i]));
		else
			other += look->groups[i].count;
	return json_pack("{s:f, s:s, s:I, s:I, s:b, s:o, s:I, s:o}", "t_s", (double)t_ns / 1e9, "at", at, "total", (json_int_t)look->total, "seen",
			 (json_int_t)look->seen, "truncated", look->truncated, "groups", groups, "other", (json_int_t)other, "threads",
			 threads_json(target));
}

static double time_of(const json_t *snapshots, size_t i)
{
	return json_real_value(json_object_get(json_array_get(snapshots, i), "t_s"));
}

/* Room for one more: of those between the first and the last, the one goes that leaves the smallest hole. */
static void thin_out(json_t *snapshots)
{
	size_t n = json_array_size(snapshots), least = 1;

	for (size_t i = 1; i + 1 < n; i++)
		if (time_of(snapshots, i + 1) - time_of(snapshots, i - 1) < time_of(snapshots, least + 1) - time_of(snapshots, least - 1))
			least = i;
	json_array_remove(snapshots, least);
}

static void add_snapshot(struct inside *in, json_t *snapshot, bool last)
{
	if (!in->goroutines) {
		in->snapshots = json_array();
		in->goroutines = json_pack("{s:s, s:o}", "format", RECORD_GOROUTINES_FORMAT, "snapshots", in->snapshots);
	}
	json_array_append_new(in->snapshots, snapshot);
	if (json_array_size(in->snapshots) > (last ? SNAPSHOTS_MAX : SNAPSHOTS_MAX - 1))
		thin_out(in->snapshots);
	record_goroutines(in->site.record, in->goroutines);
}

/* The symbols are of use to what comes after, goroutines or not. */
static bool has_symbols(struct inside *in)
{
	if (!in->symbols && symbols_open(in->target, &in->symbols, NULL) < 0)
		in->symbols = NULL;
	return in->symbols;
}

static void look_at_goroutines(struct inside *in, int64_t t_ns, const char *at, bool last)
{
	struct goroutine_look look = { 0 };

	if (goroutines_read(in->target, in->symbols, &look, NULL) < 0)
		return;
	add_snapshot(in, inside_goroutines_json(in->target, in->site.clock, t_ns, at, &look), last);
	goroutine_look_done(&look);
}

static void look_at_heap(struct inside *in, const char *at, bool last)
{
	struct err cleanup_err err = ERR_INIT;
	struct heap_profile profile = { 0 };
	struct timespec now;
	int r;

	if (in->no_profile || in->report.heap_profiles >= (last ? PROFILES_MAX : PROFILES_MAX - 1))
		return;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	r = heap_profile_read(in->target, &profile, &err);
	if (r >= 0) {
		cleanup_free char *path = record_heap_profile_path(in->site.record, in->report.heap_profiles + 1, at);

		r = heap_profile_write(&profile, in->symbols, in->target, now.tv_sec * NS_PER_S + now.tv_nsec, path, &err);
		heap_profile_done(&profile);
	}
	in->no_profile = r == -ENODATA;
	if (r >= 0)
		in->report.heap_profiles++;
	else
		inside_keep_why(in->report.heap_profile_why, &err);
}

void inside_snapshot(struct inside *in, int64_t t_ns, const char *at, bool last)
{
	int64_t begin = clock_monotonic_ns();
	uint64_t guess = in->go_known ? in->last.goroutines * GOROUTINE_NS + in->last.threads_made * THREAD_NS : 0;
	bool worth_it = last ? guess <= DEAR_NS
			     : guess <= CHEAP_NS || (uint64_t)in->spent_ns + guess <= (uint64_t)inside_age_ns(in) / DUTY;

	if (!has_symbols(in))
		return;
	if (worth_it)
		look_at_goroutines(in, t_ns, at, last);
	look_at_heap(in, at, last);
	in->spent_ns += clock_monotonic_ns() - begin;
}
