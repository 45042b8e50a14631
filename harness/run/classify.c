/* SPDX-License-Identifier: Apache-2.0 */
#include "run/classify.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "base/units.h"
#include "record/series.h"

/* A Go runtime that gives up prints one of these at the beginning of a line and exits with code 2 (src/runtime/panic.go;
 * GOTRACEBACK=crash ends in SIGABRT instead). Order matters: "out of memory" is a fatal error too. */
static const struct {
	const char *line;
	enum outcome outcome;
} go_last_words[] = {
	{ "fatal error: runtime: out of memory", OUTCOME_OOM_GO },
	{ "fatal error: runtime: cannot allocate memory", OUTCOME_OOM_GO },
	{ "fatal error: out of memory", OUTCOME_OOM_GO },
	{ "runtime: out of memory", OUTCOME_OOM_GO },
	{ "fatal error: ", OUTCOME_GO_FATAL },
	{ "panic: ", OUTCOME_GO_FATAL },
	{ "runtime: program exceeds ", OUTCOME_GO_FATAL },
	{ "runtime: goroutine stack exceeds ", OUTCOME_GO_FATAL },
};

#define N_WORDS ((int)(sizeof(go_last_words) / sizeof(*go_last_words)))

static void end_of_line(struct last_words *w)
{
	w->partial[w->n] = 0;
	for (int i = 0; i < N_WORDS; i++)
		if ((!w->line[0] || i <= w->rank) && !strncmp(w->partial, go_last_words[i].line, strlen(go_last_words[i].line))) {
			memcpy(w->line, w->partial, w->n + 1);
			w->rank = i;
			break;
		}
	w->n = 0;
	w->overlong = false;
}

void last_words_add(struct last_words *w, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n') {
			end_of_line(w);
		} else if (!w->overlong) {
			w->partial[w->n++] = data[i] ? data[i] : '?';
			w->overlong = w->n == sizeof(w->partial) - 1;
		}
	}
}

static bool go_fatal(const struct ending *e, enum outcome *ret, char **ret_why)
{
	if ((e->exit_code != 2 && e->signal != SIGABRT) || !e->words || !e->words->line[0])
		return false;
	*ret = go_last_words[e->words->rank].outcome;
	*ret_why = strf("the Go runtime gave up: %s", e->words->line);
	return true;
}

/* The kernel counts a kill in the victim's group even where a limit above it, or the whole machine, was short. A group that was
 * at its own limit has its peak there, but for what the kernel charges in batches. */
static bool was_own_limit(const struct ending *e)
{
	return e->limit_bytes && (e->peak_bytes == MISSING || e->peak_bytes + MIB >= e->limit_bytes);
}

static char *oom_sentence(const struct ending *e)
{
	char size[32], peak[32];
	cleanup_free char *who = strf("the kernel killed %" PRIu64 " process%s", e->oom_kills, e->oom_kills == 1 ? "" : "es");

	if (e->limit_shared && e->limit_bytes)
		return strf("%s at the limit of %s that it shared with its neighbour", who, format_size(size, sizeof(size), e->limit_bytes));
	if (was_own_limit(e))
		return strf("%s at the cgroup's limit of %s", who, format_size(size, sizeof(size), e->limit_bytes));
	return strf("%s, but not at the cgroup's own limit%s%s: a limit above it, or the machine itself, was out of memory", who,
		    e->peak_bytes == MISSING ? "" : " (its peak was ",
		    e->peak_bytes == MISSING ? "" : strcat(format_size(peak, sizeof(peak) - 1, e->peak_bytes), ")"));
}

enum outcome classify(const struct ending *e, char **ret_why)
{
	enum outcome o;

	*ret_why = NULL;
	if (e->stop == STOP_INTERRUPTED) {
		*ret_why = xstrdup("interrupted before its end");
		return OUTCOME_INTERRUPTED;
	}
	/* Even where the program itself lives on: a limit that killed one of its processes has changed what was measured. */
	if (e->oom_kills != MISSING && e->oom_kills > 0) {
		*ret_why = oom_sentence(e);
		return OUTCOME_OOM_CGROUP;
	}
	if (e->stop == STOP_PLANNED) {
		*ret_why = e->killed ? xstrdup("ignored SIGTERM at the planned end and was killed") : NULL;
		return OUTCOME_OK;
	}
	if (e->stop == STOP_TIMEOUT) {
		*ret_why = strf("had not exited by itself when the time was up%s", e->killed ? "; ignored SIGTERM and was killed" : "");
		return OUTCOME_TIMEOUT;
	}
	if (go_fatal(e, &o, ret_why))
		return o;
	if (e->signal) {
		*ret_why = strf("died by signal %d (SIG%s)", e->signal, sigabbrev_np(e->signal) ? sigabbrev_np(e->signal) : "?");
		return OUTCOME_SIGNAL;
	}
	if (e->exit_code != 0) {
		*ret_why = strf("exited with code %d", e->exit_code);
		return OUTCOME_EXIT;
	}
	return OUTCOME_OK;
}
