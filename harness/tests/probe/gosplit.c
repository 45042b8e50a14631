/* SPDX-License-Identifier: Apache-2.0
 *
 * gosplit PID [TIMES [PAUSE_MS]] - the split of a live Go process, a line of JSON each time until it is gone, for the tests and the
 * bench.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "gostate/split.h"

static const char *const names[RSS_PART_COUNT_] = {
	"objects", "fragmentation", "stacks", "idle", "lazyfree", "runtime", "native", "thread_stacks", "files",
};

static double now_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void say(int r, const struct rss_split *s, double at_ms, double ms, double cpu_ms, const struct err *err)
{
	printf("{\"result\": %d", r);
	if (r == 0 || r == -EAGAIN) {
		for (int i = 0; i < RSS_PART_COUNT_; i++)
			printf(", \"%s\": %" PRIu64, names[i], s->part[i]);
		printf(", \"sum\": %" PRIu64 ", \"statm\": %" PRIu64 ", \"spans\": %" PRIu64, s->resident_bytes, s->statm_bytes, s->spans);
	} else {
		printf(", \"error\": \"%s\"", err_text(err));
	}
	printf(", \"at_ms\": %.3f, \"ms\": %.3f, \"cpu_ms\": %.3f}\n", at_ms, ms, cpu_ms);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	cleanup_err struct err err = ERR_INIT;
	struct go_target *t;
	struct splitter *s = splitter_new(NULL, NULL);
	enum go_refusal why;
	int times = argc > 2 ? atoi(argv[2]) : 1, pause_ms = argc > 3 ? atoi(argv[3]) : 0, r;

	if (argc < 2 || go_target_open(atoi(argv[1]), &t, &why, &err) < 0) {
		fprintf(stderr, "gosplit: %s\n", argc < 2 ? "PID?" : err_text(&err));
		return 1;
	}
	for (int i = 0; i < times; i++) {
		struct timespec pause = { pause_ms / 1000, pause_ms % 1000 * 1000000L };
		struct rss_split split;
		double before = now_ms(CLOCK_MONOTONIC), cpu_before = now_ms(CLOCK_PROCESS_CPUTIME_ID);

		r = split_read(s, t, &split, &err);
		say(r, &split, (double)splitter_at_ns(s) / 1e6 - before, now_ms(CLOCK_MONOTONIC) - before,
		    now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu_before, &err);
		if (r != 0 && r != -EAGAIN)
			break; /* it is gone */
		if (pause_ms && i + 1 < times)
			nanosleep(&pause, NULL);
	}
	splitter_free(s);
	go_target_free(t);
	return 0;
}
