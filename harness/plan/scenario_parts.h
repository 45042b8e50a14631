/* SPDX-License-Identifier: Apache-2.0
 *
 * scenario_parts.h - the meaning of single values of a scenario: axes and conditions.
 *
 * Private to plan/. Errors are usage errors without a position: whoever knows where the text stood puts that before.
 */
#pragma once
#include <stdbool.h>

#include "plan/scenario.h"

/* A value that stands for "not set"; every axis but go and limit has it. */
#define VALUE_DEFAULT "default"
#define MADV_FREE_REFUSED "refused" /* the axis madv_free */
#define THP_NEVER "never"           /* the axis thp */

/* Whether there is such an axis, and programs of this kind can have it. */
int axis_check_name(const char *name, enum program_kind kind, struct err *err);
/* Whether the text can be a value of the axis. What a certain release makes of it is plan's to say. */
int axis_check_value(const char *axis, const char *value, struct err *err);
/* Whether `for: {axis: value}` is well written and can match a value that the axis has (NULL: a list of local toolchains). */
int match_check_value(const char *axis, const char *value, const struct axis *has, struct err *err);
/* "64MB" or "none" (0). */
int limit_parse(const char *text, uint64_t *ret_bytes, struct err *err);

/* One "name=value" of a godebug value or one "K=V" of an env value. */
struct assignment {
	char *name, *value; /* owned */
};

struct assignments {
	struct assignment *v; /* owned */
	size_t n;
};

/* "madvdontneed=1,gctrace=1". */
int godebug_parse(const char *value, struct assignments *ret, struct err *err);
/* "GOGC=50 GOMEMLIMIT=500MiB" */
int env_parse(const char *value, struct assignments *ret, struct err *err);
void assignments_done(struct assignments *a);
#define cleanup_assignments __attribute__((cleanup(assignments_done)))

/* NULL: STORY_NONE. */
int story_parse(const char *text, enum story *ret, struct err *err);

int condition_parse(const char *text, struct condition *ret, struct err *err);
void condition_done(struct condition *c);
/* "0.05", "-3", "12.5"; nothing else. */
int decimal_parse(const char *text, double *ret, struct err *err);
