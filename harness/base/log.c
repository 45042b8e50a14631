/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/alloc.h"

bool log_quiet;

static char *status; /* owned: what stands on the terminal's last line, or NULL */

static void wipe_status(void)
{
	if (status)
		fputs("\r\033[K", stderr);
}

static void draw_status(void)
{
	struct winsize w;
	int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col - 1 : 79;

	if (status)
		fprintf(stderr, "\r\033[K%.*s", columns, status);
	(void)fflush(stderr);
}

void log_status(const char *line)
{
	if (!isatty(STDERR_FILENO) || log_quiet)
		return;
	if (!line || !*line) {
		wipe_status();
		free(status);
		status = NULL;
		(void)fflush(stderr);
		return;
	}
	free(status);
	status = xstrdup(line);
	draw_status();
}

static void remark(const char *rank, const char *fmt, va_list ap)
{
	cleanup_free char *text = vstrf(fmt, ap);

	wipe_status();
	fprintf(stderr, "%s%s\n", rank, text);
	draw_status();
}

#define REMARK(rank)                    \
	do {                            \
		va_list ap;             \
		va_start(ap, fmt);      \
		remark(rank, fmt, ap);  \
		va_end(ap);             \
	} while (0)

void log_error(const char *fmt, ...)
{
	REMARK("memtide: ");
}

void log_warn(const char *fmt, ...)
{
	if (!log_quiet)
		REMARK("memtide: warning: ");
}

void log_note(const char *fmt, ...)
{
	if (!log_quiet)
		REMARK("");
}
