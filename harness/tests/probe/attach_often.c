/* SPDX-License-Identifier: Apache-2.0
 *
 * attach_often PID N [PAUSE_MS]: attaches to a process N times, one after the other, as `memtide attach` does: opens it, reads its counters, the
 * split of its RSS, its goroutines and threads, and lets it go. Prints what came of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "gostate/counters.h"
#include "gostate/goroutines.h"
#include "gostate/split.h"
#include "gostate/symbols.h"
#include "gostate/target.h"
#include "run/clock.h"
#include "run/foreign.h"

struct tally {
	unsigned attached, counters, raced, splits, splits_raced, goroutines, threads;
	uint64_t seen;
	double split_s, goroutines_s;
};

static double now_s(void)
{
	return (double)clock_monotonic_ns() / 1e9;
}

static int look(const struct go_target *t, struct splitter *splitter, struct tally *n, struct err *err)
{
	struct goroutine_look goroutines = { 0 };
	struct thread_look threads = { 0 };
	struct symbols *symbols = NULL;
	struct go_counters c;
	struct rss_split split;
	enum go_look got = go_counters_read(t, &c);
	double begin = now_s();

	n->counters += got == GO_LOOK_OK;
	n->raced += got == GO_LOOK_RACED;
	int r = split_read(splitter, t, &split, err);
	n->split_s += now_s() - begin;
	n->splits += r >= 0;
	n->splits_raced += r == -EAGAIN;
	if (r < 0 && r != -EAGAIN)
		return r;
	begin = now_s();
	r = symbols_open(t, &symbols, err);
	if (r >= 0)
		r = goroutines_read(t, symbols, &goroutines, err);
	n->goroutines += r >= 0;
	n->seen += goroutines.seen;
	if (r >= 0)
		r = threads_read(t, &threads, err);
	n->threads += r >= 0;
	n->goroutines_s += now_s() - begin;
	goroutine_look_done(&goroutines);
	thread_look_done(&threads);
	symbols_free(symbols);
	return r;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct splitter *splitter = splitter_new(NULL, NULL);
	struct tally n = { 0 };
	long times = argc > 2 ? strtol(argv[2], NULL, 10) : 1, pause_ms = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
	double begin = now_s();
	int r = 0;

	if (argc < 2)
		return 2;
	for (long i = 0; i < times && r >= 0; i++) {
		struct foreign f;
		struct go_target *t = NULL;

		r = foreign_open((pid_t)strtol(argv[1], NULL, 10), &f, &err);
		if (r < 0)
			break;
		r = go_target_open(f.pid, &t, NULL, &err);
		if (r >= 0)
			r = look(t, splitter, &n, &err);
		n.attached += r >= 0 || r == -EAGAIN;
		if (r == -EAGAIN)
			r = 0;
		go_target_free(t);
		foreign_done(&f);
		if (pause_ms)
			(void)usleep((useconds_t)pause_ms * 1000);
	}
	splitter_free(splitter);
	printf("{\"attached\": %u, \"counters\": %u, \"raced\": %u, \"splits\": %u, \"splits_raced\": %u, \"goroutine_looks\": %u, \"thread_looks\": %u, "
	       "\"goroutines_seen\": %" PRIu64 ", \"seconds\": %.3f, \"split_ms\": %.3f, \"goroutines_ms\": %.3f, \"error\": \"%s\"}\n",
	       n.attached, n.counters, n.raced, n.splits, n.splits_raced, n.goroutines, n.threads, n.seen, now_s() - begin,
	       n.attached ? 1e3 * n.split_s / n.attached : 0, n.attached ? 1e3 * n.goroutines_s / n.attached : 0, r < 0 ? err_text(&err) : "");
	err_done(&err);
	return r < 0;
}
