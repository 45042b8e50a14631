/* SPDX-License-Identifier: Apache-2.0
 *
 * gopeek - asks gostate/ about one process, for tests: what it answers is one line of JSON.
 *   gopeek PID              counters, settings, layout; or why it is refused (exit code 1)
 *   gopeek PID serve        the same for each line on standard input, from one opening
 *   gopeek PID many N       N looks without a pause: how many were OK, raced, ...; the least and the most of each counter, the largest
 *                           step between two looks, and how often it was less than at the look before
 *   gopeek PID layout       every place and member of the layout, as "NAME which address size"
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "gostate/counters.h"
#include "gostate/target.h"

#define COUNTERS(X) \
	X(heap_inuse_bytes) X(heap_idle_bytes) X(heap_released_bytes) X(stacks_bytes) X(runtime_bytes) X(gc_goal_bytes) X(gc_count) \
	X(goroutines) X(threads_made) X(heap_marked_bytes)
#define COUNTERS_ 10

static const char *const looks[] = { "ok", "early", "raced", "gone" };
static const char *const sources[] = { "dwarf", "symbols", "partial", "none" };
static const char *const refusals[] = { "nothing", "gone", "rights", "not go", "layout" };
#define NAME_(name) #name,
static const char *const names[] = { COUNTERS(NAME_) };

static json_t *size_json(uint64_t v)
{
	return v == GO_UNKNOWN ? json_null() : v == GO_OFF ? json_string("off") : json_integer((json_int_t)v);
}

static void values(const struct go_counters *c, uint64_t v[COUNTERS_])
{
	size_t i = 0;

#define VALUE_(name) v[i++] = c->name;
	COUNTERS(VALUE_)
}

static void print(json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);

	puts(text);
	fflush(stdout);
	free(text);
	json_decref(o);
}

static void print_once(const struct go_target *t)
{
	const struct go_layout *l = go_target_layout(t);
	struct go_counters c;
	struct go_settings s;
	enum go_look look = go_counters_read(t, &c);
	json_t *o = json_pack("{s:s, s:s, s:s, s:b}", "look", looks[look], "source", sources[l->source], "version", l->version, "same",
			      go_target_is_same(t));
	uint64_t v[COUNTERS_];

	values(&c, v);
	for (size_t i = 0; look == GO_LOOK_OK && i < COUNTERS_; i++)
		json_object_set_new(o, names[i], size_json(v[i]));
	go_settings_read(t, &s);
	json_object_set_new(o, "gogc", size_json(s.gogc));
	json_object_set_new(o, "memory_limit_bytes", size_json(s.memory_limit_bytes));
	json_object_set_new(o, "gomaxprocs", size_json(s.gomaxprocs));
	json_object_set_new(o, "madvdontneed", size_json(s.madvdontneed));
	json_object_set_new(o, "cgo", size_json(s.cgo));
	print(o);
}

static void print_many(const struct go_target *t, size_t n)
{
	uint64_t seen[4] = { 0 }, least[COUNTERS_], most[COUNTERS_] = { 0 }, step[COUNTERS_] = { 0 }, fell[COUNTERS_] = { 0 };
	uint64_t before[COUNTERS_] = { 0 }, v[COUNTERS_];
	json_t *o = json_object();

	memset(least, 0xff, sizeof(least));
	for (size_t k = 0; k < n; k++) {
		struct go_counters c;
		enum go_look look = go_counters_read(t, &c);

		seen[look]++;
		if (look == GO_LOOK_GONE)
			break;
		if (look != GO_LOOK_OK)
			continue;
		values(&c, v);
		for (size_t i = 0; i < COUNTERS_; i++) {
			uint64_t d = v[i] > before[i] ? v[i] - before[i] : before[i] - v[i];

			if (seen[0] > 1 && d > step[i])
				step[i] = d;
			fell[i] += v[i] < before[i];
			least[i] = v[i] < least[i] ? v[i] : least[i];
			most[i] = v[i] > most[i] ? v[i] : most[i];
			before[i] = v[i];
		}
	}
	for (int i = 0; i < 4; i++)
		json_object_set_new(o, looks[i], json_integer((json_int_t)seen[i]));
	for (size_t i = 0; seen[0] && i < COUNTERS_; i++)
		json_object_set_new(o, names[i], json_pack("[o, o, o, I]", size_json(least[i]), size_json(most[i]), size_json(step[i]),
							  (json_int_t)fell[i]));
	print(o);
}

#define PLACE_ID_(name, paths) #name,
static void print_layout(const struct go_layout *l)
{
	static const char *const places[] = { GO_PLACES(PLACE_ID_) }, *const members[] = { GO_MEMBERS(PLACE_ID_) };
	json_t *o = json_object();

	for (int i = 0; i < GO_PLACE_COUNT_; i++)
		json_object_set_new(o, places[i], json_pack("[i, I, i]", l->place[i].which, (json_int_t)l->place[i].address, l->place[i].size));
	for (int i = 0; i < GO_MEMBER_COUNT_; i++)
		json_object_set_new(o, members[i], json_pack("[i, i, i]", l->member[i].which, l->member[i].offset, l->member[i].size));
	print(o);
}

int main(int argc, char **argv)
{
	struct err cleanup_err err = ERR_INIT;
	enum go_refusal why;
	struct go_target *t = NULL;
	char line[16];

	if (argc < 2)
		return 2;
	if (go_target_open(atoi(argv[1]), &t, &why, &err) < 0) {
		print(json_pack("{s:s, s:s}", "refused", refusals[why], "text", err_text(&err)));
		return 1;
	}
	if (argc == 4 && !strcmp(argv[2], "many"))
		print_many(t, strtoul(argv[3], NULL, 10));
	else if (argc == 3 && !strcmp(argv[2], "layout"))
		print_layout(go_target_layout(t));
	else if (argc == 3 && !strcmp(argv[2], "serve"))
		while (fgets(line, sizeof(line), stdin))
			print_once(t);
	else
		print_once(t);
	go_target_free(t);
	return 0;
}
