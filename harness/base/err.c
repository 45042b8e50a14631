/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static int code_of(const struct err *err)
{
	if (err && err->errnum > 0)
		return -err->errnum;
	return err && err->exit_code == EXIT_USAGE ? -EINVAL : -EIO;
}

int err_set(struct err *err, int errnum, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		char *what = vstrf(fmt, ap);
		va_end(ap);
		free(err->msg);
		err->errnum = errnum;
		err->exit_code = EXIT_HARNESS;
		if (errnum > 0) {
			err->msg = strf("%s: %s", what, strerror(errnum));
			free(what);
		} else {
			err->msg = what;
		}
	}
	return errnum > 0 ? -errnum : -EIO;
}

int err_usage(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		char *what = vstrf(fmt, ap);
		va_end(ap);
		free(err->msg);
		err->msg = what;
		err->errnum = 0;
		err->exit_code = EXIT_USAGE;
	}
	return -EINVAL;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		char *context = vstrf(fmt, ap);
		va_end(ap);
		char *msg = strf("%s: %s", context, err_text(err));
		free(context);
		free(err->msg);
		err->msg = msg;
	}
	return code_of(err);
}

int err_hint(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		char *advice = vstrf(fmt, ap);
		va_end(ap);
		char *msg = strf("%s\n  %s", err_text(err), advice);
		free(advice);
		free(err->msg);
		err->msg = msg;
	}
	return code_of(err);
}

const char *err_text(const struct err *err)
{
	return err && err->msg ? err->msg : "";
}

void err_done(struct err *err)
{
	if (!err)
		return;
	free(err->msg);
	*err = (struct err)ERR_INIT;
}
