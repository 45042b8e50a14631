/* SPDX-License-Identifier: Apache-2.0
 *
 * toolchain_files.h - the files of a toolchain in the module cache, made usable as cmd/go's toolchain selection makes them;
 * and how toolchains name themselves.
 *
 * A module archive carries no exec bits, and no go.mod below its root (they are called _go.mod there). `go mod download` leaves
 * both as they are; a `go` that switches toolchains mends them, in an order that makes it safe for several to do so at once.
 * This does the same in the same order. Folders of the cache are read-only: each is opened for writing and closed again.
 * Private to build/. Main thread only.
 */
#pragma once
#include <stdbool.h>

struct err;
struct go_version;

bool toolchain_files_ready(const char *goroot);
int toolchain_files_make_ready(const char *goroot, struct err *err);

/* By its path: a version of the module golang.org/toolchain, checked against the checksum database and never changed since. */
bool goroot_in_modcache(const char *goroot);

/* "go1.21.13", "go1.27rc1", "devel go1.28-1234abcd Mon ...", "go1.28-devel_1234abcd"; a tree that nobody released becomes the
 * pre-release "devel" of its minor. -EINVAL: none of these. */
int version_text_parse(const char *text, struct go_version *ret);
/* Whether both name the same toolchain: experiments ("go1.22.1 X:arenas") do not count. */
bool version_text_equal(const char *a, const char *b);
