/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/mechanism_list.h"

#include <stddef.h>
#include <string.h>

static const char *const names[MECHANISM_COUNT_] = {
	[MECHANISM_RELEASED] = "released",
	[MECHANISM_LAZYFREE] = "lazyfree",
	[MECHANISM_NOT_YET_SCAVENGED] = "not-yet-scavenged",
	[MECHANISM_LIVE_HEAP] = "live-heap",
	[MECHANISM_GOROUTINES] = "goroutines",
	[MECHANISM_THREADS] = "threads",
	[MECHANISM_NATIVE] = "native",
	[MECHANISM_FRAGMENTATION] = "fragmentation",
	[MECHANISM_THP] = "thp",
	[MECHANISM_RUNTIME_OVERHEAD] = "runtime-overhead",
	[MECHANISM_UNKNOWN] = "unknown",
};

const char *mechanism_to_string(enum mechanism m)
{
	return (unsigned)m < MECHANISM_COUNT_ ? names[m] : names[MECHANISM_UNKNOWN];
}

int mechanism_from_string(const char *s)
{
	for (int i = 0; s && i < MECHANISM_COUNT_; i++)
		if (!strcmp(s, names[i]))
			return i;
	return -1;
}

const char *const *mechanism_names(void)
{
	return names;
}
