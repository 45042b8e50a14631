/* SPDX-License-Identifier: Apache-2.0
 *
 * err.h - one error object: what failed, where, and the exit code it asks for.
 *
 * Library code never prints and never exits: it fills a struct err and returns a negative errno. Contract: on success the
 * object is untouched; on failure it holds a sentence that can be printed as it stands. The command that owns the object
 * prints it once and releases it. Any thread; an object belongs to one thread at a time. Every function takes err= NULL
 * where the caller does not care.
 */
#pragma once
#include <stdarg.h>

enum { EXIT_EXPECTED = 0, EXIT_UNEXPECTED = 1, EXIT_USAGE = 2, EXIT_INCONCLUSIVE = 3, EXIT_HARNESS = 125 };

struct err {
	int errnum;    /* positive errno, or 0 where no system call failed */
	int exit_code; /* EXIT_USAGE or EXIT_HARNESS; 0 while there is no error */
	char *msg;     /* owned; NULL while there is no error */
};

#define ERR_INIT { 0, 0, NULL }

/* The machine or the harness failed: "<message>: <strerror(errnum)>" (no suffix for errnum 0). Returns -errnum, or -EIO
 * for errnum 0. A message set before is replaced. */
int err_set(struct err *err, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The user's input is wrong: exit code 2. Returns -EINVAL. */
int err_usage(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "<context>: " before the message. Returns -errnum as err_set() does. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts the mending advice on a line of its own after the message: "\n  <advice>". Returns as err_wrap(). */
int err_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The message, "" where there is none. Borrowed. */
const char *err_text(const struct err *err);

void err_done(struct err *err);
#define cleanup_err __attribute__((cleanup(err_done)))
