/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/dwarf_types.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16        /* typedefs of typedefs, structs in structs */
#define MEMBERS_MAX 4096    /* of one struct */
#define CHILDREN_MAX 4000000 /* of all units */

static int by_name(const void *a, const void *b)
{
	const struct dwarf_name *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool is_wanted_tag(int tag)
{
	return tag == DW_TAG_variable || tag == DW_TAG_structure_type || tag == DW_TAG_typedef;
}

/* Whether all have been found. */
static bool look_into_unit(Dwarf_Die *unit, struct dwarf_name *v, size_t n, size_t *missing, size_t *budget)
{
	Dwarf_Die child;

	if (dwarf_child(unit, &child) != 0)
		return false;
	do {
		const char *name;

		if (!is_wanted_tag(dwarf_tag(&child)) || !(name = dwarf_diename(&child)) || strncmp(name, "runtime.", 8) != 0)
			continue;
		struct dwarf_name key = { .name = name }, *hit = bsearch(&key, v, n, sizeof(*v), by_name);
		if (hit && !hit->found) {
			hit->found = true;
			hit->die = child;
			if (--*missing == 0)
				return true;
		}
	} while (--*budget > 0 && dwarf_siblingof(&child, &child) == 0);
	return *budget == 0;
}

void dwarf_find(Dwarf *dw, struct dwarf_name *v, size_t n)
{
	size_t missing = n, budget = CHILDREN_MAX;

	/* The runtime's own unit first: it has nearly all of it. */
	for (int others = 0; others < 2; others++) {
		Dwarf_CU *cu = NULL;
		Dwarf_Die unit, sub;

		while (dwarf_get_units(dw, cu, &cu, NULL, NULL, &unit, &sub) == 0) {
			const char *name = dwarf_diename(&unit);

			if ((!name || strcmp(name, "runtime") != 0) == !others)
				continue;
			if (look_into_unit(&unit, v, n, &missing, &budget))
				return;
		}
	}
}

bool dwarf_variable_address(Dwarf_Die *variable, uint64_t *ret)
{
	Dwarf_Attribute location, inner;
	Dwarf_Block block;
	Dwarf_Op *ops;
	size_t n;

	if (!dwarf_attr(variable, DW_AT_location, &location))
		return false;
	/* Go's DWARF 4 has a DW_FORM_block1, which dwarf_getlocation() does not take. */
	if (dwarf_formblock(&location, &block) == 0 && block.length == 9 && block.data[0] == DW_OP_addr) {
		memcpy(ret, block.data + 1, 8);
		return true;
	}
	if (dwarf_getlocation(&location, &ops, &n) != 0 || n != 1)
		return false;
	if (ops[0].atom == DW_OP_addr) {
		*ret = ops[0].number;
		return true;
	}
	return (ops[0].atom == DW_OP_addrx || ops[0].atom == DW_OP_GNU_addr_index) &&
	       dwarf_getlocation_attr(&location, &ops[0], &inner) == 0 && dwarf_formaddr(&inner, ret) == 0;
}

bool dwarf_type_of(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Attribute attribute;

	return dwarf_attr(die, DW_AT_type, &attribute) && dwarf_formref_die(&attribute, ret);
}

static bool without_typedefs(Dwarf_Die *type)
{
	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		Dwarf_Die next;

		if (dwarf_tag(type) != DW_TAG_typedef)
			return true;
		if (!dwarf_type_of(type, &next))
			return false;
		*type = next;
	}
	return false;
}

static bool member_offset(Dwarf_Die *member, uint64_t *ret)
{
	Dwarf_Attribute location;
	Dwarf_Op *ops;
	size_t n;

	if (!dwarf_attr(member, DW_AT_data_member_location, &location))
		return false;
	if (dwarf_formudata(&location, ret) == 0)
		return true;
	if (dwarf_getlocation(&location, &ops, &n) != 0 || n != 1 || ops[0].atom != DW_OP_plus_uconst)
		return false;
	*ret = ops[0].number;
	return true;
}

/* Into a member of *type, which becomes its type. */
static bool enter(Dwarf_Die *type, const char *name, size_t len, uint64_t *offset)
{
	Dwarf_Die child;

	if (!without_typedefs(type) || dwarf_tag(type) != DW_TAG_structure_type || dwarf_child(type, &child) != 0)
		return false;
	for (int i = 0; i < MEMBERS_MAX; i++) {
		const char *has = dwarf_tag(&child) == DW_TAG_member ? dwarf_diename(&child) : NULL;

		if (has && strlen(has) == len && !memcmp(has, name, len)) {
			uint64_t at;
			Dwarf_Die inner;

			if (!member_offset(&child, &at) || !dwarf_type_of(&child, &inner))
				return false;
			*offset += at;
			*type = inner;
			return true;
		}
		if (dwarf_siblingof(&child, &child) != 0)
			return false;
	}
	return false;
}

bool dwarf_follow(Dwarf_Die *type, const char *path, uint64_t *ret_offset, uint64_t *ret_size)
{
	Dwarf_Die at = *type;
	Dwarf_Word size;

	*ret_offset = 0;
	while (*path) {
		size_t len = strcspn(path, ".");

		if (!enter(&at, path, len, ret_offset))
			return false;
		path += len + (path[len] == '.');
	}
	for (int depth = 0; depth < DEPTH_MAX; depth++)
		if (!enter(&at, "value", 5, ret_offset) && !enter(&at, "s", 1, ret_offset))
			break;
	if (dwarf_aggregate_size(&at, &size) != 0)
		return false;
	*ret_size = size;
	return true;
}
