/* SPDX-License-Identifier: Apache-2.0
 *
 * How a scenario's runs go: run, load, ready, and the clock that follows from them.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "plan/conversion.h"

#define TIMEOUT_DEFAULT (600 * NS_PER_S)
#define REPEAT_MAX      1000
#define MARK_NAME_MAX   31 /* as marks.tsv has it */

/* --- run --- */

static int convert_times(struct conversion *c)
{
	const struct raw_run *raw = &c->raw->run;
	struct scenario *s = c->s;
	uint64_t repeat = 1;
	int64_t takes_ns = 0;

	s->timeout_ns = TIMEOUT_DEFAULT;
	if (raw->duration && parse_duration(raw->duration, &s->for_ns, c->err) < 0)
		return places_wrap(c->places, c->err, "run.for");
	if (raw->timeout && parse_duration(raw->timeout, &s->timeout_ns, c->err) < 0)
		return places_wrap(c->places, c->err, "run.timeout");
	if (raw->duration && raw->timeout) {
		(void)err_usage(c->err, "timeout is for a program that exits by itself: with `for` the run ends after that time");
		return places_wrap(c->places, c->err, "run.timeout");
	}
	if (raw->repeat && parse_count(raw->repeat, 1, REPEAT_MAX, &repeat, c->err) < 0)
		return places_wrap(c->places, c->err, "run.repeat");
	s->repeat = (unsigned)repeat;
	if (raw->takes && parse_duration(raw->takes, &takes_ns, c->err) < 0)
		return places_wrap(c->places, c->err, "run.takes");
	if (raw->alone && strcmp(raw->alone, "true")) {
		(void)err_usage(c->err, "alone is '%s': write alone: true, or leave it out", raw->alone);
		return places_wrap(c->places, c->err, "run.alone");
	}
	s->alone = raw->alone;
	s->takes_s = (double)takes_ns / NS_PER_S;
	return 0;
}

/* --- load, ready --- */

static int check_load(struct conversion *c)
{
	bool args = places_has(c->places, "load.args"), command = places_has(c->places, "load.command");

	if (args == command) {
		(void)err_usage(c->err, args ? "load is the program itself with other arguments, or a command: write args or command, not both"
					     : "load does not say what to run: write {args: [...]} for the program itself, or {command: [...]}");
		return places_wrap(c->places, c->err, "load");
	}
	if (args && c->s->program.kind == PROGRAM_COMMAND) {
		(void)err_usage(c->err, "load: {args: ...} is for a program that memtide builds, and this one is a command: write "
					"load: {command: [...]}");
		return places_wrap(c->places, c->err, "load.args");
	}
	return 0;
}

static int convert_load(struct conversion *c)
{
	const struct raw_load *raw = &c->raw->load;
	struct load *l = &c->s->load;
	int r;

	if (!places_has(c->places, "load"))
		return 0;
	r = check_load(c);
	if (r < 0)
		return r;
	l->given = true;
	for (unsigned i = 0; i < raw->args.n; i++)
		strv_push(&l->args, raw->args.v[i]);
	return places_has(c->places, "load.command") ? convert_words(c, &raw->command, "load.command", &l->command) : 0;
}

static bool is_mark_name(const char *name)
{
	return *name && strlen(name) <= MARK_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

static int convert_ready(struct conversion *c)
{
	const struct raw_ready *raw = &c->raw->ready;
	struct ready *ready = &c->s->ready;

	if (!places_has(c->places, "ready"))
		return 0;
	if (!c->s->load.given) {
		(void)err_usage(c->err, "ready says when the load may start, and there is no load: leave it out, or write a load");
		return places_wrap(c->places, c->err, "ready");
	}
	if (!raw->mark == !raw->port) {
		(void)err_usage(c->err, raw->mark ? "ready is a mark or the port: write one of them"
						  : "ready is empty: write {mark: NAME} or {port: true}");
		return places_wrap(c->places, c->err, "ready");
	}
	if (raw->mark && !is_mark_name(raw->mark)) {
		(void)err_usage(c->err, "'%s' is no mark: a mark has small letters, digits and -, at most %d of them", raw->mark,
				MARK_NAME_MAX);
		return places_wrap(c->places, c->err, "ready.mark");
	}
	if (raw->port && strcmp(raw->port, "true")) {
		(void)err_usage(c->err, "port is '%s': write port: true (memtide picks a free one; {port} in args and load stands for it)",
				raw->port);
		return places_wrap(c->places, c->err, "ready.port");
	}
	ready->mark = raw->mark ? xstrdup(raw->mark) : NULL;
	ready->port = raw->port;
	return 0;
}

/* --- the clock --- */

const char *clock_kind_name(enum clock_kind kind)
{
	return kind == CLOCK_KIND_VIRTUAL ? "virtual" : "real";
}

static int parse_clock(const char *text, enum clock_kind *ret, bool *ret_strict, struct err *err)
{
	*ret_strict = !strcmp(text, "virtual!");
	*ret = strcmp(text, "real") ? CLOCK_KIND_VIRTUAL : CLOCK_KIND_REAL;
	if (*ret == CLOCK_KIND_VIRTUAL && !*ret_strict && strcmp(text, "virtual"))
		return err_usage(err, "there is no clock '%s': write real, virtual or virtual!", text);
	return 0;
}

static int parse_load_clock(const char *text, enum clock_kind *ret, struct err *err)
{
	if (strcmp(text, "real") && strcmp(text, "virtual"))
		return err_usage(err, "there is no clock '%s' for a load: write real or virtual", text);
	*ret = strcmp(text, "real") ? CLOCK_KIND_VIRTUAL : CLOCK_KIND_REAL;
	return 0;
}

/* Both are on one clock: while a load in real time waits for an answer, virtual time would run away from it. */
static bool clocks_differ(const struct scenario *s)
{
	return s->load.clock_given && s->load.clock != s->clock;
}

static int two_clocks(const struct scenario *s, const char *mend, struct err *err)
{
	return err_usage(err, "a load %s cannot drive a program %s: %s",
			 s->load.clock == CLOCK_KIND_REAL ? "in real time" : "on virtual time",
			 s->clock == CLOCK_KIND_REAL ? "in real time" : "on virtual time", mend);
}

/* Bundled programs are closed in themselves: nothing outside answers them in real time. */
static enum clock_kind default_clock(const struct scenario *s)
{
	bool real_load = s->load.clock_given && s->load.clock == CLOCK_KIND_REAL;

	return s->program.kind == PROGRAM_BUNDLED && !real_load ? CLOCK_KIND_VIRTUAL : CLOCK_KIND_REAL;
}

static int convert_clock(struct conversion *c)
{
	struct scenario *s = c->s;

	if (c->raw->load.clock) {
		if (parse_load_clock(c->raw->load.clock, &s->load.clock, c->err) < 0)
			return places_wrap(c->places, c->err, "load.clock");
		s->load.clock_given = true;
	}
	s->clock = default_clock(s);
	if (c->raw->run.clock && parse_clock(c->raw->run.clock, &s->clock, &s->clock_strict, c->err) < 0)
		return places_wrap(c->places, c->err, "run.clock");
	if (clocks_differ(s)) {
		cleanup_free char *mend = strf("write clock: %s for the run too, or leave it out", clock_kind_name(s->load.clock));

		(void)two_clocks(s, mend, c->err);
		return places_wrap(c->places, c->err, "load.clock");
	}
	s->load.clock = s->clock;
	return 0;
}

int scenario_set_clock(struct scenario *s, const char *clock, struct err *err)
{
	enum clock_kind was = s->clock;
	bool strict = false;
	int r = parse_clock(clock, &s->clock, &strict, err);

	if (r >= 0 && clocks_differ(s)) {
		cleanup_free char *mend = strf("change clock: %s in its load (%s)", clock_kind_name(s->load.clock), s->path);

		r = two_clocks(s, mend, err);
	}
	if (r < 0) {
		s->clock = was;
		return r;
	}
	s->load.clock = s->clock;
	s->clock_strict = strict;
	return 0;
}

int convert_run(struct conversion *c)
{
	static int (*const steps[])(struct conversion *) = { convert_times, convert_load, convert_ready, convert_clock };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < sizeof(steps) / sizeof(*steps); i++)
		r = steps[i](c);
	return r;
}
