/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_settings.h - what a target finds the kernel to do otherwise than for all others: the axes madv_free and thp.
 *
 * Both are inherited by all that the target begets. The filter lies beside that of a virtual clock (gate.h): of two answers the
 * kernel takes the stricter one, and neither has an answer to what the other asks for.
 */
#pragma once
#include <stdbool.h>

struct kernel_settings {
	bool madv_free_refused; /* madvise(MADV_FREE) is EINVAL, as before Linux 4.5 (a seccomp filter) */
	bool thp_never;         /* no huge pages for it (PR_SET_THP_DISABLE, Linux 3.15) */
};

/* In a child between fork and exec; async-signal-safe. NULL, or what could not be done, and errno. */
const char *kernel_settings_apply(const struct kernel_settings *s);
