/* SPDX-License-Identifier: Apache-2.0
 *
 * source.h - the sources of a program: what of them goes into the cache key, and how they are laid out for a build.
 * Private to build/ and its tests. Main thread only.
 */
#pragma once
#include "base/strv.h"
#include "plan/scenario.h"

struct err;

/* Appends "<sha256> <path>" for every file that a program is built from, sorted folder by folder; .git and what cannot be a source (no
 * regular file, no link to one) are left out. A file above 64 MB counts by its size and time of change alone. A bundled program: its
 * folder and mark's. A module: the whole module around program->dir, and the folders that its go.mod replaces others by. */
int program_digest(const struct program *p, const char *home, struct strv *ret, struct err *err);

/* Lays a bundled program out in dir: go.mod with the go line, mark/, and NAME/. */
int program_stage(const struct program *p, const char *home, const char *go_line, const char *dir, struct err *err);

/* The folder of the nearest go.mod at or above dir. Caller frees. */
int module_root(const char *dir, char **ret, struct err *err);
/* The go line of a go.mod: "1.21"; NULL: it has none. Caller frees. */
char *go_mod_line(const char *text);
/* The go.mod with another go line, and without a toolchain line (it could contradict). Caller frees. */
char *go_mod_with_line(const char *text, const char *go_line);
