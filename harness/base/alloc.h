/* SPDX-License-Identifier: Apache-2.0
 *
 * alloc.h - memory of the supervisor itself, and the cleanup attributes that give it back.
 *
 * The supervisor is small; when it cannot get memory nothing it could do would be right, so these end the process with one
 * sentence and exit code 125. Never called on the sampling thread. What is returned belongs to the caller (free()).
 */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *strf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *vstrf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#define cleanup_free __attribute__((cleanup(cleanup_freep)))
#define cleanup_close __attribute__((cleanup(cleanup_closep)))

/* Moves an owned pointer out of its variable, so that the cleanup attribute has nothing left to do. */
#define TAKE(p)                      \
	({                           \
		__typeof__(p) t_ = (p); \
		(p) = NULL;          \
		t_;                  \
	})
