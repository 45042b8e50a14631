/* SPDX-License-Identifier: Apache-2.0 */
#include "render/diagnosis_text.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "base/units.h"
#include "render/wrap.h"

#define PLACES_MAX 3 /* of goroutines */
#define PLACE_MIN  10
#define FINALIZER_STUCK_S 1

/* Who holds it: %s are its size, and all that is resident or has grown. */
static const char *const headlines[MECHANISM_COUNT_] = {
	[MECHANISM_LAZYFREE] =
		"No leak: %s of the %s have been given back already (MADV_FREE), and the kernel takes them when it needs memory.",
	[MECHANISM_NOT_YET_SCAVENGED] =
		"No leak: %s of the %s are free in Go's heap, and the runtime has not given them back to the kernel.",
	[MECHANISM_LIVE_HEAP] =
		"Objects in Go's heap hold %s of the %s: they are referred to, or have not been collected since they died.",
	[MECHANISM_GOROUTINES] = "Goroutines hold %s of the %s: their stacks, and what came with them.",
	[MECHANISM_THREADS] = "Threads hold %s of the %s.",
	[MECHANISM_NATIVE] = "Memory that is not Go's holds %s of the %s: C's, or mapped directly; no Go profile shows it.",
	[MECHANISM_FRAGMENTATION] = "Gaps between objects hold %s of the %s: free slots of spans of which something is in use.",
	[MECHANISM_THP] =
		"Huge pages hold %s of the %s: the runtime has given them back, and the kernel made them resident again.",
	[MECHANISM_RUNTIME_OVERHEAD] = "The Go runtime itself holds %s of the %s.",
};

/* One sentence: "Goroutines hold 28.1 MB of the 31.0 MB that are resident." Caller frees. */
static char *headline_of(const struct diagnosis *d)
{
	double held = d->by[d->mechanism];
	char a[32], b[32];

	if (d->mechanism == MECHANISM_UNKNOWN)
		return strf("It cannot be told: %s.", d->why ? d->why : "too little is known");
	if (d->mechanism == MECHANISM_RELEASED)
		return strf("Nothing is held: what was taken has been given back, and %s are left.", format_size_of(a, sizeof(a), d->rss_bytes));
	if (d->mechanism == MECHANISM_RUNTIME_OVERHEAD && d->small)
		return strf("Nothing is held: %s are about what a Go process has without doing anything.", format_size_of(a, sizeof(a), d->rss_bytes));

	cleanup_free char *whole = d->growing
					   ? strf("%s that came %s, and it still grows", format_size_of(b, sizeof(b), d->held_bytes), d->since)
					   : strf("%s that are resident", format_size_of(b, sizeof(b), d->rss_bytes));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	return strf(headlines[d->mechanism], format_size_of(a, sizeof(a), isnan(held) ? d->held_bytes : held), whole);
#pragma GCC diagnostic pop
}

/* By what is set already. */
static const char *remedy_of_idle(const struct diagnosis *d)
{
	if (d->gogc_off && d->limited)
		return "Not time: GOGC is off, and the runtime keeps what its memory limit allows. debug.FreeOSMemory() at once; GOGC=100, or a "
		       "lower limit than it has, for good.";
	if (d->gogc_off)
		return "Not time: GOGC is off, and there is no memory limit. debug.FreeOSMemory() at once; GOGC=100, or GOMEMLIMIT (Go 1.19 and "
		       "later), for good.";
	if (d->limited)
		return "Time, as far as the runtime does not expect to need it again; debug.FreeOSMemory() at once. The memory limit that it has "
		       "is above this: only a lower one would tell it to.";
	return "Time, as far as the runtime does not expect to need it again; debug.FreeOSMemory() at once; GOMEMLIMIT (Go 1.19 and later) for "
	       "good.";
}

static const char *remedy_of_objects(const struct diagnosis *d)
{
	if (d->survived < 0.5 && d->gogc_off)
		return "A garbage collection, as far as it is garbage: most of it came since the last one, and GOGC is off. GOGC=100 makes them "
		       "come sooner.";
	if (d->survived < 0.5 && d->limited)
		return "A garbage collection, as far as it is garbage: most of it came since the last one, and nothing has looked at it yet. A "
		       "lower GOGC makes them come sooner.";
	if (d->survived < 0.5)
		return "A garbage collection, as far as it is garbage: most of it came since the last one, and nothing has looked at it yet. A "
		       "lower GOGC makes them come sooner, or a memory limit (GOMEMLIMIT, Go 1.19 and later).";
	if (d->survived >= 0.5)
		return "Only the program: most of it survived the last collection. Find who refers to it (a heap profile, by call stack), and "
		       "let it go; the next collection takes it.";
	if (d->gogc_off && d->limited)
		return "A garbage collection, as far as it is garbage: GOGC is off, and none comes before Go's memory is near its limit. "
		       "runtime.GC() at once; GOGC=100 for good.";
	if (d->gogc_off)
		return "A garbage collection, as far as it is garbage: GOGC is off, and none comes by itself. runtime.GC() at once; GOGC=100, or "
		       "GOMEMLIMIT (Go 1.19 and later), for good.";
	return "Only the program: nothing may refer to it any more. What is garbage already goes with the next collection (a lower GOGC, "
	       "runtime.GC()).";
}

const char *diagnosis_remedy(const struct diagnosis *d)
{
	switch (d->mechanism) {
	case MECHANISM_LAZYFREE:
		if (!d->gos_lazyfree)
			return "Nothing needs to be done: memory pressure takes it at once.";
		return "Nothing needs to be done. Memory pressure takes it at once; GODEBUG=madvdontneed=1 (Go 1.12 to 1.15; the "
		       "default from 1.16 on) shows dashboards what is "
		       "really in use.";
	case MECHANISM_NOT_YET_SCAVENGED:
		return remedy_of_idle(d);
	case MECHANISM_LIVE_HEAP:
		return remedy_of_objects(d);
	case MECHANISM_GOROUTINES:
		return d->ended_stacks ? "The next garbage collection: runtime.GC(), or debug.FreeOSMemory()."
						      : "The goroutines have to end: their stacks and what they refer to go with "
							"the next garbage collection.";
	case MECHANISM_THREADS:
		return "Nothing at run time, as Go ends no thread: fewer calls that block at once (in C, in system calls), by a "
		       "semaphore before them. A goroutine that ends while it is locked "
		       "to its thread takes the thread with it.";
	case MECHANISM_NATIVE:
		if (d->no_cgo)
			return "Whoever mapped it: munmap(2). No C is linked in, so it is no malloc's (go build -race maps much for itself).";
		return "Whoever made it: free(3), munmap(2). What was freed already is in malloc's arenas: MALLOC_ARENA_MAX=2, "
		       "malloc_trim(3), or another allocator.";
	case MECHANISM_FRAGMENTATION:
		return "Only objects that die: a span is given back when all of its slots are free. Long-lived objects should "
		       "not be of one size with short-lived ones; a restart begins "
		       "anew.";
	case MECHANISM_THP:
		return "GODEBUG=disablethp=1 (Go 1.21.6, 1.22 and later), or 0 in "
		       "/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none.";
	case MECHANISM_RUNTIME_OVERHEAD:
		if (d->ended_records)
			return "Only a restart: the runtime keeps these records for goroutines to come. Fewer goroutines at once "
			       "need fewer.";
		if (d->profiled)
			return "runtime.MemProfileRate = 0, or GODEBUG=profstackdepth=32 (Go 1.23 and later) where stacks are "
			       "deep.";
		return "";
	case MECHANISM_RELEASED:
	case MECHANISM_UNKNOWN:
	case MECHANISM_COUNT_:
		break;
	}
	return "";
}

/* ---- next steps
 * ------------------------------------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static double number_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

/* "/src/x/main.go", 31 -> "main.go:31" */
static char *place(const char *path, double line)
{
	const char *slash = strrchr(path, '/');

	return strf("%s:%.0f", slash ? slash + 1 : path, isnan(line) ? 0 : line);
}

/* "10000 goroutines were made at main.go:31 (main.newReader) and wait (chan receive) at main.go:40 (main.read), the oldest for 12
 * min" */
static char *group_text(const json_t *g)
{
	cleanup_free char *made = place(text_of(g, "file"), number_of(g, "line"));
	cleanup_free char *at =
		*text_of(g, "blocked_function") ? place(text_of(g, "blocked_file"), number_of(g, "blocked_line")) : NULL;
	cleanup_free char *where = at ? strf(" at %s (%s)", at, text_of(g, "blocked_function")) : xstrdup("");
	cleanup_free char *wait = *text_of(g, "wait")    ? strf(" and wait (%s)%s", text_of(g, "wait"), where)
				  : *text_of(g, "state") ? strf("; they are %s%s%s", strcmp(text_of(g, "state"), "system call") ? "" : "in a ",
								text_of(g, "state"), where)
							 : xstrdup("");
	double oldest = number_of(g, "oldest_wait_s");
	char duration[32];
	cleanup_free char *age =
		oldest > 1 ? strf(", the oldest for %s", format_duration(duration, sizeof(duration), oldest)) : xstrdup("");

	return strf("%.0f goroutines were made at %s (%s)%s%s", number_of(g, "count"), made, text_of(g, "function"), wait, age);
}

/* "They wait at main.go:40 (main.read), the oldest for 12 min": of the group that the evidence has told of. NULL: it said all. */
static char *waiting_text(const json_t *g)
{
	cleanup_free char *at = place(text_of(g, "blocked_file"), number_of(g, "blocked_line"));
	double oldest = number_of(g, "oldest_wait_s");
	char duration[32];
	cleanup_free char *age =
		oldest > 1 ? strf(", the oldest for %s", format_duration(duration, sizeof(duration), oldest)) : xstrdup("");

	return *text_of(g, "blocked_function") ? strf("They wait at %s (%s)%s", at, text_of(g, "blocked_function"), age) : NULL;
}

/* The groups are by count, descending. told_of_first: the evidence has it. */
static void add_places(const json_t *goroutines, bool told_of_first, struct strv *ret)
{
	const json_t *snapshots = json_object_get(goroutines, "snapshots"), *g;
	size_t n = json_array_size(snapshots), i, told = 0;

	json_array_foreach(json_object_get(json_array_get(snapshots, n ? n - 1 : 0), "groups"), i, g)
	{
		if (json_is_true(json_object_get(g, "system")) || !(number_of(g, "count") >= PLACE_MIN) ||
		    !*text_of(g, "function") || told++ >= PLACES_MAX)
			continue;
		cleanup_free char *text = told == 1 && told_of_first ? waiting_text(g) : group_text(g);

		if (text)
			strv_pushf(ret, "%s.", text);
	}
}

/* One goroutine runs all finalizers (runtime/mfinal.go). How long it has waited the runtime notes while it collects. */
static void add_finalizers(const json_t *goroutines, struct strv *ret)
{
	const json_t *snapshots = json_object_get(goroutines, "snapshots"), *g;
	size_t n = json_array_size(snapshots), i;
	char age[32];

	json_array_foreach(json_object_get(json_array_get(snapshots, n ? n - 1 : 0), "groups"), i, g)
	{
		double oldest = number_of(g, "oldest_wait_s");

		if (strcmp(text_of(g, "function"), "runtime.createfing") != 0 || !*text_of(g, "blocked_function") || !*text_of(g, "wait") ||
		    !strcmp(text_of(g, "wait"), "finalizer wait") || !(oldest >= FINALIZER_STUCK_S))
			continue;
		cleanup_free char *at = place(text_of(g, "blocked_file"), number_of(g, "blocked_line"));

		strv_pushf(ret, "A finalizer waits (%s) at %s (%s), for %s: until it ends no other one runs, and what has a finalizer is not freed.",
			   text_of(g, "wait"), at, text_of(g, "blocked_function"), format_duration(age, sizeof(age), oldest));
	}
}

static void add_threads(const json_t *goroutines, struct strv *ret)
{
	const json_t *snapshots = json_object_get(goroutines, "snapshots"), *g;
	size_t n = json_array_size(snapshots), i, told = 0;

	json_array_foreach(json_object_get(json_object_get(json_array_get(snapshots, n ? n - 1 : 0), "threads"), "groups"), i,
			   g) if (told++ < PLACES_MAX)
		strv_pushf(ret, "%.0f thread%s %s%s%s%s.", number_of(g, "count"), number_of(g, "count") > 1 ? "s are" : " is",
			   text_of(g, "doing"), *text_of(g, "detail") ? " (" : "", text_of(g, "detail"), *text_of(g, "detail") ? ")" : "");
}

static void add_profiles(const struct strv *profiles, struct strv *ret)
{
	if (profiles && profiles->n > 1)
		strv_pushf(ret, "What grew, by call stack: go tool pprof -sample_index=inuse_space -diff_base %s %s",
			   profiles->v[0], profiles->v[profiles->n - 1]);
	else if (profiles && profiles->n == 1)
		strv_pushf(ret, "What is in use, by call stack: go tool pprof -sample_index=inuse_space %s", profiles->v[0]);
	else
		strv_push(ret, "The program keeps no heap profile that could be read: import net/http/pprof, or call "
			       "runtime/pprof, and it does.");
}

/* What it is, or what it would be if it could be told. */
static enum mechanism likeliest(const struct diagnosis *d)
{
	return d->mechanism == MECHANISM_UNKNOWN ? d->runner_up : d->mechanism;
}

bool diagnosis_names_profiles(const struct diagnosis *d)
{
	enum mechanism m = likeliest(d);

	return !d->churns && (m == MECHANISM_LIVE_HEAP || m == MECHANISM_FRAGMENTATION);
}

/* Where to look next, a sentence each, the most useful first; appended. */
static void next_steps(const struct diagnosis *d, const json_t *goroutines, const struct strv *profiles, struct strv *ret)
{
	enum mechanism m = likeliest(d);

	if (d->churns || d->of_files || d->of_globals) {
		strv_pushf(ret, "To see for yourself: %s.", d->disproof.act);
		return;
	}
	if (m == MECHANISM_GOROUTINES || m == MECHANISM_LIVE_HEAP || m == MECHANISM_NATIVE)
		add_finalizers(goroutines, ret);
	if (m == MECHANISM_GOROUTINES || m == MECHANISM_LIVE_HEAP || m == MECHANISM_THREADS)
		add_places(goroutines, m == d->mechanism && m == MECHANISM_GOROUTINES, ret);
	if (m == MECHANISM_THREADS || m == MECHANISM_NATIVE)
		add_threads(goroutines, ret);
	if (diagnosis_names_profiles(d))
		add_profiles(profiles, ret);
	else if (d->disproof.act)
		strv_pushf(ret, "To see for yourself: %s.", d->disproof.act);
}

/* ---- the whole
 * ---------------------------------------------------------------------------------------------------------------------- */

char *diagnosis_text(const struct diagnosis *d, const json_t *goroutines, const struct strv *profiles)
{
	cleanup_strv struct strv lines = STRV_INIT;
	cleanup_free char *headline = headline_of(d);
	const json_t *e;
	size_t i;

	strv_push(&lines, headline);
	json_array_foreach(d->evidence, i, e) strv_pushf(&lines, "- %s", text_of(e, "text"));
	if (*diagnosis_remedy(d))
		strv_pushf(&lines, "What would give it back: %s", diagnosis_remedy(d));
	next_steps(d, goroutines, profiles, &lines);
	return strv_join(&lines, "\n");
}

void diagnosis_print(FILE *out, const struct diagnosis *d, const json_t *goroutines, const struct strv *profiles, int columns)
{
	cleanup_free char *text = diagnosis_text(d, goroutines, profiles);
	cleanup_strv struct strv lines = STRV_INIT;

	strv_split(&lines, text, "\n");
	for (size_t i = 0; i < lines.n; i++) {
		fputs("  ", out);
		print_wrapped(out, lines.v[i], columns, *lines.v[i] == '-' ? 4 : 2, 2);
	}
}

static json_t *real_or_null(double v)
{
	return isnan(v) ? json_null() : json_real(round(v));
}

json_t *diagnosis_json(const struct diagnosis *d, const json_t *goroutines, const struct strv *profiles)
{
	cleanup_free char *text = diagnosis_text(d, goroutines, profiles);
	cleanup_strv struct strv steps = STRV_INIT;
	json_t *o = json_object(), *held = json_object(), *next = json_array();

	diagnosis_into_run(d, o);
	for (int m = 0; m < MECHANISM_UNKNOWN; m++)
		if (d->by[m] > 0)
			json_object_set_new(held, mechanism_to_string((enum mechanism)m), real_or_null(d->by[m]));
	next_steps(d, goroutines, profiles, &steps);
	for (size_t i = 0; i < steps.n; i++)
		json_array_append_new(next, json_text(steps.v[i]));
	json_object_set_new(o, "held", held);
	json_object_set_new(o, "held_bytes", real_or_null(d->held_bytes));
	json_object_set_new(o, "rss_bytes", real_or_null(d->rss_bytes));
	json_object_set_new(o, "growing", json_boolean(d->growing));
	json_object_set_new(o, "why", json_text(d->why));
	json_object_set_new(o, "next", next);
	json_object_set_new(o, "text", json_text(text));
	return o;
}
