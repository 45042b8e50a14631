/* SPDX-License-Identifier: Apache-2.0
 *
 * What would show an answer to be wrong: the one setting that separates it from the next best.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analyse/mechanism_parts.h"
#include "plan/release.h"
#include "plan/scenario.h"

#define PRESSURE "put the cgroup under pressure (memory.reclaim, a lower limit): lazily freed pages go, used ones stay"
#define FREE_RUN_MIN_S 4.0 /* a shorter run has no time for it to show */

static int minor_of(const struct mechanism_facts *f)
{
	const char *runtime = json_string_value(json_object_get(json_object_get(f->run, "runtime"), "version"));
	const char *go = json_string_value(json_object_get(json_object_get(f->run, "go"), "version"));
	struct go_version v;

	return (runtime && go_version_parse(runtime, &v, NULL) == 0) || (go && go_version_parse(go, &v, NULL) == 0) ? v.minor
														    : -1;
}

static bool madvdontneed(const struct mechanism_facts *f)
{
	const json_t *v = json_object_get(json_object_get(json_object_get(f->run, "runtime"), "settings"), "madvdontneed");

	return json_is_integer(v) && json_integer_value(v) == 1;
}

bool frees_lazily(const struct mechanism_facts *f)
{
	return minor_of(f) >= 12 && !madvdontneed(f);
}

/* Its length was given, so that there is a time before its end at which something can be done. */
static bool has_length(const struct mechanism_facts *f)
{
	return f->run && !strcmp(json_string_value(json_object_get(f->run, "ended_by")) ?: "", "supervisor") &&
	       !json_is_object(json_object_get(f->run, "load")) && json_number_value(json_object_get(f->run, "target_s")) >= FREE_RUN_MIN_S;
}

/*
 * A bundled program calls debug.FreeOSMemory() at MEMTIDE_FREE_AT (goprogs/mark): garbage and idle heap go by it, what is in use
 * stays. Go 1.12 to 1.15 give back by MADV_FREE even then, and RSS would not show it.
 */
static bool can_free(const struct mechanism_facts *f, int minor)
{
	return (minor == 11 || minor >= 16) && has_length(f) &&
	       !strcmp(json_string_value(json_object_get(json_object_get(f->run, "program"), "kind")) ?: "", program_kind_name(PROGRAM_BUNDLED));
}

static struct disproof by_freeing(const struct mechanism_facts *f, enum disproof_rss rss, const char *act)
{
	struct disproof ret = { "env", "", rss, act };
	double end_s = json_number_value(json_object_get(f->run, "target_s"));

	(void)snprintf(ret.value, sizeof(ret.value), DISPROOF_FREE_AT "%.0fs", floor(DISPROOF_ACT_AT * end_s));
	return ret;
}

/* Of what is in use nothing goes, whatever is done. */
static struct disproof of_used(const struct mechanism_facts *f, int minor, enum disproof_rss rss, const char *act)
{
	return can_free(f, minor) ? by_freeing(f, rss, act) : (struct disproof){ "env", "GOGC=10", rss, act };
}

static struct disproof of_goroutines(const struct mechanism_facts *f, int minor, const struct diagnosis *d)
{
	const char *collect = "call runtime.GC(): the stacks of ended goroutines go";

	if (!d->ended_stacks)
		return of_used(f, minor, DISPROOF_STAYS, "take a goroutine profile (debug=1): whoever waits for ever is in it");
	if (can_free(f, minor))
		return by_freeing(f, DISPROOF_FALLS, collect);
	/* GOGC=10 brings the collection, but RSS shows it only where it is given back by MADV_DONTNEED. */
	return (struct disproof){ minor == 11 || minor >= 16 ? "env" : NULL, "GOGC=10", DISPROOF_FALLS, collect };
}

/* A limit just above what is in use makes the runtime give back what is not, without a collector that never rests. */
#define LIMIT_ROOM   1.2
#define LIMIT_MIN_MB 16.0

static double known(double v)
{
	return isnan(v) ? 0 : v;
}

/* Free memory goes in time; live memory does not. Only Go 1.11 and 1.12 can be told to hurry. */
static struct disproof of_idle(const struct mechanism_facts *f, const struct state *s, int minor)
{
	double keeps = known(s->heap_inuse) + known(s->go_stacks) + known(s->runtime);
	struct disproof limit = { "env", "", DISPROOF_FALLS, NULL };

	const char *act =
		s->gogc_off ? "call debug.FreeOSMemory(): with GOGC off waiting does not help"
			    : "call debug.FreeOSMemory(), or wait: the scavenger gives it back in minutes unless the next goal holds it";

	if (minor == 11)
		return (struct disproof){ "godebug", "scavenge=1", DISPROOF_FALLS, act };
	if (minor == 12)
		return (struct disproof){ "godebug", "madvdontneed=1,scavenge=1", DISPROOF_FALLS, act };
	limit.act = act;
	double mb = fmax(ceil(LIMIT_ROOM * keeps / MB(1)), LIMIT_MIN_MB);

	(void)snprintf(limit.value, sizeof(limit.value), "GOMEMLIMIT=%.0fMiB", mb);
	/* One that is lower already would be raised. */
	if (minor >= 19 && !(s->limit <= MB(mb)))
		return limit;
	if (can_free(f, minor))
		return by_freeing(f, DISPROOF_FALLS, act);
	if (s->gogc_off && minor >= 13)
		return (struct disproof){ NULL, "", DISPROOF_FALLS, act };
	return (struct disproof){ "for", "4", DISPROOF_FALLS, act };
}

static struct disproof of_native(const struct mechanism_facts *f, const struct state *s, int minor)
{
	if (s->no_cgo)
		return of_used(f, minor, DISPROOF_STAYS, "start it under strace -f -e trace=mmap,munmap: who maps it is among the callers");

	const char *act = "look at what C allocates (heaptrack, jemalloc's profile, LD_PRELOAD), or run with MALLOC_ARENA_MAX=2";

	if (s->threads >= 8)
		return (struct disproof){ "env", "MALLOC_ARENA_MAX=2", DISPROOF_EITHER, act };
	return (struct disproof){ "env", "GOGC=10", DISPROOF_STAYS, act };
}

static struct disproof of_overhead(const struct state *s, const struct diagnosis *d)
{
	if (s->profile_buckets > d->held_bytes / 2)
		return (struct disproof){ "godebug", "memprofilerate=0", DISPROOF_FALLS,
					  "set runtime.MemProfileRate = 0, or GODEBUG=profstackdepth=32 where stacks are deep" };
	return (struct disproof){ NULL, "", DISPROOF_STAYS, NULL };
}

static struct disproof disproof_by(enum mechanism m, const struct mechanism_facts *f, const struct state *s, const struct diagnosis *d)
{
	int minor = minor_of(f);

	switch (m) {
	case MECHANISM_LAZYFREE:
		if (d->gos_lazyfree)
			return (struct disproof){ "godebug", "madvdontneed=1", DISPROOF_FALLS, PRESSURE };
		if (!has_length(f))
			return (struct disproof){ NULL, "", DISPROOF_FALLS, PRESSURE };
		return (struct disproof){ "act", "reclaim", DISPROOF_FALLS, PRESSURE }; /* C's, or the program's own */
	case MECHANISM_NOT_YET_SCAVENGED:
		return of_idle(f, s, minor);
	case MECHANISM_LIVE_HEAP:
		/* Of what no collection has looked at yet a part may be garbage, or none. */
		return of_used(f, minor, d->survived < 0.5 ? DISPROOF_EITHER : DISPROOF_STAYS,
			       "take two heap profiles and compare them: go tool pprof -diff_base");
	case MECHANISM_GOROUTINES:
		return of_goroutines(f, minor, d);
	case MECHANISM_THREADS:
		return (struct disproof){ "env", "MALLOC_ARENA_MAX=2", DISPROOF_STAYS,
					  "count the threads: ls /proc/PID/task | wc -l" };
	case MECHANISM_NATIVE:
		return of_native(f, s, minor);
	case MECHANISM_FRAGMENTATION:
		return of_used(f, minor, DISPROOF_STAYS, "take a heap profile: inuse_space is far below the heap in use");
	case MECHANISM_THP:
		return (struct disproof){ "thp", "never", DISPROOF_FALLS,
					  "write 0 to /sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none, or "
					  "GODEBUG=disablethp=1 (1.21.6, 1.22 and later)" };
	case MECHANISM_RUNTIME_OVERHEAD:
		return of_overhead(s, d);
	case MECHANISM_RELEASED:
	case MECHANISM_UNKNOWN:
	case MECHANISM_COUNT_:
		break;
	}
	return (struct disproof){ NULL, "", DISPROOF_STAYS, NULL };
}

/* Less garbage, or collections that come sooner. */
static const char *act_of_churn(const struct state *s)
{
	if (s->gogc_off)
		return "see who allocates (go tool pprof -sample_index=alloc_space) and use buffers again (sync.Pool); GOGC is off: garbage "
		       "goes sooner with GOGC=100 or less";
	return "see who allocates (go tool pprof -sample_index=alloc_space) and use buffers again (sync.Pool); a lower GOGC lets less garbage pile "
	       "up";
}

struct disproof disproof_of(const struct mechanism_facts *f, const struct state *s, const struct diagnosis *d)
{
	struct disproof p = disproof_by(d->mechanism == MECHANISM_UNKNOWN ? d->runner_up : d->mechanism, f, s, d);

	/* Where nothing is claimed nothing can be proved wrong; what can be looked at is the one that holds most. */
	if (d->mechanism == MECHANISM_UNKNOWN)
		p.axis = NULL;
	if (d->churns)
		p.act = act_of_churn(s);
	if (d->of_globals)
		p.act = "see which: go tool nm -size -sort size BINARY (or nm -S --size-sort) has the largest variables first";
	if (d->of_files)
		p.act = "see which: Rss of each mapping in /proc/PID/smaps; clean pages of files the kernel drops by itself when it needs "
			"memory, shared memory (RssShmem of /proc/PID/status: memfd, /dev/shm) only who made it gives back";
	return p;
}
