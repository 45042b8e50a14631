/* SPDX-License-Identifier: Apache-2.0
 *
 * classify.h - how a run ended, from what was seen at its end. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/outcome.h"

enum stop_reason {
	STOP_NONE,        /* the program exited by itself */
	STOP_PLANNED,     /* observed for as long as the scenario asked */
	STOP_TIMEOUT,
	STOP_INTERRUPTED, /* Ctrl-C, SIGTERM to the supervisor */
};

/* What a Go runtime says when it gives up, caught as standard error goes by: a dump of all goroutines comes after it, and may be
 * larger than anything that is kept. Zero-initialised. */
struct last_words {
	char line[256]; /* "fatal error: ..."; "" none yet */
	int rank;       /* of line: smaller is more telling */
	char partial[256];
	size_t n;       /* in partial; its end where the line is longer */
	bool overlong;  /* the rest of a long line is passed over */
};
void last_words_add(struct last_words *w, const char *data, size_t len);

struct ending {
	enum stop_reason stop;
	bool killed;             /* the supervisor had to use SIGKILL: SIGTERM did nothing */
	int exit_code;           /* -1: died by a signal */
	int signal;              /* 0: exited */
	uint64_t oom_kills;      /* MISSING counts as none seen */
	uint64_t limit_bytes;    /* 0: none */
	bool limit_shared;       /* it is that of a group around its own, where a neighbour was too */
	uint64_t peak_bytes;     /* the highest usage of its group; MISSING unknown */
	const struct last_words *words; /* borrowed; NULL: none */
};

/* ret_why: one sentence, owned by the caller; NULL for a plain ok. */
enum outcome classify(const struct ending *e, char **ret_why);
