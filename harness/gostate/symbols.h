/* SPDX-License-Identifier: Apache-2.0
 *
 * symbols.h - code addresses of a Go program to function, file and line, by Go's own table (pclntab), which every Go binary has,
 * stripped or not. Layouts of that table: go1.2, go1.16, go1.18, go1.20 (debug/gosym describes them).
 */
#pragma once
#include <stdint.h>

#include "gostate/target.h"

struct err;
struct symbols;

struct code_place {
	const char *function; /* "main.newReader"; "" where it cannot be told. Owned by the symbols */
	const char *file;     /* as the compiler wrote it; "" */
	unsigned line;        /* 0 */
};

/* From the binary that runs (/proc/PID/exe). pcs given to symbols_place() are the live process': the load bias is taken off. */
int symbols_open(const struct go_target *t, struct symbols **ret, struct err *err);
struct symbols *symbols_free(struct symbols *s);
/* pc: an address inside the instruction; of a return address pass pc - 1. */
struct code_place symbols_place(struct symbols *s, uint64_t pc);
