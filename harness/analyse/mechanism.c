/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules: what of the resident memory each mechanism holds, and which of them is the answer. In the order in which an expert
 * goes: was it given back; is what is left lazily freed; does it lie outside of the runtime; threads; free in the heap;
 * goroutines; the rest is live.
 */
#include "analyse/mechanism.h"

#include <math.h>
#include <string.h>

#include "analyse/mechanism_parts.h"
#include "base/alloc.h"
#include "base/units.h"

/* Given back is what falls by this share of what came on top of the baseline: the rest is the runtime's larger tables. */
#define RELEASED_SHARE 0.9
/* Unless the rest is a question of its own. */
#define RELEASED_REST_MAX MB(64)
/* Below this nobody asks: what a Go process holds without doing anything differs by as much from release to release. */
#define SMALL_HELD MB(4)
/* Of free heap any process may have as much, given back or not: no collection begins below 4 MB (src/runtime/mgc.go,
 * defaultHeapMinimum), and what one finds dead lies beside stacks and gaps. */
#define SMALL_FREE MB(6)
/* A small process that came down by this much has given something back; one that did not never had anything. */
#define SMALL_FALL MB(8)
/* That many of them are an answer even where they hold little. */
#define MANY_COUNT 100
#define MANY_HELD  MB(1)
/* What the runtime has for itself in any process: its data, bss, first tables. */
#define RUNTIME_FLOOR MB(4)
/* And what it needs to manage the heap: spans, bitmaps (1/32 of the heap up to Go 1.19), GC work: no mechanism of its own. */
#define METADATA_SHARE 0.05
/* Of files any process has so much: its binary and libraries, as far as it has touched them. */
#define FILES_FLOOR MB(16)
/* So many more goroutines than before the load may be a leak, and are not a pool of workers. */
#define GOROUTINES_MANY 50
/* They are kept: of the most there were, those at work under load included, half are there at the end. */
#define GOROUTINES_KEPT 0.5
/* The heap climbs with them. A ramp and a step correlate by 0.5, a ramp and a GC's saw teeth on that ramp by 0.9. */
#define HEAP_FOLLOWS 0.8
/* Of a thread, in stacks that the Go runtime makes for it: g0 16 kB and gsignal 32 kB (src/runtime/proc.go, malg). */
#define THREAD_STACKS (48 * 1024.0)
/* A goroutine's stack begins with 2 kB (src/runtime/stack.go); few have more than 8. */
#define GOROUTINE_STACK (8 * 1024.0)
/* So many threads for each goroutine are no accident. */
#define THREADS_SHARE 0.25
/* The answer holds at least this share of what is held, and by this factor more than the next one. */
#define ANSWER_SHARE  0.4
#define ANSWER_MARGIN 1.25
/* But not where the moment decides: what holds most on average does so for no more of the time than this, while what it holds goes up and
 * down by this share of all that is held. */
#define CHURN_WON   0.8
#define CHURN_SWING 0.25
/* The runner-up is worth a word from this share on. */
#define RUNNER_UP_SHARE 0.1
/* Kernel only: stacks of a thread, and what its arena touches: no thread has less than 4 kB resident, few have more than 128 kB.
 */
#define THREAD_RSS_MAX (128 * 1024.0)

static double known(double v)
{
	return isnan(v) ? 0 : v;
}

/* ---- who holds it
 * ------------------------------------------------------------------------------------------------------------------- */

/* Goroutines that have a thread each, in C or in a system call, are there with their threads, whatever else waits behind them:
 * where none blocks, there is a handful of threads for however many goroutines. */
static bool have_threads(const struct state *s)
{
	return s->threads >= MANY_COUNT && s->threads >= THREADS_SHARE * known(s->goroutines);
}

/* The records of goroutines are objects that the user has never heard of. */
static void claim_objects(const struct state *s, double objects, double by[])
{
	double live = known(s->goroutines), ended = fmax(known(s->goroutines_peak) - live, 0),
	       before = fmax(known(s->goroutines_before), 1);
	bool kept = live - before >= GOROUTINES_MANY && live >= GOROUTINES_KEPT * known(s->goroutines_peak);
	double of_live = fmin(live * G_BYTES, objects), of_ended = fmin(ended * G_BYTES, objects - of_live),
	       rest = objects - of_live - of_ended;

	by[have_threads(s) ? MECHANISM_THREADS : MECHANISM_GOROUTINES] += of_live;
	by[MECHANISM_RUNTIME_OVERHEAD] += of_ended;
	if (kept && s->heap_follows >= HEAP_FOLLOWS) {
		double came = fmax(s->heap_inuse - known(s->heap_before), 0) / s->heap_inuse;

		by[MECHANISM_GOROUTINES] += came * rest;
		rest -= came * rest;
	}
	by[MECHANISM_LIVE_HEAP] += rest;
}

/* Stacks of the heap's making belong to goroutines, those that have ended included until a collection, or are the runtime's own
 * of its threads. */
static void claim_stacks(const struct state *s, double stacks, double by[])
{
	double threads = isnan(s->threads) ? known(s->threads_made) : s->threads,
	       all = isnan(s->go_stacks) ? stacks : s->go_stacks;
	bool of_threads = known(s->goroutines) * GOROUTINE_STACK < all / 2 && threads * THREAD_STACKS >= all / 2;

	by[of_threads || have_threads(s) ? MECHANISM_THREADS : MECHANISM_GOROUTINES] += stacks;
}

/* What is resident though the runtime counts it as given back came again with a huge page. */
static void claim_idle(const struct state *s, double idle, double by[])
{
	double excess = isnan(s->heap_idle) ? 0 : fmax(idle - s->heap_idle, 0);

	if (excess >= idle / 2 && known(s->thp) >= excess / 2)
		by[MECHANISM_THP] += excess;
	else
		excess = 0;
	by[MECHANISM_NOT_YET_SCAVENGED] += idle - excess;
}

/* part: as they are, or by how much they grew. */
static void claim(const struct state *s, const double *part, struct diagnosis *d)
{
	double heap = 0;

	for (int m = 0; m < MECHANISM_COUNT_; m++)
		d->by[m] = 0;
	for (int p = RSS_OBJECTS; p <= RSS_LAZYFREE; p++)
		heap += part[p];
	claim_objects(s, part[RSS_OBJECTS], d->by);
	claim_stacks(s, part[RSS_STACKS], d->by);
	claim_idle(s, part[RSS_IDLE], d->by);
	d->by[MECHANISM_FRAGMENTATION] = part[RSS_FRAGMENTATION];
	d->by[MECHANISM_LAZYFREE] = part[RSS_LAZYFREE];
	d->by[MECHANISM_NATIVE] = part[RSS_NATIVE];
	d->by[MECHANISM_THREADS] += part[RSS_THREAD_STACKS];
	d->globals_bytes = fmin(fmax(known(s->part[RSS_RUNTIME] - s->runtime) - RUNTIME_FLOOR, 0), known(part[RSS_RUNTIME]));
	d->by[MECHANISM_RUNTIME_OVERHEAD] +=
		fmax(part[RSS_RUNTIME] - d->globals_bytes - (part == s->grown ? 0 : RUNTIME_FLOOR) - METADATA_SHARE * heap, 0);
	d->files_bytes = fmax(known(part[RSS_FILES]) - (part == s->grown ? 0 : FILES_FLOOR), 0);
	d->held_bytes = d->files_bytes + d->globals_bytes;
	for (int m = 0; m < MECHANISM_COUNT_; m++)
		d->held_bytes += d->by[m];
}

/* ---- the answer
 * ----------------------------------------------------------------------------------------------------------------------- */

static enum mechanism largest(const struct diagnosis *d, enum mechanism but)
{
	enum mechanism best = MECHANISM_UNKNOWN;

	for (int m = 0; m < MECHANISM_UNKNOWN; m++)
		if (m != (int)but && known(d->by[m]) > 0 && (best == MECHANISM_UNKNOWN || d->by[m] > d->by[best]))
			best = (enum mechanism)m;
	return best;
}

static void answer(struct diagnosis *d, enum mechanism m, enum mechanism runner_up, double confidence)
{
	d->mechanism = m;
	d->runner_up = runner_up;
	d->confidence = confidence;
}

static void unknown(struct diagnosis *d, enum mechanism runner_up, char *why)
{
	answer(d, MECHANISM_UNKNOWN, runner_up, 0);
	d->why = why;
}

/* ---- what takes and drops memory all the time
 * ----------------------------------------------------------------------------------------------- */

/* What a mechanism held over the moments: the range, and for how much of the time it held most. */
struct swing {
	double low, high, won;
};

static void swings_of(const struct state *s, struct swing ret[MECHANISM_COUNT_])
{
	struct state then = *s;
	double total = 0;

	for (int m = 0; m < MECHANISM_COUNT_; m++)
		ret[m] = (struct swing){ .low = INFINITY };
	/* A mean, which says nothing of huge pages at one moment. */
	then.heap_idle = NAN;
	for (size_t i = 0; i < s->n_moments; i++) {
		struct diagnosis d = { 0 };

		claim(&then, s->moments[i].part, &d);
		ret[largest(&d, MECHANISM_UNKNOWN)].won += s->moments[i].weight;
		total += s->moments[i].weight;
		for (int m = 0; m < MECHANISM_UNKNOWN; m++) {
			ret[m].low = fmin(ret[m].low, known(d.by[m]));
			ret[m].high = fmax(ret[m].high, known(d.by[m]));
		}
	}
	for (int m = 0; m < MECHANISM_COUNT_; m++)
		ret[m].won = total > 0 ? ret[m].won / total : 0;
}

/* "free heap 3 to 22 MB" */
static char *range_text(const char *name, const struct swing *w)
{
	char low[32], high[32];

	(void)format_size(low, sizeof(low), (uint64_t)llround(w->low));
	(void)format_size(high, sizeof(high), (uint64_t)llround(w->high));

	char *unit = strchr(low, ' '), *same = strchr(high, ' ');

	/* "5 to 25 MB" */
	if (unit && same && !strcmp(unit, same))
		*unit = 0;
	return strf("%s %s to %s", name, low, high);
}

/* Of what holds most now and then. */
static const char *const plain_names[MECHANISM_COUNT_] = {
	[MECHANISM_LAZYFREE] = "lazily freed memory",
	[MECHANISM_NOT_YET_SCAVENGED] = "free heap",
	[MECHANISM_LIVE_HEAP] = "objects in the heap",
	[MECHANISM_GOROUTINES] = "what goroutines have",
	[MECHANISM_THREADS] = "stacks of threads",
	[MECHANISM_NATIVE] = "memory that is not Go's",
	[MECHANISM_FRAGMENTATION] = "free slots between objects",
	[MECHANISM_THP] = "huge pages",
	[MECHANISM_RUNTIME_OVERHEAD] = "what the runtime has itself",
};

/* The answer changes with the moment. */
static bool answer_churn(const struct state *s, struct diagnosis *d, enum mechanism best)
{
	struct swing swing[MECHANISM_COUNT_];
	enum mechanism other = MECHANISM_UNKNOWN;
	char takes[32];

	if (!s->n_moments || s->growing || best == MECHANISM_UNKNOWN || best == MECHANISM_THP)
		return false;
	swings_of(s, swing);
	for (int m = 0; m < MECHANISM_UNKNOWN; m++)
		if (m != (int)best && swing[m].won > (other == MECHANISM_UNKNOWN ? 0 : swing[other].won))
			other = (enum mechanism)m;
	if (other == MECHANISM_UNKNOWN || swing[best].won > CHURN_WON || swing[best].high - swing[best].low < CHURN_SWING * d->held_bytes)
		return false;

	bool objects_first = other != MECHANISM_LIVE_HEAP;
	enum mechanism first = objects_first ? best : other, second = objects_first ? other : best;
	double taken = fmax(swing[first].high - swing[first].low, swing[second].high - swing[second].low);
	cleanup_free char *a = range_text(plain_names[first], &swing[first]), *b = range_text(plain_names[second], &swing[second]);

	unknown(d, best,
		strf("it takes and drops %s all the time: %s, %s: no single thing holds it",
		     format_size(takes, sizeof(takes), (uint64_t)llround(taken)), a, b));
	d->churns = true;
	return true;
}

/* By RSS; or by what is held, where the runtime's own larger tables are all that keeps RSS above that. */
static bool given_back(const struct state *s, const struct diagnosis *d)
{
	bool rest_is_little = d->held_bytes < (1 - RELEASED_SHARE) * (s->peak - known(s->baseline)) && !d->growing;

	return (s->released_share > RELEASED_SHARE || rest_is_little) && known(d->held_bytes) < RELEASED_REST_MAX;
}

/* A small process whose threads or goroutines are many is asked about them. */
static bool is_many(const struct state *s, const struct diagnosis *d, enum mechanism m)
{
	double n = m == MECHANISM_THREADS ? s->threads : m == MECHANISM_GOROUTINES ? s->goroutines : 0;

	return n >= MANY_COUNT && d->by[m] >= MANY_HELD;
}

static bool is_small(const struct diagnosis *d)
{
	double free_heap = d->by[MECHANISM_LAZYFREE] + d->by[MECHANISM_NOT_YET_SCAVENGED];

	return free_heap < SMALL_FREE && d->held_bytes - free_heap < SMALL_HELD;
}

/* Nothing is held that anybody would ask about. */
static void answer_small(const struct state *s, struct diagnosis *d)
{
	bool fell = s->peak - s->rss >= SMALL_FALL && s->rss < s->peak / 2;

	answer(d, fell ? MECHANISM_RELEASED : MECHANISM_RUNTIME_OVERHEAD, MECHANISM_UNKNOWN, 1);
	d->small = true;
}

/* No mechanism is theirs. Of files the kernel drops pages by itself when it needs memory, but neither those that were written to nor shared ones. */
static void answer_others(const struct state *s, struct diagnosis *d, enum mechanism best)
{
	double bytes = d->globals_bytes;
	char part[32], all[32];

	d->of_globals = d->globals_bytes >= d->files_bytes;
	d->of_files = !d->of_globals;
	if (d->of_files)
		bytes = d->growing ? d->files_bytes : s->part[RSS_FILES];
	unknown(d, best != MECHANISM_UNKNOWN && d->by[best] >= RUNNER_UP_SHARE * d->held_bytes ? best : MECHANISM_UNKNOWN,
		strf("%s of the %s that %s are %s", format_size_of(part, sizeof(part), bytes),
		     format_size_of(all, sizeof(all), d->growing ? d->held_bytes : d->rss_bytes), d->growing ? "came" : "are resident",
		     d->of_files ? "files' (the binary, libraries, mapped files) or shared memory, of which the Go runtime knows nothing"
				 : "variables of the program itself, Go's or C's (its data and bss)"));
}

static void answer_by_parts(const struct state *s, struct diagnosis *d)
{
	enum mechanism best = largest(d, MECHANISM_UNKNOWN), second = largest(d, best);
	double most = best == MECHANISM_UNKNOWN ? 0 : d->by[best], next = second == MECHANISM_UNKNOWN ? 0 : d->by[second];
	double share = d->held_bytes > 0 ? most / d->held_bytes : 0, others = fmax(d->files_bytes, d->globals_bytes);

	if (is_small(d) && !is_many(s, d, best) && !(s->released_share > RELEASED_SHARE))
		answer_small(s, d);
	else if (given_back(s, d))
		answer(d, MECHANISM_RELEASED, most >= SMALL_HELD ? best : MECHANISM_UNKNOWN,
		       isnan(s->released_share) ? 1 - d->held_bytes / s->peak : s->released_share);
	else if (others > 0 && most < ANSWER_MARGIN * others)
		answer_others(s, d, best);
	else if (answer_churn(s, d, best))
		return;
	else if (best != MECHANISM_UNKNOWN && share < ANSWER_SHARE && most >= ANSWER_MARGIN * next)
		unknown(d, best, strf("%s holds most, but only %.0f %% of it", mechanism_to_string(best), 100 * share));
	else if (share < ANSWER_SHARE || most < ANSWER_MARGIN * next)
		unknown(d, best,
			strf("%s and %s hold about as much: %.0f and %.0f %% of it", mechanism_to_string(best),
			     mechanism_to_string(second), 100 * share, 100 * next / d->held_bytes));
	else
		answer(d, best, next >= RUNNER_UP_SHARE * d->held_bytes ? second : MECHANISM_UNKNOWN, share);
}

/* What the kernel alone can tell. */
static void answer_by_kernel(const struct state *s, struct diagnosis *d)
{
	double held = s->rss - known(s->baseline);

	d->held_bytes = held;
	d->by[MECHANISM_LAZYFREE] = s->lazyfree;
	if (s->released_share > RELEASED_SHARE && held < RELEASED_REST_MAX)
		answer(d, MECHANISM_RELEASED, MECHANISM_UNKNOWN, s->released_share);
	else if (s->lazyfree > 0 && s->lazyfree >= s->rss / 2)
		answer(d, MECHANISM_LAZYFREE, MECHANISM_UNKNOWN, s->lazyfree / s->rss);
	else if (s->threads >= MANY_COUNT && held > 0 && held / s->threads <= THREAD_RSS_MAX)
		answer(d, MECHANISM_THREADS, MECHANISM_UNKNOWN, ANSWER_SHARE);
	else
		unknown(d, s->thp >= s->rss / 2 ? MECHANISM_THP : MECHANISM_UNKNOWN,
			s->runtime_why ? strf("the Go runtime could not be read: %s", s->runtime_why)
		    : s->runtime_read && !isnan(s->heap_inuse)
			    ? xstrdup("memory comes and goes faster than it was split; the runtime's own accounting does not tell whose it is")
			    : xstrdup("the Go runtime was not read"));
}

/* Of the objects that are asked about: of what grew while no collection looked nothing has survived one. */
static double survived_share(const struct state *s)
{
	double objects = s->part[RSS_OBJECTS], asked = s->growing ? s->grown[RSS_OBJECTS] : objects, since = fmax(objects - s->heap_marked, 0);

	if (isnan(s->heap_marked) || isnan(objects) || isnan(asked))
		return NAN;
	return asked > since ? 1 - since / asked : asked > 0 ? 0 : 1;
}

/* What grew; but where that is too little to ask about, what is there. */
static void claim_held(struct state *s, struct diagnosis *d)
{
	claim(s, s->growing ? s->grown : s->part, d);
	if (!s->growing || !is_small(d) || is_many(s, d, largest(d, MECHANISM_UNKNOWN)))
		return;
	s->growing = d->growing = false;
	d->since = NULL;
	claim(s, s->part, d);
}

void diagnosis_of(const struct mechanism_facts *facts, struct diagnosis *ret)
{
	struct state s;

	state_read(facts, &s);
	*ret = (struct diagnosis){ .mechanism = MECHANISM_UNKNOWN,
				   .runner_up = MECHANISM_UNKNOWN,
				   .growing = s.growing,
				   .since = s.since,
				   .gogc_off = s.gogc_off,
				   .limited = !isnan(s.limit),
				   .gos_lazyfree = frees_lazily(facts),
				   .no_cgo = s.no_cgo,
				   .rss_bytes = s.rss,
				   .survived = NAN,
				   .held_bytes = NAN };
	for (int m = 0; m < MECHANISM_COUNT_; m++)
		ret->by[m] = NAN;
	if (isnan(s.rss)) {
		unknown(ret, MECHANISM_UNKNOWN, xstrdup("RSS was never read"));
	} else if (isnan(s.part[RSS_OBJECTS])) {
		answer_by_kernel(&s, ret);
	} else {
		claim_held(&s, ret);
		ret->survived = survived_share(&s);
		answer_by_parts(&s, ret);
	}
	ret->evidence = json_array();
	evidence_add(facts, &s, ret);
	ret->disproof = disproof_of(facts, &s, ret);
	state_done(&s);
}

void diagnosis_done(struct diagnosis *d)
{
	json_decref(d->evidence);
	free(d->why);
	*d = (struct diagnosis){ 0 };
}

void diagnosis_into_run(const struct diagnosis *d, json_t *run)
{
	static const char *const if_right[] = {
		[DISPROOF_FALLS] = "falls", [DISPROOF_STAYS] = "stays", [DISPROOF_EITHER] = "either"
	};
	const struct disproof *p = &d->disproof;
	json_t *disproof = p->axis || p->act
				   ? json_pack("{s:s?, s:s?, s:s?, s:s?}", "axis", p->axis, "value", p->axis ? p->value : NULL,
					       "if_right", p->axis ? if_right[p->rss] : NULL, "act", p->act)
				   : json_null();

	json_object_set_new(run, "mechanism", json_string(mechanism_to_string(d->mechanism)));
	json_object_set_new(run, "mechanism_share", json_real(d->confidence));
	json_object_set_new(run, "runner_up",
			    d->runner_up == MECHANISM_UNKNOWN ? json_null() : json_string(mechanism_to_string(d->runner_up)));
	json_object_set(run, "evidence", d->evidence);
	json_object_set_new(run, "disproof", disproof);
}
