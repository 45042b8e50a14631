/* SPDX-License-Identifier: Apache-2.0 */
#include "run/inside_parts.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "gostate/split.h"
#include "gostate/symbols.h"
#include "gostate/target.h"
#include "record/record.h"
#include "run/clock.h"
#include "run/sampler.h"

#define YOUNG_NS      (100 * NS_PER_MS) /* of real time: a split reads smaps, whose lock an exec and its first faults want */
#define FIRST_TRY_NS  (50 * NS_PER_MS) /* of real time: how soon a program that is not Go is asked for Go libraries again */
#define PEAK_APART_NS (250 * NS_PER_MS) /* of real time */
#define PEAK_SHARE    20  /* a peak is new where it is higher by one in so many */
#define DUTY          20  /* one in so much time may be spent on looks that no mark asks for */
#define SPARING_DUTY  250 /* likewise, of a target that is not to be slowed */
#define MARKS_FREE    24  /* so many marks have their look at once; those after them one in MARKS_DUTY of the time */
#define MARKS_DUTY    10
#define SPLIT_BYTES_PER_NS 32 /* a guess before the first: 800 MB in 25 ms */

int64_t inside_age_ns(const struct inside *in)
{
	return clock_monotonic_ns() - in->site.clock->exec_ns;
}

/* ---- the program -------------------------------------------------------------------------------------------------------------------- */

static bool has_exited(const struct inside *in)
{
	struct pollfd p = { .fd = in->site.pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

void inside_keep_why(char ret[INSIDE_WHY_MAX], const struct err *err)
{
	const char *text = err_text(err);
	int begin = 0;

	(void)sscanf(text, "process %*d: %n", &begin);
	if (!begin)
		(void)sscanf(text, "process %*d may not be read: %n", &begin);
	(void)snprintf(ret, INSIDE_WHY_MAX, "%.*s", (int)strcspn(text + begin, "\n"), text + begin);
}

static void note_layout(struct inside *in)
{
	const struct go_layout *l = go_target_layout(in->target);

	in->report.by = l->source == LAYOUT_DWARF ? "dwarf" : "symbols";
	(void)snprintf(in->report.version, sizeof(in->report.version), "%s", l->version);
	in->report.why[0] = 0;
	in->report.forbidden = false;
}

static void note_settings(struct inside *in)
{
	struct go_settings s;

	go_settings_read(in->target, &s);
	if (s.gomaxprocs != GO_UNKNOWN) /* it has set itself up */
		in->report.settings = s;
}

/* A program that is not Go may load a library that is: asked again whenever it has become twice as old. */
static bool may_have_loaded(const struct inside *in)
{
	return in->may_load && inside_age_ns(in) / 2 >= in->tried_age_ns;
}

/* Whether another binary runs than the one that could not be read. */
static bool is_worth_a_try(struct inside *in)
{
	char path[32];
	struct stat exe;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)in->site.pid);
	if (stat(path, &exe) < 0)
		return !in->tried; /* whoever opens it says why */
	if (in->tried && exe.st_dev == in->tried_dev && exe.st_ino == in->tried_ino && !may_have_loaded(in))
		return false;
	in->tried_dev = exe.st_dev;
	in->tried_ino = exe.st_ino;
	return true;
}

static void try_to_open(struct inside *in)
{
	struct err cleanup_err err = ERR_INIT;
	enum go_refusal why;

	if (has_exited(in) || !is_worth_a_try(in))
		return;
	if (go_target_open_quickly(in->site.pid, &in->target, &why, &err) < 0) {
		in->target = NULL;
		in->tried = why != GO_REFUSED_GONE;
		in->may_load = why == GO_REFUSED_NOT_GO;
		in->tried_age_ns = inside_age_ns(in) + FIRST_TRY_NS;
		if (why != GO_REFUSED_GONE || !in->report.by) /* that it ended does not say why it was not read before */
			inside_keep_why(in->report.why, &err);
		in->report.forbidden |= why == GO_REFUSED_RIGHTS;
		return;
	}
	in->tried = false;
	note_layout(in);
	note_settings(in);
	sampler_look_inside(in->site.slot, in->target);
}

static void let_go(struct inside *in)
{
	sampler_look_inside(in->site.slot, NULL);
	in->target = go_target_free(in->target);
	in->symbols = symbols_free(in->symbols);
}

static int64_t now_of(void *arg)
{
	const struct inside *in = arg;

	return clock_now(in->site.clock);
}

struct inside *inside_begin(const struct inside_site *site)
{
	struct inside *in = xcalloc(1, sizeof(*in));

	in->site = *site;
	in->report = INSIDE_REPORT_INIT;
	in->splitter = splitter_new(now_of, in);
	in->next_split_ns = 0;
	try_to_open(in);
	return in;
}

uint32_t inside_check(struct inside *in)
{
	uint32_t rows = sampler_go_rows(in->site.slot);

	in->stale = false;
	if (in->target && !go_target_is_same(in->target)) {
		/* What was read of it before it exited was its own. */
		in->stale = !has_exited(in);
		let_go(in);
		rows = sampler_go_rows(in->site.slot); /* the last of it */
		if (in->stale)
			inside_note_gap(in, clock_now(in->site.clock));
	}
	if (!in->target)
		try_to_open(in);
	return rows;
}

/* ---- rows ---------------------------------------------------------------------------------------------------------------------------- */

static bool is_gap(const struct go_counters *c)
{
	return c->heap_inuse_bytes == MISSING && c->goroutines == MISSING;
}

void inside_take(struct inside *in, const struct go_row *row)
{
	struct go_row r = *row;

	if (in->stale)
		memset(&r.c, 0xff, sizeof(r.c));
	if (is_gap(&r.c) && !in->go_known)
		return;
	in->go_known = !is_gap(&r.c);
	in->last = r.c;
	record_go(in->site.record, &r);
}

void inside_note_gap(struct inside *in, int64_t t_ns)
{
	struct split_row gap;

	in->next_split_ns = 0;
	if (!in->split_known)
		return;
	memset(&gap, 0xff, sizeof(gap));
	gap.t_ns = t_ns;
	record_split(in->site.record, &gap);
	in->split_known = false;
}

/* ---- splits -------------------------------------------------------------------------------------------------------------------------- */

static void keep_split(struct inside *in, int64_t t_ns, const struct rss_split *s)
{
	uint64_t error = s->resident_bytes > s->statm_bytes ? s->resident_bytes - s->statm_bytes : s->statm_bytes - s->resident_bytes;
	struct split_row row = { t_ns, *s };

	record_split(in->site.record, &row);
	in->split_known = true;
	in->report.splits++;
	if (in->report.split_error_bytes == MISSING || error > in->report.split_error_bytes)
		in->report.split_error_bytes = error;
	if (s->resident_bytes > in->split_peak_bytes)
		in->split_peak_bytes = s->resident_bytes;
}

/* false: it changed too fast, or it is gone. */
static bool take_split(struct inside *in)
{
	int64_t begin = clock_monotonic_ns(), cpu = clock_thread_cpu_ns(), t = clock_now(in->site.clock);
	struct err cleanup_err err = ERR_INIT;
	struct rss_split s;
	int r = split_read(in->splitter, in->target, &s, &err);

	in->split_at_ns = clock_monotonic_ns();
	in->split_cost_ns = in->split_at_ns - begin;
	in->split_cpu_ns = clock_thread_cpu_ns() - cpu;
	in->spent_ns += in->split_cost_ns;
	in->next_split_ns = t + in->site.split_every_ns;
	in->report.splits_raced += r == -EAGAIN;
	/* A target that is gone has said so by its end. */
	if (r < 0 && r != -EAGAIN && r != -ESRCH)
		inside_keep_why(in->report.split_why, &err);
	if (r < 0)
		return false;
	keep_split(in, splitter_at_ns(in->splitter), &s);
	note_settings(in);
	return true;
}

void inside_note_mark(struct inside *in, const char *name)
{
	(void)snprintf(in->mark, sizeof(in->mark), "%s", name);
}

/* Whether there is time for another split; of the first one its size tells what it will take. */
static bool may_split(const struct inside *in, uint64_t rss_bytes)
{
	int64_t age = inside_age_ns(in), guess = rss_bytes == MISSING ? 0 : (int64_t)(rss_bytes / SPLIT_BYTES_PER_NS);

	/* A process that was attached to has a mark there, which has its look: that is not taken from what follows. And who waits for a CPU
	 * takes none from it. */
	if (in->site.sparing)
		return in->unasked_cpu_ns + (in->split_at_ns ? in->split_cpu_ns : guess) <= age / SPARING_DUTY;
	return in->spent_ns + (in->split_at_ns ? in->split_cost_ns : guess) <= age / DUTY;
}

static bool look_at_mark_if_due(struct inside *in, bool still)
{
	int64_t age = inside_age_ns(in);
	char at[sizeof(in->mark)];

	if (!in->mark[0] || (!still && age < YOUNG_NS) || (in->marks_looked >= MARKS_FREE && in->spent_ns > age / MARKS_DUTY))
		return false;
	memcpy(at, in->mark, sizeof(at));
	in->mark[0] = 0;
	in->marks_looked++;
	(void)take_split(in);
	inside_snapshot(in, clock_now(in->site.clock), at, false);
	return true;
}

void inside_look_if_due(struct inside *in, uint64_t rss_bytes, bool still)
{
	if (!in->target || look_at_mark_if_due(in, still) || inside_age_ns(in) < YOUNG_NS)
		return;

	bool peak = rss_bytes != MISSING && rss_bytes > in->split_peak_bytes + in->split_peak_bytes / PEAK_SHARE &&
		    clock_monotonic_ns() - in->split_at_ns >= PEAK_APART_NS;
	if ((peak || clock_now(in->site.clock) >= in->next_split_ns) && may_split(in, rss_bytes)) {
		(void)take_split(in);
		in->unasked_cpu_ns += in->split_cpu_ns;
	}
}

/* ---- the end ------------------------------------------------------------------------------------------------------------------------- */

void inside_last_split(struct inside *in)
{
	if (in->target && !has_exited(in))
		(void)take_split(in);
}

struct inside *inside_end(struct inside *in, int64_t end_ns, uint64_t readings, uint64_t raced, struct inside_report *ret)
{
	struct go_row gone;

	if (!in)
		return NULL;
	memset(&gone, 0xff, sizeof(gone));
	gone.t_ns = end_ns;
	if (in->target && !has_exited(in))
		inside_snapshot(in, end_ns, "end", true);
	/* No tick may have come between its exit and here. */
	if (in->go_known && has_exited(in))
		record_go(in->site.record, &gone);
	in->report.readings = readings;
	in->report.raced = raced;
	in->report.read = readings > raced;
	in->report.looks_s = (double)in->spent_ns / 1e9;
	in->report.unasked_cpu_s = (double)in->unasked_cpu_ns / 1e9;
	if (!in->report.read && !in->report.why[0])
		(void)snprintf(in->report.why, sizeof(in->report.why), "%s",
			       raced ? "no two looks at its counters were alike: they do not make sense" : "it ended before its runtime could be read");
	*ret = in->report;
	let_go(in);
	splitter_free(in->splitter);
	json_decref(in->goroutines);
	free(in);
	return NULL;
}
