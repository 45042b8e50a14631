/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include <string.h>

#include "base/err.h"

static void *or_die(void *p)
{
	if (!p) {
		fputs("memtide: the supervisor itself got no memory\n", stderr);
		_exit(EXIT_HARNESS);
	}
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	return or_die(calloc(n ? n : 1, size ? size : 1));
}

void *xreallocarray(void *p, size_t n, size_t size)
{
	return or_die(reallocarray(p, n ? n : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return or_die(strdup(s));
}

char *vstrf(const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	return or_die(s);
}

char *strf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *s = vstrf(fmt, ap);
	va_end(ap);
	return s;
}
