/* SPDX-License-Identifier: Apache-2.0
 *
 * dwarf_read.h - DWARF 2 to 5 as Go writes it, entry by entry. Private to gostate/.
 *
 * Go puts its runtime into the first MB of .debug_info, compressed by the linker; the rest of it, and all other sections of a large
 * binary, cost a second to inflate. So this inflates as far as it is asked, once: libdw would take all of it. The DWARF is anybody's:
 * every offset is checked, every walk bounded; what does not fit is "not there". Numbers are little-endian (layout.c takes no other).
 */
#pragma once
#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dwarf_info; /* one binary's */

struct dwarf_unit {
	uint64_t offset, first, end; /* of its header; of its first entry; behind its last */
	uint64_t abbrev;             /* offset of its table */
	uint64_t addr_base;          /* DW_AT_addr_base of its first entry; 8, which Go's is, where it has none */
	uint16_t version;
	uint8_t address_bytes, offset_bytes;
};

struct dwarf_entry {
	struct dwarf_unit unit;
	uint64_t offset, next; /* of its bytes; behind them: the first child, if it has any, else the next entry */
	uint16_t tag;          /* 0: ends a list of children */
	bool has_children;
	/* What was found of the attributes that matter here. */
	const char *name; /* borrowed; NULL: none, or not written in place */
	uint64_t byte_size, member_offset, type, language;
	bool has_byte_size, has_member_offset, has_type;
	const unsigned char *location; /* of location_len bytes, borrowed */
	size_t location_len;
};

/* NULL: the file has no .debug_info that could be read. The file is read by pread() alone: never mapped. */
struct dwarf_info *dwarf_open(Elf *elf, int fd);
struct dwarf_info *dwarf_close(struct dwarf_info *d);

/* The unit at an offset; the first is at 0, the next at unit.end. */
bool dwarf_unit_at(struct dwarf_info *d, uint64_t offset, struct dwarf_unit *ret);
/* The unit that an offset lies in. */
bool dwarf_unit_of(struct dwarf_info *d, uint64_t offset, struct dwarf_unit *ret);
bool dwarf_entry_at(struct dwarf_info *d, const struct dwarf_unit *unit, uint64_t offset, struct dwarf_entry *ret);
/* The next entry on the same level: its children are passed over. false: none. */
bool dwarf_sibling(struct dwarf_info *d, struct dwarf_entry *entry);
/* An address of .debug_addr. */
bool dwarf_address(struct dwarf_info *d, const struct dwarf_unit *unit, uint64_t index, uint64_t *ret);

/* For expressions: an unsigned LEB128 in [*at, end). */
bool leb128(const unsigned char **at, const unsigned char *end, uint64_t *ret);
