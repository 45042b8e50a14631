/* SPDX-License-Identifier: Apache-2.0
 *
 * pclntab.h - Go's own table of functions, files and lines, decoded from its bytes. Private to gostate/.
 *
 * Four layouts, told apart by the magic number (internal/abi/symtab.go): Go 1.2 to 1.15, 1.16, 1.18, 1.20. Its records and the trees of
 * inlined calls are those of runtime/symtab.go, runtime/symtabinl.go and runtime/runtime2.go (_func) of each release. The table is
 * anybody's: every offset is checked against its size, every walk ends. Nothing is allocated; any thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pclntab {
	const unsigned char *data; /* borrowed */
	size_t size;
	uint32_t magic;
	unsigned minor; /* of Go's release: 1.11 to 1.15 and 1.20 to 1.27 have different records in one layout; 0: not known */
	uint64_t text;  /* what function entries of 1.18 and later count from: runtime.text */
	/* Where the trees of inlined calls lie from 1.18 on (moduledata.gofunc); 0: not known, and no inlined call is told. */
	uint64_t gofunc;
	/* Bytes of the binary at an address, for those trees; NULL: none. */
	bool (*bytes)(void *arg, uint64_t address, void *ret, size_t n);
	void *arg;
	/* Found by pclntab_open(). */
	uint64_t n_functions;
	uint64_t names, units, files, values, records; /* offsets */
};

struct pcln_frame {
	const char *function; /* ends within the table; "" */
	const char *file;     /* "" */
	unsigned line;        /* 0 */
};

#define PCLN_MAGIC_12 0xfffffffbu
#define PCLN_MAGIC_116 0xfffffffau
#define PCLN_MAGIC_118 0xfffffff0u
#define PCLN_MAGIC_120 0xfffffff1u

/* Sets the table up; t->data, size and minor are set. False: it is none. t->text is the header's if that has one (not relocated in a PIE's file). */
bool pclntab_open(struct pclntab *t);
/* The frames at a pc, innermost first: calls that were inlined there, then the function itself. Returns how many, at most max. */
size_t pclntab_frames(const struct pclntab *t, uint64_t pc, struct pcln_frame *ret, size_t max);
/* The function that the pc lies in, not what was inlined there; "". *ret_entry: where it starts (may be NULL). */
const char *pclntab_function(const struct pclntab *t, uint64_t pc, uint64_t *ret_entry);
/* Where the i-th function starts; 0: there is no such. */
uint64_t pclntab_entry(const struct pclntab *t, uint64_t i);
/* How far above the stack pointer the return address lies at this pc; -1: cannot be told. */
int64_t pclntab_frame_bytes(const struct pclntab *t, uint64_t pc);
