/* SPDX-License-Identifier: Apache-2.0
 *
 * supervisor_parts.h - one run as its supervisor sees it, and the parts of its life: what is observed (supervisor_observe.c), what
 * the supervisor does at a time of the target (supervisor_alarm.c), beginning and end (supervisor.c). Private to supervisor*.c.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "run/classify.h"
#include "run/clock.h"
#include "run/load.h"
#include "run/spawn.h"
#include "run/supervisor.h"
#include "run/target_files.h"
#include "run/tee.h"

enum state { RUNNING, STOPPING, EMPTYING, DONE };

struct output {
	int fd;
	int stream;
	sd_event_source *source;
	struct tee *tee; /* owned; NULL: only recorded */
};

/* What a target had used before it was observed; all 0 for a child. */
struct before {
	uint64_t hwm_bytes, minor_faults, major_faults, cpu_ns, oom_kills;
};

struct run {
	const struct run_room *room; /* borrowed */
	struct record *record;       /* borrowed */
	run_done_fn *done;
	void *done_arg;

	enum state state;
	enum stop_reason stop;
	bool killed;
	uint64_t all_told;
	bool lost_status; /* somebody else reaped the child */
	struct memcg *memcg;  /* owned; NULL: none */
	char *tag;            /* owned: what OWNER_VARIABLE says in the target */
	struct child child;   /* pidfd owned; pid 0 once reaped, and for a target that is not ours: nothing is sent to it */
	pid_t pid;            /* the target's, ours or not */
	const struct foreign *foreign; /* borrowed; NULL: the target is our child */
	struct before before;
	uint64_t program;     /* of a foreign target: foreign_program() as it was last */
	struct target_files files;
	struct clock clock;
	struct sampler_slot *slot; /* owned; NULL once sampling has ended */
	struct inside *inside;     /* owned; likewise */
	int mark_fd;
	struct output out, log, load_out;
	struct last_words words;
	struct load_process load;
	struct acts acts;
	int64_t end_at_ns; /* target's time at which observation ends */
	int64_t probe_every_ns, next_probe_ns, next_flush_ns; /* the flush: CLOCK_MONOTONIC */
	bool planned_end; /* that is the end of observation, not a timeout */
	bool ends_with_load;
	bool clock_strict, clock_failed;
	uint64_t limit_bytes;
	uint64_t last_rss_bytes;
	struct run_result result;
	char *load_failure; /* owned; NULL: it did not fail */
	sd_event_source *exited, *drain, *alarm, *load_exited, *deadline, *step;
};

/* supervisor_observe.c */
/* Takes what the sampler has. */
void run_drain(struct run *r);
void run_mark(struct run *r, const char *name, int64_t t_ns);
void run_slow_probe_if_due(struct run *r, int64_t now);
/* The last readings while the target is still there, then no tick touches it any more. */
void run_end_observation(struct run *r);
/* That it is passed on from now on. */
void run_pass_on(struct output *o);
/* What its pipe still holds; closed then. */
void run_finish_output(struct run *r, struct output *o);
int run_on_drain(sd_event_source *source, uint64_t usec, void *arg);
int run_on_output(sd_event_source *source, int fd, uint32_t events, void *arg);
#define DRAIN_NS (50 * NS_PER_MS)
#define DRAIN_FOREIGN_NS (200 * NS_PER_MS) /* it is not to be slowed, tells no marks, and rings hold a second */
#define FLUSH_NS NS_PER_S

/* supervisor_alarm.c */
void run_set_alarm(struct run *r, int64_t now);
int run_on_alarm(sd_event_source *source, int fd, uint32_t events, void *arg);
void run_on_act_done(void *arg);
void run_end_load(struct run *r);
struct clock_hooks run_clock_hooks(struct run *r);

/* supervisor_attach.c: of a target that is not ours. */
int run_take_foreign(struct run *r, const struct foreign *f, struct err *err);
/* Once its files are open. */
void run_note_before(struct run *r);
/* Once what is inside is read. */
void run_mark_attached(struct run *r);
/* Several times a second: a mark where another program runs now. */
void run_note_exec(struct run *r);
int run_on_foreign_exited(sd_event_source *source, int fd, uint32_t events, void *arg);
/* Observation has ended: the verdict, and `done`. Called from the loop. */
int run_on_left(sd_event_source *source, uint64_t usec, void *arg);

/* supervisor.c */
void run_add_timer(struct run *r, sd_event_source **source, int64_t at_ns, sd_event_time_handler_t handler);
/* What the harness itself could not do, or the load: it becomes the outcome. */
void run_note_failures(struct run *r);
/* Ends observation, and with it the run. */
void run_stop(struct run *r, enum stop_reason reason);
