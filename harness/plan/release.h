/* SPDX-License-Identifier: Apache-2.0
 *
 * release.h - the order of Go releases and what each can do: the one table of release facts.
 *
 * Facts and sources: the release notes, and the dbgvars tables in src/runtime/runtime1.go of each tree. Go ignores unknown
 * GODEBUG names silently, so a setting that a release does not know must never be run as if it had taken effect.
 * Pure; any thread. Only Go 1.x is known: the major is not stored.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct err;

#define RELEASE_OLDEST_MINOR 11 /* the oldest that memtide supports */

struct go_version {
	int minor;    /* 12 of 1.12.17 */
	int patch;    /* 17; 0 for 1.12 itself and for pre-releases */
	char pre[12]; /* "rc1", "beta2", "devel" (a Go tree between releases); "" for a release */
};

/* "1.12.17", "1.12", "1.27rc1", each with or without "go" before it. 1.12 is 1.12.0 here: see golist.h for "its newest". */
int go_version_parse(const char *text, struct go_version *ret, struct err *err);
/* <0, 0, >0; 1.27rc1 < 1.27.0 < 1.27.1 */
int go_version_compare(const struct go_version *a, const struct go_version *b);
/* "1.12.17"; the first release of a minor is "1.20" before 1.21 and "1.21.0" since, as Go itself names them. Returns buf. */
char *go_version_format(char *buf, size_t n, const struct go_version *v);

/* The newest patch release of a minor known when this memtide was made; -1 where the minor was not known. Catalogues of the
 * proxy come on top (golist.h); this table serves when there is no network, or the proxy's list is incomplete. */
int release_newest_known_patch(int minor);
int release_newest_known_minor(void);

/* Whether v's runtime knows the GODEBUG name. false with *ret_why (caller frees): "Go 1.11 does not know madvdontneed (1.12
 * and later do)". A name in no table of ours is false as well, with a why that says so. */
bool release_knows_godebug(const struct go_version *v, const char *name, char **ret_why);
/* Every GODEBUG name of the table; NULL-terminated. For suggestions. Main thread. */
const char *const *release_godebug_names(size_t *ret_n);
/* Whether the runtime reads the name's value as an integer, so that any other text would silently not count. */
bool release_godebug_takes_number(const char *name);
/* The value that v's runtime uses where GODEBUG does not say: "0", "1", ...; NULL where it depends on the module's go line or
 * is not worth telling. */
const char *release_godebug_default(const struct go_version *v, const char *name);
/* Whether v reads this environment variable of the runtime (GOMEMLIMIT since 1.19; GOGC, GOMAXPROCS, GOTRACEBACK always). A
 * variable not known to be the runtime's is the program's own: true. */
bool release_knows_env(const struct go_version *v, const char *name, char **ret_why);
/* Whether v can build a module with this go line ("1.22"): since 1.21 a newer line than the toolchain is an error; older
 * toolchains try. */
bool release_accepts_go_line(const struct go_version *v, const char *line, char **ret_why);
