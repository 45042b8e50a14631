/* SPDX-License-Identifier: Apache-2.0
 *
 * clock.h - what the stimuli of the virtual clock share: the time by the program's own clock, and the verdict on it.
 *
 * A mode waits, and returns; whatever went otherwise than in real time ends the program with code 3 and a sentence.
 */
#pragma once
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct mode {
	const char *name;
	void (*run)(double seconds);
};

static char **arguments;        /* argv, for modes that take more than S */
static double tolerance = 0.01; /* of what was expected */

/* Nothing ends early. How late it is, is up to the machine, by any clock: what real time passes, passes on the virtual one too. */
#define EARLY_S 0.1
#define LATE_S 2

__attribute__((format(printf, 1, 2), noreturn)) static inline void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(3);
}

/* For calls that set errno: what was expected of them did not come. */
static inline void expect(int holds, const char *what)
{
	if (!holds)
		fail("clock: %s: %s", what, strerror(errno));
}

static inline struct timespec to_timespec(double seconds)
{
	return (struct timespec){ (time_t)seconds, (long)((seconds - floor(seconds)) * 1e9) };
}

static inline double to_seconds(struct timespec t)
{
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline double now(clockid_t clock)
{
	struct timespec t;

	expect(clock_gettime(clock, &t) == 0, "clock_gettime");
	return to_seconds(t);
}

/* An absolute time, as timed waits take it. */
static inline struct timespec from_now(clockid_t clock, double seconds)
{
	return to_timespec(now(clock) + seconds);
}

static inline void sleep_for(double seconds)
{
	struct timespec t = to_timespec(seconds);

	expect(nanosleep(&t, NULL) == 0, "nanosleep did not sleep to its end");
}

static inline void check(const char *what, double measured, double expected)
{
	double late = measured - expected, allowed = tolerance * expected;

	if (late < -fmax(EARLY_S, allowed) || late > fmax(LATE_S, allowed))
		fail("clock: %s: %.3f s by its own clock, not %.3f s", what, measured, expected);
}

/* Runs the mode that argv names, and tells what passed meanwhile. S is argv[2], or argv[3] where a number of threads precedes it.
 */
static inline int run_mode(const struct mode *modes, size_t n, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	int at = strcmp(name, "threads") ? 2 : 3;
	double seconds = argc > at ? atof(argv[at]) : 0, began = now(CLOCK_MONOTONIC), took;

	arguments = argv;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(modes[i].name, name))
			continue;
		modes[i].run(seconds);
		took = now(CLOCK_MONOTONIC) - began;
		printf("elapsed %.3f\n", took);
		fflush(stdout);
		check(name, took, seconds);
		return 0;
	}
	fprintf(stderr, "clock: no mode '%s'\n", name);
	return 2;
}
