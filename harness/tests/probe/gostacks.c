/* SPDX-License-Identifier: Apache-2.0
 *
 * gostacks WHAT PID ... - what is read of a live Go process' code and goroutines, as JSON; for the tests and the bench.
 *   symbols PID             of each pc on standard input (hexadecimal, one a line; an address inside the instruction): its frames
 *   goroutines PID          goroutines_read(), and the milliseconds, real and of the CPU, that it took
 *   threads PID             threads_read()
 *   heap PID FILE           heap_profile_read(), written to FILE; or why there is none
 *   where PID               addresses of what is read, and offsets of members
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "gostate/goroutines.h"
#include "gostate/heap_profile.h"
#include "gostate/symbols.h"
#include "gostate/target.h"

static void fail(struct err *err)
{
	fprintf(stderr, "gostacks: %s\n", err_text(err));
	exit(1);
}

static double ms_of(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static json_t *place_json(const struct code_place *p)
{
	return json_pack("{s:o, s:o, s:i}", "function", json_text(p->function), "file", json_text(p->file), "line", (int)p->line);
}

static json_t *symbols_json(const struct symbols *sym)
{
	json_t *all = json_array();
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		struct code_place frames[64];
		uint64_t pc = strtoull(line, NULL, 16);
		size_t n = symbols_frames(sym, pc, frames, 64);
		json_t *list = json_array();

		for (size_t i = 0; i < n; i++) {
			json_t *place = place_json(&frames[i]);

			json_object_set_new(place, "standard", json_boolean(symbols_is_standard(sym, &frames[i])));
			json_array_append_new(list, place);
		}
		json_array_append_new(all, list);
	}
	return all;
}

static json_t *goroutines_json(const struct go_target *t, const struct symbols *sym, struct err *err)
{
	struct goroutine_look look;
	double start = ms_of(CLOCK_MONOTONIC), cpu = ms_of(CLOCK_PROCESS_CPUTIME_ID);
	json_t *groups = json_array(), *all;

	if (goroutines_read(t, sym, &look, err) < 0)
		fail(err);
	start = ms_of(CLOCK_MONOTONIC) - start;
	cpu = ms_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	for (size_t i = 0; i < look.n_groups; i++) {
		const struct goroutine_group *g = &look.groups[i];

		json_array_append_new(groups, json_pack("{s:o, s:o, s:s, s:o, s:I, s:I, s:f, s:b}", "made", place_json(&g->made), "blocked",
			place_json(&g->blocked), "state", g->state, "wait", json_text(g->wait), "count", (json_int_t)g->count,
			"stack_bytes", (json_int_t)g->stack_bytes, "oldest_wait_s", g->oldest_wait_s, "system", g->system));
	}
	all = json_pack("{s:I, s:I, s:b, s:o, s:f, s:f}", "total", (json_int_t)look.total, "seen", (json_int_t)look.seen, "truncated",
			look.truncated, "groups", groups, "ms", start, "cpu_ms", cpu);
	goroutine_look_done(&look);
	return all;
}

/* For tests that damage it. */
static json_t *where_json(const struct go_target *t)
{
	const struct go_layout *l = go_target_layout(t);

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:i, s:i}", "allspans",
			 (json_int_t)go_target_address(t, GO_ALLSPANS), "allgs", (json_int_t)go_target_address(t, GO_ALLGS), "allglen",
			 (json_int_t)go_target_address(t, GO_ALLGLEN), "allm", (json_int_t)go_target_address(t, GO_ALLM), "mbuckets",
			 (json_int_t)go_target_address(t, GO_MEM_BUCKETS), "bucket_allnext", (int)l->member[GO_BUCKET_ALLNEXT].offset,
			 "m_alllink", (int)l->member[GO_M_ALLLINK].offset);
}

static json_t *threads_json(const struct go_target *t, struct err *err)
{
	struct thread_look look;
	json_t *groups = json_array(), *all;

	if (threads_read(t, &look, err) < 0)
		fail(err);
	for (size_t i = 0; i < look.n_groups; i++)
		json_array_append_new(groups, json_pack("{s:s, s:o, s:I}", "doing", look.groups[i].doing, "detail",
			json_text(look.groups[i].detail), "count", (json_int_t)look.groups[i].count));
	all = json_pack("{s:I, s:o}", "total", (json_int_t)look.total, "groups", groups);
	thread_look_done(&look);
	return all;
}

static json_t *heap_json(const struct go_target *t, const struct symbols *sym, const char *path, struct err *err)
{
	struct heap_profile p;
	struct timespec now;
	double start = ms_of(CLOCK_MONOTONIC), read_ms;
	json_t *sites = json_array(), *all;
	int r = heap_profile_read(t, &p, err);

	if (r == -ENODATA || r == -EAGAIN)
		return json_pack("{s:o}", "none", json_text(err_text(err)));
	if (r < 0)
		fail(err);
	read_ms = ms_of(CLOCK_MONOTONIC) - start;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (heap_profile_write(&p, sym, t, now.tv_sec * 1000000000LL + now.tv_nsec, path, err) < 0)
		fail(err);
	for (size_t i = 0; i < p.n_sites; i++) {
		const struct heap_site *s = &p.sites[i];
		struct code_place place = heap_site_place(s, sym);

		json_array_append_new(sites, json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "place", place_json(&place), "object_bytes",
			(json_int_t)s->object_bytes, "inuse_objects", (json_int_t)s->inuse_objects, "inuse_bytes", (json_int_t)s->inuse_bytes,
			"alloc_objects", (json_int_t)s->alloc_objects, "alloc_bytes", (json_int_t)s->alloc_bytes));
	}
	all = json_pack("{s:I, s:o, s:f, s:f}", "rate", (json_int_t)p.rate, "sites", sites, "read_ms", read_ms, "ms", ms_of(CLOCK_MONOTONIC) - start);
	heap_profile_done(&p);
	return all;
}

/* Of a stripped binary too, which is no target. */
static struct symbols *open_symbols(pid_t pid, struct err *err)
{
	struct go_layout *layout;
	struct symbols *sym;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || layout_read(fd, path, &layout, err) < 0 || symbols_open_process(pid, layout, &sym, err) < 0)
		fail(err);
	(void)close(fd);
	free(layout);
	return sym;
}

int main(int argc, char **argv)
{
	cleanup_err struct err err = ERR_INIT;
	pid_t pid = argc > 2 ? (pid_t)atoi(argv[2]) : 0;
	struct go_target *t = NULL;
	enum go_refusal why;
	struct symbols *sym;
	json_t *out = NULL;

	if (argc < 3) {
		fprintf(stderr, "usage: gostacks symbols|goroutines|threads|heap|where PID [FILE]\n");
		return 2;
	}
	if (!strcmp(argv[1], "symbols")) {
		sym = open_symbols(pid, &err);
		out = symbols_json(sym);
	} else {
		if (go_target_open(pid, &t, &why, &err) < 0 || symbols_open(t, &sym, &err) < 0)
			fail(&err);
		if (!strcmp(argv[1], "goroutines"))
			out = goroutines_json(t, sym, &err);
		else if (!strcmp(argv[1], "where"))
			out = where_json(t);
		else if (!strcmp(argv[1], "threads"))
			out = threads_json(t, &err);
		else if (!strcmp(argv[1], "heap") && argc > 3)
			out = heap_json(t, sym, argv[3], &err);
	}
	if (!out || json_print(out, &err) < 0)
		fail(&err);
	json_decref(out);
	symbols_free(sym);
	go_target_free(t);
	return 0;
}
