/* SPDX-License-Identifier: Apache-2.0
 *
 * dwarf_types.h - variables and structs of Go's runtime in a binary's DWARF. Private to gostate/.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gostate/dwarf_read.h"

struct dwarf_name {
	const char *name; /* "runtime.memstats": a variable, or a struct or typedef */
	bool always;      /* every release has it: with all of these found, the rest is no longer looked for far away */
	bool found;
	struct dwarf_entry entry;
};

/* Looks for all names: in Go's own units for the runtime, and only where those lack one of `always`, in all. v: sorted by name. */
void dwarf_find(struct dwarf_info *d, struct dwarf_name *v, size_t n);
/* The address of a variable. */
bool dwarf_variable_address(struct dwarf_info *d, const struct dwarf_entry *variable, uint64_t *ret);
/* The type of a variable or member. */
bool dwarf_type_of(struct dwarf_info *d, const struct dwarf_entry *entry, struct dwarf_entry *ret);
/* Follows path ("gFree.stack.size"; "" for the type itself) in a struct, then enters what only wraps a number: atomic values and
 * boxes of a state. */
bool dwarf_follow(struct dwarf_info *d, const struct dwarf_entry *type, const char *path, uint64_t *ret_offset, uint64_t *ret_size);
