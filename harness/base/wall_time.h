/* SPDX-License-Identifier: Apache-2.0
 *
 * wall_time.h - moments of the real world, as people and other tools write them.
 *
 * Nanoseconds since 1970-01-01T00:00:00Z. A date without a zone is refused: whoever wrote it may have been anywhere. Pure; any thread.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct err;

#define WALL_DAY_NS (86400LL * 1000000000LL)

/* ISO 8601, "2026-11-21T12:03:10Z", "2026-11-21 12:03:10.250+02:00"; years 1970 to 2200. err: one sentence. */
int wall_time_parse(const char *text, int64_t *ret_ns, struct err *err);
/* A time of the day: "12:03", "12:03:10", "12:03:10.5"; UTC, unless "+02:00" or "Z" follows. Since that day's midnight in UTC, so it may be
 * negative or beyond a day. -EINVAL without an error where the text is not one at all. */
int time_of_day_parse(const char *text, int64_t *ret_ns, struct err *err);
/* "2026-11-21T12:03:10Z", with milliseconds where there are some. Returns buf. */
char *wall_time_format(char *buf, size_t n, int64_t ns);
