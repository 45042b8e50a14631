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

static const char *line_beginning_with(const char *text, const char *words)
{
	size_t n = strlen(words);

	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (!strncmp(line, words, n))
			return line;
	return NULL;
}

static bool go_fatal(const struct ending *e, enum outcome *ret, char **ret_why)
{
	if ((e->exit_code != 2 && e->signal != SIGABRT) || !e->stderr_tail)
		return false;
	for (size_t i = 0; i < sizeof(go_last_words) / sizeof(*go_last_words); i++) {
		const char *line = line_beginning_with(e->stderr_tail, go_last_words[i].line);

		if (!line)
			continue;
		*ret = go_last_words[i].outcome;
		*ret_why = strf("the Go runtime gave up: %.*s", (int)strcspn(line, "\n"), line);
		return true;
	}
	return false;
}

static char *oom_sentence(const struct ending *e)
{
	char size[32];

	return strf("the kernel killed %" PRIu64 " process%s at the cgroup's limit of %s", e->oom_kills, e->oom_kills == 1 ? "" : "es",
		    e->limit_bytes ? format_size(size, sizeof(size), e->limit_bytes) : "its surroundings");
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
