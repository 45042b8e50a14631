/* SPDX-License-Identifier: Apache-2.0
 *
 * log.h - remarks to standard error, for commands only; library code returns errors instead.
 *
 * While a progress line stands on the terminal (log_status), it is wiped before a remark and drawn again after.
 * Main thread only.
 */
#pragma once
#include <stdbool.h>

extern bool log_quiet; /* --quiet: errors only */

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* One line at the bottom of the terminal, replaced at each call; NULL or "" takes it away. Nothing if stderr is no terminal. */
void log_status(const char *line);
