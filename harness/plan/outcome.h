/* SPDX-License-Identifier: Apache-2.0
 *
 * outcome.h - how a run ended: the closed list.
 */
#pragma once

enum outcome {
	OUTCOME_OK,                /* exit code 0, or observed for as long as the scenario asked, then ended by the supervisor */
	OUTCOME_EXIT,              /* non-zero exit code */
	OUTCOME_SIGNAL,            /* died by a signal that neither the supervisor nor the cgroup sent */
	OUTCOME_OOM_CGROUP,        /* the kernel killed it at the cgroup's limit */
	OUTCOME_OOM_GO,            /* the Go runtime's own "out of memory" */
	OUTCOME_GO_FATAL,          /* thread limit, deadlock, stack overflow, panic, concurrent map writes, ... */
	OUTCOME_TIMEOUT,           /* should have exited by itself and did not */
	OUTCOME_BUILD_FAILED,
	OUTCOME_TOOLCHAIN_MISSING,
	OUTCOME_NOT_APPLICABLE,    /* the release does not know the setting */
	OUTCOME_NO_PERMISSION,
	OUTCOME_INTERRUPTED,
	OUTCOME_HARNESS_ERROR,
	OUTCOME_COUNT_
};

const char *outcome_to_string(enum outcome o); /* "oom-cgroup" */
int outcome_from_string(const char *s);        /* -1: not one of them */
