/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "record/record.h"
#include "run/supervisor_parts.h"

#define MARKS_MAX 10000
#define TOLD_MAX  200000 /* as many as a reader takes */
#define PASS_ON_MS 3000   /* at the end, for who reads what is passed on */
#define FOREIGN_PROBE_DUTY 1000 /* one in so much time for slow probes of a process that is not to be slowed */

/* ---- gaps ------------------------------------------------------------------------------------------------------------------------- */

#define OPEN INT64_MAX /* the end of a gap that goes on */

/* Of the samples, or of the slow probes alone. */
static struct gap *open_gap(struct run *r, bool slow)
{
	for (size_t i = 0; i < r->result.n_gaps; i++)
		if (r->result.gaps[i].slow == slow && r->result.gaps[i].to_ns == OPEN)
			return &r->result.gaps[i];
	return NULL;
}

static void begin_gap(struct run *r, int64_t from_ns, bool slow)
{
	if (open_gap(r, slow))
		return;
	r->result.gaps = xreallocarray(r->result.gaps, r->result.n_gaps + 1, sizeof(*r->result.gaps));
	r->result.gaps[r->result.n_gaps++] = (struct gap){ from_ns, OPEN, slow };
}

static void end_gap(struct run *r, int64_t to_ns, bool slow)
{
	struct gap *g = open_gap(r, slow);

	if (g)
		g->to_ns = to_ns > g->from_ns ? to_ns : g->from_ns;
}

/* ---- what comes in ------------------------------------------------------------------------------------------------------------------ */

static void on_sample(void *arg, const struct sample *s)
{
	struct run *r = arg;

	record_sample(r->record, s);
	if (s->rss_bytes == MISSING) {
		begin_gap(r, s->t_ns, false);
		if (r->inside)
			inside_note_gap(r->inside, s->t_ns);
		r->next_probe_ns = 0; /* what the slow probe said does not hold any more */
		return;
	}
	end_gap(r, s->t_ns, false);
	r->last_rss_bytes = s->rss_bytes;
}

static void note_high_water(struct run *r, const struct probe *p)
{
	if (p->hwm_bytes != MISSING && p->hwm_bytes > r->before.hwm_bytes && (r->result.end.hwm_bytes == MISSING || p->hwm_bytes > r->result.end.hwm_bytes))
		r->result.end.hwm_bytes = p->hwm_bytes;
}

/* A peak from before it was observed says nothing about what is. */
static void keep_probe(struct run *r, const struct probe *p)
{
	struct probe kept = *p;

	if (kept.hwm_bytes != MISSING && kept.hwm_bytes <= r->before.hwm_bytes)
		kept.hwm_bytes = MISSING;
	record_probe(r->record, &kept);
}

static void on_probe(void *arg, const struct probe *p)
{
	struct run *r = arg;

	note_high_water(r, p);
	keep_probe(r, p);
}

static void keep_mark(struct run *r, const struct mark *m)
{
	if (r->inside)
		inside_note_mark(r->inside, m->name);
	if (r->result.n_marks == MARKS_MAX) {
		r->result.lost_marks++;
		return;
	}
	r->result.marks = xreallocarray(r->result.marks, r->result.n_marks + 1, sizeof(*m));
	r->result.marks[r->result.n_marks++] = *m;
	record_mark(r->record, m);
}

static void on_mark(void *arg, const struct mark *m)
{
	struct run *r = arg;

	keep_mark(r, m);
	load_note_mark(&r->load, m->name);
	r->next_probe_ns = 0; /* a look at what the phase before it left */
}

static void on_told(void *arg, const struct told *t)
{
	struct run *r = arg;

	if (r->all_told++ >= TOLD_MAX) {
		r->result.lost_told++;
		return;
	}
	record_told(r->record, t);
	if (r->result.n_told == MARKS_MAX)
		return; /* the file has it */
	r->result.told = xreallocarray(r->result.told, r->result.n_told + 1, sizeof(*t));
	r->result.told[r->result.n_told++] = *t;
}

static void on_go(void *arg, const struct go_row *row)
{
	struct run *r = arg;

	if (r->inside)
		inside_take(r->inside, row);
}

void run_mark(struct run *r, const char *name, int64_t t_ns)
{
	struct mark m = { .t_ns = t_ns, .by = 's' };

	memcpy(m.name, name, strlen(name));
	keep_mark(r, &m);
}

void run_drain(struct run *r)
{
	const struct sampler_sink sink = { on_sample, on_probe, on_mark, on_told, on_go, r };

	if (!r->slot)
		return;
	uint32_t rows = r->inside ? inside_check(r->inside) : sampler_go_rows(r->slot);

	sampler_drain(r->slot, &sink);
	sampler_drain_go(r->slot, rows, &sink);
}

static void slow_probe(struct run *r)
{
	struct probe p;

	struct sample alive;

	target_read_fast(&r->files, &p);
	p.t_ns = clock_now(&r->clock);
	note_high_water(r, &p);
	if (p.threads == MISSING)
		return;
	if (target_read_slow(&r->files, &p)) {
		end_gap(r, p.t_ns, true);
	} else if (target_read_sample(&r->files, &alive)) {
		/* Not at its exit: what was read last does not hold for ever. */
		begin_gap(r, p.t_ns, true);
		p.slow = 1;
	} else {
		return;
	}
	keep_probe(r, &p);
}

/* Slow probes hold the target's mmap lock: only while it idles, or once after a mark. (Where a virtual clock lets the supervisor
 * come to its time, all mostly sleep.) */
void run_slow_probe_if_due(struct run *r, int64_t now)
{
	bool marked = r->next_probe_ns == 0;

	if (!marked && (now < r->next_probe_ns || (r->clock.kind == CLOCK_KIND_REAL && run_is_busy(r))))
		return;
	int64_t cpu_ns = clock_thread_cpu_ns(), apart_ns = 0;

	slow_probe(r);
	if (r->foreign)
		apart_ns = (clock_thread_cpu_ns() - cpu_ns) * FOREIGN_PROBE_DUTY;
	r->next_probe_ns = now + (apart_ns > r->probe_every_ns ? apart_ns : r->probe_every_ns);
}

/* A virtual clock does not jump while a mark is not drained, nor until the alarm has been set anew: so what has to happen
 * at a mark happens there, in run_on_alarm(). */
static bool clock_waits_for_marks(struct run *r)
{
	if (r->clock.kind == CLOCK_KIND_REAL || !r->slot || !sampler_has_marks(r->slot))
		return false;
	clock_set_alarm(&r->clock, 0);
	return true;
}

int run_on_drain(sd_event_source *source, uint64_t usec, void *arg)
{
	struct run *r = arg;
	int64_t now = clock_monotonic_ns();

	(void)usec;
	if (!clock_waits_for_marks(r))
		run_drain(r);
	if (r->state == RUNNING && r->foreign)
		run_note_exec(r);
	if (r->state == RUNNING) {
		struct probe p;

		/* At a low rate the sampler's own looks are too far apart to catch the last high-water mark before an exit; of a process that is not
		 * to be slowed they have to do. */
		if (!r->foreign) {
			target_read_fast(&r->files, &p);
			note_high_water(r, &p);
		}
		if (r->clock.kind == CLOCK_KIND_REAL)
			run_slow_probe_if_due(r, clock_now(&r->clock));
		if (r->inside)
			inside_look_if_due(r->inside, r->last_rss_bytes, false);
	}
	if (now >= r->next_flush_ns) {
		record_flush(r->record);
		r->next_flush_ns = now + FLUSH_NS;
	}
	(void)sd_event_source_set_time(source, (uint64_t)(now + (r->foreign ? DRAIN_FOREIGN_NS : DRAIN_NS)) / 1000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void on_room_again(void *arg)
{
	struct output *o = arg;

	if (o->source)
		(void)sd_event_source_set_enabled(o->source, SD_EVENT_ON);
}

void run_pass_on(struct output *o)
{
	o->tee = tee_new(o->stream, on_room_again, o);
}

/* Who reads it has gone: the target is told as it would be without us, by SIGPIPE at its next write. */
static void leave_reader(struct run *r, struct output *o)
{
	r->result.pass_on_errnum = o->tee->errnum;
	if (o->tee->errnum != EPIPE || o->fd < 0)
		return;
	o->source = sd_event_source_unref(o->source);
	(void)close(o->fd);
	o->fd = -1;
}

static void take_output(struct run *r, struct output *o, const char *data, size_t len)
{
	record_output(r->record, o->stream, data, len);
	if (o == &r->log)
		last_words_add(&r->words, data, len);
	if (!o->tee)
		return;
	if (!tee_add(o->tee, r->room->event, data, len) && o->source)
		(void)sd_event_source_set_enabled(o->source, SD_EVENT_OFF);
	if (o->tee->errnum)
		leave_reader(r, o);
}

int run_on_output(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct run *r = arg;
	struct output *o = fd == r->out.fd ? &r->out : fd == r->log.fd ? &r->log : &r->load_out;
	char block[TEE_BLOCK];
	ssize_t n = read(fd, block, sizeof(block));

	(void)events;
	if (n > 0) {
		take_output(r, o, block, (size_t)n);
		return 0;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

void run_finish_output(struct run *r, struct output *o)
{
	char block[TEE_BLOCK];
	int left_ms = PASS_ON_MS;
	ssize_t n;

	o->source = sd_event_source_unref(o->source);
	if (o->tee)
		tee_finish(o->tee, &left_ms);
	/* Bounded: a process that escaped the group could write for ever. */
	for (int i = 0; i < 1024 && o->fd >= 0 && (n = read(o->fd, block, sizeof(block))) > 0; i++) {
		take_output(r, o, block, (size_t)n);
		if (o->tee)
			tee_finish(o->tee, &left_ms);
	}
	if (o->tee && o->tee->errnum)
		r->result.pass_on_errnum = o->tee->errnum;
	if (o->fd >= 0)
		(void)close(o->fd);
	o->fd = -1;
}

void run_end_observation(struct run *r)
{
	struct target_faults faults;

	if (!r->slot)
		return;
	clock_stop(&r->clock);
	run_drain(r);
	if (r->state == RUNNING) {
		slow_probe(r);
		if (r->inside)
			inside_last_split(r->inside);
	}
	/* Of the process alone, whether it was ended or exited: a zombie still has them. */
	if (target_read_faults(&r->files, &faults)) {
		r->result.end.minor_faults = faults.minor - r->before.minor_faults;
		r->result.end.major_faults = faults.major - r->before.major_faults;
	}
	r->result.end.cpu_ns = target_read_cpu_ns(&r->files);
	if (r->result.end.cpu_ns != MISSING)
		r->result.end.cpu_ns -= r->before.cpu_ns;
	r->result.end_ns = clock_now(&r->clock);
	clock_report(&r->clock, &r->result.clock);
	acts_end(&r->acts);
	sampler_stop(r->slot, &r->result.sampling);
	run_drain(r);
	r->inside = inside_end(r->inside, r->result.end_ns, r->result.sampling.go_readings, r->result.sampling.go_raced, &r->result.inside);
	end_gap(r, r->result.end_ns, false);
	end_gap(r, r->result.end_ns, true);
	r->result.lost_marks += r->result.sampling.lost_marks;
	r->result.no_lines = r->result.sampling.no_lines;
	sampler_release(r->slot);
	r->slot = NULL;
}
