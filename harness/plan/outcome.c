/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/outcome.h"

#include <stddef.h>
#include <string.h>

static const char *const names[OUTCOME_COUNT_] = {
	[OUTCOME_OK] = "ok",
	[OUTCOME_EXIT] = "exit",
	[OUTCOME_SIGNAL] = "signal",
	[OUTCOME_OOM_CGROUP] = "oom-cgroup",
	[OUTCOME_OOM_GO] = "oom-go",
	[OUTCOME_GO_FATAL] = "go-fatal",
	[OUTCOME_TIMEOUT] = "timeout",
	[OUTCOME_BUILD_FAILED] = "build-failed",
	[OUTCOME_TOOLCHAIN_MISSING] = "toolchain-missing",
	[OUTCOME_NOT_APPLICABLE] = "not-applicable",
	[OUTCOME_NO_PERMISSION] = "no-permission",
	[OUTCOME_INTERRUPTED] = "interrupted",
	[OUTCOME_HARNESS_ERROR] = "harness-error",
};

const char *outcome_to_string(enum outcome o)
{
	return (unsigned)o < OUTCOME_COUNT_ ? names[o] : "unknown";
}

int outcome_from_string(const char *s)
{
	for (int i = 0; s && i < OUTCOME_COUNT_; i++)
		if (!strcmp(s, names[i]))
			return i;
	return -1;
}
