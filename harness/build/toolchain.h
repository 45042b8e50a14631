/* SPDX-License-Identifier: Apache-2.0
 *
 * toolchain.h - Go toolchains: which are on this machine, which there are, and how a missing one is fetched.
 *
 * Looked for in: PATH (go and go1.N.P), ~/sdk/go1.N.P, GOMODCACHE/golang.org/toolchain@*, /usr/lib/go-1.N, /usr/local/go.
 * They are used where they are and never changed. A missing one is a version of the module golang.org/toolchain and is
 * fetched by the user's own `go` through the user's own GOPROXY, checked against the checksum database.
 *
 * Toolchains under test are run with GOENV=off GOTOOLCHAIN=local GOWORK=off GOFLAGS= (toolchain_env): a user's `go env -w`
 * file breaks old releases. Only the fetching `go` sees the user's own settings. Main thread only.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/strv.h"
#include "plan/golist.h"

struct toolchain {
	struct go_version version;
	char *version_text; /* owned: what the built program's runtime.buildVersion must be: "go1.12.17", "devel go1.28-..." */
	char *goroot;       /* owned, absolute; GOROOT/bin/go is the command */
	char *found_in;     /* owned, for people: "GOMODCACHE", "PATH", "/usr/local/go", ... */
};

struct toolchains {
	struct toolchain *v; /* owned; ascending by version; one per version, the first place above wins */
	size_t n;
};

/* Every usable toolchain from 1.11 on. None is run for that: a tree counts as usable if its commands are executables for this
 * machine and the release embedded in bin/go is the one that its VERSION file claims; the full proof is in what it builds
 * (program.h). One that fails this is left out and named in ret_broken (may be NULL), a sentence each. One in GOMODCACHE that was
 * downloaded and never made executable is left out silently: toolchain_fetch() completes it. Never fails so far. */
int toolchains_find(struct toolchains *ret, struct strv *ret_broken, struct err *err);
void toolchains_done(struct toolchains *t);
/* The toolchain in a GOROOT that the user named, or that toolchains_find() found; the same checks. */
int toolchain_open(const char *goroot, struct toolchain *ret, struct err *err);
void toolchain_done(struct toolchain *t);

/* Local ones + the proxy's list (asked with the user's `go`, 10 s at most; an answer is kept for an hour) + the built-in table.
 * Without network or without `go` the first and the last, and the last answer there was; *ret_why_offline (caller frees, may be
 * NULL) then says why, else it is NULL. Never fails so far. */
int catalogue_load(struct catalogue *ret, const struct toolchains *local, char **ret_why_offline, struct err *err);

struct fetch_progress {
	/* bytes so far of the compressed archive (about 60 to 150 MB); unpacking: true once it is complete. */
	void (*report)(void *arg, const struct go_version *v, uint64_t bytes, bool unpacking);
	void *arg;
	/* Called after the fetch if the archive was not checked against the checksum database, with the reason; may be NULL. */
	void (*unchecked)(void *arg, const struct go_version *v, const char *why);
};
/* Fetches into the user's GOMODCACHE and makes it usable as `go` itself would (exec bits, _go.mod). Bootstraps where the
 * user's `go` is older than 1.21. What is complete already is left as it is. GOSUMDB=off: `go` from 1.21 on refuses (the error
 * says so), an older one goes on and `unchecked` tells. No `go` at all, no network, a checksum mismatch, a GOPROXY that forbids it,
 * no such version: an error with the go command's own words and what to do. *ret_bytes: size of the archive (may be NULL). */
int toolchain_fetch(const struct go_version *v, const struct fetch_progress *progress, struct toolchain *ret, uint64_t *ret_bytes,
		    struct err *err);

/* The environment for running a toolchain: PATH, HOME, TMPDIR, GOPATH, GOMODCACHE, GOCACHE (memtide's own), network proxies; and the
 * fixed ones above. Not GOPROXY and what belongs to it: who lets a toolchain fetch modules adds them. Appends "K=V". */
void toolchain_env(const struct toolchain *t, struct strv *ret_env);
