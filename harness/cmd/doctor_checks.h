/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor_checks.h - what `memtide doctor` looks at. Private to cmd/doctor*.c.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum check_state { CHECK_OK, CHECK_WARN, CHECK_FAIL };

struct check {
	const char *name;       /* static: "memory limit" */
	enum check_state state;
	char *found;            /* owned: one sentence */
	char *mend;             /* owned: the exact command; NULL where nothing is to be mended */
};

struct checks {
	struct check *v; /* owned */
	size_t n;
};

/* All of them, in a sensible order. Real: children under real limits, the real sampler, the real module proxy. */
void doctor_check_all(struct checks *ret);
void checks_done(struct checks *c);
