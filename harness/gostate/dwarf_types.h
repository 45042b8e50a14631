/* SPDX-License-Identifier: Apache-2.0
 *
 * dwarf_types.h - variables and structs of Go's runtime in a binary's DWARF. Private to gostate/.
 *
 * The DWARF of a binary is anybody's: each walk is bounded, and what does not fit is "not there".
 */
#pragma once
#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dwarf_name {
	const char *name; /* "runtime.memstats": a variable, or a struct or typedef */
	bool found;
	Dwarf_Die die;
};

/* Looks for all names in one walk over the units. v: sorted by name. */
void dwarf_find(Dwarf *dw, struct dwarf_name *v, size_t n);
/* The address of a variable. */
bool dwarf_variable_address(Dwarf_Die *variable, uint64_t *ret);
/* The type of a variable or member. */
bool dwarf_type_of(Dwarf_Die *die, Dwarf_Die *ret);
/* Follows path ("gFree.stack.size"; "" for the type itself) in a struct, then enters what only wraps a number: atomic values and
 * boxes of a state. */
bool dwarf_follow(Dwarf_Die *type, const char *path, uint64_t *ret_offset, uint64_t *ret_size);
