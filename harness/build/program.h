/* SPDX-License-Identifier: Apache-2.0
 *
 * program.h - builds a program with a toolchain, once per content.
 *
 * A bundled program is staged with a generated go.mod (module memtide.dev/goprogs, the go line asked for, two components) and
 * the mark package beside it. The cache key is the SHA-256 of every source byte, the toolchain's identity, the go line, cgo
 * and the build flags; what is in the cache is used as it is. A binary enters the cache only after its embedded
 * runtime.buildVersion was read back and is the toolchain's: a `go` that silently ran another release is an error.
 * Built with CGO_ENABLED=0 unless the program asks for cgo (then CGO_CFLAGS gets -gdwarf-4: Go 1.11 cannot read DWARF 5).
 * Main thread only; two memtides may build the same thing at once.
 */
#pragma once
#include "build/toolchain.h"
#include "plan/scenario.h"

struct build {
	char *binary;          /* owned: path in the cache */
	char sha256[65];       /* of the binary */
	char *go_line;         /* owned: the go line it was built with: "1.12"; NULL for a module without go.mod line */
	char *default_godebug; /* owned: DefaultGODEBUG as embedded (1.21+); NULL: none recorded */
	struct strv flags;     /* build flags used */
	bool cached;           /* nothing had to be built */
};

/* go_line: NULL for the toolchain's own. On failure err holds the toolchain's own output. */
int program_build(const struct program *p, const struct toolchain *t, const char *go_line, const char *home, struct build *ret,
		  struct err *err);
void build_done(struct build *b);

/* runtime.buildVersion as embedded in an ELF executable of any Go release: "go1.12.17". Caller frees. */
int build_version_read(const char *binary, char **ret, struct err *err);
