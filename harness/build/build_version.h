/* SPDX-License-Identifier: Apache-2.0
 *
 * build_version.h - what a Go executable says of itself: the release that built it, and its module information.
 *
 * Read from the file alone, nothing is executed, so it costs a few milliseconds and works on a foreign architecture. Two
 * places are known: the section .go.buildinfo (1.13 and later; pointers up to 1.17, text inline since 1.18), and the
 * symbol runtime.buildVersion (any release, unless the binary is stripped). Position-independent executables are read
 * through their relocations. Every length and address is checked: a damaged file is an error. Any thread.
 */
#pragma once

struct err;

struct build_info {
	char *version; /* owned: "go1.12.17", "devel go1.28-1234abcd", "go1.22.1 X:arenas" */
	char *module;  /* owned: lines as `go version -m` prints them ("build\tCGO_ENABLED=0\n..."); NULL: none in it */
};

int build_info_read(const char *binary, struct build_info *ret, struct err *err);
void build_info_done(struct build_info *b);
/* The value of "build\tKEY=" in the module information: DefaultGODEBUG, -trimpath, ...; NULL: not there. Caller frees. */
char *build_info_setting(const struct build_info *b, const char *key);
