/* SPDX-License-Identifier: Apache-2.0
 *
 * symbols.h - code addresses of a Go program to function, file and line, by Go's own table (pclntab.h), which every Go binary has,
 * stripped or not.
 *
 * Read from the file that runs, by way of /proc/PID/exe, so that no page of the target is touched for it; where the linker left an
 * address to the loader (PIE), its relocation is applied here. Only runtime.firstmoduledata is read from the process. The file and
 * the process are anybody's: every offset is checked. After symbols_open() any number of threads.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "gostate/target.h"

struct err;
struct symbols;

struct code_place {
	const char *function; /* "main.newReader"; "" where it cannot be told. Owned by the symbols */
	const char *file;     /* as the compiler wrote it; "" */
	unsigned line;        /* 0 */
};
#define CODE_PLACE_NONE ((struct code_place){ "", "", 0 })

/* pcs given to the functions below are the live process': the load bias is taken off. */
int symbols_open(const struct go_target *t, struct symbols **ret, struct err *err);
/* The same of a process that go_target_open() refuses: stripped, of which the layout says nothing but the release. */
int symbols_open_process(pid_t pid, const struct go_layout *l, struct symbols **ret, struct err *err);
/* NULL-safe; returns NULL. */
struct symbols *symbols_free(struct symbols *s);
/* pc: an address inside the instruction; of a return address pass pc - 1. Of calls that the compiler inlined there: the innermost. */
struct code_place symbols_place(const struct symbols *s, uint64_t pc);
/* The calls that were inlined at pc, innermost first, then the function itself. Returns how many, at most max; 0: no Go code. */
size_t symbols_frames(const struct symbols *s, uint64_t pc, struct code_place *ret, size_t max);
/* The function that pc lies in, whatever was inlined there; "". */
const char *symbols_function(const struct symbols *s, uint64_t pc);
/* From the stack pointer to the return address, in bytes, at pc; -1: cannot be told. */
int64_t symbols_frame_bytes(const struct symbols *s, uint64_t pc);
/* The function is of Go's standard library (runtime, net/http, vendored ones), by the place of its file or the name of its package. */
bool symbols_is_standard(const struct symbols *s, const struct code_place *place);
