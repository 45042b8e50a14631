/* SPDX-License-Identifier: Apache-2.0
 *
 * golist.h - a LIST of Go releases as users write it, expanded into exact toolchains.
 *
 *     1.11..1.16   every minor release from 1.11 to 1.16, each its newest patch
 *     1.15         its newest patch            1.15.3, 1.27rc1   exactly that one
 *     latest       the newest release          previous          the minor before it, its newest patch
 *     local        every toolchain that is on this machine already (1.11 and later)
 *     /path        the Go tree there (a GOROOT)
 *
 * comma-separated; a range may end in `latest`. Doubles are left out. Pure but for a GOROOT's VERSION file.
 */
#pragma once
#include "plan/release.h"

/* What there is to choose from; made by build/toolchain, or from the built-in table alone (catalogue_builtin). */
struct catalogue_entry {
	struct go_version version;
	char *goroot; /* owned; NULL: not on this machine */
};

struct catalogue {
	struct catalogue_entry *entries; /* owned; ascending by version, one per version */
	size_t n;
};

/* Adds or completes an entry (a goroot is copied and kept over NULL). */
void catalogue_add(struct catalogue *c, const struct go_version *v, const char *goroot);
/* The releases of release.h's table. */
void catalogue_add_builtin(struct catalogue *c);
void catalogue_done(struct catalogue *c);

struct go_spec {
	char *text;               /* owned: as the cell writes it: "1.12", "1.21.3", "/path/to/goroot" */
	struct go_version version; /* exact */
	char *goroot;             /* owned; NULL: not here, must be fetched */
};

struct go_specs {
	struct go_spec *v; /* owned */
	size_t n;
};

/* Appends. Errors are usage errors: an unknown word, a release before 1.11, one that does not exist yet, a range backwards, a
 * path that is no Go tree. */
int golist_expand(const char *list, const struct catalogue *c, struct go_specs *ret, struct err *err);
void go_specs_done(struct go_specs *s);
