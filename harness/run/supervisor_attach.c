/* SPDX-License-Identifier: Apache-2.0
 *
 * A target that memtide has not started: it is observed as any other, but nothing is sent to it, it is not waited for, and its cgroup
 * is only read.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "run/cgroup.h"
#include "run/foreign.h"
#include "run/supervisor_parts.h"

#define STATUS_WAIT_NS (100 * NS_PER_MS) /* for its parent to ask for its status: then the kernel tells it to us too */
#define STATUS_STEP_NS (5 * NS_PER_MS)

int run_take_foreign(struct run *r, const struct foreign *f, struct err *err)
{
	r->child = (struct child){ .pid = 0, .pidfd = fcntl(f->pidfd, F_DUPFD_CLOEXEC, 0), .exec_ns = clock_monotonic_ns() };
	if (r->child.pidfd < 0)
		return err_set(err, errno, "cannot watch process %d", (int)f->pid);
	r->pid = f->pid;
	r->foreign = f;
	r->memcg = f->memcg;
	return 0;
}

static uint64_t oom_kills_of(const struct memcg *g)
{
	struct memcg_counters c = { MISSING, MISSING };

	if (g)
		memcg_counters(g, &c);
	return c.oom_kills;
}

static uint64_t or_zero(uint64_t n)
{
	return n == MISSING ? 0 : n;
}

void run_note_before(struct run *r)
{
	struct target_faults faults;
	struct probe p;

	target_read_fast(&r->files, &p);
	r->before.hwm_bytes = or_zero(p.hwm_bytes);
	r->before.cpu_ns = or_zero(target_read_cpu_ns(&r->files));
	r->before.oom_kills = or_zero(oom_kills_of(r->memcg));
	if (target_read_faults(&r->files, &faults)) {
		r->before.minor_faults = faults.minor;
		r->before.major_faults = faults.major;
	}
	r->program = foreign_program(r->foreign);
}

/* What it has now is looked at as closely as what it will have at the end. */
void run_mark_attached(struct run *r)
{
	run_mark(r, "attached", 0);
	r->next_probe_ns = 0;
}

void run_note_exec(struct run *r)
{
	uint64_t now = foreign_program(r->foreign);

	if (!now || now == r->program)
		return;
	r->program = now;
	r->before.hwm_bytes = 0; /* its high-water mark is a new one */
	run_mark(r, "exec", clock_now(&r->clock));
	r->next_probe_ns = 0;
}

int run_on_foreign_exited(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct run *r = arg;

	(void)fd;
	(void)events;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (r->state != RUNNING)
		return 0;
	run_end_observation(r);
	r->state = EMPTYING;
	r->deadline = sd_event_source_unref(r->deadline);
	run_add_timer(r, &r->step, clock_monotonic_ns(), run_on_left);
	return 0;
}

/* How it ended by itself, if anybody but its parent can know. */
static void classify_exit(struct run *r, bool known, int status)
{
	struct ending e = {
		.stop = r->stop,
		.exit_code = known && WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		.signal = known && WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		.oom_kills = r->result.end.oom_kills,
		.peak_bytes = MISSING,
	};

	r->result.exit_code = e.exit_code;
	r->result.signal = e.signal;
	if (r->stop == STOP_NONE && e.oom_kills != MISSING && e.oom_kills > 0) {
		r->result.outcome = OUTCOME_OOM_CGROUP;
		r->result.why = xstrdup("it has ended, and the kernel has killed a process of its cgroup for want of memory");
		return;
	}
	if (r->stop == STOP_NONE && !known) {
		r->result.outcome = OUTCOME_EXIT;
		r->result.why = xstrdup("it has ended; how, only its parent knows");
		return;
	}
	r->result.outcome = classify(&e, &r->result.why);
}

int run_on_left(sd_event_source *source, uint64_t usec, void *arg)
{
	struct run *r = arg;
	uint64_t kills = oom_kills_of(r->memcg);
	int status = 0;
	bool known = r->stop == STOP_NONE && foreign_exit_status(r->foreign, &status);

	(void)usec;
	if (r->stop == STOP_NONE && !known && clock_now(&r->clock) < r->result.end_ns + STATUS_WAIT_NS) {
		(void)sd_event_source_set_time(source, (uint64_t)(clock_monotonic_ns() + STATUS_STEP_NS) / 1000);
		return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	r->drain = sd_event_source_unref(r->drain);
	r->alarm = sd_event_source_unref(r->alarm);
	/* Of its group, while it was observed: where it lives on, another process of that group was killed. */
	if (kills != MISSING)
		r->result.end.oom_kills = r->stop == STOP_NONE ? kills - r->before.oom_kills : 0;
	classify_exit(r, known, status);
	r->result.load = r->load.report;
	r->result.acts = r->acts.reports;
	run_note_failures(r);
	r->state = DONE;
	r->done(r, &r->result, r->done_arg);
	return 0;
}
