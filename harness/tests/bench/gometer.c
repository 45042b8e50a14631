/* SPDX-License-Identifier: Apache-2.0
 *
 * gometer WHAT ... - measures the reading of Go processes, and prints what it found as lines of `name value`. `make bench` drives it.
 *   hot PID              one reading of the counters, caches hot, and one look whether the process is still the same
 *   lookup FILE          of a binary's layout, as at the first opening of a process: time and CPU time
 *   rate PID HZ SECONDS  CPU that readings at a rate take, and how many raced
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "gostate/counters.h"
#include "gostate/target.h"

#define BATCHES 21
#define BATCH_READS 5000
#define LOOKUPS 15

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), ascending);
	return v[n / 2];
}

static struct go_target *open_target(const char *pid)
{
	struct err cleanup_err err = ERR_INIT;
	struct go_target *t;

	if (go_target_open(atoi(pid), &t, NULL, &err) < 0) {
		fprintf(stderr, "gometer: %s\n", err_text(&err));
		exit(1);
	}
	return t;
}

static int measure_hot(const char *pid)
{
	struct go_target *t = open_target(pid);
	struct go_counters c;
	double read_us[BATCHES], same_us[BATCHES];

	for (int b = 0; b < BATCHES; b++) {
		int64_t from = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

		for (int i = 0; i < BATCH_READS; i++)
			if (go_counters_read(t, &c) == GO_LOOK_GONE)
				return 1;
		read_us[b] = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - from) / BATCH_READS / 1e3;
		from = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		for (int i = 0; i < BATCH_READS / 10; i++)
			if (!go_target_is_same(t))
				return 1;
		same_us[b] = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - from) / (BATCH_READS / 10) / 1e3;
	}
	printf("read_us %.3f\nsame_us %.3f\n", median(read_us, BATCHES), median(same_us, BATCHES));
	go_target_free(t);
	return 0;
}

static int measure_lookup(const char *file)
{
	struct err cleanup_err err = ERR_INIT;
	double ms[LOOKUPS], cpu_ms[LOOKUPS];

	for (int i = 0; i < LOOKUPS; i++) {
		int64_t from = clock_ns(CLOCK_MONOTONIC), cpu_from = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		cleanup_close int fd = open(file, O_RDONLY | O_CLOEXEC);
		struct go_layout *l;

		if (layout_read(fd, file, &l, &err) < 0 || l->source == LAYOUT_NONE) {
			fprintf(stderr, "gometer: %s\n", err_text(&err));
			return 1;
		}
		ms[i] = (double)(clock_ns(CLOCK_MONOTONIC) - from) / 1e6;
		cpu_ms[i] = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_from) / 1e6;
		free(l);
	}
	printf("first_ms %.3f\nlookup_ms %.3f\ncpu_ms %.3f\n", ms[0], median(ms, LOOKUPS), median(cpu_ms, LOOKUPS));
	return 0;
}

static int measure_rate(const char *pid, int hz, double seconds)
{
	struct go_target *t = open_target(pid);
	int64_t from = clock_ns(CLOCK_MONOTONIC), cpu_from = clock_ns(CLOCK_PROCESS_CPUTIME_ID), due = from;
	uint64_t looks = 0, raced = 0;

	while (clock_ns(CLOCK_MONOTONIC) - from < (int64_t)(seconds * 1e9)) {
		struct go_counters c;

		due += NS_PER_S / hz;
		struct timespec at = { due / NS_PER_S, due % NS_PER_S };
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
			;
		looks++;
		raced += go_counters_read(t, &c) != GO_LOOK_OK;
	}
	printf("cpu_percent %.4f\nraced_percent %.4f\n",
	       100.0 * (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_from) / (double)(clock_ns(CLOCK_MONOTONIC) - from),
	       100.0 * (double)raced / (double)looks);
	go_target_free(t);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "hot"))
		return measure_hot(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "lookup"))
		return measure_lookup(argv[2]);
	if (argc == 5 && !strcmp(argv[1], "rate"))
		return measure_rate(argv[2], atoi(argv[3]), atof(argv[4]));
	fprintf(stderr, "usage: gometer hot PID | lookup FILE | rate PID HZ SECONDS\n");
	return 2;
}
