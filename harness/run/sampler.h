/* SPDX-License-Identifier: Apache-2.0
 *
 * sampler.h - reads the memory of all live targets at a fixed rate, their marks and the numbers that they tell, and their Go runtime's
 * own accounting.
 *
 * One thread serves every target in one wake-up: the wake-up costs 20 times what the reads cost, so targets are cheap and
 * rate is not. It sleeps until absolute deadlines; it never allocates, prints or touches a file by name, and waits for nobody but a
 * clock that has held a target for 20 ms, and gets its priority by that. A tick that
 * came late is recorded at the time at which it was taken; one that was missed altogether is counted, and so is a value that
 * found its ring full. Where the process may, it runs SCHED_FIFO with its memory locked; what was achieved is told.
 *
 * Threads: all functions but sampler_hold() and sampler_let_go() are the main thread's. Rings have one reader, the main thread, and
 * one writer at a time: a tick that finds the clock writing leaves the slot to it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/units.h"
#include "record/series.h"
#include "run/clock.h"

struct err;
struct go_target;
struct memcg;
struct sampler;
struct sampler_slot; /* one live target */

#define SAMPLER_RATE_MIN 20 /* the control loop waits for a tick when a target is taken out */
#define SAMPLER_RATE_MAX 20000
#define SAMPLER_TARGETS_MAX 256
#define SAMPLER_UNSEEN_NS NS_PER_S

/* Starts the thread. rate_hz: SAMPLER_RATE_MIN to SAMPLER_RATE_MAX. */
int sampler_start(struct sampler **ret, unsigned rate_hz, struct err *err);
/* From now on the thread takes no more than so much of a CPU, in the mean of some ticks: where its ticks cost more they are farther apart than
 * the rate says, though never more than SAMPLER_RATE_MIN allows, and fast probes are taken SAMPLER_PROBES_RARE_NS apart. For targets that must
 * not be slowed; peaks between two ticks are then in the kernel's high-water mark alone. permille: 0: no such bound. Before the first target. */
void sampler_bound(struct sampler *s, unsigned permille);
#define SAMPLER_PROBES_RARE_NS (100 * NS_PER_MS)
/* "fifo" or "other", as the kernel granted. Static. */
const char *sampler_scheduling(const struct sampler *s);
/* Stops the thread. No target may be left. NULL-safe; returns NULL. */
struct sampler *sampler_free(struct sampler *s);

/* Samples pid from the next tick on. Every file is opened here and kept, so a reused pid is never read. memcg: NULL for none.
 * mark_fd: the reading end of the target's mark pipe (non-blocking), or -1; it stays the caller's. clock: started. */
int sampler_add(struct sampler *s, pid_t pid, const struct memcg *memcg, int mark_fd, const struct clock *clock,
		struct sampler_slot **ret, struct err *err);

/* For a clock that is about to jump (clock.h), on its own thread: takes the sample, the marks and at times the probe that stand for the
 * time skipped, and keeps the tick from taking any until sampler_let_go(), so that none has the time of before and the memory of
 * after. until_ns: where it jumps to, in the target's time. Returns whether a mark is there that has not been drained. */
bool sampler_hold(struct sampler_slot *slot, int64_t until_ns);
void sampler_let_go(struct sampler_slot *slot);
/* A mark is there that has not been drained. Any thread. */
bool sampler_has_marks(const struct sampler_slot *slot);

/* The Go runtime of the target is read from now on, beside the fast probes and at each mark; NULL: no more, and when this has returned
 * no thread has the one of before in its hands. A target that cannot be read any more is not tried again. target: borrowed. */
void sampler_look_inside(struct sampler_slot *slot, const struct go_target *target);

struct sampler_sink {
	void (*sample)(void *arg, const struct sample *s);
	void (*probe)(void *arg, const struct probe *p); /* fast ones */
	void (*mark)(void *arg, const struct mark *m);
	void (*told)(void *arg, const struct told *t);
	void (*go)(void *arg, const struct go_row *row); /* of sampler_drain_go() alone */
	void *arg;
};
/* Hands over what came in since the last call, in order of time within each kind. Where nobody looked for more than
 * SAMPLER_UNSEEN_NS of real time (memtide was stopped, or got no CPU) a sample and a probe come whose values are all MISSING, one
 * period after the look before; the next look is a row in any case. Skipped virtual time is not such a time. */
void sampler_drain(struct sampler_slot *slot, const struct sampler_sink *sink);
/* How many rows of the Go runtime there have been so far; wraps. And those of them that have not been handed over until there were so
 * many: who has to know that the program was still the same when a row was made counts them, looks, and then takes those. */
uint32_t sampler_go_rows(const struct sampler_slot *slot);
void sampler_drain_go(struct sampler_slot *slot, uint32_t until, const struct sampler_sink *sink);
/* CPU time of the target over the last 100 ms or so, as a share of one CPU; 0 before the first reading. */
double sampler_cpu_share(const struct sampler_slot *slot);

struct sampling_stats {
	uint64_t samples; /* ticks taken, whether stored or not */
	uint64_t missed;  /* ticks whose whole period had passed when the thread woke */
	uint64_t lost;    /* samples, probes and go rows that found the ring full */
	uint64_t go_readings, go_raced; /* looks at the Go runtime, and those of which nothing was kept (counters.h) */
	uint64_t no_lines;   /* lines that were neither a mark nor a number */
	uint64_t lost_marks; /* marks after the first that found its ring full */
	bool leader_exited;  /* its first thread ended while others went on: /proc shows no memory from there */
	double lateness_p50_us, lateness_p99_us, lateness_max_us; /* of the wake-ups while this target lived; within 6 % */
	double cpu_s; /* of the sampling thread while this target lived; shared by all that lived then */
};
/* Ends sampling: no tick touches the target afterwards. Drain once more, then sampler_release(). */
void sampler_stop(struct sampler_slot *slot, struct sampling_stats *ret);
void sampler_release(struct sampler_slot *slot);
