/* SPDX-License-Identifier: Apache-2.0
 *
 * fetch.h - the judgements of fetching that need neither network nor `go`. The fetching itself: toolchain.h. Private to build/
 * and its tests. Pure.
 */
#pragma once
#include <stdbool.h>

#include "plan/golist.h"

/* Whether one of the comma-separated patterns of GONOSUMDB holds for a module path. */
bool module_matches(const char *patterns, const char *module);
/* NULL where the `go` of this minor release (-1: unknown) checks a toolchain against the checksum database under these settings;
 * else the reason why it does not. Caller frees. */
char *why_unchecked(int go_minor, const char *goproxy, const char *gosumdb, const char *gonosumdb);
/* What to do about the words with which `go` refused. */
const char *fetch_advice(const char *words);
/* Adds the releases from 1.11 on that a list of module versions names ("v0.0.1-go1.21.0.linux-amd64 ..."; other systems are
 * left out). Returns how many there were. */
size_t catalogue_add_versions(struct catalogue *c, const char *list, const char *goarch);
