/* SPDX-License-Identifier: Apache-2.0
 *
 * user_go.h - the `go` command of the user: asked for settings and for the proxy's list, and the one that fetches.
 *
 * It sees the user's environment and `go env -w` file, so GOPROXY, GOSUMDB, GONOSUMDB and GOPRIVATE are the user's own. Forced
 * are GO111MODULE=on, GOTOOLCHAIN=local, GOWORK=off, and GOFLAGS=" ": an empty GOFLAGS would not override the user's file.
 * Private to build/. Main thread only.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/strv.h"

struct err;
struct subprocess_result;

/* The first executable of this name in PATH. Caller frees; NULL: none. */
char *path_find(const char *name);

/* `go` of PATH, else /usr/local/go/bin/go. Caller frees; NULL: neither. */
char *user_go_installed(void);
/* That one, else (or if it is older than 1.13) the newest toolchain found anywhere. None at all: an error with what to do. */
int user_go_find(char **ret, struct err *err);

/* "GOPROXY", ... -> its value, "" where it is not set or this `go` is too old to know it. names: NULL-terminated; ret: one
 * each, in the same order. */
int user_go_env(const char *go, const char *const *names, struct strv *ret, struct err *err);
/* Where it keeps modules: GOMODCACHE, also for releases before 1.15, which do not know the name. go: NULL where there is none. */
char *user_go_modcache(const char *go);
/* The minor release of it: 19; -1 if it does not tell. */
int user_go_minor(const char *go);

/* Runs it in a folder of its own with an empty module, which releases before 1.13 ask for. tick: may be NULL. */
int user_go_run(const char *go, const char *const *args, int64_t timeout_ns, void (*tick)(void *), void *tick_arg,
		struct subprocess_result *ret, struct err *err);

/* "amd64": this machine as Go names it. */
const char *host_goarch(void);
