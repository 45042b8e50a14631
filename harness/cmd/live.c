/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/live.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analyse/mechanism.h"
#include "analyse/metrics.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "gostate/counters.h"
#include "gostate/split.h"
#include "gostate/symbols.h"
#include "gostate/target.h"
#include "run/clock.h"
#include "run/inside.h"

#define POINTS_MAX      8192 /* then every second one goes */
#define SPLITS_MAX      4096
#define SPLIT_EVERY_NS  NS_PER_S
#define LOOK_EVERY_NS   (2 * NS_PER_S)
#define VERDICT_EVERY_NS (2 * NS_PER_S)
#define PROBE_EVERY_NS  NS_PER_S
#define RATE_NS         (10 * NS_PER_S) /* rates are those of the last while */
#define DUTY            250 /* one in so much time for looks that cost; for verdicts likewise */

static int64_t now_of(const struct live *l)
{
	return clock_monotonic_ns() - l->begin_ns;
}

/* ---- the program --------------------------------------------------------------------------------------------------------------------- */

static void close_target(struct live *l)
{
	goroutine_look_done(&l->look);
	goroutine_look_done(&l->before);
	l->look = l->before = (struct goroutine_look){ 0 };
	l->look_ns = l->before_ns = -1;
	l->symbols = symbols_free(l->symbols);
	l->target = go_target_free(l->target);
	l->has_counters = l->has_split = l->tried_split = l->tried_look = false;
	json_decref(l->goroutines);
	l->goroutines = NULL;
}

static void open_target(struct live *l)
{
	struct err cleanup_err err = ERR_INIT;

	free(l->why);
	l->why = NULL;
	if (go_target_open(l->foreign->pid, &l->target, NULL, &err) < 0) {
		l->target = NULL;
		const char *text = err_text(&err);
		int begin = 0;

		(void)sscanf(text, "process %*d: %n", &begin);
		l->why = strf("%.*s", (int)strcspn(text + begin, "\n"), text + begin);
		return;
	}
	if (symbols_open(l->target, &l->symbols, NULL) < 0)
		l->symbols = NULL;
	l->next_split_ns = l->next_look_ns = 0;
}

int live_open(struct live *l, const struct foreign *f, struct err *err)
{
	*l = (struct live){ .foreign = f, .keep_each = 1, .look_ns = -1, .before_ns = -1, .threads = GO_UNKNOWN, .begin_ns = clock_monotonic_ns() };
	int r = target_files_open(&l->files, f->pid, f->memcg, err);

	if (r < 0)
		return foreign_is_gone(f) ? err_usage(err, "process %d has just exited", (int)f->pid) : r;
	l->who = foreign_text(f);
	l->splitter = splitter_new(NULL, NULL);
	l->program = foreign_program(f);
	open_target(l);
	return 0;
}

void live_close(struct live *l)
{
	close_target(l);
	splitter_free(l->splitter);
	target_files_close(&l->files);
	run_series_done(&l->series);
	free(l->points);
	free(l->why);
	free(l->verdict);
	free(l->note);
	free(l->who);
	*l = (struct live){ 0 };
}

/* ---- readings ------------------------------------------------------------------------------------------------------------------------ */

#define APPEND(array, n, have, value)                                                     \
	do {                                                                              \
		if ((n) == (have)) {                                                      \
			(have) = (have) ? 2 * (have) : 256;                               \
			(array) = xreallocarray((array), (have), sizeof(*(array)));       \
		}                                                                         \
		(array)[(n)++] = (value);                                                 \
	} while (0)

/* Every second one, from the second on: the first stays, what grew is counted from there. */
#define HALVE(array, n)                                            \
	do {                                                       \
		size_t kept_ = 0;                                  \
		for (size_t i_ = 0; i_ < (n); i_ += 2)             \
			(array)[kept_++] = (array)[i_];            \
		(n) = kept_;                                       \
	} while (0)

static void keep_tick(struct live *l)
{
	struct run_series *s = &l->series;
	struct go_row row = { .t_ns = l->last.t_ns, .c = l->counters };

	if (l->skipped++ % l->keep_each)
		return;
	APPEND(s->samples, s->n_samples, l->room_samples, l->last);
	if (l->has_counters)
		APPEND(s->go, s->n_go, l->room_go, row);
	if (s->n_samples < POINTS_MAX)
		return;
	HALVE(s->samples, s->n_samples);
	HALVE(s->go, s->n_go);
	l->keep_each *= 2;
}

static void take_probe(struct live *l, int64_t now)
{
	struct run_series *s = &l->series;
	struct probe p;

	if (s->n_probes && now - s->probes[s->n_probes - 1].t_ns < PROBE_EVERY_NS * l->keep_each)
		return;
	target_read_fast(&l->files, &p);
	p.t_ns = now;
	l->threads = p.threads;
	/* The peak of before it was watched is none of what was seen. Of smaps the split says more. */
	p.hwm_bytes = MISSING;
	APPEND(s->probes, s->n_probes, l->room_probes, p);
	if (s->n_probes >= POINTS_MAX)
		HALVE(s->probes, s->n_probes);
}

/* The first of each kind are what the view was opened for: they are not taken from what follows. */
static bool may_spend(const struct live *l, int64_t now, bool first)
{
	return first || l->spent_cpu_ns <= now / DUTY;
}

static void take_split(struct live *l, int64_t now)
{
	struct split_row row = { .t_ns = now };
	int64_t begin = clock_thread_cpu_ns();
	bool first = !l->tried_split;

	l->tried_split = true;
	l->next_split_ns = now + SPLIT_EVERY_NS;
	if (split_read(l->splitter, l->target, &row.s, NULL) >= 0) {
		struct run_series *s = &l->series;

		l->split = row;
		l->has_split = true;
		if (s->n_splits >= SPLITS_MAX)
			HALVE(s->splits, s->n_splits);
		APPEND(s->splits, s->n_splits, l->room_splits, row);
	}
	l->spent_cpu_ns += first ? 0 : clock_thread_cpu_ns() - begin;
}

static void take_look(struct live *l, int64_t now)
{
	struct goroutine_look look = { 0 };
	int64_t begin = clock_thread_cpu_ns();
	bool first = !l->tried_look;

	l->tried_look = true;
	l->next_look_ns = now + LOOK_EVERY_NS;
	if (l->symbols && goroutines_read(l->target, l->symbols, &look, NULL) >= 0) {
		/* What rates are counted from is RATE_NS old at least, where there is one so old. */
		if (l->before_ns < 0 || l->look_ns - l->before_ns >= RATE_NS) {
			goroutine_look_done(&l->before);
			l->before = l->look;
			l->before_ns = l->look_ns;
		} else {
			goroutine_look_done(&l->look);
		}
		l->look = look;
		l->look_ns = now;
		json_decref(l->goroutines);
		l->goroutines = json_pack("{s:[o]}", "snapshots", inside_goroutines_json(l->target, NULL, now, "now", &look));
	}
	l->spent_cpu_ns += first ? 0 : clock_thread_cpu_ns() - begin;
}

/* Another program: what was read of the one before says nothing of it. */
static void note_exec(struct live *l)
{
	uint64_t program = foreign_program(l->foreign);

	/* One that exits has no stack any more, some time before it is gone: what was read last is what it had. */
	if (program == l->program || (!program && l->program) || foreign_is_gone(l->foreign))
		return;
	close_target(l);
	l->program = program;
	l->execs++;
	free(l->who);
	l->who = foreign_text_now(l->foreign);
	run_series_done(&l->series);
	l->room_samples = l->room_go = l->room_probes = l->room_splits = 0;
	l->peak_bytes = 0;
	open_target(l);
}

static void look_for_verdict(struct live *l, int64_t now);

void live_tick(struct live *l)
{
	int64_t now = now_of(l);
	struct sample s = l->last;

	l->gone = l->gone || foreign_is_gone(l->foreign) || !target_read_sample(&l->files, &s);
	if (l->gone)
		return;
	note_exec(l);
	l->last = s;
	l->last.t_ns = now;
	if (l->last.rss_bytes > l->peak_bytes)
		l->peak_bytes = l->last.rss_bytes;
	if (l->target) {
		enum go_look r = go_counters_read(l->target, &l->counters);

		/* A look that raced is nothing: what was read last holds on. */
		l->has_counters = r == GO_LOOK_OK || (r == GO_LOOK_RACED && l->has_counters);
	}
	take_probe(l, now);
	keep_tick(l);
	if (l->target && now >= l->next_split_ns && may_spend(l, now, !l->tried_split))
		take_split(l, now);
	if (l->target && now >= l->next_look_ns && may_spend(l, now, !l->tried_look))
		take_look(l, now);
	if (now >= l->next_verdict_ns)
		look_for_verdict(l, now);
}

/* ---- what it comes to ---------------------------------------------------------------------------------------------------------------- */

static const char *first_text(const json_t *evidence)
{
	return json_string_value(json_object_get(json_array_get(evidence, 0), "text"));
}

/* "goroutines (82 % of what it holds): 10 003 goroutines hold 25 MB of stacks" */
static char *verdict_text(const struct diagnosis *d)
{
	const char *text = first_text(d->evidence);

	if (d->mechanism == MECHANISM_UNKNOWN)
		return strf("Why it holds this memory cannot be told yet%s%s", d->why ? ": " : "", d->why ? d->why : "");
	if (d->small)
		return strf("nothing is held%s%s%s", d->growing ? " yet, though it grows" : "", text ? ": " : "", text ? text : "");
	return strf("%s%s%s%s", d->growing ? "growing: " : "", mechanism_to_string(d->mechanism), text ? ": " : "", text ? text : "");
}

static void look_for_verdict(struct live *l, int64_t now)
{
	const struct run_facts facts = {
		.outcome = OUTCOME_OK,
		.end_ns = now,
		.end = { MISSING, MISSING, MISSING, MISSING, MISSING, MISSING },
		.runtime_why = l->why,
		.cgroup_shared = l->foreign->memcg_processes > 1,
	};
	cleanup_json json_t *metrics = NULL, *missing = NULL, *run = NULL;
	int64_t begin = clock_thread_cpu_ns();
	struct diagnosis d;

	metrics_compute(&l->series, &facts, &metrics, &missing);
	run = json_pack("{s:s, s:f, s:{s:b, s:o}}", "outcome", "ok", "target_s", (double)now / 1e9, "runtime", "read", l->has_counters, "why",
			json_text(l->why));
	diagnosis_of(&(struct mechanism_facts){ metrics, missing, run, &l->series, l->goroutines }, &d);
	free(l->verdict);
	/* Where nothing inside is read, the note says so. */
	l->verdict = l->why && d.mechanism == MECHANISM_UNKNOWN ? NULL : verdict_text(&d);
	diagnosis_done(&d);
	/* Where much has been read, more rarely. */
	int64_t took = clock_thread_cpu_ns() - begin;

	l->next_verdict_ns = now + (took * DUTY > VERDICT_EVERY_NS ? took * DUTY : VERDICT_EVERY_NS);
}

/* The oldest row of the last RATE_NS, as far as there is one; the index. */
static size_t row_before(const struct live *l)
{
	const struct run_series *s = &l->series;
	size_t i = s->n_go;

	while (i > 0 && l->last.t_ns - s->go[i - 1].t_ns <= RATE_NS)
		i--;
	return i;
}

static double per_s(uint64_t now, uint64_t before, int64_t ns)
{
	return now == MISSING || before == MISSING || ns < NS_PER_S ? NAN : ((double)now - (double)before) / ((double)ns / 1e9);
}

static double rss_per_s(const struct live *l)
{
	const struct run_series *s = &l->series;
	size_t i = s->n_samples;

	while (i > 0 && l->last.t_ns - s->samples[i - 1].t_ns <= RATE_NS)
		i--;
	return i < s->n_samples ? per_s(l->last.rss_bytes, s->samples[i].rss_bytes, l->last.t_ns - s->samples[i].t_ns) : NAN;
}

static bool same_origin(const struct goroutine_group *a, const struct goroutine_group *b)
{
	return a->made.line == b->made.line && a->blocked.line == b->blocked.line && !strcmp(a->made.function, b->made.function) &&
	       !strcmp(a->made.file, b->made.file) && !strcmp(a->blocked.function, b->blocked.function) && !strcmp(a->wait, b->wait) &&
	       !strcmp(a->state, b->state);
}

static double origin_rate(const struct live *l, const struct goroutine_group *g)
{
	int64_t ns = l->look_ns - l->before_ns;

	if (l->before_ns < 0)
		return NAN;
	for (size_t i = 0; i < l->before.n_groups; i++)
		if (same_origin(g, &l->before.groups[i]))
			return per_s(g->count, l->before.groups[i].count, ns);
	return per_s(g->count, 0, ns);
}

static const char *last_element(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static size_t find_origins(struct live *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->look.n_groups && n < LIVE_ORIGINS_MAX; i++) {
		const struct goroutine_group *g = &l->look.groups[i];
		struct live_origin *o = &l->origins[n];

		if (g->system)
			continue;
		o->count = g->count;
		o->per_s = origin_rate(l, g);
		(void)snprintf(o->text, sizeof(o->text), "%s %s:%u, %s%s%s", *g->made.function ? g->made.function : "?", last_element(g->made.file),
			       g->made.line, *g->wait ? g->wait : g->state, *g->blocked.function ? " in " : "", g->blocked.function);
		n++;
	}
	return n;
}

static void make_points(struct live *l)
{
	const struct run_series *s = &l->series;
	size_t k = 0;

	l->points = xreallocarray(l->points, s->n_samples + 1, sizeof(*l->points));
	for (size_t i = 0; i < s->n_samples; i++) {
		while (k < s->n_go && s->go[k].t_ns < s->samples[i].t_ns)
			k++;
		l->points[i] = (struct live_point){
			.t_s = (double)s->samples[i].t_ns / 1e9,
			.rss_bytes = s->samples[i].rss_bytes,
			.heap_bytes = k < s->n_go && s->go[k].t_ns == s->samples[i].t_ns ? s->go[k].c.heap_inuse_bytes : GO_UNKNOWN,
		};
	}
}

static void find_note(struct live *l)
{
	free(l->note);
	l->note = l->gone   ? xstrdup("It has ended.")
		  : l->why  ? strf("Only what the kernel tells of it: %s", l->why)
		  : l->execs ? strf("It has begun another program while it was watched (%u time%s): this is the last.", l->execs, l->execs > 1 ? "s" : "")
			     : NULL;
}

void live_view(struct live *l, struct live_view *ret)
{
	size_t row = row_before(l);
	const struct go_row *before = row < l->series.n_go ? &l->series.go[row] : NULL;

	make_points(l);
	find_note(l);
	*ret = (struct live_view){
		.who = l->who,
		.version = l->target ? go_target_layout(l->target)->version : "",
		.watched_s = (double)l->last.t_ns / 1e9,
		.points = l->points,
		.n_points = l->series.n_samples,
		.rss_bytes = l->series.n_samples ? l->last.rss_bytes : GO_UNKNOWN,
		.peak_bytes = l->peak_bytes,
		.usage_bytes = l->series.n_samples ? l->last.usage_bytes : GO_UNKNOWN,
		.threads = l->threads,
		.has_split = l->has_split,
		.has_counters = l->has_counters,
		.split = l->split.s,
		.counters = l->counters,
		.gc_per_s = before ? per_s(l->counters.gc_count, before->c.gc_count, l->last.t_ns - before->t_ns) : NAN,
		.goroutines_per_s = before ? per_s(l->counters.goroutines, before->c.goroutines, l->last.t_ns - before->t_ns) : NAN,
		.rss_per_s = rss_per_s(l),
		.n_origins = find_origins(l),
		.verdict = l->verdict,
		.note = l->note,
	};
	memcpy(ret->origins, l->origins, sizeof(l->origins));
}
