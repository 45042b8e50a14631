/* SPDX-License-Identifier: Apache-2.0
 *
 * classify.h - how a run ended, from what was seen at its end. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "record/outcome.h"

enum stop_reason {
	STOP_NONE,        /* the program exited by itself */
	STOP_PLANNED,     /* observed for as long as the scenario asked */
	STOP_TIMEOUT,
	STOP_INTERRUPTED, /* Ctrl-C, SIGTERM to the supervisor */
};

struct ending {
	enum stop_reason stop;
	bool killed;             /* the supervisor had to use SIGKILL: SIGTERM did nothing */
	int exit_code;           /* -1: died by a signal */
	int signal;              /* 0: exited */
	uint64_t oom_kills;      /* MISSING counts as none seen */
	uint64_t limit_bytes;    /* 0: none */
	const char *stderr_tail; /* what the program last said on stderr; borrowed */
};

/* ret_why: one sentence, owned by the caller; NULL for a plain ok. */
enum outcome classify(const struct ending *e, char **ret_why);
