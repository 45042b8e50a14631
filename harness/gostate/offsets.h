/* SPDX-License-Identifier: Apache-2.0
 *
 * offsets.h - the layout of a Go release's runtime, from a program that is built for nothing else.
 *
 * A binary without DWARF (-ldflags=-w) still has its symbols' addresses; which member lies where in their structs is the same in
 * every binary of that very release, built with the same experiments (GOEXPERIMENT: "go1.22.1 X:arenas"). So a small program is built
 * once with that release's toolchain and those experiments, kept in cache_folder()/offsets/RELEASE, and its layout read. What else a
 * version says, and experiments that Go's own toolchain does not know (a distributor's), are left out: the plain release's offsets are
 * given then, and layout_complete() tells by the sizes of the structs whether they fit. Where the toolchain is not on this machine none is fetched: the error says
 * which command does. The first time takes seconds, up to a minute where Go has to build its library. Main thread only.
 */
#pragma once
#include <stdbool.h>

struct err;
struct go_layout;

/* version: as a layout has it, "go1.21.3", "go1.22.1 X:arenas". build: false fails where it would have to be built first. *ret: as layout_read() gives it, of LAYOUT_DWARF, with the sizes of its witnesses. Caller frees with free(). */
int offsets_of(const char *version, bool build, struct go_layout **ret, struct err *err);
