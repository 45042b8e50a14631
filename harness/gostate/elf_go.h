/* SPDX-License-Identifier: Apache-2.0
 *
 * elf_go.h - what Go's linker puts into an ELF file beside DWARF. Private to gostate/. The file is anybody's: every read is bounded.
 */
#pragma once
#include <gelf.h>
#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NULL: none of that name. */
Elf_Scn *elf_section(Elf *elf, const char *name, GElf_Shdr *ret);
bool elf_has_section(Elf *elf, const char *name);
/* A Go string header at the address, and the text that it points to. "" where it is none. */
void elf_go_string(Elf *elf, uint64_t address, char *ret, size_t n);
struct elf_symbol {
	const char *name;
	uint64_t address; /* 0: there is none of this name */
	uint64_t size;
};
/* The addresses of symbols of .symtab, in one walk. v: sorted by name. Whether any was found. */
bool elf_symbols(Elf *elf, struct elf_symbol *v, size_t n);
/* "go1.21.3", of .go.buildinfo (cmd/go's debug/buildinfo describes it): both its forms; "" where it has none. */
void elf_go_version(Elf *elf, char *ret, size_t n);
/* .note.go.buildid's text, else .note.gnu.build-id's bytes as hexadecimal digits, else "". */
void elf_build_id(Elf *elf, char *ret, size_t n);
