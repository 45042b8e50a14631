/* SPDX-License-Identifier: Apache-2.0
 *
 * What the supervisor itself does at a time of the target, and what it tells the target's clock.
 */
#include <poll.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "run/cgroup.h"
#include "run/owner.h"
#include "run/supervisor_parts.h"

#define READY_NS (10 * NS_PER_MS) /* between two looks whether the target is ready for its load */

void run_set_alarm(struct run *r, int64_t now)
{
	int64_t at = r->end_at_ns;

	if (r->clock.kind == CLOCK_KIND_VIRTUAL && r->next_probe_ns < at)
		at = r->next_probe_ns;
	if (acts_next_ns(&r->acts) < at)
		at = acts_next_ns(&r->acts);
	/* A mark keeps a virtual clock from jumping, so that it is seen in time; a port that is listened on does not. */
	if (r->load.state == LOAD_AWAITED && (r->clock.kind == CLOCK_KIND_REAL || !r->load.mark) && now + READY_NS < at)
		at = now + READY_NS;
	clock_set_alarm(&r->clock, at);
}

static int on_load_exited(sd_event_source *source, int fd, uint32_t events, void *arg);

static void begin_load(struct run *r)
{
	struct err cleanup_err err = ERR_INIT;

	if (load_begin(&r->load, &r->clock, &r->room->nofile, &err) < 0) {
		r->load_failure = xstrdup(err_text(&err));
		run_stop(r, STOP_PLANNED);
		return;
	}
	clock_processes_changed(&r->clock);
	run_mark(r, "load", r->load.report.begin_ns);
	r->load_out.fd = r->load.output_fd;
	r->load.output_fd = -1;
	if (sd_event_add_io(r->room->event, &r->load_exited, r->load.child.pidfd, EPOLLIN, on_load_exited, r) < 0 ||
	    sd_event_add_io(r->room->event, &r->load_out.source, r->load_out.fd, EPOLLIN, run_on_output, r) < 0)
		abort(); /* only without memory */
}

void run_end_load(struct run *r)
{
	int64_t now = clock_now(&r->clock);

	r->load_exited = sd_event_source_unref(r->load_exited);
	load_end(&r->load, now);
	run_mark(r, "after-load", now);
	if (r->load.report.exit_code < 0)
		r->load_failure = strf("its load died by signal %d", r->load.report.signal);
	else if (r->load.report.exit_code > 0)
		r->load_failure = strf("its load exited with code %d: its last words are in load-output", r->load.report.exit_code);
	if (r->ends_with_load)
		run_stop(r, STOP_PLANNED);
}

static int on_load_exited(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct run *r = arg;

	(void)fd;
	(void)events;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (r->state == RUNNING)
		clock_set_alarm(&r->clock, 0); /* run_on_alarm() sees it */
	return 0;
}

void run_on_act_done(void *arg)
{
	struct run *r = arg;

	r->next_probe_ns = 0; /* a look at what it has left */
	if (r->state == RUNNING)
		clock_set_alarm(&r->clock, 0); /* run_on_alarm() goes on */
}

static void begin_due_acts(struct run *r, int64_t now)
{
	while (acts_next_ns(&r->acts) <= now) {
		const struct act *a = acts_begin(&r->acts);

		run_mark(r, act_mark(a->kind), now);
		r->next_probe_ns = 0;
	}
}

int run_on_alarm(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct run *r = arg;
	int64_t now;

	(void)source;
	(void)fd;
	(void)events;
	clock_take_alarm(&r->clock);
	if (r->state != RUNNING)
		return 0;
	run_drain(r);
	if (load_has_ended(&r->load))
		run_end_load(r);
	else if (load_may_begin(&r->load, r->child.pid))
		begin_load(r);
	if (r->state != RUNNING)
		return 0;
	now = clock_now(&r->clock);
	/* Before the end: on a busy machine the alarm may come so late that an act and the end are both due. */
	begin_due_acts(r, now);
	/* A virtual clock stands until the alarm is set anew: what is done to the target is done before its time goes on. */
	if (r->clock.kind == CLOCK_KIND_VIRTUAL && acts_under_way(&r->acts))
		return 0;
	if (now >= r->end_at_ns) {
		run_stop(r, r->planned_end ? STOP_PLANNED : STOP_TIMEOUT);
		return 0;
	}
	if (r->clock.kind == CLOCK_KIND_VIRTUAL) {
		run_slow_probe_if_due(r, now);
		if (r->inside)
			inside_look_if_due(r->inside, r->last_rss_bytes, true);
	}
	run_set_alarm(r, now);
	return 0;
}

/* For the clock's thread. */
static size_t on_clock_asks_processes(void *arg, pid_t *ret, size_t max)
{
	struct run *r = arg;

	acts_lock(&r->acts);
	size_t n = r->memcg ? memcg_pids(r->memcg, ret, max) : 0;
	if (!r->memcg || r->load.state == LOAD_RUNNING)
		n += owner_pids_of_run(r->tag, ret + n, max - n);
	n = acts_without_helpers(&r->acts, ret, n);
	acts_unlock(&r->acts);
	return n;
}

static bool on_clock_holds(void *arg, int64_t until_ns)
{
	struct run *r = arg;
	struct pollfd target = { .fd = r->child.pidfd, .events = POLLIN };
	bool marks = sampler_hold(r->slot, until_ns);

	return marks || load_has_ended(&r->load) || poll(&target, 1, 0) == 1;
}

static void on_clock_lets_go(void *arg)
{
	struct run *r = arg;

	sampler_let_go(r->slot);
}

struct clock_hooks run_clock_hooks(struct run *r)
{
	return (struct clock_hooks){ on_clock_asks_processes, on_clock_holds, on_clock_lets_go, r };
}
