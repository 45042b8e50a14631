/* SPDX-License-Identifier: Apache-2.0
 *
 * progress.h - the one live line of a campaign, as text. Pure; base/log.h puts it on the terminal.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct progress {
	size_t done, total, running;
	double elapsed_s;
	double eta_s; /* 0: not known, not said */
	const char *cell;   /* of the run started last; "" none */
	const char *phase;  /* its last mark; "" none */
	uint64_t rss_bytes; /* its RSS; MISSING unknown */
};

/* "12 of 63 runs, 8 running, 0:21 gone, about 0:41 left   go=1.14,godebug=default loaded 826 MB". Returns buf. */
char *progress_line(char *buf, size_t n, const struct progress *p);
