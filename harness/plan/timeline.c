/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/timeline.h"

#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "plan/conversion.h"
#include "plan/scenario_parts.h"

static const struct {
	const char *name, *mark;
} kinds[ACT_KINDS_] = {
	[ACT_LOWER_LIMIT] = { "lower-limit", "limit-lowered" },
	[ACT_RAISE_LIMIT] = { "raise-limit", "limit-raised" },
	[ACT_RECLAIM] = { "reclaim", "reclaimed" },
	[ACT_PRESSURE] = { "pressure", "pressure" },
	[ACT_NEIGHBOUR] = { "neighbour", "neighbour" },
	[ACT_SIGNAL] = { "signal", "signal" },
};

const char *act_name(enum act_kind kind)
{
	return kinds[kind].name;
}

const char *act_mark(enum act_kind kind)
{
	return kinds[kind].mark;
}

char *signal_name(int number)
{
	return strf("SIG%s", sigabbrev_np(number) ? sigabbrev_np(number) : "?");
}

char *act_text(const struct act *a)
{
	cleanup_free char *name = signal_name(a->signal);
	char size[32];

	return strf("%s %s", act_name(a->kind), a->kind == ACT_SIGNAL ? name : format_size(size, sizeof(size), a->amount_bytes));
}

const struct act *timeline_in_group(const struct timeline *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].kind != ACT_SIGNAL)
			return &t->v[i];
	return NULL;
}

void timeline_done(struct timeline *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].place);
	free(t->v);
	*t = (struct timeline){ 0 };
}

/* ---- from the scenario's text ---------------------------------------------------------------------------------------------------------- */

static int parse_kind(const char *text, enum act_kind *ret, struct err *err)
{
	const char *names[ACT_KINDS_];

	for (int i = 0; i < ACT_KINDS_; i++) {
		names[i] = kinds[i].name;
		if (!strcmp(text, names[i])) {
			*ret = (enum act_kind)i;
			return 0;
		}
	}
	const char *near = nearest_word(text, names, ACT_KINDS_);

	return near ? err_usage(err, "there is no act '%s': did you mean '%s'?", text, near)
		    : err_usage(err, "there is no act '%s': the acts are lower-limit, raise-limit, reclaim, pressure, neighbour and signal", text);
}

/* A program that is stopped neither sleeps nor works: a virtual clock would wait for it for ever, so no scenario has it. */
static bool stops(int number)
{
	return number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

static int parse_signal(const char *text, int *ret, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;

	for (int i = 1; i < 32; i++) {
		cleanup_free char *name = signal_name(i);

		if (sigabbrev_np(i))
			strv_push(&names, name);
		if (strcmp(name, text))
			continue;
		if (stops(i))
			return err_usage(err, "%s would stop the program: a timeline cannot do that, since a stopped program has no time", name);
		*ret = i;
		return 0;
	}
	cleanup_free char *whole = strf("%s%s", strncmp(text, "SIG", 3) ? "SIG" : "", text);
	const char *near = nearest_word(whole, (const char *const *)names.v, names.n);

	return near ? err_usage(err, "there is no signal '%s': did you mean '%s'?", text, near)
		    : err_usage(err, "there is no signal '%s': write its name, as in SIGUSR1", text);
}

/* Each act has the keys that it needs and no other. */
static int check_keys(struct conversion *c, const struct raw_act *raw, const struct act *a, unsigned index)
{
	bool signals = a->kind == ACT_SIGNAL;
	const char *wanted = signals ? raw->name : raw->amount, *extra = signals ? raw->amount : raw->name;

	if (!wanted) {
		(void)err_usage(c->err, signals ? "signal has no name: write name: SIGUSR1" : "%s has no amount: write amount: 400MB",
				act_name(a->kind));
		return places_wrap(c->places, c->err, "timeline[%u]", index);
	}
	if (extra) {
		(void)err_usage(c->err, signals ? "signal has a name, no amount: leave amount out" : "%s has an amount, no name: leave name out",
				act_name(a->kind));
		return places_wrap(c->places, c->err, "timeline[%u].%s", index, signals ? "amount" : "name");
	}
	return 0;
}

static int convert_act(struct conversion *c, struct act *a, unsigned index)
{
	const struct raw_act *raw = &c->raw->timeline[index];
	cleanup_free char *path = strf("timeline[%u]", index);
	int r;

	a->place = places_find(c->places, path);
	if (parse_kind(raw->what, &a->kind, c->err) < 0)
		return places_wrap(c->places, c->err, "%s.do", path);
	if (parse_duration(raw->at, &a->at_ns, c->err) < 0)
		return places_wrap(c->places, c->err, "%s.at", path);
	r = check_keys(c, raw, a, index);
	if (r < 0)
		return r;
	if (raw->amount && parse_size(raw->amount, &a->amount_bytes, c->err) < 0)
		return places_wrap(c->places, c->err, "%s.amount", path);
	if (raw->name && parse_signal(raw->name, &a->signal, c->err) < 0)
		return places_wrap(c->places, c->err, "%s.name", path);
	return 0;
}

/* Those of the same time in the order of the file. */
static void sort(struct timeline *t)
{
	for (size_t i = 1; i < t->n; i++)
		for (size_t j = i; j > 0 && t->v[j].at_ns < t->v[j - 1].at_ns; j--) {
			struct act later = t->v[j - 1];

			t->v[j - 1] = t->v[j];
			t->v[j] = later;
		}
}

int timeline_add(struct scenario *s, enum act_kind kind, int64_t at_ns, uint64_t amount_bytes, struct err *err)
{
	struct timeline *t = &s->timeline;

	t->v = xreallocarray(t->v, t->n + 1, sizeof(*t->v));
	t->v[t->n++] = (struct act){ at_ns, kind, amount_bytes, 0, xstrdup("added") };
	sort(t);
	return timeline_check(s, err);
}

int convert_timeline(struct conversion *c)
{
	struct timeline *t = &c->s->timeline;
	int r = 0;

	t->v = xcalloc(c->raw->n_timeline + 1, sizeof(*t->v));
	for (unsigned i = 0; r >= 0 && i < c->raw->n_timeline; i++)
		r = convert_act(c, &t->v[t->n++], i);
	if (r < 0)
		return r;
	sort(t);
	return timeline_check(c->s, c->err);
}

/* ---- what the scenario makes of it -------------------------------------------------------------------------------------------------- */

static int check_end(const struct scenario *s, const struct act *a, struct err *err)
{
	int64_t end_ns = s->for_ns ? s->for_ns : s->timeout_ns;
	cleanup_free char *what = act_text(a);
	char at[32], end[32];

	if (a->at_ns < end_ns)
		return 0;
	return err_usage(err, "%s: %s at %s comes too late: the run ends at %s: write an earlier `at`, or a longer %s", a->place, what,
			 format_duration(at, sizeof(at), (double)a->at_ns / NS_PER_S),
			 format_duration(end, sizeof(end), (double)end_ns / NS_PER_S),
			 s->for_ns ? "run.for (--for)" : "run.timeout, or a run.for");
}

/* One limit act after another, from the limit that a cell begins with. */
static int check_limits(const struct scenario *s, uint64_t limit_bytes, struct err *err)
{
	for (size_t i = 0; i < s->timeline.n; i++) {
		const struct act *a = &s->timeline.v[i];
		bool lowers = a->kind == ACT_LOWER_LIMIT;
		cleanup_free char *what = act_text(a);
		char size[32];

		if (!lowers && a->kind != ACT_RAISE_LIMIT)
			continue;
		if (!limit_bytes)
			return err_usage(err, "%s: %s: there is no limit to %s: give the run one (limit: 1GB, --limit)", a->place, what,
					 lowers ? "lower" : "raise");
		if (lowers ? a->amount_bytes >= limit_bytes : a->amount_bytes <= limit_bytes)
			return err_usage(err, "%s: %s: the limit is %s by then: write %s amount, or %s", a->place, what,
					 format_size(size, sizeof(size), limit_bytes), lowers ? "a smaller" : "a larger",
					 act_name(lowers ? ACT_RAISE_LIMIT : ACT_LOWER_LIMIT));
		limit_bytes = a->amount_bytes;
	}
	return 0;
}

int timeline_check(const struct scenario *s, struct err *err)
{
	const struct axis *limits = scenario_axis(s, "limit");
	uint64_t limit_bytes;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < s->timeline.n; i++)
		r = check_end(s, &s->timeline.v[i], err);
	if (r >= 0 && !limits)
		r = check_limits(s, s->limit_bytes, err);
	for (size_t i = 0; r >= 0 && limits && i < limits->values.n; i++) {
		r = limit_parse(limits->values.v[i], &limit_bytes, err);
		if (r >= 0)
			r = check_limits(s, limit_bytes, err);
	}
	return r;
}
