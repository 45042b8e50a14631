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
 *
 * The ends of a range are minor releases: 1.11.3..1.16 is refused, as nobody could say which patches of 1.12 it means. An
 * exact patch is taken even where no list has it (the fetch will tell); a minor beyond the newest known is not.
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
	char *text;                /* owned: as the cell writes it: "1.12" (of `latest` and ranges too), "1.21.3", "/path/to/goroot" */
	struct go_version version; /* exact */
	char *goroot;              /* owned; NULL: not here, must be fetched */
};

struct go_specs {
	struct go_spec *v; /* owned */
	size_t n;
};

/* Whether a list is well written; what it would mean today is not asked. Same usage errors as golist_expand() has for that. */
int golist_check(const char *list, struct err *err);
/* Appends. Errors are usage errors: an unknown word, a release before 1.11, one that does not exist yet, a range backwards, a
 * path that is no Go tree. */
int golist_expand(const char *list, const struct catalogue *c, struct go_specs *ret, struct err *err);
void go_specs_done(struct go_specs *s);

/* What one element of a list says by itself, without a catalogue: a span of releases. */
struct go_span {
	enum { GO_SPAN_MINORS, GO_SPAN_EXACT, GO_SPAN_LATEST, GO_SPAN_PREVIOUS, GO_SPAN_LOCAL, GO_SPAN_GOROOT } kind;
	int first_minor, last_minor; /* GO_SPAN_MINORS; last_minor is INT_MAX for a range that ends in `latest` */
	struct go_version exact;     /* GO_SPAN_EXACT */
};

int go_span_parse(const char *element, struct go_span *ret, struct err *err);
/* GO_SPAN_MINORS and GO_SPAN_EXACT only; no other kind contains anything. */
bool go_span_contains(const struct go_span *s, const struct go_version *v);
